/* SPDX-License-Identifier: MIT */
/* The tables that read channels and threads from JSON, made from the lists in <shoal/channel.h>.
 * Data only, no code; used by the reader on the loop. What stands in DECODE_BITS must be there, else the object is
 * refused: nothing can be done with it. */
#include "shard/gateway/decode_table.h"

#include <shoal/channel.h>

/* clang-format off */
DECODE_TABLE(shoal_overwrite, SHOAL_OVERWRITE, DECODE_BITS(shoal_overwrite, .id = 1));
DECODE_TABLE(shoal_forum_tag, SHOAL_FORUM_TAG, DECODE_BITS(shoal_forum_tag, .id = 1));
DECODE_TABLE(shoal_default_reaction, SHOAL_DEFAULT_REACTION, NULL);
DECODE_TABLE(shoal_thread_metadata, SHOAL_THREAD_METADATA, NULL);
DECODE_TABLE(shoal_thread_member, SHOAL_THREAD_MEMBER, NULL);
DECODE_TABLE(shoal_channel, SHOAL_CHANNEL, DECODE_BITS(shoal_channel, .id = 1));
DECODE_TABLE(shoal_thread_list_sync, SHOAL_THREAD_LIST_SYNC, NULL);
DECODE_TABLE(shoal_thread_members_update, SHOAL_THREAD_MEMBERS_UPDATE, NULL);
DECODE_TABLE(shoal_channel_pins, SHOAL_CHANNEL_PINS, NULL);
DECODE_TABLE(shoal_voice_info, SHOAL_VOICE_INFO, DECODE_BITS(shoal_voice_info, .id = 1));
DECODE_TABLE(shoal_channel_info, SHOAL_CHANNEL_INFO, NULL);
DECODE_TABLE(shoal_webhooks_update, SHOAL_WEBHOOKS_UPDATE, NULL);
DECODE_TABLE(shoal_typing, SHOAL_TYPING, NULL);
/* clang-format on */
