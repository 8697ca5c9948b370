/* The worker's life: lock, hello, run, drain, close. Each phase ends in exactly one place; whoever wants the worker to
 * end calls worker_stop() with a reason, which goes to the board and becomes the exit code. */
#include "shard/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shoal/snowflake.h>

#include "shard/commands/fleet_stats.h"
#include "shard/commands/seal.h"
#include "shard/crash.h"
#include "shard/events/event_key.h"
#include "shard/gauges.h"
#include "shard/keeping.h"
#include "shard/letter_orders.h"
#include "shard/modhost/jobs.h"
#include "shard/modhost/trial.h"
#include "shard/outbox_orders.h"
#include "shard/subscriptions.h"
#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/db/statements_effects.h"
#include "shared/discord/discord_time.h"
#include "shared/log/log.h"
#include "shared/settings/schema_core.h"
#include "shared/settings/schema_core.h"

#define ORPHAN_TIMEOUT_S    120 /* until the configuration is known */
#define IDENTIFY_TIMEOUT_MS (15 * 60 * 1000)
#define IDENTIFY_RETRY_MS   5000
#define IDENTIFY_OFFLINE_MS 500  /* nobody was asked: the supervisor is away, perhaps for a moment */
#define DRAIN_MS            2000 /* answers under way when we stop */
#define BOARD_REPORT_MS     5000
#define TIME_TELL_TICKS     4 /* a second */
#define BOARD_LOOK_TICKS    4
#define CACHE_RETRY_NS      (5 * NS_PER_S)

static void close_parts(struct worker *worker);

/* --- ending
 * ----------------------------------------------------------------------------------------------------------- */

static void set_how(struct worker *worker, enum exit_code code, uint16_t close_code, const char *text)
{
	const struct exit_code_row *row = exit_code_find((int)code);

	worker->how = (struct board_exit){ .class = row ? row->class : EXIT_CLASS_RETRY,
					   .code = code,
					   .close_code = close_code,
					   .pid = (uint32_t)getpid(),
					   .wall_ms = clock_wall_ms() };
	snprintf(worker->how.text, sizeof(worker->how.text), "%s", text);
}

/* The first reason counts. */
static void worker_stop(struct worker *worker, enum session_stop how, enum exit_code code, uint16_t close_code,
			const char *text)
{
	if (worker->phase == WORKER_DRAINING || worker->phase == WORKER_CLOSING)
		return;
	set_how(worker, code, close_code, text);
	log_info(NULL, "worker.stopping", KV_MSG(text), KV_INT("exit_code", code));
	if (worker->phase == WORKER_RUNNING && worker->session) {
		worker->phase = WORKER_DRAINING;
		session_stop(worker->session, how);
	} else {
		close_parts(worker);
	}
}

/* What was asked and is being answered may still get through, for a while. */
static void drain(struct worker *worker)
{
	if (worker->phase == WORKER_DRAINING && !worker->session &&
	    ((!worker->commands.open && !modhost_is_busy(worker->modhost) && !schedule_is_busy(worker->schedule)) ||
	     clock_monotonic_ns() >= worker->drain_deadline_ns))
		close_parts(worker);
}

static void on_session_stopped(void *arg)
{
	struct worker *worker = arg;

	session_free(worker->session);
	worker->session = NULL;
	worker->drain_deadline_ns = clock_monotonic_ns() + DRAIN_MS * NS_PER_MS;
	drain(worker);
}

static void on_part_closed(void *arg)
{
	struct worker *worker = arg;

	if (--worker->closing == 0)
		loop_stop(&worker->loop);
}

/* Order matters: the bus and the database end their calls before what they call is freed; REST goes last of the three,
 * because a cancelled call may still want to answer somebody. */
static void close_parts(struct worker *worker)
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

/* --- the session
 * ------------------------------------------------------------------------------------------------------ */

static int on_dispatch(void *arg, const struct envelope *envelope, const char *payload, size_t len)
{
	struct worker *worker = arg;

	return pipeline_take(worker->pipeline, envelope, payload, len);
}

