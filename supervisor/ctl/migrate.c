/* shoalctl migrate: what is applied, what would be, and doing it. Talks to the database itself (postgres.conninfo), not
 * to the supervisor. Synchronous. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/db/migrate.h"
#include "supervisor/ctl/ctl.h"

#define LOCK_TIMEOUT_DEFAULT_MS 30000
#define LOCK_TIMEOUT_MAX_MS     3600000

struct call {
	const struct ctl_options *options;
	const char *sql_dir_given;
	char sql_dir[MIGRATE_PATH_SIZE];
	uint32_t number; /* of steps; 0: not given */
	bool number_given;
	uint32_t lock_timeout_ms;
	struct migrate *migrate;
	struct migrate_error error;
	json_t *done;   /* the steps, for --json */
	bool line_open; /* a step's line waits for its end */
};

typedef int (*action_fn)(struct call *call);

/* Prints why it did not work; the exit code. */
static int fail(struct call *call, int error)
{
	const char *text = call->error.text[0] ? call->error.text : error_text(error);
	int code = error == -SHOAL_EOFFLINE ? CTL_AWAY : CTL_FAILED;

	if (call->line_open)
		puts("failed");
	fflush(stdout);
	if (json_array_size(call->done) > 0 && !call->options->json)
		fprintf(stderr, "%zu done before that stay done\n", json_array_size(call->done));
	return ctl_fail(call->options, code, error_name(error), ctl_clean(text));
}

static json_t *row_json(const struct migration *row)
{
	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:b, s:s, s:s, s:I}", "owner", row->owner, "number",
			 (json_int_t)row->number, "name", row->name, "state", migrate_state_name(row->state),
			 "oldest_program", row->oldest_program, "has_down", row->has_down, "applied_at",
			 row->applied_at, "sha256", row->sha256[0] ? row->sha256 : row->applied_sha256, "size_bytes",
			 (json_int_t)row->size_bytes);
}

/* The oldest program that may run once all rows in @states are applied. */
static const char *oldest_program(const struct migration_list *list, bool with_pending)
{
	const char *oldest = "0.0.0";

	for (size_t i = 0; i < list->count; i++)
		if ((with_pending || list->rows[i].state != MIGRATE_PENDING) &&
		    migrate_compare_versions(list->rows[i].oldest_program, oldest) > 0)
			oldest = list->rows[i].oldest_program;
	return oldest;
}

/* What applying it means for those who use the database meanwhile: a line a table, and for @json. */
static void tell_locks(const struct call *call, const struct migration *row, json_t *json)
{
	struct migrate_error error;
	struct migrate_locks locks;
	json_t *list = json_array();

	if (migrate_locks_of(call->sql_dir, row, &locks, &error) < 0)
		locks.count = 0; /* it was read a moment ago */
	for (size_t i = 0; i < locks.count; i++) {
		const struct migrate_lock *lock = &locks.rows[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "table", ctl_clean(lock->table), "lock",
						      lock->lock, "by", lock->by, "means", lock->means));
		if (!call->options->json)
			printf("         %s: %s, by %s: %s\n", ctl_clean(lock->table), lock->lock, lock->by,
			       lock->means);
	}
	json_object_set_new(json, "locks", list);
}

static int load(struct call *call, struct migration_list *list)
{
	int r = migrate_scan(call->sql_dir, list, &call->error);

	return r < 0 ? r : migrate_status(call->migrate, list, &call->error);
}

static void print_row(const struct migration *row, bool plan)
{
	printf("%-8s %-20s %s/%04u_%s", migrate_state_name(row->state), row->applied_at, ctl_clean(row->owner),
	       row->number, ctl_clean(row->name));
	if (plan)
		printf(", %zu bytes, for programs from %s on", row->size_bytes, row->oldest_program);
	puts(row->has_down ? "" : " (no way back)");
}

