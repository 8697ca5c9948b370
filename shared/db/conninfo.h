/* A PostgreSQL conninfo taken apart, so that each address can be tried alone and under a timer of our own, and so that
 * libpq never resolves a name itself (its PQconnectStart blocks in getaddrinfo). Loop thread. */
#ifndef SHOAL_SHARED_DB_CONNINFO_H
#define SHOAL_SHARED_DB_CONNINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postgresql/libpq-fe.h>

#include "shared/loop/loop.h"

#define CONNINFO_HOSTS_MAX     16
#define CONNINFO_ADDRESSES_MAX 32
#define CONNINFO_TEXT_SIZE     256

struct conninfo;

/* One place to try. */
struct conninfo_address {
	const char *host;  /* name, IP or socket folder; NULL: libpq's default. Borrowed from the conninfo */
	char hostaddr[64]; /* "" for sockets and defaults */
	const char *port;  /* borrowed; NULL: default */
};

struct conninfo_addresses {
	struct conninfo_address rows[CONNINFO_ADDRESSES_MAX];
	size_t count;
	char failure[CONNINFO_TEXT_SIZE]; /* the last name that did not resolve, in words; "" if all did */
};

/* @text: URI or key=value. -EINVAL with @error in words, without any value of it. */
int conninfo_parse(const char *text, struct conninfo **ret_conninfo, char error[CONNINFO_TEXT_SIZE]);
struct conninfo *conninfo_free(struct conninfo *conninfo);

/* Hosts and ports for people: "db1:5432,db2:5432"; never user, password or database. */
const char *conninfo_places(const struct conninfo *conninfo);
/* How often the list must be walked: prefer-standby looks for a standby first, then takes any. */
unsigned int conninfo_rounds(const struct conninfo *conninfo);

/* target_session_attrs is not left to libpq: it believes what the server said at its greeting, and a pooler in between
 * repeats for ever what it was told when its server was still a standby. So a new connection is asked this, one row of
 * two booleans: whether it is a standby, and whether it is read-only. */
#define CONNINFO_ROLE_SQL \
	"SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only') = 'on'"
/* Whether it matters in this round. */
bool conninfo_wants_role(const struct conninfo *conninfo, unsigned int round);
/* NULL: such a server is wanted; else why it is not, in words. */
const char *conninfo_refuses(const struct conninfo *conninfo, unsigned int round, bool standby, bool read_only);

struct conninfo_settings {
	const char *application_name;  /* unless the conninfo has one; may be NULL */
	uint32_t statement_timeout_ms; /* as a start-up option; 0: not sent (a pgbouncer may refuse it) */
};

/* Begins a connection to one address. Never NULL but for lack of memory; check PQstatus(). */
PGconn *conninfo_connect(const struct conninfo *conninfo, const struct conninfo_address *address,
			 const struct conninfo_settings *settings);

/* @fn exactly once, unless cancelled, on the loop and never from within the call. @addresses is borrowed; its count is
 * 0 when nothing could be resolved. */
struct conninfo_resolve;
typedef void (*conninfo_resolved_fn)(void *arg, const struct conninfo_addresses *addresses);
int conninfo_resolve_start(struct loop *loop, const struct conninfo *conninfo, conninfo_resolved_fn fn, void *arg,
			   struct conninfo_resolve **ret_resolve);
/* @fn is not called again; a look-up on libuv's threads ends by itself. NULL is nothing to do. */
void conninfo_resolve_cancel(struct conninfo_resolve *resolve);

#endif
