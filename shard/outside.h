/* What a worker asks of others: REST, NATS, PostgreSQL, and what stands on the database: outbox and settings. Set up
 * once, closed with the other parts (setup.h). Loop thread only. */
#ifndef SHOAL_SHARD_OUTSIDE_H
#define SHOAL_SHARD_OUTSIDE_H

#include "shard/worker.h"

/* After the modules are loaded: what they declare of settings and statements is registered here. *what: in words what
 * did not come up, with the keys of its configuration. */
int outside_start(struct worker *worker, const char **what);

/* Takes the key ring out of the supervisor's secrets, at the start and from each new supervisor. Keys that are missing
 * or malformed cost what needs them, and nothing else. */
void outside_keys(struct worker *worker, const json_t *secrets);

/* A write that outlasts the database's absence, for settings and modules. @arg: the worker. -SHOAL_EOFFLINE: there is
 * no database; else outbox_write(). */
int outside_write(void *arg, const struct outbox_write *write, outbox_fn fn, void *fn_arg);

#endif
