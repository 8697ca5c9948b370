/* When the worker dies of its own making: a backtrace on stderr and the reason on the board, then the signal's default.
 */
#ifndef SHOAL_SHARD_CRASH_H
#define SHOAL_SHARD_CRASH_H

#include <stddef.h>

#include "shared/board/board.h"

/* Main thread, once. @board may be NULL (not yet open) and set again later; it must stay mapped until the process ends.
 */
void crash_install(struct board_shard *board);

/* Where the report of a crash goes besides stderr, for the next worker to read: a file made when it comes to that (mode
 * 0600). Copied. */
void crash_report_to(const char *path);
/* Reads what the last worker left there, and removes it. Copies at most @size - 1 bytes; "" when there is none. */
void crash_read_report(const char *path, char *text, size_t size);

/* The board of crash_install() was cut off: puts back what is remembered and ends the process with EXIT_CODE_BOARD.
 * Async-signal-safe. */
_Noreturn void crash_by_board(void);

#endif
