/* The identify ledger: never two in a bucket within 5 s, never over the budget, whoever dies in between. Fake clock, a
 * real host board in a private directory. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/random.h"
#include "supervisor/ledger.h"

#define SHARDS 64
#define FIVE_S (5 * NS_PER_S)

struct world {
	char dir[64];
	struct board_host *board;
	struct ledger *ledger;
	uint32_t max_concurrency;
	uint64_t grants, denials, last_wait_ms;
	uint64_t identified_ns[SHARDS]; /* when the worker's IDENTIFY went out, as Discord sees it */
	struct ledger_grant last[SHARDS];
	uint32_t order[1024];
	uint32_t order_len;
	uint32_t remaining_at_grant; /* what the board said when the answer was made */
	/* Plays a supervisor that is killed: the answer never leaves. */
	bool die_at_grant;
};

static uint64_t now_ns;

static void on_grant(void *arg, uint32_t shard_id, const struct ledger_grant *grant)
{
	struct world *world = arg;
	struct board_ledger record;

	if (world->die_at_grant)
		_exit(0);
	assert_true(board_host_ledger(world->board, &record));
	world->remaining_at_grant = record.remaining;
	world->grants++;
	world->last[shard_id] = *grant;
	world->order[world->order_len++] = shard_id;
	assert_true(grant->id != 0 && grant->id < 1ULL << 53);
	assert_true(grant->expires_ns > now_ns);
}

static void on_deny(void *arg, uint32_t shard_id, uint64_t wait_ms)
{
	struct world *world = arg;

	(void)shard_id;
	world->denials++;
	world->last_wait_ms = wait_ms;
}

static const struct ledger_events events = { .grant = on_grant, .deny = on_deny };

static void open_board(struct world *world)
{
	bool damaged;

	assert_int_equal(board_host_create(world->dir, &damaged), 0);
	assert_int_equal(board_host_open(world->dir, &world->board), 0);
}

static void open_ledger(struct world *world, uint32_t reserve, bool expect_record)
{
	assert_int_equal(ledger_new(world->board, reserve, expect_record, SHARDS, &events, world, &world->ledger), 0);
}

static void limits(struct world *world, uint32_t total, uint32_t remaining, uint32_t max_concurrency,
		   uint64_t reset_after_ms, uint32_t live)
{
	struct ledger_limits told = { .total = total,
				      .remaining = remaining,
				      .max_concurrency = max_concurrency,
				      .reset_after_ms = reset_after_ms };

	world->max_concurrency = max_concurrency;
	ledger_reconcile(world->ledger, &told, now_ns, live);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	now_ns = 1000 * NS_PER_S;
	clock_set_fake(&now_ns);
	snprintf(world->dir, sizeof(world->dir), "/dev/shm/shoal-ledger.XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	open_board(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	char command[128];

	ledger_free(world->ledger);
	board_host_close(world->board);
	snprintf(command, sizeof(command), "rm -rf %s", world->dir);
	assert_int_equal(system(command), 0);
	free(world);
	clock_set_fake(NULL);
	return 0;
}

static uint32_t remaining(const struct world *world)
{
	struct ledger_status status;

	ledger_status(world->ledger, &status);
	return status.remaining;
}

/* Discord's eye: within 5 s no second IDENTIFY of the bucket. */
static void discord_sees(struct world *world, uint32_t shard_id)
{
	for (uint32_t other = 0; other < SHARDS; other++)
		if (world->identified_ns[other] != 0 &&
		    other % world->max_concurrency == shard_id % world->max_concurrency)
			assert_true(now_ns - world->identified_ns[other] >= FIVE_S);
	world->identified_ns[shard_id] = now_ns;
}

static void ask(struct world *world, uint32_t shard_id)
{
	assert_int_equal(ledger_request(world->ledger, shard_id), 0);
}

static void test_debit_before_answer(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 900, 1, 3600000, 0);
	ask(world, 3);
	assert_int_equal(world->grants, 0); /* never from within the request */
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1);
	assert_int_equal(world->remaining_at_grant, 899);
	/* And the window: already held when the answer is made. */
	assert_true(board_host_bucket_free(world->board, 0) >= now_ns + FIVE_S);
}

static void test_nothing_before_discord_has_spoken(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	ask(world, 0);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 0);
	assert_true(ledger_next_ns(world->ledger) == UINT64_MAX);
	limits(world, 1000, 1000, 1, 0, 0);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1);
}

