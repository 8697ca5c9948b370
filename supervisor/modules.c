/* Orders about modules. A manifest is asked of the worker program each time, so that a module that can't be loaded is
 * refused before any shard is touched; a crash while it is loaded ends that program and no worker. */
#include "supervisor/modules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "supervisor/forecast.h"
#include "supervisor/intents.h"
#include "supervisor/supervisor_internal.h"

#define LOAD_SIZE 2048

static void fail(struct control_peer *peer, int64_t id, int error, const char *text)
{
	control_peer_fail(peer, id, error_name(error), text);
}

static const json_t *find_named(const json_t *list, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *other = json_string_value(json_object_get(one, "name"));

		if (other && strcmp(other, name) == 0)
			return one;
	}
	return NULL;
}

/* --- how they fare -------------------------------------------------------------------------------------------------
 */

/* The board's row of that name. */
static bool find_row(const struct board_shard *board, const char *name, uint32_t *ret_row,
		     struct board_module *ret_module)
{
	for (uint32_t row = 0; row < BOARD_MODULES_MAX; row++) {
		if (board_shard_module(board, row, ret_module) && strcmp(ret_module->name, name) == 0) {
			*ret_row = row;
			return true;
		}
	}
	return false;
}

static void put_int(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

struct sums {
	uint64_t shards, states[BOARD_MODULE_STATE_COUNT], counters[BOARD_MODULE_COUNTER_COUNT];
	json_t *off; /* array, or NULL */
};

/* Times and memory: of all shards the most; everything else adds up. */
static void add_counter(struct sums *sums, enum board_module_counter counter, uint64_t value)
{
	if (counter != BOARD_MODULE_slowest_us)
		sums->counters[counter] += value;
	else if (value > sums->counters[counter])
		sums->counters[counter] = value;
}

static void sum_up(const struct supervisor *supervisor, const char *name, struct sums *sums)
{
	uint64_t now_ns = clock_boottime_ns();

	for (uint32_t i = 0; supervisor->fleet && i < supervisor->fleet->count; i++) {
		const struct board_shard *board = supervisor->fleet->workers[i].board;
		struct board_module module;
		uint32_t row;

		if (!find_row(board, name, &row, &module))
			continue;
		sums->shards++;
		if (module.state < BOARD_MODULE_STATE_COUNT)
			sums->states[module.state]++;
		for (int counter = 0; counter < BOARD_MODULE_COUNTER_COUNT; counter++)
			add_counter(sums, (enum board_module_counter)counter,
				    board_shard_module_counter(board, row, (enum board_module_counter)counter));
		if (sums->off && module.state == BOARD_MODULE_OFF)
			json_array_append_new(
				sums->off,
				json_pack("{s:I, s:I, s:I}", "shard", (json_int_t)i, "times", (json_int_t)module.trips,
					  "retry_in_s",
					  (json_int_t)(module.until_ns > now_ns ? (module.until_ns - now_ns) / NS_PER_S
										: 0)));
	}
}

json_t *modules_report(const struct supervisor *supervisor)
{
	json_t *list = json_array();
	const json_t *one;
	size_t i;

	json_array_foreach(supervisor->manifest.modules, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));
		struct sums sums = { .off = json_array() };
		json_t *row = json_copy((json_t *)one);

		sum_up(supervisor, name ? name : "", &sums);
		put_int(row, "shards", sums.shards);
		for (int state = 0; state < BOARD_MODULE_STATE_COUNT; state++)
			put_int(row, board_module_state_name((uint32_t)state), sums.states[state]);
		for (int counter = 0; counter < BOARD_MODULE_COUNTER_COUNT; counter++)
			put_int(row, board_module_counter_rows[counter].name, sums.counters[counter]);
		json_object_set_new(row, "shards_off", sums.off);
		json_array_append_new(list, row);
	}
	return list;
}

void modules_metrics(const struct supervisor *supervisor, struct metrics *metrics)
{
	const json_t *one;
	char name[64];
	size_t i;

	for (int counter = 0; counter < BOARD_MODULE_COUNTER_COUNT; counter++) {
		const struct board_counter_row *row = &board_module_counter_rows[counter];

		snprintf(name, sizeof(name), "module_%s", row->name);
		metrics_family(metrics, name, row->gauge ? METRICS_GAUGE : METRICS_COUNTER, row->help);
		json_array_foreach(supervisor->manifest.modules, i, one)
		{
			const char *module = json_string_value(json_object_get(one, "name"));
			struct sums sums = { 0 };

			sum_up(supervisor, module ? module : "", &sums);
			metrics_u64(metrics, name, sums.counters[counter], "module", module ? module : "", NULL);
		}
	}
	metrics_family(metrics, "module_off_shards", METRICS_GAUGE, "shards on which its breaker has switched it off");
	json_array_foreach(supervisor->manifest.modules, i, one)
	{
		const char *module = json_string_value(json_object_get(one, "name"));
		struct sums sums = { 0 };

		sum_up(supervisor, module ? module : "", &sums);
		metrics_u64(metrics, "module_off_shards", sums.states[BOARD_MODULE_OFF], "module", module ? module : "",
			    NULL);
	}
}

