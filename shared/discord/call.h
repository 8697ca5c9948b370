/* One call of the REST client: what was asked, checked and made ready to send, how far it is, and what its caller will
 * be told. Inner part of the client; callers see rest.h. Loop thread only. */
#ifndef SHOAL_SHARED_DISCORD_CALL_H
#define SHOAL_SHARED_DISCORD_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/discord/discord_error.h"
#include "shared/discord/ratelimit.h"
#include "shared/discord/rest.h"
#include "shared/discord/retry.h"
#include "shared/discord/routes.h"
#include "shared/discord/transfer.h"

enum call_state {
	CALL_QUEUED, /* in its lane's queue */
	CALL_PAUSED, /* a callback between two attempts */
	CALL_FLYING, /* on the wire */
	CALL_OVER,   /* decided, its caller not told yet */
};

struct lane_queue;

struct call {
	struct call *prev, *next;     /* in the list of its state: lane queue, paused, over */
	struct call *earlier, *later; /* all calls by deadline */
	struct lane_queue *queue;     /* QUEUED */
	struct ratelimit_lane *lane;  /* NULL for callbacks */
	enum call_state state;
	enum route route;
	enum route_repeat repeat;
	enum rest_priority priority;
	bool essential, maybe_done, fresh;
	uint64_t handle;
	rest_fn fn;
	int (*leaving)(void *arg);
	void (*stayed)(void *arg);
	bool left; /* leaving() was asked, and nothing said stayed() since */
	void *arg;
	char *url;
	char *body;
	size_t body_len;
	char *reason_header;
	uint64_t created_ns, deadline_ns, not_before_ns, first_sent_ns;
	uint32_t attempts;
	struct transfer transfer;
	struct ratelimit_permit permit;
	/* what is told at the end */
	int error;
	uint32_t http_status, discord_code;
	uint64_t latency_us;
	bool already;
	char text[REST_TEXT_SIZE];
};

/* All open calls, the earliest deadline first. */
struct call_deadlines {
	struct call *first, *last;
};

/* Checks @request and makes everything ready that a transfer needs; the lane too, but for interaction callbacks.
 * @timeout_ms: of one attempt. Borrows @request (its json as well). Errors as rest_send(). */
int call_new(const struct rest_request *request, rest_fn fn, void *arg, const char *api_base, struct ratelimit *limits,
	     uint32_t timeout_ms, uint64_t now_ns, struct call **ret_call);
/* It must be in no list and hold no permit. */
void call_free(struct call *call);

static inline const struct route_row *call_row(const struct call *call)
{
	return &route_rows[call->route];
}

static inline bool call_is_interaction(const struct call *call)
{
	return call_row(call)->flags & ROUTE_INTERACTION;
}

void call_deadlines_insert(struct call_deadlines *deadlines, struct call *call);
void call_deadlines_remove(struct call_deadlines *deadlines, struct call *call);

/* How long the next attempt may take: at most @timeout_ms, and a callback's first one leaves time for a second. */
uint32_t call_attempt_ms(const struct call *call, uint32_t timeout_ms, uint64_t now_ns);

/* What the caller will be told: @error and a sentence, the route's name in front. */
void call_decide(struct call *call, int error, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same for a member; "" without an error. */
const struct shoal_phrase *call_phrase(const struct call *call);
/* What a call that may have been carried out, and may not be repeated, ends with instead of @error. */
int call_lost_error(const struct call *call, int error);

/* What became of an attempt, in the retry policy's terms; decides the call for the case that there is no other attempt.
 * RETRY_OUTCOME_COUNT: it succeeded. @body: the answer's, NULL when it is no JSON. */
enum retry_outcome call_judge(struct call *call, const struct transfer_result *result, const json_t *body,
			      const struct discord_error *error);
/* Whether Discord refused the bot's token. */
bool call_is_token_refusal(const struct call *call, uint32_t http_status, const struct discord_error *error);

#endif
