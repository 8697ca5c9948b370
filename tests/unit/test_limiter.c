/* The send budget, second by second, against a count kept the plain way. */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/base/clock.h"
#include "shard/gateway/limiter.h"

#define START_NS (1000 * NS_PER_S)

static void test_common_leaves_room_for_heartbeats(void **state)
{
	struct limiter limiter;
	uint64_t now = START_NS;

	(void)state;
	limiter_reset(&limiter);
	for (int i = 0; i < LIMITER_COMMON_MAX; i++) {
		assert_int_equal(limiter_wait(&limiter, LIMITER_COMMON, now), 0);
		limiter_take(&limiter, LIMITER_COMMON, now);
		now += NS_PER_MS;
	}
	/* The first of the 110 leaves the window 60 s after it was sent. */
	assert_int_equal(limiter_wait(&limiter, LIMITER_COMMON, now), START_NS + LIMITER_WINDOW_NS - now);
	assert_int_equal(limiter_wait(&limiter, LIMITER_PRESENCE, now), START_NS + LIMITER_WINDOW_NS - now);
	for (int i = LIMITER_COMMON_MAX; i < LIMITER_ALL; i++) {
		assert_int_equal(limiter_wait(&limiter, LIMITER_HEARTBEAT, now), 0);
		limiter_take(&limiter, LIMITER_HEARTBEAT, now);
	}
	assert_true(limiter_wait(&limiter, LIMITER_HEARTBEAT, now) > 0);
	assert_int_equal(limiter_wait(&limiter, LIMITER_HEARTBEAT, START_NS + LIMITER_WINDOW_NS), 0);
	/* The heartbeats count: the eleventh send has to leave before a common one may go. */
	assert_int_equal(limiter_wait(&limiter, LIMITER_COMMON, START_NS + LIMITER_WINDOW_NS), 10 * NS_PER_MS);
}

static void test_presence(void **state)
{
	struct limiter limiter;
	uint64_t now = START_NS;

	(void)state;
	limiter_reset(&limiter);
	for (int i = 0; i < LIMITER_PRESENCE_MAX; i++) {
		assert_int_equal(limiter_wait(&limiter, LIMITER_PRESENCE, now), 0);
		limiter_take(&limiter, LIMITER_PRESENCE, now);
		now += NS_PER_S;
	}
	assert_int_equal(limiter_wait(&limiter, LIMITER_PRESENCE, now), 15 * NS_PER_S);
	assert_int_equal(limiter_wait(&limiter, LIMITER_COMMON, now), 0);
	assert_int_equal(limiter_wait(&limiter, LIMITER_PRESENCE, now + 15 * NS_PER_S), 0);
}

/* Whatever is asked for in whatever rhythm, no window of 60 s holds more than its share, and nothing is refused that a
 * plain count would allow. */
static void test_against_a_plain_count(void **state)
{
	static uint64_t sent[100000];
	uint32_t count = 0, x = 7;
	uint64_t now = START_NS;
	struct limiter limiter;

	(void)state;
	limiter_reset(&limiter);
	for (int i = 0; i < 100000; i++) {
		enum limiter_kind kind = i % 3 ? LIMITER_COMMON : LIMITER_HEARTBEAT;
		uint32_t within = 0, max = kind == LIMITER_COMMON ? LIMITER_COMMON_MAX : LIMITER_ALL;

		x = x * 1664525 + 1013904223;
		now += (uint64_t)x * (400 * NS_PER_MS) >> 32;
		for (uint32_t k = count; k > 0 && sent[k - 1] + LIMITER_WINDOW_NS > now; k--)
			within++;
		assert_true(within <= LIMITER_ALL);
		assert_int_equal(limiter_wait(&limiter, kind, now) == 0, within < max);
		if (within < max) {
			limiter_take(&limiter, kind, now);
			sent[count++] = now;
		}
	}
	assert_true(count > 10000);
}

static void test_reset(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_reset(&limiter);
	for (int i = 0; i < 500; i++)
		limiter_take(&limiter, LIMITER_PRESENCE, START_NS);
	assert_true(limiter_wait(&limiter, LIMITER_HEARTBEAT, START_NS) > 0);
	limiter_reset(&limiter);
	assert_int_equal(limiter_wait(&limiter, LIMITER_PRESENCE, START_NS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_common_leaves_room_for_heartbeats),
		cmocka_unit_test(test_presence),
		cmocka_unit_test(test_against_a_plain_count),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
