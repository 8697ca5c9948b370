/* What is due, and taking it. Jobs in memory stand in a heap by the time at which they are to be looked at next; a
 * timer serves its top, and once a second at least, since clocks may jump. Nothing here may begin a run that is not
 * ours: ours is what the database gave us, and what it can't have yet because our own outbox still keeps it. */
#include "shard/schedule/schedule_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/kill_point.h"
#include "shared/base/random.h"
#include "shared/discord/discord_time.h"
#include "shared/log/log.h"

#define LOOK_ROWS     500
#define POPS_MAX      256 /* of the heap, before the loop turns */
#define TURN_MS       10
#define TIMER_MAX_MS  1000
#define BUSY_MS       250   /* no room for another run just now */
#define AWAY_MS       1000  /* the database is away, or said nothing */
#define NO_HANDLER_MS 15000 /* its module is not here, or switched off */
#define FULL_MS       5000  /* the agenda is full */
#define OWN_MS        30000 /* is it written? */
#define MODULES_MAX   64
#define ID_BITS       62

static const char *const state_names[JOB_STATE_COUNT] = {
	[JOB_KNOWN] = "known", [JOB_MAKING] = "making", [JOB_OWN] = "own",     [JOB_CLAIMING] = "claiming",
	[JOB_BEGUN] = "begun", [JOB_ENDING] = "ending", [JOB_ENDED] = "ended",
};

/* Which states may follow, a bit each. */
#define TO(state) (1u << JOB_##state)
static const uint32_t edges[JOB_STATE_COUNT] = {
	[JOB_KNOWN] = TO(CLAIMING),
	[JOB_MAKING] = TO(KNOWN) | TO(OWN),
	[JOB_OWN] = TO(KNOWN) | TO(BEGUN) | TO(ENDING),
	[JOB_CLAIMING] = TO(KNOWN) | TO(BEGUN) | TO(ENDING),
	[JOB_BEGUN] = TO(CLAIMING) | TO(ENDING) | TO(BEGUN),
	[JOB_ENDING] = TO(ENDED) | TO(KNOWN),
	[JOB_ENDED] = 0,
};

/* By Discord's clock, which does not jump when ours does. */
int64_t schedule_now_ms(void)
{
	return discord_time_ms();
}

void schedule_count(struct schedule *schedule, enum board_counter counter)
{
	if (schedule->options.counters)
		board_count(schedule->options.counters, counter, 1);
}

uint64_t schedule_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a ^ (b * UINT64_C(0x9E3779B97F4A7C15));

	x = (x ^ (x >> 33)) * UINT64_C(0xFF51AFD7ED558CCD);
	x = (x ^ (x >> 33)) * UINT64_C(0xC4CEB9FE1A85EC53);
	return x ^ (x >> 33);
}

uint64_t schedule_job_id(uint64_t hash)
{
	hash &= (UINT64_C(1) << ID_BITS) - 1;
	return hash ? hash : 1;
}

/* FNV-1a: the same in every version. */
uint64_t schedule_hash(const char *module, const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *module; module++)
		hash = (hash ^ (unsigned char)*module) * UINT64_C(1099511628211);
	hash = (hash ^ '.') * UINT64_C(1099511628211);
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return hash;
}

struct outbox_key schedule_key(const struct agenda_row *row, char name[OUTBOX_NAME_MAX])
{
	snprintf(name, OUTBOX_NAME_MAX, "job/%" PRIu64, row->id);
	return (struct outbox_key){ row->guild_id, name };
}

static int find_core(const struct schedule *schedule, const char *name, struct schedule_handler *ret_handler)
{
	for (size_t i = 0; i < schedule->fleet_count; i++) {
		const struct fleet_row *row = &schedule->fleet[i];

		if (row->core && strcmp(row->name, name) == 0) {
			*ret_handler =
				(struct schedule_handler){ .row = &row->row, .core = row->core, .arg = row->arg };
			return 0;
		}
	}
	return -ENOENT;
}

