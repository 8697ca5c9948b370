/* Frames: every way to cut the input, every way to break the rules, and what we build read back by a second reader. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shard/gateway/frame.h"

#define MAX 200000

/* One server frame, written by hand. */
static size_t put(uint8_t *out, uint8_t first, const void *payload, size_t len)
{
	size_t n = 0;

	out[n++] = first;
	if (len < 126) {
		out[n++] = (uint8_t)len;
	} else if (len < 65536) {
		out[n++] = 126;
		out[n++] = (uint8_t)(len >> 8);
		out[n++] = (uint8_t)len;
	} else {
		out[n++] = 127;
		for (int i = 7; i >= 0; i--)
			out[n++] = (uint8_t)((uint64_t)len >> (8 * i));
	}
	if (len)
		memcpy(out + n, payload, len);
	return n + len;
}

/* What a run of the parser gave, as text: "T5:hello|P2:ab|C1000:bye|E:masked". */
struct trace {
	char text[4096];
	size_t len;
};

static void note(struct trace *trace, const struct frame *frame)
{
	char letter = frame->opcode == FRAME_TEXT     ? 'T'
		      : frame->opcode == FRAME_BINARY ? 'B'
		      : frame->opcode == FRAME_PING   ? 'P'
		      : frame->opcode == FRAME_PONG   ? 'O'
						      : 'C';

	trace->len += (size_t)snprintf(trace->text + trace->len, sizeof(trace->text) - trace->len, "%c%zu:%.*s%s",
				       letter, letter == 'C' ? (size_t)frame->close_code : frame->len,
				       frame->len > 40 ? 0 : (int)frame->len, frame->bytes, "|");
}

/* Feeds @input in pieces of at most @step bytes, each in memory of its own so that ASan sees a step beyond it. */
static void run(const uint8_t *input, size_t len, size_t step, struct trace *trace)
{
	struct frame_parser parser;

	memset(trace, 0, sizeof(*trace));
	frame_parser_init(&parser, MAX);
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;
		char *piece = malloc(n), *bytes = piece;
		enum frame_result result;
		struct frame frame;

		memcpy(piece, input + at, n);
		while ((result = frame_next(&parser, &bytes, &n, &frame)) == FRAME_READY)
			note(trace, &frame);
		free(piece);
		if (result == FRAME_BROKEN) {
			trace->len += (size_t)snprintf(trace->text + trace->len, sizeof(trace->text) - trace->len,
						       "E:%s", frame_error_name(parser.error));
			break;
		}
		assert_int_equal(n, 0);
	}
	frame_parser_reset(&parser);
}

static void expect(const uint8_t *input, size_t len, const char *want)
{
	struct trace trace;

	for (size_t step = 1; step <= len; step++) {
		run(input, len, step, &trace);
		assert_string_equal(trace.text, want);
	}
}

static void test_messages(void **state)
{
	uint8_t in[512];
	size_t n = 0;

	(void)state;
	n += put(in + n, 0x81, "hello", 5);
	n += put(in + n, 0x82, "\x01\x02", 2);
	n += put(in + n, 0x81, "", 0);
	n += put(in + n, 0x89, "pp", 2);
	n += put(in + n, 0x8A, "", 0);
	expect(in, n, "T5:hello|B2:\x01\x02|T0:|P2:pp|O0:|");
}

static void test_fragments_with_control_between(void **state)
{
	uint8_t in[512];
	size_t n = 0;

	(void)state;
	n += put(in + n, 0x01, "he", 2);
	n += put(in + n, 0x89, "ping", 4);
	n += put(in + n, 0x00, "", 0);
	n += put(in + n, 0x00, "ll", 2);
	n += put(in + n, 0x88, "\x0f\xa0!", 3);
	n += put(in + n, 0x80, "o", 1);
	n += put(in + n, 0x02, "", 0);
	n += put(in + n, 0x80, "", 0);
	n += put(in + n, 0x81, "x", 1);
	expect(in, n, "P4:ping|C4000:!|T5:hello|B0:|T1:x|");
}

static void test_lengths(void **state)
{
	static const size_t lens[] = { 125, 126, 127, 65535, 65536, MAX };
	uint8_t *in = malloc(MAX + 64), *payload = malloc(MAX);

	(void)state;
	memset(payload, 'x', MAX);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t n = put(in, 0x82, payload, lens[i]);
		struct trace trace;
		char want[64];

		n += put(in + n, 0x81, "end", 3);
		snprintf(want, sizeof(want), "B%zu:%s|T3:end|", lens[i], "");
		for (size_t step = 1; step <= 16; step++) {
			run(in, n, step * 977, &trace);
			assert_string_equal(trace.text, want);
		}
		run(in, n, n, &trace);
		assert_string_equal(trace.text, want);
	}
	free(in);
	free(payload);
}

