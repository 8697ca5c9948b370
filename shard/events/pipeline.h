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
#include "shared/board/board.h"
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

struct pipeline_options {
	const char *runtime_dir;
	uint32_t generation, shard_id;
	uint32_t guild_open_max;
	uint32_t parked_max_mib;
	bool crashed; /* the last worker died of its own making (SEGV, BUS, ILL, FPE, ABRT) */
	/* Told when an event is handled that has rows in the journal. NULL: nobody asks. */
	void (*handled)(void *arg, struct event_key event);
	void *handled_arg;
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

/* Takes a dispatch. 0: its sequence may be recorded. -EAGAIN: no room now (inbox and parking are full); the connection
 * is to be left resumably, so that Discord sends it again. */
int pipeline_take(struct pipeline *pipeline, const struct envelope *envelope, const char *payload, size_t len);

struct pipeline_stats {
	size_t open, waiting, parked, dead;
	size_t inbox_used, inbox_size;
	uint64_t replayed; /* events taken up from the last worker */
	size_t begun;      /* of those, not handled yet: the ones that a worker had begun */
};
void pipeline_stats(const struct pipeline *pipeline, struct pipeline_stats *ret_stats);

#endif
