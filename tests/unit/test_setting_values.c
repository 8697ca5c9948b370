/* Values and schemas of settings: every type read from text and JSON and written back, bounds, migrations, schemas that
 * are refused. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/settings/schema_core.h"

static const struct shoal_phrase has_x =
	SHOAL_PHRASE("It can't hold {number} x.", "{number} x geht nicht.", NULL, NULL);

static const struct shoal_phrase *no_x(const struct shoal_setting_value *value, int64_t *ret_number)
{
	*ret_number = 1;
	return strchr(value->text, 'x') ? &has_x : NULL;
}

#define ROW(name_, type_, ...)                                                                                 \
	{                                                                                                      \
		.name = (name_), .type = (type_), .layers = SHOAL_LAYER_GUILD, .description = "-", __VA_ARGS__ \
	}

enum { ON, COUNT, RATE, WORDS, COLOUR, WAIT, CHANNEL, ROLE, MEMBER, CHANNELS, ROLES, MEMBERS };
static const struct shoal_setting rows[] = {
	[ON] = ROW("on", SHOAL_SETTING_BOOL),
	[COUNT] = ROW("count", SHOAL_SETTING_INTEGER, .min = -5, .max = 10),
	[RATE] = ROW("rate", SHOAL_SETTING_NUMBER, .number_min = 0.5, .number_max = 2, .fallback = "1"),
	[WORDS] = ROW("words", SHOAL_SETTING_TEXT, .min = 2, .max = 4, .fallback = "ab", .check = no_x),
	[COLOUR] = ROW("colour", SHOAL_SETTING_ENUM, .choices = "red|green|blue"),
	[WAIT] = ROW("wait", SHOAL_SETTING_DURATION, .min = 1, .max = 30 * 86400, .fallback = "10m"),
	[CHANNEL] = ROW("channel", SHOAL_SETTING_CHANNEL),
	[ROLE] = ROW("role", SHOAL_SETTING_ROLE),
	[MEMBER] = ROW("member", SHOAL_SETTING_USER),
	[CHANNELS] = ROW("channels", SHOAL_SETTING_CHANNELS, .min = 0, .max = 2),
	[ROLES] = ROW("roles", SHOAL_SETTING_ROLES),
	[MEMBERS] = ROW("members", SHOAL_SETTING_USERS),
};
static const struct shoal_settings_schema schema = { "test", 1, rows, ARRAY_SIZE(rows), NULL };

/* @json NULL: refused. */
static const struct {
	int row;
	const char *text, *json, *shown;
} texts[] = {
	{ ON, "On", "true", "yes" },
	{ ON, "no", "false", "no" },
	{ ON, "Ja", "true", "yes" }, /* in each of our languages */
	{ ON, "s\xc3\xad", "true", "yes" },
	{ ON, "s\xc3\xac", "true", "yes" },
	{ ON, "nein", "false", "no" },
	{ ON, "perhaps", NULL, NULL },
	{ ON, "", NULL, NULL },
	{ COUNT, "-5", "-5", "-5" },
	{ COUNT, "+7", "7", "7" },
	{ COUNT, "11", NULL, NULL },
	{ COUNT, "1.5", NULL, NULL },
	{ COUNT, " 1", NULL, NULL },
	{ COUNT, "99999999999999999999", NULL, NULL },
	{ RATE, "0.5", "0.5", "0.5" },
	{ RATE, "2e0", "2.0", "2" },
	{ RATE, "2.01", NULL, NULL },
	{ RATE, "nan", NULL, NULL },
	{ RATE, "0x1", NULL, NULL },
	{ RATE, "1e999", NULL, NULL },
	{ WORDS, "a\xc3\xa9", "\"a\xc3\xa9\"", "a\xc3\xa9" },
	{ WORDS, "a", NULL, NULL },
	{ WORDS, "abcde", NULL, NULL },
	{ WORDS, "a\x80", NULL, NULL },
	{ WORDS, "a\x1b", NULL, NULL },
	{ WORDS, "axb", NULL, NULL },
	{ COLOUR, "GREEN", "\"green\"", "green" },
	{ COLOUR, "gre", NULL, NULL },
	{ COLOUR, "red|green", NULL, NULL },
	{ WAIT, "1h30m", "5400", "1h 30m" },
	{ WAIT, "90", "90", "1m 30s" },
	{ WAIT, "2 d 3h", "183600", "2d 3h" },
	{ WAIT, "1w", "604800", "1w" },
	{ WAIT, "10d", "864000", "10d" },
	{ WAIT, "0s", NULL, NULL },
	{ WAIT, "31d", NULL, NULL },
	{ WAIT, "5x", NULL, NULL },
	{ WAIT, "m", NULL, NULL },
	{ WAIT, "99999999999w", NULL, NULL },
	{ WAIT, "1h 30", NULL, NULL },
	{ CHANNEL, "<#42>", "\"42\"", "<#42>" },
	{ CHANNEL, "none", "null", "none" },
	{ CHANNEL, "nichts", "null", "none" },
	{ CHANNEL, "Ninguno", "null", "none" },
	{ ROLES, "nessuno", "[]", "none" },
	{ CHANNEL, "<#42", NULL, NULL },
	{ CHANNEL, "<#1> <#2>", NULL, NULL },
	{ CHANNEL, "0", NULL, NULL },
	{ CHANNEL, "18446744073709551615", NULL, NULL },
	{ ROLE, "<@&43>", "\"43\"", "<@&43>" },
	{ MEMBER, "<@!44>", "\"44\"", "<@44>" },
	{ CHANNELS, "<#1>, <#2>", "[\"1\",\"2\"]", "<#1>, <#2>" },
	{ CHANNELS, "<#1><#2>", "[\"1\",\"2\"]", "<#1>, <#2>" },
	{ CHANNELS, "1 2 3", NULL, NULL },
	{ CHANNELS, "1 1", NULL, NULL },
	{ ROLES, "none", "[]", "none" },
	{ MEMBERS, "<@9>", "[\"9\"]", "<@9>" },
};

