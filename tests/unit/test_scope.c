/* Scopes: a module's handler that goes through requests and timers, one begun in the other's callback, cancelled at
 * every step. Whatever the step, each call that was begun completes exactly once, and nothing is left (ASan looks on).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utlist.h>

#include <shoal/scope.h>

#include "shard/commands/request.h"
#include "shard/events/scope.h"
#include "shard/modhost/modhost.h"
#include "shard/modhost/timers.h"
#include "shared/base/errors.h"
#include "tests/unit/loop_wait.h"

/* --- what stands in for the journal and the client */

struct sent {
	struct sent *prev, *next;
	uint64_t handle;
	uint32_t step;
	rest_fn fn;
	void *arg;
};
static struct sent *sent;
static uint64_t handles;
static int send_error;

int effects_send(struct effects *effects, struct effect_scope *scope, const struct rest_request *request, rest_fn fn,
		 void *arg, uint64_t *ret_handle)
{
	struct sent *one;

	(void)effects;
	json_decref(request->json);
	if (send_error)
		return send_error;
	one = calloc(1, sizeof(*one));
	*one = (struct sent){ .handle = ++handles, .step = scope->next_step, .fn = fn, .arg = arg };
	DL_APPEND(sent, one);
	*ret_handle = one->handle;
	return 0;
}

static void answer(struct sent *one, int error)
{
	struct rest_result result = { .error = error, .message = "" };
	rest_fn fn = one->fn;
	void *arg = one->arg;

	DL_DELETE(sent, one);
	free(one);
	fn(arg, &result);
}

int effects_cancel(struct effects *effects, uint64_t handle)
{
	struct sent *one;

	(void)effects;
	DL_FOREACH (sent, one) {
		if (one->handle == handle) {
			answer(one, -ECANCELED);
			return 0;
		}
	}
	return -ENOENT;
}

void effect_scope_init(struct effect_scope *scope, struct ticket *ticket, uint32_t lane)
{
	*scope = (struct effect_scope){ .ticket = ticket, .next_step = lane << 16 };
}

/* The host that timers ask for their loop. */
static struct loop loop;
static struct modhost_options services = { .loop = &loop };
const struct modhost_options *modhost_services(void)
{
	return &services;
}

/* --- a scope and its owner */

struct owner {
	struct shoal_scope scope;
	uint32_t refs;
	bool *freed;
};

static void hold(void *arg)
{
	((struct owner *)arg)->refs++;
}

static void release(void *arg)
{
	struct owner *owner = arg;

	if (--owner->refs == 0) {
		*owner->freed = true;
		free(owner);
	}
}

static struct module_entry module = { .name = "flow" };

static struct owner *owner_new(bool *freed)
{
	struct owner *owner = calloc(1, sizeof(*owner));

	*freed = false;
	owner->refs = 1;
	owner->freed = freed;
	scope_init(&owner->scope, &module, NULL, 3, owner, hold, release);
	return owner;
}

/* --- the handler: begun calls, each counted in and out */

#define CALLS 6
struct flow {
	struct shoal_scope *scope;
	int begun[CALLS], done[CALLS], cancelled[CALLS], refused;
	bool cancels_itself; /* from within a callback */
};
struct arg {
	struct flow *flow;
	int i;
};

static int begin_request(struct flow *flow, int i);
static int begin_timer(struct flow *flow, int i);

/* 0 -> 1 and 2; 1 -> timer 3; 3 -> 4; 2 -> timer 5 */
static void went_on(struct flow *flow, int i)
{
	static const int next[CALLS][2] = { { 1, 2 }, { 3, -1 }, { 5, -1 }, { 4, -1 }, { -1, -1 }, { -1, -1 } };
	size_t j;

	if (flow->cancels_itself && i == 1)
		scope_end(flow->scope);
	for (j = 0; j < 2; j++) {
		int r = 0;

		if (next[i][j] >= 0)
			r = next[i][j] == 3 || next[i][j] == 5 ? begin_timer(flow, next[i][j])
							       : begin_request(flow, next[i][j]);
		flow->refused += r == -ECANCELED;
		assert_true(r == 0 || r == -ECANCELED);
	}
}

