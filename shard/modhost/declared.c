/* From a module's rows to the core's. */
#include "shard/modhost/declared.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/modhost/statement_text.h"
#include "shared/base/cleanup.h"
#include "shared/db/statement_sets.h"
#include "shared/settings/schema_core.h"

static const enum db_type types[SHOAL_SQL_TYPE_COUNT] = {
	[SHOAL_SQL_GUILD] = DB_TYPE_INT8,
	[SHOAL_SQL_INT8] = DB_TYPE_INT8,
	[SHOAL_SQL_BOOL] = DB_TYPE_BOOL,
	[SHOAL_SQL_DOUBLE] = DB_TYPE_DOUBLE,
	[SHOAL_SQL_TEXT] = DB_TYPE_TEXT,
	[SHOAL_SQL_JSON] = DB_TYPE_JSONB,
	[SHOAL_SQL_BYTES] = DB_TYPE_BYTEA,
	[SHOAL_SQL_TIME] = DB_TYPE_TIMESTAMPTZ,
	[SHOAL_SQL_INT8_LIST] = DB_TYPE_INT8_ARRAY,
	[SHOAL_SQL_TEXT_LIST] = DB_TYPE_TEXT_ARRAY,
};
_Static_assert(SHOAL_SQL_PARAMS_MAX == STATEMENT_PARAMS_MAX, "as many parameters");
_Static_assert(SHOAL_SQL_COLUMNS_MAX == STATEMENT_COLUMNS_MAX, "as many columns");
_Static_assert(SHOAL_SQL_NAME_MAX == STATEMENT_NAME_MAX, "as long names");

enum db_type declared_type(enum shoal_sql_type type)
{
	return (unsigned int)type < SHOAL_SQL_TYPE_COUNT ? types[type] : DB_TYPE_NONE;
}

static int PRINTF_LIKE(2, 3) refuse(char *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, DECLARED_ERROR_SIZE, format, args);
	va_end(args);
	return -EINVAL;
}

/* --- settings ------------------------------------------------------------------------------------------------------
 */

/* Held against the core's own beside it, so that names can't meet. */
static int take_settings(const struct shoal_module *rows, const char *name, struct declared *declared, char *error)
{
	char why[VALUE_ERROR_SIZE] = "";
	struct schemas *schemas;
	int r;

	declared->schema =
		(struct shoal_settings_schema){ .owner = name,
						.version = rows->settings_version ? rows->settings_version : 1,
						.rows = rows->settings,
						.count = rows->setting_count,
						.migrate = rows->settings_migrate };
	if (rows->setting_count == 0)
		return 0;
	r = schemas_new(&schemas);
	if (r < 0)
		return r;
	r = schema_core_add(schemas);
	if (r == 0)
		r = schemas_add(schemas, &declared->schema, why);
	schemas_free(schemas);
	if (r == -EEXIST)
		refuse(error, "settings: shoal itself has settings %s.…: the module needs another name", name);
	else if (r < 0)
		refuse(error, "%s", why[0] ? why : strerror(-r));
	return r;
}

/* --- statements ----------------------------------------------------------------------------------------------------
 */

static int take_types(const enum shoal_sql_type *from, size_t max, bool columns, enum db_type *to)
{
	for (size_t i = 0; i < max && from[i] != SHOAL_SQL_NONE; i++) {
		to[i] = declared_type(from[i]);
		if (to[i] == DB_TYPE_NONE || (from[i] == SHOAL_SQL_GUILD && (columns || i > 0)) ||
		    (columns && db_type_element(to[i]) != DB_TYPE_NONE))
			return -EINVAL;
	}
	return 0;
}

static int take_statement(const struct shoal_statement *from, const char *name, struct statement *to, char *error)
{
	bool by_guild = from->params[0] == SHOAL_SQL_GUILD;
	const char *row = from->name ? from->name : "without a name";
	char why[256];

	*to = (struct statement){ .name = from->name,
				  .sql = from->sql,
				  .flags = from->flags & SHOAL_SQL_READS ? STATEMENT_READ_ONLY : 0,
				  .timeout_ms = from->timeout_ms,
				  .crosses = from->not_by_guild };
	if (from->flags & ~(uint32_t)SHOAL_SQL_READS)
		return refuse(error, "statement %s: a flag that does not exist", row);
	if (by_guild == (from->not_by_guild != NULL))
		return refuse(error,
			      "statement %s: either its first parameter is SHOAL_SQL_GUILD, or not_by_guild says why "
			      "none of its is",
			      row);
	if (take_types(from->params, SHOAL_SQL_PARAMS_MAX, false, to->params) < 0 ||
	    take_types(from->columns, SHOAL_SQL_COLUMNS_MAX, true, to->columns) < 0)
		return refuse(error, "statement %s: a type that does not exist, or may not stand there", row);
	if (!from->sql || !from->sql[0])
		return refuse(error, "statement %s: it has no SQL", row);
	if (statement_text_check(from->sql, name, by_guild, from->flags & SHOAL_SQL_READS, why, sizeof(why)) < 0)
		return refuse(error, "statement %s: %s", row, why);
	return 0;
}

