/* How commands are used, over this host's shards: for /metrics and shoalctl commands. Loop thread; reads files on
 * tmpfs, asks no worker. */
#ifndef SHOAL_SUPERVISOR_REPORT_COMMANDS_H
#define SHOAL_SUPERVISOR_REPORT_COMMANDS_H

#include <jansson.h>

#include "shared/metrics/metrics.h"
#include "supervisor/fleet.h"

void report_commands(struct metrics *metrics, const struct fleet *fleet);

/* [{command, module, uses, answered, …, mean_us, p50_us, p99_us, max_us}], the most used first; @fleet may be NULL.
 * Caller owns; NULL when there is no memory. */
json_t *report_commands_json(const struct fleet *fleet);

#endif
