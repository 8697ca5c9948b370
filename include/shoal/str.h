/* SPDX-License-Identifier: MIT */
/* A slice of text: what events, commands and replies are made of. Not NUL-terminated. */
#ifndef SHOAL_STR_H
#define SHOAL_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* UTF-8, @len bytes, borrowed: whoever hands it out says how long it lives. Absent or null: ptr is NULL, len 0.
 * An empty text has a ptr. U+0000 may occur within. Printf with "%.*s" and SHOAL_STR_ARG(). */
struct shoal_str {
	const char *ptr;
	uint32_t len;
};

#define SHOAL_STR(literal) ((struct shoal_str){ (literal), sizeof(literal) - 1 })
#define SHOAL_STR_ARG(s)   (int)(s).len, (s).ptr ? (s).ptr : ""

/* Same bytes. An absent text equals an empty one. */
static inline bool shoal_str_equal(struct shoal_str a, struct shoal_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Same bytes as the NUL-terminated @text. */
static inline bool shoal_str_is(struct shoal_str a, const char *text)
{
	return shoal_str_equal(a, (struct shoal_str){ text, (uint32_t)strlen(text) });
}

static inline bool shoal_str_starts(struct shoal_str a, struct shoal_str prefix)
{
	return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

#endif