/* A user's key is no guild. */
int schedule_find_handler(const struct schedule *schedule, const struct job *job, struct schedule_handler *ret_handler)
{
	const struct agenda_row *row = &job->row;

	*ret_handler = (struct schedule_handler){ 0 };
	if (strcmp(row->module, SCHEDULE_CORE) == 0)
		return find_core(schedule, row->name, ret_handler);
	return schedule->options.find(schedule->options.arg, row->module, row->name,
				      row->guild_id == row->user_id ? 0 : row->guild_id, ret_handler);
}

/* --- the heap ------------------------------------------------------------------------------------------------------
 */

static void place(struct schedule *schedule, struct job *job, size_t at)
{
	schedule->heap[at] = job;
	job->heap_at = at + 1;
}

static void sift_up(struct schedule *schedule, size_t at)
{
	struct job *job = schedule->heap[at];

	while (at > 0 && schedule->heap[(at - 1) / 2]->wake_ms > job->wake_ms) {
		place(schedule, schedule->heap[(at - 1) / 2], at);
		at = (at - 1) / 2;
	}
	place(schedule, job, at);
}

static void sift_down(struct schedule *schedule, size_t at)
{
	struct job *job = schedule->heap[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < schedule->heap_count &&
		    schedule->heap[child + 1]->wake_ms < schedule->heap[child]->wake_ms)
			child++;
		if (child >= schedule->heap_count || schedule->heap[child]->wake_ms >= job->wake_ms)
			break;
		place(schedule, schedule->heap[child], at);
		at = child;
	}
	place(schedule, job, at);
}

void schedule_rest(struct schedule *schedule, struct job *job)
{
	size_t at = job->heap_at - 1;
	struct job *last;

	if (job->heap_at == 0)
		return;
	job->heap_at = 0;
	last = schedule->heap[--schedule->heap_count];
	if (last == job)
		return;
	place(schedule, last, at);
	sift_up(schedule, at);
	sift_down(schedule, last->heap_at - 1);
}

void schedule_wake_at(struct schedule *schedule, struct job *job, int64_t wake_ms)
{
	schedule_rest(schedule, job);
	job->wake_ms = wake_ms;
	place(schedule, job, schedule->heap_count++);
	sift_up(schedule, schedule->heap_count - 1);
	if (schedule->heap[0] == job)
		schedule_arm(schedule);
}

void schedule_arm(struct schedule *schedule)
{
	int64_t wait_ms = TIMER_MAX_MS;

	if (!schedule->started || schedule->closing)
		return;
	if (schedule->due_calls)
		wait_ms = 0;
	else if (schedule->heap_count > 0 && schedule->heap[0]->wake_ms - schedule_now_ms() < wait_ms)
		wait_ms = schedule->heap[0]->wake_ms - schedule_now_ms();
	timer_start(&schedule->timer, wait_ms > 0 ? (uint64_t)wait_ms : 0);
}

/* --- jobs in memory ------------------------------------------------------------------------------------------------
 */

struct job *schedule_find(const struct schedule *schedule, uint64_t id)
{
	struct job *job;

	HASH_FIND(hh, schedule->jobs, &id, sizeof(id), job);
	return job;
}

struct job *schedule_job_new(struct schedule *schedule, uint64_t id, enum job_state state)
{
	struct job *job;

	if (HASH_COUNT(schedule->jobs) >= SCHEDULE_JOBS_MAX)
		return NULL;
	job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->schedule = schedule;
	job->id = job->row.id = id;
	job->state = state;
	HASH_ADD(hh, schedule->jobs, id, sizeof(job->id), job);
	return job;
}

int schedule_set_payload(struct job *job, const void *payload, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	if (len > 0)
		memcpy(copy, payload, len);
	copy[len] = '\0';
	free((void *)job->row.payload);
	job->row.payload = copy;
	job->row.payload_len = len;
	return 0;
}

static void job_free(struct schedule *schedule, struct job *job)
{
	schedule->begun_before -= job->before;
	schedule_rest(schedule, job);
	HASH_DEL(schedule->jobs, job);
	free((void *)job->row.payload);
	free(job);
}

static bool is_in_agenda(enum job_state state)
{
	return state == JOB_OWN || state >= JOB_BEGUN;
}

void schedule_forget(struct schedule *schedule, struct job *job)
{
	if (is_in_agenda(job->state) || job->again)
		agenda_delete(schedule->agenda, job->id);
	job_free(schedule, job);
}

