/* Times: zones with their summer times, expressions of cron, and what people write. Tables; the zones are the system's
 * (tzdata) and files made here. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/random.h"
#include "shared/schedule/repeat.h"
#include "shared/schedule/when.h"
#include "shared/schedule/zone.h"

/* "2026-03-29 01:00:00" as UTC. */
static int64_t utc(const char *text)
{
	struct shoal_local local = { 0 };
	const struct zone *zone;

	if (sscanf(text, "%d-%d-%d %d:%d:%d", &local.year, &local.month, &local.day, &local.hour, &local.minute,
		   &local.second) < 5)
		fail_msg("not a time: %s", text);
	assert_int_equal(zone_find("UTC", &zone), 0);
	return zone_instant(zone, &local) * 1000;
}

static const char *print(int64_t at_ms, const char *name, char text[32])
{
	struct shoal_local l;
	const struct zone *zone;

	if (at_ms == INT64_MAX)
		return "never";
	assert_int_equal(zone_find(name, &zone), 0);
	zone_local(zone, at_ms, &l);
	snprintf(text, 32, "%04d-%02d-%02d %02d:%02d:%02d", l.year % 10000, l.month % 100, l.day % 100, l.hour % 100,
		 l.minute % 100, l.second % 100);
	return text;
}

/* --- the calendar --- */

static void test_days_go_both_ways(void **state)
{
	int32_t year, month, day;

	(void)state;
	assert_int_equal(zone_days(1970, 1, 1), 0);
	assert_int_equal(zone_days(2000, 3, 1), 11017);
	assert_int_equal(zone_days(1600, 1, 1), -135140);
	for (int64_t days = -200000; days < 200000; days += 37) {
		zone_date(days, &year, &month, &day);
		assert_int_equal(zone_days(year, month, day), days);
	}
	assert_int_equal(zone_days_of_month(2000, 2), 29);
	assert_int_equal(zone_days_of_month(2100, 2), 28);
	assert_int_equal(zone_days_of_month(2024, 2), 29);
}

/* --- zones --- */

static void test_zones_by_their_names(void **state)
{
	static const struct {
		const char *name;
		int error;
		int32_t offset_s;
	} rows[] = {
		{ "", 0, 0 },
		{ "UTC", 0, 0 },
		{ "utc", 0, 0 },
		{ "GMT+2", 0, 7200 },
		{ "+02:00", 0, 7200 },
		{ "-0330", 0, -12600 },
		{ "UTC-3:30", 0, -12600 },
		{ "Asia/Kolkata", 0, 19800 },
		{ "America/New_York", 0, -18000 },
		{ "+15", -ENOENT, 0 },
		{ "+2:75", -ENOENT, 0 },
		{ "Europe/Atlantis", -ENOENT, 0 },
		{ "Europe", -ENOENT, 0 },
		{ "../../etc/passwd", -ENOENT, 0 },
		{ "Europe/../Europe/Rome", -ENOENT, 0 },
		{ "/etc/passwd", -ENOENT, 0 },
		{ "zone.tab", -ENOENT, 0 },
		{ "Europe//Rome", -ENOENT, 0 },
		{ "Rome\n", -ENOENT, 0 },
	};
	int64_t winter_s = utc("2026-01-15 12:00") / 1000;
	const struct zone *zone;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = zone_find(rows[i].name, &zone);

		if (r != rows[i].error)
			fail_msg("%s: %d", rows[i].name, r);
		if (r == 0)
			assert_int_equal(zone_offset_s(zone, winter_s), rows[i].offset_s);
	}
}

