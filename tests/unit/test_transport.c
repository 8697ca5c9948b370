/* The transport against real sockets: how a connection comes up, what it carries, and each way in which it can end. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shard/gateway/transport.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/ws_stub.h"

#define OPEN_MS 3000

/* The user of one transport, and what it saw. */
struct user {
	struct loop loop;
	struct transport *transport;
	struct ws_stub stub;
	bool opened, closed, destroyed;
	struct transport_end end;
	char *messages; /* each one followed by '|', large ones as their length */
	size_t messages_len;
	uint32_t count, wanted;
	bool enough;
	void (*on_open)(struct user *user);
	bool pause_each; /* pauses at every message */
};

static void on_opened(void *arg)
{
	struct user *user = arg;

	user->opened = true;
	if (user->on_open)
		user->on_open(user);
}

static void on_message(void *arg, char *bytes, size_t len, bool is_text)
{
	struct user *user = arg;
	char line[256];
	int n;

	if (len > 100)
		n = snprintf(line, sizeof(line), "%s%zu|", is_text ? "t" : "b", len);
	else
		n = snprintf(line, sizeof(line), "%s%.*s|", is_text ? "T" : "B", (int)len, bytes);
	user->messages = realloc(user->messages, user->messages_len + (size_t)n + 1);
	memcpy(user->messages + user->messages_len, line, (size_t)n + 1);
	user->messages_len += (size_t)n;
	user->count++;
	user->enough = user->count >= user->wanted;
	if (user->pause_each)
		transport_pause(user->transport);
}

static void on_closed(void *arg, const struct transport_end *end)
{
	struct user *user = arg;

	assert_false(user->closed);
	user->closed = true;
	user->end = *end;
}

static const struct transport_events events = { .opened = on_opened, .message = on_message, .closed = on_closed };

static void set_true(void *arg)
{
	*(bool *)arg = true;
}

static void user_init(struct user *user, const char *ca_file)
{
	struct transport_options options = { .ca_file = ca_file,
					     .max_message_bytes = 1 << 20,
					     .max_outgoing_bytes = 16384 };

	memset(user, 0, sizeof(*user));
	assert_int_equal(loop_init(&user->loop), 0);
	assert_int_equal(transport_new(&user->loop, &options, &events, user, &user->transport), 0);
}

static void user_finish(struct user *user)
{
	transport_destroy(user->transport, set_true, &user->destroyed);
	assert_true(loop_wait_for(&user->loop, loop_wait_true, &user->destroyed, 3000));
	assert_int_equal(loop_finish(&user->loop), 0);
	free(user->messages);
}

static void user_open(struct user *user, const char *format, ...)
{
	char url[256];
	va_list args;

	va_start(args, format);
	vsnprintf(url, sizeof(url), format, args);
	va_end(args);
	assert_int_equal(transport_open(user->transport, url, OPEN_MS), 0);
	assert_int_equal(transport_open(user->transport, url, OPEN_MS), -EBUSY);
	assert_false(user->closed);
}

/* However long it takes (sanitizers, a machine with much else to do), as long as messages keep coming: what may not
 * happen is that none comes for eight seconds. */
static void wait_closed(struct user *user)
{
	uint32_t seen;

	do
		seen = user->count;
	while (!loop_wait_for(&user->loop, loop_wait_true, &user->closed, 8000) && user->count > seen);
	assert_true(user->closed);
}

/* Serves with @serve, opens, waits for the end. */
static void run(struct user *user, void (*serve)(struct ws_peer *peer, void *arg))
{
	user_init(user, NULL);
	ws_stub_start(&user->stub, NULL, serve, user);
	user_open(user, "ws://127.0.0.1:%d/?v=10", user->stub.port);
	wait_closed(user);
	ws_stub_stop(&user->stub);
}

/* --- carrying ---------------------------------------------------------------------------------------------------- */

static int echoed_close;

