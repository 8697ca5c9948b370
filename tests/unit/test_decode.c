/* SPDX-License-Identifier: MIT */
/* The table of events: what each one cannot do without, what every member makes of null and of a wrong type (texts made
 * from the tables themselves), and the payloads that are known to be nasty. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shard/gateway/decode.h"
#include "shard/gateway/decode_table.h"
#include "shard/gateway/envelope.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static int decode(enum shoal_event_type type, const char *d, struct shoal_event *ret)
{
	arena_reset(&arena);
	return decode_event(type, (struct shoal_str){ d, (uint32_t)strlen(d) }, &arena, NULL, ret);
}

/* --- JSON from tables ------------------------------------------------------------------------------------------------
 */

struct text {
	char bytes[65536];
	size_t len;
};

static void put(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text->len += (size_t)vsnprintf(text->bytes + text->len, sizeof(text->bytes) - text->len, format, args);
	va_end(args);
	assert_true(text->len < sizeof(text->bytes));
}

static uint64_t all_bits(const struct reader_table *table)
{
	return table->count == 64 ? UINT64_MAX : (UINT64_C(1) << table->count) - 1;
}

static void put_object(struct text *text, const struct reader_table *table, uint64_t bits, uint64_t odd_bits,
		       const char *(*odd)(const struct reader_field *field));

static void put_value(struct text *text, const struct reader_field *field)
{
	static const char *const values[READER_KIND_COUNT] = {
		[READER_ID] = "\"584675118589018115\"",
		[READER_U32] = "7",
		[READER_I32] = "-7",
		[READER_U64] = "7",
		[READER_I64] = "-7",
		[READER_DOUBLE] = "0.5",
		[READER_BOOL] = "true",
		[READER_MARK] = "null",
		[READER_STR] = "\"x\"",
		[READER_TEXT] = "\"x\"",
		[READER_PERMS] = "\"7\"",
		[READER_VALUE] = "7",
		[READER_TIME] = "\"2026-08-04T16:20:01Z\"",
		[READER_RAW] = "[7]",
		[READER_IDS] = "[\"7\"]",
		[READER_U32S] = "[7]",
		[READER_I64S] = "[7]",
		[READER_STRS] = "[\"x\"]",
		[READER_LIST] = "[]",
		[READER_MAP] = "{}",
	};

	if (field->kind == READER_OBJ || field->kind == READER_PTR)
		put_object(text, field->sub, reader_bits(field->sub->required), 0, NULL);
	else
		put(text, "%s", values[field->kind]);
}

/* The members in @bits with good values, those in @odd_bits with what @odd says. */
static void put_object(struct text *text, const struct reader_table *table, uint64_t bits, uint64_t odd_bits,
		       const char *(*odd)(const struct reader_field *field))
{
	const char *comma = "";

	put(text, "{");
	for (uint32_t i = 0; i < table->count; i++) {
		const struct reader_field *field = &table->fields[i];

		if (!((bits | odd_bits) >> i & 1))
			continue;
		put(text, "%s\"%.*s\":", comma, field->name_len, field->name);
		if (odd_bits >> i & 1)
			put(text, "%s", odd(field));
		else
			put_value(text, field);
		comma = ",";
	}
	put(text, "}");
}

static const char *null_value(const struct reader_field *field)
{
	(void)field;
	return "null";
}

static const char *wrong_value(const struct reader_field *field)
{
	switch ((enum reader_kind)field->kind) {
	case READER_STR:
	case READER_TIME:
	case READER_BOOL:
		return "42";
	case READER_LIST:
	case READER_IDS:
	case READER_U32S:
	case READER_I64S:
	case READER_STRS:
		return "{}";
	default:
		return "[]";
	}
}

/* --- every event -----------------------------------------------------------------------------------------------------
 */

