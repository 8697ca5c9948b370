/* What people and machines are shown of the fleet: JSON for shoalctl and /api/v1, Prometheus text, one line of status.
 * Reads boards and slots only: costs the shards nothing and answers when they hang. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_REPORT_H
#define SHOAL_SUPERVISOR_REPORT_H

#include <jansson.h>

#include "shared/base/buf.h"
#include "supervisor/supervisor.h"

/* Shards @first and behind, @max at most: a line of the control protocol holds so many, and "next" says from where to
 * ask for more (report_fleet() has the same shards). */
struct report_page {
	uint32_t first, max;
};
#define REPORT_PAGE_MAX 512
#define REPORT_ALL      ((struct report_page){ .max = UINT32_MAX })

/* New references. */
json_t *report_status(const struct supervisor *supervisor, struct report_page page);
/* The shards with their count and generation. */
json_t *report_fleet(const struct supervisor *supervisor, struct report_page page);
/* -ENOBUFS, -ENOMEM: @out is of no use then. */
int report_metrics(const struct supervisor *supervisor, struct buf *out);
/* "15/16 shards ready", or what is waited for. */
void report_line(const struct supervisor *supervisor, char *text, size_t size);
/* Every shard is ready (and the plan is made). */
bool report_all_ready(const struct supervisor *supervisor);

#endif
