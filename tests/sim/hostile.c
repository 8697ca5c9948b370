/* What a broken or hostile gateway may do to a client, one function each. None of these payloads takes a sequence
 * number of the session: a client that refuses them has missed nothing. */
#include "tests/sim/hostile.h"

#include <stdlib.h>

#include "tests/sim/options.h"
#include "tests/sim/util.h"

#define SAMPLE "{\"t\":\"MESSAGE_CREATE\",\"s\":1,\"op\":0,\"d\":{\"id\":\"1\",\"content\":\"never to be seen\"}}"

static uint64_t number(const json_t *params, const char *name, uint64_t initial)
{
	const json_t *value = json_object_get(params, name);

	return json_is_integer(value) && json_integer_value(value) >= 0 ? (uint64_t)json_integer_value(value) : initial;
}

void hostile_drop(struct gateway *g, const json_t *params)
{
	(void)params;
	conn_drop(g->conn, true);
}

void hostile_fin(struct gateway *g, const json_t *params)
{
	(void)params;
	conn_drop(g->conn, false);
}

void hostile_close(struct gateway *g, const json_t *params)
{
	const char *reason = json_string_value(json_object_get(params, "reason"));
	uint64_t code = number(params, "code", 4000);

	if (g->session && json_is_true(json_object_get(params, "end_session")))
		session_end(g->session);
	gateway_close(g, (uint16_t)code, reason ? reason : "On demand.");
}

void hostile_half_open(struct gateway *g, const json_t *params)
{
	(void)params;
	conn_half_open(g->conn);
}

void hostile_no_ack(struct gateway *g, const json_t *params)
{
	g->no_ack = !json_is_false(json_object_get(params, "on"));
}

void hostile_mute(struct gateway *g, const json_t *params)
{
	g->mute = !json_is_false(json_object_get(params, "on"));
}

void hostile_slow(struct gateway *g, const json_t *params)
{
	conn_slow(g->conn, number(params, "bytes_per_s", 1000));
}

void hostile_op1(struct gateway *g, const json_t *params)
{
	(void)params;
	gateway_send_text(g, "{\"t\":null,\"s\":null,\"op\":1,\"d\":null}");
}

void hostile_op7(struct gateway *g, const json_t *params)
{
	(void)params;
	gateway_send_text(g, "{\"t\":null,\"s\":null,\"op\":7,\"d\":null}");
}

void hostile_op9(struct gateway *g, const json_t *params)
{
	if (json_is_true(json_object_get(params, "resumable"))) {
		gateway_send_text(g, "{\"t\":null,\"s\":null,\"op\":9,\"d\":true}");
		return;
	}
	if (g->session)
		session_end(g->session);
	gateway_send_text(g, "{\"t\":null,\"s\":null,\"op\":9,\"d\":false}");
}

void hostile_fragment(struct gateway *g, const json_t *params)
{
	g->fragment_bytes = (uint32_t)number(params, "bytes", 100);
}

void hostile_split(struct gateway *g, const json_t *params)
{
	g->split_bytes = (uint32_t)number(params, "bytes", 100);
}

static struct buf text_piece(const char *text)
{
	return (struct buf){ .mem = (char *)text, .len = strlen(text) };
}

void hostile_truncated(struct gateway *g, const json_t *params)
{
	struct buf one = text_piece(SAMPLE), wire;

	(void)params;
	if (!g->compressor) {
		gateway_send_raw(g, WS_TEXT, SAMPLE, sizeof(SAMPLE) / 2);
		return;
	}
	buf_init(&wire, 1 << 20);
	if (compressor_payload(g->compressor, &one, 1, &wire, false) == 0) {
		wire.len /= 2;
		if (g->compress == COMPRESS_ZLIB)
			buf_append(&wire, "\x00\x00\xff\xff", 4);
		gateway_send_raw(g, WS_BINARY, buf_data(&wire), wire.len);
	}
	buf_free(&wire);
}

