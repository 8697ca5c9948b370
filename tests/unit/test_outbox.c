/* The outbox against a real PostgreSQL: which way writes go, their order, the database away and back, connections cut
 * under them, writes that the database refuses, files of other shard counts, and a process killed before any of its
 * system calls. What was acknowledged is in the database once.
 *
 *   test_outbox [FILTER]     the tests; CHAOS_KILLS=N and CHAOS_SEED=N for the last two (make chaos)
 *   test_outbox victim …     a process that is to be killed */
#include "shared/db/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/db/migrate.h"
#include "shared/db/outbox_file.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/pg_database.h"
#include "tests/unit/tcp_proxy.h"
#include "tests/unit/tmpdir.h"

#define WAIT_MS  30000
#define CORE_SQL "sql"
#define KEYS     4

static struct pg_database database;
static struct loop loop;
static struct tcp_proxy proxy;
static char dir[TMPDIR_SIZE];

/* Every write leaves a line: who counts them sees what was lost or doubled, and in which order it came. */
#define ADD_SQL "INSERT INTO trail (k, n, words) VALUES ($1, $2, $3)"
static const struct statement rows[] = {
	{ .name = "add",
	  .sql = ADD_SQL " RETURNING id",
	  .params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT },
	  .columns = { DB_TYPE_INT8 } },
	{ .name = "add_late",
	  .sql = "INSERT INTO trail (k, n, words) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM trail WHERE k = $1"
		 " AND at > $4) RETURNING id",
	  .params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_TIMESTAMPTZ },
	  .columns = { DB_TYPE_INT8 } },
	/* Fails while the switch is off. */
	{ .name = "switched",
	  .sql = "INSERT INTO trail (k, n, words) SELECT $1, $2 / (SELECT is_on FROM switch), $3",
	  .params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT } },
	{ .name = "slow",
	  .sql = "INSERT INTO trail (k, n, words) SELECT $1, $2, $3 FROM pg_sleep(1)",
	  .params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT } },
	{ .name = "look", .sql = "SELECT 1::bigint", .columns = { DB_TYPE_INT8 }, .flags = STATEMENT_READ_ONLY },
};
static const struct statement_set test_set = { "test", rows, ARRAY_SIZE(rows) };

/* One process's part of it. */
struct seat {
	struct db *db;
	struct outbox *outbox;
	size_t open, written, kept, failed, wanted_waiting;
	int last_error;
	bool db_closed, outbox_closed;
	size_t done_count;
	int done_error, done_calls;
};

static void on_up(void *arg)
{
	outbox_wake(((struct seat *)arg)->outbox);
}

static const struct db_events db_events = { .up = on_up };

static struct outbox_options options_of(uint32_t shard_count)
{
	return (struct outbox_options){ .state_dir = dir,
					.shard_id = 1,
					.shard_count = shard_count,
					.max_mib = 4,
					.max_entries = 5000,
					.dead_keep_days = 30 };
}

static const char *through_proxy(void)
{
	char port[16];

	snprintf(port, sizeof(port), "%u", proxy.port);
	return pg_conninfo(&database, "127.0.0.1", port, NULL, NULL, NULL, "sslmode=disable");
}

