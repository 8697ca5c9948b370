/* Migrations: names, headers, versions, chains of files (always); and against a real PostgreSQL: up, down, a file
 * changed after it was applied, a broken one, two migrators at once, a role that may not. */
#include "shared/db/migrate.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "tests/unit/pg_database.h"
#include "tests/unit/tmpdir.h"

#define HEADER   "-- what for\n-- oldest-program: 0.1.0\n"
#define CORE_SQL "sql" /* the tree's own, seen from its top */

static struct pg_database database;
static char dir[64];
/* A copy of the tree's core chain alone: what modules add does not concern these tests. */
static char core_sql[TMPDIR_SIZE];
static struct migrate_error error;

/* --- files -------------------------------------------------------------------------------------------------------- */

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "%s/shoal-migrate.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(dir));
}

static void remove_dir(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

static void write_file(const char *owner, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, owner);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, owner, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

static void test_locks(void **state)
{
	static const struct {
		const char *sql, *table, *lock; /* NULL: none */
		size_t statements;
	} cases[] = {
		{ "ALTER TABLE shoal.x ADD y int;", "shoal.x", "ACCESS EXCLUSIVE", 1 },
		{ "alter table if exists only \"Odd;Name\" add y int", "Odd;Name", "ACCESS EXCLUSIVE", 1 },
		{ "CREATE INDEX i ON shoal.x (y);", "shoal.x", "SHARE", 1 },
		{ "CREATE UNIQUE INDEX IF NOT EXISTS i ON ONLY shoal.x (y);", "shoal.x", "SHARE", 1 },
		{ "UPDATE shoal.x SET a = 'DROP TABLE y;' WHERE b;", "shoal.x", "ROW EXCLUSIVE", 1 },
		{ "UPDATE shoal.x SET a = 1; DROP TABLE shoal.x; DELETE FROM shoal.x", "shoal.x", "ACCESS EXCLUSIVE",
		  3 },
		{ "CREATE TRIGGER t AFTER INSERT ON shoal.x EXECUTE FUNCTION f()", "shoal.x", "SHARE ROW EXCLUSIVE",
		  1 },
		{ "-- ALTER TABLE shoal.x\n/* DROP /* nested */ TABLE shoal.x; */ SELECT 1;", NULL, NULL, 1 },
		{ "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $a$ DROP TABLE shoal.x; $b$ $a$;", NULL, NULL, 1 },
		{ "CREATE TABLE shoal.x (y int); CREATE INDEX ON shoal.x (y); INSERT INTO shoal.x VALUES (1);", NULL,
		  NULL, 3 },
		{ "SELECT shoal.create_keyed_table('x', ARRAY['guild_id'], $$ y $$); ALTER TABLE shoal.x ADD z int;",
		  NULL, NULL, 2 },
		{ "INSERT INTO shoal.x VALUES (E'it\\'s; DROP TABLE shoal.y', '''');", "shoal.x", "ROW EXCLUSIVE", 1 },
		{ "COMMENT ON TABLE shoal.x IS 'x'; GRANT SELECT ON shoal.x TO y;", NULL, NULL, 2 },
		{ "", NULL, NULL, 0 },
		{ ";;;", NULL, NULL, 0 },
		{ "ALTER TABLE", NULL, NULL, 1 },
		{ "ALTER TABLE \"x", "x", "ACCESS EXCLUSIVE", 1 },
		{ "/* never ends", NULL, NULL, 0 },
		{ "SELECT $tag$ never ends", NULL, NULL, 1 },
		{ "SELECT '", NULL, NULL, 1 },
		{ "CREATE TRIGGER ON", NULL, NULL, 1 },
	};
	struct migrate_locks locks;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		migrate_locks_read(cases[i].sql, strlen(cases[i].sql), &locks);
		if (locks.statements != cases[i].statements || locks.count != (cases[i].table ? 1 : 0))
			fail_msg("%s: %zu statements, %zu locks", cases[i].sql, locks.statements, locks.count);
		if (!cases[i].table)
			continue;
		assert_string_equal(locks.rows[0].table, cases[i].table);
		assert_string_equal(locks.rows[0].lock, cases[i].lock);
	}
	/* Cut off at every place: nothing behind its end is read (the sanitizers see). */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t len = 0; len <= strlen(cases[i].sql); len++) {
			char *piece = malloc(len ? len : 1);

			memcpy(piece, cases[i].sql, len);
			migrate_locks_read(piece, len, &locks);
			free(piece);
		}
}

