/* The database for verbs that work on it themselves (doctor, backup, restore): plain synchronous libpq, with errors in
 * words. Blocks, each wait with an end; never on a loop. */
#ifndef SHOAL_SUPERVISOR_CTL_DATABASE_H
#define SHOAL_SUPERVISOR_CTL_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postgresql/libpq-fe.h>

#include "shared/base/cleanup.h"

#define DATABASE_TEXT_SIZE 1024

/* What went wrong, in one line for a person; never a password. */
struct database_error {
	char text[DATABASE_TEXT_SIZE];
	const char *hint; /* what to do, where that is known; NULL or "" else */
	char sqlstate[6];
};

/* Connects to @conninfo (postgres.conninfo's value): to the first of its hosts that has the role which its
 * target_session_attrs names, @timeout_ms each; asked of the server itself, as conninfo.h says why. -EINVAL: malformed.
 * -SHOAL_EOFFLINE, -EACCES, -ENOENT: as db_error_of_connect() says. *ret: PQfinish() it. */
int database_connect(const char *conninfo, const char *application_name, uint32_t timeout_ms, PGconn **ret_connection,
		     struct database_error *error);
/* The same from libpq's own arrays (which must have a connect_timeout; a dbname in them may be a conninfo). */
int database_connect_params(const char *const *keywords, const char *const *values, PGconn **ret_connection,
			    struct database_error *error);

/* One host of a conninfo's list. */
struct database_host {
	char host[256], hostaddr[256], port[32];
	char place[320]; /* "host:port" for people */
};
/* False beyond the last. */
bool database_host(const PQconninfoOption *options, size_t index, struct database_host *ret_host);
/* Connects to that one alone, whatever its role. */
int database_connect_host(const char *conninfo, const struct database_host *host, const char *application_name,
			  uint32_t timeout_ms, PGconn **ret_connection, struct database_error *error);
void database_finish(PGconn **connection);

/* Runs @sql with @count text parameters and waits at most @timeout_ms (0: without an end, for what is as long as the
 * data is large; a broken connection still ends it). *ret_result (may be NULL): PQclear() it. -ETIMEDOUT (the
 * connection is of no more use then), else as db_error_of_sqlstate(). */
int database_run(PGconn *connection, uint32_t timeout_ms, const char *sql, int count, const char *const *values,
		 PGresult **ret_result, struct database_error *error);
/* The same for what was sent already. */
int database_await(PGconn *connection, uint32_t timeout_ms, PGresult **ret_result, struct database_error *error);
void database_clear(PGresult **result);
#define DATABASE_RESULT CLEANUP(database_clear) PGresult *

/* A field of a result: "" when NULL or not there. */
const char *database_text(const PGresult *result, int row, const char *column);
int64_t database_int(const PGresult *result, int row, const char *column);
double database_real(const PGresult *result, int row, const char *column);
bool database_is_null(const PGresult *result, int row, const char *column);
bool database_bool(const PGresult *result, int row, const char *column);

/* "host:port" (or the socket's folder) of where it ended up. */
void database_place(const PGconn *connection, char *text, size_t size);

/* Whether somebody stands between: a pooler gives its clients a cancel key of its own, not the server process's. */
int database_has_pooler(PGconn *connection, uint32_t timeout_ms, bool *ret_pooler, struct database_error *error);

#endif
