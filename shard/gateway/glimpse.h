/* SPDX-License-Identifier: MIT */
/* What can be told of a dispatch that is refused: too deep, cut off, or no JSON at all further on. Nothing is
 * validated; any bytes are safe. Pure. */
#ifndef SHOAL_GATEWAY_GLIMPSE_H
#define SHOAL_GATEWAY_GLIMPSE_H

#include "shard/gateway/envelope.h"

/* Looks for op, s and t of the outermost object, and d.guild_id, as far as @bytes go. True: it says that it is a
 * dispatch (op 0) with a sequence; then *ret_envelope has op, sequence, type, name and guild_id (d is absent). A guess:
 * whoever relies on it must have reasons of his own to believe it. */
bool glimpse_dispatch(const char *bytes, size_t len, struct envelope *ret_envelope);

#endif
