/* The fleet of worker processes. Run by the supervisor on its loop. The parent does next to nothing, so that a crashing
 * child can't take it down: it spawns, watches pidfds and boards, and lets the slot table decide. */
#include "supervisor/fleet.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/log/log.h"
#include "supervisor/fleet_boards.h"
#include "supervisor/process.h"

/* Once a second: an earlier kill is not this death's cause. */
#define OOM_LOOK_TICKS 4

static struct worker *worker_of(struct slot *slot)
{
	return CONTAINER_OF(slot, struct worker, slot);
}

static void changed(struct fleet *fleet)
{
	fleet->events.changed(fleet->arg);
}

/* A worker of another supervisor's making holds the shard: it becomes ours. */
static int adopt(struct worker *worker)
{
	const struct log_ctx ctx = worker_ctx(worker);
	int r;

	r = worker_adopt(worker, worker->fleet->loop);
	if (r < 0)
		return r;
	slot_step(&worker->slot, SLOT_ADOPT);
	log_info(&ctx, "worker.adopted", KV_INT("pid", worker->pid),
		 KV_STR("state", shard_state_name(board_shard_state(worker->board))));
	changed(worker->fleet);
	return 0;
}

static uint64_t ready_for_ms(const struct worker *worker, uint64_t now_ns)
{
	return worker->ready_since_ns == 0 ? 0 : (now_ns - worker->ready_since_ns) / NS_PER_MS;
}

static void decide_restart(struct worker *worker)
{
	const struct log_ctx ctx = worker_ctx(worker);
	const struct restart_policy *policy = &worker->fleet->options.restart;
	uint64_t now_ns = clock_monotonic_ns();
	struct restart_decision decision;

	decision = restart_decide(policy, &worker->history, now_ns, ready_for_ms(worker, now_ns), random_unit());
	worker->backoff_ms = decision.delay_ms;
	worker->failing = decision.failing;
	if (decision.turned_failing)
		log_error(&ctx, "worker.failing", KV_INT("deaths", policy->burst + 1),
			  KV_MS("within", policy->window_ms), KV_MS("wait", decision.delay_ms),
			  KV_MSG("this shard's worker keeps dying: it is marked failing and retried slowly, the other "
				 "shards are not touched. See its worker.died records for the cause"));
}

static bool ended_when_asked(const struct worker *worker)
{
	enum slot_state state = slot_state(&worker->slot);

	return state == SLOT_STOPPING || state == SLOT_RESTARTING;
}

static void settle_board(struct worker *worker)
{
	enum slot_state state = slot_state(&worker->slot);

	/* Another one may hold it by now (EXIT_CODE_LOCKED): then its state is its own to write. */
	if (board_shard_is_locked(worker->board) != 0)
		return;
	board_shard_set_state(worker->board, state == SLOT_STOPPED   ? SHARD_STATE_STOPPED
					     : worker->failing       ? SHARD_STATE_FAILED
					     : state == SLOT_BACKOFF ? SHARD_STATE_BACKOFF
								     : SHARD_STATE_STARTING);
}

static struct worker_end judge_end(const struct worker *worker, bool have_status, int status)
{
	bool hung = slot_state(&worker->slot) == SLOT_ABORTING;
	struct worker_end end;

	end = worker_judge_end(worker, have_status, status, !hung && oom_happened(&worker->fleet->oom));
	/* It did not even get to its abort: the kill is ours, the fault its own. */
	if (hung && end.class == EXIT_CLASS_KILLED)
		end.class = EXIT_CLASS_CRASH;
	return end;
}

