/* What a gateway connection's payloads go through on their way out. */
#ifndef SIM_COMPRESS_H
#define SIM_COMPRESS_H

#include "tests/sim/buf.h"

enum compress_kind { COMPRESS_NONE, COMPRESS_ZLIB, COMPRESS_ZSTD };

struct compressor;

const char *compress_name(enum compress_kind kind);
/* A stream of its own for one connection; NULL for COMPRESS_NONE or when memory is short. */
struct compressor *compressor_new(enum compress_kind kind, int level);
void compressor_free(struct compressor *c);
/* Compresses one payload given in @count pieces into @out, flushed so that the peer can read all of it:
 * zlib-stream ends in 00 00 FF FF; zstd-stream ends a block (or, when @end_frame, its frame). 0 or -1. */
int compressor_payload(struct compressor *c, const struct buf *pieces, size_t count, struct buf *out, bool end_frame);
/* zlib only: takes a payload that is deflate blocks already, made without reference to anything before them and ending
 * in 00 00 FF FF, into the stream. What comes after makes no reference to what came before. */
void compressor_insert(struct compressor *c, const void *blocks, size_t n, struct buf *out);
/* Changes the level from the next payload on. */
void compressor_set_level(struct compressor *c, int level);

#endif
