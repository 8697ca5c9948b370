/* Values in PostgreSQL's binary form, both ways. Pure; any thread. */
#ifndef SHOAL_SHARED_DB_DB_VALUE_H
#define SHOAL_SHARED_DB_DB_VALUE_H

#include "shared/db/db.h"

struct pg_result;

/* What libpq gave for one statement, as users see it. */
struct db_result {
	struct pg_result *pg; /* NULL when there is none */
	const struct statement *statement;
	char sqlstate[6];
};

/* Bytes that @param takes; -EINVAL when it can't be sent (a NUL in a text, an element of another type), -EMSGSIZE. */
int db_value_size(const struct db_param *param);
/* Writes them at @to; not for a null one. */
void db_value_write(const struct db_param *param, char *to);

#endif
