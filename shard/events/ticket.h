/* A ticket stands for one event that is being handled, or one run of a job. Whoever goes asynchronous holds it; when
 * the last holder lets go the event is handled and will not be begun again by a successor. Loop thread only. */
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

/* --- runs of jobs (shard/schedule/) ----------------------------------------------------------------------------------
 */

/* What ticket_origin() gives for the session of a run, with the job's id for the sequence. */
#define TICKET_SESSION_JOBS 1

struct ticket_run {
	struct event_key key;
	uint64_t job_id;
	bool again, doubtful; /* as ticket_again(), ticket_is_doubtful() */
	int64_t since_ms;     /* Discord's clock: not begun before; for effects whose rows are lost */
	/* Who keeps the run: its last holder has let go, and the ticket is gone when this returns. */
	void (*over)(void *arg);
	/* Whether an effect may begin at this moment: 0, or -ECANCELED: the lease is over. */
	int (*may_act)(void *arg);
	void *arg;
};

/* A ticket that is held once. NULL: no memory. */
struct ticket *ticket_of_run(const struct ticket_run *run);
/* 0 for all but a run whose lease is over (-ECANCELED): asked before anything leaves. */
int ticket_may_act(const struct ticket *ticket);
/* Whether it is a run, and ticket_may_act() is to be asked. */
bool ticket_is_run(const struct ticket *ticket);
/* How old what it did may be at most, in ms, where no journal says it; UINT64_MAX: nobody knows. */
uint64_t ticket_age_ms(const struct ticket *ticket);

#endif
