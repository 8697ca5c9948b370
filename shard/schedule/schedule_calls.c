/* What modules ask for: to schedule, to cancel, to list. Each is a call of a scope and is told once; what the outbox or
 * the database was asked meanwhile goes on when the scope ends first. */
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
#include "shared/base/random.h"
#include "shared/log/log.h"

#define AHEAD_MAX_MS  (10LL * 366 * 86400 * 1000)
#define OWN_AHEAD_MAX (SCHEDULE_JOBS_MAX / 2)

enum call_kind { CALL_ADD, CALL_CANCEL, CALL_LIST };

struct schedule_call {
	struct scope_call call;
	struct schedule *schedule;
	enum call_kind kind;
	bool told; /* the module's function was called */
	bool busy; /* outbox or database will still call back */
	bool in_list;
	shoal_scheduled_fn fn;
	shoal_jobs_fn list_fn;
	void *arg;
	struct shoal_scheduled result;
	/* CALL_LIST */
	char module[SHOAL_JOB_NAME_MAX + 1], name[SHOAL_JOB_NAME_MAX + 1];
	uint64_t guild_id, user_id; /* guild_id: the database's key */
	size_t limit;
	uint64_t asked_ns;
	struct schedule_call *prev, *next; /* of due_calls */
};
_Static_assert(offsetof(struct schedule_call, call) == 0, "a call is one");

static void tell_list(struct schedule_call *call, const struct db_result *result);

static void call_free(struct schedule_call *call)
{
	if (call->in_list)
		DL_DELETE(call->schedule->due_calls, call);
	free(call);
}

/* Once; frees it when nobody will call back any more. */
static void tell(struct schedule_call *call)
{
	struct culprit_frame frame;

	if (!call->told) {
		call->told = true;
		call->call.over = true;
		scope_enter(&frame, call->call.scope, CULPRIT_CONTINUATION);
		if (call->kind == CALL_LIST)
			call->list_fn(call->arg, call->result.error, NULL, 0, false);
		else if (call->fn)
			call->fn(call->arg, &call->result);
		culprit_leave(&frame);
		scope_done(&call->call);
	}
	if (!call->busy)
		call_free(call);
}

static void cancel(struct scope_call *scope_call)
{
	struct schedule_call *call = (struct schedule_call *)scope_call;

	call->result.error = -ECANCELED;
	tell(call);
}

static int call_new(struct schedule *schedule, struct shoal_scope *scope, enum call_kind kind,
		    struct schedule_call **ret_call)
{
	struct schedule_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	r = scope_add(scope, &call->call, cancel);
	if (r < 0) {
		free(call);
		return r;
	}
	call->schedule = schedule;
	call->kind = kind;
	*ret_call = call;
	return 0;
}

/* It came to nothing, and the module has its negative number: no callback. */
static int call_undo(struct schedule_call *call, int error)
{
	scope_done(&call->call);
	free(call);
	return error;
}

/* With the next turn of the loop. */
static void tell_soon(struct schedule_call *call)
{
	call->in_list = true;
	DL_APPEND(call->schedule->due_calls, call);
	timer_start(&call->schedule->timer, 0);
}

void schedule_tell_calls(struct schedule *schedule)
{
	struct schedule_call *call;

	while ((call = schedule->due_calls)) {
		DL_DELETE(schedule->due_calls, call);
		call->in_list = false;
		if (call->kind == CALL_LIST)
			tell_list(call, NULL);
		else
			tell(call);
	}
}

void schedule_drop_calls(struct schedule *schedule)
{
	struct schedule_call *call;

	while ((call = schedule->due_calls)) {
		DL_DELETE(schedule->due_calls, call);
		call->in_list = false;
		call->result.error = -ECANCELED;
		tell(call);
	}
}

/* --- identities ----------------------------------------------------------------------------------------------------
 */

/* The same when the event is handled again; chance for what belongs to none. */
static uint64_t number_of(struct shoal_scope *scope)
{
	struct event_key event = ticket_key(scope->ticket);
	uint64_t step = ((uint64_t)scope->lane << 32) | scope->next_job++;

	if (event.scope == 0 && event.number == 0)
		return random_u64();
	return schedule_mix(schedule_mix(event.scope, event.number), step);
}

static uint64_t tagged(const struct shoal_scope *scope, const char *name, uint64_t key, uint64_t tag)
{
	return schedule_mix(schedule_mix(schedule_hash(scope->module->name, name), key), tag);
}

