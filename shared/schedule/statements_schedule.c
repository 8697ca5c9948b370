/* The table of the jobs' SQL. Pure; any thread. A run's statements name the fence under which it was begun. */
#include "shared/schedule/statements_schedule.h"

#define I8 DB_TYPE_INT8
#define TX DB_TYPE_TEXT
#define TZ DB_TYPE_TIMESTAMPTZ

#define ADD_COLUMNS                                                                                              \
	"INSERT INTO shoal.job AS j (guild_id, id, module, name, version, user_id, tag, due_at, repeat, label,"  \
	" payload, holder, fence, claims, lease_until, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, " \
	"$10,"                                                                                                   \
	" $11, $12, 1, 0, now() + make_interval(secs => $13::bigint::double precision), $14)"                    \
	" ON CONFLICT (guild_id, id) DO "
#define RUN_OF " WHERE guild_id = $1 AND id = $2 AND holder = $3 AND fence = $4"
#define FREE   " holder = 0, prior = 0, claims = 0, claimed_at = NULL, lease_until = NULL"
#define NEXT   "UPDATE shoal.job SET run = run + 1, due_at = $5," FREE RUN_OF
#define FAIL   "UPDATE shoal.job SET failed_at = now(), reason = $5," FREE RUN_OF
#define CANCEL \
	"DELETE FROM shoal.job WHERE guild_id = $1 AND id = $2 AND module = $3 AND ($4 = 0::bigint OR user_id = $4)"
/* Of a late write "nothing there" is an answer as well: another has taken the job over, and its run counts. */
#define TOLD(what, time) "WITH told AS (" what ") SELECT 1::bigint WHERE " time "::timestamptz IS NOT NULL"

