/* What systemd is told (sd_notify): READY, STATUS, STOPPING, WATCHDOG. Without NOTIFY_SOCKET every call does nothing.
 * Loop thread only; a datagram that would block is dropped, the next one follows. */
#ifndef SHOAL_SUPERVISOR_NOTIFY_H
#define SHOAL_SUPERVISOR_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/cleanup.h"

struct notify {
	uint64_t watchdog_ns; /* 0: systemd does not watch us */
	uint64_t petted_ns;
	bool ready;
	bool stopping;
	char status[160]; /* last one sent, so that it is sent only when it changed */
};

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC. */
void notify_init(struct notify *notify);
/* The start's end: the fleet's plan is known and every shard was spawned or adopted. Shards get ready one by one after
 * that (Discord's identify spacing may take minutes), as STATUS says. Once. */
void notify_ready(struct notify *notify);
/* "15/16 shards ready". */
void notify_status(struct notify *notify, const char *format, ...) PRINTF_LIKE(2, 3);
/* Around an exec in place: the service is not ready in between, and stays the same process. */
void notify_reloading(struct notify *notify);
void notify_reloaded(struct notify *notify);
void notify_stopping(struct notify *notify);
/* The start waits for something outside (the API): systemd's start time-out shall not run out meanwhile. */
void notify_extend(struct notify *notify, uint64_t more_ms);
/* Each slow tick: answers the watchdog when due; so it is answered only while the loop turns. */
void notify_tick(struct notify *notify, uint64_t now_ns);

#endif