static uint64_t key_of(uint64_t guild_id, uint64_t user_id)
{
	return guild_id ? guild_id : user_id;
}

static int find_row(const struct schedule *schedule, const struct shoal_scope *scope, const char *name,
		    struct schedule_handler *ret_handler)
{
	int r;

	if (!scope->module || !name)
		return -EINVAL;
	r = schedule->options.find(schedule->options.arg, scope->module->name, name, 0, ret_handler);
	return r == -EAGAIN ? 0 : r < 0 ? -EINVAL : 0;
}

/* --- adding --------------------------------------------------------------------------------------------------------
 */

/* The first time. */
static int first_due(const struct shoal_schedule *request, const struct shoal_job *kind, uint64_t id,
		     int64_t *ret_due_ms)
{
	int64_t now_ms = schedule_now_ms(), due_ms = request->at_ms;
	char error[REPEAT_ERROR_SIZE];
	struct repeat repeat;

	if (request->repeat) {
		if (repeat_parse(request->repeat, &repeat, error) < 0)
			return -EINVAL;
		if (due_ms == 0)
			due_ms = repeat_next(&repeat, now_ms, now_ms);
		if (due_ms == INT64_MAX)
			return -EINVAL;
		if (kind->spread_s)
			due_ms += (int64_t)(schedule_mix(id, 1) % ((uint64_t)kind->spread_s * 1000));
	}
	if (due_ms <= 0 || due_ms > now_ms + AHEAD_MAX_MS)
		return -EINVAL;
	*ret_due_ms = due_ms;
	return 0;
}

struct addition {
	struct schedule *schedule;
	struct schedule_call *call; /* never NULL */
	uint64_t id;
	uint64_t number; /* of who asks: a tag may be used anew when its job is over */
};

/* In memory from now on only as far as it must be. */
static void added(struct schedule *schedule, struct job *job, enum outbox_how how)
{
	if (how == OUTBOX_KEPT) {
		schedule_set_state(job, JOB_OWN);
		if (schedule_note(schedule, job) == 0)
			schedule_wake_own(schedule, job);
		else
			schedule_forget(schedule, job); /* the database will have it */
		return;
	}
	schedule_set_state(job, JOB_KNOWN);
	if (job->row.due_ms > schedule_now_ms() + SCHEDULE_AHEAD_MS)
		schedule_forget(schedule, job);
	else
		schedule_wake_at(schedule, job, job->row.due_ms);
}

static void on_added(void *arg, int error, enum outbox_how how, const struct db_result *result)
{
	CLEANUP(cleanup_free) struct addition *addition = arg;
	struct schedule *schedule = addition->schedule;
	struct schedule_call *call = addition->call;
	struct job *job = schedule_find(schedule, addition->id);
	struct log_ctx ctx = { .shard = -1 };

	(void)result;
	KILL_POINT("job_made", job ? job->row.name : NULL);
	if (job && job->state == JOB_MAKING) {
		if (error < 0 || job->forgotten || schedule->closing)
			schedule_forget(schedule, job);
		else
			added(schedule, job, how);
	}
	if (error < 0 && error != -ECANCELED)
		log_warn(&ctx, "schedule.not_made", KV_ERR(error), KV_MSG("a job could not be written, nor kept"));
	call->busy = false;
	call->result.error = error;
	call->result.kept = how == OUTBOX_KEPT;
	tell(call);
}

static void fill(struct job *job, struct shoal_scope *scope, const struct shoal_schedule *request,
		 const struct shoal_job *kind, int64_t due_ms)
{
	struct agenda_row *row = &job->row;

	row->guild_id = key_of(request->guild_id, request->user_id);
	row->user_id = request->user_id;
	row->tag = request->tag;
	row->due_ms = due_ms;
	row->created_ms = schedule_now_ms();
	row->version = kind->version;
	row->fence = 1; /* as the database will have it */
	snprintf(row->module, sizeof(row->module), "%s", scope->module->name);
	snprintf(row->name, sizeof(row->name), "%s", kind->name);
	snprintf(row->repeat, sizeof(row->repeat), "%s", request->repeat ? request->repeat : "");
	snprintf(row->label, sizeof(row->label), "%s", request->label ? request->label : "");
}

