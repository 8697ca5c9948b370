/* Between modules and the scheduler, which knows neither of the loader nor of the breakers. */
#include "shard/modhost/jobs.h"

#include <errno.h>
#include <string.h>

#include "shard/modhost/modhost.h"
#include "shared/schedule/zone.h"

static struct loaded_module *find_module(const char *name)
{
	for (size_t i = 0; i < loader_count(); i++) {
		if (strcmp(loader_get(i)->name, name) == 0)
			return loader_get(i);
	}
	return NULL;
}

static bool is_off(struct loaded_module *module, uint64_t guild_id)
{
	const struct modhost_options *options = modhost_services();

	if (module->entry.off || module->state != LOADED_UP)
		return true;
	return guild_id && options && options->allowed &&
	       !options->allowed(options->allowed_arg, &module->entry, guild_id);
}

int jobs_find(void *arg, const char *module_name, const char *name, uint64_t guild_id, struct schedule_handler *ret)
{
	struct loaded_module *module = find_module(module_name);
	const struct shoal_job *row = NULL;

	(void)arg;
	for (size_t i = 0; module && i < module->rows.job_count && !row; i++) {
		if (strcmp(module->rows.jobs[i].name, name) == 0)
			row = &module->rows.jobs[i];
	}
	if (!row)
		return -ENOENT;
	*ret = (struct schedule_handler){ .row = row, .module = &module->entry, .lane = module->lane };
	return is_off(module, guild_id) ? -EAGAIN : 0;
}

const char *jobs_module(void *arg, size_t wanted)
{
	(void)arg;
	for (size_t i = 0; i < loader_count(); i++) {
		struct loaded_module *module = loader_get(i);

		if (module->rows.job_count > 0 && !is_off(module, 0) && wanted-- == 0)
			return module->name;
	}
	return NULL;
}

const struct shoal_job *jobs_row(void *arg, const char *name, size_t i)
{
	const struct loaded_module *module = find_module(name);

	(void)arg;
	return module && i < module->rows.job_count ? &module->rows.jobs[i] : NULL;
}

/* --- the table's ---------------------------------------------------------------------------------------------------
 */

static struct schedule *schedule(void)
{
	const struct modhost_options *options = modhost_services();

	return options ? options->schedule : NULL;
}

int jobs_schedule(struct shoal_scope *scope, const struct shoal_schedule *request, shoal_scheduled_fn fn, void *arg)
{
	return schedule_add(schedule(), scope, request, fn, arg);
}

int jobs_cancel(struct shoal_scope *scope, const struct shoal_job_ref *ref, shoal_scheduled_fn fn, void *arg)
{
	return schedule_cancel(schedule(), scope, ref, fn, arg);
}

int jobs_list(struct shoal_scope *scope, const struct shoal_job_query *query, shoal_jobs_fn fn, void *arg)
{
	return schedule_list(schedule(), scope, query, fn, arg);
}

int jobs_again(struct shoal_scope *scope, int64_t at_ms)
{
	return schedule_again(schedule(), scope, at_ms);
}

bool jobs_zone_known(const char *name)
{
	const struct zone *zone;

	return zone_find(name, &zone) == 0;
}

int jobs_zone_local(const char *name, int64_t at_ms, struct shoal_local *ret_local)
{
	const struct zone *zone;

	if (zone_find(name, &zone) < 0)
		return -EINVAL;
	zone_local(zone, at_ms, ret_local);
	return 0;
}
