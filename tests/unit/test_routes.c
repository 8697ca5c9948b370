/* The routes table: every row well-formed and unlike the others, and in the OpenAPI paper where that is at hand; paths,
 * major parameters and encoding. And the retry policy, cell by cell. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shared/base/clock.h"
#include "shared/discord/retry.h"
#include "shared/discord/routes.h"

#define OPENAPI "../shared/discord-openapi.json"

static struct route_args full_args(void)
{
	struct route_args args = { .token = "t0k-en_.~", .emoji = "a:1" };

	for (int i = 0; i < ROUTE_ID_COUNT; i++)
		args.ids[i] = 1000 + (uint64_t)i;
	return args;
}

static char *path_of(enum route route, const struct route_args *args)
{
	CLEANUP(buf_finish) struct buf path = { 0 };

	buf_init(&path, 1024);
	assert_int_equal(route_path(route, args, &path), 0);
	assert_non_null(buf_cstr(&path));
	return strdup(path.data);
}

static void test_rows(void **state)
{
	struct route_args args = full_args();

	(void)state;
	for (int i = 0; i < ROUTE_COUNT; i++) {
		const struct route_row *row = &route_rows[i];
		CLEANUP(cleanup_free) char *path = path_of((enum route)i, &args);

		assert_int_equal(route_find(row->name), i);
		assert_int_equal(row->path[0], '/');
		assert_null(strchr(path, '{'));
		assert_null(strstr(path, "//"));
		assert_int_equal(strcspn(path, " ?#\r\n"), strlen(path));
		assert_in_range(row->method, 0, ROUTE_METHOD_COUNT - 1);
		/* reading has no body, repeats safely and leaves no audit entry */
		if (row->method == ROUTE_GET) {
			assert_false(row->flags & (ROUTE_BODY | ROUTE_AUDIT));
			assert_int_equal(row->repeat, ROUTE_SAFE);
		}
		if (row->method == ROUTE_DELETE)
			assert_false(row->flags & ROUTE_BODY);
		/* a check is a GET, and who is to be checked names one */
		assert_int_equal(row->repeat == ROUTE_CHECK, row->check != ROUTE_NONE);
		if (row->check != ROUTE_NONE)
			assert_int_equal(route_rows[row->check].method, ROUTE_GET);
		/* a token in the path stands instead of the bot's */
		if (strstr(row->path, "{token}"))
			assert_true(row->flags & ROUTE_NO_AUTH);
		if (row->flags & ROUTE_NO_GLOBAL)
			assert_true(row->flags & ROUTE_NO_AUTH);
		assert_int_equal(!!(row->flags & ROUTE_INTERACTION), i == ROUTE_INTERACTION_CALLBACK);
		assert_int_equal(row->repeat == ROUTE_NONCE, i == ROUTE_CREATE_MESSAGE);
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(row->name, route_rows[j].name);
			/* the same method and path only where the same call serves two ends */
			if (row->method == route_rows[j].method) {
				CLEANUP(cleanup_free) char *other = path_of((enum route)j, &args);

				assert_string_not_equal(path, other);
			}
		}
	}
	assert_int_equal(route_find("NO_SUCH_ROUTE"), -EINVAL);
}

static void test_missing_arguments(void **state)
{
	(void)state;
	for (int i = 0; i < ROUTE_COUNT; i++) {
		struct route_args none = { 0 };
		CLEANUP(buf_finish) struct buf path = { 0 };
		bool needs = strchr(route_rows[i].path, '{');

		buf_init(&path, 1024);
		buf_append_str(&path, "keep");
		assert_int_equal(route_path((enum route)i, &none, &path), needs ? -EINVAL : 0);
		if (needs)
			assert_int_equal(path.len, 4);
		buf_finish(&path);
		buf_init(&path, 5);
		if (needs) {
			struct route_args args = full_args();

			assert_int_equal(route_path((enum route)i, &args, &path), -ENOBUFS);
			assert_int_equal(path.len, 0);
		}
	}
	{
		struct route_args args = full_args();
		CLEANUP(buf_finish) struct buf path = { 0 };

		buf_init(&path, 64);
		assert_int_equal(route_path(ROUTE_NONE, &args, &path), -EINVAL);
		assert_int_equal(route_path(ROUTE_COUNT, &args, &path), -EINVAL);
		args.token = "";
		assert_int_equal(route_path(ROUTE_CREATE_FOLLOWUP, &args, &path), -EINVAL);
	}
}

