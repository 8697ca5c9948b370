/* shoalctl doctor: everything that can be looked at from outside, each with a verdict and what to do about it. Only
 * looks: it must change nothing, on no server. */
#include "supervisor/ctl/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/errors.h"
#include "shared/config/options.h"
#include "shared/control/control.h"

#define ASK_TIMEOUT_MS     5000
#define CONNECT_TIMEOUT_MS 5000

static const struct doctor_check checks[] = {
	{ "host", "configuration", doctor_configuration },
	{ "host", "secrets", doctor_secrets },
	{ "host", "runtime_dir", doctor_runtime_dir },
	{ "host", "state_dir", doctor_state_dir },
	{ "host", "descriptors", doctor_descriptors },
	{ "host", "systemd", doctor_systemd },
	{ "host", "clock", doctor_clock },
	{ "fleet", "supervisor", doctor_supervisor },
	{ "fleet", "shards", doctor_shards },
	{ "fleet", "discord", doctor_discord },
	{ "fleet", "session_starts", doctor_session_starts },
	{ "fleet", "outbox", doctor_outbox },
	{ "fleet", "nats", doctor_nats },
	{ "postgres", "connection", doctor_connection },
	{ "postgres", "tls", doctor_tls },
	{ "postgres", "version", doctor_version },
	{ "postgres", "schema", doctor_schema },
	{ "postgres", "rights", doctor_rights },
	{ "postgres", "extensions", doctor_extensions },
	{ "postgres", "database_clock", doctor_database_clock },
	{ "postgres", "room", doctor_room },
	{ "cluster", "hosts", doctor_hosts },
	{ "cluster", "durability", doctor_durability },
	{ "cluster", "pooler", doctor_pooler },
	{ "cluster", "reading", doctor_reading },
	{ "cluster", "backups", doctor_backups },
};

static const struct {
	const char *name, *shown, *colour;
} verdicts[DOCTOR_VERDICT_COUNT] = {
	[DOCTOR_OK] = { "ok", "ok", "\033[32m" },
	[DOCTOR_OFF] = { "off", "-", "\033[90m" },
	[DOCTOR_WARN] = { "warn", "WARN", "\033[33m" },
	[DOCTOR_FAIL] = { "fail", "FAIL", "\033[31m" },
};

/* --- findings ----------------------------------------------------------------------------------------------------- */

void doctor_say(struct doctor_finding *finding, enum doctor_verdict verdict, const char *format, ...)
{
	va_list args;

	finding->verdict = verdict;
	va_start(args, format);
	vsnprintf(finding->what, sizeof(finding->what), format, args);
	va_end(args);
}

void doctor_advise(struct doctor_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->advice, sizeof(finding->advice), format, args);
	va_end(args);
}

void doctor_add(struct doctor_finding *finding, enum doctor_verdict verdict, const char *format, ...)
{
	size_t len = strlen(finding->what);
	va_list args;

	/* "not in use" is no degree of health: anything that is said of it takes its place. */
	if (verdict > finding->verdict || finding->verdict == DOCTOR_OFF)
		finding->verdict = verdict;
	if (len > 0 && len + 3 < sizeof(finding->what)) {
		memcpy(finding->what + len, "; ", 3);
		len += 2;
	}
	va_start(args, format);
	vsnprintf(finding->what + len, sizeof(finding->what) - len, format, args);
	va_end(args);
}

/* --- what the checks share ---------------------------------------------------------------------------------------- */

/* Quietly: that nobody answers is a finding, not a failure of ours. */
static void ask_supervisor(struct doctor *doctor)
{
	json_t *answer = NULL;
	int r = control_call(doctor->options->runtime_dir, json_pack("{s:s}", "verb", "status"), ASK_TIMEOUT_MS, NULL,
			     NULL, &answer);

	if (answer && json_is_true(json_object_get(answer, "ok"))) {
		doctor->status = answer;
		doctor->shards = (uint32_t)ctl_int(answer, "shard_count");
		return;
	}
	if (answer)
		snprintf(doctor->status_error, sizeof(doctor->status_error), "%s",
			 ctl_clean(ctl_text(answer, "message")));
	else
		snprintf(doctor->status_error, sizeof(doctor->status_error), "%s: %s", doctor->options->runtime_dir,
			 error_text(r));
	json_decref(answer);
}

