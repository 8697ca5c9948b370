/* One connection to PostgreSQL: dialing (its own timer, a new watch each step), a pipeline of segments, ending. What to
 * do about a broken one is db_pool.c's affair. Loop thread only. */
#ifndef SHOAL_SHARED_DB_DB_LINK_H
#define SHOAL_SHARED_DB_DB_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/db/conninfo.h"
#include "shared/db/db_error.h"
#include "shared/db/db_pipe.h"
#include "shared/loop/loop.h"

#define DB_REASON_SIZE 512

struct db_link;

struct db_link_config {
	struct loop *loop;
	const struct conninfo *conninfo;
	const char *application_name;
	bool prepared;
	uint32_t connect_timeout_ms, statement_timeout_ms;
};

struct db_link_events {
	void (*ready)(void *arg, struct db_link *link);
	/* Every address failed; the link is closed again. */
	void (*failed)(void *arg, struct db_link *link, const struct db_refusal *refusal, const char *reason);
	/* It was ready and is closed now. @segments: what was under way, oldest first; takes them. @oversized: because
	 * the first one's answer is larger than DB_RESULT_BYTES_MAX. */
	void (*lost)(void *arg, struct db_link *link, const char *reason, struct db_segment *segments, bool oversized);
	/* A segment is over, committed or not: see how it ended. Takes it. */
	void (*over)(void *arg, struct db_link *link, struct db_segment *segment);
};

/* @config and @events are kept; they outlive the link. */
int db_link_new(const struct db_link_config *config, const struct db_link_events *events, void *arg,
		struct db_link **ret_link);
/* Gives up whatever it is at; returns what was under way, oldest first. Frees the link when libuv is done. */
struct db_segment *db_link_free(struct db_link *link);

/* Closed -> dialing; one of ready() and failed() follows, never from within the call. */
int db_link_open(struct db_link *link);
/* Sends @segment; takes it. False: the link broke by it; lost() follows from db_link_check(). */
bool db_link_send(struct db_link *link, struct db_segment *segment);
/* After a batch of db_link_send(): writes what can be written and reports a link that broke meanwhile. */
void db_link_check(struct db_link *link);
/* Ready -> closed, in order; nothing may be under way. */
void db_link_hang_up(struct db_link *link);
/* Ready -> closed through lost(): for a server that went silent or turned into a standby. */
void db_link_break(struct db_link *link, const char *reason);

bool db_link_is_ready(const struct db_link *link);
bool db_link_is_closed(const struct db_link *link);
/* What is under way; its own. */
const struct db_pipe *db_link_pipe(const struct db_link *link);

#endif