static void handle_end(struct worker *worker, bool have_status, int status)
{
	struct fleet *fleet = worker->fleet;
	bool wanted = ended_when_asked(worker), locked_out, fatal;

	worker->end = judge_end(worker, have_status, status);
	/* Another process owns the shard: that is no fault of the fleet's; it is looked for below. */
	locked_out = worker->end.code == EXIT_CODE_LOCKED;
	fatal = worker->end.class == EXIT_CLASS_FATAL && !locked_out;
	if (!wanted) {
		fleet->deaths++;
		decide_restart(worker);
	}
	worker_log_end(worker, &worker->end, wanted);
	worker_drop_process(worker);
	worker->peer = NULL;
	worker->identify_id = worker->hello_id = 0;
	worker->ready_since_ns = 0;
	fleet->events.gone(fleet->arg, worker);
	if (board_shard_is_locked(worker->board) == 0)
		board_shard_remember(worker->board); /* no memory: then it is not put back, should it be damaged now */
	slot_step(&worker->slot, fatal ? SLOT_DIED_FATAL : SLOT_DIED);
	settle_board(worker);
	if (locked_out && slot_state(&worker->slot) == SLOT_BACKOFF)
		adopt(worker);
	changed(fleet);
	if (fleet->fatal) {
		fleet->fatal = NULL;
		fleet->events.fatal(fleet->arg, worker, &worker->end);
	}
}

/* --- what slots ask for ------------------------------------------------------------------------------------------ */

static void op_enqueue(struct slot *slot)
{
	struct worker *worker = worker_of(slot);
	struct fleet *fleet = worker->fleet;

	if (worker->queued)
		return;
	worker->queued = true;
	worker->queue_next = NULL;
	if (fleet->queue_tail)
		fleet->queue_tail->queue_next = worker;
	else
		fleet->queue_head = worker;
	fleet->queue_tail = worker;
}

static void op_dequeue(struct slot *slot)
{
	struct worker *worker = worker_of(slot), *before = NULL;
	struct fleet *fleet = worker->fleet;

	if (!worker->queued)
		return;
	for (struct worker *at = fleet->queue_head; at != worker; at = at->queue_next)
		before = at;
	if (before)
		before->queue_next = worker->queue_next;
	else
		fleet->queue_head = worker->queue_next;
	if (fleet->queue_tail == worker)
		fleet->queue_tail = before;
	worker->queue_next = NULL;
	worker->queued = false;
}

static void op_signal(struct slot *slot, int signal)
{
	struct worker *worker = worker_of(slot);
	const struct log_ctx ctx = worker_ctx(worker);
	int r;

	if (worker->pidfd < 0)
		return;
	r = process_signal(worker->pidfd, signal);
	if (r < 0 && r != -ESRCH)
		log_error(&ctx, "worker.signal_failed", KV_ERR(r), KV_INT("signal", signal),
			  KV_INT("pid", worker->pid));
	if (slot->kills > 1)
		log_error(&ctx, "worker.unkillable", KV_INT("pid", worker->pid), KV_INT("kills", slot->kills),
			  KV_MSG("the worker was killed and does not end: the kernel holds it (disk, driver); its "
				 "shard stays down until it does"));
}

static void op_ask_stop(struct slot *slot)
{
	struct worker *worker = worker_of(slot);
	struct fleet *fleet = worker->fleet;

	if (worker->peer &&
	    control_peer_notice(worker->peer, "stop", fleet->logout ? json_pack("{s:b}", "logout", 1) : NULL) >= 0)
		return;
	op_signal(slot, SIGTERM);
}

static void op_arm(struct slot *slot, uint64_t delay_ms)
{
	timer_start(&worker_of(slot)->timer, delay_ms);
}

static void op_disarm(struct slot *slot)
{
	timer_stop(&worker_of(slot)->timer);
}

static uint64_t op_backoff_ms(struct slot *slot)
{
	return worker_of(slot)->backoff_ms;
}

/* Told when the step is over: the fleet's stop steps every slot, this one too. */
static void op_fatal(struct slot *slot)
{
	worker_of(slot)->fleet->fatal = worker_of(slot);
}

static void op_stopped(struct slot *slot)
{
	(void)slot; /* emptiness is looked for at the end of the pass, when every slot has stepped */
}

