/* The edge to nats.c. Run by: the loop (bus_nats_* calls, a mutex for a few instructions), one helper thread per bus
 * (thread_main: the only caller of the library's connection functions) and the library's own threads (on_message,
 * on_closed, on_error: copy, enqueue, return). Must not: call the library on the loop, touch bus.c's state, or let a
 * library callback keep a pointer to anything that may be freed: callbacks carry a number, looked up under a lock. */
#include "shared/bus/bus_nats.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <nats/nats.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/bus/bus_library.h"
#include "shared/bus/bus_nats_options.h"
#include "shared/log/log.h"

#define SENDER_HEADER "Shoal-Sender"

#define EVENTS_MAX         4096 /* messages between the library and the loop */
#define EVENTS_RESERVE     1024 /* further room in the inlet that only link news may use */
#define COMMANDS_MAX       8192
#define FLUSH_TIMEOUT_MS   2000
#define BACKOFF_FLOOR_MS   250
#define BACKOFF_CAP_MS     10000
#define STABLE_MS          10000 /* only a connection that stayed up this long resets the delay */
#define DELIVERED_WAIT_MS  1000
#define ERROR_LOG_EVERY_MS 10000

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

static void bus_nats_unref(struct bus_nats *nats);

/* For the library's callbacks: us with a reference, or NULL when we are gone. */
static struct bus_nats *find(void *closure, uint32_t *ret_number)
{
	return (struct bus_nats *)bus_closure_find(closure, ret_number);
}

/* --- events to the loop ------------------------------------------------------------------------------------------- */

static void event_drop(struct inlet_item *item)
{
	free(CONTAINER_OF(item, struct bus_nats_event, item));
}

void bus_nats_event_free(struct bus_nats *nats, struct bus_nats_event *event)
{
	if (!event)
		return;
	if (event->kind == BUS_NATS_MESSAGE) {
		atomic_fetch_sub(&nats->event_bytes, event->charged_bytes);
		atomic_fetch_sub(&nats->events, 1);
	}
	free(event);
}

static void on_inlet(void *arg, struct inlet_item *item)
{
	struct bus_nats *nats = arg;

	nats->fn(nats->arg, CONTAINER_OF(item, struct bus_nats_event, item));
}

static struct bus_nats_event *event_new(enum bus_nats_kind kind, const char *subject, const char *reply,
					const void *payload, size_t len)
{
	size_t subject_len = strlen(subject) + 1, reply_len = strlen(reply) + 1;
	struct bus_nats_event *event = calloc(1, sizeof(*event) + subject_len + reply_len + len + 1);
	char *at;

	if (!event)
		return NULL;
	at = (char *)(event + 1);
	event->kind = kind;
	event->sender = BUS_SENDER_NONE;
	event->subject = memcpy(at, subject, subject_len);
	event->reply = memcpy(at + subject_len, reply, reply_len);
	event->payload = at + subject_len + reply_len;
	event->len = len;
	if (len)
		memcpy(at + subject_len + reply_len, payload, len);
	return event;
}

static void deadline_in(struct timespec *ts, uint64_t ms)
{
	uint64_t ns = clock_monotonic_ns() + ms * NS_PER_MS;

	ts->tv_sec = (time_t)(ns / NS_PER_S);
	ts->tv_nsec = (long)(ns % NS_PER_S);
}

/* News of the link are never dropped: the thread waits for memory or room, which the loop makes by draining. */
static void post_news(struct bus_nats *nats, enum bus_nats_kind kind, uint32_t number, int error, const char *text)
{
	struct bus_nats_event *event;
	struct timespec ts;
	int r;

	for (;;) {
		event = event_new(kind, text, "", NULL, 0);
		if (event) {
			event->number = number;
			event->error = error;
			r = inlet_put(nats->inlet, &event->item);
			if (r == 0)
				return;
			free(event);
			if (r == -ESHUTDOWN)
				return;
		}
		deadline_in(&ts, 50);
		pthread_mutex_lock(&nats->lock);
		pthread_cond_timedwait(&nats->wake, &nats->lock, &ts);
		pthread_mutex_unlock(&nats->lock);
	}
}

static uint32_t header_sender(natsMsg *message)
{
	const char *text = NULL;
	unsigned long value;
	char *end;

	if (natsMsgHeader_Get(message, SENDER_HEADER, &text) != NATS_OK || !text || *text < '0' || *text > '9')
		return BUS_SENDER_NONE;
	errno = 0;
	value = strtoul(text, &end, 10);
	return *end || errno || value >= BUS_SENDER_NONE ? BUS_SENDER_NONE : (uint32_t)value;
}

