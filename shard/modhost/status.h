/* How this worker and the fleet fare: the functions of <shoal/status.h>. Loop thread only. */
#ifndef SHOAL_SHARD_MODHOST_STATUS_H
#define SHOAL_SHARD_MODHOST_STATUS_H

#include <shoal/status.h>

/* The worker's start is now. */
void status_begin(void);

void status_get(struct shoal_scope *scope, struct shoal_status *ret_status, uint32_t size);
int status_fleet(struct shoal_scope *scope, shoal_fleet_fn fn, void *arg);

#endif
