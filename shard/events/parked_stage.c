/* Three tables of one environment on tmpfs. Every write is one commit: who parks gives the inbox's bytes away right
 * after. Run on the loop; must not touch the state directory. */
#include "shard/events/parked_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shard/events/parked_store.h"
#include "shard/gateway/envelope.h"
#include "shared/base/boot_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/kv/kv.h"

#define PATH_SIZE 400
#define BAD_MAX   64 /* rows that are removed at a time */

struct parked_stage {
	struct kv *kv;
	char path[PATH_SIZE];
	size_t unreadable;
	struct letter_key bad[BAD_MAX];
	size_t bad_count;
};

static struct kv_bytes bytes_of(const struct letter_key *key)
{
	return (struct kv_bytes){ key, sizeof(*key) };
}

/* --- opening
 * ---------------------------------------------------------------------------------------------------------- */

static void mark_path(const struct parked_stage *stage, char path[PATH_SIZE + 32])
{
	snprintf(path, PATH_SIZE + 32, "%s/checking", stage->path);
}

/* Stands while the rows are read for the first time: a scribbled tree may kill us there. */
static void set_mark(const struct parked_stage *stage, bool on)
{
	char path[PATH_SIZE + 32];
	int fd;

	mark_path(stage, path);
	if (!on) {
		unlink(path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

static bool has_mark(const struct parked_stage *stage)
{
	char path[PATH_SIZE + 32];

	mark_path(stage, path);
	return access(path, F_OK) == 0;
}

static bool has_data(const struct parked_stage *stage)
{
	char path[PATH_SIZE + 32];

	snprintf(path, sizeof(path), "%s/data.mdb", stage->path);
	return access(path, F_OK) == 0;
}

static void move_aside(const struct parked_stage *stage)
{
	char from[PATH_SIZE + 32], to[PATH_SIZE + 64];

	snprintf(from, sizeof(from), "%s/data.mdb", stage->path);
	snprintf(to, sizeof(to), "%s.damaged", from);
	if (rename(from, to) < 0)
		unlink(from);
	snprintf(from, sizeof(from), "%s/lock.mdb", stage->path);
	unlink(from);
}

static int open_kv(struct parked_stage *stage, uint32_t max_mib, bool *ret_fresh)
{
	struct kv_options options = { .path = stage->path,
				      .map_bytes = (size_t)max_mib << 20,
				      .flags = KV_VOLATILE | KV_SPARE,
				      .tables = letter_stage_tables,
				      .table_count = LETTER_STAGE_TABLE_COUNT,
				      .owner = parked_store_owner() };

	return kv_open(&options, ret_fresh, &stage->kv);
}

static int check_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct parked_stage *stage = arg;
	struct letter letter;
	int r = letter_read(key.ptr, key.len, value.ptr, value.len, &letter);

	if (r == 0 || r == -SHOAL_EVERSION)
		return 0;
	stage->unreadable++;
	if (key.len == sizeof(struct letter_key) && stage->bad_count < BAD_MAX)
		memcpy(&stage->bad[stage->bad_count++], key.ptr, key.len);
	return 0;
}

static int check_all(struct parked_stage *stage)
{
	enum letter_table table;
	size_t i;
	int r = 0;

	for (table = 0; r == 0 && table < LETTER_TABLE_COUNT; table++) {
		stage->bad_count = 0;
		r = kv_each(stage->kv, table, check_row, stage);
		for (i = 0; r == 0 && i < stage->bad_count; i++)
			r = kv_delete(stage->kv, table, bytes_of(&stage->bad[i]));
	}
	return r == 0 ? kv_commit(stage->kv) : r;
}

/* --- the version before: one environment "parked-G-N", a head of another form
 * ----------------------------------------- */

#define OLD_REASON_SIZE 128

struct old_head {
	int64_t wall_ms;
	uint32_t crashes;
	uint32_t started;
	char reason[OLD_REASON_SIZE];
};

struct adoption {
	struct parked_stage *stage;
	enum letter_table table;
	size_t count, unreadable;
};

static int adopt_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	CLEANUP(buf_finish) struct buf row = { .max = SIZE_MAX / 2 };
	struct adoption *adoption = arg;
	struct letter_key name;
	struct letter letter = { 0 };
	struct envelope envelope;
	struct old_head head;
	int r;

	if (key.len != sizeof(name) || value.len < sizeof(head)) {
		adoption->unreadable++;
		return 0;
	}
	memcpy(&name, key.ptr, sizeof(name));
	memcpy(&head, value.ptr, sizeof(head));
	head.reason[OLD_REASON_SIZE - 1] = '\0';
	letter.payload =
		(struct letter_text){ (const char *)value.ptr + sizeof(head), (uint32_t)(value.len - sizeof(head)) };
	if (envelope_scan(letter.payload.ptr, letter.payload.len, &envelope) != ENVELOPE_OK) {
		adoption->unreadable++;
		return 0;
	}
	letter.session = name.session;
	letter.sequence = envelope.sequence;
	letter.wall_ms = head.wall_ms;
	letter.full_len = letter.payload.len;
	letter.crashes = head.crashes;
	letter.guild_id = envelope.guild_id;
	letter.type = (uint16_t)envelope.type;
	letter.flags = (uint16_t)((head.started ? LETTER_STARTED : 0) |
				  (letter_has_token(letter.payload.ptr, letter.payload.len) ? LETTER_TOKEN : 0));
	letter.dispatch = (struct letter_text){ envelope.name.ptr, (uint32_t)envelope.name.len };
	letter.reason = (struct letter_text){ head.reason, (uint32_t)strlen(head.reason) };
	r = letter_write(&letter, &row);
	if (r == 0)
		r = parked_stage_put(adoption->stage, adoption->table, name, &row);
	adoption->count += r == 0;
	return r;
}

/* Its rows are here before its files go; killed in between, they are taken over again. */
static int adopt_old(struct parked_stage *stage, const struct parked_stage_options *options, size_t *ret_count)
{
	struct adoption adoption = { .stage = stage };
	char path[PATH_SIZE], file[PATH_SIZE + 16];
	struct kv_options old = { .path = path,
				  .map_bytes = (size_t)options->max_mib << 20,
				  .flags = KV_VOLATILE,
				  .tables = letter_tables,
				  .table_count = LETTER_TABLE_COUNT,
				  .owner = parked_store_owner() };
	struct kv *kv;
	bool fresh;
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/parked-%u-%u", options->runtime_dir, options->generation,
		     options->shard_id) >= (int)sizeof(path))
		return 0;
	snprintf(file, sizeof(file), "%s/data.mdb", path);
	if (access(file, F_OK) < 0)
		return 0;
	r = kv_open(&old, &fresh, &kv);
	if (r < 0)
		return r;
	for (adoption.table = 0; r == 0 && adoption.table < LETTER_TABLE_COUNT; adoption.table++)
		r = kv_each(kv, adoption.table, adopt_row, &adoption);
	kv_abandon(kv);
	*ret_count = adoption.count;
	stage->unreadable += adoption.unreadable;
	if (r < 0)
		return r;
	kv_remove(path);
	return rmdir(path) < 0 && errno != ENOTEMPTY ? -errno : 0;
}

