/* Whose turn it is: order within a guild, fairness between guilds, the limit on open ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shard/events/turns.h"

static struct turns *turns;

static int set_up(void **state)
{
	(void)state;
	return turns_new(3, &turns);
}

static int tear_down(void **state)
{
	(void)state;
	turns = turns_free(turns);
	return 0;
}

static void add(uint64_t guild_id, enum turn_lane lane, uint64_t sequence)
{
	struct turn turn = { .guild_id = guild_id, .sequence = sequence };

	assert_int_equal(turns_add(turns, lane, &turn), 0);
}

/* The next one's sequence; 0 when none may begin. */
static uint64_t next(void)
{
	struct turn turn = { 0 };

	return turns_next(turns, &turn) ? turn.sequence : 0;
}

static void one_guild_keeps_its_order(void **state)
{
	uint64_t n;

	(void)state;
	for (n = 1; n <= 10; n++)
		add(7, TURN_OTHER, n);
	for (n = 1; n <= 10; n++) {
		assert_int_equal(next(), n);
		turns_done(turns, 7);
	}
	assert_int_equal(next(), 0);
	assert_int_equal(turns_waiting(turns), 0);
}

static void guilds_take_turns(void **state)
{
	uint64_t n;

	(void)state;
	for (n = 1; n <= 100; n++)
		add(1, TURN_OTHER, n); /* the raided one */
	add(2, TURN_OTHER, 1001);
	add(3, TURN_OTHER, 2001);
	add(2, TURN_OTHER, 1002);
	assert_int_equal(next(), 1);
	assert_int_equal(next(), 1001);
	assert_int_equal(next(), 2001);
	assert_int_equal(next(), 2);
	assert_int_equal(next(), 1002);
	assert_int_equal(next(), 3);
}

static void interactions_are_not_behind_the_rest(void **state)
{
	(void)state;
	add(1, TURN_OTHER, 1);
	add(1, TURN_OTHER, 2);
	add(1, TURN_OTHER, 3);
	add(1, TURN_INTERACTION, 11);
	assert_int_equal(next(), 11);
	assert_int_equal(next(), 1);
	turns_done(turns, 1);
	turns_done(turns, 1);
	add(1, TURN_INTERACTION, 12);
	add(1, TURN_INTERACTION, 13);
	assert_int_equal(next(), 12);
	assert_int_equal(next(), 2);
	assert_int_equal(next(), 13);
}

static void a_guild_with_all_open_waits_and_goes_on(void **state)
{
	uint64_t n;

	(void)state;
	for (n = 1; n <= 5; n++)
		add(1, TURN_OTHER, n);
	assert_int_equal(next(), 1);
	assert_int_equal(next(), 2);
	assert_int_equal(next(), 3);
	assert_int_equal(next(), 0);
	assert_false(turns_ready(turns));
	add(2, TURN_OTHER, 50);
	assert_int_equal(next(), 50);
	assert_int_equal(turns_waiting(turns), 2);
	turns_done(turns, 1);
	assert_true(turns_ready(turns));
	assert_int_equal(next(), 4);
	assert_int_equal(next(), 0);
	turns_done(turns, 99); /* nobody's: nothing happens */
}

static void many_guilds_come_and_go(void **state)
{
	unsigned int seed = 3;
	uint64_t last[64] = { 0 }, n, begun = 0;
	struct turn turn;

	(void)state;
	for (n = 1; n <= 20000; n++) {
		add((uint64_t)(rand_r(&seed) % 64), TURN_OTHER, n);
		if (rand_r(&seed) % 3 == 0)
			continue;
		if (turns_next(turns, &turn)) {
			assert_true(turn.sequence > last[turn.guild_id]);
			last[turn.guild_id] = turn.sequence;
			turns_done(turns, turn.guild_id);
			begun++;
		}
	}
	while (turns_next(turns, &turn)) {
		assert_true(turn.sequence > last[turn.guild_id]);
		last[turn.guild_id] = turn.sequence;
		turns_done(turns, turn.guild_id);
		begun++;
	}
	assert_int_equal(begun, 20000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_guild_keeps_its_order),
		TEST(guilds_take_turns),
		TEST(interactions_are_not_behind_the_rest),
		TEST(a_guild_with_all_open_waits_and_goes_on),
		TEST(many_guilds_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
