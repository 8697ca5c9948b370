/* Decompression: streams cut anywhere, damaged anywhere, lying about their size; compressed here by the libraries. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "shard/gateway/inflate.h"

#define BIG (3 * 1024 * 1024)

/* The sending side. */
struct packer {
	z_stream zlib;
	ZSTD_CCtx *zstd;
	bool ends_frames;
	char *out;
	size_t cap;
};

static void pack_open(struct packer *packer)
{
	memset(packer, 0, sizeof(*packer));
	assert_int_equal(deflateInit(&packer->zlib, 6), Z_OK);
	packer->zstd = ZSTD_createCCtx();
	packer->cap = BIG * 2;
	packer->out = malloc(packer->cap);
}

static void pack_close(struct packer *packer)
{
	deflateEnd(&packer->zlib);
	ZSTD_freeCCtx(packer->zstd);
	free(packer->out);
}

static size_t pack(struct packer *packer, enum config_compress mode, const char *text, size_t len)
{
	if (mode == CONFIG_COMPRESS_ZLIB) {
		packer->zlib.next_in = (Bytef *)(uintptr_t)text;
		packer->zlib.avail_in = (uInt)len;
		packer->zlib.next_out = (Bytef *)packer->out;
		packer->zlib.avail_out = (uInt)packer->cap;
		assert_int_equal(deflate(&packer->zlib, Z_SYNC_FLUSH), Z_OK);
		return packer->cap - packer->zlib.avail_out;
	}
	if (mode == CONFIG_COMPRESS_ZSTD) {
		ZSTD_inBuffer in = { text, len, 0 };
		ZSTD_outBuffer out = { packer->out, packer->cap, 0 };
		size_t left =
			ZSTD_compressStream2(packer->zstd, &out, &in, packer->ends_frames ? ZSTD_e_end : ZSTD_e_flush);

		assert_int_equal(left, 0);
		return out.pos;
	}
	memcpy(packer->out, text, len);
	return len;
}

static const char *const texts[] = {
	"{\"op\":10,\"d\":{\"heartbeat_interval\":41250}}",
	"{\"t\":\"MESSAGE_CREATE\",\"s\":2,\"op\":0,\"d\":{\"content\":\"hello hello hello\"}}",
	"x",
	"{\"op\":11}",
};

static void expect_payload(struct inflater *inflater, char *message, size_t len, const char *want, size_t want_len)
{
	char *payload = NULL;
	size_t payload_len = 0;

	assert_int_equal(inflater_feed(inflater, message, len, &payload, &payload_len), 1);
	assert_int_equal(payload_len, want_len);
	assert_memory_equal(payload, want, want_len);
}

static void run_stream(enum config_compress mode, bool ends_frames)
{
	struct inflater *inflater = NULL;
	struct packer packer;

	pack_open(&packer);
	packer.ends_frames = ends_frames;
	assert_int_equal(inflater_new(mode, BIG, &inflater), 0);
	for (int round = 0; round < 50; round++) {
		const char *text = texts[round % 4];
		size_t len = pack(&packer, mode, text, strlen(text));

		expect_payload(inflater, packer.out, len, text, strlen(text));
	}
	inflater_free(inflater);
	pack_close(&packer);
}

static void test_streams(void **state)
{
	(void)state;
	run_stream(CONFIG_COMPRESS_NONE, false);
	run_stream(CONFIG_COMPRESS_ZLIB, false);
	run_stream(CONFIG_COMPRESS_ZSTD, false);
	run_stream(CONFIG_COMPRESS_ZSTD, true);
}

/* zlib-stream may cut a payload into messages at any place, the suffix included. */
static void test_zlib_split_anywhere(void **state)
{
	const char *text = texts[1];

	(void)state;
	for (size_t step = 1; step < 60; step++) {
		struct inflater *inflater = NULL;
		struct packer packer;

		pack_open(&packer);
		assert_int_equal(inflater_new(CONFIG_COMPRESS_ZLIB, BIG, &inflater), 0);
		for (int round = 0; round < 3; round++) {
			size_t len = pack(&packer, CONFIG_COMPRESS_ZLIB, text, strlen(text)), payload_len = 0;
			char *payload = NULL;

			for (size_t at = 0; at < len; at += step) {
				size_t n = len - at < step ? len - at : step;
				char *piece = malloc(n);
				int r;

				memcpy(piece, packer.out + at, n);
				r = inflater_feed(inflater, piece, n, &payload, &payload_len);
				free(piece);
				assert_int_equal(r, at + n == len);
			}
			assert_int_equal(payload_len, strlen(text));
			assert_memory_equal(payload, text, payload_len);
		}
		inflater_free(inflater);
		pack_close(&packer);
	}
}

