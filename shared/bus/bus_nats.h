/* The edge to nats.c: one helper thread that alone calls the library; the loop only queues commands and drains events.
 *
 * Why threads and not the library's libuv adapter: the adapter's poll handle is replaced only after the library has
 * closed the old descriptor, so a number reused meanwhile by another part breaks the loop; connect and a write to a
 * server that does not read would block the loop; and message callbacks come on library threads anyway. With one thread
 * of ours in front, the loop's share is a mutex held for a few instructions, whatever the server does. The library's
 * own reconnecting is off for the same reason: one path, here, makes every connection, first or fifth. */
#ifndef SHOAL_SHARED_BUS_BUS_NATS_H
#define SHOAL_SHARED_BUS_BUS_NATS_H

#include <stddef.h>
#include <stdint.h>

#include "shared/bus/bus.h"
#include "shared/loop/inlet.h"

struct bus_nats;

enum bus_nats_kind {
	BUS_NATS_UP,       /* connected, and the first `number` subscriptions are acknowledged */
	BUS_NATS_DOWN,     /* lost, or an attempt failed: error, text */
	BUS_NATS_MESSAGE,  /* for subscription number */
	BUS_NATS_SYNCED,   /* sync number: error */
	BUS_NATS_FINISHED, /* the thread is about to end; nothing comes after it */
};

/* What reaches the loop; free() it. The texts lie behind the struct. */
struct bus_nats_event {
	struct inlet_item item;
	enum bus_nats_kind kind;
	int error;
	uint32_t number;
	uint32_t sender;
	int no_responders;
	const char *subject, *reply; /* never NULL; for DOWN the reason stands in subject */
	const char *payload;
	size_t len;
	size_t charged_bytes; /* of the receive budget */
};

struct bus_nats_stats {
	uint64_t sent, received, dropped_in, dropped_out;
};

/* Copies @options. No thread yet. @fn on the loop for each event: takes it, must end with bus_nats_event_free(). */
int bus_nats_new(struct loop *loop, const struct bus_options *options,
		 void (*fn)(void *arg, struct bus_nats_event *event), void *arg, struct bus_nats **ret_nats);
/* Starts the thread: it connects, and reconnects for ever. -errno of pthread_create. */
int bus_nats_start(struct bus_nats *nats);
void bus_nats_event_free(struct bus_nats *nats, struct bus_nats_event *event);

/* Each queues a command for the thread: -ENOBUFS (BUS_QUEUE_BYTES_MAX), -EMSGSIZE (the server's own limit), -ENOMEM.
 * Loop thread. */
int bus_nats_publish(struct bus_nats *nats, const char *subject, const char *reply, const void *payload, size_t len);
int bus_nats_subscribe(struct bus_nats *nats, uint32_t number, const char *subject);
/* How many bus_nats_subscribe() has accepted so far. */
uint32_t bus_nats_subscribed(const struct bus_nats *nats);
int bus_nats_unsubscribe(struct bus_nats *nats, uint32_t number);
int bus_nats_sync(struct bus_nats *nats, uint32_t number);

void bus_nats_stats(struct bus_nats *nats, struct bus_nats_stats *ret_stats);

/* Asks the thread to disconnect and end; BUS_NATS_FINISHED tells. Without a thread nothing comes. */
void bus_nats_stop(struct bus_nats *nats);
/* Gives up the loop's side: no event any more. @finished: the thread has told so and is joined; else it is left to end
 * by itself. */
void bus_nats_free(struct bus_nats *nats, int finished);

#endif
