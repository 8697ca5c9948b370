/* A subscription is a call of its scope that lasts as long as the scope does. */
#include "shard/modhost/module_bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/modhost/modhost.h"

struct subscription {
	struct scope_call call;
	struct bus_subscription *bus;
	uint64_t id;
	char topic[SHOAL_TOPIC_MAX + 1];
	shoal_bus_fn fn;
	void *arg;
	uint32_t inside; /* its function runs */
};
_Static_assert(offsetof(struct subscription, call) == 0, "a call is a subscription");

static uint64_t last_id;

static bool is_topic(const char *topic)
{
	size_t len = topic ? strlen(topic) : 0;

	return len > 0 && len <= SHOAL_TOPIC_MAX && strspn(topic, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static struct subject_params subject_of(const struct shoal_scope *scope, const char *topic)
{
	return (struct subject_params){ .module = scope->module->name, .topic = topic };
}

int module_bus_publish(struct shoal_scope *scope, const char *topic, const void *payload, size_t len)
{
	struct bus *bus = modhost_services()->bus;
	struct subject_params params;

	if (!scope->module || !is_topic(topic) || (len && !payload))
		return -EINVAL;
	if (len > SHOAL_BUS_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (scope->ended)
		return -ECANCELED;
	params = subject_of(scope, topic);
	return bus ? bus_publish(bus, SUBJECT_MODULE, &params, payload, len) : -SHOAL_EOFFLINE;
}

static void call(struct subscription *subscription, int error, const struct shoal_bus_message *message)
{
	struct culprit_frame frame;

	subscription->inside++;
	scope_enter(&frame, subscription->call.scope, CULPRIT_CONTINUATION);
	subscription->fn(subscription->arg, error, message);
	culprit_leave(&frame);
	subscription->inside--;
}

static void on_message(void *arg, struct bus *bus, const struct bus_message *message)
{
	struct subscription *subscription = arg;
	struct shoal_scope *scope = subscription->call.scope;
	struct shoal_bus_message ours = { .topic = subscription->topic,
					  .payload = message->payload,
					  .len = message->len };

	(void)bus;
	/* Its function may end the scope, or this subscription as its last call: both stay until it has returned. */
	scope->hold(scope->owner);
	call(subscription, 0, &ours);
	if (subscription->call.over && subscription->inside == 0)
		free(subscription);
	scope->release(scope->owner);
}

static void cancel(struct scope_call *scope_call)
{
	struct subscription *subscription = (struct subscription *)scope_call;

	scope_call->over = true;
	bus_unsubscribe(subscription->bus);
	subscription->bus = NULL;
	call(subscription, -ECANCELED, NULL);
	scope_done(scope_call);
	if (subscription->inside == 0)
		free(subscription);
}

int module_bus_subscribe(struct shoal_scope *scope, const char *topic, shoal_bus_fn fn, void *arg, uint64_t *ret_id)
{
	struct bus *bus = modhost_services()->bus;
	struct subscription *subscription;
	struct subject_params params;
	int r;

	if (!scope->module || !fn || !is_topic(topic))
		return -EINVAL;
	subscription = calloc(1, sizeof(*subscription));
	if (!subscription)
		return -ENOMEM;
	r = scope_add(scope, &subscription->call, cancel);
	if (r < 0) {
		free(subscription);
		return r;
	}
	subscription->id = ++last_id;
	subscription->fn = fn;
	subscription->arg = arg;
	snprintf(subscription->topic, sizeof(subscription->topic), "%s", topic);
	params = subject_of(scope, subscription->topic);
	r = bus && bus_is_on(bus)
		    ? bus_subscribe(bus, SUBJECT_MODULE, &params, on_message, subscription, &subscription->bus)
		    : 0;
	if (r < 0) {
		scope_done(&subscription->call);
		free(subscription);
		return r;
	}
	if (ret_id)
		*ret_id = subscription->id;
	return 0;
}

int module_bus_unsubscribe(struct shoal_scope *scope, uint64_t id)
{
	struct scope_call *one;

	for (one = scope->calls; one; one = one->next) {
		if (one->cancel != cancel || one->over || ((struct subscription *)one)->id != id)
			continue;
		cancel(one);
		return 0;
	}
	return -ENOENT;
}
