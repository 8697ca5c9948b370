/* SPDX-License-Identifier: MIT */
/* Steps over JSON bytes: what envelope and reader are built from. Inline, because each is a few nanoseconds long.
 * All take a position and the end, never read at or beyond the end, and never write. */
#ifndef SHOAL_GATEWAY_JSON_H
#define SHOAL_GATEWAY_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__) && !defined(JSON_PORTABLE)
#include <emmintrin.h>
#endif

#define JSON_LIKELY(x)   __builtin_expect(!!(x), 1)
#define JSON_UNLIKELY(x) __builtin_expect(!!(x), 0)

static inline const char *json_skip_space(const char *p, const char *end)
{
	while (p < end && JSON_UNLIKELY((unsigned char)*p <= ' ')) {
		if (*p != ' ' && *p != '\n' && *p != '\r' && *p != '\t')
			break;
		p++;
	}
	return p;
}

/* The first byte at or after @p that isn't plain within a text: a quote, a backslash, a control character, or the start
 * of a character beyond ASCII. @end if there is none. */
static inline const char *json_skip_plain(const char *p, const char *end)
{
#if defined(__SSE2__) && !defined(JSON_PORTABLE)
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');

	while (JSON_LIKELY(end - p >= 16)) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		/* signed: bytes from 0x80 on are below the space, too */
		__m128i odd = _mm_or_si128(_mm_cmplt_epi8(v, space),
					   _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
		unsigned mask = (unsigned)_mm_movemask_epi8(odd);

		if (mask)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#else
	/* eight at a time; a false alarm only costs the bytewise look below */
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);

	while (end - p >= 8) {
		uint64_t v, quotes, slashes;

		memcpy(&v, p, 8);
		quotes = v ^ (ones * '"');
		slashes = v ^ (ones * '\\');
		if ((v | (v - ones * 0x20) | ((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes)) & tops)
			break;
		p += 8;
	}
#endif
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80)
		p++;
	return p;
}

/* The first quote or backslash at or after @p, @end if there is none: for texts that were validated before. */
static inline const char *json_skip_to_quote(const char *p, const char *end)
{
#if defined(__SSE2__) && !defined(JSON_PORTABLE)
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');

	while (JSON_LIKELY(end - p >= 16)) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		unsigned mask = (unsigned)_mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));

		if (mask)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#endif
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

static inline bool json_is_digit(char c)
{
	return (unsigned char)(c - '0') <= 9;
}

static inline int json_hex(char c)
{
	if (json_is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decimal digits only, at least one, to 64 bits. False when anything else, or when it does not fit. */
static inline bool json_parse_u64(const char *p, const char *end, uint64_t *ret)
{
	uint64_t value = 0;

	if (p == end || end - p > 20)
		return false;
	for (; p < end; p++) {
		unsigned digit = (unsigned char)(*p - '0');

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*ret = value;
	return true;
}

#endif
