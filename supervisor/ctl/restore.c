/* shoalctl restore: a copy made by shoalctl backup, back into a database. What was there is put aside under another
 * name, the copy is read in and compared, and only then the old goes: whatever fails leaves the database as it was. */
#include "supervisor/ctl/backup.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/build_id.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/db/migrate.h"

#define LOCK_TIMEOUT_MS 15000
#define ASIDE           "_before_restore"
#define JUNK            "_after_restore" /* what was put aside, once the copy has proved to be whole */

struct standing {
	bool schema;       /* there is one */
	bool aside;        /* and one that an interrupted restore has put aside */
	bool junk;         /* and one that it had not got rid of yet */
	int64_t with_rows; /* tables that hold something; migration apart */
	int64_t shards;    /* connected */
};

/* --- the copy ----------------------------------------------------------------------------------------------------- */

static int read_manifest(struct backup_call *call, json_t **ret_manifest)
{
	char path[PATH_MAX];
	json_error_t where;
	struct stat st;
	json_t *manifest;

	if (stat(call->path, &st) < 0)
		return backup_refuse(call, -errno, "%s: %s", call->path, strerror(errno));
	call->is_dir = S_ISDIR(st.st_mode);
	backup_manifest_path(call, path);
	if (access(path, F_OK) < 0)
		return backup_refuse(call, -ENOENT,
				     "%s is not there: %s is no copy made by shoalctl backup, or only a part of one",
				     path, call->path);
	manifest = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
	if (strcmp(ctl_text(manifest, "format"), "shoal-backup") != 0 ||
	    !json_is_array(json_object_get(manifest, "tables")) ||
	    !json_is_object(json_object_get(manifest, "files"))) {
		json_decref(manifest);
		return backup_refuse(call, -EBADMSG, "%s can't be read as a copy's manifest", path);
	}
	if (ctl_int(manifest, "version") != 1) {
		json_decref(manifest);
		return backup_refuse(call, -SHOAL_EVERSION, "%s was written by a newer shoalctl: use that one", path);
	}
	*ret_manifest = manifest;
	return 0;
}

static int check_copy(struct backup_call *call, const json_t *manifest)
{
	const char *oldest = ctl_text(manifest, "oldest_program");
	json_t *files = NULL;
	bool same;
	int r;

	if (*oldest && migrate_compare_versions(shoal_version, oldest) < 0)
		return backup_refuse(call, -SHOAL_EVERSION, "the copy's schema wants programs from %s on, this is %s",
				     oldest, shoal_version);
	r = backup_hash_files(call, call->path, &files);
	if (r < 0)
		return r;
	same = json_equal(files, json_object_get(manifest, "files"));
	json_decref(files);
	return same ? 0
		    : backup_refuse(call, -SHOAL_EDAMAGED,
				    "%s is not what was written (cut off, damaged or exchanged): its checksums differ",
				    call->path);
}

/* --- the database ------------------------------------------------------------------------------------------------- */

static int check_roles(struct backup_call *call, const json_t *manifest)
{
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(manifest, "roles"), i, name)
	{
		const char *values[1] = { json_string_value(name) };
		DATABASE_RESULT result = NULL;
		struct database_error error;
		int r;

		if (!values[0])
			continue;
		r = database_run(call->connection, 0, "SELECT FROM pg_catalog.pg_roles WHERE rolname = $1", 1, values,
				 &result, &error);
		if (r < 0)
			return backup_refuse(call, r, "%s", error.text);
		if (PQntuples(result) == 0)
			return backup_refuse(
				call, -ENOENT,
				"the copy gives rights to role %s, which is not there: CREATE ROLE %s NOLOGIN",
				values[0], values[0]);
	}
	return 0;
}

static int count_filled(struct backup_call *call, struct standing *standing)
{
	DATABASE_RESULT names = NULL;
	int r = backup_sql(call,
			   "SELECT pg_catalog.quote_ident(relname) AS name FROM pg_catalog.pg_class"
			   " WHERE relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'migration'"
			   " AND relnamespace = 'shoal'::regnamespace",
			   &names);

	for (int i = 0; r == 0 && i < PQntuples(names); i++) {
		DATABASE_RESULT row = NULL;
		char sql[256];

		snprintf(sql, sizeof(sql), "SELECT FROM shoal.%s LIMIT 1", database_text(names, i, "name"));
		r = backup_sql(call, sql, &row);
		standing->with_rows += r == 0 && PQntuples(row) > 0;
	}
	return r;
}