static const struct slot_ops ops = {
	.enqueue = op_enqueue,
	.dequeue = op_dequeue,
	.ask_stop = op_ask_stop,
	.signal = op_signal,
	.arm = op_arm,
	.disarm = op_disarm,
	.backoff_ms = op_backoff_ms,
	.fatal = op_fatal,
	.stopped = op_stopped,
};

static void timer_passed(void *arg)
{
	struct worker *worker = arg;
	const struct log_ctx ctx = worker_ctx(worker);
	enum slot_state before = slot_state(&worker->slot);

	if (before == SLOT_STARTING)
		log_error(&ctx, "worker.start_timeout", KV_INT("pid", worker->pid),
			  KV_MS("after", worker->fleet->options.deadlines.start_ms),
			  KV_MSG("the worker was started but did not connect to the control socket: aborted"));
	else if (before == SLOT_STOPPING || before == SLOT_RESTARTING)
		log_warn(&ctx, "worker.stop_timeout", KV_INT("pid", worker->pid),
			 KV_MSG("the worker did not end when asked (supervisor.stop_timeout_ms): killed; its session "
				"stays resumable"));
	slot_step(&worker->slot, SLOT_TIMER);
}

/* --- spawning ---------------------------------------------------------------------------------------------------- */

static int launch(struct worker *worker)
{
	const struct fleet_options *options = &worker->fleet->options;
	char *tail[] = { "--runtime-dir", (char *)options->runtime_dir, "--log-level", (char *)options->log_level,
			 "--log-format",  (char *)options->log_format,  NULL };

	return worker_launch(worker, worker->fleet->loop, options->worker_path, options->worker_env,
			     options->generation, tail);
}

static void give_up_launch(struct worker *worker, const char *event, int error, const char *text)
{
	const struct log_ctx ctx = worker_ctx(worker);

	decide_restart(worker);
	log_error(&ctx, event, KV_ERR(error), KV_U64("owner", board_shard_pid(worker->board)),
		  KV_STR("path", worker->fleet->options.worker_path), KV_MS("wait", worker->backoff_ms), KV_MSG(text));
	slot_step(&worker->slot, SLOT_SPAWN_FAILED);
	settle_board(worker);
}

static void launch_one(struct fleet *fleet)
{
	struct worker *worker = fleet->queue_head;
	const struct log_ctx ctx = worker_ctx(worker);
	int r;

	op_dequeue(&worker->slot);
	/* The lock's holder may have come to light since: never two for one shard. */
	if (board_shard_is_locked(worker->board) == 1) {
		r = adopt(worker);
		if (r < 0)
			give_up_launch(worker, "worker.not_adopted", r,
				       "a process that can't be made out holds the shard's lock; looked at again, and "
				       "started anew when it has ended");
		return;
	}
	r = fleet_boards_mend(fleet, worker);
	if (r < 0) {
		give_up_launch(worker, "worker.no_board", r,
			       "the shard's board is gone from supervisor.runtime_dir, and can't be made anew");
		return;
	}
	r = launch(worker);
	if (r < 0) {
		give_up_launch(worker, "worker.spawn_failed", r,
			       "the worker program could not be started: is it there (supervisor.worker), are "
			       "processes and memory left?");
		return;
	}
	board_shard_forget(worker->board); /* the page is its worker's now */
	slot_step(&worker->slot, SLOT_SPAWNED);
	log_debug(&ctx, "worker.spawned", KV_INT("pid", worker->pid));
}

bool fleet_all_launched(const struct fleet *fleet)
{
	for (uint32_t i = 0; i < fleet->count; i++)
		if (fleet->workers[i].spawned == 0)
			return false;
	return true;
}

static bool is_empty(const struct fleet *fleet)
{
	for (uint32_t i = 0; i < fleet->count; i++)
		if (slot_state(&fleet->workers[i].slot) != SLOT_STOPPED)
			return false;
	return true;
}

static uint32_t count_starting(const struct fleet *fleet)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fleet->count; i++)
		count += slot_state(&fleet->workers[i].slot) == SLOT_STARTING;
	return count;
}

