/* Store, rules and views put together, and what happens when the files fail: the cache is thrown away and asked of REST
 * again; the session and its events go on. */
#include "shard/cache/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/cache/apply.h"
#include "shard/cache/record.h"
#include "shard/cache/store.h"

#define VIEW_ARENA_MAX ((size_t)32 << 20)

struct cache {
	struct store *store;
	struct apply apply;
	struct arena views; /* of this turn */
	struct buf bytes;
	const struct shoal_guild_view *last_view; /* in views */
	uint64_t dropped;
};

int cache_open(const struct cache_options *options, struct cache_found *ret_found, struct cache **ret_cache)
{
	struct cache *cache = calloc(1, sizeof(*cache));
	struct store_found found;
	int r;

	if (!cache)
		return -ENOMEM;
	r = store_open(options->runtime_dir, options->generation, options->shard_id,
		       options->map_bytes ? options->map_bytes : CACHE_MAP_BYTES, options->anew, &found, &cache->store);
	if (r < 0) {
		free(cache);
		return r;
	}
	apply_init(&cache->apply, cache->store);
	arena_init(&cache->views, VIEW_ARENA_MAX);
	buf_init(&cache->bytes, RECORD_BYTES_MAX);
	cache->dropped = found.fresh ? 1 : 0;
	*ret_found = (struct cache_found){ .fresh = found.fresh,
					   .damaged = found.damaged || options->anew,
					   .error = found.error };
	*ret_cache = cache;
	return 0;
}

struct cache *cache_close(struct cache *cache)
{
	if (!cache)
		return NULL;
	cache->store = store_close(cache->store);
	apply_finish(&cache->apply);
	arena_finish(&cache->views);
	buf_finish(&cache->bytes);
	free(cache);
	return NULL;
}

void cache_set_self(struct cache *cache, uint64_t user_id)
{
	cache->apply.self_id = user_id;
}

uint64_t cache_self(const struct cache *cache)
{
	return cache->apply.self_id;
}

bool cache_wants(enum shoal_event_type type)
{
	return apply_wants(type);
}

int cache_apply(struct cache *cache, const struct envelope *envelope, struct cache_outcome *ret_outcome)
{
	/* A view that was lent stays as it is; the next one who asks gets a new one. */
	cache->last_view = NULL;
	return apply_event(&cache->apply, envelope, ret_outcome);
}

/* --- transactions
 * ----------------------------------------------------------------------------------------------------- */

static void drop(struct cache *cache)
{
	cache->dropped++;
	cache->apply.filling_stale = true;
	store_renew(cache->store); /* or it is away now, and tried again by the tick */
}

int cache_commit(struct cache *cache, uint64_t applied)
{
	int r;

	cache_turn(cache);
	r = store_commit(cache->store, applied);
	if (!store_take_lost(cache->store))
		return r;
	drop(cache);
	return r < 0 ? r : -EIO;
}

uint64_t cache_applied(const struct cache *cache)
{
	return store_applied(cache->store);
}

bool cache_tick(struct cache *cache)
{
	return store_is_away(cache->store) && store_renew(cache->store) == 0;
}

/* --- views
 * ------------------------------------------------------------------------------------------------------------ */

/* The record's bytes are copied first: views outlive what is written meanwhile. */
static const struct shoal_guild_view *make_view(struct cache *cache, uint64_t guild_id)
{
	struct store_head head = store_head(cache->store, guild_id);
	struct shoal_guild_view *guild;
	char *copy;

	if (head.state == GUILD_NONE || !head.known)
		return NULL;
	buf_clear(&cache->bytes, ARENA_KEEP_BYTES);
	if (store_read(cache->store, guild_id, &cache->bytes) < 0)
		return NULL;
	copy = arena_alloc(&cache->views, cache->bytes.len);
	if (!copy)
		return NULL;
	memcpy(copy, cache->bytes.data, cache->bytes.len);
	if (record_decode(copy, cache->bytes.len, guild_id, &cache->views, &guild) < 0)
		return NULL;
	guild->member_count = head.member_count;
	guild->unavailable = head.state == GUILD_OUT;
	return guild;
}

