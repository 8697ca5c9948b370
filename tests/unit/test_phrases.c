/* The catalogue: every phrase in every language with the same {names}, and how they are filled in. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modhost/loader.h"
#include "shard/modules/admin/phrases.h"
#undef PHRASE /* each module has one of its own */
#include "shard/modules/remind/phrases.h"
#undef PHRASE
#include "shard/modules/utility/phrases.h"
#include "shared/base/cleanup.h"
#include "shared/discord/payload.h"
#include "shared/phrases/phrases.h"

/* In each of the four languages: the core's, and those of the modules that are linked in. (test_catalogue.py has all
 * modules.) */
static void is_whole(const struct shoal_phrase *phrase)
{
	char error[PHRASES_ERROR_SIZE];

	if (phrases_check(phrase, error) < 0)
		fail_msg("%s", error);
	for (int language = 0; language < SHOAL_LANGUAGE_COUNT; language++) {
		if (!phrase->text[language])
			fail_msg("\"%s\" is not in language %d", phrase->text[SHOAL_ENGLISH], language);
		assert_in_range(strlen(phrase->text[language]), 1, 500);
	}
}

static void every_phrase_in_every_language(void **state)
{
	size_t of_modules = 0;

	(void)state;
	assert_in_range(core_phrase_count, 300, 10000);
	for (size_t i = 0; i < core_phrase_count; i++)
		is_whole(core_phrases[i]);
	for (size_t i = 0; i < loader_count(); i++) {
		const struct shoal_module *module = &loader_get(i)->rows;

		for (size_t j = 0; j < module->phrase_count; j++)
			is_whole(&module->phrases[j]);
		of_modules += module->phrase_count;
		if (module->descriptions)
			assert_non_null(module->descriptions->text[SHOAL_ITALIAN]);
		for (size_t j = 0; j < module->setting_count; j++)
			assert_non_null(module->settings[j].descriptions);
	}
	assert_in_range(of_modules, 150, 10000); /* admin's, remind's and utility's */
}

/* What stands where Discord allows so many characters. */
static void what_stands_in_little_room_fits(void **state)
{
	static const struct {
		const struct shoal_phrase *phrase;
		ssize_t most;
	} rows[] = {
		{ &phrase_PRIVACY_BUTTON, 80 }, /* labels of buttons */
		{ &remind_phrases.SNOOZE_10, 80 },
		{ &remind_phrases.SNOOZE_60, 80 },
		{ &remind_phrases.SNOOZE_DAY, 80 },
		{ &remind_phrases.DONE, 80 },
		{ &utility_phrases.POLL_CHOOSE, 150 },  /* a select's placeholder */
		{ &utility_phrases.STATUS_TITLE, 256 }, /* titles of embeds, and names of their lines */
		{ &utility_phrases.KEY_PERMISSIONS, 256 },
		{ &admin_phrases.EMBED_WELCOME, 256 },
		{ &admin_phrases.REASON_AUTOROLE, 512 }, /* in the audit log */
		{ &phrase_LEVEL_MEMBER, 100 },           /* names of choices */
		{ &phrase_LEVEL_OWN, 100 },
		{ &phrase_SHARD_IDENTIFYING, 13 }, /* the table of /shards */
		{ &phrase_SHARD_STOPPED, 13 },
		{ &phrase_SHARD_CONNECTING, 13 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int language = 0; language < SHOAL_LANGUAGE_COUNT; language++) {
			const char *text = rows[i].phrase->text[language];

			assert_in_range(payload_units(text, strlen(text)), 1, rows[i].most);
		}
}

static void phrases_that_are_refused(void **state)
{
	static const struct {
		struct shoal_phrase phrase;
		const char *words;
	} rows[] = {
		{ SHOAL_PHRASE(NULL, "a", NULL, NULL), "without its English" },
		{ SHOAL_PHRASE("", "a", NULL, NULL), "without its English" },
		{ SHOAL_PHRASE("a", "", NULL, NULL), "in \"de\"" },
		{ SHOAL_PHRASE("a", "b", "\xff", NULL), "in \"es\"" },
		{ SHOAL_PHRASE("{who} is", "{wer} ist", NULL, NULL),
		  "\"{who}\" not in each of its languages: see \"de\"" },
		{ SHOAL_PHRASE("a", "{who}", NULL, NULL), "\"{who}\" not in each" },
		{ SHOAL_PHRASE("{who", "a", NULL, NULL), "see \"en\"" },
		{ SHOAL_PHRASE("{a} {b}", "{b} {a}", "{a} {b}", "{a}"),
		  "\"{b}\" not in each of its languages: see \"it\"" },
	};
	static const struct shoal_phrase good[] = { SHOAL_PHRASE("{a} {b}", "{b} {a}", NULL, "{b}{a}"),
						    SHOAL_PHRASE("only English", NULL, NULL, NULL) };
	char error[PHRASES_ERROR_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(phrases_check(&rows[i].phrase, error), -EINVAL);
		if (!strstr(error, rows[i].words))
			fail_msg("%zu: %s", i, error);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(phrases_check(&good[i], error), 0);
}

static void decimals(void **state)
{
	char text[PHRASES_DECIMAL_SIZE];

	(void)state;
	assert_string_equal(phrases_decimal(3.94, SHOAL_ENGLISH, text), "3.9");
	assert_string_equal(phrases_decimal(3.96, SHOAL_GERMAN, text), "4,0");
	assert_string_equal(phrases_decimal(1234.5, SHOAL_SPANISH, text), "1234,5");
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
		cmocka_unit_test(what_stands_in_little_room_fits),
		cmocka_unit_test(phrases_that_are_refused),
		cmocka_unit_test(decimals),
		cmocka_unit_test(locales),
		cmocka_unit_test(names_are_replaced),
		cmocka_unit_test(durations),
	};

	loader_add_linked();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
