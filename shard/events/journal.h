/* The effect journal: what was asked of Discord on behalf of an event and what came of it, by {event, step}, so that an
 * event which a killed worker had begun can be handled again without doing anything twice. LMDB on tmpfs beside the
 * session: it serves the process's death, not the machine's. Loop thread only.
 *
 * An intent is on the map when journal_intend() returns, a result when journal_conclude() returns: one commit each.
 * Discord's own limits keep such effects few (50 a second for a whole bot), so there is nothing to gather. */
#ifndef SHOAL_SHARD_EVENTS_JOURNAL_H
#define SHOAL_SHARD_EVENTS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/events/event_key.h"
#include "shared/base/buf.h"
#include "shared/base/clock.h"
#include "shared/discord/routes.h"

/* Of an answer's body, as JSON text. What is longer is not kept. */
#define JOURNAL_BODY_MAX 1024
/* A handled event's rows are kept for so long: within it Discord still knows the nonces, and a second delivery is
 * possible. */
#define JOURNAL_KEEP_NS ((ROUTE_NONCE_AGE_MS + 10000) * NS_PER_MS)
/* Rows of an event that nobody ever reports as handled (killed in the very moment, or set aside for long). */
#define JOURNAL_AGE_MAX_NS (24 * 3600 * NS_PER_S)

struct journal;

enum journal_state {
	JOURNAL_INTENT = 1, /* it was about to leave; no answer is known */
	JOURNAL_RESULT,     /* the handler was told, or was about to be */
	JOURNAL_UNKNOWN,    /* it may or may not have happened, and nothing will tell */
};

struct journal_row {
	enum journal_state state;
	enum route route; /* ROUTE_NONE: of a version with other routes */
	uint64_t target;  /* journal_target() of the request */
	int64_t wall_ms;  /* when it first left; set by the journal */
	uint64_t boot_ns; /* the same by CLOCK_BOOTTIME */
	/* of a result */
	int error;
	uint32_t http_status, discord_code;
	bool maybe_done;
	uint64_t created_id; /* of the object in the answer; 0: none */
	const char *body;    /* JSON; NULL when there was none or it was too long */
	uint32_t body_len;
};

struct journal_options {
	const char *runtime_dir;
	uint32_t generation, shard_id;
	uint32_t max_mib;
	bool crashed; /* the last worker died of its own making: perhaps of this file */
	bool failed;  /* it died of this file: what is there is thrown away, unread */
};

/* What journal_open() found. */
struct journal_found {
	bool fresh;   /* nothing was there, or what was there had to go */
	bool damaged; /* the latter */
	size_t rows;
};

/* Opens or makes the files of the shard and checks every row. A damaged journal is dropped. -EACCES, -ENOSPC, -errno.
 */
int journal_open(const struct journal_options *options, struct journal_found *ret_found, struct journal **ret_journal);
struct journal *journal_close(struct journal *journal);

/* @ret_row's body is borrowed until the next call. -ENOENT; -SHOAL_EDAMAGED: a row that can't be read. */
int journal_get(struct journal *journal, struct event_key event, uint32_t step, struct journal_row *ret_row);
/* Before the request leaves. Of an intent that is there already the time is kept. -ENOSPC: full, and it must not
 * leave. */
int journal_intend(struct journal *journal, struct event_key event, uint32_t step, enum route route, uint64_t target);
/* It has not left after all. An intent alone goes; 0 also when there is none. */
int journal_withdraw(struct journal *journal, struct event_key event, uint32_t step);
/* Before the handler is told. Takes state, route, target and the members of a result from @row. Errors as above. */
int journal_conclude(struct journal *journal, struct event_key event, uint32_t step, const struct journal_row *row);
/* The event is handled: its rows may go once JOURNAL_KEEP_NS have passed. Bodies go at once. Committed by the next
 * sweep. */
void journal_handled(struct journal *journal, struct event_key event);
/* Appends what is known of @event to @out, for whoever keeps the event longer than its rows are; nothing when there are
 * none. -ENOBUFS, -ENOMEM. */
int journal_export(struct journal *journal, struct event_key event, struct buf *out);
/* Puts such rows back in place of what is there. @same_boot: their times are of this boot; else their nonces count as
 * too old. -SHOAL_EDAMAGED: nothing was put back. -ENOSPC. */
int journal_import(struct journal *journal, struct event_key event, const char *rows, size_t len, bool same_boot);
/* Slow tick: looks at some rows and removes those whose time is over. Returns how many went. */
size_t journal_sweep(struct journal *journal);

size_t journal_rows(const struct journal *journal);
/* Whether this thread reads or writes a journal's file at this moment. Async-signal-safe. */
bool journal_is_touched(void);
/* Whether rows may have been lost of events that are begun again now: the files were new or had to go, and nobody has
 * said since that all those events are handled. Survives the process. */
bool journal_is_doubtful(const struct journal *journal);
/* No event is open any more that a worker had begun before the files were made. */
void journal_trust(struct journal *journal);

/* Which object a request is about: a hash of method and path, so that a row is never taken for another request's.
 * 0: the path lacks something. */
uint64_t journal_target(enum route route, const struct route_args *args);

#endif
