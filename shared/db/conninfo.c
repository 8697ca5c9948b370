/* Takes a conninfo apart and resolves its names on libuv's threads. Run by the loop. Must not block and must not let a
 * value (a password least of all) into an error text.
 * Left to libpq: ~/.pgpass, sslmode and its files, and a `service` (read from a local file; a name in it is resolved by
 * libpq itself, which blocks: the example configuration says so). */
#include "shared/db/conninfo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"

struct conninfo_host {
	const char *host, *hostaddr, *port; /* into `cut`; NULL: not given */
};

struct conninfo {
	PQconninfoOption *options;
	struct conninfo_host hosts[CONNINFO_HOSTS_MAX];
	size_t host_count;
	char *cut[3]; /* copies of host, hostaddr and port, cut at their commas */
	char places[CONNINFO_TEXT_SIZE];
	const struct role_row *role;
};

enum wish { WISH_NONE, WISH_YES, WISH_NO };

/* What target_session_attrs may say; the row after the last round counts for no more. */
static const struct role_row {
	const char *name;
	enum wish standby, read_only;
	bool then_any; /* a second round takes what there is */
} role_rows[] = {
	{ "any", WISH_NONE, WISH_NONE, false },      { "read-write", WISH_NONE, WISH_NO, false },
	{ "read-only", WISH_NONE, WISH_YES, false }, { "primary", WISH_NO, WISH_NONE, false },
	{ "standby", WISH_YES, WISH_NONE, false },   { "prefer-standby", WISH_YES, WISH_NONE, true },
};

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val && options->val[0] ? options->val : NULL;
	return NULL;
}

/* Cuts a copy of @list at its commas. The count, -E2BIG over the maximum, -ENOMEM. */
static int cut_list(const char *list, char **ret_copy, const char *pieces[CONNINFO_HOSTS_MAX])
{
	char *copy, *at;
	int count = 0;

	if (!list)
		return 0;
	copy = strdup(list);
	if (!copy)
		return -ENOMEM;
	*ret_copy = copy;
	for (at = copy; at;) {
		if (count == CONNINFO_HOSTS_MAX)
			return -E2BIG;
		pieces[count++] = strsep(&at, ",");
	}
	return count;
}

static void describe(struct conninfo *conninfo)
{
	size_t len = 0;

	for (size_t i = 0; i < conninfo->host_count && len < sizeof(conninfo->places) - 1; i++) {
		const struct conninfo_host *host = &conninfo->hosts[i];
		const char *name = host->host ? host->host : host->hostaddr ? host->hostaddr : "the default socket";

		len += (size_t)snprintf(conninfo->places + len, sizeof(conninfo->places) - len, "%s%s%s%s",
					i ? "," : "", name, host->port ? ":" : "", host->port ? host->port : "");
	}
}

/* host, hostaddr and port are lists that must fit each other, as in libpq. */
static int take_hosts(struct conninfo *conninfo, char error[CONNINFO_TEXT_SIZE])
{
	static const char *const keywords[3] = { "host", "hostaddr", "port" };
	const char *pieces[3][CONNINFO_HOSTS_MAX] = { { NULL } };
	int counts[3], hosts;

	for (size_t i = 0; i < 3; i++) {
		const char *list = option_value(conninfo->options, keywords[i]);

		if (!list && i == 0 && !option_value(conninfo->options, "hostaddr"))
			list = getenv("PGHOST");
		counts[i] = cut_list(list, &conninfo->cut[i], pieces[i]);
		if (counts[i] == -E2BIG)
			snprintf(error, CONNINFO_TEXT_SIZE, "more than %d hosts", CONNINFO_HOSTS_MAX);
		if (counts[i] < 0)
			return counts[i] == -E2BIG ? -EINVAL : counts[i];
	}
	hosts = counts[1] > counts[0] ? counts[1] : counts[0];
	if ((counts[0] && counts[1] && counts[0] != counts[1]) || (counts[2] > 1 && counts[2] != hosts)) {
		snprintf(error, CONNINFO_TEXT_SIZE, "host, hostaddr and port list different numbers of servers");
		return -EINVAL;
	}
	conninfo->host_count = hosts > 0 ? (size_t)hosts : 1;
	for (size_t i = 0; i < conninfo->host_count; i++) {
		const char *host = pieces[0][i], *hostaddr = pieces[1][i];
		const char *port = counts[2] == 1 ? pieces[2][0] : pieces[2][i];

		conninfo->hosts[i] = (struct conninfo_host){
			.host = host && *host ? host : NULL,
			.hostaddr = hostaddr && *hostaddr ? hostaddr : NULL,
			.port = port && *port ? port : NULL,
		};
	}
	describe(conninfo);
	return 0;
}

