/* Rows {event, step} -> {head, body} in one LMDB table, each with a checksum over key and value: LMDB has none, and
 * what can't be trusted must not decide whether something is done twice. Run on the loop; must not keep anything of a
 * request but what stands in the header: tokens never get here. */
#include "shard/events/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/crc32c.h"
#include "shared/base/errors.h"
#include "shared/discord/discord_time.h"
#include "shared/kv/kv.h"
#include "shared/log/log.h"

#define PATH_SIZE       400
#define ROW_VERSION     1
#define ROUTE_NAME_SIZE 32
#define TARGET_PATH_MAX 4096
#define SWEEP_ROWS      256
#define EVENT_ROWS      64 /* marked at a time */
/* New rows get a third of the map: pages are half empty at worst, results must find room when intents do not any more,
 * and so must the copies that LMDB makes of a page to delete from it. */
#define NEW_SHARE 3
#define ROW_COST  16 /* LMDB's own, about */

enum { TABLE_ROWS, TABLE_META };
static const char *const table_names[] = { "rows", "meta" };

/* Keys of the second table. */
static const char meta_opened[] = "opened"; /* boottime of the last opening */
static const char meta_doubt[] = "doubt";   /* boottime at which rows may have been lost */

#define KEY_SIZE (sizeof(struct event_key) + sizeof(uint32_t))

struct key {
	unsigned char bytes[KEY_SIZE];
};

enum { FLAG_MAYBE_DONE = 1 << 0, FLAG_HANDLED = 1 << 1 };

/* Stored as it is, then the body. The route by name: numbers move when a route is added. */
struct head {
	uint32_t crc; /* of the key, and of all behind this word */
	uint16_t version;
	uint8_t state;
	uint8_t flags;
	int64_t wall_ms;
	uint64_t boot_ns;
	uint64_t handled_ns;
	uint64_t target;
	uint64_t created_id;
	int32_t error;
	uint32_t http_status;
	uint32_t discord_code;
	uint32_t body_len;
	char route[ROUTE_NAME_SIZE];
};
_Static_assert(sizeof(struct head) == 96, "no padding: it is checksummed and stored");

struct journal {
	struct kv *kv;
	char path[PATH_SIZE];
	size_t rows, bytes; /* as stored; what LMDB makes of it is up to twice as much */
	size_t bytes_max;   /* no new row beyond */
	struct key sweep_at;
	bool doubtful;
	bool dirty;                  /* handled marks that wait for the sweep's commit */
	char body[JOURNAL_BODY_MAX]; /* of the last journal_get() */
};

/* --- rows
 * ------------------------------------------------------------------------------------------------------------- */

static struct key key_of(struct event_key event, uint32_t step)
{
	struct key key;

	memcpy(key.bytes, &event, sizeof(event));
	memcpy(key.bytes + sizeof(event), &step, sizeof(step));
	return key;
}

static struct kv_bytes key_bytes(const struct key *key)
{
	return (struct kv_bytes){ key->bytes, KEY_SIZE };
}

static size_t bytes_of(const struct head *head)
{
	return KEY_SIZE + sizeof(*head) + head->body_len + ROW_COST;
}

static uint32_t checksum(const void *key, const struct head *head, const void *body)
{
	uint32_t crc = crc32c(0, key, KEY_SIZE);

	crc = crc32c(crc, (const char *)head + sizeof(head->crc), sizeof(*head) - sizeof(head->crc));
	return crc32c(crc, body, head->body_len);
}

/* Copies the head out (values in the map are not aligned) and checks everything. */
static bool read_head(struct kv_bytes key, struct kv_bytes value, struct head *ret_head)
{
	if (key.len != KEY_SIZE || value.len < sizeof(*ret_head))
		return false;
	memcpy(ret_head, value.ptr, sizeof(*ret_head));
	return ret_head->version == ROW_VERSION && ret_head->body_len <= JOURNAL_BODY_MAX &&
	       value.len == sizeof(*ret_head) + ret_head->body_len && ret_head->state >= JOURNAL_INTENT &&
	       ret_head->state <= JOURNAL_UNKNOWN && memchr(ret_head->route, '\0', ROUTE_NAME_SIZE) &&
	       ret_head->crc == checksum(key.ptr, ret_head, (const char *)value.ptr + sizeof(*ret_head));
}

