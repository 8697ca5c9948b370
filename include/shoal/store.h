/* SPDX-License-Identifier: MIT */
/* The module's own tables in PostgreSQL. What it asks are rows of its descriptor (SHOAL_STATEMENTS()), each a name and
 * one SQL text; values are parameters, never part of the text. The tables are made by the module's own chain of
 * migrations, NNNN_name.up.sql and .down.sql: in shoal's tree sql/<module>/, for a .so elsewhere <modules.dir>/sql/
 * <module>/; shoalctl migrate runs them. They lie in the schema shoal, are called <module>__<what>, and are made by
 * shoal.create_keyed_table(), guild_id first. Where members stand in one, the migration says so:
 * shoal.declare_table('game__score', ARRAY['user_id'], 'delete') (or 'clear'; and 'at', 90 for the days that a row is
 * kept). Then /privacy, retention and the removal of a server that was left do the rest. A text that names another's
 * table is refused when the module is loaded.
 *
 *	static const struct shoal_statement statements[] = {
 *		{ .name = "score_get", .flags = SHOAL_SQL_READS,
 *		  .sql = "SELECT score FROM shoal.game__score WHERE guild_id = $1 AND user_id = $2",
 *		  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8 }, .columns = { SHOAL_SQL_INT8 } },
 *	};
 *
 * Everything is asynchronous and belongs to a scope; nothing blocks. */
#ifndef SHOAL_STORE_H
#define SHOAL_STORE_H

#include <shoal/api.h>
#include <shoal/error.h>

enum shoal_sql_type {
	SHOAL_SQL_NONE, /* ends a list */
	/* bigint; only as a row's first parameter: shoal gives it by itself, from struct shoal_query or shoal_write */
	SHOAL_SQL_GUILD,
	SHOAL_SQL_INT8, /* bigint; ids too */
	SHOAL_SQL_BOOL,
	SHOAL_SQL_DOUBLE,
	SHOAL_SQL_TEXT,
	SHOAL_SQL_JSON,  /* jsonb, as text */
	SHOAL_SQL_BYTES, /* bytea */
	SHOAL_SQL_TIME,  /* timestamptz, Unix milliseconds */
	/* Parameters only, for unnest($2) or = ANY($2): */
	SHOAL_SQL_INT8_LIST,
	SHOAL_SQL_TEXT_LIST,
	SHOAL_SQL_TYPE_COUNT,
};

enum shoal_sql_flags {
	/* Changes nothing. Such a row is asked again by itself when a connection breaks under it. */
	SHOAL_SQL_READS = 1 << 0,
};

#define SHOAL_SQL_PARAMS_MAX  16
#define SHOAL_SQL_COLUMNS_MAX 24
#define SHOAL_SQL_NAME_MAX    36

struct shoal_statement {
	const char *name; /* a-z, 0-9, '_', a letter first; stable: what waits on a disk for the database names it */
	const char *sql;
	/* Of $1, $2, …; the first is SHOAL_SQL_GUILD, and the text compares guild_id with it, so that no statement
	 * reaches another server's rows. */
	enum shoal_sql_type params[SHOAL_SQL_PARAMS_MAX + 1];
	enum shoal_sql_type columns[SHOAL_SQL_COLUMNS_MAX + 1];
	uint32_t flags;
	uint32_t timeout_ms; /* 0: postgres.statement_timeout_ms */
	/* Why no guild stands in it (a member's own table, keyed by user_id; work over all servers); NULL: one does. */
	const char *not_by_guild;
};