void hostile_bomb(struct gateway *g, const json_t *params)
{
	uint64_t mb = number(params, "mb", 128);
	char *megabyte = malloc(1 << 20);
	struct buf *pieces;

	if (mb > 2048)
		mb = 2048;
	if (!g->compressor && mb > 32)
		mb = 32;
	pieces = calloc(mb + 2, sizeof(*pieces));
	if (megabyte && pieces) {
		memset(megabyte, 'a', 1 << 20);
		pieces[0] = text_piece("{\"t\":\"MESSAGE_CREATE\",\"s\":1,\"op\":0,\"d\":{\"id\":\"1\",\"content\":\"");
		for (uint64_t i = 0; i < mb; i++)
			pieces[1 + i] = (struct buf){ .mem = megabyte, .len = 1 << 20 };
		pieces[1 + mb] = text_piece("\"}}");
		gateway_send(g, pieces, mb + 2);
	}
	free(megabyte);
	free(pieces);
}

void hostile_oversized(struct gateway *g, const json_t *params)
{
	static char filler[64 << 10];
	char head[10];

	(void)params;
	conn_send(g->conn, head, ws_header(head, g->compressor ? WS_BINARY : WS_TEXT, true, 1ULL << 34));
	memset(filler, ' ', sizeof(filler));
	conn_send(g->conn, filler, sizeof(filler));
}

void hostile_lying(struct gateway *g, const json_t *params)
{
	char head[10];

	(void)params;
	conn_send(g->conn, head, ws_header(head, WS_TEXT, true, sizeof(SAMPLE) - 20));
	conn_send(g->conn, SAMPLE, sizeof(SAMPLE) - 1);
}

/* A frame with any first two bytes. */
static void odd_frame(struct gateway *g, unsigned char first, bool masked)
{
	static const char mask[4] = { 1, 2, 3, 4 };
	size_t n = sizeof(SAMPLE) - 1;
	char frame[sizeof(SAMPLE) + 8];

	frame[0] = (char)first;
	frame[1] = (char)(n | (masked ? 0x80 : 0));
	if (masked)
		memcpy(frame + 2, mask, 4);
	for (size_t i = 0; i < n; i++)
		frame[2 + (masked ? 4 : 0) + i] = (char)(SAMPLE[i] ^ (masked ? mask[i & 3] : 0));
	conn_send(g->conn, frame, 2 + (masked ? 4 : 0) + n);
}

_Static_assert(sizeof(SAMPLE) < 126, "odd_frame writes a one-byte length");

void hostile_masked(struct gateway *g, const json_t *params)
{
	(void)params;
	odd_frame(g, 0x80 | WS_TEXT, true);
}

void hostile_reserved(struct gateway *g, const json_t *params)
{
	(void)params;
	odd_frame(g, 0xc0 | WS_TEXT, false);
}

void hostile_bad_opcode(struct gateway *g, const json_t *params)
{
	(void)params;
	odd_frame(g, 0x80 | 11, false);
}

void hostile_non_utf8(struct gateway *g, const json_t *params)
{
	(void)params;
	gateway_send_text(
		g, "{\"t\":\"MESSAGE_CREATE\",\"s\":1,\"op\":0,\"d\":{\"id\":\"1\",\"content\":\"\xff\xfe\xc0\x80\"}}");
}

void hostile_malformed(struct gateway *g, const json_t *params)
{
	(void)params;
	gateway_send_text(g, "{\"t\":\"MESSAGE_CREATE\",\"s\":,\"op\":0,,\"d\":{\"id\":\"1\"]}");
}

void hostile_unknown(struct gateway *g, const json_t *params)
{
	(void)params;
	gateway_send_text(g, "{\"t\":null,\"s\":null,\"op\":99,\"d\":{\"later\":[1,2,{\"x\":null}]},\"new\":true}");
	if (g->session) {
		json_t *d = json_pack("{s:s,s:[i,n]}", "from", "the future", "list", 1);
		struct payload *p = event_json("SOMETHING_NEW_CREATE", false, d);

		json_decref(d);
		if (p)
			session_push(g->session, p);
		payload_unref(p);
	}
}
