/* SPDX-License-Identifier: MIT */
/* The envelope: every key order, every way to be wrong and its name, and jansson's opinion on thousands of damaged
 * payloads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "shard/gateway/envelope.h"

/* On bytes of exactly that size, so that ASan sees one too far. */
static enum envelope_error scan(const char *bytes, size_t len, struct envelope *ret)
{
	char *copy = malloc(len ?: 1);
	enum envelope_error error;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	error = envelope_scan(copy, len, ret);
	if (error == ENVELOPE_OK && ret->d.ptr)
		ret->d.ptr = bytes + (ret->d.ptr - copy);
	if (error == ENVELOPE_OK && ret->name.ptr)
		ret->name.ptr = bytes + (ret->name.ptr - copy);
	free(copy);
	return error;
}

static enum envelope_error validate(const char *bytes, size_t len)
{
	char *copy = malloc(len ?: 1);
	enum envelope_error error;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	error = envelope_validate(copy, len);
	free(copy);
	return error;
}

static void expect(const char *text, enum envelope_error want)
{
	struct envelope envelope;
	enum envelope_error got = scan(text, strlen(text), &envelope);

	if (got != want)
		fail_msg("%s: %s instead of %s", text, envelope_error_name(got), envelope_error_name(want));
}

static struct envelope good(const char *text)
{
	struct envelope envelope;

	expect(text, ENVELOPE_OK);
	scan(text, strlen(text), &envelope);
	return envelope;
}

/* --- the four keys --------------------------------------------------------------------------------------------------
 */

static void test_key_orders(void **state)
{
	static const char *const members[] = { "\"op\":0", "\"t\":\"MESSAGE_CREATE\"", "\"s\":42",
					       "\"d\":{\"id\":\"7\",\"guild_id\":\"99\"}" };
	static const char *const seps[] = { ",", " ,\n\t", ",\"x\":[{\"d\":1},\"t\",{}]," };

	(void)state;
	for (unsigned order = 0; order < 256; order++) {
		unsigned a = order & 3, b = order >> 2 & 3, c = order >> 4 & 3, d = order >> 6 & 3;
		char text[512];

		if ((1 << a | 1 << b | 1 << c | 1 << d) != 15)
			continue;
		for (unsigned sep = 0; sep < 3; sep++) {
			struct envelope envelope;

			snprintf(text, sizeof(text), "{%s%s%s%s%s,%s}", members[a], seps[sep], members[b], ",",
				 members[c], members[d]);
			envelope = good(text);
			assert_int_equal(envelope.op, 0);
			assert_int_equal(envelope.type, SHOAL_EVENT_MESSAGE_CREATE);
			assert_true(envelope.has_sequence && envelope.sequence == 42);
			assert_int_equal(envelope.guild_id, 99);
			assert_true(shoal_str_is(envelope.d, "{\"id\":\"7\",\"guild_id\":\"99\"}"));
			assert_true(shoal_str_is(envelope.name, "MESSAGE_CREATE"));
		}
	}
}

static void test_sequence(void **state)
{
	(void)state;
	assert_false(good("{\"op\":11}").has_sequence);
	assert_false(good("{\"op\":11,\"s\":null}").has_sequence);
	assert_true(good("{\"op\":0,\"s\":0}").has_sequence);
	assert_int_equal(good("{\"op\":0,\"s\":2147483648}").sequence, 2147483648);
	assert_true(good("{\"op\":0,\"s\":18446744073709551615}").sequence == UINT64_MAX);
	expect("{\"op\":0,\"s\":18446744073709551616}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":0,\"s\":-1}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":0,\"s\":1.5}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":0,\"s\":\"1\"}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":0,\"s\":true}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":0,\"s\":[1]}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":0,\"s\":{}}", ENVELOPE_BAD_FIELD);
	/* what is wrong with d's content does not keep us from the sequence */
	assert_int_equal(good("{\"t\":\"MESSAGE_CREATE\",\"s\":5000,\"op\":0}").sequence, 5000);
	assert_int_equal(
		good("{\"t\":\"MESSAGE_CREATE\",\"s\":5001,\"op\":0,\"d\":{\"id\":[],\"guild_id\":{}}}").sequence,
		5001);
	assert_int_equal(good("{\"t\":\"MESSAGE_CREATE\",\"s\":5002,\"op\":0,\"d\":[1,\"x\"]}").sequence, 5002);
}

