/* What a module declares: settings and statements that are taken, and those that are refused with a sentence; what SQL
 * texts may be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shard/modhost/declared.h"
#include "shard/modhost/statement_text.h"
#include "shared/base/cleanup.h"

/* --- SQL texts */

#define GET "SELECT score FROM shoal.game__score WHERE guild_id = $1 AND user_id = $2"

static void texts_that_may_be(void **state)
{
	static const char *const texts[] = {
		GET,
		"insert into shoal.game__score (guild_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
		"WITH x AS (SELECT 1) SELECT 'shoal.guild_setting; -- it''s text', 1e6 FROM shoal.game__s WHERE "
		"guild_id=$1",
		"UPDATE shoal . game__score SET score = score + 1 WHERE guild_id = $1 RETURNING score",
		"SELECT s.score, shoal.name_members($1, 'game', ARRAY[$2]) FROM shoal.game__score AS s WHERE "
		"s.guild_id = $1",
		"DELETE FROM shoal.game__score WHERE guild_id = $1 AND data @> '{\"a\": 1}'::jsonb AND d ->> 'x' = $2",
	};
	char error[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (statement_text_check(texts[i], "game", true, false, error, sizeof(error)) < 0)
			fail_msg("%s: %s", texts[i], error);
	}
}

static void texts_that_may_not(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "SELECT value FROM shoal.guild_setting WHERE guild_id = $1", "shoal.guild_setting" },
		{ "SELECT 1 FROM shoal.games__score WHERE guild_id = $1", "shoal.games__score" },
		{ "SELECT 1 FROM shoal.game_score WHERE guild_id = $1", "shoal.game_score" },
		{ "SELECT 1 FROM shoal . guild_setting WHERE guild_id = $1", "guild_setting" },
		{ "SELECT 1 FROM SHOAL.GUILD_SETTING WHERE guild_id = $1", "guild_setting" },
		{ "SELECT 1 FROM \"shoal\".\"guild_setting\" WHERE guild_id = $1", "quoted" },
		{ "SELECT 1 FROM shoal/**/.guild_setting WHERE guild_id = $1", "comments" },
		{ "SELECT 1 FROM shoal_part.game__score_00 WHERE guild_id = $1", "shoal_part" },
		{ "SELECT 1 FROM pg_catalog.pg_authid WHERE guild_id = $1", "pg_catalog" },
		{ "SELECT pg_sleep(100), guild_id FROM shoal.game__s WHERE guild_id = $1", "pg_sleep" },
		{ "SELECT 1 FROM public.x WHERE guild_id = $1", "public" },
		{ GET "; DROP TABLE shoal.game__score", "more than one" },
		{ "SELECT $$x$$ FROM shoal.game__score WHERE guild_id = $1", "dollar" },
		{ "SELECT E'\\'' FROM shoal.game__score WHERE guild_id = $1", "escapes" },
		{ "SELECT '\\' FROM shoal.game__score WHERE guild_id = $1", "backslash" },
		{ "SELECT 'x FROM shoal.game__score WHERE guild_id = $1", "does not end" },
		{ "SELECT 1 FROM shoal.game__score WHERE user_id = $1", "guild_id and $1" },
		{ "SELECT 1 FROM shoal.game__score WHERE guild_id = $10", "guild_id and $1" },
		{ "TRUNCATE shoal.game__score", "begins with none" },
		{ "COPY shoal.game__score TO PROGRAM 'x'", "begins with none" },
		{ "SELECT 'guild_id $1'", "guild_id and $1" },
		{ "", "guild_id and $1" },
	};
	char error[256] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(statement_text_check(rows[i].text, "game", true, false, error, sizeof(error)),
				 -EINVAL);
		if (!strstr(error, rows[i].words))
			fail_msg("%s: %s", rows[i].text, error);
	}
	assert_int_equal(statement_text_check("DELETE FROM shoal.game__score WHERE guild_id = $1", "game", true, true,
					      error, sizeof(error)),
			 -EINVAL);
	assert_int_equal(
		statement_text_check("SELECT 1 FROM shoal.game__mine", "game", false, true, error, sizeof(error)), 0);
}

/* --- rows */

static const struct shoal_statement good_statements[] = {
	{ .name = "get",
	  .sql = GET,
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8 },
	  .columns = { SHOAL_SQL_INT8 },
	  .flags = SHOAL_SQL_READS },
	{ .name = "put",
	  .sql = "INSERT INTO shoal.game__score (guild_id, user_id, at) VALUES ($1, $2, now())",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8 } },
	{ .name = "put_late",
	  .sql = "INSERT INTO shoal.game__score (guild_id, user_id, at) VALUES ($1, $2, $3)",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_TIME } },
	{ .name = "mine",
	  .sql = "SELECT note FROM shoal.game__note WHERE user_id = $1 AND kind = ANY($2)",
	  .params = { SHOAL_SQL_INT8, SHOAL_SQL_TEXT_LIST },
	  .columns = { SHOAL_SQL_TEXT },
	  .flags = SHOAL_SQL_READS,
	  .not_by_guild = "a member's own notes" },
};

static const struct shoal_setting good_settings[] = {
	{ .name = "points",
	  .type = SHOAL_SETTING_INTEGER,
	  .layers = SHOAL_LAYER_GUILD,
	  .min = 1,
	  .max = 10,
	  .fallback = "5",
	  .description = "points a game" },
};

