/* The REST client: queues calls by lane, sends them when lane, guard and wire have room, learns from every answer,
 * repeats where retry.c says so, and tells each caller once. Runs on the loop.
 * Must not call a caller from within rest_send(), and must not touch anything of a call after telling its caller.
 *
 *   rest_send -> [lane queue] -> wire (transfer.c) -> settle -> finish -> the caller
 *                     ^-------------- again -------------'
 * Interaction callbacks skip the queue and every limit; only between two attempts do they pause. */
#include "shared/discord/rest_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define DEFAULT_PER_S         50
#define DEFAULT_TIMEOUT_MS    15000
#define DEFAULT_INVALID_LIMIT 8000
#define DEFAULT_QUEUE         1024
#define DEFAULT_INFLIGHT      16
#define DEFAULT_IDLE_MS       120000
#define LANES_MAX             16384
#define IDLE_CONNECTIONS      16
#define SWEEP_NS              (30 * NS_PER_S)

void rest_count(struct rest *rest, enum board_counter counter)
{
	if (rest->counters)
		board_count(rest->counters, counter, 1);
}

/* --- the timer: the earliest of deadlines and waits ------------------------------------------------------------------
 */

void rest_arm(struct rest *rest, uint64_t at_ns)
{
	uint64_t now_ns = clock_boottime_ns();

	if (rest->closing || at_ns == RATELIMIT_FOREVER || (rest->wake_ns && rest->wake_ns <= at_ns))
		return;
	rest->wake_ns = at_ns ? at_ns : 1;
	timer_start(&rest->timer, at_ns > now_ns ? (at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0);
}

/* --- lists -----------------------------------------------------------------------------------------------------------
 */

static int priority_rank(enum rest_priority priority)
{
	return priority == REST_PRIORITY_HIGH ? 0 : priority == REST_PRIORITY_NORMAL ? 1 : 2;
}

/* @front: a call that comes back for another attempt keeps its place. */
int rest_enqueue(struct rest *rest, struct call *call, bool front)
{
	struct lane_queue *queue = call->lane->queue;
	struct call *at;

	if (!queue) {
		queue = calloc(1, sizeof(*queue));
		if (!queue)
			return -ENOMEM;
		queue->lane = call->lane;
		call->lane->queue = queue;
		DL_APPEND(rest->queues, queue);
	}
	DL_FOREACH (queue->calls, at)
		if (priority_rank(at->priority) > priority_rank(call->priority) - (front ? 1 : 0))
			break;
	if (at)
		DL_PREPEND_ELEM(queue->calls, at, call);
	else
		DL_APPEND(queue->calls, call);
	call->queue = queue;
	call->state = CALL_QUEUED;
	rest->queued++;
	return 0;
}

/* Takes a call out of wherever its state keeps it. */
static void unlink_call(struct rest *rest, struct call *call)
{
	struct lane_queue *queue = call->queue;

	switch (call->state) {
	case CALL_QUEUED:
		DL_DELETE(queue->calls, call);
		call->queue = NULL;
		rest->queued--;
		if (!queue->calls) {
			queue->lane->queue = NULL;
			DL_DELETE(rest->queues, queue);
			free(queue);
		}
		break;
	case CALL_PAUSED:
		DL_DELETE(rest->paused, call);
		break;
	case CALL_OVER:
		DL_DELETE(rest->over, call);
		break;
	case CALL_FLYING:
		break;
	}
}

/* --- the end of a call ---------------------------------------------------------------------------------------------
 */

/* Tells the caller and frees the call, which is in no list any more but that of deadlines. @body is borrowed. */
void rest_finish_call(struct rest *rest, struct call *call, json_t *body)
{
	struct rest_result result = {
		.error = call->error,
		.http_status = call->http_status,
		.discord_code = call->discord_code,
		.message = call->error ? call->text : "",
		.phrase = call_phrase(call),
		.body = body,
		.latency_us = call->latency_us,
		.total_us = (clock_boottime_ns() - call->created_ns) / NS_PER_US,
		.retried = call->attempts ? call->attempts - 1 : 0,
		.already = call->already,
		.maybe_done = call->error && call->maybe_done,
	};

	call_deadlines_remove(&rest->calls, call);
	if (call_is_interaction(call))
		rest->interactions--;
	if (call->error && call->error != -ECANCELED) {
		rest->stats.errors++;
		rest_count(rest, BOARD_COUNTER_rest_errors);
	}
	call->fn(call->arg, &result);
	call_free(call);
}

/* A decided call waits for the timer: callers are never told from within their own call. */
static void put_over(struct rest *rest, struct call *call)
{
	unlink_call(rest, call);
	call->state = CALL_OVER;
	DL_APPEND(rest->over, call);
	rest_arm(rest, 0);
}

/* --- onto the wire -------------------------------------------------------------------------------------------------
 */

/* Starts an attempt; the call is out of its list. */
static int launch(struct rest *rest, struct call *call, uint64_t now_ns)
{
	const struct route_row *row = call_row(call);
	struct transfer_request request = {
		.method = row->method,
		.url = call->url,
		.body = call->body,
		.body_len = call->body_len,
		.reason_header = call->reason_header,
		.timeout_ms = call_attempt_ms(call, rest->options.timeout_ms, now_ns),
		.with_token = !(row->flags & ROUTE_NO_AUTH),
		.once = call->repeat == ROUTE_CHECK || call->repeat == ROUTE_NEVER,
		.fresh = call->fresh,
		.impatient = call_is_interaction(call),
	};
	int r = call->leaving && !call->left ? call->leaving(call->arg) : 0;

	call->left = true;
	if (r >= 0)
		r = transfer_start(&call->transfer, rest->curl, rest->wire, &request, REST_BODY_MAX);
	if (r < 0)
		return r;
	if (call->lane)
		call->permit = ratelimit_take(call->lane, now_ns);
	call->state = CALL_FLYING;
	if (call->attempts++ == 0)
		call->first_sent_ns = now_ns;
	if (call->attempts > 1) {
		rest->stats.retries++;
		rest_count(rest, BOARD_COUNTER_rest_retries);
	}
	rest->stats.requests++;
	rest_count(rest, BOARD_COUNTER_rest_requests);
	rest->used_ns = now_ns;
	if (!call_is_interaction(call)) {
		rest->flying++;
		rest->flying_low += call->priority == REST_PRIORITY_LOW;
	}
	return 0;
}

/* Why a call may not go out at all, now or later. True: it is decided. */
static bool refuse(struct rest *rest, struct call *call, uint64_t now_ns)
{
	uint32_t flags = call_row(call)->flags;
	enum guard_level level = guard_level(&rest->guard, now_ns);

	if (!(flags & ROUTE_NO_AUTH) && guard_token_invalid(&rest->guard))
		call_decide(call, -SHOAL_EREFUSED, "Discord refused the bot's token; set a valid discord.token");
	else if (level == GUARD_CLOSED || (level == GUARD_ESSENTIAL && !(flags & ROUTE_ESSENTIAL) && !call->essential))
		call_decide(call, -SHOAL_ERATE,
			    "held back: %u requests were refused by Discord within 10 minutes, the guard is \"%s\"",
			    guard_invalid_count(&rest->guard, now_ns), guard_level_names[level]);
	else if (rest->ban_until_ns > now_ns && rest->ban_until_ns >= call->deadline_ns)
		call_decide(call, -SHOAL_ERATE, "Discord has blocked this address for another %llu s",
			    (unsigned long long)((rest->ban_until_ns - now_ns) / NS_PER_S));
	else
		return false;
	return true;
}

/* How long a queued call must wait for what is not its own to give: 0 go; the global budget is taken then. */
static uint64_t gate(struct rest *rest, struct call *call, uint64_t now_ns)
{
	bool global = !(call_row(call)->flags & ROUTE_NO_GLOBAL);
	uint64_t wait_ns;

	if (call->not_before_ns > now_ns)
		return call->not_before_ns - now_ns;
	if (rest->ban_until_ns > now_ns)
		return rest->ban_until_ns - now_ns;
	wait_ns = ratelimit_wait(call->lane, now_ns);
	if (wait_ns)
		return wait_ns;
	if (rest->flying >= rest->options.inflight_max ||
	    (call->priority == REST_PRIORITY_LOW && rest->flying_low >= (rest->options.inflight_max + 1) / 2))
		return RATELIMIT_FOREVER;
	return global ? guard_take(&rest->guard, now_ns) : 0;
}

/* Moves the head of @queue on. True: it went somewhere (wire or over), the queue may be gone. */
static bool try_head(struct rest *rest, struct lane_queue *queue, uint64_t now_ns, uint64_t *wake_ns)
{
	struct call *call = queue->calls;
	uint64_t wait_ns;
	int r;

	if (refuse(rest, call, now_ns)) {
		put_over(rest, call);
		return true;
	}
	wait_ns = gate(rest, call, now_ns);
	if (wait_ns == RATELIMIT_FOREVER)
		return false;
	if (wait_ns && now_ns + wait_ns >= call->deadline_ns) {
		call_decide(call, -SHOAL_ERATE, "a rate limit asks for %llu ms, the deadline comes before",
			    (unsigned long long)(wait_ns / NS_PER_MS));
		put_over(rest, call);
		return true;
	}
	if (wait_ns) {
		if (now_ns + wait_ns < *wake_ns)
			*wake_ns = now_ns + wait_ns;
		return false;
	}
	unlink_call(rest, call);
	r = launch(rest, call, now_ns);
	if (r < 0) {
		call_decide(call, r, "could not be sent: %s", error_text(r));
		call->state = CALL_FLYING;
		put_over(rest, call);
	}
	return true;
}

/* Gives every lane its turn, those with the most urgent heads first, until nothing moves. */
void rest_pump(struct rest *rest)
{
	static const enum rest_priority order[] = { REST_PRIORITY_HIGH, REST_PRIORITY_NORMAL, REST_PRIORITY_LOW };
	uint64_t now_ns = clock_boottime_ns(), wake_ns = RATELIMIT_FOREVER;
	struct lane_queue *queue, *next;

	for (size_t i = 0; i < ARRAY_SIZE(order) && !rest->closing; i++) {
		bool moved = true;

		while (moved) {
			moved = false;
			DL_FOREACH_SAFE(rest->queues, queue, next)
			if (queue->calls->priority == order[i])
				moved |= try_head(rest, queue, now_ns, &wake_ns);
		}
	}
	if (rest->calls.first && rest->calls.first->deadline_ns < wake_ns)
		wake_ns = rest->calls.first->deadline_ns;
	rest_arm(rest, wake_ns);
}

/* --- time ----------------------------------------------------------------------------------------------------------
 */

static void tell_over(struct rest *rest)
{
	while (rest->over) {
		struct call *call = rest->over;

		unlink_call(rest, call);
		rest_finish_call(rest, call, NULL);
	}
}

static void expire(struct rest *rest, uint64_t now_ns)
{
	while (rest->calls.first && rest->calls.first->deadline_ns <= now_ns) {
		struct call *call = rest->calls.first;

		if (call->state == CALL_FLYING)
			rest_bring_down(rest, call, CURLE_OPERATION_TIMEDOUT);
		unlink_call(rest, call);
		if (call->state != CALL_OVER)
			call_decide(call, call_lost_error(call, -ETIMEDOUT), "no answer within %llu ms",
				    (unsigned long long)((call->deadline_ns - call->created_ns) / NS_PER_MS));
		rest_finish_call(rest, call, NULL);
	}
}

static void resume_paused(struct rest *rest, uint64_t now_ns)
{
	struct call *call, *next;
	int r;

	DL_FOREACH_SAFE(rest->paused, call, next)
	{
		if (call->not_before_ns > now_ns) {
			rest_arm(rest, call->not_before_ns);
			continue;
		}
		unlink_call(rest, call);
		r = launch(rest, call, now_ns);
		if (r < 0) {
			call->state = CALL_FLYING;
			call_decide(call, r, "could not be sent: %s", error_text(r));
			put_over(rest, call);
		}
	}
}

static void on_timer(void *arg)
{
	struct rest *rest = arg;
	uint64_t now_ns = clock_boottime_ns();

	rest->wake_ns = 0;
	tell_over(rest);
	if (!rest->closing)
		expire(rest, now_ns);
	if (rest->closing)
		return;
	resume_paused(rest, now_ns);
	rest_pump(rest);
}

/* Gives curl and old buckets back when nobody needs them. */
static void on_tick(void *arg)
{
	struct rest *rest = arg;
	uint64_t now_ns = clock_boottime_ns();

	if (now_ns - rest->swept_ns > SWEEP_NS) {
		rest->swept_ns = now_ns;
		ratelimit_sweep(rest->limits, now_ns);
	}
	if (!rest->calls.first && rest_curl_loaded(rest->curl) &&
	    now_ns - rest->used_ns > rest->options.idle_ms * NS_PER_MS)
		rest_curl_trim(rest->curl);
}

/* --- a new call ----------------------------------------------------------------------------------------------------
 */

/* Callbacks go out at once or not at all; all others stand in their lane's queue, be it for a moment. */
static int admit(struct rest *rest, struct call *call, uint64_t now_ns)
{
	int r;

	if (!call_is_interaction(call)) {
		r = rest_enqueue(rest, call, false);
		return r;
	}
	call->state = CALL_FLYING;
	rest->interactions++;
	if (refuse(rest, call, now_ns)) {
		put_over(rest, call);
		return 0;
	}
	r = launch(rest, call, now_ns);
	if (r < 0)
		rest->interactions--;
	return r;
}

static int send_checked(struct rest *rest, const struct rest_request *request, rest_fn fn, void *arg,
			uint64_t *ret_handle)
{
	uint64_t now_ns = clock_boottime_ns();
	struct call *call;
	int r;

	if (rest->closing)
		return -ESHUTDOWN;
	if (request->route < 0 || request->route >= ROUTE_COUNT || !fn)
		return -EINVAL;
	if (route_rows[request->route].flags & ROUTE_INTERACTION ? rest->interactions >= REST_INTERACTIONS_MAX
								 : rest->queued >= rest->options.queue_max)
		return -ENOBUFS;
	r = call_new(request, fn, arg, transfer_wire_base(rest->wire), rest->limits, rest->options.timeout_ms, now_ns,
		     &call);
	if (r < 0)
		return r;
	call_deadlines_insert(&rest->calls, call);
	r = admit(rest, call, now_ns);
	if (r < 0) {
		call_deadlines_remove(&rest->calls, call);
		call_free(call);
		return r;
	}
	call->handle = ++rest->next_handle;
	if (ret_handle)
		*ret_handle = call->handle;
	rest_pump(rest);
	return 0;
}

int rest_send(struct rest *rest, const struct rest_request *request, rest_fn fn, void *arg, uint64_t *ret_handle)
{
	int r = send_checked(rest, request, fn, arg, ret_handle);

	json_decref(request->json);
	return r;
}

static void cancel(struct rest *rest, struct call *call)
{
	if (call->state == CALL_FLYING)
		rest_bring_down(rest, call, CURLE_ABORTED_BY_CALLBACK);
	unlink_call(rest, call);
	call_decide(call, -ECANCELED, "cancelled");
	rest_finish_call(rest, call, NULL);
}

int rest_cancel(struct rest *rest, uint64_t handle)
{
	for (struct call *call = rest->calls.first; call; call = call->later)
		if (call->handle == handle) {
			cancel(rest, call);
			if (!rest->closing)
				rest_pump(rest);
			return 0;
		}
	return -ENOENT;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

static void take_options(struct rest *rest, const struct rest_options *options)
{
	rest->options = (struct rest_options){
		.global_per_s = or_default(options->global_per_s, DEFAULT_PER_S),
		.timeout_ms = or_default(options->timeout_ms, DEFAULT_TIMEOUT_MS),
		.invalid_limit = or_default(options->invalid_limit, DEFAULT_INVALID_LIMIT),
		.queue_max = or_default(options->queue_max, DEFAULT_QUEUE),
		.inflight_max = or_default(options->inflight_max, DEFAULT_INFLIGHT),
		.idle_ms = or_default(options->idle_ms, DEFAULT_IDLE_MS),
	};
}

static void rest_free(struct rest *rest)
{
	transfer_wire_unref(rest->wire);
	ratelimit_free(rest->limits);
	free(rest);
}

int rest_new(struct loop *loop, const struct rest_options *options, struct board_host *host, _Atomic uint64_t *counters,
	     const struct rest_events *events, void *arg, struct rest **ret_rest)
{
	struct rest *rest = calloc(1, sizeof(*rest));
	int r;

	if (!rest)
		return -ENOMEM;
	rest->loop = loop;
	rest->counters = counters;
	if (events)
		rest->events = *events;
	rest->events_arg = arg;
	take_options(rest, options);
	guard_init(&rest->guard, host, rest->options.global_per_s, rest->options.invalid_limit);
	rest->limits = ratelimit_new(LANES_MAX);
	r = rest->limits ? transfer_wire_new(options->api_base ? options->api_base : "", options->token,
					     options->user_agent ? options->user_agent : REST_USER_AGENT,
					     options->ca_file, &rest->wire)
			 : -ENOMEM;
	r = r < 0 ? r : rest_curl_new(loop, IDLE_CONNECTIONS, rest_on_done, rest, &rest->curl);
	if (r < 0) {
		rest_free(rest);
		return r;
	}
	r = timer_init(&rest->timer, loop, on_timer, rest);
	if (r < 0) {
		rest_curl_close(rest->curl, NULL, NULL);
		rest_free(rest);
		return r;
	}
	rest->swept_ns = clock_boottime_ns();
	loop_at_tick(loop, &rest->tick, on_tick, rest);
	*ret_rest = rest;
	return 0;
}

static void on_part_closed(void *arg)
{
	struct rest *rest = arg;
	loop_fn closed = rest->closed;
	void *closed_arg = rest->closed_arg;

	if (--rest->closes_left)
		return;
	rest_free(rest);
	if (closed)
		closed(closed_arg);
}

void rest_close(struct rest *rest, loop_fn closed, void *arg)
{
	if (!rest || rest->closing)
		return;
	rest->closing = true;
	rest->closed = closed;
	rest->closed_arg = arg;
	rest->closes_left = 2;
	loop_remove_hook(&rest->tick);
	while (rest->calls.first)
		cancel(rest, rest->calls.first);
	timer_close(&rest->timer, on_part_closed);
	rest_curl_close(rest->curl, on_part_closed, rest);
}

int rest_set_token(struct rest *rest, const char *token)
{
	struct transfer_wire *wire;
	int r = transfer_wire_with_token(rest->wire, token, &wire);

	if (r < 0)
		return r;
	transfer_wire_unref(rest->wire);
	rest->wire = wire;
	guard_set_token_invalid(&rest->guard, false);
	rest->token_told = false;
	return 0;
}

void rest_stats(const struct rest *rest, struct rest_stats *ret_stats)
{
	*ret_stats = rest->stats;
	ret_stats->queued = rest->queued;
	ret_stats->inflight = rest->flying + rest->interactions;
	ret_stats->buckets = ratelimit_bucket_count(rest->limits);
	ret_stats->connections = rest_curl_connections(rest->curl);
	ret_stats->invalid = guard_invalid_count(&rest->guard, clock_boottime_ns());
}
