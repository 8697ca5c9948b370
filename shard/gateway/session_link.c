/* SPDX-License-Identifier: MIT */
/* The actions of the session's table: connecting, identifying, resuming, leaving, waiting. Each runs within
 * machine_step(), so further events are only queued here. Must never IDENTIFY without a grant, and never forget a
 * session without saying that something may be lost. */
#include "shard/gateway/session_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/log/log.h"

/* Delay of the @attempts-th try: none to speak of after a stable connection, then doubling, always spread out. */
static uint64_t back_off_ms(const struct session *session)
{
	uint64_t floor = session->options.backoff_floor_ms, cap = session->options.backoff_cap_ms, delay;
	uint32_t attempts = session->attempts;

	if (session->has_session && session->live_since_ns && attempts > SESSION_LIVE_ATTEMPTS)
		attempts = SESSION_LIVE_ATTEMPTS;
	if (!attempts)
		return random_below(floor / 2 + 1);
	delay = attempts > 20 ? cap : floor << (attempts - 1);
	if (delay > cap)
		delay = cap;
	return delay / 2 + random_below(delay + 1);
}

/* --- connecting -------------------------------------------------------------------------------------------------- */

/* Where a RESUME goes. The session's own URL, unless it is of no use or has just failed us. */
static int resume_url(struct session *session, char url[URL_SIZE])
{
	const char *parameter = inflater_parameter(session->compress);
	struct url own;
	int r;

	if (session->to_base || !session->record.resume_url[0])
		return -ENOENT;
	r = url_parse(session->record.resume_url, &own);
	if (!r && session->base_tls && !own.tls && !*session->override_url)
		r = -EPERM; /* the token is not sent in the clear because a URL says so */
	if (!r)
		r = url_gateway(session->record.resume_url, session->override_url, parameter, url, URL_SIZE);
	if (r < 0)
		log_warn(NULL, "gateway.resume_url_refused", KV_ERR(r),
			 KV_MSG("resume_gateway_url is no usable URL; resuming at the gateway's general URL"));
	return r;
}

static int choose_url(struct session *session, char url[URL_SIZE])
{
	const char *base = *session->override_url ? session->override_url : session->gateway_url;

	if (session->has_session && !resume_url(session, url))
		return 0;
	return url_gateway(base, NULL, inflater_parameter(session->compress), url, URL_SIZE);
}

static void reset_connection(struct session *session)
{
	session->connected = false;
	session->resuming = false;
	session->progress = false;
	session->live_since_ns = 0;
	session->unexpected = 0;
	session->gap_from = session->gap_to = 0;
	session->leave_code = 0;
	session->leave_reason = NULL;
	session->end = (struct transport_end){ .kind = TRANSPORT_END_LOCAL };
	limiter_reset(&session->limiter);
}

static int dial(struct session *session)
{
	char url[URL_SIZE];
	int r;

	/* A session goes on with the compression that it was opened with (facts section 5: the same query). */
	session->compress = session->options.compress;
	if (session->has_session && session->record.compress <= CONFIG_COMPRESS_NONE)
		session->compress = session->record.compress;
	r = choose_url(session, url);
	if (r < 0)
		return r;
	session->inflater = inflater_free(session->inflater);
	r = inflater_new(session->compress, (size_t)session->options.max_payload_kib * 1024, &session->inflater);
	if (r < 0)
		return r;
	log_debug(NULL, "gateway.connecting", KV_STR("url", url), KV_BOOL("resume", session->has_session));
	return transport_open(session->transport, url, session->options.connect_timeout_ms);
}

void session_act_dial(void *owner, const void *data)
{
	struct session *session = owner;
	int r;

	(void)data;
	reset_connection(session);
	r = dial(session);
	if (!r)
		return;
	if (r == -ENOENT) {
		session->fatal_code = EXIT_CODE_CONFIG;
		session->fatal_close_code = 0;
		snprintf(session->fatal_text, sizeof(session->fatal_text), "discord.ca_file can't be used");
		session_raise(session, SESSION_EV_FATAL);
		return;
	}
	session->end = (struct transport_end){ .kind = TRANSPORT_END_REFUSED, .error = r };
	snprintf(session->end.text, sizeof(session->end.text), "can't begin to connect: %s", error_text(r));
	session_link_closed(session);
}

void session_act_await_hello(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	session->connected = true;
	timer_start(&session->timer, session->options.hello_timeout_ms);
}

/* --- identifying ------------------------------------------------------------------------------------------------- */

