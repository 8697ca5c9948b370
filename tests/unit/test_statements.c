/* The tables of statements, types and SQLSTATEs: complete, unambiguous, and values nowhere but in parameters. */
#include "shared/db/statements.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/errors.h"
#include "shared/db/conninfo.h"
#include "shared/db/db.h"
#include "shared/db/db_error.h"
#include "shared/db/guild_settings.h"
#include "shared/db/statement_sets.h"

/* The highest $N in @sql. */
static size_t highest_parameter(const char *sql)
{
	size_t highest = 0;

	for (const char *at = sql; (at = strchr(at, '$'));) {
		size_t number = strtoul(++at, NULL, 10);

		assert_true(number > 0);
		highest = number > highest ? number : highest;
	}
	return highest;
}

static void check_row(const struct statement *row)
{
	bool changes = strstr(row->sql, "INSERT") || strstr(row->sql, "UPDATE") || strstr(row->sql, "DELETE");

	assert_int_equal(highest_parameter(row->sql), statement_param_count(row));
	assert_null(strchr(row->sql, '\'')); /* no value stands in the text */
	assert_null(strchr(row->sql, ';'));  /* one statement a row */
	if (changes)
		assert_false(row->flags & STATEMENT_READ_ONLY);
	for (size_t p = 0; p < statement_param_count(row); p++)
		assert_true(db_type_oid(row->params[p]) > 0);
	for (size_t c = 0; c < statement_column_count(row); c++)
		assert_true(db_type_oid(row->columns[c]) > 0);
}

static void test_rows(void **state)
{
	char error[256];

	(void)state;
	for (size_t i = 0; i < statement_set_count; i++) {
		const struct statement_set *set = statement_sets[i];

		assert_int_equal(statement_set_check(set, error, sizeof(error)), 0);
		for (size_t row = 0; row < set->count; row++)
			check_row(&set->rows[row]);
		for (size_t other = 0; other < i; other++)
			assert_string_not_equal(set->owner, statement_sets[other]->owner);
	}
}

