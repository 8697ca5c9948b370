/* SPDX-License-Identifier: MIT */
/* zlib-stream and zstd-stream of a gateway connection. Run by the session on each message; it must not hold more memory
 * than its maximum, whatever the bytes claim, and keeps no compressed bytes: each message is unpacked as it comes. */
#include "shard/gateway/inflate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "shared/base/cleanup.h"

/* Windows up to 8 MiB: what every zstd decoder is asked to support; more is a bomb or not for us. */
#define ZSTD_WINDOW_LOG_MAX 23
/* A payload as large as this gives its memory back at once, smaller ones when inflater_trim() is called. */
#define TRIM_AT_ONCE_BYTES (1024 * 1024)

struct inflater;

/* How one mode works. @feed unpacks all of @message behind out_len; 1: the payload is complete. */
struct mode {
	const char *parameter;
	int (*open)(struct inflater *inflater);
	int (*feed)(struct inflater *inflater, const char *message, size_t len);
	void (*close)(struct inflater *inflater);
};

struct inflater {
	const struct mode *mode;
	size_t max_bytes;
	char *out;
	size_t out_len, out_cap;
	bool delivered; /* out was given out: begin anew */
	bool broken;
	uint8_t tail[4]; /* zlib: the last bytes taken of the payload at hand, to find its end */
	z_stream zlib;
	ZSTD_DStream *zstd;
};

/* Doubles the output, up to one byte over the maximum: that byte tells a payload of the maximum from a longer one. */
static int grow(struct inflater *inflater)
{
	size_t cap = inflater->out_cap ? inflater->out_cap * 2 : INFLATER_OUTPUT_BYTES;
	char *out;

	if (inflater->out_len > inflater->max_bytes)
		return -EMSGSIZE;
	if (cap > inflater->max_bytes + 1)
		cap = inflater->max_bytes + 1;
	if (cap <= inflater->out_cap)
		return -EMSGSIZE;
	out = realloc(inflater->out, cap);
	if (!out)
		return -ENOMEM;
	inflater->out = out;
	inflater->out_cap = cap;
	return 0;
}

static int zlib_open(struct inflater *inflater)
{
	if (inflateInit2(&inflater->zlib, MAX_WBITS) != Z_OK)
		return -ENOMEM;
	/* The checksum is compared at the end of the stream, and this one has none: summing up would be for nothing. */
	inflateValidate(&inflater->zlib, 0);
	return 0;
}

static void zlib_close(struct inflater *inflater)
{
	inflateEnd(&inflater->zlib);
}

/* The end of a payload is a sync flush at the end of a message. Kept across messages, since a payload may be cut
 * anywhere, also inside its suffix. */
static bool zlib_at_end(struct inflater *inflater, const uint8_t *message, size_t len)
{
	static const uint8_t suffix[4] = { 0x00, 0x00, 0xFF, 0xFF };
	size_t keep = len < 4 ? 4 - len : 0;

	memmove(inflater->tail, inflater->tail + 4 - keep, keep);
	memcpy(inflater->tail + keep, message + len - (4 - keep), 4 - keep);
	return !memcmp(inflater->tail, suffix, sizeof(suffix));
}

static int zlib_feed(struct inflater *inflater, const char *message, size_t len)
{
	z_stream *z = &inflater->zlib;
	int r;

	z->next_in = (Bytef *)(uintptr_t)message;
	z->avail_in = (uInt)len;
	do {
		size_t room = inflater->out_cap - inflater->out_len;

		if (!room) {
			r = grow(inflater);
			if (r < 0)
				return r;
			room = inflater->out_cap - inflater->out_len;
		}
		z->next_out = (Bytef *)inflater->out + inflater->out_len;
		z->avail_out = (uInt)room;
		r = inflate(z, Z_SYNC_FLUSH);
		inflater->out_len += room - z->avail_out;
		/* Z_BUF_ERROR: no progress, since the last call had taken all but filled the output just so. */
		if (r != Z_OK && r != Z_BUF_ERROR)
			return r == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
		if (r == Z_BUF_ERROR && z->avail_in && z->avail_out)
			return -EBADMSG;
	} while (z->avail_in || !z->avail_out);
	if (inflater->out_len > inflater->max_bytes)
		return -EMSGSIZE;
	/* A second flush behind the first, in a message of its own, ends nothing. */
	return zlib_at_end(inflater, (const uint8_t *)message, len) && inflater->out_len > 0;
}

static int zstd_open(struct inflater *inflater)
{
	inflater->zstd = ZSTD_createDStream();
	if (!inflater->zstd)
		return -ENOMEM;
	if (ZSTD_isError(ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)))
		return -EINVAL;
	return 0;
}

