/* The loop: hooks that remove each other, lag, timers, leaked handles that are found; watches under reset and removal;
 * inlets hammered from four threads and closed under fire. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/loop/inlet.h"
#include "shared/loop/loop.h"
#include "shared/loop/watch.h"

static struct loop loop;
static struct timer guard;
static bool guard_fired;

static void on_guard(void *arg)
{
	(void)arg;
	guard_fired = true;
	loop_stop(&loop);
}

/* Runs the loop until somebody stops it; ten seconds are a failure. */
static void run(void)
{
	guard_fired = false;
	timer_start(&guard, 10000);
	loop_run(&loop);
	timer_stop(&guard);
	assert_false(guard_fired);
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(timer_init(&guard, &loop, on_guard, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	timer_close(&guard, NULL);
	assert_int_equal(loop_finish(&loop), 0);
	return 0;
}

/* --- hooks -----------------------------------------------------------------------------------------------------------
 */

static struct loop_hook hooks[5];
static char order[64];
static int passes;

static void do_nothing(void *arg)
{
	(void)arg;
}

static void note(void *arg)
{
	size_t len = strlen(order);

	if (len < sizeof(order) - 1)
		order[len] = *(const char *)arg;
}

static void remove_self_and_next(void *arg)
{
	note(arg);
	loop_remove_hook(&hooks[1]);
	loop_remove_hook(&hooks[2]);
	loop_remove_hook(&hooks[2]); /* not registered any more: nothing to do */
}

static void add_one(void *arg)
{
	note(arg);
	if (!hooks[4].next)
		loop_at_pass_end(&loop, &hooks[4], note, "e");
}

static void stop_after_two(void *arg)
{
	(void)arg;
	note("|");
	if (++passes == 2)
		loop_stop(&loop);
}

static void test_hooks_run_in_order_whatever_they_do(void **state)
{
	struct loop_hook last = { 0 };
	static struct timer again;

	(void)state;
	memset(hooks, 0, sizeof(hooks));
	memset(order, 0, sizeof(order));
	passes = 0;
	loop_remove_hook(&hooks[0]); /* never registered */
	loop_at_pass_end(&loop, &hooks[0], add_one, "a");
	loop_at_pass_end(&loop, &hooks[1], remove_self_and_next, "b");
	loop_at_pass_end(&loop, &hooks[2], note, "c");
	loop_at_pass_end(&loop, &hooks[3], note, "d");
	loop_at_pass_end(&loop, &last, stop_after_two, NULL);
	/* A second pass comes when this fires. */
	timer_init(&again, &loop, do_nothing, NULL);
	timer_start(&again, 5);
	run();
	/* c was removed before its turn; e, added during the first pass, runs from the second on. */
	assert_string_equal(order, "abd|ad|e");
	loop_remove_hook(&hooks[0]);
	loop_remove_hook(&hooks[3]);
	loop_remove_hook(&hooks[4]);
	loop_remove_hook(&last);
	timer_close(&again, NULL);
}

static int ticks;

static void on_tick(void *arg)
{
	(void)arg;
	if (++ticks == 2)
		loop_stop(&loop);
}

static void test_tick_and_lag(void **state)
{
	struct loop_hook hook = { 0 };
	uint64_t before = clock_monotonic_ns(), took;

	(void)state;
	ticks = 0;
	loop_at_tick(&loop, &hook, on_tick, NULL);
	run();
	took = clock_monotonic_ns() - before;
	assert_true(took >= 490 * NS_PER_MS && took < 5 * NS_PER_S);
	loop_remove_hook(&hook);
	/* Waiting half a second is no lag. */
	assert_true(loop_take_lag(&loop) < 200 * NS_PER_MS);
	assert_int_equal(loop_take_lag(&loop), 0);
}

static void work_for_60_ms(void *arg)
{
	uint64_t until = clock_monotonic_ns() + 60 * NS_PER_MS;

	(void)arg;
	while (clock_monotonic_ns() < until)
		;
}

static void work_on_io(void *arg, int error, int events)
{
	(void)error;
	(void)events;
	work_for_60_ms(NULL);
	watch_set(*(struct watch **)arg, 0);
}

static void stop_loop(void *arg)
{
	(void)arg;
	loop_stop(&loop);
}

/* Work in timers and in I/O callbacks counts alike, though libuv runs them on different sides of its check handles. */
static void test_lag_sees_every_callback(void **state)
{
	static struct timer busy, stop;
	struct watch *watch = NULL;
	int fds[2];

	(void)state;
	timer_init(&busy, &loop, work_for_60_ms, NULL);
	timer_init(&stop, &loop, stop_loop, NULL);
	timer_start(&busy, 1);
	timer_start(&stop, 100);
	run();
	assert_in_range(loop_take_lag(&loop), 55 * NS_PER_MS, 2 * NS_PER_S);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(watch_new(&loop, fds[0], WATCH_READ, work_on_io, &watch, &watch), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	timer_start(&stop, 100);
	run();
	assert_in_range(loop_take_lag(&loop), 55 * NS_PER_MS, 2 * NS_PER_S);
	watch_free(watch);
	close(fds[0]);
	close(fds[1]);
	timer_close(&busy, NULL);
	timer_close(&stop, NULL);
}

/* --- timers ----------------------------------------------------------------------------------------------------------
 */

static int fired, timer_closed;

static void count_fire(void *arg)
{
	(void)arg;
	fired++;
	loop_stop(&loop);
}

static void count_closed(void *arg)
{
	(void)arg;
	timer_closed++;
	loop_stop(&loop);
}

static void test_timers(void **state)
{
	static struct timer timer, zero;
	uint64_t started;

	(void)state;
	fired = timer_closed = 0;
	timer_init(&timer, &loop, count_fire, NULL);
	assert_false(timer_active(&timer));
	/* After a long pass it counts from now, not from the pass's begin. */
	work_for_60_ms(NULL);
	started = clock_monotonic_ns();
	timer_start(&timer, 50);
	assert_true(timer_active(&timer));
	run();
	assert_int_equal(fired, 1);
	assert_true(clock_monotonic_ns() - started >= 48 * NS_PER_MS);
	assert_false(timer_active(&timer));
	timer_start(&timer, 60000);
	timer_start(&timer, 1); /* restarted, not added */
	run();
	assert_int_equal(fired, 2);
	timer_start(&timer, 1);
	timer_stop(&timer);
	timer_close(&timer, count_closed);
	timer_close(&timer, count_closed);
	assert_int_equal(timer_closed, 0);
	run();
	assert_int_equal(timer_closed, 1);
	assert_int_equal(fired, 2);
	timer_stop(&zero);
	assert_false(timer_active(&zero));
	timer_close(&zero, count_closed);
	assert_int_equal(timer_closed, 2);
}

/* --- finish ----------------------------------------------------------------------------------------------------------
 */

static void test_finish_finds_a_leak(void **state)
{
	struct loop leaky;
	struct timer timer;
	char text[600];
	int fds[2];
	ssize_t n;

	(void)state;
	assert_int_equal(loop_init(&leaky), 0);
	timer_init(&timer, &leaky, do_nothing, NULL);
	timer_start(&timer, 100000);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	log_setup(&(struct log_options){ .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_JSON, .fd = fds[1] });
	assert_int_equal(loop_finish(&leaky), -EBUSY);
	log_setup(&(struct log_options){ .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_HUMAN, .fd = 2 });
	n = read(fds[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "loop.handle_leaked"));
	assert_non_null(strstr(text, "\"kind\":\"timer\""));
	close(fds[0]);
	close(fds[1]);
	/* The bug mended: now it ends. */
	timer_close(&timer, NULL);
	uv_run(&leaky.uv, UV_RUN_NOWAIT);
	assert_int_equal(uv_loop_close(&leaky.uv), 0);
}

static void slow_work(uv_work_t *work)
{
	uint64_t until = clock_monotonic_ns() + 100 * NS_PER_MS;

	while (clock_monotonic_ns() < until)
		;
	*(int *)work->data = 1;
}

static void slow_work_done(uv_work_t *work, int status)
{
	if (status == 0)
		*(int *)work->data += 1;
}

static void test_finish_waits_for_requests(void **state)
{
	struct loop busy;
	uv_work_t work;
	int done = 0;

	(void)state;
	assert_int_equal(loop_init(&busy), 0);
	work.data = &done;
	assert_int_equal(uv_queue_work(&busy.uv, &work, slow_work, slow_work_done), 0);
	assert_int_equal(loop_finish(&busy), 0);
	assert_int_equal(done, 2);
}

static void test_run_ends_when_nothing_is_left(void **state)
{
	struct loop empty;
	struct sigaction action;

	(void)state;
	assert_int_equal(loop_init(&empty), 0);
	loop_run(&empty);
	assert_int_equal(loop_finish(&empty), 0);
	assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
	assert_ptr_equal(action.sa_handler, SIG_IGN);
}

/* --- watches ---------------------------------------------------------------------------------------------------------
 */

struct seen {
	struct watch *watch;
	int calls, events, error;
	int fd;
	bool take_error, free_self;
};

static void on_watch(void *arg, int error, int events)
{
	struct seen *seen = arg;
	socklen_t size = sizeof(int);

	seen->calls++;
	seen->error = error;
	seen->events = events;
	if (seen->take_error)
		getsockopt(seen->fd, SOL_SOCKET, SO_ERROR, &seen->error, &size);
	if (seen->free_self)
		watch_free(seen->watch);
	else if (seen->take_error || error == 0)
		watch_set(seen->watch, 0);
	loop_stop(&loop);
}

static void test_watch_reads_pauses_and_frees_itself(void **state)
{
	struct seen seen = { .free_self = false };
	struct watch *twice = NULL;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(watch_new(&loop, fds[0], 0, on_watch, &seen, &seen.watch), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	for (int i = 0; i < 20; i++)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(watch_set(seen.watch, WATCH_READ | WATCH_WRITE), 0);
	assert_int_equal(watch_set(seen.watch, WATCH_READ), 0);
	run();
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.events, WATCH_READ);
	/* Paused by its own callback, though the byte is still there. */
	for (int i = 0; i < 20; i++)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	assert_int_equal(seen.calls, 1);
	/* The same number while it is watched: an error, and nothing is kept. */
	watch_set(seen.watch, WATCH_READ);
	assert_int_equal(watch_new(&loop, fds[0], WATCH_READ, on_watch, &seen, &twice), -EEXIST);
	assert_null(twice);
	seen.free_self = true;
	run();
	assert_int_equal(seen.calls, 2);
	/* Its number may be used at once. */
	assert_int_equal(watch_new(&loop, fds[0], WATCH_READ, on_watch, &seen, &seen.watch), 0);
	watch_free(seen.watch);
	watch_free(NULL);
	close(fds[0]);
	close(fds[1]);
}

static void test_watch_refuses_what_cannot_be_watched(void **state)
{
	struct watch *watch = NULL;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(watch_new(&loop, fd, WATCH_READ, on_watch, NULL, &watch), -EPERM);
	close(fd);
	assert_int_equal(watch_new(&loop, fd, WATCH_READ, on_watch, NULL, &watch), -EBADF);
	assert_null(watch);
}

/* A TCP connection that nobody accepts any more: the error is the owner's to fetch. */
static int refused_socket(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	close(listener);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, size), -1);
	assert_int_equal(errno, EINPROGRESS);
	return fd;
}

static void test_watch_leaves_the_sockets_error_to_its_owner(void **state)
{
	struct seen seen = { .take_error = true };

	(void)state;
	seen.fd = refused_socket();
	assert_int_equal(watch_new(&loop, seen.fd, WATCH_WRITE, on_watch, &seen, &seen.watch), 0);
	run();
	assert_int_equal(seen.error, ECONNREFUSED);
	assert_int_equal(seen.events, WATCH_WRITE);
	watch_free(seen.watch);
	close(seen.fd);
}

static void never_look(void *arg, int error, int events)
{
	struct seen *seen = arg;

	(void)events;
	seen->calls++;
	seen->error = error;
	if (error < 0)
		loop_stop(&loop);
}

static void test_watch_does_not_spin_for_an_owner_that_never_looks(void **state)
{
	struct seen seen = { 0 };
	int fds[2];

	(void)state;
	/* The writing end of a pipe without a reader is in error for ever. */
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(fds[1], order, sizeof(order)) > 0)
		;
	close(fds[0]);
	assert_int_equal(watch_new(&loop, fds[1], WATCH_READ, never_look, &seen, &seen.watch), 0);
	run();
	assert_int_equal(seen.error, -EIO);
	assert_in_range(seen.calls, 2, 50);
	watch_free(seen.watch);
	close(fds[1]);
}

