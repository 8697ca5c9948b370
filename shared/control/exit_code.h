/* How our programs end: one table of codes with a class each. A worker also writes its class and last error on its
 * board, because an adopted worker's status cannot be waited for. */
#ifndef SHOAL_SHARED_CONTROL_EXIT_CODE_H
#define SHOAL_SHARED_CONTROL_EXIT_CODE_H

#include <stdint.h>

enum exit_class {
	EXIT_CLASS_NONE = 0, /* still running, or never said */
	EXIT_CLASS_CLEAN,    /* asked to stop */
	EXIT_CLASS_RETRY,    /* a trouble that may pass: restart with delay */
	EXIT_CLASS_CRASH,    /* a signal of its own making (SEGV, BUS, ILL, FPE, ABRT …), watchdog */
	EXIT_CLASS_FATAL,    /* this fleet can't run so: stop all, say why, do not loop */
	EXIT_CLASS_KILLED,   /* from outside: an operator's kill, out of memory; no fault of its own */
	EXIT_CLASS_COUNT,
};

/* Values are the process exit codes; stable, in the README and in RestartPreventExitStatus. */
enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_INTERNAL = 1,    /* RETRY: our own bug, named in the log */
	EXIT_CODE_USAGE = 2,       /* FATAL: wrong command line */
	EXIT_CODE_CONFIG = 3,      /* FATAL: configuration wrong; file, line, key named */
	EXIT_CODE_TOKEN = 4,       /* FATAL: Discord refused the token (401, 4004) */
	EXIT_CODE_SHARDING = 5,    /* FATAL: 4010, 4011: the shard count does not fit */
	EXIT_CODE_API_VERSION = 6, /* FATAL: 4012 */
	EXIT_CODE_INTENTS = 7,     /* FATAL: 4013, 4014 */
	EXIT_CODE_LOCKED = 8,      /* FATAL: another one holds the lock */
	EXIT_CODE_UNAVAILABLE = 9, /* RETRY: a server we need is not there */
	EXIT_CODE_RESOURCE = 10,   /* RETRY: no memory, no disk, no descriptors */
	EXIT_CODE_ORPHANED = 11,   /* CLEAN: no supervisor for orphan_timeout_s */
	EXIT_CODE_PORT = 12,       /* FATAL: cannot listen where told */
	EXIT_CODE_CACHE = 13,      /* RETRY: the guild cache's file failed under us; the next worker makes a new one */
	EXIT_CODE_BOARD = 14,      /* RETRY: the shard's board was cut off under us */
	EXIT_CODE_LETTERS = 15,    /* RETRY: the file of parked events failed under us; the next worker looks at it */
	EXIT_CODE_OUTBOX = 16,     /* RETRY: the outbox's file failed under us; the next worker looks at it */
	EXIT_CODE_JOURNAL = 17, /* RETRY: the effect journal's file failed under us; the next worker makes a new one */
};

struct exit_code_row {
	enum exit_code code;
	enum exit_class class;
	const char *name;
	const char *help; /* what to do */
};

/* Rows for every code; NULL for a code that is not ours. */
const struct exit_code_row *exit_code_find(int code);
const char *exit_class_name(enum exit_class class);
/* The class of a waited-for status: our table for normal exits (unknown codes: RETRY); for signals CRASH or, where
 * nobody raises them by a fault of its own, KILLED. */
enum exit_class exit_class_of_status(int wait_status);

#endif
