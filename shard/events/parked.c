/* Stage and store behind one face: what is kept, read, begun and done. Which letter is where says the index
 * (parked_index.h); how it comes from the stage to the store, parked_move.h. Must not call anything that waits for a
 * disk. */
#include "shard/events/parked.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/events/parked_index.h"
#include "shard/events/parked_move.h"
#include "shard/events/parked_upkeep.h"
#include "shared/base/boot_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define PATH_SIZE     4400
#define OPEN_WAIT_MS  1500            /* at the start, for a store that is there */
#define HANGS_NS      (10 * NS_PER_S) /* a disk that has said nothing for so long is away */
#define SCRATCH_KEEP  (64 * 1024)
#define TELL_EVERY_NS (10 * NS_PER_S)

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
		struct parked_entry *entry;

		if (parked_is_gone(parked, &staged.heads[i]))
			continue;
		entry = parked_note(parked, &staged.heads[i]);
		if (!entry) {
			r = -ENOMEM;
			break;
		}
		entry->staged = true;
		entry->serial = ++parked->serial;
		parked_queue(parked, entry);
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
	parked->retry_ns = clock_monotonic_ns() + PARKED_RETRY_NS;
	return r == -ENOMEM || r == -ENAMETOOLONG ? r : 0;
}

static int make_store(struct parked *parked)
{
	char path[PATH_SIZE];
	struct parked_store_options options = { .path = path,
						.map_bytes = (size_t)parked->options.store_max_mib << 20,
						.crashed = parked->options.crashed,
						.wake = parked_wake_loop,
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
	parked_open_store(parked);
	while (parked->store_state == STORE_OPENING && (now_ns = clock_monotonic_ns()) < until_ns) {
		if (parked_store_wait(parked->store, (until_ns - now_ns) / NS_PER_MS + 1))
			parked_take_done(parked);
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
		r = uv_async_init(&loop->uv, &parked->wake, parked_on_wake);
	if (r < 0) {
		parked_close(parked);
		return r;
	}
	uv_unref((uv_handle_t *)&parked->wake);
	await_store(parked);
	tell_left_behind(parked);
	parked->opened = true;
	parked_pump(parked);
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
	struct parked_entry *entry, *next;
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

static int keep(struct parked *parked, enum letter_table table, const struct letter *letter,
		struct parked_entry **ret_entry)
{
	CLEANUP(buf_finish) struct buf row = { .max = SIZE_MAX / 2 };
	struct parked_head head;
	struct parked_entry *entry;
	int r;

	if (!parked->stage)
		return -ENOSPC;
	r = letter_write(letter, &row);
	if (r == 0)
		r = parked_stage_put(parked->stage, table, letter_key_make(letter->session, letter->sequence), &row);
	if (r < 0)
		return r;
	parked_head_of(letter, table, row.len, &head);
	entry = parked_note(parked, &head);
	if (!entry) {
		parked_stage_delete(parked->stage, table, head.key);
		return -ENOMEM;
	}
	entry->staged = true;
	entry->serial = ++parked->serial;
	parked_queue(parked, entry);
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
	struct parked_entry *entry;
	int r;

	r = keep(parked, LETTER_PARKED, &copy, &entry);
	if (r < 0)
		return r;
	if (keep_marks(parked, key, LETTER_STATE_DEAD_GONE) & LETTER_STATE_GONE)
		entry->stored = true; /* the store may still have the old one */
	entry->begun = letter->flags & LETTER_STARTED;
	parked_pump(parked);
	return 0;
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------------- */

int parked_read_letter(struct parked *parked, enum letter_table table, struct letter_key key, struct letter *ret_letter)
{
	const struct parked_entry *entry = parked_find(parked, table, key);
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
	return parked_read_letter(parked, LETTER_PARKED, key, ret_letter);
}

int parked_dead_read(struct parked *parked, struct letter_key key, struct letter *ret_letter)
{
	return parked_read_letter(parked, LETTER_DEAD, key, ret_letter);
}

int parked_dead_find(const struct parked *parked, const struct letter_id *id, struct parked_head *ret_head)
{
	const struct parked_entry *entry;

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
	struct parked_entry *entry = parked_find(parked, LETTER_PARKED, key);
	struct letter_state state;

	if (!entry || entry->begun || !parked->stage)
		return;
	state = parked_stage_state(parked->stage, key);
	state.flags |= LETTER_STATE_BEGUN;
	entry->begun = parked_stage_set_state(parked->stage, key, state) == 0;
}

uint32_t parked_crashes(struct parked *parked, struct letter_key key)
{
	const struct parked_entry *entry = parked_find(parked, LETTER_PARKED, key);
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
void parked_remove(struct parked *parked, struct parked_entry *entry)
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
		parked_give_simple(parked, PARKED_DELETE, entry->head.table, key);
	parked_drop_entry(parked, entry);
}

static void remove_parked(struct parked *parked, struct letter_key key)
{
	struct parked_entry *entry = parked_find(parked, LETTER_PARKED, key);

	if (!entry)
		return;
	if (entry->erased)
		parked_drop_entry(parked, entry);
	else
		parked_remove(parked, entry);
}

void parked_done(struct parked *parked, struct letter_key key)
{
	struct parked_entry *dead;

	if (!parked->entries[LETTER_PARKED])
		return; /* the usual case */
	dead = parked_find(parked, LETTER_PARKED, key) ? parked_find(parked, LETTER_DEAD, key) : NULL;
	remove_parked(parked, key);
	if (dead)
		parked_remove(parked, dead);
}

bool parked_has(const struct parked *parked, struct letter_key key)
{
	const struct parked_entry *entry = parked_find(parked, LETTER_PARKED, key);

	return entry && !entry->erased;
}

/* A dead letter that is parked again. */
bool parked_is_retried(const struct parked *parked, const struct parked_entry *dead)
{
	return parked_has(parked, dead->head.key);
}

/* --- dead letters
 * ----------------------------------------------------------------------------------------------------- */

void parked_drop_dead(struct parked *parked, struct parked_entry *entry, const char *why)
{
	uint64_t now_ns = clock_monotonic_ns();
	char id[LETTER_ID_SIZE];

	letter_id_print(parked->options.shard_id, entry->head.key.session, be64toh(entry->head.key.sequence_be), id);
	parked_remove(parked, entry);
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
static struct parked_entry *oldest_dead(struct parked *parked, bool staged_only)
{
	struct parked_entry *entry, *oldest = NULL;

	for (entry = parked->entries[LETTER_DEAD]; entry; entry = entry->hh.next) {
		if (parked_is_retried(parked, entry) || (staged_only && !entry->staged))
			continue;
		if (!oldest || entry->head.wall_ms < oldest->head.wall_ms)
			oldest = entry;
	}
	return oldest;
}

static int keep_dead(struct parked *parked, const struct letter *letter, struct parked_entry **ret_entry)
{
	size_t max = ((size_t)parked->options.store_max_mib << 20) / 2;
	struct parked_entry *oldest;
	int r;

	while (parked->dead_bytes + parked_cost(letter->payload.len) > max && (oldest = oldest_dead(parked, false)))
		parked_drop_dead(parked, oldest, "dead letters take their half of the room");
	r = keep(parked, LETTER_DEAD, letter, ret_entry);
	while (r == -ENOSPC && (oldest = oldest_dead(parked, true))) {
		parked_drop_dead(parked, oldest,
				 "the runtime directory's room is used up while the state directory is away");
		r = keep(parked, LETTER_DEAD, letter, ret_entry);
	}
	return r;
}

int parked_bury(struct parked *parked, const struct letter *letter)
{
	struct letter_key key = letter_key_make(letter->session, letter->sequence);
	struct letter copy = stamped(letter);
	struct parked_entry *entry = parked_find(parked, LETTER_DEAD, key);
	int r;

	if (entry) /* it was tried again: what it had done before stays counted */
		copy.crashes += entry->head.crashes;
	r = keep_dead(parked, &copy, &entry);
	if (r < 0)
		return r;
	remove_parked(parked, key);
	if (keep_marks(parked, key, LETTER_STATE_GONE) & LETTER_STATE_DEAD_GONE)
		entry->stored = true;
	parked_pump(parked);
	return 0;
}

int parked_dead_retry(struct parked *parked, struct letter_key key)
{
	struct parked_entry *dead = parked_find(parked, LETTER_DEAD, key);
	struct letter letter;
	int r;

	if (!dead)
		return -ENOENT;
	if (parked_is_retried(parked, dead))
		return -EALREADY;
	if (dead->head.flags & (LETTER_CUT | LETTER_UNREAD))
		return -EBADMSG;
	r = parked_read_letter(parked, LETTER_DEAD, key, &letter);
	if (r < 0)
		return r;
	letter.flags |= LETTER_STARTED;
	letter.crashes = 0;
	letter.reason = letter.module = letter.backtrace = letter.effects = (struct letter_text){ NULL, 0 };
	return parked_put(parked, &letter);
}

int parked_dead_drop(struct parked *parked, struct letter_key key)
{
	struct parked_entry *dead = parked_find(parked, LETTER_DEAD, key);

	if (!dead)
		return -ENOENT;
	if (parked_is_retried(parked, dead))
		return -EBUSY;
	parked_remove(parked, dead);
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
	struct parked_entry *entry;
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
	return parked_give(parked, job);
}

void parked_tick(struct parked *parked)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (parked->closing)
		return;
	if (now_ns >= parked->retry_ns && !parked->stage) {
		parked->retry_ns = now_ns + PARKED_RETRY_NS;
		if (open_stage(parked) == 0 && parked->stage && parked->store_state == STORE_AWAY)
			parked->retry_ns = now_ns;
	}
	if (parked->store_state == STORE_AWAY && now_ns >= parked->retry_ns)
		parked_open_store(parked);
	if (parked->outstanding > 0 && now_ns - parked->progress_ns > HANGS_NS)
		parked_tell_away(parked, -ETIMEDOUT);
	parked_upkeep(parked, now_ns);
	parked_pump(parked);
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
	const struct parked_entry *entry;
	size_t table;

	*ret_staged = *ret_stored = 0;
	for (table = 0; table < LETTER_TABLE_COUNT; table++) {
		for (entry = parked->entries[table]; entry; entry = entry->hh.next) {
			*ret_staged += entry->staged;
			*ret_stored += entry->stored;
		}
	}
}
