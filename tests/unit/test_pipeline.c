/* The pipeline, with a worker that is made and dropped as often as it takes: what one took and did not handle, the next
 * one handles; a poisoned event is set aside; a full ring parks. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shard/events/event_key.h"
#include "shard/events/inbox.h"
#include "shard/events/parked.h"
#include "shard/events/pipeline.h"
#include "shared/base/cleanup.h"

#define HELD_MAX 4096

static char dir[64], state_dir[80];
static struct loop loop;
static uv_idle_t alive; /* a loop without work runs no pass */
static struct board_shard *board;
static struct dispatch dispatch;
static struct pipeline *pipeline;
static uint64_t seen[HELD_MAX];
static bool again[HELD_MAX];
static size_t seen_count, applied_count;
static struct ticket *held[HELD_MAX];
static size_t held_count;
static bool hold_all;

static void on_message(void *arg, const struct shoal_event *event, struct ticket *ticket)
{
	(void)arg;
	assert_true(seen_count < HELD_MAX);
	again[seen_count] = ticket_again(ticket);
	seen[seen_count++] = event->message->id;
	if (hold_all)
		held[held_count++] = ticket_hold(ticket);
}

static int on_guild(void *arg, const struct envelope *envelope)
{
	(void)arg;
	(void)envelope;
	applied_count++;
	return 0;
}

static size_t fleeting_count;

static void on_fleeting(void *arg, const struct shoal_event *event, struct ticket *ticket)
{
	(void)arg;
	(void)event;
	(void)ticket;
	fleeting_count++;
}

static const struct dispatch_row rows[] = {
	{ SHOAL_EVENT_MESSAGE_CREATE, 0, NULL, on_message },
	{ SHOAL_EVENT_GUILD_CREATE, 0, on_guild, NULL },
	{ SHOAL_EVENT_TYPING_START, 0, NULL, on_fleeting },
	{ SHOAL_EVENT_PRESENCE_UPDATE, 0, NULL, on_fleeting },
};

static uint64_t committed;

static int commit(void *arg, uint64_t applied)
{
	(void)arg;
	committed = applied;
	return 0;
}

static uint64_t get_applied(void *arg)
{
	(void)arg;
	return committed;
}

static const struct pipeline_cache cache = { commit, get_applied };

static void on_idle(uv_idle_t *handle)
{
	(void)handle;
}

static void start_worker(bool crashed)
{
	struct pipeline_options options = { .runtime_dir = dir,
					    .generation = 1,
					    .shard_id = 0,
					    .guild_open_max = 1000,
					    .shed_percent = 75,
					    .state_dir = state_dir,
					    .stage_max_mib = 4,
					    .parked_max_mib = 4,
					    .parked_max_age_days = 14,
					    .crashed = crashed };

	assert_int_equal(board_shard_open(dir, 1, 0, true, &board), 0);
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(uv_idle_init(&loop.uv, &alive), 0);
	assert_int_equal(uv_idle_start(&alive, on_idle), 0);
	dispatch_init(&dispatch, rows, ARRAY_SIZE(rows), board_shard_counters(board), NULL);
	assert_int_equal(pipeline_new(&loop, &options, board, &dispatch, &cache, &pipeline), 0);
}

/* An end that leaves everything as a kill would: no ticket is closed. */
static void drop_worker(void)
{
	size_t i;

	pipeline_closing(pipeline);
	uv_close((uv_handle_t *)&alive, NULL);
	for (i = 0; i < held_count; i++)
		ticket_release(held[i]);
	held_count = 0;
	assert_int_equal(loop_finish(&loop), 0);
	pipeline = pipeline_free(pipeline);
	dispatch_finish(&dispatch);
	board = board_shard_close(board);
}