/* Library thread. 0 when it was handed over. */
static int message_take(struct bus_nats *nats, uint32_t number, natsMsg *message)
{
	const char *subject = natsMsg_GetSubject(message), *reply = natsMsg_GetReply(message);
	int data_len = natsMsg_GetDataLength(message);
	size_t len = data_len > 0 ? (size_t)data_len : 0;
	struct bus_nats_event *event;
	size_t charge;
	int r;

	if (!subject)
		subject = "";
	if (!reply)
		reply = "";
	if (len > BUS_PAYLOAD_MAX)
		return -EMSGSIZE;
	charge = sizeof(*event) + len + strlen(subject) + strlen(reply);
	if (atomic_fetch_add(&nats->event_bytes, charge) + charge > BUS_QUEUE_BYTES_MAX) {
		atomic_fetch_sub(&nats->event_bytes, charge);
		return -ENOBUFS;
	}
	if (atomic_fetch_add(&nats->events, 1) >= EVENTS_MAX) {
		r = -ENOBUFS;
		goto refund;
	}
	event = event_new(BUS_NATS_MESSAGE, subject, reply, natsMsg_GetData(message), len);
	if (!event) {
		r = -ENOMEM;
		goto refund;
	}
	event->number = number;
	event->sender = header_sender(message);
	event->no_responders = natsMsg_IsNoResponders(message);
	event->charged_bytes = charge;
	r = inlet_put(nats->inlet, &event->item);
	if (r == 0)
		return 0;
	free(event);
refund:
	atomic_fetch_sub(&nats->event_bytes, charge);
	atomic_fetch_sub(&nats->events, 1);
	return r;
}

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *closure)
{
	uint32_t number;
	struct bus_nats *nats = find(closure, &number);

	(void)connection;
	(void)subscription;
	if (nats) {
		atomic_fetch_add(&nats->received, 1);
		if (message_take(nats, number, message) < 0)
			atomic_fetch_add(&nats->dropped_in, 1);
		bus_nats_unref(nats);
	}
	natsMsg_Destroy(message);
}

/* Library thread: the connection with that number is gone. */
static void on_closed(natsConnection *connection, void *closure)
{
	uint32_t number;
	struct bus_nats *nats = find(closure, &number);

	(void)connection;
	if (!nats)
		return;
	pthread_mutex_lock(&nats->lock);
	nats->lost_connection = number;
	pthread_cond_signal(&nats->wake);
	pthread_mutex_unlock(&nats->lock);
	bus_nats_unref(nats);
}

/* Library thread: a permission refused, a subscriber too slow. Said, not hidden; at most once in ten seconds. */
static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status, void *closure)
{
	uint64_t now = clock_monotonic_ns();
	uint32_t number;
	struct bus_nats *nats = find(closure, &number);
	char reason[BUS_NATS_REASON_SIZE];
	const char *text = NULL;
	bool say;

	(void)subscription;
	if (!nats)
		return;
	if (natsConnection_GetLastError(connection, &text) == NATS_OK || !text || !*text)
		text = natsStatus_GetText(status);
	snprintf(reason, sizeof(reason), "%s", text);
	pthread_mutex_lock(&nats->lock);
	say = nats->error_logged_ns == 0 || now - nats->error_logged_ns >= ERROR_LOG_EVERY_MS * NS_PER_MS;
	if (say)
		nats->error_logged_ns = now;
	pthread_mutex_unlock(&nats->lock);
	if (say)
		log_warn(NULL, "bus.trouble", KV_STR("status", natsStatus_GetText(status)), KV_MSG(reason));
	bus_nats_unref(nats);
}

/* --- commands from the loop --------------------------------------------------------------------------------------- */

static void command_free(struct command *command)
{
	free(command->heard);
	free(command);
}

