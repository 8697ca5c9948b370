/* Orders for dead letters on their way. Run by the supervisor on its loop; it passes them on and knows nothing of
 * letters but whose they are. */
#include "supervisor/letter_jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/letters/letter.h"
#include "shared/log/log.h"
#include "supervisor/fleet.h"

static void fail(struct control_peer *peer, int64_t id, int error, const char *message)
{
	control_peer_fail(peer, id, error_name(error), message);
}

static void end(struct letter_job *job, const char *error, const char *message)
{
	if (job->peer && error[0])
		control_peer_fail(job->peer, job->id, error, message);
	else if (job->peer)
		control_peer_answer(job->peer, job->id, json_object());
	*job = (struct letter_job){ 0 };
}

static struct letter_job *free_job(struct letter_jobs *jobs)
{
	for (size_t i = 0; i < LETTER_JOBS_MAX; i++)
		if (jobs->jobs[i].token == 0)
			return &jobs->jobs[i];
	return NULL;
}

/* @name: the notice's; @notice (takes) lacks its token. */
static void pass_on(struct letter_jobs *jobs, struct worker *worker, struct control_peer *peer, int64_t id,
		    const char *name, json_t *notice, const char *op, const char *letter)
{
	const struct log_ctx ctx = worker_ctx(worker);
	struct letter_job *job = free_job(jobs);
	int r;

	if (!job) {
		json_decref(notice);
		fail(peer, id, -ENOBUFS, "too many orders for dead letters are under way");
		return;
	}
	r = notice && json_object_set_new(notice, "token", json_integer((json_int_t)(jobs->last_token + 1))) == 0
		    ? control_peer_notice(worker->peer, name, notice)
		    : -ENOMEM;
	if (r < 0) {
		fail(peer, id, r, "the shard's worker can't be told");
		return;
	}
	*job = (struct letter_job){ .token = ++jobs->last_token,
				    .peer = peer,
				    .id = id,
				    .shard_id = worker->slot.shard_id,
				    .outbox = strcmp(name, "outbox") == 0,
				    .until_ns = clock_monotonic_ns() + LETTER_JOB_DEADLINE_MS * NS_PER_MS };
	log_audit(&ctx, "letter.ordered", KV_STR("op", op), KV_STR("letter", letter),
		  KV_INT("by_pid", control_peer_pid(peer)));
}

void letter_jobs_order(struct letter_jobs *jobs, struct fleet *fleet, struct control_peer *peer, int64_t id,
		       const json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	const char *letter = json_string_value(json_object_get(request, "letter"));
	struct letter_id which;
	char text[96];

	if (strcmp(op, "retry") != 0 && strcmp(op, "drop") != 0) {
		fail(peer, id, -EINVAL, "dead_letter: \"op\" must be retry or drop");
	} else if (letter_id_parse(letter, &which) < 0) {
		fail(peer, id, -EINVAL,
		     "that is no letter's id: they look like 3-149-9f3a1c (shoalctl dead-letters list)");
	} else if (!fleet) {
		fail(peer, id, -EAGAIN, "the fleet is not running");
	} else if (which.shard_id >= fleet->count) {
		snprintf(text, sizeof(text), "there is no shard %" PRIu32 ": they go from 0 to %" PRIu32,
			 which.shard_id, fleet->count - 1);
		fail(peer, id, -ERANGE, text);
	} else if (!fleet->workers[which.shard_id].peer) {
		snprintf(text, sizeof(text), "shard %" PRIu32 "'s worker is away: try again when it is back",
			 which.shard_id);
		fail(peer, id, -EAGAIN, text);
	} else {
		pass_on(jobs, &fleet->workers[which.shard_id], peer, id, "letter",
			json_pack("{s:s, s:s}", "op", op, "letter", letter), op, letter);
	}
}

void letter_jobs_order_outbox(struct letter_jobs *jobs, struct fleet *fleet, struct control_peer *peer, int64_t id,
			      const json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	uint64_t shard = (uint64_t)json_integer_value(json_object_get(request, "shard"));
	json_int_t entry = json_integer_value(json_object_get(request, "entry"));
	char text[96];

	if (strcmp(op, "retry") != 0 && strcmp(op, "drop") != 0) {
		fail(peer, id, -EINVAL, "outbox: \"op\" must be retry or drop");
	} else if (!fleet) {
		fail(peer, id, -EAGAIN, "the fleet is not running");
	} else if (shard >= fleet->count) {
		snprintf(text, sizeof(text), "there is no shard %" PRIu64 ": they go from 0 to %" PRIu32, shard,
			 fleet->count - 1);
		fail(peer, id, -ERANGE, text);
	} else if (!fleet->workers[shard].peer) {
		snprintf(text, sizeof(text), "shard %" PRIu64 "'s worker is away: try again when it is back", shard);
		fail(peer, id, -EAGAIN, text);
	} else {
		snprintf(text, sizeof(text), "%" PRIu64 "-%lld", shard, (long long)entry);
		pass_on(jobs, &fleet->workers[shard], peer, id, "outbox",
			json_pack("{s:s, s:I}", "op", op, "entry", entry), op, text);
	}
}

void letter_jobs_done(struct letter_jobs *jobs, const struct worker *worker, const json_t *request)
{
	uint64_t token = (uint64_t)json_integer_value(json_object_get(request, "token"));
	const char *error = json_string_value(json_object_get(request, "error"));
	const char *message = json_string_value(json_object_get(request, "message"));

	for (size_t i = 0; i < LETTER_JOBS_MAX; i++) {
		struct letter_job *job = &jobs->jobs[i];

		if (job->token != 0 && job->token == token && job->shard_id == worker->slot.shard_id)
			end(job, error ? error : "", message ? message : "");
	}
}

void letter_jobs_tick(struct letter_jobs *jobs)
{
	uint64_t now_ns = clock_monotonic_ns();

	for (size_t i = 0; i < LETTER_JOBS_MAX; i++)
		if (jobs->jobs[i].token != 0 && now_ns >= jobs->jobs[i].until_ns)
			end(&jobs->jobs[i], error_name(-ETIMEDOUT),
			    jobs->jobs[i].outbox ? "it is not done after 10 s: is the disk slow? (shoalctl outbox list)"
						 : "it is not done after 10 s: if it is being handled, it goes on "
						   "(shoalctl dead-letters "
						   "list)");
}

void letter_jobs_peer_gone(struct letter_jobs *jobs, const struct control_peer *peer)
{
	for (size_t i = 0; i < LETTER_JOBS_MAX; i++)
		if (jobs->jobs[i].peer == peer)
			jobs->jobs[i].peer = NULL; /* the order stands */
}

void letter_jobs_worker_gone(struct letter_jobs *jobs, uint32_t shard_id)
{
	for (size_t i = 0; i < LETTER_JOBS_MAX; i++)
		if (jobs->jobs[i].token != 0 && jobs->jobs[i].shard_id == shard_id)
			end(&jobs->jobs[i], error_name(-ECONNRESET),
			    jobs->jobs[i].outbox
				    ? "the shard's worker went away meanwhile (shoalctl outbox list)"
				    : "the shard's worker went away meanwhile; did the event crash it again? (shoalctl "
				      "dead-letters list)");
}
