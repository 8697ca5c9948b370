/* What is to run here: the answers of Discord and of the worker program, the plan made from them, the boards and
 * workers of the plan, and what a worker is given. Run by the supervisor on its loop. A plan is made once; nothing here
 * may change a running fleet's shard count. */
#include "supervisor/supervisor_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/discord/discord_time.h"
#include "shared/discord/url.h"
#include "shared/log/log.h"
#include "shared/secrets/key_file.h"
#include "supervisor/intents.h"
#include "supervisor/surroundings.h"
#include "supervisor/verbs.h"

#define START_DEADLINE_MS 30000
#define ABORT_DEADLINE_MS 2000
#define KILL_DEADLINE_MS  5000
/* From the start of the fleet to the last worker's request: spawning takes some 10 ms each. */
#define EXPECT_NS (3 * NS_PER_S)

/* --- making the plan --------------------------------------------------------------------------------------------- */

static void log_plan(const struct supervisor *supervisor, const struct plan_input *input)
{
	const struct plan *plan = &supervisor->plan;

	log_info(NULL, "plan.made", KV_INT("shards", plan->shard_count), KV_INT("generation", plan->generation),
		 KV_INT("recommended", input->recommended), KV_INT("max_concurrency", input->max_concurrency),
		 KV_INT("live", input->found.live));
	if (plan->notes & PLAN_NOTE_KEPT)
		log_warn(NULL, "plan.kept", KV_INT("running", plan->shard_count), KV_INT("wanted", input->wanted),
			 KV_INT("recommended", input->recommended),
			 KV_MSG("workers of another shard count are running: theirs is kept. Stop the fleet first to "
				"change discord.shard_count; every shard then needs a session start"));
	if (plan->notes & PLAN_NOTE_TOO_FEW)
		log_warn(NULL, "plan.few_shards", KV_INT("shards", plan->shard_count),
			 KV_INT("recommended", input->recommended),
			 KV_MSG("discord.shard_count is below Discord's recommendation: with too many guilds a shard "
				"it refuses with 4011"));
	if (plan->notes & PLAN_NOTE_MULTIPLE)
		log_info(NULL, "plan.not_a_multiple", KV_INT("shards", plan->shard_count),
			 KV_INT("recommended", input->recommended),
			 KV_MSG("for a large bot Discord wants a multiple of its own number, else it refuses with "
				"4010"));
	if (plan->notes & PLAN_NOTE_NEW)
		log_info(NULL, "plan.new_generation", KV_INT("before", input->found.shard_count),
			 KV_INT("shards", plan->shard_count),
			 KV_MSG("another shard count than last time: the old sessions are of no use, every shard "
				"identifies"));
}

static uint32_t spawn_parallel(void)
{
	int cpus = get_nprocs();

	return 4 + 4 * (uint32_t)(cpus > 0 ? cpus : 1);
}

/* The boards of the plan, and the workers that already live on them. */
static int open_fleet(struct supervisor *supervisor)
{
	const struct config *config = supervisor->config;
	struct fleet_options options = {
		.runtime_dir = config->supervisor_runtime_dir,
		.host_board = supervisor->board,
		.worker_path = supervisor->worker_path,
		.inbox_kib = config->inbox_ring_kib,
		.worker_env = supervisor->worker_env,
		.log_level = config->log_level,
		.log_format = config->log_format,
		.shard_count = supervisor->plan.shard_count,
		.generation = supervisor->plan.generation,
		.parallel = spawn_parallel(),
		.restart = { .floor_ms = config->supervisor_restart_floor_ms,
			     .cap_ms = config->supervisor_restart_cap_ms,
			     .burst = config->supervisor_restart_burst,
			     .window_ms = config->supervisor_restart_window_s * 1000,
			     .stable_ms = config->supervisor_stable_s * 1000 },
		.deadlines = { .start_ms = START_DEADLINE_MS,
			       .stop_ms = config->supervisor_stop_timeout_ms,
			       .abort_ms = ABORT_DEADLINE_MS,
			       .kill_ms = KILL_DEADLINE_MS },
		.watchdog_ns = config->supervisor_watchdog_timeout_ms * NS_PER_MS,
	};
	uint32_t adopted;
	int r;

	r = fleet_new(supervisor->loop, &options, &supervisor_fleet_events, supervisor, &supervisor->fleet);
	if (r < 0)
		return r;
	restart_jobs_init(&supervisor->jobs, supervisor->fleet);
	r = ledger_new(supervisor->board, config->supervisor_identify_reserve, supervisor->expect_record,
		       options.shard_count, &verb_ledger_events, supervisor, &supervisor->ledger);
	if (r < 0)
		return r;
	adopted = fleet_adopt(supervisor->fleet);
	if (adopted > 0)
		log_info(NULL, "fleet.adopted", KV_INT("workers", adopted), KV_INT("shards", options.shard_count));
	return 0;
}

