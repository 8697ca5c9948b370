/* A reader of words: the text is looked at word by word, lower case, and each form that a time may have is tried in its
 * turn. What is not understood is not guessed at. */
#include "shared/schedule/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/schedule/zone.h"

#define WORD_SIZE  24
#define NUMBER_MAX 100000000
#define MONTH_S    0 /* months and years are counted by the calendar */

/* --- words ---------------------------------------------------------------------------------------------------------
 */

struct word {
	const char *text;
	int32_t value;
};

enum { NOISE_IN, NOISE_AT, NOISE_ON, NOISE_AND };
static const struct word noise[] = {
	{ "in", NOISE_IN },       { "within", NOISE_IN },    { "after", NOISE_IN },     { "tra", NOISE_IN },
	{ "fra", NOISE_IN },      { "en", NOISE_IN },        { "dentro", NOISE_IN },    { "de", NOISE_IN },
	{ "at", NOISE_AT },       { "um", NOISE_AT },        { "alle", NOISE_AT },      { "ore", NOISE_AT },
	{ "a", NOISE_AT },        { "las", NOISE_AT },       { "la", NOISE_AT },        { "gegen", NOISE_AT },
	{ "on", NOISE_ON },       { "am", NOISE_ON },        { "den", NOISE_ON },       { "dem", NOISE_ON },
	{ "der", NOISE_ON },      { "il", NOISE_ON },        { "el", NOISE_ON },        { "the", NOISE_ON },
	{ "of", NOISE_ON },       { "del", NOISE_ON },       { "next", NOISE_ON },      { "this", NOISE_ON },
	{ "nächsten", NOISE_ON }, { "naechsten", NOISE_ON }, { "kommenden", NOISE_ON }, { "prossimo", NOISE_ON },
	{ "prossima", NOISE_ON }, { "próximo", NOISE_ON },   { "proximo", NOISE_ON },   { "and", NOISE_AND },
	{ "und", NOISE_AND },     { "e", NOISE_AND },        { "ed", NOISE_AND },       { "y", NOISE_AND },
};

/* Seconds; negative: that many months. */
static const struct word units[] = {
	{ "s", 1 },
	{ "sec", 1 },
	{ "secs", 1 },
	{ "second", 1 },
	{ "seconds", 1 },
	{ "sekunde", 1 },
	{ "sekunden", 1 },
	{ "sek", 1 },
	{ "secondo", 1 },
	{ "secondi", 1 },
	{ "segundo", 1 },
	{ "segundos", 1 },
	{ "m", 60 },
	{ "min", 60 },
	{ "mins", 60 },
	{ "minute", 60 },
	{ "minutes", 60 },
	{ "minuten", 60 },
	{ "minuto", 60 },
	{ "minuti", 60 },
	{ "minutos", 60 },
	{ "h", 3600 },
	{ "hr", 3600 },
	{ "hrs", 3600 },
	{ "hour", 3600 },
	{ "hours", 3600 },
	{ "std", 3600 },
	{ "stunde", 3600 },
	{ "stunden", 3600 },
	{ "ora", 3600 },
	{ "ore", 3600 },
	{ "hora", 3600 },
	{ "horas", 3600 },
	{ "d", 86400 },
	{ "day", 86400 },
	{ "days", 86400 },
	{ "tag", 86400 },
	{ "tage", 86400 },
	{ "tagen", 86400 },
	{ "giorno", 86400 },
	{ "giorni", 86400 },
	{ "día", 86400 },
	{ "dia", 86400 },
	{ "días", 86400 },
	{ "dias", 86400 },
	{ "w", 604800 },
	{ "week", 604800 },
	{ "weeks", 604800 },
	{ "woche", 604800 },
	{ "wochen", 604800 },
	{ "settimana", 604800 },
	{ "settimane", 604800 },
	{ "semana", 604800 },
	{ "semanas", 604800 },
	{ "mo", -1 },
	{ "month", -1 },
	{ "months", -1 },
	{ "monat", -1 },
	{ "monate", -1 },
	{ "monaten", -1 },
	{ "mese", -1 },
	{ "mesi", -1 },
	{ "mes", -1 },
	{ "meses", -1 },
	{ "year", -12 },
	{ "years", -12 },
	{ "jahr", -12 },
	{ "jahre", -12 },
	{ "jahren", -12 },
	{ "anno", -12 },
	{ "anni", -12 },
	{ "año", -12 },
	{ "años", -12 },
};

