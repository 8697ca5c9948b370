/* The commands that every shoal has. */
#ifndef SHOAL_SHARD_COMMANDS_BUILTIN_H
#define SHOAL_SHARD_COMMANDS_BUILTIN_H

#include <shoal/command.h>
#include <shoal/module.h>

extern const struct shoal_command command_help;        /* builtin_help.c */
extern const struct shoal_command command_permissions; /* builtin_permissions.c */
extern const struct shoal_command command_ping;        /* builtin_ping.c */
extern const struct shoal_command command_privacy;     /* builtin_privacy.c */
extern const struct shoal_command command_settings;    /* builtin_settings.c */
extern const struct shoal_command command_shards;      /* builtin_shards.c */
extern const struct shoal_command command_stats;       /* builtin_stats.c */

/* The button that says yes to /privacy delete; behind it stands whose it is. */
#define PRIVACY_BUTTON     "core.privacy_delete"
#define BUILTIN_COMPONENTS 1
extern const struct shoal_component_row builtin_components[BUILTIN_COMPONENTS];

void settings_list(struct shoal_invocation *inv); /* builtin_settings_list.c */

#endif
