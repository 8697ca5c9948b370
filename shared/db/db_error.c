/* The table of SQLSTATEs and of connection refusals. Pure; any thread. */
#include "shared/db/db_error.h"

#include <errno.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"

struct state_row {
	const char *prefix; /* a whole SQLSTATE or its class */
	int error;
};

/* The first row that fits counts: whole states stand before their classes. */
static const struct state_row state_rows[] = {
	{ "23505", -EEXIST },         /* unique_violation */
	{ "25006", -SHOAL_EOFFLINE }, /* read_only_sql_transaction: this server is a standby now */
	{ "42501", -EACCES },         /* insufficient_privilege */
	{ "42P01", -ENODATA },        /* undefined_table */
	{ "42703", -ENODATA },        /* undefined_column */
	{ "42883", -ENODATA },        /* undefined_function */
	{ "3F000", -ENODATA },        /* invalid_schema_name */
	{ "57014", -ETIMEDOUT },      /* query_canceled: statement_timeout */
	{ "55P03", -ETIMEDOUT },      /* lock_not_available: lock_timeout */
	{ "57P01", -SHOAL_EUNKNOWN }, /* admin_shutdown: may come between the commit and its news */
	{ "57P02", -SHOAL_EUNKNOWN }, /* crash_shutdown */
	{ "57P03", -SHOAL_EOFFLINE }, /* cannot_connect_now */
	{ "08", -SHOAL_EUNKNOWN },    /* connection_exception */
	{ "22003", -ERANGE },         /* numeric_value_out_of_range */
	{ "22", -EBADMSG },           /* data_exception */
	{ "23", -EBADMSG },           /* integrity_constraint_violation */
	{ "28", -EACCES },            /* invalid_authorization_specification */
	{ "40", -EAGAIN },            /* transaction_rollback: serialisation, deadlock */
	{ "53", -EDQUOT },            /* insufficient_resources */
	{ "SH001", -EALREADY },       /* shoal.outbox_advance(): this write is in the database already */
};

int db_error_of_sqlstate(const char *sqlstate)
{
	for (size_t i = 0; sqlstate && i < ARRAY_SIZE(state_rows); i++)
		if (strncmp(sqlstate, state_rows[i].prefix, strlen(state_rows[i].prefix)) == 0)
			return state_rows[i].error;
	return -EREMOTEIO;
}

bool db_error_never_began(const char *sqlstate)
{
	static const char *const states[] = {
		"26000", /* invalid_sql_statement_name: a pgbouncer gave us another server connection */
		"42P05", /* duplicate_prepared_statement: likewise */
		"0A000", /* feature_not_supported: "cached plan must not change result type", after a migration */
	};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(sqlstate, states[i]) == 0)
			return true;
	return false;
}

bool db_error_may_be_logged(const char *sqlstate)
{
	/* 22: "invalid input syntax for type bigint: "…"" quotes the value; P0: words of our own functions. */
	return strncmp(sqlstate, "22", 2) != 0 && strncmp(sqlstate, "P0", 2) != 0;
}

struct refusal_row {
	const char *words;
	struct db_refusal refusal;
};

static const struct refusal_row refusal_rows[] = {
	{ "password authentication failed", { -EACCES, true, "check user and password in postgres.conninfo" } },
	{ "no password supplied", { -EACCES, true, "the server wants a password: put it into postgres.conninfo" } },
	{ "no pg_hba.conf entry", { -EACCES, true, "allow this host and user in the server's pg_hba.conf" } },
	{ "is not permitted to log in", { -EACCES, true, "ALTER ROLE … LOGIN, or use another user" } },
	{ "permission denied for database", { -EACCES, true, "GRANT CONNECT ON DATABASE to this user" } },
	{ "authentication failed", { -EACCES, true, "check user and its way of authentication" } },
	{ "certificate verify failed", { -EACCES, true, "check sslrootcert and the server's certificate" } },
	{ "does not match host name", { -EACCES, true, "the server's certificate is for another name" } },
	{ "server does not support SSL", { -EACCES, true, "the server has no TLS: sslmode asks for it" } },
	{ "unsupported startup parameter",
	  { -EACCES, true, "behind pgbouncer: postgres.prepared = off, or ignore_startup_parameters = options" } },
	{ "the database system is starting up", { -SHOAL_EOFFLINE, false, "" } },
	{ "the database system is shutting down", { -SHOAL_EOFFLINE, false, "" } },
	{ "recovery", { -SHOAL_EOFFLINE, false, "" } },
	{ "too many clients", { -SHOAL_EOFFLINE, false, "raise max_connections, or put pgbouncer in front" } },
	{ "too many connections", { -SHOAL_EOFFLINE, false, "raise the role's or database's connection limit" } },
	{ "remaining connection slots are reserved", { -SHOAL_EOFFLINE, false, "raise max_connections" } },
	/* After the rows above, whose words may hold these. */
	{ "\" does not exist", { -ENOENT, true, "create the role and the database, or name those there are" } },
	{ "invalid connection option", { -EINVAL, true, "correct postgres.conninfo" } },
	{ "invalid port", { -EINVAL, true, "correct the port in postgres.conninfo" } },
};

struct db_refusal db_error_of_connect(const char *message)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusal_rows); i++)
		if (strstr(message, refusal_rows[i].words))
			return refusal_rows[i].refusal;
	return (struct db_refusal){ -SHOAL_EOFFLINE, false, "" };
}
