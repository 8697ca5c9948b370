/* SPDX-License-Identifier: MIT */
/* Every dispatch event of the gateway, as C structs (source: facts sections 7 to 9). The objects they are made of stand
 * in user.h, channel.h, guild.h, message.h and interaction.h; how to read a row: <shoal/fields.h>. */
#ifndef SHOAL_EVENT_H
#define SHOAL_EVENT_H

#include <shoal/interaction.h>

/* clang-format off */
#define SHOAL_UNAVAILABLE_GUILD(F, T) \
	F(T, ID,    id, ) \
	F(T, BOOL,  unavailable, )
SHOAL_STRUCT(shoal_unavailable_guild, SHOAL_UNAVAILABLE_GUILD);

#define SHOAL_READY(F, T) \
	F(T, U32,   v, ) \
	F(T, OBJ,   user, shoal_user)		/* the bot */ \
	F(T, LIST,  guilds, shoal_unavailable_guild) \
	F(T, STR,   session_id, ) \
	F(T, STR,   resume_gateway_url, ) \
	F(T, U32S,  shard, )			/* id, count */ \
	F(T, PTR,   application, shoal_application)
SHOAL_STRUCT(shoal_ready, SHOAL_READY);

/* RESUMED: d may be anything, null too, and is of no use. */
#define SHOAL_RESUMED(F, T) \
	F(T, RAW,   _trace, )
SHOAL_STRUCT(shoal_resumed, SHOAL_RESUMED);

#define SHOAL_RATE_LIMITED_META(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, STR,   nonce, )
SHOAL_STRUCT(shoal_rate_limited_meta, SHOAL_RATE_LIMITED_META);

#define SHOAL_RATE_LIMITED(F, T) \
	F(T, U32,   opcode, ) \
	F(T, DOUBLE, retry_after, )		/* seconds */ \
	F(T, PTR,   meta, shoal_rate_limited_meta)
SHOAL_STRUCT(shoal_rate_limited, SHOAL_RATE_LIMITED);

#define SHOAL_AUTOMOD_METADATA(F, T) \
	F(T, ID,    channel_id, ) \
	F(T, U32,   duration_seconds, ) \
	F(T, STR,   custom_message, )
SHOAL_STRUCT(shoal_automod_metadata, SHOAL_AUTOMOD_METADATA);

#define SHOAL_AUTOMOD_ACTION(F, T) \
	F(T, U32,   type, )			/* 1 block, 2 alert, 3 time-out, 4 block interaction */ \
	F(T, PTR,   metadata, shoal_automod_metadata)
SHOAL_STRUCT(shoal_automod_action, SHOAL_AUTOMOD_ACTION);

#define SHOAL_AUTOMOD_TRIGGER(F, T) \
	F(T, STRS,  keyword_filter, ) \
	F(T, STRS,  regex_patterns, ) \
	F(T, U32S,  presets, ) \
	F(T, STRS,  allow_list, ) \
	F(T, U32,   mention_total_limit, ) \
	F(T, BOOL,  mention_raid_protection_enabled, )
SHOAL_STRUCT(shoal_automod_trigger, SHOAL_AUTOMOD_TRIGGER);

#define SHOAL_AUTOMOD_RULE(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    guild_id, ) \
	F(T, STR,   name, ) \
	F(T, ID,    creator_id, ) \
	F(T, U32,   event_type, ) \
	F(T, U32,   trigger_type, ) \
	F(T, PTR,   trigger_metadata, shoal_automod_trigger) \
	F(T, LIST,  actions, shoal_automod_action) \
	F(T, BOOL,  enabled, ) \
	F(T, IDS,   exempt_roles, ) \
	F(T, IDS,   exempt_channels, )
SHOAL_STRUCT(shoal_automod_rule, SHOAL_AUTOMOD_RULE);

/* message_id absent: the message was blocked. content needs MESSAGE_CONTENT. */
#define SHOAL_AUTOMOD_EXECUTION(F, T) \
	F(T, ID,    guild_id, ) \
	F(T, OBJ,   action, shoal_automod_action) \
	F(T, ID,    rule_id, ) \
	F(T, U32,   rule_trigger_type, ) \
	F(T, ID,    user_id, ) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    message_id, ) \
	F(T, ID,    alert_system_message_id, ) \
	F(T, STR,   content, ) \
	F(T, STR,   matched_keyword, ) \
	F(T, STR,   matched_content, )
