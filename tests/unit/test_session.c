/* The session against a gateway played by hand on loopback: every way in which a session begins, is lost, comes back
 * and ends, judged by what the gateway was sent, what the worker was told and what stands on the board. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shared/base/cleanup.h"
#include "shared/log/log.h"
#include "shard/gateway/session.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/ws_stub.h"

#define TOKEN    "token \"with\" odd\\bytes"
#define WAIT_MS  8000
#define SEEN_MAX 64

/* --- the worker -------------------------------------------------------------------------------------------------- */

struct worker {
	struct loop loop;
	char dir[TMPDIR_SIZE];
	struct board_shard *board;
	struct session *session;
	struct session_options options;
	char url[64];
	struct ws_stub stub;

	uint64_t sequences[SEEN_MAX];
	char names[SEEN_MAX][32];
	uint32_t dispatches;
	uint64_t refuse_sequence; /* dispatch() refuses this one, once */
	bool ready_at_once;       /* marks itself ready within dispatch(READY) and (RESUMED) */
	bool hold_each;
	uint32_t asked, identified, denials; /* of the first asks, so many are denied */
	uint64_t identified_grant;
	uint64_t deny_ms, expires_ms;
	struct session_loss losses[8];
	uint32_t loss_count;
	enum exit_code fatal_code;
	uint16_t fatal_close;
	bool fatal, stopped;
	enum shard_state last_state;
	bool (*until)(struct worker *worker);
};

static int on_dispatch(void *arg, const struct envelope *envelope, const char *payload, size_t len)
{
	struct worker *worker = arg;

	assert_true(len > 0 && payload[0] == '{');
	if (worker->refuse_sequence && envelope->sequence == worker->refuse_sequence) {
		worker->refuse_sequence = 0;
		return -ENOSPC;
	}
	assert_true(worker->dispatches < SEEN_MAX);
	worker->sequences[worker->dispatches] = envelope->sequence;
	snprintf(worker->names[worker->dispatches], 32, "%.*s", (int)envelope->name.len, envelope->name.ptr);
	worker->dispatches++;
	if (worker->ready_at_once && (envelope->type == SHOAL_EVENT_READY || envelope->type == SHOAL_EVENT_RESUMED))
		session_mark_ready(worker->session);
	if (worker->hold_each)
		session_hold(worker->session);
	return 0;
}

static void on_state(void *arg, enum shard_state state)
{
	struct worker *worker = arg;

	worker->last_state = state;
	assert_int_equal(board_shard_state(worker->board), state);
}

static void on_ask(void *arg)
{
	struct worker *worker = arg;

	worker->asked++;
	if (worker->denials) {
		worker->denials--;
		session_deny(worker->session, worker->deny_ms);
		return;
	}
	session_grant(worker->session, 1000 + worker->asked, worker->expires_ms);
}

static void on_identified(void *arg, uint64_t grant_id)
{
	struct worker *worker = arg;

	worker->identified++;
	worker->identified_grant = grant_id;
}

static void on_fatal(void *arg, enum exit_code code, uint16_t close_code, const char *text)
{
	struct worker *worker = arg;

	assert_true(strlen(text) > 10);
	assert_null(strstr(text, "token \"with"));
	worker->fatal = true;
	worker->fatal_code = code;
	worker->fatal_close = close_code;
}

static void on_loss(void *arg, const struct session_loss *loss)
{
	struct worker *worker = arg;

	assert_true(worker->loss_count < 8);
	worker->losses[worker->loss_count++] = *loss;
}

static void on_stopped(void *arg)
{
	struct worker *worker = arg;

	assert_false(worker->stopped);
	worker->stopped = true;
	session_free(worker->session);
	worker->session = NULL;
}

static const struct session_events events = {
	.dispatch = on_dispatch,
	.state = on_state,
	.request_identify = on_ask,
	.identified = on_identified,
	.fatal = on_fatal,
	.loss_window = on_loss,
	.stopped = on_stopped,
};

static void worker_init(struct worker *worker, void (*serve)(struct ws_peer *peer, void *arg))
{
	bool damaged;

	memset(worker, 0, sizeof(*worker));
	tmpdir_make(worker->dir);
	assert_int_equal(loop_init(&worker->loop), 0);
	assert_int_equal(board_shard_create(worker->dir, 1, 3, 4, 0, &damaged), 0);
	assert_int_equal(board_shard_open(worker->dir, 1, 3, true, &worker->board), 0);
	assert_int_equal(board_shard_lock(worker->board), 0);
	board_shard_set_owner(worker->board, 1, 1, "test");
	ws_stub_start(&worker->stub, NULL, serve, worker);
	snprintf(worker->url, sizeof(worker->url), "ws://127.0.0.1:%d", worker->stub.port);
	worker->expires_ms = 5000;
	worker->ready_at_once = true;
	worker->options = (struct session_options){
		.shard_id = 3,
		.shard_count = 4,
		.intents = 513,
		.gateway_url = worker->url,
		.token = TOKEN,
		.override_url = "",
		.ca_file = "",
		.compress = CONFIG_COMPRESS_ZLIB,
		.hello_timeout_ms = 1500,
		.connect_timeout_ms = 1500,
		.zombie_grace_ms = 100,
		.backoff_floor_ms = 10,
		.backoff_cap_ms = 50,
		.resume_attempts = 3,
		.resume_quiet_ms = 60000,
		.max_frame_kib = 64,
		.max_payload_kib = 256,
	};
}

static void worker_start(struct worker *worker)
{
	assert_int_equal(session_new(&worker->loop, &worker->options, worker->board, &events, worker, &worker->session),
			 0);
	session_start(worker->session);
}

static void worker_stop(struct worker *worker, enum session_stop how)
{
	session_stop(worker->session, how);
	session_stop(worker->session, SESSION_STOP_RESUMABLE);
	assert_true(loop_wait_for(&worker->loop, loop_wait_true, &worker->stopped, 3000));
	assert_int_equal(board_shard_state(worker->board), SHARD_STATE_STOPPED);
}