void session_act_ask(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	if (session->grant_until_ns > clock_monotonic_ns()) {
		session_raise(session, SESSION_EV_GRANTED);
		return;
	}
	session->grant_until_ns = 0;
	if (session->asked)
		return; /* the answer to an earlier connection's question will do */
	session->asked = true;
	session->events->request_identify(session->arg);
}

void session_act_ask_later(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	timer_start(&session->timer, session->denied_ms);
}

/* Something could not be sent: the connection is of no use. */
static void leave_unsent(struct session *session, const char *what, int error)
{
	log_warn(NULL, "gateway.unsent", KV_STR("what", what), KV_ERR(error));
	session->leave_reason = "unsent";
	session_raise(session, SESSION_EV_RECONNECT);
}

/* A hold outlives the connection that it began on; from here on dispatches may come. */
static void stay_held(struct session *session)
{
	if (session->held)
		transport_pause(session->transport);
}

void session_act_identify(void *owner, const void *data)
{
	struct session *session = owner;
	int r;

	(void)data;
	timer_stop(&session->timer);
	session->grant_until_ns = 0;
	r = session_send_identify(session);
	if (r < 0) {
		leave_unsent(session, "identify", r);
		return;
	}
	board_count(session->counters, BOARD_COUNTER_identifies, 1);
	log_info(NULL, "gateway.identify", KV_U64("grant", session->grant_id));
	stay_held(session);
	session->events->identified(session->arg, session->grant_id);
}

void session_act_established(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	session->live_since_ns = clock_monotonic_ns();
	session->resume_failures = 0;
	session->to_base = false;
	if (session->lost_wall_ms) {
		log_warn(NULL, "gateway.loss_window_closed",
			 KV_MS("length", (uint64_t)(clock_wall_ms() - session->lost_wall_ms)),
			 KV_MSG("a new session is up; what happened in between is not known"));
		session->lost_wall_ms = 0;
	}
	log_info(NULL, "gateway.session", KV_STR("how", "identified"));
	session_probe_start(session);
	session_beat_requested(session); /* early beats are allowed, and this one tells the latency */
	session_send_pump(session);
}

void session_act_loaded(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	log_info(NULL, "gateway.ready", KV_U64("sequence", session->sequence));
}

/* --- resuming ---------------------------------------------------------------------------------------------------- */

void session_act_resume(void *owner, const void *data)
{
	struct session *session = owner;
	int r;

	(void)data;
	session->resuming = true;
	r = session_send_resume(session);
	if (r < 0) {
		leave_unsent(session, "resume", r);
		return;
	}
	log_info(NULL, "gateway.resume", KV_U64("sequence", session->sequence));
	timer_start(&session->timer, session->options.resume_quiet_ms);
	stay_held(session);
}

void session_act_resumed(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	session->resuming = false;
	session->live_since_ns = clock_monotonic_ns();
	session->resume_failures = 0;
	session->to_base = false;
	if (session->attempts > SESSION_LIVE_ATTEMPTS)
		session->attempts = SESSION_LIVE_ATTEMPTS;
	board_count(session->counters, BOARD_COUNTER_resumes, 1);
	session_report_gap(session);
	log_info(NULL, "gateway.session", KV_STR("how", "resumed"), KV_U64("sequence", session->sequence));
	session_probe_start(session);
	session_beat_requested(session);
	session_send_pump(session);
}

/* A RESUME that a gateway took and that brought nothing. */
static void resume_failed(struct session *session)
{
	session->resuming = false;
	board_count(session->counters, BOARD_COUNTER_resumes_refused, 1);
	if (++session->resume_failures >= session->options.resume_attempts)
		session_forget(session, "resume_given_up");
}

/* --- leaving ----------------------------------------------------------------------------------------------------- */

void session_act_leave(void *owner, const void *data)
{
	struct session *session = owner;
	uint16_t code = session->leave_code ? session->leave_code : CLOSE_CODE_LEAVE;

	(void)data;
	transport_close(session->transport, code, session->leave_reason);
}

void session_act_leave_invalid(void *owner, const void *data)
{
	struct session *session = owner;
	bool resumable = session->invalid_resumable;

	(void)data;
	log_warn(NULL, "gateway.invalid_session", KV_BOOL("resumable", resumable),
		 KV_BOOL("while_resuming", session->resuming));
	session->wait_ms = SESSION_INVALID_WAIT_MIN_MS + random_below(SESSION_INVALID_WAIT_SPREAD_MS + 1);
	if (session->resuming && !resumable)
		board_count(session->counters, BOARD_COUNTER_resumes_refused, 1);
	else if (session->resuming)
		resume_failed(session);
	if (!resumable)
		session_forget(session, "invalid_session");
	transport_close(session->transport, CLOSE_CODE_LEAVE, "invalid session");
}

