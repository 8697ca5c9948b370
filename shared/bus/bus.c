/* The loop's side of NATS: the link, who subscribed, what comes in and goes out (bus_requests.c has who waits for which
 * answer). Run by the loop alone. Must not call nats.c (bus_nats.c does, on its thread), wait, or trust a byte of what
 * comes in. */
#include "shared/bus/bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/machine.h"
#include "shared/base/random.h"
#include "shared/bus/bus_nats.h"
#include "shared/bus/bus_requests.h"
#include "shared/log/log.h"

#define INBOX_NUMBER      0 /* the subscription that hears our answers */
#define UP_SYNC_NUMBER    0 /* the sync that up waits for */
#define INBOX_DIGITS      16
#define TOKEN_DIGITS      16
#define SYNCS_MAX         64
#define REASON_SIZE       256
#define DROP_LOG_EVERY_NS (10 * NS_PER_S)

struct bus_subscription {
	struct bus *bus;
	struct bus_subscription *next;
	uint32_t number;
	bus_message_fn fn;
	void *arg;
};

struct sync_wait {
	struct sync_wait *next;
	uint32_t number;
	bus_synced_fn fn;
	void *arg;
};

struct bus {
	struct loop *loop;
	struct bus_events events;
	void *arg;
	struct machine machine;
	struct bus_nats *nats; /* NULL: off */
	char cluster[SUBJECT_CLUSTER_MAX + 1];
	char inbox[INBOX_DIGITS + 1];
	char inbox_prefix[SUBJECT_SIZE]; /* what stands before the token */
	char reason[REASON_SIZE];
	char state_text[REASON_SIZE + 16];

	struct bus_subscription *subscriptions;
	uint32_t last_number;
	struct bus_requests requests;
	struct sync_wait *syncs;

	struct timer timer; /* the soonest deadline; while closing: patience with the thread */
	uint64_t timer_ns;
	struct bus_stats stats;
	uint64_t drop_logged_ns, drops_logged;
	bool started;
	loop_fn closed;
	void *closed_arg;
};

/* --- the link's states -------------------------------------------------------------------------------------------- */

enum bus_state { BUS_OFF, BUS_IDLE, BUS_CONNECTING, BUS_UP, BUS_AWAY, BUS_CLOSING, BUS_STATE_COUNT };
enum bus_event { BUS_EVENT_START, BUS_EVENT_UP, BUS_EVENT_DOWN, BUS_EVENT_CLOSE, BUS_EVENT_COUNT };

static const char *const state_names[] = { "off", "idle", "connecting", "up", "away", "closing" };
static const char *const event_names[] = { "start", "up", "down", "close" };

/* No actions: what follows a step calls users, who may close the bus, which is a step. See on_up() and on_down(). */
static const struct machine_edge edges[BUS_STATE_COUNT][BUS_EVENT_COUNT] = {
	[BUS_OFF] = { [BUS_EVENT_START] = IGNORED, [BUS_EVENT_CLOSE] = GO(BUS_CLOSING, NULL) },
	[BUS_IDLE] = { [BUS_EVENT_START] = GO(BUS_CONNECTING, NULL), [BUS_EVENT_CLOSE] = GO(BUS_CLOSING, NULL) },
	[BUS_CONNECTING] = { [BUS_EVENT_START] = IGNORED,
			     [BUS_EVENT_UP] = GO(BUS_UP, NULL),
			     [BUS_EVENT_DOWN] = GO(BUS_AWAY, NULL),
			     [BUS_EVENT_CLOSE] = GO(BUS_CLOSING, NULL) },
	[BUS_UP] = { [BUS_EVENT_START] = IGNORED,
		     [BUS_EVENT_DOWN] = GO(BUS_AWAY, NULL),
		     [BUS_EVENT_CLOSE] = GO(BUS_CLOSING, NULL) },
	[BUS_AWAY] = { [BUS_EVENT_START] = IGNORED,
		       [BUS_EVENT_UP] = GO(BUS_UP, NULL),
		       [BUS_EVENT_DOWN] = GO(BUS_AWAY, NULL),
		       [BUS_EVENT_CLOSE] = GO(BUS_CLOSING, NULL) },
	[BUS_CLOSING] = { [BUS_EVENT_START] = IGNORED,
			  [BUS_EVENT_UP] = IGNORED,
			  [BUS_EVENT_DOWN] = IGNORED,
			  [BUS_EVENT_CLOSE] = IGNORED },
};

