/* The board: shared memory in the runtime directory (tmpfs) by which supervisor and workers know each other.
 * Owns the layout, no behaviour. One file for the host and one per shard and generation, allocated in full at creation
 * (a full tmpfs is an error at creation, never a SIGBUS later). What is read is validated as if from the network.
 *
 * Each page = a stable core that only ever grows at its end (version N reads N-1) + a versioned rest (counters).
 * Words shared by processes are 64-bit atomics. Records of several words are kept twice with a checksum and an index
 * flip: a writer killed half-way leaves the older copy valid. */
#ifndef SHOAL_SHARED_BOARD_BOARD_H
#define SHOAL_SHARED_BOARD_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/control/exit_code.h"

#ifndef BOARD_CORE_VERSION /* a test builds another one, with BOARD_CORE_GROWTH bytes more */
#define BOARD_CORE_VERSION 3
#define BOARD_CORE_GROWTH  0
#endif
#ifndef BOARD_REST_VERSION /* a test builds another one */
#define BOARD_REST_VERSION 1
#endif

enum shard_state {
	SHARD_STATE_NONE = 0, /* no worker has written yet */
	SHARD_STATE_STARTING,
	SHARD_STATE_CONNECTING,
	SHARD_STATE_WAITING, /* for an identify grant */
	SHARD_STATE_IDENTIFYING,
	SHARD_STATE_RESUMING,
	SHARD_STATE_LOADING, /* READY seen, guild list not counted down yet */
	SHARD_STATE_READY,
	SHARD_STATE_BACKOFF,
	SHARD_STATE_STOPPING,
	SHARD_STATE_STOPPED,
	SHARD_STATE_FAILED, /* the supervisor gave up for now */
	SHARD_STATE_COUNT,
};
const char *shard_state_name(uint32_t state); /* "ready"; "unknown" for what is no state */

/* Counters of a shard, each one 64-bit word written by its worker alone. One table of names serves /metrics and --json.
 * New ones go to the end, or BOARD_REST_VERSION changes; a gauge ends its help with "(gauge)". */
