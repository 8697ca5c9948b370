/* The restart policy: every rule of it, with a fake clock. */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/base/clock.h"
#include "supervisor/restart.h"

static const struct restart_policy policy = {
	.floor_ms = 100, .cap_ms = 10000, .burst = 5, .window_ms = 60000, .stable_ms = 30000
};

#define SECOND NS_PER_S

static void test_first_death_waits_the_floor(void **state)
{
	struct restart_history history = { 0 };
	struct restart_decision decision = restart_decide(&policy, &history, SECOND, 0, 0);

	(void)state;
	assert_int_equal(decision.delay_ms, 100);
	assert_false(decision.failing);
	assert_false(decision.turned_failing);
}

static void test_grows_to_the_cap(void **state)
{
	struct restart_policy patient = policy;
	struct restart_history history = { 0 };
	uint64_t now_ns = SECOND, expected_ms = 100;

	(void)state;
	patient.burst = 63;
	for (int i = 0; i < 40; i++, now_ns += SECOND) {
		assert_int_equal(restart_decide(&patient, &history, now_ns, 0, 0).delay_ms, expected_ms);
		expected_ms = expected_ms * 2 > 10000 ? 10000 : expected_ms * 2;
	}
}

static void test_jitter_stays_within(void **state)
{
	struct restart_policy patient = policy;

	(void)state;
	patient.burst = 63;
	for (double unit = 0; unit < 1; unit += 0.09) {
		struct restart_history history = { 0 };

		for (int i = 0; i < 12; i++) {
			struct restart_history twin = history;
			uint64_t plain_ms = restart_decide(&patient, &twin, SECOND, 0, 0).delay_ms;
			uint64_t delay_ms = restart_decide(&patient, &history, SECOND, 0, unit).delay_ms;

			assert_in_range(delay_ms, plain_ms / 2 > 100 ? plain_ms / 2 : 100, plain_ms);
			assert_true(unit == 0 || plain_ms <= 200 || delay_ms < plain_ms);
		}
	}
}

static void test_stable_forgives_the_row(void **state)
{
	struct restart_history history = { 0 };

	(void)state;
	restart_decide(&policy, &history, 1 * SECOND, 0, 0);
	restart_decide(&policy, &history, 2 * SECOND, 0, 0);
	assert_int_equal(restart_decide(&policy, &history, 3 * SECOND, 29999, 0).delay_ms, 400);
	assert_int_equal(restart_decide(&policy, &history, 100 * SECOND, 30000, 0).delay_ms, 100);
	assert_int_equal(restart_decide(&policy, &history, 101 * SECOND, 0, 0).delay_ms, 200);
}

/* Being ready for a moment is not being stable, even where the stable time is nothing. */
static void test_never_ready_is_never_stable(void **state)
{
	struct restart_policy hasty = policy;
	struct restart_history history = { 0 };

	(void)state;
	hasty.stable_ms = 0;
	restart_decide(&hasty, &history, 1 * SECOND, 0, 0);
	assert_int_equal(restart_decide(&hasty, &history, 2 * SECOND, 0, 0).delay_ms, 200);
}

static void test_burst_marks_failing_once(void **state)
{
	struct restart_history history = { 0 };
	struct restart_decision decision;

	(void)state;
	for (int i = 0; i < 5; i++) {
		decision = restart_decide(&policy, &history, (10 + (uint64_t)i) * SECOND, 0, 0);
		assert_false(decision.failing);
	}
	decision = restart_decide(&policy, &history, 15 * SECOND, 0, 0);
	assert_true(decision.failing);
	assert_true(decision.turned_failing);
	assert_int_equal(decision.delay_ms, policy.cap_ms);
	decision = restart_decide(&policy, &history, 16 * SECOND, 0, 0);
	assert_true(decision.failing);
	assert_false(decision.turned_failing);
	/* Later than the window: still failing, since it was never stable. */
	decision = restart_decide(&policy, &history, 1000 * SECOND, 0, 0);
	assert_true(decision.failing);
	assert_false(decision.turned_failing);
	/* Stable: a shard like any other. */
	decision = restart_decide(&policy, &history, 2000 * SECOND, 30000, 0);
	assert_false(decision.failing);
	assert_int_equal(decision.delay_ms, 100);
}

static void test_window_slides(void **state)
{
	struct restart_history history = { 0 };

	(void)state;
	/* One death each 13 s: never six within a minute. */
	for (uint64_t i = 0; i < 200; i++)
		assert_false(restart_decide(&policy, &history, SECOND + i * 13 * SECOND, 0, 0).failing);
}

/* A worker that dies each time right after the stable time is stable each time, yet its deaths count. */
static void test_stable_deaths_count_for_the_burst(void **state)
{
	struct restart_policy quick = policy;
	struct restart_history history = { 0 };
	int failing = 0;

	(void)state;
	quick.stable_ms = 5000;
	for (uint64_t i = 0; i < 12; i++)
		failing += restart_decide(&quick, &history, (1 + i * 6) * SECOND, 5000, 0).failing;
	assert_true(failing > 0);
}

static void test_absurd_policies(void **state)
{
	static const struct restart_policy odd[] = {
		{ 0, 0, 0, 0, 0 },
		{ UINT32_MAX, 1, UINT32_MAX, UINT32_MAX, UINT32_MAX },
		{ 1, UINT32_MAX, 1, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct restart_history history = { 0 };

		for (uint64_t death = 1; death < 300; death++) {
			struct restart_decision decision =
				restart_decide(&odd[i], &history, death * SECOND, death % 7, 0.5);

			assert_true(decision.delay_ms >= odd[i].floor_ms);
			assert_true(decision.delay_ms <= UINT32_MAX);
		}
	}
}

/* A burst that is larger than the ring of deaths is counted too. */
static void test_large_burst(void **state)
{
	struct restart_policy patient = policy;
	struct restart_history history = { 0 };
	uint64_t now_ns = SECOND;
	int deaths = 0;

	(void)state;
	patient.burst = 200;
	/* 100 a minute, for ten minutes: borne. */
	for (int i = 0; i < 1000; i++, now_ns += 600 * NS_PER_MS)
		assert_false(restart_decide(&patient, &history, now_ns, 0, 0).failing);
	/* Ten a second: not for long. */
	while (!restart_decide(&patient, &history, now_ns, 0, 0).failing && deaths < 1000) {
		deaths++;
		now_ns += 100 * NS_PER_MS;
	}
	assert_in_range(deaths, 100, 250);
}

static void test_forgive(void **state)
{
	struct restart_history history = { 0 };

	(void)state;
	for (uint64_t i = 1; i < 20; i++)
		restart_decide(&policy, &history, i * SECOND, 0, 0);
	restart_forgive(&history);
	assert_int_equal(restart_decide(&policy, &history, 21 * SECOND, 0, 0).delay_ms, 100);
	assert_false(history.failing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_death_waits_the_floor),
		cmocka_unit_test(test_grows_to_the_cap),
		cmocka_unit_test(test_jitter_stays_within),
		cmocka_unit_test(test_stable_forgives_the_row),
		cmocka_unit_test(test_never_ready_is_never_stable),
		cmocka_unit_test(test_burst_marks_failing_once),
		cmocka_unit_test(test_window_slides),
		cmocka_unit_test(test_stable_deaths_count_for_the_burst),
		cmocka_unit_test(test_absurd_policies),
		cmocka_unit_test(test_large_burst),
		cmocka_unit_test(test_forgive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