static void fleet_not_opened(struct supervisor *supervisor, int error)
{
	char cause[256];

	snprintf(cause, sizeof(cause), "the boards in %s (supervisor.runtime_dir) can't be made: %s",
		 supervisor->config->supervisor_runtime_dir, error_text(error));
	supervisor_stop_fatally(
		supervisor, EXIT_CODE_RESOURCE, cause,
		error == -ENOSPC ? "Its file system is full: free some of it, or choose another directory"
		: error == -EMFILE || error == -ENFILE
			? "There are not enough descriptors: raise LimitNOFILE= (ulimit -n)"
		: error == -EBUSY
			? "A worker lives on a damaged one: it leaves by itself after supervisor.orphan_timeout_s"
			: "Look at the directory and its rights");
}

/* What modules say that does not work without the intent @bit, behind what stands in @text. */
static void add_losses(const json_t *modules, uint32_t bit, char *text, size_t size)
{
	const json_t *module;
	size_t i, len;

	json_array_foreach(modules, i, module)
	{
		const char *name = json_string_value(json_object_get(module, "name"));
		const char *loss = json_string_value(json_object_get(module, "without_intents"));

		if (!name || !loss || !(json_integer_value(json_object_get(module, "intents")) >> bit & 1))
			continue;
		len = strlen(text);
		snprintf(text + len, size - len, "; module %s: %s", name, loss);
	}
}

/* What identifies ask for: the manifest's intents, or the operator's own. */
static int decide_intents(struct supervisor *supervisor, uint64_t application_flags)
{
	const char *bad = NULL;
	uint32_t missing;
	int r;

	r = intents_parse(supervisor->config->discord_intents, &supervisor->intents, &bad);
	if (r == 0)
		return 0; /* asked for by name: taken as they are, Discord says if they are too many */
	if (r != -ENODATA)
		return r;
	supervisor->intents = supervisor->manifest.intents;
	missing = intents_not_granted(supervisor->intents, application_flags);
	supervisor->intents &= ~missing;
	for (size_t i = 0; i < intent_row_count; i++) {
		const struct intent_row *row = &intent_rows[i];
		char text[1024];

		if (!(missing & 1U << row->bit))
			continue;
		snprintf(text, sizeof(text),
			 "the application was not granted %s (\"%s\" in Discord's developer portal): left out; %s",
			 row->name, row->portal, row->will_miss);
		add_losses(supervisor->manifest.modules, row->bit, text, sizeof(text));
		log_warn(NULL, "intents.not_granted", KV_STR("intent", row->name), KV_MSG(text));
	}
	return 0;
}

static void commands_synced(void *arg, uint64_t guild_id, enum commandsync_state state)
{
	struct supervisor *supervisor = arg;
	struct command_guilds *guilds = &supervisor->command_guilds;
	size_t i;

	for (i = 0; i < guilds->count && (guilds->rows[i].id != guild_id || guilds->rows[i].wanted); i++)
		;
	/* A server that refuses to be cleared is one that the bot has left, and its commands with it. */
	if (i == guilds->count ||
	    (state != COMMANDSYNC_UNCHANGED && state != COMMANDSYNC_WRITTEN && state != COMMANDSYNC_REFUSED))
		return;
	command_guilds_drop(guilds, guild_id);
	if (command_guilds_remember(guilds, supervisor->config->supervisor_state_dir) < 0)
		log_debug(NULL, "commands.guilds_kept", KV_U64("guild", guild_id));
}