#define BOARD_SHARD_COUNTERS(X)                                                                  \
	X(events_total, "dispatches received")                                                   \
	X(events_handled, "dispatches handed to subscribers")                                    \
	X(events_dropped, "dispatches let go unread: nothing here wants their kind")             \
	X(events_unknown, "dispatches with a name we do not know")                               \
	X(events_malformed, "dispatches whose data could not be decoded")                        \
	X(frames_bad, "payloads refused: grammar, UTF-8, depth, size, compression")              \
	X(opcodes_unknown, "payloads with an opcode we do not know")                             \
	X(bytes_wire, "bytes received on gateway sockets after TLS")                             \
	X(bytes_payload, "bytes of JSON after decompression")                                    \
	X(identifies, "IDENTIFYs sent")                                                          \
	X(resumes, "RESUMEs that ended in RESUMED")                                              \
	X(resumes_refused, "RESUMEs refused")                                                    \
	X(reconnects, "gateway connections lost or left")                                        \
	X(zombies, "connections closed because a heartbeat was not acknowledged")                \
	X(loss_windows, "windows in which events may have been lost")                            \
	X(sends_limited, "gateway sends that had to wait for the 120/60 s budget")               \
	X(commands, "commands handled")                                                          \
	X(commands_cooled, "commands refused because they were used too often")                  \
	X(commands_failed, "commands that ended in an error told to the member")                 \
	X(interactions_late, "interactions that came too late to answer")                        \
	X(rest_requests, "REST requests sent")                                                   \
	X(rest_retries, "REST requests repeated")                                                \
	X(rest_limited, "REST 429 answers")                                                      \
	X(rest_errors, "REST requests that failed for good")                                     \
	X(log_dropped, "log records dropped")                                                    \
	X(guilds, "guilds on this shard (gauge)")                                                \
	X(guilds_unavailable, "guilds in an outage (gauge)")                                     \
	X(latency_us, "last gateway heartbeat round trip (gauge)")                               \
	X(rest_latency_us, "smoothed REST round trip (gauge)")                                   \
	X(loop_lag_us, "longest loop pass in the last tick (gauge)")                             \
	X(memory_kib, "resident memory of the worker (gauge)")                                   \
	X(events_per_s_milli, "dispatches a second over the last 10 s, times 1000 (gauge)")      \
	X(events_dead, "events set aside because workers crashed while they handled them")       \
	X(interactions_expired, "interactions whose answer came after their time")               \
	X(events_waiting, "events in the inbox or parked that nobody has begun (gauge)")         \
	X(events_open, "events being handled (gauge)")                                           \
	X(events_parked, "events that had to leave the inbox before they were handled (gauge)")  \
	X(inbox_used, "bytes used of the inbox (gauge)")                                         \
	X(events_repeated, "dispatches that came again after a RESUME and were dropped")         \
	X(nats_away, "1 while NATS is configured and away (gauge)")                              \
	X(postgres_away, "1 while PostgreSQL is configured and known to be away (gauge)")        \
	X(silence_probes, "sessions asked whether they still deliver, after a long silence")     \
	X(silences, "connections left because such a question brought nothing")                  \
	X(guilds_missing, "guilds that the cache does not know; REST is being asked (gauge)")    \
	X(cache_kib, "guild cache on disk (gauge)")                                              \
	X(effects_remembered, "effects not done again because the journal had their result")     \
	X(effects_checked, "effects of which Discord was asked whether they had happened")       \
	X(effects_unknown, "effects that may or may not have happened")                          \
	X(effects_refused, "effects not begun because the journal could not keep them")          \
	X(journal_rows, "rows in the effect journal (gauge)")                                    \
	X(dead_letters, "dead letters that are kept (gauge)")                                    \
	X(dead_letters_dropped, "dead letters removed: no room for them, or too old")            \
	X(parked_away, "1 while parked events can't be kept in the state directory (gauge)")     \
	X(flights, "recordings of a crashed worker's last events that were saved")               \
	X(outbox_waiting, "writes that wait for PostgreSQL (gauge)")                             \
	X(outbox_dead, "writes set aside because PostgreSQL refused them for good (gauge)")      \
	X(outbox_bytes, "bytes of both (gauge)")                                                 \
	X(outbox_oldest_s, "age of the oldest write that waits, in seconds (gauge)")             \
	X(outbox_kept, "writes kept on this machine's disk")                                     \
	X(outbox_applied, "kept writes that were brought to PostgreSQL")                         \
	X(outbox_refused, "writes refused because the outbox was full or its file failed")       \
	X(outbox_commits, "commits of the outbox's file")                                        \
	X(outbox_commit_max_us, "longest of them (gauge)")                                       \
	X(outbox_failing, "1 while the outbox's file can't be written (gauge)")                  \
	X(db_done, "SQL statements done")                                                        \
	X(db_failed, "SQL statements refused or given up; surely not done")                      \
	X(db_unknown, "SQL statements that may or may not have been done")                       \
	X(db_repeated, "SQL statements sent once more")                                          \
	X(db_refused, "SQL statements refused because too many waited")                          \
	X(db_commits, "SQL transactions done; statements share them")                            \
	X(db_fallbacks, "questions for the read-only PostgreSQL that the primary answered")      \
	X(db_connects, "connections made to PostgreSQL")                                         \
	X(db_connect_failures, "attempts to connect to PostgreSQL that failed")                  \
	X(db_disconnects, "connections to PostgreSQL that broke")                                \
	X(db_links, "open connections to PostgreSQL (gauge)")                                    \
	X(db_waiting, "SQL statements that wait to be sent (gauge)")                             \
	X(db_in_flight, "SQL statements sent and not answered (gauge)")                          \
	X(modules_off, "modules that their breaker has switched off (gauge)")                    \
	X(components, "buttons, selects and forms handled")                                      \
	X(settings_loads, "guilds and members whose settings were read from PostgreSQL")         \
	X(settings_failures, "such reads that failed")                                           \
	X(retention_rows, "rows removed because they were too old")                              \
	X(guilds_removed, "servers whose data was removed after the bot had left")               \
	X(members_forgotten, "requests of members to be forgotten that this worker carried out") \
	X(suggestions, "suggestions asked of an option's function")                              \
	X(commands_refused, "commands and buttons refused before their handler")                 \
	X(events_shed, "typing and presence events dropped because the inbox was nearly full")   \
	X(jobs_due, "jobs whose time has come and that are not begun (gauge)")                   \
	X(jobs_running, "runs of jobs under way (gauge)")                                        \
	X(jobs_done, "runs of jobs that are over")                                               \
	X(jobs_late, "runs of jobs that were begun late")                                        \
	X(jobs_skipped, "runs of jobs left out because they were too late")                      \
	X(jobs_failed, "jobs set aside because they kept crashing their worker")                 \
	X(jobs_fenced, "runs whose end did not count: cancelled meanwhile, or taken over")

