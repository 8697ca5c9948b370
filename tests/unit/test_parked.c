/* Parked events and dead letters: in the stage, in the store, on the way between them; a store that is slow, full,
 * missing or damaged; and a worker killed at every system call that it makes meanwhile. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shard/events/parked.h"
#include "shard/events/parked_stage.h"
#include "shared/base/boot_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/kv/kv.h"
#include "shared/kv/kv_reader.h"
#include "shared/log/log.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/tmpdir.h"

#define SESSION 0x8000000000000077ULL
#define WAIT_MS 20000

static char dir[TMPDIR_SIZE], runtime_dir[TMPDIR_SIZE + 8], state_dir[TMPDIR_SIZE + 8];
static struct loop loop;
static struct parked *parked;
static uint32_t stage_mib = 4, store_mib = 8;
static size_t late_count;

/* LMDB's own sync comes here first: the linker puts this before libc's. */
static _Atomic int sync_ms, syncs;

int fdatasync(int fd)
{
	struct timespec pause = { sync_ms / 1000, (long)(sync_ms % 1000) * 1000000 };

	syncs++;
	nanosleep(&pause, NULL);
	return (int)syscall(SYS_fdatasync, fd);
}

static void on_late(void *arg, const struct parked_head *head)
{
	(void)arg;
	(void)head;
	late_count++;
}

static void open_parked(bool crashed)
{
	struct parked_options options = { .runtime_dir = runtime_dir,
					  .state_dir = state_dir,
					  .generation = 1,
					  .shard_id = 3,
					  .stage_max_mib = stage_mib,
					  .store_max_mib = store_mib,
					  .max_age_days = 14,
					  .crashed = crashed,
					  .late = on_late };

	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(parked_open(&loop, &options, &parked), 0);
}

static void close_parked(void)
{
	parked_closing(parked);
	assert_int_equal(loop_finish(&loop), 0);
	parked = parked_close(parked);
}

