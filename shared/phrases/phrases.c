/* Languages and the filling in. Must not fail for want of a translation. */
#include "shared/phrases/phrases.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/utf8.h"

#define PRINT_MAX 65536

#define P(id, en, de, es, it)   const struct shoal_phrase phrase_##id = SHOAL_PHRASE(en, de, es, it);
#define C(code, en, de, es, it) P(DISCORD_CODE_##code, en, de, es, it)
ALL_PHRASES(P)
DISCORD_CODE_PHRASES(C)
#undef C
#undef P

const struct shoal_phrase *const core_phrases[] = {
#define P(id, ...)   &phrase_##id,
#define C(code, ...) &phrase_DISCORD_CODE_##code,
	ALL_PHRASES(P) DISCORD_CODE_PHRASES(C)
#undef C
#undef P
};
const size_t core_phrase_count = ARRAY_SIZE(core_phrases);

/* Discord's locales by their beginning: es-ES and es-419 are one here. */
static const struct {
	const char *prefix, *locale;
} languages[SHOAL_LANGUAGE_COUNT] = {
	[SHOAL_ENGLISH] = { "en", NULL },
	[SHOAL_GERMAN] = { "de", "de" },
	[SHOAL_SPANISH] = { "es", "es-ES" },
	[SHOAL_ITALIAN] = { "it", "it" },
};

enum shoal_language phrases_language(struct shoal_str locale)
{
	for (int i = 0; i < SHOAL_LANGUAGE_COUNT; i++) {
		size_t len = strlen(languages[i].prefix);

		if (locale.len >= len && memcmp(locale.ptr, languages[i].prefix, len) == 0 &&
		    (locale.len == len || locale.ptr[len] == '-'))
			return (enum shoal_language)i;
	}
	return SHOAL_ENGLISH;
}

const char *phrases_locale(enum shoal_language language)
{
	return (unsigned)language < SHOAL_LANGUAGE_COUNT ? languages[language].locale : NULL;
}

const char *phrases_text(const struct shoal_phrase *phrase, enum shoal_language language)
{
	const char *text = (unsigned)language < SHOAL_LANGUAGE_COUNT ? phrase->text[language] : NULL;

	return text ? text : phrase->text[SHOAL_ENGLISH];
}

const char *phrases_local(const struct shoal_phrase *local, enum shoal_language language, const char *english)
{
	bool translated = local && language != SHOAL_ENGLISH && (unsigned)language < SHOAL_LANGUAGE_COUNT;

	return translated && local->text[language] ? local->text[language] : english;
}

static const char *value_of(const char *name, size_t len, const struct shoal_word *words, size_t word_count)
{
	for (size_t i = 0; i < word_count; i++)
		if (strlen(words[i].name) == len && memcmp(words[i].name, name, len) == 0)
			return words[i].value;
	return NULL;
}

void phrases_print(struct buf *out, const struct shoal_phrase *phrase, enum shoal_language language,
		   const struct shoal_word *words, size_t word_count)
{
	const char *text = phrases_text(phrase, language), *open;

	while ((open = strchr(text, '{')) != NULL) {
		const char *end = strchr(open, '}');
		const char *value = end ? value_of(open + 1, (size_t)(end - open - 1), words, word_count) : NULL;

		buf_append(out, text, (size_t)(open - text));
		if (value) {
			buf_append_str(out, value);
			text = end + 1;
		} else {
			buf_append_char(out, '{');
			text = open + 1;
		}
	}
	buf_append_str(out, text);
}

const char *phrases_print_text(const struct shoal_phrase *phrase, enum shoal_language language,
			       const struct shoal_word *words, size_t word_count, char *text, size_t size)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	size_t len;

	if (size == 0)
		return text;
	buf_init(&out, PRINT_MAX);
	phrases_print(&out, phrase, language, words, word_count);
	len = out.len < size ? out.len : size - 1;
	while (len > 0 && len < out.len && ((unsigned char)out.data[len] & 0xC0) == 0x80)
		len--;
	if (len > 0)
		memcpy(text, out.data, len);
	text[len] = '\0';
	return text;
}

