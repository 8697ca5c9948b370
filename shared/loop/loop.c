/* The process's one libuv loop. Runs on the main thread and belongs to it alone.
 * Owns the three time scales (callbacks, end of pass, slow tick) and measures how long a pass keeps others waiting.
 * Must not block and must not know what its users do. */
#include "shared/loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/log/log.h"

/* How long loop_finish() waits for requests (file work, resolver) that run on libuv's threads and can't be called back.
 */
#define FINISH_DEADLINE_MS 2000

/* --- hooks ---------------------------------------------------------------------------------------------------------
 */

static void hooks_init(struct loop_hooks *hooks)
{
	*hooks = (struct loop_hooks){ .ring = { .prev = &hooks->ring, .next = &hooks->ring } };
}

static void hook_insert_before(struct loop_hook *where, struct loop_hook *hook)
{
	hook->prev = where->prev;
	hook->next = where;
	where->prev->next = hook;
	where->prev = hook;
}

void loop_remove_hook(struct loop_hook *hook)
{
	if (!hook->next)
		return;
	hook->prev->next = hook->next;
	hook->next->prev = hook->prev;
	hook->prev = hook->next = NULL;
}

/* Runs what was registered when the run began. The two marks, a cursor and an end, keep this right whatever a hook
 * removes or adds meanwhile, itself and its neighbours included. */
static void run_hooks(struct loop_hooks *hooks)
{
	hook_insert_before(&hooks->ring, &hooks->end);
	hook_insert_before(hooks->ring.next, &hooks->cursor);
	while (hooks->cursor.next != &hooks->end) {
		struct loop_hook *hook = hooks->cursor.next;

		loop_remove_hook(&hooks->cursor);
		hook_insert_before(hook->next, &hooks->cursor);
		hook->fn(hook->arg);
	}
	loop_remove_hook(&hooks->cursor);
	loop_remove_hook(&hooks->end);
}

static void add_hook(struct loop_hooks *hooks, struct loop_hook *hook, loop_fn fn, void *arg)
{
	assert(!hook->next);
	hook->fn = fn;
	hook->arg = arg;
	hook_insert_before(&hooks->ring, hook);
}

void loop_at_pass_end(struct loop *loop, struct loop_hook *hook, loop_fn fn, void *arg)
{
	add_hook(&loop->pass_hooks, hook, fn, arg);
}

void loop_at_tick(struct loop *loop, struct loop_hook *hook, loop_fn fn, void *arg)
{
	add_hook(&loop->tick_hooks, hook, fn, arg);
}

/* --- the pass ------------------------------------------------------------------------------------------------------
 */

/* A pass is the time between two waits for I/O. libuv runs I/O callbacks before its check handles, so a check handle
 * alone can't see when the wait ended; the loop's own idle time tells it. */
static void on_pass_begin(uv_check_t *check)
{
	struct loop *loop = CONTAINER_OF(check, struct loop, pass_begin);

	loop->pass_started_ns = loop->wait_started_ns + (uv_metrics_idle_time(&loop->uv) - loop->idle_ns);
}

static void on_pass_end(uv_prepare_t *prepare)
{
	struct loop *loop = CONTAINER_OF(prepare, struct loop, pass_end);
	uint64_t now;

	run_hooks(&loop->pass_hooks);
	now = uv_hrtime();
	if (loop->pass_started_ns && now > loop->pass_started_ns && now - loop->pass_started_ns > loop->lag_max_ns)
		loop->lag_max_ns = now - loop->pass_started_ns;
	loop->wait_started_ns = now;
	loop->idle_ns = uv_metrics_idle_time(&loop->uv);
}

static void on_tick(uv_timer_t *timer)
{
	run_hooks(&CONTAINER_OF(timer, struct loop, tick)->tick_hooks);
}

uint64_t loop_take_lag(struct loop *loop)
{
	uint64_t lag_ns = loop->lag_max_ns;

	loop->lag_max_ns = 0;
	return lag_ns;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

static void ignore_sigpipe(void)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &action, NULL);
}

int loop_init(struct loop *loop)
{
	int r;

	memset(loop, 0, sizeof(*loop));
	ignore_sigpipe();
	r = uv_loop_init(&loop->uv);
	if (r < 0)
		return r;
	/* Costs one more epoll_wait a pass; needed for the lag. Only fails for options that are unknown. */
	r = uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME);
	if (r < 0) {
		uv_loop_close(&loop->uv);
		return r;
	}
	hooks_init(&loop->pass_hooks);
	hooks_init(&loop->tick_hooks);
	/* These four can't fail for valid arguments; our own handles don't keep the loop running. */
	uv_prepare_init(&loop->uv, &loop->pass_end);
	uv_prepare_start(&loop->pass_end, on_pass_end);
	uv_check_init(&loop->uv, &loop->pass_begin);
	uv_check_start(&loop->pass_begin, on_pass_begin);
	uv_timer_init(&loop->uv, &loop->tick);
	uv_timer_start(&loop->tick, on_tick, LOOP_TICK_MS, LOOP_TICK_MS);
	uv_unref((uv_handle_t *)&loop->pass_end);
	uv_unref((uv_handle_t *)&loop->pass_begin);
	uv_unref((uv_handle_t *)&loop->tick);
	return 0;
}

