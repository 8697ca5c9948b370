/* Reads the record of migrations and compares versions. Pure; any thread. */
#include "shared/db/schema.h"

#include <errno.h>
#include <stdio.h>

#include "shared/base/errors.h"
#include "shared/db/migrate.h"

#define OLDEST_COLUMN 2

int schema_judge(const char *version, int error, const struct db_result *result, char *reason, size_t size)
{
	const char *oldest = "0.0.0";

	reason[0] = '\0';
	if (error == -ENODATA || error == -EACCES)
		return 0;
	if (error < 0) {
		snprintf(reason, size, "the schema could not be looked at: %s", error_text(error));
		return error;
	}
	for (size_t row = 0; row < db_result_rows(result); row++) {
		const char *wants = db_result_text(result, row, OLDEST_COLUMN, NULL);

		if (migrate_compare_versions(wants, oldest) > 0)
			oldest = wants;
	}
	if (migrate_compare_versions(version, oldest) >= 0)
		return 0;
	snprintf(reason, size,
		 "the database was migrated for programs from %s on, this is %s: upgrade, or migrate down", oldest,
		 version);
	return -SHOAL_EVERSION;
}
