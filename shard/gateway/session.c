/* SPDX-License-Identifier: MIT */
/* The session: its outside, and what comes in on its connection. Run by the worker on its loop. Everything that happens
 * is an event given to one table; an event that is raised while another is worked on waits for it. What comes from the
 * server is counted, and refused where it makes no sense; none of it is trusted and none of it is logged. */
#include "shard/gateway/session_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/kill_point.h"
#include "shared/log/log.h"
#include "shard/gateway/decode.h"
#include "shard/gateway/glimpse.h"

/* READY's list of guilds, decoded: 2500 of them at most, and then some. */
#define READY_ARENA_BYTES (8 * 1024 * 1024)
/* Faster beats than this would break the send limit by themselves. */
#define INTERVAL_MIN_MS 100
#define DENIED_MIN_MS   100
/* Refused events that one connection may have logged. */
#define UNEXPECTED_LOGGED 8
/* Unsent bytes: several payloads of the largest size. */
#define OUTGOING_BYTES (64 * 1024)
/* Held back while waiting for its turn: look again after this. */
#define HELD_RETRY_MS 250

/* --- events ------------------------------------------------------------------------------------------------------ */

static void publish(struct session *session)
{
	enum shard_state state = session_public_states[session_at(session)];

	if (state == session->public_state)
		return;
	session->public_state = state;
	board_shard_set_state(session->board, state);
	if (session->events->state)
		session->events->state(session->arg, state);
}

/* Between the change of state and its action: a timer belongs to the state that set it. */
static void on_step(void *owner, const struct machine_table *table, uint8_t from, uint8_t event, uint8_t to,
		    int accepted)
{
	struct session *session = owner;

	if (from != to)
		timer_stop(&session->timer);
	if (accepted)
		log_debug(NULL, "gateway.step", KV_STR("from", table->state_names[from]),
			  KV_STR("on", table->event_names[event]), KV_STR("to", table->state_names[to]));
	else if (session->unexpected++ < UNEXPECTED_LOGGED)
		log_warn(NULL, "gateway.unexpected", KV_STR("state", table->state_names[from]),
			 KV_STR("on", table->event_names[event]));
}

static void drain(struct session *session)
{
	session->busy = true;
	for (uint32_t i = 0; i < session->queue_len; i++) {
		machine_step(&session->machine, session->queue[i], NULL);
		publish(session);
	}
	session->queue_len = 0;
	session->busy = false;
}

void session_raise(struct session *session, enum session_event event)
{
	/* Its size is more than one callback can raise, so a full queue is a loop of our own making. */
	if (session->queue_len == SESSION_EVENTS_MAX) {
		log_error(NULL, "gateway.events_lost", KV_STR("on", session_table.event_names[event]));
		return;
	}
	session->queue[session->queue_len++] = (uint8_t)event;
	if (!session->busy)
		drain(session);
}

static void on_timer(void *arg)
{
	struct session *session = arg;

	/* Who can't take dispatches needs no connection that brings them. */
	if (session_at(session) == SESSION_BACKOFF && session->held)
		timer_start(&session->timer, HELD_RETRY_MS);
	else if (session_at(session) == SESSION_RESUMING && session->held)
		timer_start(&session->timer, session->options.resume_quiet_ms); /* the silence is ours */
	else
		session_raise(session, SESSION_EV_TIMEOUT);
}

/* --- loss -------------------------------------------------------------------------------------------------------- */

/* When the last dispatch was taken, by the wall clock; 0: none was by this process. */
static int64_t taken_wall_ms(const struct session *session)
{
	if (!session->taken_loop_ms)
		return 0;
	return clock_wall_ms() - (int64_t)(uv_now(&session->loop->uv) - session->taken_loop_ms);
}

static void report_loss(struct session *session, const char *reason, uint64_t from, uint64_t to)
{
	struct session_loss loss = {
		.reason = reason,
		.from_sequence = from,
		.to_sequence = to,
		.from_wall_ms = taken_wall_ms(session),
		.to_wall_ms = clock_wall_ms(),
	};
	char from_text[CLOCK_ISO_SIZE], to_text[CLOCK_ISO_SIZE];

	board_count(session->counters, BOARD_COUNTER_loss_windows, 1);
	log_error(NULL, "gateway.loss_window", KV_STR("reason", reason), KV_U64("from_sequence", from),
		  KV_U64("to_sequence", to),
		  KV_STR("from", loss.from_wall_ms ? clock_format_iso(loss.from_wall_ms, from_text) : "unknown"),
		  KV_STR("to", clock_format_iso(loss.to_wall_ms, to_text)),
		  KV_MSG("events in this window may have been lost"));
	if (session->events->loss_window)
		session->events->loss_window(session->arg, &loss);
}

