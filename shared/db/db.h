/* PostgreSQL for a program on the loop: a bounded queue of typed statements over a few pipelined connections, opened
 * when needed and closed when idle. Loop thread only; nothing here blocks, and no callback runs from within a call.
 *
 * Statements are queued and leave together once a loop turn. Several of one turn (or of the time in which earlier ones
 * are under way) share one transaction, reads with reads and writes with writes, since a commit costs the same for one
 * as for thirty. That is not to be noticed: one that fails is told its error, and the others, of which then nothing has
 * happened, are sent again without it. Rows marked STATEMENT_ALONE share with nobody. There is no order between two
 * statements under way; who needs one waits for the first's callback, or takes db_transaction().
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
struct db_results;

struct db_options {
	const char *conninfo; /* "" or NULL: off. URI or key=value; several hosts and target_session_attrs understood */
	const char *read_conninfo; /* "" or NULL: none; what db_query_replica() asks first. Same credentials' care */
	const char *application_name;
	bool prepared;                 /* named statements; false behind a pgbouncer in transaction mode */
	uint32_t connections;          /* at most, to each of the two; 0: 2 */
	uint32_t connect_timeout_ms;   /* per address; 0: 5000 */
	uint32_t statement_timeout_ms; /* of rows that have none of their own; 0: 5000 */
	uint32_t idle_close_s;         /* 0: 60 */
	uint32_t queue_max;            /* statements waiting and under way; 0: 2048 */
	/* "0.1.0": each new connection is first asked whether its schema may be used by that program; one migrated for
	 * newer ones counts as away, with the reason. NULL: not asked. */
	const char *version;
	const struct statement_set *const *sets; /* NULL: statement_sets; borrowed for ever */
	size_t set_count;
};

struct db_events {
	void (*up)(void *arg); /* a connection came up after none was */
	/* It cannot be reached, or it refuses us. @reason: words (borrowed). Called when the reason changes. */
	void (*down)(void *arg, int error, const char *reason);
};

/* One parameter; texts and elements are borrowed for the call, which copies them. */
struct db_param {
	enum db_type type;
	bool null;
	union {
		int64_t i; /* also of TIMESTAMPTZ */
		double d;
		bool b;
		struct {
			const char *bytes;
			size_t len;
		} text; /* also of JSONB and BYTEA */
		struct {
			const struct db_param *elements; /* of the array's element type; may be null */
			size_t count;
		} array;
	} value;
};
#define DB_INT8(i_)    ((struct db_param){ .type = DB_TYPE_INT8, .value.i = (i_) })
#define DB_BOOL(b_)    ((struct db_param){ .type = DB_TYPE_BOOL, .value.b = (b_) })
#define DB_DOUBLE(d_)  ((struct db_param){ .type = DB_TYPE_DOUBLE, .value.d = (d_) })
#define DB_TIME(wall_) ((struct db_param){ .type = DB_TYPE_TIMESTAMPTZ, .value.i = (wall_) })
#define DB_BYTES_(type_, bytes_, len_) \
	((struct db_param){ .type = (type_), .value.text.bytes = (bytes_), .value.text.len = (len_) })
#define DB_TEXT(bytes_, len_)  DB_BYTES_(DB_TYPE_TEXT, bytes_, len_)
#define DB_JSONB(bytes_, len_) DB_BYTES_(DB_TYPE_JSONB, bytes_, len_)
#define DB_BYTEA(bytes_, len_) DB_BYTES_(DB_TYPE_BYTEA, (const char *)(bytes_), len_)
/* DB_ARRAY(DB_TYPE_INT8_ARRAY, elements, count): @elements are INT8 parameters. */
#define DB_ARRAY(type_, elements_, count_) \
	((struct db_param){ .type = (type_), .value.array.elements = (elements_), .value.array.count = (count_) })
#define DB_NULL(type_) ((struct db_param){ .type = (type_), .null = true })

#define DB_PARAM_BYTES_MAX  (1024 * 1024)      /* all parameters of one statement, of one transaction four times that */
#define DB_RESULT_BYTES_MAX (32 * 1024 * 1024) /* what comes back for one statement or transaction */
#define DB_CALLS_MAX        64                 /* statements of one transaction */

/* Exactly once for every accepted statement. @result is borrowed, and NULL when the server gave none.
 * @error: 0, or
 *   -ETIMEDOUT       not done in time: surely not (it never left, was read-only, or the server cancelled it)
 *   -SHOAL_EUNKNOWN  the connection broke or went silent under it: it may have been done
 *   -SHOAL_EOFFLINE  the database is away or refuses us: surely not done
 *   -ECANCELED       db_close(); if it was under way it may have been done
 *   -EEXIST          a unique key is taken (23505)          -EBADMSG  another constraint or type says no (22, 23)
 *   -ERANGE          a number became too large for its column (22003)
 *   -EACCES          the role may not (42501)               -ENODATA  a table or column is missing: migrate (42P01 …)
 *   -EAGAIN          serialisation or deadlock (40)         -EDQUOT   the server is out of something (53)
 *   -EALREADY        a write that was brought again is there (SH001 of shoal.outbox_advance())
 *   -EMSGSIZE        the answer to a read is larger than DB_RESULT_BYTES_MAX
 *   -EPROTO          the result is not of the table's columns;  -EREMOTEIO  anything else; see db_result_sqlstate() */
typedef void (*db_result_fn)(void *arg, int error, const struct db_result *result);

