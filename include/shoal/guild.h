/* SPDX-License-Identifier: MIT */
/* Guilds and what belongs to them (source: facts sections 7 and 9). How to read a row: <shoal/fields.h>. */
#ifndef SHOAL_GUILD_H
#define SHOAL_GUILD_H

#include <shoal/channel.h>

/* clang-format off */
#define SHOAL_ROLE_TAGS(F, T) \
	F(T, ID,    bot_id, ) \
	F(T, ID,    integration_id, ) \
	F(T, ID,    subscription_listing_id, ) \
	F(T, MARK,  premium_subscriber, ) \
	F(T, MARK,  available_for_purchase, ) \
	F(T, MARK,  guild_connections, )
SHOAL_STRUCT(shoal_role_tags, SHOAL_ROLE_TAGS);

#define SHOAL_ROLE_COLORS(F, T) \
	F(T, U32,   primary_color, ) \
	F(T, U32,   secondary_color, ) \
	F(T, U32,   tertiary_color, )
SHOAL_STRUCT(shoal_role_colors, SHOAL_ROLE_COLORS);

/* @everyone has the guild's id. Equal positions are ordered by id. */
#define SHOAL_ROLE(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   name, ) \
	F(T, STR,   description, ) \
	F(T, U32,   color, )			/* 0xRRGGBB; deprecated in favour of colors */ \
	F(T, PTR,   colors, shoal_role_colors) \
	F(T, BOOL,  hoist, ) \
	F(T, STR,   icon, ) \
	F(T, STR,   unicode_emoji, ) \
	F(T, I32,   position, ) \
	F(T, PERMS, permissions, ) \
	F(T, BOOL,  managed, ) \
	F(T, BOOL,  mentionable, ) \
	F(T, U32,   flags, ) \
	F(T, PTR,   tags, shoal_role_tags)
SHOAL_STRUCT(shoal_role, SHOAL_ROLE);

#define SHOAL_STICKER(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   name, ) \
	F(T, STR,   description, ) \
	F(T, STR,   tags, ) \
	F(T, U32,   type, ) \
	F(T, U32,   format_type, ) \
	F(T, BOOL,  available, ) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    pack_id, ) \
	F(T, U32,   sort_value, ) \
	F(T, PTR,   user, shoal_user)
SHOAL_STRUCT(shoal_sticker, SHOAL_STICKER);

/* VOICE_STATE_UPDATE; those within GUILD_CREATE have no guild_id. */
#define SHOAL_VOICE_STATE(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    channel_id, )		/* null: left */ \
	F(T, ID,    user_id, ) \
	F(T, PTR,   member, shoal_member) \
	F(T, STR,   session_id, ) \
	F(T, BOOL,  deaf, ) \
	F(T, BOOL,  mute, ) \
	F(T, BOOL,  self_deaf, ) \
	F(T, BOOL,  self_mute, ) \
	F(T, BOOL,  self_stream, ) \
	F(T, BOOL,  self_video, ) \
	F(T, BOOL,  suppress, ) \
	F(T, TIME,  request_to_speak_timestamp, )
SHOAL_STRUCT(shoal_voice_state, SHOAL_VOICE_STATE);

#define SHOAL_STAGE_INSTANCE(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    channel_id, ) \
	F(T, STR,   topic, ) \
	F(T, U32,   privacy_level, ) \
	F(T, BOOL,  discoverable_disabled, ) \
	F(T, ID,    guild_scheduled_event_id, )
SHOAL_STRUCT(shoal_stage_instance, SHOAL_STAGE_INSTANCE);

#define SHOAL_SCHEDULED_METADATA(F, T) \
	F(T, STR,   location, )
SHOAL_STRUCT(shoal_scheduled_metadata, SHOAL_SCHEDULED_METADATA);

#define SHOAL_RECURRENCE_DAY(F, T) \
	F(T, I32,   n, ) \
	F(T, U32,   day, )
SHOAL_STRUCT(shoal_recurrence_day, SHOAL_RECURRENCE_DAY);

#define SHOAL_RECURRENCE(F, T) \
	F(T, TIME,  start, ) \
	F(T, TIME,  end, ) \
	F(T, U32,   frequency, ) \
	F(T, U32,   interval, ) \
	F(T, U32S,  by_weekday, ) \
	F(T, LIST,  by_n_weekday, shoal_recurrence_day) \
	F(T, U32S,  by_month, ) \
	F(T, U32S,  by_month_day, ) \
	F(T, U32S,  by_year_day, ) \
	F(T, U32,   count, )
SHOAL_STRUCT(shoal_recurrence, SHOAL_RECURRENCE);

#define SHOAL_SCHEDULED_EXCEPTION(F, T) \
	F(T, ID,    event_id, ) \
	F(T, ID,    event_exception_id, ) \
	F(T, TIME,  scheduled_start_time, ) \
	F(T, TIME,  scheduled_end_time, ) \
	F(T, BOOL,  is_canceled, )
