/* Plain libpq for the verbs that work on the database themselves. Run by shoalctl, which may block. Must not print, and
 * must not let a value of a conninfo into a text. */
#include "supervisor/ctl/database.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/db/conninfo.h"
#include "shared/db/db_error.h"
#include "supervisor/ctl/ctl.h"

#define PRIVATE_CONFIG_NAME "private.ini" /* written by deploy/local/run.py */

const struct config *ctl_database_config(const struct ctl_options *options, struct config **ret_own)
{
	CLEANUP(config_freep) struct config *config = NULL;
	char path[PATH_MAX], error[CONFIG_ERROR_SIZE];

	if (options->config->postgres_conninfo[0])
		return options->config;
	if (snprintf(path, sizeof(path), "%s/" PRIVATE_CONFIG_NAME, options->runtime_dir) >= (int)sizeof(path) ||
	    access(path, R_OK) < 0 || config_load(path, NULL, NULL, &config, error) < 0 ||
	    !config->postgres_conninfo[0])
		return NULL;
	return *ret_own = TAKE(config);
}

/* libpq's words come in several lines with tabs: one line of them. */
static void tidy(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if ((unsigned char)*from >= ' ')
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void on_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message; /* may quote values; libpq would print it on stderr */
}

int database_connect_params(const char *const *keywords, const char *const *values, PGconn **ret_connection,
			    struct database_error *error)
{
	CLEANUP(database_finish) PGconn *connection = PQconnectdbParams(keywords, values, 1);
	struct db_refusal refusal;

	*error = (struct database_error){ 0 };
	if (!connection)
		return -ENOMEM;
	if (PQstatus(connection) == CONNECTION_OK) {
		PQsetNoticeProcessor(connection, on_notice, NULL);
		*ret_connection = TAKE(connection);
		return 0;
	}
	snprintf(error->text, sizeof(error->text), "%s", PQerrorMessage(connection));
	tidy(error->text);
	refusal = db_error_of_connect(error->text);
	error->hint = refusal.hint;
	return refusal.error;
}

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0 && options->val)
			return options->val;
	return "";
}

/* The @index-th of "a,b,c" (an empty one too); false beyond the last. */
static bool list_piece(const char *list, size_t index, char *piece, size_t size)
{
	for (; index > 0; index--) {
		list = strchr(list, ',');
		if (!list)
			return false;
		list++;
	}
	snprintf(piece, size, "%.*s", (int)strcspn(list, ","), list);
	return true;
}

bool database_host(const PQconninfoOption *options, size_t index, struct database_host *ret_host)
{
	const char *hosts = option_of(options, "host"), *addresses = option_of(options, "hostaddr"),
		   *ports = option_of(options, "port");
	struct database_host host = { .host = "" };

	if (!list_piece(*hosts ? hosts : addresses, index, host.place, sizeof(host.place)))
		return false;
	list_piece(hosts, index, host.host, sizeof(host.host));
	list_piece(addresses, index, host.hostaddr, sizeof(host.hostaddr));
	if (!list_piece(ports, index, host.port, sizeof(host.port)))
		snprintf(host.port, sizeof(host.port), "%s", ports); /* one for all */
	if (host.port[0])
		snprintf(host.place + strlen(host.place), sizeof(host.place) - strlen(host.place), ":%s", host.port);
	*ret_host = host;
	return true;
}

int database_connect_host(const char *conninfo, const struct database_host *host, const char *application_name,
			  uint32_t timeout_ms, PGconn **ret_connection, struct database_error *error)
{
	char timeout[16];
	/* Of two that say the same, libpq takes the later. */
	const char *keywords[] = { "connect_timeout",
				   "fallback_application_name",
				   "gssencmode",
				   "client_encoding",
				   "dbname",
				   "host",
				   "hostaddr",
				   "port",
				   "target_session_attrs",
				   NULL };
	const char *values[] = { timeout,    application_name, "disable",  "UTF8", conninfo,
				 host->host, host->hostaddr,   host->port, "any",  NULL };

	/* libpq counts seconds, and takes 1 for 2. */
	snprintf(timeout, sizeof(timeout), "%u", (timeout_ms + 999) / 1000);
	return database_connect_params(keywords, values, ret_connection, error);
}

/* Whether this server is of the role that @conninfo looks for; the reason why not is in @error. */
static int check_role(PGconn *connection, const struct conninfo *conninfo, unsigned int round, const char *place,
		      uint32_t timeout_ms, struct database_error *error)
{
	DATABASE_RESULT result = NULL;
	const char *why;
	int r;

	if (!conninfo_wants_role(conninfo, round))
		return 0;
	r = database_run(connection, timeout_ms, CONNINFO_ROLE_SQL, 0, NULL, &result, error);
	if (r < 0)
		return r;
	why = conninfo_refuses(conninfo, round, PQgetvalue(result, 0, 0)[0] == 't', PQgetvalue(result, 0, 1)[0] == 't');
	if (why)
		snprintf(error->text, sizeof(error->text), "%s: %s (target_session_attrs)", place, why);
	return why ? -SHOAL_EOFFLINE : 0;
}

/* The hosts in their order, as the programs' own connections do it. */
static int connect_round(const char *text, const PQconninfoOption *options, const struct conninfo *conninfo,
			 unsigned int round, const char *application_name, uint32_t timeout_ms, PGconn **ret_connection,
			 struct database_error *error)
{
	struct database_host host;
	int r = -SHOAL_EOFFLINE;

	for (size_t i = 0; i < CONNINFO_HOSTS_MAX && database_host(options, i, &host); i++) {
		CLEANUP(database_finish) PGconn *connection = NULL;

		r = database_connect_host(text, &host, application_name, timeout_ms, &connection, error);
		if (r == 0)
			r = check_role(connection, conninfo, round, host.place, timeout_ms, error);
		if (r == 0) {
			*ret_connection = TAKE(connection);
			break;
		}
	}
	return r;
}

