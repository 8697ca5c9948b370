/* Command arguments: what members type and what interactions carry, good and hostile. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shard/commands/arguments.h"
#include "shared/base/cleanup.h"

static const struct shoal_command_option options[] = {
	{ .name = "word", .description = "A word", .type = SHOAL_OPTION_STRING, .required = true, .min = 1, .max = 5 },
	{ .name = "count", .description = "How many", .type = SHOAL_OPTION_INTEGER, .min = -3, .max = 10 },
	{ .name = "yes", .description = "Yes or no", .type = SHOAL_OPTION_BOOLEAN },
	{ .name = "who", .description = "A user", .type = SHOAL_OPTION_USER },
	{ .name = "rest", .description = "The rest", .type = SHOAL_OPTION_STRING },
};
static const struct shoal_command leaf = {
	.name = "leaf", .description = "A leaf", .options = options, .option_count = ARRAY_SIZE(options)
};
static const struct shoal_command group = {
	.name = "group", .description = "A group", .children = &leaf, .child_count = 1
};
static const struct shoal_command root = {
	.name = "root", .description = "A root", .children = &group, .child_count = 1
};

static int parse_text(const char *text, struct arguments *arguments, struct arguments_error *error)
{
	return arguments_from_text(&leaf, (struct shoal_str){ text, (uint32_t)strlen(text) }, arguments, error);
}

static void text_in_the_rows_order(void **state)
{
	CLEANUP(arguments_finish) struct arguments arguments = { 0 };
	struct arguments_error error = { 0 };

	(void)state;
	assert_int_equal(parse_text("  abc -3 yes <@!42>  all the  rest \n", &arguments, &error), 0);
	assert_int_equal(arguments.count, 5);
	assert_string_equal(arguments_find(&arguments, "word")->text, "abc");
	assert_int_equal(arguments_find(&arguments, "count")->integer, -3);
	assert_true(arguments_find(&arguments, "yes")->boolean);
	assert_int_equal(arguments_find(&arguments, "who")->id, 42);
	assert_string_equal(arguments_find(&arguments, "rest")->text, "all the  rest");
	assert_null(arguments_find(&arguments, "nothing"));
}

static void quotes_keep_words_together(void **state)
{
	CLEANUP(arguments_finish) struct arguments arguments = { 0 };
	struct arguments_error error = { 0 };

	(void)state;
	assert_int_equal(parse_text("\"a b\" 7", &arguments, &error), 0);
	assert_string_equal(arguments_find(&arguments, "word")->text, "a b");
	assert_int_equal(arguments_find(&arguments, "count")->integer, 7);
}

static void a_lone_quote_is_a_character(void **state)
{
	CLEANUP(arguments_finish) struct arguments arguments = { 0 };
	struct arguments_error error = { 0 };

	(void)state;
	assert_int_equal(parse_text("\"ab", &arguments, &error), 0);
	assert_string_equal(arguments_find(&arguments, "word")->text, "\"ab");
}

static void bad_text_is_named(void **state)
{
	static const struct {
		const char *text, *named;
	} cases[] = {
		{ "", "`word` is missing" },
		{ "abcdef", "`word` must be 1 to 5" },
		{ "abc 11", "`count` must be a number from -3 to 10" },
		{ "abc 9999999999999999999999", "`count` must be a whole number" },
		{ "abc 9007199254740993", "`count` is too large" },
		{ "abc 1x", "`count` must be a whole number" },
		{ "abc 1 maybe", "`yes` must be yes or no" },
		{ "abc 1 no <@x>", "`who` must be a user" },
		{ "abc 1 no 0", "`who` must be a user" },
		{ "abc 1 no 99999999999999999999999", "`who` must be a user" },
	};
	CLEANUP(buf_finish) struct buf told;
	struct arguments_error error;
	struct arguments arguments;
	size_t i;

	(void)state;
	buf_init(&told, 512);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(&arguments, 0x5A, sizeof(arguments));
		buf_clear(&told, 512);
		assert_int_equal(parse_text(cases[i].text, &arguments, &error), -EINVAL);
		arguments_error_print(&error, SHOAL_ENGLISH, &told);
		assert_non_null(strstr(buf_cstr(&told), cases[i].named));
		assert_int_equal(((unsigned char *)&arguments)[0], 0x5A); /* untouched on failure */
	}
}

static void characters_not_bytes_are_counted(void **state)
{
	CLEANUP(arguments_finish) struct arguments arguments = { 0 };
	struct arguments_error error = { 0 };

	(void)state;
	assert_int_equal(parse_text("\xC3\xA4\xC3\xB6\xC3\xBC\xE2\x82\xAC\xF0\x9F\x90\x9F", &arguments, &error), 0);
}

