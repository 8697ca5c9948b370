/* Expressions of cron: five sets of numbers, and a walk over the days of the zone's own calendar. */
#include "shared/schedule/repeat.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/schedule/zone.h"

struct field {
	const char *name;
	int32_t least, most;
	const char *const *words; /* of @least and on; or NULL */
};

static const char *const month_words[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
					   "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const day_words[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };
static const struct field fields[FIELD_COUNT] = {
	[MINUTE] = { "minute", 0, 59, NULL },
	[HOUR] = { "hour", 0, 23, NULL },
	[DAY] = { "day of the month", 1, 31, NULL },
	[MONTH] = { "month", 1, 12, month_words },
	[WEEKDAY] = { "day of the week", 0, 7, day_words }, /* 7 is Sunday, too */
};

static const struct {
	const char *name, *fields;
} aliases[] = {
	{ "@hourly", "0 * * * *" },   { "@daily", "0 0 * * *" },   { "@midnight", "0 0 * * *" },
	{ "@weekly", "0 0 * * 0" },   { "@monthly", "0 0 1 * *" }, { "@yearly", "0 0 1 1 *" },
	{ "@annually", "0 0 1 1 *" },
};

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static bool read_value(const char **text, const struct field *field, int32_t *ret_value)
{
	const char *c = *text;
	int32_t value = 0;

	for (int32_t i = 0; field->words && field->words[i]; i++) {
		if (strncasecmp(c, field->words[i], 3) == 0 && !isalpha((unsigned char)c[3])) {
			*text = c + 3;
			*ret_value = field->least + i;
			return true;
		}
	}
	if (!isdigit((unsigned char)*c))
		return false;
	for (; isdigit((unsigned char)*c); c++) {
		value = value * 10 + (*c - '0');
		if (value > 999)
			return false;
	}
	*text = c;
	*ret_value = value;
	return true;
}

/* "*", "5", "1-5", each with "/2" behind; "5/15" is from 5 on. */
static bool read_part(const char **text, const struct field *field, uint64_t *set)
{
	int32_t from = field->least, to = field->most, step = 1;
	bool single = false;

	if (**text == '*') {
		(*text)++;
	} else {
		if (!read_value(text, field, &from))
			return false;
		to = from;
		single = true;
		if (**text == '-') {
			(*text)++;
			single = false;
			if (!read_value(text, field, &to))
				return false;
		}
	}
	if (**text == '/') {
		static const struct field steps = { "step", 1, 59, NULL };

		(*text)++;
		if (!read_value(text, &steps, &step) || step < 1)
			return false;
		if (single)
			to = field->most;
	}
	if (from < field->least || to > field->most || from > to)
		return false;
	for (; from <= to; from += step)
		*set |= UINT64_C(1) << from;
	return true;
}

static bool read_field(const char *text, const struct field *field, uint64_t *ret_set)
{
	*ret_set = 0;
	for (;;) {
		if (!read_part(&text, field, ret_set))
			return false;
		if (!*text)
			return true;
		if (*text++ != ',')
			return false;
	}
}

static const char *next_word(const char *text, char *word, size_t size)
{
	size_t len;

	text += strspn(text, " \t");
	len = strcspn(text, " \t");
	snprintf(word, size, "%.*s", (int)(len < size ? len : size - 1), text);
	return text + len;
}

static int read_zone(const char *text, struct repeat *repeat, char error[REPEAT_ERROR_SIZE])
{
	char rest[2];
	const struct zone *zone;

	text = next_word(text, repeat->zone, sizeof(repeat->zone));
	next_word(text, rest, sizeof(rest));
	if (*rest) {
		snprintf(error, REPEAT_ERROR_SIZE, "something stands behind the time zone");
		return -EINVAL;
	}
	if (zone_find(repeat->zone, &zone) == 0)
		return 0;
	snprintf(error, REPEAT_ERROR_SIZE, "there is no time zone %.64s", repeat->zone);
	return -EINVAL;
}

static int read_fields(const char *text, struct repeat *repeat, char error[REPEAT_ERROR_SIZE])
{
	uint64_t sets[FIELD_COUNT];
	char word[64], first[FIELD_COUNT];

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		text = next_word(text, word, sizeof(word));
		if (!*word || !read_field(word, &fields[i], &sets[i])) {
			snprintf(error, REPEAT_ERROR_SIZE,
				 "the %s (%.20s) is not one of %d to %d, lists, ranges and steps", fields[i].name,
				 *word ? word : "missing", (int)fields[i].least, (int)fields[i].most);
			return -EINVAL;
		}
		first[i] = word[0];
	}
	repeat->minutes = sets[MINUTE];
	repeat->hours = (uint32_t)sets[HOUR];
	repeat->days = (uint32_t)sets[DAY];
	repeat->months = (uint32_t)sets[MONTH];
	repeat->weekdays = (uint32_t)((sets[WEEKDAY] | sets[WEEKDAY] >> 7) & 0x7F);
	repeat->any_hour = repeat->hours == 0xFFFFFF;
	repeat->any_day = first[DAY] == '*';
	repeat->any_weekday = first[WEEKDAY] == '*';
	return read_zone(text, repeat, error);
}

