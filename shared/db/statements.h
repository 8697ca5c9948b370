/* What a statement is: every SQL text that a running program sends stands in a table of rows: name, text, types of
 * parameters and of result columns. Values never stand in the text. Each owner has its own rows, a *set*: "core"
 * (statements_core.c), other parts of shoal theirs (statement_sets.c lists them), a module the one of its descriptor
 * (db_add_set()). Migrations and the operators' tools have their own SQL. */
#ifndef SHOAL_SHARED_DB_STATEMENTS_H
#define SHOAL_SHARED_DB_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum db_type {
	DB_TYPE_NONE, /* ends a list */
	DB_TYPE_INT8,
	DB_TYPE_BOOL,
	DB_TYPE_DOUBLE,
	DB_TYPE_TEXT,
	DB_TYPE_JSONB,
	DB_TYPE_BYTEA,
	DB_TYPE_TIMESTAMPTZ, /* milliseconds since 1970 */
	/* Parameters only: for UNNEST($1::bigint[], …), one statement for many rows. */
	DB_TYPE_INT8_ARRAY,
	DB_TYPE_BOOL_ARRAY,
	DB_TYPE_DOUBLE_ARRAY,
	DB_TYPE_TEXT_ARRAY,
	DB_TYPE_JSONB_ARRAY,
	DB_TYPE_BYTEA_ARRAY,
	DB_TYPE_COUNT,
};

enum statement_flags {
	/* Changes nothing: repeated by itself when a connection breaks under it. */
	STATEMENT_READ_ONLY = 1 << 0,
	/* Shares a transaction with no other statement of the same turn: it takes long, locks much, or must have its
	 * own now(). */
	STATEMENT_ALONE = 1 << 1,
};

#define STATEMENT_PARAMS_MAX    16
#define STATEMENT_COLUMNS_MAX   24
#define STATEMENT_OWNER_MAX     20 /* letters: with the name's it makes an identifier of 63 */
#define STATEMENT_NAME_MAX      36
#define STATEMENT_TIMEOUT_MAX_S 600

struct statement {
	const char *name; /* "guild_setting_get", unique in its set and stable: outboxes keep it */
	const char *sql;
	enum db_type params[STATEMENT_PARAMS_MAX + 1];
	enum db_type columns[STATEMENT_COLUMNS_MAX + 1];
	uint32_t flags;
	uint32_t timeout_ms; /* 0: postgres.statement_timeout_ms */
	/* Why it may touch more than one partition, in words; NULL: it never does (a test has every row explained). */
	const char *crosses;
};

/* All of one owner's, static for the program's life. */
struct statement_set {
	const char *owner; /* "core", a module's name; as in sql/<owner>/ */
	const struct statement *rows;
	size_t count;
};

uint32_t db_type_oid(enum db_type type); /* PostgreSQL's pg_type.oid; 0 for none */
const char *db_type_name(enum db_type type);
/* The type of an array's elements; DB_TYPE_NONE for what is no array. */
enum db_type db_type_element(enum db_type type);
size_t statement_param_count(const struct statement *statement);
size_t statement_column_count(const struct statement *statement);

/* 0, or -EINVAL with words: names that are no [a-z][a-z0-9_]* of the lengths above, twice the same, a type where it may
 * not stand, an empty text, a flag or time-out that does not exist. Pure. */
int statement_set_check(const struct statement_set *set, char *error, size_t size);

#endif