static int set_up(void **state)
{
	struct board_session session = { .session_id = "abc", .resume_url = "wss://r" };
	bool damaged;

	(void)state;
	strcpy(dir, "/dev/shm/shoal-pipe.XXXXXX");
	seen_count = applied_count = held_count = 0;
	committed = 0;
	hold_all = false;
	if (mkdtemp(dir))
		snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	if (!state_dir[0] || board_shard_create(dir, 1, 0, 1, 64, &damaged) < 0 ||
	    board_shard_open(dir, 1, 0, true, &board) < 0)
		return -1;
	board_shard_set_session(board, &session, 0);
	board = board_shard_close(board);
	start_worker(false);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	if (pipeline)
		drop_worker();
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void pass(void)
{
	uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static int take_sized(uint64_t sequence, const char *type, size_t filler)
{
	size_t size = filler + 512;
	CLEANUP(cleanup_free) char *payload = malloc(size);
	struct envelope envelope;
	int len;

	len = snprintf(
		payload, size,
		"{\"op\":0,\"t\":\"%s\",\"s\":%llu,\"d\":{\"id\":\"%llu\",\"channel_id\":\"6\",\"guild_id\":\"9\","
		"\"author\":{\"id\":\"7\",\"username\":\"u\"},\"content\":\"%*s\"}}",
		type, (unsigned long long)sequence, (unsigned long long)sequence, (int)filler, "");
	assert_int_equal(envelope_scan(payload, (size_t)len, &envelope), ENVELOPE_OK);
	return pipeline_take(pipeline, &envelope, payload, (size_t)len);
}

static void take(uint64_t sequence)
{
	assert_int_equal(take_sized(sequence, "MESSAGE_CREATE", 100), 0);
}

static struct pipeline_stats stats(void)
{
	struct pipeline_stats now;

	pipeline_stats(pipeline, &now);
	return now;
}

static void handlers_start_after_the_pass(void **state)
{
	(void)state;
	take(1);
	take(2);
	assert_int_equal(seen_count, 0);
	pass();
	assert_int_equal(seen_count, 2);
	assert_int_equal(seen[0], 1);
	assert_int_equal(stats().inbox_used, 0);
	assert_int_equal(board_shard_handled(board), 2);
}

static void the_cache_is_applied_when_taken(void **state)
{
	(void)state;
	assert_int_equal(take_sized(1, "GUILD_CREATE", 10), 0);
	assert_int_equal(applied_count, 1);
	assert_int_equal(take_sized(2, "TYPING_START", 10), 0); /* nobody's: not even kept */
	pass();
	assert_int_equal(stats().inbox_used, 0);
}

/* The board was cut off: its ring is gone, the session goes back to what was handled, and the cache keeps its own. */
static void what_comes_again_after_a_rescue_is_applied_once(void **state)
{
	uint64_t n;

	(void)state;
	assert_int_equal(board_shard_remember(board), 0);
	for (n = 1; n <= 3; n++)
		assert_int_equal(take_sized(n, "GUILD_CREATE", 10), 0);
	hold_all = true;
	take(4);
	board_shard_set_sequence(board, 4);
	pass();
	assert_int_equal(applied_count, 3);
	assert_int_equal(board_shard_handled(board), 3);
	assert_int_equal(board_shard_applied(board), 4);
	assert_int_equal(board_shard_rescue(board), 0);
	drop_worker();
	hold_all = false;
	start_worker(false);
	assert_int_equal(board_shard_sequence(board), 3);
	assert_int_equal(take_sized(3, "GUILD_CREATE", 10), 0);
	take(4);
	assert_int_equal(take_sized(5, "GUILD_CREATE", 10), 0);
	pass();
	assert_int_equal(applied_count, 4);
	assert_int_equal(seen_count, 2); /* by the first, who did not finish, and by the second */
	assert_int_equal(board_shard_handled(board), 5);
}

static void what_was_taken_is_handled_by_the_successor(void **state)
{
	uint64_t n;

	(void)state;
	for (n = 1; n <= 20; n++)
		take(n);
	drop_worker(); /* killed before the pass ended: nobody had begun them */
	assert_int_equal(seen_count, 0);
	start_worker(false);
	assert_int_equal(board_shard_sequence(board), 20); /* Discord need not send them again */
	pass();
	assert_int_equal(seen_count, 20);
	for (n = 1; n <= 20; n++) {
		assert_int_equal(seen[n - 1], n);
		assert_false(again[n - 1]);
	}
	drop_worker();
	start_worker(false);
	pass();
	assert_int_equal(seen_count, 20); /* once */
}

static void what_was_begun_is_begun_again(void **state)
{
	(void)state;
	hold_all = true;
	take(1);
	pass();
	assert_int_equal(seen_count, 1);
	drop_worker();
	hold_all = false;
	start_worker(false);
	pass();
	assert_int_equal(seen_count, 2);
	assert_true(again[1]);
	drop_worker();
	start_worker(false);
	pass();
	assert_int_equal(seen_count, 2);
}

static void a_full_ring_parks_and_goes_on(void **state)
{
	uint64_t n;

	(void)state;
	hold_all = true;
	for (n = 1; n <= 400; n++) { /* far more than 64 KiB hold */
		assert_int_equal(take_sized(n, "MESSAGE_CREATE", 500), 0);
		if (n % 20 == 0)
			pass();
	}
	pass();
	assert_int_equal(seen_count, 400);
	assert_true(stats().parked > 200);
	drop_worker();
	hold_all = false;
	start_worker(false);
	while (seen_count < 800)
		pass();
	pass();
	assert_int_equal(stats().parked, 0);
	assert_int_equal(stats().open, 0);
	for (n = 0; n < 400; n++)
		assert_true(again[400 + n]);
}

static uint64_t shed_count(void)
{
	return board_shard_counters(board)[BOARD_COUNTER_events_shed];
}

static int take_typing(uint64_t sequence)
{
	char payload[256];
	struct envelope envelope;
	int len = snprintf(payload, sizeof(payload),
			   "{\"op\":0,\"t\":\"%s\",\"s\":%llu,\"d\":{\"channel_id\":\"6\",\"guild_id\":\"9\","
			   "\"user_id\":\"7\",\"user\":{\"id\":\"7\"},\"timestamp\":1}}",
			   sequence % 2 ? "TYPING_START" : "PRESENCE_UPDATE", (unsigned long long)sequence);

	assert_int_equal(envelope_scan(payload, (size_t)len, &envelope), ENVELOPE_OK);
	return pipeline_take(pipeline, &envelope, payload, (size_t)len);
}

/* The order of giving way: who types and who is online is dropped, and counted, before anything else is parked. */
static void what_is_fleeting_gives_way_first(void **state)
{
	uint64_t n = 1, shed = 0;
	size_t kept;

	(void)state;
	hold_all = true;
	fleeting_count = 0;
	for (; shed_count() == 0; n += 2) {
		assert_int_equal(take_typing(n), 0);
		assert_int_equal(take_sized(n + 1, "MESSAGE_CREATE", 500), 0);
		pass();
		assert_int_equal(stats().parked, 0); /* not yet */
		assert_true(n < 400);
	}
	assert_true(stats().inbox_used >= stats().inbox_size / 100 * 75);
	kept = fleeting_count;
	assert_true(kept > 20);
	for (uint64_t end = n + 300; n < end; n += 2) {
		assert_int_equal(take_typing(n), 0);
		assert_int_equal(take_sized(n + 1, "MESSAGE_CREATE", 500), 0);
		pass();
	}
	shed = shed_count();
	assert_true(shed > 100 && stats().parked > 50);
	assert_int_equal(fleeting_count + shed, n / 2);
	assert_int_equal(seen_count, n / 2); /* of the messages none is missing */
	/* Its sequence counts; with room again nothing is dropped. */
	while (held_count > 0)
		ticket_release(held[--held_count]);
	hold_all = false;
	pass();
	pass();
	assert_int_equal(stats().inbox_used, 0);
	kept = fleeting_count;
	assert_int_equal(take_typing(n), 0);
	pass();
	assert_int_equal(fleeting_count, kept + 1);
	assert_int_equal(shed_count(), shed);
	assert_int_equal(board_shard_handled(board), n);
}

static void what_does_not_fit_the_ring_is_parked_at_once(void **state)
{
	(void)state;
	assert_int_equal(take_sized(1, "MESSAGE_CREATE", 30000), 0);
	assert_int_equal(stats().parked, 1);
	drop_worker();
	start_worker(false);
	pass();
	assert_int_equal(seen_count, 1);
	assert_int_equal(stats().parked, 0);
}

/* As if it had been parked (or set aside), but for the mark in the inbox. */
static void keep_beside(uint64_t sequence, int (*keep)(struct parked *parked, const struct letter *letter))
{
	static const char payload[] = "{\"op\":0,\"t\":\"MESSAGE_CREATE\",\"s\":1,\"d\":{\"id\":\"1\",\"channel_id\":"
				      "\"6\",\"guild_id\":\"9\",\"author\":{\"id\":\"7\",\"username\":\"u\"},"
				      "\"content\":\"\"}}";
	struct parked_options options = { .runtime_dir = dir,
					  .state_dir = state_dir,
					  .generation = 1,
					  .stage_max_mib = 4,
					  .store_max_mib = 4,
					  .max_age_days = 14 };
	struct letter letter = { .session = event_key_session("abc"),
				 .sequence = sequence,
				 .guild_id = 9,
				 .type = SHOAL_EVENT_MESSAGE_CREATE,
				 .flags = LETTER_STARTED,
				 .payload = { payload, sizeof(payload) - 1 },
				 .full_len = sizeof(payload) - 1 };
	struct parked *parked;

	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(parked_open(&loop, &options, &parked), 0);
	assert_int_equal(keep(parked, &letter), 0);
	parked_closing(parked);
	assert_int_equal(loop_finish(&loop), 0);
	parked_close(parked);
}

static void killed_while_it_was_parked_it_is_handled_once(void **state)
{
	(void)state;
	hold_all = true;
	take(1);
	take(2);
	pass();
	drop_worker();
	keep_beside(1, parked_put);
	seen_count = 0;
	start_worker(false);
	while (seen_count < 2)
		pass();
	pass();
	assert_int_equal(seen_count, 2);
	assert_int_equal(seen[0] + seen[1], 3);
	assert_true(again[0] && again[1]);
	assert_int_equal(stats().open, 2);
	while (held_count > 0)
		ticket_release(held[--held_count]);
	pass();
	assert_int_equal(stats().parked, 0);
	assert_int_equal(stats().inbox_used, 0);
	drop_worker();
	start_worker(false);
	pass();
	assert_int_equal(seen_count, 2);
}

static void killed_while_it_was_set_aside_it_is_not_tried_again(void **state)
{
	(void)state;
	hold_all = true;
	take(1);
	take(2);
	pass();
	drop_worker();
	keep_beside(1, parked_bury);
	seen_count = 0;
	hold_all = false;
	start_worker(false);
	pass();
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0], 2);
	assert_int_equal(stats().dead, 1);
	assert_int_equal(stats().inbox_used, 0);
}