static int write_row(struct journal *journal, const struct key *key, struct head *head, const char *body)
{
	char value[sizeof(*head) + JOURNAL_BODY_MAX];

	head->version = ROW_VERSION;
	head->crc = checksum(key->bytes, head, body);
	memcpy(value, head, sizeof(*head));
	if (head->body_len > 0)
		memcpy(value + sizeof(*head), body, head->body_len);
	return kv_put(journal->kv, TABLE_ROWS, key_bytes(key),
		      (struct kv_bytes){ value, sizeof(*head) + head->body_len });
}

/* -ENOENT, -SHOAL_EDAMAGED. *ret_body lies in the map. */
static int find(struct journal *journal, const struct key *key, struct head *ret_head, const char **ret_body)
{
	struct kv_bytes value;
	int r;

	r = kv_get(journal->kv, TABLE_ROWS, key_bytes(key), &value);
	if (r < 0)
		return r;
	if (!read_head(key_bytes(key), value, ret_head))
		return -SHOAL_EDAMAGED;
	*ret_body = (const char *)value.ptr + sizeof(*ret_head);
	return 0;
}

/* --- opening
 * ---------------------------------------------------------------------------------------------------------- */

static int file_path(const struct journal *journal, const char *name, char path[PATH_SIZE + 32])
{
	return snprintf(path, PATH_SIZE + 32, "%s/%s", journal->path, name);
}

static bool has_file(const struct journal *journal, const char *name)
{
	char path[PATH_SIZE + 32];

	file_path(journal, name, path);
	return access(path, F_OK) == 0;
}

static void remove_file(const struct journal *journal, const char *name)
{
	char path[PATH_SIZE + 32];

	file_path(journal, name, path);
	unlink(path);
}

/* Stands while the rows are read for the first time: a scribbled tree may kill us there, and the next worker must not
 * read it again. */
static const char mark_name[] = "checking";