SHOAL_STRUCT(shoal_automod_execution, SHOAL_AUTOMOD_EXECUTION);

#define SHOAL_ACCOUNT(F, T) \
	F(T, STR,   id, ) \
	F(T, STR,   name, )
SHOAL_STRUCT(shoal_account, SHOAL_ACCOUNT);

/* INTEGRATION_DELETE has only id, guild_id and perhaps application_id. */
#define SHOAL_INTEGRATION(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    application_id, ) \
	F(T, STR,   name, ) \
	F(T, STR,   type, ) \
	F(T, BOOL,  enabled, ) \
	F(T, BOOL,  syncing, ) \
	F(T, ID,    role_id, ) \
	F(T, BOOL,  enable_emoticons, ) \
	F(T, U32,   expire_behavior, ) \
	F(T, U32,   expire_grace_period, )	/* days */ \
	F(T, PTR,   user, shoal_user) \
	F(T, PTR,   account, shoal_account) \
	F(T, TIME,  synced_at, ) \
	F(T, U32,   subscriber_count, ) \
	F(T, BOOL,  revoked, ) \
	F(T, PTR,   application, shoal_application) \
	F(T, STRS,  scopes, )
SHOAL_STRUCT(shoal_integration, SHOAL_INTEGRATION);

/* INVITE_CREATE; INVITE_DELETE has channel_id, code and perhaps guild_id. */
#define SHOAL_INVITE(F, T) \
	F(T, ID,    channel_id, ) \
	F(T, STR,   code, ) \
	F(T, ID,    guild_id, ) \
	F(T, TIME,  created_at, ) \
	F(T, TIME,  expires_at, ) \
	F(T, PTR,   inviter, shoal_user) \
	F(T, U32,   max_age, )			/* seconds, 0 never expires */ \
	F(T, U32,   max_uses, )			/* 0 unlimited */ \
	F(T, U32,   target_type, ) \
	F(T, PTR,   target_user, shoal_user) \
	F(T, PTR,   target_application, shoal_application) \
	F(T, BOOL,  temporary, ) \
	F(T, U32,   uses, ) \
	F(T, IDS,   role_ids, ) \
	F(T, U32,   type, ) \
	F(T, U32,   flags, )
SHOAL_STRUCT(shoal_invite, SHOAL_INVITE);

#define SHOAL_VOICE_EFFECT(F, T) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    user_id, ) \
	F(T, PTR,   emoji, shoal_emoji) \
	F(T, U32,   animation_type, ) \
	F(T, U32,   animation_id, ) \
	F(T, ID,    sound_id, )			/* a small number for a default sound */ \
	F(T, DOUBLE, sound_volume, )
SHOAL_STRUCT(shoal_voice_effect, SHOAL_VOICE_EFFECT);

/* endpoint null: the server went away. token is a secret. */
#define SHOAL_VOICE_SERVER(F, T) \
	F(T, STR,   token, ) \
	F(T, ID,    guild_id, ) \
	F(T, STR,   endpoint, )
SHOAL_STRUCT(shoal_voice_server, SHOAL_VOICE_SERVER);

