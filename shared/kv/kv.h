/* LMDB environments: crash-proof key-value files that several processes may read. Stands under the guild cache. Values
 * are small; writes are collected in one transaction a loop turn. Loop thread only. */
#ifndef SHOAL_SHARED_KV_KV_H
#define SHOAL_SHARED_KV_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kv;

enum kv_flags {
	KV_VOLATILE = 1 << 0, /* on tmpfs: no sync; survives the process, not the machine */
};

struct kv_options {
	const char *path; /* a directory, made when missing (0700) */
	size_t map_bytes; /* the file never grows beyond */
	uint32_t flags;   /* enum kv_flags */
	const char *const *tables;
	size_t table_count; /* at most 8 */
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

/* Writes join the open transaction (begun by the first). -ENOSPC when the map is full: the transaction is given up. */
int kv_put(struct kv *kv, size_t table, struct kv_bytes key, struct kv_bytes value);
/* 0 also when the key was not there. */
int kv_delete(struct kv *kv, size_t table, struct kv_bytes key);
/* Empties a table. */
int kv_clear(struct kv *kv, size_t table);
/* Reads see the open transaction. *ret_value is borrowed until the next write or commit. -ENOENT. */
int kv_get(struct kv *kv, size_t table, struct kv_bytes key, struct kv_bytes *ret_value);
/* Calls @fn for every entry in key order until it returns non-zero, which is then returned. @fn must not write. */
typedef int (*kv_each_fn)(void *arg, struct kv_bytes key, struct kv_bytes value);
int kv_each(struct kv *kv, size_t table, kv_each_fn fn, void *arg);
/* The same from the first key that is not before @from. */
int kv_each_from(struct kv *kv, size_t table, struct kv_bytes from, kv_each_fn fn, void *arg);
/* Ends the open transaction; nothing to do when none is open. -ENOSPC, -EIO: its writes are lost. */
int kv_commit(struct kv *kv);

#endif
