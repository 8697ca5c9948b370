/* SPDX-License-Identifier: MIT */
/* One WebSocket connection at a time to the gateway: name, socket, TLS, HTTP upgrade, frames. libwebsockets carries the
 * bytes (raw mode, on the libuv loop); OpenSSL, the upgrade and RFC 6455 are ours. Loop thread only.
 * What comes out is whole messages; what they mean is the session's. */
#ifndef SHOAL_GATEWAY_TRANSPORT_H
#define SHOAL_GATEWAY_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/loop/loop.h"

struct transport;

struct transport_options {
	const char *ca_file;       /* copied; "" or NULL: the system's directory of certificates */
	size_t max_message_bytes;  /* a message as received, fragments joined */
	size_t max_outgoing_bytes; /* unsent bytes that may wait; more is -ENOBUFS */
};

/* How a connection ended. */
enum transport_end_kind {
	TRANSPORT_END_LOCAL,      /* transport_close() */
	TRANSPORT_END_RESOLVE,    /* the name could not be resolved */
	TRANSPORT_END_REFUSED,    /* connection refused, no route, … (error) */
	TRANSPORT_END_TIMEOUT,    /* not open within its deadline */
	TRANSPORT_END_TLS,        /* handshake or certificate; text says which */
	TRANSPORT_END_HTTP,       /* the upgrade was answered with http_status, or with no HTTP at all (0) */
	TRANSPORT_END_CLOSE_CODE, /* the server's close frame; close_code (1005: frame without a code) */
	TRANSPORT_END_EOF,        /* closed without a close frame */
	TRANSPORT_END_RESET,      /* reset, or another socket error (error) */
	TRANSPORT_END_PROTOCOL,   /* we left: the server broke RFC 6455 or a limit */
	TRANSPORT_END_COUNT,
};

#define TRANSPORT_TEXT_SIZE 256
struct transport_end {
	enum transport_end_kind kind;
	int error;                      /* negative errno where there is one */
	int http_status;                /* HTTP: the status line's */
	uint16_t close_code;            /* CLOSE_CODE; LOCAL and PROTOCOL: what we sent, 0: nothing */
	bool was_open;                  /* the upgrade had succeeded */
	char text[TRANSPORT_TEXT_SIZE]; /* a reason for people: printable, never NULL; may hold the server's words */
};
const char *transport_end_name(enum transport_end_kind kind); /* "refused", … */

/* On the loop. All transport_ functions but destroy may be called from within. */
struct transport_events {
	void (*opened)(void *arg);
	/* A whole message; @bytes is valid (and may be written to) during the call. Text is not checked for UTF-8 here.
	 */
	void (*message)(void *arg, char *bytes, size_t len, bool is_text);
	/* The beginning of a message that is too large, as far as it came; closed() follows. May be NULL. */
	void (*oversized)(void *arg, const char *bytes, size_t len, bool is_text, size_t full_len);
	/* Exactly once for each transport_open() that returned 0, never from within it or transport_close(). */
	void (*closed)(void *arg, const struct transport_end *end);
};

/* Keeps @loop; copies the rest. -ENOMEM, -EIO (libwebsockets would not start; logged). */
int transport_new(struct loop *loop, const struct transport_options *options, const struct transport_events *events,
		  void *arg, struct transport **ret_transport);
/* Ends a connection without a word (no close frame, closed() not called), closes every handle, then calls @done and is
 * gone. */
void transport_destroy(struct transport *transport, loop_fn done, void *arg);

/* Connects to @url (ws:// or wss://, with path and query) within @timeout_ms in all, resolving, TLS and upgrade
 * included. The certificate must be valid for the URL's host name. -EINVAL (not such a URL), -EBUSY (closed() of the
 * last one is still to come), -ENOENT (discord.ca_file can't be read; logged), -ENOMEM. */
int transport_open(struct transport *transport, const char *url, uint64_t timeout_ms);
/* Sends a close frame with @code and @reason (NULL: none) behind what waits already, and closes within 1 s. Nothing
 * more is delivered but closed(). */
void transport_close(struct transport *transport, uint16_t code, const char *reason);

/* Sends one text message. -ENOTCONN, -ENOBUFS, -ENOMEM. */
int transport_send(struct transport *transport, const char *text, size_t len);

/* Stops and takes up reading; the rest of what was read is kept (at most one read), and delivered after resume from the
 * loop, not from within. Keeps across nothing: a new connection reads. */
void transport_pause(struct transport *transport);
void transport_resume(struct transport *transport);

/* Bytes received after TLS since creation. */
uint64_t transport_bytes(const struct transport *transport);

#endif
