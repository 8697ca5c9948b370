/* What Discord and the worker program say before shards start: the readers on good and hostile answers, the intents,
 * the manifest of a program that misbehaves. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/base/cleanup.h"
#include "supervisor/intents.h"
#include "supervisor/manifest.h"
#include "supervisor/upstream.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/tmpdir.h"

static int read_with(int (*reader)(const json_t *, struct upstream_info *), const char *text,
		     struct upstream_info *info)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	int r = reader(json, info);

	json_decref(json);
	return r;
}

static void test_gateway_answer(void **state)
{
	struct upstream_info info = { 0 };

	(void)state;
	assert_int_equal(
		read_with(upstream_read_gateway,
			  "{\"url\":\"wss://gateway.discord.gg/\",\"shards\":9,\"session_start_limit\":{\"total\":1000,"
			  "\"remaining\":997,\"reset_after\":14400000,\"max_concurrency\":16},\"more\":{}}",
			  &info),
		0);
	assert_string_equal(info.gateway_url, "wss://gateway.discord.gg/");
	assert_int_equal(info.recommended, 9);
	assert_int_equal(info.limits.total, 1000);
	assert_int_equal(info.limits.remaining, 997);
	assert_int_equal(info.limits.reset_after_ms, 14400000);
	assert_int_equal(info.limits.max_concurrency, 16);
}

#define LIMIT "\"session_start_limit\":{\"total\":1,\"remaining\":1,\"reset_after\":1,\"max_concurrency\":1}"

static void test_gateway_answers_that_are_none(void **state)
{
	static const char *const texts[] = {
		"null",
		"[]",
		"\"wss://x\"",
		"{}",
		"{\"url\":\"https://x\",\"shards\":1," LIMIT "}",
		"{\"url\":5,\"shards\":1," LIMIT "}",
		"{\"url\":\"wss://x\",\"shards\":0," LIMIT "}",
		"{\"url\":\"wss://x\",\"shards\":-1," LIMIT "}",
		"{\"url\":\"wss://x\",\"shards\":16385," LIMIT "}",
		"{\"url\":\"wss://x\",\"shards\":9223372036854775807," LIMIT "}",
		"{\"url\":\"wss://\",\"shards\":1," LIMIT "}",
		"{\"url\":\"ws://[::1/\",\"shards\":1," LIMIT "}",
		"{\"url\":\"ws://x:99999/\",\"shards\":1," LIMIT "}",
		"{\"url\":\"ws://a:b@x/\",\"shards\":1," LIMIT "}",
		"{\"url\":\"ws://x\\r\\nX: y/\",\"shards\":1," LIMIT "}",
		"{\"url\":\"wss://x\",\"shards\":1.5," LIMIT "}",
		"{\"url\":\"wss://x\",\"shards\":null," LIMIT "}",
		"{\"url\":\"wss://x\",\"shards\":1}",
		"{\"url\":\"wss://x\",\"shards\":1,\"session_start_limit\":[]}",
		"{\"url\":\"wss://"
		"x\",\"shards\":1,\"session_start_limit\":{\"total\":1,\"remaining\":1,\"reset_after\":1}}",
		"{\"url\":\"wss://"
		"x\",\"shards\":1,\"session_start_limit\":{\"total\":1,\"remaining\":1,\"reset_after\":1,"
		"\"max_concurrency\":0}}",
		"{\"url\":\"wss://"
		"x\",\"shards\":1,\"session_start_limit\":{\"total\":1,\"remaining\":-5,\"reset_after\":1,"
		"\"max_concurrency\":1}}",
	};
	struct upstream_info info = { .gateway_url = "as before" };
	char text[1024] = "{\"url\":\"wss://";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(read_with(upstream_read_gateway, texts[i], &info), -EBADMSG);
		assert_string_equal(info.gateway_url, "as before");
	}
	memset(text + strlen(text), 'x', 300);
	strcat(text, "\",\"shards\":1," LIMIT "}");
	assert_int_equal(read_with(upstream_read_gateway, text, &info), -EBADMSG);
	assert_int_equal(upstream_read_gateway(NULL, &info), -EBADMSG);
}

static void test_application_and_self(void **state)
{
	struct upstream_info info = { 0 };

	(void)state;
	assert_int_equal(read_with(upstream_read_application,
				   "{\"id\":\"1348207187591299079\",\"flags\":565248,\"approximate_guild_count\":5}",
				   &info),
			 0);
	assert_true(info.application_id == 1348207187591299079ULL);
	assert_int_equal(info.application_flags, 565248);
	assert_int_equal(info.guilds, 5);
	/* flags_new has bits that flags has no room for. */
	assert_int_equal(
		read_with(upstream_read_application, "{\"id\":\"1\",\"flags\":0,\"flags_new\":\"4294967296\"}", &info),
		0);
	assert_true(info.application_flags == 1ULL << 32);
	assert_int_equal(read_with(upstream_read_application, "{\"id\":\"1\"}", &info), 0);
	assert_int_equal(info.application_flags, 0);
	assert_int_equal(read_with(upstream_read_self, "{\"id\":\"77\",\"username\":\"x\"}", &info), 0);
	assert_int_equal(info.user_id, 77);
	assert_int_equal(read_with(upstream_read_self, "{\"id\":\"0\"}", &info), -EBADMSG);
	assert_int_equal(read_with(upstream_read_self, "{\"id\":\"99999999999999999999999\"}", &info), -EBADMSG);
	assert_int_equal(read_with(upstream_read_self, "{\"id\":\"12x\"}", &info), -EBADMSG);
	assert_int_equal(read_with(upstream_read_application, "{}", &info), -EBADMSG);
	assert_int_equal(info.user_id, 77);
}