static int set_mark(const struct journal *journal)
{
	char path[PATH_SIZE + 32];
	int fd;

	file_path(journal, mark_name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Its address says whose file is touched. */
static const char kv_owner[] = "journal";

bool journal_is_touched(void)
{
	return kv_touched() == kv_owner;
}

static int open_files(struct journal *journal, const struct journal_options *options, bool *ret_fresh)
{
	struct kv_options kv = { .path = journal->path,
				 .map_bytes = (size_t)options->max_mib << 20,
				 .flags = KV_VOLATILE | KV_ALONE,
				 .tables = table_names,
				 .table_count = ARRAY_SIZE(table_names),
				 .owner = kv_owner };

	return kv_open(&kv, ret_fresh, &journal->kv);
}

static void drop_files(struct journal *journal)
{
	journal->kv = kv_close(journal->kv);
	remove_file(journal, "data.mdb");
	remove_file(journal, "lock.mdb");
}

static int check_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct journal *journal = arg;
	struct head head;

	if (!read_head(key, value, &head))
		return -SHOAL_EDAMAGED;
	journal->rows++;
	journal->bytes += bytes_of(&head);
	return 0;
}

static int put_time(struct journal *journal, const char *name, uint64_t boot_ns)
{
	return kv_put(journal->kv, TABLE_META, (struct kv_bytes){ name, strlen(name) },
		      (struct kv_bytes){ &boot_ns, sizeof(boot_ns) });
}

static uint64_t get_time(struct journal *journal, const char *name)
{
	struct kv_bytes value;
	uint64_t boot_ns = 0;

	if (kv_get(journal->kv, TABLE_META, (struct kv_bytes){ name, strlen(name) }, &value) == 0 &&
	    value.len == sizeof(boot_ns))
		memcpy(&boot_ns, value.ptr, sizeof(boot_ns));
	return boot_ns;
}

/* A write that is tried at opening: on a full disk what is there can still be read, and new intents are refused. */
static int try_write(struct journal *journal, const char *name, uint64_t boot_ns)
{
	int r;

	r = put_time(journal, name, boot_ns);
	if (r == 0)
		r = kv_commit(journal->kv);
	return r == -ENOSPC ? 0 : r;
}

/* Reads every row, and writes once, so that a scribbled tree shows itself here and not in a handler. */
static int check_all(struct journal *journal)
{
	int r;

	journal->rows = journal->bytes = 0;
	r = set_mark(journal);
	if (r == 0 || r == -ENOSPC)
		r = kv_each(journal->kv, TABLE_ROWS, check_row, journal);
	if (r == 0)
		r = try_write(journal, meta_opened, clock_boottime_ns());
	remove_file(journal, mark_name);
	return r;
}

static int open_checked(struct journal *journal, const struct journal_options *options, struct journal_found *found)
{
	bool existed, fresh;
	int r;

	if (options->failed || (options->crashed && has_file(journal, mark_name))) {
		drop_files(journal);
		found->damaged = true;
	}
	existed = has_file(journal, "data.mdb");
	r = open_files(journal, options, &fresh);
	if (r < 0)
		return r;
	found->damaged |= existed && fresh;
	r = check_all(journal);
	if (r == -SHOAL_EDAMAGED || r == -EIO || r == -EINVAL) {
		drop_files(journal);
		found->damaged = fresh = true;
		r = open_files(journal, options, &fresh);
		if (r == 0)
			r = check_all(journal);
	}
	found->fresh = fresh;
	found->rows = journal->rows;
	return r;
}

int journal_open(const struct journal_options *options, struct journal_found *ret_found, struct journal **ret_journal)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	struct journal_found found = { 0 };
	int r;

	if (!journal)
		return -ENOMEM;
	if (snprintf(journal->path, sizeof(journal->path), "%s/journal-%u-%u", options->runtime_dir,
		     options->generation, options->shard_id) >= (int)sizeof(journal->path)) {
		free(journal);
		return -ENAMETOOLONG;
	}
	journal->bytes_max = ((size_t)options->max_mib << 20) / NEW_SHARE;
	r = open_checked(journal, options, &found);
	if (r == 0 && found.fresh)
		r = try_write(journal, meta_doubt, clock_boottime_ns());
	if (r < 0) {
		journal_close(journal);
		return r;
	}
	journal->doubtful = found.fresh || get_time(journal, meta_doubt) != 0;
	kv_commit(journal->kv);
	*ret_found = found;
	*ret_journal = journal;
	return 0;
}

struct journal *journal_close(struct journal *journal)
{
	if (!journal)
		return NULL;
	kv_close(journal->kv);
	free(journal);
	return NULL;
}

/* --- reading and writing
 * ---------------------------------------------------------------------------------------------- */

int journal_get(struct journal *journal, struct event_key event, uint32_t step, struct journal_row *ret_row)
{
	struct key key = key_of(event, step);
	struct head head;
	const char *body = NULL;
	int r, route;

	r = find(journal, &key, &head, &body);
	if (r == 0) {
		memcpy(journal->body, body, head.body_len);
		route = route_find(head.route);
		*ret_row = (struct journal_row){ .state = (enum journal_state)head.state,
						 .route = route < 0 ? ROUTE_NONE : (enum route)route,
						 .target = head.target,
						 .wall_ms = head.wall_ms,
						 .boot_ns = head.boot_ns,
						 .error = head.error,
						 .http_status = head.http_status,
						 .discord_code = head.discord_code,
						 .maybe_done = head.flags & FLAG_MAYBE_DONE,
						 .created_id = head.created_id,
						 .body = head.body_len ? journal->body : NULL,
						 .body_len = head.body_len };
	}
	kv_commit(journal->kv); /* nothing of ours was written: it ends the reading */
	return r;
}

