/* For tests that turn a real loop: waits on a condition, never on a time; the deadline only ends a broken test. */
#ifndef SHOAL_TESTS_UNIT_LOOP_WAIT_H
#define SHOAL_TESTS_UNIT_LOOP_WAIT_H

#include <stdbool.h>
#include <stdlib.h>

#include "shared/base/clock.h"
#include "shared/loop/loop.h"

struct loop_wait {
	struct loop *loop;
	bool (*met)(void *arg);
	void *arg;
	bool ok, expired;
	bool guard_closed;
};

static inline void loop_wait_check(void *arg)
{
	struct loop_wait *wait = arg;

	wait->ok = wait->met(wait->arg);
	if (wait->ok || wait->expired)
		loop_stop(wait->loop);
}

static inline void loop_wait_expire(uv_timer_t *timer)
{
	((struct loop_wait *)timer->data)->expired = true;
}

/* libuv waits after the pass-end hook; a condition met by another thread alone is looked at again soon. */
static inline void loop_wait_turn(uv_timer_t *timer)
{
	(void)timer;
}

static inline void loop_wait_closed(uv_handle_t *handle)
{
	((struct loop_wait *)handle->data)->guard_closed = true;
}

/* Turns the loop until met(arg) or for @ms; true when it was met. */
static inline bool loop_wait_for(struct loop *loop, bool (*met)(void *arg), void *arg, uint64_t ms)
{
	struct loop_wait wait = { .loop = loop, .met = met, .arg = arg };
	struct loop_hook hook = { 0 };
	uv_timer_t guard, turn;

	uv_update_time(&loop->uv);
	uv_timer_init(&loop->uv, &guard);
	uv_timer_init(&loop->uv, &turn);
	guard.data = &wait;
	turn.data = &wait;
	uv_timer_start(&guard, loop_wait_expire, ms, 0);
	uv_timer_start(&turn, loop_wait_turn, 20, 20);
	loop_at_pass_end(loop, &hook, loop_wait_check, &wait);
	loop_run(loop);
	loop_remove_hook(&hook);
	uv_close((uv_handle_t *)&turn, NULL);
	uv_close((uv_handle_t *)&guard, loop_wait_closed);
	while (!wait.guard_closed)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
	return wait.ok;
}

/* Longest pass that a test lets go by, in ns. What may not happen is waiting: that would be seconds. Half of one leaves
 * room for a busy machine; SHOAL_TEST_SLOW=20 (valgrind) for one that computes that much slower. */
static inline unsigned int loop_wait_slowness(void)
{
	const char *slow = getenv("SHOAL_TEST_SLOW");

	return slow && atoi(slow) > 0 ? (unsigned int)atoi(slow) : 1;
}

static inline uint64_t loop_wait_lag_max(void)
{
	return loop_wait_slowness() * (NS_PER_S / 2);
}

static inline bool loop_wait_true(void *arg)
{
	return *(bool *)arg;
}

static inline bool loop_wait_nonzero(void *arg)
{
	return *(int *)arg != 0;
}

#endif
