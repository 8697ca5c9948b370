/* LMDB behind a small contract. No WRITEMAP: a stray pointer must not scribble into what a successor relies on.
 * A truncated data file would be a SIGBUS at its first touch, so sizes are checked before anything is read from the
 * map. */
#include "shared/kv/kv.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"

#define KV_TABLES_MAX 8
#define KV_PATH_MAX   512
/* More than LMDB's own size for its 126 readers: it keeps a larger file as it is. */
#define KV_LOCK_FILE_BYTES 16384

/* The data file is allocated ahead of what is used, in steps of this. */
#define KV_STEP_BYTES (64 * 1024)
/* Pages that a transaction writes beside its values: the ways down to them, the free list, the meta page. */
#define KV_SPARE_PAGES 24
#define KV_SMALL_BYTES 256

struct kv {
	const void *owner;
	MDB_env *env;
	MDB_txn *txn; /* open write transaction or NULL */
	MDB_dbi tables[KV_TABLES_MAX];
	size_t page_bytes, map_bytes;
	size_t file_bytes; /* allocated */
	size_t used_bytes; /* by the last commit's account */
	size_t writes;     /* of the open transaction */
	size_t new_bytes;  /* that they may take, about */
	bool spare;        /* KV_SPARE */
	bool lost;         /* a transaction was given up since kv_take_lost() */
};

/* Which environment's map is being read or written by this thread: for the handler of SIGBUS, which runs on it. */
static _Thread_local const void *volatile touched;

static void touch(const struct kv *kv)
{
	touched = kv->owner;
	atomic_signal_fence(memory_order_seq_cst);
}

static void untouch(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	touched = NULL;
}

const void *kv_touched(void)
{
	return touched;
}

static int from_lmdb(int code)
{
	if (code == 0)
		return 0;
	if (code == MDB_NOTFOUND)
		return -ENOENT;
	if (code == MDB_MAP_FULL || code == MDB_TXN_FULL)
		return -ENOSPC;
	return code > 0 ? -code : -EIO;
}

/* LMDB reads its two meta pages before we can ask it anything: they must be there. Whole pages only. */
static bool file_is_plausible(const char *path)
{
	char file[KV_PATH_MAX + 16];
	long page = sysconf(_SC_PAGESIZE);
	struct stat st;

	snprintf(file, sizeof(file), "%s/data.mdb", path);
	if (stat(file, &st) < 0)
		return errno == ENOENT;
	return st.st_size == 0 || (st.st_size >= 2 * page && st.st_size % page == 0);
}

/* LMDB grows its lock file by truncation and writes into the mapping: on a full file system that is a SIGBUS, not an
 * error. So the file is there in full before LMDB sees it. Before mdb_env_open(): closing a descriptor of the file
 * would drop the locks that LMDB holds on it. */
static int reserve_lock_file(const char *path)
{
	char file[KV_PATH_MAX + 16];
	int fd, r;

	snprintf(file, sizeof(file), "%s/lock.mdb", path);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = posix_fallocate(fd, 0, KV_LOCK_FILE_BYTES);
	close(fd);
	return -r;
}

static void move_aside(const char *path)
{
	char from[KV_PATH_MAX + 16], to[KV_PATH_MAX + 32];

	snprintf(from, sizeof(from), "%s/data.mdb", path);
	snprintf(to, sizeof(to), "%s.damaged", from);
	if (rename(from, to) < 0)
		unlink(from);
	snprintf(from, sizeof(from), "%s/lock.mdb", path);
	unlink(from);
}

/* The last page that the environment says it uses must lie within the file. */
static bool env_fits_file(MDB_env *env)
{
	mdb_filehandle_t fd;
	MDB_envinfo info;
	MDB_stat sizes;
	struct stat st;

	if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &sizes) != 0 || mdb_env_get_fd(env, &fd) != 0 ||
	    fstat(fd, &st) < 0)
		return false;
	return (uint64_t)st.st_size >= ((uint64_t)info.me_last_pgno + 1) * sizes.ms_psize;
}

