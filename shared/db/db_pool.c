/* A pool's queue, its slow tick and its life. Run by the loop. Must not block, log a value, or let one job's trouble
 * become another's. */
#include "shared/db/db_pool_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define GRACE_MS 2000 /* beyond the server's own time-out, before the connection counts as silent */

struct db_queue *db_pool_lane_of(struct db_pool *pool, const struct db_job *job)
{
	return &pool->lanes[job->read_only ? DB_LANE_READ : DB_LANE_WRITE];
}

size_t db_pool_count_queued(const struct db_pool *pool)
{
	return pool->lanes[DB_LANE_READ].count + pool->lanes[DB_LANE_WRITE].count;
}

void db_pool_kick(struct db_pool *pool)
{
	if (!pool->closing && !timer_active(&pool->pump))
		timer_start(&pool->pump, 0);
}

void db_pool_submit(struct db_pool *pool, struct db_job *job)
{
	db_queue_push(db_pool_lane_of(pool, job), job);
	db_pool_kick(pool);
}

/* --- the slow tick ------------------------------------------------------------------------------------------------ */

static void expire_lane(struct db_pool *pool, enum db_lane lane, uint64_t now)
{
	struct db_queue *queue = &pool->lanes[lane];

	while (queue->first && now > queue->first->started_ns &&
	       now - queue->first->started_ns > queue->first->timeout_ms * NS_PER_MS)
		db_pool_end_job(pool, db_queue_pop(queue), db_pool_has_ready_link(pool) ? -ETIMEDOUT : -SHOAL_EOFFLINE);
}

/* The first under way on that connection that nobody should wait for any longer; NULL for none. */
static struct db_job *find_overdue(const struct db_pool *pool, size_t slot, uint64_t now)
{
	if (!pool->links[slot])
		return NULL;
	for (struct db_segment *segment = db_link_pipe(pool->links[slot])->first; segment; segment = segment->next)
		for (struct db_job *job = segment->first; job; job = job->next)
			if (db_job_is_waited_for(job) && now > job->started_ns &&
			    now - job->started_ns > job->patience_ns)
				return job;
	return NULL;
}

static void check_link(struct db_pool *pool, size_t slot, uint64_t now)
{
	const struct db_pipe *pipe;
	uint64_t silence_ns;
	struct db_job *job;
	char text[128];

	/* Its waiter is told now; the job stays on its connection until the answer comes, which nobody hears. */
	while ((job = find_overdue(pool, slot, now)))
		db_job_tell(job, job->read_only ? -ETIMEDOUT : -SHOAL_EUNKNOWN);
	if (pool->closing || !pool->links[slot] || !db_link_is_ready(pool->links[slot]))
		return;
	pipe = db_link_pipe(pool->links[slot]);
	if (now < pipe->moved_ns)
		return;
	if (pipe->first) {
		silence_ns = ((uint64_t)pipe->first->timeout_ms + GRACE_MS) * NS_PER_MS;
		if (now - pipe->moved_ns > silence_ns) {
			snprintf(text, sizeof(text), "the server has not answered for %llu ms",
				 (unsigned long long)(silence_ns / NS_PER_MS));
			db_link_break(pool->links[slot], text);
		}
	} else if (db_pool_count_queued(pool) == 0 && now - pipe->moved_ns >= pool->idle_close_ns) {
		db_link_hang_up(pool->links[slot]);
	}
}

static void on_tick(void *arg)
{
	struct db_pool *pool = arg;
	uint64_t now = clock_monotonic_ns();

	expire_lane(pool, DB_LANE_READ, now);
	expire_lane(pool, DB_LANE_WRITE, now);
	for (size_t i = 0; i < pool->link_max && !pool->closing; i++)
		check_link(pool, i, now);
	if (db_pool_count_queued(pool) > 0)
		db_pool_kick(pool);
}

/* --- looking at it ------------------------------------------------------------------------------------------------ */

bool db_pool_is_away(const struct db_pool *pool)
{
	return pool->away;
}

