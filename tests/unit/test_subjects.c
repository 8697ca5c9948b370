/* The table of NATS subjects: every row both ways, and what must be refused. */
#include "shared/bus/subjects.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct subject_params all = {
	.shard = 7,
	.guild_id = 613425648685547541ULL,
	.event = "MESSAGE_CREATE",
	.bucket = 3,
	.inbox = "0123456789abcdef",
	.token = "fedcba9876543210",
	.module = "poll",
	.topic = "ended",
};

static const char *const expected[SUBJECT_COUNT] = {
	[SUBJECT_SHARD_RPC] = "shoal.main.shard.7.rpc",
	[SUBJECT_FLEET_RPC] = "shoal.main.fleet.rpc",
	[SUBJECT_CONFIG] = "shoal.main.config.613425648685547541",
	[SUBJECT_EVENTS] = "shoal.main.events.MESSAGE_CREATE.613425648685547541",
	[SUBJECT_IDENTIFY] = "shoal.main.identify.3",
	[SUBJECT_ALERTS] = "shoal.main.alerts",
	[SUBJECT_MODULE] = "shoal.main.module.poll.ended",
	[SUBJECT_REPLY] = "shoal.main.reply.0123456789abcdef.fedcba9876543210",
};

static void test_every_row(void **state)
{
	char subject[SUBJECT_SIZE];

	(void)state;
	for (int id = 0; id < SUBJECT_COUNT; id++) {
		struct subject_params parsed;

		assert_non_null(expected[id]);
		assert_non_null(subject_rows[id].name);
		assert_true(strlen(subject_rows[id].help) > 0);
		assert_int_equal(subject_format((enum subject_id)id, "main", &all, false, subject), 0);
		assert_string_equal(subject, expected[id]);
		assert_int_equal(subject_parse((enum subject_id)id, "main", subject, &parsed), 0);
		if (subject_rows[id].parts & SUBJECT_PART_SHARD)
			assert_int_equal(parsed.shard, 7);
		if (subject_rows[id].parts & SUBJECT_PART_GUILD)
			assert_true(parsed.guild_id == all.guild_id);
		if (subject_rows[id].parts & SUBJECT_PART_BUCKET)
			assert_int_equal(parsed.bucket, 3);
		/* No row's subject is another's. */
		for (int other = 0; other < SUBJECT_COUNT; other++)
			if (other != id)
				assert_int_equal(subject_parse((enum subject_id)other, "main", subject, &parsed),
						 -EINVAL);
		/* Cut anywhere, or with more behind, it is refused. */
		for (size_t cut = 0; cut < strlen(expected[id]); cut++) {
			char last = subject[cut];

			subject[cut] = '\0';
			/* Cutting off the end of a number or word that stands last leaves a shorter one. */
			if (subject_parse((enum subject_id)id, "main", subject, &parsed) == 0)
				assert_true((last >= '0' && last <= '9') || (last >= 'a' && last <= 'z'));
			subject[cut] = last;
		}
		strcat(subject, ".x");
		assert_int_equal(subject_parse((enum subject_id)id, "main", subject, &parsed), -EINVAL);
	}
}

static void test_parts_of_a_row_match_its_pattern(void **state)
{
	static const struct {
		const char *text;
		uint32_t part;
	} parts[] = {
		{ "{shard}", SUBJECT_PART_SHARD }, { "{guild}", SUBJECT_PART_GUILD },
		{ "{event}", SUBJECT_PART_EVENT }, { "{bucket}", SUBJECT_PART_BUCKET },
		{ "{inbox}", SUBJECT_PART_INBOX }, { "{token}", SUBJECT_PART_TOKEN },
	};

	(void)state;
	for (int id = 0; id < SUBJECT_COUNT; id++)
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			assert_int_equal(strstr(subject_rows[id].pattern, parts[i].text) != NULL,
					 (subject_rows[id].parts & parts[i].part) != 0);
}

static void test_wildcards(void **state)
{
	struct subject_params any = all;
	char subject[SUBJECT_SIZE] = "untouched";

	(void)state;
	any.any = SUBJECT_PART_GUILD;
	assert_int_equal(subject_format(SUBJECT_EVENTS, "main", &any, false, subject), -EINVAL);
	assert_string_equal(subject, "untouched");
	assert_int_equal(subject_format(SUBJECT_EVENTS, "main", &any, true, subject), 0);
	assert_string_equal(subject, "shoal.main.events.MESSAGE_CREATE.*");
	any.any |= SUBJECT_PART_EVENT;
	assert_int_equal(subject_format(SUBJECT_EVENTS, "main", &any, true, subject), 0);
	assert_string_equal(subject, "shoal.main.events.*.*");
	assert_int_equal(subject_parse(SUBJECT_EVENTS, "main", subject, &any), -EINVAL);
}

