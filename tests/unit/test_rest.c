/* The REST client against a scripted server on loopback: what goes over the wire, what is repeated and what is not,
 * and what each caller is told, exactly once. Real sockets and the real clock, delays of milliseconds. */
#include "tests/unit/unit.h"

#include <errno.h>

#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/discord/payload.h"
#include "shared/discord/rest.h"
#include "shared/log/log.h"
#include "tests/unit/http_stub.h"

#define CHANNEL     584675324067971076ULL
#define GUILD       584675118589018115ULL
#define MESSAGE     1534234585989251102ULL
#define USER        1532916026835075073ULL
#define APPLICATION 1348207187591299079ULL

#define OUTCOMES_MAX (REST_INTERACTIONS_MAX + 1024)

/* What callers were told. */
struct told {
	int calls;
	struct rest_result last;
	char message[REST_TEXT_SIZE];
	char words[REST_TEXT_SIZE];
	json_t *body;
	int order; /* of the end, over all calls of a test */
	struct fixture *fixture;
};

struct fixture {
	struct stub stub;
	struct loop loop;
	struct rest *rest;
	struct timer guard;
	int open, done, ended;
	int token_invalid;
	bool closed, close_on_answer, guard_fired;
	struct told told[OUTCOMES_MAX];
	uint64_t handles[OUTCOMES_MAX];
};

static void on_guard(void *arg)
{
	struct fixture *f = arg;

	f->guard_fired = true;
}

static void on_closed(void *arg)
{
	struct fixture *f = arg;

	f->closed = true;
}

static void on_token_invalid(void *arg, const char *text)
{
	struct fixture *f = arg;

	assert_non_null(strstr(text, "discord.token"));
	f->token_invalid++;
}

static void on_answer(void *arg, const struct rest_result *result)
{
	struct told *told = arg;
	struct fixture *f = told->fixture;

	told->calls++;
	assert_int_equal(told->calls, 1);
	told->last = *result;
	snprintf(told->message, sizeof(told->message), "%s", result->message);
	snprintf(told->words, sizeof(told->words), "%s", result->phrase ? result->phrase->text[SHOAL_ENGLISH] : "");
	told->body = json_incref(result->body);
	told->last.body = told->body;
	told->order = ++f->ended;
	f->done++;
	if (f->close_on_answer) {
		f->close_on_answer = false;
		rest_close(f->rest, on_closed, f);
	}
}

/* Turns the loop until @flag is set; a test that hangs fails here. */
static void run_until(struct fixture *f, const bool *flag)
{
	timer_start(&f->guard, 20000);
	while (!*flag && !f->guard_fired)
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	timer_stop(&f->guard);
	assert_false(f->guard_fired);
}

static void start(struct fixture *f, struct rest_options options)
{
	static const struct rest_events events = { .token_invalid = on_token_invalid };
	char base[64];

	snprintf(base, sizeof(base), "http://127.0.0.1:%d/api/v10", f->stub.port);
	if (!options.api_base)
		options.api_base = base;
	if (!options.token)
		options.token = "secret.token-123";
	assert_int_equal(rest_new(&f->loop, &options, NULL, NULL, &events, f, &f->rest), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	stub_start(&f->stub);
	assert_int_equal(loop_init(&f->loop), 0);
	assert_int_equal(timer_init(&f->guard, &f->loop, on_guard, f), 0);
	for (int i = 0; i < OUTCOMES_MAX; i++)
		f->told[i].fixture = f;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->rest && !f->closed) {
		rest_close(f->rest, on_closed, f);
		run_until(f, &f->closed);
	}
	timer_close(&f->guard, NULL);
	assert_int_equal(loop_finish(&f->loop), 0);
	stub_stop(&f->stub);
	for (int i = 0; i < OUTCOMES_MAX; i++)
		json_decref(f->told[i].body);
	free(f);
	return 0;
}

/* Sends and expects it to be accepted. */
static struct told *post(struct fixture *f, struct rest_request request)
{
	struct told *told = &f->told[f->open];

	assert_in_range(f->open, 0, OUTCOMES_MAX - 1);
	assert_int_equal(rest_send(f->rest, &request, on_answer, told, &f->handles[f->open]), 0);
	assert_int_equal(told->calls, 0);
	assert_int_not_equal(f->handles[f->open], 0);
	f->open++;
	return told;
}

/* Runs until everybody was told. */
static void run(struct fixture *f)
{
	timer_start(&f->guard, 20000);
	while (f->done < f->open && !f->guard_fired)
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	timer_stop(&f->guard);
	assert_false(f->guard_fired);
	assert_int_equal(f->done, f->open);
}

static struct told *ask(struct fixture *f, struct rest_request request)
{
	struct told *told = post(f, request);

	run(f);
	return told;
}

static struct rest_request get_guild(void)
{
	return (struct rest_request){ .route = ROUTE_GET_GUILD, .args.ids = { [ROUTE_ID_GUILD] = GUILD } };
}

static struct rest_request create_message(bool nonce)
{
	static const struct payload_message with = { .content = "hi", .nonce = "n.1" }, without = { .content = "hi" };
	char error[PAYLOAD_ERROR_SIZE];
	struct rest_request request = { .route = ROUTE_CREATE_MESSAGE, .args.ids = { [ROUTE_ID_CHANNEL] = CHANNEL } };

	assert_int_equal(payload_message(PAYLOAD_CREATE, nonce ? &with : &without, error, &request.json), 0);
	return request;
}

static struct rest_request followup(void)
{
	return (struct rest_request){ .route = ROUTE_CREATE_FOLLOWUP,
				      .args = { .ids = { [ROUTE_ID_APPLICATION] = APPLICATION }, .token = "tok" },
				      .text = "{\"content\":\"x\",\"allowed_mentions\":{\"parse\":[]}}",
				      .text_len = 47 };
}