static void test_op_and_t(void **state)
{
	struct envelope envelope;

	(void)state;
	expect("{}", ENVELOPE_BAD_FIELD);
	expect("{\"s\":1,\"t\":null}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":null}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":\"0\"}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":-1}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":1e1}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":[]}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":4294967296}", ENVELOPE_BAD_FIELD);
	assert_int_equal(good("{\"op\":99,\"d\":{\"future\":[1,2,3]}}").op, 99);
	expect("{\"op\":0,\"t\":1}", ENVELOPE_BAD_FIELD);
	expect("{\"op\":0,\"t\":{}}", ENVELOPE_BAD_FIELD);
	envelope = good("{\"op\":0,\"t\":null,\"d\":null}");
	assert_int_equal(envelope.type, SHOAL_EVENT_NONE);
	assert_null(envelope.name.ptr);
	assert_true(shoal_str_is(envelope.d, "null"));
	assert_null(good("{\"op\":11}").d.ptr);
	assert_int_equal(good("{\"op\":0,\"t\":\"\"}").type, SHOAL_EVENT_UNKNOWN);
	assert_int_equal(good("{\"op\":0,\"t\":\"GUILD_QUANTUM_STATE_UPDATE\"}").type, SHOAL_EVENT_UNKNOWN);
	/* escapes in keys and in t are not resolved: what Discord writes has none */
	assert_int_equal(good("{\"op\":0,\"t\":\"\\u0052EADY\"}").type, SHOAL_EVENT_UNKNOWN);
	assert_false(good("{\"op\":0,\"\\u0073\":5}").has_sequence);
}

static void test_duplicates(void **state)
{
	(void)state;
	expect("{\"op\":0,\"op\":0}", ENVELOPE_DUPLICATE);
	expect("{\"op\":0,\"s\":1,\"s\":2}", ENVELOPE_DUPLICATE);
	expect("{\"op\":0,\"t\":null,\"t\":\"READY\"}", ENVELOPE_DUPLICATE);
	expect("{\"op\":0,\"d\":{},\"d\":{}}", ENVELOPE_DUPLICATE);
	good("{\"op\":0,\"x\":1,\"x\":2}");
	assert_int_equal(good("{\"op\":0,\"d\":{\"guild_id\":\"1\",\"guild_id\":\"2\"}}").guild_id, 2);
	assert_int_equal(good("{\"op\":0,\"d\":{\"guild_id\":\"1\",\"guild_id\":null}}").guild_id, 0);
}

static void test_guild(void **state)
{
	(void)state;
	assert_int_equal(good("{\"d\":{\"id\":\"5\",\"guild_id\":\"6\"},\"t\":\"GUILD_CREATE\",\"op\":0}").guild_id, 5);
	assert_int_equal(good("{\"d\":{\"id\":\"5\"},\"t\":\"GUILD_UPDATE\",\"op\":0}").guild_id, 5);
	assert_int_equal(good("{\"t\":\"GUILD_DELETE\",\"op\":0,\"d\":{\"id\":\"5\"}}").guild_id, 5);
	assert_int_equal(good("{\"t\":\"CHANNEL_CREATE\",\"op\":0,\"d\":{\"id\":\"5\"}}").guild_id, 0);
	assert_int_equal(good("{\"op\":0,\"d\":{\"guild_id\":7}}").guild_id, 7);
	assert_int_equal(good("{\"op\":0,\"d\":{\"guild_id\":\"7x\"}}").guild_id, 0);
	assert_int_equal(good("{\"op\":0,\"d\":{\"guild_id\":\"\"}}").guild_id, 0);
	assert_int_equal(good("{\"op\":0,\"d\":{\"guild_id\":-7}}").guild_id, 0);
	assert_int_equal(good("{\"op\":0,\"d\":{\"guild_id\":[7]}}").guild_id, 0);
	assert_true(good("{\"op\":0,\"d\":{\"guild_id\":\"18446744073709551615\"}}").guild_id == UINT64_MAX);
	assert_int_equal(good("{\"op\":0,\"d\":{\"guild_id\":\"18446744073709551616\"}}").guild_id, 0);
	/* nested, or within a text: not the event's */
	assert_int_equal(good("{\"op\":0,\"d\":{\"m\":{\"guild_id\":\"7\"},\"l\":[{\"guild_id\":\"8\"}]}}").guild_id,
			 0);
	assert_int_equal(good("{\"op\":0,\"d\":{\"content\":\"\\\"guild_id\\\":\\\"7\\\"\"}}").guild_id, 0);
	assert_int_equal(good("{\"op\":0,\"d\":[\"guild_id\",7],\"guild_id\":\"9\"}").guild_id, 0);
}

