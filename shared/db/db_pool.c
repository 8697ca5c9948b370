/* The queue of jobs to one server, and the few connections that they go over. Run by the loop. Must not block, log a
 * value, or let one job's trouble become another's.
 *
 * A timer of 0 ms pumps once a loop turn, so a turn's jobs leave together. Reads and writes wait in two lanes and never
 * share a connection at the same moment (unless there may be only one): a read does not wait for commits, and a read
 * that must be given up costs no write its certainty. A lane's jobs are sent in segments, each one transaction; few are
 * under way at a time, so while the server commits one, the next gathers. */
#include "shared/db/db_pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/log/log.h"

#define CONNECTIONS_MAX 64 /* the option's bound */

#define SEGMENT_JOBS     32
#define SEGMENT_BYTES    (256 * 1024)
#define SPREAD_AT        SEGMENT_JOBS /* more than so many a connection: another, if there may be one */
#define TRIES_MAX        3            /* of a job that is known not to have happened, or changes nothing */
#define SETBACKS_MAX     2            /* so often sent again for others' sake: alone from then on */
#define GRACE_MS         2000         /* beyond the server's own time-out, before the connection counts as silent */
#define BACKOFF_FLOOR_MS 250
#define BACKOFF_CAP_MS   10000
#define FAILURES_AWAY    2 /* one failed attempt may be a failover: its jobs wait for the second */

/* Segments under way on one connection. */
static const size_t depths[DB_LANE_COUNT] = { [DB_LANE_READ] = 4, [DB_LANE_WRITE] = 2 };

struct job_queue {
	struct db_job *first, *last;
	size_t count;
};

struct db_pool {
	const struct db_pool_events *events;
	void *arg;
	const char *key;
	struct conninfo *conninfo;
	struct db_link_config config;
	uint64_t idle_close_ns;

	struct db_link *links[CONNECTIONS_MAX];
	struct db_job
		*probes[CONNECTIONS_MAX]; /* under way on the connection of that place, which is not used before */
	size_t link_max;
	struct job_queue lanes[DB_LANE_COUNT];
	struct job_queue ending; /* being told; a callback may close us in between */

	struct db_link *demoted; /* said that it may not write */
	struct timer pump, retry;
	struct loop_hook tick;
	size_t failures; /* attempts in a row without an answer between */
	bool away, was_up, closing;
	char reason[DB_REASON_SIZE + 128];
	char state_text[DB_REASON_SIZE + 160];
	uint64_t connects, connect_failures, disconnects, commits;
	unsigned int handles; /* timers still to be closed */
	loop_fn closed;
	void *closed_arg;
};

/* --- the queue ---------------------------------------------------------------------------------------------------- */

static void queue_push(struct job_queue *queue, struct db_job *job)
{
	job->next = NULL;
	if (queue->last)
		queue->last->next = job;
	else
		queue->first = job;
	queue->last = job;
	queue->count++;
}

static void queue_push_front(struct job_queue *queue, struct db_job *job)
{
	job->next = queue->first;
	queue->first = job;
	if (!queue->last)
		queue->last = job;
	queue->count++;
}

static struct db_job *queue_pop(struct job_queue *queue)
{
	struct db_job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->last = NULL;
	queue->count--;
	job->next = NULL;
	return job;
}

static struct job_queue *lane_of(struct db_pool *pool, const struct db_job *job)
{
	return &pool->lanes[job->read_only ? DB_LANE_READ : DB_LANE_WRITE];
}

static size_t count_queued(const struct db_pool *pool)
{
	return pool->lanes[DB_LANE_READ].count + pool->lanes[DB_LANE_WRITE].count;
}

static void kick(struct db_pool *pool)
{
	if (!pool->closing && !timer_active(&pool->pump))
		timer_start(&pool->pump, 0);
}

void db_pool_submit(struct db_pool *pool, struct db_job *job)
{
	queue_push(lane_of(pool, job), job);
	kick(pool);
}

static bool has_ready_link(const struct db_pool *pool)
{
	for (size_t i = 0; i < pool->link_max; i++)
		if (pool->links[i] && db_link_is_ready(pool->links[i]) && !pool->probes[i])
			return true;
	return false;
}

/* One that will serve soon, or fail. */
static bool has_dialing_link(const struct db_pool *pool)
{
	for (size_t i = 0; i < pool->link_max; i++)
		if (pool->probes[i] ||
		    (pool->links[i] && !db_link_is_ready(pool->links[i]) && !db_link_is_closed(pool->links[i])))
			return true;
	return false;
}

/* --- the end of a segment ----------------------------------------------------------------------------------------- */

static void probe_over(struct db_pool *pool, struct db_job *probe, int error);

static void end_job(struct db_pool *pool, struct db_job *job, int error)
{
	if (job->probe)
		probe_over(pool, job, error);
	else
		pool->events->over(pool->arg, job, error);
}

