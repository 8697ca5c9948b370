/* The REST client over TLS against nghttpd, a server of somebody else's: HTTP/2 is negotiated and shared, the
 * certificate's name and signer are checked. The authority is made for this run by the openssl program. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/discord/rest.h"
#include "shared/log/log.h"
#include "tests/unit/tmpdir.h"

#define START_MS 10000

static char dir[TMPDIR_SIZE];
static pid_t server;
static int port;
static bool have_means;

struct told {
	int calls, error;
	uint32_t status, retried;
	bool maybe_done;
	char message[REST_TEXT_SIZE];
	char *body;
};

static void on_answer(void *arg, const struct rest_result *result)
{
	struct told *told = arg;

	told->calls++;
	told->error = result->error;
	told->status = result->http_status;
	told->retried = result->retried;
	told->maybe_done = result->maybe_done;
	snprintf(told->message, sizeof(told->message), "%s", result->message);
	free(told->body);
	told->body = result->body ? json_dumps(result->body, JSON_COMPACT) : NULL;
}

static void on_closed(void *arg)
{
	*(bool *)arg = true;
}

/* --- the server ------------------------------------------------------------------------------------------------------
 */

static int run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

static void make_certificates(void)
{
	static const char key[] = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

	for (int i = 0; i < 2; i++)
		assert_int_equal(
			run("cd %s && openssl req -x509 %s -days 2 -subj '/CN=test authority %d' -keyout ca%d.key "
			    "-out ca%d.pem 2>/dev/null",
			    dir, key, i, i, i),
			0);
	assert_int_equal(
		run("cd %s && printf 'subjectAltName=DNS:localhost\\nextendedKeyUsage=serverAuth\\n' > ext && "
		    "openssl req %s -subj /CN=localhost -keyout s.key -out s.csr 2>/dev/null && "
		    "openssl x509 -req -in s.csr -CA ca0.pem -CAkey ca0.key -CAcreateserial -days 2 -extfile ext "
		    "-out s.pem 2>/dev/null",
		    dir, key),
		0);
	assert_int_equal(
		run("cd %s && mkdir -p d/api/v10 && printf '{\"url\":\"wss://gateway.test\"}' > d/api/v10/gateway",
		    dir),
		0);
}

/* A number that nobody listens on now; another program may take it before nghttpd does, who then says so and ends. */
static int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

/* nghttpd does not say when it listens: tries to reach it until it does, or ends, or is too slow. */
static bool reachable(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons((uint16_t)port) };

	for (int waited_ms = 0; waited_ms < START_MS; waited_ms += 10) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

		close(fd);
		if (connected)
			return true;
		if (waitpid(server, NULL, WNOHANG) == server) {
			server = 0;
			return false;
		}
		poll(NULL, 0, 10);
	}
	return false;
}