static void test_encoding(void **state)
{
	struct route_args args = full_args();
	CLEANUP(cleanup_free) char *path = NULL;

	(void)state;
	args.emoji = "\xf0\x9f\x94\xa5";
	path = path_of(ROUTE_ADD_REACTION, &args);
	assert_string_equal(path, "/channels/1000/messages/1002/reactions/%F0%9F%94%A5/@me");
	free(path);
	args.emoji = "crab_rave:1";
	path = path_of(ROUTE_ADD_REACTION, &args);
	assert_string_equal(path, "/channels/1000/messages/1002/reactions/crab_rave%3A1/@me");
	free(path);
	/* a hostile token stays one segment */
	args.token = "../../users/@me?x=%00&\r\nX: y";
	path = path_of(ROUTE_CREATE_FOLLOWUP, &args);
	assert_string_equal(path, "/webhooks/1005/..%2F..%2Fusers%2F%40me%3Fx%3D%2500%26%0D%0AX%3A%20y");
}

static void test_majors(void **state)
{
	static const struct {
		enum route route;
		const char *major;
	} rows[] = {
		{ ROUTE_CREATE_MESSAGE, "1000" },
		{ ROUTE_GET_CHANNEL, "1000" },
		{ ROUTE_GET_MEMBER, "1001" },
		{ ROUTE_GET_GUILD, "1001" },
		{ ROUTE_CREATE_FOLLOWUP, "1005/t0k-en_.~" },
		{ ROUTE_EDIT_ORIGINAL, "1005/t0k-en_.~" },
		{ ROUTE_EXECUTE_WEBHOOK, "1008/t0k-en_.~" },
		{ ROUTE_DELETE_WEBHOOK, "1008" },
		/* no top-level resource of these kinds */
		{ ROUTE_GET_GATEWAY_BOT, "" },
		{ ROUTE_GET_USER, "" },
		{ ROUTE_LEAVE_GUILD, "" },
		{ ROUTE_PUT_GUILD_COMMANDS, "" },
		{ ROUTE_INTERACTION_CALLBACK, "" },
	};
	struct route_args args = full_args();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(buf_finish) struct buf major = { 0 };

		buf_init(&major, 256);
		assert_int_equal(route_major(rows[i].route, &args, &major), 0);
		assert_string_equal(buf_cstr(&major), rows[i].major);
	}
}

static void test_variants(void **state)
{
	struct route_args args = { .ids = { [ROUTE_ID_CHANNEL] = 1 } };
	int64_t now_ms = 1785860400000;

	(void)state;
	args.ids[ROUTE_ID_MESSAGE] = (uint64_t)(now_ms - 9999 - 1420070400000) << 22;
	assert_int_equal(route_variant(ROUTE_DELETE_MESSAGE, &args, now_ms), 0);
	args.ids[ROUTE_ID_MESSAGE] = (uint64_t)(now_ms - 10000 - 1420070400000) << 22;
	assert_int_equal(route_variant(ROUTE_DELETE_MESSAGE, &args, now_ms), 1);
	assert_int_equal(route_variant(ROUTE_EDIT_MESSAGE, &args, now_ms), 0);
	args.ids[ROUTE_ID_MESSAGE] = 175928847299117063ULL;
	assert_int_equal(route_variant(ROUTE_DELETE_MESSAGE, &args, now_ms), 2);
	/* a clock that is behind, an id from the future */
	args.ids[ROUTE_ID_MESSAGE] = UINT64_MAX;
	assert_int_equal(route_variant(ROUTE_DELETE_MESSAGE, &args, now_ms), 0);
	assert_int_equal(route_variant(ROUTE_COUNT, &args, now_ms), 0);
}

/* Whether two templates say the same, whatever their placeholders are called. */
static bool same_template(const char *a, const char *b)
{
	while (*a && *b) {
		if (*a == '{' && *b == '{') {
			a = strchr(a, '}') + 1;
			b = strchr(b, '}') + 1;
			continue;
		}
		if (*a++ != *b++)
			return false;
	}
	return *a == *b;
}

static void test_in_openapi(void **state)
{
	static const char *const methods[] = { "get", "post", "put", "patch", "delete" };
	json_auto_t *paper = json_load_file(OPENAPI, 0, NULL);
	json_t *paths = json_object_get(paper, "paths");

	(void)state;
	if (!paper) {
		print_message("SKIPPED: %s is not there; the rows were not compared with it\n", OPENAPI);
		skip();
	}
	for (int i = 0; i < ROUTE_COUNT; i++) {
		const struct route_row *row = &route_rows[i];
		const json_t *operation = NULL;
		const char *path;
		json_t *value;

		json_object_foreach(paths, path, value) if (same_template(row->path, path)) operation =
			json_object_get(value, methods[row->method]);
		if (!operation)
			print_error("%s: %s %s is not in the paper\n", row->name, route_method_names[row->method],
				    row->path);
		assert_non_null(operation);
		/* A body where the paper demands one, and none where it knows of none. */
		value = json_object_get(operation, "requestBody");
		if (row->flags & ROUTE_BODY)
			assert_non_null(value);
		else if (json_is_true(json_object_get(value, "required")) && row->method != ROUTE_DELETE)
			/* (For UNBAN it lists an empty object; the documentation has a DELETE without a body.) */
			fail_msg("%s has no BODY flag, the paper demands a body", row->name);
	}
}

