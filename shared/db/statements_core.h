/* The statements of shoal itself: whether the schema fits, and guild settings. */
#ifndef SHOAL_SHARED_DB_STATEMENTS_CORE_H
#define SHOAL_SHARED_DB_STATEMENTS_CORE_H

#include "shared/db/statements.h"

enum {
	CORE_PING,
	CORE_SCHEMA,
	CORE_GUILD_SETTING_GET,
	CORE_GUILD_SETTING_LIST,
	CORE_GUILD_SETTING_SET,
	CORE_GUILD_SETTING_DELETE,
	CORE_STATEMENT_COUNT,
};

extern const struct statement core_statements[CORE_STATEMENT_COUNT];
extern const struct statement_set core_statement_set;

#endif
