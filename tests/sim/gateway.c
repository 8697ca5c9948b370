/* The gateway's side of a WebSocket. One table says what each opcode does; whatever a client does wrong is answered by
 * the close code Discord would send. Payloads to a client come from its session's ring and go out as the socket takes
 * them. */
#include "tests/sim/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "tests/sim/faults.h"
#include "tests/sim/flood.h"
#include "tests/sim/identify.h"
#include "tests/sim/ledger.h"
#include "tests/sim/losses.h"
#include "tests/sim/members.h"
#include "tests/sim/options.h"
#include "tests/sim/util.h"
#include "tests/sim/waits.h"
#include "tests/sim/world.h"

#define PAYLOAD_MAX     4096
#define SENDS_MAX       120
#define SENDS_WINDOW_MS 60000

struct gateway_stats gateway_stats;
struct gateway_urls gateway_urls;
static struct buf scratch, scratch_guild; /* one payload is built at a time */

/* --- sending ----------------------------------------------------------------------------------------------------- */

static void send_frames(struct gateway *g, uint8_t opcode, const char *bytes, size_t n)
{
	size_t step = g->fragment_bytes;
	char head[10];

	for (size_t at = 0; at < n; at += step) {
		size_t part = n - at < step ? n - at : step;

		conn_send(g->conn, head, ws_header(head, at ? WS_CONTINUATION : opcode, at + part == n, part));
		conn_send(g->conn, bytes + at, part);
	}
}

void gateway_send_raw(struct gateway *g, uint8_t opcode, const void *bytes, size_t n)
{
	if (g->closing || g->conn->dead)
		return;
	gateway_stats.wire_bytes += n;
	if (flood_queue(g)) { /* in stream order, behind what a flood has prepared */
		struct buf *queue = flood_queue(g);
		char head[10];

		buf_append(queue, head, ws_header(head, opcode, true, n));
		buf_append(queue, bytes, n);
		return;
	}
	if (g->fragment_bytes)
		send_frames(g, opcode, bytes, n);
	else
		ws_send(g->conn, opcode, bytes, n);
}

static void send_compressed(struct gateway *g, const struct buf *wire)
{
	if (g->split_bytes && g->compress == COMPRESS_ZLIB) {
		/* The suffix is looked for at the end of one message: it stays whole, and in the last. */
		for (size_t at = 0, part; at < wire->len; at += part) {
			part = g->split_bytes;
			if (wire->len - at < part + 4)
				part = wire->len - at;
			gateway_send_raw(g, WS_BINARY, buf_data(wire) + at, part);
		}
		return;
	}
	gateway_send_raw(g, WS_BINARY, buf_data(wire), wire->len);
}

static void send_plain(struct gateway *g, const struct buf *pieces, size_t count, size_t total)
{
	struct conn *conn = g->conn;
	char *at;

	if (g->fragment_bytes || flood_queue(g)) {
		buf_clear(&scratch);
		for (size_t i = 0; i < count; i++)
			buf_append(&scratch, buf_data(&pieces[i]), pieces[i].len);
		gateway_send_raw(g, WS_TEXT, buf_data(&scratch), scratch.len);
		return;
	}
	gateway_stats.wire_bytes += total;
	at = buf_room(&conn->out, total + 10);
	if (at) {
		size_t n = ws_header(at, WS_TEXT, true, total);

		for (size_t i = 0; i < count; i++) {
			memcpy(at + n, buf_data(&pieces[i]), pieces[i].len);
			n += pieces[i].len;
		}
		conn->out.len += n;
		conn_appended(conn, n);
	} else {
		conn_appended(conn, 0);
	}
}

void gateway_send(struct gateway *g, const struct buf *pieces, size_t count)
{
	size_t total = 0;

	if (g->closing || g->conn->dead)
		return;
	for (size_t i = 0; i < count; i++)
		total += pieces[i].len;
	gateway_stats.payloads++;
	gateway_stats.plain_bytes += total;
	if (!g->compressor) {
		send_plain(g, pieces, count, total);
		return;
	}
	buf_clear(&scratch);
	if (compressor_payload(g->compressor, pieces, count, &scratch, options.zstd_frame_per_message) < 0) {
		log_line(LOG_ERROR, "compression failed: connection dropped");
		conn_drop(g->conn, true);
		return;
	}
	send_compressed(g, &scratch);
}

static struct buf piece(const char *text, size_t n)
{
	return (struct buf){ .mem = (char *)text, .len = n };
}

