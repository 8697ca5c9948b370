/* The edge to nats.c. Run by: the loop (bus_nats_* calls, a mutex for a few instructions), one helper thread per bus
 * (thread_main: the only caller of the library's connection functions) and the library's own threads (on_message,
 * on_closed, on_error: copy, enqueue, return). Must not: call the library on the loop, touch bus.c's state, or let a
 * library callback keep a pointer to anything that may be freed: callbacks carry a number, looked up under a lock. */
#include "shared/bus/bus_nats.h"

#include <errno.h>
#include <limits.h>
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
#include "shared/log/log.h"

#define SENDER_HEADER "Shoal-Sender"

#define EVENTS_MAX         4096 /* messages between the library and the loop */
#define EVENTS_RESERVE     1024 /* further room in the inlet that only link news may use */
#define COMMANDS_MAX       8192
#define SERVERS_MAX        16
#define CONNECT_TIMEOUT_MS 2000
#define WRITE_DEADLINE_MS  2000
#define FLUSH_TIMEOUT_MS   2000
#define PING_INTERVAL_MS   10000 /* two unanswered: the server is gone, though the socket says nothing */
#define PINGS_OUT_MAX      2
#define IO_BUFFER_BYTES    8192
#define BACKOFF_FLOOR_MS   250
#define BACKOFF_CAP_MS     10000
#define STABLE_MS          10000 /* only a connection that stayed up this long resets the delay */
#define DELIVERED_WAIT_MS  1000
#define LIBRARY_CLOSE_MS   2000
#define REASON_SIZE        256
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
	pthread_mutex_t lock; /* refs, commands, stopping, lost_connection, delivering, error_logged_ns */
	pthread_cond_t wake;
	unsigned int refs;
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
	uint64_t backoff_ms;

	/* constant after bus_nats_new() */
	uint32_t serial;
	char *url, *name, *credentials_file, *ca_file;
	char servers[REASON_SIZE / 2]; /* hosts and ports of the URL, for people: without what may be a password */
	uint32_t sender, connect_timeout_ms;
	struct inlet *inlet;
	void (*fn)(void *arg, struct bus_nats_event *event);
	void *arg;

	/* loop only */
	pthread_t thread;
	bool started;

	atomic_size_t events, event_bytes;
	atomic_ullong sent, received, dropped_in, dropped_out;
	atomic_llong max_payload; /* what the server of now accepts; 0: not known */
};

/* --- the library's callbacks find us by number: a late callback of a connection that is gone finds nothing
 * ------------ */

#define LIVE_MAX 16

static pthread_mutex_t live_lock = PTHREAD_MUTEX_INITIALIZER;
static struct bus_nats *live[LIVE_MAX];
static uint32_t live_serial;

_Static_assert(sizeof(void *) >= sizeof(uint64_t), "a closure carries two 32-bit numbers");

static void *closure_pack(uint32_t serial, uint32_t number)
{
	return (void *)(uintptr_t)((uint64_t)serial << 32 | number);
}

static void nats_unref(struct bus_nats *nats);

/* With a reference, or NULL. */
static struct bus_nats *closure_find(void *closure, uint32_t *ret_number)
{
	uint64_t packed = (uint64_t)(uintptr_t)closure;
	struct bus_nats *found = NULL;

	pthread_mutex_lock(&live_lock);
	for (size_t i = 0; i < LIVE_MAX && !found; i++)
		if (live[i] && live[i]->serial == (uint32_t)(packed >> 32))
			found = live[i];
	if (found) {
		pthread_mutex_lock(&found->lock);
		found->refs++;
		pthread_mutex_unlock(&found->lock);
	}
	pthread_mutex_unlock(&live_lock);
	*ret_number = (uint32_t)packed;
	return found;
}

static int live_add(struct bus_nats *nats)
{
	int r = -ENOBUFS;

	pthread_mutex_lock(&live_lock);
	for (size_t i = 0; i < LIVE_MAX; i++)
		if (!live[i]) {
			live[i] = nats;
			nats->serial = ++live_serial;
			r = 0;
			break;
		}
	pthread_mutex_unlock(&live_lock);
	return r;
}

/* --- the library as such is opened by the first bus and closed by the last, always on a helper thread
 * ----------------- */

static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int library_users;

