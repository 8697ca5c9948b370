/* The function behind shoal_act_allowed() (<shoal/hierarchy.h>). Pure; any thread. */
#ifndef SHOAL_SHARED_DISCORD_HIERARCHY_H
#define SHOAL_SHARED_DISCORD_HIERARCHY_H

#include <shoal/hierarchy.h>

#include "shared/phrases/phrases.h"

/* True: it may be done. False: *ret_bar says why not; its words point into itself, so it is not to be copied. */
bool hierarchy_allows(const struct shoal_act *act, struct shoal_act_bar *ret_bar);

#endif
