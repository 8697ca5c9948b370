/* The supervisor's HTTP server: the parser on hostile heads, cut at every byte; the server over real sockets. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "supervisor/http.h"
#include "supervisor/http_parse.h"
#include "tests/unit/loop_wait.h"

/* --- the parser -------------------------------------------------------------------------------------------------- */

static int parse(const char *text, struct http_request *ret_request)
{
	return http_parse(text, strlen(text), ret_request);
}

static void test_good_heads(void **state)
{
	struct http_request request;

	(void)state;
	assert_int_equal(parse("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nrest", &request), 34);
	assert_int_equal(request.method, HTTP_GET);
	assert_string_equal(request.path, "/healthz");
	assert_true(request.keep_alive);
	assert_false(request.has_body);
	assert_true(parse("HEAD /a?b=c&d HTTP/1.0\nX: y\n\n", &request) > 0);
	assert_int_equal(request.method, HTTP_HEAD);
	assert_string_equal(request.path, "/a");
	assert_false(request.keep_alive);
	assert_true(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &request) > 0);
	assert_true(request.keep_alive);
	assert_true(parse("GET / HTTP/1.1\r\nCONNECTION:close\r\n\r\n", &request) > 0);
	assert_false(request.keep_alive);
	assert_true(parse("DELETE / HTTP/1.1\r\n\r\n", &request) > 0);
	assert_int_equal(request.method, HTTP_OTHER);
	assert_true(parse("get / HTTP/1.1\r\n\r\n", &request) > 0);
	assert_int_equal(request.method, HTTP_OTHER); /* methods are case-sensitive */
	assert_true(parse("\r\nGET / HTTP/1.1\r\n\r\n", &request) > 0);
	assert_true(parse("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", &request) > 0);
	assert_false(request.has_body);
	assert_true(parse("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", &request) > 0);
	assert_true(request.has_body);
	assert_true(parse("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", &request) > 0);
	assert_true(request.has_body);
}

static void test_refused_heads(void **state)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{ "\r\n\r\n", -400 },
		{ "GET\r\n\r\n", -400 },
		{ "GET /\r\n\r\n", -400 },
		{ "GET  / HTTP/1.1\r\n\r\n", -400 },
		{ " GET / HTTP/1.1\r\n\r\n", -400 },
		{ "G(T / HTTP/1.1\r\n\r\n", -400 },
		{ "GET http://x/ HTTP/1.1\r\n\r\n", -400 },
		{ "GET /\x01 HTTP/1.1\r\n\r\n", -400 },
		{ "GET /\xc3\xa4 HTTP/1.1\r\n\r\n", -400 },
		{ "GET / HTTP/1.1 \r\n\r\n", -400 },
		{ "GET / http/1.1\r\n\r\n", -400 },
		{ "GET / HTTP/2.0\r\n\r\n", -505 },
		{ "GET / HTTP/9.9\r\n\r\n", -505 },
		{ "GET / HTTP/1.7\r\n\r\n", -505 },
		{ "GET / HTTP/1.1\r\nno colon\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\n: x\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nA : x\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nA: x\r\n folded\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nA: \x01\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nA: x\rB: y\r\n\r\n", -400 },
	};
	struct http_request request = { .path = "untouched" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(parse(rows[i].text, &request), rows[i].status);
		assert_string_equal(request.path, "untouched");
	}
}

