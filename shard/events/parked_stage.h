/* Letters in the runtime directory, until they are on disk; and what is known of letters wherever they lie: begun,
 * crashes, gone. LMDB on tmpfs without sync: it serves a process's death, like the inbox. Loop thread only. Every write
 * is committed when it returns. */
#ifndef SHOAL_SHARD_EVENTS_PARKED_STAGE_H
#define SHOAL_SHARD_EVENTS_PARKED_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/letters/letter.h"

struct parked_stage;

struct parked_stage_options {
	const char *runtime_dir;
	uint32_t generation, shard_id;
	uint32_t max_mib;
	bool crashed; /* the last worker died of its own making: perhaps of these files */
};

struct parked_stage_found {
	bool fresh;   /* nothing was there, or it had to go */
	bool damaged; /* the latter: moved aside ("….damaged") */
	size_t unreadable;
	size_t adopted; /* rows of the version before */
	int adopt_error;
};

/* Opens or makes the files, reads every row once, and takes over those of the version before. -ENOSPC, -errno. */
int parked_stage_open(const struct parked_stage_options *options, struct parked_stage_found *ret_found,
		      struct parked_stage **ret_stage);
struct parked_stage *parked_stage_close(struct parked_stage *stage);

/* -ENOSPC. */
int parked_stage_put(struct parked_stage *stage, enum letter_table table, struct letter_key key, const struct buf *row);
int parked_stage_delete(struct parked_stage *stage, enum letter_table table, struct letter_key key);
/* Appends the row. -ENOENT. */
int parked_stage_copy(struct parked_stage *stage, enum letter_table table, struct letter_key key, struct buf *out);
/* @fn must not write; non-zero ends it. @row_len is the row's. */
typedef int (*parked_letter_fn)(void *arg, const struct letter *letter, size_t row_len);
int parked_stage_each(struct parked_stage *stage, enum letter_table table, parked_letter_fn fn, void *arg);

/* Zeros when there is none. */
struct letter_state parked_stage_state(struct parked_stage *stage, struct letter_key key);
/* Zeros remove it. */
int parked_stage_set_state(struct parked_stage *stage, struct letter_key key, struct letter_state state);
typedef int (*parked_state_fn)(void *arg, struct letter_key key, struct letter_state state);
int parked_stage_each_state(struct parked_stage *stage, parked_state_fn fn, void *arg);

#endif
