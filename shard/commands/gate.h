/* The checks before a handler runs, in their order: switched on -> allowed here -> permission -> cooldown. Who is
 * refused is told why, in his language. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_GATE_H
#define SHOAL_SHARD_COMMANDS_GATE_H

#include "shard/commands/invocation.h"

struct module_entry;

/* Whether the module is on, on this shard and in this server. The invocation is its owner's from now on (NULL:
 * nobody's, always on). False: told. */
bool gate_is_on(struct shoal_invocation *inv, struct module_entry *owner);

/* What a command's row and its parents', or a component's row, ask for. */
struct gate_rule {
	uint32_t flags; /* enum shoal_command_flags */
	uint64_t permissions;
	const struct shoal_cooldown *cooldowns;
	size_t cooldown_count;
	const void *key; /* tells cooldowns of different commands apart */
};

/* True: go on; a use is taken off the cooldowns. False: told, or not worth telling again. An event that a worker before
 * us had let through is not held up by its own cooldown. */
bool gate_open(struct shoal_invocation *inv, const struct gate_rule *rule);

#endif
