/* The parts of a worker in the order in which they come up, and the reverse. */
#include "shard/setup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <shoal/snowflake.h>

#include "shard/alerts.h"
#include "shard/commands/seal.h"
#include "shard/keeping.h"
#include "shard/modhost/jobs.h"
#include "shard/modhost/trial.h"
#include "shard/outside.h"
#include "shard/session_link.h"
#include "shard/subscriptions.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/db/statements_effects.h"
#include "shared/log/log.h"

static int on_cache_commit(void *arg, uint64_t applied)
{
	return cache_commit(((struct worker *)arg)->cache, applied);
}

static uint64_t on_cache_applied(void *arg)
{
	return cache_applied(((struct worker *)arg)->cache);
}

static const struct pipeline_cache pipeline_cache = { .commit = on_cache_commit, .applied = on_cache_applied };

/* It is in the log already; the row is for whoever looks for it later. */
static void on_unknown_kept(void *arg, int error, enum outbox_how how, const struct db_result *result)
{
	(void)arg;
	(void)how;
	(void)result;
	if (error < 0 && error != -ECANCELED)
		log_warn(NULL, "effects.unknown_not_kept", KV_ERR(error),
			 KV_MSG("that an effect may or may not have happened could not be stored; this log alone says "
				"it"));
}

static void on_unknown_effect(void *arg, const struct effects_unknown *unknown)
{
	struct worker *worker = arg;
	const struct db_param params[] = { DB_INT8((int64_t)unknown->guild_id),
					   DB_TEXT(unknown->event, strlen(unknown->event)),
					   DB_INT8(unknown->step),
					   DB_TEXT(unknown->route, strlen(unknown->route)),
					   DB_INT8((int64_t)unknown->channel_id),
					   DB_INT8(worker->options.shard_id),
					   DB_TEXT(unknown->why, strlen(unknown->why)) };
	const struct outbox_write write = { .owner = effects_statement_set.owner,
					    .statement = effects_statements[EFFECTS_UNKNOWN_ADD].name,
					    .params = params,
					    .param_count = ARRAY_SIZE(params),
					    .key = { unknown->guild_id, "effect_unknown" },
					    .token = unknown->token };
	int r = worker->outbox ? outbox_write(worker->outbox, &write, on_unknown_kept, NULL) : 0;

	if (r < 0)
		on_unknown_kept(NULL, r, OUTBOX_KEPT, NULL);
}

static int start_effects(struct worker *worker)
{
	struct journal_options options = { .runtime_dir = worker->options.runtime_dir,
					   .generation = worker->options.generation,
					   .shard_id = worker->options.shard_id,
					   .max_mib = worker->config->effects_journal_max_mib,
					   .crashed = worker->crashed,
					   .failed = worker->journal_failed };

	int r = effects_new(&worker->loop, &options, worker->rest, worker->counters, &worker->effects);

	if (r == 0)
		effects_on_unknown(worker->effects, on_unknown_effect, worker);
	return r;
}

static int start_session(struct worker *worker, const json_t *secrets)
{
	const char *gateway_url = json_string_value(json_object_get(secrets, "gateway_url"));
	struct session_options options;
	int r;

	session_options_from_config(&options, worker->config);
	options.shard_id = worker->options.shard_id;
	options.shard_count = worker->shard_count;
	options.intents = (uint32_t)json_integer_value(json_object_get(secrets, "intents"));
	options.gateway_url = gateway_url ? gateway_url : "";
	r = session_new(&worker->loop, &options, worker->board, &link_session_events, worker, &worker->session);
	if (r < 0)
		return r;
	session_start(worker->session);
	return 0;
}

static void on_handled(void *arg, struct event_key event)
{
	effects_handled(((struct worker *)arg)->effects, event);
}

static int on_export(void *arg, struct event_key event, struct buf *out, bool *ret_doubtful)
{
	return effects_export(((struct worker *)arg)->effects, event, out, ret_doubtful);
}