static int command_put(struct bus_nats *nats, enum command_kind kind, uint32_t number, struct heard *heard,
		       const char *subject, const char *reply, const void *payload, size_t len)
{
	size_t subject_len = subject ? strlen(subject) + 1 : 0, reply_len = reply ? strlen(reply) + 1 : 0;
	size_t bytes = sizeof(struct command) + len + subject_len + reply_len;
	struct command *command = malloc(bytes);
	int r = 0;

	if (!command)
		return -ENOMEM;
	*command = (struct command){ .kind = kind, .number = number, .heard = heard, .len = len, .bytes = bytes };
	if (len)
		memcpy(command->payload, payload, len);
	if (subject)
		command->subject = memcpy(command->payload + len, subject, subject_len);
	if (reply)
		command->reply = memcpy(command->payload + len + subject_len, reply, reply_len);

	pthread_mutex_lock(&nats->lock);
	/* Subscriptions are bounded by bus.c and must not fail because a flood is waiting. */
	if (kind == COMMAND_PUBLISH &&
	    (nats->command_count >= COMMANDS_MAX || nats->command_bytes + bytes > BUS_QUEUE_BYTES_MAX)) {
		r = -ENOBUFS;
	} else {
		nats->command_count++;
		nats->command_bytes += bytes;
		if (nats->last)
			nats->last->next = command;
		else
			nats->first = command;
		nats->last = command;
		pthread_cond_signal(&nats->wake);
	}
	pthread_mutex_unlock(&nats->lock);
	if (r < 0)
		free(command);
	return r;
}

int bus_nats_publish(struct bus_nats *nats, const char *subject, const char *reply, const void *payload, size_t len)
{
	long long max = atomic_load(&nats->max_payload);

	/* The header line counts too; 64 bytes is more than ours needs. */
	if (max > 0 && len + 64 > (unsigned long long)max)
		return -EMSGSIZE;
	return command_put(nats, COMMAND_PUBLISH, 0, NULL, subject, reply, payload, len);
}

int bus_nats_subscribe(struct bus_nats *nats, uint32_t number, const char *subject)
{
	size_t size = strlen(subject) + 1;
	struct heard *heard = calloc(1, sizeof(*heard) + size);
	int r;

	if (!heard)
		return -ENOMEM;
	heard->number = number;
	memcpy(heard->subject, subject, size);
	r = command_put(nats, COMMAND_SUBSCRIBE, number, heard, NULL, NULL, NULL, 0);
	if (r < 0)
		free(heard);
	else
		nats->subscribed++;
	return r;
}

uint32_t bus_nats_subscribed(const struct bus_nats *nats)
{
	return nats->subscribed;
}

int bus_nats_unsubscribe(struct bus_nats *nats, uint32_t number)
{
	return command_put(nats, COMMAND_UNSUBSCRIBE, number, NULL, NULL, NULL, NULL, 0);
}

int bus_nats_sync(struct bus_nats *nats, uint32_t number)
{
	return command_put(nats, COMMAND_SYNC, number, NULL, NULL, NULL, NULL, 0);
}

/* The first command, no longer counted; NULL when none waits. Caller holds the lock. */
static struct command *command_take(struct bus_nats *nats)
{
	struct command *command = nats->first;

	if (!command)
		return NULL;
	nats->first = command->next;
	if (!nats->first)
		nats->last = NULL;
	nats->command_count--;
	nats->command_bytes -= command->bytes;
	return command;
}

/* --- the thread: doing commands ----------------------------------------------------------------------------------- */

static natsStatus publish(struct bus_nats *nats, const struct command *command)
{
	natsMsg *message = NULL;
	char sender[16];
	natsStatus s;

	s = natsMsg_Create(&message, command->subject, command->reply, command->payload, (int)command->len);
	if (s == NATS_OK && nats->sender != BUS_SENDER_NONE) {
		snprintf(sender, sizeof(sender), "%u", nats->sender);
		s = natsMsgHeader_Set(message, SENDER_HEADER, sender);
	}
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(nats->connection, message);
	natsMsg_Destroy(message);
	if (s == NATS_OK)
		atomic_fetch_add(&nats->sent, 1);
	else
		atomic_fetch_add(&nats->dropped_out, 1);
	/* The server's own limit on sizes is the one refusal that leaves the connection sound. */
	return s == NATS_MAX_PAYLOAD ? NATS_OK : s;
}

/* Library thread: the last message of a subscription that was closed has been delivered. */
static void on_delivered(void *closure)
{
	uint32_t number;
	struct bus_nats *nats = find(closure, &number);

	if (!nats)
		return;
	pthread_mutex_lock(&nats->lock);
	if (nats->delivering > 0) /* else disconnect() waited long enough for this one */
		nats->delivering--;
	pthread_cond_signal(&nats->wake);
	pthread_mutex_unlock(&nats->lock);
	bus_nats_unref(nats);
}

