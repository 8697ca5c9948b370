/* What an operator should know of: every error that the supervisor logs, and every loss window that a board tells of,
 * counted by event and shard; shown by status and metrics. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_ALERTS_H
#define SHOAL_SUPERVISOR_ALERTS_H

#include <stdint.h>

#include <jansson.h>

#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define ALERTS_MAX       64
#define ALERT_EVENT_SIZE 48
#define ALERT_TEXT_SIZE  256

struct alert {
	char event[ALERT_EVENT_SIZE]; /* the log's event id; "" = free */
	char text[ALERT_TEXT_SIZE];   /* of the last one */
	int32_t shard;                /* -1: none */
	uint64_t count;
	uint64_t seen; /* of them, before the list was cleared */
	int64_t first_wall_ms, last_wall_ms;
};

struct alerts {
	struct alert rows[ALERTS_MAX];
	uint64_t total;
};

/* From now on every error record of this process is an alert. @alerts must outlive the process's logging, or
 * alerts_unwatch() be called. */
void alerts_watch(struct alerts *alerts);
void alerts_unwatch(void);
/* Counts one. A full table forgets the one that is longest past. */
void alerts_raise(struct alerts *alerts, const char *event, int32_t shard, const char *text, uint64_t count);
/* [{event, shard, count, first, last, text}], the latest first. New reference. */
json_t *alerts_report(const struct alerts *alerts);
/* For the process's next image, and back. What is no alert in it is passed over. */
json_t *alerts_save(const struct alerts *alerts);
void alerts_restore(struct alerts *alerts, const json_t *saved);
/* Somebody has seen them: the list is empty, the counts of the metrics go on. */
void alerts_clear(struct alerts *alerts);
void alerts_metrics(const struct alerts *alerts, struct metrics *metrics);

#endif
