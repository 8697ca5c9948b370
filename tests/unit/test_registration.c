/* What Discord would refuse of a command's row is refused first, with a sentence; what it takes is told it in full. And
 * the parts of answers that are checked alike: layouts and sealed custom ids. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/commands/layout.h"
#include "shard/commands/registration.h"
#include "shard/commands/registry.h"
#include "shard/commands/seal.h"
#include "shared/base/cleanup.h"
#include "tests/unit/unit.h"

static void handle(struct shoal_invocation *inv)
{
	(void)inv;
}

#define LONG_33  "abcdefghijklmnopqrstuvwxyzabcdefg"
#define LONG_101 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789x"
#define ROW      .name = "row", .description = "d", .handle = handle
#define OPTION   .name = "o", .description = "d"

static struct shoal_command with(const struct shoal_command_option *option)
{
	return (struct shoal_command){ ROW, .options = option, .option_count = 1 };
}

static void refused(const struct shoal_command *row, const char *words)
{
	char error[REGISTRATION_ERROR_SIZE] = "";

	assert_int_equal(registration_check(row, error), -EINVAL);
	if (!strstr(error, words))
		fail_msg("\"%s\" says nothing of \"%s\"", error, words);
}

static void taken(const struct shoal_command *row)
{
	char error[REGISTRATION_ERROR_SIZE] = "";

	if (registration_check(row, error) != 0)
		fail_msg("%s", error);
}

static void names_and_texts(void **state)
{
	static const char *const good[] = { "a", "a-b_c'd",
					    "gr\xc3\xb6\xc3\x9f"
					    "e",
					    "a\xc3\xb1"
					    "adir",
					    "\xe6\xbc\xa2" };
	static const char *const bad[] = { "", "A", "a b", "\xc3\x84rger", "a!", LONG_33, "\xff", "a\xe2\x80\x8b" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		taken(&(struct shoal_command){ .name = good[i], .description = "d", .handle = handle });
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct shoal_phrase local = { { [SHOAL_GERMAN] = bad[i] } };

		refused(&(struct shoal_command){ .name = bad[i], .description = "d", .handle = handle }, "names have");
		refused(&(struct shoal_command){ ROW, .names = &local }, "names have");
	}
	refused(&(struct shoal_command){ .description = "d", .handle = handle }, "no name");
	refused(&(struct shoal_command){ .name = "a", .handle = handle }, "description");
	refused(&(struct shoal_command){ .name = "a", .description = LONG_101, .handle = handle }, "description");
	refused(&(struct shoal_command){ ROW, .descriptions = SHOAL_LOCAL(LONG_101, NULL, NULL) }, "description");
	refused(&(struct shoal_command){ .name = "a", .description = "d" }, "either a handler");
}

static void options_keep_discords_rules(void **state)
{
	static const struct shoal_choice same[] = { { .name = "a", .text = "x" }, { .name = "b", .text = "x" } };
	static const struct shoal_choice long_one[] = { { .name = LONG_101 } };
	static const struct {
		struct shoal_command_option option;
		const char *words;
	} bad[] = {
		{ { .name = "O", .description = "d", .type = SHOAL_OPTION_STRING }, "names have" },
		{ { .name = "o", .type = SHOAL_OPTION_STRING }, "description" },
		{ { OPTION }, "no type" },
		{ { OPTION, .type = SHOAL_OPTION_SUB_COMMAND }, "no type" },
		{ { OPTION, .type = (enum shoal_option_type)12 }, "no type" },
		{ { OPTION, .type = SHOAL_OPTION_STRING, .choices = same, .choice_count = 2 }, "the same" },
		{ { OPTION, .type = SHOAL_OPTION_STRING, .choices = same, .choice_count = 26 }, "at most 25" },
		{ { OPTION, .type = SHOAL_OPTION_STRING, .choices = long_one, .choice_count = 1 }, "1 to 100" },
		{ { OPTION, .type = SHOAL_OPTION_USER, .choices = same, .choice_count = 1 },
		  "choices and suggestions" },
		{ { OPTION, .type = SHOAL_OPTION_USER, .suggest = handle }, "choices and suggestions" },
		{ { OPTION, .type = SHOAL_OPTION_STRING, .choices = same, .choice_count = 1, .suggest = handle },
		  "either choices" },
		{ { OPTION, .type = SHOAL_OPTION_ROLE, .channel_types = 1 }, "channel_types" },
		{ { OPTION, .type = SHOAL_OPTION_BOOLEAN, .max = 1 }, "min and max" },
		{ { OPTION, .type = SHOAL_OPTION_STRING, .min = 5, .max = 4 }, "range" },
		{ { OPTION, .type = SHOAL_OPTION_STRING, .min = 1, .max = 6001 }, "range" },
		{ { OPTION, .type = SHOAL_OPTION_STRING, .min = -1, .max = 4 }, "range" },
		{ { OPTION, .type = SHOAL_OPTION_INTEGER, .min = INT64_MIN, .max = 1 }, "range" },
		{ { OPTION, .type = SHOAL_OPTION_NUMBER, .least = 2, .most = 1 }, "range" },
	};
	static const struct shoal_command_option late[] = {
		{ OPTION, .type = SHOAL_OPTION_STRING },
		{ .name = "p", .description = "d", .type = SHOAL_OPTION_STRING, .required = true }
	};
	static const struct shoal_command_option twice[] = { { OPTION, .type = SHOAL_OPTION_STRING },
							     { OPTION, .type = SHOAL_OPTION_USER } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refused(&(struct shoal_command){ ROW, .options = &bad[i].option, .option_count = 1 }, bad[i].words);
	refused(&(struct shoal_command){ ROW, .options = late, .option_count = 2 }, "stand before");
	refused(&(struct shoal_command){ ROW, .options = twice, .option_count = 2 }, "two options o");
	refused(&(struct shoal_command){ ROW, .options = twice, .option_count = 26 }, "at most 25 options");
	for (int type = SHOAL_OPTION_STRING; type <= SHOAL_OPTION_ATTACHMENT; type++) {
		struct shoal_command_option option = { OPTION, .type = (enum shoal_option_type)type };
		struct shoal_command row = with(&option);

		taken(&row);
	}
}

static void trees_and_menus(void **state)
{
	static const struct shoal_command deepest[] = { { ROW } };
	static const struct shoal_command level3[] = {
		{ .name = "a", .description = "d", .children = deepest, .child_count = 1 }
	};
	static const struct shoal_command level2[] = {
		{ .name = "a", .description = "d", .children = level3, .child_count = 1 }
	};
	static const struct shoal_command twins[] = { { ROW }, { ROW } };
	static const struct shoal_command_option option = { OPTION, .type = SHOAL_OPTION_STRING };

	(void)state;
	taken(&level2[0]); /* a command, a group, a subcommand */
	refused(&(struct shoal_command){ .name = "a", .description = "d", .children = level2, .child_count = 1 },
		"two levels");
	refused(&(struct shoal_command){ .name = "a", .description = "d", .children = twins, .child_count = 2 },
		"two subcommands row");
	refused(&(struct shoal_command){ .name = "a",
					 .description = "d",
					 .children = deepest,
					 .child_count = 1,
					 .options = &option,
					 .option_count = 1 },
		"belong to its subcommands");
	taken(&(struct shoal_command){
		.name = "Who Is It", .description = "d", .kind = SHOAL_COMMAND_USER, .handle = handle });
	refused(
		&(struct shoal_command){
			.name = " x", .description = "d", .kind = SHOAL_COMMAND_USER, .handle = handle },
		"names have");
	refused(&(struct shoal_command){ ROW, .kind = SHOAL_COMMAND_MESSAGE, .options = &option, .option_count = 1 },
		"context menu");
	refused(&(struct shoal_command){ ROW, .kind = (enum shoal_command_kind)7 }, "no kind");
	refused(&(struct shoal_command){ ROW, .contexts = 8 }, "nobody knows");
	refused(&(struct shoal_command){ ROW, .contexts = SHOAL_IN_OTHER_DMS }, "users install");
	refused(&(struct shoal_command){ ROW, .contexts = SHOAL_IN_BOT_DMS, .flags = SHOAL_COMMAND_GUILD_ONLY },
		"not for servers");
}

