/* The connections of a pool: when one is opened, what it is asked first, and what follows when it fails or goes. Run by
 * the loop. Must not block or log a value. */
#include "shared/db/db_pool_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/log/log.h"

#define BACKOFF_FLOOR_MS 250
#define BACKOFF_CAP_MS   10000
#define FAILURES_AWAY    2 /* one failed attempt may be a failover: its jobs wait for the second */

bool db_pool_has_ready_link(const struct db_pool *pool)
{
	for (size_t i = 0; i < pool->link_max; i++)
		if (pool->links[i] && db_link_is_ready(pool->links[i]) && !pool->probes[i])
			return true;
	return false;
}

bool db_pool_has_dialing_link(const struct db_pool *pool)
{
	for (size_t i = 0; i < pool->link_max; i++)
		if (pool->probes[i] ||
		    (pool->links[i] && !db_link_is_ready(pool->links[i]) && !db_link_is_closed(pool->links[i])))
			return true;
	return false;
}

static uint64_t backoff_ms(size_t failures)
{
	uint64_t base = BACKOFF_FLOOR_MS;

	while (failures-- > 1 && base < BACKOFF_CAP_MS)
		base *= 2;
	base = base < BACKOFF_CAP_MS ? base : BACKOFF_CAP_MS;
	return base / 2 + random_below(base);
}

static void give_back(struct db_pool *pool, struct db_job *job, int error)
{
	if (!pool->closing && pool->events->divert && db_job_is_waited_for(job) && pool->events->divert(pool->arg, job))
		return;
	db_pool_end_job(pool, job, error);
}

/* No job can be served: says so once a reason, and gives back what waits. */
static void go_away(struct db_pool *pool, int error, const char *reason)
{
	bool news = !pool->away || strcmp(pool->reason, reason) != 0;
	struct db_job *job;

	pool->away = true;
	snprintf(pool->reason, sizeof(pool->reason), "%s", reason);
	if (news)
		pool->events->down(pool->arg, pool, error, pool->reason);
	for (size_t lane = 0; lane < DB_LANE_COUNT; lane++)
		while ((job = db_queue_pop(&pool->lanes[lane])))
			give_back(pool, job, -SHOAL_EOFFLINE);
}

static void retry_later(struct db_pool *pool)
{
	if (!pool->closing)
		timer_start(&pool->retry, backoff_ms(pool->failures));
}

static void on_link_failed(void *arg, struct db_link *link, const struct db_refusal *refusal, const char *reason)
{
	struct db_pool *pool = arg;
	char text[sizeof(pool->reason)];

	(void)link;
	pool->failures++;
	pool->connect_failures++;
	snprintf(text, sizeof(text), "%s%s%s", reason, refusal->hint[0] ? "; " : "", refusal->hint);
	retry_later(pool);
	if (db_pool_has_ready_link(pool))
		log_warn(NULL, "db.no_more_connections", KV_STR("option", pool->key), KV_ERR(refusal->error),
			 KV_MSG(text));
	else if (refusal->for_good || pool->failures >= FAILURES_AWAY)
		go_away(pool, refusal->error, text);
}

static void come_up(struct db_pool *pool)
{
	bool news = pool->away || !pool->was_up;

	pool->away = false;
	pool->was_up = true;
	db_pool_kick(pool);
	if (!news)
		return;
	log_info(NULL, "db.up", KV_STR("option", pool->key), KV_STR("places", conninfo_places(pool->conninfo)));
	pool->events->up(pool->arg, pool);
}

static size_t slot_of(const struct db_pool *pool, const struct db_link *link)
{
	size_t slot = 0;

	while (pool->links[slot] != link)
		slot++;
	return slot;
}

