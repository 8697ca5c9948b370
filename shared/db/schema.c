/* Reads the record of migrations and compares versions. Run by the loop. */
#include "shared/db/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/db/migrate.h"
#include "shared/db/statements_core.h"

struct check {
	schema_fn fn;
	void *arg;
	char version[MIGRATE_VERSION_SIZE];
};

static void read_rows(const struct db_result *result, struct schema_state *state)
{
	state->applied = db_result_rows(result);
	for (size_t row = 0; row < state->applied; row++) {
		const char *oldest = db_result_text(result, row, 2, NULL);

		if (migrate_compare_versions(oldest, state->oldest_program) > 0)
			snprintf(state->oldest_program, sizeof(state->oldest_program), "%s", oldest);
	}
}

static void on_rows(void *arg, int error, const struct db_result *result)
{
	CLEANUP(cleanup_free) struct check *check = arg;
	struct schema_state state = { .oldest_program = "0.0.0" };

	if (error == 0)
		read_rows(result, &state);
	if (error == 0 && state.applied == 0)
		error = -ENODATA;
	if (error == 0 && migrate_compare_versions(check->version, state.oldest_program) < 0)
		error = -SHOAL_EVERSION;
	if (error == -ENODATA)
		snprintf(state.text, sizeof(state.text),
			 "the database has no tables of shoal's yet: run `shoalctl migrate up`");
	else if (error == -EACCES)
		snprintf(state.text, sizeof(state.text),
			 "this role may not use the schema shoal: GRANT shoal_app to it, or use the owner");
	else if (error == -SHOAL_EVERSION)
		snprintf(state.text, sizeof(state.text),
			 "the database was migrated for programs from %s on, this is %s: upgrade, or migrate down",
			 state.oldest_program, check->version);
	else if (error < 0)
		snprintf(state.text, sizeof(state.text), "the schema could not be looked at: %s", error_text(error));
	check->fn(check->arg, error, &state);
}

int schema_check(struct db *db, const char *version, schema_fn fn, void *arg)
{
	struct check *check = calloc(1, sizeof(*check));
	int r;

	if (!check)
		return -ENOMEM;
	check->fn = fn;
	check->arg = arg;
	snprintf(check->version, sizeof(check->version), "%s", version);
	r = db_query(db, &core_statements[CORE_SCHEMA], NULL, 0, on_rows, check);
	if (r < 0)
		free(check);
	return r;
}
