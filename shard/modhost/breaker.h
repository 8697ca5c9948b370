/* The breaker of a module on one shard: switched off when its code crashed the worker so often within a window, tried
 * again after a while that doubles each time. Pure: what it remembers lies on the board, so that the next worker knows.
 *
 *	ON --crashes in the window--> OFF --time--> TRIAL --a stable time--> ON
 *	                               ^--- one crash ---'                          */
#ifndef SHOAL_SHARD_MODHOST_BREAKER_H
#define SHOAL_SHARD_MODHOST_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/board/board.h"

enum breaker_state {
	BREAKER_ON = BOARD_MODULE_ON,
	BREAKER_OFF = BOARD_MODULE_OFF,
	BREAKER_TRIAL = BOARD_MODULE_TRIAL,
	BREAKER_STATE_COUNT = BOARD_MODULE_STATE_COUNT,
};
enum breaker_event { BREAKER_CRASH, BREAKER_TIME, BREAKER_EVENT_COUNT };

struct breaker_rules {
	uint32_t crashes; /* that switch it off; 0: never */
	uint32_t window_s;
	uint32_t retry_s, retry_cap_s; /* the first pause, and the longest */
	uint32_t stable_s;             /* a trial without a crash for so long was a success */
};

/* Makes sense of what came from the board: numbers that can't be are set right (a time beyond the longest pause, a
 * state that is none). */
void breaker_check(struct board_module *module, const struct breaker_rules *rules, uint64_t now_ns);
/* How long it is off after its last trip. */
uint64_t breaker_pause_ns(const struct board_module *module, const struct breaker_rules *rules);
/* BREAKER_CRASH: the last worker died in it. BREAKER_TIME: look at the clock. True: the state is another now. Times are
 * CLOCK_BOOTTIME. */
bool breaker_step(struct board_module *module, enum breaker_event event, uint64_t now_ns,
		  const struct breaker_rules *rules);

#endif
