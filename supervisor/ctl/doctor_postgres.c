/* doctor's look at the database as one server: reach, TLS, version, schema, rights, room. Run by shoalctl; reads alone.
 */
#include "supervisor/ctl/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/build_id.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/db/migrate.h"

#define VERSION_OLDEST 130000
#define CLOCK_OFF_S    1.0
#define ROOM_SHARE     0.8 /* of the connections: beyond it is no room for anything else */

/* True, and said, when there is no database to ask. */
static bool unreachable(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (doctor->connection)
		return false;
	doctor_say(finding, DOCTOR_OFF, doctor->database ? "not known: no connection" : "PostgreSQL is off");
	return true;
}

/* One row of @sql, or what is wrong with it. */
static PGresult *ask(const struct doctor *doctor, const char *sql, struct doctor_finding *finding)
{
	struct database_error error;
	PGresult *result = NULL;

	if (database_run(doctor->connection, doctor->timeout_ms, sql, 0, NULL, &result, &error) == 0)
		return result;
	doctor_say(finding, DOCTOR_FAIL, "%s", error.text);
	return NULL;
}

void doctor_connection(struct doctor *doctor, struct doctor_finding *finding)
{
	char place[256];

	if (!doctor->database) {
		doctor_say(finding, DOCTOR_OFF, "postgres.conninfo is not set: settings of guilds are off");
		return;
	}
	if (!doctor->connection) {
		doctor_say(finding, DOCTOR_FAIL, "%s", doctor->database_error.text);
		doctor_advise(finding, "%s",
			      doctor->database_error.hint && *doctor->database_error.hint
				      ? doctor->database_error.hint
				      : "start the server, or correct postgres.conninfo");
		return;
	}
	database_place(doctor->connection, place, sizeof(place));
	doctor_say(finding, DOCTOR_OK, "%s, database %s as %s%s", place, PQdb(doctor->connection),
		   PQuser(doctor->connection), doctor->pooler ? ", through a pooler" : "");
	if (doctor->status && ctl_int(doctor->status, "postgres_away") > 0) {
		doctor_add(finding, DOCTOR_WARN, "%" PRId64 " shards have no connection to it",
			   ctl_int(doctor->status, "postgres_away"));
		doctor_advise(finding, "the log's db.down says why");
	}
}

/* --- TLS ---------------------------------------------------------------------------------------------------------- */

static bool is_local(const PGconn *connection)
{
	const char *host = PQhost(connection), *address = PQhostaddr(connection);

	return !host || !*host || *host == '/' || *host == '@' || strcmp(address, "::1") == 0 ||
	       strncmp(address, "127.", 4) == 0;
}

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val ? options->val : "";
	return "";
}

void doctor_tls(struct doctor *doctor, struct doctor_finding *finding)
{
	PQconninfoOption *options;
	char mode[32];

	if (unreachable(doctor, finding))
		return;
	options = PQconninfo(doctor->connection);
	snprintf(mode, sizeof(mode), "%s", option_of(options, "sslmode"));
	PQconninfoFree(options);
	if (!PQsslInUse(doctor->connection) && is_local(doctor->connection)) {
		doctor_say(finding, DOCTOR_OFF, "the connection does not leave this machine");
		return;
	}
	doctor_say(finding, DOCTOR_OK, "sslmode=%s, %s", mode,
		   PQsslInUse(doctor->connection) ? PQsslAttribute(doctor->connection, "protocol") : "in clear text");
	if (!PQsslInUse(doctor->connection))
		doctor_add(finding, DOCTOR_WARN, "the network can read it, the password's proof too");
	else if (strcmp(mode, "verify-full") != 0)
		doctor_add(finding, DOCTOR_WARN, "it is not checked whose certificate that is");
	if (finding->verdict == DOCTOR_WARN)
		doctor_advise(finding, "sslmode=verify-full sslrootcert=FILE in postgres.conninfo");
}

/* --- version, schema ---------------------------------------------------------------------------------------------- */

