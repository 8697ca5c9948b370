/* Statements that go together: transactions, neighbours that share a commit, many rows in one, other types of values,
 * answers too large, and a replica that is asked first. Against a real PostgreSQL. */
#include "shared/db/db.h"

#include <errno.h>

#include "shared/base/errors.h"
#include "shared/db/db_tally.h"
#include "tests/unit/db_seen.h"
#include "tests/unit/tcp_proxy.h"
#include "tests/unit/tmpdir.h"

enum {
	ADD,
	ADD_DEFERRED,
	ADD_MANY,
	ADD_MORE, /* returns what it added */
	COUNT,
	SLEEP,
	SLEEP_SHORT, /* with a time-out of its own: less than the usual */
	SLEEP_LONG,  /* and more */
	TYPES,
	ARRAYS,
	HUGE,
	WHO,
	NAP,
	FILL,
	TESTS
};

#define READ STATEMENT_READ_ONLY

static const struct statement rows[TESTS] = {
	[ADD] = { .name = "add", .sql = "INSERT INTO tally (n) VALUES ($1)", .params = { DB_TYPE_INT8 } },
	[ADD_DEFERRED] = { .name = "add_deferred",
			   .sql = "INSERT INTO deferred (n) VALUES ($1)",
			   .params = { DB_TYPE_INT8 } },
	[ADD_MANY] = { .name = "add_many",
		       .sql = "INSERT INTO many (n, word, bytes)"
			      " SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])",
		       .params = { DB_TYPE_INT8_ARRAY, DB_TYPE_TEXT_ARRAY, DB_TYPE_BYTEA_ARRAY } },
	[ADD_MORE] = { .name = "add_more",
		       .sql = "INSERT INTO tally (n) VALUES ($1) RETURNING n",
		       .params = { DB_TYPE_INT8 },
		       .columns = { DB_TYPE_INT8 } },
	[COUNT] = { .name = "count", .sql = "SELECT count(*) FROM tally", .columns = { DB_TYPE_INT8 }, .flags = READ },
	[SLEEP] = { .name = "sleep",
		    .sql = "SELECT 1::bigint FROM pg_sleep($1)",
		    .params = { DB_TYPE_DOUBLE },
		    .columns = { DB_TYPE_INT8 } },
	[SLEEP_SHORT] = { .name = "sleep_short",
			  .sql = "SELECT 1::bigint FROM pg_sleep($1)",
			  .params = { DB_TYPE_DOUBLE },
			  .columns = { DB_TYPE_INT8 },
			  .timeout_ms = 200 },
	[SLEEP_LONG] = { .name = "sleep_long",
			 .sql = "SELECT 1::bigint FROM pg_sleep($1)",
			 .params = { DB_TYPE_DOUBLE },
			 .columns = { DB_TYPE_INT8 },
			 .timeout_ms = 60000 },
	[TYPES] = { .name = "types",
		    .sql = "SELECT $1::bytea, $2::timestamptz, $2 + interval $$1 ms$$, $3::jsonb, timestamptz "
			   "$$infinity$$",
		    .params = { DB_TYPE_BYTEA, DB_TYPE_TIMESTAMPTZ, DB_TYPE_JSONB },
		    .columns = { DB_TYPE_BYTEA, DB_TYPE_TIMESTAMPTZ, DB_TYPE_TIMESTAMPTZ, DB_TYPE_JSONB,
				 DB_TYPE_TIMESTAMPTZ },
		    .flags = READ },
	[ARRAYS] = { .name = "arrays",
		     .sql = "SELECT $1::bigint[]::text, $2::boolean[]::text, $3::double precision[]::text, "
			    "$4::text[]::text,"
			    " $5::jsonb[]::text, $6::bytea[]::text",
		     .params = { DB_TYPE_INT8_ARRAY, DB_TYPE_BOOL_ARRAY, DB_TYPE_DOUBLE_ARRAY, DB_TYPE_TEXT_ARRAY,
				 DB_TYPE_JSONB_ARRAY, DB_TYPE_BYTEA_ARRAY },
		     .columns = { DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_TEXT },
		     .flags = READ },
	[HUGE] = { .name = "huge",
		   .sql = "SELECT repeat($1, $2::integer)",
		   .params = { DB_TYPE_TEXT, DB_TYPE_TEXT },
		   .columns = { DB_TYPE_TEXT },
		   .flags = READ },
	[NAP] = { .name = "nap",
		  .sql = "SELECT 1::bigint FROM pg_sleep(0.002)",
		  .columns = { DB_TYPE_INT8 },
		  .flags = READ },
	[FILL] = { .name = "fill",
		   .sql = "INSERT INTO small (n, bytes) VALUES ($1, $2)",
		   .params = { DB_TYPE_INT8, DB_TYPE_BYTEA } },
	[WHO] = { .name = "who",
		  .sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid()"
			 " AND application_name = $$replica$$",
		  .columns = { DB_TYPE_INT8 },
		  .flags = READ },
};

static const struct statement_set set = { "test", rows, TESTS };
static const struct statement_set *const sets[] = { &set };

