/* SPDX-License-Identifier: MIT */
/* What the session sends: IDENTIFY and RESUME, and the worker's payloads one by one as Discord's limits allow. Run by
 * the session; it must never pass 4096 bytes or 120 payloads a minute, whatever it is asked for. */
#include "shard/gateway/session_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

/* The socket's buffer was full: time for it to empty. */
#define RETRY_MS 50

/* Which opcodes a worker may send, and under which limit (facts section 4). */
static const struct {
	int op;
	enum limiter_kind kind;
} sendable[] = {
	{ 3, LIMITER_PRESENCE },
	{ 8, LIMITER_COMMON },
	{ 31, LIMITER_COMMON },
	{ 43, LIMITER_COMMON },
};

int session_send_now(struct session *session, enum limiter_kind kind, const char *text, size_t len)
{
	int r = transport_send(session->transport, text, len);

	if (!r)
		limiter_take(&session->limiter, kind, clock_monotonic_ns());
	return r;
}

/* --- IDENTIFY and RESUME ----------------------------------------------------------------------------------------- */

static int append_json_string(struct buf *out, const char *text)
{
	int r = buf_append_char(out, '"');

	for (; !r && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			r = buf_printf(out, "\\%c", c);
		else if (c < ' ')
			r = buf_printf(out, "\\u%04x", c);
		else
			r = buf_append_char(out, (char)c);
	}
	return r ? r : buf_append_char(out, '"');
}

static int build_identify(const struct session *session, struct buf *out)
{
	const struct session_options *options = &session->options;
	int r;

	r = buf_append_str(out, "{\"op\":2,\"d\":{\"token\":");
	if (!r)
		r = append_json_string(out, session->token);
	if (!r)
		r = buf_printf(out,
			       ",\"properties\":{\"os\":\"linux\",\"browser\":\"shoal\",\"device\":\"shoal\"},"
			       "\"intents\":%" PRIu32 ",\"shard\":[%" PRIu32 ",%" PRIu32 "]",
			       options->intents, options->shard_id, options->shard_count);
	if (!r && session->presence)
		r = buf_printf(out, ",\"presence\":%s", session->presence);
	return r ? r : buf_append_str(out, "}}");
}

static int build_resume(const struct session *session, struct buf *out)
{
	int r;

	r = buf_append_str(out, "{\"op\":6,\"d\":{\"token\":");
	if (!r)
		r = append_json_string(out, session->token);
	if (!r)
		r = buf_append_str(out, ",\"session_id\":");
	if (!r)
		r = append_json_string(out, session->record.session_id);
	return r ? r : buf_printf(out, ",\"seq\":%" PRIu64 "}}", session->sequence);
}

/* @build's payload, sent unless @dry. The copy of the token is wiped. */
static int build_and_send(struct session *session, int (*build)(const struct session *session, struct buf *out),
			  bool dry)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	int r;

	buf_init(&out, SESSION_SEND_MAX);
	r = build(session, &out);
	if (r == -ENOBUFS)
		r = -EMSGSIZE;
	if (!r && !dry)
		r = session_send_now(session, LIMITER_HEARTBEAT, out.data, out.len);
	if (out.data)
		explicit_bzero(out.data, out.len);
	return r;
}

int session_send_identify(struct session *session)
{
	return build_and_send(session, build_identify, false);
}

int session_send_resume(struct session *session)
{
	return build_and_send(session, build_resume, false);
}

int session_send_check(struct session *session)
{
	return build_and_send(session, build_identify, true);
}

/* --- the queue --------------------------------------------------------------------------------------------------- */

static struct session_outgoing *outgoing_at(struct session *session, uint32_t index)
{
	return &session->outgoing[(session->outgoing_first + index) % SESSION_QUEUE_MAX];
}

static void drop_first(struct session *session)
{
	struct session_outgoing *first = outgoing_at(session, 0);

	free(first->text);
	*first = (struct session_outgoing){ 0 };
	session->outgoing_first = (session->outgoing_first + 1) % SESSION_QUEUE_MAX;
	session->outgoing_count--;
}