static void test_untouched_on_failure(void **state)
{
	struct envelope envelope, before;

	(void)state;
	memset(&envelope, 0x5a, sizeof(envelope));
	before = envelope;
	assert_int_equal(scan("{\"op\":0,\"s\":1,\"d\":{]}", 21, &envelope), ENVELOPE_BAD_GRAMMAR);
	assert_memory_equal(&envelope, &before, sizeof(envelope));
}

/* --- JSON ------------------------------------------------------------------------------------------------------------
 */

static const struct {
	const char *text;
	enum envelope_error want;
} values[] = {
	{ "0", ENVELOPE_OK },
	{ "-0", ENVELOPE_OK },
	{ " -12.50e+3 ", ENVELOPE_OK },
	{ "1E5", ENVELOPE_OK },
	{ "0.1e-7", ENVELOPE_OK },
	{ "99999999999999999999999999999", ENVELOPE_OK },
	{ "true", ENVELOPE_OK },
	{ "false", ENVELOPE_OK },
	{ "null", ENVELOPE_OK },
	{ "\"\"", ENVELOPE_OK },
	{ "[]", ENVELOPE_OK },
	{ "{}", ENVELOPE_OK },
	{ "[ ]", ENVELOPE_OK },
	{ "{\r\n}", ENVELOPE_OK },
	{ "[1,[2,{\"a\":[]}],{}]", ENVELOPE_OK },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\\u0000\\ud800\"", ENVELOPE_OK },
	{ "\"\x7f\"", ENVELOPE_OK },
	{ "", ENVELOPE_TRUNCATED },
	{ "  ", ENVELOPE_TRUNCATED },
	{ "-", ENVELOPE_TRUNCATED },
	{ "1.", ENVELOPE_TRUNCATED },
	{ "1e", ENVELOPE_TRUNCATED },
	{ "1e+", ENVELOPE_TRUNCATED },
	{ "tru", ENVELOPE_TRUNCATED },
	{ "\"", ENVELOPE_TRUNCATED },
	{ "\"abc\\", ENVELOPE_TRUNCATED },
	{ "\"abc\\u12", ENVELOPE_TRUNCATED },
	{ "[", ENVELOPE_TRUNCATED },
	{ "[1", ENVELOPE_TRUNCATED },
	{ "[1,", ENVELOPE_TRUNCATED },
	{ "{\"a\"", ENVELOPE_TRUNCATED },
	{ "{\"a\":", ENVELOPE_TRUNCATED },
	{ "{\"a\":1", ENVELOPE_TRUNCATED },
	{ "{\"a\":1,", ENVELOPE_TRUNCATED },
	{ "01", ENVELOPE_BAD_NUMBER },
	{ "-01", ENVELOPE_BAD_NUMBER },
	{ "1.x", ENVELOPE_BAD_NUMBER },
	{ ".5", ENVELOPE_BAD_GRAMMAR },
	{ "1.e5", ENVELOPE_BAD_NUMBER },
	{ "1e5.", ENVELOPE_TRAILING },
	{ "[1e5.]", ENVELOPE_BAD_GRAMMAR },
	{ "-x", ENVELOPE_BAD_NUMBER },
	{ "+1", ENVELOPE_BAD_GRAMMAR },
	{ "NaN", ENVELOPE_BAD_GRAMMAR },
	{ "Infinity", ENVELOPE_BAD_GRAMMAR },
	{ "-Infinity", ENVELOPE_BAD_NUMBER },
	{ "0x10", ENVELOPE_TRAILING },
	{ "trux", ENVELOPE_BAD_GRAMMAR },
	{ "True", ENVELOPE_BAD_GRAMMAR },
	{ "truefalse", ENVELOPE_TRAILING },
	{ "nullx", ENVELOPE_TRAILING },
	{ "[truex]", ENVELOPE_BAD_GRAMMAR },
	{ "1 2", ENVELOPE_TRAILING },
	{ "{} x", ENVELOPE_TRAILING },
	{ "[1,]", ENVELOPE_BAD_GRAMMAR },
	{ "[,1]", ENVELOPE_BAD_GRAMMAR },
	{ "[1 2]", ENVELOPE_BAD_GRAMMAR },
	{ "[1}", ENVELOPE_BAD_GRAMMAR },
	{ "[{]}", ENVELOPE_BAD_GRAMMAR },
	{ "{\"a\":1]", ENVELOPE_BAD_GRAMMAR },
	{ "{\"a\":1,}", ENVELOPE_BAD_GRAMMAR },
	{ "{,}", ENVELOPE_BAD_GRAMMAR },
	{ "{\"a\" 1}", ENVELOPE_BAD_GRAMMAR },
	{ "{\"a\"::1}", ENVELOPE_BAD_GRAMMAR },
	{ "{a:1}", ENVELOPE_BAD_GRAMMAR },
	{ "{1:1}", ENVELOPE_BAD_GRAMMAR },
	{ "{\"a\":}", ENVELOPE_BAD_GRAMMAR },
	{ "'a'", ENVELOPE_BAD_GRAMMAR },
	{ "[1/*c*/]", ENVELOPE_BAD_GRAMMAR },
	{ "\"\n\"", ENVELOPE_BAD_GRAMMAR },
	{ "\"\t\"", ENVELOPE_BAD_GRAMMAR },
	{ "\"\x1f\"", ENVELOPE_BAD_GRAMMAR },
	{ "\v1", ENVELOPE_BAD_GRAMMAR },
	{ "\xef\xbb\xbf{}", ENVELOPE_BAD_GRAMMAR },
	{ "]", ENVELOPE_BAD_GRAMMAR },
	{ "\"\\x\"", ENVELOPE_BAD_ESCAPE },
	{ "\"\\'\"", ENVELOPE_BAD_ESCAPE },
	{ "\"\\u12g4\"", ENVELOPE_BAD_ESCAPE },
	{ "\"\\u+123\"", ENVELOPE_BAD_ESCAPE },
	{ "\"\\U0041\"", ENVELOPE_BAD_ESCAPE },
};