static void on_link_ready(void *arg, struct db_link *link)
{
	struct db_pool *pool = arg;
	struct db_job *probe = pool->events->probe ? pool->events->probe(pool->arg) : NULL;
	struct db_segment *segment = probe ? db_segment_new(DB_LANE_READ) : NULL;

	pool->connects++;
	if (!probe) {
		come_up(pool);
		return;
	}
	if (!segment) {
		db_job_free(probe);
		db_link_break(link, "out of memory");
		return;
	}
	probe->probe = probe->plain = true;
	pool->probes[slot_of(pool, link)] = probe;
	db_segment_add(segment, probe);
	db_link_send(link, segment);
	db_pool_kick(pool); /* which tells if it broke by that */
}

void db_pool_probe_over(struct db_pool *pool, struct db_job *probe, int error)
{
	char reason[DB_REASON_SIZE] = "";
	size_t slot = 0;
	int r;

	while (slot < pool->link_max && pool->probes[slot] != probe)
		slot++;
	r = pool->closing ? -ECANCELED : pool->events->probed(pool->arg, probe, error, reason, sizeof(reason));
	db_job_free(probe);
	if (slot < pool->link_max)
		pool->probes[slot] = NULL;
	if (pool->closing || slot == pool->link_max || !pool->links[slot] || !db_link_is_ready(pool->links[slot]))
		return; /* it went with its connection, and that is told elsewhere */
	if (r == 0) {
		come_up(pool);
		return;
	}
	pool->failures++;
	retry_later(pool);
	db_link_hang_up(pool->links[slot]);
	go_away(pool, r, reason);
}

static void on_link_lost(void *arg, struct db_link *link, const char *reason, struct db_segment *segments,
			 bool oversized)
{
	struct db_pool *pool = arg;
	struct db_queue again = { 0 };
	size_t ended = pool->ending.count;
	struct db_segment *segment;

	if (pool->demoted == link)
		pool->demoted = NULL;
	pool->failures += !oversized;
	pool->disconnects++;
	while ((segment = segments)) {
		segments = segment->next;
		db_pool_segment_lost(pool, &again, segment, oversized);
		oversized = false; /* the first alone */
	}
	log_warn(NULL, "db.connection_lost", KV_STR("option", pool->key),
		 KV_U64("statements_under_way", again.count + pool->ending.count - ended), KV_MSG(reason));
	db_pool_send_again(pool, again.first, -SHOAL_EOFFLINE);
	if (pool->failures > 1)
		retry_later(pool);
	if (pool->failures > FAILURES_AWAY && !db_pool_has_ready_link(pool))
		go_away(pool, -SHOAL_EOFFLINE, reason);
	db_pool_end_all(pool);
	db_pool_kick(pool);
}

static void on_link_over(void *arg, struct db_link *link, struct db_segment *segment)
{
	struct db_pool *pool = arg;

	if (!segment->first->probe)
		pool->failures = 0; /* it stayed up long enough to answer */
	db_pool_kick(pool);         /* there is room again */
	if (!segment->failed) {
		pool->commits += !segment->first->probe;
		db_pool_segment_done(pool, segment);
		return;
	}
	/* A standby now: this connection is of no use for writing; the next one looks for the primary. */
	if (strcmp(segment->sqlstate, "25006") == 0)
		pool->demoted = link;
	db_pool_segment_failed(pool, segment);
}

static const struct db_link_events link_events = {
	.ready = on_link_ready,
	.failed = on_link_failed,
	.lost = on_link_lost,
	.over = on_link_over,
};

void db_pool_open_one(struct db_pool *pool)
{
	size_t slot = 0;
	int r = 0;

	if (timer_active(&pool->retry) || db_pool_has_dialing_link(pool))
		return;
	while (slot < pool->link_max && pool->links[slot] && !db_link_is_closed(pool->links[slot]))
		slot++;
	if (slot == pool->link_max)
		return;
	if (!pool->links[slot])
		r = db_link_new(&pool->config, &link_events, pool, &pool->links[slot]);
	if (r == 0)
		r = db_link_open(pool->links[slot]);
	if (r < 0) {
		pool->failures++;
		retry_later(pool);
	}
}
