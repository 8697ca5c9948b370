/* The process's one libuv loop and its three time scales: callbacks, end of pass, slow tick.
 * Parts use uv_timer_t and friends on loop->uv directly; foreign descriptors go through watch.h, foreign threads
 * through inlet.h. Nothing on the loop blocks. */
#ifndef SHOAL_SHARED_LOOP_LOOP_H
#define SHOAL_SHARED_LOOP_LOOP_H

#include <stdint.h>
#include <uv.h>

typedef void (*loop_fn)(void *arg);

/* A hook, embedded by its owner, zeroed before its first use; linked while registered. */
struct loop_hook {
	loop_fn fn;
	void *arg;
	struct loop_hook *prev, *next;
};

/* A ring of hooks with two marks that stand in it while it runs. */
struct loop_hooks {
	struct loop_hook ring, cursor, end;
};

struct loop {
	uv_loop_t uv;
	uv_prepare_t pass_end;
	uv_check_t pass_begin;
	uv_timer_t tick;
	struct loop_hooks pass_hooks; /* run before the loop waits for I/O, in order of registration */
	struct loop_hooks tick_hooks; /* run each 250 ms */
	uint64_t lag_max_ns;          /* longest pass since the last loop_take_lag() */
	uint64_t pass_started_ns;     /* when the wait before this pass ended (uv_hrtime) */
	uint64_t wait_started_ns;
	uint64_t idle_ns; /* libuv's idle time when that wait began */
};

#define LOOP_TICK_MS 250

/* Caller owns @loop. -errno. SIGPIPE is set to be ignored. */
int loop_init(struct loop *loop);
/* Runs until loop_stop() or nothing is left. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Closes our own handles, runs the loop until every closing handle is gone, closes it.
 * -EBUSY when a part left handles open: their kinds are logged (a bug of that part). */
int loop_finish(struct loop *loop);

/* End of pass: flush, commit, publish. Keeps @hook until loop_remove_hook(). */
void loop_at_pass_end(struct loop *loop, struct loop_hook *hook, loop_fn fn, void *arg);
/* Slow tick: time-outs, gauges, stamps. */
void loop_at_tick(struct loop *loop, struct loop_hook *hook, loop_fn fn, void *arg);
/* Accepts a hook that is not registered. May be called from within a hook. */
void loop_remove_hook(struct loop_hook *hook);
/* Longest single pass (ns) since the last call. */
uint64_t loop_take_lag(struct loop *loop);

/* Restartable one-shot timer embedded by its owner. timer_close() is asynchronous: the memory must outlive the close;
 * @closed (may be NULL) says when. */
struct timer {
	uv_timer_t uv;
	loop_fn fn;
	void *arg;
	loop_fn closed;
};
int timer_init(struct timer *timer, struct loop *loop, loop_fn fn, void *arg);
void timer_start(struct timer *timer, uint64_t delay_ms);
void timer_stop(struct timer *timer);
int timer_active(const struct timer *timer);
/* Closing twice is nothing to do (the first @closed counts). A zeroed timer calls @closed at once. */
void timer_close(struct timer *timer, loop_fn closed);

#endif
