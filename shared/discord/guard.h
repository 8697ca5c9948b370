/* What all our processes on a host share towards Discord: the global budget, the invalid-request window, the "token
 * invalid" latch. It lies on the host's board; without a board the same is kept for this process alone.
 * Loop thread only. Source: discord-facts.md section 12. */
#ifndef SHOAL_SHARED_DISCORD_GUARD_H
#define SHOAL_SHARED_DISCORD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/board/board.h"

#define GUARD_MINUTES 10

/* How far the invalid-request window is filled. */
enum guard_level {
	GUARD_OPEN,      /* below half */
	GUARD_WARN,      /* from 50 %: said once */
	GUARD_ESSENTIAL, /* from 80 %: only essential work goes on */
	GUARD_CLOSED,    /* at the limit: nothing goes out */
	GUARD_LEVEL_COUNT,
};
extern const char *const guard_level_names[GUARD_LEVEL_COUNT];

/* Embedded by its owner. */
struct guard {
	struct board_host *host; /* NULL: the members below serve */
	uint32_t per_s;
	uint32_t invalid_limit;
	uint64_t theoretical_ns; /* GCRA: when the budget would be full again */
	uint64_t blocked_until_ns;
	struct {
		uint64_t minute;
		uint32_t count;
	} invalid[GUARD_MINUTES];
	bool token_invalid;
};

void guard_init(struct guard *guard, struct board_host *host, uint32_t per_s, uint32_t invalid_limit);

/* ns until a global block ends; 0: none. All times are CLOCK_BOOTTIME. */
uint64_t guard_blocked(const struct guard *guard, uint64_t now_ns);
/* Takes one request of the budget, which also waits for a block to end: 0, or ns to wait and nothing taken. */
uint64_t guard_take(struct guard *guard, uint64_t now_ns);
/* A global 429 or a ban: only ever moved later. */
void guard_block(struct guard *guard, uint64_t until_ns);

/* Books a 401, 403 or non-shared 429. */
void guard_invalid_add(struct guard *guard, uint64_t now_ns);
uint32_t guard_invalid_count(const struct guard *guard, uint64_t now_ns);
enum guard_level guard_level(const struct guard *guard, uint64_t now_ns);

void guard_set_token_invalid(struct guard *guard, bool invalid);
bool guard_token_invalid(const struct guard *guard);

#endif
