/* Events that had to leave the inbox before they were handled: too large for it, too old, or in the way of new ones;
 * and dead letters, which are not tried any more. Loop thread only; nothing here waits for a disk.
 *
 * A letter is first kept in the runtime directory (the stage: LMDB on tmpfs, like the inbox it comes from), so whoever
 * parks gives the inbox's bytes away right after; from there a helper thread brings it into the state directory (the
 * store: synced), and when it is durable the stage forgets it. While the store is away (missing, full, read-only,
 * damaged), letters stay in the stage as long as that has room, and are refused then. What is done is marked in the
 * stage before the store forgets it, so that a killed worker's successor does not begin it again.
 *
 *   stage   parked, dead: rows that are not durable yet      state: begun, crashes, gone
 *   store   parked, dead                                     (shared/letters/letter.h) */
#ifndef SHOAL_SHARD_EVENTS_PARKED_H
#define SHOAL_SHARD_EVENTS_PARKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/events/parked_store.h"
#include "shared/letters/letter.h"
#include "shared/loop/loop.h"

struct parked;

struct parked_options {
	const char *runtime_dir, *state_dir;
	uint32_t generation, shard_id;
	uint32_t stage_max_mib, store_max_mib;
	uint32_t max_age_days;
	bool crashed; /* the last worker died of its own making */
	/* Parked events that came to light after parked_open() had returned (the disk was slow, or away): they are to
	 * be taken up. May be NULL. */
	void (*late)(void *arg, const struct parked_head *head);
	void *arg;
};

/* Opens or makes the stage, and waits a moment for the store if there is one. A store that is away is no error, it is
 * said and tried again. Keeps @loop. -ENOMEM, -ENAMETOOLONG. */
int parked_open(struct loop *loop, const struct parked_options *options, struct parked **ret_parked);
/* Closes its handle on the loop; must come before loop_finish(). */
void parked_closing(struct parked *parked);
/* After the loop has finished. NULL is nothing to do. */
struct parked *parked_close(struct parked *parked);

/* Keeps a copy of @letter (wall_ms, boot and the token's flag are set here). When it returns 0 the inbox's bytes may
 * go. -ENOSPC: neither here nor there is room. */
int parked_put(struct parked *parked, const struct letter *letter);
/* The letter with its bytes, borrowed until the next call of parked_read() or parked_dead_read(). -ENOENT.
 * -SHOAL_EREFUSED: it was erased on its member's wish. -SHOAL_EDAMAGED. */
int parked_read(struct parked *parked, struct letter_key key, struct letter *ret_letter);
bool parked_has(const struct parked *parked, struct letter_key key);
/* A handler begins it: a successor must know. */
void parked_begin(struct parked *parked, struct letter_key key);
/* Workers that died of their own making because of it; also of what is not (yet) parked. 0 forgets. */
uint32_t parked_crashes(struct parked *parked, struct letter_key key);
void parked_set_crashes(struct parked *parked, struct letter_key key, uint32_t crashes);
/* Handled: nothing is left to do, a dead letter that was tried again is gone too. Nothing to do when it is not there.
 */
void parked_done(struct parked *parked, struct letter_key key);

/* To the dead letters, with its reason; it is parked no more. The oldest dead letters make room, which is said.
 * -ENOSPC. */
int parked_bury(struct parked *parked, const struct letter *letter);
int parked_dead_read(struct parked *parked, struct letter_key key, struct letter *ret_letter);
/* Finds the dead letter that people mean. -ENOENT. */
int parked_dead_find(const struct parked *parked, const struct letter_id *id, struct parked_head *ret_head);
/* Parks it again, as begun; the dead letter stays until parked_done(). -ENOENT; -EALREADY: it is being tried;
 * -EBADMSG: its bytes were cut or never made sense; -ENOSPC. */
int parked_dead_retry(struct parked *parked, struct letter_key key);
/* -ENOENT; -EBUSY: it is being tried. */
int parked_dead_drop(struct parked *parked, struct letter_key key);

/* Parked events, those of older sessions than @session first, each session's in order of sequence. @fn may write;
 * non-zero ends it and is returned. */
typedef int (*parked_each_fn)(void *arg, const struct parked_head *head);
int parked_each(struct parked *parked, uint64_t session, parked_each_fn fn, void *arg);

/* Erases every letter that speaks of this user, here and on disk; @fn is told how many when that is durable, or why it
 * is not yet (what could not be reached is tried again with the next call). An event that is not handled yet is not
 * handled any more. */
typedef void (*parked_forget_fn)(void *arg, int error, size_t count);
int parked_forget_user(struct parked *parked, uint64_t user_id, parked_forget_fn fn, void *arg);

/* Runs @call on the helper thread, then @done on the loop, which frees @arg; when it doesn't come to that, @drop does
 * (also on failure: -ENOMEM, -EAGAIN). */
int parked_call(struct parked *parked, int (*call)(void *arg),
		void (*done)(void *arg, int error, const struct parked_job *job), void (*drop)(void *arg), void *arg);

/* Slow tick: tries again, takes tokens out, removes what is too old. */
void parked_tick(struct parked *parked);

struct parked_stats {
	size_t count, dead; /* parked events, dead letters */
	uint64_t dropped;   /* dead letters (and parked events too old) that were removed, since the start */
	bool away;          /* the store can't be written */
};
void parked_stats(const struct parked *parked, struct parked_stats *ret_stats);
/* Rows that are not durable yet, and those that are. Counts them. */
void parked_count_rows(const struct parked *parked, size_t *ret_staged, size_t *ret_stored);

#endif