static int on_import(void *arg, struct event_key event, const char *rows, size_t len, bool same_boot)
{
	return effects_import(((struct worker *)arg)->effects, event, rows, len, same_boot);
}

static void on_dead(void *arg, const struct pipeline_dead *dead)
{
	char text[256];

	snprintf(text, sizeof(text), "%s (guild %" PRIu64 ") was set aside: %s; shoalctl dead-letters show %s",
		 dead->dispatch, dead->guild_id, dead->reason, dead->id);
	shard_alert(arg, "pipeline.dead_letter", text);
}

static void on_flight(void *arg, int error, const char *path)
{
	char text[256];

	if (error < 0)
		snprintf(text, sizeof(text), "the worker's last events could not be recorded: %s", error_text(error));
	else
		snprintf(text, sizeof(text), "the worker crashed; its last events: %.200s", path);
	shard_alert(arg, error < 0 ? "flight.failed" : "flight.saved", text);
}

static const struct pipeline_events pipeline_events = {
	.handled = on_handled, .export = on_export, .import = on_import, .dead = on_dead, .flight = on_flight
};

/* Before the session: what the last worker had taken must not be asked of Discord again. */
static bool on_turn(void *arg, uint64_t guild_id)
{
	struct worker *worker = arg;

	return preload_ready(worker->preload, guild_id);
}

static void on_preloaded(void *arg, uint64_t guild_id)
{
	struct worker *worker = arg;

	pipeline_ready(worker->pipeline, guild_id);
}

static int start_pipeline(struct worker *worker)
{
	const struct config *config = worker->config;
	struct pipeline_options options = { .runtime_dir = worker->options.runtime_dir,
					    .state_dir = config->supervisor_state_dir,
					    .generation = worker->options.generation,
					    .shard_id = worker->options.shard_id,
					    .shard_count = worker->shard_count,
					    .guild_open_max = config->inbox_guild_open_tickets,
					    .shed_percent = config->inbox_shed_percent,
					    .stage_max_mib = config->inbox_parked_max_mib,
					    .parked_max_mib = config->parked_max_mib,
					    .parked_max_age_days = config->parked_max_age_days,
					    .flight_keep = config->flight_keep,
					    .flight_max_mib = config->flight_max_mib,
					    .crashed = worker->crashed,
					    .blameless = worker->culprit.module &&
							 (worker->culprit.session == 0 ||
							  worker->culprit.session == TICKET_SESSION_JOBS),
					    .letters_failed = worker->letters_failed,
					    .culprit_session = worker->culprit.session,
					    .culprit_sequence = worker->culprit.sequence,
					    .culprit_module = worker->culprit_name,
					    .crash_report = worker->crash_report,
					    .ready = on_turn,
					    .ready_arg = worker,
					    .events = pipeline_events };
	int r;

	options.events.arg = worker;
	r = preload_new(&worker->loop, worker->settings, on_preloaded, worker, &worker->preload);
	if (r < 0)
		return r;
	r = pipeline_new(&worker->loop, &options, worker->board, &worker->dispatch, &pipeline_cache, &worker->pipeline);
	if (r == 0)
		worker_trust_journal(worker);
	return r;
}

/* Whose guilds these are: a resumed session has no READY to say it. */
static uint64_t own_user_id(struct worker *worker, const json_t *secrets)
{
	struct board_session known;
	uint64_t sequence;

	if (board_shard_session(worker->board, &known, &sequence))
		return known.user_id;
	return (uint64_t)json_integer_value(json_object_get(secrets, "user_id"));
}

