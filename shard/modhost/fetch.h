/* What modules ask Discord for: the functions of <shoal/fetch.h>. Loop thread only. */
#ifndef SHOAL_SHARD_MODHOST_FETCH_H
#define SHOAL_SHARD_MODHOST_FETCH_H

#include <shoal/fetch.h>

int fetch_begin(struct shoal_scope *scope, int what, uint64_t guild_id, uint64_t id, shoal_fetched_fn fn, void *arg);

#endif
