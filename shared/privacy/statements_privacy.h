/* The statements of privacy and retention: what is kept of a member, what is removed when. */
#ifndef SHOAL_SHARED_PRIVACY_STATEMENTS_PRIVACY_H
#define SHOAL_SHARED_PRIVACY_STATEMENTS_PRIVACY_H

#include "shared/db/statements.h"

enum {
	/* of a member: (user) -> rows as JSON; (user, limit) -> rows that went */
	PRIVACY_EXPORT_USER_SETTING,
	PRIVACY_ERASE_USER_SETTING,
	/* of a guild that names a member: (guild, user) */
	PRIVACY_NAMED_LIST,
	PRIVACY_NAMED_DONE,
	PRIVACY_EXPORT_SETTING,
	PRIVACY_ERASE_HISTORY_BY,
	PRIVACY_ERASE_HISTORY_VALUE,
	PRIVACY_ERASE_GUILD_BY,
	PRIVACY_ERASE_GUILD_VALUE,
	PRIVACY_ERASE_CHANNEL_BY,
	PRIVACY_ERASE_CHANNEL_VALUE,
	/* of tables that their owners have declared (sql/core/0007): (guild, user, table), and by the member: (user…)
	 */
	PRIVACY_EXPORT_DECLARED,
	PRIVACY_ERASE_DECLARED,
	PRIVACY_EXPORT_DECLARED_OWN,
	PRIVACY_ERASE_DECLARED_OWN,
	/* who asked to be forgotten, for every worker's own files */
	PRIVACY_FORGET_ADD,
	PRIVACY_FORGET_LAST,
	PRIVACY_FORGET_LIST,
	/* a guild that the bot was removed from */
	PRIVACY_GONE_NOTE,
	PRIVACY_GONE_BACK,
	PRIVACY_GONE_DUE,
	PRIVACY_GONE_NAMES,
	PRIVACY_GONE_HISTORY,
	PRIVACY_GONE_CHANNEL,
	PRIVACY_GONE_GUILD,
	PRIVACY_GONE_EFFECTS,
	PRIVACY_GONE_DECLARED,
	/* retention: (days, limit) */
	PRIVACY_SWEEP_HISTORY,
	PRIVACY_SWEEP_FORGET,
	PRIVACY_SWEEP_EFFECTS,
	PRIVACY_SWEEP_DECLARED,
	PRIVACY_SHORTER_LIST,
	PRIVACY_SHORTER_SWEEP,
	PRIVACY_STATEMENT_COUNT,
};

extern const struct statement privacy_statements[PRIVACY_STATEMENT_COUNT];
extern const struct statement_set privacy_statement_set;

#endif
