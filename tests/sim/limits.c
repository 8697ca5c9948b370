/* Fixed windows, as Discord's headers suggest: a bucket is full again when its reset time has passed. */
#include "tests/sim/limits.h"

#include <stdlib.h>

#include "tests/sim/map.h"
#include "tests/sim/util.h"

#define GLOBAL_PER_S      50
#define INVALID_MAX       10000
#define INVALID_WINDOW_MS 600000
#define BUCKETS_MAX       200000

struct bucket {
	uint64_t reset_ms; /* monotonic */
	uint32_t used;
};

static struct map buckets;
static uint64_t global_window_ms, global_used;
static uint64_t invalid_window_ms, invalid, blocked_until_ms, blocks;
static uint64_t limited_bucket, limited_global;

static uint64_t key_of(const char *name, uint64_t major)
{
	uint64_t h = 1469598103934665603ULL;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211ULL;
	h = (h ^ major) * 1099511628211ULL;
	h ^= h >> 29;
	return h ? h : 1;
}

static void forget(uint64_t now, bool all)
{
	for (size_t i = 0; i < buckets.cap; i++) {
		struct bucket *b = buckets.slots[i].value;

		while (b && (all || now >= b->reset_ms)) {
			map_remove(&buckets, buckets.slots[i].key);
			free(b);
			b = buckets.slots[i].value;
		}
	}
}

void limits_take(const char *name, uint64_t major, uint32_t limit, uint32_t window_ms, struct limit *ret)
{
	uint64_t key = key_of(name, major), now = mono_ms();
	struct bucket *b = map_get(&buckets, key);

	name_hash_hex(ret->hash, name);
	ret->limit = limit;
	if (!b && buckets.used < BUCKETS_MAX) {
		b = calloc(1, sizeof(*b));
		if (b && map_put(&buckets, key, b) < 0) {
			free(b);
			b = NULL;
		}
	}
	if (!b) { /* out of memory for it: such a request is free */
		ret->remaining = limit;
		ret->reset_after_s = 0;
		ret->refused = false;
		return;
	}
	if (now >= b->reset_ms) {
		b->reset_ms = now + window_ms;
		b->used = 0;
	}
	ret->refused = b->used >= limit;
	if (!ret->refused)
		b->used++;
	limited_bucket += ret->refused;
	ret->remaining = limit - b->used;
	ret->reset_after_s = (double)(b->reset_ms - now) / 1000.0;
	ret->reset_at_s = (double)(wall_ms() + b->reset_ms - now) / 1000.0;
}

bool limits_take_global(double *ret_retry_s)
{
	uint64_t now = mono_ms();

	if (now - global_window_ms >= 1000) {
		global_window_ms = now;
		global_used = 0;
	}
	if (global_used < GLOBAL_PER_S) {
		global_used++;
		return true;
	}
	limited_global++;
	*ret_retry_s = (double)(1000 - (now - global_window_ms)) / 1000.0;
	return false;
}

void limits_invalid(void)
{
	uint64_t now = mono_ms();

	if (!invalid_window_ms || now - invalid_window_ms >= INVALID_WINDOW_MS) {
		invalid_window_ms = now;
		invalid = 0;
	}
	if (++invalid >= INVALID_MAX && now >= blocked_until_ms) {
		blocked_until_ms = invalid_window_ms + INVALID_WINDOW_MS;
		blocks++;
		log_line(LOG_ERROR, "%d invalid requests within 10 minutes: the address is blocked", INVALID_MAX);
	}
}

bool limits_blocked(void)
{
	return mono_ms() < blocked_until_ms;
}

json_t *limits_json(void)
{
	return json_pack("{s:I,s:b,s:I,s:I,s:I}", "invalid_in_window", (json_int_t)invalid, "blocked", limits_blocked(),
			 "block_count", (json_int_t)blocks, "limited_bucket", (json_int_t)limited_bucket,
			 "limited_global", (json_int_t)limited_global);
}

void limits_reset(void)
{
	forget(0, true);
	global_used = invalid = blocked_until_ms = blocks = limited_bucket = limited_global = 0;
	invalid_window_ms = 0;
}

void limits_tick(uint64_t now_ms)
{
	if (buckets.used > BUCKETS_MAX / 2)
		forget(now_ms, false);
}