void session_act_leave_zombie(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	board_count(session->counters, BOARD_COUNTER_zombies, 1);
	log_warn(NULL, "gateway.zombie", KV_MS("interval", session->interval_ms),
		 KV_MSG("a heartbeat was not acknowledged: the link is taken for dead"));
	transport_close(session->transport, CLOSE_CODE_ZOMBIE, "no heartbeat ack");
}

void session_act_leave_silent(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	board_count(session->counters, BOARD_COUNTER_silences, 1);
	log_warn(NULL, "gateway.silent", KV_MS("silence", (clock_monotonic_ns() - session->heard_ns) / NS_PER_MS),
		 KV_MSG("heartbeats are acknowledged but nothing is delivered, not even what was asked for: "
			"resuming on a new connection"));
	transport_close(session->transport, CLOSE_CODE_ZOMBIE, "silent");
}

/* The same place of the stream being unreadable again and again, a RESUME brings it up for ever. */
static void note_poison(struct session *session)
{
	if (!session->has_session)
		return;
	if (session->poison_count && session->poison_sequence == session->sequence)
		session->poison_count++;
	else
		session->poison_count = 1;
	session->poison_sequence = session->sequence;
	if (session->poison_count < SESSION_POISON_MAX)
		return;
	session->resuming = false;
	session_forget(session, "bad_payload");
}

void session_act_leave_bad(void *owner, const void *data)
{
	struct session *session = owner;
	uint16_t code = session->leave_code ? session->leave_code : CLOSE_CODE_BAD_PAYLOAD;

	(void)data;
	note_poison(session);
	transport_close(session->transport, code, session->leave_reason);
}

void session_act_leave_timeout(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	/* A gateway that is silent from the start may be dead for good. */
	if (!session->resuming && session->has_session)
		session->to_base = !session->to_base;
	log_warn(NULL, "gateway.timeout", KV_STR("waited_for", session->resuming ? "RESUMED" : "HELLO"));
	transport_close(session->transport, CLOSE_CODE_TIMEOUT, "timeout");
}

void session_act_leave_denied(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	log_info(NULL, "gateway.identify_denied", KV_MS("wait", session->denied_ms));
	session->wait_ms = session->denied_ms;
	transport_close(session->transport, CLOSE_CODE_LEAVE, "waiting to identify");
}

/* --- after the connection ---------------------------------------------------------------------------------------- */

/* Says how it ended, once, here. */
static void log_end(const struct session *session)
{
	const struct transport_end *end = &session->end;
	bool fatal =
		end->kind == TRANSPORT_END_CLOSE_CODE && close_code_find(end->close_code)->action == CLOSE_ACTION_FATAL;
	/* A fatal one is told once for the whole fleet, by the supervisor. */
	enum log_level level = end->kind == TRANSPORT_END_LOCAL || fatal ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
	const struct log_field fields[] = {
		KV_STR("kind", transport_end_name(end->kind)),
		KV_INT("close_code", end->close_code),
		KV_INT("http_status", end->http_status),
		KV_BOOL("was_open", end->was_open),
		KV_STR("text", end->text),
	};

	if (level >= log_get_level())
		log_write(level, NULL, "gateway.closed", fields, sizeof(fields) / sizeof(fields[0]));
}

static void set_fatal(struct session *session, const struct close_code_row *row)
{
	session->fatal_code = row->exit_code;
	session->fatal_close_code = row->code;
	snprintf(session->fatal_text, sizeof(session->fatal_text), "gateway close code %u (%s): %s", row->code,
		 row->name, row->text);
}

#define PAUSE_REMEMBERED_NS (600 * NS_PER_S)
#define PAUSE_MAX_MS        60000ULL

/* The first costs a moment; each further one within ten minutes of the last twice as much as that. */
static uint64_t pause_of(struct session *session, const struct close_code_row *row)
{
	uint64_t now_ns = clock_monotonic_ns(), pause_ms = row->pause_ms;

	if (pause_ms == 0)
		return 0;
	if (session->paused_ns && now_ns - session->paused_ns < PAUSE_REMEMBERED_NS && session->pause_ms >= pause_ms)
		pause_ms = 2 * session->pause_ms < PAUSE_MAX_MS ? 2 * session->pause_ms : PAUSE_MAX_MS;
	session->paused_ns = now_ns;
	session->pause_ms = pause_ms;
	return pause_ms;
}

