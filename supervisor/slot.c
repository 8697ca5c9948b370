/* The life of a worker slot. Run by the supervisor on its loop. Nobody else writes a slot's state; an action asks its
 * supervisor to do something and must not step the machine itself. */
#include "supervisor/slot.h"

#include <signal.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/log/log.h"

static const char *const state_names[SLOT_STATE_COUNT] = {
	[SLOT_STOPPED] = "stopped",   [SLOT_QUEUED] = "queued",     [SLOT_STARTING] = "starting",
	[SLOT_RUNNING] = "running",   [SLOT_STOPPING] = "stopping", [SLOT_RESTARTING] = "restarting",
	[SLOT_ABORTING] = "aborting", [SLOT_BACKOFF] = "backoff",
};

static const char *const event_names[SLOT_EVENT_COUNT] = {
	[SLOT_START] = "start",           [SLOT_SPAWNED] = "spawned", [SLOT_SPAWN_FAILED] = "spawn_failed",
	[SLOT_ADOPT] = "adopt",           [SLOT_HELLO] = "hello",     [SLOT_DIED] = "died",
	[SLOT_DIED_FATAL] = "died_fatal", [SLOT_STOP] = "stop",       [SLOT_RESTART] = "restart",
	[SLOT_STALE] = "stale",           [SLOT_TIMER] = "timer",
};

static void enqueue(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->kills = 0;
	slot->ops->disarm(slot);
	slot->ops->enqueue(slot);
}

static void leave_queue(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->ops->dequeue(slot);
	slot->ops->stopped(slot);
}

static void await_hello(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->ops->arm(slot, slot->deadlines->start_ms);
}

static void settle(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->ops->disarm(slot);
}

static void settle_from_queue(void *owner, const void *data)
{
	struct slot *slot = owner;

	slot->ops->dequeue(slot);
	settle(owner, data);
}

static void wait_to_restart(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->ops->arm(slot, slot->ops->backoff_ms(slot));
}

static void ask_stop(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->ops->arm(slot, slot->deadlines->stop_ms);
	slot->ops->ask_stop(slot);
}

/* It connected after it was asked to end: asked again, its deadline running on. */
static void ask_again(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->ops->ask_stop(slot);
}

/* SIGCONT, since a stopped process would keep the abort pending and leave no backtrace. */
static void abort_worker(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->ops->arm(slot, slot->deadlines->abort_ms);
	slot->ops->signal(slot, SIGABRT);
	slot->ops->signal(slot, SIGCONT);
}

static void kill_worker(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->kills++;
	slot->ops->arm(slot, slot->deadlines->kill_ms);
	slot->ops->signal(slot, SIGKILL);
}

static void stopped(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->ops->disarm(slot);
	slot->ops->stopped(slot);
}

static void fatal(void *owner, const void *data)
{
	struct slot *slot = owner;

	(void)data;
	slot->ops->disarm(slot);
	slot->ops->fatal(slot);
}

#define BY_INTENT_ERROR                \
	{                              \
		MACHINE_ERROR, 0, NULL \
	}

