/* The guild list: what GUILD_CREATE and GUILD_DELETE mean, that it survives a kill, and that damage is detected. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shard/cache/guilds.h"

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/dev/shm/shoal-guilds.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static struct guilds *open_guilds(bool expect_fresh)
{
	struct guilds *guilds = NULL;
	bool fresh = !expect_fresh;

	assert_int_equal(guilds_open(dir, 1, 7, &fresh, &guilds), 0);
	assert_int_equal(fresh, expect_fresh);
	return guilds;
}

static void created(struct guilds *guilds, uint64_t id, bool unavailable, enum guilds_change expected)
{
	enum guilds_change change = GUILDS_NOTHING;

	assert_int_equal(guilds_created(guilds, id, unavailable, &change), 0);
	assert_int_equal(change, expected);
}

static void deleted(struct guilds *guilds, uint64_t id, bool unavailable, enum guilds_change expected)
{
	enum guilds_change change = GUILDS_NOTHING;

	assert_int_equal(guilds_deleted(guilds, id, unavailable, &change), 0);
	assert_int_equal(change, expected);
}

static void ready_list_is_counted_down(void **state)
{
	struct guilds *guilds = open_guilds(true);

	(void)state;
	assert_int_equal(guilds_ready_begin(guilds), 0);
	assert_int_equal(guilds_ready_add(guilds, 1), 0);
	assert_int_equal(guilds_ready_add(guilds, 2), 0);
	assert_int_equal(guilds_ready_add(guilds, 2), 0);
	assert_int_equal(guilds_ready_add(guilds, 3), 0);
	assert_int_equal(guilds_expected(guilds), 3);
	created(guilds, 1, false, GUILDS_AVAILABLE);
	created(guilds, 1, false, GUILDS_NOTHING);
	created(guilds, 2, true, GUILDS_OUTAGE);
	deleted(guilds, 3, true, GUILDS_OUTAGE);
	assert_int_equal(guilds_expected(guilds), 0);
	assert_int_equal(guilds_unavailable(guilds), 2);
	created(guilds, 3, false, GUILDS_AVAILABLE);
	created(guilds, 4, false, GUILDS_JOINED);
	assert_int_equal(guilds_count(guilds), 4);
	deleted(guilds, 4, false, GUILDS_REMOVED);
	deleted(guilds, 99, false, GUILDS_NOTHING);
	assert_int_equal(guilds_count(guilds), 3);
	guilds_close(guilds);
}

static void survives_kill(void **state)
{
	struct guilds *guilds;
	int status, i;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		bool fresh;

		if (guilds_open(dir, 1, 7, &fresh, &guilds) < 0)
			_exit(1);
		guilds_ready_begin(guilds);
		for (i = 1; i <= 2500; i++)
			guilds_ready_add(guilds, (uint64_t)i << 22);
		guilds_commit(guilds, 1);
		guilds_ready_add(guilds, 1); /* not committed: must not be there */
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	guilds = open_guilds(false);
	assert_int_equal(guilds_count(guilds), 2500);
	assert_int_equal(guilds_expected(guilds), 2500);
	guilds_close(guilds);
}

static void damage_is_detected(void **state)
{
	static const off_t sizes[] = { 1, 4096, 8191, 8192, 12288 };
	struct guilds *guilds = open_guilds(true);
	char path[128];
	size_t i;

	(void)state;
	snprintf(path, sizeof(path), "%s/cache-1-7/data.mdb", dir);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t id;

		guilds_ready_begin(guilds);
		for (id = 1; id <= 1000; id++)
			assert_int_equal(guilds_ready_add(guilds, id), 0);
		guilds_close(guilds);
		assert_int_equal(truncate(path, sizes[i]), 0);
		guilds = open_guilds(true);
		assert_int_equal(guilds_count(guilds), 0);
	}
	guilds_close(guilds);
}

static void foreign_bytes_are_not_read(void **state)
{
	char path[128], junk[16384];
	struct guilds *guilds = open_guilds(true);
	int fd;

	(void)state;
	guilds_close(guilds);
	memset(junk, 0xA5, sizeof(junk));
	snprintf(path, sizeof(path), "%s/cache-1-7/data.mdb", dir);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	guilds_close(open_guilds(true));
}

static void a_full_shard_fits(void **state)
{
	struct guilds *guilds = open_guilds(true);
	enum guilds_change change;
	uint64_t id;
	int round;

	(void)state;
	for (round = 0; round < 20; round++) {
		assert_int_equal(guilds_ready_begin(guilds), 0);
		for (id = 1; id <= 2500; id++)
			assert_int_equal(guilds_ready_add(guilds, id << 30), 0);
		assert_int_equal(guilds_commit(guilds, 1), 0);
		for (id = 1; id <= 2500; id++) {
			assert_int_equal(guilds_created(guilds, id << 30, false, &change), 0);
			if (id % 64 == 0)
				assert_int_equal(guilds_commit(guilds, 1), 0);
		}
	}
	assert_int_equal(guilds_expected(guilds), 0);
	guilds_close(guilds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ready_list_is_counted_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(survives_kill, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damage_is_detected, set_up, tear_down),
		cmocka_unit_test_setup_teardown(foreign_bytes_are_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_shard_fits, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