static void test_limits(void **state)
{
	CLEANUP(cleanup_free) char *text = malloc(3 * HTTP_HEAD_MAX);
	struct http_request request;
	size_t len;

	(void)state;
	/* A path that is too long, a line without end, a head without end, too many headers. */
	len = (size_t)sprintf(text, "GET /%0300d HTTP/1.1\r\n\r\n", 0);
	assert_int_equal(http_parse(text, len, &request), -414);
	memset(text, 'a', 3 * HTTP_HEAD_MAX);
	assert_int_equal(http_parse(text, HTTP_HEAD_MAX - 1, &request), 0);
	assert_int_equal(http_parse(text, HTTP_HEAD_MAX, &request), -414);
	memcpy(text, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(http_parse(text, HTTP_HEAD_MAX, &request), -431);
	assert_int_equal(http_parse(text, 3 * HTTP_HEAD_MAX, &request), -431);
	len = 16;
	for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
		len += (size_t)sprintf(text + len, "X: y\r\n");
	len += (size_t)sprintf(text + len, "\r\n");
	assert_int_equal(http_parse(text, len, &request), -431);
}

/* Cut anywhere a good head is incomplete, never wrong and never read beyond. */
static void test_cut_at_every_byte(void **state)
{
	static const char head[] = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	struct http_request request;

	(void)state;
	for (size_t len = 0; len < sizeof(head) - 1; len++) {
		CLEANUP(cleanup_free) char *exact = malloc(len + 1);

		memcpy(exact, head, len);
		assert_int_equal(http_parse(exact, len, &request), 0);
	}
	assert_int_equal(http_parse(head, sizeof(head) - 1, &request), sizeof(head) - 1);
}

static void test_addresses(void **state)
{
	static const char *const good[] = { "127.0.0.1:9470", "0.0.0.0:0", "[::1]:65535", "localhost:80" };
	static const char *const bad[] = { "",
					   ":",
					   "127.0.0.1",
					   "127.0.0.1:",
					   ":9470",
					   "host:80",
					   "127.0.0.1:65536",
					   "127.0.0.1:-1",
					   "127.0.0.1:8x",
					   "[::1:80",
					   "1.2.3.4.5:80",
					   "[::g]:80",
					   "::1:80" };
	struct sockaddr_storage address;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(http_address(good[i], &address), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(http_address(bad[i], &address), -EINVAL);
}

/* --- the server -------------------------------------------------------------------------------------------------- */

struct world {
	struct loop loop;
	struct http_server *server;
	unsigned served;
};

static int page_small(void *arg, struct buf *body)
{
	struct world *world = arg;

	world->served++;
	return buf_append_str(body, "small\n") < 0 ? -ENOMEM : 200;
}

static int page_large(void *arg, struct buf *body)
{
	(void)arg;
	for (int i = 0; i < 200000; i++)
		if (buf_append_str(body, "0123456789") < 0)
			return -ENOMEM;
	return 200;
}

static int page_broken(void *arg, struct buf *body)
{
	(void)arg;
	(void)body;
	return -ENOMEM;
}

static int page_not_ready(void *arg, struct buf *body)
{
	(void)arg;
	return buf_append_str(body, "no\n") < 0 ? -ENOMEM : 503;
}

static const struct http_route routes[] = {
	{ "/small", "text/plain", page_small, "" },
	{ "/large", "text/plain", page_large, "" },
	{ "/broken", "text/plain", page_broken, "" },
	{ "/not-ready", "text/plain", page_not_ready, "" },
	{ NULL, NULL, NULL, NULL },
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_int_equal(loop_init(&world->loop), 0);
	assert_int_equal(http_new(&world->loop, "127.0.0.1:0", routes, world, &world->server), 0);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	http_close(world->server);
	assert_int_equal(loop_finish(&world->loop), 0);
	free(world);
	return 0;
}

static int dial(const struct world *world)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address.sin_port = htons((uint16_t)atoi(strrchr(http_listening(world->server), ':') + 1));
	assert_true(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EINPROGRESS);
	return fd;
}

struct exchange {
	int fd;
	const char *out;
	size_t out_len;
	struct buf in;
	bool ended; /* the server closed */
	size_t want;
};

static bool turn(void *arg)
{
	struct exchange *exchange = arg;
	char bytes[65536];
	ssize_t n;

	if (exchange->out_len > 0) {
		n = send(exchange->fd, exchange->out, exchange->out_len, MSG_NOSIGNAL);
		if (n > 0) {
			exchange->out += n;
			exchange->out_len -= (size_t)n;
		}
	}
	n = recv(exchange->fd, bytes, sizeof(bytes), 0);
	if (n > 0)
		assert_int_equal(buf_append(&exchange->in, bytes, (size_t)n), 0);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != ENOTCONN))
		exchange->ended = true;
	return exchange->ended || (exchange->want > 0 && exchange->in.len >= exchange->want);
}

/* Sends, and reads until the server closes, or until @want bytes came. */
static void talk(struct world *world, struct exchange *exchange, const char *out, size_t out_len, size_t want)
{
	*exchange = (struct exchange){ .fd = dial(world), .out = out, .out_len = out_len, .want = want };
	buf_init(&exchange->in, 8 << 20);
	assert_true(loop_wait_for(&world->loop, turn, exchange, 20000));
	buf_cstr(&exchange->in);
}

static void hang_up(struct exchange *exchange)
{
	close(exchange->fd);
	buf_finish(&exchange->in);
}

static void test_keeps_alive_and_pipelines(void **state)
{
	static const char three[] = "GET /small HTTP/1.1\r\n\r\nHEAD /small HTTP/1.1\r\n\r\n"
				    "GET /none HTTP/1.1\r\nConnection: close\r\n\r\n";
	struct world *world = *state;
	struct exchange exchange;
	const char *text;

	talk(world, &exchange, three, sizeof(three) - 1, 0);
	text = exchange.in.data;
	assert_int_equal(world->served, 2);
	assert_int_equal(strncmp(text, "HTTP/1.1 200 OK\r\n", 17), 0);
	assert_non_null(strstr(text, "Content-Length: 6\r\n"));
	assert_non_null(strstr(text, "\r\n\r\nsmall\nHTTP/1.1 200 OK\r\n"));
	/* HEAD: the length of what it does not send. */
	assert_non_null(strstr(text, "\r\n\r\nHTTP/1.1 404 Not Found\r\n"));
	assert_non_null(strstr(text, "Connection: close\r\n"));
	assert_true(exchange.ended);
	hang_up(&exchange);
}