enum board_counter {
#define X(name, help) BOARD_COUNTER_##name,
	BOARD_SHARD_COUNTERS(X)
#undef X
		BOARD_COUNTER_COUNT,
};

struct board_counter_row {
	const char *name;
	const char *help;
	bool gauge;
};
extern const struct board_counter_row board_counter_rows[BOARD_COUNTER_COUNT];

/* Fixed-size header of every page. */
struct board_header {
	char magic[8]; /* "SHOALBD" */
	uint32_t core_version;
	uint32_t rest_version;
	uint32_t kind; /* enum board_kind */
	uint32_t size; /* of the whole file */
	uint32_t rest_offset;
	uint32_t shard_id, shard_count, generation;
	char build_id[16];
};
enum board_kind { BOARD_KIND_HOST = 1, BOARD_KIND_SHARD = 2 };

/* The gateway session: what a successor needs to RESUME. */
#define BOARD_SESSION_ID_SIZE 128
#define BOARD_URL_SIZE        256
struct board_session {
	char session_id[BOARD_SESSION_ID_SIZE]; /* "" = none */
	char resume_url[BOARD_URL_SIZE];
	uint64_t application_id;
	uint64_t user_id; /* the bot's own */
	uint32_t intents;
	uint32_t compress;
	int64_t ready_wall_ms;
};

/* How and why the last worker ended. */
#define BOARD_TEXT_SIZE 256
struct board_exit {
	uint32_t class; /* enum exit_class */
	uint32_t code;  /* enum exit_code */
	uint32_t close_code;
	uint32_t pid;
	int64_t wall_ms;
	char text[BOARD_TEXT_SIZE];
};

struct board_shard; /* opaque: accessors below */
struct board_host;

/* --- shard page ----------------------------------------------------------------------------------------------------
 */

/* "<dir>/shard-<generation>-<id>.board" into @path (-ENAMETOOLONG). */
int board_shard_path(const char *dir, uint32_t generation, uint32_t shard_id, char *path, size_t size);

/* Creates the file in full (mode 0600), with room for an inbox of @inbox_kib (0: none), unless a valid one of this
 * shard, count and generation is there, whose stable core (session, sequence, exit) is then kept; one that fails its
 * checks is moved aside ("….damaged") and made anew, *ret_damaged says so. A page of another shard count is made anew
 * without its core. -EBUSY: a live worker holds a page that would have to go. -ENOSPC, -errno. */
int board_shard_create(const char *dir, uint32_t generation, uint32_t shard_id, uint32_t shard_count,
		       uint32_t inbox_kib, bool *ret_damaged);

/* The room for the inbox, part of the mapping (8-aligned), and its bytes; NULL when the file has none. An inbox that is
 * there stays as large as it is whatever board_shard_create() is told: it may hold what is not handled yet. */
void *board_shard_inbox(struct board_shard *board, size_t *ret_bytes);

/* Maps an existing file. @writable for its worker; supervisor and tools map read-only (and the supervisor writable
 * where it must mark FAILED). -ENOENT, -SHOAL_EDAMAGED, -SHOAL_EVERSION. The descriptor stays open inside (for the
 * lock). */