void session_forget(struct session *session, const char *reason)
{
	uint64_t next = session->sequence + 1;

	if (!session->has_session)
		return;
	session->has_session = false;
	session->record = (struct board_session){ 0 };
	session->sequence = 0;
	session->seen = 0;
	session->resume_failures = 0;
	session->poison_count = 0;
	session->to_base = false;
	board_shard_clear_session(session->board);
	if (!reason)
		return;
	session->lost_wall_ms = clock_wall_ms();
	report_loss(session, reason, next, 0);
}

void session_report_gap(struct session *session)
{
	if (!session->gap_from)
		return;
	report_loss(session, "resume_gap", session->gap_from, session->gap_to);
	session->gap_from = session->gap_to = 0;
}

/* --- sequences --------------------------------------------------------------------------------------------------- */

/* Taken before, on this connection or on one that was resumed? Out of order is not taken before. */
static bool is_repeated(const struct session *session, uint64_t sequence)
{
	uint64_t behind = session->sequence - sequence;

	if (sequence > session->sequence)
		return false;
	return behind >= 64 || session->seen >> behind & 1;
}

static void record_sequence(struct session *session, uint64_t sequence)
{
	uint64_t ahead = sequence - session->sequence;

	if (sequence <= session->sequence) {
		if (session->sequence - sequence < 64)
			session->seen |= 1ULL << (session->sequence - sequence);
		return;
	}
	session->seen = ahead >= 64 ? 0 : session->seen << ahead;
	session->seen |= 1;
	session->sequence = sequence;
	board_shard_set_sequence(session->board, sequence);
}

/* Everything up to @sequence counts as taken. */
static void begin_sequence(struct session *session, uint64_t sequence)
{
	session->sequence = sequence;
	session->seen = ~0ULL;
}

/* A RESUME should bring what comes next without a hole. */
static void watch_gap(struct session *session, uint64_t sequence)
{
	if (sequence <= session->sequence + 1)
		return;
	if (!session->gap_from)
		session->gap_from = session->sequence + 1;
	session->gap_to = sequence - 1;
}

/* --- payloads ---------------------------------------------------------------------------------------------------- */

/* A payload that can't be read. Sizes and reasons are logged, never its bytes. */
static void bad_payload(struct session *session, const char *reason, size_t len, uint16_t code)
{
	board_count(session->counters, BOARD_COUNTER_frames_bad, 1);
	log_warn(NULL, "gateway.bad_payload", KV_STR("reason", reason), KV_U64("bytes", len),
		 KV_U64("sequence", session->sequence),
		 KV_MSG("the payload is refused; reconnecting to have it sent again"));
	session->leave_code = code;
	session->leave_reason = "bad payload";
	session_raise(session, SESSION_EV_BAD);
}

/* So far may an unreadable dispatch's sequence lie ahead to be believed. */
#define UNREAD_AHEAD_MAX 64
#define UNREAD_TEXT_SIZE 96

static void note_taken(struct session *session);

/* A dispatch that comes unreadable for the second time, with the same sequence at the same place, would come so for
 * ever: it is set aside and counted. True: that was done. */
static bool set_aside(struct session *session, const char *payload, size_t len, size_t full_len, const char *reason)
{
	bool resuming = session_at(session) == SESSION_RESUMING;
	struct envelope envelope;
	char text[UNREAD_TEXT_SIZE];

	if (!session->events->unreadable || !session->has_session || !(session_is_live(session) || resuming) ||
	    !glimpse_dispatch(payload, len, &envelope) || envelope.sequence <= session->sequence ||
	    envelope.sequence - session->sequence > UNREAD_AHEAD_MAX)
		return false;
	if (session->unread_at != session->sequence || session->unread_sequence != envelope.sequence) {
		session->unread_at = session->sequence;
		session->unread_sequence = envelope.sequence;
		return false;
	}
	snprintf(text, sizeof(text), "it could not be read: %s", reason);
	if (session->events->unreadable(session->arg, &envelope, payload, len, full_len, text) < 0)
		return false;
	if (resuming)
		timer_start(&session->timer, session->options.resume_quiet_ms);
	record_sequence(session, envelope.sequence);
	session->progress = true;
	note_taken(session);
	return true;
}