void schedule_set_state(struct job *job, enum job_state state)
{
	if (!(edges[job->state] >> state & 1))
		log_error(NULL, "schedule.bad_step", KV_STR("from", state_names[job->state]),
			  KV_STR("to", state_names[state]), KV_U64("job", job->id));
	log_debug(NULL, "schedule.step", KV_STR("from", state_names[job->state]), KV_STR("to", state_names[state]),
		  KV_U64("job", job->id));
	job->state = state;
}

int schedule_note(struct schedule *schedule, struct job *job)
{
	static const enum agenda_state states[JOB_STATE_COUNT] = { [JOB_OWN] = AGENDA_OWN,
								   [JOB_BEGUN] = AGENDA_BEGUN,
								   [JOB_ENDING] = AGENDA_ENDING,
								   [JOB_ENDED] = AGENDA_ENDED };
	int r;

	job->row.state = states[job->state];
	r = agenda_put(schedule->agenda, &job->row);
	if (r < 0 && !schedule->full_told)
		log_error(NULL, "schedule.agenda_full",
			  KV_MSG("what jobs are begun can't be noted, so none are begun until there is room; is the "
				 "runtime directory full?"),
			  KV_ERR(r));
	schedule->full_told = r < 0;
	return r;
}

/* --- taking --------------------------------------------------------------------------------------------------------
 */

static void take_texts(struct agenda_row *row, const struct db_result *result)
{
	snprintf(row->module, sizeof(row->module), "%s", db_result_text(result, 0, CLAIM_MODULE, NULL));
	snprintf(row->name, sizeof(row->name), "%s", db_result_text(result, 0, CLAIM_NAME, NULL));
	snprintf(row->repeat, sizeof(row->repeat), "%s", db_result_text(result, 0, CLAIM_REPEAT, NULL));
}

static int take_row(struct schedule *schedule, struct job *job, const struct db_result *result)
{
	uint64_t prior = (uint64_t)db_result_int8(result, 0, CLAIM_PRIOR);
	bool begun_before = db_result_int8(result, 0, CLAIM_CLAIMS) > 1;
	struct agenda_row *row = &job->row;
	const void *payload;
	size_t len;

	if (row->run !=
	    (uint64_t)db_result_int8(result, 0, CLAIM_RUN)) /* ours was ended by another; this is a new one */
		job->again = row->doubtful = false;
	row->fence = (uint64_t)db_result_int8(result, 0, CLAIM_FENCE);
	row->run = (uint64_t)db_result_int8(result, 0, CLAIM_RUN);
	row->due_ms = db_result_time(result, 0, CLAIM_DUE_AT);
	row->version = (uint32_t)db_result_int8(result, 0, CLAIM_VERSION);
	row->user_id = (uint64_t)db_result_int8(result, 0, CLAIM_USER_ID);
	row->tag = (uint64_t)db_result_int8(result, 0, CLAIM_TAG);
	row->deadline_ns = job->asked_ns + schedule->act_ns;
	take_texts(row, result);
	if (!job->again)
		row->since_ms = begun_before ? db_result_time(result, 0, CLAIM_CLAIMED_AT) : schedule_now_ms();
	/* Another had begun it, and took his journal with him. */
	if (begun_before && prior != 0 && prior != schedule->holder) {
		row->doubtful = true;
		job->again = true;
	}
	payload = db_result_bytes(result, 0, CLAIM_PAYLOAD, &len);
	if (len > SHOAL_JOB_PAYLOAD_MAX)
		return -EMSGSIZE;
	return schedule_set_payload(job, payload, len);
}

