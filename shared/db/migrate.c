/* The database's side of migrations. Run by command-line tools: synchronous libpq, blocks. Must not be linked into
 * anything that runs on a loop.
 *
 * One step is one transaction: take the lock, look again at what is applied (another may have been at it meanwhile), do
 * one file, record it. The lock is the transaction's own, so it works through pgbouncer too and dies with us. */
#include "shared/db/migrate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postgresql/libpq-fe.h>

#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/db/db_error.h"
#include "shared/db/migrate_files.h"

struct migrate {
	PGconn *connection;
};

static void clear_result(PGresult **result)
{
	PQclear(*result);
}

#define RESULT CLEANUP(clear_result) PGresult *

/* --- errors in words ---------------------------------------------------------------------------------------------- */

/* The line of @text in which character @position (from 1) stands. */
static unsigned int line_of(const char *text, int position)
{
	unsigned int line = 1;

	for (int i = 1; *text && i < position; text++) {
		line += *text == '\n';
		i += (*text & 0xc0) != 0x80; /* PostgreSQL counts characters, not bytes */
	}
	return line;
}

/* libpq's words come in several lines with tabs: one line of them. */
static void tidy(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (*from != '\n' && *from != '\t')
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

/* What to do about it, where that is known. */
static const char *hint_of(const char *sqlstate)
{
	if (strcmp(sqlstate, "42501") == 0)
		return "; run it as the owner of the schema, or GRANT CREATE ON DATABASE to this role";
	if (strcmp(sqlstate, "25006") == 0)
		return "; this server is a read-only standby: name the primary (target_session_attrs=read-write)";
	if (strcmp(sqlstate, "55P03") == 0)
		return "; something holds a lock for too long: try again, or give --lock-timeout";
	return "";
}

/* @file and @text: the SQL that ran, for its line; may be NULL. */
static int fail(struct migrate *migrate, const PGresult *result, const char *file, const char *text,
		struct migrate_error *error)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *said = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;
	const char *position = result ? PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION) : NULL;
	char where[512] = "";

	if (file && text && position)
		snprintf(where, sizeof(where), "%.400s:%u: ", file, line_of(text, atoi(position)));
	else if (file)
		snprintf(where, sizeof(where), "%.400s: ", file);
	if (!state) {
		snprintf(error->text, sizeof(error->text), "%sthe connection to the database broke: %s", where,
			 PQerrorMessage(migrate->connection));
		tidy(error->text);
		return -SHOAL_EUNKNOWN;
	}
	snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", state);
	snprintf(error->text, sizeof(error->text), "%s%s%s%s (SQLSTATE %s)%s", where, said ? said : "refused",
		 detail ? ": " : "", detail ? detail : "", state, hint_of(state));
	return db_error_of_sqlstate(state);
}

/* Runs one or more statements; *ret_result (may be NULL) is the last one's. */
static int run(struct migrate *migrate, const char *sql, const char *file, PGresult **ret_result,
	       struct migrate_error *error)
{
	RESULT result = PQexec(migrate->connection, sql);
	ExecStatusType status = PQresultStatus(result);

	/* PQexec stops at a COPY and would leave the connection in it. */
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
		return fail(migrate, result, file, sql, error);
	if (ret_result)
		*ret_result = TAKE(result);
	return 0;
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

int migrate_open(const char *conninfo, uint32_t timeout_ms, struct migrate **ret_migrate, struct migrate_error *error)
{
	char timeout[16];
	const char *keywords[] = { "connect_timeout", "fallback_application_name",
				   "gssencmode",      "client_encoding",
				   "dbname",          NULL };
	const char *values[] = { timeout, "shoalctl migrate", "disable", "UTF8", conninfo, NULL };
	CLEANUP(migrate_closep) struct migrate *migrate = calloc(1, sizeof(*migrate));
	PQconninfoOption *parsed;
	struct db_refusal refusal;
	char *message;

	*error = (struct migrate_error){ 0 };
	if (!migrate)
		return -ENOMEM;
	parsed = PQconninfoParse(conninfo, NULL);
	if (!parsed) {
		snprintf(error->text, sizeof(error->text),
			 "postgres.conninfo is no connection string: expected "
			 "postgresql://user:password@host:port/database or key=value pairs");
		return -EINVAL;
	}
	PQconninfoFree(parsed);
	snprintf(timeout, sizeof(timeout), "%u", (timeout_ms + 999) / 1000);
	migrate->connection = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(migrate->connection) == CONNECTION_OK) {
		*ret_migrate = TAKE(migrate);
		return 0;
	}
	message = PQerrorMessage(migrate->connection);
	refusal = db_error_of_connect(message);
	tidy(message);
	snprintf(error->text, sizeof(error->text), "%s%s%s", message, refusal.hint[0] ? "; " : "", refusal.hint);
	return refusal.error;
}

