/* The worker slot's table: every cell, and the lives that matter. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "supervisor/slot.h"

struct played {
	struct slot slot;
	char did[256]; /* "enqueue arm:100 signal:9 " */
	uint64_t armed_ms;
};

static struct played *played_of(struct slot *slot)
{
	return CONTAINER_OF(slot, struct played, slot);
}

static void did(struct slot *slot, const char *what)
{
	strncat(played_of(slot)->did, what, sizeof(played_of(slot)->did) - strlen(played_of(slot)->did) - 1);
	strncat(played_of(slot)->did, " ", sizeof(played_of(slot)->did) - strlen(played_of(slot)->did) - 1);
}

static void op_enqueue(struct slot *slot)
{
	did(slot, "enqueue");
}

static void op_dequeue(struct slot *slot)
{
	did(slot, "dequeue");
}

static void op_ask_stop(struct slot *slot)
{
	did(slot, "ask");
}

static void op_signal(struct slot *slot, int signal)
{
	did(slot, signal == SIGABRT ? "ABRT" : signal == SIGCONT ? "CONT" : signal == SIGKILL ? "KILL" : "?");
}

static void op_arm(struct slot *slot, uint64_t delay_ms)
{
	played_of(slot)->armed_ms = delay_ms;
	did(slot, "arm");
}

static void op_disarm(struct slot *slot)
{
	played_of(slot)->armed_ms = 0;
	did(slot, "disarm");
}

static uint64_t op_backoff_ms(struct slot *slot)
{
	(void)slot;
	return 777;
}

static void op_fatal(struct slot *slot)
{
	did(slot, "FATAL");
}

static void op_stopped(struct slot *slot)
{
	did(slot, "stopped");
}

static const struct slot_ops ops = { op_enqueue, op_dequeue,    op_ask_stop, op_signal, op_arm,
				     op_disarm,  op_backoff_ms, op_fatal,    op_stopped };
static const struct slot_deadlines deadlines = {
	.start_ms = 30000, .stop_ms = 10000, .abort_ms = 2000, .kill_ms = 5000
};

static void init(struct played *played)
{
	memset(played, 0, sizeof(*played));
	slot_init(&played->slot, 3, &ops, &deadlines);
}

/* Steps, and checks where that leads and what was done. */
static void step(struct played *played, enum slot_event event, enum slot_state to, const char *expected)
{
	played->did[0] = '\0';
	assert_int_equal(slot_step(&played->slot, event), 0);
	assert_int_equal(slot_state(&played->slot), to);
	assert_string_equal(played->did, expected);
}

/* No cell was forgotten: each is a way, an "ignored", or on the list of errors by intent. */
static void test_every_cell_is_deliberate(void **state)
{
	unsigned ways = 0, ignored = 0, errors = 0;

	(void)state;
	for (unsigned from = 0; from < SLOT_STATE_COUNT; from++)
		for (unsigned event = 0; event < SLOT_EVENT_COUNT; event++) {
			const struct machine_edge *edge = &slot_table.edges[from * SLOT_EVENT_COUNT + event];

			assert_int_equal(edge->kind == MACHINE_ERROR,
					 slot_cell_is_error((enum slot_state)from, (enum slot_event)event));
			ways += edge->kind == MACHINE_GO;
			ignored += edge->kind == MACHINE_IGNORE;
			errors += edge->kind == MACHINE_ERROR;
			if (edge->kind == MACHINE_GO)
				assert_true(edge->to < SLOT_STATE_COUNT);
			else
				assert_null(edge->action);
		}
	assert_int_equal(ways + ignored + errors, SLOT_STATE_COUNT * SLOT_EVENT_COUNT);
}

static void test_every_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SLOT_STATE_COUNT; i++)
		assert_true(slot_table.state_names[i] != NULL && slot_state_name(i) == slot_table.state_names[i]);
	for (unsigned i = 0; i < SLOT_EVENT_COUNT; i++)
		assert_true(slot_table.event_names[i] != NULL && slot_event_name(i) == slot_table.event_names[i]);
	assert_string_equal(slot_state_name(SLOT_STATE_COUNT), "unknown");
	assert_string_equal(slot_event_name(SLOT_EVENT_COUNT), "unknown");
}

/* An event that can't be leaves the state alone and does nothing, from every state. */
static void test_errors_change_nothing(void **state)
{
	(void)state;
	for (unsigned from = 0; from < SLOT_STATE_COUNT; from++)
		for (unsigned event = 0; event < SLOT_EVENT_COUNT; event++) {
			struct played played;

			if (!slot_cell_is_error((enum slot_state)from, (enum slot_event)event))
				continue;
			init(&played);
			played.slot.machine.state = (uint8_t)from;
			assert_int_equal(slot_step(&played.slot, (enum slot_event)event), -EPROTO);
			assert_int_equal(slot_state(&played.slot), from);
			assert_string_equal(played.did, "");
		}
}

static void test_a_life(void **state)
{
	struct played played;

	(void)state;
	init(&played);
	assert_false(slot_has_process(&played.slot));
	step(&played, SLOT_START, SLOT_QUEUED, "disarm enqueue ");
	step(&played, SLOT_SPAWNED, SLOT_STARTING, "arm ");
	assert_int_equal(played.armed_ms, 30000);
	assert_true(slot_has_process(&played.slot));
	step(&played, SLOT_HELLO, SLOT_RUNNING, "disarm ");
	step(&played, SLOT_HELLO, SLOT_RUNNING, ""); /* its link was down for a moment */
	step(&played, SLOT_DIED, SLOT_BACKOFF, "arm ");
	assert_int_equal(played.armed_ms, 777);
	assert_false(slot_has_process(&played.slot));
	step(&played, SLOT_TIMER, SLOT_QUEUED, "disarm enqueue ");
	step(&played, SLOT_SPAWN_FAILED, SLOT_BACKOFF, "arm ");
	step(&played, SLOT_STOP, SLOT_STOPPED, "disarm stopped ");
	step(&played, SLOT_TIMER, SLOT_STOPPED, ""); /* a timer that was late */
}

