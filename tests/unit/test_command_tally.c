/* The counters of commands: what is written is read, sums go on over workers and shards, and nothing that is not such a
 * file is believed. */
#include "shared/metrics/command_tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/errors.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

static char dir[TMPDIR_SIZE], path[512];

static void fill(struct command_tally *tally)
{
	for (unsigned i = 0; i < 100; i++)
		command_tally_count(tally, "core", "ping", COMMAND_OUTCOME_answered, i < 98 ? 300 : 4000000);
	command_tally_count(tally, "core", "ping", COMMAND_OUTCOME_denied, 0);
	command_tally_count(tally, "core", "ping", COMMAND_OUTCOME_suggested, 77);
	command_tally_count(tally, "other", "ping", COMMAND_OUTCOME_failed, 5);
}

static void counts_and_shares(void **state)
{
	struct command_tally tally = { 0 };

	(void)state;
	fill(&tally);
	assert_int_equal(tally.count, 2);
	assert_int_equal(tally.changes, 103);
	assert_int_equal(command_tally_uses(&tally.rows[0]), 101); /* suggestions are no uses */
	assert_int_equal(tally.rows[0].outcomes[COMMAND_OUTCOME_answered], 100);
	assert_int_equal(tally.rows[0].outcomes[COMMAND_OUTCOME_denied], 1);
	assert_int_equal(command_tally_share_us(&tally.rows[0], 0.5), 500);
	assert_int_equal(command_tally_share_us(&tally.rows[0], 0.98), 500);
	assert_int_equal(command_tally_share_us(&tally.rows[0], 0.99), 4000000); /* beyond the bounds: the longest */
	assert_int_equal(command_tally_share_us(&tally.rows[1], 0.5), 0);
	assert_int_equal(tally.rows[0].total_us, 98 * 300 + 2 * 4000000);
	command_tally_finish(&tally);
}

static void there_and_back(void **state)
{
	struct command_tally tally = { 0 }, back = { 0 };
	struct stat about;

	(void)state;
	assert_int_equal(command_tally_read(&back, path), -ENOENT);
	fill(&tally);
	assert_int_equal(command_tally_write(&tally, path), 0);
	assert_int_equal(tally.changes, 0);
	assert_int_equal(stat(path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0600);
	for (uint64_t times = 1; times <= 2; times++) { /* two shards' */
		assert_int_equal(command_tally_read(&back, path), 0);
		assert_int_equal(back.count, 2);
		assert_int_equal(command_tally_uses(&back.rows[0]), 101 * times);
		assert_int_equal(back.rows[0].buckets[1], 98 * times);
		assert_int_equal(back.rows[0].max_us, 4000000);
	}
	command_tally_finish(&tally);
	command_tally_finish(&back);
}

/* Every byte changed, every length cut: refused, and nothing added. */
static void damage(void **state)
{
	struct command_tally tally = { 0 }, back = { 0 };
	char bytes[2048];
	ssize_t size;
	int fd;

	(void)state;
	fill(&tally);
	assert_int_equal(command_tally_write(&tally, path), 0);
	command_tally_finish(&tally);
	fd = open(path, O_RDWR);
	size = read(fd, bytes, sizeof(bytes));
	assert_in_range(size, 200, sizeof(bytes) - 1);
	for (ssize_t i = 0; i < size; i++) {
		char changed = (char)(bytes[i] ^ 0x41);
		int r;

		assert_int_equal(pwrite(fd, &changed, 1, i), 1);
		r = command_tally_read(&back, path);
		assert_true(r == -SHOAL_EDAMAGED || r == -SHOAL_EVERSION);
		assert_int_equal(pwrite(fd, &bytes[i], 1, i), 1);
	}
	for (ssize_t cut = size - 1; cut >= 0; cut--) {
		assert_int_equal(ftruncate(fd, cut), 0);
		assert_int_equal(command_tally_read(&back, path), -SHOAL_EDAMAGED);
	}
	assert_int_equal(back.count, 0);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(command_tally_read(&back, path) < 0);
	assert_true(command_tally_write(&tally, path) < 0);
	assert_int_equal(rmdir(path), 0);
}

static void full_is_full(void **state)
{
	struct command_tally tally = { 0 };
	char name[300];

	(void)state;
	for (unsigned i = 0; i < COMMAND_TALLY_ROWS_MAX + 10; i++) {
		snprintf(name, sizeof(name), "%u", i);
		command_tally_count(&tally, "m", name, COMMAND_OUTCOME_answered, 1);
	}
	assert_int_equal(tally.count, COMMAND_TALLY_ROWS_MAX);
	command_tally_finish(&tally);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	command_tally_count(&tally, name, name, COMMAND_OUTCOME_COUNT, 1); /* of another version */
	assert_int_equal(command_tally_uses(&tally.rows[0]), 0);
	assert_int_equal(strlen(tally.rows[0].path), COMMAND_TALLY_PATH - 1);
	command_tally_finish(&tally);
	assert_int_equal(command_tally_path(dir, 1, 2, name, 8), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_shares),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(damage),
		cmocka_unit_test(full_is_full),
	};
	int failed;

	tmpdir_make(dir);
	command_tally_path(dir, 3, 7, path, sizeof(path));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tmpdir_remove(dir);
	return failed;
}