static void test_window_runs_from_the_report(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 1, 0, 0);
	ask(world, 0);
	ask(world, 1);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1);
	now_ns += 200 * NS_PER_MS;
	assert_int_equal(ledger_identified(world->ledger, 0, world->last[0].id), 0);
	now_ns += FIVE_S;
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1); /* 5.0 s is too soon for us */
	assert_true(ledger_next_ns(world->ledger) <= now_ns + 100 * NS_PER_MS);
	now_ns = ledger_next_ns(world->ledger);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 2);
}

static void test_window_runs_from_the_expiry_without_report(void **state)
{
	struct world *world = *state;
	uint64_t expires_ns;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 1, 0, 0);
	ask(world, 0);
	ask(world, 1);
	ledger_run(world->ledger);
	expires_ns = world->last[0].expires_ns;
	now_ns = expires_ns + FIVE_S; /* it may have been sent in the grant's last moment */
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1);
	now_ns = ledger_next_ns(world->ledger);
	assert_true(now_ns >= expires_ns + FIVE_S);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 2);
}

static void test_in_order(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 16, 0, 0);
	for (uint32_t id = SHARDS; id-- > 0;)
		ask(world, id);
	for (int round = 0; round < 4; round++) {
		ledger_run(world->ledger);
		now_ns += 9 * NS_PER_S;
	}
	assert_int_equal(world->order_len, SHARDS);
	for (uint32_t i = 0; i < SHARDS; i++)
		assert_int_equal(world->order[i], i);
}

/* Processes get ready in any order; the shards of a bucket start in theirs. */
static void test_waits_for_the_expected(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 2, 0, 0);
	for (uint32_t id = 0; id < 4; id++)
		ledger_expect(world->ledger, id, 2 * NS_PER_S);
	ask(world, 2);
	ask(world, 1);
	ledger_run(world->ledger);
	assert_int_equal(world->order_len, 1); /* 1 is first in its bucket; 2 waits for 0 */
	assert_int_equal(world->order[0], 1);
	assert_int_equal(ledger_next_ns(world->ledger), now_ns + 2 * NS_PER_S);
	ask(world, 0);
	ledger_run(world->ledger);
	assert_int_equal(world->order[1], 0);
	/* One that does not come is not waited for beyond its time, nor one that died on its way. */
	now_ns += 9 * NS_PER_S;
	ledger_run(world->ledger);
	assert_int_equal(world->order[2], 2);
	ledger_expect(world->ledger, 5, 60 * NS_PER_S);
	ask(world, 7);
	now_ns += 9 * NS_PER_S;
	ledger_run(world->ledger);
	assert_int_equal(world->order_len, 3);
	ledger_cancel(world->ledger, 5);
	ledger_run(world->ledger);
	assert_int_equal(world->order[3], 7);
}

/* A shard that asks again and again does not starve the other of its bucket. */
static void test_no_starvation(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 1, 0, 0);
	ask(world, 5);
	for (int i = 0; i < 2; i++) {
		ask(world, 0);
		ledger_run(world->ledger);
		now_ns += 9 * NS_PER_S;
	}
	assert_int_equal(world->order_len, 2);
	assert_int_equal(world->order[0], 0);
	assert_int_equal(world->order[1], 5);
}

/* All at once, workers of any slowness, some of which never report and some of which die: Discord never sees two of a
 * bucket within 5 s. */
static void storm(struct world *world, uint32_t max_concurrency)
{
	uint64_t due_ns[SHARDS] = { 0 };
	uint32_t sent = 0;
	bool asked[SHARDS] = { 0 };

	limits(world, 100000, 100000, max_concurrency, 0, 0);
	for (uint32_t id = 0; id < SHARDS; id++)
		ask(world, id);
	for (int step = 0; step < 40000 && sent < 3 * SHARDS; step++, now_ns += 50 * NS_PER_MS) {
		uint32_t before = world->order_len;

		ledger_run(world->ledger);
		for (; before < world->order_len; before++) {
			uint32_t id = world->order[before];

			asked[id] = false;
			/* Anywhere in the grant's life; a tenth of them never sends. */
			due_ns[id] = random_below(10) == 0 ? 0 : now_ns + random_below(LEDGER_GRANT_NS);
		}
		if (world->order_len > 900)
			world->order_len = 0;
		for (uint32_t id = 0; id < SHARDS; id++) {
			if (due_ns[id] != 0 && due_ns[id] <= now_ns) {
				due_ns[id] = 0;
				discord_sees(world, id);
				sent++;
				if (random_below(3) > 0)
					ledger_identified(world->ledger, id, world->last[id].id);
			} else if (due_ns[id] == 0 && !asked[id] && random_below(20) == 0) {
				asked[id] = true;
				ask(world, id);
			}
		}
	}
	assert_true(sent >= 2 * SHARDS);
}

