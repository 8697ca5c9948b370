/* The table of SQL statements. Pure; any thread. Every statement of a guild names its guild_id in the primary key's
 * first place: one partition, one shard. A new row needs no other change than its enum. */
#include "shared/db/statements.h"

#include "shared/base/cleanup.h"

const struct statement statement_rows[STATEMENT_COUNT] = {
	[STATEMENT_PING] = {
		.name = "ping",
		.sql = "SELECT 1::bigint",
		.columns = { DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
	},
	[STATEMENT_SCHEMA] = {
		.name = "schema",
		.sql = "SELECT owner, number::bigint, oldest_program FROM shoal.migration ORDER BY owner, number"
		       " LIMIT 4096",
		.columns = { DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TEXT },
		.flags = STATEMENT_READ_ONLY,
	},
	[STATEMENT_GUILD_SETTING_GET] = {
		.name = "guild_setting_get",
		.sql = "SELECT value, version, updated_by FROM shoal.guild_setting"
		       " WHERE guild_id = $1 AND name = $2 AND value IS NOT NULL",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT },
		.columns = { DB_TYPE_JSONB, DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
	},
	[STATEMENT_GUILD_SETTING_LIST] = {
		.name = "guild_setting_list",
		.sql = "SELECT name, value, version, updated_by FROM shoal.guild_setting"
		       " WHERE guild_id = $1 AND value IS NOT NULL ORDER BY name LIMIT 1000",
		.params = { DB_TYPE_INT8 },
		.columns = { DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
	},
	/* Repeating it would raise the version once more, so it is not read-only even where the value is the same. */
	[STATEMENT_GUILD_SETTING_SET] = {
		.name = "guild_setting_set",
		.sql = "INSERT INTO shoal.guild_setting AS s (guild_id, name, value, version, updated_by, updated_at)"
		       " VALUES ($1, $2, $3, 1, $4, now())"
		       " ON CONFLICT (guild_id, name) DO UPDATE SET value = excluded.value, version = s.version + 1,"
		       " updated_by = excluded.updated_by, updated_at = excluded.updated_at"
		       " RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
	},
	/* The row stays, without a value: its version must not start again, or an old cached copy would look newer. */
	[STATEMENT_GUILD_SETTING_DELETE] = {
		.name = "guild_setting_delete",
		.sql = "UPDATE shoal.guild_setting SET value = NULL, version = version + 1, updated_by = $3,"
		       " updated_at = now() WHERE guild_id = $1 AND name = $2 AND value IS NOT NULL"
		       " RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
	},
};

static const struct {
	const char *name;
	uint32_t oid; /* fixed for ever in PostgreSQL's pg_type.dat */
} type_rows[DB_TYPE_COUNT] = {
	[DB_TYPE_NONE] = { "none", 0 },
	[DB_TYPE_INT8] = { "bigint", 20 },
	[DB_TYPE_BOOL] = { "boolean", 16 },
	[DB_TYPE_DOUBLE] = { "double precision", 701 },
	[DB_TYPE_TEXT] = { "text", 25 },
	[DB_TYPE_JSONB] = { "jsonb", 3802 },
	[DB_TYPE_TIMESTAMPTZ] = { "timestamptz", 1184 },
};

uint32_t db_type_oid(enum db_type type)
{
	return (unsigned int)type < DB_TYPE_COUNT ? type_rows[type].oid : 0;
}

const char *db_type_name(enum db_type type)
{
	return (unsigned int)type < DB_TYPE_COUNT ? type_rows[type].name : "unknown";
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
