/* SPDX-License-Identifier: MIT */
/* May this be done to that member? Ask before every kick, ban, time-out, new nickname or change of roles, and again
 * right before the effect when something was waited for in between (a button, a query): what Discord refuses counts
 * against the bot, and who has lost a permission meanwhile must not go on. */
#ifndef SHOAL_HIERARCHY_H
#define SHOAL_HIERARCHY_H

#include <shoal/api.h>
#include <shoal/permissions.h>
#include <shoal/phrase.h>

enum shoal_act_kind {
	SHOAL_ACT_KICK,
	SHOAL_ACT_BAN,
	SHOAL_ACT_TIMEOUT,
	SHOAL_ACT_NICK,
	SHOAL_ACT_ROLE_GIVE,
	SHOAL_ACT_ROLE_TAKE,
	SHOAL_ACT_COUNT,
};

struct shoal_act {
	enum shoal_act_kind kind;
	const struct shoal_guild_view *guild; /* NULL: not known just now, so nothing may be done */
	uint64_t bot_id;                      /* shoal_self() */
	/* Who asks (shoal_invocation_member()); user_id 0: nobody, the module acts by itself. */
	struct shoal_permissions_member asker;
	/* The asker needs no permission of Discord's, because shoal's own level let him (<shoal/level.h>). Ranks count
	 * all the same. */
	bool asker_by_level;
	struct shoal_permissions_member target;
	bool target_is_member; /* of the server; false: he can only be banned */
	uint64_t role_id;      /* ROLE_GIVE, ROLE_TAKE */
	int64_t now_ms;        /* shoal_now_ms() */
	/* In which the bar's words name a permission: shoal_invocation_language(). */
	enum shoal_language language;
};

/* Why not. @phrase and @words are for shoal_refuse(); no word names anything that the asker did not name himself. The
 * words point into the struct: don't copy it. */
struct shoal_act_bar {
	const struct shoal_phrase *phrase;
	struct shoal_word words[3];
	size_t word_count;
	bool is_bots;     /* it is the bot that may not: a server's admin can change that */
	uint64_t missing; /* the permission that is missing, the asker's or the bot's; 0: none */
	char texts[2][32];
};

/* True: both the asker and the bot may. False: *ret_bar says why not. The first that applies of: the server is not
 * known; no member; oneself; the bot itself; the owner; an administrator's time-out; the asker's permission and rank;
 * the role's nature (gone, everyone's, managed by an integration); the bot's permission and rank. */
static inline bool shoal_act_allowed(const struct shoal_act *act, struct shoal_act_bar *ret_bar)
{
	return shoal_api_table->act_allowed(act, ret_bar);
}

#endif