/* --- intents ----------------------------------------------------------------------------------------------------- */

static void test_intents_parse(void **state)
{
	uint32_t intents = 99;
	const char *bad = NULL;

	(void)state;
	assert_int_equal(intents_parse("auto", &intents, &bad), -ENODATA);
	assert_int_equal(intents_parse("AUTO", &intents, NULL), -ENODATA);
	assert_int_equal(intents, 99);
	assert_int_equal(intents_parse("513", &intents, &bad), 0);
	assert_int_equal(intents, 513);
	assert_int_equal(intents_parse("GUILDS, guild_messages|MESSAGE_CONTENT", &intents, &bad), 0);
	assert_int_equal(intents, 1 | 1 << 9 | 1 << 15);
	assert_int_equal(intents_parse("GUILDS,GUILDZ", &intents, &bad), -EINVAL);
	assert_string_equal(bad, "GUILDZ");
	assert_int_equal(intents_parse("", &intents, &bad), -EINVAL);
	assert_int_equal(intents_parse("4294967296", &intents, &bad), -EINVAL);
	assert_int_equal(intents_parse("12 13", &intents, &bad), -EINVAL);
	assert_int_equal(intents_parse("-1", &intents, &bad), -EINVAL);
}

static void test_intents_granted(void **state)
{
	const uint32_t privileged = 1 << 1 | 1 << 8 | 1 << 15;

	(void)state;
	assert_int_equal(intents_not_granted(UINT32_MAX, 0), privileged);
	assert_int_equal(intents_not_granted(1, 0), 0);
	/* Either of the two flags grants: the full one, or the limited one of small bots. */
	for (unsigned bit = 12; bit <= 13; bit++)
		assert_int_equal(intents_not_granted(privileged, 1ULL << bit), privileged & ~(1U << 8));
	for (unsigned bit = 14; bit <= 15; bit++)
		assert_int_equal(intents_not_granted(privileged, 1ULL << bit), privileged & ~(1U << 1));
	for (unsigned bit = 18; bit <= 19; bit++)
		assert_int_equal(intents_not_granted(privileged, 1ULL << bit), privileged & ~(1U << 15));
	for (size_t i = 0; i < intent_row_count; i++)
		assert_int_equal(intent_rows[i].granted_by != 0, !!(privileged & 1U << intent_rows[i].bit));
}

/* --- manifest ---------------------------------------------------------------------------------------------------- */