static struct db_options defaults(void)
{
	return (struct db_options){
		.conninfo = database.conninfo,
		.application_name = "test_db_together",
		.prepared = true,
		.connections = 1,
		.statement_timeout_ms = 5000,
		.sets = sets,
		.set_count = 1,
	};
}

static int64_t number(const char *sql)
{
	PGconn *connection = pg_connect(&database);
	int64_t value = atoll(pg_value(connection, sql));

	PQfinish(connection);
	return value;
}

static int set_up_test(void **state)
{
	PGconn *sql = pg_connect(&database);
	bool ok =
		pg_exec(sql, "SET client_min_messages = error; CREATE TABLE IF NOT EXISTS tally (n bigint PRIMARY KEY);"
			     "CREATE TABLE IF NOT EXISTS deferred (n bigint UNIQUE DEFERRABLE INITIALLY DEFERRED);"
			     "CREATE TABLE IF NOT EXISTS many (n bigint, word text, bytes bytea);"
			     "TRUNCATE tally, deferred, many");

	(void)state;
	PQfinish(sql);
	return ok ? 0 : -1;
}

#define PARAM(param) ((struct db_param[]){ param })
#define CALL(row, param)                    \
	{                                   \
		&rows[row], PARAM(param), 1 \
	}
#define CALL_PLAIN(row)             \
	{                           \
		&rows[row], NULL, 0 \
	}

/* --- transactions ------------------------------------------------------------------------------------------------- */

/* What a transaction's callback has told. */
struct together {
	bool done;
	int error;
	size_t failed;
	int64_t values[8];
	uint64_t affected[8];
	char sqlstate[6];
};

static void on_together(void *arg, int error, const struct db_results *results)
{
	struct together *seen = arg;

	assert_false(seen->done);
	seen->done = true;
	seen->error = error;
	seen->failed = db_results_failed(results);
	for (size_t i = 0; i < 8; i++) {
		const struct db_result *result = db_results_at(results, i);

		seen->values[i] = db_result_int8(result, 0, 0);
		seen->affected[i] = db_result_affected(result);
		if (i == seen->failed)
			snprintf(seen->sqlstate, sizeof(seen->sqlstate), "%s", db_result_sqlstate(result));
	}
}

static int run(struct seen *seen, const struct db_call *calls, size_t count, struct together *together)
{
	*together = (struct together){ 0 };
	assert_int_equal(db_transaction(seen->db, calls, count, on_together, together), 0);
	assert_false(together->done);
	assert_true(loop_wait_for(&loop, loop_wait_true, &together->done, WAIT_MS));
	return together->error;
}

static void test_transaction(void **state)
{
	struct db_options options = defaults();
	struct together together;
	struct db_stats stats;
	struct seen seen;

	(void)state;
	for (int prepared = 0; prepared < 2; prepared++) {
		int64_t base = prepared * 100;
		const struct db_call good[] = { CALL(ADD_MORE, DB_INT8(base + 1)), CALL(ADD, DB_INT8(base + 2)),
						CALL_PLAIN(COUNT), CALL(ADD_MORE, DB_INT8(base + 3)) };
		/* The second is refused: the first is undone, the third never begins. */
		const struct db_call taken[] = { CALL(ADD, DB_INT8(base + 4)), CALL(ADD, DB_INT8(base + 1)),
						 CALL(ADD, DB_INT8(base + 5)) };
		const struct db_call late[] = { CALL(ADD, DB_INT8(base + 6)), CALL(ADD_DEFERRED, DB_INT8(base + 1)),
						CALL(ADD_DEFERRED, DB_INT8(base + 1)) };

		options.prepared = prepared;
		db_open(&seen, &options);
		assert_int_equal(run(&seen, good, 4, &together), 0);
		assert_int_equal(together.values[0], base + 1);
		assert_int_equal(together.affected[1], 1);
		assert_int_equal(together.values[2], prepared * 3 + 2);
		assert_int_equal(together.values[3], base + 3);
		assert_int_equal(together.failed, 4); /* none */

		assert_int_equal(run(&seen, taken, 3, &together), -EEXIST);
		assert_int_equal(together.failed, 1);
		assert_string_equal(together.sqlstate, "23505");
		assert_int_equal(run(&seen, late, 3, &together), -EEXIST);
		assert_int_equal(together.failed, 3); /* the commit */
		assert_int_equal(number("SELECT count(*) FROM tally"), 3 * (prepared + 1));
		assert_int_equal(number("SELECT count(*) FROM deferred"), 0);
		db_stats(seen.db, &stats);
		assert_int_equal(stats.done, 4);
		assert_int_equal(stats.failed, 6);
		assert_int_equal(stats.commits, 1);
		db_shut(&seen);
	}
}

