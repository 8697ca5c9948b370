/* What the files of the pipeline share: pipeline.c (the life of an event), pipeline_takeover.c (what the last worker
 * left, and whose fault it was), pipeline_letters.c (dead letters). Nobody else includes this. */
#ifndef SHOAL_SHARD_EVENTS_PIPELINE_PRIVATE_H
#define SHOAL_SHARD_EVENTS_PIPELINE_PRIVATE_H

#include "shard/events/inbox.h"
#include "shard/events/parked.h"
#include "shard/events/pipeline.h"
#include "shard/events/ticket.h"
#include "shard/events/turns.h"

struct ticket {
	struct pipeline *pipeline; /* NULL: a job's run */
	struct ticket_run run;
	struct turn turn;
	struct event_key key;
	uint32_t refs;
	bool journalled;
	uint64_t started_ns;
	struct ticket *prev, *next; /* open ones, oldest first; or spare */
};

/* Somebody waits for a dead letter that is tried again. */
struct retry {
	struct letter_key key;
	pipeline_retry_fn fn;
	void *arg;
	struct retry *next;
};

struct pipeline {
	struct loop *loop;
	struct board_shard *board;
	_Atomic uint64_t *counters;
	struct dispatch *dispatch;
	struct pipeline_cache cache;
	struct inbox *inbox;
	struct parked *parked;
	struct turns *turns;
	struct ticket *open;
	struct ticket *marked; /* whose code runs; NULL: nobody's */
	struct ticket *spare;
	size_t open_count, spare_count;
	struct loop_hook pass_end, tick;
	uv_idle_t again; /* keeps the loop turning while somebody's turn is due */
	uint64_t session;
	uint64_t last_sequence;
	uint64_t applied_session, applied_until; /* what of it the cache had when we took over */
	uint64_t replayed;
	size_t shed_bytes;       /* of the inbox in use, from which on sheddable events are dropped; 0: never */
	uint64_t shed_told_ns;   /* when that was logged */
	uint64_t dropped_told;   /* dead letters that were dropped, counted already */
	uint32_t applied_frames; /* since the last commit */
	size_t applied_bytes;
	size_t begun; /* events with turn.again that are not handled yet */
	struct pipeline_events events;
	struct retry *retries;
	uint32_t shard_id;
	char *state_dir;
	bool dirty; /* something was taken or handled since the last pass */
	bool closing;
};

/* --- pipeline.c --- */
enum turn_lane pipeline_lane(enum shoal_event_type type);
void pipeline_commit_cache(struct pipeline *pipeline);
/* Queues a parked event. */
int pipeline_queue_parked(struct pipeline *pipeline, const struct parked_head *head);

/* --- pipeline_takeover.c --- */
int pipeline_take_over(struct pipeline *pipeline, const struct pipeline_options *options);

/* --- pipeline_letters.c --- */
#define PIPELINE_REASON_HANDLER "its handler crashed the worker"
#define PIPELINE_REASON_APPLY   "putting it into the guild cache crashed the worker"
#define PIPELINE_REASON_OPEN    "workers kept crashing while it was open"

struct burial {
	uint64_t session, sequence, guild_id;
	enum shoal_event_type type;
	uint32_t crashes;
	uint32_t flags; /* of enum letter_flags, but for those that are found out */
	const char *reason;
	const char *payload;
	size_t len, full_len;
	struct letter_text module, backtrace;
};
/* Sets an event aside for good, and says so. 0, or -ENOSPC: it could not be kept, which was said. */
int pipeline_bury(struct pipeline *pipeline, const struct burial *burial);
/* Counts and says what a worker that was killed in the midst of it had set aside. Of @burial only what names it. */
void pipeline_tell_buried(struct pipeline *pipeline, const struct burial *burial);
/* A parked event has ended: whoever waits for it is told. */
void pipeline_retry_ended(struct pipeline *pipeline, struct letter_key key, int error);
void pipeline_end_retries(struct pipeline *pipeline);

#endif
