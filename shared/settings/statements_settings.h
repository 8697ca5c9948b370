/* The statements of settings: layers, their history, and what tells whether a cached copy is still right. */
#ifndef SHOAL_SHARED_SETTINGS_STATEMENTS_SETTINGS_H
#define SHOAL_SHARED_SETTINGS_STATEMENTS_SETTINGS_H

#include "shared/db/statements.h"

#define SETTINGS_GUILD_ROWS_MAX                                                              \
	500 /* settings of one guild that may have been touched; as many of its channels x 4 \
	     */
#define SETTINGS_CHANNEL_ROWS_MAX 2000
#define SETTINGS_USER_ROWS_MAX    200

enum {
	SETTINGS_LOAD_GUILD,
	SETTINGS_LOAD_USER,
	SETTINGS_REVISIONS_GUILD,
	SETTINGS_REVISIONS_USER,
	SETTINGS_SET_GUILD,
	SETTINGS_SET_CHANNEL,
	SETTINGS_SET_USER,
	SETTINGS_RESET_GUILD,
	SETTINGS_RESET_CHANNEL,
	SETTINGS_RESET_USER,
	SETTINGS_SET_GUILD_LATE,
	SETTINGS_SET_CHANNEL_LATE,
	SETTINGS_SET_USER_LATE,
	SETTINGS_RESET_GUILD_LATE,
	SETTINGS_RESET_CHANNEL_LATE,
	SETTINGS_RESET_USER_LATE,
	SETTINGS_HISTORY,
	SETTINGS_HISTORY_ALL,
	SETTINGS_HISTORY_AT,
	SETTINGS_STATEMENT_COUNT,
};

extern const struct statement settings_statements[SETTINGS_STATEMENT_COUNT];
extern const struct statement_set settings_statement_set;

#endif
