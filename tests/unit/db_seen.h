/* For tests of the database layer on a real loop: a database under test, what it has told, and ways to wait for it. */
#ifndef SHOAL_TESTS_UNIT_DB_SEEN_H
#define SHOAL_TESTS_UNIT_DB_SEEN_H

#include <stdio.h>
#include <string.h>

#include "shared/db/db.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/pg_database.h"
#include "tests/unit/unit.h"

#define WAIT_MS 30000

static struct pg_database database;
static struct loop loop;

/* What a test's database has seen. */
struct seen {
	struct db *db;
	int done, ups, downs, down_error, last_error, ok, errors[16];
	size_t error_count;
	int64_t value;
	char sqlstate[6], reason[1024];
	bool closed, close_in_callback;
	int wanted;
};

static inline void on_up(void *arg)
{
	((struct seen *)arg)->ups++;
}

static inline void on_down(void *arg, int error, const char *reason)
{
	struct seen *seen = arg;

	seen->downs++;
	seen->down_error = error;
	snprintf(seen->reason, sizeof(seen->reason), "%s", reason);
}

static const struct db_events events = { on_up, on_down };

static inline void db_open(struct seen *seen, const struct db_options *options)
{
	memset(seen, 0, sizeof(*seen));
	assert_int_equal(db_new(&loop, options, &events, seen, &seen->db), 0);
	loop_take_lag(&loop);
}

static inline void on_closed(void *arg)
{
	((struct seen *)arg)->closed = true;
}

static inline void db_shut(struct seen *seen)
{
	assert_true(loop_take_lag(&loop) < loop_wait_lag_max());
	if (!seen->close_in_callback)
		db_close(seen->db, on_closed, seen);
	assert_true(loop_wait_for(&loop, loop_wait_true, &seen->closed, WAIT_MS));
}

static inline void on_result(void *arg, int error, const struct db_result *result)
{
	struct seen *seen = arg;

	seen->done++;
	seen->last_error = error;
	seen->ok += error == 0;
	if (error < 0 && seen->error_count < sizeof(seen->errors) / sizeof(seen->errors[0]))
		seen->errors[seen->error_count++] = error;
	snprintf(seen->sqlstate, sizeof(seen->sqlstate), "%s", db_result_sqlstate(result));
	if (error == 0)
		seen->value = db_result_int8(result, 0, 0);
	if (seen->close_in_callback && seen->done == 1)
		db_close(seen->db, on_closed, seen);
}

static inline bool all_done(void *arg)
{
	struct seen *seen = arg;

	return seen->done >= seen->wanted;
}

static inline void wait_done(struct seen *seen, int count)
{
	seen->wanted = count;
	assert_true(loop_wait_for(&loop, all_done, seen, WAIT_MS));
	assert_int_equal(seen->done, count);
}

static inline void forget(struct seen *seen)
{
	seen->done = seen->ok = seen->last_error = 0;
	seen->error_count = 0;
}

/* Asks one thing and waits for it: its error. */
static inline int get_row(struct seen *seen, const struct statement *statement)
{
	forget(seen);
	assert_int_equal(db_query(seen->db, statement, NULL, 0, on_result, seen), 0);
	assert_int_equal(seen->done, 0); /* never from within the call */
	wait_done(seen, 1);
	return seen->last_error;
}

#endif
