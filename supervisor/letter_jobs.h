/* `shoalctl dead-letters retry, drop`: an order for one dead letter is passed to the worker whose it is, and its answer
 * back. Bounded in number and time. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_LETTER_JOBS_H
#define SHOAL_SUPERVISOR_LETTER_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "shared/control/control.h"

#define LETTER_JOBS_MAX 32
/* A handler may be at it for longer: then that is the answer. */
#define LETTER_JOB_DEADLINE_MS 10000

struct fleet;
struct worker;

struct letter_job {
	uint64_t token; /* 0: free */
	struct control_peer *peer;
	int64_t id;
	uint32_t shard_id;
	uint64_t until_ns; /* monotonic */
	bool outbox;       /* of an outbox, not an event */
};

struct letter_jobs {
	struct letter_job jobs[LETTER_JOBS_MAX];
	uint64_t last_token;
};

/* The operator's request {op, letter}: answered now or later. */
void letter_jobs_order(struct letter_jobs *jobs, struct fleet *fleet, struct control_peer *peer, int64_t id,
		       const json_t *request);
/* The same for the dead letters of a shard's outbox: {op, shard, entry}; entry 0: all. */
void letter_jobs_order_outbox(struct letter_jobs *jobs, struct fleet *fleet, struct control_peer *peer, int64_t id,
			      const json_t *request);
/* The worker's word {token, error, message}. */
void letter_jobs_done(struct letter_jobs *jobs, const struct worker *worker, const json_t *request);
/* At each slow tick. */
void letter_jobs_tick(struct letter_jobs *jobs);
void letter_jobs_peer_gone(struct letter_jobs *jobs, const struct control_peer *peer);
void letter_jobs_worker_gone(struct letter_jobs *jobs, uint32_t shard_id);

#endif