/* --- inlets ----------------------------------------------------------------------------------------------------------
 */

#define THREADS 4
#define ITEMS   50000

struct item {
	struct inlet_item link;
	int thread, number;
};

struct hammer {
	struct inlet *inlet;
	atomic_int accepted, full, dropped, shut;
	int got, last[THREADS], want;
	bool in_order;
};

static struct hammer hammer;

static void on_item(void *arg, struct inlet_item *link)
{
	struct hammer *h = arg;
	struct item *item = (struct item *)link;

	h->got++;
	h->in_order = h->in_order && item->number > h->last[item->thread];
	h->last[item->thread] = item->number;
	free(item);
	if (h->want && h->got == h->want)
		inlet_close(h->inlet);
}

static void on_drop(struct inlet_item *link)
{
	atomic_fetch_add(&hammer.dropped, 1);
	free(link);
}

static void *put_many(void *arg)
{
	int thread = (int)(intptr_t)arg;

	for (int i = 1; i <= ITEMS; i++) {
		struct item *item = calloc(1, sizeof(*item));
		int r;

		item->thread = thread;
		item->number = i;
		while ((r = inlet_put(hammer.inlet, &item->link)) == -ENOBUFS) {
			atomic_fetch_add(&hammer.full, 1);
			sched_yield();
		}
		if (r == 0) {
			atomic_fetch_add(&hammer.accepted, 1);
			continue;
		}
		/* Closed: the item stayed ours. */
		assert_int_equal(r, -ESHUTDOWN);
		atomic_fetch_add(&hammer.shut, 1);
		free(item);
	}
	inlet_unref(hammer.inlet);
	return NULL;
}

