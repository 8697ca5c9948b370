/* Discord's clock as the worker knows it: learned from ids, carried on by a clock that does not jump. */
#include "tests/unit/unit.h"

#include <shoal/snowflake.h>

#include "shared/base/clock.h"
#include "shared/discord/discord_time.h"

static uint64_t now_ns;
static int64_t wall_ms;

static int set_up(void **state)
{
	(void)state;
	now_ns = 1000 * NS_PER_S;
	clock_set_fake(&now_ns);
	wall_ms = clock_wall_ms();
	discord_time_forget();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clock_set_fake(NULL);
	discord_time_forget();
	return 0;
}

static uint64_t id_at(int64_t ms)
{
	return shoal_snowflake_at((uint64_t)ms);
}

static void pass_ms(uint64_t ms)
{
	now_ns += ms * NS_PER_MS;
}

static void test_the_wall_clock_until_more_is_known(void **state)
{
	int64_t offset_ms = 7;

	(void)state;
	assert_in_range(discord_time_ms(), wall_ms, wall_ms + 1000);
	assert_false(discord_time_offset(&offset_ms));
	assert_int_equal(offset_ms, 7);
}

/* Our wall clock is an hour ahead, or behind: what has just come is new all the same, and grows old as time passes. */
static void test_a_wrong_wall_clock_makes_nothing_old(void **state)
{
	static const int64_t errors_ms[] = { 3600000, -3600000, 40 * 3600000LL };

	(void)state;
	for (size_t i = 0; i < sizeof(errors_ms) / sizeof(errors_ms[0]); i++) {
		uint64_t id = id_at(wall_ms - errors_ms[i]);

		discord_time_forget();
		discord_time_note(id);
		assert_int_equal(discord_time_age_ms(id), 0);
		pass_ms(1500);
		assert_in_range(discord_time_age_ms(id), 1495, 1500);
	}
}

static void test_what_comes_late_changes_nothing(void **state)
{
	(void)state;
	discord_time_note(id_at(wall_ms));
	pass_ms(1000);
	discord_time_note(id_at(wall_ms - 60000)); /* a replay */
	assert_in_range(discord_time_age_ms(id_at(wall_ms - 60000)), 60990, 61000);
	discord_time_note(id_at(wall_ms + 1030)); /* sooner than the first came: the line was faster */
	assert_int_equal(discord_time_age_ms(id_at(wall_ms + 1030)), 0);
}

static void test_one_id_beyond_belief_is_ignored(void **state)
{
	(void)state;
	discord_time_note(UINT64_MAX);
	assert_in_range(discord_time_ms(), wall_ms, wall_ms + 1000);
	discord_time_note(id_at(wall_ms));
	discord_time_note(UINT64_MAX);
	discord_time_note(id_at(wall_ms + 3600000));
	assert_int_equal(discord_time_age_ms(id_at(wall_ms)), 0);
	discord_time_note(0);
	assert_int_equal(discord_time_age_ms(id_at(wall_ms)), 0);
}

/* A day without a word: what comes then is new, though our clocks ran apart by some seconds. */
static void test_clocks_may_drift(void **state)
{
	const uint64_t day_ms = 24 * 3600 * 1000;
	uint64_t id;

	(void)state;
	discord_time_note(id_at(wall_ms));
	pass_ms(day_ms);
	id = id_at(wall_ms + (int64_t)day_ms - 4000); /* theirs went slower by 46 ppm */
	discord_time_note(id);
	assert_int_equal(discord_time_age_ms(id), 0);
}

/* What comes first is a replay: the Date of an answer tells that it is old, unless it is another time than ours. */
static void test_a_date_tells_a_replay(void **state)
{
	int64_t date_ms = wall_ms / 1000 * 1000;

	(void)state;
	discord_time_note_date(date_ms);
	discord_time_note(id_at(date_ms - 4500));
	assert_int_equal(discord_time_age_ms(id_at(date_ms - 4500)), 4500);
	discord_time_note(id_at(wall_ms)); /* more exact than whole seconds */
	assert_int_equal(discord_time_age_ms(id_at(wall_ms)), 0);
	discord_time_forget();
	discord_time_note_date(date_ms + 3600000); /* some machine's in between, with a wrong clock */
	discord_time_note_date(date_ms - 3600000);
	discord_time_note_date(0);
	discord_time_note_date(INT64_MAX);
	discord_time_note(id_at(wall_ms));
	assert_int_equal(discord_time_age_ms(id_at(wall_ms)), 0);
	assert_int_equal(discord_time_age_ms(id_at(wall_ms - 2000)), 2000);
}

static void test_a_successor_goes_on(void **state)
{
	int64_t offset_ms;

	(void)state;
	discord_time_note(id_at(wall_ms - 3600000));
	assert_true(discord_time_offset(&offset_ms));
	discord_time_forget();
	pass_ms(10000);
	discord_time_seed(offset_ms);
	assert_in_range(discord_time_age_ms(id_at(wall_ms - 3600000)), 9990, 10000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_wall_clock_until_more_is_known),
		TEST(test_a_wrong_wall_clock_makes_nothing_old),
		TEST(test_what_comes_late_changes_nothing),
		TEST(test_one_id_beyond_belief_is_ignored),
		TEST(test_clocks_may_drift),
		TEST(test_a_date_tells_a_replay),
		TEST(test_a_successor_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
