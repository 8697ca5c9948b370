/* Effects: every class of route against everything that the journal may say and every way in which a request may end;
 * and a worker killed at every step of a handler, whose successor handles the event again. The REST client is a fake
 * one with a server behind it that lives in shared memory, so that it outlasts the killed. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shoal/snowflake.h>

#include "shard/events/checks.h"
#include "shard/events/effects.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/discord/discord_time.h"
#include "shared/phrases/phrases.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/tmpdir.h"

/* --- the server, and who is killed before it --- */

#define REQUESTS_MAX 4096
#define NONCES_MAX   64

static struct server {
	uint32_t raw[ROUTE_COUNT];     /* requests received */
	uint32_t effects[ROUTE_COUNT]; /* of those, how many changed something */
	char nonces[NONCES_MAX][32];
	uint32_t nonce_count;
	bool kicked;
	uint32_t unknown; /* told to a handler */
	uint32_t finished;
} * server;

/* Where a life ends: at the kill_at-th point; 0: never. */
static uint32_t points, kill_at;

static void point(void)
{
	if (++points == kill_at) {
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	}
}

static void serve_message(const json_t *body)
{
	const char *nonce = json_string_value(json_object_get(body, "nonce"));

	if (!nonce || !json_is_true(json_object_get(body, "enforce_nonce"))) {
		server->effects[ROUTE_CREATE_MESSAGE]++;
		return;
	}
	for (uint32_t i = 0; i < server->nonce_count; i++)
		if (strcmp(server->nonces[i], nonce) == 0)
			return;
	if (server->nonce_count < NONCES_MAX)
		snprintf(server->nonces[server->nonce_count++], 32, "%s", nonce);
	server->effects[ROUTE_CREATE_MESSAGE]++;
}

static struct rest_result answer_ok(void)
{
	return (struct rest_result){ .http_status = 200, .message = "" };
}

static struct rest_result answer_refused(uint32_t status, uint32_t code)
{
	return (struct rest_result){ .error = -SHOAL_EDISCORD,
				     .http_status = status,
				     .discord_code = code,
				     .message = "no",
				     .phrase = &phrase_DISCORD_400 };
}

static struct rest_result answer_lost(int error)
{
	return (struct rest_result){
		.error = error, .message = "lost", .phrase = &phrase_DISCORD_UNREACHABLE, .maybe_done = true
	};
}

/* What Discord does and says. */
static struct rest_result serve(const struct rest_request *request)
{
	struct rest_result answer = answer_ok();

	server->raw[request->route]++;
	switch (request->route) {
	case ROUTE_CREATE_MESSAGE:
		serve_message(request->json);
		answer.body = json_pack("{s:s, s:s}", "id", "700", "content", "hello");
		break;
	case ROUTE_KICK:
		server->effects[ROUTE_KICK] += !server->kicked;
		if (server->kicked)
			return answer_refused(404, 10007);
		server->kicked = true;
		answer.http_status = 204;
		break;
	case ROUTE_GET_MEMBER:
		if (server->kicked)
			return answer_refused(404, 10007);
		answer.body = json_pack("{s:s}", "joined_at", "2020-01-01T00:00:00.000000+00:00");
		break;
	default:
		server->effects[request->route]++;
		answer.body = json_pack("{s:s}", "id", "800");
		break;
	}
	return answer;
}

/* --- the fake client --- */

static struct sent {
	struct rest_request request;
	rest_fn fn;
	void *arg;
	bool open, left;
} sent[REQUESTS_MAX];
static uint32_t sent_count;
static int next_send_error;

int rest_send(struct rest *rest, const struct rest_request *request, rest_fn fn, void *arg, uint64_t *ret_handle)
{
	struct sent *s = &sent[sent_count];

	(void)rest;
	if (next_send_error) {
		json_decref(request->json);
		return next_send_error;
	}
	assert_true(sent_count < REQUESTS_MAX);
	*s = (struct sent){ .request = *request, .fn = fn, .arg = arg, .open = true };
	sent_count++;
	*ret_handle = sent_count;
	return 0;
}

static void answer_with(uint32_t i, const struct rest_result *result)
{
	json_t *body = result->body;

	assert_true(sent[i].open);
	sent[i].open = false;
	sent[i].fn(sent[i].arg, result);
	json_decref(sent[i].request.json);
	json_decref(body);
}

/* Onto the wire: the client asks first. */
static int leave(uint32_t i)
{
	int r = sent[i].request.leaving ? sent[i].request.leaving(sent[i].arg) : 0;

	sent[i].left = true;
	return r;
}

int rest_cancel(struct rest *rest, uint64_t handle)
{
	struct rest_result result = { .error = -ECANCELED,
				      .message = "cancelled",
				      .phrase = &phrase_DISCORD_UNREACHABLE };

	(void)rest;
	assert_in_range(handle, 1, sent_count);
	if (!sent[handle - 1].open)
		return -ENOENT;
	result.maybe_done = sent[handle - 1].left;
	answer_with((uint32_t)handle - 1, &result);
	return 0;
}

/* --- tickets --- */

struct ticket {
	struct event_key key;
	bool again, journalled;
	uint32_t refs;
};

static struct ticket ticket;

struct ticket *ticket_hold(struct ticket *t)
{
	if (t)
		t->refs++;
	return t;
}

void ticket_release(struct ticket *t)
{
	if (t)
		t->refs--;
}

int ticket_may_act(const struct ticket *t)
{
	(void)t;
	return 0;
}

bool ticket_is_run(const struct ticket *t)
{
	(void)t;
	return false;
}

uint64_t ticket_age_ms(const struct ticket *t)
{
	struct event_key key = ticket_key(t);

	return event_key_has_id(key) ? discord_time_age_ms(key.number) : UINT64_MAX;
}

bool ticket_is_doubtful(const struct ticket *of)
{
	(void)of;
	return false;
}

bool ticket_again(const struct ticket *t)
{
	return t && t->again;
}

struct event_key ticket_key(const struct ticket *t)
{
	return t ? t->key : (struct event_key){ 0, 0 };
}

void ticket_set_journalled(struct ticket *t)
{
	t->journalled = true;
}

/* --- around --- */

static char dir[TMPDIR_SIZE];
static uint64_t now_ns;
static struct loop loop;
static struct effects *effects;
static struct effect_scope scope;
static _Atomic uint64_t counters[BOARD_COUNTER_COUNT];

