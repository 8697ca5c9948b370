/* The outbox's front: which way a write goes, who waits for it, what comes back from the thread. Run by the loop. Must
 * not block, must not lose a write between two of its places, and must keep the order of a key's writes. */
#include "shared/db/outbox.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/db/outbox_private.h"
#include "shared/db/statements_outbox.h"
#include "shared/log/log.h"

#define ROOM_SHARE                                                                                         \
	3 /* entries may fill a third of the file: pages are half empty at worst, and copied to be changed \
	   */
#define GONE_FLUSH 256

static void submit(struct outbox_wait *wait);
static void run_deferred(struct outbox *outbox, struct outbox_key_state *state);

void outbox_alert(const struct outbox *outbox, const char *event, const char *format, ...)
{
	char text[256];
	va_list args;

	if (!outbox->alert)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	outbox->alert(outbox->alert_arg, event, text);
}

/* --- who waits ---------------------------------------------------------------------------------------------------- */

static void wait_link(struct outbox_wait *wait)
{
	struct outbox *outbox = wait->outbox;

	wait->all_next = outbox->waits;
	if (outbox->waits)
		outbox->waits->all_prev = wait;
	outbox->waits = wait;
}

static void wait_free(struct outbox_wait *wait)
{
	if (wait->all_prev)
		wait->all_prev->all_next = wait->all_next;
	else
		wait->outbox->waits = wait->all_next;
	if (wait->all_next)
		wait->all_next->all_prev = wait->all_prev;
	outbox_entry_free(wait->entry);
	free(wait);
}

/* Its one callback; takes @wait, and the entry with it unless that was taken out. */
static void finish(struct outbox_wait *wait, int error, enum outbox_how how, const struct db_result *result)
{
	outbox_fn fn = TAKE(wait->fn);
	void *arg = wait->arg;

	if (error == -ENOSPC || error == -EIO || error == -EROFS)
		wait->outbox->stats.refused++;
	wait_free(wait);
	if (fn)
		fn(arg, error, how, result);
}

/* The same, but not now. */
static void finish_soon(struct outbox_wait *wait, int error)
{
	struct outbox *outbox = wait->outbox;

	wait->error = error;
	wait->next = NULL;
	*outbox->told_tail = wait;
	outbox->told_tail = &wait->next;
	timer_start(&outbox->soon, 0);
}

static void on_soon(void *arg)
{
	struct outbox *outbox = arg;
	struct outbox_wait *wait, *all = TAKE(outbox->told);

	outbox->told_tail = &outbox->told;
	while ((wait = all)) {
		all = wait->next;
		finish(wait, wait->error, OUTBOX_KEPT, NULL);
	}
}

void outbox_changed(const struct outbox *outbox)
{
	if (outbox->changed)
		outbox->changed(outbox->changed_arg);
}

/* --- what is on the disk ------------------------------------------------------------------------------------------ */

bool outbox_has_room(const struct outbox *outbox, size_t bytes)
{
	return outbox->waiting.count + outbox->dead.count + outbox->committing < outbox->entries_max &&
	       outbox->waiting.bytes + outbox->dead.bytes + outbox->committing_bytes + bytes <= outbox->bytes_max;
}

int outbox_hand_over(struct outbox *outbox, struct outbox_op *op)
{
	int r = op ? outbox_writer_put(outbox->writer, op) : -ENOMEM;

	if (r < 0)
		outbox_op_free(op);
	return r;
}

int outbox_entry_waits(struct outbox *outbox, struct outbox_entry *entry)
{
	struct outbox_key_state *state = outbox_keys_get(&outbox->keys, entry->key);

	if (!state)
		return -ENOMEM;
	state->entries++;
	state->latest = entry;
	outbox_list_add(&outbox->waiting, entry);
	return 0;
}

/* The key's newest entry is going: which one is it then? */
static const struct outbox_entry *latest_of(const struct outbox *outbox, struct outbox_key key)
{
	const struct outbox_entry *entry = outbox->waiting.last;

	while (entry && !outbox_key_equal(entry->key, key))
		entry = entry->prev;
	return entry;
}