static void test_manifest_parse(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{\"intents\":1,\"commands\":[]}",
		"{\"intents\":-1,\"commands\":[],\"hash\":\"x\"}",
		"{\"intents\":4294967296,\"commands\":[],\"hash\":\"x\"}",
		"{\"intents\":\"1\",\"commands\":[],\"hash\":\"x\"}",
		"{\"intents\":1,\"commands\":{},\"hash\":\"x\"}",
		"{\"intents\":1,\"commands\":[{}],\"hash\":\"x\"}",
		"{\"intents\":1,\"commands\":[5],\"hash\":\"x\"}",
		"{\"intents\":1,\"commands\":[],\"hash\":5}",
		"{\"intents\":1,\"intents\":2,\"commands\":[],\"hash\":\"x\"}",
		"{\"intents\":1,\"commands\":[],\"hash\":\"x\"} trailing",
		"{\"intents\":1,\"commands\":[],\"hash\":"
		"\"0123456789012345678901234567890123456789012345678901234567890123"
		"45678901234567890\"}",
	};
	static const char good[] =
		"{\"intents\":513,\"events\":[\"READY\"],\"commands\":[{\"name\":\"ping\"}],\"hash\":\"ab\"}";
	struct manifest manifest;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(manifest_parse(bad[i], strlen(bad[i]), &manifest), -EBADMSG);
	for (size_t len = 0; len < sizeof(good) - 1; len++)
		assert_int_equal(manifest_parse(good, len, &manifest), -EBADMSG);
	assert_int_equal(manifest_parse(good, sizeof(good) - 1, &manifest), 0);
	assert_int_equal(manifest.intents, 513);
	assert_int_equal(json_array_size(manifest.commands), 1);
	assert_string_equal(manifest.hash, "ab");
	manifest_finish(&manifest);
}

struct outcome {
	bool told;
	int error;
	uint32_t intents;
	char text[256], left_out[256]; /* of what was refused */
};

static void came(void *arg, int error, const struct manifest *manifest, const char *text)
{
	struct outcome *outcome = arg;
	const json_t *one;
	size_t i;

	assert_false(outcome->told);
	outcome->told = true;
	outcome->error = error;
	outcome->intents = manifest ? manifest->intents : 0;
	snprintf(outcome->text, sizeof(outcome->text), "%s", text);
	json_array_foreach(manifest ? manifest->refused : NULL, i, one) snprintf(
		outcome->left_out + strlen(outcome->left_out), sizeof(outcome->left_out) - strlen(outcome->left_out),
		"%s: %s; ", json_string_value(json_object_get(one, "name")),
		json_string_value(json_object_get(one, "reason")));
}

static bool was_told(void *arg)
{
	return ((struct outcome *)arg)->told;
}

