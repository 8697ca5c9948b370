/* The workers of this host: a slot table, the spawn queue, adoption, deaths and the watchdog's kills.
 * The fleet knows processes and boards; it knows nothing of Discord. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_FLEET_H
#define SHOAL_SUPERVISOR_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/board/board.h"
#include "shared/control/control.h"
#include "shared/loop/loop.h"
#include "supervisor/oom.h"
#include "supervisor/watchdog.h"
#include "supervisor/worker.h"

struct fleet;

struct fleet_options {
	const char *runtime_dir;
	struct board_host *host_board; /* borrowed; put back when it was deleted. NULL: not looked after */
	const char *worker_path;
	char *const *worker_env;
	const char *log_level, *log_format; /* for its records before it has its configuration */
	uint32_t shard_count, generation;
	uint32_t inbox_kib; /* room on the board of each shard; see board_shard_create() */
	uint32_t parallel;  /* workers between spawn and hello at once */
	struct restart_policy restart;
	struct slot_deadlines deadlines;
	uint64_t watchdog_ns;
};

struct fleet_events {
	/* A worker ended saying that this fleet can't run so. Its slot is stopped already. */
	void (*fatal)(void *arg, struct worker *worker, const struct worker_end *end);
	/* A process of @worker is gone (any end); its link, if up, is of no use any more. */
	void (*gone)(void *arg, struct worker *worker);
	/* Something that status shows has changed. */
	void (*changed)(void *arg);
	/* No process is left and none is wanted. */
	void (*empty)(void *arg);
};

struct fleet {
	struct loop *loop;
	struct fleet_options options;
	struct fleet_events events;
	void *arg;
	struct loop_hook pump, tick;
	struct watchdog watchdog;
	struct oom oom;
	uint32_t ticks;
	struct worker *queue_head, *queue_tail;
	struct worker *fatal; /* ended fatally in the step at hand */
	struct watchdog_stamp *stamps;
	uint64_t tick_ns; /* when the last tick was, monotonic */
	uint64_t deaths, watchdog_kills;
	uint32_t timers; /* not closed yet */
	bool spawning;   /* new processes may be made */
	bool logout;     /* the stop is to make the bot go offline at once: sessions end */
	bool machine_suspect;
	bool host_cut;   /* the host's board could not be put right yet */
	bool host_taken; /* another supervisor lives on the host's board: it was deleted under us */
	bool closing;
	loop_fn closed;
	void *closed_arg;
	uint32_t count;
	struct worker workers[];
};

/* Creates (or finds valid) every shard's board and maps it. Strings of @options: borrowed, must outlive the fleet.
 * -ENOSPC (the runtime directory is full), -errno; nothing is kept then. */
int fleet_new(struct loop *loop, const struct fleet_options *options, const struct fleet_events *events, void *arg,
	      struct fleet **ret_fleet);
/* Workers that hold their board's lock become ours. Returns how many. */
uint32_t fleet_adopt(struct fleet *fleet);
/* From now on processes may be made; starts every slot that is stopped. */
void fleet_start(struct fleet *fleet);
/* Every slot is to stop; events.empty follows (also when nothing runs). @logout: the workers end their sessions. */
void fleet_stop(struct fleet *fleet, bool logout);
/* Does not wait any longer: SIGKILL to all. Their sessions stay on the boards. */
void fleet_hurry(struct fleet *fleet);
/* An operator's restart: its past is forgiven. */
int fleet_restart(struct fleet *fleet, uint32_t shard_id);
/* The fleet must be empty. @closed when its memory is free to go (it is freed then). */
void fleet_close(struct fleet *fleet, loop_fn closed, void *arg);

/* A peer says that it is @shard_id's worker, with pid @pid by SO_PEERCRED. 0 and *ret_worker; -ERANGE, -ESTALE (another
 * generation), -EEXIST (not the one that holds the shard's lock), -EAGAIN (it will be, once a process of ours that
 * can't get the lock has ended). */
int fleet_hello(struct fleet *fleet, struct control_peer *peer, uint32_t shard_id, uint32_t generation, int32_t pid,
		struct worker **ret_worker);
void fleet_peer_gone(struct fleet *fleet, struct control_peer *peer, struct worker *worker);

/* A worker stamps its board four times a second. Silent for longer than this it is shown as hanging, long before the
 * watchdog judges it. */
#define FLEET_SILENT_NS (2 * 1000000000ULL)

/* Since when a running worker that should has not stamped its board; 0: it is lively, or has no process. */
uint64_t fleet_shard_silent_ms(const struct worker *worker);
/* What people see as the shard's state: its board's word while it has a process and is lively ("hanging" when not),
 * else what its slot is up to. */
const char *fleet_shard_state(const struct worker *worker);
bool fleet_shard_ready(const struct worker *worker);
uint32_t fleet_ready_count(const struct fleet *fleet);
/* Shards that will have to IDENTIFY when they start or go on: no session on the board and not ready. */
uint32_t fleet_starts_needed(const struct fleet *fleet);
/* Every slot has had a process made or adopted at least once. */
bool fleet_all_launched(const struct fleet *fleet);

#endif
