/* SPDX-License-Identifier: MIT */
/* One connection to the gateway, from a URL to messages. Run by the session on its loop. It knows how a connection
 * comes up and how it ended, and nothing of what is said on it. Everything is bounded: time by one deadline, input by
 * the parser's maximum, output by max_outgoing_bytes. It must not call closed() from within a call of its user's. */
#include "shard/gateway/transport.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/buf.h"
#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/log/log.h"
#include "shard/gateway/close_code.h"
#include "shard/gateway/dial.h"
#include "shard/gateway/frame.h"
#include "shard/gateway/tls.h"
#include "shard/gateway/upgrade.h"
#include "shared/discord/url.h"
#include "shard/gateway/wire.h"

/* How long the server may take to see our close frame and close. */
#define CLOSE_TIMEOUT_MS 1000
/* What TLS decrypts into: several records, so that few messages are cut. */
#define PLAIN_BYTES (32 * 1024)
/* Room beyond max_outgoing_bytes for what is not refused: pongs, the close frame, TLS's own bytes. */
#define OUTGOING_RESERVE (16 * 1024)
#define WRITE_STEP_BYTES (16 * 1024)
/* A read that was cut short by transport_pause(): what TLS made of one read is never more. */
#define HELD_MAX (2 * WIRE_READ_BYTES)

enum phase {
	PHASE_IDLE,
	PHASE_DIALING,
	PHASE_TLS,
	PHASE_UPGRADE,
	PHASE_OPEN,
	PHASE_CLOSING,  /* the close frame is on its way out */
	PHASE_DRAINING, /* shut down; what comes is thrown away until the end */
	PHASE_ENDED,    /* closed() is to be called */
};

struct transport {
	struct loop *loop;
	const struct transport_events *events;
	void *arg;
	char *ca_file;
	size_t max_outgoing_bytes;

	enum phase phase;
	struct url url;
	struct transport_end end; /* filled when the end is decided, told when it is there */

	struct dial dial;
	struct wire *wire;
	struct tls_context *tls_context; /* made for the first wss:// */
	struct tls *tls;
	char *plain; /* PLAIN_BYTES, with tls only */
	struct upgrade upgrade;
	struct frame_parser parser;

	struct buf out;   /* bytes for the socket */
	struct buf frame; /* one frame before TLS */
	struct buf held;  /* received, not parsed yet: paused */
	bool paused;
	uint64_t bytes;

	struct timer deadline; /* to be open; then to be closed */
	struct timer later;    /* closed() and what was held come from the loop */
	loop_fn done;
	void *done_arg;
	int closing_handles;
};

static const char *const end_names[TRANSPORT_END_COUNT] = {
	[TRANSPORT_END_LOCAL] = "local",     [TRANSPORT_END_RESOLVE] = "resolve",
	[TRANSPORT_END_REFUSED] = "refused", [TRANSPORT_END_TIMEOUT] = "timeout",
	[TRANSPORT_END_TLS] = "tls",         [TRANSPORT_END_HTTP] = "http",
	[TRANSPORT_END_EOF] = "eof",         [TRANSPORT_END_CLOSE_CODE] = "close_code",
	[TRANSPORT_END_RESET] = "reset",     [TRANSPORT_END_PROTOCOL] = "protocol",
};

