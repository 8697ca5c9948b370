/* Loads modules. */
#include "shard/modhost/modhost.h"

#include "shard/commands/registry.h"
#include "shard/modhost/table.h"
#include "shared/log/log.h"

void modhost_load(void)
{
	const struct shoal_module *module;
	size_t i, j;
	int r;

	for (i = 0; (module = table_module(i)); i++) {
		for (j = 0; j < module->command_count; j++) {
			r = registry_add(module->commands[j], NULL);
			if (r < 0)
				log_error(NULL, "modules.command_refused", KV_STR("name", module->commands[j]->name),
					  KV_ERR(r));
		}
	}
}
