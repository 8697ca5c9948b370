/* A name server that does not answer must not stop the loop: getaddrinfo() is replaced by one that waits for us, and
 * the client is cancelled, timed out and closed while curl's thread sits in it. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/discord/rest.h"
#include "shared/log/log.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int inside, entered;
static bool released;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)ret;
	pthread_mutex_lock(&lock);
	inside++;
	entered++;
	pthread_cond_broadcast(&changed);
	while (!released)
		pthread_cond_wait(&changed, &lock);
	inside--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return EAI_NONAME;
}

static int entries(void)
{
	int count;

	pthread_mutex_lock(&lock);
	count = entered;
	pthread_mutex_unlock(&lock);
	return count;
}

struct told {
	int calls, error;
	bool maybe_done;
};

static void on_answer(void *arg, const struct rest_result *result)
{
	struct told *told = arg;

	told->calls++;
	told->error = result->error;
	told->maybe_done = result->maybe_done;
}

static void on_closed(void *arg)
{
	*(bool *)arg = true;
}

static void test_dead_name_server(void **state)
{
	struct rest_request get = { .route = ROUTE_GET_GATEWAY, .deadline_ms = 20000 };
	struct rest_options options = { .api_base = "http://name.invalid:1/api/v10" };
	struct told cancelled = { 0 }, late = { 0 }, closing = { 0 };
	struct rest *rest;
	struct loop loop;
	uint64_t handle, before_ns;
	bool closed = false;

	(void)state;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(rest_new(&loop, &options, NULL, NULL, NULL, NULL, &rest), 0);
	assert_int_equal(rest_send(rest, &get, on_answer, &cancelled, &handle), 0);
	while (entries() < 1)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	before_ns = clock_monotonic_ns();
	assert_int_equal(rest_cancel(rest, handle), 0);
	assert_int_equal(cancelled.error, -ECANCELED);
	assert_false(cancelled.maybe_done);
	get.deadline_ms = 300;
	assert_int_equal(rest_send(rest, &get, on_answer, &late, NULL), 0);
	while (!late.calls)
		uv_run(&loop.uv, UV_RUN_ONCE);
	assert_int_equal(late.error, -ETIMEDOUT);
	assert_false(late.maybe_done);
	get.deadline_ms = 20000;
	assert_int_equal(rest_send(rest, &get, on_answer, &closing, NULL), 0);
	while (entries() < 3)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	rest_close(rest, on_closed, &closed);
	assert_int_equal(closing.error, -ECANCELED);
	while (!closed)
		uv_run(&loop.uv, UV_RUN_ONCE);
	assert_int_equal(loop_finish(&loop), 0);
	/* All that with curl's threads still sitting there. */
	assert_true(clock_monotonic_ns() - before_ns < 3 * NS_PER_S);
	pthread_mutex_lock(&lock);
	assert_int_equal(inside, entered);
	released = true;
	pthread_cond_broadcast(&changed);
	while (inside)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_dead_name_server) };

	log_setup(&(struct log_options){ .level = LOG_LEVEL_AUDIT, .program = "test_rest_resolver", .fd = 2 });
	return cmocka_run_group_tests(tests, NULL, NULL);
}