static natsStatus heard_attach(struct bus_nats *nats, struct heard *heard)
{
	void *closure = bus_closure(&nats->owner, heard->number);
	natsStatus s;

	s = natsConnection_Subscribe(&heard->subscription, nats->connection, heard->subject, on_message, closure);
	if (s != NATS_OK)
		return s;
	pthread_mutex_lock(&nats->lock);
	nats->delivering++;
	pthread_mutex_unlock(&nats->lock);
	s = natsSubscription_SetOnCompleteCB(heard->subscription, on_delivered, closure);
	if (s != NATS_OK) { /* closed meanwhile with its connection: it will not tell */
		pthread_mutex_lock(&nats->lock);
		nats->delivering--;
		pthread_mutex_unlock(&nats->lock);
	}
	return s;
}

static natsStatus heard_add(struct bus_nats *nats, struct command *command)
{
	struct heard *heard = TAKE(command->heard);

	heard->next = nats->heard;
	nats->heard = heard;
	nats->heard_count++;
	return nats->connection ? heard_attach(nats, heard) : NATS_OK;
}

static void heard_remove(struct bus_nats *nats, uint32_t number)
{
	struct heard **link = &nats->heard, *heard;

	while (*link && (*link)->number != number)
		link = &(*link)->next;
	heard = *link;
	if (!heard)
		return;
	*link = heard->next;
	natsSubscription_Destroy(heard->subscription); /* takes NULL; tells the server */
	free(heard);
}

/* Anything but NATS_OK means that this connection is of no more use. */
static natsStatus command_do(struct bus_nats *nats, struct command *command)
{
	natsStatus s = NATS_OK;

	switch (command->kind) {
	case COMMAND_PUBLISH:
		if (nats->connection)
			return publish(nats, command);
		atomic_fetch_add(&nats->dropped_out, 1);
		return NATS_OK;
	case COMMAND_SUBSCRIBE:
		return heard_add(nats, command);
	case COMMAND_UNSUBSCRIBE:
		heard_remove(nats, command->number);
		return NATS_OK;
	case COMMAND_SYNC:
		if (nats->connection)
			s = natsConnection_FlushTimeout(nats->connection, FLUSH_TIMEOUT_MS);
		post_news(nats, BUS_NATS_SYNCED, command->number,
			  !nats->connection   ? -SHOAL_EOFFLINE
			  : s == NATS_OK      ? 0
			  : s == NATS_TIMEOUT ? -ETIMEDOUT
					      : -EIO,
			  "");
		return s;
	}
	return NATS_OK;
}

/* --- the thread: connecting --------------------------------------------------------------------------------------- */

/* Also waits until the library's thread is through with our subscriptions: so no message comes after the news that the
 * link is down, and the library is never shut down with something of ours in its hands (3.4 would lose that memory). */
static void disconnect(struct bus_nats *nats)
{
	struct timespec ts;
	int r = 0;

	for (struct heard *heard = nats->heard; heard; heard = heard->next) {
		natsSubscription_Destroy(heard->subscription);
		heard->subscription = NULL;
	}
	natsConnection_Destroy(nats->connection);
	nats->connection = NULL;
	deadline_in(&ts, DELIVERED_WAIT_MS);
	pthread_mutex_lock(&nats->lock);
	while (nats->delivering > 0 && r == 0)
		r = pthread_cond_timedwait(&nats->wake, &nats->lock, &ts);
	nats->delivering = 0;
	pthread_mutex_unlock(&nats->lock);
}

#define TRY(call)                   \
	do {                        \
		if (s == NATS_OK)   \
			s = (call); \
	} while (0)

/* Connected with every subscription acknowledged, or nothing is left of the attempt. */
static natsStatus connect_once(struct bus_nats *nats, char reason[BUS_NATS_REASON_SIZE])
{
	struct bus_nats_callbacks callbacks = { on_closed, on_error,
						bus_closure(&nats->owner, ++nats->connection_number) };
	natsOptions *options = NULL;
	natsStatus s;

	s = bus_nats_options_make(&nats->settings, &callbacks, EVENTS_MAX, &options);
	TRY(natsConnection_Connect(&nats->connection, options));
	if (s == NATS_OK && natsConnection_HasHeaderSupport(nats->connection) != NATS_OK) {
		snprintf(reason, BUS_NATS_REASON_SIZE,
			 "the server has no message headers: nats-server 2.2 or newer is needed");
		s = NATS_NO_SERVER_SUPPORT;
	}
	if (s == NATS_OK)
		atomic_store(&nats->max_payload, natsConnection_GetMaxPayload(nats->connection));
	for (struct heard *heard = nats->heard; heard && s == NATS_OK; heard = heard->next)
		s = heard_attach(nats, heard);
	TRY(natsConnection_FlushTimeout(nats->connection, FLUSH_TIMEOUT_MS));
	if (s != NATS_OK) {
		if (!reason[0])
			bus_nats_describe(&nats->settings, s, reason);
		disconnect(nats);
	}
	natsOptions_Destroy(options);
	return s;
}