/* Off the list and its key; the key's state is still there. */
static struct outbox_key_state *take_out(struct outbox *outbox, struct outbox_entry *entry)
{
	struct outbox_key_state *state = outbox_keys_find(&outbox->keys, entry->key);

	outbox_list_remove(&outbox->waiting, entry);
	state->entries--;
	if (state->latest == entry)
		state->latest = state->entries ? latest_of(outbox, entry->key) : NULL;
	return state;
}

void outbox_flush_gone(struct outbox *outbox)
{
	struct outbox_op *op;

	if (outbox->gone_count == 0 || outbox->gone_inside > 0)
		return;
	op = outbox_op_new(OUTBOX_OP_FORGET);
	if (!op)
		return; /* the next tick tries again */
	op->seqs = TAKE(outbox->gone);
	op->seq_count = outbox->gone_count;
	outbox->gone_inside = outbox->gone_count;
	outbox->gone_count = outbox->gone_size = 0;
	if (outbox_writer_put(outbox->writer, op) < 0) {
		outbox->gone = TAKE(op->seqs);
		outbox->gone_count = outbox->gone_size = op->seq_count;
		outbox->gone_inside = 0;
		outbox_op_free(op);
	}
}

/* Need not be on the disk soon: until it is, the cursor tells that the entry is written. */
void outbox_note_gone(struct outbox *outbox, uint64_t seq)
{
	uint64_t *grown;

	if (outbox->gone_count == outbox->gone_size) {
		grown = realloc(outbox->gone, (outbox->gone_size + GONE_FLUSH) * sizeof(*grown));
		if (!grown)
			return; /* it stays in the file until the next worker asks the cursor */
		outbox->gone = grown;
		outbox->gone_size += GONE_FLUSH;
	}
	outbox->gone[outbox->gone_count++] = seq;
	if (outbox->gone_count >= GONE_FLUSH)
		outbox_flush_gone(outbox);
}

void outbox_entry_written(struct outbox *outbox, struct outbox_entry *entry)
{
	struct outbox_key_state *state = take_out(outbox, entry);

	outbox_note_gone(outbox, entry->seq);
	outbox->stats.applied++;
	outbox_keys_settle(&outbox->keys, state, entry, clock_monotonic_ns());
	outbox_changed(outbox);
}

void outbox_entry_dead(struct outbox *outbox, struct outbox_entry *entry, int error, const char *reason)
{
	struct outbox_key_state *state = take_out(outbox, entry);
	struct outbox_op *op = outbox_op_new(OUTBOX_OP_BURY);

	entry->error = error;
	entry->died_ms = clock_wall_ms();
	snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
	log_error(NULL, "outbox.buried", KV_STR("owner", entry->owner), KV_STR("statement", entry->statement),
		  KV_U64("id", entry->seq), KV_U64("key", entry->key.id), KV_STR("key_name", entry->key.name),
		  KV_U64("tries", entry->tries), KV_ERR(error), KV_STR("reason", reason),
		  KV_MSG("a kept write can't be brought to the database and is set aside: see shoalctl outbox list"));
	outbox_alert(outbox, "outbox.buried", "a kept write (%s.%s) was set aside: %s; shoalctl outbox list",
		     entry->owner, entry->statement, reason);
	outbox->stats.buried++;
	outbox_list_add(&outbox->dead, entry);
	outbox_keys_release(&outbox->keys, state);
	if (op)
		op->entry = entry;
	/* Should the disk not take it, it still waits in the file, and the next worker comes to the same end. */
	outbox_hand_over(outbox, op);
	outbox_changed(outbox);
}

/* --- keeping ------------------------------------------------------------------------------------------------------ */