static int look(struct backup_call *call, struct standing *standing)
{
	DATABASE_RESULT result = NULL;
	int r = backup_sql(call,
			   "SELECT pg_catalog.pg_is_in_recovery() AS standby,"
			   " EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'shoal') AS schema,"
			   " EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'shoal" ASIDE "') AS aside,"
			   " EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname IN"
			   "  ('shoal" JUNK "', 'shoal_part" JUNK "')) AS junk,"
			   " (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database()"
			   "  AND application_name LIKE 'shoal-shard %') AS shards,"
			   " pg_catalog.pg_try_advisory_lock(" MIGRATE_LOCK_KEY ") AS ours",
			   &result);

	if (r < 0)
		return r;
	if (database_bool(result, 0, "standby"))
		return backup_refuse(call, -EROFS,
				     "that server is a read-only standby: name the primary "
				     "(target_session_attrs=read-write)");
	if (!database_bool(result, 0, "ours"))
		return backup_refuse(call, -EBUSY, "somebody migrates or restores this database at the moment");
	standing->schema = database_bool(result, 0, "schema");
	standing->aside = database_bool(result, 0, "aside");
	standing->junk = database_bool(result, 0, "junk");
	standing->shards = database_int(result, 0, "shards");
	return standing->schema ? count_filled(call, standing) : 0;
}

/* What the server's file system has, when our role may ask it (programs run in the data's folder); -1 else. Tables of
 * other table spaces lie elsewhere: for them it is no more than a hint. */
static int64_t room_on_server(struct backup_call *call)
{
	DATABASE_RESULT may = NULL, *free_kib = NULL;

	if (backup_sql(call, "SELECT pg_catalog.pg_has_role(current_user, 'pg_execute_server_program', 'USAGE') AS may",
		       &may) < 0 ||
	    !database_bool(may, 0, "may"))
		return -1;
	if (backup_sql(call,
		       "CREATE TEMPORARY TABLE IF NOT EXISTS restore_room (line text);"
		       "COPY pg_temp.restore_room FROM PROGRAM 'df -Pk . || true';",
		       NULL) < 0 ||
	    backup_sql(call,
		       "SELECT (regexp_match(line, '\\s(\\d+)\\s+\\d+%'))[1]::bigint AS kib FROM pg_temp.restore_room"
		       " WHERE line ~ '\\s\\d+\\s+\\d+%'",
		       &free_kib) < 0)
		return -1;
	return PQntuples(free_kib) == 1 ? database_int(free_kib, 0, "kib") * 1024 : -1;
}

/* Old and new data lie side by side until the new has been compared. */
static int check_room(struct backup_call *call, const json_t *manifest)
{
	int64_t needed = ctl_int(manifest, "table_bytes"), there = room_on_server(call);

	call->error[0] = '\0'; /* a server that runs no program for us is no trouble */
	if (there < 0 || there >= needed || call->options->yes)
		return 0;
	return backup_refuse(call, -ENOSPC,
			     "the server has %s free, and the copy wants %s beside what is there: make room, or give "
			     "--yes to try it all the same",
			     ctl_kib(there / 1024), ctl_kib(needed / 1024));
}

static bool confirmed(const struct backup_call *call, const char *what)
{
	char answer[16] = "";

	if (call->options->yes)
		return true;
	if (!isatty(STDIN_FILENO))
		return false;
	printf("%s Type yes: ", what);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0;
}

static int may_go_on(struct backup_call *call, const struct standing *standing)
{
	char what[256];

	/* They would write into the tables while these are compared. */
	if (standing->shards > 0)
		return backup_refuse(call, -EBUSY,
				     "%" PRId64 " connections of shards are open: stop the fleet first (shoalctl stop)",
				     standing->shards);
	if (standing->aside)
		snprintf(what, sizeof(what),
			 "A restore was cut off here: what it had put aside (schema shoal" ASIDE ") comes back first.");
	else if (standing->with_rows > 0)
		snprintf(what, sizeof(what), "%" PRId64 " tables of this database hold data, which will be replaced.",
			 standing->with_rows);
	else
		return 0;
	if (confirmed(call, what))
		return 0;
	return backup_refuse(call, -EPERM, "%s Give --yes when that is meant", what);
}

/* --- putting aside and back --------------------------------------------------------------------------------------- */

/* One transaction of several statements; rolled back when one fails. */
static int in_one(struct backup_call *call, const char *sql)
{
	CLEANUP(cleanup_free) char *whole = NULL;
	char kept[BACKUP_TEXT_SIZE];
	int r;

	if (asprintf(&whole, "BEGIN; SET LOCAL lock_timeout = %d; %s; COMMIT", LOCK_TIMEOUT_MS, sql) < 0) {
		whole = NULL;
		return -ENOMEM;
	}
	r = backup_sql(call, whole, NULL);
	if (r < 0) {
		memcpy(kept, call->error, sizeof(kept));
		backup_sql(call, "ROLLBACK", NULL);
		memcpy(call->error, kept, sizeof(kept));
	}
	return r;
}