/* Does commands until the connection is lost, or all are done and we are to stop (then NATS_OK). */
static natsStatus serve(struct bus_nats *nats)
{
	struct command *command;
	natsStatus s = NATS_OK;

	pthread_mutex_lock(&nats->lock);
	while (s == NATS_OK) {
		if (nats->lost_connection == nats->connection_number) {
			s = NATS_CONNECTION_CLOSED;
			break;
		}
		command = command_take(nats);
		if (command) {
			pthread_mutex_unlock(&nats->lock);
			s = command_do(nats, command);
			command_free(command);
			pthread_mutex_lock(&nats->lock);
		} else if (nats->stopping) {
			break;
		} else {
			pthread_cond_wait(&nats->wake, &nats->lock);
		}
	}
	pthread_mutex_unlock(&nats->lock);
	return s;
}

/* Does what can be done without a connection for @wait_ms, or until we are to stop. */
static void serve_offline(struct bus_nats *nats, uint64_t wait_ms)
{
	struct command *command;
	struct timespec ts;
	int r = 0;

	deadline_in(&ts, wait_ms);
	pthread_mutex_lock(&nats->lock);
	for (;;) {
		command = command_take(nats);
		if (command) {
			pthread_mutex_unlock(&nats->lock);
			command_do(nats, command);
			command_free(command);
			pthread_mutex_lock(&nats->lock);
			continue;
		}
		if (nats->stopping || r == ETIMEDOUT)
			break;
		r = pthread_cond_timedwait(&nats->wake, &nats->lock, &ts);
	}
	pthread_mutex_unlock(&nats->lock);
}

static bool is_stopping(struct bus_nats *nats)
{
	bool stopping;

	pthread_mutex_lock(&nats->lock);
	stopping = nats->stopping;
	pthread_mutex_unlock(&nats->lock);
	return stopping;
}

/* The delay before the next attempt: doubled each time, and spread, so that a fleet does not come back as one. */
static uint64_t backoff_next(struct bus_nats *nats)
{
	uint64_t base = nats->backoff_ms, roll = 0;

	nats->backoff_ms = base * 2 < BACKOFF_CAP_MS ? base * 2 : BACKOFF_CAP_MS;
	if (getrandom(&roll, sizeof(roll), GRND_NONBLOCK) != sizeof(roll))
		roll = clock_monotonic_ns();
	return base / 2 + roll % base;
}

static void describe_loss(struct bus_nats *nats, natsStatus s, char reason[BUS_NATS_REASON_SIZE])
{
	const char *text = NULL;

	if (nats->connection && natsConnection_GetLastError(nats->connection, &text) != NATS_OK && text && *text)
		snprintf(reason, BUS_NATS_REASON_SIZE, "connection to %s lost: %s", nats->settings.servers,
			 bus_nats_words(text));
	else
		snprintf(reason, BUS_NATS_REASON_SIZE, "connection to %s lost: %s", nats->settings.servers,
			 natsStatus_GetText(s));
}

/* One life of the link: connect, serve, say why it ended. */
static void link_once(struct bus_nats *nats)
{
	char reason[BUS_NATS_REASON_SIZE] = "";
	uint64_t since;
	natsStatus s;

	serve_offline(nats, 0); /* what was subscribed meanwhile is to be there when the link is up */
	s = connect_once(nats, reason);
	if (s == NATS_OK) {
		since = clock_monotonic_ns();
		post_news(nats, BUS_NATS_UP, nats->heard_count, 0, "");
		s = serve(nats);
		if (s != NATS_OK)
			describe_loss(nats, s, reason);
		disconnect(nats);
		if (clock_monotonic_ns() - since >= STABLE_MS * NS_PER_MS)
			nats->backoff_ms = BACKOFF_FLOOR_MS;
	}
	if (s == NATS_OK)
		return; /* stopping */
	post_news(nats, BUS_NATS_DOWN, 0, bus_nats_error_of(s), reason);
	serve_offline(nats, backoff_next(nats));
}

