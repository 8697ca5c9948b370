/* The effect journal: rows there and back, their time, a writer killed between any two of them, files that were cut,
 * scribbled over or filled up. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shard/events/journal.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "tests/unit/stepping.h"
#include "tests/unit/tmpdir.h"

#define MIB  1
#define PAGE 4096

static char dir[TMPDIR_SIZE];
static uint64_t now_ns;

static const struct event_key event_a = { 36, 1001 }, event_b = { 36, 1002 };

static int set_up(void **state)
{
	(void)state;
	tmpdir_make(dir);
	now_ns = 1000 * NS_PER_S;
	clock_set_fake(&now_ns);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clock_set_fake(NULL);
	tmpdir_remove(dir);
	return 0;
}

static struct journal_options options_of(uint32_t max_mib)
{
	return (struct journal_options){ .runtime_dir = dir, .generation = 1, .shard_id = 3, .max_mib = max_mib };
}

static struct journal *open_found(struct journal_found *found)
{
	struct journal_options options = options_of(MIB);
	struct journal *journal = NULL;

	assert_int_equal(journal_open(&options, found, &journal), 0);
	return journal;
}

static struct journal *open_journal(void)
{
	struct journal_found found;

	return open_found(&found);
}

static char *data_path(char path[128])
{
	snprintf(path, 128, "%s/journal-1-3/data.mdb", dir);
	return path;
}

static struct journal_row result_row(const char *body)
{
	return (struct journal_row){ .state = JOURNAL_RESULT,
				     .route = ROUTE_CREATE_FOLLOWUP,
				     .target = 99,
				     .error = -SHOAL_EDISCORD,
				     .http_status = 403,
				     .discord_code = 50013,
				     .maybe_done = true,
				     .created_id = 1534234506297475083,
				     .body = body,
				     .body_len = body ? (uint32_t)strlen(body) : 0 };
}

static void rows_come_back_as_they_were(void **state)
{
	struct journal *journal = open_journal();
	struct journal_row row, want = result_row("{\"id\":\"5\"}");

	(void)state;
	assert_int_equal(journal_get(journal, event_a, 0, &row), -ENOENT);
	assert_int_equal(journal_intend(journal, event_a, 0, ROUTE_CREATE_FOLLOWUP, 99), 0);
	assert_int_equal(journal_get(journal, event_a, 0, &row), 0);
	assert_int_equal(row.state, JOURNAL_INTENT);
	assert_int_equal(row.route, ROUTE_CREATE_FOLLOWUP);
	assert_int_equal(row.target, 99);
	assert_int_equal(row.boot_ns, now_ns);
	assert_in_range(clock_wall_ms() - row.wall_ms, 0, 60000);
	assert_null(row.body);
	assert_int_equal(journal_get(journal, event_a, 1, &row), -ENOENT);
	assert_int_equal(journal_get(journal, event_b, 0, &row), -ENOENT);

	now_ns += NS_PER_S;
	assert_int_equal(journal_conclude(journal, event_a, 0, &want), 0);
	assert_int_equal(journal_rows(journal), 1);
	journal_close(journal);
	journal = open_journal();
	assert_int_equal(journal_rows(journal), 1);
	assert_int_equal(journal_get(journal, event_a, 0, &row), 0);
	assert_int_equal(row.state, JOURNAL_RESULT);
	assert_int_equal(row.error, want.error);
	assert_int_equal(row.http_status, 403);
	assert_int_equal(row.discord_code, 50013);
	assert_true(row.maybe_done);
	assert_int_equal(row.created_id, want.created_id);
	assert_int_equal(row.body_len, want.body_len);
	assert_memory_equal(row.body, want.body, want.body_len);
	assert_int_equal(row.boot_ns, now_ns - NS_PER_S); /* of the intent */
	journal_close(journal);
}

