/* Zones: TZif files (RFC 8536), read whole and checked before anything of them is believed, and the rule at their end
 * for the years that no transition is listed for. libc's own tzset() is of the whole process and not asked. */
#include "shared/schedule/zone.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"

#define SYSTEM_DIR      "/usr/share/zoneinfo"
#define FILE_MAX        (64 * 1024)
#define TRANSITIONS_MAX 4096
#define TYPES_MAX       256
#define CACHE_MAX       64
#define DAY_S           86400
#define OFFSET_MAX_S    (26 * 3600) /* RFC 8536, 3.2 */

/* A day of the year on which the clock changes, and when. */
struct rule_day {
	char kind; /* 'M': month, week, weekday; 'J': 1-365 without leap days; '0': 0-365 */
	int32_t month, week, day;
	int32_t time_s;
};

struct rule {
	bool there, has_summer;
	int32_t standard_s, summer_s;
	struct rule_day begin, end; /* of summer time */
};

struct zone {
	size_t count;
	int64_t *at;       /* ascending */
	int32_t *offset_s; /* from there on */
	int32_t first_s;   /* before the first */
	struct rule rule;  /* after the last */
	char name[SHOAL_ZONE_MAX + 1];
	uint64_t used;
};

static struct zone *cache[CACHE_MAX];
static uint64_t uses;

/* --- the calendar --------------------------------------------------------------------------------------------------
 */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* By Howard Hinnant's well-known arithmetic of 400-year eras, years beginning in March. */
