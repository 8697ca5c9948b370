/* Which dispatches this worker wants: the rows of the dispatch table, and the intents that follow from them. */
#ifndef SHOAL_SHARD_SUBSCRIPTIONS_H
#define SHOAL_SHARD_SUBSCRIPTIONS_H

#include "shard/events/dispatch.h"

/* Source: discord-facts section 5. */
#define INTENT_GUILDS          (1u << 0)
#define INTENT_GUILD_MESSAGES  (1u << 9)
#define INTENT_DIRECT_MESSAGES (1u << 12)
#define INTENT_MESSAGE_CONTENT (1u << 15) /* privileged */

/* The rows of our own and of the loaded modules (loader.h); returns how many. Their arg is the struct worker. */
size_t subscriptions_build(struct dispatch_row rows[SHOAL_EVENT_COUNT]);

#endif
