/* The table of core's SQL statements. Pure; any thread. Every statement of a guild names its guild_id in the primary
 * key's first place: one partition, one shard. A new row needs no other change than its enum. */
#include "shared/db/statements_core.h"

const struct statement core_statements[CORE_STATEMENT_COUNT] = {
	[CORE_PING] = {
		.name = "ping",
		.sql = "SELECT 1::bigint",
		.columns = { DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
	},
	[CORE_SCHEMA] = {
		.name = "schema",
		.sql = "SELECT owner, number::bigint, oldest_program FROM shoal.migration ORDER BY owner, number"
		       " LIMIT 4096",
		.columns = { DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TEXT },
		.flags = STATEMENT_READ_ONLY,
	},
	[CORE_GUILD_SETTING_GET] = {
		.name = "guild_setting_get",
		.sql = "SELECT value, version, updated_by FROM shoal.guild_setting"
		       " WHERE guild_id = $1 AND name = $2 AND value IS NOT NULL",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT },
		.columns = { DB_TYPE_JSONB, DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
	},
	[CORE_GUILD_SETTING_LIST] = {
		.name = "guild_setting_list",
		.sql = "SELECT name, value, version, updated_by FROM shoal.guild_setting"
		       " WHERE guild_id = $1 AND value IS NOT NULL ORDER BY name LIMIT 1000",
		.params = { DB_TYPE_INT8 },
		.columns = { DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
	},
	/* Repeating it would raise the version once more, so it is not read-only even where the value is the same. */
	[CORE_GUILD_SETTING_SET] = {
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
	[CORE_GUILD_SETTING_DELETE] = {
		.name = "guild_setting_delete",
		.sql = "UPDATE shoal.guild_setting SET value = NULL, version = version + 1, updated_by = $3,"
		       " updated_at = now() WHERE guild_id = $1 AND name = $2 AND value IS NOT NULL"
		       " RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
	},
};

const struct statement_set core_statement_set = { "core", core_statements, CORE_STATEMENT_COUNT };
