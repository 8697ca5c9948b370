/* The control protocol's bytes: lines of JSON over a unix stream socket, one descriptor passed beside a line, sealed
 * memfds. Used by control_link, control_server and control_call; nobody else. */
#ifndef SHOAL_SHARED_CONTROL_CONTROL_WIRE_H
#define SHOAL_SHARED_CONTROL_CONTROL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "shared/base/buf.h"
#include "shared/control/control.h"
#include "shared/loop/watch.h"

#define CONTROL_VERB_MAX   64
#define CONTROL_ERROR_TEXT 256
/* What may wait for a peer that does not read: the longest line and some more. */
#define CONTROL_BACKLOG_MAX (CONTROL_LINE_MAX + 256 * 1024)

/* --- lines: pure -----------------------------------------------------------------------------------------------------
 */

/* Collects bytes into lines. Holds memory only while a line is incomplete. */
struct control_lines {
	struct buf partial;
	uint64_t taken; /* bytes of all lines delivered so far, their line feeds included */
};

/* Gets one line without its line feed, borrowed. Not 0: no further line, and what it returned is returned. */
typedef int (*control_line_fn)(void *arg, const char *line, size_t len);

void control_lines_init(struct control_lines *lines);
void control_lines_finish(struct control_lines *lines);
/* 0, what @fn returned, -EMSGSIZE (a line above CONTROL_LINE_MAX) or -ENOMEM. */
int control_lines_feed(struct control_lines *lines, const char *bytes, size_t len, control_line_fn fn, void *arg);

/* A request line. *ret_json is owned by the caller; @verb is copied. -EBADMSG with @error saying what is wrong; *ret_id
 * is then the line's id where it could be read, else 0. -ENOMEM (id 0). */
int control_parse_request(const char *line, size_t len, int64_t *ret_id, char verb[CONTROL_VERB_MAX], json_t **ret_json,
			  char error[CONTROL_ERROR_TEXT]);
/* A line from the server: an object. -EBADMSG, -ENOMEM. */
int control_parse_object(const char *line, size_t len, json_t **ret_json, char error[CONTROL_ERROR_TEXT]);

/* --- sealed memory ---------------------------------------------------------------------------------------------------
 */

/* A memfd holding @json, sealed against every change; CLOEXEC. -EMSGSIZE above CONTROL_SECRETS_MAX, -errno. */
int control_seal(const json_t *json, int *ret_fd, size_t *ret_size);
/* Reads such a one back: its seals and size are checked. -EPROTO, -EMSGSIZE, -EBADMSG,
 * -ENOMEM, -errno. */
int control_unseal(int fd, json_t **ret_json);

/* --- a connection on the loop ----------------------------------------------------------------------------------------
 */

struct control_wire_events {
	/* @fd: the descriptor that came with this line, or -1; the callee may take it (set -1), else it is closed. */
	void (*line)(void *arg, const char *line, size_t len, int *fd);
	/* A line above the limit came, which can't be skipped in bounded memory: a last word may be sent, then lost()
	 * follows with -EMSGSIZE. May be NULL. */
	void (*too_long)(void *arg);
	/* The connection is gone (0: closed by the other side); the wire is closed. Last call. */
	void (*lost)(void *arg, int error);
	/* The wire was closed from within line(): now its memory may go. Last call. */
	void (*unused)(void *arg);
};

/* Embedded. All zero but fd = -1 when closed. */
struct control_wire {
	int fd;
	bool accept_fds;
	bool busy;  /* within line(): the memory must stay */
	int doomed; /* a send failed: what lost() will be told */
	int in_fd;
	uint64_t in_fd_at; /* belongs to the line that holds this byte of the stream */
	uint64_t received;
	int out_fd; /* goes out with the byte at out_fd_at of out */
	size_t out_fd_at;
	struct watch *watch;
	struct control_lines lines;
	struct buf out;
	const struct control_wire_events *events;
	void *arg;
};

/* Takes @fd (a connected, non-blocking socket), also on failure. Keeps @events. */
int control_wire_open(struct control_wire *wire, struct loop *loop, int fd, bool accept_fds,
		      const struct control_wire_events *events, void *arg);
/* Sends @object (borrowed) as a line, with @fd (takes, also on failure) beside it unless -1. Never calls back from
 * within: after -ENOBUFS (backlog), -EBUSY (a descriptor waits already) or -errno lost() comes in a later pass.
 * -EMSGSIZE: too long, nothing happened. -ENOTCONN. */
int control_wire_send(struct control_wire *wire, const json_t *object, int fd);
/* At once and silently, from anywhere. */
void control_wire_close(struct control_wire *wire);
bool control_wire_is_open(const struct control_wire *wire);

#endif
