/* Loading a shared object runs its code before anything of it is known: constructors, and the dynamic loader over its
 * tables. So each loading is an entry into module code like any other: marked on the board, counted by the module's
 * breaker when the worker dies in it, and passed over while that is off. Used by the worker at its start, before the
 * module host is there; main thread. */
#ifndef SHOAL_SHARD_MODHOST_TRIAL_H
#define SHOAL_SHARD_MODHOST_TRIAL_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "shard/modhost/breaker.h"
#include "shared/board/board.h"

struct trial_options {
	struct board_shard *board;
	const struct breaker_rules *rules;
	struct board_culprit culprit; /* the last worker's, if it crashed in a module's code */
	const json_t *left_out;       /* [{name, reason}] that the supervisor's question to this program died of; may be
				       * NULL */
};

/* Counts the last worker's death if it came while a module was loaded, and guards the loader from now on. Keeps what
 * the options point to until trial_end(); culprit_init() was called. */
void trial_begin(const struct trial_options *options);
void trial_end(void);
/* Modules that were passed over because their breakers are off. */
size_t trial_off_count(void);

#endif