static struct rest_request callback(void)
{
	return (struct rest_request){ .route = ROUTE_INTERACTION_CALLBACK,
				      .args = { .ids = { [ROUTE_ID_INTERACTION] = MESSAGE }, .token = "tok" },
				      .text = "{\"type\":5}",
				      .text_len = 10 };
}

static struct rest_request delete_message(void)
{
	return (struct rest_request){ .route = ROUTE_DELETE_MESSAGE,
				      .args.ids = { [ROUTE_ID_CHANNEL] = CHANNEL, [ROUTE_ID_MESSAGE] = MESSAGE } };
}

static struct rest_request ban(const char *reason)
{
	return (struct rest_request){ .route = ROUTE_BAN,
				      .args.ids = { [ROUTE_ID_GUILD] = GUILD, [ROUTE_ID_USER] = USER },
				      .text = "{}",
				      .text_len = 2,
				      .reason = reason };
}

/* Whether request @i had this header line; NULL value: no such header at all. */
static bool had_header(struct fixture *f, int i, const char *line)
{
	char needle[1200];

	snprintf(needle, sizeof(needle), "\r\n%s", line);
	return strncasecmp(f->stub.requests[i].headers, line, strlen(line)) == 0 ||
	       strcasestr(f->stub.requests[i].headers, needle);
}

#define BUCKET(limit, remaining, after)                                                          \
	"Content-Type: application/json\r\nX-RateLimit-Bucket: b1\r\nX-RateLimit-Limit: " #limit \
	"\r\nX-RateLimit-Remaining: " #remaining "\r\nX-RateLimit-Reset-After: " #after "\r\n"
#define JSON "Content-Type: application/json\r\n"

/* --- what goes over the wire ----------------------------------------------------------------------------------------
 */

static void test_request_form(void **state)
{
	struct fixture *f = *state;
	struct told *told;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "{\"id\":\"1\"}" });
	told = ask(f, create_message(true));
	assert_int_equal(told->last.error, 0);
	assert_int_equal(told->last.http_status, 200);
	assert_string_equal(json_string_value(json_object_get(told->body, "id")), "1");
	assert_string_equal(told->message, "");
	assert_string_equal(told->words, "");
	assert_true(told->last.latency_us > 0 && told->last.total_us > 0);
	assert_string_equal(f->stub.requests[0].method, "POST");
	assert_string_equal(f->stub.requests[0].path, "/api/v10/channels/584675324067971076/messages");
	assert_true(had_header(f, 0, "Authorization: Bot secret.token-123\r\n"));
	assert_true(had_header(f, 0, "Content-Type: application/json\r\n"));
	assert_true(had_header(f, 0, "User-Agent: DiscordBot (http"));
	assert_false(had_header(f, 0, "Expect"));
	assert_string_equal(
		f->stub.requests[0].body,
		"{\"content\":\"hi\",\"allowed_mentions\":{\"parse\":[]},\"nonce\":\"n.1\",\"enforce_nonce\":true}");
}

static void test_empty_bodies(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = {
		.route = ROUTE_ADD_ROLE, .args.ids = { [ROUTE_ID_GUILD] = 1, [ROUTE_ID_USER] = 2, [ROUTE_ID_ROLE] = 3 }
	};

	start(f, (struct rest_options){ 0 });
	assert_int_equal(ask(f, request)->last.error, 0);
	request.route = ROUTE_TYPING;
	request.args.ids[ROUTE_ID_CHANNEL] = CHANNEL;
	assert_int_equal(ask(f, request)->last.error, 0);
	assert_string_equal(f->stub.requests[0].method, "PUT");
	assert_string_equal(f->stub.requests[1].method, "POST");
	for (int i = 0; i < 2; i++) {
		assert_true(had_header(f, i, "Content-Length: 0\r\n"));
		assert_false(had_header(f, i, "Content-Type:"));
		assert_false(had_header(f, i, "X-Audit-Log-Reason"));
	}
	assert_int_equal(ask(f, get_guild())->last.error, 0);
	assert_int_equal(ask(f, delete_message())->last.error, 0);
	for (int i = 2; i < 4; i++) {
		assert_false(had_header(f, i, "Content-Type:"));
		assert_false(had_header(f, i, "Transfer-Encoding"));
	}
	/* One after the other: one connection serves them all. */
	assert_int_equal(f->stub.connection_count, 1);
}

static void test_reason_and_query(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = get_guild();
	char longer[3000];

	start(f, (struct rest_options){ 0 });
	ask(f, ban("spam & \xd7\xa9\n\xf0\x9f\x91\x8b"));
	assert_true(had_header(f, 0, "X-Audit-Log-Reason: spam%20%26%20%D7%A9%0A%F0%9F%91%8B\r\n"));
	assert_true(had_header(f, 0, "Authorization: Bot secret.token-123\r\n"));
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	ask(f, ban(longer));
	/* 511 letters and the sign that it was cut. */
	longer[511] = '\0';
	snprintf(f->stub.requests[2].body, sizeof(f->stub.requests[2].body), "X-Audit-Log-Reason: %s%%E2%%80%%A6\r\n",
		 longer);
	assert_true(had_header(f, 1, f->stub.requests[2].body));
	request.query = "with_counts=true";
	ask(f, request);
	assert_string_equal(f->stub.requests[2].path, "/api/v10/guilds/584675118589018115?with_counts=true");
}

static void test_no_auth(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = callback();

	start(f, (struct rest_options){ 0 });
	request.args.token = "a/b?c";
	assert_int_equal(ask(f, request)->last.error, 0);
	assert_string_equal(f->stub.requests[0].path, "/api/v10/interactions/1534234585989251102/a%2Fb%3Fc/callback");
	assert_false(had_header(f, 0, "Authorization"));
}

