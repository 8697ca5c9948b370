/* Migrations: sql/<owner>/NNNN_name.up.sql and .down.sql, one numbered chain per owner ("core", parts of shoal,
 * modules). Where a function takes @sql_dir it may be several folders joined by ':'; an owner lies in one of them. For
 * command-line tools: synchronous libpq, blocks; never on a loop.
 *
 * An up file begins with comment lines, one of which states the oldest program version that may run on the schema it
 * leaves: "-- oldest-program: 0.1.0". Each file runs in a transaction of its own, under one advisory lock, and is
 * recorded in shoal.migration with its SHA-256; a file that changed after it was applied is refused. */
#ifndef SHOAL_SHARED_DB_MIGRATE_H
#define SHOAL_SHARED_DB_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/db/migrate_locks.h"

#define MIGRATE_TEXT_SIZE    2048
#define MIGRATE_PATH_SIZE    1024
#define MIGRATE_FILE_MAX     (1024 * 1024)
#define MIGRATE_FILES_MAX    4096
#define MIGRATE_SHA256_SIZE  65
#define MIGRATE_VERSION_SIZE 32
/* Who changes the schema as a whole holds this advisory lock. "shoal" and what follows of its bytes; any number of our
 * own will do. */
#define MIGRATE_LOCK_KEY "7166480185429217380"

enum migrate_state {
	MIGRATE_PENDING, /* a file, not applied */
	MIGRATE_APPLIED, /* applied, file unchanged */
	MIGRATE_CHANGED, /* applied, and the file is another one now */
	MIGRATE_MISSING, /* applied, and the file is gone (a newer program's) */
	MIGRATE_LEFT,    /* applied, and of its whole owner there are no files: a module that is not here any more */
	MIGRATE_STATE_COUNT,
};

struct migration {
	char owner[32];
	uint32_t number; /* from 1 */
	char name[64];
	char sha256[MIGRATE_SHA256_SIZE]; /* of the up file; "" when missing */
	char oldest_program[MIGRATE_VERSION_SIZE];
	bool has_down;
	size_t size_bytes; /* of the up file */
	enum migrate_state state;
	char applied_at[40]; /* ISO, "" while pending */
	char applied_sha256[MIGRATE_SHA256_SIZE];
};

/* A sorted list (owner with "core" first, then by name; then number). */
struct migration_list {
	struct migration *rows;
	size_t count;
};
void migration_list_finish(struct migration_list *list);
const char *migrate_state_name(enum migrate_state state);

/* What went wrong, for a person. */
struct migrate_error {
	char text[MIGRATE_TEXT_SIZE];
	char sqlstate[6];
};

/* Reads the folder. -ENOENT, -EINVAL (a name, number, gap, duplicate or header that does not fit: @error names the
 * file), -EFBIG, -errno. */
int migrate_scan(const char *sql_dir, struct migration_list *ret_list, struct migrate_error *error);
/* "<sql_dir>/<owner>/NNNN_name.up.sql", of the folder that has that owner. -ENAMETOOLONG. */
int migrate_path(const char *sql_dir, const struct migration *migration, bool up, char *path, size_t size);
/* The parts of "0001_core.up.sql". -EINVAL. */
int migrate_parse_name(const char *file, uint32_t *ret_number, char name[64], bool *ret_up);
/* Finds "-- oldest-program: X.Y.Z" among the leading comment lines. -ENOENT, -EINVAL. */
int migrate_parse_header(const char *text, size_t len, char version[MIGRATE_VERSION_SIZE]);
/* What applying @migration (a file's) will lock. Errors as migrate_scan(). */
int migrate_locks_of(const char *sql_dir, const struct migration *migration, struct migrate_locks *ret_locks,
		     struct migrate_error *error);
/* -1, 0, 1 for "0.1.0" against "0.2.0"; parts beyond three are refused by migrate_parse_header(). */
int migrate_compare_versions(const char *a, const char *b);
void migrate_sha256(const void *bytes, size_t len, char hex[MIGRATE_SHA256_SIZE]);

struct migrate; /* a connection */

/* Connects (@timeout_ms per address). -SHOAL_EOFFLINE (unreachable), -EACCES (password, role, permission), -ENOENT (no
 * such database), -EINVAL (conninfo): @error says it in words with what to do. */
int migrate_open(const char *conninfo, uint32_t timeout_ms, struct migrate **ret_migrate, struct migrate_error *error);
struct migrate *migrate_close(struct migrate *migrate);
void migrate_closep(struct migrate **migrate);

/* Fills state, applied_at, applied_sha256 from shoal.migration (absent: all pending) and adds the missing ones. */
int migrate_status(struct migrate *migrate, struct migration_list *list, struct migrate_error *error);

/* Told before (@done false) and after each step. */
typedef void (*migrate_progress_fn)(void *arg, const struct migration *migration, bool up, bool done, uint64_t took_ms);

/* Applies what is pending, in order, at most @max (0: all). -ESTALE: a changed or missing one stands in the way;
 * -SHOAL_EVERSION: a file wants a program newer than ours to be the oldest; -EBUSY: another migrates and did not end in
 * @lock_timeout_ms; else as the SQL says. Stops at the first failure; what was applied before stays. */
int migrate_up(struct migrate *migrate, const char *sql_dir, uint32_t max, uint32_t lock_timeout_ms,
	       migrate_progress_fn progress, void *arg, uint32_t *ret_applied, struct migrate_error *error);
/* Takes back the last @count (by time of application). -ENOENT: one has no .down.sql. */
int migrate_down(struct migrate *migrate, const char *sql_dir, uint32_t count, uint32_t lock_timeout_ms,
		 migrate_progress_fn progress, void *arg, uint32_t *ret_reverted, struct migrate_error *error);

/* Appends the folder where modules from elsewhere bring theirs, if it is there: <modules.dir>/sql; @modules_dir "":
 * modules beside the running binary, or ../lib/shoal/modules from there. -ENAMETOOLONG. */
int migrate_add_modules_dir(const char *modules_dir, char *path, size_t size);
/* Where the SQL files lie: @given (if not ""), else ../sql beside the running binary (as in the tree: build/../sql),
 * else <prefix>/share/shoal/sql seen from <prefix>/bin. -ENOENT with the places that were tried in @error. */
int migrate_find_sql_dir(const char *given, char *path, size_t size, struct migrate_error *error);

#endif