static void worker_finish(struct worker *worker)
{
	if (!worker->stopped)
		worker_stop(worker, SESSION_STOP_RESUMABLE);
	assert_int_equal(loop_finish(&worker->loop), 0);
	ws_stub_stop(&worker->stub);
	board_shard_close(worker->board);
	tmpdir_remove(worker->dir);
}

static bool is_met(void *arg)
{
	struct worker *worker = arg;

	return worker->until(worker);
}

static void wait_until(struct worker *worker, bool (*until)(struct worker *worker))
{
	worker->until = until;
	assert_true(loop_wait_for(&worker->loop, is_met, worker, WAIT_MS));
}

static uint64_t count_of(struct worker *worker, enum board_counter counter)
{
	return board_shard_counter(worker->board, counter);
}

static void put_session(struct worker *worker, const char *id, const char *url, uint64_t sequence)
{
	struct board_session record = { .intents = 513, .compress = CONFIG_COMPRESS_ZLIB, .user_id = 7 };

	snprintf(record.session_id, sizeof(record.session_id), "%s", id);
	snprintf(record.resume_url, sizeof(record.resume_url), "%s", url);
	board_shard_set_session(worker->board, &record, sequence);
}

static bool is_ready(struct worker *worker)
{
	return worker->last_state == SHARD_STATE_READY;
}

static bool is_fatal(struct worker *worker)
{
	return worker->fatal;
}

/* --- the gateway ------------------------------------------------------------------------------------------------- */

static _Atomic int close_codes[WS_CONNECTIONS_MAX]; /* what the client closed each connection with */
static char identify[8192], resume[8192], sent[8192];
static _Atomic int step;  /* what a script has come to */
static _Atomic int beats; /* that it answered */

static void hello(struct ws_peer *peer, int interval_ms)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"t\":null,\"s\":null,\"op\":10,\"d\":{\"heartbeat_interval\":%d}}",
		 interval_ms);
	if (ws_upgrade(peer) == 0)
		ws_send_json(peer, text);
}

static void dispatch(struct ws_peer *peer, const char *name, uint64_t sequence)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"t\":\"%s\",\"s\":%" PRIu64 ",\"op\":0,\"d\":{\"id\":\"1\",\"guild_id\":\"5\"}}", name, sequence);
	ws_send_json(peer, text);
}

static void send_ready(struct ws_peer *peer, const char *session_id, const char *resume_url)
{
	char text[1024], url[64];

	snprintf(url, sizeof(url), "ws://127.0.0.1:%d/resume?here=1", peer->stub->port);
	snprintf(text, sizeof(text),
		 "{\"t\":\"READY\",\"s\":1,\"op\":0,\"d\":{\"v\":10,\"user\":{\"id\":\"42\",\"username\":\"bot\","
		 "\"discriminator\":\"0\",\"global_name\":null,\"avatar\":null},\"guilds\":[{\"id\":\"5\","
		 "\"unavailable\":true}],"
		 "\"session_id\":\"%s\",\"resume_gateway_url\":\"%s\",\"shard\":[3,4],"
		 "\"application\":{\"id\":\"43\",\"flags\":0}}}",
		 session_id, resume_url ? resume_url : url);
	ws_send_json(peer, text);
}

/* HELLO, IDENTIFY, READY. */
static void establish(struct ws_peer *peer, int interval_ms)
{
	hello(peer, interval_ms);
	if (ws_expect(peer, "\"op\":2", identify, sizeof(identify)) == 0)
		send_ready(peer, "first", NULL);
}

/* HELLO, RESUME. */
static int expect_resume(struct ws_peer *peer)
{
	hello(peer, 30000);
	return ws_expect(peer, "\"op\":6", resume, sizeof(resume));
}

static void send_resumed(struct ws_peer *peer, uint64_t sequence)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"t\":\"RESUMED\",\"s\":%" PRIu64 ",\"op\":0,\"d\":null}", sequence);
	ws_send_json(peer, text);
}

/* Answers heartbeats until the client leaves. */
static void serve_on(struct ws_peer *peer)
{
	char text[8192];

	for (;;) {
		size_t len;
		int opcode = ws_recv(peer, text, sizeof(text), &len);

		if (opcode == 8 && len >= 2)
			close_codes[peer->number] = (unsigned char)text[0] << 8 | (unsigned char)text[1];
		if (opcode < 0 || opcode == 8)
			return;
		if (strstr(text, "\"op\":1,")) {
			ws_send_json(peer, "{\"op\":11}");
			beats++;
		} else {
			memcpy(sent, text, len + 1);
		}
	}
}

static int reset_gateway(void **state)
{
	(void)state;
	memset((void *)close_codes, 0, sizeof(close_codes));
	identify[0] = resume[0] = sent[0] = '\0';
	step = beats = 0;
	return 0;
}

/* --- beginning --------------------------------------------------------------------------------------------------- */

static void serve_identify(struct ws_peer *peer, void *arg)
{
	(void)arg;
	establish(peer, 150);
	dispatch(peer, "MESSAGE_CREATE", 2);
	dispatch(peer, "SOMETHING_NEW", 3);
	ws_send_json(peer, "{\"op\":99,\"d\":{}}");
	serve_on(peer);
}

static bool has_beaten_twice(struct worker *worker)
{
	return is_ready(worker) && worker->dispatches == 3 && beats >= 2 && session_latency_us(worker->session) > 0;
}

static void check_identify(const char *text)
{
	json_t *json = json_loads(text, 0, NULL), *d;

	assert_non_null(json);
	assert_int_equal(json_integer_value(json_object_get(json, "op")), 2);
	d = json_object_get(json, "d");
	assert_string_equal(json_string_value(json_object_get(d, "token")), TOKEN);
	assert_int_equal(json_integer_value(json_object_get(d, "intents")), 513);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(d, "shard"), 0)), 3);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(d, "shard"), 1)), 4);
	assert_string_equal(json_string_value(json_object_get(json_object_get(d, "properties"), "os")), "linux");
	assert_string_equal(json_string_value(json_object_get(json_object_get(d, "presence"), "status")), "idle");
	assert_null(json_object_get(d, "compress"));
	json_decref(json);
}

