/* Messages that exist: by id and by channel, the newest first. Bounded: the oldest are forgotten. */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include "tests/sim/events.h"

#include <jansson.h>

struct stored {
	uint64_t id, channel_id, guild_id, author_id;
	struct payload *created; /* as it was sent by a member; NULL for one of the bot's own */
	json_t *json;            /* the whole object, when it is at hand */
	uint64_t older;          /* id of the one before it in its channel */
	bool pinned, ephemeral;
};

/* Keeps a member's message: its text lies in the payload (a reference is taken). */
void store_member_message(uint64_t id, uint64_t channel_id, uint64_t guild_id, uint64_t author_id, struct payload *p);
/* Keeps a message of the bot's. Takes @json. NULL when memory is short. */
struct stored *store_bot_message(uint64_t id, uint64_t channel_id, uint64_t guild_id, json_t *json);
struct stored *store_find(uint64_t id);
/* Its object as REST shows it: no guild_id, no member. New reference. */
json_t *store_json(struct stored *m);
/* The object itself, for changing it. Borrowed. */
json_t *store_object(struct stored *m);
void store_remove(uint64_t id);
/* Newest message of a channel, or 0; follow stored->older from there (ids may be gone: store_find says so). */
uint64_t store_newest(uint64_t channel_id);
uint64_t store_count(void);

/* Nonces with enforce_nonce: the message made with this one within the last minutes, or 0. */
uint64_t store_nonce_find(const char *nonce);
void store_nonce_put(const char *nonce, uint64_t message_id);
uint64_t store_nonce_hits(void);
void store_tick(uint64_t now_ms);
void store_free(void);

#endif