/* A parameter. Texts, bytes and lists are borrowed for the call. */
struct shoal_sql_value {
	enum shoal_sql_type type;
	bool null;
	union {
		int64_t integer; /* INT8, TIME */
		bool boolean;
		double number;
		struct {
			const char *bytes;
			size_t len;
		} text; /* TEXT, JSON, BYTES */
		struct {
			const int64_t *items;
			size_t count;
		} integers;
		struct {
			const char *const *items;
			size_t count;
		} texts;
	} is;
};
#define SHOAL_INT8(value)   ((struct shoal_sql_value){ .type = SHOAL_SQL_INT8, .is.integer = (int64_t)(value) })
#define SHOAL_BOOL(value)   ((struct shoal_sql_value){ .type = SHOAL_SQL_BOOL, .is.boolean = (value) })
#define SHOAL_DOUBLE(value) ((struct shoal_sql_value){ .type = SHOAL_SQL_DOUBLE, .is.number = (value) })
#define SHOAL_TIME(unix_ms) ((struct shoal_sql_value){ .type = SHOAL_SQL_TIME, .is.integer = (unix_ms) })
#define SHOAL_TEXT(bytes_, len_) \
	((struct shoal_sql_value){ .type = SHOAL_SQL_TEXT, .is.text.bytes = (bytes_), .is.text.len = (len_) })
#define SHOAL_JSON(bytes_, len_) \
	((struct shoal_sql_value){ .type = SHOAL_SQL_JSON, .is.text.bytes = (bytes_), .is.text.len = (len_) })
#define SHOAL_BYTES(bytes_, len_)                                                         \
	((struct shoal_sql_value){ .type = SHOAL_SQL_BYTES,                               \
				   .is.text.bytes = (const char *)(const void *)(bytes_), \
				   .is.text.len = (len_) })
#define SHOAL_INT8_LIST(items_, count_) \
	((struct shoal_sql_value){      \
		.type = SHOAL_SQL_INT8_LIST, .is.integers.items = (items_), .is.integers.count = (count_) })
#define SHOAL_TEXT_LIST(items_, count_) \
	((struct shoal_sql_value){      \
		.type = SHOAL_SQL_TEXT_LIST, .is.texts.items = (items_), .is.texts.count = (count_) })
#define SHOAL_NULL(type_) ((struct shoal_sql_value){ .type = (type_), .null = true })

#define SHOAL_SQL_LIST_MAX 10000 /* items of a list; all parameters of one call are 1 MiB at most */

/* What came back; NULL where there is none. Borrowed for the callback. */
struct shoal_rows;

/* Rows: 0 for NULL. */
static inline size_t shoal_rows_count(const struct shoal_rows *rows)
{
	return shoal_api_table->rows_count(rows);
}

/* That an INSERT, UPDATE or DELETE touched. */
static inline uint64_t shoal_rows_affected(const struct shoal_rows *rows)
{
	return shoal_api_table->rows_affected(rows);
}

/* A value, by row and column from 0 on. One that is NULL, out of range or of another type is 0, false, "". */
static inline bool shoal_rows_is_null(const struct shoal_rows *rows, size_t row, size_t column)
{
	return shoal_api_table->rows_is_null(rows, row, column);
}
static inline int64_t shoal_rows_int8(const struct shoal_rows *rows, size_t row, size_t column)
{
	return shoal_api_table->rows_int8(rows, row, column);
}
static inline bool shoal_rows_bool(const struct shoal_rows *rows, size_t row, size_t column)
{
	return shoal_api_table->rows_bool(rows, row, column);
}
static inline double shoal_rows_double(const struct shoal_rows *rows, size_t row, size_t column)
{
	return shoal_api_table->rows_double(rows, row, column);
}
/* Unix milliseconds. */
static inline int64_t shoal_rows_time(const struct shoal_rows *rows, size_t row, size_t column)
{
	return shoal_api_table->rows_time(rows, row, column);
}
/* TEXT, JSON; ends with a NUL byte. @ret_len may be NULL. */
static inline const char *shoal_rows_text(const struct shoal_rows *rows, size_t row, size_t column, size_t *ret_len)
{
	return shoal_api_table->rows_text(rows, row, column, ret_len);
}
static inline const void *shoal_rows_bytes(const struct shoal_rows *rows, size_t row, size_t column, size_t *ret_len)
{
	return shoal_api_table->rows_bytes(rows, row, column, ret_len);
}

/* --- asking ----------------------------------------------------------------------------------------------------------
 */

struct shoal_query {
	const char *statement;                /* a row's name */
	uint64_t guild_id;                    /* for SHOAL_SQL_GUILD; 0: that of the scope */
	const struct shoal_sql_value *params; /* those behind it */
	size_t param_count;
};