static int print_list(struct call *call, const struct migration_list *list, bool only_pending)
{
	size_t counts[MIGRATE_STATE_COUNT] = { 0 };
	json_t *rows = json_array(), *answer;

	for (size_t i = 0; i < list->count; i++) {
		const struct migration *row = &list->rows[i];

		counts[row->state]++;
		if (only_pending && row->state != MIGRATE_PENDING)
			continue;
		json_array_append_new(rows, row_json(row));
		if (!call->options->json)
			print_row(row, only_pending);
		if (only_pending)
			tell_locks(call, row, json_array_get(rows, json_array_size(rows) - 1));
	}
	answer = json_pack("{s:o, s:I, s:I, s:I, s:I, s:s, s:s, s:s}", "migrations", rows, "pending",
			   (json_int_t)counts[MIGRATE_PENDING], "applied", (json_int_t)counts[MIGRATE_APPLIED],
			   "changed", (json_int_t)counts[MIGRATE_CHANGED], "missing",
			   (json_int_t)counts[MIGRATE_MISSING], "oldest_program", oldest_program(list, only_pending),
			   "program", shoal_version, "sql_dir", call->sql_dir);
	if (call->options->json)
		ctl_print_json(answer);
	else if (only_pending && counts[MIGRATE_PENDING] == 0)
		puts("nothing to do: the schema is up to date");
	else
		printf("%zu applied, %zu pending, %zu changed, %zu missing; %s%s %s or newer\n",
		       counts[MIGRATE_APPLIED], counts[MIGRATE_PENDING], counts[MIGRATE_CHANGED],
		       counts[MIGRATE_MISSING], only_pending ? "then " : "", "it wants programs",
		       oldest_program(list, only_pending));
	json_decref(answer);
	return counts[MIGRATE_CHANGED] + counts[MIGRATE_MISSING] > 0 ? CTL_FAILED : CTL_OK;
}

static int do_status(struct call *call)
{
	CLEANUP(migration_list_finish) struct migration_list list = { 0 };
	int r = load(call, &list);

	return r < 0 ? fail(call, r) : print_list(call, &list, false);
}

static int do_plan(struct call *call)
{
	CLEANUP(migration_list_finish) struct migration_list list = { 0 };
	int r = load(call, &list);

	return r < 0 ? fail(call, r) : print_list(call, &list, true);
}

static void on_progress(void *arg, const struct migration *row, bool up, bool done, uint64_t took_ms)
{
	struct call *call = arg;

	if (done)
		json_array_append_new(call->done, json_pack("{s:s, s:I, s:s, s:s, s:I}", "owner", row->owner, "number",
							    (json_int_t)row->number, "name", row->name, "direction",
							    up ? "up" : "down", "took_ms", (json_int_t)took_ms));
	if (call->options->json)
		return;
	call->line_open = !done;
	if (done)
		printf("done, %" PRIu64 " ms\n", took_ms);
	else
		printf("%-4s %s/%04u_%s ... ", up ? "up" : "down", ctl_clean(row->owner), row->number,
		       ctl_clean(row->name));
	fflush(stdout);
}

static int print_done(struct call *call, const char *nothing)
{
	size_t count = json_array_size(call->done);
	json_t *answer = json_pack("{s:O, s:I}", "done", call->done, "count", (json_int_t)count);

	if (call->options->json)
		ctl_print_json(answer);
	else if (count == 0)
		puts(nothing);
	json_decref(answer);
	return CTL_OK;
}

static int do_up(struct call *call)
{
	uint32_t applied = 0;
	int r = migrate_up(call->migrate, call->sql_dir, call->number, call->lock_timeout_ms, on_progress, call,
			   &applied, &call->error);

	return r < 0 ? fail(call, r) : print_done(call, "nothing to do: the schema is up to date");
}

/* Down files drop tables: nobody should do that by a slip. */
static bool confirmed(const struct call *call)
{
	char answer[16] = "";

	if (call->options->yes)
		return true;
	if (!isatty(STDIN_FILENO))
		return false;
	printf("Take back the last %u migration(s)? What they hold is lost. Type yes: ", call->number);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0;
}

