/* The plan, the scan of the runtime directory, and the watchdog's judgement. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/base/clock.h"
#include "shared/board/board.h"
#include "supervisor/plan.h"
#include "supervisor/watchdog.h"
#include "tests/unit/tmpdir.h"

static void test_auto_takes_the_recommendation(void **state)
{
	struct plan_input input = { .recommended = 16, .max_concurrency = 16 };
	struct plan plan;

	(void)state;
	assert_int_equal(plan_decide(&input, &plan), 0);
	assert_int_equal(plan.shard_count, 16);
	assert_int_equal(plan.generation, 1);
	assert_int_equal(plan.notes, 0);
}

static void test_fixed(void **state)
{
	struct plan_input input = { .wanted = 4, .recommended = 3, .max_concurrency = 1 };
	struct plan plan;

	(void)state;
	assert_int_equal(plan_decide(&input, &plan), 0);
	assert_int_equal(plan.shard_count, 4);
	assert_int_equal(plan.notes, 0);
	input.recommended = 9;
	assert_int_equal(plan_decide(&input, &plan), 0);
	assert_int_equal(plan.shard_count, 4);
	assert_true(plan.notes & PLAN_NOTE_TOO_FEW);
	input = (struct plan_input){ .wanted = 40, .recommended = 32, .max_concurrency = 16 };
	assert_int_equal(plan_decide(&input, &plan), 0);
	assert_true(plan.notes & PLAN_NOTE_MULTIPLE);
	input.wanted = 64;
	assert_int_equal(plan_decide(&input, &plan), 0);
	assert_int_equal(plan.notes, 0);
}

static void test_refusals(void **state)
{
	struct plan plan = { .shard_count = 77 };

	(void)state;
	assert_int_equal(plan_decide(&(struct plan_input){ 0 }, &plan), -EINVAL);
	assert_int_equal(plan_decide(&(struct plan_input){ .wanted = PLAN_SHARDS_MAX + 1 }, &plan), -ERANGE);
	assert_int_equal(plan_decide(&(struct plan_input){ .recommended = UINT32_MAX }, &plan), -ERANGE);
	assert_int_equal(plan.shard_count, 77);
}

static void test_running_fleet_is_never_changed(void **state)
{
	struct plan_input input = { .wanted = 8,
				    .recommended = 8,
				    .max_concurrency = 1,
				    .found = { .generation = 3, .shard_count = 4, .boards = 4, .live = 1 } };
	struct plan plan;

	(void)state;
	assert_int_equal(plan_decide(&input, &plan), 0);
	assert_int_equal(plan.shard_count, 4);
	assert_int_equal(plan.generation, 3);
	assert_true(plan.notes & PLAN_NOTE_KEPT);
	/* Also where Discord has not been heard yet. */
	input.wanted = input.recommended = 0;
	assert_int_equal(plan_decide(&input, &plan), 0);
	assert_int_equal(plan.shard_count, 4);
	assert_false(plan.notes & PLAN_NOTE_KEPT);
}

static void test_generations(void **state)
{
	struct plan_input input = { .wanted = 4,
				    .recommended = 4,
				    .max_concurrency = 1,
				    .found = { .generation = 3, .shard_count = 4, .boards = 4 } };
	struct plan plan;

	(void)state;
	assert_int_equal(plan_decide(&input, &plan), 0);
	assert_int_equal(plan.generation, 3); /* the same count: the sessions on the boards are of use */
	assert_false(plan.notes & PLAN_NOTE_NEW);
	input.wanted = 5;
	assert_int_equal(plan_decide(&input, &plan), 0);
	assert_int_equal(plan.generation, 4);
	assert_true(plan.notes & PLAN_NOTE_NEW);
	input.found.generation = UINT32_MAX;
	assert_int_equal(plan_decide(&input, &plan), 0);
	assert_int_equal(plan.generation, 1);
}

static void touch(const char *dir, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "rubbish", 7), 7);
	close(fd);
}

static bool exists(const char *dir, uint32_t generation, uint32_t shard)
{
	char path[256];
	struct stat st;

	assert_int_equal(board_shard_path(dir, generation, shard, path, sizeof(path)), 0);
	return stat(path, &st) == 0;
}

static void test_scan_and_sweep(void **state)
{
	struct board_shard *board = NULL;
	struct plan_found found = { 0 };
	char dir[TMPDIR_SIZE];
	bool damaged;

	(void)state;
	tmpdir_make(dir);
	assert_int_equal(plan_scan(dir, &found), 0);
	assert_int_equal(found.generation, 0);
	for (uint32_t id = 0; id < 3; id++)
		assert_int_equal(board_shard_create(dir, 1, id, 3, 0, &damaged), 0);
	for (uint32_t id = 0; id < 2; id++)
		assert_int_equal(board_shard_create(dir, 2, id, 5, 0, &damaged), 0);
	touch(dir, "shard-7-0.board");     /* no board at all */
	touch(dir, "shard-9-0.board.old"); /* not even by name */
	touch(dir, "shard--1-0.board");
	touch(dir, "shard-01-0.board");
	assert_int_equal(plan_scan(dir, &found), 0);
	assert_int_equal(found.generation, 2);
	assert_int_equal(found.shard_count, 5);
	assert_int_equal(found.live, 0);

	/* A worker lives on the older one: that is the fleet. */
	assert_int_equal(board_shard_open(dir, 1, 1, true, &board), 0);
	assert_int_equal(board_shard_lock(board), 0);
	assert_int_equal(plan_scan(dir, &found), 0);
	assert_int_equal(found.generation, 1);
	assert_int_equal(found.shard_count, 3);
	assert_int_equal(found.live, 1);

	/* Swept is what nobody lives on. */
	assert_true(plan_sweep(dir, 5) >= 4);
	assert_true(exists(dir, 1, 1));
	assert_false(exists(dir, 1, 0));
	assert_false(exists(dir, 2, 0));
	board_shard_close(board);
	assert_int_equal(plan_sweep(dir, 1), 0);
	assert_true(exists(dir, 1, 1));
	tmpdir_remove(dir);
	assert_int_equal(plan_scan(dir, &found), -ENOENT);
}

