/* The board: pages are made in full, kept across restarts, refused when damaged; records survive a writer that dies
 * half-way; locks name one owner; the host's words hold under contention. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <zlib.h>

#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/board/board.h"
#include "shared/board/board_file.h"
#include "shared/board/board_guard.h"
#include "shared/board/board_layout.h"
#include "tests/unit/tmpdir.h"

static char dir[TMPDIR_SIZE];

static int setup(void **state)
{
	(void)state;
	tmpdir_make(dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tmpdir_remove(dir);
	return 0;
}

static const struct board_session session_a = { .session_id = "aaaa1111",
						.resume_url = "wss://gateway-us-east1-b.discord.gg",
						.application_id = 1,
						.user_id = 2,
						.intents = 3,
						.ready_wall_ms = 4 };

static struct board_shard *make_shard(uint32_t id, bool writable)
{
	struct board_shard *board = NULL;
	bool damaged = true;

	assert_int_equal(board_shard_create(dir, 1, id, 16, 0, &damaged), 0);
	assert_false(damaged);
	assert_int_equal(board_shard_open(dir, 1, id, writable, &board), 0);
	return board;
}

static int open_file(uint32_t id)
{
	char path[128];
	int fd;

	assert_int_equal(board_shard_path(dir, 1, id, path, sizeof(path)), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void scribble(uint32_t id, size_t offset, const void *bytes, size_t len)
{
	int fd = open_file(id);

	assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), len);
	close(fd);
}

static void set_size(uint32_t id, off_t size)
{
	int fd = open_file(id);

	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static struct board_page read_page(uint32_t id)
{
	struct board_page page;
	int fd = open_file(id);

	assert_int_equal(pread(fd, &page, sizeof(page), 0), sizeof(page));
	close(fd);
	return page;
}

/* Puts @page back with a checksum that is right: a liar, not damage. */
static void write_page(uint32_t id, struct board_page page)
{
	page.header_crc = (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)&page.header, sizeof(page.header));
	scribble(id, 0, &page, sizeof(page));
}

/* --- pages ---------------------------------------------------------------------------------------------------------
 */