static char *make_big(size_t len)
{
	char *text = malloc(len);
	uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (char)('a' + (x >> 28));
	}
	return text;
}

static void run_big(enum config_compress mode)
{
	static const size_t lens[] = { INFLATER_OUTPUT_BYTES - 1,
				       INFLATER_OUTPUT_BYTES,
				       INFLATER_OUTPUT_BYTES + 1,
				       INFLATER_OUTPUT_BYTES * 2,
				       BIG - 1,
				       BIG };
	char *big = make_big(BIG);
	struct inflater *inflater = NULL;
	struct packer packer;

	pack_open(&packer);
	assert_int_equal(inflater_new(mode, BIG, &inflater), 0);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		expect_payload(inflater, packer.out, pack(&packer, mode, big, lens[i]), big, lens[i]);
		expect_payload(inflater, packer.out, pack(&packer, mode, "{}", 2), "{}", 2);
	}
	assert_true(inflater_output_bytes(inflater) <= INFLATER_OUTPUT_BYTES);
	/* Of a middling size: kept, until told. */
	expect_payload(inflater, packer.out, pack(&packer, mode, big, 200000), big, 200000);
	assert_true(inflater_output_bytes(inflater) >= 200000);
	inflater_trim(inflater);
	assert_true(inflater_output_bytes(inflater) <= INFLATER_OUTPUT_BYTES);
	expect_payload(inflater, packer.out, pack(&packer, mode, "{}", 2), "{}", 2);
	inflater_free(inflater);
	pack_close(&packer);
	free(big);
}

/* An encoder whose output was full just at the end of a flush flushes once more (zlib's manual says so). */
static void test_zlib_second_flush_is_no_payload(void **state)
{
	char again[] = { 0x00, 0x00, 0x00, (char)0xFF, (char)0xFF };
	struct inflater *inflater = NULL;
	struct packer packer;
	char *payload;
	size_t len;

	(void)state;
	pack_open(&packer);
	assert_int_equal(inflater_new(CONFIG_COMPRESS_ZLIB, BIG, &inflater), 0);
	for (int round = 0; round < 8; round++) {
		const char *text = texts[round % 4];
		size_t n = pack(&packer, CONFIG_COMPRESS_ZLIB, text, strlen(text));

		expect_payload(inflater, packer.out, n, text, strlen(text));
		assert_int_equal(inflater_feed(inflater, again, sizeof(again), &payload, &len), 0);
		assert_int_equal(inflater_feed(inflater, again, 2, &payload, &len), 0);
		assert_int_equal(inflater_feed(inflater, again + 2, 3, &payload, &len), 0);
	}
	inflater_free(inflater);
	pack_close(&packer);
}

static void test_big_payloads_and_memory(void **state)
{
	(void)state;
	run_big(CONFIG_COMPRESS_ZLIB);
	run_big(CONFIG_COMPRESS_ZSTD);
}

/* One byte over the maximum, and a thousandfold of it. */
static void run_bomb(enum config_compress mode, size_t max, size_t len)
{
	char *zeros = calloc(1, len), *payload = NULL;
	struct inflater *inflater = NULL;
	struct packer packer;
	size_t n, payload_len;

	pack_open(&packer);
	assert_int_equal(inflater_new(mode, max, &inflater), 0);
	n = pack(&packer, mode, zeros, len);
	assert_int_equal(inflater_feed(inflater, packer.out, n, &payload, &payload_len), -EMSGSIZE);
	assert_null(payload);
	assert_true(inflater_output_bytes(inflater) <= max + 1);
	if (mode != CONFIG_COMPRESS_NONE)
		assert_int_equal(inflater_feed(inflater, packer.out, n, &payload, &payload_len), -EBADMSG);
	inflater_free(inflater);
	pack_close(&packer);
	free(zeros);
}

static void test_bombs(void **state)
{
	(void)state;
	for (int mode = CONFIG_COMPRESS_ZLIB; mode <= CONFIG_COMPRESS_NONE; mode++) {
		run_bomb(mode, 1000, 1001);
		run_bomb(mode, INFLATER_OUTPUT_BYTES, INFLATER_OUTPUT_BYTES + 1);
		run_bomb(mode, 100000, BIG);
	}
}

