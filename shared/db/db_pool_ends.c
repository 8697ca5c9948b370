/* What becomes of jobs: done, refused, sent again, unknown. Run by the loop. Must not let one job's trouble become
 * another's. */
#include "shared/db/db_pool_private.h"

#include <errno.h>

#include "shared/base/errors.h"

#define TRIES_MAX    3 /* of a job that is known not to have happened, or changes nothing */
#define SETBACKS_MAX 2 /* so often sent again for others' sake: alone from then on */

void db_pool_end_job(struct db_pool *pool, struct db_job *job, int error)
{
	if (job->probe)
		db_pool_probe_over(pool, job, error);
	else
		pool->events->over(pool->arg, job, error);
}

void db_pool_end_all(struct db_pool *pool)
{
	struct db_job *job;

	while ((job = db_queue_pop(&pool->ending)))
		db_pool_end_job(pool, job, job->error);
}

void db_pool_send_again(struct db_pool *pool, struct db_job *jobs, int error)
{
	struct db_job *again = NULL, *job;

	while ((job = jobs)) {
		jobs = job->next;
		if (pool->closing || !db_job_is_waited_for(job) || job->tries >= TRIES_MAX + job->setbacks) {
			job->error = pool->closing ? -ECANCELED : error;
			db_queue_push(&pool->ending, job);
			continue;
		}
		job->next = again;
		again = job;
	}
	while ((job = again)) { /* youngest first, so that the oldest ends up in front */
		again = job->next;
		db_job_reset(job);
		db_queue_push_front(db_pool_lane_of(pool, job), job);
	}
	db_pool_end_all(pool);
	db_pool_kick(pool);
}

/* For others' sake: does not count as a try, but not for ever in company. */
static void set_back(struct db_pool *pool, struct db_job *jobs, int error)
{
	for (struct db_job *job = jobs; job; job = job->next)
		job->alone = ++job->setbacks >= SETBACKS_MAX || job->alone;
	db_pool_send_again(pool, jobs, error);
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
void db_pool_segment_failed(struct db_pool *pool, struct db_segment *segment)
{
	struct db_job *culprit = segment->count == 1 ? segment->first : segment->culprit;
	int error = db_error_of_sqlstate(segment->sqlstate);
	bool never_began = db_error_never_began(segment->sqlstate);

	if (segment->count == 1 && !segment->culprit)
		db_job_failed(culprit, culprit->count, segment->sqlstate, segment->said);
	if (segment->count == 1 && (!never_began || culprit->plain)) {
		culprit->error = error;
		db_queue_push(&pool->ending, db_segment_take_jobs(segment));
		db_pool_end_all(pool);
		return;
	}
	if (culprit && error == -ETIMEDOUT) { /* its own doing: no time of the others is spent on it again */
		take_out(segment, culprit);
		culprit->error = error;
		db_queue_push(&pool->ending, culprit);
	} else if (culprit && never_began && !culprit->plain) {
		culprit->plain = true;
	} else {
		for (struct db_job *job = segment->first; job; job = job->next)
			if (job == culprit || !culprit)
				job->setbacks = SETBACKS_MAX;
	}
	set_back(pool, db_segment_take_jobs(segment), error);
}

void db_pool_segment_done(struct db_pool *pool, struct db_segment *segment)
{
	struct db_job *jobs = db_segment_take_jobs(segment), *job;

	while ((job = jobs)) {
		jobs = job->next;
		job->error = db_job_check(job);
		db_queue_push(&pool->ending, job);
	}
	db_pool_end_all(pool);
}

/* What becomes of jobs under way on a connection that went: sent again (0), or ended; both oldest first. */
static void lost_job(struct db_pool *pool, struct db_queue *again, struct db_job *job, int error)
{
	job->error = error;
	db_queue_push(error ? &pool->ending : again, job);
}

void db_pool_segment_lost(struct db_pool *pool, struct db_queue *again, struct db_segment *segment, bool oversized)
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