/* Killed after it was parked and before its sequence counted: Discord sends it again. */
static void a_large_one_that_comes_again_is_handled_once(void **state)
{
	(void)state;
	assert_int_equal(take_sized(1, "MESSAGE_CREATE", 30000), 0);
	drop_worker();
	start_worker(false);
	hold_all = true;
	assert_int_equal(take_sized(1, "MESSAGE_CREATE", 30000), 0);
	pass();
	assert_int_equal(seen_count, 1);
	assert_int_equal(stats().open, 1);
	ticket_release(held[--held_count]);
	pass();
	assert_int_equal(stats().parked, 0);
}

static void no_room_anywhere_pushes_back(void **state)
{
	uint64_t n;
	int r = 0;

	(void)state;
	hold_all = true;
	for (n = 1; r == 0 && n < 4000; n++) {
		r = take_sized(n, "MESSAGE_CREATE", 8000);
		pass();
	}
	assert_int_equal(r, -EAGAIN);
	assert_true(seen_count > 100); /* 4 MiB were parked before */
}

/* The last worker died with a record in its handler's hands. */
static void mark_culprit(void)
{
	struct inbox_found found;
	struct inbox_record record;
	struct inbox *inbox;
	size_t bytes;
	void *region;

	assert_int_equal(board_shard_open(dir, 1, 0, true, &board), 0);
	region = board_shard_inbox(board, &bytes);
	assert_int_equal(inbox_open(region, bytes, &found, &inbox), 0);
	assert_int_equal(inbox_next(inbox, 0, &record), 0);
	inbox_set_mark(inbox, record.position + 1);
	inbox_close(inbox);
	board = board_shard_close(board);
}

