/* SPDX-License-Identifier: MIT */
/* Snowflakes: parse, print, time, shard. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <shoal/snowflake.h>

static int parse(const char *text, uint64_t *ret)
{
	return shoal_snowflake_parse(text, strlen(text), ret);
}

static void test_round_trip(void **state)
{
	static const char *const ids[] = { "0",
					   "7",
					   "584675118589018115",
					   "1534234464354435073",
					   "9007199254740993",
					   "9223372036854775808",
					   "18446744073709551615" };
	char text[SHOAL_SNOWFLAKE_TEXT_MAX];
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		assert_int_equal(parse(ids[i], &id), 0);
		assert_int_equal(shoal_snowflake_print(id, text), strlen(ids[i]));
		assert_string_equal(text, ids[i]);
	}
	assert_int_equal(parse("007", &id), 0);
	assert_int_equal(id, 7);
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "-1", "+1", "0x1", "1e3", "1.0", "abc", "12a" };
	uint64_t id = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i], &id), -EINVAL);
	assert_int_equal(parse("18446744073709551616", &id), -ERANGE);
	assert_int_equal(parse("99999999999999999999999", &id), -ERANGE);
	assert_int_equal(shoal_snowflake_parse("12\0", 3, &id), -EINVAL);
	assert_int_equal(id, 5);
}

static void test_time_and_shard(void **state)
{
	(void)state;
	assert_int_equal(shoal_snowflake_ms(0), 1420070400000);
	assert_int_equal(shoal_snowflake_ms(UINT64_C(175928847299117063)), 1462015105796);
	assert_int_equal(shoal_snowflake_at(1462015105796), UINT64_C(175928847299117063) >> 22 << 22);
	assert_int_equal(shoal_snowflake_at(0), 0);
	assert_int_equal(shoal_snowflake_at(1420070400000), 0);
	assert_int_equal(shoal_snowflake_shard(584675118589018115, 16), 2);
	assert_int_equal(shoal_snowflake_shard(0, 16), 0);
	assert_int_equal(shoal_snowflake_shard(584675118589018115, 1), 0);
	assert_int_equal(shoal_snowflake_shard(584675118589018115, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_time_and_shard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
