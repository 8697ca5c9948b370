/* RFC 6455, the server's side. */
#ifndef SIM_WS_H
#define SIM_WS_H

#include "tests/sim/conn.h"

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* What the peer sent, put together from its frames. */
struct ws_reader {
	struct buf message;
	uint8_t opcode; /* of the message being gathered; 0: none */
};

enum ws_result {
	WS_NEED_MORE,
	WS_MESSAGE,   /* reader->message is complete; reader->opcode tells its kind */
	WS_CONTROL,   /* reader->control holds a ping, pong or close */
	WS_VIOLATION, /* the peer broke the protocol */
	WS_TOO_BIG,   /* over the maximum given to ws_reader_init */
};

void ws_reader_init(struct ws_reader *r, size_t max_message);
void ws_reader_free(struct ws_reader *r);
/* Takes the next frame from @in. On WS_CONTROL the payload (at most 125 bytes) is in @control, its opcode in @kind.
 * After WS_MESSAGE the caller clears reader->message. */
enum ws_result ws_read(struct ws_reader *r, struct buf *in, uint8_t *kind, struct buf *control);

/* Writes a frame header for @len payload bytes at @at (at most 10 bytes); returns its size. */
size_t ws_header(char *at, uint8_t opcode, bool fin, uint64_t len);
/* A whole frame. */
void ws_send(struct conn *conn, uint8_t opcode, const void *bytes, size_t n);
/* A close frame; @code 0 sends an empty one. */
void ws_send_close(struct conn *conn, uint16_t code, const char *reason);
/* Sec-WebSocket-Accept for a key. @out holds 29 bytes. */
void ws_accept_key(char out[29], const char *key);

#endif
