/* A ticket stands for one event that is being handled. Whoever goes asynchronous holds it; when the last holder lets go
 * the event is handled and will not be begun again by a successor. Loop thread only. */
#ifndef SHOAL_SHARD_EVENTS_TICKET_H
#define SHOAL_SHARD_EVENTS_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "shard/events/event_key.h"

struct ticket;

/* NULL in, NULL out: code that is tried without a pipeline has no tickets. */
struct ticket *ticket_hold(struct ticket *ticket);
void ticket_release(struct ticket *ticket);

/* Whether a worker that died had begun this event: some of its effects may be done. False for NULL. */
bool ticket_again(const struct ticket *ticket);

/* Whether what it had done then may be missing from the journal, beyond what the journal itself knows. */
bool ticket_is_doubtful(const struct ticket *ticket);

/* Names the event on the inbox as the one whose code runs, in place of whom it named; ticket_unmark() with what this
 * returned names that one again. NULL: of no event, nobody is named. */
uint64_t ticket_mark(struct ticket *ticket);
void ticket_unmark(struct ticket *ticket, uint64_t before);
/* Which dispatch it came by. Zeros for NULL. */
void ticket_origin(const struct ticket *ticket, uint64_t *ret_session, uint64_t *ret_sequence);

/* Which event it is. {0, 0} for NULL. */
struct event_key ticket_key(const struct ticket *ticket);
/* The journal has rows of this event: it is to be told when the event is handled. */
void ticket_set_journalled(struct ticket *ticket);
/* By who decodes: from now on ticket_key() knows. */
void ticket_identify(struct ticket *ticket, const struct shoal_event *event);

#endif