int board_shard_open(const char *dir, uint32_t generation, uint32_t shard_id, bool writable,
		     struct board_shard **ret_board);
/* See board_file_restore(): a board whose file was deleted is put back as it was (1). Whatever was got from it stays
 * where it was. */
int board_shard_restore(struct board_shard *board, uint32_t generation, uint32_t shard_id);
/* See board_file_follow(): for the supervisor, when the board's worker has put it back. */
int board_shard_follow(struct board_shard *board, uint32_t generation, uint32_t shard_id);

/* From now on a copy of the core is kept in our own memory, with each word that is set: the file may be cut off or
 * scribbled on by others. For whoever alone writes the page: its worker, or while there is none the supervisor. What is
 * on the page must have passed its checks. Again: copied anew. -ENOMEM, -ENODATA: the file was cut off. */
int board_shard_remember(struct board_shard *board);
void board_shard_forget(struct board_shard *board);
/* Does @address lie in the mapping? Async-signal-safe. */
bool board_shard_owns(const struct board_shard *board, const void *address);
/* The file was cut off: lengthens it and writes the copy back. The inbox is lost and will be made anew, so the session
 * goes back to what was handled: Discord sends the rest again, and board_shard_applied() tells what of it the cache
 * has. Async-signal-safe. -ENOENT: nothing was remembered. -ENOSPC, -errno. */
int board_shard_rescue(struct board_shard *board);
/* Gives @board, made anew, what @from remembers: session (as above), exit. False: there is no session in it. */
bool board_shard_inherit(struct board_shard *board, const struct board_shard *from);
/* Slow tick of the worker: is the core still what we wrote? 1: it was scribbled on, and is put right. -ENODATA: the
 * file was cut off (and we have not fallen over it yet). */
int board_shard_mend(struct board_shard *board);
/* Slow tick of the supervisor: is the file still whole? 1: it was cut off, we look at zeros until it is put right
 * (said once each time); else 0. */
int board_shard_look(struct board_shard *board);
struct board_shard *board_shard_close(struct board_shard *board); /* releases a lock held; returns NULL */
void board_shard_closep(struct board_shard **board);

/* The worker's OFD lock: at most one owner per shard, held until its process dies. CLOEXEC.
 * -EAGAIN: another worker owns the shard. -ESTALE: the file was replaced since it was opened: open it again. */
int board_shard_lock(struct board_shard *board);
/* Asks the kernel whether somebody else holds the lock. 1, 0, -errno. */
int board_shard_is_locked(struct board_shard *board);

/* Worker: who I am. Written after the lock was taken. */
void board_shard_set_owner(struct board_shard *board, uint32_t pid, uint64_t pid_start_ticks, const char *build_id);
uint32_t board_shard_pid(const struct board_shard *board);
/* starttime of /proc/<pid>/stat, against pid reuse. */
uint64_t board_shard_pid_start(const struct board_shard *board);
void board_shard_build_id(const struct board_shard *board, char build_id[16]);
const struct board_header *board_shard_header(const struct board_shard *board);

/* Watchdog stamp, CLOCK_BOOTTIME ns. */
void board_shard_stamp(struct board_shard *board, uint64_t boottime_ns);
uint64_t board_shard_stamped(const struct board_shard *board);

void board_shard_set_state(struct board_shard *board, enum shard_state state);
uint32_t board_shard_state(const struct board_shard *board);

/* Session and its sequence belong together: setting a session sets its first sequence in the same flip. */
void board_shard_set_session(struct board_shard *board, const struct board_session *session, uint64_t sequence);
void board_shard_clear_session(struct board_shard *board);
/* False when there is none or no copy passes its checksum. */
bool board_shard_session(const struct board_shard *board, struct board_session *ret_session, uint64_t *ret_sequence);
/* The hot word: one relaxed-cost atomic store. */
void board_shard_set_sequence(struct board_shard *board, uint64_t sequence);
uint64_t board_shard_sequence(const struct board_shard *board);
/* Up to which sequence events were handled; 0 again with a new session. */
void board_shard_set_handled(struct board_shard *board, uint64_t sequence);
uint64_t board_shard_handled(const struct board_shard *board);
/* Up to which sequence the guild cache has committed all; 0 again with a new session. */
void board_shard_set_applied(struct board_shard *board, uint64_t sequence);
uint64_t board_shard_applied(const struct board_shard *board);

