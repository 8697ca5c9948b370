/* shoald's heart. Run on its loop. It holds no event data and parses no gateway frame: it asks what is to run, lets the
 * fleet run it, and ends either when told to or when a worker says that this fleet can't run so. */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "supervisor/intents.h"
#include "supervisor/pages.h"
#include "supervisor/report.h"
#include "supervisor/surroundings.h"
#include "supervisor/verbs.h"

#define START_DEADLINE_MS 30000
#define ABORT_DEADLINE_MS 2000
#define KILL_DEADLINE_MS  5000
/* From the start of the fleet to the last worker's request: spawning takes some 10 ms each. */
#define EXPECT_NS (3 * NS_PER_S)

static const char *const phase_names[PHASE_COUNT] = {
	[PHASE_ASKING] = "asking",
	[PHASE_RUNNING] = "running",
	[PHASE_STOPPING] = "stopping",
	[PHASE_CLOSING] = "closing",
};

const char *supervisor_phase_name(enum supervisor_phase phase)
{
	return (unsigned)phase < PHASE_COUNT ? phase_names[phase] : "unknown";
}

static void tell_status(struct supervisor *supervisor)
{
	char line[256];

	report_line(supervisor, line, sizeof(line));
	notify_status(&supervisor->notify, "%s", line);
}

/* --- the end ---------------------------------------------------------------------------------------------------------
 */

static void part_closed(void *arg)
{
	struct supervisor *supervisor = arg;

	if (--supervisor->closing == 0)
		loop_stop(supervisor->loop);
}

static void signal_closed(uv_handle_t *handle)
{
	part_closed(handle->data);
}

/* Everything that holds a handle is closed, in the order of who uses whom. */
static void close_all(struct supervisor *supervisor)
{
	struct fleet *fleet = supervisor->fleet;

	supervisor->phase = PHASE_CLOSING;
	supervisor->closing = 1; /* ours, given back below: a part may be closed at once */
	loop_remove_hook(&supervisor->pass);
	loop_remove_hook(&supervisor->tick);
	manifest_close(TAKE(supervisor->manifest_run));
	upstream_close(supervisor->upstream);
	commandsync_close(TAKE(supervisor->commands));
	http_close(TAKE(supervisor->http));
	if (supervisor->have_timer) {
		supervisor->closing++;
		timer_close(&supervisor->ledger_timer, part_closed);
	}
	for (size_t i = 0; i < supervisor->signal_count; i++) {
		supervisor->closing++;
		uv_close((uv_handle_t *)&supervisor->signals[i], signal_closed);
	}
	if (supervisor->rest) {
		supervisor->closing++;
		rest_close(TAKE(supervisor->rest), part_closed, supervisor);
	}
	supervisor->fleet = NULL;
	if (supervisor->control) {
		supervisor->closing++;
		control_server_close(TAKE(supervisor->control), part_closed, supervisor);
	}
	if (fleet) {
		supervisor->closing++;
		fleet_close(fleet, part_closed, supervisor);
	}
	part_closed(supervisor);
}

static void fleet_emptied(void *arg)
{
	struct supervisor *supervisor = arg;

	if (supervisor->phase != PHASE_STOPPING)
		return;
	log_info(NULL, "supervisor.stopped", KV_INT("exit_code", supervisor->exit_code),
		 KV_MS("up", (clock_monotonic_ns() - supervisor->started_ns) / NS_PER_MS));
	verbs_answer_stop(supervisor);
	close_all(supervisor);
}

void supervisor_stop(struct supervisor *supervisor, int exit_code, bool logout)
{
	if (supervisor->phase >= PHASE_CLOSING)
		return;
	if (supervisor->phase == PHASE_STOPPING) {
		if (!supervisor->hurried && supervisor->fleet) {
			log_warn(NULL, "supervisor.hurried",
				 KV_MSG("asked to stop again: workers are killed; their sessions stay resumable"));
			fleet_hurry(supervisor->fleet);
		}
		supervisor->hurried = true;
		return;
	}
	supervisor->phase = PHASE_STOPPING;
	supervisor->exit_code = exit_code;
	notify_stopping(&supervisor->notify);
	log_info(NULL, "supervisor.stopping", KV_INT("exit_code", exit_code), KV_BOOL("logout", logout));
	restart_jobs_finish(&supervisor->jobs, "ESHUTDOWN", "the supervisor is stopping");
	if (supervisor->fleet)
		fleet_stop(supervisor->fleet, logout); /* events.empty follows */
	else
		fleet_emptied(supervisor);
}