static void test_bad_requests(void **state)
{
	struct fixture *f = *state;
	struct told *told = &f->told[0];
	struct rest_request request;
	struct rest *none = NULL;

	assert_int_equal(
		rest_new(&f->loop, &(struct rest_options){ .api_base = "ftp://x" }, NULL, NULL, NULL, NULL, &none),
		-EINVAL);
	assert_int_equal(rest_new(&f->loop, &(struct rest_options){ .api_base = "http://x", .token = "a\r\nb: c" },
				  NULL, NULL, NULL, NULL, &none),
			 -EINVAL);
	assert_null(none);
	start(f, (struct rest_options){ 0 });
	/* an id is missing */
	request = get_guild();
	request.args.ids[ROUTE_ID_GUILD] = 0;
	assert_int_equal(rest_send(f->rest, &request, on_answer, told, NULL), -EINVAL);
	/* a body where none belongs; it is taken all the same */
	request = get_guild();
	request.json = json_object();
	assert_int_equal(rest_send(f->rest, &request, on_answer, told, NULL), -EINVAL);
	/* none where one belongs */
	request = callback();
	request.text = NULL;
	assert_int_equal(rest_send(f->rest, &request, on_answer, told, NULL), -EINVAL);
	/* a reason where none is allowed */
	request = get_guild();
	request.reason = "because";
	assert_int_equal(rest_send(f->rest, &request, on_answer, told, NULL), -EINVAL);
	/* a query that would end the request line */
	request = get_guild();
	request.query = "a=b HTTP/1.1\r\nX: y";
	assert_int_equal(rest_send(f->rest, &request, on_answer, told, NULL), -EINVAL);
	request.query = NULL;
	request.route = ROUTE_COUNT;
	assert_int_equal(rest_send(f->rest, &request, on_answer, told, NULL), -EINVAL);
	assert_int_equal(told->calls, 0);
	assert_int_equal(stub_count(&f->stub), 0);
}

/* --- what is repeated ------------------------------------------------------------------------------------------------
 */

static void test_safe_is_repeated(void **state)
{
	struct fixture *f = *state;
	struct told *told;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { .action = STUB_RESET },
		    { STUB_ANSWER, 502, "Content-Type: text/html\r\n", "<html>bad</html>" }, { .action = STUB_CLOSE },
		    { STUB_ANSWER, 200, JSON, "{\"id\":\"7\"}" });
	told = ask(f, get_guild());
	assert_int_equal(told->last.error, 0);
	/* the third hit a kept connection: that repeat is curl's own */
	assert_in_range(told->last.retried, 2, 3);
	assert_int_equal(stub_count(&f->stub), 4);
}

static void test_cut_json_is_repeated(void **state)
{
	struct fixture *f = *state;
	struct told *told;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "{\"id\":\"58467511854707" },
		    { STUB_PARTIAL, 200, JSON, "{\"id\":\"58467511854707\"}" }, { STUB_ANSWER, 200, JSON, "[]" });
	told = ask(f, get_guild());
	assert_int_equal(told->last.error, 0);
	assert_int_equal(told->last.retried, 2);
	assert_true(json_is_array(told->body));
	/* and when it stays so, that is said */
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "<html>hello</html>" });
	told = ask(f, get_guild());
	assert_int_equal(told->last.error, -EBADMSG);
	assert_int_equal(told->last.http_status, 200);
	assert_int_equal(stub_count(&f->stub), 3);
	assert_non_null(strstr(told->message, "GET_GUILD"));
}

static void test_nonce_decides(void **state)
{
	struct fixture *f = *state;
	struct told *told;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { .action = STUB_RESET }, { STUB_ANSWER, 503, "", "" }, { STUB_ANSWER, 200, JSON, "{}" });
	told = ask(f, create_message(true));
	assert_int_equal(told->last.error, 0);
	assert_int_equal(told->last.retried, 2);
	assert_string_equal(f->stub.requests[0].body, f->stub.requests[2].body);
	STUB_SCRIPT(&f->stub, { .action = STUB_RESET }, { STUB_ANSWER, 200, JSON, "{}" });
	told = ask(f, create_message(false));
	assert_int_equal(told->last.error, -SHOAL_EUNKNOWN);
	assert_true(told->last.maybe_done);
	assert_int_equal(stub_count(&f->stub), 1);
}

static void test_never_is_not_repeated(void **state)
{
	struct fixture *f = *state;
	struct told *told;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 500, JSON, "{\"message\":\"500: Internal Server Error\",\"code\":0}" });
	told = ask(f, followup());
	assert_int_equal(told->last.error, -SHOAL_EDISCORD);
	assert_true(told->last.maybe_done);
	assert_int_equal(stub_count(&f->stub), 1);
	/* A kept connection that dies under the request: curl itself would send it again. */
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "{}" }, { .action = STUB_CLOSE },
		    { STUB_ANSWER, 200, JSON, "{}" });
	assert_int_equal(ask(f, followup())->last.error, 0);
	told = ask(f, followup());
	assert_int_equal(told->last.error, -SHOAL_EUNKNOWN);
	assert_true(told->last.maybe_done);
	assert_int_equal(stub_count(&f->stub), 2);
	assert_int_equal(f->stub.requests[0].connection, f->stub.requests[1].connection);
	/* and likewise for a request without a body, which curl could repeat even more easily */
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "{}" }, { .action = STUB_CLOSE }, { STUB_ANSWER, 204, "", "" });
	assert_int_equal(ask(f, get_guild())->last.error, 0);
	told = ask(f, (struct rest_request){ .route = ROUTE_KICK,
					     .args.ids = { [ROUTE_ID_GUILD] = GUILD, [ROUTE_ID_USER] = USER } });
	assert_int_equal(told->last.error, -SHOAL_EUNKNOWN);
	assert_int_equal(stub_count(&f->stub), 2);
	/* but 429 proves that nothing happened */
	STUB_SCRIPT(&f->stub,
		    { STUB_ANSWER, 429, JSON "X-RateLimit-Scope: user\r\n",
		      "{\"message\":\"You are being rate limited.\",\"retry_after\":0.02,\"global\":false}" },
		    { STUB_ANSWER, 200, JSON, "{}" });
	told = ask(f, followup());
	assert_int_equal(told->last.error, 0);
	assert_int_equal(told->last.retried, 1);
}