static int on_unreadable(void *arg, const struct envelope *envelope, const char *payload, size_t len, size_t full_len,
			 const char *reason)
{
	struct worker *worker = arg;

	return pipeline_set_aside(worker->pipeline, envelope, payload, len, full_len, reason);
}

/* Which session's dispatches come from now on. */
static void note_session(struct worker *worker)
{
	struct board_session session;
	uint64_t sequence;

	if (board_shard_session(worker->board, &session, &sequence))
		pipeline_set_session(worker->pipeline, event_key_session(session.session_id));
}

static void on_state(void *arg, enum shard_state state)
{
	struct worker *worker = arg;

	if (state != SHARD_STATE_LOADING)
		return;
	worker_guilds_moved(worker);
	note_session(worker);
}

/* What is left of a grant by the clock that the ledger uses too: an answer that lay unread while we were stopped is
 * void. */
static uint64_t grant_left_ms(const json_t *answer)
{
	uint64_t expires_ms = (uint64_t)json_integer_value(json_object_get(answer, "expires_ms"));
	uint64_t until_ms = (uint64_t)json_integer_value(json_object_get(answer, "expires_boottime_ms"));
	uint64_t now_ms = clock_boottime_ns() / NS_PER_MS, left_ms;

	if (until_ms == 0)
		return expires_ms;
	left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
	return left_ms < expires_ms ? left_ms : expires_ms;
}

static void on_identify_answer(void *arg, int error, const json_t *answer)
{
	struct worker *worker = arg;
	uint64_t wait_ms;

	if (!worker->session)
		return;
	if (error == 0) {
		session_grant(worker->session, (uint64_t)json_integer_value(json_object_get(answer, "grant")),
			      grant_left_ms(answer));
		return;
	}
	wait_ms = answer ? (uint64_t)json_integer_value(json_object_get(answer, "wait_ms")) : IDENTIFY_OFFLINE_MS;
	log_debug(NULL, "gateway.identify_denied", KV_ERR(error), KV_MS("wait", wait_ms));
	session_deny(worker->session, wait_ms ? wait_ms : IDENTIFY_RETRY_MS);
}

static void on_request_identify(void *arg)
{
	struct worker *worker = arg;
	json_t *request = json_pack("{s:s, s:i}", "verb", "identify", "shard", (int)worker->options.shard_id);
	int r;

	r = control_link_request(worker->control, request, IDENTIFY_TIMEOUT_MS, on_identify_answer, worker);
	if (r < 0)
		session_deny(worker->session, IDENTIFY_RETRY_MS);
}

/* Should the report get lost, the grant's expiry serves in its place. */
static void on_report_answer(void *arg, int error, const json_t *answer)
{
	(void)arg;
	(void)answer;
	if (error < 0)
		log_debug(NULL, "gateway.identify_unreported", KV_ERR(error));
}

static void on_identified(void *arg, uint64_t grant_id)
{
	struct worker *worker = arg;
	json_t *request = json_pack("{s:s, s:i, s:I}", "verb", "identified", "shard", (int)worker->options.shard_id,
				    "grant", (json_int_t)grant_id);
	int r;

	r = control_link_request(worker->control, request, BOARD_REPORT_MS, on_report_answer, worker);
	if (r < 0)
		on_report_answer(worker, r, NULL);
}

static void on_fatal(void *arg, enum exit_code code, uint16_t close_code, const char *text)
{
	struct worker *worker = arg;

	if (code == EXIT_CODE_TOKEN)
		board_host_set_token_invalid(worker->host, true);
	worker_stop(worker, SESSION_STOP_RESUMABLE, code, close_code, text);
}

static uint64_t on_probe_guild(void *arg)
{
	return cache_any_guild(((struct worker *)arg)->cache);
}

