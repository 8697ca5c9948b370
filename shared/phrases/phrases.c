/* Languages and the filling in. Must not fail for want of a translation. */
#include "shared/phrases/phrases.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"

#define PRINT_MAX 65536

#define P(id, en, de, es, it) const struct shoal_phrase phrase_##id = SHOAL_PHRASE(en, de, es, it);
CORE_PHRASES(P)
ACCESS_PHRASES(P)
BUILTIN_PHRASES(P)
PERMISSIONS_PHRASES(P)
MODULE_PHRASES(P)
#undef P

const struct shoal_phrase *const core_phrases[] = {
#define P(id, en, de, es, it) &phrase_##id,
	CORE_PHRASES(P) ACCESS_PHRASES(P) BUILTIN_PHRASES(P) PERMISSIONS_PHRASES(P) MODULE_PHRASES(P)
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