static int write_job(struct schedule *schedule, const struct job *job, struct addition *addition)
{
	const struct agenda_row *row = &job->row;
	char name[OUTBOX_NAME_MAX];
	struct db_param params[] = { DB_INT8((int64_t)row->guild_id),
				     DB_INT8((int64_t)row->id),
				     DB_TEXT(row->module, strlen(row->module)),
				     DB_TEXT(row->name, strlen(row->name)),
				     DB_INT8(row->version),
				     DB_INT8((int64_t)row->user_id),
				     DB_INT8((int64_t)row->tag),
				     DB_TIME(row->due_ms),
				     DB_TEXT(row->repeat, strlen(row->repeat)),
				     DB_TEXT(row->label, strlen(row->label)),
				     DB_BYTEA(row->payload, row->payload_len),
				     DB_INT8((int64_t)schedule->holder),
				     DB_INT8(schedule->options.lease_s),
				     DB_TIME(row->created_ms) };
	struct outbox_write write = { .owner = schedule_statement_set.owner,
				      .statement = schedule_statements[SCHEDULE_ADD].name,
				      .params = params,
				      .param_count = ARRAY_SIZE(params),
				      .key = schedule_key(row, name),
				      .user_id = row->user_id,
				      .value = "new",
				      .value_len = 3,
				      .token = schedule_mix(schedule_mix(row->id, 3), addition->number) };

	return outbox_write(schedule->options.outbox, &write, on_added, addition);
}

static int check_request(const struct shoal_schedule *request)
{
	if (request->payload_len > SHOAL_JOB_PAYLOAD_MAX || (request->payload_len && !request->payload) ||
	    (request->label && strlen(request->label) > SHOAL_JOB_LABEL_MAX))
		return -E2BIG;
	if (request->guild_id > INT64_MAX || request->user_id > INT64_MAX || request->tag > INT64_MAX)
		return -EINVAL;
	return 0;
}

/* Without a place in memory (there are thousands already) it goes to the database alone. */
static int begin_add(struct schedule *schedule, struct shoal_scope *scope, const struct shoal_schedule *request,
		     const struct shoal_job *kind, uint64_t number, struct schedule_call *call)
{
	CLEANUP(cleanup_free) struct addition *addition = calloc(1, sizeof(*addition));
	struct job spare = { .id = call->result.id, .row.id = call->result.id }, *job = NULL;
	int r;

	if (!addition)
		return -ENOMEM;
	*addition = (struct addition){ schedule, call, call->result.id, number };
	if (HASH_COUNT(schedule->jobs) < OWN_AHEAD_MAX)
		job = schedule_job_new(schedule, call->result.id, JOB_MAKING);
	fill(job ? job : &spare, scope, request, kind, call->result.due_ms);
	r = schedule_set_payload(job ? job : &spare, request->payload, request->payload_len);
	if (r == 0)
		r = write_job(schedule, job ? job : &spare, addition);
	free((void *)spare.row.payload);
	if (r < 0) {
		if (job)
			schedule_forget(schedule, job);
		return r;
	}
	call->busy = true;
	addition = NULL;
	return 0;
}

int schedule_add(struct schedule *schedule, struct shoal_scope *scope, const struct shoal_schedule *request,
		 shoal_scheduled_fn fn, void *arg)
{
	struct schedule_handler handler = { 0 };
	struct schedule_call *call;
	const struct job *job;
	uint64_t number;
	int r;

	if (!schedule)
		return -SHOAL_EOFFLINE;
	r = find_row(schedule, scope, request->job, &handler);
	if (r == 0)
		r = check_request(request);
	if (r < 0)
		return r;
	number = number_of(scope);
	r = call_new(schedule, scope, CALL_ADD, &call);
	if (r < 0)
		return r;
	call->fn = fn;
	call->arg = arg;
	call->result.id = schedule_job_id(
		request->tag ? tagged(scope, request->job, key_of(request->guild_id, request->user_id), request->tag)
			     : number);
	r = first_due(request, handler.row, call->result.id, &call->result.due_ms);
	if (r < 0)
		return call_undo(call, r);
	job = schedule_find(schedule, call->result.id);
	if (job) { /* the event is handled again, or the tag was used: it keeps its time */
		if (job->row.due_ms > 0)
			call->result.due_ms = job->row.due_ms;
		tell_soon(call);
		return 0;
	}
	r = begin_add(schedule, scope, request, handler.row, number, call);
	return r < 0 ? call_undo(call, r) : 0;
}

/* --- cancelling ----------------------------------------------------------------------------------------------------
 */