/* What is wrong with its files is never a reason not to serve. */
static int open_cache(struct worker *worker)
{
	struct cache_options options = { .runtime_dir = worker->options.runtime_dir,
					 .generation = worker->options.generation,
					 .shard_id = worker->options.shard_id,
					 .map_bytes = (size_t)worker->config->cache_max_mib << 20,
					 .anew = worker->cache_failed };
	struct board_exit none = { .class = EXIT_CLASS_NONE };
	struct cache_found found;
	int r;

	r = cache_open(&options, &found, &worker->cache);
	if (r < 0)
		return r;
	if (found.error < 0)
		log_error(
			NULL, "cache.away",
			KV_MSG("there is no room for the guild cache: serving without it and trying again; free some, "
			       "or choose another supervisor.runtime_dir"),
			KV_STR("folder", worker->options.runtime_dir), KV_ERR(found.error));
	else if (found.damaged)
		log_error(NULL, "cache.dropped",
			  KV_MSG("the guild cache was damaged; it is made anew and filled again, the session goes on"));
	if (options.anew)
		board_shard_set_exit(worker->board, &none); /* told once */
	return 0;
}

static int start_fill(struct worker *worker)
{
	struct fill_options options = { .shard_id = worker->options.shard_id,
					.shard_count = worker->shard_count,
					.requests_per_s = worker->config->cache_refill_per_s };

	return fill_new(worker->cache, worker->rest, &options, &worker->fill);
}

static struct breaker_rules breaker_rules(const struct config *config)
{
	return (struct breaker_rules){ .crashes = config->modules_breaker_crashes,
				       .window_s = config->modules_breaker_window_s,
				       .retry_s = config->modules_breaker_retry_s,
				       .retry_cap_s = config->modules_breaker_retry_cap_s,
				       .stable_s = config->modules_breaker_window_s };
}

static void on_module_alert(void *arg, const char *event, const char *text)
{
	shard_alert(arg, event, text);
}

/* @left_out: modules that this program died of when the supervisor asked it for its manifest; @refused: what it told
 * then of those that can't be loaded, which the supervisor has logged. */
static void load_modules(struct worker *worker, const json_t *left_out, const json_t *refused)
{
	const struct breaker_rules rules = breaker_rules(worker->config);
	const struct trial_options trial = {
		.board = worker->board, .rules = &rules, .culprit = worker->culprit, .left_out = left_out
	};

	culprit_init(worker->board, worker->config->modules_slow_ms);
	culprit_set_alert(on_module_alert, worker);
	trial_begin(&trial);
	loader_told(refused);
	loader_add_files(worker->config->modules_dir, worker->config->modules_load);
	loader_told(NULL);
	trial_end();
}

static void on_schedule_alert(void *arg, const char *event, const char *text)
{
	shard_alert(arg, event, text);
}

/* Before the modules: their setup may schedule. */
static int start_schedule(struct worker *worker)
{
	const struct config *config = worker->config;
	bool by_job = worker->culprit.module && worker->culprit.session == TICKET_SESSION_JOBS;
	struct schedule_options options = { .loop = &worker->loop,
					    .db = worker->db,
					    .outbox = worker->outbox,
					    .effects = worker->effects,
					    .counters = worker->counters,
					    .runtime_dir = worker->options.runtime_dir,
					    .generation = worker->options.generation,
					    .shard_id = worker->options.shard_id,
					    .shard_count = worker->shard_count,
					    .open_max = config->jobs_open_max,
					    .guild_open_max = config->jobs_guild_open_max,
					    .look_s = config->jobs_look_s,
					    .crashed = worker->crashed,
					    .culprit_known = worker->culprit.module != 0,
					    .culprit_job_id = by_job ? worker->culprit.sequence : 0,
					    .find = jobs_find,
					    .module = jobs_module,
					    .row = jobs_row,
					    .alert = on_schedule_alert,
					    .arg = worker };

	return worker->outbox ? schedule_new(&options, &worker->schedule) : 0;
}

static bool on_module_pending(void *arg, struct outbox_key key, uint64_t asked_ns, const char **ret_value,
			      size_t *ret_len)
{
	struct worker *worker = arg;

	return outbox_under_way(worker->outbox, key, ret_value, ret_len) ||
	       outbox_pending(worker->outbox, key, asked_ns, ret_value, ret_len);
}

static bool on_module_allowed(void *arg, const struct module_entry *module, uint64_t guild_id)
{
	struct worker *worker = arg;

	return switches_allow(worker->switches, module, guild_id);
}