static void the_second_crash_sets_an_event_aside(void **state)
{
	(void)state;
	hold_all = true;
	take(1);
	take(2);
	pass();
	drop_worker();
	mark_culprit();
	start_worker(true); /* first crash: tried again */
	pass();
	assert_int_equal(seen_count, 4);
	drop_worker();
	mark_culprit();
	hold_all = false;
	start_worker(true); /* second: set aside, the other goes on */
	pass();
	assert_int_equal(seen_count, 5);
	assert_int_equal(seen[4], 2);
	assert_int_equal(stats().dead, 1);
	assert_int_equal(stats().inbox_used, 0);
}

static void an_operators_kill_is_nobodys_fault(void **state)
{
	int i;

	(void)state;
	hold_all = true;
	take(1);
	pass();
	for (i = 0; i < 10; i++) {
		drop_worker();
		mark_culprit();
		start_worker(false);
		pass();
	}
	assert_int_equal(seen_count, 11);
	assert_int_equal(stats().dead, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(handlers_start_after_the_pass),
		TEST(the_cache_is_applied_when_taken),
		TEST(what_comes_again_after_a_rescue_is_applied_once),
		TEST(what_was_taken_is_handled_by_the_successor),
		TEST(what_was_begun_is_begun_again),
		TEST(a_full_ring_parks_and_goes_on),
		TEST(what_is_fleeting_gives_way_first),
		TEST(what_does_not_fit_the_ring_is_parked_at_once),
		TEST(killed_while_it_was_parked_it_is_handled_once),
		TEST(killed_while_it_was_set_aside_it_is_not_tried_again),
		TEST(a_large_one_that_comes_again_is_handled_once),
		TEST(no_room_anywhere_pushes_back),
		TEST(the_second_crash_sets_an_event_aside),
		TEST(an_operators_kill_is_nobodys_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
