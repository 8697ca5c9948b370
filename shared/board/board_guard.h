/* What mapping a board costs: somebody may cut its file off, and the next look at it is SIGBUS, not an error. Each
 * mapping is on a list; the handler of the signal finds the one that was hit and makes its bytes readable again, so
 * that the program goes on and hears of it at its next tick. Loop thread only, but for the handler. */
#ifndef SHOAL_SHARED_BOARD_BOARD_GUARD_H
#define SHOAL_SHARED_BOARD_BOARD_GUARD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

enum board_guard_state {
	BOARD_GUARD_WHOLE = 0,
	BOARD_GUARD_FILLED,   /* the file has its length again; zeros lie where it was cut off */
	BOARD_GUARD_DETACHED, /* we look at memory of our own, zeros: the file is not ours to lengthen, or there is no
				 room */
};

struct board_guard {
	void *map;
	size_t size;
	int fd;
	bool may_fill; /* the handler may lengthen the file: it is every mapper's */
	volatile sig_atomic_t state;
	struct board_guard *next;
};

/* Keeps @guard, filled in by the caller, until it is removed. */
void board_guard_add(struct board_guard *guard);
void board_guard_remove(struct board_guard *guard);

/* Async-signal-safe: SIGBUS at @address. True: it was a board's, and the instruction may be tried again. */
bool board_guard_fault(const void *address);
/* SIGBUS handler of a program that has none of its own: what is no board's fault ends it by the signal, as before. */
void board_guard_install(void);

#endif