static void an_intent_made_again_keeps_its_time(void **state)
{
	struct journal *journal = open_journal();
	uint64_t first_ns = now_ns;
	struct journal_row row;

	(void)state;
	assert_int_equal(journal_intend(journal, event_a, 2, ROUTE_CREATE_MESSAGE, 7), 0);
	now_ns += 5 * NS_PER_S;
	assert_int_equal(journal_intend(journal, event_a, 2, ROUTE_CREATE_MESSAGE, 7), 0);
	assert_int_equal(journal_get(journal, event_a, 2, &row), 0);
	assert_int_equal(row.boot_ns, first_ns);
	assert_int_equal(journal_rows(journal), 1);
	journal_close(journal);
}

static void a_long_body_is_left_out(void **state)
{
	struct journal *journal = open_journal();
	char body[JOURNAL_BODY_MAX + 2];
	struct journal_row row, want;

	(void)state;
	memset(body, 'x', sizeof(body));
	body[JOURNAL_BODY_MAX + 1] = '\0';
	want = result_row(body);
	assert_int_equal(journal_conclude(journal, event_a, 0, &want), 0);
	assert_int_equal(journal_get(journal, event_a, 0, &row), 0);
	assert_null(row.body);
	assert_int_equal(row.created_id, want.created_id);
	body[JOURNAL_BODY_MAX] = '\0';
	want = result_row(body);
	assert_int_equal(journal_conclude(journal, event_a, 0, &want), 0);
	assert_int_equal(journal_get(journal, event_a, 0, &row), 0);
	assert_int_equal(row.body_len, JOURNAL_BODY_MAX);
	journal_close(journal);
}

static void handled_rows_go_when_their_nonce_is_old(void **state)
{
	struct journal *journal = open_journal();
	struct journal_row row, want = result_row("{\"content\":\"a member's words\"}");

	(void)state;
	for (uint32_t step = 0; step < 150; step++)
		assert_int_equal(journal_conclude(journal, event_a, step, &want), 0);
	assert_int_equal(journal_conclude(journal, event_b, 0, &want), 0);
	journal_handled(journal, event_a);
	assert_int_equal(journal_sweep(journal), 0);
	assert_int_equal(journal_get(journal, event_a, 149, &row), 0); /* a second delivery still finds it */
	assert_int_equal(row.state, JOURNAL_RESULT);
	assert_null(row.body);
	assert_int_equal(journal_get(journal, event_b, 0, &row), 0);
	assert_non_null(row.body);
	now_ns += JOURNAL_KEEP_NS + 1;
	assert_int_equal(journal_sweep(journal), 150);
	assert_int_equal(journal_rows(journal), 1);
	assert_int_equal(journal_get(journal, event_a, 0, &row), -ENOENT);
	assert_int_equal(journal_get(journal, event_b, 0, &row), 0); /* not handled: it stays */
	now_ns += JOURNAL_AGE_MAX_NS;
	assert_int_equal(journal_sweep(journal), 1);
	assert_int_equal(journal_rows(journal), 0);
	journal_close(journal);
}

