/* The connections to one server (or cluster: one conninfo) and the jobs that wait for them. A database has one, and one
 * more for its replica. Loop thread only. */
#ifndef SHOAL_SHARED_DB_DB_POOL_H
#define SHOAL_SHARED_DB_DB_POOL_H

#include "shared/db/db_job.h"
#include "shared/db/db_link.h"

struct db_pool;

struct db_pool_events {
	/* The end of a job; takes it. */
	void (*over)(void *arg, struct db_job *job, int error);
	void (*up)(void *arg, struct db_pool *pool);
	/* News only: it went away, or for another reason than before. */
	void (*down)(void *arg, struct db_pool *pool, int error, const char *reason);
	/* What each new connection is asked before all else (NULL: nothing), and what follows of the answer: 0, or why
	 * it must not be used, in words. */
	struct db_job *(*probe)(void *arg);
	int (*probed)(void *arg, const struct db_job *job, int error, char *reason, size_t size);
	/* A job that can't be served here, for nothing can: true when somebody else took it. NULL: nobody would. */
	bool (*divert)(void *arg, struct db_job *job);
};

struct db_pool_options {
	const char *conninfo; /* not "" */
	const char *key;      /* "postgres.conninfo": what an operator would look at */
	struct db_link_config link;
	uint32_t connections, idle_close_s;
};

/* Copies @options but for what they point at; @events is kept. -EINVAL: malformed conninfo, logged. */
int db_pool_new(const struct db_pool_options *options, const struct db_pool_events *events, void *arg,
		struct db_pool **ret_pool);
/* Takes @job. */
void db_pool_submit(struct db_pool *pool, struct db_job *job);
/* Every job ends with over(…, -ECANCELED) before it returns; @closed when all handles are gone, then it is freed. */
void db_pool_close(struct db_pool *pool, loop_fn closed, void *arg);

bool db_pool_is_away(const struct db_pool *pool);
const char *db_pool_state_text(struct db_pool *pool);
/* Adds its numbers. */
void db_pool_stats(const struct db_pool *pool, struct db_stats *stats);

#endif