static const struct word ones[] = {
	{ "a", 1 },     { "an", 1 },     { "one", 1 },   { "ein", 1 },     { "eine", 1 },   { "einem", 1 },
	{ "einer", 1 }, { "einen", 1 },  { "un", 1 },    { "una", 1 },     { "uno", 1 },    { "two", 2 },
	{ "zwei", 2 },  { "due", 2 },    { "dos", 2 },   { "three", 3 },   { "drei", 3 },   { "tre", 3 },
	{ "tres", 3 },  { "four", 4 },   { "vier", 4 },  { "quattro", 4 }, { "cuatro", 4 }, { "five", 5 },
	{ "fünf", 5 },  { "cinque", 5 }, { "cinco", 5 }, { "ten", 10 },    { "zehn", 10 },  { "dieci", 10 },
	{ "diez", 10 },
};

static const struct word halves[] = { { "half", 1 },  { "halbe", 1 }, { "halben", 1 },
				      { "mezza", 1 }, { "mezz", 1 },  { "media", 1 } };

/* Days from today; a day has no hour of its own but the evening's. */
enum { TONIGHT = 100 };
static const struct word days[] = {
	{ "today", 0 },      { "heute", 0 },       { "oggi", 0 },       { "hoy", 0 },           { "tomorrow", 1 },
	{ "tmr", 1 },        { "morgen", 1 },      { "domani", 1 },     { "mañana", 1 },        { "manana", 1 },
	{ "übermorgen", 2 }, { "uebermorgen", 2 }, { "dopodomani", 2 }, { "tonight", TONIGHT }, { "stasera", TONIGHT },
};

static const struct word weekdays[] = {
	{ "sunday", 0 },    { "sun", 0 },        { "sonntag", 0 },   { "domenica", 0 },  { "domingo", 0 },
	{ "monday", 1 },    { "mon", 1 },        { "montag", 1 },    { "lunedì", 1 },    { "lunedi", 1 },
	{ "lunes", 1 },     { "tuesday", 2 },    { "tue", 2 },       { "dienstag", 2 },  { "martedì", 2 },
	{ "martedi", 2 },   { "martes", 2 },     { "wednesday", 3 }, { "wed", 3 },       { "mittwoch", 3 },
	{ "mercoledì", 3 }, { "mercoledi", 3 },  { "miércoles", 3 }, { "miercoles", 3 }, { "thursday", 4 },
	{ "thu", 4 },       { "donnerstag", 4 }, { "giovedì", 4 },   { "giovedi", 4 },   { "jueves", 4 },
	{ "friday", 5 },    { "fri", 5 },        { "freitag", 5 },   { "venerdì", 5 },   { "venerdi", 5 },
	{ "viernes", 5 },   { "saturday", 6 },   { "sat", 6 },       { "samstag", 6 },   { "sonnabend", 6 },
	{ "sabato", 6 },    { "sábado", 6 },     { "sabado", 6 },
};