SHOAL_STRUCT(shoal_scheduled_exception, SHOAL_SCHEDULED_EXCEPTION);

#define SHOAL_SCHEDULED_EVENT(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    creator_id, ) \
	F(T, STR,   name, ) \
	F(T, STR,   description, ) \
	F(T, TIME,  scheduled_start_time, ) \
	F(T, TIME,  scheduled_end_time, ) \
	F(T, U32,   privacy_level, ) \
	F(T, U32,   status, ) \
	F(T, U32,   entity_type, ) \
	F(T, ID,    entity_id, ) \
	F(T, PTR,   entity_metadata, shoal_scheduled_metadata) \
	F(T, PTR,   creator, shoal_user) \
	F(T, U32,   user_count, ) \
	F(T, STR,   image, ) \
	F(T, PTR,   recurrence_rule, shoal_recurrence) \
	F(T, LIST,  guild_scheduled_event_exceptions, shoal_scheduled_exception)
SHOAL_STRUCT(shoal_scheduled_event, SHOAL_SCHEDULED_EVENT);

/* GUILD_SCHEDULED_EVENT_USER_ADD and _REMOVE. */
#define SHOAL_SCHEDULED_USER(F, T) \
	F(T, ID,    guild_scheduled_event_id, ) \
	F(T, ID,    guild_scheduled_event_exception_id, ) \
	F(T, ID,    user_id, ) \
	F(T, ID,    guild_id, )
SHOAL_STRUCT(shoal_scheduled_user, SHOAL_SCHEDULED_USER);

#define SHOAL_SOUND(F, T) \
	F(T, STR,   name, ) \
	F(T, ID,    sound_id, ) \
	F(T, DOUBLE, volume, )			/* 0 to 1 */ \
	F(T, ID,    emoji_id, ) \
	F(T, STR,   emoji_name, ) \
	F(T, ID,    guild_id, ) \
	F(T, BOOL,  available, ) \
	F(T, PTR,   user, shoal_user)
SHOAL_STRUCT(shoal_sound, SHOAL_SOUND);

#define SHOAL_INCIDENTS(F, T) \
	F(T, TIME,  invites_disabled_until, ) \
	F(T, TIME,  dms_disabled_until, ) \
	F(T, TIME,  dm_spam_detected_at, ) \
	F(T, TIME,  raid_detected_at, )
SHOAL_STRUCT(shoal_incidents, SHOAL_INCIDENTS);

/* GUILD_CREATE, GUILD_UPDATE, GUILD_DELETE. A GUILD_CREATE may be {id, unavailable} alone. GUILD_UPDATE has nothing
 * from joined_at on: merge, don't replace. GUILD_DELETE with unavailable is an outage, without it a removal.
 * members is never complete; member_count drifts. */
#define SHOAL_GUILD(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   name, ) \
	F(T, STR,   icon, ) \
	F(T, STR,   splash, ) \
	F(T, STR,   discovery_splash, ) \
	F(T, STR,   banner, ) \
	F(T, STR,   description, ) \
	F(T, ID,    owner_id, ) \
	F(T, STR,   region, ) \
	F(T, ID,    afk_channel_id, ) \
	F(T, U32,   afk_timeout, )		/* seconds */ \
	F(T, BOOL,  widget_enabled, ) \
	F(T, ID,    widget_channel_id, ) \
	F(T, U32,   verification_level, ) \
	F(T, U32,   default_message_notifications, ) \
	F(T, U32,   explicit_content_filter, ) \
	F(T, LIST,  roles, shoal_role) \
	F(T, LIST,  emojis, shoal_emoji) \
	F(T, LIST,  stickers, shoal_sticker) \
	F(T, STRS,  features, ) \
	F(T, U32,   mfa_level, ) \
	F(T, ID,    application_id, ) \
	F(T, ID,    system_channel_id, ) \
	F(T, U32,   system_channel_flags, ) \
	F(T, ID,    rules_channel_id, ) \
	F(T, ID,    public_updates_channel_id, ) \
	F(T, ID,    safety_alerts_channel_id, ) \
	F(T, U32,   max_presences, ) \
	F(T, U32,   max_members, ) \
	F(T, U32,   max_video_channel_users, ) \
	F(T, U32,   max_stage_video_channel_users, ) \
	F(T, STR,   vanity_url_code, ) \
	F(T, U32,   premium_tier, ) \
	F(T, U32,   premium_subscription_count, ) \
	F(T, BOOL,  premium_progress_bar_enabled, ) \
	F(T, STR,   preferred_locale, ) \
	F(T, BOOL,  nsfw, ) \
	F(T, U32,   nsfw_level, ) \
	F(T, PTR,   incidents_data, shoal_incidents) \
	F(T, TIME,  joined_at, )		/* of the bot */ \
	F(T, BOOL,  large, ) \
	F(T, BOOL,  unavailable, ) \
	F(T, U32,   member_count, ) \
	F(T, LIST,  voice_states, shoal_voice_state) \
	F(T, LIST,  members, shoal_member) \
	F(T, LIST,  channels, shoal_channel) \
	F(T, LIST,  threads, shoal_channel) \
	F(T, LIST,  presences, shoal_presence) \
	F(T, LIST,  stage_instances, shoal_stage_instance) \
	F(T, LIST,  guild_scheduled_events, shoal_scheduled_event) \
	F(T, LIST,  soundboard_sounds, shoal_sound)
