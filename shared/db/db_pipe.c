/* libpq's pipeline mode. Run by the loop. Must not block, and must not decide what becomes of a job: that is
 * db_pool.c's.
 *
 * A segment is a group of commands and a sync: perhaps the time-out, then each job's statements, each perhaps behind a
 * command that prepares it. PostgreSQL makes one transaction of it; an error inside skips the rest up to the sync and
 * undoes all. PQpipelineSync() writes at once: one write a segment. */
#include "shared/db/db_pipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postgresql/libpq-fe.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/db/db_error.h"
#include "shared/log/log.h"

#define NAME_SIZE 64 /* PostgreSQL's own limit */
#define BINARY    1

enum named { NAMED_NOT, NAMED_SENT, NAMED_READY, NAMED_BROKEN };

/* --- segments ----------------------------------------------------------------------------------------------------- */

struct db_segment *db_segment_new(enum db_lane lane)
{
	struct db_segment *segment = calloc(1, sizeof(*segment));

	if (segment)
		segment->lane = lane;
	return segment;
}

void db_segment_add(struct db_segment *segment, struct db_job *job)
{
	job->next = NULL;
	if (segment->last)
		segment->last->next = job;
	else
		segment->first = job;
	segment->last = job;
	segment->count++;
	segment->bytes += job->bytes;
	segment->own_timeout = segment->own_timeout || job->own_timeout;
	if (job->timeout_ms > segment->timeout_ms)
		segment->timeout_ms = job->timeout_ms;
}

struct db_job *db_segment_take_jobs(struct db_segment *segment)
{
	struct db_job *jobs = segment->first;