static void test_refused_connection(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = followup();
	struct told *told;
	char base[64];
	int port = f->stub.port;

	/* A port where nobody listens: bound, not listening, kept until the end. */
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	assert_int_not_equal(ntohs(address.sin_port), port);
	snprintf(base, sizeof(base), "http://127.0.0.1:%d/api/v10", ntohs(address.sin_port));
	start(f, (struct rest_options){ .api_base = base });
	request.deadline_ms = 500;
	told = ask(f, request);
	assert_int_equal(told->last.error, -ECONNREFUSED);
	assert_true(told->last.retried >= 1);
	assert_false(told->last.maybe_done);
	assert_int_equal(told->last.http_status, 0);
	assert_true(strlen(told->words) > 0);
	close(fd);
}

static void test_hang_until_deadline(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = get_guild();
	uint64_t before_ns = clock_monotonic_ns(), took_ms;
	struct told *told;

	start(f, (struct rest_options){ .timeout_ms = 100 });
	STUB_SCRIPT(&f->stub, { .action = STUB_HANG });
	request.deadline_ms = 700;
	told = ask(f, request);
	took_ms = (clock_monotonic_ns() - before_ns) / NS_PER_MS;
	assert_int_equal(told->last.error, -ETIMEDOUT);
	assert_in_range(took_ms, 150, 1200);
	assert_true(told->last.retried >= 1);
	/* each attempt on a connection of its own: the old one may be dead */
	assert_true(f->stub.connection_count >= 2);
	/* what must not be repeated waits once, and says that it does not know */
	request = followup();
	request.deadline_ms = 700;
	STUB_SCRIPT(&f->stub, { .action = STUB_HANG });
	told = ask(f, request);
	assert_int_equal(told->last.error, -SHOAL_EUNKNOWN);
	assert_int_equal(stub_count(&f->stub), 1);
}

static void test_interaction_retry(void **state)
{
	struct fixture *f = *state;
	struct told *told;

	start(f, (struct rest_options){ 0 });
	/* The first one worked, only its answer was lost. */
	STUB_SCRIPT(&f->stub, { .action = STUB_CLOSE },
		    { STUB_ANSWER, 400, JSON,
		      "{\"message\":\"Interaction has already been acknowledged.\",\"code\":40060}" });
	told = ask(f, callback());
	assert_int_equal(told->last.error, 0);
	assert_true(told->last.already);
	assert_int_equal(told->last.retried, 1);
	/* Without an earlier attempt it is an error. */
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 400, JSON,
				"{\"message\":\"Interaction has already been acknowledged.\",\"code\":40060}" });
	told = ask(f, callback());
	assert_int_equal(told->last.error, -SHOAL_EDISCORD);
	assert_int_equal(told->last.discord_code, 40060);
	assert_false(told->last.already);
	/* One repeat, not more. */
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 502, "", "" });
	told = ask(f, callback());
	assert_int_equal(told->last.error, -SHOAL_EHTTP);
	assert_int_equal(stub_count(&f->stub), 2);
	/* A silent server: two attempts fit into the three seconds. */
	STUB_SCRIPT(&f->stub, { .action = STUB_HANG }, { STUB_ANSWER, 204, "", "" });
	told = ask(f, callback());
	assert_int_equal(told->last.error, 0);
	assert_in_range(told->last.total_us, 1500000, 3000000);
}

static void test_delete_that_had_worked(void **state)
{
	struct fixture *f = *state;
	struct told *told;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { .action = STUB_RESET },
		    { STUB_ANSWER, 404, JSON, "{\"message\":\"Unknown Message\",\"code\":10008}" });
	told = ask(f, delete_message());
	assert_int_equal(told->last.error, 0);
	assert_true(told->last.already);
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 404, JSON, "{\"message\":\"Unknown Message\",\"code\":10008}" });
	told = ask(f, delete_message());
	assert_int_equal(told->last.error, -SHOAL_EDISCORD);
	assert_int_equal(told->last.discord_code, 10008);
	assert_string_equal(told->words, "That message does not exist any more.");
	assert_int_equal(stub_count(&f->stub), 1);
}

/* --- limits ----------------------------------------------------------------------------------------------------------
 */

static void test_retry_after_forms(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = get_guild();
	struct told *told;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub,
		    { STUB_ANSWER, 429, JSON "X-RateLimit-Scope: user\r\n",
		      "{\"message\":\"You are being rate limited.\",\"retry_after\":0.15,\"global\":false}" },
		    { STUB_ANSWER, 429, JSON "Retry-After: 1\r\nX-RateLimit-Scope: shared\r\n",
		      "{\"message\":\"The resource is being rate limited.\",\"retry_after\":0.1,\"code\":40062}" },
		    { STUB_ANSWER, 200, JSON, "{}" });
	told = ask(f, request);
	assert_int_equal(told->last.error, 0);
	assert_int_equal(told->last.retried, 2);
	/* both waits, slack included */
	assert_in_range(told->last.total_us, 350000, 900000);
	/* an integer that does not fit into the deadline is told at once */
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 429, JSON "Retry-After: 65\r\nX-RateLimit-Scope: user\r\n",
				"{\"message\":\"You are being rate limited.\",\"retry_after\":65,\"global\":false}" });
	request.args.ids[ROUTE_ID_GUILD] = 77;
	request.deadline_ms = 5000;
	told = ask(f, request);
	assert_int_equal(told->last.error, -SHOAL_ERATE);
	assert_int_equal(told->last.http_status, 429);
	assert_true(told->last.total_us < 1000000);
	/* and the next one of the lane does not even ask */
	told = ask(f, request);
	assert_int_equal(told->last.error, -SHOAL_ERATE);
	assert_int_equal(told->last.http_status, 0);
	assert_int_equal(stub_count(&f->stub), 1);
	/* another guild is not held up */
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "{}" });
	request.args.ids[ROUTE_ID_GUILD] = 78;
	assert_int_equal(ask(f, request)->last.error, 0);
}

