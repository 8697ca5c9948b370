/* The dispatch table: what is counted where, and that bad data stops nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shard/events/dispatch.h"
#include "shard/subscriptions.h"
#include "shared/base/cleanup.h"
#include "shared/board/board.h"

static _Atomic uint64_t counters[BOARD_COUNTER_COUNT];
static struct dispatch dispatch;
static uint64_t last_message_id;
static int raw_calls, raw_result;

static void on_message(void *arg, const struct shoal_event *event, struct ticket *ticket)
{
	(void)arg;
	assert_null(ticket);
	assert_int_equal(event->guild_id, 9);
	assert_int_equal(event->sequence, 77);
	last_message_id = event->message->id;
}

static int on_raw(void *arg, const struct envelope *envelope)
{
	(void)arg;
	(void)envelope;
	raw_calls++;
	return raw_result;
}

static const struct dispatch_row rows[] = {
	{ SHOAL_EVENT_MESSAGE_CREATE, 1 << 9, NULL, on_message },
	{ SHOAL_EVENT_GUILD_CREATE, 1 << 0, on_raw, NULL },
};

static int set_up(void **state)
{
	(void)state;
	memset(counters, 0, sizeof(counters));
	last_message_id = 0;
	raw_calls = raw_result = 0;
	dispatch_init(&dispatch, rows, ARRAY_SIZE(rows), counters, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dispatch_finish(&dispatch);
	return 0;
}

static void send(const char *payload)
{
	const struct dispatch_row *row;
	struct envelope envelope;

	assert_int_equal(envelope_scan(payload, strlen(payload), &envelope), ENVELOPE_OK);
	row = dispatch_row_of(&dispatch, &envelope);
	if (row && row->raw)
		dispatch_apply(&dispatch, &envelope);
	if (row && row->event)
		dispatch_handle(&dispatch, &envelope, NULL);
}

static uint64_t count(enum board_counter counter)
{
	return atomic_load(&counters[counter]);
}

static void a_row_is_called_with_the_decoded_event(void **state)
{
	(void)state;
	send("{\"op\":0,\"t\":\"MESSAGE_CREATE\",\"s\":77,\"d\":{\"id\":\"5\",\"channel_id\":\"6\",\"guild_id\":\"9\","
	     "\"author\":{\"id\":\"7\",\"username\":\"u\"},\"content\":\"hi\"}}");
	assert_int_equal(last_message_id, 5);
	assert_int_equal(count(BOARD_COUNTER_events_handled), 1);
}

static void without_a_row_it_is_dropped(void **state)
{
	(void)state;
	send("{\"op\":0,\"t\":\"TYPING_START\",\"s\":77,\"d\":{\"channel_id\":\"6\"}}");
	assert_int_equal(count(BOARD_COUNTER_events_dropped), 1);
	assert_int_equal(count(BOARD_COUNTER_events_unknown), 0);
}

static void an_unknown_name_is_counted_apart(void **state)
{
	(void)state;
	send("{\"op\":0,\"t\":\"SOMETHING_NEW\",\"s\":77,\"d\":{}}");
	assert_int_equal(count(BOARD_COUNTER_events_unknown), 1);
	assert_int_equal(count(BOARD_COUNTER_events_dropped), 0);
}

static void bad_data_is_counted_and_passed_over(void **state)
{
	(void)state;
	send("{\"op\":0,\"t\":\"MESSAGE_CREATE\",\"s\":77,\"d\":[1,2]}");
	send("{\"op\":0,\"t\":\"MESSAGE_CREATE\",\"s\":77,\"d\":{\"content\":7}}");
	send("{\"op\":0,\"t\":\"MESSAGE_CREATE\",\"s\":77}");
	assert_int_equal(count(BOARD_COUNTER_events_malformed), 3);
	assert_int_equal(count(BOARD_COUNTER_events_handled), 0);
	assert_int_equal(last_message_id, 0);
}

static void a_raw_row_reads_for_itself(void **state)
{
	(void)state;
	send("{\"op\":0,\"t\":\"GUILD_CREATE\",\"s\":77,\"d\":{\"id\":\"9\"}}");
	assert_int_equal(raw_calls, 1);
	assert_int_equal(count(BOARD_COUNTER_events_handled), 1);
	raw_result = -71;
	send("{\"op\":0,\"t\":\"GUILD_CREATE\",\"s\":77,\"d\":{\"id\":\"9\"}}");
	assert_int_equal(count(BOARD_COUNTER_events_malformed), 1);
}

static void intents_follow_from_the_rows(void **state)
{
	struct dispatch_row all[SHOAL_EVENT_COUNT];

	(void)state;
	assert_int_equal(dispatch_intents(rows, ARRAY_SIZE(rows)), (1 << 9) | (1 << 0));
	assert_int_equal(dispatch_intents(all, subscriptions_build(all)),
			 INTENT_GUILDS | INTENT_GUILD_MESSAGES | INTENT_DIRECT_MESSAGES);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_row_is_called_with_the_decoded_event),
		TEST(without_a_row_it_is_dropped),
		TEST(an_unknown_name_is_counted_apart),
		TEST(bad_data_is_counted_and_passed_over),
		TEST(a_raw_row_reads_for_itself),
		TEST(intents_follow_from_the_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