	free(segment);
	return jobs;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

void db_pipe_begin(struct db_pipe *pipe, bool naming)
{
	if (pipe->named)
		memset(pipe->named, NAMED_NOT, pipe->named_size);
	pipe->naming = naming;
	pipe->bytes = 0;
	pipe->moved_ns = clock_monotonic_ns();
}

void db_pipe_finish(struct db_pipe *pipe)
{
	free(TAKE(pipe->named));
	pipe->named_size = 0;
}

/* Where it is noted how statement @index stands on this connection; NULL: there is no memory for it. */
static uint8_t *named_of(struct db_pipe *pipe, size_t index)
{
	size_t size = (index | 63) + 1;
	uint8_t *named;

	if (index < pipe->named_size)
		return &pipe->named[index];
	named = realloc(pipe->named, size);
	if (!named)
		return NULL;
	memset(named + pipe->named_size, NAMED_NOT, size - pipe->named_size);
	pipe->named = named;
	pipe->named_size = size;
	return &named[index];
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

/* Behind a pgbouncer the start-up option is not ours to send and a SET would stay for the next client; local to the
 * segment's transaction it is neither. */
static int send_timeout(PGconn *connection, uint32_t timeout_ms)
{
	char text[16];
	const char *values[1] = { text };
	const Oid oids[1] = { 25 };

	snprintf(text, sizeof(text), "%u", timeout_ms);
	return PQsendQueryParams(connection, "SELECT pg_catalog.set_config('statement_timeout', $1, true)", 1, oids,
				 values, NULL, NULL, 0);
}

static int send_slot(struct db_pipe *pipe, PGconn *connection, struct db_slot *slot, bool plain)
{
	static const int formats[STATEMENT_PARAMS_MAX] = { [0 ... STATEMENT_PARAMS_MAX - 1] = BINARY };
	uint8_t *named = pipe->naming && !plain ? named_of(pipe, slot->place.index) : NULL;
	const struct statement *row = slot->statement;
	int count = (int)slot->param_count;
	Oid oids[STATEMENT_PARAMS_MAX];
	char name[NAME_SIZE];

	slot->preparing = false;
	for (int i = 0; i < count; i++)
		oids[i] = db_type_oid(row->params[i]);
	if (!named || *named == NAMED_BROKEN)
		return PQsendQueryParams(connection, row->sql, count, oids, slot->values, slot->lengths, formats,
					 BINARY);
	snprintf(name, sizeof(name), "shoal_%s_%s", slot->place.owner, row->name);
	if (*named == NAMED_NOT) {
		slot->preparing = true;
		*named = NAMED_SENT;
		if (!PQsendPrepare(connection, name, row->sql, count, oids))
			return 0;
	}
	return PQsendQueryPrepared(connection, name, count, slot->values, slot->lengths, formats, BINARY);
}

static bool send_all(struct db_pipe *pipe, PGconn *connection, struct db_segment *segment)
{
	segment->setting_timeout = !pipe->naming || segment->own_timeout;
	if (segment->setting_timeout && !send_timeout(connection, segment->timeout_ms))
		return false;
	for (struct db_job *job = segment->first; job; job = job->next) {
		job->tries++;
		for (size_t i = 0; i < job->count; i++)
			if (!send_slot(pipe, connection, &job->slots[i], job->plain))
				return false;
	}
	return PQpipelineSync(connection);
}

bool db_pipe_send(struct db_pipe *pipe, PGconn *connection, struct db_segment *segment)
{
	segment->job = segment->first;
	if (!pipe->first) {
		pipe->moved_ns = clock_monotonic_ns();
		pipe->bytes = 0;
	}
	if (pipe->last)
		pipe->last->next = segment;
	else
		pipe->first = segment;
	pipe->last = segment;
	pipe->counts[segment->lane]++;
	pipe->jobs[segment->lane] += segment->count;
	return send_all(pipe, connection, segment);
}

/* --- results ------------------------------------------------------------------------------------------------------ */

static struct db_slot *current_slot(struct db_segment *segment)
{
	return segment->job ? &segment->job->slots[segment->slot] : NULL;
}

/* How the prepared statement of @slot stands after its command, or the one that prepares it, ended. */
static void note_name(struct db_pipe *pipe, struct db_segment *segment, const struct db_slot *slot, bool failed)
{
	uint8_t *named = slot->place.index < pipe->named_size ? &pipe->named[slot->place.index] : NULL;

	if (!named)
		return;
	if (failed && segment->culprit == segment->job && db_error_never_began(segment->sqlstate) &&
	    !segment->job->plain && (slot->preparing || *named == NAMED_READY)) {
		if (*named != NAMED_BROKEN)
			log_warn(NULL, "db.named_statement_lost", KV_STR("owner", slot->place.owner),
				 KV_STR("statement", slot->statement->name), KV_STR("sqlstate", segment->sqlstate),
				 KV_MSG("a prepared statement is not where it was put; sent in full from now on: "
					"behind pgbouncer set postgres.prepared = off (after a migration this "
					"passes)"));
		*named = NAMED_BROKEN;
	} else if (slot->preparing && !segment->prepared) {
		*named = failed ? NAMED_NOT : NAMED_READY;
	}
}

/* The command that was at turn is over. */
static void command_over(struct db_pipe *pipe, struct db_segment *segment)
{
	struct db_slot *slot = current_slot(segment);

	if (segment->setting_timeout) {
		segment->setting_timeout = false;
		return;
	}
	if (!slot)
		return;
	note_name(pipe, segment, slot, segment->failed);
	if (slot->preparing && !segment->prepared) {
		segment->prepared = true;
		return;
	}
	segment->prepared = false;
	if (++segment->slot < segment->job->count)
		return;
	segment->slot = 0;
	segment->job = segment->job->next;
}

/* The first error of a segment is its cause; what follows is "aborted". */
static void segment_failed(struct db_segment *segment, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (segment->failed)
		return;
	segment->failed = true;
	/* FATAL and PANIC end the server's side, perhaps between a commit and its news. */
	segment->undone = severity && strcmp(severity, "ERROR") == 0 && state;
	snprintf(segment->sqlstate, sizeof(segment->sqlstate), "%s", state ? state : "");
	if (said && db_error_may_be_logged(segment->sqlstate))
		snprintf(segment->said, sizeof(segment->said), "%s", said);
	if (segment->setting_timeout || !segment->job)
		return;
	segment->culprit = segment->job;
	db_job_failed(segment->job, segment->slot, segment->sqlstate, segment->said);
}

/* Takes @result. True when the segment is over. */
static bool take_result(struct db_pipe *pipe, PGresult *result)
{
	struct db_segment *segment = pipe->first;
	struct db_slot *slot = segment->setting_timeout ? NULL : current_slot(segment);

	pipe->moved_ns = clock_monotonic_ns();
	switch (PQresultStatus(result)) {
	case PGRES_PIPELINE_SYNC:
		PQclear(result);
		return true;
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		if (slot && !slot->result.pg && (!slot->preparing || segment->prepared)) {
			slot->result.pg = result;
			return false;
		}
		break;
	case PGRES_PIPELINE_ABORTED:
		break; /* the error came before */
	default:
		segment_failed(segment, result);
	}
	PQclear(result);
	return false;
}

static struct db_segment *pop(struct db_pipe *pipe)
{
	struct db_segment *segment = pipe->first;

	pipe->first = segment->next;
	if (!pipe->first)
		pipe->last = NULL;
	pipe->counts[segment->lane]--;
	pipe->jobs[segment->lane] -= segment->count;
	pipe->bytes = 0;
	segment->next = NULL;
	return segment;
}

bool db_pipe_take(struct db_pipe *pipe, PGconn *connection, db_pipe_over_fn over, void *arg)
{
	unsigned int empty = 0;

	while (pipe->first && !PQisBusy(connection)) {
		PGresult *result = PQgetResult(connection);

		if (!result) {
			/* The end of a command; twice in a row there is none, and libpq has lost count. */
			if (++empty > 1)
				return false;
			command_over(pipe, pipe->first);
			continue;
		}
		empty = 0;
		if (PQstatus(connection) == CONNECTION_BAD) {
			PQclear(result);
			return false;
		}
		if (take_result(pipe, result))
			over(arg, pop(pipe));
	}
	return true;
}

struct db_segment *db_pipe_abandon(struct db_pipe *pipe)
{
	struct db_segment *segments = TAKE(pipe->first);

	pipe->last = NULL;
	memset(pipe->counts, 0, sizeof(pipe->counts));
	memset(pipe->jobs, 0, sizeof(pipe->jobs));
	return segments;
}
