/* A growable byte buffer with a maximum, consumed from the front. */
#ifndef SIM_BUF_H
#define SIM_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	char *mem;
	size_t off; /* bytes consumed from the front */
	size_t len; /* bytes present, from mem + off */
	size_t cap;
	size_t max;  /* most bytes it may ever hold */
	bool failed; /* an append did not fit (or memory was short): the content is not to be trusted */
};

/* Starts an empty buffer that never holds more than @max bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* Frees what it holds; the buffer stays usable. */
void buf_free(struct buf *b);
/* Forgets the content and the failure, keeps the memory. */
void buf_clear(struct buf *b);
/* Room for @n more bytes at the end, or NULL (then `failed` is set). Does not change the length. */
char *buf_room(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *bytes, size_t n);
void buf_str(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_u64(struct buf *b, uint64_t value);
/* A JSON string with its quotes, escaping what JSON demands; bytes above 0x7f pass as they are. */
void buf_json(struct buf *b, const char *text, size_t len);
void buf_json_str(struct buf *b, const char *text);
/* Drops @n bytes from the front. */
void buf_consume(struct buf *b, size_t n);

#define buf_lit(b, literal) buf_append((b), "" literal, sizeof(literal) - 1)

static inline char *buf_data(const struct buf *b)
{
	return b->mem + b->off;
}

/* Writes @value in decimal at @at (at most 20 bytes, no NUL); returns the count. */
size_t u64_digits(char *at, uint64_t value);

#endif