static void test_every_event(void **state)
{
	(void)state;
	for (unsigned i = SHOAL_EVENT_UNKNOWN + 1; i < SHOAL_EVENT_COUNT; i++) {
		enum shoal_event_type type = (enum shoal_event_type)i;
		const struct decode_event *row = decode_event_row(type);
		uint64_t needed = reader_bits(row->required) | reader_bits(row->table->required);
		struct shoal_event event = { .guild_id = 5, .sequence = 6 };
		static struct text text;

		/* what is required is enough */
		text.len = 0;
		put_object(&text, row->table, needed, 0, NULL);
		assert_int_equal(decode(type, text.bytes, &event), 0);
		assert_int_equal(event.type, type);
		assert_int_equal(reader_bits(event.data), needed);
		assert_true(event.guild_id == 5 && event.sequence == 6); /* the caller's */
		/* all there is */
		text.len = 0;
		put_object(&text, row->table, all_bits(row->table), 0, NULL);
		assert_int_equal(decode(type, text.bytes, &event), 0);
		assert_true(reader_bits(event.data) == all_bits(row->table));
		assert_int_equal(event.mistyped, 0);
		/* each of the required missing, null, or wrong */
		for (uint64_t bit = 1; bit; bit <<= 1) {
			struct shoal_event untouched = event;

			if (!(needed & bit))
				continue;
			text.len = 0;
			put_object(&text, row->table, needed & ~bit, 0, NULL);
			assert_int_equal(decode(type, text.bytes, &event), -EPROTO);
			text.len = 0;
			put_object(&text, row->table, needed & ~bit, bit, null_value);
			assert_int_equal(decode(type, text.bytes, &event), -EPROTO);
			text.len = 0;
			put_object(&text, row->table, needed & ~bit, bit, wrong_value);
			assert_int_equal(decode(type, text.bytes, &event), -EPROTO);
			assert_memory_equal(&event, &untouched, sizeof(event));
		}
		/* no object at all */
		assert_int_equal(decode(type, "null", &event), needed ? -EBADMSG : 0);
		assert_int_equal(decode(type, "[]", &event), needed ? -EBADMSG : 0);
		assert_int_equal(decode_event(type, (struct shoal_str){ 0 }, &arena, NULL, &event),
				 needed ? -EBADMSG : 0);
	}
	assert_null(decode_event_row(SHOAL_EVENT_NONE));
	assert_null(decode_event_row(SHOAL_EVENT_UNKNOWN));
	assert_null(decode_event_row(SHOAL_EVENT_COUNT));
	assert_null(decode_event_row((enum shoal_event_type) - 1));
}

/* --- every struct ----------------------------------------------------------------------------------------------------
 */

static const struct reader_table *const tables[] = {
#define X(tag) &tag##_table,
	DECODE_STRUCTS(X)
#undef X
};

static const char *decode_lenient(const struct reader_table *table, const struct text *text, struct reader_stats *stats)
{
	struct reader_table lenient = *table;
	const void *data;

	lenient.required = NULL;
	*stats = (struct reader_stats){ 0 };
	arena_reset(&arena);
	assert_int_equal(reader_decode(&lenient, NULL, text->bytes, text->len, &arena, stats, &data), 0);
	return data;
}

static uint64_t bits_of_kind(const struct reader_table *table, enum reader_kind a, enum reader_kind b)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < table->count; i++)
		if (table->fields[i].kind == a || table->fields[i].kind == b)
			bits |= UINT64_C(1) << i;
	return bits;
}

static void test_every_member(void **state)
{
	static struct text text;

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const struct reader_table *table = tables[i];
		uint64_t all = all_bits(table), marks = bits_of_kind(table, READER_MARK, READER_MARK);
		uint64_t any = bits_of_kind(table, READER_VALUE, READER_RAW);
		struct reader_stats stats;
		const char *data;

		text.len = 0;
		put_object(&text, table, 0, all, null_value);
		data = decode_lenient(table, &text, &stats);
		assert_true(reader_bits(data) == marks);
		assert_true(reader_bits(data + sizeof(uint64_t)) == (all & ~marks));
		assert_int_equal(stats.mistyped, 0);

		text.len = 0;
		put_object(&text, table, 0, all, wrong_value);
		data = decode_lenient(table, &text, &stats);
		assert_true(reader_bits(data) == any);
		assert_true(reader_bits(data + sizeof(uint64_t)) == 0);
		assert_int_equal(stats.mistyped, table->count - (unsigned)__builtin_popcountll(any));
		for (size_t at = 2 * sizeof(uint64_t); !any && at < table->size; at++)
			assert_int_equal(data[at], 0);
	}
}

/* --- known to be nasty -----------------------------------------------------------------------------------------------
 */

