/* Every asynchronous function of the contract, its scope ended at every step of the call: before it is begun, in the
 * function that began it, after each thing that happens to it (it leaves; an answer comes; the next request leaves …),
 * when its answer is there and not told yet, in its own callback, in another's of the same scope, and by the worker's
 * stop, with the module's cleanup. Each completes exactly once and nothing comes later; the scope goes with the last
 * callback and not before it (ASan looks on). The module host, scopes, commands, journal and scheduler are the real
 * ones; what they ask of the outside is stood in for, so that each step comes when it is let. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "shard/modhost/jobs.h"
#include "shard/modhost/modhost.h"
#include "shard/schedule/schedule.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/settings/settings_write.h"
#include "tests/integration/harness/every_call.c"
#include "tests/unit/http_stub.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/tmpdir.h"

#define WAIT_MS   30000
#define STEPS_MAX 32

/* --- the edges of the worker ----------------------------------------------------------------------------------------
 */

enum edge_kind { EDGE_REST, EDGE_DB, EDGE_OUTBOX, EDGE_GET, EDGE_SET, EDGE_FLEET };

/* Something that the outside was asked for. */
struct edge {
	struct edge *prev, *next;
	enum edge_kind kind;
	uint64_t handle;
	void *fn, *arg;
	struct rest_request request;
	bool left;
	unsigned part;
};

static struct edge *edges;
static uint64_t handles;
static unsigned parts;

static struct {
	bool on, told;
	bus_message_fn fn;
	void *arg;
} subscribed;

static struct edge *edge_new(enum edge_kind kind, void *fn, void *arg)
{
	struct edge *edge = calloc(1, sizeof(*edge));

	assert_non_null(edge);
	*edge = (struct edge){ .kind = kind, .handle = ++handles, .fn = fn, .arg = arg, .part = parts };
	DL_APPEND(edges, edge);
	return edge;
}

int __wrap_rest_send(struct rest *rest, const struct rest_request *request, rest_fn fn, void *arg,
		     uint64_t *ret_handle);
int __wrap_rest_cancel(struct rest *rest, uint64_t handle);
bool __wrap_db_is_on(const struct db *db);
int __wrap_db_query(struct db *db, const struct statement *statement, const struct db_param *params, size_t count,
		    db_result_fn fn, void *arg);
int __wrap_outbox_write(struct outbox *outbox, const struct outbox_write *write, outbox_fn fn, void *arg);
bool __wrap_outbox_pending(const struct outbox *outbox, struct outbox_key key, uint64_t asked_ns,
			   const char **ret_value, size_t *ret_len);
int __wrap_settings_get(struct settings *settings, const struct settings_place *place, const char *name, settings_fn fn,
			void *arg);
void __wrap_settings_set(struct settings *settings, const struct settings_change *change, const char *text,
			 settings_done_fn fn, void *arg);
bool __wrap_bus_is_on(const struct bus *bus);
int __wrap_bus_subscribe(struct bus *bus, enum subject_id id, const struct subject_params *params, bus_message_fn fn,
			 void *arg, struct bus_subscription **ret_subscription);
void __wrap_bus_unsubscribe(struct bus_subscription *subscription);
int __wrap_control_link_request(struct control_link *link, json_t *request, uint64_t timeout_ms, control_answer_fn fn,
				void *arg);

int __wrap_rest_send(struct rest *rest, const struct rest_request *request, rest_fn fn, void *arg, uint64_t *ret_handle)
{
	struct edge *edge = edge_new(EDGE_REST, (void *)(uintptr_t)fn, arg);

	(void)rest;
	json_decref(request->json);
	edge->request = (struct rest_request){ .route = request->route, .leaving = request->leaving };
	if (ret_handle)
		*ret_handle = edge->handle;
	return 0;
}