/* A dead letter takes its event's rows along, and brings them back when the journal has long forgotten them. */
static void rows_are_taken_along_and_come_back(void **state)
{
	CLEANUP(buf_finish) struct buf rows = { .max = 1 << 16 }, none = { .max = 1 << 16 };
	struct journal *journal = open_journal();
	struct journal_row result = result_row("{\"id\":\"7\"}"), row;

	(void)state;
	assert_int_equal(journal_conclude(journal, event_a, 0, &result), 0);
	assert_int_equal(journal_intend(journal, event_a, 1, ROUTE_CREATE_FOLLOWUP, 5), 0);
	assert_int_equal(journal_conclude(journal, event_b, 0, &result), 0);
	assert_int_equal(journal_export(journal, event_a, &rows), 0);
	assert_int_equal(journal_export(journal, (struct event_key){ 36, 1000 }, &none), 0);
	assert_int_equal(none.len, 0);
	journal_handled(journal, event_a);
	journal_sweep(journal);
	now_ns += JOURNAL_KEEP_NS + NS_PER_S;
	journal_sweep(journal);
	assert_int_equal(journal_get(journal, event_a, 0, &row), -ENOENT);
	/* Cut or scribbled, nothing of it comes back. */
	for (size_t len = 1; len < rows.len; len++) {
		int r = journal_import(journal, event_a, rows.data, len, true);

		if (r == 0) /* cut between two rows */
			journal_handled(journal, event_a);
		else
			assert_int_equal(r, -SHOAL_EDAMAGED);
	}
	rows.data[30] ^= 0x41;
	assert_int_equal(journal_import(journal, event_a, rows.data, rows.len, true), -SHOAL_EDAMAGED);
	rows.data[30] ^= 0x41;
	assert_int_equal(journal_import(journal, event_b, rows.data, rows.len, true), -SHOAL_EDAMAGED);
	assert_int_equal(journal_import(journal, event_a, rows.data, rows.len, true), 0);
	assert_int_equal(journal_get(journal, event_a, 0, &row), 0);
	assert_int_equal(row.state, JOURNAL_RESULT);
	assert_int_equal(row.discord_code, 50013);
	assert_memory_equal(row.body, "{\"id\":\"7\"}", row.body_len);
	assert_int_equal(journal_get(journal, event_a, 1, &row), 0);
	assert_int_equal(row.state, JOURNAL_INTENT);
	assert_true(row.boot_ns < now_ns);
	/* Of another boot: no time of then means anything now, and no nonce is young. */
	assert_int_equal(journal_import(journal, event_a, rows.data, rows.len, false), 0);
	assert_int_equal(journal_get(journal, event_a, 1, &row), 0);
	assert_true(row.boot_ns > now_ns);
	now_ns += 2 * JOURNAL_AGE_MAX_NS; /* they stay until the event is handled */
	journal_sweep(journal);
	assert_int_equal(journal_get(journal, event_a, 1, &row), 0);
	journal_close(journal);
}

static void a_sweep_is_bounded_and_comes_round(void **state)
{
	struct journal *journal = open_journal();
	size_t gone = 0, rounds = 0, count;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(journal_intend(journal, (struct event_key){ 36, i }, 0, ROUTE_CREATE_MESSAGE, i), 0);
	for (uint64_t i = 0; i < 1000; i += 2)
		journal_handled(journal, (struct event_key){ 36, i });
	now_ns += JOURNAL_KEEP_NS + 1;
	while (gone < 500) {
		count = journal_sweep(journal);
		assert_in_range(count, 0, 256);
		gone += count;
		assert_in_range(++rounds, 1, 20);
	}
	assert_int_equal(gone, 500);
	assert_int_equal(journal_rows(journal), 500);
	journal_close(journal);
}

static void a_full_journal_refuses_and_lives_on(void **state)
{
	struct journal *journal = open_journal();
	char body[JOURNAL_BODY_MAX + 1];
	struct journal_row row, want;
	uint64_t i;
	int r = 0;

	(void)state;
	memset(body, 'x', sizeof(body));
	body[JOURNAL_BODY_MAX] = '\0';
	want = result_row(body);
	for (i = 0; r == 0 && i < 100000; i++)
		r = journal_conclude(journal, (struct event_key){ 36, i }, 0, &want);
	assert_int_equal(r, -ENOSPC);
	assert_in_range(i, 250, 1000); /* one MiB */
	assert_int_equal(journal_rows(journal), i - 1);
	/* what is there already still gets its results */
	for (uint64_t j = 0; j + 1 < i; j++)
		assert_int_equal(journal_conclude(journal, (struct event_key){ 36, j }, 0, &want), 0);
	assert_int_equal(journal_intend(journal, (struct event_key){ 36, i }, 0, ROUTE_CREATE_MESSAGE, 1), -ENOSPC);
	assert_int_equal(journal_get(journal, (struct event_key){ 36, 5 }, 0, &row), 0);
	now_ns += JOURNAL_AGE_MAX_NS + 1;
	while (journal_rows(journal) > 0)
		assert_int_not_equal(journal_sweep(journal), 0);
	assert_int_equal(journal_intend(journal, event_a, 0, ROUTE_CREATE_MESSAGE, 1), 0);
	journal_close(journal);
}