static void test_fresh_page_is_empty_and_whole(void **state)
{
	struct board_shard *board = make_shard(3, true);
	struct board_session session;
	struct board_exit how;
	uint64_t sequence = 7;
	char path[128], build_id[16];
	struct stat st;

	(void)state;
	board_shard_path(dir, 1, 3, path, sizeof(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, BOARD_SHARD_SIZE);
	assert_true(st.st_blocks * 512 >= st.st_size); /* allocated, not sparse */
	assert_int_equal(board_shard_header(board)->shard_id, 3);
	assert_int_equal(board_shard_header(board)->shard_count, 16);
	assert_false(board_shard_session(board, &session, &sequence));
	assert_int_equal(sequence, 7); /* untouched on failure */
	assert_false(board_shard_exit(board, &how));
	assert_int_equal(board_shard_pid(board), 0);
	assert_int_equal(board_shard_state(board), SHARD_STATE_NONE);
	board_shard_build_id(board, build_id);
	assert_string_equal(build_id, "");
	for (int i = 0; i < BOARD_COUNTER_COUNT; i++)
		assert_int_equal(board_shard_counter(board, (enum board_counter)i), 0);
	board_shard_close(board);
}

static void test_owner_state_and_counters_read_back(void **state)
{
	struct board_shard *writer = make_shard(0, true), *reader = NULL;
	char build_id[16];

	(void)state;
	assert_int_equal(board_shard_open(dir, 1, 0, false, &reader), 0);
	board_shard_set_owner(writer, 123, 456, "0123456789ab");
	assert_int_equal(board_shard_pid(reader), 123);
	assert_int_equal(board_shard_pid_start(reader), 456);
	board_shard_build_id(reader, build_id);
	assert_string_equal(build_id, "0123456789ab");
	board_shard_set_owner(writer, 124, 457, "a build id that is longer than its field");
	board_shard_build_id(reader, build_id);
	assert_string_equal(build_id, "a build id that");
	board_shard_stamp(writer, 77);
	assert_int_equal(board_shard_stamped(reader), 77);
	board_shard_set_state(writer, SHARD_STATE_READY);
	assert_string_equal(shard_state_name(board_shard_state(reader)), "ready");
	board_count(board_shard_counters(writer), BOARD_COUNTER_identifies, 2);
	board_gauge(board_shard_counters(writer), BOARD_COUNTER_guilds, 99);
	assert_int_equal(board_shard_counter(reader, BOARD_COUNTER_identifies), 2);
	assert_int_equal(board_shard_counter(reader, BOARD_COUNTER_guilds), 99);
	board_shard_close(reader);
	board_shard_close(writer);
}

static void test_session_and_exit_read_back(void **state)
{
	struct board_shard *writer = make_shard(0, true), *reader = NULL;
	struct board_exit how = { .class = EXIT_CLASS_FATAL, .code = 4, .close_code = 4004, .pid = 9, .wall_ms = 10 };
	struct board_session session;
	uint64_t sequence;

	(void)state;
	assert_int_equal(board_shard_open(dir, 1, 0, false, &reader), 0);
	board_shard_set_session(writer, &session_a, 5);
	board_shard_set_handled(writer, 4);
	assert_true(board_shard_session(reader, &session, &sequence));
	assert_memory_equal(&session, &session_a, sizeof(session));
	assert_int_equal(sequence, 5);
	board_shard_set_sequence(writer, 6);
	assert_int_equal(board_shard_sequence(reader), 6);
	assert_int_equal(board_shard_handled(reader), 4);
	snprintf(how.text, sizeof(how.text), "Authentication failed");
	board_shard_set_exit(writer, &how);
	memset(&how, 0, sizeof(how));
	assert_true(board_shard_exit(reader, &how));
	assert_int_equal(how.close_code, 4004);
	assert_string_equal(how.text, "Authentication failed");
	how.class = EXIT_CLASS_COUNT; /* no class of ours */
	board_shard_set_exit(writer, &how);
	assert_false(board_shard_exit(reader, &how));
	board_shard_clear_session(writer);
	assert_false(board_shard_session(reader, &session, &sequence));
	assert_int_equal(board_shard_sequence(reader), 0);
	assert_int_equal(board_shard_handled(reader), 0);
	board_shard_close(reader);
	board_shard_close(writer);
}

static void test_create_keeps_what_is_good(void **state)
{
	struct board_shard *board = make_shard(1, true);
	struct board_session session;
	uint64_t sequence;
	bool damaged = true;

	(void)state;
	board_shard_set_owner(board, 5, 6, "x");
	board_shard_set_session(board, &session_a, 41);
	board_shard_set_sequence(board, 42);
	board_count(board_shard_counters(board), BOARD_COUNTER_resumes, 3);
	board_shard_close(board);
	assert_int_equal(board_shard_create(dir, 1, 1, 16, 0, &damaged), 0);
	assert_false(damaged);
	assert_int_equal(board_shard_open(dir, 1, 1, false, &board), 0);
	assert_true(board_shard_session(board, &session, &sequence));
	assert_int_equal(sequence, 42);
	assert_int_equal(board_shard_counter(board, BOARD_COUNTER_resumes), 3);
	board_shard_close(board);
	/* Another shard count is another fleet: a session of the old one would be refused. */
	assert_int_equal(board_shard_create(dir, 1, 1, 32, 0, &damaged), 0);
	assert_false(damaged);
	assert_int_equal(board_shard_open(dir, 1, 1, false, &board), 0);
	assert_false(board_shard_session(board, &session, &sequence));
	board_shard_close(board);
	assert_int_equal(board_shard_create(dir, 1, 16, 16, 0, &damaged), -EINVAL);
}

static void test_another_boot_forgets_times_only(void **state)
{
	struct board_shard *board = make_shard(1, true);
	struct board_session session;
	struct board_page page;
	uint64_t sequence;
	bool damaged = true;

	(void)state;
	board_shard_set_session(board, &session_a, 41);
	board_shard_stamp(board, UINT64_MAX / 2);
	board_shard_close(board);
	page = read_page(1);
	page.boot ^= 1;
	write_page(1, page);
	assert_int_equal(board_shard_create(dir, 1, 1, 16, 0, &damaged), 0);
	assert_false(damaged);
	assert_int_equal(board_shard_open(dir, 1, 1, false, &board), 0);
	assert_int_equal(board_shard_stamped(board), 0);
	assert_true(board_shard_session(board, &session, &sequence));
	assert_int_equal(sequence, 41);
	board_shard_close(board);
}

/* --- damage --------------------------------------------------------------------------------------------------------
 */

static void test_every_flipped_header_bit_is_noticed(void **state)
{
	struct board_shard *board = make_shard(2, true);
	struct board_page page;
	char path[128], aside[160];
	bool damaged = false;

	(void)state;
	board_shard_close(board);
	page = read_page(2);
	for (size_t bit = 0; bit < offsetof(struct board_page, core_size) * 8; bit++) {
		struct board_page bad = page;

		((unsigned char *)&bad)[bit / 8] ^= (unsigned char)(1u << bit % 8);
		scribble(2, 0, &bad, sizeof(bad));
		board = NULL;
		assert_int_equal(board_shard_open(dir, 1, 2, true, &board), -SHOAL_EDAMAGED);
		assert_null(board);
	}
	assert_int_equal(board_shard_create(dir, 1, 2, 16, 0, &damaged), 0);
	assert_true(damaged);
	board_shard_path(dir, 1, 2, path, sizeof(path));
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(board_shard_open(dir, 1, 2, true, &board), 0);
	board_shard_close(board);
}

static void test_lying_header_is_refused(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
	} lies[] = {
		{ offsetof(struct board_page, header.size), 1u << 30 },
		{ offsetof(struct board_page, header.size), 0 },
		{ offsetof(struct board_page, header.rest_offset), BOARD_SHARD_SIZE + 8 },
		{ offsetof(struct board_page, header.rest_offset), 16 },
		{ offsetof(struct board_page, header.kind), BOARD_KIND_HOST },
		{ offsetof(struct board_page, header.shard_count), 2 },
		{ offsetof(struct board_page, header.core_version), 0 },
		{ offsetof(struct board_page, header.generation), 2 },
		{ offsetof(struct board_page, core_size), 0 },
		{ offsetof(struct board_page, core_size), UINT32_MAX },
	};
	struct board_shard *board = make_shard(2, true);
	struct board_page page;

	(void)state;
	board_shard_close(board);
	page = read_page(2);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct board_page bad = page;

		memcpy((char *)&bad + lies[i].offset, &lies[i].value, sizeof(lies[i].value));
		write_page(2, bad);
		assert_int_equal(board_shard_open(dir, 1, 2, true, &board), -SHOAL_EDAMAGED);
	}
	write_page(2, page);
	assert_int_equal(board_shard_open(dir, 1, 2, true, &board), 0);
	board_shard_close(board);
}

static void test_newer_core_and_rest(void **state)
{
	struct board_shard *board = make_shard(2, true);
	const uint32_t newer = BOARD_REST_VERSION + 1;
	struct board_session session;
	struct board_page page;
	uint64_t sequence;

	(void)state;
	board_shard_set_owner(board, 5, 6, "x");
	board_shard_set_session(board, &session_a, 41);
	board_count(board_shard_counters(board), BOARD_COUNTER_resumes, 3);
	board_shard_close(board);
	page = read_page(2);
	page.header.core_version++;
	page.core_size += 64;
	write_page(2, page);
	scribble(2, BOARD_REST_OFFSET, &newer, sizeof(newer));
	assert_int_equal(board_shard_open(dir, 1, 2, true, &board), 0);
	assert_true(board_shard_session(board, &session, &sequence));
	/* Counters of a version that we do not know are not shown as ours, and a worker of ours begins anew. */
	assert_int_equal(board_shard_counter(board, BOARD_COUNTER_resumes), 0);
	board_shard_set_owner(board, 5, 6, "x");
	board_count(board_shard_counters(board), BOARD_COUNTER_resumes, 1);
	assert_int_equal(board_shard_counter(board, BOARD_COUNTER_resumes), 1);
	board_shard_close(board);
}

