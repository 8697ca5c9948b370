/* SPDX-License-Identifier: MIT */
/* The session's life as one table: what each event does in each state. */
#ifndef SHOAL_GATEWAY_SESSION_TABLE_H
#define SHOAL_GATEWAY_SESSION_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/machine.h"
#include "shared/board/board.h"

enum session_state {
	SESSION_IDLE,        /* not started */
	SESSION_CONNECTING,  /* name, socket, TLS, upgrade */
	SESSION_HELLO,       /* connected, HELLO is to come */
	SESSION_GRANT,       /* beating; waits for the permission to IDENTIFY */
	SESSION_IDENTIFYING, /* IDENTIFY sent, READY is to come */
	SESSION_RESUMING,    /* RESUME sent, missed dispatches and RESUMED are to come */
	SESSION_LOADING,     /* a session; its guilds are to come */
	SESSION_READY,
	SESSION_CLOSING,  /* leaving the connection, for another */
	SESSION_BACKOFF,  /* waits before the next connection */
	SESSION_FATAL,    /* no way forward; waits for session_stop() */
	SESSION_STOPPING, /* leaving the connection, for good */
	SESSION_STOPPED,
	SESSION_STATE_COUNT,
};

enum session_event {
	SESSION_EV_START,
	SESSION_EV_STOP,
	SESSION_EV_OPENED,      /* the WebSocket is open */
	SESSION_EV_CLOSED,      /* the connection is gone; data: struct transport_end */
	SESSION_EV_FATAL,       /* the connection is gone, by a close code that repeating does not mend */
	SESSION_EV_HELLO_KNOWN, /* HELLO, and there is a session to RESUME */
	SESSION_EV_HELLO_NEW,   /* HELLO, and there is none */
	SESSION_EV_GRANTED,
	SESSION_EV_DENIED,
	SESSION_EV_DENIED_LONG, /* not for so long that the connection is better left */
	SESSION_EV_DISPATCH_READY,
	SESSION_EV_DISPATCH_RESUMED,
	SESSION_EV_INVALID,   /* op 9 */
	SESSION_EV_RECONNECT, /* op 7, an operator's wish, or a dispatch that could not be taken */
	SESSION_EV_TIMEOUT,   /* the state's timer */
	SESSION_EV_ZOMBIE,    /* no heartbeat ACK */
	SESSION_EV_SILENT,    /* acknowledges heartbeats, delivers nothing */
	SESSION_EV_BAD,       /* a payload that could not be read */
	SESSION_EV_LOADED,    /* the worker has its guilds */
	SESSION_EVENT_COUNT,
};

extern const struct machine_table session_table;

/* What the outside is told of each state. */
extern const enum shard_state session_public_states[SESSION_STATE_COUNT];

/* The cells that are no transition and not ignored: an event that can't come, or that a sane server does not cause.
 * They change nothing and are logged. Every other cell is GO or IGNORED: the test holds this list and the table
 * together. */
struct session_refused {
	uint8_t state, event;
};
extern const struct session_refused session_refused[];
extern const size_t session_refused_count;

/* The actions, in session_link.c. @data: see the event. */
void session_act_dial(void *owner, const void *data);
void session_act_await_hello(void *owner, const void *data);
void session_act_ask(void *owner, const void *data);
void session_act_ask_later(void *owner, const void *data);
void session_act_identify(void *owner, const void *data);
void session_act_resume(void *owner, const void *data);
void session_act_established(void *owner, const void *data);
void session_act_resumed(void *owner, const void *data);
void session_act_loaded(void *owner, const void *data);
void session_act_leave(void *owner, const void *data);
void session_act_leave_invalid(void *owner, const void *data);
void session_act_leave_zombie(void *owner, const void *data);
void session_act_leave_silent(void *owner, const void *data);
void session_act_leave_bad(void *owner, const void *data);
void session_act_leave_timeout(void *owner, const void *data);
void session_act_leave_denied(void *owner, const void *data);
void session_act_back_off(void *owner, const void *data);
void session_act_give_up(void *owner, const void *data);
void session_act_say_goodbye(void *owner, const void *data);
void session_act_await_close(void *owner, const void *data);
void session_act_finish(void *owner, const void *data);

#endif