/* Allocates the data file for @bytes, never beyond the map. A write into a file that is allocated can't fail, and a
 * page of one that is read can't be missing; LMDB alone would leave holes and stop short of pages that it counts. */
static int reserve(struct kv *kv, size_t bytes)
{
	size_t exact_bytes = (bytes + kv->page_bytes - 1) / kv->page_bytes * kv->page_bytes; /* whole pages, always */
	mdb_filehandle_t fd;
	int r;

	bytes = (bytes + KV_STEP_BYTES - 1) / KV_STEP_BYTES * KV_STEP_BYTES;
	if (bytes > kv->map_bytes)
		bytes = kv->map_bytes;
	if (bytes <= kv->file_bytes)
		return 0;
	r = mdb_env_get_fd(kv->env, &fd);
	if (r != 0)
		return from_lmdb(r);
	r = posix_fallocate(fd, 0, (off_t)bytes);
	/* On a full disk what is there already is enough for what is there already. */
	if (r == ENOSPC && exact_bytes < bytes) {
		bytes = exact_bytes;
		r = posix_fallocate(fd, 0, (off_t)bytes);
	}
	if (r == 0 && bytes > kv->file_bytes)
		kv->file_bytes = bytes;
	return -r;
}

/* What the file holds by its last commit, which must lie in it: so that the next opening doesn't take it for cut off.
 */
static int account(struct kv *kv)
{
	MDB_envinfo info;

	kv->writes = kv->new_bytes = 0;
	if (mdb_env_info(kv->env, &info) != 0)
		return -EIO;
	kv->used_bytes = (info.me_last_pgno + 1) * kv->page_bytes;
	return reserve(kv, kv->used_bytes);
}

static int measure(struct kv *kv)
{
	MDB_stat sizes;
	int code = mdb_env_stat(kv->env, &sizes);

	if (code != 0)
		return from_lmdb(code);
	kv->page_bytes = sizes.ms_psize;
	kv->file_bytes = 0;
	return account(kv);
}

static int open_tables(struct kv *kv, const struct kv_options *options, bool make)
{
	MDB_txn *txn;
	size_t i;
	int code;

	code = mdb_txn_begin(kv->env, NULL, make ? 0 : MDB_RDONLY, &txn);
	if (code != 0)
		return from_lmdb(code);
	for (i = 0; i < options->table_count; i++) {
		code = mdb_dbi_open(txn, options->tables[i], make ? MDB_CREATE : 0, &kv->tables[i]);
		if (code != 0) {
			mdb_txn_abort(txn);
			return from_lmdb(code);
		}
	}
	return from_lmdb(mdb_txn_commit(txn));
}

/* What is all there is opened without a write: on a full disk it can still be read. */
static int find_tables(struct kv *kv, const struct kv_options *options)
{
	int r = open_tables(kv, options, false);

	if (r != -ENOENT)
		return r;
	r = reserve(kv, kv->used_bytes + (KV_SPARE_PAGES + options->table_count) * kv->page_bytes);
	return r < 0 ? r : open_tables(kv, options, true);
}

static int env_open(struct kv *kv, const struct kv_options *options)
{
	unsigned int flags = MDB_NOTLS;
	int code, dead;

	code = options->flags & KV_ALONE ? 0 : reserve_lock_file(options->path);
	if (code < 0)
		return code;
	if (options->flags & KV_ALONE)
		flags |= MDB_NOLOCK;
	if (options->flags & KV_VOLATILE)
		flags |= MDB_NOSYNC | MDB_NOMETASYNC;
	code = mdb_env_create(&kv->env);
	if (code != 0)
		return from_lmdb(code);
	mdb_env_set_maxdbs(kv->env, KV_TABLES_MAX);
	mdb_env_set_mapsize(kv->env, options->map_bytes);
	code = mdb_env_open(kv->env, options->path, flags, 0600);
	if (code == 0 && !env_fits_file(kv->env))
		code = MDB_CORRUPTED;
	if (code != 0)
		return from_lmdb(code);
	mdb_reader_check(kv->env, &dead);
	kv->map_bytes = options->map_bytes / KV_STEP_BYTES * KV_STEP_BYTES;
	code = measure(kv);
	if (code == 0)
		code = find_tables(kv, options);
	return code < 0 ? code : account(kv);
}

