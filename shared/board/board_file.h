/* What both kinds of board page need: files allocated in full, checked mappings, OFD locks, and records kept twice. */
#ifndef SHOAL_SHARED_BOARD_BOARD_FILE_H
#define SHOAL_SHARED_BOARD_BOARD_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/board/board_guard.h"
#include "shared/board/board_layout.h"

#define BOARD_PATH_SIZE 256

/* What a page must say of itself to be taken. */
struct board_want {
	enum board_kind kind;
	uint32_t generation, shard_id, shard_count; /* shard_count 0: any */
	uint32_t size;
	uint32_t size_least; /* one that is at least this long may stay as it is; 0: only @size will do */
	uint32_t core_least; /* the core's size in its first version: no page's is shorter */
	uint32_t core_size;  /* of this program's version */
};

struct board_file {
	int fd;
	bool writable;
	bool locked;
	unsigned char *map;
	size_t size; /* of the mapping */
	struct board_guard guard;
	char path[BOARD_PATH_SIZE];
};

/* See board_shard_create(). A page of another shard count is made anew, without its core. -EBUSY: what is there must
 * go, but somebody holds its lock. */
int board_file_create(const char *path, const struct board_want *want, bool *ret_damaged);
/* Maps the whole file; fails as board_shard_open(). On success @file is to be closed, and must stay where it is: its
 * guard is on a list. */
int board_file_open(const char *path, const struct board_want *want, bool writable, struct board_file *file);
void board_file_close(struct board_file *file);
/* -EAGAIN: somebody else has it; -ESTALE: the file was replaced meanwhile, open it again. */
int board_file_lock(struct board_file *file);
int board_file_is_locked(const struct board_file *file);
/* Is what we have mapped still what others find under its path? 0: yes. 1: the file was deleted, its directory perhaps,
 * too; a copy of what we have was put there, and is what we have mapped now, at the same address, with our lock if we
 * had it. Who has the lock replaces a file that somebody else made there meanwhile, unless that is locked. -ESTALE:
 * something else is there. -SHOAL_EDAMAGED: our own was scribbled on or cut short. -ENOSPC, -errno. */
int board_file_restore(struct board_file *file, const struct board_want *want);
/* For who only looks: another file of the same kind and size lies under the path, so that one is mapped now, at the
 * same address (1). 0: ours does. -ENOENT: none. -SHOAL_EDAMAGED, -SHOAL_EVERSION, -errno: one that can't be taken. */
int board_file_follow(struct board_file *file, const struct board_want *want);

/* After the guard caught a fault: looks at the file again, at the same address, once it has its length. 0: nothing had
 * happened. 1: done; zeros may lie where it was cut off. -ENODATA: it is still too short. -errno. */
int board_file_reattach(struct board_file *file);
bool board_file_is_long_enough(const struct board_file *file);
/* Gives the file its length and room for all of it, without shortening it. Async-signal-safe. -ENOSPC, -errno. */
int board_file_lengthen(const struct board_file *file);

/* Writes @data into the copy that does not count and flips. One writer. @copies: the array's first element. */
void board_record_write(_Atomic uint64_t *flip, void *copies, size_t stride, const void *data, uint32_t length);
/* The copy that counts, or the other one when it fails its checksum: its index. -SHOAL_EDAMAGED: neither, or never
 * written. Safe beside a writer. */
int board_record_read(const _Atomic uint64_t *flip, const void *copies, size_t stride, void *data, uint32_t length);
/* The same for a writer that must act between filling the copy and the flip: fills and returns the copy's index. */
int board_record_fill(_Atomic uint64_t *flip, void *copies, size_t stride, const void *data, uint32_t length);
void board_record_flip(_Atomic uint64_t *flip);

#endif
