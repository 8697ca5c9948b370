/* Stage, store and an index of both in memory. The index says of every letter where it is: staged (in the stage),
 * moving (a copy is on its way to the store), stored (durable). A row is deleted from the stage only when the very
 * bytes that it holds have come back as durable. Run on the loop; must not call anything that waits for a disk. */
#include "shard/events/parked.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>
#include <utlist.h>

#include "shard/events/parked_stage.h"
#include "shared/base/boot_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define PATH_SIZE       4400
#define OPEN_WAIT_MS    1500              /* at the start, for a store that is there */
#define RETRY_NS        (5 * NS_PER_S)    /* of a store or a stage that is away */
#define MOVING_MAX      (4 * 1024 * 1024) /* bytes on their way to the store */
#define HANGS_NS        (10 * NS_PER_S)   /* a disk that has said nothing for so long is away */
#define SCRATCH_KEEP    (64 * 1024)
#define TOKENS_EVERY_NS (10 * NS_PER_S)
#define AGES_EVERY_NS   (600 * NS_PER_S)
#define TELL_EVERY_NS   (10 * NS_PER_S)
#define PAGE_BYTES      4096
#define DAY_MS          (24ULL * 3600 * 1000)

enum store_state {
	STORE_NONE,    /* nothing is there, nothing was wanted */
	STORE_OPENING, /* asked for */
	STORE_OPEN,
	STORE_AWAY, /* it failed; tried again at retry_ns */
};

struct entry {
	struct parked_head head;
	bool staged, moving, stored;
	bool begun;  /* told to the stage */
	bool erased; /* its rows are gone on its member's wish; whoever comes for it is told */
	bool queued; /* in the list of what is to be moved */
	uint64_t serial;
	UT_hash_handle hh;
	struct entry *prev, *next;
};

struct parked {
	struct loop *loop;
	struct parked_options options;
	char *runtime_dir;
	struct parked_stage *stage; /* NULL: away */
	struct parked_store *store;
	uv_async_t wake;
	struct entry *entries[LETTER_TABLE_COUNT];
	struct entry *queue;
	struct buf scratch;
	enum store_state store_state;
	uint64_t retry_ns, tokens_ns, ages_ns;
	uint64_t progress_ns; /* when the store last gave something back, or began */
	size_t outstanding;   /* jobs that it has */
	size_t moving_bytes, dead_bytes;
	size_t counts[LETTER_TABLE_COUNT];
	uint64_t dropped_told_ns;
	uint64_t serial, dropped, dropped_untold;
	bool away_told, stage_told;
	bool opened; /* parked_open() has returned */
	bool closing;
};

static int take_done(struct parked *parked);
static void pump(struct parked *parked);

/* --- the index
 * -------------------------------------------------------------------------------------------------------- */

static struct entry *find(const struct parked *parked, enum letter_table table, struct letter_key key)
{
	struct entry *entry;

	HASH_FIND(hh, parked->entries[table], &key, sizeof(key), entry);
	return entry;
}

/* What LMDB makes of a row, about: pages that are half empty, pages of their own. */
static size_t cost_of(size_t row_len)
{
	return row_len < PAGE_BYTES / 2 ? 2 * row_len : (row_len / PAGE_BYTES + 2) * PAGE_BYTES;
}

static void count_entry(struct parked *parked, const struct entry *entry, int by)
{
	parked->counts[entry->head.table] += (size_t)by;
	if (entry->head.table == LETTER_DEAD)
		parked->dead_bytes += (size_t)by * cost_of(entry->head.len);
}

/* The entry of @head's key, made if need be; it says what @head says from now on. NULL: no memory. */
static struct entry *note(struct parked *parked, const struct parked_head *head)
{
	struct entry *entry = find(parked, head->table, head->key);

	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return NULL;
		entry->head = *head;
		HASH_ADD(hh, parked->entries[head->table], head.key, sizeof(head->key), entry);
	} else {
		if (!entry->erased)
			count_entry(parked, entry, -1);
		entry->head = *head;
		entry->erased = false;
	}
	count_entry(parked, entry, 1);
	return entry;
}

static void unqueue(struct parked *parked, struct entry *entry)
{
	if (entry->queued)
		DL_DELETE(parked->queue, entry);
	entry->queued = false;
}

static void queue(struct parked *parked, struct entry *entry)
{
	if (!entry->queued)
		DL_APPEND(parked->queue, entry);
	entry->queued = true;
}

static void forget(struct parked *parked, struct entry *entry)
{
	unqueue(parked, entry);
	if (!entry->erased)
		count_entry(parked, entry, -1);
	HASH_DEL(parked->entries[entry->head.table], entry);
	free(entry);
}

/* --- the store comes and goes
 * ----------------------------------------------------------------------------------------- */

static void tell_away(struct parked *parked, int error)
{
	if (!parked->away_told)
		log_error(NULL, "parked.away",
			  KV_MSG("parked events and dead letters can't be written to supervisor.state_dir (is it full, "
				 "read-only or missing? parked.max_mib); they are kept in the runtime directory "
				 "meanwhile, which a reboot empties"),
			  KV_STR("state_dir", parked->options.state_dir), KV_ERR(error),
			  KV_U64("waiting", parked->counts[LETTER_PARKED] + parked->counts[LETTER_DEAD]));
	parked->away_told = true;
}

