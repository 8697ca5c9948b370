/* The worker's guard of the loader. Must not touch a module's file itself: that is the loader's. */
#include "shard/modhost/trial.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shard/events/culprit.h"
#include "shard/modhost/loader.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

static struct trial_options trial;
static size_t off_count;
static struct culprit_frame frame;
static struct module_entry entry;
static char entry_name[SHOAL_MODULE_NAME_MAX + 1];

/* Its row, or a free one made its own. False: all are taken; then it is loaded unmarked. */
static bool find_row(const char *name, uint32_t *ret_row, struct board_module *ret_module)
{
	uint32_t row, unused = BOARD_MODULES_MAX;

	for (row = 0; row < BOARD_MODULES_MAX; row++) {
		if (!board_shard_module(trial.board, row, ret_module)) {
			if (unused == BOARD_MODULES_MAX)
				unused = row;
			continue;
		}
		if (strcmp(ret_module->name, name) == 0) {
			*ret_row = row;
			return true;
		}
	}
	if (unused == BOARD_MODULES_MAX)
		return false;
	*ret_module = (struct board_module){ .state = BREAKER_ON };
	snprintf(ret_module->name, sizeof(ret_module->name), "%s", name);
	board_shard_set_module(trial.board, unused, ret_module);
	*ret_row = unused;
	return true;
}

/* Whether the file was changed after its breaker tripped: then it is another one. The wall clock may have jumped
 * meanwhile; then one that crashes is tried once too often, or waits out its time. */
static bool changed_since(const char *path, uint64_t tripped_ns, uint64_t now_ns)
{
	struct timespec now;
	struct stat st;
	int64_t age_ns;

	if (stat(path, &st) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return false;
	age_ns = (int64_t)(now.tv_sec - st.st_ctim.tv_sec) * (int64_t)NS_PER_S + (now.tv_nsec - st.st_ctim.tv_nsec);
	return tripped_ns < now_ns && age_ns >= 0 && (uint64_t)age_ns < now_ns - tripped_ns;
}

static const char *reason_of(const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(trial.left_out, i, one)
	{
		const char *known = json_string_value(json_object_get(one, "name"));
		const char *reason = json_string_value(json_object_get(one, "reason"));

		if (known && strcmp(known, name) == 0)
			return reason ? reason : "?";
	}
	return NULL;
}

static bool may_try(struct board_module *module, const char *path, uint64_t now_ns)
{
	if (changed_since(path, module->until_ns - breaker_pause_ns(module, trial.rules), now_ns))
		module->until_ns = now_ns;
	return breaker_step(module, BREAKER_TIME, now_ns, trial.rules);
}

static int before_loading(void *arg, const char *name, const char *path, char *error)
{
	const char *reason = reason_of(name);
	uint64_t now_ns = clock_boottime_ns();
	struct board_module module;
	uint32_t row;

	(void)arg;
	if (reason) {
		snprintf(error, LOADER_ERROR_SIZE, "%s", reason);
		return -ECANCELED;
	}
	frame = (struct culprit_frame){ 0 };
	if (!find_row(name, &row, &module))
		return 0;
	breaker_check(&module, trial.rules, now_ns);
	/* One that crashes when it is called is loaded all the same: the module host passes it by, and tries it. */
	if (module.state == BREAKER_OFF && module.loading && !may_try(&module, path, now_ns)) {
		snprintf(error, LOADER_ERROR_SIZE,
			 "it crashed the worker while it was loaded: switched off on this shard, tried again at the "
			 "first start in %" PRIu64 " s or later, or when its file was changed",
			 (uint64_t)((module.until_ns - now_ns) / NS_PER_S + 1));
		off_count++;
		return -ECANCELED;
	}
	board_shard_set_module(trial.board, row, &module);
	snprintf(entry_name, sizeof(entry_name), "%s", name);
	entry = (struct module_entry){ .name = entry_name, .row = row };
	culprit_enter(&frame, &entry, CULPRIT_LOADING, NULL, "its loading");
	return 0;
}

static void after_loading(void *arg, const char *name, bool loaded)
{
	struct board_module module;

	(void)arg;
	(void)name;
	(void)loaded;
	culprit_leave(&frame);
	if (!frame.module || !board_shard_module(trial.board, entry.row, &module) || !module.loading)
		return;
	module.loading = false;
	board_shard_set_module(trial.board, entry.row, &module);
}

/* The last worker died while a module was loaded. */
static void blame(uint64_t now_ns)
{
	const struct board_culprit *culprit = &trial.culprit;
	struct log_ctx ctx = { .shard = -1 };
	struct board_module module;

	if (!culprit->module || culprit->kind != CULPRIT_LOADING ||
	    !board_shard_module(trial.board, culprit->module - 1, &module))
		return;
	ctx.module = module.name;
	log_error(&ctx, "modules.crashed", KV_MSG("the last worker crashed while a module was loaded"),
		  KV_STR("called_for", culprit_kind_words(culprit->kind)));
	board_count(board_shard_module_counters(trial.board, culprit->module - 1), BOARD_MODULE_crashes, 1);
	breaker_check(&module, trial.rules, now_ns);
	breaker_step(&module, BREAKER_CRASH, now_ns, trial.rules);
	module.loading = true;
	board_shard_set_module(trial.board, culprit->module - 1, &module);
}

void trial_begin(const struct trial_options *options)
{
	static const struct loader_guard guard = { .before = before_loading, .after = after_loading };

	trial = *options;
	off_count = 0;
	blame(clock_boottime_ns());
	loader_set_guard(&guard);
}

void trial_end(void)
{
	loader_set_guard(NULL);
	trial = (struct trial_options){ 0 };
}

size_t trial_off_count(void)
{
	return off_count;
}
