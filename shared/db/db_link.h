/* One connection to PostgreSQL: dialing (its own timer, a new watch each step), pipelining statements, ending. What to
 * do about a broken one is db.c's affair. Loop thread only. */
#ifndef SHOAL_SHARED_DB_DB_LINK_H
#define SHOAL_SHARED_DB_DB_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/db/conninfo.h"
#include "shared/db/db.h"
#include "shared/db/db_error.h"
#include "shared/db/statements.h"
#include "shared/loop/loop.h"

#define DB_LINK_DEPTH    64 /* statements under way on one connection */
#define DB_REASON_SIZE   512
#define DB_SQLSTATE_SIZE 6
#define DB_SAID_SIZE     160

struct db_link;

/* A statement on its way, with its parameters as text behind it. */
struct db_job {
	struct db_job *next;
	const struct statement *statement;
	size_t index;    /* in the table */
	db_result_fn fn; /* NULL: nobody waits any more */
	void *arg;
	uint64_t started_ns;
	size_t bytes;
	unsigned int tries;
	bool plain; /* do not use the named statement */
	const char *values[STATEMENT_PARAMS_MAX];

	/* while under way */
	unsigned int steps; /* commands in its group that are not over */
	bool preparing;     /* the first of them prepares */
	bool failed;
	char sqlstate[DB_SQLSTATE_SIZE];
	char said[DB_SAID_SIZE];  /* the server's words, where they may be shown */
	struct pg_result *result; /* of the last step */
};

/* What libpq gave, as users see it. */
struct db_result {
	struct pg_result *pg; /* NULL when there is none */
	const struct statement *statement;
	char sqlstate[DB_SQLSTATE_SIZE];
};

struct db_link_config {
	struct loop *loop;
	const struct conninfo *conninfo;
	const char *application_name;
	bool prepared;
	uint32_t connect_timeout_ms, statement_timeout_ms;
	size_t statement_count;
};

struct db_link_events {
	void (*ready)(void *arg, struct db_link *link);
	/* Every address failed; the link is closed again. */
	void (*failed)(void *arg, struct db_link *link, const struct db_refusal *refusal, const char *reason);
	/* It was ready and is closed now. @jobs: what was under way, oldest first; takes them. */
	void (*lost)(void *arg, struct db_link *link, const char *reason, struct db_job *jobs);
	/* A job's group is over, committed or not: @job->failed and sqlstate, or its result. Takes it. */
	void (*done)(void *arg, struct db_link *link, struct db_job *job);
};

/* @config and @events are kept; they outlive the link. */
int db_link_new(const struct db_link_config *config, const struct db_link_events *events, void *arg,
		struct db_link **ret_link);
/* Gives up whatever it is at; returns what was under way, oldest first. Frees the link when libuv is done. */
struct db_job *db_link_free(struct db_link *link);

/* Closed -> dialing; one of ready() and failed() follows, never from within the call. */
int db_link_open(struct db_link *link);
/* Sends @job; takes it. False: the link broke by it; lost() follows from db_link_check(). */
bool db_link_send(struct db_link *link, struct db_job *job);
/* After a batch of db_link_send(): writes what can be written and reports a link that broke meanwhile. */
void db_link_check(struct db_link *link);
/* Ready -> closed, in order; nothing may be under way. */
void db_link_hang_up(struct db_link *link);
/* Ready -> closed through lost(): for a server that went silent or turned into a standby. */
void db_link_break(struct db_link *link, const char *reason);

bool db_link_is_ready(const struct db_link *link);
bool db_link_is_closed(const struct db_link *link);
size_t db_link_in_flight(const struct db_link *link);
/* The oldest under way, NULL for none; they stay the link's. */
struct db_job *db_link_jobs(const struct db_link *link);
/* Monotonic time at which it last had a result, or got something to do, or became ready. */
uint64_t db_link_moved_ns(const struct db_link *link);

void db_job_free(struct db_job *job);

#endif