static void name_route(struct head *head, enum route route)
{
	memset(head->route, 0, sizeof(head->route));
	if (route != ROUTE_NONE)
		snprintf(head->route, sizeof(head->route), "%s", route_rows[route].name);
}

/* The row as it is, or a new one with the time of now. *ret_bytes: what it took until now, 0 for a new one. -ENOSPC: no
 * new ones. */
static int find_or_begin(struct journal *journal, const struct key *key, struct head *ret_head, size_t *ret_bytes)
{
	const char *body;

	if (find(journal, key, ret_head, &body) == 0) {
		*ret_bytes = bytes_of(ret_head);
		return 0;
	}
	if (journal->bytes >= journal->bytes_max) {
		kv_commit(journal->kv);
		return -ENOSPC;
	}
	*ret_head = (struct head){ .wall_ms = discord_time_ms(), .boot_ns = clock_boottime_ns() };
	*ret_bytes = 0;
	return 0;
}

/* One row, one commit. @before: find_or_begin()'s bytes. */
static int put(struct journal *journal, const struct key *key, struct head *head, const char *body, size_t before)
{
	int r;

	r = write_row(journal, key, head, body);
	if (r == 0)
		r = kv_commit(journal->kv);
	if (r < 0)
		return r;
	journal->rows += before == 0;
	journal->bytes += bytes_of(head) - before;
	return 0;
}

int journal_intend(struct journal *journal, struct event_key event, uint32_t step, enum route route, uint64_t target)
{
	struct key key = key_of(event, step);
	struct head head;
	size_t before;
	int r;

	r = find_or_begin(journal, &key, &head, &before);
	if (r < 0)
		return r;
	head.state = JOURNAL_INTENT;
	head.flags = 0;
	head.target = target;
	head.body_len = 0;
	name_route(&head, route);
	return put(journal, &key, &head, NULL, before);
}

int journal_withdraw(struct journal *journal, struct event_key event, uint32_t step)
{
	struct key key = key_of(event, step);
	struct head head;
	const char *body;
	int r;

	r = find(journal, &key, &head, &body);
	if (r < 0 || head.state != JOURNAL_INTENT) {
		kv_commit(journal->kv);
		return r == -ENOENT ? 0 : r;
	}
	r = kv_delete(journal->kv, TABLE_ROWS, key_bytes(&key));
	if (r == 0)
		r = kv_commit(journal->kv);
	if (r < 0)
		return r;
	journal->rows--;
	journal->bytes -= bytes_of(&head);
	return 0;
}

int journal_conclude(struct journal *journal, struct event_key event, uint32_t step, const struct journal_row *row)
{
	struct key key = key_of(event, step);
	bool keep_body = row->body && row->body_len <= JOURNAL_BODY_MAX;
	struct head head;
	size_t before;
	int r;

	r = find_or_begin(journal, &key, &head, &before);
	if (r < 0)
		return r;
	head.state = (uint8_t)row->state;
	head.flags = row->maybe_done ? FLAG_MAYBE_DONE : 0;
	head.target = row->target;
	head.created_id = row->created_id;
	head.error = row->error;
	head.http_status = row->http_status;
	head.discord_code = row->discord_code;
	head.body_len = keep_body ? row->body_len : 0;
	name_route(&head, row->route);
	return put(journal, &key, &head, row->body, before);
}

/* --- going
 * ------------------------------------------------------------------------------------------------------------ */

struct event_rows {
	struct event_key event;
	struct key keys[EVENT_ROWS];
	struct head heads[EVENT_ROWS];
	size_t count;
};

static int collect_event_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct event_rows *rows = arg;
	struct head head;

	if (key.len != KEY_SIZE || memcmp(key.ptr, &rows->event, sizeof(rows->event)) != 0 || rows->count == EVENT_ROWS)
		return 1;
	if (!read_head(key, value, &head) || (head.flags & FLAG_HANDLED))
		return 0;
	memcpy(rows->keys[rows->count].bytes, key.ptr, KEY_SIZE);
	rows->heads[rows->count++] = head;
	return 0;
}

