/* What the files of the parked events share: where each letter is. Theirs alone; everybody else includes parked.h.
 * The index says of every letter where it is: staged (in the stage), moving (a copy is on its way to the store), stored
 * (durable). Loop thread only. */
#ifndef SHOAL_SHARD_EVENTS_PARKED_INDEX_H
#define SHOAL_SHARD_EVENTS_PARKED_INDEX_H

#include <uthash.h>

#include "shard/events/parked.h"
#include "shard/events/parked_stage.h"

enum parked_store_state {
	STORE_NONE,    /* nothing is there, nothing was wanted */
	STORE_OPENING, /* asked for */
	STORE_OPEN,
	STORE_AWAY, /* it failed; tried again at retry_ns */
};

struct parked_entry {
	struct parked_head head;
	bool staged, moving, stored;
	bool begun;  /* told to the stage */
	bool erased; /* its rows are gone on its member's wish; whoever comes for it is told */
	bool queued; /* in the list of what is to be moved */
	uint64_t serial;
	UT_hash_handle hh;
	struct parked_entry *prev, *next;
};

struct parked {
	struct loop *loop;
	struct parked_options options;
	char *runtime_dir;
	struct parked_stage *stage; /* NULL: away */
	struct parked_store *store;
	uv_async_t wake;
	struct parked_entry *entries[LETTER_TABLE_COUNT];
	struct parked_entry *queue;
	struct buf scratch;
	enum parked_store_state store_state;
	uint64_t retry_ns, tokens_ns, ages_ns;
	uint64_t progress_ns; /* when the store last gave something back, or began */
	size_t outstanding;   /* jobs that it has */
	size_t moving_bytes, dead_bytes;
	size_t counts[LETTER_TABLE_COUNT];
	uint64_t dropped_told_ns;
	uint64_t serial, dropped, dropped_untold;
	bool away_told, stage_told;
	bool opened; /* parked_open() has returned */
	bool closing;
};

/* NULL: none. */
struct parked_entry *parked_find(const struct parked *parked, enum letter_table table, struct letter_key key);

/* The entry of @head's key, made if need be; it says what @head says from now on. NULL: no memory. */
struct parked_entry *parked_note(struct parked *parked, const struct parked_head *head);

/* Takes the entry out of the counts, or (by 1) into them. */
void parked_count(struct parked *parked, const struct parked_entry *entry, int by);

/* What LMDB makes of a row, about: pages that are half empty, pages of their own. */
size_t parked_cost(size_t row_len);

/* Into the list of what is to be moved to the store, or out of it. */
void parked_queue(struct parked *parked, struct parked_entry *entry);
void parked_unqueue(struct parked *parked, struct parked_entry *entry);

/* Out of the index; stage and store are not told. Frees @entry. */
void parked_drop_entry(struct parked *parked, struct parked_entry *entry);

/* Done already, and the store may not know. */
bool parked_is_gone(struct parked *parked, const struct parked_head *head);

/* --- in parked.c */

int parked_read_letter(struct parked *parked, enum letter_table table, struct letter_key key,
		       struct letter *ret_letter);
/* Out of stage, store and index. */
void parked_remove(struct parked *parked, struct parked_entry *entry);
/* Removes a dead letter that nobody has decided on, and says so. */
void parked_drop_dead(struct parked *parked, struct parked_entry *entry, const char *why);
/* A dead letter that is parked again. */
bool parked_is_retried(const struct parked *parked, const struct parked_entry *dead);

#endif