/* Everywhere, or in the servers of commands.guilds alone; and where they were alone before, nowhere. */
static size_t fill_scopes(struct supervisor *supervisor, struct commandsync_scope *scopes, json_t *none)
{
	struct command_guilds *guilds = &supervisor->command_guilds;
	const char *state_dir = supervisor->config->supervisor_state_dir;
	size_t count = 0, i;
	int r = command_guilds_parse(supervisor->config->commands_guilds, guilds);

	if (r < 0) /* --check and the start refuse it: a reload may bring it */
		*guilds = (struct command_guilds){ 0 };
	if (guilds->count == 0)
		scopes[count++] = (struct commandsync_scope){ .commands = supervisor->manifest.commands };
	command_guilds_recall(guilds, state_dir);
	r = guilds->count ? command_guilds_remember(guilds, state_dir) : 0;
	if (r < 0)
		log_warn(NULL, "commands.guilds_not_kept", KV_ERR(r),
			 KV_MSG("which servers have commands of their own can't be written down "
				"(supervisor.state_dir): taken out of commands.guilds they will keep them"));
	for (i = 0; i < guilds->count; i++)
		scopes[count++] = (struct commandsync_scope){
			.guild_id = guilds->rows[i].id,
			.commands = guilds->rows[i].wanted ? supervisor->manifest.commands : none,
		};
	return count;
}

void supervisor_sync_commands(struct supervisor *supervisor, uint64_t application_id)
{
	struct commandsync_scope scopes[COMMAND_GUILDS_MAX + 1];
	json_auto_t *none = json_array();
	size_t count;
	int r;

	commandsync_close(TAKE(supervisor->commands));
	if (!supervisor->config->commands_sync) {
		log_info(NULL, "commands.not_synced",
			 KV_MSG("commands.sync is off: Discord keeps the commands it has"));
		return;
	}
	count = fill_scopes(supervisor, scopes, none);
	r = commandsync_new(supervisor->loop, supervisor->rest, application_id, scopes, count, commands_synced,
			    supervisor, &supervisor->commands);
	if (r < 0)
		log_error(NULL, "commands.not_synced", KV_ERR(r));
}

static int make_plan(struct supervisor *supervisor, const struct upstream_info *info)
{
	struct plan_input input = {
		.wanted = supervisor->config->discord_shard_count,
		.recommended = info->recommended,
		.max_concurrency = info->limits.max_concurrency,
		.found = supervisor->found,
	};
	int r;

	/* Adopted workers have fixed count and generation already; this adds what there is to say about it. */
	r = plan_decide(&input, &supervisor->plan);
	if (r < 0)
		return r;
	log_plan(supervisor, &input);
	r = plan_sweep(supervisor->config->supervisor_runtime_dir, supervisor->plan.generation);
	if (r > 0)
		log_info(NULL, "plan.swept", KV_INT("boards", r));
	return 0;
}

/* Shards without a session are about to ask: those of one bucket shall do so in their order. */
static void expect_identifies(struct supervisor *supervisor)
{
	struct board_session session;
	uint64_t sequence;

	for (uint32_t i = 0; i < supervisor->fleet->count; i++) {
		const struct worker *worker = &supervisor->fleet->workers[i];

		if (slot_state(&worker->slot) == SLOT_STOPPED &&
		    !board_shard_session(worker->board, &session, &sequence))
			ledger_expect(supervisor->ledger, i, EXPECT_NS);
	}
}