int conninfo_parse(const char *text, struct conninfo **ret_conninfo, char error[CONNINFO_TEXT_SIZE])
{
	struct conninfo *conninfo = calloc(1, sizeof(*conninfo));
	const char *attrs;
	char *message = NULL;
	int r;

	error[0] = '\0';
	if (!conninfo)
		return -ENOMEM;
	conninfo->options = PQconninfoParse(text, &message);
	if (!conninfo->options) {
		/* libpq's words quote what it stumbled over, which may be half a password. */
		snprintf(error, CONNINFO_TEXT_SIZE,
			 "not a connection string: expected postgresql://user:password@host:port/database or "
			 "key=value pairs");
		PQfreemem(message);
		free(conninfo);
		return -EINVAL;
	}
	r = take_hosts(conninfo, error);
	if (r < 0) {
		conninfo_free(conninfo);
		return r;
	}
	attrs = option_value(conninfo->options, "target_session_attrs");
	for (size_t i = 0; i < ARRAY_SIZE(role_rows); i++)
		if (strcmp(attrs ? attrs : "any", role_rows[i].name) == 0)
			conninfo->role = &role_rows[i];
	if (!conninfo->role) {
		snprintf(error, CONNINFO_TEXT_SIZE,
			 "target_session_attrs is not one of any, read-write, read-only, primary, standby, "
			 "prefer-standby");
		conninfo_free(conninfo);
		return -EINVAL;
	}
	*ret_conninfo = conninfo;
	return 0;
}

struct conninfo *conninfo_free(struct conninfo *conninfo)
{
	if (!conninfo)
		return NULL;
	PQconninfoFree(conninfo->options);
	for (size_t i = 0; i < ARRAY_SIZE(conninfo->cut); i++)
		free(conninfo->cut[i]);
	free(conninfo);
	return NULL;
}

const char *conninfo_places(const struct conninfo *conninfo)
{
	return conninfo->places;
}

unsigned int conninfo_rounds(const struct conninfo *conninfo)
{
	return conninfo->role->then_any ? 2 : 1;
}

bool conninfo_wants_role(const struct conninfo *conninfo, unsigned int round)
{
	return round == 0 && (conninfo->role->standby != WISH_NONE || conninfo->role->read_only != WISH_NONE);
}

static bool is_wanted(enum wish wish, bool is)
{
	return wish == WISH_NONE || (wish == WISH_YES) == is;
}

const char *conninfo_refuses(const struct conninfo *conninfo, unsigned int round, bool standby, bool read_only)
{
	if (!conninfo_wants_role(conninfo, round) ||
	    (is_wanted(conninfo->role->standby, standby) && is_wanted(conninfo->role->read_only, read_only)))
		return NULL;
	return standby     ? "it is a standby, which takes no writes"
	       : read_only ? "it is read-only"
			   : "it takes writes, and a standby was asked for";
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

#define PARAMS_MAX 96

struct params {
	const char *keywords[PARAMS_MAX + 1], *values[PARAMS_MAX + 1];
	size_t count;
};

static void param_add(struct params *params, const char *keyword, const char *value)
{
	if (!value || params->count == PARAMS_MAX)
		return;
	params->keywords[params->count] = keyword;
	params->values[params->count++] = value;
}

static bool is_ours(const char *keyword)
{
	static const char *const ours[] = { "host",    "hostaddr",       "port", "target_session_attrs",
					    "options", "client_encoding" };

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strcmp(keyword, ours[i]) == 0)
			return true;
	return false;
}

PGconn *conninfo_connect(const struct conninfo *conninfo, const struct conninfo_address *address,
			 const struct conninfo_settings *settings)
{
	const char *given = option_value(conninfo->options, "options");
	CLEANUP(cleanup_free) char *start_options = NULL;
	struct params params = { .count = 0 };

	for (const PQconninfoOption *option = conninfo->options; option->keyword; option++)
		if (option->val && !is_ours(option->keyword))
			param_add(&params, option->keyword, option->val);
	param_add(&params, "host", address->host);
	param_add(&params, "hostaddr", address->hostaddr[0] ? address->hostaddr : NULL);
	param_add(&params, "port", address->port);
	param_add(&params, "client_encoding", "UTF8");
	param_add(&params, "fallback_application_name", settings->application_name);
	/* A GSS negotiation costs a round trip and memory, and few have it; who does says so in the conninfo. */
	if (!option_value(conninfo->options, "gssencmode"))
		param_add(&params, "gssencmode", "disable");
	if (settings->statement_timeout_ms) {
		if (asprintf(&start_options, "%s%s-c statement_timeout=%u", given ? given : "", given ? " " : "",
			     settings->statement_timeout_ms) < 0) {
			start_options = NULL;
			return NULL;
		}
		given = start_options;
	}
	param_add(&params, "options", given);
	return PQconnectStartParams(params.keywords, params.values, 0);
}