static int set_up(void **state)
{
	(void)state;
	tmpdir_make(dir);
	snprintf(runtime_dir, sizeof(runtime_dir), "%s/run", dir);
	snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	stage_mib = 4;
	store_mib = 8;
	sync_ms = 0;
	late_count = 0;
	return mkdir(runtime_dir, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	if (parked)
		close_parked();
	umount2(state_dir, MNT_DETACH); /* of a test that failed */
	tmpdir_remove(dir);
	return 0;
}

static struct letter_key key_of(uint64_t n)
{
	return letter_key_make(SESSION, n);
}

/* The payload of event @n: text of a length that depends on it. */
static size_t make_payload(uint64_t n, char *payload)
{
	return (size_t)sprintf(
		payload,
		"{\"t\":\"MESSAGE_CREATE\",\"s\":%llu,\"op\":0,\"d\":{\"id\":\"%llu\",\"author\":{\"id\":\"%llu\"},"
		"\"x\":\"%*s\"}}",
		(unsigned long long)n, (unsigned long long)n, (unsigned long long)(1000 + n), (int)(n * 37 % 2000), "");
}

static struct letter make_letter(uint64_t n, char *payload)
{
	size_t len = make_payload(n, payload);

	return (struct letter){ .session = SESSION,
				.sequence = n,
				.guild_id = 9,
				.type = 56,
				.payload = { payload, (uint32_t)len },
				.full_len = len };
}

static int put(uint64_t n)
{
	char payload[4096];
	struct letter letter = make_letter(n, payload);

	return parked_put(parked, &letter);
}

static int bury(uint64_t n)
{
	char payload[4096];
	struct letter letter = make_letter(n, payload);

	letter.crashes = 2;
	letter.reason = (struct letter_text){ "why", 3 };
	return parked_bury(parked, &letter);
}

static void check(const struct letter *letter, uint64_t n)
{
	char payload[4096];
	size_t len = make_payload(n, payload);

	assert_int_equal(letter->sequence, n);
	assert_int_equal(letter->payload.len, len);
	assert_memory_equal(letter->payload.ptr, payload, len);
}

static void assert_parked(uint64_t n)
{
	struct letter letter;

	assert_int_equal(parked_read(parked, key_of(n), &letter), 0);
	check(&letter, n);
}

static struct parked_stats stats(void)
{
	struct parked_stats now;

	parked_stats(parked, &now);
	return now;
}

static bool is_settled(void *arg)
{
	size_t staged, stored;

	(void)arg;
	parked_tick(parked);
	parked_count_rows(parked, &staged, &stored);
	return staged == 0;
}

/* Until all is durable. */
static void settle(void)
{
	assert_true(loop_wait_for(&loop, is_settled, NULL, WAIT_MS));
}

static void what_is_parked_becomes_durable(void **state)
{
	struct parked_stats now;
	struct stat st;
	char path[300];

	(void)state;
	open_parked(false);
	assert_int_equal(access(state_dir, F_OK), -1); /* nothing is made that nobody needs */
	for (uint64_t n = 1; n <= 50; n++)
		assert_int_equal(put(n), 0);
	assert_parked(1);
	settle();
	for (uint64_t n = 1; n <= 50; n++)
		assert_parked(n);
	now = stats();
	assert_true(now.count == 50 && now.dead == 0 && !now.away);
	/* Nobody else's to read. */
	snprintf(path, sizeof(path), "%s/letters-1-3", state_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	snprintf(path, sizeof(path), "%s/letters-1-3/data.mdb", state_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Also when the machine was started anew. */
	close_parked();
	snprintf(path, sizeof(path), "rm -rf '%s'/*", runtime_dir);
	assert_int_equal(system(path), 0);
	open_parked(false);
	assert_int_equal(stats().count, 50);
	for (uint64_t n = 1; n <= 50; n++) {
		assert_parked(n);
		parked_done(parked, key_of(n));
	}
	assert_int_equal(stats().count, 0);
	settle();
	close_parked();
	open_parked(false);
	assert_int_equal(stats().count, 0);
}

static int collect(void *arg, const struct parked_head *head)
{
	struct parked_head **at = arg;

	*(*at)++ = *head;
	return 0;
}

static void order_and_what_was_begun(void **state)
{
	struct parked_head heads[8], *end = heads;
	char payload[4096];
	struct letter letter = make_letter(5, payload);

	(void)state;
	open_parked(false);
	assert_int_equal(put(300), 0);
	assert_int_equal(put(7), 0);
	letter.session = SESSION + 1;
	letter.flags = LETTER_STARTED;
	assert_int_equal(parked_put(parked, &letter), 0);
	parked_begin(parked, key_of(7));
	parked_set_crashes(parked, key_of(300), 1);
	close_parked();
	open_parked(false);
	assert_int_equal(parked_each(parked, SESSION, collect, &end), 0);
	assert_int_equal(end - heads, 3);
	assert_int_equal(heads[0].key.session, SESSION + 1); /* what is not of the session at hand is older */
	assert_true(heads[0].flags & LETTER_STARTED);
	assert_true(memcmp(&heads[1].key, &(struct letter_key){ key_of(7).session, key_of(7).sequence_be }, 16) == 0);
	assert_true(heads[1].flags & LETTER_STARTED);
	assert_false(heads[2].flags & LETTER_STARTED);
	assert_int_equal(heads[2].crashes, 1);
	assert_int_equal(parked_crashes(parked, key_of(300)), 1);
	parked_done(parked, key_of(300));
	assert_int_equal(parked_crashes(parked, key_of(300)), 0);
}

static void dead_letters_live_and_die(void **state)
{
	struct letter_id id = { .shard_id = 3, .session_low = SESSION & 0xFFFFFF, .sequence = 2 };
	struct parked_head head;
	struct letter letter;

	(void)state;
	open_parked(false);
	for (uint64_t n = 1; n <= 3; n++) {
		assert_int_equal(put(n), 0);
		if (n == 2)
			settle();
		assert_int_equal(bury(n), 0);
	}
	assert_true(stats().count == 0 && stats().dead == 3);
	settle();
	close_parked();
	open_parked(false);
	assert_true(stats().count == 0 && stats().dead == 3);
	assert_int_equal(parked_dead_find(parked, &id, &head), 0);
	assert_int_equal(parked_dead_read(parked, head.key, &letter), 0);
	check(&letter, 2);
	assert_int_equal(letter.crashes, 2);
	assert_int_equal(letter.reason.len, 3);
	/* Tried again it is both, until it is handled. */
	assert_int_equal(parked_dead_retry(parked, head.key), 0);
	assert_int_equal(parked_dead_retry(parked, head.key), -EALREADY);
	assert_int_equal(parked_dead_drop(parked, head.key), -EBUSY);
	assert_true(stats().count == 1 && stats().dead == 3);
	close_parked(); /* also for the next worker */
	open_parked(false);
	assert_int_equal(parked_dead_drop(parked, key_of(2)), -EBUSY);
	assert_parked(2);
	parked_done(parked, key_of(2));
	assert_true(stats().count == 0 && stats().dead == 2);
	/* It crashed again: what it had before counts. */
	assert_int_equal(parked_dead_retry(parked, key_of(1)), 0);
	assert_int_equal(bury(1), 0);
	assert_true(stats().count == 0 && stats().dead == 2);
	assert_int_equal(parked_dead_read(parked, key_of(1), &letter), 0);
	assert_int_equal(letter.crashes, 4);
	assert_int_equal(parked_dead_drop(parked, key_of(1)), 0);
	assert_int_equal(parked_dead_drop(parked, key_of(1)), -ENOENT);
	assert_int_equal(parked_dead_retry(parked, key_of(1)), -ENOENT);
	settle();
	close_parked();
	open_parked(false);
	assert_true(stats().count == 0 && stats().dead == 1);
}

static void what_never_made_sense_is_not_tried(void **state)
{
	char payload[4096];
	struct letter letter = make_letter(1, payload);

	(void)state;
	open_parked(false);
	letter.flags = LETTER_UNREAD;
	assert_int_equal(parked_bury(parked, &letter), 0);
	assert_int_equal(parked_dead_retry(parked, key_of(1)), -EBADMSG);
}

/* A third of a second a sync: the loop must not feel any of it. */
static void the_loop_never_waits_for_the_disk(void **state)
{
	uint64_t begin_ns, longest_ns = 0, took_ns;
	int before;

	(void)state;
	open_parked(false);
	assert_int_equal(put(1), 0);
	settle();
	before = syncs;
	sync_ms = 330;
	for (uint64_t n = 2; n <= 400; n++) {
		begin_ns = clock_monotonic_ns();
		assert_int_equal(put(n), 0);
		if (n % 3 == 0)
			parked_done(parked, key_of(n - 1));
		if (n % 50 == 0)
			assert_int_equal(bury(n), 0);
		assert_parked(1);
		parked_tick(parked);
		uv_run(&loop.uv, UV_RUN_NOWAIT);
		took_ns = clock_monotonic_ns() - begin_ns;
		longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
	}
	print_message("longest step beside syncs of 330 ms: %.3f ms\n", (double)longest_ns / 1e6);
	assert_true(longest_ns < loop_wait_slowness() * 150 * NS_PER_MS);
	sync_ms = 20;
	settle();
	assert_true(syncs > before);
	assert_true(syncs - before < 60); /* a transaction for what lay ready together, not one for each */
	sync_ms = 0;
}

/* A disk that hangs at the start keeps nobody waiting for long; what it has is taken up late. */
static void a_slow_start_brings_them_late(void **state)
{
	(void)state;
	open_parked(false);
	assert_int_equal(put(1), 0);
	assert_int_equal(put(2), 0);
	settle();
	close_parked();
	open_parked(false);
	assert_int_equal(late_count, 0);
	assert_int_equal(stats().count, 2);
	assert_int_equal(stats().count, 2);
}

static bool is_away(void *arg)
{
	(void)arg;
	parked_tick(parked);
	return stats().away;
}

static bool is_back(void *arg)
{
	(void)arg;
	parked_tick(parked);
	return !stats().away && is_settled(NULL);
}

/* What stands in the way of the state directory; and how it goes. */
static void no_folder(void)
{
	int fd = open(state_dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void a_folder(void)
{
	assert_int_equal(unlink(state_dir), 0);
}

static void a_store_that_is_away_is_made_up_for(void **state)
{
	(void)state;
	no_folder();
	open_parked(false);
	for (uint64_t n = 1; n <= 20; n++)
		assert_int_equal(put(n), 0);
	assert_int_equal(bury(21), 0);
	assert_true(loop_wait_for(&loop, is_away, NULL, WAIT_MS));
	for (uint64_t n = 1; n <= 20; n++)
		assert_parked(n);
	/* A successor finds all of it. */
	close_parked();
	open_parked(false);
	assert_true(stats().count == 20 && stats().dead == 1);
	parked_done(parked, key_of(20));
	assert_true(loop_wait_for(&loop, is_away, NULL, WAIT_MS));
	a_folder();
	assert_true(loop_wait_for(&loop, is_back, NULL, WAIT_MS));
	close_parked();
	open_parked(false);
	assert_true(stats().count == 19 && stats().dead == 1);
}

/* Its own small file system, where we may have one. */
static bool mount_small(const char *size)
{
	char options[64];

	snprintf(options, sizeof(options), "size=%s,mode=700", size);
	return mkdir(state_dir, 0700) == 0 && mount("none", state_dir, "tmpfs", 0, options) == 0;
}

static void a_full_disk_loses_nothing(void **state)
{
	uint64_t n, kept;
	int r = 0;

	(void)state;
	if (!mount_small("1m")) {
		print_message("no file system may be mounted here: a full disk is not tried\n");
		skip();
	}
	open_parked(false);
	for (n = 1; r == 0 && n < 20000; n++) {
		r = put(n);
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	}
	/* The disk takes a part, the stage the rest; then it is refused. */
	assert_int_equal(r, -ENOSPC);
	kept = n - 2;
	assert_true(kept > 1000);
	assert_true(loop_wait_for(&loop, is_away, NULL, WAIT_MS));
	assert_int_equal(stats().count, kept);
	for (n = 1; n <= kept; n++)
		assert_parked(n);
	close_parked();
	open_parked(false);
	assert_int_equal(stats().count, kept);
	for (n = 1; n <= kept; n++) {
		assert_parked(n);
		parked_done(parked, key_of(n));
	}
	assert_int_equal(stats().count, 0);
	assert_int_equal(put(1), 0);
	assert_true(loop_wait_for(&loop, is_back, NULL, WAIT_MS));
	close_parked();
	umount(state_dir);
}

static void a_read_only_disk_loses_nothing(void **state)
{
	(void)state;
	if (!mount_small("4m")) {
		print_message("no file system may be mounted here: a read-only disk is not tried\n");
		skip();
	}
	open_parked(false);
	assert_int_equal(put(1), 0);
	settle();
	close_parked();
	assert_int_equal(mount("none", state_dir, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=4m"), 0);
	open_parked(false);
	assert_int_equal(put(2), 0);
	assert_int_equal(bury(3), 0);
	assert_true(loop_wait_for(&loop, is_away, NULL, WAIT_MS));
	assert_parked(2);
	assert_int_equal(mount("none", state_dir, "tmpfs", MS_REMOUNT, "size=4m"), 0);
	assert_true(loop_wait_for(&loop, is_back, NULL, WAIT_MS));
	assert_parked(1);
	assert_parked(2);
	close_parked();
	umount(state_dir);
}

/* More than parked.max_mib: what is parked waits in the stage, the oldest dead letters go. */
static void rooms_are_bounded(void **state)
{
	uint64_t n;
	int r = 0;

	(void)state;
	store_mib = 1;
	stage_mib = 2;
	open_parked(false);
	for (n = 1; n <= 1500; n++) {
		assert_int_equal(bury(n), 0);
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	}
	assert_true(stats().dropped > 500);
	assert_true(stats().dead < 1000 && stats().dead > 100);
	for (n = 5001; r == 0 && n < 20000; n++) {
		r = put(n);
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(stats().count > 500);
	for (uint64_t m = 5001; m < n - 1; m++)
		assert_parked(m);
}

static void scribble(const char *folder, const char *name, bool cut)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/letters-1-3/data.mdb", folder);
	if (name)
		snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	if (cut)
		assert_int_equal(ftruncate(fd, 5000), 0);
	else
		for (off_t at = 0; at < 8192; at += 8)
			assert_int_equal(pwrite(fd, "nonsense", 8, at), 8);
	close(fd);
}

static void damage_is_set_aside(void **state)
{
	char path[300];

	(void)state;
	for (int cut = 0; cut <= 1; cut++) {
		open_parked(false);
		assert_int_equal(put(1), 0);
		settle();
		close_parked();
		scribble(state_dir, NULL, cut);
		open_parked(false);
		assert_int_equal(stats().count, 0);
		snprintf(path, sizeof(path), "%s/letters-1-3/data.mdb.damaged", state_dir);
		assert_int_equal(access(path, F_OK), 0);
		assert_int_equal(put(2), 0);
		settle();
		assert_parked(2);
		parked_done(parked, key_of(2));
		settle();
		close_parked();
	}
	/* The stage, too. */
	open_parked(false);
	sync_ms = 1000; /* so that it still lies there */
	assert_int_equal(put(3), 0);
	close_parked();
	sync_ms = 0;
	scribble(runtime_dir, "kept-1-3/data.mdb", true);
	open_parked(false);
	assert_int_equal(put(4), 0);
	assert_parked(4);
}

/* A tree that kills who reads it is not read twice. */
static void what_killed_its_reader_is_not_read_again(void **state)
{
	char path[300];
	int fd;

	(void)state;
	open_parked(false);
	assert_int_equal(put(1), 0);
	settle();
	close_parked();
	snprintf(path, sizeof(path), "%s/letters-1-3/checking", state_dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	open_parked(false); /* an operator's kill is no reason */
	assert_int_equal(stats().count, 1);
	close_parked();
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	open_parked(true);
	assert_int_equal(stats().count, 0);
	snprintf(path, sizeof(path), "%s/letters-1-3/data.mdb.damaged", state_dir);
	assert_int_equal(access(path, F_OK), 0);
}

/* The files of the version before: one environment on tmpfs, a head of another form. */
static void the_version_before_is_taken_over(void **state)
{
	static const struct {
		int64_t wall_ms;
		uint32_t crashes, started;
		char reason[128];
	} head = { 1, 2, 1, "crashed its worker" };
	char path[300], row[4096 + sizeof(head)];
	struct kv_options options = { .path = path,
				      .map_bytes = 4 << 20,
				      .flags = KV_VOLATILE,
				      .tables = letter_tables,
				      .table_count = LETTER_TABLE_COUNT };
	struct letter letter;
	struct kv *kv;
	bool fresh;

	(void)state;
	snprintf(path, sizeof(path), "%s/parked-1-3", runtime_dir);
	assert_int_equal(kv_open(&options, &fresh, &kv), 0);
	memcpy(row, &head, sizeof(head));
	for (uint64_t n = 1; n <= 3; n++) {
		struct letter_key key = key_of(n);
		size_t len = make_payload(n, row + sizeof(head));

		assert_int_equal(kv_put(kv, n == 3 ? LETTER_DEAD : LETTER_PARKED,
					(struct kv_bytes){ &key, sizeof(key) },
					(struct kv_bytes){ row, sizeof(head) + len }),
				 0);
	}
	kv_close(kv);
	open_parked(false);
	assert_true(stats().count == 2 && stats().dead == 1);
	assert_parked(1);
	assert_int_equal(parked_dead_read(parked, key_of(3), &letter), 0);
	check(&letter, 3);
	assert_int_equal(letter.crashes, 2);
	assert_memory_equal(letter.reason.ptr, "crashed its worker", letter.reason.len);
	assert_memory_equal(letter.dispatch.ptr, "MESSAGE_CREATE", letter.dispatch.len);
	assert_int_equal(access(path, F_OK), -1);
	settle();
	close_parked();
	open_parked(false);
	assert_true(stats().count == 2 && stats().dead == 1);
}

static void set_log(void)
{
	log_setup(&(struct log_options){ .level = getenv("SHOAL_TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_AUDIT,
					 .format = LOG_FORMAT_HUMAN,
					 .program = "test_parked",
					 .fd = 2 });
}

static _Atomic int warned;

static void count_errors(void *arg, const char *event, int32_t shard, const char *text)
{
	(void)arg;
	(void)shard;
	(void)text;
	warned += strcmp(event, "parked.away") == 0;
}

/* One line for one trouble, however long it lasts. */
static void a_trouble_is_said_once(void **state)
{
	uint64_t now_ns = clock_monotonic_ns();
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	warned = 0;
	assert_true(nowhere >= 0);
	log_setup(&(struct log_options){
		.level = LOG_LEVEL_ERROR, .format = LOG_FORMAT_JSON, .program = "test_parked", .fd = nowhere });
	log_observe(count_errors, NULL);
	clock_set_fake(&now_ns);
	no_folder();
	open_parked(false);
	for (uint64_t n = 1; n <= 5; n++) {
		assert_int_equal(put(n), 0);
		assert_true(loop_wait_for(&loop, is_away, NULL, WAIT_MS));
		now_ns += 6 * NS_PER_S; /* it is tried again */
	}
	assert_int_equal(warned, 1);
	clock_set_fake(NULL);
	log_observe(NULL, NULL);
	set_log();
	close(nowhere);
}

/* --- a member's wish, tokens, age
 * ------------------------------------------------------------------------------------- */

static int forgotten = -1;

static void on_forgotten(void *arg, int error, size_t count)
{
	(void)arg;
	assert_int_equal(error, 0);
	forgotten = (int)count;
}

static bool is_forgotten(void *arg)
{
	(void)arg;
	return forgotten >= 0;
}

static void forget_user(uint64_t user_id, int wanted)
{
	forgotten = -1;
	assert_int_equal(parked_forget_user(parked, user_id, on_forgotten, NULL), 0);
	assert_true(loop_wait_for(&loop, is_forgotten, NULL, WAIT_MS));
	assert_int_equal(forgotten, wanted);
}

static void a_member_is_erased(void **state)
{
	struct letter letter;

	(void)state;
	open_parked(false);
	forget_user(1001, 0);
	for (uint64_t n = 1; n <= 10; n++)
		assert_int_equal(n <= 5 ? put(n) : bury(n), 0);
	settle();
	for (uint64_t n = 11; n <= 12; n++) /* these are still in the stage */
		assert_int_equal(put(n), 0);
	forget_user(1002, 1);
	forget_user(1007, 1);
	forget_user(1011, 1);
	forget_user(4711, 0);
	assert_int_equal(parked_read(parked, key_of(2), &letter), -SHOAL_EREFUSED);
	assert_int_equal(parked_read(parked, key_of(11), &letter), -SHOAL_EREFUSED);
	assert_int_equal(parked_dead_read(parked, key_of(7), &letter), -ENOENT);
	assert_parked(12);
	assert_true(stats().count == 5 && stats().dead == 4);
	parked_done(parked, key_of(2)); /* whoever had it comes to an end, too */
	assert_int_equal(parked_read(parked, key_of(2), &letter), -ENOENT);
	settle();
	close_parked();
	open_parked(false);
	assert_true(stats().count == 5 && stats().dead == 4);
	assert_int_equal(parked_read(parked, key_of(11), &letter), -ENOENT);
}

static int put_token(uint64_t n, bool dead)
{
	static const char payload[] = "{\"t\":\"INTERACTION_CREATE\",\"d\":{\"id\":\"5\",\"token\":\"secretsecret\"}}";
	struct letter letter = { .session = SESSION,
				 .sequence = n,
				 .payload = { payload, sizeof(payload) - 1 },
				 .full_len = sizeof(payload) - 1 };

	return dead ? parked_bury(parked, &letter) : parked_put(parked, &letter);
}

static bool is_blank(void *arg)
{
	struct letter letter;
	int r;

	parked_tick(parked);
	r = *(bool *)arg ? parked_dead_read(parked, key_of(2), &letter) : parked_read(parked, key_of(1), &letter);
	return r == 0 && !letter_has_token(letter.payload.ptr, letter.payload.len);
}

static void tokens_are_taken_out_in_time(void **state)
{
	uint64_t now_ns = clock_monotonic_ns();
	bool dead = true, alive = false;
	struct letter letter;

	(void)state;
	clock_set_fake(&now_ns);
	open_parked(false);
	assert_int_equal(put_token(1, false), 0);
	assert_int_equal(put_token(2, true), 0);
	now_ns += (LETTER_TOKEN_AGE_MS - 60000) * NS_PER_MS;
	parked_tick(parked);
	now_ns += 30 * NS_PER_S;
	parked_tick(parked);
	assert_int_equal(parked_read(parked, key_of(1), &letter), 0);
	assert_non_null(memmem(letter.payload.ptr, letter.payload.len, "secret", 6)); /* not too early */
	settle();
	now_ns += 60 * NS_PER_S;
	assert_true(loop_wait_for(&loop, is_blank, &alive, WAIT_MS));
	assert_true(loop_wait_for(&loop, is_blank, &dead, WAIT_MS));
	/* In the stage, too. */
	sync_ms = 500;
	assert_int_equal(put_token(3, false), 0);
	now_ns += LETTER_TOKEN_AGE_MS * NS_PER_MS + 60 * NS_PER_S;
	parked_tick(parked);
	assert_int_equal(parked_read(parked, key_of(3), &letter), 0);
	assert_null(memmem(letter.payload.ptr, letter.payload.len, "secret", 6));
	sync_ms = 0;
	settle();
	assert_int_equal(parked_read(parked, key_of(3), &letter), 0);
	assert_null(memmem(letter.payload.ptr, letter.payload.len, "secret", 6));
	clock_set_fake(NULL);
}

static void what_is_too_old_goes(void **state)
{
	uint64_t now_ns = clock_monotonic_ns();

	(void)state;
	clock_set_fake(&now_ns);
	open_parked(false);
	assert_int_equal(put(1), 0);
	assert_int_equal(bury(2), 0);
	parked_tick(parked);
	now_ns += 13ULL * 24 * 3600 * NS_PER_S;
	parked_tick(parked);
	assert_true(stats().count == 1 && stats().dead == 1);
	now_ns += 2ULL * 24 * 3600 * NS_PER_S;
	parked_tick(parked);
	assert_true(stats().count == 0 && stats().dead == 0);
	assert_int_equal(stats().dropped, 2);
	clock_set_fake(NULL);
}

/* --- killed at every system call
 * -------------------------------------------------------------------------------------- */

#define EVENTS 6

/* What the child says that it was told, in memory that outlives it. */
struct told {
	_Atomic int parked[EVENTS + 1], done[EVENTS + 1], dead[EVENTS + 1], dropped[EVENTS + 1];
	_Atomic int durable;
};

static void work(struct told *told)
{
	uint64_t n;

	open_parked(false);
	for (n = 1; n <= EVENTS; n++) {
		if (put(n) == 0)
			told->parked[n] = 1;
	}
	parked_begin(parked, key_of(1));
	parked_done(parked, key_of(1));
	told->done[1] = 1;
	settle();
	told->durable = 1;
	parked_done(parked, key_of(2));
	told->done[2] = 1;
	if (bury(3) == 0)
		told->dead[3] = 1;
	if (bury(4) == 0)
		told->dead[4] = 1;
	settle();
	if (parked_dead_drop(parked, key_of(3)) == 0)
		told->dropped[3] = 1;
	if (parked_dead_retry(parked, key_of(4)) == 0)
		parked_done(parked, key_of(4));
	told->dropped[4] = 1;
	settle();
	close_parked();
}

static bool is_there(uint64_t n, bool dead)
{
	struct letter letter;
	int r = dead ? parked_dead_read(parked, key_of(n), &letter) : parked_read(parked, key_of(n), &letter);

	if (r == 0)
		check(&letter, n);
	else
		assert_int_equal(r, -ENOENT);
	return r == 0;
}

/* What holds whenever it died: nothing that was taken is gone, nothing that was done is back. */
static void judge(const struct told *told)
{
	open_parked(false);
	for (uint64_t n = 1; n <= EVENTS; n++) {
		bool in_parked = is_there(n, false), in_dead = is_there(n, true);

		if (told->done[n])
			assert_false(in_parked || in_dead);
		else if (told->dropped[n])
			assert_false(in_parked || in_dead);
		else if (told->dead[n] && !told->durable)
			assert_true(in_dead);
		else if (told->dead[n])
			assert_true(in_dead || n == 3 || n == 4); /* it may be on its way out */
		else if (told->parked[n] && n >= 5)
			assert_true(in_parked);
		else if (told->parked[n] && n != 1 && n != 2)
			assert_true(in_parked || in_dead);
	}
	close_parked();
}

static bool step(pid_t *pid, uint64_t *steps, uint64_t kill_at, pid_t child)
{
	int status;

	*pid = waitpid(-1, &status, __WALL);
	if (*pid < 0)
		return false;
	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		if (*pid != child)
			return true;
		assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
		return false;
	}
	if (WSTOPSIG(status) == (SIGTRAP | 0x80) && ++*steps == kill_at) {
		kill(child, SIGKILL);
		return true;
	}
	ptrace(PTRACE_SYSCALL, *pid, NULL,
	       (void *)(uintptr_t)(WSTOPSIG(status) == (SIGTRAP | 0x80) || WSTOPSIG(status) == SIGTRAP ||
						   WSTOPSIG(status) == SIGSTOP
					   ? 0
					   : WSTOPSIG(status)));
	return true;
}

/* The number of stops until the child was killed or came to its end; 0: its end. */
static uint64_t run_child(struct told *told, uint64_t kill_at)
{
	uint64_t steps = 0;
	pid_t child = fork(), pid;
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		work(told);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, __WALL), child);
	ptrace(PTRACE_SETOPTIONS, child, NULL,
	       (void *)(uintptr_t)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL));
	ptrace(PTRACE_SYSCALL, child, NULL, NULL);
	while (step(&pid, &steps, kill_at, child))
		;
	return steps >= kill_at ? steps : 0;
}

static void killed_at_every_system_call(void **state)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t kill_at = 1, kills = 0, every = loop_wait_slowness() > 1 ? 37 : 2;

	(void)state;
	assert_true(told != MAP_FAILED);
	for (;; kill_at += every) {
		uint64_t reached;

		memset(told, 0, sizeof(*told));
		reached = run_child(told, kill_at);
		judge(told);
		tmpdir_remove(dir);
		assert_int_equal(mkdir(dir, 0700), 0);
		assert_int_equal(mkdir(runtime_dir, 0700), 0);
		if (reached == 0)
			break;
		kills++;
	}
	print_message("%llu kills, the last one after %llu stops\n", (unsigned long long)kills,
		      (unsigned long long)kill_at);
	assert_true(kills > 20);
	munmap(told, sizeof(*told));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_parked_becomes_durable),
		TEST(order_and_what_was_begun),
		TEST(dead_letters_live_and_die),
		TEST(what_never_made_sense_is_not_tried),
		TEST(the_loop_never_waits_for_the_disk),
		TEST(a_slow_start_brings_them_late),
		TEST(a_store_that_is_away_is_made_up_for),
		TEST(a_full_disk_loses_nothing),
		TEST(a_read_only_disk_loses_nothing),
		TEST(rooms_are_bounded),
		TEST(damage_is_set_aside),
		TEST(what_killed_its_reader_is_not_read_again),
		TEST(the_version_before_is_taken_over),
		TEST(a_trouble_is_said_once),
		TEST(a_member_is_erased),
		TEST(tokens_are_taken_out_in_time),
		TEST(what_is_too_old_goes),
		TEST(killed_at_every_system_call),
	};

	set_log();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
