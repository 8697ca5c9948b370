/* A module that makes every asynchronous call of the contract, one row each, and ends the scope of each at a step that
 * it is told. Linked into tests/unit/test_every_call.c, where the worker's edges are stood in for and each step is
 * exact; a .so in tests/integration/test_scopes.py, where everything is real. It counts what it is told, and never
 * forgets a call. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/module.h>

/* When the scope of a call is ended. X(enumerator, word). */
#define EVERY_STEPS(X)                                                             \
	X(FREE, "free")         /* not by us */                                    \
	X(BEFORE, "before")     /* before the call is begun */                     \
	X(QUEUED, "queued")     /* in the function that has begun it */            \
	X(WIRE, "wire")         /* some milliseconds later */                      \
	X(THERE, "there")       /* when the answer is there, and not yet read */   \
	X(CALLBACK, "callback") /* in its own callback */                          \
	X(OTHER, "other")       /* in the callback of another call of the scope */ \
	X(LEFT, "left")         /* not by us, and what it waits for does not come: the worker is stopped */
enum every_step {
#define X(name, word) STEP_##name,
	EVERY_STEPS(X)
#undef X
		STEP_COUNT,
};

static const char *const every_step_words[] = {
#define X(name, word) word,
	EVERY_STEPS(X)
#undef X
};

struct every_row;

/* One call. Stays until the module's end, so that a second completion would be seen. */
struct every_call {
	struct every_call *next;
	const struct every_row *row;
	struct shoal_scope *scope, *module;
	struct shoal_invocation *inv;
	enum every_step step;
	bool held;
	int begun;                /* what the call returned */
	unsigned told, cancelled; /* completions; those with -ECANCELED */
	unsigned heard;           /* what came before the completion: messages of a subscription */
	unsigned after_cleanup;   /* of the completions */
	int error;
};

struct every_row {
	const char *name; /* of the function in struct shoal_api */
	bool answers;     /* changes an answer: of invocations alone */
	bool lasts;       /* until its scope ends */
	int (*begin)(struct every_call *call);
};

/* Where and at whom; filled by who drives. */
static struct {
	uint64_t guild_id, channel_id, user_id, role_id, message_id;
	char url[128];
	uint32_t delay_ms;
} every = { 7, 8, 9, 10, 11, "http://127.0.0.1:1/", 2 };

static struct every_call *every_calls;
static bool every_cleaned;
static void (*every_told)(struct every_call *call); /* for who looks on; NULL: nobody does */

static struct every_call *every_begin(const struct every_row *row, struct shoal_scope *scope,
				      struct shoal_invocation *inv, enum every_step step);

/* --- completions ---------------------------------------------------------------------------------------------------
 */

static void told(struct every_call *call, int error)
{
	call->told++;
	call->cancelled += error == -ECANCELED;
	call->after_cleanup += every_cleaned;
	call->error = error;
	if (every_told)
		every_told(call);
	if (call->step == STEP_CALLBACK)
		shoal_scope_cancel(call->scope);
	/* Nothing begins in a scope that has ended: said at once, and never called back. */
	if (error == -ECANCELED || call->step == STEP_CALLBACK)
		every_begin(call->row, call->scope, call->inv, STEP_BEFORE);
}

static void on_timer(void *arg, int error)
{
	told(arg, error);
}

static void on_result(void *arg, const struct shoal_result *result)
{
	told(arg, result->error);
}

static void on_value(void *arg, const struct shoal_setting_answer *answer)
{
	told(arg, answer->error);
}

static void on_set(void *arg, const struct shoal_setting_outcome *outcome)
{
	told(arg, outcome->error);
}

static void on_rows(void *arg, int error, const struct shoal_rows *rows)
{
	(void)rows;
	told(arg, error);
}

static void on_written(void *arg, const struct shoal_written *written)
{
	told(arg, written->error);
}

static void on_message(void *arg, int error, const struct shoal_bus_message *message)
{
	struct every_call *call = arg;

	(void)message;
	if (error) {
		told(call, error);
		return;
	}
	call->heard++;
	if (call->step == STEP_CALLBACK)
		shoal_scope_cancel(call->scope);
}

static void on_http(void *arg, const struct shoal_http_result *result)
{
	told(arg, result->error);
}

static void on_scheduled(void *arg, const struct shoal_scheduled *result)
{
	told(arg, result->error);
}

static void on_jobs(void *arg, int error, const struct shoal_job_item *items, size_t count, bool complete)
{
	(void)items;
	(void)count;
	(void)complete;
	told(arg, error);
}

