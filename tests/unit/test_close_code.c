/* Close codes: every code that Discord documents, with what the documentation and the facts paper ask for. */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/control/exit_code.h"
#include "shard/gateway/close_code.h"

static void test_documented_codes(void **state)
{
	static const struct {
		unsigned int code;
		enum close_action action;
		enum exit_code exit_code;
	} want[] = {
		{ 0, CLOSE_ACTION_RESUME, 0 },
		{ 1000, CLOSE_ACTION_RESUME, 0 },
		{ 1001, CLOSE_ACTION_RESUME, 0 },
		{ 1005, CLOSE_ACTION_RESUME, 0 },
		{ 1006, CLOSE_ACTION_RESUME, 0 },
		{ 1011, CLOSE_ACTION_RESUME, 0 },
		{ 4000, CLOSE_ACTION_RESUME, 0 },
		{ 4001, CLOSE_ACTION_RESUME, 0 },
		{ 4002, CLOSE_ACTION_RESUME, 0 },
		{ 4003, CLOSE_ACTION_IDENTIFY, 0 },
		{ 4004, CLOSE_ACTION_FATAL, EXIT_CODE_TOKEN },
		{ 4005, CLOSE_ACTION_IDENTIFY, 0 },
		{ 4006, CLOSE_ACTION_RESUME, 0 },
		{ 4007, CLOSE_ACTION_IDENTIFY, 0 },
		{ 4008, CLOSE_ACTION_RESUME, 0 },
		{ 4009, CLOSE_ACTION_RESUME, 0 },
		{ 4010, CLOSE_ACTION_FATAL, EXIT_CODE_SHARDING },
		{ 4011, CLOSE_ACTION_FATAL, EXIT_CODE_SHARDING },
		{ 4012, CLOSE_ACTION_FATAL, EXIT_CODE_API_VERSION },
		{ 4013, CLOSE_ACTION_FATAL, EXIT_CODE_INTENTS },
		{ 4014, CLOSE_ACTION_FATAL, EXIT_CODE_INTENTS },
		{ 4015, CLOSE_ACTION_RESUME, 0 },
		{ 4999, CLOSE_ACTION_RESUME, 0 },
		{ 65535, CLOSE_ACTION_RESUME, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct close_code_row *row = close_code_find(want[i].code);

		assert_non_null(row);
		assert_int_equal(row->action, want[i].action);
		assert_int_equal(row->exit_code, want[i].exit_code);
		assert_true(strlen(row->name) > 0 && strlen(row->text) > 0);
	}
	assert_true(close_code_find(4008)->pause_ms > 0);
}

/* A fatal code must end a worker with a code that the supervisor does not restart. */
static void test_fatal_codes_are_fatal(void **state)
{
	(void)state;
	for (unsigned int code = 0; code < 5100; code++) {
		const struct close_code_row *row = close_code_find(code);

		if (row->action == CLOSE_ACTION_FATAL)
			assert_int_equal(exit_code_find(row->exit_code)->class, EXIT_CLASS_FATAL);
		assert_in_range(row->action, 0, CLOSE_ACTION_COUNT - 1);
	}
}

/* None of what we send, save a logout, ends the session, and none means anything to Discord. */
static void test_our_codes(void **state)
{
	static const unsigned int ours[] = { CLOSE_CODE_LEAVE,       CLOSE_CODE_ZOMBIE,    CLOSE_CODE_BAD_FRAME,
					     CLOSE_CODE_BAD_PAYLOAD, CLOSE_CODE_TOO_LARGE, CLOSE_CODE_TIMEOUT,
					     CLOSE_CODE_BACKLOG };

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert_in_range(ours[i], 4000, 4999);
	assert_int_equal(CLOSE_CODE_LOGOUT, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documented_codes),
		cmocka_unit_test(test_fatal_codes_are_fatal),
		cmocka_unit_test(test_our_codes),
	};

	return cmocka_run_group_tests_name("close_code", tests, NULL, NULL);
}
