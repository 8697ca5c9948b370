/* The identify ledger: the only way to a session start. Going over the day's starts resets the bot's token, so every
 * start is debited on the host board BEFORE the worker hears of it; a supervisor that dies in between loses a start of
 * the budget, never the budget. Loop thread only; reads CLOCK_BOOTTIME and the wall clock, owns no timer: the caller
 * runs ledger_run() when ledger_next_ns() says so.
 * Source: discord-facts.md section 6 (buckets, order, 5 s, daily limit). */
#ifndef SHOAL_SUPERVISOR_LEDGER_H
#define SHOAL_SUPERVISOR_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/clock.h"
#include "shared/board/board.h"

/* One IDENTIFY per bucket and 5 s; a tenth more for the ways of the network. */
#define LEDGER_WINDOW_NS (5100 * NS_PER_MS)
/* How long a worker may use a grant. It asks when its socket is ready, so it needs no more than a breath. */
#define LEDGER_GRANT_NS (3 * NS_PER_S)
/* A refused worker asks again after at most this long, since the numbers may have changed by then. */
#define LEDGER_DENY_MAX_MS 60000

struct ledger;

/* What GET /gateway/bot says (session_start_limit). */
struct ledger_limits {
	uint32_t total, remaining, max_concurrency;
	uint64_t reset_after_ms;
};

struct ledger_grant {
	uint64_t id;         /* never 0, below 2^53 */
	uint64_t expires_ns; /* CLOCK_BOOTTIME */
};

struct ledger_events {
	/* @shard_id may IDENTIFY now. The debit is on the board already. */
	void (*grant)(void *arg, uint32_t shard_id, const struct ledger_grant *grant);
	/* The session starts are spent (or would be by what is planned): ask again in @wait_ms. */
	void (*deny)(void *arg, uint32_t shard_id, uint64_t wait_ms);
};

struct ledger_status {
	uint32_t total, remaining, reserve, max_concurrency;
	uint32_t waiting;      /* requests queued */
	uint64_t granted;      /* by this ledger's board, ever */
	uint64_t denied;       /* by this process */
	int64_t reset_wall_ms; /* 0: not known */
	bool known;            /* a GET /gateway/bot was booked */
	bool exhausted;        /* what is planned or asked for exceeds what remains */
};

/* @reserve: starts kept back (at most a tenth of the total is). @expect_record: the board should hold a record, since
 * there are traces of an earlier run; when it does not, the record was lost: the first window is waited out.
 * @shards: ids are below it. Keeps @board and @events. -ENOMEM. */
int ledger_new(struct board_host *board, uint32_t reserve, bool expect_record, uint32_t shards,
	       const struct ledger_events *events, void *arg, struct ledger **ret_ledger);
struct ledger *ledger_free(struct ledger *ledger);

/* The answer to a GET /gateway/bot that was sent at @asked_ns (boottime): the smaller remaining holds within a window;
 * a new window's is taken, less what was granted since @asked_ns. @live: workers that run (a lost record books one
 * start for each, since each may have spent one). */
void ledger_reconcile(struct ledger *ledger, const struct ledger_limits *limits, uint64_t asked_ns, uint32_t live);

/* How many shards are about to need a start together. While they are more than what remains, none is granted. */
void ledger_set_planned(struct ledger *ledger, uint32_t starts);

/* @shard_id is on its way and will probably ask within @for_ns: shards behind it in its bucket wait so long, so that a
 * bucket's shards start in their order though their processes get ready in any. Over once it asks or is cancelled. */
void ledger_expect(struct ledger *ledger, uint32_t shard_id, uint64_t for_ns);

/* @shard_id asks. A second request of the same shard replaces the first. Answered by ledger_run(), never from within.
 * -ERANGE for an id that is not of this fleet. */
int ledger_request(struct ledger *ledger, uint32_t shard_id);
void ledger_cancel(struct ledger *ledger, uint32_t shard_id);
/* The worker wrote its IDENTIFY for @grant_id: its bucket's window runs from now. An unknown grant (of a supervisor
 * before) can only lengthen the wait. -ERANGE. */
int ledger_identified(struct ledger *ledger, uint32_t shard_id, uint64_t grant_id);

/* Grants and denies what is due. */
void ledger_run(struct ledger *ledger);
/* Boottime at which ledger_run() has something to do; UINT64_MAX: nothing is waiting. */
uint64_t ledger_next_ns(const struct ledger *ledger);
/* The window of session starts has ended and the numbers are to be asked for anew. */
bool ledger_wants_refresh(const struct ledger *ledger);

void ledger_status(const struct ledger *ledger, struct ledger_status *ret_status);

/* The bucket of a shard: shard % max_concurrency, or, since the board has BOARD_LEDGER_BUCKETS words, modulo its
 * largest divisor that fits: shards of one bucket then still share one word. */
uint32_t ledger_bucket(uint32_t max_concurrency, uint32_t shard_id);

#endif
