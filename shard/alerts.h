/* What an operator must see goes to the supervisor, which shows it in status and metrics. Loop thread only. */
#ifndef SHOAL_SHARD_ALERTS_H
#define SHOAL_SHARD_ALERTS_H

#include <stdint.h>

struct worker;

#define SHARD_ALERTS_MAX 16

/* Alerts that wait for the link; the oldest give way. */
struct shard_alerts {
	struct {
		char event[48];
		char text[256];
	} rows[SHARD_ALERTS_MAX];
	uint32_t count;
};

/* @event is the log record's id, @text a sentence. */
void shard_alert(struct worker *worker, const char *event, const char *text);
/* The link is up: what waits is told. */
void shard_alerts_flush(struct worker *worker);

#endif