static int mark_rows(struct journal *journal, struct event_key event, size_t *ret_count)
{
	struct event_rows rows = { .event = event };
	struct key from = key_of(event, 0);
	size_t i;
	int r;

	r = kv_each_from(journal->kv, TABLE_ROWS, key_bytes(&from), collect_event_row, &rows);
	if (r > 0)
		r = 0;
	for (i = 0; r == 0 && i < rows.count; i++) {
		rows.heads[i].flags |= FLAG_HANDLED;
		rows.heads[i].handled_ns = clock_boottime_ns();
		journal->bytes -= rows.heads[i].body_len;
		rows.heads[i].body_len = 0;
		r = write_row(journal, &rows.keys[i], &rows.heads[i], NULL);
	}
	*ret_count = rows.count;
	return r;
}

void journal_handled(struct journal *journal, struct event_key event)
{
	size_t count;
	int r;

	do {
		r = mark_rows(journal, event, &count);
	} while (r == 0 && count == EVENT_ROWS);
	journal->dirty = true;
	if (r < 0) /* they stay until they are old */
		log_warn(NULL, "journal.mark_failed", KV_ERR(r));
}

/* --- taken along
 * ------------------------------------------------------------------------------------------------------ */

struct export
{
	struct event_key event;
	struct buf *out;
};

/* {step, length, value} as it is stored. */
static int export_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct export *export = arg;
	uint32_t step, len = (uint32_t)value.len;
	struct head head;
	int r;

	if (key.len != KEY_SIZE || memcmp(key.ptr, &export->event, sizeof(export->event)) != 0)
		return 1;
	if (!read_head(key, value, &head))
		return 0;
	memcpy(&step, (const char *)key.ptr + sizeof(export->event), sizeof(step));
	r = buf_reserve(export->out, sizeof(step) + sizeof(len) + len);
	if (r < 0)
		return r;
	buf_append(export->out, &step, sizeof(step));
	buf_append(export->out, &len, sizeof(len));
	return buf_append(export->out, value.ptr, len);
}

int journal_export(struct journal *journal, struct event_key event, struct buf *out)
{
	struct export export = { event, out };
	struct key from = key_of(event, 0);
	size_t before = out->len;
	int r;

	r = kv_each_from(journal->kv, TABLE_ROWS, key_bytes(&from), export_row, &export);
	kv_commit(journal->kv);
	if (r >= 0)
		return 0;
	out->len = before;
	return r;
}

/* One row from *rows on; 0 at the end. */
static int next_row(const char **rows, size_t *len, struct event_key event, struct key *ret_key, struct head *ret_head,
		    const char **ret_body)
{
	uint32_t step, value_len;

	if (*len == 0)
		return 0;
	if (*len < sizeof(step) + sizeof(value_len))
		return -SHOAL_EDAMAGED;
	memcpy(&step, *rows, sizeof(step));
	memcpy(&value_len, *rows + sizeof(step), sizeof(value_len));
	*rows += sizeof(step) + sizeof(value_len);
	*len -= sizeof(step) + sizeof(value_len);
	if (value_len > *len)
		return -SHOAL_EDAMAGED;
	*ret_key = key_of(event, step);
	if (!read_head(key_bytes(ret_key), (struct kv_bytes){ *rows, value_len }, ret_head))
		return -SHOAL_EDAMAGED;
	*ret_body = *rows + sizeof(*ret_head);
	*rows += value_len;
	*len -= value_len;
	return 1;
}

static int import_row(struct journal *journal, const struct key *key, struct head *head, const char *body,
		      bool same_boot)
{
	const char *old_body;
	struct head old;
	size_t before = 0;

	if (find(journal, key, &old, &old_body) == 0)
		before = bytes_of(&old);
	head->flags &= (uint8_t)~FLAG_HANDLED;
	if (!same_boot)
		head->boot_ns = UINT64_MAX;
	return put(journal, key, head, body, before);
}

