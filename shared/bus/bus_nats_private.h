/* What the two sides of the edge to nats.c share: bus_nats.c (the loop's calls) and bus_nats_thread.c (the thread, and
 * the library's callbacks). Nobody else includes it. */
#ifndef SHOAL_SHARED_BUS_BUS_NATS_PRIVATE_H
#define SHOAL_SHARED_BUS_BUS_NATS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include <nats/nats.h>

#include "shared/bus/bus_library.h"
#include "shared/bus/bus_nats.h"
#include "shared/bus/bus_nats_options.h"

#define EVENTS_MAX       4096 /* messages between the library and the loop */
#define BACKOFF_FLOOR_MS 250

enum command_kind { COMMAND_PUBLISH, COMMAND_SUBSCRIBE, COMMAND_UNSUBSCRIBE, COMMAND_SYNC };

/* The thread's own book of subscriptions: they are made again on every connection. Allocated by the loop, where a lack
 * of memory can still be told to somebody. */
struct heard {
	struct heard *next;
	uint32_t number;
	natsSubscription *subscription; /* on the connection of now, or NULL */
	char subject[];
};

struct command {
	struct command *next;
	enum command_kind kind;
	uint32_t number;
	struct heard *heard;         /* SUBSCRIBE: becomes the book's */
	const char *subject, *reply; /* behind the payload; NULL: none */
	size_t len, bytes;
	char payload[];
};

struct bus_nats {
	struct bus_owner owner; /* first: the library's callbacks find us by it */
	pthread_mutex_t lock;   /* commands, stopping, lost_connection, delivering, error_logged_ns */
	pthread_cond_t wake;
	struct command *first, *last;
	size_t command_count, command_bytes;
	bool stopping;
	uint32_t lost_connection;
	unsigned int delivering; /* subscriptions that the library has not let go of */
	uint64_t error_logged_ns;

	/* thread only */
	natsConnection *connection;
	uint32_t connection_number;
	struct heard *heard;
	uint32_t heard_count; /* subscriptions ever taken into the book */
	uint64_t backoff_ms;

	/* constant after bus_nats_new() */
	struct bus_nats_settings settings;
	uint32_t sender;
	struct inlet *inlet;
	void (*fn)(void *arg, struct bus_nats_event *event);
	void *arg;

	/* loop only */
	uint32_t subscribed; /* subscriptions ever asked for */
	pthread_t thread;
	bool started;

	atomic_size_t events, event_bytes;
	atomic_ullong sent, received, dropped_in, dropped_out;
	atomic_llong max_payload; /* what the server of now accepts; 0: not known */
};

/* A reference gone; any thread. */
void bus_nats_unref(struct bus_nats *nats);
/* CLOCK_MONOTONIC, as nats->wake waits by. */
void bus_nats_deadline_in(struct timespec *ts, uint64_t ms);

/* Any thread. NULL: no memory. Texts and payload are copied. */
struct bus_nats_event *bus_nats_event_new(enum bus_nats_kind kind, const char *subject, const char *reply,
					  const void *payload, size_t len);
/* The thread's: news of the link are never dropped; it waits for memory or room, which the loop makes by draining. */
void bus_nats_post_news(struct bus_nats *nats, enum bus_nats_kind kind, uint32_t number, int error, const char *text);

/* The oldest one, now the caller's; NULL: none. Under nats->lock, or when nobody else is left. */
struct command *bus_nats_command_take(struct bus_nats *nats);
void bus_nats_command_free(struct command *command);

/* The thread: connects, does commands, tells news, until it is told to stop. @arg: a struct bus_nats, whose reference
 * it gives back. */
void *bus_nats_thread_main(void *arg);

#endif