static int library_open(void)
{
	natsStatus s = NATS_OK;

	pthread_mutex_lock(&library_lock);
	if (library_users == 0) {
		s = nats_Open(0); /* no spinning on locks: many processes share the cores */
		if (s == NATS_OK)
			s = nats_SetMessageDeliveryPoolSize(1);
	}
	if (s == NATS_OK)
		library_users++;
	pthread_mutex_unlock(&library_lock);
	return s == NATS_OK ? 0 : -ENOMEM;
}

static void library_close(void)
{
	pthread_mutex_lock(&library_lock);
	if (--library_users == 0)
		nats_CloseAndWait(LIBRARY_CLOSE_MS);
	else
		nats_ReleaseThreadMemory();
	pthread_mutex_unlock(&library_lock);
}

/* --- events to the loop
 * ------------------------------------------------------------------------------------------------ */

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
	struct bus_nats *nats = closure_find(closure, &number);

	(void)connection;
	(void)subscription;
	if (nats) {
		atomic_fetch_add(&nats->received, 1);
		if (message_take(nats, number, message) < 0)
			atomic_fetch_add(&nats->dropped_in, 1);
		nats_unref(nats);
	}
	natsMsg_Destroy(message);
}

/* Library thread: the connection with that number is gone. */
static void on_closed(natsConnection *connection, void *closure)
{
	uint32_t number;
	struct bus_nats *nats = closure_find(closure, &number);

	(void)connection;
	if (!nats)
		return;
	pthread_mutex_lock(&nats->lock);
	nats->lost_connection = number;
	pthread_cond_signal(&nats->wake);
	pthread_mutex_unlock(&nats->lock);
	nats_unref(nats);
}

/* Library thread: a permission refused, a subscriber too slow. Said, not hidden; at most once in ten seconds. */
static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status, void *closure)
{
	uint64_t now = clock_monotonic_ns();
	uint32_t number;
	struct bus_nats *nats = closure_find(closure, &number);
	char reason[REASON_SIZE];
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
	nats_unref(nats);
}

/* --- commands from the loop
 * -------------------------------------------------------------------------------------------- */

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
	return r;
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

/* --- the thread: doing commands
 * ----------------------------------------------------------------------------------------- */

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
	struct bus_nats *nats = closure_find(closure, &number);

	if (!nats)
		return;
	pthread_mutex_lock(&nats->lock);
	if (nats->delivering > 0) /* else disconnect() waited long enough for this one */
		nats->delivering--;
	pthread_cond_signal(&nats->wake);
	pthread_mutex_unlock(&nats->lock);
	nats_unref(nats);
}

