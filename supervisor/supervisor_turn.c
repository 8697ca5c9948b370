/* What shoald does by itself: at the end of each pass of its loop, at the slow tick, and when the ledger's time has
 * come. Run on its loop; nothing here waits. */
#include "supervisor/supervisor_internal.h"

#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "supervisor/report.h"

/* --- the ledger's turn ------------------------------------------------------------------------------------------- */

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

/* --- hooks ------------------------------------------------------------------------------------------------------- */

static void tell_status(struct supervisor *supervisor)
{
	char line[256];

	report_line(supervisor, line, sizeof(line));
	notify_status(&supervisor->notify, "%s", line);
}

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

	reexec_pass(supervisor->reexec);
	if (!supervisor->dirty)
		return;
	supervisor->dirty = false;
	note_readiness(supervisor);
	tell_status(supervisor);
}

/* A worker's own log is not ours to read; its board tells that it lost something. */
static void look_for_losses(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->fleet->count; i++) {
		struct worker *worker = &supervisor->fleet->workers[i];
		uint64_t now = board_shard_counter(worker->board, BOARD_COUNTER_loss_windows);

		if (now > worker->losses_seen)
			alerts_raise(&supervisor->alerts, "gateway.loss_window", (int32_t)i,
				     "events may have been lost; the worker's record of this event has the bounds",
				     now - worker->losses_seen);
		worker->losses_seen = now;
	}
}

/* Without it no worker that starts finds us, nor shoalctl. */
static void look_after_socket(struct supervisor *supervisor)
{
	int r = control_server_restore(supervisor->control);

	if (r == 1)
		log_error(NULL, "control.socket_deleted", KV_STR("dir", supervisor->config->supervisor_runtime_dir),
			  KV_MSG("the control socket was deleted and is there again: nobody else may remove files in "
				 "supervisor.runtime_dir"));
	else if (r < 0 && !supervisor->socket_lost)
		log_error(NULL, "control.no_socket", KV_STR("dir", supervisor->config->supervisor_runtime_dir),
			  KV_ERR(r), KV_MSG("the control socket was deleted and can't be made anew; tried again"));
	supervisor->socket_lost = r < 0;
}

/* Two supervisors would each start a worker for every shard. Who has the board that is found has the fleet. */
static void give_way(struct supervisor *supervisor)
{
	log_error(NULL, "supervisor.locked", KV_STR("dir", supervisor->config->supervisor_runtime_dir),
		  KV_MSG("the host's board was deleted and another shoald has made a new one (supervisor.runtime_dir): "
			 "the "
			 "fleet is left to it"));
	supervisor_leave(supervisor);
	supervisor->exit_code = EXIT_CODE_LOCKED;
}

static void at_tick(void *arg)
{
	struct supervisor *supervisor = arg;

	notify_tick(&supervisor->notify, clock_monotonic_ns());
	if (supervisor->hangup)
		supervisor_hang_up(supervisor);
	if (supervisor->phase == PHASE_RUNNING && supervisor->ticks++ % 4 == 0)
		look_after_ledger(supervisor);
	if (supervisor->fleet && supervisor->fleet->host_taken && supervisor->phase < PHASE_STOPPING)
		give_way(supervisor);
	if (supervisor->control && supervisor->phase < PHASE_STOPPING)
		look_after_socket(supervisor);
	if (supervisor->fleet) {
		restart_jobs_tick(&supervisor->jobs);
		letter_jobs_tick(&supervisor->letters);
		look_for_losses(supervisor);
		modules_watch(supervisor);
	}
	supervisor->dirty = true;
}

int supervisor_turn_init(struct supervisor *supervisor)
{
	int r = timer_init(&supervisor->ledger_timer, supervisor->loop, ledger_timer_passed, supervisor);

	supervisor->have_timer = r >= 0;
	return r;
}

void supervisor_turn_begin(struct supervisor *supervisor)
{
	loop_at_pass_end(supervisor->loop, &supervisor->pass, at_pass_end, supervisor);
	loop_at_tick(supervisor->loop, &supervisor->tick, at_tick, supervisor);
}
