/* The functions of <shoal/bus.h>: a module's own subjects, module.<name>.<topic>. Loop thread only. */
#ifndef SHOAL_SHARD_MODHOST_MODULE_BUS_H
#define SHOAL_SHARD_MODHOST_MODULE_BUS_H

#include <shoal/bus.h>

int module_bus_publish(struct shoal_scope *scope, const char *topic, const void *payload, size_t len);
int module_bus_subscribe(struct shoal_scope *scope, const char *topic, shoal_bus_fn fn, void *arg, uint64_t *ret_id);
int module_bus_unsubscribe(struct shoal_scope *scope, uint64_t id);

#endif