/* "1d12h", "90s". */
static int read_every(const char *text, struct repeat *repeat, char error[REPEAT_ERROR_SIZE])
{
	static const struct {
		char letter;
		int32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 7 * 86400 } };
	int64_t number;
	size_t unit;

	for (text += strspn(text, " "); *text; text++) {
		number = 0;
		if (!isdigit((unsigned char)*text))
			break;
		for (; isdigit((unsigned char)*text) && number <= REPEAT_EVERY_MAX_S; text++)
			number = number * 10 + (*text - '0');
		for (unit = 0; unit < ARRAY_SIZE(units) && units[unit].letter != tolower((unsigned char)*text); unit++)
			;
		if (unit == ARRAY_SIZE(units))
			break;
		repeat->every_s += number * units[unit].seconds;
		if (repeat->every_s > REPEAT_EVERY_MAX_S)
			break;
	}
	if (!*text && repeat->every_s >= 1)
		return 0;
	snprintf(error, REPEAT_ERROR_SIZE, "\"every\" wants an interval of 1s to 366d: 90s, 15m, 6h, 2d, 1w, 1d12h");
	return -EINVAL;
}

int repeat_parse(const char *text, struct repeat *ret_repeat, char error[REPEAT_ERROR_SIZE])
{
	char spelt[SHOAL_JOB_REPEAT_MAX + 32];
	struct repeat repeat = { 0 };
	int r;

	text += strspn(text, " \t");
	if (strlen(text) > SHOAL_JOB_REPEAT_MAX) {
		snprintf(error, REPEAT_ERROR_SIZE, "it is longer than %d bytes", SHOAL_JOB_REPEAT_MAX);
		return -EINVAL;
	}
	if (strncasecmp(text, "every ", 6) == 0) {
		r = read_every(text + 6, &repeat, error);
	} else {
		for (size_t i = 0; *text == '@' && i < ARRAY_SIZE(aliases); i++) {
			size_t len = strlen(aliases[i].name);

			if (strncasecmp(text, aliases[i].name, len) != 0 || (text[len] && text[len] != ' '))
				continue;
			snprintf(spelt, sizeof(spelt), "%s%s", aliases[i].fields, text + len);
			text = spelt;
		}
		r = read_fields(text, &repeat, error);
	}
	if (r == 0)
		*ret_repeat = repeat;
	return r;
}

/* --- reckoning -----------------------------------------------------------------------------------------------------
 */

