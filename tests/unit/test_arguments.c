/* Command arguments: what members type and what interactions carry, good and hostile. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "shard/commands/arguments.h"
#include "shard/commands/words.h"
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

static struct resolved nobody;

static int parse_text(const char *text, struct arguments *arguments, struct arguments_error *error)
{
	return words_parse(&leaf, (struct shoal_str){ text, (uint32_t)strlen(text) }, &nobody, NULL, arguments, error);
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
	assert_true(arguments_find(&arguments, "who")->unresolved); /* nobody has said who that is */
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
		{ "abc 1 no <@x>", "`who` must be a member:" },
		{ "abc 1 no 0", "`who` must be a member:" },
		{ "abc 1 no 99999999999999999999999", "`who` must be a member:" },
	};
	CLEANUP(buf_finish) struct buf told = { 0 };
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

static void know_user(struct resolved *resolved, uint64_t id)
{
	json_t *user = json_pack("{s:o, s:s}", "id", json_sprintf("%llu", (unsigned long long)id), "username", "ada");

	resolved_init(resolved);
	assert_int_equal(resolved_add_user_json(resolved, user), 0);
	json_decref(user);
}

static struct shoal_value str(const char *text)
{
	return (struct shoal_value){ .kind = SHOAL_VALUE_STR, .text = { text, (uint32_t)strlen(text) } };
}

static void interaction_options(void **state)
{
	CLEANUP(arguments_finish) struct arguments arguments = { 0 };
	CLEANUP(resolved_finish) struct resolved resolved;
	struct arguments_error error = { 0 };
	struct shoal_option items[] = {
		given("who", str("1234")),
		given("word", str("hi")),
		given("count", (struct shoal_value){ .kind = SHOAL_VALUE_INT, .integer = 10 }),
		given("of_a_newer_version", str("x")),
		given("word", str("again")),
	};

	(void)state;
	know_user(&resolved, 1234);
	assert_int_equal(arguments_from_options(&leaf, items, ARRAY_SIZE(items), &resolved, &arguments, &error), 0);
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
		{ given("who", str("77")) }, /* not among the resolved */
		{ given("who", (struct shoal_value){ .kind = SHOAL_VALUE_JSON }) },
	};
	struct arguments_error error;
	struct arguments arguments;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(items); i++)
		assert_int_equal(arguments_from_options(&leaf, items[i], 1, &nobody, &arguments, &error), -EINVAL);
}

