/* The scheduler of a worker: jobs that are due are taken from the database under a lease, begun in the code of the
 * module whose they are, and their end is written with the fence of the lease. What is made while the database is away
 * is kept by the outbox, and begun from memory.
 *
 *   read ahead (each jobs.look_s) -> KNOWN -> due: CLAIMING -> BEGUN -> ENDING -> ENDED
 *   shoal_schedule() -> MAKING -> KNOWN, or OWN (kept by the outbox) -> due: BEGUN
 *
 * Whatever is begun stands in the agenda, so that the next worker of the shard begins it again at once, with its
 * journal; a worker elsewhere may do so when the lease is over. Loop thread only. */
#ifndef SHOAL_SHARD_SCHEDULE_SCHEDULE_H
#define SHOAL_SHARD_SCHEDULE_SCHEDULE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/job.h>

#include "shard/events/effects.h"
#include "shard/events/scope.h"
#include "shared/db/db.h"
#include "shared/db/outbox.h"
#include "shared/loop/loop.h"
#include "shared/schedule/statements_schedule.h"

/* No effect of a run begins in the last part of its lease: what left before it must have ended when it is over. */
#define SCHEDULE_MARGIN_S 45
#define SCHEDULE_AHEAD_MS (30 * 1000)
#define SCHEDULE_JOBS_MAX 4096      /* in memory; what more is due waits in the database */
#define SCHEDULE_KEEP_S   (10 * 60) /* that a job is over is remembered */
/* Crashes of the worker after which a job is set aside: in its handler's code, and while it was merely open. */
#define SCHEDULE_CRASHES_CULPRIT 2
#define SCHEDULE_CRASHES_OPEN    5

struct schedule;

/* The module whose name the core's own jobs have; no module is called so. */
#define SCHEDULE_CORE "core"

/* As shoal_job's handle(), of a job of the core. */
typedef void (*schedule_core_fn)(void *arg, struct shoal_scope *scope, const struct shoal_job_run *run);

/* Who runs a job. */
struct schedule_handler {
	const struct shoal_job *row;
	schedule_core_fn core; /* NULL: row->handle() */
	void *arg;
	struct module_entry *module; /* NULL: the core's */
	uint32_t lane;               /* of its effects */
};

struct schedule_options {
	struct loop *loop;
	struct db *db;
	struct outbox *outbox; /* NULL: there is no database, and no jobs */
	struct effects *effects;
	_Atomic uint64_t *counters;
	const char *runtime_dir;
	uint32_t generation, shard_id, shard_count;
	uint32_t open_max, guild_open_max; /* runs under way, and of one guild */
	uint32_t look_s;
	uint32_t lease_s, margin_s; /* 0: SCHEDULE_LEASE_S and _MARGIN_S (tests have shorter ones) */
	bool crashed;               /* the last worker died of its own making */
	uint64_t culprit_job_id;    /* … in the code of this job; 0: of none */
	bool culprit_known;         /* … in a module's code */
	/* -ENOENT: no such module, or no such row in it; -EAGAIN: it is there, and switched off just now (@guild_id 0:
	 * in no guild). */
	int (*find)(void *arg, const char *module, const char *name, uint64_t guild_id, struct schedule_handler *ret);
	/* The i-th module that has jobs and is on; NULL: there are no more. */
	const char *(*module)(void *arg, size_t i);
	/* The i-th row of @module. */
	const struct shoal_job *(*row)(void *arg, const char *module, size_t i);
	void (*alert)(void *arg, const char *event, const char *text);
	void *arg;
};

/* Copies @options; takes up what the last worker left, begins nothing. -errno. */
int schedule_new(const struct schedule_options *options, struct schedule **ret_schedule);
/* From now on jobs are begun. Modules are up. */
void schedule_start(struct schedule *schedule);
/* The database came up. NULL is nothing to do. */
void schedule_wake(struct schedule *schedule);
/* Runs that a worker before us had begun and that are not over. */
size_t schedule_begun_before(const struct schedule *schedule);
/* Runs that are worth waiting for: not the core's, which go on elsewhere. */
bool schedule_is_busy(const struct schedule *schedule);
/* Ends all runs' scopes with -ECANCELED; they stay begun, for the successor. Before modhost_close(). */
void schedule_closing(struct schedule *schedule);
/* After the loop has run empty. NULL in, NULL out. */
struct schedule *schedule_free(struct schedule *schedule);

/* A recurring job of the core, for the whole fleet: one run at a time in all of it. @row: its name, repeat and policy,
 * copied but for the name, which is kept. Before schedule_start(). NULL is nothing to do. -EINVAL: the repeat can't be
 * read; -ENOBUFS. */
int schedule_fleet(struct schedule *schedule, const struct shoal_job *row, schedule_core_fn handle, void *arg);
/* Whether the run of that scope may still act: a long one asks. */
bool schedule_may_act(const struct shoal_scope *scope);

/* --- <shoal/job.h>, schedule_calls.c. Without a database -SHOAL_EOFFLINE ---------------------------------------------
 */
int schedule_add(struct schedule *schedule, struct shoal_scope *scope, const struct shoal_schedule *request,
		 shoal_scheduled_fn fn, void *arg);
int schedule_cancel(struct schedule *schedule, struct shoal_scope *scope, const struct shoal_job_ref *ref,
		    shoal_scheduled_fn fn, void *arg);
int schedule_list(struct schedule *schedule, struct shoal_scope *scope, const struct shoal_job_query *query,
		  shoal_jobs_fn fn, void *arg);
int schedule_again(struct schedule *schedule, struct shoal_scope *scope, int64_t at_ms);

#endif
