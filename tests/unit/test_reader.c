/* SPDX-License-Identifier: MIT */
/* The reader by itself, with a table of every kind: what each kind takes and refuses, absent against null, keys that
 * come twice, lists that lose items, escapes, times, depth, a full arena, bytes that are no JSON. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <shoal/event.h>
#include "shard/gateway/decode_table.h"
#include "shard/gateway/reader.h"
#include "shard/gateway/scalar.h"

/* clang-format off */
#define LEAF(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   text, )
SHOAL_STRUCT(leaf, LEAF);
DECODE_TABLE(leaf, LEAF, DECODE_BITS(leaf, .id = 1));

#define NODE(F, T) \
	F(T, PTR,   next, node) \
	F(T, U32,   n, )
struct node;
SHOAL_STRUCT(node, NODE);
extern const struct reader_table node_table;
DECODE_TABLE(node, NODE, NULL);

#define KINDS(F, T) \
	F(T, ID,    id, ) \
	F(T, U32,   u32, ) \
	F(T, I32,   i32, ) \
	F(T, U64,   u64, ) \
	F(T, I64,   i64, ) \
	F(T, DOUBLE, number, ) \
	F(T, BOOL,  flag, ) \
	F(T, MARK,  mark, ) \
	F(T, STR,   str, ) \
	F(T, TEXT,  text, ) \
	F(T, TIME,  time, ) \
	F(T, PERMS, perms, ) \
	F(T, VALUE, value, ) \
	F(T, RAW,   raw, ) \
	F(T, OBJ,   obj, leaf) \
	F(T, PTR,   ptr, leaf) \
	F(T, IDS,   ids, ) \
	F(T, U32S,  u32s, ) \
	F(T, I64S,  i64s, ) \
	F(T, STRS,  strs, ) \
	F(T, LIST,  list, leaf) \
	F(T, MAP,   map, leaf)
SHOAL_STRUCT(kinds, KINDS);
DECODE_TABLE(kinds, KINDS, NULL);
/* clang-format on */

static struct arena arena;
static struct reader_stats stats;
static char *bytes; /* of the exact size, so that ASan sees one too far */

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
	free(bytes);
	bytes = NULL;
	return 0;
}

static int decode(const struct reader_table *table, const char *json, size_t len, const void **ret)
{
	free(bytes);
	bytes = malloc(len ?: 1);
	assert_non_null(bytes);
	memcpy(bytes, json, len);
	stats = (struct reader_stats){ 0 };
	arena_reset(&arena);
	return reader_decode(table, NULL, bytes, len, &arena, &stats, ret);
}

/* Valid until the next one. */
static const struct kinds *kinds(const char *json)
{
	const void *data = NULL;
	int r = decode(&kinds_table, json, strlen(json), &data);

	if (r < 0)
		fail_msg("%s: %d", json, r);
	return data;
}

static const struct kinds *member(const char *key, const char *value)
{
	const struct kinds *k;
	char *json;

	assert_true(asprintf(&json, "{\"%s\":%s}", key, value) > 0);
	k = kinds(json);
	free(json);
	return k;
}

static void refused(const char *key, const char *value)
{
	static const struct kinds zero;
	const struct kinds *k = member(key, value);

	if (memcmp(k, &zero, sizeof(zero)) != 0 || stats.mistyped != 1)
		fail_msg("%s: %s was not refused", key, value);
}

/* --- kinds -----------------------------------------------------------------------------------------------------------
 */

static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(member("id", "\"584675118589018115\"")->id, 584675118589018115);
	assert_int_equal(member("id", "9007199254740993")->id, 9007199254740993);
	assert_true(member("id", "\"18446744073709551615\"")->id == UINT64_MAX);
	refused("id", "\"18446744073709551616\"");
	refused("id", "\"\"");
	refused("id", "\"12a\"");
	refused("id", "-1");
	refused("id", "1.0");
	refused("id", "true");
	refused("id", "[1]");
	refused("id", "{\"id\":1}");

	assert_int_equal(member("u32", "4294967295")->u32, UINT32_MAX);
	assert_int_equal(member("u32", "0")->has.u32, 1);
	assert_int_equal(member("u32", "2.0")->u32, 2);
	assert_int_equal(member("u32", "1e3")->u32, 1000);
	refused("u32", "4294967296");
	refused("u32", "-1");
	refused("u32", "1.5");
	refused("u32", "1e300");
	refused("u32", "\"1\"");
	assert_int_equal(member("i32", "-2147483648")->i32, INT32_MIN);
	assert_int_equal(member("i32", "2147483647")->i32, INT32_MAX);
	refused("i32", "2147483648");
	refused("i32", "-2147483649");
	assert_true(member("u64", "18446744073709551615")->u64 == UINT64_MAX);
	refused("u64", "18446744073709551616");
	refused("u64", "1e19");
	assert_true(member("i64", "-9223372036854775808")->i64 == INT64_MIN);
	assert_true(member("i64", "9223372036854775807")->i64 == INT64_MAX);
	assert_true(member("i64", "-0")->has.i64);
	refused("i64", "9223372036854775808");
	refused("i64", "-9223372036854775809");
	refused("i64", "false");
}