static void test_bad_sets(void **state)
{
	static const struct {
		const char *owner;
		struct statement row;
		const char *words; /* NULL: good */
	} cases[] = {
		{ "x", { .name = "a", .sql = "SELECT 1" }, NULL },
		{ "x", { .name = "a", .sql = "SELECT 1", .timeout_ms = 600000, .crosses = "retention" }, NULL },
		{ "X", { .name = "a", .sql = "SELECT 1" }, "owner" },
		{ "", { .name = "a", .sql = "SELECT 1" }, "owner" },
		{ NULL, { .name = "a", .sql = "SELECT 1" }, "owner" },
		{ "aaaaaaaaaaaaaaaaaaaaa", { .name = "a", .sql = "SELECT 1" }, "owner" },
		{ "x", { .name = NULL, .sql = "SELECT 1" }, "name" },
		{ "x", { .name = "1a", .sql = "SELECT 1" }, "name" },
		{ "x", { .name = "a-b", .sql = "SELECT 1" }, "name" },
		{ "x", { .name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", .sql = "SELECT 1" }, "name" },
		{ "x", { .name = "b", .sql = "SELECT 1" }, "taken" },
		{ "x", { .name = "a", .sql = "" }, "no SQL" },
		{ "x", { .name = "a", .sql = "SELECT 1", .flags = 1u << 30 }, "flag" },
		{ "x", { .name = "a", .sql = "SELECT 1", .timeout_ms = 600001 }, "time-out" },
		{ "x", { .name = "a", .sql = "SELECT 1", .crosses = "" }, "reason" },
		{ "x", { .name = "a", .sql = "SELECT 1", .params = { DB_TYPE_COUNT } }, "parameter" },
		{ "x", { .name = "a", .sql = "SELECT 1", .columns = { DB_TYPE_INT8_ARRAY } }, "column" },
	};
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct statement rows[] = { { .name = "b", .sql = "SELECT 1" }, cases[i].row };
		const struct statement_set set = { cases[i].owner, rows, 2 };

		error[0] = '\0';
		assert_int_equal(statement_set_check(&set, error, sizeof(error)), cases[i].words ? -EINVAL : 0);
		if (cases[i].words)
			assert_non_null(strstr(error, cases[i].words));
	}
}

static void test_types(void **state)
{
	(void)state;
	for (int type = DB_TYPE_NONE + 1; type < DB_TYPE_COUNT; type++) {
		assert_true(db_type_oid((enum db_type)type) > 0);
		assert_string_not_equal(db_type_name((enum db_type)type), "unknown");
	}
	assert_int_equal(db_type_oid(DB_TYPE_NONE), 0);
	assert_int_equal(db_type_oid(DB_TYPE_COUNT), 0);
	assert_string_equal(db_type_name(DB_TYPE_COUNT), "unknown");
}

static void test_sqlstates(void **state)
{
	static const struct {
		const char *sqlstate;
		int error;
	} rows[] = {
		{ "23505", -EEXIST },         { "23502", -EBADMSG },        { "22P02", -EBADMSG },
		{ "42501", -EACCES },         { "42P01", -ENODATA },        { "40001", -EAGAIN },
		{ "40P01", -EAGAIN },         { "53300", -EDQUOT },         { "57014", -ETIMEDOUT },
		{ "57P01", -SHOAL_EUNKNOWN }, { "25006", -SHOAL_EOFFLINE }, { "42601", -EREMOTEIO },
		{ "22003", -ERANGE },         { "2203", -EBADMSG },         { "", -EREMOTEIO },
		{ NULL, -EREMOTEIO },         { "P0001", -EREMOTEIO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(db_error_of_sqlstate(rows[i].sqlstate), rows[i].error);
	assert_true(db_error_never_began("26000"));
	assert_false(db_error_never_began("23505"));
	assert_false(db_error_never_began(""));
	assert_false(db_error_may_be_logged("22P02"));
	assert_true(db_error_may_be_logged("23505"));
}

static void test_refusals(void **state)
{
	struct db_refusal refusal;

	(void)state;
	refusal = db_error_of_connect("connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  "
				      "password authentication failed for user \"shoal\"\n");
	assert_int_equal(refusal.error, -EACCES);
	assert_true(refusal.for_good);
	assert_true(strlen(refusal.hint) > 0);
	refusal = db_error_of_connect("connection to server at … failed: FATAL:  database \"x\" does not exist");
	assert_int_equal(refusal.error, -ENOENT);
	refusal =
		db_error_of_connect("connection to server at … failed: Connection refused\n\tIs the server running …?");
	assert_int_equal(refusal.error, -SHOAL_EOFFLINE);
	assert_false(refusal.for_good);
	refusal = db_error_of_connect("FATAL:  the database system is starting up");
	assert_false(refusal.for_good);
	refusal = db_error_of_connect("");
	assert_int_equal(refusal.error, -SHOAL_EOFFLINE);
}

static void test_conninfo(void **state)
{
	static const struct {
		const char *text, *places;
		unsigned int rounds;
	} good[] = {
		{ "postgresql://u:geheim@db1:5433,db2/x?target_session_attrs=read-write", "db1:5433,db2", 1 },
		{ "host=/run/postgresql port=5433", "/run/postgresql:5433", 1 },
		{ "host=a,b,c port=1,2,3 target_session_attrs=prefer-standby", "a:1,b:2,c:3", 2 },
		{ "host=a target_session_attrs=standby", "a", 1 },
		{ "hostaddr=10.0.0.1", "10.0.0.1", 1 },
	};
	static const char *const bad[] = {
		"nonsense geheim",
		"postgresql://u:geheim@h:1/x?notakey=1",
		"host=a,b port=1,2,3 password=geheim",
		"host=a,b hostaddr=1.2.3.4 password=geheim",
		"host=a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a password=geheim",
		"host=a password=geheim target_session_attrs=leader",
	};
	char error[CONNINFO_TEXT_SIZE];
	struct conninfo *conninfo;

	(void)state;
	unsetenv("PGHOST");
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(conninfo_parse(good[i].text, &conninfo, error), 0);
		assert_string_equal(conninfo_places(conninfo), good[i].places);
		assert_int_equal(conninfo_rounds(conninfo), good[i].rounds);
		conninfo = conninfo_free(conninfo);
		assert_null(conninfo);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(conninfo_parse(bad[i], &conninfo, error), -EINVAL);
		assert_true(strlen(error) > 0);
		assert_null(strstr(error, "geheim"));
	}
}

/* Every value of target_session_attrs against every server there is, in both rounds. */
static void test_roles(void **state)
{
	static const struct {
		const char *attrs;
		bool primary, read_only_primary, standby; /* taken in the first round */
	} rows[] = {
		{ "any", true, true, true },        { "read-write", true, false, false },
		{ "read-only", false, true, true }, { "primary", true, true, false },
		{ "standby", false, false, true },  { "prefer-standby", false, false, true },
	};
	char text[128], error[CONNINFO_TEXT_SIZE];
	struct conninfo *conninfo;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "host=a target_session_attrs=%s", rows[i].attrs);
		assert_int_equal(conninfo_parse(text, &conninfo, error), 0);
		assert_int_equal(conninfo_wants_role(conninfo, 0), i > 0);
		assert_int_equal(!conninfo_refuses(conninfo, 0, false, false), rows[i].primary);
		assert_int_equal(!conninfo_refuses(conninfo, 0, false, true), rows[i].read_only_primary);
		assert_int_equal(!conninfo_refuses(conninfo, 0, true, true), rows[i].standby);
		for (int server = 0; server < 4; server++)
			assert_null(conninfo_refuses(conninfo, 1, server & 1, server & 2));
		conninfo_free(conninfo);
	}
}