/* Both directions, and across a file that is made anew (another inbox): what either does not know is kept. */
static void test_a_core_of_another_length_is_read_and_kept(void **state)
{
	static const char later[] = "a field of a later version";
	struct board_shard *board = make_shard(2, true);
	struct board_session session;
	struct board_page page;
	bool damaged = true;
	uint64_t sequence;
	char found[64] = "";
	int fd;

	(void)state;
	board_shard_set_session(board, &session_a, 41);
	board_shard_close(board);
	page = read_page(2);
	page.core_size = BOARD_SHARD_CORE_LEAST; /* the first version's */
	write_page(2, page);
	assert_int_equal(board_shard_open(dir, 1, 2, true, &board), 0);
	assert_true(board_shard_session(board, &session, &sequence));
	board_shard_close(board);
	page.core_size = 3584;
	write_page(2, page);
	scribble(2, 3500, later, sizeof(later));
	assert_int_equal(board_shard_create(dir, 1, 2, 16, 128, &damaged), 0);
	assert_false(damaged);
	assert_int_equal(read_page(2).core_size, 3584);
	fd = open_file(2);
	assert_int_equal(pread(fd, found, sizeof(later), 3500), sizeof(later));
	close(fd);
	assert_string_equal(found, later);
	assert_int_equal(board_shard_open(dir, 1, 2, true, &board), 0);
	assert_true(board_shard_session(board, &session, &sequence));
	assert_int_equal(sequence, 41);
	board_shard_close(board);
	page.core_size = BOARD_SHARD_CORE_LEAST - 1;
	page.header = read_page(2).header;
	write_page(2, page);
	assert_int_equal(board_shard_open(dir, 1, 2, true, &board), -SHOAL_EDAMAGED);
}

static void test_wrong_length_is_refused_at_every_size(void **state)
{
	struct board_shard *board = make_shard(4, true);
	bool damaged = false;

	(void)state;
	board_shard_close(board);
	set_size(4, BOARD_SHARD_SIZE + 1);
	assert_int_equal(board_shard_open(dir, 1, 4, true, &board), -SHOAL_EDAMAGED);
	for (off_t size = BOARD_SHARD_SIZE - 1; size >= 0; size -= size > 200 ? 97 : 1) {
		set_size(4, size);
		assert_int_equal(board_shard_open(dir, 1, 4, true, &board), -SHOAL_EDAMAGED);
	}
	assert_int_equal(board_shard_create(dir, 1, 4, 16, 0, &damaged), 0);
	assert_true(damaged);
}

static void test_not_a_plain_file(void **state)
{
	struct board_shard *board = NULL;
	char path[128];
	bool damaged = false;

	(void)state;
	assert_int_equal(board_shard_open(dir, 1, 5, true, &board), -ENOENT);
	board_shard_path(dir, 1, 5, path, sizeof(path));
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(board_shard_open(dir, 1, 5, false, &board), -SHOAL_EDAMAGED);
	assert_int_equal(board_shard_create(dir, 1, 5, 16, 0, &damaged), 0);
	assert_true(damaged);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(board_shard_open(dir, 1, 5, false, &board), -SHOAL_EDAMAGED);
	assert_int_equal(board_shard_path(dir, 1, 5, path, 10), -ENAMETOOLONG);
}

static void test_damaged_copy_falls_back_to_the_older(void **state)
{
	const size_t first = offsetof(struct board_shard_core, session) + sizeof(struct board_copy);
	struct board_shard *board = make_shard(6, true);
	struct board_session session, newer = session_a;
	uint64_t sequence;

	(void)state;
	snprintf(newer.session_id, sizeof(newer.session_id), "bbbb2222");
	board_shard_set_session(board, &session_a, 10); /* copy 1 */
	board_shard_set_sequence(board, 11);
	board_shard_set_session(board, &newer, 20); /* copy 0 */
	assert_true(board_shard_session(board, &session, &sequence));
	assert_string_equal(session.session_id, "bbbb2222");
	scribble(6, first, "X", 1);
	assert_true(board_shard_session(board, &session, &sequence));
	assert_string_equal(session.session_id, "aaaa1111");
	assert_int_equal(sequence, 11);
	scribble(6, first + sizeof(struct board_session_copy), "X", 1);
	assert_false(board_shard_session(board, &session, &sequence));
	board_shard_close(board);
}

static void test_writer_that_dies_before_the_flip(void **state)
{
	struct board_shard *board = make_shard(6, true);
	struct board_session session, half = session_a;
	struct board_file file;
	struct board_shard_core *core;
	const struct board_want want = {
		.kind = BOARD_KIND_SHARD, .generation = 1, .shard_id = 6, .core_least = 1696, .core_size = sizeof(*core)
	};
	uint64_t sequence;
	char path[128];

	(void)state;
	board_shard_set_session(board, &session_a, 10);
	board_shard_set_sequence(board, 12);
	board_shard_path(dir, 1, 6, path, sizeof(path));
	assert_int_equal(board_file_open(path, &want, true, &file), 0);
	core = (struct board_shard_core *)file.map;
	snprintf(half.session_id, sizeof(half.session_id), "half");
	board_record_fill(&core->session_flip, core->session, sizeof(core->session[0]), &half, sizeof(half));
	assert_true(board_shard_session(board, &session, &sequence));
	assert_string_equal(session.session_id, "aaaa1111");
	assert_int_equal(sequence, 12);
	board_file_close(&file);
	board_shard_close(board);
}