static void zero_bytes_are_left_out(void **state)
{
	CLEANUP(arguments_finish) struct arguments arguments = { 0 };
	struct arguments_error error = { 0 };
	struct shoal_option item = { .name = SHOAL_STR("word"),
				     .value = { .kind = SHOAL_VALUE_STR, .text = { "a\0b", 3 } } };

	(void)state;
	assert_int_equal(arguments_from_options(&leaf, &item, 1, &nobody, &arguments, &error), 0);
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

/* --- every type ----------------------------------------------------------------------------------------------------
 */

static const struct shoal_choice sizes[] = {
	{ .name = "Small", .text = "s", .names = SHOAL_LOCAL("Klein", "Peque\xc3\xb1o", "Piccolo") },
	{ .name = "Very large", .text = "xl" },
};
static const struct shoal_choice primes[] = { { .name = "two", .integer = 2 }, { .name = "three", .integer = 3 } };
static const struct shoal_command_option all_options[] = {
	{ .name = "size", .description = "d", .type = SHOAL_OPTION_STRING, .choices = sizes, .choice_count = 2 },
	{ .name = "prime", .description = "d", .type = SHOAL_OPTION_INTEGER, .choices = primes, .choice_count = 2 },
	{ .name = "ratio", .description = "d", .type = SHOAL_OPTION_NUMBER, .least = -0.5, .most = 2.5 },
	{ .name = "loud", .description = "d", .type = SHOAL_OPTION_BOOLEAN },
	{ .name = "who", .description = "d", .type = SHOAL_OPTION_USER },
	{ .name = "where",
	  .description = "A text channel",
	  .type = SHOAL_OPTION_CHANNEL,
	  .channel_types = SHOAL_CHANNEL_BIT(SHOAL_CHANNEL_TEXT) },
	{ .name = "role", .description = "d", .type = SHOAL_OPTION_ROLE },
	{ .name = "either", .description = "d", .type = SHOAL_OPTION_MENTIONABLE },
	{ .name = "file", .description = "d", .type = SHOAL_OPTION_ATTACHMENT },
	{ .name = "text", .description = "d", .type = SHOAL_OPTION_STRING, .min = 1, .max = 30 },
	{ .name = "times",
	  .description = "d",
	  .type = SHOAL_OPTION_INTEGER,
	  .min = 1,
	  .max = 9,
	  .names = SHOAL_LOCAL("mal", "veces", "volte") },
};
static const struct shoal_command all = {
	.name = "all", .description = "d", .options = all_options, .option_count = ARRAY_SIZE(all_options)
};

static const struct shoal_role_view roles[] = { { .id = 70, .name = SHOAL_STR("Mods") },
						{ .id = 71, .name = SHOAL_STR("night watch") } };
static const struct shoal_channel_view channels[] = {
	{ .id = 80, .name = SHOAL_STR("general"), .type = SHOAL_CHANNEL_TEXT },
	{ .id = 81, .name = SHOAL_STR("stage"), .type = SHOAL_CHANNEL_VOICE },
};
static const struct shoal_guild_view guild = {
	.id = 1, .roles = roles, .role_count = 2, .channels = channels, .channel_count = 2
};

static int parse_all(const char *text, struct resolved *resolved, struct arguments *arguments, struct buf *told)
{
	struct arguments_error error = { 0 };
	int r = words_parse(&all, (struct shoal_str){ text, (uint32_t)strlen(text) }, resolved, &guild, arguments,
			    &error);

	buf_clear(told, 4096);
	if (r == -EINVAL)
		arguments_error_print(&error, SHOAL_GERMAN, told);
	return r;
}

/* A message that mentions user 60 and has two files. */
static void know_message(struct resolved *resolved)
{
	static const struct shoal_user mentioned[] = { { .id = 60, .username = SHOAL_STR("mia") } };
	static const struct shoal_attachment files[] = {
		{ .id = 90, .filename = SHOAL_STR("a.png"), .url = SHOAL_STR("https://x/a.png"), .size = 5 },
		{ .id = 91, .filename = SHOAL_STR("b.png"), .url = SHOAL_STR("https://x/b.png") },
	};
	struct shoal_message message = { .author = { .id = 61, .username = SHOAL_STR("ada") } };

	message.mentions.items = mentioned;
	message.mentions.count = 1;
	message.attachments.items = files;
	message.attachments.count = 2;
	resolved_init(resolved);
	assert_int_equal(resolved_add_message(resolved, &message), 0);
}

static void every_type_in_words(void **state)
{
	CLEANUP(arguments_finish) struct arguments got = { 0 };
	CLEANUP(resolved_finish) struct resolved resolved;
	CLEANUP(buf_finish) struct buf told = { 0 };

	(void)state;
	buf_init(&told, 4096);
	know_message(&resolved);
	assert_int_equal(parse_all("very LARGE three 2.5 ja <@60> <#80> <@&70> \"night watch\" and  the rest --times 3",
				   &resolved, &got, &told),
			 0);
	assert_string_equal(arguments_find(&got, "size")->text, "xl");
	assert_int_equal(arguments_find(&got, "prime")->integer, 3);
	assert_true(arguments_find(&got, "ratio")->number > 2.4);
	assert_true(arguments_find(&got, "loud")->boolean);
	assert_string_equal(resolved_find_user(&resolved, arguments_find(&got, "who")->id)->shown_name, "mia");
	assert_false(arguments_find(&got, "who")->unresolved);
	assert_string_equal(resolved_find_channel(&resolved, arguments_find(&got, "where")->id)->name, "general");
	assert_string_equal(resolved_find_role(&resolved, arguments_find(&got, "role")->id)->name, "Mods");
	assert_int_equal(arguments_find(&got, "either")->id, 71);
	assert_string_equal(resolved_find_attachment(&resolved, arguments_find(&got, "file")->id)->name, "a.png");
	assert_string_equal(arguments_find(&got, "text")->text, "and  the rest");
	assert_int_equal(arguments_find(&got, "times")->integer, 3);
}

static void names_in_any_order(void **state)
{
	static const struct {
		const char *text, *option, *value;
		int64_t integer;
	} cases[] = {
		{ "--text \"a b\" klein", "text", "a b", 0 },
		{ "--text \"a b\" klein", "size", "s", 0 },
		{ "--text=x --times=4", "times", NULL, 4 },
		{ "\xe2\x80\x94mal 5 s", "times", NULL, 5 }, /* a telephone's dash, a German name */
		{ "--loud --text hi", "loud", NULL, 0 },
		{ "--loud no --text hi", "text", "hi", 0 },
		{ "s 2 0 no 60 80 70 71 \xe2\x80\x9cq \\\" q\xe2\x80\x9d --times 2", "text", "q \" q", 0 },
		{ "s 2 0 no 60 general mods 60 \"x\" y", "text", "\"x\" y", 0 },
		{ "s 2 0 no 60 general mods 60 it -- goes --on", "text", "it -- goes --on", 0 },
	};
	CLEANUP(buf_finish) struct buf told = { 0 };
	size_t i;

	(void)state;
	buf_init(&told, 4096);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(arguments_finish) struct arguments got = { 0 };
		CLEANUP(resolved_finish) struct resolved resolved;
		const struct argument *one;

		know_message(&resolved);
		assert_int_equal(parse_all(cases[i].text, &resolved, &got, &told), 0);
		one = arguments_find(&got, cases[i].option);
		assert_non_null(one);
		if (cases[i].value)
			assert_string_equal(one->text, cases[i].value);
		else
			assert_int_equal(one->integer, cases[i].integer);
	}
}