int64_t zone_days(int32_t year, int32_t month, int32_t day)
{
	int64_t y = (int64_t)year - (month <= 2), era = floor_div(y, 400);
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void zone_date(int64_t days, int32_t *ret_year, int32_t *ret_month, int32_t *ret_day)
{
	int64_t z = days + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;

	*ret_day = (int32_t)(of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int32_t)(month < 10 ? month + 3 : month - 9);
	*ret_year = (int32_t)(year + era * 400 + (*ret_month <= 2));
}

static bool is_leap(int32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int32_t zone_days_of_month(int32_t year, int32_t month)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[(month - 1) % 12] + (month == 2 && is_leap(year));
}

/* --- the rule ------------------------------------------------------------------------------------------------------
 */

/* Local seconds since 1970 of the change in that year, by the clock before it. */
static int64_t change_at(const struct rule_day *rule, int32_t year)
{
	int64_t first, days;
	int32_t weekday;

	if (rule->kind == 'M') {
		first = zone_days(year, rule->month, 1);
		weekday = (int32_t)(((first + 4) % 7 + 7) % 7);
		days = first + (rule->day - weekday + 7) % 7 + (int64_t)(rule->week - 1) * 7;
		if (days >= first + zone_days_of_month(year, rule->month)) /* week 5: the last one */
			days -= 7;
	} else {
		days = zone_days(year, 1, 1) + rule->day;
		if (rule->kind == 'J')
			days += (is_leap(year) && rule->day >= 60) - 1;
	}
	return days * DAY_S + rule->time_s;
}

static int32_t rule_offset_s(const struct rule *rule, int64_t at_s)
{
	int32_t year, month, day;
	int64_t begin_s, end_s;
	bool summer;

	if (!rule->has_summer)
		return rule->standard_s;
	zone_date(floor_div(at_s + rule->standard_s, DAY_S), &year, &month, &day);
	begin_s = change_at(&rule->begin, year) - rule->standard_s;
	end_s = change_at(&rule->end, year) - rule->summer_s;
	summer = begin_s < end_s ? at_s >= begin_s && at_s < end_s : !(at_s >= end_s && at_s < begin_s);
	return summer ? rule->summer_s : rule->standard_s;
}

/* "CET" or "<+0330>". */
static bool skip_abbreviation(const char **text)
{
	const char *c = *text;

	if (*c == '<') {
		for (c++; *c && *c != '>'; c++)
			;
		if (*c++ != '>')
			return false;
	} else {
		for (; isalpha((unsigned char)*c); c++)
			;
		if (c - *text < 3)
			return false;
	}
	*text = c;
	return true;
}

static bool read_number(const char **text, int32_t most, int32_t *ret_number)
{
	int32_t number = 0;
	const char *c = *text;

	if (!isdigit((unsigned char)*c))
		return false;
	for (; isdigit((unsigned char)*c); c++) {
		number = number * 10 + (*c - '0');
		if (number > most)
			return false;
	}
	*text = c;
	*ret_number = number;
	return true;
}

/* [+-]hh[:mm[:ss]]; up to a week, as RFC 8536 allows for the time of a change. */
static bool read_time(const char **text, int32_t *ret_s)
{
	int32_t sign = 1, hours, minutes = 0, seconds = 0;

	if (**text == '+' || **text == '-')
		sign = *(*text)++ == '-' ? -1 : 1;
	if (!read_number(text, 167, &hours))
		return false;
	if (**text == ':') {
		(*text)++;
		if (!read_number(text, 59, &minutes))
			return false;
		if (**text == ':') {
			(*text)++;
			if (!read_number(text, 59, &seconds))
				return false;
		}
	}
	*ret_s = sign * (hours * 3600 + minutes * 60 + seconds);
	return true;
}

static bool read_day(const char **text, struct rule_day *day)
{
	*day = (struct rule_day){ .kind = '0', .time_s = 2 * 3600 };
	if (*(*text)++ != ',')
		return false;
	if (**text == 'M') {
		day->kind = 'M';
		(*text)++;
		if (!read_number(text, 12, &day->month) || *(*text)++ != '.' || !read_number(text, 5, &day->week) ||
		    *(*text)++ != '.' || !read_number(text, 6, &day->day) || day->month < 1 || day->week < 1)
			return false;
	} else {
		if (**text == 'J') {
			day->kind = 'J';
			(*text)++;
		}
		if (!read_number(text, 365, &day->day) || (day->kind == 'J' && day->day < 1))
			return false;
	}
	if (**text != '/')
		return true;
	(*text)++;
	return read_time(text, &day->time_s);
}

/* POSIX' TZ text: "CET-1CEST,M3.5.0,M10.5.0/3". Offsets there are west of UTC. */
static bool read_rule(const char *text, struct rule *rule)
{
	int32_t west_s;

	*rule = (struct rule){ .there = true };
	if (!skip_abbreviation(&text) || !read_time(&text, &west_s) || abs(west_s) > OFFSET_MAX_S)
		return false;
	rule->standard_s = -west_s;
	if (!*text)
		return true;
	rule->has_summer = true;
	rule->summer_s = rule->standard_s + 3600;
	if (!skip_abbreviation(&text))
		return false;
	if (*text && *text != ',') {
		if (!read_time(&text, &west_s) || abs(west_s) > OFFSET_MAX_S)
			return false;
		rule->summer_s = -west_s;
	}
	return read_day(&text, &rule->begin) && read_day(&text, &rule->end) && !*text;
}

/* --- the file ------------------------------------------------------------------------------------------------------
 */

struct counts {
	uint32_t utc, standard, leap, times, types, chars;
};

static uint64_t be(const unsigned char *p, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | p[i];
	return value;
}

static bool read_header(const unsigned char *p, size_t len, struct counts *ret_counts, char *ret_version)
{
	if (len < 44 || memcmp(p, "TZif", 4) != 0)
		return false;
	*ret_version = (char)p[4];
	*ret_counts = (struct counts){ .utc = (uint32_t)be(p + 20, 4),
				       .standard = (uint32_t)be(p + 24, 4),
				       .leap = (uint32_t)be(p + 28, 4),
				       .times = (uint32_t)be(p + 32, 4),
				       .types = (uint32_t)be(p + 36, 4),
				       .chars = (uint32_t)be(p + 40, 4) };
	return ret_counts->times <= TRANSITIONS_MAX && ret_counts->types >= 1 && ret_counts->types <= TYPES_MAX &&
	       ret_counts->chars <= 1024 && ret_counts->leap <= 1024 && ret_counts->utc <= TYPES_MAX &&
	       ret_counts->standard <= TYPES_MAX;
}

static size_t body_size(const struct counts *counts, size_t time_size)
{
	return counts->times * (time_size + 1) + counts->types * 6 + counts->chars + counts->leap * (time_size + 4) +
	       counts->standard + counts->utc;
}

static int read_body(struct zone *zone, const unsigned char *p, const struct counts *counts, size_t time_size)
{
	const unsigned char *index = p + counts->times * time_size, *types = index + counts->times;
	int32_t offset_s[TYPES_MAX] = { 0 };

	for (uint32_t i = 0; i < counts->types; i++) {
		offset_s[i] = (int32_t)(uint32_t)be(types + i * 6, 4);
		if (offset_s[i] > OFFSET_MAX_S || offset_s[i] < -OFFSET_MAX_S)
			return -EBADMSG;
	}
	zone->first_s = offset_s[0];
	zone->at = calloc(counts->times + 1, sizeof(zone->at[0]));
	zone->offset_s = calloc(counts->times + 1, sizeof(zone->offset_s[0]));
	if (!zone->at || !zone->offset_s)
		return -ENOMEM;
	for (uint32_t i = 0; i < counts->times; i++) {
		uint64_t raw = be(p + i * time_size, time_size);

		zone->at[i] = time_size == 8 ? (int64_t)raw : (int32_t)(uint32_t)raw;
		if (index[i] >= counts->types || (i > 0 && zone->at[i] <= zone->at[i - 1]))
			return -EBADMSG;
		zone->offset_s[i] = offset_s[index[i]];
	}
	zone->count = counts->times;
	return 0;
}

/* What follows the second body: a line feed, the rule (or nothing), a line feed. */
static int read_footer(struct zone *zone, const unsigned char *p, size_t len)
{
	const unsigned char *end = len > 0 && *p == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;
	char text[128];

	if (!end || (size_t)(end - p) > sizeof(text))
		return -EBADMSG;
	memcpy(text, p + 1, (size_t)(end - p - 1));
	text[end - p - 1] = '\0';
	if (!*text)
		return 0;
	return read_rule(text, &zone->rule) ? 0 : -EBADMSG;
}

int zone_parse(const void *bytes, size_t len, struct zone **ret_zone)
{
	CLEANUP(cleanup_free) struct zone *zone = calloc(1, sizeof(*zone));
	const unsigned char *p = bytes;
	struct counts counts;
	size_t skip, time_size = 4;
	char version;
	int r;

	if (!zone)
		return -ENOMEM;
	if (!read_header(p, len, &counts, &version))
		return -EBADMSG;
	if (version >= '2') { /* the first body is for readers of old */
		skip = 44 + body_size(&counts, 4);
		if (skip > len || !read_header(p + skip, len - skip, &counts, &version))
			return -EBADMSG;
		p += skip;
		len -= skip;
		time_size = 8;
	}
	p += 44;
	len -= 44;
	if (body_size(&counts, time_size) > len)
		return -EBADMSG;
	r = read_body(zone, p, &counts, time_size);
	if (r == 0 && time_size == 8)
		r = read_footer(zone, p + body_size(&counts, 8), len - body_size(&counts, 8));
	if (r < 0) {
		zone_free(TAKE(zone));
		return r;
	}
	*ret_zone = TAKE(zone);
	return 0;
}

struct zone *zone_free(struct zone *zone)
{
	if (!zone)
		return NULL;
	free(zone->at);
	free(zone->offset_s);
	free(zone);
	return NULL;
}

/* --- finding -------------------------------------------------------------------------------------------------------
 */

/* "UTC", "GMT", "Z", or those with an offset behind, or an offset alone. */
static bool is_fixed(const char *name, int32_t *ret_offset_s)
{
	static const char *const words[] = { "UTC", "GMT", "Z" };
	int32_t hours, minutes = 0, sign;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strncasecmp(name, words[i], strlen(words[i])) != 0)
			continue;
		name += strlen(words[i]);
		break;
	}
	*ret_offset_s = 0;
	if (!*name)
		return true;
	if (*name != '+' && *name != '-')
		return false;
	sign = *name++ == '-' ? -1 : 1;
	if (!read_number(&name, 9999, &hours))
		return false;
	if (*name == ':') {
		name++;
		if (!read_number(&name, 59, &minutes))
			return false;
	} else if (hours > 99) {
		minutes = hours % 100;
		hours /= 100;
	}
	if (*name || hours > 14 || minutes > 59)
		return false;
	*ret_offset_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* It becomes part of a path. */
