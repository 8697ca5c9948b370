/* One shard's worker: puts the rooms together, from the supervisor's first word to the orderly end. Loop thread only.
 */
#ifndef SHOAL_SHARD_WORKER_H
#define SHOAL_SHARD_WORKER_H

#include "shard/alerts.h"
#include "shard/cache/cache.h"
#include "shard/cache/fill.h"
#include "shard/commands/commands.h"
#include "shard/db_gauges.h"
#include "shard/events/dispatch.h"
#include "shard/events/effects.h"
#include "shard/events/pipeline.h"
#include "shard/gateway/session.h"
#include "shard/modhost/modhost.h"
#include "shard/modhost/switches.h"
#include "shard/preload.h"
#include "shard/schedule/schedule.h"
#include "shared/board/board.h"
#include "shared/bus/bus.h"
#include "shared/config/config.h"
#include "shared/control/control.h"
#include "shared/db/db.h"
#include "shared/db/outbox.h"
#include "shared/discord/rest.h"
#include "shared/loop/loop.h"
#include "shared/privacy/keeper.h"
#include "shared/settings/settings.h"

struct worker_options {
	uint32_t shard_id, generation;
	const char *runtime_dir;
};

enum worker_phase {
	WORKER_WAITING, /* for the supervisor's hello */
	WORKER_RUNNING,
	WORKER_DRAINING, /* the session is closed; answers under way may still get through */
	WORKER_CLOSING,
};

#define WORKER_RATE_TICKS 40 /* events/s is measured over 10 s */

#define WORKER_OPERATORS_MAX 50

struct worker {
	struct worker_options options;
	struct loop loop;
	struct loop_hook tick, pass_end;
	uv_signal_t sigterm, sigint;
	enum worker_phase phase;
	struct board_exit how; /* how it will end */

	struct board_shard *board;
	struct board_host *host;
	_Atomic uint64_t *counters;
	struct control_link *control;
	struct shard_alerts alerts;

	struct config *config; /* NULL until the hello */
	uint32_t shard_count;
	struct cache *cache;
	struct fill *fill;
	struct rest *rest;
	struct effects *effects;
	struct bus *bus;
	struct db *db;
	struct db_gauges *db_gauges;
	struct schemas *schemas;
	struct settings *settings;
	struct keeper *keeper; /* NULL without a database */
	struct outbox *outbox; /* NULL without a database */
	struct settings_stats settings_seen;
	struct keeper_stats keeper_seen;
	struct outbox_stats outbox_seen; /* at the last tick */
	struct commands commands;
	char tally_path[512];                     /* of the commands' counters; "": too long */
	uint64_t operators[WORKER_OPERATORS_MAX]; /* discord.operators */
	struct modhost *modhost;
	struct switches *switches;
	struct preload *preload;
	struct schedule *schedule; /* NULL without a database */
	struct dispatch_row rows[SHOAL_EVENT_COUNT];
	struct dispatch dispatch;
	struct pipeline *pipeline;
	bool cache_failed;   /* the last worker died of its cache's file */
	bool letters_failed; /* … of a file of parked events */
	bool outbox_failed;  /* … of the outbox's */
	bool journal_failed; /* … of the effect journal's */
	char crash_report[LETTER_BACKTRACE_MAX];
	bool crashed;                              /* the last worker of this shard died of its own making */
	struct board_culprit culprit;              /* and in this module's code; module 0: in nobody's */
	char culprit_name[BOARD_MODULE_NAME_SIZE]; /* of its module; "": none */
	struct session *session;

	uint64_t cache_retry_ns;  /* when one that is away is tried again */
	uint64_t cache_warned_ns; /* that a guild can't be kept is logged once in ten seconds */
	uint64_t guilds_moved_ns; /* last GUILD_CREATE or _DELETE */
	uint64_t drain_deadline_ns;
	uint64_t events_at[WORKER_RATE_TICKS];
	uint64_t tick_count;
	bool board_lost;  /* deleted, and can't be put back: told once */
	uint32_t closing; /* parts whose closed() is still to come */
};

/* Runs the worker from lock to end; returns its exit code. */
int worker_run(const struct worker_options *options);

/* Ends the worker: the session is closed as @how says, what is being answered may get through for a moment, then all
 * parts go. The first reason counts: @code is the exit code, @text what the board says of it. */
void worker_stop(struct worker *worker, enum session_stop how, enum exit_code code, uint16_t close_code,
		 const char *text);

/* The session is closed, or could not be kept: what is under way may still get through. */
void worker_session_stopped(struct worker *worker);

/* A journal whose rows were lost is doubted until every event that a worker had begun before is handled. */
void worker_trust_journal(struct worker *worker);

/* The guild list changed: the countdown to ready goes on. */
void worker_guilds_moved(struct worker *worker);

#endif