void gateway_send_text(struct gateway *g, const char *text)
{
	struct buf one = piece(text, strlen(text));

	gateway_send(g, &one, 1);
}

void gateway_dispatch_head(struct buf *out, const char *type, uint64_t seq)
{
	buf_lit(out, "{\"t\":\"");
	buf_str(out, type);
	buf_lit(out, "\",\"s\":");
	buf_u64(out, seq);
	buf_lit(out, ",\"op\":0,\"d\":");
}

/* The same payload with its keys in another order: d first. */
static void send_shuffled(struct gateway *g, const char *type, uint64_t seq, const char *d, size_t len)
{
	char tail_text[160];
	int n = snprintf(tail_text, sizeof(tail_text), ",\"s\":%llu,\"extra\":{\"t\":[]},\"t\":\"%s\",\"op\":0}",
			 (unsigned long long)seq, type);
	struct buf pieces[3] = { piece("{ \"d\" : ", 8), piece(d, len), piece(tail_text, (size_t)n) };

	gateway_send(g, pieces, 3);
}

static void send_dispatch(struct gateway *g, const char *type, uint64_t seq, const char *d, size_t len)
{
	char head_text[160];
	struct buf pieces[3], head = { .mem = head_text, .cap = sizeof(head_text), .max = sizeof(head_text) };

	if (options.shuffle_keys && seq % 2) {
		send_shuffled(g, type, seq, d, len);
		return;
	}
	gateway_dispatch_head(&head, type, seq);
	pieces[0] = head;
	pieces[1] = piece(d, len);
	pieces[2] = piece("}", 1);
	gateway_send(g, pieces, 3);
}

static void send_guild(struct gateway *g, const struct session *s, const struct entry *e)
{
	bool presences = s->intents & INTENT_GUILD_PRESENCES;

	buf_clear(&scratch_guild);
	if (world_guild_flag(e->guild, "unavailable")) {
		buf_printf(&scratch_guild, "{\"id\":\"%llu\",\"unavailable\":true}",
			   (unsigned long long)world_guild_id(e->guild));
		send_dispatch(g, "GUILD_DELETE", e->seq, buf_data(&scratch_guild), scratch_guild.len);
		return;
	}
	if (g->compress == COMPRESS_ZLIB) {
		struct buf blocks = scratch;

		buf_clear(&blocks);
		if (world_guild_deflated(e->guild, presences, e->seq, &blocks)) {
			gateway_stats.payloads++;
			compressor_insert(g->compressor, buf_data(&blocks), blocks.len, &scratch_guild);
			scratch = blocks;
			send_compressed(g, &scratch_guild);
			return;
		}
		scratch = blocks;
	}
	world_guild_create(e->guild, presences, &scratch_guild);
	send_dispatch(g, "GUILD_CREATE", e->seq, buf_data(&scratch_guild), scratch_guild.len);
}

static void send_entry(struct gateway *g, struct session *s, struct entry *e)
{
	if (e->kind == ENTRY_GUILD) {
		send_guild(g, s, e);
	} else {
		const struct payload *p = e->payload;
		bool bare = p->bare_len && !(s->intents & INTENT_MESSAGE_CONTENT);

		send_dispatch(g, p->type, e->seq, bare ? p->d + p->len : p->d, bare ? p->bare_len : p->len);
		if (p->ledger_id)
			ledger_written(p->ledger_id);
	}
	e->end = g->conn->appended;
}

/* Moves what is in the session's ring into the socket's buffer while there is room. */
static void pump(struct conn *conn)
{
	struct gateway *g = conn->gateway;
	struct session *s = g->session;

	while (s && !g->mute && !g->closing && !conn->dead && conn->out.len < CONN_OUT_HIGH) {
		struct entry *e;

		if (flood_is_exclusive(s)) {
			if (!flood_pump(g))
				return;
			continue;
		}
		e = session_next(s);
		if (e) {
			/* A RESUMED of an earlier connection is no event to repeat: a hole, to who never read it. */
			if (e->kind != ENTRY_RESUMED || e->seq == s->resumed_seq)
				send_entry(g, s, e);
			else
				losses_note(LOSS_GAP, s, e->seq, e->seq, 0);
			session_sent(s);
		} else if (!s->flood || !flood_pump(g)) {
			return;
		}
	}
}

void gateway_wake(struct gateway *g)
{
	conn_appended(g->conn, 0);
}

void gateway_session_ended(struct session *s)
{
	flood_session_ended(s);
	if (s->gateway)
		s->gateway->session = NULL;
	waits_changed();
}