/* All names of dispatches: X(name, member of struct shoal_event, struct, members without which it is refused). */
#define SHOAL_EVENTS(X) \
	X(READY, ready, shoal_ready, .session_id = 1, .user = 1) \
	X(RESUMED, resumed, shoal_resumed) \
	X(RATE_LIMITED, rate_limited, shoal_rate_limited, .opcode = 1) \
	X(APPLICATION_COMMAND_PERMISSIONS_UPDATE, command_permissions, shoal_command_permissions, \
		.id = 1, .guild_id = 1) \
	X(AUTO_MODERATION_RULE_CREATE, automod_rule, shoal_automod_rule, .id = 1, .guild_id = 1) \
	X(AUTO_MODERATION_RULE_UPDATE, automod_rule, shoal_automod_rule, .id = 1, .guild_id = 1) \
	X(AUTO_MODERATION_RULE_DELETE, automod_rule, shoal_automod_rule, .id = 1, .guild_id = 1) \
	X(AUTO_MODERATION_ACTION_EXECUTION, automod_execution, shoal_automod_execution, \
		.guild_id = 1, .rule_id = 1, .user_id = 1) \
	X(CHANNEL_CREATE, channel, shoal_channel, .id = 1, .type = 1) \
	X(CHANNEL_UPDATE, channel, shoal_channel, .id = 1, .type = 1) \
	X(CHANNEL_DELETE, channel, shoal_channel, .id = 1, .type = 1) \
	X(CHANNEL_INFO, channel_info, shoal_channel_info, .guild_id = 1) \
	X(CHANNEL_PINS_UPDATE, channel_pins, shoal_channel_pins, .channel_id = 1) \
	X(THREAD_CREATE, channel, shoal_channel, .id = 1, .guild_id = 1, .type = 1) \
	X(THREAD_UPDATE, channel, shoal_channel, .id = 1, .guild_id = 1, .type = 1) \
	X(THREAD_DELETE, channel, shoal_channel, .id = 1, .guild_id = 1) \
	X(THREAD_LIST_SYNC, thread_list_sync, shoal_thread_list_sync, .guild_id = 1) \
	X(THREAD_MEMBER_UPDATE, thread_member, shoal_thread_member, .id = 1, .guild_id = 1) \
	X(THREAD_MEMBERS_UPDATE, thread_members, shoal_thread_members_update, .id = 1, .guild_id = 1) \
	X(ENTITLEMENT_CREATE, entitlement, shoal_entitlement, .id = 1, .sku_id = 1) \
	X(ENTITLEMENT_UPDATE, entitlement, shoal_entitlement, .id = 1, .sku_id = 1) \
	X(ENTITLEMENT_DELETE, entitlement, shoal_entitlement, .id = 1, .sku_id = 1) \
	X(GUILD_CREATE, guild, shoal_guild, .id = 1) \
	X(GUILD_UPDATE, guild, shoal_guild, .id = 1) \
	X(GUILD_DELETE, guild, shoal_guild, .id = 1) \
	X(GUILD_AUDIT_LOG_ENTRY_CREATE, audit_entry, shoal_audit_entry, .id = 1, .guild_id = 1, .action_type = 1) \
	X(GUILD_BAN_ADD, guild_user, shoal_guild_user, .guild_id = 1, .user = 1) \
	X(GUILD_BAN_REMOVE, guild_user, shoal_guild_user, .guild_id = 1, .user = 1) \
	X(GUILD_EMOJIS_UPDATE, guild_emojis, shoal_guild_emojis, .guild_id = 1, .emojis = 1) \
	X(GUILD_STICKERS_UPDATE, guild_stickers, shoal_guild_stickers, .guild_id = 1, .stickers = 1) \
	X(GUILD_INTEGRATIONS_UPDATE, guild_only, shoal_guild_only, .guild_id = 1) \
	X(GUILD_MEMBER_ADD, member, shoal_member, .guild_id = 1, .user = 1) \
	X(GUILD_MEMBER_REMOVE, guild_user, shoal_guild_user, .guild_id = 1, .user = 1) \
	X(GUILD_MEMBER_UPDATE, member, shoal_member, .guild_id = 1, .user = 1) \
	X(GUILD_MEMBERS_CHUNK, members_chunk, shoal_members_chunk, .guild_id = 1, .chunk_index = 1, .chunk_count = 1) \
	X(GUILD_ROLE_CREATE, guild_role, shoal_guild_role, .guild_id = 1, .role = 1) \
	X(GUILD_ROLE_UPDATE, guild_role, shoal_guild_role, .guild_id = 1, .role = 1) \
	X(GUILD_ROLE_DELETE, guild_role_delete, shoal_guild_role_delete, .guild_id = 1, .role_id = 1) \
	X(GUILD_SCHEDULED_EVENT_CREATE, scheduled_event, shoal_scheduled_event, .id = 1, .guild_id = 1) \
	X(GUILD_SCHEDULED_EVENT_UPDATE, scheduled_event, shoal_scheduled_event, .id = 1, .guild_id = 1) \
	X(GUILD_SCHEDULED_EVENT_DELETE, scheduled_event, shoal_scheduled_event, .id = 1, .guild_id = 1) \
	X(GUILD_SCHEDULED_EVENT_USER_ADD, scheduled_user, shoal_scheduled_user, \
		.guild_scheduled_event_id = 1, .user_id = 1) \
	X(GUILD_SCHEDULED_EVENT_USER_REMOVE, scheduled_user, shoal_scheduled_user, \
		.guild_scheduled_event_id = 1, .user_id = 1) \
	X(GUILD_SOUNDBOARD_SOUND_CREATE, sound, shoal_sound, .sound_id = 1) \
	X(GUILD_SOUNDBOARD_SOUND_UPDATE, sound, shoal_sound, .sound_id = 1) \
	X(GUILD_SOUNDBOARD_SOUND_DELETE, sound_delete, shoal_sound_delete, .guild_id = 1, .sound_id = 1) \
	X(GUILD_SOUNDBOARD_SOUNDS_UPDATE, guild_sounds, shoal_guild_sounds, .guild_id = 1) \
	X(SOUNDBOARD_SOUNDS, guild_sounds, shoal_guild_sounds, .guild_id = 1) \
	X(INTEGRATION_CREATE, integration, shoal_integration, .id = 1, .guild_id = 1) \
	X(INTEGRATION_UPDATE, integration, shoal_integration, .id = 1, .guild_id = 1) \
	X(INTEGRATION_DELETE, integration, shoal_integration, .id = 1, .guild_id = 1) \
	X(INTERACTION_CREATE, interaction, shoal_interaction, .id = 1, .application_id = 1, .type = 1, .token = 1) \
	X(INVITE_CREATE, invite, shoal_invite, .channel_id = 1, .code = 1) \
	X(INVITE_DELETE, invite, shoal_invite, .channel_id = 1, .code = 1) \
	X(MESSAGE_CREATE, message, shoal_message, .id = 1, .channel_id = 1, .author = 1) \
	X(MESSAGE_UPDATE, message, shoal_message, .id = 1, .channel_id = 1) \
	X(MESSAGE_DELETE, message_delete, shoal_message_delete, .id = 1, .channel_id = 1) \
	X(MESSAGE_DELETE_BULK, message_delete_bulk, shoal_message_delete_bulk, .ids = 1, .channel_id = 1) \
	X(MESSAGE_REACTION_ADD, reaction, shoal_reaction_event, \
		.user_id = 1, .channel_id = 1, .message_id = 1, .emoji = 1) \
	X(MESSAGE_REACTION_REMOVE, reaction, shoal_reaction_event, \
		.user_id = 1, .channel_id = 1, .message_id = 1, .emoji = 1) \
	X(MESSAGE_REACTION_REMOVE_ALL, reaction, shoal_reaction_event, .channel_id = 1, .message_id = 1) \
	X(MESSAGE_REACTION_REMOVE_EMOJI, reaction, shoal_reaction_event, \
		.channel_id = 1, .message_id = 1, .emoji = 1) \
	X(MESSAGE_POLL_VOTE_ADD, poll_vote, shoal_poll_vote, \
		.user_id = 1, .channel_id = 1, .message_id = 1, .answer_id = 1) \
	X(MESSAGE_POLL_VOTE_REMOVE, poll_vote, shoal_poll_vote, \
		.user_id = 1, .channel_id = 1, .message_id = 1, .answer_id = 1) \
	X(PRESENCE_UPDATE, presence, shoal_presence, .user = 1) \
	X(TYPING_START, typing, shoal_typing, .channel_id = 1, .user_id = 1) \
	X(USER_UPDATE, user, shoal_user, .id = 1) \
	X(STAGE_INSTANCE_CREATE, stage_instance, shoal_stage_instance, .id = 1, .guild_id = 1, .channel_id = 1) \
	X(STAGE_INSTANCE_UPDATE, stage_instance, shoal_stage_instance, .id = 1, .guild_id = 1, .channel_id = 1) \
	X(STAGE_INSTANCE_DELETE, stage_instance, shoal_stage_instance, .id = 1, .guild_id = 1, .channel_id = 1) \
	X(SUBSCRIPTION_CREATE, subscription, shoal_subscription, .id = 1, .user_id = 1) \
	X(SUBSCRIPTION_UPDATE, subscription, shoal_subscription, .id = 1, .user_id = 1) \
	X(SUBSCRIPTION_DELETE, subscription, shoal_subscription, .id = 1, .user_id = 1) \
	X(VOICE_CHANNEL_EFFECT_SEND, voice_effect, shoal_voice_effect, .channel_id = 1, .guild_id = 1, .user_id = 1) \
	X(VOICE_CHANNEL_START_TIME_UPDATE, voice_info, shoal_voice_info, .id = 1, .guild_id = 1) \
	X(VOICE_CHANNEL_STATUS_UPDATE, voice_info, shoal_voice_info, .id = 1, .guild_id = 1) \
	X(VOICE_STATE_UPDATE, voice_state, shoal_voice_state, .user_id = 1) \
	X(VOICE_SERVER_UPDATE, voice_server, shoal_voice_server, .guild_id = 1) \
	X(WEBHOOKS_UPDATE, webhooks, shoal_webhooks_update, .guild_id = 1, .channel_id = 1)