static struct {
	uint32_t calls;
	int error;
	uint32_t http_status, discord_code;
	bool already, maybe_done;
	char id[32], content[32];
} told;

static void note(void *arg, const struct rest_result *result)
{
	const char *id = json_string_value(json_object_get(result->body, "id"));
	const char *content = json_string_value(json_object_get(result->body, "content"));

	(void)arg;
	told.calls++;
	told.error = result->error;
	told.http_status = result->http_status;
	told.discord_code = result->discord_code;
	told.already = result->already;
	told.maybe_done = result->maybe_done;
	assert_non_null(result->message);
	assert_int_equal(result->phrase != NULL, result->error != 0);
	snprintf(told.id, sizeof(told.id), "%s", id ? id : "");
	snprintf(told.content, sizeof(told.content), "%s", content ? content : "");
}

static struct journal_options options(void)
{
	return (struct journal_options){ .runtime_dir = dir, .generation = 1, .shard_id = 0, .max_mib = 1 };
}

/* What whoever keeps unknown effects was told of the last one. */
static struct {
	char event[64], route[64];
	uint64_t token;
} unknown_told;

static void on_unknown(void *arg, const struct effects_unknown *what)
{
	(void)arg;
	assert_true(what->why[0]);
	snprintf(unknown_told.event, sizeof(unknown_told.event), "%s", what->event);
	snprintf(unknown_told.route, sizeof(unknown_told.route), "%s", what->route);
	unknown_told.token = what->token;
}

static void open_effects(void)
{
	struct journal_options o = options();

	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(effects_new(&loop, &o, NULL, counters, &effects), 0);
	effects_on_unknown(effects, on_unknown, NULL);
	memset(&unknown_told, 0, sizeof(unknown_told));
	effects_trust(effects);
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void on_closed(void *arg)
{
	*(bool *)arg = true;
}

static void close_effects(void)
{
	bool closed = false;

	effects_close(effects, on_closed, &closed);
	turn();
	assert_true(closed);
	assert_int_equal(loop_finish(&loop), 0);
	effects = NULL;
}

static int set_up(void **state)
{
	(void)state;
	tmpdir_make(dir);
	server = mmap(NULL, sizeof(*server), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (server == MAP_FAILED)
		return -1;
	now_ns = 5000 * NS_PER_S;
	clock_set_fake(&now_ns);
	memset(&told, 0, sizeof(told));
	memset(counters, 0, sizeof(counters));
	memset(sent, 0, sizeof(sent));
	sent_count = 0;
	next_send_error = 0;
	points = kill_at = 0;
	ticket =
		(struct ticket){ .key = { SHOAL_EVENT_MESSAGE_CREATE, shoal_snowflake_at((uint64_t)clock_wall_ms()) } };
	effect_scope_init(&scope, &ticket, EFFECT_LANE_COMMANDS);
	effects = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (effects)
		close_effects();
	clock_set_fake(NULL);
	munmap(server, sizeof(*server));
	tmpdir_remove(dir);
	return ticket.refs == 0 ? 0 : -1; /* every effect gave its hold back */
}

/* Ids 1 to n by their kind, a token, and a body where one belongs. */
static struct rest_request request_of(enum route route)
{
	struct rest_request request = { .route = route, .args = { .token = "secret-token" } };

	for (int i = 0; i < ROUTE_ID_COUNT; i++)
		request.args.ids[i] = 100 + (uint64_t)i;
	if (route_rows[route].flags & ROUTE_BODY)
		request.json = json_pack("{s:s, s:[s, s]}", "content", "x", "user_ids", "11", "12");
	return request;
}

static int begin(enum route route)
{
	struct rest_request request = request_of(route);

	return effects_send(effects, &scope, &request, note, NULL, NULL);
}

static uint64_t counter(enum board_counter which)
{
	return atomic_load(&counters[which]);
}

/* Another life: the same event, begun again. */
static void live_again(void)
{
	close_effects();
	memset(&told, 0, sizeof(told));
	memset(sent, 0, sizeof(sent));
	sent_count = 0;
	ticket.again = true;
	effect_scope_init(&scope, &ticket, EFFECT_LANE_COMMANDS);
	open_effects();
}

/* A row as the last worker left it. */
static void leave_row(enum route route, enum journal_state state, uint64_t age_ms)
{
	struct rest_request request = request_of(route);
	struct journal_options o = options();
	struct journal_row row = { .state = state,
				   .route = route,
				   .target = journal_target(route, &request.args),
				   .created_id = 55,
				   .http_status = 200,
				   .body = "{\"id\":\"55\",\"content\":\"kept\"}",
				   .body_len = 28 };
	struct journal_found found;
	struct journal *journal;

	json_decref(request.json);
	now_ns -= age_ms * NS_PER_MS;
	assert_int_equal(journal_open(&o, &found, &journal), 0);
	assert_int_equal(journal_intend(journal, ticket.key, 0, route, row.target), 0);
	if (state != JOURNAL_INTENT)
		assert_int_equal(journal_conclude(journal, ticket.key, 0, &row), 0);
	journal_trust(journal);
	journal_close(journal);
	now_ns += age_ms * NS_PER_MS;
	ticket.again = true;
}

/* One row of each class that is journalled. */
static const enum route journalled[] = { ROUTE_CREATE_MESSAGE, ROUTE_KICK, ROUTE_CREATE_FOLLOWUP };

/* --- no row --- */

static void what_is_new_is_sent_and_remembered(void **state)
{
	(void)state;
	open_effects();
	for (size_t i = 0; i < ARRAY_SIZE(journalled); i++) {
		struct rest_result ok = answer_ok();

		ok.body = json_pack("{s:s}", "id", "77");
		assert_int_equal(begin(journalled[i]), 0);
		assert_int_equal(sent_count, i + 1);
		assert_int_equal(sent[i].request.route, journalled[i]);
		assert_non_null(sent[i].request.leaving);
		assert_int_equal(leave((uint32_t)i), 0);
		assert_int_equal(ticket.refs, 1);
		answer_with((uint32_t)i, &ok);
		assert_int_equal(told.calls, i + 1);
		assert_int_equal(told.error, 0);
		assert_false(told.already);
		assert_string_equal(told.id, "77");
		assert_int_equal(ticket.refs, 0);
	}
	assert_true(ticket.journalled);
	assert_int_equal(counter(BOARD_COUNTER_effects_remembered), 0);
	live_again();
	for (size_t i = 0; i < ARRAY_SIZE(journalled); i++) {
		assert_int_equal(begin(journalled[i]), 0);
		assert_int_equal(told.calls, i); /* never from within the call */
		turn();
		assert_int_equal(told.calls, i + 1);
		assert_int_equal(told.error, 0);
		assert_true(told.already);
		assert_string_equal(told.id, "77");
	}
	assert_int_equal(sent_count, 0);
	assert_int_equal(counter(BOARD_COUNTER_effects_remembered), ARRAY_SIZE(journalled));
}

static void a_refusal_is_remembered_too(void **state)
{
	(void)state;
	open_effects();
	for (size_t i = 0; i < ARRAY_SIZE(journalled); i++) {
		struct rest_result refused = answer_refused(403, 50013);

		assert_int_equal(begin(journalled[i]), 0);
		leave((uint32_t)i);
		answer_with((uint32_t)i, &refused);
		assert_int_equal(told.error, -SHOAL_EDISCORD);
	}
	live_again();
	for (size_t i = 0; i < ARRAY_SIZE(journalled); i++) {
		begin(journalled[i]);
		turn();
		assert_int_equal(told.error, -SHOAL_EDISCORD);
		assert_int_equal(told.http_status, 403);
		assert_int_equal(told.discord_code, 50013);
		assert_false(told.maybe_done);
	}
	assert_int_equal(told.calls, ARRAY_SIZE(journalled));
	assert_int_equal(sent_count, 0);
}

/* Not on the wire yet when the worker died: that it was begun is of no account. */
static void what_never_left_is_sent(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(journalled); i++) {
		open_effects();
		assert_int_equal(begin(journalled[i]), 0);
		live_again();
		assert_int_equal(begin(journalled[i]), 0);
		assert_int_equal(sent_count, 1);
		assert_int_equal(sent[0].request.route, journalled[i]);
		close_effects();
	}
	assert_int_equal(counter(BOARD_COUNTER_effects_unknown), 0);
}

/* Discord said 429 and it waited for its time when the worker died: nothing had come of it. */
static void what_was_sent_back_is_sent(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(journalled); i++) {
		open_effects();
		assert_int_equal(begin(journalled[i]), 0);
		leave(0);
		sent[0].request.stayed(sent[0].arg);
		live_again();
		assert_int_equal(begin(journalled[i]), 0);
		assert_int_equal(sent_count, 1);
		assert_int_equal(sent[0].request.route, journalled[i]);
		/* And anew: this time it is for Discord to say, or for nobody. */
		leave(0);
		sent[0].request.stayed(sent[0].arg);
		leave(0);
		live_again();
		assert_int_equal(begin(journalled[i]), 0);
		assert_true(sent_count == 0 || sent[0].request.route != journalled[i] ||
			    route_rows[journalled[i]].repeat == ROUTE_NONCE);
		close_effects();
		tmpdir_remove(dir);
		tmpdir_make(dir);
		ticket.again = false;
		effect_scope_init(&scope, &ticket, EFFECT_LANE_COMMANDS);
		sent_count = 0;
	}
}