static void test_transaction_arguments(void **state)
{
	struct db_call calls[DB_CALLS_MAX + 1];
	struct db_options options = defaults();
	struct together together = { 0 };
	struct db_stats stats;
	struct seen seen;

	(void)state;
	for (size_t i = 0; i <= DB_CALLS_MAX; i++)
		calls[i] = (struct db_call)CALL_PLAIN(COUNT);
	options.queue_max = 10;
	db_open(&seen, &options);
	assert_int_equal(db_transaction(seen.db, calls, 0, on_together, &together), -EINVAL);
	assert_int_equal(db_transaction(seen.db, calls, 11, on_together, &together), -ENOBUFS);
	assert_int_equal(db_transaction(seen.db, calls, 10, on_together, &together), 0);
	assert_int_equal(db_query(seen.db, &rows[COUNT], NULL, 0, on_result, &seen), -ENOBUFS);
	db_stats(seen.db, &stats);
	assert_int_equal(stats.refused, 2);
	calls[3].param_count = 1;
	calls[3].params = PARAM(DB_INT8(1));
	assert_true(loop_wait_for(&loop, loop_wait_true, &together.done, WAIT_MS));
	assert_int_equal(together.error, 0);
	assert_int_equal(db_transaction(seen.db, calls, 4, on_together, &together), -EINVAL);
	db_shut(&seen);
	options.queue_max = 0;
	db_open(&seen, &options);
	assert_int_equal(db_transaction(seen.db, calls, DB_CALLS_MAX + 1, on_together, &together), -EINVAL);
	db_shut(&seen);
}

static bool something_runs(void *arg)
{
	struct db_stats stats;

	db_stats(((struct seen *)arg)->db, &stats);
	return stats.in_flight > 0;
}

/* The server's side is ended under a transaction: one that writes is in doubt, one that reads is done again. */
static void test_transaction_cut(void **state)
{
	const struct db_call writing[] = { CALL(ADD, DB_INT8(1)), CALL(SLEEP, DB_DOUBLE(20)) };
	const struct db_call reading[] = { CALL_PLAIN(COUNT), CALL_PLAIN(COUNT) };
	struct together one = { 0 }, two = { 0 };
	struct db_options options = defaults();
	struct seen seen;

	(void)state;
	options.statement_timeout_ms = 30000;
	db_open(&seen, &options);
	assert_int_equal(db_transaction(seen.db, writing, 2, on_together, &one), 0);
	assert_true(loop_wait_for(&loop, something_runs, &seen, WAIT_MS));
	assert_int_equal(db_transaction(seen.db, reading, 2, on_together, &two), 0);
	assert_int_equal(number("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE"
				" application_name = 'test_db_together' AND datname = current_database()"),
			 1);
	assert_true(loop_wait_for(&loop, loop_wait_true, &one.done, WAIT_MS));
	assert_true(loop_wait_for(&loop, loop_wait_true, &two.done, WAIT_MS));
	assert_int_equal(one.error, -SHOAL_EUNKNOWN);
	assert_int_equal(two.error, 0);
	assert_int_equal(number("SELECT count(*) FROM tally"), 0);
	db_shut(&seen);
}

/* --- sharing a commit --------------------------------------------------------------------------------------------- */

/* Writes of one turn share commits, and one that is refused hurts no other, whatever its place. Each number comes three
 * times in a shuffled order: exactly one of three is done, and nobody is told "exists" of a row that then is not there.
 */
static void test_company(void **state)
{
	struct db_options options = defaults();
	struct db_stats stats;
	struct seen seen;

	(void)state;
	for (int prepared = 0; prepared < 2; prepared++) {
		options.prepared = prepared;
		set_up_test(NULL);
		db_open(&seen, &options);
		for (int i = 0; i < 300; i++)
			assert_int_equal(
				db_query(seen.db, &rows[ADD], PARAM(DB_INT8(i * 7 % 100)), 1, on_result, &seen), 0);
		wait_done(&seen, 300);
		assert_int_equal(seen.ok, 100);
		for (size_t i = 0; i < seen.error_count; i++)
			assert_int_equal(seen.errors[i], -EEXIST);
		assert_int_equal(number("SELECT count(*) FROM tally"), 100);
		db_stats(seen.db, &stats);
		assert_int_equal(stats.done, 100);
		assert_int_equal(stats.failed, 200);
		db_shut(&seen);
	}
	set_up_test(NULL);
	db_open(&seen, &options);
	for (int i = 0; i < 320; i++)
		assert_int_equal(db_query(seen.db, &rows[ADD], PARAM(DB_INT8(i)), 1, on_result, &seen), 0);
	wait_done(&seen, 320);
	db_stats(seen.db, &stats);
	assert_int_equal(stats.commits, 10);
	db_shut(&seen);
}

/* The commit itself refuses a company: each of them then shows by itself. */
static void test_company_refused_by_the_commit(void **state)
{
	struct db_options options = defaults();
	struct seen seen;

	(void)state;
	db_open(&seen, &options);
	for (int i = 0; i < 20; i++)
		assert_int_equal(db_query(seen.db, &rows[ADD_DEFERRED], PARAM(DB_INT8(i / 2)), 1, on_result, &seen), 0);
	wait_done(&seen, 20);
	assert_int_equal(seen.ok, 10);
	assert_int_equal(number("SELECT count(*) FROM deferred"), 10);
	db_shut(&seen);
}

/* One waits for a row that somebody else has locked, until its time is over; its company is done soon after, not behind
 * another wait. */