static void note(struct arg *arg, int error)
{
	struct flow *flow = arg->flow;
	int i = arg->i;

	free(arg);
	flow->done[i]++;
	assert_true(error == 0 || error == -ECANCELED);
	flow->cancelled[i] += error != 0;
	went_on(flow, i); /* also when it was cancelled: what it begins then is refused */
}

static void on_result(void *arg, const struct shoal_result *result)
{
	note(arg, result->error);
}

static void on_timer(void *arg, int error)
{
	note(arg, error);
}

static struct arg *arg_new(struct flow *flow, int i)
{
	struct arg *arg = malloc(sizeof(*arg));

	*arg = (struct arg){ flow, i };
	return arg;
}

static int counted(struct flow *flow, int i, struct arg *arg, int r)
{
	if (r < 0)
		free(arg);
	else
		flow->begun[i]++;
	return r;
}

static int begin_request(struct flow *flow, int i)
{
	struct rest_request rest = { .route = ROUTE_TYPING, .args.ids = { [ROUTE_ID_CHANNEL] = 1 } };
	struct arg *arg = arg_new(flow, i);

	return counted(flow, i, arg, request_send(flow->scope, NULL, &rest, on_result, arg));
}

static int begin_timer(struct flow *flow, int i)
{
	struct arg *arg = arg_new(flow, i);

	return counted(flow, i, arg, timers_start(flow->scope, 0, on_timer, arg, NULL));
}

/* One thing happens: an answer comes, or a timer fires. False: nothing is left that could. */
static bool timer_fired(void *arg)
{
	struct flow *flow = arg;

	return flow->done[3] == flow->begun[3] && flow->done[5] == flow->begun[5];
}

static bool happen(struct flow *flow)
{
	if (sent) {
		answer(sent, 0);
		return true;
	}
	if (timer_fired(flow))
		return false;
	assert_true(loop_wait_for(&loop, timer_fired, flow, 5000));
	return true;
}

static int count_calls(const int *calls)
{
	int i, sum = 0;

	for (i = 0; i < CALLS; i++)
		sum += calls[i];
	return sum;
}

/* Runs the flow and ends the scope after @steps things have happened; returns whether it was through before. */
static bool run(int steps, bool cancels_itself)
{
	bool freed, through = false;
	struct owner *owner = owner_new(&freed);
	struct flow flow = { .scope = &owner->scope, .cancels_itself = cancels_itself };
	int i;

	assert_int_equal(begin_request(&flow, 0), 0);
	for (i = 0; i < steps && !through; i++)
		through = !happen(&flow);
	scope_end(&owner->scope);
	assert_null(owner->scope.calls);
	assert_int_equal(module.calls, 0);
	for (i = 0; i < CALLS; i++)
		assert_int_equal(flow.done[i], flow.begun[i]); /* each exactly once */
	assert_int_equal(begin_request(&flow, 4), -ECANCELED);
	assert_int_equal(begin_timer(&flow, 5), -ECANCELED);
	assert_false(freed);
	release(owner);
	assert_true(freed);
	assert_null(sent);
	if (through && !cancels_itself) {
		assert_int_equal(count_calls(flow.begun), CALLS);
		assert_int_equal(count_calls(flow.cancelled), 0);
	}
	return through;
}

static void cancelled_at_every_step(void **state)
{
	int steps;

	(void)state;
	for (steps = 0; !run(steps, false); steps++)
		assert_true(steps < 20);
	assert_true(steps >= CALLS - 1);
}

static void cancelled_from_within_a_callback(void **state)
{
	int steps;

	(void)state;
	for (steps = 0; !run(steps, true); steps++)
		assert_true(steps < 20);
}

