/* Which hung worker to abort now, judged from the stamps on the boards. Pure: clock and stamps are handed in. */
#ifndef SHOAL_SUPERVISOR_WATCHDOG_H
#define SHOAL_SUPERVISOR_WATCHDOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With fewer workers than this "most of them" is no evidence of a sick machine: one hung worker of one is just hung. */
#define WATCHDOG_MOST_MIN    4
#define WATCHDOG_KILL_GAP_NS (1000ULL * 1000 * 1000)

struct watchdog {
	uint64_t timeout_ns;
	uint64_t checked_ns; /* last call */
	uint64_t grace_ns;   /* nobody is judged before this: the supervisor itself was stalled */
	uint64_t killed_ns;  /* last abort */
};

struct watchdog_stamp {
	uint32_t shard_id;
	uint64_t stamped_ns; /* CLOCK_BOOTTIME; 0 = never stamped: the start deadline's business, not ours */
};

enum watchdog_verdict {
	WATCHDOG_ALL_WELL,
	WATCHDOG_ABORT,   /* *ret_index says whom */
	WATCHDOG_PACED,   /* somebody is stale, but the last abort was less than a second ago */
	WATCHDOG_STALLED, /* we were stalled ourselves: stamps mean nothing for a while */
	WATCHDOG_MACHINE, /* most are stale: the machine is the cause, nobody is killed */
};

void watchdog_init(struct watchdog *watchdog, uint64_t timeout_ns);

/* To be called each @expected_gap_ns or so. @stamps: the running workers, in any order (those being aborted already
 * left out). The stalest is chosen. All times CLOCK_BOOTTIME. */
enum watchdog_verdict watchdog_check(struct watchdog *watchdog, uint64_t now_ns, uint64_t expected_gap_ns,
				     const struct watchdog_stamp *stamps, size_t count, size_t *ret_index);

#endif
