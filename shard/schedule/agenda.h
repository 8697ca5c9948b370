/* The agenda: what this shard has of jobs that the database does not say, or does not say yet: those that were made
 * while it is away, runs that were begun, what came of runs and is on its way. LMDB on tmpfs beside the journal: it
 * serves the process's death, not the machine's. Loop thread only. */
#ifndef SHOAL_SHARD_SCHEDULE_AGENDA_H
#define SHOAL_SHARD_SCHEDULE_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/job.h>

#define AGENDA_MAP_BYTES  (24 * 1024 * 1024)
#define AGENDA_REASON_MAX 200

struct agenda;

/* The board of the next version reads these: only add. */
enum agenda_state {
	AGENDA_OWN = 1, /* made here, and perhaps not in the database yet */
	AGENDA_BEGUN,   /* its run was begun, and is not over */
	AGENDA_ENDING,  /* it is over; the database is to be told */
	AGENDA_ENDED,   /* it has been told; kept for a while, so that it is not made a second time */
};

enum agenda_end { AGENDA_DONE, AGENDA_NEXT, AGENDA_FAIL };

struct agenda_row {
	uint64_t id;
	enum agenda_state state;
	uint64_t guild_id, user_id, tag; /* guild_id: the database's key */
	int64_t due_ms, created_ms, since_ms;
	uint64_t run, fence;
	uint64_t deadline_ns; /* of the lease, CLOCK_BOOTTIME; UINT64_MAX: it needs none, the database has no row */
	uint64_t at_ns;       /* CLOCK_BOOTTIME of the state ENDED */
	uint32_t version, crashes, opens, missed;
	bool doubtful, late;
	enum agenda_end end;
	int64_t next_ms;
	char module[SHOAL_JOB_NAME_MAX + 1], name[SHOAL_JOB_NAME_MAX + 1];
	char repeat[SHOAL_JOB_REPEAT_MAX + 1], label[SHOAL_JOB_LABEL_MAX + 1];
	char reason[AGENDA_REASON_MAX + 1];
	const void *payload; /* borrowed */
	size_t payload_len;
};

/* Opens or makes the files of the shard, and reads them: @fn gets every row. What is damaged is dropped; @crashed: the
 * last worker died of its own making, perhaps of this file. *ret_holder: who we are in the database, the same for every
 * worker of this shard as long as the files are there. -ENOSPC, -EACCES, -errno. */
typedef void (*agenda_fn)(void *arg, const struct agenda_row *row);
int agenda_open(const char *runtime_dir, uint32_t generation, uint32_t shard_id, bool crashed, agenda_fn fn, void *arg,
		uint64_t *ret_holder, bool *ret_damaged, struct agenda **ret_agenda);
struct agenda *agenda_close(struct agenda *agenda);

/* On the map when it returns. -ENOSPC: full. */
int agenda_put(struct agenda *agenda, const struct agenda_row *row);
int agenda_delete(struct agenda *agenda, uint64_t id);

#endif
