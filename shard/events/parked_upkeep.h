/* What goes from the parked events by itself, or because a member wishes it (parked_forget_user() in parked.h). Loop
 * thread only. */
#ifndef SHOAL_SHARD_EVENTS_PARKED_UPKEEP_H
#define SHOAL_SHARD_EVENTS_PARKED_UPKEEP_H

#include "shard/events/parked_index.h"

/* Takes tokens that serve no more out of payloads, and removes what is older than parked.max_age_days. Call it at every
 * tick; it looks when it is time to. @now_ns: clock_monotonic_ns(). */
void parked_upkeep(struct parked *parked, uint64_t now_ns);

#endif
