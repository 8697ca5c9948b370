/* SPDX-License-Identifier: MIT */
/* JSON's plain values as C values: integers, doubles, permissions, times, escapes. Run by the reader on the loop. It
 * must not depend on the process's locale and must refuse rather than guess. */
#include "shard/gateway/scalar.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#include "shard/gateway/json.h"
#include "shard/gateway/reader.h"

#define NUMBER_LEN_MAX 400

/* --- numbers ---------------------------------------------------------------------------------------------------- */

static locale_t c_locale;

static __attribute__((constructor)) void c_locale_make(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* What strtod can't be trusted with: it takes "inf", "0x1p3" and the locale's decimal sign. */
static bool is_number(struct shoal_str token)
{
	const char *p = token.ptr, *end = token.ptr + token.len;

	if (p < end && *p == '-')
		p++;
	if (p == end || !json_is_digit(*p))
		return false;
	for (; p < end; p++)
		if (!json_is_digit(*p) && *p != '.' && *p != 'e' && *p != 'E' && *p != '+' && *p != '-')
			return false;
	return true;
}

static bool slow_double(struct shoal_str token, double *ret)
{
	char text[NUMBER_LEN_MAX + 1], *stop;
	double value;

	if (token.len > NUMBER_LEN_MAX || !c_locale)
		return false;
	memcpy(text, token.ptr, token.len);
	text[token.len] = '\0';
	value = strtod_l(text, &stop, c_locale);
	if (stop != text + token.len || !__builtin_isfinite(value))
		return false;
	*ret = value;
	return true;
}

/* Up to 15 digits with a short fraction are exact: both the digits and the power of ten are doubles without rounding
 * (Clinger 1990), so one division rounds right. */
bool scalar_double(struct shoal_str token, double *ret)
{
	static const double tens[] = { 1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
				       1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
	const char *p = token.ptr, *end = token.ptr + token.len;
	uint64_t digits = 0;
	unsigned fraction = 0;
	bool negative, point = false;

	if (!is_number(token))
		return false;
	if (token.len > 16)
		return slow_double(token, ret);
	negative = *p == '-';
	for (p += negative; p < end; p++) {
		if (*p == '.' && !point && p + 1 < end) {
			point = true;
		} else if (json_is_digit(*p)) {
			digits = digits * 10 + (unsigned)(*p - '0');
			fraction += point;
		} else {
			return slow_double(token, ret);
		}
	}
	if (digits > UINT64_C(1) << 53 || fraction > 15)
		return slow_double(token, ret);
	*ret = (negative ? -(double)digits : (double)digits) / tens[fraction];
	return true;
}

bool scalar_u64(struct shoal_str token, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	double number;

	if (JSON_LIKELY(json_parse_u64(token.ptr, token.ptr + token.len, &value))) {
		if (value > max)
			return false;
	} else {
		/* 1e3, 2.0: an integer all the same, if doubles still tell integers apart there */
		if (!scalar_double(token, &number) || number < 0 || number > 0x1p53 ||
		    number != (double)(uint64_t)number || number > (double)max)
			return false;
		value = (uint64_t)number;
	}
	*ret = value;
	return true;
}

bool scalar_i64(struct shoal_str token, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = token.len > 0 && token.ptr[0] == '-';
	uint64_t limit = negative ? -(uint64_t)min : (uint64_t)max, value;

	if (negative) {
		if (min >= 0)
			return false;
		token.ptr++;
		token.len--;
	}
	if (!scalar_u64(token, limit, &value))
		return false;
	*ret = (int64_t)(negative ? -value : value);
	return true;
}

bool scalar_perms(struct shoal_str digits, struct shoal_perms *ret)
{
	struct shoal_perms perms = { 0 };

	if (digits.len == 0)
		return false;
	for (const char *p = digits.ptr; p < digits.ptr + digits.len; p++) {
		if (!json_is_digit(*p))
			return false;
		/* the product wraps at 64 bits, and so keeps the lowest ones right */
		perms.over |= __builtin_mul_overflow(perms.bits, UINT64_C(10), &perms.bits);
		perms.over |= __builtin_add_overflow(perms.bits, (uint64_t)(*p - '0'), &perms.bits);
	}
	*ret = perms;
	return true;
}

/* --- escapes ---------------------------------------------------------------------------------------------------- */

static char *put_utf8(char *out, uint32_t point)
{
	if (point < 0x80) {
		*out++ = (char)point;
	} else if (point < 0x800) {
		*out++ = (char)(0xc0 | point >> 6);
		*out++ = (char)(0x80 | (point & 0x3f));
	} else if (point < 0x10000) {
		*out++ = (char)(0xe0 | point >> 12);
		*out++ = (char)(0x80 | (point >> 6 & 0x3f));
		*out++ = (char)(0x80 | (point & 0x3f));
	} else {
		*out++ = (char)(0xf0 | point >> 18);
		*out++ = (char)(0x80 | (point >> 12 & 0x3f));
		*out++ = (char)(0x80 | (point >> 6 & 0x3f));
		*out++ = (char)(0x80 | (point & 0x3f));
	}
	return out;
}

/* Four hex digits at @p, or -1. */
static int32_t hex4(const char *p, const char *end)
{
	int32_t value = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = json_hex(p[i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* @p stands behind the 'u'. Two escapes that make a pair are one character; returns the position behind, or NULL. */
static const char *take_unicode(const char *p, const char *end, uint32_t *ret_point, uint32_t *repaired)
{
	int32_t high = hex4(p, end), low = -1;

	if (high < 0)
		return NULL;
	p += 4;
	*ret_point = (uint32_t)high;
	if (high < 0xd800 || high > 0xdfff)
		return p;
	if (high < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u')
		low = hex4(p + 2, end);
	if (low >= 0xdc00 && low <= 0xdfff) {
		*ret_point = 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
		return p + 6;
	}
	*ret_point = 0xfffd;
	(*repaired)++;
	return p;
}

static char simple_escape(char c)
{
	switch (c) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '"':
	case '\\':
	case '/':
		return c;
	default:
		return '\0';
	}
}

int64_t scalar_unescape(struct shoal_str raw, char *text, uint32_t *ret_repaired)
{
	const char *p = raw.ptr, *end = raw.ptr + raw.len;
	uint32_t repaired = 0, point;
	char *out = text;

	while (p < end) {
		const char *escape = memchr(p, '\\', (size_t)(end - p)) ?: end;

		memcpy(out, p, (size_t)(escape - p));
		out += escape - p;
		p = escape + 1;
		if (escape == end)
			break;
		if (p == end)
			return -1;
		if (*p == 'u') {
			p = take_unicode(p + 1, end, &point, &repaired);
			if (!p)
				return -1;
			out = put_utf8(out, point);
		} else {
			*out = simple_escape(*p++);
			if (!*out++)
				return -1;
		}
	}
	*ret_repaired += repaired;
	return out - text;
}

/* --- times ------------------------------------------------------------------------------------------------------ */

/* Exactly @count digits at *@p. */
static bool take_digits(const char **p, const char *end, int count, int *ret)
{
	int value = 0;

	if (end - *p < count)
		return false;
	for (int i = 0; i < count; i++, (*p)++) {
		if (!json_is_digit(**p))
			return false;
		value = value * 10 + (**p - '0');
	}
	*ret = value;
	return true;
}

static bool take_char(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	(*p)++;
	return true;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar: years counted from March, in eras of 400. */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)));
}

/* The fraction of a second, if there is one: milliseconds, the rest cut off. */
static bool take_fraction(const char **p, const char *end, int *ret_ms)
{
	int ms = 0, count = 0;

	if (!take_char(p, end, '.')) {
		*ret_ms = 0;
		return true;
	}
	for (; *p < end && json_is_digit(**p); (*p)++, count++)
		if (count < 3)
			ms = ms * 10 + (**p - '0');
	for (int i = count; i < 3; i++)
		ms *= 10;
	*ret_ms = ms;
	return count > 0;
}

/* Z, +hh:mm, -hh:mm or +hhmm. */
static bool take_zone(const char **p, const char *end, int *ret_minutes)
{
	int hours, minutes, sign;

	if (take_char(p, end, 'Z') || take_char(p, end, 'z')) {
		*ret_minutes = 0;
		return true;
	}
	sign = take_char(p, end, '-') ? -1 : 1;
	if (sign > 0 && !take_char(p, end, '+'))
		return false;
	if (!take_digits(p, end, 2, &hours))
		return false;
	(void)take_char(p, end, ':');
	if (!take_digits(p, end, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_minutes = sign * (hours * 60 + minutes);
	return true;
}

int reader_parse_time(const char *text, size_t len, int64_t *ret_ms)
{
	const char *p = text, *end = text + len;
	int year, month, day, hour, minute, second, ms, zone;
	int64_t seconds;

	if (!take_digits(&p, end, 4, &year) || !take_char(&p, end, '-') || !take_digits(&p, end, 2, &month) ||
	    !take_char(&p, end, '-') || !take_digits(&p, end, 2, &day) ||
	    (!take_char(&p, end, 'T') && !take_char(&p, end, 't') && !take_char(&p, end, ' ')) ||
	    !take_digits(&p, end, 2, &hour) || !take_char(&p, end, ':') || !take_digits(&p, end, 2, &minute) ||
	    !take_char(&p, end, ':') || !take_digits(&p, end, 2, &second) || !take_fraction(&p, end, &ms) ||
	    !take_zone(&p, end, &zone) || p != end)
		return -EINVAL;
	/* second 60: a leap second counts as the first of the next minute, as in Unix time */
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
	    second > 60)
		return -EINVAL;
	seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + (minute - zone) * 60 + second;
	*ret_ms = seconds * 1000 + ms;
	return 0;
}
