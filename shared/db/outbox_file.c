/* Entries by their place in LMDB, an identity and a counter of places beside them. Run by the outbox's thread, and by
 * whoever opens it; blocks, for a commit is a sync. Must not lose an entry to damage elsewhere in the file: a file that
 * can't be trusted is set aside under a name of its own, and what can be read of it is taken over. */
#include "shared/db/outbox_file.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/db/outbox_salvage.h"
#include "shared/kv/kv.h"

/* Places are taken by the thousand: those that a killed process had not used stay unused. */
#define PLACES_AT_ONCE 1000

const char *const outbox_file_tables[OUTBOX_TABLE_COUNT] = { "waiting", "dead", "meta" };
static const char meta_source[] = "source", meta_next[] = "next", meta_opened[] = "opened";

/* Names in the folder. */
#define DATA_NAME     "data.mdb"
#define KV_ASIDE_NAME "data.mdb.damaged" /* kv's own */
#define LOCK_NAME     "owner.lock"
#define MARK_NAME     "checking" /* stands while the rows are read: a scribbled tree may kill us there */
#define MADE_NAME     "made"     /* there has been an identity in the data: that it has none now is damage */
#define ASIDE_PREFIX  "aside-"   /* damaged, and not salvaged yet */

/* Its address says whose files are touched. */
static const char kv_owner[] = "outbox";

bool outbox_is_touched(void)
{
	return kv_touched() == kv_owner;
}

struct outbox_file {
	struct kv *kv;
	int lock;
	char path[OUTBOX_PATH_SIZE];
	uint64_t source;
	uint64_t next, reserved; /* places: the next one, and the first that is not ours yet */
	uint64_t first;          /* the least that a new file begins with */
	uint32_t max_mib;
	size_t open_writes; /* of the open transaction */
	char record[OUTBOX_RECORD_MAX];
};

/* --- lists -------------------------------------------------------------------------------------------------------- */

void outbox_list_add(struct outbox_list *list, struct outbox_entry *entry)
{
	entry->next = NULL;
	entry->prev = list->last;
	if (list->last)
		list->last->next = entry;
	else
		list->first = entry;
	list->last = entry;
	list->count++;
	list->bytes += entry->bytes;
}

void outbox_list_remove(struct outbox_list *list, struct outbox_entry *entry)
{
	if (entry->prev)
		entry->prev->next = entry->next;
	else
		list->first = entry->next;
	if (entry->next)
		entry->next->prev = entry->prev;
	else
		list->last = entry->prev;
	entry->prev = entry->next = NULL;
	list->count--;
	list->bytes -= entry->bytes;
}

void outbox_list_clear(struct outbox_list *list)
{
	struct outbox_entry *entry;

	while ((entry = list->first)) {
		outbox_list_remove(list, entry);
		outbox_entry_free(entry);
	}
}

/* --- names -------------------------------------------------------------------------------------------------------- */

int outbox_file_path(const char *state_dir, uint32_t shard_id, uint32_t shard_count, char path[OUTBOX_PATH_SIZE])
{
	int len = snprintf(path, OUTBOX_PATH_SIZE, "%s/outbox/%u-of-%u", state_dir, shard_id, shard_count);

	return len >= OUTBOX_PATH_SIZE ? -ENAMETOOLONG : 0;
}

static char *name_in(const char *path, const char *name, char text[OUTBOX_PATH_SIZE + 64])
{
	snprintf(text, OUTBOX_PATH_SIZE + 64, "%s/%s", path, name);
	return text;
}

static bool has(const char *path, const char *name)
{
	char text[OUTBOX_PATH_SIZE + 64];

	return access(name_in(path, name, text), F_OK) == 0;
}

static void drop(const char *path, const char *name)
{
	char text[OUTBOX_PATH_SIZE + 64];

	unlink(name_in(path, name, text));
}

static void sync_dir(const char *path)
{
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		fsync(fd);
}

/* Renames one of the folder's files for good. */
static int move(const char *path, const char *from, const char *to)
{
	char old_name[OUTBOX_PATH_SIZE + 64], new_name[OUTBOX_PATH_SIZE + 64];

	if (rename(name_in(path, from, old_name), name_in(path, to, new_name)) < 0)
		return -errno;
	sync_dir(path);
	return 0;
}

