/* shoald's heart. Run on its loop. It holds no event data and parses no gateway frame: it asks what is to run, lets the
 * fleet run it, and ends either when told to or when a worker says that this fleet can't run so. */
#include "supervisor/supervisor_internal.h"

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

/* How long systemd may take to say whether it stops or restarts us. */
#define JOB_DEADLINE_MS 3000

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

/* --- the end ----------------------------------------------------------------------------------------------------- */

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
	service_forget(TAKE(supervisor->job_question));
	manifest_close(TAKE(supervisor->manifest_run));
	modules_close(supervisor);
	reexec_close(supervisor->reexec);
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

void supervisor_leave(struct supervisor *supervisor)
{
	if (supervisor->phase >= PHASE_STOPPING)
		return;
	supervisor->exit_code = EXIT_CODE_OK;
	notify_stopping(&supervisor->notify);
	log_info(NULL, "supervisor.leaving",
		 KV_INT("workers", supervisor->fleet ? (int64_t)supervisor->fleet->count : 0),
		 KV_MSG("workers serve on; the next supervisor adopts them"));
	restart_jobs_finish(&supervisor->jobs, "ESHUTDOWN", "the supervisor is being restarted");
	close_all(supervisor);
}

/* This fleet can't run so: one line with the cause and what to do, then the stop. */
void supervisor_stop_fatally(struct supervisor *supervisor, enum exit_code code, const char *cause, const char *hint)
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
	{ EXIT_CODE_INTENTS, "Set discord.intents to auto. Privileged ones (4014) must be switched on in Discord's "
			     "developer portal; a number with bits that are no intents (4013) is refused" },
};

const char *supervisor_fatal_hint(int code)
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

	snprintf(cause, sizeof(cause), "shard %" PRIu32 ": %s", worker->slot.shard_id,
		 end->text[0] ? end->text : "the worker ended saying that it can't run");
	supervisor_stop_fatally(supervisor, (enum exit_code)end->code, cause, supervisor_fatal_hint(end->code));
}

static void worker_is_gone(void *arg, struct worker *worker)
{
	struct supervisor *supervisor = arg;

	if (supervisor->ledger)
		ledger_cancel(supervisor->ledger, worker->slot.shard_id);
	letter_jobs_worker_gone(&supervisor->letters, worker->slot.shard_id);
}

static void fleet_changed(void *arg)
{
	((struct supervisor *)arg)->dirty = true;
}

const struct fleet_events supervisor_fleet_events = {
	.fatal = worker_was_fatal,
	.gone = worker_is_gone,
	.changed = fleet_changed,
	.empty = fleet_emptied,
};

/* --- signals ----------------------------------------------------------------------------------------------------- */

/* Not known which it is: a stop. Workers left behind by a stop would serve on unseen; workers stopped by a restart lose
 * a moment, and RESUME. */
static void job_known(void *arg, enum service_job job)
{
	struct supervisor *supervisor = arg;

	supervisor->job_question = NULL;
	log_info(NULL, "supervisor.job", KV_STR("job", service_job_name(job)));
	if (supervisor->phase >= PHASE_STOPPING)
		return;
	if (job == SERVICE_JOB_RESTART)
		supervisor_leave(supervisor);
	else
		supervisor_stop(supervisor, EXIT_CODE_OK, false);
}

static void signalled(uv_signal_t *handle, int number)
{
	struct supervisor *supervisor = handle->data;
	int r;

	log_info(NULL, "supervisor.signal", KV_STR("signal", strsignal(number)));
	if (number == SIGHUP) {
		supervisor_hang_up(supervisor);
		return;
	}
	if (number == SIGTERM && supervisor->phase < PHASE_STOPPING && !supervisor->job_question && service_is_ours()) {
		r = service_ask_job(supervisor->loop, JOB_DEADLINE_MS, job_known, supervisor,
				    &supervisor->job_question);
		if (r >= 0)
			return;
		log_warn(NULL, "service.no_answer", KV_ERR(r),
			 KV_MSG("systemd could not be asked whether it stops or restarts us: taken for a stop"));
	}
	supervisor_stop(supervisor, EXIT_CODE_OK, false);
}

