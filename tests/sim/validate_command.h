/* Checks of application commands: what Discord documents and refuses (Application Commands, structure and limits). */
#ifndef SIM_VALIDATE_COMMAND_H
#define SIM_VALIDATE_COMMAND_H

#include "tests/sim/rest.h"

/* One application command. @at: path of it in the errors tree. True when it is good; otherwise the call was answered
 * and is over. */
bool validate_command(struct rest_call *c, const json_t *command, const char *at);

#endif
