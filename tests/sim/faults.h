/* What goes wrong on demand: standing faults (the next N requests, connects, resumes) and strokes at open links. */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/* Standing faults; the strokes have no number, they are done at once. */
enum fault_kind {
	/* gateway */
	FAULT_REFUSE_CONNECT,
	FAULT_NEVER_HELLO,
	FAULT_BAD_HELLO,
	FAULT_OP7_FIRST,
	FAULT_REFUSE_RESUME,
	FAULT_IGNORE_RESUME,
	/* REST */
	FAULT_HTML,
	FAULT_HTTP_5XX,
	FAULT_REFUSAL,
	FAULT_RATE_LIMIT_429,
	FAULT_NO_HEADERS,
	FAULT_BAD_JSON,
	FAULT_LATENCY,
	FAULT_HANG,
	FAULT_CLOSE_MID_BODY,
	FAULT_RESET_REQUEST,
	FAULT_HTTP_5XX_AFTER,
	FAULT_RESET_AFTER,
	FAULT_UNAUTHORIZED,
	FAULT_GATEWAY_BOT,
	FAULT_KIND_COUNT,
};

/* True when such a fault stands for this shard (UINT32_MAX: not known yet); uses it up once. */
bool faults_take(enum fault_kind kind, uint32_t shard);
/* The same for a REST route by its name or "METHOD /path"; gives the fault's parameters (borrowed until the next call
 * that changes faults), or NULL when none stands. */
const json_t *faults_take_route(enum fault_kind kind, const char *route, const char *method, const char *path);

/* Its name, a literal. */
const char *faults_name(enum fault_kind kind);

/* POST /fault. A new reference: what was done, or {"error": …}. */
json_t *faults_apply(const json_t *request);
/* What stands. New reference. */
json_t *faults_json(void);
/* Lifts all, or the one with that id (not 0), and what lasts on open links (no_ack, slow, fragment, split). */
void faults_clear(uint64_t id);
/* Names of all kinds with a line of help each. New reference. */
json_t *faults_help(void);

#endif