static void test_large_page(void **state)
{
	static const char ask[] = "GET /large HTTP/1.0\r\n\r\n";
	struct world *world = *state;
	struct exchange exchange;

	talk(world, &exchange, ask, sizeof(ask) - 1, 0);
	assert_non_null(strstr(exchange.in.data, "Content-Length: 2000000\r\n"));
	assert_true(exchange.in.len > 2000000);
	assert_memory_equal(exchange.in.data + exchange.in.len - 10, "0123456789", 10);
	hang_up(&exchange);
}

static void expect_status(struct world *world, const char *out, size_t out_len, const char *status)
{
	struct exchange exchange;

	talk(world, &exchange, out, out_len, 0);
	assert_true(exchange.in.len > 12);
	assert_memory_equal(exchange.in.data + 9, status, 3);
	hang_up(&exchange);
}

static void test_refusals_arrive(void **state)
{
	static const struct {
		const char *text, *status;
	} rows[] = {
		{ "GET\r\n\r\n", "400" },
		{ "GET / HTTP/3.0\r\n\r\n", "505" },
		{ "POST /small HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "413" },
		{ "DELETE /small HTTP/1.1\r\n\r\n", "405" },
		{ "GET /broken HTTP/1.1\r\n\r\n", "500" },
		{ "GET /not-ready HTTP/1.0\r\n\r\n", "503" },
	};
	CLEANUP(cleanup_free) char *flood = malloc(200000);
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_status(world, rows[i].text, strlen(rows[i].text), rows[i].status);
	/* One that talks on and on still gets its answer, not a reset. */
	memcpy(flood, "GET / HTTP/1.1\r\n", 16);
	for (size_t at = 16; at + 6 <= 200000; at += 6)
		memcpy(flood + at, "X: y\r\n", 6);
	expect_status(world, flood, 199900, "431");
}

/* A peer that sends nothing, half a head, or never reads is gone after its deadline; and there are only so many. */
static bool no_connections(void *arg)
{
	return http_connections(((struct world *)arg)->server) == 0;
}

static bool is_full(void *arg)
{
	return http_connections(((struct world *)arg)->server) == HTTP_PEER_MAX;
}

static void test_silent_peers_are_bounded(void **state)
{
	struct world *world = *state;
	int fds[HTTP_CONNECTIONS_MAX + 10];
	struct exchange exchange;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = dial(world);
	assert_true(loop_wait_for(&world->loop, is_full, world, 5000));
	/* However many there are that say nothing: one that asks is answered, at once and again and again. */
	for (int i = 0; i < 20; i++) {
		uint64_t before_ns = clock_monotonic_ns();

		talk(world, &exchange, "GET /small HTTP/1.0\r\n\r\n", 23, 0);
		assert_true(exchange.in.len > 0);
		hang_up(&exchange);
		assert_true(clock_monotonic_ns() - before_ns < HTTP_REQUEST_DEADLINE_MS * NS_PER_MS / 2);
	}
	assert_true(http_connections(world->server) <= HTTP_CONNECTIONS_MAX);
	assert_int_equal(send(fds[ARRAY_SIZE(fds) - 1], "GET /sm", 7, MSG_NOSIGNAL), 7);
	assert_true(loop_wait_for(&world->loop, no_connections, world, 3 * HTTP_REQUEST_DEADLINE_MS));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* Those that drip their heads, and those that do not read their answers. */
static void test_slow_peers_cost_nobody_an_answer(void **state)
{
	static const char ask[] = "GET /large HTTP/1.1\r\n\r\n";
	struct world *world = *state;
	int fds[2 * HTTP_CONNECTIONS_MAX];
	struct exchange exchange;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(world);
		loop_wait_for(&world->loop, no_connections, world, 1); /* let it in */
		if (i % 2)
			send(fds[i], ask, sizeof(ask) - 1, MSG_NOSIGNAL);
		else
			send(fds[i], "G", 1, MSG_NOSIGNAL);
		if (i % 8 == 7) {
			talk(world, &exchange, "GET /small HTTP/1.0\r\n\r\n", 23, 0);
			assert_true(exchange.in.len > 0);
			hang_up(&exchange);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void test_port_in_use(void **state)
{
	struct world *world = *state;
	struct http_server *second = NULL;

	assert_int_equal(http_new(&world->loop, http_listening(world->server), routes, world, &second), -EADDRINUSE);
	assert_null(second);
	assert_int_equal(http_new(&world->loop, "203.0.113.7:80", routes, world, &second), -EADDRNOTAVAIL);
	assert_int_equal(http_new(&world->loop, "nonsense", routes, world, &second), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_heads),
		cmocka_unit_test(test_refused_heads),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test_setup_teardown(test_keeps_alive_and_pipelines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals_arrive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silent_peers_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_peers_cost_nobody_an_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_in_use, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