static void on_hello(struct session *session, const struct envelope *envelope)
{
	uint32_t interval_ms = 0;

	if (session_at(session) == SESSION_HELLO) {
		if (decode_hello(envelope->d, &interval_ms) < 0 || interval_ms < INTERVAL_MIN_MS) {
			bad_payload(session, "hello", envelope->d.len, CLOSE_CODE_BAD_PAYLOAD);
			return;
		}
		session_beat_start(session, interval_ms);
	}
	session_raise(session, session->has_session ? SESSION_EV_HELLO_KNOWN : SESSION_EV_HELLO_NEW);
}

/* Copies a text of READY that we'll send or connect to. */
static int copy_text(char *text, size_t size, struct shoal_str from)
{
	if (!from.len || from.len >= size)
		return -EBADMSG;
	for (size_t i = 0; i < from.len; i++) {
		if ((unsigned char)from.ptr[i] <= ' ' || (unsigned char)from.ptr[i] >= 0x7F)
			return -EBADMSG;
	}
	memcpy(text, from.ptr, from.len);
	text[from.len] = '\0';
	return 0;
}

static int read_ready(const struct session *session, const struct envelope *envelope, struct arena *arena,
		      struct board_session *ret_record)
{
	struct board_session record = {
		.intents = session->options.intents,
		.compress = session->compress,
		.ready_wall_ms = clock_wall_ms(),
	};
	const struct shoal_ready *ready;
	struct shoal_event event = { 0 };
	int r;

	r = decode_event(SHOAL_EVENT_READY, envelope->d, arena, NULL, &event);
	if (r < 0)
		return r;
	ready = event.data;
	r = copy_text(record.session_id, sizeof(record.session_id), ready->session_id);
	if (r < 0)
		return r;
	/* Without a usable one a RESUME goes to the general URL. */
	if (copy_text(record.resume_url, sizeof(record.resume_url), ready->resume_gateway_url) < 0)
		record.resume_url[0] = '\0';
	record.user_id = ready->user.id;
	record.application_id = ready->application ? ready->application->id : 0;
	*ret_record = record;
	return 0;
}

static void refuse_dispatch(struct session *session, int error)
{
	log_warn(NULL, "gateway.dispatch_not_taken", KV_ERR(error), KV_U64("sequence", session->sequence),
		 KV_MSG("reconnecting, so that Discord sends it again"));
	session->leave_code = CLOSE_CODE_BACKLOG;
	session->leave_reason = "backlog";
	session_raise(session, SESSION_EV_RECONNECT);
}

/* The new session stands on the board only when the worker has taken READY, with its list of guilds: a successor that
 * RESUMEs gets that list from nobody else. */
static void on_ready(struct session *session, const struct envelope *envelope, const char *payload, size_t len)
{
	struct board_session record;
	struct arena arena;
	int r;

	if (session_at(session) != SESSION_IDENTIFYING) {
		session_raise(session, SESSION_EV_DISPATCH_READY);
		return;
	}
	arena_init(&arena, READY_ARENA_BYTES);
	r = read_ready(session, envelope, &arena, &record);
	arena_finish(&arena);
	if (r < 0) {
		bad_payload(session, "ready", len, CLOSE_CODE_BAD_PAYLOAD);
		return;
	}
	/* Raised first: the worker may say within dispatch() that it has all its guilds. */
	session_raise(session, SESSION_EV_DISPATCH_READY);
	r = session->events->dispatch(session->arg, envelope, payload, len);
	if (r < 0) {
		refuse_dispatch(session, r);
		return;
	}
	session->record = record;
	session->has_session = true;
	begin_sequence(session, envelope->sequence);
	board_shard_set_session(session->board, &record, envelope->sequence);
}

static void note_taken(struct session *session)
{
	session->taken_loop_ms = uv_now(&session->loop->uv);
	session_probe_heard(session);
}

