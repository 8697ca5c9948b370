/* Laid-out messages ("components v2") from a module's blocks. Counts and needs of a block are checked here; sums over
 * the whole message (40 parts, 4000 characters) are payload.c's matter. Pure. Source: discord-facts section 16. */
#ifndef SHOAL_SHARD_COMMANDS_LAYOUT_H
#define SHOAL_SHARD_COMMANDS_LAYOUT_H

#include <jansson.h>

#include <shoal/component.h>

#include "shared/discord/payload.h"

/* Caller owns *ret_blocks. -EINVAL, -E2BIG with @error. */
int layout_make(const struct shoal_block *blocks, size_t count, char error[PAYLOAD_ERROR_SIZE], json_t **ret_blocks);

#endif
