/* The queue of statements and the few connections that they go over. Run by the loop. Must not block, log a value, or
 * let one statement's trouble become another's.
 *
 * db_query() only queues; a timer of 0 ms pumps once a loop turn, so a turn's statements leave together and no callback
 * ever runs inside db_query(). What waits is bounded in number and in bytes. */
#include "shared/db/db.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/db/db_link.h"
#include "shared/log/log.h"

#define CONNECTIONS_DEFAULT          2
#define CONNECTIONS_MAX              32
#define CONNECT_TIMEOUT_DEFAULT_MS   5000
#define STATEMENT_TIMEOUT_DEFAULT_MS 5000
#define IDLE_CLOSE_DEFAULT_S         60
#define QUEUE_MAX_DEFAULT            2048
#define QUEUE_BYTES_MAX              (16 * 1024 * 1024)

#define SPREAD_AT        16   /* so many under way on every connection: open another, if there may be one */
#define TRIES_MAX        3    /* of a statement that is known not to have begun, or changes nothing */
#define GRACE_MS         2000 /* beyond the server's own time-out, before the connection counts as silent */
#define BACKOFF_FLOOR_MS 250
#define BACKOFF_CAP_MS   10000
#define FAILURES_AWAY    2 /* one failed attempt may be a failover: its statements wait for the second */
#define LOG_EVERY_NS     (10 * NS_PER_S)

struct statement_book {
	struct db_statement_stats stats;
	uint64_t logged_ns, unlogged;
};

struct db {
	struct loop *loop;
	struct db_events events;
	void *arg;
	struct conninfo *conninfo; /* NULL: off */
	char *application_name;
	struct db_link_config config;
	uint64_t idle_close_ns;
	size_t queue_max;
	const struct statement *statements;
	struct statement_book *books;

	struct db_link *links[CONNECTIONS_MAX];
	size_t link_max;
	struct db_job *first, *last; /* not sent yet */
	size_t queued, bytes;        /* bytes: of all accepted and not over */

	struct db_link *demoted; /* said that it may not write */
	struct timer pump, retry;
	struct loop_hook tick;
	size_t failures; /* attempts in a row without an answered statement between */
	bool away, closing;
	char reason[DB_REASON_SIZE + 128];
	char state_text[DB_REASON_SIZE + 160];
	struct db_stats stats;
	unsigned int handles; /* timers still to be closed */
	loop_fn closed;
	void *closed_arg;
};

static void on_pump(void *arg);
static void on_retry(void *arg);
static void on_tick(void *arg);

/* --- the queue ---------------------------------------------------------------------------------------------------- */

static void queue_push(struct db *db, struct db_job *job)
{
	job->next = NULL;
	if (db->last)
		db->last->next = job;
	else
		db->first = job;
	db->last = job;
	db->queued++;
}

static void queue_push_front(struct db *db, struct db_job *job)
{
	job->next = db->first;
	db->first = job;
	if (!db->last)
		db->last = job;
	db->queued++;
}

static struct db_job *queue_pop(struct db *db)
{
	struct db_job *job = db->first;

	if (!job)
		return NULL;
	db->first = job->next;
	if (!db->first)
		db->last = NULL;
	db->queued--;
	job->next = NULL;
	return job;
}

static size_t count_in_flight(const struct db *db)
{
	size_t count = 0;

	for (size_t i = 0; i < db->link_max; i++)
		if (db->links[i])
			count += db_link_in_flight(db->links[i]);
	return count;
}

static bool has_ready_link(const struct db *db)
{
	for (size_t i = 0; i < db->link_max; i++)
		if (db->links[i] && db_link_is_ready(db->links[i]))
			return true;
	return false;
}

static bool has_dialing_link(const struct db *db)
{
	for (size_t i = 0; i < db->link_max; i++)
		if (db->links[i] && !db_link_is_ready(db->links[i]) && !db_link_is_closed(db->links[i]))
			return true;
	return false;
}

static void kick(struct db *db)
{
	if (!db->closing && !timer_active(&db->pump))
		timer_start(&db->pump, 0);
}

/* --- the end of a statement --------------------------------------------------------------------------------------- */

