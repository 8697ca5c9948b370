/* A run: a scope and a ticket around the handler's code, from the agenda's word that it is begun to the database's that
 * it is over. What must hold: nothing of it is begun before the agenda has it, and it is not over for the database
 * before the agenda says so; a run whose effects were kept back, because its lease was over, has not ended. */
#include "shard/schedule/schedule_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/kill_point.h"
#include "shared/log/log.h"

#define LATE_DEFAULT_S 60
#define MISSED_MAX     100000
#define RETRY_MS       5000
#define RENEW_NS       (10 * NS_PER_S)
#define AGAIN_MS       1000

static struct log_ctx ctx_of(const struct job *job)
{
	return (struct log_ctx){ .shard = -1, .guild_id = job->row.guild_id, .module = job->row.module };
}

/* --- when ----------------------------------------------------------------------------------------------------------
 */

static int64_t spread_ms(const struct shoal_job *kind, const struct agenda_row *row)
{
	return kind && kind->spread_s ? (int64_t)(schedule_mix(row->id, 1) % ((uint64_t)kind->spread_s * 1000)) : 0;
}

static int64_t next_ms(const struct shoal_job *kind, const struct agenda_row *row, int64_t after_ms)
{
	int64_t spread = spread_ms(kind, row), due_ms = row->due_ms - spread, next;
	char error[REPEAT_ERROR_SIZE];
	struct repeat repeat;

	if (!*row->repeat || repeat_parse(row->repeat, &repeat, error) < 0)
		return INT64_MAX;
	after_ms -= spread;
	next = repeat_next(&repeat, due_ms, after_ms > due_ms ? after_ms : due_ms);
	return next == INT64_MAX ? next : next + spread;
}

static uint32_t missed_until(const struct agenda_row *row, int64_t until_ms)
{
	char error[REPEAT_ERROR_SIZE];
	struct repeat repeat;

	if (!*row->repeat || repeat_parse(row->repeat, &repeat, error) < 0)
		return 0;
	return repeat_count(&repeat, row->due_ms, row->due_ms, until_ms, MISSED_MAX);
}

/* --- runs ----------------------------------------------------------------------------------------------------------
 */

static void run_hold(void *owner)
{
	((struct run *)owner)->refs++;
}

static void run_release(void *owner)
{
	struct run *run = owner;

	if (--run->refs == 0)
		ticket_release(run->ticket);
}

static int may_act(void *arg)
{
	struct run *run = arg;

	if (!run->abandoned && !run->schedule->closing && clock_boottime_ns() < run->job->row.deadline_ns)
		return 0;
	run->refused = true;
	return -ECANCELED;
}

bool schedule_may_act(const struct shoal_scope *scope)
{
	return ticket_may_act(scope->ticket) == 0;
}

/* How it ended: what is due next, if anything. */
static void settle(struct job *job, int64_t again_ms)
{
	struct agenda_row *row = &job->row;
	int64_t next = row->next_ms;

	if (again_ms && (!next || again_ms < next))
		next = again_ms;
	row->end = next ? AGENDA_NEXT : AGENDA_DONE;
	row->next_ms = next;
}

/* The last call of its scope is through. */
static void over(void *arg)
{
	struct run *run = arg;
	struct schedule *schedule = run->schedule;
	struct job *job = run->job;
	int64_t again_ms = run->again_ms;
	bool refused = run->refused, abandoned = run->abandoned;

	DL_DELETE(schedule->runs, run);
	schedule->run_count--;
	job->run = NULL;
	free(run);
	if (schedule->closing)
		return; /* the agenda keeps it for the next worker */
	if (abandoned) {
		schedule_forget(schedule, job);
		return;
	}
	if (refused) { /* the lease ran out under it: it is asked for again, and begun again with what the journal has
			*/
		job->again = true;
		schedule_wake_at(schedule, job, schedule_now_ms() + AGAIN_MS);
		return;
	}
	KILL_POINT("job_over", job->row.name);
	settle(job, again_ms);
	schedule_set_state(job, JOB_ENDING);
	schedule_note(schedule, job);
	KILL_POINT("job_ending", job->row.name);
	schedule_count(schedule, BOARD_COUNTER_jobs_done);
	schedule_conclude(schedule, job);
	schedule_arm(schedule);
}

static int new_run(struct schedule *schedule, struct job *job, const struct schedule_handler *handler,
		   struct run **ret_run)
{
	struct run *run = calloc(1, sizeof(*run));
	struct ticket_run ticket = { .key = event_key_of_job(job->id, job->row.run),
				     .job_id = job->id,
				     .again = job->again,
				     .doubtful = job->row.doubtful,
				     .since_ms = job->row.since_ms,
				     .over = over,
				     .may_act = may_act,
				     .arg = run };

