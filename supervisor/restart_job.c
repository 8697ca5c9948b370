/* Restarts ordered by an operator. Run by the supervisor on its loop. One shard at a time: a fleet never loses more
 * than one shard to its own operator. */
#include "supervisor/restart_job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"

enum stage { STAGE_NEXT, STAGE_STOPPING, STAGE_STARTING, STAGE_CONNECTING };

static const char *const stage_names[] = {
	[STAGE_NEXT] = "next",
	[STAGE_STOPPING] = "stopping",
	[STAGE_STARTING] = "starting",
	[STAGE_CONNECTING] = "connecting",
};

struct restart_job {
	struct restart_job *next;
	struct control_peer *peer; /* NULL: gone */
	int64_t id;
	uint64_t started_ns, shard_started_ns, deadline_ns;
	uint64_t identifies, resumes; /* the shard's counters before */
	int32_t old_pid;
	bool rolling;
	bool had_session; /* of the shard at hand, before */
	enum stage stage;
	uint32_t at, count;
	uint32_t spent; /* session starts */
	uint64_t deadline_ms;
	json_t *done;
	uint32_t shards[];
};

void restart_jobs_init(struct restart_jobs *jobs, struct fleet *fleet)
{
	jobs->fleet = fleet;
}

int restart_jobs_add(struct restart_jobs *jobs, struct control_peer *peer, int64_t id, const uint32_t *shards,
		     uint32_t count, uint64_t deadline_ms, bool rolling)
{
	struct restart_job *job, **last;

	if (jobs->count >= RESTART_JOBS_MAX)
		return -ENOBUFS;
	job = calloc(1, sizeof(*job) + count * sizeof(*shards));
	if (!job)
		return -ENOMEM;
	job->peer = peer;
	job->id = id;
	job->count = count;
	job->deadline_ms = deadline_ms;
	job->rolling = rolling;
	job->started_ns = clock_monotonic_ns();
	job->done = json_array();
	memcpy(job->shards, shards, count * sizeof(*shards));
	for (last = &jobs->first; *last; last = &(*last)->next)
		;
	*last = job;
	jobs->count++;
	restart_jobs_tick(jobs);
	return 0;
}

static void progress(struct restart_job *job, uint32_t shard, const char *stage, uint64_t took_ms)
{
	if (!job->peer)
		return;
	if (control_peer_progress(job->peer, job->id,
				  json_pack("{s:I, s:s, s:I, s:I, s:I}", "shard", (json_int_t)shard, "stage", stage,
					    "took_ms", (json_int_t)took_ms, "at", (json_int_t)(job->at + 1), "of",
					    (json_int_t)job->count)) < 0)
		job->peer = NULL;
}

static void enter(struct restart_job *job, enum stage stage)
{
	job->stage = stage;
	progress(job, job->shards[job->at], stage_names[stage],
		 (clock_monotonic_ns() - job->shard_started_ns) / NS_PER_MS);
}

static uint64_t counter(const struct worker *worker, enum board_counter which)
{
	return board_shard_counter(worker->board, which);
}

static void free_job(struct restart_jobs *jobs, struct restart_job *job)
{
	struct restart_job **link = &jobs->first;

	while (*link != job)
		link = &(*link)->next;
	*link = job->next;
	jobs->count--;
	json_decref(job->done);
	free(job);
}

static json_t *untouched(const struct restart_job *job)
{
	json_t *list = json_array();

	for (uint32_t i = job->at + 1; i < job->count; i++)
		json_array_append_new(list, json_integer(job->shards[i]));
	return list;
}

static void answer(struct restart_job *job, const char *error, const char *message)
{
	json_t *answer;

	if (error && job->rolling && job->at < job->count) {
		const struct log_ctx ctx = { .shard = (int32_t)job->shards[job->at] };

		log_error(&ctx, "restart.stopped", KV_INT("done", job->at), KV_INT("of", job->count), KV_MSG(message));
	}
	if (!job->peer)
		return;
	answer = json_pack("{s:O, s:I, s:I}", "restarted", job->done, "identifies", (json_int_t)job->spent, "took_ms",
			   (json_int_t)((clock_monotonic_ns() - job->started_ns) / NS_PER_MS));
	if (error && job->at < job->count) {
		json_object_set_new(answer, "stopped_at", json_integer(job->shards[job->at]));
		json_object_set_new(answer, "untouched", untouched(job));
	}
	if (error)
		control_peer_fail_with(job->peer, job->id, error, message, answer);
	else
		control_peer_answer(job->peer, job->id, answer);
	job->peer = NULL;
}