/* Cut short, a message is no payload; what a cut stream gives is refused or is incomplete, never a crash. */
static void run_damage(enum config_compress mode)
{
	struct packer packer;
	size_t len, good = 0;

	pack_open(&packer);
	len = pack(&packer, mode, texts[1], strlen(texts[1]));
	for (size_t i = 0; i < len * 9; i++) {
		struct inflater *inflater = NULL;
		size_t n = i < len ? i : len, payload_len = 0;
		char *copy = malloc(n ? n : 1), *payload = NULL;
		int r;

		memcpy(copy, packer.out, n);
		if (i >= len)
			copy[(i - len) / 8] ^= (char)(1 << (i - len) % 8);
		assert_int_equal(inflater_new(mode, 1000, &inflater), 0);
		r = inflater_feed(inflater, copy, n, &payload, &payload_len);
		assert_true(r == 1 || r == 0 || r == -EBADMSG || r == -EMSGSIZE);
		if (i < len && mode == CONFIG_COMPRESS_ZLIB)
			assert_int_equal(r, 0);
		good += r == 1 && payload_len == strlen(texts[1]) && !memcmp(payload, texts[1], payload_len);
		inflater_free(inflater);
		free(copy);
	}
	/* zlib-stream has no checksum before its end, so a flipped bit may show in the text only; most must be seen. */
	assert_true(good < len);
	pack_close(&packer);
}

static void test_truncated_and_flipped(void **state)
{
	(void)state;
	run_damage(CONFIG_COMPRESS_ZLIB);
	run_damage(CONFIG_COMPRESS_ZSTD);
}

static void test_end_of_zlib_stream_is_an_error(void **state)
{
	static char ended[] = { 0x78, (char)0x9c, 0x4b, 0x04, 0x00, 0x00, 0x62, 0x00, 0x62 }; /* "a", finished */
	struct inflater *inflater = NULL;
	size_t len;
	char *payload;

	(void)state;
	assert_int_equal(inflater_new(CONFIG_COMPRESS_ZLIB, 1000, &inflater), 0);
	assert_int_equal(inflater_feed(inflater, ended, sizeof(ended), &payload, &len), -EBADMSG);
	inflater_free(inflater);
}

/* A frame that asks for a window beyond 8 MiB is refused before memory is taken. */
static void test_zstd_window_is_capped(void **state)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	char out[256], *payload;
	ZSTD_inBuffer in = { "hello", 5, 0 };
	ZSTD_outBuffer to = { out, sizeof(out), 0 };
	struct inflater *inflater = NULL;
	size_t len;

	(void)state;
	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, 27)));
	assert_int_equal(ZSTD_compressStream2(zstd, &to, &in, ZSTD_e_flush), 0);
	assert_int_equal(inflater_new(CONFIG_COMPRESS_ZSTD, 1000, &inflater), 0);
	assert_int_equal(inflater_feed(inflater, out, to.pos, &payload, &len), -EBADMSG);
	inflater_free(inflater);
	ZSTD_freeCCtx(zstd);
}

static void test_parameters(void **state)
{
	struct inflater *inflater = NULL;

	(void)state;
	assert_string_equal(inflater_parameter(CONFIG_COMPRESS_ZLIB), "zlib-stream");
	assert_string_equal(inflater_parameter(CONFIG_COMPRESS_ZSTD), "zstd-stream");
	assert_null(inflater_parameter(CONFIG_COMPRESS_NONE));
	assert_int_equal(inflater_new(17, 1000, &inflater), -EINVAL);
	assert_int_equal(inflater_new(CONFIG_COMPRESS_ZLIB, 0, &inflater), -EINVAL);
	assert_null(inflater);
	assert_null(inflater_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_zlib_split_anywhere),
		cmocka_unit_test(test_zlib_second_flush_is_no_payload),
		cmocka_unit_test(test_big_payloads_and_memory),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_truncated_and_flipped),
		cmocka_unit_test(test_end_of_zlib_stream_is_an_error),
		cmocka_unit_test(test_zstd_window_is_capped),
		cmocka_unit_test(test_parameters),
	};

	return cmocka_run_group_tests_name("inflate", tests, NULL, NULL);
}