/* Copies @options, keeps @loop. Connects nothing yet. -EINVAL: a conninfo is malformed (logged without its values), or
 * a set of statements. */
int db_new(struct loop *loop, const struct db_options *options, const struct db_events *events, void *arg,
	   struct db **ret_db);
/* Registers a further set; keeps @set, which must stay for the db's life. 0 also when it is there already; -EEXIST:
 * another set has that owner's name; -EINVAL (logged); -E2BIG; -ENOMEM. */
int db_add_set(struct db *db, const struct statement_set *set);
/* A registered statement by its stable names; NULL: there is none. */
const struct statement *db_find(const struct db *db, const char *owner, const char *name);

bool db_is_on(const struct db *db);
/* False while it is known to be away. A database that nobody has asked yet counts as not away. */
bool db_is_away(const struct db *db);
/* Words for people: "off", "idle", "up", "connecting", "away: <reason>". Borrowed until the next pass. */
const char *db_state_text(const struct db *db);
/* The same of read_conninfo. */
const char *db_replica_state_text(const struct db *db);

/* Queues a row of a registered set. -SHOAL_EOFFLINE: off or known to be away; -ENOBUFS: too many wait (back-pressure:
 * do not repeat at once); -EINVAL: not registered, count or types of parameters do not fit the row, or a text holds a
 * NUL byte; -EMSGSIZE; -ENOMEM. When it fails @fn is not called. */
int db_query(struct db *db, const struct statement *statement, const struct db_param *params, size_t param_count,
	     db_result_fn fn, void *arg);

/* The same for questions that may be answered from a little behind (an admin's): they go to read_conninfo where there
 * is one, and to the database itself while that is away. -EINVAL besides: the row is not STATEMENT_READ_ONLY. */
int db_query_replica(struct db *db, const struct statement *statement, const struct db_param *params,
		     size_t param_count, db_result_fn fn, void *arg);

/* One statement of a transaction; borrowed for the call. */
struct db_call {
	const struct statement *statement;
	const struct db_param *params;
	size_t param_count;
};

/* As db_result_fn for all together: 0 means that every one is committed, an error that none is (but for what
 * -SHOAL_EUNKNOWN and -ECANCELED say). @results is borrowed; never NULL. */
typedef void (*db_transaction_fn)(void *arg, int error, const struct db_results *results);

/* Queues 1 … DB_CALLS_MAX statements that go in one transaction, in that order, in one piece: no round trip between
 * them, so none can use another's result. Errors as db_query(), for the whole. */
int db_transaction(struct db *db, const struct db_call *calls, size_t count, db_transaction_fn fn, void *arg);
/* Of the statement at that place; NULL when it has none. */
const struct db_result *db_results_at(const struct db_results *results, size_t at);
/* The place of the one that failed; the count of statements when it was none of them (the commit, the connection). */
size_t db_results_failed(const struct db_results *results);

size_t db_result_rows(const struct db_result *result);
/* Rows that INSERT, UPDATE, DELETE touched. */
uint64_t db_result_affected(const struct db_result *result);
bool db_result_is_null(const struct db_result *result, size_t row, size_t column);
/* Value of a column of that type as the table says (else, or NULL, or out of range: 0, false, ""). */
int64_t db_result_int8(const struct db_result *result, size_t row, size_t column);
bool db_result_bool(const struct db_result *result, size_t row, size_t column);
double db_result_double(const struct db_result *result, size_t row, size_t column);
/* TIMESTAMPTZ in milliseconds since 1970 (infinity: INT64_MAX, INT64_MIN). */
int64_t db_result_time(const struct db_result *result, size_t row, size_t column);
/* TEXT, JSONB. Borrowed; NUL-terminated; *ret_len may be NULL. */
const char *db_result_text(const struct db_result *result, size_t row, size_t column, size_t *ret_len);
/* BYTEA. Borrowed; NULL for none. */
const void *db_result_bytes(const struct db_result *result, size_t row, size_t column, size_t *ret_len);
/* "23505"; "" when the server said none. */
const char *db_result_sqlstate(const struct db_result *result);

/* Upper bounds of the latency histogram in µs; the last bucket has none. */
#define DB_BUCKETS 14
extern const uint32_t db_bucket_us[DB_BUCKETS - 1];

/* From acceptance to the callback; of a transaction each of its statements counts, with the whole's time. */
struct db_statement_stats {
	uint64_t done, failed, unknown, repeated;
	uint64_t total_us, max_us; /* of those done */
	uint64_t buckets[DB_BUCKETS];
};
struct db_stats {
	uint64_t connects, connect_failures, disconnects, refused; /* refused: -ENOBUFS given */
	uint64_t done, failed, unknown, repeated;                  /* sums over the statements */
	uint64_t commits;   /* transactions that ended; below `done` where statements shared one */
	uint64_t fallbacks; /* questions for the replica that went to the database itself */
	size_t links, queued, in_flight;
};
void db_stats(const struct db *db, struct db_stats *ret_stats);
void db_statement_stats(const struct db *db, const struct statement *statement, struct db_statement_stats *ret_stats);
/* Every registered statement, set by set. */
typedef void (*db_each_fn)(void *arg, const char *owner, const struct statement *statement,
			   const struct db_statement_stats *stats);
void db_each_statement(const struct db *db, db_each_fn fn, void *arg);

/* Open statements end with -ECANCELED before it returns; @closed (may be NULL) when all handles are gone. */
void db_close(struct db *db, loop_fn closed, void *arg);

#endif
