/* Letters on disk: an LMDB environment in the state directory, and the one helper thread that writes it, so that no
 * sync ever holds the loop. The loop hands over jobs and gets them back done, in order; jobs that lie ready together
 * are one transaction. What has come back with 0 is durable. */
#ifndef SHOAL_SHARD_EVENTS_PARKED_STORE_H
#define SHOAL_SHARD_EVENTS_PARKED_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/letters/letter.h"

struct parked_store;

/* A row without its texts. */
struct parked_head {
	struct letter_key key;
	enum letter_table table;
	int64_t wall_ms;
	uint64_t boot_ns, boot;
	uint64_t guild_id;
	uint32_t crashes;
	uint32_t len; /* of the row */
	uint16_t type, flags;
};
void parked_head_of(const struct letter *letter, enum letter_table table, size_t row_len, struct parked_head *ret_head);

enum parked_op {
	PARKED_OPEN,   /* opens or makes the files; heads of all rows come back */
	PARKED_PUT,    /* key, row */
	PARKED_DELETE, /* key; 0 also when it is not there */
	PARKED_BLANK,  /* key: takes tokens out of the payload */
	PARKED_FORGET, /* removes what mentions the user @number; the heads of what went come back */
	PARKED_CALL,   /* runs @call: other work that may wait for the disk */
};

/* What PARKED_OPEN found. */
struct parked_found {
	bool damaged;      /* the files failed their checks: moved aside ("….damaged"), and made anew */
	size_t unreadable; /* rows that failed theirs: removed */
};

struct parked_job {
	struct parked_job *next;
	enum parked_op op;
	enum letter_table table;
	struct letter_key key;
	struct buf row;
	uint64_t number;
	uint64_t serial; /* the giver's own */
	int (*call)(void *arg);
	void (*done)(void *arg, int error, const struct parked_job *job); /* the giver's own */
	void (*drop)(void *arg); /* frees arg when the job is freed without having been told as done; may be NULL */
	void *arg;
	/* results */
	int error;
	struct parked_head *heads;
	size_t head_count;
	struct parked_found found;
};
/* Zeroed. NULL: no memory. */
struct parked_job *parked_job_new(enum parked_op op);
struct parked_job *parked_job_free(struct parked_job *job);

struct parked_store_options {
	const char *path; /* of the environment; its parent is made when it is missing */
	size_t map_bytes;
	bool crashed; /* the last worker died of its own making: perhaps of these files */
	/* Something is done: on the helper thread, it may only wake the loop. */
	void (*wake)(void *arg);
	void *arg;
};

/* Nothing is touched and no thread made before the first job. -ENAMETOOLONG, -ENOMEM. */
int parked_store_new(const struct parked_store_options *options, struct parked_store **ret_store);
/* Gives what is not begun up and waits for what is, a second at most; a thread that the disk holds longer is left
 * behind with its memory. @wake is not called any more. NULL is nothing to do. */
struct parked_store *parked_store_free(struct parked_store *store);

/* Takes @job. -EAGAIN: no thread can be made (@job is freed). */
int parked_store_give(struct parked_store *store, struct parked_job *job);
/* What is done, oldest first; the caller's. NULL: nothing. */
struct parked_job *parked_store_take(struct parked_store *store);
/* Waits until something is done. False: not within @timeout_ms. */
bool parked_store_wait(struct parked_store *store, uint64_t timeout_ms);
/* Whether there are files to open. */
bool parked_store_exists(const struct parked_store *store);

/* Loop thread: appends a row that is durable to @out, from memory as long as the machine has any (what is here was
 * written or read by this process). -ENOENT. */
int parked_store_peek(struct parked_store *store, enum letter_table table, struct letter_key key, struct buf *out);

/* Is an environment of letters being touched by this thread? Async-signal-safe, for the handler of SIGBUS. */
bool parked_store_is_touched(void);
/* The owner that such environments say (kv_options). */
const void *parked_store_owner(void);

#endif