static void test_storm(void **state)
{
	static const uint32_t concurrencies[] = { 1, 2, 16, 64 };
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(concurrencies) / sizeof(concurrencies[0]); i++) {
		world->ledger = ledger_free(world->ledger);
		memset(world->identified_ns, 0, sizeof(world->identified_ns));
		world->order_len = 0;
		now_ns += 100 * NS_PER_S;
		open_ledger(world, 0, false);
		storm(world, concurrencies[i]);
	}
}

static void test_smaller_remaining_holds(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 500, 16, 3600000, 0);
	assert_int_equal(remaining(world), 500);
	for (uint32_t id = 0; id < 16; id++)
		ask(world, id);
	ledger_run(world->ledger);
	assert_int_equal(remaining(world), 484);
	limits(world, 1000, 500, 16, 3600000, 0); /* Discord has not counted them yet */
	assert_int_equal(remaining(world), 484);
	limits(world, 1000, 300, 16, 3600000, 0); /* somebody else spends too */
	assert_int_equal(remaining(world), 300);
	limits(world, 1000, 1000, 16, 3600000, 0); /* never up within a window */
	assert_int_equal(remaining(world), 300);
}

static void test_new_window(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 100, 16, 1, 0);
	assert_false(ledger_wants_refresh(world->ledger));
	now_ns += NS_PER_MS; /* and not the wall clock, which may jump */
	assert_true(ledger_wants_refresh(world->ledger));
	ask(world, 0);
	ledger_run(world->ledger);
	limits(world, 1000, 1000, 16, 86400000, 0);
	/* The grant of a moment ago may not be in Discord's number yet. */
	assert_int_equal(remaining(world), 999);
}

static void test_survives_the_supervisor(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 1, 3600000, 0);
	ask(world, 0);
	ledger_run(world->ledger);
	world->ledger = ledger_free(world->ledger);
	world->board = board_host_close(world->board);

	open_board(world);
	open_ledger(world, 0, true);
	assert_int_equal(remaining(world), 999);
	limits(world, 1000, 1000, 1, 3600000, 1);
	assert_int_equal(remaining(world), 999);
	ask(world, 1);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1); /* the dead one's window is kept */
	/* A report of the dead supervisor's grant may lengthen the wait, never shorten it. */
	ledger_identified(world->ledger, 0, world->last[0].id);
	assert_true(ledger_next_ns(world->ledger) >= now_ns + LEDGER_GRANT_NS + FIVE_S);
	now_ns = ledger_next_ns(world->ledger);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 2);
}

/* Killed in a process of its own between the debit and the answer: the start is spent, the window is held. */
static void test_killed_between_debit_and_answer(void **state)
{
	struct world *world = *state;
	int status;
	pid_t pid;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 1, 3600000, 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		world->die_at_grant = true;
		ledger_request(world->ledger, 0);
		ledger_run(world->ledger);
		_exit(1); /* the grant was not made */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);

	world->ledger = ledger_free(world->ledger);
	open_ledger(world, 0, true);
	assert_int_equal(remaining(world), 999);
	ask(world, 0);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 0);
	assert_true(ledger_next_ns(world->ledger) >= now_ns + FIVE_S);
}

static void test_lost_record(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, true); /* boards of shards are there, the ledger's record is not */
	limits(world, 1000, 1000, 16, 3600000, 16);
	assert_int_equal(remaining(world), 984);
	ask(world, 0);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 0);
	assert_true(ledger_next_ns(world->ledger) >= now_ns + FIVE_S);
	now_ns += FIVE_S;
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 0);
	now_ns = ledger_next_ns(world->ledger);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1);
}

static void test_fresh_start_waits_for_nothing(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 16, 3600000, 0);
	for (uint32_t id = 0; id < 16; id++)
		ask(world, id);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 16);
}

static void test_reserve(void **state)
{
	struct world *world = *state;

	open_ledger(world, 50, false);
	limits(world, 1000, 51, 16, 3600000, 0);
	ask(world, 0);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1);
	ask(world, 1);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1);
	assert_int_equal(world->denials, 1);
	assert_in_range(world->last_wait_ms, 1000, LEDGER_DENY_MAX_MS);
	assert_int_equal(remaining(world), 50);
}