/* The first name in the folder, by the alphabet, that begins with @prefix; and how many do. */
static size_t find_names(const char *path, const char *prefix, char first[64])
{
	DIR *dir = opendir(path);
	struct dirent *one;
	size_t count = 0;

	first[0] = '\0';
	while (dir && (one = readdir(dir))) {
		if (strncmp(one->d_name, prefix, strlen(prefix)) != 0 || strlen(one->d_name) >= 64)
			continue;
		if (count++ == 0 || strcmp(one->d_name, first) < 0)
			strcpy(first, one->d_name);
	}
	if (dir)
		closedir(dir);
	return count;
}

bool outbox_file_exists(const char *path)
{
	char name[64];

	return has(path, DATA_NAME) || has(path, KV_ASIDE_NAME) || find_names(path, ASIDE_PREFIX, name) > 0;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* The folder and the one around it; state_dir itself is the supervisor's to make. */
static int make_folder(const char *path)
{
	char around[OUTBOX_PATH_SIZE];
	char *slash;

	snprintf(around, sizeof(around), "%s", path);
	slash = strrchr(around, '/');
	if (!slash)
		return -EINVAL;
	*slash = '\0';
	if (mkdir(path, 0700) == 0) {
		sync_dir(around);
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	if (mkdir(around, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	sync_dir(around);
	slash = strrchr(around, '/');
	if (slash) {
		*slash = '\0';
		sync_dir(around);
	}
	return 0;
}

static int take_lock(struct outbox_file *file)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char name[OUTBOX_PATH_SIZE + 64];

	file->lock = open(name_in(file->path, LOCK_NAME, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file->lock < 0)
		return -errno;
	if (fcntl(file->lock, F_OFD_SETLK, &whole) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	return 0;
}

static int set_mark(const char *path, const char *mark)
{
	char name[OUTBOX_PATH_SIZE + 64];
	int fd = open(name_in(path, mark, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int get_number(struct outbox_file *file, const char *name, uint64_t *ret_number)
{
	return kv_read(file->kv, OUTBOX_TABLE_META, (struct kv_bytes){ name, strlen(name) }, ret_number,
		       sizeof(*ret_number));
}

static int put_number(struct outbox_file *file, const char *name, uint64_t number)
{
	return kv_put(file->kv, OUTBOX_TABLE_META, (struct kv_bytes){ name, strlen(name) },
		      (struct kv_bytes){ &number, sizeof(number) });
}

struct loading {
	struct outbox_found *found;
	bool dead;
	uint64_t last;
	size_t bad;
};

static int load_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct loading *loading = arg;
	struct outbox_entry *entry;
	uint64_t seq;
	int r;

	if (key.len != sizeof(seq))
		return -SHOAL_EDAMAGED;
	memcpy(&seq, key.ptr, sizeof(seq));
	r = outbox_entry_decode(value.ptr, value.len, &entry);
	if (r == 0 && (entry->seq != be64toh(seq) || (entry->died_ms != 0) != loading->dead)) {
		outbox_entry_free(entry);
		r = -SHOAL_EDAMAGED;
	}
	if (r == -SHOAL_EDAMAGED) {
		loading->bad++;
		return 0; /* the others are counted too; then all of it is set aside */
	}
	if (r < 0)
		return r;
	if (entry->seq > loading->last)
		loading->last = entry->seq;
	outbox_list_add(loading->dead ? &loading->found->dead : &loading->found->waiting, entry);
	return 0;
}

/* Damage of what LMDB keeps for itself (free pages) shows itself at a write. On a full disk what is there can be read.
 */
static int try_write(struct outbox_file *file)
{
	int r = put_number(file, meta_opened, (uint64_t)clock_wall_ms());

	if (r == 0)
		r = kv_commit(file->kv);
	kv_cancel(file->kv);
	return r == -ENOSPC || r == -EDQUOT || r == -EFBIG ? 0 : r;
}

/* Reads every row, and writes once, so that a damaged tree shows itself here. */
static int load(struct outbox_file *file, struct outbox_found *found)
{
	struct loading loading = { .found = found };
	int r;

	r = kv_each(file->kv, OUTBOX_TABLE_WAITING, load_row, &loading);
	loading.dead = true;
	if (r == 0)
		r = kv_each(file->kv, OUTBOX_TABLE_DEAD, load_row, &loading);
	found->lost_rows += loading.bad;
	if (r == 0 && loading.bad > 0)
		r = -SHOAL_EDAMAGED;
	if (r == 0)
		r = get_number(file, meta_source, &file->source);
	if (r == 0)
		r = get_number(file, meta_next, &file->next);
	if (r == 0 && (file->source == 0 || file->source > INT64_MAX || file->next <= loading.last))
		r = -SHOAL_EDAMAGED;
	file->reserved = file->next;
	/* A file that was made and never written to. */
	if (r == -ENOENT && found->waiting.count + found->dead.count == 0 && file->source == 0 &&
	    !has(file->path, MADE_NAME)) {
		file->source = (random_u64() >> 1) | 1;
		file->next = file->reserved = file->first ? file->first : 1;
		r = put_number(file, meta_source, file->source);
		if (r == 0)
			r = put_number(file, meta_next, file->next);
	}
	if (r < 0)
		return r == -ENOENT ? -SHOAL_EDAMAGED : r;
	r = try_write(file);
	if (r < 0 || has(file->path, MADE_NAME))
		return r;
	r = set_mark(file->path, MADE_NAME);
	sync_dir(file->path);
	return r;
}

static int open_kv(struct outbox_file *file, const struct outbox_file_options *options)
{
	struct kv_options kv = { .path = file->path,
				 .map_bytes = (size_t)options->max_mib << 20,
				 .tables = outbox_file_tables,
				 .table_count = ARRAY_SIZE(outbox_file_tables),
				 .owner = kv_owner };
	bool fresh;
	int r;

	r = kv_open(&kv, &fresh, &file->kv);
	if (r == 0 && fresh)
		sync_dir(file->path);
	return r;
}

/* Under a name of its own, that says when. */
static int set_aside(const char *path, const char *name)
{
	char to[64];
	int r;

	snprintf(to, sizeof(to), ASIDE_PREFIX "%013lld-%04x", (long long)clock_wall_ms(),
		 (unsigned int)(random_u64() & 0xFFFF));
	r = move(path, name, to);
	drop(path, "lock.mdb");
	drop(path, MADE_NAME);
	return r;
}

static bool is_there(const struct outbox_list *list, const struct outbox_entry *entry)
{
	for (const struct outbox_entry *one = list->first; one; one = one->next)
		if (one->source == entry->source && one->number == entry->number)
			return true;
	return false;
}

/* Puts what a damaged file held into the new one; what is there already came of an attempt before. */
static int take_over(struct outbox_file *file, struct outbox_found *found, struct outbox_list *list, bool dead)
{
	struct outbox_entry *entry;
	int r = 0;

	while (r == 0 && (entry = list->first)) {
		outbox_list_remove(list, entry);
		if (is_there(&found->waiting, entry) || is_there(&found->dead, entry)) {
			outbox_entry_free(entry);
			continue;
		}
		r = outbox_file_put(file, entry);
		if (r < 0) {
			outbox_entry_free(entry);
			break;
		}
		outbox_list_add(dead ? &found->dead : &found->waiting, entry);
		found->salvaged++;
	}
	return r;
}

/* All files that are aside and not salvaged yet, oldest first. */
static int salvage_all(struct outbox_file *file, struct outbox_found *found)
{
	char name[64], path[OUTBOX_PATH_SIZE + 64], kept[80], oldest[64];
	int r = 0;

	while (r == 0 && find_names(file->path, ASIDE_PREFIX, name) > 0) {
		struct outbox_list waiting = { 0 }, dead = { 0 };

		found->damaged = true;
		r = outbox_salvage(name_in(file->path, name, path), &waiting, &dead);
		if (r == 0)
			r = take_over(file, found, &waiting, false);
		if (r == 0)
			r = take_over(file, found, &dead, true);
		if (r == 0)
			r = outbox_file_commit(file);
		outbox_list_clear(&waiting);
		outbox_list_clear(&dead);
		if (r < 0) {
			outbox_file_cancel(file);
			return r;
		}
		snprintf(kept, sizeof(kept), OUTBOX_KEPT_PREFIX "%s.mdb", name + strlen(ASIDE_PREFIX));
		r = move(file->path, name, kept);
		name_in(file->path, kept, found->aside);
		if (find_names(file->path, OUTBOX_KEPT_PREFIX, oldest) > OUTBOX_ASIDE_MAX)
			drop(file->path, oldest);
	}
	return r;
}

/* Opens and reads; a file that can't be trusted goes aside, and a new one is made. */
static int open_checked(struct outbox_file *file, const struct outbox_file_options *options, struct outbox_found *found)
{
	int r;

	if (options->failed && has(file->path, MARK_NAME) && has(file->path, DATA_NAME))
		set_aside(file->path, DATA_NAME);
	if (has(file->path, KV_ASIDE_NAME)) /* of an attempt before; kv would put the next one in its place */
		set_aside(file->path, KV_ASIDE_NAME);
	found->fresh = !outbox_file_exists(file->path);
	r = set_mark(file->path, MARK_NAME);
	if (r < 0 && r != -ENOSPC)
		return r;
	r = open_kv(file, options);
	if (r == 0)
		r = load(file, found);
	if (r == -SHOAL_EDAMAGED || r == -EIO || r == -EINVAL) {
		file->kv = kv_abandon(file->kv);
		outbox_list_clear(&found->waiting);
		outbox_list_clear(&found->dead);
		file->source = 0;
		r = set_aside(file->path, DATA_NAME);
		if (r == 0)
			r = open_kv(file, options);
		if (r == 0)
			r = load(file, found);
	}
	if (r == 0 && has(file->path, KV_ASIDE_NAME)) /* by kv, now */
		r = set_aside(file->path, KV_ASIDE_NAME);
	if (r == 0)
		r = salvage_all(file, found);
	drop(file->path, MARK_NAME);
	return r;
}

int outbox_file_open(const struct outbox_file_options *options, struct outbox_found *ret_found,
		     struct outbox_file **ret_file)
{
	struct outbox_file *file = calloc(1, sizeof(*file));
	struct outbox_found found = { 0 };
	int r;

	if (!file)
		return -ENOMEM;
	file->lock = -1;
	strcpy(file->path, options->path);
	file->max_mib = options->max_mib;
	file->first = options->first;
	r = make_folder(file->path);
	if (r == 0)
		r = take_lock(file);
	if (r == 0)
		r = open_checked(file, options, &found);
	if (r < 0) {
		kv_abandon(TAKE(file->kv));
		outbox_file_close(file);
		outbox_list_clear(&found.waiting);
		outbox_list_clear(&found.dead);
		return r;
	}
	*ret_found = found;
	*ret_file = file;
	return 0;
}

struct outbox_file *outbox_file_close(struct outbox_file *file)
{
	if (!file)
		return NULL;
	kv_close(file->kv);
	if (file->lock >= 0)
		close(file->lock);
	free(file);
	return NULL;
}

void outbox_file_remove(struct outbox_file *file)
{
	static const char *const names[] = { DATA_NAME, "lock.mdb", MARK_NAME, MADE_NAME, LOCK_NAME };
	char path[OUTBOX_PATH_SIZE];

	strcpy(path, file->path);
	file->kv = kv_abandon(file->kv);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		drop(path, names[i]);
	rmdir(path); /* not when damaged files are kept in it */
	outbox_file_close(file);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static int take_place(struct outbox_file *file, uint64_t *ret_seq)
{
	int r;

	if (file->next == file->reserved) {
		r = put_number(file, meta_next, file->next + PLACES_AT_ONCE);
		if (r < 0)
			return r;
		file->reserved = file->next + PLACES_AT_ONCE;
	}
	*ret_seq = file->next++;
	return 0;
}

static int put_row(struct outbox_file *file, const struct outbox_entry *entry, int table)
{
	uint64_t key = htobe64(entry->seq);

	return kv_put(file->kv, (size_t)table, (struct kv_bytes){ &key, sizeof(key) },
		      (struct kv_bytes){ file->record, outbox_entry_encode(entry, file->record) });
}

static int stop_at_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	(void)arg;
	(void)key;
	(void)value;
	return 1;
}

/* LMDB never gives pages back, and what it has free may be in pieces too small. A file without a row is made anew. */
static int make_anew(struct outbox_file *file)
{
	struct outbox_file_options options = { .max_mib = file->max_mib };
	struct outbox_found found = { 0 };
	int r;

	file->first = file->next;
	kv_cancel(file->kv);
	r = kv_each(file->kv, OUTBOX_TABLE_WAITING, stop_at_row, NULL);
	if (r == 0)
		r = kv_each(file->kv, OUTBOX_TABLE_DEAD, stop_at_row, NULL);
	kv_cancel(file->kv);
	if (r != 0)
		return -ENOSPC;
	file->kv = kv_close(file->kv);
	drop(file->path, MADE_NAME);
	kv_remove(file->path);
	file->source = 0;
	r = open_kv(file, &options);
	return r < 0 ? r : load(file, &found);
}

static int put_once(struct outbox_file *file, struct outbox_entry *entry);

int outbox_file_put(struct outbox_file *file, struct outbox_entry *entry)
{
	bool alone = file->open_writes == 0;
	int r = put_once(file, entry);

	/* With others before it in the transaction it is tried again by itself. */
	if (r != -ENOSPC || !alone)
		return r;
	r = make_anew(file);
	return r < 0 ? r : put_once(file, entry);
}

static int put_once(struct outbox_file *file, struct outbox_entry *entry)
{
	uint64_t seq;
	int r;

	r = take_place(file, &seq);
	if (r < 0)
		return r;
	file->open_writes++;
	entry->seq = seq;
	if (entry->source == 0) {
		entry->source = file->source;
		entry->number = seq;
		entry->kind = OUTBOX_KIND_FILE;
	}
	return put_row(file, entry, entry->died_ms ? OUTBOX_TABLE_DEAD : OUTBOX_TABLE_WAITING);
}

int outbox_file_delete(struct outbox_file *file, uint64_t seq, bool dead)
{
	uint64_t key = htobe64(seq);

	file->open_writes++;
	return kv_delete(file->kv, dead ? OUTBOX_TABLE_DEAD : OUTBOX_TABLE_WAITING,
			 (struct kv_bytes){ &key, sizeof(key) });
}

int outbox_file_bury(struct outbox_file *file, const struct outbox_entry *entry)
{
	int r;

	r = put_row(file, entry, OUTBOX_TABLE_DEAD);
	return r < 0 ? r : outbox_file_delete(file, entry->seq, false);
}

int outbox_file_revive(struct outbox_file *file, struct outbox_entry *entry)
{
	int r;

	r = outbox_file_delete(file, entry->seq, true);
	if (r < 0)
		return r;
	/* Its number may lie behind the cursor by now, so that it would count as written. */
	entry->source = (random_u64() >> 1) | 1;
	entry->number = 1;
	entry->kind = OUTBOX_KIND_TOKEN;
	entry->flags &= (uint8_t)~OUTBOX_ENTRY_IMPORTED;
	entry->died_ms = 0;
	entry->tries = 0;
	entry->error = 0;
	entry->reason[0] = '\0';
	entry->created_ms = clock_wall_ms();
	return outbox_file_put(file, entry);
}

int outbox_file_commit(struct outbox_file *file)
{
	int r = kv_commit(file->kv);

	file->open_writes = 0;
	if (r < 0)
		file->reserved = file->next; /* what was reserved in it is not; the places used are not used again */
	return r;
}

void outbox_file_cancel(struct outbox_file *file)
{
	kv_cancel(file->kv);
	kv_take_lost(file->kv);
	file->reserved = file->next;
	file->open_writes = 0;
}

bool outbox_file_is_deleted(const struct outbox_file *file)
{
	return kv_is_deleted(file->kv);
}

uint64_t outbox_file_next(const struct outbox_file *file)
{
	return file->next;
}