static void answer_rest(struct edge *edge, int error)
{
	static const char *const list = "[{\"id\":\"10\",\"name\":\"role\",\"permissions\":\"0\"}]";
	static const char *const object =
		"{\"id\":\"9\",\"channel_id\":\"8\",\"name\":\"n\",\"username\":\"u\",\"type\":0,"
		"\"joined_at\":\"2024-01-01T00:00:00Z\",\"roles\":[],\"owner_id\":\"9\"}";
	const char *text = edge->request.route == ROUTE_GET_ROLES ? list : object;
	struct rest_result result = { .error = error, .message = "" };

	DL_DELETE(edges, edge);
	if (error == 0) {
		result.http_status = 200;
		result.body = json_loads(text, 0, NULL);
		assert_non_null(result.body);
	}
	((rest_fn)(uintptr_t)edge->fn)(edge->arg, &result);
	json_decref(result.body);
	free(edge);
}

/* As the client's: told before it returns. */
int __wrap_rest_cancel(struct rest *rest, uint64_t handle)
{
	struct edge *edge;

	(void)rest;
	DL_FOREACH (edges, edge) {
		if (edge->handle != handle)
			continue;
		answer_rest(edge, -ECANCELED);
		return 0;
	}
	return -ENOENT;
}

bool __wrap_db_is_on(const struct db *db)
{
	return db != NULL;
}

int __wrap_db_query(struct db *db, const struct statement *statement, const struct db_param *params, size_t count,
		    db_result_fn fn, void *arg)
{
	(void)db;
	(void)statement;
	(void)params;
	(void)count;
	edge_new(EDGE_DB, (void *)(uintptr_t)fn, arg);
	return 0;
}

int __wrap_outbox_write(struct outbox *outbox, const struct outbox_write *write, outbox_fn fn, void *arg)
{
	(void)outbox;
	(void)write;
	edge_new(EDGE_OUTBOX, (void *)(uintptr_t)fn, arg);
	return 0;
}

static int module_write(void *arg, const struct outbox_write *write, outbox_fn fn, void *fn_arg)
{
	return __wrap_outbox_write(arg, write, fn, fn_arg);
}

bool __wrap_outbox_pending(const struct outbox *outbox, struct outbox_key key, uint64_t asked_ns,
			   const char **ret_value, size_t *ret_len)
{
	(void)outbox;
	(void)key;
	(void)asked_ns;
	(void)ret_value;
	(void)ret_len;
	return false;
}

int __wrap_settings_get(struct settings *settings, const struct settings_place *place, const char *name, settings_fn fn,
			void *arg)
{
	(void)settings;
	(void)place;
	assert_string_equal(name, "every.points");
	edge_new(EDGE_GET, (void *)(uintptr_t)fn, arg);
	return 0;
}

void __wrap_settings_set(struct settings *settings, const struct settings_change *change, const char *text,
			 settings_done_fn fn, void *arg)
{
	(void)settings;
	(void)change;
	(void)text;
	edge_new(EDGE_SET, (void *)(uintptr_t)fn, arg);
}

bool __wrap_bus_is_on(const struct bus *bus)
{
	return bus != NULL;
}

int __wrap_bus_subscribe(struct bus *bus, enum subject_id id, const struct subject_params *params, bus_message_fn fn,
			 void *arg, struct bus_subscription **ret_subscription)
{
	(void)bus;
	assert_int_equal(id, SUBJECT_MODULE);
	assert_string_equal(params->module, "every");
	assert_false(subscribed.on);
	subscribed.on = true;
	subscribed.fn = fn;
	subscribed.arg = arg;
	*ret_subscription = (struct bus_subscription *)&subscribed;
	return 0;
}

void __wrap_bus_unsubscribe(struct bus_subscription *subscription)
{
	assert_ptr_equal(subscription, &subscribed);
	assert_true(subscribed.on);
	subscribed.on = false;
}