int parked_stage_open(const struct parked_stage_options *options, struct parked_stage_found *ret_found,
		      struct parked_stage **ret_stage)
{
	struct parked_stage *stage = calloc(1, sizeof(*stage));
	struct parked_stage_found found = { 0 };
	bool existed, fresh = false;
	int r;

	if (!stage)
		return -ENOMEM;
	r = letter_stage_path(options->runtime_dir, options->generation, options->shard_id, stage->path,
			      sizeof(stage->path));
	if (r < 0) {
		free(stage);
		return r;
	}
	if (options->crashed && has_mark(stage) && has_data(stage)) {
		move_aside(stage);
		found.damaged = true;
	}
	existed = has_data(stage);
	if (existed)
		set_mark(stage, true);
	r = open_kv(stage, options->max_mib, &fresh);
	if (r == 0)
		r = check_all(stage);
	set_mark(stage, false);
	if (r < 0) {
		parked_stage_close(stage);
		return r;
	}
	found.damaged |= existed && fresh;
	found.fresh = fresh || found.damaged;
	found.adopt_error = adopt_old(stage, options, &found.adopted);
	found.unreadable = stage->unreadable;
	*ret_found = found;
	*ret_stage = stage;
	return 0;
}

struct parked_stage *parked_stage_close(struct parked_stage *stage)
{
	if (!stage)
		return NULL;
	kv_close(stage->kv);
	free(stage);
	return NULL;
}