/* What an earlier worker had sent may have come to something, whatever this one is told. */
static void what_an_earlier_worker_sent_is_not_struck_out(void **state)
{
	struct rest_result answer = answer_ok();

	(void)state;
	leave_row(ROUTE_KICK, JOURNAL_INTENT, 10);
	open_effects();
	begin(ROUTE_KICK);
	answer.body = json_pack("{s:s}", "joined_at", "2020-01-01T00:00:00+00:00");
	answer_with(0, &answer); /* he is there: again */
	leave(1);
	sent[1].request.stayed(sent[1].arg);
	live_again();
	begin(ROUTE_KICK);
	assert_int_equal(sent[0].request.route, ROUTE_GET_MEMBER);
}

/* --- an intent --- */

static void an_open_message_is_sent_with_its_nonce(void **state)
{
	char nonce[26];

	(void)state;
	leave_row(ROUTE_CREATE_MESSAGE, JOURNAL_INTENT, 100000);
	open_effects();
	assert_int_equal(begin(ROUTE_CREATE_MESSAGE), 0);
	assert_int_equal(sent_count, 1);
	effects_nonce(ticket.key, 0, nonce);
	assert_string_equal(json_string_value(json_object_get(sent[0].request.json, "nonce")), nonce);
	assert_true(json_is_true(json_object_get(sent[0].request.json, "enforce_nonce")));
	assert_in_range(sent[0].request.deadline_ms, 1, ROUTE_NONCE_AGE_MS - 100000);
}

static void a_young_one_has_the_usual_deadline(void **state)
{
	(void)state;
	leave_row(ROUTE_CREATE_MESSAGE, JOURNAL_INTENT, 10);
	open_effects();
	begin(ROUTE_CREATE_MESSAGE);
	assert_int_equal(sent[0].request.deadline_ms, 45000);
}

static void assert_unknown(void)
{
	assert_int_equal(told.calls, 0);
	turn();
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.error, -SHOAL_EUNKNOWN);
	assert_true(told.maybe_done);
	assert_int_equal(sent_count, 0);
	assert_int_equal(counter(BOARD_COUNTER_effects_unknown), 1);
}

static void an_old_nonce_is_not_relied_on(void **state)
{
	(void)state;
	leave_row(ROUTE_CREATE_MESSAGE, JOURNAL_INTENT, ROUTE_NONCE_AGE_MS);
	open_effects();
	assert_int_equal(begin(ROUTE_CREATE_MESSAGE), 0);
	assert_unknown();
}

static void an_open_followup_is_unknown_and_counted_once(void **state)
{
	(void)state;
	leave_row(ROUTE_CREATE_FOLLOWUP, JOURNAL_INTENT, 10);
	open_effects();
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_unknown();
	assert_string_equal(unknown_told.route, route_rows[ROUTE_CREATE_FOLLOWUP].name);
	assert_true(strlen(unknown_told.event) > 0 && unknown_told.token != 0);
	live_again();
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_unknown(); /* as before, and the counter stays */
}