static void tell_back(struct parked *parked)
{
	if (parked->away_told)
		log_info(NULL, "parked.back", KV_MSG("supervisor.state_dir takes parked events and dead letters again"),
			 KV_U64("waiting", parked->counts[LETTER_PARKED] + parked->counts[LETTER_DEAD]));
	parked->away_told = false;
}

static void store_failed(struct parked *parked, int error)
{
	parked->store_state = STORE_AWAY;
	parked->retry_ns = clock_monotonic_ns() + RETRY_NS;
	log_debug(NULL, "parked.failed", KV_ERR(error), KV_U64("outstanding", parked->outstanding));
	tell_away(parked, error);
}

static int give(struct parked *parked, struct parked_job *job)
{
	int r = parked_store_give(parked->store, job);

	if (r < 0) {
		store_failed(parked, r);
		return r;
	}
	if (parked->outstanding++ == 0)
		parked->progress_ns = clock_monotonic_ns();
	return 0;
}

static int give_simple(struct parked *parked, enum parked_op op, enum letter_table table, struct letter_key key)
{
	struct parked_job *job = parked_job_new(op);

	if (!job)
		return -ENOMEM;
	job->table = table;
	job->key = key;
	return give(parked, job);
}

static void open_store(struct parked *parked)
{
	if (parked->store_state == STORE_OPENING || parked->store_state == STORE_OPEN)
		return;
	parked->store_state = STORE_OPENING;
	if (give_simple(parked, PARKED_OPEN, 0, (struct letter_key){ 0, 0 }) == -ENOMEM)
		store_failed(parked, -ENOMEM);
}

/* Deletes that the store has not been told of, or that it could not do. */
static int tell_gone(void *arg, struct letter_key key, struct letter_state state)
{
	struct parked *parked = arg;

	if (state.flags & LETTER_STATE_GONE)
		give_simple(parked, PARKED_DELETE, LETTER_PARKED, key);
	if (state.flags & LETTER_STATE_DEAD_GONE)
		give_simple(parked, PARKED_DELETE, LETTER_DEAD, key);
	return 0;
}

static bool is_gone(struct parked *parked, const struct parked_head *head)
{
	static const uint32_t flags[] = { [LETTER_PARKED] = LETTER_STATE_GONE, [LETTER_DEAD] = LETTER_STATE_DEAD_GONE };

	return parked->stage && parked_stage_state(parked->stage, head->key).flags & flags[head->table];
}

/* A row of the store: known already, done already, or news. */
static void found_stored(struct parked *parked, const struct parked_head *head)
{
	struct entry *entry = find(parked, head->table, head->key);

	if (is_gone(parked, head))
		return; /* tell_gone() sees to it */
	if (entry) {
		entry->stored = true;
		return;
	}
	entry = note(parked, head);
	if (!entry)
		return;
	entry->stored = true;
	if (head->table == LETTER_PARKED && parked->opened && parked->options.late)
		parked->options.late(parked->options.arg, &entry->head);
}

static void store_opened(struct parked *parked, const struct parked_job *job)
{
	size_t i;

	parked->store_state = STORE_OPEN;
	if (job->found.damaged || job->found.unreadable > 0)
		log_error(NULL, "parked.damaged",
			  KV_MSG("parked events or dead letters on disk failed their checks; what could not be read is "
				 "lost (files that could not be read at all stand beside, named data.mdb.damaged)"),
			  KV_STR("state_dir", parked->options.state_dir), KV_BOOL("whole", job->found.damaged),
			  KV_U64("rows", job->found.unreadable));
	for (i = 0; i < job->head_count; i++)
		found_stored(parked, &job->heads[i]);
	if (parked->stage)
		parked_stage_each_state(parked->stage, tell_gone, parked);
	if (!parked->queue) /* else the first row that is written tells */
		tell_back(parked);
}

/* --- what comes back from the store
 * ----------------------------------------------------------------------------------- */

static void put_came_back(struct parked *parked, const struct parked_job *job)
{
	struct entry *entry = find(parked, job->table, job->key);

	parked->moving_bytes -= job->row.len;
	if (job->error < 0)
		store_failed(parked, job->error);
	else
		tell_back(parked);
	if (!entry || entry->erased)
		return; /* done meanwhile: its deletion is on its way behind this */
	entry->moving = false;
	entry->stored |= job->error == 0;
	if (job->error == 0 && entry->serial == job->serial && entry->staged &&
	    parked_stage_delete(parked->stage, job->table, job->key) == 0)
		entry->staged = false;
	if (entry->staged)
		queue(parked, entry);
}

static void delete_came_back(struct parked *parked, const struct parked_job *job)
{
	uint32_t flag = job->table == LETTER_DEAD ? LETTER_STATE_DEAD_GONE : LETTER_STATE_GONE;
	struct letter_state state;

	if (job->error < 0) { /* the mark stays, and the store is told again when it is back */
		store_failed(parked, job->error);
		return;
	}
	if (!parked->stage)
		return;
	state = parked_stage_state(parked->stage, job->key);
	state.flags &= ~flag;
	if (!find(parked, LETTER_PARKED, job->key) && !(state.flags & LETTER_STATE_DEAD_GONE))
		state = (struct letter_state){ .flags = state.flags & LETTER_STATE_GONE };
	parked_stage_set_state(parked->stage, job->key, state);
}

