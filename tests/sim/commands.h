/* Application commands as they are registered. */
#ifndef SIM_COMMANDS_H
#define SIM_COMMANDS_H

#include "tests/sim/rest.h"

/* The id of a registered command (a guild's own before a global one), or an id made from the name. */
uint64_t commands_id(const char *name, uint64_t guild_id);
/* {global[], guilds{}, creates, overwrites, calls}. New reference. */
json_t *commands_json(void);
void commands_free(void);

void rest_commands_list(struct rest_call *c);
void rest_commands_overwrite(struct rest_call *c);
void rest_command_create(struct rest_call *c);
void rest_command_one(struct rest_call *c); /* GET, PATCH, DELETE */

#endif