/* --- resolving ---------------------------------------------------------------------------------------------------- */

struct conninfo_resolve {
	uv_getaddrinfo_t request;
	uv_timer_t defer; /* nothing to look up: the answer still comes from the loop */
	struct loop *loop;
	const struct conninfo *conninfo;
	conninfo_resolved_fn fn; /* NULL: cancelled */
	void *arg;
	size_t host;
	bool looking_up;
	struct conninfo_addresses addresses;
};

static bool is_name(const struct conninfo_host *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return !host->hostaddr && host->host && host->host[0] != '/' && host->host[0] != '@' &&
	       inet_pton(AF_INET, host->host, address) != 1 && inet_pton(AF_INET6, host->host, address) != 1;
}

static void address_add(struct conninfo_resolve *resolve, const struct conninfo_host *host, const char *hostaddr)
{
	struct conninfo_addresses *addresses = &resolve->addresses;
	struct conninfo_address *row;

	if (addresses->count == CONNINFO_ADDRESSES_MAX)
		return;
	row = &addresses->rows[addresses->count++];
	*row = (struct conninfo_address){ .host = host->host, .port = host->port };
	if (hostaddr)
		snprintf(row->hostaddr, sizeof(row->hostaddr), "%s", hostaddr);
}

static void on_defer_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF((uv_timer_t *)handle, struct conninfo_resolve, defer));
}

static void resolve_end(struct conninfo_resolve *resolve)
{
	conninfo_resolved_fn fn = TAKE(resolve->fn);

	uv_close((uv_handle_t *)&resolve->defer, on_defer_closed);
	if (fn)
		fn(resolve->arg, &resolve->addresses);
}

static void resolve_next(struct conninfo_resolve *resolve);

static void on_addresses(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
	struct conninfo_resolve *resolve = CONTAINER_OF(request, struct conninfo_resolve, request);
	const struct conninfo_host *host;
	char text[64];

	resolve->looking_up = false;
	if (!resolve->fn) { /* cancelled: the conninfo may be gone */
		uv_freeaddrinfo(list);
		resolve_end(resolve);
		return;
	}
	host = &resolve->conninfo->hosts[resolve->host];
	if (status < 0)
		snprintf(resolve->addresses.failure, sizeof(resolve->addresses.failure),
			 "the name %.100s does not resolve (%s)", host->host, uv_strerror(status));
	for (struct addrinfo *at = list; at && status >= 0; at = at->ai_next)
		if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
			address_add(resolve, host, text);
	uv_freeaddrinfo(list);
	resolve->host++;
	resolve_next(resolve);
}

/* Goes on to the next name that must be looked up; ends when there is none. */
static void resolve_next(struct conninfo_resolve *resolve)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	const struct conninfo_host *host;
	int r;

	for (; resolve->host < resolve->conninfo->host_count; resolve->host++) {
		host = &resolve->conninfo->hosts[resolve->host];
		if (!is_name(host)) {
			address_add(resolve, host, host->hostaddr);
			continue;
		}
		r = uv_getaddrinfo(&resolve->loop->uv, &resolve->request, on_addresses, host->host, NULL, &hints);
		if (r == 0) {
			resolve->looking_up = true;
			return;
		}
		snprintf(resolve->addresses.failure, sizeof(resolve->addresses.failure),
			 "the name %.100s can't be looked up (%s)", host->host, uv_strerror(r));
	}
	resolve_end(resolve);
}

static void on_defer(uv_timer_t *timer)
{
	resolve_next(CONTAINER_OF(timer, struct conninfo_resolve, defer));
}

int conninfo_resolve_start(struct loop *loop, const struct conninfo *conninfo, conninfo_resolved_fn fn, void *arg,
			   struct conninfo_resolve **ret_resolve)
{
	struct conninfo_resolve *resolve = calloc(1, sizeof(*resolve));

	if (!resolve)
		return -ENOMEM;
	resolve->loop = loop;
	resolve->conninfo = conninfo;
	resolve->fn = fn;
	resolve->arg = arg;
	uv_timer_init(&loop->uv, &resolve->defer);
	uv_timer_start(&resolve->defer, on_defer, 0, 0);
	*ret_resolve = resolve;
	return 0;
}

void conninfo_resolve_cancel(struct conninfo_resolve *resolve)
{
	if (!resolve)
		return;
	resolve->fn = NULL;
	if (resolve->looking_up)
		uv_cancel((uv_req_t *)&resolve->request); /* its callback comes in any case */
	else
		resolve_end(resolve);
}