/* A dispatch within a session. */
static void take_dispatch(struct session *session, const struct envelope *envelope, const char *payload, size_t len)
{
	bool resuming = session_at(session) == SESSION_RESUMING;
	int r;

	if (resuming)
		timer_start(&session->timer, session->options.resume_quiet_ms);
	if (envelope->has_sequence) {
		/* RESUMED ends a RESUME whatever number it bears. */
		if (envelope->type != SHOAL_EVENT_RESUMED && is_repeated(session, envelope->sequence)) {
			board_count(session->counters, BOARD_COUNTER_events_repeated, 1);
			return;
		}
		if (resuming)
			watch_gap(session, envelope->sequence);
	}
	if (envelope->type == SHOAL_EVENT_RESUMED)
		session_raise(session, SESSION_EV_DISPATCH_RESUMED);
	r = session->events->dispatch(session->arg, envelope, payload, len);
	if (r < 0) {
		refuse_dispatch(session, r);
		return;
	}
	KILL_POINT("before_sequence", shoal_event_name(envelope->type));
	if (envelope->has_sequence)
		record_sequence(session, envelope->sequence);
	session->progress = true;
	note_taken(session);
}

static void on_dispatch(struct session *session, const struct envelope *envelope, const char *payload, size_t len)
{
	board_count(session->counters, BOARD_COUNTER_events_total, 1);
	if (envelope->type == SHOAL_EVENT_READY) {
		on_ready(session, envelope, payload, len);
		note_taken(session);
	} else if (session->has_session && (session_is_live(session) || session_at(session) == SESSION_RESUMING)) {
		take_dispatch(session, envelope, payload, len);
	} else if (session->unexpected++ < UNEXPECTED_LOGGED) {
		log_warn(NULL, "gateway.unexpected", KV_STR("state", machine_state_name(&session->machine)),
			 KV_STR("on", "dispatch without a session"));
	}
}

static void on_payload(struct session *session, const char *payload, size_t len)
{
	struct envelope envelope;
	enum envelope_error error = envelope_scan(payload, len, &envelope);

	board_count(session->counters, BOARD_COUNTER_bytes_payload, len);
	if (error != ENVELOPE_OK) {
		if (!set_aside(session, payload, len, len, envelope_error_name(error)))
			bad_payload(session, envelope_error_name(error), len, CLOSE_CODE_BAD_PAYLOAD);
		return;
	}
	switch (envelope.op) {
	case 0:
		on_dispatch(session, &envelope, payload, len);
		break;
	case 1:
		session_beat_requested(session);
		break;
	case 7:
		session->leave_reason = "reconnect asked for";
		session_raise(session, SESSION_EV_RECONNECT);
		break;
	case 9:
		session->invalid_resumable = decode_invalid_session(envelope.d);
		session_raise(session, SESSION_EV_INVALID);
		break;
	case 10:
		on_hello(session, &envelope);
		break;
	case 11:
		session_beat_acked(session);
		break;
	default:
		board_count(session->counters, BOARD_COUNTER_opcodes_unknown, 1);
	}
}

static void count_wire(struct session *session)
{
	uint64_t bytes = transport_bytes(session->transport);

	board_count(session->counters, BOARD_COUNTER_bytes_wire, bytes - session->wire_bytes);
	session->wire_bytes = bytes;
}

static const char *inflate_reason(int error)
{
	switch (error) {
	case -EMSGSIZE:
		return "too_large";
	case -ENOMEM:
		return "no_memory";
	default:
		return "compression";
	}
}

#define TOO_LARGE_PAYLOAD "larger than gateway.max_payload_kib"
#define TOO_LARGE_FRAME   "larger than gateway.max_frame_kib"

/* The beginning of what grows too large when it is unpacked. The stream is lost with it. */
static void set_aside_large(struct session *session)
{
	const char *bytes;
	size_t len;

	inflater_partial(session->inflater, &bytes, &len);
	if (len > 0)
		set_aside(session, bytes, len, len + 1, TOO_LARGE_PAYLOAD);
}

static void on_oversized(void *arg, const char *bytes, size_t len, bool is_text, size_t full_len)
{
	struct session *session = arg;
	char *payload;
	size_t payload_len;

	session->busy = true;
	if (is_text) {
		set_aside(session, bytes, len, full_len, TOO_LARGE_FRAME);
	} else if (inflater_feed(session->inflater, (char *)(uintptr_t)bytes, len, &payload, &payload_len) >= 0) {
		const char *partial = bytes;

		if (inflater_parameter(session->compress))
			inflater_partial(session->inflater, &partial, &len);
		set_aside(session, partial, len, full_len > len ? full_len : len + 1, TOO_LARGE_FRAME);
	}
	session->busy = false;
	if (session->queue_len)
		drain(session);
}

