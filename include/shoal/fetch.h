/* SPDX-License-Identifier: MIT */
/* Asking Discord for what the cache does not hold: users, members, and what of guilds, channels and roles is more than
 * a name. Reading changes nothing, so it is repeated at will and has no number among an event's effects: whether you
 * need it may differ when an event is handled again. It still costs a request: look into the invocation
 * (shoal_resolved_user()) and the cache (shoal_guild_get()) first. */
#ifndef SHOAL_FETCH_H
#define SHOAL_FETCH_H

#include <shoal/api.h>
#include <shoal/effects.h>
#include <shoal/guild.h>

/* clang-format off */
/* A guild as REST gives it: with counts, without channels and members. */
#define SHOAL_GUILD_INFO(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   name, ) \
	F(T, STR,   icon, )			/* hashes of pictures; <https://cdn.discordapp.com> */ \
	F(T, STR,   banner, ) \
	F(T, STR,   description, ) \
	F(T, ID,    owner_id, ) \
	F(T, U32,   verification_level, ) \
	F(T, U32,   mfa_level, ) \
	F(T, LIST,  roles, shoal_role) \
	F(T, LIST,  emojis, shoal_emoji) \
	F(T, LIST,  stickers, shoal_sticker) \
	F(T, STRS,  features, ) \
	F(T, U32,   premium_tier, ) \
	F(T, U32,   premium_subscription_count, ) \
	F(T, STR,   preferred_locale, ) \
	F(T, STR,   vanity_url_code, ) \
	F(T, ID,    rules_channel_id, ) \
	F(T, U32,   nsfw_level, ) \
	F(T, U32,   approximate_member_count, ) \
	F(T, U32,   approximate_presence_count, )
SHOAL_STRUCT(shoal_guild_info, SHOAL_GUILD_INFO);

#define SHOAL_ROLE_LIST(F, T) \
	F(T, LIST,  roles, shoal_role)
SHOAL_STRUCT(shoal_role_list, SHOAL_ROLE_LIST);

#define SHOAL_ROLE_COUNT(F, T) \
	F(T, ID,    id, ) \
	F(T, U32,   count, )
SHOAL_STRUCT(shoal_role_count, SHOAL_ROLE_COUNT);
#define SHOAL_ROLE_COUNTS(F, T) \
	F(T, LIST,  counts, shoal_role_count)	/* not of @everyone */
SHOAL_STRUCT(shoal_role_counts, SHOAL_ROLE_COUNTS);
/* clang-format on */

enum shoal_fetch_what {
	SHOAL_FETCH_USER,
	SHOAL_FETCH_MEMBER,
	SHOAL_FETCH_GUILD,
	SHOAL_FETCH_CHANNEL,
	SHOAL_FETCH_ROLES,
	SHOAL_FETCH_ROLE_COUNTS,
	SHOAL_FETCH_COUNT,
};

/* What came; the other members are NULL, and all of them when the result has an error. Borrowed for the callback. */
struct shoal_fetched {
	const struct shoal_user *user;
	const struct shoal_member *member;
	const struct shoal_guild_info *guild;
	const struct shoal_channel *channel; /* or thread */
	const struct shoal_role_list *roles;
	const struct shoal_role_counts *role_counts;
};

/* Once, on the loop, never from within the call. @result->error: -SHOAL_EDISCORD with discord_code 10003 (no such
 * channel), 10004 (guild), 10007 (no member), 10013 (user), 50001 (the bot may not see it); -EBADMSG, and what
 * <shoal/effects.h> says. @got is never NULL. */
typedef void (*shoal_fetched_fn)(void *arg, const struct shoal_result *result, const struct shoal_fetched *got);

/* All return 0, or -EINVAL (an id is 0), -ENOBUFS, -ECANCELED, -ENOMEM, and @fn is not called then. */
static inline int shoal_user_fetch(struct shoal_scope *scope, uint64_t user_id, shoal_fetched_fn fn, void *arg)
{
	return shoal_api_table->fetch(scope, SHOAL_FETCH_USER, 0, user_id, fn, arg);
}

static inline int shoal_member_fetch(struct shoal_scope *scope, uint64_t guild_id, uint64_t user_id,
				     shoal_fetched_fn fn, void *arg)
{
	return shoal_api_table->fetch(scope, SHOAL_FETCH_MEMBER, guild_id, user_id, fn, arg);
}

static inline int shoal_guild_fetch(struct shoal_scope *scope, uint64_t guild_id, shoal_fetched_fn fn, void *arg)
{
	return shoal_api_table->fetch(scope, SHOAL_FETCH_GUILD, guild_id, 0, fn, arg);
}

static inline int shoal_channel_fetch(struct shoal_scope *scope, uint64_t channel_id, shoal_fetched_fn fn, void *arg)
{
	return shoal_api_table->fetch(scope, SHOAL_FETCH_CHANNEL, 0, channel_id, fn, arg);
}

static inline int shoal_roles_fetch(struct shoal_scope *scope, uint64_t guild_id, shoal_fetched_fn fn, void *arg)
{
	return shoal_api_table->fetch(scope, SHOAL_FETCH_ROLES, guild_id, 0, fn, arg);
}

/* How many members have each role. */
static inline int shoal_role_counts_fetch(struct shoal_scope *scope, uint64_t guild_id, shoal_fetched_fn fn, void *arg)
{
	return shoal_api_table->fetch(scope, SHOAL_FETCH_ROLE_COUNTS, guild_id, 0, fn, arg);
}

#endif