/* "bomb, sloth": those that are off there. */
static void name_off(const struct board_shard *board, char *names, size_t size)
{
	struct board_module module;
	size_t len = 0;

	snprintf(names, size, "a module");
	for (uint32_t row = 0; row < BOARD_MODULES_MAX && len < size; row++) {
		if (board_shard_module(board, row, &module) && module.state == BOARD_MODULE_OFF)
			len += (size_t)snprintf(names + len, size - len, "%s%s", len ? ", " : "module ", module.name);
	}
}

void modules_watch(struct supervisor *supervisor)
{
	for (uint32_t i = 0; supervisor->fleet && i < supervisor->fleet->count; i++) {
		struct worker *worker = &supervisor->fleet->workers[i];
		uint64_t now = board_shard_counter(worker->board, BOARD_COUNTER_modules_off);
		char names[128], text[ALERT_TEXT_SIZE];

		if (now > worker->modules_off_seen) {
			name_off(worker->board, names, sizeof(names));
			snprintf(text, sizeof(text),
				 "%s kept crashing the worker, or refused to be set up, and is switched off there; "
				 "shoalctl module list says until when",
				 names);
			alerts_raise(&supervisor->alerts, "modules.switched_off", (int32_t)i, text,
				     now - worker->modules_off_seen);
		}
		worker->modules_off_seen = now;
	}
}

static bool same_reason(const json_t *one, const json_t *other)
{
	const char *a = json_string_value(json_object_get(one, "reason"));
	const char *b = json_string_value(json_object_get(other, "reason"));

	return a && b && strcmp(a, b) == 0;
}

void modules_tell_refused(const struct manifest *manifest, const struct manifest *before)
{
	const json_t *one;
	char text[640];
	size_t i;

	json_array_foreach(manifest->refused, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));
		const char *reason = json_string_value(json_object_get(one, "reason"));

		if (same_reason(one, find_named(before->refused, name ? name : "")))
			continue;
		snprintf(text, sizeof(text), "module %s is left out: %s", name ? name : "?", reason ? reason : "?");
		log_error(NULL, "modules.refused", KV_MSG(text), KV_STR("module_name", name ? name : "?"));
	}
}

/* --- orders --------------------------------------------------------------------------------------------------------
 */

static void list(struct supervisor *supervisor, struct control_peer *peer, int64_t id)
{
	json_t *refused = supervisor->manifest.refused ? json_incref(supervisor->manifest.refused) : json_array();

	control_peer_answer(peer, id,
			    json_pack("{s:o, s:o}", "modules", modules_report(supervisor), "refused", refused));
}

/* A session keeps the intents with which it was identified, and a reload resumes it: that a module gets no events for
 * want of one must not be for whoever ordered it to find out. */
static void tell_missing_intents(struct supervisor *supervisor, struct control_peer *peer, int64_t id,
				 const struct manifest *manifest)
{
	uint32_t more = supervisor->have_intents ? manifest->intents & ~supervisor->intents : 0;
	char names[96] = "", text[ALERT_TEXT_SIZE];

	if (more == 0)
		return;
	for (size_t i = 0; i < intent_row_count; i++) {
		size_t len = strlen(names);

		if (more & 1U << intent_rows[i].bit)
			snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "", intent_rows[i].name);
	}
	snprintf(text, sizeof(text),
		 "the running sessions lack %s, which modules want: those events do not come before the bot identifies "
		 "anew, which is never done by itself; shoalctl plan module load %.31s says what it costs",
		 names, supervisor->modules.name);
	log_warn(NULL, "modules.intents_missing", KV_MSG(text));
	alerts_raise(&supervisor->alerts, "modules.intents_missing", -1, text, 1);
	control_peer_progress(peer, id, json_pack("{s:s}", "note", text));
}

