/* Commands as Discord is told them, and the check that it would take them: what it refuses it refuses with the whole
 * list, so nothing goes there that was not looked at here. Source: discord-facts section 15. */
#ifndef SHOAL_SHARD_COMMANDS_REGISTRATION_H
#define SHOAL_SHARD_COMMANDS_REGISTRATION_H

#include <jansson.h>

#include <shoal/command.h>

#define REGISTRATION_ERROR_SIZE 256

/* Whether Discord would take the row, in all its languages. -EINVAL with a sentence for who wrote it. Pure. */
int registration_check(const struct shoal_command *command, char error[REGISTRATION_ERROR_SIZE]);

/* Characters that count against Discord's 8000 a command: names, descriptions and values, each in the language in which
 * it is longest. */
size_t registration_size(const struct shoal_command *command);

/* The registry as the array of PUT /applications/{a}/commands. Caller owns it; NULL when there is no memory. Objects
 * have sorted keys when dumped with JSON_SORT_KEYS. */
json_t *registration_to_json(void);

#endif