static const struct word months[] = {
	{ "january", 1 },    { "jan", 1 },        { "januar", 1 },    { "jänner", 1 },    { "gennaio", 1 },
	{ "enero", 1 },      { "february", 2 },   { "feb", 2 },       { "februar", 2 },   { "febbraio", 2 },
	{ "febrero", 2 },    { "march", 3 },      { "mar", 3 },       { "märz", 3 },      { "maerz", 3 },
	{ "marzo", 3 },      { "april", 4 },      { "apr", 4 },       { "aprile", 4 },    { "abril", 4 },
	{ "may", 5 },        { "mai", 5 },        { "maggio", 5 },    { "mayo", 5 },      { "june", 6 },
	{ "jun", 6 },        { "juni", 6 },       { "giugno", 6 },    { "junio", 6 },     { "july", 7 },
	{ "jul", 7 },        { "juli", 7 },       { "luglio", 7 },    { "julio", 7 },     { "august", 8 },
	{ "aug", 8 },        { "agosto", 8 },     { "september", 9 }, { "sep", 9 },       { "sept", 9 },
	{ "settembre", 9 },  { "septiembre", 9 }, { "october", 10 },  { "oct", 10 },      { "oktober", 10 },
	{ "ottobre", 10 },   { "octubre", 10 },   { "november", 11 }, { "nov", 11 },      { "novembre", 11 },
	{ "noviembre", 11 }, { "december", 12 },  { "dec", 12 },      { "dezember", 12 }, { "dicembre", 12 },
	{ "diciembre", 12 },
};

/* --- the reader ----------------------------------------------------------------------------------------------------
 */

struct reader {
	const char *at;
	const struct zone *zone;
	int64_t now_ms;
	struct shoal_local now;
};

/* What telephones make of a blank and an apostrophe. */
static size_t blank_at(const char *text)
{
	if (*text == ' ' || *text == '\t' || *text == '\n')
		return 1;
	return strncmp(text, "\xC2\xA0", 2) == 0 ? 2 : strncmp(text, "\xE2\x80\xAF", 3) == 0 ? 3 : 0;
}

static size_t apostrophe_at(const char *text)
{
	return *text == '\'' ? 1 : strncmp(text, "\xE2\x80\x99", 3) == 0 ? 3 : 0;
}

static size_t blanks(const char *text)
{
	size_t len = 0, one;

	while ((one = blank_at(text + len)) > 0)
		len += one;
	return len;
}

static void skip_blanks(struct reader *reader)
{
	reader->at += blanks(reader->at);
}

/* The letters at @text in lower case (of other alphabets as they are); returns their bytes, 0: none, or too many. */
static size_t word_at(const char *text, char word[WORD_SIZE])
{
	size_t len = 0;

	while ((isalpha((unsigned char)text[len]) || (unsigned char)text[len] >= 0x80) && !blank_at(text + len) &&
	       !apostrophe_at(text + len)) {
		if (len == WORD_SIZE - 1)
			return 0;
		word[len] = (char)tolower((unsigned char)text[len]);
		/* Latin-1's capitals in UTF-8: À to Þ */
		if (len > 0 && (unsigned char)word[len - 1] == 0xC3 && (unsigned char)word[len] >= 0x80 &&
		    (unsigned char)word[len] <= 0x9E)
			word[len] = (char)((unsigned char)word[len] + 0x20);
		len++;
	}
	word[len] = '\0';
	return len;
}

/* Takes a word of @table. */
static bool take(struct reader *reader, const struct word *table, size_t count, int32_t *ret_value)
{
	const char *before = reader->at;
	char word[WORD_SIZE];
	size_t len;

	skip_blanks(reader);
	len = word_at(reader->at, word);
	for (size_t i = 0; len > 0 && i < count; i++) {
		if (strcmp(word, table[i].text) != 0)
			continue;
		*ret_value = table[i].value;
		reader->at += len;
		return true;
	}
	reader->at = before;
	return false;
}
#define TAKE_WORD(reader, table, ret_value) take((reader), (table), ARRAY_SIZE(table), (ret_value))

static bool take_noise(struct reader *reader, int32_t kind)
{
	const char *before = reader->at;
	int32_t found;

	if (TAKE_WORD(reader, noise, &found) && found == kind)
		return true;
	reader->at = before;
	return false;
}

static bool take_number(struct reader *reader, int32_t *ret_number)
{
	const char *c = reader->at;
	int64_t number = 0;
	bool any = false;

	c += blanks(c);
	for (; isdigit((unsigned char)*c); c++) {
		any = true;
		number = number * 10 + (*c - '0');
		if (number > NUMBER_MAX)
			return false;
	}
	if (!any)
		return false;
	reader->at = c;
	*ret_number = (int32_t)number;
	return true;
}

