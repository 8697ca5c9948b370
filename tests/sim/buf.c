/* The buffer all rooms build their bytes in. A buffer that reached its maximum refuses and remembers it, so a builder
 * of twenty appends looks once, at the end. */
#include "tests/sim/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_free(struct buf *b)
{
	free(b->mem);
	*b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
	b->off = b->len = 0;
	b->failed = false;
}

static bool grow(struct buf *b, size_t need)
{
	size_t cap = b->cap ? b->cap : 256;
	char *mem;

	while (cap < need)
		cap *= 2;
	mem = realloc(b->mem, cap);
	if (!mem)
		return false;
	b->mem = mem;
	b->cap = cap;
	return true;
}

char *buf_room(struct buf *b, size_t n)
{
	if (b->failed || n > b->max || b->len > b->max - n) {
		b->failed = true;
		return NULL;
	}
	if (b->mem && b->off + b->len + n <= b->cap)
		return b->mem + b->off + b->len;
	/* Moving pays when the dead front is at least as large as what lives. */
	if (b->mem && b->off >= b->len && b->len + n <= b->cap) {
		memmove(b->mem, b->mem + b->off, b->len);
		b->off = 0;
	} else if (!grow(b, b->off + b->len + n)) {
		b->failed = true;
		return NULL;
	}
	return b->mem + b->off + b->len;
}

void buf_append(struct buf *b, const void *bytes, size_t n)
{
	char *at = buf_room(b, n);

	if (!at)
		return;
	if (n > 0)
		memcpy(at, bytes, n);
	b->len += n;
}

void buf_str(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	char *at;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0 || !(at = buf_room(b, (size_t)n + 1))) {
		b->failed = true;
		return;
	}
	va_start(args, format);
	vsnprintf(at, (size_t)n + 1, format, args);
	va_end(args);
	b->len += (size_t)n;
}

size_t u64_digits(char *at, uint64_t value)
{
	static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940"
				    "4142434445464748495051525354555657585960616263646566676869707172737475767778798081"
				    "828384858687888990919293949596979899";
	char tmp[20];
	size_t n = sizeof(tmp);

	while (value >= 100) {
		n -= 2;
		memcpy(tmp + n, pairs + 2 * (value % 100), 2);
		value /= 100;
	}
	if (value >= 10) {
		n -= 2;
		memcpy(tmp + n, pairs + 2 * value, 2);
	} else {
		tmp[--n] = (char)('0' + value);
	}
	memcpy(at, tmp + n, sizeof(tmp) - n);
	return sizeof(tmp) - n;
}

void buf_u64(struct buf *b, uint64_t value)
{
	char *at = buf_room(b, 20);

	if (at)
		b->len += u64_digits(at, value);
}

void buf_json(struct buf *b, const char *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	char *start = buf_room(b, len * 6 + 2);
	char *at = start;

	if (!at)
		return;
	*at++ = '"';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\') {
			*at++ = '\\';
			*at++ = (char)c;
		} else if (c < 0x20) {
			memcpy(at, "\\u00", 4);
			at[4] = hex[c >> 4];
			at[5] = hex[c & 15];
			at += 6;
		} else {
			*at++ = (char)c;
		}
	}
	*at++ = '"';
	b->len += (size_t)(at - start);
}

void buf_json_str(struct buf *b, const char *text)
{
	buf_json(b, text, strlen(text));
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->off = b->len = 0;
		return;
	}
	b->off += n;
	b->len -= n;
}