static void on_cancelled(void *arg, int error, enum outbox_how how, const struct db_result *result)
{
	struct schedule_call *call = arg;
	struct schedule *schedule = call->schedule;
	struct job *job = schedule_find(schedule, call->result.id);
	bool none = error == 0 && how == OUTBOX_WRITTEN && result && db_result_affected(result) == 0;

	if (error == 0 && job && !none && !schedule->closing) {
		if (job->state == JOB_KNOWN || job->state == JOB_OWN)
			schedule_forget(schedule, job);
		else if (job->state == JOB_MAKING || job->state == JOB_CLAIMING)
			job->forgotten = true;
	}
	call->busy = false;
	call->result.error = none ? -ENOENT : error;
	call->result.kept = how == OUTBOX_KEPT;
	tell(call);
}

int schedule_cancel(struct schedule *schedule, struct shoal_scope *scope, const struct shoal_job_ref *ref,
		    shoal_scheduled_fn fn, void *arg)
{
	uint64_t key = key_of(ref->guild_id, ref->user_id), number;
	struct schedule_handler handler;
	struct schedule_call *call;
	char name[OUTBOX_NAME_MAX];
	struct job *job;
	int r;

	if (!schedule)
		return -SHOAL_EOFFLINE;
	r = find_row(schedule, scope, ref->job, &handler);
	if (r < 0)
		return r;
	number = number_of(scope);
	r = call_new(schedule, scope, CALL_CANCEL, &call);
	if (r < 0)
		return r;
	call->fn = fn;
	call->arg = arg;
	call->result.id = ref->id ? ref->id : schedule_job_id(tagged(scope, ref->job, key, ref->tag));
	job = schedule_find(schedule, call->result.id);
	/* One that we know, and that is not theirs: as if it were not there. */
	if ((job && job->state != JOB_KNOWN &&
	     (job->row.guild_id != key || strcmp(job->row.module, scope->module->name) != 0 ||
	      (ref->user_id && job->row.user_id != ref->user_id))) ||
	    call->result.id > INT64_MAX) {
		call->result.error = -ENOENT;
		tell_soon(call);
		return 0;
	}
	struct agenda_row row = { .id = call->result.id, .guild_id = key };
	struct db_param params[] = { DB_INT8((int64_t)key), DB_INT8((int64_t)row.id),
				     DB_TEXT(scope->module->name, strlen(scope->module->name)),
				     DB_INT8((int64_t)ref->user_id) };
	struct outbox_write write = { .owner = schedule_statement_set.owner,
				      .statement = schedule_statements[SCHEDULE_CANCEL].name,
				      .params = params,
				      .param_count = ARRAY_SIZE(params),
				      .key = schedule_key(&row, name),
				      .user_id = ref->user_id,
				      .token = schedule_mix(number, 5) };

	r = outbox_write(schedule->options.outbox, &write, on_cancelled, call);
	if (r < 0)
		return call_undo(call, r);
	call->busy = true;
	return 0;
}

/* --- listing -------------------------------------------------------------------------------------------------------
 */

static int by_time(const void *a, const void *b)
{
	const struct shoal_job_item *first = a, *second = b;

	return (first->due_ms > second->due_ms) - (first->due_ms < second->due_ms);
}

static void add_memory(const struct schedule_call *call, bool known_too, struct shoal_job_item *items, size_t *count)
{
	const struct job *job;
	size_t i;

	for (job = call->schedule->jobs; job; job = job->hh.next) {
		const struct agenda_row *row = &job->row;

		if (*count == call->limit)
			return;
		if ((job->state != JOB_OWN && job->state != JOB_MAKING && !(known_too && job->state == JOB_KNOWN)) ||
		    job->forgotten || row->guild_id != call->guild_id || strcmp(row->module, call->module) != 0 ||
		    strcmp(row->name, call->name) != 0 || (call->user_id && row->user_id != call->user_id))
			continue;
		for (i = 0; i < *count && items[i].id != row->id; i++)
			;
		if (i < *count)
			continue;
		items[(*count)++] =
			(struct shoal_job_item){ .id = row->id,
						 .tag = row->tag,
						 .guild_id = call->guild_id == row->user_id ? 0 : row->guild_id,
						 .user_id = row->user_id,
						 .due_ms = row->due_ms,
						 .created_ms = row->created_ms,
						 .label = row->label,
						 .repeat = row->repeat,
						 .payload = row->payload ? row->payload : "",
						 .payload_len = row->payload_len,
						 .version = row->version };
	}
}

