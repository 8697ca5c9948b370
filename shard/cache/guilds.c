/* Guild id -> one state byte, in LMDB. The numbers that everybody asks for are kept beside it and recounted at opening.
 */
#include "shard/cache/guilds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/kv/kv.h"

/* 2,500 guilds a shard at most (close code 4011), under 64 bytes each with LMDB's overhead: room for copies on write.
 */
#define GUILDS_MAP_BYTES (4u << 20)

enum guild_state { GUILD_NONE, GUILD_EXPECTED, GUILD_HERE, GUILD_OUT, GUILD_STATE_COUNT };

enum { TABLE_GUILDS, TABLE_META };
static const char *const table_names[] = { "guilds", "meta" };
static const char applied_key[] = "applied";

struct guilds {
	struct kv *kv;
	size_t by_state[GUILD_STATE_COUNT];
	uint64_t applied;
	bool changed; /* since the last commit */
};

static int recount(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct guilds *guilds = arg;
	uint8_t state;

	if (key.len != sizeof(uint64_t) || value.len != 1)
		return -EIO;
	state = *(const uint8_t *)value.ptr;
	if (state == GUILD_NONE || state >= GUILD_STATE_COUNT)
		return -EIO;
	guilds->by_state[state]++;
	return 0;
}

static uint64_t read_applied(struct guilds *guilds)
{
	struct kv_bytes value;
	uint64_t applied;

	if (kv_get(guilds->kv, TABLE_META, (struct kv_bytes){ applied_key, sizeof(applied_key) }, &value) < 0 ||
	    value.len != sizeof(applied))
		return 0;
	memcpy(&applied, value.ptr, sizeof(applied));
	return applied;
}

int guilds_open(const char *runtime_dir, uint32_t generation, uint32_t shard_id, bool *ret_fresh,
		struct guilds **ret_guilds)
{
	struct guilds *guilds;
	char path[400];
	struct kv_options options = { .path = path,
				      .map_bytes = GUILDS_MAP_BYTES,
				      .flags = KV_VOLATILE,
				      .tables = table_names,
				      .table_count = ARRAY_SIZE(table_names) };
	int r;

	if (snprintf(path, sizeof(path), "%s/cache-%u-%u", runtime_dir, generation, shard_id) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	guilds = calloc(1, sizeof(*guilds));
	if (!guilds)
		return -ENOMEM;
	r = kv_open(&options, ret_fresh, &guilds->kv);
	if (r < 0) {
		free(guilds);
		return r;
	}
	r = kv_each(guilds->kv, TABLE_GUILDS, recount, guilds);
	if (r < 0) { /* entries that we did not write: start over */
		*ret_fresh = true;
		r = guilds_ready_begin(guilds);
	}
	if (r == 0)
		guilds->applied = *ret_fresh ? 0 : read_applied(guilds);
	if (r == 0)
		r = kv_commit(guilds->kv);
	if (r < 0) {
		guilds_close(guilds);
		return r;
	}
	*ret_guilds = guilds;
	return 0;
}

struct guilds *guilds_close(struct guilds *guilds)
{
	if (!guilds)
		return NULL;
	kv_close(guilds->kv);
	free(guilds);
	return NULL;
}

static uint8_t state_of(struct guilds *guilds, uint64_t guild_id)
{
	struct kv_bytes value;

	if (kv_get(guilds->kv, TABLE_GUILDS, (struct kv_bytes){ &guild_id, sizeof(guild_id) }, &value) < 0)
		return GUILD_NONE;
	return *(const uint8_t *)value.ptr;
}

static int change_state(struct guilds *guilds, uint64_t guild_id, uint8_t from, uint8_t to)
{
	struct kv_bytes key = { &guild_id, sizeof(guild_id) };
	int r;

	if (from == to)
		return 0;
	if (to == GUILD_NONE)
		r = kv_delete(guilds->kv, TABLE_GUILDS, key);
	else
		r = kv_put(guilds->kv, TABLE_GUILDS, key, (struct kv_bytes){ &to, 1 });
	if (r < 0)
		return r;
	guilds->changed = true;
	if (from != GUILD_NONE)
		guilds->by_state[from]--;
	if (to != GUILD_NONE)
		guilds->by_state[to]++;
	return 0;
}

int guilds_ready_begin(struct guilds *guilds)
{
	int r;

	r = kv_clear(guilds->kv, TABLE_GUILDS);
	if (r < 0)
		return r;
	memset(guilds->by_state, 0, sizeof(guilds->by_state));
	guilds->changed = true;
	return 0;
}

int guilds_ready_add(struct guilds *guilds, uint64_t guild_id)
{
	return change_state(guilds, guild_id, state_of(guilds, guild_id), GUILD_EXPECTED);
}

int guilds_created(struct guilds *guilds, uint64_t guild_id, bool unavailable, enum guilds_change *ret_change)
{
	uint8_t from = state_of(guilds, guild_id);
	uint8_t to = unavailable ? GUILD_OUT : GUILD_HERE;
	int r;

	r = change_state(guilds, guild_id, from, to);
	if (r < 0)
		return r;
	if (from == to)
		*ret_change = GUILDS_NOTHING;
	else if (unavailable)
		*ret_change = GUILDS_OUTAGE;
	else
		*ret_change = from == GUILD_NONE ? GUILDS_JOINED : GUILDS_AVAILABLE;
	return 0;
}

int guilds_deleted(struct guilds *guilds, uint64_t guild_id, bool unavailable, enum guilds_change *ret_change)
{
	uint8_t from = state_of(guilds, guild_id);
	uint8_t to = unavailable ? GUILD_OUT : GUILD_NONE;
	int r;

	r = change_state(guilds, guild_id, from, to);
	if (r < 0)
		return r;
	if (from == to)
		*ret_change = GUILDS_NOTHING;
	else
		*ret_change = unavailable ? GUILDS_OUTAGE : GUILDS_REMOVED;
	return 0;
}

size_t guilds_count(const struct guilds *guilds)
{
	return guilds->by_state[GUILD_EXPECTED] + guilds->by_state[GUILD_HERE] + guilds->by_state[GUILD_OUT];
}

size_t guilds_unavailable(const struct guilds *guilds)
{
	return guilds->by_state[GUILD_OUT];
}

size_t guilds_expected(const struct guilds *guilds)
{
	return guilds->by_state[GUILD_EXPECTED];
}

int guilds_commit(struct guilds *guilds, uint64_t applied)
{
	int r;

	if (!guilds->changed)
		return 0;
	guilds->changed = false;
	r = kv_put(guilds->kv, TABLE_META, (struct kv_bytes){ applied_key, sizeof(applied_key) },
		   (struct kv_bytes){ &applied, sizeof(applied) });
	if (r == 0)
		r = kv_commit(guilds->kv);
	if (r == 0)
		guilds->applied = applied;
	return r;
}

uint64_t guilds_applied(const struct guilds *guilds)
{
	return guilds->applied;
}