static void test_cluster_names(void **state)
{
	static const char *const good[] = { "a", "main", "Main-2_x", "12345678901234567890123456789012" };
	static const char *const bad[] = { "",    "a.b",      "*",   ">",       "a b",
					   "a\n", "\xc3\xa4", "a/b", "shoal.>", "123456789012345678901234567890123" };
	char subject[SUBJECT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(subject_check_cluster(good[i]), 0);
		assert_int_equal(subject_format(SUBJECT_ALERTS, good[i], NULL, false, subject), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(subject_check_cluster(bad[i]), -EINVAL);
		assert_int_equal(subject_format(SUBJECT_ALERTS, bad[i], NULL, false, subject), -EINVAL);
	}
	assert_int_equal(subject_check_cluster(NULL), -EINVAL);
}

static void test_bad_parts(void **state)
{
	struct subject_params params;
	char subject[SUBJECT_SIZE];
	char long_event[80];

	(void)state;
	assert_int_equal(subject_format(SUBJECT_SHARD_RPC, "main", NULL, false, subject), -EINVAL);
	assert_int_equal(subject_format(SUBJECT_COUNT, "main", &all, false, subject), -EINVAL);
	params = all;
	params.guild_id = 1ULL << 63; /* no bigint holds it */
	assert_int_equal(subject_format(SUBJECT_CONFIG, "main", &params, false, subject), -EINVAL);
	params = all;
	params.shard = UINT32_MAX;
	assert_int_equal(subject_format(SUBJECT_SHARD_RPC, "main", &params, false, subject), -EINVAL);
	memset(long_event, 'A', sizeof(long_event) - 1);
	long_event[sizeof(long_event) - 1] = '\0';
	for (const char **event = (const char *[]){ "", "a", "A.B", "A*", ">", "A B", "A\r\nPUB x", long_event, NULL };
	     *event; event++) {
		params = all;
		params.event = *event;
		assert_int_equal(subject_format(SUBJECT_EVENTS, "main", &params, false, subject), -EINVAL);
	}
	params = all;
	params.event = NULL;
	assert_int_equal(subject_format(SUBJECT_EVENTS, "main", &params, false, subject), -EINVAL);
	params = all;
	params.token = "XYZ";
	assert_int_equal(subject_format(SUBJECT_REPLY, "main", &params, false, subject), -EINVAL);
}

static void test_hostile_subjects(void **state)
{
	static const char *const bad[] = {
		"",
		"shoal",
		"shoal.",
		"shoal.main",
		"shoal.main.",
		"shoal.other.config.5",
		"shoal.mainx.config.5",
		"shoal.main.config.",
		"shoal.main.config.-5",
		"shoal.main.config.+5",
		"shoal.main.config.05",
		"shoal.main.config.5x",
		"shoal.main.config.5 ",
		"shoal.main.config.9223372036854775808",
		"shoal.main.config.99999999999999999999999999999999999999999999999999999999999999999999999999",
		"SHOAL.main.config.5",
	};
	struct subject_params params = { .guild_id = 42 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(subject_parse(SUBJECT_CONFIG, "main", bad[i], &params), -EINVAL);
		assert_int_equal(params.guild_id, 42); /* untouched */
	}
	assert_int_equal(subject_parse(SUBJECT_CONFIG, "main", "shoal.main.config.9223372036854775807", &params), 0);
	assert_true(params.guild_id == INT64_MAX);
	assert_int_equal(subject_parse(SUBJECT_CONFIG, "main", "shoal.main.config.0", &params), 0);
	assert_int_equal(subject_parse(SUBJECT_CONFIG, "main", NULL, &params), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row), cmocka_unit_test(test_parts_of_a_row_match_its_pattern),
		cmocka_unit_test(test_wildcards), cmocka_unit_test(test_cluster_names),
		cmocka_unit_test(test_bad_parts), cmocka_unit_test(test_hostile_subjects),
	};

	return cmocka_run_group_tests_name("subjects", tests, NULL, NULL);
}