	if (!run)
		return -ENOMEM;
	run->ticket = ticket_of_run(&ticket);
	if (!run->ticket) {
		free(run);
		return -ENOMEM;
	}
	run->schedule = schedule;
	run->job = job;
	run->core = handler->core != NULL;
	run->refs = 1;
	run->started_ns = run->renewed_ns = clock_monotonic_ns();
	scope_init(&run->scope, handler->module, run->ticket, handler->lane, run, run_hold, run_release);
	run->scope.what = handler->row->name;
	run->scope.guild_id = job->row.guild_id == job->row.user_id ? 0 : job->row.guild_id;
	DL_APPEND(schedule->runs, run);
	schedule->run_count++;
	job->run = run;
	*ret_run = run;
	return 0;
}

static void call(struct run *run, const struct schedule_handler *handler)
{
	const struct agenda_row *row = &run->job->row;
	int64_t late_ms = row->since_ms - row->due_ms;
	struct shoal_job_run what = { .id = row->id,
				      .number = row->run,
				      .guild_id = row->guild_id == row->user_id ? 0 : row->guild_id,
				      .user_id = row->user_id,
				      .tag = row->tag,
				      .due_ms = row->due_ms,
				      .late_ms = late_ms > 0 ? (uint64_t)late_ms : 0,
				      .missed = row->missed,
				      .late = row->late,
				      .repeats = row->next_ms != 0,
				      .payload = row->payload ? row->payload : "",
				      .payload_len = row->payload_len,
				      .version = row->version };
	struct culprit_frame frame;

	scope_enter(&frame, &run->scope, CULPRIT_JOB);
	if (handler->core)
		handler->core(handler->arg, &run->scope, &what);
	else
		handler->row->handle(&run->scope, &what);
	culprit_leave(&frame);
	run_release(run);
}

int schedule_begin(struct schedule *schedule, struct job *job)
{
	enum job_state before = job->state;
	struct schedule_handler handler;
	struct run *run = NULL;
	int r;

	r = schedule_find_handler(schedule, job, &handler);
	if (r < 0)
		return r;
	schedule_set_state(job, JOB_BEGUN);
	r = schedule_note(schedule, job);
	KILL_POINT("job_noted", job->row.name);
	if (r == 0)
		r = new_run(schedule, job, &handler, &run);
	if (r < 0) {
		job->state = before == JOB_CLAIMING ? JOB_KNOWN : before;
		return -ENOSPC;
	}
	call(run, &handler);
	return 0;
}

/* --- policy --------------------------------------------------------------------------------------------------------
 */

static void skip(struct schedule *schedule, struct job *job, uint64_t late_ms)
{
	struct log_ctx ctx = ctx_of(job);

	log_warn(&ctx, "schedule.skipped", KV_MSG("a job came too late and was left out, as its module wants it"),
		 KV_STR("job", job->row.name), KV_MS("late", late_ms), KV_U64("id", job->id));
	schedule_count(schedule, BOARD_COUNTER_jobs_skipped);
	settle(job, 0);
	schedule_set_state(job, JOB_ENDING);
	schedule_note(schedule, job);
	schedule_conclude(schedule, job);
}

static void postpone(struct schedule *schedule, struct job *job, int64_t by_ms)
{
	if (job->state == JOB_CLAIMING)
		schedule_set_state(job, JOB_KNOWN);
	schedule_wake_at(schedule, job, schedule_now_ms() + by_ms);
}

/* What this run stands for and which one follows, by the moment in which it was first begun: the same for whoever takes
 * it over. True: it is late. */
static bool plan(const struct shoal_job *kind, struct agenda_row *row, int64_t begun_ms)
{
	bool late = begun_ms - row->due_ms > (int64_t)(kind->late_after_s ? kind->late_after_s : LATE_DEFAULT_S) * 1000;
	int64_t next = next_ms(kind, row, late && kind->late != SHOAL_JOB_LATE_RUN ? begun_ms : row->due_ms);

	row->next_ms = next == INT64_MAX ? 0 : next;
	row->late = late && kind->late == SHOAL_JOB_LATE_TELL;
	row->missed = late && kind->late >= SHOAL_JOB_LATE_ONCE ? missed_until(row, begun_ms) : 0;
	return late;
}

