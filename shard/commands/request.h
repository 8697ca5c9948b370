/* A module's request to Discord: one asynchronous call of a scope, from its begin to the module's callback. Its effect
 * is numbered when it is begun, whenever it leaves. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_REQUEST_H
#define SHOAL_SHARD_COMMANDS_REQUEST_H

#include <jansson.h>

#include <shoal/effects.h>

#include "shard/events/scope.h"
#include "shared/discord/rest.h"

struct request {
	struct scope_call call;
	struct effects *effects;
	struct effect_scope step; /* its number */
	uint64_t handle;          /* 0: nothing is on its way */
	shoal_done_fn fn;         /* NULL: only logged */
	void *arg;
	/* A step before the one that counts (opening a DM channel) came to an end well: begins the next with
	 * request_go(). NULL: the answer is the result. */
	int (*next)(struct request *request, const struct rest_result *result);
	/* One that waits until the answer before it is through, and what it will be then. */
	bool waits;
	enum route route;
	uint64_t message_id;
	json_t *body;
};

/* Begins one: it is in @scope from now on, and @fn will be called, unless request_drop() takes it back at once.
 * -ECANCELED, -ENOBUFS, -ENOMEM. Keeps @effects. */
int request_new(struct shoal_scope *scope, struct effects *effects, shoal_done_fn fn, void *arg,
		struct request **ret_request);
/* As if it had never been; @fn is not called. */
void request_drop(struct request *request);
/* Sends @rest (its json taken, also on failure). Negative: nothing was sent, and the caller ends it (request_drop()
 * where the module's own call can still say so, else request_end()). */
int request_go(struct request *request, const struct rest_request *rest);
/* Completes it with @error. */
void request_end(struct request *request, int error);

/* The first one of @scope that waits; NULL: none does. */
struct request *request_waiting(const struct shoal_scope *scope);

/* new and go: what a module's plain call is. Takes @rest's json. */
int request_send(struct shoal_scope *scope, struct effects *effects, const struct rest_request *rest, shoal_done_fn fn,
		 void *arg);

#endif