/* The compiler must not see how short it really is. */
static const char *volatile text_of_any_length = "1";

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		enum envelope_error got = validate(values[i].text, strlen(values[i].text));
		char text[256];

		if (got != values[i].want)
			fail_msg("%s: %s instead of %s", values[i].text, envelope_error_name(got),
				 envelope_error_name(values[i].want));
		/* the same value as a member of d, of an unknown key, of an array */
		if (values[i].want == ENVELOPE_TRAILING || values[i].want == ENVELOPE_TRUNCATED)
			continue;
		snprintf(text, sizeof(text), "{\"op\":0,\"d\":{\"a\":%s}}", values[i].text);
		expect(text, values[i].want);
		snprintf(text, sizeof(text), "{\"x\":%s,\"op\":0,\"d\":1}", values[i].text);
		expect(text, values[i].want);
		snprintf(text, sizeof(text), "{\"op\":0,\"d\":[[%s]]}", values[i].text);
		expect(text, values[i].want);
	}
	assert_int_equal(validate("\"a\0b\"", 5), ENVELOPE_BAD_GRAMMAR);
	assert_int_equal(validate("{}\0", 3), ENVELOPE_TRAILING);
	expect("[]", ENVELOPE_NOT_OBJECT);
	expect("\"x\"", ENVELOPE_NOT_OBJECT);
	expect("null", ENVELOPE_NOT_OBJECT);
	expect("<html>", ENVELOPE_BAD_GRAMMAR);
	expect("{\"op\":0} ", ENVELOPE_OK);
	expect("{\"op\":0}}", ENVELOPE_TRAILING);
	expect("", ENVELOPE_TRUNCATED);
	assert_int_equal(envelope_validate(text_of_any_length, (size_t)INT32_MAX + 1), ENVELOPE_TOO_LONG);
}

