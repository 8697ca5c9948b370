/* The REST client against discord-sim, which counts for itself: many calls at once meet no 429, what was repeated
 * happened once, and what may have happened is said to be unknown. Needs build/discord-sim beside the tests' folder. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>

#include "shared/base/buf.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/discord/payload.h"
#include "shared/discord/rest.h"
#include "shared/log/log.h"

#define GUILDS     10
#define START_MS   20000
#define ANSWER_MAX (4 * 1024 * 1024)

static pid_t sim;
static char control[256], api[256], token[256];
static struct loop loop;
static struct rest *rest;
static int token_told;

/* --- the sim ---------------------------------------------------------------------------------------------------------
 */

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
	return buf_append(arg, bytes, size * count) < 0 ? 0 : size * count;
}

/* One question to the control port. @body NULL: GET. */
static json_t *tell(const char *path, const char *body)
{
	CLEANUP(buf_finish) struct buf answer = { .max = ANSWER_MAX };
	CURL *easy = curl_easy_init();
	char url[512];
	json_t *json;

	snprintf(url, sizeof(url), "%s%s", control, path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 10000L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
	if (body)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	assert_int_equal(curl_easy_perform(easy), CURLE_OK);
	curl_easy_cleanup(easy);
	json = json_loadb(answer.data, answer.len, 0, NULL);
	assert_non_null(json);
	assert_null(json_object_get(json, "error"));
	return json;
}

static void fault(const char *body)
{
	json_decref(tell("/fault", body));
}

/* How many answers with @status the sim gave so far. */
static json_int_t answered_with(const char *status)
{
	json_auto_t *state = tell("/state", NULL);
	json_t *by_status = json_object_get(json_object_get(state, "rest"), "by_status");

	assert_non_null(by_status);
	return json_integer_value(json_object_get(by_status, status));
}

static uint64_t id_in(const json_t *value)
{
	return strtoull(json_string_value(json_is_object(value) ? json_object_get(value, "id") : value), NULL, 10);
}

static struct {
	uint64_t id, channel, members[4];
} guilds[GUILDS];

static void learn_guilds(void)
{
	for (int i = 0; i < GUILDS; i++) {
		char path[64];
		json_auto_t *guild = NULL;

		snprintf(path, sizeof(path), "/guild?index=%d", i);
		guild = tell(path, NULL);
		guilds[i].id = id_in(guild);
		guilds[i].channel = id_in(json_array_get(json_object_get(guild, "channels"), 0));
		for (size_t m = 0; m < 4; m++)
			guilds[i].members[m] = id_in(json_array_get(json_object_get(guild, "members"), m));
		assert_true(guilds[i].id && guilds[i].channel && guilds[i].members[3]);
	}
}

static bool start_sim(void)
{
	char path[4096], line[4096] = "";
	json_auto_t *urls = NULL;
	struct pollfd pollfd;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	int out[2];

	assert_true(n > 0);
	path[n] = '\0';
	for (int i = 0; i < 3; i++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/discord-sim");
	if (access(path, X_OK) < 0)
		return false;
	assert_int_equal(pipe(out), 0);
	sim = fork();
	assert_true(sim >= 0);
	if (sim == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		execl(path, path, "--guilds", "10", "--channels", "4", "--roles", "3", (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	pollfd = (struct pollfd){ .fd = out[0], .events = POLLIN };
	assert_int_equal(poll(&pollfd, 1, START_MS), 1);
	assert_true(read(out[0], line, sizeof(line) - 1) > 0);
	close(out[0]);
	urls = json_loads(line, 0, NULL);
	assert_non_null(urls);
	snprintf(api, sizeof(api), "%s", json_string_value(json_object_get(urls, "api")));
	snprintf(control, sizeof(control), "%s", json_string_value(json_object_get(urls, "control")));
	snprintf(token, sizeof(token), "%s", json_string_value(json_object_get(urls, "token")));
	return true;
}

static int group_setup(void **state)
{
	(void)state;
	if (start_sim())
		learn_guilds();
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	if (sim > 0) {
		kill(sim, SIGTERM);
		waitpid(sim, NULL, 0);
	}
	return 0;
}

/* --- the client ------------------------------------------------------------------------------------------------------
 */

struct told {
	int calls, error;
	uint32_t status, code, retried;
	bool maybe_done;
	json_t *body;
};

static void on_answer(void *arg, const struct rest_result *result)
{
	struct told *told = arg;

	told->calls++;
	told->error = result->error;
	told->status = result->http_status;
	told->code = result->discord_code;
	told->retried = result->retried;
	told->maybe_done = result->maybe_done;
	json_decref(told->body);
	told->body = json_incref(result->body);
	if (result->error && result->error != -SHOAL_EUNKNOWN && result->error != -SHOAL_EREFUSED)
		print_message("%s\n", result->message);
}

static void on_token_invalid(void *arg, const char *text)
{
	(void)arg;
	(void)text;
	token_told++;
}

static void on_closed(void *arg)
{
	*(bool *)arg = true;
}

static int setup(void **state)
{
	static const struct rest_events events = { .token_invalid = on_token_invalid };
	struct rest_options options = { .api_base = api, .token = token };

	(void)state;
	if (sim <= 0)
		return 0;
	json_decref(tell("/ledger/reset", "{}"));
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(rest_new(&loop, &options, NULL, NULL, &events, NULL, &rest), 0);
	return 0;
}

static int teardown(void **state)
{
	bool closed = false;

	(void)state;
	if (sim <= 0)
		return 0;
	rest_close(rest, on_closed, &closed);
	while (!closed)
		uv_run(&loop.uv, UV_RUN_ONCE);
	return loop_finish(&loop);
}

static void need_sim(void)
{
	if (sim > 0)
		return;
	print_message("SKIPPED: discord-sim was not built beside this test\n");
	skip();
}

static void post(struct rest_request request, struct told *told)
{
	request.deadline_ms = 30000;
	assert_int_equal(rest_send(rest, &request, on_answer, told, NULL), 0);
}

static struct told ask(struct rest_request request)
{
	struct told told = { 0 };

	post(request, &told);
	while (!told.calls)
		uv_run(&loop.uv, UV_RUN_ONCE);
	return told;
}

static struct rest_request in_guild(enum route route, int guild, int member)
{
	return (struct rest_request){ .route = route,
				      .args.ids = { [ROUTE_ID_GUILD] = guilds[guild].id,
						    [ROUTE_ID_CHANNEL] = guilds[guild].channel,
						    [ROUTE_ID_USER] = guilds[guild].members[member] } };
}

static struct rest_request message(int guild, const char *content, uint64_t event)
{
	struct rest_request request = in_guild(ROUTE_CREATE_MESSAGE, guild, 0);
	char nonce[PAYLOAD_NONCE_SIZE], error[PAYLOAD_ERROR_SIZE];

	payload_nonce(event, 0, nonce);
	assert_int_equal(payload_message(PAYLOAD_CREATE,
					 &(struct payload_message){ .content = content, .nonce = nonce }, error,
					 &request.json),
			 0);
	return request;
}

static size_t count_messages(int guild, const char *content)
{
	struct rest_request request = in_guild(ROUTE_GET_MESSAGES, guild, 0);
	struct told told;
	const json_t *one;
	size_t i, count = 0;

	request.query = "limit=100";
	told = ask(request);
	assert_int_equal(told.error, 0);
	json_array_foreach(told.body, i, one) count +=
		strcmp(json_string_value(json_object_get(one, "content")), content) == 0;
	json_decref(told.body);
	return count;
}

/* --- the tests -------------------------------------------------------------------------------------------------------
 */

/* 150 reads over buckets of 10 in 5 s and 5 in 1 s, and 28 messages over four of 5 in 5 s, under 50 a second in all:
 * everything goes through, nothing is refused on the way. */
static void test_many_calls_meet_no_429(void **state)
{
	enum { PER_GUILD = 15, CHANNELS = 4, PER_CHANNEL = 7, ALL = GUILDS * PER_GUILD + CHANNELS * PER_CHANNEL };
	static struct told told[ALL];
	struct rest_stats stats;
	int at = 0, ended;

	(void)state;
	need_sim();
	memset(told, 0, sizeof(told));
	for (int i = 0; i < CHANNELS * PER_CHANNEL; i++) {
		char content[32];

		snprintf(content, sizeof(content), "message %d", i / CHANNELS);
		post(message(i % CHANNELS, content, 1000 + (uint64_t)i), &told[at++]);
	}
	for (int i = 0; i < GUILDS * PER_GUILD; i++)
		post(in_guild(i / GUILDS % 2 ? ROUTE_GET_GUILD : ROUTE_GET_MEMBER, i % GUILDS, i % 4), &told[at++]);
	do {
		uv_run(&loop.uv, UV_RUN_ONCE);
		ended = 0;
		for (int i = 0; i < ALL; i++)
			ended += told[i].calls;
	} while (ended < ALL);
	for (int i = 0; i < ALL; i++) {
		assert_int_equal(told[i].calls, 1);
		assert_int_equal(told[i].error, 0);
		assert_int_equal(told[i].retried, 0);
		json_decref(told[i].body);
	}
	rest_stats(rest, &stats);
	assert_int_equal(stats.limited, 0);
	assert_int_equal(answered_with("429"), 0);
	/* in the order they were sent */
	for (int c = 0; c < CHANNELS; c++) {
		struct told list = ask(in_guild(ROUTE_GET_MESSAGES, c, 0));
		const json_t *one;
		size_t i;

		assert_int_equal(json_array_size(list.body), PER_CHANNEL);
		json_array_foreach(list.body, i, one)
		{
			char content[32];

			snprintf(content, sizeof(content), "message %zu", PER_CHANNEL - 1 - i);
			assert_string_equal(json_string_value(json_object_get(one, "content")), content);
		}
		json_decref(list.body);
	}
}

static void test_a_lost_answer_does_not_double(void **state)
{
	struct told told;

	(void)state;
	need_sim();
	fault("{\"kind\":\"reset_after\",\"route\":\"POST /messages\",\"times\":2}");
	told = ask(message(5, "once only", 77));
	assert_int_equal(told.error, 0);
	assert_true(told.retried >= 1);
	json_decref(told.body);
	assert_int_equal(count_messages(5, "once only"), 1);
	fault("{\"kind\":\"http_5xx_after\",\"route\":\"POST /messages\",\"times\":1}");
	told = ask(message(5, "once more", 78));
	assert_int_equal(told.error, 0);
	json_decref(told.body);
	assert_int_equal(count_messages(5, "once more"), 1);
}

static void test_unknown_is_said_and_can_be_checked(void **state)
{
	struct told told;

	(void)state;
	need_sim();
	fault("{\"kind\":\"reset_after\",\"route\":\"DELETE /members\",\"times\":1}");
	told = ask(in_guild(ROUTE_KICK, 6, 2));
	assert_int_equal(told.error, -SHOAL_EUNKNOWN);
	assert_true(told.maybe_done);
	assert_int_equal(told.retried, 0);
	/* the row's check tells that it happened */
	told = ask(in_guild(route_rows[ROUTE_KICK].check, 6, 2));
	assert_int_equal(told.code, 10007);
	json_decref(told.body);
	/* and that it did not */
	fault("{\"kind\":\"reset_request\",\"route\":\"DELETE /members\",\"times\":1}");
	told = ask(in_guild(ROUTE_KICK, 6, 3));
	assert_int_equal(told.error, -SHOAL_EUNKNOWN);
	told = ask(in_guild(route_rows[ROUTE_KICK].check, 6, 3));
	assert_int_equal(told.error, 0);
	json_decref(told.body);
}

static void test_passing_faults(void **state)
{
	static const char *const kinds[] = {
		"\"kind\":\"html\"",
		"\"kind\":\"http_5xx\",\"status\":503",
		"\"kind\":\"rate_limit_429\",\"scope\":\"user\",\"retry_after\":0.2",
		"\"kind\":\"rate_limit_429\",\"scope\":\"shared\",\"retry_after\":0.2",
		"\"kind\":\"rate_limit_429\",\"scope\":\"global\",\"retry_after\":0.2",
		"\"kind\":\"bad_json\"",
		"\"kind\":\"close_mid_body\"",
		"\"kind\":\"reset_request\"",
		"\"kind\":\"no_headers\"",
	};
	char body[256];

	(void)state;
	need_sim();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct told told;

		snprintf(body, sizeof(body), "{%s,\"times\":1}", kinds[i]);
		fault(body);
		told = ask(in_guild(ROUTE_GET_ROLES, (int)(i % GUILDS), 0));
		assert_int_equal(told.error, 0);
		assert_true(json_array_size(told.body) > 0);
		json_decref(told.body);
	}
}

static void test_refused_token(void **state)
{
	struct told told;

	(void)state;
	need_sim();
	fault("{\"kind\":\"unauthorized\",\"times\":1}");
	token_told = 0;
	told = ask(in_guild(ROUTE_GET_GUILD, 8, 0));
	assert_int_equal(told.error, -SHOAL_EREFUSED);
	assert_int_equal(token_told, 1);
	/* It is not asked again, although it would be taken now. */
	json_decref(told.body);
	told = ask(in_guild(ROUTE_GET_GUILD, 8, 0));
	assert_int_equal(told.error, -SHOAL_EREFUSED);
	assert_int_equal(answered_with("401"), 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_many_calls_meet_no_429),
		TEST(test_a_lost_answer_does_not_double),
		TEST(test_unknown_is_said_and_can_be_checked),
		TEST(test_passing_faults),
		TEST(test_refused_token),
	};

	log_setup(&(struct log_options){ .level = LOG_LEVEL_AUDIT, .program = "test_rest_sim", .fd = 2 });
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
