/* What is known of tables: which rows are a member's, which rows of guilds name one, what goes with a guild, and what
 * grows too old. Most tables need no row here: their migration says it, by shoal.declare_table() (sql/core/0007), and
 * the rows without a name stand for all of them. Those of settings differ from that, and of some older ones. */
#ifndef SHOAL_SHARED_PRIVACY_TABLES_H
#define SHOAL_SHARED_PRIVACY_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "shared/db/statements.h"

#define PRIVACY_ERASE_MAX 8

/* Rows that are keyed by the member. */
struct privacy_member_table {
	const char *table;                   /* NULL: the second column says it */
	const struct statement *export_rows; /* (user) -> JSON */
	const struct statement *erase;       /* (user, limit) */
};
/* Rows of guilds that name members, found by shoal.named_in (which the owner fills: shoal.name_members()). */
struct privacy_named_table {
	const char *table;                                /* as it stands in named_in */
	const struct statement *export_rows;              /* (guild, user) -> JSON */
	const struct statement *erase[PRIVACY_ERASE_MAX]; /* (guild, user) each; all in one transaction */
};
/* What goes with a guild, in this order. */
struct privacy_guild_table {
	const char *table;
	const struct statement *remove; /* (guild), or (guild, limit) again and again */
};
/* What grows too old. */
struct privacy_aged_table {
	const char *table, *age_column;
	uint32_t days;                 /* 0: privacy.history_days */
	const struct statement *sweep; /* (days, limit) */
};

struct db_result;

/* How many rows one of the statements that erase, remove or sweep has touched. */
uint64_t privacy_rows(const struct statement *statement, const struct db_result *result);

extern const struct privacy_member_table privacy_member_tables[];
extern const size_t privacy_member_table_count;
extern const struct privacy_named_table privacy_named_tables[];
extern const size_t privacy_named_table_count;
extern const struct privacy_guild_table privacy_guild_tables[];
extern const size_t privacy_guild_table_count;
extern const struct privacy_aged_table privacy_aged_tables[];
extern const size_t privacy_aged_table_count;

#endif