static const struct session_events session_events = {
	.probe_guild = on_probe_guild,
	.dispatch = on_dispatch,
	.unreadable = on_unreadable,
	.state = on_state,
	.request_identify = on_request_identify,
	.identified = on_identified,
	.fatal = on_fatal,
	.stopped = on_session_stopped,
};

/* --- readiness
 * -------------------------------------------------------------------------------------------------------- */

void worker_guilds_moved(struct worker *worker)
{
	worker->guilds_moved_ns = clock_monotonic_ns();
}

/* Ready: READY's list is counted down, or has been quiet for a while (discord-facts section 7). */
static void check_ready(struct worker *worker)
{
	uint64_t quiet_ns;

	if (!worker->session || session_state(worker->session) != SHARD_STATE_LOADING)
		return;
	quiet_ns = clock_monotonic_ns() - worker->guilds_moved_ns;
	if (cache_expected(worker->cache) > 0 && quiet_ns < worker->config->gateway_ready_quiet_ms * NS_PER_MS)
		return;
	if (cache_expected(worker->cache) > 0)
		log_warn(NULL, "worker.ready_incomplete",
			 KV_MSG("ready, though Discord has not told of every guild in its list"),
			 KV_U64("missing", cache_expected(worker->cache)));
	gauges_count_guilds(worker); /* who sees "ready" sees its guilds */
	session_mark_ready(worker->session);
	log_info(NULL, "worker.ready", KV_MSG("the shard is ready"), KV_U64("guilds", cache_count(worker->cache)));
}

static void on_pass_end(void *arg)
{
	struct worker *worker = arg;

	if (worker->cache)
		cache_turn(worker->cache);
	check_ready(worker);
}

static int on_cache_commit(void *arg, uint64_t applied)
{
	return cache_commit(((struct worker *)arg)->cache, applied);
}

static uint64_t on_cache_applied(void *arg)
{
	return cache_applied(((struct worker *)arg)->cache);
}

static const struct pipeline_cache pipeline_cache = { .commit = on_cache_commit, .applied = on_cache_applied };

/* What it does not know is asked of REST while the session is well; one that is away is tried again now and then. */
static void look_after_cache(struct worker *worker)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (worker->fill && worker->phase == WORKER_RUNNING && worker->session &&
	    session_state(worker->session) == SHARD_STATE_READY)
		fill_tick(worker->fill, now_ns);
	if (!worker->cache || !cache_is_away(worker->cache) || now_ns < worker->cache_retry_ns)
		return;
	worker->cache_retry_ns = now_ns + CACHE_RETRY_NS;
	if (cache_tick(worker->cache))
		log_info(NULL, "cache.back", KV_MSG("there is room for the guild cache again; it is being filled"));
}

static uint32_t orphan_timeout_s(const struct worker *worker)
{
	return worker->config ? worker->config->supervisor_orphan_timeout_s : ORPHAN_TIMEOUT_S;
}

/* A journal whose rows were lost is doubted until every event that a worker had begun before is handled. */
static void trust_journal(struct worker *worker)
{
	struct pipeline_stats stats;

	pipeline_stats(worker->pipeline, &stats);
	if (stats.begun == 0 && schedule_begun_before(worker->schedule) == 0)
		effects_trust(worker->effects);
}

/* Others find us by it: a supervisor that comes back and finds neither board nor lock would start a second worker. */
static void look_for_board(struct worker *worker)
{
	int r = board_shard_restore(worker->board, worker->options.generation, worker->options.shard_id);

	if (r == 1)
		log_error(NULL, "board.deleted", KV_STR("folder", worker->options.runtime_dir),
			  KV_MSG("this shard's board was deleted while its worker lives and was put back as it was: "
				 "nobody else may remove files in supervisor.runtime_dir"));
	else if (r == -ESTALE)
		worker_stop(
			worker, SESSION_STOP_RESUMABLE, EXIT_CODE_BOARD, 0,
			"this shard's board was deleted and another worker lives on a new one: leaving it the shard");
	else if (r < 0 && r != -SHOAL_EDAMAGED && !worker->board_lost)
		log_error(NULL, "board.deleted", KV_STR("folder", worker->options.runtime_dir), KV_ERR(r),
			  KV_MSG("this shard's board was deleted and can't be put back; tried again"));
	worker->board_lost = r < 0;
}