/* This fleet can't run so: one line with the cause and what to do, then the stop. */
static void stop_fatally(struct supervisor *supervisor, enum exit_code code, const char *cause, const char *hint)
{
	const struct exit_code_row *row = exit_code_find(code);
	char text[512];

	if (supervisor->phase >= PHASE_STOPPING)
		return;
	snprintf(supervisor->why, sizeof(supervisor->why), "%s", cause);
	snprintf(text, sizeof(text), "%s. %s", cause, hint ? hint : row ? row->help : "");
	log_error(NULL, "fleet.fatal", KV_MSG(text), KV_STR("code", row ? row->name : "unknown"),
		  KV_INT("exit_code", code));
	supervisor_stop(supervisor, (int)code, false);
}

/* Which key is behind a worker's fatal end; what the exit code's own row can't know. */
static const struct {
	enum exit_code code;
	const char *hint;
} fatal_hints[] = {
	{ EXIT_CODE_TOKEN, "Check discord.token (DISCORD_TOKEN): was it reset in Discord's developer portal?" },
	{ EXIT_CODE_SHARDING,
	  "Set discord.shard_count to auto, or to a number that fits (a large bot's must be a multiple)" },
	{ EXIT_CODE_INTENTS, "Set discord.intents to auto, or switch the privileged intents on in Discord's "
			     "developer portal" },
};

static const char *fatal_hint(int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(fatal_hints); i++)
		if ((int)fatal_hints[i].code == code)
			return fatal_hints[i].hint;
	return NULL;
}

static void worker_was_fatal(void *arg, struct worker *worker, const struct worker_end *end)
{
	struct supervisor *supervisor = arg;
	char cause[BOARD_TEXT_SIZE + 96];

	if (end->close_code)
		snprintf(cause, sizeof(cause), "shard %" PRIu32 ": the gateway closed with %" PRIu32 " (%s)",
			 worker->slot.shard_id, end->close_code, end->text);
	else
		snprintf(cause, sizeof(cause), "shard %" PRIu32 ": %s", worker->slot.shard_id,
			 end->text[0] ? end->text : "the worker ended saying that it can't run");
	stop_fatally(supervisor, (enum exit_code)end->code, cause, fatal_hint(end->code));
}

static void worker_is_gone(void *arg, struct worker *worker)
{
	struct supervisor *supervisor = arg;

	if (supervisor->ledger)
		ledger_cancel(supervisor->ledger, worker->slot.shard_id);
}

static void fleet_changed(void *arg)
{
	((struct supervisor *)arg)->dirty = true;
}

static const struct fleet_events fleet_events = {
	.fatal = worker_was_fatal,
	.gone = worker_is_gone,
	.changed = fleet_changed,
	.empty = fleet_emptied,
};

/* --- the ledger's turn -----------------------------------------------------------------------------------------------
 */

void supervisor_run_ledger(struct supervisor *supervisor)
{
	uint64_t next_ns, now_ns;

	if (!supervisor->ledger || supervisor->phase != PHASE_RUNNING)
		return;
	ledger_run(supervisor->ledger);
	next_ns = ledger_next_ns(supervisor->ledger);
	now_ns = clock_boottime_ns();
	if (next_ns == UINT64_MAX)
		timer_stop(&supervisor->ledger_timer);
	else
		timer_start(&supervisor->ledger_timer, next_ns > now_ns ? (next_ns - now_ns) / NS_PER_MS + 1 : 0);
}

static void ledger_timer_passed(void *arg)
{
	supervisor_run_ledger(arg);
}

static void look_after_ledger(struct supervisor *supervisor)
{
	struct ledger_status status;

	if (!supervisor->ledger)
		return;
	ledger_set_planned(supervisor->ledger, fleet_starts_needed(supervisor->fleet));
	ledger_status(supervisor->ledger, &status);
	if (status.exhausted != supervisor->was_exhausted) {
		supervisor->was_exhausted = status.exhausted;
		supervisor->dirty = true;
		if (status.exhausted)
			log_error(NULL, "ledger.exhausted", KV_INT("remaining", status.remaining),
				  KV_INT("reserve", status.reserve),
				  KV_INT("needed", fleet_starts_needed(supervisor->fleet)),
				  KV_MSG("more session starts are needed than Discord has left for today (less "
					 "supervisor.identify_reserve): shards without a session wait for the next "
					 "window, since going over resets the bot's token"));
		else
			log_info(NULL, "ledger.recovered", KV_INT("remaining", status.remaining));
	}
	if (status.exhausted || ledger_wants_refresh(supervisor->ledger))
		upstream_refresh(supervisor->upstream);
}

