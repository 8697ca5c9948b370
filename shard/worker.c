/* The worker's life: lock, hello, run, drain, close. Each phase ends in exactly one place; whoever wants the worker to
 * end calls worker_stop() with a reason, which goes to the board and becomes the exit code. */
#include "shard/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shard/crash.h"
#include "shard/gauges.h"
#include "shard/orders.h"
#include "shard/outside.h"
#include "shard/setup.h"
#include "shard/takeover.h"
#include "shared/base/build_id.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/discord/discord_time.h"
#include "shared/log/log.h"

#define ORPHAN_TIMEOUT_S 120  /* until the configuration is known */
#define DRAIN_MS         2000 /* answers under way when we stop */
#define TIME_TELL_TICKS  4    /* a second */
#define BOARD_LOOK_TICKS 4
#define CACHE_RETRY_NS   (5 * NS_PER_S)

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

void worker_stop(struct worker *worker, enum session_stop how, enum exit_code code, uint16_t close_code,
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
		setup_close(worker);
	}
}

/* What was asked and is being answered may still get through, for a while. */
static void drain(struct worker *worker)
{
	if (worker->phase == WORKER_DRAINING && !worker->session &&
	    ((!worker->commands.open && !modhost_is_busy(worker->modhost) && !schedule_is_busy(worker->schedule)) ||
	     clock_monotonic_ns() >= worker->drain_deadline_ns))
		setup_close(worker);
}

void worker_session_stopped(struct worker *worker)
{
	session_free(worker->session);
	worker->session = NULL;
	worker->drain_deadline_ns = clock_monotonic_ns() + DRAIN_MS * NS_PER_MS;
	drain(worker);
}

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

void worker_trust_journal(struct worker *worker)
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
		worker_trust_journal(worker);
	drain(worker);
	down_since_ns = worker->phase == WORKER_CLOSING ? 0 : control_link_down_since(worker->control);
	if (down_since_ns && clock_boottime_ns() - down_since_ns > orphan_timeout_s(worker) * NS_PER_S)
		worker_stop(worker, SESSION_STOP_RESUMABLE, EXIT_CODE_ORPHANED, 0,
			    "no supervisor for supervisor.orphan_timeout_s: leaving, the session stays resumable");
}

/* --- the supervisor
 * -------------------------------------------------------------------------------------------------------- */

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
			outside_keys(worker, secrets);
		return;
	}
	r = setup_start(worker, secrets, error);
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
		orders_letter(worker, notice);
	else if (strcmp(name, "outbox") == 0)
		orders_outbox(worker, notice);
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

int worker_run(const struct worker_options *options)
{
	struct log_ctx ctx = { .shard = (int32_t)options->shard_id };
	struct worker *worker = calloc(1, sizeof(*worker));
	int code;

	if (!worker)
		return EXIT_CODE_RESOURCE;
	log_set_default(&ctx);
	worker->options = *options;
	code = takeover_board(worker);
	if (code == EXIT_CODE_OK)
		code = start_loop(worker);
	else
		worker->board = board_shard_close(worker->board);
	if (code == EXIT_CODE_OK) {
		loop_run(&worker->loop);
		loop_remove_hook(&worker->tick);
		loop_remove_hook(&worker->pass_end);
		uv_close((uv_handle_t *)&worker->sigterm, NULL);
		uv_close((uv_handle_t *)&worker->sigint, NULL);
		loop_finish(&worker->loop);
		setup_free(worker);
		board_shard_set_state(worker->board, SHARD_STATE_STOPPED);
		board_shard_set_exit(worker->board, &worker->how);
		code = (int)worker->how.code;
	}
	worker->host = board_host_close(worker->host);
	/* The shard's page stays mapped: a crash from here on still wants it. The kernel unmaps and unlocks. */
	free(worker);
	return code;
}
