/* Three tables: heads, records, and one row that says what all of it belongs to. The numbers that everybody asks for
 * are counted beside them, and recounted at opening. */
#include "shard/cache/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/cache/record.h"
#include "shared/base/cleanup.h"
#include "shared/kv/kv.h"

#define STORE_VERSION 1

enum { TABLE_HEADS, TABLE_RECORDS, TABLE_META };
static const char *const table_names[] = { "heads", "records", "meta" };
static const char meta_key[] = "meta";
static const char store_owner[] = "guild cache";

/* No padding: stored as it is. */
struct meta {
	uint32_t version, record_version;
	uint64_t applied;
	uint64_t listed;
};

struct store {
	struct kv *kv; /* NULL: away */
	char path[400];
	size_t map_bytes;
	size_t by_state[GUILD_STATE_COUNT];
	size_t missing;
	uint64_t applied;
	bool listed;
	bool changed; /* since the last commit */
	bool lost;
};

static struct kv_bytes id_key(const uint64_t *guild_id)
{
	return (struct kv_bytes){ guild_id, sizeof(*guild_id) };
}

static struct kv_bytes key_of_meta(void)
{
	return (struct kv_bytes){ meta_key, sizeof(meta_key) };
}

static void count(struct store *store, struct store_head head, size_t by)
{
	if (head.state == GUILD_NONE)
		return;
	store->by_state[head.state] += by;
	if (head.state == GUILD_HERE && !head.known)
		store->missing += by;
}

/* --- opening
 * ---------------------------------------------------------------------------------------------------------- */

static int recount(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct store_head head;

	if (key.len != sizeof(uint64_t) || value.len != sizeof(head))
		return -EIO;
	memcpy(&head, value.ptr, sizeof(head));
	if (head.state == GUILD_NONE || head.state >= GUILD_STATE_COUNT || head.known > 1)
		return -EIO;
	count(arg, head, 1);
	return 0;
}

static int read_meta(struct store *store, struct meta *ret_meta)
{
	if (kv_read(store->kv, TABLE_META, key_of_meta(), ret_meta, sizeof(*ret_meta)) < 0)
		return -EIO;
	return ret_meta->version == STORE_VERSION && ret_meta->record_version == RECORD_VERSION ? 0 : -EIO;
}

static int write_meta(struct store *store, uint64_t applied)
{
	struct meta meta = {
		.version = STORE_VERSION, .record_version = RECORD_VERSION, .applied = applied, .listed = store->listed
	};

	return kv_put(store->kv, TABLE_META, key_of_meta(), (struct kv_bytes){ &meta, sizeof(meta) });
}

static void forget_counts(struct store *store)
{
	memset(store->by_state, 0, sizeof(store->by_state));
	store->missing = 0;
	store->applied = 0;
	store->listed = false;
	store->changed = false;
	store->lost = false;
}

static int open_kv(struct store *store, bool anew, bool *ret_fresh)
{
	struct kv_options options = { .path = store->path,
				      .map_bytes = store->map_bytes,
				      .flags = KV_VOLATILE | (anew ? KV_ANEW : 0),
				      .tables = table_names,
				      .table_count = ARRAY_SIZE(table_names),
				      .owner = store_owner };

	return kv_open(&options, ret_fresh, &store->kv);
}

/* Empty, and its version written. */
static int begin_anew(struct store *store)
{
	bool fresh;
	int r;

	store->kv = kv_abandon(store->kv);
	forget_counts(store);
	r = open_kv(store, true, &fresh);
	if (r == 0)
		r = write_meta(store, 0);
	if (r == 0)
		r = kv_commit(store->kv);
	if (r < 0)
		store->kv = kv_abandon(store->kv);
	return r;
}

/* -EIO: not what we write. */
static int take_over(struct store *store)
{
	struct meta meta;
	int r;

	r = read_meta(store, &meta);
	if (r == 0)
		r = kv_each(store->kv, TABLE_HEADS, recount, store);
	if (r < 0)
		return r;
	store->applied = meta.applied;
	store->listed = meta.listed != 0;
	return kv_commit(store->kv);
}

int store_open(const char *runtime_dir, uint32_t generation, uint32_t shard_id, size_t map_bytes, bool anew,
	       struct store_found *ret_found, struct store **ret_store)
{
	struct store_found found = { .fresh = true };
	struct store *store = calloc(1, sizeof(*store));
	char old[sizeof(store->path) + 32];
	bool fresh = true;
	int r;

	if (!store)
		return -ENOMEM;
	store->map_bytes = map_bytes;
	if (snprintf(store->path, sizeof(store->path), "%s/cache-%u-%u", runtime_dir, generation, shard_id) >=
	    (int)sizeof(store->path)) {
		free(store);
		return -ENAMETOOLONG;
	}
	/* One that lies there already was noticed when it was put there. */
	snprintf(old, sizeof(old), "%s/data.mdb.damaged", store->path);
	remove(old);
	r = anew ? -EIO : open_kv(store, false, &fresh);
	if (r == 0 && !fresh) {
		r = take_over(store);
		found.damaged = r < 0;
		found.fresh = r < 0;
	} else if (r == 0) {
		found.damaged = remove(old) == 0; /* nobody reads it again, and its room is wanted */
		r = -EIO;
	}
	if (r < 0)
		r = begin_anew(store);
	found.error = r;
	*ret_found = found;
	*ret_store = store;
	return 0;
}

