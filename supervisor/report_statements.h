/* What the fleet's SQL statements have counted, in Prometheus text. */
#ifndef SHOAL_SUPERVISOR_REPORT_STATEMENTS_H
#define SHOAL_SUPERVISOR_REPORT_STATEMENTS_H

#include "shared/metrics/metrics.h"
#include "supervisor/fleet.h"

/* Reads each shard's file and puts the sums over all shards, one label a statement. Nothing for a fleet that has not
 * asked its database anything. */
void report_statements(struct metrics *metrics, const struct fleet *fleet);

#endif
