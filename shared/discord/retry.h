/* Whether an attempt that did not succeed is made again, and when: one table and one function, without state.
 * Any thread. Source: discord-facts.md section 12, "Retry policy". */
#ifndef SHOAL_SHARED_DISCORD_RETRY_H
#define SHOAL_SHARED_DISCORD_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/discord/routes.h"

/* How an attempt ended, as far as repeating is concerned. */
enum retry_outcome {
	RETRY_UNSENT,  /* the connection was never made: nothing was processed */
	RETRY_LIMITED, /* 429: nothing was processed */
	RETRY_SERVER,  /* 5xx: who knows */
	RETRY_LOST,    /* sent, and no answer came (reset, time-out): who knows */
	RETRY_GARBLED, /* 2xx, but the body is cut or no JSON: it was processed, the answer is lost */
	RETRY_REFUSED, /* anything that will be the same next time: 4xx, a wrong certificate */
	RETRY_OUTCOME_COUNT,
};
extern const char *const retry_outcome_names[RETRY_OUTCOME_COUNT];

struct retry_input {
	enum retry_outcome outcome;
	enum route_repeat repeat; /* NONCE only when the body really has its nonce, else say NEVER */
	bool interaction;         /* the callback: one repeat at most, at once */
	bool maybe_before;        /* an earlier attempt may have been carried out */
	uint32_t attempts;        /* made so far, 1 or more */
	uint64_t now_ns;
	uint64_t first_sent_ns; /* of the first attempt (a nonce's age counts from here) */
	uint64_t deadline_ns;
	uint64_t retry_after_ns; /* LIMITED: what Discord asked for */
	double random;           /* [0, 1): the jitter */
};

struct retry_verdict {
	bool again;
	bool too_long; /* it might be repeated, but the deadline comes before */
	uint64_t delay_ns;
};

struct retry_verdict retry_decide(const struct retry_input *input);

/* Whether Discord may have carried out a request that ended so. */
bool retry_maybe_done(enum retry_outcome outcome);

#endif
