/* PostgreSQL's errors in ours: translated here and nowhere else. */
#ifndef SHOAL_SHARED_DB_DB_ERROR_H
#define SHOAL_SHARED_DB_DB_ERROR_H

#include <stdbool.h>

/* Negative errno or SHOAL_E… for a SQLSTATE (five characters; NULL or unknown: -EREMOTEIO). The table is in db.h's
 * words at db_result_fn. */
int db_error_of_sqlstate(const char *sqlstate);

/* The server says that this statement did not begin: a named statement or its plan is gone. Safe to send again. */
bool db_error_never_began(const char *sqlstate);

/* Whether the server's own message may stand in a log: some quote values. */
bool db_error_may_be_logged(const char *sqlstate);

/* What a failed connection attempt's words mean. libpq 15 keeps no SQLSTATE of it, so its text is read; a server that
 * speaks another language is taken for "away", and its words are shown anyway. */
struct db_refusal {
	int error;        /* -EACCES, -ENOENT, or -SHOAL_EOFFLINE */
	bool for_good;    /* asking again will not help until somebody changes something */
	const char *hint; /* what to do; "" when the words say all */
};
struct db_refusal db_error_of_connect(const char *message);

#endif
