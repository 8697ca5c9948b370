/* The REST client of a process: every HTTP request to Discord goes through it.
 * curl multi on the loop (HTTP/2 where offered, keep-alive), buckets learned from headers, the global budget and the
 * invalid-request window on the host's board, repeats only as the route's repeat class allows (routes.h).
 * Loop thread only. Nothing here blocks; curl is set up at the first request and taken down when idle.
 * Source: discord-facts.md sections 11 and 12. */
#ifndef SHOAL_SHARED_DISCORD_REST_H
#define SHOAL_SHARED_DISCORD_REST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <shoal/phrase.h>

#include "shared/board/board.h"
#include "shared/discord/routes.h"
#include "shared/loop/loop.h"

/* Who we say we are: without this form Cloudflare may block. */
#define REST_PROJECT_URL "https://shoal.example/bot"
#define REST_USER_AGENT  "DiscordBot (" REST_PROJECT_URL ", " SHOAL_VERSION ")"

#define REST_BODY_MAX        (8 * 1024 * 1024) /* of an answer */
#define REST_REQUEST_MAX     (4 * 1024 * 1024) /* of our own body */
#define REST_DEADLINE_MAX_MS (15 * 60 * 1000)
#define REST_INTERACTION_MS  3000 /* the first answer to an interaction, from Discord's side */
/* Callbacks open at once: 500 a second for the three seconds that an interaction lives, and room. */
#define REST_INTERACTIONS_MAX 2048
#define REST_TEXT_SIZE        256

struct rest;

/* Copied by rest_new(). Zero means the default where one is named. */
struct rest_options {
	const char *api_base;   /* "https://discord.com/api/v10", no slash at the end */
	const char *token;      /* opaque, without "Bot "; "" or NULL: only NO_AUTH routes work */
	const char *user_agent; /* NULL: REST_USER_AGENT */
	const char *ca_file;    /* NULL or "": the system's */
	uint32_t global_per_s;  /* 0: 50 */
	uint32_t timeout_ms;    /* of one attempt; 0: 15000 */
	uint32_t invalid_limit; /* 401/403/429 in 10 minutes at which all stops; 80 % of it: only essential work. 0:
				   8000 */
	uint32_t queue_max;     /* calls waiting; 0: 1024 */
	uint32_t inflight_max;  /* ordinary calls on the wire at once; 0: 16. Interaction callbacks have room of their
				   own */
	uint32_t idle_ms;       /* with no call for so long curl and its connections are freed; 0: 120000 */
};

struct rest_events {
	/* Discord refused the token (401 on a route that carries it). Once per rest; from now on every call that needs
	 * the token fails at once. May call rest_close(). NULL: not told. */
	void (*token_invalid)(void *arg, const char *text);
};

enum rest_priority {
	REST_PRIORITY_NORMAL = 0,
	REST_PRIORITY_HIGH, /* a member is waiting */
	REST_PRIORITY_LOW,  /* bulk work: at most half the wire */
};

/* All pointers but @json are borrowed for the call. */
struct rest_request {
	enum route route;
	struct route_args args;
	const char *query; /* "limit=100&before=1", already encoded; NULL: none */
	json_t *json;      /* body: taken, also on failure */
	const char *text;  /* or the body as JSON text */
	size_t text_len;
	bool text_has_nonce;  /* @text carries a nonce and enforce_nonce:true (for @json it is looked up) */
	const char *reason;   /* audit-log reason, UTF-8; cut to 512 characters; only on AUDIT routes */
	uint32_t deadline_ms; /* from now until the callback at the latest, all waiting and repeating within;
			       * 0: 3 x timeout_ms, for interaction callbacks REST_INTERACTION_MS */
	enum rest_priority priority;
	bool essential; /* goes on past 80 % of the invalid-request allowance though its route would not */
	/* Called with rest_send()'s arg right before the first attempt leaves, perhaps from within rest_send(): what
	 * must be written down first is written now. Negative: nothing leaves, and the call ends with that error. Must
	 * not call the client. NULL: nobody asks. */
	int (*leaving)(void *arg);
	/* Called when nothing has come of all that left until now (a 429, no connection) and the call waits for another
	 * attempt: what was written down may be struck out. leaving() is asked anew then. Must not call the client. */
	void (*stayed)(void *arg);
};