const struct shoal_guild_view *cache_guild(struct cache *cache, uint64_t guild_id)
{
	if (!cache->last_view || cache->last_view->id != guild_id)
		cache->last_view = make_view(cache, guild_id);
	return cache->last_view;
}

void cache_turn(struct cache *cache)
{
	cache->last_view = NULL;
	arena_reset(&cache->views);
}

/* --- numbers
 * ---------------------------------------------------------------------------------------------------------- */

size_t cache_count(const struct cache *cache)
{
	return store_count(cache->store, GUILD_EXPECTED) + store_count(cache->store, GUILD_HERE) +
	       store_count(cache->store, GUILD_OUT);
}

size_t cache_unavailable(const struct cache *cache)
{
	return store_count(cache->store, GUILD_OUT);
}

size_t cache_expected(const struct cache *cache)
{
	return store_count(cache->store, GUILD_EXPECTED);
}

size_t cache_missing(const struct cache *cache)
{
	return store_missing(cache->store);
}

size_t cache_bytes(const struct cache *cache)
{
	return store_bytes(cache->store);
}

bool cache_is_away(const struct cache *cache)
{
	return store_is_away(cache->store);
}

bool cache_is_touched(void)
{
	return store_is_touched();
}

/* --- refilling
 * -------------------------------------------------------------------------------------------------------- */

uint64_t cache_dropped(const struct cache *cache)
{
	return cache->dropped;
}

bool cache_is_listed(const struct cache *cache)
{
	return store_is_listed(cache->store);
}

void cache_set_listed(struct cache *cache)
{
	store_set_listed(cache->store);
}

int cache_found_guild(struct cache *cache, uint64_t guild_id)
{
	struct store_head head = store_head(cache->store, guild_id);

	if (head.state != GUILD_NONE)
		return 0;
	head.state = GUILD_HERE;
	return store_set_head(cache->store, guild_id, head);
}

struct missing_walk {
	uint64_t after, first, next;
};

static int note_missing(void *arg, uint64_t guild_id, struct store_head head)
{
	struct missing_walk *walk = arg;

	if (head.state != GUILD_HERE || head.known)
		return 0;
	if (walk->first == 0)
		walk->first = guild_id;
	if (guild_id <= walk->after)
		return 0;
	if (walk->next == 0 || guild_id < walk->next)
		walk->next = guild_id;
	return 0;
}

uint64_t cache_next_missing(struct cache *cache, uint64_t after)
{
	struct missing_walk walk = { .after = after };

	if (cache_missing(cache) == 0)
		return 0;
	store_each(cache->store, note_missing, &walk);
	return walk.next ? walk.next : walk.first;
}

static int take_here(void *arg, uint64_t guild_id, struct store_head head)
{
	if (head.state != GUILD_HERE)
		return 0;
	*(uint64_t *)arg = guild_id;
	return 1;
}

uint64_t cache_any_guild(struct cache *cache)
{
	uint64_t guild_id = 0;

	store_each(cache->store, take_here, &guild_id);
	return guild_id;
}

void cache_fill_begin(struct cache *cache, uint64_t guild_id)
{
	cache->apply.filling_id = guild_id;
	cache->apply.filling_stale = false;
}

int cache_fill(struct cache *cache, uint64_t guild_id, const struct cache_texts *texts)
{
	bool stale = cache->apply.filling_stale || cache->apply.filling_id != guild_id;
	struct store_head head = store_head(cache->store, guild_id);

	cache->last_view = NULL;
	cache->apply.filling_id = 0;
	if (head.known)
		return -EEXIST;
	if (stale || head.state != GUILD_HERE)
		return -ESTALE;
	return apply_texts(&cache->apply, guild_id, texts);
}

int cache_lost_guild(struct cache *cache, uint64_t guild_id)
{
	cache->last_view = NULL;
	return store_set_head(cache->store, guild_id, (struct store_head){ 0 });
}
