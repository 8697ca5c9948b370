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
#include "shard/commands/followup.h"
#include "shard/commands/suggest.h"
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
	struct rest_result result = { .error = error, .message = "" };

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

/* Its time was over before Discord's answer to it was here: it may be there, and then the member waits. */
static void a_callback_that_may_be_there_is_edited(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, ANSWER_DEFER_MS + 50), *other = make(INVOCATION_SLASH, 0);
	struct rest_result lost = { .error = -ETIMEDOUT, .message = "", .maybe_done = true };
	struct rest_result none = {
		.error = -SHOAL_EDISCORD, .http_status = 404, .discord_code = 10015, .message = ""
	};

	(void)state;
	answer_tick(inv);
	sent[0].fn(sent[0].arg, &lost);
	assert_int_equal(invocation_reply_text(inv, "here it is"), 0);
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[1].route, ROUTE_EDIT_ORIGINAL);
	invocation_release(inv);
	complete(1, 0);
	assert_int_equal(atomic_load(&counters[BOARD_COUNTER_commands_failed]), 0);
	/* An answer likewise; and when there is nothing to edit it came too late. */
	invocation_reply_text(other, "here");
	invocation_release(other);
	sent[2].fn(sent[2].arg, &lost);
	assert_int_equal(sent_count, 4);
	assert_int_equal(sent[3].route, ROUTE_EDIT_ORIGINAL);
	sent[3].fn(sent[3].arg, &none);
	assert_int_equal(sent_count, 4);
	assert_int_equal(atomic_load(&counters[BOARD_COUNTER_interactions_expired]), 1);
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

/* --- what modules answer with
 * ------------------------------------------------------------------------------------------ */

static void refuse(size_t i, uint32_t discord_code)
{
	struct rest_result result = {
		.error = -SHOAL_EDISCORD, .http_status = 400, .discord_code = discord_code, .message = ""
	};

	sent[i].fn(sent[i].arg, &result);
}

static struct shoal_invocation *make_component(bool updates, uint64_t age_ms)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, age_ms);

	inv->updates = updates;
	inv->custom_id = strdup("x");
	return inv;
}

static const struct shoal_button button = { .label = "Go", .custom_id = "x.go:1" };
static const struct shoal_action_row row = { .buttons = &button, .button_count = 1 };

static void with_buttons_embeds_and_mentions(void **state)
{
	static const uint64_t users[] = { 7 };
	const struct shoal_embed_line line = { "name", "value", true };
	const struct shoal_embed_content embed = { .title = "T", .color = 0xff, .lines = &line, .line_count = 1 };
	const struct shoal_content content = { .text = "hi <@7>",
					       .embeds = &embed,
					       .embed_count = 1,
					       .rows = &row,
					       .row_count = 1,
					       .mentions = { .users = users, .user_count = 1 },
					       .flags = SHOAL_CONTENT_EPHEMERAL };
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);
	const json_t *data, *first;

	(void)state;
	assert_int_equal(invocation_reply(inv, &content), 0);
	invocation_release(inv);
	data = json_object_get(sent[0].body, "data");
	assert_int_equal(json_integer_value(json_object_get(data, "flags")), 64);
	first = json_array_get(json_object_get(json_array_get(json_object_get(data, "components"), 0), "components"),
			       0);
	assert_string_equal(json_string_value(json_object_get(first, "custom_id")), "x.go:1");
	assert_int_equal(json_array_size(json_object_get(data, "embeds")), 1);
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(json_object_get(data, "allowed_mentions"), "users"), 0)),
			    "7");
	complete(0, 0);
}

static void what_breaks_limits_is_refused_and_apologised_for(void **state)
{
	static const struct shoal_button nameless = { .label = "Go" };
	static const struct shoal_action_row rows[] = { { .buttons = &nameless, .button_count = 1 }, { 0 } };
	const struct shoal_content bad[] = { { .text = "x", .rows = &rows[0], .row_count = 1 },
					     { .text = "x", .rows = &rows[1], .row_count = 1 },
					     { .text = "x", .rows = rows, .row_count = 6 },
					     { .text = NULL } };
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(invocation_reply(inv, &bad[i]) < 0);
	assert_int_equal(sent_count, 0);
	invocation_release(inv);
	assert_non_null(strstr(content_of(json_object_get(sent[0].body, "data")), "incident"));
	complete(0, 0);
}

static void a_component_changes_its_message(void **state)
{
	const struct shoal_content content = { .text = "changed" };
	struct shoal_invocation *inv = make_component(true, 0), *plain = make_component(false, 0);

	(void)state;
	assert_int_equal(invocation_update(inv, &content), 0);
	assert_int_equal(type_of(0), 7);
	invocation_release(inv);
	complete(0, 0);
	assert_int_equal(invocation_update(plain, &content), -EINVAL); /* its row does not say so */
	invocation_reply_text(plain, "x");
	assert_int_equal(type_of(1), 4);
	invocation_release(plain);
	complete(1, 0);
}