/* --- the retry policy
 * ------------------------------------------------------------------------------------------------- */

static struct retry_input input_of(enum retry_outcome outcome, enum route_repeat repeat)
{
	return (struct retry_input){ .outcome = outcome,
				     .repeat = repeat,
				     .attempts = 1,
				     .now_ns = 1000 * NS_PER_S,
				     .first_sent_ns = 1000 * NS_PER_S,
				     .deadline_ns = 1060 * NS_PER_S,
				     .retry_after_ns = 2 * NS_PER_S,
				     .random = 0.5 };
}

static void test_retry_cells(void **state)
{
	/*                               SAFE  NONCE CHECK NEVER */
	static const bool again[RETRY_OUTCOME_COUNT][ROUTE_REPEAT_COUNT] = {
		[RETRY_UNSENT] = { true, true, true, true },    [RETRY_LIMITED] = { true, true, true, true },
		[RETRY_SERVER] = { true, true, false, false },  [RETRY_LOST] = { true, true, false, false },
		[RETRY_GARBLED] = { true, true, false, false }, [RETRY_REFUSED] = { false, false, false, false },
	};
	static const bool maybe[RETRY_OUTCOME_COUNT] = {
		[RETRY_SERVER] = true,
		[RETRY_LOST] = true,
		[RETRY_GARBLED] = true,
	};

	(void)state;
	for (int o = 0; o < RETRY_OUTCOME_COUNT; o++) {
		assert_non_null(retry_outcome_names[o]);
		assert_int_equal(retry_maybe_done((enum retry_outcome)o), maybe[o]);
		for (int r = 0; r < ROUTE_REPEAT_COUNT; r++) {
			struct retry_input input = input_of((enum retry_outcome)o, (enum route_repeat)r);
			struct retry_verdict verdict = retry_decide(&input);

			assert_int_equal(verdict.again, again[o][r]);
			/* and never without end */
			input.attempts = 100;
			assert_false(retry_decide(&input).again);
			/* nor beyond the deadline */
			input.attempts = 1;
			input.deadline_ns = input.now_ns + 1;
			verdict = retry_decide(&input);
			assert_false(verdict.again);
			assert_int_equal(verdict.too_long, again[o][r]);
		}
	}
}

static void test_retry_delays(void **state)
{
	struct retry_input input = input_of(RETRY_LIMITED, ROUTE_SAFE);
	uint64_t last_ns = 0;

	(void)state;
	assert_int_equal(retry_decide(&input).delay_ns, 2 * NS_PER_S);
	input = input_of(RETRY_SERVER, ROUTE_SAFE);
	for (input.attempts = 1; input.attempts < 4; input.attempts++) {
		uint64_t low_ns, high_ns;

		input.random = 0;
		low_ns = retry_decide(&input).delay_ns;
		input.random = 0.999999;
		high_ns = retry_decide(&input).delay_ns;
		assert_true(low_ns > last_ns);
		assert_true(high_ns > low_ns && high_ns <= 2 * low_ns);
		last_ns = low_ns;
	}
	/* capped */
	input = input_of(RETRY_UNSENT, ROUTE_SAFE);
	input.attempts = 5;
	input.random = 0.999999;
	assert_in_range(retry_decide(&input).delay_ns, NS_PER_S, 5 * NS_PER_S);
}

static void test_retry_nonce_age(void **state)
{
	struct retry_input input = input_of(RETRY_LOST, ROUTE_NONCE);

	(void)state;
	input.deadline_ns = 2000 * NS_PER_S;
	input.now_ns = input.first_sent_ns + ROUTE_NONCE_AGE_MS * NS_PER_MS - NS_PER_S;
	assert_true(retry_decide(&input).again);
	input.now_ns = input.first_sent_ns + ROUTE_NONCE_AGE_MS * NS_PER_MS;
	assert_false(retry_decide(&input).again);
	/* 429 says that nothing happened: no age limit … */
	input.outcome = RETRY_LIMITED;
	assert_true(retry_decide(&input).again);
	/* … unless an attempt before it may have been carried out */
	input.maybe_before = true;
	assert_false(retry_decide(&input).again);
}

static void test_retry_interaction(void **state)
{
	struct retry_input input = input_of(RETRY_LOST, ROUTE_SAFE);

	(void)state;
	input.interaction = true;
	input.deadline_ns = input.now_ns + NS_PER_S;
	assert_true(retry_decide(&input).again);
	assert_true(retry_decide(&input).delay_ns <= 50 * NS_PER_MS);
	input.attempts = 2;
	assert_false(retry_decide(&input).again);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_missing_arguments),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_majors),
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_in_openapi),
		cmocka_unit_test(test_retry_cells),
		cmocka_unit_test(test_retry_delays),
		cmocka_unit_test(test_retry_nonce_age),
		cmocka_unit_test(test_retry_interaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