static void hostile_words_are_told_clearly(void **state)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{ "huge", "eines von diesen sein: `Klein`, `Very large`" },
		{ "s 4", "`prime` muss eines von diesen" },
		{ "s two 2.6", "von -0.5 bis 2.5" },
		{ "s two nan", "`ratio` muss eine Zahl" },
		{ "s two 1e999", "`ratio` muss eine Zahl" },
		{ "s two 1 vielleicht", "`loud` muss ja oder nein" },
		{ "s two 1 no <@&70>", "`who` muss" },
		{ "s two 1 no <#80>", "`who` muss" },
		{ "s two 1 no 60 #stage", "Kanal anderer Art sein: A text" },
		{ "s two 1 no 60 #nowhere", "`where` muss ein" },
		{ "s two 1 no 60 99", "finde ich nicht" },
		{ "s two 1 no 60 80 <@60>", "`role` muss ein" },
		{ "s two 1 no 60 80 99", "finde ich nicht" },
		{ "--role 72 x", "finde ich nicht" },
		{ "--times", "`mal` fehlt" },
		{ "--times --loud", "`mal` fehlt" },
		{ "--times 3 --times 4", "`mal` wurde zweimal" },
		{ "--nonsense 3", "mit `--` beginnen" },
		{ "--text x --size s --prime 2 --ratio 1 --loud --who 60 --where 80 --role 70 --either 70 more",
		  "mehr W\xc3\xb6rter" },
		{ "--text 1234567890123456789012345678901", "1 bis 30" },
		{ "--times 10", "von 1 bis 9" },
		{ "--file x", "`file` fehlt; bitte h\xc3\xa4nge" },
	};
	CLEANUP(buf_finish) struct buf told = { 0 };
	size_t i;

	(void)state;
	buf_init(&told, 4096);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(resolved_finish) struct resolved resolved;
		struct arguments got;

		memset(&got, 0x5A, sizeof(got));
		know_message(&resolved);
		assert_int_equal(parse_all(cases[i].text, &resolved, &got, &told), -EINVAL);
		if (!strstr(buf_cstr(&told), cases[i].told))
			fail_msg("%s: %s", cases[i].text, buf_cstr(&told));
		assert_int_equal(((unsigned char *)&got)[0], 0x5A);
	}
}

/* Ten thousand bytes of anything end, without a byte read beyond them. */
static void long_and_odd_text_ends(void **state)
{
	static const char *const pieces[] = { "x",    "\"",      "--", "\xcc\x81", "\xff",
					      "\\\"", "--text=", " ",  "<@",       "\xe2\x80\x9c" };
	CLEANUP(buf_finish) struct buf told = { 0 };
	size_t i, j;

	(void)state;
	buf_init(&told, 4096);
	for (i = 0; i < ARRAY_SIZE(pieces); i++)
		for (j = 0; j < ARRAY_SIZE(pieces); j++) {
			CLEANUP(arguments_finish) struct arguments got = { 0 };
			CLEANUP(resolved_finish) struct resolved resolved;
			size_t a = strlen(pieces[i]), b = strlen(pieces[j]), len = 0;
			char *text = malloc(10000 + a + b);
			struct arguments_error error = { 0 };

			while (len < 10000) {
				memcpy(text + len, pieces[i], a);
				memcpy(text + len + a, pieces[j], b);
				len += a + b;
			}
			text = realloc(text, len); /* valgrind and ASan know the end */
			know_message(&resolved);
			words_parse(&all, (struct shoal_str){ text, (uint32_t)len }, &resolved, &guild, &got, &error);
			free(text);
		}
}

