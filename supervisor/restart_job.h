/* `shoalctl restart N…`: one shard after the other is asked to stop (its session stays resumable), started anew and
 * waited for until it is ready, with a progress line for each step. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_RESTART_JOB_H
#define SHOAL_SUPERVISOR_RESTART_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/control/control.h"
#include "supervisor/fleet.h"

#define RESTART_JOBS_MAX          8
#define RESTART_READY_DEADLINE_MS 120000

struct restart_job;

struct restart_jobs {
	struct fleet *fleet;
	struct restart_job *first;
	uint32_t count;
};

void restart_jobs_init(struct restart_jobs *jobs, struct fleet *fleet);
/* @rolling: stops also at the first shard that came back without its session, and a stop is an alert.
 * Starts a job for @peer's request @id. @shards: copied; ids of this fleet. -ENOBUFS (too many at once), -ENOMEM. */
int restart_jobs_add(struct restart_jobs *jobs, struct control_peer *peer, int64_t id, const uint32_t *shards,
		     uint32_t count, uint64_t deadline_ms, bool rolling);
/* At each slow tick, and when something changed. */
void restart_jobs_tick(struct restart_jobs *jobs);
/* @peer is gone: its jobs go on to the end of the shard at hand, then end. */
void restart_jobs_peer_gone(struct restart_jobs *jobs, const struct control_peer *peer);
/* Ends all with an error @name. */
void restart_jobs_finish(struct restart_jobs *jobs, const char *name, const char *message);

#endif