static void test_company_of_one_that_waits(void **state)
{
	struct db_options options = defaults();
	struct seen seen, waits = { 0 };
	PGconn *sql = pg_connect(&database);
	uint64_t started_ns;

	(void)state;
	options.statement_timeout_ms = 1000 * loop_wait_slowness();
	assert_true(pg_exec(sql, "BEGIN; INSERT INTO tally (n) VALUES (7)"));
	db_open(&seen, &options);
	started_ns = clock_monotonic_ns();
	for (int i = 0; i < 10; i++)
		assert_int_equal(
			db_query(seen.db, &rows[ADD], PARAM(DB_INT8(i)), 1, on_result, i == 7 ? &waits : &seen), 0);
	wait_done(&seen, 9);
	assert_int_equal(seen.ok, 9);
	wait_done(&waits, 1);
	assert_int_equal(waits.last_error, -ETIMEDOUT);
	assert_true(clock_monotonic_ns() - started_ns < 1900 * NS_PER_MS * loop_wait_slowness());
	assert_true(pg_exec(sql, "ROLLBACK"));
	assert_int_equal(number("SELECT count(*) FROM tally"), 9);
	PQfinish(sql);
	db_shut(&seen);
}

/* A read does not wait for a write that takes long, nor is it mixed with one. */
static void test_lanes(void **state)
{
	struct db_options options = defaults();
	struct seen seen, slow = { 0 };

	(void)state;
	options.connections = 2;
	db_open(&seen, &options);
	assert_int_equal(db_query(seen.db, &rows[SLEEP], PARAM(DB_DOUBLE(1.0)), 1, on_result, &slow), 0);
	assert_true(loop_wait_for(&loop, something_runs, &seen, WAIT_MS));
	assert_int_equal(db_query(seen.db, &rows[COUNT], NULL, 0, on_result, &seen), 0);
	wait_done(&seen, 1);
	assert_int_equal(slow.done, 0);
	assert_int_equal(db_query(seen.db, &rows[ADD], PARAM(DB_INT8(1)), 1, on_result, &seen), 0);
	wait_done(&seen, 2);
	assert_int_equal(seen.ok, 2);
	wait_done(&slow, 1);
	assert_int_equal(slow.ok, 1);
	db_shut(&seen);
}

static bool two_are_up(void *arg)
{
	struct db_stats stats;

	db_stats(((struct seen *)arg)->db, &stats);
	return stats.links == 2;
}

/* Reads go over every connection there may be, and still a write need not wait for all of them. */
static void test_shares(void **state)
{
	struct db_options options = defaults();
	struct seen seen, write = { 0 };

	(void)state;
	options.connections = 2;
	db_open(&seen, &options);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(db_query(seen.db, &rows[NAP], NULL, 0, on_result, &seen), 0);
	assert_true(loop_wait_for(&loop, two_are_up, &seen, WAIT_MS));
	assert_int_equal(db_query(seen.db, &rows[ADD], PARAM(DB_INT8(1)), 1, on_result, &write), 0);
	wait_done(&write, 1);
	assert_int_equal(write.ok, 1);
	assert_true(seen.done < 1000);
	wait_done(&seen, 1000);
	assert_int_equal(seen.ok, 1000);
	db_shut(&seen);
}

