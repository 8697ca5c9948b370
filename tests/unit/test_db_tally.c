/* The file of statements' counters: what is written is read, sums go on over workers, and nothing that is not such a
 * file is believed. */
#include "shared/db/db_tally.h"

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

static const struct db_statement_stats some = { .done = 3,
						.failed = 1,
						.unknown = 2,
						.repeated = 4,
						.total_us = 600,
						.max_us = 400,
						.buckets = { [1] = 2, [13] = 1 } };

static char dir[TMPDIR_SIZE], path[512];

static void test_round_trip(void **state)
{
	struct db_tally tally = { 0 }, back = { 0 };
	struct stat about;

	(void)state;
	assert_int_equal(db_tally_read(&back, path), -ENOENT);
	assert_int_equal(db_tally_write(&tally, path), 0); /* an empty one is one too */
	assert_int_equal(db_tally_read(&back, path), 0);
	assert_int_equal(back.count, 0);
	assert_int_equal(db_tally_add(&tally, "core", "one", &some), 0);
	assert_int_equal(db_tally_add(&tally, "core", "two", &some), 0);
	assert_int_equal(db_tally_add(&tally, "other", "one", &some), 0);
	assert_int_equal(db_tally_write(&tally, path), 0);
	assert_int_equal(stat(path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0600);
	for (uint64_t times = 1; times <= 2; times++) { /* read twice: two shards' */
		assert_int_equal(db_tally_read(&back, path), 0);
		assert_int_equal(back.count, 3);
		assert_string_equal(back.rows[2].owner, "other");
		assert_string_equal(back.rows[1].name, "two");
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(back.rows[i].stats.done, 3 * times);
			assert_int_equal(back.rows[i].stats.total_us, 600 * times);
			assert_int_equal(back.rows[i].stats.max_us, 400);
			assert_int_equal(back.rows[i].stats.buckets[13], times);
		}
	}
	db_tally_finish(&tally);
	db_tally_finish(&back);
}

/* Every byte changed, every length cut: refused, or (never) believed. */
static void test_damage(void **state)
{
	struct db_tally tally = { 0 }, back = { 0 };
	char bytes[2048];
	ssize_t size;
	int fd;

	(void)state;
	assert_int_equal(db_tally_add(&tally, "core", "one", &some), 0);
	assert_int_equal(db_tally_write(&tally, path), 0);
	db_tally_finish(&tally);
	fd = open(path, O_RDWR | O_CLOEXEC);
	size = read(fd, bytes, sizeof(bytes));
	assert_true(size > 200);
	for (ssize_t at = 0; at < size; at++) {
		char other = (char)(bytes[at] ^ (1 << at % 8));
		int r;

		assert_int_equal(pwrite(fd, &other, 1, at), 1);
		r = db_tally_read(&back, path);
		assert_true(r == -SHOAL_EDAMAGED || r == -SHOAL_EVERSION);
		assert_int_equal(back.count, 0);
		assert_int_equal(pwrite(fd, &bytes[at], 1, at), 1);
	}
	for (ssize_t length = size - 1; length >= 0; length--) {
		assert_int_equal(ftruncate(fd, length), 0);
		assert_int_equal(db_tally_read(&back, path), -SHOAL_EDAMAGED);
	}
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); /* no wait for a writer that never comes */
	assert_int_equal(db_tally_read(&back, path), -SHOAL_EDAMAGED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_true(db_tally_read(&back, path) < 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(back.count, 0);
}

static void test_bounds(void **state)
{
	struct db_tally tally = { 0 };
	char name[DB_TALLY_NAME];

	(void)state;
	for (unsigned int i = 0; i < DB_TALLY_ROWS_MAX; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		assert_int_equal(db_tally_add(&tally, "core", name, &some), 0);
	}
	assert_int_equal(db_tally_add(&tally, "core", "more", &some), -E2BIG);
	assert_int_equal(db_tally_add(&tally, "core", "s7", &some), 0);
	assert_int_equal(tally.rows[7].stats.done, 6);
	assert_int_equal(db_tally_write(&tally, path), 0);
	db_tally_finish(&tally);
	assert_int_equal(db_tally_read(&tally, path), 0);
	assert_int_equal(tally.count, DB_TALLY_ROWS_MAX);
	db_tally_finish(&tally);
	assert_int_equal(db_tally_path("/x", 3, 9, name, sizeof(name)), 0);
	assert_string_equal(name, "/x/shard-3-9.statements");
	assert_int_equal(db_tally_path("/a/folder/that/is/far/too/long/for/it", 3, 9, name, sizeof(name)),
			 -ENAMETOOLONG);
}

static int set_up(void **state)
{
	(void)state;
	tmpdir_make(dir);
	return db_tally_path(dir, 0, 0, path, sizeof(path));
}

static int tear_down(void **state)
{
	(void)state;
	tmpdir_remove(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests_name("db tally", tests, set_up, tear_down);
}