void schedule_decide(struct schedule *schedule, struct job *job)
{
	struct agenda_row *row = &job->row;
	struct schedule_handler handler;
	int64_t now_ms = schedule_now_ms(), late_ms = now_ms - row->due_ms;
	const struct shoal_job *kind;
	bool late;
	int r;

	r = schedule_find_handler(schedule, job, &handler);
	if (r < 0) {
		postpone(schedule, job, 3 * RETRY_MS);
		return;
	}
	kind = handler.row;
	late = plan(kind, row, job->again ? row->since_ms : now_ms);
	if (!job->again) {
		if (late)
			schedule_count(schedule, BOARD_COUNTER_jobs_late);
		if ((late && kind->late == SHOAL_JOB_LATE_SKIP) ||
		    (kind->late_max_s && late_ms > (int64_t)kind->late_max_s * 1000)) {
			skip(schedule, job, (uint64_t)late_ms);
			return;
		}
	}
	r = schedule_begin(schedule, job);
	if (r < 0)
		postpone(schedule, job, RETRY_MS);
}

/* --- what came of it -----------------------------------------------------------------------------------------------
 */

/* Not before the database, or our disk, has it: until then the agenda says that it is over. */
static void concluded(struct schedule *schedule, struct job *job, enum outbox_how how)
{
	struct agenda_row *row = &job->row;
	bool own = row->deadline_ns == UINT64_MAX;

	effects_handled(schedule->options.effects, event_key_of_job(job->id, row->run));
	if (job->before)
		schedule->begun_before--;
	job->before = false;
	KILL_POINT("job_told", row->name);
	if (row->end == AGENDA_NEXT && how == OUTBOX_WRITTEN && row->next_ms <= schedule_now_ms() + SCHEDULE_AHEAD_MS) {
		agenda_delete(schedule->agenda, job->id);
		schedule_set_state(job, JOB_KNOWN);
		job->again = row->doubtful = false;
		row->due_ms = row->next_ms;
		row->run++;
		row->next_ms = 0;
		row->crashes = row->opens = 0;
		schedule_wake_at(schedule, job, row->due_ms);
	} else if (own) { /* whoever made it may be begun again, and make it again */
		schedule_set_state(job, JOB_ENDED);
		schedule_note(schedule, job);
		schedule_wake_at(schedule, job, schedule_now_ms() + SCHEDULE_KEEP_S * 1000);
	} else {
		schedule_forget(schedule, job);
	}
}

static void on_concluded(void *arg, int error, enum outbox_how how, const struct db_result *result)
{
	struct job *job = arg;
	struct schedule *schedule = job->schedule;
	struct log_ctx ctx = ctx_of(job);

	job->telling = false;
	if (error == -ECANCELED || schedule->closing)
		return; /* the next worker says it */
	if (error < 0) {
		log_warn(&ctx, "schedule.not_told", KV_ERR(error), KV_U64("id", job->id),
			 KV_MSG("what came of a job's run can't be written; tried again"));
		schedule_wake_at(schedule, job, schedule_now_ms() + RETRY_MS);
		return;
	}
	if (how == OUTBOX_WRITTEN && result && db_result_affected(result) == 0) {
		/* Cancelled meanwhile, or taken over by another: its word counts. */
		schedule_count(schedule, BOARD_COUNTER_jobs_fenced);
		log_info(&ctx, "schedule.fenced", KV_U64("id", job->id), KV_STR("job", job->row.name));
	}
	concluded(schedule, job, how);
}

void schedule_conclude(struct schedule *schedule, struct job *job)
{
	static const size_t statements[] = {
		[AGENDA_DONE] = SCHEDULE_DONE, [AGENDA_NEXT] = SCHEDULE_NEXT, [AGENDA_FAIL] = SCHEDULE_FAIL
	};
	const struct agenda_row *row = &job->row;
	char name[OUTBOX_NAME_MAX];
	struct db_param params[5] = { DB_INT8((int64_t)row->guild_id), DB_INT8((int64_t)row->id),
				      DB_INT8((int64_t)schedule->holder), DB_INT8((int64_t)row->fence) };
	struct outbox_write write = { .owner = schedule_statement_set.owner,
				      .statement = schedule_statements[statements[row->end]].name,
				      .params = params,
				      .param_count = row->end == AGENDA_DONE ? 4 : 5,
				      .key = schedule_key(row, name),
				      .user_id = row->user_id };
	int r;

	if (job->telling)
		return;
	if (row->end == AGENDA_NEXT) {
		params[4] = DB_TIME(row->next_ms);
		write.value = "next";
		write.value_len = 4;
	} else if (row->end == AGENDA_FAIL) {
		params[4] = DB_TEXT(row->reason, strlen(row->reason));
	}
	/* The same when it is said again after a crash: a write that is known to have happened is not repeated. Another
	 * one for a job that is made anew under its tag, whose runs and fences begin again: that has another time. */
	write.token =
		schedule_mix(schedule_mix(schedule_mix(row->id, row->run), schedule_mix(row->fence, 7 + row->end)),
			     (uint64_t)row->due_ms);
	r = outbox_write(schedule->options.outbox, &write, on_concluded, job);
	job->telling = r == 0;
	if (r < 0)
		schedule_wake_at(schedule, job, schedule_now_ms() + RETRY_MS);
}