static void take_message(struct session *session, char *bytes, size_t len, bool is_text)
{
	size_t max = (size_t)session->options.max_payload_kib * 1024;
	char *payload = bytes;
	size_t payload_len = len;
	int r;

	/* Text is never compressed, whatever was agreed. */
	if (is_text)
		r = len <= max ? 1 : -EMSGSIZE;
	else
		r = inflater_feed(session->inflater, bytes, len, &payload, &payload_len);
	if (r == -EMSGSIZE && is_text && set_aside(session, bytes, len, len, TOO_LARGE_PAYLOAD))
		return;
	if (r == -EMSGSIZE && !is_text)
		set_aside_large(session);
	if (r < 0)
		bad_payload(session, inflate_reason(r), len,
			    r == -EMSGSIZE ? CLOSE_CODE_TOO_LARGE : CLOSE_CODE_BAD_PAYLOAD);
	else if (r)
		on_payload(session, payload, payload_len);
}

/* --- the transport's callbacks ----------------------------------------------------------------------------------- */

static void on_message(void *arg, char *bytes, size_t len, bool is_text)
{
	struct session *session = arg;

	count_wire(session);
	session->busy = true;
	take_message(session, bytes, len, is_text);
	session->busy = false;
	if (session->queue_len)
		drain(session);
}

static void on_opened(void *arg)
{
	session_raise(arg, SESSION_EV_OPENED);
}

static void on_closed(void *arg, const struct transport_end *end)
{
	struct session *session = arg;

	session->end = *end;
	session_link_closed(session);
}

static const struct transport_events transport_events = {
	.opened = on_opened,
	.message = on_message,
	.oversized = on_oversized,
	.closed = on_closed,
};

/* --- the outside ------------------------------------------------------------------------------------------------- */

void session_options_from_config(struct session_options *options, const struct config *config)
{
	*options = (struct session_options){
		.token = config->discord_token,
		.override_url = config->discord_gateway_url,
		.ca_file = config->discord_ca_file,
		.compress = config->discord_compress,
		.hello_timeout_ms = config->gateway_hello_timeout_ms,
		.connect_timeout_ms = config->gateway_connect_timeout_ms,
		.zombie_grace_ms = config->gateway_zombie_grace_ms,
		.backoff_floor_ms = config->gateway_backoff_floor_ms,
		.backoff_cap_ms = config->gateway_backoff_cap_ms,
		.resume_attempts = config->gateway_resume_attempts,
		.resume_quiet_ms = config->gateway_resume_quiet_ms,
		.silence_probe_ms = config->gateway_silence_probe_s * 1000,
		.silence_answer_ms = config->gateway_silence_answer_ms,
		.max_frame_kib = config->gateway_max_frame_kib,
		.max_payload_kib = config->gateway_max_payload_kib,
	};
}

static int copy_options(struct session *session, const struct session_options *options)
{
	const char *gateway_url = options->gateway_url ? options->gateway_url : "";

	session->options = *options;
	session->token = strdup(options->token ? options->token : "");
	session->gateway_url = strdup(gateway_url);
	session->override_url = strdup(options->override_url ? options->override_url : "");
	if (options->presence)
		session->presence = strdup(options->presence);
	if (!session->token || !session->gateway_url || !session->override_url ||
	    (options->presence && !session->presence))
		return -ENOMEM;
	/* Nothing is kept of what was only borrowed. */
	session->options.token = session->options.gateway_url = session->options.override_url = NULL;
	session->options.presence = session->options.ca_file = NULL;
	return 0;
}

/* Says which option is impossible. */
static int refuse_option(const char *key, const char *message)
{
	log_error(NULL, "gateway.option", KV_STR("key", key), KV_MSG(message));
	return -EINVAL;
}

static int check_options(struct session *session)
{
	const struct session_options *options = &session->options;
	const char *base = *session->override_url ? session->override_url : session->gateway_url;
	struct url url;
	int r;

	if (url_parse(base, &url) < 0)
		return refuse_option("discord.gateway_url", "the gateway's URL is not of the form wss://host[:port]/");
	session->base_tls = url.tls;
	if (options->compress > CONFIG_COMPRESS_NONE || !options->max_frame_kib || !options->max_payload_kib ||
	    !options->resume_attempts || !options->shard_count || options->shard_id >= options->shard_count)
		return refuse_option("gateway", "a limit of the gateway session is impossible");
	if (!*session->token)
		return refuse_option("discord.token", "there is no token");
	if (session->presence && envelope_validate(session->presence, strlen(session->presence)) != ENVELOPE_OK)
		return refuse_option("presence", "the presence is no JSON");
	r = session_send_check(session);
	if (r == -EMSGSIZE)
		return refuse_option("discord.token", "token and presence do not fit into the 4096 bytes of IDENTIFY");
	return r;
}