static void say_full(struct outbox *outbox, int error)
{
	if (outbox->full_said)
		return;
	outbox->full_said = true;
	log_error(NULL, "outbox.full", KV_ERR(error), KV_U64("waiting", outbox->waiting.count),
		  KV_U64("dead", outbox->dead.count), KV_STR("folder", outbox->path),
		  KV_MSG("writes are refused, which members are told: PostgreSQL is away and there is no room to keep "
			 "more (outbox.max_mib, outbox.max_entries, the disk of supervisor.state_dir)"));
	outbox_alert(outbox, "outbox.full",
		     "PostgreSQL is away and the outbox is full (%zu writes): further ones are refused",
		     outbox->waiting.count);
}

/* Into the file. When it fails @wait is the caller's. */
static int keep(struct outbox_wait *wait)
{
	struct outbox *outbox = wait->outbox;
	struct outbox_op *op;
	int r;

	if (!outbox_has_room(outbox, wait->entry->bytes)) {
		say_full(outbox, -ENOSPC);
		return -ENOSPC;
	}
	op = outbox_op_new(OUTBOX_OP_PUT);
	if (!op)
		return -ENOMEM;
	wait->entry->epoch = outbox->epoch;
	op->entry = wait->entry;
	op->waiter = wait;
	outbox->committing++;
	outbox->committing_bytes += wait->entry->bytes;
	wait->state->entries++;
	r = outbox_writer_put(outbox->writer, op);
	if (r < 0) {
		outbox->committing--;
		outbox->committing_bytes -= wait->entry->bytes;
		wait->state->entries--;
		outbox_op_free(op);
	}
	return r;
}

/* keep(), for one that was accepted before. */
static void keep_or_tell(struct outbox_wait *wait)
{
	struct outbox_key_state *state = wait->state;
	struct outbox *outbox = wait->outbox;
	int r = keep(wait);

	if (r == 0)
		return;
	finish(wait, wait->unknown ? -SHOAL_EUNKNOWN : r, OUTBOX_KEPT, NULL);
	outbox_keys_release(&outbox->keys, state);
}

static void note_file(struct outbox *outbox, int error)
{
	if (error == 0) {
		if (outbox->error)
			log_info(NULL, "outbox.back", KV_MSG("the outbox can be written again"));
		outbox->error = 0;
		outbox->full_said = false;
		return;
	}
	if (error != outbox->error)
		outbox_alert(outbox, "outbox.failing", "the outbox in %s can't be written: %s", outbox->path,
			     error_text(error));
	if (error != outbox->error)
		log_error(NULL, "outbox.failing", KV_ERR(error), KV_STR("folder", outbox->path),
			  KV_MSG("the outbox's file can't be written: while PostgreSQL is away writes are refused, and "
				 "members told so"));
	outbox->error = error;
}

/* Kept, or not. Takes the op's entry and its waiter. */
static void on_put(struct outbox *outbox, struct outbox_op *op)
{
	struct outbox_wait *wait = op->waiter;
	struct outbox_entry *entry = TAKE(wait->entry);
	struct outbox_key_state *state = wait->state;

	outbox->committing--;
	outbox->committing_bytes -= entry->bytes;
	note_file(outbox, op->result);
	if (op->result < 0) {
		wait->entry = entry;
		finish(wait, wait->unknown ? -SHOAL_EUNKNOWN : op->result, OUTBOX_KEPT, NULL);
		state->entries--;
		outbox_keys_release(&outbox->keys, state);
		return;
	}
	outbox->stats.kept++;
	state->latest = entry;
	outbox_list_add(&outbox->waiting, entry);
	finish(wait, 0, OUTBOX_KEPT, NULL);
	outbox_apply_step(outbox);
}

/* --- going straight ----------------------------------------------------------------------------------------------- */

static struct outbox_lane *lane_get(struct outbox *outbox)
{
	struct outbox_lane *lane = outbox->lanes;

	if (lane) {
		outbox->lanes = lane->next;
		return lane;
	}
	if (outbox->lane_count >= OUTBOX_LANES_MAX)
		return NULL;
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	lane->source = (random_u64() >> 1) | 1;
	outbox->lane_count++;
	return lane;
}

/* @settled: it is known whether the number it gave was written. */
static void lane_put(struct outbox *outbox, struct outbox_lane *lane, bool settled)
{
	if (!lane)
		return;
	if (settled) {
		lane->next = outbox->lanes;
		outbox->lanes = lane;
		return;
	}
	outbox->lane_count--;
	free(lane);
}