/* What the server's close code asks for. */
static enum session_event judge_close_code(struct session *session)
{
	const struct close_code_row *row = close_code_find(session->end.close_code);
	uint64_t pause_ms = pause_of(session, row);

	if (row->our_fault)
		log_error(NULL, "gateway.close_code", KV_INT("close_code", session->end.close_code),
			  KV_STR("name", row->name), KV_MSG(row->text));
	if (pause_ms > session->wait_ms)
		session->wait_ms = pause_ms;
	switch (row->action) {
	case CLOSE_ACTION_IDENTIFY:
		session_forget(session, row->name);
		return SESSION_EV_CLOSED;
	case CLOSE_ACTION_FATAL:
		set_fatal(session, row);
		return SESSION_EV_FATAL;
	case CLOSE_ACTION_RESUME:
	case CLOSE_ACTION_COUNT:
		break;
	}
	return SESSION_EV_CLOSED;
}

static void count_end(struct session *session, bool had_hello)
{
	if (session->connected)
		board_count(session->counters, BOARD_COUNTER_reconnects, 1);
	if (session->live_since_ns && clock_monotonic_ns() - session->live_since_ns >= SESSION_STABLE_NS)
		session->attempts = 0;
	if (session->end.kind == TRANSPORT_END_PROTOCOL) {
		board_count(session->counters, BOARD_COUNTER_frames_bad, 1);
		note_poison(session);
	}
	/* Nobody there who could take a RESUME: the next one goes to the other URL, since either may be dead for good.
	 */
	if (!had_hello && session->has_session && session->end.kind != TRANSPORT_END_LOCAL)
		session->to_base = !session->to_base;
}

void session_link_closed(struct session *session)
{
	enum session_event event = SESSION_EV_CLOSED;
	bool had_hello = session->interval_ms > 0;

	timer_stop(&session->timer);
	session_beat_stop(session);
	session_probe_stop(session);
	session_send_stop(session);
	session->inflater = inflater_free(session->inflater);
	log_end(session);
	count_end(session, had_hello);
	session_report_gap(session);
	if (session->end.kind == TRANSPORT_END_CLOSE_CODE)
		event = judge_close_code(session);
	if (session->resuming && !session->progress && session->has_session && !session->stopping)
		resume_failed(session);
	session_raise(session, event);
}

void session_act_back_off(void *owner, const void *data)
{
	struct session *session = owner;
	uint64_t delay = back_off_ms(session);

	(void)data;
	if (delay < session->wait_ms)
		delay = session->wait_ms;
	session->wait_ms = 0;
	session->attempts++;
	log_info(NULL, "gateway.backoff", KV_MS("wait", delay), KV_U64("attempt", session->attempts),
		 KV_BOOL("resume", session->has_session));
	timer_start(&session->timer, delay);
}

void session_act_give_up(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	/* The supervisor says it to people, once for all shards, with what to do (fleet.fatal). */
	log_info(NULL, "gateway.fatal", KV_INT("close_code", session->fatal_close_code), KV_MSG(session->fatal_text));
	session->events->fatal(session->arg, session->fatal_code, session->fatal_close_code, session->fatal_text);
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static void forget_on_logout(struct session *session)
{
	if (session->stop == SESSION_STOP_LOGOUT)
		session_forget(session, NULL);
}

void session_act_say_goodbye(void *owner, const void *data)
{
	struct session *session = owner;
	uint16_t code = session->stop == SESSION_STOP_LOGOUT ? CLOSE_CODE_LOGOUT : CLOSE_CODE_LEAVE;

	(void)data;
	timer_stop(&session->timer);
	forget_on_logout(session);
	transport_close(session->transport, code, "stopping");
}

void session_act_await_close(void *owner, const void *data)
{
	(void)data;
	forget_on_logout(owner);
}

static void on_handle_closed(void *arg)
{
	struct session *session = arg;

	if (--session->closing_handles)
		return;
	session->events->stopped(session->arg); /* may free the session */
}

void session_act_finish(void *owner, const void *data)
{
	struct session *session = owner;

	(void)data;
	forget_on_logout(session);
	session->inflater = inflater_free(session->inflater);
	session_send_finish(session);
	session->closing_handles = 5;
	timer_close(&session->timer, on_handle_closed);
	timer_close(&session->beat, on_handle_closed);
	timer_close(&session->pump, on_handle_closed);
	timer_close(&session->probe, on_handle_closed);
	transport_destroy(session->transport, on_handle_closed, session);
	session->transport = NULL;
}