static void on_fetched(void *arg, const struct shoal_result *result, const struct shoal_fetched *got)
{
	(void)got;
	told(arg, result->error);
}

static void on_fleet(void *arg, int error, const struct shoal_fleet *fleet)
{
	(void)fleet;
	told(arg, error);
}

/* --- the calls -----------------------------------------------------------------------------------------------------
 */

#define BEGIN(name) static int begin_##name(struct every_call *call)

/* In a hung-up step it comes long after the test. */
BEGIN(timer_start)
{
	return shoal_timer_start(call->scope, call->step == STEP_LEFT ? 3600000 : 1, on_timer, call, NULL);
}

#define EFFECT(name, function, request, ...)                           \
	BEGIN(name)                                                    \
	{                                                              \
		const struct request asked = { __VA_ARGS__ };          \
                                                                       \
		return function(call->scope, &asked, on_result, call); \
	}
#define THE_MESSAGE .channel_id = every.channel_id, .message_id = every.message_id
#define THE_MEMBER  .guild_id = every.guild_id, .user_id = every.user_id
EFFECT(message_send, shoal_message_send, shoal_message_send, .channel_id = every.channel_id,
       .content = { .text = "every" })
EFFECT(dm_send, shoal_dm_send, shoal_dm_send, .user_id = every.user_id, .content = { .text = "every" })
EFFECT(message_edit, shoal_message_edit, shoal_message_edit, THE_MESSAGE, .content = { .text = "every" })
EFFECT(message_remove, shoal_message_remove, shoal_message_remove, THE_MESSAGE)
EFFECT(message_crosspost, shoal_message_crosspost, shoal_message_ref, THE_MESSAGE)
EFFECT(reaction_set, shoal_reaction_set, shoal_reaction_set, THE_MESSAGE, .emoji = "\xF0\x9F\x90\x9F")
EFFECT(thread_start, shoal_thread_start, shoal_thread_start, THE_MESSAGE, .name = "every")
EFFECT(webhook_execute, shoal_webhook_execute, shoal_webhook_execute, .webhook_id = 77, .token = "every",
       .content = { .text = "every" })
EFFECT(member_role, shoal_member_role, shoal_member_role, THE_MEMBER, .role_id = every.role_id)
EFFECT(member_timeout, shoal_member_timeout, shoal_member_timeout, THE_MEMBER)
EFFECT(member_nick, shoal_member_nick, shoal_member_nick, THE_MEMBER, .nick = "every")
EFFECT(member_kick, shoal_member_kick, shoal_member_ref, THE_MEMBER)
EFFECT(member_ban, shoal_member_ban, shoal_member_ban, THE_MEMBER)
EFFECT(member_unban, shoal_member_unban, shoal_member_ref, THE_MEMBER)
EFFECT(bulk_ban, shoal_bulk_ban, shoal_bulk_ban, .guild_id = every.guild_id, .users = &every.user_id, .user_count = 1)

static const struct shoal_content every_content = { .text = "every" };

BEGIN(followup)
{
	return shoal_followup(call->inv, &every_content, on_result, call);
}
BEGIN(followup_edit)
{
	return shoal_followup_edit(call->inv, every.message_id, &every_content, on_result, call);
}
BEGIN(followup_delete)
{
	return shoal_followup_delete(call->inv, every.message_id, on_result, call);
}
BEGIN(original_edit)
{
	return shoal_original_edit(call->inv, &every_content, on_result, call);
}
BEGIN(original_delete)
{
	return shoal_original_delete(call->inv, on_result, call);
}