static void reach_database(struct doctor *doctor, struct config **own)
{
	struct database_error error;

	doctor->database = ctl_database_config(doctor->options, own);
	if (!doctor->database)
		return;
	doctor->database_problem = database_connect(doctor->database->postgres_conninfo, "shoalctl doctor",
						    doctor->timeout_ms, &doctor->connection, &doctor->database_error);
	if (doctor->database_problem < 0)
		return;
	if (database_has_pooler(doctor->connection, doctor->timeout_ms, &doctor->pooler, &error) < 0)
		doctor->pooler = false; /* whoever asks next finds out what is the matter */
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static void print_row(const struct doctor_check *check, const struct doctor_finding *finding, bool colour)
{
	printf("  %s%-4s%s  %-15s %s\n", colour ? verdicts[finding->verdict].colour : "",
	       verdicts[finding->verdict].shown, colour ? "\033[0m" : "", check->name, finding->what);
	if (finding->advice[0])
		printf("        %-15s -> %s\n", "", finding->advice);
}

static json_t *row_json(const struct doctor_check *check, const struct doctor_finding *finding)
{
	json_t *row = json_pack("{s:s, s:s, s:s}", "section", check->section, "check", check->name, "verdict",
				verdicts[finding->verdict].name);
	/* Words of servers may be anything; jansson takes UTF-8 only. */
	json_t *what = json_string(finding->what), *advice = json_string(finding->advice);

	json_object_set_new(row, "what", what ? what : json_string("(not readable)"));
	json_object_set_new(row, "advice", advice ? advice : json_string(""));
	return row;
}

/* Server's and file's words must not move a terminal. */
static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static void run(struct doctor *doctor, const struct doctor_check *check, struct doctor_finding *finding)
{
	*finding = (struct doctor_finding){ .verdict = DOCTOR_OK };
	check->fn(doctor, finding);
	clean(finding->what);
	clean(finding->advice);
}

static int print_end(const struct ctl_options *options, json_t *rows, const unsigned int counts[DOCTOR_VERDICT_COUNT])
{
	json_t *answer = json_pack("{s:o, s:{s:i, s:i, s:i, s:i}}", "checks", rows, "counts", "ok", counts[DOCTOR_OK],
				   "off", counts[DOCTOR_OFF], "warn", counts[DOCTOR_WARN], "fail", counts[DOCTOR_FAIL]);

	if (options->json)
		ctl_print_json(answer);
	else
		printf("%u ok, %u not in use, %u to look at, %u wrong\n", counts[DOCTOR_OK], counts[DOCTOR_OFF],
		       counts[DOCTOR_WARN], counts[DOCTOR_FAIL]);
	json_decref(answer);
	return counts[DOCTOR_FAIL] ? CTL_FAILED : CTL_OK;
}

static int run_all(struct doctor *doctor)
{
	bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"), json = doctor->options->json;
	unsigned int counts[DOCTOR_VERDICT_COUNT] = { 0 };
	const char *section = "";
	json_t *rows = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct doctor_finding finding;

		run(doctor, &checks[i], &finding);
		counts[finding.verdict]++;
		json_array_append_new(rows, row_json(&checks[i], &finding));
		if (json)
			continue;
		if (strcmp(section, checks[i].section) != 0)
			printf("%s%s\n", *section ? "\n" : "", checks[i].section);
		section = checks[i].section;
		print_row(&checks[i], &finding, colour);
		fflush(stdout);
	}
	if (!json)
		putchar('\n');
	return print_end(doctor->options, rows, counts);
}

int ctl_doctor(int argc, char **argv, const struct ctl_options *options)
{
	CLEANUP(config_freep) struct config *own = NULL, *defaults = NULL;
	struct ctl_options mine = *options;
	struct doctor doctor = { .options = &mine, .timeout_ms = CONNECT_TIMEOUT_MS, .sql_dir = "" };
	int r;

	if (argc == 3 && strcmp(argv[1], "--sql-dir") == 0)
		doctor.sql_dir = argv[2];
	else if (argc != 1)
		return ctl_usage("doctor", "takes --sql-dir DIR at most");
	if (!mine.config) { /* it can't be read: what needs none is looked at all the same */
		r = config_new(&defaults);
		if (r < 0)
			return ctl_fail(options, CTL_FAILED, error_name(r), error_text(r));
		mine.config = defaults;
		doctor.config_error = options->config_error;
	}
	if (options->timeout_given)
		doctor.timeout_ms = (uint32_t)options->timeout_ms;
	doctor.config = mine.config;
	doctor.shards = mine.config->discord_shard_count;
	ask_supervisor(&doctor);
	reach_database(&doctor, &own);
	r = run_all(&doctor);
	json_decref(doctor.status);
	PQfinish(doctor.connection);
	return r;
}
