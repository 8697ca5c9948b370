/* SPDX-License-Identifier: MIT */
/* The bus of the fleet, for a module's own messages between its shards: a topic is the module's alone. Messages may be
 * lost (a link that broke, a shard that starts): what must not be goes into the store, and the bus says "look there".
 * Without NATS (nats.url) nothing is delivered, and publishing says so. */
#ifndef SHOAL_BUS_H
#define SHOAL_BUS_H

#include <shoal/api.h>
#include <shoal/error.h>

#define SHOAL_TOPIC_MAX       48    /* of a-z, 0-9, '_', '-' */
#define SHOAL_BUS_PAYLOAD_MAX 65536 /* bytes */

/* Borrowed for the callback. What stands in it comes from a shard of this bot; check it all the same. */
struct shoal_bus_message {
	const char *topic;
	const char *payload; /* not NUL-terminated */
	size_t len;
};

/* Each message with @error 0; then, exactly once, the end: @message NULL and @error -ECANCELED (the scope ended, or
 * shoal_bus_unsubscribe()). Not called after that. */
typedef void (*shoal_bus_fn)(void *arg, int error, const struct shoal_bus_message *message);

/* To all shards that have subscribed, this one too. -SHOAL_EOFFLINE: no NATS, or it is away; -EINVAL: the topic;
 * -EMSGSIZE; -ENOBUFS; -ECANCELED. 0: it is on its way, which says nothing of who hears it. */
static inline int shoal_bus_publish(struct shoal_scope *scope, const char *topic, const void *payload, size_t len)
{
	return shoal_api_table->bus_publish(scope, topic, payload, len);
}

/* From now on, across lost connections, until the scope ends: the module's, from setup, as a rule. *ret_id (may be
 * NULL) is for shoal_bus_unsubscribe(). Works without NATS too, and hears nothing then. -EINVAL, -ENOBUFS, -ENOMEM,
 * -ECANCELED: @fn is not called. */
static inline int shoal_bus_subscribe(struct shoal_scope *scope, const char *topic, shoal_bus_fn fn, void *arg,
				      uint64_t *ret_id)
{
	return shoal_api_table->bus_subscribe(scope, topic, fn, arg, ret_id);
}

/* @fn is called with -ECANCELED before this returns. -ENOENT. */
static inline int shoal_bus_unsubscribe(struct shoal_scope *scope, uint64_t id)
{
	return shoal_api_table->bus_unsubscribe(scope, id);
}

#endif
