/* Looking at the outbox, and what operators order: dead letters back or away. Also what happens once in a while: files
 * of other shard counts are taken over, dead letters that are too old go. Run by the loop. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/db/outbox_private.h"
#include "shared/log/log.h"

#define IMPORT_EVERY_NS (60 * NS_PER_S)
#define NAMES_MAX       65536

/* One order of an operator's, of one or many entries. */
struct outbox_call {
	struct outbox_call *prev, *next;
	outbox_done_fn fn;
	void *arg;
	size_t open, count;
	int error;
};

/* --- looking ------------------------------------------------------------------------------------------------------ */

void outbox_stats(const struct outbox *outbox, struct outbox_stats *ret_stats)
{
	struct outbox_writer_stats writer;

	outbox_writer_stats(outbox->writer, &writer);
	*ret_stats = outbox->stats;
	ret_stats->waiting = outbox->waiting.count + outbox->committing;
	ret_stats->dead = outbox->dead.count;
	ret_stats->bytes = outbox->waiting.bytes + outbox->dead.bytes + outbox->committing_bytes;
	ret_stats->oldest_ms = outbox->waiting.first ? outbox->waiting.first->created_ms : 0;
	ret_stats->commits = writer.commits;
	ret_stats->commit_us = writer.commit_us;
	ret_stats->commit_max_us = writer.commit_max_us;
	ret_stats->error = outbox->error;
	ret_stats->apply_error = outbox->waiting.first ? outbox->apply_error : 0;
	ret_stats->reason = outbox->waiting.first ? outbox->reason : "";
}

static int each_of(const struct outbox_list *list, outbox_each_fn fn, void *arg)
{
	int r = 0;

	for (const struct outbox_entry *entry = list->first; r == 0 && entry; entry = entry->next) {
		struct outbox_item item;

		outbox_entry_show(entry, &item);
		r = fn(arg, &item);
	}
	return r;
}