/* What an operator can do about it; "" when the server's words say all. */
static const char *hint_for(int error)
{
	switch (error) {
	case -ENODATA:
		return "the schema is not there, or older than this program: run `shoalctl migrate up`";
	case -EACCES:
		return "the role of postgres.conninfo lacks a right on schema shoal";
	default:
		return "";
	}
}

static void log_failure(struct db *db, const struct db_job *job, int error)
{
	struct statement_book *book = &db->books[job->index];
	uint64_t now = clock_monotonic_ns();

	book->unlogged++;
	if (book->logged_ns && now - book->logged_ns < LOG_EVERY_NS)
		return;
	log_warn(NULL, "db.statement_failed", KV_STR("statement", job->statement->name),
		 KV_STR("sqlstate", job->sqlstate), KV_U64("times", book->unlogged), KV_ERR(error),
		 KV_MSG(job->said[0] ? job->said : "a statement failed"), KV_STR("hint", hint_for(error)));
	book->logged_ns = now;
	book->unlogged = 0;
}

/* Its one callback and its numbers; takes the job. */
static void finish_job(struct db *db, struct db_job *job, int error)
{
	struct db_statement_stats *stats = &db->books[job->index].stats;
	struct db_result result = { .pg = job->result, .statement = job->statement };
	uint64_t took_us = (clock_monotonic_ns() - job->started_ns) / NS_PER_US;
	db_result_fn fn = TAKE(job->fn);

	memcpy(result.sqlstate, job->sqlstate, sizeof(result.sqlstate));
	db->bytes -= job->bytes;
	if (fn) {
		if (error == 0) {
			stats->done++;
			stats->total_us += took_us;
			stats->max_us = took_us > stats->max_us ? took_us : stats->max_us;
		} else if (error == -SHOAL_EUNKNOWN) {
			stats->unknown++;
		} else if (error != -ECANCELED) {
			stats->failed++;
		}
		fn(job->arg, error, job->result || job->sqlstate[0] ? &result : NULL);
	}
	db_job_free(job);
}

/* Its waiter is told now; the job stays on its connection until the answer comes, which nobody hears. */
static void abandon_job(struct db *db, struct db_job *job)
{
	bool read_only = job->statement->flags & STATEMENT_READ_ONLY;
	db_result_fn fn = TAKE(job->fn);

	if (!fn)
		return;
	if (read_only)
		db->books[job->index].stats.failed++;
	else
		db->books[job->index].stats.unknown++;
	fn(job->arg, read_only ? -ETIMEDOUT : -SHOAL_EUNKNOWN, NULL);
}

static int check_columns(const struct db_job *job)
{
	size_t count = statement_column_count(job->statement);

	if (!job->result || (size_t)PQnfields(job->result) != count)
		return -EPROTO;
	for (size_t i = 0; i < count; i++)
		if (PQftype(job->result, (int)i) != db_type_oid(job->statement->columns[i]))
			return -EPROTO;
	return 0;
}

