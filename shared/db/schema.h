/* Whether the database's schema and this program fit each other: what each new connection is asked first. Pure. */
#ifndef SHOAL_SHARED_DB_SCHEMA_H
#define SHOAL_SHARED_DB_SCHEMA_H

#include <stddef.h>

#include "shared/db/db.h"

/* Judges the answer to core's statement "schema" for a program of @version. 0: go on; also where there is no schema yet
 * or it is not ours to look into (-ENODATA, -EACCES), for then each statement says so itself. -SHOAL_EVERSION: it was
 * migrated for newer programs. Any other @error as it is. @reason: words for people, "" with 0. */
int schema_judge(const char *version, int error, const struct db_result *result, char *reason, size_t size);

#endif
