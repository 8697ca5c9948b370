/* One gateway connection: HELLO, heartbeats, the opcodes a client sends, and the way of payloads to the socket. */
#ifndef SIM_GATEWAY_H
#define SIM_GATEWAY_H

#include "tests/sim/compress.h"
#include "tests/sim/http.h"
#include "tests/sim/session.h"
#include "tests/sim/ws.h"

struct gateway {
	struct conn *conn;
	struct session *session; /* NULL before IDENTIFY or RESUME */
	struct ws_reader reader;
	struct compressor *compressor;
	enum compress_kind compress;
	bool via_resume_url;
	bool hello_sent;
	bool closing; /* a close frame was sent: nothing more goes out or is heard */
	bool no_ack;
	bool mute;               /* nothing of the session's is written */
	uint32_t fragment_bytes; /* WebSocket frames of at most that size; 0: whole messages */
	uint32_t split_bytes;    /* zlib-stream: a payload over several messages of that size; 0: off */
	uint64_t connected_ms, beat_ms;
	uint64_t window_ms, window_count; /* the 120 sends in 60 s */
	uint64_t presence_ms, presence_count;
	uint64_t beats;
};

/* A request with Upgrade: websocket. Takes @x. */
void gateway_upgrade(struct exchange *x);
/* There is something in the session's ring. */
void gateway_wake(struct gateway *g);
/* The session is no more. */
void gateway_session_ended(struct session *s);

/* A payload in pieces, compressed as the connection wants it. */
void gateway_send(struct gateway *g, const struct buf *pieces, size_t count);
void gateway_send_text(struct gateway *g, const char *text);
/* Sends bytes as one WebSocket message as they are (already compressed, or wrong on purpose). */
void gateway_send_raw(struct gateway *g, uint8_t opcode, const void *bytes, size_t n);
/* Close frame, then the end of the connection. */
void gateway_close(struct gateway *g, uint16_t code, const char *reason);
/* Writes {"t":TYPE,"s":SEQ,"op":0,"d": into @out. */
void gateway_dispatch_head(struct buf *out, const char *type, uint64_t seq);

/* Every gateway connection, or those of one shard (UINT32_MAX: all, also those without a session). */
void gateway_each(uint32_t shard, void (*fn)(struct gateway *g, void *arg), void *arg);
void gateway_tick(uint64_t now_ms);

struct gateway_stats {
	uint64_t connects, heartbeats, acks_withheld, requests_refused;
	uint64_t resumes_ok, resumes_refused, resumes_at_gateway_url;
	uint64_t presence_over_limit, op8, op8_limited;
	uint64_t payloads, plain_bytes, wire_bytes;
	uint32_t closes_sent[5000], closes_received[5000], lost; /* by code; lost: without any */
};
extern struct gateway_stats gateway_stats;

/* URLs that the sim hands out. Set once at start. */
struct gateway_urls {
	char api[160], gateway[160], resume[160], control[160];
};
extern struct gateway_urls gateway_urls;

#endif