static void test_own_timeouts(void **state)
{
	struct db_options options = defaults();
	uint64_t started_ns;
	struct seen seen;

	(void)state;
	options.statement_timeout_ms = 600 * loop_wait_slowness();
	for (int prepared = 0; prepared < 2; prepared++) {
		options.prepared = prepared;
		db_open(&seen, &options);
		started_ns = clock_monotonic_ns();
		assert_int_equal(db_query(seen.db, &rows[SLEEP_SHORT], PARAM(DB_DOUBLE(30)), 1, on_result, &seen), 0);
		wait_done(&seen, 1);
		assert_int_equal(seen.last_error, -ETIMEDOUT);
		assert_true(clock_monotonic_ns() - started_ns < 5 * NS_PER_S * loop_wait_slowness());
		forget(&seen);
		assert_int_equal(db_query(seen.db, &rows[SLEEP_LONG], PARAM(DB_DOUBLE(1.5 * loop_wait_slowness())), 1,
					  on_result, &seen),
				 0);
		wait_done(&seen, 1);
		assert_int_equal(seen.last_error, 0);
		/* It was that one's alone. */
		assert_int_equal(db_query(seen.db, &rows[SLEEP], PARAM(DB_DOUBLE(30)), 1, on_result, &seen), 0);
		wait_done(&seen, 2);
		assert_int_equal(seen.last_error, -ETIMEDOUT);
		db_shut(&seen);
	}
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static void on_types(void *arg, int error, const struct db_result *result)
{
	size_t len;

	assert_int_equal(error, 0);
	assert_memory_equal(db_result_bytes(result, 0, 0, &len), "\0\xff'\\\0", 5);
	assert_int_equal(len, 5);
	assert_true(db_result_time(result, 0, 1) == -1);
	assert_true(db_result_time(result, 0, 2) == 0);
	assert_string_equal(db_result_text(result, 0, 3, &len), "[1, \"two\"]");
	assert_int_equal(len, strlen("[1, \"two\"]"));
	assert_true(db_result_time(result, 0, 4) == INT64_MAX);
	assert_null(db_result_bytes(result, 0, 1, &len)); /* another type, or nothing there */
	assert_int_equal(len, 0);
	assert_null(db_result_bytes(result, 1, 0, &len));
	assert_true(db_result_time(result, 0, 0) == 0);
	*(bool *)arg = true;
}

struct texts {
	bool done;
	int error;
	char text[6][128];
};

static void on_texts(void *arg, int error, const struct db_result *result)
{
	struct texts *texts = arg;

	for (size_t i = 0; i < 6; i++)
		snprintf(texts->text[i], sizeof(texts->text[i]), "%s", db_result_text(result, 0, i, NULL));
	texts->error = error;
	texts->done = true;
}

static void test_types(void **state)
{
	struct db_options options = defaults();
	struct texts texts = { 0 };
	bool done = false;
	struct seen seen;

	(void)state;
	db_open(&seen, &options);
	assert_int_equal(
		db_query(seen.db, &rows[TYPES],
			 (struct db_param[]){ DB_BYTEA("\0\xff'\\\0", 5), DB_TIME(-1), DB_JSONB("[1,\"two\"]", 9) }, 3,
			 on_types, &done),
		0);
	assert_true(loop_wait_for(&loop, loop_wait_true, &done, WAIT_MS));
	assert_int_equal(db_query(seen.db, &rows[TYPES],
				  (struct db_param[]){ DB_BYTEA("", 0), DB_TIME(INT64_MAX), DB_NULL(DB_TYPE_JSONB) }, 3,
				  on_types, &done),
			 -EINVAL);

	assert_int_equal(
		db_query(
			seen.db, &rows[ARRAYS],
			(struct db_param[]){
				DB_ARRAY(DB_TYPE_INT8_ARRAY,
					 ((struct db_param[]){ DB_INT8(INT64_MIN), DB_NULL(DB_TYPE_INT8), DB_INT8(7) }),
					 3),
				DB_ARRAY(DB_TYPE_BOOL_ARRAY, ((struct db_param[]){ DB_BOOL(true), DB_BOOL(false) }), 2),
				DB_ARRAY(DB_TYPE_DOUBLE_ARRAY, PARAM(DB_DOUBLE(-0.5)), 1),
				DB_ARRAY(DB_TYPE_TEXT_ARRAY,
					 ((struct db_param[]){ DB_TEXT("a\"b,{}\\", 7), DB_TEXT("", 0) }), 2),
				DB_ARRAY(DB_TYPE_JSONB_ARRAY, PARAM(DB_JSONB("{}", 2)), 1),
				DB_ARRAY(DB_TYPE_BYTEA_ARRAY, NULL, 0),
			},
			6, on_texts, &texts),
		0);
	assert_true(loop_wait_for(&loop, loop_wait_true, &texts.done, WAIT_MS));
	assert_int_equal(texts.error, 0);
	assert_string_equal(texts.text[0], "{-9223372036854775808,NULL,7}");
	assert_string_equal(texts.text[1], "{t,f}");
	assert_string_equal(texts.text[2], "{-0.5}");
	assert_string_equal(texts.text[3], "{\"a\\\"b,{}\\\\\",\"\"}");
	assert_string_equal(texts.text[4], "{\"{}\"}");
	assert_string_equal(texts.text[5], "{}");
	db_shut(&seen);
}

#define MANY 5000

/* One statement, thousands of rows. */
static void test_many_rows(void **state)
{
	static struct db_param numbers[MANY], words[MANY], bytes[MANY];
	static char texts[MANY][16], lowest[MANY];
	struct db_param params[] = { DB_ARRAY(DB_TYPE_INT8_ARRAY, numbers, MANY),
				     DB_ARRAY(DB_TYPE_TEXT_ARRAY, words, MANY),
				     DB_ARRAY(DB_TYPE_BYTEA_ARRAY, bytes, MANY) };
	struct db_options options = defaults();
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		snprintf(texts[i], sizeof(texts[i]), "word %zu", i);
		numbers[i] = DB_INT8((int64_t)i);
		words[i] = i % 10 ? DB_TEXT(texts[i], strlen(texts[i])) : DB_NULL(DB_TYPE_TEXT);
		lowest[i] = (char)i;
		bytes[i] = DB_BYTEA(&lowest[i], 1);
	}
	db_open(&seen, &options);
	assert_int_equal(db_query(seen.db, &rows[ADD_MANY], params, 3, on_result, &seen), 0);
	wait_done(&seen, 1);
	assert_int_equal(seen.last_error, 0);
	assert_int_equal(number("SELECT count(*) FROM many WHERE word = 'word ' || n"), MANY - MANY / 10);
	assert_int_equal(number("SELECT count(*) FROM many WHERE word IS NULL"), MANY / 10);
	assert_int_equal(number("SELECT count(*) FROM many WHERE get_byte(bytes, 0) = n % 256"), MANY);
	numbers[7] = DB_BOOL(true); /* no element of such an array */
	assert_int_equal(db_query(seen.db, &rows[ADD_MANY], params, 3, on_result, &seen), -EINVAL);
	numbers[7] = DB_INT8(7);
	params[0].value.array.count = (size_t)1 << 40;
	assert_int_equal(db_query(seen.db, &rows[ADD_MANY], params, 3, on_result, &seen), -EMSGSIZE);
	db_shut(&seen);
}

