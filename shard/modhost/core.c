/* The module that every shoal has: the commands of shard/commands/. It is linked in and uses what other modules can't
 * (the board, the bus), but it is loaded, counted and blamed like any other. */
#include <shoal/module.h>

#include "shard/commands/builtin.h"
#include "shard/modhost/builtin_module.h"
#include "shard/modhost/table.h"

static const struct shoal_command *const commands[] = {
	&command_help,    &command_module,   &command_permissions, &command_ping,
	&command_privacy, &command_settings, &command_shards,      &command_stats,
};

SHOAL_MODULE(core, .version = SHOAL_VERSION, .description = "What every shoal has", SHOAL_COMMANDS(commands),
	     .components = builtin_components, .component_count = BUILTIN_COMPONENTS);