static void order_reload(struct supervisor *supervisor, struct control_peer *peer, int64_t id,
			 const struct manifest *manifest)
{
	bool other_commands = strcmp(manifest->hash, supervisor->manifest.hash) != 0;
	CLEANUP(cleanup_free) uint32_t *shards = NULL;
	uint32_t count = supervisor->fleet->count;
	int r;

	shards = calloc(count, sizeof(*shards));
	if (!shards) {
		fail(peer, id, -ENOMEM, "no memory");
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		shards[i] = i;
	modules_tell_refused(manifest, &supervisor->manifest);
	tell_missing_intents(supervisor, peer, id, manifest);
	manifest_take(&supervisor->manifest, manifest);
	if (other_commands)
		supervisor_sync_commands(supervisor, upstream_info(supervisor->upstream)->application_id);
	upstream_refresh(supervisor->upstream);
	log_audit(NULL, "modules.reload_ordered", KV_STR("module_name", supervisor->modules.name),
		  KV_INT("by_pid", control_peer_pid(peer)), KV_BOOL("commands_changed", other_commands));
	r = restart_jobs_add(&supervisor->jobs, peer, id, shards, count, RESTART_READY_DEADLINE_MS, true);
	if (r < 0)
		fail(peer, id, r, "too many restarts are under way");
}

static void manifest_came(void *arg, int error, const struct manifest *manifest, const char *text)
{
	struct supervisor *supervisor = arg;
	struct modules_order *order = &supervisor->modules;
	struct control_peer *peer = TAKE(order->peer);
	const json_t *refused;
	char words[768];

	manifest_close(TAKE(order->run));
	if (!peer)
		return;
	if (error < 0) {
		snprintf(words, sizeof(words), "%s: nothing was touched", text);
		fail(peer, order->id, error, words);
		return;
	}
	refused = find_named(manifest->refused, order->name);
	if (refused) {
		const char *reason = json_string_value(json_object_get(refused, "reason"));

		snprintf(words, sizeof(words), "module %s can't be loaded: %s: nothing was touched", order->name,
			 reason ? reason : "?");
		fail(peer, order->id, -ENOEXEC, words);
	} else if (!find_named(manifest->modules, order->name)) {
		snprintf(words, sizeof(words),
			 "there is no module %s: %s.so must lie in modules.dir, and modules.load name it (or be *)",
			 order->name, order->name);
		fail(peer, order->id, -ENOENT, words);
	} else if (order->reload) {
		order_reload(supervisor, peer, order->id, manifest);
	} else {
		control_peer_answer(peer, order->id, forecast_module(supervisor, manifest, order->name));
	}
}

/* What modules.load would say with one more. */
static void with_module(const struct supervisor *supervisor, const char *name, char load[LOAD_SIZE])
{
	const char *now = supervisor->config->modules_load;

	if (find_named(supervisor->manifest.modules, name))
		snprintf(load, LOAD_SIZE, "%s", now);
	else
		snprintf(load, LOAD_SIZE, "%s%s%s", strchr(now, '*') ? "*" : now, !strchr(now, '*') && *now ? "," : "",
			 strchr(now, '*') ? "" : name);
}

/* Those that are left out already stay so, but for the one that is asked about. New reference; NULL: none. */
static json_t *without(const json_t *left_out, const char *name)
{
	json_t *others = json_array();
	json_t *one;
	size_t i;

	json_array_foreach(left_out, i, one)
	{
		if (strcmp(json_string_value(json_object_get(one, "name")), name) != 0)
			json_array_append(others, one);
	}
	return others;
}

void modules_handle(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	const char *name = json_string_value(json_object_get(request, "name"));
	struct modules_order *order = &supervisor->modules;
	char load[LOAD_SIZE];
	json_t *left_out;
	int r;

	if (strcmp(op, "list") == 0) {
		list(supervisor, peer, id);
		return;
	}
	if ((strcmp(op, "plan") != 0 && strcmp(op, "reload") != 0) || !name || !*name ||
	    strlen(name) >= sizeof(order->name)) {
		fail(peer, id, -EINVAL, "module: op is list, or plan or reload with a name");
		return;
	}
	if (supervisor->phase != PHASE_RUNNING || !supervisor->fleet) {
		fail(peer, id, -EAGAIN, "the fleet is not running");
		return;
	}
	if (order->run) {
		fail(peer, id, -EBUSY, "another one asks about modules just now");
		return;
	}
	order->reload = strcmp(op, "reload") == 0;
	snprintf(load, sizeof(load), "%s", supervisor->config->modules_load);
	if (!order->reload)
		with_module(supervisor, name, load);
	snprintf(order->name, sizeof(order->name), "%s", name);
	left_out = without(supervisor->manifest.left_out, name);
	r = manifest_run_with(supervisor->loop, supervisor->worker_path, supervisor->worker_env,
			      &(struct manifest_modules){
				      .dir = supervisor->config->modules_dir, .load = load, .left_out = left_out },
			      manifest_came, supervisor, &order->run);
	json_decref(left_out);
	if (r < 0) {
		fail(peer, id, r, "the worker program can't be started for its manifest");
		return;
	}
	order->peer = peer;
	order->id = id;
}

void modules_peer_gone(struct supervisor *supervisor, const struct control_peer *peer)
{
	if (supervisor->modules.peer == peer)
		supervisor->modules.peer = NULL;
}

void modules_close(struct supervisor *supervisor)
{
	manifest_close(TAKE(supervisor->modules.run));
	supervisor->modules.peer = NULL;
}