/* clang-format off */
static const struct machine_edge edges[SLOT_STATE_COUNT][SLOT_EVENT_COUNT] = {
	[SLOT_STOPPED] = {
		[SLOT_START]        = GO(SLOT_QUEUED, enqueue),
		[SLOT_SPAWNED]      = BY_INTENT_ERROR,
		[SLOT_SPAWN_FAILED] = BY_INTENT_ERROR,
		[SLOT_ADOPT]        = GO(SLOT_RUNNING, settle),
		[SLOT_HELLO]        = BY_INTENT_ERROR,	/* adopted first, or refused */
		[SLOT_DIED]         = BY_INTENT_ERROR,
		[SLOT_DIED_FATAL]   = BY_INTENT_ERROR,
		[SLOT_STOP]         = IGNORED,
		[SLOT_RESTART]      = GO(SLOT_QUEUED, enqueue),
		[SLOT_STALE]        = IGNORED,
		[SLOT_TIMER]        = IGNORED,
	},
	[SLOT_QUEUED] = {
		[SLOT_START]        = IGNORED,
		[SLOT_SPAWNED]      = GO(SLOT_STARTING, await_hello),
		[SLOT_SPAWN_FAILED] = GO(SLOT_BACKOFF, wait_to_restart),
		[SLOT_ADOPT]        = GO(SLOT_RUNNING, settle_from_queue),
		[SLOT_HELLO]        = BY_INTENT_ERROR,
		[SLOT_DIED]         = BY_INTENT_ERROR,
		[SLOT_DIED_FATAL]   = BY_INTENT_ERROR,
		[SLOT_STOP]         = GO(SLOT_STOPPED, leave_queue),
		[SLOT_RESTART]      = IGNORED,
		[SLOT_STALE]        = IGNORED,
		[SLOT_TIMER]        = IGNORED,
	},
	[SLOT_STARTING] = {
		[SLOT_START]        = IGNORED,
		[SLOT_SPAWNED]      = BY_INTENT_ERROR,
		[SLOT_SPAWN_FAILED] = BY_INTENT_ERROR,
		[SLOT_ADOPT]        = BY_INTENT_ERROR,	/* the lock is our own child's or it dies by it first */
		[SLOT_HELLO]        = GO(SLOT_RUNNING, settle),
		[SLOT_DIED]         = GO(SLOT_BACKOFF, wait_to_restart),
		[SLOT_DIED_FATAL]   = GO(SLOT_STOPPED, fatal),
		[SLOT_STOP]         = GO(SLOT_STOPPING, ask_stop),
		[SLOT_RESTART]      = GO(SLOT_RESTARTING, ask_stop),
		[SLOT_STALE]        = GO(SLOT_ABORTING, abort_worker),
		[SLOT_TIMER]        = GO(SLOT_ABORTING, abort_worker),
	},
	[SLOT_RUNNING] = {
		[SLOT_START]        = IGNORED,
		[SLOT_SPAWNED]      = BY_INTENT_ERROR,
		[SLOT_SPAWN_FAILED] = BY_INTENT_ERROR,
		[SLOT_ADOPT]        = IGNORED,
		[SLOT_HELLO]        = IGNORED,		/* its link was down and is up again */
		[SLOT_DIED]         = GO(SLOT_BACKOFF, wait_to_restart),
		[SLOT_DIED_FATAL]   = GO(SLOT_STOPPED, fatal),
		[SLOT_STOP]         = GO(SLOT_STOPPING, ask_stop),
		[SLOT_RESTART]      = GO(SLOT_RESTARTING, ask_stop),
		[SLOT_STALE]        = GO(SLOT_ABORTING, abort_worker),
		[SLOT_TIMER]        = IGNORED,
	},
	[SLOT_STOPPING] = {
		[SLOT_START]        = GO(SLOT_RESTARTING, NULL),
		[SLOT_SPAWNED]      = BY_INTENT_ERROR,
		[SLOT_SPAWN_FAILED] = BY_INTENT_ERROR,
		[SLOT_ADOPT]        = BY_INTENT_ERROR,
		[SLOT_HELLO]        = GO(SLOT_STOPPING, ask_again),
		[SLOT_DIED]         = GO(SLOT_STOPPED, stopped),
		[SLOT_DIED_FATAL]   = GO(SLOT_STOPPED, stopped),
		[SLOT_STOP]         = IGNORED,
		[SLOT_RESTART]      = GO(SLOT_RESTARTING, NULL),
		[SLOT_STALE]        = IGNORED,		/* the stop's deadline is running */
		[SLOT_TIMER]        = GO(SLOT_STOPPING, kill_worker),
	},
	[SLOT_RESTARTING] = {
		[SLOT_START]        = IGNORED,
		[SLOT_SPAWNED]      = BY_INTENT_ERROR,
		[SLOT_SPAWN_FAILED] = BY_INTENT_ERROR,
		[SLOT_ADOPT]        = BY_INTENT_ERROR,
		[SLOT_HELLO]        = GO(SLOT_RESTARTING, ask_again),
		[SLOT_DIED]         = GO(SLOT_QUEUED, enqueue),
		[SLOT_DIED_FATAL]   = GO(SLOT_STOPPED, fatal),
		[SLOT_STOP]         = GO(SLOT_STOPPING, NULL),
		[SLOT_RESTART]      = IGNORED,
		[SLOT_STALE]        = IGNORED,
		[SLOT_TIMER]        = GO(SLOT_RESTARTING, kill_worker),
	},
	[SLOT_ABORTING] = {
		[SLOT_START]        = IGNORED,
		[SLOT_SPAWNED]      = BY_INTENT_ERROR,
		[SLOT_SPAWN_FAILED] = BY_INTENT_ERROR,
		[SLOT_ADOPT]        = BY_INTENT_ERROR,
		[SLOT_HELLO]        = IGNORED,
		[SLOT_DIED]         = GO(SLOT_BACKOFF, wait_to_restart),
		[SLOT_DIED_FATAL]   = GO(SLOT_STOPPED, fatal),
		[SLOT_STOP]         = GO(SLOT_STOPPING, kill_worker),
		[SLOT_RESTART]      = GO(SLOT_RESTARTING, kill_worker),
		[SLOT_STALE]        = IGNORED,
		[SLOT_TIMER]        = GO(SLOT_ABORTING, kill_worker),
	},
	[SLOT_BACKOFF] = {
		[SLOT_START]        = IGNORED,
		[SLOT_SPAWNED]      = BY_INTENT_ERROR,
		[SLOT_SPAWN_FAILED] = BY_INTENT_ERROR,
		[SLOT_ADOPT]        = GO(SLOT_RUNNING, settle),
		[SLOT_HELLO]        = BY_INTENT_ERROR,
		[SLOT_DIED]         = BY_INTENT_ERROR,
		[SLOT_DIED_FATAL]   = BY_INTENT_ERROR,
		[SLOT_STOP]         = GO(SLOT_STOPPED, stopped),
		[SLOT_RESTART]      = GO(SLOT_QUEUED, enqueue),
		[SLOT_STALE]        = IGNORED,
		[SLOT_TIMER]        = GO(SLOT_QUEUED, enqueue),
	},
};
/* clang-format on */