static void a_component_is_deferred_silently(void **state)
{
	const struct shoal_content content = { .text = "changed" };
	struct shoal_invocation *inv = make_component(true, ANSWER_DEFER_MS + 50);

	(void)state;
	answer_tick(inv);
	assert_int_equal(type_of(0), 6);
	complete(0, 0);
	assert_int_equal(invocation_update(inv, &content), 0);
	assert_int_equal(sent[1].route, ROUTE_EDIT_ORIGINAL);
	invocation_release(inv);
	complete(1, 0);
}

/* @original is the component's own message there: an error must not take its place. */
static void a_message_beside_the_component_is_a_follow_up(void **state)
{
	struct shoal_invocation *inv = make_component(true, 0);

	(void)state;
	invocation_reply_error(inv, "no");
	invocation_release(inv);
	assert_int_equal(type_of(0), 6);
	complete(0, 0);
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[1].route, ROUTE_CREATE_FOLLOWUP);
	assert_int_equal(json_integer_value(json_object_get(sent[1].body, "flags")), 64);
	complete(1, 0);
}

static const struct shoal_text_input input = { .custom_id = "text", .label = "Say" };
static const struct shoal_modal form = { .custom_id = "x.form", .title = "T", .inputs = &input, .input_count = 1 };

static void a_form_is_the_first_answer(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, ANSWER_DEFER_MS + 50);

	(void)state;
	inv->keeps_modal = true;
	answer_tick(inv);
	assert_int_equal(sent_count, 0);
	assert_int_equal(invocation_modal(inv, &form), 0);
	assert_int_equal(invocation_modal(inv, &form), -EALREADY);
	assert_int_equal(type_of(0), 9);
	invocation_release(inv);
	refuse(0, 40060); /* shown before a crash: done */
	assert_int_equal(sent_count, 1);
}

static void a_form_that_comes_too_late_is_words(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, ANSWER_DEFER_MS + 50);

	(void)state;
	answer_tick(inv);
	complete(0, 0);
	assert_int_equal(invocation_modal(inv, &form), 0);
	assert_int_equal(sent[1].route, ROUTE_EDIT_ORIGINAL);
	assert_non_null(strstr(content_of(sent[1].body), "too long"));
	invocation_release(inv);
	complete(1, 0);
}

static void no_form_answers_a_form_or_a_message(void **state)
{
	struct shoal_invocation *typed = make(INVOCATION_SLASH, 0), *message = make(INVOCATION_MESSAGE, 0);

	(void)state;
	typed->is_form = true;
	assert_int_equal(invocation_modal(typed, &form), -EINVAL);
	assert_int_equal(invocation_modal(message, &form), -EINVAL);
	invocation_reply_text(typed, "x");
	invocation_reply_text(message, "x");
	invocation_release(typed);
	invocation_release(message);
	complete(0, 0);
	complete(1, 0);
}

static int followed;

static void on_followed(void *arg, const struct shoal_result *result)
{
	(void)arg;
	assert_int_equal(result->error, 0);
	followed++;
}

static void follow_ups_wait_for_the_answer(void **state)
{
	const struct shoal_content content = { .text = "more" };
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);

	(void)state;
	followed = 0;
	assert_int_equal(followup_create(inv, &content, on_followed, NULL), -EINVAL); /* nothing was answered */
	invocation_reply_text(inv, "first");
	assert_int_equal(followup_create(inv, &content, on_followed, NULL), 0);
	assert_int_equal(followup_edit_original(inv, &content, on_followed, NULL), 0);
	assert_int_equal(sent_count, 1);
	invocation_release(inv); /* they hold it */
	complete(0, 0);
	assert_int_equal(sent_count, 3);
	assert_int_equal(sent[1].route, ROUTE_CREATE_FOLLOWUP);
	assert_int_equal(sent[2].route, ROUTE_EDIT_ORIGINAL);
	complete(1, 0);
	complete(2, 0);
	assert_int_equal(followed, 2);
}

static void deferred_by_the_handler(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);

	(void)state;
	assert_int_equal(invocation_defer(inv, SHOAL_CONTENT_EPHEMERAL), 0);
	assert_int_equal(invocation_defer(inv, 0), -EALREADY);
	assert_int_equal(type_of(0), 5);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(sent[0].body, "data"), "flags")), 64);
	complete(0, 0);
	invocation_reply_text(inv, "done");
	assert_int_equal(sent[1].route, ROUTE_EDIT_ORIGINAL);
	invocation_release(inv);
	complete(1, 0);
}