static void interaction_values_of_every_type(void **state)
{
	CLEANUP(arguments_finish) struct arguments got = { 0 };
	CLEANUP(resolved_finish) struct resolved resolved;
	struct arguments_error error = { 0 };
	struct shoal_option good[] = {
		given("size", str("xl")),
		given("prime", (struct shoal_value){ .kind = SHOAL_VALUE_INT, .integer = 2, .number = 2 }),
		given("ratio", (struct shoal_value){ .kind = SHOAL_VALUE_INT, .integer = 1, .number = 1 }),
		given("loud", (struct shoal_value){ .kind = SHOAL_VALUE_BOOL, .boolean = true }),
		given("who", str("60")),
		given("where", str("80")),
		given("role", str("70")),
		given("either", str("60")),
		given("file", str("91")),
	};
	struct shoal_option bad[] = {
		given("size", str("Very large")), /* a name is no value */
		given("prime", (struct shoal_value){ .kind = SHOAL_VALUE_INT, .integer = 5, .number = 5 }),
		given("ratio", (struct shoal_value){ .kind = SHOAL_VALUE_NUMBER, .number = 1.0 / 0.0 }),
		given("who", str("70")),   /* resolved, but a role */
		given("where", str("81")), /* a channel of another kind */
		given("role", str("60")),
		given("either", str("80")),
		given("file", str("5")),
		given("text", str("")),
		given("times", (struct shoal_value){ .kind = SHOAL_VALUE_INT, .integer = INT64_MAX }),
	};
	size_t i;

	(void)state;
	know_message(&resolved);
	resolved_add_role_of(&resolved, &guild, 70);
	resolved_add_channel_of(&resolved, &guild, 80);
	resolved_add_channel_of(&resolved, &guild, 81);
	assert_int_equal(arguments_from_options(&all, good, ARRAY_SIZE(good), &resolved, &got, &error), 0);
	assert_int_equal(got.count, ARRAY_SIZE(good));
	assert_int_equal(arguments_find(&got, "file")->id, 91);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct arguments none;

		error.phrase = NULL;
		assert_int_equal(arguments_from_options(&all, &bad[i], 1, &resolved, &none, &error), -EINVAL);
		assert_non_null(error.phrase);
	}
}

static void suggest_nothing(struct shoal_invocation *inv)
{
	(void)inv;
}

static void what_is_being_typed(void **state)
{
	static const struct shoal_command_option half[] = {
		{ .name = "must", .description = "d", .type = SHOAL_OPTION_STRING, .required = true },
		{ .name = "count", .description = "d", .type = SHOAL_OPTION_INTEGER, .min = 1, .max = 5 },
		{ .name = "city", .description = "d", .type = SHOAL_OPTION_STRING, .suggest = suggest_nothing },
	};
	static const struct shoal_command row = { .name = "r", .description = "d", .options = half, .option_count = 3 };
	CLEANUP(arguments_finish) struct arguments got = { 0 };
	const struct shoal_command_option *focused;
	struct shoal_option items[] = {
		given("count", (struct shoal_value){ .kind = SHOAL_VALUE_INT, .integer = 99 }),
		given("city", str("Ber")),
		given("nothing", str("x")),
	};
	struct shoal_str typed;

	(void)state;
	items[1].focused = true;
	assert_int_equal(arguments_from_unfinished(&row, items, 3, &nobody, &got, &focused, &typed), 0);
	assert_ptr_equal(focused, &half[2]);
	assert_true(shoal_str_is(typed, "Ber"));
	assert_int_equal(got.count, 0); /* 99 is no count; a required one may be missing */
	items[1].focused = false;
	items[0].focused = true; /* an option that suggests nothing */
	assert_int_equal(arguments_from_unfinished(&row, items, 3, &nobody, &got, &focused, &typed), 0);
	assert_null(focused);
}

static void usage_in_one_line(void **state)
{
	CLEANUP(buf_finish) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 1024);
	words_usage(&leaf, "root leaf", SHOAL_ENGLISH, &out);
	assert_string_equal(buf_cstr(&out), "root leaf <word> [count] [yes] [who] [rest \xe2\x80\xa6]");
	buf_clear(&out, 1024);
	words_usage(&all, "all", SHOAL_ENGLISH, &out);
	assert_string_equal(buf_cstr(&out), "all [Small|Very large] [two|three] [ratio] [loud] [who] [where] [role] "
					    "[either] [file: file] [text \xe2\x80\xa6] [--times times]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_in_the_rows_order),
		cmocka_unit_test(quotes_keep_words_together),
		cmocka_unit_test(a_lone_quote_is_a_character),
		cmocka_unit_test(bad_text_is_named),
		cmocka_unit_test(characters_not_bytes_are_counted),
		cmocka_unit_test(interaction_options),
		cmocka_unit_test(wrong_types_are_refused),
		cmocka_unit_test(zero_bytes_are_left_out),
		cmocka_unit_test(descends_through_groups),
		cmocka_unit_test(every_type_in_words),
		cmocka_unit_test(names_in_any_order),
		cmocka_unit_test(hostile_words_are_told_clearly),
		cmocka_unit_test(long_and_odd_text_ends),
		cmocka_unit_test(interaction_values_of_every_type),
		cmocka_unit_test(what_is_being_typed),
		cmocka_unit_test(usage_in_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