/* End of pass: spawns what is queued, as many at once as may be starting. */
static void pump(void *arg)
{
	struct fleet *fleet = arg;

	if (fleet->spawning && fleet->queue_head) {
		uint32_t starting = count_starting(fleet);

		for (; fleet->queue_head && starting < fleet->options.parallel; starting++)
			launch_one(fleet);
		changed(fleet);
	}
	if (!fleet->spawning && !fleet->closing && is_empty(fleet))
		fleet->events.empty(fleet->arg);
}

/* --- slow tick --------------------------------------------------------------------------------------------------- */

static void look_at(struct worker *worker, uint64_t now_ns)
{
	bool ready = slot_state(&worker->slot) == SLOT_RUNNING && board_shard_state(worker->board) == SHARD_STATE_READY;

	if (ready == (worker->ready_since_ns != 0))
		return;
	worker->ready_since_ns = ready ? now_ns : 0;
	changed(worker->fleet);
}

/* A shard that failed and is ready and stable again is no longer failing. */
static void forgive_stable(struct worker *worker, uint64_t now_ns)
{
	const struct log_ctx ctx = worker_ctx(worker);

	if (!worker->failing || ready_for_ms(worker, now_ns) < worker->fleet->options.restart.stable_ms)
		return;
	if (worker->ready_since_ns == 0)
		return;
	worker->failing = false;
	log_info(&ctx, "worker.recovered", KV_MS("ready_for", ready_for_ms(worker, now_ns)));
	changed(worker->fleet);
}

static void run_watchdog(struct fleet *fleet)
{
	uint64_t now_ns = clock_boottime_ns();
	uint32_t count = 0;
	size_t index = 0;
	enum watchdog_verdict verdict;

	for (uint32_t i = 0; i < fleet->count; i++)
		if (slot_state(&fleet->workers[i].slot) == SLOT_RUNNING)
			fleet->stamps[count++] =
				(struct watchdog_stamp){ .shard_id = i,
							 .stamped_ns = board_shard_stamped(fleet->workers[i].board) };
	verdict = watchdog_check(&fleet->watchdog, now_ns, LOOP_TICK_MS * NS_PER_MS, fleet->stamps, count, &index);
	if (verdict == WATCHDOG_MACHINE && !fleet->machine_suspect)
		log_error(NULL, "watchdog.machine", KV_INT("workers", count),
			  KV_MSG("most workers have not stamped their boards: the machine is overloaded or was "
				 "suspended; nobody is killed for it"));
	fleet->machine_suspect = verdict == WATCHDOG_MACHINE;
	if (verdict == WATCHDOG_ABORT) {
		struct worker *worker = &fleet->workers[fleet->stamps[index].shard_id];
		const struct log_ctx ctx = worker_ctx(worker);

		fleet->watchdog_kills++;
		log_error(
			&ctx, "watchdog.abort", KV_INT("pid", worker->pid),
			KV_MS("stale", (now_ns - fleet->stamps[index].stamped_ns) / NS_PER_MS),
			KV_MSG("the worker's loop hangs: aborted for a backtrace, killed after that, then restarted"));
		slot_step(&worker->slot, SLOT_STALE);
		changed(fleet);
	}
}

