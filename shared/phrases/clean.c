/* What members wrote, made fit for a sentence of ours. Every byte is hostile. Pure; any thread. */
#include "shared/phrases/clean.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/utf8.h"

#define MARKS_MAX 2 /* accents on one character */
#define ELLIPSIS  "\xE2\x80\xA6"
#define NO_JOIN   "\xE2\x80\x8B" /* U+200B: has no width, and ends a word */

static const struct {
	uint32_t first, last;
} marks[] = {
	{ 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF },
	{ 0x20D0, 0x20FF }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F },
};

static bool is_mark(uint32_t point)
{
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (point >= marks[i].first && point <= marks[i].last)
			return true;
	return false;
}

static bool is_space(uint32_t point)
{
	return point <= ' ' || point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) ||
	       point == 0x2028 || point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

/* Where the next piece goes. */
struct sink {
	char *text;
	size_t size, len;
};

/* All of it or nothing. */
static bool put(struct sink *sink, const char *bytes, size_t len)
{
	if (sink->len + len >= sink->size)
		return false;
	memcpy(sink->text + sink->len, bytes, len);
	sink->len += len;
	return true;
}

/* One character that is seen: with a backslash before what Discord's markdown reads, and a break behind what would make
 * a mention or a link. */
static bool put_seen(struct sink *sink, const char *at, size_t len)
{
	char piece[8];
	int count;

	if (len == 1 && strchr("\\*_~`|<>[]()#", *at))
		count = snprintf(piece, sizeof(piece), "\\%c", *at);
	else if (*at == '@' || (*at == ':' && at[1] == '/'))
		count = snprintf(piece, sizeof(piece), "%c" NO_JOIN, *at);
	else
		count = snprintf(piece, sizeof(piece), "%.*s", (int)len, at);
	return put(sink, piece, (size_t)count);
}

const char *phrases_clean(const char *from, size_t most_characters, char *text, size_t size)
{
	struct sink sink = { text, size, 0 };
	size_t characters = 0, in_a_row = 0, len, room_for_end = 0;
	bool space = false;
	uint32_t point;

	if (size == 0)
		return text;
	for (; from && *from; from += len) {
		len = utf8_decode(from, &point);
		if (len == 0) { /* a broken byte is none */
			len = 1;
			continue;
		}
		if (is_mark(point) ? ++in_a_row > MARKS_MAX || sink.len == 0 : utf8_is_unseen(point)) {
			space = space || (is_space(point) && sink.len > 0);
			continue;
		}
		if (!is_mark(point))
			in_a_row = 0;
		if (characters + space >= most_characters) {
			sink.len = room_for_end;
			put(&sink, ELLIPSIS, strlen(ELLIPSIS));
			break;
		}
		if (space) {
			put(&sink, " ", 1);
			characters++;
			space = false;
		}
		if (characters + 1 == most_characters)
			room_for_end = sink.len; /* the last one may have to make way */
		if (!put_seen(&sink, from, len))
			break;
		characters++;
	}
	if (sink.len == 0)
		put(&sink, "?", 1);
	text[sink.len] = '\0';
	return text;
}