/* Against what is published of these changes. */
static void test_summer_time_begins_and_ends(void **state)
{
	static const struct {
		const char *zone, *utc, *local;
	} rows[] = {
		{ "Europe/Rome", "2026-03-29 00:59:59", "2026-03-29 01:59:59" },
		{ "Europe/Rome", "2026-03-29 01:00:00", "2026-03-29 03:00:00" },
		{ "Europe/Rome", "2026-10-25 00:59:59", "2026-10-25 02:59:59" },
		{ "Europe/Rome", "2026-10-25 01:00:00", "2026-10-25 02:00:00" },
		{ "America/New_York", "2026-03-08 06:59:59", "2026-03-08 01:59:59" },
		{ "America/New_York", "2026-03-08 07:00:00", "2026-03-08 03:00:00" },
		{ "America/New_York", "2026-11-01 06:00:00", "2026-11-01 01:00:00" },
		{ "Australia/Lord_Howe", "2026-04-04 15:00:00", "2026-04-05 01:30:00" }, /* half an hour */
		{ "Asia/Kolkata", "2026-06-01 00:00:00", "2026-06-01 05:30:00" },
		{ "America/Sao_Paulo", "2018-11-04 03:00:00", "2018-11-04 01:00:00" }, /* it had one then */
		{ "America/Sao_Paulo", "2026-11-04 03:00:00", "2026-11-04 00:00:00" },
		{ "Europe/Rome", "2060-07-01 10:00:00", "2060-07-01 12:00:00" }, /* by the rule */
		{ "America/New_York", "2095-01-01 05:00:00", "2095-01-01 00:00:00" },
		{ "Pacific/Auckland", "2070-01-10 00:00:00", "2070-01-10 13:00:00" }, /* summer over New Year */
		{ "Africa/Casablanca", "2026-01-10 12:00:00", "2026-01-10 13:00:00" },
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got = print(utc(rows[i].utc), rows[i].zone, text);

		if (strcmp(got, rows[i].local) != 0)
			fail_msg("%s at %s: %s, not %s", rows[i].zone, rows[i].utc, got, rows[i].local);
	}
}

static void test_what_is_skipped_and_what_comes_twice(void **state)
{
	static const struct {
		const char *zone, *local, *utc;
	} rows[] = {
		{ "Europe/Rome", "2026-03-29 02:30", "2026-03-29 01:00:00" }, /* not there: the first moment after */
		{ "Europe/Rome", "2026-03-29 02:00", "2026-03-29 01:00:00" },
		{ "Europe/Rome", "2026-03-29 03:00", "2026-03-29 01:00:00" },
		{ "Europe/Rome", "2026-10-25 02:30", "2026-10-25 00:30:00" }, /* twice: the first */
		{ "Europe/Rome", "2026-10-25 03:00", "2026-10-25 02:00:00" },
		{ "America/New_York", "2026-11-01 01:30", "2026-11-01 05:30:00" },
		{ "Asia/Kolkata", "2026-05-05 05:30", "2026-05-05 00:00:00" },
		{ "Europe/Rome", "2026-02-31 12:00", "2026-03-03 11:00:00" }, /* days count on */
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct shoal_local local = { 0 };
		const struct zone *zone;

		assert_int_equal(sscanf(rows[i].local, "%d-%d-%d %d:%d", &local.year, &local.month, &local.day,
					&local.hour, &local.minute),
				 5);
		assert_int_equal(zone_find(rows[i].zone, &zone), 0);
		assert_string_equal(print(zone_instant(zone, &local) * 1000, "UTC", text), rows[i].utc);
	}
}

/* Every byte of a file may be another one, and it may end anywhere: it is refused, or it is a zone that gives answers.
 */