/* "x_late" is "x" with a time behind. */
static int check_late(const struct shoal_module *rows, const struct shoal_statement *late, char *error)
{
	char base[SHOAL_SQL_NAME_MAX + 1];
	size_t len = late->name ? strlen(late->name) : 0, at = 0, i = 0;
	const struct shoal_statement *row;

	if (len <= 5 || len >= sizeof(base) || strcmp(late->name + len - 5, "_late") != 0)
		return 0;
	snprintf(base, sizeof(base), "%.*s", (int)len - 5, late->name);
	row = declared_statement(rows, base, &at);
	if (!row)
		return 0;
	while (row->params[i] != SHOAL_SQL_NONE && row->params[i] == late->params[i])
		i++;
	if (row->params[i] != SHOAL_SQL_NONE || late->params[i] != SHOAL_SQL_TIME ||
	    late->params[i + 1] != SHOAL_SQL_NONE)
		return refuse(error, "statement %s: it must have the parameters of %s and a SHOAL_SQL_TIME behind them",
			      late->name, base);
	return 0;
}

static bool is_shoals_own(const char *name)
{
	for (size_t i = 0; i < statement_set_count; i++)
		if (strcmp(statement_sets[i]->owner, name) == 0)
			return true;
	return false;
}

static int take_statements(const struct shoal_module *rows, const char *name, struct declared *declared, char *error)
{
	size_t i, len = strlen(name);
	int r = 0;

	declared->statements = (struct statement_set){ .owner = name, .count = rows->statement_count };
	if (rows->statement_count == 0)
		return 0;
	if (is_shoals_own(name))
		return refuse(error, "statements: %s is one of shoal's own parts: the module needs another name", name);
	if (strstr(name, STATEMENT_TEXT_MARK) || name[len - 1] == '_')
		return refuse(error, "statements: a name with \"__\" in it, or '_' at its end, can't have tables");
	declared->rows = calloc(rows->statement_count, sizeof(declared->rows[0]));
	if (!declared->rows)
		return -ENOMEM;
	declared->statements.rows = declared->rows;
	for (i = 0; r == 0 && i < rows->statement_count; i++)
		r = take_statement(&rows->statements[i], name, &declared->rows[i], error);
	for (i = 0; r == 0 && i < rows->statement_count; i++)
		r = check_late(rows, &rows->statements[i], error);
	return r < 0 ? r : statement_set_check(&declared->statements, error, DECLARED_ERROR_SIZE);
}

/* --- both ----------------------------------------------------------------------------------------------------------
 */

int declared_take(const struct shoal_module *rows, const char *name, struct declared *ret_declared,
		  char error[DECLARED_ERROR_SIZE])
{
	struct declared declared = { 0 };
	int r;

	error[0] = '\0';
	if ((rows->setting_count && !rows->settings) || (rows->statement_count && !rows->statements))
		return refuse(error, "it says that it has settings or statements, and has no rows of them");
	r = take_settings(rows, name, &declared, error);
	if (r == 0)
		r = take_statements(rows, name, &declared, error);
	if (r < 0) {
		declared_finish(&declared);
		return r;
	}
	*ret_declared = declared;
	return 0;
}

void declared_finish(struct declared *declared)
{
	free(declared->rows);
	*declared = (struct declared){ 0 };
}

const struct shoal_statement *declared_statement(const struct shoal_module *module, const char *name, size_t *ret_at)
{
	for (size_t i = 0; name && i < module->statement_count; i++) {
		if (!module->statements[i].name || strcmp(module->statements[i].name, name) != 0)
			continue;
		*ret_at = i;
		return &module->statements[i];
	}
	return NULL;
}
