/* Long polls: a request is answered when what it waits for is true, or when its time is over. */
#ifndef SIM_WAITS_H
#define SIM_WAITS_H

#include "tests/sim/http.h"

/* Something changed that a wait may look at: they are looked at once at the end of this pass. */
void waits_changed(void);
void waits_end_of_pass(void);
void waits_tick(uint64_t now_ms);

/* Parses the query of GET /wait or /ledger/wait and keeps @x until its conditions hold (200) or timeout_ms is over
 * (408 with what was reached). Takes @x. @ledger: names are sent, answered, expecting, doubled of ?kind=. */
void waits_start(struct exchange *x, bool ledger);
/* Names of the conditions with their present values. New reference. */
json_t *waits_values_json(void);

#endif