const char *db_pool_state_text(struct db_pool *pool)
{
	if (pool->away) {
		snprintf(pool->state_text, sizeof(pool->state_text), "away: %s", pool->reason);
		return pool->state_text;
	}
	if (db_pool_has_ready_link(pool))
		return "up";
	return db_pool_has_dialing_link(pool) ? "connecting" : "idle";
}

void db_pool_stats(const struct db_pool *pool, struct db_stats *stats)
{
	stats->connects += pool->connects;
	stats->connect_failures += pool->connect_failures;
	stats->disconnects += pool->disconnects;
	stats->commits += pool->commits;
	stats->queued += db_pool_count_queued(pool);
	for (size_t i = 0; i < pool->link_max; i++) {
		if (!pool->links[i])
			continue;
		stats->in_flight += db_link_pipe(pool->links[i])->jobs[DB_LANE_READ] +
				    db_link_pipe(pool->links[i])->jobs[DB_LANE_WRITE];
		stats->links += db_link_is_ready(pool->links[i]);
	}
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_retry(void *arg)
{
	struct db_pool *pool = arg;

	if (pool->away || db_pool_count_queued(pool) > 0)
		db_pool_open_one(pool);
}

int db_pool_new(const struct db_pool_options *options, const struct db_pool_events *events, void *arg,
		struct db_pool **ret_pool)
{
	struct db_pool *pool = calloc(1, sizeof(*pool));
	char error[CONNINFO_TEXT_SIZE];
	int r;

	if (!pool)
		return -ENOMEM;
	pool->events = events;
	pool->arg = arg;
	pool->key = options->key;
	pool->config = options->link;
	pool->link_max =
		options->connections < DB_POOL_CONNECTIONS_MAX ? options->connections : DB_POOL_CONNECTIONS_MAX;
	pool->idle_close_ns = options->idle_close_s * NS_PER_S;
	r = conninfo_parse(options->conninfo, &pool->conninfo, error);
	if (r < 0) {
		if (r == -EINVAL)
			log_error(NULL, "db.bad_conninfo", KV_STR("option", pool->key), KV_ERR(r), KV_MSG(error));
		free(pool);
		return r;
	}
	pool->config.conninfo = pool->conninfo;
	timer_init(&pool->pump, pool->config.loop, db_pool_pump, pool);
	timer_init(&pool->retry, pool->config.loop, on_retry, pool);
	loop_at_tick(pool->config.loop, &pool->tick, on_tick, pool);
	*ret_pool = pool;
	return 0;
}

static void on_timer_closed(void *arg)
{
	struct db_pool *pool = arg;

	if (--pool->handles > 0)
		return;
	conninfo_free(pool->conninfo);
	if (pool->closed)
		pool->closed(pool->closed_arg);
	free(pool);
}

void db_pool_close(struct db_pool *pool, loop_fn closed, void *arg)
{
	struct db_segment *segments, *segment;
	struct db_job *job, *jobs;

	pool->closing = true;
	pool->closed = closed;
	pool->closed_arg = arg;
	loop_remove_hook(&pool->tick);
	while ((job = db_queue_pop(&pool->ending)))
		db_pool_end_job(pool, job, -ECANCELED);
	for (size_t i = 0; i < pool->link_max; i++) {
		segments = db_link_free(TAKE(pool->links[i]));
		while ((segment = segments)) {
			segments = segment->next;
			jobs = db_segment_take_jobs(segment);
			while ((job = jobs)) {
				jobs = job->next;
				db_pool_end_job(pool, job, -ECANCELED);
			}
		}
	}
	for (size_t lane = 0; lane < DB_LANE_COUNT; lane++)
		while ((job = db_queue_pop(&pool->lanes[lane])))
			db_pool_end_job(pool, job, -ECANCELED);
	pool->handles = 2;
	timer_close(&pool->pump, on_timer_closed);
	timer_close(&pool->retry, on_timer_closed);
}