/* The answer to a claim is the only way from CLAIMING. */
static void on_claimed(void *arg, int error, const struct db_result *result)
{
	struct job *job = arg;
	struct schedule *schedule = job->schedule;

	schedule->claiming--;
	if (schedule->closing)
		return;
	if (error < 0 || job->forgotten) {
		/* Perhaps it is ours now: then the next claim finds it so, and nothing was begun. */
		schedule_set_state(job, JOB_KNOWN);
		if (job->forgotten)
			schedule_forget(schedule, job);
		else
			schedule_wake_at(schedule, job, schedule_now_ms() + AWAY_MS);
		return;
	}
	if (db_result_rows(result) == 0) { /* another's, cancelled, or due later now */
		if (job->again)
			log_warn(NULL, "schedule.taken_over", KV_U64("job", job->id), KV_STR("module", job->row.module),
				 KV_MSG("a run that was begun here is another shard's by now; it goes on there"));
		schedule_forget(schedule, job);
		return;
	}
	if (take_row(schedule, job, result) < 0) {
		schedule_set_state(job, JOB_KNOWN);
		schedule_wake_at(schedule, job, schedule_now_ms() + AWAY_MS);
		return;
	}
	KILL_POINT("job_claimed", job->row.name);
	schedule_decide(schedule, job);
}

static void claim(struct schedule *schedule, struct job *job)
{
	int64_t now_ms = schedule_now_ms();
	struct db_param params[] = { DB_INT8((int64_t)job->row.guild_id), DB_INT8((int64_t)job->id),
				     DB_INT8((int64_t)schedule->holder), DB_INT8(schedule->options.lease_s),
				     DB_TIME(now_ms) };
	int r;

	schedule_set_state(job, JOB_CLAIMING);
	job->asked_ns = clock_boottime_ns();
	r = db_query(schedule->options.db, &schedule_statements[SCHEDULE_CLAIM], params, ARRAY_SIZE(params), on_claimed,
		     job);
	if (r == 0) {
		schedule->claiming++;
		return;
	}
	schedule_set_state(job, JOB_KNOWN);
	schedule_wake_at(schedule, job, now_ms + AWAY_MS);
}

static size_t open_in_guild(const struct schedule *schedule, uint64_t guild_id)
{
	const struct run *run;
	size_t count = 0;

	for (run = schedule->runs; run; run = run->next)
		count += run->job->row.guild_id == guild_id;
	return count;
}

static bool has_room(const struct schedule *schedule, const struct job *job)
{
	return schedule->run_count + schedule->claiming < schedule->options.open_max &&
	       open_in_guild(schedule, job->row.guild_id) < schedule->options.guild_open_max;
}

enum own { OWN_OURS, OWN_WRITTEN, OWN_CANCELLED };

/* What the outbox says of a job that was made here. */
static enum own own_state(const struct schedule *schedule, const struct job *job)
{
	char name[OUTBOX_NAME_MAX];
	const char *value;
	size_t len;

	if (!outbox_pending(schedule->options.outbox, schedule_key(&job->row, name), 0, &value, &len))
		return OWN_WRITTEN;
	return value ? OWN_OURS : OWN_CANCELLED;
}

bool schedule_is_written(const struct schedule *schedule, const struct job *job)
{
	return own_state(schedule, job) == OWN_WRITTEN;
}

static bool lease_holds(const struct job *job)
{
	return clock_boottime_ns() < job->row.deadline_ns;
}

/* Begun by a worker before us (or kept from its effects): while the lease holds it goes on at once. */
static void look_at_begun(struct schedule *schedule, struct job *job)
{
	int r;

	if (job->row.deadline_ns == UINT64_MAX && own_state(schedule, job) == OWN_WRITTEN)
		job->row.deadline_ns = 0; /* the database knows it now, so it is asked */
	if (!lease_holds(job)) {
		claim(schedule, job);
		return;
	}
	r = schedule_begin(schedule, job);
	if (r < 0)
		schedule_wake_at(schedule, job, schedule_now_ms() + (r == -ENOSPC ? FULL_MS : NO_HANDLER_MS));
}

/* At its time, and now and then before: it goes to the database some day. */
void schedule_wake_own(struct schedule *schedule, struct job *job)
{
	int64_t soon_ms = schedule_now_ms() + OWN_MS;

	schedule_wake_at(schedule, job, job->row.due_ms < soon_ms ? job->row.due_ms : soon_ms);
}

