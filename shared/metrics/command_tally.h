/* How commands are used: for each how its uses ended and how long members waited, as a file on tmpfs beside the shard's
 * board. Written by the worker, read by the supervisor for /metrics and shoalctl. A successor goes on from what is
 * there, so the numbers only rise. No member, no server, no word of theirs is in it. */
#ifndef SHOAL_SHARED_METRICS_COMMAND_TALLY_H
#define SHOAL_SHARED_METRICS_COMMAND_TALLY_H

#include <stddef.h>
#include <stdint.h>

#define COMMAND_TALLY_ROWS_MAX 1024
#define COMMAND_TALLY_MODULE   32
#define COMMAND_TALLY_PATH     104
#define COMMAND_TALLY_BUCKETS  14

/* clang-format off */
#define COMMAND_OUTCOMES(X) \
	X(answered, "the handler's answer reached Discord") \
	X(off, "its module is switched off") \
	X(denied, "the member may not, or not here, or not yet again") \
	X(wrong, "what was given with it is wrong") \
	X(failed, "the handler gave no answer, a wrong one, or an incident") \
	X(lost, "Discord did not take the answer") \
	X(late, "its three seconds were over") \
	X(suggested, "suggestions while it was typed")
/* clang-format on */

enum command_outcome {
#define X(name, help) COMMAND_OUTCOME_##name,
	COMMAND_OUTCOMES(X)
#undef X
		COMMAND_OUTCOME_COUNT,
};
extern const char *const command_outcome_names[COMMAND_OUTCOME_COUNT];

/* The bytes of the file. The times are of what was answered, from the event to Discord's word that it has the first
 * answer (a deferral counts). */
struct command_tally_row {
	char module[COMMAND_TALLY_MODULE];
	char path[COMMAND_TALLY_PATH]; /* "settings prefix"; of a button its row's prefix */
	uint64_t outcomes[COMMAND_OUTCOME_COUNT];
	uint64_t total_us, max_us;
	uint64_t buckets[COMMAND_TALLY_BUCKETS];
};
/* Upper bounds; the last bucket has none. */
extern const uint32_t command_tally_us[COMMAND_TALLY_BUCKETS - 1];

struct command_tally {
	struct command_tally_row *rows;
	size_t count;
	uint64_t changes; /* since it was written */
};
void command_tally_finish(struct command_tally *tally);

/* One use. @took_us 0: not answered. Full, or no memory: not counted. */
void command_tally_count(struct command_tally *tally, const char *module, const char *path,
			 enum command_outcome outcome, uint64_t took_us);

/* All uses; and the time that @share (0 … 1) of those answered did not exceed, as its bucket's bound (the longest one
 * for the last); 0: none was. */
uint64_t command_tally_uses(const struct command_tally_row *row);
uint64_t command_tally_share_us(const struct command_tally_row *row, double share);

/* "<dir>/shard-<generation>-<id>.commands". -ENAMETOOLONG. */
int command_tally_path(const char *dir, uint32_t generation, uint32_t shard_id, char *path, size_t size);
/* Adds what the file holds. -ENOENT; -SHOAL_EDAMAGED, -SHOAL_EVERSION (nothing is added); -ENOMEM; -errno. */
int command_tally_read(struct command_tally *tally, const char *path);
/* Replaces the file in one step, mode 0600. -errno: the old one stays. */
int command_tally_write(struct command_tally *tally, const char *path);

#endif
