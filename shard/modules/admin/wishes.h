/* What a server wishes to happen when members come and go: the module's settings, read together. */
#ifndef SHOAL_MODULES_ADMIN_WISHES_H
#define SHOAL_MODULES_ADMIN_WISHES_H

#include <shoal/module.h>

#define WISHES_ROLES_MAX 10

struct wishes_roles {
	uint64_t ids[WISHES_ROLES_MAX];
	size_t count;
};

/* "" and 0: off, or as shoal would have it. */
struct wishes {
	uint64_t welcome_channel, leave_channel;
	char *welcome_text, *welcome_dm, *leave_text;
	bool welcome_embed, leave_embed, welcome_ping, welcome_bots;
	struct wishes_roles roles, bot_roles;
	/* False: the database could not be asked, and something in here is only the default. */
	bool sure;
};

#define WISHES_ROWS 11
extern const struct shoal_setting wishes_rows[WISHES_ROWS];

/* @wishes is borrowed, NULL on errors: -ECANCELED, -ENOMEM, … */
typedef void (*wishes_fn)(void *arg, int error, const struct wishes *wishes);

/* Reads them all for @guild_id. @fn is called once, perhaps from within. Negative: it is not called. */
int wishes_read(struct shoal_scope *scope, uint64_t guild_id, wishes_fn fn, void *arg);

#endif