int journal_import(struct journal *journal, struct event_key event, const char *rows, size_t len, bool same_boot)
{
	const char *at = rows, *body;
	size_t left = len;
	struct head head;
	struct key key;
	int r;

	while ((r = next_row(&at, &left, event, &key, &head, &body)) > 0)
		;
	at = rows;
	left = len;
	while (r >= 0 && (r = next_row(&at, &left, event, &key, &head, &body)) > 0)
		r = import_row(journal, &key, &head, body, same_boot);
	return r;
}

struct sweep {
	uint64_t now_ns;
	size_t seen, count, bytes;
	struct key last;
	struct key gone[SWEEP_ROWS];
};

static bool is_over(const struct head *head, uint64_t now_ns)
{
	if (head->flags & FLAG_HANDLED)
		return now_ns > head->handled_ns && now_ns - head->handled_ns > JOURNAL_KEEP_NS;
	return now_ns > head->boot_ns && now_ns - head->boot_ns > JOURNAL_AGE_MAX_NS;
}

static int sweep_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct sweep *sweep = arg;
	struct head head;

	if (sweep->seen == SWEEP_ROWS || key.len != KEY_SIZE)
		return 1;
	sweep->seen++;
	memcpy(sweep->last.bytes, key.ptr, KEY_SIZE);
	if (read_head(key, value, &head) && is_over(&head, sweep->now_ns)) {
		memcpy(sweep->gone[sweep->count++].bytes, key.ptr, KEY_SIZE);
		sweep->bytes += bytes_of(&head);
	}
	return 0;
}

size_t journal_sweep(struct journal *journal)
{
	struct sweep sweep = { .now_ns = clock_boottime_ns() };
	size_t i;
	int r;

	if (journal->rows == 0 && !journal->dirty)
		return 0;
	r = kv_each_from(journal->kv, TABLE_ROWS, key_bytes(&journal->sweep_at), sweep_row, &sweep);
	for (i = 0; r >= 0 && i < sweep.count; i++)
		r = kv_delete(journal->kv, TABLE_ROWS, key_bytes(&sweep.gone[i]));
	if (r >= 0)
		r = kv_commit(journal->kv);
	if (r < 0) {
		log_warn(NULL, "journal.sweep_failed", KV_ERR(r));
		return 0;
	}
	journal->dirty = false;
	journal->rows -= sweep.count;
	journal->bytes -= sweep.bytes;
	/* At the end of the table it begins anew. */
	journal->sweep_at = sweep.seen < SWEEP_ROWS ? (struct key){ 0 } : sweep.last;
	return sweep.count;
}

size_t journal_rows(const struct journal *journal)
{
	return journal->rows;
}

bool journal_is_doubtful(const struct journal *journal)
{
	return journal->doubtful;
}

void journal_trust(struct journal *journal)
{
	int r;

	if (!journal->doubtful)
		return;
	r = kv_delete(journal->kv, TABLE_META, (struct kv_bytes){ meta_doubt, strlen(meta_doubt) });
	if (r == 0)
		r = kv_commit(journal->kv);
	if (r < 0)
		log_warn(NULL, "journal.trust_failed", KV_ERR(r));
	journal->doubtful = false;
}

uint64_t journal_target(enum route route, const struct route_args *args)
{
	CLEANUP(buf_finish) struct buf path = { .max = TARGET_PATH_MAX };
	uint64_t hash = UINT64_C(14695981039346656037);
	size_t i;

	/* FNV-1a: it tells our own requests apart, and there is no adversary. */
	if (route_path(route, args, &path) < 0)
		return 0;
	hash = (hash ^ (unsigned char)route_rows[route].method) * UINT64_C(1099511628211);
	for (i = 0; i < path.len; i++)
		hash = (hash ^ (unsigned char)path.data[i]) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}