static int do_down(struct call *call)
{
	uint32_t reverted = 0;
	int r;

	if (!call->number_given)
		call->number = 1;
	if (!confirmed(call))
		return ctl_fail(call->options, CTL_USAGE, "EPERM",
				"taking a migration back loses its data: give --yes");
	r = migrate_down(call->migrate, call->sql_dir, call->number, call->lock_timeout_ms, on_progress, call,
			 &reverted, &call->error);
	return r < 0 ? fail(call, r) : print_done(call, "nothing is applied");
}

static const struct action {
	const char *name;
	action_fn fn;
	bool takes_number;
} actions[] = {
	{ "up", do_up, true },
	{ "down", do_down, true },
	{ "status", do_status, false },
	{ "plan", do_plan, false },
};

static int parse_u32(const char *text, uint32_t max, uint32_t *ret_value)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || value == 0 || value > max)
		return -EINVAL;
	*ret_value = (uint32_t)value;
	return 0;
}

/* "--name VALUE" or "--name=VALUE" at @argv[*at]. */
static const char *flag_value(int argc, char **argv, int *at, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(argv[*at], name, len) != 0)
		return NULL;
	if (argv[*at][len] == '=')
		return argv[*at] + len + 1;
	return argv[*at][len] == '\0' && *at + 1 < argc ? argv[++*at] : NULL;
}

#define USAGE "up [N] | down [N] | status | plan  [--sql-dir DIR] [--lock-timeout SECONDS]"

static int parse(int argc, char **argv, struct call *call, const struct action **ret_action)
{
	const struct action *action = NULL;
	const char *value;

	for (int i = 1; i < argc; i++) {
		if ((value = flag_value(argc, argv, &i, "--sql-dir"))) {
			call->sql_dir_given = value;
		} else if ((value = flag_value(argc, argv, &i, "--lock-timeout"))) {
			if (parse_u32(value, LOCK_TIMEOUT_MAX_MS / 1000, &call->lock_timeout_ms) < 0)
				return ctl_usage("migrate", "--lock-timeout wants seconds, 1 to 3600");
			call->lock_timeout_ms *= 1000;
		} else if (!action) {
			for (size_t a = 0; a < ARRAY_SIZE(actions) && !action; a++)
				if (strcmp(argv[i], actions[a].name) == 0)
					action = &actions[a];
			if (!action)
				return ctl_usage("migrate", USAGE);
		} else if (action->takes_number && !call->number_given &&
			   parse_u32(argv[i], MIGRATE_FILES_MAX, &call->number) == 0) {
			call->number_given = true;
		} else {
			return ctl_usage("migrate", USAGE);
		}
	}
	if (!action)
		return ctl_usage("migrate", USAGE);
	*ret_action = action;
	return CTL_OK;
}

int ctl_migrate(int argc, char **argv, const struct ctl_options *options)
{
	struct call call = { .options = options, .lock_timeout_ms = LOCK_TIMEOUT_DEFAULT_MS };
	const struct action *action = NULL;
	uint32_t timeout_ms = options->config->postgres_connect_timeout_ms;
	CLEANUP(config_freep) struct config *own = NULL;
	const struct config *config;
	int r;

	r = parse(argc, argv, &call, &action);
	if (r != CTL_OK)
		return r;
	config = ctl_database_config(options, &own);
	if (!config)
		return ctl_fail(options, CTL_CONFIG, "EINVAL",
				"no database is configured: set postgres.conninfo, or DATABASE_URL in the environment");
	r = migrate_find_sql_dir(call.sql_dir_given, call.sql_dir, sizeof(call.sql_dir), &call.error);
	if (r == 0 && !call.sql_dir_given)
		r = migrate_add_modules_dir(config->modules_dir, call.sql_dir, sizeof(call.sql_dir));
	if (r < 0)
		return fail(&call, r);
	if (options->timeout_given)
		timeout_ms = (uint32_t)options->timeout_ms;
	r = migrate_open(config->postgres_conninfo, timeout_ms, &call.migrate, &call.error);
	if (r == -EINVAL)
		return ctl_fail(options, CTL_CONFIG, "EINVAL", call.error.text);
	if (r < 0)
		return fail(&call, r);
	call.done = json_array();
	r = action->fn(&call);
	json_decref(call.done);
	migrate_close(call.migrate);
	return r;
}
