/* State machines as tables: one edge per [state][event]; step() is the only writer of the state.
 * A zero cell is a protocol error: counted and logged by the caller, the state unchanged. */
#ifndef SHOAL_SHARED_BASE_MACHINE_H
#define SHOAL_SHARED_BASE_MACHINE_H

#include <stdint.h>

struct machine;

/* Runs after the state changed; may call machine_step() again only through a queue of its own. */
typedef void (*machine_action_fn)(void *owner, const void *event_data);

enum machine_edge_kind {
	MACHINE_ERROR = 0, /* the zero cell */
	MACHINE_GO,        /* change state, run the action */
	MACHINE_IGNORE,    /* deliberate: nothing happens */
};

struct machine_edge {
	uint8_t kind;
	uint8_t to;
	machine_action_fn action;
};

#define GO(to_, action_)                     \
	{                                    \
		MACHINE_GO, (to_), (action_) \
	}
#define IGNORED                         \
	{                               \
		MACHINE_IGNORE, 0, NULL \
	}

/* The constant part: @edges has state_count * event_count cells. */
struct machine_table {
	const char *name;
	const struct machine_edge *edges;
	const char *const *state_names;
	const char *const *event_names;
	uint8_t state_count;
	uint8_t event_count;
};

/* Told of every step before its action runs; @accepted is 0 for a zero cell. May be NULL. */
typedef void (*machine_trace_fn)(void *owner, const struct machine_table *table, uint8_t from, uint8_t event,
				 uint8_t to, int accepted);

struct machine {
	const struct machine_table *table;
	void *owner;
	machine_trace_fn trace;
	uint8_t state;
	uint32_t depth;
};

void machine_init(struct machine *machine, const struct machine_table *table, uint8_t state, void *owner,
		  machine_trace_fn trace);
/* Applies @event. 0, or -EPROTO for a zero cell (state unchanged). @event_data is passed to the action, borrowed. */
int machine_step(struct machine *machine, uint8_t event, const void *event_data);
const char *machine_state_name(const struct machine *machine);

#endif
