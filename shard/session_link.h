/* The gateway session and the rest of its worker: dispatches go to the pipeline, an IDENTIFY is asked of the supervisor
 * and reported to it, an end that the session can't mend ends the worker. Loop thread only. */
#ifndef SHOAL_SHARD_SESSION_LINK_H
#define SHOAL_SHARD_SESSION_LINK_H

#include "shard/worker.h"

/* @arg: the worker. */
extern const struct session_events link_session_events;

#endif