static void run_to(struct played *played, enum slot_state state)
{
	init(played);
	slot_step(&played->slot, SLOT_START);
	if (state == SLOT_QUEUED)
		return;
	slot_step(&played->slot, SLOT_SPAWNED);
	if (state == SLOT_STARTING)
		return;
	slot_step(&played->slot, SLOT_HELLO);
	assert_int_equal(slot_state(&played->slot), SLOT_RUNNING);
}

static void test_stop_asks_then_kills(void **state)
{
	struct played played;

	(void)state;
	run_to(&played, SLOT_RUNNING);
	step(&played, SLOT_STOP, SLOT_STOPPING, "arm ask ");
	assert_int_equal(played.armed_ms, 10000);
	step(&played, SLOT_TIMER, SLOT_STOPPING, "arm KILL ");
	step(&played, SLOT_TIMER, SLOT_STOPPING, "arm KILL ");
	assert_int_equal(played.slot.kills, 2);
	step(&played, SLOT_DIED, SLOT_STOPPED, "disarm stopped ");
}

static void test_stop_of_one_that_is_starting(void **state)
{
	struct played played;

	(void)state;
	run_to(&played, SLOT_STARTING);
	step(&played, SLOT_STOP, SLOT_STOPPING, "arm ask ");
	step(&played, SLOT_HELLO, SLOT_STOPPING, "ask "); /* it connected only now: asked where it hears it */
	step(&played, SLOT_DIED, SLOT_STOPPED, "disarm stopped ");
	run_to(&played, SLOT_QUEUED);
	step(&played, SLOT_STOP, SLOT_STOPPED, "dequeue stopped ");
}

static void test_restart(void **state)
{
	struct played played;

	(void)state;
	run_to(&played, SLOT_RUNNING);
	step(&played, SLOT_RESTART, SLOT_RESTARTING, "arm ask ");
	step(&played, SLOT_RESTART, SLOT_RESTARTING, "");
	step(&played, SLOT_DIED, SLOT_QUEUED, "disarm enqueue ");
	assert_int_equal(played.slot.kills, 0);
	/* From back-off there is nothing to ask: it starts at once. */
	run_to(&played, SLOT_RUNNING);
	slot_step(&played.slot, SLOT_DIED);
	step(&played, SLOT_RESTART, SLOT_QUEUED, "disarm enqueue ");
	/* A stop that was ordered is taken back by a start. */
	run_to(&played, SLOT_RUNNING);
	slot_step(&played.slot, SLOT_STOP);
	step(&played, SLOT_START, SLOT_RESTARTING, "");
	step(&played, SLOT_STOP, SLOT_STOPPING, "");
}

static void test_watchdog(void **state)
{
	struct played played;

	(void)state;
	run_to(&played, SLOT_RUNNING);
	step(&played, SLOT_STALE, SLOT_ABORTING, "arm ABRT CONT ");
	assert_int_equal(played.armed_ms, 2000);
	step(&played, SLOT_STALE, SLOT_ABORTING, "");
	step(&played, SLOT_TIMER, SLOT_ABORTING, "arm KILL ");
	step(&played, SLOT_DIED, SLOT_BACKOFF, "arm ");
	/* One that never says hello is treated the same. */
	run_to(&played, SLOT_STARTING);
	step(&played, SLOT_TIMER, SLOT_ABORTING, "arm ABRT CONT ");
	/* A hung one is not asked politely when it must go. */
	step(&played, SLOT_STOP, SLOT_STOPPING, "arm KILL ");
}

static void test_fatal_from_every_living_state(void **state)
{
	struct played played;

	(void)state;
	for (unsigned from = 0; from < SLOT_STATE_COUNT; from++) {
		init(&played);
		played.slot.machine.state = (uint8_t)from;
		if (!slot_has_process(&played.slot))
			continue;
		step(&played, SLOT_DIED_FATAL, SLOT_STOPPED,
		     from == SLOT_STOPPING ? "disarm stopped " : "disarm FATAL ");
	}
}

static void test_adoption(void **state)
{
	static const struct {
		enum slot_state from;
		const char *did;
	} ways[] = {
		{ SLOT_STOPPED, "disarm " },
		{ SLOT_QUEUED, "dequeue disarm " },
		{ SLOT_BACKOFF, "disarm " },
		{ SLOT_RUNNING, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct played played;

		init(&played);
		played.slot.machine.state = ways[i].from;
		step(&played, SLOT_ADOPT, SLOT_RUNNING, ways[i].did);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell_is_deliberate),
		cmocka_unit_test(test_every_name),
		cmocka_unit_test(test_errors_change_nothing),
		cmocka_unit_test(test_a_life),
		cmocka_unit_test(test_stop_asks_then_kills),
		cmocka_unit_test(test_stop_of_one_that_is_starting),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_watchdog),
		cmocka_unit_test(test_fatal_from_every_living_state),
		cmocka_unit_test(test_adoption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
