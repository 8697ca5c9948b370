/* UTF-8, one character at a time, strictly: no overlong form, no surrogate, nothing above U+10FFFF. */
#ifndef SHOAL_SHARED_BASE_UTF8_H
#define SHOAL_SHARED_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at @text (NUL-terminated; a NUL is a character of one byte) and its code point; 0 when there
 * is no valid one. Reads no byte behind the NUL. */
size_t utf8_decode(const char *text, uint32_t *ret_point);

/* Controls, spaces that are not U+0020's look-alike alone, fillers, joiners, marks of direction: what nobody sees, or
 * what turns the text around it about. U+0020 is among them. */
bool utf8_is_unseen(uint32_t point);

#endif