static void test_doubles(void **state)
{
	static const char *const exact[] = { "0",
					     "-0.0",
					     "1.5",
					     "27.418",
					     "1e-07",
					     "0.1",
					     "123456.789",
					     "2.08",
					     "5e-324",
					     "1.7976931348623157e308",
					     "9007199254740993",
					     "0.3",
					     "1E+5",
					     "-12.000000000000001",
					     "1e22",
					     "123456789012345678901234567890",
					     "999999999999999.9",
					     "0.000000000000001" };

	(void)state;
	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
		double got = member("number", exact[i])->number, want = strtod(exact[i], NULL);

		if (memcmp(&got, &want, sizeof(got)) != 0)
			fail_msg("%s became %.17g", exact[i], got);
	}
	refused("number", "1e999");
	refused("number", "\"1\"");
	assert_int_equal(member("number", "null")->null.number, 1);
}

static void test_words(void **state)
{
	(void)state;
	assert_true(member("flag", "true")->flag);
	assert_true(member("flag", "false")->has.flag && !member("flag", "false")->flag);
	refused("flag", "1");
	refused("flag", "\"true\"");
	assert_true(member("flag", "null")->null.flag && !member("flag", "null")->has.flag);
	/* role tags: null means true */
	assert_true(member("mark", "null")->mark && member("mark", "null")->has.mark);
	assert_true(member("mark", "true")->mark);
	assert_true(!member("mark", "false")->mark && member("mark", "false")->has.mark);
	assert_true(!member("flag", "true")->has.mark);
	refused("mark", "0");
}

static void check_text(const char *json, const char *want, size_t len)
{
	const struct kinds *k = member("str", json);

	if (!k->has.str || k->str.len != len || memcmp(k->str.ptr, want, len) != 0)
		fail_msg("%s became %.*s", json, SHOAL_STR_ARG(k->str));
}

