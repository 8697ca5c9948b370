/* The inbox: a bounded ring in the shard's board file that holds every dispatch from before its sequence counts until
 * it is handled. It survives the process, so what a killed worker had taken is finished by the next one and not asked
 * of Discord again. Loop thread of the one worker that holds the board's lock; others may read a dead worker's.
 *
 * Killed at any store, the ring holds whole records only: a record is written behind the head, then the head moves by
 * one store. A scribbled ring is cut at the first record that fails its checks; the rest is said to be lost. One that
 * is scribbled on while it is in use loses what was in it, and goes on. */
#ifndef SHOAL_SHARD_EVENTS_INBOX_H
#define SHOAL_SHARD_EVENTS_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inbox;

enum inbox_state {
	INBOX_TAKEN = 1, /* nobody has begun it */
	INBOX_STARTED,   /* handed to its subscribers; after a crash it is begun again */
	INBOX_DONE,      /* handled, parked or dead: nothing is left to do */
	INBOX_STATE_COUNT,
};

struct inbox_record {
	uint64_t position; /* names the record as long as it is in the ring; rises */
	uint64_t sequence;
	uint64_t session; /* event_key_session() of the session that delivered it */
	enum inbox_state state;
	uint32_t crashes;    /* workers that died of their own making while they handled it */
	const char *payload; /* in the ring: borrowed until the record is released */
	uint32_t len;
};

/* What inbox_open() found. */
struct inbox_found {
	bool fresh;          /* a new or another version's ring: nothing was in it */
	bool damaged;        /* cut at a record that failed its checks */
	uint64_t lost_bytes; /* behind the cut */
	uint64_t kept;       /* records */
};

/* Takes over the ring in @region (@size bytes, 8-aligned; the board's, or any memory in tests) and checks all of it.
 * Keeps @region. -EINVAL: too small (64 KiB) or misaligned. -ENOMEM. */
int inbox_open(void *region, size_t size, struct inbox_found *ret_found, struct inbox **ret_inbox);
/* The ring itself stays as it is. NULL is nothing to do. */
struct inbox *inbox_close(struct inbox *inbox);

/* Largest payload that goes in: a quarter of the ring. */
size_t inbox_payload_max(const struct inbox *inbox);

/* Copies @payload in. -EMSGSIZE: over inbox_payload_max(); -ENOSPC: no room until something is released. */
int inbox_append(struct inbox *inbox, uint64_t session, uint64_t sequence, const char *payload, size_t len,
		 uint64_t *ret_position);

/* -ENOENT: not in the ring (any more). */
int inbox_read(const struct inbox *inbox, uint64_t position, struct inbox_record *ret_record);
int inbox_set_state(struct inbox *inbox, uint64_t position, enum inbox_state state);
/* One more crash on this record; returns how many now. -ENOENT. */
int inbox_add_crash(struct inbox *inbox, uint64_t position);

/* Walks the records in the order they came: the first one at or behind @position (0: the oldest). -ENOENT: no more. The
 * next one is asked for with record.position + 1. */
int inbox_next(const struct inbox *inbox, uint64_t position, struct inbox_record *ret_record);

/* Gives back room: the oldest records that are DONE and lie before @applied_position (exclusive; what the cache has not
 * committed yet must stay). */
void inbox_release(struct inbox *inbox, uint64_t applied_position);

/* The culprit mark: which record's handler is being run, so that the next worker knows whom to blame. @position + 1, or
 * 0 for nobody. Any value may come back from a scribbled ring. */
void inbox_set_mark(struct inbox *inbox, uint64_t mark);
uint64_t inbox_mark(const struct inbox *inbox);
/* Beside a record's handler: it is being put into the cache (a bit of the mark), and an event that lies elsewhere, by
 * its session and sequence. */
#define INBOX_MARK_APPLY     (UINT64_C(1) << 62)
#define INBOX_MARK_ELSEWHERE (UINT64_C(1) << 63)
void inbox_set_mark_elsewhere(struct inbox *inbox, uint64_t session, uint64_t sequence, bool apply);
/* Of a mark with INBOX_MARK_ELSEWHERE. */
void inbox_mark_elsewhere(const struct inbox *inbox, uint64_t *ret_session, uint64_t *ret_sequence);

/* What the ring still holds of the past, released or not, oldest first: the first record at or behind @position (0: the
 * oldest). -ENOENT: no more. Slow, for a look after a crash; state and crashes of released ones say what they were. */
int inbox_history(const struct inbox *inbox, uint64_t position, struct inbox_record *ret_record);

/* The position that the next record will have: all before it are in or were in the ring. */
uint64_t inbox_head(const struct inbox *inbox);
size_t inbox_used(const struct inbox *inbox);
size_t inbox_size(const struct inbox *inbox);

#endif