static void look_at_own(struct schedule *schedule, struct job *job)
{
	int64_t now_ms = schedule_now_ms();

	switch (own_state(schedule, job)) {
	case OWN_CANCELLED:
		schedule_forget(schedule, job);
		return;
	case OWN_OURS:
		if (job->row.due_ms > now_ms) {
			schedule_wake_own(schedule, job);
			return;
		}
		if (!job->again) {
			job->row.deadline_ns = UINT64_MAX;
			job->row.since_ms = schedule_now_ms();
		}
		schedule_decide(schedule, job);
		return;
	case OWN_WRITTEN:
		if (job->row.due_ms > now_ms + SCHEDULE_AHEAD_MS) {
			schedule_forget(schedule, job);
			return;
		}
		agenda_delete(schedule->agenda, job->id);
		schedule_set_state(job, JOB_KNOWN);
		schedule_wake_at(schedule, job, job->row.due_ms);
		return;
	}
}

static void look_at_known(struct schedule *schedule, struct job *job)
{
	struct schedule_handler handler;
	int r = schedule_find_handler(schedule, job, &handler);

	if (r < 0)
		schedule_wake_at(schedule, job, schedule_now_ms() + NO_HANDLER_MS);
	else if (db_is_away(schedule->options.db))
		schedule_wake_at(schedule, job, schedule_now_ms() + AWAY_MS);
	else
		claim(schedule, job);
}

/* Its time has come. */
static void look_at(struct schedule *schedule, struct job *job)
{
	schedule_rest(schedule, job);
	if (job->state == JOB_ENDED) {
		schedule_forget(schedule, job);
	} else if (job->state == JOB_ENDING) {
		schedule_conclude(schedule, job);
	} else if (!has_room(schedule, job)) {
		schedule_wake_at(schedule, job, schedule_now_ms() + BUSY_MS);
	} else if (job->state == JOB_BEGUN) {
		look_at_begun(schedule, job);
	} else if (job->state == JOB_OWN) {
		look_at_own(schedule, job);
	} else if (job->state == JOB_KNOWN) {
		look_at_known(schedule, job);
	}
}

static void on_timer(void *arg)
{
	struct schedule *schedule = arg;
	int64_t now_ms = schedule_now_ms();
	size_t pops = 0;

	if (schedule->closing)
		return;
	schedule_tell_calls(schedule);
	while (schedule->heap_count > 0 && schedule->heap[0]->wake_ms <= now_ms && pops++ < POPS_MAX)
		look_at(schedule, schedule->heap[0]);
	if (pops >= POPS_MAX)
		timer_start(&schedule->timer, TURN_MS);
	else
		schedule_arm(schedule);
}

/* --- reading ahead -------------------------------------------------------------------------------------------------
 */

static uint64_t soon_ns(uint64_t seconds)
{
	return clock_monotonic_ns() + seconds * NS_PER_S / 2 + random_below(seconds * NS_PER_S + 1);
}

/* One of the rows that are due soon. True: it was news. */
static bool learn(struct schedule *schedule, const struct db_result *result, size_t i)
{
	uint64_t id = (uint64_t)db_result_int8(result, i, 1);
	int64_t due_ms = db_result_time(result, i, 2);
	struct job *job = schedule_find(schedule, id);
	struct agenda_row row = { .id = id, .guild_id = (uint64_t)db_result_int8(result, i, 0) };
	char name[OUTBOX_NAME_MAX];
	const char *value;
	size_t len;

	if (job && job->state == JOB_ENDED && job->row.due_ms != due_ms) { /* the next run of a recurring one */
		schedule_forget(schedule, job);
		job = NULL;
	}
	if (job) {
		if (job->state == JOB_OWN) { /* so it is written */
			agenda_delete(schedule->agenda, job->id);
			schedule_set_state(job, JOB_KNOWN);
			job->row.due_ms = 0;
		}
		if (job->state == JOB_KNOWN && job->row.due_ms != due_ms) {
			job->row.due_ms = due_ms;
			schedule_wake_at(schedule, job, due_ms);
		}
		return false;
	}
	/* What we have written of it since, or are about to, is not in this answer. */
	if (outbox_pending(schedule->options.outbox, schedule_key(&row, name), schedule->look_asked_ns, &value, &len))
		return false;
	job = schedule_job_new(schedule, id, JOB_KNOWN);
	if (!job)
		return false;
	job->row.guild_id = row.guild_id;
	job->row.user_id = (uint64_t)db_result_int8(result, i, 5);
	job->row.due_ms = due_ms;
	snprintf(job->row.module, sizeof(job->row.module), "%s", db_result_text(result, i, 3, NULL));
	snprintf(job->row.name, sizeof(job->row.name), "%s", db_result_text(result, i, 4, NULL));
	schedule_wake_at(schedule, job, due_ms);
	return true;
}

