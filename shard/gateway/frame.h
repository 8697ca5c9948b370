/* SPDX-License-Identifier: MIT */
/* WebSocket frames (RFC 6455), the client's side: bytes in, whole messages out; text and control frames built. No I/O,
 * no clock, no knowledge of what a message means. */
#ifndef SHOAL_GATEWAY_FRAME_H
#define SHOAL_GATEWAY_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"

enum frame_opcode {
	FRAME_CONTINUATION = 0x0,
	FRAME_TEXT = 0x1,
	FRAME_BINARY = 0x2,
	FRAME_CLOSE = 0x8,
	FRAME_PING = 0x9,
	FRAME_PONG = 0xA,
};

/* How a server may break the protocol. */
enum frame_error {
	FRAME_OK,
	FRAME_BAD_RSV,          /* a reserved bit: we negotiate no extension */
	FRAME_BAD_MASKED,       /* servers must not mask (5.1) */
	FRAME_BAD_OPCODE,       /* 3-7, 11-15 */
	FRAME_BAD_LENGTH,       /* not the shortest form, or its top bit set (5.2) */
	FRAME_BAD_CONTROL,      /* a control frame in fragments or over 125 bytes (5.5) */
	FRAME_BAD_CONTINUATION, /* without a message begun, or a new message inside one (5.4) */
	FRAME_BAD_CLOSE,        /* one byte, a code that must not be sent, a reason that is not UTF-8 (5.5.1, 7.4) */
	FRAME_TOO_LARGE,        /* message over the maximum */
	FRAME_NO_MEMORY,
	FRAME_ERROR_COUNT,
};
const char *frame_error_name(enum frame_error error); /* "masked", … */

enum frame_result {
	FRAME_MORE,   /* everything was taken, nothing is complete */
	FRAME_READY,  /* a message or control frame is in *ret_frame */
	FRAME_BROKEN, /* parser->error says why; the parser gives nothing more */
};

/* What came. @bytes points into the input when the message lay whole in it, else into the parser: valid until the next
 * frame_next(). A message's fragments are joined. */
struct frame {
	enum frame_opcode opcode; /* never CONTINUATION */
	char *bytes;
	size_t len;
	uint16_t close_code; /* CLOSE: 1005 when it had none; the reason is in bytes */
};

#define FRAME_CONTROL_MAX 125

struct frame_parser {
	enum frame_error error;
	uint8_t head[10]; /* a header cut by the end of the input */
	uint8_t head_len;
	uint8_t opcode; /* of the frame at hand */
	bool fin;
	bool in_payload;
	uint8_t message_opcode; /* of the message whose fragments are gathered; 0: none */
	uint8_t control_len;
	uint64_t frame_left; /* payload bytes of the frame at hand still to come */
	struct buf message;  /* what is gathered; its max is the largest message */
	bool delivered;      /* message was given out: empty it at the next call */
	char control[FRAME_CONTROL_MAX];
};

/* The largest piece of memory kept between messages. */
#define FRAME_KEEP_BYTES (32 * 1024)

void frame_parser_init(struct frame_parser *parser, size_t max_message_bytes);
/* Frees what was gathered; ready for a new connection. */
void frame_parser_reset(struct frame_parser *parser);

/* Takes bytes from the front of *bytes (both are moved on) until one message or control frame is complete. Call it
 * until it says MORE; stop earlier to stop being fed. */
enum frame_result frame_next(struct frame_parser *parser, char **bytes, size_t *len, struct frame *ret_frame);

/* After FRAME_TOO_LARGE: how large the message would have become at least, and whether it was text. What had come of it
 * is parser->message, then what frame_next() left of its input. */
size_t frame_oversize(const struct frame_parser *parser, bool *ret_text);

/* Appends one unfragmented masked frame. @key: 4 random bytes, new for each frame (5.3). -EMSGSIZE (a control frame
 * over 125 bytes), -ENOBUFS, -ENOMEM: nothing was appended. */
int frame_append(struct buf *out, enum frame_opcode opcode, const void *payload, size_t len, uint32_t key);
/* A close frame. @reason is cut to what fits, at a character's border. */
int frame_append_close(struct buf *out, uint16_t code, const char *reason, uint32_t key);

/* May a close code stand in a frame (7.4)? */
bool frame_close_code_valid(unsigned int code);

#endif
