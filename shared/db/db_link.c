/* One PostgreSQL connection as a state machine: dialing, then a pipeline (db_pipe.c), then its end. Run by the loop.
 * Must not block: no name look-up by libpq (conninfo.c does it), a timer of our own for each address (libpq's
 * asynchronous connect has none), non-blocking sends.
 *
 * The descriptor: PQsocket() may change in every step of connecting, and libpq may close it inside a call. So the watch
 * is dropped before each PQconnectPoll() and PQfinish() and made anew after; PQconsumeInput() can close it only on a
 * broken connection, and then the watch goes in the same callback, before anything else could be watched.
 *
 * libpq keeps an answer in memory until it is whole, without a limit. So what comes in is counted by what the kernel
 * has when we are called, and a connection that brings more than DB_RESULT_BYTES_MAX for one segment is given up. */
#include "shared/db/db_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postgresql/libpq-fe.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/machine.h"
#include "shared/db/db_recv.h"
#include "shared/log/log.h"
#include "shared/loop/watch.h"

#define READ_MAX (256 * 1024) /* in one pass */

_Static_assert(DB_RESULT_BYTES_MAX == 32 << 20, "words below name it");

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
	const char *role_why; /* the server reached is of the wrong role */
	bool broken, oversized;
	struct db_pipe pipe;
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

bool db_link_is_ready(const struct db_link *link)
{
	return link->machine.state == LINK_READY && !link->broken;
}

bool db_link_is_closed(const struct db_link *link)
{
	return link->machine.state == LINK_CLOSED;
}

const struct db_pipe *db_link_pipe(const struct db_link *link)
{
	return &link->pipe;
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
	link->broken = link->oversized = false;
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
	if (PQenterPipelineMode(link->connection) == 0 || watch_for(link, WATCH_READ, on_ready_io) < 0) {
		dial_error(link);
		return;
	}
	db_pipe_begin(&link->pipe, link->config->prepared);
	link->reason[0] = '\0';
	machine_step(&link->machine, LINK_CONNECTED, NULL);
	link->events->ready(link->arg, link);
}

/* Not the server that is looked for: the next address. */
static void wrong_role(struct db_link *link, const char *why)
{
	const struct conninfo_address *address = &link->addresses.rows[link->address];
	char text[DB_REASON_SIZE];

	snprintf(text, sizeof(text), "%s%s%s: %s (target_session_attrs)",
		 address->host          ? address->host
		 : address->hostaddr[0] ? address->hostaddr
					: "the default socket",
		 address->port ? ":" : "", address->port ? address->port : "", why);
	set_reason(link, text);
	link->refusal = (struct db_refusal){ -SHOAL_EOFFLINE, false, "" };
	dial_failed(link);
}

/* Takes the answer to CONNINFO_ROLE_SQL as far as it is there. */
static void role_step(struct db_link *link)
{
	while (!PQisBusy(link->connection)) {
		PGresult *result = PQgetResult(link->connection);
		bool good =
			PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 && PQnfields(result) == 2;

		if (!result) { /* the end of the answer; from here on the watch is another's */
			unwatch(link);
			if (link->role_why)
				wrong_role(link, link->role_why);
			else
				dial_done(link);
			return;
		}
		if (good)
			link->role_why = conninfo_refuses(link->config->conninfo, link->round,
							  PQgetvalue(result, 0, 0)[0] == 't',
							  PQgetvalue(result, 0, 1)[0] == 't');
		PQclear(result);
		if (!good) {
			dial_error(link);
			return;
		}
	}
}

static void on_role_io(void *arg, int error, int events)
{
	struct db_link *link = arg;
	int r;

	(void)error;
	(void)events;
	if (!PQconsumeInput(link->connection) || (r = PQflush(link->connection)) < 0 ||
	    watch_for(link, r > 0 ? WATCH_READ | WATCH_WRITE : WATCH_READ, on_role_io) < 0)
		dial_error(link);
	else
		role_step(link);
}

/* Connected: to the right one? The address's timer runs on meanwhile. */
static void ask_role(struct db_link *link)
{
	link->role_why = NULL;
	if (!PQsendQuery(link->connection, CONNINFO_ROLE_SQL) ||
	    watch_for(link, WATCH_READ | WATCH_WRITE, on_role_io) < 0)
		dial_error(link);
}

static void dial_connected(struct db_link *link)
{
	PQsetNoticeProcessor(link->connection, on_notice, link);
	if (PQsetnonblocking(link->connection, 1) < 0)
		dial_error(link);
	else if (conninfo_wants_role(link->config->conninfo, link->round))
		ask_role(link);
	else
		dial_done(link);
}

static void dial_step(struct db_link *link)
{
	PostgresPollingStatusType status;

	unwatch(link);
	status = PQconnectPoll(link->connection);
	switch (status) {
	case PGRES_POLLING_OK:
		dial_connected(link);
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

	link->connection = conninfo_connect(link->config->conninfo, &link->addresses.rows[link->address], &settings);
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

/* Tells of the end. The link is closed when lost() runs, and may be opened or freed in it. */
static void lose(struct db_link *link)
{
	struct db_segment *segments = db_pipe_abandon(&link->pipe);
	bool oversized = link->oversized;

	drop_connection(link);
	machine_step(&link->machine, LINK_LOST, NULL);
	link->events->lost(link->arg, link, link->reason, segments, oversized);
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

/* What is here belongs to the segment at turn, which may not bring more than it may. */
static void check_size(struct db_link *link, size_t taken)
{
	if (!link->pipe.first)
		return;
	link->pipe.bytes += taken;
	if (link->pipe.bytes <= DB_RESULT_BYTES_MAX)
		return;
	link->oversized = true;
	mark_broken(link, "an answer is larger than 32 MiB");
}

static void on_over(void *arg, struct db_segment *segment)
{
	struct db_link *link = arg;

	link->events->over(link->arg, link, segment);
}

static void on_ready_io(void *arg, int error, int events)
{
	struct db_link *link = arg;
	size_t taken = 0;

	(void)events;
	if (error < 0) {
		mark_broken(link, "the socket can't be watched any more");
	} else if (!db_recv_consume(link->connection, READ_MAX, &taken)) {
		unwatch(link);
		mark_broken(link, PQerrorMessage(link->connection));
	} else if (!db_pipe_take(&link->pipe, link->connection, on_over, link)) {
		mark_broken(link, PQerrorMessage(link->connection));
	} else if (link->machine.state == LINK_READY) {
		check_size(link, taken);
		flush(link);
	}
	if (link->machine.state == LINK_READY && link->broken)
		lose(link);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

bool db_link_send(struct db_link *link, struct db_segment *segment)
{
	if (db_pipe_send(&link->pipe, link->connection, segment))
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
	struct db_link *link = calloc(1, sizeof(*link));
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

struct db_segment *db_link_free(struct db_link *link)
{
	struct db_segment *segments;

	if (!link)
		return NULL;
	segments = db_pipe_abandon(&link->pipe);
	machine_step(&link->machine, LINK_FREE, NULL);
	conninfo_resolve_cancel(TAKE(link->resolve));
	drop_connection(link);
	db_pipe_finish(&link->pipe);
	timer_close(&link->timer, on_timer_closed);
	return segments;
}
