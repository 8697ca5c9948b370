/* The session's transition table: no cell forgotten, none contradicted, and the properties that must hold whatever is
 * changed in it. */
#include "tests/unit/unit.h"

#include <stdbool.h>
#include <string.h>

#include "shard/gateway/session_table.h"

static const struct machine_edge *cell(int state, int event)
{
	return &session_table.edges[state * SESSION_EVENT_COUNT + event];
}

static bool is_listed(int state, int event)
{
	for (size_t i = 0; i < session_refused_count; i++) {
		if (session_refused[i].state == state && session_refused[i].event == event)
			return true;
	}
	return false;
}

/* Each cell is a transition, ignored on purpose, or listed as a protocol error: exactly one of the three. */
static void test_every_cell_is_deliberate(void **state)
{
	(void)state;
	for (int s = 0; s < SESSION_STATE_COUNT; s++) {
		for (int e = 0; e < SESSION_EVENT_COUNT; e++) {
			bool refused = cell(s, e)->kind == MACHINE_ERROR;

			if (refused != is_listed(s, e))
				fail_msg("%s x %s: %s", session_table.state_names[s], session_table.event_names[e],
					 refused ? "forgotten" : "listed as refused, but handled");
		}
	}
}

static void test_refused_list_has_no_doubles(void **state)
{
	(void)state;
	for (size_t i = 0; i < session_refused_count; i++) {
		for (size_t k = i + 1; k < session_refused_count; k++)
			assert_false(session_refused[i].state == session_refused[k].state &&
				     session_refused[i].event == session_refused[k].event);
	}
}

static void test_names(void **state)
{
	(void)state;
	for (int s = 0; s < SESSION_STATE_COUNT; s++) {
		assert_non_null(session_table.state_names[s]);
		assert_int_not_equal(session_public_states[s], SHARD_STATE_NONE);
	}
	for (int e = 0; e < SESSION_EVENT_COUNT; e++)
		assert_non_null(session_table.event_names[e]);
	assert_int_equal(session_table.state_count, SESSION_STATE_COUNT);
	assert_int_equal(session_table.event_count, SESSION_EVENT_COUNT);
	assert_int_equal(session_public_states[SESSION_READY], SHARD_STATE_READY);
	assert_int_equal(session_public_states[SESSION_LOADING], SHARD_STATE_LOADING);
}

/* Wherever it stands, a stop leads to STOPPED, in the worst case by way of the connection's end. */
static void test_stop_always_ends(void **state)
{
	(void)state;
	for (int s = 0; s < SESSION_STATE_COUNT; s++) {
		const struct machine_edge *stop = cell(s, SESSION_EV_STOP);

		assert_int_not_equal(stop->kind, MACHINE_ERROR);
		if (stop->kind == MACHINE_GO && stop->to != SESSION_STOPPED) {
			assert_int_equal(stop->to, SESSION_STOPPING);
			assert_int_equal(cell(SESSION_STOPPING, SESSION_EV_CLOSED)->to, SESSION_STOPPED);
		}
	}
	for (int e = 0; e < SESSION_EVENT_COUNT; e++)
		assert_int_not_equal(cell(SESSION_STOPPED, e)->kind, MACHINE_GO);
}

/* IDENTIFY is reached by a grant alone. */
static void test_identify_needs_a_grant(void **state)
{
	(void)state;
	for (int s = 0; s < SESSION_STATE_COUNT; s++) {
		for (int e = 0; e < SESSION_EVENT_COUNT; e++) {
			const struct machine_edge *edge = cell(s, e);

			if (edge->kind == MACHINE_GO && edge->to == SESSION_IDENTIFYING) {
				assert_int_equal(s, SESSION_GRANT);
				assert_int_equal(e, SESSION_EV_GRANTED);
			}
			if (edge->kind == MACHINE_GO && edge->to == SESSION_CONNECTING)
				assert_true(s == SESSION_IDLE || s == SESSION_BACKOFF);
		}
	}
}

/* A lost connection is never ignored where there is one. */
static void test_closed_is_always_answered(void **state)
{
	(void)state;
	for (int s = SESSION_CONNECTING; s <= SESSION_CLOSING; s++) {
		assert_int_equal(cell(s, SESSION_EV_CLOSED)->kind, MACHINE_GO);
		assert_int_equal(cell(s, SESSION_EV_CLOSED)->to, SESSION_BACKOFF);
		assert_int_equal(cell(s, SESSION_EV_FATAL)->to, SESSION_FATAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell_is_deliberate),
		cmocka_unit_test(test_refused_list_has_no_doubles),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_stop_always_ends),
		cmocka_unit_test(test_identify_needs_a_grant),
		cmocka_unit_test(test_closed_is_always_answered),
	};

	return cmocka_run_group_tests_name("session_table", tests, NULL, NULL);
}
