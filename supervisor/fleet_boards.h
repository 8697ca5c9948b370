/* What the fleet does with its boards' files; fleet.c's alone. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_FLEET_BOARDS_H
#define SHOAL_SUPERVISOR_FLEET_BOARDS_H

#include "supervisor/fleet.h"

/* Makes @worker's board, or finds a valid one, and maps it. -ENOSPC, -errno; see board_shard_create(). */
int fleet_boards_open(const struct fleet *fleet, struct worker *worker);
/* Before a worker is started, with the shard's lock free: it must find boards, whatever others did to the directory. */
int fleet_boards_mend(struct fleet *fleet, struct worker *worker);
/* Slow tick. Others may cut off a file under us: the host's page is put right; a shard's is by its worker, or before
 * the next one starts. */
void fleet_boards_look(struct fleet *fleet);

#endif