/* --- the beginning ----------------------------------------------------------------------------------------------- */

/* What is short passes, also under a restart; a directory that is wrong does not. */
static enum exit_code directory_exit_code(int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		return EXIT_CODE_RESOURCE;
	default:
		return EXIT_CODE_CONFIG;
	}
}

static int take_host(struct supervisor *supervisor, const struct reexec_legacy *legacy, enum exit_code *ret_exit_code)
{
	const char *dir = supervisor->config->supervisor_runtime_dir;
	bool damaged = false;
	char text[256];
	int r;

	r = board_host_create(dir, &damaged);
	if (r >= 0)
		r = board_host_open(dir, &supervisor->board);
	if (r >= 0 && legacy->lock_fd >= 0) {
		r = board_host_inherit(supervisor->board, legacy->lock_fd);
		if (r == -ESTALE)
			r = board_host_lock(supervisor->board);
	} else if (r >= 0) {
		r = board_host_lock(supervisor->board);
	}
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
		snprintf(text, sizeof(text), "the host's board in %s (supervisor.runtime_dir) can't be made: %s%s", dir,
			 error_text(r), r == -ENOSPC ? "; free some of it, or choose another directory" : "");
		log_error(NULL, "supervisor.no_board", KV_MSG(text), KV_ERR(r));
		*ret_exit_code = directory_exit_code(r);
		return r;
	}
	board_host_mend(supervisor->board); /* remembers it as it is */
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
			 config->supervisor_runtime_dir,
			 r == -ENOTSOCK ? "control.sock there is no socket: remove it" : error_text(r));
		log_error(NULL, "control.no_socket", KV_MSG(text), KV_ERR(r));
		*ret_exit_code = r == -EADDRINUSE ? EXIT_CODE_LOCKED
				 : r == -ENOTSOCK ? EXIT_CODE_PORT
						  : directory_exit_code(r);
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
	reexec_unblock_signals();
	return 0;
}

static int begin_asking(struct supervisor *supervisor, enum exit_code *ret_exit_code)
{
	int r;

	*ret_exit_code = EXIT_CODE_RESOURCE;
	r = watch_signals(supervisor);
	if (r >= 0)
		r = supervisor_turn_init(supervisor);
	if (r < 0)
		return r;
	return supervisor_ask(supervisor, ret_exit_code);
}

json_t *supervisor_kept(const struct supervisor *supervisor)
{
	return json_pack("{s:I, s:o}", "started_ns", (json_int_t)supervisor->started_ns, "alerts",
			 alerts_save(&supervisor->alerts));
}

/* The same process, so the same clock. */
static void take_kept(struct supervisor *supervisor, const json_t *kept)
{
	json_int_t started_ns = json_integer_value(json_object_get(kept, "started_ns"));

	if (started_ns > 0 && (uint64_t)started_ns < supervisor->started_ns)
		supervisor->started_ns = (uint64_t)started_ns;
	alerts_restore(&supervisor->alerts, json_object_get(kept, "alerts"));
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
	alerts_watch(&supervisor->alerts);
	take_kept(supervisor, options->legacy->kept);
	notify_init(&supervisor->notify);
	supervisor->reexec = options->reexec;
	supervisor->reexec->supervisor = supervisor;
	r = take_host(supervisor, options->legacy, ret_exit_code);
	if (r < 0)
		return r;
	r = open_doors(supervisor, ret_exit_code);
	if (r < 0)
		return r;
	r = begin_asking(supervisor, ret_exit_code);
	if (r < 0)
		return r;
	supervisor_turn_begin(supervisor);
	supervisor_adopt_early(supervisor);
	/* Whoever waits for the reload waits for what was running, not for Discord. */
	if (options->legacy->lock_fd >= 0 && supervisor->fleet)
		notify_reloaded(&supervisor->notify);
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
	alerts_unwatch();
	ledger_free(supervisor->ledger);
	supervisor->ledger = NULL;
	if (supervisor->have_manifest)
		manifest_finish(&supervisor->manifest);
	buf_finish(&supervisor->metrics_page);
	supervisor->board = board_host_close(supervisor->board);
}
