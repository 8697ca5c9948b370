/* SPDX-License-Identifier: MIT */
/* A connected socket carried by libwebsockets in raw mode on our loop: the only file that knows lws. */
#ifndef SHOAL_GATEWAY_WIRE_H
#define SHOAL_GATEWAY_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/loop/loop.h"

struct wire;

/* One read of the socket takes at most this. */
#define WIRE_READ_BYTES (64 * 1024)

/* On the loop. All wire_ functions but destroy may be called from within. */
struct wire_events {
	void (*received)(void *arg, char *bytes, size_t len); /* @bytes may be written to; valid during the call */
	void (*writable)(void *arg);                          /* after wire_want_write() */
	/* The socket is gone: 0 at its end, negative errno else. Not after wire_drop(). */
	void (*closed)(void *arg, int error);
};

/* Keeps @loop. -ENOMEM, -EIO (libwebsockets did not start). */
int wire_new(struct loop *loop, const struct wire_events *events, void *arg, struct wire **ret_wire);
/* Drops the socket, closes all handles, calls @done and is gone. */
void wire_destroy(struct wire *wire, loop_fn done, void *arg);

/* Takes @fd, a connected socket, in place of none. -EBUSY, -EIO; @fd is closed then. */
int wire_adopt(struct wire *wire, int fd);
void wire_want_write(struct wire *wire);
/* Within writable() only. Takes all of @bytes (the kernel may take them later: see wire_is_flushed) or -EIO. */
int wire_write(struct wire *wire, const char *bytes, size_t len);
bool wire_is_flushed(const struct wire *wire);
/* No more is written; what comes is still read. */
void wire_shutdown(struct wire *wire);
void wire_set_reading(struct wire *wire, bool reading);
/* Closes the socket without a word. Nothing is heard of it any more. */
void wire_drop(struct wire *wire);

#endif