/* An open CHECK effect, with what Discord says to the question and what must come of it. */
static void open_check(enum route route, struct rest_result answer, enum check_verdict want)
{
	uint32_t anew;
	bool spoilt;

	leave_row(route, JOURNAL_INTENT, 10);
	open_effects();
	assert_int_equal(begin(route), 0);
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].request.route, route_rows[route].check);
	assert_null(sent[0].request.leaving);
	spoilt = answer.error && answer.discord_code == 0;
	answer_with(0, &answer);
	for (anew = 1; spoilt && anew <= 3; anew++) { /* put anew, before it is given up */
		assert_int_equal(told.calls, 0);
		assert_int_equal(sent_count, anew + 1);
		assert_int_equal(sent[anew].request.route, route_rows[route].check);
		answer_with(anew, &answer);
	}
	if (want == CHECK_MISSING) {
		struct rest_result ok = answer_ok();

		assert_int_equal(told.calls, 0);
		assert_int_equal(sent_count, 2);
		assert_int_equal(sent[1].request.route, route);
		assert_string_equal(sent[1].request.args.token, "secret-token");
		assert_int_equal(leave(1), 0);
		answer_with(1, &ok);
	}
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.error, want == CHECK_UNKNOWN ? -SHOAL_EUNKNOWN : 0);
	assert_int_equal(told.already, want == CHECK_HAPPENED);
	assert_int_equal(counter(BOARD_COUNTER_effects_unknown), want == CHECK_UNKNOWN);
	assert_int_equal(counter(BOARD_COUNTER_effects_checked), 1);
	live_again(); /* and it stays so */
	begin(route);
	turn();
	assert_int_equal(sent_count, 0);
	assert_int_equal(told.error, want == CHECK_UNKNOWN ? -SHOAL_EUNKNOWN : 0);
	memset(counters, 0, sizeof(counters));
	close_effects();
	tmpdir_remove(dir);
	tmpdir_make(dir);
	ticket.again = false;
	effect_scope_init(&scope, &ticket, EFFECT_LANE_COMMANDS);
	memset(&told, 0, sizeof(told));
	sent_count = 0;
}

static struct rest_result with_body(json_t *body)
{
	struct rest_result answer = answer_ok();

	answer.body = body;
	return answer;
}

static struct rest_result joined(int64_t ago_ms)
{
	char text[CLOCK_ISO_SIZE];

	return with_body(json_pack("{s:s}", "joined_at", clock_format_iso(clock_wall_ms() - ago_ms, text)));
}

static void an_open_kick_is_asked_about(void **state)
{
	(void)state;
	open_check(ROUTE_KICK, answer_refused(404, 10007), CHECK_HAPPENED);
	open_check(ROUTE_KICK, joined(3600000), CHECK_MISSING);
	open_check(ROUTE_KICK, joined(-3600000), CHECK_HAPPENED); /* has come back since */
	open_check(ROUTE_KICK, joined(0), CHECK_UNKNOWN);         /* too close to tell */
	open_check(ROUTE_KICK, with_body(json_pack("{}")), CHECK_UNKNOWN);
	open_check(ROUTE_KICK, with_body(json_pack("{s:s}", "joined_at", "yester\\\"day")), CHECK_UNKNOWN);
	open_check(ROUTE_KICK, answer_refused(403, 50001), CHECK_UNKNOWN);
	open_check(ROUTE_KICK, answer_refused(404, 10004), CHECK_UNKNOWN);
	open_check(ROUTE_KICK, answer_lost(-ETIMEDOUT), CHECK_UNKNOWN);
}

/* A 404 whose body broke off on the way says nothing; the next one does. */
static void a_spoilt_answer_is_asked_for_anew(void **state)
{
	struct rest_result broken = answer_refused(404, 0), gone = answer_refused(404, 10007);

	(void)state;
	leave_row(ROUTE_KICK, JOURNAL_INTENT, 10);
	open_effects();
	begin(ROUTE_KICK);
	answer_with(0, &broken);
	assert_int_equal(told.calls, 0);
	assert_int_equal(sent_count, 2);
	answer_with(1, &gone);
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.error, 0);
	assert_true(told.already);
	assert_int_equal(counter(BOARD_COUNTER_effects_unknown), 0);
}

static void an_open_crosspost_is_asked_about(void **state)
{
	(void)state;
	open_check(ROUTE_CROSSPOST, with_body(json_pack("{s:i}", "flags", 1 | 4)), CHECK_HAPPENED);
	open_check(ROUTE_CROSSPOST, with_body(json_pack("{s:i}", "flags", 4)), CHECK_MISSING);
	open_check(ROUTE_CROSSPOST, answer_refused(404, 10008), CHECK_MISSING);
	open_check(ROUTE_CROSSPOST, answer_ok(), CHECK_UNKNOWN);
	open_check(ROUTE_CROSSPOST, answer_refused(500, 0), CHECK_UNKNOWN);
}

static void an_open_thread_is_asked_about(void **state)
{
	(void)state;
	open_check(ROUTE_CREATE_MESSAGE_THREAD, with_body(json_pack("{s:s}", "id", "102")), CHECK_HAPPENED);
	open_check(ROUTE_CREATE_MESSAGE_THREAD, answer_refused(404, 10003), CHECK_MISSING);
	open_check(ROUTE_CREATE_MESSAGE_THREAD, answer_refused(403, 50001), CHECK_UNKNOWN);
}

static void an_open_bulk_ban_asks_for_each(void **state)
{
	struct rest_result banned = answer_ok(), not_banned = answer_refused(404, 10026);

	(void)state;
	open_check(ROUTE_BULK_BAN, not_banned, CHECK_MISSING);
	open_check(ROUTE_BULK_BAN, answer_refused(403, 50013), CHECK_UNKNOWN);
	leave_row(ROUTE_BULK_BAN, JOURNAL_INTENT, 10);
	open_effects();
	begin(ROUTE_BULK_BAN);
	assert_int_equal(sent[0].request.args.ids[ROUTE_ID_USER], 11);
	answer_with(0, &banned);
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[1].request.args.ids[ROUTE_ID_USER], 12);
	answer_with(1, &banned);
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.error, 0);
	assert_true(told.already);
}

static void every_check_row_says_why(void **state)
{
	(void)state;
	for (int i = 0; i < ROUTE_COUNT; i++) {
		const struct check_row *row = check_find((enum route)i);

		assert_int_equal(route_rows[i].repeat == ROUTE_CHECK, row != NULL);
		if (row)
			assert_true(strlen(row->why) > 20);
	}
}