/* A word, or a number, must end where its form ends: "5th" is no five o'clock. */
static bool at_edge(const struct reader *reader)
{
	unsigned char c = (unsigned char)*reader->at;

	return (!isalnum(c) && c < 0x80) || blank_at(reader->at);
}

/* --- durations -----------------------------------------------------------------------------------------------------
 */

static int64_t add_months(const struct reader *reader, int64_t at_ms, int64_t count)
{
	struct shoal_local local;
	int64_t month;
	int32_t last;

	zone_local(reader->zone, at_ms, &local);
	month = (int64_t)local.year * 12 + local.month - 1 + count;
	local.year = (int32_t)(month / 12);
	local.month = (int32_t)(month % 12) + 1;
	last = zone_days_of_month(local.year, local.month);
	if (local.day > last) /* the 31st of a shorter month */
		local.day = last;
	return zone_instant(reader->zone, &local) * 1000;
}

/* How many, in sixtieths: "2", "1.5", "an", "half an". */
static bool take_amount(struct reader *reader, int64_t *ret_sixtieths)
{
	const char *before = reader->at;
	int32_t number, decimals = 0, unused;

	if (take_number(reader, &number)) {
		*ret_sixtieths = (int64_t)number * 60;
		if ((*reader->at == '.' || *reader->at == ',') && isdigit((unsigned char)reader->at[1])) {
			decimals = reader->at[1] - '0';
			for (reader->at += 2; isdigit((unsigned char)*reader->at); reader->at++)
				;
		}
		*ret_sixtieths += (int64_t)decimals * 6;
		return true;
	}
	*ret_sixtieths = 60;
	if (TAKE_WORD(reader, halves, &unused)) {
		*ret_sixtieths = 30;
		reader->at += apostrophe_at(reader->at);
		TAKE_WORD(reader, ones, &unused);
		return true;
	}
	if (TAKE_WORD(reader, ones, &number)) {
		*ret_sixtieths = (int64_t)number * 60;
		reader->at += apostrophe_at(reader->at); /* "un'ora" */
		if (TAKE_WORD(reader, halves, &unused))  /* "eine halbe" */
			*ret_sixtieths = 30;
		return true;
	}
	reader->at = before;
	return false;
}

static bool take_part(struct reader *reader, int64_t *at_ms)
{
	const char *before = reader->at;
	int64_t sixtieths;
	int32_t unit;

	if (take_amount(reader, &sixtieths) && TAKE_WORD(reader, units, &unit) &&
	    !isalpha((unsigned char)*reader->at)) {
		if (unit < 0 && sixtieths % 60 == 0 && sixtieths / 60 <= 1200) {
			*at_ms = add_months(reader, *at_ms, sixtieths / 60 * -unit);
			return true;
		}
		if (unit > 0) {
			*at_ms += sixtieths * unit * 1000 / 60;
			return true;
		}
	}
	reader->at = before;
	return false;
}

static bool read_duration(struct reader *reader, int64_t *ret_ms)
{
	const char *before = reader->at, *after;
	int64_t at_ms = reader->now_ms;

	while (take_noise(reader, NOISE_IN))
		;
	if (!take_part(reader, &at_ms)) {
		reader->at = before;
		return false;
	}
	while (at_ms < reader->now_ms + 2 * WHEN_AHEAD_MAX_MS) {
		after = reader->at;
		if (*reader->at == ',')
			reader->at++;
		take_noise(reader, NOISE_AND);
		if (!take_part(reader, &at_ms)) {
			reader->at = after; /* "… and buy milk" is the text */
			break;
		}
	}
	*ret_ms = at_ms;
	return true;
}

/* --- times of the day ----------------------------------------------------------------------------------------------
 */

