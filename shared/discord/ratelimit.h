/* Rate limits per bucket, learned from headers. Pure bookkeeping: no clock, no I/O; its caller says what time it is.
 *
 * A *lane* is what we can know before we ask: a route, its variant and its major parameter. A *bucket* is what Discord
 * counts: a hash and a major parameter. Headers tie lanes to buckets; several lanes may share one, and a lane may meet
 * several (deleting messages has three), and the tie may change at any time. A lane of which nothing is known lets one
 * request through and waits for its answer. Headers are optional: a lane that was answered without them is free.
 * Loop thread only. Source: discord-facts.md section 12. */
#ifndef SHOAL_SHARED_DISCORD_RATELIMIT_H
#define SHOAL_SHARED_DISCORD_RATELIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/discord/routes.h"

#define RATELIMIT_HASH_SIZE    64
#define RATELIMIT_SLACK_NS     50000000ULL                 /* put on top of what Discord says: clocks and latency */
#define RATELIMIT_WAIT_MAX_NS  (48ULL * 3600 * 1000000000) /* a larger figure is taken for this */
#define RATELIMIT_FOREVER      UINT64_MAX                  /* "until an answer comes" */
#define RATELIMIT_BAN_FLOOR_NS (300ULL * 1000000000)       /* a ban that names no time */
#define RATELIMIT_BAN_CAP_NS   (3600ULL * 1000000000)

enum ratelimit_scope {
	RATELIMIT_SCOPE_NONE,
	RATELIMIT_SCOPE_USER,   /* our bucket */
	RATELIMIT_SCOPE_SHARED, /* the resource, for everyone: the other numbers do not apply, no invalid request */
	RATELIMIT_SCOPE_GLOBAL, /* all our requests */
	RATELIMIT_SCOPE_BAN,    /* our address, by Cloudflare: neither JSON nor retry_after */
	RATELIMIT_SCOPE_COUNT,
};
extern const char *const ratelimit_scope_names[RATELIMIT_SCOPE_COUNT];

/* What one answer says about limits. Zero it, give it every header, then classify. */
struct ratelimit_answer {
	char hash[RATELIMIT_HASH_SIZE]; /* "" = none given */
	uint32_t limit, remaining;
	uint64_t reset_after_ns;
	bool has_limit, has_remaining, has_reset_after;
	uint64_t header_retry_ns; /* Retry-After */
	bool has_header_retry, header_global;
	enum ratelimit_scope header_scope;
	/* filled by ratelimit_classify() */
	bool limited; /* a 429 */
	enum ratelimit_scope scope;
	uint64_t retry_after_ns; /* 0 for a ban that names no time */
};

/* One header line "Name: value" as received (any case, any ending); others than ours are ignored, as is nonsense. */
void ratelimit_header(struct ratelimit_answer *answer, const char *line, size_t len);

/* Parses "1", "0.63", "1.5e3"-free decimal seconds to ns. -EINVAL. Larger than RATELIMIT_WAIT_MAX_NS becomes that. */
int ratelimit_seconds(const char *text, size_t len, uint64_t *ret_ns);

/* Decides scope and waiting time of a 429 once the body is there. @body_retry_s < 0: the body had no retry_after
 * (or was no JSON). Anything but 429 is no limit. */
void ratelimit_classify(struct ratelimit_answer *answer, uint32_t http_status, double body_retry_s, bool body_global);

struct ratelimit;
struct ratelimit_bucket;

#define RATELIMIT_LANE_BUCKETS 4

/* Readable members; only ratelimit.c writes them, but for @queue. */
struct ratelimit_lane {
	void *queue; /* the caller's: a lane with a queue is never dropped */
	enum route route;
	unsigned variant;
	uint32_t inflight;
	bool answered; /* at least once, so that its limits (or their absence) are known */
	uint64_t blocked_until_ns;
};

/* At most @max_lanes; older ones with nothing to remember make room. NULL: no memory. */
struct ratelimit *ratelimit_new(uint32_t max_lanes);
void ratelimit_free(struct ratelimit *limits);

/* The lane of a call; made when new. @major: from route_major(). -ENOBUFS when all are in use, -ENOMEM. */
int ratelimit_lane(struct ratelimit *limits, enum route route, unsigned variant, const char *major, size_t major_len,
		   uint64_t now_ns, struct ratelimit_lane **ret_lane);

/* How long the next request of @lane must wait: 0 go, RATELIMIT_FOREVER until an answer comes, else ns. */
uint64_t ratelimit_wait(struct ratelimit_lane *lane, uint64_t now_ns);

/* What a request in flight holds; by value, given back exactly once by _answered or _failed. */
struct ratelimit_permit {
	struct ratelimit_lane *lane; /* NULL: none */
	struct ratelimit_bucket *bucket;
};
/* Only after ratelimit_wait() said 0. */
struct ratelimit_permit ratelimit_take(struct ratelimit_lane *lane, uint64_t now_ns);
/* @answer classified. Learns. GLOBAL and BAN are the caller's to spread; they block no lane here. -ENOMEM: the answer
 * was used as far as possible. */
int ratelimit_answered(struct ratelimit *limits, struct ratelimit_permit *permit, const struct ratelimit_answer *answer,
		       uint64_t now_ns);
/* No answer came. */
void ratelimit_failed(struct ratelimit_permit *permit);

/* Frees what has nothing to remember (no queue, nothing in flight, its windows over, unused for a minute). */
void ratelimit_sweep(struct ratelimit *limits, uint64_t now_ns);
uint32_t ratelimit_bucket_count(const struct ratelimit *limits);
uint32_t ratelimit_lane_count(const struct ratelimit *limits);

#endif