/* A large fleet answers in two parts. */
int __wrap_control_link_request(struct control_link *link, json_t *request, uint64_t timeout_ms, control_answer_fn fn,
				void *arg)
{
	(void)link;
	(void)timeout_ms;
	parts = json_integer_value(json_object_get(request, "first")) > 0;
	json_decref(request);
	edge_new(EDGE_FLEET, (void *)(uintptr_t)fn, arg);
	return 0;
}

static void answer_fleet(const struct edge *edge)
{
	json_t *part = edge->part ? json_pack("{s:[{s:i, s:s}]}", "shards", "id", 1, "state", "ready")
				  : json_pack("{s:[{s:i, s:s}], s:i}", "shards", "id", 0, "state", "ready", "next", 1);

	((control_answer_fn)(uintptr_t)edge->fn)(edge->arg, 0, part);
	json_decref(part);
}

/* What was asked first goes on: a request leaves, then is answered; all else is answered, whether anybody listens. */
static void edge_step(struct edge *edge)
{
	static const struct shoal_setting_value five = { .type = SHOAL_SETTING_INTEGER, .integer = 5 };
	const struct setting_answer value = { .value = &five, .from = SETTINGS_GUILD, .sure = true };
	const struct settings_outcome outcome = { .version = 1 };
	int r;

	if (edge->kind == EDGE_REST && !edge->left) {
		edge->left = true;
		r = edge->request.leaving ? edge->request.leaving(edge->arg) : 0;
		if (r < 0)
			answer_rest(edge, r);
		return;
	}
	if (edge->kind == EDGE_REST) {
		answer_rest(edge, 0);
		return;
	}
	DL_DELETE(edges, edge);
	if (edge->kind == EDGE_DB)
		((db_result_fn)(uintptr_t)edge->fn)(edge->arg, 0, NULL);
	else if (edge->kind == EDGE_OUTBOX)
		((outbox_fn)(uintptr_t)edge->fn)(edge->arg, 0, OUTBOX_WRITTEN, NULL);
	else if (edge->kind == EDGE_GET)
		((settings_fn)(uintptr_t)edge->fn)(edge->arg, &value);
	else if (edge->kind == EDGE_SET)
		((settings_done_fn)(uintptr_t)edge->fn)(edge->arg, &outcome);
	else
		answer_fleet(edge);
	free(edge);
}

/* --- a worker --------------------------------------------------------------------------------------------------------
 */

static struct stub stub;
static char somewhere; /* address of what is stood in for */

static struct {
	char dir[TMPDIR_SIZE];
	struct loop loop;
	struct board_shard *board;
	struct modhost *host;
	struct effects *effects;
	struct schedule *schedule;
	struct commands commands;
	_Atomic uint64_t counters[BOARD_COUNTER_COUNT];
	bool effects_closed, stopped;
} on;

/* Of the event (or the interaction) whose scope it is. */
static unsigned tickets_over;
static struct every_call *watched;

static void ticket_over(void *arg)
{
	(void)arg;
	tickets_over++;
}

static int ticket_may(void *arg)
{
	(void)arg;
	return 0;
}

static struct ticket *ticket_new(bool again)
{
	const struct ticket_run run = {
		.key = event_key_of_job(5, 1), .job_id = 5, .again = again, .over = ticket_over, .may_act = ticket_may
	};
	struct ticket *ticket = ticket_of_run(&run);

	assert_non_null(ticket);
	return ticket;
}

