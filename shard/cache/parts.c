/* The tables that read what the cache keeps, made from the lists in parts.h. Data only. */
#include "shard/cache/parts.h"

#include "shard/gateway/decode_table.h"

/* clang-format off */
DECODE_TABLE(part_role, PART_ROLE, DECODE_BITS(part_role, .id = 1));
DECODE_TABLE(part_overwrite, PART_OVERWRITE, DECODE_BITS(part_overwrite, .id = 1));
DECODE_TABLE(part_thread_metadata, PART_THREAD_METADATA, NULL);
DECODE_TABLE(part_channel, PART_CHANNEL, DECODE_BITS(part_channel, .id = 1));
DECODE_TABLE(part_user, PART_USER, DECODE_BITS(part_user, .id = 1));
DECODE_TABLE(part_member, PART_MEMBER, NULL);
DECODE_TABLE(part_guild, PART_GUILD, DECODE_BITS(part_guild, .id = 1));
DECODE_TABLE(part_guild_role, PART_GUILD_ROLE, NULL);
DECODE_TABLE(part_thread_member, PART_THREAD_MEMBER, NULL);
DECODE_TABLE(part_thread_list, PART_THREAD_LIST, NULL);
DECODE_TABLE(part_thread_members, PART_THREAD_MEMBERS, DECODE_BITS(part_thread_members, .id = 1));
DECODE_TABLE(part_guild_brief, PART_GUILD_BRIEF, DECODE_BITS(part_guild_brief, .id = 1));
DECODE_TABLE(part_ready, PART_READY, DECODE_BITS(part_ready, .user = 1));
/* clang-format on */