/* --- lost answers in the same life --- */

static void a_lost_answer_is_asked_about_at_once(void **state)
{
	struct rest_result lost = answer_lost(-SHOAL_EUNKNOWN), missing = joined(3600000), ok = answer_ok();

	(void)state;
	open_effects();
	begin(ROUTE_KICK);
	leave(0);
	answer_with(0, &lost);
	assert_int_equal(told.calls, 0);
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[1].request.route, ROUTE_GET_MEMBER);
	answer_with(1, &missing);
	assert_int_equal(sent_count, 3);
	assert_int_equal(sent[2].request.route, ROUTE_KICK);
	leave(2);
	answer_with(2, &ok);
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.error, 0);
}

static void asking_ends_some_time(void **state)
{
	struct rest_result lost = answer_lost(-SHOAL_EUNKNOWN);
	uint32_t i;

	(void)state;
	open_effects();
	begin(ROUTE_KICK);
	for (i = 0; told.calls == 0 && i < 20; i++) {
		struct rest_result missing = joined(3600000);

		if (sent[i].request.route == ROUTE_KICK)
			leave(i);
		if (sent[i].request.route == ROUTE_KICK)
			json_decref(missing.body);
		answer_with(i, sent[i].request.route == ROUTE_KICK ? &lost : &missing);
	}
	assert_int_equal(told.error, -SHOAL_EUNKNOWN);
	assert_int_equal(sent_count, 5);
}

static void a_lost_followup_is_unknown_for_good(void **state)
{
	struct rest_result lost = answer_lost(-SHOAL_EUNKNOWN);

	(void)state;
	open_effects();
	begin(ROUTE_CREATE_FOLLOWUP);
	leave(0);
	answer_with(0, &lost);
	assert_int_equal(told.error, -SHOAL_EUNKNOWN);
	assert_int_equal(counter(BOARD_COUNTER_effects_unknown), 1);
	live_again();
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_unknown();
}

/* --- rows that do not fit, rows that are lost --- */

static void another_request_in_its_place_is_not_done(void **state)
{
	(void)state;
	leave_row(ROUTE_CREATE_FOLLOWUP, JOURNAL_RESULT, 10);
	open_effects();
	begin(ROUTE_EXECUTE_WEBHOOK);
	assert_unknown();
}

static void the_same_route_elsewhere_is_another_request(void **state)
{
	struct rest_request request = request_of(ROUTE_KICK);

	(void)state;
	leave_row(ROUTE_KICK, JOURNAL_RESULT, 10);
	open_effects();
	request.args.ids[ROUTE_ID_USER] = 4242;
	effects_send(effects, &scope, &request, note, NULL, NULL);
	assert_unknown();
}

/* What was done under its number counts as done, wherever it would go by now; an intent that may have gone elsewhere
 * says nothing of it. */
static void one_that_was_placed_is_known_by_its_number(void **state)
{
	struct rest_request request;

	for (size_t i = 0; i < 2; i++) {
		leave_row(ROUTE_CREATE_MESSAGE, i == 0 ? JOURNAL_RESULT : JOURNAL_INTENT, 10);
		open_effects();
		effect_scope_place(&scope, 0);
		request = request_of(ROUTE_CREATE_MESSAGE);
		request.args.ids[ROUTE_ID_CHANNEL] = 4242;
		effects_send(effects, &scope, &request, note, NULL, NULL);
		turn();
		assert_int_equal(told.calls, 1);
		assert_int_equal(told.error, i == 0 ? 0 : -SHOAL_EUNKNOWN);
		assert_int_equal(sent_count, 0);
		tear_down(state);
		set_up(state);
	}
}

/* One that is left out this time moves no other's number; who was not placed follows on. */
static void numbers_stand_where_they_were_placed(void **state)
{
	(void)state;
	open_effects();
	effect_scope_place(&scope, 0);
	begin(ROUTE_CREATE_MESSAGE);
	effect_scope_place(&scope, 1);
	begin(ROUTE_EXECUTE_WEBHOOK);
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_int_equal(sent_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(leave(i), 0);
		answer_with(i, &(struct rest_result){ .http_status = 200, .message = "" });
	}
	live_again();
	effect_scope_place(&scope, 1);
	begin(ROUTE_EXECUTE_WEBHOOK);
	begin(ROUTE_CREATE_FOLLOWUP);
	turn();
	assert_int_equal(sent_count, 0);
	assert_int_equal(told.calls, 2);
	assert_int_equal(told.error, 0);
}

static void scribble(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/journal-1-0/data.mdb", dir);
	assert_int_equal(truncate(path, 5000), 0);
}

static void open_doubtful(void)
{
	struct journal_options o = options();

	leave_row(ROUTE_CREATE_FOLLOWUP, JOURNAL_RESULT, 0);
	scribble();
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(effects_new(&loop, &o, NULL, counters, &effects), 0);
}

static void after_damage_nothing_is_sent_blindly(void **state)
{
	struct rest_result member = joined(3600000);

	(void)state;
	open_doubtful();
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_unknown();
	begin(ROUTE_KICK); /* asked; without a time an old member tells nothing */
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].request.route, ROUTE_GET_MEMBER);
	answer_with(0, &member);
	assert_int_equal(told.error, -SHOAL_EUNKNOWN);
	begin(ROUTE_CREATE_MESSAGE); /* the event is young, so its nonce is */
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[1].request.route, ROUTE_CREATE_MESSAGE);
}

static void after_damage_an_old_event_says_nothing(void **state)
{
	(void)state;
	ticket.key.number = shoal_snowflake_at((uint64_t)clock_wall_ms() - ROUTE_NONCE_AGE_MS);
	open_doubtful();
	begin(ROUTE_CREATE_MESSAGE);
	assert_unknown();
}

static void after_damage_an_event_without_id_has_no_age(void **state)
{
	(void)state;
	ticket.key = (struct event_key){ event_key_session("s"), 7 };
	open_doubtful();
	begin(ROUTE_CREATE_MESSAGE);
	assert_unknown();
}

static void doubt_is_for_what_was_begun_before(void **state)
{
	(void)state;
	open_doubtful();
	ticket.again = false;
	ticket.key.number++;
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_int_equal(sent_count, 1);
	effects_trust(effects);
	ticket.again = true;
	ticket.key.number++;
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_int_equal(sent_count, 2);
}