/* 25 options of 25 choices of 100 characters are more than 8000; the longest language counts. */
static void eight_thousand_characters(void **state)
{
	static char names[25][101], option_names[25][4];
	static struct shoal_choice choices[25];
	static struct shoal_command_option options[25];
	struct shoal_command row = { ROW, .options = options };
	size_t before;

	(void)state;
	for (size_t i = 0; i < 25; i++) {
		memset(names[i], 'x', 100);
		names[i][0] = (char)('a' + i);
		choices[i] = (struct shoal_choice){ .name = names[i] };
		snprintf(option_names[i], sizeof(option_names[i]), "o%zu", i);
		options[i] = (struct shoal_command_option){ .name = option_names[i],
							    .description = "d",
							    .type = SHOAL_OPTION_STRING,
							    .choices = choices,
							    .choice_count = 25 };
	}
	row.option_count = 1;
	taken(&row);
	before = registration_size(&row);
	assert_int_equal(before, 4 + 2 + 1 + 25 * 200);
	options[0].descriptions = SHOAL_LOCAL("einiges", NULL, NULL);
	assert_int_equal(registration_size(&row), before + strlen("einiges") - 1);
	row.option_count = 2;
	refused(&row, "Discord takes 8000");
}

/* --- seals --- */

static struct shoal_str str(const char *text)
{
	return (struct shoal_str){ text, (uint32_t)strlen(text) };
}