static void forget_came_back(struct parked *parked, const struct parked_job *job)
{
	size_t i;

	for (i = 0; job->error == 0 && i < job->head_count; i++) {
		struct entry *entry = find(parked, job->heads[i].table, job->heads[i].key);

		if (!entry || entry->erased)
			continue;
		if (entry->head.table == LETTER_PARKED) {
			count_entry(parked, entry, -1);
			unqueue(parked, entry);
			entry->erased = true;
			entry->stored = entry->staged = false;
		} else {
			forget(parked, entry);
		}
	}
}

struct erasure {
	parked_forget_fn fn;
	void *arg;
	size_t count;
};

static void job_came_back(struct parked *parked, struct parked_job *job)
{
	switch (job->op) {
	case PARKED_OPEN:
		if (job->error < 0)
			store_failed(parked, job->error);
		else
			store_opened(parked, job);
		break;
	case PARKED_PUT:
		put_came_back(parked, job);
		break;
	case PARKED_DELETE:
		delete_came_back(parked, job);
		break;
	case PARKED_FORGET:
		forget_came_back(parked, job);
		break;
	case PARKED_BLANK: /* what failed is tried again: the entry still has its flag */
	case PARKED_CALL:
		break;
	}
	if (job->op == PARKED_BLANK && job->error == 0) {
		struct entry *entry = find(parked, job->table, job->key);

		if (entry)
			entry->head.flags &= (uint16_t)~LETTER_TOKEN;
	}
	job->drop = NULL;
	if (job->done)
		job->done(job->arg, job->error, job);
}

/* How many came back. */
static int take_done(struct parked *parked)
{
	struct parked_job *job = parked_store_take(parked->store);
	int count = 0;

	parked->progress_ns = clock_monotonic_ns();
	while (job) {
		struct parked_job *next = job->next;

		parked->outstanding--;
		job_came_back(parked, job);
		parked_job_free(job);
		job = next;
		count++;
	}
	pump(parked);
	return count;
}

static void on_wake(uv_async_t *async)
{
	struct parked *parked = CONTAINER_OF(async, struct parked, wake);

	if (!parked->closing)
		take_done(parked);
}

/* On the helper thread. */
static void wake_loop(void *arg)
{
	uv_async_send(&((struct parked *)arg)->wake);
}

/* --- from the stage to the store
 * -------------------------------------------------------------------------------------- */

static int move(struct parked *parked, struct entry *entry)
{
	struct parked_job *job = parked_job_new(PARKED_PUT);
	size_t len;
	int r;

	if (!job)
		return -ENOMEM;
	job->table = entry->head.table;
	job->key = entry->head.key;
	job->serial = entry->serial;
	r = parked_stage_copy(parked->stage, job->table, job->key, &job->row);
	if (r < 0) {
		parked_job_free(job);
		return r;
	}
	len = job->row.len;
	r = give(parked, job);
	if (r < 0)
		return r;
	entry->moving = true;
	parked->moving_bytes += len;
	return 0;
}

static void pump(struct parked *parked)
{
	struct entry *entry;

	if (parked->closing || !parked->stage || !parked->queue)
		return;
	if (parked->store_state == STORE_NONE)
		open_store(parked);
	while (parked->store_state == STORE_OPEN && parked->moving_bytes < MOVING_MAX && (entry = parked->queue)) {
		unqueue(parked, entry);
		if (!entry->staged || entry->moving)
			continue;
		if (move(parked, entry) < 0) {
			queue(parked, entry);
			break;
		}
	}
}

/* --- opening
 * ---------------------------------------------------------------------------------------------------------- */

struct staged {
	enum letter_table table;
	struct parked_head *heads;
	size_t count, cap;
};

static int collect_staged(void *arg, const struct letter *letter, size_t len)
{
	struct staged *staged = arg;

	if (staged->count == staged->cap) {
		size_t cap = staged->cap ? staged->cap * 2 : 64;
		struct parked_head *heads = reallocarray(staged->heads, cap, sizeof(*heads));

		if (!heads)
			return -ENOMEM;
		staged->heads = heads;
		staged->cap = cap;
	}
	parked_head_of(letter, staged->table, len, &staged->heads[staged->count++]);
	return 0;
}

/* The stage's rows into the index. */
static int index_stage(struct parked *parked)
{
	struct staged staged = { 0 };
	size_t i;
	int r = 0;

	for (staged.table = 0; r == 0 && staged.table < LETTER_TABLE_COUNT; staged.table++)
		r = parked_stage_each(parked->stage, staged.table, collect_staged, &staged);
	for (i = 0; r == 0 && i < staged.count; i++) {
		struct entry *entry;

		if (is_gone(parked, &staged.heads[i]))
			continue;
		entry = note(parked, &staged.heads[i]);
		if (!entry) {
			r = -ENOMEM;
			break;
		}
		entry->staged = true;
		entry->serial = ++parked->serial;
		queue(parked, entry);
		if (entry->head.table == LETTER_PARKED && parked->opened && parked->options.late)
			parked->options.late(parked->options.arg, &entry->head);
	}
	free(staged.heads);
	return r;
}