static void sit_down(struct seat *seat, const char *conninfo, const struct outbox_options *options)
{
	struct db_options db = { .conninfo = conninfo,
				 .application_name = "test_outbox",
				 .prepared = true,
				 .connections = 2,
				 .connect_timeout_ms = 2000,
				 .statement_timeout_ms = 5000 };

	memset(seat, 0, sizeof(*seat));
	assert_int_equal(db_new(&loop, &db, &db_events, seat, &seat->db), 0);
	assert_int_equal(db_add_set(seat->db, &test_set), 0);
	assert_int_equal(outbox_new(&loop, options, seat->db, &seat->outbox), 0);
	loop_take_lag(&loop);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

static bool both_closed(void *arg)
{
	struct seat *seat = arg;

	return seat->db_closed && seat->outbox_closed;
}

static void get_up(struct seat *seat)
{
	assert_true(loop_take_lag(&loop) < loop_wait_lag_max());
	outbox_closing(seat->outbox);
	db_close(seat->db, set_flag, &seat->db_closed);
	outbox_close(seat->outbox, set_flag, &seat->outbox_closed);
	assert_true(loop_wait_for(&loop, both_closed, seat, WAIT_MS));
}

static void on_end(void *arg, int error, enum outbox_how how, const struct db_result *result)
{
	struct seat *seat = arg;

	(void)result;
	seat->open--;
	seat->last_error = error;
	if (error < 0)
		seat->failed++;
	else if (how == OUTBOX_WRITTEN)
		seat->written++;
	else
		seat->kept++;
}

struct say {
	const char *statement;
	int64_t key, n;
	uint64_t token;
	bool at_once;
	const char *value;
};

static int say_to(struct seat *seat, const struct say *say, outbox_fn fn, void *arg)
{
	struct db_param params[] = { DB_INT8(say->key), DB_INT8(say->n), DB_TEXT("words", 5) };
	char value[32];
	struct outbox_write write = { .owner = "test",
				      .statement = say->statement ? say->statement : "add",
				      .params = params,
				      .param_count = ARRAY_SIZE(params),
				      .key = { (uint64_t)say->key, "trail/n" },
				      .token = say->token,
				      .at_once = say->at_once,
				      .value = value };

	snprintf(value, sizeof(value), "%" PRId64, say->n);
	write.value_len = strlen(value);
	return outbox_write(seat->outbox, &write, fn, arg);
}

static void say(struct seat *seat, struct say what)
{
	seat->open++;
	assert_int_equal(say_to(seat, &what, on_end, seat), 0);
}

static bool none_open(void *arg)
{
	return ((struct seat *)arg)->open == 0;
}

static void wait_ends(struct seat *seat)
{
	assert_true(loop_wait_for(&loop, none_open, seat, WAIT_MS));
}

static struct outbox_stats stats_of(struct seat *seat)
{
	struct outbox_stats stats;

	outbox_stats(seat->outbox, &stats);
	return stats;
}

static bool is_empty(void *arg)
{
	return stats_of(arg).waiting == 0;
}

static void wait_empty(struct seat *seat)
{
	if (!loop_wait_for(&loop, is_empty, seat, WAIT_MS))
		fail_msg("still waiting: %zu, %s", stats_of(seat).waiting, stats_of(seat).reason);
}

static int64_t number_of(const char *sql)
{
	PGconn *mine = pg_connect(&database);
	int64_t number = strtoll(pg_value(mine, sql), NULL, 10);

	PQfinish(mine);
	return number;
}

static void run_sql(const char *sql)
{
	PGconn *mine = pg_connect(&database);

	assert_true(pg_exec(mine, sql));
	PQfinish(mine);
}

static int64_t lines(void)
{
	return number_of("SELECT count(*) FROM trail");
}

/* Each number once, and each key's in order. */
static void check_trail(void)
{
	assert_int_equal(number_of("SELECT count(*) - count(DISTINCT n) FROM trail"), 0);
	assert_int_equal(number_of("SELECT count(*) FROM (SELECT n, lag(n) OVER (PARTITION BY k ORDER BY id) AS before"
				   " FROM trail) AS t WHERE n < before"),
			 0);
}

static void go_away(struct seat *seat)
{
	tcp_proxy_set(&proxy, &proxy.closed_door, true);
	tcp_proxy_set(&proxy, &proxy.cut, true);
	(void)seat;
}

static void come_back(void)
{
	tcp_proxy_set(&proxy, &proxy.closed_door, false);
}

/* --- which way ---------------------------------------------------------------------------------------------------- */

static void test_straight(void **state)
{
	struct outbox_options options = options_of(4);
	const char *value = NULL;
	struct seat seat;
	uint64_t asked_ns;
	char path[OUTBOX_PATH_SIZE];

	(void)state;
	sit_down(&seat, database.conninfo, &options);
	assert_true(outbox_is_idle(seat.outbox));
	asked_ns = clock_monotonic_ns();
	for (int64_t n = 1; n <= 40; n++)
		say(&seat, (struct say){ .key = n % KEYS, .n = n });
	/* On its way: a question beside it may be answered without it, so the newest value is there to be asked for. */
	assert_true(outbox_under_way(seat.outbox, (struct outbox_key){ 1, "trail/n" }, &value, NULL));
	assert_string_equal(value, "37");
	assert_false(outbox_pending(seat.outbox, (struct outbox_key){ 1, "trail/n" }, asked_ns, &value, NULL));
	assert_false(outbox_under_way(seat.outbox, (struct outbox_key){ 1, "trail/m" }, &value, NULL));
	wait_ends(&seat);
	assert_false(outbox_under_way(seat.outbox, (struct outbox_key){ 1, "trail/n" }, &value, NULL));
	assert_int_equal(seat.written, 40);
	assert_int_equal(lines(), 40);
	check_trail();
	/* Nothing waits; only who had asked before sees what came meanwhile. */
	assert_false(outbox_is_idle(seat.outbox));
	assert_false(outbox_pending(seat.outbox, (struct outbox_key){ 1, "trail/n" }, 0, &value, NULL));
	assert_true(outbox_pending(seat.outbox, (struct outbox_key){ 1, "trail/n" }, asked_ns, &value, NULL));
	assert_string_equal(value, "37");
	assert_false(outbox_pending(seat.outbox, (struct outbox_key){ 1, "trail/n" }, clock_monotonic_ns() + 1, &value,
				    NULL));
	get_up(&seat);
	assert_int_equal(outbox_file_path(dir, 1, 4, path), 0);
	assert_false(outbox_file_exists(path)); /* none was needed */
}

static void test_at_once(void **state)
{
	struct outbox_options options = options_of(4);
	struct seat seat;

	(void)state;
	sit_down(&seat, database.conninfo, &options);
	for (int64_t n = 1; n <= 100; n++)
		say(&seat, (struct say){ .key = n % KEYS, .n = n, .at_once = true });
	wait_ends(&seat);
	assert_int_equal(seat.kept, 100);
	wait_empty(&seat);
	assert_int_equal(lines(), 100);
	check_trail();
	assert_int_equal(number_of("SELECT count(*) FROM shoal.outbox_cursor WHERE kind = 0"), 1);
	get_up(&seat);
}

static void test_bad_calls(void **state)
{
	struct outbox_options options = options_of(4);
	struct db_param params[] = { DB_INT8(1), DB_INT8(2), DB_TEXT("a\0b", 3) };
	struct outbox_write write = {
		.owner = "test", .statement = "add", .params = params, .param_count = 3, .key = { 1, "k" }
	};
	struct seat seat;

	(void)state;
	sit_down(&seat, database.conninfo, &options);
	assert_int_equal(outbox_write(seat.outbox, &write, on_end, &seat), -EINVAL);
	params[2] = DB_INT8(3);
	assert_int_equal(outbox_write(seat.outbox, &write, on_end, &seat), -EINVAL);
	write.statement = "look";
	write.param_count = 0;
	assert_int_equal(outbox_write(seat.outbox, &write, on_end, &seat), -EINVAL);
	write.statement = "nowhere";
	assert_int_equal(outbox_write(seat.outbox, &write, on_end, &seat), -EINVAL);
	assert_int_equal(outbox_retry(seat.outbox, 0, NULL, NULL), -ENOENT);
	assert_int_equal(outbox_drop(seat.outbox, 5, NULL, NULL), -ENOENT);
	get_up(&seat);
}

/* A write that the database refuses is told so, and kept by nobody. */
static void test_refused(void **state)
{
	struct outbox_options options = options_of(4);
	struct seat seat;

	(void)state;
	run_sql("UPDATE switch SET is_on = 0");
	sit_down(&seat, database.conninfo, &options);
	say(&seat, (struct say){ .statement = "switched", .key = 1, .n = 1 });
	say(&seat, (struct say){ .key = 1, .n = 2 });
	say(&seat, (struct say){ .key = 2, .n = 3 });
	wait_ends(&seat);
	assert_int_equal(seat.failed, 1);
	assert_int_equal(seat.written, 2);
	assert_int_equal(stats_of(&seat).waiting + stats_of(&seat).dead, 0);
	assert_int_equal(lines(), 2);
	get_up(&seat);
}

/* --- away --------------------------------------------------------------------------------------------------------- */

static bool is_away(void *arg)
{
	return db_is_away(((struct seat *)arg)->db);
}

static void test_away_and_back(void **state)
{
	struct outbox_options options = options_of(4);
	const char *value = NULL;
	struct seat seat;
	int64_t n = 1;

	(void)state;
	sit_down(&seat, through_proxy(), &options);
	for (; n <= 20; n++)
		say(&seat, (struct say){ .key = n % KEYS, .n = n });
	wait_ends(&seat);
	go_away(&seat);
	for (; n <= 40; n++)
		say(&seat, (struct say){ .key = n % KEYS, .n = n });
	wait_ends(&seat);
	assert_true(loop_wait_for(&loop, is_away, &seat, WAIT_MS));
	for (; n <= 300; n++)
		say(&seat, (struct say){ .key = n % KEYS, .n = n });
	wait_ends(&seat);
	assert_int_equal(seat.written + seat.kept, 300);
	assert_true(seat.kept >= 260);
	assert_true(stats_of(&seat).waiting >= 260);
	assert_true(stats_of(&seat).oldest_ms > 0);
	assert_true(outbox_pending(seat.outbox, (struct outbox_key){ 2, "trail/n" }, 0, &value, NULL));
	assert_string_equal(value, "298");
	assert_false(outbox_pending(seat.outbox, (struct outbox_key){ 2, "trail/m" }, 0, &value, NULL));
	assert_false(outbox_is_idle(seat.outbox));

	/* The worker goes, and another one comes, before the database does. */
	get_up(&seat);
	sit_down(&seat, through_proxy(), &options);
	assert_true(stats_of(&seat).waiting >= 260);
	assert_true(outbox_pending(seat.outbox, (struct outbox_key){ 2, "trail/n" }, 0, &value, NULL));
	assert_string_equal(value, "298");
	come_back();
	/* Meanwhile its own ones: of a key that waits they queue up. */
	for (; n <= 340; n++)
		say(&seat, (struct say){ .key = n % KEYS, .n = n });
	wait_empty(&seat);
	wait_ends(&seat);
	assert_false(outbox_pending(seat.outbox, (struct outbox_key){ 2, "trail/n" }, 0, &value, NULL));
	assert_int_equal(lines(), 340);
	check_trail();
	get_up(&seat);
	/* Nothing is left, and nothing comes again. */
	sit_down(&seat, through_proxy(), &options);
	assert_int_equal(stats_of(&seat).waiting, 0);
	get_up(&seat);
	assert_int_equal(lines(), 340);
}

static void test_full(void **state)
{
	struct outbox_options options = options_of(4);
	struct seat seat;
	int64_t n = 1;
	int r = 0;

	(void)state;
	options.max_entries = 50;
	go_away(NULL);
	sit_down(&seat, through_proxy(), &options);
	for (; r == 0 && n < 1000; n++) {
		r = say_to(&seat, &(struct say){ .key = n % KEYS, .n = n, .at_once = true }, on_end, &seat);
		seat.open += r == 0;
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(n, 52);
	wait_ends(&seat);
	assert_int_equal(seat.kept, 50);
	assert_true(stats_of(&seat).refused > 0);
	/* One that went straight first, and finds the outbox full: told so. */
	say(&seat, (struct say){ .key = 99, .n = 99 });
	wait_ends(&seat);
	assert_int_equal(seat.last_error, -ENOSPC);
	come_back();
	wait_empty(&seat);
	say(&seat, (struct say){ .key = 1, .n = 200, .at_once = true });
	wait_ends(&seat);
	assert_int_equal(seat.last_error, 0);
	wait_empty(&seat);
	assert_int_equal(lines(), 51);
	check_trail();
	get_up(&seat);
}

/* The state directory is not one: with the database up nobody notices; with it away writes are refused in words. */
static void test_no_folder(void **state)
{
	struct outbox_options options = options_of(4);
	char nowhere[128];
	struct seat seat;

	(void)state;
	snprintf(nowhere, sizeof(nowhere), "%s/missing", dir);
	options.state_dir = nowhere;
	sit_down(&seat, through_proxy(), &options);
	say(&seat, (struct say){ .key = 1, .n = 1 });
	wait_ends(&seat);
	assert_int_equal(seat.written, 1);
	say(&seat, (struct say){ .key = 1, .n = 2, .at_once = true });
	wait_ends(&seat);
	assert_int_equal(seat.last_error, -ENOENT);
	assert_int_equal(stats_of(&seat).error, -ENOENT);
	assert_int_equal(mkdir(nowhere, 0700), 0);
	for (int64_t n = 3; seat.kept == 0 && n < 10000000; n++) { /* it is tried again after a while */
		say(&seat, (struct say){ .key = 1, .n = n, .at_once = true });
		wait_ends(&seat);
	}
	assert_int_equal(seat.last_error, 0);
	assert_int_equal(stats_of(&seat).error, 0);
	wait_empty(&seat);
	check_trail();
	get_up(&seat);
}

/* --- twice -------------------------------------------------------------------------------------------------------- */

static void test_token(void **state)
{
	struct outbox_options options = options_of(4);
	struct seat seat;

	(void)state;
	sit_down(&seat, through_proxy(), &options);
	for (int i = 0; i < 3; i++) {
		say(&seat, (struct say){ .key = 1, .n = 1, .token = 1001 });
		wait_ends(&seat);
	}
	assert_int_equal(seat.written, 3);
	assert_int_equal(lines(), 1);
	say(&seat, (struct say){ .key = 2, .n = 2, .token = 1001 }); /* the same one's, about another key */
	wait_ends(&seat);
	assert_int_equal(lines(), 2);

	go_away(&seat);
	for (int i = 0; i < 3; i++)
		say(&seat, (struct say){ .key = 1, .n = 3, .token = 1002 });
	wait_ends(&seat);
	say(&seat, (struct say){ .key = 1, .n = 3, .token = 1002 });
	say(&seat, (struct say){ .key = 1, .n = 1, .token = 1001, .at_once = true }); /* long there */
	wait_ends(&seat);
	get_up(&seat);
	sit_down(&seat, through_proxy(), &options);
	say(&seat, (struct say){ .key = 1, .n = 3, .token = 1002 }); /* by the next worker */
	wait_ends(&seat);
	come_back();
	wait_empty(&seat);
	say(&seat, (struct say){ .key = 1, .n = 3, .token = 1002 });
	wait_ends(&seat);
	assert_int_equal(seat.failed, 0);
	assert_int_equal(lines(), 3);
	check_trail();
	get_up(&seat);
}

/* Closed with writes under way: nobody is told that they are done, and the next one settles them. */
static void test_closed_under_way(void **state)
{
	struct outbox_options options = options_of(4);
	struct seat seat;

	(void)state;
	sit_down(&seat, through_proxy(), &options);
	say(&seat, (struct say){ .key = 1, .n = 1 });
	wait_ends(&seat);
	tcp_proxy_set(&proxy, &proxy.hold, true);
	for (int64_t n = 2; n <= 9; n++)
		say(&seat, (struct say){ .key = n, .n = n });
	say(&seat, (struct say){ .key = 20, .n = 10, .at_once = true });
	for (int turns = 0; turns < 20; turns++)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	get_up(&seat);
	assert_int_equal(seat.open, 0);
	assert_int_equal(seat.failed + seat.kept, 9);
	tcp_proxy_set(&proxy, &proxy.hold, false);
	sit_down(&seat, through_proxy(), &options);
	assert_int_equal(stats_of(&seat).waiting, 9);
	wait_empty(&seat);
	assert_int_equal(lines(), 10);
	check_trail();
	get_up(&seat);
}

/* --- dead letters ------------------------------------------------------------------------------------------------- */

static void on_done(void *arg, int error, size_t count)
{
	struct seat *seat = arg;

	seat->done_calls++;
	seat->done_error = error;
	seat->done_count = count;
}

static bool done_called(void *arg)
{
	return ((struct seat *)arg)->done_calls > 0;
}

static void wait_done(struct seat *seat)
{
	assert_true(loop_wait_for(&loop, done_called, seat, WAIT_MS));
	seat->done_calls = 0;
}

static int note_dead(void *arg, const struct outbox_item *item)
{
	if (item->dead) {
		assert_true(item->reason[0]);
		assert_true(item->died_ms >= item->created_ms);
		*(uint64_t *)arg = item->id;
	}
	return 0;
}

static uint64_t last_dead(struct seat *seat)
{
	uint64_t id = 0;

	assert_int_equal(outbox_each(seat->outbox, note_dead, &id), 0);
	return id;
}

static void test_poison(void **state)
{
	struct outbox_options options = options_of(4);
	const char *value;
	struct seat seat;
	int64_t n;

	(void)state;
	run_sql("UPDATE switch SET is_on = 0");
	sit_down(&seat, database.conninfo, &options);
	for (n = 1; n <= 60; n++)
		say(&seat,
		    (struct say){
			    .statement = n % 20 == 5 ? "switched" : NULL, .key = n % KEYS, .n = n, .at_once = true });
	wait_ends(&seat);
	wait_empty(&seat);
	assert_int_equal(stats_of(&seat).dead, 3);
	assert_int_equal(stats_of(&seat).buried, 3);
	assert_int_equal(lines(), 57); /* the rest went on */
	check_trail();
	assert_false(outbox_pending(seat.outbox, (struct outbox_key){ 1, "trail/n" }, 0, &value, NULL));

	/* Over the end of the process, too. */
	get_up(&seat);
	sit_down(&seat, database.conninfo, &options);
	assert_int_equal(stats_of(&seat).dead, 3);
	assert_int_equal(outbox_drop(seat.outbox, last_dead(&seat), on_done, &seat), 0);
	wait_done(&seat);
	assert_int_equal(seat.done_error, 0);
	assert_int_equal(seat.done_count, 1);
	/* Tried again in vain, and again when the cause is gone. */
	assert_int_equal(outbox_retry(seat.outbox, 0, on_done, &seat), 0);
	wait_done(&seat);
	assert_int_equal(seat.done_count, 2);
	wait_empty(&seat);
	assert_int_equal(stats_of(&seat).dead, 2);
	run_sql("UPDATE switch SET is_on = 1");
	assert_int_equal(outbox_retry(seat.outbox, last_dead(&seat), on_done, &seat), 0);
	wait_done(&seat);
	wait_empty(&seat);
	assert_int_equal(outbox_retry(seat.outbox, 0, on_done, &seat), 0);
	wait_done(&seat);
	wait_empty(&seat);
	assert_int_equal(stats_of(&seat).dead, 0);
	assert_int_equal(lines(), 59);
	assert_int_equal(number_of("SELECT count(*) - count(DISTINCT n) FROM trail"), 0);
	get_up(&seat);
}

/* Kept by a program that knows a statement which this one does not. */
static void test_foreign_statement(void **state)
{
	static const struct statement theirs[] = {
		{ .name = "gone", .sql = ADD_SQL, .params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT } },
		{ .name = "add", .sql = ADD_SQL, .params = { DB_TYPE_INT8, DB_TYPE_INT8 } }
	};
	struct outbox_options options = options_of(4);
	struct outbox_file_options file_options = { .max_mib = 4 };
	struct db_param params[] = { DB_INT8(1), DB_INT8(2), DB_TEXT("x", 1) };
	struct outbox_found found;
	struct outbox_file *file;
	struct seat seat;

	(void)state;
	assert_int_equal(outbox_file_path(dir, 1, 4, file_options.path), 0);
	assert_int_equal(outbox_file_open(&file_options, &found, &file), 0);
	for (size_t i = 0; i < 2; i++) {
		struct outbox_write write = { .owner = "test",
					      .statement = theirs[i].name,
					      .params = params,
					      .param_count = statement_param_count(&theirs[i]),
					      .key = { 1, "trail/n" } };
		struct outbox_entry *entry;

		assert_int_equal(outbox_entry_new(&write, &theirs[i], &entry), 0);
		assert_int_equal(outbox_file_put(file, entry), 0);
		outbox_entry_free(entry);
	}
	assert_int_equal(outbox_file_commit(file), 0);
	outbox_file_close(file);
	sit_down(&seat, database.conninfo, &options);
	say(&seat, (struct say){ .key = 1, .n = 7 });
	wait_ends(&seat);
	wait_empty(&seat);
	assert_int_equal(stats_of(&seat).dead, 2);
	assert_int_equal(lines(), 1);
	get_up(&seat);
}

/* --- other shard counts ------------------------------------------------------------------------------------------- */

static bool imported(void *arg)
{
	struct seat *seat = arg;
	char path[OUTBOX_PATH_SIZE];

	outbox_file_path(dir, 1, 4, path);
	return !outbox_file_exists(path) && stats_of(seat).applied + stats_of(seat).buried >= 9;
}

static void test_other_shard_count(void **state)
{
	struct outbox_options options = options_of(4);
	struct seat seat;

	(void)state;
	run_sql("UPDATE switch SET is_on = 0");
	go_away(NULL);
	sit_down(&seat, through_proxy(), &options);
	for (int64_t n = 1; n <= 8; n++)
		say(&seat, (struct say){ .key = n, .n = n, .at_once = true });
	say(&seat, (struct say){ .statement = "switched", .key = 50, .n = 50, .at_once = true }); /* has no late form */
	wait_ends(&seat);
	get_up(&seat);
	/* Something newer of key 3 is in the database. */
	run_sql("INSERT INTO trail (k, n, words, at) VALUES (3, 1000, '', now() + '1 s')");
	come_back();
	options = options_of(16);
	sit_down(&seat, through_proxy(), &options);
	assert_true(loop_wait_for(&loop, imported, &seat, 2 * 60000));
	assert_int_equal(lines(), 8);
	assert_int_equal(number_of("SELECT count(*) FROM trail WHERE k = 3"), 1);
	assert_int_equal(stats_of(&seat).dead, 2);
	get_up(&seat);
}

/* For `make chaos`: a line about what was seen. */
static void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void report(const char *format, ...)
{
	const char *path = getenv("CHAOS_REPORT");
	FILE *file = path && *path ? fopen(path, "ae") : NULL;
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	print_message("%s\n", line);
	if (!file)
		return;
	fprintf(file, "%s\n", line);
	fclose(file);
}

static unsigned int number_or(const char *name, unsigned int fallback)
{
	const char *text = getenv(name);

	return text && atoi(text) > 0 ? (unsigned int)atoi(text) : fallback;
}

static unsigned int seed_or(unsigned int fallback)
{
	return number_or("CHAOS_SEED", fallback);
}

/* --- cuts --------------------------------------------------------------------------------------------------------- */

struct cutting {
	struct seat seat;
	int64_t next, acknowledged, highest;
	size_t in_flight_max;
	unsigned char *ends; /* by number: 0: open, 1: acknowledged, 2: refused */
};

struct one {
	struct cutting *cutting;
	int64_t n;
};

static void on_one(void *arg, int error, enum outbox_how how, const struct db_result *result)
{
	struct one *one = arg;

	one->cutting->ends[one->n] = error == 0 ? 1 : 2;
	one->cutting->acknowledged += error == 0;
	on_end(&one->cutting->seat, error, how, result);
	free(one);
}

static void push(struct cutting *cutting)
{
	while (cutting->seat.open < cutting->in_flight_max && cutting->next < cutting->highest) {
		struct one *one = malloc(sizeof(*one));
		int64_t n = cutting->next++;

		*one = (struct one){ cutting, n };
		cutting->seat.open++;
		assert_int_equal(say_to(&cutting->seat,
					&(struct say){ /* a few that are written all the time, and many that are not */
						       .key = n % 3 == 0 ? n % 16 : 100 + n % 997,
						       .n = n,
						       .at_once = n % 7 == 0,
						       .token = n % 5 == 0 ? (uint64_t)n + 1 : 0 },
					on_one, one),
				 0);
	}
}

struct target {
	struct cutting *cutting;
	int64_t acknowledged;
};

static bool got_further(void *arg)
{
	struct target *target = arg;

	push(target->cutting);
	return target->cutting->acknowledged >= target->acknowledged ||
	       target->cutting->next >= target->cutting->highest;
}

static void run_cuts(int cuts)
{
	struct outbox_options options = options_of(4);
	struct cutting cutting = { .next = 1, .in_flight_max = 24 };
	unsigned int first_seed = seed_or(7), seed = first_seed;
	PGconn *admin = pg_connect(&database);
	struct outbox_stats stats;
	int64_t lost = 0, acked = 0;

	cutting.highest = 1 + (int64_t)cuts * 60;
	cutting.ends = calloc((size_t)cutting.highest + 1, 1);
	sit_down(&cutting.seat, through_proxy(), &options);
	for (int i = 0; i < cuts; i++) {
		struct target target = { &cutting, cutting.acknowledged + 5 + rand_r(&seed) % 40 };

		if (i % 2 == 0) /* so that the next ones go straight */
			wait_empty(&cutting.seat);
		assert_true(loop_wait_for(&loop, got_further, &target, WAIT_MS));
		switch (rand_r(&seed) % 4) {
		case 0: /* refused for a while, too */
			tcp_proxy_set(&proxy, &proxy.closed_door, true);
			tcp_proxy_set(&proxy, &proxy.cut, true);
			target.acknowledged = cutting.acknowledged + 10;
			assert_true(loop_wait_for(&loop, got_further, &target, WAIT_MS));
			come_back();
			break;
		case 1: /* by the server's own hand */
			pg_exec(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name"
				       " LIKE 'test_outbox%' AND pid <> pg_backend_pid()");
			break;
		default:
			tcp_proxy_set(&proxy, &proxy.cut, true);
		}
	}
	cutting.next = cutting.next < cutting.highest ? cutting.next : cutting.highest;
	cutting.highest = cutting.next;
	wait_ends(&cutting.seat);
	wait_empty(&cutting.seat);
	for (int64_t n = 1; n < cutting.next; n++) {
		char sql[96];

		if (cutting.ends[n] != 1)
			continue;
		acked++;
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM trail WHERE n = %" PRId64, n);
		lost += strcmp(pg_value(admin, sql), "1") != 0;
	}
	stats = stats_of(&cutting.seat);
	report("seed %u, the outbox alone: %d cuts, %" PRId64
	       " writes: %zu straight, %zu kept, %zu refused; acknowledged %" PRId64
	       ", lost or doubled of them %" PRId64 ", lines %" PRId64,
	       first_seed, cuts, cutting.next - 1, cutting.seat.written, cutting.seat.kept, cutting.seat.failed, acked,
	       lost, lines());
	assert_int_equal(lost, 0);
	assert_int_equal(cutting.seat.failed, 0);
	assert_int_equal(acked, cutting.next - 1);
	assert_int_equal(lines(), acked);
	assert_int_equal(stats.dead, 0);
	check_trail();
	PQfinish(admin);
	get_up(&cutting.seat);
	free(cutting.ends);
}

static void test_cuts(void **state)
{
	(void)state;
	run_cuts((int)number_or("CHAOS_KILLS", 12));
}

/* --- kills -------------------------------------------------------------------------------------------------------- */

#define ACKS_FD 3

/* A process that writes until it is killed, or @count are acknowledged: each acknowledged number goes down the pipe. */
struct victim {
	struct seat seat;
	int64_t next, end;
};

struct victims_one {
	struct victim *victim;
	int64_t n;
};

static void victim_push(struct victim *victim);

static void on_victims_one(void *arg, int error, enum outbox_how how, const struct db_result *result)
{
	struct victims_one *one = arg;

	if (error == 0 && write(ACKS_FD, &one->n, sizeof(one->n)) != sizeof(one->n))
		_exit(9);
	on_end(&one->victim->seat, error, how, result);
	victim_push(one->victim);
	free(one);
}

static void victim_push(struct victim *victim)
{
	while (victim->seat.open < 8 && victim->next < victim->end) {
		struct victims_one *one = malloc(sizeof(*one));

		*one = (struct victims_one){ victim, victim->next++ };
		victim->seat.open++;
		if (say_to(&victim->seat,
			   &(struct say){ .key = one->n % KEYS, .n = one->n, .at_once = one->n % 3 == 0 },
			   on_victims_one, one) < 0)
			_exit(8);
	}
}

static int run_victim(char **argv)
{
	struct victim victim = { .next = atoll(argv[3]), .end = atoll(argv[3]) + 30 };
	struct outbox_options options = options_of(4);
	int64_t next = victim.next, end = victim.end;

	snprintf(dir, sizeof(dir), "%s", argv[2]);
	if (loop_init(&loop) < 0)
		return 7;
	sit_down(&victim.seat, getenv("VICTIM_CONNINFO"), &options);
	victim.next = next;
	victim.end = end;
	victim_push(&victim);
	wait_ends(&victim.seat);
	get_up(&victim.seat);
	return 0;
}

static pid_t start_victim(int64_t first, int acks)
{
	char number[32];
	pid_t pid;

	snprintf(number, sizeof(number), "%" PRId64, first);
	setenv("VICTIM_CONNINFO", through_proxy(), 1);
	pid = fork();
	if (pid != 0)
		return pid;
	if (dup2(acks, ACKS_FD) < 0)
		_exit(6);
	/* A traced process can't look for leaks; the tests before have. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	execl("/proc/self/exe", "test_outbox", "victim", dir, number, NULL);
	_exit(6);
}

/* Runs it with all its threads up to the @stop-th system call, and kills it there. How many there were. */
static uint64_t kill_at(pid_t pid, uint64_t stop, bool *ret_killed)
{
	long options = PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD;
	uint64_t calls = 0;
	int status, sig;
	pid_t tid;

	*ret_killed = false;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status)); /* at its exec */
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, options), 0);
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	for (;;) {
		tid = waitpid(-1, &status, __WALL);
		if (tid < 0)
			return calls;
		if (!WIFSTOPPED(status)) {
			if (tid != pid)
				continue;
			if (!*ret_killed && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
				fail_msg("the writing process ended with status %x", (unsigned int)status);
			return calls;
		}
		sig = WSTOPSIG(status);
		if (sig == (SIGTRAP | 0x80) && calls++ == stop && !*ret_killed) {
			*ret_killed = true;
			kill(pid, SIGKILL);
		}
		if (sig == (SIGTRAP | 0x80) || sig == SIGTRAP || sig == SIGSTOP)
			sig = 0;
		ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(intptr_t)sig);
	}
}