/* What becomes of a write that went straight. */
enum straight_end {
	END_REFUSED, /* the database's last word */
	END_KEEP,    /* it is not written: it goes to the file under a number of that */
	END_SETTLE,  /* it may be written: it goes to the file as what it is */
};

static enum straight_end end_of(int error)
{
	switch (error) {
	case -SHOAL_EUNKNOWN:
	case -ECANCELED:
		return END_SETTLE;
	case -SHOAL_EOFFLINE:
	case -ETIMEDOUT:
	case -EDQUOT:
	case -EAGAIN:
	case -ENOBUFS:
	case -ENOMEM:
		return END_KEEP;
	default:
		return END_REFUSED;
	}
}

static void on_straight(void *arg, int error, const struct db_results *results)
{
	struct outbox_wait *wait = arg;
	struct outbox *outbox = wait->outbox;
	struct outbox_key_state *state = wait->state;
	struct outbox_lane *lane = TAKE(wait->lane);
	const struct db_result *result = error == 0 ? db_results_at(results, 1) : NULL;
	enum straight_end end;

	if (error == -EALREADY) /* an earlier try had got through */
		error = 0;
	end = error == 0 ? END_REFUSED : end_of(error);
	lane_put(outbox, lane, end != END_SETTLE);
	if (error == 0) {
		outbox_keys_settle(&outbox->keys, state, TAKE(wait->entry), clock_monotonic_ns());
		finish(wait, 0, OUTBOX_WRITTEN, result);
	} else if (end == END_REFUSED) {
		finish(wait, error, OUTBOX_WRITTEN, NULL);
	} else {
		if (end == END_KEEP && !wait->token)
			wait->entry->source = 0;
		wait->unknown = end == END_SETTLE;
		wait->entry->unsure = end == END_SETTLE || wait->token;
		keep_or_tell(wait);
	}
	run_deferred(outbox, state);
}