/* --- SAFE, and what is of no event --- */

static void safe_ones_leave_no_trace(void **state)
{
	(void)state;
	open_effects();
	for (int i = 0; i < ROUTE_COUNT; i++) {
		uint32_t before = sent_count;

		if (route_rows[i].repeat != ROUTE_SAFE)
			continue;
		assert_int_equal(begin((enum route)i), 0);
		assert_int_equal(sent_count, before + 1);
		assert_null(sent[before].request.leaving);
	}
	assert_int_equal(scope.next_step, 0); /* nor a number */
	assert_false(ticket.journalled);
	for (uint32_t i = 0; i < sent_count; i++) {
		struct rest_result ok = answer_ok();

		answer_with(i, &ok);
	}
	assert_int_equal(told.calls, sent_count);
	assert_int_equal(ticket.refs, 0);
}

static void what_is_gone_was_deleted(void **state)
{
	struct rest_result gone = answer_refused(404, 10008);

	(void)state;
	open_effects();
	begin(ROUTE_DELETE_MESSAGE);
	answer_with(0, &gone);
	assert_int_equal(told.error, -SHOAL_EDISCORD); /* a first try is told the truth */
	live_again();
	begin(ROUTE_DELETE_MESSAGE);
	answer_with(0, &gone);
	assert_int_equal(told.error, 0);
	assert_true(told.already);
	begin(ROUTE_EDIT_MESSAGE);
	answer_with(1, &gone);
	assert_int_equal(told.error, -SHOAL_EDISCORD);
}

static void an_answer_given_before_a_crash_is_told_as_it_is(void **state)
{
	struct rest_result acknowledged = answer_refused(400, 40060);

	(void)state;
	ticket.again = true;
	open_effects();
	begin(ROUTE_INTERACTION_CALLBACK);
	answer_with(0, &acknowledged); /* who answers knows the next step */
	assert_int_equal(told.discord_code, 40060);
	assert_int_equal(sent_count, 1);
}

static void without_an_event_there_is_no_memory(void **state)
{
	(void)state;
	open_effects();
	effect_scope_init(&scope, NULL, 0);
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_null(sent[0].request.leaving);
}

/* --- numbers and nonces --- */

static void nonces_differ_by_event_step_and_lane(void **state)
{
	const struct event_key session = { event_key_session("abc"), UINT64_MAX }, id = { 56, UINT64_MAX };
	struct effect_scope module;
	char a[26], b[26];

	(void)state;
	effect_scope_init(&module, &ticket, EFFECT_LANE_MAX);
	effects_nonce(session, module.next_step + 0xffff, a);
	assert_in_range(strlen(a), 1, 25);
	effects_nonce(id, module.next_step + 0xffff, b);
	assert_in_range(strlen(b), 1, 25);
	assert_string_not_equal(a, b);
	effects_nonce(session, 0, a);
	effects_nonce((struct event_key){ event_key_session("abd"), UINT64_MAX }, 0, b);
	assert_string_not_equal(a, b);
	effects_nonce((struct event_key){ event_key_session("abc"), 1 }, 0, a);
	effects_nonce((struct event_key){ event_key_session("abc"), 2 }, 0, b);
	assert_string_not_equal(a, b);
	effects_nonce(id, 0, a);
	effects_nonce(id, 1, b);
	assert_string_not_equal(a, b);
	effects_nonce(id, 0, b);
	assert_string_equal(a, b);
}

/* --- refusals and ends --- */

static void what_can_not_be_sent_is_refused_at_once(void **state)
{
	struct rest_request request = request_of(ROUTE_KICK);

	(void)state;
	open_effects();
	next_send_error = -ENOBUFS;
	for (size_t i = 0; i < ARRAY_SIZE(journalled); i++)
		assert_int_equal(begin(journalled[i]), -ENOBUFS);
	assert_int_equal(begin(ROUTE_EDIT_MESSAGE), -ENOBUFS);
	next_send_error = 0;
	request.args.ids[ROUTE_ID_USER] = 0;
	assert_int_equal(effects_send(effects, &scope, &request, note, NULL, NULL), -EINVAL);
	request = (struct rest_request){ .route = ROUTE_COUNT };
	assert_int_equal(effects_send(effects, &scope, &request, note, NULL, NULL), -EINVAL);
	request = request_of(ROUTE_CREATE_MESSAGE);
	json_decref(request.json);
	request.json = NULL;
	request.text = "{}";
	request.text_len = 2;
	assert_int_equal(effects_send(effects, &scope, &request, note, NULL, NULL), -EINVAL);
	turn();
	assert_int_equal(told.calls, 0);
	assert_int_equal(ticket.refs, 0);
}

static void a_full_journal_keeps_requests_back(void **state)
{
	struct journal_options o = options();
	struct journal_found found;
	struct journal *journal;
	int r = 0;

	(void)state;
	assert_int_equal(journal_open(&o, &found, &journal), 0);
	for (uint64_t i = 0; r == 0; i++)
		r = journal_intend(journal, (struct event_key){ 1, i }, 0, ROUTE_CREATE_MESSAGE, 1);
	assert_int_equal(r, -ENOSPC);
	journal_close(journal);
	open_effects();
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_int_equal(leave(0), -ENOSPC); /* so the client ends the call */
	{
		struct rest_result refused = { .error = -ENOSPC,
					       .message = "full",
					       .phrase = &phrase_DISCORD_UNREACHABLE };

		answer_with(0, &refused);
	}
	assert_int_equal(told.error, -ENOSPC);
	assert_int_equal(counter(BOARD_COUNTER_effects_refused), 1);
}

static void cancelled_ones_are_told_and_forgotten(void **state)
{
	struct rest_request request = request_of(ROUTE_CREATE_FOLLOWUP);
	uint64_t handle = 0;

	(void)state;
	open_effects();
	assert_int_equal(effects_send(effects, &scope, &request, note, NULL, &handle), 0);
	assert_int_not_equal(handle, 0);
	assert_int_equal(effects_cancel(effects, handle), 0);
	assert_int_equal(told.error, -ECANCELED);
	assert_int_equal(effects_cancel(effects, handle), -ENOENT);
	live_again();
	begin(ROUTE_CREATE_FOLLOWUP); /* it had not left */
	assert_int_equal(sent_count, 1);
}

