/* Timers of modules, bound to scopes; and their memory, counted. Loop thread only. Functions of <shoal/scope.h>. */
#ifndef SHOAL_SHARD_MODHOST_TIMERS_H
#define SHOAL_SHARD_MODHOST_TIMERS_H

#include <shoal/scope.h>

#include "shard/events/scope.h"

int timers_start(struct shoal_scope *scope, uint64_t delay_ms, shoal_timer_fn fn, void *arg, uint64_t *ret_id);
int timers_cancel(struct shoal_scope *scope, uint64_t id);

void *memory_alloc(struct shoal_scope *scope, size_t size);
void memory_free(void *memory);

#endif
