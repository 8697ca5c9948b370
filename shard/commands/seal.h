/* Seals of custom ids: whom and which server one was made for, so that one that a member's client made up, or took from
 * elsewhere, is known. "PREFIX~SEAL:REST"; the seal is a SipHash under a key that all workers of a bot share, also
 * after a restart. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_SEAL_H
#define SHOAL_SHARD_COMMANDS_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include <shoal/component.h>
#include <shoal/str.h>

/* The key, from the bot's token; without it seals hold for this process alone. */
void seal_set_token(const char *token);

/* A custom id of @row in @text (SHOAL_CUSTOM_ID_MAX + 1 bytes), sealed if the row asks for it. @rest may be NULL or "".
 * -E2BIG. */
int seal_print(const struct shoal_component_row *row, uint64_t guild_id, uint64_t user_id, const char *rest,
	       char *text);

/* Whether @custom_id, which is of @row, is as it was made, for this server and (SHOAL_COMPONENT_OWN) this user. True
 * for rows that ask for no seal. */
bool seal_holds(const struct shoal_component_row *row, struct shoal_str custom_id, uint64_t guild_id, uint64_t user_id);

#endif