static void what_is_due_can_be_cancelled(void **state)
{
	struct rest_request request;
	uint64_t handle = 0;

	(void)state;
	leave_row(ROUTE_CREATE_FOLLOWUP, JOURNAL_RESULT, 10);
	open_effects();
	request = request_of(ROUTE_CREATE_FOLLOWUP);
	assert_int_equal(effects_send(effects, &scope, &request, note, NULL, &handle), 0);
	assert_int_equal(effects_cancel(effects, handle), 0);
	assert_int_equal(told.error, -ECANCELED);
	turn();
	assert_int_equal(told.calls, 1);
}

static void closing_leaves_intents_to_the_successor(void **state)
{
	(void)state;
	open_effects();
	begin(ROUTE_CREATE_FOLLOWUP);
	leave(0);
	begin(ROUTE_KICK);
	close_effects();
	assert_int_equal(told.calls, 2);
	assert_int_equal(told.error, -ECANCELED);
	memset(&told, 0, sizeof(told));
	sent_count = 0;
	ticket.again = true;
	effect_scope_init(&scope, &ticket, EFFECT_LANE_COMMANDS);
	open_effects();
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_unknown();
	begin(ROUTE_KICK);
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].request.route, ROUTE_KICK);
}

static void begin_another(void *arg, const struct rest_result *result)
{
	note(arg, result);
	assert_int_equal(begin(ROUTE_KICK), -ESHUTDOWN);
}

static void nothing_begins_while_it_closes(void **state)
{
	struct rest_request request = request_of(ROUTE_CREATE_FOLLOWUP);

	(void)state;
	open_effects();
	assert_int_equal(effects_send(effects, &scope, &request, begin_another, NULL, NULL), 0);
	close_effects();
	assert_int_equal(told.calls, 1);
}

static bool gauge_is_set(void *arg)
{
	(void)arg;
	return counter(BOARD_COUNTER_journal_rows) != UINT64_MAX;
}

static void handled_rows_are_swept(void **state)
{
	struct rest_result ok = answer_ok();

	(void)state;
	open_effects();
	begin(ROUTE_CREATE_FOLLOWUP);
	leave(0);
	answer_with(0, &ok);
	effects_handled(effects, ticket.key);
	now_ns += JOURNAL_KEEP_NS + NS_PER_S;
	live_again();
	atomic_store(&counters[BOARD_COUNTER_journal_rows], UINT64_MAX);
	assert_true(loop_wait_for(&loop, gauge_is_set, NULL, 10000)); /* by the slow tick */
	assert_int_equal(counter(BOARD_COUNTER_journal_rows), 0);
	begin(ROUTE_CREATE_FOLLOWUP);
	assert_int_equal(sent_count, 1);
}

/* A file system of @size bytes over the directory; skips, aloud, where that is not allowed. */
static void small_disk(const char *size)
{
	char text[64];

	snprintf(text, sizeof(text), "size=%s", size);
	if (mount("shoal-test", dir, "tmpfs", 0, text) < 0) {
		print_message("skipped: no tmpfs may be mounted here (%s)\n", strerror(errno));
		skip();
	}
}

static void more_room(void)
{
	assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT, "size=8m"), 0);
}

static void end_small_disk(void)
{
	close_effects();
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
}

static void fill_disk(void)
{
	char path[128], bytes[4096] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/filler", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	while (write(fd, bytes, sizeof(bytes)) == sizeof(bytes))
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void without_room_for_the_files_safe_ones_go_on(void **state)
{
	struct journal_options o = options();

	(void)state;
	small_disk("4k");
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(effects_new(&loop, &o, NULL, counters, &effects), 0);
	assert_int_equal(begin(ROUTE_EDIT_MESSAGE), 0);
	assert_int_equal(begin(ROUTE_CREATE_FOLLOWUP), -ENOSPC);
	assert_int_equal(counter(BOARD_COUNTER_effects_refused), 1);
	effects_trust(effects);
	effects_handled(effects, ticket.key);
	more_room();
	atomic_store(&counters[BOARD_COUNTER_journal_rows], UINT64_MAX);
	assert_true(loop_wait_for(&loop, gauge_is_set, NULL, 10000)); /* the tick that finds room, and the next */
	assert_int_equal(begin(ROUTE_CREATE_FOLLOWUP), 0);
	assert_int_equal(leave(1), 0);
	end_small_disk();
}

static void a_full_disk_still_remembers(void **state)
{
	struct rest_result ok = answer_ok();

	(void)state;
	small_disk("8m");
	leave_row(ROUTE_CREATE_FOLLOWUP, JOURNAL_RESULT, 10);
	fill_disk();
	open_effects();
	begin(ROUTE_CREATE_FOLLOWUP);
	turn();
	assert_int_equal(told.error, 0);
	assert_true(told.already);
	assert_int_equal(sent_count, 0);
	for (uint32_t i = 0;; i++) { /* pages that were free take some; then it is refused before it leaves */
		assert_int_not_equal(i, 20000);
		sent_count = 0;
		begin(ROUTE_CREATE_FOLLOWUP);
		if (leave(0) == -ENOSPC)
			break;
		answer_with(0, &ok);
	}
	end_small_disk();
}

static void a_long_answer_is_kept_in_brief(void **state)
{
	char content[3000];
	struct rest_result ok = answer_ok();

	(void)state;
	memset(content, 'x', sizeof(content) - 1);
	content[sizeof(content) - 1] = '\0';
	ok.body = json_pack("{s:s, s:s, s:{s:s}}", "id", "4711", "content", content, "author", "id", "1");
	open_effects();
	begin(ROUTE_CREATE_MESSAGE);
	leave(0);
	answer_with(0, &ok);
	live_again();
	begin(ROUTE_CREATE_MESSAGE);
	turn();
	assert_string_equal(told.id, "4711");
	assert_string_equal(told.content, "");
}

/* --- kills --- */

/* A handler that does one of each class, one after the other, and then the event is handled. */
static const enum route handler[] = { ROUTE_CREATE_MESSAGE, ROUTE_CREATE_FOLLOWUP, ROUTE_KICK, ROUTE_EDIT_MESSAGE,
				      ROUTE_CREATE_MESSAGE };
static uint32_t handler_at;
static bool handler_over;

static void handler_next(void *arg, const struct rest_result *result)
{
	struct rest_request request;

	(void)arg;
	point(); /* the answer is here, the handler has not gone on */
	if (result && result->error == -SHOAL_EUNKNOWN)
		server->unknown++;
	else if (result && result->error)
		_exit(3);
	if (handler_at == ARRAY_SIZE(handler)) {
		handler_over = true;
		return;
	}
	request = request_of(handler[handler_at++]);
	if (effects_send(effects, &scope, &request, handler_next, NULL, NULL) < 0)
		_exit(4);
	point(); /* begun */
}

/* What the client does with a request, with a point at every place where a worker may die. */
static void wire(uint32_t i)
{
	struct rest_result answer;

	point(); /* in the queue */
	if (leave(i) < 0)
		_exit(5);
	point(); /* written down, not on the wire */
	answer = serve(&sent[i].request);
	point(); /* Discord has done it, we have not heard */
	answer_with(i, &answer);
}

static void live(uint32_t kill_at_point, bool again)
{
	struct journal_options o = options();

	kill_at = kill_at_point;
	ticket.again = again;
	if (loop_init(&loop) < 0 || effects_new(&loop, &o, NULL, counters, &effects) < 0)
		_exit(6);
	if (!again)
		effects_trust(effects);
	handler_next(NULL, NULL);
	for (uint32_t next = 0; !handler_over;) {
		if (next < sent_count)
			wire(next++);
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	}
	effects_handled(effects, ticket.key);
	point(); /* all is done, the event's end not yet written */
	server->finished++;
	_exit(0);
}

/* Runs one life in a child. True: it came to its end. */
static bool child_lives(uint32_t kill_at_point, bool again)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		live(kill_at_point, again);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	else
		assert_int_equal(WTERMSIG(status), SIGKILL);
	return WIFEXITED(status);
}