void doctor_version(struct doctor *doctor, struct doctor_finding *finding)
{
	int version;

	if (unreachable(doctor, finding))
		return;
	version = PQserverVersion(doctor->connection);
	doctor_say(finding, version < VERSION_OLDEST ? DOCTOR_FAIL : DOCTOR_OK, "PostgreSQL %d.%d", version / 10000,
		   version % 10000);
	if (version < VERSION_OLDEST)
		doctor_advise(finding, "version %d or later is wanted", VERSION_OLDEST / 10000);
}

static void judge_schema(const struct migration_list *list, struct doctor_finding *finding)
{
	size_t counts[MIGRATE_STATE_COUNT] = { 0 };
	const char *oldest = "0.0.0";

	for (size_t i = 0; i < list->count; i++) {
		counts[list->rows[i].state]++;
		if (list->rows[i].state != MIGRATE_PENDING &&
		    migrate_compare_versions(list->rows[i].oldest_program, oldest) > 0)
			oldest = list->rows[i].oldest_program;
	}
	doctor_say(finding, DOCTOR_OK, "%zu migrations applied, for programs from %s on (this is %s)",
		   counts[MIGRATE_APPLIED] + counts[MIGRATE_CHANGED] + counts[MIGRATE_MISSING], oldest, shoal_version);
	if (migrate_compare_versions(shoal_version, oldest) < 0) {
		doctor_add(finding, DOCTOR_FAIL, "this program is too old for it");
		doctor_advise(finding, "upgrade the programs, or shoalctl migrate down with the newer one");
	}
	if (counts[MIGRATE_CHANGED] > 0) {
		doctor_add(finding, DOCTOR_FAIL, "%zu were edited after they had been applied",
			   counts[MIGRATE_CHANGED]);
		doctor_advise(finding, "shoalctl migrate status names them; bring the files back");
	}
	if (counts[MIGRATE_PENDING] > 0) {
		doctor_add(finding, counts[MIGRATE_PENDING] == list->count ? DOCTOR_FAIL : DOCTOR_WARN,
			   "%zu are not applied", counts[MIGRATE_PENDING]);
		if (!finding->advice[0])
			doctor_advise(finding, "shoalctl migrate up (migrate plan shows what that does)");
	}
}

/* The modules' with shoal's own. */
static int find_sql(const struct doctor *doctor, char *sql_dir, size_t size, struct migrate_error *error)
{
	int r = migrate_find_sql_dir(doctor->sql_dir, sql_dir, size, error);

	if (r < 0 || doctor->sql_dir[0])
		return r;
	return migrate_add_modules_dir(doctor->options->config->modules_dir, sql_dir, size);
}

void doctor_schema(struct doctor *doctor, struct doctor_finding *finding)
{
	CLEANUP(migration_list_finish) struct migration_list list = { 0 };
	CLEANUP(migrate_closep) struct migrate *migrate = NULL;
	struct migrate_error error = { 0 };
	char sql_dir[MIGRATE_PATH_SIZE];
	int r;

	if (unreachable(doctor, finding))
		return;
	r = find_sql(doctor, sql_dir, sizeof(sql_dir), &error);
	if (r == 0)
		r = migrate_scan(sql_dir, &list, &error);
	if (r == 0)
		r = migrate_open(doctor->database->postgres_conninfo, doctor->timeout_ms, &migrate, &error);
	if (r == 0)
		r = migrate_status(migrate, &list, &error);
	if (r == 0)
		judge_schema(&list, finding);
	else
		doctor_say(finding, DOCTOR_FAIL, "%s", error.text[0] ? error.text : error_text(r));
}

/* --- rights ------------------------------------------------------------------------------------------------------- */

