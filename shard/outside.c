/* REST, NATS and PostgreSQL, and what stands on the latter: outbox, settings, keys. */
#include "shard/outside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/alerts.h"
#include "shard/commands/fleet_stats.h"
#include "shard/gauges.h"
#include "shard/modhost/loader.h"
#include "shared/base/build_id.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "shared/settings/schema_core.h"

/* Bus and database log their own comings and goings; whoever needs them asks whether they are up. */
static void on_bus_up(void *arg)
{
	settings_bus_up(((struct worker *)arg)->settings);
}

static void on_db_up(void *arg)
{
	struct worker *worker = arg;

	settings_db_up(worker->settings);
	outbox_wake(worker->outbox);
	schedule_wake(worker->schedule);
}

static const struct bus_events bus_events = { .up = on_bus_up };
static const struct db_events db_events = { .up = on_db_up };

/* Whoever is told that a write is kept finds it counted. */
static void on_outbox_changed(void *arg)
{
	gauges_outbox(arg);
}

static void on_outbox_alert(void *arg, const char *event, const char *text)
{
	shard_alert(arg, event, text);
}

/* Without a database there is nothing that could wait for it. */
static int start_outbox(struct worker *worker)
{
	struct outbox_options options = { .state_dir = worker->config->supervisor_state_dir,
					  .shard_id = worker->options.shard_id,
					  .shard_count = worker->shard_count,
					  .max_mib = worker->config->outbox_max_mib,
					  .max_entries = worker->config->outbox_max_entries,
					  .dead_keep_days = worker->config->outbox_dead_keep_days,
					  .failed = worker->crashed || worker->outbox_failed,
					  .alert = on_outbox_alert,
					  .alert_arg = worker,
					  .changed = on_outbox_changed,
					  .changed_arg = worker };
	int r = db_is_on(worker->db) ? outbox_new(&worker->loop, &options, worker->db, &worker->outbox) : 0;

	gauges_outbox(worker);
	return r;
}

static void on_token_invalid(void *arg, const char *text)
{
	struct worker *worker = arg;

	board_host_set_token_invalid(worker->host, true);
	worker_stop(worker, SESSION_STOP_RESUMABLE, EXIT_CODE_TOKEN, 0, text);
}

static const struct rest_events rest_events = { .token_invalid = on_token_invalid };

void outside_keys(struct worker *worker, const json_t *secrets)
{
	const char *problem = json_string_value(json_object_get(secrets, "keys_problem"));
	const char *text = json_string_value(json_object_get(secrets, "keys"));
	char error[KEYRING_ERROR_SIZE] = "";
	struct keyring *ring = NULL;
	int r = keyring_parse(text, &ring, error);

	if (text) /* it serves once */
		explicit_bzero((char *)text, strlen(text));

	if (r < 0 || problem)
		log_error(
			NULL, "secrets.no_keys",
			KV_MSG("the keys can't be read: settings that are kept encrypted are refused, all else works"),
			KV_STR("why", r < 0 ? error : problem));
	else if (keyring_count(ring) > 0)
		log_info(NULL, "secrets.keys", KV_U64("keys", keyring_count(ring)));
	settings_set_keys(worker->settings, ring);
}

int outside_write(void *arg, const struct outbox_write *write, outbox_fn fn, void *fn_arg)
{
	struct worker *worker = arg;

	return worker->outbox ? outbox_write(worker->outbox, write, fn, fn_arg) : -SHOAL_EOFFLINE;
}

static bool on_settings_pending(void *arg, struct outbox_key key, uint64_t asked_ns, const char **ret_value,
				size_t *ret_len)
{
	struct worker *worker = arg;

	return outbox_pending(worker->outbox, key, asked_ns, ret_value, ret_len);
}

static bool on_settings_idle(void *arg)
{
	return outbox_is_idle(((struct worker *)arg)->outbox);
}

/* Modules are loaded before: what they declare is registered here. */
static int start_settings(struct worker *worker)
{
	struct settings_options options = { .loop = &worker->loop,
					    .db = worker->db,
					    .bus = worker->bus,
					    .outbox = { .write = outside_write,
							.pending = on_settings_pending,
							.idle = on_settings_idle,
							.arg = worker } };
	char days[16], error[VALUE_ERROR_SIZE];
	int r;

	snprintf(days, sizeof(days), "%u", worker->config->privacy_history_days);
	r = schemas_new(&worker->schemas);
	if (r == 0)
		r = schema_core_add(worker->schemas);
	if (r == 0)
		r = schemas_set_default(worker->schemas, SETTING_PREFIX, worker->config->commands_prefix, error);
	if (r == 0)
		r = schemas_set_default(worker->schemas, SETTING_HISTORY_DAYS, days, error);
	if (r == 0)
		r = loader_register(worker->schemas, worker->db);
	if (r == 0)
		r = switches_register(worker->schemas, worker->config->modules_default, error);
	if (r == -EINVAL)
		log_error(NULL, "settings.refused", KV_STR("reason", error));
	options.schemas = worker->schemas;
	if (r == 0)
		r = settings_new(&options, &worker->settings);
	return r < 0 ? r : switches_new(worker->settings, &worker->switches);
}

/* *what: in words what did not come up, with its keys. */
int outside_start(struct worker *worker, const char **what)
{
	const struct config *config = worker->config;
	char name[64];
	struct rest_options rest = { .api_base = config->discord_api_base,
				     .token = config->discord_token,
				     .ca_file = config->discord_ca_file,
				     .global_per_s = config->rest_global_per_s,
				     .timeout_ms = config->rest_timeout_ms,
				     .invalid_limit = config->rest_invalid_limit };
	struct bus_options bus = { .url = config->nats_url,
				   .cluster = config->supervisor_cluster,
				   .name = name,
				   .sender = worker->options.shard_id };
	struct db_options db = { .conninfo = config->postgres_conninfo,
				 .read_conninfo = config->postgres_read_conninfo,
				 .application_name = name,
				 .version = shoal_version,
				 .prepared = config->postgres_prepared,
				 .connections = config->postgres_connections,
				 .connect_timeout_ms = config->postgres_connect_timeout_ms,
				 .statement_timeout_ms = config->postgres_statement_timeout_ms,
				 .idle_close_s = config->postgres_idle_close_s };
	int r;

	snprintf(name, sizeof(name), "shoal-shard %u", worker->options.shard_id);
	*what = "the REST client (discord.api_base, discord.ca_file)";
	r = rest_new(&worker->loop, &rest, worker->host, worker->counters, &rest_events, worker, &worker->rest);
	if (r < 0)
		return r;
	*what = "NATS (nats.url, supervisor.cluster)";
	r = bus_new(&worker->loop, &bus, &bus_events, worker, &worker->bus);
	if (r == 0)
		r = fleet_stats_serve(worker->bus, worker->counters);
	if (r == 0 && bus_is_on(worker->bus))
		r = bus_start(worker->bus);
	if (r < 0)
		return r;
	*what = "PostgreSQL (postgres.conninfo)";
	r = db_new(&worker->loop, &db, &db_events, worker, &worker->db);
	if (r < 0)
		return r;
	r = db_gauges_new(worker->db, worker->counters, worker->options.runtime_dir, worker->options.generation,
			  worker->options.shard_id, &worker->db_gauges);
	if (r < 0)
		return r;
	*what = "the outbox (supervisor.state_dir, outbox.max_mib)";
	r = start_outbox(worker);
	if (r < 0)
		return r;
	*what = "settings (commands.prefix, privacy.history_days, modules.default)";
	return start_settings(worker);
}
