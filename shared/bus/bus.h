/* NATS for shoal: publish, subscribe, request/reply, scatter-gather. Everything asynchronous on the loop; nats.c itself
 * is only ever called by a helper thread of the bus (see bus_nats.h), so a stalled server cannot stall the loop.
 *
 * The bus connects in the background when it is first used and keeps trying (growing delay, jitter) for ever.
 * Without a URL it is off: calls return -SHOAL_EOFFLINE, subscriptions are accepted and hear nothing.
 * Core NATS: a message is delivered at most once. What must not be lost does not go this way. Loop thread only. */
#ifndef SHOAL_SHARED_BUS_BUS_H
#define SHOAL_SHARED_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/bus/subjects.h"
#include "shared/loop/loop.h"

#define BUS_PAYLOAD_MAX         (512 * 1024) /* one message */
#define BUS_REQUESTS_MAX        1024         /* requests and gathers waiting for answers */
#define BUS_SUBSCRIPTIONS_MAX   256
#define BUS_QUEUE_BYTES_MAX     (8 * 1024 * 1024) /* waiting to be sent; and as much received and not handled yet */
#define BUS_GATHER_EXPECTED_MAX 65536
#define BUS_GATHER_BYTES_MAX    (8 * 1024 * 1024) /* all answers of one gather together */
#define BUS_SENDER_NONE         UINT32_MAX

struct bus;
struct bus_subscription;

struct bus_options {
	const char *url;              /* "" or NULL: off. "nats://[user:pass@|token@]host:port[,…]"; tls:// for TLS */
	const char *cluster;          /* see subject_check_cluster() */
	const char *name;             /* what the server shows for this connection: "shoal-shard 7" */
	const char *credentials_file; /* NULL or a .creds file */
	const char *ca_file;          /* NULL: system; for tls:// */
	uint32_t sender;              /* our shard id, told with every answer; BUS_SENDER_NONE: a program without one */
	uint32_t connect_timeout_ms;  /* per server; 0: 2000 */
};

struct bus_events {
	/* Connected, and every subscription known so far is at the server. Again after each reconnect: caches whose
	 * invalidations may have been missed are to be flushed now. */
	void (*up)(void *arg);
	/* Lost, or an attempt failed for a new reason (@reason: words; borrowed). Not called for every repeated
	 * failure. */
	void (*down)(void *arg, int error, const char *reason);
};

/* Where an answer goes. A value: may be copied and kept, to answer later. */
struct bus_reply_to {
	char subject[SUBJECT_SIZE]; /* "" = no answer is wanted */
};

/* All borrowed for the callback. */
struct bus_message {
	const char *subject;
	const char *payload; /* not NUL-terminated; never NULL */
	size_t len;
	uint32_t sender; /* as told by the sender; BUS_SENDER_NONE */
	struct bus_reply_to reply_to;
};

typedef void (*bus_message_fn)(void *arg, struct bus *bus, const struct bus_message *message);

/* Exactly once per accepted request. @answer is NULL when @error is negative: -ETIMEDOUT, -EHOSTUNREACH (nobody listens
 * on that subject), -SHOAL_EUNKNOWN (the connection broke: it may have been done), -ECANCELED (close). */
typedef void (*bus_answer_fn)(void *arg, int error, const struct bus_message *answer);

struct bus_gather_answer {
	uint32_t sender;
	const char *payload; /* not NUL-terminated */
	size_t len;
	uint64_t elapsed_us; /* from the request */
};

struct bus_gather_result {
	int error; /* 0: answered or timed out as planned; -SHOAL_EUNKNOWN: the connection broke; -ECANCELED: close */
	const struct bus_gather_answer *answers; /* by rising sender; at most one a sender */
	size_t answer_count;
	const uint32_t *missing; /* expected and not heard, rising */
	size_t missing_count;
	size_t strange_count; /* answers from senders not expected, second answers, answers over the limit: dropped */
	uint64_t elapsed_us;
};
/* Exactly once; @result and all in it are borrowed. */
typedef void (*bus_gather_fn)(void *arg, const struct bus_gather_result *result);