static void end_all(struct db_pool *pool)
{
	struct db_job *job;

	while ((job = queue_pop(&pool->ending)))
		end_job(pool, job, job->error);
}

/* Those of @jobs that may go again go to the front of their lane, in their order; the others end with @error. Nothing
 * of them has happened, or they change nothing. */
static void send_again(struct db_pool *pool, struct db_job *jobs, int error)
{
	struct db_job *again = NULL, *job;

	while ((job = jobs)) {
		jobs = job->next;
		if (pool->closing || !db_job_is_waited_for(job) || job->tries >= TRIES_MAX + job->setbacks) {
			job->error = pool->closing ? -ECANCELED : error;
			queue_push(&pool->ending, job);
			continue;
		}
		job->next = again;
		again = job;
	}
	while ((job = again)) { /* youngest first, so that the oldest ends up in front */
		again = job->next;
		db_job_reset(job);
		queue_push_front(lane_of(pool, job), job);
	}
	end_all(pool);
	kick(pool);
}

/* For others' sake: does not count as a try, but not for ever in company. */
static void set_back(struct db_pool *pool, struct db_job *jobs, int error)
{
	for (struct db_job *job = jobs; job; job = job->next)
		job->alone = ++job->setbacks >= SETBACKS_MAX || job->alone;
	send_again(pool, jobs, error);
}

/* Takes @job out of the segment, whose others stay. */
static void take_out(struct db_segment *segment, struct db_job *job)
{
	struct db_job **at = &segment->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	job->next = NULL;
	segment->count--;
}

/* What becomes of a segment that failed, of which so nothing has happened. In company an error may be the company's
 * doing (a key that another has just taken, a deadlock): it is told only of a job that failed alone. */
static void segment_failed(struct db_pool *pool, struct db_segment *segment)
{
	struct db_job *culprit = segment->count == 1 ? segment->first : segment->culprit;
	int error = db_error_of_sqlstate(segment->sqlstate);
	bool never_began = db_error_never_began(segment->sqlstate);

	if (segment->count == 1 && !segment->culprit)
		db_job_failed(culprit, culprit->count, segment->sqlstate, segment->said);
	if (segment->count == 1 && (!never_began || culprit->plain)) {
		culprit->error = error;
		queue_push(&pool->ending, db_segment_take_jobs(segment));
		end_all(pool);
		return;
	}
	if (culprit && error == -ETIMEDOUT) { /* its own doing: no time of the others is spent on it again */
		take_out(segment, culprit);
		culprit->error = error;
		queue_push(&pool->ending, culprit);
	} else if (culprit && never_began && !culprit->plain) {
		culprit->plain = true;
	} else {
		for (struct db_job *job = segment->first; job; job = job->next)
			if (job == culprit || !culprit)
				job->setbacks = SETBACKS_MAX;
	}
	set_back(pool, db_segment_take_jobs(segment), error);
}

static void segment_done(struct db_pool *pool, struct db_segment *segment)
{
	struct db_job *jobs = db_segment_take_jobs(segment), *job;

	while ((job = jobs)) {
		jobs = job->next;
		job->error = db_job_check(job);
		queue_push(&pool->ending, job);
	}
	end_all(pool);
}

static void on_link_over(void *arg, struct db_link *link, struct db_segment *segment)
{
	struct db_pool *pool = arg;

	if (!segment->first->probe)
		pool->failures = 0; /* it stayed up long enough to answer */
	kick(pool);                 /* there is room again */
	if (!segment->failed) {
		pool->commits += !segment->first->probe;
		segment_done(pool, segment);
		return;
	}
	/* A standby now: this connection is of no use for writing; the next one looks for the primary. */
	if (strcmp(segment->sqlstate, "25006") == 0)
		pool->demoted = link;
	segment_failed(pool, segment);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

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
	end_job(pool, job, error);
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
		while ((job = queue_pop(&pool->lanes[lane])))
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
	if (has_ready_link(pool))
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
	kick(pool);
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
	kick(pool); /* which tells if it broke by that */
}

/* The answer to the first question on a connection. */
static void probe_over(struct db_pool *pool, struct db_job *probe, int error)
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

/* What becomes of jobs under way on a connection that went: sent again (0), or ended; both oldest first. */
static void lost_job(struct db_pool *pool, struct job_queue *again, struct db_job *job, int error)
{
	job->error = error;
	queue_push(error ? &pool->ending : again, job);
}