static void test_names(void **state)
{
	static const char *const bad[] = { "",
					   "1_a.up.sql",
					   "00001_a.up.sql",
					   "0000_a.up.sql",
					   "0001a.up.sql",
					   "0001_.up.sql",
					   "0001_A.up.sql",
					   "0001_a.sql",
					   "0001_a.up.sql.x",
					   "0001_a.left.sql",
					   "0001_a..up.sql",
					   "0001_../x.up.sql",
					   "-001_a.up.sql" };
	uint32_t number = 0;
	char name[64];
	bool up = false;

	(void)state;
	assert_int_equal(migrate_parse_name("0001_core.up.sql", &number, name, &up), 0);
	assert_int_equal(number, 1);
	assert_string_equal(name, "core");
	assert_true(up);
	assert_int_equal(migrate_parse_name("9999_a_2.down.sql", &number, name, &up), 0);
	assert_int_equal(number, 9999);
	assert_false(up);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(migrate_parse_name(bad[i], &number, name, &up), -EINVAL);
}

static int header(const char *text, char version[MIGRATE_VERSION_SIZE])
{
	return migrate_parse_header(text, strlen(text), version);
}

static void test_headers(void **state)
{
	char version[MIGRATE_VERSION_SIZE];

	(void)state;
	assert_int_equal(header(HEADER "CREATE", version), 0);
	assert_string_equal(version, "0.1.0");
	assert_int_equal(header("-- oldest-program:10.20.30\r\nx", version), 0);
	assert_string_equal(version, "10.20.30");
	assert_int_equal(header("-- oldest-program: 1.2.3", version), 0);
	assert_int_equal(header("", version), -ENOENT);
	assert_int_equal(header("SELECT 1; -- oldest-program: 1.2.3", version), -ENOENT);
	assert_int_equal(header("-- a\n\n-- oldest-program: 1.2.3\n", version),
			 -ENOENT); /* not among the first lines */
	assert_int_equal(header("-- oldest-program: 1.2\n", version), -EINVAL);
	assert_int_equal(header("-- oldest-program: 1.2.3.4\n", version), -EINVAL);
	assert_int_equal(header("-- oldest-program: 1.2.x\n", version), -EINVAL);
	assert_int_equal(header("-- oldest-program: 1.2.3 beta\n", version), -EINVAL);
	assert_int_equal(header("-- oldest-program: 12345678.2.3\n", version), -EINVAL);
	assert_int_equal(header("-- oldest-program:\n", version), -EINVAL);
	/* Not read beyond its end. */
	assert_int_equal(migrate_parse_header("-- oldest-program: 1.2.34", 24, version), 0);
	assert_string_equal(version, "1.2.3");
}

static void test_versions(void **state)
{
	(void)state;
	assert_int_equal(migrate_compare_versions("0.1.0", "0.1.0"), 0);
	assert_int_equal(migrate_compare_versions("0.1.0", "0.2.0"), -1);
	assert_int_equal(migrate_compare_versions("0.10.0", "0.9.9"), 1);
	assert_int_equal(migrate_compare_versions("1.0.0", "0.99.99"), 1);
}