static void test_bucket_is_kept(void **state)
{
	struct fixture *f = *state;
	struct told *told[3];

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, BUCKET(2, 1, 0.300), "{}" },
		    { STUB_ANSWER, 200, BUCKET(2, 0, 0.280), "{}" }, { STUB_ANSWER, 200, BUCKET(2, 1, 0.300), "{}" });
	for (int i = 0; i < 3; i++)
		told[i] = post(f, get_guild());
	run(f);
	for (int i = 0; i < 3; i++)
		assert_int_equal(told[i]->last.error, 0);
	assert_true(told[1]->last.total_us < 200000);
	assert_in_range(told[2]->last.total_us, 300000, 900000);
}

static void test_first_runs_alone(void **state)
{
	struct fixture *f = *state;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, BUCKET(50, 49, 1), "{}" });
	for (int i = 0; i < 8; i++)
		post(f, get_guild());
	/* Nothing was answered yet: only one can have gone out. */
	{
		struct rest_stats stats;

		rest_stats(f->rest, &stats);
		assert_int_equal(stats.inflight, 1);
		assert_int_equal(stats.queued, 7);
	}
	run(f);
	assert_int_equal(stub_count(&f->stub), 8);
}

static void test_global_limit(void **state)
{
	struct fixture *f = *state;
	struct rest_request other = get_guild();
	struct told *told[3];

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub,
		    { STUB_ANSWER, 429,
		      JSON "X-RateLimit-Global: true\r\nX-RateLimit-Scope: global\r\nRetry-After: 1\r\n",
		      "{\"message\":\"You are being rate limited.\",\"retry_after\":0.4,\"global\":true}" },
		    { STUB_ANSWER, 200, JSON, "{}" });
	told[0] = post(f, get_guild());
	/* Wait for the 429 to be there: the first is queued again. */
	while (told[0]->calls == 0) {
		struct rest_stats stats;

		uv_run(&f->loop.uv, UV_RUN_ONCE);
		rest_stats(f->rest, &stats);
		if (stats.limited)
			break;
	}
	other.args.ids[ROUTE_ID_GUILD] = 99;
	told[1] = post(f, other);
	told[2] = post(f, callback());
	run(f);
	assert_int_equal(told[0]->last.error, 0);
	assert_int_equal(told[1]->last.error, 0);
	assert_true(told[1]->last.total_us > 300000);
	/* callbacks are exempt */
	assert_int_equal(told[2]->last.error, 0);
	assert_true(told[2]->last.total_us < 200000);
}

static void test_global_budget(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = get_guild();
	uint64_t before_ns;

	start(f, (struct rest_options){ .global_per_s = 20 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "{}" });
	before_ns = clock_monotonic_ns();
	for (int i = 0; i < 30; i++) {
		request.args.ids[ROUTE_ID_GUILD] = (uint64_t)i + 1;
		post(f, request);
	}
	run(f);
	/* 4 at once, the other 26 at 62.5 ms each: 1.6 s */
	assert_in_range((clock_monotonic_ns() - before_ns) / NS_PER_MS, 1600, 4000);
	assert_int_equal(stub_count(&f->stub), 30);
}

static void test_ban(void **state)
{
	struct fixture *f = *state;
	struct told *told;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 429, "Content-Type: text/html\r\nServer: cloudflare\r\n",
				"<!DOCTYPE html><html><head><title>Access denied</title></head></html>" });
	told = ask(f, get_guild());
	assert_int_equal(told->last.error, -SHOAL_ERATE);
	assert_int_equal(told->last.http_status, 429);
	/* From now on not even callbacks go out; all are told at once. */
	told = ask(f, callback());
	assert_int_equal(told->last.error, -SHOAL_ERATE);
	assert_int_equal(told->last.http_status, 0);
	assert_int_equal(ask(f, create_message(true))->last.error, -SHOAL_ERATE);
	assert_int_equal(stub_count(&f->stub), 1);
}

static void test_invalid_requests_guard(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = get_guild();
	struct rest_stats stats;
	struct told *told;

	start(f, (struct rest_options){ .invalid_limit = 10 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 403, JSON, "{\"message\":\"Missing Access\",\"code\":50001}" });
	for (int i = 0; i < 8; i++) {
		told = ask(f, request);
		assert_int_equal(told->last.error, -SHOAL_EDISCORD);
		assert_string_equal(told->words, "I can't see that channel.");
	}
	rest_stats(f->rest, &stats);
	assert_int_equal(stats.invalid, 8);
	/* 80 %: only what is essential */
	assert_int_equal(ask(f, request)->last.error, -SHOAL_ERATE);
	assert_int_equal(stub_count(&f->stub), 8);
	assert_int_equal(ask(f, callback())->last.error, -SHOAL_EDISCORD);
	request.essential = true;
	assert_int_equal(ask(f, request)->last.error, -SHOAL_EDISCORD);
	/* 100 %: nothing */
	assert_int_equal(ask(f, callback())->last.error, -SHOAL_ERATE);
	assert_int_equal(stub_count(&f->stub), 10);
}

static void test_shared_429_is_not_invalid(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = get_guild();
	struct rest_stats stats;

	start(f, (struct rest_options){ .invalid_limit = 10 });
	STUB_SCRIPT(&f->stub,
		    { STUB_ANSWER, 429, BUCKET(10, 9, 1) "X-RateLimit-Scope: shared\r\n",
		      "{\"message\":\"The resource is being rate limited.\",\"retry_after\":0.01,\"code\":40062}" },
		    { STUB_ANSWER, 200, JSON, "{}" });
	assert_int_equal(ask(f, request)->last.error, 0);
	rest_stats(f->rest, &stats);
	assert_int_equal(stats.invalid, 0);
	assert_int_equal(stats.limited, 1);
}

