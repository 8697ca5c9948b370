/* Every statement of every set, and of every linked module, against the schema that sql/ makes: it prepares, its types
 * are those of its row, and its generic plan touches one partition of any table, unless the row says why not. Looked at
 * twice: in the plan, and in PostgreSQL's own count of what an execution with sample values has touched, which sees
 * into functions too. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shard/modhost/loader.h"
#include "shared/base/cleanup.h"
#include "shared/db/migrate.h"
#include "shared/db/statement_sets.h"
#include "tests/unit/pg_database.h"
#include "tests/unit/unit.h"

#define PARTS_MAX 4096
#define NAME_SIZE 128

static struct pg_database database;

/* Which partitions, by name. */
struct parts {
	char names[PARTS_MAX][NAME_SIZE];
	size_t count;
};

static void parts_add(struct parts *parts, const char *name)
{
	for (size_t i = 0; i < parts->count; i++)
		if (strcmp(parts->names[i], name) == 0)
			return;
	assert_true(parts->count < PARTS_MAX);
	snprintf(parts->names[parts->count++], NAME_SIZE, "%s", name);
}

/* The most partitions of any one table: they are named <table>_NN. */
static size_t parts_of_one_table(const struct parts *parts)
{
	size_t most = 0;

	for (size_t i = 0; i < parts->count; i++) {
		size_t same = 0, len = strlen(parts->names[i]) - 3;

		for (size_t j = 0; j < parts->count; j++)
			same += strlen(parts->names[j]) == len + 3 &&
				strncmp(parts->names[j], parts->names[i], len) == 0;
		most = same > most ? same : most;
	}
	return most;
}

/* A value of each type, as a literal; arrays hold two, which lie in different partitions if they are ids. */
static const char *sample(enum db_type type)
{
	static const char *const samples[DB_TYPE_COUNT] = {
		[DB_TYPE_INT8] = "5",
		[DB_TYPE_BOOL] = "true",
		[DB_TYPE_DOUBLE] = "0.5",
		[DB_TYPE_TEXT] = "'a'",
		[DB_TYPE_JSONB] = "'{}'",
		[DB_TYPE_BYTEA] = "'\\x00'",
		[DB_TYPE_TIMESTAMPTZ] = "'2026-01-01'",
		[DB_TYPE_INT8_ARRAY] = "'{5,6}'",
		[DB_TYPE_BOOL_ARRAY] = "'{t,f}'",
		[DB_TYPE_DOUBLE_ARRAY] = "'{0.5,1}'",
		[DB_TYPE_TEXT_ARRAY] = "'{a,b}'",
		[DB_TYPE_JSONB_ARRAY] = "'{\"{}\",\"{}\"}'",
		[DB_TYPE_BYTEA_ARRAY] = "'{\"\\\\x00\",\"\\\\x01\"}'",
	};

	return samples[type];
}

static void write_execute(const struct statement *row, const char *before, char *sql, size_t size)
{
	size_t count = statement_param_count(row), len;

	len = (size_t)snprintf(sql, size, "%sEXECUTE \"%s\"%s", before, row->name, count ? "(" : "");
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(sql + len, size - len, "%s%s", i ? ", " : "", sample(row->params[i]));
	assert_true(len + 2 < size);
	if (count)
		strcat(sql, ")");
}

/* --- the plan ----------------------------------------------------------------------------------------------------- */

static void walk(const json_t *node, struct parts *parts)
{
	const char *type = json_string_value(json_object_get(node, "Node Type"));
	const char *schema = json_string_value(json_object_get(node, "Schema"));
	const json_t *child;
	size_t i;

	if (type && strstr(type, "Scan") && schema && strcmp(schema, "shoal_part") == 0)
		parts_add(parts, json_string_value(json_object_get(node, "Relation Name")));
	json_array_foreach(json_object_get(node, "Plans"), i, child) walk(child, parts);
}

