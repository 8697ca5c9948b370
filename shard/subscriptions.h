/* Which dispatches this worker wants: the rows of the dispatch table, and the intents that follow from them. */
#ifndef SHOAL_SHARD_SUBSCRIPTIONS_H
#define SHOAL_SHARD_SUBSCRIPTIONS_H

#include "shard/events/dispatch.h"

/* Source: discord-facts section 5. */
#define INTENT_GUILDS          (1u << 0)
#define INTENT_GUILD_MESSAGES  (1u << 9)
#define INTENT_DIRECT_MESSAGES (1u << 12)
#define INTENT_MESSAGE_CONTENT (1u << 15) /* privileged */

/* The rows' arg is the struct worker. */
extern const struct dispatch_row subscriptions[];
extern const size_t subscription_count;

#endif
