/* Asks REST for the guilds that the cache does not know: after damage, when a record did not fit, when one could not be
 * read. Under a fixed share of the budget, one guild at a time; an event that tells of the guild meanwhile wins. Loop
 * thread only. */
#ifndef SHOAL_SHARD_CACHE_FILL_H
#define SHOAL_SHARD_CACHE_FILL_H

#include <stdint.h>

#include "shard/cache/cache.h"
#include "shared/discord/rest.h"

struct fill;

struct fill_options {
	uint32_t shard_id, shard_count;
	uint32_t requests_per_s; /* at least 1 */
};

/* Keeps @cache and @rest, which outlive it. -ENOMEM. */
int fill_new(struct cache *cache, struct rest *rest, const struct fill_options *options, struct fill **ret_fill);
/* Breaks off what is under way. NULL is nothing to do; returns NULL. Before rest_close(). */
struct fill *fill_free(struct fill *fill);

/* Slow tick, while the session is ready (until then events may tell of all). Begins what the share allows. */
void fill_tick(struct fill *fill, uint64_t now_ns);

#endif