static void what_is_right_is_taken(void **state)
{
	struct shoal_module module = { SHOAL_SETTINGS(3, good_settings), SHOAL_STATEMENTS(good_statements) };
	char error[DECLARED_ERROR_SIZE];
	struct declared declared;
	size_t at = 0;

	(void)state;
	if (declared_take(&module, "game", &declared, error) < 0)
		fail_msg("%s", error);
	assert_int_equal(declared.schema.version, 3);
	assert_string_equal(declared.schema.owner, "game");
	assert_string_equal(declared.statements.owner, "game");
	assert_int_equal(declared.statements.count, 4);
	assert_int_equal(declared.rows[0].params[0], DB_TYPE_INT8);
	assert_int_equal(declared.rows[0].flags, STATEMENT_READ_ONLY);
	assert_int_equal(declared.rows[1].flags, 0);
	assert_int_equal(declared.rows[3].params[1], DB_TYPE_TEXT_ARRAY);
	assert_string_equal(declared.rows[3].crosses, "a member's own notes");
	assert_ptr_equal(declared_statement(&module, "mine", &at), &good_statements[3]);
	assert_int_equal(at, 3);
	assert_null(declared_statement(&module, "min", &at));
	declared_finish(&declared);
}

static void refused(const struct shoal_module *module, const char *name, const char *words)
{
	struct declared declared;
	char error[DECLARED_ERROR_SIZE] = "";

	assert_true(declared_take(module, name, &declared, error) < 0);
	if (!strstr(error, words))
		fail_msg("\"%s\" says nothing of \"%s\"", error, words);
}

static void statements_that_are_wrong(void **state)
{
	static const struct {
		struct shoal_statement row;
		const char *words;
	} rows[] = {
		{ { .name = "x", .sql = GET, .params = { SHOAL_SQL_INT8, SHOAL_SQL_INT8 } }, "SHOAL_SQL_GUILD" },
		{ { .name = "x", .sql = GET, .params = { SHOAL_SQL_GUILD }, .not_by_guild = "y" }, "SHOAL_SQL_GUILD" },
		{ { .name = "x", .sql = GET, .params = { SHOAL_SQL_GUILD, SHOAL_SQL_GUILD } }, "type" },
		{ { .name = "x", .sql = GET, .params = { SHOAL_SQL_GUILD, 99 } }, "type" },
		{ { .name = "x", .sql = GET, .params = { SHOAL_SQL_GUILD }, .columns = { SHOAL_SQL_INT8_LIST } },
		  "type" },
		{ { .name = "x", .sql = GET, .params = { SHOAL_SQL_GUILD }, .flags = 8 }, "flag" },
		{ { .name = "x", .params = { SHOAL_SQL_GUILD } }, "no SQL" },
		{ { .sql = GET, .params = { SHOAL_SQL_GUILD } }, "name" },
		{ { .name = "X", .sql = GET, .params = { SHOAL_SQL_GUILD } }, "name" },
		{ { .name = "x",
		    .sql = "SELECT 1 FROM shoal.guild_setting WHERE guild_id = $1",
		    .params = { SHOAL_SQL_GUILD } },
		  "shoal.guild_setting" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct shoal_module module = { .statements = &rows[i].row, .statement_count = 1 };

		refused(&module, "game", rows[i].words);
	}
}

static void late_rows_are_like_their_first(void **state)
{
	struct shoal_statement rows[] = { good_statements[1], good_statements[2] };
	struct shoal_module module = { SHOAL_STATEMENTS(rows) };

	(void)state;
	rows[1].params[2] = SHOAL_SQL_INT8;
	refused(&module, "game", "put_late");
	rows[1].params[1] = SHOAL_SQL_TIME;
	rows[1].params[2] = SHOAL_SQL_NONE;
	refused(&module, "game", "put_late");
	rows[1] = rows[0];
	refused(&module, "game", "taken by an earlier row");
}

static void names_of_shoals_own_are_taken(void **state)
{
	struct shoal_module statements = { SHOAL_STATEMENTS(good_statements) },
			    settings = { SHOAL_SETTINGS(1, good_settings) };

	(void)state;
	refused(&statements, "settings", "one of shoal's own");
	refused(&statements, "core", "one of shoal's own");
	refused(&statements, "game__x", "__");
	refused(&statements, "game_", "__");
	refused(&statements, "a_name_that_is_too_long", "game");
	refused(&settings, "commands", "another name");
	refused(&settings, "privacy", "another name");
}

static void settings_that_are_wrong(void **state)
{
	struct shoal_setting row = good_settings[0];
	struct shoal_module module = { .settings = &row, .setting_count = 1 };

	(void)state;
	row.fallback = "11";
	refused(&module, "game", "points");
	row = good_settings[0];
	row.layers = 0;
	refused(&module, "game", "layer");
	row = good_settings[0];
	row.description = NULL;
	refused(&module, "game", "description");
	row = good_settings[0];
	row.name = "Points";
	refused(&module, "game", "a-z");
	module.settings = NULL;
	refused(&module, "game", "no rows");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_that_may_be),
		cmocka_unit_test(texts_that_may_not),
		cmocka_unit_test(what_is_right_is_taken),
		cmocka_unit_test(statements_that_are_wrong),
		cmocka_unit_test(late_rows_are_like_their_first),
		cmocka_unit_test(names_of_shoals_own_are_taken),
		cmocka_unit_test(settings_that_are_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