static void said_in_each_language(void **state)
{
	static const struct shoal_setting_value yes = { .type = SHOAL_SETTING_BOOL, .boolean = true },
						nobody = { .type = SHOAL_SETTING_USERS },
						wait = { .type = SHOAL_SETTING_DURATION, .integer = 90 };
	static const char *const words[SHOAL_LANGUAGE_COUNT][2] = {
		[SHOAL_ENGLISH] = { "yes", "none" },
		[SHOAL_GERMAN] = { "ja", "nichts" },
		[SHOAL_SPANISH] = { "s\xc3\xad", "ninguno" },
		[SHOAL_ITALIAN] = { "s\xc3\xac", "nessuno" },
	};
	char text[64], number[VALUE_NUMBER_SIZE];

	(void)state;
	for (int i = 0; i < SHOAL_LANGUAGE_COUNT; i++) {
		value_say(&yes, (enum shoal_language)i, text, sizeof(text));
		assert_string_equal(text, words[i][0]);
		value_say(&nobody, (enum shoal_language)i, text, sizeof(text));
		assert_string_equal(text, words[i][1]);
		value_say(&wait, (enum shoal_language)i, text, sizeof(text));
		assert_string_equal(text, "1m 30s"); /* as it may be typed, by anybody */
	}
	assert_ptr_equal(value_objection(&rows[WORDS],
					 &(struct shoal_setting_value){ .type = SHOAL_SETTING_TEXT, .text = "axb" },
					 number),
			 &has_x);
	assert_string_equal(number, "1");
	assert_null(value_objection(&rows[WORDS],
				    &(struct shoal_setting_value){ .type = SHOAL_SETTING_TEXT, .text = "ab" }, number));
}

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const struct shoal_setting *row = &rows[texts[i].row];
		struct value value = { 0 }, again = { 0 };
		char error[VALUE_ERROR_SIZE], shown[128], *json;
		int r = value_from_text(row, texts[i].text, &value, error);
		json_t *parsed;

		if (!texts[i].json) {
			if (r != -EINVAL || !error[0])
				fail_msg("%zu: %s was taken: %d %s", i, texts[i].text, r, error);
			continue;
		}
		if (r < 0)
			fail_msg("%zu: %s: %s", i, texts[i].text, error);
		parsed = value_to_json(&value.is);
		json = json_dumps(parsed, JSON_ENCODE_ANY | JSON_COMPACT);
		assert_string_equal(json, texts[i].json);
		assert_int_equal(value_from_json(row, parsed, &again, error), 0);
		value_print(&again.is, true, shown, sizeof(shown));
		assert_string_equal(shown, texts[i].shown);
		free(json);
		json_decref(parsed);
		value_clear(&value);
		value_clear(&again);
	}
}