static void test_sha256(void **state)
{
	char hex[MIGRATE_SHA256_SIZE];

	(void)state;
	migrate_sha256("abc", 3, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_scan(void **state)
{
	CLEANUP(migration_list_finish) struct migration_list list = { 0 };

	(void)state;
	make_dir();
	write_file("zoo", "0001_a.up.sql", HEADER);
	write_file("core", "0002_b.up.sql", HEADER);
	write_file("core", "0001_a.up.sql", HEADER);
	write_file("core", "0001_a.down.sql", "x");
	write_file("core", "README.md", "not ours");
	write_file("Not An Owner", "x.sql", "ignored");
	assert_int_equal(migrate_scan(dir, &list, &error), 0);
	assert_int_equal(list.count, 3);
	assert_string_equal(list.rows[0].owner, "core");
	assert_int_equal(list.rows[0].number, 1);
	assert_true(list.rows[0].has_down);
	assert_int_equal(list.rows[1].number, 2);
	assert_false(list.rows[1].has_down);
	assert_string_equal(list.rows[2].owner, "zoo");
	assert_int_equal(strlen(list.rows[0].sha256), 64);
	remove_dir();
	assert_int_equal(migrate_scan(dir, &list, &error), -ENOENT);
	assert_non_null(strstr(error.text, dir));
}

/* One wrong thing each; the message names it. */
static void test_scan_refuses(void **state)
{
	static const struct {
		const char *file, *text, *named;
	} rows[] = {
		{ "0003_c.up.sql", HEADER, "0002" },
		{ "0001_b.up.sql", HEADER, "twice" },
		{ "0002_b.down.sql", "x", "no .up.sql" },
		{ "0002_b.up.sql", "SELECT 1", "oldest-program" },
		{ "0002_b.up.sql", "-- oldest-program: one\n", "malformed" },
		{ "2_b.up.sql", HEADER, "2_b.up.sql" },
		{ "0002_b.sql", HEADER, "0002_b.sql" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct migration_list list = { 0 };

		make_dir();
		write_file("core", "0001_a.up.sql", HEADER);
		write_file("core", rows[i].file, rows[i].text);
		assert_int_equal(migrate_scan(dir, &list, &error), -EINVAL);
		assert_non_null(strstr(error.text, rows[i].named));
		assert_null(list.rows);
		remove_dir();
	}
}

static void test_tree_is_sound(void **state)
{
	CLEANUP(migration_list_finish) struct migration_list list = { 0 };

	(void)state;
	if (access(CORE_SQL "/core", R_OK) < 0) {
		print_message("SKIPPED: not run from the tree's top\n");
		skip();
	}
	assert_int_equal(migrate_scan(CORE_SQL, &list, &error), 0);
	assert_true(list.count >= 1);
	for (size_t i = 0; i < list.count; i++)
		assert_true(list.rows[i].has_down);
}

/* Modules from elsewhere bring a second folder; an owner lies in one of them. */
static void test_several_folders(void **state)
{
	CLEANUP(migration_list_finish) struct migration_list list = { 0 }, none = { 0 };
	char both[2 * sizeof(dir) + 8], path[MIGRATE_PATH_SIZE], first[sizeof(dir)];

	(void)state;
	make_dir();
	memcpy(first, dir, sizeof(first));
	write_file("core", "0001_a.up.sql", HEADER);
	make_dir();
	write_file("zoo", "0001_b.up.sql", HEADER);
	snprintf(both, sizeof(both), "%s:%s", first, dir);
	assert_int_equal(migrate_scan(both, &list, &error), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.rows[0].owner, "core");
	assert_int_equal(migrate_path(both, &list.rows[1], true, path, sizeof(path)), 0);
	assert_memory_equal(path, dir, strlen(dir));
	assert_int_equal(access(path, R_OK), 0);
	assert_int_equal(migrate_path(both, &list.rows[0], true, path, sizeof(path)), 0);
	assert_int_equal(access(path, R_OK), 0);
	write_file("core", "0001_other.up.sql", HEADER);
	assert_int_equal(migrate_scan(both, &none, &error), -EINVAL);
	assert_non_null(strstr(error.text, "another folder"));
	path[0] = 'x';
	path[1] = '\0';
	assert_int_equal(migrate_add_modules_dir("/nowhere/at/all", path, sizeof(path)), 0);
	assert_string_equal(path, "x");
	snprintf(both, sizeof(both), "%s/sql", dir);
	assert_int_equal(mkdir(both, 0700), 0);
	assert_int_equal(migrate_add_modules_dir(dir, path, sizeof(path)), 0);
	assert_non_null(strstr(path, "x:/"));
	rmdir(both);
	remove_dir();
	memcpy(dir, first, sizeof(first));
	remove_dir();
}

static void test_find_sql_dir(void **state)
{
	char path[MIGRATE_PATH_SIZE];

	(void)state;
	assert_int_equal(migrate_find_sql_dir("/nowhere/at/all", path, sizeof(path), &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nowhere/at/all"));
	assert_int_equal(migrate_find_sql_dir("/", path, sizeof(path), &error), 0);
	assert_string_equal(path, "/");
}

/* --- the database ------------------------------------------------------------------------------------------------- */

struct seen {
	unsigned int begun, done;
	char last[64];
};

static void on_progress(void *arg, const struct migration *migration, bool up, bool done, uint64_t took_ms)
{
	struct seen *seen = arg;

	(void)up;
	(void)took_ms;
	seen->begun += !done;
	seen->done += done;
	snprintf(seen->last, sizeof(seen->last), "%s/%u", migration->owner, migration->number);
}

static struct migrate *open_ours(void)
{
	struct migrate *migrate = NULL;

	assert_int_equal(migrate_open(database.conninfo, 5000, &migrate, &error), 0);
	return migrate;
}

static int up(struct migrate *migrate, const char *sql_dir, uint32_t max, struct seen *seen)
{
	uint32_t applied = 0;
	int r;

	memset(seen, 0, sizeof(*seen));
	r = migrate_up(migrate, sql_dir, max, 5000, on_progress, seen, &applied, &error);
	assert_int_equal(applied, seen->done);
	return r;
}

static int down(struct migrate *migrate, const char *sql_dir, uint32_t count, struct seen *seen)
{
	uint32_t reverted = 0;
	int r;

	memset(seen, 0, sizeof(*seen));
	r = migrate_down(migrate, sql_dir, count, 5000, on_progress, seen, &reverted, &error);
	assert_int_equal(reverted, seen->done);
	return r;
}

static enum migrate_state state_of(struct migrate *migrate, const char *sql_dir, const char *owner, uint32_t number)
{
	struct migration_list list = { 0 };
	enum migrate_state found = MIGRATE_STATE_COUNT;

	assert_int_equal(migrate_scan(sql_dir, &list, &error), 0);
	assert_int_equal(migrate_status(migrate, &list, &error), 0);
	for (size_t i = 0; i < list.count; i++)
		if (list.rows[i].number == number && strcmp(list.rows[i].owner, owner) == 0)
			found = list.rows[i].state;
	migration_list_finish(&list);
	return found;
}

/* Migrations in the tree's core chain. */
static unsigned int core_count(void)
{
	CLEANUP(migration_list_finish) struct migration_list list = { 0 };
	struct migrate_error ignored;
	unsigned int count = 0;

	assert_int_equal(migrate_scan(CORE_SQL, &list, &ignored), 0);
	for (size_t i = 0; i < list.count; i++)
		count += strcmp(list.rows[i].owner, "core") == 0;
	return count;
}

/* "0007_<rest>", numbered as the one @place behind the tree's last. Into a static ring. */
static const char *behind(unsigned int place, const char *rest)
{
	static char names[4][64];
	static unsigned int at;
	char *name = names[at++ % 4];

	snprintf(name, sizeof(names[0]), "%04u_%s", core_count() + place, rest);
	return name;
}

/* A copy of the tree's core chain that the test may add to. */
static void copy_core(void)
{
	char command[256];

	make_dir();
	snprintf(command, sizeof(command), "cp -r " CORE_SQL "/core '%s/core'", dir);
	assert_int_equal(system(command), 0);
}

static void test_up_and_down(void **state)
{
	struct migrate *migrate = open_ours();
	PGconn *sql = pg_connect(&database);
	struct seen seen;

	(void)state;
	assert_int_equal(state_of(migrate, core_sql, "core", 1), MIGRATE_PENDING);
	assert_int_equal(up(migrate, core_sql, 0, &seen), 0);
	assert_true(seen.done >= 1);
	assert_int_equal(state_of(migrate, core_sql, "core", 1), MIGRATE_APPLIED);
	assert_string_equal(
		pg_value(sql, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'shoal.guild_setting'::regclass"),
		"64");
	assert_string_equal(pg_value(sql, "SELECT program FROM shoal.migration WHERE owner = 'core' AND number = 1"),
			    SHOAL_VERSION);
	assert_int_equal(up(migrate, core_sql, 0, &seen), 0); /* again: nothing to do */
	assert_int_equal(seen.begun, 0);

	/* A guild's row lies in one partition, and a question for it goes to that alone. */
	assert_true(
		pg_exec(sql, "INSERT INTO shoal.guild_setting (guild_id, name, value) VALUES (5, 'prefix', '\"!\"')"));
	assert_false(pg_exec(sql, "INSERT INTO shoal.guild_setting (guild_id, name, value) VALUES (5, 'Prefix', '1')"));
	/* Guild 0 is the global layer; there is none below it. */
	assert_true(pg_exec(sql, "INSERT INTO shoal.guild_setting (guild_id, name, value) VALUES (0, 'prefix', '1')"));
	assert_false(
		pg_exec(sql, "INSERT INTO shoal.guild_setting (guild_id, name, value) VALUES (-1, 'prefix', '1')"));
	assert_false(pg_exec(sql, "SELECT shoal.create_keyed_table('bad', ARRAY['name'], 'name text')"));
	assert_true(pg_exec(
		sql, "SELECT shoal.create_keyed_table('of_users', ARRAY['user_id', 'x'], 'user_id bigint, x int')"));
	assert_true(pg_exec(sql, "DROP TABLE shoal.of_users"));

	assert_int_equal(down(migrate, core_sql, 100, &seen), 0);
	assert_true(seen.done >= 1);
	assert_string_equal(pg_value(sql, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'shoal%'"), "0");
	assert_int_equal(down(migrate, core_sql, 1, &seen), 0);
	assert_int_equal(seen.done, 0);
	PQfinish(sql);
	migrate_close(migrate);
}

static void test_roles(void **state)
{
	struct migrate *migrate;
	struct seen seen;
	PGconn *sql;

	(void)state;
	/* Roles belong to the server: made here if no other test has, and left. */
	pg_exec(database.admin, "DO $$ BEGIN CREATE ROLE shoal_app LOGIN PASSWORD 'hemmelig';"
				" EXCEPTION WHEN duplicate_object THEN NULL; END $$");
	migrate = open_ours();
	assert_int_equal(up(migrate, core_sql, 0, &seen), 0);
	sql = PQconnectdb(pg_conninfo(&database, NULL, NULL, "shoal_app", "hemmelig", NULL, NULL));
	assert_int_equal(PQstatus(sql), CONNECTION_OK);
	assert_true(pg_exec(sql, "INSERT INTO shoal.guild_setting (guild_id, name, value) VALUES (6, 'prefix', '1')"));
	assert_true(pg_exec(sql, "SELECT * FROM shoal.migration"));
	assert_false(pg_exec(sql, "DELETE FROM shoal.migration"));
	assert_false(pg_exec(sql, "CREATE TABLE shoal.mine (x int)"));
	assert_false(pg_exec(sql, "SELECT shoal.apply_grants()"));
	PQfinish(sql);

	/* It may not migrate, and is told what is missing. */
	{
		struct migrate *theirs = NULL;

		copy_core();
		write_file("core", behind(1, "more.up.sql"), HEADER "CREATE TABLE shoal.more (x int);");
		assert_int_equal(migrate_open(pg_conninfo(&database, NULL, NULL, "shoal_app", "hemmelig", NULL, NULL),
					      5000, &theirs, &error),
				 0);
		assert_int_equal(up(theirs, dir, 0, &seen), -EACCES);
		assert_non_null(strstr(error.text, "permission denied"));
		assert_non_null(strstr(error.text, "GRANT"));
		migrate_close(theirs);
		remove_dir();
	}
	assert_int_equal(down(migrate, core_sql, 100, &seen), 0);
	migrate_close(migrate);
}

static void test_changed_and_missing(void **state)
{
	struct migrate *migrate = open_ours();
	struct seen seen;

	(void)state;
	copy_core();
	write_file("core", behind(1, "more.up.sql"), HEADER "CREATE TABLE shoal.more (x int);");
	write_file("core", behind(1, "more.down.sql"), "DROP TABLE shoal.more;");
	assert_int_equal(up(migrate, dir, 1, &seen), 0); /* one, not all */
	assert_int_equal(seen.done, 1);
	assert_int_equal(state_of(migrate, dir, "core", core_count() + 1), MIGRATE_PENDING);
	assert_int_equal(up(migrate, dir, 0, &seen), 0);
	assert_int_equal(state_of(migrate, dir, "core", core_count() + 1), MIGRATE_APPLIED);

	write_file("core", behind(1, "more.up.sql"), HEADER "CREATE TABLE shoal.more (x bigint);");
	write_file("core", behind(2, "third.up.sql"), HEADER "CREATE TABLE shoal.third (x int);");
	assert_int_equal(state_of(migrate, dir, "core", core_count() + 1), MIGRATE_CHANGED);
	assert_int_equal(up(migrate, dir, 0, &seen), -ESTALE);
	assert_non_null(strstr(error.text, behind(1, "more")));
	assert_non_null(strstr(error.text, "never edited"));
	assert_int_equal(seen.begun, 0);
	assert_int_equal(state_of(migrate, dir, "core", core_count() + 2), MIGRATE_PENDING);

	/* A program that does not know the second one, an older one. */
	assert_int_equal(state_of(migrate, core_sql, "core", core_count() + 1), MIGRATE_MISSING);
	assert_int_equal(up(migrate, core_sql, 0, &seen), -ESTALE);
	assert_non_null(strstr(error.text, "newer"));
	assert_int_equal(down(migrate, core_sql, 1, &seen), -ENOENT);

	assert_int_equal(down(migrate, dir, 100, &seen), 0);
	assert_int_equal(seen.done, core_count() + 1);
	remove_dir();
	migrate_close(migrate);
}

static void test_failure_leaves_nothing(void **state)
{
	struct migrate *migrate = open_ours();
	PGconn *sql = pg_connect(&database);
	struct seen seen;
	char name[32];

	(void)state;
	copy_core();
	write_file("core", behind(1, "more.up.sql"),
		   HEADER "CREATE TABLE shoal.more (x int);\n\nCREATE TABEL shoal.oops (x int);\n");
	write_file("zoo", "0001_later.up.sql", HEADER "CREATE TABLE shoal.later (x int);");
	assert_int_equal(up(migrate, dir, 0, &seen), -EREMOTEIO);
	assert_int_equal(seen.done, core_count()); /* the tree's stay */
	snprintf(name, sizeof(name), "core/%u", core_count() + 1);
	assert_string_equal(seen.last, name);
	assert_non_null(strstr(error.text, behind(1, "more.up.sql:5:"))); /* file and line */
	assert_string_equal(error.sqlstate, "42601");
	assert_string_equal(pg_value(sql, "SELECT to_regclass('shoal.more') IS NULL"), "t");
	assert_string_equal(pg_value(sql, "SELECT count(*) = max(number) FROM shoal.migration WHERE owner = 'core'"),
			    "t");

	write_file("core", behind(1, "more.up.sql"), HEADER "CREATE TABLE shoal.more (x int); COMMIT;");
	assert_int_equal(up(migrate, dir, 0, &seen), -SHOAL_EUNKNOWN);
	assert_non_null(strstr(error.text, "COMMIT"));
	assert_true(pg_exec(sql, "DROP TABLE shoal.more"));

	write_file("core", behind(1, "more.up.sql"), "-- oldest-program: 99.0.0\nCREATE TABLE shoal.more (x int);");
	assert_int_equal(up(migrate, dir, 0, &seen), -SHOAL_EVERSION);
	assert_non_null(strstr(error.text, "99.0.0"));

	write_file("core", behind(1, "more.up.sql"), HEADER "CREATE TABLE shoal.more (x int);");
	assert_int_equal(up(migrate, dir, 0, &seen), 0);
	assert_int_equal(seen.done, 2);
	assert_string_equal(seen.last, "zoo/1"); /* other owners after core */

	/* No way back from what has no down file; what stands before it in time stays. */
	assert_int_equal(down(migrate, dir, core_count() + 2, &seen), -ENOENT);
	assert_non_null(strstr(error.text, "zoo/1"));
	assert_int_equal(seen.done, 0);
	write_file("zoo", "0001_later.down.sql", "DROP TABLE shoal.later;");
	write_file("core", behind(1, "more.down.sql"), "DROP TABLE shoal.more;");
	assert_int_equal(down(migrate, dir, core_count() + 2, &seen), 0);
	assert_int_equal(seen.done, core_count() + 2);
	PQfinish(sql);
	remove_dir();
	migrate_close(migrate);
}

static void *migrate_thread(void *arg)
{
	struct migrate_error mine;
	struct migrate *migrate = NULL;
	uint32_t applied = 0;
	int r = migrate_open(database.conninfo, 60000, &migrate, &mine);

	if (r == 0)
		r = migrate_up(migrate, core_sql, 0, 120000, NULL, NULL, &applied, &mine);
	if (r < 0)
		print_error("%s\n", mine.text);
	migrate_close(migrate);
	*(int *)arg = r < 0 ? r : (int)applied;
	return NULL;
}

/* The tables of a module whose folder is gone stay, and what others have to do goes on. */
static void test_a_module_taken_away(void **state)
{
	CLEANUP(migration_list_finish) struct migration_list list = { 0 };
	struct migrate *migrate = open_ours();
	struct seen seen;
	char command[128];

	(void)state;
	copy_core();
	write_file("zoo", "0001_beasts.up.sql", HEADER "CREATE TABLE shoal.zoo__beast (x int);");
	assert_int_equal(up(migrate, dir, 0, &seen), 0);
	snprintf(command, sizeof(command), "rm -r '%s/zoo'", dir);
	assert_int_equal(system(command), 0);
	write_file("core", behind(1, "more.up.sql"), HEADER "CREATE TABLE shoal.more (x int);");
	write_file("core", behind(1, "more.down.sql"), "DROP TABLE shoal.more;");
	assert_int_equal(up(migrate, dir, 0, &seen), 0);
	assert_int_equal(seen.done, 1);
	assert_int_equal(migrate_scan(dir, &list, &error), 0);
	assert_int_equal(migrate_status(migrate, &list, &error), 0);
	assert_string_equal(list.rows[list.count - 1].owner, "zoo");
	assert_int_equal(list.rows[list.count - 1].state, MIGRATE_LEFT);
	/* Its way back is gone with it. */
	assert_int_equal(down(migrate, dir, 2, &seen), -ENOENT);
	assert_int_equal(seen.done, 1);
	write_file("zoo", "0001_beasts.up.sql", HEADER "CREATE TABLE shoal.zoo__beast (x int);");
	write_file("zoo", "0001_beasts.down.sql", "DROP TABLE shoal.zoo__beast;");
	assert_int_equal(down(migrate, dir, core_count() + 1, &seen), 0);
	remove_dir();
	migrate_close(migrate);
}

/* Two owners' chains beside each other: each by its own numbers, core's first, taken back in the order of time; what is
 * wrong with one stops all, by name. */
static void test_two_owners(void **state)
{
	struct migrate *migrate = open_ours();
	PGconn *sql = pg_connect(&database);
	struct seen seen;
	char name[40];

	(void)state;
	copy_core();
	write_file("zoo", "0001_beasts.up.sql",
		   HEADER "SELECT shoal.create_keyed_table('beast', ARRAY['guild_id'], 'guild_id bigint NOT NULL');");
	write_file("zoo", "0001_beasts.down.sql", "DROP TABLE shoal.beast;");
	assert_int_equal(up(migrate, dir, 0, &seen), 0);
	assert_int_equal(seen.done, core_count() + 1);
	write_file("zoo", "0002_names.up.sql", HEADER "ALTER TABLE shoal.beast ADD COLUMN name text;");
	write_file("zoo", "0002_names.down.sql", "ALTER TABLE shoal.beast DROP COLUMN name;");
	write_file("core", behind(1, "more.up.sql"), HEADER "CREATE TABLE shoal.more (x int);");
	write_file("core", behind(1, "more.down.sql"), "DROP TABLE shoal.more;");
	assert_int_equal(up(migrate, dir, 1, &seen), 0); /* core's is first, though zoo's chain is shorter */
	snprintf(name, sizeof(name), "core/%u", core_count() + 1);
	assert_string_equal(seen.last, name);
	assert_int_equal(up(migrate, dir, 0, &seen), 0);
	assert_string_equal(seen.last, "zoo/2");
	assert_string_equal(pg_value(sql, "SELECT string_agg(owner || number, ' ' ORDER BY applied_at) FROM"
					  " shoal.migration WHERE owner = 'zoo'"),
			    "zoo1 zoo2");

	/* One owner's edited file is refused, and names it; so is a core chain that has lost one. */
	write_file("zoo", "0001_beasts.up.sql", HEADER "SELECT 1;");
	write_file("core", behind(2, "last.up.sql"), HEADER "CREATE TABLE shoal.last (x int);");
	assert_int_equal(up(migrate, dir, 0, &seen), -ESTALE);
	assert_non_null(strstr(error.text, "zoo/0001_beasts"));
	assert_int_equal(seen.begun, 0);
	assert_int_equal(state_of(migrate, dir, "zoo", 1), MIGRATE_CHANGED);
	assert_int_equal(state_of(migrate, dir, "core", core_count() + 1), MIGRATE_APPLIED);

	/* A program without core's newer files says so and changes nothing; what a module that is gone has made is
	 * left. */
	assert_int_equal(up(migrate, core_sql, 0, &seen), -ESTALE);
	assert_int_equal(state_of(migrate, core_sql, "zoo", 2), MIGRATE_LEFT);

	write_file("zoo", "0001_beasts.up.sql",
		   HEADER "SELECT shoal.create_keyed_table('beast', ARRAY['guild_id'], 'guild_id bigint NOT NULL');");
	assert_int_equal(down(migrate, dir, 2, &seen), 0); /* zoo's second, then core's, as they came */
	assert_string_equal(seen.last, name);
	assert_int_equal(state_of(migrate, dir, "zoo", 1), MIGRATE_APPLIED);
	assert_int_equal(state_of(migrate, dir, "zoo", 2), MIGRATE_PENDING);
	assert_int_equal(down(migrate, dir, 100, &seen), 0);
	assert_string_equal(pg_value(sql, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'shoal%'"), "0");
	remove_dir();
	PQfinish(sql);
	migrate_close(migrate);
}

static void test_two_at_once(void **state)
{
	struct migrate *migrate = open_ours();
	PGconn *holder = pg_connect(&database);
	uint32_t applied = 0;
	pthread_t threads[4];
	int results[4], total = 0;
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, migrate_thread, &results[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_true(results[i] >= 0);
		total += results[i];
	}
	assert_int_equal(state_of(migrate, core_sql, "core", 1), MIGRATE_APPLIED);
	assert_true(total >= 1); /* each of them once, by whoever came first */
	assert_string_equal(pg_value(holder, "SELECT count(*) = max(number) FROM shoal.migration WHERE owner = 'core'"),
			    "t");

	/* The lock held by another one: told so in its time. */
	copy_core();
	write_file("core", behind(1, "more.up.sql"), HEADER "SELECT 1;");
	assert_true(pg_exec(holder, "BEGIN"));
	assert_true(pg_exec(holder, "SELECT pg_advisory_xact_lock(7166480185429217380)"));
	assert_int_equal(migrate_up(migrate, dir, 0, 100, NULL, NULL, &applied, &error), -EBUSY);
	assert_non_null(strstr(error.text, "another migration"));
	assert_true(pg_exec(holder, "ROLLBACK"));
	assert_int_equal(migrate_up(migrate, dir, 0, 30000, NULL, NULL, &applied, &error), 0);
	write_file("core", behind(1, "more.down.sql"), "SELECT 1;");
	assert_int_equal(down(migrate, dir, 100, &seen), 0);
	remove_dir();
	PQfinish(holder);
	migrate_close(migrate);
}

static void test_cannot_connect(void **state)
{
	struct migrate *migrate = NULL;

	(void)state;
	assert_int_equal(
		migrate_open(pg_conninfo(&database, NULL, NULL, NULL, "falsch", NULL, NULL), 3000, &migrate, &error),
		-EACCES);
	assert_non_null(strstr(error.text, "password"));
	assert_null(strstr(error.text, "falsch"));
	assert_int_equal(migrate_open(pg_conninfo(&database, NULL, NULL, NULL, NULL, "no_such_database", NULL), 3000,
				      &migrate, &error),
			 -ENOENT);
	assert_non_null(strstr(error.text, "no_such_database"));
	assert_int_equal(
		migrate_open(pg_conninfo(&database, "127.0.0.1", "1", NULL, NULL, NULL, NULL), 3000, &migrate, &error),
		-SHOAL_EOFFLINE);
	assert_int_equal(migrate_open("certainly not geheim", 3000, &migrate, &error), -EINVAL);
	assert_null(strstr(error.text, "geheim"));
	assert_null(migrate);
}

static int open_database(void **state)
{
	char command[160];

	(void)state;
	tmpdir_make(core_sql);
	snprintf(command, sizeof(command), "cp -r " CORE_SQL "/core '%s/core'", core_sql);
	return system(command) == 0 && pg_database_open(&database) ? 0 : -1;
}

static int close_database(void **state)
{
	(void)state;
	pg_database_close(&database);
	tmpdir_remove(core_sql);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest files[] = {
		cmocka_unit_test(test_locks),           cmocka_unit_test(test_names),
		cmocka_unit_test(test_headers),         cmocka_unit_test(test_versions),
		cmocka_unit_test(test_sha256),          cmocka_unit_test(test_scan),
		cmocka_unit_test(test_scan_refuses),    cmocka_unit_test(test_tree_is_sound),
		cmocka_unit_test(test_several_folders), cmocka_unit_test(test_find_sql_dir),
	};
	const struct CMUnitTest server[] = {
		cmocka_unit_test(test_up_and_down),         cmocka_unit_test(test_roles),
		cmocka_unit_test(test_changed_and_missing), cmocka_unit_test(test_failure_leaves_nothing),
		cmocka_unit_test(test_a_module_taken_away), cmocka_unit_test(test_two_owners),
		cmocka_unit_test(test_two_at_once),         cmocka_unit_test(test_cannot_connect),
	};
	int failed;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	failed = cmocka_run_group_tests_name("migrate: files", files, NULL, NULL);
	if (pg_is_wanted("test_migrate"))
		failed += cmocka_run_group_tests_name("migrate: database", server, open_database, close_database);
	return failed;
}