static void test_a_file_that_is_none(void **state)
{
	unsigned char bytes[8192], spoilt[8192];
	FILE *in = fopen("/usr/share/zoneinfo/Europe/Rome", "re");
	struct zone *zone = NULL;
	size_t len, i;

	(void)state;
	assert_non_null(in);
	len = fread(bytes, 1, sizeof(bytes), in);
	fclose(in);
	assert_true(len > 100 && len < sizeof(bytes));
	for (i = 0; i < len; i++)
		assert_int_equal(zone_parse(bytes, i, &zone), -EBADMSG);
	for (i = 0; i < 20000; i++) {
		memcpy(spoilt, bytes, len);
		spoilt[random_below(len)] = (unsigned char)random_u64();
		spoilt[random_below(len)] ^= (unsigned char)(1u << random_below(8));
		if (zone_parse(spoilt, len, &zone) == 0) {
			int32_t offset_s = zone_offset_s(zone, (int64_t)random_u64() / 4096);

			assert_in_range(offset_s + 200000, 0, 400000);
			zone = zone_free(zone);
		}
	}
}

/* --- repeats --- */

static void test_cron(void **state)
{
	static const struct {
		const char *text, *after, *next;
	} rows[] = {
		{ "* * * * *", "2026-01-01 00:00:00", "2026-01-01 00:01:00" },
		{ "* * * * *", "2026-01-01 00:00:59", "2026-01-01 00:01:00" },
		{ "*/15 * * * *", "2026-01-01 00:14:00", "2026-01-01 00:15:00" },
		{ "*/15 * * * *", "2026-01-01 00:45:00", "2026-01-01 01:00:00" },
		{ "5/20 * * * *", "2026-01-01 00:25:00", "2026-01-01 00:45:00" },
		{ "0 9 * * *", "2026-01-01 09:00:00", "2026-01-02 09:00:00" },
		{ "30 4 1,15 * *", "2026-01-01 05:00:00", "2026-01-15 04:30:00" },
		{ "0 0 31 * *", "2026-01-31 00:00:00", "2026-03-31 00:00:00" },
		{ "0 0 29 2 *", "2026-01-01 00:00:00", "2028-02-29 00:00:00" },
		{ "0 0 30 2 *", "2026-01-01 00:00:00", "never" },
		{ "0 12 * * mon-fri", "2026-01-02 12:00:00", "2026-01-05 12:00:00" },
		{ "0 12 * * 7", "2026-01-01 00:00:00", "2026-01-04 12:00:00" },
		{ "0 12 * * 0", "2026-01-01 00:00:00", "2026-01-04 12:00:00" },
		{ "0 12 * * Sat,SUN", "2026-01-03 12:00:00", "2026-01-04 12:00:00" },
		{ "0 0 13 * fri", "2026-01-10 00:00:00", "2026-01-13 00:00:00" }, /* either, as cron has it */
		{ "0 0 13 * fri", "2026-01-13 00:00:00", "2026-01-16 00:00:00" },
		{ "0 0 * feb-apr/2 *", "2026-03-01 00:00:00", "2026-04-01 00:00:00" },
		{ "0-4/2,50 * * * *", "2026-01-01 00:04:00", "2026-01-01 00:50:00" },
		{ "@hourly", "2026-01-01 00:30:00", "2026-01-01 01:00:00" },
		{ "@daily", "2026-01-01 00:00:00", "2026-01-02 00:00:00" },
		{ "@weekly", "2026-01-01 00:00:00", "2026-01-04 00:00:00" },
		{ "@monthly", "2026-01-01 00:00:00", "2026-02-01 00:00:00" },
		{ "@yearly", "2026-01-01 00:00:00", "2027-01-01 00:00:00" },
		{ "@daily Europe/Rome", "2026-06-01 00:00:00", "2026-06-01 22:00:00" },
		{ "0 9 * * * Europe/Rome", "2026-03-28 08:00:00", "2026-03-29 07:00:00" }, /* summer time has begun */
		{ "0 9 * * * Europe/Rome", "2026-10-24 07:00:00", "2026-10-25 08:00:00" },
		{ "30 2 * * * Europe/Rome", "2026-03-28 12:00:00", "2026-03-29 01:00:00" }, /* skipped: right after */
		{ "30 2 * * * Europe/Rome", "2026-03-29 01:00:00", "2026-03-30 00:30:00" },
		{ "30 2 * * * Europe/Rome", "2026-10-24 12:00:00", "2026-10-25 00:30:00" }, /* twice: once */
		{ "30 2 * * * Europe/Rome", "2026-10-25 00:30:00", "2026-10-26 01:30:00" },
		{ "30 * * * * Europe/Rome", "2026-10-25 00:30:00", "2026-10-25 01:30:00" }, /* every hour: both */
		{ "*/10 * * * * Europe/Rome", "2026-03-29 00:50:00", "2026-03-29 01:00:00" },
		{ "0 9 * * 1 +05:30", "2026-01-01 00:00:00", "2026-01-05 03:30:00" },
		{ "0 0 * * * America/New_York", "2026-01-01 05:00:00", "2026-01-02 05:00:00" },
	};
	char text[32], error[REPEAT_ERROR_SIZE];
	struct repeat repeat;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got;

		if (repeat_parse(rows[i].text, &repeat, error) < 0)
			fail_msg("%s: %s", rows[i].text, error);
		got = print(repeat_next(&repeat, 0, utc(rows[i].after)), "UTC", text);
		if (strcmp(got, rows[i].next) != 0)
			fail_msg("%s after %s: %s, not %s", rows[i].text, rows[i].after, got, rows[i].next);
	}
}

