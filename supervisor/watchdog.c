/* The watchdog's judgement: a stale stamp means a hung worker, unless most are stale or we were stalled ourselves: then
 * the machine is the cause and killing would make it worse. Run by the supervisor at its slow tick; kills nobody
 * itself. */
#include "supervisor/watchdog.h"

#include <string.h>

/* A tick that came this many times too late means that we did not run. */
#define STALL_FACTOR 4

void watchdog_init(struct watchdog *watchdog, uint64_t timeout_ns)
{
	memset(watchdog, 0, sizeof(*watchdog));
	watchdog->timeout_ns = timeout_ns;
}

static bool was_stalled(struct watchdog *watchdog, uint64_t now_ns, uint64_t expected_gap_ns)
{
	uint64_t gap_ns = watchdog->checked_ns == 0 ? 0 : now_ns - watchdog->checked_ns;

	watchdog->checked_ns = now_ns;
	/* After a stall every worker gets a full time-out to stamp again. */
	if (gap_ns > STALL_FACTOR * expected_gap_ns)
		watchdog->grace_ns = now_ns + watchdog->timeout_ns;
	return now_ns < watchdog->grace_ns;
}

enum watchdog_verdict watchdog_check(struct watchdog *watchdog, uint64_t now_ns, uint64_t expected_gap_ns,
				     const struct watchdog_stamp *stamps, size_t count, size_t *ret_index)
{
	size_t stale = 0, considered = 0, worst = 0;

	if (was_stalled(watchdog, now_ns, expected_gap_ns))
		return WATCHDOG_STALLED;
	for (size_t i = 0; i < count; i++) {
		uint64_t stamped_ns = stamps[i].stamped_ns;

		if (stamped_ns == 0)
			continue;
		considered++;
		/* A stamp from the future is fresh: clocks of one machine agree, the board was just written. */
		if (stamped_ns >= now_ns || now_ns - stamped_ns <= watchdog->timeout_ns)
			continue;
		if (stale == 0 || stamped_ns < stamps[worst].stamped_ns)
			worst = i;
		stale++;
	}
	if (considered >= WATCHDOG_MOST_MIN && stale * 2 > considered)
		return WATCHDOG_MACHINE;
	if (stale == 0)
		return WATCHDOG_ALL_WELL;
	if (watchdog->killed_ns != 0 && now_ns - watchdog->killed_ns < WATCHDOG_KILL_GAP_NS)
		return WATCHDOG_PACED;
	watchdog->killed_ns = now_ns;
	*ret_index = worst;
	return WATCHDOG_ABORT;
}