static int check_room(struct supervisor *supervisor)
{
	char error[SURROUNDINGS_ERROR_SIZE] = "the runtime directory can't be looked at";
	int r;

	r = surroundings_check_room(supervisor->config, supervisor->plan.shard_count, error);
	if (r < 0)
		supervisor_stop_fatally(supervisor, EXIT_CODE_RESOURCE, error,
					"Free some of it, or choose another directory");
	return r;
}

/* Discord and the worker program have both answered: the fleet starts. */
static void start_running(struct supervisor *supervisor)
{
	const struct upstream_info *info = upstream_info(supervisor->upstream);
	char text[128];
	int r;

	if (supervisor->phase != PHASE_ASKING || !upstream_is_complete(supervisor->upstream) ||
	    !supervisor->have_manifest)
		return;
	r = decide_intents(supervisor, info->application_flags);
	if (r >= 0)
		r = make_plan(supervisor, info);
	if (r < 0) {
		snprintf(text, sizeof(text), "a fleet of %" PRIu32 " shards can't be planned",
			 supervisor->config->discord_shard_count > 0 ? supervisor->config->discord_shard_count
								     : info->recommended);
		supervisor_stop_fatally(supervisor, EXIT_CODE_CONFIG, text,
					"Set discord.shard_count to auto or a smaller number");
		return;
	}
	if (!supervisor->fleet) {
		r = check_room(supervisor);
		if (r < 0)
			return;
		r = open_fleet(supervisor);
		if (r < 0) {
			fleet_not_opened(supervisor, r);
			return;
		}
	}
	supervisor->phase = PHASE_RUNNING;
	supervisor->have_intents = true;
	supervisor->why[0] = '\0';
	ledger_reconcile(supervisor->ledger, &info->limits, supervisor->asked_ns, supervisor->found.live);
	supervisor_sync_commands(supervisor, info->application_id);
	expect_identifies(supervisor);
	fleet_start(supervisor->fleet);
	ledger_set_planned(supervisor->ledger, fleet_starts_needed(supervisor->fleet));
	verbs_greet_waiting(supervisor);
	supervisor->dirty = true;
}

/* --- Discord's word ---------------------------------------------------------------------------------------------- */

static void upstream_completed(void *arg, const struct upstream_info *info)
{
	struct supervisor *supervisor = arg;

	log_info(NULL, "api.answered", KV_STR("gateway_url", info->gateway_url),
		 KV_INT("recommended", info->recommended), KV_INT("remaining", info->limits.remaining),
		 KV_INT("max_concurrency", info->limits.max_concurrency));
	start_running(supervisor);
}

/* Workers that start know from the host's page what time it is at Discord, before an event has told them; what a worker
 * wrote there is more exact. */
static void tell_time(struct supervisor *supervisor)
{
	int64_t known_ms = board_host_discord_offset(supervisor->board), offset_ms;

	if (discord_time_offset(&offset_ms) && (known_ms == 0 || offset_ms > known_ms))
		board_host_set_discord_offset(supervisor->board, offset_ms);
}

static void upstream_gateway(void *arg, const struct upstream_info *info, uint64_t asked_ns)
{
	struct supervisor *supervisor = arg;

	tell_time(supervisor);
	supervisor->asked_ns = asked_ns;
	supervisor->refresh_why[0] = '\0';
	if (!supervisor->ledger || supervisor->phase != PHASE_RUNNING)
		return;
	ledger_reconcile(supervisor->ledger, &info->limits, asked_ns, supervisor->fleet->count);
	supervisor_run_ledger(supervisor);
}