static void add_rows(const struct schedule_call *call, const struct db_result *result, struct shoal_job_item *items,
		     size_t *count)
{
	for (size_t i = 0; i < db_result_rows(result) && *count < call->limit; i++) {
		struct shoal_job_item *item = &items[*count];
		struct agenda_row row = { .id = (uint64_t)db_result_int8(result, i, LIST_ID),
					  .guild_id = call->guild_id };
		char name[OUTBOX_NAME_MAX];
		const char *value = "";
		size_t len;

		/* Cancelled, or over, and the database is yet to hear of it. */
		if (outbox_pending(call->schedule->options.outbox, schedule_key(&row, name), call->asked_ns, &value,
				   &len) &&
		    !value)
			continue;
		*item = (struct shoal_job_item){ .id = row.id,
						 .tag = (uint64_t)db_result_int8(result, i, LIST_TAG),
						 .user_id = (uint64_t)db_result_int8(result, i, LIST_USER_ID),
						 .due_ms = db_result_time(result, i, LIST_DUE_AT),
						 .created_ms = db_result_time(result, i, LIST_CREATED_AT),
						 .label = db_result_text(result, i, LIST_LABEL, NULL),
						 .repeat = db_result_text(result, i, LIST_REPEAT, NULL),
						 .payload = db_result_bytes(result, i, LIST_PAYLOAD, &len),
						 .version = (uint32_t)db_result_int8(result, i, LIST_VERSION) };
		item->payload_len = len;
		if (!item->payload)
			item->payload = "";
		item->guild_id = call->guild_id == item->user_id ? 0 : call->guild_id;
		(*count)++;
	}
}

static void tell_list(struct schedule_call *call, const struct db_result *result)
{
	CLEANUP(cleanup_free) struct shoal_job_item *items = calloc(call->limit, sizeof(*items));
	struct culprit_frame frame;
	size_t count = 0;

	if (!items) {
		call->result.error = -ENOMEM;
		tell(call);
		return;
	}
	if (result)
		add_rows(call, result, items, &count);
	add_memory(call, !result, items, &count);
	qsort(items, count, sizeof(*items), by_time);
	call->told = true;
	call->call.over = true;
	scope_enter(&frame, call->call.scope, CULPRIT_CONTINUATION);
	call->list_fn(call->arg, 0, items, count, result != NULL);
	culprit_leave(&frame);
	scope_done(&call->call);
	call_free(call);
}

static void on_list(void *arg, int error, const struct db_result *result)
{
	struct schedule_call *call = arg;

	call->busy = false;
	if (call->told)
		call_free(call);
	else
		tell_list(call, error == 0 ? result : NULL);
}

int schedule_list(struct schedule *schedule, struct shoal_scope *scope, const struct shoal_job_query *query,
		  shoal_jobs_fn fn, void *arg)
{
	struct schedule_handler handler;
	struct schedule_call *call;
	int r;

	if (!schedule)
		return -SHOAL_EOFFLINE;
	r = fn ? find_row(schedule, scope, query->job, &handler) : -EINVAL;
	if (r < 0)
		return r;
	r = call_new(schedule, scope, CALL_LIST, &call);
	if (r < 0)
		return r;
	call->list_fn = fn;
	call->arg = arg;
	call->guild_id = key_of(query->guild_id, query->user_id);
	call->user_id = query->user_id;
	call->limit = query->limit && query->limit < SHOAL_JOB_LIST_MAX ? query->limit : SHOAL_JOB_LIST_MAX;
	snprintf(call->module, sizeof(call->module), "%s", scope->module->name);
	snprintf(call->name, sizeof(call->name), "%s", query->job);
	call->asked_ns = clock_monotonic_ns();
	struct db_param params[] = { DB_INT8((int64_t)call->guild_id), DB_TEXT(call->module, strlen(call->module)),
				     DB_TEXT(call->name, strlen(call->name)), DB_INT8((int64_t)call->user_id),
				     DB_INT8((int64_t)call->limit) };

	r = db_query(schedule->options.db, &schedule_statements[SCHEDULE_LIST], params, ARRAY_SIZE(params), on_list,
		     call);
	call->busy = r == 0;
	if (r < 0) /* from memory */
		tell_soon(call);
	return 0;
}

int schedule_again(struct schedule *schedule, struct shoal_scope *scope, int64_t at_ms)
{
	uint64_t session, id;
	struct job *job;

	if (!schedule)
		return -SHOAL_EOFFLINE;
	ticket_origin(scope->ticket, &session, &id);
	job = session == TICKET_SESSION_JOBS ? schedule_find(schedule, id) : NULL;
	if (!job || !job->run || at_ms <= 0 || at_ms > schedule_now_ms() + AHEAD_MAX_MS)
		return -EINVAL;
	job->run->again_ms = at_ms;
	return 0;
}
