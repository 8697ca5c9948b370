/* SPDX-License-Identifier: MIT */
/* Messages, their parts, reactions and polls (source: facts sections 9 and 16). How to read a row: <shoal/fields.h>. */
#ifndef SHOAL_MESSAGE_H
#define SHOAL_MESSAGE_H

#include <shoal/guild.h>

enum shoal_message_flag {
	SHOAL_MESSAGE_CROSSPOSTED = 1 << 0,
	SHOAL_MESSAGE_IS_CROSSPOST = 1 << 1,
	SHOAL_MESSAGE_SUPPRESS_EMBEDS = 1 << 2,
	SHOAL_MESSAGE_SOURCE_DELETED = 1 << 3,
	SHOAL_MESSAGE_URGENT = 1 << 4,
	SHOAL_MESSAGE_HAS_THREAD = 1 << 5,
	SHOAL_MESSAGE_EPHEMERAL = 1 << 6,
	SHOAL_MESSAGE_LOADING = 1 << 7,
	SHOAL_MESSAGE_SUPPRESS_NOTIFICATIONS = 1 << 12,
	SHOAL_MESSAGE_IS_VOICE = 1 << 13,
	SHOAL_MESSAGE_HAS_SNAPSHOT = 1 << 14,
	SHOAL_MESSAGE_IS_COMPONENTS_V2 = 1 << 15,
};

/* clang-format off */
#define SHOAL_EMBED_AUTHOR(F, T) \
	F(T, STR,   name, ) \
	F(T, STR,   url, ) \
	F(T, STR,   icon_url, ) \
	F(T, STR,   proxy_icon_url, )
SHOAL_STRUCT(shoal_embed_author, SHOAL_EMBED_AUTHOR);

#define SHOAL_EMBED_FOOTER(F, T) \
	F(T, STR,   text, ) \
	F(T, STR,   icon_url, ) \
	F(T, STR,   proxy_icon_url, )
SHOAL_STRUCT(shoal_embed_footer, SHOAL_EMBED_FOOTER);

#define SHOAL_EMBED_PROVIDER(F, T) \
	F(T, STR,   name, ) \
	F(T, STR,   url, )
SHOAL_STRUCT(shoal_embed_provider, SHOAL_EMBED_PROVIDER);

/* image, thumbnail, video */
#define SHOAL_EMBED_MEDIA(F, T) \
	F(T, STR,   url, ) \
	F(T, STR,   proxy_url, ) \
	F(T, U32,   width, ) \
	F(T, U32,   height, ) \
	F(T, STR,   content_type, ) \
	F(T, STR,   placeholder, ) \
	F(T, U32,   placeholder_version, ) \
	F(T, STR,   description, ) \
	F(T, U32,   flags, )
SHOAL_STRUCT(shoal_embed_media, SHOAL_EMBED_MEDIA);

#define SHOAL_EMBED_FIELD(F, T) \
	F(T, STR,   name, ) \
	F(T, STR,   value, ) \
	F(T, BOOL,  inline_, )
SHOAL_STRUCT(shoal_embed_field, SHOAL_EMBED_FIELD);

#define SHOAL_EMBED(F, T) \
	F(T, STR,   type, ) \
	F(T, STR,   title, ) \
	F(T, STR,   description, ) \
	F(T, STR,   url, ) \
	F(T, TIME,  timestamp, ) \
	F(T, U32,   color, ) \
	F(T, PTR,   footer, shoal_embed_footer) \
	F(T, PTR,   image, shoal_embed_media) \
	F(T, PTR,   thumbnail, shoal_embed_media) \
	F(T, PTR,   video, shoal_embed_media) \
	F(T, PTR,   provider, shoal_embed_provider) \
	F(T, PTR,   author, shoal_embed_author) \
	F(T, LIST,  fields, shoal_embed_field) \
	F(T, U32,   flags, )
SHOAL_STRUCT(shoal_embed, SHOAL_EMBED);

#define SHOAL_APPLICATION(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   name, ) \
	F(T, STR,   icon, ) \
	F(T, STR,   description, ) \
	F(T, STR,   summary, ) \
	F(T, STR,   cover_image, ) \
	F(T, ID,    primary_sku_id, ) \
	F(T, PTR,   bot, shoal_user) \
	F(T, U64,   flags, )			/* 31 bits only; flags_new has all */ \
	F(T, PERMS, flags_new, )
SHOAL_STRUCT(shoal_application, SHOAL_APPLICATION);

