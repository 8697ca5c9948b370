/* How many shards this fleet runs, and under which generation. Pure decision; scanning the runtime directory is apart.
 */
#ifndef SHOAL_SUPERVISOR_PLAN_H
#define SHOAL_SUPERVISOR_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Boards of more shards than this are no plan but damage: Discord's largest bots stay far below. */
#define PLAN_SHARDS_MAX 16384

/* What lies in the runtime directory from before: the newest generation's boards. */
struct plan_found {
	uint32_t generation;  /* 0: none */
	uint32_t shard_count; /* of that generation */
	uint32_t boards;      /* how many of its files are there */
	uint32_t live;        /* how many workers hold their lock */
};

struct plan_input {
	uint32_t wanted;      /* discord.shard_count, 0 = auto */
	uint32_t recommended; /* GET /gateway/bot's shards; 0 = not told */
	uint32_t max_concurrency;
	struct plan_found found;
};

enum plan_note {
	PLAN_NOTE_NONE = 0,
	PLAN_NOTE_KEPT = 1 << 0,    /* workers of another count are running: theirs is kept, a change is never silent */
	PLAN_NOTE_TOO_FEW = 1 << 1, /* fewer than recommended: Discord may refuse with 4011 */
	PLAN_NOTE_MULTIPLE = 1 << 2, /* a large bot's count must be a multiple: Discord may refuse with 4010 */
	PLAN_NOTE_NEW = 1 << 3,      /* another count than the boards': new generation, every shard identifies */
};

struct plan {
	uint32_t shard_count;
	uint32_t generation; /* from 1 */
	uint32_t notes;      /* set of enum plan_note */
};

/* -ERANGE when a count is beyond PLAN_SHARDS_MAX; -EINVAL when nobody says how many (auto and nothing recommended). */
int plan_decide(const struct plan_input *input, struct plan *ret_plan);

/* Looks through @dir's "shard-<generation>-<id>.board" files. Boards that fail their checks are passed over (the
 * worker's creation moves them aside). -errno when the directory can't be read. */
int plan_scan(const char *dir, struct plan_found *ret_found);

/* Removes boards of other generations than @keep whose lock nobody holds. Returns how many, or -errno. */
int plan_sweep(const char *dir, uint32_t keep);

#endif