/* Borrowed for the callback; json_incref(body) to keep it.
 * error: 0                 2xx (also an interaction callback whose repeat met 40060: @already)
 *        -SHOAL_EDISCORD   Discord refused with @discord_code and @message
 *        -SHOAL_EHTTP      a status that is no success, without Discord's error body
 *        -SHOAL_ERATE      a rate limit; the deadline did not allow waiting, or the guard is closed
 *        -SHOAL_EREFUSED   the token is invalid
 *        -SHOAL_EUNKNOWN   a route that must not be repeated lost its connection: it may have happened
 *        -ETIMEDOUT        the deadline passed
 *        -EBADMSG, -EFBIG  2xx, but the body is no JSON / larger than REST_BODY_MAX
 *        -ECONNREFUSED, -EHOSTUNREACH, -ECONNRESET, -EPROTO (TLS: certificate or host name), -ENOMEM
 *        -ECANCELED        rest_cancel(), rest_close() */
struct rest_result {
	int error;
	uint32_t http_status;              /* of the last answer; 0: none came */
	uint32_t discord_code;             /* 0: none */
	const char *message;               /* what went wrong, for a log or an operator; "" on success */
	const struct shoal_phrase *phrase; /* the same for a member: plain words, no internals; NULL on success */
	json_t *body;                      /* NULL for 204 and for bodies that are no JSON */
	uint64_t latency_us;               /* of the last attempt, request out to answer in; 0: none */
	uint64_t total_us;                 /* from rest_send() on */
	uint32_t retried;                  /* attempts beyond the first */
	bool already;                      /* interaction callback: an earlier attempt had done it */
	bool maybe_done; /* error is set, yet Discord may have carried it out (a journal must check) */
};

typedef void (*rest_fn)(void *arg, const struct rest_result *result);

/* Keeps @loop, @host and @counters (both may be NULL: then a budget of this process alone, and no counting), which must
 * outlive the client. -EINVAL for an api_base that is no http(s) URL, -ENOMEM. */
int rest_new(struct loop *loop, const struct rest_options *options, struct board_host *host, _Atomic uint64_t *counters,
	     const struct rest_events *events, void *arg, struct rest **ret_rest);

/* Sends, or queues until limits allow. @fn is called exactly once, on the loop, never from within this call.
 * *ret_handle (may be NULL) is good for rest_cancel() until then; never 0.
 * On failure @fn is not called: -EINVAL (an id missing, a body where none belongs or the reverse, a reason where none
 * is allowed), -E2BIG, -ENOBUFS (queue full), -ESHUTDOWN (closing), -ENOMEM. */
int rest_send(struct rest *rest, const struct rest_request *request, rest_fn fn, void *arg, uint64_t *ret_handle);

/* Ends a call: its @fn is called with -ECANCELED before this returns. -ENOENT when it is over already. */
int rest_cancel(struct rest *rest, uint64_t handle);

/* Ends every call with -ECANCELED before it returns; frees all once curl and libuv are done, then calls @closed (may be
 * NULL). May be called from a callback. NULL is nothing to do. */
void rest_close(struct rest *rest, loop_fn closed, void *arg);

/* A new token after the old one was refused: clears our own latch (the board's is the supervisor's to clear). */
int rest_set_token(struct rest *rest, const char *token);

/* What /ping and status show. */
struct rest_stats {
	uint64_t requests; /* attempts sent */
	uint64_t retries;
	uint64_t limited;    /* 429 answers */
	uint64_t errors;     /* calls that failed for good */
	uint64_t latency_us; /* smoothed; 0: none yet */
	uint64_t last_latency_us;
	uint32_t queued;
	uint32_t inflight;
	uint32_t buckets;
	uint32_t http_version; /* of the last answer: 11, 20 */
	uint32_t connections;  /* opened so far */
	uint32_t invalid;      /* counted in the last 10 minutes, host-wide */
};
void rest_stats(const struct rest *rest, struct rest_stats *ret_stats);

#endif
