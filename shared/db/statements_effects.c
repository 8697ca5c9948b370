/* The table of the effect journal's SQL statements. Pure; any thread. */
#include "shared/db/statements_effects.h"

const struct statement effects_statements[EFFECTS_STATEMENT_COUNT] = {
	[EFFECTS_UNKNOWN_ADD] = {
		.name = "unknown_add",
		.sql = "INSERT INTO shoal.effect_unknown (guild_id, event, step, route, channel_id, shard_id, why)"
		       " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (guild_id, event, step) DO NOTHING",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_INT8,
			    DB_TYPE_TEXT },
	},
	/* There is nothing newer than a row that is only ever added; the update makes that it counts as written. */
	[EFFECTS_UNKNOWN_ADD_LATE] = {
		.name = "unknown_add_late",
		.sql = "INSERT INTO shoal.effect_unknown (guild_id, event, step, route, channel_id, shard_id, why, at)"
		       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (guild_id, event, step)"
		       " DO UPDATE SET at = least(effect_unknown.at, excluded.at)",
		.params = { DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_INT8,
			    DB_TYPE_TEXT, DB_TYPE_TIMESTAMPTZ },
	},
};

const struct statement_set effects_statement_set = { "effects", effects_statements, EFFECTS_STATEMENT_COUNT };