void doctor_rights(struct doctor *doctor, struct doctor_finding *finding)
{
	DATABASE_RESULT result = NULL;

	if (unreachable(doctor, finding))
		return;
	result = ask(
		doctor,
		"SELECT rolname, rolsuper, n.oid IS NOT NULL AS is_there,"
		" n.oid IS NOT NULL AND has_schema_privilege(n.oid, 'USAGE') AS may_use,"
		" (SELECT count(*) FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p')"
		"   AND c.relname <> 'migration'"
		"   AND NOT has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')) AS closed"
		" FROM pg_catalog.pg_roles LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'shoal'"
		" WHERE rolname = current_user",
		finding);
	if (!result)
		return;
	if (!database_bool(result, 0, "is_there")) {
		doctor_say(finding, DOCTOR_OFF, "there is no schema shoal yet");
		return;
	}
	doctor_say(finding, DOCTOR_OK, "role %s may do what a worker does", database_text(result, 0, "rolname"));
	if (!database_bool(result, 0, "may_use") || database_int(result, 0, "closed") > 0) {
		doctor_say(finding, DOCTOR_FAIL, "role %s may not use all of schema shoal",
			   database_text(result, 0, "rolname"));
		doctor_advise(finding,
			      "as the owner: CREATE ROLE shoal_app NOLOGIN (once), GRANT shoal_app TO %s, "
			      "SELECT shoal.apply_grants()",
			      database_text(result, 0, "rolname"));
	} else if (database_bool(result, 0, "rolsuper")) {
		doctor_add(finding, DOCTOR_WARN, "it is a superuser, and may do everything else as well");
		doctor_advise(finding, "let workers log in as a role that has shoal_app and nothing more");
	}
}

/* --- extensions --------------------------------------------------------------------------------------------------- */

/* Adds the names behind every CREATE EXTENSION of @text to @names, a PostgreSQL array in the making. */
static void find_extensions(const char *text, char *names, size_t size)
{
	static const char *const skipped[] = { "if", "not", "exists" };
	char word[64];

	while ((text = strcasestr(text, "create extension"))) {
		text += strlen("create extension");
		for (;;) {
			size_t len;

			text += strspn(text, " \t\n\"");
			len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
			if (len == 0 || len >= sizeof(word))
				break;
			snprintf(word, sizeof(word), "%.*s", (int)len, text);
			text += len;
			for (size_t i = 0; i < ARRAY_SIZE(skipped); i++)
				if (strcasecmp(word, skipped[i]) == 0)
					word[0] = '\0';
			if (!word[0])
				continue;
			len = strlen(names);
			snprintf(names + len, size - len, "%s%s", len > 1 ? "," : "", word);
			break;
		}
	}
}

/* What the migrations' files want. False: they can't be read (the schema's check says why). */
static bool collect_extensions(const struct doctor *doctor, char *names, size_t size)
{
	CLEANUP(migration_list_finish) struct migration_list list = { 0 };
	struct migrate_error error = { 0 };
	char sql_dir[MIGRATE_PATH_SIZE], path[MIGRATE_PATH_SIZE + 160];

	if (find_sql(doctor, sql_dir, sizeof(sql_dir), &error) < 0 || migrate_scan(sql_dir, &list, &error) < 0)
		return false;
	snprintf(names, size, "{");
	for (size_t i = 0; i < list.count; i++) {
		CLEANUP(cleanup_free) char *text = calloc(1, MIGRATE_FILE_MAX + 1);
		FILE *file;

		file = text && migrate_path(sql_dir, &list.rows[i], true, path, sizeof(path)) == 0 ? fopen(path, "re")
												   : NULL;
		if (!file)
			return false;
		text[fread(text, 1, MIGRATE_FILE_MAX, file)] = '\0';
		fclose(file);
		find_extensions(text, names, size);
	}
	strncat(names, "}", size - strlen(names) - 1);
	return true;
}

