/* The verbs of the control socket: one table, a row each, arguments checked by the row before its handler runs. */
#ifndef SHOAL_SUPERVISOR_VERBS_H
#define SHOAL_SUPERVISOR_VERBS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "supervisor/supervisor.h"

enum verb_kind { VERB_U32, VERB_U64, VERB_BOOL, VERB_STR, VERB_U32_LIST };

struct verb_field {
	const char *name; /* NULL: end of the row's fields */
	enum verb_kind kind;
	bool required;
	uint64_t max; /* of a number, of a text's bytes, of a list's members */
};

#define VERB_FIELDS_MAX 6

enum verb_caller {
	VERB_WORKER = 1,   /* a peer that said hello */
	VERB_OPERATOR = 2, /* anybody the socket lets in */
};

struct verb_row {
	const char *name;
	unsigned callers; /* set of verb_caller */
	struct verb_field fields[VERB_FIELDS_MAX];
	void (*handle)(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request);
	const char *help;
};

extern const struct verb_row verb_rows[];
extern const size_t verb_row_count;

const struct verb_row *verb_find(const char *name);
/* -EINVAL with @error in words when a field is missing, of another kind or beyond its maximum. Unknown fields are let
 * pass: a newer peer may send them. */
int verb_check(const struct verb_row *row, const json_t *request, char *error, size_t size);

/* For control_server_new(); @arg is the supervisor. */
extern const struct control_server_events verb_events;

/* The grants of the ledger go to the peers that asked. */
extern const struct ledger_events verb_ledger_events;

/* Hellos that had to wait for the plan are answered. */
void verbs_greet_waiting(struct supervisor *supervisor);
/* The peer that asked for `stop` is told how it ended. */
void verbs_answer_stop(struct supervisor *supervisor);

#endif