static int start_modules(struct worker *worker)
{
	const struct config *config = worker->config;
	const struct board_culprit nobody = { 0 };
	struct modhost_options options = { .loop = &worker->loop,
					   .effects = worker->effects,
					   .cache = worker->cache,
					   .commands = &worker->commands,
					   .schedule = worker->schedule,
					   .board = worker->board,
					   .counters = worker->counters,
					   .shard_id = worker->options.shard_id,
					   .rules = breaker_rules(config),
					   .culprit = worker->culprit,
					   .allowed = on_module_allowed,
					   .allowed_arg = worker,
					   .settings = worker->settings,
					   .db = worker->db,
					   .bus = worker->bus,
					   .http_private = config->modules_http_private,
					   .held_s = config->modules_held_s,
					   .memory_mib = config->modules_memory_mib,
					   .alert = on_module_alert,
					   .alert_arg = worker };
	int r;

	if (worker->outbox)
		options.outbox = (struct modhost_outbox){ outside_write, on_module_pending, worker };
	r = modhost_new(&options, &worker->modhost);
	if (r < 0)
		return r;
	/* The breakers know now. */
	board_shard_set_culprit(worker->board, &nobody);
	modhost_start(worker->modhost);
	return 0;
}

/* What is no id is told of and passed over. */
static size_t read_operators(struct worker *worker)
{
	const char *text = worker->config->discord_operators;
	size_t count = 0;

	if (strspn(text, "0123456789, ") != strlen(text))
		log_warn(NULL, "worker.operators",
			 KV_MSG("discord.operators wants users' ids joined by commas; what is "
				"none is passed over"));

	while (*text && count < WORKER_OPERATORS_MAX) {
		size_t len = strspn(text, "0123456789");

		if (len > 0 && shoal_snowflake_parse(text, len, &worker->operators[count]) == 0)
			count++;
		text += len;
		text += strcspn(text, "0123456789");
	}
	return count;
}

static uint64_t gateway_latency_us(void *arg)
{
	struct worker *worker = arg;

	return worker->session ? session_latency_us(worker->session) : 0;
}