static void check_identified(enum config_compress compress, const char *query)
{
	struct board_session record;
	struct worker worker;
	uint64_t sequence;

	reset_gateway(NULL);
	worker_init(&worker, serve_identify);
	worker.options.compress = compress;
	worker.options.presence = "{\"since\":null,\"activities\":[],\"status\":\"idle\",\"afk\":false}";
	worker_start(&worker);
	wait_until(&worker, has_beaten_twice);
	check_identify(identify);
	assert_non_null(strstr(worker.stub.peers[0]->request, query));
	assert_int_equal(worker.asked, 1);
	assert_int_equal(worker.identified, 1);
	assert_int_equal(worker.identified_grant, 1001);
	assert_int_equal(session_sequence(worker.session), 3);
	assert_true(board_shard_session(worker.board, &record, &sequence));
	assert_string_equal(record.session_id, "first");
	assert_non_null(strstr(record.resume_url, "/resume?here=1"));
	assert_int_equal(record.user_id, 42);
	assert_int_equal(record.application_id, 43);
	assert_int_equal(record.intents, 513);
	assert_int_equal(record.compress, compress);
	assert_int_equal(sequence, 3);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_events_total), 3);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_opcodes_unknown), 1);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_identifies), 1);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_loss_windows), 0);
	assert_true(count_of(&worker, BOARD_COUNTER_bytes_payload) > 300);
	assert_true(count_of(&worker, BOARD_COUNTER_bytes_wire) > 200);
	assert_string_equal(worker.names[2], "SOMETHING_NEW");
	worker_stop(&worker, SESSION_STOP_RESUMABLE);
	assert_true(board_shard_session(worker.board, &record, &sequence));
	worker_finish(&worker);
	assert_int_equal(close_codes[0], 4000);
}

static void test_identify(void **state)
{
	(void)state;
	check_identified(CONFIG_COMPRESS_ZLIB, "GET /?v=10&encoding=json&compress=zlib-stream HTTP/1.1\r\n");
	check_identified(CONFIG_COMPRESS_NONE, "GET /?v=10&encoding=json HTTP/1.1\r\n");
}

static void test_logout(void **state)
{
	struct board_session record;
	struct worker worker;
	uint64_t sequence;

	(void)state;
	worker_init(&worker, serve_identify);
	worker_start(&worker);
	wait_until(&worker, is_ready);
	worker_stop(&worker, SESSION_STOP_LOGOUT);
	assert_false(board_shard_session(worker.board, &record, &sequence));
	assert_int_equal(worker.loss_count, 0);
	worker_finish(&worker);
	assert_int_equal(close_codes[0], 1000);
}

static void test_stop_before_start(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_identify);
	assert_int_equal(session_new(&worker.loop, &worker.options, worker.board, &events, &worker, &worker.session),
			 0);
	worker_finish(&worker);
}

static bool was_denied(struct worker *worker)
{
	return is_ready(worker);
}

/* Waits for IDENTIFY, as long as it takes. */
static void serve_patiently(struct ws_peer *peer, void *arg)
{
	int r;

	(void)arg;
	hello(peer, 30000);
	r = ws_expect(peer, "\"op\":2", identify, sizeof(identify));
	if (r < 0) {
		close_codes[peer->number] = -r;
		return;
	}
	send_ready(peer, "first", NULL);
	serve_on(peer);
}

static void test_denied_then_granted(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_patiently);
	worker.denials = 3;
	worker.deny_ms = 120;
	worker_start(&worker);
	wait_until(&worker, was_denied);
	assert_int_equal(worker.asked, 4);
	assert_int_equal(worker.identified, 1);
	assert_int_equal(worker.identified_grant, 1004);
	assert_int_equal(ws_stub_count(&worker.stub), 1);
	worker_finish(&worker);
}

static bool is_waiting_out(struct worker *worker)
{
	return worker->last_state == SHARD_STATE_BACKOFF && close_codes[0];
}

static void test_denied_for_long_leaves_the_connection(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_patiently);
	worker.denials = 1;
	worker.deny_ms = 3600000;
	worker_start(&worker);
	wait_until(&worker, is_waiting_out);
	worker_finish(&worker);
	assert_int_equal(close_codes[0], 4000);
	assert_int_equal(worker.identified, 0);
}

static void test_impossible_options(void **state)
{
	static char long_token[5000];
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_identify);
	memset(long_token, 'x', sizeof(long_token) - 1);
#define REFUSED(member, value)                                                                                  \
	do {                                                                                                    \
		struct session_options options = worker.options;                                                \
		struct session *session = NULL;                                                                 \
		options.member = value;                                                                         \
		assert_int_equal(session_new(&worker.loop, &options, worker.board, &events, &worker, &session), \
				 -EINVAL);                                                                      \
		assert_null(session);                                                                           \
	} while (0)
	REFUSED(gateway_url, "https://discord.com");
	REFUSED(override_url, "nonsense");
	REFUSED(token, "");
	REFUSED(token, long_token);
	REFUSED(presence, "{nonsense");
	REFUSED(compress, 3);
	REFUSED(shard_id, 4);
	REFUSED(max_payload_kib, 0);
#undef REFUSED
	worker_start(&worker);
	wait_until(&worker, is_ready);
	worker_finish(&worker);
}

/* --- lost and resumed -------------------------------------------------------------------------------------------- */

static void check_resume(uint64_t sequence)
{
	json_t *json = json_loads(resume, 0, NULL), *d;

	assert_non_null(json);
	d = json_object_get(json, "d");
	assert_string_equal(json_string_value(json_object_get(d, "token")), TOKEN);
	assert_string_equal(json_string_value(json_object_get(d, "session_id")), "first");
	assert_int_equal(json_integer_value(json_object_get(d, "seq")), sequence);
	json_decref(json);
}