static void env_close(struct kv *kv)
{
	if (kv->env)
		mdb_env_close(kv->env);
	kv->env = NULL;
}

int kv_open(const struct kv_options *options, bool *ret_fresh, struct kv **ret_kv)
{
	CLEANUP(cleanup_free) struct kv *kv = NULL;
	char file[KV_PATH_MAX + 16];
	bool fresh;
	int r;

	if (options->table_count > KV_TABLES_MAX)
		return -EINVAL;
	if (snprintf(file, sizeof(file), "%s/data.mdb", options->path) >= KV_PATH_MAX)
		return -ENAMETOOLONG;
	if (mkdir(options->path, 0700) < 0 && errno != EEXIST)
		return -errno;
	kv = calloc(1, sizeof(*kv));
	if (!kv)
		return -ENOMEM;
	kv->owner = options->owner;
	kv->spare = options->flags & KV_SPARE;
	if (options->flags & KV_ANEW)
		kv_remove(options->path);
	fresh = access(file, F_OK) < 0;
	if (!file_is_plausible(options->path)) {
		move_aside(options->path);
		fresh = true;
	}
	touch(kv);
	r = env_open(kv, options);
	if (r == -EIO || r == -EINVAL) { /* not ours, or damaged */
		env_close(kv);
		move_aside(options->path);
		fresh = true;
		r = env_open(kv, options);
	}
	untouch();
	if (r < 0) {
		env_close(kv);
		return r;
	}
	*ret_fresh = fresh;
	*ret_kv = TAKE(kv);
	return 0;
}

void kv_remove(const char *path)
{
	char file[KV_PATH_MAX + 16];

	snprintf(file, sizeof(file), "%s/data.mdb", path);
	unlink(file);
	snprintf(file, sizeof(file), "%s/lock.mdb", path);
	unlink(file);
}

struct kv *kv_close(struct kv *kv)
{
	if (!kv)
		return NULL;
	kv_commit(kv);
	touch(kv);
	env_close(kv);
	untouch();
	free(kv);
	return NULL;
}

struct kv *kv_abandon(struct kv *kv)
{
	if (!kv)
		return NULL;
	touch(kv);
	if (kv->txn)
		mdb_txn_abort(kv->txn);
	env_close(kv);
	untouch();
	free(kv);
	return NULL;
}

bool kv_is_deleted(const struct kv *kv)
{
	mdb_filehandle_t fd;
	struct stat st;

	return mdb_env_get_fd(kv->env, &fd) == 0 && fstat(fd, &st) == 0 && st.st_nlink == 0;
}

bool kv_take_lost(struct kv *kv)
{
	bool lost = kv->lost;

	kv->lost = false;
	return lost;
}

size_t kv_bytes_used(const struct kv *kv)
{
	return kv->file_bytes;
}

static int begin(struct kv *kv)
{
	int code;

	if (kv->txn)
		return 0;
	code = mdb_txn_begin(kv->env, NULL, 0, &kv->txn);
	/* Not of our arguments: somebody wrote into the lock file, which is made anew when all is closed and opened. */
	return code == EINVAL ? -EIO : from_lmdb(code);
}

static void give_up(struct kv *kv)
{
	mdb_txn_abort(kv->txn);
	kv->txn = NULL;
	kv->writes = kv->new_bytes = 0;
	kv->lost = true;
}

void kv_cancel(struct kv *kv)
{
	bool lost = kv->lost;

	if (!kv->txn)
		return;
	touch(kv);
	give_up(kv);
	untouch();
	kv->lost = lost;
}

/* LMDB marks a transaction as broken after a failed write; what it held is lost, and the caller is told. */
static int after_write(struct kv *kv, int code)
{
	if (code == 0 || code == MDB_NOTFOUND)
		return 0;
	give_up(kv);
	return from_lmdb(code);
}