static void *thread_main(void *arg)
{
	struct bus_nats *nats = arg;
	struct heard *heard;
	bool open;

	pthread_setname_np(pthread_self(), "bus");
	while (!(open = bus_library_open() == 0) && !is_stopping(nats)) {
		post_news(nats, BUS_NATS_DOWN, 0, -ENOMEM, "the NATS library could not start");
		serve_offline(nats, backoff_next(nats));
	}
	while (!is_stopping(nats))
		link_once(nats);
	serve_offline(nats, 0);
	while ((heard = nats->heard)) {
		nats->heard = heard->next;
		free(heard);
	}
	if (open)
		bus_library_close();
	post_news(nats, BUS_NATS_FINISHED, 0, 0, "");
	bus_nats_unref(nats);
	return NULL;
}

/* --- the loop's handle -------------------------------------------------------------------------------------------- */

static void bus_nats_destroy(struct bus_nats *nats)
{
	struct command *command;

	while ((command = command_take(nats)))
		command_free(command);
	inlet_unref(nats->inlet);
	pthread_cond_destroy(&nats->wake);
	pthread_mutex_destroy(&nats->lock);
	bus_nats_settings_finish(&nats->settings);
	free(nats);
}

static void bus_nats_unref(struct bus_nats *nats)
{
	if (bus_owner_unref(&nats->owner))
		bus_nats_destroy(nats);
}

int bus_nats_new(struct loop *loop, const struct bus_options *options,
		 void (*fn)(void *arg, struct bus_nats_event *event), void *arg, struct bus_nats **ret_nats)
{
	struct bus_nats *nats = calloc(1, sizeof(*nats));
	pthread_condattr_t attr;
	int r;

	if (!nats)
		return -ENOMEM;
	nats->fn = fn;
	nats->arg = arg;
	nats->sender = options->sender;
	nats->backoff_ms = BACKOFF_FLOOR_MS;
	r = bus_nats_settings_init(&nats->settings, options);
	if (r == 0)
		r = bus_owner_add(&nats->owner);
	if (r < 0) {
		bus_nats_settings_finish(&nats->settings);
		free(nats);
		return r;
	}
	r = inlet_new(loop, EVENTS_MAX + EVENTS_RESERVE, on_inlet, event_drop, nats, &nats->inlet);
	if (r < 0) {
		bus_owner_unref(&nats->owner);
		bus_nats_settings_finish(&nats->settings);
		free(nats);
		return r;
	}
	pthread_mutex_init(&nats->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&nats->wake, &attr);
	pthread_condattr_destroy(&attr);
	inlet_ref(nats->inlet);
	*ret_nats = nats;
	return 0;
}

/* The thread, and those that the library starts from it, take no signals: they are the loop's. But for those that a
 * fault raises: blocked, they would end the process without its handler, and so without a backtrace. */
static int create_quiet_thread(struct bus_nats *nats)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	sigset_t blocked, before;
	int r;

	sigfillset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&blocked, faults[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	r = pthread_create(&nats->thread, NULL, thread_main, nats);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int bus_nats_start(struct bus_nats *nats)
{
	int r;

	if (nats->started)
		return 0;
	bus_owner_ref(&nats->owner);
	r = create_quiet_thread(nats);
	if (r != 0) {
		bus_nats_unref(nats);
		return -r;
	}
	nats->started = true;
	return 0;
}

void bus_nats_stats(struct bus_nats *nats, struct bus_nats_stats *ret_stats)
{
	*ret_stats = (struct bus_nats_stats){
		.sent = atomic_load(&nats->sent),
		.received = atomic_load(&nats->received),
		.dropped_in = atomic_load(&nats->dropped_in),
		.dropped_out = atomic_load(&nats->dropped_out),
	};
}

void bus_nats_stop(struct bus_nats *nats)
{
	pthread_mutex_lock(&nats->lock);
	nats->stopping = true;
	pthread_cond_signal(&nats->wake);
	pthread_mutex_unlock(&nats->lock);
}

void bus_nats_free(struct bus_nats *nats, int finished)
{
	if (!nats)
		return;
	bus_nats_stop(nats);
	inlet_close(nats->inlet);
	if (nats->started) {
		if (finished)
			pthread_join(nats->thread, NULL); /* it has nothing left to do but return */
		else
			pthread_detach(nats->thread);
	}
	bus_nats_unref(nats);
}