static int begin(struct restart_jobs *jobs, struct restart_job *job)
{
	struct worker *worker = &jobs->fleet->workers[job->shards[job->at]];

	struct board_session session;
	uint64_t sequence;

	job->old_pid = worker->pid;
	job->had_session = board_shard_session(worker->board, &session, &sequence);
	job->identifies = counter(worker, BOARD_COUNTER_identifies);
	job->resumes = counter(worker, BOARD_COUNTER_resumes);
	job->shard_started_ns = clock_monotonic_ns();
	job->deadline_ns = job->shard_started_ns + job->deadline_ms * NS_PER_MS;
	enter(job, STAGE_STOPPING);
	return fleet_restart(jobs->fleet, job->shards[job->at]);
}

/* A worker starts with counters at nothing or where its board has them: what grew since is this restart's. */
static uint64_t grown(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

/* False: it is ready again, but not as a rolling restart wants it. */
static bool finish_shard(struct restart_job *job, const struct worker *worker)
{
	uint32_t shard = job->shards[job->at];
	uint64_t took_ms = (clock_monotonic_ns() - job->shard_started_ns) / NS_PER_MS;
	uint64_t identifies = grown(job->identifies, counter(worker, BOARD_COUNTER_identifies));
	const struct log_ctx ctx = { .shard = (int32_t)shard };

	job->spent += (uint32_t)identifies;
	json_array_append_new(
		job->done, json_pack("{s:I, s:I, s:I, s:b, s:I}", "shard", (json_int_t)shard, "pid",
				     (json_int_t)worker->pid, "took_ms", (json_int_t)took_ms, "resumed",
				     identifies == 0 && grown(job->resumes, counter(worker, BOARD_COUNTER_resumes)) > 0,
				     "identifies", (json_int_t)identifies));
	log_audit(&ctx, "restart.done", KV_MS("took", took_ms), KV_U64("identifies", identifies));
	progress(job, shard, "ready", took_ms);
	/* What cost this shard its session may cost every other one its own: a start each. */
	if (job->rolling && job->had_session && identifies > 0)
		return false;
	job->at++;
	job->stage = STAGE_NEXT;
	return true;
}

static bool end_with(struct restart_jobs *jobs, struct restart_job *job, const char *error, const char *message)
{
	answer(job, error, message);
	free_job(jobs, job);
	return true;
}

/* True: the job is over and freed. */
static bool step(struct restart_jobs *jobs, struct restart_job *job)
{
	struct worker *worker;
	char text[256];

	if (job->stage == STAGE_NEXT) {
		if (job->at == job->count || !job->peer) {
			answer(job, NULL, NULL);
			free_job(jobs, job);
			return true;
		}
		if (begin(jobs, job) < 0) {
			answer(job, "ESHUTDOWN", "the supervisor is stopping");
			free_job(jobs, job);
			return true;
		}
	}
	worker = &jobs->fleet->workers[job->shards[job->at]];
	if (job->stage == STAGE_STOPPING && worker->pid != job->old_pid)
		enter(job, STAGE_STARTING);
	if (job->stage == STAGE_STARTING && slot_state(&worker->slot) == SLOT_RUNNING)
		enter(job, STAGE_CONNECTING);
	if (job->stage == STAGE_CONNECTING && fleet_shard_ready(worker)) {
		if (finish_shard(job, worker))
			return step(jobs, job);
		snprintf(text, sizeof(text),
			 "shard %" PRIu32 " came back by IDENTIFY, its session was lost: the others are left alone",
			 job->shards[job->at]);
		return end_with(jobs, job, "ENOTRESUMED", text);
	}
	if (job->stage != STAGE_STOPPING && worker->failing) {
		snprintf(text, sizeof(text), "shard %" PRIu32 "'s new process keeps dying (last: %.80s)",
			 job->shards[job->at], worker->end.text);
		return end_with(jobs, job, "EFAILING", text);
	}
	if (clock_monotonic_ns() >= job->deadline_ns) {
		snprintf(text, sizeof(text), "shard %" PRIu32 " was not ready again within %" PRIu64 " s (it is %s)",
			 job->shards[job->at], job->deadline_ms / 1000, fleet_shard_state(worker));
		return end_with(jobs, job, "ETIMEDOUT", text);
	}
	return false;
}

void restart_jobs_tick(struct restart_jobs *jobs)
{
	for (struct restart_job *job = jobs->first, *next; job; job = next) {
		next = job->next;
		step(jobs, job);
	}
}

void restart_jobs_peer_gone(struct restart_jobs *jobs, const struct control_peer *peer)
{
	for (struct restart_job *job = jobs->first; job; job = job->next)
		if (job->peer == peer)
			job->peer = NULL;
}

void restart_jobs_finish(struct restart_jobs *jobs, const char *name, const char *message)
{
	while (jobs->first) {
		answer(jobs->first, name, message);
		free_job(jobs, jobs->first);
	}
}