/* What others do to files that are ours alone. */
static void look_after_boards(struct worker *worker)
{
	int r = board_shard_mend(worker->board);

	if (r == -ENODATA)
		crash_by_board();
	if (r == 1)
		log_error(
			NULL, "board.scribbled", KV_STR("folder", worker->options.runtime_dir),
			KV_MSG("somebody wrote into this shard's board; it was put right from memory: nobody else may "
			       "touch files in supervisor.runtime_dir"));
	if (worker->tick_count % BOARD_LOOK_TICKS == 0) {
		board_host_look(worker->host);
		look_for_board(worker);
	}
}

/* What we know of Discord's clock is for those that come after us. */
static void tell_time(struct worker *worker)
{
	int64_t offset_ms;

	if (worker->tick_count % TIME_TELL_TICKS == 0 && discord_time_offset(&offset_ms))
		board_host_set_discord_offset(worker->host, offset_ms);
}

static void on_tick(void *arg)
{
	struct worker *worker = arg;
	uint64_t down_since_ns;

	look_after_boards(worker);
	tell_time(worker);
	gauges_update(worker);
	/* Its parts are going one by one, the link among them; the stamp is all that is still wanted. */
	if (worker->phase == WORKER_CLOSING)
		return;
	check_ready(worker);
	look_after_cache(worker);
	if (worker->pipeline)
		trust_journal(worker);
	drain(worker);
	down_since_ns = worker->phase == WORKER_CLOSING ? 0 : control_link_down_since(worker->control);
	if (down_since_ns && clock_boottime_ns() - down_since_ns > orphan_timeout_s(worker) * NS_PER_S)
		worker_stop(worker, SESSION_STOP_RESUMABLE, EXIT_CODE_ORPHANED, 0,
			    "no supervisor for supervisor.orphan_timeout_s: leaving, the session stays resumable");
}

/* --- starting
 * --------------------------------------------------------------------------------------------------------- */

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

static uint64_t gateway_latency_us(void *arg)
{
	struct worker *worker = arg;

	return worker->session ? session_latency_us(worker->session) : 0;
}

/* Keys that are not there or malformed cost what needs them, and nothing else. */
static void take_keys(struct worker *worker, const json_t *secrets)
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

static int on_settings_write(void *arg, const struct outbox_write *write, outbox_fn fn, void *fn_arg)
{
	struct worker *worker = arg;

	return worker->outbox ? outbox_write(worker->outbox, write, fn, fn_arg) : -SHOAL_EOFFLINE;
}

static bool on_settings_pending(void *arg, struct outbox_key key, const char **ret_value, size_t *ret_len)
{
	struct worker *worker = arg;

	return outbox_pending(worker->outbox, key, 0, ret_value, ret_len);
}

static bool on_module_pending(void *arg, struct outbox_key key, uint64_t asked_ns, const char **ret_value,
			      size_t *ret_len)
{
	struct worker *worker = arg;

	return outbox_pending(worker->outbox, key, asked_ns, ret_value, ret_len);
}

static bool on_module_allowed(void *arg, const struct module_entry *module, uint64_t guild_id)
{
	struct worker *worker = arg;

	return switches_allow(worker->switches, module, guild_id);
}