static size_t take_acks(int fd, unsigned char *acked, int64_t max)
{
	size_t count = 0;
	int64_t n;

	while (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n)) {
		assert_true(n > 0 && n < max);
		assert_int_equal(acked[n], 0);
		acked[n] = 1;
		count++;
	}
	return count;
}

static void run_kills(int kills)
{
	struct outbox_options options = options_of(4);
	unsigned int first_seed = seed_or(11), seed = first_seed;
	int64_t first = 1, max = 31 * (int64_t)(kills + 2), lost = 0, doubled;
	unsigned char *acked = calloc((size_t)max, 1);
	PGconn *admin = pg_connect(&database);
	size_t acks = 0, killed_count = 0;
	uint64_t calls = 0;
	struct seat seat;

	for (int i = 0; i <= kills; i++, first += 30) {
		int pipe_fds[2];
		bool killed;
		pid_t pid;
		uint64_t seen;

		/* In turns with the database there, away, and cut off in the middle. */
		tcp_proxy_set(&proxy, &proxy.closed_door, i % 3 == 1);
		assert_int_equal(pipe(pipe_fds), 0);
		pid = start_victim(first, pipe_fds[1]);
		close(pipe_fds[1]);
		/* The first one runs to its end and tells how many there are. */
		seen = kill_at(pid, i == 0 ? UINT64_MAX : (uint64_t)rand_r(&seed) % calls, &killed);
		if (seen > calls)
			calls = seen;
		killed_count += killed;
		if (i % 3 == 2)
			tcp_proxy_set(&proxy, &proxy.cut, true);
		acks += take_acks(pipe_fds[0], acked, max);
		close(pipe_fds[0]);
	}
	come_back();
	sit_down(&seat, through_proxy(), &options);
	wait_empty(&seat);
	for (int64_t n = 1; n < first; n++) {
		char sql[96];

		snprintf(sql, sizeof(sql), "SELECT count(*) FROM trail WHERE n = %" PRId64, n);
		if (acked[n])
			lost += strcmp(pg_value(admin, sql), "0") == 0;
	}
	doubled = number_of("SELECT count(*) - count(DISTINCT n) FROM trail");
	report("seed %u, a writing process: %zu kills at %" PRIu64
	       " system calls, %zu writes acknowledged, of them lost"
	       " %" PRId64 ", twice %" PRId64,
	       first_seed, killed_count, calls, acks, lost, doubled);
	assert_int_equal(lost, 0);
	assert_int_equal(doubled, 0);
	assert_true(acks > 30);
	assert_true(killed_count > (size_t)kills / 4);
	assert_int_equal(stats_of(&seat).dead, 0);
	get_up(&seat);
	PQfinish(admin);
	free(acked);
}

