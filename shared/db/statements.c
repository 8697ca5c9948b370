/* Types of values and the rules that a set of statements must keep. Pure; any thread. */
#include "shared/db/statements.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"

static const struct {
	const char *name;
	uint32_t oid; /* fixed for ever in PostgreSQL's pg_type.dat */
	enum db_type element;
} type_rows[DB_TYPE_COUNT] = {
	[DB_TYPE_NONE] = { "none", 0, DB_TYPE_NONE },
	[DB_TYPE_INT8] = { "bigint", 20, DB_TYPE_NONE },
	[DB_TYPE_BOOL] = { "boolean", 16, DB_TYPE_NONE },
	[DB_TYPE_DOUBLE] = { "double precision", 701, DB_TYPE_NONE },
	[DB_TYPE_TEXT] = { "text", 25, DB_TYPE_NONE },
	[DB_TYPE_JSONB] = { "jsonb", 3802, DB_TYPE_NONE },
	[DB_TYPE_BYTEA] = { "bytea", 17, DB_TYPE_NONE },
	[DB_TYPE_TIMESTAMPTZ] = { "timestamptz", 1184, DB_TYPE_NONE },
	[DB_TYPE_INT8_ARRAY] = { "bigint[]", 1016, DB_TYPE_INT8 },
	[DB_TYPE_BOOL_ARRAY] = { "boolean[]", 1000, DB_TYPE_BOOL },
	[DB_TYPE_DOUBLE_ARRAY] = { "double precision[]", 1022, DB_TYPE_DOUBLE },
	[DB_TYPE_TEXT_ARRAY] = { "text[]", 1009, DB_TYPE_TEXT },
	[DB_TYPE_JSONB_ARRAY] = { "jsonb[]", 3807, DB_TYPE_JSONB },
	[DB_TYPE_BYTEA_ARRAY] = { "bytea[]", 1001, DB_TYPE_BYTEA },
};

uint32_t db_type_oid(enum db_type type)
{
	return (unsigned int)type < DB_TYPE_COUNT ? type_rows[type].oid : 0;
}

const char *db_type_name(enum db_type type)
{
	return (unsigned int)type < DB_TYPE_COUNT ? type_rows[type].name : "unknown";
}

enum db_type db_type_element(enum db_type type)
{
	return (unsigned int)type < DB_TYPE_COUNT ? type_rows[type].element : DB_TYPE_NONE;
}

static size_t list_length(const enum db_type *list, size_t max)
{
	size_t count = 0;

	while (count < max && list[count] != DB_TYPE_NONE)
		count++;
	return count;
}

size_t statement_param_count(const struct statement *statement)
{
	return list_length(statement->params, STATEMENT_PARAMS_MAX);
}

size_t statement_column_count(const struct statement *statement)
{
	return list_length(statement->columns, STATEMENT_COLUMNS_MAX);
}

static bool is_name(const char *text, size_t max)
{
	size_t len;

	if (!text || text[0] < 'a' || text[0] > 'z')
		return false;
	len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return len <= max && text[len] == '\0';
}

/* NULL, or what is wrong with row @at. */
static const char *row_fault(const struct statement_set *set, size_t at)
{
	const struct statement *row = &set->rows[at];

	if (!is_name(row->name, STATEMENT_NAME_MAX))
		return "its name is not 1 to 36 of [a-z0-9_], a letter first";
	for (size_t other = 0; other < at; other++)
		if (strcmp(set->rows[other].name, row->name) == 0)
			return "its name is taken by an earlier row";
	if (!row->sql || !row->sql[0])
		return "it has no SQL";
	if (row->flags & ~(uint32_t)(STATEMENT_READ_ONLY | STATEMENT_ALONE))
		return "it has a flag that is not known";
	if (row->timeout_ms > STATEMENT_TIMEOUT_MAX_S * 1000)
		return "its time-out is above ten minutes";
	if (row->crosses && !row->crosses[0])
		return "it crosses partitions without a reason";
	for (size_t i = 0; i < statement_param_count(row); i++)
		if ((unsigned int)row->params[i] >= DB_TYPE_COUNT)
			return "a parameter's type is not known";
	for (size_t i = 0; i < statement_column_count(row); i++)
		if ((unsigned int)row->columns[i] >= DB_TYPE_COUNT || db_type_element(row->columns[i]) != DB_TYPE_NONE)
			return "a column's type is not known, or an array";
	return NULL;
}

int statement_set_check(const struct statement_set *set, char *error, size_t size)
{
	const char *fault;

	if (!is_name(set->owner, STATEMENT_OWNER_MAX)) {
		snprintf(error, size, "statements' owner: not 1 to 20 of [a-z0-9_], a letter first");
		return -EINVAL;
	}
	for (size_t i = 0; i < set->count; i++) {
		fault = row_fault(set, i);
		if (!fault)
			continue;
		snprintf(error, size, "statement %zu of %s (%.40s): %s", i, set->owner,
			 set->rows[i].name ? set->rows[i].name : "no name", fault);
		return -EINVAL;
	}
	return 0;
}