/* Far too much: refused before it is copied, or told of when it comes; whoever asks for other things notices nothing.
 */
static void test_too_much(void **state)
{
	static const char size[] = "200000000";
	struct db_options options = defaults();
	struct seen seen, huge = { 0 };

	(void)state;
	assert_int_equal(number("SELECT 1"), 1);
	options.statement_timeout_ms = 30000 * loop_wait_slowness();
	options.connections = 3;
	db_open(&seen, &options);
	assert_int_equal(db_query(seen.db, &rows[HUGE],
				  (struct db_param[]){ DB_TEXT("x", 1000000000), DB_TEXT("1", 1) }, 2, on_result,
				  &huge),
			 -EMSGSIZE);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(db_query(seen.db, &rows[COUNT], NULL, 0, on_result, &seen), 0);
		if (i == 20)
			assert_int_equal(db_query(seen.db, &rows[HUGE],
						  (struct db_param[]){ DB_TEXT("x", 1), DB_TEXT(size, strlen(size)) },
						  2, on_result, &huge),
					 0);
		assert_int_equal(db_query(seen.db, &rows[ADD], PARAM(DB_INT8(i)), 1, on_result, &seen), 0);
	}
	wait_done(&seen, 80);
	assert_int_equal(seen.ok, 80);
	wait_done(&huge, 1);
	assert_int_equal(huge.last_error, -EMSGSIZE);
	assert_int_equal(number("SELECT count(*) FROM tally"), 40);
	/* Within the bound all is well. */
	forget(&seen);
	assert_int_equal(db_query(seen.db, &rows[HUGE], (struct db_param[]){ DB_TEXT("x", 1), DB_TEXT("20000000", 8) },
				  2, on_result, &seen),
			 0);
	wait_done(&seen, 1);
	assert_int_equal(seen.last_error, 0);
	assert_int_equal(seen.downs, 0);
	loop_take_lag(&loop); /* megabytes are copied here */
	db_shut(&seen);
}

/* --- the replica -------------------------------------------------------------------------------------------------- */

static int64_t ask_replica(struct seen *seen)
{
	forget(seen);
	assert_int_equal(db_query_replica(seen->db, &rows[WHO], NULL, 0, on_result, seen), 0);
	wait_done(seen, 1);
	assert_int_equal(seen->last_error, 0);
	return seen->value;
}

static bool replica_is_up(void *arg)
{
	return strcmp(db_replica_state_text(arg), "up") == 0;
}

static void test_replica(void **state)
{
	struct db_options options = defaults();
	struct tcp_proxy proxy;
	struct db_stats stats;
	char conninfo[2100];
	struct seen seen;
	char port[8];

	(void)state;
	assert_true(tcp_proxy_open(&proxy, database.host, (uint16_t)atoi(database.port)));
	snprintf(port, sizeof(port), "%u", proxy.port);
	snprintf(conninfo, sizeof(conninfo), "%s",
		 pg_conninfo(&database, "127.0.0.1", port, NULL, NULL, NULL, "application_name=replica"));
	options.read_conninfo = conninfo;
	db_open(&seen, &options);
	assert_string_equal(db_replica_state_text(seen.db), "idle");
	assert_int_equal(ask_replica(&seen), 1);
	assert_int_equal(db_query_replica(seen.db, &rows[ADD], PARAM(DB_INT8(1)), 1, on_result, &seen), -EINVAL);
	assert_int_equal(get_row(&seen, &rows[WHO]), 0); /* who does not ask for it gets the database itself */
	assert_int_equal(seen.value, 0);

	/* It goes while asked: the question is answered by the database itself, and so are later ones. */
	tcp_proxy_set(&proxy, &proxy.closed_door, true);
	tcp_proxy_set(&proxy, &proxy.cut, true);
	assert_int_equal(ask_replica(&seen), 0);
	assert_int_equal(strncmp(db_replica_state_text(seen.db), "away: ", 6), 0);
	assert_false(db_is_away(seen.db));
	assert_int_equal(seen.downs, 0);
	assert_int_equal(ask_replica(&seen), 0);
	db_stats(seen.db, &stats);
	assert_int_equal(stats.fallbacks, 2);

	tcp_proxy_set(&proxy, &proxy.closed_door, false);
	assert_true(loop_wait_for(&loop, replica_is_up, seen.db, WAIT_MS));
	assert_int_equal(ask_replica(&seen), 1);
	db_shut(&seen);
	tcp_proxy_close(&proxy);

	options.read_conninfo = "";
	db_open(&seen, &options);
	assert_string_equal(db_replica_state_text(seen.db), "off");
	assert_int_equal(ask_replica(&seen), 0);
	db_stats(seen.db, &stats);
	assert_int_equal(stats.fallbacks, 0); /* nobody wanted another */
	db_shut(&seen);
}

