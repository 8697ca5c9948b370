/* Jobs of modules: finding a job's row for the scheduler, and the functions of <shoal/job.h> for the table. Loop thread
 * only. */
#ifndef SHOAL_SHARD_MODHOST_JOBS_H
#define SHOAL_SHARD_MODHOST_JOBS_H

#include "shard/schedule/schedule.h"

/* As schedule_options wants them; @arg is not used. */
int jobs_find(void *arg, const char *module, const char *name, uint64_t guild_id, struct schedule_handler *ret_handler);
const char *jobs_module(void *arg, size_t i);
const struct shoal_job *jobs_row(void *arg, const char *module, size_t i);

int jobs_schedule(struct shoal_scope *scope, const struct shoal_schedule *request, shoal_scheduled_fn fn, void *arg);
int jobs_cancel(struct shoal_scope *scope, const struct shoal_job_ref *ref, shoal_scheduled_fn fn, void *arg);
int jobs_list(struct shoal_scope *scope, const struct shoal_job_query *query, shoal_jobs_fn fn, void *arg);
int jobs_again(struct shoal_scope *scope, int64_t at_ms);

bool jobs_zone_known(const char *zone);
int jobs_zone_local(const char *zone, int64_t at_ms, struct shoal_local *ret_local);

#endif