/* Modules are loaded before: what they declare is registered here. */
static int start_settings(struct worker *worker)
{
	struct settings_options options = {
		.loop = &worker->loop,
		.db = worker->db,
		.bus = worker->bus,
		.outbox = { .write = on_settings_write, .pending = on_settings_pending, .arg = worker }
	};
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
static int start_outside(struct worker *worker, const char **what)
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
	r = session_new(&worker->loop, &options, worker->board, &session_events, worker, &worker->session);
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
		trust_journal(worker);
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

/* @left_out: modules that this program died of when the supervisor asked it for its manifest. */
static void load_modules(struct worker *worker, const json_t *left_out)
{
	const struct breaker_rules rules = breaker_rules(worker->config);
	const struct trial_options trial = {
		.board = worker->board, .rules = &rules, .culprit = worker->culprit, .left_out = left_out
	};

	culprit_init(worker->board, worker->config->modules_slow_ms);
	trial_begin(&trial);
	loader_add_files(worker->config->modules_dir, worker->config->modules_load);
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
					   .http_private = config->modules_http_private };
	int r;

	if (worker->outbox)
		options.outbox = (struct modhost_outbox){ on_settings_write, on_module_pending, worker };
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

static int worker_start(struct worker *worker, const json_t *secrets, char error[CONFIG_ERROR_SIZE])
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
	load_modules(worker, json_object_get(secrets, "modules_left_out"));
	r = start_outside(worker, &what);
	if (r < 0) {
		snprintf(error, CONFIG_ERROR_SIZE, "%s can't be set up: %s", what, error_text(r));
		return r;
	}
	take_keys(worker, secrets);
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

static enum exit_code code_of(int error)
{
	if (error == -EINVAL)
		return EXIT_CODE_CONFIG;
	if (error == -ENOMEM || error == -ENOSPC || error == -EMFILE)
		return EXIT_CODE_RESOURCE;
	return EXIT_CODE_INTERNAL;
}

/* The first hello starts us; later ones (a new supervisor) bring nothing that a running session could take over. */
static void on_link_up(void *arg, const json_t *secrets)
{
	struct worker *worker = arg;
	char error[CONFIG_ERROR_SIZE] = "";
	int r;

	shard_alerts_flush(worker);
	if (worker->phase != WORKER_WAITING) {
		log_info(NULL, "worker.adopted", KV_MSG("a supervisor is there again"));
		if (worker->settings) /* keys are all that it may have news of */
			take_keys(worker, secrets);
		return;
	}
	r = worker_start(worker, secrets, error);
	if (r < 0)
		worker_stop(worker, SESSION_STOP_RESUMABLE, code_of(r), 0, error);
}

static void on_link_refused(void *arg, const char *error, const char *message)
{
	log_error(NULL, "worker.refused", KV_MSG("the supervisor does not want this worker"), KV_STR("reason", error));
	worker_stop(arg, SESSION_STOP_RESUMABLE, EXIT_CODE_LOCKED, 0, message);
}

static void on_link_down(void *arg, int error)
{
	struct worker *worker = arg;

	if (worker->phase == WORKER_RUNNING)
		log_warn(NULL, "worker.orphaned",
			 KV_MSG("the supervisor is away; serving on and looking for it (supervisor.orphan_timeout_s)"),
			 KV_STR("reason", error < 0 ? error_text(error) : "it closed the link"));
}

static void on_notice(void *arg, const char *name, const json_t *notice)
{
	struct worker *worker = arg;
	bool logout = json_is_true(json_object_get(notice, "logout"));

	if (strcmp(name, "stop") == 0)
		worker_stop(worker, logout ? SESSION_STOP_LOGOUT : SESSION_STOP_RESUMABLE, EXIT_CODE_OK, 0,
			    "the supervisor asked to stop");
	else if (strcmp(name, "reconnect") == 0 && worker->session)
		session_reconnect(worker->session);
	else if (strcmp(name, "letter") == 0)
		letter_orders_take(worker, notice);
	else if (strcmp(name, "outbox") == 0)
		outbox_orders_take(worker, notice);
	else
		log_debug(NULL, "worker.notice_unknown", KV_STR("notice", name));
}

static const struct control_link_events link_events = {
	.up = on_link_up,
	.refused = on_link_refused,
	.down = on_link_down,
	.notice = on_notice,
};

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	worker_stop(handle->data, SESSION_STOP_RESUMABLE, EXIT_CODE_OK, 0, "asked to stop by a signal");
}

