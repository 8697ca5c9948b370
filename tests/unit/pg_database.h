/* For tests: an empty database of our own on the server that SHOAL_TEST_PG_ADMIN names (a superuser's URL; the harness
 * sets it), dropped at the end, and conninfos for it by role. */
#ifndef SHOAL_TESTS_UNIT_PG_DATABASE_H
#define SHOAL_TESTS_UNIT_PG_DATABASE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postgresql/libpq-fe.h>

#include "shared/base/random.h"

struct pg_database {
	PGconn *admin; /* connected to the server's own database */
	char name[48];
	char conninfo[2048]; /* key=value, as the unprivileged owner */
	char host[128], port[16], user[64], password[128];
};

static inline const char *pg_option(PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val ? options->val : "";
	return "";
}

/* True when SQL ran; prints what the server said if not. */
static inline bool pg_exec(PGconn *connection, const char *sql)
{
	PGresult *result = PQexec(connection, sql);
	bool ok = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;

	if (!ok)
		fprintf(stderr, "%s: %s", sql, PQerrorMessage(connection));
	PQclear(result);
	return ok;
}

/* The first value of the first row, into a static buffer; "" for none. */
static inline const char *pg_value(PGconn *connection, const char *sql)
{
	static char text[256];
	PGresult *result = PQexec(connection, sql);

	text[0] = '\0';
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fprintf(stderr, "%s: %s", sql, PQerrorMessage(connection));
	else if (PQntuples(result) > 0)
		snprintf(text, sizeof(text), "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	return text;
}

/* A connection to our database as its owner; the caller finishes it. */
static inline PGconn *pg_connect(const struct pg_database *database)
{
	return PQconnectdb(database->conninfo);
}

/* The conninfo with other parts; NULL keeps ours. */
static inline const char *pg_conninfo(const struct pg_database *database, const char *host, const char *port,
				      const char *user, const char *password, const char *name, const char *more)
{
	static char text[4][2048];
	static unsigned int at;
	char *to = text[at++ % 4];

	snprintf(to, sizeof(text[0]), "host='%s' port='%s' user='%s' password='%s' dbname='%s' %s",
		 host ? host : database->host, port ? port : database->port, user ? user : database->user,
		 password ? password : database->password, name ? name : database->name, more ? more : "");
	return to;
}

static inline bool pg_database_open(struct pg_database *database)
{
	const char *url = getenv("SHOAL_TEST_PG"), *admin = getenv("SHOAL_TEST_PG_ADMIN");
	PQconninfoOption *options;
	char random[13], sql[256];

	memset(database, 0, sizeof(*database));
	options = url ? PQconninfoParse(url, NULL) : NULL;
	if (!options || !admin)
		return false;
	random_hex(random, 12);
	snprintf(database->name, sizeof(database->name), "shoal_unit_%s", random);
	snprintf(database->host, sizeof(database->host), "%s", pg_option(options, "host"));
	snprintf(database->port, sizeof(database->port), "%s", pg_option(options, "port"));
	snprintf(database->user, sizeof(database->user), "%s", pg_option(options, "user"));
	snprintf(database->password, sizeof(database->password), "%s", pg_option(options, "password"));
	PQconninfoFree(options);
	snprintf(database->conninfo, sizeof(database->conninfo), "%s",
		 pg_conninfo(database, NULL, NULL, NULL, NULL, NULL, NULL));
	database->admin = PQconnectdb(admin);
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s OWNER \"%s\"", database->name, database->user);
	return PQstatus(database->admin) == CONNECTION_OK && pg_exec(database->admin, sql);
}

static inline void pg_database_close(struct pg_database *database)
{
	char sql[256];

	if (!database->admin)
		return;
	snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)", database->name);
	pg_exec(database->admin, sql);
	PQfinish(database->admin);
	database->admin = NULL;
}

/* What to do without a server: true means run (and fail), false means skip aloud. */
static inline bool pg_is_wanted(const char *test)
{
	const char *require = getenv("SHOAL_TEST_REQUIRE");

	if (getenv("SHOAL_TEST_PG") && getenv("SHOAL_TEST_PG_ADMIN"))
		return true;
	if (require && strcmp(require, "1") == 0)
		return true;
	printf("SKIPPED: %s needs SHOAL_TEST_PG and SHOAL_TEST_PG_ADMIN (deploy/local/stack.py run -- %s)\n", test,
	       test);
	return false;
}

#endif