/* url and proxy_url are signed and expire: never keep them. */
#define SHOAL_ATTACHMENT(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   filename, ) \
	F(T, STR,   title, ) \
	F(T, STR,   description, ) \
	F(T, STR,   content_type, ) \
	F(T, U64,   size, )			/* bytes */ \
	F(T, STR,   url, ) \
	F(T, STR,   proxy_url, ) \
	F(T, U32,   width, ) \
	F(T, U32,   height, ) \
	F(T, STR,   placeholder, ) \
	F(T, U32,   placeholder_version, ) \
	F(T, BOOL,  ephemeral, ) \
	F(T, DOUBLE, duration_secs, ) \
	F(T, STR,   waveform, )			/* base64 */ \
	F(T, U32,   flags, ) \
	F(T, LIST,  clip_participants, shoal_user) \
	F(T, TIME,  clip_created_at, ) \
	F(T, PTR,   application, shoal_application)
SHOAL_STRUCT(shoal_attachment, SHOAL_ATTACHMENT);

#define SHOAL_MEDIA(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   url, ) \
	F(T, STR,   proxy_url, ) \
	F(T, U32,   width, ) \
	F(T, U32,   height, ) \
	F(T, STR,   placeholder, ) \
	F(T, U32,   placeholder_version, ) \
	F(T, STR,   content_type, ) \
	F(T, U32,   flags, ) \
	F(T, ID,    attachment_id, )
SHOAL_STRUCT(shoal_media, SHOAL_MEDIA);

#define SHOAL_MEDIA_ITEM(F, T) \
	F(T, PTR,   media, shoal_media) \
	F(T, STR,   description, ) \
	F(T, BOOL,  spoiler, )
SHOAL_STRUCT(shoal_media_item, SHOAL_MEDIA_ITEM);

#define SHOAL_SELECT_OPTION(F, T) \
	F(T, STR,   label, ) \
	F(T, STR,   value, ) \
	F(T, STR,   description, ) \
	F(T, PTR,   emoji, shoal_emoji) \
	F(T, BOOL,  default_, )
SHOAL_STRUCT(shoal_select_option, SHOAL_SELECT_OPTION);

#define SHOAL_SELECT_DEFAULT(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   type, )			/* "user", "role", "channel" */
SHOAL_STRUCT(shoal_select_default, SHOAL_SELECT_DEFAULT);

/* Any component, of a message or of a submitted modal; what is set depends on type. In a modal value is a text
 * (type 4), a text or null (21), a boolean (23); values belong to selects, files and checkbox groups. */
#define SHOAL_COMPONENT(F, T) \
	F(T, U32,   type, ) \
	F(T, U32,   id, ) \
	F(T, U32,   style, ) \
	F(T, STR,   label, ) \
	F(T, STR,   custom_id, ) \
	F(T, BOOL,  disabled, ) \
	F(T, STR,   url, ) \
	F(T, PTR,   emoji, shoal_emoji) \
	F(T, ID,    sku_id, ) \
	F(T, LIST,  components, shoal_component) \
	F(T, PTR,   component, shoal_component)	/* the child of a label, type 18 */ \
	F(T, PTR,   accessory, shoal_component)	/* of a section, type 9 */ \
	F(T, VALUE, value, ) \
	F(T, STRS,  values, ) \
	F(T, STR,   content, )			/* of a text display, type 10 */ \
	F(T, STR,   placeholder, ) \
	F(T, U32,   min_values, ) \
	F(T, U32,   max_values, ) \
	F(T, U32,   min_length, ) \
	F(T, U32,   max_length, ) \
	F(T, BOOL,  required, ) \
	F(T, LIST,  options, shoal_select_option) \
	F(T, LIST,  default_values, shoal_select_default) \
	F(T, U32S,  channel_types, ) \
	F(T, PTR,   media, shoal_media) \
	F(T, PTR,   file, shoal_media) \
	F(T, LIST,  items, shoal_media_item) \
	F(T, STR,   name, ) \
	F(T, U64,   size, ) \
	F(T, STR,   description, ) \
	F(T, BOOL,  spoiler, ) \
	F(T, BOOL,  divider, ) \
	F(T, U32,   spacing, ) \
	F(T, U32,   accent_color, )
struct shoal_component;
SHOAL_STRUCT(shoal_component, SHOAL_COMPONENT);

#define SHOAL_REACTION_COUNTS(F, T) \
	F(T, U32,   burst, ) \
	F(T, U32,   normal, )
SHOAL_STRUCT(shoal_reaction_counts, SHOAL_REACTION_COUNTS);

#define SHOAL_REACTION(F, T) \
	F(T, OBJ,   emoji, shoal_emoji) \
	F(T, U32,   count, ) \
	F(T, PTR,   count_details, shoal_reaction_counts) \
	F(T, BOOL,  me, ) \
	F(T, BOOL,  me_burst, ) \
	F(T, STRS,  burst_colors, )
SHOAL_STRUCT(shoal_reaction, SHOAL_REACTION);