/* Exactly once, never from within shoal_query(). @error: 0, and @rows; or, with @rows NULL,
 *	-SHOAL_EOFFLINE  the database is off, away, or not migrated for this program: surely not done
 *	-ETIMEDOUT       not in time: surely not done
 *	-SHOAL_EUNKNOWN  the connection broke under one that changes something: maybe done
 *	-EEXIST          a unique key is taken        -EBADMSG  another constraint or a type says no
 *	-ERANGE          a number became too large for its column
 *	-EACCES, -ENODATA (a table is missing: shoalctl migrate), -EAGAIN, -EPROTO (other columns than the row says), …
 *	-ECANCELED       the scope ended: maybe done */
typedef void (*shoal_rows_fn)(void *arg, int error, const struct shoal_rows *rows);

/* Asks one of the module's rows. A row that changes something is done again when its event is begun again after a
 * crash, and not at all while the database is away: what must be done once, and not be lost, is for shoal_write().
 * -ENOENT: no such row; -EINVAL: parameters that are not its, or no guild; -SHOAL_EOFFLINE, -ENOBUFS, -EMSGSIZE,
 * -ECANCELED, -ENOMEM: @fn is not called. */
static inline int shoal_query(struct shoal_scope *scope, const struct shoal_query *query, shoal_rows_fn fn, void *arg)
{
	return shoal_api_table->query(scope, query, fn, arg);
}

/* --- writing what must not be lost -----------------------------------------------------------------------------------
 */

struct shoal_write {
	const char *statement;
	uint64_t guild_id;
	const struct shoal_sql_value *params;
	size_t param_count;
	/* What it is about, so that the writes of one thing stay in order: "score/81384788765712384"; at most 32
	 * bytes. */
	const char *key;
	/* The member who is named in it: what waits goes when they ask to be forgotten. 0: nobody */
	uint64_t user_id;
	/* What shoal_pending() says of the key from now on until the database says it; NULL: it is gone. */
	const char *value;
	size_t value_len;
	/* 0: the write belongs to its event, and to its place among the event's writes: one that is begun again after a
	 * crash writes nothing twice, if it begins its writes in the same order. Else a number of your own that does
	 * the same, where there is no event. */
	uint64_t token;
};

/* Borrowed for the callback. */
struct shoal_written {
	int error; /* 0; -ENOSPC: the database is away and the disk full; -EBADMSG, -EEXIST, … as above: nothing was
		    * written; -ECANCELED: the scope ended, it will be written if it was on its way */
	bool kept; /* it waits on this machine's disk until the database is back: safe, and no longer your care */
	const struct shoal_rows *rows; /* NULL when kept, or when an earlier worker had written it */
};
typedef void (*shoal_written_fn)(void *arg, const struct shoal_written *written);

/* Writes once, whatever crashes, and at the latest when the database is back. @fn (may be NULL: a failure is logged)
 * exactly once, never from within. Beside the row "x" there may be a row "x_late", with a further SHOAL_SQL_TIME
 * at the end: it is used when the write comes so late that newer ones of its key may have been made from elsewhere (the
 * shard count has changed), writes nothing where it finds something newer than that time, and what it writes gets that
 * time. A late write without one is set aside, and operators are told. Errors as shoal_query(), and -EINVAL: the row
 * only reads, or the key is none. */
static inline int shoal_write(struct shoal_scope *scope, const struct shoal_write *write, shoal_written_fn fn,
			      void *arg)
{
	return shoal_api_table->write(scope, write, fn, arg);
}

/* What waits for the database, or is on its way to it: true, and the value of a write of @key that it has not said yet
 * (*ret_value NULL: it is gone); false: the database's answer stands. @asked_ns: shoal_clock_ns() when it was asked, 0
 * for now. @guild_id 0: that of the scope. Borrowed until your function returns. */
static inline bool shoal_pending(struct shoal_scope *scope, uint64_t guild_id, const char *key, uint64_t asked_ns,
				 const char **ret_value, size_t *ret_len)
{
	return shoal_api_table->pending(scope, guild_id, key, asked_ns, ret_value, ret_len);
}

#endif
