/* What may be a prefix of message commands. */
#include "tests/unit/unit.h"

#include <string.h>

#include "shard/commands/prefixes.h"

static void test_good_prefixes(void **state)
{
	static const char *const good[] = { "!",
					    "?",
					    "$$",
					    "bot.",
					    "\xC3\xA9",
					    "\xF0\x9F\x90\x9F",
					    "12345678",
					    "\xE2\x82\xAC",
					    "\xE2\x9D\xA4\xEF\xB8\x8F" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(prefix_check(good[i]));
}

static void test_bad_prefixes(void **state)
{
	static const struct {
		const char *prefix, *word;
	} bad[] = {
		{ "", "empty" },
		{ " ", "spaces" },
		{ "a b", "spaces" },
		{ "\t", "control" },
		{ "\x7F", "control" },
		{ "123456789", "characters at most" },
		{ "\xF0\x9F\x90\x9F\xF0\x9F\x90\x9F\xF0\x9F\x90\x9F\xF0\x9F\x90\x9F\xF0\x9F\x90\x9F\xF0\x9F\x90\x9F\xF0"
		  "\x9F\x90\x9F"
		  "\xF0\x9F\x90\x9F\xF0\x9F\x90\x9F",
		  "characters at most" },
		{ "/x", "Discord" },
		{ "<@1>", "Discord" },
		{ "@", "Discord" },
		{ "#", "Discord" },
		{ "`", "backtick" },
		{ "!`", "backtick" },
		{ "\xC2\xA0", "seen" },         /* no-break space */
		{ "\xC2\x85", "seen" },         /* a control character above ASCII */
		{ "\xC2\xAD", "seen" },         /* soft hyphen */
		{ "!\xE2\x80\x8B", "seen" },    /* zero width space */
		{ "\xE2\x80\xAE", "seen" },     /* right-to-left override */
		{ "\xEF\xBB\xBF!", "seen" },    /* byte order mark */
		{ "\xE3\x85\xA4", "seen" },     /* Hangul filler */
		{ "\xF3\xA0\x80\xA1", "seen" }, /* a tag character */
		{ "\xEF\xB8\x8F", "seen" },     /* a variation selector of nothing */
		{ "\x80", "seen" },             /* no UTF-8 */
		{ "\xE2\x82", "seen" },         /* cut off */
		{ "\xF0\x9F", "seen" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct shoal_phrase *phrase = prefix_check(bad[i].prefix);
		const char *problem = phrase ? phrase->text[SHOAL_ENGLISH] : NULL;

		if (!problem || !strstr(problem, bad[i].word))
			fail_msg("%zu: %s", i, problem ? problem : "was taken");
	}
}

/* The operator's own prefix may hold what a member's may not. */
static void test_prefixes_are_shown_as_code(void **state)
{
	static const struct {
		const char *prefix, *word, *shown;
	} rows[] = {
		{ "!", "", "`!`" },
		{ "!", "ping", "`!ping`" },
		{ "`", "", "`` ` ``" },
		{ "`", "ping", "`` `ping ``" },
		{ "a``b", "", "``` a``b ```" },
		{ "``````````````````````", "", "`" },
	};
	char text[PREFIXES_SHOWN_SIZE];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(prefixes_shown(rows[i].prefix, rows[i].word, text), rows[i].shown);
	assert_true(strlen(prefixes_shown(rows[5].prefix, "", text)) < sizeof(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_prefixes),
		cmocka_unit_test(test_bad_prefixes),
		cmocka_unit_test(test_prefixes_are_shown_as_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
