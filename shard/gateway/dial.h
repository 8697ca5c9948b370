/* SPDX-License-Identifier: MIT */
/* From a host name and port to a connected socket: resolves without blocking the loop, tries the addresses in turn. */
#ifndef SHOAL_GATEWAY_DIAL_H
#define SHOAL_GATEWAY_DIAL_H

#include <stdint.h>

#include "shared/loop/loop.h"
#include "shared/loop/watch.h"

enum dial_stage { DIAL_RESOLVING, DIAL_CONNECTING };

/* Exactly once, on the loop, never from within dial_start(): @fd is a connected non-blocking socket (the callee's), or
 * -1 with @error (negative errno; of libuv for @stage RESOLVING, see uv_strerror). Not called after dial_stop(). */
typedef void (*dial_fn)(void *arg, int fd, enum dial_stage stage, int error);

struct dial_lookup;

/* Embedded by its owner. */
struct dial {
	struct loop *loop;
	struct timer timer; /* gives up on one address, so that the next has a chance */
	dial_fn fn;
	void *arg;
	struct dial_lookup *lookup; /* running */
	struct addrinfo *addresses, *next;
	struct sockaddr_storage numeric; /* the host was an address */
	struct addrinfo numeric_info;
	struct watch *watch;
	int fd;
	int error; /* of the last address */
	uint16_t port;
	uint64_t deadline_ns;
};

int dial_init(struct dial *dial, struct loop *loop, dial_fn fn, void *arg);
/* -ENOMEM. The addresses share what is left of @timeout_ms; the whole is the owner's to time. */
int dial_start(struct dial *dial, const char *host, uint16_t port, uint64_t timeout_ms);
/* A name lookup that a thread of libuv's is at goes on, to nobody; loop_finish() waits for it. */
void dial_stop(struct dial *dial);
/* dial_stop(), and closes the timer: the memory must outlive @closed. */
void dial_close(struct dial *dial, loop_fn closed);
#endif
