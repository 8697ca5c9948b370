/* The table of the outbox's SQL statements. Pure; any thread. The cursors lie in one small table without partitions: a
 * source writes for many guilds. */
#include "shared/db/statements_outbox.h"

static const char no_guild[] = "cursors belong to sources of writes, not to guilds";

const struct statement outbox_statements[OUTBOX_STATEMENT_COUNT] = {
	[OUTBOX_ADVANCE] = {
		.name = "advance",
		.sql = "SELECT shoal.outbox_advance($1, $2, $3, $4)",
		.params = { DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_INT8 },
		.columns = { DB_TYPE_INT8 },
		.crosses = no_guild,
	},
	[OUTBOX_CURSORS] = {
		.name = "cursors",
		.sql = "SELECT source, number FROM shoal.outbox_cursor WHERE source = ANY($1)",
		.params = { DB_TYPE_INT8_ARRAY },
		.columns = { DB_TYPE_INT8, DB_TYPE_INT8 },
		.flags = STATEMENT_READ_ONLY,
		.crosses = no_guild,
	},
	[OUTBOX_SWEEP] = {
		.name = "sweep",
		.sql = "DELETE FROM shoal.outbox_cursor WHERE source IN (SELECT source FROM shoal.outbox_cursor"
		       " WHERE kind > 0 AND updated_at < now() - make_interval(days => $1::bigint::integer)"
		       " ORDER BY updated_at LIMIT 500 FOR UPDATE SKIP LOCKED)",
		.params = { DB_TYPE_INT8 },
		.flags = STATEMENT_ALONE,
		.crosses = no_guild,
	},
};

const struct statement_set outbox_statement_set = { "outbox", outbox_statements, OUTBOX_STATEMENT_COUNT };
