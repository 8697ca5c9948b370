/* The growable byte buffer that everything which collects bytes stands on.
 * Any thread, one at a time. Never holds more than its stated maximum and never aborts: it refuses. */
#include "shared/base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MIN_CAP 64

void buf_init(struct buf *buf, size_t max_bytes)
{
	*buf = (struct buf){ .max = max_bytes };
}

void buf_finish(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ .max = buf->max };
}

void buf_clear(struct buf *buf, size_t keep_bytes)
{
	buf->len = 0;
	if (buf->cap > keep_bytes)
		buf_finish(buf);
}

/* Makes the capacity at least @need bytes; doubling, so that appending byte by byte stays linear. @limit caps the
 * guess. */
static int grow(struct buf *buf, size_t need, size_t limit)
{
	size_t cap = buf->cap < BUF_MIN_CAP ? BUF_MIN_CAP : buf->cap;
	char *data;

	if (need <= buf->cap)
		return 0;
	while (cap < need)
		cap = cap > limit / 2 ? limit : cap * 2;
	data = realloc(buf->data, cap);
	if (!data)
		return -ENOMEM;
	buf->data = data;
	buf->cap = cap;
	return 0;
}

int buf_reserve(struct buf *buf, size_t more)
{
	if (more > buf->max || buf->len > buf->max - more)
		return -ENOBUFS;
	return grow(buf, buf->len + more, buf->max < SIZE_MAX ? buf->max + 1 : buf->max);
}

int buf_append(struct buf *buf, const void *bytes, size_t len)
{
	int r;

	if (len == 0)
		return 0;
	r = buf_reserve(buf, len);
	if (r < 0)
		return r;
	memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	return 0;
}

int buf_append_str(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

int buf_append_char(struct buf *buf, char c)
{
	return buf_append(buf, &c, 1);
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = buf_vprintf(buf, format, args);
	va_end(args);
	return r;
}

int buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	int len, r;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0)
		return -EINVAL;
	if ((size_t)len > buf->max || buf->len > buf->max - (size_t)len)
		return -ENOBUFS;
	/* One more than the text: vsnprintf writes a NUL, which may lie behind the maximum but is not counted. */
	r = grow(buf, buf->len + (size_t)len + 1, buf->max < SIZE_MAX ? buf->max + 1 : buf->max);
	if (r < 0)
		return r;
	vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
	buf->len += (size_t)len;
	return 0;
}

void buf_consume(struct buf *buf, size_t len)
{
	if (len >= buf->len) {
		buf->len = 0;
		return;
	}
	if (len == 0)
		return;
	memmove(buf->data, buf->data + len, buf->len - len);
	buf->len -= len;
}

const char *buf_cstr(struct buf *buf)
{
	if (buf->len == 0 && !buf->data)
		return "";
	if (grow(buf, buf->len + 1, buf->len + 1) < 0)
		return NULL;
	buf->data[buf->len] = '\0';
	return buf->data;
}
