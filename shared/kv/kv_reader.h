/* A look into an environment that another process may be writing: nothing is made, nothing changed. For tools. One
 * thread. */
#ifndef SHOAL_SHARED_KV_KV_READER_H
#define SHOAL_SHARED_KV_KV_READER_H

#include "shared/kv/kv.h"

struct kv_reader;

/* Opens the environment in the directory @path as it is at this moment; later writes are not seen. Tables that are
 * missing are empty. -ENOENT: there is none. -SHOAL_EDAMAGED: it can't be read. -EACCES, -errno. @tables: as
 * kv_options. */
int kv_reader_open(const char *path, const char *const *tables, size_t table_count, struct kv_reader **ret_reader);
struct kv_reader *kv_reader_close(struct kv_reader *reader); /* NULL is nothing to do; returns NULL */
void kv_reader_closep(struct kv_reader **reader);

/* See kv_each(). Keys and values are valid until the reader is closed. */
int kv_reader_each(struct kv_reader *reader, size_t table, kv_each_fn fn, void *arg);

#endif
