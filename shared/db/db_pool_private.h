/* What the files of a pool share: db_pool.c (queue, slow tick, life), db_pool_send.c (which jobs go over which
 * connection), db_pool_links.c (connections come and go), db_pool_ends.c (what becomes of jobs). */
#ifndef SHOAL_SHARED_DB_DB_POOL_PRIVATE_H
#define SHOAL_SHARED_DB_DB_POOL_PRIVATE_H

#include "shared/db/db_pool.h"
#include "shared/db/db_queue.h"

#define DB_POOL_CONNECTIONS_MAX 64 /* the option's bound */

struct db_pool {
	const struct db_pool_events *events;
	void *arg;
	const char *key;
	struct conninfo *conninfo;
	struct db_link_config config;
	uint64_t idle_close_ns;

	struct db_link *links[DB_POOL_CONNECTIONS_MAX];
	/* Under way on the connection of that place, which is not used before. */
	struct db_job *probes[DB_POOL_CONNECTIONS_MAX];
	size_t link_max;
	struct db_queue lanes[DB_LANE_COUNT];
	struct db_queue ending; /* being told; a callback may close us in between */

	struct db_link *demoted; /* said that it may not write */
	struct timer pump, retry;
	struct loop_hook tick;
	size_t failures; /* attempts in a row without an answer between */
	bool away, was_up, closing;
	char reason[DB_REASON_SIZE + 128];
	char state_text[DB_REASON_SIZE + 160];
	uint64_t connects, connect_failures, disconnects, commits;
	unsigned int handles; /* timers still to be closed */
	loop_fn closed;
	void *closed_arg;
};

/* --- db_pool.c */
struct db_queue *db_pool_lane_of(struct db_pool *pool, const struct db_job *job);
size_t db_pool_count_queued(const struct db_pool *pool);
/* Pumps in the next turn of the loop. */
void db_pool_kick(struct db_pool *pool);

/* --- db_pool_send.c */
/* Sends what may be sent; opens a connection where one is wanted. A timer's callback; @arg is the pool. */
void db_pool_pump(void *arg);

/* --- db_pool_links.c */
bool db_pool_has_ready_link(const struct db_pool *pool);
/* One that will serve soon, or fail. */
bool db_pool_has_dialing_link(const struct db_pool *pool);
/* Opens a closed connection, or a new one where there may be one more. */
void db_pool_open_one(struct db_pool *pool);
/* The answer to the first question on a connection; takes it. */
void db_pool_probe_over(struct db_pool *pool, struct db_job *probe, int error);

/* --- db_pool_ends.c */
/* Tells @job how it ended; takes it. */
void db_pool_end_job(struct db_pool *pool, struct db_job *job, int error);
/* Tells all of pool->ending. */
void db_pool_end_all(struct db_pool *pool);
/* Those of @jobs that may go again go to the front of their lane, in their order; the others end with @error. Nothing
 * of them has happened, or they change nothing. */
void db_pool_send_again(struct db_pool *pool, struct db_job *jobs, int error);
/* A segment is over; each takes it. */
void db_pool_segment_done(struct db_pool *pool, struct db_segment *segment);
void db_pool_segment_failed(struct db_pool *pool, struct db_segment *segment);
/* Its connection went: its jobs go to @again, or to pool->ending. */
void db_pool_segment_lost(struct db_pool *pool, struct db_queue *again, struct db_segment *segment, bool oversized);

#endif