/* --- the token -------------------------------------------------------------------------------------------------------
 */

static void test_token_invalid(void **state)
{
	struct fixture *f = *state;
	struct told *told;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 401, JSON, "{\"message\":\"401: Unauthorized\",\"code\":0}" });
	told = ask(f, (struct rest_request){ .route = ROUTE_GET_GATEWAY_BOT });
	assert_int_equal(told->last.error, -SHOAL_EREFUSED);
	assert_int_equal(f->token_invalid, 1);
	told = ask(f, get_guild());
	assert_int_equal(told->last.error, -SHOAL_EREFUSED);
	assert_non_null(strstr(told->message, "discord.token"));
	assert_int_equal(stub_count(&f->stub), 1);
	assert_int_equal(f->token_invalid, 1);
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "{}" });
	assert_int_equal(rest_set_token(f->rest, "another"), 0);
	assert_int_equal(ask(f, get_guild())->last.error, 0);
	assert_true(had_header(f, 0, "Authorization: Bot another\r\n"));
}

static void test_other_401s(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = { .route = ROUTE_EDIT_ORIGINAL,
					.args = { .ids = { [ROUTE_ID_APPLICATION] = APPLICATION }, .token = "tok" },
					.text = "{}",
					.text_len = 2 };
	struct told *told;

	start(f, (struct rest_options){ 0 });
	/* an interaction's own token has run out */
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 401, JSON, "{\"message\":\"Invalid Webhook Token\",\"code\":50027}" });
	told = ask(f, request);
	assert_int_equal(told->last.error, -SHOAL_EDISCORD);
	assert_int_equal(told->last.discord_code, 50027);
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 401, JSON, "{\"message\":\"401: Unauthorized\",\"code\":0}" });
	assert_int_equal(ask(f, request)->last.error, -SHOAL_EDISCORD);
	assert_int_equal(f->token_invalid, 0);
	/* some proxy's page */
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 401, "Content-Type: text/html\r\n", "<html>who are you</html>" });
	assert_int_equal(ask(f, get_guild())->last.error, -SHOAL_EHTTP);
	assert_int_equal(f->token_invalid, 0);
}

/* --- hostile answers -------------------------------------------------------------------------------------------------
 */

static void test_hostile_answers(void **state)
{
	/* They close the connection, and say so: whether the next request meets the dead one is not the point here. */
	static const char *const raws[] = {
		"",
		"garbage\r\n\r\n",
		"HTTP/1.1 999 Odd\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
		"HTTP/1.1 200 OK\r\nX-RateLimit-Limit: -1\r\nX-RateLimit-Remaining: 99999999999999\r\n"
		"X-RateLimit-Reset-After: nan\r\nX-RateLimit-Bucket: \x01\x02\r\nConnection: close\r\nContent-Length: "
		"3\r\n\r\n{{{",
		"HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 400 Bad\r\nConnection: close\r\nContent-Length: 12\r\n\r\n{\"code\":1e9}",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
	};
	struct fixture *f = *state;
	struct stub_step step = { STUB_RAW, 0, NULL, NULL };
	struct rest_request request = followup(); /* NEVER: one attempt each */

	start(f, (struct rest_options){ .timeout_ms = 1000 });
	for (size_t i = 0; i < ARRAY_SIZE(raws); i++) {
		step.body = raws[i];
		stub_script(&f->stub, &step, 1);
		assert_int_not_equal(ask(f, request)->last.error, 0);
		assert_int_equal(stub_count(&f->stub), 1);
	}
}

static void test_body_cap(void **state)
{
	struct fixture *f = *state;
	struct stub_step step = { STUB_ANSWER, 200, JSON, NULL };
	char *big = malloc(REST_BODY_MAX + 4096);
	struct told *told;

	memset(big, ' ', REST_BODY_MAX + 4095);
	big[0] = '[';
	big[REST_BODY_MAX + 4094] = ']';
	big[REST_BODY_MAX + 4095] = '\0';
	start(f, (struct rest_options){ 0 });
	step.body = big;
	stub_script(&f->stub, &step, 1);
	told = ask(f, get_guild());
	assert_int_equal(told->last.error, -EFBIG);
	assert_int_equal(stub_count(&f->stub), 1);
	/* just below it is taken */
	big[REST_BODY_MAX - 1] = ']';
	big[REST_BODY_MAX] = '\0';
	stub_script(&f->stub, &step, 1);
	assert_int_equal(ask(f, get_guild())->last.error, 0);
	free(big);
}

/* --- order, cancel, close --------------------------------------------------------------------------------------------
 */

static void test_order_and_priority(void **state)
{
	struct fixture *f = *state;
	struct told *told[5];
	char bodies[5][64];

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, BUCKET(50, 49, 1), "{}" });
	for (int i = 0; i < 5; i++) {
		struct rest_request request = create_message(false);

		json_decref(request.json);
		request.json = NULL;
		snprintf(bodies[i], sizeof(bodies[i]), "{\"content\":\"%d\"}", i);
		request.text = bodies[i];
		request.text_len = strlen(bodies[i]);
		request.priority = i == 4 ? REST_PRIORITY_HIGH : i == 1 ? REST_PRIORITY_LOW : REST_PRIORITY_NORMAL;
		told[i] = post(f, request);
	}
	run(f);
	/* the first was out already; then the urgent one, the others as they came, and the least urgent */
	assert_string_equal(f->stub.requests[0].body, bodies[0]);
	assert_string_equal(f->stub.requests[1].body, bodies[4]);
	assert_string_equal(f->stub.requests[2].body, bodies[2]);
	assert_string_equal(f->stub.requests[3].body, bodies[3]);
	assert_string_equal(f->stub.requests[4].body, bodies[1]);
	assert_int_equal(told[1]->order, 5);
}

