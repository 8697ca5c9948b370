/* One question to all shards, "how are you?", and each one's answer, over NATS. A shard that does not answer in time is
 * named, not waited for. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_FLEET_STATS_H
#define SHOAL_SHARD_COMMANDS_FLEET_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "shared/board/board.h"
#include "shared/bus/bus.h"

#define FLEET_STATS_TIMEOUT_MS 500

struct fleet_stats {
	uint64_t guilds;
	double events_per_s;
	uint64_t memory_kib;
	uint64_t commands, commands_failed; /* used since the boards are there; of these answered by an apology */
	size_t answered;
	const uint32_t *missing; /* shards that did not answer, rising */
	size_t missing_count;
};

/* @error is 0 with @stats (borrowed), or -SHOAL_EUNKNOWN, -ECANCELED with NULL. */
typedef void (*fleet_stats_fn)(void *arg, int error, const struct fleet_stats *stats);

/* Answers others' questions from now on with @counters' values. Keeps both. -errno of bus_subscribe(). */
int fleet_stats_serve(struct bus *bus, _Atomic uint64_t *counters);

/* Asks @shard_count shards. Errors as bus_gather(): @fn not called then. */
int fleet_stats_ask(struct bus *bus, uint32_t shard_count, fleet_stats_fn fn, void *arg);

#endif
