/* The commands there are: those of the loaded modules. One list a process; /help, registration, lookups and the
 * manifest are made from it. */
#ifndef SHOAL_SHARD_COMMANDS_REGISTRY_H
#define SHOAL_SHARD_COMMANDS_REGISTRY_H

#include <shoal/command.h>

struct module_entry;

/* Of each kind Discord takes so many a bot: 100 slash commands, 15 and 15 of the menus (discord-facts section 15). */
#define REGISTRY_SLASH_MAX 100
#define REGISTRY_MENU_MAX  15
#define REGISTRY_MAX       (REGISTRY_SLASH_MAX + 2 * REGISTRY_MENU_MAX)

/* In the order in which they were added. */
extern const struct shoal_command *registry_commands[REGISTRY_MAX];
extern size_t registry_command_count;

/* By the module host, at start. Keeps both; @owner may be NULL in tests. -EEXIST: there is one of that name
 * and kind; -ENOBUFS: as many of its kind as Discord takes. */
int registry_add(const struct shoal_command *command, struct module_entry *owner);
/* All of @owner. */
void registry_remove(const struct module_entry *owner);
void registry_clear(void);
/* Whose it is; NULL: nobody's. */
struct module_entry *registry_owner(const struct shoal_command *command);

/* A slash command by name, ASCII case ignored (message forms are typed by hand). NULL when there is none. */
const struct shoal_command *registry_find(struct shoal_str name);
/* Of an interaction's data type (1 slash, 2 user, 3 message; 0 as 1), by its exact name. */
const struct shoal_command *registry_find_kind(uint32_t type, struct shoal_str name);
/* How many of that kind there are. */
size_t registry_count_kind(enum shoal_command_kind kind);

/* The subcommand of @command; NULL when there is none. */
const struct shoal_command *registry_child(const struct shoal_command *command, struct shoal_str name);

#endif
