/* How invocations are answered: every path of the answer's machine, with effects that are only remembered. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <shoal/snowflake.h>

#include "shard/commands/answer.h"
#include "shard/commands/commands.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"

#define SENT_MAX 8

static struct {
	enum route route;
	json_t *body;
	rest_fn fn;
	void *arg;
} sent[SENT_MAX];
static size_t sent_count;
static int next_send_error;

/* Stands in for the journal and the client: takes the request and keeps it. */
int effects_send(struct effects *effects, struct effect_scope *scope, const struct rest_request *request, rest_fn fn,
		 void *arg, uint64_t *ret_handle)
{
	(void)effects;
	(void)ret_handle;
	assert_non_null(scope);
	if (next_send_error) {
		json_decref(request->json);
		return next_send_error;
	}
	assert_true(sent_count < SENT_MAX);
	sent[sent_count].route = request->route;
	sent[sent_count].body = request->json;
	sent[sent_count].fn = fn;
	sent[sent_count].arg = arg;
	sent_count++;
	return 0;
}

int effects_cancel(struct effects *effects, uint64_t handle)
{
	(void)effects;
	(void)handle;
	return -ENOENT;
}

void effect_scope_init(struct effect_scope *scope, struct ticket *ticket, uint32_t lane)
{
	*scope = (struct effect_scope){ .ticket = ticket, .next_step = lane };
}

void rest_stats(const struct rest *rest, struct rest_stats *ret_stats)
{
	(void)rest;
	memset(ret_stats, 0, sizeof(*ret_stats));
}

static struct commands commands;
static _Atomic uint64_t counters[BOARD_COUNTER_COUNT];

static int set_up(void **state)
{
	(void)state;
	memset(&commands, 0, sizeof(commands));
	memset(counters, 0, sizeof(counters));
	commands.services.counters = counters;
	sent_count = 0;
	next_send_error = 0;
	return 0;
}

static int tear_down(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sent_count; i++)
		json_decref(sent[i].body);
	return commands.open ? -1 : 0; /* nothing may be left open */
}

static struct shoal_invocation *make(enum invocation_form form, uint64_t age_ms)
{
	struct invocation_source source = { .form = form,
					    .event_id = shoal_snowflake_at((uint64_t)clock_wall_ms() - age_ms),
					    .application_id = 5,
					    .channel_id = 6,
					    .token = SHOAL_STR("token") };
	struct shoal_invocation *inv;

	assert_int_equal(invocation_new(&commands, &source, &inv), 0);
	return inv;
}

static void complete(size_t i, int error)
{
	struct rest_result result = { .error = error, .message = "", .words = "" };

	sent[i].fn(sent[i].arg, &result);
}

static int type_of(size_t i)
{
	return (int)json_integer_value(json_object_get(sent[i].body, "type"));
}

static const char *content_of(const json_t *message)
{
	return json_string_value(json_object_get(message, "content"));
}

static void at_once(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);
	const json_t *data;

	(void)state;
	assert_int_equal(invocation_reply_text(inv, "hello"), 0);
	assert_int_equal(invocation_reply_text(inv, "again"), -EALREADY);
	invocation_release(inv);
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].route, ROUTE_INTERACTION_CALLBACK);
	assert_int_equal(type_of(0), 4);
	data = json_object_get(sent[0].body, "data");
	assert_string_equal(content_of(data), "hello");
	assert_true(json_is_object(json_object_get(data, "allowed_mentions")));
	complete(0, 0);
	assert_null(commands.open);
}

static void errors_are_ephemeral(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);
	const json_t *data;

	(void)state;
	invocation_reply_error(inv, "no %s", "way");
	invocation_release(inv);
	data = json_object_get(sent[0].body, "data");
	assert_int_equal(json_integer_value(json_object_get(data, "flags")), 64);
	complete(0, 0);
}