static void on_link_done(void *arg, struct db_link *link, struct db_job *job)
{
	struct db *db = arg;
	int error = 0;

	db->failures = 0; /* it stayed up long enough to answer */
	kick(db);         /* there is room again */
	if (job->failed) {
		if (db_error_never_began(job->sqlstate) && !job->plain && job->tries < TRIES_MAX) {
			PQclear(TAKE(job->result));
			job->plain = true;
			db->books[job->index].stats.repeated++;
			queue_push_front(db, job);
			return;
		}
		error = db_error_of_sqlstate(job->sqlstate);
		if (job->fn)
			log_failure(db, job, error);
		/* A standby now: this connection is of no use for writing; the next one looks for the primary. */
		if (strcmp(job->sqlstate, "25006") == 0)
			db->demoted = link;
	} else {
		error = check_columns(job);
		if (error < 0)
			log_error(NULL, "db.wrong_columns", KV_STR("statement", job->statement->name),
				  KV_MSG("the database's columns are not those of this program: run shoalctl migrate"));
	}
	finish_job(db, job, error);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static uint64_t backoff_ms(size_t failures)
{
	uint64_t base = BACKOFF_FLOOR_MS;

	while (failures-- > 1 && base < BACKOFF_CAP_MS)
		base *= 2;
	base = base < BACKOFF_CAP_MS ? base : BACKOFF_CAP_MS;
	return base / 2 + random_below(base);
}

/* No statement can be served: says so once a reason, and gives back what waits. */
static void go_away(struct db *db, int error, const char *reason)
{
	bool news = !db->away || strcmp(db->reason, reason) != 0;
	struct db_job *job;

	db->away = true;
	snprintf(db->reason, sizeof(db->reason), "%s", reason);
	if (news) {
		log_warn(
			NULL, "db.down", KV_STR("reason", db->reason), KV_ERR(error),
			KV_MSG("PostgreSQL is away: guilds' settings can't be changed, and defaults stand in for them, "
			       "until it is back (postgres.conninfo)"));
		if (db->events.down)
			db->events.down(db->arg, error, db->reason);
	}
	while ((job = queue_pop(db)))
		finish_job(db, job, -SHOAL_EOFFLINE);
}

static void retry_later(struct db *db)
{
	if (!db->closing)
		timer_start(&db->retry, backoff_ms(db->failures));
}

static void on_link_failed(void *arg, struct db_link *link, const struct db_refusal *refusal, const char *reason)
{
	struct db *db = arg;
	char text[sizeof(db->reason)];

	(void)link;
	db->failures++;
	db->stats.connect_failures++;
	snprintf(text, sizeof(text), "%s%s%s", reason, refusal->hint[0] ? "; " : "", refusal->hint);
	retry_later(db);
	if (has_ready_link(db))
		log_warn(NULL, "db.no_more_connections", KV_ERR(refusal->error), KV_MSG(text));
	else if (refusal->for_good || db->failures >= FAILURES_AWAY)
		go_away(db, refusal->error, text);
}

static void on_link_ready(void *arg, struct db_link *link)
{
	struct db *db = arg;

	(void)link;
	db->stats.connects++;
	kick(db);
	if (!db->away && db->stats.connects > 1)
		return;
	db->away = false;
	log_info(NULL, "db.up", KV_STR("places", conninfo_places(db->conninfo)));
	if (db->events.up)
		db->events.up(db->arg);
}

/* Whether a statement that was under way on a broken connection may simply be sent again. */
static bool may_repeat(const struct db *db, const struct db_job *job)
{
	return !db->closing && job->fn && !job->failed && (job->statement->flags & STATEMENT_READ_ONLY) &&
	       job->tries < TRIES_MAX;
}

/* What the server had said of it before the connection broke still holds; silence means: not known. */
static int error_of_lost(const struct db *db, const struct db_job *job)
{
	if (db->closing)
		return -ECANCELED;
	if (job->failed)
		return db_error_of_sqlstate(job->sqlstate);
	return job->statement->flags & STATEMENT_READ_ONLY ? -SHOAL_EOFFLINE : -SHOAL_EUNKNOWN;
}

static void on_link_lost(void *arg, struct db_link *link, const char *reason, struct db_job *jobs)
{
	struct db *db = arg;
	struct db_job *job, *ended = NULL, **ended_last = &ended, *again = NULL;
	size_t count = 0;

	if (db->demoted == link)
		db->demoted = NULL;
	db->failures++;
	db->stats.disconnects++;
	for (; (job = jobs); count++) {
		jobs = job->next;
		if (may_repeat(db, job)) {
			job->next = again;
			again = job;
		} else {
			job->next = NULL;
			*ended_last = job;
			ended_last = &job->next;
		}
	}
	log_warn(NULL, "db.connection_lost", KV_U64("statements_under_way", count), KV_MSG(reason));
	while ((job = again)) { /* youngest first, so that the oldest ends up in front */
		again = job->next;
		PQclear(TAKE(job->result));
		db->books[job->index].stats.repeated++;
		queue_push_front(db, job);
	}
	if (db->failures > 1)
		retry_later(db);
	if (db->failures > FAILURES_AWAY && !has_ready_link(db))
		go_away(db, -SHOAL_EOFFLINE, reason);
	while ((job = ended)) {
		ended = job->next;
		finish_job(db, job, error_of_lost(db, job));
	}
	if (db->first)
		kick(db);
}

static const struct db_link_events link_events = {
	.ready = on_link_ready,
	.failed = on_link_failed,
	.lost = on_link_lost,
	.done = on_link_done,
};

/* Opens a closed connection, or a new one where there may be one more. */
static void open_one(struct db *db)
{
	size_t slot = 0;
	int r = 0;

	if (timer_active(&db->retry) || has_dialing_link(db))
		return;
	while (slot < db->link_max && db->links[slot] && !db_link_is_closed(db->links[slot]))
		slot++;
	if (slot == db->link_max)
		return;
	if (!db->links[slot])
		r = db_link_new(&db->config, &link_events, db, &db->links[slot]);
	if (r == 0)
		r = db_link_open(db->links[slot]);
	if (r < 0) {
		db->failures++;
		retry_later(db);
	}
}

/* The ready connection with the least under way, or NULL. */
static struct db_link *best_link(const struct db *db)
{
	struct db_link *best = NULL;

	for (size_t i = 0; i < db->link_max; i++) {
		struct db_link *link = db->links[i];

		if (link && db_link_is_ready(link) && link != db->demoted &&
		    (!best || db_link_in_flight(link) < db_link_in_flight(best)))
			best = link;
	}
	return best;
}

static void on_pump(void *arg)
{
	struct db *db = arg;
	struct db_link *link;

	if (db->demoted && db_link_is_ready(db->demoted))
		db_link_break(db->demoted, "the server has become a standby");
	while (!db->closing && db->first) {
		link = best_link(db);
		if (!link || db_link_in_flight(link) >= DB_LINK_DEPTH)
			break;
		db_link_send(link, queue_pop(db));
	}
	for (size_t i = 0; i < db->link_max; i++)
		if (db->links[i])
			db_link_check(db->links[i]);
	if (db->closing)
		return;
	link = best_link(db);
	if (link ? db_link_in_flight(link) >= SPREAD_AT : db->first != NULL)
		open_one(db);
}

static void on_retry(void *arg)
{
	struct db *db = arg;

	if (db->away || db->first)
		open_one(db);
}

/* --- the slow tick ------------------------------------------------------------------------------------------------ */

static void expire_queue(struct db *db, uint64_t now)
{
	uint64_t patience_ns = db->config.statement_timeout_ms * NS_PER_MS;

	while (db->first && now > db->first->started_ns && now - db->first->started_ns > patience_ns)
		finish_job(db, queue_pop(db), has_ready_link(db) ? -ETIMEDOUT : -SHOAL_EOFFLINE);
}

/* The first under way on @link that nobody should wait for any longer; NULL for none. */
static struct db_job *find_overdue(const struct db *db, const struct db_link *link, uint64_t now)
{
	uint64_t patience_ns = (2ULL * db->config.statement_timeout_ms + GRACE_MS) * NS_PER_MS;

	for (struct db_job *job = db_link_jobs(link); job; job = job->next)
		if (job->fn && now > job->started_ns && now - job->started_ns > patience_ns)
			return job;
	return NULL;
}

static void check_link(struct db *db, size_t slot, uint64_t now)
{
	uint64_t silence_ns = ((uint64_t)db->config.statement_timeout_ms + GRACE_MS) * NS_PER_MS;
	struct db_job *job;
	char text[128];

	while (db->links[slot] && (job = find_overdue(db, db->links[slot], now)))
		abandon_job(db, job);
	if (!db->links[slot] || !db_link_is_ready(db->links[slot]) || now < db_link_moved_ns(db->links[slot]))
		return;
	if (db_link_in_flight(db->links[slot]) > 0) {
		if (now - db_link_moved_ns(db->links[slot]) > silence_ns) {
			snprintf(text, sizeof(text), "the server has not answered for %llu ms",
				 (unsigned long long)(silence_ns / NS_PER_MS));
			db_link_break(db->links[slot], text);
		}
	} else if (!db->first && now - db_link_moved_ns(db->links[slot]) >= db->idle_close_ns) {
		db_link_hang_up(db->links[slot]);
	}
}

static void on_tick(void *arg)
{
	struct db *db = arg;
	uint64_t now = clock_monotonic_ns();

	expire_queue(db, now);
	for (size_t i = 0; i < db->link_max && !db->closing; i++)
		check_link(db, i, now);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* Bytes that @param needs as text, NUL included; -EINVAL when it can't be one. */
static int param_size(const struct db_param *param)
{
	if (param->null)
		return 0;
	switch (param->type) {
	case DB_TYPE_INT8:
	case DB_TYPE_DOUBLE:
		return 32;
	case DB_TYPE_BOOL:
		return 2;
	case DB_TYPE_TEXT:
	case DB_TYPE_JSONB:
		if (param->value.text.len > DB_PARAM_BYTES_MAX)
			return -EMSGSIZE;
		if (param->value.text.len > 0 && memchr(param->value.text.bytes, '\0', param->value.text.len))
			return -EINVAL; /* PostgreSQL's text has no NUL; what stands behind it would be lost */
		return (int)param->value.text.len + 1;
	default:
		return -EINVAL;
	}
}

static void param_write(const struct db_param *param, char *at)
{
	double d = param->value.d;

	switch (param->type) {
	case DB_TYPE_INT8:
		snprintf(at, 32, "%" PRId64, param->value.i);
		break;
	case DB_TYPE_DOUBLE:
		if (isnan(d) || isinf(d))
			snprintf(at, 32, "%s", isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
		else
			snprintf(at, 32, "%.17g", d);
		break;
	case DB_TYPE_BOOL:
		snprintf(at, 2, "%c", param->value.b ? 't' : 'f');
		break;
	default:
		if (param->value.text.len)
			memcpy(at, param->value.text.bytes, param->value.text.len);
		at[param->value.text.len] = '\0';
	}
}

static int job_new(const struct statement *statement, const struct db_param *params, size_t count,
		   struct db_job **ret_job)
{
	int sizes[STATEMENT_PARAMS_MAX];
	size_t total = 0;
	struct db_job *job;
	char *at;

	if (count != statement_param_count(statement))
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (params[i].type != statement->params[i])
			return -EINVAL;
		sizes[i] = param_size(&params[i]);
		if (sizes[i] < 0)
			return sizes[i];
		total += (size_t)sizes[i];
	}
	if (total > DB_PARAM_BYTES_MAX)
		return -EMSGSIZE;
	job = calloc(1, sizeof(*job) + total);
	if (!job)
		return -ENOMEM;
	job->statement = statement;
	job->bytes = sizeof(*job) + total;
	at = (char *)(job + 1);
	for (size_t i = 0; i < count; i++) {
		if (params[i].null)
			continue;
		param_write(&params[i], at);
		job->values[i] = at;
		at += sizes[i];
	}
	*ret_job = job;
	return 0;
}

int db_query(struct db *db, size_t statement, const struct db_param *params, size_t param_count, db_result_fn fn,
	     void *arg)
{
	struct db_job *job;
	int r;

	if (!db || !db->conninfo || db->closing || db->away)
		return -SHOAL_EOFFLINE;
	if (statement >= db->config.statement_count)
		return -EINVAL;
	if (db->queued + count_in_flight(db) >= db->queue_max) {
		db->stats.refused++;
		return -ENOBUFS;
	}
	r = job_new(&db->statements[statement], params, param_count, &job);
	if (r < 0)
		return r;
	if (db->bytes + job->bytes > QUEUE_BYTES_MAX) {
		db_job_free(job);
		db->stats.refused++;
		return -ENOBUFS;
	}
	job->index = statement;
	job->fn = fn;
	job->arg = arg;
	job->started_ns = clock_monotonic_ns();
	db->bytes += job->bytes;
	queue_push(db, job);
	kick(db);
	return 0;
}

/* --- looking at it ------------------------------------------------------------------------------------------------ */

bool db_is_on(const struct db *db)
{
	return db && db->conninfo;
}

bool db_is_away(const struct db *db)
{
	return db && db->away;
}

const char *db_state_text(const struct db *db)
{
	struct db *writable = (struct db *)db; /* only its own scratch text */

	if (!db_is_on(db))
		return "off";
	if (db->away) {
		snprintf(writable->state_text, sizeof(writable->state_text), "away: %s", db->reason);
		return db->state_text;
	}
	if (has_ready_link(db))
		return "up";
	return has_dialing_link(db) ? "connecting" : "idle";
}

void db_stats(const struct db *db, struct db_stats *ret_stats)
{
	*ret_stats = db->stats;
	ret_stats->queued = db->queued;
	ret_stats->in_flight = count_in_flight(db);
	ret_stats->links = 0;
	for (size_t i = 0; i < db->link_max; i++)
		ret_stats->links += db->links[i] && db_link_is_ready(db->links[i]);
}

void db_statement_stats(const struct db *db, size_t statement, struct db_statement_stats *ret_stats)
{
	if (statement < db->config.statement_count)
		*ret_stats = db->books[statement].stats;
	else
		*ret_stats = (struct db_statement_stats){ 0 };
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

static void db_free(struct db *db)
{
	conninfo_free(db->conninfo);
	free(db->application_name);
	free(db->books);
	free(db);
}

static int take_options(struct db *db, const struct db_options *options)
{
	char error[CONNINFO_TEXT_SIZE];
	int r;

	db->statements = options->statements ? options->statements : statement_rows;
	db->config = (struct db_link_config){
		.loop = db->loop,
		.prepared = options->prepared,
		.connect_timeout_ms = or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_DEFAULT_MS),
		.statement_timeout_ms = or_default(options->statement_timeout_ms, STATEMENT_TIMEOUT_DEFAULT_MS),
		.statement_count = options->statements ? options->statement_count : STATEMENT_COUNT,
	};
	db->link_max = or_default(options->connections, CONNECTIONS_DEFAULT);
	db->link_max = db->link_max > CONNECTIONS_MAX ? CONNECTIONS_MAX : db->link_max;
	db->queue_max = or_default(options->queue_max, QUEUE_MAX_DEFAULT);
	db->idle_close_ns = or_default(options->idle_close_s, IDLE_CLOSE_DEFAULT_S) * NS_PER_S;
	db->books = calloc(db->config.statement_count, sizeof(*db->books));
	db->application_name = strdup(options->application_name ? options->application_name : "shoal");
	if (!db->books || !db->application_name)
		return -ENOMEM;
	db->config.application_name = db->application_name;
	if (!options->conninfo || !options->conninfo[0])
		return 0;
	r = conninfo_parse(options->conninfo, &db->conninfo, error);
	if (r < 0)
		log_error(NULL, "db.bad_conninfo", KV_ERR(r), KV_MSG(error));
	db->config.conninfo = db->conninfo;
	return r;
}

int db_new(struct loop *loop, const struct db_options *options, const struct db_events *events, void *arg,
	   struct db **ret_db)
{
	struct db *db = calloc(1, sizeof(*db));
	int r;

	if (!db)
		return -ENOMEM;
	db->loop = loop;
	if (events)
		db->events = *events;
	db->arg = arg;
	r = take_options(db, options);
	if (r < 0) {
		db_free(db);
		return r;
	}
	timer_init(&db->pump, loop, on_pump, db);
	timer_init(&db->retry, loop, on_retry, db);
	loop_at_tick(loop, &db->tick, on_tick, db);
	*ret_db = db;
	return 0;
}

static void on_timer_closed(void *arg)
{
	struct db *db = arg;

	if (--db->handles > 0)
		return;
	if (db->closed)
		db->closed(db->closed_arg);
	db_free(db);
}

void db_close(struct db *db, loop_fn closed, void *arg)
{
	struct db_job *job, *jobs;

	if (!db || db->closing)
		return;
	db->closing = true;
	db->closed = closed;
	db->closed_arg = arg;
	loop_remove_hook(&db->tick);
	for (size_t i = 0; i < db->link_max; i++) {
		jobs = db_link_free(TAKE(db->links[i]));
		while ((job = jobs)) {
			jobs = job->next;
			finish_job(db, job, -ECANCELED);
		}
	}
	while ((job = queue_pop(db)))
		finish_job(db, job, -ECANCELED);
	db->handles = 2;
	timer_close(&db->pump, on_timer_closed);
	timer_close(&db->retry, on_timer_closed);
}