/* Copies what it needs of @options; keeps @events and @loop. -EINVAL (cluster name, name), -ENOMEM. Starts nothing. */
int bus_new(struct loop *loop, const struct bus_options *options, const struct bus_events *events, void *arg,
	    struct bus **ret_bus);
/* Starts connecting now, if it has not begun. -SHOAL_EOFFLINE when off. */
int bus_start(struct bus *bus);
bool bus_is_on(const struct bus *bus); /* has a URL */
bool bus_is_up(const struct bus *bus);
/* Words for people: "off", "connecting", "up", "away: <reason>". Borrowed until the next loop pass. */
const char *bus_state_text(const struct bus *bus);

/* -SHOAL_EOFFLINE: off or not connected; -EMSGSIZE: over BUS_PAYLOAD_MAX or the server's limit; -ENOBUFS: too much
 * waits to be sent; -EINVAL: the subject. 0 means queued, not delivered. */
int bus_publish(struct bus *bus, enum subject_id id, const struct subject_params *params, const void *payload,
		size_t len);

/* Hears @id from now on, across reconnects. @fn may unsubscribe. -ENOBUFS over BUS_SUBSCRIPTIONS_MAX, -EINVAL. */
int bus_subscribe(struct bus *bus, enum subject_id id, const struct subject_params *params, bus_message_fn fn,
		  void *arg, struct bus_subscription **ret_subscription);
/* @fn is not called again. NULL is nothing to do. */
void bus_unsubscribe(struct bus_subscription *subscription);

/* @timeout_ms > 0. Errors as bus_publish (then @fn is not called), and -ENOBUFS over BUS_REQUESTS_MAX. */
int bus_request(struct bus *bus, enum subject_id id, const struct subject_params *params, const void *payload,
		size_t len, uint64_t timeout_ms, bus_answer_fn fn, void *arg);
/* Answers a request, now or later. As bus_publish; -EINVAL when no answer is wanted. */
int bus_reply(struct bus *bus, const struct bus_reply_to *reply_to, const void *payload, size_t len);

/* Asks all and collects: ends when every expected sender has answered, and at @timeout_ms at the latest.
 * @expected: the @expected_count senders (shard ids) that should answer, copied; NULL means 0 … expected_count-1.
 * Errors as bus_request. */
int bus_gather(struct bus *bus, enum subject_id id, const struct subject_params *params, const void *payload,
	       size_t len, const uint32_t *expected, size_t expected_count, uint64_t timeout_ms, bus_gather_fn fn,
	       void *arg);

/* @fn(error) once all that was queued before has reached the server (0), or has not (-SHOAL_EOFFLINE, -ETIMEDOUT,
 * -ECANCELED). For an orderly end, and for tests. */
typedef void (*bus_synced_fn)(void *arg, int error);
int bus_sync(struct bus *bus, bus_synced_fn fn, void *arg);

struct bus_stats {
	uint64_t sent, received, connects, disconnects;
	uint64_t dropped_in;  /* received and dropped: the loop did not keep up, or too large */
	uint64_t dropped_out; /* accepted and lost with the connection */
	uint64_t late;        /* answers to requests that were over */
	size_t requests, subscriptions;
};
void bus_stats(const struct bus *bus, struct bus_stats *ret_stats);

/* What was queued is still sent. Open requests end with -ECANCELED before it returns; then nothing is called but
 * @closed (may be NULL), when the thread has ended, or after BUS_CLOSE_WAIT_MS: a connect still under way then is left
 * to end by itself. Subscriptions are freed. */
#define BUS_CLOSE_WAIT_MS 1000
void bus_close(struct bus *bus, loop_fn closed, void *arg);

#endif