void gateway_close(struct gateway *g, uint16_t code, const char *reason)
{
	if (g->closing || g->conn->dead)
		return;
	log_line(LOG_INFO, "close %u (%s)", code, reason);
	ws_send_close(g->conn, code, reason);
	if (code < 5000)
		gateway_stats.closes_sent[code]++;
	g->closing = true;
	conn_finish(g->conn);
}

/* --- what a client sends ----------------------------------------------------------------------------------------- */

static void op_heartbeat(struct gateway *g, const json_t *d)
{
	g->beat_ms = mono_ms();
	g->beats++;
	gateway_stats.heartbeats++;
	if (d && !json_is_null(d) && !json_is_integer(d)) {
		gateway_close(g, 4002, "Error while decoding payload.");
		return;
	}
	if (g->session && json_is_integer(d) && (uint64_t)json_integer_value(d) <= g->session->seq)
		g->session->acked = (uint64_t)json_integer_value(d);
	if (g->no_ack)
		gateway_stats.acks_withheld++;
	else /* with and without d, s and t: a client must take both */
		gateway_send_text(g, g->beats % 3 ? "{\"t\":null,\"s\":null,\"op\":11,\"d\":null}" : "{\"op\":11}");
}

static void refuse_resume(struct gateway *g)
{
	gateway_stats.resumes_refused++;
	gateway_send_text(g, "{\"t\":null,\"s\":null,\"op\":9,\"d\":false}");
}

static void op_resume(struct gateway *g, const json_t *d)
{
	const char *token = json_string_value(json_object_get(d, "token"));
	const char *id = json_string_value(json_object_get(d, "session_id"));
	const json_t *seq = json_object_get(d, "seq");
	struct payload *resumed;
	struct session *s;
	struct buf text;

	if (g->session) {
		gateway_close(g, 4005, "Already authenticated.");
		return;
	}
	if (!token || !id || !json_is_integer(seq) || json_integer_value(seq) < 0) {
		gateway_close(g, 4002, "Error while decoding payload.");
		return;
	}
	if (!identify_token_valid(token)) {
		gateway_close(g, 4004, "Authentication failed.");
		return;
	}
	s = session_by_id(id);
	if (!s || faults_take(FAULT_REFUSE_RESUME, s->shard)) {
		if (s)
			losses_note(LOSS_REFUSED, s, (uint64_t)json_integer_value(seq) + 1, s->seq, 0);
		refuse_resume(g);
		return;
	}
	if (faults_take(FAULT_IGNORE_RESUME, s->shard))
		return;
	if (s->gateway) { /* the new connection wins */
		struct gateway *old = s->gateway;

		session_detach(s, conn_written(old->conn));
		old->session = NULL;
		gateway_close(old, 4000, "Resumed elsewhere.");
	}
	switch (session_rewind(s, (uint64_t)json_integer_value(seq))) {
	case RESUME_INVALID_SEQ:
		gateway_stats.resumes_refused++;
		gateway_close(g, 4007, "Invalid seq.");
		session_end(s);
		return;
	case RESUME_REFUSED:
		refuse_resume(g);
		session_end(s);
		return;
	case RESUME_OK:
		break;
	}
	gateway_stats.resumes_ok++;
	gateway_stats.resumes_at_gateway_url += !g->via_resume_url;
	s->gateway = g;
	g->session = s;
	buf_init(&text, 256);
	if (s->resumes % 2) /* its d may be anything */
		buf_lit(&text, "{\"_trace\":[\"[\\\"gateway-sim\\\",{\\\"micros\\\":1}]\"]}");
	else
		buf_lit(&text, "null");
	resumed = payload_new("RESUMED", false, &text, NULL);
	buf_free(&text);
	if (resumed)
		session_push_resumed(s, resumed);
	payload_unref(resumed);
	waits_changed();
}

static void op_presence(struct gateway *g, const json_t *d)
{
	uint64_t now = mono_ms();

	if (!json_is_object(d) || !json_is_string(json_object_get(d, "status"))) {
		gateway_close(g, 4002, "Error while decoding payload.");
		return;
	}
	if (now - g->presence_ms >= 20000) {
		g->presence_ms = now;
		g->presence_count = 0;
	}
	gateway_stats.presence_over_limit += ++g->presence_count > 5;
}

static void op_voice_state(struct gateway *g, const json_t *d)
{
	if (!json_is_string(json_object_get(d, "guild_id")))
		gateway_close(g, 4002, "Error while decoding payload.");
}