static void test_hostile_json(void **state)
{
	static const char *const all[] = { "null",
					   "true",
					   "1",
					   "1.5",
					   "\"\"",
					   "\"abc\"",
					   "[]",
					   "{}",
					   "[1]",
					   "[\"1\",2]",
					   "\"18446744073709551615\"",
					   "\"-1\"",
					   "\"<#1>\"",
					   "[[\"1\"]]",
					   "99999999999" };
	char error[VALUE_ERROR_SIZE];

	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
		for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
			json_t *json = json_loads(all[i], JSON_DECODE_ANY, NULL);
			struct value value = { 0 };

			/* Taken or refused with words; what is taken holds against its row. */
			if (value_from_json(&rows[r], json, &value, error) == 0)
				assert_int_equal(value_check(&rows[r], &value.is, error), 0);
			else
				assert_true(error[0]);
			value_clear(&value);
			json_decref(json);
		}
	}
}

/* --- schemas ------------------------------------------------------------------------------------------------------ */

static int add_one(const struct shoal_setting *row, char error[VALUE_ERROR_SIZE])
{
	const struct shoal_settings_schema one = { "one", 1, row, 1, NULL };
	struct schemas *schemas;
	int r;

	assert_int_equal(schemas_new(&schemas), 0);
	r = schemas_add(schemas, &one, error);
	assert_null(r < 0 ? schemas_at(schemas, 0) : NULL);
	schemas_free(schemas);
	return r;
}

