/* shoalctl jobs: what waits for its time, what runs, what was set aside; asked of the database itself. A member's words
 * (payloads) are not shown. Blocks; never on a loop. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/database.h"

#define TIMEOUT_MS 30000
#define LIST_MAX   500

#define STATE                                                                                                     \
	"CASE WHEN failed_at IS NOT NULL THEN 'failed' WHEN holder <> 0 AND lease_until >= now() AND claims > 0 " \
	"THEN 'running' WHEN due_at <= now() THEN 'due' ELSE 'waiting' END"
#define COLUMNS                                                                                                      \
	"SELECT id, guild_id, user_id, module, name, " STATE " AS state, run, repeat, label, reason, fence, claims," \
	" octet_length(payload) AS payload_bytes, version,"                                                          \
	" to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS due,"                              \
	" to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS created FROM shoal.job "

static int report(const struct ctl_options *options, int error, const struct database_error *why)
{
	return ctl_fail(options, error == -SHOAL_EOFFLINE || error == -EACCES ? CTL_AWAY : CTL_FAILED,
			error_name(error), why->text);
}

static json_t *row_json(const PGresult *result, int row)
{
	json_t *job = json_object();

	for (int i = 0; i < PQnfields(result); i++) {
		const char *name = PQfname(result, i), *value = PQgetvalue(result, row, i);
		bool number = strcmp(name, "run") == 0 || strcmp(name, "fence") == 0 || strcmp(name, "claims") == 0 ||
			      strcmp(name, "payload_bytes") == 0 || strcmp(name, "version") == 0;

		json_object_set_new(job, name, number ? json_integer(strtoll(value, NULL, 10)) : json_string(value));
	}
	return job;
}

static void print_list(const PGresult *result)
{
	printf("%-20s %-20s %-22s %-8s %-21s %s\n", "ID", "SERVER", "JOB", "STATE", "DUE", "REPEAT");
	for (int i = 0; i < PQntuples(result); i++) {
		char job[80];

		snprintf(job, sizeof(job), "%s.%s", database_text(result, i, "module"),
			 database_text(result, i, "name"));
		printf("%-20s %-20s %-22s %-8s %-21s %s\n", database_text(result, i, "id"),
		       database_int(result, i, "guild_id") ? database_text(result, i, "guild_id") : "the fleet", job,
		       database_text(result, i, "state"), database_text(result, i, "due"),
		       database_text(result, i, "repeat"));
	}
}

static int list(PGconn *connection, const struct ctl_options *options, bool failed)
{
	DATABASE_RESULT result = NULL;
	struct database_error error;
	json_auto_t *all = NULL;
	char sql[2048];
	int r;

	snprintf(sql, sizeof(sql), COLUMNS "%s ORDER BY due_at, id LIMIT %d",
		 failed ? "WHERE failed_at IS NOT NULL" : "", LIST_MAX);
	r = database_run(connection, TIMEOUT_MS, sql, 0, NULL, &result, &error);
	if (r < 0)
		return report(options, r, &error);
	if (!options->json) {
		if (PQntuples(result) == 0)
			printf("no jobs%s\n", failed ? " are set aside" : "");
		else
			print_list(result);
		if (PQntuples(result) == LIST_MAX)
			printf("(the first %d)\n", LIST_MAX);
		return CTL_OK;
	}
	all = json_array();
	for (int i = 0; i < PQntuples(result); i++)
		json_array_append_new(all, row_json(result, i));
	json_t *answer = json_pack("{s:O}", "jobs", all);
	json_dumpf(answer, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(answer);
	return CTL_OK;
}

static int show(PGconn *connection, const struct ctl_options *options, const char *id)
{
	DATABASE_RESULT result = NULL;
	struct database_error error;
	json_auto_t *job = NULL;
	const char *key, *text;
	json_t *value;
	int r = database_run(connection, TIMEOUT_MS, COLUMNS "WHERE id = $1::bigint", 1, &id, &result, &error);

	if (r < 0)
		return report(options, r, &error);
	if (PQntuples(result) == 0)
		return ctl_fail(options, CTL_FAILED, "ENOENT", "there is no job of that id; it may be over");
	job = row_json(result, 0);
	if (options->json) {
		json_dumpf(job, stdout, JSON_INDENT(2));
		printf("\n");
		return CTL_OK;
	}
	json_object_foreach(job, key, value)
	{
		text = json_string_value(value);
		if (json_is_integer(value))
			printf("%-14s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
		else if (*text)
			printf("%-14s %s\n", key, text);
	}
	return CTL_OK;
}

/* @sql changes the job of that id. */
static int change(PGconn *connection, const struct ctl_options *options, const char *id, const char *sql,
		  const char *words)
{
	DATABASE_RESULT result = NULL;
	struct database_error error;
	int r = database_run(connection, TIMEOUT_MS, sql, 1, &id, &result, &error);

	if (r < 0)
		return report(options, r, &error);
	if (strcmp(PQcmdTuples(result), "0") == 0)
		return ctl_fail(options, CTL_FAILED, "ENOENT", "there is no job of that id; it may be over");
	if (options->json)
		printf("{\"id\": \"%s\"}\n", id);
	else
		printf("%s\n", words);
	return CTL_OK;
}

static bool is_id(const char *text)
{
	return text && *text && strlen(text) <= 19 && text[strspn(text, "0123456789")] == '\0';
}

int ctl_jobs(int argc, char **argv, const struct ctl_options *options)
{
	CLEANUP(config_freep) struct config *own = NULL;
	const struct config *config = ctl_database_config(options, &own);
	const char *verb = argc > 1 ? argv[1] : "list", *id = argc > 2 ? argv[2] : NULL;
	CLEANUP(database_finish) PGconn *connection = NULL;
	bool is_list = strcmp(verb, "list") == 0, failed = is_list && id && strcmp(id, "--failed") == 0;
	struct database_error error;
	int r;

	if (argc > 3 || (is_list ? id && !failed
				 : !is_id(id) || (strcmp(verb, "show") != 0 && strcmp(verb, "run") != 0 &&
						  strcmp(verb, "cancel") != 0)))
		return ctl_usage("jobs", "wants list [--failed], show ID, run ID or cancel ID");
	if (!config)
		return ctl_fail(options, CTL_CONFIG, "EINVAL",
				"no database is configured: set postgres.conninfo, or DATABASE_URL");
	r = database_connect(config->postgres_conninfo, "shoalctl jobs", config->postgres_connect_timeout_ms,
			     &connection, &error);
	if (r < 0)
		return report(options, r, &error);
	if (is_list)
		return list(connection, options, failed);
	if (strcmp(verb, "show") == 0)
		return show(connection, options, id);
	if (strcmp(verb, "cancel") == 0)
		return change(connection, options, id, "DELETE FROM shoal.job WHERE id = $1::bigint",
			      "it is taken back; a run under way goes on to its end");
	return change(connection, options, id,
		      "UPDATE shoal.job SET due_at = now(), failed_at = NULL, reason = '' WHERE id = $1::bigint",
		      "it is due now: its shard begins it within jobs.look_s");
}