static void test_whole_message_is_not_copied(void **state)
{
	struct frame_parser parser;
	uint8_t in[64];
	size_t n = put(in, 0x81, "hello", 5);
	char *bytes = (char *)in;
	struct frame frame;

	(void)state;
	frame_parser_init(&parser, MAX);
	assert_int_equal(frame_next(&parser, &bytes, &n, &frame), FRAME_READY);
	assert_ptr_equal(frame.bytes, in + 2);
	assert_int_equal(parser.message.cap, 0);
	frame_parser_reset(&parser);
}

static void test_broken(void **state)
{
	static const struct {
		const char *want;
		uint8_t bytes[32];
		size_t len;
	} cases[] = {
		{ "E:reserved_bits", { 0xC1, 0 }, 2 },
		{ "E:reserved_bits", { 0xA1, 0 }, 2 },
		{ "E:reserved_bits", { 0x91, 0 }, 2 },
		{ "E:masked", { 0x81, 0x81, 1, 2, 3, 4, 'x' }, 7 },
		{ "E:opcode", { 0x83, 0 }, 2 },
		{ "E:opcode", { 0x87, 0 }, 2 },
		{ "E:opcode", { 0x8B, 0 }, 2 },
		{ "E:opcode", { 0x8F, 0 }, 2 },
		{ "E:length_form", { 0x81, 126, 0, 125 }, 4 },
		{ "E:length_form", { 0x81, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF }, 10 },
		{ "E:length_form", { 0x81, 127, 0x80, 0, 0, 0, 0, 1, 0, 0 }, 10 },
		{ "E:too_large", { 0x81, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF }, 10 },
		{ "E:too_large", { 0x82, 127, 0, 0, 0, 0, 0, 0x03, 0x0D, 0x41 }, 10 }, /* MAX + 1 */
		{ "E:control_frame", { 0x09, 0 }, 2 },
		{ "E:control_frame", { 0x89, 126, 0, 126 }, 4 },
		{ "E:control_frame", { 0x88, 126, 0x10, 0 }, 4 },
		{ "E:continuation", { 0x80, 0 }, 2 },
		{ "E:continuation", { 0x00, 0 }, 2 },
		{ "E:continuation", { 0x01, 1, 'a', 0x81, 1, 'b' }, 6 },
		{ "E:continuation", { 0x01, 1, 'a', 0x02, 1, 'b' }, 6 },
		{ "E:close_frame", { 0x88, 1, 0x03 }, 3 },
		{ "E:close_frame", { 0x88, 2, 0x03, 0xE7 }, 4 }, /* 999 */
		{ "E:close_frame", { 0x88, 2, 0x03, 0xED }, 4 }, /* 1005 */
		{ "E:close_frame", { 0x88, 2, 0x13, 0x88 }, 4 }, /* 5000 */
		{ "E:close_frame", { 0x88, 4, 0x0F, 0xA0, 0xC0, 0x80 }, 6 },
		{ "E:close_frame", { 0x88, 5, 0x0F, 0xA0, 0xED, 0xA0, 0x80 }, 7 },
		{ "E:close_frame", { 0x88, 3, 0x0F, 0xA0, 0xE2 }, 5 },
		{ "C1005:|", { 0x88, 0 }, 2 },
		{ "C4004:\xE2\x82\xAC|", { 0x88, 5, 0x0F, 0xA4, 0xE2, 0x82, 0xAC }, 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(cases[i].bytes, cases[i].len, cases[i].want);
}

/* Fragments that are each within bounds, but not together. */
static void test_sum_of_fragments_is_bounded(void **state)
{
	uint8_t *in = malloc(MAX + 64), *payload = calloc(1, MAX);
	struct trace trace;
	size_t n;

	(void)state;
	n = put(in, 0x02, payload, MAX - 1);
	n += put(in + n, 0x80, "ab", 2);
	run(in, n, n, &trace);
	assert_string_equal(trace.text, "E:too_large");
	free(in);
	free(payload);
}

/* A header that promises much must not make us allocate. */
static void test_promise_allocates_nothing(void **state)
{
	uint8_t in[] = { 0x82, 127, 0, 0, 0, 0, 0, 0x03, 0x0D, 0x40, 'x' };
	struct frame_parser parser;
	char *bytes = (char *)in;
	size_t n = sizeof(in);
	struct frame frame;

	(void)state;
	frame_parser_init(&parser, MAX);
	assert_int_equal(frame_next(&parser, &bytes, &n, &frame), FRAME_MORE);
	assert_true(parser.message.cap < 4096);
	frame_parser_reset(&parser);
}

static void test_memory_is_given_back(void **state)
{
	uint8_t *in = malloc(MAX + 64), *payload = calloc(1, MAX);
	size_t n = put(in, 0x82, payload, MAX), rest;
	struct frame_parser parser;
	struct frame frame;
	char *bytes = (char *)in, *more;

	(void)state;
	frame_parser_init(&parser, MAX);
	rest = n - 1;
	assert_int_equal(frame_next(&parser, &bytes, &rest, &frame), FRAME_MORE);
	rest = 1;
	more = bytes;
	assert_int_equal(frame_next(&parser, &more, &rest, &frame), FRAME_READY);
	assert_int_equal(frame.len, MAX);
	rest = 0;
	assert_int_equal(frame_next(&parser, &more, &rest, &frame), FRAME_MORE);
	assert_true(parser.message.cap <= FRAME_KEEP_BYTES);
	frame_parser_reset(&parser);
	free(in);
	free(payload);
}

/* What we build, unmasked by hand. */
static void test_append(void **state)
{
	static const size_t lens[] = { 0, 1, 125, 126, 4096, 65535, 65536 };
	CLEANUP(buf_finish) struct buf out = { 0 };
	char *payload = malloc(65536);

	(void)state;
	for (size_t i = 0; i < 65536; i++)
		payload[i] = (char)(i * 7);
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		const uint8_t *p;
		size_t len = lens[i], head = len < 126 ? 2 : len < 65536 ? 4 : 10;
		uint32_t key = 0x0D0C0B0A;
		uint64_t said = 0;

		buf_clear(&out, 0);
		assert_int_equal(frame_append(&out, FRAME_TEXT, payload, len, key), 0);
		p = (const uint8_t *)out.data;
		assert_int_equal(p[0], 0x81);
		assert_true(p[1] & 0x80);
		if (head == 2)
			said = p[1] & 0x7F;
		for (size_t k = 2; k < head; k++)
			said = said << 8 | p[k];
		assert_int_equal(said, len);
		assert_int_equal(out.len, head + 4 + len);
		assert_memory_equal(p + head, &key, 4);
		for (size_t k = 0; k < len; k++)
			assert_int_equal((uint8_t)(p[head + 4 + k] ^ p[head + k % 4]), (uint8_t)payload[k]);
	}
	assert_int_equal(frame_append(&out, FRAME_PONG, payload, 126, 0), -EMSGSIZE);
	free(payload);
}

static void test_append_close_cuts_at_a_character(void **state)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	char reason[200];

	(void)state;
	for (size_t i = 0; i + 3 <= sizeof(reason) - 1; i += 3)
		memcpy(reason + i, "\xE2\x82\xAC", 3);
	reason[198] = '\0';
	buf_init(&out, 1000);
	assert_int_equal(frame_append_close(&out, 4000, reason, 0), 0);
	assert_int_equal(out.data[1] & 0x7F, 2 + 123);
	buf_clear(&out, 0);
	assert_int_equal(frame_append_close(&out, 4000, reason + 1, 0), 0);
	assert_int_equal((out.data[1] & 0x7F) - 2, 122); /* one byte less than 123: a character does not fit */
	buf_clear(&out, 0);
	assert_int_equal(frame_append_close(&out, 1000, NULL, 0), 0);
	assert_int_equal(out.len, 8);
	assert_memory_equal(out.data + 6, "\x03\xE8", 2);
}

static void test_full_buffer_refuses(void **state)
{
	CLEANUP(buf_finish) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 20);
	assert_int_equal(frame_append(&out, FRAME_TEXT, "0123456789", 10, 1), 0);
	assert_int_equal(frame_append(&out, FRAME_TEXT, "0123456789", 10, 1), -ENOBUFS);
	assert_int_equal(out.len, 16);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < FRAME_ERROR_COUNT; i++)
		assert_true(strlen(frame_error_name(i)) > 1);
	assert_string_equal(frame_error_name(FRAME_ERROR_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_fragments_with_control_between),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_whole_message_is_not_copied),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_sum_of_fragments_is_bounded),
		cmocka_unit_test(test_promise_allocates_nothing),
		cmocka_unit_test(test_memory_is_given_back),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_append_close_cuts_at_a_character),
		cmocka_unit_test(test_full_buffer_refuses),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
