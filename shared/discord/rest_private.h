/* What the REST client's files share: rest.c (queues, wire, time) and rest_settle.c (what an answer means). Nobody else
 * includes it. */
#ifndef SHOAL_SHARED_DISCORD_REST_PRIVATE_H
#define SHOAL_SHARED_DISCORD_REST_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>
#include <jansson.h>

#include "shared/discord/call.h"
#include "shared/discord/guard.h"
#include "shared/discord/ratelimit.h"
#include "shared/discord/rest.h"
#include "shared/discord/rest_curl.h"
#include "shared/discord/transfer.h"

/* The waiting calls of one lane; exists only while there are any. */
struct lane_queue {
	struct lane_queue *prev, *next;
	struct ratelimit_lane *lane;
	struct call *calls; /* by priority, then by age */
};

struct rest {
	struct loop *loop;
	struct rest_curl *curl;
	struct transfer_wire *wire;
	struct ratelimit *limits;
	struct guard guard;
	_Atomic uint64_t *counters;
	struct rest_events events;
	void *events_arg;
	struct rest_options options; /* numbers only; its pointers are cleared */
	struct timer timer;
	struct loop_hook tick;

	struct lane_queue *queues;  /* lanes with waiting calls, in turn */
	struct call *paused, *over; /* by state */
	struct call_deadlines calls;
	uint64_t wake_ns; /* when the timer fires; 0: not armed */
	uint64_t next_handle, used_ns, swept_ns, ban_until_ns;
	uint32_t queued, flying, flying_low, interactions, bans;
	enum guard_level level;
	bool token_told, closing;
	struct rest_stats stats;
	unsigned closes_left;
	loop_fn closed;
	void *closed_arg;
};

void rest_count(struct rest *rest, enum board_counter counter);
/* The timer fires at @at_ns (boottime) at the latest. */
void rest_arm(struct rest *rest, uint64_t at_ns);
/* Puts a call into its lane's queue; @front: one that comes back for another attempt keeps its place. -ENOMEM. */
int rest_enqueue(struct rest *rest, struct call *call, bool front);
/* Tells the caller and frees the call, which is in no list any more but that of deadlines. @body is borrowed. */
void rest_finish_call(struct rest *rest, struct call *call, json_t *body);
/* Sends what may go. */
void rest_pump(struct rest *rest);

/* rest_settle.c: an attempt is over (curl's word); and one that is taken off the wire before its time, in no list then
 * but that of deadlines. */
void rest_on_done(void *arg, CURL *easy, CURLcode code);
void rest_bring_down(struct rest *rest, struct call *call, CURLcode code);

#endif
