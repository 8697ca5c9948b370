/* What the sim itself took away: dispatches that a RESUME did not bring again, sessions that it ended or refused to
 * resume, sequence numbers that it never gave. So that whoever reports a loss can be told whether he is right. */
#ifndef SIM_LOSSES_H
#define SIM_LOSSES_H

#include <stdint.h>

#include <jansson.h>

struct session;

enum loss_kind {
	LOSS_SKIPPED, /* written once, not replayed: sequences @from to @to, @dispatches of them */
	LOSS_REFUSED, /* RESUME answered by op 9 d:false; the client had @from - 1 */
	LOSS_ENDED,   /* the session was ended: the last sequence given out is @to */
	LOSS_GAP,     /* numbers @from to @to were never given to a dispatch */
	LOSS_KIND_COUNT,
};

void losses_note(enum loss_kind kind, const struct session *s, uint64_t from, uint64_t to, uint64_t dispatches);
/* Of @kind (LOSS_KIND_COUNT: all), after number @after. New reference. */
json_t *losses_json(enum loss_kind kind, uint64_t after);
/* LOSS_KIND_COUNT for no such name. */
enum loss_kind losses_kind(const char *name);
void losses_reset(void);
void losses_free(void);

#endif
