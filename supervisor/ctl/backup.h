/* What backup and restore share: PostgreSQL's own programs, the manifest beside a copy, and counting what a table
 * holds. Blocks; never on a loop. */
#ifndef SHOAL_SUPERVISOR_CTL_BACKUP_H
#define SHOAL_SUPERVISOR_CTL_BACKUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/database.h"

#define BACKUP_TEXT_SIZE     1024
#define BACKUP_MANIFEST_NAME "shoal-manifest.json" /* within a directory; a file's is <file>.manifest.json */
#define BACKUP_CONNECT_MS    10000

/* --- one run ------------------------------------------------------------------------------------------------------ */

struct backup_call {
	const struct ctl_options *options;
	const struct config *config;
	struct config *own; /* of a private database, when it is that */
	PGconn *connection;
	const char *path; /* file or directory, without a slash at its end */
	bool is_dir;
	uint32_t jobs; /* 0: not given */
	uint64_t began_ns;
	char error[BACKUP_TEXT_SIZE]; /* one line for a person */
};

/* Takes path and --jobs. CTL_OK, or it was said what is wrong. */
int backup_parse(struct backup_call *call, int argc, char **argv);
/* Connects; refuses what a copy can't be made through (a pooler). CTL_OK, or it was said. */
int backup_open(struct backup_call *call);
void backup_close(struct backup_call *call);
/* Notes a sentence in call->error and returns @error. */
__attribute__((format(printf, 3, 4))) int backup_refuse(struct backup_call *call, int error, const char *format, ...);
/* Prints call->error (else @error's words); the exit code. */
int backup_fail(struct backup_call *call, int error);
/* One statement on call->connection, however long it takes. */
int backup_sql(struct backup_call *call, const char *sql, PGresult **ret_result);
void backup_manifest_path(const struct backup_call *call, char path[PATH_MAX]);

/* --- PostgreSQL's programs ---------------------------------------------------------------------------------------- */

struct backup_child {
	int pid, errors; /* descriptor of its stderr */
	const char *name;
};

/* The newest @name (pg_dump) at hand that is not older than the server. -ENOENT. */
int backup_find_program(struct backup_call *call, const char *name, char path[PATH_MAX]);
/* Starts it against the very server that call->connection reached. Nothing secret is in its arguments. */
int backup_spawn(struct backup_call *call, const char *program, char *const argv[], struct backup_child *ret_child);
/* Waits for its end. -EREMOTEIO: it failed, its last words are in call->error. */
int backup_wait(struct backup_call *call, struct backup_child *child);

/* --- what is in the tables ---------------------------------------------------------------------------------------- */

/* [{name, rows, digest}] of every table of schema shoal, as the transaction of now sees them: the digest is a sum over
 * all rows' text, so order does not matter and any change does. New reference in *ret_tables. */
int backup_count(struct backup_call *call, json_t **ret_tables);

/* --- the manifest ------------------------------------------------------------------------------------------------- */

/* {name: sha256} of the copy's files. */
int backup_hash_files(struct backup_call *call, const char *path, json_t **ret_files);

/* --- when the last one was made ----------------------------------------------------------------------------------- */

struct backup_note {
	int64_t at_s, bytes;
	char path[512];
};

/* -ENOENT: none was made from here; -EBADMSG. */
int backup_note_read(const char *state_dir, struct backup_note *ret_note);
int backup_note_write(const char *state_dir, const char *path, int64_t bytes);

#endif
