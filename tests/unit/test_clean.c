/* What members write, made harmless: markdown, mentions, hidden and turning characters, towers of accents, length. */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/utf8.h"
#include "shared/phrases/clean.h"

#define ZERO "\xE2\x80\x8B"

static void each_trick(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "Bob", "Bob" },
		{ "", "?" },
		{ NULL, "?" },
		{ "   ", "?" },
		{ "\xE2\x80\x8B\xE2\x80\xAE", "?" },
		{ "a  b\n\nc\td ", "a b c d" },
		{ "**bold** _i_ ~~s~~ `c` ||x||", "\\*\\*bold\\*\\* \\_i\\_ \\~\\~s\\~\\~ \\`c\\` \\|\\|x\\|\\|" },
		{ "[x](https://evil.example)", "\\[x\\]\\(https:" ZERO "//evil.example\\)" },
		{ "@everyone @here", "@" ZERO "everyone @" ZERO "here" },
		{ "<@1> <@&2> <#3> <:a:4>", "\\<@" ZERO "1\\> \\<@" ZERO "&2\\> \\<\\#3\\> \\<:a:4\\>" },
		{ "back\\slash", "back\\\\slash" },
		{ "ab\xE2\x80\xAE"
		  "cd",
		  "abcd" }, /* turns what follows */
		{ "a\xE2\x80\x8D"
		  "b\xEF\xBB\xBF"
		  "c",
		  "abc" }, /* joiners and marks nobody sees */
		{ "a\xC2\xA0"
		  "b\xE3\x80\x80"
		  "c",
		  "a b c" }, /* other spaces */
		{ "z\xCC\x81\xCC\x82\xCC\x83\xCC\x84y", "z\xCC\x81\xCC\x82y" },
		{ "\xCC\x81x", "x" }, /* an accent on nothing */
		{ "a\xFF"
		  "b\xC0\x80"
		  "c\xED\xA0\x80",
		  "abc" }, /* no UTF-8 */
		{ "\x01\x1b[31mred", "\\[31mred" },
		{ "größe \xF0\x9F\x90\x9F", "größe \xF0\x9F\x90\x9F" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_ptr_equal(phrases_clean(rows[i].from, 64, text, sizeof(text)), text);
		assert_string_equal(text, rows[i].to);
	}
}

static void too_long(void **state)
{
	char from[10001], text[4 * 32 + 4], tiny[4];

	(void)state;
	memset(from, 'x', sizeof(from) - 1);
	from[sizeof(from) - 1] = '\0';
	phrases_clean(from, 32, text, sizeof(text));
	assert_int_equal(strlen(text), 31 + 3);
	assert_memory_equal(text + 31, "\xE2\x80\xA6", 4);
	from[32] = '\0';
	phrases_clean(from, 32, text, sizeof(text));
	assert_int_equal(strlen(text), 32);
	phrases_clean("****", 32, tiny, sizeof(tiny));
	assert_string_equal(tiny, "\\*"); /* no half of a pair */
	phrases_clean("x", 32, tiny, 1);
	assert_string_equal(tiny, "");
}

/* Any bytes: what comes out is UTF-8, one line, short, and holds no mention. */
static void any_bytes(void **state)
{
	char from[200], text[4 * 40 + 4];
	uint64_t seed = 88172645463325252ULL;
	uint32_t point;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = 0, characters = 0, taken;

		for (size_t i = 0; i + 1 < sizeof(from); i++) {
			static const char tricks[] = "<@>#&!1:/*_`|~\\ \n\xE2\x80\x8B\xAE\xCC\x81\xF0\x9F";

			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			from[len++] = seed % 3 ? tricks[(seed >> 8) % (sizeof(tricks) - 1)] : (char)(seed >> 16);
		}
		from[len] = '\0';
		phrases_clean(from, 40, text, sizeof(text));
		assert_non_null(memchr(text, '\0', sizeof(text)));
		assert_null(strchr(text, '\n'));
		assert_null(strstr(text, "@everyone"));
		for (const char *at = text; *at; at += taken) {
			taken = utf8_decode(at, &point);
			assert_int_not_equal(taken, 0);
			characters++;
			if (*at == '<')
				assert_true(at > text && at[-1] == '\\');
			if (*at == '@')
				assert_memory_equal(at + 1, ZERO, 3);
		}
		assert_in_range(characters, 1, 2 * 40 + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_trick),
		cmocka_unit_test(too_long),
		cmocka_unit_test(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
