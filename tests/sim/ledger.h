/* What the sim sent to the bot and what came back for it. */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

enum ledger_kind {
	LEDGER_MESSAGE,
	LEDGER_INTERACTION,
	LEDGER_EVENT, /* any other, by an id that whoever made it has chosen */
	LEDGER_KIND_COUNT,
};

int ledger_init(uint64_t max_entries);
void ledger_free(void);
/* Sessions are named by serial; their ids stay known after they ended. */
void ledger_name_session(uint32_t serial, const char *id, uint32_t shard, uint32_t count);

/* An event with an id of its own was made. @expects: an answer is awaited (a command, an interaction). */
void ledger_sent(enum ledger_kind kind, uint64_t id, uint64_t guild_id, bool expects);
/* It was given to a session as this sequence. */
void ledger_delivered(uint64_t id, uint32_t session, uint64_t seq);
/* It is in a socket's buffer, packed and framed, and the write follows within this pass. The clock starts now and not
 * after the write: on a busy machine the bot may have answered before we get to look at the clock again. */
void ledger_written(uint64_t id);

/* An effect of the event arrived. @what is a literal; @arrived_us: when its request was complete (monotonic).
 * @counts: it is the answer (one is right, two are a doubled effect); otherwise it is only noted. */
void ledger_effect(uint64_t id, const char *what, uint64_t effect_id, uint64_t arrived_us, bool counts);
/* An answer that was refused: late (10062) or a second one (40060). */
void ledger_refused(uint64_t id, const char *what, uint64_t arrived_us, bool late);
/* Something that is tied to no event (a message without a reference, an unknown interaction). */
void ledger_stray(const char *what);

/* Entries after number @after, at most @limit, of @kind (or all: LEDGER_KIND_COUNT). New references. */
json_t *ledger_json(enum ledger_kind kind, uint64_t after, uint64_t limit, bool only_wrong);
/* One entry by id; NULL when it is not (or no longer) there. New reference. */
json_t *ledger_entry_json(uint64_t id);
json_t *ledger_summary_json(void);
uint64_t ledger_count_sent(enum ledger_kind kind);
uint64_t ledger_count_expecting(enum ledger_kind kind);
uint64_t ledger_count_answered(enum ledger_kind kind);
uint64_t ledger_count_doubled(enum ledger_kind kind);
void ledger_reset(void);

#endif