static void load_session(struct session *session)
{
	uint64_t sequence = 0;

	if (!board_shard_session(session->board, &session->record, &sequence) || !session->record.session_id[0])
		return;
	session->has_session = true;
	begin_sequence(session, sequence);
	if (session->record.intents != session->options.intents)
		log_warn(NULL, "gateway.intents_differ", KV_U64("session", session->record.intents),
			 KV_U64("wanted", session->options.intents),
			 KV_MSG("the running session keeps its intents; the new ones apply from its next IDENTIFY"));
}

static int set_up(struct session *session, const struct session_options *options)
{
	struct transport_options transport_options = {
		.ca_file = options->ca_file,
		.max_message_bytes = (size_t)options->max_frame_kib * 1024,
		.max_outgoing_bytes = OUTGOING_BYTES,
	};
	int r;

	r = copy_options(session, options);
	if (r < 0)
		return r;
	r = check_options(session);
	if (r < 0)
		return r;
	/* Last, because it can't be undone at once. */
	return transport_new(session->loop, &transport_options, &transport_events, session, &session->transport);
}

int session_new(struct loop *loop, const struct session_options *options, struct board_shard *board,
		const struct session_events *events, void *arg, struct session **ret_session)
{
	struct session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return -ENOMEM;
	session->loop = loop;
	session->board = board;
	session->counters = board_shard_counters(board);
	session->events = events;
	session->arg = arg;
	session->public_state = SHARD_STATE_NONE;
	r = set_up(session, options);
	if (r < 0) {
		session_free(session);
		return r;
	}
	machine_init(&session->machine, &session_table, SESSION_IDLE, session, on_step);
	/* libuv's timers can't fail to be made. */
	timer_init(&session->timer, loop, on_timer, session);
	session_beat_init(session);
	session_send_init(session);
	session_probe_init(session);
	load_session(session);
	*ret_session = session;
	return 0;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	if (session->token)
		explicit_bzero(session->token, strlen(session->token));
	free(session->token);
	free(session->gateway_url);
	free(session->override_url);
	free(session->presence);
	free(session);
}

void session_start(struct session *session)
{
	session_raise(session, SESSION_EV_START);
}

void session_stop(struct session *session, enum session_stop how)
{
	if (session->stopping)
		return;
	session->stopping = true;
	session->stop = how;
	session_raise(session, SESSION_EV_STOP);
}

void session_reconnect(struct session *session)
{
	session->leave_reason = "operator";
	session_raise(session, SESSION_EV_RECONNECT);
}

void session_grant(struct session *session, uint64_t grant_id, uint64_t expires_ms)
{
	session->asked = false;
	session->grant_id = grant_id;
	session->grant_until_ns = clock_monotonic_ns() + expires_ms * NS_PER_MS;
	if (expires_ms)
		session_raise(session, SESSION_EV_GRANTED);
	else
		session_deny(session, DENIED_MIN_MS);
}

void session_deny(struct session *session, uint64_t wait_ms)
{
	session->asked = false;
	session->denied_ms = wait_ms > DENIED_MIN_MS ? wait_ms : DENIED_MIN_MS;
	session_raise(session, wait_ms > SESSION_DENIED_LONG_MS ? SESSION_EV_DENIED_LONG : SESSION_EV_DENIED);
}

void session_mark_ready(struct session *session)
{
	session_raise(session, SESSION_EV_LOADED);
}

void session_hold(struct session *session)
{
	session->held = true;
	transport_pause(session->transport);
}

void session_unhold(struct session *session)
{
	if (!session->held)
		return;
	session->held = false;
	session_beat_forgive(session);
	transport_resume(session->transport);
}

uint64_t session_latency_us(const struct session *session)
{
	return session->latency_us;
}

enum shard_state session_state(const struct session *session)
{
	return session_public_states[session_at(session)];
}

uint64_t session_sequence(const struct session *session)
{
	return session->sequence;
}
