/* Events that had to leave the inbox before they were handled: too large for it, too old, or in the way of new ones;
 * and dead letters, which are not tried any more. In LMDB on tmpfs beside the session: it serves the process's death.
 * Loop thread only. */
#ifndef SHOAL_SHARD_EVENTS_PARKED_H
#define SHOAL_SHARD_EVENTS_PARKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parked;

struct parked_record {
	uint64_t session, sequence;
	uint32_t crashes;
	bool started; /* a handler had begun it */
	const char *payload;
	uint32_t len;
};

/* Opens or makes the files of @shard_id under @runtime_dir. *ret_fresh: nothing was kept. -errno. */
int parked_open(const char *runtime_dir, uint32_t generation, uint32_t shard_id, uint32_t max_mib, bool *ret_fresh,
		struct parked **ret_parked);
struct parked *parked_close(struct parked *parked);

/* Keeps a copy; on the map when it returns, so the inbox's bytes may go. -ENOSPC: full. */
int parked_put(struct parked *parked, const struct parked_record *record);
/* @ret_record's payload is borrowed until the next call that writes. -ENOENT. */
int parked_get(struct parked *parked, uint64_t session, uint64_t sequence, struct parked_record *ret_record);
/* Handled: nothing is left to do. 0 also when it was not there. */
int parked_delete(struct parked *parked, uint64_t session, uint64_t sequence);
/* From parked (or as given) to the dead letters, with @reason for people. */
int parked_bury(struct parked *parked, const struct parked_record *record, const char *reason);

size_t parked_count(const struct parked *parked);
size_t parked_dead_count(const struct parked *parked);
/* In order of session and sequence. @fn must not write; non-zero ends it and is returned. */
typedef int (*parked_each_fn)(void *arg, const struct parked_record *record);
int parked_each(struct parked *parked, parked_each_fn fn, void *arg);

#endif