BEGIN(setting_get)
{
	const struct shoal_place place = { every.guild_id, 0, 0 };

	return shoal_setting_get(call->scope, &place, "points", on_value, call);
}
BEGIN(setting_set)
{
	const struct shoal_setting_change change = {
		.layer = SHOAL_LAYER_GUILD, .place = { every.guild_id, 0, 0 }, .name = "points", .text = "3"
	};

	return shoal_setting_set(call->scope, &change, on_set, call);
}
BEGIN(query)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(5) };
	const struct shoal_query query = {
		.statement = "get", .guild_id = every.guild_id, .params = params, .param_count = 1
	};

	return shoal_query(call->scope, &query, on_rows, call);
}
BEGIN(write)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(5) };
	const struct shoal_write write = {
		.statement = "put", .guild_id = every.guild_id, .params = params, .param_count = 1, .key = "thing"
	};

	return shoal_write(call->scope, &write, on_written, call);
}
BEGIN(bus_subscribe)
{
	return shoal_bus_subscribe(call->scope, "news", on_message, call, NULL);
}
BEGIN(http_request)
{
	const struct shoal_http_request request = { .url = every.url };

	return shoal_http_request(call->scope, &request, on_http, call);
}
BEGIN(job_schedule)
{
	const struct shoal_schedule request = { .job = "later",
						.guild_id = every.guild_id,
						.at_ms = shoal_now_ms() + 3600 * 1000 };

	return shoal_schedule(call->scope, &request, on_scheduled, call);
}
BEGIN(job_cancel)
{
	const struct shoal_job_ref ref = { .job = "later", .guild_id = every.guild_id, .tag = 1 };

	return shoal_job_cancel(call->scope, &ref, on_scheduled, call);
}
BEGIN(job_list)
{
	const struct shoal_job_query query = { .job = "later", .guild_id = every.guild_id };

	return shoal_job_list(call->scope, &query, on_jobs, call);
}
BEGIN(user_fetch)
{
	return shoal_user_fetch(call->scope, every.user_id, on_fetched, call);
}
BEGIN(member_fetch)
{
	return shoal_member_fetch(call->scope, every.guild_id, every.user_id, on_fetched, call);
}
BEGIN(guild_fetch)
{
	return shoal_guild_fetch(call->scope, every.guild_id, on_fetched, call);
}
BEGIN(channel_fetch)
{
	return shoal_channel_fetch(call->scope, every.channel_id, on_fetched, call);
}
BEGIN(roles_fetch)
{
	return shoal_roles_fetch(call->scope, every.guild_id, on_fetched, call);
}
BEGIN(role_counts_fetch)
{
	return shoal_role_counts_fetch(call->scope, every.guild_id, on_fetched, call);
}
BEGIN(fleet_ask)
{
	return shoal_fleet_ask(call->scope, on_fleet, call);
}

/* By the names of struct shoal_api; a function that stands there and calls back must stand here. */
static const struct every_row every_rows[] = {
	{ "timer_start", false, false, begin_timer_start },
	{ "followup", true, false, begin_followup },
	{ "followup_edit", true, false, begin_followup_edit },
	{ "followup_delete", true, false, begin_followup_delete },
	{ "original_edit", true, false, begin_original_edit },
	{ "original_delete", true, false, begin_original_delete },
	{ "message_send", false, false, begin_message_send },
	{ "dm_send", false, false, begin_dm_send },
	{ "message_edit", false, false, begin_message_edit },
	{ "message_remove", false, false, begin_message_remove },
	{ "message_crosspost", false, false, begin_message_crosspost },
	{ "reaction_set", false, false, begin_reaction_set },
	{ "thread_start", false, false, begin_thread_start },
	{ "webhook_execute", false, false, begin_webhook_execute },
	{ "member_role", false, false, begin_member_role },
	{ "member_timeout", false, false, begin_member_timeout },
	{ "member_nick", false, false, begin_member_nick },
	{ "member_kick", false, false, begin_member_kick },
	{ "member_ban", false, false, begin_member_ban },
	{ "member_unban", false, false, begin_member_unban },
	{ "bulk_ban", false, false, begin_bulk_ban },
	{ "setting_get", false, false, begin_setting_get },
	{ "setting_set", false, false, begin_setting_set },
	{ "query", false, false, begin_query },
	{ "write", false, false, begin_write },
	{ "bus_subscribe", false, true, begin_bus_subscribe },
	{ "http_request", false, false, begin_http_request },
	{ "job_schedule", false, false, begin_job_schedule },
	{ "job_cancel", false, false, begin_job_cancel },
	{ "job_list", false, false, begin_job_list },
	{ "fetch", false, false, begin_user_fetch },
	{ "fetch", false, false, begin_member_fetch },
	{ "fetch", false, false, begin_guild_fetch },
	{ "fetch", false, false, begin_channel_fetch },
	{ "fetch", false, false, begin_roles_fetch },
	{ "fetch", false, false, begin_role_counts_fetch },
	{ "fleet_ask", false, false, begin_fleet_ask },
};

/* --- ending the scope ----------------------------------------------------------------------------------------------
 */

static void end_now(struct every_call *call)
{
	shoal_scope_cancel(call->scope);
	if (call->held) {
		call->held = false;
		shoal_scope_release(call->scope); /* gone, unless somebody else holds it */
	}
}

