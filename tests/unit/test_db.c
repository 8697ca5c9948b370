/* PostgreSQL on the loop, against a real server: what is asked, what is refused, and what happens when it lies, stalls,
 * resets, sleeps or is not there. A TCP proxy of the test's own stands between where the network has to fail. */
#include "shared/db/db.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/db/guild_settings.h"
#include "shared/db/migrate.h"
#include "shared/db/statements_core.h"
#include "shared/log/log.h"
#include "tests/unit/db_seen.h"
#include "tests/unit/tcp_proxy.h"

enum {
	ECHOED,
	SLEEP,
	SLEEP_READ,
	DIVIDE,
	ADD,
	COUNT,
	MISSING,
	MISSING_SCHEMA,
	WRONG_COLUMNS,
	BIG,
	LOST_COMMIT,
	PID,
	TESTS
};

/* Statements of the test's own. */
static const struct statement rows[TESTS] = {
	[ECHOED] = { "echo",
		     "SELECT $1::bigint, $2::boolean, $3::double precision, $4::text, $5::jsonb, now()",
		     { DB_TYPE_INT8, DB_TYPE_BOOL, DB_TYPE_DOUBLE, DB_TYPE_TEXT, DB_TYPE_JSONB },
		     { DB_TYPE_INT8, DB_TYPE_BOOL, DB_TYPE_DOUBLE, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_TIMESTAMPTZ },
		     STATEMENT_READ_ONLY,
		     0,
		     NULL },
	[SLEEP] = { "sleep", "SELECT 1::bigint FROM pg_sleep($1)", { DB_TYPE_DOUBLE }, { DB_TYPE_INT8 }, 0, 0, NULL },
	[SLEEP_READ] = { "sleep_read",
			 "SELECT 1::bigint FROM pg_sleep($1)",
			 { DB_TYPE_DOUBLE },
			 { DB_TYPE_INT8 },
			 STATEMENT_READ_ONLY,
			 0,
			 NULL },
	[DIVIDE] = { "divide", "SELECT 100 / $1", { DB_TYPE_INT8 }, { DB_TYPE_INT8 }, STATEMENT_READ_ONLY, 0, NULL },
	[ADD] = { "add", "INSERT INTO tally (n) VALUES ($1)", { DB_TYPE_INT8 }, { DB_TYPE_NONE }, 0, 0, NULL },
	[COUNT] = { "count",
		    "SELECT count(*) FROM tally",
		    { DB_TYPE_NONE },
		    { DB_TYPE_INT8 },
		    STATEMENT_READ_ONLY,
		    0,
		    NULL },
	[MISSING] = { "missing",
		      "SELECT x FROM no_such_table",
		      { DB_TYPE_NONE },
		      { DB_TYPE_INT8 },
		      STATEMENT_READ_ONLY,
		      0,
		      NULL },
	[MISSING_SCHEMA] = { "missing_schema",
			     "SELECT nowhere.f($1)",
			     { DB_TYPE_INT8 },
			     { DB_TYPE_INT8 },
			     STATEMENT_READ_ONLY,
			     0,
			     NULL },
	[WRONG_COLUMNS] = { "wrong_columns",
			    "SELECT 1::integer",
			    { DB_TYPE_NONE },
			    { DB_TYPE_INT8 },
			    STATEMENT_READ_ONLY,
			    0,
			    NULL },
	[BIG] = { "big",
		  "SELECT length($1)::bigint",
		  { DB_TYPE_TEXT },
		  { DB_TYPE_INT8 },
		  STATEMENT_READ_ONLY,
		  0,
		  NULL },
	/* Its constraint speaks only at the commit. */
	[LOST_COMMIT] = { "lost_commit",
			  "INSERT INTO deferred (n) VALUES ($1)",
			  { DB_TYPE_INT8 },
			  { DB_TYPE_NONE },
			  0,
			  0,
			  NULL },
	[PID] = { "pid",
		  "SELECT pg_backend_pid()::bigint",
		  { DB_TYPE_NONE },
		  { DB_TYPE_INT8 },
		  STATEMENT_READ_ONLY,
		  0,
		  NULL },
};

static const struct statement_set set = { "test", rows, TESTS };
static const struct statement_set *const sets[] = { &set };

static struct db_options defaults(const char *conninfo)
{
	return (struct db_options){
		.conninfo = conninfo,
		.application_name = "test_db",
		.prepared = true,
		.connections = 1,
		.statement_timeout_ms = 5000,
		.sets = sets,
		.set_count = 1,
	};
}

static int ask(struct seen *seen, size_t statement)
{
	return db_query(seen->db, &rows[statement], NULL, 0, on_result, seen);
}

static int ask_int(struct seen *seen, size_t statement, int64_t value)
{
	return db_query(seen->db, &rows[statement], (struct db_param[]){ DB_INT8(value) }, 1, on_result, seen);
}

static int ask_sleep(struct seen *seen, size_t statement, double seconds)
{
	return db_query(seen->db, &rows[statement], (struct db_param[]){ DB_DOUBLE(seconds) }, 1, on_result, seen);
}

static int get(struct seen *seen, size_t statement)
{
	return get_row(seen, &rows[statement]);
}

static int64_t tally(void)
{
	PGconn *sql = pg_connect(&database);
	int64_t count = atoll(pg_value(sql, "SELECT count(*) FROM tally"));

	PQfinish(sql);
	return count;
}