static bool take_half_of_day(struct reader *reader, int32_t *hour)
{
	char word[WORD_SIZE];
	const char *before = reader->at;
	size_t len;

	skip_blanks(reader);
	len = word_at(reader->at, word);
	/* "p.m." */
	if (len == 1 && (*word == 'a' || *word == 'p') && reader->at[1] == '.' &&
	    tolower((unsigned char)reader->at[2]) == 'm') {
		word[1] = 'm';
		word[2] = '\0';
		len = reader->at[3] == '.' ? 4 : 3;
	}
	if (len > 0 && (strcmp(word, "am") == 0 || strcmp(word, "pm") == 0) && *hour >= 1 && *hour <= 12) {
		*hour = *hour % 12 + (*word == 'p' ? 12 : 0);
		reader->at += len;
		return true;
	}
	reader->at = before;
	return false;
}

static bool at_zulu(const struct reader *reader)
{
	return (*reader->at == 'Z' || *reader->at == 'z') && !isalnum((unsigned char)reader->at[1]);
}

/* "o'clock", "Uhr", "Uhr 30". */
static bool take_oclock(struct reader *reader, int32_t *minute)
{
	static const struct word words[] = { { "uhr", 0 }, { "o", 1 } };
	const char *before = reader->at, *after;
	int32_t english, number;

	if (TAKE_WORD(reader, words, &english)) {
		if (english && strncmp(reader->at, "'clock", 6) == 0) {
			reader->at += 6;
			return true;
		}
		after = reader->at;
		if (!english && (!take_number(reader, &number) || number > 59 || *minute || !at_edge(reader)))
			reader->at = after;
		else if (!english)
			*minute = number;
		if (!english)
			return true;
	}
	reader->at = before;
	return false;
}

/* "9:00", "18.30" (behind "um", "alle"), "7pm", "9 Uhr", "noon"; a bare number only where @bare. */
static bool take_clock(struct reader *reader, bool bare, int32_t *ret_second)
{
	static const struct word moments[] = { { "noon", 12 },       { "midday", 12 },      { "mittag", 12 },
					       { "mittags", 12 },    { "mezzogiorno", 12 }, { "mediodía", 12 },
					       { "mediodia", 12 },   { "midnight", 24 },    { "mitternacht", 24 },
					       { "mezzanotte", 24 }, { "medianoche", 24 } };
	const char *before = reader->at;
	int32_t hour, minute = 0, second = 0;
	bool sure = false;

	while (take_noise(reader, NOISE_AT) || take_noise(reader, NOISE_ON))
		bare = true;
	if (TAKE_WORD(reader, moments, &hour)) {
		*ret_second = hour * 3600;
		return true;
	}
	if (take_number(reader, &hour) && hour <= 24) {
		if ((*reader->at == ':' || (*reader->at == '.' && bare)) && isdigit((unsigned char)reader->at[1])) {
			reader->at++;
			sure = take_number(reader, &minute) && minute < 60;
			if (*reader->at == ':' && isdigit((unsigned char)reader->at[1])) {
				reader->at++;
				sure &= take_number(reader, &second) && second < 60;
			}
			if (!sure)
				bare = false;
		}
		sure |= take_half_of_day(reader, &hour);
		sure |= take_oclock(reader, &minute);
		if ((sure || bare) && (at_edge(reader) || at_zulu(reader)) &&
		    hour * 3600 + minute * 60 + second <= 86400) {
			*ret_second = hour * 3600 + minute * 60 + second;
			return true;
		}
	}
	reader->at = before;
	return false;
}

/* --- dates ---------------------------------------------------------------------------------------------------------
 */

static bool is_date(int32_t year, int32_t month, int32_t day)
{
	return year >= 1970 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= zone_days_of_month(year, month);
}

/* Without a year: the next such day. */
static bool set_date(const struct reader *reader, struct shoal_local *local, int32_t year, int32_t month, int32_t day)
{
	if (year == 0) {
		year = reader->now.year;
		if (month < reader->now.month || (month == reader->now.month && day < reader->now.day))
			year++;
	} else if (year < 100) {
		year += 2000;
	}
	if (!is_date(year, month, day))
		return false;
	local->year = year;
	local->month = month;
	local->day = day;
	return true;
}