static void seals_hold_where_they_were_made(void **state)
{
	static const struct shoal_component_row sealed = { .prefix = "m.a", .flags = SHOAL_COMPONENT_SEALED };
	static const struct shoal_component_row own = { .prefix = "m.b", .flags = SHOAL_COMPONENT_OWN };
	static const struct shoal_component_row plain = { .prefix = "m" };
	char id[SHOAL_CUSTOM_ID_MAX + 1], again[SHOAL_CUSTOM_ID_MAX + 1], rest[120];

	(void)state;
	seal_set_token("one token");
	assert_int_equal(seal_print(&plain, 1, 2, "x", id), 0);
	assert_string_equal(id, "m:x");
	assert_true(seal_holds(&plain, str("m:anything"), 3, 4));
	assert_int_equal(seal_print(&sealed, 1, 2, NULL, id), 0);
	assert_int_equal(strlen(id), strlen("m.a~") + 11);
	assert_true(seal_holds(&sealed, str(id), 1, 9));
	assert_int_equal(seal_print(&sealed, 1, 2, "a:b", id), 0);
	assert_true(seal_holds(&sealed, str(id), 1, 9)); /* anybody of that server */
	assert_false(seal_holds(&sealed, str(id), 7, 2));
	for (size_t i = strlen("m.a~"); id[i]; i++) { /* not one character may be another */
		char kept = id[i];

		id[i] = kept == 'A' ? 'B' : 'A';
		assert_false(seal_holds(&sealed, str(id), 1, 9));
		id[i] = kept;
	}
	for (size_t len = 0; len < strlen(id); len++)
		assert_false(seal_holds(&sealed, (struct shoal_str){ id, (uint32_t)len }, 1, 9));
	assert_int_equal(seal_print(&own, 1, 2, "a", id), 0);
	assert_true(seal_holds(&own, str(id), 1, 2));
	assert_false(seal_holds(&own, str(id), 1, 3));
	seal_set_token("another token");
	assert_false(seal_holds(&own, str(id), 1, 2));
	seal_set_token("one token"); /* a worker after a restart */
	assert_int_equal(seal_print(&own, 1, 2, "a", again), 0);
	assert_string_equal(id, again);
	memset(rest, 'r', sizeof(rest) - 1);
	rest[sizeof(rest) - 1] = '\0';
	assert_int_equal(seal_print(&own, 1, 2, rest, id), -E2BIG);
}