/* --- sets --------------------------------------------------------------------------------------------------------- */

static void count_rows(void *arg, const char *owner, const struct statement *statement,
		       const struct db_statement_stats *stats)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < DB_BUCKETS; i++)
		sum += stats->buckets[i];
	assert_int_equal(sum, stats->done);
	assert_true(owner && statement);
	++*(size_t *)arg;
}

static void test_sets(void **state)
{
	static const struct statement late_rows[] = {
		{ .name = "one", .sql = "SELECT 1::bigint", .columns = { DB_TYPE_INT8 }, .flags = READ },
		{ .name = "two", .sql = "SELECT 2::bigint", .columns = { DB_TYPE_INT8 }, .flags = READ },
	};
	static const struct statement nothing = { .name = "x" };
	static const struct statement_set late = { "late", late_rows, 2 }, again = { "late", rows, TESTS },
					  bad = { "bad", &nothing, 1 };
	struct db_options options = defaults();
	struct db_statement_stats stats;
	size_t count = 0;
	struct seen seen;

	(void)state;
	db_open(&seen, &options);
	assert_int_equal(get_row(&seen, &rows[COUNT]), 0); /* the connection is there before the set */
	assert_int_equal(db_query(seen.db, &late_rows[1], NULL, 0, on_result, &seen), -EINVAL);
	assert_int_equal(db_add_set(seen.db, &late), 0);
	assert_int_equal(db_add_set(seen.db, &late), 0);
	assert_int_equal(db_add_set(seen.db, &again), -EEXIST);
	assert_int_equal(db_add_set(seen.db, &bad), -EINVAL);
	assert_int_equal(get_row(&seen, &late_rows[1]), 0);
	assert_int_equal(seen.value, 2);
	assert_ptr_equal(db_find(seen.db, "late", "one"), &late_rows[0]);
	assert_ptr_equal(db_find(seen.db, "test", "count"), &rows[COUNT]);
	assert_null(db_find(seen.db, "late", "three"));
	assert_null(db_find(seen.db, "never", "one"));
	db_statement_stats(seen.db, &late_rows[1], &stats);
	assert_int_equal(stats.done, 1);
	db_each_statement(seen.db, count_rows, &count);
	assert_int_equal(count, TESTS + 2);
	db_shut(&seen);
}

/* A worker's statements come on top of what those before it have counted; nothing new, no write. */
static void test_tally(void **state)
{
	const struct db_statement_stats earlier = { .done = 3, .total_us = 30, .buckets = { [0] = 3 } };
	struct db_options options = defaults();
	struct db_tally tally = { 0 };
	struct db_teller *teller = NULL;
	char dir[TMPDIR_SIZE], path[512];
	struct seen seen;

	(void)state;
	assert_int_equal(db_tally_path(tmpdir_make(dir), 0, 7, path, sizeof(path)), 0);
	assert_int_equal(db_tally_add(&tally, "test", "count", &earlier), 0);
	assert_int_equal(db_tally_write(&tally, path), 0);
	db_tally_finish(&tally);
	db_open(&seen, &options);
	assert_int_equal(db_teller_new(dir, 0, 7, &teller), 0);
	assert_int_equal(get_row(&seen, &rows[COUNT]), 0);
	assert_int_equal(get_row(&seen, &rows[COUNT]), 0);
	assert_int_equal(db_teller_tick(teller, seen.db, 10 * NS_PER_S), 0);
	assert_int_equal(db_tally_read(&tally, path), 0);
	assert_int_equal(tally.count, 1); /* those that were asked */
	assert_string_equal(tally.rows[0].name, "count");
	assert_int_equal(tally.rows[0].stats.done, 5);
	assert_true(tally.rows[0].stats.total_us > 30);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(db_teller_tick(teller, seen.db, 20 * NS_PER_S), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(get_row(&seen, &rows[COUNT]), 0);
	assert_int_equal(db_teller_tick(teller, seen.db, 20 * NS_PER_S + 1), 0);
	assert_int_equal(access(path, F_OK), 0);
	tmpdir_remove(dir);
	assert_int_equal(get_row(&seen, &rows[COUNT]), 0);
	assert_int_equal(db_teller_tick(teller, seen.db, 30 * NS_PER_S), -ENOENT);
	db_tally_finish(&tally);
	db_teller_free(teller);
	db_shut(&seen);
}

/* --- by hand of tests/integration/test_database.py ------------------------------------------------------------------
 */

/* A disk that fills up on the server: who writes to what lies on it is told, and nobody else notices. The folder is
 * small, and PostgreSQL's. */
static void test_full_disk(void **state)
{
	static const char table[] = "CREATE TABLE small (n bigint, bytes bytea) TABLESPACE shoal_small;"
				    "ALTER TABLE small ALTER bytes SET STORAGE EXTERNAL";
	static char filling[65536];
	struct db_options options = defaults();
	struct seen seen, full = { 0 };
	PGconn *sql = pg_connect(&database);
	int64_t n = 0;
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "CREATE TABLESPACE shoal_small LOCATION '%s'", getenv("SHOAL_TEST_SMALL_FOLDER"));
	assert_true(pg_exec(database.admin, text));
	snprintf(text, sizeof(text), "GRANT CREATE ON TABLESPACE shoal_small TO \"%s\"", database.user);
	assert_true(pg_exec(database.admin, text));
	assert_true(pg_exec(sql, table));
	db_open(&seen, &options);
	while (full.error_count == 0 && n < 1000) {
		assert_int_equal(db_query(seen.db, &rows[FILL],
					  (struct db_param[]){ DB_INT8(n), DB_BYTEA(filling, sizeof(filling)) }, 2,
					  on_result, &full),
				 0);
		assert_int_equal(db_query(seen.db, &rows[ADD], PARAM(DB_INT8(n)), 1, on_result, &seen), 0);
		wait_done(&seen, (int)++n);
		wait_done(&full, (int)n);
	}
	print_message("full after %lld rows of 64 KiB\n", (long long)n);
	assert_int_equal(full.error_count, 1);
	assert_int_equal(full.errors[0], -EDQUOT);
	assert_string_equal(full.sqlstate, "53100");
	assert_int_equal(full.ok, n - 1);
	assert_int_equal(seen.ok, n);
	assert_int_equal(seen.downs, 0);
	/* Everyone who was told "done" is there; there is room again, and all is as before. */
	assert_int_equal(number("SELECT count(*) FROM small"), n - 1);
	assert_int_equal(number("SELECT count(*) FROM tally"), n);
	assert_true(pg_exec(sql, "DROP TABLE small") && pg_exec(sql, table));
	forget(&full);
	assert_int_equal(db_query(seen.db, &rows[FILL],
				  (struct db_param[]){ DB_INT8(n), DB_BYTEA(filling, sizeof(filling)) }, 2, on_result,
				  &full),
			 0);
	wait_done(&full, 1);
	assert_int_equal(full.last_error, 0);
	db_shut(&seen);
	assert_true(pg_exec(sql, "DROP TABLE small"));
	assert_true(pg_exec(database.admin, "DROP TABLESPACE shoal_small"));
	PQfinish(sql);
}