/* 0: under way. -EAGAIN and the like: keep it. -EINVAL, -EMSGSIZE: it never can. */
static int go_straight(struct outbox_wait *wait)
{
	struct outbox *outbox = wait->outbox;
	struct outbox_entry *entry = wait->entry;
	const struct statement *statement = db_find(outbox->db, entry->owner, entry->statement);
	struct outbox_lane *lane = NULL;
	int r;

	if (!wait->token) {
		lane = lane_get(outbox);
		if (!lane)
			return -ENOBUFS;
		entry->source = lane->source;
		entry->number = ++lane->number;
		entry->kind = OUTBOX_KIND_LANE;
	}
	{
		struct db_param advance[] = { DB_INT8((int64_t)entry->source), DB_INT8((int64_t)entry->number),
					      DB_INT8((int64_t)entry->number), DB_INT8(entry->kind) };
		struct db_call calls[] = { { &outbox_statements[OUTBOX_ADVANCE], advance, ARRAY_SIZE(advance) },
					   { statement, entry->params, entry->param_count } };

		r = db_transaction(outbox->db, calls, ARRAY_SIZE(calls), on_straight, wait);
	}
	if (r < 0) {
		lane_put(outbox, lane, true);
		if (!wait->token)
			entry->source = 0;
		return r;
	}
	wait->lane = lane;
	wait->state->straight++;
	outbox->swept_for = true;
	return 0;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void defer(struct outbox_wait *wait)
{
	struct outbox_key_state *state = wait->state;

	wait->next = NULL;
	*state->tail = wait;
	state->tail = &wait->next;
	state->deferred++;
}

/* What goes straight, and what is kept. 0: it is on its way. */
static int route(struct outbox_wait *wait)
{
	struct outbox *outbox = wait->outbox;
	int r;

	if (!wait->at_once && wait->state->entries == 0 && !db_is_away(outbox->db)) {
		r = go_straight(wait);
		if (r == 0 || r == -EINVAL || r == -EMSGSIZE)
			return r;
	}
	return keep(wait);
}

/* One that was accepted before and had to wait. */
static void submit(struct outbox_wait *wait)
{
	struct outbox *outbox = wait->outbox;
	struct outbox_key_state *state = wait->state;
	int r = route(wait);

	if (r < 0) {
		finish(wait, r, OUTBOX_KEPT, NULL);
		outbox_keys_release(&outbox->keys, state);
	}
}

/* The one that was under way is over: the next one of the key, or all when they go to the file. Until then it counts
 * as under way, so that what a callback writes queues up behind, and the key does not go. @state may go at the end. */
static void run_deferred(struct outbox *outbox, struct outbox_key_state *state)
{
	struct outbox_wait *wait;

	while (state->straight == 1 && (wait = state->first)) {
		state->first = wait->next;
		if (!state->first)
			state->tail = &state->first;
		state->deferred--;
		submit(wait);
	}
	state->straight--;
	outbox_keys_release(&outbox->keys, state);
}

/* The identity of a write that has a token: the same each time it is asked for, and another one for another value. */
static uint64_t token_source(const struct outbox_write *write)
{
	const char *const texts[] = { write->owner, write->statement, write->key.name };
	uint64_t hash = 0xCBF29CE484222325ULL; /* FNV-1a */

	for (size_t shift = 0; shift < 64; shift += 8)
		hash = (hash ^ ((write->token >> shift) & 0xFF)) * 0x100000001B3ULL;
	for (size_t shift = 0; shift < 64; shift += 8)
		hash = (hash ^ ((write->key.id >> shift) & 0xFF)) * 0x100000001B3ULL;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (const char *at = texts[i];; at++) {
			hash = (hash ^ (unsigned char)*at) * 0x100000001B3ULL;
			if (!*at)
				break;
		}
	return (hash >> 1) | 1;
}

static bool waits_already(const struct outbox *outbox, const struct outbox_entry *entry)
{
	const struct outbox_entry *one = outbox->waiting.first;

	while (one && (one->source != entry->source || one->number != entry->number))
		one = one->next;
	return one;
}

static int wait_new(struct outbox *outbox, const struct outbox_write *write, struct outbox_wait **ret_wait)
{
	const struct statement *statement;
	struct outbox_wait *wait;
	int r;

	if (!write->owner || !write->statement || !write->key.name)
		return -EINVAL;
	statement = db_find(outbox->db, write->owner, write->statement);
	if (!statement || statement->flags & STATEMENT_READ_ONLY)
		return -EINVAL;
	wait = calloc(1, sizeof(*wait));
	if (!wait)
		return -ENOMEM;
	r = outbox_entry_new(write, statement, &wait->entry);
	if (r < 0) {
		free(wait);
		return r;
	}
	wait->outbox = outbox;
	wait->at_once = write->at_once;
	wait->token = write->token != 0;
	if (wait->token) {
		wait->entry->source = token_source(write);
		wait->entry->number = 1;
		wait->entry->kind = OUTBOX_KIND_TOKEN;
		wait->entry->unsure = true; /* a worker before us may have written it */
	}
	wait_link(wait);
	*ret_wait = wait;
	return 0;
}

int outbox_write(struct outbox *outbox, const struct outbox_write *write, outbox_fn fn, void *arg)
{
	struct outbox_key_state *state;
	struct outbox_wait *wait;
	int r;

	if (outbox->closing)
		return -SHOAL_EOFFLINE;
	r = wait_new(outbox, write, &wait);
	if (r < 0)
		return r;
	state = wait->state = outbox_keys_get(&outbox->keys, write->key);
	if (!state) {
		wait_free(wait);
		return -ENOMEM;
	}
	if (wait->token && state->entries > 0 && waits_already(outbox, wait->entry)) {
		wait->fn = fn;
		wait->arg = arg;
		finish_soon(wait, 0);
		return 0;
	}
	if (state->straight == 0)
		r = route(wait);
	else if (state->deferred < OUTBOX_DEFERRED_MAX)
		defer(wait);
	else
		r = -ENOBUFS;
	if (r < 0) {
		if (r == -ENOSPC)
			outbox->stats.refused++;
		wait_free(wait);
		outbox_keys_release(&outbox->keys, state);
		return r;
	}
	wait->fn = fn;
	wait->arg = arg;
	return 0;
}

bool outbox_pending(const struct outbox *outbox, struct outbox_key key, uint64_t asked_ns, const char **ret_value,
		    size_t *ret_len)
{
	const struct outbox_key_state *state = outbox ? outbox_keys_find(&outbox->keys, key) : NULL;
	const struct outbox_entry *entry = state ? state->latest : NULL;

	if (!entry && state && asked_ns && state->settled && state->settled_ns >= asked_ns)
		entry = state->settled;
	if (!entry)
		return false;
	*ret_value = entry->value;
	if (ret_len)
		*ret_len = entry->value_len;
	return true;
}

bool outbox_under_way(const struct outbox *outbox, struct outbox_key key, const char **ret_value, size_t *ret_len)
{
	const struct outbox_key_state *state = outbox ? outbox_keys_find(&outbox->keys, key) : NULL;
	const struct outbox_wait *wait = state && (state->straight || state->entries) ? outbox->waits : NULL;

	while (wait && (wait->state != state || !wait->entry)) /* the newest is the first */
		wait = wait->all_next;
	if (!wait)
		return false;
	*ret_value = wait->entry->value;
	if (ret_len)
		*ret_len = wait->entry->value_len;
	return true;
}

bool outbox_is_idle(const struct outbox *outbox)
{
	return !outbox || !outbox->keys.all;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static void say_found(struct outbox *outbox, const struct outbox_found *found)
{
	if (found->damaged)
		log_error(NULL, "outbox.damaged", KV_STR("file", found->aside), KV_U64("salvaged", found->salvaged),
			  KV_U64("rows_unreadable", found->lost_rows),
			  KV_MSG("the outbox's file was damaged: what could be read of it was taken over, the file is "
				 "kept "
				 "aside; writes in rows that can't be read are lost"));
	if (found->waiting.count + found->dead.count > 0)
		log_info(NULL, "outbox.found", KV_U64("waiting", found->waiting.count),
			 KV_U64("dead", found->dead.count), KV_STR("folder", outbox->path));
	if (found->damaged)
		outbox_alert(outbox, "outbox.damaged",
			     "the outbox's file was damaged and is kept as %s; %zu writes were read out of it",
			     found->aside, found->salvaged);
}

/* Takes what a file held. @late: it comes when others have been written already. */
static void take_found(struct outbox *outbox, struct outbox_found *found, bool late)
{
	struct outbox_entry *entry;

	while ((entry = found->waiting.first)) {
		outbox_list_remove(&found->waiting, entry);
		entry->unsure = true;
		if (late)
			entry->flags |= OUTBOX_ENTRY_IMPORTED;
		if (outbox_entry_waits(outbox, entry) < 0)
			outbox_entry_free(entry); /* no memory: it stays in the file for the next worker */
	}
	while ((entry = found->dead.first)) {
		outbox_list_remove(&found->dead, entry);
		outbox_list_add(&outbox->dead, entry);
	}
}

/* A copy goes to the thread: the entry itself may be written and gone before that comes to it. */
static void put_again(struct outbox *outbox, const struct outbox_entry *entry)
{
	CLEANUP(cleanup_free) char *record = malloc(entry->bytes);
	struct outbox_op *op = outbox_op_new(OUTBOX_OP_PUT);

	if (!record || !op || outbox_entry_decode(record, outbox_entry_encode(entry, record), &op->entry) < 0) {
		outbox_op_free(op);
		return; /* no memory: it is in ours, and this file is not its only chance */
	}
	if (outbox_writer_put(outbox->writer, op) < 0) {
		outbox_entry_free(op->entry);
		outbox_op_free(op);
	}
}

/* The one of the same identity, or NULL. */
static struct outbox_entry *find_same(const struct outbox_list *list, const struct outbox_entry *entry)
{
	struct outbox_entry *one = list->first;

	while (one && (one->source != entry->source || one->number != entry->number))
		one = one->next;
	return one;
}

static void on_put_again(struct outbox *outbox, struct outbox_op *op)
{
	struct outbox_entry *entry = find_same(op->entry->died_ms ? &outbox->dead : &outbox->waiting, op->entry);

	note_file(outbox, op->result);
	if (op->result == 0 && entry)
		entry->seq = op->entry->seq;
	else if (op->result == 0 && !op->entry->died_ms)
		outbox_note_gone(outbox, op->entry->seq);
	outbox_entry_free(TAKE(op->entry));
}

/* What we know of one list beside what the file, opened again, has of it. */
static void compare(struct outbox *outbox, struct outbox_list *ours, const struct outbox_list *found)
{
	struct outbox_entry *entry, *same;

	for (entry = found->first; entry; entry = entry->next) {
		same = find_same(ours, entry);
		if (same)
			same->seq = entry->seq; /* another one, when it was read out of a damaged file */
		else if (!entry->died_ms)
			outbox_note_gone(outbox, entry->seq); /* it was refused, or written meanwhile */
	}
	for (entry = ours->first; entry; entry = entry->next)
		if (!find_same(found, entry))
			put_again(outbox, entry);
}

/* The thread has opened the file: for the first time, or again after it had failed. Of the latter we know better what
 * is in it; but for a damaged one, to which it all must go again. */
static void on_opened(struct outbox *outbox, struct outbox_op *op)
{
	struct outbox_found *found = &op->found;

	say_found(outbox, found);
	if (op->result == -ESTALE) {
		log_error(NULL, "outbox.deleted", KV_STR("folder", outbox->path),
			  KV_MSG("the outbox's files were deleted under its worker; what waits is written into new "
				 "ones: nobody "
				 "else may remove files in supervisor.state_dir"));
		outbox_alert(outbox, "outbox.deleted",
			     "the outbox's files in %s were deleted; they were made anew, nothing is lost",
			     outbox->path);
	}
	if (outbox->unopened || !outbox->opened) {
		take_found(outbox, found, outbox->unopened);
		outbox->unopened = false;
		outbox->opened = true;
		outbox_apply_step(outbox);
		return;
	}
	compare(outbox, &outbox->waiting, &found->waiting);
	compare(outbox, &outbox->dead, &found->dead);
}

static void settle_op(struct outbox *outbox, struct outbox_op *op)
{
	switch (op->kind) {
	case OUTBOX_OP_PUT:
		if (op->waiter)
			on_put(outbox, op);
		else
			on_put_again(outbox, op);
		break;
	case OUTBOX_OP_BURY:
		note_file(outbox, op->result);
		break;
	case OUTBOX_OP_FORGET:
		outbox->gone_inside = 0;
		note_file(outbox, op->result);
		for (size_t i = 0; op->result < 0 && i < op->seq_count; i++)
			outbox_note_gone(outbox, op->seqs[i]);
		break;
	case OUTBOX_OP_OPENED:
		on_opened(outbox, op);
		break;
	default:
		outbox_admin_done(outbox, op);
		return;
	}
	outbox_op_free(op);
}

static void on_op(void *arg, struct outbox_op *op)
{
	settle_op(arg, op);
	outbox_changed(arg);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_tick(void *arg)
{
	struct outbox *outbox = arg;
	uint64_t now_ns = clock_monotonic_ns();
	struct outbox_op *op;

	outbox_keys_sweep(&outbox->keys, now_ns);
	outbox_flush_gone(outbox);
	/* Nothing to be done but to open it, since writes may wait in it. */
	if (outbox->unopened && now_ns >= outbox->reopen_ns) {
		outbox->reopen_ns = now_ns + 5 * NS_PER_S;
		op = outbox_op_new(OUTBOX_OP_FORGET);
		outbox_hand_over(outbox, op);
	}
	outbox_admin_tick(outbox, now_ns);
	outbox_apply_tick(outbox, now_ns);
}

void outbox_wake(struct outbox *outbox)
{
	if (!outbox || outbox->closing)
		return;
	outbox->retry_ns = 0;
	outbox_apply_step(outbox);
}

/* Reads what is there before anything is written. */
static int open_first(struct outbox *outbox, const struct outbox_file_options *options)
{
	struct outbox_found found = { 0 };
	struct outbox_file *file = NULL;
	int r = 0;

	if (outbox_file_exists(options->path)) {
		r = outbox_file_open(options, &found, &file);
		outbox->unopened = r < 0;
		outbox->opened = r == 0;
		note_file(outbox, r);
	}
	say_found(outbox, &found);
	take_found(outbox, &found, false);
	return outbox_writer_new(outbox->loop, options, file, on_op, outbox, &outbox->writer);
}

int outbox_new(struct loop *loop, const struct outbox_options *options, struct db *db, struct outbox **ret_outbox)
{
	struct outbox *outbox = calloc(1, sizeof(*outbox));
	struct outbox_file_options file = { .max_mib = options->max_mib, .failed = options->failed };
	int r;

	if (!outbox)
		return -ENOMEM;
	r = outbox_file_path(options->state_dir, options->shard_id, options->shard_count, file.path);
	if (r < 0) {
		free(outbox);
		return r;
	}
	snprintf(outbox->state_dir, sizeof(outbox->state_dir), "%s", options->state_dir);
	strcpy(outbox->path, file.path);
	outbox->loop = loop;
	outbox->db = db;
	outbox->shard_count = options->shard_count;
	outbox->entries_max = options->max_entries;
	outbox->bytes_max = ((size_t)options->max_mib << 20) / ROOM_SHARE;
	outbox->dead_keep_ms = (uint64_t)options->dead_keep_days * 24 * 3600 * 1000;
	outbox->epoch = options->epoch;
	outbox->alert = options->alert;
	outbox->alert_arg = options->alert_arg;
	outbox->changed = options->changed;
	outbox->changed_arg = options->changed_arg;
	outbox->told_tail = &outbox->told;
	r = timer_init(&outbox->soon, loop, on_soon, outbox);
	if (r == 0)
		r = open_first(outbox, &file);
	if (r < 0) {
		outbox_list_clear(&outbox->waiting);
		outbox_list_clear(&outbox->dead);
		outbox_keys_finish(&outbox->keys);
		free(outbox);
		return r;
	}
	loop_at_tick(loop, &outbox->tick, on_tick, outbox);
	*ret_outbox = outbox;
	return 0;
}

void outbox_closing(struct outbox *outbox)
{
	struct outbox_wait *wait;

	if (!outbox || outbox->closing)
		return;
	outbox->closing = true;
	loop_remove_hook(&outbox->tick);
	outbox_admin_closing(outbox);
	for (wait = outbox->waits; wait; wait = wait->all_next) {
		outbox_fn fn = TAKE(wait->fn);

		if (fn)
			fn(wait->arg, -ECANCELED, OUTBOX_KEPT, NULL);
	}
}

static void on_part_closed(void *arg)
{
	struct outbox *outbox = arg;
	struct outbox_lane *lane;

	if (--outbox->handles > 0)
		return;
	while ((lane = outbox->lanes)) {
		outbox->lanes = lane->next;
		free(lane);
	}
	/* Whoever is left waited for one that was under way, and was told. */
	while (outbox->waits)
		wait_free(outbox->waits);
	outbox_list_clear(&outbox->waiting);
	outbox_list_clear(&outbox->dead);
	outbox_keys_finish(&outbox->keys);
	free(outbox->gone);
	if (outbox->closed)
		outbox->closed(outbox->closed_arg);
	free(outbox);
}

void outbox_close(struct outbox *outbox, loop_fn closed, void *arg)
{
	if (!outbox)
		return;
	outbox_closing(outbox);
	outbox->closed = closed;
	outbox->closed_arg = arg;
	outbox_flush_gone(outbox);
	outbox->handles = 2;
	timer_close(&outbox->soon, on_part_closed);
	outbox_writer_close(outbox->writer, on_part_closed, outbox);
}
