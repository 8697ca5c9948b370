/* Time zones to choose from. Pure but for the suggestion. */
#ifndef SHOAL_MODULES_REMIND_ZONES_H
#define SHOAL_MODULES_REMIND_ZONES_H

#include <shoal/module.h>

/* Suggests zones whose name holds what was typed: shoal_command_option.suggest. */
void zones_suggest(struct shoal_invocation *inv);

#endif
