/* SPDX-License-Identifier: MIT */
/* How much may be sent on one gateway connection: 120 payloads in any 60 s, of which some are kept for heartbeats, and
 * 5 presences in any 20 s. No clock of its own. Source: discord-facts section 4. */
#ifndef SHOAL_GATEWAY_LIMITER_H
#define SHOAL_GATEWAY_LIMITER_H

#include <stdint.h>

enum limiter_kind {
	LIMITER_HEARTBEAT, /* and RESUME, IDENTIFY: may use all 120 */
	LIMITER_COMMON,    /* may use 110 */
	LIMITER_PRESENCE,  /* common, and 5 in 20 s */
};

#define LIMITER_WINDOW_NS          (60ULL * 1000000000)
#define LIMITER_ALL                120
#define LIMITER_COMMON_MAX         110
#define LIMITER_PRESENCE_WINDOW_NS (20ULL * 1000000000)
#define LIMITER_PRESENCE_MAX       5

/* Remembers the last sends, so that no window of Discord's, wherever it begins, can hold more. */
struct limiter {
	uint64_t sent_ns[LIMITER_ALL]; /* ring */
	uint64_t presence_ns[LIMITER_PRESENCE_MAX];
	uint32_t sent_next, sent_count;
	uint32_t presence_next, presence_count;
};

/* A new connection begins with a clean slate. */
void limiter_reset(struct limiter *limiter);
/* Nanoseconds until one @kind may be sent, 0: now. @now_ns is monotonic and does not go back. */
uint64_t limiter_wait(const struct limiter *limiter, enum limiter_kind kind, uint64_t now_ns);
/* Notes that one @kind was sent (also when limiter_wait() said otherwise). */
void limiter_take(struct limiter *limiter, enum limiter_kind kind, uint64_t now_ns);

#endif
