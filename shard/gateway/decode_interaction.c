/* SPDX-License-Identifier: MIT */
/* The tables that read interactions from JSON, made from the lists in <shoal/interaction.h>.
 * Data only, no code; used by the reader on the loop. What stands in DECODE_BITS must be there, else the object is
 * refused: nothing can be done with it. */
#include "shard/gateway/decode_table.h"

#include <shoal/interaction.h>

/* clang-format off */
DECODE_TABLE(shoal_entitlement, SHOAL_ENTITLEMENT, DECODE_BITS(shoal_entitlement, .id = 1));
DECODE_TABLE(shoal_subscription, SHOAL_SUBSCRIPTION, NULL);
DECODE_TABLE(shoal_option, SHOAL_OPTION, DECODE_BITS(shoal_option, .name = 1, .type = 1));
DECODE_TABLE(shoal_interaction_data, SHOAL_INTERACTION_DATA, NULL);
DECODE_TABLE(shoal_interaction_guild, SHOAL_INTERACTION_GUILD, NULL);
DECODE_TABLE(shoal_interaction, SHOAL_INTERACTION, NULL);
DECODE_TABLE(shoal_command_permission, SHOAL_COMMAND_PERMISSION, NULL);
DECODE_TABLE(shoal_command_permissions, SHOAL_COMMAND_PERMISSIONS, NULL);
/* clang-format on */
