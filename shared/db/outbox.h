/* The outbox: writes that must not be lost while PostgreSQL is away. One per shard, an LMDB file in the state
 * directory, written by a thread of its own (group commit): the loop hands entries over and is told when they are on
 * the disk.
 *
 * Every write that goes through here has an identity {source, number}, and the transaction that brings it to the
 * database moves the source's cursor beside it. So a write whose outcome is not known (the connection broke under it,
 * the worker was killed) is simply brought again: what had happened is recognised, and nothing happens twice.
 *
 * Order: of one key, writes take effect in the order of outbox_write(). A write goes straight to the database unless
 * the database is away, an earlier write of its key waits here, or the caller wants it durable at once. Between two
 * keys there is no order. Loop thread only; nothing here blocks. */
#ifndef SHOAL_SHARED_DB_OUTBOX_H
#define SHOAL_SHARED_DB_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/db/db.h"
#include "shared/loop/loop.h"

struct outbox;

#define OUTBOX_NAME_MAX     64           /* of a key's name, an owner, a statement */
#define OUTBOX_RECORD_MAX   (256 * 1024) /* an entry with its parameters and pending value */
#define OUTBOX_REASON_SIZE  256
#define OUTBOX_DEFERRED_MAX 1024 /* writes that wait for an earlier one of their key which is under way */

struct outbox_options {
	const char *state_dir; /* supervisor.state_dir */
	uint32_t shard_id, shard_count;
	uint32_t max_mib;     /* of the file; entries may fill a third of it */
	uint32_t max_entries; /* waiting and dead together */
	uint32_t dead_keep_days;
	uint64_t epoch; /* of the shard's lease; 0 on a single host */
	/* The last worker died of its own making: should it have been while it opened the file, that is set aside
	 * unread, but for what can be salvaged. */
	bool failed;
	/* What an operator must see: @event is the log record's id, @text a sentence. May be NULL. */
	void (*alert)(void *arg, const char *event, const char *text);
	void *alert_arg;
	/* Another number of entries waits, or lies dead. Comes before whoever wrote one hears that it is kept. May be
	 * NULL; must not call the outbox but for outbox_stats(). */
	void (*changed)(void *arg);
	void *changed_arg;
};

/* What a write is about: the guild or user, and which of its values: "guild_setting/commands.prefix". */
struct outbox_key {
	uint64_t id;
	const char *name;
};

struct outbox_write {
	/* Stable names of a registered row that changes something. Beside a row "x" there may be one "x_late": the same
	 * parameters and the time at which the write was asked for. It is used when newer writes may have overtaken
	 * this one (the shard count has changed, the lease was lost), writes nothing where there is something newer,
	 * and gives what it writes that time. A late write that has none, or writes nothing, becomes a dead letter. */
	const char *owner, *statement;
	const struct db_param *params;
	size_t param_count;
	struct outbox_key key;
	uint64_t user_id; /* who is named in it, for /privacy delete; 0: nobody */
	/* The value that the key has once this is written, for outbox_pending(): any text; NULL: none any more. */
	const char *value;
	size_t value_len;
	/* Not 0: a number that belongs to this write alone and is the same when it is asked for again (an interaction's
	 * id, say): so a handler that runs again after a crash does not write twice. */
	uint64_t token;
	/* Into the outbox in any case: durable without waiting for the database (but behind an earlier write of its key
	 * that is under way). */
	bool at_once;
};

enum outbox_how {
	OUTBOX_WRITTEN, /* it is in the database */
	OUTBOX_KEPT,    /* it is on this machine's disk, and goes to the database when that is back */
};

/* Exactly once for every accepted write, never from within outbox_write(). @error 0: @how tells where it is; @result is
 * the statement's (borrowed), NULL when kept, or written by an earlier try. Else nothing was written:
 *   -ENOSPC     the database is away and the outbox or its disk is full
 *   -EIO, -EROFS, -EACCES …  the database is away and the outbox's file fails
 *   -EBADMSG, -ERANGE, -EEXIST, -EACCES, -ENODATA, -EPROTO, -EREMOTEIO  the database refused it: as db_result_fn
 *   -SHOAL_EUNKNOWN  the connection broke under it and it could not be kept either: it may have been written
 *   -ECANCELED  outbox_closing(): it will be written if it was on its way, or not at all */
typedef void (*outbox_fn)(void *arg, int error, enum outbox_how how, const struct db_result *result);