/* --- making the plan -------------------------------------------------------------------------------------------------
 */

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
		.worker_path = supervisor->worker_path,
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

	r = fleet_new(supervisor->loop, &options, &fleet_events, supervisor, &supervisor->fleet);
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
	stop_fatally(supervisor, EXIT_CODE_RESOURCE, cause,
		     error == -ENOSPC ? "Its file system is full: free some of it, or choose another directory"
				      : "Look at the directory and its rights");
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
		char text[256];

		if (!(missing & 1U << row->bit))
			continue;
		snprintf(text, sizeof(text),
			 "the application was not granted %s (\"%s\" in Discord's developer portal): left out; %s",
			 row->name, row->portal, row->will_miss);
		log_warn(NULL, "intents.not_granted", KV_STR("intent", row->name), KV_MSG(text));
	}
	return 0;
}

static void sync_commands(struct supervisor *supervisor, uint64_t application_id)
{
	int r;

	if (!supervisor->config->commands_sync) {
		log_info(NULL, "commands.not_synced",
			 KV_MSG("commands.sync is off: Discord keeps the commands it has"));
		return;
	}
	r = commandsync_new(supervisor->loop, supervisor->rest, application_id, supervisor->manifest.commands,
			    &supervisor->commands);
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
		stop_fatally(supervisor, EXIT_CODE_CONFIG, text, "Set discord.shard_count to auto or a smaller number");
		return;
	}
	if (!supervisor->fleet) {
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
	sync_commands(supervisor, info->application_id);
	expect_identifies(supervisor);
	fleet_start(supervisor->fleet);
	ledger_set_planned(supervisor->ledger, fleet_starts_needed(supervisor->fleet));
	verbs_greet_waiting(supervisor);
	supervisor->dirty = true;
}

/* --- Discord's word --------------------------------------------------------------------------------------------------
 */

static void upstream_completed(void *arg, const struct upstream_info *info)
{
	struct supervisor *supervisor = arg;

	log_info(NULL, "api.answered", KV_STR("gateway_url", info->gateway_url),
		 KV_INT("recommended", info->recommended), KV_INT("remaining", info->limits.remaining),
		 KV_INT("max_concurrency", info->limits.max_concurrency));
	start_running(supervisor);
}

static void upstream_gateway(void *arg, const struct upstream_info *info, uint64_t asked_ns)
{
	struct supervisor *supervisor = arg;

	supervisor->asked_ns = asked_ns;
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
	stop_fatally(supervisor, EXIT_CODE_TOKEN, cause, fatal_hint(EXIT_CODE_TOKEN));
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
		stop_fatally(supervisor, EXIT_CODE_CONFIG, cause,
			     "Set supervisor.worker to the shoal-shard of this installation");
		return;
	}
	supervisor->manifest = *manifest;
	json_incref(supervisor->manifest.commands);
	json_incref(supervisor->manifest.events);
	supervisor->have_manifest = true;
	log_debug(NULL, "manifest.read", KV_INT("commands", (int64_t)json_array_size(manifest->commands)),
		  KV_STR("hash", manifest->hash), KV_U64("intents", manifest->intents));
	start_running(supervisor);
}

/* --- what a worker is given ------------------------------------------------------------------------------------------
 */

bool supervisor_can_greet(const struct supervisor *supervisor, const struct worker *worker)
{
	struct board_session session;
	uint64_t sequence;

	return supervisor->have_intents || board_shard_session(worker->board, &session, &sequence);
}

/* Before Discord has answered, what the worker's own session was made with is as good. */
json_t *supervisor_secrets(const struct supervisor *supervisor, const struct worker *worker)
{
	const struct upstream_info *info = upstream_info(supervisor->upstream);
	const char *url = supervisor->config->discord_gateway_url;
	struct board_session session = { 0 };
	uint64_t sequence;
	json_t *config = config_to_json(supervisor->config);

	if (!config)
		return NULL;
	board_shard_session(worker->board, &session, &sequence);
	return json_pack("{s:o, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I}", "config", config, "shard_count",
			 (json_int_t)supervisor->plan.shard_count, "generation",
			 (json_int_t)supervisor->plan.generation, "gateway_url", url[0] ? url : info->gateway_url,
			 "intents", (json_int_t)(supervisor->have_intents ? supervisor->intents : session.intents),
			 "application_id",
			 (json_int_t)(info->application_id ? info->application_id : session.application_id), "user_id",
			 (json_int_t)(info->user_id ? info->user_id : session.user_id), "max_concurrency",
			 (json_int_t)info->limits.max_concurrency, "total_guilds_hint", (json_int_t)info->guilds);
}

