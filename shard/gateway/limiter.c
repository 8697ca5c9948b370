/* SPDX-License-Identifier: MIT */
/* The send budget of a connection as a log of its last sends. Run by the session before each payload; must not read a
 * clock, so that tests choose the time. */
#include "shard/gateway/limiter.h"

#include <string.h>

void limiter_reset(struct limiter *limiter)
{
	memset(limiter, 0, sizeof(*limiter));
}

/* The @max-th last send of @ring, of which @count of @size entries are filled and @next is the oldest place to be
 * overwritten: as long as it lies inside the window, another send would be one too many. */
static uint64_t wait_for(const uint64_t *ring, uint32_t size, uint32_t next, uint32_t count, uint32_t max,
			 uint64_t window_ns, uint64_t now_ns)
{
	uint64_t free_at;

	if (count < max)
		return 0;
	free_at = ring[(next + size - max) % size] + window_ns;
	return free_at > now_ns ? free_at - now_ns : 0;
}

uint64_t limiter_wait(const struct limiter *limiter, enum limiter_kind kind, uint64_t now_ns)
{
	uint64_t wait, presence;

	wait = wait_for(limiter->sent_ns, LIMITER_ALL, limiter->sent_next, limiter->sent_count,
			kind == LIMITER_HEARTBEAT ? LIMITER_ALL : LIMITER_COMMON_MAX, LIMITER_WINDOW_NS, now_ns);
	if (kind != LIMITER_PRESENCE)
		return wait;
	presence = wait_for(limiter->presence_ns, LIMITER_PRESENCE_MAX, limiter->presence_next, limiter->presence_count,
			    LIMITER_PRESENCE_MAX, LIMITER_PRESENCE_WINDOW_NS, now_ns);
	return presence > wait ? presence : wait;
}

static void note(uint64_t *ring, uint32_t size, uint32_t *next, uint32_t *count, uint64_t now_ns)
{
	ring[*next] = now_ns;
	*next = (*next + 1) % size;
	if (*count < size)
		(*count)++;
}

void limiter_take(struct limiter *limiter, enum limiter_kind kind, uint64_t now_ns)
{
	note(limiter->sent_ns, LIMITER_ALL, &limiter->sent_next, &limiter->sent_count, now_ns);
	if (kind == LIMITER_PRESENCE)
		note(limiter->presence_ns, LIMITER_PRESENCE_MAX, &limiter->presence_next, &limiter->presence_count,
		     now_ns);
}