/* A timer of the module's own scope. */
static void on_end_time(void *arg, int error)
{
	struct every_call *call = arg;
	uint64_t until = shoal_clock_ns() + 30000000;

	while (call->step == STEP_THERE && error == 0 && shoal_clock_ns() < until)
		; /* the answer comes into the socket meanwhile */
	end_now(call);
}

/* A timer of the call's own scope. */
static void on_other(void *arg, int error)
{
	struct every_call *call = arg;

	if (error == 0)
		shoal_scope_cancel(call->scope);
}

/* Begins one in @scope, and sees to its end. */
static struct every_call *every_begin(const struct every_row *row, struct shoal_scope *scope,
				      struct shoal_invocation *inv, enum every_step step)
{
	struct every_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	*call = (struct every_call){ .next = every_calls,
				     .row = row,
				     .scope = scope,
				     .module = shoal_scope_of_module(scope),
				     .inv = inv,
				     .step = step };
	every_calls = call;
	if (step == STEP_BEFORE)
		shoal_scope_cancel(scope);
	if (step == STEP_OTHER)
		shoal_timer_start(scope, every.delay_ms, on_other, call, NULL);
	call->begun = row->begin(call);
	if (step == STEP_QUEUED)
		shoal_scope_cancel(scope);
	if (step == STEP_WIRE || step == STEP_THERE || (step == STEP_FREE && row->lasts)) {
		shoal_scope_hold(scope);
		call->held = true;
		if (shoal_timer_start(call->module, every.delay_ms, on_end_time, call, NULL) < 0)
			end_now(call);
	}
	return call;
}

/* --- the module ----------------------------------------------------------------------------------------------------
 */

static enum every_step every_step_of(const char *word)
{
	enum every_step step = STEP_FREE;

	while (step < STEP_COUNT - 1 && strcmp(every_step_words[step], word) != 0)
		step++;
	return step;
}

/* What a run of the job "later" is to begin; without it, it begins nothing. */
struct every_order {
	unsigned row;
	enum every_step step;
};

static void every_order_job(struct shoal_scope *scope, unsigned row, enum every_step step)
{
	const struct every_order order = { row, step };
	const struct shoal_schedule request = { .job = "later",
						.guild_id = every.guild_id,
						.at_ms = shoal_now_ms(),
						.payload = &order,
						.payload_len = sizeof(order) };

	if (shoal_schedule(scope, &request, NULL, NULL) < 0)
		shoal_log(scope, SHOAL_LOG_ERROR, "every.wrong", "a job can't be ordered");
}

/* "every STEP event|module|job ROW [URL]": the call of that row, in the scope of the message, of the module, or of a
 * job. */
static void every_said(struct shoal_scope *scope, const struct shoal_event *event)
{
	const struct shoal_message *message = event->message;
	char text[192], step[16] = "", where[16] = "";
	unsigned row = 0;

	if (message->content.len >= sizeof(text) || !shoal_str_starts(message->content, SHOAL_STR("every ")))
		return;
	memcpy(text, message->content.ptr, message->content.len);
	text[message->content.len] = '\0';
	if (sscanf(text, "every %15s %15s %u %127s", step, where, &row, every.url) < 3 ||
	    row >= SHOAL_COUNT(every_rows))
		return;
	every.guild_id = message->guild_id;
	every.channel_id = message->channel_id;
	every.user_id = message->author.id;
	every.message_id = message->id;
	if (message->member && message->member->roles.count)
		every.role_id = message->member->roles.items[0];
	if (strcmp(where, "job") == 0) {
		every_order_job(scope, row, every_step_of(step));
		return;
	}
	if (strcmp(where, "module") == 0)
		scope = shoal_scope_of_module(scope);
	every_begin(&every_rows[row], scope, NULL, every_step_of(step));
}

static void every_use(struct shoal_invocation *inv)
{
	int64_t row = shoal_invocation_integer(inv, "row", 0);

	every.guild_id = shoal_invocation_guild_id(inv);
	every.channel_id = shoal_invocation_channel_id(inv);
	every.user_id = shoal_invocation_user_id(inv);
	shoal_reply_text(inv, "begun");
	every_begin(&every_rows[row % (int64_t)SHOAL_COUNT(every_rows)], shoal_invocation_scope(inv), inv,
		    every_step_of(shoal_invocation_string(inv, "step", "free")));
}

