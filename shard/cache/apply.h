/* What each dispatch does to the cache: one row an event. Between cache.c and the store; loop thread only. */
#ifndef SHOAL_SHARD_CACHE_APPLY_H
#define SHOAL_SHARD_CACHE_APPLY_H

#include "shard/cache/cache.h"
#include "shard/cache/store.h"
#include "shard/gateway/arena.h"

/* A GUILD_CREATE decoded takes about twice the part of it that is kept. */
#define APPLY_ARENA_MAX ((size_t)16 << 20)

struct apply {
	struct store *store;
	struct arena arena; /* of the event at hand */
	struct buf before;  /* the record that was read: its view points into it */
	struct buf record;  /* to be written */
	uint64_t self_id;
	uint64_t filling_id; /* REST is being asked about this guild */
	bool filling_stale;  /* an event told of it meanwhile */
};

void apply_init(struct apply *apply, struct store *store);
void apply_finish(struct apply *apply);

bool apply_wants(enum shoal_event_type type);
int apply_event(struct apply *apply, const struct envelope *envelope, struct cache_outcome *ret_outcome);
/* The record of a guild from REST's answers. */
int apply_texts(struct apply *apply, uint64_t guild_id, const struct cache_texts *texts);

#endif
