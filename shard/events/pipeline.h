/* The life of a dispatch inside the worker: into the inbox, onto the cache, and after the loop turn's cache commit to
 * its subscribers, each guild in its turn; handled when its ticket's last holder lets go. What a worker that died had
 * taken and not handled is finished by its successor, before anything new is asked of Discord. Loop thread only.
 *
 *   pipeline_take()  envelope -> inbox -> row's raw function (cache) -> queue      the caller records the sequence then
 *   end of the pass  cache commit -> turns -> row's event function, with a ticket -> inbox gives room back */
#ifndef SHOAL_SHARD_EVENTS_PIPELINE_H
#define SHOAL_SHARD_EVENTS_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/events/dispatch.h"
#include "shard/events/event_key.h"
#include "shared/base/buf.h"
#include "shared/board/board.h"
#include "shared/letters/letter.h"
#include "shared/loop/loop.h"

/* A pass handles events for this long at most before it lets the loop look at its sockets again. */
#define PIPELINE_SLICE_NS (5 * 1000000ULL)
/* A ticket this old leaves the inbox, so that it holds up nobody's room. */
#define PIPELINE_PARK_AFTER_MS 10000
/* Crashes of the worker's own making after which an event is set aside: while it was in a handler's hands, and while it
 * was merely open. */
#define PIPELINE_CRASHES_CULPRIT 2
#define PIPELINE_CRASHES_OPEN    5

struct pipeline;

/* A dead letter that was just made. Texts are borrowed. */
struct pipeline_dead {
	const char *id; /* letter_id_print() */
	const char *dispatch;
	const char *reason;
	uint64_t guild_id, sequence;
	uint32_t crashes;
};

/* Any may be NULL: nobody asks. */
struct pipeline_events {
	/* An event is handled that has rows in the journal. */
	void (*handled)(void *arg, struct event_key event);
	/* What the journal knows of an event goes with its dead letter (appended to @out; *ret_doubtful: rows may be
	 * missing), and comes back from there before it is tried again. As journal_export(), journal_import(). */
	int (*export)(void *arg, struct event_key event, struct buf *out, bool *ret_doubtful);
	int (*import)(void *arg, struct event_key event, const char *rows, size_t len, bool same_boot);
	void (*dead)(void *arg, const struct pipeline_dead *dead);
	/* The last worker's events were saved as @path, or not (@error). */
	void (*flight)(void *arg, int error, const char *path);
	void *arg;
};

struct pipeline_options {
	const char *runtime_dir, *state_dir;
	uint32_t generation, shard_id, shard_count;
	uint32_t guild_open_max;
	uint32_t shed_percent; /* of the inbox in use, from which on sheddable events are dropped; 0: never */
	uint32_t stage_max_mib, parked_max_mib, parked_max_age_days; /* see parked_options */
	uint32_t flight_keep, flight_max_mib;                        /* see flight.h; 0: off */
	bool crashed;        /* the last worker died of its own making (SEGV, BUS, ILL, FPE, ABRT) */
	bool blameless;      /* … in a module that was called for no event: none is to blame */
	bool letters_failed; /* … or of the file of parked events */
	/* The event for which that one was in a module's code, and the module; NULL or "": in none's. */
	uint64_t culprit_session, culprit_sequence;
	const char *culprit_module;
	const char *crash_report; /* what that one said of it, or NULL */
	/* Whether what handlers want to know of the guild is there. False: nothing of it is begun until
	 * pipeline_ready(), which must come. NULL: it is. */
	bool (*ready)(void *arg, uint64_t guild_id);
	void *ready_arg;
	struct pipeline_events events;
};

/* The cache, as far as the pipeline knows it. */
struct pipeline_cache {
	/* Makes durable what the rows' raw functions did, and with it that all before inbox position @applied is in. */
	int (*commit)(void *arg, uint64_t applied);
	/* The position of the last commit; 0: none, all that is in the inbox is to be applied. */
	uint64_t (*applied)(void *arg);
};

/* Keeps @loop, @board (writable; must have an inbox) and @dispatch; the rows' and the cache's arg is @dispatch's. Takes
 * up what the last worker left: the cache is brought up at once, handlers start with the first pass. Records the
 * inbox's last sequence on the board when it is ahead, so call it before the session is made. -errno. */
int pipeline_new(struct loop *loop, const struct pipeline_options *options, struct board_shard *board,
		 struct dispatch *dispatch, const struct pipeline_cache *cache, struct pipeline **ret_pipeline);
/* Nothing is begun any more; tickets that are let go from now on leave their events to the successor. */
void pipeline_closing(struct pipeline *pipeline);
/* After all holders have let go. NULL is nothing to do. */
struct pipeline *pipeline_free(struct pipeline *pipeline);

/* The session whose dispatches come now (event_key_session()). */
void pipeline_set_session(struct pipeline *pipeline, uint64_t session);

/* What was asked by options.ready: the guild's events may begin. */
void pipeline_ready(struct pipeline *pipeline, uint64_t guild_id);

/* Takes a dispatch. 0: its sequence may be recorded. -EAGAIN: no room now (inbox and parking are full); the connection
 * is to be left resumably, so that Discord sends it again. */
int pipeline_take(struct pipeline *pipeline, const struct envelope *envelope, const char *payload, size_t len);

/* A dispatch that can't even be taken apart: kept as a dead letter, so that its sequence may be counted and the session
 * go on. @payload: what there is of @full_len bytes. @type may be NONE. Returns 0, or -ENOSPC: it could not be kept
 * (said). */
int pipeline_set_aside(struct pipeline *pipeline, const struct envelope *envelope, const char *payload, size_t len,
		       size_t full_len, const char *reason);

/* A dead letter is tried again, through its guild's queue and with what the journal knew of it: effects that are done
 * are not repeated. @fn is called once: 0, it is handled; -ECANCELED, we stop first. -ENOENT, -EALREADY, -EBADMSG (it
 * can't be tried again), -ENOSPC: @fn is not called. */
typedef void (*pipeline_retry_fn)(void *arg, int error);
int pipeline_retry(struct pipeline *pipeline, const struct letter_id *id, pipeline_retry_fn fn, void *arg);
/* -ENOENT; -EBUSY: it is being tried. */
int pipeline_drop(struct pipeline *pipeline, const struct letter_id *id);
/* Erases what speaks of the user in parked events, dead letters and recordings of crashes (of all shards of this host);
 * @fn is told how many letters and recordings, or why not. See parked_forget_user(). -ENOMEM, -EAGAIN: @fn is not
 * called. */
int pipeline_forget_user(struct pipeline *pipeline, uint64_t user_id, void (*fn)(void *arg, int error, size_t count),
			 void *arg);

struct pipeline_stats {
	size_t open, waiting, parked, dead;
	size_t inbox_used, inbox_size;
	uint64_t replayed; /* events taken up from the last worker */
	size_t begun;      /* of those, not handled yet: the ones that a worker had begun */
};
void pipeline_stats(const struct pipeline *pipeline, struct pipeline_stats *ret_stats);

#endif
