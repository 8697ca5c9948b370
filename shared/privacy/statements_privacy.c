/* The table of privacy's and retention's SQL. Pure; any thread. What looks at all guilds says why. */
#include "shared/privacy/statements_privacy.h"

#define BY_AGE   "retention looks for what is too old in all guilds, by an index on its age, a few rows at a time"
#define NO_GUILD "it is about members who asked to be forgotten, and of no guild"
#define GONE_ONE "the names in one removed guild's rows stand in the members' own partitions"

const struct statement privacy_statements[PRIVACY_STATEMENT_COUNT] = {
	[PRIVACY_EXPORT_USER_SETTING] = {
		.name = "export_user_setting",
		.sql = "SELECT to_jsonb(t) FROM (SELECT name, value, sealed IS NOT NULL AS encrypted,"
		       " updated_at AS changed FROM shoal.user_setting WHERE user_id = $1 ORDER BY name LIMIT 1000) AS t",
		.params = { DB_TYPE_INT8 },
		.columns = { DB_TYPE_JSONB },
		.flags = STATEMENT_READ_ONLY,
	},
	[PRIVACY_ERASE_USER_SETTING] = {
		.name = "erase_user_setting",
		.sql = "DELETE FROM shoal.user_setting WHERE user_id = $1 AND name IN (SELECT name FROM"
		       " shoal.user_setting WHERE user_id = $1 LIMIT $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_NAMED_LIST] = {
		.name = "named_list",
		.sql = "SELECT guild_id, table_name FROM shoal.named_in WHERE user_id = $1"
		       " AND (guild_id, table_name) > ($2, $3) ORDER BY guild_id, table_name LIMIT 50",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT },
		.columns = { DB_TYPE_INT8, DB_TYPE_TEXT },
		.flags = STATEMENT_READ_ONLY,
	},
	[PRIVACY_NAMED_DONE] = {
		.name = "named_done",
		.sql = "DELETE FROM shoal.named_in WHERE user_id = $2 AND guild_id = $1 AND table_name = $3",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT },
	},
	[PRIVACY_EXPORT_SETTING] = {
		.name = "export_setting",
		.sql = "SELECT to_jsonb(t) FROM (SELECT guild_id::text AS guild, nullif(channel_id, 0)::text AS channel,"
		       " name, version, value, sealed IS NOT NULL AS encrypted, changed_at AS changed,"
		       " changed_by = $2 AS changed_by_you FROM shoal.setting_history"
		       " WHERE guild_id = $1 AND (changed_by = $2 OR $2 = ANY(names_users))"
		       " ORDER BY changed_at LIMIT 1000) AS t",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.columns = { DB_TYPE_JSONB },
		.flags = STATEMENT_READ_ONLY,
	},
	[PRIVACY_ERASE_HISTORY_BY] = {
		.name = "erase_history_by",
		.sql = "UPDATE shoal.setting_history SET changed_by = 0 WHERE guild_id = $1 AND changed_by = $2",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_ERASE_HISTORY_VALUE] = {
		.name = "erase_history_value",
		.sql = "UPDATE shoal.setting_history SET value = shoal.without_member(value, $2), sealed = NULL,"
		       " names_users = array_remove(names_users, $2) WHERE guild_id = $1 AND $2 = ANY(names_users)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_ERASE_GUILD_BY] = {
		.name = "erase_guild_by",
		.sql = "UPDATE shoal.guild_setting SET updated_by = 0 WHERE guild_id = $1 AND updated_by = $2",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_ERASE_GUILD_VALUE] = {
		.name = "erase_guild_value",
		.sql = "UPDATE shoal.guild_setting SET value = shoal.without_member(value, $2), sealed = NULL, version = version + 1,"
		       " updated_by = 0, updated_at = now(), note = DEFAULT,"
		       " names_users = array_remove(names_users, $2) WHERE guild_id = $1 AND $2 = ANY(names_users)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_ERASE_CHANNEL_BY] = {
		.name = "erase_channel_by",
		.sql = "UPDATE shoal.channel_setting SET updated_by = 0 WHERE guild_id = $1 AND updated_by = $2",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_ERASE_CHANNEL_VALUE] = {
		.name = "erase_channel_value",
		.sql = "UPDATE shoal.channel_setting SET value = shoal.without_member(value, $2), sealed = NULL, version = version + 1,"
		       " updated_by = 0, updated_at = now(), note = DEFAULT,"
		       " names_users = array_remove(names_users, $2) WHERE guild_id = $1 AND $2 = ANY(names_users)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_EXPORT_DECLARED] = {
		.name = "export_declared",
		.sql = "SELECT shoal.declared_export($1, $2, $3)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT },
		.columns = { DB_TYPE_JSONB },
		.flags = STATEMENT_READ_ONLY,
	},
	[PRIVACY_ERASE_DECLARED] = {
		.name = "erase_declared",
		.sql = "SELECT shoal.declared_erase($1, $2, $3)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT },
		.columns = { DB_TYPE_INT8 },
	},
	[PRIVACY_EXPORT_DECLARED_OWN] = {
		.name = "export_declared_own",
		.sql = "SELECT content, table_name FROM shoal.declared_export_own($1)",
		.params = { DB_TYPE_INT8 },
		.columns = { DB_TYPE_JSONB, DB_TYPE_TEXT },
		.flags = STATEMENT_READ_ONLY,
	},
	[PRIVACY_ERASE_DECLARED_OWN] = {
		.name = "erase_declared_own",
		.sql = "SELECT shoal.declared_erase_own($1, $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
	},
	[PRIVACY_FORGET_ADD] = {
		.name = "forget_add",
		/* One after the other: a number is never seen before a smaller one. */
		.sql = "INSERT INTO shoal.forget_request (user_id)"
		       " SELECT $1 FROM pg_advisory_xact_lock(5347001)",
		.params = { DB_TYPE_INT8 },
		.crosses = NO_GUILD,
	},
	[PRIVACY_FORGET_LAST] = {
		.name = "forget_last",
		.sql = "SELECT coalesce(max(id), 0) FROM shoal.forget_request",
		.columns = { DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
		.crosses = NO_GUILD,
	},
	[PRIVACY_FORGET_LIST] = {
		.name = "forget_list",
		.sql = "SELECT id, user_id FROM shoal.forget_request WHERE id > $1 ORDER BY id LIMIT 100",
		.params = { DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
		.crosses = NO_GUILD,
	},
	[PRIVACY_GONE_NOTE] = {
		.name = "gone_note",
		.sql = "INSERT INTO shoal.guild_gone (guild_id, due_at) VALUES ($1,"
		       " now() + make_interval(days => $2::bigint::integer)) ON CONFLICT (guild_id) DO NOTHING",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_GONE_BACK] = {
		.name = "gone_back",
		.sql = "DELETE FROM shoal.guild_gone WHERE guild_id = $1",
		.params = { DB_TYPE_INT8 },
	},
	[PRIVACY_GONE_DUE] = {
		.name = "gone_due",
		.sql = "SELECT guild_id FROM shoal.guild_gone WHERE due_at <= now()"
		       " AND (guild_id >> 22) % $1 = $2 ORDER BY due_at LIMIT 10",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
		.crosses = "a shard asks which of its guilds are due to be removed",
	},
	[PRIVACY_GONE_NAMES] = {
		.name = "gone_names",
		.sql = "DELETE FROM shoal.named_in WHERE guild_id = $1 AND user_id = ANY("
		       "ARRAY(SELECT changed_by FROM shoal.setting_history WHERE guild_id = $1 UNION"
		       " SELECT unnest(names_users) FROM shoal.setting_history WHERE guild_id = $1))",
		.params = { DB_TYPE_INT8 },
		.crosses = GONE_ONE,
	},
	[PRIVACY_GONE_HISTORY] = {
		.name = "gone_history",
		.sql = "DELETE FROM shoal.setting_history AS h WHERE guild_id = $1 AND (channel_id, name, version) IN"
		       " (SELECT channel_id, name, version FROM shoal.setting_history WHERE guild_id = $1 LIMIT $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_GONE_CHANNEL] = {
		.name = "gone_channel",
		.sql = "DELETE FROM shoal.channel_setting WHERE guild_id = $1 AND (channel_id, name) IN"
		       " (SELECT channel_id, name FROM shoal.channel_setting WHERE guild_id = $1 LIMIT $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_GONE_GUILD] = {
		.name = "gone_guild",
		.sql = "DELETE FROM shoal.guild_setting WHERE guild_id = $1 AND name IN"
		       " (SELECT name FROM shoal.guild_setting WHERE guild_id = $1 LIMIT $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_GONE_EFFECTS] = {
		.name = "gone_effects",
		.sql = "DELETE FROM shoal.effect_unknown WHERE guild_id = $1 AND (event, step) IN"
		       " (SELECT event, step FROM shoal.effect_unknown WHERE guild_id = $1 LIMIT $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
	},
	[PRIVACY_GONE_DECLARED] = {
		.name = "gone_declared",
		.sql = "SELECT shoal.declared_gone($1, $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
		.crosses = GONE_ONE,
	},
	[PRIVACY_SWEEP_DECLARED] = {
		.name = "sweep_declared",
		.sql = "SELECT shoal.declared_sweep($2) WHERE $1::bigint > 0", /* each has days of its own */
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
		.flags = STATEMENT_ALONE,
		.crosses = BY_AGE,
	},
	[PRIVACY_SWEEP_EFFECTS] = {
		.name = "sweep_effects",
		.sql = "DELETE FROM shoal.effect_unknown WHERE (guild_id, event, step) IN"
		       " (SELECT guild_id, event, step FROM shoal.effect_unknown"
		       " WHERE at < now() - make_interval(days => $1::bigint::integer) ORDER BY at LIMIT $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_ALONE,
		.crosses = BY_AGE,
	},
	[PRIVACY_SWEEP_HISTORY] = {
		.name = "sweep_history",
		.sql = "DELETE FROM shoal.setting_history WHERE (guild_id, channel_id, name, version) IN"
		       " (SELECT guild_id, channel_id, name, version FROM shoal.setting_history"
		       " WHERE changed_at < now() - make_interval(days => $1::bigint::integer)"
		       " ORDER BY changed_at LIMIT $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_ALONE,
		.crosses = BY_AGE,
	},
	[PRIVACY_SWEEP_FORGET] = {
		.name = "sweep_forget",
		.sql = "DELETE FROM shoal.forget_request WHERE id IN (SELECT id FROM shoal.forget_request"
		       " WHERE requested_at < now() - make_interval(days => $1::bigint::integer)"
		       " ORDER BY requested_at LIMIT $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_ALONE,
		.crosses = NO_GUILD,
	},
	[PRIVACY_SHORTER_LIST] = {
		.name = "shorter_list",
		.sql = "SELECT guild_id, days FROM shoal.shorter_history($1, $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
		.crosses = "retention asks which guilds keep their history for a shorter time, by an index of those alone",
	},
	[PRIVACY_SHORTER_SWEEP] = {
		.name = "shorter_sweep",
		.sql = "DELETE FROM shoal.setting_history WHERE guild_id = $1 AND (channel_id, name, version) IN"
		       " (SELECT channel_id, name, version FROM shoal.setting_history WHERE guild_id = $1"
		       " AND changed_at < now() - make_interval(days => $3::bigint::integer) LIMIT $2)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_ALONE,
	},
};

const struct statement_set privacy_statement_set = { "privacy", privacy_statements, PRIVACY_STATEMENT_COUNT };