void schedule_fail(struct schedule *schedule, struct job *job, const char *reason)
{
	struct log_ctx ctx = ctx_of(job);
	char text[256];

	schedule_count(schedule, BOARD_COUNTER_jobs_failed);
	log_error(&ctx, "schedule.failed", KV_MSG("a job is set aside; shoalctl jobs shows it, and can run it again"),
		  KV_STR("job", job->row.name), KV_U64("id", job->id), KV_STR("why", reason));
	snprintf(text, sizeof(text), "job %llu of module %s (%s) was set aside: %s; shoalctl jobs show %llu",
		 (unsigned long long)job->id, job->row.module, job->row.name, reason, (unsigned long long)job->id);
	if (schedule->options.alert)
		schedule->options.alert(schedule->options.arg, "schedule.failed", text);
	schedule_rest(schedule, job);
	snprintf(job->row.reason, sizeof(job->row.reason), "%s", reason);
	job->row.end = AGENDA_FAIL;
	schedule_set_state(job, JOB_ENDING);
	schedule_note(schedule, job);
	schedule_conclude(schedule, job);
}

/* --- leases --------------------------------------------------------------------------------------------------------
 */

struct renewal {
	struct schedule *schedule;
	uint64_t id, fence, asked_ns;
};

static void on_renewed(void *arg, int error, const struct db_result *result)
{
	CLEANUP(cleanup_free) struct renewal *renewal = arg;
	struct job *job;

	if (error == -ECANCELED || renewal->schedule->closing)
		return;
	job = schedule_find(renewal->schedule, renewal->id);
	if (!job || !job->run || job->row.fence != renewal->fence)
		return;
	job->run->renewing = false;
	if (error < 0)
		return; /* asked again; the deadline stands */
	if (db_result_affected(result) > 0) {
		job->row.deadline_ns = renewal->asked_ns + renewal->schedule->act_ns;
		schedule_note(renewal->schedule, job);
		return;
	}
	job->run->abandoned = true;
	scope_end(&job->run->scope);
}

static void renew(struct schedule *schedule, struct run *run)
{
	struct renewal *renewal = malloc(sizeof(*renewal));
	const struct agenda_row *row = &run->job->row;
	struct db_param params[] = { DB_INT8((int64_t)row->guild_id), DB_INT8((int64_t)row->id),
				     DB_INT8((int64_t)schedule->holder), DB_INT8((int64_t)row->fence),
				     DB_INT8(schedule->options.lease_s) };

	if (!renewal)
		return;
	*renewal = (struct renewal){ schedule, row->id, row->fence, clock_boottime_ns() };
	run->renewed_ns = clock_monotonic_ns();
	run->renewing = db_query(schedule->options.db, &schedule_statements[SCHEDULE_RENEW], params, ARRAY_SIZE(params),
				 on_renewed, renewal) == 0;
	if (!run->renewing)
		free(renewal);
}

void schedule_watch_runs(struct schedule *schedule)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct run *run = NULL;

	DL_FOREACH (schedule->runs, run) {
		struct agenda_row *row = &run->job->row;

		/* Written meanwhile: it is in the database under our name, for the length of a lease. */
		if (row->deadline_ns == UINT64_MAX && schedule_is_written(schedule, run->job))
			row->deadline_ns = clock_boottime_ns() + schedule->act_ns / 2;
		if (row->deadline_ns != UINT64_MAX && !run->renewing && now_ns - run->renewed_ns > RENEW_NS)
			renew(schedule, run);
	}
}

void schedule_end_runs(struct schedule *schedule)
{
	struct run *run = NULL;

	do {
		DL_FOREACH (schedule->runs, run)
			if (!run->scope.ended)
				break;
		if (run)
			scope_end(&run->scope);
	} while (run);
}
