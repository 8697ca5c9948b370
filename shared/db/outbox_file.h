/* The outbox's file: entries in the order in which they came, dead ones beside them, in one LMDB environment that is
 * synced at each commit. One thread uses it at a time. An OFD lock says which process. */
#ifndef SHOAL_SHARED_DB_OUTBOX_FILE_H
#define SHOAL_SHARED_DB_OUTBOX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/db/outbox_entry.h"

#define OUTBOX_PATH_SIZE 480
#define OUTBOX_ASIDE_MAX 8 /* damaged files that are kept; the oldest goes */

struct outbox_file;

struct outbox_file_options {
	char path[OUTBOX_PATH_SIZE]; /* of its folder, made when missing */
	uint32_t max_mib;
	/* The last process died of it while it opened it: set aside unread, but for what can be salvaged. */
	bool failed;
	/* A new file's first place is at least this: places that this process has used must not come again. */
	uint64_t first;
};

/* Entries in order of seq, each list by its own; for the caller to free. */
struct outbox_list {
	struct outbox_entry *first, *last;
	size_t count, bytes;
};

/* What outbox_file_open() found. */
struct outbox_found {
	struct outbox_list waiting, dead;
	bool fresh;       /* none was there */
	bool damaged;     /* there was one, and it is aside now */
	size_t salvaged;  /* entries of those above that were read out of it */
	size_t lost_rows; /* rows of it that were seen to be damaged; more may be gone */
	char aside[OUTBOX_PATH_SIZE + 64];
};

/* Its tables, for whoever looks into it from outside, and what damaged files that are kept are called. */
enum { OUTBOX_TABLE_WAITING, OUTBOX_TABLE_DEAD, OUTBOX_TABLE_META, OUTBOX_TABLE_COUNT };
extern const char *const outbox_file_tables[OUTBOX_TABLE_COUNT];
#define OUTBOX_KEPT_PREFIX "damaged-"

/* "<state_dir>/outbox/<shard>-of-<count>". -ENAMETOOLONG. */
int outbox_file_path(const char *state_dir, uint32_t shard_id, uint32_t shard_count, char path[OUTBOX_PATH_SIZE]);
/* Whether there is something to open under @path. */
bool outbox_file_exists(const char *path);

/* Opens or makes. -EAGAIN: another process has it. -ENOSPC, -EACCES, -EROFS, -errno. */
int outbox_file_open(const struct outbox_file_options *options, struct outbox_found *ret_found,
		     struct outbox_file **ret_file);
/* Commits what is open. */
struct outbox_file *outbox_file_close(struct outbox_file *file);
/* Removes the files of an empty outbox that this process holds, and closes it. */
void outbox_file_remove(struct outbox_file *file);

/* All join the open transaction, which outbox_file_commit() makes durable. After an error (-ENOSPC: it is full) it is
 * no more of use: outbox_file_cancel(). */

/* To the end of what waits: gives it its seq, and an identity unless it has one. */
int outbox_file_put(struct outbox_file *file, struct outbox_entry *entry);
/* Takes one away, from among the waiting or the @dead. 0 also when it is not there. */
int outbox_file_delete(struct outbox_file *file, uint64_t seq, bool dead);
/* From the waiting to the dead, with what @entry says of its end. */
int outbox_file_bury(struct outbox_file *file, const struct outbox_entry *entry);
/* From the dead to the end of the waiting, under a new seq and a new identity. */
int outbox_file_revive(struct outbox_file *file, struct outbox_entry *entry);
/* 0: it is on the disk. -ENOSPC, -EIO: nothing of the transaction is. */
int outbox_file_commit(struct outbox_file *file);
/* Gives up the open transaction. */
void outbox_file_cancel(struct outbox_file *file);

/* Whether its files were deleted under us: what is put from now on would go with this process. A system call. */
bool outbox_file_is_deleted(const struct outbox_file *file);
/* The place of the next entry. */
uint64_t outbox_file_next(const struct outbox_file *file);

void outbox_list_add(struct outbox_list *list, struct outbox_entry *entry);
void outbox_list_remove(struct outbox_list *list, struct outbox_entry *entry);
/* Frees all. */
void outbox_list_clear(struct outbox_list *list);

#endif
