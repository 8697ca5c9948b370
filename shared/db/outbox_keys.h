/* What goes on with each key of an outbox: a write under way, writes that wait for it, entries of the file, and the
 * value that a reader must see. Loop thread only; no time of its own. */
#ifndef SHOAL_SHARED_DB_OUTBOX_KEYS_H
#define SHOAL_SHARED_DB_OUTBOX_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "shared/db/outbox_entry.h"

/* Values that were written a moment ago: more of them, or older ones, are forgotten. */
#define OUTBOX_SETTLED_MAX 1024
#define OUTBOX_SETTLED_NS  (30 * NS_PER_S)

struct outbox_wait; /* a write that somebody waits for; outbox.c's */

struct outbox_key_state {
	UT_hash_handle hh;
	size_t straight;                   /* under way to the database: 0 or 1 */
	size_t entries;                    /* in the file or on their way to it */
	struct outbox_wait *first, **tail; /* wait for the one under way */
	size_t deferred;
	const struct outbox_entry *latest; /* the newest that is on the disk; its owner's */
	struct outbox_entry *settled;      /* the last one that was written; ours */
	uint64_t settled_ns;
	struct outbox_key_state *older, *newer; /* among the settled */
	uint64_t id;
	size_t hash_len;
	char name[]; /* the hashed bytes: id, then the name */
};

struct outbox_keys {
	struct outbox_key_state *all;
	struct outbox_key_state *oldest, *newest; /* settled */
	size_t settled;
};

/* Finds or makes; NULL: no memory. Find alone: NULL when there is none. */
struct outbox_key_state *outbox_keys_get(struct outbox_keys *keys, struct outbox_key key);
struct outbox_key_state *outbox_keys_find(const struct outbox_keys *keys, struct outbox_key key);
/* Forgets @state when nothing goes on with it. */
void outbox_keys_release(struct outbox_keys *keys, struct outbox_key_state *state);
/* @entry (takes it) is in the database since @now_ns. */
void outbox_keys_settle(struct outbox_keys *keys, struct outbox_key_state *state, struct outbox_entry *entry,
			uint64_t now_ns);
/* Forgets values settled long ago. */
void outbox_keys_sweep(struct outbox_keys *keys, uint64_t now_ns);
void outbox_keys_finish(struct outbox_keys *keys);

#endif
