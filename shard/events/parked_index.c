/* uthash tables by letter's key, one for parked events and one for dead letters, and the list of what is to be moved.
 */
#include "shard/events/parked_index.h"

#include <stdlib.h>

#include <utlist.h>

#define PAGE_BYTES 4096

struct parked_entry *parked_find(const struct parked *parked, enum letter_table table, struct letter_key key)
{
	struct parked_entry *entry;

	HASH_FIND(hh, parked->entries[table], &key, sizeof(key), entry);
	return entry;
}

size_t parked_cost(size_t row_len)
{
	return row_len < PAGE_BYTES / 2 ? 2 * row_len : (row_len / PAGE_BYTES + 2) * PAGE_BYTES;
}

void parked_count(struct parked *parked, const struct parked_entry *entry, int by)
{
	parked->counts[entry->head.table] += (size_t)by;
	if (entry->head.table == LETTER_DEAD)
		parked->dead_bytes += (size_t)by * parked_cost(entry->head.len);
}

struct parked_entry *parked_note(struct parked *parked, const struct parked_head *head)
{
	struct parked_entry *entry = parked_find(parked, head->table, head->key);

	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return NULL;
		entry->head = *head;
		HASH_ADD(hh, parked->entries[head->table], head.key, sizeof(head->key), entry);
	} else {
		if (!entry->erased)
			parked_count(parked, entry, -1);
		entry->head = *head;
		entry->erased = false;
	}
	parked_count(parked, entry, 1);
	return entry;
}

void parked_unqueue(struct parked *parked, struct parked_entry *entry)
{
	if (entry->queued)
		DL_DELETE(parked->queue, entry);
	entry->queued = false;
}

void parked_queue(struct parked *parked, struct parked_entry *entry)
{
	if (!entry->queued)
		DL_APPEND(parked->queue, entry);
	entry->queued = true;
}

void parked_drop_entry(struct parked *parked, struct parked_entry *entry)
{
	parked_unqueue(parked, entry);
	if (!entry->erased)
		parked_count(parked, entry, -1);
	HASH_DEL(parked->entries[entry->head.table], entry);
	free(entry);
}

bool parked_is_gone(struct parked *parked, const struct parked_head *head)
{
	static const uint32_t flags[] = { [LETTER_PARKED] = LETTER_STATE_GONE, [LETTER_DEAD] = LETTER_STATE_DEAD_GONE };

	return parked->stage && parked_stage_state(parked->stage, head->key).flags & flags[head->table];
}
