/* The front: what a program asks of its database. Run by the loop. Keeps the statements, the bounds on what may wait,
 * and a pool of connections for each of the two places that a question may go to; the pools do the work. */
#include "shared/db/db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/db/db_pool.h"
#include "shared/db/schema.h"
#include "shared/db/statement_sets.h"
#include "shared/db/statements_core.h"
#include "shared/log/log.h"

#define CONNECTIONS_DEFAULT          2
#define CONNECT_TIMEOUT_DEFAULT_MS   5000
#define STATEMENT_TIMEOUT_DEFAULT_MS 5000
#define IDLE_CLOSE_DEFAULT_S         60
#define QUEUE_MAX_DEFAULT            2048
#define QUEUE_BYTES_MAX              (16 * 1024 * 1024)

struct db {
	struct db_events events;
	void *arg;
	struct db_books books;
	struct db_pool *main, *replica; /* NULL: off */
	char *application_name, *version;
	uint32_t statement_timeout_ms;
	size_t queue_max;
	size_t count, bytes; /* of all accepted and not over */
	uint64_t refused, fallbacks;
	bool closing;
	unsigned int handles; /* of what must be closed before it is freed */
	struct timer last;    /* so that even a database that is off closes from the loop */
	loop_fn closed;
	void *closed_arg;
};

/* --- the pools' news ---------------------------------------------------------------------------------------------- */

static void on_over(void *arg, struct db_job *job, int error)
{
	struct db *db = arg;

	db->count -= job->count;
	db->bytes -= job->bytes;
	db_job_tell(job, error);
	db_job_free(job);
}

static void on_up(void *arg, struct db_pool *pool)
{
	struct db *db = arg;

	if (pool == db->main && db->events.up)
		db->events.up(db->arg);
}

static void on_down(void *arg, struct db_pool *pool, int error, const char *reason)
{
	struct db *db = arg;

	if (pool != db->main) {
		log_warn(
			NULL, "db.replica_down", KV_STR("reason", reason), KV_ERR(error),
			KV_MSG("the read-only PostgreSQL is away: admins' questions go to the primary until it is back "
			       "(postgres.read_conninfo)"));
		return;
	}
	log_warn(NULL, "db.down", KV_STR("reason", reason), KV_ERR(error),
		 KV_MSG("PostgreSQL is away: what is changed is kept on this machine's disk, and defaults stand in for "
			"settings that are not known, until it is back (postgres.conninfo)"));
	if (db->events.down)
		db->events.down(db->arg, error, reason);
}

static bool on_divert(void *arg, struct db_job *job)
{
	struct db *db = arg;

	if (!job->replica || db->closing || db_pool_is_away(db->main))
		return false;
	job->replica = false;
	db->fallbacks++;
	db_pool_submit(db->main, job);
	return true;
}

static struct db_job *on_probe(void *arg)
{
	struct db *db = arg;
	struct db_job *job;

	if (!db->version || db_job_new(&db->books, &(struct db_call){ &core_statements[CORE_SCHEMA], NULL, 0 }, 1,
				       db->statement_timeout_ms, &job) < 0)
		return NULL;
	return job;
}

static int on_probed(void *arg, const struct db_job *job, int error, char *reason, size_t size)
{
	struct db *db = arg;

	return schema_judge(db->version, error, &job->slots[0].result, reason, size);
}

static const struct db_pool_events pool_events = {
	.over = on_over,
	.up = on_up,
	.down = on_down,
	.probe = on_probe,
	.probed = on_probed,
	.divert = on_divert,
};

/* --- asking ------------------------------------------------------------------------------------------------------- */

static int job_new(struct db *db, const struct db_call *calls, size_t count, void *arg, struct db_job **ret_job)
{
	struct db_job *job;
	int r;

	if (!db || !db->main || db->closing)
		return -SHOAL_EOFFLINE;
	if (db->count + count > db->queue_max) {
		db->refused++;
		return -ENOBUFS;
	}
	r = db_job_new(&db->books, calls, count, db->statement_timeout_ms, &job);
	if (r < 0)
		return r;
	if (db->bytes + job->bytes > QUEUE_BYTES_MAX) {
		db_job_free(job);
		db->refused++;
		return -ENOBUFS;
	}
	job->arg = arg;
	*ret_job = job;
	return 0;
}

static int submit(struct db *db, struct db_pool *pool, struct db_job *job)
{
	if (db_pool_is_away(pool)) {
		db_job_free(job);
		return -SHOAL_EOFFLINE;
	}
	db->count += job->count;
	db->bytes += job->bytes;
	db_pool_submit(pool, job);
	return 0;
}

int db_query(struct db *db, const struct statement *statement, const struct db_param *params, size_t param_count,
	     db_result_fn fn, void *arg)
{
	struct db_job *job;
	int r;

	r = job_new(db, &(struct db_call){ statement, params, param_count }, 1, arg, &job);
	if (r < 0)
		return r;
	job->fn = fn;
	return submit(db, db->main, job);
}

int db_query_replica(struct db *db, const struct statement *statement, const struct db_param *params,
		     size_t param_count, db_result_fn fn, void *arg)
{
	struct db_job *job;
	int r;

	r = job_new(db, &(struct db_call){ statement, params, param_count }, 1, arg, &job);
	if (r < 0)
		return r;
	if (!job->read_only) {
		db_job_free(job);
		return -EINVAL;
	}
	job->fn = fn;
	job->replica = db->replica && !db_pool_is_away(db->replica);
	db->fallbacks += db->replica && !job->replica;
	return submit(db, job->replica ? db->replica : db->main, job);
}

