/* Frames. Reading is strict (a client must mask, reserved bits are 0, control frames are short); what a hostile server
 * sends on purpose is made by faults.c from raw bytes. */
#include "tests/sim/ws.h"

#include <stdio.h>
#include <openssl/sha.h>

#include "tests/sim/util.h"

void ws_reader_init(struct ws_reader *r, size_t max_message)
{
	buf_init(&r->message, max_message);
	r->opcode = 0;
}

void ws_reader_free(struct ws_reader *r)
{
	buf_free(&r->message);
}

static void unmask(char *out, const char *in, size_t n, const unsigned char mask[4])
{
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(in[i] ^ (char)mask[i & 3]);
}

enum ws_result ws_read(struct ws_reader *r, struct buf *in, uint8_t *kind, struct buf *control)
{
	for (;;) {
		const unsigned char *p = (const unsigned char *)buf_data(in);
		size_t head = 2;
		uint64_t len;
		uint8_t opcode;
		struct buf *to;
		char *at;
		bool fin;

		if (in->len < 2)
			return WS_NEED_MORE;
		fin = p[0] & 0x80;
		opcode = p[0] & 15;
		len = p[1] & 0x7f;
		if (p[0] & 0x70 || !(p[1] & 0x80) || (opcode & 8 && (!fin || len > 125)) || (opcode & 7) > 2)
			return WS_VIOLATION;
		if (len >= 126)
			head += len == 126 ? 2 : 8;
		if (in->len < head + 4)
			return WS_NEED_MORE;
		if (len == 126) {
			len = (uint64_t)p[2] << 8 | p[3];
		} else if (len == 127) {
			len = 0;
			for (int i = 0; i < 8; i++)
				len = len << 8 | p[2 + i];
		}
		if (len > r->message.max)
			return WS_TOO_BIG;
		if (in->len < head + 4 + len)
			return WS_NEED_MORE;
		if (!(opcode & 8) && (opcode == WS_CONTINUATION) == (r->opcode == 0))
			return WS_VIOLATION;
		to = opcode & 8 ? control : &r->message;
		if (opcode & 8)
			buf_clear(control);
		at = buf_room(to, len);
		if (!at)
			return WS_TOO_BIG;
		unmask(at, (const char *)p + head + 4, len, p + head);
		to->len += len;
		buf_consume(in, head + 4 + len);
		if (opcode & 8) {
			*kind = opcode;
			return WS_CONTROL;
		}
		if (opcode)
			r->opcode = opcode;
		if (fin) {
			*kind = r->opcode;
			r->opcode = 0;
			return WS_MESSAGE;
		}
	}
}

size_t ws_header(char *at, uint8_t opcode, bool fin, uint64_t len)
{
	at[0] = (char)((fin ? 0x80 : 0) | opcode);
	if (len < 126) {
		at[1] = (char)len;
		return 2;
	}
	if (len < 65536) {
		at[1] = 126;
		at[2] = (char)(len >> 8);
		at[3] = (char)len;
		return 4;
	}
	at[1] = 127;
	for (int i = 0; i < 8; i++)
		at[2 + i] = (char)(len >> (56 - 8 * i));
	return 10;
}

void ws_send(struct conn *conn, uint8_t opcode, const void *bytes, size_t n)
{
	char head[10];

	conn_send(conn, head, ws_header(head, opcode, true, n));
	conn_send(conn, bytes, n);
}

void ws_send_close(struct conn *conn, uint16_t code, const char *reason)
{
	char payload[125];
	int n = 0;

	if (code) {
		payload[0] = (char)(code >> 8);
		payload[1] = (char)code;
		n = snprintf(payload + 2, sizeof(payload) - 2, "%s", reason ? reason : "");
		n = n > 122 ? 124 : n + 2;
	}
	ws_send(conn, WS_CLOSE, payload, (size_t)n);
}

void ws_accept_key(char out[29], const char *key)
{
	unsigned char digest[SHA_DIGEST_LENGTH];
	struct buf text;

	buf_init(&text, 1024);
	buf_str(&text, key);
	buf_lit(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
	SHA1((const unsigned char *)buf_data(&text), text.len, digest);
	buf_free(&text);
	base64_encode(out, digest, sizeof(digest));
}