static void deferred_and_taken_away(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);

	(void)state;
	followed = 0;
	assert_int_equal(followup_delete_original(inv, NULL, NULL), -EINVAL);
	invocation_defer(inv, 0);
	assert_int_equal(followup_delete_original(inv, on_followed, NULL), 0);
	assert_int_equal(sent_count, 1);
	invocation_release(inv);
	complete(0, 0);
	assert_int_equal(sent[1].route, ROUTE_DELETE_ORIGINAL);
	complete(1, 0);
	assert_int_equal(followed, 1);
	assert_int_equal(sent_count, 2); /* and nobody apologises */
}

static void cancelled(void *arg, const struct shoal_result *result)
{
	*(int *)arg = result->error;
}

static void closing_ends_what_waits(void **state)
{
	const struct shoal_content content = { .text = "more" };
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);
	int error = 0;

	(void)state;
	invocation_reply_text(inv, "first");
	assert_int_equal(followup_create(inv, &content, cancelled, &error), 0);
	invocation_release(inv);
	commands_closing(&commands);
	assert_int_equal(error, -ECANCELED);
	complete(0, -ECANCELED);
	assert_int_equal(sent_count, 1);
}

/* --- what Discord would not take --------------------------------------------------------------------------------- */

static void turn_down(size_t i, uint32_t status, uint32_t code)
{
	struct rest_result result = {
		.error = -SHOAL_EDISCORD, .http_status = status, .discord_code = code, .message = "Invalid Form Body"
	};

	sent[i].fn(sent[i].arg, &result);
}

static void a_refused_answer_is_said_in_other_words(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);

	(void)state;
	assert_int_equal(invocation_reply_text(inv, "hello"), 0);
	invocation_release(inv);
	turn_down(0, 400, 50035);
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[1].route, ROUTE_INTERACTION_CALLBACK);
	assert_non_null(strstr(content_of(json_object_get(sent[1].body, "data")), "incident"));
	turn_down(1, 400, 50035); /* once */
	assert_int_equal(sent_count, 2);
	assert_null(commands.open);
}

static void a_refused_edit_is_edited_anew(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, 1600);

	(void)state;
	answer_tick(inv);
	complete(0, 0);
	invocation_reply_text(inv, "hello");
	invocation_release(inv);
	turn_down(1, 400, 50035);
	assert_int_equal(sent_count, 3);
	assert_int_equal(sent[2].route, ROUTE_EDIT_ORIGINAL);
	assert_non_null(strstr(content_of(sent[2].body), "incident"));
	complete(2, 0);
	assert_null(commands.open);
}

static void a_refused_message_too(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_MESSAGE, 0);

	(void)state;
	invocation_reply_text(inv, "hello");
	invocation_release(inv);
	turn_down(0, 400, 50006);
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[1].route, ROUTE_CREATE_MESSAGE);
	turn_down(1, 403, 50013);
	assert_null(commands.open);
}

static void who_may_not_speak_does_not_try_again(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_MESSAGE, 0);

	(void)state;
	invocation_reply_text(inv, "hello");
	invocation_release(inv);
	turn_down(0, 403, 50013);
	assert_int_equal(sent_count, 1);
	assert_null(commands.open);
}

static void blanks_are_no_answer(void **state)
{
	static const char *const blanks[] = { "", " ", "\n\t  \r\n" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct shoal_invocation *inv = make(INVOCATION_SLASH, 0);
		const struct shoal_content content = { .text = blanks[i] };

		assert_int_equal(invocation_reply_text(inv, blanks[i]), -EINVAL);
		assert_int_equal(invocation_reply(inv, &content), -EINVAL);
		invocation_release(inv); /* so it is spoken for */
		assert_int_equal(sent_count, i + 1);
		assert_non_null(strstr(content_of(json_object_get(sent[i].body, "data")), "incident"));
		complete(i, 0);
		assert_null(commands.open);
	}
}

static void one_that_is_held_for_ever_is_spoken_for(void **state)
{
	struct shoal_invocation *inv = make(INVOCATION_SLASH, ANSWER_HELD_MS - 10000);

	(void)state;
	answer_tick(inv);
	complete(0, 0); /* deferred */
	answer_tick(inv);
	assert_int_equal(sent_count, 1);
	inv->event_id = shoal_snowflake_at((uint64_t)clock_wall_ms() - ANSWER_HELD_MS - 10000);
	answer_tick(inv);
	answer_tick(inv);
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[1].route, ROUTE_EDIT_ORIGINAL);
	complete(1, 0);
	assert_int_equal(invocation_reply_text(inv, "late"), -EALREADY);
	invocation_release(inv);
	assert_null(commands.open);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

/* --- suggestions --- */

static struct shoal_invocation *make_suggest(uint64_t age_ms)
{
	static const struct shoal_command_option option = { .name = "o",
							    .description = "d",
							    .type = SHOAL_OPTION_INTEGER };
	struct shoal_invocation *inv = make(INVOCATION_SUGGEST, age_ms);