/* As cron has it: when day of the month and day of the week are both given, either will do. */
static bool is_day(const struct repeat *repeat, int64_t days)
{
	int32_t year, month, day, weekday = (int32_t)(((days + 4) % 7 + 7) % 7);
	bool by_day, by_weekday;

	zone_date(days, &year, &month, &day);
	if (!(repeat->months >> month & 1))
		return false;
	by_day = repeat->days >> day & 1;
	by_weekday = repeat->weekdays >> weekday & 1;
	if (!repeat->any_day && !repeat->any_weekday)
		return by_day || by_weekday;
	return by_day && by_weekday;
}

/* The first time of that day that is after @after_s; INT64_MAX: none. */
static int64_t next_of_day(const struct repeat *repeat, const struct zone *zone, int64_t days, int64_t after_s)
{
	struct shoal_local local = { 0 };
	int64_t at_s;

	zone_date(days, &local.year, &local.month, &local.day);
	for (local.hour = 0; local.hour < 24; local.hour++) {
		if (!(repeat->hours >> local.hour & 1))
			continue;
		for (local.minute = 0; local.minute < 60; local.minute++) {
			if (!(repeat->minutes >> local.minute & 1))
				continue;
			at_s = zone_instant(zone, &local);
			if (at_s > after_s)
				return at_s;
		}
	}
	return INT64_MAX;
}

/* Of every hour: what summer time repeats is an hour like any other, so instants are walked, not the calendar. */
static int64_t next_of_hours(const struct repeat *repeat, const struct zone *zone, int64_t days, int64_t after_s)
{
	struct shoal_local begin = { 0 }, local;
	int64_t at_s, until_s;

	zone_date(days, &begin.year, &begin.month, &begin.day);
	at_s = zone_instant(zone, &begin);
	begin.day++;
	until_s = zone_instant(zone, &begin);
	if (at_s <= after_s)
		at_s += (after_s - at_s) / 60 * 60 + 60;
	for (; at_s < until_s; at_s += 60) {
		zone_local(zone, at_s * 1000, &local);
		if (repeat->minutes >> local.minute & 1)
			return at_s;
	}
	return INT64_MAX;
}

static int64_t next_by_fields(const struct repeat *repeat, int64_t after_ms)
{
	int64_t after_s = after_ms / 1000, days, last, at_s;
	const struct zone *zone;
	struct shoal_local local;

	if (zone_find(repeat->zone, &zone) < 0)
		return INT64_MAX;
	zone_local(zone, after_ms, &local);
	days = zone_days(local.year, local.month, local.day);
	for (last = days + REPEAT_YEARS_AHEAD * 366; days <= last; days++) {
		if (!is_day(repeat, days))
			continue;
		at_s = repeat->any_hour ? next_of_hours(repeat, zone, days, after_s)
					: next_of_day(repeat, zone, days, after_s);
		if (at_s != INT64_MAX)
			return at_s * 1000;
	}
	return INT64_MAX;
}

int64_t repeat_next(const struct repeat *repeat, int64_t anchor_ms, int64_t after_ms)
{
	int64_t every_ms = repeat->every_s * 1000;

	if (every_ms == 0)
		return next_by_fields(repeat, after_ms);
	if (after_ms < anchor_ms)
		return anchor_ms;
	return anchor_ms + ((after_ms - anchor_ms) / every_ms + 1) * every_ms;
}

uint32_t repeat_count(const struct repeat *repeat, int64_t anchor_ms, int64_t after_ms, int64_t until_ms, uint32_t most)
{
	uint32_t count = 0;

	if (repeat->every_s > 0) {
		int64_t first_ms = repeat_next(repeat, anchor_ms, after_ms);
		int64_t times = first_ms > until_ms ? 0 : (until_ms - first_ms) / (repeat->every_s * 1000) + 1;

		return times < most ? (uint32_t)times : most;
	}
	while (count < most) {
		after_ms = repeat_next(repeat, anchor_ms, after_ms);
		if (after_ms > until_ms)
			break;
		count++;
	}
	return count;
}