static void serve_drop(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (peer->number == 0) {
		establish(peer, 30000);
		dispatch(peer, "MESSAGE_CREATE", 2);
		dispatch(peer, "MESSAGE_CREATE", 4);
		dispatch(peer, "MESSAGE_CREATE", 3); /* out of order, but new */
		dispatch(peer, "MESSAGE_CREATE", 4);
		/* Closing with a beat unread would reset the connection, and take what was sent with it. */
		ws_expect(peer, "\"op\":1,", resume, sizeof(resume));
		return; /* the connection just ends */
	}
	if (expect_resume(peer) < 0)
		return;
	dispatch(peer, "MESSAGE_CREATE", 3); /* more than was asked for */
	dispatch(peer, "MESSAGE_CREATE", 4);
	dispatch(peer, "MESSAGE_CREATE", 5);
	send_resumed(peer, 6);
	dispatch(peer, "MESSAGE_CREATE", 7);
	serve_on(peer);
}

static bool has_seven(struct worker *worker)
{
	return worker->dispatches && worker->sequences[worker->dispatches - 1] == 7 && is_ready(worker);
}

static void test_drop_and_resume(void **state)
{
	static const uint64_t want[] = { 1, 2, 4, 3, 5, 6, 7 };
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_drop);
	worker_start(&worker);
	wait_until(&worker, has_seven);
	check_resume(4);
	assert_int_equal(worker.dispatches, 7);
	assert_memory_equal(worker.sequences, want, sizeof(want));
	/* To its own URL with what stands there, and the same query. */
	assert_non_null(strstr(worker.stub.peers[1]->request,
			       "GET /resume?here=1&v=10&encoding=json&compress=zlib-stream HTTP/1.1\r\n"));
	assert_int_equal(count_of(&worker, BOARD_COUNTER_events_repeated), 3);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_resumes), 1);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_identifies), 1);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_reconnects), 1);
	assert_int_equal(worker.loss_count, 0);
	assert_int_equal(board_shard_sequence(worker.board), 7);
	worker_finish(&worker);
}

static void serve_resume_only(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (expect_resume(peer) < 0)
		return;
	dispatch(peer, "MESSAGE_CREATE", 101);
	send_resumed(peer, 102);
	serve_on(peer);
}

static void test_successor_resumes_from_the_board(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_resume_only);
	put_session(&worker, "first", "wss://other.host:444/path", 100);
	/* The override stands in for scheme, host and port of the session's own URL. */
	worker.options.override_url = worker.url;
	worker.options.gateway_url = "wss://gateway.invalid";
	worker_start(&worker);
	wait_until(&worker, is_ready);
	check_resume(100);
	assert_non_null(strstr(worker.stub.peers[0]->request, "GET /path?v=10&encoding=json&compress=zlib-stream"));
	assert_int_equal(worker.asked, 0);
	assert_int_equal(session_sequence(worker.session), 102);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_identifies), 0);
	worker_finish(&worker);
}

static _Atomic int resumed_sequence; /* -1: none */

static void serve_odd_resumed(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (expect_resume(peer) < 0)
		return;
	if (resumed_sequence < 0)
		ws_send_json(peer, "{\"op\":0,\"t\":\"RESUMED\",\"s\":null,\"d\":{}}");
	else
		send_resumed(peer, (uint64_t)resumed_sequence);
	serve_on(peer);
}

/* RESUMED counts whatever its number: the last one again, an older one, none. */
static void test_resumed_with_an_odd_number(void **state)
{
	static const int numbers[] = { 100, 99, 1, 0, -1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct worker worker;

		resumed_sequence = numbers[i];
		worker_init(&worker, serve_odd_resumed);
		put_session(&worker, "first", worker.url, 100);
		worker_start(&worker);
		wait_until(&worker, is_ready);
		assert_int_equal(session_sequence(worker.session), 100);
		assert_int_equal(worker.loss_count, 0);
		worker_finish(&worker);
	}
}

static void serve_gap(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (expect_resume(peer) < 0)
		return;
	dispatch(peer, "MESSAGE_CREATE", 104);
	dispatch(peer, "MESSAGE_CREATE", 106);
	send_resumed(peer, 107);
	serve_on(peer);
}

static void test_gap_after_resume_is_a_loss_window(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_gap);
	put_session(&worker, "first", worker.url, 100);
	worker_start(&worker);
	wait_until(&worker, is_ready);
	assert_int_equal(worker.loss_count, 1);
	assert_string_equal(worker.losses[0].reason, "resume_gap");
	assert_int_equal(worker.losses[0].from_sequence, 101);
	assert_int_equal(worker.losses[0].to_sequence, 105);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_loss_windows), 1);
	worker_finish(&worker);
}

static void serve_op7(struct ws_peer *peer, void *arg)
{
	(void)arg;
	switch (peer->number) {
	case 0:
		establish(peer, 30000);
		ws_send_json(peer, "{\"op\":7,\"d\":null}");
		serve_on(peer);
		break;
	case 1: /* before HELLO */
		if (ws_upgrade(peer) == 0)
			ws_send_json(peer, "{\"op\":7,\"d\":null,\"s\":null,\"t\":null}");
		serve_on(peer);
		break;
	default:
		if (expect_resume(peer) == 0)
			send_resumed(peer, 2);
		serve_on(peer);
	}
}

static bool has_resumed(struct worker *worker)
{
	return is_ready(worker) && count_of(worker, BOARD_COUNTER_resumes) > 0;
}

static void test_op7(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_op7);
	worker_start(&worker);
	wait_until(&worker, has_resumed);
	check_resume(1);
	assert_int_equal(close_codes[0], 4000);
	assert_int_equal(close_codes[1], 4000);
	assert_int_equal(ws_stub_count(&worker.stub), 3);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_identifies), 1);
	worker_finish(&worker);
}

static void serve_then_resume(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (peer->number == 0) {
		establish(peer, 30000);
		serve_on(peer);
	} else {
		if (expect_resume(peer) == 0)
			send_resumed(peer, 2);
		serve_on(peer);
	}
}

