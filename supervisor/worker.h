/* One worker: its slot, the process behind it, its board and its link. Owned by the fleet. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_WORKER_H
#define SHOAL_SUPERVISOR_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/board/board.h"
#include "shared/control/control.h"
#include "shared/control/exit_code.h"
#include "shared/log/log.h"
#include "shared/loop/loop.h"
#include "shared/loop/watch.h"
#include "supervisor/slot.h"

struct fleet;
struct worker;

/* Its process is gone. @have_status: it was our child, and @status is waitpid()'s. */
typedef void (*worker_end_fn)(struct worker *worker, bool have_status, int status);

/* How a worker ended, from its status (a child) or its board (adopted). */
struct worker_end {
	enum exit_class class;
	int code;   /* -1: none (a signal, or not known) */
	int signal; /* 0: none */
	bool oom;   /* killed while the kernel was killing for want of memory */
	uint32_t close_code;
	char text[BOARD_TEXT_SIZE];
};

struct worker {
	struct slot slot;
	struct fleet *fleet;
	struct board_shard *board; /* mapped while the fleet is there */
	struct control_peer *peer; /* NULL while its link is down */
	struct watch *exit_watch;
	worker_end_fn on_end;
	struct timer timer;
	struct restart_history history;
	struct worker *queue_next;
	uint64_t started_ns;     /* monotonic, of this process: spawn or adoption */
	uint64_t ready_since_ns; /* monotonic; 0: not ready at the last look */
	uint64_t backoff_ms;     /* the wait decided for the last death */
	uint64_t losses_seen;    /* loss windows on its board that were told already */
	uint64_t modules_off_seen;
	uint32_t restarts; /* processes after the first */
	uint32_t spawned;
	int32_t pid;
	int pidfd;
	bool queued;
	bool child;
	bool adopted;
	bool failing;
	int64_t identify_id;   /* its open identify request; 0: none */
	int64_t hello_id;      /* its hello waits for the plan; 0: none */
	struct worker_end end; /* of the process before */
};

/* Its shard, for a log record. */
struct log_ctx worker_ctx(const struct worker *worker);

/* Spawns `shoal-shard --shard N ...`. @argv_tail: further arguments, NULL-terminated. -errno. */
int worker_launch(struct worker *worker, struct loop *loop, const char *path, char *const *env, uint32_t generation,
		  char *const *argv_tail);
/* Takes over the process that holds the shard's lock, if its board says who that is. -ESRCH: nobody holds it, or it is
 * another process by now. */
int worker_adopt(struct worker *worker, struct loop *loop);
/* Forgets the process: watch, pidfd, pid. */
void worker_drop_process(struct worker *worker);

/* How the process at hand ended: its status, else what it left on its board, else it was killed (one that crashes, or
 * ends by itself, leaves a word there). @oom: the kernel has killed for want of memory just now. */
struct worker_end worker_judge_end(const struct worker *worker, bool have_status, int status, bool oom);
/* The one record of its end; @wanted: it was asked to. */
void worker_log_end(const struct worker *worker, const struct worker_end *end, bool wanted);

#endif