int outbox_each(const struct outbox *outbox, outbox_each_fn fn, void *arg)
{
	int r = each_of(&outbox->waiting, fn, arg);

	return r ? r : each_of(&outbox->dead, fn, arg);
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

static void call_free(struct outbox *outbox, struct outbox_call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else
		outbox->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	free(call);
}

static void call_end(struct outbox *outbox, struct outbox_call *call)
{
	outbox_done_fn fn = call->fn;
	void *arg = call->arg;
	size_t count = call->count;
	int error = call->error;

	call_free(outbox, call);
	if (fn)
		fn(arg, error, count);
}

typedef bool (*wanted_fn)(const struct outbox_entry *entry, uint64_t what);

static bool wanted_id(const struct outbox_entry *entry, uint64_t id)
{
	return id == 0 || entry->seq == id;
}

static bool wanted_user(const struct outbox_entry *entry, uint64_t user_id)
{
	return entry->user_id == user_id || entry->key.id == user_id;
}

static bool wanted_age(const struct outbox_entry *entry, uint64_t before_ms)
{
	return entry->died_ms < (int64_t)before_ms;
}

/* Hands an op for each of the wanted dead to the writer. They are on no list until it comes back. */
static int order(struct outbox *outbox, enum outbox_op_kind kind, wanted_fn wanted, uint64_t what, outbox_done_fn fn,
		 void *arg)
{
	struct outbox_call *call = outbox->closing ? NULL : calloc(1, sizeof(*call));
	struct outbox_entry *entry, *next;
	struct outbox_op *op;
	int r = 0;

	if (!call)
		return outbox->closing ? -SHOAL_EOFFLINE : -ENOMEM;
	call->fn = fn;
	call->arg = arg;
	call->next = outbox->calls;
	if (outbox->calls)
		outbox->calls->prev = call;
	outbox->calls = call;
	for (entry = outbox->dead.first; entry; entry = next) {
		next = entry->next;
		if (!wanted(entry, what))
			continue;
		op = outbox_op_new(kind);
		if (!op) {
			r = -ENOMEM;
			break;
		}
		outbox_list_remove(&outbox->dead, entry);
		entry->epoch = kind == OUTBOX_OP_REVIVE ? outbox->epoch : entry->epoch;
		op->entry = entry;
		op->waiter = call;
		r = outbox_hand_over(outbox, op);
		if (r < 0) {
			outbox_list_add(&outbox->dead, entry);
			break;
		}
		call->open++;
	}
	if (call->open > 0)
		return 0;
	call_free(outbox, call);
	return r < 0 ? r : -ENOENT;
}

static bool waits(const struct outbox *outbox, uint64_t id)
{
	for (const struct outbox_entry *entry = outbox->waiting.first; entry; entry = entry->next)
		if (entry->seq == id)
			return true;
	return false;
}

int outbox_retry(struct outbox *outbox, uint64_t id, outbox_done_fn fn, void *arg)
{
	return order(outbox, OUTBOX_OP_REVIVE, wanted_id, id, fn, arg);
}

int outbox_drop(struct outbox *outbox, uint64_t id, outbox_done_fn fn, void *arg)
{
	if (id != 0 && waits(outbox, id))
		return -EBUSY;
	return order(outbox, OUTBOX_OP_DROP, wanted_id, id, fn, arg);
}

int outbox_forget(struct outbox *outbox, uint64_t user_id, outbox_done_fn fn, void *arg)
{
	return order(outbox, OUTBOX_OP_DROP, wanted_user, user_id, fn, arg);
}

/* --- files of other shard counts ---------------------------------------------------------------------------------- */

/* "3-of-16", and not of our count. */
static bool is_foreign(const struct outbox *outbox, const char *name)
{
	unsigned int shard, count;
	char again[32];

	if (sscanf(name, "%u-of-%u", &shard, &count) != 2 || count == outbox->shard_count)
		return false;
	snprintf(again, sizeof(again), "%u-of-%u", shard, count);
	return strcmp(again, name) == 0;
}

/* Another worker may be at it, or its own worker still there: then it is locked, and we look again later. */
static void look_for_files(struct outbox *outbox)
{
	char folder[OUTBOX_PATH_SIZE + 16];
	struct outbox_op *op;
	struct dirent *one;
	size_t names = 0;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/outbox", outbox->state_dir);
	dir = opendir(folder);
	while (dir && !outbox->imports_asked && names++ < NAMES_MAX && (one = readdir(dir))) {
		op = is_foreign(outbox, one->d_name) ? outbox_op_new(OUTBOX_OP_IMPORT) : NULL;
		if (!op)
			continue;
		if (snprintf(op->path, sizeof(op->path), "%s/%s", folder, one->d_name) >= (int)sizeof(op->path) ||
		    !outbox_file_exists(op->path)) {
			outbox_op_free(op);
			continue;
		}
		outbox->imports_asked = outbox_hand_over(outbox, op) == 0;
	}
	if (dir)
		closedir(dir);
}

static void on_imported(struct outbox *outbox, struct outbox_op *op)
{
	struct outbox_entry *entry;

	outbox->imports_asked = false;
	if (op->result < 0) {
		if (op->result != -EAGAIN && op->result != outbox->import_error)
			log_error(NULL, "outbox.import_failed", KV_STR("folder", op->path), KV_ERR(op->result),
				  KV_MSG("writes that another shard count left behind can't be taken over; they stay "
					 "where they are"));
		outbox->import_error = op->result;
		return;
	}
	log_info(NULL, "outbox.imported", KV_STR("folder", op->path), KV_U64("waiting", op->found.waiting.count),
		 KV_U64("dead", op->found.dead.count),
		 KV_MSG("writes that another shard count left behind were taken over"));
	while ((entry = op->found.waiting.first)) {
		outbox_list_remove(&op->found.waiting, entry);
		entry->unsure = true;
		if (outbox_entry_waits(outbox, entry) < 0)
			outbox_entry_free(entry); /* it is in the file for the next worker */
	}
	while ((entry = op->found.dead.first)) {
		outbox_list_remove(&op->found.dead, entry);
		outbox_list_add(&outbox->dead, entry);
	}
	outbox->import_ns = 0; /* there may be more of them */
	outbox_apply_step(outbox);
}

/* --- what comes back ---------------------------------------------------------------------------------------------- */

void outbox_admin_done(struct outbox *outbox, struct outbox_op *op)
{
	struct outbox_call *call = op->waiter;
	struct outbox_entry *entry = op->entry;
	enum outbox_op_kind kind = op->kind;
	int result = op->result;

	if (kind == OUTBOX_OP_IMPORT)
		on_imported(outbox, op);
	outbox_op_free(op);
	if (!call)
		return;
	if (result < 0) {
		outbox_list_add(&outbox->dead, entry);
	} else if (kind == OUTBOX_OP_DROP) {
		outbox_entry_free(entry);
	} else {
		entry->unsure = false;
		if (outbox_entry_waits(outbox, entry) < 0)
			outbox_entry_free(entry);
	}
	call->count += result == 0;
	if (call->error == 0)
		call->error = result;
	if (--call->open == 0)
		call_end(outbox, call);
	outbox_apply_step(outbox);
}

void outbox_admin_tick(struct outbox *outbox, uint64_t now_ns)
{
	int64_t before_ms = clock_wall_ms() - (int64_t)outbox->dead_keep_ms;

	if (outbox->dead.first && outbox->dead.first->died_ms < before_ms) {
		log_warn(NULL, "outbox.dead_too_old", KV_MSG("dead letters are dropped (outbox.dead_keep_days)"));
		order(outbox, OUTBOX_OP_DROP, wanted_age, (uint64_t)before_ms, NULL, NULL);
	}
	if (now_ns < outbox->import_ns)
		return;
	/* Not all workers of a host at the same moment. */
	outbox->import_ns = now_ns + IMPORT_EVERY_NS / 2 + random_below(IMPORT_EVERY_NS);
	look_for_files(outbox);
}

void outbox_admin_closing(struct outbox *outbox)
{
	for (struct outbox_call *call = outbox->calls; call; call = call->next) {
		outbox_done_fn fn = TAKE(call->fn);

		if (fn)
			fn(call->arg, -ECANCELED, 0);
	}
}