/* What a value may take: small ones lie in pages that may be half empty, larger ones in pages of their own. */
static size_t room_of(const struct kv *kv, size_t key_bytes, size_t value_bytes)
{
	size_t node_bytes = key_bytes + value_bytes + 16;

	return node_bytes < kv->page_bytes / 2 ? 2 * node_bytes : node_bytes + 2 * kv->page_bytes;
}

/* How large the file may get by what is open and @more_bytes: a page that is changed is written to another place. */
static size_t room_needed(const struct kv *kv, size_t more_bytes)
{
	size_t copied_bytes = kv->writes * kv->page_bytes;

	if (copied_bytes > kv->used_bytes)
		copied_bytes = kv->used_bytes;
	return kv->used_bytes + copied_bytes + kv->new_bytes + more_bytes + KV_SPARE_PAGES * kv->page_bytes;
}

/* Pages within the file that hold nothing: LMDB's own list of them, table 0. */
static size_t free_bytes(struct kv *kv)
{
	size_t pages = 0, count;
	MDB_cursor *cursor;
	MDB_val k, v;
	MDB_txn *txn;

	if (mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn) != 0)
		return 0;
	if (mdb_cursor_open(txn, 0, &cursor) == 0) {
		while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
			memcpy(&count, v.mv_data, sizeof(count));
			pages += count;
		}
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return pages * kv->page_bytes;
}

/* Would it leave an eighth of the map free? What was deleted counts only where transactions are small: its pages may
 * lie too scattered, and a map that turns out full takes the whole transaction with it. */
static bool has_room(struct kv *kv, size_t room_bytes)
{
	size_t max_bytes = kv->map_bytes - kv->map_bytes / 8, needed_bytes = room_needed(kv, room_bytes);

	return needed_bytes <= max_bytes || (kv->spare && needed_bytes <= max_bytes + free_bytes(kv) / 2);
}

int kv_put(struct kv *kv, size_t table, struct kv_bytes key, struct kv_bytes value)
{
	MDB_val k = { key.len, (void *)key.ptr }, v = { value.len, (void *)value.ptr };
	size_t room_bytes = room_of(kv, key.len, value.len);
	int r;

	/* Refused while the transaction is still whole. Small values may use what is kept free of large ones. */
	if (value.len > KV_SMALL_BYTES && !has_room(kv, room_bytes))
		return -ENOSPC;
	touch(kv);
	r = begin(kv);
	if (r == 0) {
		kv->writes++;
		kv->new_bytes += room_bytes;
		r = after_write(kv, mdb_put(kv->txn, kv->tables[table], &k, &v, 0));
	}
	untouch();
	return r;
}

int kv_delete(struct kv *kv, size_t table, struct kv_bytes key)
{
	MDB_val k = { key.len, (void *)key.ptr };
	int r;

	touch(kv);
	r = begin(kv);
	if (r == 0) {
		kv->writes++;
		r = after_write(kv, mdb_del(kv->txn, kv->tables[table], &k, NULL));
	}
	untouch();
	return r;
}

/* Reading inside the write transaction costs nothing more: there is one writer, and it is us. */
static int find(struct kv *kv, size_t table, struct kv_bytes key, struct kv_bytes *ret_value)
{
	MDB_val k = { key.len, (void *)key.ptr }, v;
	int r;

	r = begin(kv);
	if (r < 0)
		return r;
	r = from_lmdb(mdb_get(kv->txn, kv->tables[table], &k, &v));
	if (r < 0)
		return r;
	*ret_value = (struct kv_bytes){ v.mv_data, v.mv_size };
	return 0;
}

int kv_get(struct kv *kv, size_t table, struct kv_bytes key, struct kv_bytes *ret_value)
{
	int r;

	touch(kv);
	r = find(kv, table, key, ret_value);
	untouch();
	return r;
}

