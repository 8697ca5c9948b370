/* Suggestions while a member types an option (Discord's autocomplete). Cheap: a look and an answer, never anything that
 * is journalled; what comes too late is dropped. Loop thread only. Source: discord-facts sections 14 and 15. */
#ifndef SHOAL_SHARD_COMMANDS_SUGGEST_H
#define SHOAL_SHARD_COMMANDS_SUGGEST_H

#include "shard/commands/invocation.h"

/* Finds the option that is typed and runs its function; without one there are no suggestions. @options: of @leaf. */
void suggest_run(struct shoal_invocation *inv, const struct shoal_command *leaf, const struct shoal_option *options,
		 size_t option_count);

/* The functions behind those of <shoal/command.h>. */
const char *suggest_typed(const struct shoal_invocation *inv);
const char *suggest_option(const struct shoal_invocation *inv);
int suggest_give(struct shoal_invocation *inv, const struct shoal_choice *choices, size_t count);

#endif