static void test_cron_refusals(void **state)
{
	static const char *const rows[] = {
		"",
		"*",
		"* * * *",
		"60 * * * *",
		"* 24 * * *",
		"* * 0 * *",
		"* * 32 * *",
		"* * * 13 *",
		"* * * * 8",
		"* * * * mond",
		"1-",
		"5-1 * * * *",
		"*/0 * * * *",
		"*/x * * * *",
		"1,,2 * * * *",
		"-1 * * * *",
		"* * * * * Europe/Atlantis",
		"* * * * * UTC more",
		"@often",
		"@dailyx",
		"every",
		"every 0s",
		"every 5",
		"every 5x",
		"every -5s",
		"every 400d",
		"every 99999999999999999999s",
		"1.5 * * * *",
		"* * * * *;",
		"0x5 * * * *",
		"every 1h every 2h",
	};
	char error[REPEAT_ERROR_SIZE], longest[300];
	struct repeat repeat;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		error[0] = '\0';
		if (repeat_parse(rows[i], &repeat, error) != -EINVAL)
			fail_msg("taken: %s", rows[i]);
		assert_true(*error);
	}
	memset(longest, '1', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(repeat_parse(longest, &repeat, error), -EINVAL);
}

static void test_intervals(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = { { "every 90s", 90 },       { "every 15m", 900 },   { "every 6h", 21600 },
		     { "every 1d12h", 129600 }, { "EVERY 1w", 604800 }, { "every 1s", 1 } };
	char error[REPEAT_ERROR_SIZE];
	struct repeat repeat;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t step = rows[i].seconds * 1000;

		assert_int_equal(repeat_parse(rows[i].text, &repeat, error), 0);
		assert_int_equal(repeat_next(&repeat, 5000, 0), 5000);
		assert_int_equal(repeat_next(&repeat, 5000, 5000), 5000 + step);
		assert_int_equal(repeat_next(&repeat, 5000, 5000 + step - 1), 5000 + step);
		assert_int_equal(repeat_next(&repeat, 5000, 5000 + 7 * step), 5000 + 8 * step);
		assert_int_equal(repeat_count(&repeat, 5000, 5000, 5000 + 7 * step, 100), 7);
		assert_int_equal(repeat_count(&repeat, 5000, 5000, 5000 + 7 * step - 1, 100), 6);
		assert_int_equal(repeat_count(&repeat, 5000, 5000, 5000 + 7 * step, 3), 3);
	}
	assert_int_equal(repeat_parse("0 9 * * *", &repeat, error), 0);
	assert_int_equal(repeat_count(&repeat, 0, utc("2026-01-01 09:00"), utc("2026-01-04 09:00"), 100), 3);
}