static void serve_talk(struct ws_peer *peer, void *arg)
{
	char payload[256];
	size_t len;

	(void)arg;
	if (ws_upgrade(peer) < 0)
		return;
	ws_send(peer, 0x81, "hello", 5);
	ws_send(peer, 0x89, "are you there", 13);
	if (ws_recv(peer, payload, sizeof(payload), &len) != 0xA || strcmp(payload, "are you there") != 0)
		return;
	ws_send(peer, 0x01, "frag", 4);
	ws_send(peer, 0x80, "ment", 4);
	if (ws_recv(peer, payload, sizeof(payload), &len) != 1 || strcmp(payload, "from the client") != 0)
		return;
	ws_send(peer, 0x82, "done", 4);
	ws_send_close(peer, 4009, "session\x7ftimed out");
	echoed_close = ws_wait_close(peer);
}

static void send_from_client(struct user *user)
{
	assert_int_equal(transport_send(user->transport, "from the client", 15), 0);
}

static void test_talk(void **state)
{
	struct user user;

	(void)state;
	user_init(&user, NULL);
	user.on_open = send_from_client;
	echoed_close = 0;
	/* The client's text leaves before the pong, which the server expects first: so send it after the first message.
	 */
	user.on_open = NULL;
	ws_stub_start(&user.stub, NULL, serve_talk, &user);
	user_open(&user, "ws://127.0.0.1:%d/?v=10", user.stub.port);
	user.wanted = 2;
	assert_true(loop_wait_for(&user.loop, loop_wait_true, &user.enough, 5000));
	send_from_client(&user);
	wait_closed(&user);
	ws_stub_stop(&user.stub);
	assert_true(user.opened);
	assert_string_equal(user.messages, "Thello|Tfragment|Bdone|");
	assert_int_equal(user.end.kind, TRANSPORT_END_CLOSE_CODE);
	assert_int_equal(user.end.close_code, 4009);
	assert_true(user.end.was_open);
	assert_string_equal(user.end.text, "session?timed out");
	assert_int_equal(echoed_close, 4009);
	assert_int_equal(transport_send(user.transport, "x", 1), -ENOTCONN);
	user_finish(&user);
}

#define FLOOD 20000

static void serve_flood(struct ws_peer *peer, void *arg)
{
	char payload[1500];

	(void)arg;
	if (ws_upgrade(peer) < 0)
		return;
	memset(payload, 'x', sizeof(payload));
	for (int i = 0; i < FLOOD; i++) {
		if (ws_send(peer, 0x81, payload, 1 + (size_t)(i * 37 % 1500)) < 0)
			return;
	}
	ws_send_close(peer, 4000, "");
	ws_wait_close(peer);
}

static void test_flood(void **state)
{
	struct user user;

	(void)state;
	run(&user, serve_flood);
	assert_int_equal(user.count, FLOOD);
	assert_int_equal(user.end.close_code, 4000);
	assert_true(transport_bytes(user.transport) > FLOOD * 700);
	user_finish(&user);
}

static void serve_some(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (ws_upgrade(peer) < 0)
		return;
	for (int i = 0; i < 5; i++)
		ws_send(peer, 0x81, &"12345"[i], (size_t)(5 - i));
	ws_wait_close(peer);
}

static void check_pausing(const char *scheme, SSL_CTX *ctx, const char *ca_file)
{
	struct user user;

	user_init(&user, ca_file);
	user.pause_each = true;
	ws_stub_start(&user.stub, ctx, serve_some, &user);
	user_open(&user, "%s://127.0.0.1:%d/", scheme, user.stub.port);
	for (uint32_t i = 1; i <= 5; i++) {
		user.enough = false;
		user.wanted = i;
		assert_true(loop_wait_for(&user.loop, loop_wait_true, &user.enough, 3000));
		/* Nothing more comes while it is paused. */
		for (int turn = 0; turn < 10; turn++)
			uv_run(&user.loop.uv, UV_RUN_NOWAIT);
		assert_int_equal(user.count, i);
		transport_resume(user.transport);
		assert_int_equal(user.count, i);
	}
	assert_string_equal(user.messages, "T12345|T2345|T345|T45|T5|");
	transport_close(user.transport, 4000, "enough");
	assert_false(user.closed);
	wait_closed(&user);
	assert_int_equal(user.end.kind, TRANSPORT_END_LOCAL);
	assert_string_equal(user.end.text, "enough");
	ws_stub_stop(&user.stub);
	user_finish(&user);
}

