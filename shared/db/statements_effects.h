/* The statements of the effect journal's part that outlasts the machine. */
#ifndef SHOAL_SHARED_DB_STATEMENTS_EFFECTS_H
#define SHOAL_SHARED_DB_STATEMENTS_EFFECTS_H

#include "shared/db/statements.h"

enum {
	EFFECTS_UNKNOWN_ADD, /* guild, event, step, route, channel, shard, why */
	EFFECTS_UNKNOWN_ADD_LATE,
	EFFECTS_STATEMENT_COUNT,
};

extern const struct statement effects_statements[EFFECTS_STATEMENT_COUNT];
extern const struct statement_set effects_statement_set;

#endif