/* How many partitions of one table the plan scans once its parameters are known. */
static size_t planned(PGconn *connection, const struct statement *row)
{
	static struct parts parts;
	char sql[2048];
	PGresult *result;
	json_t *plan;

	parts.count = 0;
	write_execute(row, "EXPLAIN (VERBOSE, FORMAT JSON) ", sql, sizeof(sql));
	result = PQexec(connection, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", row->name, PQerrorMessage(connection));
	plan = json_loads(PQgetvalue(result, 0, 0), 0, NULL);
	assert_non_null(plan);
	walk(json_object_get(json_array_get(plan, 0), "Plan"), &parts);
	json_decref(plan);
	PQclear(result);
	return parts_of_one_table(&parts);
}

/* --- the deed ----------------------------------------------------------------------------------------------------- */

/* The last refusal of touched(). */
static char refusal[6];

/* How many it touched when executed (and undone); -1 when the sample values did not suit it. */
static int touched(PGconn *connection, const struct statement *row)
{
	static struct parts parts;
	char sql[2048];
	PGresult *result;
	bool done;

	parts.count = 0;
	write_execute(row, "", sql, sizeof(sql));
	assert_true(pg_exec(connection, "SELECT pg_stat_force_next_flush()")); /* what was counted before */
	assert_true(pg_exec(connection, "BEGIN"));
	result = PQexec(connection, sql);
	done = PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK;
	snprintf(refusal, sizeof(refusal), "%s", done ? "" : PQresultErrorField(result, PG_DIAG_SQLSTATE));
	PQclear(result);
	if (done) {
		result = PQexec(connection,
				"SELECT relname FROM pg_stat_xact_user_tables WHERE schemaname = 'shoal_part'"
				" AND coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd"
				" + n_tup_del > 0");
		for (int i = 0; i < PQntuples(result); i++)
			parts_add(&parts, PQgetvalue(result, i, 0));
		PQclear(result);
	}
	assert_true(pg_exec(connection, "ROLLBACK"));
	return done ? (int)parts_of_one_table(&parts) : -1;
}

/* --- the tests ---------------------------------------------------------------------------------------------------- */

static bool prepare(PGconn *connection, const char *owner, const struct statement *row)
{
	PGresult *result = PQprepare(connection, row->name, row->sql, 0, NULL), *about;
	bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
	int params = (int)statement_param_count(row), columns = (int)statement_column_count(row);

	PQclear(result);
	if (!ok) {
		print_error("%s.%s: %s", owner, row->name, PQerrorMessage(connection));
		return false;
	}
	about = PQdescribePrepared(connection, row->name);
	ok = PQnparams(about) == params && PQnfields(about) == columns;
	for (int i = 0; ok && i < params; i++)
		ok = PQparamtype(about, i) == db_type_oid(row->params[i]);
	for (int i = 0; ok && i < columns; i++)
		ok = PQftype(about, i) == db_type_oid(row->columns[i]);
	PQclear(about);
	if (!ok)
		print_error("%s.%s: its types are not those of its row\n", owner, row->name);
	return ok;
}

static bool check_row(PGconn *connection, const char *owner, const struct statement *row)
{
	size_t in_plan;
	int in_deed;

	if (!prepare(connection, owner, row))
		return false;
	in_plan = planned(connection, row);
	in_deed = touched(connection, row);
	assert_true(pg_exec(connection, "DEALLOCATE ALL"));
	if (in_plan <= 1 && in_deed <= 1)
		return true;
	print_message("%s.%s crosses partitions (%zu in the plan, %d touched): %s\n", owner, row->name, in_plan,
		      in_deed, row->crosses ? row->crosses : "and does not say why");
	return row->crosses != NULL;
}

static void test_every_statement(void **state)
{
	PGconn *connection = pg_connect(&database);
	size_t bad = 0, count = 0;

	(void)state;
	assert_true(pg_exec(connection, "SET plan_cache_mode = force_generic_plan"));
	for (size_t i = 0; i < statement_set_count; i++)
		for (size_t row = 0; row < statement_sets[i]->count; row++, count++)
			bad += !check_row(connection, statement_sets[i]->owner, &statement_sets[i]->rows[row]);
	PQfinish(connection);
	print_message("%zu statements in %zu sets\n", count, statement_set_count);
	assert_int_equal(bad, 0);
}

/* Those of the modules that are linked in: their own migrations stand beside the core's. */
static void test_every_statement_of_modules(void **state)
{
	PGconn *connection = pg_connect(&database);
	size_t bad = 0, count = 0, modules = 0;

	(void)state;
	assert_true(pg_exec(connection, "SET plan_cache_mode = force_generic_plan"));
	loader_add_linked();
	for (size_t i = 0; i < loader_count(); i++) {
		const struct statement_set *set = &loader_get(i)->declared.statements;

		modules += set->count > 0;
		for (size_t row = 0; row < set->count; row++, count++)
			bad += !check_row(connection, loader_get(i)->name, &set->rows[row]);
	}
	loader_clear();
	PQfinish(connection);
	print_message("%zu statements of %zu modules\n", count, modules);
	assert_true(count > 0); /* the polls' at least */
	assert_int_equal(bad, 0);
}

/* --- the version before ------------------------------------------------------------------------------------------- */

#define FIXTURES "tests/unit/fixtures/statements"

static json_t *types_json(const enum db_type *types, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(db_type_name(types[i])));
	return list;
}

