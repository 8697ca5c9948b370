/* Whether the database's schema and this program fit each other: what a program asks once when its database comes up.
 * Loop thread. */
#ifndef SHOAL_SHARED_DB_SCHEMA_H
#define SHOAL_SHARED_DB_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "shared/db/db.h"

struct schema_state {
	size_t applied;          /* migrations */
	char oldest_program[32]; /* no older one may run on it; "0.0.0" when nothing is applied */
	char text[256];          /* words for people: what is the matter and what to do; "" when all is well */
};

/* Exactly once. 0: go on. -ENODATA: never migrated (or not ours to look into: -EACCES). -SHOAL_EVERSION: migrated for
 * newer programs than @version. Others as db_result_fn. @state is borrowed and always filled. */
typedef void (*schema_fn)(void *arg, int error, const struct schema_state *state);

/* As db_query(). @version: ours, "0.1.0"; copied. */
int schema_check(struct db *db, const char *version, schema_fn fn, void *arg);

#endif
