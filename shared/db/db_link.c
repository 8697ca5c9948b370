/* One PostgreSQL connection as a state machine. Run by the loop. Must not block: no name look-up by libpq (conninfo.c
 * does it), a timer of our own for each address (libpq's asynchronous connect has none), non-blocking sends.
 *
 * The descriptor: PQsocket() may change in every step of connecting, and libpq may close it inside a call. So the watch
 * is dropped before each PQconnectPoll() and PQfinish() and made anew after; PQconsumeInput() can close it only on a
 * broken connection, and then the watch goes in the same callback, before anything else could be watched.
 *
 * Pipeline: each job is a group of one to three commands and a sync, so a transaction of its own: an error inside skips
 * the rest of its group only. It is over when its sync is answered, for only then is the commit known. PQpipelineSync()
 * writes at once, so a batch is one write a job; that libpq sends a group in one piece is what keeps it cheap. */
#include "shared/db/db_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/machine.h"
#include "shared/log/log.h"
#include "shared/loop/watch.h"

#define NAME_SIZE 64

enum named { NAMED_NOT, NAMED_SENT, NAMED_READY, NAMED_BROKEN };

struct db_link {
	const struct db_link_config *config;
	const struct db_link_events *events;
	void *arg;
	struct machine machine;
	PGconn *connection;
	struct watch *watch;
	int watched;        /* events */
	struct timer timer; /* of the address being dialled */
	struct conninfo_resolve *resolve;
	struct conninfo_addresses addresses;
	size_t address;
	unsigned int round;
	struct db_refusal refusal; /* of the last address that failed */
	char reason[DB_REASON_SIZE];
	bool broken;

	struct db_job *first, *last;
	size_t in_flight;
	uint64_t moved_ns;
	uint8_t named[]; /* enum named of each statement, on this connection */
};

/* --- states ------------------------------------------------------------------------------------------------------- */

enum link_state { LINK_CLOSED, LINK_RESOLVING, LINK_DIALING, LINK_READY, LINK_FREED, LINK_STATE_COUNT };
enum link_event {
	LINK_OPEN,
	LINK_RESOLVED,
	LINK_CONNECTED,
	LINK_NEXT,   /* this address failed, another is there */
	LINK_FAILED, /* none is left */
	LINK_LOST,
	LINK_FREE,
	LINK_EVENT_COUNT
};

static const char *const state_names[] = { "closed", "resolving", "dialing", "ready", "freed" };
static const char *const event_names[] = { "open", "resolved", "connected", "next", "failed", "lost", "free" };

static const struct machine_edge edges[LINK_STATE_COUNT][LINK_EVENT_COUNT] = {
	[LINK_CLOSED] = { [LINK_OPEN] = GO(LINK_RESOLVING, NULL), [LINK_FREE] = GO(LINK_FREED, NULL) },
	[LINK_RESOLVING] = { [LINK_RESOLVED] = GO(LINK_DIALING, NULL),
			     [LINK_FAILED] = GO(LINK_CLOSED, NULL),
			     [LINK_FREE] = GO(LINK_FREED, NULL) },
	[LINK_DIALING] = { [LINK_CONNECTED] = GO(LINK_READY, NULL),
			   [LINK_NEXT] = GO(LINK_DIALING, NULL),
			   [LINK_FAILED] = GO(LINK_CLOSED, NULL),
			   [LINK_FREE] = GO(LINK_FREED, NULL) },
	[LINK_READY] = { [LINK_LOST] = GO(LINK_CLOSED, NULL), [LINK_FREE] = GO(LINK_FREED, NULL) },
};

static const struct machine_table table = {
	.name = "db_link",
	.edges = &edges[0][0],
	.state_names = state_names,
	.event_names = event_names,
	.state_count = LINK_STATE_COUNT,
	.event_count = LINK_EVENT_COUNT,
};

