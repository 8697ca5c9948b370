/* A thread with a queue before it and the loop's inlet behind it. A group is all that is in the queue when the thread
 * comes round; it is one LMDB transaction, so that a hundred writes cost one sync. When a group fails each of its ops
 * is tried alone: a full disk refuses what does not fit, not what came with it. Must not touch the loop but by the
 * inlet, nor an entry that it has handed back. */
#include "shared/db/outbox_writer.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"

#define STACK_BYTES (512 * 1024)
/* LMDB copies the pages that a transaction changes: a larger one would need more room than it writes. */
#define GROUP_MAX 128
/* A file that failed is opened again after this long at the earliest. */
#define REOPEN_NS (2 * NS_PER_S)
/* A file that was deleted is missed after this long at the latest. */
#define LOOK_S 1

struct outbox_writer {
	struct inlet *inlet;
	outbox_op_fn done;
	void *arg;
	struct outbox_file_options options;
	pthread_t thread;
	bool running; /* there is a thread */
	loop_fn closed;
	void *closed_arg;

	pthread_mutex_t lock; /* guards what follows up to the next gap */
	pthread_cond_t wake;
	struct outbox_op *first, **tail;
	bool stop;
	struct outbox_writer_stats stats;

	/* the thread's own, once it runs */
	struct outbox_file *file;
	uint64_t failed_ns; /* when the file failed; 0: not */
	int error;          /* how */
	bool deleted;       /* it was, and is not made anew yet */
};

struct outbox_op *outbox_op_new(enum outbox_op_kind kind)
{
	struct outbox_op *op = calloc(1, sizeof(*op));

	if (op)
		op->kind = kind;
	return op;
}

void outbox_op_free(struct outbox_op *op)
{
	if (!op)
		return;
	free(op->seqs);
	outbox_list_clear(&op->found.waiting);
	outbox_list_clear(&op->found.dead);
	free(op);
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

/* The inlet is as large as it can get: it refuses only when it is closed, and it is not before this thread has ended.
 */
static void hand_back(struct outbox_writer *writer, struct outbox_op *op)
{
	if (inlet_put(writer->inlet, &op->item) < 0) {
		outbox_entry_free(op->entry);
		outbox_op_free(op);
	}
}

static int open_file(struct outbox_writer *writer)
{
	struct outbox_op *op;
	int r;

	if (writer->file)
		return 0;
	if (writer->failed_ns && clock_monotonic_ns() - writer->failed_ns < REOPEN_NS)
		return writer->error;
	op = outbox_op_new(OUTBOX_OP_OPENED);
	if (!op)
		return -ENOMEM;
	r = outbox_file_open(&writer->options, &op->found, &writer->file);
	op->result = writer->deleted ? -ESTALE : 0;
	if (r < 0) {
		outbox_op_free(op);
		/* A full disk may have room for the next one. */
		writer->failed_ns = r == -ENOSPC || r == -EDQUOT ? 0 : clock_monotonic_ns();
		writer->error = r;
		return r;
	}
	writer->failed_ns = 0;
	writer->deleted = false;
	hand_back(writer, op);
	return 0;
}

/* A file that was deleted is no longer one that outlasts us. A new one is made, and the loop, told of it, has put there
 * what it knows. */
static void look_for_file(struct outbox_writer *writer)
{
	if (writer->file && outbox_file_is_deleted(writer->file)) {
		writer->options.first = outbox_file_next(writer->file);
		writer->file = outbox_file_close(writer->file);
		writer->deleted = true;
	}
	if (writer->deleted)
		open_file(writer);
}

/* Takes over what waits in another file. Its entries get places here; that file goes when they are safe. */
static int import(struct outbox_writer *writer, struct outbox_op *op)
{
	struct outbox_file_options options = { .max_mib = writer->options.max_mib };
	struct outbox_file *from = NULL;
	struct outbox_entry *entry;
	int r;

	strcpy(options.path, op->path);
	r = outbox_file_open(&options, &op->found, &from);
	if (r < 0)
		return r;
	if (op->found.waiting.first || op->found.dead.first)
		r = open_file(writer);
	for (entry = op->found.waiting.first; r == 0 && entry; entry = entry->next) {
		entry->flags |= OUTBOX_ENTRY_IMPORTED;
		r = outbox_file_put(writer->file, entry);
	}
	for (entry = op->found.dead.first; r == 0 && entry; entry = entry->next)
		r = outbox_file_put(writer->file, entry);
	if (r == 0 && writer->file)
		r = outbox_file_commit(writer->file);
	if (r == 0) {
		outbox_file_remove(from);
		return 0;
	}
	outbox_list_clear(&op->found.waiting);
	outbox_list_clear(&op->found.dead);
	outbox_file_close(from);
	return r;
}

static int forget(struct outbox_writer *writer, const struct outbox_op *op)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < op->seq_count; i++)
		r = outbox_file_delete(writer->file, op->seqs[i], false);
	return r;
}

