/* PostgreSQL for a program on the loop: a bounded queue of typed statements over a few pipelined connections, opened
 * when needed and closed when idle. Loop thread only; nothing here blocks.
 *
 * Each statement is its own transaction with its own sync point: one that fails hurts no other. There is no order
 * between two statements under way; who needs one waits for the first's callback.
 * Without conninfo the database is off: db_query() returns -SHOAL_EOFFLINE. No value is ever logged. */
#ifndef SHOAL_SHARED_DB_DB_H
#define SHOAL_SHARED_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/db/statements.h"
#include "shared/loop/loop.h"

struct db;
struct db_result;

struct db_options {
	const char *conninfo; /* "" or NULL: off. URI or key=value; several hosts and target_session_attrs understood */
	const char *application_name;
	bool prepared;                      /* named statements; false behind a pgbouncer in transaction mode */
	uint32_t connections;               /* at most; 0: 2 */
	uint32_t connect_timeout_ms;        /* per address; 0: 5000 */
	uint32_t statement_timeout_ms;      /* 0: 5000 */
	uint32_t idle_close_s;              /* 0: 60 */
	uint32_t queue_max;                 /* statements waiting and under way; 0: 2048 */
	const struct statement *statements; /* NULL: statement_rows; for tests */
	size_t statement_count;
};

struct db_events {
	void (*up)(void *arg); /* a connection came up after none was */
	/* It cannot be reached, or it refuses us. @reason: words (borrowed). Called when the reason changes. */
	void (*down)(void *arg, int error, const char *reason);
};

/* One parameter; text is borrowed for the call of db_query(), which copies it. */
struct db_param {
	enum db_type type;
	bool null;
	union {
		int64_t i;
		double d;
		bool b;
		struct {
			const char *bytes;
			size_t len;
		} text;
	} value;
};
#define DB_INT8(i_)   ((struct db_param){ .type = DB_TYPE_INT8, .value.i = (i_) })
#define DB_BOOL(b_)   ((struct db_param){ .type = DB_TYPE_BOOL, .value.b = (b_) })
#define DB_DOUBLE(d_) ((struct db_param){ .type = DB_TYPE_DOUBLE, .value.d = (d_) })
#define DB_TEXT(bytes_, len_) \
	((struct db_param){ .type = DB_TYPE_TEXT, .value.text.bytes = (bytes_), .value.text.len = (len_) })
#define DB_JSONB(bytes_, len_) \
	((struct db_param){ .type = DB_TYPE_JSONB, .value.text.bytes = (bytes_), .value.text.len = (len_) })
#define DB_NULL(type_) ((struct db_param){ .type = (type_), .null = true })

#define DB_PARAM_BYTES_MAX (1024 * 1024) /* all parameters of one statement */

/* Exactly once for every accepted statement. @result is borrowed, and NULL when the server gave none.
 * @error: 0, or
 *   -ETIMEDOUT       not done in time: surely not (it never left, was read-only, or the server cancelled it)
 *   -SHOAL_EUNKNOWN  the connection broke or went silent under it: it may have been done
 *   -SHOAL_EOFFLINE  the database is away or refuses us: surely not done
 *   -ECANCELED       db_close(); if it was under way it may have been done
 *   -EEXIST          a unique key is taken (23505)          -EBADMSG  another constraint or type says no (22, 23)
 *   -EACCES          the role may not (42501)               -ENODATA  a table or column is missing: migrate (42P01 …)
 *   -EAGAIN          serialisation or deadlock (40)         -EDQUOT   the server is out of something (53)
 *   -EPROTO          the result is not of the table's columns;  -EREMOTEIO  anything else; see db_result_sqlstate() */
typedef void (*db_result_fn)(void *arg, int error, const struct db_result *result);

/* Copies @options, keeps @loop. Connects nothing yet. -EINVAL: the conninfo is malformed (logged without its values).
 */
int db_new(struct loop *loop, const struct db_options *options, const struct db_events *events, void *arg,
	   struct db **ret_db);
bool db_is_on(const struct db *db);
/* False while it is known to be away. A database that nobody has asked yet counts as not away. */
bool db_is_away(const struct db *db);
/* Words for people: "off", "idle", "up", "connecting", "away: <reason>". Borrowed until the next pass. */
const char *db_state_text(const struct db *db);

/* Queues a statement. -SHOAL_EOFFLINE: off or known to be away; -ENOBUFS: too many wait (back-pressure: do not repeat
 * at once); -EINVAL: count or types of parameters do not fit the row, or a text holds a NUL byte; -EMSGSIZE; -ENOMEM.
 * When it fails @fn is not called. */
int db_query(struct db *db, size_t statement, const struct db_param *params, size_t param_count, db_result_fn fn,
	     void *arg);

size_t db_result_rows(const struct db_result *result);
/* Rows that INSERT, UPDATE, DELETE touched. */
uint64_t db_result_affected(const struct db_result *result);
bool db_result_is_null(const struct db_result *result, size_t row, size_t column);
/* Value of a column of that type as the table says (else, or NULL, or out of range: 0, false, ""). */
int64_t db_result_int8(const struct db_result *result, size_t row, size_t column);
bool db_result_bool(const struct db_result *result, size_t row, size_t column);
double db_result_double(const struct db_result *result, size_t row, size_t column);
/* Borrowed; NUL-terminated; *ret_len may be NULL. TEXT, JSONB, TIMESTAMPTZ. */
const char *db_result_text(const struct db_result *result, size_t row, size_t column, size_t *ret_len);
/* "23505"; "" when the server said none. */
const char *db_result_sqlstate(const struct db_result *result);

struct db_statement_stats {
	uint64_t done, failed, unknown, repeated;
	uint64_t total_us, max_us; /* from db_query() to the callback, of those done */
};
struct db_stats {
	uint64_t connects, connect_failures, disconnects, refused; /* refused: -ENOBUFS given */
	size_t links, queued, in_flight;
};
void db_stats(const struct db *db, struct db_stats *ret_stats);
void db_statement_stats(const struct db *db, size_t statement, struct db_statement_stats *ret_stats);

/* Open statements end with -ECANCELED before it returns; @closed (may be NULL) when all handles are gone. */
void db_close(struct db *db, loop_fn closed, void *arg);

#endif