#define SHOAL_POLL_MEDIA(F, T) \
	F(T, STR,   text, ) \
	F(T, PTR,   emoji, shoal_emoji)
SHOAL_STRUCT(shoal_poll_media, SHOAL_POLL_MEDIA);

#define SHOAL_POLL_ANSWER(F, T) \
	F(T, U32,   answer_id, ) \
	F(T, PTR,   poll_media, shoal_poll_media)
SHOAL_STRUCT(shoal_poll_answer, SHOAL_POLL_ANSWER);

#define SHOAL_POLL_COUNT(F, T) \
	F(T, U32,   id, ) \
	F(T, U32,   count, ) \
	F(T, BOOL,  me_voted, )
SHOAL_STRUCT(shoal_poll_count, SHOAL_POLL_COUNT);

#define SHOAL_POLL_RESULTS(F, T) \
	F(T, BOOL,  is_finalized, ) \
	F(T, LIST,  answer_counts, shoal_poll_count)
SHOAL_STRUCT(shoal_poll_results, SHOAL_POLL_RESULTS);

/* results absent: unknown. */
#define SHOAL_POLL(F, T) \
	F(T, PTR,   question, shoal_poll_media) \
	F(T, LIST,  answers, shoal_poll_answer) \
	F(T, TIME,  expiry, ) \
	F(T, BOOL,  allow_multiselect, ) \
	F(T, U32,   layout_type, ) \
	F(T, PTR,   results, shoal_poll_results)
SHOAL_STRUCT(shoal_poll, SHOAL_POLL);

#define SHOAL_MESSAGE_REFERENCE(F, T) \
	F(T, U32,   type, )			/* 0 reply, 1 forward */ \
	F(T, ID,    message_id, ) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    guild_id, ) \
	F(T, BOOL,  fail_if_not_exists, )
SHOAL_STRUCT(shoal_message_reference, SHOAL_MESSAGE_REFERENCE);

#define SHOAL_CHANNEL_MENTION(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    guild_id, ) \
	F(T, U32,   type, ) \
	F(T, STR,   name, )
SHOAL_STRUCT(shoal_channel_mention, SHOAL_CHANNEL_MENTION);

#define SHOAL_STICKER_ITEM(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   name, ) \
	F(T, U32,   format_type, )
SHOAL_STRUCT(shoal_sticker_item, SHOAL_STICKER_ITEM);

#define SHOAL_CALL(F, T) \
	F(T, IDS,   participants, ) \
	F(T, TIME,  ended_timestamp, )
SHOAL_STRUCT(shoal_call, SHOAL_CALL);

#define SHOAL_ROLE_SUBSCRIPTION(F, T) \
	F(T, ID,    role_subscription_listing_id, ) \
	F(T, STR,   tier_name, ) \
	F(T, U32,   total_months_subscribed, ) \
	F(T, BOOL,  is_renewal, )
SHOAL_STRUCT(shoal_role_subscription, SHOAL_ROLE_SUBSCRIPTION);

/* Who authorised an application, by kind of installation. */
#define SHOAL_OWNERS(F, T) \
	F(T, ID,    _0, )			/* the guild, 0 in a DM with the bot */ \
	F(T, ID,    _1, )			/* the user */
SHOAL_STRUCT(shoal_owners, SHOAL_OWNERS);

#define SHOAL_INTERACTION_METADATA(F, T) \
	F(T, ID,    id, ) \
	F(T, U32,   type, ) \
	F(T, PTR,   user, shoal_user) \
	F(T, PTR,   authorizing_integration_owners, shoal_owners) \
	F(T, ID,    original_response_message_id, ) \
	F(T, PTR,   target_user, shoal_user) \
	F(T, ID,    target_message_id, ) \
	F(T, ID,    interacted_message_id, ) \
	F(T, PTR,   triggering_interaction_metadata, shoal_interaction_metadata)
struct shoal_interaction_metadata;
SHOAL_STRUCT(shoal_interaction_metadata, SHOAL_INTERACTION_METADATA);

/* Deprecated by interaction_metadata, still sent. */
#define SHOAL_MESSAGE_INTERACTION(F, T) \
	F(T, ID,    id, ) \
	F(T, U32,   type, ) \
	F(T, STR,   name, ) \
	F(T, PTR,   user, shoal_user) \
	F(T, PTR,   member, shoal_member)
SHOAL_STRUCT(shoal_message_interaction, SHOAL_MESSAGE_INTERACTION);

/* What a message or an interaction names by id, by id. Members lack user, deaf and mute. */
#define SHOAL_RESOLVED(F, T) \
	F(T, MAP,   users, shoal_user) \
	F(T, MAP,   members, shoal_member) \
	F(T, MAP,   roles, shoal_role) \
	F(T, MAP,   channels, shoal_channel) \
	F(T, MAP,   messages, shoal_message) \
	F(T, MAP,   attachments, shoal_attachment)
