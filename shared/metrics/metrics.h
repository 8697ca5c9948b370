/* Prometheus text exposition (version 0.0.4) into a buffer. Pure: values come from the caller or straight from boards.
 * A failed append (the buffer's maximum, no memory) is remembered and told once by metrics_end(). */
#ifndef SHOAL_SHARED_METRICS_METRICS_H
#define SHOAL_SHARED_METRICS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/board/board.h"

#define METRICS_PREFIX       "shoal_"
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics {
	struct buf *out;
	int error;
};

void metrics_begin(struct metrics *metrics, struct buf *out);
/* 0, or the first error met; the text is then incomplete and must not be served. */
int metrics_end(struct metrics *metrics);

/* HELP and TYPE of shoal_<name>; its samples must follow directly. */
void metrics_family(struct metrics *metrics, const char *name, enum metrics_type type, const char *help);
/* One sample. @labels: name, value, name, value, …, NULL; values are escaped here. */
void metrics_u64(struct metrics *metrics, const char *name, uint64_t value, ...) __attribute__((sentinel));
void metrics_double(struct metrics *metrics, const char *name, double value, ...) __attribute__((sentinel));

/* One histogram of the family @name (<name>_bucket, _sum, _count): @buckets[i] counts what was at most @bounds[i] and
 * above the one before, the last (of @count) what was above all of its count - 1 bounds; @sum in the bounds' unit. */
void metrics_histogram(struct metrics *metrics, const char *name, const double *bounds, const uint64_t *buckets,
		       size_t count, double sum, const char *const labels[4]);

/* A page to be read, with the shard it belongs to. NULL boards are passed over. */
struct metrics_shard {
	uint32_t shard_id;
	const struct board_shard *board;
};
/* Every row of the boards' counter table, one sample per shard with label shard="N". */
void metrics_shards(struct metrics *metrics, const struct metrics_shard *shards, size_t count);

#endif
