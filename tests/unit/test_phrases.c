/* The catalogue: every phrase in every language with the same {names}, and how they are filled in. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "shared/base/cleanup.h"
#include "shared/phrases/phrases.h"

#define NAMES_MAX 8

/* The {names} in @text, sorted, as one string. */
static void names_of(const char *text, char *names, size_t size)
{
	const char *found[NAMES_MAX];
	size_t lens[NAMES_MAX], count = 0;

	while ((text = strchr(text, '{')) != NULL) {
		size_t len = strcspn(++text, "}"), at = count;

		assert_int_equal(text[len], '}');
		assert_in_range(count, 0, NAMES_MAX - 1);
		while (at > 0 && strcmp(found[at - 1], text) > 0) {
			found[at] = found[at - 1];
			lens[at] = lens[at - 1];
			at--;
		}
		found[at] = text;
		lens[at] = len;
		count++;
	}
	names[0] = '\0';
	for (size_t i = 0; i < count; i++)
		snprintf(names + strlen(names), size - strlen(names), "%.*s ", (int)lens[i], found[i]);
}

static void every_phrase_in_every_language(void **state)
{
	(void)state;
	for (size_t i = 0; i < core_phrase_count; i++) {
		char english[256], names[256];

		names_of(core_phrases[i]->text[SHOAL_ENGLISH], english, sizeof(english));
		for (int language = 0; language < SHOAL_LANGUAGE_COUNT; language++) {
			const char *text = core_phrases[i]->text[language];
			json_t *whole;

			assert_non_null(text);
			whole = json_string(text); /* takes UTF-8 alone */
			assert_non_null(whole);
			json_decref(whole);
			assert_in_range(strlen(text), 1, 500);
			names_of(text, names, sizeof(names));
			if (strcmp(names, english) != 0)
				print_error("%s: {%s} is not {%s}\n", text, names, english);
			assert_string_equal(names, english);
		}
	}
}

static enum shoal_language language_of(const char *locale)
{
	return phrases_language((struct shoal_str){ locale, (uint32_t)strlen(locale) });
}

static void locales(void **state)
{
	(void)state;
	assert_int_equal(language_of("de"), SHOAL_GERMAN);
	assert_int_equal(language_of("es-ES"), SHOAL_SPANISH);
	assert_int_equal(language_of("es-419"), SHOAL_SPANISH);
	assert_int_equal(language_of("it"), SHOAL_ITALIAN);
	assert_int_equal(language_of("en-GB"), SHOAL_ENGLISH);
	assert_int_equal(language_of("ja"), SHOAL_ENGLISH);
	assert_int_equal(language_of("deutsch"), SHOAL_ENGLISH);
	assert_int_equal(language_of(""), SHOAL_ENGLISH);
	assert_string_equal(phrases_locale(SHOAL_SPANISH), "es-ES");
	assert_null(phrases_locale(SHOAL_ENGLISH));
}

static const struct shoal_phrase phrase = SHOAL_PHRASE("{who} waits {wait}.", "{wait} wartet {who}.", NULL, "{");

static const char *filled(struct buf *out, enum shoal_language language, const struct shoal_word *words, size_t count)
{
	buf_clear(out, 256);
	phrases_print(out, &phrase, language, words, count);
	return buf_cstr(out);
}

static void names_are_replaced(void **state)
{
	const struct shoal_word words[] = { { "wait", "4 s" }, { "who", "{wait}" } };
	CLEANUP(buf_finish) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 256);
	assert_string_equal(filled(&out, SHOAL_ENGLISH, words, 2),
			    "{wait} waits 4 s."); /* a value is not looked into */
	assert_string_equal(filled(&out, SHOAL_GERMAN, words, 2), "4 s wartet {wait}.");
	assert_string_equal(filled(&out, SHOAL_SPANISH, words, 1), "{who} waits 4 s.");
	assert_string_equal(filled(&out, SHOAL_ITALIAN, words, 2), "{");
	assert_string_equal(filled(&out, SHOAL_LANGUAGE_COUNT, words, 0), "{who} waits {wait}.");
}

static void durations(void **state)
{
	char text[PHRASES_DURATION_SIZE];

	(void)state;
	assert_string_equal(phrases_duration(1, SHOAL_ENGLISH, text), "1 second");
	assert_string_equal(phrases_duration(3001, SHOAL_ENGLISH, text), "4 seconds");
	assert_string_equal(phrases_duration(119000, SHOAL_GERMAN, text), "119 Sekunden");
	assert_string_equal(phrases_duration(120001, SHOAL_ITALIAN, text), "3 minuti");
	assert_string_equal(phrases_duration(3 * 3600 * 1000, SHOAL_SPANISH, text), "3 horas");
	assert_string_equal(phrases_duration(UINT64_C(72) * 3600 * 1000, SHOAL_GERMAN, text), "3 Tagen");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_phrase_in_every_language),
		cmocka_unit_test(locales),
		cmocka_unit_test(names_are_replaced),
		cmocka_unit_test(durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
