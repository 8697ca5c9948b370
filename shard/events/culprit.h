/* Whose code is run: on every entry into module code {module, event} is marked on the board, and taken off on return,
 * so that after a crash the next worker, the crash report and the breaker know whom to blame. Entries nest: a call
 * ended from within a handler enters its own function. What holds the loop too long is named. One worker a process,
 * its loop thread alone; without culprit_init() (unit tests) nothing is marked and calls just pass. */
#ifndef SHOAL_SHARD_EVENTS_CULPRIT_H
#define SHOAL_SHARD_EVENTS_CULPRIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shard/events/ticket.h"
#include "shared/board/board.h"

/* A loaded module as the rooms below the module host see it. */
struct module_entry {
	const char *name;
	uint32_t row;               /* on the board */
	bool off;                   /* switched off by its breaker: its code is not entered */
	_Atomic uint64_t *counters; /* of the row; enum board_module_counter; NULL in tests */
	uint64_t warned_ns;         /* slowness is told once in ten seconds */
	uint64_t calls, memory;     /* what the gauges show */
	uint64_t memory_told;       /* how much it had when that was last told */
	void *data;                 /* the module's own (shoal_set_data()) */
};

/* What a module is called for. The board has the number: only add. X(enumerator, words). */
#define CULPRIT_KINDS(X)             \
	X(NONE, "nothing")           \
	X(EVENT, "an event")         \
	X(COMMAND, "a command")      \
	X(COMPONENT, "a component")  \
	X(TIMER, "a timer")          \
	X(CONTINUATION, "an answer") \
	X(SETUP, "its setup")        \
	X(CLEANUP, "its cleanup")    \
	X(LOADING, "its loading")    \
	X(JOB, "a job")
enum culprit_kind {
#define X(name, words) CULPRIT_##name,
	CULPRIT_KINDS(X)
#undef X
		CULPRIT_KIND_COUNT,
};
/* "a command"; "something" for what is none. */
const char *culprit_kind_words(uint32_t kind);

/* One entry, on the stack of who enters. */
struct culprit_frame {
	struct culprit_frame *outer;
	struct module_entry *module;
	enum culprit_kind kind;
	struct ticket *ticket;
	const char *what; /* "MESSAGE_CREATE", "settings prefix": for people; outlives the entry */
	uint64_t before;
	uint64_t since_ns;
};

/* Keeps @board. A call longer than @slow_ms is told (0: never). */
void culprit_init(struct board_shard *board, uint32_t slow_ms);
/* Who else is told of slow calls, by an event id and a sentence; NULL: nobody. Not from within module code. */
void culprit_set_alert(void (*alert)(void *arg, const char *event, const char *text), void *arg);

/* @module may be NULL: nothing is marked. @ticket may be NULL: of no event. All are kept until culprit_leave(). */
void culprit_enter(struct culprit_frame *frame, struct module_entry *module, enum culprit_kind kind,
		   struct ticket *ticket, const char *what);
void culprit_leave(struct culprit_frame *frame);

/* Whether this is another thread than the loop's; then @module (may be NULL) is told of in the log, and @call must do
 * nothing: whatever it did would race with the loop, and crash it where somebody else was to blame. */
bool culprit_is_astray(const struct module_entry *module, const char *call);

/* The innermost entry; NULL: our own code runs. Async-signal-safe. */
const struct culprit_frame *culprit_current(void);

#endif
