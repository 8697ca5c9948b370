/* SPDX-License-Identifier: MIT */
/* What the files of the session share: session.c (the outside, and what comes in), session_link.c (the actions of the
 * table), session_beat.c (heartbeats), session_send.c (what goes out). Nobody else includes this. */
#ifndef SHOAL_GATEWAY_SESSION_PRIVATE_H
#define SHOAL_GATEWAY_SESSION_PRIVATE_H

#include "shared/base/machine.h"
#include "shard/gateway/arena.h"
#include "shard/gateway/close_code.h"
#include "shard/gateway/inflate.h"
#include "shard/gateway/limiter.h"
#include "shard/gateway/session.h"
#include "shard/gateway/session_table.h"
#include "shard/gateway/transport.h"
#include "shared/discord/url.h"

/* Events raised while another is worked on. One callback can raise few. */
#define SESSION_EVENTS_MAX 32
/* A connection must have been live so long before the back-off begins anew. */
#define SESSION_STABLE_NS (30 * NS_PER_S)
/* Beats on their way whose time is remembered. */
#define SESSION_BEATS_MAX 8
/* A session that was live and can be resumed is worth more than politeness: members wait for their answers. Its
 * back-off grows to this many doublings only, however often it is lost. */
#define SESSION_LIVE_ATTEMPTS 2
/* A denial longer than this is waited out without a connection. */
#define SESSION_DENIED_LONG_MS 60000
/* op 9: wait 1 to 5 s before acting (facts section 5). */
#define SESSION_INVALID_WAIT_MIN_MS    1000
#define SESSION_INVALID_WAIT_SPREAD_MS 4000
/* So often may the same place of the stream be unreadable before it is given up. */
#define SESSION_POISON_MAX 3

/* One waiting send. */
struct session_outgoing {
	char *text;
	size_t len;
	enum limiter_kind kind;
	bool counted; /* as having had to wait */
};

struct session {
	struct loop *loop;
	struct board_shard *board;
	_Atomic uint64_t *counters;
	const struct session_events *events;
	void *arg;

	/* options, copied */
	struct session_options options;
	char *token, *gateway_url, *override_url, *presence;
	bool base_tls;

	struct machine machine;
	uint8_t queue[SESSION_EVENTS_MAX]; /* of enum session_event */
	uint32_t queue_len;
	bool busy; /* an event or a message is being worked on: raise() only queues */
	enum shard_state public_state;
	struct timer timer; /* of the state */
	int closing_handles;

	/* the session, as it stands on the board */
	struct board_session record;
	uint64_t sequence;
	uint64_t seen; /* bit i: sequence - i was taken */
	bool has_session;
	uint64_t taken_loop_ms; /* the loop's time of the last dispatch; 0: none yet */

	/* this connection */
	struct transport *transport;
	struct inflater *inflater;
	enum config_compress compress;
	struct transport_end end;
	bool connected; /* OPENED came */
	bool to_base;   /* this RESUME goes to the base URL, since the session's own did not answer */
	bool resuming;  /* RESUME was sent, RESUMED is to come */
	bool progress;  /* … and missed dispatches have come */
	bool held;
	uint64_t wire_bytes; /* of the transport, counted already */
	uint64_t live_since_ns;
	uint32_t unexpected;       /* refused cells on this connection */
	uint64_t gap_from, gap_to; /* sequences that a RESUME did not bring */

	/* between connections */
	uint32_t attempts;            /* connections since one was stable */
	uint32_t resume_failures;     /* RESUMEs that reached a gateway and came to nothing */
	uint64_t wait_ms;             /* the next connection comes no sooner */
	uint64_t pause_ms, paused_ns; /* the last one that a close code asked for, and when */
	uint64_t poison_sequence;     /* where payloads were unreadable */
	uint32_t poison_count;
	uint64_t unread_at, unread_sequence; /* where an unreadable dispatch came, and which it said it was */
	bool invalid_resumable;              /* of the op 9 at hand */
	uint16_t leave_code;                 /* for session_act_leave */
	const char *leave_reason;
	int64_t lost_wall_ms; /* a loss window is open since */
	enum exit_code fatal_code;
	uint16_t fatal_close_code;
	char fatal_text[TRANSPORT_TEXT_SIZE + 128];

	/* permission */
	bool asked; /* request_identify() waits for its answer */
	uint64_t grant_id;
	uint64_t grant_until_ns; /* 0: none */
	uint64_t denied_ms;

	/* heartbeats */
	struct timer beat;
	uint32_t interval_ms;
	bool awaiting_ack; /* of a scheduled beat */
	bool in_grace;
	uint64_t beats_ns[SESSION_BEATS_MAX]; /* ring: when the unacknowledged ones were sent, scheduled or not */
	uint32_t beats_first, beats_count;
	uint64_t latency_us;

	/* silence */
	struct timer probe;
	uint64_t heard_ns; /* last dispatch, or the beginning of the connection's life */
	bool probing;      /* asked; any dispatch is an answer */

	/* sending */
	struct timer pump;
	struct limiter limiter;
	struct session_outgoing outgoing[SESSION_QUEUE_MAX]; /* ring */
	uint32_t outgoing_first, outgoing_count;

	enum session_stop stop;
	bool stopping;
};

/* --- session.c --- */
void session_raise(struct session *session, enum session_event event);
static inline enum session_state session_at(const struct session *session)
{
	return (enum session_state)session->machine.state;
}
/* Has a session on this connection: dispatches are taken, sends go out. */
static inline bool session_is_live(const struct session *session)
{
	return session_at(session) == SESSION_LOADING || session_at(session) == SESSION_READY;
}
/* Forgets the session, here and on the board. @reason: a loss window is counted, logged and told. */
void session_forget(struct session *session, const char *reason);
void session_report_gap(struct session *session);

/* --- session_beat.c --- */
int session_beat_init(struct session *session);
void session_beat_start(struct session *session, uint32_t interval_ms);
void session_beat_stop(struct session *session);
void session_beat_acked(struct session *session);
void session_beat_requested(struct session *session); /* now: op 1, or to measure */
void session_beat_forgive(struct session *session);   /* we were not listening: no ACK could be heard */

/* --- session_send.c --- */
int session_send_init(struct session *session);
void session_send_finish(struct session *session); /* frees what waits */
void session_send_pump(struct session *session);
void session_send_stop(struct session *session); /* the connection is gone: what waits goes on waiting */
/* Sends at once. 0, or negative errno of the transport. */
int session_send_now(struct session *session, enum limiter_kind kind, const char *text, size_t len);
/* IDENTIFY and RESUME as JSON. -EMSGSIZE over SESSION_SEND_MAX, -ENOMEM. */
int session_send_identify(struct session *session);
int session_send_resume(struct session *session);
/* Could IDENTIFY be sent with these options? */
int session_send_check(struct session *session);

/* --- session_probe.c --- */
int session_probe_init(struct session *session);
void session_probe_start(struct session *session); /* the session is live on this connection */
void session_probe_stop(struct session *session);
void session_probe_heard(struct session *session); /* a dispatch came */

/* --- session_link.c --- */
/* The connection is gone; session->end says how. Decides what comes next and raises it. */
void session_link_closed(struct session *session);

#endif
