/* Places at which a process can be made to die of SIGKILL, for the chaos campaign. Compiled in only with
 * -DSHOAL_KILL_POINTS (make KILL_POINTS=1, into a build folder of its own); nothing otherwise, arguments included.
 *
 * Whoever kills arms a place of a running process: $SHOAL_KILL_FILE names a file of KILL_SLOTS slots that he and the
 * processes map. Any thread. */
#ifndef SHOAL_SHARED_BASE_KILL_POINT_H
#define SHOAL_SHARED_BASE_KILL_POINT_H

#include <stdatomic.h>
#include <stdint.h>

#define KILL_SLOTS 64

enum kill_state { KILL_IDLE, KILL_ARMED, KILL_DONE };

/* One order and what came of it. Written by him who kills while IDLE or DONE; by the process while ARMED. */
struct kill_slot {
	_Atomic uint32_t state;
	uint32_t pid;         /* 0: whichever process comes there first */
	uint32_t countdown;   /* dies at the hit at which this becomes 0 */
	uint32_t tickets_min; /* hits with fewer open tickets do not count */
	char point[32];
	char detail[64];         /* part of the place's detail; "": any */
	uint32_t tickets;        /* open at the end */
	uint32_t hits;           /* that counted */
	uint64_t monotonic_ns;   /* of the end, CLOCK_MONOTONIC */
	char what[64];           /* the place's detail at the end */
	uint32_t shard_plus_one; /* 0: of any shard; else the one that the command line names, so that it may be a
				  * process that does not run yet */
	unsigned char unused[60];
};
_Static_assert(sizeof(struct kill_slot) == 256, "tests/chaos/kills.py packs it");

#ifdef SHOAL_KILL_POINTS
/* @detail: what is at hand there, a route's or an event's name; NULL: nothing. */
void kill_point_reach(const char *point, const char *detail);
/* How many tickets are open now. */
void kill_point_note_tickets(uint32_t open);
#define KILL_POINT(point_, detail_) kill_point_reach(point_, detail_)
#define KILL_POINT_TICKETS(open_)   kill_point_note_tickets(open_)
/* What a worker must inherit beside all else. */
#define KILL_POINT_ENVIRONMENT "SHOAL_KILL_FILE", "SHOAL_CHAOS_HOOKS",
#else
#define KILL_POINT(point_, detail_) ((void)0)
#define KILL_POINT_TICKETS(open_)   ((void)0)
#define KILL_POINT_ENVIRONMENT
#endif

#endif
