/* The commands there are: those of the loaded modules. One list a process; /help, registration, lookups and the
 * manifest are made from it. */
#ifndef SHOAL_SHARD_COMMANDS_REGISTRY_H
#define SHOAL_SHARD_COMMANDS_REGISTRY_H

#include <jansson.h>

#include <shoal/command.h>

struct module_entry;

/* Of chat input commands Discord takes so many a bot (discord-facts section 15). */
#define REGISTRY_MAX 100

/* In the order in which they were added. */
extern const struct shoal_command *registry_commands[REGISTRY_MAX];
extern size_t registry_command_count;

/* By the module host, at start. Keeps both; @owner may be NULL in tests. -EEXIST: there is one of that name; -ENOBUFS.
 */
int registry_add(const struct shoal_command *command, struct module_entry *owner);
/* All of @owner. */
void registry_remove(const struct module_entry *owner);
void registry_clear(void);
/* Whose it is; NULL: nobody's. */
struct module_entry *registry_owner(const struct shoal_command *command);

/* By name, ASCII case ignored (message forms are typed by hand). NULL when there is none. */
const struct shoal_command *registry_find(struct shoal_str name);

/* The subcommand of @command; NULL when there is none. */
const struct shoal_command *registry_child(const struct shoal_command *command, struct shoal_str name);

/* What Discord is told, as the array of PUT /applications/{a}/commands (discord-facts section 15). Caller owns it; NULL
 * when there is no memory. Objects have sorted keys when dumped with JSON_SORT_KEYS. */
json_t *registry_to_json(void);

#endif