/* One worker's share of a load on somebody else's database: SHOAL_TEST_LOAD_CONNINFO, SHOAL_TEST_LOAD_FIRST. Says what
 * it saw; whoever started it judges. */
static int run_load(void)
{
	const int count = 200;
	struct db_options options = defaults();
	const char *first = getenv("SHOAL_TEST_LOAD_FIRST");
	struct seen writes = { 0 }, reads;
	struct db_stats stats;

	options.conninfo = getenv("SHOAL_TEST_LOAD_CONNINFO");
	options.connections = 2;
	options.prepared = false;
	options.statement_timeout_ms = 60000; /* many workers, few connections, a busy machine */
	if (loop_init(&loop) < 0)
		return 1;
	db_open(&reads, &options);
	for (int i = 0; i < count; i++) {
		if (db_query(reads.db, &rows[ADD], PARAM(DB_INT8(atoll(first) + i)), 1, on_result, &writes) < 0 ||
		    db_query(reads.db, &rows[COUNT], NULL, 0, on_result, &reads) < 0)
			return 1;
		writes.wanted = i - 40; /* a few at a time */
		if (!loop_wait_for(&loop, all_done, &writes, 4 * WAIT_MS))
			return 1;
	}
	wait_done(&writes, count);
	wait_done(&reads, count);
	db_stats(reads.db, &stats);
	printf("load: %d writes, %d reads, %d + %zu failed, %llu connections, %llu commits\n", writes.ok, reads.ok,
	       (int)writes.error_count, reads.error_count, (unsigned long long)stats.connects,
	       (unsigned long long)stats.commits);
	db_close(reads.db, on_closed, &reads);
	loop_wait_for(&loop, loop_wait_true, &reads.closed, WAIT_MS);
	return writes.ok == count && reads.ok == count ? 0 : 1;
}

static int set_up(void **state)
{
	(void)state;
	return loop_init(&loop) < 0 || !pg_database_open(&database) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	pg_database_close(&database);
	return loop_finish(&loop);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up_test)
	const struct CMUnitTest tests[] = {
		TEST(test_transaction),
		TEST(test_transaction_arguments),
		TEST(test_transaction_cut),
		TEST(test_company),
		TEST(test_company_refused_by_the_commit),
		TEST(test_company_of_one_that_waits),
		TEST(test_lanes),
		TEST(test_shares),
		TEST(test_own_timeouts),
		TEST(test_types),
		TEST(test_many_rows),
		TEST(test_too_much),
		TEST(test_replica),
		TEST(test_sets),
		TEST(test_tally),
	};

	const struct CMUnitTest full_disk[] = { TEST(test_full_disk) };

	if (argc > 1 && strcmp(argv[1], "load") == 0)
		return run_load();
	if (!pg_is_wanted("test_db_together"))
		return 0;
	if (argc > 1 && strcmp(argv[1], "full_disk") == 0)
		return cmocka_run_group_tests_name("db: full disk", full_disk, set_up, tear_down);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("db together", tests, set_up, tear_down);
}
