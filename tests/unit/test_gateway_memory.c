/* The gateway's decoders when memory runs out: each allocation of a run is made to fail once, in turn. Nothing may
 * crash, leak or be given out half; the run without a failure must succeed. With AddressSanitizer, which owns malloc,
 * only that last run is made, and the program says so. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "shared/base/cleanup.h"
#include "shard/gateway/frame.h"
#include "shard/gateway/inflate.h"
#include "shard/gateway/tls.h"
#include "shard/gateway/upgrade.h"

/* 0: none fails; n: the n-th one from now. */
static long fail_at, allocations, held;
static bool armed;

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define CAN_FAIL false
#else
#define CAN_FAIL true

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static bool refuses(void)
{
	return armed && ++allocations == fail_at;
}

static void *count(void *memory)
{
	if (armed && memory)
		held++;
	return memory;
}

/* The program's own malloc comes before the C library's, for libraries too. */
void *malloc(size_t size)
{
	return refuses() ? NULL : count(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
	return refuses() ? NULL : count(__libc_calloc(number, size));
}

void *realloc(void *memory, size_t size)
{
	if (refuses())
		return NULL;
	return memory ? __libc_realloc(memory, size) : count(__libc_malloc(size));
}

void free(void *memory)
{
	if (armed && memory)
		held--;
	__libc_free(memory);
}
#endif

/* Runs @run with each of its allocations failing in turn, until it gets by without: it must then have returned 0. */
static void starve(int (*run)(void))
{
	int r;

	fail_at = 0;
	do {
		fail_at += CAN_FAIL;
		allocations = held = 0;
		armed = true;
		r = run();
		armed = false;
		assert_int_equal(held, 0);
		assert_true(r == 0 || (fail_at && r == -ENOMEM));
		assert_true(fail_at < 10000);
	} while (CAN_FAIL && allocations >= fail_at);
	assert_int_equal(r, 0);
	if (CAN_FAIL)
		assert_true(fail_at > 1);
}

static int run_frames(void)
{
	static char first[4 + 3000], second[4 + 3000];
	struct frame_parser parser;
	struct frame frame = { 0 };
	enum frame_result result;
	char *bytes = first;
	size_t len = sizeof(first);

	memcpy(first, "\x01\x7e\x0b\xb8", 4);
	memcpy(second, "\x80\x7e\x0b\xb8", 4);
	frame_parser_init(&parser, 1 << 16);
	result = frame_next(&parser, &bytes, &len, &frame);
	if (result == FRAME_MORE) {
		bytes = second;
		len = sizeof(second);
		result = frame_next(&parser, &bytes, &len, &frame);
	}
	if (result == FRAME_READY && frame.len != 6000)
		result = FRAME_MORE;
	if (result == FRAME_BROKEN && parser.error != FRAME_NO_MEMORY)
		result = FRAME_MORE;
	frame_parser_reset(&parser);
	return result == FRAME_READY ? 0 : result == FRAME_BROKEN ? -ENOMEM : -EBADMSG;
}

static char packed[4096], text[200000];
static size_t packed_len;
static enum config_compress mode;

/* Done with memory to spare, before the starving. */
static void prepare(void)
{
	memset(text, 'x', sizeof(text));
	if (mode == CONFIG_COMPRESS_ZLIB) {
		z_stream z = { .next_in = (Bytef *)text,
			       .avail_in = sizeof(text),
			       .next_out = (Bytef *)packed,
			       .avail_out = sizeof(packed) };

		assert_int_equal(deflateInit(&z, 9), Z_OK);
		assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
		packed_len = sizeof(packed) - z.avail_out;
		deflateEnd(&z);
	} else {
		packed_len = ZSTD_compress(packed, sizeof(packed), text, sizeof(text), 1);
		assert_false(ZSTD_isError(packed_len));
	}
}

static int run_inflate(void)
{
	struct inflater *inflater = NULL;
	char *payload = NULL;
	size_t len = 0;
	int r;

	r = inflater_new(mode, 1 << 20, &inflater);
	if (!r)
		r = inflater_feed(inflater, packed, packed_len, &payload, &len);
	if (r == 1 && (len != sizeof(text) || memcmp(payload, text, len) != 0))
		r = -EBADMSG;
	inflater_free(inflater);
	return r == 1 ? 0 : r ? r : -EBADMSG;
}

static int run_upgrade(void)
{
	static const uint8_t nonce[16] = "the sample nonce";
	static char answer[] = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
	CLEANUP(buf_finish) struct buf out = { 0 };
	struct upgrade upgrade;
	struct url url;
	char *bytes = answer;
	size_t len = sizeof(answer) - 1;
	enum upgrade_result result;
	int r;

	buf_init(&out, 4096);
	upgrade_init(&upgrade, nonce);
	r = url_parse("wss://h/", &url);
	if (!r)
		r = upgrade_request(&upgrade, &url, "shoal", &out);
	if (!r) {
		result = upgrade_feed(&upgrade, &bytes, &len);
		/* Without memory for the head, or for SHA-1, the answer is refused. */
		r = result == UPGRADE_DONE ? 0 : -ENOMEM;
	}
	upgrade_finish(&upgrade);
	return r;
}

static void test_frames(void **state)
{
	(void)state;
	starve(run_frames);
}

static void test_inflate(void **state)
{
	(void)state;
	mode = CONFIG_COMPRESS_ZLIB;
	prepare();
	starve(run_inflate);
	mode = CONFIG_COMPRESS_ZSTD;
	prepare();
	starve(run_inflate);
}

static void test_upgrade(void **state)
{
	(void)state;
	assert_int_equal(run_upgrade(), 0); /* OpenSSL fetches its algorithms once and keeps them */
	starve(run_upgrade);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_inflate),
		cmocka_unit_test(test_upgrade),
	};

	if (!CAN_FAIL)
		puts("allocations are made to fail in the plain build only");
	return cmocka_run_group_tests_name("gateway_memory", tests, NULL, NULL);
}
