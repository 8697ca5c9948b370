/* Gateway events: which intents they need, and the bytes of those the sim makes itself. */
#ifndef SIM_EVENTS_H
#define SIM_EVENTS_H

#include "tests/sim/buf.h"

#include <jansson.h>

enum intent {
	INTENT_GUILDS = 1 << 0,
	INTENT_GUILD_MEMBERS = 1 << 1,
	INTENT_GUILD_MODERATION = 1 << 2,
	INTENT_GUILD_EXPRESSIONS = 1 << 3,
	INTENT_GUILD_INTEGRATIONS = 1 << 4,
	INTENT_GUILD_WEBHOOKS = 1 << 5,
	INTENT_GUILD_INVITES = 1 << 6,
	INTENT_GUILD_VOICE_STATES = 1 << 7,
	INTENT_GUILD_PRESENCES = 1 << 8,
	INTENT_GUILD_MESSAGES = 1 << 9,
	INTENT_GUILD_MESSAGE_REACTIONS = 1 << 10,
	INTENT_GUILD_MESSAGE_TYPING = 1 << 11,
	INTENT_DIRECT_MESSAGES = 1 << 12,
	INTENT_DIRECT_MESSAGE_REACTIONS = 1 << 13,
	INTENT_DIRECT_MESSAGE_TYPING = 1 << 14,
	INTENT_MESSAGE_CONTENT = 1 << 15,
	INTENT_GUILD_SCHEDULED_EVENTS = 1 << 16,
	INTENT_AUTO_MODERATION_CONFIGURATION = 1 << 20,
	INTENT_AUTO_MODERATION_EXECUTION = 1 << 21,
	INTENT_GUILD_MESSAGE_POLLS = 1 << 24,
	INTENT_DIRECT_MESSAGE_POLLS = 1 << 25,
};

#define INTENTS_ALL        (0x1ffffULL | 3ULL << 20 | 3ULL << 24)
#define INTENTS_PRIVILEGED (INTENT_GUILD_MEMBERS | INTENT_GUILD_PRESENCES | INTENT_MESSAGE_CONTENT)

/* The body of one dispatch, shared by all sessions that get it. */
struct payload {
	uint32_t refs;
	uint32_t intents;   /* a session needs one of these; 0: all get it */
	const char *type;   /* as in `t` */
	uint64_t ledger_id; /* the id the ledger knows it by, or 0 */
	size_t len;         /* of d */
	size_t bare_len;    /* of the text for sessions without MESSAGE_CONTENT, behind the first; 0: the same text */
	char d[];
};

/* Copies @d (and @bare unless NULL) into a payload with one reference. NULL when memory is short or @d failed. */
struct payload *payload_new(const char *type, bool dm, const struct buf *d, const struct buf *bare);
struct payload *payload_ref(struct payload *p);
void payload_unref(struct payload *p);

/* The intents of which one is needed for an event; 0 when it always comes or is not known. */
uint32_t event_intents(const char *type, bool dm);

struct message_event {
	uint64_t id;
	uint64_t channel_id;
	uint64_t guild_id; /* 0: direct message */
	uint64_t author_id;
	const json_t *author; /* in place of the world's user, or NULL */
	const char *content;
	const json_t *extra; /* fields that replace or add to the message's own, or NULL */
	uint64_t reply_to;   /* message id, or 0 */
};

/* MESSAGE_CREATE by a member. The bare text follows Discord's rule for sessions without MESSAGE_CONTENT. */
struct payload *event_message(const struct message_event *m);
/* An event about a whole message object that is at hand as JSON (MESSAGE_CREATE of the bot's own, MESSAGE_UPDATE). */
struct payload *event_message_json(const char *type, const json_t *message, uint64_t guild_id);
/* Any event from a JSON value. */
struct payload *event_json(const char *type, bool dm, const json_t *d);
struct payload *event_typing(uint64_t guild_id, uint64_t channel_id, uint64_t user_id);
struct payload *event_presence(uint64_t guild_id, uint64_t user_id, uint64_t variant);
struct payload *event_reaction(uint64_t guild_id, uint64_t channel_id, uint64_t user_id, uint64_t message_id);

/* True when the text begins with "!" or mentions the bot: an answer is expected. */
bool event_is_command(const char *content);
bool event_mentions_bot(const char *content);

#endif