	inv->focused = &option;
	return inv;
}

static void suggestions_are_one_answer(void **state)
{
	static const struct shoal_choice choices[26] = { { .name = "one", .integer = 1 },
							 { .name = "two", .integer = 2 } };
	struct shoal_invocation *inv = make_suggest(0);

	(void)state;
	assert_int_equal(suggest_give(inv, choices, 26), -EINVAL); /* the 3rd has no name; and there are too many */
	assert_int_equal(sent_count, 0);
	assert_int_equal(suggest_give(inv, choices, 2), 0);
	assert_int_equal(suggest_give(inv, choices, 1), -EALREADY);
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].route, ROUTE_INTERACTION_CALLBACK);
	assert_int_equal(json_integer_value(json_object_get(sent[0].body, "type")), 8);
	assert_int_equal(json_array_size(json_object_get(json_object_get(sent[0].body, "data"), "choices")), 2);
	complete(0, 0);
	invocation_release(inv);
}

static void whatever_else_is_said_is_no_suggestion(void **state)
{
	struct shoal_invocation *inv = make_suggest(0);

	(void)state;
	assert_int_equal(invocation_reply_text(inv, "words"), 0);
	assert_int_equal(json_array_size(json_object_get(json_object_get(sent[0].body, "data"), "choices")), 0);
	complete(0, -SHOAL_EDISCORD); /* nobody is told, nothing counts as failed */
	assert_int_equal(counters[BOARD_COUNTER_commands_failed], 0);
	invocation_release(inv);
	invocation_release(make_suggest(0)); /* nothing said: none, and no incident */
	assert_int_equal(sent_count, 2);
	assert_int_equal(json_integer_value(json_object_get(sent[1].body, "type")), 8);
	complete(1, 0);
	assert_int_equal(counters[BOARD_COUNTER_commands_failed], 0);
}

static void late_suggestions_are_dropped(void **state)
{
	static const struct shoal_choice choice = { .name = "one" };
	struct shoal_invocation *inv = make_suggest(2900);

	(void)state;
	assert_int_equal(suggest_give(inv, &choice, 1), 0);
	answer_tick(inv);
	invocation_release(inv);
	invocation_release(make_suggest(2900));
	assert_int_equal(sent_count, 0);
}

/* A suggestion may read, and change nothing: nothing of it is ever journalled. */
static void suggestions_change_nothing(void **state)
{
	struct shoal_invocation *inv = make_suggest(0);
	struct rest_request get = { .route = ROUTE_GET_USER }, post = { .route = ROUTE_CREATE_MESSAGE };

	(void)state;
	assert_int_equal(request_send(&inv->scope, NULL, &post, NULL, NULL), -EPERM);
	assert_int_equal(sent_count, 0);
	assert_int_equal(request_send(&inv->scope, NULL, &get, NULL, NULL), 0);
	assert_int_equal(sent_count, 1);
	complete(0, 0);
	answer_tick(inv);
	assert_int_equal(sent_count, 1); /* and it is never deferred */
	inv->replied = true;
	invocation_release(inv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(suggestions_are_one_answer),
		TEST(whatever_else_is_said_is_no_suggestion),
		TEST(late_suggestions_are_dropped),
		TEST(suggestions_change_nothing),
		TEST(at_once),
		TEST(errors_are_ephemeral),
		TEST(deferred_when_old_then_edited),
		TEST(an_answer_does_not_overtake_its_deferral),
		TEST(a_young_one_is_not_deferred),
		TEST(a_failed_deferral_ends_it),
		TEST(a_failed_deferral_with_an_answer_waiting),
		TEST(a_callback_that_may_be_there_is_edited),
		TEST(a_silent_handler_is_apologised_for),
		TEST(nobody_apologises_while_closing),
		TEST(a_message_is_answered_by_a_reply),
		TEST(long_text_is_cut),
		TEST(a_refused_send_is_counted),
		TEST(with_buttons_embeds_and_mentions),
		TEST(what_breaks_limits_is_refused_and_apologised_for),
		TEST(a_component_changes_its_message),
		TEST(a_component_is_deferred_silently),
		TEST(a_message_beside_the_component_is_a_follow_up),
		TEST(a_form_is_the_first_answer),
		TEST(a_form_that_comes_too_late_is_words),
		TEST(no_form_answers_a_form_or_a_message),
		TEST(follow_ups_wait_for_the_answer),
		TEST(deferred_by_the_handler),
		TEST(deferred_and_taken_away),
		TEST(closing_ends_what_waits),
		TEST(a_refused_answer_is_said_in_other_words),
		TEST(a_refused_edit_is_edited_anew),
		TEST(a_refused_message_too),
		TEST(who_may_not_speak_does_not_try_again),
		TEST(blanks_are_no_answer),
		TEST(one_that_is_held_for_ever_is_spoken_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
