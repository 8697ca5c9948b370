/* SPDX-License-Identifier: MIT */
/* The silence probe. Run by the session on its loop. A gateway may go on acknowledging heartbeats and deliver nothing:
 * after a long silence the session asks for the bot's own member in one of its guilds (op 8; needs no privileged
 * intent), and leaves the connection when nothing at all comes. Any dispatch proves that it delivers. It must not ask
 * while the silence is our own (held), nor more often than once a silence. Source: discord-facts section 4 (op 8). */
#include "shard/gateway/session_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/base/clock.h"
#include "shared/base/random.h"
#include "shared/log/log.h"

/* The send limit leaves no room just now. */
#define PROBE_RETRY_MS 1000

static uint64_t silence_ms(const struct session *session)
{
	uint64_t now_ns = clock_monotonic_ns();

	return now_ns > session->heard_ns ? (now_ns - session->heard_ns) / NS_PER_MS : 0;
}

/* A tenth spread out: shards that fell silent together don't ask together. */
static void wait_for_silence(struct session *session)
{
	uint64_t limit_ms = session->options.silence_probe_ms, silent_ms = silence_ms(session);
	uint64_t rest_ms = silent_ms < limit_ms ? limit_ms - silent_ms : limit_ms;

	timer_start(&session->probe, rest_ms + random_below(limit_ms / 10 + 1));
}

static int ask(struct session *session, uint64_t guild_id)
{
	char text[256];
	int n;

	n = snprintf(text, sizeof(text),
		     "{\"op\":8,\"d\":{\"guild_id\":\"%" PRIu64 "\",\"user_ids\":[\"%" PRIu64 "\"],\"limit\":0,"
		     "\"nonce\":\"shoal-%" PRIx64 "\"}}",
		     guild_id, session->record.user_id, random_u64() >> 16);
	return session_send_now(session, LIMITER_COMMON, text, (size_t)n);
}

static void probe(struct session *session)
{
	uint64_t guild_id = session->events->probe_guild(session->arg);

	/* Whoever serves no guild hears nothing by right. */
	if (!guild_id || !session->record.user_id) {
		session->heard_ns = clock_monotonic_ns();
		wait_for_silence(session);
		return;
	}
	if (limiter_wait(&session->limiter, LIMITER_COMMON, clock_monotonic_ns()) || ask(session, guild_id) < 0) {
		timer_start(&session->probe, PROBE_RETRY_MS);
		return;
	}
	session->probing = true;
	board_count(session->counters, BOARD_COUNTER_silence_probes, 1);
	log_debug(NULL, "gateway.silence_probe", KV_MS("silence", silence_ms(session)));
	timer_start(&session->probe, session->options.silence_answer_ms);
}

static void on_probe(void *arg)
{
	struct session *session = arg;

	if (!session_is_live(session))
		return;
	if (session->held) {
		/* While we don't read nothing can be heard. */
		session->probing = false;
		session->heard_ns = clock_monotonic_ns();
		wait_for_silence(session);
	} else if (session->probing) {
		session_raise(session, SESSION_EV_SILENT);
	} else if (silence_ms(session) < session->options.silence_probe_ms) {
		wait_for_silence(session);
	} else {
		probe(session);
	}
}

int session_probe_init(struct session *session)
{
	return timer_init(&session->probe, session->loop, on_probe, session);
}

void session_probe_start(struct session *session)
{
	if (!session->options.silence_probe_ms || !session->events->probe_guild)
		return;
	session->heard_ns = clock_monotonic_ns();
	session->probing = false;
	wait_for_silence(session);
}

void session_probe_stop(struct session *session)
{
	timer_stop(&session->probe);
	session->probing = false;
}

/* For every dispatch: two stores; the timer finds out by itself that there was no silence. */
void session_probe_heard(struct session *session)
{
	session->heard_ns = uv_now(&session->loop->uv) * NS_PER_MS;
	if (!session->probing)
		return;
	session->probing = false;
	wait_for_silence(session);
}