/* Told more than once, or never to be told and told; or not with -ECANCELED where nothing else could come. */
static bool every_is_wrong(const struct every_call *call)
{
	if (call->step == STEP_BEFORE)
		return call->begun != -ECANCELED || call->told;
	if (call->begun != 0)
		return true;
	/* What is in a cache is told at once. */
	if (call->step == STEP_QUEUED && call->told && !call->cancelled)
		return strncmp(call->row->name, "setting_", 8) != 0;
	return call->told > 1 || call->after_cleanup;
}

/* How many calls are open, and what was wrong so far; the log has each that was. */
static void every_report(struct shoal_scope *scope, const char *when)
{
	unsigned calls = 0, ordered = 0, open = 0, wrong = 0, cancelled = 0, failed = 0;

	for (struct every_call *call = every_calls; call; call = call->next) {
		calls++;
		ordered += call->step != STEP_BEFORE;
		open += call->begun == 0 && call->told == 0;
		cancelled += call->cancelled;
		failed += call->told && call->error != 0 && call->error != -ECANCELED;
		if (!every_is_wrong(call))
			continue;
		wrong++;
		shoal_log(scope, SHOAL_LOG_ERROR, "every.wrong", "%s %s: begun %d, told %u, cancelled %u, late %u",
			  call->row->name, every_step_words[call->step], call->begun, call->told, call->cancelled,
			  call->after_cleanup);
	}
	shoal_log(scope, SHOAL_LOG_INFO, "every.report",
		  "%s: calls %u ordered %u open %u wrong %u cancelled %u failed %u", when, calls, ordered, open, wrong,
		  cancelled, failed);
}

static void every_tell(struct shoal_invocation *inv)
{
	/* For subscriptions that wait for something to be heard. */
	int r = shoal_bus_publish(shoal_invocation_scope(inv), "news", "hi", 2);

	every_report(shoal_invocation_scope(inv), "asked");
	shoal_reply_printf(inv, "told %d", r);
}

/* Before it, everything was told; begun now, nothing is any more. */
static void every_cleanup(struct shoal_scope *module)
{
	for (size_t i = 0; i < SHOAL_COUNT(every_rows); i++) {
		if (!every_rows[i].answers)
			every_begin(&every_rows[i], module, NULL, STEP_BEFORE);
	}
	every_report(module, "cleanup");
	every_cleaned = true;
}

static void every_later(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	struct every_order order;

	if (run->payload_len != sizeof(order))
		return;
	memcpy(&order, run->payload, sizeof(order));
	every_begin(&every_rows[order.row], scope, NULL, order.step);
}

static const struct shoal_setting every_settings[] = {
	{ .name = "points",
	  .type = SHOAL_SETTING_INTEGER,
	  .layers = SHOAL_LAYER_GUILD,
	  .fallback = "1",
	  .description = "points" },
};
static const struct shoal_statement every_statements[] = {
	{ .name = "get",
	  .sql = "SELECT x FROM shoal.every__thing WHERE guild_id = $1 AND x = $2",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8 },
	  .columns = { SHOAL_SQL_INT8 },
	  .flags = SHOAL_SQL_READS },
	{ .name = "put",
	  .sql = "INSERT INTO shoal.every__thing (guild_id, x) VALUES ($1, $2) ON CONFLICT DO NOTHING",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8 } },
};
static const struct shoal_job every_jobs[] = { { .name = "later", .handle = every_later } };
static const struct shoal_event_row every_events[] = { { SHOAL_EVENT_MESSAGE_CREATE, every_said } };
static const struct shoal_command_option every_options[] = {
	{ .name = "row", .description = "Which call", .type = SHOAL_OPTION_INTEGER, .required = true },
	{ .name = "step", .description = "When its scope ends", .type = SHOAL_OPTION_STRING, .required = true },
};
static const struct shoal_command every_children[] = {
	{ .name = "use",
	  .description = "Makes a call",
	  .options = every_options,
	  .option_count = 2,
	  .handle = every_use },
	{ .name = "tell", .description = "Says what came of them", .handle = every_tell },
};
static const struct shoal_command every_command = {
	.name = "every", .description = "A test", .children = every_children, .child_count = 2
};
static const struct shoal_command *const every_commands[] = { &every_command };

SHOAL_MODULE(every, .version = "1", .description = "Every call", SHOAL_COMMANDS(every_commands),
	     SHOAL_EVENT_ROWS(every_events), SHOAL_SETTINGS(1, every_settings), SHOAL_STATEMENTS(every_statements),
	     SHOAL_JOBS(every_jobs), .cleanup = every_cleanup);