const struct statement schedule_statements[SCHEDULE_STATEMENT_COUNT] = {
	/* Held by who made it for the length of a lease: that one may have begun it before it was written here. */
	[SCHEDULE_ADD] = {
		.name = "add",
		.sql = ADD_COLUMNS "NOTHING",
		.params = { I8, I8, TX, TX, I8, I8, I8, TZ, TX, TX, DB_TYPE_BYTEA, I8, I8, TZ },
	},
	[SCHEDULE_ADD_LATE] = {
		.name = "add_late",
		.sql = ADD_COLUMNS "UPDATE SET created_at = least(j.created_at, $15)",
		.params = { I8, I8, TX, TX, I8, I8, I8, TZ, TX, TX, DB_TYPE_BYTEA, I8, I8, TZ, TZ },
	},
	/* Every worker of the fleet says it when it starts: what is there already is not written. */
	[SCHEDULE_FLEET] = {
		.name = "fleet",
		.sql = "INSERT INTO shoal.job AS j (guild_id, id, module, name, version, due_at, repeat, label)"
		       " VALUES (0, $1, $2, $3, $4, $5, $6, $7) ON CONFLICT (guild_id, id) DO UPDATE"
		       " SET repeat = excluded.repeat, due_at = excluded.due_at, version = excluded.version,"
		       " failed_at = NULL, reason = DEFAULT WHERE j.repeat <> excluded.repeat OR j.version <> excluded.version",
		.params = { I8, TX, TX, I8, TZ, TX, TX },
	},
	[SCHEDULE_DUE] = {
		.name = "due",
		.sql = "SELECT guild_id, id, due_at, module, name, user_id FROM shoal.job WHERE due_at <= $1 AND failed_at IS NULL"
		       " AND (guild_id = 0 OR (guild_id >> 22) % $2 = $3)"
		       " AND (holder = 0 OR holder = $4 OR lease_until < now()) AND module = ANY($5)"
		       " ORDER BY due_at LIMIT $6",
		.params = { TZ, I8, I8, I8, DB_TYPE_TEXT_ARRAY, I8 },
		.columns = { I8, I8, TZ, TX, TX, I8 },
		.flags = STATEMENT_READ_ONLY,
		.crosses = "a shard asks which of its guilds' jobs are due next, by an index on their time",
	},
	[SCHEDULE_CLAIM] = {
		.name = "claim",
		.sql = "UPDATE shoal.job SET prior = holder, holder = $3, fence = fence + 1, claims = claims + 1,"
		       " claimed_at = coalesce(claimed_at, now()),"
		       " lease_until = now() + make_interval(secs => $4::bigint::double precision)"
		       " WHERE guild_id = $1 AND id = $2 AND due_at <= $5 AND failed_at IS NULL"
		       " AND (holder = 0 OR holder = $3 OR lease_until < now())"
		       " RETURNING fence, run, prior, claims, claimed_at, due_at, module, name, version, user_id, tag,"
		       " repeat, payload",
		.params = { I8, I8, I8, I8, TZ },
		.columns = { I8, I8, I8, I8, TZ, TZ, TX, TX, I8, I8, I8, TX, DB_TYPE_BYTEA },
	},
	[SCHEDULE_RENEW] = {
		.name = "renew",
		.sql = "UPDATE shoal.job SET lease_until = now() + make_interval(secs => $5::bigint::double precision)" RUN_OF,
		.params = { I8, I8, I8, I8, I8 },
	},
	[SCHEDULE_DONE] = {
		.name = "done",
		.sql = "DELETE FROM shoal.job" RUN_OF,
		.params = { I8, I8, I8, I8 },
	},
	[SCHEDULE_DONE_LATE] = {
		.name = "done_late",
		.sql = TOLD("DELETE FROM shoal.job" RUN_OF, "$5"),
		.params = { I8, I8, I8, I8, TZ },
		.columns = { I8 },
	},
	[SCHEDULE_NEXT] = {
		.name = "next",
		.sql = NEXT,
		.params = { I8, I8, I8, I8, TZ },
	},
	[SCHEDULE_NEXT_LATE] = {
		.name = "next_late",
		.sql = TOLD(NEXT, "$6"),
		.params = { I8, I8, I8, I8, TZ, TZ },
		.columns = { I8 },
	},
	[SCHEDULE_FAIL] = {
		.name = "fail",
		.sql = FAIL,
		.params = { I8, I8, I8, I8, TX },
	},
	[SCHEDULE_FAIL_LATE] = {
		.name = "fail_late",
		.sql = TOLD(FAIL, "$6"),
		.params = { I8, I8, I8, I8, TX, TZ },
		.columns = { I8 },
	},
	[SCHEDULE_CANCEL] = {
		.name = "cancel",
		.sql = CANCEL,
		.params = { I8, I8, TX, I8 },
	},
	[SCHEDULE_CANCEL_LATE] = {
		.name = "cancel_late",
		.sql = TOLD(CANCEL, "$5"),
		.params = { I8, I8, TX, I8, TZ },
		.columns = { I8 },
	},
	[SCHEDULE_LIST] = {
		.name = "list",
		.sql = "SELECT id, tag, user_id, due_at, created_at, label, repeat, payload, version FROM shoal.job"
		       " WHERE guild_id = $1 AND module = $2 AND name = $3 AND ($4 = 0::bigint OR user_id = $4)"
		       " AND failed_at IS NULL ORDER BY due_at LIMIT $5",
		.params = { I8, TX, TX, I8, I8 },
		.columns = { I8, I8, I8, TZ, TZ, TX, TX, DB_TYPE_BYTEA, I8 },
		.flags = STATEMENT_READ_ONLY,
	},
	[SCHEDULE_EXPORT] = {
		.name = "export",
		.sql = "SELECT to_jsonb(t) FROM (SELECT nullif(guild_id, $2)::text AS guild, module, name, due_at AS due,"
		       " repeat, label, shoal.job_words(payload) AS payload, created_at AS created FROM shoal.job"
		       " WHERE guild_id = $1 AND user_id = $2 ORDER BY due_at LIMIT 1000) AS t",
		.params = { I8, I8 },
		.columns = { DB_TYPE_JSONB },
		.flags = STATEMENT_READ_ONLY,
	},
	[SCHEDULE_ERASE] = {
		.name = "erase",
		.sql = "DELETE FROM shoal.job WHERE guild_id = $1 AND user_id = $2",
		.params = { I8, I8 },
	},
	[SCHEDULE_GONE_NAMES] = {
		.name = "gone_names",
		.sql = "DELETE FROM shoal.named_in WHERE guild_id = $1 AND user_id = ANY("
		       "ARRAY(SELECT user_id FROM shoal.job WHERE guild_id = $1))",
		.params = { I8 },
		.crosses = "the names in one removed guild's rows stand in the members' own partitions",
	},
	[SCHEDULE_GONE] = {
		.name = "gone",
		.sql = "DELETE FROM shoal.job WHERE guild_id = $1 AND id IN"
		       " (SELECT id FROM shoal.job WHERE guild_id = $1 LIMIT $2)",
		.params = { I8, I8 },
	},
	[SCHEDULE_SWEEP] = {
		.name = "sweep",
		.sql = "DELETE FROM shoal.job WHERE (guild_id, id) IN (SELECT guild_id, id FROM shoal.job"
		       " WHERE failed_at < now() - make_interval(days => $1::bigint::integer)"
		       " ORDER BY failed_at LIMIT $2)",
		.params = { I8, I8 },
		.flags = STATEMENT_ALONE,
		.crosses = "retention looks for what is too old in all guilds, by an index on its age, a few rows at a time",
	},
};

const struct statement_set schedule_statement_set = { "schedule", schedule_statements, SCHEDULE_STATEMENT_COUNT };
