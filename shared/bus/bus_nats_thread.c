/* The edge to nats.c, its far side. Run by one helper thread per bus (bus_nats_thread_main(): the only caller of the
 * library's connection functions) and by the library's own threads (on_message, on_closed, on_error, on_delivered:
 * copy, enqueue, return). Must not touch bus.c's state, or let a library callback keep a pointer to anything that may
 * be freed: callbacks carry a number, looked up under a lock. */
#include "shared/bus/bus_nats_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define SENDER_HEADER      "Shoal-Sender"
#define FLUSH_TIMEOUT_MS   2000
#define BACKOFF_CAP_MS     10000
#define STABLE_MS          10000 /* only a connection that stayed up this long resets the delay */
#define DELIVERED_WAIT_MS  1000
#define ERROR_LOG_EVERY_MS 10000

/* For the library's callbacks: us with a reference, or NULL when we are gone. */
static struct bus_nats *find(void *closure, uint32_t *ret_number)
{
	return (struct bus_nats *)bus_closure_find(closure, ret_number);
}

/* --- what the library tells --------------------------------------------------------------------------------------- */

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
	event = bus_nats_event_new(BUS_NATS_MESSAGE, subject, reply, natsMsg_GetData(message), len);
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
		bus_nats_post_news(nats, BUS_NATS_SYNCED, command->number,
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
	bus_nats_deadline_in(&ts, DELIVERED_WAIT_MS);
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
		command = bus_nats_command_take(nats);
		if (command) {
			pthread_mutex_unlock(&nats->lock);
			s = command_do(nats, command);
			bus_nats_command_free(command);
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

	bus_nats_deadline_in(&ts, wait_ms);
	pthread_mutex_lock(&nats->lock);
	for (;;) {
		command = bus_nats_command_take(nats);
		if (command) {
			pthread_mutex_unlock(&nats->lock);
			command_do(nats, command);
			bus_nats_command_free(command);
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
		bus_nats_post_news(nats, BUS_NATS_UP, nats->heard_count, 0, "");
		s = serve(nats);
		if (s != NATS_OK)
			describe_loss(nats, s, reason);
		disconnect(nats);
		if (clock_monotonic_ns() - since >= STABLE_MS * NS_PER_MS)
			nats->backoff_ms = BACKOFF_FLOOR_MS;
	}
	if (s == NATS_OK)
		return; /* stopping */
	bus_nats_post_news(nats, BUS_NATS_DOWN, 0, bus_nats_error_of(s), reason);
	serve_offline(nats, backoff_next(nats));
}

void *bus_nats_thread_main(void *arg)
{
	struct bus_nats *nats = arg;
	struct heard *heard;
	bool open;

	pthread_setname_np(pthread_self(), "bus");
	while (!(open = bus_library_open() == 0) && !is_stopping(nats)) {
		bus_nats_post_news(nats, BUS_NATS_DOWN, 0, -ENOMEM, "the NATS library could not start");
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
	bus_nats_post_news(nats, BUS_NATS_FINISHED, 0, 0, "");
	bus_nats_unref(nats);
	return NULL;
}
