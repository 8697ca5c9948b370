/* Reads through kv_reader, which sees what was committed when it was opened. Run by short-lived programs. */
#include "shared/db/outbox_look.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/kv/kv_reader.h"

struct looking {
	struct outbox_look *look;
	struct outbox_list *list;
};

static int take_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct looking *looking = arg;
	struct outbox_entry *entry;
	int r;

	(void)key;
	r = outbox_entry_decode(value.ptr, value.len, &entry);
	if (r == 0)
		outbox_list_add(looking->list, entry);
	else if (r != -ENOMEM)
		looking->look->unreadable++;
	return r == -ENOMEM ? r : 0;
}

static size_t count_aside(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *one;
	size_t count = 0;

	while (dir && (one = readdir(dir)))
		count += strncmp(one->d_name, OUTBOX_KEPT_PREFIX, strlen(OUTBOX_KEPT_PREFIX)) == 0;
	if (dir)
		closedir(dir);
	return count;
}

int outbox_look(const char *path, struct outbox_look *ret_look)
{
	CLEANUP(kv_reader_closep) struct kv_reader *reader = NULL;
	struct looking looking = { .look = ret_look };
	int r;

	*ret_look = (struct outbox_look){ .aside = count_aside(path) };
	r = kv_reader_open(path, outbox_file_tables, OUTBOX_TABLE_COUNT, &reader);
	looking.list = &ret_look->waiting;
	if (r == 0)
		r = kv_reader_each(reader, OUTBOX_TABLE_WAITING, take_row, &looking);
	looking.list = &ret_look->dead;
	if (r == 0)
		r = kv_reader_each(reader, OUTBOX_TABLE_DEAD, take_row, &looking);
	return r;
}

bool outbox_look_parse_name(const char *name, uint32_t *ret_shard_id, uint32_t *ret_shard_count)
{
	uint32_t shard_id, shard_count;
	char again[32];

	if (sscanf(name, "%" SCNu32 "-of-%" SCNu32, &shard_id, &shard_count) != 2)
		return false;
	snprintf(again, sizeof(again), "%" PRIu32 "-of-%" PRIu32, shard_id, shard_count);
	if (strcmp(again, name) != 0)
		return false;
	*ret_shard_id = shard_id;
	*ret_shard_count = shard_count;
	return true;
}