static void on_look(void *arg, int error, const struct db_result *result)
{
	struct schedule *schedule = arg;
	size_t i, count = error == 0 ? db_result_rows(result) : 0, news = 0;

	schedule->looking = false;
	if (schedule->closing)
		return;
	for (i = 0; i < count; i++)
		news += learn(schedule, result, i);
	schedule->look_at_ns =
		count == LOOK_ROWS && news > 0 ? clock_monotonic_ns() : soon_ns(schedule->options.look_s);
}

static bool has_core(const struct schedule *schedule)
{
	for (size_t i = 0; i < schedule->fleet_count; i++)
		if (schedule->fleet[i].core)
			return true;
	return false;
}

static void look(struct schedule *schedule)
{
	const struct schedule_options *options = &schedule->options;
	struct db_param names[MODULES_MAX];
	struct db_param params[] = { DB_TIME(schedule_now_ms() + SCHEDULE_AHEAD_MS),
				     DB_INT8(options->shard_count),
				     DB_INT8(options->shard_id),
				     DB_INT8((int64_t)schedule->holder),
				     DB_ARRAY(DB_TYPE_TEXT_ARRAY, names, 0),
				     DB_INT8(LOOK_ROWS) };
	const char *name;
	size_t i;

	for (i = 0; i < MODULES_MAX - 1 && (name = options->module(options->arg, i)); i++)
		names[i] = DB_TEXT(name, strlen(name));
	if (has_core(schedule))
		names[i++] = DB_TEXT(SCHEDULE_CORE, strlen(SCHEDULE_CORE));
	schedule->look_at_ns = soon_ns(options->look_s);
	if (i == 0)
		return;
	params[4] = DB_ARRAY(DB_TYPE_TEXT_ARRAY, names, i);
	schedule->look_asked_ns = clock_monotonic_ns();
	schedule->looking = db_query(options->db, &schedule_statements[SCHEDULE_DUE], params, ARRAY_SIZE(params),
				     on_look, schedule) == 0;
}

/* --- recurring jobs of the fleet -----------------------------------------------------------------------------------
 */

static void on_fleet_written(void *arg, int error, const struct db_result *result)
{
	struct fleet_row *row = arg;

	row->asking = false;
	row->written = error == 0;
	if (error == 0 && db_result_affected(result) > 0)
		row->schedule->look_at_ns = 0;
}

static void write_fleet(struct schedule *schedule, struct fleet_row *row)
{
	uint64_t id = schedule_job_id(schedule_hash(row->module, row->name));
	char error[REPEAT_ERROR_SIZE], label[80];
	struct repeat repeat;
	int64_t now_ms = schedule_now_ms(), due_ms;

	row->written = repeat_parse(row->repeat, &repeat, error) < 0; /* checked when it came */
	due_ms = row->written ? INT64_MAX : repeat_next(&repeat, now_ms, now_ms);
	if (due_ms == INT64_MAX)
		return;
	snprintf(label, sizeof(label), "%s", row->repeat);
	struct db_param params[] = { DB_INT8((int64_t)id),
				     DB_TEXT(row->module, strlen(row->module)),
				     DB_TEXT(row->name, strlen(row->name)),
				     DB_INT8(row->version),
				     DB_TIME(due_ms),
				     DB_TEXT(row->repeat, strlen(row->repeat)),
				     DB_TEXT(label, strlen(label)) };
	row->asking = db_query(schedule->options.db, &schedule_statements[SCHEDULE_FLEET], params, ARRAY_SIZE(params),
			       on_fleet_written, row) == 0;
}

