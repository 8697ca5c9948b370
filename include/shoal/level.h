/* SPDX-License-Identifier: MIT */
/* Levels: what a member is to shoal in a server. A server gives them to roles and members (/permissions); Discord's own
 * permissions give some, too. A command may ask for one, instead of Discord's permissions or beside them. */
#ifndef SHOAL_LEVEL_H
#define SHOAL_LEVEL_H

#include <stdbool.h>

#include <shoal/api.h>
#include <shoal/permissions.h>

/* Each may what those before it may. Who has Discord's permission *Administrator* is at least an admin; the server's
 * owner is above all that a server can give. OPERATOR is of another kind: those who run the bot (discord.operators).
 * A command of that level is theirs alone; in a server they are nobody special. */
enum shoal_level {
	SHOAL_LEVEL_MEMBER,
	SHOAL_LEVEL_TRUSTED,
	SHOAL_LEVEL_HELPER,
	SHOAL_LEVEL_MODERATOR,
	SHOAL_LEVEL_ADMIN,
	SHOAL_LEVEL_OWNER,
	SHOAL_LEVEL_OPERATOR,
	SHOAL_LEVEL_COUNT,
};

/* What the asking member is here: never OPERATOR. In direct messages MEMBER. */
static inline enum shoal_level shoal_invocation_level(const struct shoal_invocation *inv)
{
	return (enum shoal_level)shoal_api_table->invocation_level(inv);
}

/* Whether who asks runs the bot. */
static inline bool shoal_invocation_by_operator(const struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_by_operator(inv);
}

/* The asking member as the functions of <shoal/permissions.h> want it; its roles live as long as the invocation. False:
 * not known (direct messages). */
static inline bool shoal_invocation_member(const struct shoal_invocation *inv,
					   struct shoal_permissions_member *ret_member)
{
	return shoal_api_table->invocation_member(inv, ret_member);
}

#endif