static void test_depth(void **state)
{
	char text[2048];
	struct envelope envelope;

	(void)state;
	for (unsigned depth = 1; depth <= ENVELOPE_DEPTH_MAX + 2; depth++) {
		size_t len = 0;

		for (unsigned i = 0; i < depth; i++)
			len += (size_t)sprintf(text + len, i % 3 == 1 ? "{\"a\":" : "[");
		text[len++] = '1';
		for (unsigned i = depth; i-- > 0;)
			text[len++] = i % 3 == 1 ? '}' : ']';
		assert_int_equal(validate(text, len), depth <= ENVELOPE_DEPTH_MAX ? ENVELOPE_OK : ENVELOPE_TOO_DEEP);
	}
	/* the payload's own object counts */
	for (unsigned depth = ENVELOPE_DEPTH_MAX - 3; depth <= ENVELOPE_DEPTH_MAX + 1; depth++) {
		size_t len = (size_t)sprintf(text, "{\"op\":0,\"d\":");

		for (unsigned i = 1; i < depth; i++)
			text[len++] = '[';
		for (unsigned i = 1; i < depth; i++)
			text[len++] = ']';
		text[len++] = '}';
		assert_int_equal(scan(text, len, &envelope),
				 depth <= ENVELOPE_DEPTH_MAX ? ENVELOPE_OK : ENVELOPE_TOO_DEEP);
	}
}

/* An odd byte at every place of texts of every length around the vector's width. */
static void test_text_edges(void **state)
{
	static const struct {
		const char *odd;
		enum envelope_error want;
	} odds[] = {
		{ "\\n", ENVELOPE_OK },
		{ "\xc3\xa9", ENVELOPE_OK },
		{ "\xf0\x9f\xa6\x80", ENVELOPE_OK },
		{ "\x01", ENVELOPE_BAD_GRAMMAR },
		{ "\xff", ENVELOPE_BAD_UTF8 },
		{ "\\q", ENVELOPE_BAD_ESCAPE },
		{ "\xc3", ENVELOPE_BAD_UTF8 },
		{ "\"", ENVELOPE_TRAILING },
		{ "\x7f", ENVELOPE_OK },
		{ "\\ud83e", ENVELOPE_OK },
		{ "\xed\xa0\x80", ENVELOPE_BAD_UTF8 },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(odds) / sizeof(odds[0]); i++)
		for (size_t before = 0; before < 40; before++)
			for (size_t after = 0; after < 40; after++) {
				size_t odd_len = strlen(odds[i].odd), len = 0;
				enum envelope_error want = odds[i].want;

				text[len++] = '"';
				memset(text + len, 'a', before);
				memcpy(text + len + before, odds[i].odd, odd_len);
				memset(text + len + before + odd_len, 'b', after);
				len += before + odd_len + after;
				text[len++] = '"';
				assert_int_equal(validate(text, len), want);
				if (want == ENVELOPE_OK)
					for (size_t cut = 0; cut < len; cut++)
						assert_int_equal(validate(text, cut), ENVELOPE_TRUNCATED);
			}
}

/* By arithmetic rather than by table: decode, then ask whether the code point needed that many bytes. */
static bool utf8_reference(const unsigned char *p, size_t len)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

	while (len > 0) {
		unsigned tail = *p < 0x80 ? 0 : *p >> 5 == 6 ? 1 : *p >> 4 == 14 ? 2 : *p >> 3 == 30 ? 3 : 9;
		uint32_t point = tail ? *p & (0x3fu >> tail) : *p;

		if (tail >= len)
			return false;
		for (unsigned i = 1; i <= tail; i++) {
			if (p[i] >> 6 != 2)
				return false;
			point = point << 6 | (p[i] & 0x3f);
		}
		if (point < least[tail] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
			return false;
		p += tail + 1;
		len -= tail + 1;
	}
	return true;
}

static void check_utf8(const unsigned char *bytes, size_t len)
{
	char text[16] = "\"";
	enum envelope_error got;

	memcpy(text + 1, bytes, len);
	text[len + 1] = '"';
	got = envelope_validate(text, len + 2);
	if ((got == ENVELOPE_OK) != utf8_reference(bytes, len))
		fail_msg("%02x %02x %02x %02x (%zu bytes): %s", bytes[0], bytes[1], bytes[2], bytes[3], len,
			 envelope_error_name(got));
}

/* All sequences of one and two bytes, and of three and four with every lead and second byte and telling third and
 * fourth ones. */
static void test_utf8(void **state)
{
	static const unsigned char tails[] = { 0x20, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xff };

	(void)state;
	for (unsigned lead = 0x80; lead < 256; lead++)
		for (unsigned second = 0x20; second < 256; second++) {
			unsigned char bytes[4] = { (unsigned char)lead, (unsigned char)second, 0, 0 };

			if (second == '"' || second == '\\')
				continue;
			check_utf8(bytes, 1);
			check_utf8(bytes, 2);
			for (size_t i = 0; i < sizeof(tails); i++) {
				bytes[2] = tails[i];
				check_utf8(bytes, 3);
				for (size_t j = 0; j < sizeof(tails); j++) {
					bytes[3] = tails[j];
					check_utf8(bytes, 4);
				}
			}
		}
}