/* "2027-03-01", "1.3.2027", "1.3." */
static bool take_date_of_numbers(struct reader *reader, struct shoal_local *local)
{
	const char *before = reader->at;
	int32_t first, second, third = 0;
	char mark;

	if (take_number(reader, &first) && (*reader->at == '-' || *reader->at == '.') &&
	    isdigit((unsigned char)reader->at[1])) {
		mark = *reader->at++;
		if (take_number(reader, &second)) {
			if (*reader->at == mark) {
				reader->at++;
				if (isdigit((unsigned char)*reader->at) && (!take_number(reader, &third) || third == 0))
					second = 0; /* there was no year 0 */
			} else if (mark == '-' || !isspace((unsigned char)*reader->at)) {
				second = 0; /* "18.30" is a time */
			}
			if (mark == '-' ? first >= 1970 && set_date(reader, local, first, second, third)
					: set_date(reader, local, third, second, first))
				return true;
		}
	}
	reader->at = before;
	return false;
}

static void skip_ordinal(struct reader *reader)
{
	static const struct word ordinals[] = { { "st", 0 }, { "nd", 0 }, { "rd", 0 }, { "th", 0 } };
	char word[WORD_SIZE];
	size_t len = word_at(reader->at, word);

	for (size_t i = 0; i < ARRAY_SIZE(ordinals); i++) {
		if (len == 2 && strcmp(word, ordinals[i].text) == 0)
			reader->at += 2;
	}
	if (*reader->at == '.')
		reader->at++;
}

/* "march 1st 2027", "1. März", "il 1 marzo", "1 de marzo". */
static bool take_date_of_words(struct reader *reader, struct shoal_local *local)
{
	const char *before = reader->at, *after;
	int32_t day, month, year = 0;
	bool found = false;

	if (TAKE_WORD(reader, months, &month)) {
		found = take_number(reader, &day) && day <= 31;
		skip_ordinal(reader);
	} else if (take_number(reader, &day) && day <= 31) {
		skip_ordinal(reader);
		while (take_noise(reader, NOISE_IN) || take_noise(reader, NOISE_ON))
			;
		found = TAKE_WORD(reader, months, &month);
	}
	if (found) {
		after = reader->at;
		if (*reader->at == ',')
			reader->at++;
		if (!take_number(reader, &year) || year < 1970 || !at_edge(reader) || *reader->at == ':') {
			year = 0;
			reader->at = after;
		}
		if (set_date(reader, local, year, month, day))
			return true;
	}
	reader->at = before;
	return false;
}

static bool take_day(struct reader *reader, struct shoal_local *local, int32_t *second)
{
	const char *before = reader->at;
	int32_t value;

	*local = reader->now;
	while (take_noise(reader, NOISE_ON))
		;
	if (TAKE_WORD(reader, days, &value)) {
		if (value == TONIGHT)
			*second = 20 * 3600;
		else
			local->day += value;
		return true;
	}
	if (TAKE_WORD(reader, weekdays, &value)) {
		local->day += (value - reader->now.weekday + 6) % 7 + 1; /* never today */
		return true;
	}
	if (take_date_of_numbers(reader, local) || take_date_of_words(reader, local))
		return true;
	reader->at = before;
	return false;
}