/* Live for a moment, lost, resumed, lost …: RESUMEs that work are not put off further and further. */
static void serve_flapping(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (peer->number == 0) {
		establish(peer, 30000);
	} else if (expect_resume(peer) == 0) {
		send_resumed(peer, 1 + (uint64_t)peer->number);
	}
	if (peer->number < 12)
		return;
	step = 1;
	serve_on(peer);
}

static bool has_settled(struct worker *worker)
{
	return step && is_ready(worker);
}

static void test_flapping_does_not_grow_the_backoff(void **state)
{
	uint64_t began = clock_monotonic_ns();
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_flapping);
	worker.options.backoff_floor_ms = 20;
	worker.options.backoff_cap_ms = 60000;
	worker_start(&worker);
	wait_until(&worker, has_settled);
	/* Twelve waits of at most 60 ms; doubling each time would take over a minute. */
	assert_true((clock_monotonic_ns() - began) / NS_PER_MS < 5000);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_resumes), 12);
	worker_finish(&worker);
}

static void test_operators_reconnect(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_then_resume);
	worker_start(&worker);
	wait_until(&worker, is_ready);
	session_reconnect(worker.session);
	wait_until(&worker, has_resumed);
	assert_int_equal(close_codes[0], 4000);
	worker_finish(&worker);
}

/* No ACK: the beat after it, and the grace, decide. */
static void serve_zombie(struct ws_peer *peer, void *arg)
{
	char text[256];

	(void)arg;
	if (peer->number == 0) {
		establish(peer, 200);
		close_codes[0] = -ws_expect(peer, "\x01never", text, sizeof(text));
	} else {
		if (expect_resume(peer) == 0)
			send_resumed(peer, 2);
		serve_on(peer);
	}
}

static void test_zombie(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_zombie);
	worker_start(&worker);
	wait_until(&worker, has_resumed);
	assert_int_equal(close_codes[0], 4900);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_zombies), 1);
	worker_finish(&worker);
}

/* An ACK within the grace keeps the connection. */
static void serve_slow_ack(struct ws_peer *peer, void *arg)
{
	char text[256];

	(void)arg;
	establish(peer, 200);
	for (int i = 0; i < 4; i++) {
		if (ws_expect(peer, "\"op\":1", text, sizeof(text)) < 0)
			return;
		usleep(250000); /* past the next beat, within its grace of 100 ms */
		ws_send_json(peer, "{\"op\":11,\"d\":null}");
		step++;
	}
	ws_wait_close(peer); /* without another ACK, which would come at once */
}

static bool has_four_acks(struct worker *worker)
{
	(void)worker;
	return step >= 4;
}

static void test_late_ack_within_grace(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_slow_ack);
	worker.options.zombie_grace_ms = 500;
	worker_start(&worker);
	wait_until(&worker, has_four_acks);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_zombies), 0);
	assert_int_equal(ws_stub_count(&worker.stub), 1);
	assert_in_range(session_latency_us(worker.session), 200000, 2000000);
	worker_finish(&worker);
}

static void serve_op1(struct ws_peer *peer, void *arg)
{
	char text[256];

	(void)arg;
	establish(peer, 86000); /* no beat of its own comes in between */
	dispatch(peer, "MESSAGE_CREATE", 77);
	ws_send_json(peer, "{\"op\":1,\"d\":null,\"s\":null,\"t\":null}");
	/* Another one was sent when the session was there. */
	while (ws_expect(peer, "\"op\":1", text, sizeof(text)) == 0 && strcmp(text, "{\"op\":1,\"d\":77}") != 0)
		continue;
	/* Far more than the limit allows: the client must keep it. */
	for (int i = 0; i < 1000; i++)
		ws_send_json(peer, "{\"op\":1}");
	ws_send_json(peer, "{\"op\":7}");
	for (;;) {
		size_t len;
		int opcode = ws_recv(peer, text, sizeof(text), &len);

		if (opcode < 0 || opcode == 8)
			break;
		step++;
	}
}

static bool is_second_connection(struct worker *worker)
{
	return ws_stub_count(&worker->stub) >= 2;
}

static void test_requested_beats(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_op1);
	worker_start(&worker);
	wait_until(&worker, is_second_connection);
	/* IDENTIFY and two beats are among the 120. */
	assert_in_range(step, 100, 117);
	worker_finish(&worker);
}

/* --- refused ----------------------------------------------------------------------------------------------------- */

static _Atomic int script_code;

static void serve_close_code(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (peer->number == 0) {
		establish(peer, 30000);
		dispatch(peer, "MESSAGE_CREATE", 2);
		ws_send_close(peer, script_code, "because");
		serve_on(peer);
	} else if (peer->number == 1 && script_code != 4003 && script_code != 4005 && script_code != 4007) {
		if (expect_resume(peer) == 0)
			send_resumed(peer, 3);
		serve_on(peer);
	} else {
		hello(peer, 30000);
		if (ws_expect(peer, "\"op\":2", identify, sizeof(identify)) == 0) {
			step = 1;
			send_ready(peer, "second", NULL);
		}
		serve_on(peer);
	}
}

static bool has_come_back(struct worker *worker)
{
	return is_ready(worker) && is_second_connection(worker) && (step || count_of(worker, BOARD_COUNTER_resumes));
}

static void test_close_codes_that_resume(void **state)
{
	static const int codes[] = { 1000, 1001, 4000, 4001, 4002, 4009, 4015, 3000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct worker worker;

		reset_gateway(NULL);
		script_code = codes[i];
		worker_init(&worker, serve_close_code);
		worker_start(&worker);
		wait_until(&worker, has_come_back);
		check_resume(2);
		assert_int_equal(worker.loss_count, 0);
		assert_int_equal(count_of(&worker, BOARD_COUNTER_identifies), 1);
		worker_finish(&worker);
	}
}