struct migrate *migrate_close(struct migrate *migrate)
{
	if (migrate) {
		PQfinish(migrate->connection);
		free(migrate);
	}
	return NULL;
}

void migrate_closep(struct migrate **migrate)
{
	*migrate = migrate_close(*migrate);
}

/* --- what is applied ---------------------------------------------------------------------------------------------- */

static void copy_field(const PGresult *result, int row, int column, char *to, size_t size)
{
	snprintf(to, size, "%s", PQgetvalue(result, row, column));
}

static int take_applied(struct migration_list *list, const PGresult *result, int row)
{
	struct migration applied = { .state = MIGRATE_MISSING };

	copy_field(result, row, 0, applied.owner, sizeof(applied.owner));
	applied.number = (uint32_t)strtoul(PQgetvalue(result, row, 1), NULL, 10);
	copy_field(result, row, 2, applied.name, sizeof(applied.name));
	copy_field(result, row, 3, applied.applied_sha256, sizeof(applied.applied_sha256));
	copy_field(result, row, 4, applied.oldest_program, sizeof(applied.oldest_program));
	copy_field(result, row, 5, applied.applied_at, sizeof(applied.applied_at));
	for (size_t i = 0; i < list->count; i++) {
		struct migration *known = &list->rows[i];

		if (known->number != applied.number || strcmp(known->owner, applied.owner) != 0)
			continue;
		memcpy(known->applied_sha256, applied.applied_sha256, sizeof(known->applied_sha256));
		memcpy(known->applied_at, applied.applied_at, sizeof(known->applied_at));
		known->state = strcmp(known->sha256, applied.applied_sha256) == 0 ? MIGRATE_APPLIED : MIGRATE_CHANGED;
		return 0;
	}
	return migration_list_add(list, &applied);
}

static bool has_files(const struct migration_list *list, const char *owner)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->rows[i].sha256[0] && strcmp(list->rows[i].owner, owner) == 0)
			return true;
	return false;
}

/* What a module made stays when the module is taken away, and stands in nobody's way. A list that is known to nobody is
 * a newer program's: core's is always here. */
static void mark_left(struct migration_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->rows[i].state == MIGRATE_MISSING && strcmp(list->rows[i].owner, "core") != 0 &&
		    !has_files(list, list->rows[i].owner))
			list->rows[i].state = MIGRATE_LEFT;
}

static bool is_there(const PGresult *result)
{
	return PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
}

