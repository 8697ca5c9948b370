/* Token buckets per user, guild and channel: bursts, refill, all or none, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shard/commands/cooldowns.h"
#include "shared/base/clock.h"

static struct cooldowns *cooldowns;
static const char ping, ban;
static const struct shoal_cooldown *refused;
static bool again;

static int set_up(void **state)
{
	(void)state;
	refused = NULL;
	return cooldowns_new(4, &cooldowns);
}

static int tear_down(void **state)
{
	(void)state;
	cooldowns = cooldowns_free(cooldowns);
	return 0;
}

/* By user @user in guild 7, channel 9, at @ms. */
static uint64_t take(const struct shoal_cooldown *rows, size_t count, const void *command, uint64_t user, uint64_t ms)
{
	struct cooldown_use use = { .command = command, .user_id = user, .guild_id = 7, .channel_id = 9 };

	return cooldowns_take(cooldowns, rows, count, &use, NS_PER_S + ms * NS_PER_MS, &refused, &again);
}

static const struct shoal_cooldown five_a_minute = { SHOAL_COOLDOWN_USER, 5, 60 };

static void a_burst_then_one_each_interval(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(take(&five_a_minute, 1, &ping, 1, 0), 0);
	assert_in_range(take(&five_a_minute, 1, &ping, 1, 0), 12000, 12001);
	assert_ptr_equal(refused, &five_a_minute);
	assert_in_range(take(&five_a_minute, 1, &ping, 1, 11000), 1000, 1001);
	assert_int_equal(take(&five_a_minute, 1, &ping, 1, 12000), 0);
	assert_int_not_equal(take(&five_a_minute, 1, &ping, 1, 12000), 0);
	for (int i = 0; i < 5; i++) /* full again after a minute, and not fuller than that */
		assert_int_equal(take(&five_a_minute, 1, &ping, 1, 500000), 0);
	assert_int_not_equal(take(&five_a_minute, 1, &ping, 1, 500000), 0);
}

static void others_and_other_commands_have_their_own(void **state)
{
	const struct shoal_cooldown once = { SHOAL_COOLDOWN_USER, 1, 10 };

	(void)state;
	assert_int_equal(take(&once, 1, &ping, 1, 0), 0);
	assert_int_equal(take(&once, 1, &ping, 2, 0), 0);
	assert_int_equal(take(&once, 1, &ban, 1, 0), 0);
	assert_int_not_equal(take(&once, 1, &ping, 1, 0), 0);
}

/* Refused by the guild's, nothing is taken from the user's. */
static void all_or_none(void **state)
{
	const struct shoal_cooldown rows[] = { { SHOAL_COOLDOWN_USER, 1, 10 }, { SHOAL_COOLDOWN_GUILD, 2, 60 } };

	(void)state;
	assert_int_equal(take(rows, 2, &ping, 1, 0), 0);
	assert_int_equal(take(rows, 2, &ping, 2, 0), 0);
	assert_in_range(take(rows, 2, &ping, 3, 0), 30000, 30001);
	assert_ptr_equal(refused, &rows[1]);
	assert_int_equal(take(rows, 1, &ping, 3, 0), 0);
}

static void the_longest_wait_is_told(void **state)
{
	const struct shoal_cooldown rows[] = { { SHOAL_COOLDOWN_CHANNEL, 1, 5 }, { SHOAL_COOLDOWN_USER, 1, 10 } };

	(void)state;
	assert_int_equal(take(rows, 2, &ping, 1, 0), 0);
	assert_in_range(take(rows, 2, &ping, 1, 0), 10000, 10001);
	assert_ptr_equal(refused, &rows[1]);
}

static void told_once_until_something_is_allowed(void **state)
{
	const struct shoal_cooldown once = { SHOAL_COOLDOWN_USER, 1, 10 };

	(void)state;
	take(&once, 1, &ping, 1, 0);
	take(&once, 1, &ping, 1, 1);
	assert_false(again);
	take(&once, 1, &ping, 1, 2);
	assert_true(again);
	assert_int_equal(take(&once, 1, &ping, 1, 10000), 0);
	take(&once, 1, &ping, 1, 10001);
	assert_false(again);
}

static void no_guild_no_bucket(void **state)
{
	const struct shoal_cooldown once = { SHOAL_COOLDOWN_GUILD, 1, 10 };
	struct cooldown_use use = { .command = &ping, .user_id = 1 };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(cooldowns_take(cooldowns, &once, 1, &use, NS_PER_S, &refused, &again), 0);
	assert_int_equal(cooldowns_count(cooldowns), 0);
}

/* Four fit in: full ones go first, then the one begun longest ago. */
static void bounded(void **state)
{
	const struct shoal_cooldown once = { SHOAL_COOLDOWN_USER, 1, 10 };

	(void)state;
	for (uint64_t user = 1; user <= 4; user++)
		take(&once, 1, &ping, user, user);
	take(&once, 1, &ping, 5, 10);
	assert_int_equal(cooldowns_count(cooldowns), 4);
	assert_int_not_equal(take(&once, 1, &ping, 4, 11), 0);
	assert_int_equal(take(&once, 1, &ping, 1, 12), 0);
	take(&once, 1, &ping, 6, 60000);
	assert_int_equal(cooldowns_count(cooldowns), 1);
}

int main(void)
{
#define COOLDOWN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		COOLDOWN_TEST(a_burst_then_one_each_interval),
		COOLDOWN_TEST(others_and_other_commands_have_their_own),
		COOLDOWN_TEST(all_or_none),
		COOLDOWN_TEST(the_longest_wait_is_told),
		COOLDOWN_TEST(told_once_until_something_is_allowed),
		COOLDOWN_TEST(no_guild_no_bucket),
		COOLDOWN_TEST(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