static void trace(void *owner, const struct machine_table *of, uint8_t from, uint8_t event, uint8_t to, int accepted)
{
	(void)owner;
	if (accepted)
		log_debug(NULL, "db.link_step", KV_STR("from", of->state_names[from]),
			  KV_STR("on", of->event_names[event]), KV_STR("to", of->state_names[to]));
	else
		log_error(NULL, "db.link_protocol", KV_STR("state", of->state_names[from]),
			  KV_STR("on", of->event_names[event]), KV_MSG("a connection did something out of turn"));
}

/* --- small things ------------------------------------------------------------------------------------------------- */

void db_job_free(struct db_job *job)
{
	if (!job)
		return;
	PQclear(job->result);
	free(job);
}

bool db_link_is_ready(const struct db_link *link)
{
	return link->machine.state == LINK_READY && !link->broken;
}

bool db_link_is_closed(const struct db_link *link)
{
	return link->machine.state == LINK_CLOSED;
}

size_t db_link_in_flight(const struct db_link *link)
{
	return link->in_flight;
}

struct db_job *db_link_jobs(const struct db_link *link)
{
	return link->first;
}

uint64_t db_link_moved_ns(const struct db_link *link)
{
	return link->moved_ns;
}

static void set_reason(struct db_link *link, const char *text)
{
	size_t len;

	snprintf(link->reason, sizeof(link->reason), "%s", text);
	len = strlen(link->reason);
	while (len > 0 && (link->reason[len - 1] == '\n' || link->reason[len - 1] == ' '))
		link->reason[--len] = '\0';
	for (char *at = link->reason; *at; at++)
		if (*at == '\n' || *at == '\t')
			*at = ' ';
}

static void on_ready_io(void *arg, int error, int events);
static void on_dial_io(void *arg, int error, int events);

/* Waits for @events on the descriptor of now. */
static int watch_for(struct db_link *link, int events, watch_fn fn)
{
	int r;

	if (link->watch && link->watched == events)
		return 0;
	link->watched = events;
	if (link->watch)
		return watch_set(link->watch, events);
	r = watch_new(link->config->loop, PQsocket(link->connection), events, fn, link, &link->watch);
	return r;
}

static void unwatch(struct db_link *link)
{
	watch_free(TAKE(link->watch));
}

static void drop_connection(struct db_link *link)
{
	timer_stop(&link->timer);
	unwatch(link);
	PQfinish(TAKE(link->connection));
	link->broken = false;
}

/* --- dialing ------------------------------------------------------------------------------------------------------ */

static void dial_again(struct db_link *link);

/* This address is done with; reason and refusal say why. */
static void dial_failed(struct db_link *link)
{
	struct db_refusal refusal = link->refusal;

	drop_connection(link);
	if (++link->address < link->addresses.count) {
		machine_step(&link->machine, LINK_NEXT, NULL);
		dial_again(link);
		return;
	}
	if (link->addresses.count > 0 && ++link->round < conninfo_rounds(link->config->conninfo)) {
		link->address = 0;
		machine_step(&link->machine, LINK_NEXT, NULL);
		dial_again(link);
		return;
	}
	machine_step(&link->machine, LINK_FAILED, NULL);
	link->events->failed(link->arg, link, &refusal, link->reason);
}

static void dial_error(struct db_link *link)
{
	const char *message = link->connection ? PQerrorMessage(link->connection) : "out of memory";

	set_reason(link, message);
	link->refusal = db_error_of_connect(message);
	dial_failed(link);
}

static void on_dial_timeout(void *arg)
{
	struct db_link *link = arg;
	char text[DB_REASON_SIZE];
	const struct conninfo_address *address = &link->addresses.rows[link->address];

	snprintf(text, sizeof(text), "%s does not answer: no connection within %u ms",
		 address->hostaddr[0] ? address->hostaddr
		 : address->host      ? address->host
				      : "the default socket",
		 link->config->connect_timeout_ms);
	set_reason(link, text);
	link->refusal = (struct db_refusal){ -SHOAL_EOFFLINE, false, "" };
	dial_failed(link);
}

