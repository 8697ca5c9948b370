/* What an order would cost, before anything is done: session starts, seconds, memory, and why. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_FORECAST_H
#define SHOAL_SUPERVISOR_FORECAST_H

#include "supervisor/supervisor.h"

/* All shards restarted one by one; @next (may be NULL): by the programs that were asked there. New reference. */
json_t *forecast_restart(const struct supervisor *supervisor, const struct reexec_answer *next);
/* A module taken in by `module reload` with the modules of @next; @name is in there. New reference. */
json_t *forecast_module(const struct supervisor *supervisor, const struct manifest *next, const char *name);
/* Another shard count: every shard of it identifies. New reference. */
json_t *forecast_reshard(const struct supervisor *supervisor, uint32_t count);

#endif
