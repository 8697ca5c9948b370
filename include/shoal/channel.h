/* SPDX-License-Identifier: MIT */
/* Channels and threads (source: facts section 9). How to read a row: <shoal/fields.h>. */
#ifndef SHOAL_CHANNEL_H
#define SHOAL_CHANNEL_H

#include <shoal/user.h>

enum shoal_channel_type {
	SHOAL_CHANNEL_TEXT = 0,
	SHOAL_CHANNEL_DM = 1,
	SHOAL_CHANNEL_VOICE = 2,
	SHOAL_CHANNEL_GROUP_DM = 3,
	SHOAL_CHANNEL_CATEGORY = 4,
	SHOAL_CHANNEL_ANNOUNCEMENT = 5,
	SHOAL_CHANNEL_ANNOUNCEMENT_THREAD = 10,
	SHOAL_CHANNEL_PUBLIC_THREAD = 11,
	SHOAL_CHANNEL_PRIVATE_THREAD = 12,
	SHOAL_CHANNEL_STAGE = 13,
	SHOAL_CHANNEL_DIRECTORY = 14,
	SHOAL_CHANNEL_FORUM = 15,
	SHOAL_CHANNEL_MEDIA = 16,
};

/* clang-format off */
#define SHOAL_OVERWRITE(F, T) \
	F(T, ID,    id, ) \
	F(T, U32,   type, )			/* 0 role, 1 member */ \
	F(T, PERMS, allow, ) \
	F(T, PERMS, deny, )
SHOAL_STRUCT(shoal_overwrite, SHOAL_OVERWRITE);

#define SHOAL_FORUM_TAG(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   name, ) \
	F(T, BOOL,  moderated, ) \
	F(T, ID,    emoji_id, ) \
	F(T, STR,   emoji_name, )
SHOAL_STRUCT(shoal_forum_tag, SHOAL_FORUM_TAG);

#define SHOAL_DEFAULT_REACTION(F, T) \
	F(T, ID,    emoji_id, ) \
	F(T, STR,   emoji_name, )
SHOAL_STRUCT(shoal_default_reaction, SHOAL_DEFAULT_REACTION);

#define SHOAL_THREAD_METADATA(F, T) \
	F(T, BOOL,  archived, ) \
	F(T, TIME,  archive_timestamp, ) \
	F(T, U32,   auto_archive_duration, )	/* minutes */ \
	F(T, BOOL,  locked, ) \
	F(T, BOOL,  invitable, ) \
	F(T, TIME,  create_timestamp, )
SHOAL_STRUCT(shoal_thread_metadata, SHOAL_THREAD_METADATA);

/* Within GUILD_CREATE it has neither id nor user_id: it is the bot's own there. */
#define SHOAL_THREAD_MEMBER(F, T) \
	F(T, ID,    id, )			/* of the thread */ \
	F(T, ID,    user_id, ) \
	F(T, TIME,  join_timestamp, ) \
	F(T, U32,   flags, ) \
	F(T, PTR,   member, shoal_member) \
	F(T, PTR,   presence, shoal_presence) \
	F(T, ID,    guild_id, )			/* THREAD_MEMBER_UPDATE */
SHOAL_STRUCT(shoal_thread_member, SHOAL_THREAD_MEMBER);

/* CHANNEL_* and THREAD_* alike. Channels within GUILD_CREATE may lack guild_id. THREAD_DELETE has only id, guild_id,
 * parent_id and type. */
