/* SPDX-License-Identifier: MIT */
/* The tables that read users, members and presences from JSON, made from the lists in <shoal/user.h>.
 * Data only, no code; used by the reader on the loop. What stands in DECODE_BITS must be there, else the object is
 * refused: nothing can be done with it. */
#include "shard/gateway/decode_table.h"

#include <shoal/user.h>

/* clang-format off */
DECODE_TABLE(shoal_avatar_decoration, SHOAL_AVATAR_DECORATION, NULL);
DECODE_TABLE(shoal_nameplate, SHOAL_NAMEPLATE, NULL);
DECODE_TABLE(shoal_collectibles, SHOAL_COLLECTIBLES, NULL);
DECODE_TABLE(shoal_primary_guild, SHOAL_PRIMARY_GUILD, NULL);
DECODE_TABLE(shoal_user, SHOAL_USER, DECODE_BITS(shoal_user, .id = 1));
DECODE_TABLE(shoal_member, SHOAL_MEMBER_FIELDS, NULL);
DECODE_TABLE(shoal_emoji, SHOAL_EMOJI, NULL);
DECODE_TABLE(shoal_activity_timestamps, SHOAL_ACTIVITY_TIMESTAMPS, NULL);
DECODE_TABLE(shoal_activity_party, SHOAL_ACTIVITY_PARTY, NULL);
DECODE_TABLE(shoal_activity_assets, SHOAL_ACTIVITY_ASSETS, NULL);
DECODE_TABLE(shoal_activity_secrets, SHOAL_ACTIVITY_SECRETS, NULL);
DECODE_TABLE(shoal_activity, SHOAL_ACTIVITY, NULL);
DECODE_TABLE(shoal_client_status, SHOAL_CLIENT_STATUS, NULL);
DECODE_TABLE(shoal_presence, SHOAL_PRESENCE, DECODE_BITS(shoal_presence, .user = 1));
/* clang-format on */
