/* Runs a transition table. Any thread, one at a time per machine.
 * The only writer of a machine's state; knows nothing of what the states mean. */
#include "shared/base/machine.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

void machine_init(struct machine *machine, const struct machine_table *table, uint8_t state, void *owner,
		  machine_trace_fn trace)
{
	assert(state < table->state_count);
	*machine = (struct machine){ .table = table, .owner = owner, .trace = trace, .state = state };
}

int machine_step(struct machine *machine, uint8_t event, const void *event_data)
{
	const struct machine_table *table = machine->table;
	const struct machine_edge *edge;
	uint8_t from = machine->state;

	/* Both are bugs of ours, whatever came from outside: an event number is always written in the program, and an
	 * action that steps its own machine would see states change beneath it. */
	assert(event < table->event_count);
	assert(machine->depth == 0);

	edge = &table->edges[(size_t)from * table->event_count + event];
	if (edge->kind == MACHINE_GO) {
		assert(edge->to < table->state_count);
		machine->state = edge->to;
	}
	machine->depth++;
	if (machine->trace)
		machine->trace(machine->owner, table, from, event, machine->state, edge->kind != MACHINE_ERROR);
	if (edge->kind == MACHINE_GO && edge->action)
		edge->action(machine->owner, event_data);
	machine->depth--;
	return edge->kind == MACHINE_ERROR ? -EPROTO : 0;
}

const char *machine_state_name(const struct machine *machine)
{
	return machine->table->state_names[machine->state];
}
