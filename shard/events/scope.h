/* A scope: whose asynchronous calls these are. It is an event's, a command's or a module's own; it numbers the effects,
 * keeps the ticket, and knows every call that is open. A scope that is ended early ends each of them with -ECANCELED,
 * exactly once; its memory goes with the last callback. Loop thread only. */
#ifndef SHOAL_SHARD_EVENTS_SCOPE_H
#define SHOAL_SHARD_EVENTS_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "shard/events/culprit.h"
#include "shard/events/effects.h"
#include "shard/events/ticket.h"

/* Calls open in one scope; a module that begins more is told -ENOBUFS. */
#define SCOPE_CALLS_MAX 4096

/* One asynchronous call, embedded by who makes it. */
struct scope_call {
	struct scope_call *prev, *next;
	struct shoal_scope *scope;
	/* Ends it: its completion comes (scope_done()) before this returns, or later where that can't be. */
	void (*cancel)(struct scope_call *call);
	bool over; /* its completion has begun: it is not cancelled any more, also not by its own callback */
};

struct shoal_scope {
	struct effect_scope effects;
	struct module_entry *module; /* may be NULL in tests */
	struct ticket *ticket;       /* borrowed from the owner; NULL: of no event */
	const char *what;            /* for people: "MESSAGE_CREATE"; static, or the owner's */
	uint64_t guild_id;
	struct scope_call *calls;
	uint32_t call_count;
	uint32_t lane;
	uint32_t writes;   /* durable ones that were begun: their number is part of what they are */
	uint32_t next_job; /* numbers what it schedules, as effects are numbered */
	bool ended;
	bool looks_only; /* requests of its own may only read */
	void *owner;
	/* The owner's count: a call holds it. */
	void (*hold)(void *owner);
	void (*release)(void *owner);
};

/* Embedded in @owner, which is held and released with every call. @ticket is borrowed: the owner holds it for as long
 * as it lives. */
void scope_init(struct shoal_scope *scope, struct module_entry *module, struct ticket *ticket, uint32_t lane,
		void *owner, void (*hold)(void *owner), void (*release)(void *owner));

/* A call begins: it is in the list, and holds the scope, until scope_done(). -ECANCELED: the scope has ended; -ENOBUFS.
 * The call is not in it then. */
int scope_add(struct shoal_scope *scope, struct scope_call *call, void (*cancel)(struct scope_call *call));
/* Its one completion: off the list; the scope may be gone after it, so call the module first. */
void scope_done(struct scope_call *call);

/* Ends it. Calls may begin others of other scopes from within; in this one nothing begins any more. */
void scope_end(struct shoal_scope *scope);

/* What tells the scope's next durable write from all others, and is the same when its event is begun again: counts one
 * up. 0: it is of no event, and nothing is begun again. */
uint64_t scope_token(struct shoal_scope *scope);

/* Entering the scope's module, for @kind. */
void scope_enter(struct culprit_frame *frame, const struct shoal_scope *scope, enum culprit_kind kind);

#endif