static void tick(void *arg)
{
	struct fleet *fleet = arg;
	uint64_t now_ns = clock_monotonic_ns();

	fleet_boards_look(fleet);

	for (uint32_t i = 0; i < fleet->count; i++) {
		look_at(&fleet->workers[i], now_ns);
		forgive_stable(&fleet->workers[i], now_ns);
	}
	run_watchdog(fleet);
	if (fleet->ticks++ % OOM_LOOK_TICKS == 0)
		oom_look(&fleet->oom);
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

static void free_fleet(struct fleet *fleet)
{
	for (uint32_t i = 0; i < fleet->count; i++)
		board_shard_close(fleet->workers[i].board);
	free(fleet->stamps);
	free(fleet);
}

static int init_worker(struct fleet *fleet, uint32_t shard_id)
{
	struct worker *worker = &fleet->workers[shard_id];
	int r;

	worker->fleet = fleet;
	worker->pidfd = -1;
	worker->on_end = handle_end;
	slot_init(&worker->slot, shard_id, &ops, &fleet->options.deadlines);
	r = fleet_boards_open(fleet, worker);
	if (r < 0)
		return r;
	/* Those of before were told by the supervisor of before. */
	worker->losses_seen = board_shard_counter(worker->board, BOARD_COUNTER_loss_windows);
	return 0;
}

static void init_timers(struct fleet *fleet)
{
	for (uint32_t i = 0; i < fleet->count; i++) {
		int r = timer_init(&fleet->workers[i].timer, fleet->loop, timer_passed, &fleet->workers[i]);

		assert(r >= 0); /* libuv's timers need nothing that could be missing */
		fleet->timers++;
	}
}

int fleet_new(struct loop *loop, const struct fleet_options *options, const struct fleet_events *events, void *arg,
	      struct fleet **ret_fleet)
{
	uint32_t count = options->shard_count;
	struct fleet *fleet = calloc(1, sizeof(*fleet) + count * sizeof(struct worker));
	int r = 0;

	if (!fleet)
		return -ENOMEM;
	fleet->loop = loop;
	fleet->options = *options;
	fleet->events = *events;
	fleet->arg = arg;
	fleet->count = count;
	fleet->stamps = calloc(count, sizeof(*fleet->stamps));
	if (!fleet->stamps)
		r = -ENOMEM;
	for (uint32_t i = 0; i < count && r >= 0; i++)
		r = init_worker(fleet, i);
	if (r < 0) {
		free_fleet(fleet);
		return r;
	}
	watchdog_init(&fleet->watchdog, options->watchdog_ns);
	oom_init(&fleet->oom);
	/* A stall before the first look is one too. */
	fleet->watchdog.checked_ns = clock_boottime_ns();
	init_timers(fleet);
	fleet->spawning = true;
	loop_at_pass_end(loop, &fleet->pump, pump, fleet);
	loop_at_tick(loop, &fleet->tick, tick, fleet);
	*ret_fleet = fleet;
	return 0;
}

uint32_t fleet_adopt(struct fleet *fleet)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fleet->count; i++)
		if (slot_state(&fleet->workers[i].slot) == SLOT_STOPPED && adopt(&fleet->workers[i]) >= 0)
			count++;
	return count;
}

void fleet_start(struct fleet *fleet)
{
	for (uint32_t i = 0; i < fleet->count; i++)
		slot_step(&fleet->workers[i].slot, SLOT_START);
}

void fleet_stop(struct fleet *fleet, bool logout)
{
	fleet->spawning = false;
	fleet->logout = logout;
	for (uint32_t i = 0; i < fleet->count; i++)
		slot_step(&fleet->workers[i].slot, SLOT_STOP);
}

void fleet_hurry(struct fleet *fleet)
{
	for (uint32_t i = 0; i < fleet->count; i++)
		op_signal(&fleet->workers[i].slot, SIGKILL);
}

int fleet_restart(struct fleet *fleet, uint32_t shard_id)
{
	struct worker *worker;

	if (shard_id >= fleet->count)
		return -ERANGE;
	if (!fleet->spawning)
		return -ESHUTDOWN;
	worker = &fleet->workers[shard_id];
	restart_forgive(&worker->history);
	worker->failing = false;
	return slot_step(&worker->slot, SLOT_RESTART);
}

static void timer_closed(void *arg)
{
	struct worker *worker = arg;
	struct fleet *fleet = worker->fleet;
	loop_fn closed = fleet->closed;
	void *closed_arg = fleet->closed_arg;

	if (--fleet->timers > 0)
		return;
	free_fleet(fleet);
	if (closed)
		closed(closed_arg);
}

