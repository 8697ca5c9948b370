/* The edge to nats.c, the loop's side: commands to the thread, events from it (bus_nats_thread.c has the thread and the
 * library's callbacks). Run by the loop, a mutex for a few instructions. Must not call the library or wait. */
#include "shared/bus/bus_nats_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define EVENTS_RESERVE 1024 /* further room in the inlet that only link news may use */
#define COMMANDS_MAX   8192

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

struct bus_nats_event *bus_nats_event_new(enum bus_nats_kind kind, const char *subject, const char *reply,
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

void bus_nats_deadline_in(struct timespec *ts, uint64_t ms)
{
	uint64_t ns = clock_monotonic_ns() + ms * NS_PER_MS;

	ts->tv_sec = (time_t)(ns / NS_PER_S);
	ts->tv_nsec = (long)(ns % NS_PER_S);
}

/* News of the link are never dropped: the thread waits for memory or room, which the loop makes by draining. */
void bus_nats_post_news(struct bus_nats *nats, enum bus_nats_kind kind, uint32_t number, int error, const char *text)
{
	struct bus_nats_event *event;
	struct timespec ts;
	int r;

	for (;;) {
		event = bus_nats_event_new(kind, text, "", NULL, 0);
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
		bus_nats_deadline_in(&ts, 50);
		pthread_mutex_lock(&nats->lock);
		pthread_cond_timedwait(&nats->wake, &nats->lock, &ts);
		pthread_mutex_unlock(&nats->lock);
	}
}

/* --- commands from the loop --------------------------------------------------------------------------------------- */

void bus_nats_command_free(struct command *command)
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
struct command *bus_nats_command_take(struct bus_nats *nats)
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

/* --- the loop's handle -------------------------------------------------------------------------------------------- */

static void bus_nats_destroy(struct bus_nats *nats)
{
	struct command *command;

	while ((command = bus_nats_command_take(nats)))
		bus_nats_command_free(command);
	inlet_unref(nats->inlet);
	pthread_cond_destroy(&nats->wake);
	pthread_mutex_destroy(&nats->lock);
	bus_nats_settings_finish(&nats->settings);
	free(nats);
}

void bus_nats_unref(struct bus_nats *nats)
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
	r = pthread_create(&nats->thread, NULL, bus_nats_thread_main, nats);
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