int db_transaction(struct db *db, const struct db_call *calls, size_t count, db_transaction_fn fn, void *arg)
{
	struct db_job *job;
	int r;

	r = job_new(db, calls, count, arg, &job);
	if (r < 0)
		return r;
	job->alone = true;
	job->together = fn;
	return submit(db, db->main, job);
}

/* --- looking at it ------------------------------------------------------------------------------------------------ */

bool db_is_on(const struct db *db)
{
	return db && db->main;
}

bool db_is_away(const struct db *db)
{
	return db_is_on(db) && db_pool_is_away(db->main);
}

const char *db_state_text(const struct db *db)
{
	return db_is_on(db) ? db_pool_state_text(db->main) : "off";
}

const char *db_replica_state_text(const struct db *db)
{
	return db && db->replica ? db_pool_state_text(db->replica) : "off";
}

static void add_statement(void *arg, const char *owner, const struct statement *statement,
			  const struct db_statement_stats *stats)
{
	struct db_stats *sum = arg;

	(void)owner;
	(void)statement;
	sum->done += stats->done;
	sum->failed += stats->failed;
	sum->unknown += stats->unknown;
	sum->repeated += stats->repeated;
}

void db_stats(const struct db *db, struct db_stats *ret_stats)
{
	*ret_stats = (struct db_stats){ .refused = db->refused, .fallbacks = db->fallbacks };
	if (db->main)
		db_pool_stats(db->main, ret_stats);
	if (db->replica)
		db_pool_stats(db->replica, ret_stats);
	db_books_each(&db->books, add_statement, ret_stats);
}

void db_statement_stats(const struct db *db, const struct statement *statement, struct db_statement_stats *ret_stats)
{
	struct db_place place;

	if (db_books_place(&db->books, statement, &place))
		*ret_stats = place.book->stats;
	else
		*ret_stats = (struct db_statement_stats){ 0 };
}

void db_each_statement(const struct db *db, db_each_fn fn, void *arg)
{
	db_books_each(&db->books, fn, arg);
}

int db_add_set(struct db *db, const struct statement_set *set)
{
	return db_books_add(&db->books, set);
}

const struct statement *db_find(const struct db *db, const char *owner, const char *name)
{
	return db_books_find(&db->books, owner, name);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

static int open_pool(struct db *db, struct loop *loop, const struct db_options *options, const char *key,
		     const char *conninfo, struct db_pool **ret_pool)
{
	struct db_pool_options pool = {
		.conninfo = conninfo,
		.key = key,
		.link = { .loop = loop,
			  .application_name = db->application_name,
			  .prepared = options->prepared,
			  .connect_timeout_ms = or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_DEFAULT_MS),
			  .statement_timeout_ms = db->statement_timeout_ms },
		.connections = or_default(options->connections, CONNECTIONS_DEFAULT),
		.idle_close_s = or_default(options->idle_close_s, IDLE_CLOSE_DEFAULT_S),
	};

	if (!conninfo || !conninfo[0])
		return 0;
	return db_pool_new(&pool, &pool_events, db, ret_pool);
}

static int set_up(struct db *db, struct loop *loop, const struct db_options *options)
{
	const struct statement_set *const *sets = options->sets ? options->sets : statement_sets;
	size_t count = options->sets ? options->set_count : statement_set_count;
	int r = 0;

	db->queue_max = or_default(options->queue_max, QUEUE_MAX_DEFAULT);
	db->statement_timeout_ms = or_default(options->statement_timeout_ms, STATEMENT_TIMEOUT_DEFAULT_MS);
	db->application_name = strdup(options->application_name ? options->application_name : "shoal");
	if (options->version)
		db->version = strdup(options->version);
	if (!db->application_name || (options->version && !db->version))
		return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++)
		r = db_books_add(&db->books, sets[i]);
	if (r == 0)
		r = open_pool(db, loop, options, "postgres.conninfo", options->conninfo, &db->main);
	if (r == 0 && db->main)
		r = open_pool(db, loop, options, "postgres.read_conninfo", options->read_conninfo, &db->replica);
	return r;
}

static void on_part_closed(void *arg)
{
	struct db *db = arg;

	if (--db->handles > 0)
		return;
	if (db->closed)
		db->closed(db->closed_arg);
	db_books_finish(&db->books);
	free(db->application_name);
	free(db->version);
	free(db);
}

void db_close(struct db *db, loop_fn closed, void *arg)
{
	if (!db || db->closing)
		return;
	db->closing = true;
	db->closed = closed;
	db->closed_arg = arg;
	db->handles = 1 + !!db->main + !!db->replica;
	if (db->replica)
		db_pool_close(db->replica, on_part_closed, db);
	if (db->main)
		db_pool_close(db->main, on_part_closed, db);
	timer_close(&db->last, on_part_closed);
}

int db_new(struct loop *loop, const struct db_options *options, const struct db_events *events, void *arg,
	   struct db **ret_db)
{
	struct db *db = calloc(1, sizeof(*db));
	int r;

	if (!db)
		return -ENOMEM;
	if (events)
		db->events = *events;
	db->arg = arg;
	timer_init(&db->last, loop, on_part_closed, db);
	r = set_up(db, loop, options);
	if (r < 0) {
		db_close(db, NULL, NULL);
		return r;
	}
	*ret_db = db;
	return 0;
}