static int put_aside(struct backup_call *call)
{
	return in_one(call, "ALTER SCHEMA shoal RENAME TO shoal" ASIDE
			    "; ALTER SCHEMA shoal_part RENAME TO shoal_part" ASIDE);
}

/* Schemas shoal@suffix and shoal_part@suffix, table after table: each is a lock for every partition, its index and
 * more, and the server has room for some thousands of locks, not for those of all tables. Goes on where it was cut off.
 */
static int drop_schemas(struct backup_call *call, const char *suffix)
{
	DATABASE_RESULT tables = NULL;
	char sql[512];
	int r;

	snprintf(sql, sizeof(sql),
		 "SELECT c.oid::regclass::text AS name FROM pg_catalog.pg_class c"
		 " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		 " WHERE n.nspname IN ('shoal%s', 'shoal_part%s') AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
		 suffix, suffix);
	r = backup_sql(call, sql, &tables);
	for (int i = 0; r == 0 && i < PQntuples(tables); i++) {
		snprintf(sql, sizeof(sql), "DROP TABLE %s CASCADE", database_text(tables, i, "name"));
		r = in_one(call, sql);
	}
	snprintf(sql, sizeof(sql), "DROP SCHEMA IF EXISTS shoal%s, shoal_part%s CASCADE", suffix, suffix);
	return r < 0 ? r : in_one(call, sql);
}

/* Removing tables takes some room for the catalogue's new rows: kept free for the case that the copy fills the disk.
 * Goes with the connection. */
static int reserve_room(struct backup_call *call)
{
	return backup_sql(call,
			  "CREATE TEMPORARY TABLE restore_reserve (filler text);"
			  "ALTER TABLE pg_temp.restore_reserve ALTER filler SET STORAGE PLAIN;"
			  "INSERT INTO pg_temp.restore_reserve SELECT repeat('x', 8000) FROM generate_series(1, 2048)",
			  NULL);
}

static int put_back(struct backup_call *call, bool aside)
{
	int r = backup_sql(call, "DROP TABLE IF EXISTS pg_temp.restore_reserve", NULL);

	if (r == 0)
		r = drop_schemas(call, "");
	if (r < 0 || !aside)
		return r;
	return in_one(call, "ALTER SCHEMA shoal" ASIDE " RENAME TO shoal;"
			    " ALTER SCHEMA shoal_part" ASIDE " RENAME TO shoal_part");
}

/* --- reading it in ------------------------------------------------------------------------------------------------ */

static int read_in(struct backup_call *call)
{
	char program[PATH_MAX], jobs[32], database[256];
	char *argv[16];
	size_t n = 0;
	struct backup_child child;
	int r = backup_find_program(call, "pg_restore", program);

	if (r < 0)
		return r;
	snprintf(jobs, sizeof(jobs), "--jobs=%u", call->jobs);
	snprintf(database, sizeof(database), "--dbname=%s", PQdb(call->connection));
	argv[n++] = (char[]){ "pg_restore" };
	argv[n++] = (char[]){ "--no-owner" };
	argv[n++] = (char[]){ "--exit-on-error" };
	argv[n++] = (char[]){ "--no-password" };
	argv[n++] = database;
	/* Not in a single transaction, which would hold all tables' locks: whatever fails, the old comes back. */
	if (call->jobs > 1)
		argv[n++] = jobs;
	argv[n++] = (char *)call->path;
	argv[n] = NULL;
	/* A name with an equals sign would be read as a conninfo. */
	if (strchr(PQdb(call->connection), '='))
		return backup_refuse(call, -EINVAL, "a database with = in its name can't be restored into");
	r = backup_spawn(call, program, argv, &child);
	return r < 0 ? r : backup_wait(call, &child);
}

