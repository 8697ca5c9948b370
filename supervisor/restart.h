/* When a dead worker is started again: one pure function over its history. No clock, no random source of its own. */
#ifndef SHOAL_SUPERVISOR_RESTART_H
#define SHOAL_SUPERVISOR_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define RESTART_RING 64

struct restart_policy {
	uint32_t floor_ms;  /* wait before the first restart; no wait is shorter */
	uint32_t cap_ms;    /* no wait is longer; a failing shard always waits about this long */
	uint32_t burst;     /* this many deaths within the window are borne; one more marks the shard failing */
	uint32_t window_ms; /* of the burst */
	uint32_t stable_ms; /* a worker that was ready this long has its past forgiven */
};

/* Zeroed = a shard with no past. Embedded by value. */
struct restart_history {
	/* The last deaths, any monotonic clock: exact for bursts that fit. */
	uint64_t died_ns[RESTART_RING];
	uint32_t ring_at;
	uint32_t ring_count;
	/* Larger bursts are counted by window: this one and the one before. */
	uint64_t window_ns; /* when this one began */
	uint32_t window_deaths, before_deaths;
	uint32_t in_row; /* deaths since it was last stable */
	bool failing;
};

struct restart_decision {
	uint64_t delay_ms;
	bool failing;        /* the shard is retried slowly */
	bool turned_failing; /* it became so with this death: time for an alert */
};

/* A worker died at @now_ns after having been ready for @ready_ms (0: never). @unit in [0, 1) is the jitter.
 * Updates @history, returns what to do. The delay doubles from the floor to the cap with every death in a row; its
 * jitter takes away up to half, never below the floor. */
struct restart_decision restart_decide(const struct restart_policy *policy, struct restart_history *history,
				       uint64_t now_ns, uint64_t ready_ms, double unit);

/* An operator's restart or a worker that has stayed up: the past is forgiven. */
void restart_forgive(struct restart_history *history);

#endif
