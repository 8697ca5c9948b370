/* What the board shows of this worker besides its counters: four times a second, from the slow tick. */
#ifndef SHOAL_SHARD_GAUGES_H
#define SHOAL_SHARD_GAUGES_H

struct worker;

/* Stamps the watchdog word and refreshes the gauges. Loop thread only. */
void gauges_update(struct worker *worker);
/* The guilds alone; before the shard is called ready. */
void gauges_count_guilds(struct worker *worker);

/* What waits in the outbox: also whenever that has changed, so that nobody who was told that a write is kept finds
 * none. */
void gauges_outbox(struct worker *worker);

#endif
