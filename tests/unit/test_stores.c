/* Records of the board, with their writer stopped after each instruction: a reader, and so a successor, sees the old
 * record or the new one, never a mixture and never none. (The ring: test_inbox.c; LMDB's: test_journal.c,
 * test_cache.c.) */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "shared/board/board.h"
#include "tests/unit/stepping.h"
#include "tests/unit/tmpdir.h"

static char dir[TMPDIR_SIZE];
static struct board_shard *reader, *writer;
static struct board_host *host;
static unsigned seen_old, seen_new;

static const struct board_session session_old = { .session_id = "old", .resume_url = "wss://old", .user_id = 1 };
static const struct board_session session_new = { .session_id = "new", .resume_url = "wss://new", .user_id = 2 };
static const struct board_exit exit_old = { .class = EXIT_CLASS_CRASH, .code = 139, .pid = 7, .text = "old" };
static const struct board_exit exit_new = { .class = EXIT_CLASS_RETRY, .code = 14, .pid = 8, .text = "new" };
static const struct board_ledger ledger_old = {
	.total = 1000, .remaining = 500, .max_concurrency = 1, .granted_total = 5
};
static const struct board_ledger ledger_new = {
	.total = 1000, .remaining = 499, .max_concurrency = 1, .granted_total = 6
};

static int set_up(void **state)
{
	bool damaged;

	(void)state;
	tmpdir_make(dir);
	seen_old = seen_new = 0;
	assert_int_equal(board_shard_create(dir, 1, 0, 1, 64, &damaged), 0);
	assert_int_equal(board_shard_open(dir, 1, 0, true, &writer), 0);
	assert_int_equal(board_shard_open(dir, 1, 0, false, &reader), 0);
	assert_int_equal(board_shard_remember(writer), 0);
	assert_int_equal(board_host_create(dir, &damaged), 0);
	assert_int_equal(board_host_open(dir, &host), 0);
	board_shard_set_owner(writer, 7, 70, "old build");
	board_shard_set_session(writer, &session_old, 10);
	board_shard_set_sequence(writer, 41);
	board_shard_set_handled(writer, 40);
	board_shard_set_applied(writer, 39);
	board_shard_set_exit(writer, &exit_old);
	board_host_set_ledger(host, &ledger_old);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	board_shard_close(reader);
	board_shard_close(writer);
	board_host_close(host);
	tmpdir_remove(dir);
	return 0;
}

/* Of which of the two it was. */
static void count(bool is_new)
{
	/* Once new, it does not become old again. */
	assert_true(is_new || seen_new == 0);
	seen_old += !is_new;
	seen_new += is_new;
}

static void step(void (*fn)(void *arg), void (*look)(void))
{
	const struct stepping what = { .fn = fn };
	uint64_t steps = stepping_look(&what, look);

	assert_true(steps > 50); /* it really was stopped in between */
	assert_true(seen_old > 10 && seen_new > 0);
}

static void write_session(void *arg)
{
	(void)arg;
	board_shard_set_session(writer, &session_new, 3);
}

static void look_at_session(void)
{
	struct board_session session;
	uint64_t sequence;

	assert_true(board_shard_session(reader, &session, &sequence));
	if (strcmp(session.session_id, "new") == 0) {
		assert_memory_equal(&session, &session_new, sizeof(session));
		assert_int_equal(sequence, 3);
		assert_int_equal(board_shard_handled(reader), 0);
		assert_int_equal(board_shard_applied(reader), 0);
		count(true);
	} else {
		assert_memory_equal(&session, &session_old, sizeof(session));
		assert_int_equal(sequence, 41);
		assert_int_equal(board_shard_sequence(reader), 41);
		assert_int_equal(board_shard_handled(reader), 40);
		assert_int_equal(board_shard_applied(reader), 39);
		count(false);
	}
}

static void a_session_is_whole_at_every_instruction(void **state)
{
	(void)state;
	step(write_session, look_at_session);
}

static void write_no_session(void *arg)
{
	(void)arg;
	board_shard_clear_session(writer);
}

static void look_at_no_session(void)
{
	struct board_session session;
	uint64_t sequence;
	bool there = board_shard_session(reader, &session, &sequence);

	if (there) {
		assert_memory_equal(&session, &session_old, sizeof(session));
		assert_int_equal(sequence, 41);
	}
	count(!there);
}