static void test_kills(void **state)
{
	(void)state;
	run_kills((int)number_or("CHAOS_KILLS", 40));
}

/* --- set up ------------------------------------------------------------------------------------------------------- */

static int open_database(void **state)
{
	struct migrate_error error = { 0 };
	struct migrate *migrate = NULL;
	uint32_t applied = 0;
	PGconn *mine;

	(void)state;
	if (loop_init(&loop) < 0 || !pg_database_open(&database) ||
	    !tcp_proxy_open(&proxy, database.host[0] == '/' ? "127.0.0.1" : database.host,
			    (uint16_t)atoi(database.port)))
		return -1;
	if (migrate_open(database.conninfo, 5000, &migrate, &error) < 0 ||
	    migrate_up(migrate, CORE_SQL, 0, 30000, NULL, NULL, &applied, &error) < 0) {
		print_error("%s\n", error.text);
		return -1;
	}
	migrate_close(migrate);
	mine = pg_connect(&database);
	if (!pg_exec(mine, "CREATE TABLE trail (id bigserial, k bigint, n bigint, words text, at timestamptz DEFAULT"
			   " clock_timestamp())") ||
	    !pg_exec(mine, "CREATE TABLE switch AS SELECT 1::bigint AS is_on"))
		return -1;
	PQfinish(mine);
	return 0;
}

static int close_database(void **state)
{
	(void)state;
	tcp_proxy_close(&proxy);
	pg_database_close(&database);
	return loop_finish(&loop);
}

static int set_up(void **state)
{
	(void)state;
	tmpdir_make(dir);
	run_sql("TRUNCATE trail");
	come_back();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	come_back();
	tcp_proxy_set(&proxy, &proxy.hold, false);
	tmpdir_remove(dir);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_straight),
		TEST(test_at_once),
		TEST(test_bad_calls),
		TEST(test_refused),
		TEST(test_away_and_back),
		TEST(test_full),
		TEST(test_no_folder),
		TEST(test_token),
		TEST(test_closed_under_way),
		TEST(test_poison),
		TEST(test_foreign_statement),
		TEST(test_other_shard_count),
		TEST(test_cuts),
		TEST(test_kills),
	};

	if (argc > 3 && strcmp(argv[1], "victim") == 0)
		return run_victim(argv);
	if (!pg_is_wanted("test_outbox"))
		return 0;
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("outbox", tests, open_database, close_database);
}