void board_shard_set_exit(struct board_shard *board, const struct board_exit *how);
bool board_shard_exit(const struct board_shard *board, struct board_exit *ret_how);

/* --- modules: whose code is run just now, and how they fare. Written by the worker's thread alone. */

#define BOARD_MODULES_MAX      24
#define BOARD_MODULE_NAME_SIZE 32

/* Kept through any death: the successor learns from it whom to blame. */
struct board_culprit {
	uint32_t module;            /* its row + 1; 0: none, it is our own code */
	uint32_t kind;              /* enum culprit_kind of shard/events/culprit.h; what it was called for */
	uint32_t pid;               /* of the worker that wrote it: older programs do not */
	uint64_t session, sequence; /* of the event that it was called for; 0: of none */
};
void board_shard_set_culprit(struct board_shard *board, const struct board_culprit *culprit);
/* What is read may be anything: a module's row is below BOARD_MODULES_MAX + 1, no more is sure. */
struct board_culprit board_shard_culprit(const struct board_shard *board);

/* What the breaker makes of a module. */
enum board_module_state { BOARD_MODULE_ON, BOARD_MODULE_OFF, BOARD_MODULE_TRIAL, BOARD_MODULE_STATE_COUNT };
const char *board_module_state_name(uint32_t state); /* "on"; "unknown" for what is none */

/* A module's row: its name and what the breaker remembers (shard/modhost/breaker.h). */
struct board_module {
	char name[BOARD_MODULE_NAME_SIZE]; /* "": a free row */
	uint32_t state;                    /* enum board_module_state */
	uint32_t crashes, trips;
	uint64_t window_ns, until_ns; /* boottime */
	bool loading;                 /* the last crash came while it was loaded */
};
void board_shard_set_module(struct board_shard *board, uint32_t row, const struct board_module *module);
/* False: a free row, or none. */
bool board_shard_module(const struct board_shard *board, uint32_t row, struct board_module *ret_module);

/* Counters of a module, beside those of the shard. */
#define BOARD_MODULE_COUNTERS(X)                                                       \
	X(entries, "calls into the module")                                            \
	X(skipped, "events not handed to the module because it was switched off")      \
	X(slow, "calls that held the loop for longer than modules.slow_ms")            \
	X(crashes, "deaths of the worker in the module's code")                        \
	X(failures, "asynchronous calls of the module that ended in an error")         \
	X(calls_open, "asynchronous calls of the module under way (gauge)")            \
	X(memory_bytes, "memory that the module has from shoal_alloc() (gauge)")       \
	X(slowest_us, "longest call into the module since the worker started (gauge)") \
	X(held, "events and commands that the module has held for longer than modules.held_s (gauge)")
enum board_module_counter {
#define X(name, help) BOARD_MODULE_##name,
	BOARD_MODULE_COUNTERS(X)
#undef X
		BOARD_MODULE_COUNTER_COUNT,
};
extern const struct board_counter_row board_module_counter_rows[BOARD_MODULE_COUNTER_COUNT];
/* The counters of row @row, for board_count() and board_gauge() (indexed by enum board_module_counter). */
_Atomic uint64_t *board_shard_module_counters(struct board_shard *board, uint32_t row);
uint64_t board_shard_module_counter(const struct board_shard *board, uint32_t row, enum board_module_counter counter);

