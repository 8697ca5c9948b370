/* What the cache reads of Discord's objects: a few members of each, so that the rest of a guild's kilobytes is only
 * stepped over. How a row is read: <shoal/fields.h>. */
#ifndef SHOAL_SHARD_CACHE_PARTS_H
#define SHOAL_SHARD_CACHE_PARTS_H

#include <shoal/channel.h>

#include "shard/gateway/reader.h"

/* clang-format off */
#define PART_ROLE(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   name, ) \
	F(T, I32,   position, ) \
	F(T, PERMS, permissions, ) \
	F(T, BOOL,  hoist, ) \
	F(T, BOOL,  managed, ) \
	F(T, BOOL,  mentionable, )
SHOAL_STRUCT(part_role, PART_ROLE);

#define PART_OVERWRITE(F, T) \
	F(T, ID,    id, ) \
	F(T, U32,   type, ) \
	F(T, PERMS, allow, ) \
	F(T, PERMS, deny, )
SHOAL_STRUCT(part_overwrite, PART_OVERWRITE);

#define PART_THREAD_METADATA(F, T) \
	F(T, BOOL,  archived, ) \
	F(T, BOOL,  locked, )
SHOAL_STRUCT(part_thread_metadata, PART_THREAD_METADATA);

/* Channels and threads alike. */
#define PART_CHANNEL(F, T) \
	F(T, ID,    id, ) \
	F(T, U32,   type, ) \
	F(T, STR,   name, ) \
	F(T, I32,   position, ) \
	F(T, ID,    parent_id, ) \
	F(T, BOOL,  nsfw, ) \
	F(T, LIST,  permission_overwrites, part_overwrite) \
	F(T, ID,    guild_id, ) \
	F(T, PTR,   thread_metadata, part_thread_metadata) \
	F(T, RAW,   member, )			/* the bot's own, of a thread that it is in */
SHOAL_STRUCT(part_channel, PART_CHANNEL);

#define PART_USER(F, T) \
	F(T, ID,    id, )
SHOAL_STRUCT(part_user, PART_USER);

#define PART_MEMBER(F, T) \
	F(T, IDS,   roles, ) \
	F(T, TIME,  communication_disabled_until, ) \
	F(T, PTR,   user, part_user) \
	F(T, ID,    guild_id, )
SHOAL_STRUCT(part_member, PART_MEMBER);

/* GUILD_CREATE, _UPDATE, _DELETE. Of members only the bot's own is wanted. */
#define PART_GUILD(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   name, ) \
	F(T, ID,    owner_id, ) \
	F(T, LIST,  roles, part_role) \
	F(T, STRS,  features, ) \
	F(T, U32,   mfa_level, ) \
	F(T, U32,   verification_level, ) \
	F(T, U32,   premium_tier, ) \
	F(T, STR,   preferred_locale, ) \
	F(T, ID,    system_channel_id, ) \
	F(T, BOOL,  unavailable, ) \
	F(T, U32,   member_count, ) \
	F(T, U32,   approximate_member_count, )	/* REST, with_counts */ \
	F(T, RAW,   members, ) \
	F(T, LIST,  channels, part_channel) \
	F(T, LIST,  threads, part_channel)
SHOAL_STRUCT(part_guild, PART_GUILD);

#define PART_GUILD_ROLE(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, OBJ,   role, part_role) \
	F(T, ID,    role_id, )			/* _DELETE */
SHOAL_STRUCT(part_guild_role, PART_GUILD_ROLE);

/* THREAD_LIST_SYNC, and REST's list of active threads. */
#define PART_THREAD_LIST(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, IDS,   channel_ids, ) \
	F(T, LIST,  threads, part_channel) \
	F(T, LIST,  members, part_thread_member)
#define PART_THREAD_MEMBER(F, T) \
	F(T, ID,    id, )			/* of the thread */ \
	F(T, ID,    user_id, ) \
	F(T, ID,    guild_id, )
SHOAL_STRUCT(part_thread_member, PART_THREAD_MEMBER);
SHOAL_STRUCT(part_thread_list, PART_THREAD_LIST);

#define PART_THREAD_MEMBERS(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    guild_id, ) \
	F(T, LIST,  added_members, part_thread_member) \
	F(T, IDS,   removed_member_ids, )
SHOAL_STRUCT(part_thread_members, PART_THREAD_MEMBERS);

#define PART_READY(F, T) \
	F(T, PTR,   user, part_user) \
	F(T, LIST,  guilds, part_guild_brief)
#define PART_GUILD_BRIEF(F, T) \
	F(T, ID,    id, ) \
	F(T, BOOL,  unavailable, )
SHOAL_STRUCT(part_guild_brief, PART_GUILD_BRIEF);
SHOAL_STRUCT(part_ready, PART_READY);

#define PARTS(X) \
	X(part_role) X(part_overwrite) X(part_thread_metadata) X(part_channel) X(part_user) X(part_member) \
	X(part_guild) X(part_guild_role) X(part_thread_member) X(part_thread_list) X(part_thread_members) \
	X(part_guild_brief) X(part_ready)
#define X(tag) extern const struct reader_table tag##_table;
PARTS(X)
#undef X
/* clang-format on */

#endif
