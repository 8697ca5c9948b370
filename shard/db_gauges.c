/* The database's numbers, from the slow tick. Counters on the board outlive the worker, so what is added to them is
 * what came since the last tick. */
#include "shard/db_gauges.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/board/board.h"
#include "shared/db/db_tally.h"
#include "shared/log/log.h"

#define WARN_EVERY_NS (60 * NS_PER_S)

struct db_gauges {
	const struct db *db;
	_Atomic uint64_t *counters;
	struct db_teller *teller;
	struct db_stats before;
	uint64_t warned_ns;
};

static const struct {
	enum board_counter counter;
	size_t at;
} counted[] = {
	{ BOARD_COUNTER_db_done, offsetof(struct db_stats, done) },
	{ BOARD_COUNTER_db_failed, offsetof(struct db_stats, failed) },
	{ BOARD_COUNTER_db_unknown, offsetof(struct db_stats, unknown) },
	{ BOARD_COUNTER_db_repeated, offsetof(struct db_stats, repeated) },
	{ BOARD_COUNTER_db_refused, offsetof(struct db_stats, refused) },
	{ BOARD_COUNTER_db_commits, offsetof(struct db_stats, commits) },
	{ BOARD_COUNTER_db_fallbacks, offsetof(struct db_stats, fallbacks) },
	{ BOARD_COUNTER_db_connects, offsetof(struct db_stats, connects) },
	{ BOARD_COUNTER_db_connect_failures, offsetof(struct db_stats, connect_failures) },
	{ BOARD_COUNTER_db_disconnects, offsetof(struct db_stats, disconnects) },
};

int db_gauges_new(const struct db *db, _Atomic uint64_t *counters, const char *runtime_dir, uint32_t generation,
		  uint32_t shard_id, struct db_gauges **ret_gauges)
{
	struct db_gauges *gauges = calloc(1, sizeof(*gauges));
	int r;

	if (!gauges)
		return -ENOMEM;
	gauges->db = db;
	gauges->counters = counters;
	r = db_teller_new(runtime_dir, generation, shard_id, &gauges->teller);
	if (r < 0) {
		free(gauges);
		return r;
	}
	*ret_gauges = gauges;
	return 0;
}

struct db_gauges *db_gauges_free(struct db_gauges *gauges)
{
	if (gauges) {
		db_teller_free(gauges->teller);
		free(gauges);
	}
	return NULL;
}

static void tell(struct db_gauges *gauges, uint64_t now_ns)
{
	int r = db_teller_tick(gauges->teller, gauges->db, now_ns);

	if (r == 0 || (gauges->warned_ns && now_ns - gauges->warned_ns < WARN_EVERY_NS))
		return;
	gauges->warned_ns = now_ns;
	log_warn(NULL, "db.uncounted", KV_ERR(r),
		 KV_MSG("the counters of SQL statements can't be written (supervisor.runtime_dir): /metrics lags"));
}

void db_gauges_update(struct db_gauges *gauges)
{
	struct db_stats now;

	if (!gauges)
		return;
	db_stats(gauges->db, &now);
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++) {
		uint64_t value = *(const uint64_t *)((const char *)&now + counted[i].at);
		uint64_t before = *(const uint64_t *)((const char *)&gauges->before + counted[i].at);

		board_count(gauges->counters, counted[i].counter, value - before);
	}
	gauges->before = now;
	board_gauge(gauges->counters, BOARD_COUNTER_db_links, now.links);
	board_gauge(gauges->counters, BOARD_COUNTER_db_waiting, now.queued);
	board_gauge(gauges->counters, BOARD_COUNTER_db_in_flight, now.in_flight);
	tell(gauges, clock_monotonic_ns());
}
