/* A ticket stands for one event that is being handled. Whoever goes asynchronous holds it; when the last holder lets go
 * the event is handled and will not be begun again by a successor. Loop thread only. */
#ifndef SHOAL_SHARD_EVENTS_TICKET_H
#define SHOAL_SHARD_EVENTS_TICKET_H

#include <stdbool.h>

struct ticket;

/* NULL in, NULL out: code that is tried without a pipeline has no tickets. */
struct ticket *ticket_hold(struct ticket *ticket);
void ticket_release(struct ticket *ticket);

/* Whether a worker that died had begun this event: some of its effects may be done. False for NULL. */
bool ticket_again(const struct ticket *ticket);

#endif
