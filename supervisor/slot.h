/* One worker slot: the life of one shard's process as a table [state x event] in which every cell is deliberate.
 * The slot knows when to do what; the doing is behind slot_ops, so that the table is tested without a process. */
#ifndef SHOAL_SUPERVISOR_SLOT_H
#define SHOAL_SUPERVISOR_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/machine.h"
#include "shared/board/board.h"
#include "supervisor/restart.h"

enum slot_state {
	SLOT_STOPPED,    /* nothing runs, nothing is wanted */
	SLOT_QUEUED,     /* waits for its turn to be spawned */
	SLOT_STARTING,   /* the process is there, its hello is not */
	SLOT_RUNNING,    /* said hello, or was adopted */
	SLOT_STOPPING,   /* asked to end, for good */
	SLOT_RESTARTING, /* asked to end, to be started again */
	SLOT_ABORTING,   /* hung: aborted, then killed */
	SLOT_BACKOFF,    /* ended by itself: waits as the restart policy says */
	SLOT_STATE_COUNT,
};

enum slot_event {
	SLOT_START,        /* this shard shall run */
	SLOT_SPAWNED,      /* its process was made */
	SLOT_SPAWN_FAILED, /* it could not be made */
	SLOT_ADOPT,        /* a running worker of ours was found */
	SLOT_HELLO,        /* it connected and is who it says */
	SLOT_DIED,         /* ended in a way that is worth another try */
	SLOT_DIED_FATAL,   /* ended saying that this fleet can't run so */
	SLOT_STOP,         /* this shard shall not run */
	SLOT_RESTART,      /* an operator wants a new process */
	SLOT_STALE,        /* the watchdog says hung */
	SLOT_TIMER,        /* the state's deadline passed */
	SLOT_EVENT_COUNT,
};

struct slot;

/* What a slot asks of its supervisor. None may step the same slot before it returns. */
struct slot_ops {
	void (*enqueue)(struct slot *slot); /* call slot_step(SPAWNED or SPAWN_FAILED) when its turn came */
	void (*dequeue)(struct slot *slot);
	void (*ask_stop)(struct slot *slot); /* notice over the link, or SIGTERM where there is none */
	void (*signal)(struct slot *slot, int signal);
	void (*arm)(struct slot *slot, uint64_t delay_ms); /* replaces the pending timer; SLOT_TIMER when it passes */
	void (*disarm)(struct slot *slot);
	uint64_t (*backoff_ms)(struct slot *slot); /* the restart policy's word on the death just seen */
	void (*fatal)(struct slot *slot);          /* the fleet is to stop */
	void (*stopped)(struct slot *slot);
};

struct slot_deadlines {
	uint64_t start_ms; /* spawn to hello */
	uint64_t stop_ms;  /* asked to gone */
	uint64_t abort_ms; /* SIGABRT to SIGKILL */
	uint64_t kill_ms;  /* SIGKILL to another look */
};

/* The supervisor embeds it with what it needs beside. */
struct slot {
	struct machine machine;
	const struct slot_ops *ops;
	const struct slot_deadlines *deadlines;
	uint32_t shard_id;
	uint32_t kills; /* SIGKILLs since it was last started: more than one means that it can't die */
};

extern const struct machine_table slot_table;
/* The cells that are protocol errors by intent; the test holds that there is no other. */
bool slot_cell_is_error(enum slot_state state, enum slot_event event);

void slot_init(struct slot *slot, uint32_t shard_id, const struct slot_ops *ops,
	       const struct slot_deadlines *deadlines);
/* The only way to change the state. -EPROTO: not possible in this state (logged), nothing changed. */
int slot_step(struct slot *slot, enum slot_event event);
enum slot_state slot_state(const struct slot *slot);
const char *slot_state_name(enum slot_state state);
const char *slot_event_name(enum slot_event event);
/* A process of this slot exists. */
bool slot_has_process(const struct slot *slot);

#endif