static void on_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message; /* may quote values; libpq would print it on stderr */
}

static void dial_done(struct db_link *link)
{
	timer_stop(&link->timer);
	PQsetNoticeProcessor(link->connection, on_notice, link);
	if (PQsetnonblocking(link->connection, 1) < 0 || PQenterPipelineMode(link->connection) == 0 ||
	    watch_for(link, WATCH_READ, on_ready_io) < 0) {
		dial_error(link);
		return;
	}
	memset(link->named, NAMED_NOT, link->config->statement_count);
	link->moved_ns = clock_monotonic_ns();
	link->reason[0] = '\0';
	machine_step(&link->machine, LINK_CONNECTED, NULL);
	link->events->ready(link->arg, link);
}

static void dial_step(struct db_link *link)
{
	PostgresPollingStatusType status;

	unwatch(link);
	status = PQconnectPoll(link->connection);
	switch (status) {
	case PGRES_POLLING_OK:
		dial_done(link);
		return;
	case PGRES_POLLING_READING:
	case PGRES_POLLING_WRITING:
		if (watch_for(link, status == PGRES_POLLING_READING ? WATCH_READ : WATCH_WRITE, on_dial_io) == 0)
			return;
		set_reason(link, "the socket can't be watched");
		link->refusal = (struct db_refusal){ -SHOAL_EOFFLINE, false, "" };
		dial_failed(link);
		return;
	default:
		dial_error(link);
	}
}

static void on_dial_io(void *arg, int error, int events)
{
	(void)error; /* libpq finds out by itself, and says it better */
	(void)events;
	dial_step(arg);
}

/* Begins the attempt at link->address. May end in failed() at once, so it runs from the loop only. */
static void dial_again(struct db_link *link)
{
	struct conninfo_settings settings = {
		.application_name = link->config->application_name,
		.statement_timeout_ms = link->config->prepared ? link->config->statement_timeout_ms : 0,
	};

	link->connection =
		conninfo_connect(link->config->conninfo, &link->addresses.rows[link->address], link->round, &settings);
	if (!link->connection || PQstatus(link->connection) == CONNECTION_BAD) {
		dial_error(link);
		return;
	}
	timer_start(&link->timer, link->config->connect_timeout_ms);
	if (watch_for(link, WATCH_WRITE, on_dial_io) < 0) {
		set_reason(link, "the socket can't be watched");
		link->refusal = (struct db_refusal){ -SHOAL_EOFFLINE, false, "" };
		dial_failed(link);
	}
}

static void on_resolved(void *arg, const struct conninfo_addresses *addresses)
{
	struct db_link *link = arg;

	link->resolve = NULL;
	link->addresses = *addresses;
	link->address = 0;
	link->round = 0;
	link->refusal = (struct db_refusal){ -SHOAL_EOFFLINE, false, "" };
	if (addresses->count == 0) {
		set_reason(link, addresses->failure);
		machine_step(&link->machine, LINK_FAILED, NULL);
		link->events->failed(link->arg, link, &link->refusal, link->reason);
		return;
	}
	machine_step(&link->machine, LINK_RESOLVED, NULL);
	dial_again(link);
}

int db_link_open(struct db_link *link)
{
	int r;

	r = conninfo_resolve_start(link->config->loop, link->config->conninfo, on_resolved, link, &link->resolve);
	if (r < 0)
		return r;
	machine_step(&link->machine, LINK_OPEN, NULL);
	return 0;
}

/* --- results ------------------------------------------------------------------------------------------------------ */

static struct db_job *pop_job(struct db_link *link)
{
	struct db_job *job = link->first;

	link->first = job->next;
	if (!link->first)
		link->last = NULL;
	link->in_flight--;
	job->next = NULL;
	return job;
}