static void world_open(void)
{
	struct journal_options journal = { .runtime_dir = on.dir, .generation = 1, .max_mib = 1 };
	struct schedule_options schedule = { .loop = &on.loop,
					     .db = (struct db *)(void *)&somewhere,
					     .outbox = (struct outbox *)(void *)&somewhere,
					     .counters = on.counters,
					     .runtime_dir = on.dir,
					     .generation = 1,
					     .shard_count = 1,
					     .open_max = 8,
					     .guild_open_max = 8,
					     .look_s = 60,
					     .find = jobs_find,
					     .module = jobs_module,
					     .row = jobs_row };
	struct command_services services = { .loop = &on.loop,
					     .counters = on.counters,
					     .control = (struct control_link *)(void *)&somewhere };
	struct modhost_options host = { .loop = &on.loop,
					.commands = &on.commands,
					.counters = on.counters,
					.rules = { .crashes = 3, .window_s = 600, .retry_s = 60, .retry_cap_s = 600 },
					.settings = (struct settings *)(void *)&somewhere,
					.db = (struct db *)(void *)&somewhere,
					.bus = (struct bus *)(void *)&somewhere,
					.outbox = { .write = module_write, .arg = &somewhere },
					.http_private = true };
	char error[LOADER_ERROR_SIZE];
	bool damaged;

	memset(&on, 0, sizeof(on));
	memset(&subscribed, 0, sizeof(subscribed));
	tmpdir_make(on.dir);
	assert_int_equal(loop_init(&on.loop), 0);
	assert_int_equal(board_shard_create(on.dir, 1, 0, 1, 64, &damaged), 0);
	assert_int_equal(board_shard_open(on.dir, 1, 0, true, &on.board), 0);
	board_shard_set_owner(on.board, 1, 1, "test");
	loader_clear();
	if (loader_add(&shoal_module_every, NULL, error) < 0)
		fail_msg("%s", error);
	assert_int_equal(effects_new(&on.loop, &journal, NULL, on.counters, &on.effects), 0);
	schedule.effects = services.effects = host.effects = on.effects;
	assert_int_equal(schedule_new(&schedule, &on.schedule), 0);
	assert_int_equal(commands_init(&on.commands, &services), 0);
	host.schedule = on.schedule;
	host.board = on.board;
	assert_int_equal(modhost_new(&host, &on.host), 0);
	modhost_start(on.host);
	snprintf(every.url, sizeof(every.url), "http://127.0.0.1:%d/", stub.port);
	every.delay_ms = 0;
}

