/* The breaker's table: every state with every event, its growth, and what a scribbled board makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "shard/modhost/breaker.h"
#include "shared/base/clock.h"

static const struct breaker_rules rules = {
	.crashes = 3, .window_s = 600, .retry_s = 60, .retry_cap_s = 200, .stable_s = 600
};
#define AT(s) ((uint64_t)(s)*NS_PER_S)

static struct board_module fresh(void)
{
	return (struct board_module){ .name = "x", .state = BREAKER_ON };
}

static void so_many_in_the_window_switch_it_off(void **state)
{
	struct board_module module = fresh();

	(void)state;
	assert_false(breaker_step(&module, BREAKER_CRASH, AT(1000), &rules));
	assert_false(breaker_step(&module, BREAKER_CRASH, AT(1300), &rules));
	assert_int_equal(module.state, BREAKER_ON);
	assert_true(breaker_step(&module, BREAKER_CRASH, AT(1600), &rules));
	assert_int_equal(module.state, BREAKER_OFF);
	assert_int_equal(module.until_ns, AT(1660));
}

static void crashes_far_apart_do_not(void **state)
{
	struct board_module module = fresh();
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		assert_false(breaker_step(&module, BREAKER_CRASH, AT(1000 + i * 601), &rules));
	assert_int_equal(module.state, BREAKER_ON);
}

static void with_no_limit_it_never_is(void **state)
{
	const struct breaker_rules off = { .window_s = 600, .retry_s = 60, .retry_cap_s = 200, .stable_s = 600 };
	struct board_module module = fresh();
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_false(breaker_step(&module, BREAKER_CRASH, AT(1000 + i), &off));
}

static void switch_off(struct board_module *module, uint64_t at_s)
{
	while (module->state == BREAKER_ON)
		breaker_step(module, BREAKER_CRASH, AT(at_s), &rules);
}

static void tried_again_and_believed(void **state)
{
	struct board_module module = fresh();

	(void)state;
	switch_off(&module, 1000);
	assert_false(breaker_step(&module, BREAKER_CRASH, AT(1001), &rules)); /* a worker that had not heard */
	assert_false(breaker_step(&module, BREAKER_TIME, AT(1059), &rules));
	assert_true(breaker_step(&module, BREAKER_TIME, AT(1060), &rules));
	assert_int_equal(module.state, BREAKER_TRIAL);
	assert_false(breaker_step(&module, BREAKER_TIME, AT(1659), &rules));
	assert_true(breaker_step(&module, BREAKER_TIME, AT(1660), &rules));
	assert_int_equal(module.state, BREAKER_ON);
	assert_int_equal(module.trips, 0);
	assert_false(breaker_step(&module, BREAKER_TIME, AT(99999), &rules));
}

static void one_crash_in_the_trial_is_enough_and_the_pause_grows(void **state)
{
	static const uint64_t pauses_s[] = { 60, 120, 200, 200 };
	struct board_module module = fresh();
	uint64_t now_s = 1000;
	size_t i;

	(void)state;
	switch_off(&module, now_s);
	for (i = 0; i < sizeof(pauses_s) / sizeof(pauses_s[0]); i++) {
		assert_int_equal(module.until_ns, AT(now_s + pauses_s[i]));
		now_s += pauses_s[i];
		assert_true(breaker_step(&module, BREAKER_TIME, AT(now_s), &rules));
		assert_int_equal(module.state, BREAKER_TRIAL);
		assert_true(breaker_step(&module, BREAKER_CRASH, AT(++now_s), &rules));
		assert_int_equal(module.state, BREAKER_OFF);
	}
}

static void whatever_the_board_says_it_ends(void **state)
{
	struct board_module module = { .name = "x",
				       .state = 200,
				       .crashes = UINT32_MAX,
				       .trips = UINT32_MAX,
				       .window_ns = UINT64_MAX,
				       .until_ns = UINT64_MAX };

	(void)state;
	breaker_check(&module, &rules, AT(1000));
	assert_int_equal(module.state, BREAKER_ON);
	assert_int_equal(module.crashes, 0);
	module.state = BREAKER_OFF;
	module.until_ns = UINT64_MAX;
	breaker_check(&module, &rules, AT(1000));
	assert_true(breaker_step(&module, BREAKER_TIME, AT(1600), &rules));
	assert_true(breaker_step(&module, BREAKER_CRASH, AT(1601), &rules));
	assert_true(module.until_ns <= AT(1801));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_in_the_window_switch_it_off),
		cmocka_unit_test(crashes_far_apart_do_not),
		cmocka_unit_test(with_no_limit_it_never_is),
		cmocka_unit_test(tried_again_and_believed),
		cmocka_unit_test(one_crash_in_the_trial_is_enough_and_the_pause_grows),
		cmocka_unit_test(whatever_the_board_says_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
