/* The outbox's thread: takes what the loop hands over, commits what there is together (a sync), hands it back. Opens
 * the file when it is first needed. Loop thread only, but for what runs inside. */
#ifndef SHOAL_SHARED_DB_OUTBOX_WRITER_H
#define SHOAL_SHARED_DB_OUTBOX_WRITER_H

#include "shared/db/outbox_file.h"
#include "shared/loop/inlet.h"
#include "shared/loop/loop.h"

struct outbox_writer;

enum outbox_op_kind {
	OUTBOX_OP_PUT,     /* @entry to the end of what waits */
	OUTBOX_OP_BURY,    /* @entry to the dead */
	OUTBOX_OP_REVIVE,  /* @entry from the dead to the end of what waits */
	OUTBOX_OP_DROP,    /* @entry away from the dead */
	OUTBOX_OP_FORGET,  /* @seqs away from what waits: they are written */
	OUTBOX_OP_IMPORT,  /* all that waits in the file under @path to the end of what waits here; that file goes */
	OUTBOX_OP_OPENED,  /* comes unasked: the file was opened by the thread; @found is the receiver's; -ESTALE: since
			    * it was deleted under us */
	OUTBOX_OP_STOPPED, /* the writer's own */
};

/* Zeroed by its maker but for what it says. */
struct outbox_op {
	struct inlet_item item;
	enum outbox_op_kind kind;
	int result; /* 0: it is on the disk; else nothing of it is, and @entry is as it was */
	struct outbox_entry *entry;
	uint64_t *seqs; /* owned */
	size_t seq_count;
	char path[OUTBOX_PATH_SIZE];
	struct outbox_found found; /* of OPENED; of IMPORT, whose entries have their place here already */
	void *waiter;              /* the maker's own */
	struct outbox_op *next;    /* the writer's own */
};

/* On the loop. Takes @op. */
typedef void (*outbox_op_fn)(void *arg, struct outbox_op *op);

struct outbox_writer_stats {
	uint64_t commits, commit_us, commit_max_us, ops;
};

/* Takes @file (may be NULL: the thread opens it when there is something to write); copies @options. No thread yet. */
int outbox_writer_new(struct loop *loop, const struct outbox_file_options *options, struct outbox_file *file,
		      outbox_op_fn done, void *arg, struct outbox_writer **ret_writer);
/* Takes @op; @done gets it back, never from within. -EAGAIN, -ENOMEM: no thread can be made, @op stays the caller's. */
int outbox_writer_put(struct outbox_writer *writer, struct outbox_op *op);
struct outbox_op *outbox_op_new(enum outbox_op_kind kind);
void outbox_op_free(struct outbox_op *op); /* not its entry */
void outbox_writer_stats(struct outbox_writer *writer, struct outbox_writer_stats *ret_stats);
/* What was put is still done and handed back; then @closed. */
void outbox_writer_close(struct outbox_writer *writer, loop_fn closed, void *arg);

#endif
