/* Which modules run in which server: a setting "modules.<name>" for each module (but core), by default what
 * modules.default says, global by the operator, of a server by its admins; so it is cached, versioned and told to all
 * shards like any other. Asked for every event, so the answer for a server is kept as bits for a moment. Loop thread
 * only. */
#ifndef SHOAL_SHARD_MODHOST_SWITCHES_H
#define SHOAL_SHARD_MODHOST_SWITCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/settings/settings.h"

struct module_entry;
struct switches;

#define SWITCHES_OWNER     "modules"
#define SWITCHES_NAME_SIZE SCHEMA_NAME_SIZE

/* Registers the rows of all loaded modules (loader.h) with @schemas. @defaults: names joined by commas that are on,
 * "*" all, "-name" not. -EINVAL with words: a name of no form; -ENOMEM. Once a process, before settings_new(). */
int switches_register(struct schemas *schemas, const char *defaults, char error[VALUE_ERROR_SIZE]);
/* What was registered. */
const struct shoal_settings_schema *switches_schema(void);
/* "modules.poll"; false: the module has no switch (core, or it came too late). */
bool switches_setting(const char *module, char name[SWITCHES_NAME_SIZE]);

/* Keeps @settings (NULL: everything is on). -ENOMEM. */
int switches_new(struct settings *settings, struct switches **ret_switches);
struct switches *switches_free(struct switches *switches);

/* Whether @module may run in @guild_id (0: direct messages). When the server's settings are not there, what is known of
 * them counts, else the default. */
bool switches_allow(struct switches *switches, const struct module_entry *module, uint64_t guild_id);

#endif