int migrate_status(struct migrate *migrate, struct migration_list *list, struct migrate_error *error)
{
	RESULT exists = NULL;
	RESULT rows = NULL;
	int r;

	*error = (struct migrate_error){ 0 };
	for (size_t i = 0; i < list->count; i++) {
		list->rows[i].state = MIGRATE_PENDING;
		list->rows[i].applied_at[0] = list->rows[i].applied_sha256[0] = '\0';
	}
	/* Through the catalogue: to_regclass() says "permission denied" where the schema is not ours to look into. */
	r = run(migrate,
		"SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
		"c.relnamespace"
		" WHERE n.nspname = 'shoal' AND c.relname = 'migration')",
		NULL, &exists, error);
	if (r < 0 || !is_there(exists))
		return r;
	r = run(migrate,
		"SELECT owner, number, name, sha256, oldest_program,"
		" to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
		" FROM shoal.migration ORDER BY owner, number",
		NULL, &rows, error);
	for (int row = 0; r == 0 && row < PQntuples(rows); row++)
		r = take_applied(list, rows, row);
	mark_left(list);
	migration_list_sort(list);
	return r;
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

/* A transaction that alone migrates. */
static int begin(struct migrate *migrate, uint32_t lock_timeout_ms, struct migrate_error *error)
{
	char sql[160];
	int r;

	snprintf(sql, sizeof(sql), "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = %u",
		 lock_timeout_ms);
	r = run(migrate, sql, NULL, NULL, error);
	if (r < 0)
		return r;
	r = run(migrate, "SELECT pg_catalog.pg_advisory_xact_lock(" MIGRATE_LOCK_KEY ")", NULL, NULL, error);
	if (r < 0 && strcmp(error->sqlstate, "55P03") == 0) {
		snprintf(error->text, sizeof(error->text),
			 "another migration is running and did not end within %u ms: wait for it, or give "
			 "--lock-timeout",
			 lock_timeout_ms);
		return -EBUSY;
	}
	return r;
}

static void rollback(struct migrate *migrate)
{
	if (PQtransactionStatus(migrate->connection) != PQTRANS_IDLE)
		PQclear(PQexec(migrate->connection, "ROLLBACK"));
}

/* The file, read again and compared with what was listed: it must not have changed between plan and deed. */
static int run_file(struct migrate *migrate, const char *sql_dir, const struct migration *migration, bool up,
		    struct migrate_error *error)
{
	CLEANUP(cleanup_free) char *text = NULL;
	char path[MIGRATE_PATH_SIZE], sha256[MIGRATE_SHA256_SIZE];
	size_t len;
	int r;

	r = migrate_path(sql_dir, migration, up, path, sizeof(path));
	if (r < 0)
		return r;
	r = migrate_read_file(path, &text, &len, error);
	if (r < 0)
		return r;
	migrate_sha256(text, len, sha256);
	if (up && strcmp(sha256, migration->sha256) != 0) {
		snprintf(error->text, sizeof(error->text), "%s changed while we were at it", path);
		return -ESTALE;
	}
	r = run(migrate, text, path, NULL, error);
	if (r < 0)
		return r;
	if (PQtransactionStatus(migrate->connection) != PQTRANS_INTRANS) {
		snprintf(error->text, sizeof(error->text),
			 "%s ends its transaction itself (COMMIT or ROLLBACK): part of it may be in force now; "
			 "a migration is one transaction",
			 path);
		return -SHOAL_EUNKNOWN;
	}
	return 0;
}

static int record(struct migrate *migrate, const struct migration *migration, struct migrate_error *error)
{
	char number[16];
	const char *values[] = { migration->owner,          number,       migration->name, migration->sha256,
				 migration->oldest_program, shoal_version };
	RESULT result = NULL;

	snprintf(number, sizeof(number), "%u", migration->number);
	result = PQexecParams(migrate->connection,
			      "INSERT INTO shoal.migration (owner, number, name, sha256, oldest_program, program)"
			      " VALUES ($1, $2::integer, $3, $4, $5, $6)",
			      6, NULL, values, NULL, NULL, 0);
	return PQresultStatus(result) == PGRES_COMMAND_OK ? 0 : fail(migrate, result, NULL, NULL, error);
}

/* The record of the first migration goes with the schema that it makes. */
static int forget(struct migrate *migrate, const struct migration *migration, struct migrate_error *error)
{
	char number[16];
	const char *values[] = { migration->owner, number };
	RESULT exists = NULL;
	RESULT result = NULL;
	int r;

	r = run(migrate, "SELECT to_regclass('shoal.migration') IS NOT NULL", NULL, &exists, error);
	if (r < 0 || !is_there(exists))
		return r;
	snprintf(number, sizeof(number), "%u", migration->number);
	result = PQexecParams(migrate->connection,
			      "DELETE FROM shoal.migration WHERE owner = $1 AND number = $2::integer", 2, NULL, values,
			      NULL, NULL, 0);
	return PQresultStatus(result) == PGRES_COMMAND_OK ? 0 : fail(migrate, result, NULL, NULL, error);
}

/* Nothing applied may have changed or gone, and none may want a newer program than this. */
static int check_up(const struct migration_list *list, struct migrate_error *error)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct migration *row = &list->rows[i];

		if (row->state == MIGRATE_CHANGED) {
			snprintf(error->text, sizeof(error->text),
				 "%s/%04u_%s was applied at %s with other contents (SHA-256 %.12s…, the file has "
				 "%.12s…): "
				 "an applied migration is never edited; restore the file and put the change into a new "
				 "one",
				 row->owner, row->number, row->name, row->applied_at, row->applied_sha256, row->sha256);
			return -ESTALE;
		}
		if (row->state == MIGRATE_MISSING) {
			snprintf(error->text, sizeof(error->text),
				 "the database has %s/%04u_%s, which this program does not know: it was migrated by a "
				 "newer "
				 "one; use that one's files (--sql-dir)",
				 row->owner, row->number, row->name);
			return -ESTALE;
		}
		if (row->state == MIGRATE_PENDING && migrate_compare_versions(row->oldest_program, shoal_version) > 0) {
			snprintf(error->text, sizeof(error->text),
				 "%s/%04u_%s may only be run on by program %s or newer, this is %s: upgrade first",
				 row->owner, row->number, row->name, row->oldest_program, shoal_version);
			return -SHOAL_EVERSION;
		}
	}
	return 0;
}

static const struct migration *next_pending(const struct migration_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->rows[i].state == MIGRATE_PENDING)
			return &list->rows[i];
	return NULL;
}

