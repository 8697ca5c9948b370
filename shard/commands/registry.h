/* The commands there are. One list; /help, registration, lookups and the manifest are made from it. */
#ifndef SHOAL_SHARD_COMMANDS_REGISTRY_H
#define SHOAL_SHARD_COMMANDS_REGISTRY_H

#include <jansson.h>

#include <shoal/command.h>

extern const struct shoal_command *const registry_commands[];
extern const size_t registry_command_count;

/* By name, ASCII case ignored (message forms are typed by hand). NULL when there is none. */
const struct shoal_command *registry_find(struct shoal_str name);

/* The subcommand of @command; NULL when there is none. */
const struct shoal_command *registry_child(const struct shoal_command *command, struct shoal_str name);

/* What Discord is told, as the array of PUT /applications/{a}/commands (discord-facts section 15). Caller owns it; NULL
 * when there is no memory. Objects have sorted keys when dumped with JSON_SORT_KEYS. */
json_t *registry_to_json(void);

#endif