static const struct machine_table table = {
	.name = "bus",
	.edges = &edges[0][0],
	.state_names = state_names,
	.event_names = event_names,
	.state_count = BUS_STATE_COUNT,
	.event_count = BUS_EVENT_COUNT,
};

static void trace(void *owner, const struct machine_table *of, uint8_t from, uint8_t event, uint8_t to, int accepted)
{
	(void)owner;
	if (accepted)
		log_debug(NULL, "bus.step", KV_STR("from", of->state_names[from]), KV_STR("on", of->event_names[event]),
			  KV_STR("to", of->state_names[to]));
	else
		log_error(NULL, "bus.protocol", KV_STR("state", of->state_names[from]),
			  KV_STR("on", of->event_names[event]), KV_MSG("the link told something out of turn"));
}

/* --- deadlines ---------------------------------------------------------------------------------------------------- */

static void arm(struct bus *bus, uint64_t deadline_ns)
{
	uint64_t now = clock_monotonic_ns();

	bus->timer_ns = deadline_ns;
	timer_start(&bus->timer, deadline_ns > now ? (deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS : 0);
}

static void finish(struct bus *bus, int finished);

static void on_timer(void *arg)
{
	struct bus *bus = arg;
	uint64_t next_ns;

	if (bus->machine.state == BUS_CLOSING) {
		log_warn(NULL, "bus.close_late", KV_MS("waited", BUS_CLOSE_WAIT_MS),
			 KV_MSG("the NATS thread is still connecting; it is left to end by itself"));
		finish(bus, 0);
		return;
	}
	bus->timer_ns = 0;
	next_ns = bus_requests_expire(&bus->requests, clock_monotonic_ns(), -ETIMEDOUT);
	if (next_ns)
		arm(bus, next_ns);
	bus_requests_run_ending(&bus->requests);
}

/* --- news of the link --------------------------------------------------------------------------------------------- */

static void on_up(struct bus *bus)
{
	if (machine_step(&bus->machine, BUS_EVENT_UP, NULL) < 0 || bus->machine.state != BUS_UP)
		return;
	bus->reason[0] = '\0';
	bus->stats.connects++;
	log_info(NULL, "bus.up", KV_U64("connects", bus->stats.connects), KV_STR("cluster", bus->cluster));
	if (bus->events.up)
		bus->events.up(bus->arg);
}

static void on_down(struct bus *bus, const struct bus_nats_event *event)
{
	bool was_up = bus->machine.state == BUS_UP, same = strcmp(bus->reason, event->subject) == 0;

	if (machine_step(&bus->machine, BUS_EVENT_DOWN, NULL) < 0 || bus->machine.state != BUS_AWAY)
		return;
	bus->stats.disconnects += was_up;
	snprintf(bus->reason, sizeof(bus->reason), "%s", event->subject);
	bus_requests_expire(&bus->requests, UINT64_MAX, -SHOAL_EUNKNOWN);
	if (was_up || !same) {
		log_warn(NULL, "bus.down", KV_STR("reason", bus->reason), KV_ERR(event->error),
			 KV_MSG("NATS is away: what asks other shards is off until it is back (nats.url)"));
		if (bus->events.down)
			bus->events.down(bus->arg, event->error, bus->reason);
	}
	bus_requests_run_ending(&bus->requests);
}

/* --- what comes in ------------------------------------------------------------------------------------------------ */

static int parse_token(const char *text, uint64_t *ret_token)
{
	uint64_t token = 0;
	size_t i;

	for (i = 0; i < TOKEN_DIGITS; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			token = token << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			token = token << 4 | (uint64_t)(c - 'a' + 10);
		else
			return -EINVAL;
	}
	if (text[i] != '\0')
		return -EINVAL;
	*ret_token = token;
	return 0;
}

static void message_of(const struct bus_nats_event *event, struct bus_message *ret_message)
{
	*ret_message = (struct bus_message){
		.subject = event->subject,
		.payload = event->payload,
		.len = event->len,
		.sender = event->sender,
	};
	/* One that does not fit is none of ours, and nobody could be answered there. */
	if (strlen(event->reply) < sizeof(ret_message->reply_to.subject))
		memcpy(ret_message->reply_to.subject, event->reply, strlen(event->reply) + 1);
}

static void on_answer(struct bus *bus, const struct bus_nats_event *event)
{
	size_t prefix_len = strlen(bus->inbox_prefix);
	struct bus_message message;
	uint64_t token;

	if (strncmp(event->subject, bus->inbox_prefix, prefix_len) != 0 ||
	    parse_token(event->subject + prefix_len, &token) < 0) {
		bus->stats.late++;
		return;
	}
	message_of(event, &message);
	/* The callback may close the bus, but its memory goes later. */
	if (!bus_requests_answer(&bus->requests, token, event, &message))
		bus->stats.late++;
}

static void on_message(struct bus *bus, const struct bus_nats_event *event)
{
	struct bus_message message;

	if (event->number == INBOX_NUMBER) {
		on_answer(bus, event);
		return;
	}
	for (struct bus_subscription *s = bus->subscriptions; s; s = s->next)
		if (s->number == event->number) {
			message_of(event, &message);
			s->fn(s->arg, bus, &message); /* may free s, or close the bus */
			return;
		}
}

static void on_synced(struct bus *bus, uint32_t number, int error)
{
	struct sync_wait **link = &bus->syncs, *wait;

	while (*link && (*link)->number != number)
		link = &(*link)->next;
	wait = *link;
	if (!wait)
		return;
	*link = wait->next;
	wait->fn(wait->arg, error);
	free(wait);
}

/* Says, at most each ten seconds, that messages were dropped on the way in. */
static void watch_drops(struct bus *bus)
{
	uint64_t now = clock_monotonic_ns();
	struct bus_nats_stats stats;

	bus_nats_stats(bus->nats, &stats);
	if (stats.dropped_in == bus->drops_logged ||
	    (bus->drop_logged_ns && now - bus->drop_logged_ns < DROP_LOG_EVERY_NS))
		return;
	log_warn(NULL, "bus.dropped", KV_U64("messages", stats.dropped_in - bus->drops_logged),
		 KV_MSG("messages came faster than they were handled, or were too large"));
	bus->drops_logged = stats.dropped_in;
	bus->drop_logged_ns = now;
}

static void on_event(void *arg, struct bus_nats_event *event)
{
	struct bus *bus = arg;
	struct bus_nats *nats = bus->nats;

	switch (event->kind) {
	case BUS_NATS_UP:
		/* Up means that every subscription made so far is at the server; some may have been made while it
		 * was connecting. */
		if (event->number == bus_nats_subscribed(nats) || bus_nats_sync(nats, UP_SYNC_NUMBER) < 0)
			on_up(bus);
		break;
	case BUS_NATS_DOWN:
		on_down(bus, event);
		break;
	case BUS_NATS_MESSAGE:
		if (bus->machine.state == BUS_CLOSING)
			break;
		watch_drops(bus);
		on_message(bus, event);
		break;
	case BUS_NATS_SYNCED:
		if (event->number != UP_SYNC_NUMBER)
			on_synced(bus, event->number, event->error);
		else if (event->error == 0 && bus->machine.state != BUS_UP)
			on_up(bus); /* on an error the news of the loss follow */
		break;
	case BUS_NATS_FINISHED:
		bus_nats_event_free(nats, event);
		finish(bus, 1);
		return;
	}
	bus_nats_event_free(nats, event);
}

/* --- the public calls --------------------------------------------------------------------------------------------- */

int bus_new(struct loop *loop, const struct bus_options *options, const struct bus_events *events, void *arg,
	    struct bus **ret_bus)
{
	bool on = options->url && options->url[0];
	struct subject_params params;
	struct bus *bus;
	int r;

	if (subject_check_cluster(options->cluster) < 0 || (on && !options->name))
		return -EINVAL;
	bus = calloc(1, sizeof(*bus));
	if (!bus)
		return -ENOMEM;
	bus->loop = loop;
	if (events)
		bus->events = *events;
	bus->arg = arg;
	snprintf(bus->cluster, sizeof(bus->cluster), "%s", options->cluster);
	random_hex(bus->inbox, INBOX_DIGITS);
	params = (struct subject_params){ .inbox = bus->inbox, .any = SUBJECT_PART_TOKEN };
	subject_format(SUBJECT_REPLY, bus->cluster, &params, true, bus->inbox_prefix);
	bus->inbox_prefix[strlen(bus->inbox_prefix) - 1] = '\0'; /* the wildcard */
	machine_init(&bus->machine, &table, on ? BUS_IDLE : BUS_OFF, bus, trace);
	if (on) {
		r = bus_nats_new(loop, options, on_event, bus, &bus->nats);
		if (r < 0) {
			free(bus);
			return r;
		}
	}
	r = timer_init(&bus->timer, loop, on_timer, bus);
	if (r < 0) {
		bus_nats_free(bus->nats, 0);
		free(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

int bus_start(struct bus *bus)
{
	char subject[SUBJECT_SIZE + 1];
	int r;

	if (!bus->nats || bus->machine.state == BUS_CLOSING)
		return -SHOAL_EOFFLINE;
	if (bus->started)
		return 0;
	snprintf(subject, sizeof(subject), "%s*", bus->inbox_prefix);
	r = bus_nats_subscribe(bus->nats, INBOX_NUMBER, subject);
	if (r < 0)
		return r;
	r = bus_nats_start(bus->nats);
	if (r < 0) {
		bus_nats_unsubscribe(bus->nats, INBOX_NUMBER);
		return r;
	}
	bus->started = true;
	machine_step(&bus->machine, BUS_EVENT_START, NULL);
	return 0;
}

bool bus_is_on(const struct bus *bus)
{
	return bus && bus->nats;
}

bool bus_is_up(const struct bus *bus)
{
	return bus && bus->machine.state == BUS_UP;
}

const char *bus_state_text(const struct bus *bus)
{
	struct bus *writable = (struct bus *)bus; /* only its own scratch text */

	if (!bus)
		return state_names[BUS_OFF];
	if (bus->machine.state != BUS_AWAY)
		return state_names[bus->machine.state];
	snprintf(writable->state_text, sizeof(writable->state_text), "away: %s", bus->reason);
	return bus->state_text;
}

/* Whether something may be sent now; the first who asks starts the connection. */
static int check_up(struct bus *bus, size_t len)
{
	int r;

	if (!bus || !bus->nats)
		return -SHOAL_EOFFLINE;
	if (len > BUS_PAYLOAD_MAX)
		return -EMSGSIZE;
	r = bus_start(bus);
	if (r < 0)
		return r;
	return bus->machine.state == BUS_UP ? 0 : -SHOAL_EOFFLINE;
}

int bus_publish(struct bus *bus, enum subject_id id, const struct subject_params *params, const void *payload,
		size_t len)
{
	char subject[SUBJECT_SIZE];
	int r = check_up(bus, len);

	if (r < 0)
		return r;
	r = subject_format(id, bus->cluster, params, false, subject);
	if (r < 0)
		return r;
	return bus_nats_publish(bus->nats, subject, NULL, payload, len);
}

int bus_reply(struct bus *bus, const struct bus_reply_to *reply_to, const void *payload, size_t len)
{
	int r = check_up(bus, len);

	if (r < 0)
		return r;
	/* The requester chose the subject: it must at least be one that can be published to. */
	if (!reply_to->subject[0] || strpbrk(reply_to->subject, " \t\r\n*>"))
		return -EINVAL;
	return bus_nats_publish(bus->nats, reply_to->subject, NULL, payload, len);
}

int bus_subscribe(struct bus *bus, enum subject_id id, const struct subject_params *params, bus_message_fn fn,
		  void *arg, struct bus_subscription **ret_subscription)
{
	struct bus_subscription *subscription;
	char subject[SUBJECT_SIZE];
	int r;

	r = subject_format(id, bus->cluster, params, true, subject);
	if (r < 0)
		return r;
	if (bus->machine.state == BUS_CLOSING)
		return -SHOAL_EOFFLINE;
	if (bus->stats.subscriptions >= BUS_SUBSCRIPTIONS_MAX)
		return -ENOBUFS;
	subscription = calloc(1, sizeof(*subscription));
	if (!subscription)
		return -ENOMEM;
	*subscription = (struct bus_subscription){ .bus = bus, .number = ++bus->last_number, .fn = fn, .arg = arg };
	if (bus->nats) {
		r = bus_nats_subscribe(bus->nats, subscription->number, subject);
		if (r == 0)
			r = bus_start(bus);
		if (r < 0) {
			bus_nats_unsubscribe(bus->nats, subscription->number);
			free(subscription);
			return r;
		}
	}
	subscription->next = bus->subscriptions;
	bus->subscriptions = subscription;
	bus->stats.subscriptions++;
	*ret_subscription = subscription;
	return 0;
}

void bus_unsubscribe(struct bus_subscription *subscription)
{
	struct bus_subscription **link;

	if (!subscription)
		return;
	link = &subscription->bus->subscriptions;
	while (*link != subscription)
		link = &(*link)->next;
	*link = subscription->next;
	subscription->bus->stats.subscriptions--;
	if (subscription->bus->nats)
		bus_nats_unsubscribe(subscription->bus->nats, subscription->number);
	free(subscription);
}

/* Sends a request made ready by its caller: takes it, also on failure. */
static int request_send(struct bus *bus, struct bus_request *request, enum subject_id id,
			const struct subject_params *params, const void *payload, size_t len, uint64_t timeout_ms)
{
	char subject[SUBJECT_SIZE], reply[SUBJECT_SIZE + TOKEN_DIGITS];
	uint64_t token;
	int r;

	r = subject_format(id, bus->cluster, params, false, subject);
	if (r == 0)
		r = bus_requests_add(&bus->requests, request, timeout_ms, &token);
	if (r < 0) {
		bus_request_free(request);
		return r;
	}
	snprintf(reply, sizeof(reply), "%s%016llx", bus->inbox_prefix, (unsigned long long)token);
	r = bus_nats_publish(bus->nats, subject, reply, payload, len);
	if (r < 0) {
		bus_requests_remove(&bus->requests, request);
		bus_request_free(request);
		return r;
	}
	if (bus->timer_ns == 0 || bus_request_deadline_ns(request) < bus->timer_ns)
		arm(bus, bus_request_deadline_ns(request));
	return 0;
}

#define TIMEOUT_MAX_MS (24ULL * 3600 * 1000)

int bus_request(struct bus *bus, enum subject_id id, const struct subject_params *params, const void *payload,
		size_t len, uint64_t timeout_ms, bus_answer_fn fn, void *arg)
{
	struct bus_request *request;
	int r = check_up(bus, len);

	if (r < 0)
		return r;
	if (timeout_ms == 0 || timeout_ms > TIMEOUT_MAX_MS)
		return -EINVAL;
	request = bus_request_new(fn, arg);
	if (!request)
		return -ENOMEM;
	return request_send(bus, request, id, params, payload, len, timeout_ms);
}

int bus_gather(struct bus *bus, enum subject_id id, const struct subject_params *params, const void *payload,
	       size_t len, const uint32_t *expected, size_t expected_count, uint64_t timeout_ms, bus_gather_fn fn,
	       void *arg)
{
	struct bus_request *request;
	int r = check_up(bus, len);

	if (r < 0)
		return r;
	if (timeout_ms == 0 || timeout_ms > TIMEOUT_MAX_MS || expected_count == 0 ||
	    expected_count > BUS_GATHER_EXPECTED_MAX)
		return -EINVAL;
	request = bus_request_new_gather(expected, expected_count, fn, arg);
	if (!request)
		return -ENOMEM;
	return request_send(bus, request, id, params, payload, len, timeout_ms);
}

int bus_sync(struct bus *bus, bus_synced_fn fn, void *arg)
{
	struct sync_wait *wait;
	size_t count = 0;
	int r;

	if (!bus->nats)
		return -SHOAL_EOFFLINE;
	r = bus_start(bus);
	if (r < 0)
		return r;
	for (wait = bus->syncs; wait; wait = wait->next)
		count++;
	if (count >= SYNCS_MAX)
		return -ENOBUFS;
	wait = calloc(1, sizeof(*wait));
	if (!wait)
		return -ENOMEM;
	*wait = (struct sync_wait){ .next = bus->syncs, .number = ++bus->last_number, .fn = fn, .arg = arg };
	r = bus_nats_sync(bus->nats, wait->number);
	if (r < 0) {
		free(wait);
		return r;
	}
	bus->syncs = wait;
	return 0;
}

void bus_stats(const struct bus *bus, struct bus_stats *ret_stats)
{
	struct bus_nats_stats nats = { 0 };

	if (bus->nats)
		bus_nats_stats(bus->nats, &nats);
	*ret_stats = bus->stats;
	ret_stats->sent = nats.sent;
	ret_stats->received = nats.received;
	ret_stats->dropped_in = nats.dropped_in;
	ret_stats->dropped_out = nats.dropped_out;
	ret_stats->requests = bus->requests.count;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void on_timer_closed(void *arg)
{
	struct bus *bus = arg;

	if (bus->closed)
		bus->closed(bus->closed_arg);
	bus_requests_finish(&bus->requests);
	free(bus);
}

static void finish(struct bus *bus, int finished)
{
	bus_nats_free(TAKE(bus->nats), finished);
	timer_stop(&bus->timer);
	timer_close(&bus->timer, on_timer_closed);
}

void bus_close(struct bus *bus, loop_fn closed, void *arg)
{
	struct bus_subscription *subscription;
	struct sync_wait *wait;

	if (!bus || bus->machine.state == BUS_CLOSING)
		return;
	machine_step(&bus->machine, BUS_EVENT_CLOSE, NULL);
	bus->closed = closed;
	bus->closed_arg = arg;
	bus_requests_expire(&bus->requests, UINT64_MAX, -ECANCELED);
	bus_requests_run_ending(&bus->requests);
	while ((wait = bus->syncs)) {
		bus->syncs = wait->next;
		wait->fn(wait->arg, -ECANCELED);
		free(wait);
	}
	while ((subscription = bus->subscriptions)) {
		bus->subscriptions = subscription->next;
		free(subscription);
	}
	if (!bus->started) {
		finish(bus, 0);
		return;
	}
	bus_nats_stop(bus->nats);
	timer_start(&bus->timer, BUS_CLOSE_WAIT_MS);
}
