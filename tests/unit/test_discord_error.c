/* Error bodies: the walk, the words, and everything that an error body should not be. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/discord/discord_error.h"

#define PAPERS "../shared/payloads/rest"

static struct discord_error read_text(const char *text)
{
	json_auto_t *body = text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
	struct discord_error error;

	memset(&error, 0xa5, sizeof(error));
	discord_error_read(body, &error);
	return error;
}

static void test_plain(void **state)
{
	struct discord_error error = read_text("{\"message\":\"Missing Permissions\",\"code\":50013}");
	char text[200];

	(void)state;
	assert_true(error.is_discord);
	assert_int_equal(error.code, 50013);
	assert_string_equal(error.message, "Missing Permissions");
	assert_int_equal(error.field_count, 0);
	assert_true(error.retry_after_s < 0);
	discord_error_text(&error, 403, text, sizeof(text));
	assert_string_equal(text, "50013 Missing Permissions");
}

static void test_tree(void **state)
{
	struct discord_error error =
		read_text("{\"message\":\"Invalid Form "
			  "Body\",\"code\":50035,\"errors\":{\"embeds\":{\"0\":{\"title\":{\"_errors\":["
			  "{\"code\":\"BASE_TYPE_MAX_LENGTH\",\"message\":\"Must be 256 or fewer in "
			  "length.\"}]}},\"1\":{\"fields\":{"
			  "\"0\":{\"name\":{\"_errors\":[{\"code\":\"BASE_TYPE_REQUIRED\",\"message\":\"This field is "
			  "required\"}]}}}"
			  "}}}}");
	char text[300];

	(void)state;
	assert_int_equal(error.field_count, 2);
	assert_string_equal(error.fields[0].path, "embeds.0.title");
	assert_string_equal(error.fields[0].code, "BASE_TYPE_MAX_LENGTH");
	assert_string_equal(error.fields[1].path, "embeds.1.fields.0.name");
	discord_error_text(&error, 400, text, sizeof(text));
	assert_string_equal(text, "50035 Invalid Form Body: embeds.0.title: Must be 256 or fewer in length.; "
				  "embeds.1.fields.0.name: This field is required");
	/* a leaf at the root */
	error = read_text("{\"message\":\"Invalid Form Body\",\"code\":50035,\"errors\":{\"_errors\":[{\"code\":"
			  "\"APPLICATION_COMMAND_TOO_LARGE\",\"message\":\"Command exceeds maximum size (8000)\"}]}}");
	assert_int_equal(error.field_count, 1);
	assert_string_equal(error.fields[0].path, "");
	discord_error_text(&error, 400, text, sizeof(text));
	assert_string_equal(text, "50035 Invalid Form Body: Command exceeds maximum size (8000)");
}

static void test_many_leaves(void **state)
{
	struct discord_error error = read_text(
		"{\"message\":\"m\",\"code\":1,\"errors\":{\"a\":{\"_errors\":[{\"code\":\"1\"},{\"code\":\"2\"},"
		"{\"code\":\"3\"},{\"code\":\"4\"},{\"code\":\"5\"}]}}}");
	char text[300], small[24];

	(void)state;
	assert_int_equal(error.field_count, DISCORD_ERROR_FIELDS);
	assert_int_equal(error.fields_total, 5);
	discord_error_text(&error, 400, text, sizeof(text));
	assert_string_equal(text, "1 m: a: 1; a: 2; a: 3 (and 2 more)");
	memset(small, 'x', sizeof(small));
	discord_error_text(&error, 400, small, 10);
	assert_string_equal(small, "1 m: a: 1");
	assert_int_equal(small[10], 'x');
}

static void test_rate_limit_bodies(void **state)
{
	struct discord_error error =
		read_text("{\"message\":\"You are being rate limited.\",\"retry_after\":0.63,\"global\":true}");

	(void)state;
	assert_true(error.global);
	assert_true(error.retry_after_s > 0.62 && error.retry_after_s < 0.64);
	error = read_text("{\"message\":\"x\",\"retry_after\":65,\"global\":false}");
	assert_true(error.retry_after_s > 64.9 && error.retry_after_s < 65.1 && !error.global);
	error = read_text("{\"message\":\"x\",\"retry_after\":-5}");
	assert_true(error.retry_after_s < 0);
	error = read_text("{\"message\":\"x\",\"retry_after\":\"5\"}");
	assert_true(error.retry_after_s < 0);
}

static void test_what_is_none(void **state)
{
	static const char *const bodies[] = {
		NULL, "null", "[]", "{}", "1", "\"text\"", "{\"code\":5}", "{\"message\":5}", "{\"message\":null}",
	};
	char text[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct discord_error error = read_text(bodies[i]);

		assert_false(error.is_discord);
		assert_int_equal(error.code, 0);
		assert_true(error.retry_after_s < 0);
		discord_error_text(&error, 502, text, sizeof(text));
		assert_string_equal(text, "HTTP 502 without Discord's error body");
	}
}