static void test_pause(void **state)
{
	(void)state;
	check_pausing("ws", NULL, NULL);
}

static int seen_code;

static void serve_until_close(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (ws_upgrade(peer) < 0)
		return;
	/* More than is read: the close frame must come through all the same. */
	for (int i = 0; i < 200; i++)
		ws_send(peer, 0x81, "payload payload payload", 23);
	seen_code = ws_wait_close(peer);
}

static void close_with_1000(struct user *user)
{
	transport_close(user->transport, 1000, "bye");
}

static void test_close_frame_arrives(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct user user;

		seen_code = 0;
		user_init(&user, NULL);
		user.on_open = close_with_1000;
		ws_stub_start(&user.stub, NULL, serve_until_close, &user);
		user_open(&user, "ws://127.0.0.1:%d/", user.stub.port);
		wait_closed(&user);
		ws_stub_stop(&user.stub);
		assert_int_equal(seen_code, 1000);
		assert_int_equal(user.end.kind, TRANSPORT_END_LOCAL);
		assert_int_equal(user.end.close_code, 1000);
		user_finish(&user);
	}
}

static void serve_close_1000(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (ws_upgrade(peer) < 0)
		return;
	ws_send_close(peer, 1000, "");
	seen_code = ws_wait_close(peer);
}

static void test_server_1000_is_not_echoed(void **state)
{
	struct user user;

	(void)state;
	run(&user, serve_close_1000);
	assert_int_equal(user.end.close_code, 1000);
	assert_int_equal(seen_code, 4000);
	user_finish(&user);
}

static void serve_silent_reader(struct ws_peer *peer, void *arg)
{
	struct user *user = arg;

	if (ws_upgrade(peer) < 0)
		return;
	while (!user->enough)
		usleep(1000);
}

static void overfill(struct user *user)
{
	char text[4000];
	int r = 0;

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 10 && !r; i++)
		r = transport_send(user->transport, text, sizeof(text));
	assert_int_equal(r, -ENOBUFS);
	user->enough = true;
	transport_close(user->transport, 4000, NULL);
}

static void test_outgoing_is_bounded(void **state)
{
	struct user user;

	(void)state;
	user_init(&user, NULL);
	user.on_open = overfill;
	ws_stub_start(&user.stub, NULL, serve_silent_reader, &user);
	user_open(&user, "ws://127.0.0.1:%d/", user.stub.port);
	wait_closed(&user);
	ws_stub_stop(&user.stub);
	user_finish(&user);
}

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void serve_eof(struct ws_peer *peer, void *arg)
{
	(void)arg;
	ws_upgrade(peer);
}

static void serve_reset(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (ws_upgrade(peer) < 0)
		return;
	ws_send(peer, 0x81, "x", 1);
	ws_recv(peer, (char[64]){ 0 }, 64, NULL); /* the client says that it has it */
	ws_reset(peer);
}

static void test_eof(void **state)
{
	struct user user;

	(void)state;
	run(&user, serve_eof);
	assert_int_equal(user.end.kind, TRANSPORT_END_EOF);
	assert_int_equal(user.end.error, 0);
	assert_true(user.end.was_open);
	user_finish(&user);
}

static void test_reset(void **state)
{
	struct user user;

	(void)state;
	user_init(&user, NULL);
	user.on_open = send_from_client;
	ws_stub_start(&user.stub, NULL, serve_reset, &user);
	user_open(&user, "ws://127.0.0.1:%d/", user.stub.port);
	wait_closed(&user);
	ws_stub_stop(&user.stub);
	assert_int_equal(user.end.kind, TRANSPORT_END_RESET);
	assert_int_equal(user.end.error, -ECONNRESET);
	user_finish(&user);
}

static void test_refused(void **state)
{
	struct user user;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound, not listening: nobody else gets the port */

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	user_init(&user, NULL);
	user_open(&user, "ws://127.0.0.1:%d/", ntohs(address.sin_port));
	wait_closed(&user);
	assert_int_equal(user.end.kind, TRANSPORT_END_REFUSED);
	assert_int_equal(user.end.error, -ECONNREFUSED);
	assert_false(user.end.was_open);
	assert_non_null(strstr(user.end.text, "127.0.0.1"));
	/* The name has two addresses where IPv6 is on: all are tried, the last error stands. */
	user.closed = false;
	user_open(&user, "ws://localhost:%d/", ntohs(address.sin_port));
	wait_closed(&user);
	assert_int_equal(user.end.kind, TRANSPORT_END_REFUSED);
	close(fd);
	user_finish(&user);
}

