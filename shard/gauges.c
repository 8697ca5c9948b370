/* Slow-tick gauges. Cheap: one read of /proc every five seconds, the rest are words. */
#include "shard/gauges.h"

#include <stdio.h>
#include <unistd.h>

#include "shard/worker.h"
#include "shared/base/clock.h"

#define MEMORY_EVERY_TICKS 20

static uint64_t resident_kib(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

/* Over the last 10 s, or over what there is of them. */
static void update_rate(struct worker *worker)
{
	uint64_t total = board_shard_counter(worker->board, BOARD_COUNTER_events_total);
	uint64_t *slot = &worker->events_at[worker->tick_count % WORKER_RATE_TICKS];
	uint64_t ticks = worker->tick_count < WORKER_RATE_TICKS ? worker->tick_count : WORKER_RATE_TICKS;
	uint64_t before = worker->tick_count < WORKER_RATE_TICKS ? worker->events_at[0] : *slot;

	if (ticks > 0)
		board_gauge(worker->counters, BOARD_COUNTER_events_per_s_milli,
			    (total - before) * 1000 * 1000 / (ticks * LOOP_TICK_MS));
	*slot = total;
}

void gauges_count_guilds(struct worker *worker)
{
	board_gauge(worker->counters, BOARD_COUNTER_guilds, cache_count(worker->cache));
	board_gauge(worker->counters, BOARD_COUNTER_guilds_unavailable, cache_unavailable(worker->cache));
	board_gauge(worker->counters, BOARD_COUNTER_guilds_missing, cache_missing(worker->cache));
	board_gauge(worker->counters, BOARD_COUNTER_cache_kib, cache_bytes(worker->cache) / 1024);
}

static void update_settings(struct worker *worker)
{
	_Atomic uint64_t *counters = worker->counters;
	struct settings_stats settings;
	struct keeper_stats keeper;

	if (!worker->settings || !worker->keeper)
		return;
	settings_stats(worker->settings, &settings);
	keeper_stats(worker->keeper, &keeper);
	board_count(counters, BOARD_COUNTER_settings_loads, settings.loads - worker->settings_seen.loads);
	board_count(counters, BOARD_COUNTER_settings_failures,
		    settings.load_failures - worker->settings_seen.load_failures);
	board_count(counters, BOARD_COUNTER_retention_rows, keeper.swept - worker->keeper_seen.swept);
	board_count(counters, BOARD_COUNTER_guilds_removed, keeper.guilds_removed - worker->keeper_seen.guilds_removed);
	board_count(counters, BOARD_COUNTER_members_forgotten, keeper.forgotten - worker->keeper_seen.forgotten);
	worker->settings_seen = settings;
	worker->keeper_seen = keeper;
}

void gauges_outbox(struct worker *worker)
{
	_Atomic uint64_t *counters = worker->counters;
	struct outbox_stats stats = { 0 };
	int64_t age_ms;

	if (!worker->outbox)
		return;
	outbox_stats(worker->outbox, &stats);
	age_ms = stats.oldest_ms ? clock_wall_ms() - stats.oldest_ms : 0;
	board_gauge(counters, BOARD_COUNTER_outbox_waiting, stats.waiting);
	board_gauge(counters, BOARD_COUNTER_outbox_dead, stats.dead);
	board_gauge(counters, BOARD_COUNTER_outbox_bytes, stats.bytes);
	board_gauge(counters, BOARD_COUNTER_outbox_oldest_s, age_ms > 0 ? (uint64_t)age_ms / 1000 : 0);
	board_gauge(counters, BOARD_COUNTER_outbox_commit_max_us, stats.commit_max_us);
	board_gauge(counters, BOARD_COUNTER_outbox_failing, stats.error != 0);
	/* Sums since the page was made: of this process what came since the last look. */
	board_count(counters, BOARD_COUNTER_outbox_kept, stats.kept - worker->outbox_seen.kept);
	board_count(counters, BOARD_COUNTER_outbox_applied, stats.applied - worker->outbox_seen.applied);
	board_count(counters, BOARD_COUNTER_outbox_refused, stats.refused - worker->outbox_seen.refused);
	board_count(counters, BOARD_COUNTER_outbox_commits, stats.commits - worker->outbox_seen.commits);
	worker->outbox_seen = stats;
}

void gauges_update(struct worker *worker)
{
	_Atomic uint64_t *counters = worker->counters;
	struct rest_stats rest;

	board_shard_stamp(worker->board, clock_boottime_ns());
	update_rate(worker);
	board_gauge(counters, BOARD_COUNTER_loop_lag_us, loop_take_lag(&worker->loop) / NS_PER_US);
	if (worker->tick_count++ % MEMORY_EVERY_TICKS == 0)
		board_gauge(counters, BOARD_COUNTER_memory_kib, resident_kib());
	if (worker->phase != WORKER_RUNNING)
		return;
	rest_stats(worker->rest, &rest);
	board_gauge(counters, BOARD_COUNTER_rest_latency_us, rest.latency_us);
	gauges_count_guilds(worker);
	board_gauge(counters, BOARD_COUNTER_nats_away, bus_is_on(worker->bus) && !bus_is_up(worker->bus));
	db_gauges_update(worker->db_gauges);
	gauges_outbox(worker);
	update_settings(worker);
	board_gauge(counters, BOARD_COUNTER_postgres_away, db_is_on(worker->db) && db_is_away(worker->db));
	if (worker->session)
		board_gauge(counters, BOARD_COUNTER_latency_us, session_latency_us(worker->session));
}