static void run_hammer(int want, size_t max_items)
{
	pthread_t threads[THREADS];

	memset(&hammer, 0, sizeof(hammer));
	hammer.in_order = true;
	hammer.want = want;
	assert_int_equal(inlet_new(&loop, max_items, on_item, on_drop, &hammer, &hammer.inlet), 0);
	for (int i = 0; i < THREADS; i++) {
		inlet_ref(hammer.inlet);
		assert_int_equal(pthread_create(&threads[i], NULL, put_many, (void *)(intptr_t)i), 0);
	}
	/* Ends when the inlet is closed: nothing else keeps the loop running. */
	uv_unref((uv_handle_t *)&guard.uv);
	run();
	uv_ref((uv_handle_t *)&guard.uv);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void test_inlet_takes_all_from_four_threads(void **state)
{
	(void)state;
	run_hammer(THREADS * ITEMS, 1000);
	assert_int_equal(hammer.got, THREADS * ITEMS);
	assert_int_equal(hammer.accepted, THREADS * ITEMS);
	assert_int_equal(hammer.dropped, 0);
	assert_true(hammer.in_order);
}

static void test_inlet_closed_under_fire_loses_no_item(void **state)
{
	(void)state;
	run_hammer(ITEMS / 3, 100);
	assert_int_equal(hammer.got, ITEMS / 3);
	/* Each item was delivered, dropped by us, or stayed its thread's. */
	assert_int_equal(hammer.accepted, hammer.got + hammer.dropped);
	assert_int_equal(hammer.accepted + hammer.shut, THREADS * ITEMS);
	assert_true(hammer.shut > 0);
	assert_true(hammer.in_order);
}

static void test_inlet_is_bounded(void **state)
{
	struct item *items[3];

	(void)state;
	memset(&hammer, 0, sizeof(hammer));
	assert_int_equal(inlet_new(&loop, 2, on_item, on_drop, &hammer, &hammer.inlet), 0);
	for (int i = 0; i < 3; i++) {
		items[i] = calloc(1, sizeof(*items[i]));
		assert_int_equal(inlet_put(hammer.inlet, &items[i]->link), i < 2 ? 0 : -ENOBUFS);
	}
	free(items[2]);
	inlet_ref(hammer.inlet);
	inlet_close(hammer.inlet);
	inlet_close(hammer.inlet);
	assert_int_equal(hammer.dropped, 2);
	uv_run(&loop.uv, UV_RUN_NOWAIT);
	/* The reference still holds the memory. */
	items[0] = calloc(1, sizeof(*items[0]));
	assert_int_equal(inlet_put(hammer.inlet, &items[0]->link), -ESHUTDOWN);
	free(items[0]);
	inlet_unref(hammer.inlet);
	inlet_unref(NULL);
	assert_int_equal(hammer.got, 0);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_hooks_run_in_order_whatever_they_do),
		LOOP_TEST(test_tick_and_lag),
		LOOP_TEST(test_lag_sees_every_callback),
		LOOP_TEST(test_timers),
		cmocka_unit_test(test_finish_finds_a_leak),
		cmocka_unit_test(test_finish_waits_for_requests),
		cmocka_unit_test(test_run_ends_when_nothing_is_left),
		LOOP_TEST(test_watch_reads_pauses_and_frees_itself),
		LOOP_TEST(test_watch_refuses_what_cannot_be_watched),
		LOOP_TEST(test_watch_leaves_the_sockets_error_to_its_owner),
		LOOP_TEST(test_watch_does_not_spin_for_an_owner_that_never_looks),
		LOOP_TEST(test_inlet_takes_all_from_four_threads),
		LOOP_TEST(test_inlet_closed_under_fire_loses_no_item),
		LOOP_TEST(test_inlet_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