/* The worker's counters, for direct addition on the hot path: index by enum board_counter. Single writer. */
_Atomic uint64_t *board_shard_counters(struct board_shard *board);
uint64_t board_shard_counter(const struct board_shard *board, enum board_counter counter);
static inline void board_count(_Atomic uint64_t *counters, unsigned counter, uint64_t add)
{
	atomic_store_explicit(&counters[counter], atomic_load_explicit(&counters[counter], memory_order_relaxed) + add,
			      memory_order_relaxed);
}
static inline void board_gauge(_Atomic uint64_t *counters, unsigned counter, uint64_t value)
{
	atomic_store_explicit(&counters[counter], value, memory_order_relaxed);
}

/* --- host page -----------------------------------------------------------------------------------------------------
 */

#define BOARD_LEDGER_BUCKETS 256

/* The identify ledger's record (double-copied): written by the supervisor alone. */
struct board_ledger {
	uint32_t total, remaining, max_concurrency, reserve;
	int64_t reset_wall_ms;  /* when the session-start window ends */
	uint64_t granted_total; /* starts debited since this page was created */
	uint64_t reconciled_boottime_ns;
};

int board_host_create(const char *dir, bool *ret_damaged);
int board_host_open(const char *dir, struct board_host **ret_board);
/* See board_file_restore(). Whoever mapped the old file looks at the new one with board_host_look(). */
int board_host_restore(struct board_host *board);
/* Slow tick of the supervisor, which remembers the page: one that was cut off or scribbled on (its head, or both copies
 * of the ledger) is put right where it lies, so that all who mapped it see it. 1: it was. 0: all is well. -ENOSPC,
 * -errno: we go on by ourselves and try again. */
int board_host_mend(struct board_host *board);
/* Slow tick of a worker: sees the page again after the supervisor has put it right or back. */
void board_host_look(struct board_host *board);
struct board_host *board_host_close(struct board_host *board);
void board_host_closep(struct board_host **board);
/* The supervisor's own lock on the host page. -EAGAIN: a second supervisor. */
int board_host_lock(struct board_host *board);
/* The lock goes with the descriptor over an exec: @keep leaves it open then (and says which: 0 or more), else not. */
int board_host_keep(struct board_host *board, bool keep);
/* Takes over the lock that came over an exec as @fd (taken, also on failure). -ESTALE: it is of another file. */
int board_host_inherit(struct board_host *board, int fd);
int board_host_is_locked(struct board_host *board);

void board_host_set_ledger(struct board_host *board, const struct board_ledger *ledger);
bool board_host_ledger(const struct board_host *board, struct board_ledger *ret_ledger);
/* Boottime ns at which identify bucket @bucket (0..BOARD_LEDGER_BUCKETS) is free again. */
void board_host_set_bucket_free(struct board_host *board, uint32_t bucket, uint64_t boottime_ns);
uint64_t board_host_bucket_free(const struct board_host *board, uint32_t bucket);

/* Global REST budget shared by all processes of the host: a GCRA in one 64-bit word changed by compare-and-set.
 * Takes one request: never more than @per_s within any one second, a fifth of them at once, the others at an even pace.
 * 0: go; else nanoseconds to wait, nothing taken. */
uint64_t board_host_rest_take(struct board_host *board, uint32_t per_s, uint64_t now_boottime_ns);
/* A global 429: nobody sends before @until_boottime_ns (only ever moved later). */
void board_host_rest_block(struct board_host *board, uint64_t until_boottime_ns);
uint64_t board_host_rest_blocked_until(const struct board_host *board);

/* Invalid requests (401, 403, non-shared 429) of the last 10 minutes, packed {window, count} words. */
void board_host_invalid_add(struct board_host *board, uint64_t now_boottime_ns);
uint32_t board_host_invalid_count(const struct board_host *board, uint64_t now_boottime_ns);

/* Discord's clock less CLOCK_BOOTTIME, in ms (discord_time.h); 0: nobody has said. */
void board_host_set_discord_offset(struct board_host *board, int64_t offset_ms);
int64_t board_host_discord_offset(const struct board_host *board);

/* Latch: Discord said 401 / 4004. Nobody sends any more until the supervisor clears it (a new token). */
void board_host_set_token_invalid(struct board_host *board, bool invalid);
bool board_host_token_invalid(const struct board_host *board);

#endif
