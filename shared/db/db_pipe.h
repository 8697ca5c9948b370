/* The pipeline on a connection that is ready: segments of jobs go out, their results come in, in the same order. Owned
 * by db_link.c, which owns the connection itself. Loop thread. */
#ifndef SHOAL_SHARED_DB_DB_PIPE_H
#define SHOAL_SHARED_DB_DB_PIPE_H

#include "shared/db/db_job.h"

struct pg_conn;
struct pg_result;

enum db_lane { DB_LANE_READ, DB_LANE_WRITE, DB_LANE_COUNT };

/* Jobs that share a transaction: commands and one sync. It is over when the sync is answered, for only then is the
 * commit known. */
struct db_segment {
	struct db_segment *next;
	enum db_lane lane;
	struct db_job *first, *last;
	size_t count, bytes;
	uint32_t timeout_ms; /* of each of its statements */
	bool own_timeout;

	/* while under way: the command whose result comes next */
	bool setting_timeout;
	bool prepared; /* the slot's first command, which prepares, is over */
	struct db_job *job;
	size_t slot;

	/* how it ended */
	bool failed;
	bool undone;            /* and surely nothing of it has happened */
	struct db_job *culprit; /* NULL: none of them, but the commit or what comes before all */
	char sqlstate[6];
	char said[DB_SAID_SIZE]; /* the server's words, where they may be shown */
};

struct db_pipe {
	bool naming; /* named statements */
	struct db_segment *first, *last;
	size_t counts[DB_LANE_COUNT]; /* segments under way */
	size_t jobs[DB_LANE_COUNT];   /* in them */
	uint64_t moved_ns;            /* when it last had a result, or got something to do, or became ready */
	uint64_t bytes;               /* received since the first one's first */
	uint8_t *named;               /* enum named of each statement, on this connection */
	size_t named_size;
};

/* NULL for lack of memory; takes nothing. */
struct db_segment *db_segment_new(enum db_lane lane);
void db_segment_add(struct db_segment *segment, struct db_job *job);
/* Its jobs, oldest first, the caller's from then on; frees the segment. */
struct db_job *db_segment_take_jobs(struct db_segment *segment);

/* A new connection: nothing is named on it. */
void db_pipe_begin(struct db_pipe *pipe, bool naming);
void db_pipe_finish(struct db_pipe *pipe);
/* Sends @segment and takes it. False: the connection broke by it. */
bool db_pipe_send(struct db_pipe *pipe, struct pg_conn *connection, struct db_segment *segment);
/* Takes what results are there; @over gets each segment that ended. False: the connection is of no more use. */
typedef void (*db_pipe_over_fn)(void *arg, struct db_segment *segment);
bool db_pipe_take(struct db_pipe *pipe, struct pg_conn *connection, db_pipe_over_fn over, void *arg);
/* What is under way, oldest first; the caller's from then on. */
struct db_segment *db_pipe_abandon(struct db_pipe *pipe);

#endif