static void upstream_waits(void *arg, const char *text, uint64_t wait_ms)
{
	struct supervisor *supervisor = arg;
	char line[512];

	/* A refresh that failed while the fleet runs is no trouble yet: numbers age, workers serve on. */
	if (supervisor->phase != PHASE_ASKING) {
		snprintf(supervisor->refresh_why, sizeof(supervisor->refresh_why), "%s", text);
		log_warn(NULL, "api.refresh_failed", KV_STR("why", text), KV_MS("wait", wait_ms));
		return;
	}
	snprintf(supervisor->why, sizeof(supervisor->why), "Discord's API at %s (discord.api_base) does not answer: %s",
		 supervisor->config->discord_api_base, text);
	snprintf(line, sizeof(line), "%s; asked again until it does", supervisor->why);
	log_warn(NULL, "api.unreachable", KV_MSG(line), KV_MS("wait", wait_ms));
	notify_extend(&supervisor->notify, wait_ms + 60000);
	supervisor->dirty = true;
}

static void token_refused(struct supervisor *supervisor)
{
	char cause[256];

	board_host_set_token_invalid(supervisor->board, true);
	snprintf(cause, sizeof(cause), "Discord refused the bot's token (401 from %s)",
		 supervisor->config->discord_api_base);
	supervisor_stop_fatally(supervisor, EXIT_CODE_TOKEN, cause, supervisor_fatal_hint(EXIT_CODE_TOKEN));
}

static void upstream_refused(void *arg, const char *text)
{
	(void)text;
	token_refused(arg);
}

static const struct upstream_events upstream_events = {
	.complete = upstream_completed,
	.gateway = upstream_gateway,
	.waiting = upstream_waits,
	.refused = upstream_refused,
};

static void rest_token_invalid(void *arg, const char *text)
{
	(void)text;
	token_refused(arg);
}

static void manifest_came(void *arg, int error, const struct manifest *manifest, const char *text)
{
	struct supervisor *supervisor = arg;
	char cause[384];

	if (supervisor->phase != PHASE_ASKING)
		return;
	if (error < 0) {
		snprintf(cause, sizeof(cause), "%s (%s)", text, supervisor->worker_path);
		supervisor_stop_fatally(supervisor, EXIT_CODE_CONFIG, cause,
					"Set supervisor.worker to the shoal-shard of this installation");
		return;
	}
	modules_tell_refused(manifest, &supervisor->manifest);
	manifest_take(&supervisor->manifest, manifest);
	supervisor->have_manifest = true;
	log_debug(NULL, "manifest.read", KV_INT("commands", (int64_t)json_array_size(manifest->commands)),
		  KV_STR("hash", manifest->hash), KV_U64("intents", manifest->intents));
	start_running(supervisor);
}

/* --- what a worker is given -------------------------------------------------------------------------------------- */

/* Where a worker is to connect: what was configured, what Discord said; before it has answered, where the worker's own
 * session is resumed. "": nobody knows yet. */
static const char *gateway_url(const struct supervisor *supervisor, const struct board_session *session)
{
	const char *configured = supervisor->config->discord_gateway_url;
	const struct upstream_info *info = upstream_info(supervisor->upstream);
	struct url parts;

	if (configured[0])
		return configured;
	if (info->gateway_url[0])
		return info->gateway_url;
	return url_parse(session->resume_url, &parts) < 0 ? "" : session->resume_url;
}

bool supervisor_can_greet(const struct supervisor *supervisor, const struct worker *worker)
{
	struct board_session session = { 0 };
	uint64_t sequence;
	bool known = board_shard_session(worker->board, &session, &sequence);

	return (supervisor->have_intents || known) && gateway_url(supervisor, &session)[0];
}

/* Read anew for each hello: a worker that comes back after a reload has the keys of today. */
static void add_keys(const struct supervisor *supervisor, json_t *secrets)
{
	CLEANUP(key_file_wipe) char *keys = NULL;
	char problem[KEY_FILE_PROBLEM_SIZE];
	int r = key_file_read(supervisor->config->secrets_key_file, &keys, problem);

	if (keys)
		json_object_set_new(secrets, "keys", json_string(keys));
	if (r < 0)
		json_object_set_new(secrets, "keys_problem", json_string(problem[0] ? problem : error_text(r)));
	else if (problem[0])
		log_warn(NULL, "secrets.key_file_open", KV_MSG(problem));
}

