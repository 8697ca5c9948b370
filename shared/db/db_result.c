/* Reads values out of a result. Any thread that holds it. Results come in text form; what does not read as the type
 * that the statement's row names is 0, false or "". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/db/db_link.h"

/* The value's text, or NULL when there is none of @type there. */
static const char *value_of(const struct db_result *result, size_t row, size_t column, enum db_type type)
{
	if (!result || !result->pg || row >= db_result_rows(result) ||
	    column >= statement_column_count(result->statement) || result->statement->columns[column] != type ||
	    PQgetisnull(result->pg, (int)row, (int)column))
		return NULL;
	return PQgetvalue(result->pg, (int)row, (int)column);
}

size_t db_result_rows(const struct db_result *result)
{
	return result && result->pg ? (size_t)PQntuples(result->pg) : 0;
}

uint64_t db_result_affected(const struct db_result *result)
{
	return result && result->pg ? strtoull(PQcmdTuples(result->pg), NULL, 10) : 0;
}

bool db_result_is_null(const struct db_result *result, size_t row, size_t column)
{
	return row >= db_result_rows(result) || column >= (size_t)PQnfields(result->pg) ||
	       PQgetisnull(result->pg, (int)row, (int)column);
}

int64_t db_result_int8(const struct db_result *result, size_t row, size_t column)
{
	const char *text = value_of(result, row, column, DB_TYPE_INT8);
	long long value;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	return errno || *end || end == text ? 0 : value;
}

bool db_result_bool(const struct db_result *result, size_t row, size_t column)
{
	const char *text = value_of(result, row, column, DB_TYPE_BOOL);

	return text && text[0] == 't';
}

double db_result_double(const struct db_result *result, size_t row, size_t column)
{
	const char *text = value_of(result, row, column, DB_TYPE_DOUBLE);

	return text ? strtod(text, NULL) : 0.0;
}

const char *db_result_text(const struct db_result *result, size_t row, size_t column, size_t *ret_len)
{
	static const enum db_type kinds[] = { DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_TIMESTAMPTZ };
	const char *text = NULL;

	for (size_t i = 0; !text && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		text = value_of(result, row, column, kinds[i]);
	if (ret_len)
		*ret_len = text ? (size_t)PQgetlength(result->pg, (int)row, (int)column) : 0;
	return text ? text : "";
}

const char *db_result_sqlstate(const struct db_result *result)
{
	return result ? result->sqlstate : "";
}