/* --- rows
 * ------------------------------------------------------------------------------------------------------------- */

int parked_stage_put(struct parked_stage *stage, enum letter_table table, struct letter_key key, const struct buf *row)
{
	int r = kv_put(stage->kv, table, bytes_of(&key), (struct kv_bytes){ row->data, row->len });

	return r < 0 ? r : kv_commit(stage->kv);
}

int parked_stage_delete(struct parked_stage *stage, enum letter_table table, struct letter_key key)
{
	int r = kv_delete(stage->kv, table, bytes_of(&key));

	return r < 0 ? r : kv_commit(stage->kv);
}

int parked_stage_copy(struct parked_stage *stage, enum letter_table table, struct letter_key key, struct buf *out)
{
	int r = kv_copy(stage->kv, table, bytes_of(&key), out);

	kv_commit(stage->kv); /* nothing was written: it ends the reading */
	return r;
}

struct each {
	parked_letter_fn fn;
	parked_state_fn state_fn;
	void *arg;
};

static int each_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	const struct each *each = arg;
	struct letter letter;

	/* Later versions' rows are passed over: they stay. */
	if (letter_read(key.ptr, key.len, value.ptr, value.len, &letter) < 0)
		return 0;
	return each->fn(each->arg, &letter, value.len);
}

int parked_stage_each(struct parked_stage *stage, enum letter_table table, parked_letter_fn fn, void *arg)
{
	struct each each = { .fn = fn, .arg = arg };
	int r = kv_each(stage->kv, table, each_row, &each);

	kv_commit(stage->kv);
	return r;
}

/* --- states
 * ----------------------------------------------------------------------------------------------------------- */

struct letter_state parked_stage_state(struct parked_stage *stage, struct letter_key key)
{
	struct letter_state state = { 0 };

	if (kv_read(stage->kv, LETTER_STATES, bytes_of(&key), &state, sizeof(state)) < 0)
		state = (struct letter_state){ 0 };
	kv_commit(stage->kv);
	return state;
}

int parked_stage_set_state(struct parked_stage *stage, struct letter_key key, struct letter_state state)
{
	int r;

	if (state.crashes == 0 && state.flags == 0)
		r = kv_delete(stage->kv, LETTER_STATES, bytes_of(&key));
	else
		r = kv_put(stage->kv, LETTER_STATES, bytes_of(&key), (struct kv_bytes){ &state, sizeof(state) });
	return r < 0 ? r : kv_commit(stage->kv);
}

static int each_state(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	const struct each *each = arg;
	struct letter_state state;
	struct letter_key name;

	if (key.len != sizeof(name) || value.len != sizeof(state))
		return 0;
	memcpy(&name, key.ptr, sizeof(name));
	memcpy(&state, value.ptr, sizeof(state));
	return each->state_fn(each->arg, name, state);
}

int parked_stage_each_state(struct parked_stage *stage, parked_state_fn fn, void *arg)
{
	struct each each = { .state_fn = fn, .arg = arg };
	int r = kv_each(stage->kv, LETTER_STATES, each_state, &each);

	kv_commit(stage->kv);
	return r;
}