static void test_texts(void **state)
{
	const struct kinds *k;

	(void)state;
	k = member("str", "\"plain h\xc3\xa9\"");
	assert_true(shoal_str_is(k->str, "plain h\xc3\xa9"));
	assert_in_range((uintptr_t)k->str.ptr, (uintptr_t)bytes, (uintptr_t)bytes + 40); /* borrowed, not copied */
	check_text("\"\"", "", 0);
	assert_non_null(member("str", "\"\"")->str.ptr);
	check_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
	check_text("\"a\\u00e9b\"",
		   "a\xc3\xa9"
		   "b",
		   4);
	check_text("\"\\u05d0\\u20AC\"", "\xd7\x90\xe2\x82\xac", 5);
	check_text("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4);
	check_text("\"x\\u0000y\"", "x\0y", 3);
	check_text("\"\\\"\"", "\"", 1);
	check_text("\"\\\\\"", "\\", 1);
	assert_int_equal(stats.repaired, 0);
	check_text("\"\\ud83d\"", "\xef\xbf\xbd", 3);
	assert_int_equal(stats.repaired, 1);
	check_text("\"\\ude00\"", "\xef\xbf\xbd", 3);
	check_text("\"\\ud83d\\u0041\"",
		   "\xef\xbf\xbd"
		   "A",
		   4);
	check_text("\"\\ude00\\ude00\"", "\xef\xbf\xbd\xef\xbf\xbd", 6);
	check_text("\"\\ud83dx\"",
		   "\xef\xbf\xbd"
		   "x",
		   4);
	check_text("\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7);
	assert_int_equal(stats.repaired, 1);
	refused("str", "5");
	refused("str", "[]");
	assert_true(shoal_str_is(member("text", "\"n1\"")->text, "n1"));
	assert_true(shoal_str_is(member("text", "1402998714230841999")->text, "1402998714230841999"));
	assert_true(shoal_str_is(member("text", "-5")->text, "-5"));
	refused("text", "true");
}

static void test_perms(void **state)
{
	const struct kinds *k;

	(void)state;
	assert_int_equal(member("perms", "\"1157426203745845256\"")->perms.bits, 1157426203745845256);
	assert_int_equal(member("perms", "8")->perms.bits, 8);
	k = member("perms", "\"18446744073709551615\"");
	assert_true(k->perms.bits == UINT64_MAX && !k->perms.over);
	k = member("perms", "\"18446744073709551617\"");
	assert_true(k->perms.bits == 1 && k->perms.over);
	k = member("perms", "\"1180591620717411304448\""); /* 2^70 + 1024 */
	assert_true(k->perms.over);
	assert_int_equal(k->perms.bits, 1024);
	refused("perms", "\"\"");
	refused("perms", "\"-1\"");
	refused("perms", "\"1e3\"");
	refused("perms", "1.5");
}

static void test_values(void **state)
{
	const struct kinds *k;

	(void)state;
	assert_int_equal(member("u32", "1")->value.kind, SHOAL_VALUE_NONE);
	k = member("value", "null");
	assert_true(k->value.kind == SHOAL_VALUE_NULL && k->null.value && !k->has.value);
	k = member("value", "true");
	assert_true(k->value.kind == SHOAL_VALUE_BOOL && k->value.boolean && k->has.value);
	assert_false(member("value", "false")->value.boolean);
	k = member("value", "9007199254740991");
	assert_true(k->value.kind == SHOAL_VALUE_INT && k->value.integer == 9007199254740991);
	k = member("value", "-3");
	assert_true(k->value.kind == SHOAL_VALUE_INT && k->value.integer == -3 && k->value.number == -3.0);
	k = member("value", "1e-07");
	assert_true(k->value.kind == SHOAL_VALUE_NUMBER && k->value.number == 1e-07);
	assert_int_equal(member("value", "1e2")->value.kind, SHOAL_VALUE_NUMBER);
	assert_int_equal(member("value", "1E2")->value.kind, SHOAL_VALUE_NUMBER);
	k = member("value", "3.0");
	assert_true(k->value.kind == SHOAL_VALUE_NUMBER && k->value.number == 3.0);
	k = member("value", "99999999999999999999");
	assert_true(k->value.kind == SHOAL_VALUE_NUMBER && k->value.number == 1e20);
	k = member("value", "\"\"");
	assert_true(k->value.kind == SHOAL_VALUE_STR && k->value.text.len == 0);
	k = member("value", "{\"a\":[\"}\"]}");
	assert_true(k->value.kind == SHOAL_VALUE_JSON && shoal_str_is(k->value.text, "{\"a\":[\"}\"]}"));
	refused("value", "1e999");
	assert_true(shoal_str_is(member("raw", "[1,\"a\\\"]\",null]")->raw, "[1,\"a\\\"]\",null]"));
	assert_true(shoal_str_is(member("raw", "\"x\"")->raw, "\"x\""));
	assert_true(shoal_str_is(member("raw", "-1.5e3")->raw, "-1.5e3"));
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} times[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-08-04T16:20:01.123000+00:00", 1785860401123 },
		{ "2026-08-04T16:20:01.123999+00:00", 1785860401123 },
		{ "2026-08-04T16:20:01+00:00", 1785860401000 },
		{ "2026-08-04T16:20:01.5Z", 1785860401500 },
		{ "2026-08-04T18:20:01.000+02:00", 1785860401000 },
		{ "2026-08-04T10:50:01-0530", 1785860401000 },
		{ "2000-02-29T23:59:59Z", 951868799000 },
		{ "2015-01-01T00:00:00.000Z", 1420070400000 },
		{ "1969-12-31T23:59:59Z", -1000 },
		{ "0001-01-01T00:00:00Z", -62135596800000 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
	};
	static const char *const bad[] = {
		"",
		"2026-08-04",
		"2026-08-04T16:20:01",
		"2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-01-32T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z",
		"2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00Zx",
		"26-01-01T00:00:00Z",
		"2026-1-01T00:00:00Z",
		"2026-01-01T00:00:00 Z",
	};
	char json[64];
	int64_t ms = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		assert_int_equal(reader_parse_time(times[i].text, strlen(times[i].text), &ms), 0);
		assert_int_equal(ms, times[i].ms);
		snprintf(json, sizeof(json), "\"%s\"", times[i].text);
		assert_int_equal(member("time", json)->time, times[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ms = 77;
		assert_int_equal(reader_parse_time(bad[i], strlen(bad[i]), &ms), -EINVAL);
		assert_int_equal(ms, 77);
		snprintf(json, sizeof(json), "\"%s\"", bad[i]);
		refused("time", json);
	}
	refused("time", "1785860401");
}

/* --- arrays, maps, objects -------------------------------------------------------------------------------------------
 */

static void test_arrays(void **state)
{
	const struct kinds *k;
	char json[8192];
	size_t len;

	(void)state;
	k = member("ids", "[]");
	assert_true(k->has.ids && k->ids.count == 0);
	k = member("ids", "[123123,\"999999999999999999\"]");
	assert_int_equal(k->ids.count, 2);
	assert_int_equal(k->ids.items[0], 123123);
	assert_int_equal(k->ids.items[1], 999999999999999999);
	k = member("ids", "[1,null,\"x\",{\"a\":1},2]");
	assert_int_equal(k->ids.count, 2);
	assert_int_equal(k->ids.items[1], 2);
	assert_int_equal(stats.mistyped, 3);
	k = member("u32s", "[0,4294967295,-1,1.5]");
	assert_true(k->u32s.count == 2 && k->u32s.items[1] == UINT32_MAX);
	k = member("i64s", "[-5, 1785860400123 ]");
	assert_true(k->i64s.count == 2 && k->i64s.items[0] == -5 && k->i64s.items[1] == 1785860400123);
	k = member("strs", "[\"a\",5,\"b\\n\"]");
	assert_true(k->strs.count == 2 && shoal_str_is(k->strs.items[1], "b\n"));
	len = 0;
	for (unsigned i = 0; i < 500; i++)
		len += (size_t)sprintf(json + len, "%c%u", i ? ',' : '[', i * 3);
	strcpy(json + len, "]");
	k = member("u32s", json);
	assert_int_equal(k->u32s.count, 500);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(k->u32s.items[i], i * 3);
	refused("ids", "{}");
	refused("ids", "\"1\"");
	refused("strs", "true");
}

static void test_objects(void **state)
{
	const struct kinds *k;

	(void)state;
	k = member("ptr", "{\"id\":\"5\",\"text\":\"t\"}");
	assert_true(k->has.ptr && k->ptr->id == 5 && k->ptr->has.text);
	k = member("obj", "{\"id\":\"5\",\"text\":null}");
	assert_true(k->has.obj && k->obj.id == 5 && k->obj.null.text && !k->obj.has.text);
	/* without what its table requires, a nested object is no object */
	refused("ptr", "{\"text\":\"t\"}");
	refused("obj", "{\"text\":\"t\"}");
	refused("obj", "[]");
	refused("ptr", "5");
	k = member("list", "[{\"id\":1},{\"text\":\"no id\"},7,null,{\"id\":2,\"text\":\"x\"}]");
	assert_int_equal(k->list.count, 2);
	assert_true(k->list.items[0].id == 1 && k->list.items[1].id == 2 && shoal_str_is(k->list.items[1].text, "x"));
	assert_int_equal(stats.mistyped, 3);
	k = member("map", "{\"7\":{\"id\":\"7\"},\"x\":{\"id\":1},\"8\":{},\"9\":{\"id\":9,\"text\":\"n\"}}");
	assert_int_equal(k->map.count, 2);
	assert_true(k->map.keys[0] == 7 && k->map.keys[1] == 9 && k->map.items[1].id == 9);
	assert_int_equal(stats.mistyped, 2);
	refused("map", "[]");
	assert_true(member("map", "{}")->has.map);
	assert_int_equal(member("u32", "1")->map.count, 0);
}

static void test_absent_null_twice(void **state)
{
	const struct kinds *k;

	(void)state;
	k = kinds("{\"str\":null}");
	assert_true(k->null.str && !k->has.str && !k->str.ptr);
	assert_true(!k->null.text && !k->has.text);
	assert_int_equal(stats.mistyped, 0);
	/* a key that comes twice: the last one counts, whatever came first */
	k = kinds("{\"u32\":1,\"u32\":2}");
	assert_true(k->u32 == 2 && k->has.u32);
	k = kinds("{\"str\":\"a\",\"str\":null}");
	assert_true(k->null.str && !k->has.str && !k->str.ptr);
	k = kinds("{\"str\":null,\"str\":\"a\"}");
	assert_true(!k->null.str && k->has.str);
	k = kinds("{\"list\":[{\"id\":1},{\"id\":2}],\"list\":5}");
	assert_true(!k->has.list && k->list.count == 0 && !k->list.items);
	k = kinds("{\"obj\":{\"id\":1,\"text\":\"a\"},\"obj\":{\"id\":2}}");
	assert_true(k->obj.id == 2 && !k->obj.has.text && !k->obj.text.ptr);
	k = kinds("{\"value\":1,\"value\":\"x\"}");
	assert_true(k->value.kind == SHOAL_VALUE_STR && k->value.integer == 0);
	k = kinds("{\"new\":{\"deep\":[1,{}]},\"u32\":1,\"\\u0075\":2,\"newer\":\"\\\"\"}");
	assert_true(k->u32 == 1);
	assert_int_equal(stats.unknown, 3);
}

static void test_required(void **state)
{
	static const struct kinds_has needed = { .u32 = 1, .str = 1 };
	const void *data = &needed;

	(void)state;
	stats = (struct reader_stats){ 0 };
	assert_int_equal(reader_decode(&kinds_table, &needed, "{\"u32\":1}", 9, &arena, &stats, &data), -EPROTO);
	assert_int_equal(reader_decode(&kinds_table, &needed, "{\"u32\":1,\"str\":null}", 20, &arena, &stats, &data),
			 -EPROTO);
	assert_ptr_equal(data, &needed);
	assert_int_equal(reader_decode(&kinds_table, &needed, "{\"u32\":1,\"str\":\"\"}", 18, &arena, &stats, &data),
			 0);
	assert_int_equal(decode(&leaf_table, "{\"text\":\"\"}", 11, &data), -EPROTO);
}

static void test_depth(void **state)
{
	char json[4096];
	const struct node *node;
	const void *data;

	(void)state;
	for (unsigned depth = 1; depth < 200; depth++) {
		size_t len = 0;
		unsigned met = 0;

		for (unsigned i = 0; i < depth; i++)
			len += (size_t)sprintf(json + len, "{\"n\":%u,\"next\":", i);
		len += (size_t)sprintf(json + len, "null");
		for (unsigned i = 0; i < depth; i++)
			json[len++] = '}';
		assert_int_equal(decode(&node_table, json, len, &data), 0);
		for (node = data; node; node = node->next)
			assert_int_equal(node->n, met++);
		assert_int_equal(met, depth <= READER_DEPTH_MAX ? depth : READER_DEPTH_MAX + 1);
		assert_int_equal(stats.mistyped, depth > READER_DEPTH_MAX + 1);
	}
}

/* --- what goes wrong -------------------------------------------------------------------------------------------------
 */

static const char big[] =
	"{\"strs\":[\"a\\n\",\"b\\n\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"],\"ptr\":{\"id\":1,\"text\":"
	"\"\\u00e9\"},\"list\":[{\"id\":1},{\"id\":2},{\"id\":3}],\"ids\":[1,2,3,4,5,6,7,8,9,10],\"map\":{"
	"\"1\":{\"id\":1},\"2\":{\"id\":2},\"3\":{\"id\":3}},\"str\":\"\\ud83d\\ude00\"}";

/* A full arena at every size: refused, never a crash, never half an answer. */
static void test_arena_full(void **state)
{
	bool full = false, fits = false;

	(void)state;
	for (size_t max = 0; max < 4096; max += 8) {
		struct arena small;
		const void *data = NULL;
		int r;

		arena_init(&small, max);
		r = reader_decode(&kinds_table, NULL, big, sizeof(big) - 1, &small, &stats, &data);
		assert_true(small.total_bytes <= max);
		if (r == 0) {
			const struct kinds *k = data;

			fits = true;
			assert_true(k->strs.count == 9 && k->list.count == 3 && k->ids.count == 10 &&
				    k->map.count == 3);
		} else {
			full = true;
			assert_int_equal(r, -ENOBUFS);
			assert_null(data);
		}
		arena_finish(&small);
	}
	assert_true(full && fits);
}

static void test_broken(void **state)
{
	static const char *const broken[] = {
		"",
		" ",
		"[]",
		"null",
		"5",
		"\"x\"",
		"{",
		"{\"",
		"{\"u32",
		"{\"u32\"",
		"{\"u32\":",
		"{\"u32\":1",
		"{\"u32\":1,",
		"{\"u32\" 1}",
		"{\"u32\":1,}",
		"{,}",
		"{\"u32\":}",
		"{\"u32\":1]",
		"{\"ids\":[",
		"{\"ids\":[1",
		"{\"ids\":[1,",
		"{\"ids\":[1,]}",
		"{\"ids\":[1}}",
		"{\"ids\":[1 2]}",
		"{\"map\":{",
		"{\"map\":{1",
		"{\"map\":{1:2}}",
		"{\"map\":{\"1\":",
		"{\"map\":{\"1\"}}",
		"{\"obj\":{",
		"{\"str\":\"\\",
		"{\"str\":\"\\\"}",
		"{\"str\":\"\\x\"}",
		"{\"str\":\"\\u12\"}",
		"{\"x\":[",
		"{\"x\":\"",
		"{\"x\":{\"a\"",
		"{} x",
		"{}{}",
		"{\"u32\":1}}",
		"{u32:1}",
		"{\"value\":}",
		"{\"raw\":,}",
		"{\"list\":[{\"id\":1},",
		"{\"list\":[{\"id\":1",
		"{\"list\":[{]",
	};
	const void *data = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		int r = decode(&kinds_table, broken[i], strlen(broken[i]), &data);

		if (r != -EBADMSG || data)
			fail_msg("%s: %d", broken[i], r);
	}
	for (size_t cut = 0; cut < sizeof(big) - 1; cut++)
		assert_int_equal(decode(&kinds_table, big, cut, &data), -EBADMSG);
}

/* --- tables ----------------------------------------------------------------------------------------------------------
 */

static const struct reader_table *const tables[] = {
#define X(tag) &tag##_table,
	DECODE_STRUCTS(X)
#undef X
};

static void test_every_table(void **state)
{
	char name[64];

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const struct reader_table *table = tables[i];

		assert_in_range(table->count, 1, READER_FIELDS_MAX);
		for (uint32_t j = 0; j < table->count; j++) {
			const struct reader_field *field = &table->fields[j];

			snprintf(name, sizeof(name), "%.*s", field->name_len, field->name);
			assert_ptr_equal(reader_field_find(table, name, field->name_len), field);
			assert_true(field->offset >= 2 * sizeof(uint64_t) && field->offset < table->size);
			assert_int_equal(!field->sub, field->kind != READER_OBJ && field->kind != READER_PTR &&
							      field->kind != READER_LIST && field->kind != READER_MAP);
			for (size_t at = 0; at < field->name_len; at++) {
				name[at] ^= 0x10;
				assert_null(reader_field_find(table, name, field->name_len));
				name[at] ^= 0x10;
			}
			assert_ptr_not_equal(reader_field_find(table, name, field->name_len - 1u), field);
			assert_ptr_not_equal(reader_field_find(table, name, field->name_len + 1u), field);
		}
		assert_null(reader_field_find(table, "", 0));
	}
	assert_string_equal(reader_field_find(&shoal_owners_table, "1", 1)->name, "1");
	assert_non_null(reader_field_find(&shoal_select_option_table, "default", 7));
}

