/* shoald's object: everything a supervisor holds, and the phases of its life. Loop thread only.
 * Rooms: fleet (processes), ledger (session starts), upstream (Discord's word), commandsync, verbs (control socket),
 * pages (HTTP), report (what people see). */
#ifndef SHOAL_SUPERVISOR_SUPERVISOR_H
#define SHOAL_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/config/config.h"
#include "shared/control/control.h"
#include "shared/control/exit_code.h"
#include "shared/discord/rest.h"
#include "shared/loop/loop.h"
#include "supervisor/alerts.h"
#include "supervisor/command_guilds.h"
#include "supervisor/commandsync.h"
#include "supervisor/fleet.h"
#include "supervisor/http.h"
#include "supervisor/ledger.h"
#include "supervisor/letter_jobs.h"
#include "supervisor/manifest.h"
#include "supervisor/modules.h"
#include "supervisor/notify.h"
#include "supervisor/plan.h"
#include "supervisor/reexec.h"
#include "supervisor/restart_job.h"
#include "supervisor/service.h"
#include "supervisor/upstream.h"

enum supervisor_phase {
	PHASE_ASKING,   /* Discord and the worker program are being asked what is to run */
	PHASE_RUNNING,  /* the fleet's plan is made */
	PHASE_STOPPING, /* workers are asked to end */
	PHASE_CLOSING,  /* our own handles are closed */
	PHASE_COUNT,
};

struct supervisor {
	struct loop *loop;
	const struct config *config;
	const char *host;
	const char *worker_path;
	char **worker_env;
	enum supervisor_phase phase;
	int exit_code;
	bool hurried;
	bool was_ready; /* every shard was ready at the last look */
	bool dirty;     /* something that STATUS shows has changed */
	bool was_exhausted;
	bool socket_lost;   /* the control socket was deleted and could not be made anew */
	bool expect_record; /* there are traces of an earlier run, so the ledger's record should be there */
	uint32_t ticks;
	uint64_t started_ns;
	char why[REST_TEXT_SIZE + 96]; /* what the start waits for, or why we stop; for status and healthz */

	struct board_host *board;
	struct control_server *control;
	struct http_server *http;
	struct rest *rest;
	struct upstream *upstream;
	struct manifest_run *manifest_run;
	struct manifest manifest;
	bool have_manifest;
	struct commandsync *commands;
	struct command_guilds command_guilds;
	struct ledger *ledger;
	struct plan_found found; /* in the runtime directory, at our start */
	struct plan plan;        /* shard_count 0: not made yet */
	uint64_t asked_ns;       /* when the last answered GET /gateway/bot was sent, boottime */
	char refresh_why[256];   /* why the one after it came to nothing; "" when it did not */
	uint32_t intents;
	bool have_intents;
	struct fleet *fleet;
	struct restart_jobs jobs;
	struct letter_jobs letters;
	struct notify notify;
	struct service_question *job_question; /* SIGTERM: which job of systemd's is it? */
	struct alerts alerts;
	struct reexec *reexec;
	struct control_peer *reload_peer; /* whose `reload` is under way; NULL: a signal's, or none */
	int64_t reload_id;
	struct control_peer *plan_peer; /* whose `plan upgrade` waits for the program's word */
	int64_t plan_id;
	struct modules_order modules; /* whose `module …` waits for the manifest */
	bool hangup;                  /* SIGHUP came while another reload was being asked */
	uv_signal_t signals[3];
	uint32_t signal_count; /* of which are set up */
	bool have_timer;
	struct timer ledger_timer;
	struct loop_hook pass, tick;
	uint32_t closing; /* parts that are not closed yet */

	/* The peers whose `stop` waits for the end. */
	struct control_peer *stop_peer;
	int64_t stop_id;
	struct buf metrics_page; /* what `shoalctl metrics` reads in slices */
	uint64_t metrics_serial;
};

struct supervisor_options {
	const char *worker_path;
	const char *host;
	char **worker_env; /* NULL-terminated; borrowed */
	struct reexec *reexec;
	const struct reexec_legacy *legacy;
};

/* Takes the host's lock, opens the control socket and the HTTP port, asks Discord. Everything named in @options and
 * @config must outlive it. On failure the cause was logged and *ret_exit_code says how to end, after
 * supervisor_abandon() and a run of the loop. */
int supervisor_start(struct supervisor *supervisor, struct loop *loop, const struct config *config,
		     const struct supervisor_options *options, enum exit_code *ret_exit_code);

/* What the next image of this process is to know: how long it runs, and its alerts. New reference; NULL: no memory. */
json_t *supervisor_kept(const struct supervisor *supervisor);

/* Orderly stop; the loop ends when all is closed. A second call hurries. @logout: sessions end, the bot goes offline.
 */
void supervisor_stop(struct supervisor *supervisor, int exit_code, bool logout);
/* Ends with exit code 0 and leaves the workers running: the next supervisor adopts them. */
void supervisor_leave(struct supervisor *supervisor);
/* New configuration, or with @path ("" or NULL: our own) a new binary: asked first, then executed in place. @peer's
 * request @id is told (NULL: nobody is). -EBUSY, -errno: nothing was begun. */
int supervisor_reload(struct supervisor *supervisor, const char *path, struct control_peer *peer, int64_t id);
/* Closes what supervisor_start() had opened before it failed. */
void supervisor_abandon(struct supervisor *supervisor);
/* After the loop has ended. */
void supervisor_finish(struct supervisor *supervisor);

const char *supervisor_phase_name(enum supervisor_phase phase);
/* The object a worker gets at its hello. New reference. */
json_t *supervisor_secrets(const struct supervisor *supervisor, const struct worker *worker);
/* Whether a hello of @worker can be answered: the plan is known, or it has a session and needs nothing from us. */
bool supervisor_can_greet(const struct supervisor *supervisor, const struct worker *worker);
/* Runs the ledger now and sets its timer. */
void supervisor_run_ledger(struct supervisor *supervisor);

#endif