int database_connect(const char *text, const char *application_name, uint32_t timeout_ms, PGconn **ret_connection,
		     struct database_error *error)
{
	PQconninfoOption *options = PQconninfoParse(text, NULL);
	struct conninfo *conninfo = NULL;
	char why[CONNINFO_TEXT_SIZE];
	int r = conninfo_parse(text, &conninfo, why);

	*error = (struct database_error){ 0 };
	if (r < 0)
		snprintf(error->text, sizeof(error->text), "postgres.conninfo: %s", why[0] ? why : error_text(r));
	for (unsigned int round = 0; r == 0 && round < conninfo_rounds(conninfo); round++) {
		r = connect_round(text, options, conninfo, round, application_name, timeout_ms, ret_connection, error);
		if (r == 0)
			break;
		if (round + 1 < conninfo_rounds(conninfo))
			r = 0;
	}
	conninfo_free(conninfo);
	PQconninfoFree(options);
	return r;
}

void database_finish(PGconn **connection)
{
	PQfinish(*connection);
	*connection = NULL;
}

void database_clear(PGresult **result)
{
	PQclear(*result);
	*result = NULL;
}

void database_place(const PGconn *connection, char *text, size_t size)
{
	const char *host = PQhost(connection), *port = PQport(connection);

	snprintf(text, size, "%s%s%s", host && *host ? host : "the default socket", port && *port ? ":" : "",
		 port && *port ? port : "");
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* Waits until a result can be taken without blocking. */
static int await_result(PGconn *connection, uint64_t deadline_ns)
{
	while (PQisBusy(connection)) {
		struct pollfd poll_fd = { .fd = PQsocket(connection), .events = POLLIN };
		uint64_t now = clock_monotonic_ns();
		int wait_ms = -1;

		if (deadline_ns) {
			if (now >= deadline_ns)
				return -ETIMEDOUT;
			wait_ms = (int)((deadline_ns - now) / NS_PER_MS) + 1;
		}
		if (poll(&poll_fd, 1, wait_ms) < 0 && errno != EINTR)
			return -errno;
		if (poll_fd.revents && !PQconsumeInput(connection))
			return 0; /* libpq has an error result ready */
	}
	return 0;
}

static int fail(PGconn *connection, const PGresult *result, struct database_error *error)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *said = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	if (!state) {
		snprintf(error->text, sizeof(error->text), "the connection to the database broke: %s",
			 PQerrorMessage(connection));
		tidy(error->text);
		return -SHOAL_EOFFLINE;
	}
	snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", state);
	snprintf(error->text, sizeof(error->text), "%s (SQLSTATE %s)", said ? said : "refused", state);
	tidy(error->text);
	return db_error_of_sqlstate(state);
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
}

int database_await(PGconn *connection, uint32_t timeout_ms, PGresult **ret_result, struct database_error *error)
{
	uint64_t deadline_ns = timeout_ms ? clock_monotonic_ns() + timeout_ms * NS_PER_MS : 0;
	DATABASE_RESULT last = NULL;
	PGresult *next;
	int r;

	*error = (struct database_error){ 0 };
	for (;;) {
		r = await_result(connection, deadline_ns);
		if (r < 0) {
			snprintf(error->text, sizeof(error->text), "the database did not answer within %u s",
				 timeout_ms / 1000);
			return r;
		}
		next = PQgetResult(connection);
		if (!next)
			break;
		/* The first that failed counts: what follows it is its consequence. */
		if (last && !is_good(last)) {
			PQclear(next);
			continue;
		}
		PQclear(last);
		last = next;
	}
	if (!last || !is_good(last))
		return fail(connection, last, error);
	if (ret_result)
		*ret_result = TAKE(last);
	return 0;
}

int database_run(PGconn *connection, uint32_t timeout_ms, const char *sql, int count, const char *const *values,
		 PGresult **ret_result, struct database_error *error)
{
	*error = (struct database_error){ 0 };
	if (!(count ? PQsendQueryParams(connection, sql, count, NULL, values, NULL, NULL, 0)
		    : PQsendQuery(connection, sql)))
		return fail(connection, NULL, error);
	return database_await(connection, timeout_ms, ret_result, error);
}

/* --- fields ------------------------------------------------------------------------------------------------------- */

const char *database_text(const PGresult *result, int row, const char *column)
{
	int number = PQfnumber(result, column);

	return number >= 0 && row < PQntuples(result) ? PQgetvalue(result, row, number) : "";
}

int64_t database_int(const PGresult *result, int row, const char *column)
{
	return strtoll(database_text(result, row, column), NULL, 10);
}

double database_real(const PGresult *result, int row, const char *column)
{
	return strtod(database_text(result, row, column), NULL);
}

bool database_is_null(const PGresult *result, int row, const char *column)
{
	int number = PQfnumber(result, column);

	return number < 0 || row >= PQntuples(result) || PQgetisnull(result, row, number);
}

bool database_bool(const PGresult *result, int row, const char *column)
{
	return database_text(result, row, column)[0] == 't';
}

/* --- what stands between ------------------------------------------------------------------------------------------ */

int database_has_pooler(PGconn *connection, uint32_t timeout_ms, bool *ret_pooler, struct database_error *error)
{
	DATABASE_RESULT result = NULL;
	int r = database_run(connection, timeout_ms, "SELECT pg_catalog.pg_backend_pid() AS pid", 0, NULL, &result,
			     error);

	if (r < 0)
		return r;
	*ret_pooler = database_int(result, 0, "pid") != PQbackendPID(connection);
	return 0;
}
