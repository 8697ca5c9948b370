/* Reads the file in windows that overlap by the longest record, and looks for one at every second byte: LMDB keeps a
 * value in one piece at an even place, be it in a page or in pages of its own. Pages that are free now hold older
 * copies; of several copies of a write the one that says that it is dead counts, else the youngest. */
#include "shared/db/outbox_salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include "shared/base/cleanup.h"

#define WINDOW_BYTES (4UL * 1024 * 1024)
#define FOUND_MAX    1000000

struct identity {
	uint64_t source, number;
};

struct found {
	struct identity identity;
	struct outbox_entry *entry;
	UT_hash_handle hh;
};

static bool is_better(const struct outbox_entry *one, const struct outbox_entry *other)
{
	if ((one->died_ms != 0) != (other->died_ms != 0))
		return one->died_ms != 0;
	return one->seq > other->seq;
}

/* Takes @entry. */
static int note(struct found **all, struct outbox_entry *entry)
{
	struct identity identity = { entry->source, entry->number };
	struct found *found;

	HASH_FIND(hh, *all, &identity, sizeof(identity), found);
	if (found) {
		if (is_better(entry, found->entry)) {
			outbox_entry_free(found->entry);
			found->entry = entry;
		} else {
			outbox_entry_free(entry);
		}
		return 0;
	}
	found = HASH_COUNT(*all) < FOUND_MAX ? calloc(1, sizeof(*found)) : NULL;
	if (!found) {
		outbox_entry_free(entry);
		return -ENOMEM;
	}
	found->identity = identity;
	found->entry = entry;
	HASH_ADD(hh, *all, identity, sizeof(identity), found);
	return 0;
}

static int look_at(const char *bytes, size_t len, size_t begin_before, struct found **all)
{
	struct outbox_entry *entry;
	size_t at = 0, record;
	int r;

	while (at < begin_before) {
		record = outbox_entry_sniff(bytes + at, len - at);
		if (record == 0 || outbox_entry_decode(bytes + at, record, &entry) < 0) {
			at += 2;
			continue;
		}
		r = note(all, entry);
		if (r < 0)
			return r;
		at += (record + 1) & ~(size_t)1;
	}
	return 0;
}

static int read_windows(int fd, char *window, struct found **all)
{
	off_t place = 0;
	ssize_t got;
	size_t len;
	int r;

	for (;; place += (off_t)WINDOW_BYTES) {
		for (len = 0; len < WINDOW_BYTES + OUTBOX_RECORD_MAX; len += (size_t)got) {
			got = pread(fd, window + len, WINDOW_BYTES + OUTBOX_RECORD_MAX - len, place + (off_t)len);
			if (got < 0)
				return -errno;
			if (got == 0)
				break;
		}
		if (len == 0)
			return 0;
		r = look_at(window, len, len < WINDOW_BYTES ? len : WINDOW_BYTES, all);
		if (r < 0 || len < WINDOW_BYTES + OUTBOX_RECORD_MAX)
			return r;
	}
}

static int by_seq(struct found *a, struct found *b)
{
	return a->entry->seq < b->entry->seq ? -1 : a->entry->seq > b->entry->seq;
}

static void hand_over(struct found *all, struct outbox_list *waiting, struct outbox_list *dead)
{
	struct found *found, *next;

	HASH_SORT(all, by_seq);
	HASH_ITER (hh, all, found, next) {
		HASH_DEL(all, found);
		found->entry->flags |= OUTBOX_ENTRY_SALVAGED;
		outbox_list_add(found->entry->died_ms ? dead : waiting, found->entry);
		free(found);
	}
}

int outbox_salvage(const char *path, struct outbox_list *waiting, struct outbox_list *dead)
{
	CLEANUP(cleanup_free) char *window = malloc(WINDOW_BYTES + OUTBOX_RECORD_MAX);
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct found *all = NULL;
	int r;

	if (!window)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	r = read_windows(fd, window, &all);
	hand_over(all, waiting, dead);
	return r;
}