static struct shoal_option given(const char *name, struct shoal_value value)
{
	return (struct shoal_option){ .name = { name, (uint32_t)strlen(name) }, .value = value };
}

static struct shoal_value str(const char *text)
{
	return (struct shoal_value){ .kind = SHOAL_VALUE_STR, .text = { text, (uint32_t)strlen(text) } };
}

static void interaction_options(void **state)
{
	CLEANUP(arguments_finish) struct arguments arguments = { 0 };
	struct arguments_error error = { 0 };
	struct shoal_option items[] = {
		given("who", str("1234")),
		given("word", str("hi")),
		given("count", (struct shoal_value){ .kind = SHOAL_VALUE_INT, .integer = 10 }),
		given("of_a_newer_version", str("x")),
		given("word", str("again")),
	};

	(void)state;
	assert_int_equal(arguments_from_options(&leaf, items, ARRAY_SIZE(items), &arguments, &error), 0);
	assert_int_equal(arguments.count, 3);
	assert_string_equal(arguments_find(&arguments, "word")->text, "hi");
	assert_int_equal(arguments_find(&arguments, "who")->id, 1234);
	assert_int_equal(arguments_find(&arguments, "count")->integer, 10);
}

static void wrong_types_are_refused(void **state)
{
	struct shoal_option items[][1] = {
		{ given("word", (struct shoal_value){ .kind = SHOAL_VALUE_INT, .integer = 1 }) },
		{ given("count", str("7")) },
		{ given("count", (struct shoal_value){ .kind = SHOAL_VALUE_NUMBER, .number = 1.5 }) },
		{ given("yes", (struct shoal_value){ .kind = SHOAL_VALUE_NULL }) },
		{ given("who", str("12a")) },
		{ given("who", (struct shoal_value){ .kind = SHOAL_VALUE_JSON }) },
	};
	struct arguments_error error;
	struct arguments arguments;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(items); i++)
		assert_int_equal(arguments_from_options(&leaf, items[i], 1, &arguments, &error), -EINVAL);
}

static void zero_bytes_are_left_out(void **state)
{
	CLEANUP(arguments_finish) struct arguments arguments = { 0 };
	struct arguments_error error = { 0 };
	struct shoal_option item = { .name = SHOAL_STR("word"),
				     .value = { .kind = SHOAL_VALUE_STR, .text = { "a\0b", 3 } } };

	(void)state;
	assert_int_equal(arguments_from_options(&leaf, &item, 1, &arguments, &error), 0);
	assert_string_equal(arguments_find(&arguments, "word")->text, "ab");
}

static void descends_through_groups(void **state)
{
	struct shoal_option value = given("word", str("x"));
	struct shoal_option sub = { .name = SHOAL_STR("leaf"), .type = SHOAL_OPTION_SUB_COMMAND };
	struct shoal_option top = { .name = SHOAL_STR("group"), .type = SHOAL_OPTION_SUB_COMMAND_GROUP };
	const struct shoal_option *found;
	const struct shoal_command *row;
	size_t count;

	(void)state;
	sub.options.items = &value;
	sub.options.count = 1;
	top.options.items = &sub;
	top.options.count = 1;
	assert_int_equal(arguments_descend(&root, &top, 1, &row, &found, &count), 0);
	assert_ptr_equal(row, &leaf);
	assert_ptr_equal(found, &value);
	assert_int_equal(count, 1);
	sub.name = (struct shoal_str)SHOAL_STR("other");
	assert_int_equal(arguments_descend(&root, &top, 1, &row, &found, &count), -ENOENT);
	top.options.count = 0;
	assert_int_equal(arguments_descend(&root, &top, 1, &row, &found, &count), -ENOENT);
	assert_int_equal(arguments_descend(&root, &value, 1, &row, &found, &count), -ENOENT);
	assert_int_equal(arguments_descend(&root, NULL, 0, &row, &found, &count), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_in_the_rows_order),           cmocka_unit_test(quotes_keep_words_together),
		cmocka_unit_test(a_lone_quote_is_a_character),      cmocka_unit_test(bad_text_is_named),
		cmocka_unit_test(characters_not_bytes_are_counted), cmocka_unit_test(interaction_options),
		cmocka_unit_test(wrong_types_are_refused),          cmocka_unit_test(zero_bytes_are_left_out),
		cmocka_unit_test(descends_through_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
