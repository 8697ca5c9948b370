/* SPDX-License-Identifier: MIT */
/* Jobs: things to do at a time, once or again and again. They are kept in PostgreSQL, begun by one shard of the whole
 * fleet at a time, and handled like events: each run has a scope, its effects happen once though a worker dies in the
 * middle of it, and a run counts as done when the last call of its scope is through. What is scheduled while PostgreSQL
 * is away is kept on the machine's disk, and begun in time all the same.
 *
 *	static void ring(struct shoal_scope *scope, const struct shoal_job_run *run) { … }
 *
 *	static const struct shoal_job jobs[] = {
 *		{ .name = "ring", .handle = ring },                                  // scheduled by shoal_schedule()
 *		{ .name = "sweep", .repeat = "every 6h", .handle = sweep },          // by itself, once in the whole
 *fleet
 *	};
 *	SHOAL_MODULE(clock, .version = "1.0", SHOAL_JOBS(jobs));
 */
#ifndef SHOAL_JOB_H
#define SHOAL_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/api.h>
#include <shoal/scope.h>

#define SHOAL_JOB_NAME_MAX    31
#define SHOAL_JOB_PAYLOAD_MAX 4096 /* bytes */
#define SHOAL_JOB_LABEL_MAX   100  /* bytes */
#define SHOAL_JOB_REPEAT_MAX  100  /* bytes */
#define SHOAL_JOB_LIST_MAX    100  /* rows of one list */

/* What becomes of a run whose time was missed: the fleet was down, the module was switched off, the database was away.
 */
enum shoal_job_late {
	SHOAL_JOB_LATE_RUN,  /* it is done now; of a recurring job each missed run, one after the other */
	SHOAL_JOB_LATE_SKIP, /* it is left out, which the log says; a recurring job waits for its next time */
	SHOAL_JOB_LATE_ONCE, /* one run stands for all that were missed (@missed) */
	SHOAL_JOB_LATE_TELL, /* as ONCE, and @late is set: say to people that it is late */
};

/* One run; borrowed for the call. */
struct shoal_job_run {
	uint64_t id;                /* the job's */
	uint64_t number;            /* of the run: 0 is the first */
	uint64_t guild_id, user_id; /* as it was scheduled */
	uint64_t tag;
	int64_t due_ms; /* Unix: when it should have been begun; the same when it is begun again after a crash */
	uint64_t late_ms;
	uint32_t missed; /* earlier runs that this one stands for (LATE_ONCE, LATE_TELL) */
	bool late;       /* LATE_TELL: later than @late_after_s */
	bool repeats;    /* there will be another */
	/* What was given to shoal_schedule(), and under which version of the row. May be empty, never NULL, and a NUL
	 * stands behind it. */
	const void *payload;
	size_t payload_len;
	uint32_t version;
};

/* A kind of job. Static storage. */
struct shoal_job {
	const char *name; /* a-z, 0-9, '_'; stable: the database has it */
	uint32_t version; /* of its payload: what was scheduled under an earlier one still comes */
	/* Set: it runs by itself, once in the whole fleet at each time, for as long as the module is loaded. As in
	 * struct shoal_schedule. */
	const char *repeat;
	enum shoal_job_late late;
	uint32_t late_after_s; /* later than that is late; 0: 60 */
	uint32_t late_max_s;   /* later than that it is not begun at all, whatever @late says; 0: no limit */
	uint32_t spread_s;     /* runs of different servers that are due at the same time are spread over so long */
	/* What it goes on to do belongs to @scope. A second handling after a crash must begin the same effects in the
	 * same order: go by @run, not by the clock. */
	void (*handle)(struct shoal_scope *scope, const struct shoal_job_run *run);
};

struct shoal_schedule {
	const char *job; /* one of your rows */
	/* Whose it is: the server's; or, in direct messages, the user's (guild_id 0); both 0: the whole fleet's.
	 * @user_id is the member who asked, if any: it is theirs to list, to export and to have forgotten. */
	uint64_t guild_id, user_id;
	/* Not 0: a number of your own (a message's id, say) that is unique among this row's jobs of the guild:
	 * scheduled a second time, nothing changes; shoal_job_cancel() takes it in place of the id. */
	uint64_t tag;
	int64_t at_ms; /* Unix; what is past is due now. 0 with @repeat: its first time */
	/* NULL: once. "every 90s|15m|6h|2d1h", or the five fields of cron (minute hour day-of-month month day-of-week;
	 * lists, ranges, steps, names of months and days, and @hourly @daily @weekly @monthly @yearly), UTC or in the
	 * time zone that follows: "0 9 * * mon-fri Europe/Rome". What a change of summer time leaves out is run at the
	 * first moment after it; what it repeats is run once. */
	const char *repeat;
	const char *label; /* a few words for lists; or NULL */
	const void *payload;
	size_t payload_len;
};