/* --- hooks -----------------------------------------------------------------------------------------------------------
 */

static void note_readiness(struct supervisor *supervisor)
{
	bool ready = report_all_ready(supervisor);

	if (supervisor->phase == PHASE_RUNNING && fleet_all_launched(supervisor->fleet))
		notify_ready(&supervisor->notify);
	if (ready && !supervisor->was_ready)
		log_info(NULL, "fleet.ready", KV_INT("shards", supervisor->fleet->count),
			 KV_MS("up", (clock_monotonic_ns() - supervisor->started_ns) / NS_PER_MS));
	supervisor->was_ready = ready;
}

static void at_pass_end(void *arg)
{
	struct supervisor *supervisor = arg;

	if (!supervisor->dirty)
		return;
	supervisor->dirty = false;
	note_readiness(supervisor);
	tell_status(supervisor);
}

static void at_tick(void *arg)
{
	struct supervisor *supervisor = arg;

	notify_tick(&supervisor->notify, clock_monotonic_ns());
	if (supervisor->phase == PHASE_RUNNING && supervisor->ticks++ % 4 == 0)
		look_after_ledger(supervisor);
	if (supervisor->fleet)
		restart_jobs_tick(&supervisor->jobs);
	supervisor->dirty = true;
}

static void signalled(uv_signal_t *handle, int number)
{
	struct supervisor *supervisor = handle->data;

	log_info(NULL, "supervisor.signal", KV_STR("signal", strsignal(number)));
	supervisor_stop(supervisor, EXIT_CODE_OK, false);
}

/* --- the beginning ---------------------------------------------------------------------------------------------------
 */

static int take_host(struct supervisor *supervisor, enum exit_code *ret_exit_code)
{
	const char *dir = supervisor->config->supervisor_runtime_dir;
	bool damaged = false;
	char text[256];
	int r;

	r = board_host_create(dir, &damaged);
	if (r >= 0)
		r = board_host_open(dir, &supervisor->board);
	if (r >= 0)
		r = board_host_lock(supervisor->board);
	if (r == -EAGAIN || r == -EBUSY) {
		snprintf(text, sizeof(text),
			 "another shoald (pid %d) runs on %s (supervisor.runtime_dir): stop it first, or give this one "
			 "a directory of its own",
			 surroundings_owner_pid(dir), dir);
		log_error(NULL, "supervisor.locked", KV_MSG(text));
		*ret_exit_code = EXIT_CODE_LOCKED;
		return r;
	}
	if (r < 0) {
		snprintf(text, sizeof(text), "the host's board in %s (supervisor.runtime_dir) can't be made: %s", dir,
			 error_text(r));
		log_error(NULL, "supervisor.no_board", KV_MSG(text), KV_ERR(r));
		*ret_exit_code = r == -ENOSPC || r == -ENOMEM ? EXIT_CODE_RESOURCE : EXIT_CODE_CONFIG;
		return r;
	}
	if (damaged)
		log_error(NULL, "board.damaged", KV_STR("dir", dir),
			  KV_MSG("the host's board failed its checks and was made anew: the identify ledger waits one "
				 "window and books what may have been spent"));
	/* Traces of an earlier run without a ledger record: it was lost. Nothing at all: a fresh start. */
	r = plan_scan(dir, &supervisor->found);
	if (r < 0)
		log_error(NULL, "plan.scan_failed", KV_ERR(r), KV_STR("dir", dir));
	supervisor->expect_record = damaged || supervisor->found.boards > 0;
	/* Whoever starts us means it: the token is tried once, whatever it was before. */
	board_host_set_token_invalid(supervisor->board, false);
	return 0;
}