static void test_close_codes_that_identify(void **state)
{
	static const int codes[] = { 4003, 4005, 4007 };
	static const char *const reasons[] = { "not_authenticated", "already_authenticated", "invalid_sequence" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct worker worker;

		reset_gateway(NULL);
		script_code = codes[i];
		worker_init(&worker, serve_close_code);
		worker_start(&worker);
		wait_until(&worker, has_come_back);
		assert_int_equal(worker.asked, 2);
		assert_int_equal(count_of(&worker, BOARD_COUNTER_identifies), 2);
		assert_int_equal(worker.loss_count, 1);
		assert_string_equal(worker.losses[0].reason, reasons[i]);
		assert_int_equal(worker.losses[0].from_sequence, 3);
		assert_int_equal(worker.losses[0].to_sequence, 0);
		assert_true(worker.losses[0].from_wall_ms > 0);
		assert_true(worker.losses[0].to_wall_ms >= worker.losses[0].from_wall_ms);
		assert_int_equal(board_shard_sequence(worker.board), 1);
		/* To the general URL. */
		assert_non_null(strstr(worker.stub.peers[1]->request, "GET /?v=10"));
		worker_finish(&worker);
	}
}

static void test_close_codes_that_are_fatal(void **state)
{
	static const struct {
		int close_code;
		enum exit_code exit_code;
	} cases[] = {
		{ 4004, EXIT_CODE_TOKEN },       { 4010, EXIT_CODE_SHARDING }, { 4011, EXIT_CODE_SHARDING },
		{ 4012, EXIT_CODE_API_VERSION }, { 4013, EXIT_CODE_INTENTS },  { 4014, EXIT_CODE_INTENTS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct worker worker;

		script_code = cases[i].close_code;
		worker_init(&worker, serve_close_code);
		worker_start(&worker);
		wait_until(&worker, is_fatal);
		assert_int_equal(worker.fatal_code, cases[i].exit_code);
		assert_int_equal(worker.fatal_close, cases[i].close_code);
		/* It stays so: no second connection, whatever is asked of it. */
		session_reconnect(worker.session);
		session_grant(worker.session, 1, 1000);
		for (int turn = 0; turn < 20; turn++)
			uv_run(&worker.loop.uv, UV_RUN_NOWAIT);
		assert_int_equal(ws_stub_count(&worker.stub), 1);
		worker_finish(&worker);
	}
}

static void serve_invalid(struct ws_peer *peer, void *arg)
{
	(void)arg;
	switch (peer->number) {
	case 0: /* may be resumed */
		if (expect_resume(peer) == 0)
			ws_send_json(peer, "{\"op\":9,\"d\":true}");
		break;
	case 1: /* may not */
		if (expect_resume(peer) == 0)
			ws_send_json(peer, "{\"op\":9,\"d\":false}");
		break;
	default:
		establish(peer, 30000);
	}
	serve_on(peer);
}

static void test_invalid_session(void **state)
{
	uint64_t began = clock_monotonic_ns();
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_invalid);
	put_session(&worker, "first", worker.url, 100);
	worker_start(&worker);
	worker.until = is_ready;
	assert_true(loop_wait_for(&worker.loop, is_met, &worker, 15000));
	/* Twice a wait of 1 to 5 s. */
	assert_in_range((clock_monotonic_ns() - began) / NS_PER_MS, 2000, 12000);
	assert_int_equal(close_codes[0], 4000);
	assert_int_equal(close_codes[1], 4000);
	assert_int_equal(worker.loss_count, 1);
	assert_string_equal(worker.losses[0].reason, "invalid_session");
	assert_int_equal(worker.losses[0].from_sequence, 101);
	assert_int_equal(worker.losses[0].from_wall_ms, 0);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_resumes_refused), 2);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_identifies), 1);
	worker_finish(&worker);
}

static void serve_no_resume(struct ws_peer *peer, void *arg)
{
	(void)arg;
	hello(peer, 30000);
	if (ws_expect(peer, "\"op\":", resume, sizeof(resume)) < 0)
		return;
	if (strstr(resume, "\"op\":6")) {
		step++;
		ws_send_close(peer, 4000, "");
	} else if (strstr(resume, "\"op\":2")) {
		send_ready(peer, "second", NULL);
	}
	serve_on(peer);
}

static void test_resumes_are_given_up(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_no_resume);
	put_session(&worker, "first", worker.url, 100);
	worker_start(&worker);
	wait_until(&worker, is_ready);
	assert_int_equal(step, 3);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_resumes_refused), 3);
	assert_int_equal(worker.loss_count, 1);
	assert_string_equal(worker.losses[0].reason, "resume_given_up");
	worker_finish(&worker);
}

static void test_dead_resume_url(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_resume_only);
	put_session(&worker, "first", "ws://127.0.0.1:1/", 100);
	worker_start(&worker);
	wait_until(&worker, is_ready);
	check_resume(100);
	assert_int_equal(worker.loss_count, 0);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_identifies), 0);
	worker_finish(&worker);
}

static void serve_silence(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (peer->number < 2) {
		ws_upgrade(peer); /* and no HELLO */
		serve_on(peer);
	} else {
		serve_resume_only(peer, arg);
	}
}

static void test_no_hello(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_silence);
	worker.options.hello_timeout_ms = 150;
	put_session(&worker, "first", worker.url, 100);
	worker_start(&worker);
	wait_until(&worker, is_ready);
	assert_int_equal(close_codes[0], 4904);
	assert_int_equal(close_codes[1], 4904);
	worker_finish(&worker);
}

/* --- bad input --------------------------------------------------------------------------------------------------- */

static const char *bad_text;
static size_t bad_len;
static int bad_first; /* first byte of the frame */

static void serve_bad_once(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (peer->number == 0) {
		establish(peer, 30000);
		ws_send(peer, bad_first, bad_text, bad_len);
		serve_on(peer);
	} else {
		if (expect_resume(peer) == 0)
			send_resumed(peer, 2);
		serve_on(peer);
	}
}