static void test_malformed_message(void **state)
{
	struct shoal_event event;

	(void)state;
	assert_int_equal(decode(SHOAL_EVENT_MESSAGE_CREATE,
				"{\"id\":1402998714230841999,\"channel_id\":null,\"author\":\"nope\",\"content\":42,"
				"\"mentions\":{},\"timestamp\":\"\"}",
				&event),
			 -EPROTO);
	assert_int_equal(decode(SHOAL_EVENT_MESSAGE_UPDATE,
				"{\"id\":1402998714230841999,\"channel_id\":\"5\",\"author\":\"nope\",\"content\":42,"
				"\"mentions\":{},\"timestamp\":\"\"}",
				&event),
			 0);
	assert_int_equal(event.mistyped, 4);
	assert_int_equal(event.message->id, 1402998714230841999);
	assert_true(!event.message->has.author && event.message->author.id == 0);
	assert_true(!event.message->has.content && !event.message->content.ptr);
	assert_int_equal(decode(SHOAL_EVENT_UNKNOWN, "{}", &event), -ENOENT);
	assert_int_equal(decode(SHOAL_EVENT_NONE, "{}", &event), -ENOENT);
}

static void test_presence_is_not_validated(void **state)
{
	const struct shoal_activity *activity;
	struct shoal_event event;

	(void)state;
	assert_int_equal(
		decode(SHOAL_EVENT_PRESENCE_UPDATE,
		       "{\"user\":{\"id\":\"5\",\"username\":12345},\"status\":\"sleeping\",\"activities\":[{\"type\":"
		       "0,"
		       "\"name\":\"x\",\"created_at\":1785860400123,\"timestamps\":{\"start\":1785860400},"
		       "\"application_id\":379286085710381999,\"party\":{\"size\":[1,2]},\"buttons\":[\"a\"]}, null],"
		       "\"client_status\":{}}",
		       &event),
		0);
	assert_int_equal(event.mistyped, 2);
	assert_true(!event.presence->user.has.username && event.presence->user.id == 5);
	assert_int_equal(event.presence->activities.count, 1);
	activity = &event.presence->activities.items[0];
	assert_int_equal(activity->created_at, 1785860400123);
	assert_int_equal(activity->application_id, 379286085710381999);
	assert_true(activity->party->size.count == 2 && activity->party->size.items[1] == 2);
}

static void test_command(void **state)
{
	const struct shoal_interaction_data *data;
	const struct shoal_option *option;
	struct shoal_event event;

	(void)state;
	assert_int_equal(
		decode(SHOAL_EVENT_INTERACTION_CREATE,
		       "{\"id\":\"1\",\"application_id\":\"2\",\"type\":2,\"token\":\"t\",\"data\":{\"id\":\"3\","
		       "\"name\":"
		       "\"perm\",\"type\":1,\"options\":[{\"name\":\"role\",\"type\":2,\"options\":[{\"name\":\"edit\","
		       "\"type\":1,\"options\":[{\"name\":\"who\",\"type\":9,\"value\":\"77\"},{\"name\":\"big\","
		       "\"type\":4,"
		       "\"value\":9007199254740991},{\"name\":\"w\",\"type\":10,\"value\":1e-07},{\"name\":\"b\","
		       "\"type\":5,"
		       "\"value\":false},{\"name\":\"f\",\"type\":4,\"value\":\"\",\"focused\":true}]}]}],\"resolved\":"
		       "{"
		       "\"members\":{\"77\":{\"roles\":[],\"permissions\":\"1024\"}},\"users\":{\"77\":{\"id\":\"77\"}}"
		       "}}}",
		       &event),
		0);
	data = event.interaction->data;
	assert_true(shoal_str_is(data->name, "perm"));
	option = data->options.items[0].options.items[0].options.items;
	assert_int_equal(data->options.items[0].options.items[0].options.count, 5);
	assert_true(option[0].value.kind == SHOAL_VALUE_STR && shoal_str_is(option[0].value.text, "77"));
	assert_int_equal(option[1].value.integer, 9007199254740991);
	assert_true(option[2].value.number == 1e-07);
	assert_true(option[3].value.kind == SHOAL_VALUE_BOOL && !option[3].value.boolean);
	assert_true(option[4].focused && option[4].value.kind == SHOAL_VALUE_STR);
	assert_true(data->resolved->members.keys[0] == 77 && data->resolved->members.items[0].permissions.bits == 1024);
	assert_int_equal(data->resolved->users.items[0].id, 77);
}

