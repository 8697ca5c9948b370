/* SPDX-License-Identifier: MIT */
/* The tables that read messages from JSON, made from the lists in <shoal/message.h>.
 * Data only, no code; used by the reader on the loop. What stands in DECODE_BITS must be there, else the object is
 * refused: nothing can be done with it. */
#include "shard/gateway/decode_table.h"

#include <shoal/message.h>

/* clang-format off */
DECODE_TABLE(shoal_embed_author, SHOAL_EMBED_AUTHOR, NULL);
DECODE_TABLE(shoal_embed_footer, SHOAL_EMBED_FOOTER, NULL);
DECODE_TABLE(shoal_embed_provider, SHOAL_EMBED_PROVIDER, NULL);
DECODE_TABLE(shoal_embed_media, SHOAL_EMBED_MEDIA, NULL);
DECODE_TABLE(shoal_embed_field, SHOAL_EMBED_FIELD, NULL);
DECODE_TABLE(shoal_embed, SHOAL_EMBED, NULL);
DECODE_TABLE(shoal_application, SHOAL_APPLICATION, NULL);
DECODE_TABLE(shoal_attachment, SHOAL_ATTACHMENT, DECODE_BITS(shoal_attachment, .id = 1));
DECODE_TABLE(shoal_media, SHOAL_MEDIA, NULL);
DECODE_TABLE(shoal_media_item, SHOAL_MEDIA_ITEM, NULL);
DECODE_TABLE(shoal_select_option, SHOAL_SELECT_OPTION, NULL);
DECODE_TABLE(shoal_select_default, SHOAL_SELECT_DEFAULT, NULL);
DECODE_TABLE(shoal_component, SHOAL_COMPONENT, DECODE_BITS(shoal_component, .type = 1));
DECODE_TABLE(shoal_reaction_counts, SHOAL_REACTION_COUNTS, NULL);
DECODE_TABLE(shoal_reaction, SHOAL_REACTION, NULL);
DECODE_TABLE(shoal_poll_media, SHOAL_POLL_MEDIA, NULL);
DECODE_TABLE(shoal_poll_answer, SHOAL_POLL_ANSWER, NULL);
DECODE_TABLE(shoal_poll_count, SHOAL_POLL_COUNT, NULL);
DECODE_TABLE(shoal_poll_results, SHOAL_POLL_RESULTS, NULL);
DECODE_TABLE(shoal_poll, SHOAL_POLL, NULL);
DECODE_TABLE(shoal_message_reference, SHOAL_MESSAGE_REFERENCE, NULL);
DECODE_TABLE(shoal_channel_mention, SHOAL_CHANNEL_MENTION, NULL);
DECODE_TABLE(shoal_sticker_item, SHOAL_STICKER_ITEM, NULL);
DECODE_TABLE(shoal_call, SHOAL_CALL, NULL);
DECODE_TABLE(shoal_role_subscription, SHOAL_ROLE_SUBSCRIPTION, NULL);
DECODE_TABLE(shoal_owners, SHOAL_OWNERS, NULL);
DECODE_TABLE(shoal_interaction_metadata, SHOAL_INTERACTION_METADATA, NULL);
DECODE_TABLE(shoal_message_interaction, SHOAL_MESSAGE_INTERACTION, NULL);
DECODE_TABLE(shoal_resolved, SHOAL_RESOLVED, NULL);
DECODE_TABLE(shoal_message_snapshot, SHOAL_MESSAGE_SNAPSHOT, NULL);
DECODE_TABLE(shoal_message, SHOAL_MESSAGE, NULL);
DECODE_TABLE(shoal_message_delete, SHOAL_MESSAGE_DELETE, NULL);
DECODE_TABLE(shoal_message_delete_bulk, SHOAL_MESSAGE_DELETE_BULK, NULL);
DECODE_TABLE(shoal_reaction_event, SHOAL_REACTION_EVENT, NULL);
DECODE_TABLE(shoal_poll_vote, SHOAL_POLL_VOTE, NULL);
/* clang-format on */