static void job_over(struct db_link *link)
{
	struct db_job *job = pop_job(link);
	uint8_t *named = &link->named[job->index];

	if (job->failed && db_error_never_began(job->sqlstate) && !job->plain &&
	    (job->preparing || *named == NAMED_READY)) {
		*named = NAMED_BROKEN;
		log_warn(NULL, "db.named_statement_lost", KV_STR("statement", job->statement->name),
			 KV_STR("sqlstate", job->sqlstate),
			 KV_MSG("a prepared statement is not where it was put; sent in full from now on: behind "
				"pgbouncer set postgres.prepared = off (after a migration this passes)"));
	} else if (job->preparing) {
		*named = job->failed ? NAMED_NOT : NAMED_READY;
	}
	link->events->done(link->arg, link, job);
}

/* The first error of a group is its cause; what follows is "aborted". */
static void job_failed(struct db_job *job, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (job->failed)
		return;
	job->failed = true;
	snprintf(job->sqlstate, sizeof(job->sqlstate), "%s", state ? state : "");
	if (said && db_error_may_be_logged(job->sqlstate))
		snprintf(job->said, sizeof(job->said), "%s", said);
}

/* Takes @result. True when the group is over. */
static bool take_result(struct db_link *link, PGresult *result)
{
	struct db_job *job = link->first;

	link->moved_ns = clock_monotonic_ns();
	switch (PQresultStatus(result)) {
	case PGRES_PIPELINE_SYNC:
		PQclear(result);
		return true;
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		if (job->steps == 1 && !job->result) {
			job->result = result;
			return false;
		}
		break;
	case PGRES_PIPELINE_ABORTED:
		break; /* the error came before */
	default:
		job_failed(job, result);
	}
	PQclear(result);
	return false;
}

/* Takes all results that are there. False when the connection is of no more use. */
static bool take_results(struct db_link *link)
{
	unsigned int empty = 0;

	while (link->first && !PQisBusy(link->connection)) {
		PGresult *result = PQgetResult(link->connection);

		if (!result) {
			/* The end of a command; twice in a row there is none, and libpq has lost count. */
			if (++empty > 1)
				return false;
			if (link->first->steps > 0)
				link->first->steps--;
			continue;
		}
		empty = 0;
		if (PQstatus(link->connection) == CONNECTION_BAD) {
			PQclear(result);
			return false;
		}
		if (take_result(link, result))
			job_over(link);
	}
	return true;
}

/* Tells of the end. The link is closed when lost() runs, and may be opened or freed in it. */
static void lose(struct db_link *link)
{
	struct db_job *jobs = TAKE(link->first);

	link->last = NULL;
	link->in_flight = 0;
	drop_connection(link);
	machine_step(&link->machine, LINK_LOST, NULL);
	link->events->lost(link->arg, link, link->reason, jobs);
}

static void mark_broken(struct db_link *link, const char *reason)
{
	if (link->broken)
		return;
	set_reason(link, reason && *reason ? reason : "the connection broke");
	link->broken = true;
}

static void flush(struct db_link *link)
{
	int r = PQflush(link->connection);

	if (r < 0 || watch_for(link, r > 0 ? WATCH_READ | WATCH_WRITE : WATCH_READ, on_ready_io) < 0)
		mark_broken(link, PQerrorMessage(link->connection));
}

