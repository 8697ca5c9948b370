/* SPDX-License-Identifier: MIT */
/* Makes a reader's table out of the list that made the struct (see <shoal/fields.h>). Only for files of tables:
 * decode_*.c and the cache's. */
#ifndef SHOAL_GATEWAY_DECODE_TABLE_H
#define SHOAL_GATEWAY_DECODE_TABLE_H

#include <stddef.h>

#include "shard/gateway/reader.h"

/* clang-format off */
/* All structs of include/shoal/: X(tag). */
#define DECODE_STRUCTS(X) \
	X(shoal_avatar_decoration) X(shoal_nameplate) X(shoal_collectibles) X(shoal_primary_guild) \
	X(shoal_user) X(shoal_member) X(shoal_emoji) X(shoal_activity_timestamps) X(shoal_activity_party) \
	X(shoal_activity_assets) X(shoal_activity_secrets) X(shoal_activity) X(shoal_client_status) \
	X(shoal_presence) \
	X(shoal_overwrite) X(shoal_forum_tag) X(shoal_default_reaction) X(shoal_thread_metadata) \
	X(shoal_thread_member) X(shoal_channel) X(shoal_thread_list_sync) \
	X(shoal_thread_members_update) X(shoal_channel_pins) X(shoal_voice_info) X(shoal_channel_info) \
	X(shoal_webhooks_update) X(shoal_typing) \
	X(shoal_role_tags) X(shoal_role_colors) X(shoal_role) X(shoal_sticker) X(shoal_voice_state) \
	X(shoal_stage_instance) X(shoal_scheduled_metadata) X(shoal_recurrence_day) X(shoal_recurrence) \
	X(shoal_scheduled_exception) X(shoal_scheduled_event) X(shoal_scheduled_user) X(shoal_sound) \
	X(shoal_incidents) X(shoal_guild) X(shoal_guild_role) X(shoal_guild_role_delete) X(shoal_guild_user) \
	X(shoal_guild_emojis) X(shoal_guild_stickers) X(shoal_guild_sounds) X(shoal_sound_delete) \
	X(shoal_guild_info) X(shoal_role_list) X(shoal_role_count) X(shoal_role_counts) \
	X(shoal_guild_only) X(shoal_members_chunk) X(shoal_audit_change) X(shoal_audit_options) \
	X(shoal_audit_entry) \
	X(shoal_embed_author) X(shoal_embed_footer) X(shoal_embed_provider) X(shoal_embed_media) \
	X(shoal_embed_field) X(shoal_embed) X(shoal_application) X(shoal_attachment) X(shoal_media) \
	X(shoal_media_item) X(shoal_select_option) X(shoal_select_default) X(shoal_component) \
	X(shoal_reaction_counts) X(shoal_reaction) X(shoal_poll_media) X(shoal_poll_answer) \
	X(shoal_poll_count) X(shoal_poll_results) X(shoal_poll) X(shoal_message_reference) \
	X(shoal_channel_mention) X(shoal_sticker_item) X(shoal_call) X(shoal_role_subscription) \
	X(shoal_owners) X(shoal_interaction_metadata) X(shoal_message_interaction) X(shoal_resolved) \
	X(shoal_message_snapshot) X(shoal_message) X(shoal_message_delete) X(shoal_message_delete_bulk) \
	X(shoal_reaction_event) X(shoal_poll_vote) \
	X(shoal_entitlement) X(shoal_subscription) X(shoal_option) X(shoal_interaction_data) \
	X(shoal_interaction_guild) X(shoal_interaction) X(shoal_command_permission) \
	X(shoal_command_permissions) \
	X(shoal_unavailable_guild) X(shoal_ready) X(shoal_resumed) X(shoal_rate_limited_meta) \
	X(shoal_rate_limited) X(shoal_automod_metadata) X(shoal_automod_action) X(shoal_automod_trigger) \
	X(shoal_automod_rule) X(shoal_automod_execution) X(shoal_account) X(shoal_integration) X(shoal_invite) \
	X(shoal_voice_effect) X(shoal_voice_server)
#define X(tag) extern const struct reader_table tag##_table;
DECODE_STRUCTS(X)
#undef X

/* `_0` is the key "0", `default_` the key "default". */
#define DECODE_SKIP(text) ((text)[0] == '_' && (text)[1] >= '0' && (text)[1] <= '9')
#define DECODE_TRIM(text) ((text)[sizeof(text) - 2] == '_')

#define DECODE_SUB_ID(arg)	NULL
#define DECODE_SUB_U32(arg)	NULL
#define DECODE_SUB_I32(arg)	NULL
#define DECODE_SUB_U64(arg)	NULL
#define DECODE_SUB_I64(arg)	NULL
#define DECODE_SUB_DOUBLE(arg)	NULL
#define DECODE_SUB_BOOL(arg)	NULL
#define DECODE_SUB_MARK(arg)	NULL
#define DECODE_SUB_STR(arg)	NULL
#define DECODE_SUB_TEXT(arg)	NULL
#define DECODE_SUB_TIME(arg)	NULL
#define DECODE_SUB_PERMS(arg)	NULL
#define DECODE_SUB_VALUE(arg)	NULL
#define DECODE_SUB_RAW(arg)	NULL
#define DECODE_SUB_IDS(arg)	NULL
#define DECODE_SUB_U32S(arg)	NULL
#define DECODE_SUB_I64S(arg)	NULL
#define DECODE_SUB_STRS(arg)	NULL
#define DECODE_SUB_OBJ(arg)	&arg##_table
#define DECODE_SUB_PTR(arg)	&arg##_table
#define DECODE_SUB_LIST(arg)	&arg##_table
#define DECODE_SUB_MAP(arg)	&arg##_table

#define DECODE_ROW(T, kind_, member, arg)						\
	{										\
		.name = &(#member)[DECODE_SKIP(#member)],				\
		.name_len = sizeof(#member) - 1 - DECODE_SKIP(#member) - DECODE_TRIM(#member), \
		.kind = READER_##kind_,							\
		.offset = offsetof(struct T, member),					\
		.sub = DECODE_SUB_##kind_(arg),						\
	},

/* Members of struct @tag, as bits: DECODE_BITS(shoal_user, .id = 1). */
#define DECODE_BITS(tag, ...) (&(const struct tag##_has){ __VA_ARGS__ })

/* Defines @tag_table from the list @rows; objects without the @required_bits (or NULL) are refused. */
#define DECODE_TABLE(tag, rows, required_bits)						\
	static const struct reader_field tag##_fields[] = { rows(DECODE_ROW, tag) };	\
	static struct reader_index tag##_index;						\
	_Static_assert(sizeof(struct tag##_has) == sizeof(uint64_t), "more than 64 members");	\
	_Static_assert(offsetof(struct tag, null) == sizeof(uint64_t), "has and null come first");	\
	const struct reader_table tag##_table = {					\
		.name = #tag,								\
		.fields = tag##_fields,							\
		.count = sizeof(tag##_fields) / sizeof(tag##_fields[0]),		\
		.size = sizeof(struct tag),						\
		.required = (required_bits),						\
		.index = &tag##_index,							\
	}
/* clang-format on */

#endif