int kv_peek(struct kv *kv, size_t table, struct kv_bytes key, struct buf *out)
{
	const void *before = touched;
	MDB_val k = { key.len, (void *)key.ptr }, v;
	MDB_txn *txn;
	int r;

	touch(kv);
	r = from_lmdb(mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn));
	if (r == 0) {
		r = from_lmdb(mdb_get(txn, kv->tables[table], &k, &v));
		if (r == 0)
			r = buf_append(out, v.mv_data, v.mv_size);
		mdb_txn_abort(txn);
	}
	touched = before;
	return r;
}

int kv_copy(struct kv *kv, size_t table, struct kv_bytes key, struct buf *out)
{
	struct kv_bytes value;
	int r;

	touch(kv);
	r = find(kv, table, key, &value);
	if (r == 0)
		r = buf_append(out, value.ptr, value.len);
	untouch();
	return r;
}

int kv_read(struct kv *kv, size_t table, struct kv_bytes key, void *out, size_t len)
{
	struct kv_bytes value;
	int r;

	touch(kv);
	r = find(kv, table, key, &value);
	if (r == 0 && value.len != len)
		r = -EIO;
	if (r == 0)
		memcpy(out, value.ptr, len);
	untouch();
	return r;
}

static int walk(struct kv *kv, size_t table, struct kv_bytes from, kv_each_fn fn, void *arg)
{
	MDB_val k = { from.len, (void *)from.ptr }, v;
	MDB_cursor *cursor;
	int r, code;

	r = begin(kv);
	if (r < 0)
		return r;
	code = mdb_cursor_open(kv->txn, kv->tables[table], &cursor);
	if (code != 0)
		return from_lmdb(code);
	code = mdb_cursor_get(cursor, &k, &v, from.len > 0 ? MDB_SET_RANGE : MDB_FIRST);
	while (code == 0) {
		r = fn(arg, (struct kv_bytes){ k.mv_data, k.mv_size }, (struct kv_bytes){ v.mv_data, v.mv_size });
		touch(kv); /* @fn may have used another */
		if (r != 0)
			break;
		code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	if (r == 0 && code != 0 && code != MDB_NOTFOUND)
		r = from_lmdb(code);
	return r;
}

int kv_each_from(struct kv *kv, size_t table, struct kv_bytes from, kv_each_fn fn, void *arg)
{
	int r;

	touch(kv);
	r = walk(kv, table, from, fn, arg);
	untouch();
	return r;
}

int kv_each(struct kv *kv, size_t table, kv_each_fn fn, void *arg)
{
	return kv_each_from(kv, table, (struct kv_bytes){ NULL, 0 }, fn, arg);
}

/* Room for what is open. Where the disk has none the file's own may do, and then all that can go wrong is said by the
 * commit. */
static int reserve_open(struct kv *kv)
{
	size_t spare_bytes = kv->spare && kv->new_bytes > 0 ? KV_SPARE_PAGES * kv->page_bytes : 0;
	size_t needed_bytes = kv->new_bytes + spare_bytes;
	int r;

	r = reserve(kv, kv->used_bytes + needed_bytes);
	if (r == -ENOSPC && kv->spare && free_bytes(kv) >= 2 * (needed_bytes + kv->writes * kv->page_bytes))
		return 0;
	return r;
}

static int commit(struct kv *kv)
{
	MDB_txn *txn = kv->txn;
	int r;

	/* Copies of changed pages mostly go to free ones; what they need beyond is LMDB's to ask for, and accounted for
	 * afterwards. */
	r = kv->writes ? reserve_open(kv) : 0;
	if (r < 0) {
		give_up(kv);
		return r;
	}
	kv->txn = NULL;
	r = from_lmdb(mdb_txn_commit(txn));
	if (r < 0) {
		kv->writes = kv->new_bytes = 0;
		kv->lost = true;
		return r;
	}
	return account(kv);
}

int kv_commit(struct kv *kv)
{
	int r;

	if (!kv->txn)
		return 0;
	touch(kv);
	r = commit(kv);
	untouch();
	return r;
}
