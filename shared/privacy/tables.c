/* The rows. Pure; any thread. */
#include "shared/privacy/tables.h"

#include "shared/base/cleanup.h"
#include "shared/privacy/statements_privacy.h"
#include "shared/schedule/statements_schedule.h"

#define DO(row)     (&privacy_statements[row])
#define DO_JOB(row) (&schedule_statements[row])

const struct privacy_member_table privacy_member_tables[] = {
	{ "user_setting", DO(PRIVACY_EXPORT_USER_SETTING), DO(PRIVACY_ERASE_USER_SETTING) },
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
	{ "guild_gone", DO(PRIVACY_GONE_BACK) }, /* last: until then it is begun again */
};
const size_t privacy_guild_table_count = ARRAY_SIZE(privacy_guild_tables);

/* Requests to be forgotten outlive whatever a worker that was away could still hold (parked.max_age_days and more). */
const struct privacy_aged_table privacy_aged_tables[] = {
	{ "setting_history", "changed_at", 0, DO(PRIVACY_SWEEP_HISTORY) },
	{ "effect_unknown", "at", 90, DO(PRIVACY_SWEEP_EFFECTS) },
	{ "job", "failed_at", 30, DO_JOB(SCHEDULE_SWEEP) },
	{ "forget_request", "requested_at", 90, DO(PRIVACY_SWEEP_FORGET) },
};
const size_t privacy_aged_table_count = ARRAY_SIZE(privacy_aged_tables);