static void deferred_when_old_then_edited(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, ANSWER_DEFER_MS + 50);

	(void)state;
	answer_tick(inv);
	answer_tick(inv);
	assert_int_equal(sent_count, 1);
	assert_int_equal(type_of(0), 5);
	complete(0, 0);
	assert_int_equal(invocation_reply_text(inv, "late but there"), 0);
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[1].route, ROUTE_EDIT_ORIGINAL);
	assert_string_equal(content_of(sent[1].body), "late but there");
	invocation_release(inv);
	complete(1, 0);
}

static void an_answer_does_not_overtake_its_deferral(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, ANSWER_DEFER_MS + 50);

	(void)state;
	answer_tick(inv);
	assert_int_equal(invocation_reply_text(inv, "meanwhile"), 0);
	assert_int_equal(sent_count, 1);
	invocation_release(inv);
	complete(0, 0);
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[1].route, ROUTE_EDIT_ORIGINAL);
	complete(1, 0);
}

static void a_young_one_is_not_deferred(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);

	(void)state;
	answer_tick(inv);
	assert_int_equal(sent_count, 0);
	invocation_reply_text(inv, "x");
	invocation_release(inv);
	complete(0, 0);
}

static void a_failed_deferral_ends_it(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, ANSWER_DEFER_MS + 50);

	(void)state;
	answer_tick(inv);
	complete(0, -SHOAL_EDISCORD);
	assert_int_equal(invocation_reply_text(inv, "nobody hears"), 0);
	assert_int_equal(sent_count, 1);
	invocation_release(inv);
	assert_int_equal(atomic_load(&counters[BOARD_COUNTER_commands_failed]), 1);
}

static void a_failed_deferral_with_an_answer_waiting(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, ANSWER_DEFER_MS + 50);

	(void)state;
	answer_tick(inv);
	invocation_reply_text(inv, "waiting");
	invocation_release(inv);
	complete(0, -ETIMEDOUT);
	assert_int_equal(sent_count, 1);
}

static void a_silent_handler_is_apologised_for(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);

	(void)state;
	invocation_hold(inv);
	invocation_release(inv);
	assert_int_equal(sent_count, 0);
	invocation_release(inv);
	assert_int_equal(sent_count, 1);
	assert_non_null(strstr(content_of(json_object_get(sent[0].body, "data")), "incident"));
	complete(0, 0);
}

static void nobody_apologises_while_closing(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);

	(void)state;
	commands_closing(&commands);
	invocation_release(inv);
	assert_int_equal(sent_count, 0);
}

static void a_message_is_answered_by_a_reply(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_MESSAGE, ANSWER_DEFER_MS + 50);
	uint64_t id = inv->event_id;
	char text[32];

	(void)state;
	answer_tick(inv); /* messages are never deferred */
	invocation_reply_text(inv, "pong");
	invocation_release(inv);
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].route, ROUTE_CREATE_MESSAGE);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(sent[0].body, "message_reference"), "message_id")),
		text);
	assert_null(json_object_get(sent[0].body, "nonce")); /* effects_send() puts it there */
	complete(0, 0);
}

static void long_text_is_cut(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);
	char text[3001];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	invocation_reply_text(inv, text);
	invocation_release(inv);
	assert_in_range(strlen(content_of(json_object_get(sent[0].body, "data"))), 1990, 2003);
	complete(0, 0);
}

static void a_refused_send_is_counted(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);

	(void)state;
	next_send_error = -ENOBUFS;
	invocation_reply_text(inv, "x");
	invocation_release(inv);
	assert_int_equal(sent_count, 0);
	assert_int_equal(atomic_load(&counters[BOARD_COUNTER_commands_failed]), 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(at_once),
		TEST(errors_are_ephemeral),
		TEST(deferred_when_old_then_edited),
		TEST(an_answer_does_not_overtake_its_deferral),
		TEST(a_young_one_is_not_deferred),
		TEST(a_failed_deferral_ends_it),
		TEST(a_failed_deferral_with_an_answer_waiting),
		TEST(a_silent_handler_is_apologised_for),
		TEST(nobody_apologises_while_closing),
		TEST(a_message_is_answered_by_a_reply),
		TEST(long_text_is_cut),
		TEST(a_refused_send_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
