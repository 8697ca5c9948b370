/* A worker takes its shard's page over from the one before it. */
#ifndef SHOAL_SHARD_TAKEOVER_H
#define SHOAL_SHARD_TAKEOVER_H

#include "shard/worker.h"

/* Opens and locks the shard's page, opens the host's, reads how the last worker ended (whether it crashed, in whose
 * code, of which file's damage, what its crash report says) and makes the page its own. An exit code: EXIT_CODE_LOCKED
 * when another worker serves the shard, EXIT_CODE_RESOURCE when there is no board; what went wrong is logged. */
int takeover_board(struct worker *worker);

#endif