static void a_session_goes_at_one_instruction(void **state)
{
	(void)state;
	step(write_no_session, look_at_no_session);
}

static void write_exit(void *arg)
{
	(void)arg;
	board_shard_set_exit(writer, &exit_new);
}

static void look_at_exit(void)
{
	struct board_exit how;

	assert_true(board_shard_exit(reader, &how));
	assert_memory_equal(&how, how.pid == exit_new.pid ? &exit_new : &exit_old, sizeof(how));
	count(how.pid == exit_new.pid);
}

static void an_exit_is_whole_at_every_instruction(void **state)
{
	(void)state;
	step(write_exit, look_at_exit);
}

static void write_owner(void *arg)
{
	(void)arg;
	board_shard_set_owner(writer, 8, 80, "new build");
}

static void look_at_owner(void)
{
	uint32_t pid = board_shard_pid(reader);
	char build_id[16];

	board_shard_build_id(reader, build_id);
	assert_int_equal(board_shard_pid_start(reader), pid * 10);
	assert_string_equal(build_id, pid == 8 ? "new build" : "old build");
	assert_true(pid == 7 || pid == 8);
	count(pid == 8);
}

static void an_owner_is_whole_at_every_instruction(void **state)
{
	(void)state;
	step(write_owner, look_at_owner);
}

static void write_ledger(void *arg)
{
	(void)arg;
	board_host_set_ledger(host, &ledger_new);
}

static void look_at_ledger(void)
{
	struct board_ledger ledger;

	assert_true(board_host_ledger(host, &ledger));
	assert_memory_equal(&ledger, ledger.remaining == 499 ? &ledger_new : &ledger_old, sizeof(ledger));
	count(ledger.remaining == 499);
}

static void a_ledger_is_whole_at_every_instruction(void **state)
{
	(void)state;
	step(write_ledger, look_at_ledger);
}

/* The older copy was damaged before: then the writer must not touch the only one that is left. */
static void it_writes_into_the_copy_that_does_not_count(void **state)
{
	(void)state;
	/* A write that was killed half-way first: its copy is the one that is written again. */
	for (uint64_t nth = 1; nth < 4000; nth += 131) {
		const struct stepping what = { .fn = write_session };

		if (!stepping_kill(&what, PTRACE_SINGLESTEP, nth))
			break;
		if (seen_new == 0)
			look_at_session();
	}
	seen_new = 0;
	board_shard_set_session(writer, &session_old, 10);
	board_shard_set_sequence(writer, 41);
	board_shard_set_handled(writer, 40);
	board_shard_set_applied(writer, 39);
	step(write_session, look_at_session);
}

/* --- a module's row: words that each are checked by who reads --------------------------------------------------------
 */

static const struct board_module module_old = {
	.name = "welcome-to-all-guilds", .state = BOARD_MODULE_ON, .crashes = 2, .window_ns = 100, .until_ns = 0
};
static const struct board_module module_new = {
	.name = "welcome-to-all-guilds", .state = BOARD_MODULE_OFF, .trips = 1, .window_ns = 100, .until_ns = 900
};

static void write_module(void *arg)
{
	(void)arg;
	board_shard_set_module(writer, 3, &module_new);
}

/* State and numbers go at one instruction, and the times that belong to a state are there before it. */
static void look_at_module(void)
{
	struct board_module module;

	assert_true(board_shard_module(reader, 3, &module));
	assert_string_equal(module.name, module_old.name);
	assert_int_equal(module.window_ns, 100);
	if (module.state == BOARD_MODULE_ON) {
		assert_true(module.crashes == 2 && module.trips == 0);
		assert_true(module.until_ns == 0 || module.until_ns == 900);
		count(false);
	} else {
		assert_memory_equal(&module, &module_new, sizeof(module));
		count(true);
	}
}

static void a_modules_row_goes_at_one_instruction(void **state)
{
	(void)state;
	board_shard_set_module(writer, 3, &module_old);
	step(write_module, look_at_module);
}

/* --- whole files: made, put back, lengthened again ------------------------------------------------------------------
 */

static void make_page(void *arg)
{
	bool damaged;

	(void)arg;
	_exit(board_shard_create(dir, 7, 0, 1, 64, &damaged) < 0 || board_host_create(dir, &damaged) < 0);
}