/* The first life ends at point @first, the second at @second, the third is left alone. True: no life was cut short. */
static bool three_lives(uint32_t first, uint32_t second)
{
	bool ended;

	memset(server, 0, sizeof(*server));
	tmpdir_remove(dir);
	tmpdir_make(dir);
	ended = child_lives(first, false);
	if (!ended && second && !child_lives(second, true))
		assert_true(child_lives(0, true));
	else if (!ended && !second)
		assert_true(child_lives(0, true));
	if (server->effects[ROUTE_CREATE_MESSAGE] != 2 || server->effects[ROUTE_KICK] != 1 ||
	    server->effects[ROUTE_CREATE_FOLLOWUP] > 1)
		print_error("killed at %u and %u\n", first, second);
	assert_int_equal(server->effects[ROUTE_CREATE_MESSAGE], 2);
	assert_int_equal(server->effects[ROUTE_KICK], 1);
	assert_int_equal(server->raw[ROUTE_KICK], 1);
	assert_in_range(server->effects[ROUTE_EDIT_MESSAGE], 1, 3);
	assert_in_range(server->raw[ROUTE_CREATE_FOLLOWUP], 0, 1);
	/* at most once; and when it was not known, the handler was told in every life from then on */
	assert_true(server->unknown > 0 || server->effects[ROUTE_CREATE_FOLLOWUP] == 1);
	return ended;
}

static void killed_at_every_step_nothing_is_done_twice(void **state)
{
	uint32_t first, unknown = 0;

	(void)state;
	clock_set_fake(NULL);
	for (first = 1; !three_lives(first, 0); first++)
		unknown += server->unknown > 0;
	/* Of all points only the two between the follow-up's leaving and its answer leave something unknown. */
	assert_int_equal(unknown, 2);
	assert_in_range(first, 20, 60);
	print_message("%u points\n", first - 1);
}

static void killed_twice_neither(void **state)
{
	uint32_t first, second;

	(void)state;
	clock_set_fake(NULL);
	for (first = 1; !three_lives(first, 1); first++)
		for (second = 2; second < 28; second += 3)
			three_lives(first, second);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_new_is_sent_and_remembered),
		TEST(a_refusal_is_remembered_too),
		TEST(what_never_left_is_sent),
		TEST(what_was_sent_back_is_sent),
		TEST(what_an_earlier_worker_sent_is_not_struck_out),
		TEST(an_open_message_is_sent_with_its_nonce),
		TEST(a_young_one_has_the_usual_deadline),
		TEST(an_old_nonce_is_not_relied_on),
		TEST(an_open_followup_is_unknown_and_counted_once),
		TEST(an_open_kick_is_asked_about),
		TEST(a_spoilt_answer_is_asked_for_anew),
		TEST(an_open_crosspost_is_asked_about),
		TEST(an_open_thread_is_asked_about),
		TEST(an_open_bulk_ban_asks_for_each),
		TEST(every_check_row_says_why),
		TEST(a_lost_answer_is_asked_about_at_once),
		TEST(asking_ends_some_time),
		TEST(a_lost_followup_is_unknown_for_good),
		TEST(another_request_in_its_place_is_not_done),
		TEST(the_same_route_elsewhere_is_another_request),
		TEST(one_that_was_placed_is_known_by_its_number),
		TEST(numbers_stand_where_they_were_placed),
		TEST(after_damage_nothing_is_sent_blindly),
		TEST(after_damage_an_old_event_says_nothing),
		TEST(after_damage_an_event_without_id_has_no_age),
		TEST(doubt_is_for_what_was_begun_before),
		TEST(safe_ones_leave_no_trace),
		TEST(what_is_gone_was_deleted),
		TEST(an_answer_given_before_a_crash_is_told_as_it_is),
		TEST(without_an_event_there_is_no_memory),
		TEST(nonces_differ_by_event_step_and_lane),
		TEST(what_can_not_be_sent_is_refused_at_once),
		TEST(a_full_journal_keeps_requests_back),
		TEST(cancelled_ones_are_told_and_forgotten),
		TEST(what_is_due_can_be_cancelled),
		TEST(closing_leaves_intents_to_the_successor),
		TEST(nothing_begins_while_it_closes),
		TEST(handled_rows_are_swept),
		TEST(without_room_for_the_files_safe_ones_go_on),
		TEST(a_full_disk_still_remembers),
		TEST(a_long_answer_is_kept_in_brief),
		TEST(killed_at_every_step_nothing_is_done_twice),
		TEST(killed_twice_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
