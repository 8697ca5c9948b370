/* The guild cache of a shard: what a resumed session is never told again (discord-facts section 7). Dispatches in,
 * views of guilds out. It outlives the worker together with the session. Loop thread only.
 *
 * An event is applied when it is taken and committed with the loop turn, together with the inbox position up to which
 * all is in: after a crash the successor applies what lies behind that position, and nothing twice. A position names an
 * event across sessions, which a sequence does not. */
#ifndef SHOAL_SHARD_CACHE_CACHE_H
#define SHOAL_SHARD_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/view.h>

#include "shard/gateway/envelope.h"

struct cache;

struct cache_options {
	const char *runtime_dir;
	uint32_t generation, shard_id;
	size_t map_bytes; /* the file never grows beyond; 0: CACHE_MAP_BYTES */
	bool anew;        /* what is there must not be touched: the last worker died of it */
};

#define CACHE_MAP_BYTES ((size_t)128 << 20)

/* How it was found. */
struct cache_found {
	bool fresh;   /* nothing was kept */
	bool damaged; /* there was something that could not be used */
	int error;    /* not 0: there is no room for it; it is away until cache_tick() finds some */
};

/* -ENOMEM, -ENAMETOOLONG: what is wrong with the files themselves is in @ret_found. */
int cache_open(const struct cache_options *options, struct cache_found *ret_found, struct cache **ret_cache);
/* NULL is nothing to do; returns NULL. Views are gone. What was not committed is the successor's to apply. */
struct cache *cache_close(struct cache *cache);

/* The bot's own user, whose member is remembered. READY says it too. */
void cache_set_self(struct cache *cache, uint64_t user_id);
uint64_t cache_self(const struct cache *cache);

enum cache_change {
	CACHE_NOTHING = 0, /* nothing that somebody would be told */
	CACHE_READY,       /* a new session's list */
	CACHE_AVAILABLE,   /* of READY's list, or back after an outage: no join */
	CACHE_JOINED,      /* the bot is new there */
	CACHE_OUTAGE,
	CACHE_REMOVED, /* the bot was removed */
};

struct cache_outcome {
	enum cache_change change;
	uint64_t guild_id;
	int error; /* not 0: it could not be kept (-ENOSPC, -EFBIG, -ENODEV: away, …); the guild counts as missing */
};

/* Whether an event of @type changes the cache. */
bool cache_wants(enum shoal_event_type type);
/* Applies a dispatch of a type that it wants. 0, or negative errno: malformed, nothing was changed. */
int cache_apply(struct cache *cache, const struct envelope *envelope, struct cache_outcome *ret_outcome);

/* End of a loop turn; views are gone. Stores @applied, the inbox position before which all is in. An error: the cache
 * could not be written, and was thrown away. */
int cache_commit(struct cache *cache, uint64_t applied);
/* Of the last commit; 0: nothing is in. */
uint64_t cache_applied(const struct cache *cache);
/* Slow tick: a cache that is away is tried again. True: it is back, empty. */
bool cache_tick(struct cache *cache);

/* The view of a guild; NULL when it is not known, which may be a miss (see cache_missing()). It lives until the loop
 * turns (cache_turn()), whatever is applied meanwhile. */
const struct shoal_guild_view *cache_guild(struct cache *cache, uint64_t guild_id);
/* Views are gone. */
void cache_turn(struct cache *cache);

/* All guilds the bot is in; of these in an outage; of these, of READY's list, not heard of yet; of these here, but
 * unknown. */
size_t cache_count(const struct cache *cache);
size_t cache_unavailable(const struct cache *cache);
size_t cache_expected(const struct cache *cache);
size_t cache_missing(const struct cache *cache);
/* One that is not in an outage; 0: none, or not known. */
uint64_t cache_any_guild(struct cache *cache);
/* The file's. */
size_t cache_bytes(const struct cache *cache);
bool cache_is_away(const struct cache *cache);

/* For the handler of fatal signals: the cache's file is being read or written. It is the file then that is to be thrown
 * away, and nobody's event that is to blame. Async-signal-safe. */
bool cache_is_touched(void);

/* --- for refilling (fill.h) */

/* Counts how often the cache was thrown away, this opening included when nothing was kept. */
uint64_t cache_dropped(const struct cache *cache);
/* Whether all guilds are known by id at least: READY said so, or whoever asked REST for all of them. False after the
 * cache was thrown away. */
bool cache_is_listed(const struct cache *cache);
void cache_set_listed(struct cache *cache);
/* The bot is in @guild_id, says REST. Nothing when it is known already. */
int cache_found_guild(struct cache *cache, uint64_t guild_id);
/* A guild that is here and unknown, other than @after when there is another; 0: none. */
uint64_t cache_next_missing(struct cache *cache, uint64_t after);
/* From now on cache_fill() of @guild_id fails when an event was applied in between. */
void cache_fill_begin(struct cache *cache, uint64_t guild_id);
/* JSON texts of REST: the guild, its channels, active threads ({"threads", "members"}) and the bot's member.
 * -ESTALE: something happened meanwhile: ask again; -EEXIST: an event has told all; -EBADMSG, -EPROTO: malformed. */
struct cache_texts {
	struct shoal_str guild, channels, threads, member;
};
int cache_fill(struct cache *cache, uint64_t guild_id, const struct cache_texts *texts);
/* REST says that the bot is not there. */
int cache_lost_guild(struct cache *cache, uint64_t guild_id);

#endif