static const struct client_op {
	int op;
	bool needs_session;
	void (*handle)(struct gateway *g, const json_t *d);
} client_ops[] = {
	{ 1, false, op_heartbeat },       { 2, false, identify_handle },
	{ 3, true, op_presence },         { 4, true, op_voice_state },
	{ 6, false, op_resume },          { 8, true, members_request },
	{ 31, true, members_soundboard }, { 43, true, members_channel_info },
};

static void handle_payload(struct gateway *g, const char *text, size_t n)
{
	json_t *payload = n > PAYLOAD_MAX ? NULL : json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *op = json_object_get(payload, "op");
	uint64_t now = mono_ms();

	if (now - g->window_ms >= SENDS_WINDOW_MS) {
		g->window_ms = now;
		g->window_count = 0;
	}
	if (++g->window_count > SENDS_MAX) {
		gateway_close(g, 4008, "Rate limited.");
	} else if (!json_is_integer(op)) {
		gateway_close(g, 4002, "Error while decoding payload.");
	} else {
		const struct client_op *row = NULL;

		for (size_t i = 0; i < sizeof(client_ops) / sizeof(client_ops[0]); i++) {
			if (client_ops[i].op == json_integer_value(op))
				row = &client_ops[i];
		}
		if (!row)
			gateway_close(g, 4001, "Unknown opcode.");
		else if (row->needs_session && !g->session)
			gateway_close(g, 4003, "Not authenticated.");
		else
			row->handle(g, json_object_get(payload, "d"));
	}
	json_decref(payload);
}

static void handle_control(struct gateway *g, uint8_t kind, const struct buf *control)
{
	uint16_t code = 1005;

	if (kind == WS_PING) {
		if (!g->closing)
			ws_send(g->conn, WS_PONG, buf_data(control), control->len);
		return;
	}
	if (kind != WS_CLOSE)
		return;
	if (control->len >= 2)
		code = (uint16_t)((unsigned char)buf_data(control)[0] << 8 | (unsigned char)buf_data(control)[1]);
	if (code < 5000)
		gateway_stats.closes_received[code]++;
	/* 1000 and 1001 say goodbye for good; any other code leaves the session to be resumed. */
	if (g->session && (code == 1000 || code == 1001) && !g->closing)
		session_end(g->session);
	if (!g->closing)
		ws_send_close(g->conn, code == 1005 ? 0 : code, "");
	g->closing = true;
	conn_finish(g->conn);
}

static void input(struct conn *conn)
{
	struct gateway *g = conn->gateway;
	uint8_t kind = 0;
	struct buf control;

	buf_init(&control, 125);
	while (!conn->dead) {
		enum ws_result r = ws_read(&g->reader, &conn->in, &kind, &control);

		if (r == WS_NEED_MORE)
			break;
		if (r == WS_VIOLATION || r == WS_TOO_BIG) { /* nothing behind it can be read any more */
			buf_clear(&conn->in);
			gateway_close(g, r == WS_TOO_BIG ? 4002 : 1002, "Error while decoding payload.");
			break;
		}
		if (r == WS_CONTROL)
			handle_control(g, kind, &control);
		else if (!g->closing)
			handle_payload(g, buf_data(&g->reader.message), g->reader.message.len);
		if (r == WS_MESSAGE)
			buf_clear(&g->reader.message);
	}
	buf_free(&control);
}

static void closed(struct conn *conn)
{
	struct gateway *g = conn->gateway;

	if (!g->closing)
		gateway_stats.lost++;
	if (g->session)
		session_detach(g->session, conn_written(conn));
	ws_reader_free(&g->reader);
	compressor_free(g->compressor);
	conn->gateway = NULL;
	free(g);
	waits_changed();
}

static const struct conn_ops gateway_ops = { .input = input, .drained = pump, .closed = closed };

/* --- the upgrade ------------------------------------------------------------------------------------------------- */

static void send_hello(struct gateway *g)
{
	char text[160];

	if (faults_take(FAULT_NEVER_HELLO, UINT32_MAX))
		return;
	if (faults_take(FAULT_OP7_FIRST, UINT32_MAX)) {
		gateway_send_text(g, "{\"t\":null,\"s\":null,\"op\":7,\"d\":null}");
		return;
	}
	if (faults_take(FAULT_BAD_HELLO, UINT32_MAX)) {
		gateway_send_text(g, "{\"t\":null,\"s\":null,\"op\":10,\"d\":{\"heartbeat_interval\":\"soon\"}}");
		return;
	}
	snprintf(text, sizeof(text),
		 "{\"t\":null,\"s\":null,\"op\":10,\"d\":{\"heartbeat_interval\":%llu,"
		 "\"_trace\":[\"[\\\"gateway-sim\\\",{\\\"micros\\\":0.0}]\"]}}",
		 (unsigned long long)options.heartbeat_interval_ms);
	gateway_send_text(g, text);
	g->hello_sent = true;
}