static void test_scribbled_flip_words_are_survived(void **state)
{
	static const uint64_t flips[] = { UINT64_MAX, UINT64_MAX - 1, 1ULL << 63, 0 };
	struct board_shard *board = make_shard(6, true);
	struct board_session session;
	uint64_t sequence;

	(void)state;
	for (size_t i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
		scribble(6, offsetof(struct board_shard_core, session_flip), &flips[i], sizeof(flips[i]));
		scribble(6, offsetof(struct board_shard_core, owner_flip), &flips[i], sizeof(flips[i]));
		for (uint64_t write = 1; write <= 3; write++) {
			board_shard_set_session(board, &session_a, write);
			assert_true(board_shard_session(board, &session, &sequence));
			assert_int_equal(sequence, write);
			board_shard_set_owner(board, (uint32_t)write, 1, "x");
			assert_int_equal(board_shard_pid(board), write);
		}
	}
	board_shard_close(board);
}

static void test_hostile_session_text_is_no_session(void **state)
{
	struct board_shard *board = make_shard(6, true);
	struct board_session hostile = session_a, session;
	uint64_t sequence;

	(void)state;
	hostile.session_id[3] = '\n';
	board_shard_set_session(board, &hostile, 1);
	assert_false(board_shard_session(board, &session, &sequence));
	hostile = session_a;
	memset(hostile.resume_url, 'x', sizeof(hostile.resume_url));
	board_shard_set_session(board, &hostile, 1); /* the writer ends it */
	assert_true(board_shard_session(board, &session, &sequence));
	assert_int_equal(strlen(session.resume_url), BOARD_URL_SIZE - 1);
	board_shard_close(board);
}

/* --- locks ---------------------------------------------------------------------------------------------------------
 */

static void test_lock_has_one_owner(void **state)
{
	struct board_shard *one = make_shard(7, true), *two = NULL, *watcher = NULL;

	(void)state;
	assert_int_equal(board_shard_open(dir, 1, 7, true, &two), 0);
	assert_int_equal(board_shard_open(dir, 1, 7, false, &watcher), 0);
	assert_int_equal(board_shard_is_locked(watcher), 0);
	assert_int_equal(board_shard_lock(one), 0);
	assert_int_equal(board_shard_is_locked(one), 0); /* somebody else */
	assert_int_equal(board_shard_lock(two), -EAGAIN);
	assert_int_equal(board_shard_is_locked(watcher), 1);
	board_shard_close(one);
	assert_int_equal(board_shard_is_locked(watcher), 0);
	assert_int_equal(board_shard_lock(two), 0);
	board_shard_close(two);
	board_shard_close(watcher);
}