static int add_fleet(struct schedule *schedule, const char *module, const char *name, const char *repeat,
		     uint32_t version)
{
	char error[REPEAT_ERROR_SIZE];
	struct repeat parsed;

	if (repeat_parse(repeat, &parsed, error) < 0)
		return -EINVAL;
	if (schedule->fleet_count == FLEET_ROWS_MAX)
		return -ENOBUFS;
	schedule->fleet[schedule->fleet_count++] = (struct fleet_row){
		.module = module, .name = name, .repeat = repeat, .version = version, .schedule = schedule
	};
	return 0;
}

int schedule_fleet(struct schedule *schedule, const struct shoal_job *row, schedule_core_fn handle, void *arg)
{
	struct fleet_row *fleet;
	int r;

	if (!schedule)
		return 0;
	if (!row->repeat || strlen(row->repeat) > SHOAL_JOB_REPEAT_MAX)
		return -EINVAL;
	r = add_fleet(schedule, SCHEDULE_CORE, row->name, row->repeat, row->version);
	if (r < 0)
		return r;
	fleet = &schedule->fleet[schedule->fleet_count - 1];
	fleet->core = handle;
	fleet->arg = arg;
	fleet->row = *row;
	snprintf(fleet->repeat_text, sizeof(fleet->repeat_text), "%s", row->repeat);
	fleet->repeat = fleet->row.repeat = fleet->repeat_text;
	return 0;
}

static void add_rows_of_modules(struct schedule *schedule)
{
	const struct schedule_options *options = &schedule->options;
	const struct shoal_job *row;
	const char *module;
	size_t i, j;
	int r;

	for (i = 0; (module = options->module(options->arg, i)); i++) {
		for (j = 0; (row = options->row(options->arg, module, j)); j++) {
			r = row->repeat ? add_fleet(schedule, module, row->name, row->repeat, row->version) : 0;
			if (r < 0)
				log_error(NULL, "schedule.row_refused", KV_STR("module", module),
					  KV_STR("job", row->name), KV_ERR(r));
		}
	}
}

/* --- the tick ------------------------------------------------------------------------------------------------------
 */

static void show(const struct schedule *schedule)
{
	_Atomic uint64_t *counters = schedule->options.counters;
	int64_t now_ms = schedule_now_ms();
	uint64_t due = 0;
	size_t i;

	for (i = 0; i < schedule->heap_count; i++) {
		const struct job *job = schedule->heap[i];

		due += job->state <= JOB_BEGUN && job->row.due_ms <= now_ms;
	}
	if (!counters)
		return;
	board_gauge(counters, BOARD_COUNTER_jobs_due, due);
	board_gauge(counters, BOARD_COUNTER_jobs_running, schedule->run_count);
}

static void on_tick(void *arg)
{
	struct schedule *schedule = arg;
	size_t i;

	show(schedule);
	schedule_watch_runs(schedule);
	if (db_is_away(schedule->options.db))
		return;
	for (i = 0; i < schedule->fleet_count; i++) {
		if (!schedule->fleet[i].written && !schedule->fleet[i].asking)
			write_fleet(schedule, &schedule->fleet[i]);
	}
	if (!schedule->looking && clock_monotonic_ns() >= schedule->look_at_ns &&
	    HASH_COUNT(schedule->jobs) < SCHEDULE_JOBS_MAX / 2)
		look(schedule);
}