static const struct {
	uint64_t from_s, unit_s;
	struct {
		const char *one, *many;
	} name[SHOAL_LANGUAGE_COUNT];
} units[] = {
	{ 48 * 3600, 24 * 3600, { { "day", "days" }, { "Tag", "Tagen" }, { "día", "días" }, { "giorno", "giorni" } } },
	{ 120 * 60, 3600, { { "hour", "hours" }, { "Stunde", "Stunden" }, { "hora", "horas" }, { "ora", "ore" } } },
	{ 120,
	  60,
	  { { "minute", "minutes" }, { "Minute", "Minuten" }, { "minuto", "minutos" }, { "minuto", "minuti" } } },
	{ 0,
	  1,
	  { { "second", "seconds" }, { "Sekunde", "Sekunden" }, { "segundo", "segundos" }, { "secondo", "secondi" } } },
};

const char *phrases_duration(uint64_t ms, enum shoal_language language, char text[PHRASES_DURATION_SIZE])
{
	uint64_t seconds = ms / 1000 + (ms % 1000 > 0), count;
	size_t i = 0;

	if ((unsigned)language >= SHOAL_LANGUAGE_COUNT)
		language = SHOAL_ENGLISH;
	while (seconds < units[i].from_s)
		i++;
	count = (seconds + units[i].unit_s - 1) / units[i].unit_s;
	snprintf(text, PHRASES_DURATION_SIZE, "%llu %s", (unsigned long long)count,
		 count == 1 ? units[i].name[language].one : units[i].name[language].many);
	return text;
}

const char *phrases_decimal(double number, enum shoal_language language, char text[PHRASES_DECIMAL_SIZE])
{
	char *point;

	snprintf(text, PHRASES_DECIMAL_SIZE, "%.1f", number);
	point = strchr(text, '.');
	if (point && language != SHOAL_ENGLISH)
		*point = ',';
	return text;
}

/* --- the check ---------------------------------------------------------------------------------------------------- */

static bool is_utf8(const char *text)
{
	uint32_t point;
	size_t len = 0;

	for (; *text; text += len) {
		len = utf8_decode(text, &point);
		if (len == 0)
			return false;
	}
	return true;
}

/* The next {name} of @text at or behind *at: its bytes with the braces; NULL: there are no more. *ret_len 0: it has no
 * end. */
static const char *next_name(const char *at, size_t *ret_len)
{
	const char *open = strchr(at, '{'), *end = open ? strchr(open, '}') : NULL;

	*ret_len = end ? (size_t)(end - open) + 1 : 0;
	return open;
}

/* Whether each {name} of @text is in @other. */
static bool names_are_in(const char *text, const char *other, const char **ret_name, size_t *ret_len)
{
	size_t len;

	for (const char *name = next_name(text, &len); name; name = next_name(name + len, &len)) {
		*ret_name = name;
		*ret_len = len;
		if (len == 0 || !memmem(other, strlen(other), name, len))
			return false;
	}
	return true;
}

int phrases_check(const struct shoal_phrase *phrase, char error[PHRASES_ERROR_SIZE])
{
	const char *english = phrase->text[SHOAL_ENGLISH], *name = "";
	size_t len = 0;

	if (!english || !*english) {
		snprintf(error, PHRASES_ERROR_SIZE, "a phrase without its English text");
		return -EINVAL;
	}
	for (int i = 0; i < SHOAL_LANGUAGE_COUNT; i++) {
		const char *text = phrase->text[i];

		if (!text)
			continue;
		if (!*text || !is_utf8(text)) {
			snprintf(error, PHRASES_ERROR_SIZE, "the phrase \"%.60s\" is empty, or no UTF-8, in \"%s\"",
				 english, languages[i].prefix);
			return -EINVAL;
		}
		if (names_are_in(english, text, &name, &len) && names_are_in(text, english, &name, &len))
			continue;
		snprintf(error, PHRASES_ERROR_SIZE,
			 "the phrase \"%.60s\" has \"%.*s\" not in each of its languages: see \"%s\"", english,
			 len > 30 ? 30 : (int)len, name, languages[i].prefix);
		return -EINVAL;
	}
	return 0;
}
