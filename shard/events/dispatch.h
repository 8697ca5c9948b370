/* The dispatch table: one row per gateway event that somebody here wants. An event without a row is known and ignored:
 * it is counted and dropped at the envelope, before anything is decoded. Loop thread only. */
#ifndef SHOAL_SHARD_EVENTS_DISPATCH_H
#define SHOAL_SHARD_EVENTS_DISPATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/event.h>

#include "shard/events/ticket.h"
#include "shard/gateway/arena.h"
#include "shard/gateway/envelope.h"

/* Gets the decoded event, borrowed for the call; holds @ticket to go on later. */
typedef void (*dispatch_event_fn)(void *arg, const struct shoal_event *event, struct ticket *ticket);
/* Brings the cache up to date from the bytes, when the event is taken; doing it twice changes nothing more. 0, or
 * negative errno: malformed. */
typedef int (*dispatch_raw_fn)(void *arg, const struct envelope *envelope);

struct dispatch_row {
	enum shoal_event_type type;
	uint32_t intents;        /* bits without which Discord does not send it; 0: always sent */
	dispatch_raw_fn raw;     /* or NULL */
	dispatch_event_fn event; /* after the cache is committed, in the guild's turn; or NULL */
};

/* Most that one event's decoded form may take: GUILD_CREATE of a huge guild is not decoded whole. */
#define DISPATCH_ARENA_MAX (4 * 1024 * 1024)

struct dispatch {
	const struct dispatch_row *by_type[SHOAL_EVENT_COUNT];
	struct arena arena; /* of the event at hand; rows' raw functions may use it too */
	_Atomic uint64_t *counters;
	uint64_t warned_ns; /* malformed events are logged once in ten seconds */
	void *arg;
};

/* Keeps @rows (static storage) and @counters. Two rows of one type are a bug (assert). */
void dispatch_init(struct dispatch *dispatch, const struct dispatch_row *rows, size_t row_count,
		   _Atomic uint64_t *counters, void *arg);
void dispatch_finish(struct dispatch *dispatch);

/* The envelope's row; NULL, and counted, when nobody wants it. */
const struct dispatch_row *dispatch_row_of(struct dispatch *dispatch, const struct envelope *envelope);
/* Calls the row's raw function, which there is. What can't be decoded is counted and passed over: its sequence counts.
 */
void dispatch_apply(struct dispatch *dispatch, const struct envelope *envelope);
/* Decodes and calls the row's event function, which there is. */
void dispatch_handle(struct dispatch *dispatch, const struct envelope *envelope, struct ticket *ticket);

/* May an event of this type be dropped under overload? Who types and who is online is news for a moment only. */
bool dispatch_is_sheddable(enum shoal_event_type type);

/* All bits that @rows need together. */
uint32_t dispatch_intents(const struct dispatch_row *rows, size_t row_count);

#endif