static void look_at_new_page(void)
{
	struct board_session session;
	struct board_shard *page;
	bool damaged = true;
	uint64_t sequence;

	assert_int_equal(board_shard_create(dir, 7, 0, 1, 64, &damaged), 0);
	assert_false(damaged); /* what its maker left is no page yet, or a whole one */
	assert_int_equal(board_shard_open(dir, 7, 0, true, &page), 0);
	assert_false(board_shard_session(page, &session, &sequence));
	assert_int_equal(board_shard_lock(page), 0);
	board_shard_close(page);
}

static void a_page_is_made_or_not_whoever_is_killed(void **state)
{
	const struct stepping what = { .fn = make_page };
	char path[TMPDIR_SIZE + 32];
	uint64_t nth;

	(void)state;
	assert_int_equal(board_shard_path(dir, 7, 0, path, sizeof(path)), 0);
	for (nth = 1; stepping_kill(&what, PTRACE_SYSCALL, nth); nth++) {
		look_at_new_page();
		assert_int_equal(unlink(path), 0);
	}
	assert_true(nth > 15);
}

static void delete_and_restore(void *arg)
{
	(void)arg;
	_exit(board_shard_restore(writer, 1, 0) != 1);
}

/* A deleted file is put back: it is not there, or all of it is. */
static void a_page_is_put_back_whole(void **state)
{
	const struct stepping what = { .fn = delete_and_restore };
	char path[TMPDIR_SIZE + 32];
	uint64_t nth = 0;
	bool more = true;

	(void)state;
	assert_int_equal(board_shard_path(dir, 1, 0, path, sizeof(path)), 0);
	while (more) {
		struct board_session session;
		struct board_shard *page;
		uint64_t sequence;
		int r;

		unlink(path);
		more = stepping_kill(&what, PTRACE_SYSCALL, ++nth);
		r = board_shard_open(dir, 1, 0, false, &page);
		if (r < 0) {
			assert_int_equal(r, -ENOENT);
			continue;
		}
		assert_true(board_shard_session(page, &session, &sequence));
		assert_memory_equal(&session, &session_old, sizeof(session));
		assert_int_equal(sequence, 41);
		board_shard_close(page);
	}
	assert_true(nth > 10);
}

static void rescue(void *arg)
{
	(void)arg;
	_exit(board_shard_rescue(writer) < 0);
}

/* A file that was cut off is lengthened and written back. Who dies in the midst of that leaves a page that says itself
 * that it is none, or one with the session; never one with a session of its own making. */
static void a_rescue_is_whole_or_seen_through(void **state)
{
	const struct stepping what = { .fn = rescue };
	uint64_t nth = 0, damaged_pages = 0, whole = 0;
	char path[TMPDIR_SIZE + 32];
	bool more = true;

	(void)state;
	assert_int_equal(board_shard_path(dir, 1, 0, path, sizeof(path)), 0);
	board_shard_close(reader);
	reader = NULL;
	while (more) {
		struct board_session session;
		struct board_shard *page;
		uint64_t sequence;

		assert_int_equal(truncate(path, nth % 3 * 5000), 0);
		more = stepping_kill(&what, PTRACE_SINGLESTEP, nth++ * 7 + 1);
		if (board_shard_open(dir, 1, 0, false, &page) < 0) {
			damaged_pages++;
			continue;
		}
		if (board_shard_session(page, &session, &sequence)) {
			assert_memory_equal(&session, &session_old, sizeof(session));
			assert_true(sequence == 40 || sequence == 41); /* back to what was handled */
			whole++;
		} else {
			damaged_pages++;
		}
		board_shard_close(page);
	}
	print_message("%u damaged, %u whole\n", (unsigned)damaged_pages, (unsigned)whole);
	assert_true(damaged_pages > 3 && whole > 3);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_session_is_whole_at_every_instruction),
		TEST(a_session_goes_at_one_instruction),
		TEST(an_exit_is_whole_at_every_instruction),
		TEST(an_owner_is_whole_at_every_instruction),
		TEST(a_ledger_is_whole_at_every_instruction),
		TEST(it_writes_into_the_copy_that_does_not_count),
		TEST(a_modules_row_goes_at_one_instruction),
		TEST(a_page_is_made_or_not_whoever_is_killed),
		TEST(a_page_is_put_back_whole),
		TEST(a_rescue_is_whole_or_seen_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
