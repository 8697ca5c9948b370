/* A job: one statement, or a transaction's several, with copies of their parameters, on its way through the queue and
 * over a connection to its one callback. Loop thread. */
#ifndef SHOAL_SHARED_DB_DB_JOB_H
#define SHOAL_SHARED_DB_DB_JOB_H

#include "shared/db/db_books.h"
#include "shared/db/db_value.h"

#define DB_SAID_SIZE 160

struct db_slot {
	const struct statement *statement;
	struct db_place place;
	const char **values; /* binary; NULL for null */
	int *lengths;
	size_t param_count;
	bool preparing; /* while under way: its command follows one that prepares it */
	struct db_result result;
};

struct db_job {
	struct db_job *next;
	db_result_fn fn; /* one of the two, or none: nobody waits any more */
	db_transaction_fn together;
	void *arg;
	uint64_t started_ns;
	size_t bytes;
	uint32_t timeout_ms;  /* of each of its statements */
	uint64_t patience_ns; /* for all of it: twice that and some, from its acceptance */
	bool own_timeout;     /* another than the connection's */
	bool read_only;
	bool alone;   /* in a transaction of its own */
	bool plain;   /* no named statements */
	bool replica; /* asked of read_conninfo */
	bool probe;   /* the pool's own question to one connection; never sent over another */
	unsigned int tries, setbacks;
	int error;        /* its connection's end: what it is going to be told */
	size_t failed_at; /* the slot that failed; `count` for none */
	char said[DB_SAID_SIZE];
	size_t count;
	struct db_slot slots[];
};

struct db_results {
	const struct db_job *job;
};

/* Copies and encodes. @default_timeout_ms: of rows without their own. Errors of db_query(). */
int db_job_new(const struct db_books *books, const struct db_call *calls, size_t count, uint32_t default_timeout_ms,
	       struct db_job **ret_job);
void db_job_free(struct db_job *job);

bool db_job_is_waited_for(const struct db_job *job);
/* Gives back results and failure of a try, so that it can be sent again. */
void db_job_reset(struct db_job *job);
/* Notes that slot @at failed (count: none of them): what the server said. */
void db_job_failed(struct db_job *job, size_t at, const char *sqlstate, const char *said);
/* 0, or -EPROTO: a result has other columns than the row says. Logs it. */
int db_job_check(const struct db_job *job);
/* Its one callback, its numbers, and a line in the log where somebody can do something about it. Later calls do
 * nothing. */
void db_job_tell(struct db_job *job, int error);

#endif