/* Before Discord has answered, what the worker's own session was made with is as good. */
json_t *supervisor_secrets(const struct supervisor *supervisor, const struct worker *worker)
{
	const struct upstream_info *info = upstream_info(supervisor->upstream);
	struct board_session session = { 0 };
	uint64_t sequence;
	json_t *config = config_to_json(supervisor->config), *secrets;

	if (!config)
		return NULL;
	board_shard_session(worker->board, &session, &sequence);
	secrets = json_pack("{s:o, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I}", "config", config, "shard_count",
			    (json_int_t)supervisor->plan.shard_count, "generation",
			    (json_int_t)supervisor->plan.generation, "gateway_url", gateway_url(supervisor, &session),
			    "intents", (json_int_t)(supervisor->have_intents ? supervisor->intents : session.intents),
			    "application_id",
			    (json_int_t)(info->application_id ? info->application_id : session.application_id),
			    "user_id", (json_int_t)(info->user_id ? info->user_id : session.user_id), "max_concurrency",
			    (json_int_t)info->limits.max_concurrency, "total_guilds_hint", (json_int_t)info->guilds);
	add_keys(supervisor, secrets);
	if (supervisor->manifest.left_out)
		json_object_set(secrets, "modules_left_out", supervisor->manifest.left_out);
	if (json_array_size(supervisor->manifest.refused) > 0)
		json_object_set(secrets, "modules_refused", supervisor->manifest.refused);
	return secrets;
}

/* --- the questions ----------------------------------------------------------------------------------------------- */

static int open_upstream(struct supervisor *supervisor)
{
	const struct config *config = supervisor->config;
	const struct rest_options options = {
		.api_base = config->discord_api_base,
		.token = config->discord_token,
		.ca_file = config->discord_ca_file,
		.global_per_s = config->rest_global_per_s,
		.timeout_ms = config->rest_timeout_ms,
		.invalid_limit = config->rest_invalid_limit,
	};
	static const struct rest_events events = { .token_invalid = rest_token_invalid };
	int r;

	r = rest_new(supervisor->loop, &options, supervisor->board, NULL, &events, supervisor, &supervisor->rest);
	if (r < 0)
		return r;
	return upstream_new(supervisor->loop, supervisor->rest, &upstream_events, supervisor, &supervisor->upstream);
}

int supervisor_ask(struct supervisor *supervisor, enum exit_code *ret_exit_code)
{
	const struct manifest_modules modules = { .dir = supervisor->config->modules_dir,
						  .load = supervisor->config->modules_load,
						  .leave_out = true };
	char text[384];
	int r;

	r = open_upstream(supervisor);
	if (r == -EINVAL) {
		snprintf(text, sizeof(text), "discord.api_base is no http or https URL: \"%s\"",
			 supervisor->config->discord_api_base);
		log_error(NULL, "config.invalid", KV_MSG(text));
		*ret_exit_code = EXIT_CODE_CONFIG;
	}
	if (r < 0)
		return r;
	r = manifest_run_with(supervisor->loop, supervisor->worker_path, supervisor->worker_env, &modules,
			      manifest_came, supervisor, &supervisor->manifest_run);
	if (r < 0) {
		snprintf(text, sizeof(text), "the worker program %s (supervisor.worker) can't be started: %s",
			 supervisor->worker_path, error_text(r));
		log_error(NULL, "worker.not_found", KV_MSG(text), KV_ERR(r));
		*ret_exit_code = r == -ENOMEM || r == -EAGAIN || r == -EMFILE || r == -ENFILE ? EXIT_CODE_RESOURCE
											      : EXIT_CODE_CONFIG;
	}
	return r;
}

void supervisor_adopt_early(struct supervisor *supervisor)
{
	int r;

	if (supervisor->found.live == 0)
		return;
	supervisor->plan = (struct plan){ .shard_count = supervisor->found.shard_count,
					  .generation = supervisor->found.generation };
	r = open_fleet(supervisor);
	if (r < 0)
		fleet_not_opened(supervisor, r);
}