static void the_last_callback_frees_it(void **state)
{
	bool freed;
	struct owner *owner = owner_new(&freed);
	struct flow flow = { .scope = &owner->scope };

	(void)state;
	assert_int_equal(begin_request(&flow, 4), 0);
	release(owner); /* the handler has returned: the call alone holds it */
	assert_false(freed);
	answer(sent, 0);
	assert_true(freed);
	assert_int_equal(flow.done[4], 1);
}

static void numbers_are_taken_when_a_call_is_begun(void **state)
{
	bool freed;
	struct owner *owner = owner_new(&freed);
	struct flow flow = { .scope = &owner->scope };

	(void)state;
	begin_request(&flow, 4);
	begin_timer(&flow, 5); /* no effect: takes none */
	begin_request(&flow, 4);
	assert_int_equal(sent->step, 3 << 16);
	assert_int_equal(sent->next->step, (3 << 16) + 1);
	scope_end(&owner->scope);
	release(owner);
	assert_true(freed);
}

static void what_cannot_be_sent_is_not_called_back(void **state)
{
	bool freed;
	struct owner *owner = owner_new(&freed);
	struct flow flow = { .scope = &owner->scope };

	(void)state;
	send_error = -ENOSPC;
	assert_int_equal(begin_request(&flow, 0), -ENOSPC);
	send_error = 0;
	assert_int_equal(flow.done[0], 0);
	assert_null(owner->scope.calls);
	release(owner);
	assert_true(freed);
}

static void there_is_a_most(void **state)
{
	bool freed;
	struct owner *owner = owner_new(&freed);
	struct flow flow = { .scope = &owner->scope };
	int i;

	(void)state;
	for (i = 0; i < SCOPE_CALLS_MAX; i++)
		assert_int_equal(begin_request(&flow, 4), 0);
	assert_int_equal(begin_request(&flow, 4), -ENOBUFS);
	assert_int_equal(begin_timer(&flow, 5), -ENOBUFS);
	scope_end(&owner->scope);
	assert_int_equal(flow.cancelled[4], SCOPE_CALLS_MAX);
	release(owner);
}

static void one_timer_is_cancelled(void **state)
{
	bool freed;
	struct owner *owner = owner_new(&freed);
	struct flow flow = { .scope = &owner->scope };
	uint64_t id, gone;

	(void)state;
	assert_int_equal(timers_start(&owner->scope, 60000, on_timer, arg_new(&flow, 4), &id), 0);
	assert_int_equal(timers_start(&owner->scope, 60000, on_timer, arg_new(&flow, 4), &gone), 0);
	assert_int_equal(timers_cancel(&owner->scope, gone), 0);
	assert_int_equal(flow.cancelled[4], 1);
	assert_int_equal(timers_cancel(&owner->scope, gone), -ENOENT);
	assert_int_equal(timers_cancel(&owner->scope, id), 0);
	assert_int_equal(timers_start(&owner->scope, UINT64_MAX, on_timer, NULL, &id), -EINVAL);
	release(owner);
	assert_true(freed);
}

static void memory_is_counted(void **state)
{
	bool freed;
	struct owner *owner = owner_new(&freed);
	char *text = memory_alloc(&owner->scope, 100);

	(void)state;
	assert_int_equal(text[99], 0);
	assert_int_equal(module.memory, 100);
	assert_null(memory_alloc(&owner->scope, SIZE_MAX));
	memory_free(text);
	memory_free(NULL);
	assert_int_equal(module.memory, 0);
	release(owner);
}

static int set_up(void **state)
{
	(void)state;
	return loop_init(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	return loop_finish(&loop); /* no handle may be left */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cancelled_at_every_step),
		TEST(cancelled_from_within_a_callback),
		TEST(the_last_callback_frees_it),
		TEST(numbers_are_taken_when_a_call_is_begun),
		TEST(what_cannot_be_sent_is_not_called_back),
		TEST(there_is_a_most),
		TEST(one_timer_is_cancelled),
		TEST(memory_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