/* --- watchdog ---------------------------------------------------------------------------------------------------- */

#define TICK    (250 * NS_PER_MS)
#define TIMEOUT (10 * NS_PER_S)

static void fresh(struct watchdog_stamp *stamps, size_t count, uint64_t now_ns)
{
	for (size_t i = 0; i < count; i++)
		stamps[i] = (struct watchdog_stamp){ .shard_id = (uint32_t)i, .stamped_ns = now_ns };
}

static void test_watchdog_aborts_the_stalest_once_a_second(void **state)
{
	struct watchdog watchdog;
	struct watchdog_stamp stamps[10];
	uint64_t now_ns = 1000 * NS_PER_S;
	size_t index = 99;

	(void)state;
	watchdog_init(&watchdog, TIMEOUT);
	fresh(stamps, 10, now_ns);
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 10, &index), WATCHDOG_ALL_WELL);
	stamps[4].stamped_ns = now_ns - TIMEOUT;
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 10, &index), WATCHDOG_ALL_WELL);
	stamps[4].stamped_ns = now_ns - TIMEOUT - 1;
	stamps[7].stamped_ns = now_ns - TIMEOUT - 5;
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 10, &index), WATCHDOG_ABORT);
	assert_int_equal(index, 7);
	stamps[7].stamped_ns = now_ns;
	now_ns += TICK;
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 10, &index), WATCHDOG_PACED);
	now_ns += 3 * TICK;
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 10, &index), WATCHDOG_ABORT);
	assert_int_equal(index, 4);
}

static void test_watchdog_spares_all_when_most_are_stale(void **state)
{
	struct watchdog watchdog;
	struct watchdog_stamp stamps[10];
	uint64_t now_ns = 1000 * NS_PER_S;
	size_t index;

	(void)state;
	watchdog_init(&watchdog, TIMEOUT);
	fresh(stamps, 10, now_ns);
	for (int i = 0; i < 6; i++)
		stamps[i].stamped_ns = now_ns - 2 * TIMEOUT;
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 10, &index), WATCHDOG_MACHINE);
	stamps[0].stamped_ns = now_ns;
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 10, &index), WATCHDOG_ABORT);
	/* One worker alone that hangs is no proof against the machine. */
	watchdog_init(&watchdog, TIMEOUT);
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, &stamps[1], 1, &index), WATCHDOG_ABORT);
}

static void test_watchdog_after_our_own_stall(void **state)
{
	struct watchdog watchdog;
	struct watchdog_stamp stamps[4];
	uint64_t now_ns = 1000 * NS_PER_S;
	size_t index;

	(void)state;
	watchdog_init(&watchdog, TIMEOUT);
	fresh(stamps, 4, now_ns);
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 4, &index), WATCHDOG_ALL_WELL);
	now_ns += 60 * NS_PER_S; /* suspended, or stopped in a debugger */
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 4, &index), WATCHDOG_STALLED);
	for (uint64_t end_ns = now_ns + TIMEOUT - TICK; now_ns < end_ns;) {
		now_ns += TICK;
		assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 4, &index), WATCHDOG_STALLED);
	}
	fresh(stamps, 3, now_ns);
	now_ns += TICK;
	assert_int_equal(watchdog_check(&watchdog, now_ns, TICK, stamps, 4, &index), WATCHDOG_ABORT);
	assert_int_equal(index, 3);
}

static void test_watchdog_odd_stamps(void **state)
{
	struct watchdog watchdog;
	struct watchdog_stamp stamps[2] = { { 0, 0 }, { 1, UINT64_MAX } };
	size_t index;

	(void)state;
	watchdog_init(&watchdog, TIMEOUT);
	assert_int_equal(watchdog_check(&watchdog, NS_PER_S, TICK, stamps, 2, &index), WATCHDOG_ALL_WELL);
	assert_int_equal(watchdog_check(&watchdog, NS_PER_S, TICK, stamps, 0, &index), WATCHDOG_ALL_WELL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auto_takes_the_recommendation),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_running_fleet_is_never_changed),
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_scan_and_sweep),
		cmocka_unit_test(test_watchdog_aborts_the_stalest_once_a_second),
		cmocka_unit_test(test_watchdog_spares_all_when_most_are_stale),
		cmocka_unit_test(test_watchdog_after_our_own_stall),
		cmocka_unit_test(test_watchdog_odd_stamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
