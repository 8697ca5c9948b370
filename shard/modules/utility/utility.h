/* The module's commands, a file each, and what they share. */
#ifndef SHOAL_MODULES_UTILITY_UTILITY_H
#define SHOAL_MODULES_UTILITY_UTILITY_H

#include <shoal/module.h>

extern const struct shoal_command utility_user;    /* user.c: /user info */
extern const struct shoal_command utility_avatar;  /* user.c: /avatar */
extern const struct shoal_command utility_on_user; /* user.c: the same from a member's context menu */
extern const struct shoal_command utility_on_avatar;
extern const struct shoal_command utility_server;  /* server.c: /server info */
extern const struct shoal_command utility_role;    /* role.c: /role info */
extern const struct shoal_command utility_channel; /* channel.c: /channel info */
extern const struct shoal_command utility_about;   /* about.c: /about */
extern const struct shoal_command utility_status;  /* about.c: /status */

/* Asking Discord is not free: each member may so often. */
extern const struct shoal_cooldown utility_cooldowns[1];

/* The asker's language. */
#define LANGUAGE(inv) shoal_invocation_language(inv)

/* Tells the member of an error of Discord's or ours, as far as no better sentence fits. */
void utility_refuse_silent(struct shoal_invocation *inv, const struct shoal_result *result);

/* The guild's view, for a member's command in a server; NULL: not known just now. */
const struct shoal_guild_view *utility_guild(struct shoal_invocation *inv);

#endif
