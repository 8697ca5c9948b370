/* The statements of the outbox: how far each source has come. */
#ifndef SHOAL_SHARED_DB_STATEMENTS_OUTBOX_H
#define SHOAL_SHARED_DB_STATEMENTS_OUTBOX_H

#include "shared/db/statements.h"

enum {
	OUTBOX_ADVANCE, /* source, first, last, kind -> the cursor; SQLSTATE SH001 (-EALREADY): it is there already */
	OUTBOX_CURSORS, /* sources -> source, number */
	OUTBOX_SWEEP,   /* days: cursors of short-lived sources that have not moved for so long go */
	OUTBOX_STATEMENT_COUNT,
};

extern const struct statement outbox_statements[OUTBOX_STATEMENT_COUNT];
extern const struct statement_set outbox_statement_set;

#endif