static int run_op(struct outbox_writer *writer, struct outbox_op *op)
{
	switch (op->kind) {
	case OUTBOX_OP_PUT:
		return outbox_file_put(writer->file, op->entry);
	case OUTBOX_OP_BURY:
		return outbox_file_bury(writer->file, op->entry);
	case OUTBOX_OP_REVIVE:
		return outbox_file_revive(writer->file, op->entry);
	case OUTBOX_OP_DROP:
		return outbox_file_delete(writer->file, op->entry->seq, true);
	case OUTBOX_OP_FORGET:
		return forget(writer, op);
	case OUTBOX_OP_IMPORT:
		return import(writer, op);
	default:
		return -EINVAL;
	}
}

static int commit(struct outbox_writer *writer)
{
	uint64_t began_ns = clock_monotonic_ns(), took_us;
	int r = outbox_file_commit(writer->file);

	took_us = (clock_monotonic_ns() - began_ns) / NS_PER_US;
	pthread_mutex_lock(&writer->lock);
	writer->stats.commits++;
	writer->stats.commit_us += took_us;
	writer->stats.commit_max_us = took_us > writer->stats.commit_max_us ? took_us : writer->stats.commit_max_us;
	pthread_mutex_unlock(&writer->lock);
	return r;
}

/* Out of room is no fault of the file's. */
static bool is_broken(int error)
{
	return error < 0 && error != -ENOSPC && error != -EDQUOT && error != -EFBIG && error != -ENOMEM &&
	       error != -EINVAL;
}

/* Gives up what is open. A file that failed by more than its size is opened anew when it is needed. */
static void give_up(struct outbox_writer *writer, int error)
{
	outbox_file_cancel(writer->file);
	if (!is_broken(error))
		return;
	writer->options.first = outbox_file_next(writer->file);
	writer->file = outbox_file_close(writer->file);
	writer->failed_ns = clock_monotonic_ns();
	writer->error = error;
}

static int try_alone(struct outbox_writer *writer, struct outbox_op *op)
{
	struct outbox_entry before;
	int r;

	r = op->kind == OUTBOX_OP_IMPORT ? 0 : open_file(writer);
	if (r < 0)
		return r;
	if (op->entry)
		before = *op->entry;
	r = run_op(writer, op);
	if (r == 0 && op->kind != OUTBOX_OP_IMPORT)
		r = commit(writer);
	if (r == 0)
		return 0;
	if (op->kind == OUTBOX_OP_REVIVE)
		*op->entry = before;
	/* What another file is like says nothing of ours. */
	if (writer->file)
		give_up(writer, op->kind == OUTBOX_OP_IMPORT ? -ENOSPC : r);
	return r;
}

/* A file that fails is opened anew at once: one that is damaged goes aside by that, and the op into the next. */
static int run_alone(struct outbox_writer *writer, struct outbox_op *op)
{
	bool open = writer->file;
	int r = try_alone(writer, op);

	/* What is named by its place has to wait: the loop must learn of the new ones first. */
	if (r == 0 || !open || writer->file || op->kind != OUTBOX_OP_PUT)
		return r;
	writer->failed_ns = 0;
	return try_alone(writer, op);
}

/* Those before @end in one transaction. False: none of it happened. */
static bool run_together(struct outbox_writer *writer, struct outbox_op *first, struct outbox_op *end)
{
	int r = 0;

	if (open_file(writer) < 0)
		return false;
	for (struct outbox_op *op = first; op != end && r == 0; op = op->next)
		r = run_op(writer, op);
	if (r == 0)
		r = commit(writer);
	if (r < 0)
		give_up(writer, r);
	return r == 0;
}

/* An import commits in its middle, and a revival changes its entry in a way that must be undone if it fails. */
static bool goes_alone(const struct outbox_op *op)
{
	return op->kind == OUTBOX_OP_IMPORT || op->kind == OUTBOX_OP_REVIVE;
}

static void run_group(struct outbox_writer *writer, struct outbox_op *ops)
{
	struct outbox_op *op, *end;
	size_t count;
	bool together;

	while (ops) {
		end = ops->next;
		for (count = 1; end && count < GROUP_MAX && !goes_alone(ops) && !goes_alone(end); end = end->next)
			count++;
		if (goes_alone(ops))
			end = ops->next;
		together = end != ops->next && run_together(writer, ops, end);
		while (ops != end) {
			op = ops;
			ops = ops->next;
			op->result = together ? 0 : run_alone(writer, op);
			hand_back(writer, op);
		}
	}
}