static void lost_segment(struct db_pool *pool, struct job_queue *again, struct db_segment *segment, bool oversized)
{
	/* What the server had said before still holds. */
	bool undone = segment->failed && segment->undone && db_error_of_sqlstate(segment->sqlstate) != -SHOAL_EUNKNOWN;
	int failure = db_error_of_sqlstate(segment->sqlstate);
	bool reads = segment->lane == DB_LANE_READ, single = segment->count == 1;
	struct db_job *culprit = segment->culprit, *jobs = db_segment_take_jobs(segment), *job;

	while ((job = jobs)) {
		jobs = job->next;
		if (undone && (job == culprit || single))
			lost_job(pool, again, job, failure);
		else if (reads && oversized && single)
			lost_job(pool, again, job, -EMSGSIZE);
		else if (job->probe)
			lost_job(pool, again, job, -SHOAL_EOFFLINE);
		else
			lost_job(pool, again, job, reads || undone ? 0 : -SHOAL_EUNKNOWN);
		job->alone = job->alone || oversized;
	}
}

static void on_link_lost(void *arg, struct db_link *link, const char *reason, struct db_segment *segments,
			 bool oversized)
{
	struct db_pool *pool = arg;
	struct job_queue again = { 0 };
	size_t ended = pool->ending.count;
	struct db_segment *segment;

	if (pool->demoted == link)
		pool->demoted = NULL;
	pool->failures += !oversized;
	pool->disconnects++;
	while ((segment = segments)) {
		segments = segment->next;
		lost_segment(pool, &again, segment, oversized);
		oversized = false; /* the first alone */
	}
	log_warn(NULL, "db.connection_lost", KV_STR("option", pool->key),
		 KV_U64("statements_under_way", again.count + pool->ending.count - ended), KV_MSG(reason));
	send_again(pool, again.first, -SHOAL_EOFFLINE);
	if (pool->failures > 1)
		retry_later(pool);
	if (pool->failures > FAILURES_AWAY && !has_ready_link(pool))
		go_away(pool, -SHOAL_EOFFLINE, reason);
	end_all(pool);
	kick(pool);
}

static const struct db_link_events link_events = {
	.ready = on_link_ready,
	.failed = on_link_failed,
	.lost = on_link_lost,
	.over = on_link_over,
};