static void run_script_for(const char *script, uint64_t deadline_ms, struct outcome *outcome)
{
	char dir[TMPDIR_SIZE], path[128];
	char *env[] = { "PATH=/usr/bin:/bin", NULL };
	struct manifest_run *run = NULL;
	struct loop loop;
	FILE *file;

	tmpdir_make(dir);
	snprintf(path, sizeof(path), "%s/worker", dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", script);
	fclose(file);
	assert_int_equal(chmod(path, 0700), 0);
	memset(outcome, 0, sizeof(*outcome));
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(manifest_run(&loop, path, env, deadline_ms, came, outcome, &run), 0);
	assert_true(loop_wait_for(&loop, was_told, outcome, 2 * MANIFEST_DEADLINE_MS));
	manifest_close(run);
	assert_int_equal(loop_finish(&loop), 0);
	tmpdir_remove(dir);
}

static void run_script(const char *script, struct outcome *outcome)
{
	run_script_for(script, MANIFEST_DEADLINE_MS, outcome);
}

static void test_manifest_of_programs(void **state)
{
	struct outcome outcome;

	(void)state;
	run_script("[ \"$1\" = --manifest ] && echo '{\"intents\":7,\"commands\":[],\"hash\":\"x\"}'", &outcome);
	assert_int_equal(outcome.error, 0);
	assert_int_equal(outcome.intents, 7);
	run_script("echo '{\"intents\":7,\"commands\":[],\"hash\":\"x\"}'; exit 3", &outcome);
	assert_int_equal(outcome.error, -EIO);
	assert_non_null(strstr(outcome.text, "3"));
	run_script("kill -SEGV $$", &outcome);
	assert_int_equal(outcome.error, -EIO);
	assert_non_null(strstr(outcome.text, "11"));
	run_script("echo hello", &outcome);
	assert_int_equal(outcome.error, -EBADMSG);
	run_script("true", &outcome);
	assert_int_equal(outcome.error, -EBADMSG);
	run_script("exec cat /dev/zero", &outcome);
	assert_int_equal(outcome.error, -EFBIG);
	/* It closes its output and stays: ended by the deadline. */
	run_script_for("exec >&-; exec sleep 1000", 300, &outcome);
	assert_int_equal(outcome.error, -ETIMEDOUT);
}

/* A program that dies of some of its modules, by a script: which ones are loaded is asked of it again and again. */
static void test_manifest_of_modules_that_kill(void **state)
{
	static const char script[] = "#!/bin/sh\n"
				     "for one in good bad worse; do\n"
				     "\tcase ,$SHOAL_MODULES_LEAVE_OUT, in *,$one,*) continue ;; esac\n"
				     "\techo \"loading $one\"\n"
				     "\t[ $one = bad ] && kill -SEGV $$\n"
				     "\t[ $one = worse ] && exit 0\n"
				     "\techo said by a module; echo 'loading '\n"
				     "done\n"
				     "echo "
				     "'{\"intents\":7,\"commands\":[],\"hash\":\"x\",\"refused\":[{\"name\":\"bad\","
				     "\"reason\":\"asked\"}]}'\n";
	struct manifest_modules modules = { .dir = "/nowhere", .load = "*", .leave_out = true };
	char dir[TMPDIR_SIZE], path[128];
	char *env[] = { "PATH=/usr/bin:/bin", NULL };
	struct manifest_run *run = NULL;
	struct outcome outcome = { 0 };
	struct loop loop;
	FILE *file;

	(void)state;
	tmpdir_make(dir);
	snprintf(path, sizeof(path), "%s/worker", dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(script, file);
	fclose(file);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(manifest_run_with(&loop, path, env, &modules, came, &outcome, &run), 0);
	assert_true(loop_wait_for(&loop, was_told, &outcome, 4 * MANIFEST_DEADLINE_MS));
	manifest_close(run);
	assert_int_equal(outcome.error, 0);
	assert_int_equal(outcome.intents, 7);
	assert_string_equal(outcome.left_out, "bad: the worker program ended with signal 11 while it was loaded; "
					      "worse: the worker program ended with exit code 0 while it was loaded; ");
	/* Not asked again: the first is an error that names it. */
	modules.leave_out = false;
	outcome = (struct outcome){ 0 };
	assert_int_equal(manifest_run_with(&loop, path, env, &modules, came, &outcome, &run), 0);
	assert_true(loop_wait_for(&loop, was_told, &outcome, MANIFEST_DEADLINE_MS));
	manifest_close(run);
	assert_int_equal(outcome.error, -EIO);
	assert_non_null(strstr(outcome.text, "module bad"));
	assert_int_equal(loop_finish(&loop), 0);
	tmpdir_remove(dir);
}

static void test_manifest_of_no_program(void **state)
{
	char *env[] = { NULL };
	struct manifest_run *run = NULL;
	struct loop loop;

	(void)state;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(manifest_run(&loop, "/nonexistent/worker", env, 1000, came, NULL, &run), -ENOENT);
	assert_null(run);
	assert_int_equal(loop_finish(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateway_answer),
		cmocka_unit_test(test_gateway_answers_that_are_none),
		cmocka_unit_test(test_application_and_self),
		cmocka_unit_test(test_intents_parse),
		cmocka_unit_test(test_intents_granted),
		cmocka_unit_test(test_manifest_parse),
		cmocka_unit_test(test_manifest_of_programs),
		cmocka_unit_test(test_manifest_of_no_program),
		cmocka_unit_test(test_manifest_of_modules_that_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
