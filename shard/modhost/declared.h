/* What a module declares beside its handlers, in the core's own terms: settings as a schema, statements as a set. Pure;
 * at load, by the main thread. */
#ifndef SHOAL_SHARD_MODHOST_DECLARED_H
#define SHOAL_SHARD_MODHOST_DECLARED_H

#include <shoal/module.h>

#include "shared/db/statements.h"

#define DECLARED_ERROR_SIZE 400

/* Part of a loaded module; stays for the program's life. */
struct declared {
	struct shoal_settings_schema schema; /* count 0: none */
	struct statement_set statements;     /* likewise; owner is the module's name */
	struct statement *rows;
};

/* 0; -EINVAL, -EEXIST with a sentence; -ENOMEM. Keeps @rows and @name. */
int declared_take(const struct shoal_module *rows, const char *name, struct declared *ret_declared,
		  char error[DECLARED_ERROR_SIZE]);
void declared_finish(struct declared *declared);
/* The row @name of @module's statements; NULL. */
const struct shoal_statement *declared_statement(const struct shoal_module *module, const char *name, size_t *ret_at);
/* The core's type of a module's; DB_TYPE_NONE: there is none. */
enum db_type declared_type(enum shoal_sql_type type);

#endif