static void accept_websocket(struct exchange *x, struct gateway *g, const char *key)
{
	char head[256], accept[29];
	int n;

	ws_accept_key(accept, key);
	n = snprintf(head, sizeof(head),
		     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		     "Sec-WebSocket-Accept: %s\r\n\r\n",
		     accept);
	g->conn = exchange_take_over(x, &gateway_ops);
	g->conn->gateway = g;
	g->via_resume_url = g->conn->listener == LISTENER_RESUME;
	conn_send(g->conn, head, (size_t)n);
}

void gateway_upgrade(struct exchange *x)
{
	static const char refused[] = "<html><head><title>503 Service Unavailable</title></head></html>";
	const char *key = exchange_header(x, "Sec-WebSocket-Key"),
		   *version = exchange_header(x, "Sec-WebSocket-Version");
	char v[8] = "", encoding[16] = "", compress[24] = "";
	struct gateway *g;

	if (!key || strlen(key) != 24 || !version || strcmp(version, "13") || strcmp(x->method, "GET")) {
		gateway_stats.requests_refused++;
		exchange_reply(x, version && strcmp(version, "13") ? 426 : 400, NULL, NULL, 0);
		return;
	}
	if (faults_take(FAULT_REFUSE_CONNECT, UINT32_MAX)) {
		gateway_stats.requests_refused++;
		x->keep_alive = false;
		exchange_reply(x, 503, "text/html", refused, sizeof(refused) - 1);
		return;
	}
	exchange_query(x, "v", v, sizeof(v));
	exchange_query(x, "encoding", encoding, sizeof(encoding));
	exchange_query(x, "compress", compress, sizeof(compress));
	g = calloc(1, sizeof(*g));
	if (!g) {
		exchange_reply(x, 500, NULL, NULL, 0);
		return;
	}
	if (!scratch.max) {
		buf_init(&scratch, 64 << 20);
		buf_init(&scratch_guild, 64 << 20);
	}
	ws_reader_init(&g->reader, 1 << 16);
	g->connected_ms = g->beat_ms = g->window_ms = mono_ms();
	gateway_stats.connects++;
	g->compress = !strcmp(compress, "zlib-stream")   ? COMPRESS_ZLIB
		      : !strcmp(compress, "zstd-stream") ? COMPRESS_ZSTD
							 : COMPRESS_NONE;
	g->compressor = compressor_new(g->compress,
				       (int)(g->compress == COMPRESS_ZLIB ? options.zlib_level : options.zstd_level));
	accept_websocket(x, g, key);
	if (strcmp(v, "10") && strcmp(v, "9"))
		gateway_close(g, 4012, "Invalid API version.");
	else if ((encoding[0] && strcmp(encoding, "json")) || (compress[0] && !g->compressor))
		gateway_close(g, 4002, "This gateway speaks json, zlib-stream and zstd-stream only.");
	else
		send_hello(g);
	if (!g->closing && g->conn->in.len > 0)
		input(g->conn);
}

/* --- all of them ------------------------------------------------------------------------------------------------- */

struct each {
	uint32_t shard;
	void (*fn)(struct gateway *g, void *arg);
	void *arg;
};

static void each_conn(struct conn *conn, void *arg)
{
	const struct each *each = arg;
	struct gateway *g = conn->gateway;

	if (g && (each->shard == UINT32_MAX || (g->session && g->session->shard == each->shard)))
		each->fn(g, each->arg);
}

void gateway_each(uint32_t shard, void (*fn)(struct gateway *g, void *arg), void *arg)
{
	struct each each = { shard, fn, arg };

	conn_each(each_conn, &each);
}

/* A client whose heartbeats stopped is dead to Discord. */
static void check_beat(struct gateway *g, void *arg)
{
	uint64_t now = *(uint64_t *)arg;

	if (g->closing || !g->hello_sent || g->conn->half_open)
		return;
	if (now < g->beat_ms + options.heartbeat_interval_ms * 2 + 1000)
		return;
	if (g->session)
		session_end(g->session);
	gateway_close(g, 4009, "Session timed out.");
}

void gateway_tick(uint64_t now_ms)
{
	gateway_each(UINT32_MAX, check_beat, &now_ms);
}