/* The first table whose count or content is not the manifest's. */
static int compare(struct backup_call *call, const json_t *manifest, json_t **ret_tables)
{
	const json_t *wanted = json_object_get(manifest, "tables"), *want, *have;
	json_t *tables = NULL;
	size_t i;
	int r = backup_count(call, &tables);

	if (r < 0)
		return r;
	json_array_foreach(wanted, i, want)
	{
		have = json_array_get(tables, i);
		if (json_equal(have, want))
			continue;
		r = backup_refuse(call, -SHOAL_EDAMAGED,
				  "table %s has %" PRId64 " rows where the copy had %" PRId64 "%s",
				  ctl_text(want, "name"), ctl_int(have, "rows"), ctl_int(want, "rows"),
				  ctl_int(have, "rows") == ctl_int(want, "rows") ? ", and another content" : "");
		break;
	}
	if (r == 0 && json_array_size(tables) != json_array_size(wanted))
		r = backup_refuse(call, -SHOAL_EDAMAGED, "there are %zu tables where the copy had %zu",
				  json_array_size(tables), json_array_size(wanted));
	if (r < 0)
		json_decref(tables);
	else
		*ret_tables = tables;
	return r;
}

/* The old gets another name, all at once: from then on it is nothing to come back to, wherever its removal ends. */
static int give_up_old(struct backup_call *call)
{
	return in_one(call, "ALTER SCHEMA shoal" ASIDE " RENAME TO shoal" JUNK ";"
			    " ALTER SCHEMA shoal_part" ASIDE " RENAME TO shoal_part" JUNK);
}

/* The old goes, and the planner is told what there is now. The copy is in place, whatever happens here. */
static void finish(struct backup_call *call)
{
	if (drop_schemas(call, JUNK) < 0)
		fprintf(stderr,
			"shoalctl: the copy is in place; the old data could not be removed (%s): the next restore does "
			"it, or DROP SCHEMA shoal" JUNK ", shoal_part" JUNK " CASCADE\n",
			call->error);
	if (backup_sql(call,
		       "DO $$ DECLARE name text; BEGIN FOR name IN SELECT oid::regclass::text FROM"
		       " pg_catalog.pg_class WHERE relnamespace = 'shoal'::regnamespace AND relkind IN ('r', 'p')"
		       " AND NOT relispartition LOOP EXECUTE 'ANALYZE ' || name; COMMIT; END LOOP; END $$",
		       NULL) < 0)
		fprintf(stderr, "shoalctl: the copy is in place; its tables could not be analysed: %s\n", call->error);
}

static int restore(struct backup_call *call, const json_t *manifest, json_t **ret_tables)
{
	struct standing standing = { 0 };
	char why[BACKUP_TEXT_SIZE];
	int r, back;

	r = check_copy(call, manifest);
	if (r == 0)
		r = check_roles(call, manifest);
	if (r == 0)
		r = look(call, &standing);
	if (r == 0)
		r = may_go_on(call, &standing);
	if (r == 0)
		r = check_room(call, manifest);
	if (r == 0 && standing.junk)
		r = drop_schemas(call, JUNK);
	if (r == 0 && standing.aside) {
		r = put_back(call, true);
		standing.schema = true;
	}
	if (r == 0)
		r = reserve_room(call);
	if (r == 0 && standing.schema)
		r = put_aside(call);
	if (r < 0)
		return r;
	r = read_in(call);
	if (r == 0)
		r = compare(call, manifest, ret_tables);
	if (r == 0 && standing.schema)
		r = give_up_old(call);
	if (r == 0) {
		finish(call);
		return 0;
	}
	memcpy(why, call->error, sizeof(why));
	back = put_back(call, standing.schema);
	if (back == 0)
		return backup_refuse(call, r, "%.700s; the database is as it was", why);
	snprintf(why + strlen(why), sizeof(why) - strlen(why),
		 "; and what was there waits in schema shoal" ASIDE ": %.300s", call->error);
	return backup_refuse(call, r, "%s", why);
}

int ctl_restore(int argc, char **argv, const struct ctl_options *options)
{
	struct backup_call call = { .options = options };
	json_t *manifest = NULL, *tables = NULL, *answer;
	int r = backup_parse(&call, argc, argv);

	if (r != CTL_OK)
		return r;
	r = read_manifest(&call, &manifest);
	if (r < 0)
		return backup_fail(&call, r);
	r = backup_open(&call);
	if (r == CTL_OK) {
		r = restore(&call, manifest, &tables);
		if (r < 0) {
			r = backup_fail(&call, r);
		} else if (options->json) {
			answer = json_pack("{s:s, s:O, s:f}", "path", call.path, "tables", tables, "seconds",
					   (double)(clock_monotonic_ns() - call.began_ns) / (double)NS_PER_S);
			ctl_print_json(answer);
			json_decref(answer);
		} else {
			printf("%s is restored: %zu tables, counted and compared with the copy of %s\n", call.path,
			       json_array_size(tables), ctl_clean(ctl_text(manifest, "made_at")));
		}
	}
	json_decref(tables);
	json_decref(manifest);
	backup_close(&call);
	return r;
}