#define SHOAL_CHANNEL(F, T) \
	F(T, ID,    id, ) \
	F(T, U32,   type, )			/* enum shoal_channel_type, or unknown */ \
	F(T, STR,   name, ) \
	F(T, STR,   topic, ) \
	F(T, I32,   position, ) \
	F(T, BOOL,  nsfw, ) \
	F(T, U32,   rate_limit_per_user, )	/* seconds */ \
	F(T, ID,    parent_id, ) \
	F(T, ID,    last_message_id, ) \
	F(T, TIME,  last_pin_timestamp, ) \
	F(T, LIST,  permission_overwrites, shoal_overwrite) \
	F(T, U64,   flags, ) \
	F(T, ID,    guild_id, ) \
	F(T, U32,   bitrate, )			/* bits a second */ \
	F(T, U32,   user_limit, ) \
	F(T, STR,   rtc_region, ) \
	F(T, U32,   video_quality_mode, ) \
	F(T, ID,    owner_id, ) \
	F(T, ID,    application_id, ) \
	F(T, BOOL,  managed, ) \
	F(T, STR,   icon, ) \
	F(T, LIST,  recipients, shoal_user) \
	F(T, U32,   message_count, ) \
	F(T, U32,   member_count, )		/* stops at 50 */ \
	F(T, U32,   total_message_sent, ) \
	F(T, PTR,   thread_metadata, shoal_thread_metadata) \
	F(T, PTR,   member, shoal_thread_member) /* the bot's own; THREAD_CREATE: it was added */ \
	F(T, BOOL,  newly_created, )		/* THREAD_CREATE: true only when new */ \
	F(T, IDS,   applied_tags, ) \
	F(T, U32,   default_auto_archive_duration, ) \
	F(T, U32,   default_thread_rate_limit_per_user, ) \
	F(T, LIST,  available_tags, shoal_forum_tag) \
	F(T, PTR,   default_reaction_emoji, shoal_default_reaction) \
	F(T, U32,   default_sort_order, ) \
	F(T, U32,   default_forum_layout, ) \
	F(T, STR,   default_tag_setting, ) \
	F(T, PERMS, permissions, )		/* of the invoker, in interactions */ \
	F(T, PERMS, app_permissions, )		/* of the bot, in resolved channels */
SHOAL_STRUCT(shoal_channel, SHOAL_CHANNEL);

/* THREAD_LIST_SYNC: clear the active threads of channel_ids (of the guild when absent), then put in threads. */
#define SHOAL_THREAD_LIST_SYNC(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, IDS,   channel_ids, ) \
	F(T, LIST,  threads, shoal_channel) \
	F(T, LIST,  members, shoal_thread_member)
SHOAL_STRUCT(shoal_thread_list_sync, SHOAL_THREAD_LIST_SYNC);

#define SHOAL_THREAD_MEMBERS_UPDATE(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    guild_id, ) \
	F(T, U32,   member_count, ) \
	F(T, LIST,  added_members, shoal_thread_member) \
	F(T, IDS,   removed_member_ids, )
SHOAL_STRUCT(shoal_thread_members_update, SHOAL_THREAD_MEMBERS_UPDATE);

#define SHOAL_CHANNEL_PINS(F, T) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    guild_id, ) \
	F(T, TIME,  last_pin_timestamp, )
SHOAL_STRUCT(shoal_channel_pins, SHOAL_CHANNEL_PINS);

/* One channel of CHANNEL_INFO; VOICE_CHANNEL_STATUS_UPDATE and VOICE_CHANNEL_START_TIME_UPDATE, with guild_id. */
#define SHOAL_VOICE_INFO(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    guild_id, ) \
	F(T, STR,   status, ) \
	F(T, I64,   voice_start_time, )		/* Unix seconds */
SHOAL_STRUCT(shoal_voice_info, SHOAL_VOICE_INFO);

#define SHOAL_CHANNEL_INFO(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, LIST,  channels, shoal_voice_info)
SHOAL_STRUCT(shoal_channel_info, SHOAL_CHANNEL_INFO);

/* WEBHOOKS_UPDATE: fetch them again if you need them. */
#define SHOAL_WEBHOOKS_UPDATE(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    channel_id, )
SHOAL_STRUCT(shoal_webhooks_update, SHOAL_WEBHOOKS_UPDATE);

#define SHOAL_TYPING(F, T) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    user_id, ) \
	F(T, I64,   timestamp, )		/* Unix seconds */ \
	F(T, PTR,   member, shoal_member)
SHOAL_STRUCT(shoal_typing, SHOAL_TYPING);
/* clang-format on */

#endif