/* A message that has to be sent again is not overtaken by the next one. */
static void test_order_over_retries(void **state)
{
	struct fixture *f = *state;
	char bodies[3][64];

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 503, "", "" }, { STUB_ANSWER, 200, JSON, "{}" });
	for (int i = 0; i < 3; i++) {
		snprintf(bodies[i], sizeof(bodies[i]), "{\"content\":\"%d\"}", i);
		post(f, (struct rest_request){ .route = ROUTE_CREATE_MESSAGE,
					       .args.ids = { [ROUTE_ID_CHANNEL] = CHANNEL },
					       .text = bodies[i],
					       .text_len = strlen(bodies[i]),
					       .text_has_nonce = true });
	}
	run(f);
	assert_int_equal(stub_count(&f->stub), 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(f->stub.requests[i].body, bodies[i ? i - 1 : 0]);
}

static void test_queue_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct rest_request request;
	struct told none = { .fixture = f };

	start(f, (struct rest_options){ .queue_max = 3 });
	for (int i = 0; i < 4; i++)
		post(f, get_guild());
	request = get_guild();
	assert_int_equal(rest_send(f->rest, &request, on_answer, &none, NULL), -ENOBUFS);
	/* callbacks have room of their own */
	post(f, callback());
	run(f);
	assert_int_equal(none.calls, 0);
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	struct told *flying, *queued;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { .action = STUB_HANG });
	flying = post(f, get_guild());
	queued = post(f, get_guild());
	while (stub_count(&f->stub) == 0)
		uv_run(&f->loop.uv, UV_RUN_NOWAIT);
	assert_int_equal(rest_cancel(f->rest, f->handles[1]), 0);
	assert_int_equal(queued->calls, 1);
	assert_int_equal(queued->last.error, -ECANCELED);
	assert_false(queued->last.maybe_done);
	assert_int_equal(rest_cancel(f->rest, f->handles[0]), 0);
	assert_int_equal(flying->last.error, -ECANCELED);
	assert_true(flying->last.maybe_done);
	assert_int_equal(rest_cancel(f->rest, f->handles[0]), -ENOENT);
	assert_int_equal(rest_cancel(f->rest, 12345), -ENOENT);
	/* and the client goes on */
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "{}" });
	assert_int_equal(ask(f, get_guild())->last.error, 0);
}

/* A call that waits for another's answer has its own deadline. */
static void test_queued_deadline(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = get_guild();
	struct told *queued;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { .action = STUB_HANG });
	request.deadline_ms = 15000;
	post(f, request);
	request.deadline_ms = 200;
	queued = post(f, request);
	while (!queued->calls)
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	assert_int_equal(queued->last.error, -ETIMEDOUT);
	assert_false(queued->last.maybe_done);
	assert_in_range(queued->last.total_us, 190000, 2000000);
	assert_int_equal(rest_cancel(f->rest, f->handles[0]), 0);
}

/* What an interim answer says is not the answer's. */
static void test_interim_headers(void **state)
{
	struct fixture *f = *state;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { .action = STUB_RAW,
				.body = "HTTP/1.1 103 Early Hints\r\n" BUCKET(
					1, 0, 100) "\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n"
						   "Content-Length: 2\r\n\r\n{}" });
	assert_int_equal(ask(f, get_guild())->last.error, 0);
	assert_int_equal(ask(f, get_guild())->last.error, 0);
	assert_true(f->told[1].last.total_us < 1000000);
}

static void test_close_completes_all(void **state)
{
	struct fixture *f = *state;
	struct rest_request request;
	struct told *told[12];

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { .action = STUB_HANG });
	for (int i = 0; i < 10; i++)
		told[i] = post(f, get_guild());
	told[10] = post(f, callback());
	told[11] = post(f, create_message(true));
	for (int i = 0; i < 20; i++)
		uv_run(&f->loop.uv, UV_RUN_NOWAIT);
	rest_close(f->rest, on_closed, f);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(told[i]->calls, 1);
		assert_int_equal(told[i]->last.error, -ECANCELED);
	}
	request = get_guild();
	assert_int_equal(rest_send(f->rest, &request, on_answer, told[0], NULL), -ESHUTDOWN);
	assert_false(f->closed);
	run_until(f, &f->closed);
}

static void test_close_from_callback(void **state)
{
	struct fixture *f = *state;

	start(f, (struct rest_options){ 0 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "{}" }, { .action = STUB_HANG });
	f->close_on_answer = true;
	post(f, get_guild());
	for (int i = 0; i < 3; i++)
		post(f, create_message(true));
	run_until(f, &f->closed);
	assert_int_equal(f->done, 4);
}

static void test_idle_gives_back(void **state)
{
	struct fixture *f = *state;
	struct rest_stats stats;

	start(f, (struct rest_options){ .idle_ms = 100 });
	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, JSON, "{}" });
	assert_int_equal(ask(f, get_guild())->last.error, 0);
	rest_stats(f->rest, &stats);
	assert_int_equal(stats.connections, 1);
	/* The server sees its connection closed, which is the sign that curl was taken down. */
	timer_start(&f->guard, 5000);
	for (bool open = true; open && !f->guard_fired;) {
		uv_run(&f->loop.uv, UV_RUN_ONCE);
		pthread_mutex_lock(&f->stub.lock);
		open = f->stub.fds[0] >= 0;
		pthread_mutex_unlock(&f->stub.lock);
	}
	timer_stop(&f->guard);
	assert_false(f->guard_fired);
	assert_int_equal(ask(f, get_guild())->last.error, 0);
	rest_stats(f->rest, &stats);
	assert_int_equal(stats.connections, 2);
}

