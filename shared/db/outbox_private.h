/* What the outbox's rooms share: outbox.c (writes in), outbox_apply.c (writes out), outbox_admin.c (looking at it).
 * Nobody else includes this. */
#ifndef SHOAL_SHARED_DB_OUTBOX_PRIVATE_H
#define SHOAL_SHARED_DB_OUTBOX_PRIVATE_H

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/db/outbox.h"
#include "shared/db/outbox_keys.h"
#include "shared/db/outbox_writer.h"

#define OUTBOX_BATCH_MAX       24                /* entries of one transaction; each may bring a second statement */
#define OUTBOX_BATCH_BYTES_MAX (1024UL * 1024UL) /* of their parameters */
#define OUTBOX_LANES_MAX       256               /* writes that go straight at the same time */

/* Writes that go straight, one after the other, under numbers of one source. One whose number is not settled is given
 * up: a higher number of its source would make the database take it for written. */
struct outbox_lane {
	struct outbox_lane *next;
	uint64_t source, number; /* the last one that was used */
};

/* A write that somebody waits for. */
struct outbox_wait {
	struct outbox_wait *next;
	struct outbox *outbox;
	struct outbox_entry *entry;
	struct outbox_key_state *state;
	struct outbox_lane *lane; /* while it goes straight */
	bool token;               /* its identity is its own */
	bool at_once;
	bool unknown; /* it may be in the database */
	outbox_fn fn; /* NULL: nobody waits any more */
	void *arg;
	int error; /* for the timer: what to tell */
	struct outbox_wait *all_prev, *all_next;
};

struct outbox_call; /* outbox_admin.c's */

enum outbox_apply_state { OUTBOX_APPLY_IDLE, OUTBOX_APPLY_ASKING, OUTBOX_APPLY_WRITING };

struct outbox {
	struct loop *loop;
	struct db *db;
	struct outbox_writer *writer;
	struct outbox_keys keys;
	char state_dir[OUTBOX_PATH_SIZE], path[OUTBOX_PATH_SIZE];
	uint32_t shard_count;
	size_t entries_max, bytes_max;
	uint64_t dead_keep_ms;
	uint64_t epoch;
	void (*alert)(void *arg, const char *event, const char *text);
	void *alert_arg;
	void (*changed)(void *arg);
	void *changed_arg;
	struct loop_hook tick;
	struct timer soon; /* what must not be called from within */
	bool closing;

	/* writes in */
	struct outbox_wait *waits; /* every one that has a callback to come */
	struct outbox_wait *told, **told_tail;
	struct outbox_lane *lanes;
	size_t lane_count; /* in use and free */
	size_t committing, committing_bytes;

	/* what is on the disk */
	struct outbox_list waiting, dead;
	bool opened;   /* the file was, once */
	bool unopened; /* there is a file that could not be opened */
	uint64_t reopen_ns;
	int error; /* of the file */
	bool full_said;
	uint64_t *gone; /* seqs that are written and still in the file */
	size_t gone_count, gone_size;
	size_t gone_inside; /* with the writer */
	bool imports_asked; /* with the writer */
	uint64_t import_ns; /* when files of other shard counts are looked for again */
	int import_error;

	struct outbox_call *calls; /* of operators, open */

	/* writes out */
	enum outbox_apply_state apply;
	struct outbox_entry *batch[OUTBOX_BATCH_MAX];
	bool batch_late[OUTBOX_BATCH_MAX];
	size_t batch_places[OUTBOX_BATCH_MAX]; /* which statement of the transaction */
	size_t batch_count;
	size_t careful;    /* so many more go one by one */
	uint64_t retry_ns; /* not before; 0: at once */
	uint32_t failures; /* in a row */
	int apply_error;   /* why it does not go on */
	uint64_t sweep_ns;
	bool swept_for; /* something was written under a short-lived identity */
	char reason[OUTBOX_REASON_SIZE];

	struct outbox_stats stats; /* its counters alone */
	loop_fn closed;
	void *closed_arg;
	unsigned int handles;
};

/* --- outbox.c --- */

/* Takes @entry out of what waits, and off its key. @written: its value is what the database has now; else it is not.
 * Frees it, or keeps it where its value is still wanted; when @dead it goes there instead. */
void outbox_entry_written(struct outbox *outbox, struct outbox_entry *entry);
void outbox_entry_dead(struct outbox *outbox, struct outbox_entry *entry, int error, const char *reason);
/* Something that an operator must see; the log has it already. */
void outbox_alert(const struct outbox *outbox, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);
/* The lists of what waits and what is dead have changed. */
void outbox_changed(const struct outbox *outbox);
/* Hands an op to the writer; frees it when that fails. */
int outbox_hand_over(struct outbox *outbox, struct outbox_op *op);
/* Adds one that is on the disk to what waits. -ENOMEM. */
int outbox_entry_waits(struct outbox *outbox, struct outbox_entry *entry);
void outbox_flush_gone(struct outbox *outbox);
/* The entry of that seq need not lie in the file any more. */
void outbox_note_gone(struct outbox *outbox, uint64_t seq);
bool outbox_has_room(const struct outbox *outbox, size_t bytes);

/* --- outbox_apply.c --- */

/* Goes on with bringing what waits to the database, if it can. */
void outbox_apply_step(struct outbox *outbox);
/* Each slow tick: also sweeps. */
void outbox_apply_tick(struct outbox *outbox, uint64_t now_ns);

/* --- outbox_admin.c --- */

/* Looks for files of other shard counts, drops dead letters that are too old. */
void outbox_admin_tick(struct outbox *outbox, uint64_t now_ns);
/* An op of the operator's came back. Takes it. */
void outbox_admin_done(struct outbox *outbox, struct outbox_op *op);
/* Open calls end with -ECANCELED. */
void outbox_admin_closing(struct outbox *outbox);

#endif
