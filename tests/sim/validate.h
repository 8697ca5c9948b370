/* Checks of message bodies: the limits Discord documents. */
#ifndef SIM_VALIDATE_H
#define SIM_VALIDATE_H

#include "tests/sim/rest.h"

/* Where a message body goes; the rules differ a little. */
enum message_use { MESSAGE_CREATE, MESSAGE_EDIT, MESSAGE_INTERACTION, MESSAGE_WEBHOOK };

/* Checks @body. True when it is good; otherwise the call was answered and is over. */
bool validate_message(struct rest_call *c, const json_t *body, enum message_use use);
#endif