static void test_many_callbacks(void **state)
{
	struct fixture *f = *state;

	start(f, (struct rest_options){ .inflight_max = 2 });
	STUB_SCRIPT(&f->stub, { .action = STUB_HANG }, { .action = STUB_HANG }, { STUB_ANSWER, 204, "", "" });
	/* All ordinary room is taken by a server that does not answer. */
	for (uint64_t i = 0; i < 2; i++) {
		struct rest_request request = get_guild();

		request.args.ids[ROUTE_ID_GUILD] = i + 1;
		request.deadline_ms = 5000;
		post(f, request);
	}
	while (stub_count(&f->stub) < 2)
		uv_run(&f->loop.uv, UV_RUN_NOWAIT);
	for (int i = 0; i < 50; i++)
		post(f, callback());
	while (f->done < 50)
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	for (int i = 2; i < 52; i++)
		assert_int_equal(f->told[i].last.error, 0);
	/* their room is given back */
	for (int i = 0; i < 300; i++) {
		struct told *told = post(f, callback());

		while (!told->calls)
			uv_run(&f->loop.uv, UV_RUN_ONCE);
		assert_int_equal(told->last.error, 0);
	}
	/* and it is bounded */
	for (int i = 0; i < REST_INTERACTIONS_MAX; i++)
		post(f, callback());
	{
		struct rest_request request = callback();
		struct told none = { .fixture = f };

		assert_int_equal(rest_send(f->rest, &request, on_answer, &none, NULL), -ENOBUFS);
	}
	rest_cancel(f->rest, f->handles[0]);
	rest_cancel(f->rest, f->handles[1]);
	run(f);
}

/* Asked with the call's own arg when the first attempt leaves: whether it has reached the server then, and what is
 * said. */
static struct {
	int calls, reached, answer, stayed;
} leaving;

static void on_stayed(void *arg)
{
	(void)arg;
	leaving.stayed++;
}

static int on_leaving(void *arg)
{
	struct told *told = arg;

	leaving.calls++;
	leaving.reached = stub_count(&told->fixture->stub);
	return leaving.answer;
}

static void test_leaving_is_asked_once_before(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = create_message(true);
	struct told *told;

	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 502, "", "" }, { STUB_ANSWER, 200, "", "{\"id\":\"1\"}" });
	start(f, (struct rest_options){ 0 });
	memset(&leaving, 0, sizeof(leaving));
	request.leaving = on_leaving;
	told = ask(f, request);
	assert_int_equal(told->last.error, 0);
	assert_int_equal(told->last.retried, 1);
	assert_int_equal(leaving.calls, 1); /* a repetition is no new thing */
	assert_int_equal(leaving.reached, 0);
	assert_int_equal(stub_count(&f->stub), 2);
}

/* A 429 is Discord's word that nothing has come of it; a 502 is not. */
static void test_what_stayed_leaves_anew(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = create_message(true);
	struct told *told;

	STUB_SCRIPT(&f->stub,
		    { STUB_ANSWER, 429, "X-RateLimit-Scope: shared\r\n", "{\"retry_after\":0.05,\"global\":false}" },
		    { STUB_ANSWER, 502, "", "" },
		    { STUB_ANSWER, 429, "X-RateLimit-Scope: shared\r\n", "{\"retry_after\":0.05,\"global\":false}" },
		    { STUB_ANSWER, 200, "", "{\"id\":\"1\"}" });
	start(f, (struct rest_options){ 0 });
	memset(&leaving, 0, sizeof(leaving));
	request.leaving = on_leaving;
	request.stayed = on_stayed;
	told = ask(f, request);
	assert_int_equal(told->last.error, 0);
	assert_int_equal(leaving.stayed, 1);
	assert_int_equal(leaving.calls, 2);
	assert_int_equal(leaving.reached, 1);
}

static void test_leaving_may_be_refused(void **state)
{
	struct fixture *f = *state;
	struct rest_request request = followup();
	struct told *told;

	STUB_SCRIPT(&f->stub, { STUB_ANSWER, 200, "", "{}" });
	start(f, (struct rest_options){ 0 });
	memset(&leaving, 0, sizeof(leaving));
	leaving.answer = -ENOSPC;
	request.leaving = on_leaving;
	told = ask(f, request);
	assert_int_equal(told->last.error, -ENOSPC);
	assert_false(told->last.maybe_done);
	assert_int_equal(leaving.calls, 1);
	assert_int_equal(stub_count(&f->stub), 0);
	assert_int_equal(ask(f, get_guild())->last.error, 0); /* the wire is free for others */
	assert_int_equal(stub_count(&f->stub), 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_request_form),
		TEST(test_empty_bodies),
		TEST(test_reason_and_query),
		TEST(test_no_auth),
		TEST(test_bad_requests),
		TEST(test_safe_is_repeated),
		TEST(test_cut_json_is_repeated),
		TEST(test_nonce_decides),
		TEST(test_never_is_not_repeated),
		TEST(test_refused_connection),
		TEST(test_hang_until_deadline),
		TEST(test_interaction_retry),
		TEST(test_delete_that_had_worked),
		TEST(test_retry_after_forms),
		TEST(test_bucket_is_kept),
		TEST(test_first_runs_alone),
		TEST(test_global_limit),
		TEST(test_global_budget),
		TEST(test_ban),
		TEST(test_invalid_requests_guard),
		TEST(test_shared_429_is_not_invalid),
		TEST(test_token_invalid),
		TEST(test_other_401s),
		TEST(test_hostile_answers),
		TEST(test_body_cap),
		TEST(test_order_and_priority),
		TEST(test_order_over_retries),
		TEST(test_queue_is_bounded),
		TEST(test_cancel),
		TEST(test_queued_deadline),
		TEST(test_interim_headers),
		TEST(test_close_completes_all),
		TEST(test_close_from_callback),
		TEST(test_idle_gives_back),
		TEST(test_many_callbacks),
		TEST(test_leaving_is_asked_once_before),
		TEST(test_what_stayed_leaves_anew),
		TEST(test_leaving_may_be_refused),
	};

	log_setup(&(struct log_options){ .level = LOG_LEVEL_AUDIT, .program = "test_rest", .fd = 2 });
	return cmocka_run_group_tests(tests, NULL, NULL);
}
