/* A worker's parts: who is made before whom, and in which order they go. Loop thread only. */
#ifndef SHOAL_SHARD_SETUP_H
#define SHOAL_SHARD_SETUP_H

#include "shard/worker.h"

/* Makes all parts from the configuration in @secrets and starts the session; the worker runs then. On failure @error
 * says what could not be set up; what is there already is closed by setup_close() all the same. */
int setup_start(struct worker *worker, const json_t *secrets, char error[CONFIG_ERROR_SIZE]);

/* Ends what is under way and closes all parts that there are; the loop stops when the last is closed. Order matters:
 * the bus and the database end their calls before what they call is freed; REST goes last, because a cancelled call may
 * still want to answer somebody. */
void setup_close(struct worker *worker);

/* After the loop has ended. */
void setup_free(struct worker *worker);

#endif