static void targets_tell_requests_apart(void **state)
{
	struct route_args args = { .ids = { [ROUTE_ID_GUILD] = 1, [ROUTE_ID_USER] = 2 } };
	uint64_t kick = journal_target(ROUTE_KICK, &args), ban = journal_target(ROUTE_UNBAN, &args);

	(void)state;
	assert_int_not_equal(kick, 0);
	assert_int_not_equal(kick, ban);
	assert_int_not_equal(kick, journal_target(ROUTE_GET_MEMBER, &args)); /* the same path by another method */
	assert_int_equal(kick, journal_target(ROUTE_KICK, &args));
	args.ids[ROUTE_ID_USER] = 3;
	assert_int_not_equal(kick, journal_target(ROUTE_KICK, &args));
	args.ids[ROUTE_ID_USER] = 0;
	assert_int_equal(journal_target(ROUTE_KICK, &args), 0);
}

static void new_files_are_doubted_until_all_is_handled(void **state)
{
	struct journal_found found;
	struct journal *journal = open_found(&found);

	(void)state;
	assert_true(found.fresh);
	assert_false(found.damaged);
	assert_true(journal_is_doubtful(journal));
	journal_close(journal);
	journal = open_found(&found);
	assert_false(found.fresh);
	assert_true(journal_is_doubtful(journal)); /* the next worker does not know better */
	journal_trust(journal);
	assert_false(journal_is_doubtful(journal));
	journal_close(journal);
	journal = open_journal();
	assert_false(journal_is_doubtful(journal));
	journal_close(journal);
}

/* --- damage --- */

static void fill(size_t rows)
{
	struct journal *journal = open_journal();
	struct journal_row row = result_row("{\"id\":\"5\"}");

	for (uint64_t i = 0; i < rows; i++)
		assert_int_equal(journal_conclude(journal, (struct event_key){ 36, i }, 0, &row), 0);
	journal_trust(journal);
	journal_close(journal);
}

static void assert_dropped(void)
{
	struct journal_found found;
	struct journal *journal;
	struct journal_row row;

	journal = open_found(&found);
	assert_true(found.fresh && found.damaged);
	assert_int_equal(found.rows, 0);
	assert_true(journal_is_doubtful(journal));
	assert_int_equal(journal_get(journal, (struct event_key){ 36, 0 }, 0, &row), -ENOENT);
	assert_int_equal(journal_intend(journal, event_a, 0, ROUTE_CREATE_MESSAGE, 1), 0);
	journal_close(journal);
}

static void a_cut_file_is_dropped(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	fill(200);
	assert_int_equal(stat(data_path(path), &st), 0);
	assert_int_equal(truncate(path, st.st_size / 2 / PAGE * PAGE), 0);
	assert_dropped();
	fill(200);
	assert_int_equal(truncate(path, 100), 0);
	assert_dropped();
	fill(10);
	assert_int_equal(truncate(path, 0), 0);
	{
		struct journal_found found;

		journal_close(open_found(&found)); /* an empty file is as none: nothing says that there were rows */
		assert_int_equal(found.rows, 0);
	}
}

static void a_flipped_bit_in_a_row_is_found(void **state)
{
	char path[128], page[PAGE];
	static const char needle[] = "CREATE_FOLLOWUP";
	int fd, hits = 0;
	off_t at;

	(void)state;
	fill(3);
	fd = open(data_path(path), O_RDWR);
	assert_true(fd >= 0);
	for (at = 0; pread(fd, page, PAGE, at) == PAGE; at += PAGE) {
		char *hit = memmem(page, PAGE, needle, sizeof(needle) - 1);

		if (!hit)
			continue;
		hit[0] ^= 1;
		assert_int_equal(pwrite(fd, page, PAGE, at), PAGE);
		hits++;
	}
	close(fd);
	assert_int_not_equal(hits, 0);
	assert_dropped();
}

