/* LMDB environments: crash-proof key-value files that several processes may read. Stands under the guild cache. Values
 * are small; writes are collected in one transaction a loop turn. One thread uses an environment: the loop's, or a
 * helper that was given it. */
#ifndef SHOAL_SHARED_KV_KV_H
#define SHOAL_SHARED_KV_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"

struct kv;

enum kv_flags {
	KV_VOLATILE = 1 << 0, /* on tmpfs: no sync; survives the process, not the machine */
	KV_ANEW = 1 << 1,     /* what is there is thrown away, unread */
	KV_SPARE = 1 << 2,    /* room that comes free is used again: puts leave some in the file for a later delete, and
			       * pages that are free count; for small transactions */
	KV_ALONE = 1 << 3, /* one process and one thread has it, by a lock of its own: no lock file, which others could
			    * delete or write into */
};

struct kv_options {
	const char *path; /* a directory, made when missing (0700) */
	size_t map_bytes; /* the file never grows beyond */
	uint32_t flags;   /* enum kv_flags */
	const char *const *tables;
	size_t table_count; /* at most 8 */
	const void *owner;  /* what kv_touched() says; may be NULL */
};

struct kv_bytes {
	const void *ptr;
	size_t len;
};

/* Opens or makes. A file that is damaged is moved aside ("data.mdb.damaged") and made anew; *ret_fresh says so, and is
 * true for a new one too. -ENOSPC, -EACCES, -errno. */
int kv_open(const struct kv_options *options, bool *ret_fresh, struct kv **ret_kv);
/* Commits what is open. NULL is nothing to do; returns NULL. */
struct kv *kv_close(struct kv *kv);
/* The same, giving up what is open. */
struct kv *kv_abandon(struct kv *kv);
/* Removes the files under @path, which nobody has open. */
void kv_remove(const char *path);

/* Writes join the open transaction (begun by the first). -ENOSPC: the map is full, nothing else is lost by it. Any
 * other error gives the whole transaction up (kv_take_lost). */
int kv_put(struct kv *kv, size_t table, struct kv_bytes key, struct kv_bytes value);
/* 0 also when the key was not there. */
int kv_delete(struct kv *kv, size_t table, struct kv_bytes key);
/* Reads see the open transaction. *ret_value is borrowed until the next write or commit. -ENOENT. */
int kv_get(struct kv *kv, size_t table, struct kv_bytes key, struct kv_bytes *ret_value);
/* Appends a copy of the value to @out: unlike what kv_get lends it can't be a page that is gone when it is read.
 * -ENOENT, -ENOBUFS, -ENOMEM. */
int kv_copy(struct kv *kv, size_t table, struct kv_bytes key, struct buf *out);
/* The same of what is committed, from any thread, while another one writes: never waits for it. The environment must
 * stay open meanwhile. */
int kv_peek(struct kv *kv, size_t table, struct kv_bytes key, struct buf *out);
/* The same as kv_copy() for a value of exactly @len bytes; -EIO when it has another length. */
int kv_read(struct kv *kv, size_t table, struct kv_bytes key, void *out, size_t len);
/* Calls @fn for every entry in key order until it returns non-zero, which is then returned. @fn must not write. */
typedef int (*kv_each_fn)(void *arg, struct kv_bytes key, struct kv_bytes value);
int kv_each(struct kv *kv, size_t table, kv_each_fn fn, void *arg);
/* The same from the first key that is not before @from. */
int kv_each_from(struct kv *kv, size_t table, struct kv_bytes from, kv_each_fn fn, void *arg);
/* Gives up the open transaction, which then does not count as lost. */
void kv_cancel(struct kv *kv);
/* Ends the open transaction; nothing to do when none is open. -ENOSPC, -EIO: its writes are lost. */
int kv_commit(struct kv *kv);
/* Whether writes were lost since the last time it was asked. */
bool kv_take_lost(struct kv *kv);

/* Whether its data file was deleted: what is written from now on goes with this process. A system call. */
bool kv_is_deleted(const struct kv *kv);
/* Bytes that the data file takes. */
size_t kv_bytes_used(const struct kv *kv);

/* The owner of the environment that this thread reads or writes at this moment, else NULL: async-signal-safe. A SIGBUS
 * meanwhile means that its file was cut off. */
const void *kv_touched(void);

#endif
