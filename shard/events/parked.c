/* Two tables of one environment, a row an event: {session, sequence big-endian} -> head and payload. Every write is
 * committed at once: who parks gives the inbox's bytes away right after. */
#include "shard/events/parked.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/kv/kv.h"

#define REASON_SIZE 128

enum { TABLE_PARKED, TABLE_DEAD };
static const char *const table_names[] = { "parked", "dead" };

struct key {
	uint64_t session;
	uint64_t sequence_be; /* so that rows come in order */
};

/* Before the payload. No padding: stored as it is. */
struct head {
	int64_t wall_ms;
	uint32_t crashes;
	uint32_t started;
	char reason[REASON_SIZE]; /* of dead letters */
};

struct parked {
	struct kv *kv;
	size_t count, dead;
};

static struct kv_bytes key_bytes(const struct key *key)
{
	return (struct kv_bytes){ key, sizeof(*key) };
}

static int count_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	size_t *count = arg;

	if (key.len != sizeof(struct key) || value.len < sizeof(struct head))
		return -EIO;
	++*count;
	return 0;
}

int parked_open(const char *runtime_dir, uint32_t generation, uint32_t shard_id, uint32_t max_mib, bool *ret_fresh,
		struct parked **ret_parked)
{
	struct parked *parked;
	char path[400];
	struct kv_options options = { .path = path,
				      .map_bytes = (size_t)max_mib << 20,
				      .flags = KV_VOLATILE,
				      .tables = table_names,
				      .table_count = ARRAY_SIZE(table_names) };
	int r;

	if (snprintf(path, sizeof(path), "%s/parked-%u-%u", runtime_dir, generation, shard_id) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	parked = calloc(1, sizeof(*parked));
	if (!parked)
		return -ENOMEM;
	r = kv_open(&options, ret_fresh, &parked->kv);
	if (r == 0)
		r = kv_each(parked->kv, TABLE_PARKED, count_row, &parked->count);
	if (r == 0)
		r = kv_each(parked->kv, TABLE_DEAD, count_row, &parked->dead);
	if (r < 0) {
		parked_close(parked);
		return r;
	}
	kv_commit(parked->kv);
	*ret_parked = parked;
	return 0;
}

struct parked *parked_close(struct parked *parked)
{
	if (!parked)
		return NULL;
	kv_close(parked->kv);
	free(parked);
	return NULL;
}

static int put(struct parked *parked, size_t table, const struct parked_record *record, const char *reason)
{
	struct key key = { record->session, htobe64(record->sequence) };
	struct head head = { .wall_ms = clock_wall_ms(), .crashes = record->crashes, .started = record->started };
	CLEANUP(cleanup_free) char *value = malloc(sizeof(head) + record->len);
	int r;

	if (!value)
		return -ENOMEM;
	snprintf(head.reason, sizeof(head.reason), "%s", reason);
	memcpy(value, &head, sizeof(head));
	memcpy(value + sizeof(head), record->payload, record->len);
	r = kv_put(parked->kv, table, key_bytes(&key), (struct kv_bytes){ value, sizeof(head) + record->len });
	return r < 0 ? r : kv_commit(parked->kv);
}

static bool is_there(struct parked *parked, size_t table, uint64_t session, uint64_t sequence)
{
	struct key key = { session, htobe64(sequence) };
	struct kv_bytes value;

	return kv_get(parked->kv, table, key_bytes(&key), &value) == 0;
}

int parked_put(struct parked *parked, const struct parked_record *record)
{
	bool known = is_there(parked, TABLE_PARKED, record->session, record->sequence);
	int r;

	r = put(parked, TABLE_PARKED, record, "");
	if (r == 0 && !known)
		parked->count++;
	return r;
}

static void fill(const struct key *key, struct kv_bytes value, struct parked_record *ret_record)
{
	struct head head;

	memcpy(&head, value.ptr, sizeof(head));
	*ret_record = (struct parked_record){ .session = key->session,
					      .sequence = be64toh(key->sequence_be),
					      .crashes = head.crashes,
					      .started = head.started,
					      .payload = (const char *)value.ptr + sizeof(head),
					      .len = (uint32_t)(value.len - sizeof(head)) };
}

int parked_get(struct parked *parked, uint64_t session, uint64_t sequence, struct parked_record *ret_record)
{
	struct key key = { session, htobe64(sequence) };
	struct kv_bytes value;
	int r;

	r = kv_get(parked->kv, TABLE_PARKED, key_bytes(&key), &value);
	if (r < 0)
		return r;
	fill(&key, value, ret_record);
	return 0;
}

int parked_delete(struct parked *parked, uint64_t session, uint64_t sequence)
{
	struct key key = { session, htobe64(sequence) };
	int r;

	if (parked->count == 0 || !is_there(parked, TABLE_PARKED, session, sequence))
		return 0;
	r = kv_delete(parked->kv, TABLE_PARKED, key_bytes(&key));
	if (r == 0)
		r = kv_commit(parked->kv);
	if (r == 0)
		parked->count--;
	return r;
}

int parked_bury(struct parked *parked, const struct parked_record *record, const char *reason)
{
	bool known = is_there(parked, TABLE_DEAD, record->session, record->sequence);
	int r;

	r = put(parked, TABLE_DEAD, record, reason);
	if (r < 0)
		return r;
	parked->dead += !known;
	return parked_delete(parked, record->session, record->sequence);
}

size_t parked_count(const struct parked *parked)
{
	return parked->count;
}

size_t parked_dead_count(const struct parked *parked)
{
	return parked->dead;
}

struct each {
	parked_each_fn fn;
	void *arg;
};

static int each_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	const struct each *each = arg;
	struct parked_record record;
	struct key copy;

	memcpy(&copy, key.ptr, sizeof(copy));
	fill(&copy, value, &record);
	return each->fn(each->arg, &record);
}

int parked_each(struct parked *parked, parked_each_fn fn, void *arg)
{
	struct each each = { fn, arg };

	return kv_each(parked->kv, TABLE_PARKED, each_row, &each);
}