static bool is_name(const char *name)
{
	size_t len = strlen(name), i;

	if (len == 0 || len > SHOAL_ZONE_MAX || !isalpha((unsigned char)*name))
		return false;
	for (i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("/_+-", name[i]))
			return false;
		if (name[i] == '/' && !isalpha((unsigned char)name[i + 1]))
			return false;
	}
	return true;
}

static int load(const char *name, struct zone **ret_zone)
{
	CLEANUP(cleanup_free) unsigned char *bytes = malloc(FILE_MAX);
	CLEANUP(cleanup_close) int fd = -1;
	char path[256];
	ssize_t len;

	if (!bytes)
		return -ENOMEM;
	if (snprintf(path, sizeof(path), "%s/%s", SYSTEM_DIR, name) >= (int)sizeof(path))
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -ENOENT;
	len = read(fd, bytes, FILE_MAX);
	if (len < 0)
		return -ENOENT; /* a folder */
	return zone_parse(bytes, (size_t)len, ret_zone);
}

static void keep(struct zone *zone)
{
	size_t oldest = 0;

	for (size_t i = 0; i < CACHE_MAX; i++) {
		if (!cache[i]) {
			oldest = i;
			break;
		}
		if (cache[i]->used < cache[oldest]->used)
			oldest = i;
	}
	zone_free(cache[oldest]);
	cache[oldest] = zone;
}

