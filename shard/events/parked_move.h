/* Letters on their way between the stage and the store: what is handed to the helper thread, and what comes back. The
 * store may be away; it is tried again by parked_tick(). Loop thread only, but for parked_wake_loop(). */
#ifndef SHOAL_SHARD_EVENTS_PARKED_MOVE_H
#define SHOAL_SHARD_EVENTS_PARKED_MOVE_H

#include "shard/events/parked_index.h"

#define PARKED_RETRY_NS (5 * NS_PER_S) /* of a store or a stage that is away */

/* Hands @job over, which is the store's from then on. On failure it is freed, and the store counts as away. */
int parked_give(struct parked *parked, struct parked_job *job);
int parked_give_simple(struct parked *parked, enum parked_op op, enum letter_table table, struct letter_key key);

/* Asks for the store to be opened, if nobody has. */
void parked_open_store(struct parked *parked);

/* Says once that the store can't be written. */
void parked_tell_away(struct parked *parked, int error);

/* Takes what is done; how many came back. */
int parked_take_done(struct parked *parked);

/* Hands over what waits in the stage, as much as may be on its way at once. */
void parked_pump(struct parked *parked);

/* The helper thread wakes the loop by the first; the second runs there. @arg: struct parked. */
void parked_wake_loop(void *arg);
void parked_on_wake(uv_async_t *async);

#endif
