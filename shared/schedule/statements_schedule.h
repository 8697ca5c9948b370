/* The statements of jobs: making them, taking them, saying what came of a run. What ends in _LATE is the outbox's, for
 * a write that newer ones may have overtaken. */
#ifndef SHOAL_SHARED_SCHEDULE_STATEMENTS_SCHEDULE_H
#define SHOAL_SHARED_SCHEDULE_STATEMENTS_SCHEDULE_H

#include "shared/db/statements.h"

/* Whoever begins a run has it for so long, and may have it longer while it lasts. */
#define SCHEDULE_LEASE_S 75

enum {
	SCHEDULE_ADD,
	SCHEDULE_ADD_LATE,
	/* a recurring one of the whole fleet: (id, module, name, version, due, repeat, label) */
	SCHEDULE_FLEET,
	/* (until, shard count, shard, holder, modules, limit) -> what is due by then and free */
	SCHEDULE_DUE,
	/* (guild, id, holder, lease s, now) -> the job; no row: it is another's, or gone */
	SCHEDULE_CLAIM,
	/* (guild, id, holder, fence, lease s) */
	SCHEDULE_RENEW,
	/* (guild, id, holder, fence …) */
	SCHEDULE_DONE,
	SCHEDULE_DONE_LATE,
	SCHEDULE_NEXT,
	SCHEDULE_NEXT_LATE,
	SCHEDULE_FAIL,
	SCHEDULE_FAIL_LATE,
	/* (guild, id, module, user or 0) */
	SCHEDULE_CANCEL,
	SCHEDULE_CANCEL_LATE,
	/* (guild, module, name, user or 0, limit) */
	SCHEDULE_LIST,
	/* privacy and retention */
	SCHEDULE_EXPORT,
	SCHEDULE_ERASE,
	SCHEDULE_GONE_NAMES,
	SCHEDULE_GONE,
	SCHEDULE_SWEEP,
	SCHEDULE_STATEMENT_COUNT,
};

/* Columns of SCHEDULE_CLAIM. */
enum {
	CLAIM_FENCE,
	CLAIM_RUN,
	CLAIM_PRIOR,
	CLAIM_CLAIMS,
	CLAIM_CLAIMED_AT,
	CLAIM_DUE_AT,
	CLAIM_MODULE,
	CLAIM_NAME,
	CLAIM_VERSION,
	CLAIM_USER_ID,
	CLAIM_TAG,
	CLAIM_REPEAT,
	CLAIM_PAYLOAD,
};

/* Columns of SCHEDULE_LIST. */
enum {
	LIST_ID,
	LIST_TAG,
	LIST_USER_ID,
	LIST_DUE_AT,
	LIST_CREATED_AT,
	LIST_LABEL,
	LIST_REPEAT,
	LIST_PAYLOAD,
	LIST_VERSION
};

extern const struct statement schedule_statements[SCHEDULE_STATEMENT_COUNT];
extern const struct statement_set schedule_statement_set;

#endif