int zone_find(const char *name, const struct zone **ret_zone)
{
	static struct zone fixed;
	struct zone *zone = NULL;
	int32_t offset_s;
	int r;

	if (is_fixed(name ? name : "", &offset_s)) {
		fixed = (struct zone){ .first_s = offset_s };
		*ret_zone = &fixed;
		return 0;
	}
	if (!is_name(name))
		return -ENOENT;
	for (size_t i = 0; i < CACHE_MAX && !zone; i++) {
		if (cache[i] && strcmp(cache[i]->name, name) == 0)
			zone = cache[i];
	}
	if (!zone) {
		r = load(name, &zone);
		if (r < 0)
			return r;
		snprintf(zone->name, sizeof(zone->name), "%s", name);
		keep(zone);
	}
	zone->used = ++uses;
	*ret_zone = zone;
	return 0;
}

/* --- using ---------------------------------------------------------------------------------------------------------
 */

int32_t zone_offset_s(const struct zone *zone, int64_t at_s)
{
	size_t low = 0, high = zone->count;

	if (zone->rule.there && (zone->count == 0 || at_s >= zone->at[zone->count - 1]))
		return rule_offset_s(&zone->rule, at_s);
	while (low < high) { /* how many transitions are at or before it */
		size_t middle = low + (high - low) / 2;

		if (zone->at[middle] <= at_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? zone->first_s : zone->offset_s[low - 1];
}

void zone_local(const struct zone *zone, int64_t at_ms, struct shoal_local *ret_local)
{
	int64_t at_s = floor_div(at_ms, 1000), local_s, days;
	int32_t of_day;

	*ret_local = (struct shoal_local){ .offset_s = zone_offset_s(zone, at_s) };
	local_s = at_s + ret_local->offset_s;
	days = floor_div(local_s, DAY_S);
	of_day = (int32_t)(local_s - days * DAY_S);
	zone_date(days, &ret_local->year, &ret_local->month, &ret_local->day);
	ret_local->hour = of_day / 3600;
	ret_local->minute = of_day / 60 % 60;
	ret_local->second = of_day % 60;
	ret_local->weekday = (int32_t)(((days + 4) % 7 + 7) % 7);
}

/* The first instant from @low to @high at which another offset than @before_s holds. */
static int64_t first_after(const struct zone *zone, int64_t low, int64_t high, int32_t before_s)
{
	while (low < high) {
		int64_t middle = low + (high - low) / 2;

		if (zone_offset_s(zone, middle) == before_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int64_t zone_instant(const struct zone *zone, const struct shoal_local *local)
{
	int64_t wanted = zone_days(local->year, local->month, 1) * DAY_S + (int64_t)(local->day - 1) * DAY_S +
			 (int64_t)local->hour * 3600 + (int64_t)local->minute * 60 + local->second;
	int32_t before_s = zone_offset_s(zone, wanted - DAY_S), after_s = zone_offset_s(zone, wanted + DAY_S);

	if (zone_offset_s(zone, wanted - before_s) == before_s) /* of two the first */
		return wanted - before_s;
	if (zone_offset_s(zone, wanted - after_s) == after_s)
		return wanted - after_s;
	return first_after(zone, wanted - DAY_S, wanted + DAY_S, before_s);
}