/* --- what people write --- */

#define NOW "2026-06-10 14:20:00" /* a Wednesday; 16:20 in Rome */

static void test_times_as_people_write_them(void **state)
{
	static const struct {
		const char *text, *zone, *local;
		const char *rest;
	} rows[] = {
		/* durations */
		{ "in 2h30m", "UTC", "2026-06-10 16:50:00", "" },
		{ "2h30m drink water", "UTC", "2026-06-10 16:50:00", "drink water" },
		{ "in 2 hours and 30 minutes", "UTC", "2026-06-10 16:50:00", "" },
		{ "in 2 hours, 5 min to eat", "UTC", "2026-06-10 16:25:00", "to eat" },
		{ "90 minutes", "UTC", "2026-06-10 15:50:00", "" },
		{ "in 45 sec", "UTC", "2026-06-10 14:20:45", "" },
		{ "in 1.5h", "UTC", "2026-06-10 15:50:00", "" },
		{ "in an hour and buy milk", "UTC", "2026-06-10 15:20:00", "and buy milk" },
		{ "in half an hour", "UTC", "2026-06-10 14:50:00", "" },
		{ "IN 3 DAYS", "UTC", "2026-06-13 14:20:00", "" },
		{ "in 2 weeks", "UTC", "2026-06-24 14:20:00", "" },
		{ "1w2d", "UTC", "2026-06-19 14:20:00", "" },
		{ "in 3 months", "UTC", "2026-09-10 14:20:00", "" },
		{ "in a year", "UTC", "2027-06-10 14:20:00", "" },
		{ "in einer Stunde", "UTC", "2026-06-10 15:20:00", "" },
		{ "in 2 Stunden und 10 Minuten", "UTC", "2026-06-10 16:30:00", "" },
		{ "in einer halben Stunde", "UTC", "2026-06-10 14:50:00", "" },
		{ "tra due ore", "UTC", "2026-06-10 16:20:00", "" },
		{ "fra mezz'ora", "UTC", "2026-06-10 14:50:00", "" },
		{ "fra un'ora", "UTC", "2026-06-10 15:20:00", "" },
		/* as telephones write them */
		{ "tra un\xE2\x80\x99ora", "UTC", "2026-06-10 15:20:00", "" },
		{ "fra mezz\xE2\x80\x99ora il t\xC3\xA8", "UTC", "2026-06-10 14:50:00", "il t\xC3\xA8" },
		{ "in\xC2\xA0"
		  "2\xE2\x80\xAFh",
		  "UTC", "2026-06-10 16:20:00", "" },
		{ "tra 3 giorni e 2 ore", "UTC", "2026-06-13 16:20:00", "" },
		{ "en dos horas", "UTC", "2026-06-10 16:20:00", "" },
		{ "dentro de 3 días", "UTC", "2026-06-13 14:20:00", "" },
		/* days */
		{ "tomorrow 9:00", "Europe/Rome", "2026-06-11 09:00:00", "" },
		{ "tomorrow at 9:00 call mum", "Europe/Rome", "2026-06-11 09:00:00", "call mum" },
		{ "tomorrow", "Europe/Rome", "2026-06-11 09:00:00", "" },
		{ "today at 23:59", "Europe/Rome", "2026-06-10 23:59:00", "" },
		{ "tonight", "Europe/Rome", "2026-06-10 20:00:00", "" },
		{ "tonight at 22:15", "Europe/Rome", "2026-06-10 22:15:00", "" },
		{ "at 9 tomorrow", "Europe/Rome", "2026-06-11 09:00:00", "" },
		{ "monday", "Europe/Rome", "2026-06-15 09:00:00", "" },
		{ "next friday 6pm", "Europe/Rome", "2026-06-12 18:00:00", "" },
		{ "on wednesday at noon", "Europe/Rome", "2026-06-17 12:00:00", "" },
		{ "morgen um 7 Uhr", "Europe/Rome", "2026-06-11 07:00:00", "" },
		{ "übermorgen 8:15", "Europe/Rome", "2026-06-12 08:15:00", "" },
		{ "ÜBERMORGEN", "Europe/Rome", "2026-06-12 09:00:00", "" },
		{ "am Montag um 18.30 Uhr", "Europe/Rome", "2026-06-15 18:30:00", "" },
		{ "domani alle 9", "Europe/Rome", "2026-06-11 09:00:00", "" },
		{ "venerdì prossimo alle 18:30", "Europe/Rome", "2026-06-12 18:30:00", "" },
		{ "mañana a las 9", "Europe/Rome", "2026-06-11 09:00:00", "" },
		{ "el lunes a las 18:30", "Europe/Rome", "2026-06-15 18:30:00", "" },
		/* times */
		{ "at 7pm", "Europe/Rome", "2026-06-10 19:00:00", "" },
		{ "at 7 p.m. sharp", "Europe/Rome", "2026-06-10 19:00:00", "sharp" },
		{ "7am", "Europe/Rome", "2026-06-11 07:00:00", "" },
		{ "12am", "Europe/Rome", "2026-06-11 00:00:00", "" },
		{ "at 12pm", "Europe/Rome", "2026-06-11 12:00:00", "" },
		{ "18:30", "Europe/Rome", "2026-06-10 18:30:00", "" },
		{ "16:20", "Europe/Rome", "2026-06-11 16:20:00", "" },
		{ "at 9 o'clock", "Europe/Rome", "2026-06-11 09:00:00", "" },
		{ "um 9", "Europe/Rome", "2026-06-11 09:00:00", "" },
		{ "9 Uhr 30", "Europe/Rome", "2026-06-11 09:30:00", "" },
		{ "midnight", "Europe/Rome", "2026-06-11 00:00:00", "" },
		/* dates */
		{ "2027-03-01 08:00", "Europe/Rome", "2027-03-01 08:00:00", "" },
		{ "2027-03-01", "Europe/Rome", "2027-03-01 09:00:00", "" },
		{ "2027-03-01T08:00:00Z", "UTC", "2027-03-01 08:00:00", "" },
		{ "2027-03-01T08:00+05:30", "UTC", "2027-03-01 02:30:00", "" },
		{ "2027-03-01 at 8pm party", "UTC", "2027-03-01 20:00:00", "party" },
		{ "1.3.2027", "Europe/Rome", "2027-03-01 09:00:00", "" },
		{ "am 1.3. um 10:00", "Europe/Rome", "2027-03-01 10:00:00", "" },
		{ "24.12.2026 18:00", "Europe/Rome", "2026-12-24 18:00:00", "" },
		{ "march 1st 2027 8am", "Europe/Rome", "2027-03-01 08:00:00", "" },
		{ "March 1st", "Europe/Rome", "2027-03-01 09:00:00", "" },
		{ "june 12 at 10:00", "Europe/Rome", "2026-06-12 10:00:00", "" },
		{ "1. März 2027", "Europe/Rome", "2027-03-01 09:00:00", "" },
		{ "il 1 marzo alle 10", "Europe/Rome", "2027-03-01 10:00:00", "" },
		{ "1 de marzo de 2027", "Europe/Rome", "2027-03-01 09:00:00", "de 2027" },
		{ "<t:1800000000:R> go", "UTC", "2027-01-15 08:00:00", "go" },
		{ "<t:1800000000>", "UTC", "2027-01-15 08:00:00", "" },
		/* summer time ends on 25 October: a day is a day of the calendar */
		{ "25 october 2:30", "Europe/Rome", "2026-10-25 02:30:00", "" },
		{ "in 5 months", "Europe/Rome", "2026-11-10 16:20:00", "" },
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct shoal_when when = { 0 };
		int r = when_parse(rows[i].text, rows[i].zone, utc(NOW), &when);

		if (r < 0) {
			print_error("%s: %d\n", rows[i].text, r);
			fail();
		}
		print(when.at_ms, rows[i].zone, text);
		if (strcmp(text, rows[i].local) != 0 || strcmp(rows[i].text + when.used, rows[i].rest) != 0)
			fail_msg("%s: %s, rest \"%s\"; not %s, \"%s\"", rows[i].text, text, rows[i].text + when.used,
				 rows[i].local, rows[i].rest);
	}
}

