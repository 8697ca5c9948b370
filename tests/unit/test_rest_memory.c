/* Memory that runs out: every allocation of building a body, sending it and reading limits is made to fail in turn,
 * curl's and libuv's included. Whatever fails is told by an error or by the caller's one answer, and the next call goes
 * through. The allocator is replaced for the time of one call; a sanitizer brings its own, so there this is skipped
 * aloud. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/discord/payload.h"
#include "shared/discord/ratelimit.h"
#include "shared/discord/rest.h"
#include "shared/log/log.h"
#include "tests/unit/http_stub.h"

#if defined(__SANITIZE_ADDRESS__)
#define REPLACED false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REPLACED false
#endif
#endif
#ifndef REPLACED
#define REPLACED true
#endif

static _Thread_local bool armed;
static _Thread_local long left; /* allocations that still succeed */
static _Thread_local bool failed;

#if REPLACED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);

static bool refuse(void)
{
	if (!armed || left-- > 0)
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return refuse() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return refuse() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *ptr, size_t size)
{
	return refuse() ? NULL : __libc_realloc(ptr, size);
}
#endif

static void arm(long allocations)
{
	left = allocations;
	failed = false;
	armed = true;
}

static bool disarm(void)
{
	armed = false;
	return failed;
}

static void need_allocator(void)
{
	if (REPLACED)
		return;
	print_message("SKIPPED: the sanitizer's allocator can't be replaced\n");
	skip();
}

static void test_payloads(void **state)
{
	uint64_t users[] = { 1, 2 };
	struct payload_message message = { .content = "hello",
					   .nonce = "n",
					   .reply_to = 5,
					   .mentions = { .all_roles = true, .users = users, .user_count = 2 } };
	char error[PAYLOAD_ERROR_SIZE];
	bool ran_out = true;
	long n;

	(void)state;
	need_allocator();
	for (n = 0; ran_out; n++) {
		json_t *body = NULL, *callback = NULL;
		char *clipped;
		int r;

		arm(n);
		r = payload_message(PAYLOAD_CREATE, &message, error, &body);
		ran_out = disarm();
		assert_int_equal(r, ran_out ? -ENOMEM : 0);
		assert_int_equal(body == NULL, ran_out);
		json_decref(body);
		arm(n);
		r = payload_interaction_message(&(struct payload_message){ .content = "x" }, false, error, &callback);
		assert_int_equal(r, disarm() ? -ENOMEM : 0);
		json_decref(callback);
		arm(n);
		clipped = payload_clip("abc", 2);
		assert_int_equal(clipped == NULL, disarm());
		free(clipped);
	}
	assert_true(n > 10);
}

static void test_lanes(void **state)
{
	struct ratelimit_answer answer = { .hash = "h", .limit = 5, .remaining = 4, .reset_after_ns = 1000000000 };
	bool ran_out = true;

	(void)state;
	need_allocator();
	answer.has_limit = answer.has_remaining = answer.has_reset_after = true;
	for (long n = 0; ran_out; n++) {
		struct ratelimit *limits = ratelimit_new(4);
		struct ratelimit_lane *lane = NULL;
		struct ratelimit_permit permit;
		int r;

		assert_non_null(limits);
		arm(n);
		r = ratelimit_lane(limits, ROUTE_GET_GUILD, 0, "1", 1, 1, &lane);
		if (r == 0) {
			permit = ratelimit_take(lane, 1);
			ratelimit_answered(limits, &permit, &answer, 1);
		}
		ran_out = disarm();
		assert_true(r == 0 || (ran_out && r == -ENOMEM));
		/* afterwards all works */
		assert_int_equal(ratelimit_lane(limits, ROUTE_GET_GUILD, 0, "1", 1, 1, &lane), 0);
		assert_int_equal(lane->inflight, 0);
		permit = ratelimit_take(lane, 1);
		assert_int_equal(ratelimit_answered(limits, &permit, &answer, 1), 0);
		assert_int_equal(ratelimit_bucket_count(limits), 1);
		ratelimit_free(limits);
	}
}

static int answers, last_error;

static void on_answer(void *arg, const struct rest_result *result)
{
	(void)arg;
	answers++;
	last_error = result->error;
}

static void on_closed(void *arg)
{
	*(bool *)arg = true;
}

/* Sends with @n allocations to spare. True: one failed. */
static bool send_with(struct loop *loop, struct rest *rest, struct rest_request request, long n)
{
	bool ran_out;
	int r;

	answers = 0;
	last_error = 0;
	arm(n);
	r = rest_send(rest, &request, on_answer, NULL, NULL);
	ran_out = disarm();
	if (r < 0) {
		assert_true(ran_out);
		assert_int_equal(r, -ENOMEM);
	} else {
		while (!answers)
			uv_run(&loop->uv, UV_RUN_ONCE);
		if (!ran_out)
			assert_int_equal(last_error, 0);
	}
	assert_true(answers <= 1);
	return ran_out;
}

static void test_sending(void **state)
{
	static const struct stub_step step = { STUB_ANSWER, 204, "X-RateLimit-Bucket: b\r\n", "" };
	struct rest_request requests[] = {
		{ .route = ROUTE_GET_GUILD, .args.ids = { [ROUTE_ID_GUILD] = 1 } },
		{ .route = ROUTE_BAN,
		  .args.ids = { [ROUTE_ID_GUILD] = 1, [ROUTE_ID_USER] = 2 },
		  .text = "{}",
		  .text_len = 2,
		  .reason = "why not" },
		{ .route = ROUTE_INTERACTION_CALLBACK,
		  .args = { .ids = { [ROUTE_ID_INTERACTION] = 1 }, .token = "t" },
		  .text = "{\"type\":5}",
		  .text_len = 10 },
	};
	struct rest_options options = { .token = "t" };
	struct rest *rest = NULL;
	struct stub stub;
	struct loop loop;
	char base[64];
	bool closed, ran_out = true;

	(void)state;
	need_allocator();
	stub_start(&stub);
	stub_script(&stub, &step, 1);
	snprintf(base, sizeof(base), "http://127.0.0.1:%d/api/v10", stub.port);
	options.api_base = base;
	assert_int_equal(loop_init(&loop), 0);
	for (long n = 0; ran_out; n++) {
		int r;

		arm(n);
		r = rest_new(&loop, &options, NULL, NULL, NULL, NULL, &rest);
		ran_out = disarm();
		assert_int_equal(r, ran_out ? -ENOMEM : 0);
	}
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		ran_out = true;
		for (long n = 0; ran_out; n++)
			ran_out = send_with(&loop, rest, requests[i], n);
		/* and after all that it still goes */
		assert_false(send_with(&loop, rest, requests[i], 1000000));
	}
	closed = false;
	rest_close(rest, on_closed, &closed);
	while (!closed)
		uv_run(&loop.uv, UV_RUN_ONCE);
	assert_int_equal(loop_finish(&loop), 0);
	stub_stop(&stub);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_lanes),
		cmocka_unit_test(test_sending),
	};

	log_setup(&(struct log_options){ .level = LOG_LEVEL_AUDIT, .program = "test_rest_memory", .fd = 2 });
	return cmocka_run_group_tests(tests, NULL, NULL);
}
