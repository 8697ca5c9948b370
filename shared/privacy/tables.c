/* The rows. Pure; any thread. */
#include "shared/privacy/tables.h"

#include "shared/base/cleanup.h"
#include "shared/db/db.h"
#include "shared/privacy/statements_privacy.h"
#include "shared/schedule/statements_schedule.h"

#define DO(row)     (&privacy_statements[row])
#define DO_JOB(row) (&schedule_statements[row])

const struct privacy_member_table privacy_member_tables[] = {
	{ "user_setting", DO(PRIVACY_EXPORT_USER_SETTING), DO(PRIVACY_ERASE_USER_SETTING) },
	{ NULL, DO(PRIVACY_EXPORT_DECLARED_OWN), DO(PRIVACY_ERASE_DECLARED_OWN) },
};
const size_t privacy_member_table_count = ARRAY_SIZE(privacy_member_tables);

const struct privacy_named_table privacy_named_tables[] = {
	{ "setting",
	  DO(PRIVACY_EXPORT_SETTING),
	  { DO(PRIVACY_ERASE_HISTORY_BY), DO(PRIVACY_ERASE_HISTORY_VALUE), DO(PRIVACY_ERASE_GUILD_BY),
	    DO(PRIVACY_ERASE_GUILD_VALUE), DO(PRIVACY_ERASE_CHANNEL_BY), DO(PRIVACY_ERASE_CHANNEL_VALUE) } },
	{ "job", DO_JOB(SCHEDULE_EXPORT), { DO_JOB(SCHEDULE_ERASE) } },
};
const size_t privacy_named_table_count = ARRAY_SIZE(privacy_named_tables);

const struct privacy_guild_table privacy_guild_tables[] = {
	{ "named_in", DO(PRIVACY_GONE_NAMES) },
	{ "named_in", DO_JOB(SCHEDULE_GONE_NAMES) },
	{ "job", DO_JOB(SCHEDULE_GONE) },
	{ "setting_history", DO(PRIVACY_GONE_HISTORY) },
	{ "channel_setting", DO(PRIVACY_GONE_CHANNEL) },
	{ "guild_setting", DO(PRIVACY_GONE_GUILD) },
	{ "effect_unknown", DO(PRIVACY_GONE_EFFECTS) },
	{ NULL, DO(PRIVACY_GONE_DECLARED) },
	{ "guild_gone", DO(PRIVACY_GONE_BACK) }, /* last: until then it is begun again */
};
const size_t privacy_guild_table_count = ARRAY_SIZE(privacy_guild_tables);

/* Requests to be forgotten outlive whatever a worker that was away could still hold (parked.max_age_days and more). */
const struct privacy_aged_table privacy_aged_tables[] = {
	{ "setting_history", "changed_at", 0, DO(PRIVACY_SWEEP_HISTORY) },
	{ "effect_unknown", "at", 90, DO(PRIVACY_SWEEP_EFFECTS) },
	{ "job", "failed_at", 30, DO_JOB(SCHEDULE_SWEEP) },
	{ "forget_request", "requested_at", 90, DO(PRIVACY_SWEEP_FORGET) },
	{ NULL, NULL, 1, DO(PRIVACY_SWEEP_DECLARED) },
};
const size_t privacy_aged_table_count = ARRAY_SIZE(privacy_aged_tables);

uint64_t privacy_rows(const struct statement *statement, const struct db_result *result)
{
	/* A function says it itself. */
	if (statement->columns[0] == DB_TYPE_INT8 && !(statement->flags & STATEMENT_READ_ONLY))
		return db_result_rows(result) == 1 ? (uint64_t)db_result_int8(result, 0, 0) : 0;
	return db_result_affected(result);
}