static void tell_stage(const struct parked *parked, const struct parked_stage_found *found)
{
	if (found->damaged || found->unreadable > 0)
		log_error(
			NULL, "parked.stage_damaged",
			KV_MSG("events that were kept in the runtime directory failed their checks; what could not be "
			       "read is lost"),
			KV_BOOL("whole", found->damaged), KV_U64("rows", found->unreadable));
	if (found->adopted > 0 || found->adopt_error < 0)
		log_info(NULL, "parked.adopted",
			 KV_MSG("parked events and dead letters of the version before were taken over"),
			 KV_U64("rows", found->adopted), KV_ERR(found->adopt_error),
			 KV_U64("shard", parked->options.shard_id));
}

static int open_stage(struct parked *parked)
{
	struct parked_stage_options options = { .runtime_dir = parked->runtime_dir,
						.generation = parked->options.generation,
						.shard_id = parked->options.shard_id,
						.max_mib = parked->options.stage_max_mib,
						.crashed = parked->options.crashed };
	struct parked_stage_found found;
	int r;

	r = parked_stage_open(&options, &found, &parked->stage);
	if (r == 0) {
		tell_stage(parked, &found);
		r = index_stage(parked);
		parked->stage_told = false;
		return r;
	}
	if (!parked->stage_told)
		log_error(NULL, "parked.no_stage",
			  KV_MSG("there is no room in the runtime directory to keep events that must leave the inbox: "
				 "they are refused until there is"),
			  KV_STR("runtime_dir", parked->runtime_dir), KV_ERR(r));
	parked->stage_told = true;
	parked->retry_ns = clock_monotonic_ns() + RETRY_NS;
	return r == -ENOMEM || r == -ENAMETOOLONG ? r : 0;
}

static int make_store(struct parked *parked)
{
	char path[PATH_SIZE];
	struct parked_store_options options = { .path = path,
						.map_bytes = (size_t)parked->options.store_max_mib << 20,
						.crashed = parked->options.crashed,
						.wake = wake_loop,
						.arg = parked };
	int r;

	r = letter_store_path(parked->options.state_dir, parked->options.generation, parked->options.shard_id, path,
			      sizeof(path));
	return r < 0 ? r : parked_store_new(&options, &parked->store);
}

/* What lies there comes before what the inbox has; a disk that hangs must not keep the shard from serving, though. */
static void await_store(struct parked *parked)
{
	uint64_t until_ns = clock_monotonic_ns() + OPEN_WAIT_MS * NS_PER_MS, now_ns;

	if (!parked_store_exists(parked->store))
		return;
	open_store(parked);
	while (parked->store_state == STORE_OPENING && (now_ns = clock_monotonic_ns()) < until_ns) {
		if (parked_store_wait(parked->store, (until_ns - now_ns) / NS_PER_MS + 1))
			take_done(parked);
	}
	if (parked->store_state == STORE_OPENING)
		log_warn(NULL, "parked.slow",
			 KV_MSG("supervisor.state_dir is slow to open; parked events on it are taken up when it has"),
			 KV_STR("state_dir", parked->options.state_dir));
}

/* Shards of another count had other guilds: what they left is nobody's here. Said by one of us. */
static void tell_left_behind(const struct parked *parked)
{
	DIR *dir = parked->options.shard_id == 0 ? opendir(parked->options.state_dir) : NULL;
	uint32_t generation, shard_id, count = 0;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		count += letter_parse_store_name(entry->d_name, &generation, &shard_id) &&
			 generation != parked->options.generation;
	if (dir)
		closedir(dir);
	if (count > 0)
		log_warn(
			NULL, "parked.left_behind",
			KV_MSG("shards of an earlier shard count left parked events or dead letters, which no shard of "
			       "this one takes up; shoalctl dead-letters list shows the latter. Remove the folders "
			       "letters-<generation>-<shard> when they are of no use any more"),
			KV_STR("state_dir", parked->options.state_dir), KV_U64("folders", count));
}

int parked_open(struct loop *loop, const struct parked_options *options, struct parked **ret_parked)
{
	struct parked *parked = calloc(1, sizeof(*parked));
	int r;

	if (!parked)
		return -ENOMEM;
	parked->loop = loop;
	parked->options = *options;
	buf_init(&parked->scratch, SIZE_MAX / 2);
	parked->runtime_dir = strdup(options->runtime_dir);
	parked->options.state_dir = strdup(options->state_dir);
	parked->options.runtime_dir = NULL;
	r = parked->runtime_dir && parked->options.state_dir ? make_store(parked) : -ENOMEM;
	if (r == 0)
		r = open_stage(parked);
	if (r == 0)
		r = uv_async_init(&loop->uv, &parked->wake, on_wake);
	if (r < 0) {
		parked_close(parked);
		return r;
	}
	uv_unref((uv_handle_t *)&parked->wake);
	await_store(parked);
	tell_left_behind(parked);
	parked->opened = true;
	pump(parked);
	*ret_parked = parked;
	return 0;
}

void parked_closing(struct parked *parked)
{
	if (!parked || parked->closing)
		return;
	parked->closing = true;
	/* No wake comes from here on: the thread is gone, or has been told to keep still. */
	parked->store = parked_store_free(parked->store);
	uv_close((uv_handle_t *)&parked->wake, NULL);
}

struct parked *parked_close(struct parked *parked)
{
	struct entry *entry, *next;
	size_t table;