enum shoal_event_type {
	SHOAL_EVENT_NONE,	/* not a dispatch, or no t */
	SHOAL_EVENT_UNKNOWN,	/* a t that stands in no row: counted, ignored */
#define X(name, ...) SHOAL_EVENT_##name,
	SHOAL_EVENTS(X)
#undef X
	SHOAL_EVENT_COUNT,
};
/* clang-format on */

/* One decoded dispatch. @type says which member of the union is meant (the second column of SHOAL_EVENTS). It and
 * everything below it is read-only and lives until the event's handlers have let go of it. */
struct shoal_event {
	enum shoal_event_type type;
	uint32_t mistyped; /* values of a wrong JSON type in it, treated as absent */
	uint64_t guild_id; /* 0: none */
	uint64_t sequence;
	union {
		const void *data;
		const struct shoal_ready *ready;
		const struct shoal_resumed *resumed;
		const struct shoal_rate_limited *rate_limited;
		const struct shoal_command_permissions *command_permissions;
		const struct shoal_automod_rule *automod_rule;
		const struct shoal_automod_execution *automod_execution;
		const struct shoal_channel *channel;
		const struct shoal_channel_info *channel_info;
		const struct shoal_channel_pins *channel_pins;
		const struct shoal_thread_list_sync *thread_list_sync;
		const struct shoal_thread_member *thread_member;
		const struct shoal_thread_members_update *thread_members;
		const struct shoal_entitlement *entitlement;
		const struct shoal_guild *guild;
		const struct shoal_audit_entry *audit_entry;
		const struct shoal_guild_user *guild_user;
		const struct shoal_guild_emojis *guild_emojis;
		const struct shoal_guild_stickers *guild_stickers;
		const struct shoal_guild_only *guild_only;
		const struct shoal_member *member;
		const struct shoal_members_chunk *members_chunk;
		const struct shoal_guild_role *guild_role;
		const struct shoal_guild_role_delete *guild_role_delete;
		const struct shoal_scheduled_event *scheduled_event;
		const struct shoal_scheduled_user *scheduled_user;
		const struct shoal_sound *sound;
		const struct shoal_sound_delete *sound_delete;
		const struct shoal_guild_sounds *guild_sounds;
		const struct shoal_integration *integration;
		const struct shoal_interaction *interaction;
		const struct shoal_invite *invite;
		const struct shoal_message *message;
		const struct shoal_message_delete *message_delete;
		const struct shoal_message_delete_bulk *message_delete_bulk;
		const struct shoal_reaction_event *reaction;
		const struct shoal_poll_vote *poll_vote;
		const struct shoal_presence *presence;
		const struct shoal_typing *typing;
		const struct shoal_user *user;
		const struct shoal_stage_instance *stage_instance;
		const struct shoal_subscription *subscription;
		const struct shoal_voice_effect *voice_effect;
		const struct shoal_voice_info *voice_info;
		const struct shoal_voice_state *voice_state;
		const struct shoal_voice_server *voice_server;
		const struct shoal_webhooks_update *webhooks;
	};
};

/* The name of @type as Discord writes it; "?" for none and unknown. Any thread. */
const char *shoal_event_name(enum shoal_event_type type);

#endif