/* At a release, `test_statement_plans --write tests/unit/fixtures/statements/X.Y.Z.json`. */
static int write_statements(const char *path)
{
	json_t *all = json_array();
	int r;

	for (size_t i = 0; i < statement_set_count; i++)
		for (size_t at = 0; at < statement_sets[i]->count; at++) {
			const struct statement *row = &statement_sets[i]->rows[at];

			json_array_append_new(all,
					      json_pack("{s:s, s:s, s:s, s:o, s:o}", "owner", statement_sets[i]->owner,
							"name", row->name, "sql", row->sql, "params",
							types_json(row->params, statement_param_count(row)), "columns",
							types_json(row->columns, statement_column_count(row))));
		}
	r = json_dump_file(all, path, JSON_INDENT(1));
	json_decref(all);
	return r;
}

static void read_types(const json_t *list, enum db_type *types)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		for (int type = 1; type < DB_TYPE_COUNT; type++)
			if (strcmp(db_type_name((enum db_type)type), json_string_value(json_array_get(list, i))) == 0)
				types[i] = (enum db_type)type;
}

/* One statement of an older program on today's schema: same types, one partition, and it still runs. */
static void check_old(PGconn *connection, const json_t *saved)
{
	struct statement row = { .name = json_string_value(json_object_get(saved, "name")),
				 .sql = json_string_value(json_object_get(saved, "sql")) };

	read_types(json_object_get(saved, "params"), row.params);
	read_types(json_object_get(saved, "columns"), row.columns);
	assert_int_equal(statement_param_count(&row), json_array_size(json_object_get(saved, "params")));
	assert_int_equal(statement_column_count(&row), json_array_size(json_object_get(saved, "columns")));
	assert_true(prepare(connection, json_string_value(json_object_get(saved, "owner")), &row));
	/* What the sample values break (a check, a range) is no trouble; a table or column that is gone is. */
	if (touched(connection, &row) < 0 && strncmp(refusal, "22", 2) != 0 && strncmp(refusal, "23", 2) != 0)
		fail_msg("%s of an earlier program ends with %s", row.name, refusal);
	assert_true(pg_exec(connection, "DEALLOCATE ALL"));
}

/* Programs that the newest migration still lets run: what they send is kept in a file a version. */
static void test_versions_before(void **state)
{
	PGconn *connection = pg_connect(&database);
	const char *oldest;
	struct dirent *entry;
	DIR *dir = opendir(FIXTURES);
	size_t checked = 0;

	(void)state;
	assert_non_null(dir);
	oldest = pg_value(connection, "SELECT oldest_program FROM shoal.migration"
				      " ORDER BY string_to_array(oldest_program, '.')::integer[] DESC LIMIT 1");
	while ((entry = readdir(dir))) {
		char path[512];
		json_t *all, *saved;
		size_t i;

		if (entry->d_name[0] == '.' || migrate_compare_versions(entry->d_name, oldest) < 0)
			continue;
		snprintf(path, sizeof(path), FIXTURES "/%s", entry->d_name);
		all = json_load_file(path, 0, NULL);
		assert_non_null(all);
		json_array_foreach(all, i, saved) check_old(connection, saved);
		checked += json_array_size(all);
		json_decref(all);
	}
	closedir(dir);
	PQfinish(connection);
	print_message("%zu statements of earlier programs\n", checked);
	assert_true(checked > 0);
}

/* --- members' names ------------------------------------------------------------------------------------------------
 */

/* Tables of which shared/privacy/tables.c has rows, and columns that are called like a member's and are none. */
#define KNOWN_TABLES                                                                                           \
	"'guild_setting', 'channel_setting', 'user_setting', 'setting_history', 'effect_unknown', 'named_in'," \
	" 'guild_gone', 'forget_request', 'job'"
#define NO_MEMBERS "'utility__poll.ended_by'" /* the command or job that ended it */

/* Whoever makes a table with members in it has said so (shoal.declare_table()): else export, erasure and the removal of
 * a guild would pass it by. */