/* --- names -----------------------------------------------------------------------------------------------------------
 */

static void test_event_names(void **state)
{
	(void)state;
	for (unsigned type = SHOAL_EVENT_UNKNOWN + 1; type < SHOAL_EVENT_COUNT; type++) {
		const char *name = shoal_event_name((enum shoal_event_type)type);
		size_t len = strlen(name);
		char other[64];

		assert_int_equal(envelope_event_type(name, len), type);
		for (size_t i = 0; i < len; i++) {
			strcpy(other, name);
			other[i] ^= 1;
			assert_int_equal(envelope_event_type(other, len), SHOAL_EVENT_UNKNOWN);
			assert_int_not_equal(envelope_event_type(name, i), type);
		}
	}
	assert_int_equal(envelope_event_type("", 0), SHOAL_EVENT_UNKNOWN);
	assert_string_equal(shoal_event_name(SHOAL_EVENT_NONE), "?");
	assert_string_equal(shoal_event_name(SHOAL_EVENT_COUNT), "?");
	for (unsigned error = 0; error < ENVELOPE_ERROR_COUNT; error++)
		assert_non_null(envelope_error_name((enum envelope_error)error));
	assert_string_equal(envelope_error_name(ENVELOPE_ERROR_COUNT), "?");
}

/* --- a second opinion ------------------------------------------------------------------------------------------------
 */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Where jansson refuses more than JSON does: numbers beyond its types, lone surrogate escapes, U+0000 in keys. */
static bool jansson_is_narrower(const char *bytes, size_t len, const json_error_t *error)
{
	return json_error_code(error) == json_error_numeric_overflow || memmem(bytes, len, "\\u", 2);
}

static void test_against_jansson(void **state)
{
	static const char seed[] = "{\"t\":\"MESSAGE_CREATE\",\"s\":12,\"op\":0,\"d\":{\"id\":\"15342344\",\"content\":"
				   "\"h\xc3\xa9llo \xf0\x9f"
				   "\xa6\x80 \\\"q\\\" \\\\ "
				   "\\n\",\"n\":[0,-1,2.5,1e3,true,false,null,{}],\"guild_id\":\"5846751\",\"author\":"
				   "{\"id\":\"4\",\"bot\":false,\"x\":[[],[[1]]]}}}";
	static const char odd[] = "\"\\{}[],:0123456789eE.+-tfnu \n\t\x01\x80\xbf\xc3\xed\xf0\xff";
	uint64_t random = 0x5eed;
	unsigned accepted = 0, refused = 0;

	(void)state;
	for (unsigned round = 0; round < 60000; round++) {
		char bytes[sizeof(seed)];
		size_t len = sizeof(seed) - 1;
		json_error_t error;
		json_t *json;
		bool ours;

		memcpy(bytes, seed, len);
		for (unsigned i = 0; i <= next_random(&random) % 3; i++) {
			size_t at = next_random(&random) % len;

			switch (next_random(&random) % 3) {
			case 0:
				bytes[at] = odd[next_random(&random) % (sizeof(odd) - 1)];
				break;
			case 1:
				memmove(bytes + at, bytes + at + 1, --len - at);
				break;
			default:
				bytes[at] = bytes[next_random(&random) % len];
			}
		}
		ours = validate(bytes, len) == ENVELOPE_OK;
		json = json_loadb(bytes, len, JSON_ALLOW_NUL, &error);
		if (ours != (json != NULL) && !(ours && jansson_is_narrower(bytes, len, &error)))
			fail_msg("%.*s: we %s, jansson says %s", (int)len, bytes, ours ? "accept" : "refuse",
				 error.text);
		accepted += json != NULL;
		refused += json == NULL;
		json_decref(json);
	}
	/* a test that saw only one side would prove nothing */
	assert_true(accepted > 1000 && refused > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_orders),  cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_op_and_t),    cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_guild),       cmocka_unit_test(test_untouched_on_failure),
		cmocka_unit_test(test_values),      cmocka_unit_test(test_depth),
		cmocka_unit_test(test_text_edges),  cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_event_names), cmocka_unit_test(test_against_jansson),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