static void test_bad_schemas(void **state)
{
	static const struct shoal_setting bad[] = {
		ROW("Name", SHOAL_SETTING_BOOL),
		ROW("", SHOAL_SETTING_BOOL),
		ROW("a.b", SHOAL_SETTING_BOOL),
		ROW("type", SHOAL_SETTING_TYPE_COUNT),
		{ .name = "layers", .type = SHOAL_SETTING_BOOL, .description = "-" },
		{ .name = "layers", .type = SHOAL_SETTING_BOOL, .description = "-", .layers = 64 },
		{ .name = "words", .type = SHOAL_SETTING_BOOL, .layers = SHOAL_LAYER_GUILD },
		ROW("secret", SHOAL_SETTING_INTEGER, .flags = SHOAL_SETTING_SENSITIVE),
		ROW("bounds", SHOAL_SETTING_INTEGER, .min = 2, .max = 1),
		ROW("fallback", SHOAL_SETTING_INTEGER, .min = 2, .max = 3, .fallback = "1"),
		ROW("choice", SHOAL_SETTING_ENUM),
		ROW("choice", SHOAL_SETTING_ENUM, .choices = "a|b", .fallback = "c"),
		ROW("former", SHOAL_SETTING_BOOL, .formerly = "X"),
	};
	char error[VALUE_ERROR_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (add_one(&bad[i], error) != -EINVAL || !error[0])
			fail_msg("%zu was taken", i);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (add_one(&rows[i], error) != 0)
			fail_msg("%zu: %s", i, error);
}

static void test_registry(void **state)
{
	const struct shoal_settings_schema twice = { "twice", 1, (struct shoal_setting[]){ rows[ON], rows[ON] }, 2,
						     NULL };
	const struct schema_row *row;
	struct schemas *schemas;
	char error[VALUE_ERROR_SIZE];

	(void)state;
	assert_int_equal(schemas_new(&schemas), 0);
	assert_int_equal(schema_core_add(schemas), 0);
	assert_int_equal(schemas_add(schemas, &schema, error), 0);
	assert_int_equal(schemas_add(schemas, &schema, error), -EEXIST);
	assert_int_equal(schemas_add(schemas, &twice, error), -EINVAL);
	assert_null(schemas_find(schemas, "twice.on")); /* all of it or nothing */
	row = schemas_find(schemas, "test.colour");
	assert_string_equal(row->fallback.is.text, "red");
	assert_int_equal(schemas_set_default(schemas, "test.count", "11", error), -EINVAL);
	assert_int_equal(schemas_set_default(schemas, "test.none", "1", error), -ENOENT);
	/* What a member may not choose, the operator may. */
	assert_int_equal(schemas_set_default(schemas, SETTING_PREFIX, "`", error), 0);
	assert_string_equal(schemas_find(schemas, SETTING_PREFIX)->fallback.is.text, "`");
	schemas_free(schemas);
}

/* Version 1 kept minutes as "delay"; 2 seconds as a number; 3 calls "urgent" what was "high". */
static int migrate(uint32_t from, const char *name, const char *json, char *out, size_t size)
{
	if (from == 1 && strcmp(name, "wait") == 0) {
		snprintf(out, size, "%ld", 60 * strtol(json, NULL, 10));
		return 1;
	}
	if (from == 2 && strcmp(name, "level") == 0 && strcmp(json, "\"high\"") == 0) {
		snprintf(out, size, "\"urgent\"");
		return 1;
	}
	if (from == 2 && strcmp(name, "level") == 0 && strcmp(json, "\"odd\"") == 0)
		return -EINVAL;
	return 0;
}

static void test_migrations(void **state)
{
	static const struct shoal_setting today[] = {
		ROW("wait", SHOAL_SETTING_DURATION, .formerly = "delay"),
		ROW("level", SHOAL_SETTING_ENUM, .choices = "low|urgent"),
	};
	static const struct shoal_settings_schema third = { "mover", 3, today, ARRAY_SIZE(today), migrate };
	static const struct {
		const char *name;
		uint32_t version;
		const char *json, *shown; /* NULL: no longer fits */
	} stored[] = {
		{ "mover.wait", 1, "5", "5m" },
		{ "mover.wait", 2, "5", "5s" },
		{ "mover.level", 1, "\"high\"", "urgent" },
		{ "mover.level", 2, "\"high\"", "urgent" },
		{ "mover.level", 3, "\"high\"", NULL },
		{ "mover.level", 2, "\"odd\"", NULL },
		{ "mover.level", 4, "\"low\"", "low" }, /* a newer program's that still fits */
		{ "mover.level", 3, "no json", NULL },
	};
	struct schemas *schemas;
	char error[VALUE_ERROR_SIZE], shown[64];

	(void)state;
	assert_int_equal(schemas_new(&schemas), 0);
	assert_int_equal(schemas_add(schemas, &third, error), 0);
	assert_string_equal(schemas_find(schemas, "mover.wait")->former, "mover.delay");
	for (size_t i = 0; i < ARRAY_SIZE(stored); i++) {
		struct value value = { 0 };
		int r = schema_read(schemas_find(schemas, stored[i].name), stored[i].version, stored[i].json, &value,
				    error);

		if (!stored[i].shown) {
			assert_int_equal(r, -EINVAL);
			assert_true(error[0]);
			continue;
		}
		assert_int_equal(r, 0);
		value_print(&value.is, false, shown, sizeof(shown));
		assert_string_equal(shown, stored[i].shown);
		value_clear(&value);
	}
	schemas_free(schemas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),        cmocka_unit_test(said_in_each_language),
		cmocka_unit_test(test_hostile_json), cmocka_unit_test(test_bad_schemas),
		cmocka_unit_test(test_registry),     cmocka_unit_test(test_migrations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