static int watch_signals(struct worker *worker)
{
	int r;

	r = uv_signal_init(&worker->loop.uv, &worker->sigterm);
	if (r == 0)
		r = uv_signal_init(&worker->loop.uv, &worker->sigint);
	if (r < 0)
		return r;
	worker->sigterm.data = worker->sigint.data = worker;
	r = uv_signal_start(&worker->sigterm, on_signal, SIGTERM);
	return r < 0 ? r : uv_signal_start(&worker->sigint, on_signal, SIGINT);
}

static int connect_supervisor(struct worker *worker)
{
	json_t *hello = json_pack("{s:i, s:i, s:i, s:s}", "shard", (int)worker->options.shard_id, "generation",
				  (int)worker->options.generation, "pid", (int)getpid(), "build_id", shoal_build_id);
	int r;

	if (!hello)
		return -ENOMEM;
	r = control_link_new(&worker->loop, worker->options.runtime_dir, hello, &link_events, worker, &worker->control);
	json_decref(hello);
	return r;
}

/* Start time of this process in clock ticks (field 22 of /proc/self/stat), against reuse of the pid. */
static uint64_t own_start_ticks(void)
{
	char text[1024], *after;
	uint64_t ticks = 0;
	FILE *file = fopen("/proc/self/stat", "re");
	int field = 2;

	if (!file)
		return 0;
	if (fgets(text, sizeof(text), file) && (after = strrchr(text, ')'))) {
		for (after++; *after && field < 22; after++)
			field += *after == ' ';
		ticks = strtoull(after, NULL, 10);
	}
	fclose(file);
	return ticks;
}

/* Did the last worker die of its own making? An operator's kill, the machine's memory and an orderly end did not come
 * from what it was handling. Before the page gets its new owner. */
