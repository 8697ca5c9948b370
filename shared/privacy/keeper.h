/* The scheduled work of keeping no more than one should: what is too old goes (keeper_sweep(): a job of the whole fleet
 * begins it, in one worker at a time), what is kept of guilds that the bot left goes when it is due (each shard its own
 * guilds), and each worker empties its own files of members who asked to be forgotten. A few rows a statement, a pause
 * between two, a bounded number a run. Loop thread only. */
#ifndef SHOAL_SHARED_PRIVACY_KEEPER_H
#define SHOAL_SHARED_PRIVACY_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/db/db.h"
#include "shared/loop/loop.h"

#define KEEPER_BATCH       200  /* rows a statement */
#define KEEPER_BATCHES_MAX 2000 /* a run; what is left waits for the next */
#define KEEPER_LOOK_S      60   /* at least this often: guilds due, members to forget */

/* Whether a guild is there now. */
enum keeper_guild { KEEPER_GUILD_GONE, KEEPER_GUILD_THERE, KEEPER_GUILD_UNKNOWN };

struct keeper_options {
	struct loop *loop;
	struct db *db;
	uint32_t shard_id, shard_count;
	uint32_t look_s;          /* how often guilds and members are looked at, if oftener than KEEPER_LOOK_S */
	uint32_t history_days;    /* privacy.history_days */
	uint32_t guild_keep_days; /* privacy.guild_keep_days */
	enum keeper_guild (*guild)(void *arg, uint64_t guild_id);
	/* A guild's rows are gone. NULL: nobody asks. */
	void (*removed)(void *arg, uint64_t guild_id);
	/* This worker's own files: outbox, parked events, dead letters, recordings. May be told twice. */
	void (*forget)(void *arg, uint64_t user_id);
	/* The last request that was carried out, from the worker before (what is newer than a request must not go with
	 * it); -1: none is known, so there are no files from before the newest one. @forgot: it is @id now. */
	int64_t forgotten_id;
	void (*forgot)(void *arg, int64_t id);
	void *arg;
};

struct keeper;

/* Copies @options, keeps what they point to. */
int keeper_new(const struct keeper_options *options, struct keeper **ret_keeper);
struct keeper_sweep {
	/* Asked before each of its statements; false: it ends here, with -ECANCELED. */
	bool (*may_act)(void *arg);
	/* Once, unless it was stopped: 0, or why it went no further. Perhaps from within the keeper's tick, never from
	 * keeper_sweep(). */
	void (*done)(void *arg, int error);
	void *arg;
};
/* Removes what is too old from all tables, a batch a tick. Copies @sweep. -EBUSY: one is under way; -ECANCELED:
 * closing.
 */
int keeper_sweep(struct keeper *keeper, const struct keeper_sweep *sweep);
/* The one under way, if any, goes no further; its done() is not called. */
void keeper_sweep_stop(struct keeper *keeper);

/* Before db_close(). */
void keeper_closing(struct keeper *keeper);
/* After db_close(). NULL in, NULL out. */
struct keeper *keeper_free(struct keeper *keeper);

/* The bot was removed from a guild (not an outage). */
void keeper_guild_gone(struct keeper *keeper, uint64_t guild_id);
/* It is there again. */
void keeper_guild_back(struct keeper *keeper, uint64_t guild_id);
/* Somebody asked to be forgotten: do not wait for the next look. */
void keeper_wake(struct keeper *keeper);

struct keeper_stats {
	uint64_t runs, swept, batches, guilds_removed, guilds_back, forgotten, failures;
	bool running;
};
void keeper_stats(const struct keeper *keeper, struct keeper_stats *ret_stats);

#endif