static void clear_tally(void)
{
	PGconn *sql = pg_connect(&database);

	assert_true(pg_exec(sql, "CREATE TABLE IF NOT EXISTS tally (n bigint PRIMARY KEY);"
				 "CREATE TABLE IF NOT EXISTS deferred (n bigint UNIQUE DEFERRABLE INITIALLY DEFERRED);"
				 "TRUNCATE tally, deferred"));
	PQfinish(sql);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void test_off(void **state)
{
	struct db_options options = defaults("");
	struct seen seen;

	(void)state;
	db_open(&seen, &options);
	assert_false(db_is_on(seen.db));
	assert_string_equal(db_state_text(seen.db), "off");
	assert_int_equal(ask(&seen, COUNT), -SHOAL_EOFFLINE);
	db_shut(&seen);
	options.conninfo = "host=a,b port=1,2,3 password=geheim";
	assert_int_equal(db_new(&loop, &options, &events, &seen, &seen.db), -EINVAL);
}

struct echoed {
	bool done, null;
	int error;
};

static void on_echo(void *arg, int error, const struct db_result *result)
{
	struct echoed *echoed = arg;
	size_t len = 0;

	echoed->done = true;
	echoed->error = error;
	assert_int_equal(error, 0);
	assert_int_equal(db_result_rows(result), 1);
	assert_true(db_result_time(result, 0, 5) > 1600000000000);
	for (size_t column = 0; column < 5; column++)
		assert_int_equal(db_result_is_null(result, 0, column), echoed->null);
	/* Out of range, or asked as another type: nothing, and no crash. */
	assert_int_equal(db_result_int8(result, 1, 0), 0);
	assert_int_equal(db_result_int8(result, 0, 9), 0);
	assert_int_equal(db_result_int8(result, 0, 3), 0);
	assert_string_equal(db_result_text(result, 0, 0, NULL), "");
	assert_true(db_result_is_null(result, 7, 0));
	if (echoed->null) {
		assert_int_equal(db_result_int8(result, 0, 0), 0);
		assert_string_equal(db_result_text(result, 0, 3, &len), "");
		assert_int_equal(len, 0);
		return;
	}
	assert_true(db_result_int8(result, 0, 0) == INT64_MIN);
	assert_true(db_result_bool(result, 0, 1));
	assert_true(db_result_double(result, 0, 2) == 0.1);
	assert_string_equal(db_result_text(result, 0, 3, &len), "it's \"quoted\" \xc3\xa4 $1 \\");
	assert_int_equal(len, strlen("it's \"quoted\" \xc3\xa4 $1 \\"));
	assert_string_equal(db_result_text(result, 0, 4, NULL), "{\"a\": [1, null]}");
}

static void test_values(void **state)
{
	static const char text[] = "it's \"quoted\" \xc3\xa4 $1 \\";
	static const char json[] = "{\"a\":[1,null]}";
	struct db_options options = defaults(database.conninfo);
	struct echoed echoed = { false, false, 0 };
	struct db_param params[] = { DB_INT8(INT64_MIN), DB_BOOL(true), DB_DOUBLE(0.1), DB_TEXT(text, strlen(text)),
				     DB_JSONB(json, strlen(json)) };
	struct seen seen;

	(void)state;
	for (int prepared = 0; prepared < 2; prepared++) {
		options.prepared = prepared;
		db_open(&seen, &options);
		echoed = (struct echoed){ false, false, 0 };
		assert_int_equal(db_query(seen.db, &rows[ECHOED], params, 5, on_echo, &echoed), 0);
		assert_true(loop_wait_for(&loop, loop_wait_true, &echoed.done, WAIT_MS));
		echoed = (struct echoed){ false, true, 0 };
		assert_int_equal(db_query(seen.db, &rows[ECHOED],
					  (struct db_param[]){ DB_NULL(DB_TYPE_INT8), DB_NULL(DB_TYPE_BOOL),
							       DB_NULL(DB_TYPE_DOUBLE), DB_NULL(DB_TYPE_TEXT),
							       DB_NULL(DB_TYPE_JSONB) },
					  5, on_echo, &echoed),
				 0);
		assert_true(loop_wait_for(&loop, loop_wait_true, &echoed.done, WAIT_MS));
		assert_int_equal(seen.ups, 1);
		db_shut(&seen);
	}
}

static void test_wrong_arguments(void **state)
{
	struct db_options options = defaults(database.conninfo);
	static char big[DB_PARAM_BYTES_MAX + 1];
	struct seen seen;

	(void)state;
	memset(big, 'x', sizeof(big));
	db_open(&seen, &options);
	assert_int_equal(ask(&seen, TESTS), -EINVAL);
	assert_int_equal(ask(&seen, DIVIDE), -EINVAL);
	assert_int_equal(db_query(seen.db, &rows[DIVIDE], (struct db_param[]){ DB_BOOL(true) }, 1, on_result, &seen),
			 -EINVAL);
	assert_int_equal(
		db_query(seen.db, &rows[DIVIDE], (struct db_param[]){ DB_NULL(DB_TYPE_TEXT) }, 1, on_result, &seen),
		-EINVAL);
	assert_int_equal(db_query(seen.db, &rows[BIG], (struct db_param[]){ DB_TEXT("a\0b", 3) }, 1, on_result, &seen),
			 -EINVAL);
	assert_int_equal(
		db_query(seen.db, &rows[BIG], (struct db_param[]){ DB_TEXT(big, sizeof(big)) }, 1, on_result, &seen),
		-EMSGSIZE);
	assert_int_equal(db_query(seen.db, &rows[BIG], (struct db_param[]){ DB_TEXT(big, DB_PARAM_BYTES_MAX - 1) }, 1,
				  on_result, &seen),
			 0);
	assert_int_equal(
		db_query(seen.db, &rows[BIG], (struct db_param[]){ DB_TEXT("\xff\xfe", 2) }, 1, on_result, &seen), 0);
	wait_done(&seen, 2);
	assert_int_equal(seen.ok, 1);
	assert_int_equal(seen.value, DB_PARAM_BYTES_MAX - 1);
	assert_int_equal(seen.errors[0], -EBADMSG); /* not UTF-8 */
	db_shut(&seen);
}

static void test_many(void **state)
{
	struct db_options options = defaults(database.conninfo);
	struct db_statement_stats one;
	struct db_stats stats;
	struct seen seen;

	(void)state;
	clear_tally();
	options.connections = 3;
	db_open(&seen, &options);
	for (int i = 0; i < 200; i++)
		assert_int_equal(ask_int(&seen, ADD, i), 0);
	db_stats(seen.db, &stats);
	assert_int_equal(stats.queued, 200);
	wait_done(&seen, 200);
	assert_int_equal(seen.ok, 200);
	assert_int_equal(tally(), 200);
	db_stats(seen.db, &stats);
	assert_int_equal(stats.queued + stats.in_flight, 0);
	assert_in_range(stats.links, 1, 3);
	db_statement_stats(seen.db, &rows[ADD], &one);
	assert_int_equal(one.done, 200);
	assert_true(one.total_us > 0 && one.max_us * 200 >= one.total_us);
	print_message("200 inserts, each its own transaction: %llu us at most, %llu us on average\n",
		      (unsigned long long)one.max_us, (unsigned long long)one.total_us / 200);
	db_shut(&seen);
}

static void test_back_pressure(void **state)
{
	static char big[DB_PARAM_BYTES_MAX - 1];
	struct db_options options = defaults(database.conninfo);
	struct db_stats stats;
	struct seen seen;
	int accepted = 0, r;

	(void)state;
	memset(big, 'x', sizeof(big));
	options.queue_max = 8;
	db_open(&seen, &options);
	for (int i = 0; i < 8; i++)
		assert_int_equal(ask(&seen, COUNT), 0);
	assert_int_equal(ask(&seen, COUNT), -ENOBUFS);
	wait_done(&seen, 8);
	assert_int_equal(ask(&seen, COUNT), 0); /* there is room again */
	wait_done(&seen, 9);
	db_stats(seen.db, &stats);
	assert_int_equal(stats.refused, 1);
	db_shut(&seen);

	options.queue_max = 0; /* by bytes */
	db_open(&seen, &options);
	while ((r = db_query(seen.db, &rows[BIG], (struct db_param[]){ DB_TEXT(big, sizeof(big)) }, 1, on_result,
			     &seen)) == 0)
		accepted++;
	assert_int_equal(r, -ENOBUFS);
	assert_in_range(accepted, 8, 16);
	wait_done(&seen, accepted);
	assert_int_equal(seen.ok, accepted);
	loop_take_lag(&loop); /* megabytes are copied here */
	db_shut(&seen);
}

/* --- what the server refuses -------------------------------------------------------------------------------------- */

static void test_poison(void **state)
{
	struct db_options options = defaults(database.conninfo);
	struct seen seen;

	(void)state;
	clear_tally();
	for (int prepared = 0; prepared < 2; prepared++) {
		options.prepared = prepared;
		db_open(&seen, &options);
		for (int i = 0; i < 20; i++) {
			assert_int_equal(ask_int(&seen, ADD, prepared * 100 + i), 0);
			assert_int_equal(ask_int(&seen, DIVIDE, i % 5), 0); /* four times by zero */
		}
		wait_done(&seen, 40);
		assert_int_equal(seen.ok, 36);
		assert_int_equal(seen.error_count, 4);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(seen.errors[i], -EBADMSG);
		assert_int_equal(tally(), 20 * (prepared + 1)); /* none of the inserts was hurt */
		db_shut(&seen);
	}
}

static void test_refusals(void **state)
{
	struct db_options options = defaults(database.conninfo);
	struct seen seen;

	(void)state;
	clear_tally();
	db_open(&seen, &options);
	assert_int_equal(ask_int(&seen, ADD, 1), 0);
	assert_int_equal(ask_int(&seen, ADD, 1), 0);
	wait_done(&seen, 2);
	assert_int_equal(seen.ok, 1);
	assert_int_equal(seen.errors[0], -EEXIST);
	assert_string_equal(seen.sqlstate, "23505");

	/* The commit itself is refused: not told as done before that is known. */
	forget(&seen);
	assert_int_equal(ask_int(&seen, LOST_COMMIT, 1), 0);
	assert_int_equal(ask_int(&seen, LOST_COMMIT, 1), 0);
	wait_done(&seen, 2);
	assert_int_equal(seen.ok, 1);
	assert_int_equal(seen.errors[0], -EEXIST);

	/* A missing table: the first prepares and fails, those behind it in the same pipeline must say the same. */
	forget(&seen);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(&seen, MISSING), 0);
	assert_int_equal(ask_int(&seen, MISSING_SCHEMA, 1), 0);
	wait_done(&seen, 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(seen.errors[i], -ENODATA);
	assert_int_equal(get(&seen, WRONG_COLUMNS), -EPROTO);
	assert_int_equal(get(&seen, COUNT), 0);
	assert_int_equal(seen.downs, 0);
	db_shut(&seen);
}

static void test_statement_timeout(void **state)
{
	struct db_options options = defaults(database.conninfo);
	uint64_t started;
	struct seen seen;

	(void)state;
	clear_tally();
	options.statement_timeout_ms = 400 * loop_wait_slowness();
	for (int prepared = 0; prepared < 2; prepared++) { /* a start-up option, or local to the transaction */
		options.prepared = prepared;
		db_open(&seen, &options);
		started = clock_monotonic_ns();
		assert_int_equal(ask_sleep(&seen, SLEEP, 30), 0);
		assert_int_equal(ask_int(&seen, ADD, prepared), 0); /* behind it on the same connection */
		wait_done(&seen, 2);
		assert_int_equal(seen.errors[0], -ETIMEDOUT);
		assert_int_equal(seen.ok, 1);
		assert_true(clock_monotonic_ns() - started < 3 * NS_PER_S * loop_wait_slowness());
		assert_int_equal(seen.downs, 0);
		db_shut(&seen);
	}
	assert_int_equal(tally(), 2);
}

/* A table changed under a named statement ("cached plan must not change result type"). */
static void test_plan_changed(void **state)
{
	static const struct statement star = {
		"star", "SELECT * FROM shape", { DB_TYPE_NONE }, { DB_TYPE_INT8 }, STATEMENT_READ_ONLY, 0, NULL
	};
	static const struct statement_set stars = { "stars", &star, 1 };
	struct db_options options = defaults(database.conninfo);
	PGconn *sql = pg_connect(&database);
	struct seen seen;

	(void)state;
	assert_true(pg_exec(sql,
			    "DROP TABLE IF EXISTS shape; CREATE TABLE shape (a bigint); INSERT INTO shape VALUES (7)"));
	db_open(&seen, &options);
	assert_int_equal(db_add_set(seen.db, &stars), 0);
	assert_int_equal(get_row(&seen, &star), 0);
	assert_true(pg_exec(sql, "ALTER TABLE shape ADD b bigint"));
	assert_int_equal(get_row(&seen, &star), -EPROTO); /* sent again in full: two columns now, not a broken plan */
	assert_true(pg_exec(sql, "ALTER TABLE shape DROP b"));
	assert_int_equal(get_row(&seen, &star), 0);
	assert_int_equal(seen.value, 7);
	db_shut(&seen);
	PQfinish(sql);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void refused(const char *conninfo, int error, const char *words)
{
	struct db_options options = defaults(conninfo);
	struct seen seen;

	db_open(&seen, &options);
	assert_false(db_is_away(seen.db)); /* nobody has asked yet */
	assert_int_equal(ask(&seen, COUNT), 0);
	wait_done(&seen, 1);
	assert_int_equal(seen.last_error, -SHOAL_EOFFLINE);
	assert_true(db_is_away(seen.db));
	assert_int_equal(seen.downs, 1);
	assert_int_equal(seen.down_error, error);
	if (!strstr(seen.reason, words))
		fail_msg("\"%s\" is not in \"%s\"", words, seen.reason);
	assert_null(strstr(seen.reason, "falsch"));
	assert_null(strstr(seen.reason, database.password));
	assert_int_equal(ask(&seen, COUNT), -SHOAL_EOFFLINE); /* at once now */
	assert_true(strncmp(db_state_text(seen.db), "away: ", 6) == 0);
	db_shut(&seen);
}

static void test_refused_connections(void **state)
{
	(void)state;
	refused(pg_conninfo(&database, NULL, NULL, NULL, "falsch", NULL, NULL), -EACCES,
		"password authentication failed");
	refused(pg_conninfo(&database, NULL, NULL, NULL, NULL, "nix_da", NULL), -ENOENT, "nix_da");
	refused(pg_conninfo(&database, "127.0.0.1", "1", NULL, NULL, NULL, NULL), -SHOAL_EOFFLINE, "refused");
	refused(pg_conninfo(&database, "no-such-host.invalid", NULL, NULL, NULL, NULL, NULL), -SHOAL_EOFFLINE,
		"does not resolve");
	refused(pg_conninfo(&database, "/nowhere", NULL, NULL, NULL, NULL, NULL), -SHOAL_EOFFLINE, "No such file");
	refused(pg_conninfo(&database, NULL, NULL, NULL, NULL, NULL, "sslmode=require"), -EACCES, "SSL");
	refused(pg_conninfo(&database, NULL, NULL, NULL, NULL, NULL, "target_session_attrs=standby"), -SHOAL_EOFFLINE,
		"standby");
}

static void test_hosts(void **state)
{
	struct db_options options;
	struct tcp_proxy silent;
	char text[1024], port[64];
	struct seen seen;

	(void)state;
	assert_true(tcp_proxy_open(&silent, database.host, (uint16_t)atoi(database.port)));
	tcp_proxy_set(&silent, &silent.hold, true); /* the kernel accepts, nobody answers */

	/* A name, looked up off the loop. */
	options = defaults(pg_conninfo(&database, "localhost", NULL, NULL, NULL, NULL, NULL));
	db_open(&seen, &options);
	assert_int_equal(get(&seen, COUNT), 0);
	db_shut(&seen);

	/* The first does not exist, the second says nothing, the third refuses, the fourth is right. */
	snprintf(text, sizeof(text), "no-such-host.invalid,127.0.0.1,127.0.0.1,%s", database.host);
	snprintf(port, sizeof(port), "%s,%u,1,%s", database.port, silent.port, database.port);
	options = defaults(pg_conninfo(&database, text, port, NULL, NULL, NULL, "target_session_attrs=read-write"));
	options.connect_timeout_ms = 1000;
	db_open(&seen, &options);
	assert_int_equal(get(&seen, COUNT), 0);
	assert_int_equal(seen.downs, 0);
	db_shut(&seen);

	/* prefer-standby: there is none, so the primary does, in the second round. */
	options = defaults(pg_conninfo(&database, NULL, NULL, NULL, NULL, NULL, "target_session_attrs=prefer-standby"));
	db_open(&seen, &options);
	assert_int_equal(get(&seen, COUNT), 0);
	db_shut(&seen);

	/* Only the silent one: the timer of our own ends it. */
	snprintf(port, sizeof(port), "%u", silent.port);
	options = defaults(pg_conninfo(&database, "127.0.0.1", port, NULL, NULL, NULL, NULL));
	options.connect_timeout_ms = 200;
	db_open(&seen, &options);
	assert_int_equal(get(&seen, COUNT), -SHOAL_EOFFLINE);
	assert_non_null(strstr(seen.reason, "does not answer"));
	db_shut(&seen);

	/* Closed in the middle of dialing, and in the middle of a look-up. */
	options.connect_timeout_ms = 20000;
	db_open(&seen, &options);
	assert_int_equal(ask(&seen, COUNT), 0);
	assert_false(loop_wait_for(&loop, all_done, (seen.wanted = 1, &seen), 100));
	assert_string_equal(db_state_text(seen.db), "connecting");
	db_shut(&seen);
	assert_int_equal(seen.last_error, -ECANCELED);
	options.conninfo = pg_conninfo(&database, "no-such-host.invalid", NULL, NULL, NULL, NULL, NULL);
	db_open(&seen, &options);
	assert_int_equal(ask(&seen, COUNT), 0);
	uv_run(&loop.uv, UV_RUN_NOWAIT);
	uv_run(&loop.uv, UV_RUN_NOWAIT);
	db_shut(&seen);
	assert_int_equal(seen.last_error, -ECANCELED);
	tcp_proxy_close(&silent);
}

static bool link_is_gone(void *arg)
{
	struct db_stats stats;

	db_stats(((struct seen *)arg)->db, &stats);
	return stats.links == 0;
}

static void test_idle_close(void **state)
{
	struct db_options options = defaults(database.conninfo);
	struct db_stats stats;
	struct seen seen;

	(void)state;
	options.idle_close_s = 1;
	db_open(&seen, &options);
	db_stats(seen.db, &stats);
	assert_int_equal(stats.links, 0); /* opened when needed */
	assert_string_equal(db_state_text(seen.db), "idle");
	assert_int_equal(get(&seen, COUNT), 0);
	assert_string_equal(db_state_text(seen.db), "up");
	assert_true(loop_wait_for(&loop, link_is_gone, &seen, WAIT_MS));
	assert_int_equal(get(&seen, COUNT), 0);
	db_stats(seen.db, &stats);
	assert_int_equal(stats.connects, 2);
	assert_int_equal(stats.disconnects, 0); /* hanging up is no loss */
	assert_int_equal(seen.downs, 0);
	db_shut(&seen);
}

/* --- what breaks -------------------------------------------------------------------------------------------------- */

static bool something_runs(void *arg)
{
	struct db_stats stats;

	db_stats(((struct seen *)arg)->db, &stats);
	return stats.in_flight > 0;
}

/* The backend is ended from outside with a write, a read and more behind them under way. */
static void test_terminated(void **state)
{
	struct db_options options = defaults(database.conninfo);
	struct db_statement_stats stats;
	PGconn *sql = pg_connect(&database);
	struct seen seen;

	(void)state;
	clear_tally();
	db_open(&seen, &options);
	assert_int_equal(get(&seen, PID), 0);
	forget(&seen);
	assert_int_equal(ask_sleep(&seen, SLEEP, 3), 0);
	assert_int_equal(ask_sleep(&seen, SLEEP_READ, 1), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(&seen, COUNT), 0);
	assert_int_equal(ask_int(&seen, ADD, 1), 0);
	assert_true(loop_wait_for(&loop, something_runs, &seen, WAIT_MS));
	assert_string_equal(pg_value(sql, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE"
					  " application_name = 'test_db' AND datname = current_database()"),
			    "1");
	wait_done(&seen, 8);
	assert_int_equal(seen.ok, 6); /* the reads, on a new connection, without anybody asking again */
	assert_int_equal(seen.error_count, 2);
	assert_int_equal(seen.errors[0], -SHOAL_EUNKNOWN);
	assert_int_equal(seen.errors[1], -SHOAL_EUNKNOWN);
	db_statement_stats(seen.db, &rows[COUNT], &stats);
	assert_int_equal(stats.repeated, 5);
	db_statement_stats(seen.db, &rows[ADD], &stats);
	assert_int_equal(stats.unknown, 1);
	assert_int_equal(seen.downs, 0);
	db_shut(&seen);
	PQfinish(sql);
}

/* The network resets in the middle, stays away, and comes back. */
static void test_reset_and_back(void **state)
{
	struct db_options options;
	struct tcp_proxy proxy;
	char port[16];
	struct seen seen;

	(void)state;
	clear_tally();
	assert_true(tcp_proxy_open(&proxy, database.host, (uint16_t)atoi(database.port)));
	snprintf(port, sizeof(port), "%u", proxy.port);
	options = defaults(pg_conninfo(&database, "127.0.0.1", port, NULL, NULL, NULL, NULL));
	db_open(&seen, &options);
	assert_int_equal(get(&seen, COUNT), 0);
	forget(&seen);
	assert_int_equal(ask_sleep(&seen, SLEEP_READ, 0.2), 0);
	assert_int_equal(ask_int(&seen, ADD, 1), 0);
	assert_true(loop_wait_for(&loop, something_runs, &seen, WAIT_MS));
	tcp_proxy_set(&proxy, &proxy.closed_door, true);
	tcp_proxy_set(&proxy, &proxy.cut, true);
	wait_done(&seen, 2);
	assert_int_equal(seen.error_count, 2);
	assert_true((seen.errors[0] == -SHOAL_EUNKNOWN && seen.errors[1] == -SHOAL_EOFFLINE) ||
		    (seen.errors[1] == -SHOAL_EUNKNOWN && seen.errors[0] == -SHOAL_EOFFLINE));
	assert_true(db_is_away(seen.db));
	assert_int_equal(seen.downs, 1);
	assert_int_equal(ask(&seen, COUNT), -SHOAL_EOFFLINE);

	tcp_proxy_set(&proxy, &proxy.closed_door, false);
	seen.ups = 0;
	assert_true(loop_wait_for(&loop, loop_wait_nonzero, &seen.ups, WAIT_MS)); /* it looks again by itself */
	assert_false(db_is_away(seen.db));
	assert_int_equal(get(&seen, COUNT), 0);
	db_shut(&seen);
	tcp_proxy_close(&proxy);
}

/* The network swallows everything: no error ever comes, only our own clocks end it. */
static void test_stalled(void **state)
{
	struct db_options options;
	struct tcp_proxy proxy;
	uint64_t started;
	char port[16];
	struct seen seen;

	(void)state;
	clear_tally();
	assert_true(tcp_proxy_open(&proxy, database.host, (uint16_t)atoi(database.port)));
	snprintf(port, sizeof(port), "%u", proxy.port);
	options = defaults(pg_conninfo(&database, "127.0.0.1", port, NULL, NULL, NULL, NULL));
	options.statement_timeout_ms = 300 * loop_wait_slowness();
	options.connect_timeout_ms = 1000;
	db_open(&seen, &options);
	assert_int_equal(get(&seen, COUNT), 0);
	forget(&seen);
	tcp_proxy_set(&proxy, &proxy.hold, true);
	started = clock_monotonic_ns();
	assert_int_equal(ask_int(&seen, ADD, 1), 0);
	assert_int_equal(ask(&seen, COUNT), 0);
	wait_done(&seen, 2);
	assert_true(clock_monotonic_ns() - started < 15 * NS_PER_S * loop_wait_slowness());
	assert_int_equal(seen.errors[0], -SHOAL_EUNKNOWN);
	assert_true(seen.errors[1] == -SHOAL_EOFFLINE || seen.errors[1] == -ETIMEDOUT);
	seen.ups = 0;
	tcp_proxy_set(&proxy, &proxy.hold, false);
	if (db_is_away(seen.db))
		assert_true(loop_wait_for(&loop, loop_wait_nonzero, &seen.ups, WAIT_MS));
	assert_int_equal(get(&seen, COUNT), 0);
	db_shut(&seen);
	tcp_proxy_close(&proxy);
}

/* A failover left us with a standby: writes are refused, and the connection is given up so that the next finds the
 * primary. */
static void test_standby(void **state)
{
	struct db_options options = defaults(
		pg_conninfo(&database, NULL, NULL, NULL, NULL, NULL, "options='-c default_transaction_read_only=on'"));
	struct db_stats stats;
	struct seen seen;

	(void)state;
	clear_tally();
	db_open(&seen, &options);
	assert_int_equal(get(&seen, COUNT), 0);
	forget(&seen);
	assert_int_equal(ask_int(&seen, ADD, 1), 0);
	wait_done(&seen, 1);
	assert_int_equal(seen.last_error, -SHOAL_EOFFLINE);
	assert_string_equal(seen.sqlstate, "25006");
	assert_int_equal(get(&seen, COUNT), 0);
	db_stats(seen.db, &stats);
	assert_int_equal(stats.connects, 2);
	/* Many at once: each is told that it was not done, none that it may have been. */
	forget(&seen);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ask_int(&seen, ADD, i), 0);
	wait_done(&seen, 100);
	assert_int_equal(seen.ok, 0);
	for (size_t i = 0; i < seen.error_count; i++)
		assert_int_equal(seen.errors[i], -SHOAL_EOFFLINE);
	assert_int_equal(tally(), 0);
	db_shut(&seen);
}

static void test_close(void **state)
{
	struct db_options options = defaults(database.conninfo);
	struct seen seen;

	(void)state;
	db_open(&seen, &options);
	assert_int_equal(ask_sleep(&seen, SLEEP, 3), 0);
	assert_int_equal(ask_sleep(&seen, SLEEP_READ, 3), 0);
	assert_true(loop_wait_for(&loop, something_runs, &seen, WAIT_MS));
	assert_int_equal(ask(&seen, COUNT), 0); /* one still in the queue */
	db_close(seen.db, on_closed, &seen);
	assert_int_equal(seen.done, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(seen.errors[i], -ECANCELED);
	assert_true(loop_wait_for(&loop, loop_wait_true, &seen.closed, WAIT_MS));

	/* From within a callback, with others behind it. */
	db_open(&seen, &options);
	seen.close_in_callback = true;
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask(&seen, COUNT), 0);
	wait_done(&seen, 10);
	assert_int_equal(seen.ok, 1);
	db_shut(&seen);
}

/* --- pgbouncer ---------------------------------------------------------------------------------------------------- */

static void test_pgbouncer(void **state)
{
	const char *url = getenv("SHOAL_TEST_PGBOUNCER");
	PQconninfoOption *parsed;
	char host[64], port[16];
	struct db_options options;
	struct seen seen;

	(void)state;
	if (!url) {
		const char *require = getenv("SHOAL_TEST_REQUIRE");

		assert_false(require && strcmp(require, "1") == 0 && getenv("SHOAL_TEST_PG"));
		print_message("SKIPPED: no SHOAL_TEST_PGBOUNCER (stack.py run --pgbouncer)\n");
		skip();
	}
	parsed = PQconninfoParse(url, NULL);
	snprintf(host, sizeof(host), "%s", pg_option(parsed, "host"));
	snprintf(port, sizeof(port), "%s", pg_option(parsed, "port"));
	PQconninfoFree(parsed);
	clear_tally();
	options = defaults(pg_conninfo(&database, host, port, NULL, NULL, NULL, NULL));
	options.statement_timeout_ms = 500 * loop_wait_slowness();
	options.connections = 16;
	options.prepared = false;
	db_open(&seen, &options);
	for (int i = 0; i < 300; i++)
		assert_int_equal(ask_int(&seen, ADD, i), 0);
	wait_done(&seen, 300);
	assert_int_equal(seen.ok, 300);
	forget(&seen);
	assert_int_equal(ask_sleep(&seen, SLEEP, 30), 0); /* the time-out holds there too, and stays with us */
	wait_done(&seen, 1);
	assert_int_equal(seen.last_error, -ETIMEDOUT);
	db_shut(&seen);

	/* Named statements although one should not: they get lost, and every question is answered all the same. */
	options.prepared = true;
	options.statement_timeout_ms = 5000;
	db_open(&seen, &options);
	for (int round = 0; round < 5; round++) {
		forget(&seen);
		for (int i = 0; i < 300; i++)
			assert_int_equal(ask(&seen, i % 2 ? COUNT : PID), 0);
		wait_done(&seen, 300);
		assert_int_equal(seen.ok, 300);
	}
	db_shut(&seen);
}

/* --- guild settings ----------------------------------------------------------------------------------------------- */

struct setting_seen {
	bool done;
	int error;
	char value[64];
	int64_t version;
	uint64_t by;
	size_t count;
	char names[128];
};

static void on_setting(void *arg, int error, const struct guild_setting *setting)
{
	struct setting_seen *seen = arg;

	seen->done = true;
	seen->error = error;
	assert_true((error == 0) == (setting != NULL));
	if (!setting)
		return;
	assert_string_equal(setting->name, "prefix");
	snprintf(seen->value, sizeof(seen->value), "%.*s", (int)setting->value_len, setting->value);
	seen->version = setting->version;
	seen->by = setting->updated_by;
}

static void on_settings(void *arg, int error, const struct guild_setting *settings, size_t count)
{
	struct setting_seen *seen = arg;

	seen->done = true;
	seen->error = error;
	seen->count = count;
	seen->names[0] = '\0';
	for (size_t i = 0; i < count; i++)
		snprintf(seen->names + strlen(seen->names), sizeof(seen->names) - strlen(seen->names), "%s=%s ",
			 settings[i].name, settings[i].value);
}

#define SETTING(call)                                                                      \
	do {                                                                               \
		memset(&setting, 0, sizeof(setting));                                      \
		assert_int_equal((call), 0);                                               \
		assert_true(loop_wait_for(&loop, loop_wait_true, &setting.done, WAIT_MS)); \
	} while (0)

static void test_guild_settings(void **state)
{
	const uint64_t guild = 613425648685547541ULL, user = 80351110224678912ULL;
	struct db_options options = { .conninfo = database.conninfo, .prepared = true };
	struct setting_seen setting;
	struct migrate *migrate = NULL;
	struct migrate_error error;
	uint32_t applied;
	struct seen seen;

	(void)state;
	db_open(&seen, &options);
	SETTING(guild_setting_get(seen.db, guild, "prefix", on_setting, &setting));
	assert_int_equal(setting.error, -ENODATA); /* no schema yet: told, not hung */

	assert_int_equal(migrate_open(database.conninfo, 5000, &migrate, &error), 0);
	assert_int_equal(migrate_up(migrate, "sql", 0, 5000, NULL, NULL, &applied, &error), 0);
	migrate_close(migrate);
	loop_take_lag(&loop); /* that was us, blocking */

	SETTING(guild_setting_get(seen.db, guild, "prefix", on_setting, &setting));
	assert_int_equal(setting.error, -ENOENT);
	SETTING(guild_setting_set(seen.db, guild, "prefix", "\"?\"", 3, user, on_setting, &setting));
	assert_int_equal(setting.error, 0);
	assert_int_equal(setting.version, 1);
	SETTING(guild_setting_set(seen.db, guild, "prefix", "\"%\"", 3, user, on_setting, &setting));
	assert_int_equal(setting.version, 2);
	SETTING(guild_setting_get(seen.db, guild, "prefix", on_setting, &setting));
	assert_string_equal(setting.value, "\"%\"");
	assert_int_equal(setting.version, 2);
	assert_true(setting.by == user);
	SETTING(guild_setting_get(seen.db, guild + 1, "prefix", on_setting, &setting));
	assert_int_equal(setting.error, -ENOENT); /* another guild's is another */
	SETTING(guild_setting_set(seen.db, guild, "prefix", "not json", 8, user, on_setting, &setting));
	assert_int_equal(setting.error, -EBADMSG);
	SETTING(guild_setting_set(seen.db, guild, "prefix", "\"\\u0000\"", 8, user, on_setting, &setting));
	assert_int_equal(setting.error, -EBADMSG);

	SETTING(guild_settings_list(seen.db, guild, on_settings, &setting));
	assert_int_equal(setting.count, 1);
	assert_string_equal(setting.names, "prefix=\"%\" ");
	SETTING(guild_setting_delete(seen.db, guild, "prefix", user, on_setting, &setting));
	assert_int_equal(setting.error, 0);
	assert_string_equal(setting.value, "null");
	assert_int_equal(setting.version, 3);
	SETTING(guild_setting_delete(seen.db, guild, "prefix", user, on_setting, &setting));
	assert_int_equal(setting.error, -ENOENT);
	SETTING(guild_setting_get(seen.db, guild, "prefix", on_setting, &setting));
	assert_int_equal(setting.error, -ENOENT);
	SETTING(guild_settings_list(seen.db, guild, on_settings, &setting));
	assert_int_equal(setting.count, 0);
	SETTING(guild_setting_set(seen.db, guild, "prefix", "\"a\"", 3, 0, on_setting, &setting));
	assert_int_equal(setting.version, 4); /* it does not start again */
	db_shut(&seen);
}

/* What is asked by a program of @version; its error, or what it was refused with. */
static int ask_as(const char *version, struct seen *seen)
{
	struct db_options options = { .conninfo = database.conninfo, .prepared = true, .version = version };
	int r;

	db_open(seen, &options);
	assert_int_equal(db_query(seen->db, &core_statements[CORE_PING], NULL, 0, on_result, seen), 0);
	wait_done(seen, 1);
	r = seen->last_error;
	return r;
}

/* A schema for newer programs is none for us, whether we come to it or it comes over us; no other statement is sent to
 * it. Runs after the guild settings' test has migrated. */
static void test_schema(void **state)
{
	PGconn *sql = pg_connect(&database);
	struct seen seen;

	(void)state;
	assert_int_equal(ask_as(SHOAL_VERSION, &seen), 0);
	db_shut(&seen);
	assert_true(pg_exec(sql, "INSERT INTO shoal.migration (owner, number, name, sha256, oldest_program, program)"
				 " VALUES ('zz', 1, 'later', '', '7.10.0', '8.0.0')"));
	assert_int_equal(ask_as("7.10.0", &seen), 0);
	db_shut(&seen);
	assert_int_equal(ask_as("7.9.9", &seen), -SHOAL_EOFFLINE);
	assert_true(db_is_away(seen.db));
	assert_int_equal(seen.ups, 0);
	assert_int_equal(seen.downs, 1);
	assert_int_equal(seen.down_error, -SHOAL_EVERSION);
	assert_non_null(strstr(seen.reason, "7.10.0"));
	assert_non_null(strstr(db_state_text(seen.db), "7.10.0"));
	/* It is asked again by itself, and said once. */
	assert_true(pg_exec(sql, "DELETE FROM shoal.migration WHERE owner = 'zz'"));
	assert_true(loop_wait_for(&loop, loop_wait_nonzero, &seen.ups, WAIT_MS));
	assert_int_equal(get_row(&seen, &core_statements[CORE_PING]), 0);
	assert_int_equal(seen.downs, 1);
	db_shut(&seen);
	/* None, or none to be looked into: each statement says so itself. */
	assert_true(pg_exec(sql, "ALTER TABLE shoal.migration RENAME TO away"));
	assert_int_equal(ask_as(SHOAL_VERSION, &seen), 0);
	assert_int_equal(get_row(&seen, &core_statements[CORE_SCHEMA]), -ENODATA);
	db_shut(&seen);
	assert_true(pg_exec(sql, "ALTER TABLE shoal.away RENAME TO migration"));
	PQfinish(sql);
}

/* By hand of tests/integration/test_database.py, which kills the server when told "ready" and starts it when told
 * "away": the writes acknowledged before and after are all there, and nothing waits for ever. */
static void test_outage(void **state)
{
	struct db_options options = defaults(database.conninfo);
	int64_t acknowledged = 0, next = 0;
	struct seen seen;

	(void)state;
	clear_tally();
	options.connections = 2;
	options.statement_timeout_ms = 30000;
	db_open(&seen, &options);
	assert_int_equal(get(&seen, COUNT), 0);
	forget(&seen);
	for (; next < 50; next++)
		assert_int_equal(ask_int(&seen, ADD, next), 0);
	assert_int_equal(ask_sleep(&seen, SLEEP, 25), 0);
	assert_true(loop_wait_for(&loop, something_runs, &seen, WAIT_MS));
	puts("ready");
	fflush(stdout);
	wait_done(&seen, 51);
	assert_true(seen.error_count > 0); /* the sleeper was cut off */
	acknowledged += seen.ok;
	/* Keeps asking until it is told that the database is away. */
	while (!db_is_away(seen.db)) {
		forget(&seen);
		if (ask_int(&seen, ADD, next++) < 0)
			break;
		wait_done(&seen, 1);
		acknowledged += seen.ok;
	}
	assert_true(seen.downs > 0);
	puts("away");
	fflush(stdout);
	seen.ups = 0;
	assert_true(loop_wait_for(&loop, loop_wait_nonzero, &seen.ups, 2 * WAIT_MS));
	forget(&seen);
	for (int i = 0; i < 50; i++)
		assert_int_equal(ask_int(&seen, ADD, next++), 0);
	wait_done(&seen, 50);
	assert_int_equal(seen.ok, 50);
	acknowledged += 50;
	assert_true(tally() >= acknowledged);
	db_shut(&seen);
	puts("back");
	fflush(stdout);
}

static int set_up(void **state)
{
	(void)state;
	if (loop_init(&loop) < 0 || !pg_database_open(&database))
		return -1;
	clear_tally();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pg_database_close(&database);
	return loop_finish(&loop);
}

/* Our administrator's connection died with the server. */
static int tear_down_killed(void **state)
{
	if (database.admin)
		PQreset(database.admin);
	return tear_down(state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_wrong_arguments),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_poison),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_statement_timeout),
		cmocka_unit_test(test_plan_changed),
		cmocka_unit_test(test_refused_connections),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_idle_close),
		cmocka_unit_test(test_terminated),
		cmocka_unit_test(test_reset_and_back),
		cmocka_unit_test(test_stalled),
		cmocka_unit_test(test_standby),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_pgbouncer),
		cmocka_unit_test(test_guild_settings),
		cmocka_unit_test(test_schema),
	};
	const struct CMUnitTest outage[] = { cmocka_unit_test(test_outage) };

	if (!pg_is_wanted("test_db"))
		return 0;
	if (argc > 1 && strcmp(argv[1], "outage") == 0)
		return cmocka_run_group_tests_name("db: outage", outage, set_up, tear_down_killed);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("db", tests, set_up, tear_down);
}
