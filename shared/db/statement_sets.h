/* Every set of statements that the programs are built with: what db_new() registers by itself. */
#ifndef SHOAL_SHARED_DB_STATEMENT_SETS_H
#define SHOAL_SHARED_DB_STATEMENT_SETS_H

#include "shared/db/statements.h"

extern const struct statement_set *const statement_sets[];
extern const size_t statement_set_count;

#endif