void loop_run(struct loop *loop)
{
	loop->pass_started_ns = 0;
	loop->wait_started_ns = uv_hrtime();
	loop->idle_ns = uv_metrics_idle_time(&loop->uv);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

/* What the walk below counts. */
struct handle_census {
	const uv_handle_t *guard;
	unsigned open, closing;
	bool log;
};

static void count_handle(uv_handle_t *handle, void *arg)
{
	struct handle_census *census = arg;
	const char *kind = uv_handle_type_name(uv_handle_get_type(handle));

	if (handle == census->guard)
		return;
	if (uv_is_closing(handle)) {
		census->closing++;
		return;
	}
	census->open++;
	if (census->log)
		log_error(NULL, "loop.handle_leaked", KV_STR("kind", kind ? kind : "unknown"),
			  KV_BOOL("active", uv_is_active(handle)),
			  KV_MSG("a part ended without closing its handle: this is a bug"));
}

static void on_guard(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Turns the loop until every handle that is closing is gone and no request runs, within a deadline. */
static struct handle_census drain(struct loop *loop)
{
	struct handle_census census = { 0 };
	uv_timer_t guard;
	bool expired = false;

	uv_timer_init(&loop->uv, &guard);
	guard.data = &expired;
	uv_update_time(&loop->uv);
	uv_timer_start(&guard, on_guard, FINISH_DEADLINE_MS, 0);
	do {
		uv_run(&loop->uv, UV_RUN_NOWAIT);
		census = (struct handle_census){ .guard = (uv_handle_t *)&guard };
		uv_walk(&loop->uv, count_handle, &census);
		if (!census.closing && loop->uv.active_reqs.count > 0 && !expired)
			uv_run(&loop->uv, UV_RUN_ONCE);
	} while ((census.closing || loop->uv.active_reqs.count > 0) && !expired);
	uv_close((uv_handle_t *)&guard, NULL);
	uv_run(&loop->uv, UV_RUN_NOWAIT);
	census = (struct handle_census){ .log = true };
	uv_walk(&loop->uv, count_handle, &census);
	return census;
}

int loop_finish(struct loop *loop)
{
	struct handle_census census;
	int r;

	uv_close((uv_handle_t *)&loop->pass_end, NULL);
	uv_close((uv_handle_t *)&loop->pass_begin, NULL);
	uv_close((uv_handle_t *)&loop->tick, NULL);
	census = drain(loop);
	if (census.open || census.closing)
		return -EBUSY;
	r = uv_loop_close(&loop->uv);
	if (r < 0)
		log_error(NULL, "loop.requests_running", KV_INT("requests", (int64_t)loop->uv.active_reqs.count),
			  KV_ERR(r), KV_MSG("file or resolver work did not end in time"));
	return r;
}

/* --- timers --------------------------------------------------------------------------------------------------------
 */

static void on_timer(uv_timer_t *uv)
{
	struct timer *timer = CONTAINER_OF(uv, struct timer, uv);

	timer->fn(timer->arg);
}

int timer_init(struct timer *timer, struct loop *loop, loop_fn fn, void *arg)
{
	memset(timer, 0, sizeof(*timer));
	timer->fn = fn;
	timer->arg = arg;
	return uv_timer_init(&loop->uv, &timer->uv);
}

void timer_start(struct timer *timer, uint64_t delay_ms)
{
	/* libuv counts from the pass's begin; after a long pass the timer would fire too early. */
	uv_update_time(timer->uv.loop);
	uv_timer_start(&timer->uv, on_timer, delay_ms, 0);
}

void timer_stop(struct timer *timer)
{
	if (timer->uv.loop)
		uv_timer_stop(&timer->uv);
}

int timer_active(const struct timer *timer)
{
	return timer->uv.loop && uv_is_active((const uv_handle_t *)&timer->uv);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct timer *timer = CONTAINER_OF((uv_timer_t *)handle, struct timer, uv);

	if (timer->closed)
		timer->closed(timer->arg);
}

void timer_close(struct timer *timer, loop_fn closed)
{
	if (!timer->uv.loop) {
		/* Never initialised: nothing of libuv's holds it. */
		if (closed)
			closed(timer->arg);
		return;
	}
	if (uv_is_closing((uv_handle_t *)&timer->uv))
		return;
	timer->closed = closed;
	uv_close((uv_handle_t *)&timer->uv, on_timer_closed);
}