static void test_resolve(void **state)
{
	struct user user;

	(void)state;
	user_init(&user, NULL);
	user_open(&user, "ws://nowhere.invalid/");
	wait_closed(&user);
	/* Without a resolver at all it times out instead: the name never comes to anything. */
	assert_true(user.end.kind == TRANSPORT_END_RESOLVE || user.end.kind == TRANSPORT_END_TIMEOUT);
	if (user.end.kind == TRANSPORT_END_RESOLVE)
		assert_non_null(strstr(user.end.text, "nowhere.invalid"));
	user_finish(&user);
}

static void serve_mute(struct ws_peer *peer, void *arg)
{
	(void)arg;
	ws_read_request(peer);
	ws_read_raw(peer, peer->request, 1);
}

static void test_deadline(void **state)
{
	struct user user;
	char url[64];

	(void)state;
	user_init(&user, NULL);
	ws_stub_start(&user.stub, NULL, serve_mute, &user);
	snprintf(url, sizeof(url), "ws://127.0.0.1:%d/", user.stub.port);
	assert_int_equal(transport_open(user.transport, url, 200), 0);
	wait_closed(&user);
	ws_stub_stop(&user.stub);
	assert_int_equal(user.end.kind, TRANSPORT_END_TIMEOUT);
	assert_int_equal(user.end.error, -ETIMEDOUT);
	user_finish(&user);
}

static void test_closed_before_open(void **state)
{
	struct user user;

	(void)state;
	user_init(&user, NULL);
	ws_stub_start(&user.stub, NULL, serve_mute, &user);
	user_open(&user, "ws://127.0.0.1:%d/", user.stub.port);
	transport_close(user.transport, 4000, NULL);
	assert_false(user.closed);
	wait_closed(&user);
	assert_int_equal(user.end.kind, TRANSPORT_END_LOCAL);
	/* And again, while it is connected. */
	user.closed = false;
	user_open(&user, "ws://127.0.0.1:%d/", user.stub.port);
	while (!ws_stub_count(&user.stub))
		uv_run(&user.loop.uv, UV_RUN_ONCE);
	transport_close(user.transport, 4000, NULL);
	wait_closed(&user);
	ws_stub_stop(&user.stub);
	user_finish(&user);
}

/* Destroyed in the middle of whatever. */
static void test_destroyed_at_any_time(void **state)
{
	(void)state;
	for (int turns = 0; turns < 12; turns++) {
		struct user user;

		user_init(&user, NULL);
		ws_stub_start(&user.stub, NULL, serve_until_close, &user);
		user_open(&user, "ws://%s:%d/", turns % 2 ? "localhost" : "127.0.0.1", user.stub.port);
		for (int i = 0; i < turns; i++)
			uv_run(&user.loop.uv, UV_RUN_NOWAIT);
		user_finish(&user);
		assert_false(user.closed);
		ws_stub_stop(&user.stub);
	}
}

static const char *http_answer;

static void serve_http(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (ws_read_request(peer) < 0)
		return;
	ws_write_raw(peer, http_answer, strlen(http_answer));
	if (strstr(http_answer, "Content-Length"))
		ws_read_raw(peer, peer->request, 1); /* waits for the client's end: the length must be enough */
}