static int open_doors(struct supervisor *supervisor, enum exit_code *ret_exit_code)
{
	const struct config *config = supervisor->config;
	char text[256];
	int r;

	r = control_server_new(supervisor->loop, config->supervisor_runtime_dir, &verb_events, supervisor,
			       &supervisor->control);
	if (r < 0) {
		snprintf(text, sizeof(text), "the control socket in %s (supervisor.runtime_dir) can't be opened: %s",
			 config->supervisor_runtime_dir, error_text(r));
		log_error(NULL, "control.no_socket", KV_MSG(text), KV_ERR(r));
		*ret_exit_code = r == -EADDRINUSE ? EXIT_CODE_LOCKED : EXIT_CODE_CONFIG;
		return r;
	}
	if (config->supervisor_http_listen[0] == '\0')
		return 0;
	r = http_new(supervisor->loop, config->supervisor_http_listen, page_routes, supervisor, &supervisor->http);
	if (r < 0) {
		snprintf(text, sizeof(text), "can't listen on %s (supervisor.http_listen): %s%s",
			 config->supervisor_http_listen, error_text(r),
			 r == -EADDRINUSE ? "; another program has the port: stop it, choose another, or leave the key "
					    "empty"
			 : r == -EINVAL   ? "; give address:port with a numeric address"
					  : "");
		log_error(NULL, "http.no_port", KV_MSG(text), KV_ERR(r));
		*ret_exit_code = r == -EINVAL ? EXIT_CODE_CONFIG : EXIT_CODE_PORT;
		return r;
	}
	log_info(NULL, "http.listening", KV_STR("address", http_listening(supervisor->http)));
	return 0;
}

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

static int watch_signals(struct supervisor *supervisor)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		r = uv_signal_init(&supervisor->loop->uv, &supervisor->signals[i]);
		if (r < 0)
			return r;
		supervisor->signals[i].data = supervisor;
		supervisor->signal_count++;
		r = uv_signal_start(&supervisor->signals[i], signalled, numbers[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Workers that run are ours before Discord has said anything: they need nothing from it. */
static void adopt_early(struct supervisor *supervisor)
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

static int begin_asking(struct supervisor *supervisor, enum exit_code *ret_exit_code)
{
	char text[384];
	int r;

	*ret_exit_code = EXIT_CODE_RESOURCE;
	r = watch_signals(supervisor);
	if (r >= 0)
		r = timer_init(&supervisor->ledger_timer, supervisor->loop, ledger_timer_passed, supervisor);
	if (r < 0)
		return r;
	supervisor->have_timer = true;
	r = open_upstream(supervisor);
	if (r == -EINVAL) {
		snprintf(text, sizeof(text), "discord.api_base is no http or https URL: \"%s\"",
			 supervisor->config->discord_api_base);
		log_error(NULL, "config.invalid", KV_MSG(text));
		*ret_exit_code = EXIT_CODE_CONFIG;
	}
	if (r < 0)
		return r;
	r = manifest_run(supervisor->loop, supervisor->worker_path, supervisor->worker_env, manifest_came, supervisor,
			 &supervisor->manifest_run);
	if (r < 0) {
		snprintf(text, sizeof(text), "the worker program %s (supervisor.worker) can't be started: %s",
			 supervisor->worker_path, error_text(r));
		log_error(NULL, "worker.not_found", KV_MSG(text), KV_ERR(r));
		*ret_exit_code = r == -ENOMEM || r == -EAGAIN ? EXIT_CODE_RESOURCE : EXIT_CODE_CONFIG;
	}
	return r;
}

int supervisor_start(struct supervisor *supervisor, struct loop *loop, const struct config *config,
		     const struct supervisor_options *options, enum exit_code *ret_exit_code)
{
	int r;

	memset(supervisor, 0, sizeof(*supervisor));
	supervisor->loop = loop;
	supervisor->config = config;
	supervisor->host = options->host;
	supervisor->worker_path = options->worker_path;
	supervisor->worker_env = options->worker_env;
	supervisor->started_ns = clock_monotonic_ns();
	buf_init(&supervisor->metrics_page, 16 * 1024 * 1024);
	notify_init(&supervisor->notify);
	r = take_host(supervisor, ret_exit_code);
	if (r < 0)
		return r;
	r = open_doors(supervisor, ret_exit_code);
	if (r < 0)
		return r;
	r = begin_asking(supervisor, ret_exit_code);
	if (r < 0)
		return r;
	loop_at_pass_end(loop, &supervisor->pass, at_pass_end, supervisor);
	loop_at_tick(loop, &supervisor->tick, at_tick, supervisor);
	adopt_early(supervisor);
	supervisor->dirty = true;
	return 0;
}

void supervisor_abandon(struct supervisor *supervisor)
{
	if (supervisor->phase < PHASE_CLOSING)
		close_all(supervisor);
}

void supervisor_finish(struct supervisor *supervisor)
{
	ledger_free(supervisor->ledger);
	supervisor->ledger = NULL;
	if (supervisor->have_manifest)
		manifest_finish(&supervisor->manifest);
	buf_finish(&supervisor->metrics_page);
	supervisor->board = board_host_close(supervisor->board);
}