static void test_what_is_no_time(void **state)
{
	static const struct {
		const char *text;
		int error;
	} rows[] = {
		{ "", -EINVAL },
		{ "soon", -EINVAL },
		{ "5", -EINVAL },
		{ "in", -EINVAL },
		{ "in five apples", -EINVAL },
		{ "25:00", -EINVAL },
		{ "9:75", -EINVAL },
		{ "at 13pm", -EINVAL },
		{ "31.2.2027", -EINVAL },
		{ "1.1.0000", -EINVAL },
		{ "2027-13-01", -EINVAL },
		{ "<t:abc>", -EINVAL },
		{ "<t:1", -EINVAL },
		{ "5th", -EINVAL },
		{ "5minutesago", -EINVAL },
		{ "yesterday", -EINVAL },
		{ "2020-01-01", -ERANGE },
		{ "in 20 years", -ERANGE },
		{ "today at 9:00", -ERANGE },
		{ "<t:1:R>", -ERANGE },
		{ "99999999999999999999 days", -EINVAL },
		{ "in 99999999 weeks", -ERANGE },
		{ "<t:99999999999999999999999>", -EINVAL },
		{ "\xff\xfe\xfd", -EINVAL },
		{ "\xc3", -EINVAL },
	};
	struct shoal_when when;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = when_parse(rows[i].text, "UTC", utc(NOW), &when);

		if (r != rows[i].error)
			fail_msg("%s: %d, not %d", rows[i].text, r, rows[i].error);
	}
	assert_int_equal(when_parse("in 2h", "Europe/Atlantis", utc(NOW), &when), -EINVAL);
}