/* Makes it wait: the first time it does, it is counted. */
static void wait_for(struct session *session, struct session_outgoing *first, uint64_t wait_ns)
{
	if (!first->counted)
		board_count(session->counters, BOARD_COUNTER_sends_limited, 1);
	first->counted = true;
	timer_start(&session->pump, wait_ns / NS_PER_MS + 1);
}

/* In order: a presence that has to wait holds up what stands behind it for 20 s at most. */
void session_send_pump(struct session *session)
{
	while (session->outgoing_count && session_is_live(session)) {
		struct session_outgoing *first = outgoing_at(session, 0);
		uint64_t wait = limiter_wait(&session->limiter, first->kind, clock_monotonic_ns());
		int r;

		if (wait) {
			wait_for(session, first, wait);
			return;
		}
		r = session_send_now(session, first->kind, first->text, first->len);
		if (r < 0) {
			timer_start(&session->pump, RETRY_MS);
			return;
		}
		drop_first(session);
	}
}

static void on_pump(void *arg)
{
	session_send_pump(arg);
}

int session_send_init(struct session *session)
{
	return timer_init(&session->pump, session->loop, on_pump, session);
}

void session_send_stop(struct session *session)
{
	timer_stop(&session->pump);
	limiter_reset(&session->limiter);
}

void session_send_finish(struct session *session)
{
	while (session->outgoing_count)
		drop_first(session);
}

static int find_kind(int op, enum limiter_kind *ret_kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(sendable); i++) {
		if (sendable[i].op == op) {
			*ret_kind = sendable[i].kind;
			return 0;
		}
	}
	return -EINVAL;
}

/* The place of a presence that waits still, or a new one at the end. NULL: all places are taken. */
static struct session_outgoing *find_place(struct session *session, enum limiter_kind kind)
{
	if (kind == LIMITER_PRESENCE) {
		for (uint32_t i = 0; i < session->outgoing_count; i++) {
			if (outgoing_at(session, i)->kind == kind)
				return outgoing_at(session, i);
		}
	}
	if (session->outgoing_count == SESSION_QUEUE_MAX)
		return NULL;
	return outgoing_at(session, session->outgoing_count++);
}

/* The presence that later IDENTIFYs carry. One that would make IDENTIFY too long is left out of it. */
static void keep_presence(struct session *session, const char *d, size_t len)
{
	char *presence = strndup(d, len), *before = session->presence;

	if (!presence)
		return;
	session->presence = presence;
	if (session_send_check(session) < 0) {
		log_warn(NULL, "gateway.presence_too_long", KV_U64("bytes", len),
			 KV_MSG("the presence is set now, but will be missing after a new IDENTIFY"));
		session->presence = NULL;
		free(presence);
	}
	free(before);
}

int session_send(struct session *session, int op, const char *d, size_t len)
{
	CLEANUP(buf_finish) struct buf text = { 0 };
	struct session_outgoing *place;
	enum limiter_kind kind;

	if (session->stopping)
		return -ESHUTDOWN;
	if (find_kind(op, &kind) < 0 || envelope_validate(d, len) != ENVELOPE_OK)
		return -EINVAL;
	buf_init(&text, SESSION_SEND_MAX);
	if (len > SESSION_SEND_MAX || buf_printf(&text, "{\"op\":%d,\"d\":", op) < 0 || buf_append(&text, d, len) < 0 ||
	    buf_append_char(&text, '}') < 0)
		return -EMSGSIZE;
	place = find_place(session, kind);
	if (!place)
		return -ENOBUFS;
	free(place->text);
	/* One that takes the place of a waiting one waits in its stead. */
	*place = (struct session_outgoing){
		.text = TAKE(text.data), .len = text.len, .kind = kind, .counted = place->counted
	};
	if (kind == LIMITER_PRESENCE)
		keep_presence(session, d, len);
	session_send_pump(session);
	return 0;
}