static bool start_server(void)
{
	char number[16], docs[128], key[128], certificate[128];

	port = free_port();
	snprintf(number, sizeof(number), "%d", port);
	snprintf(docs, sizeof(docs), "%s/d", dir);
	snprintf(key, sizeof(key), "%s/s.key", dir);
	snprintf(certificate, sizeof(certificate), "%s/s.pem", dir);
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		/* A test that dies takes it along. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("nghttpd", "nghttpd", "-a", "127.0.0.1", "-d", docs, "--echo-upload", number, key, certificate,
		       (char *)NULL);
		_exit(127);
	}
	if (reachable())
		return true;
	if (server) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
	return false;
}

static int group_setup(void **state)
{
	(void)state;
	have_means = run("command -v nghttpd >/dev/null && command -v openssl >/dev/null") == 0;
	if (!have_means)
		return 0;
	tmpdir_make(dir);
	make_certificates();
	for (int i = 0; i < 3 && !server; i++)
		if (start_server())
			return 0;
	return -1;
}

static int group_teardown(void **state)
{
	(void)state;
	if (server) {
		kill(server, SIGTERM);
		waitpid(server, NULL, 0);
	}
	if (dir[0])
		tmpdir_remove(dir);
	return 0;
}

static void need_means(void)
{
	if (have_means)
		return;
	print_message("SKIPPED: nghttpd or openssl is not installed (make deps)\n");
	skip();
}

/* --- the client
 * -------------------------------------------------------------------------------------------------------- */

struct client {
	struct loop loop;
	struct rest *rest;
};

static void open_client(struct client *client, const char *host, const char *ca, uint32_t timeout_ms)
{
	struct rest_options options = { .token = "token", .timeout_ms = timeout_ms };
	char base[128], ca_file[256] = "";

	snprintf(base, sizeof(base), "https://%s:%d/api/v10", host, port);
	if (ca)
		snprintf(ca_file, sizeof(ca_file), "%s/%s", dir, ca);
	options.api_base = base;
	options.ca_file = ca_file;
	assert_int_equal(loop_init(&client->loop), 0);
	assert_int_equal(rest_new(&client->loop, &options, NULL, NULL, NULL, NULL, &client->rest), 0);
}

static void close_client(struct client *client)
{
	bool closed = false;

	rest_close(client->rest, on_closed, &closed);
	while (!closed)
		uv_run(&client->loop.uv, UV_RUN_ONCE);
	assert_int_equal(loop_finish(&client->loop), 0);
}

static void ask(struct client *client, struct rest_request request, struct told *told)
{
	told->calls = 0;
	assert_int_equal(rest_send(client->rest, &request, on_answer, told, NULL), 0);
	/* ends by the call's own deadline at the latest */
	while (!told->calls)
		uv_run(&client->loop.uv, UV_RUN_ONCE);
}

static const struct rest_request get_gateway = { .route = ROUTE_GET_GATEWAY };

static void test_http2_is_negotiated(void **state)
{
	struct told told = { 0 };
	struct rest_stats stats;
	struct client client;

	(void)state;
	need_means();
	open_client(&client, "localhost", "ca0.pem", 5000);
	ask(&client, get_gateway, &told);
	assert_string_equal(told.message, "");
	assert_int_equal(told.error, 0);
	assert_int_equal(told.status, 200);
	assert_string_equal(told.body, "{\"url\":\"wss://gateway.test\"}");
	rest_stats(client.rest, &stats);
	assert_int_equal(stats.http_version, 20);
	assert_int_equal(stats.connections, 1);
	close_client(&client);
	free(told.body);
}

static void test_one_connection_for_many(void **state)
{
	struct told told[40];
	struct rest_stats stats;
	struct client client;
	int ended = 0;

	(void)state;
	need_means();
	memset(told, 0, sizeof(told));
	open_client(&client, "localhost", "ca0.pem", 5000);
	ask(&client, get_gateway, &told[0]);
	/* ordinary calls and callbacks side by side on the one connection */
	for (int i = 1; i < 40; i++) {
		struct rest_request request = get_gateway;

		if (i % 2)
			request =
				(struct rest_request){ .route = ROUTE_INTERACTION_CALLBACK,
						       .args = { .ids = { [ROUTE_ID_INTERACTION] = 5 }, .token = "t" },
						       .text = "{\"type\":5}",
						       .text_len = 10 };
		assert_int_equal(rest_send(client.rest, &request, on_answer, &told[i], NULL), 0);
	}
	while (ended < 40) {
		uv_run(&client.loop.uv, UV_RUN_ONCE);
		ended = 0;
		for (int i = 0; i < 40; i++)
			ended += told[i].calls;
	}
	for (int i = 0; i < 40; i++) {
		assert_int_equal(told[i].calls, 1);
		assert_int_equal(told[i].error, 0);
		if (i % 2)
			assert_string_equal(told[i].body, "{\"type\":5}");
		free(told[i].body);
	}
	rest_stats(client.rest, &stats);
	assert_int_equal(stats.connections, 1);
	assert_int_equal(stats.http_version, 20);
	close_client(&client);
}

static void test_bodies_over_http2(void **state)
{
	struct told told = { 0 };
	struct client client;
	struct rest_request request = { .route = ROUTE_CREATE_DM };
	char *text = malloc(200100);

	(void)state;
	need_means();
	open_client(&client, "localhost", "ca0.pem", 5000);
	request.json = json_pack("{s:s}", "recipient_id", "5");
	ask(&client, request, &told);
	assert_int_equal(told.error, 0);
	assert_string_equal(told.body, "{\"recipient_id\":\"5\"}");
	/* larger than a flow-control window, and of the kind that curl reads from us instead of keeping */
	memset(text, 'x', 200000);
	memcpy(text, "{\"content\":\"", 12);
	strcpy(text + 200000, "\"}");
	request = (struct rest_request){ .route = ROUTE_CREATE_FOLLOWUP,
					 .args = { .ids = { [ROUTE_ID_APPLICATION] = 5 }, .token = "t" },
					 .text = text,
					 .text_len = strlen(text) };
	ask(&client, request, &told);
	assert_int_equal(told.error, 0);
	assert_string_equal(told.body, text);
	close_client(&client);
	free(told.body);
	free(text);
}

/* One connection carries all: when it falls silent, the next attempt must not go the same way. */
static void test_silent_connection_is_left(void **state)
{
	struct rest_request request = get_gateway;
	struct told told = { 0 };
	struct rest_stats stats;
	struct client client;

	(void)state;
	need_means();
	open_client(&client, "localhost", "ca0.pem", 300);
	ask(&client, request, &told);
	assert_int_equal(told.error, 0);
	assert_int_equal(kill(server, SIGSTOP), 0);
	request.deadline_ms = 1500;
	ask(&client, request, &told);
	kill(server, SIGCONT);
	assert_int_equal(told.error, -ETIMEDOUT);
	assert_true(told.retried >= 1);
	rest_stats(client.rest, &stats);
	assert_true(stats.connections >= 2);
	/* and it finds its way back */
	request.deadline_ms = 10000;
	ask(&client, request, &told);
	assert_int_equal(told.error, 0);
	close_client(&client);
	free(told.body);
}

/* A refusal by our own side: at once, not repeated, nothing sent. */
static void expect_refused(const char *host, const char *ca, const char *words)
{
	struct told told = { 0 };
	struct client client;
	uint64_t before_ns = clock_monotonic_ns();

	open_client(&client, host, ca, 5000);
	ask(&client, get_gateway, &told);
	assert_int_equal(told.error, -EPROTO);
	assert_int_equal(told.status, 0);
	assert_int_equal(told.retried, 0);
	assert_false(told.maybe_done);
	assert_true(clock_monotonic_ns() - before_ns < 4 * NS_PER_S);
	if (!strstr(told.message, words))
		fail_msg("\"%s\" does not say \"%s\"", told.message, words);
	close_client(&client);
}

static void test_wrong_name_is_refused(void **state)
{
	(void)state;
	need_means();
	/* the certificate is for localhost; both reach the same server */
	expect_refused("127.0.0.1", "ca0.pem", "127.0.0.1");
	expect_refused("discord.localhost", "ca0.pem", "discord.localhost");
}

static void test_wrong_authority_is_refused(void **state)
{
	(void)state;
	need_means();
	expect_refused("localhost", "ca1.pem", "certificate");
	expect_refused("localhost", NULL, "certificate");
	expect_refused("localhost", "no-such-file.pem", "no-such-file.pem");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http2_is_negotiated),   cmocka_unit_test(test_one_connection_for_many),
		cmocka_unit_test(test_bodies_over_http2),     cmocka_unit_test(test_silent_connection_is_left),
		cmocka_unit_test(test_wrong_name_is_refused), cmocka_unit_test(test_wrong_authority_is_refused),
	};

	log_setup(&(struct log_options){ .level = LOG_LEVEL_AUDIT, .program = "test_rest_tls", .fd = 2 });
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