static bool last_one_crashed(const struct board_shard *board)
{
	static const int own_making[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct board_exit how;
	size_t i;

	if (!board_shard_exit(board, &how) || how.class != EXIT_CLASS_CRASH || how.pid != board_shard_pid(board))
		return false;
	for (i = 0; i < ARRAY_SIZE(own_making); i++) {
		if (how.code == (uint32_t)(128 + own_making[i]))
			return true;
	}
	return false;
}

/* In whose code: only when the dead worker itself has said so. */
static struct board_culprit last_culprit(const struct board_shard *board)
{
	struct board_culprit culprit = board_shard_culprit(board);

	if (culprit.pid != board_shard_pid(board))
		culprit.module = 0;
	return culprit;
}

/* Said until somebody has made a new one: workers in between may have died before they came to it. */
static bool last_file_failed(const struct board_shard *board, enum exit_code code)
{
	struct board_exit how;

	return board_shard_exit(board, &how) && how.class == EXIT_CLASS_RETRY && how.code == (uint32_t)code;
}

/* What the last worker said of its crash; this one's goes to the same place. */
static void read_crash_report(struct worker *worker)
{
	char path[512];

	if (snprintf(path, sizeof(path), "%s/crash-%u-%u.txt", worker->options.runtime_dir, worker->options.generation,
		     worker->options.shard_id) >= (int)sizeof(path))
		return;
	crash_read_report(path, worker->crash_report, sizeof(worker->crash_report));
	crash_report_to(path);
}

/* In whose code the last worker crashed; its name before this one's modules take the rows. */
static void name_culprit(struct worker *worker)
{
	struct board_module row;

	worker->culprit = last_culprit(worker->board);
	if (worker->culprit.module && board_shard_module(worker->board, worker->culprit.module - 1, &row))
		memcpy(worker->culprit_name, row.name, strnlen(row.name, sizeof(worker->culprit_name) - 1));
}

static int take_board(struct worker *worker)
{
	const struct worker_options *options = &worker->options;
	int r;

	r = board_shard_open(options->runtime_dir, options->generation, options->shard_id, true, &worker->board);
	if (r < 0) {
		log_error(NULL, "worker.no_board",
			  KV_MSG("this shard's board can't be opened; workers are started by shoald, which makes it"),
			  KV_STR("runtime_dir", options->runtime_dir), KV_ERR(r));
		return EXIT_CODE_RESOURCE;
	}
	r = board_shard_lock(worker->board);
	if (r < 0) {
		log_error(NULL, "worker.locked", KV_MSG("another worker serves this shard"),
			  KV_U64("pid", board_shard_pid(worker->board)), KV_ERR(r));
		return EXIT_CODE_LOCKED;
	}
	r = board_host_open(options->runtime_dir, &worker->host);
	if (r < 0) {
		log_error(
			NULL, "worker.no_board",
			KV_MSG("the host's board can't be opened: restart shoald, it makes it anew and takes over the "
			       "workers that serve"),
			KV_STR("runtime_dir", options->runtime_dir), KV_ERR(r));
		return EXIT_CODE_RESOURCE;
	}
	worker->counters = board_shard_counters(worker->board);
	worker->crashed = last_one_crashed(worker->board);
	if (worker->crashed)
		name_culprit(worker);
	worker->cache_failed = last_file_failed(worker->board, EXIT_CODE_CACHE);
	worker->letters_failed = last_file_failed(worker->board, EXIT_CODE_LETTERS);
	worker->outbox_failed = last_file_failed(worker->board, EXIT_CODE_OUTBOX);
	worker->journal_failed = last_file_failed(worker->board, EXIT_CODE_JOURNAL);
	read_crash_report(worker);
	board_shard_set_owner(worker->board, (uint32_t)getpid(), own_start_ticks(), shoal_build_id);
	board_shard_set_state(worker->board, SHARD_STATE_STARTING);
	board_shard_stamp(worker->board, clock_boottime_ns());
	if (board_host_discord_offset(worker->host) != 0)
		discord_time_seed(board_host_discord_offset(worker->host));
	if (board_shard_remember(worker->board) < 0)
		return EXIT_CODE_RESOURCE;
	crash_install(worker->board);
	return EXIT_CODE_OK;
}

static int start_loop(struct worker *worker)
{
	int r;

	r = loop_init(&worker->loop);
	if (r == 0)
		r = watch_signals(worker);
	if (r == 0)
		r = connect_supervisor(worker);
	if (r < 0) {
		log_error(NULL, "worker.start_failed", KV_MSG("the worker's loop can't be started"), KV_ERR(r));
		return EXIT_CODE_RESOURCE;
	}
	loop_at_tick(&worker->loop, &worker->tick, on_tick, worker);
	loop_at_pass_end(&worker->loop, &worker->pass_end, on_pass_end, worker);
	return EXIT_CODE_OK;
}

static void finish(struct worker *worker)
{
	loop_remove_hook(&worker->tick);
	loop_remove_hook(&worker->pass_end);
	uv_close((uv_handle_t *)&worker->sigterm, NULL);
	uv_close((uv_handle_t *)&worker->sigint, NULL);
	loop_finish(&worker->loop);
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
	board_shard_set_state(worker->board, SHARD_STATE_STOPPED);
	board_shard_set_exit(worker->board, &worker->how);
}

int worker_run(const struct worker_options *options)
{
	struct log_ctx ctx = { .shard = (int32_t)options->shard_id };
	struct worker *worker = calloc(1, sizeof(*worker));
	int code;

	if (!worker)
		return EXIT_CODE_RESOURCE;
	log_set_default(&ctx);
	worker->options = *options;
	code = take_board(worker);
	if (code == EXIT_CODE_OK)
		code = start_loop(worker);
	else
		worker->board = board_shard_close(worker->board);
	if (code == EXIT_CODE_OK) {
		loop_run(&worker->loop);
		finish(worker);
		code = (int)worker->how.code;
	}
	worker->host = board_host_close(worker->host);
	/* The shard's page stays mapped: a crash from here on still wants it. The kernel unmaps and unlocks. */
	free(worker);
	return code;
}