/* The one applied last. */
static const struct migration *last_applied(const struct migration_list *list, const PGresult *order)
{
	for (size_t i = 0; i < list->count && PQntuples(order) == 1; i++)
		if (list->rows[i].number == strtoul(PQgetvalue(order, 0, 1), NULL, 10) &&
		    strcmp(list->rows[i].owner, PQgetvalue(order, 0, 0)) == 0)
			return &list->rows[i];
	return NULL;
}

struct step {
	struct migrate *migrate;
	const char *sql_dir;
	struct migration_list list;
	migrate_progress_fn progress;
	void *arg;
	struct migrate_error *error;
};

/* Does @migration within the open transaction and commits. */
static int do_one(struct step *step, const struct migration *migration, bool up)
{
	uint64_t started_ns = clock_monotonic_ns();
	int r;

	if (step->progress)
		step->progress(step->arg, migration, up, false, 0);
	r = run_file(step->migrate, step->sql_dir, migration, up, step->error);
	if (r == 0)
		r = up ? record(step->migrate, migration, step->error) : forget(step->migrate, migration, step->error);
	if (r == 0)
		r = run(step->migrate, "COMMIT", NULL, NULL, step->error);
	if (r == 0 && step->progress)
		step->progress(step->arg, migration, up, true, (clock_monotonic_ns() - started_ns) / NS_PER_MS);
	return r;
}

/* 1: did one; 0: nothing is left to do; else an error. The transaction is over in any case. */
static int step_up(struct step *step)
{
	const struct migration *next;
	int r;

	r = migrate_status(step->migrate, &step->list, step->error);
	if (r == 0)
		r = check_up(&step->list, step->error);
	if (r < 0)
		return r;
	next = next_pending(&step->list);
	if (!next)
		return 0;
	r = do_one(step, next, true);
	return r < 0 ? r : 1;
}

static int step_down(struct step *step)
{
	const struct migration *last;
	RESULT order = NULL;
	bool any = false;
	int r;

	r = migrate_status(step->migrate, &step->list, step->error);
	for (size_t i = 0; i < step->list.count; i++)
		any = any || step->list.rows[i].state != MIGRATE_PENDING;
	if (r < 0 || !any)
		return r;
	r = run(step->migrate,
		"SELECT owner, number FROM shoal.migration ORDER BY applied_at DESC, (owner = 'core'), number DESC "
		"LIMIT 1",
		NULL, &order, step->error);
	if (r < 0)
		return r;
	last = last_applied(&step->list, order);
	if (!last || last->state == MIGRATE_MISSING || last->state == MIGRATE_LEFT || !last->has_down) {
		snprintf(step->error->text, sizeof(step->error->text),
			 "%s/%s can't be taken back: there is no .down.sql for it here", PQgetvalue(order, 0, 0),
			 PQgetvalue(order, 0, 1));
		return -ENOENT;
	}
	r = do_one(step, last, false);
	return r < 0 ? r : 1;
}

/* Repeats @fn, each time in a transaction of its own, until nothing is left, @max were done, or one failed. */
static int repeat(struct step *step, uint32_t max, uint32_t lock_timeout_ms, int (*fn)(struct step *step),
		  uint32_t *ret_done)
{
	uint32_t done = 0;
	int r = 1;

	*step->error = (struct migrate_error){ 0 };
	while (r > 0 && (max == 0 || done < max)) {
		migration_list_finish(&step->list);
		r = migrate_scan(step->sql_dir, &step->list, step->error);
		if (r == 0)
			r = begin(step->migrate, lock_timeout_ms, step->error);
		if (r == 0)
			r = fn(step);
		done += r > 0;
		rollback(step->migrate);
	}
	migration_list_finish(&step->list);
	*ret_done = done;
	return r < 0 ? r : 0;
}

int migrate_up(struct migrate *migrate, const char *sql_dir, uint32_t max, uint32_t lock_timeout_ms,
	       migrate_progress_fn progress, void *arg, uint32_t *ret_applied, struct migrate_error *error)
{
	struct step step = { migrate, sql_dir, { 0 }, progress, arg, error };

	return repeat(&step, max, lock_timeout_ms, step_up, ret_applied);
}

int migrate_down(struct migrate *migrate, const char *sql_dir, uint32_t count, uint32_t lock_timeout_ms,
		 migrate_progress_fn progress, void *arg, uint32_t *ret_reverted, struct migrate_error *error)
{
	struct step step = { migrate, sql_dir, { 0 }, progress, arg, error };

	if (count == 0) {
		*ret_reverted = 0;
		return 0;
	}
	return repeat(&step, count, lock_timeout_ms, step_down, ret_reverted);
}