	if (!parked)
		return NULL;
	parked_store_free(parked->store);
	parked_stage_close(parked->stage);
	for (table = 0; table < LETTER_TABLE_COUNT; table++) {
		HASH_ITER (hh, parked->entries[table], entry, next) {
			HASH_DEL(parked->entries[table], entry);
			free(entry);
		}
	}
	buf_finish(&parked->scratch);
	free((char *)parked->options.state_dir);
	free(parked->runtime_dir);
	free(parked);
	return NULL;
}

/* --- keeping
 * ---------------------------------------------------------------------------------------------------------- */

static int keep(struct parked *parked, enum letter_table table, const struct letter *letter, struct entry **ret_entry)
{
	CLEANUP(buf_finish) struct buf row = { .max = SIZE_MAX / 2 };
	struct parked_head head;
	struct entry *entry;
	int r;

	if (!parked->stage)
		return -ENOSPC;
	r = letter_write(letter, &row);
	if (r == 0)
		r = parked_stage_put(parked->stage, table, letter_key_make(letter->session, letter->sequence), &row);
	if (r < 0)
		return r;
	parked_head_of(letter, table, row.len, &head);
	entry = note(parked, &head);
	if (!entry) {
		parked_stage_delete(parked->stage, table, head.key);
		return -ENOMEM;
	}
	entry->staged = true;
	entry->serial = ++parked->serial;
	queue(parked, entry);
	*ret_entry = entry;
	return 0;
}

static struct letter stamped(const struct letter *letter)
{
	struct letter copy = *letter;

	copy.wall_ms = clock_wall_ms();
	copy.boot_ns = clock_boottime_ns();
	copy.boot = boot_id();
	copy.flags &= (uint16_t)~LETTER_TOKEN;
	if (letter_has_token(letter->payload.ptr, letter->payload.len))
		copy.flags |= LETTER_TOKEN;
	return copy;
}

/* What is known of an event that was here before under the same name says nothing of this one. */
static uint32_t keep_marks(struct parked *parked, struct letter_key key, uint32_t kept)
{
	struct letter_state state = parked_stage_state(parked->stage, key);

	if (state.crashes > 0 || state.flags & ~kept)
		parked_stage_set_state(parked->stage, key, (struct letter_state){ .flags = state.flags & kept });
	return state.flags;
}