/* Opens a closed connection, or a new one where there may be one more. */
static void open_one(struct db_pool *pool)
{
	size_t slot = 0;
	int r = 0;

	if (timer_active(&pool->retry) || has_dialing_link(pool))
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

/* --- sending ------------------------------------------------------------------------------------------------------ */

static bool is_usable(const struct db_pool *pool, size_t slot)
{
	return pool->links[slot] && db_link_is_ready(pool->links[slot]) && pool->links[slot] != pool->demoted &&
	       !pool->probes[slot];
}

/* Connections that work for @lane at the moment. */
static size_t lane_links(const struct db_pool *pool, enum db_lane lane)
{
	size_t count = 0;

	for (size_t i = 0; i < pool->link_max; i++)
		count += is_usable(pool, i) && db_link_pipe(pool->links[i])->counts[lane] > 0;
	return count;
}

/* How many connections @lane may hold. One is always left to the reads, since a write may take long; reads go over all
 * of them until a write comes, and give one back as soon as what is under way on it is answered. */
static size_t lane_share(const struct db_pool *pool, enum db_lane lane)
{
	bool wanted = lane == DB_LANE_WRITE || pool->lanes[DB_LANE_WRITE].first || lane_links(pool, DB_LANE_WRITE) > 0;

	return pool->link_max > 1 && wanted ? pool->link_max - 1 : pool->link_max;
}

/* Whether @lane may send a segment over that connection now: not beside the other lane's, and not over more than its
 * share. */
static bool may_send(const struct db_pool *pool, size_t slot, enum db_lane lane)
{
	const struct db_pipe *pipe;

	if (!is_usable(pool, slot))
		return false;
	pipe = db_link_pipe(pool->links[slot]);
	if (pipe->counts[lane] >= depths[lane])
		return false;
	if (pool->link_max == 1)
		return true;
	if (pipe->counts[lane] > 0)
		return lane_links(pool, lane) <= lane_share(pool, lane);
	return pipe->counts[!lane] == 0 && lane_links(pool, lane) < lane_share(pool, lane);
}

/* The least busy that may, or NULL. */
static struct db_link *find_link(const struct db_pool *pool, enum db_lane lane)
{
	struct db_link *best = NULL;

	for (size_t i = 0; i < pool->link_max; i++)
		if (may_send(pool, i, lane) &&
		    (!best || db_link_pipe(pool->links[i])->counts[lane] < db_link_pipe(best)->counts[lane]))
			best = pool->links[i];
	return best;
}

/* The next jobs of the lane that may share a transaction; NULL for lack of memory. */
static struct db_segment *gather(struct db_pool *pool, enum db_lane lane)
{
	struct job_queue *queue = &pool->lanes[lane];
	struct db_segment *segment = db_segment_new(lane);
	bool alone;

	if (!segment)
		return NULL;
	do {
		alone = queue->first->alone;
		db_segment_add(segment, queue_pop(queue));
	} while (!alone && queue->first && !queue->first->alone && segment->count < SEGMENT_JOBS &&
		 segment->bytes + queue->first->bytes <= SEGMENT_BYTES);
	return segment;
}

static void pump_lane(struct db_pool *pool, enum db_lane lane)
{
	struct db_segment *segment;
	struct db_link *link;

	while (!pool->closing && pool->lanes[lane].first && (link = find_link(pool, lane))) {
		segment = gather(pool, lane);
		if (!segment) /* the tick tries again */
			return;
		db_link_send(link, segment);
	}
}

/* Whether another connection would serve the lane: nothing works for it, or each that does has a whole segment's jobs.
 */
static bool wants_link(const struct db_pool *pool, enum db_lane lane)
{
	size_t jobs = pool->lanes[lane].count, mine = lane_links(pool, lane);

	if (mine == 0)
		return jobs > 0;
	for (size_t i = 0; i < pool->link_max; i++)
		jobs += is_usable(pool, i) ? db_link_pipe(pool->links[i])->jobs[lane] : 0;
	return jobs > mine * SPREAD_AT && mine < lane_share(pool, lane);
}

static void on_pump(void *arg)
{
	struct db_pool *pool = arg;

	if (pool->demoted && db_link_is_ready(pool->demoted))
		db_link_break(pool->demoted, "the server has become a standby");
	pump_lane(pool, DB_LANE_READ);
	pump_lane(pool, DB_LANE_WRITE);
	for (size_t i = 0; i < pool->link_max; i++)
		if (pool->links[i])
			db_link_check(pool->links[i]);
	if (!pool->closing && (wants_link(pool, DB_LANE_READ) || wants_link(pool, DB_LANE_WRITE)))
		open_one(pool);
}

static void on_retry(void *arg)
{
	struct db_pool *pool = arg;

	if (pool->away || count_queued(pool) > 0)
		open_one(pool);
}

/* --- the slow tick ------------------------------------------------------------------------------------------------ */

static void expire_lane(struct db_pool *pool, enum db_lane lane, uint64_t now)
{
	struct job_queue *queue = &pool->lanes[lane];

	while (queue->first && now > queue->first->started_ns &&
	       now - queue->first->started_ns > queue->first->timeout_ms * NS_PER_MS)
		end_job(pool, queue_pop(queue), has_ready_link(pool) ? -ETIMEDOUT : -SHOAL_EOFFLINE);
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
	} else if (count_queued(pool) == 0 && now - pipe->moved_ns >= pool->idle_close_ns) {
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
	if (count_queued(pool) > 0)
		kick(pool);
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
	if (has_ready_link(pool))
		return "up";
	return has_dialing_link(pool) ? "connecting" : "idle";
}

void db_pool_stats(const struct db_pool *pool, struct db_stats *stats)
{
	stats->connects += pool->connects;
	stats->connect_failures += pool->connect_failures;
	stats->disconnects += pool->disconnects;
	stats->commits += pool->commits;
	stats->queued += count_queued(pool);
	for (size_t i = 0; i < pool->link_max; i++) {
		if (!pool->links[i])
			continue;
		stats->in_flight += db_link_pipe(pool->links[i])->jobs[DB_LANE_READ] +
				    db_link_pipe(pool->links[i])->jobs[DB_LANE_WRITE];
		stats->links += db_link_is_ready(pool->links[i]);
	}
}

/* --- life --------------------------------------------------------------------------------------------------------- */

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
	pool->link_max = options->connections < CONNECTIONS_MAX ? options->connections : CONNECTIONS_MAX;
	pool->idle_close_ns = options->idle_close_s * NS_PER_S;
	r = conninfo_parse(options->conninfo, &pool->conninfo, error);
	if (r < 0) {
		log_error(NULL, "db.bad_conninfo", KV_STR("option", pool->key), KV_ERR(r), KV_MSG(error));
		free(pool);
		return r;
	}
	pool->config.conninfo = pool->conninfo;
	timer_init(&pool->pump, pool->config.loop, on_pump, pool);
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
	while ((job = queue_pop(&pool->ending)))
		end_job(pool, job, -ECANCELED);
	for (size_t i = 0; i < pool->link_max; i++) {
		segments = db_link_free(TAKE(pool->links[i]));
		while ((segment = segments)) {
			segments = segment->next;
			jobs = db_segment_take_jobs(segment);
			while ((job = jobs)) {
				jobs = job->next;
				end_job(pool, job, -ECANCELED);
			}
		}
	}
	for (size_t lane = 0; lane < DB_LANE_COUNT; lane++)
		while ((job = queue_pop(&pool->lanes[lane])))
			end_job(pool, job, -ECANCELED);
	pool->handles = 2;
	timer_close(&pool->pump, on_timer_closed);
	timer_close(&pool->retry, on_timer_closed);
}