static void test_http_refusals(void **state)
{
	static const struct {
		const char *answer;
		int status;
		const char *text;
	} cases[] = {
		{ "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 16\r\n\r\nslow\x1b[31m\ndown!!", 429,
		  "HTTP 429: slow?[31m down!!" },
		{ "HTTP/1.1 503 Service Unavailable\r\n\r\n<html>busy</html>", 503, "HTTP 503: <html>busy</html>" },
		{ "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, "HTTP 404" },
		{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
		  101, "HTTP 101: 101 with a wrong Sec-WebSocket-Accept" },
		{ "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n", 101,
		  "HTTP 101: 101 without Upgrade: websocket and Connection: Upgrade" },
		{ "SSH-2.0-OpenSSH_9.2\r\n", 0, "the answer is no HTTP" },
		{ "HTTP/1.1 abc\r\n\r\n", 0, "the answer is no HTTP" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct user user;

		http_answer = cases[i].answer;
		run(&user, serve_http);
		assert_int_equal(user.end.kind, TRANSPORT_END_HTTP);
		assert_int_equal(user.end.http_status, cases[i].status);
		assert_string_equal(user.end.text, cases[i].text);
		assert_false(user.end.was_open);
		assert_false(user.opened);
		user_finish(&user);
	}
}

static void serve_masked(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (ws_upgrade(peer) < 0)
		return;
	ws_write_raw(peer,
		     "\x81\x81"
		     "abcd"
		     "x",
		     7);
	seen_code = ws_wait_close(peer);
}

static void serve_oversize(struct ws_peer *peer, void *arg)
{
	(void)arg;
	if (ws_upgrade(peer) < 0)
		return;
	ws_write_raw(peer, "\x82\x7f\x00\x00\x00\x00\x10\x00\x00\x00", 10);
	seen_code = ws_wait_close(peer);
}

static void test_broken_rules(void **state)
{
	struct user user;

	(void)state;
	run(&user, serve_masked);
	assert_int_equal(user.end.kind, TRANSPORT_END_PROTOCOL);
	assert_int_equal(user.end.error, -EPROTO);
	assert_string_equal(user.end.text, "frame refused: masked");
	assert_int_equal(seen_code, 4901);
	user_finish(&user);
	run(&user, serve_oversize);
	assert_int_equal(user.end.kind, TRANSPORT_END_PROTOCOL);
	assert_int_equal(user.end.error, -EMSGSIZE);
	assert_int_equal(seen_code, 4903);
	user_finish(&user);
}

static void test_bad_urls(void **state)
{
	static const char *const urls[] = { "",          "http://h/",     "ws://",   "ws://u@h/",
					    "ws://h:0/", "ws://h:70000/", "ws://h /" };
	struct user user;

	(void)state;
	user_init(&user, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
		assert_int_equal(transport_open(user.transport, urls[i], 1000), -EINVAL);
	user_finish(&user);
}

/* --- TLS --------------------------------------------------------------------------------------------------------- */

static char dir[TMPDIR_SIZE];
static struct ws_ca ca, other_ca;

static void tls_case(const char *names, long not_after_s, const char *ca_path, const char *host,
		     enum transport_end_kind kind, const char *text)
{
	SSL_CTX *ctx = ws_server_ctx(&ca, names, not_after_s);
	struct user user;

	user_init(&user, ca_path);
	ws_stub_start(&user.stub, ctx, serve_close_1000, &user);
	user_open(&user, "wss://%s:%d/", host, user.stub.port);
	wait_closed(&user);
	ws_stub_stop(&user.stub);
	SSL_CTX_free(ctx);
	assert_int_equal(user.end.kind, kind);
	if (text)
		assert_non_null(strstr(user.end.text, text));
	assert_int_equal(user.opened, kind == TRANSPORT_END_CLOSE_CODE);
	user_finish(&user);
}

static void test_tls_names(void **state)
{
	const enum transport_end_kind ok = TRANSPORT_END_CLOSE_CODE, bad = TRANSPORT_END_TLS;

	(void)state;
	tls_case("DNS:localhost", 3600, ca.path, "localhost", ok, NULL);
	tls_case("IP:127.0.0.1", 3600, ca.path, "127.0.0.1", ok, NULL);
	tls_case("DNS:gateway.discord.gg", 3600, ca.path, "localhost", bad, "the certificate is not for localhost");
	tls_case("DNS:localhost", 3600, ca.path, "127.0.0.1", bad, "the certificate is not for 127.0.0.1");
	tls_case("DNS:*.localhost,DNS:l*", 3600, ca.path, "localhost", bad, "the certificate is not for localhost");
}

static void test_tls_trust(void **state)
{
	(void)state;
	tls_case("DNS:localhost", 3600, other_ca.path, "localhost", TRANSPORT_END_TLS, "the certificate is refused");
	tls_case("DNS:localhost", 3600, NULL, "localhost", TRANSPORT_END_TLS, "the certificate is refused");
	tls_case("DNS:localhost", -60, ca.path, "localhost", TRANSPORT_END_TLS, "expired");
}

static void serve_plain_http(struct ws_peer *peer, void *arg)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

	(void)arg;
	ws_read_raw(peer, peer->request, 100); /* of the ClientHello */
	ws_write_raw(peer, answer, strlen(answer));
	ws_read_raw(peer, peer->request, sizeof(peer->request)); /* until the client hangs up */
}

static void test_tls_to_a_plain_server(void **state)
{
	struct user user;

	(void)state;
	user_init(&user, ca.path);
	ws_stub_start(&user.stub, NULL, serve_plain_http, &user);
	user_open(&user, "wss://localhost:%d/", user.stub.port);
	wait_closed(&user);
	ws_stub_stop(&user.stub);
	assert_int_equal(user.end.kind, TRANSPORT_END_TLS);
	assert_non_null(strstr(user.end.text, "wrong version number"));
	user_finish(&user);
}

static void test_tls_old_version_is_refused(void **state)
{
	SSL_CTX *ctx = ws_server_ctx(&ca, "DNS:localhost", 3600);
	struct user user;

	(void)state;
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	user_init(&user, ca.path);
	ws_stub_start(&user.stub, ctx, serve_eof, &user);
	user_open(&user, "wss://localhost:%d/", user.stub.port);
	wait_closed(&user);
	ws_stub_stop(&user.stub);
	SSL_CTX_free(ctx);
	assert_int_equal(user.end.kind, TRANSPORT_END_TLS);
	user_finish(&user);
}

static void test_tls_flood_and_pause(void **state)
{
	SSL_CTX *ctx = ws_server_ctx(&ca, "DNS:localhost,IP:127.0.0.1", 3600);
	struct user user;

	(void)state;
	user_init(&user, ca.path);
	ws_stub_start(&user.stub, ctx, serve_flood, &user);
	user_open(&user, "wss://localhost:%d/", user.stub.port);
	wait_closed(&user);
	ws_stub_stop(&user.stub);
	assert_int_equal(user.count, FLOOD);
	assert_int_equal(user.end.close_code, 4000);
	user_finish(&user);
	check_pausing("wss", ctx, ca.path);
	SSL_CTX_free(ctx);
}

static void test_ca_file_missing(void **state)
{
	struct user user;

	(void)state;
	user_init(&user, "/nonexistent/ca.pem");
	assert_int_equal(transport_open(user.transport, "wss://localhost:1/", 1000), -ENOENT);
	assert_int_equal(transport_open(user.transport, "wss://localhost:1/", 1000), -ENOENT);
	user_finish(&user);
}

static int make_cas(void **state)
{
	(void)state;
	tmpdir_make(dir);
	ws_ca_make(&ca, dir, "ca");
	ws_ca_make(&other_ca, dir, "other");
	return 0;
}

static int drop_cas(void **state)
{
	(void)state;
	ws_ca_free(&ca);
	ws_ca_free(&other_ca);
	tmpdir_remove(dir);
	return 0;
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < TRANSPORT_END_COUNT; i++)
		assert_true(strlen(transport_end_name(i)) > 2);
	assert_string_equal(transport_end_name(TRANSPORT_END_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talk),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_close_frame_arrives),
		cmocka_unit_test(test_server_1000_is_not_echoed),
		cmocka_unit_test(test_outgoing_is_bounded),
		cmocka_unit_test(test_eof),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_closed_before_open),
		cmocka_unit_test(test_destroyed_at_any_time),
		cmocka_unit_test(test_http_refusals),
		cmocka_unit_test(test_broken_rules),
		cmocka_unit_test(test_bad_urls),
		cmocka_unit_test(test_tls_names),
		cmocka_unit_test(test_tls_trust),
		cmocka_unit_test(test_tls_to_a_plain_server),
		cmocka_unit_test(test_tls_old_version_is_refused),
		cmocka_unit_test(test_tls_flood_and_pause),
		cmocka_unit_test(test_ca_file_missing),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("transport", tests, make_cas, drop_cas);
}
