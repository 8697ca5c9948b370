/* SPDX-License-Identifier: MIT */
/* libFuzzer's way into the frame parser. Beside not crashing: the same bytes give the same frames and the same error
 * whether they come at once or in pieces (the first byte says how large), nothing passes the maximum, and no memory is
 * held beyond what came. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shard/gateway/frame.h"

#define MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a run gave, folded into a few numbers. */
struct digest {
	uint64_t hash;
	uint32_t frames;
	enum frame_error error;
};

static void mix(struct digest *digest, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		digest->hash = (digest->hash ^ p[i]) * 1099511628211ULL;
}

static void take(struct digest *digest, const struct frame *frame)
{
	if (frame->len > MAX || !frame->bytes)
		abort();
	if (frame->opcode >= FRAME_CLOSE && frame->len > FRAME_CONTROL_MAX)
		abort();
	if (frame->opcode == FRAME_CONTINUATION)
		abort();
	if (frame->opcode == FRAME_CLOSE && frame->close_code != 1005 && !frame_close_code_valid(frame->close_code))
		abort();
	mix(digest, &frame->opcode, sizeof(frame->opcode));
	mix(digest, &frame->len, sizeof(frame->len));
	mix(digest, frame->bytes, frame->len);
	digest->frames++;
}

static struct digest run(const uint8_t *data, size_t size, size_t step)
{
	struct digest digest = { .hash = 14695981039346656037ULL };
	struct frame_parser parser;

	frame_parser_init(&parser, MAX);
	for (size_t at = 0; at < size && !digest.error; at += step) {
		size_t n = size - at < step ? size - at : step;
		char *piece = malloc(n), *bytes = piece;
		enum frame_result result;
		struct frame frame;

		memcpy(piece, data + at, n);
		while ((result = frame_next(&parser, &bytes, &n, &frame)) == FRAME_READY)
			take(&digest, &frame);
		if (result == FRAME_MORE && n)
			abort();
		if (parser.message.len > size || parser.message.cap > 2 * MAX + 64)
			abort();
		digest.error = parser.error;
		if ((result == FRAME_BROKEN) != (digest.error != FRAME_OK))
			abort();
		free(piece);
	}
	frame_parser_reset(&parser);
	return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest whole, pieces;

	if (size < 2)
		return 0;
	whole = run(data + 1, size - 1, size - 1);
	pieces = run(data + 1, size - 1, 1 + data[0] % 32);
	if (whole.hash != pieces.hash || whole.frames != pieces.frames || whole.error != pieces.error)
		abort();
	return 0;
}