/* Copies @options; keeps @loop and @db (which is on). Opens the file if there is one and reads what waits; makes none
 * before it is needed. What is wrong with the file is logged and never an error: writes are then refused while the
 * database is away. -ENOMEM, -errno. */
int outbox_new(struct loop *loop, const struct outbox_options *options, struct db *db, struct outbox **ret_outbox);

/* -EINVAL: no such statement, parameters that do not fit it, a name too long; -EMSGSIZE; -ENOMEM;
 * -ENOSPC as above; -ENOBUFS: too many wait for an earlier one of their key; -SHOAL_EOFFLINE: closing. When it fails
 * @fn is not called. */
int outbox_write(struct outbox *outbox, const struct outbox_write *write, outbox_fn fn, void *arg);

/* What @key's value is beyond what the database said: true, and *ret_value (borrowed until the next pass; NULL: it was,
 * or will be, deleted) when a write waits, or was written after @asked_ns: the moment (monotonic) at which the database
 * was asked, 0 for now. False: the database's answer stands. Who reads a value that is written here asks this when the
 * answer comes, also when none comes. */
bool outbox_pending(const struct outbox *outbox, struct outbox_key key, uint64_t asked_ns, const char **ret_value,
		    size_t *ret_len);

/* The value of the newest write of @key that was accepted and of which nobody knows yet how it ends: true, and as
 * above. A question that goes beside it by another connection may be answered without it, and the answer may come
 * first. */
bool outbox_under_way(const struct outbox *outbox, struct outbox_key key, const char **ret_value, size_t *ret_len);

/* Nothing waits, and nothing was written a moment ago: outbox_pending() is false of every key. */
bool outbox_is_idle(const struct outbox *outbox);

/* The database came up: do not wait for the next tick. NULL is nothing to do. */
void outbox_wake(struct outbox *outbox);

struct outbox_stats {
	size_t waiting, dead, bytes;
	int64_t oldest_ms; /* wall clock; 0: none waits */
	uint64_t kept, applied, refused, buried;
	uint64_t commits, commit_us, commit_max_us; /* of the file, as the writer's thread sees them */
	int error;                                  /* of the file; 0: well (or not made yet) */
	int apply_error;                            /* why what waits is not written yet; 0: it is under way */
	const char *reason;                         /* the same in words; borrowed until the next pass */
};
void outbox_stats(const struct outbox *outbox, struct outbox_stats *ret_stats);

/* --- for operators -------------------------------------------------------------------------------------------------
 */

struct outbox_item {
	uint64_t id;   /* stable within this shard's file */
	bool dead;     /* set aside: the database refused it for good */
	bool imported; /* from the file of another shard count */
	bool salvaged; /* read out of a damaged file */
	const char *owner, *statement;
	struct outbox_key key;
	uint64_t user_id, epoch, source, number;
	int64_t created_ms, died_ms;
	uint32_t tries;
	size_t bytes;
	int error;          /* the last one; 0: not tried yet */
	const char *reason; /* in words; "" */
};
/* In order, the dead behind those that wait; until @fn returns non-zero, which is returned. */
typedef int (*outbox_each_fn)(void *arg, const struct outbox_item *item);
int outbox_each(const struct outbox *outbox, outbox_each_fn fn, void *arg);

/* @error 0: @count dead letters were put back or dropped, durably. */
typedef void (*outbox_done_fn)(void *arg, int error, size_t count);
/* A dead letter (@id; 0: all) goes to the end of what waits, with its tries forgotten, and is no longer late.
 * -ENOENT: there is none of that id. */
int outbox_retry(struct outbox *outbox, uint64_t id, outbox_done_fn fn, void *arg);
/* Throws a dead letter (0: all) away. -EBUSY: the id is of one that waits. */
int outbox_drop(struct outbox *outbox, uint64_t id, outbox_done_fn fn, void *arg);
/* Throws away the dead letters that name @user_id, or are keyed by it. */
int outbox_forget(struct outbox *outbox, uint64_t user_id, outbox_done_fn fn, void *arg);

/* Whether this thread reads or writes an outbox's file at this moment: for the handler of fatal signals. */
bool outbox_is_touched(void);

/* --- the end --------------------------------------------------------------------------------------------------------
 */

/* Before db_close(): every open write's callback comes now, with -ECANCELED. What db_close() then cuts off under way is
 * kept in the file, so that the next worker settles it. */
void outbox_closing(struct outbox *outbox);
/* After db_close(). Waits (not here) for what is on its way to the disk; @closed (may be NULL) when all is freed. */
void outbox_close(struct outbox *outbox, loop_fn closed, void *arg);

#endif