static void test_hostile(void **state)
{
	static const char *const bodies[] = {
		"{\"message\":\"\",\"code\":-1,\"errors\":5}",
		"{\"message\":\"m\",\"code\":1e300,\"errors\":[]}",
		"{\"message\":\"m\",\"code\":99999999999,\"errors\":{\"_errors\":5}}",
		"{\"message\":\"m\",\"code\":\"50013\",\"errors\":{\"_errors\":[5,null,[],{}]}}",
		"{\"message\":\"m\",\"errors\":{\"\":{\"\":{\"_errors\":[{\"message\":5,\"code\":{}}]}}}}",
		"{\"message\":\"\\u0000\\u0001\\n\\u001b[31m\\u007f\"}",
	};
	struct discord_error error;
	char *deep = malloc(200000), text[100];
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		error = read_text(bodies[i]);
		assert_true(error.is_discord);
		assert_int_equal(error.code, 0);
		discord_error_text(&error, 400, text, sizeof(text));
		for (const char *p = text; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	}
	/* a path deeper and longer than anything we keep */
	len += (size_t)sprintf(deep, "{\"message\":\"m\",\"errors\":");
	for (int i = 0; i < 1000; i++)
		len += (size_t)sprintf(deep + len, "{\"%0100d\":", i);
	len += (size_t)sprintf(deep + len, "1");
	for (int i = 0; i < 1001; i++)
		deep[len++] = '}';
	deep[len] = '\0';
	error = read_text(deep);
	assert_true(error.is_discord);
	assert_int_equal(error.fields_total, 0);
	/* a long message is cut between characters */
	len = (size_t)sprintf(deep, "{\"message\":\"x");
	for (int i = 0; i < 1000; i++)
		len += (size_t)sprintf(deep + len, "\xd7\xa9");
	sprintf(deep + len, "\"}");
	error = read_text(deep);
	assert_int_equal(strlen(error.message) % 2, 1);
	assert_true(strlen(error.message) > DISCORD_ERROR_TEXT_SIZE - 4);
	free(deep);
}

static void test_words(void **state)
{
	static const uint32_t codes[] = { 0, 10008, 50013, 50035, 40062, 999999 };
	static const uint32_t statuses[] = { 0, 200, 400, 401, 403, 404, 429, 500, 502, 599, 999 };

	(void)state;
	assert_string_equal(discord_error_words(403, 50007), "That user does not accept direct messages.");
	assert_string_equal(discord_error_words(403, 123456), discord_error_words(403, 0));
	for (size_t c = 0; c < ARRAY_SIZE(codes); c++)
		for (size_t s = 0; s < ARRAY_SIZE(statuses); s++) {
			const char *words = discord_error_words(statuses[s], codes[c]);

			assert_true(strlen(words) > 10);
			/* plain words: no number, no HTTP, a full sentence */
			assert_null(strpbrk(words, "0123456789"));
			assert_null(strstr(words, "HTTP"));
			assert_int_equal(words[strlen(words) - 1], '.');
		}
}

/* Every answer among the papers: refused ones are understood, bodies that are no JSON are survived. */
static void test_papers(void **state)
{
	DIR *dir = opendir(PAPERS);
	struct dirent *entry;
	int read = 0;

	(void)state;
	if (!dir) {
		print_message("SKIPPED: %s is not there; the fixtures of this test were all\n", PAPERS);
		skip();
	}
	while ((entry = readdir(dir))) {
		json_auto_t *paper = NULL;
		json_t *response, *body;
		json_int_t status;
		struct discord_error error;
		char path[512], text[300];

		snprintf(path, sizeof(path), "%s/%s", PAPERS, entry->d_name);
		paper = json_load_file(path, 0, NULL);
		if (!paper)
			continue;
		response = json_object_get(paper, "response");
		status = json_integer_value(json_object_get(response, "status"));
		body = json_object_get(response, "body");
		discord_error_read(body, &error);
		if (status >= 400 && json_is_object(body)) {
			assert_true(error.is_discord);
			assert_int_equal(error.code, json_integer_value(json_object_get(body, "code")));
			assert_string_equal(error.message, json_string_value(json_object_get(body, "message")));
			assert_int_equal(error.fields_total > 0, json_object_get(body, "errors") != NULL);
		} else if (!json_is_object(body)) {
			assert_false(error.is_discord);
		}
		discord_error_text(&error, (uint32_t)status, text, sizeof(text));
		assert_true(strlen(text) > 0);
		read++;
	}
	closedir(dir);
	assert_true(read > 0);
}

/* Each code's own sentence, in four languages; the status where the code says nothing. */
/* What can happen to a request that is in order is no incident; a code that nobody knows is. */
static void test_what_is_unexpected(void **state)
{
	static const struct {
		uint32_t status, code;
		bool unexpected;
	} rows[] = {
		{ 403, 50013, false }, { 404, 10003, false },  { 400, 50007, false }, { 400, 50035, true },
		{ 400, 40060, true },  { 400, 50006, true },   { 400, 0, true },      { 401, 0, true },
		{ 403, 0, false },     { 404, 0, false },      { 403, 999999, true }, { 404, 999999, true },
		{ 400, 999999, true }, { 405, 0, true },       { 429, 0, false },     { 429, 20028, false },
		{ 500, 0, false },     { 503, 130000, false }, { 0, 0, false },       { 200, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (discord_error_is_unexpected(rows[i].status, rows[i].code) != rows[i].unexpected)
			fail_msg("%u %u", rows[i].status, rows[i].code);
}

static void test_words_in_every_language(void **state)
{
	(void)state;
	for (uint32_t code = 0; code < 600000; code++) {
		const struct shoal_phrase *phrase = discord_error_phrase(code % 600, code);

		for (int i = 0; i < SHOAL_LANGUAGE_COUNT; i++)
			assert_true(phrase->text[i] && phrase->text[i][0] && !strchr(phrase->text[i], '{'));
	}
	assert_string_equal(discord_error_phrase(403, 50013)->text[SHOAL_GERMAN],
			    "Mir fehlt dafür eine Berechtigung, oder dieses Mitglied steht über mir.");
	assert_string_equal(discord_error_phrase(404, 1)->text[SHOAL_ITALIAN], "Non esiste più.");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_many_leaves),
		cmocka_unit_test(test_rate_limit_bodies),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_papers),
		cmocka_unit_test(test_what_is_unexpected),
		cmocka_unit_test(test_words_in_every_language),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
