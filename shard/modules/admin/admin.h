/* The module's events and commands, a file each. */
#ifndef SHOAL_MODULES_ADMIN_ADMIN_H
#define SHOAL_MODULES_ADMIN_ADMIN_H

#include <shoal/module.h>

/* members.c */
void admin_member_add(struct shoal_scope *scope, const struct shoal_event *event);
void admin_member_update(struct shoal_scope *scope, const struct shoal_event *event);
void admin_member_remove(struct shoal_scope *scope, const struct shoal_event *event);

/* May the bot give @role_id to that (new) member? */
bool admin_role_allowed(struct shoal_scope *scope, const struct shoal_guild_view *guild, uint64_t user_id,
			uint64_t role_id, enum shoal_language language, struct shoal_act_bar *ret_bar);

extern const struct shoal_command admin_welcome; /* preview.c: /welcome preview */

#endif
