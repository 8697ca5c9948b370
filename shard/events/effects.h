/* Effects: REST requests made on behalf of an event, so that an event which is handled again after a crash does nothing
 * twice. Stands before the REST client and has its contract; beside it the journal. Loop thread only.
 *
 * A handler is simply run again from its start. Its effects are numbered as they are begun; each that could do harm
 * twice has its number's row in the journal (SAFE ones have neither). What then happens to one:
 *
 *   the row says     NONCE                       CHECK                        NEVER
 *   nothing          sent                        sent                         sent
 *   a result         the handler gets that result, with already set; nothing is sent
 *   an intent        sent with the same nonce;   Discord is asked (checks.h): -SHOAL_EUNKNOWN
 *                    too old: -SHOAL_EUNKNOWN    done, sent, or -SHOAL_EUNKNOWN
 *   (lost rows)      by the event's age          asked                        -SHOAL_EUNKNOWN
 *
 * So a handler must begin its effects in the same order each time, or place them (below); one whose row is about
 * another request ends with -SHOAL_EUNKNOWN. The intent is on the map before the request leaves, the result before the
 * handler is told. */
#ifndef SHOAL_SHARD_EVENTS_EFFECTS_H
#define SHOAL_SHARD_EVENTS_EFFECTS_H

#include <stdatomic.h>
#include <stdint.h>

#include "shard/events/journal.h"
#include "shard/events/ticket.h"
#include "shared/discord/rest.h"
#include "shared/loop/loop.h"

struct effects;

/* Who numbers: subscribers of one event are told apart by their lane, since they go on at their own pace. Commands have
 * lane 0. */
#define EFFECT_LANE_COMMANDS 0
#define EFFECT_LANE_MAX      UINT16_MAX
#define EFFECT_LANE_SHIFT    16 /* below it: the number in the lane */

/* Embedded by whoever makes effects for an event, beside its hold on the ticket. */
struct effect_scope {
	struct ticket *ticket; /* borrowed; NULL: of no event, nothing is remembered */
	uint32_t next_step;
	bool placed; /* by effect_scope_place() */
};

void effect_scope_init(struct effect_scope *scope, struct ticket *ticket, uint32_t lane);
/* The next effect has that number of its lane, whatever was begun before, and its row's result counts also when it is
 * about another place: of a handler whose wishes may be others when it is begun again. @number: up to UINT16_MAX. */
static inline void effect_scope_place(struct effect_scope *scope, uint32_t number)
{
	scope->next_step = (scope->next_step >> EFFECT_LANE_SHIFT << EFFECT_LANE_SHIFT) | (number & UINT16_MAX);
	scope->placed = true;
}

/* The next number, for one effect that is begun later. */
static inline struct effect_scope effect_scope_take(struct effect_scope *scope)
{
	struct effect_scope one = *scope;

	scope->next_step++;
	scope->placed = false;
	return one;
}

/* Keeps @loop, @rest and @counters, which must outlive it; opens the journal, and drops and reports a damaged one.
 * -errno as journal_open(). */
int effects_new(struct loop *loop, const struct journal_options *options, struct rest *rest, _Atomic uint64_t *counters,
		struct effects **ret_effects);
/* An effect that may or may not have happened and is not done again; borrowed. */
struct effects_unknown {
	const char *event; /* event_key_print() */
	uint32_t step;
	const char *route;
	uint64_t guild_id, channel_id; /* as the request names them; 0: it does not */
	const char *why;
	uint64_t token; /* the same whenever it is told of this one */
};
typedef void (*effects_unknown_fn)(void *arg, const struct effects_unknown *unknown);
/* Who else is to hear of them: what the log says may be gone when somebody wants to look. */
void effects_on_unknown(struct effects *effects, effects_unknown_fn fn, void *arg);
/* Ends every effect with -ECANCELED before it returns; their rows stay as they are, for the successor. Frees once libuv
 * is done, then calls @closed (may be NULL). Before rest_close(). NULL is nothing to do. */
void effects_close(struct effects *effects, loop_fn closed, void *arg);

/* As rest_send(), with the same ownership and results; holds the scope's ticket until @fn was called. The body of a
 * NONCE route comes as json and gets its nonce here. Further results: -SHOAL_EUNKNOWN (see above), -ENOSPC (the journal
 * is full: nothing left). *ret_handle is for effects_cancel(). */
int effects_send(struct effects *effects, struct effect_scope *scope, const struct rest_request *request, rest_fn fn,
		 void *arg, uint64_t *ret_handle);
/* Ends an effect: its @fn is called with -ECANCELED before this returns. Nothing is remembered of the result. -ENOENT.
 */
int effects_cancel(struct effects *effects, uint64_t handle);

/* The pipeline's: an event is handled, its rows may go. */
void effects_handled(void *effects, struct event_key event);
/* What the journal knows of an event, to and from its dead letter: as journal_export() and journal_import(). Without a
 * journal all is doubtful, and nothing can be put back (-ENOSPC). */
int effects_export(void *effects, struct event_key event, struct buf *out, bool *ret_doubtful);
int effects_import(void *effects, struct event_key event, const char *rows, size_t len, bool same_boot);
/* No event is open any more that a worker before us had begun. */
void effects_trust(struct effects *effects);

/* The nonce of a step: at most 25 characters, the same in every life. */
void effects_nonce(struct event_key event, uint32_t step, char nonce[26]);

#endif
