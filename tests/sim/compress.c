/* zlib-stream and zstd-stream. The zlib stream is kept as raw deflate with its two header bytes written by hand, so
 * that ready-made blocks can be put into it: the peer sees one RFC 1950 stream that never ends. */
#include "tests/sim/compress.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

struct compressor {
	enum compress_kind kind;
	bool header_sent;
	bool stale; /* bytes were inserted that the encoder never saw */
	int level;
	z_stream zlib;
	ZSTD_CCtx *zstd;
};

const char *compress_name(enum compress_kind kind)
{
	static const char *const names[] = { "none", "zlib-stream", "zstd-stream" };

	return names[kind];
}

struct compressor *compressor_new(enum compress_kind kind, int level)
{
	struct compressor *c;

	if (kind == COMPRESS_NONE)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->kind = kind;
	c->level = level;
	if (kind == COMPRESS_ZLIB) {
		if (deflateInit2(&c->zlib, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK)
			return c;
	} else {
		c->zstd = ZSTD_createCCtx();
		/* A window as Discord's is tuned to small memory: at most 2^18 here, whatever the level would take. */
		if (c->zstd && !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, level)) &&
		    !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_windowLog, 18)))
			return c;
		ZSTD_freeCCtx(c->zstd);
	}
	free(c);
	return NULL;
}

void compressor_free(struct compressor *c)
{
	if (!c)
		return;
	if (c->kind == COMPRESS_ZLIB)
		deflateEnd(&c->zlib);
	ZSTD_freeCCtx(c->zstd);
	free(c);
}

void compressor_set_level(struct compressor *c, int level)
{
	if (!c)
		return;
	c->level = level;
	if (c->kind == COMPRESS_ZSTD)
		ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, level);
	else
		c->stale = true;
}

static void zlib_header(struct compressor *c, struct buf *out)
{
	if (c->header_sent)
		return;
	buf_append(out, "\x78\x9c", 2);
	c->header_sent = true;
}

/* After foreign bytes the encoder's distances would be wrong: it starts with an empty window. */
static int renew(struct compressor *c)
{
	deflateEnd(&c->zlib);
	memset(&c->zlib, 0, sizeof(c->zlib));
	c->stale = false;
	return deflateInit2(&c->zlib, c->level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK ? 0 : -1;
}

/* What the encoder may hold of a payload's earlier pieces: its window and the block it has begun, generously. */
#define ZLIB_HELD_MAX (256U << 10)

/* @held: bytes of the payload's earlier pieces. A flush gets room for all of it at once: were the output filled just
 * so, the next call would add a second marker, and a payload split there would seem to end twice. */
static int zlib_piece(struct compressor *c, const struct buf *piece, size_t held, struct buf *out, int flush)
{
	c->zlib.next_in = (unsigned char *)buf_data(piece);
	c->zlib.avail_in = (unsigned int)piece->len;
	if (flush == Z_NO_FLUSH)
		held = 0;
	else if (held > ZLIB_HELD_MAX)
		held = ZLIB_HELD_MAX;
	do {
		size_t room = deflateBound(&c->zlib, c->zlib.avail_in + held) + 64;
		char *at = buf_room(out, room);

		if (!at)
			return -1;
		c->zlib.next_out = (unsigned char *)at;
		c->zlib.avail_out = (unsigned int)room;
		if (deflate(&c->zlib, flush) == Z_STREAM_ERROR)
			return -1;
		out->len += room - c->zlib.avail_out;
	} while (c->zlib.avail_out == 0);
	return 0;
}

static int zstd_piece(struct compressor *c, const struct buf *piece, struct buf *out, ZSTD_EndDirective mode)
{
	ZSTD_inBuffer in = { buf_data(piece), piece->len, 0 };
	size_t left;

	do {
		size_t room = ZSTD_compressBound(in.size - in.pos) + 128;
		char *at = buf_room(out, room);
		ZSTD_outBuffer to = { at, room, 0 };

		if (!at)
			return -1;
		left = ZSTD_compressStream2(c->zstd, &to, &in, mode);
		if (ZSTD_isError(left))
			return -1;
		out->len += to.pos;
	} while (mode == ZSTD_e_continue ? in.pos < in.size : left > 0);
	return 0;
}

int compressor_payload(struct compressor *c, const struct buf *pieces, size_t count, struct buf *out, bool end_frame)
{
	if (c->kind == COMPRESS_ZLIB) {
		zlib_header(c, out);
		if (c->stale && renew(c) < 0)
			return -1;
	}
	for (size_t i = 0, held = 0; i < count; held += pieces[i++].len) {
		bool last = i + 1 == count;
		int r;

		if (c->kind == COMPRESS_ZLIB)
			r = zlib_piece(c, &pieces[i], held, out, last ? Z_SYNC_FLUSH : Z_NO_FLUSH);
		else
			r = zstd_piece(c, &pieces[i], out,
				       !last       ? ZSTD_e_continue
				       : end_frame ? ZSTD_e_end
						   : ZSTD_e_flush);
		if (r < 0)
			return r;
	}
	return 0;
}

void compressor_insert(struct compressor *c, const void *blocks, size_t n, struct buf *out)
{
	zlib_header(c, out);
	buf_append(out, blocks, n);
	c->stale = true;
}