static void test_bad_payloads(void **state)
{
	static char large[300 * 1024];
	static const struct {
		const char *text;
		size_t len;
		int first, code;
	} cases[] = {
		{ "{\"op\":0", 7, 0x81, 4902 },
		{ "{\"op\":11,\"d\":\"\xff\"}", 16, 0x81, 4902 },
		{ "", 0, 0x81, 4902 },
		{ "[]", 2, 0x81, 4902 },
		{ "{\"op\":11}x", 10, 0x81, 4902 },
		{ "garbage", 7, 0x82, 4902 },
		{ "{\"op\":11}", 9, 0xC1, 4901 },
		{ large, sizeof(large), 0x81, 4903 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct worker worker;

		reset_gateway(NULL);
		bad_text = cases[i].text;
		bad_len = cases[i].len;
		bad_first = cases[i].first;
		worker_init(&worker, serve_bad_once);
		worker_start(&worker);
		wait_until(&worker, has_resumed);
		check_resume(1);
		assert_int_equal(close_codes[0], cases[i].code);
		assert_int_equal(count_of(&worker, BOARD_COUNTER_frames_bad), 1);
		assert_int_equal(worker.loss_count, 0);
		worker_finish(&worker);
	}
}

/* A payload that is sent again with every RESUME and is never readable. */
static void serve_poison(struct ws_peer *peer, void *arg)
{
	(void)arg;
	hello(peer, 30000);
	if (ws_expect(peer, "\"op\":", resume, sizeof(resume)) < 0)
		return;
	if (strstr(resume, "\"op\":6")) {
		step++;
		ws_send_json(peer, "{\"op\":0,\"t\":\"MESSAGE_CREATE\",\"s\":101,\"d\":{\"content\":\"\xc3\x28\"}}");
	} else {
		send_ready(peer, "second", NULL);
	}
	serve_on(peer);
}

static void test_poison_is_given_up(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_poison);
	worker.options.resume_attempts = 10;
	put_session(&worker, "first", worker.url, 100);
	worker_start(&worker);
	wait_until(&worker, is_ready);
	assert_int_equal(step, 3);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_frames_bad), 3);
	assert_int_equal(worker.loss_count, 1);
	assert_string_equal(worker.losses[0].reason, "bad_payload");
	assert_int_equal(worker.losses[0].from_sequence, 101);
	worker_finish(&worker);
}

static void serve_nonsense(struct ws_peer *peer, void *arg)
{
	(void)arg;
	hello(peer, 30000);
	dispatch(peer, "MESSAGE_CREATE", 5); /* before there is a session */
	send_resumed(peer, 6);
	ws_send_json(peer, "{\"op\":10,\"d\":{\"heartbeat_interval\":1}}");
	if (ws_expect(peer, "\"op\":2", identify, sizeof(identify)) < 0)
		return;
	send_resumed(peer, 7);
	send_ready(peer, "first", "not a url");
	send_ready(peer, "again", NULL);
	dispatch(peer, "MESSAGE_CREATE", 2);
	serve_on(peer);
}

static bool has_two(struct worker *worker)
{
	return worker->dispatches >= 2;
}

static void test_nonsense_is_survived(void **state)
{
	struct board_session record;
	struct worker worker;
	uint64_t sequence;

	(void)state;
	worker_init(&worker, serve_nonsense);
	worker_start(&worker);
	wait_until(&worker, has_two);
	assert_int_equal(worker.dispatches, 2);
	assert_int_equal(worker.sequences[1], 2);
	assert_int_equal(ws_stub_count(&worker.stub), 1);
	assert_true(board_shard_session(worker.board, &record, &sequence));
	assert_string_equal(record.session_id, "first");
	assert_string_equal(record.resume_url, "");
	worker_finish(&worker);
}

static void serve_refused(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (peer->number == 0) {
		establish(peer, 30000);
		dispatch(peer, "MESSAGE_CREATE", 2);
		dispatch(peer, "MESSAGE_CREATE", 3);
		dispatch(peer, "MESSAGE_CREATE", 4);
		serve_on(peer);
	} else {
		if (expect_resume(peer) < 0)
			return;
		dispatch(peer, "MESSAGE_CREATE", 3);
		dispatch(peer, "MESSAGE_CREATE", 4);
		send_resumed(peer, 5);
		serve_on(peer);
	}
}

/* What the worker could not take is sent again: nothing behind it was handed over either. */
static void test_dispatch_not_taken(void **state)
{
	static const uint64_t want[] = { 1, 2, 3, 4, 5 };
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_refused);
	worker.refuse_sequence = 3;
	worker_start(&worker);
	wait_until(&worker, has_resumed);
	check_resume(2);
	assert_int_equal(close_codes[0], 4905);
	assert_int_equal(worker.dispatches, 5);
	assert_memory_equal(worker.sequences, want, sizeof(want));
	worker_finish(&worker);
}

/* --- holding and sending ----------------------------------------------------------------------------------------- */

static void serve_five(struct ws_peer *peer, void *arg)
{
	(void)arg;
	establish(peer, 200);
	for (uint64_t i = 2; i <= 5; i++)
		dispatch(peer, "MESSAGE_CREATE", i);
	serve_on(peer);
}

static bool has_more(struct worker *worker)
{
	return worker->dispatches > (uint32_t)worker->deny_ms;
}

static bool has_beaten_four_times(struct worker *worker)
{
	(void)worker;
	return beats >= 4;
}

static void test_hold(void **state)
{
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_five);
	worker.hold_each = true;
	worker_start(&worker);
	for (uint32_t i = 0; i < 5; i++) {
		worker.deny_ms = i;
		wait_until(&worker, has_more);
		assert_int_equal(worker.dispatches, i + 1);
		/* Not reading, it sees no ACK for several intervals: heartbeats go on, and nobody takes it for dead. */
		if (i == 1)
			wait_until(&worker, has_beaten_four_times);
		assert_int_equal(worker.dispatches, i + 1);
		session_unhold(worker.session);
	}
	assert_int_equal(count_of(&worker, BOARD_COUNTER_zombies), 0);
	assert_int_equal(ws_stub_count(&worker.stub), 1);
	worker_finish(&worker);
}

