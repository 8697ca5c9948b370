/* What the files of the scheduler share: schedule.c (what is due, and taking it), schedule_runs.c (a run from its
 * beginning to its end), schedule_calls.c (what modules ask for). Nobody else includes this. */
#ifndef SHOAL_SHARD_SCHEDULE_SCHEDULE_PRIVATE_H
#define SHOAL_SHARD_SCHEDULE_SCHEDULE_PRIVATE_H

#include <uthash.h>

#include "shard/schedule/agenda.h"
#include "shard/schedule/schedule.h"
#include "shared/schedule/repeat.h"

enum job_state {
	JOB_KNOWN,    /* in the database; it waits for its time */
	JOB_MAKING,   /* made here, and being written */
	JOB_OWN,      /* made here, and kept by the outbox; the agenda has it */
	JOB_CLAIMING, /* the database is asked for it */
	JOB_BEGUN,    /* ours; its run is under way, or is to be begun again; the agenda has it */
	JOB_ENDING,   /* the database is being told what came of it; the agenda has it */
	JOB_ENDED,    /* for a while; the agenda has it */
	JOB_STATE_COUNT,
};

struct run {
	struct shoal_scope scope;
	struct schedule *schedule;
	struct job *job;
	struct ticket *ticket;
	uint32_t refs;
	uint64_t started_ns; /* monotonic */
	uint64_t renewed_ns; /* when the lease was last asked for */
	bool renewing;
	bool core;      /* of a job of the core */
	bool refused;   /* an effect of it was kept from leaving: the run is not over, whatever its handler says */
	bool abandoned; /* it is another's by now */
	int64_t again_ms;
	struct run *prev, *next;
};

struct job {
	UT_hash_handle hh; /* by id */
	struct schedule *schedule;
	uint64_t id;
	enum job_state state;
	struct agenda_row row; /* its texts and numbers; payload is ours */
	int64_t wake_ms;
	size_t heap_at; /* place in the heap + 1; 0: not in it */
	struct run *run;
	bool again;        /* begun before, by us or another */
	bool before;       /* by a worker before us, and not over */
	bool telling;      /* the outbox has what came of it */
	bool forgotten;    /* cancelled while the database was being asked */
	uint64_t asked_ns; /* boottime: when it was claimed */
};

struct fleet_row {
	const char *module, *name, *repeat;
	uint32_t version;
	/* the core's */
	struct shoal_job row;
	char repeat_text[SHOAL_JOB_REPEAT_MAX + 1];
	schedule_core_fn core;
	void *arg;
	bool written, asking;
	struct schedule *schedule;
};
#define FLEET_ROWS_MAX 64

struct schedule {
	struct schedule_options options;
	struct agenda *agenda; /* NULL: no room for it; then nothing is begun */
	uint64_t holder;
	uint64_t act_ns; /* effects may begin for so long after a lease was asked for */
	struct job *jobs;
	struct job **heap;
	size_t heap_count;
	struct run *runs;
	size_t run_count, claiming, begun_before;
	struct timer timer;
	struct loop_hook tick;
	uint64_t look_at_ns, look_asked_ns;
	bool looking, started, closing, full_told;
	struct fleet_row fleet[FLEET_ROWS_MAX];
	size_t fleet_count;
	struct schedule_call *due_calls; /* to be told with the next turn */
	struct schedule_call *calls;
};

/* --- schedule.c --- */
int64_t schedule_now_ms(void);
struct job *schedule_find(const struct schedule *schedule, uint64_t id);
/* NULL: no memory, or full. */
struct job *schedule_job_new(struct schedule *schedule, uint64_t id, enum job_state state);
/* Out of memory and agenda. */
void schedule_forget(struct schedule *schedule, struct job *job);
void schedule_set_state(struct job *job, enum job_state state);
int schedule_set_payload(struct job *job, const void *payload, size_t len);
/* It is looked at again at that time. */
void schedule_wake_at(struct schedule *schedule, struct job *job, int64_t wake_ms);
void schedule_wake_own(struct schedule *schedule, struct job *job); /* of one that is OWN */
/* In no heap any more. */
void schedule_rest(struct schedule *schedule, struct job *job);
void schedule_arm(struct schedule *schedule);
/* As find() of the options. */
int schedule_find_handler(const struct schedule *schedule, const struct job *job, struct schedule_handler *ret_handler);
/* The state that the job has, into the agenda. */
int schedule_note(struct schedule *schedule, struct job *job);
struct outbox_key schedule_key(const struct agenda_row *row, char name[OUTBOX_NAME_MAX]);
uint64_t schedule_mix(uint64_t a, uint64_t b);
uint64_t schedule_job_id(uint64_t hash); /* in the range of ids */
uint64_t schedule_hash(const char *module, const char *name);
void schedule_count(struct schedule *schedule, enum board_counter counter);
/* Of a job that was made here: the outbox has nothing of it any more. */
bool schedule_is_written(const struct schedule *schedule, const struct job *job);

/* --- schedule_runs.c --- */
/* Begins the run (or the run again) of a job that is ours. -ENOENT, -EAGAIN as find(); -ENOSPC: the agenda is full. */
int schedule_begin(struct schedule *schedule, struct job *job);
/* By the job's policy: begins it, or ends it without. Sets it to be looked at again when neither can be. */
void schedule_decide(struct schedule *schedule, struct job *job);
/* Says in the database what came of the run (row.end). */
void schedule_conclude(struct schedule *schedule, struct job *job);
void schedule_fail(struct schedule *schedule, struct job *job, const char *reason);
void schedule_watch_runs(struct schedule *schedule);
void schedule_end_runs(struct schedule *schedule);

/* --- schedule_calls.c --- */
void schedule_tell_calls(struct schedule *schedule);
void schedule_drop_calls(struct schedule *schedule);

#endif
