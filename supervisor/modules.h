/* Modules as the supervisor sees them: what the worker program's manifest says of them, how they fare by the boards,
 * what one more would cost, and how a changed one is taken in. It loads none itself. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_MODULES_H
#define SHOAL_SUPERVISOR_MODULES_H

#include <stdint.h>

#include <jansson.h>

#include "shared/control/control.h"
#include "shared/metrics/metrics.h"
#include "supervisor/manifest.h"

struct supervisor;

#define MODULES_NAME_SIZE 64

/* One order at a time that needs the manifest anew. */
struct modules_order {
	struct manifest_run *run; /* NULL: none is under way */
	struct control_peer *peer;
	int64_t id;
	bool reload; /* else it is a plan */
	char name[MODULES_NAME_SIZE];
};

/* The verb `module`: {op: list | plan | reload, name}. */
void modules_handle(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request);
void modules_peer_gone(struct supervisor *supervisor, const struct control_peer *peer);
void modules_close(struct supervisor *supervisor);

/* [{name, version, description, file, shards, off, trial, crashes, entries, …, shards_off: [{shard, retry_in_s}]}]: the
 * manifest's, with the boards' sums. New reference. */
json_t *modules_report(const struct supervisor *supervisor);
void modules_metrics(const struct supervisor *supervisor, struct metrics *metrics);
/* Modules that the worker program left out, each an error in our log, unless @before has it for the same reason. */
void modules_tell_refused(const struct manifest *manifest, const struct manifest *before);
/* Alerts about modules that a breaker has switched off since the last look. */
void modules_watch(struct supervisor *supervisor);

#endif