void schedule_wake(struct schedule *schedule)
{
	if (schedule)
		schedule->look_at_ns = 0;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

/* A worker that crashed in the code of a run, or again and again while it was open, is not given it once more. */
static void judge(struct schedule *schedule, struct job *job)
{
	const struct schedule_options *options = &schedule->options;

	if (!options->crashed)
		return;
	if (options->culprit_known && options->culprit_job_id == job->id)
		job->row.crashes++;
	else if (!options->culprit_known)
		job->row.opens++;
	if (job->row.crashes >= SCHEDULE_CRASHES_CULPRIT)
		schedule_fail(schedule, job, "its handler crashed the worker");
	else if (job->row.opens >= SCHEDULE_CRASHES_OPEN)
		schedule_fail(schedule, job, "workers kept crashing while it was open");
	else
		schedule_note(schedule, job);
}

static void on_agenda_row(void *arg, const struct agenda_row *row)
{
	static const enum job_state states[] = { [AGENDA_OWN] = JOB_OWN,
						 [AGENDA_BEGUN] = JOB_BEGUN,
						 [AGENDA_ENDING] = JOB_ENDING,
						 [AGENDA_ENDED] = JOB_ENDED };
	struct schedule *schedule = arg;
	struct job *job = schedule_job_new(schedule, row->id, states[row->state]);
	int64_t wake_ms = row->due_ms;

	if (!job)
		return;
	job->row = *row;
	job->row.payload = NULL;
	if (schedule_set_payload(job, row->payload, row->payload_len) < 0)
		job->row.payload_len = 0;
	if (job->state == JOB_ENDED)
		wake_ms = schedule_now_ms() + SCHEDULE_KEEP_S * 1000;
	if (job->state == JOB_BEGUN || job->state == JOB_ENDING) {
		wake_ms = 0;
		job->again = job->before = true;
		schedule->begun_before++;
	}
	if (job->state == JOB_OWN)
		schedule_wake_own(schedule, job);
	else
		schedule_wake_at(schedule, job, wake_ms);
}

int schedule_new(const struct schedule_options *options, struct schedule **ret_schedule)
{
	struct schedule *schedule = calloc(1, sizeof(*schedule));
	bool damaged = false;
	int r;

	if (!schedule)
		return -ENOMEM;
	schedule->options = *options;
	if (!schedule->options.lease_s) {
		schedule->options.lease_s = SCHEDULE_LEASE_S;
		schedule->options.margin_s = SCHEDULE_MARGIN_S;
	}
	schedule->act_ns = (schedule->options.lease_s - schedule->options.margin_s) * NS_PER_S;
	schedule->heap = calloc(SCHEDULE_JOBS_MAX, sizeof(struct job *));
	r = schedule->heap ? timer_init(&schedule->timer, options->loop, on_timer, schedule) : -ENOMEM;
	if (r < 0) {
		free(schedule->heap);
		free(schedule);
		return r;
	}
	r = agenda_open(options->runtime_dir, options->generation, options->shard_id, options->crashed, on_agenda_row,
			schedule, &schedule->holder, &damaged, &schedule->agenda);
	if (r < 0) {
		schedule->holder = random_below(INT64_MAX - 1) + 1;
		log_error(NULL, "schedule.no_agenda",
			  KV_MSG("there is no room to note what jobs are begun, so none are begun by this worker"),
			  KV_STR("runtime_dir", options->runtime_dir), KV_ERR(r));
	} else if (damaged) {
		log_error(NULL, "schedule.agenda_damaged",
			  KV_MSG("the notes on jobs under way failed their checks and were dropped; those that were "
				 "begun "
				 "are begun again when their lease is over"));
	}
	*ret_schedule = schedule;
	return 0;
}

void schedule_start(struct schedule *schedule)
{
	struct job *job, *next;

	if (!schedule)
		return;
	schedule->started = true;
	HASH_ITER (hh, schedule->jobs, job, next) {
		if (job->state == JOB_BEGUN)
			judge(schedule, job);
	}
	add_rows_of_modules(schedule);
	loop_at_tick(schedule->options.loop, &schedule->tick, on_tick, schedule);
	schedule_arm(schedule);
}

size_t schedule_begun_before(const struct schedule *schedule)
{
	return schedule ? schedule->begun_before : 0;
}

bool schedule_is_busy(const struct schedule *schedule)
{
	const struct run *run;

	for (run = schedule ? schedule->runs : NULL; run; run = run->next)
		if (!run->core)
			return true;
	return false;
}

void schedule_closing(struct schedule *schedule)
{
	if (!schedule || schedule->closing)
		return;
	schedule->closing = true;
	loop_remove_hook(&schedule->tick);
	schedule_end_runs(schedule);
	schedule_drop_calls(schedule);
	timer_close(&schedule->timer, NULL);
}

struct schedule *schedule_free(struct schedule *schedule)
{
	struct job *job, *next;

	if (!schedule)
		return NULL;
	HASH_ITER (hh, schedule->jobs, job, next)
		job_free(schedule, job);
	agenda_close(schedule->agenda);
	free(schedule->heap);
	free(schedule);
	return NULL;
}
