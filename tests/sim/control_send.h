/* The control verbs that make something happen in Discord's world. Each returns a new reference. */
#ifndef SIM_CONTROL_SEND_H
#define SIM_CONTROL_SEND_H

#include "tests/sim/http.h"

json_t *control_message(struct exchange *x);
json_t *control_interaction(struct exchange *x);
json_t *control_event(struct exchange *x);
json_t *control_raw(struct exchange *x);
json_t *control_guild(struct exchange *x);

#endif
