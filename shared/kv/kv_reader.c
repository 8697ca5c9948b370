/* Read-only LMDB for tools. Run by short-lived programs; must not leave a trace in the environment but a slot in its
 * table of readers, which goes with the process. */
#include "shared/kv/kv_reader.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"

#define READER_TABLES_MAX 8
#define READER_PATH_MAX   4400

struct kv_reader {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi tables[READER_TABLES_MAX];
	bool there[READER_TABLES_MAX];
};

/* LMDB's own codes lie far from errno's. */
static int from_lmdb(int code)
{
	if (code == 0)
		return 0;
	if (code == MDB_NOTFOUND)
		return -ENOENT;
	return code > 0 ? -code : -SHOAL_EDAMAGED;
}

/* A file that is cut off would be a SIGBUS at its first touch. */
static int check_file(const char *path)
{
	char file[READER_PATH_MAX + 16];
	long page = sysconf(_SC_PAGESIZE);
	struct stat st;

	if (snprintf(file, sizeof(file), "%s/data.mdb", path) >= READER_PATH_MAX)
		return -ENAMETOOLONG;
	if (stat(file, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return -ENOENT;
	return st.st_size >= 2 * page && st.st_size % page == 0 ? 0 : -SHOAL_EDAMAGED;
}

static int check_used(MDB_env *env)
{
	mdb_filehandle_t fd;
	MDB_envinfo info;
	MDB_stat sizes;
	struct stat st;

	if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &sizes) != 0 || mdb_env_get_fd(env, &fd) != 0 ||
	    fstat(fd, &st) < 0 || (uint64_t)st.st_size < ((uint64_t)info.me_last_pgno + 1) * sizes.ms_psize)
		return -SHOAL_EDAMAGED;
	return 0;
}

static int open_tables(struct kv_reader *reader, const char *const *tables, size_t table_count)
{
	size_t i;
	int r;

	for (i = 0; i < table_count; i++) {
		r = from_lmdb(mdb_dbi_open(reader->txn, tables[i], 0, &reader->tables[i]));
		if (r < 0 && r != -ENOENT)
			return r;
		reader->there[i] = r == 0;
	}
	return 0;
}

int kv_reader_open(const char *path, const char *const *tables, size_t table_count, struct kv_reader **ret_reader)
{
	CLEANUP(kv_reader_closep) struct kv_reader *reader = NULL;
	int r;

	if (table_count > READER_TABLES_MAX)
		return -EINVAL;
	r = check_file(path);
	if (r < 0)
		return r;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	r = from_lmdb(mdb_env_create(&reader->env));
	if (r < 0)
		return r;
	mdb_env_set_maxdbs(reader->env, READER_TABLES_MAX);
	r = from_lmdb(mdb_env_open(reader->env, path, MDB_RDONLY | MDB_NOTLS, 0600));
	if (r == 0)
		r = check_used(reader->env);
	if (r == 0)
		r = from_lmdb(mdb_txn_begin(reader->env, NULL, MDB_RDONLY, &reader->txn));
	if (r == 0)
		r = open_tables(reader, tables, table_count);
	if (r < 0)
		return r == -EINVAL ? -SHOAL_EDAMAGED : r;
	*ret_reader = TAKE(reader);
	return 0;
}

struct kv_reader *kv_reader_close(struct kv_reader *reader)
{
	if (!reader)
		return NULL;
	if (reader->txn)
		mdb_txn_abort(reader->txn);
	if (reader->env)
		mdb_env_close(reader->env);
	free(reader);
	return NULL;
}

void kv_reader_closep(struct kv_reader **reader)
{
	*reader = kv_reader_close(*reader);
}

int kv_reader_each(struct kv_reader *reader, size_t table, kv_each_fn fn, void *arg)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int r, code;

	if (!reader->there[table])
		return 0;
	r = from_lmdb(mdb_cursor_open(reader->txn, reader->tables[table], &cursor));
	if (r < 0)
		return r;
	while ((code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
		r = fn(arg, (struct kv_bytes){ k.mv_data, k.mv_size }, (struct kv_bytes){ v.mv_data, v.mv_size });
		if (r != 0)
			break;
	}
	mdb_cursor_close(cursor);
	return r == 0 && code != 0 && code != MDB_NOTFOUND ? from_lmdb(code) : r;
}