/* Pieces of what is understood, thrown together: never a time before now, never more bytes than there are. */
static void test_any_words(void **state)
{
	static const char *const pieces[] = { "in ",    "2",   "h",       " ",     "tomorrow", "at ",    "9",
					      ":",      "30",  "pm",      "march", "1",        ".",      "2027",
					      "-",      "und", ",",       "halbe", "monday",   "<t:",    ">",
					      "\xc3",   "Uhr", "noon",    "T",     "Z",        "+05:30", "999999999",
					      "months", "de ", "o'clock", "e",     "a" };
	char text[200];

	(void)state;
	for (int round = 0; round < 100000; round++) {
		struct shoal_when when;
		size_t len = 0;

		for (uint64_t i = random_below(9); i < 10; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s",
						pieces[random_below(ARRAY_SIZE(pieces))]);
		if (when_parse(text, "Europe/Rome", utc(NOW), &when) < 0)
			continue;
		if (when.used > strlen(text) || when.at_ms < utc(NOW) || when.at_ms > utc(NOW) + WHEN_AHEAD_MAX_MS)
			fail_msg("%s", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_days_go_both_ways),
		cmocka_unit_test(test_zones_by_their_names),
		cmocka_unit_test(test_summer_time_begins_and_ends),
		cmocka_unit_test(test_what_is_skipped_and_what_comes_twice),
		cmocka_unit_test(test_a_file_that_is_none),
		cmocka_unit_test(test_cron),
		cmocka_unit_test(test_cron_refusals),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_times_as_people_write_them),
		cmocka_unit_test(test_what_is_no_time),
		cmocka_unit_test(test_any_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