/* Fields are guessed by the order of the object before: the result must not depend on it. */
static void test_any_order(void **state)
{
	static const char *const members[] = { "\"id\":\"1\"", "\"u32\":2", "\"i64\":-3", "\"str\":\"four\"",
					       "\"x\":5" };
	char json[256];

	(void)state;
	for (unsigned round = 0; round < 3125; round++) {
		unsigned rest = round, seen = 0;
		size_t len = 0;
		const struct kinds *k;

		for (unsigned i = 0; i < 5; i++, rest /= 5) {
			seen |= 1u << rest % 5;
			len += (size_t)sprintf(json + len, "%c%s", i ? ',' : '{', members[rest % 5]);
		}
		strcpy(json + len, "}");
		k = kinds(json);
		assert_true(k->has.id == (seen & 1) && k->id == (seen & 1));
		assert_true(k->u32 == (seen & 2 ? 2u : 0) && k->i64 == (seen & 4 ? -3 : 0));
		assert_true(shoal_str_is(k->str, seen & 8 ? "four" : ""));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),     cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_words),       cmocka_unit_test(test_texts),
		cmocka_unit_test(test_perms),       cmocka_unit_test(test_values),
		cmocka_unit_test(test_times),       cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_objects),     cmocka_unit_test(test_absent_null_twice),
		cmocka_unit_test(test_required),    cmocka_unit_test(test_depth),
		cmocka_unit_test(test_arena_full),  cmocka_unit_test(test_broken),
		cmocka_unit_test(test_every_table), cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
