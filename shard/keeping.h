/* The worker's side of the keeper: what it knows of its guilds, and its own files. Loop thread only. */
#ifndef SHOAL_SHARD_KEEPING_H
#define SHOAL_SHARD_KEEPING_H

#include "shard/cache/cache.h"

struct worker;

/* Before schedule_start(): retention is a job. Without a database there is nothing to keep: 0. */
int keeping_start(struct worker *worker);
/* The cache saw a guild come or go. */
void keeping_guild(struct worker *worker, const struct cache_outcome *outcome);

#endif