static struct timespec next_look(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += LOOK_S;
	return at;
}

/* What is there, or NULL when it is time to look after the file. *ret_over: there is nothing more to come. */
static struct outbox_op *take_all(struct outbox_writer *writer, bool *ret_over)
{
	const struct timespec at = next_look();
	struct outbox_op *ops;
	int code = 0;

	pthread_mutex_lock(&writer->lock);
	while (!writer->first && !writer->stop && code == 0)
		code = writer->file || writer->deleted ? pthread_cond_timedwait(&writer->wake, &writer->lock, &at)
						       : pthread_cond_wait(&writer->wake, &writer->lock);
	*ret_over = !writer->first && writer->stop;
	ops = TAKE(writer->first);
	writer->tail = &writer->first;
	pthread_mutex_unlock(&writer->lock);
	return ops;
}

static void *run(void *arg)
{
	struct outbox_writer *writer = arg;
	struct outbox_op *ops;
	bool over = false;

	while (!over) {
		ops = take_all(writer, &over);
		look_for_file(writer);
		run_group(writer, ops);
	}
	writer->file = outbox_file_close(writer->file);
	/* The last one: the loop may join us when it has come. */
	ops = outbox_op_new(OUTBOX_OP_STOPPED);
	while (!ops) {
		sched_yield(); /* no memory for the news of our end; who waits for it is in no hurry */
		ops = outbox_op_new(OUTBOX_OP_STOPPED);
	}
	hand_back(writer, ops);
	return NULL;
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static void free_writer(struct outbox_writer *writer)
{
	inlet_close(writer->inlet);
	outbox_file_close(writer->file);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->lock);
	if (writer->closed)
		writer->closed(writer->closed_arg);
	free(writer);
}

static void on_item(void *arg, struct inlet_item *item)
{
	struct outbox_writer *writer = arg;
	struct outbox_op *op = CONTAINER_OF(item, struct outbox_op, item);

	if (op->kind != OUTBOX_OP_STOPPED) {
		writer->done(writer->arg, op);
		return;
	}
	outbox_op_free(op);
	pthread_join(writer->thread, NULL); /* it is at its last instruction */
	free_writer(writer);
}

static void drop_item(struct inlet_item *item)
{
	struct outbox_op *op = CONTAINER_OF(item, struct outbox_op, item);

	outbox_entry_free(op->entry);
	outbox_op_free(op);
}

static int start_thread(struct outbox_writer *writer)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	sigset_t all, before;
	pthread_attr_t attributes;
	int r;

	/* Signals are the loop's, but for what the thread brings upon itself. */
	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&all, faults[i]);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&writer->thread, &attributes, run, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	writer->running = r == 0;
	return r;
}

int outbox_writer_new(struct loop *loop, const struct outbox_file_options *options, struct outbox_file *file,
		      outbox_op_fn done, void *arg, struct outbox_writer **ret_writer)
{
	struct outbox_writer *writer = calloc(1, sizeof(*writer));
	pthread_condattr_t clock;
	int r;

	if (!writer) {
		outbox_file_close(file);
		return -ENOMEM;
	}
	r = inlet_new(loop, SIZE_MAX, on_item, drop_item, writer, &writer->inlet);
	if (r < 0) {
		outbox_file_close(file);
		free(writer);
		return r;
	}
	pthread_mutex_init(&writer->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->wake, &clock);
	pthread_condattr_destroy(&clock);
	writer->tail = &writer->first;
	writer->options = *options;
	writer->options.failed = false; /* said of the first opening alone */
	writer->file = file;
	writer->done = done;
	writer->arg = arg;
	if (file)
		start_thread(writer); /* it looks after the file; tried again with the first op */
	*ret_writer = writer;
	return 0;
}

int outbox_writer_put(struct outbox_writer *writer, struct outbox_op *op)
{
	int r = writer->running ? 0 : start_thread(writer);

	if (r < 0)
		return r;
	op->next = NULL;
	pthread_mutex_lock(&writer->lock);
	*writer->tail = op;
	writer->tail = &op->next;
	writer->stats.ops++;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
	return 0;
}

void outbox_writer_stats(struct outbox_writer *writer, struct outbox_writer_stats *ret_stats)
{
	pthread_mutex_lock(&writer->lock);
	*ret_stats = writer->stats;
	pthread_mutex_unlock(&writer->lock);
}

void outbox_writer_close(struct outbox_writer *writer, loop_fn closed, void *arg)
{
	writer->closed = closed;
	writer->closed_arg = arg;
	if (!writer->running) {
		free_writer(writer);
		return;
	}
	pthread_mutex_lock(&writer->lock);
	writer->stop = true;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
}