static void on_ready_io(void *arg, int error, int events)
{
	struct db_link *link = arg;

	(void)events;
	if (error < 0) {
		mark_broken(link, "the socket can't be watched any more");
	} else if (!PQconsumeInput(link->connection)) {
		unwatch(link);
		mark_broken(link, PQerrorMessage(link->connection));
	} else if (!take_results(link)) {
		mark_broken(link, PQerrorMessage(link->connection));
	} else if (link->machine.state == LINK_READY) {
		flush(link);
	}
	if (link->machine.state == LINK_READY && link->broken)
		lose(link);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void oids_of(const struct statement *statement, Oid oids[STATEMENT_PARAMS_MAX])
{
	size_t count = statement_param_count(statement);

	for (size_t i = 0; i < count; i++)
		oids[i] = db_type_oid(statement->params[i]);
}

/* Behind a pgbouncer the start-up option is not ours to send and a SET would stay for the next client; local to the
 * group's transaction it is neither. */
static int send_timeout(struct db_link *link)
{
	char text[16];
	const char *values[1] = { text };
	const Oid oids[1] = { 25 };

	snprintf(text, sizeof(text), "%u", link->config->statement_timeout_ms);
	return PQsendQueryParams(link->connection, "SELECT pg_catalog.set_config('statement_timeout', $1, true)", 1,
				 oids, values, NULL, NULL, 0);
}

static int send_commands(struct db_link *link, struct db_job *job)
{
	int count = (int)statement_param_count(job->statement);
	uint8_t *named = &link->named[job->index];
	Oid oids[STATEMENT_PARAMS_MAX];
	char name[NAME_SIZE];

	oids_of(job->statement, oids);
	if (!link->config->prepared) {
		job->steps++;
		if (!send_timeout(link))
			return 0;
	}
	job->steps++;
	if (!link->config->prepared || job->plain || *named == NAMED_BROKEN)
		return PQsendQueryParams(link->connection, job->statement->sql, count, oids, job->values, NULL, NULL,
					 0);
	snprintf(name, sizeof(name), "shoal_%s", job->statement->name);
	if (*named == NAMED_NOT) {
		job->steps++;
		job->preparing = true;
		*named = NAMED_SENT;
		if (!PQsendPrepare(link->connection, name, job->statement->sql, count, oids))
			return 0;
	}
	return PQsendQueryPrepared(link->connection, name, count, job->values, NULL, NULL, 0);
}

bool db_link_send(struct db_link *link, struct db_job *job)
{
	job->steps = 0;
	job->preparing = job->failed = false;
	job->sqlstate[0] = job->said[0] = '\0';
	job->tries++;
	job->next = NULL;
	if (link->last)
		link->last->next = job;
	else
		link->first = job;
	link->last = job;
	if (link->in_flight++ == 0)
		link->moved_ns = clock_monotonic_ns();
	if (send_commands(link, job) && PQpipelineSync(link->connection))
		return true;
	mark_broken(link, PQerrorMessage(link->connection));
	return false;
}

void db_link_check(struct db_link *link)
{
	if (link->machine.state != LINK_READY)
		return;
	if (!link->broken)
		flush(link);
	if (link->broken)
		lose(link);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

int db_link_new(const struct db_link_config *config, const struct db_link_events *events, void *arg,
		struct db_link **ret_link)
{
	struct db_link *link = calloc(1, sizeof(*link) + config->statement_count);
	int r;

	if (!link)
		return -ENOMEM;
	link->config = config;
	link->events = events;
	link->arg = arg;
	machine_init(&link->machine, &table, LINK_CLOSED, link, trace);
	r = timer_init(&link->timer, config->loop, on_dial_timeout, link);
	if (r < 0) {
		free(link);
		return r;
	}
	*ret_link = link;
	return 0;
}

void db_link_hang_up(struct db_link *link)
{
	drop_connection(link);
	machine_step(&link->machine, LINK_LOST, NULL);
}

void db_link_break(struct db_link *link, const char *reason)
{
	mark_broken(link, reason);
	lose(link);
}

static void on_timer_closed(void *arg)
{
	free(arg);
}

struct db_job *db_link_free(struct db_link *link)
{
	struct db_job *jobs;

	if (!link)
		return NULL;
	jobs = TAKE(link->first);
	machine_step(&link->machine, LINK_FREE, NULL);
	conninfo_resolve_cancel(TAKE(link->resolve));
	drop_connection(link);
	timer_close(&link->timer, on_timer_closed);
	return jobs;
}