static void test_members_are_declared(void **state)
{
	PGconn *connection = pg_connect(&database);
	PGresult *result = PQexec(
		connection,
		"SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
		" WHERE c.relnamespace = 'shoal'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
		" AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid IN ('bigint'::regtype, 'bigint[]'::regtype)"
		" AND a.attname ~ '(^|_)(user|users|member|author|creator|owner|moderator|target)(_ids?)?$|_by$'"
		" AND c.relname NOT IN (" KNOWN_TABLES ") AND c.relname || '.' || a.attname NOT IN (" NO_MEMBERS ")"
		" AND NOT EXISTS (SELECT FROM shoal.declared_table d WHERE d.table_name = c.relname"
		"  AND (a.attname = ANY (d.member_columns) OR (d.key_column = 'user_id' AND a.attname = 'user_id')))"
		" UNION ALL"
		" SELECT c.relname || ' (not removed with its guild)' FROM pg_class c JOIN pg_attribute a ON"
		" a.attrelid = c.oid AND a.attname = 'guild_id' WHERE c.relnamespace = 'shoal'::regnamespace"
		" AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT IN (" KNOWN_TABLES ")"
		" AND NOT EXISTS (SELECT FROM shoal.declared_table d WHERE d.table_name = c.relname)");

	(void)state;
	assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
	for (int i = 0; i < PQntuples(result); i++)
		print_error("%s: say it by shoal.declare_table() in the migration\n", PQgetvalue(result, i, 0));
	assert_int_equal(PQntuples(result), 0);
	PQclear(result);
	/* The judge: one that says nothing is seen. */
	assert_true(pg_exec(connection, "BEGIN; SELECT shoal.create_keyed_table('x__y', ARRAY['guild_id'],"
					" 'guild_id bigint, author_id bigint')"));
	assert_string_equal(pg_value(connection, "SELECT count(*) FROM shoal.declared_table WHERE table_name = 'x__y'"
						 " AND key_column = 'guild_id' AND member_columns = '{}'"),
			    "1");
	assert_true(pg_exec(connection, "ROLLBACK"));
	PQfinish(connection);
}

/* The judge itself: what crosses is seen, in the plan and by the deed. */
static void test_the_judge(void **state)
{
	static const struct statement rows[] = {
		{ .name = "one",
		  .sql = "SELECT name FROM shoal.guild_setting WHERE guild_id = $1",
		  .params = { DB_TYPE_INT8 } },
		{ .name = "all",
		  .sql = "SELECT guild_id FROM shoal.guild_setting WHERE name = $1",
		  .params = { DB_TYPE_TEXT } },
		{ .name = "retire",
		  .sql = "DELETE FROM shoal.guild_setting WHERE updated_at < $1",
		  .params = { DB_TYPE_TIMESTAMPTZ } },
		{ .name = "bulk",
		  .sql = "INSERT INTO shoal.guild_setting (guild_id, name) SELECT g, $2 FROM unnest($1::bigint[]) AS g",
		  .params = { DB_TYPE_INT8_ARRAY, DB_TYPE_TEXT } },
		{ .name = "hidden", .sql = "SELECT test_count_settings()" },
		{ .name = "unsuited", .sql = "SELECT 1 / ($1::bigint - 5)", .params = { DB_TYPE_INT8 } },
	};
	static const struct {
		size_t planned;
		int touched;
	} wanted[] = { { 1, 1 }, { 64, 64 }, { 64, 64 }, { 0, 2 }, { 0, 64 }, { 0, -1 } };
	PGconn *connection = pg_connect(&database);

	(void)state;
	assert_true(pg_exec(connection, "SET plan_cache_mode = force_generic_plan;"
					"CREATE FUNCTION test_count_settings() RETURNS bigint LANGUAGE plpgsql AS"
					" $$ BEGIN RETURN (SELECT count(*) FROM shoal.guild_setting); END $$"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		PGresult *result = PQprepare(connection, rows[i].name, rows[i].sql, 0, NULL);

		assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
		PQclear(result);
		assert_int_equal(planned(connection, &rows[i]), wanted[i].planned);
		assert_int_equal(touched(connection, &rows[i]), wanted[i].touched);
	}
	assert_true(pg_exec(connection, "DROP FUNCTION test_count_settings()"));
	PQfinish(connection);
}

static int set_up(void **state)
{
	struct migrate *migrate = NULL;
	struct migrate_error error;
	uint32_t applied;
	int r;

	(void)state;
	if (!pg_database_open(&database) || migrate_open(database.conninfo, 5000, &migrate, &error) < 0)
		return -1;
	r = migrate_up(migrate, "sql", 0, 5000, NULL, NULL, &applied, &error);
	if (r < 0)
		print_error("%s\n", error.text);
	migrate_close(migrate);
	return r;
}

static int tear_down(void **state)
{
	(void)state;
	pg_database_close(&database);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_judge),
		cmocka_unit_test(test_every_statement),
		cmocka_unit_test(test_every_statement_of_modules),
		cmocka_unit_test(test_versions_before),
		cmocka_unit_test(test_members_are_declared),
	};

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_statements(argv[2]) == 0 ? 0 : 1;
	if (!pg_is_wanted("test_statement_plans"))
		return 0;
	return cmocka_run_group_tests_name("statement plans", tests, set_up, tear_down);
}
