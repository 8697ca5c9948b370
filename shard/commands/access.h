/* What settings say about who may do what in a guild (shared/settings/access_rules.h), read once and kept until they
 * change. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_ACCESS_H
#define SHOAL_SHARD_COMMANDS_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <shoal/phrase.h>

#include "shared/settings/access_rules.h"
#include "shared/settings/settings.h"

/* Guilds kept; a guild that comes to another's place is read again the next time. */
#define ACCESS_GUILDS_MAX 1024

struct access;

/* All borrowed until the loop turns. */
struct access_known {
	bool sure;                /* false: the database could not be asked; rules may be missing or old */
	bool from_permissions;    /* Discord's permissions give levels */
	int language;             /* enum shoal_language that was set; -1: none */
	struct access_rules bots; /* of the operator, for every guild: before all else */
	struct access_rules guild;
};

/* Keeps @settings. -ENOMEM. */
int access_new(struct settings *settings, struct access **ret_access);
struct access *access_free(struct access *access);

/* What is known of @guild_id (0: of direct messages, what the operator says); NULL: its settings must be loaded first.
 */
const struct access_known *access_peek(struct access *access, uint64_t guild_id);
/* What counts where nothing can be known: no rules, and not sure. */
extern const struct access_known access_unknown;

#endif
