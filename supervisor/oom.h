/* Whether the kernel has lately killed for want of memory: the machine's count of such kills, in a cgroup or at large.
 * It names nobody: with a SIGKILL that we did not send, it is the likely cause, and said so. */
#ifndef SHOAL_SUPERVISOR_OOM_H
#define SHOAL_SUPERVISOR_OOM_H

#include <stdbool.h>
#include <stdint.h>

struct oom {
	uint64_t seen;   /* kills at the last look */
	uint64_t before; /* and at the one before: a look may fall between a kill and the word of it */
	bool available;  /* the kernel tells (4.13 and later, and /proc is whole) */
};

/* oom_kill of a /proc/vmstat's text; -ENODATA when it is not there. */
int oom_parse(const char *text, uint64_t *ret_kills);
void oom_init(struct oom *oom);
/* Each second or so: kills until the look before are not those that a death to come is judged by. */
void oom_look(struct oom *oom);
/* Has there been one since the look before the last? */
bool oom_happened(const struct oom *oom);

#endif
