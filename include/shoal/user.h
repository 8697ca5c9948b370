/* SPDX-License-Identifier: MIT */
/* Users, members, presences (source: facts section 9). How to read a row: <shoal/fields.h>. */
#ifndef SHOAL_USER_H
#define SHOAL_USER_H

#include <shoal/fields.h>

/* clang-format off */
#define SHOAL_AVATAR_DECORATION(F, T) \
	F(T, STR,   asset, ) \
	F(T, ID,    sku_id, )
SHOAL_STRUCT(shoal_avatar_decoration, SHOAL_AVATAR_DECORATION);

#define SHOAL_NAMEPLATE(F, T) \
	F(T, ID,    sku_id, ) \
	F(T, STR,   asset, ) \
	F(T, STR,   label, ) \
	F(T, STR,   palette, )
SHOAL_STRUCT(shoal_nameplate, SHOAL_NAMEPLATE);

#define SHOAL_COLLECTIBLES(F, T) \
	F(T, PTR,   nameplate, shoal_nameplate)
SHOAL_STRUCT(shoal_collectibles, SHOAL_COLLECTIBLES);

#define SHOAL_PRIMARY_GUILD(F, T) \
	F(T, ID,    identity_guild_id, ) \
	F(T, BOOL,  identity_enabled, ) \
	F(T, STR,   tag, ) \
	F(T, STR,   badge, )
SHOAL_STRUCT(shoal_primary_guild, SHOAL_PRIMARY_GUILD);

/* The name to show: the member's nick, else global_name, else username. */
#define SHOAL_USER(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   username, ) \
	F(T, STR,   discriminator, )		/* "0" for users with a new name */ \
	F(T, STR,   global_name, ) \
	F(T, STR,   avatar, ) \
	F(T, U64,   public_flags, ) \
	F(T, PTR,   avatar_decoration_data, shoal_avatar_decoration) \
	F(T, PTR,   collectibles, shoal_collectibles) \
	F(T, PTR,   primary_guild, shoal_primary_guild) \
	F(T, BOOL,  bot, ) \
	F(T, BOOL,  system, ) \
	F(T, STR,   banner, ) \
	F(T, U32,   accent_color, ) \
	F(T, PTR,   member, shoal_member)	/* only in a message's mentions */ \
	F(T, U64,   flags, ) \
	F(T, BOOL,  mfa_enabled, )		/* from here: only the bot's own user, in READY */ \
	F(T, BOOL,  verified, ) \
	F(T, STR,   locale, ) \
	F(T, STR,   email, ) \
	F(T, U32,   premium_type, )
struct shoal_member;
SHOAL_STRUCT(shoal_user, SHOAL_USER);

/* A communication_disabled_until in the past means not timed out. roles never lists @everyone. */
#define SHOAL_MEMBER_FIELDS(F, T) \
	F(T, IDS,   roles, ) \
	F(T, STR,   nick, ) \
	F(T, STR,   avatar, ) \
	F(T, STR,   banner, ) \
	F(T, TIME,  joined_at, )		/* null for guests */ \
	F(T, TIME,  premium_since, ) \
	F(T, BOOL,  deaf, ) \
	F(T, BOOL,  mute, ) \
	F(T, BOOL,  pending, ) \
	F(T, U32,   flags, ) \
	F(T, TIME,  communication_disabled_until, ) \
	F(T, PTR,   user, shoal_user)		/* absent in MESSAGE_CREATE and in resolved members */ \
	F(T, PERMS, permissions, )		/* interactions only: overwrites included */ \
	F(T, PTR,   avatar_decoration_data, shoal_avatar_decoration) \
	F(T, PTR,   collectibles, shoal_collectibles) \
	F(T, ID,    guild_id, )			/* GUILD_MEMBER_ADD and _UPDATE */
SHOAL_STRUCT(shoal_member, SHOAL_MEMBER_FIELDS);

#define SHOAL_EMOJI(F, T) \
	F(T, ID,    id, )			/* null for a unicode emoji */ \
	F(T, STR,   name, )			/* null for a deleted one */ \
	F(T, BOOL,  animated, ) \
	F(T, IDS,   roles, ) \
	F(T, PTR,   user, shoal_user) \
	F(T, BOOL,  require_colons, ) \
	F(T, BOOL,  managed, ) \
	F(T, BOOL,  available, )
SHOAL_STRUCT(shoal_emoji, SHOAL_EMOJI);

#define SHOAL_ACTIVITY_TIMESTAMPS(F, T) \
	F(T, I64,   start, )			/* Unix milliseconds */ \
	F(T, I64,   end, )
SHOAL_STRUCT(shoal_activity_timestamps, SHOAL_ACTIVITY_TIMESTAMPS);

#define SHOAL_ACTIVITY_PARTY(F, T) \
	F(T, STR,   id, ) \
	F(T, I64S,  size, )			/* current, most */
SHOAL_STRUCT(shoal_activity_party, SHOAL_ACTIVITY_PARTY);

#define SHOAL_ACTIVITY_ASSETS(F, T) \
	F(T, STR,   large_image, ) \
	F(T, STR,   large_text, ) \
	F(T, STR,   large_url, ) \
	F(T, STR,   small_image, ) \
	F(T, STR,   small_text, ) \
	F(T, STR,   small_url, ) \
	F(T, STR,   invite_cover_image, )
SHOAL_STRUCT(shoal_activity_assets, SHOAL_ACTIVITY_ASSETS);

#define SHOAL_ACTIVITY_SECRETS(F, T) \
	F(T, STR,   join, ) \
	F(T, STR,   spectate, ) \
	F(T, STR,   match, )
SHOAL_STRUCT(shoal_activity_secrets, SHOAL_ACTIVITY_SECRETS);

#define SHOAL_ACTIVITY(F, T) \
	F(T, STR,   name, ) \
	F(T, U32,   type, ) \
	F(T, STR,   url, ) \
	F(T, I64,   created_at, )		/* Unix milliseconds */ \
	F(T, PTR,   timestamps, shoal_activity_timestamps) \
	F(T, ID,    application_id, ) \
	F(T, U32,   status_display_type, ) \
	F(T, STR,   details, ) \
	F(T, STR,   details_url, ) \
	F(T, STR,   state, ) \
	F(T, STR,   state_url, ) \
	F(T, PTR,   emoji, shoal_emoji) \
	F(T, PTR,   party, shoal_activity_party) \
	F(T, PTR,   assets, shoal_activity_assets) \
	F(T, PTR,   secrets, shoal_activity_secrets) \
	F(T, BOOL,  instance, ) \
	F(T, U64,   flags, ) \
	F(T, STRS,  buttons, )			/* labels */
SHOAL_STRUCT(shoal_activity, SHOAL_ACTIVITY);

#define SHOAL_CLIENT_STATUS(F, T) \
	F(T, STR,   desktop, ) \
	F(T, STR,   mobile, ) \
	F(T, STR,   web, )
SHOAL_STRUCT(shoal_client_status, SHOAL_CLIENT_STATUS);

/* PRESENCE_UPDATE. Only user.id is sure; Discord does not check the rest. */
#define SHOAL_PRESENCE(F, T) \
	F(T, OBJ,   user, shoal_user) \
	F(T, ID,    guild_id, ) \
	F(T, STR,   status, ) \
	F(T, LIST,  activities, shoal_activity) \
	F(T, PTR,   client_status, shoal_client_status)
SHOAL_STRUCT(shoal_presence, SHOAL_PRESENCE);
/* clang-format on */

#endif