/* Opens in a child, which may die of what it reads. */
static int status_of_opening(bool crashed)
{
	struct journal_options options = options_of(MIB);
	struct journal_found found;
	struct journal *journal;
	int status;
	pid_t pid;

	options.crashed = crashed;
	pid = fork();
	if (pid == 0) {
		for (int number = 1; number < 32; number++)
			signal(number, SIG_DFL);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(3);
		if (journal_open(&options, &found, &journal) < 0)
			_exit(2);
		_exit(journal_intend(journal, event_a, 0, ROUTE_CREATE_MESSAGE, 1) < 0 ? 4 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Every page in turn is overwritten. Whoever opens may find it out or die of it, but then the next one is well. */
static void a_scribbled_page_costs_one_worker_at_most(void **state)
{
	char path[128], noise[PAGE];
	int fd, status, deaths = 0;
	off_t pages, page;
	struct stat st;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)(i * 131 + 17);
	fill(100);
	assert_int_equal(stat(data_path(path), &st), 0);
	pages = st.st_size / PAGE;
	for (page = 0; page < pages; page++) {
		tmpdir_remove(dir);
		assert_int_equal(mkdir(dir, 0700), 0);
		fill(100);
		fd = open(path, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, noise, PAGE, page * PAGE), PAGE);
		close(fd);
		status = status_of_opening(false);
		if (WIFSIGNALED(status)) {
			deaths++;
			status = status_of_opening(true);
		}
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			print_error("page %d of %d: status %d\n", (int)page, (int)pages, status);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	print_message("%d pages, %d deaths\n", (int)pages, deaths);
}

/* --- kills --- */

/* A child writes intents and says so; it is killed in the middle. What it said is there. */
static void what_was_said_to_be_kept_survives_the_kill(void **state)
{
	(void)state;
	clock_set_fake(NULL);
	for (int round = 0; round < 20; round++) {
		uint32_t said = 0, step;
		struct journal_found found;
		struct journal *journal;
		struct journal_row row;
		int pipe_fds[2], status;
		pid_t pid;

		assert_int_equal(pipe(pipe_fds), 0);
		pid = fork();
		if (pid == 0) {
			struct event_key event = { 36, 5000 + (uint64_t)round };
			struct journal_options options = options_of(16);

			if (journal_open(&options, &found, &journal) < 0)
				_exit(1);
			for (step = 0; journal_intend(journal, event, step, ROUTE_CREATE_MESSAGE, 1) == 0; step++)
				if (write(pipe_fds[1], &step, sizeof(step)) != sizeof(step))
					_exit(1);
			_exit(1);
		}
		close(pipe_fds[1]);
		while (said < 40 + (uint32_t)round * 7 &&
		       read(pipe_fds[0], &step, sizeof(step)) == (ssize_t)sizeof(step))
			said = step + 1;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		while (read(pipe_fds[0], &step, sizeof(step)) == (ssize_t)sizeof(step))
			said = step + 1;
		close(pipe_fds[0]);
		{
			struct journal_options options = options_of(16);

			assert_int_equal(journal_open(&options, &found, &journal), 0);
		}
		assert_false(found.damaged);
		assert_true(said >= 40);
		for (step = 0; step < said; step++) {
			assert_int_equal(
				journal_get(journal, (struct event_key){ 36, 5000 + (uint64_t)round }, step, &row), 0);
			assert_int_equal(row.state, JOURNAL_INTENT);
		}
		journal_close(journal);
	}
}

static struct journal *stepped;
static uint32_t stepped_step;

static void open_stepped(void)
{
	stepped = open_journal();
}

/* Intent, then result, of step stepped_step. */
static void write_stepped(void *arg)
{
	struct journal_row row = result_row("{\"id\":\"5\"}");

	(void)arg;
	if (journal_intend(stepped, event_b, stepped_step, ROUTE_CREATE_FOLLOWUP, 99) < 0 ||
	    journal_conclude(stepped, event_b, stepped_step, &row) < 0)
		_exit(2);
}

/* What was there before is as it was, and step @step is not there, an intent, or a result. Which: 0, 1, 2. */
static int look_at_stepped(uint32_t step)
{
	struct journal_found found;
	struct journal *journal = open_found(&found);
	struct journal_row row;
	int r;

	assert_false(found.fresh || found.damaged);
	assert_int_equal(journal_get(journal, event_a, 0, &row), 0);
	assert_int_equal(row.state, JOURNAL_RESULT);
	assert_int_equal(row.created_id, result_row(NULL).created_id);
	r = journal_get(journal, event_b, step, &row);
	assert_true(r == 0 || r == -ENOENT);
	if (r == 0) {
		assert_int_equal(row.route, ROUTE_CREATE_FOLLOWUP);
		assert_int_equal(row.target, 99);
	}
	if (r == 0 && row.state == JOURNAL_RESULT) {
		assert_int_equal(row.created_id, result_row(NULL).created_id);
		assert_int_equal(row.body_len, 10);
	}
	journal_close(journal);
	return r < 0 ? 0 : row.state == JOURNAL_INTENT ? 1 : 2;
}

/* @growth_percent: how much later each kill comes than the last, above one stop. */
static void kill_writer(enum __ptrace_request how, uint64_t growth_percent, unsigned least)
{
	const struct stepping what = { .prepare = open_stepped, .fn = write_stepped };
	struct journal_row row = result_row("{}");
	unsigned seen[3] = { 0 }, kills = 0;
	struct journal *journal = open_journal();
	int before = 0, now;

	assert_int_equal(journal_conclude(journal, event_a, 0, &row), 0);
	journal_close(journal);
	for (uint64_t nth = 1;; nth += 1 + nth * growth_percent / 100, stepped_step++, kills++) {
		if (!stepping_kill(&what, how, nth))
			break;
		now = look_at_stepped(stepped_step);
		/* Later in the same work there is never less. (How many instructions it takes differs a little.) */
		assert_true(now >= before || how == PTRACE_SINGLESTEP);
		before = now;
		seen[now]++;
	}
	assert_int_equal(look_at_stepped(stepped_step), 2);
	print_message("%u kills: %u before the intent, %u with it, %u with the result\n", kills, seen[0], seen[1],
		      seen[2]);
	assert_true(kills >= least && seen[0] > 0 && (seen[1] > 0 || how == PTRACE_SINGLESTEP));
}

static void killed_at_every_system_call(void **state)
{
	(void)state;
	kill_writer(PTRACE_SYSCALL, 0, 8);
}

static void killed_at_many_instructions(void **state)
{
	(void)state;
	kill_writer(PTRACE_SINGLESTEP, 25, 20);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_come_back_as_they_were),
		TEST(an_intent_made_again_keeps_its_time),
		TEST(a_long_body_is_left_out),
		TEST(handled_rows_go_when_their_nonce_is_old),
		TEST(rows_are_taken_along_and_come_back),
		TEST(a_sweep_is_bounded_and_comes_round),
		TEST(a_full_journal_refuses_and_lives_on),
		TEST(targets_tell_requests_apart),
		TEST(new_files_are_doubted_until_all_is_handled),
		TEST(a_cut_file_is_dropped),
		TEST(a_flipped_bit_in_a_row_is_found),
		TEST(a_scribbled_page_costs_one_worker_at_most),
		TEST(what_was_said_to_be_kept_survives_the_kill),
		TEST(killed_at_every_system_call),
		TEST(killed_at_many_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
