/* Where the cache lies: an LMDB environment a shard on tmpfs with a head a guild (small, changes often) and a record a
 * guild, and in the same transaction the inbox position up to which all is in. Knows nothing of Discord.
 *
 * The store may be away (no room for its files): reads find nothing, writes return -ENODEV, nobody else has to care.
 * Loop thread only. */
#ifndef SHOAL_SHARD_CACHE_STORE_H
#define SHOAL_SHARD_CACHE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"

struct store;

enum guild_state {
	GUILD_NONE,     /* no head */
	GUILD_EXPECTED, /* of READY's list, not heard of yet */
	GUILD_HERE,
	GUILD_OUT, /* in an outage */
	GUILD_STATE_COUNT,
};

/* Stored as it is: no padding. */
struct store_head {
	uint8_t state; /* enum guild_state */
	uint8_t known; /* 1: there is a record */
	uint16_t spare;
	uint32_t member_count;
};

/* How it came up. */
struct store_found {
	bool fresh;   /* nothing was kept: new, another version's, damaged, or thrown away */
	bool damaged; /* there was something that could not be used */
	int error;    /* not 0: the store is away, and this is why */
};

/* @anew: throw away, unread, what is there. -ENOMEM, -ENAMETOOLONG. */
int store_open(const char *runtime_dir, uint32_t generation, uint32_t shard_id, size_t map_bytes, bool anew,
	       struct store_found *ret_found, struct store **ret_store);
/* Commits nothing: what is not committed is in the inbox. NULL is nothing to do. */
struct store *store_close(struct store *store);
bool store_is_away(const struct store *store);
/* A store's file is being read or written at this moment: async-signal-safe. */
bool store_is_touched(void);
/* Throws all away and begins anew, also from being away. -ENOSPC, -errno: it is away (again). */
int store_renew(struct store *store);

/* GUILD_NONE when there is none. */
struct store_head store_head(struct store *store, uint64_t guild_id);
/* A state of GUILD_NONE deletes the record too. -ENODEV, -ENOSPC, -EIO. */
int store_set_head(struct store *store, uint64_t guild_id, struct store_head head);
/* Appends the record to @out. -ENOENT, -ENODEV. */
int store_read(struct store *store, uint64_t guild_id, struct buf *out);
/* Sets head.known too. */
int store_write(struct store *store, uint64_t guild_id, const void *bytes, size_t len);
int store_forget(struct store *store, uint64_t guild_id);

/* Calls @fn for each guild in no useful order until it returns non-zero. @fn must not write. */
typedef int (*store_each_fn)(void *arg, uint64_t guild_id, struct store_head head);
int store_each(struct store *store, store_each_fn fn, void *arg);

size_t store_count(const struct store *store, enum guild_state state);
/* Guilds that are here and have no record. */
size_t store_missing(const struct store *store);

/* All since the last commit, and @applied with it. Nothing to do when nothing changed and @applied has not gone back (a
 * new inbox). An error: everything since the last commit is lost. */
int store_commit(struct store *store, uint64_t applied);
/* Of the last commit; 0: none. */
uint64_t store_applied(const struct store *store);
/* Whether all guilds are listed: said by READY or by REST, forgotten with the rest. */
void store_set_listed(struct store *store);
bool store_is_listed(const struct store *store);
/* Writes were lost, by an earlier commit or a failed write: what is left does not belong to any position. */
bool store_take_lost(struct store *store);
/* Of the file. */
size_t store_bytes(const struct store *store);

#endif