const struct machine_table slot_table = {
	.name = "slot",
	.edges = &edges[0][0],
	.state_names = state_names,
	.event_names = event_names,
	.state_count = SLOT_STATE_COUNT,
	.event_count = SLOT_EVENT_COUNT,
};

static void trace(void *owner, const struct machine_table *table, uint8_t from, uint8_t event, uint8_t to, int accepted)
{
	const struct slot *slot = owner;
	const struct log_ctx ctx = { .shard = (int32_t)slot->shard_id };

	if (accepted)
		log_debug(&ctx, "slot.step", KV_STR("from", table->state_names[from]),
			  KV_STR("on", table->event_names[event]), KV_STR("to", table->state_names[to]));
	else
		log_error(&ctx, "slot.impossible", KV_STR("state", table->state_names[from]),
			  KV_STR("on", table->event_names[event]),
			  KV_MSG("a slot got an event that its state does not know; nothing was changed"));
}

bool slot_cell_is_error(enum slot_state state, enum slot_event event)
{
	bool alive = state == SLOT_STARTING || state == SLOT_RUNNING || state == SLOT_STOPPING ||
		     state == SLOT_RESTARTING || state == SLOT_ABORTING;

	switch (event) {
	case SLOT_SPAWNED:
	case SLOT_SPAWN_FAILED:
		return state != SLOT_QUEUED;
	case SLOT_ADOPT:
		return alive && state != SLOT_RUNNING;
	case SLOT_HELLO:
	case SLOT_DIED:
	case SLOT_DIED_FATAL:
		return !alive;
	default:
		return false;
	}
}

void slot_init(struct slot *slot, uint32_t shard_id, const struct slot_ops *ops, const struct slot_deadlines *deadlines)
{
	slot->ops = ops;
	slot->deadlines = deadlines;
	slot->shard_id = shard_id;
	slot->kills = 0;
	machine_init(&slot->machine, &slot_table, SLOT_STOPPED, slot, trace);
}

int slot_step(struct slot *slot, enum slot_event event)
{
	return machine_step(&slot->machine, (uint8_t)event, NULL);
}

enum slot_state slot_state(const struct slot *slot)
{
	return (enum slot_state)slot->machine.state;
}

const char *slot_state_name(enum slot_state state)
{
	return (unsigned)state < SLOT_STATE_COUNT ? state_names[state] : "unknown";
}

const char *slot_event_name(enum slot_event event)
{
	return (unsigned)event < SLOT_EVENT_COUNT ? event_names[event] : "unknown";
}

bool slot_has_process(const struct slot *slot)
{
	return slot_cell_is_error(slot_state(slot), SLOT_DIED) == false;
}
