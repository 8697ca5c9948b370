/* SPDX-License-Identifier: MIT */
/* The tables that read guilds and what belongs to them from JSON, made from the lists in <shoal/guild.h>.
 * Data only, no code; used by the reader on the loop. What stands in DECODE_BITS must be there, else the object is
 * refused: nothing can be done with it. */
#include "shard/gateway/decode_table.h"

#include <shoal/fetch.h>
#include <shoal/guild.h>

/* clang-format off */
DECODE_TABLE(shoal_role_tags, SHOAL_ROLE_TAGS, NULL);
DECODE_TABLE(shoal_role_colors, SHOAL_ROLE_COLORS, NULL);
DECODE_TABLE(shoal_role, SHOAL_ROLE, DECODE_BITS(shoal_role, .id = 1));
DECODE_TABLE(shoal_sticker, SHOAL_STICKER, DECODE_BITS(shoal_sticker, .id = 1));
DECODE_TABLE(shoal_voice_state, SHOAL_VOICE_STATE, DECODE_BITS(shoal_voice_state, .user_id = 1));
DECODE_TABLE(shoal_stage_instance, SHOAL_STAGE_INSTANCE, DECODE_BITS(shoal_stage_instance, .id = 1));
DECODE_TABLE(shoal_scheduled_metadata, SHOAL_SCHEDULED_METADATA, NULL);
DECODE_TABLE(shoal_recurrence_day, SHOAL_RECURRENCE_DAY, NULL);
DECODE_TABLE(shoal_recurrence, SHOAL_RECURRENCE, NULL);
DECODE_TABLE(shoal_scheduled_exception, SHOAL_SCHEDULED_EXCEPTION, NULL);
DECODE_TABLE(shoal_scheduled_event, SHOAL_SCHEDULED_EVENT, DECODE_BITS(shoal_scheduled_event, .id = 1));
DECODE_TABLE(shoal_scheduled_user, SHOAL_SCHEDULED_USER, NULL);
DECODE_TABLE(shoal_sound, SHOAL_SOUND, DECODE_BITS(shoal_sound, .sound_id = 1));
DECODE_TABLE(shoal_incidents, SHOAL_INCIDENTS, NULL);
DECODE_TABLE(shoal_guild, SHOAL_GUILD, NULL);
DECODE_TABLE(shoal_guild_info, SHOAL_GUILD_INFO, DECODE_BITS(shoal_guild_info, .id = 1));
DECODE_TABLE(shoal_role_list, SHOAL_ROLE_LIST, DECODE_BITS(shoal_role_list, .roles = 1));
DECODE_TABLE(shoal_role_count, SHOAL_ROLE_COUNT, DECODE_BITS(shoal_role_count, .id = 1));
DECODE_TABLE(shoal_role_counts, SHOAL_ROLE_COUNTS, DECODE_BITS(shoal_role_counts, .counts = 1));
DECODE_TABLE(shoal_guild_role, SHOAL_GUILD_ROLE, NULL);
DECODE_TABLE(shoal_guild_role_delete, SHOAL_GUILD_ROLE_DELETE, NULL);
DECODE_TABLE(shoal_guild_user, SHOAL_GUILD_USER, NULL);
DECODE_TABLE(shoal_guild_emojis, SHOAL_GUILD_EMOJIS, NULL);
DECODE_TABLE(shoal_guild_stickers, SHOAL_GUILD_STICKERS, NULL);
DECODE_TABLE(shoal_guild_sounds, SHOAL_GUILD_SOUNDS, NULL);
DECODE_TABLE(shoal_sound_delete, SHOAL_SOUND_DELETE, NULL);
DECODE_TABLE(shoal_guild_only, SHOAL_GUILD_ONLY, NULL);
DECODE_TABLE(shoal_members_chunk, SHOAL_MEMBERS_CHUNK, NULL);
DECODE_TABLE(shoal_audit_change, SHOAL_AUDIT_CHANGE, NULL);
DECODE_TABLE(shoal_audit_options, SHOAL_AUDIT_OPTIONS, NULL);
DECODE_TABLE(shoal_audit_entry, SHOAL_AUDIT_ENTRY, NULL);
/* clang-format on */
