/* Users whom a message command names by their id, and of whom the message says nothing: Discord is asked who they are
 * before the handler runs. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_LOOKUPS_H
#define SHOAL_SHARD_COMMANDS_LOOKUPS_H

#include "shard/commands/invocation.h"

/* Asks, and then calls @then once, on the loop, perhaps from within; who can't be found is told to the member instead.
 * Holds @inv meanwhile. */
void lookups_run(struct shoal_invocation *inv, void (*then)(struct shoal_invocation *inv));

#endif
