/* The buckets. Run by the commands' check. A bucket is the time at which it would be full again; one whose time has
 * passed is as good as none, and goes when room is wanted. */
#include "shard/commands/cooldowns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) /* no memory: HASH_ADD leaves hh.tbl NULL */
#define HASH_NONFATAL_OOM     1
#include <uthash.h>

#include "shared/base/clock.h"

/* Full ones are looked for at most so often. */
#define SWEEP_EVERY_NS NS_PER_S
#define ROWS_MAX       SHOAL_COOLDOWN_PER_COUNT

struct key {
	const void *command;
	uint64_t id;
	uint64_t per;
};

struct bucket {
	struct key key;
	uint64_t full_ns;
	bool told; /* refused, and nothing allowed since */
	UT_hash_handle hh;
};

struct cooldowns {
	struct bucket *buckets;
	size_t max;
	uint64_t swept_ns;
};

int cooldowns_new(size_t max, struct cooldowns **ret_cooldowns)
{
	struct cooldowns *cooldowns = calloc(1, sizeof(*cooldowns));

	if (!cooldowns)
		return -ENOMEM;
	cooldowns->max = max ? max : COOLDOWNS_MAX;
	*ret_cooldowns = cooldowns;
	return 0;
}

static void forget(struct cooldowns *cooldowns, struct bucket *bucket)
{
	HASH_DEL(cooldowns->buckets, bucket);
	free(bucket);
}

struct cooldowns *cooldowns_free(struct cooldowns *cooldowns)
{
	struct bucket *bucket, *next;

	if (!cooldowns)
		return NULL;
	HASH_ITER (hh, cooldowns->buckets, bucket, next)
		forget(cooldowns, bucket);
	free(cooldowns);
	return NULL;
}

size_t cooldowns_count(const struct cooldowns *cooldowns)
{
	return HASH_COUNT(cooldowns->buckets);
}

static void make_room(struct cooldowns *cooldowns, uint64_t now_ns)
{
	struct bucket *bucket, *next;

	if (HASH_COUNT(cooldowns->buckets) < cooldowns->max)
		return;
	if (now_ns - cooldowns->swept_ns >= SWEEP_EVERY_NS) {
		cooldowns->swept_ns = now_ns;
		HASH_ITER (hh, cooldowns->buckets, bucket, next)
			if (bucket->full_ns <= now_ns)
				forget(cooldowns, bucket);
	}
	if (HASH_COUNT(cooldowns->buckets) >= cooldowns->max)
		forget(cooldowns, cooldowns->buckets); /* uthash keeps the order of adding */
}

static struct key key_of(const struct shoal_cooldown *row, const struct cooldown_use *use)
{
	struct key key;

	memset(&key, 0, sizeof(key));
	key.command = use->command;
	key.per = row->per;
	key.id = row->per == SHOAL_COOLDOWN_GUILD     ? use->guild_id
		 : row->per == SHOAL_COOLDOWN_CHANNEL ? use->channel_id
						      : use->user_id;
	return key;
}

static struct bucket *find(struct cooldowns *cooldowns, const struct key *key)
{
	struct bucket *bucket;

	HASH_FIND(hh, cooldowns->buckets, key, sizeof(*key), bucket);
	return bucket;
}

static uint64_t interval_ns(const struct shoal_cooldown *row)
{
	return row->seconds * NS_PER_S / (row->uses ? row->uses : 1);
}

/* How long until one use fits in. */
static uint64_t wait_ns(const struct bucket *bucket, const struct shoal_cooldown *row, uint64_t now_ns)
{
	uint64_t slack_ns = interval_ns(row) * (row->uses ? row->uses - 1 : 0);

	if (!bucket || bucket->full_ns <= now_ns + slack_ns)
		return 0;
	return bucket->full_ns - now_ns - slack_ns;
}

static void spend(struct cooldowns *cooldowns, const struct shoal_cooldown *row, const struct key *key, uint64_t now_ns)
{
	struct bucket *bucket = find(cooldowns, key);

	if (!bucket) {
		make_room(cooldowns, now_ns);
		bucket = calloc(1, sizeof(*bucket));
		if (!bucket)
			return;
		bucket->key = *key;
		HASH_ADD(hh, cooldowns->buckets, key, sizeof(*key), bucket);
		if (!bucket->hh.tbl) {
			free(bucket);
			return;
		}
	}
	if (bucket->full_ns < now_ns)
		bucket->full_ns = now_ns;
	bucket->full_ns += interval_ns(row);
	bucket->told = false;
}

uint64_t cooldowns_take(struct cooldowns *cooldowns, const struct shoal_cooldown *rows, size_t row_count,
			const struct cooldown_use *use, uint64_t now_ns, const struct shoal_cooldown **ret_row,
			bool *ret_again)
{
	struct bucket *worst = NULL;
	struct key keys[ROWS_MAX];
	uint64_t longest_ns = 0;
	size_t i;

	row_count = row_count < ROWS_MAX ? row_count : ROWS_MAX;
	for (i = 0; i < row_count; i++) {
		struct bucket *bucket;
		uint64_t ns;

		keys[i] = key_of(&rows[i], use);
		bucket = keys[i].id ? find(cooldowns, &keys[i]) : NULL;
		ns = wait_ns(bucket, &rows[i], now_ns);
		if (ns > longest_ns) {
			longest_ns = ns;
			worst = bucket;
			*ret_row = &rows[i];
		}
	}
	if (worst) {
		*ret_again = worst->told;
		worst->told = true;
		return longest_ns / NS_PER_MS + 1;
	}
	for (i = 0; i < row_count; i++)
		if (keys[i].id)
			spend(cooldowns, &rows[i], &keys[i], now_ns);
	return 0;
}
