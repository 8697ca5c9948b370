/* The commands that every shoal has. */
#ifndef SHOAL_SHARD_COMMANDS_BUILTIN_H
#define SHOAL_SHARD_COMMANDS_BUILTIN_H

#include <shoal/command.h>

extern const struct shoal_command command_help;     /* builtin_help.c */
extern const struct shoal_command command_ping;     /* builtin_ping.c */
extern const struct shoal_command command_settings; /* builtin_settings.c */
extern const struct shoal_command command_shards;   /* builtin_shards.c */
extern const struct shoal_command command_stats;    /* builtin_stats.c */

void settings_list(struct shoal_invocation *inv); /* builtin_settings_list.c */

#endif