static void test_setting_arguments(void **state)
{
	char name[80];

	(void)state;
	/* Refused before the database is asked: so it may be none. */
	assert_int_equal(guild_setting_get(NULL, 0, "prefix", NULL, NULL), -EINVAL);
	assert_int_equal(guild_setting_get(NULL, 1ULL << 63, "prefix", NULL, NULL), -EINVAL);
	assert_int_equal(guild_setting_get(NULL, 1, "", NULL, NULL), -EINVAL);
	assert_int_equal(guild_setting_get(NULL, 1, "Prefix", NULL, NULL), -EINVAL);
	assert_int_equal(guild_setting_get(NULL, 1, "a'b", NULL, NULL), -EINVAL);
	assert_int_equal(guild_setting_get(NULL, 1, NULL, NULL, NULL), -EINVAL);
	memset(name, 'a', sizeof(name));
	name[GUILD_SETTING_NAME_MAX + 1] = '\0';
	assert_int_equal(guild_setting_get(NULL, 1, name, NULL, NULL), -EINVAL);
	name[GUILD_SETTING_NAME_MAX] = '\0';
	assert_int_equal(guild_setting_get(NULL, 1, name, NULL, NULL), -SHOAL_EOFFLINE);
	assert_int_equal(guild_setting_set(NULL, 1, "prefix", "1", GUILD_SETTING_VALUE_MAX + 1, 1, NULL, NULL),
			 -EMSGSIZE);
	assert_int_equal(guild_setting_set(NULL, 1, "prefix", "1", 1, 1ULL << 63, NULL, NULL), -EINVAL);
	assert_int_equal(guild_setting_set(NULL, 1, "prefix", NULL, 0, 1, NULL, NULL), -EINVAL);
	assert_int_equal(guild_setting_delete(NULL, 1, "prefix", 1, NULL, NULL), -SHOAL_EOFFLINE);
	assert_int_equal(guild_settings_list(NULL, 0, NULL, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),     cmocka_unit_test(test_types),
		cmocka_unit_test(test_bad_sets), cmocka_unit_test(test_sqlstates),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_conninfo),
		cmocka_unit_test(test_roles),    cmocka_unit_test(test_setting_arguments),
	};

	return cmocka_run_group_tests_name("statements", tests, NULL, NULL);
}