/* A small total does not drown in a reserve meant for a large one. */
static void test_reserve_is_a_tenth_at_most(void **state)
{
	struct world *world = *state;

	open_ledger(world, 50, false);
	limits(world, 20, 20, 16, 3600000, 0);
	for (uint32_t id = 0; id < 16; id++)
		ask(world, id);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 16);
	assert_int_equal(remaining(world), 4);
}

/* What is projected counts: not half a fleet is started on what is left of the day. */
static void test_projected_spend(void **state)
{
	struct world *world = *state;
	struct ledger_status status;

	open_ledger(world, 0, false);
	limits(world, 1000, 10, 16, 3600000, 0);
	ledger_set_planned(world->ledger, 16);
	ask(world, 0);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 0);
	assert_int_equal(world->denials, 1);
	ledger_status(world->ledger, &status);
	assert_true(status.exhausted);
	ledger_set_planned(world->ledger, 10);
	ask(world, 0);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1);
	ledger_status(world->ledger, &status);
	assert_false(status.exhausted);
}

static void test_never_over_the_budget(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 7, 64, 3600000, 0);
	for (int round = 0; round < 10; round++, now_ns += 60 * NS_PER_S) {
		for (uint32_t id = 0; id < SHARDS; id++)
			if (id < 7)
				ask(world, id);
		ledger_run(world->ledger);
	}
	assert_int_equal(world->grants, 7);
	assert_int_equal(remaining(world), 0);
}

static void test_cancel(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 1, 0, 0);
	ask(world, 2);
	ledger_cancel(world->ledger, 2);
	ledger_cancel(world->ledger, 2);
	ledger_cancel(world->ledger, 4000);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 0);
	assert_int_equal(ledger_request(world->ledger, SHARDS), -ERANGE);
	assert_int_equal(ledger_identified(world->ledger, SHARDS, 1), -ERANGE);
}

/* Another max_concurrency: the words on the board mean other buckets, so all windows are waited out. */
static void test_other_buckets(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 16, 3600000, 0);
	ask(world, 5);
	ledger_run(world->ledger);
	discord_sees(world, 5);
	limits(world, 1000, 1000, 1, 3600000, 0);
	ask(world, 0);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1);
	now_ns = ledger_next_ns(world->ledger);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 2);
	discord_sees(world, 0);
}

/* A scribbled word does not stop a bucket for ever. */
static void test_absurd_word_on_the_board(void **state)
{
	struct world *world = *state;

	open_ledger(world, 0, false);
	limits(world, 1000, 1000, 1, 3600000, 0);
	board_host_set_bucket_free(world->board, 0, UINT64_MAX);
	ask(world, 0);
	assert_true(ledger_next_ns(world->ledger) <= now_ns + LEDGER_GRANT_NS + LEDGER_WINDOW_NS);
	now_ns = ledger_next_ns(world->ledger);
	ledger_run(world->ledger);
	assert_int_equal(world->grants, 1);
}

static void test_bucket_of_a_shard(void **state)
{
	(void)state;
	assert_int_equal(ledger_bucket(1, 77), 0);
	assert_int_equal(ledger_bucket(16, 17), 1);
	assert_int_equal(ledger_bucket(0, 5), 0);
	/* More buckets than words: two shards of one bucket must still meet in one word. */
	for (uint32_t concurrency = 1; concurrency < 2000; concurrency += 37)
		for (uint32_t shard = 0; shard < 300; shard += 7) {
			assert_true(ledger_bucket(concurrency, shard) < BOARD_LEDGER_BUCKETS);
			assert_int_equal(ledger_bucket(concurrency, shard),
					 ledger_bucket(concurrency, shard + concurrency));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_debit_before_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_before_discord_has_spoken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window_runs_from_the_report, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window_runs_from_the_expiry_without_report, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waits_for_the_expected, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_starvation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_storm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_smaller_remaining_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_window, setup, teardown),
		cmocka_unit_test_setup_teardown(test_survives_the_supervisor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_between_debit_and_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fresh_start_waits_for_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserve, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserve_is_a_tenth_at_most, setup, teardown),
		cmocka_unit_test_setup_teardown(test_projected_spend, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never_over_the_budget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_buckets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absurd_word_on_the_board, setup, teardown),
		cmocka_unit_test(test_bucket_of_a_shard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