/* Borrowed for the callback. */
struct shoal_scheduled {
	int error; /* 0; -ENOSPC: neither database nor disk has room; -SHOAL_EOFFLINE: there is no database;
		    * -ENOENT (cancel): there is no such job; -ECANCELED: the scope has ended; … */
	uint64_t id;
	int64_t due_ms; /* the first time */
	bool kept;      /* on this machine's disk, until the database is back */
};
typedef void (*shoal_scheduled_fn)(void *arg, const struct shoal_scheduled *result);

/* Exactly once for an event, also when that is handled again after a crash: begin them in the same order each time. @fn
 * (may be NULL) is called once, never from within. Errors as in <shoal/effects.h>; -EINVAL: no such row, a repeat that
 * can't be read or never comes, a time more than ten years ahead; -E2BIG. */
static inline int shoal_schedule(struct shoal_scope *scope, const struct shoal_schedule *request, shoal_scheduled_fn fn,
				 void *arg)
{
	return shoal_api_table->job_schedule(scope, request, fn, arg);
}

struct shoal_job_ref {
	const char *job;
	uint64_t guild_id, user_id; /* as it was scheduled; with a guild, user 0 is anybody's */
	uint64_t id;                /* 0: by @tag */
	uint64_t tag;
};
/* It does not run any more; a run under way goes on to its end. */
static inline int shoal_job_cancel(struct shoal_scope *scope, const struct shoal_job_ref *ref, shoal_scheduled_fn fn,
				   void *arg)
{
	return shoal_api_table->job_cancel(scope, ref, fn, arg);
}

/* One that waits. */
struct shoal_job_item {
	uint64_t id, tag, guild_id, user_id;
	int64_t due_ms, created_ms;
	const char *label;  /* "" */
	const char *repeat; /* "": once */
	const void *payload;
	size_t payload_len;
	uint32_t version;
};
/* @items: in the order of their times, borrowed for the callback. @complete false: the database is away, and these are
 * only the ones that this shard knows of. */
typedef void (*shoal_jobs_fn)(void *arg, int error, const struct shoal_job_item *items, size_t count, bool complete);

struct shoal_job_query {
	const char *job;
	uint64_t guild_id, user_id; /* user 0: everybody's in that guild */
	size_t limit;               /* 0: SHOAL_JOB_LIST_MAX */
};
/* @fn is called once, never from within. */
static inline int shoal_job_list(struct shoal_scope *scope, const struct shoal_job_query *query, shoal_jobs_fn fn,
				 void *arg)
{
	return shoal_api_table->job_list(scope, query, fn, arg);
}

/* Within a run, of its scope: the job is not over, it is due again at @at_ms (the next run has the next number). For a
 * recurring job that comes between. -EINVAL: not a run's scope. */
static inline int shoal_job_again(struct shoal_scope *scope, int64_t at_ms)
{
	return shoal_api_table->job_again(scope, at_ms);
}

/* --- times as people write them --------------------------------------------------------------------------------------
 */

#define SHOAL_ZONE_MAX 63

/* A moment in a place's own time. */
struct shoal_local {
	int32_t year, month, day; /* 1 … */
	int32_t hour, minute, second;
	int32_t weekday;  /* 0: Sunday */
	int32_t offset_s; /* east of UTC */
};

struct shoal_when {
	int64_t at_ms;
	size_t used; /* bytes of the text that spoke of it, with the blanks behind */
};

/* "UTC", "+02:00", "UTC-3:30", or a name of the time zone database ("Europe/Rome"). */
static inline bool shoal_zone_known(const char *zone)
{
	return shoal_api_table->zone_known(zone);
}

/* -EINVAL: no such zone. */
static inline int shoal_zone_local(const char *zone, int64_t at_ms, struct shoal_local *ret_local)
{
	return shoal_api_table->zone_local(zone, at_ms, ret_local);
}

/* Reads a time at the beginning of @text, by the clock of @zone: "in 2h30m", "90 minutes", "tomorrow 9:00", "monday at
 * 18:30", "at 7pm", "2027-03-01 08:00", "1.3.2027", "<t:1800000000:R>", "2027-03-01T08:00:00Z"; English, German,
 * Italian, Spanish. @now_ms: what "in" counts from (the event's time, so that it is the same again). -EINVAL: there is
 * none; -ERANGE: it is past, or more than ten years ahead. */
static inline int shoal_when_parse(const char *text, const char *zone, int64_t now_ms, struct shoal_when *ret_when)
{
	return shoal_api_table->when_parse(text, zone, now_ms, ret_when);
}

#endif