/* In a child: takes the lock, says so on @fd, waits to be killed. */
static void hold_lock(uint32_t id, int fd)
{
	struct board_shard *mine = NULL;

	if (board_shard_open(dir, 1, id, true, &mine) < 0 || board_shard_lock(mine) < 0 || write(fd, "L", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void test_lock_dies_with_its_process(void **state)
{
	struct board_shard *watcher = make_shard(7, false);
	int fds[2], status;
	pid_t child;
	char byte;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		hold_lock(7, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(board_shard_is_locked(watcher), 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(board_shard_is_locked(watcher), 0);
	close(fds[0]);
	board_shard_close(watcher);
}

static void test_replaced_and_held_files(void **state)
{
	struct board_shard *stale = make_shard(8, true);
	struct board_page page;
	bool damaged;

	(void)state;
	assert_int_equal(board_shard_create(dir, 1, 8, 99, 0, &damaged), 0);
	assert_int_equal(board_shard_lock(stale), -ESTALE);
	board_shard_close(stale);
	assert_int_equal(board_shard_open(dir, 1, 8, true, &stale), 0);
	assert_int_equal(board_shard_lock(stale), 0);
	/* What a live worker holds is not replaced, neither for another count nor for damage. */
	assert_int_equal(board_shard_create(dir, 1, 8, 50, 0, &damaged), -EBUSY);
	page = read_page(8);
	scribble(8, 0, "garbage", 7);
	assert_int_equal(board_shard_create(dir, 1, 8, 99, 0, &damaged), -EBUSY);
	scribble(8, 0, &page, sizeof(page));
	assert_int_equal(board_shard_create(dir, 1, 8, 99, 0, &damaged), 0);
	board_shard_close(stale);
}

static void test_a_deleted_file_is_put_back(void **state)
{
	struct board_shard *board = make_shard(9, true), *other = NULL;
	struct board_session session = { 0 };
	uint64_t sequence = 0;
	char path[128];
	int fd;

	(void)state;
	board_shard_set_session(board, &session_a, 41);
	board_shard_set_sequence(board, 42);
	assert_int_equal(board_shard_lock(board), 0);
	assert_int_equal(board_shard_restore(board, 1, 9), 0);
	board_shard_path(dir, 1, 9, path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(board_shard_restore(board, 1, 9), 1);
	/* The lock has moved along, and both see one page. */
	assert_int_equal(board_shard_open(dir, 1, 9, true, &other), 0);
	assert_int_equal(board_shard_lock(other), -EAGAIN);
	board_shard_set_sequence(board, 43);
	assert_true(board_shard_session(other, &session, &sequence));
	assert_string_equal(session.session_id, session_a.session_id);
	assert_int_equal(sequence, 43);
	/* Nobody has moved: what points into the map goes on. Who only looks follows. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(board_shard_follow(other, 1, 9), -ENOENT);
	assert_int_equal(board_shard_restore(board, 1, 9), 1);
	assert_int_equal(board_shard_follow(other, 1, 9), 1);
	assert_int_equal(board_shard_follow(other, 1, 9), 0);
	board_shard_set_sequence(board, 44);
	assert_true(board_shard_session(other, &session, &sequence));
	assert_int_equal(sequence, 44);
	/* Who has no lock does not touch what lies in its place; who has it does, unless another one lives there. */
	assert_int_equal(unlink(path), 0);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(board_shard_restore(other, 1, 9), -ESTALE);
	assert_int_equal(board_shard_restore(board, 1, 9), 1);
	board_shard_close(other);
	assert_int_equal(unlink(path), 0);
	other = make_shard(9, true);
	assert_int_equal(board_shard_lock(other), 0);
	assert_int_equal(board_shard_restore(board, 1, 9), -ESTALE);
	board_shard_close(board);
	board_shard_close(other);
	/* What was scribbled on or cut short is not taken for good. */
	board = make_shard(10, true);
	scribble(10, 0, "garbage", 7);
	assert_int_equal(board_shard_restore(board, 1, 10), -SHOAL_EDAMAGED);
	set_size(10, 4096);
	assert_int_equal(board_shard_restore(board, 1, 10), -SHOAL_EDAMAGED);
	set_size(10, 0);
	assert_int_equal(board_shard_restore(board, 1, 10), -SHOAL_EDAMAGED);
	board_shard_close(board);
}

static void test_a_deleted_host_page_is_put_back(void **state)
{
	struct board_host *board = NULL, *other = NULL;
	char path[128], gone[128];
	bool damaged;

	(void)state;
	snprintf(gone, sizeof(gone), "%s.gone", dir);
	assert_int_equal(board_host_create(dir, &damaged), 0);
	assert_int_equal(board_host_open(dir, &board), 0);
	assert_int_equal(board_host_lock(board), 0);
	board_host_set_bucket_free(board, 3, 77);
	snprintf(path, sizeof(path), "%s/host.board", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(board_host_restore(board), 1);
	assert_int_equal(board_host_open(dir, &other), 0);
	assert_int_equal(board_host_lock(other), -EAGAIN);
	assert_int_equal(board_host_bucket_free(other, 3), 77);
	/* The whole directory, too. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(dir, gone), 0);
	assert_int_equal(board_host_restore(board), 1);
	board_host_look(other);
	board_host_set_bucket_free(board, 4, 78);
	assert_int_equal(board_host_bucket_free(other, 4), 78);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(rename(gone, dir), 0);
	board_host_close(other);
	board_host_close(board);
}

/* --- files cut off and scribbled on under those who mapped them ----------------------------------------------------
 */

static struct board_shard *make_busy_shard(uint32_t id)
{
	struct board_exit how = { .class = EXIT_CLASS_CRASH, .code = 139, .pid = 9 };
	struct board_shard *board = NULL;
	bool damaged;

	assert_int_equal(board_shard_create(dir, 1, id, 16, 128, &damaged), 0);
	assert_int_equal(board_shard_open(dir, 1, id, true, &board), 0);
	assert_int_equal(board_shard_remember(board), 0);
	board_shard_set_owner(board, 123, 456, "x");
	board_shard_set_exit(board, &how);
	board_shard_set_session(board, &session_a, 41);
	board_shard_set_sequence(board, 50);
	board_shard_set_handled(board, 45);
	board_shard_set_applied(board, 48);
	return board;
}

static void check_busy_shard(const struct board_shard *board, uint64_t expected_sequence)
{
	struct board_session session;
	struct board_exit how;
	uint64_t sequence;

	assert_true(board_shard_session(board, &session, &sequence));
	assert_string_equal(session.session_id, session_a.session_id);
	assert_int_equal(sequence, expected_sequence);
	assert_int_equal(board_shard_handled(board), 45);
	assert_int_equal(board_shard_applied(board), 48);
	assert_true(board_shard_exit(board, &how));
	assert_int_equal(how.code, 139);
}

static void test_a_page_cut_off_is_rescued_from_memory(void **state)
{
	static const off_t sizes[] = { 0, 1, 71, 1000, 4096, 5000, BOARD_SHARD_SIZE, BOARD_SHARD_SIZE + 64, 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct board_shard *board = make_busy_shard(11), *next = NULL;
		char path[128];
		size_t bytes;

		board_shard_path(dir, 1, 11, path, sizeof(path));
		memset(board_shard_inbox(board, &bytes), 7, 64);
		set_size(11, sizes[i]);
		assert_int_equal(board_shard_mend(board), -ENODATA);
		assert_int_equal(board_shard_open(dir, 1, 11, true, &next), -SHOAL_EDAMAGED);
		assert_int_equal(board_shard_rescue(board), 0);
		assert_int_equal(board_shard_open(dir, 1, 11, true, &next), 0);
		check_busy_shard(next, 45); /* what was not handled comes again */
		assert_int_equal(((unsigned char *)board_shard_inbox(next, &bytes))[0], 0);
		board_shard_close(next);
		board_shard_close(board);
		assert_int_equal(unlink(path), 0);
	}
}

static void test_nothing_is_rescued_that_was_not_remembered(void **state)
{
	struct board_shard *board = make_shard(11, true), *other = make_shard(12, true);

	(void)state;
	set_size(11, 0);
	assert_int_equal(board_shard_rescue(board), -ENOENT);
	assert_int_equal(board_shard_remember(board), -ENODATA);
	assert_false(board_shard_inherit(other, board));
	board_shard_close(board);
	board_shard_close(other);
}

static void test_who_reads_a_page_that_was_cut_off_sees_zeros(void **state)
{
	struct board_shard *board = make_busy_shard(11), *reader = NULL;
	struct board_session session;
	uint64_t sequence;

	(void)state;
	board_guard_install();
	assert_int_equal(board_shard_open(dir, 1, 11, true, &reader), 0);
	assert_int_equal(board_shard_look(reader), 0);
	check_busy_shard(reader, 50);
	set_size(11, 0);
	assert_false(board_shard_session(reader, &session, &sequence));
	assert_int_equal(board_shard_counter(reader, BOARD_COUNTER_guilds), 0);
	assert_int_equal(board_shard_look(reader), 1);
	assert_int_equal(board_shard_look(reader), 0); /* said once */
	assert_int_equal(board_shard_rescue(board), 0);
	assert_int_equal(board_shard_look(reader), 0);
	check_busy_shard(reader, 45); /* and both look at one page again */
	board_shard_set_sequence(board, 99);
	assert_int_equal(board_shard_sequence(reader), 99);
	set_size(11, 5000); /* within a page: no fault, but zeros */
	assert_int_equal(board_shard_look(reader), 1);
	board_shard_close(reader);
	board_shard_close(board);
}

static void test_a_scribbled_core_is_put_right_by_who_wrote_it(void **state)
{
	struct board_shard *board = make_busy_shard(11), *reader = NULL;
	unsigned char bytes[BOARD_REST_OFFSET];
	unsigned int seed = 5;

	(void)state;
	assert_int_equal(board_shard_open(dir, 1, 11, false, &reader), 0);
	assert_int_equal(board_shard_mend(board), 0);
	for (int round = 0; round < 50; round++) {
		size_t at = (size_t)rand_r(&seed) % 1500, len = round < 25 ? 200 : sizeof(bytes) - at;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (unsigned char)rand_r(&seed);
		scribble(11, at, bytes, len);
		board_shard_mend(board);
		check_busy_shard(reader, 50);
		assert_int_equal(board_shard_mend(board), 0);
	}
	board_shard_close(reader);
	board_shard_close(board);
}

/* What is known of modules is no scribble. */
static void test_what_modules_did_is_remembered_too(void **state)
{
	struct board_shard *board = make_busy_shard(11);
	struct board_culprit culprit = { .module = 2, .kind = 1, .pid = 7, .session = 8, .sequence = 9 };
	struct board_module module = {
		.name = "echo", .state = 1, .crashes = 3, .trips = 1, .window_ns = 4, .until_ns = 5
	};

	(void)state;
	board_shard_set_culprit(board, &culprit);
	board_shard_set_module(board, 1, &module);
	assert_int_equal(board_shard_mend(board), 0);
	scribble(11, 100, "garbage", 7);
	board_shard_mend(board);
	memset(&module, 0, sizeof(module));
	assert_true(board_shard_module(board, 1, &module));
	assert_string_equal(module.name, "echo");
	assert_int_equal(module.crashes, 3);
	assert_int_equal(board_shard_culprit(board).sequence, 9);
	board_shard_close(board);
}

static void test_a_page_made_anew_inherits_what_is_remembered(void **state)
{
	struct board_shard *before = make_busy_shard(11), *board = NULL;
	bool damaged;

	(void)state;
	scribble(11, 0, "garbage", 7);
	assert_int_equal(board_shard_create(dir, 1, 11, 16, 128, &damaged), 0);
	assert_true(damaged);
	assert_int_equal(board_shard_open(dir, 1, 11, true, &board), 0);
	assert_true(board_shard_inherit(board, before));
	check_busy_shard(board, 45);
	board_shard_close(before);
	board_shard_close(board);
}

static void test_a_host_page_is_put_right_where_it_lies(void **state)
{
	struct board_ledger ledger = { .total = 1000, .remaining = 7, .max_concurrency = 1 };
	struct board_host *board = NULL, *other = NULL;
	unsigned char noise[BOARD_HOST_SIZE];
	char path[128];
	bool damaged;
	int fd;

	(void)state;
	board_guard_install();
	assert_int_equal(board_host_create(dir, &damaged), 0);
	assert_int_equal(board_host_open(dir, &board), 0);
	assert_int_equal(board_host_open(dir, &other), 0);
	board_host_set_ledger(board, &ledger);
	board_host_set_bucket_free(board, 3, 77);
	assert_int_equal(board_host_mend(board), 0);
	snprintf(path, sizeof(path), "%s/host.board", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (int how = 0; how < 4; how++) {
		if (how == 3) {
			memset(noise, 0xA5, sizeof(noise));
			assert_int_equal(pwrite(fd, noise, sizeof(noise), 0), sizeof(noise));
		} else {
			assert_int_equal(ftruncate(fd, (off_t[]){ 0, 50, 3000 }[how]), 0);
		}
		board_host_invalid_add(other, NS_PER_S); /* goes on, whatever it sees */
		assert_int_equal(board_host_mend(board), 1);
		assert_int_equal(board_host_mend(board), 0);
		board_host_look(other);
		memset(&ledger, 0, sizeof(ledger));
		assert_true(board_host_ledger(other, &ledger));
		assert_int_equal(ledger.remaining, 7);
		assert_int_equal(board_host_bucket_free(other, 3), 77);
	}
	close(fd);
	board_host_close(other);
	board_host_close(board);
}

static void test_no_room_is_an_error_at_creation(void **state)
{
	char path[160];
	int status;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const struct rlimit limit = { 4096, 4096 };
		bool damaged;
		int r;

		/* A file-size limit stands for the full disk. */
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		r = board_shard_create(dir, 1, 9, 16, 0, &damaged);
		_exit(r == -EFBIG ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	board_shard_path(dir, 1, 9, path, sizeof(path));
	assert_int_equal(access(path, F_OK), -1);
	strcat(path, ".new");
	assert_int_equal(access(path, F_OK), -1);
}

/* In a child: writes sessions of which every field tells the same number, until killed. */
static void write_for_ever(uint32_t id, uint64_t from)
{
	struct board_shard *mine = NULL;
	struct board_session mark = session_a;

	if (board_shard_open(dir, 1, id, true, &mine) < 0)
		_exit(1);
	for (uint64_t i = from;; i++) {
		snprintf(mark.session_id, sizeof(mark.session_id), "s%llu", (unsigned long long)i);
		mark.user_id = i;
		mark.intents = (uint32_t)i;
		board_shard_set_session(mine, &mark, i);
	}
}

static bool see_session(struct board_shard *reader, uint64_t *ret_mark, uint64_t *ret_sequence)
{
	struct board_session session;

	if (!board_shard_session(reader, &session, ret_sequence))
		return false;
	assert_int_equal(session.intents, (uint32_t)session.user_id);
	assert_int_equal(strtoull(session.session_id + 1, NULL, 10), session.user_id);
	*ret_mark = session.user_id;
	return true;
}

static void test_random_kills_leave_a_whole_session(void **state)
{
	struct board_shard *reader = make_shard(10, false);
	uint64_t mark = 0, sequence = 0, from = 1;

	(void)state;
	for (int round = 0; round < 40; round++, from = mark + 1000000) {
		uint64_t deadline = clock_monotonic_ns() + 5 * NS_PER_S;
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0)
			write_for_ever(10, from);
		while (mark < from) {
			see_session(reader, &mark, &sequence);
			assert_true(clock_monotonic_ns() < deadline);
		}
		for (int look = 0; look < 200 + round * 37; look++)
			see_session(reader, &mark, &sequence);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		assert_true(see_session(reader, &mark, &sequence));
		assert_int_equal(sequence, mark);
	}
	board_shard_close(reader);
}

/* --- host ----------------------------------------------------------------------------------------------------------
 */

static struct board_host *make_host(void)
{
	struct board_host *host = NULL;
	bool damaged = true;

	assert_int_equal(board_host_create(dir, &damaged), 0);
	assert_false(damaged);
	assert_int_equal(board_host_open(dir, &host), 0);
	return host;
}

static void test_host_ledger_latch_and_lock(void **state)
{
	struct board_host *host = make_host(), *second = NULL;
	struct board_ledger ledger = { .total = 1000, .remaining = 900, .max_concurrency = 16, .reserve = 10 }, read;

	(void)state;
	assert_false(board_host_ledger(host, &read));
	board_host_set_ledger(host, &ledger);
	assert_true(board_host_ledger(host, &read));
	assert_memory_equal(&ledger, &read, sizeof(read));
	ledger.remaining = 1001; /* more than there is: not believed */
	board_host_set_ledger(host, &ledger);
	assert_false(board_host_ledger(host, &read));
	assert_false(board_host_token_invalid(host));
	board_host_set_token_invalid(host, true);
	assert_true(board_host_token_invalid(host));
	board_host_set_bucket_free(host, 255, 12345);
	assert_int_equal(board_host_bucket_free(host, 255), 12345);
	assert_int_equal(board_host_lock(host), 0);
	assert_int_equal(board_host_open(dir, &second), 0);
	assert_int_equal(board_host_lock(second), -EAGAIN);
	assert_int_equal(board_host_is_locked(second), 1);
	board_host_close(second);
	board_host_close(host);
}

static void test_rest_budget(void **state)
{
	struct board_host *host = make_host();
	uint64_t now = 1000 * NS_PER_S, wait;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(board_host_rest_take(host, 50, now), 0);
	wait = board_host_rest_take(host, 50, now);
	assert_true(wait > 0 && wait <= NS_PER_S / 40);
	assert_int_equal(board_host_rest_take(host, 50, now + wait), 0);
	assert_true(board_host_rest_take(host, 50, now + wait) > 0);
	/* After a rest the burst is whole again, and not larger. */
	now += 3 * NS_PER_S;
	for (int i = 0; i < 10; i++)
		assert_int_equal(board_host_rest_take(host, 50, now), 0);
	assert_true(board_host_rest_take(host, 50, now) > 0);
	board_host_rest_block(host, now + 7 * NS_PER_S);
	board_host_rest_block(host, now + 2 * NS_PER_S); /* never earlier */
	assert_int_equal(board_host_rest_take(host, 50, now), 7 * NS_PER_S);
	assert_int_equal(board_host_rest_take(host, 50, now + 7 * NS_PER_S), 0);
	board_host_close(host);
}

/* Wherever Discord's second begins, no more than the budget falls into it; and what is allowed is used. */
static void test_rest_budget_in_any_second(void **state)
{
	static const uint32_t budgets[] = { 1, 2, 5, 9, 10, 50, 333 };
	static uint64_t taken_at[8000];

	(void)state;
	for (size_t b = 0; b < sizeof(budgets) / sizeof(budgets[0]); b++) {
		struct board_host *host = make_host();
		size_t taken = 0, oldest = 0;
		/* The clock goes on from budget to budget: the page is the same one. */
		uint64_t start = (1000 + 100 * (uint64_t)b) * NS_PER_S;

		for (uint64_t now = start; now < start + 10 * NS_PER_S; now += NS_PER_MS)
			while (board_host_rest_take(host, budgets[b], now) == 0) {
				taken_at[taken++] = now;
				while (now - taken_at[oldest] >= NS_PER_S)
					oldest++;
				assert_in_range(taken - oldest, 1, budgets[b]);
			}
		assert_true(taken >= budgets[b] * 7);
		board_host_close(host);
	}
}

static void test_scribbled_host_words_do_not_stop_the_fleet(void **state)
{
	struct board_host *host = make_host();
	const uint64_t far = UINT64_MAX, now = 1000 * NS_PER_S;
	uint64_t wait;
	char path[128];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/host.board", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &far, 8, offsetof(struct board_host_core, rest_due)), 8);
	assert_int_equal(pwrite(fd, &far, 8, offsetof(struct board_host_core, rest_blocked_until)), 8);
	close(fd);
	wait = board_host_rest_take(host, 50, now);
	assert_true(wait > 0 && wait <= NS_PER_S);
	assert_int_equal(board_host_rest_take(host, 50, now + 2 * NS_PER_S), 0);
	board_host_close(host);
}

static void test_invalid_requests_age(void **state)
{
	struct board_host *host = make_host();
	uint64_t now = 5000 * NS_PER_S;

	(void)state;
	for (int i = 0; i < 100; i++)
		board_host_invalid_add(host, now + (uint64_t)i * NS_PER_S);
	now += 100 * NS_PER_S;
	assert_int_equal(board_host_invalid_count(host, now), 100);
	/* Never forgotten before ten minutes are over, always soon after. */
	assert_int_equal(board_host_invalid_count(host, now + 499 * NS_PER_S), 100);
	assert_int_equal(board_host_invalid_count(host, now + 640 * NS_PER_S), 0);
	/* A slot is used again by a later window. */
	board_host_invalid_add(host, now + 2000 * NS_PER_S);
	assert_int_equal(board_host_invalid_count(host, now + 2000 * NS_PER_S), 1);
	board_host_close(host);
}

struct taker {
	struct board_host *host;
	unsigned taken;
};

static void *take_many(void *arg)
{
	struct taker *taker = arg;

	for (int i = 0; i < 20000; i++) {
		taker->taken += board_host_rest_take(taker->host, 1000, 77 * NS_PER_S) == 0;
		board_host_invalid_add(taker->host, 77 * NS_PER_S);
	}
	return NULL;
}

static void test_contention_neither_loses_nor_doubles(void **state)
{
	struct board_host *host = make_host();
	struct taker takers[4];
	pthread_t threads[4];
	unsigned taken = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		takers[i] = (struct taker){ .host = host };
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		taken += takers[i].taken;
	}
	assert_int_equal(taken, 200); /* the burst of 1000 a second */
	assert_int_equal(board_host_invalid_count(host, 77 * NS_PER_S), 80000);
	board_host_close(host);
}

/* --- tables --------------------------------------------------------------------------------------------------------
 */

static void test_tables(void **state)
{
	(void)state;
	assert_false(board_counter_rows[BOARD_COUNTER_identifies].gauge);
	assert_true(board_counter_rows[BOARD_COUNTER_guilds].gauge);
	assert_true(board_counter_rows[BOARD_COUNTER_events_per_s_milli].gauge);
	assert_string_equal(board_counter_rows[BOARD_COUNTER_rest_limited].name, "rest_limited");
	for (uint32_t i = 0; i < SHARD_STATE_COUNT; i++)
		assert_string_not_equal(shard_state_name(i), "unknown");
	assert_string_equal(shard_state_name(SHARD_STATE_COUNT), "unknown");
	assert_string_equal(shard_state_name(UINT32_MAX), "unknown");
	for (int code = 0; code <= EXIT_CODE_JOURNAL; code++) {
		assert_non_null(exit_code_find(code));
		assert_int_equal(exit_class_of_status(code << 8), exit_code_find(code)->class);
	}
	assert_null(exit_code_find(99));
	assert_int_equal(exit_class_of_status(99 << 8), EXIT_CLASS_RETRY);
	assert_int_equal(exit_class_of_status(SIGSEGV), EXIT_CLASS_CRASH);
	assert_int_equal(exit_class_of_status(SIGABRT), EXIT_CLASS_CRASH);
	/* An operator's doing, or the kernel's for want of memory: nothing that a module could be blamed for. */
	assert_int_equal(exit_class_of_status(SIGKILL), EXIT_CLASS_KILLED);
	assert_int_equal(exit_class_of_status(SIGTERM), EXIT_CLASS_KILLED);
	assert_string_equal(exit_class_name(EXIT_CLASS_KILLED), "killed");
	assert_string_equal(exit_class_name(EXIT_CLASS_FATAL), "fatal");
	assert_string_equal(exit_class_name((enum exit_class)77), "unknown");
}

#define BOARD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOARD_TEST(test_fresh_page_is_empty_and_whole),
		BOARD_TEST(test_owner_state_and_counters_read_back),
		BOARD_TEST(test_session_and_exit_read_back),
		BOARD_TEST(test_create_keeps_what_is_good),
		BOARD_TEST(test_another_boot_forgets_times_only),
		BOARD_TEST(test_every_flipped_header_bit_is_noticed),
		BOARD_TEST(test_lying_header_is_refused),
		BOARD_TEST(test_newer_core_and_rest),
		BOARD_TEST(test_a_core_of_another_length_is_read_and_kept),
		BOARD_TEST(test_wrong_length_is_refused_at_every_size),
		BOARD_TEST(test_not_a_plain_file),
		BOARD_TEST(test_damaged_copy_falls_back_to_the_older),
		BOARD_TEST(test_writer_that_dies_before_the_flip),
		BOARD_TEST(test_scribbled_flip_words_are_survived),
		BOARD_TEST(test_hostile_session_text_is_no_session),
		BOARD_TEST(test_lock_has_one_owner),
		BOARD_TEST(test_lock_dies_with_its_process),
		BOARD_TEST(test_replaced_and_held_files),
		BOARD_TEST(test_a_deleted_file_is_put_back),
		BOARD_TEST(test_a_deleted_host_page_is_put_back),
		BOARD_TEST(test_a_page_cut_off_is_rescued_from_memory),
		BOARD_TEST(test_nothing_is_rescued_that_was_not_remembered),
		BOARD_TEST(test_who_reads_a_page_that_was_cut_off_sees_zeros),
		BOARD_TEST(test_a_scribbled_core_is_put_right_by_who_wrote_it),
		BOARD_TEST(test_what_modules_did_is_remembered_too),
		BOARD_TEST(test_a_page_made_anew_inherits_what_is_remembered),
		BOARD_TEST(test_a_host_page_is_put_right_where_it_lies),
		BOARD_TEST(test_no_room_is_an_error_at_creation),
		BOARD_TEST(test_random_kills_leave_a_whole_session),
		BOARD_TEST(test_host_ledger_latch_and_lock),
		BOARD_TEST(test_rest_budget),
		BOARD_TEST(test_rest_budget_in_any_second),
		BOARD_TEST(test_scribbled_host_words_do_not_stop_the_fleet),
		BOARD_TEST(test_invalid_requests_age),
		BOARD_TEST(test_contention_neither_loses_nor_doubles),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