static void test_modal(void **state)
{
	const struct shoal_component *label;
	struct shoal_event event;

	(void)state;
	assert_int_equal(decode(SHOAL_EVENT_INTERACTION_CREATE,
				"{\"id\":\"1\",\"application_id\":\"2\",\"type\":5,\"token\":\"t\",\"data\":{\"custom_"
				"id\":\"r\","
				"\"components\":[{\"type\":10,\"id\":1},{\"type\":18,\"id\":2,\"component\":{\"type\":"
				"4,\"custom_id\":"
				"\"why\",\"value\":\"a\\nb\"}},{\"type\":18,\"id\":3,\"component\":{\"type\":21,"
				"\"value\":null}},{"
				"\"type\":18,\"component\":{\"type\":23,\"value\":true}},{\"type\":1,\"components\":[{"
				"\"type\":4,"
				"\"value\":\"\"}]}]}}",
				&event),
			 0);
	label = event.interaction->data->components.items;
	assert_int_equal(event.interaction->data->components.count, 5);
	assert_true(shoal_str_is(label[1].component->value.text, "a\nb"));
	assert_int_equal(label[2].component->value.kind, SHOAL_VALUE_NULL);
	assert_true(label[3].component->value.boolean);
	assert_int_equal(label[4].components.items[0].value.kind, SHOAL_VALUE_STR);
	assert_int_equal(label[0].value.kind, SHOAL_VALUE_NONE);
}

/* Components and replies nest as deep as a hostile payload likes, and decoding stops at a depth of its own. */
static void test_endless_nesting(void **state)
{
	static struct text text;
	struct shoal_event event;
	unsigned depth = 0;

	(void)state;
	text.len = 0;
	for (unsigned i = 0; i < 60; i++)
		put(&text, "{\"id\":\"1\",\"channel_id\":\"2\",\"author\":{\"id\":\"3\"},\"referenced_message\":");
	put(&text, "null");
	for (unsigned i = 0; i < 60; i++)
		put(&text, "}");
	assert_int_equal(decode(SHOAL_EVENT_MESSAGE_CREATE, text.bytes, &event), 0);
	for (const struct shoal_message *m = event.message; m; m = m->referenced_message)
		depth++;
	assert_int_equal(depth, READER_DEPTH_MAX + 1);
	assert_int_equal(event.mistyped, 2); /* at the bottom: the author and the reply of the last one */
}

static void test_hello_and_invalid_session(void **state)
{
	uint32_t interval_ms = 5;

	(void)state;
	assert_int_equal(
		decode_hello(SHOAL_STR("{\"heartbeat_interval\":41250,\"_trace\":[\"[\\\"x\\\"]\"]}"), &interval_ms),
		0);
	assert_int_equal(interval_ms, 41250);
	interval_ms = 5;
	assert_int_equal(decode_hello(SHOAL_STR("{}"), &interval_ms), -EBADMSG);
	assert_int_equal(decode_hello(SHOAL_STR("{\"heartbeat_interval\":0}"), &interval_ms), -EBADMSG);
	assert_int_equal(decode_hello(SHOAL_STR("{\"heartbeat_interval\":-1}"), &interval_ms), -EBADMSG);
	assert_int_equal(decode_hello(SHOAL_STR("{\"heartbeat_interval\":99999999999}"), &interval_ms), -EBADMSG);
	assert_int_equal(decode_hello(SHOAL_STR("{\"heartbeat_interval\":86400001}"), &interval_ms), -EBADMSG);
	assert_int_equal(decode_hello(SHOAL_STR("{\"heartbeat_interval\":\"41250\"}"), &interval_ms), -EBADMSG);
	assert_int_equal(decode_hello(SHOAL_STR("null"), &interval_ms), -EBADMSG);
	assert_int_equal(decode_hello((struct shoal_str){ 0 }, &interval_ms), -EBADMSG);
	assert_int_equal(interval_ms, 5);
	assert_true(decode_invalid_session(SHOAL_STR("true")));
	assert_false(decode_invalid_session(SHOAL_STR("false")));
	assert_false(decode_invalid_session(SHOAL_STR("null")));
	assert_false(decode_invalid_session((struct shoal_str){ 0 }));
}

/* The second column of SHOAL_EVENTS names a member of the event's union: its type must be the third. */
static void test_union(void **state)
{
	(void)state;
#define X(name, member_, tag, ...)                                                                                \
	_Static_assert(                                                                                           \
		__builtin_types_compatible_p(__typeof__(((struct shoal_event *)0)->member_), const struct tag *), \
		#name);
	SHOAL_EVENTS(X)
#undef X
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event),
		cmocka_unit_test(test_every_member),
		cmocka_unit_test(test_malformed_message),
		cmocka_unit_test(test_presence_is_not_validated),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_modal),
		cmocka_unit_test(test_endless_nesting),
		cmocka_unit_test(test_hello_and_invalid_session),
		cmocka_unit_test(test_union),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
