/* The example's own test: what it answers, and what it makes of ids that were forged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <shoal/testing.h>

#include "shard/modules/echo/echo.c"

static void says_it_with_buttons(void **state)
{
	struct shoal_invocation inv = { .string = { { "text", "hello" } } };

	(void)state;
	shoal_test_begin();
	echo(&inv);
	assert_string_equal(inv.reply, "hello");
	assert_int_equal(inv.buttons, 2);
	assert_string_equal(inv.custom_id, "echo.again:1");
}

static void counts_on(void **state)
{
	struct shoal_invocation inv = { .custom_rest = "41" };

	(void)state;
	shoal_test_begin();
	again(&inv);
	assert_true(inv.is_update);
	assert_string_equal(inv.custom_id, "echo.again:42");
}

static void forged_counts_are_refused(void **state)
{
	static const char *const forged[] = { "0", "-1", "99", "1x", "9223372036854775808", "x" };
	size_t i;

	(void)state;
	for (i = 0; i < SHOAL_COUNT(forged); i++) {
		struct shoal_invocation inv = { .custom_rest = forged[i] };

		shoal_test_begin();
		again(&inv);
		assert_true(inv.is_error);
	}
}

static void asks_and_says(void **state)
{
	struct shoal_invocation asked = { 0 }, typed = { .field = { { "text", "hi" } } }, empty = { 0 };

	(void)state;
	shoal_test_begin();
	ask(&asked);
	assert_true(asked.is_modal);
	assert_string_equal(asked.custom_id, "echo.said");
	said(&typed);
	assert_string_equal(typed.reply, "hi");
	said(&empty);
	assert_true(empty.is_error);
}

/* Discord's limits of a label and of a form, in each language; umlauts are two bytes, so bytes are the safe side. */
static void labels_fit_in_each_language(void **state)
{
	static const struct {
		const struct shoal_phrase *phrase;
		size_t most;
	} rows[] = { { PHRASE(AGAIN), 80 },
		     { PHRASE(AGAIN_TIMES), 80 },
		     { PHRASE(SOMETHING_ELSE), 80 },
		     { PHRASE(FORM_TITLE), 45 },
		     { PHRASE(FORM_ASKS), 45 } };
	struct shoal_invocation inv = { .string = { { "text", "hi" } }, .language = SHOAL_GERMAN };
	size_t i;
	int language;

	(void)state;
	for (i = 0; i < SHOAL_COUNT(rows); i++)
		for (language = 0; language < SHOAL_LANGUAGE_COUNT; language++)
			assert_in_range(strlen(rows[i].phrase->text[language]), 1, rows[i].most);
	shoal_test_begin();
	ask(&inv);
	assert_string_equal(inv.reply, "Echo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_it_with_buttons),        cmocka_unit_test(counts_on),
		cmocka_unit_test(forged_counts_are_refused),   cmocka_unit_test(asks_and_says),
		cmocka_unit_test(labels_fit_in_each_language),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