static natsStatus heard_attach(struct bus_nats *nats, struct heard *heard)
{
	void *closure = closure_pack(nats->serial, heard->number);
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

/* --- the thread: connecting
 * ----------------------------------------------------------------------------------------------- */

static int error_of(natsStatus s)
{
	switch (s) {
	case NATS_CONNECTION_AUTH_FAILED:
	case NATS_NOT_PERMITTED:
		return -EACCES;
	case NATS_TIMEOUT:
		return -ETIMEDOUT;
	case NATS_NO_MEMORY:
		return -ENOMEM;
	case NATS_INVALID_ARG:
		return -EINVAL;
	case NATS_SSL_ERROR:
	case NATS_SECURE_CONNECTION_REQUIRED:
	case NATS_SECURE_CONNECTION_WANTED:
		return -EPROTO;
	default:
		return -SHOAL_EOFFLINE;
	}
}

/* The library puts the place in its own source before its words. */
static const char *without_place(const char *text)
{
	const char *at = text && *text == '(' ? strstr(text, "): ") : NULL;

	return at ? at + 3 : text;
}

/* Words for what just failed on this thread, with the servers it was about. */
static void reason_of(struct bus_nats *nats, natsStatus s, char reason[REASON_SIZE])
{
	const char *text = without_place(nats_GetLastError(NULL));

	if (s == NATS_NO_SERVER)
		snprintf(reason, REASON_SIZE, "no NATS server can be reached at %s", nats->servers);
	else if (text && *text && strcmp(text, natsStatus_GetText(s)) != 0)
		snprintf(reason, REASON_SIZE, "%s: %s (%s)", nats->servers, natsStatus_GetText(s), text);
	else
		snprintf(reason, REASON_SIZE, "%s: %s", nats->servers, natsStatus_GetText(s));
}

/* One server a piece; the library takes a list only so. @urls is cut in place. */
static natsStatus options_set_servers(natsOptions *options, char *urls)
{
	const char *servers[SERVERS_MAX];
	char *save = NULL;
	int count = 0;
	bool secure = false;
	natsStatus s;

	for (char *url = strtok_r(urls, ", ", &save); url; url = strtok_r(NULL, ", ", &save)) {
		if (count == SERVERS_MAX)
			return NATS_INVALID_ARG;
		secure = secure || strncmp(url, "tls://", 6) == 0;
		servers[count++] = url;
	}
	s = natsOptions_SetServers(options, servers, count);
	if (s == NATS_OK && secure)
		s = natsOptions_SetSecure(options, true);
	return s;
}

#define TRY(call)                   \
	do {                        \
		if (s == NATS_OK)   \
			s = (call); \
	} while (0)

static natsStatus options_make(struct bus_nats *nats, natsOptions **ret_options)
{
	void *closure = closure_pack(nats->serial, nats->connection_number);
	CLEANUP(cleanup_free) char *urls = strdup(nats->url);
	natsOptions *options = NULL;
	natsStatus s = urls ? NATS_OK : NATS_NO_MEMORY;

	TRY(natsOptions_Create(&options));
	TRY(options_set_servers(options, urls));
	TRY(natsOptions_SetName(options, nats->name));
	TRY(natsOptions_SetTimeout(options, nats->connect_timeout_ms));
	TRY(natsOptions_SetAllowReconnect(options, false));
	TRY(natsOptions_SetClosedCB(options, on_closed, closure));
	TRY(natsOptions_SetErrorHandler(options, on_error, closure));
	TRY(natsOptions_SetSendAsap(options, true)); /* no flusher thread, and 0.2 ms a request instead of 1.0 */
	TRY(natsOptions_UseGlobalMessageDelivery(options, true)); /* one thread, not one a subscription */
	TRY(natsOptions_SetPingInterval(options, PING_INTERVAL_MS));
	TRY(natsOptions_SetMaxPingsOut(options, PINGS_OUT_MAX));
	TRY(natsOptions_SetWriteDeadline(options, WRITE_DEADLINE_MS));
	TRY(natsOptions_SetIOBufSize(options, IO_BUFFER_BYTES));
	TRY(natsOptions_SetMaxPendingMsgs(options,
					  EVENTS_MAX)); /* a subscription; the library bounds bytes by it too */
	if (nats->credentials_file)
		TRY(natsOptions_SetUserCredentialsFromFiles(options, nats->credentials_file, NULL));
	if (nats->ca_file)
		TRY(natsOptions_LoadCATrustedCertificates(options, nats->ca_file));
	if (s == NATS_OK)
		*ret_options = options;
	else
		natsOptions_Destroy(options);
	return s;
}

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

/* Connected with every subscription acknowledged, or nothing is left of the attempt. */
static natsStatus connect_once(struct bus_nats *nats, char reason[REASON_SIZE])
{
	natsOptions *options = NULL;
	natsStatus s;

	nats->connection_number++;
	s = options_make(nats, &options);
	TRY(natsConnection_Connect(&nats->connection, options));
	if (s == NATS_OK && natsConnection_HasHeaderSupport(nats->connection) != NATS_OK) {
		snprintf(reason, REASON_SIZE, "the server has no message headers: nats-server 2.2 or newer is needed");
		s = NATS_NO_SERVER_SUPPORT;
	}
	if (s == NATS_OK)
		atomic_store(&nats->max_payload, natsConnection_GetMaxPayload(nats->connection));
	for (struct heard *heard = nats->heard; heard && s == NATS_OK; heard = heard->next)
		s = heard_attach(nats, heard);
	TRY(natsConnection_FlushTimeout(nats->connection, FLUSH_TIMEOUT_MS));
	if (s != NATS_OK) {
		if (!reason[0])
			reason_of(nats, s, reason);
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

static void describe_loss(struct bus_nats *nats, natsStatus s, char reason[REASON_SIZE])
{
	const char *text = NULL;

	if (nats->connection && natsConnection_GetLastError(nats->connection, &text) != NATS_OK && text && *text)
		snprintf(reason, REASON_SIZE, "connection to %s lost: %s", nats->servers, without_place(text));
	else
		snprintf(reason, REASON_SIZE, "connection to %s lost: %s", nats->servers, natsStatus_GetText(s));
}

/* One life of the link: connect, serve, say why it ended. */
static void link_once(struct bus_nats *nats)
{
	char reason[REASON_SIZE] = "";
	uint64_t since;
	natsStatus s;

	s = connect_once(nats, reason);
	if (s == NATS_OK) {
		since = clock_monotonic_ns();
		post_news(nats, BUS_NATS_UP, 0, 0, "");
		s = serve(nats);
		if (s != NATS_OK)
			describe_loss(nats, s, reason);
		disconnect(nats);
		if (clock_monotonic_ns() - since >= STABLE_MS * NS_PER_MS)
			nats->backoff_ms = BACKOFF_FLOOR_MS;
	}
	if (s == NATS_OK)
		return; /* stopping */
	post_news(nats, BUS_NATS_DOWN, 0, error_of(s), reason);
	serve_offline(nats, backoff_next(nats));
}

static void *thread_main(void *arg)
{
	struct bus_nats *nats = arg;
	struct heard *heard;
	bool open;

	pthread_setname_np(pthread_self(), "bus");
	while (!(open = library_open() == 0) && !is_stopping(nats)) {
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
		library_close();
	post_news(nats, BUS_NATS_FINISHED, 0, 0, "");
	nats_unref(nats);
	return NULL;
}

/* --- the loop's handle
 * ----------------------------------------------------------------------------------------------------- */

static void nats_destroy(struct bus_nats *nats)
{
	struct command *command;

	while ((command = command_take(nats)))
		command_free(command);
	inlet_unref(nats->inlet);
	pthread_cond_destroy(&nats->wake);
	pthread_mutex_destroy(&nats->lock);
	free(nats->url);
	free(nats->name);
	free(nats->credentials_file);
	free(nats->ca_file);
	free(nats);
}

static void nats_unref(struct bus_nats *nats)
{
	bool last;

	/* Under live_lock, so that a library callback cannot find us between the count and the removal. */
	pthread_mutex_lock(&live_lock);
	pthread_mutex_lock(&nats->lock);
	last = --nats->refs == 0;
	pthread_mutex_unlock(&nats->lock);
	if (last)
		for (size_t i = 0; i < LIVE_MAX; i++)
			if (live[i] == nats)
				live[i] = NULL;
	pthread_mutex_unlock(&live_lock);
	if (last)
		nats_destroy(nats);
}

static int copy_text(char **to, const char *from)
{
	if (!from || !*from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

/* "nats://user:pass@a:1,b" -> "a:1,b". */
static void describe_servers(const char *url, char *text, size_t size)
{
	size_t len = 0;

	while (*url && len + 1 < size) {
		size_t piece = strcspn(url, ","), skip = 0;

		for (size_t i = 0; i < piece; i++)
			if (url[i] == '@' || (i >= 2 && strncmp(url + i - 2, "://", 3) == 0))
				skip = i + 1;
		len += (size_t)snprintf(text + len, size - len, "%.*s%s", (int)(piece - skip), url + skip,
					url[piece] ? "," : "");
		url += piece + (url[piece] == ',');
	}
}

int bus_nats_new(struct loop *loop, const struct bus_options *options,
		 void (*fn)(void *arg, struct bus_nats_event *event), void *arg, struct bus_nats **ret_nats)
{
	struct bus_nats *nats = calloc(1, sizeof(*nats));
	pthread_condattr_t attr;
	int r;

	if (!nats)
		return -ENOMEM;
	nats->refs = 1;
	nats->fn = fn;
	nats->arg = arg;
	nats->sender = options->sender;
	nats->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	nats->backoff_ms = BACKOFF_FLOOR_MS;
	describe_servers(options->url, nats->servers, sizeof(nats->servers));
	r = inlet_new(loop, EVENTS_MAX + EVENTS_RESERVE, on_inlet, event_drop, nats, &nats->inlet);
	if (r < 0) {
		free(nats);
		return r;
	}
	pthread_mutex_init(&nats->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&nats->wake, &attr);
	pthread_condattr_destroy(&attr);
	inlet_ref(nats->inlet);
	if (copy_text(&nats->url, options->url) < 0 || copy_text(&nats->name, options->name) < 0 ||
	    copy_text(&nats->credentials_file, options->credentials_file) < 0 ||
	    copy_text(&nats->ca_file, options->ca_file) < 0)
		r = -ENOMEM;
	else
		r = live_add(nats);
	if (r < 0) {
		inlet_close(nats->inlet);
		nats_unref(nats);
		return r;
	}
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
	pthread_mutex_lock(&nats->lock);
	nats->refs++;
	pthread_mutex_unlock(&nats->lock);
	r = create_quiet_thread(nats);
	if (r != 0) {
		nats_unref(nats);
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
	nats_unref(nats);
}
