/* A growable byte buffer that states its maximum at creation. Every append may refuse; none aborts. */
#ifndef SHOAL_SHARED_BASE_BUF_H
#define SHOAL_SHARED_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/cleanup.h"

/* Embedded by value. Bytes are data[0..len); data is not NUL-terminated unless buf_cstr() was called. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
};

/* A buffer that never holds more than @max_bytes; allocates nothing yet. */
void buf_init(struct buf *buf, size_t max_bytes);
/* Frees the memory and leaves the buffer empty and usable, its maximum kept. Accepts a zeroed struct. For CLEANUP too.
 */
void buf_finish(struct buf *buf);
/* Empties the buffer; keeps its memory, unless it holds more than @keep_bytes, which is then given back. */
void buf_clear(struct buf *buf, size_t keep_bytes);

/* Room for @more bytes behind len. -ENOBUFS over the maximum, -ENOMEM. */
int buf_reserve(struct buf *buf, size_t more);
/* Appends; on failure (-ENOBUFS over the maximum, -ENOMEM) the buffer is as before. */
int buf_append(struct buf *buf, const void *bytes, size_t len);
int buf_append_str(struct buf *buf, const char *text);
int buf_append_char(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
int buf_vprintf(struct buf *buf, const char *format, va_list args);
/* Drops @len bytes from the front (moves the rest down). */
void buf_consume(struct buf *buf, size_t len);
/* The bytes as a C string, a NUL put behind them (not counted in len); "" when empty. NULL when there is no memory. */
const char *buf_cstr(struct buf *buf);

#endif