struct shoal_message;
SHOAL_STRUCT(shoal_resolved, SHOAL_RESOLVED);

#define SHOAL_MESSAGE_SNAPSHOT(F, T) \
	F(T, PTR,   message, shoal_message)	/* no id, no author */
SHOAL_STRUCT(shoal_message_snapshot, SHOAL_MESSAGE_SNAPSHOT);

/* MESSAGE_CREATE and MESSAGE_UPDATE (partial: merge member by member), and messages within other events.
 * webhook_id set: author is no user. Without MESSAGE_CONTENT content, embeds, attachments and components are empty.
 * No guild_id: a DM, an ephemeral message, or a message from REST. referenced_message: null means deleted, absent
 * unknown. */
#define SHOAL_MESSAGE(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    guild_id, ) \
	F(T, OBJ,   author, shoal_user) \
	F(T, PTR,   member, shoal_member) \
	F(T, STR,   content, ) \
	F(T, TIME,  timestamp, ) \
	F(T, TIME,  edited_timestamp, ) \
	F(T, BOOL,  tts, ) \
	F(T, BOOL,  mention_everyone, ) \
	F(T, LIST,  mentions, shoal_user) \
	F(T, IDS,   mention_roles, ) \
	F(T, LIST,  attachments, shoal_attachment) \
	F(T, LIST,  embeds, shoal_embed) \
	F(T, LIST,  components, shoal_component) \
	F(T, BOOL,  pinned, ) \
	F(T, U32,   type, ) \
	F(T, U64,   flags, )			/* enum shoal_message_flag */ \
	F(T, U32,   channel_type, ) \
	F(T, TEXT,  nonce, ) \
	F(T, ID,    webhook_id, ) \
	F(T, PTR,   message_reference, shoal_message_reference) \
	F(T, PTR,   referenced_message, shoal_message) \
	F(T, LIST,  message_snapshots, shoal_message_snapshot) \
	F(T, LIST,  reactions, shoal_reaction) \
	F(T, LIST,  mention_channels, shoal_channel_mention) \
	F(T, ID,    application_id, ) \
	F(T, PTR,   application, shoal_application) \
	F(T, RAW,   activity, ) \
	F(T, PTR,   interaction_metadata, shoal_interaction_metadata) \
	F(T, PTR,   interaction, shoal_message_interaction) \
	F(T, PTR,   thread, shoal_channel) \
	F(T, LIST,  sticker_items, shoal_sticker_item) \
	F(T, LIST,  stickers, shoal_sticker) \
	F(T, I64,   position, ) \
	F(T, PTR,   role_subscription_data, shoal_role_subscription) \
	F(T, RAW,   purchase_notification, ) \
	F(T, PTR,   resolved, shoal_resolved) \
	F(T, PTR,   poll, shoal_poll) \
	F(T, PTR,   call, shoal_call) \
	F(T, RAW,   shared_client_theme, )
SHOAL_STRUCT(shoal_message, SHOAL_MESSAGE);

#define SHOAL_MESSAGE_DELETE(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    guild_id, )
SHOAL_STRUCT(shoal_message_delete, SHOAL_MESSAGE_DELETE);

#define SHOAL_MESSAGE_DELETE_BULK(F, T) \
	F(T, IDS,   ids, ) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    guild_id, )
SHOAL_STRUCT(shoal_message_delete_bulk, SHOAL_MESSAGE_DELETE_BULK);

/* MESSAGE_REACTION_ADD and all of _REMOVE, each with the members it has: _REMOVE has no member, author or colours,
 * _REMOVE_EMOJI no user, _REMOVE_ALL no emoji either. */
#define SHOAL_REACTION_EVENT(F, T) \
	F(T, ID,    user_id, ) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    message_id, ) \
	F(T, ID,    guild_id, ) \
	F(T, PTR,   member, shoal_member) \
	F(T, OBJ,   emoji, shoal_emoji) \
	F(T, ID,    message_author_id, ) \
	F(T, BOOL,  burst, ) \
	F(T, STRS,  burst_colors, ) \
	F(T, U32,   type, )			/* 0 normal, 1 burst */
SHOAL_STRUCT(shoal_reaction_event, SHOAL_REACTION_EVENT);

#define SHOAL_POLL_VOTE(F, T) \
	F(T, ID,    user_id, ) \
	F(T, ID,    channel_id, ) \
	F(T, ID,    message_id, ) \
	F(T, ID,    guild_id, ) \
	F(T, U32,   answer_id, )
SHOAL_STRUCT(shoal_poll_vote, SHOAL_POLL_VOTE);
/* clang-format on */

#endif
