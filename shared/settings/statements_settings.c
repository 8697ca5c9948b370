/* The table of the settings' SQL. Pure; any thread. A reset keeps its row without a value: its version must not start
 * again, or an old cached copy would look newer. The history is written by the tables' trigger. */
#include "shared/settings/statements_settings.h"

#define REVISIONS_CROSS \
	"one worker asks for many of its guilds or members at once whether their cached copies are still right"

const struct statement settings_statements[SETTINGS_STATEMENT_COUNT] = {
	[SETTINGS_LOAD_GUILD] = {
		.name = "load_guild",
		.sql = "SELECT 0::bigint, name, value, sealed, schema_version, version, updated_by, updated_at"
		       " FROM shoal.guild_setting WHERE guild_id = $1"
		       " UNION ALL SELECT channel_id, name, value, sealed, schema_version, version, updated_by, updated_at"
		       " FROM shoal.channel_setting WHERE guild_id = $1 LIMIT 2600",
		.params = { DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_BYTEA, DB_TYPE_INT8, DB_TYPE_INT8,
			     DB_TYPE_INT8, DB_TYPE_TIMESTAMPTZ },
		.flags = STATEMENT_READ_ONLY,
	},
	[SETTINGS_LOAD_USER] = {
		.name = "load_user",
		.sql = "SELECT 0::bigint, name, value, sealed, schema_version, version, user_id, updated_at"
		       " FROM shoal.user_setting WHERE user_id = $1 LIMIT 2600",
		.params = { DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_BYTEA, DB_TYPE_INT8, DB_TYPE_INT8,
			     DB_TYPE_INT8, DB_TYPE_TIMESTAMPTZ },
		.flags = STATEMENT_READ_ONLY,
	},
	/* Versions only rise, so a sum that is the same means that nothing changed. */
	[SETTINGS_REVISIONS_GUILD] = {
		.name = "revisions_guild",
		.sql = "SELECT guild_id, mod(sum(version), 4611686018427387904)::bigint FROM ("
		       "SELECT guild_id, version FROM shoal.guild_setting WHERE guild_id = ANY($1)"
		       " UNION ALL SELECT guild_id, version FROM shoal.channel_setting WHERE guild_id = ANY($1)) AS s"
		       " GROUP BY guild_id",
		.params = { DB_TYPE_INT8_ARRAY },
		.columns = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
		.crosses = REVISIONS_CROSS,
	},
	[SETTINGS_REVISIONS_USER] = {
		.name = "revisions_user",
		.sql = "SELECT user_id, mod(sum(version), 4611686018427387904)::bigint FROM shoal.user_setting WHERE user_id = ANY($1)"
		       " GROUP BY user_id",
		.params = { DB_TYPE_INT8_ARRAY },
		.columns = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
		.crosses = REVISIONS_CROSS,
	},
	[SETTINGS_SET_GUILD] = {
		.name = "set_guild",
		.sql = "INSERT INTO shoal.guild_setting AS s (guild_id, name, value, sealed, schema_version, updated_by,"
		       " names_users, note, version, updated_at)"
		       " SELECT $1, $2, $3, $4, $5, $6, $7, $8, 1, now()"
		       " WHERE (SELECT count(*) FROM shoal.guild_setting AS c WHERE c.guild_id = $1) < 500"
		       " OR EXISTS (SELECT FROM shoal.guild_setting AS c WHERE c.guild_id = $1 AND c.name = $2)"
		       " ON CONFLICT (guild_id, name) DO UPDATE SET value = excluded.value, sealed = excluded.sealed,"
		       " schema_version = excluded.schema_version, updated_by = excluded.updated_by,"
		       " names_users = excluded.names_users, note = excluded.note, version = s.version + 1,"
		       " updated_at = excluded.updated_at RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_BYTEA, DB_TYPE_INT8, DB_TYPE_INT8,
			    DB_TYPE_INT8_ARRAY, DB_TYPE_TEXT },
		.columns = { DB_TYPE_INT8 },
	},
	[SETTINGS_SET_CHANNEL] = {
		.name = "set_channel",
		.sql = "INSERT INTO shoal.channel_setting AS s (guild_id, name, value, sealed, schema_version, updated_by,"
		       " names_users, note, channel_id, version, updated_at)"
		       " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 1, now()"
		       " WHERE (SELECT count(*) FROM shoal.channel_setting AS c WHERE c.guild_id = $1) < 2000"
		       " OR EXISTS (SELECT FROM shoal.channel_setting AS c WHERE c.guild_id = $1 AND c.channel_id = $9"
		       " AND c.name = $2)"
		       " ON CONFLICT (guild_id, channel_id, name) DO UPDATE SET value = excluded.value,"
		       " sealed = excluded.sealed, schema_version = excluded.schema_version,"
		       " updated_by = excluded.updated_by, names_users = excluded.names_users, note = excluded.note,"
		       " version = s.version + 1, updated_at = excluded.updated_at RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_BYTEA, DB_TYPE_INT8, DB_TYPE_INT8,
			    DB_TYPE_INT8_ARRAY, DB_TYPE_TEXT, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
	},
	[SETTINGS_SET_USER] = {
		.name = "set_user",
		.sql = "INSERT INTO shoal.user_setting AS s (user_id, name, value, sealed, schema_version, version,"
		       " updated_at) SELECT $1, $2, $3, $4, $5, 1, now()"
		       " WHERE (SELECT count(*) FROM shoal.user_setting AS c WHERE c.user_id = $1) < 200"
		       " OR EXISTS (SELECT FROM shoal.user_setting AS c WHERE c.user_id = $1 AND c.name = $2)"
		       " ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value, sealed = excluded.sealed,"
		       " schema_version = excluded.schema_version, version = s.version + 1,"
		       " updated_at = excluded.updated_at RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_BYTEA, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
	},
	[SETTINGS_RESET_GUILD] = {
		.name = "reset_guild",
		.sql = "UPDATE shoal.guild_setting SET value = NULL, sealed = NULL, names_users = NULL, updated_by = $3,"
		       " note = $4, version = version + 1, updated_at = now()"
		       " WHERE guild_id = $1 AND name = $2 AND (value IS NOT NULL OR sealed IS NOT NULL)"
		       " RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TEXT },
		.columns = { DB_TYPE_INT8 },
	},
	[SETTINGS_RESET_CHANNEL] = {
		.name = "reset_channel",
		.sql = "UPDATE shoal.channel_setting SET value = NULL, sealed = NULL, names_users = NULL,"
		       " updated_by = $3, note = $4, version = version + 1, updated_at = now()"
		       " WHERE guild_id = $1 AND channel_id = $5 AND name = $2"
		       " AND (value IS NOT NULL OR sealed IS NOT NULL) RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
	},
	[SETTINGS_RESET_USER] = {
		.name = "reset_user",
		.sql = "UPDATE shoal.user_setting SET value = NULL, sealed = NULL, version = version + 1,"
		       " updated_at = now() WHERE user_id = $1 AND name = $2"
		       " AND (value IS NOT NULL OR sealed IS NOT NULL) RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT },
		.columns = { DB_TYPE_INT8 },
	},
	/* What the outbox uses for a write that comes late: it counts unless something newer is there. The last parameter is
	 * when it was asked for, which is also the time that the row gets: of two late ones the second must still count. */
	[SETTINGS_SET_GUILD_LATE] = {
		.name = "set_guild_late",
		.sql = "INSERT INTO shoal.guild_setting AS s (guild_id, name, value, sealed, schema_version, updated_by,"
		       " names_users, note, version, updated_at)"
		       " SELECT $1, $2, $3, $4, $5, $6, $7, $8, 1, $9"
		       " WHERE (SELECT count(*) FROM shoal.guild_setting AS c WHERE c.guild_id = $1) < 500"
		       " OR EXISTS (SELECT FROM shoal.guild_setting AS c WHERE c.guild_id = $1 AND c.name = $2)"
		       " ON CONFLICT (guild_id, name) DO UPDATE SET value = excluded.value, sealed = excluded.sealed,"
		       " schema_version = excluded.schema_version, updated_by = excluded.updated_by,"
		       " names_users = excluded.names_users, note = excluded.note, version = s.version + 1,"
		       " updated_at = excluded.updated_at WHERE s.updated_at <= $9 RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_BYTEA, DB_TYPE_INT8, DB_TYPE_INT8,
			    DB_TYPE_INT8_ARRAY, DB_TYPE_TEXT, DB_TYPE_TIMESTAMPTZ },
		.columns = { DB_TYPE_INT8 },
	},
	[SETTINGS_SET_CHANNEL_LATE] = {
		.name = "set_channel_late",
		.sql = "INSERT INTO shoal.channel_setting AS s (guild_id, name, value, sealed, schema_version, updated_by,"
		       " names_users, note, channel_id, version, updated_at)"
		       " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10"
		       " WHERE (SELECT count(*) FROM shoal.channel_setting AS c WHERE c.guild_id = $1) < 2000"
		       " OR EXISTS (SELECT FROM shoal.channel_setting AS c WHERE c.guild_id = $1 AND c.channel_id = $9"
		       " AND c.name = $2)"
		       " ON CONFLICT (guild_id, channel_id, name) DO UPDATE SET value = excluded.value,"
		       " sealed = excluded.sealed, schema_version = excluded.schema_version,"
		       " updated_by = excluded.updated_by, names_users = excluded.names_users, note = excluded.note,"
		       " version = s.version + 1, updated_at = excluded.updated_at WHERE s.updated_at <= $10 RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_BYTEA, DB_TYPE_INT8, DB_TYPE_INT8,
			    DB_TYPE_INT8_ARRAY, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TIMESTAMPTZ },
		.columns = { DB_TYPE_INT8 },
	},
	[SETTINGS_SET_USER_LATE] = {
		.name = "set_user_late",
		.sql = "INSERT INTO shoal.user_setting AS s (user_id, name, value, sealed, schema_version, version,"
		       " updated_at) SELECT $1, $2, $3, $4, $5, 1, $6"
		       " WHERE (SELECT count(*) FROM shoal.user_setting AS c WHERE c.user_id = $1) < 200"
		       " OR EXISTS (SELECT FROM shoal.user_setting AS c WHERE c.user_id = $1 AND c.name = $2)"
		       " ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value, sealed = excluded.sealed,"
		       " schema_version = excluded.schema_version, version = s.version + 1,"
		       " updated_at = excluded.updated_at WHERE s.updated_at <= $6 RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_BYTEA, DB_TYPE_INT8, DB_TYPE_TIMESTAMPTZ },
		.columns = { DB_TYPE_INT8 },
	},
	[SETTINGS_RESET_GUILD_LATE] = {
		.name = "reset_guild_late",
		.sql = "UPDATE shoal.guild_setting SET value = NULL, sealed = NULL, names_users = NULL, updated_by = $3,"
		       " note = $4, version = version + 1, updated_at = $5"
		       " WHERE guild_id = $1 AND name = $2 AND (value IS NOT NULL OR sealed IS NOT NULL)"
		       " AND updated_at <= $5 RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_TIMESTAMPTZ },
		.columns = { DB_TYPE_INT8 },
	},
	[SETTINGS_RESET_CHANNEL_LATE] = {
		.name = "reset_channel_late",
		.sql = "UPDATE shoal.channel_setting SET value = NULL, sealed = NULL, names_users = NULL,"
		       " updated_by = $3, note = $4, version = version + 1, updated_at = $6"
		       " WHERE guild_id = $1 AND channel_id = $5 AND name = $2"
		       " AND (value IS NOT NULL OR sealed IS NOT NULL) AND updated_at <= $6 RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TIMESTAMPTZ },
		.columns = { DB_TYPE_INT8 },
	},
	[SETTINGS_RESET_USER_LATE] = {
		.name = "reset_user_late",
		.sql = "UPDATE shoal.user_setting SET value = NULL, sealed = NULL, version = version + 1,"
		       " updated_at = $3 WHERE user_id = $1 AND name = $2"
		       " AND (value IS NOT NULL OR sealed IS NOT NULL) AND updated_at <= $3 RETURNING version",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_TIMESTAMPTZ },
		.columns = { DB_TYPE_INT8 },
	},
	/* Each with what it was before, which is the row before it. */
	[SETTINGS_HISTORY] = {
		.name = "history",
		.sql = "SELECT channel_id, name, version, value, sealed IS NOT NULL, schema_version, changed_by,"
		       " changed_at, note FROM shoal.setting_history"
		       " WHERE guild_id = $1 AND channel_id = $2 AND name = $3 ORDER BY version DESC LIMIT $4",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_JSONB, DB_TYPE_BOOL, DB_TYPE_INT8,
			     DB_TYPE_INT8, DB_TYPE_TIMESTAMPTZ, DB_TYPE_TEXT },
		.flags = STATEMENT_READ_ONLY,
	},
	[SETTINGS_HISTORY_ALL] = {
		.name = "history_all",
		.sql = "SELECT channel_id, name, version, value, sealed IS NOT NULL, schema_version, changed_by,"
		       " changed_at, note FROM shoal.setting_history"
		       " WHERE guild_id = $1 ORDER BY changed_at DESC, version DESC LIMIT $2",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_JSONB, DB_TYPE_BOOL, DB_TYPE_INT8,
			     DB_TYPE_INT8, DB_TYPE_TIMESTAMPTZ, DB_TYPE_TEXT },
		.flags = STATEMENT_READ_ONLY,
	},
	[SETTINGS_HISTORY_AT] = {
		.name = "history_at",
		.sql = "SELECT value, sealed, schema_version FROM shoal.setting_history"
		       " WHERE guild_id = $1 AND channel_id = $2 AND name = $3 AND version = $4",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8 },
		.columns = { DB_TYPE_JSONB, DB_TYPE_BYTEA, DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
	},
};

const struct statement_set settings_statement_set = { "settings", settings_statements, SETTINGS_STATEMENT_COUNT };
