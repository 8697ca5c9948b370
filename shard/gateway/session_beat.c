/* SPDX-License-Identifier: MIT */
/* Heartbeats of one connection: the first after a random part of the interval, then one each interval, the answers to
 * op 1, and the zombie rule. Run by the session. Source: discord-facts section 5, steps 2 and 3. */
#include "shard/gateway/session_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/base/clock.h"
#include "shared/base/random.h"
#include "shared/log/log.h"

/* ACKs come in the order of the beats, and bear no mark of theirs. */
static void note_sent(struct session *session)
{
	if (session->beats_count == SESSION_BEATS_MAX) {
		session->beats_first = (session->beats_first + 1) % SESSION_BEATS_MAX;
		session->beats_count--;
	}
	session->beats_ns[(session->beats_first + session->beats_count++) % SESSION_BEATS_MAX] = clock_monotonic_ns();
}

static void note_acked(struct session *session)
{
	if (!session->beats_count)
		return; /* an ACK too many measures nothing */
	session->latency_us = (clock_monotonic_ns() - session->beats_ns[session->beats_first]) / NS_PER_US;
	session->beats_first = (session->beats_first + 1) % SESSION_BEATS_MAX;
	session->beats_count--;
	board_gauge(session->counters, BOARD_COUNTER_latency_us, session->latency_us);
}

static int send_beat(struct session *session)
{
	char text[64];
	int n, r;

	if (session->has_session)
		n = snprintf(text, sizeof(text), "{\"op\":1,\"d\":%" PRIu64 "}", session->sequence);
	else
		n = snprintf(text, sizeof(text), "{\"op\":1,\"d\":null}");
	r = session_send_now(session, LIMITER_HEARTBEAT, text, (size_t)n);
	if (!r)
		note_sent(session);
	return r;
}

static void scheduled_beat(struct session *session)
{
	session->in_grace = false;
	/* One that can't be written is not acknowledged either: the rule below ends such a connection. */
	if (send_beat(session) < 0)
		log_debug(NULL, "gateway.beat_unsent", KV_MS("interval", session->interval_ms));
	session->awaiting_ack = true;
	timer_start(&session->beat, session->interval_ms);
}

static void on_beat(void *arg)
{
	struct session *session = arg;

	/* While we don't read, an ACK can't be seen: its absence says nothing. */
	if (session->awaiting_ack && !session->held) {
		if (!session->in_grace && session->options.zombie_grace_ms) {
			session->in_grace = true;
			timer_start(&session->beat, session->options.zombie_grace_ms);
			return;
		}
		session_raise(session, SESSION_EV_ZOMBIE);
		return;
	}
	scheduled_beat(session);
}

int session_beat_init(struct session *session)
{
	return timer_init(&session->beat, session->loop, on_beat, session);
}

void session_beat_start(struct session *session, uint32_t interval_ms)
{
	session->interval_ms = interval_ms;
	session->awaiting_ack = false;
	session->in_grace = false;
	session->beats_count = 0;
	session->latency_us = 0;
	timer_start(&session->beat, random_below(interval_ms));
}

void session_beat_stop(struct session *session)
{
	timer_stop(&session->beat);
	session->interval_ms = 0;
	session->awaiting_ack = false;
	session->in_grace = false;
}

void session_beat_acked(struct session *session)
{
	bool late = session->in_grace;

	note_acked(session);
	session->awaiting_ack = false;
	/* The beat that waited for this one is due already. */
	if (late)
		scheduled_beat(session);
	inflater_trim(session->inflater);
}

void session_beat_requested(struct session *session)
{
	/* A server that asks without end can't make us break the limit that it keeps. */
	if (limiter_wait(&session->limiter, LIMITER_HEARTBEAT, clock_monotonic_ns()))
		return;
	if (send_beat(session) < 0)
		log_debug(NULL, "gateway.beat_unsent", KV_STR("cause", "requested"));
}

void session_beat_forgive(struct session *session)
{
	session->awaiting_ack = false;
	if (session->in_grace)
		scheduled_beat(session);
}