int parked_put(struct parked *parked, const struct letter *letter)
{
	struct letter copy = stamped(letter);
	struct letter_key key = letter_key_make(letter->session, letter->sequence);
	struct entry *entry;
	int r;

	r = keep(parked, LETTER_PARKED, &copy, &entry);
	if (r < 0)
		return r;
	if (keep_marks(parked, key, LETTER_STATE_DEAD_GONE) & LETTER_STATE_GONE)
		entry->stored = true; /* the store may still have the old one */
	entry->begun = letter->flags & LETTER_STARTED;
	pump(parked);
	return 0;
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------------- */

static int read_letter(struct parked *parked, enum letter_table table, struct letter_key key, struct letter *ret_letter)
{
	const struct entry *entry = find(parked, table, key);
	int r = -ENOENT;

	if (!entry)
		return -ENOENT;
	if (entry->erased)
		return -SHOAL_EREFUSED;
	buf_clear(&parked->scratch, SCRATCH_KEEP);
	if (entry->staged && parked->stage)
		r = parked_stage_copy(parked->stage, table, key, &parked->scratch);
	else if (entry->stored)
		r = parked_store_peek(parked->store, table, key, &parked->scratch);
	return r < 0 ? r : letter_read(&key, sizeof(key), parked->scratch.data, parked->scratch.len, ret_letter);
}

int parked_read(struct parked *parked, struct letter_key key, struct letter *ret_letter)
{
	return read_letter(parked, LETTER_PARKED, key, ret_letter);
}

int parked_dead_read(struct parked *parked, struct letter_key key, struct letter *ret_letter)
{
	return read_letter(parked, LETTER_DEAD, key, ret_letter);
}

int parked_dead_find(const struct parked *parked, const struct letter_id *id, struct parked_head *ret_head)
{
	const struct entry *entry;

	for (entry = parked->entries[LETTER_DEAD]; entry; entry = entry->hh.next) {
		if (letter_id_is(id, entry->head.key.session, be64toh(entry->head.key.sequence_be))) {
			*ret_head = entry->head;
			return 0;
		}
	}
	return -ENOENT;
}

/* --- states
 * ----------------------------------------------------------------------------------------------------------- */

void parked_begin(struct parked *parked, struct letter_key key)
{
	struct entry *entry = find(parked, LETTER_PARKED, key);
	struct letter_state state;

	if (!entry || entry->begun || !parked->stage)
		return;
	state = parked_stage_state(parked->stage, key);
	state.flags |= LETTER_STATE_BEGUN;
	entry->begun = parked_stage_set_state(parked->stage, key, state) == 0;
}

uint32_t parked_crashes(struct parked *parked, struct letter_key key)
{
	const struct entry *entry = find(parked, LETTER_PARKED, key);
	uint32_t crashes = entry ? entry->head.crashes : 0;
	struct letter_state state = { 0 };

	if (parked->stage)
		state = parked_stage_state(parked->stage, key);
	return state.crashes > crashes ? state.crashes : crashes;
}

void parked_set_crashes(struct parked *parked, struct letter_key key, uint32_t crashes)
{
	struct letter_state state;

	if (!parked->stage)
		return;
	state = parked_stage_state(parked->stage, key);
	if (state.crashes == crashes)
		return;
	state.crashes = crashes;
	parked_stage_set_state(parked->stage, key, state);
}

/* --- going
 * ------------------------------------------------------------------------------------------------------------ */

/* Out of stage and store. The mark goes first: killed in between, the successor knows. */
static void remove_row(struct parked *parked, struct entry *entry)
{
	uint32_t flag = entry->head.table == LETTER_DEAD ? LETTER_STATE_DEAD_GONE : LETTER_STATE_GONE;
	struct letter_key key = entry->head.key;
	bool on_disk = entry->stored || entry->moving;
	struct letter_state state;

	if (parked->stage && on_disk) {
		state = parked_stage_state(parked->stage, key);
		state.flags |= flag;
		parked_stage_set_state(parked->stage, key, state);
	}
	if (parked->stage && entry->staged)
		parked_stage_delete(parked->stage, entry->head.table, key);
	if (parked->stage && !on_disk && entry->head.table == LETTER_PARKED)
		keep_marks(parked, key, LETTER_STATE_DEAD_GONE);
	if (on_disk && parked->store_state == STORE_OPEN)
		give_simple(parked, PARKED_DELETE, entry->head.table, key);
	forget(parked, entry);
}

static void remove_parked(struct parked *parked, struct letter_key key)
{
	struct entry *entry = find(parked, LETTER_PARKED, key);

	if (!entry)
		return;
	if (entry->erased)
		forget(parked, entry);
	else
		remove_row(parked, entry);
}

void parked_done(struct parked *parked, struct letter_key key)
{
	struct entry *dead;

	if (!parked->entries[LETTER_PARKED])
		return; /* the usual case */
	dead = find(parked, LETTER_PARKED, key) ? find(parked, LETTER_DEAD, key) : NULL;
	remove_parked(parked, key);
	if (dead)
		remove_row(parked, dead);
}

bool parked_has(const struct parked *parked, struct letter_key key)
{
	const struct entry *entry = find(parked, LETTER_PARKED, key);

	return entry && !entry->erased;
}

/* A dead letter that is parked again. */
static bool is_retried(const struct parked *parked, const struct entry *dead)
{
	return parked_has(parked, dead->head.key);
}

/* --- dead letters
 * ----------------------------------------------------------------------------------------------------- */

static void drop_dead(struct parked *parked, struct entry *entry, const char *why)
{
	uint64_t now_ns = clock_monotonic_ns();
	char id[LETTER_ID_SIZE];

	letter_id_print(parked->options.shard_id, entry->head.key.session, be64toh(entry->head.key.sequence_be), id);
	remove_row(parked, entry);
	parked->dropped++;
	parked->dropped_untold++;
	if (parked->dropped_told_ns && now_ns - parked->dropped_told_ns < TELL_EVERY_NS)
		return;
	parked->dropped_told_ns = now_ns;
	log_error(NULL, "parked.letter_dropped",
		  KV_MSG("dead letters were removed before anybody had decided on them (parked.max_mib, "
			 "parked.max_age_days)"),
		  KV_U64("letters", parked->dropped_untold), KV_STR("last", id), KV_STR("why", why));
	parked->dropped_untold = 0;
}

/* NULL: none, or none but those that are being tried. */
static struct entry *oldest_dead(struct parked *parked, bool staged_only)
{
	struct entry *entry, *oldest = NULL;

	for (entry = parked->entries[LETTER_DEAD]; entry; entry = entry->hh.next) {
		if (is_retried(parked, entry) || (staged_only && !entry->staged))
			continue;
		if (!oldest || entry->head.wall_ms < oldest->head.wall_ms)
			oldest = entry;
	}
	return oldest;
}

static int keep_dead(struct parked *parked, const struct letter *letter, struct entry **ret_entry)
{
	size_t max = ((size_t)parked->options.store_max_mib << 20) / 2;
	struct entry *oldest;
	int r;

	while (parked->dead_bytes + cost_of(letter->payload.len) > max && (oldest = oldest_dead(parked, false)))
		drop_dead(parked, oldest, "dead letters take their half of the room");
	r = keep(parked, LETTER_DEAD, letter, ret_entry);
	while (r == -ENOSPC && (oldest = oldest_dead(parked, true))) {
		drop_dead(parked, oldest, "the runtime directory's room is used up while the state directory is away");
		r = keep(parked, LETTER_DEAD, letter, ret_entry);
	}
	return r;
}

int parked_bury(struct parked *parked, const struct letter *letter)
{
	struct letter_key key = letter_key_make(letter->session, letter->sequence);
	struct letter copy = stamped(letter);
	struct entry *entry = find(parked, LETTER_DEAD, key);
	int r;

	if (entry) /* it was tried again: what it had done before stays counted */
		copy.crashes += entry->head.crashes;
	r = keep_dead(parked, &copy, &entry);
	if (r < 0)
		return r;
	remove_parked(parked, key);
	if (keep_marks(parked, key, LETTER_STATE_GONE) & LETTER_STATE_DEAD_GONE)
		entry->stored = true;
	pump(parked);
	return 0;
}

int parked_dead_retry(struct parked *parked, struct letter_key key)
{
	struct entry *dead = find(parked, LETTER_DEAD, key);
	struct letter letter;
	int r;

	if (!dead)
		return -ENOENT;
	if (is_retried(parked, dead))
		return -EALREADY;
	if (dead->head.flags & (LETTER_CUT | LETTER_UNREAD))
		return -EBADMSG;
	r = read_letter(parked, LETTER_DEAD, key, &letter);
	if (r < 0)
		return r;
	letter.flags |= LETTER_STARTED;
	letter.crashes = 0;
	letter.reason = letter.module = letter.backtrace = letter.effects = (struct letter_text){ NULL, 0 };
	return parked_put(parked, &letter);
}

int parked_dead_drop(struct parked *parked, struct letter_key key)
{
	struct entry *dead = find(parked, LETTER_DEAD, key);

	if (!dead)
		return -ENOENT;
	if (is_retried(parked, dead))
		return -EBUSY;
	remove_row(parked, dead);
	return 0;
}

/* --- all of them
 * ------------------------------------------------------------------------------------------------------ */

struct order {
	uint64_t session;
};

static int compare(const void *a, const void *b, void *arg)
{
	const struct parked_head *left = a, *right = b;
	const struct order *order = arg;
	uint64_t l = be64toh(left->key.sequence_be), r = be64toh(right->key.sequence_be);
	bool left_now = left->key.session == order->session, right_now = right->key.session == order->session;

	if (left_now != right_now)
		return left_now ? 1 : -1;
	if (left->key.session != right->key.session)
		return left->key.session < right->key.session ? -1 : 1;
	return l < r ? -1 : l > r;
}

int parked_each(struct parked *parked, uint64_t session, parked_each_fn fn, void *arg)
{
	size_t count = HASH_COUNT(parked->entries[LETTER_PARKED]), i = 0, n;
	struct order order = { session };
	struct parked_head *heads;
	struct entry *entry;
	int r = 0;

	if (count == 0)
		return 0;
	heads = calloc(count, sizeof(*heads));
	if (!heads)
		return -ENOMEM;
	for (entry = parked->entries[LETTER_PARKED]; entry; entry = entry->hh.next) {
		struct letter_state state = { 0 };

		if (entry->erased)
			continue;
		heads[i] = entry->head;
		if (parked->stage)
			state = parked_stage_state(parked->stage, entry->head.key);
		/* A stage that a reboot emptied does not know: what is on disk may have been begun. */
		if (state.flags & LETTER_STATE_BEGUN || (entry->stored && !entry->staged))
			heads[i].flags |= LETTER_STARTED;
		if (state.crashes > heads[i].crashes)
			heads[i].crashes = state.crashes;
		i++;
	}
	n = i;
	qsort_r(heads, n, sizeof(*heads), compare, &order);
	for (i = 0; r == 0 && i < n; i++)
		r = fn(arg, &heads[i]);
	free(heads);
	return r;
}

/* --- a member's wish
 * -------------------------------------------------------------------------------------------------- */

struct mention {
	struct parked *parked;
	uint64_t user_id;
	enum letter_table table;
	struct letter_key keys[64];
	size_t count;
};

static int find_mention(void *arg, const struct letter *letter, size_t len)
{
	struct mention *mention = arg;

	(void)len;
	if (mention->count == ARRAY_SIZE(mention->keys))
		return 1;
	if (letter_mentions(letter->payload.ptr, letter->payload.len, mention->user_id))
		mention->keys[mention->count++] = letter_key_make(letter->session, letter->sequence);
	return 0;
}

static void erase(struct parked *parked, enum letter_table table, struct letter_key key)
{
	struct entry *entry = find(parked, table, key);
	struct entry *again = NULL;
	struct parked_head head;

	if (!entry) {
		parked_stage_delete(parked->stage, table, key);
		return;
	}
	head = entry->head;
	remove_row(parked, entry);
	if (table != LETTER_PARKED)
		return;
	/* Somebody will come for it. */
	again = note(parked, &head);
	if (!again)
		return;
	count_entry(parked, again, -1);
	again->erased = true;
}

static size_t erase_staged(struct parked *parked, uint64_t user_id)
{
	struct mention mention = { .parked = parked, .user_id = user_id };
	size_t total = 0, i;

	for (mention.table = 0; parked->stage && mention.table < LETTER_TABLE_COUNT; mention.table++) {
		do {
			mention.count = 0;
			parked_stage_each(parked->stage, mention.table, find_mention, &mention);
			for (i = 0; i < mention.count; i++)
				erase(parked, mention.table, mention.keys[i]);
			total += mention.count;
		} while (mention.count == ARRAY_SIZE(mention.keys));
	}
	return total;
}

static void erasure_done(void *arg, int error, const struct parked_job *job)
{
	struct erasure *erasure = arg;

	if (erasure->fn)
		erasure->fn(erasure->arg, error, erasure->count + (error == 0 ? job->head_count : 0));
	free(erasure);
}

int parked_forget_user(struct parked *parked, uint64_t user_id, parked_forget_fn fn, void *arg)
{
	struct erasure *erasure = calloc(1, sizeof(*erasure));
	struct parked_job *job = parked_job_new(PARKED_FORGET);

	if (!erasure || !job) {
		free(erasure);
		parked_job_free(job);
		return -ENOMEM;
	}
	*erasure = (struct erasure){ .fn = fn, .arg = arg, .count = erase_staged(parked, user_id) };
	job->number = user_id;
	job->done = erasure_done;
	job->drop = free;
	job->arg = erasure;
	/* Behind whatever is on its way there. */
	if (parked->store_state == STORE_NONE && !parked_store_exists(parked->store)) {
		job->drop = NULL;
		erasure_done(erasure, 0, job);
		parked_job_free(job);
		return 0;
	}
	return give(parked, job);
}

int parked_call(struct parked *parked, int (*call)(void *arg),
		void (*done)(void *arg, int error, const struct parked_job *job), void (*drop)(void *arg), void *arg)
{
	struct parked_job *job = parked_job_new(PARKED_CALL);

	if (!job) {
		drop(arg);
		return -ENOMEM;
	}
	job->call = call;
	job->done = done;
	job->drop = drop;
	job->arg = arg;
	return give(parked, job);
}

/* --- time
 * ------------------------------------------------------------------------------------------------------------- */

static void blank_staged(struct parked *parked, struct entry *entry)
{
	CLEANUP(buf_finish) struct buf row = { .max = SIZE_MAX / 2 };
	struct letter letter;

	if (read_letter(parked, entry->head.table, entry->head.key, &letter) < 0)
		return;
	letter_blank_tokens((char *)(uintptr_t)letter.payload.ptr, letter.payload.len);
	letter.flags &= (uint16_t)~LETTER_TOKEN;
	if (letter_write(&letter, &row) < 0 ||
	    parked_stage_put(parked->stage, entry->head.table, entry->head.key, &row) < 0)
		return;
	/* A copy on its way still has it, and must not end the staged one's life. */
	entry->serial = ++parked->serial;
	entry->head.flags &= (uint16_t)~LETTER_TOKEN;
	queue(parked, entry);
}

static void look_for_tokens(struct parked *parked)
{
	struct entry *entry;
	size_t table;

	for (table = 0; table < LETTER_TABLE_COUNT; table++) {
		for (entry = parked->entries[table]; entry; entry = entry->hh.next) {
			const struct parked_head *head = &entry->head;

			if (!(head->flags & LETTER_TOKEN) || entry->erased ||
			    letter_age_ms(head->wall_ms, head->boot_ns, head->boot) < LETTER_TOKEN_AGE_MS)
				continue;
			if (entry->staged && parked->stage)
				blank_staged(parked, entry);
			else if (entry->stored && parked->store_state == STORE_OPEN)
				give_simple(parked, PARKED_BLANK, head->table, head->key);
		}
	}
}

static void look_for_age(struct parked *parked)
{
	uint64_t max_ms = parked->options.max_age_days * DAY_MS;
	struct entry *entry, *next;
	size_t old = 0;

	HASH_ITER (hh, parked->entries[LETTER_DEAD], entry, next) {
		if (!is_retried(parked, entry) &&
		    letter_age_ms(entry->head.wall_ms, entry->head.boot_ns, entry->head.boot) > max_ms)
			drop_dead(parked, entry, "it is too old");
	}
	HASH_ITER (hh, parked->entries[LETTER_PARKED], entry, next) {
		if (entry->erased ||
		    letter_age_ms(entry->head.wall_ms, entry->head.boot_ns, entry->head.boot) <= max_ms)
			continue;
		remove_row(parked, entry);
		old++;
	}
	parked->dropped += old;
	if (old > 0)
		log_error(NULL, "parked.too_old",
			  KV_MSG("parked events were removed whose handling never ended (parked.max_age_days)"),
			  KV_U64("events", old));
}

static bool is_due(uint64_t *at_ns, uint64_t now_ns, uint64_t every_ns)
{
	if (*at_ns == 0)
		*at_ns = now_ns + every_ns;
	if (now_ns < *at_ns)
		return false;
	*at_ns = now_ns + every_ns;
	return true;
}

void parked_tick(struct parked *parked)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (parked->closing)
		return;
	if (now_ns >= parked->retry_ns && !parked->stage) {
		parked->retry_ns = now_ns + RETRY_NS;
		if (open_stage(parked) == 0 && parked->stage && parked->store_state == STORE_AWAY)
			parked->retry_ns = now_ns;
	}
	if (parked->store_state == STORE_AWAY && now_ns >= parked->retry_ns)
		open_store(parked);
	if (parked->outstanding > 0 && now_ns - parked->progress_ns > HANGS_NS)
		tell_away(parked, -ETIMEDOUT);
	if (is_due(&parked->tokens_ns, now_ns, TOKENS_EVERY_NS))
		look_for_tokens(parked);
	if (is_due(&parked->ages_ns, now_ns, AGES_EVERY_NS))
		look_for_age(parked);
	pump(parked);
}

void parked_stats(const struct parked *parked, struct parked_stats *ret_stats)
{
	struct parked_stats stats = { .count = parked->counts[LETTER_PARKED],
				      .dead = parked->counts[LETTER_DEAD],
				      .dropped = parked->dropped,
				      .away = parked->away_told };

	*ret_stats = stats;
}

void parked_count_rows(const struct parked *parked, size_t *ret_staged, size_t *ret_stored)
{
	const struct entry *entry;
	size_t table;

	*ret_staged = *ret_stored = 0;
	for (table = 0; table < LETTER_TABLE_COUNT; table++) {
		for (entry = parked->entries[table]; entry; entry = entry->hh.next) {
			*ret_staged += entry->staged;
			*ret_stored += entry->stored;
		}
	}
}