void doctor_extensions(struct doctor *doctor, struct doctor_finding *finding)
{
	char names[1024];
	const char *values[1] = { names };
	DATABASE_RESULT result = NULL;
	struct database_error error;

	if (unreachable(doctor, finding))
		return;
	if (!collect_extensions(doctor, names, sizeof(names))) {
		doctor_say(finding, DOCTOR_OFF, "not known: the migrations' files are not there");
		return;
	}
	if (strcmp(names, "{}") == 0) {
		doctor_say(finding, DOCTOR_OK, "none is needed");
		return;
	}
	if (database_run(doctor->connection, doctor->timeout_ms,
			 "SELECT string_agg(DISTINCT wanted, ', ') FILTER (WHERE a.name IS NULL) AS missing"
			 " FROM unnest($1::text[]) AS wanted"
			 " LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = wanted",
			 1, values, &result, &error) < 0) {
		doctor_say(finding, DOCTOR_FAIL, "%s", error.text);
	} else if (database_is_null(result, 0, "missing")) {
		doctor_say(finding, DOCTOR_OK, "the server has all that are needed: %s", names);
	} else {
		doctor_say(finding, DOCTOR_FAIL, "the server has no %s", database_text(result, 0, "missing"));
		doctor_advise(finding, "install its package on every server of the cluster, then shoalctl migrate up");
	}
}

/* --- clock, room -------------------------------------------------------------------------------------------------- */

void doctor_database_clock(struct doctor *doctor, struct doctor_finding *finding)
{
	DATABASE_RESULT result = NULL;
	double before, after, off;

	if (unreachable(doctor, finding))
		return;
	before = (double)clock_wall_ms() / 1000;
	result = ask(doctor, "SELECT extract(epoch FROM pg_catalog.clock_timestamp()) AS at", finding);
	after = (double)clock_wall_ms() / 1000;
	if (!result)
		return;
	off = database_real(result, 0, "at") - (before + after) / 2;
	doctor_say(finding, fabs(off) > CLOCK_OFF_S + (after - before) ? DOCTOR_WARN : DOCTOR_OK,
		   "the server's clock is %.1f s %s ours", fabs(off), off < 0 ? "behind" : "before");
	if (finding->verdict == DOCTOR_WARN)
		doctor_advise(finding, "one of the two is not synchronised");
}

void doctor_room(struct doctor *doctor, struct doctor_finding *finding)
{
	DATABASE_RESULT result = NULL;
	int64_t most, used, ours, wanted = (int64_t)doctor->shards * doctor->config->postgres_connections;

	if (unreachable(doctor, finding))
		return;
	if (doctor->pooler) {
		doctor_say(finding, DOCTOR_OK,
			   "a pooler shares the server's connections out; %u shards may ask it for "
			   "%" PRId64,
			   doctor->shards, wanted);
		doctor_advise(finding, "its max_client_conn and its own open files (ulimit -n) must be above that");
		return;
	}
	result =
		ask(doctor,
		    "SELECT least(current_setting('max_connections')::int"
		    " - current_setting('superuser_reserved_connections')::int,"
		    " nullif((SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = session_user), -1),"
		    " nullif((SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database()), -1))"
		    " AS most,"
		    " (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datid IS NOT NULL) AS used,"
		    " (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name LIKE 'shoal-shard %')"
		    " AS ours",
		    finding);
	if (!result)
		return;
	most = database_int(result, 0, "most");
	used = database_int(result, 0, "used");
	ours = database_int(result, 0, "ours");
	doctor_say(finding, DOCTOR_OK,
		   "%" PRId64 " of %" PRId64 " connections in use, %" PRId64
		   " by shards; %u shards open up to %" PRId64,
		   used, most, ours, doctor->shards, wanted);
	if (used - ours + wanted > most)
		doctor_add(finding, DOCTOR_FAIL, "that is more than there is room for");
	else if ((double)(used - ours + wanted) > ROOM_SHARE * (double)most)
		doctor_add(finding, DOCTOR_WARN, "that leaves little room");
	if (finding->verdict > DOCTOR_OK)
		doctor_advise(finding, "put pgbouncer in front (deploy/patroni), lower postgres.connections, or raise "
				       "max_connections");
}
