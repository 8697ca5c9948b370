/* The control API: JSON over HTTP, one table of verbs. */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "tests/sim/http.h"

/* Requests on the control port. Takes @x. */
void control_handle(struct exchange *x);
/* Called once by POST /stop, at the end of the pass. */
void control_on_stop(void (*stop)(void));

#endif
