/* SPDX-License-Identifier: MIT */
/* One shard's session with Discord's gateway, from the first connection to the last: connects, identifies or resumes,
 * beats, hands dispatches over, survives whatever ends a connection, and keeps on the board what a successor needs to
 * RESUME. One transition table (session_table.c); the loop thread only.
 *
 * What it does not do: it knows no event but READY and RESUMED, decodes nothing else, keeps no guilds, and IDENTIFYs
 * only with a grant. Source: discord-facts sections 3 to 6. */
#ifndef SHOAL_GATEWAY_SESSION_H
#define SHOAL_GATEWAY_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/board/board.h"
#include "shared/config/config.h"
#include "shared/control/exit_code.h"
#include "shared/loop/loop.h"
#include "shard/gateway/envelope.h"

struct session;

/* All strings are copied. Fill with session_options_from_config(), then the members that the configuration does not
 * have. */
struct session_options {
	/* not from the configuration */
	uint32_t shard_id, shard_count;
	uint32_t intents;
	const char *gateway_url; /* from GET /gateway/bot; used when discord.gateway_url is empty */
	const char *presence;    /* JSON of the presence for IDENTIFY, or NULL */
	/* from the configuration */
	const char *token;        /* sent bare */
	const char *override_url; /* discord.gateway_url, "" for none: IDENTIFY goes there, and a RESUME goes to its
				     scheme, host and port with the path of the session's resume_gateway_url */
	const char *ca_file;      /* "" = the system's */
	uint32_t compress;        /* enum config_compress; a RESUME keeps what its session was opened with */
	uint32_t hello_timeout_ms, connect_timeout_ms, zombie_grace_ms;
	uint32_t backoff_floor_ms, backoff_cap_ms, resume_attempts;
	uint32_t resume_quiet_ms;
	uint32_t silence_probe_ms, silence_answer_ms; /* silence_probe_ms 0: never probed */
	uint32_t max_frame_kib, max_payload_kib;
};

/* Points into @config. */
void session_options_from_config(struct session_options *options, const struct config *config);

/* Dispatches that may have been lost. @reason is a stable id: "invalid_session" (op 9), "resume_gap",
 * "resume_given_up", "bad_payload", or the name of a close code (close_code.c: "invalid_sequence", …). */
struct session_loss {
	const char *reason;
	uint64_t from_sequence; /* the first that may be missing */
	uint64_t to_sequence;   /* the last one; 0: unknown, the session is gone */
	int64_t from_wall_ms;   /* when the last dispatch before it was taken; 0: by an earlier process */
	int64_t to_wall_ms;     /* when it was noticed */
};

enum session_stop {
	SESSION_STOP_RESUMABLE, /* closes with 4000; the session stays on the board */
	SESSION_STOP_LOGOUT,    /* closes with 1000: the bot goes offline; the board's session is cleared */
};

/* All on the loop. Everything but session_free() may be called from within them. */
struct session_events {
	/* A dispatch (op 0) that passed the envelope scan. @payload is the whole frame, @envelope points into it; both
	 * are valid during the call only. 0: taken; its sequence stands on the board as soon as this returns. Data that
	 * can't be decoded is taken too (count it). Negative errno: it can't be taken now (no room); the connection is
	 * left resumably and RESUMEd after a back-off, so that Discord sends it again. */
	int (*dispatch)(void *arg, const struct envelope *envelope, const char *payload, size_t len);
	/* A dispatch that can't be read, for the second time at the same place: only op, sequence, type and guild are
	 * known, by a lenient look. @payload is what there is of @full_len bytes. 0: it is set aside, its sequence
	 * counts and the session goes on. Negative errno, or NULL: the session is given up after some more tries. */
	int (*unreadable)(void *arg, const struct envelope *envelope, const char *payload, size_t len, size_t full_len,
			  const char *reason);
	/* The state changed; it stands on the board already. May be NULL. */
	void (*state)(void *arg, enum shard_state state);
	/* It wants to IDENTIFY: answer, at once or later, with one session_grant() or session_deny(). Not called again
	 * before the answer. */
	void (*request_identify)(void *arg);
	/* IDENTIFY was written under @grant_id. */
	void (*identified)(void *arg, uint64_t grant_id);
	/* No way forward: leave with @code after session_stop(). @close_code is 0 when none came. @text is a sentence.
	 */
	void (*fatal)(void *arg, enum exit_code code, uint16_t close_code, const char *text);
	/* Counted on the board and logged already. May be NULL. */
	void (*loss_window)(void *arg, const struct session_loss *loss);
	/* A guild that the session serves, to be asked for the bot's own member after a long silence; 0: none. May be
	 * NULL: never probed. */
	uint64_t (*probe_guild)(void *arg);
	/* After session_stop(), once: every handle is closed. Here session_free() may be called. */
	void (*stopped)(void *arg);
};

/* Keeps @loop and @board (writable, locked by this worker). Of the board's counters it writes events_total,
 * events_repeated, frames_bad, opcodes_unknown, bytes_*, identifies, resumes, resumes_refused, reconnects, zombies,
 * loss_windows, sends_limited and latency_us; the others are the worker's. Nothing happens before session_start().
 * -EINVAL (an URL or a limit is impossible; logged with what), -ENOMEM, -errno of libwebsockets' context. */
int session_new(struct loop *loop, const struct session_options *options, struct board_shard *board,
		const struct session_events *events, void *arg, struct session **ret_session);
/* From stopped() on, not before. NULL is nothing to do. */
void session_free(struct session *session);

/* Connects: RESUMEs the board's session when there is a valid one, else asks for a grant. Once. */
void session_start(struct session *session);
/* Ends it, within 2 s; stopped() tells. From any state, also before session_start(). A second call is ignored. */
void session_stop(struct session *session, enum session_stop how);
/* Leaves the connection resumably and RESUMEs (an operator's wish). Nothing when not connected. */
void session_reconnect(struct session *session);

/* The answer to request_identify(): IDENTIFY may be sent within @expires_ms. A grant that is not used in time is asked
 * for anew. */
void session_grant(struct session *session, uint64_t grant_id, uint64_t expires_ms);
/* Not now: it asks again after @wait_ms. */
void session_deny(struct session *session, uint64_t wait_ms);

/* LOADING becomes READY: the guild list of READY was counted down, or had been quiet. After a RESUME too. Ignored in
 * any other state. */
void session_mark_ready(struct session *session);

/* Back-pressure: while held no dispatch is handed over and the socket is not read, nor is the silence held against
 * it. Heartbeats go on. May be called within dispatch(): it is the last one then. */
void session_hold(struct session *session);
void session_unhold(struct session *session);

/* Largest payload that the gateway takes, whole. */
#define SESSION_SEND_MAX  4096
#define SESSION_QUEUE_MAX 64

/* Queues {"op": @op, "d": @d}; @d is JSON text (copied). @op: 3 presence, 8 members, 31 soundboard, 43 channel info;
 * the limits of facts section 4 are kept by waiting. A presence replaces one that waits still, and is used for later
 * IDENTIFYs. What is queued survives a reconnect. -EMSGSIZE (whole payload over 4096 bytes), -ENOBUFS (64 wait
 * already), -EINVAL (op not one of these), -ESHUTDOWN (stopping). */
int session_send(struct session *session, int op, const char *d, size_t len);

/* The last heartbeat's round trip; 0: none yet on this connection. */
uint64_t session_latency_us(const struct session *session);
enum shard_state session_state(const struct session *session);
/* The sequence on the board. */
uint64_t session_sequence(const struct session *session);

#endif
