/* Every SQL statement that a running program sends, in one table: name, text, types of parameters and of result
 * columns. Values never stand in the text. Migrations and the operators' tools have their own SQL. */
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
	DB_TYPE_TIMESTAMPTZ, /* a result only; read as text in ISO form */
	DB_TYPE_COUNT,
};

enum statement_id {
	STATEMENT_PING,
	STATEMENT_SCHEMA,
	STATEMENT_GUILD_SETTING_GET,
	STATEMENT_GUILD_SETTING_LIST,
	STATEMENT_GUILD_SETTING_SET,
	STATEMENT_GUILD_SETTING_DELETE,
	STATEMENT_COUNT,
};

enum statement_flags {
	/* Changes nothing: repeated by itself when a connection breaks under it. */
	STATEMENT_READ_ONLY = 1 << 0,
};

#define STATEMENT_PARAMS_MAX  8
#define STATEMENT_COLUMNS_MAX 8

struct statement {
	const char *name; /* "guild_setting_get": prepared under "shoal_" + this; metric label */
	const char *sql;
	enum db_type params[STATEMENT_PARAMS_MAX + 1];
	enum db_type columns[STATEMENT_COLUMNS_MAX + 1];
	uint32_t flags;
};

/* What db.c runs on. Tests may give a table of their own. */
extern const struct statement statement_rows[STATEMENT_COUNT];

uint32_t db_type_oid(enum db_type type); /* PostgreSQL's pg_type.oid; 0 for none */
const char *db_type_name(enum db_type type);
size_t statement_param_count(const struct statement *statement);
size_t statement_column_count(const struct statement *statement);

#endif