static void zstd_close(struct inflater *inflater)
{
	ZSTD_freeDStream(inflater->zstd);
}

/* One message is one payload, be it a piece of a frame that never ends or a frame of its own: all input taken and room
 * left in the output is the end, whatever ZSTD_decompressStream() returns. */
static int zstd_feed(struct inflater *inflater, const char *message, size_t len)
{
	ZSTD_inBuffer in = { message, len, 0 };

	for (;;) {
		ZSTD_outBuffer out = { inflater->out, inflater->out_cap, inflater->out_len };
		size_t before = in.pos, r;
		int e;

		if (out.pos == out.size) {
			e = grow(inflater);
			if (e < 0)
				return e;
			continue;
		}
		r = ZSTD_decompressStream(inflater->zstd, &out, &in);
		if (ZSTD_isError(r))
			return ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation ? -ENOMEM : -EBADMSG;
		if (in.pos == before && out.pos == inflater->out_len && in.pos < in.size)
			return -EBADMSG;
		inflater->out_len = out.pos;
		if (in.pos == in.size && out.pos < out.size)
			break;
	}
	if (inflater->out_len > inflater->max_bytes)
		return -EMSGSIZE;
	return inflater->out_len ? 1 : -EBADMSG;
}

static const struct mode modes[] = {
	[CONFIG_COMPRESS_ZLIB] = { "zlib-stream", zlib_open, zlib_feed, zlib_close },
	[CONFIG_COMPRESS_ZSTD] = { "zstd-stream", zstd_open, zstd_feed, zstd_close },
	[CONFIG_COMPRESS_NONE] = { NULL, NULL, NULL, NULL },
};

const char *inflater_parameter(enum config_compress mode)
{
	return (size_t)mode < ARRAY_SIZE(modes) ? modes[mode].parameter : NULL;
}

static void begin(struct inflater *inflater)
{
	inflater->delivered = false;
	inflater->out_len = 0;
	memset(inflater->tail, 0xFF, sizeof(inflater->tail));
	if (inflater->out_cap > TRIM_AT_ONCE_BYTES)
		inflater_trim(inflater);
}

int inflater_new(enum config_compress mode, size_t max_payload_bytes, struct inflater **ret_inflater)
{
	CLEANUP(inflater_freep) struct inflater *inflater = NULL;
	int r;

	if ((size_t)mode >= ARRAY_SIZE(modes) || !max_payload_bytes || max_payload_bytes > INT32_MAX)
		return -EINVAL;
	inflater = calloc(1, sizeof(*inflater));
	if (!inflater)
		return -ENOMEM;
	inflater->max_bytes = max_payload_bytes;
	inflater->mode = &modes[mode]; /* first: its close() accepts what open() left half-built */
	begin(inflater);
	if (inflater->mode->open) {
		r = inflater->mode->open(inflater);
		if (r < 0)
			return r;
	}
	*ret_inflater = TAKE(inflater);
	return 0;
}

struct inflater *inflater_free(struct inflater *inflater)
{
	if (!inflater)
		return NULL;
	if (inflater->mode && inflater->mode->close)
		inflater->mode->close(inflater);
	free(inflater->out);
	free(inflater);
	return NULL;
}

void inflater_freep(struct inflater **inflater)
{
	*inflater = inflater_free(*inflater);
}

int inflater_feed(struct inflater *inflater, char *message, size_t len, char **ret_payload, size_t *ret_len)
{
	int r;

	if (inflater->broken)
		return -EBADMSG;
	if (!inflater->mode->feed) {
		if (len > inflater->max_bytes)
			return -EMSGSIZE;
		*ret_payload = message;
		*ret_len = len;
		return 1;
	}
	if (inflater->delivered)
		begin(inflater);
	if (!len)
		return 0;
	r = inflater->mode->feed(inflater, message, len);
	if (r < 0)
		inflater->broken = true;
	if (r <= 0)
		return r;
	inflater->delivered = true;
	*ret_payload = inflater->out;
	*ret_len = inflater->out_len;
	return 1;
}

void inflater_partial(const struct inflater *inflater, const char **ret_bytes, size_t *ret_len)
{
	*ret_bytes = inflater->out;
	*ret_len = inflater->out ? inflater->out_len : 0;
}

void inflater_trim(struct inflater *inflater)
{
	if (inflater->out_cap <= INFLATER_OUTPUT_BYTES || (inflater->out_len && !inflater->delivered))
		return;
	free(inflater->out);
	inflater->out = NULL;
	inflater->out_cap = 0;
	inflater->out_len = 0;
}

size_t inflater_output_bytes(const struct inflater *inflater)
{
	return inflater->out_cap;
}
