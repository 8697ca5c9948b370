/* Parameters into, and results out of PostgreSQL's binary form: nothing is quoted, printed or parsed, and bytea is not
 * doubled. Pure; any thread that holds the result. What comes from the server is not trusted to have the size that its
 * type wants: such a value is 0, false, "" or nothing. */
#include "shared/db/db_value.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <postgresql/libpq-fe.h>

#include "shared/base/cleanup.h"

#define EPOCH_MS          946684800000LL /* PostgreSQL counts microseconds from 2000-01-01 */
#define JSONB_VERSION     1
#define ARRAY_HEADER_SIZE 20 /* dimensions, flags, element type, length, lower bound */
#define ELEMENTS_MAX      (DB_PARAM_BYTES_MAX / 4)

/* --- out ---------------------------------------------------------------------------------------------------------- */

static int text_size(const struct db_param *param, size_t extra)
{
	size_t len = param->value.text.len;

	if (len > DB_PARAM_BYTES_MAX)
		return -EMSGSIZE;
	if (param->type != DB_TYPE_BYTEA && len > 0 && memchr(param->value.text.bytes, '\0', len))
		return -EINVAL; /* PostgreSQL's text has no NUL */
	return (int)(len + extra);
}

static int array_size(const struct db_param *param)
{
	enum db_type type = db_type_element(param->type);
	size_t total = ARRAY_HEADER_SIZE;
	int size;

	if (param->value.array.count > ELEMENTS_MAX)
		return -EMSGSIZE;
	for (size_t i = 0; i < param->value.array.count; i++) {
		const struct db_param *element = &param->value.array.elements[i];

		size = element->type == type ? db_value_size(element) : -EINVAL;
		if (size < 0)
			return size;
		total += 4 + (size_t)size;
		if (total > DB_PARAM_BYTES_MAX)
			return -EMSGSIZE;
	}
	return (int)total;
}

int db_value_size(const struct db_param *param)
{
	if (param->null)
		return 0;
	switch (param->type) {
	case DB_TYPE_INT8:
	case DB_TYPE_DOUBLE:
		return 8;
	case DB_TYPE_TIMESTAMPTZ:
		if (param->value.i > INT64_MAX / 1000 || param->value.i < INT64_MIN / 1000 + EPOCH_MS)
			return -EINVAL;
		return 8;
	case DB_TYPE_BOOL:
		return 1;
	case DB_TYPE_TEXT:
	case DB_TYPE_BYTEA:
		return text_size(param, 0);
	case DB_TYPE_JSONB:
		return text_size(param, 1);
	default:
		return db_type_element(param->type) != DB_TYPE_NONE ? array_size(param) : -EINVAL;
	}
}

static char *put_u32(char *to, uint32_t value)
{
	value = htobe32(value);
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

static void put_u64(char *to, uint64_t value)
{
	value = htobe64(value);
	memcpy(to, &value, sizeof(value));
}

static void put_array(const struct db_param *param, char *to)
{
	size_t count = param->value.array.count;
	bool nulls = false;

	for (size_t i = 0; i < count; i++)
		nulls = nulls || param->value.array.elements[i].null;
	to = put_u32(to, 1); /* an empty one has a dimension too: of no elements */
	to = put_u32(to, nulls);
	to = put_u32(to, db_type_oid(db_type_element(param->type)));
	to = put_u32(to, (uint32_t)count);
	to = put_u32(to, 1);
	for (size_t i = 0; i < count; i++) {
		const struct db_param *element = &param->value.array.elements[i];
		int size = db_value_size(element);

		to = put_u32(to, element->null ? UINT32_MAX : (uint32_t)size);
		if (element->null)
			continue;
		db_value_write(element, to);
		to += size;
	}
}

void db_value_write(const struct db_param *param, char *to)
{
	uint64_t bits;

	switch (param->type) {
	case DB_TYPE_INT8:
		put_u64(to, (uint64_t)param->value.i);
		break;
	case DB_TYPE_TIMESTAMPTZ:
		put_u64(to, (uint64_t)((param->value.i - EPOCH_MS) * 1000));
		break;
	case DB_TYPE_DOUBLE:
		memcpy(&bits, &param->value.d, sizeof(bits));
		put_u64(to, bits);
		break;
	case DB_TYPE_BOOL:
		to[0] = param->value.b;
		break;
	case DB_TYPE_JSONB:
		*to++ = JSONB_VERSION;
		/* fall through */
	case DB_TYPE_TEXT:
	case DB_TYPE_BYTEA:
		if (param->value.text.len)
			memcpy(to, param->value.text.bytes, param->value.text.len);
		break;
	default:
		put_array(param, to);
	}
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

/* The value's bytes, or NULL when there is none of @type, or not of @size (0: any). */
static const char *value_of(const struct db_result *result, size_t row, size_t column, enum db_type type, int size)
{
	if (!result || !result->pg || row >= db_result_rows(result) ||
	    column >= statement_column_count(result->statement) || result->statement->columns[column] != type ||
	    PQgetisnull(result->pg, (int)row, (int)column))
		return NULL;
	if (size && PQgetlength(result->pg, (int)row, (int)column) != size)
		return NULL;
	return PQgetvalue(result->pg, (int)row, (int)column);
}

static uint64_t get_u64(const char *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return be64toh(value);
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
	const char *bytes = value_of(result, row, column, DB_TYPE_INT8, 8);

	return bytes ? (int64_t)get_u64(bytes) : 0;
}

bool db_result_bool(const struct db_result *result, size_t row, size_t column)
{
	const char *bytes = value_of(result, row, column, DB_TYPE_BOOL, 1);

	return bytes && bytes[0];
}

double db_result_double(const struct db_result *result, size_t row, size_t column)
{
	const char *bytes = value_of(result, row, column, DB_TYPE_DOUBLE, 8);
	uint64_t bits;
	double value;

	if (!bytes)
		return 0.0;
	bits = get_u64(bytes);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

int64_t db_result_time(const struct db_result *result, size_t row, size_t column)
{
	const char *bytes = value_of(result, row, column, DB_TYPE_TIMESTAMPTZ, 8);
	int64_t us = bytes ? (int64_t)get_u64(bytes) : 0;

	if (!bytes)
		return 0;
	if (us == INT64_MAX || us == INT64_MIN) /* infinity */
		return us;
	return (us >= 0 ? us : us - 999) / 1000 + EPOCH_MS;
}

const char *db_result_text(const struct db_result *result, size_t row, size_t column, size_t *ret_len)
{
	const char *text = value_of(result, row, column, DB_TYPE_TEXT, 0);
	size_t skip = 0, len;

	if (!text) {
		text = value_of(result, row, column, DB_TYPE_JSONB, 0);
		skip = 1;
	}
	len = text ? (size_t)PQgetlength(result->pg, (int)row, (int)column) : 0;
	if (text && skip && (len < 1 || text[0] != JSONB_VERSION))
		text = NULL;
	if (ret_len)
		*ret_len = text ? len - skip : 0;
	return text ? text + skip : ""; /* libpq puts a NUL behind every value */
}

const void *db_result_bytes(const struct db_result *result, size_t row, size_t column, size_t *ret_len)
{
	const char *bytes = value_of(result, row, column, DB_TYPE_BYTEA, 0);

	*ret_len = bytes ? (size_t)PQgetlength(result->pg, (int)row, (int)column) : 0;
	return bytes;
}

const char *db_result_sqlstate(const struct db_result *result)
{
	return result ? result->sqlstate : "";
}