/* --- layouts --- */

static void layouts_that_discord_refuses(void **state)
{
	static const struct shoal_media_content web[] = { { .url = "https://x/a.png" }, { .url = "ftp://x" } };
	static const struct shoal_media_content own = { .url = "attachment://a.txt" };
	static const struct shoal_button button = { .label = "b", .custom_id = "x" };
	static const char *const texts[] = { "1", "2", "3", "4" };
	static const struct shoal_block text = { .kind = SHOAL_BLOCK_TEXT, .text = "t" };
	static const struct shoal_block inner = { .kind = SHOAL_BLOCK_CONTAINER, .blocks = &text, .block_count = 1 };
	static const struct {
		struct shoal_block block;
		const char *words;
	} bad[] = {
		{ { .kind = (enum shoal_block_kind)99 }, "no block of kind" },
		{ { .kind = SHOAL_BLOCK_TEXT }, "0 characters" },
		{ { .kind = SHOAL_BLOCK_TEXT, .text = "\xff" }, "characters" },
		{ { .kind = SHOAL_BLOCK_SECTION, .texts = texts, .text_count = 4, .button = &button }, "4 texts" },
		{ { .kind = SHOAL_BLOCK_SECTION, .texts = texts, .text_count = 1 }, "one button or one picture" },
		{ { .kind = SHOAL_BLOCK_SECTION,
		    .texts = texts,
		    .text_count = 1,
		    .button = &button,
		    .media = web,
		    .media_count = 1 },
		  "one button or one picture" },
		{ { .kind = SHOAL_BLOCK_GALLERY }, "0 pictures" },
		{ { .kind = SHOAL_BLOCK_GALLERY, .media = web, .media_count = 2 }, "url" },
		{ { .kind = SHOAL_BLOCK_FILE, .media = web, .media_count = 1 }, "attachment://" },
		{ { .kind = SHOAL_BLOCK_ROW }, "without a row" },
		{ { .kind = SHOAL_BLOCK_CONTAINER }, "empty" },
		{ { .kind = SHOAL_BLOCK_CONTAINER, .blocks = &inner, .block_count = 1 }, "in a container" },
		{ { .kind = SHOAL_BLOCK_CONTAINER, .blocks = &text, .block_count = 1, .color = 0x1000000 },
		  "0xRRGGBB" },
	};
	static const struct shoal_block good[] = {
		{ .kind = SHOAL_BLOCK_CONTAINER, .blocks = &text, .block_count = 1, .spoiler = true },
		{ .kind = SHOAL_BLOCK_SECTION, .texts = texts, .text_count = 3, .button = &button },
		{ .kind = SHOAL_BLOCK_FILE, .media = &own, .media_count = 1, .spoiler = true },
		{ .kind = SHOAL_BLOCK_SEPARATOR, .no_line = true },
	};
	char error[PAYLOAD_ERROR_SIZE];
	json_t *json = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(layout_make(&bad[i].block, 1, error, &json), -EINVAL);
		if (!strstr(error, bad[i].words))
			fail_msg("\"%s\" says nothing of \"%s\"", error, bad[i].words);
		assert_null(json);
	}
	assert_int_equal(layout_make(good, ARRAY_SIZE(good), error, &json), 0);
	assert_int_equal(json_array_size(json), ARRAY_SIZE(good));
	assert_true(json_is_true(json_object_get(json_array_get(json, 2), "spoiler")));
	assert_true(json_is_false(json_object_get(json_array_get(json, 3), "divider")));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_texts),
		cmocka_unit_test(options_keep_discords_rules),
		cmocka_unit_test(trees_and_menus),
		cmocka_unit_test(eight_thousand_characters),
		cmocka_unit_test(seals_hold_where_they_were_made),
		cmocka_unit_test(layouts_that_discord_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
