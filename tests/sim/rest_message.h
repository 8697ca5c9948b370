/* What other rooms need of messages: making one, and the handlers for the table. */
#ifndef SIM_REST_MESSAGE_H
#define SIM_REST_MESSAGE_H

#include "tests/sim/rest.h"
#include "tests/sim/store.h"

/* Where a channel is: the guild's id (0: a DM) and whether messages can be sent to it. */
struct channel_place {
	uint64_t channel_id, guild_id, guild_index;
	uint32_t number;
	bool dm, text;
};

/* Finds a channel the bot can see; false when there is none. */
bool channel_find(uint64_t id, struct channel_place *ret);

/* Makes a message of the bot's from a checked body, keeps it, and tells the shards (an ephemeral one comes to them as
 * from nowhere). @extra: fields laid over it, or NULL. Borrowed until the store forgets it; NULL when memory is short.
 */
struct stored *message_make(const struct channel_place *place, const json_t *body, const json_t *extra, bool ephemeral);
/* Lays a checked body of an edit over a message and tells the shards. */
void message_edit(struct stored *m, const json_t *body);
/* Removes it and tells the shards. */
void message_delete(struct stored *m);

void rest_channel_get(struct rest_call *c);
void rest_messages_list(struct rest_call *c);
void rest_message_get(struct rest_call *c);
void rest_message_create(struct rest_call *c);
void rest_message_edit(struct rest_call *c);
void rest_message_delete(struct rest_call *c);
void rest_messages_bulk_delete(struct rest_call *c);
void rest_typing(struct rest_call *c);
void rest_reaction_mine(struct rest_call *c);
void rest_reaction_other(struct rest_call *c);
void rest_reactions_clear(struct rest_call *c);
void rest_reactions_list(struct rest_call *c);
void rest_pins_list(struct rest_call *c);
void rest_pin(struct rest_call *c);

#endif