const char *transport_end_name(enum transport_end_kind kind)
{
	return (unsigned int)kind < TRANSPORT_END_COUNT ? end_names[kind] : "unknown";
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

/* Says how the connection ended, or is about to. */
static struct transport_end *decide(struct transport *transport, enum transport_end_kind kind, int error)
{
	transport->end = (struct transport_end){
		.kind = kind,
		.error = error,
		.was_open = transport->phase >= PHASE_OPEN,
	};
	return &transport->end;
}

static void forget_connection(struct transport *transport)
{
	timer_stop(&transport->deadline);
	dial_stop(&transport->dial);
	wire_drop(transport->wire);
	transport->tls = tls_free(transport->tls);
	free(transport->plain);
	transport->plain = NULL;
	upgrade_finish(&transport->upgrade);
	frame_parser_reset(&transport->parser);
	buf_finish(&transport->out);
	buf_finish(&transport->frame);
	buf_finish(&transport->held);
}

/* The end is decided and there: closed() follows from the loop. */
static void finish(struct transport *transport)
{
	forget_connection(transport);
	transport->phase = PHASE_ENDED;
	timer_start(&transport->later, 0);
}

static void fail(struct transport *transport, enum transport_end_kind kind, int error, const char *text)
{
	struct transport_end *end = decide(transport, kind, error);

	snprintf(end->text, sizeof(end->text), "%s", text);
	finish(transport);
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

/* Hands frame's bytes to the socket's buffer, through TLS if need be. */
static int push_frame(struct transport *transport)
{
	int r;

	if (transport->tls)
		r = tls_write(transport->tls, transport->frame.data, transport->frame.len);
	else
		r = buf_append(&transport->out, transport->frame.data, transport->frame.len);
	buf_clear(&transport->frame, 0);
	if (!r)
		wire_want_write(transport->wire);
	return r;
}

static int send_frame(struct transport *transport, enum frame_opcode opcode, const void *payload, size_t len)
{
	int r = frame_append(&transport->frame, opcode, payload, len, (uint32_t)random_u64());

	return r < 0 ? r : push_frame(transport);
}

int transport_send(struct transport *transport, const char *text, size_t len)
{
	if (transport->phase != PHASE_OPEN)
		return -ENOTCONN;
	if (transport->out.len + len > transport->max_outgoing_bytes)
		return -ENOBUFS;
	return send_frame(transport, FRAME_TEXT, text, len);
}

/* Begins the closing handshake. The end is decided already. Once our frame is out the server's end is waited for:
 * closing with unread bytes would make the kernel reset the connection, and take the frame with it. */
static void begin_close(struct transport *transport, uint16_t code, const char *reason)
{
	transport->end.close_code = transport->end.kind == TRANSPORT_END_CLOSE_CODE ? transport->end.close_code : code;
	if (frame_append_close(&transport->frame, code, reason, (uint32_t)random_u64()) < 0 ||
	    push_frame(transport) < 0) {
		/* No memory: end without a word, but from the loop, since a message may be in its user's hands. */
		transport->phase = PHASE_DRAINING;
		timer_start(&transport->deadline, 0);
		return;
	}
	transport->phase = PHASE_CLOSING;
	buf_finish(&transport->held);
	wire_set_reading(transport->wire, true);
	timer_start(&transport->deadline, CLOSE_TIMEOUT_MS);
}

void transport_close(struct transport *transport, uint16_t code, const char *reason)
{
	switch (transport->phase) {
	case PHASE_DIALING:
	case PHASE_TLS:
	case PHASE_UPGRADE:
		fail(transport, TRANSPORT_END_LOCAL, 0, reason ? reason : "");
		break;
	case PHASE_OPEN:
		snprintf(decide(transport, TRANSPORT_END_LOCAL, 0)->text, TRANSPORT_TEXT_SIZE, "%s",
			 reason ? reason : "");
		begin_close(transport, code, reason);
		break;
	case PHASE_IDLE:
	case PHASE_CLOSING:
	case PHASE_DRAINING:
	case PHASE_ENDED:
		break;
	}
}

/* The server broke the rules: told by a code that leaves the session resumable. */
static void leave_broken(struct transport *transport)
{
	bool large = transport->parser.error == FRAME_TOO_LARGE;

	snprintf(decide(transport, TRANSPORT_END_PROTOCOL, large ? -EMSGSIZE : -EPROTO)->text, TRANSPORT_TEXT_SIZE,
		 "frame refused: %s", frame_error_name(transport->parser.error));
	begin_close(transport, large ? CLOSE_CODE_TOO_LARGE : CLOSE_CODE_BAD_FRAME, NULL);
}

static void on_writable(void *arg)
{
	struct transport *transport = arg;
	struct buf *out = &transport->out;
	size_t step = out->len < WRITE_STEP_BYTES ? out->len : WRITE_STEP_BYTES;

	if (step && wire_is_flushed(transport->wire)) {
		if (wire_write(transport->wire, out->data, step) < 0) {
			fail(transport, TRANSPORT_END_RESET, -EPIPE, "writing failed");
			return;
		}
		buf_consume(out, step);
	}
	if (out->len || !wire_is_flushed(transport->wire)) {
		wire_want_write(transport->wire);
		return;
	}
	buf_clear(out, 0);
	if (transport->phase != PHASE_CLOSING)
		return;
	wire_shutdown(transport->wire);
	transport->phase = PHASE_DRAINING;
	/* A close that the server began needs no waiting: it has stopped sending and will see our answer. */
	if (transport->end.kind == TRANSPORT_END_CLOSE_CODE)
		finish(transport);
}

/* --- receiving --------------------------------------------------------------------------------------------------- */

/* The server's words, made fit for a log line. */
static void copy_printable(char *text, size_t size, const char *bytes, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++)
		text[n++] = isprint((unsigned char)bytes[i]) ? bytes[i] : '?';
	text[n] = '\0';
}

static void on_close_frame(struct transport *transport, const struct frame *frame)
{
	struct transport_end *end = decide(transport, TRANSPORT_END_CLOSE_CODE, 0);
	uint16_t answer = frame->close_code;

	end->close_code = frame->close_code;
	copy_printable(end->text, sizeof(end->text), frame->bytes, frame->len);
	/* 1000 and 1001 from us would end the session (facts section 5), so they are not echoed. */
	if (answer == 1000 || answer == 1001 || answer == 1005)
		answer = CLOSE_CODE_LEAVE;
	begin_close(transport, answer, NULL);
}

static void on_frame(struct transport *transport, const struct frame *frame)
{
	switch (frame->opcode) {
	case FRAME_TEXT:
	case FRAME_BINARY:
		transport->events->message(transport->arg, frame->bytes, frame->len, frame->opcode == FRAME_TEXT);
		break;
	case FRAME_PING:
		/* A server that pings and does not read gets no more answers than there is room for. */
		if (transport->out.len <= transport->max_outgoing_bytes)
			send_frame(transport, FRAME_PONG, frame->bytes, frame->len);
		break;
	case FRAME_CLOSE:
		on_close_frame(transport, frame);
		break;
	case FRAME_PONG:
	case FRAME_CONTINUATION:
		break;
	}
}

/* Frames out of @bytes until they are used up, the connection is no longer open, or it is paused: then the rest is
 * kept. */
/* Fragments that came before, or else the beginning of its only frame. */
static void tell_oversized(struct transport *transport, const char *bytes, size_t len)
{
	const struct buf *message = &transport->parser.message;
	bool is_text;
	size_t full_len;

	if (transport->parser.error != FRAME_TOO_LARGE || !transport->events->oversized)
		return;
	full_len = frame_oversize(&transport->parser, &is_text);
	if (message->len > 0)
		transport->events->oversized(transport->arg, message->data, message->len, is_text, full_len);
	else if (len > 0)
		transport->events->oversized(transport->arg, bytes, len < full_len ? len : full_len, is_text, full_len);
}

static void take_frames(struct transport *transport, char *bytes, size_t len)
{
	while (transport->phase == PHASE_OPEN && !transport->paused) {
		struct frame frame;
		enum frame_result result = frame_next(&transport->parser, &bytes, &len, &frame);

		if (result == FRAME_MORE)
			return;
		if (result == FRAME_BROKEN) {
			tell_oversized(transport, bytes, len);
			leave_broken(transport);
		} else
			on_frame(transport, &frame);
	}
	if (transport->phase == PHASE_OPEN && len && buf_append(&transport->held, bytes, len) < 0)
		fail(transport, TRANSPORT_END_RESET, -ENOMEM, "out of memory");
}

static void on_upgraded(struct transport *transport)
{
	upgrade_finish(&transport->upgrade);
	timer_stop(&transport->deadline);
	transport->phase = PHASE_OPEN;
	transport->events->opened(transport->arg);
}

static void upgrade_refused(struct transport *transport)
{
	char text[UPGRADE_TEXT_SIZE];
	int status = transport->upgrade.status;

	upgrade_text(&transport->upgrade, text);
	fail(transport, TRANSPORT_END_HTTP, -EPROTO, text);
	transport->end.http_status = status;
}

/* Bytes after TLS. */
static void take_plain(struct transport *transport, char *bytes, size_t len)
{
	transport->bytes += len;
	if (transport->phase == PHASE_UPGRADE) {
		switch (upgrade_feed(&transport->upgrade, &bytes, &len)) {
		case UPGRADE_MORE:
			return;
		case UPGRADE_REFUSED:
			upgrade_refused(transport);
			return;
		case UPGRADE_DONE:
			on_upgraded(transport);
			break;
		}
	}
	if (transport->phase != PHASE_OPEN)
		return;
	if (transport->held.len || transport->paused) {
		if (buf_append(&transport->held, bytes, len) < 0)
			fail(transport, TRANSPORT_END_RESET, -ENOMEM, "out of memory");
		return;
	}
	take_frames(transport, bytes, len);
}

static void request_upgrade(struct transport *transport)
{
	uint8_t nonce[16];
	char agent[64];
	int r;

	random_fill(nonce, sizeof(nonce));
	upgrade_init(&transport->upgrade, nonce);
	snprintf(agent, sizeof(agent), "shoal/%s", shoal_version);
	transport->phase = PHASE_UPGRADE;
	r = upgrade_request(&transport->upgrade, &transport->url, agent, &transport->frame);
	if (!r)
		r = push_frame(transport);
	if (r < 0)
		fail(transport, TRANSPORT_END_RESET, r, "the upgrade request could not be sent");
}

/* 0: go on reading plain bytes. */
static int drive_handshake(struct transport *transport)
{
	int r = tls_handshake(transport->tls);

	if (r < 0) {
		fail(transport, TRANSPORT_END_TLS, r, tls_text(transport->tls));
		return r;
	}
	if (transport->out.len)
		wire_want_write(transport->wire);
	if (!r)
		return -EAGAIN;
	request_upgrade(transport);
	return transport->phase == PHASE_UPGRADE ? 0 : -ECONNRESET;
}

static bool is_receiving(const struct transport *transport)
{
	return transport->phase == PHASE_UPGRADE || transport->phase == PHASE_OPEN;
}

/* As many records as fit, so that a message is seldom cut where a record ends. */
static int fill_plain(struct transport *transport, size_t *ret_len)
{
	size_t len = 0;
	int n = 0;

	while (len < PLAIN_BYTES) {
		n = tls_read(transport->tls, transport->plain + len, PLAIN_BYTES - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return n;
}

static void take_cipher(struct transport *transport, char *bytes, size_t len)
{
	int n = 1;

	tls_input(transport->tls, bytes, len);
	if (transport->phase == PHASE_TLS && drive_handshake(transport) < 0)
		return;
	while (n > 0 && is_receiving(transport)) {
		size_t plain_len;

		n = fill_plain(transport, &plain_len);
		if (plain_len)
			take_plain(transport, transport->plain, plain_len);
		if (n == -EPIPE && is_receiving(transport))
			fail(transport, TRANSPORT_END_EOF, 0, "the server ended TLS without a close frame");
		else if (n < 0 && is_receiving(transport))
			fail(transport, TRANSPORT_END_TLS, n, tls_text(transport->tls));
	}
	/* A new key of TLS 1.3 is answered within a read. */
	if (transport->tls && transport->out.len)
		wire_want_write(transport->wire);
}

static void on_received(void *arg, char *bytes, size_t len)
{
	struct transport *transport = arg;

	if (transport->phase == PHASE_CLOSING || transport->phase == PHASE_DRAINING)
		return;
	if (transport->tls)
		take_cipher(transport, bytes, len);
	else
		take_plain(transport, bytes, len);
}

static void on_wire_closed(void *arg, int error)
{
	struct transport *transport = arg;
	enum transport_end_kind kind = error ? TRANSPORT_END_RESET : TRANSPORT_END_EOF;

	switch (transport->phase) {
	case PHASE_CLOSING:
	case PHASE_DRAINING:
		finish(transport); /* decided before */
		break;
	case PHASE_TLS:
		fail(transport, TRANSPORT_END_TLS, error, "the server hung up during the TLS handshake");
		break;
	case PHASE_UPGRADE:
		if (upgrade_has_status(&transport->upgrade))
			upgrade_refused(transport);
		else
			fail(transport, kind, error, "the server hung up before it answered the upgrade");
		break;
	case PHASE_OPEN:
		fail(transport, kind, error,
		     error ? "the connection was reset" : "the server hung up without a close frame");
		break;
	case PHASE_IDLE:
	case PHASE_DIALING:
	case PHASE_ENDED:
		break;
	}
}

/* --- coming up --------------------------------------------------------------------------------------------------- */

static void on_dialed(void *arg, int fd, enum dial_stage stage, int error)
{
	struct transport *transport = arg;
	char text[TRANSPORT_TEXT_SIZE];

	if (fd < 0) {
		bool resolving = stage == DIAL_RESOLVING;

		snprintf(text, sizeof(text), "%s %.128s: %s", resolving ? "can't resolve" : "can't connect to",
			 transport->url.host, uv_strerror(error));
		fail(transport, resolving ? TRANSPORT_END_RESOLVE : TRANSPORT_END_REFUSED, error, text);
		return;
	}
	error = wire_adopt(transport->wire, fd);
	if (error < 0) {
		fail(transport, TRANSPORT_END_RESET, error, "libwebsockets did not take the socket");
		return;
	}
	if (!transport->url.tls) {
		request_upgrade(transport);
		return;
	}
	transport->phase = PHASE_TLS;
	drive_handshake(transport);
}

static void on_deadline(void *arg)
{
	static const char *const texts[] = {
		[PHASE_DIALING] = "no connection in time",
		[PHASE_TLS] = "the TLS handshake took too long",
		[PHASE_UPGRADE] = "no answer to the upgrade in time",
	};
	struct transport *transport = arg;

	if (transport->phase == PHASE_CLOSING || transport->phase == PHASE_DRAINING)
		finish(transport);
	else if (transport->phase == PHASE_UPGRADE && upgrade_has_status(&transport->upgrade))
		upgrade_refused(transport);
	else if (transport->phase < ARRAY_SIZE(texts) && texts[transport->phase])
		fail(transport, TRANSPORT_END_TIMEOUT, -ETIMEDOUT, texts[transport->phase]);
}

static void take_held(struct transport *transport)
{
	struct buf held = transport->held;

	if (transport->paused || transport->phase != PHASE_OPEN)
		return;
	buf_init(&transport->held, HELD_MAX);
	take_frames(transport, held.data, held.len);
	buf_finish(&held);
	if (transport->phase == PHASE_OPEN && !transport->paused)
		wire_set_reading(transport->wire, true);
}

static void on_later(void *arg)
{
	struct transport *transport = arg;

	if (transport->phase == PHASE_ENDED) {
		struct transport_end end = transport->end;

		transport->phase = PHASE_IDLE;
		transport->events->closed(transport->arg, &end);
	} else {
		take_held(transport);
	}
}

/* What wss:// needs. */
static int prepare_tls(struct transport *transport)
{
	char text[TLS_TEXT_SIZE];
	int r;

	if (!transport->tls_context) {
		r = tls_context_new(transport->ca_file, &transport->tls_context, text);
		if (r < 0) {
			log_error(NULL, "gateway.tls_setup", KV_STR("file", transport->ca_file), KV_MSG(text));
			return r == -EINVAL ? -ENOENT : r;
		}
	}
	transport->plain = malloc(PLAIN_BYTES);
	if (!transport->plain)
		return -ENOMEM;
	r = tls_new(transport->tls_context, transport->url.host, &transport->out, &transport->tls);
	if (r < 0) {
		free(transport->plain);
		transport->plain = NULL;
	}
	return r;
}

int transport_open(struct transport *transport, const char *url, uint64_t timeout_ms)
{
	int r;

	if (transport->phase != PHASE_IDLE)
		return -EBUSY;
	r = url_parse(url, &transport->url);
	if (r < 0)
		return -EINVAL;
	if (transport->url.tls) {
		r = prepare_tls(transport);
		if (r < 0)
			return r;
	}
	transport->paused = false;
	r = dial_start(&transport->dial, transport->url.host, transport->url.port, timeout_ms);
	if (r < 0) {
		forget_connection(transport);
		return r;
	}
	transport->phase = PHASE_DIALING;
	timer_start(&transport->deadline, timeout_ms);
	return 0;
}

void transport_pause(struct transport *transport)
{
	if (transport->phase != PHASE_OPEN)
		return;
	transport->paused = true;
	wire_set_reading(transport->wire, false);
}

void transport_resume(struct transport *transport)
{
	if (!transport->paused)
		return;
	transport->paused = false;
	if (transport->phase == PHASE_OPEN)
		timer_start(&transport->later, 0);
}

uint64_t transport_bytes(const struct transport *transport)
{
	return transport->bytes;
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static const struct wire_events wire_events = {
	.received = on_received,
	.writable = on_writable,
	.closed = on_wire_closed,
};

static void transport_free(struct transport *transport)
{
	tls_context_free(transport->tls_context);
	free(transport->ca_file);
	free(transport);
}

static int set_up(struct transport *transport, const struct transport_options *options)
{
	transport->ca_file = strdup(options->ca_file ? options->ca_file : "");
	if (!transport->ca_file)
		return -ENOMEM;
	transport->max_outgoing_bytes = options->max_outgoing_bytes;
	frame_parser_init(&transport->parser, options->max_message_bytes);
	buf_init(&transport->out, options->max_outgoing_bytes * 2 + OUTGOING_RESERVE);
	buf_init(&transport->frame, options->max_outgoing_bytes + OUTGOING_RESERVE);
	buf_init(&transport->held, HELD_MAX);
	return wire_new(transport->loop, &wire_events, transport, &transport->wire);
}

int transport_new(struct loop *loop, const struct transport_options *options, const struct transport_events *events,
		  void *arg, struct transport **ret_transport)
{
	struct transport *transport = calloc(1, sizeof(*transport));
	int r;

	if (!transport)
		return -ENOMEM;
	transport->loop = loop;
	transport->events = events;
	transport->arg = arg;
	r = set_up(transport, options);
	if (r < 0) {
		transport_free(transport);
		return r;
	}
	/* libuv's timers can't fail to be made. */
	dial_init(&transport->dial, loop, on_dialed, transport);
	timer_init(&transport->deadline, loop, on_deadline, transport);
	timer_init(&transport->later, loop, on_later, transport);
	*ret_transport = transport;
	return 0;
}

static void on_handle_closed(void *arg)
{
	struct transport *transport = arg;
	loop_fn done = transport->done;
	void *done_arg = transport->done_arg;

	if (--transport->closing_handles)
		return;
	transport_free(transport);
	if (done)
		done(done_arg);
}

/* Dial's timer has the dial for its argument. */
static void on_dial_closed(void *arg)
{
	on_handle_closed(CONTAINER_OF((struct dial *)arg, struct transport, dial));
}

void transport_destroy(struct transport *transport, loop_fn done, void *arg)
{
	transport->done = done;
	transport->done_arg = arg;
	forget_connection(transport);
	transport->phase = PHASE_IDLE;
	transport->closing_handles = 4;
	dial_close(&transport->dial, on_dial_closed);
	timer_close(&transport->deadline, on_handle_closed);
	timer_close(&transport->later, on_handle_closed);
	wire_destroy(transport->wire, on_handle_closed, transport);
}