static void serve_sends(struct ws_peer *peer, void *arg)
{
	char text[8192];

	(void)arg;
	establish(peer, 86000);
	while (ws_expect(peer, "\"op\":", text, sizeof(text)) == 0) {
		if (strstr(text, "\"op\":1,"))
			continue;
		snprintf(sent, sizeof(sent), "%s", text);
		step++;
	}
}

static bool has_sent_five(struct worker *worker)
{
	(void)worker;
	return step >= 6;
}

static void test_sends(void **state)
{
	char large[SESSION_SEND_MAX];
	struct worker worker;

	(void)state;
	worker_init(&worker, serve_sends);
	memset(large, '1', sizeof(large));
	worker_start(&worker);
	/* Before there is a session they wait; a presence takes the place of one that waits. */
	assert_int_equal(session_send(worker.session, 8, "{\"guild_id\":\"5\"}", 16), 0);
	assert_int_equal(session_send(worker.session, 3, "{\"n\":0}", 7), 0);
	assert_int_equal(session_send(worker.session, 3, "{\"n\":1}", 7), 0);
	assert_int_equal(session_send(worker.session, 2, "{}", 2), -EINVAL);
	assert_int_equal(session_send(worker.session, 3, "{", 1), -EINVAL);
	assert_int_equal(session_send(worker.session, 8, large, sizeof(large)), -EMSGSIZE);
	assert_int_equal(session_send(worker.session, 8, large, SESSION_SEND_MAX - 12), -EMSGSIZE);
	assert_int_equal(session_send(worker.session, 8, large, SESSION_SEND_MAX - 13), 0);
	wait_until(&worker, is_ready);
	check_identify("{\"op\":2,\"d\":{\"token\":\"token \\\"with\\\" odd\\\\bytes\",\"intents\":513,\"shard\":[3,4],"
		       "\"properties\":{\"os\":\"linux\"},\"presence\":{\"status\":\"idle\"}}}");
	assert_non_null(strstr(identify, "\"presence\":{\"n\":1}"));
	for (int i = 2; i <= 4; i++) {
		char d[16];

		assert_int_equal(session_send(worker.session, 3, d, (size_t)snprintf(d, sizeof(d), "{\"n\":%d}", i)),
				 0);
	}
	wait_until(&worker, has_sent_five);
	assert_string_equal(sent, "{\"op\":3,\"d\":{\"n\":4}}");
	assert_int_equal(count_of(&worker, BOARD_COUNTER_sends_limited), 0);
	/* The fifth of 20 s goes, the sixth waits and is replaced by the seventh; what stands behind it waits too. */
	assert_int_equal(session_send(worker.session, 3, "{\"n\":5}", 7), 0);
	assert_int_equal(session_send(worker.session, 3, "{\"n\":6}", 7), 0);
	assert_int_equal(session_send(worker.session, 3, "{\"n\":7}", 7), 0);
	assert_int_equal(count_of(&worker, BOARD_COUNTER_sends_limited), 1);
	for (int i = 0; i < SESSION_QUEUE_MAX - 1; i++)
		assert_int_equal(session_send(worker.session, 31, "{}", 2), 0);
	assert_int_equal(session_send(worker.session, 43, "{}", 2), -ENOBUFS);
	assert_int_equal(session_send(worker.session, 3, "{\"n\":8}", 7), 0);
	worker_finish(&worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_identify, reset_gateway),
		cmocka_unit_test_setup(test_logout, reset_gateway),
		cmocka_unit_test_setup(test_stop_before_start, reset_gateway),
		cmocka_unit_test_setup(test_denied_then_granted, reset_gateway),
		cmocka_unit_test_setup(test_denied_for_long_leaves_the_connection, reset_gateway),
		cmocka_unit_test_setup(test_impossible_options, reset_gateway),
		cmocka_unit_test_setup(test_drop_and_resume, reset_gateway),
		cmocka_unit_test_setup(test_successor_resumes_from_the_board, reset_gateway),
		cmocka_unit_test_setup(test_resumed_with_an_odd_number, reset_gateway),
		cmocka_unit_test_setup(test_gap_after_resume_is_a_loss_window, reset_gateway),
		cmocka_unit_test_setup(test_op7, reset_gateway),
		cmocka_unit_test_setup(test_flapping_does_not_grow_the_backoff, reset_gateway),
		cmocka_unit_test_setup(test_operators_reconnect, reset_gateway),
		cmocka_unit_test_setup(test_zombie, reset_gateway),
		cmocka_unit_test_setup(test_late_ack_within_grace, reset_gateway),
		cmocka_unit_test_setup(test_requested_beats, reset_gateway),
		cmocka_unit_test_setup(test_close_codes_that_resume, reset_gateway),
		cmocka_unit_test_setup(test_close_codes_that_identify, reset_gateway),
		cmocka_unit_test_setup(test_close_codes_that_are_fatal, reset_gateway),
		cmocka_unit_test_setup(test_invalid_session, reset_gateway),
		cmocka_unit_test_setup(test_resumes_are_given_up, reset_gateway),
		cmocka_unit_test_setup(test_dead_resume_url, reset_gateway),
		cmocka_unit_test_setup(test_no_hello, reset_gateway),
		cmocka_unit_test_setup(test_bad_payloads, reset_gateway),
		cmocka_unit_test_setup(test_poison_is_given_up, reset_gateway),
		cmocka_unit_test_setup(test_nonsense_is_survived, reset_gateway),
		cmocka_unit_test_setup(test_dispatch_not_taken, reset_gateway),
		cmocka_unit_test_setup(test_hold, reset_gateway),
		cmocka_unit_test_setup(test_sends, reset_gateway),
	};

	log_setup(&(struct log_options){ .level = getenv("SHOAL_TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_AUDIT,
					 .format = LOG_FORMAT_HUMAN,
					 .program = "test_session",
					 .fd = 2 });
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