void fleet_close(struct fleet *fleet, loop_fn closed, void *arg)
{
	fleet->closing = true;
	fleet->closed = closed;
	fleet->closed_arg = arg;
	loop_remove_hook(&fleet->pump);
	loop_remove_hook(&fleet->tick);
	for (uint32_t i = 0; i < fleet->count; i++) {
		worker_drop_process(&fleet->workers[i]);
		timer_close(&fleet->workers[i].timer, timer_closed);
	}
}

int fleet_hello(struct fleet *fleet, struct control_peer *peer, uint32_t shard_id, uint32_t generation, int32_t pid,
		struct worker **ret_worker)
{
	struct worker *worker;

	if (shard_id >= fleet->count)
		return -ERANGE;
	if (generation != fleet->options.generation)
		return -ESTALE;
	worker = &fleet->workers[shard_id];
	/* The kernel's word on who owns the shard, and the owner's on who it is. */
	if (board_shard_is_locked(worker->board) != 1 || board_shard_pid(worker->board) != (uint32_t)pid)
		return -EEXIST;
	/* Another process of ours is on its way to find the lock taken; the holder asks again and is adopted then. */
	if (worker->pid != pid && slot_has_process(&worker->slot))
		return -EAGAIN;
	if (worker->pid != pid && adopt(worker) < 0)
		return -EEXIST;
	worker->peer = peer;
	slot_step(&worker->slot, SLOT_HELLO);
	changed(fleet);
	*ret_worker = worker;
	return 0;
}

void fleet_peer_gone(struct fleet *fleet, struct control_peer *peer, struct worker *worker)
{
	if (worker->peer != peer)
		return;
	worker->peer = NULL;
	worker->identify_id = 0;
	worker->hello_id = 0;
	changed(fleet);
}

/* --- what people see --------------------------------------------------------------------------------------------- */

uint64_t fleet_shard_silent_ms(const struct worker *worker)
{
	uint64_t stamped_ns = board_shard_stamped(worker->board), now_ns = clock_boottime_ns();

	if (slot_state(&worker->slot) != SLOT_RUNNING || stamped_ns == 0 || now_ns < stamped_ns + FLEET_SILENT_NS)
		return 0;
	return (now_ns - stamped_ns) / NS_PER_MS;
}

const char *fleet_shard_state(const struct worker *worker)
{
	switch (slot_state(&worker->slot)) {
	case SLOT_RUNNING:
		if (fleet_shard_silent_ms(worker) > 0)
			return "hanging";
		return shard_state_name(board_shard_state(worker->board));
	case SLOT_BACKOFF:
		return shard_state_name(worker->failing ? SHARD_STATE_FAILED : SHARD_STATE_BACKOFF);
	case SLOT_STOPPED:
		return shard_state_name(SHARD_STATE_STOPPED);
	case SLOT_STOPPING:
	case SLOT_RESTARTING:
		return shard_state_name(SHARD_STATE_STOPPING);
	case SLOT_ABORTING:
		return shard_state_name(SHARD_STATE_FAILED);
	default:
		return shard_state_name(SHARD_STATE_STARTING);
	}
}

bool fleet_shard_ready(const struct worker *worker)
{
	return slot_state(&worker->slot) == SLOT_RUNNING && board_shard_state(worker->board) == SHARD_STATE_READY &&
	       fleet_shard_silent_ms(worker) == 0;
}

uint32_t fleet_ready_count(const struct fleet *fleet)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fleet->count; i++)
		count += fleet_shard_ready(&fleet->workers[i]);
	return count;
}

uint32_t fleet_starts_needed(const struct fleet *fleet)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fleet->count; i++) {
		const struct worker *worker = &fleet->workers[i];
		struct board_session session;
		uint64_t sequence;

		if (slot_state(&worker->slot) == SLOT_STOPPED || fleet_shard_ready(worker))
			continue;
		count += !board_shard_session(worker->board, &session, &sequence);
	}
	return count;
}