int setup_start(struct worker *worker, const json_t *secrets, char error[CONFIG_ERROR_SIZE])
{
	struct command_services services;
	const char *what = "";
	int r;

	r = config_from_json(json_object_get(secrets, "config"), &worker->config, error);
	if (r < 0)
		return r;
	log_add_secret(worker->config->discord_token);
	seal_set_token(worker->config->discord_token);
	worker->shard_count = (uint32_t)json_integer_value(json_object_get(secrets, "shard_count"));
	r = open_cache(worker);
	if (r < 0) {
		snprintf(error, CONFIG_ERROR_SIZE, "the guild cache in %s can't be opened: %s",
			 worker->options.runtime_dir, error_text(r));
		return r;
	}
	load_modules(worker, json_object_get(secrets, "modules_left_out"), json_object_get(secrets, "modules_refused"));
	r = outside_start(worker, &what);
	if (r < 0) {
		snprintf(error, CONFIG_ERROR_SIZE, "%s can't be set up: %s", what, error_text(r));
		return r;
	}
	outside_keys(worker, secrets);
	r = start_effects(worker);
	if (r < 0) {
		snprintf(error, CONFIG_ERROR_SIZE, "the effect journal in %s can't be opened: %s",
			 worker->options.runtime_dir, error_text(r));
		return r;
	}
	if (command_tally_path(worker->options.runtime_dir, worker->options.generation, worker->options.shard_id,
			       worker->tally_path, sizeof(worker->tally_path)) < 0)
		worker->tally_path[0] = '\0';
	services = (struct command_services){ .loop = &worker->loop,
					      .rest = worker->rest,
					      .effects = worker->effects,
					      .bus = worker->bus,
					      .control = worker->control,
					      .board = worker->board,
					      .counters = worker->counters,
					      .cache = worker->cache,
					      .settings = worker->settings,
					      .keeper = &worker->keeper,
					      .db = worker->db,
					      .shard_id = worker->options.shard_id,
					      .shard_count = worker->shard_count,
					      .gateway_latency_us = gateway_latency_us,
					      .gateway_arg = worker,
					      .module_allowed = on_module_allowed,
					      .module_arg = worker,
					      .tally_path = worker->tally_path[0] ? worker->tally_path : NULL,
					      .operators = worker->operators,
					      .operator_count = read_operators(worker) };
	r = commands_init(&worker->commands, &services);
	if (r < 0) {
		snprintf(error, CONFIG_ERROR_SIZE, "commands can't be set up: %s", error_text(r));
		return r;
	}
	cache_set_self(worker->cache, own_user_id(worker, secrets));
	commands_set_user(&worker->commands, own_user_id(worker, secrets));
	r = start_schedule(worker);
	if (r == 0)
		r = start_modules(worker);
	if (r < 0) {
		snprintf(error, CONFIG_ERROR_SIZE, "the module host can't be set up: %s", error_text(r));
		return r;
	}
	dispatch_init(&worker->dispatch, worker->rows, subscriptions_build(worker->rows), worker->counters, worker);
	worker->phase = WORKER_RUNNING;
	r = start_fill(worker);
	if (r < 0) {
		snprintf(error, CONFIG_ERROR_SIZE, "the guild cache can't be set up: %s", error_text(r));
		return r;
	}
	r = start_pipeline(worker);
	if (r < 0) {
		snprintf(error, CONFIG_ERROR_SIZE, "the inbox or the parked events in %s can't be opened: %s",
			 worker->options.runtime_dir, error_text(r));
		return r;
	}
	r = keeping_start(worker);
	schedule_start(worker->schedule);
	if (r == 0)
		r = start_session(worker, secrets);
	if (r < 0)
		snprintf(error, CONFIG_ERROR_SIZE, "the gateway session can't be set up: %s", error_text(r));
	return r;
}

static void on_part_closed(void *arg)
{
	struct worker *worker = arg;

	if (--worker->closing == 0)
		loop_stop(&worker->loop);
}

void setup_close(struct worker *worker)
{
	bool running = worker->phase != WORKER_WAITING;

	worker->phase = WORKER_CLOSING;
	worker->closing = 1;
	if (running) {
		if (worker->pipeline)
			pipeline_closing(worker->pipeline);
		preload_closing(worker->preload);
		worker->fill = fill_free(worker->fill);
		commands_closing(&worker->commands);
		settings_closing(worker->settings);
		keeper_closing(worker->keeper);
		schedule_closing(worker->schedule);
		modhost_close(worker->modhost);
	}
	/* Who waits for a write is told before the database ends what is under way, which then is the next worker's. */
	outbox_closing(worker->outbox);
	worker->closing += !!worker->bus + !!worker->db + !!worker->outbox + !!worker->effects + !!worker->rest;
	/* Those that there are: setting them up may have failed half-way. */
	if (worker->bus)
		bus_close(worker->bus, on_part_closed, worker);
	if (worker->db)
		db_close(worker->db, on_part_closed, worker);
	outbox_close(TAKE(worker->outbox), on_part_closed, worker);
	if (worker->effects)
		effects_close(worker->effects, on_part_closed, worker);
	if (worker->rest)
		rest_close(worker->rest, on_part_closed, worker);
	if (running)
		commands_finish(&worker->commands);
	worker->closing++;
	control_link_close(worker->control, on_part_closed, worker);
	on_part_closed(worker);
}

void setup_free(struct worker *worker)
{
	db_gauges_free(worker->db_gauges);
	keeper_free(worker->keeper);
	preload_free(worker->preload);
	settings_free(worker->settings);
	schemas_free(worker->schemas);
	modhost_free(worker->modhost);
	switches_free(worker->switches);
	schedule_free(worker->schedule);
	pipeline_free(worker->pipeline);
	cache_close(worker->cache);
	dispatch_finish(&worker->dispatch);
	config_free(worker->config);
}