SHOAL_STRUCT(shoal_guild, SHOAL_GUILD);

/* GUILD_ROLE_CREATE and _UPDATE. */
#define SHOAL_GUILD_ROLE(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, OBJ,   role, shoal_role)
SHOAL_STRUCT(shoal_guild_role, SHOAL_GUILD_ROLE);

/* Members are not updated one by one: strip the role from them. */
#define SHOAL_GUILD_ROLE_DELETE(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    role_id, )
SHOAL_STRUCT(shoal_guild_role_delete, SHOAL_GUILD_ROLE_DELETE);

/* GUILD_MEMBER_REMOVE (leave, kick and ban alike), GUILD_BAN_ADD, GUILD_BAN_REMOVE. */
#define SHOAL_GUILD_USER(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, OBJ,   user, shoal_user)
SHOAL_STRUCT(shoal_guild_user, SHOAL_GUILD_USER);

/* The whole list: it replaces the one before. */
#define SHOAL_GUILD_EMOJIS(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, LIST,  emojis, shoal_emoji)
SHOAL_STRUCT(shoal_guild_emojis, SHOAL_GUILD_EMOJIS);

#define SHOAL_GUILD_STICKERS(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, LIST,  stickers, shoal_sticker)
SHOAL_STRUCT(shoal_guild_stickers, SHOAL_GUILD_STICKERS);

/* GUILD_SOUNDBOARD_SOUNDS_UPDATE and SOUNDBOARD_SOUNDS. */
#define SHOAL_GUILD_SOUNDS(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, LIST,  soundboard_sounds, shoal_sound)
SHOAL_STRUCT(shoal_guild_sounds, SHOAL_GUILD_SOUNDS);

#define SHOAL_SOUND_DELETE(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    sound_id, )
SHOAL_STRUCT(shoal_sound_delete, SHOAL_SOUND_DELETE);

/* GUILD_INTEGRATIONS_UPDATE. */
#define SHOAL_GUILD_ONLY(F, T) \
	F(T, ID,    guild_id, )
SHOAL_STRUCT(shoal_guild_only, SHOAL_GUILD_ONLY);

/* One answer of several to a request for members: complete when chunk_count indexes were seen. */
#define SHOAL_MEMBERS_CHUNK(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, LIST,  members, shoal_member) \
	F(T, U32,   chunk_index, ) \
	F(T, U32,   chunk_count, ) \
	F(T, IDS,   not_found, ) \
	F(T, LIST,  presences, shoal_presence) \
	F(T, STR,   nonce, )
SHOAL_STRUCT(shoal_members_chunk, SHOAL_MEMBERS_CHUNK);

#define SHOAL_AUDIT_CHANGE(F, T) \
	F(T, STR,   key, )			/* "$add" and "$remove" for a member's roles */ \
	F(T, RAW,   new_value, ) \
	F(T, RAW,   old_value, )
SHOAL_STRUCT(shoal_audit_change, SHOAL_AUDIT_CHANGE);

/* All of them are texts, numbers too. */
#define SHOAL_AUDIT_OPTIONS(F, T) \
	F(T, ID,    application_id, ) \
	F(T, STR,   auto_moderation_rule_name, ) \
	F(T, STR,   auto_moderation_rule_trigger_type, ) \
	F(T, ID,    channel_id, ) \
	F(T, STR,   count, ) \
	F(T, STR,   delete_member_days, ) \
	F(T, ID,    id, ) \
	F(T, STR,   members_removed, ) \
	F(T, ID,    message_id, ) \
	F(T, STR,   role_name, ) \
	F(T, STR,   type, )			/* "0" role, "1" member */ \
	F(T, STR,   integration_type, ) \
	F(T, STR,   status, )
SHOAL_STRUCT(shoal_audit_options, SHOAL_AUDIT_OPTIONS);

#define SHOAL_AUDIT_ENTRY(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    user_id, ) \
	F(T, ID,    target_id, ) \
	F(T, U32,   action_type, ) \
	F(T, LIST,  changes, shoal_audit_change) \
	F(T, PTR,   options, shoal_audit_options) \
	F(T, STR,   reason, )
SHOAL_STRUCT(shoal_audit_entry, SHOAL_AUDIT_ENTRY);
/* clang-format on */

#endif
