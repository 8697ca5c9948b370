/* Letters: events that are kept with their bytes, be it that they wait to be handled (parked) or are not tried any more
 * (dead letters). This is their row in a store, read by workers of other versions and by tools; and what must be known
 * of their bytes. Pure; any thread. */
#ifndef SHOAL_SHARED_LETTERS_LETTER_H
#define SHOAL_SHARED_LETTERS_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"

/* Tables of a store, in this order. */
enum letter_table { LETTER_PARKED, LETTER_DEAD, LETTER_TABLE_COUNT };
extern const char *const letter_tables[LETTER_TABLE_COUNT];

/* Of a stage: the same two, and what is known of letters wherever they lie, by key: struct letter_state. */
enum { LETTER_STATES = LETTER_TABLE_COUNT, LETTER_STAGE_TABLE_COUNT };
extern const char *const letter_stage_tables[LETTER_STAGE_TABLE_COUNT];

enum letter_state_flags {
	LETTER_STATE_BEGUN = 1 << 0,
	LETTER_STATE_GONE = 1 << 1,      /* the parked event is done; the store may not know it yet */
	LETTER_STATE_DEAD_GONE = 1 << 2, /* the dead letter is */
};

struct letter_state {
	uint32_t crashes;
	uint32_t flags; /* enum letter_state_flags */
};

enum letter_flags {
	LETTER_STARTED = 1 << 0,  /* a handler had begun it */
	LETTER_TOKEN = 1 << 1,    /* the payload may hold a live token */
	LETTER_CUT = 1 << 2,      /* only the beginning of the payload could be kept: can't be tried again */
	LETTER_UNREAD = 1 << 3,   /* it never passed the envelope: may be no JSON, can't be tried again */
	LETTER_DOUBTFUL = 1 << 4, /* rows of its effects may be missing */
};

/* What must not be in the way of anybody for longer than Discord takes it (facts section 9). */
#define LETTER_TOKEN_AGE_MS (15 * 60 * 1000)
/* The longest payload that is kept of what can't be handled anyway. */
#define LETTER_CUT_BYTES (64 * 1024)

struct letter_text {
	const char *ptr;
	uint32_t len;
};

/* One row. Its texts are borrowed: from the caller, or from the row that was read. */
struct letter {
	uint64_t session, sequence; /* together its key */
	int64_t wall_ms;            /* when it was parked or set aside */
	uint64_t boot_ns, boot;     /* the same by CLOCK_BOOTTIME, and which boot that was of (boot_id()) */
	uint64_t guild_id;          /* 0: none, or not known */
	uint64_t full_len;          /* of the payload as it came */
	uint32_t crashes;
	uint16_t type;               /* enum shoal_event_type; stable across versions */
	uint16_t flags;              /* enum letter_flags */
	struct letter_text dispatch; /* "MESSAGE_CREATE" */
	struct letter_text reason;   /* why it was set aside; words for people */
	struct letter_text module;   /* whose code was running; "" when it is not known */
	struct letter_text backtrace;
	struct letter_text effects; /* what it had done: rows of the journal, opaque here */
	struct letter_text payload;
};

/* Of texts beside the payload and the effects. */
#define LETTER_WORDS_MAX     256
#define LETTER_BACKTRACE_MAX (8 * 1024)

/* {session, sequence} as it stands in a store: rows come in order of sequence. */
struct letter_key {
	uint64_t session;
	uint64_t sequence_be;
};
struct letter_key letter_key_make(uint64_t session, uint64_t sequence);

/* Appends the row of @letter to @out; longer texts are cut. -ENOBUFS, -ENOMEM. */
int letter_write(const struct letter *letter, struct buf *out);
/* Reads one; its texts point into @row. -SHOAL_EDAMAGED: it fails its checks. -SHOAL_EVERSION: of a later version. */
int letter_read(const void *key, size_t key_len, const void *row, size_t len, struct letter *ret_letter);

/* Where a shard's letters lie: on disk, and in the runtime directory those that are not on disk yet. -ENAMETOOLONG. */
int letter_store_path(const char *state_dir, uint32_t generation, uint32_t shard_id, char *path, size_t size);
int letter_stage_path(const char *runtime_dir, uint32_t generation, uint32_t shard_id, char *path, size_t size);
/* Is @name the last part of such a path? */
bool letter_parse_store_name(const char *name, uint32_t *ret_generation, uint32_t *ret_shard_id);
bool letter_parse_stage_name(const char *name, uint32_t *ret_generation, uint32_t *ret_shard_id);

/* "3-149-9f3a1c": what people call it by. */
#define LETTER_ID_SIZE 48
char *letter_id_print(uint32_t shard_id, uint64_t session, uint64_t sequence, char text[LETTER_ID_SIZE]);
struct letter_id {
	uint32_t shard_id;
	uint32_t session_low; /* 24 bits */
	uint64_t sequence;
};
/* -EINVAL. */
int letter_id_parse(const char *text, struct letter_id *ret_id);
bool letter_id_is(const struct letter_id *id, uint64_t session, uint64_t sequence);

/* Overwrites the value of every member "token" in the JSON text (an interaction's, a voice server's) with as many x:
 * it stays JSON of the same length. Safe on any bytes. Returns how many. */
size_t letter_blank_tokens(char *json, size_t len);
bool letter_has_token(const char *json, size_t len);
/* The id of a dispatch's own object: d.id; 0: it has none that can be read. */
uint64_t letter_event_id(const char *json, size_t len);
/* Whether the bytes speak of this user: its id stands there as a text, or in a mention. */
bool letter_mentions(const char *json, size_t len, uint64_t user_id);

/* How long ago @wall_ms was: within one boot by the clock that nobody sets. Never negative. */
uint64_t letter_age_ms(int64_t wall_ms, uint64_t boot_ns, uint64_t boot);

#endif