/* "Z", "+02:00" right behind a time. */
static bool take_offset(struct reader *reader, int32_t *ret_offset_s)
{
	const char *c = reader->at;
	int32_t sign, hours, minutes;

	if ((*c == 'Z' || *c == 'z') && !isalnum((unsigned char)c[1])) {
		reader->at++;
		*ret_offset_s = 0;
		return true;
	}
	if ((*c != '+' && *c != '-') || !isdigit((unsigned char)c[1]) || !isdigit((unsigned char)c[2]))
		return false;
	sign = *c == '-' ? -1 : 1;
	hours = (c[1] - '0') * 10 + (c[2] - '0');
	c += 3 + (c[3] == ':');
	if (!isdigit((unsigned char)c[0]) || !isdigit((unsigned char)c[1]))
		return false;
	minutes = (c[0] - '0') * 10 + (c[1] - '0');
	if (hours > 14 || minutes > 59)
		return false;
	reader->at = c + 2;
	*ret_offset_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool read_date(struct reader *reader, int64_t *ret_ms)
{
	struct shoal_local local;
	int32_t second = -1, clock, offset_s;
	bool clock_first = false;
	const char *before;

	/* "at 9 tomorrow" */
	before = reader->at;
	if (take_clock(reader, false, &clock) && take_day(reader, &local, &second)) {
		second = clock;
		clock_first = true;
	} else {
		reader->at = before;
		if (!take_day(reader, &local, &second))
			return false;
	}
	before = reader->at;
	if (*reader->at == ',')
		reader->at++;
	if (*reader->at == 'T' && isdigit((unsigned char)reader->at[1]))
		reader->at++;
	if (clock_first || !take_clock(reader, false, &clock))
		reader->at = before;
	else
		second = clock;
	local.hour = local.minute = 0;
	local.second = second >= 0 ? second : WHEN_HOUR_DEFAULT * 3600;
	if (second >= 0 && take_offset(reader, &offset_s))
		*ret_ms = (zone_days(local.year, local.month, 1) * 86400 + (int64_t)(local.day - 1) * 86400 +
			   local.second - offset_s) *
			  1000;
	else {
		/* By the clock on the wall, not by seconds since midnight: a day may have 23 hours. */
		local.hour = local.second / 3600;
		local.minute = local.second / 60 % 60;
		local.second %= 60;
		*ret_ms = zone_instant(reader->zone, &local) * 1000;
	}
	return true;
}

/* A time alone: the next such moment. */
static bool read_clock(struct reader *reader, int64_t *ret_ms)
{
	struct shoal_local local = reader->now;
	int32_t second;

	if (!take_clock(reader, false, &second))
		return false;
	for (int32_t more = 0; more < 2; more++) {
		local.day = reader->now.day + more;
		local.hour = second / 3600;
		local.minute = second / 60 % 60;
		local.second = second % 60;
		*ret_ms = zone_instant(reader->zone, &local) * 1000;
		if (*ret_ms > reader->now_ms)
			break;
	}
	return true;
}

/* "<t:1800000000:R>" */
static bool read_timestamp(struct reader *reader, int64_t *ret_ms)
{
	const char *c = reader->at;
	char *end;
	long long seconds;

	if (strncmp(c, "<t:", 3) != 0 || !isdigit((unsigned char)c[3]))
		return false;
	errno = 0;
	seconds = strtoll(c + 3, &end, 10);
	if (*end == ':' && isalpha((unsigned char)end[1]))
		end += 2;
	if (*end != '>' || errno || seconds > INT64_MAX / 2000)
		return false;
	reader->at = end + 1;
	*ret_ms = seconds * 1000;
	return true;
}

int when_parse(const char *text, const char *zone, int64_t now_ms, struct shoal_when *ret_when)
{
	static bool (*const forms[])(struct reader *, int64_t *) = { read_timestamp, read_duration, read_date,
								     read_clock };
	struct reader reader = { .at = text, .now_ms = now_ms };
	int64_t at_ms = 0;
	size_t i;

	if (zone_find(zone, &reader.zone) < 0)
		return -EINVAL;
	zone_local(reader.zone, now_ms, &reader.now);
	skip_blanks(&reader);
	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		const char *before = reader.at;

		if (forms[i](&reader, &at_ms) && at_edge(&reader))
			break;
		reader.at = before;
	}
	if (i == ARRAY_SIZE(forms))
		return -EINVAL;
	if (at_ms < now_ms || at_ms > now_ms + WHEN_AHEAD_MAX_MS)
		return -ERANGE;
	skip_blanks(&reader);
	*ret_when = (struct shoal_when){ .at_ms = at_ms, .used = (size_t)(reader.at - text) };
	return 0;
}