struct store *store_close(struct store *store)
{
	if (!store)
		return NULL;
	kv_abandon(store->kv);
	free(store);
	return NULL;
}

bool store_is_touched(void)
{
	return kv_touched() == store_owner;
}

bool store_is_away(const struct store *store)
{
	return !store->kv;
}

int store_renew(struct store *store)
{
	return begin_anew(store);
}

/* --- heads and records
 * ------------------------------------------------------------------------------------------------ */

struct store_head store_head(struct store *store, uint64_t guild_id)
{
	struct store_head head = { 0 };

	if (!store->kv || kv_read(store->kv, TABLE_HEADS, id_key(&guild_id), &head, sizeof(head)) < 0)
		return (struct store_head){ 0 };
	return head.state < GUILD_STATE_COUNT ? head : (struct store_head){ 0 };
}

static int change(struct store *store, int r)
{
	if (r == 0)
		store->changed = true;
	return r;
}

static int put_head(struct store *store, uint64_t guild_id, struct store_head from, struct store_head to)
{
	int r;

	if (memcmp(&from, &to, sizeof(to)) == 0)
		return 0;
	if (to.state == GUILD_NONE)
		r = kv_delete(store->kv, TABLE_HEADS, id_key(&guild_id));
	else
		r = kv_put(store->kv, TABLE_HEADS, id_key(&guild_id), (struct kv_bytes){ &to, sizeof(to) });
	if (r < 0)
		return r;
	count(store, from, (size_t)-1);
	count(store, to, 1);
	return change(store, 0);
}

int store_set_head(struct store *store, uint64_t guild_id, struct store_head head)
{
	struct store_head from;
	int r = 0;

	if (!store->kv)
		return -ENODEV;
	from = store_head(store, guild_id);
	if (head.state == GUILD_NONE) {
		head = (struct store_head){ 0 };
		if (from.known)
			r = kv_delete(store->kv, TABLE_RECORDS, id_key(&guild_id));
	} else {
		head.known = from.known; /* that is said by store_write() and store_forget() */
	}
	return r < 0 ? r : put_head(store, guild_id, from, head);
}

int store_read(struct store *store, uint64_t guild_id, struct buf *out)
{
	return store->kv ? kv_copy(store->kv, TABLE_RECORDS, id_key(&guild_id), out) : -ENODEV;
}

static int set_known(struct store *store, uint64_t guild_id, uint8_t known)
{
	struct store_head from = store_head(store, guild_id), to = from;

	if (from.state == GUILD_NONE)
		return -ENOENT;
	to.known = known;
	return put_head(store, guild_id, from, to);
}

int store_write(struct store *store, uint64_t guild_id, const void *bytes, size_t len)
{
	int r;

	if (!store->kv)
		return -ENODEV;
	r = set_known(store, guild_id, 1);
	if (r < 0)
		return r;
	r = kv_put(store->kv, TABLE_RECORDS, id_key(&guild_id), (struct kv_bytes){ bytes, len });
	if (r == -ENOSPC) {
		/* What was there is of before this event. */
		r = store_forget(store, guild_id);
		return r < 0 ? r : -ENOSPC;
	}
	return change(store, r);
}

int store_forget(struct store *store, uint64_t guild_id)
{
	int r;

	if (!store->kv)
		return -ENODEV;
	r = kv_delete(store->kv, TABLE_RECORDS, id_key(&guild_id));
	return r < 0 ? r : set_known(store, guild_id, 0);
}

struct visit {
	store_each_fn fn;
	void *arg;
};

static int visit(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	const struct visit *visit = arg;
	struct store_head head;
	uint64_t guild_id;

	if (key.len != sizeof(guild_id) || value.len != sizeof(head))
		return 0;
	memcpy(&guild_id, key.ptr, sizeof(guild_id));
	memcpy(&head, value.ptr, sizeof(head));
	return visit->fn(visit->arg, guild_id, head);
}

int store_each(struct store *store, store_each_fn fn, void *arg)
{
	struct visit what = { fn, arg };

	return store->kv ? kv_each(store->kv, TABLE_HEADS, visit, &what) : 0;
}

size_t store_count(const struct store *store, enum guild_state state)
{
	return store->by_state[state];
}

size_t store_missing(const struct store *store)
{
	return store->missing;
}

/* --- transactions
 * ----------------------------------------------------------------------------------------------------- */

int store_commit(struct store *store, uint64_t applied)
{
	int r;

	if (!store->kv)
		return 0;
	if (!store->changed && applied >= store->applied)
		return kv_commit(store->kv); /* it was only read */
	store->changed = false;
	r = write_meta(store, applied);
	if (r == 0)
		r = kv_commit(store->kv);
	if (r < 0)
		store->lost = true;
	else
		store->applied = applied;
	return r;
}

uint64_t store_applied(const struct store *store)
{
	return store->applied;
}

void store_set_listed(struct store *store)
{
	if (!store->kv || store->listed)
		return;
	store->listed = true;
	store->changed = true;
}

bool store_is_listed(const struct store *store)
{
	return store->listed;
}

bool store_take_lost(struct store *store)
{
	bool lost = store->lost || (store->kv && kv_take_lost(store->kv));

	store->lost = false;
	return lost;
}

size_t store_bytes(const struct store *store)
{
	return store->kv ? kv_bytes_used(store->kv) : 0;
}