/* As close_parts() of the worker does it. */
static void world_stop(void)
{
	if (on.stopped)
		return;
	on.stopped = true;
	commands_closing(&on.commands);
	schedule_closing(on.schedule);
	modhost_close(on.host);
	assert_true(every_cleaned);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void world_close(void)
{
	world_stop();
	while (edges)
		edge_step(edges);
	effects_close(on.effects, set_flag, &on.effects_closed);
	assert_true(loop_wait_for(&on.loop, loop_wait_true, &on.effects_closed, WAIT_MS));
	assert_null(edges);
	assert_null(on.commands.open);
	commands_finish(&on.commands);
	assert_int_equal(loop_finish(&on.loop), 0); /* no handle is left */
	on.schedule = schedule_free(on.schedule);
	on.host = modhost_free(on.host);
	board_shard_close(on.board);
	tmpdir_remove(on.dir);
	loader_clear();
}

static const struct every_row *every_find(const char *name)
{
	for (size_t i = 0; i < SHOAL_COUNT(every_rows); i++) {
		if (strcmp(every_rows[i].name, name) == 0)
			return &every_rows[i];
	}
	return NULL;
}

static void every_free(void)
{
	struct every_call *call;

	while ((call = every_calls)) {
		every_calls = call->next;
		free(call);
	}
	every_cleaned = false;
}

/* --- one call --------------------------------------------------------------------------------------------------------
 */

enum whose { OF_EVENT, OF_MODULE, OF_INVOCATION, WHOSE_COUNT };

static void look_on(struct every_call *call)
{
	if (call == watched)
		assert_int_equal(tickets_over, 0); /* its scope is not gone before the last callback */
}

static size_t row_number(const struct every_row *row)
{
	return (size_t)(row - every_rows);
}

static void begin_in_event(const struct every_row *row, enum every_step step, bool again)
{
	struct ticket *ticket = ticket_new(again);
	char text[64];
	struct shoal_message message = { .id = 11, .channel_id = 8, .guild_id = 7, .author = { .id = 9 } };
	struct shoal_event event = { .type = SHOAL_EVENT_MESSAGE_CREATE, .guild_id = 7, .message = &message };

	snprintf(text, sizeof(text), "every %s event %zu", every_step_words[step], row_number(row));
	message.content = (struct shoal_str){ text, (uint32_t)strlen(text) };
	modhost_event(on.host, &event, ticket);
	ticket_release(ticket);
}

static void begin_in_invocation(const struct every_row *row, enum every_step step, bool again)
{
	struct ticket *ticket = ticket_new(again);
	struct invocation_source source = { .form = INVOCATION_SLASH,
					    .event_id = shoal_snowflake_at((uint64_t)clock_wall_ms()),
					    .application_id = 5,
					    .guild_id = 7,
					    .channel_id = 8,
					    .user_id = 9,
					    .token = SHOAL_STR("token"),
					    .ticket = ticket };
	struct shoal_invocation *inv;
	struct culprit_frame frame;

	assert_int_equal(invocation_new(&on.commands, &source, &inv), 0);
	ticket_release(ticket);
	invocation_set_owner(inv, &loader_get(0)->entry);
	scope_enter(&frame, invocation_scope(inv), CULPRIT_COMMAND);
	assert_int_equal(shoal_reply_text(inv, "begun"), 0);
	every_begin(row, invocation_scope(inv), inv, step);
	culprit_leave(&frame);
	invocation_release(inv);
}

static void begin(const struct every_row *row, enum whose whose, enum every_step step, bool again)
{
	tickets_over = 0;
	watched = NULL;
	if (whose == OF_EVENT)
		begin_in_event(row, step, again);
	else if (whose == OF_INVOCATION)
		begin_in_invocation(row, step, again);
	else
		every_begin(row, &loader_get(0)->scope, NULL, step);
	/* Calls that were begun meanwhile from callbacks stand before it. */
	for (watched = every_calls; watched->step == STEP_BEFORE && step != STEP_BEFORE; watched = watched->next)
		;
	assert_ptr_equal(watched->row, row);
}

static bool something_came(void *arg)
{
	const struct every_call *call = arg;

	return edges || call->told > 0;
}

/* False: nothing is left that could. */
static bool happen(struct every_call *call)
{
	const struct bus_message message = { .payload = "hi", .len = 2 };

	if (edges) {
		edge_step(edges);
		return true;
	}
	if (subscribed.on && !subscribed.told) {
		subscribed.told = true;
		subscribed.fn(subscribed.arg, NULL, &message);
		return true;
	}
	if (call->told || call->begun < 0 || (call->row->lasts && call->step == STEP_LEFT))
		return false;
	assert_true(loop_wait_for(&on.loop, something_came, call, WAIT_MS));
	return true;
}

static void nothing(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* What is late comes, and two turns of the loop. */
static void let_late_come(void)
{
	for (int turn = 0; turn < 2; turn++) {
		uv_timer_t timer;
		bool turned = false;

		while (edges)
			edge_step(edges);
		uv_timer_init(&on.loop.uv, &timer);
		timer.data = &turned;
		uv_timer_start(&timer, nothing, 1, 0);
		assert_true(loop_wait_for(&on.loop, loop_wait_true, &turned, WAIT_MS));
		uv_close((uv_handle_t *)&timer, NULL);
		uv_run(&on.loop.uv, UV_RUN_NOWAIT);
	}
}

/* All that were begun: each completed as often as it must. */
static void judge(enum whose whose, const char *what)
{
	const struct every_call *call;

	for (call = every_calls; call; call = call->next) {
		if (every_is_wrong(call) || (call->begun == 0 && call->told != 1))
			fail_msg("%s of %d, %s: begun %d, told %u, cancelled %u, late %u", call->row->name, (int)whose,
				 what, call->begun, call->told, call->cancelled, call->after_cleanup);
	}
	if (whose != OF_MODULE)
		assert_int_equal(tickets_over, 1); /* the scope is gone, once */
}

static void finish(enum whose whose, const char *what)
{
	let_late_come();
	judge(whose, what);
	world_close();
	judge(whose, what);
	assert_int_equal(loader_get(0)->entry.calls, 0);
	assert_int_equal(loader_get(0)->scope_refs, 0);
	every_free();
}

/* The whole of it, not ended by anybody: how many things happen to it. */
static void run_through(struct every_call *call)
{
	int steps = 0;

	while (happen(call))
		assert_true(++steps < STEPS_MAX);
}

/* --- the ways
 * ---------------------------------------------------------------------------------------------------------- */

static enum every_step undisturbed(const struct every_row *row)
{
	return row->lasts ? STEP_LEFT : STEP_FREE;
}

static bool fits(const struct every_row *row, enum whose whose)
{
	return !row->answers || whose == OF_INVOCATION;
}

/* Ends the scope after @steps things have happened. True: it was through before, and nobody was there to be ended. */
static bool end_after(const struct every_row *row, enum whose whose, int steps, bool again)
{
	bool through = false;
	struct shoal_scope *scope;

	world_open();
	if (again) { /* a worker before us had done it: the answer is there at once, and is told soon */
		begin(row, whose, undisturbed(row), false);
		run_through(watched);
		if (row->lasts)
			shoal_scope_cancel(watched->scope);
		let_late_come();
		subscribed.told = false;
	}
	begin(row, whose, undisturbed(row), again);
	assert_int_equal(watched->begun, 0);
	scope = watched->scope;
	for (int i = 0; i < steps && !through; i++)
		through = !happen(watched);
	if (tickets_over == 0) {
		shoal_scope_hold(scope);
		shoal_scope_cancel(scope);
		assert_int_equal(watched->told, 1);
		assert_int_equal(tickets_over, 0);
		shoal_scope_release(scope);
	}
	if (steps == 0 && !again)
		assert_int_equal(watched->cancelled, 1);
	finish(whose, again ? "ended when it was remembered" : "ended between");
	return through;
}

static bool stopped_after(const struct every_row *row, enum whose whose, int steps)
{
	bool through = false;

	world_open();
	begin(row, whose, undisturbed(row), false);
	for (int i = 0; i < steps && !through; i++)
		through = !happen(watched);
	world_stop();
	assert_int_equal(watched->told, 1); /* before the worker goes on to close the rest */
	finish(whose, "stopped");
	return through;
}

static bool is_told(void *arg)
{
	return ((const struct every_call *)arg)->told > 0;
}

/* As the module itself ends it; @steps of it happen before the loop turns. True: it was through by then. */
static bool by_itself(const struct every_row *row, enum whose whose, enum every_step step, int steps)
{
	bool through = false;

	world_open();
	begin(row, whose, step, false);
	if (step == STEP_BEFORE) {
		assert_int_equal(watched->begun, -ECANCELED);
	} else if (step == STEP_OTHER || step == STEP_WIRE) { /* a timer does it, at the loop's next turn */
		for (int i = 0; i < steps && !through; i++) {
			through = !edges;
			if (edges)
				edge_step(edges);
		}
		assert_true(loop_wait_for(&on.loop, is_told, watched, WAIT_MS));
	} else {
		run_through(watched);
		assert_int_equal(watched->told, 1);
		through = true;
	}
	finish(whose, every_step_words[step]);
	return through;
}

static void at_every_step(void **state)
{
	static const enum every_step steps[] = { STEP_BEFORE, STEP_QUEUED, STEP_WIRE, STEP_CALLBACK, STEP_OTHER };
	size_t runs = 0;

	(void)state;
	for (size_t i = 0; i < SHOAL_COUNT(every_rows); i++) {
		const struct every_row *row = &every_rows[i];

		for (enum whose whose = OF_EVENT; whose < WHOSE_COUNT; whose++) {
			if (!fits(row, whose))
				continue;
			for (size_t step = 0; step < SHOAL_COUNT(steps); step++, runs++)
				by_itself(row, whose, steps[step], 0);
			for (int after = 1; !by_itself(row, whose, STEP_OTHER, after); after++, runs++)
				assert_true(after < STEPS_MAX);
			for (int after = 0; !end_after(row, whose, after, false); after++, runs++)
				assert_true(after < STEPS_MAX);
			for (int after = 0; !stopped_after(row, whose, after); after++, runs++)
				assert_true(after < STEPS_MAX);
			if (whose == OF_MODULE)
				continue; /* is of no event, so nothing is remembered */
			for (int after = 0; !end_after(row, whose, after, true); after++, runs++)
				assert_true(after < STEPS_MAX);
		}
	}
	print_message("%zu calls\n", runs);
	assert_true(runs > 10 * SHOAL_COUNT(every_rows));
}

/* --- none is left out
 * ------------------------------------------------------------------------------------------------- */

/* From ... (*NAME)( … fn … ); and SHOAL_EFFECT(NAME, …) of struct shoal_api. */
static bool next_function(char **at, char *name, size_t size, bool *calls_back)
{
	char *end = strchr(*at, ';'), *begin_, *stop;

	if (!end)
		return false;
	*end = '\0';
	begin_ = strstr(*at, "SHOAL_EFFECT(");
	*calls_back = begin_ || strstr(*at, "(*fn)");
	if (begin_)
		begin_ += strlen("SHOAL_EFFECT(");
	else if ((begin_ = strstr(*at, "(*")))
		begin_ += 2;
	stop = begin_ ? strpbrk(begin_, ",)") : NULL;
	if (stop)
		snprintf(name, size, "%.*s", (int)(stop - begin_), begin_);
	else
		name[0] = '\0'; /* abi, size */
	*at = end + 1;
	return true;
}

static void every_function_that_calls_back_has_a_row(void **state)
{
	static char text[65536];
	FILE *header = fopen("include/shoal/api.h", "re");
	size_t functions = 0, found = 0, len;
	char *at, *end, name[64];
	bool calls_back;

	(void)state;
	assert_non_null(header); /* tests are run from the top */
	len = fread(text, 1, sizeof(text) - 1, header);
	fclose(header);
	assert_in_range(len, 1000, sizeof(text) - 2);
	at = strstr(text, "struct shoal_api {");
	assert_non_null(at);
	end = strstr(at, "\n};");
	assert_non_null(end);
	*end = '\0';
	/* The macro's own text is no function. */
	for (char *define = at; (define = strstr(define, "#define SHOAL_EFFECT"));) {
		char *after = strstr(define, "SHOAL_EFFECT(message_send");

		assert_non_null(after);
		memset(define, ' ', (size_t)(after - define));
	}
	while (next_function(&at, name, sizeof(name), &calls_back)) {
		functions += name[0] != '\0';
		if (!calls_back)
			continue;
		found++;
		if (!every_find(name))
			fail_msg("%s() of struct shoal_api calls back, and has no row in "
				 "tests/integration/harness/every_call.c",
				 name);
	}
	/* Nothing was overlooked: each member but the first two is a pointer. */
	assert_int_equal(functions,
			 (sizeof(struct shoal_api) - offsetof(struct shoal_api, scope_hold)) / sizeof(void (*)(void)));
	assert_in_range(found, 30, functions);
}

static int set_up(void **state)
{
	const struct log_options quiet = { .level = LOG_LEVEL_ERROR, .format = LOG_FORMAT_HUMAN, .fd = 2 };

	(void)state;
	log_setup(&quiet);
	stub_start(&stub);
	every_told = look_on;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stub_stop(&stub);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_function_that_calls_back_has_a_row),
		cmocka_unit_test_setup_teardown(at_every_step, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
