/* Jobs: made once, told once. Run by the loop. One allocation holds a job with all its parameters. */
#include "shared/db/db_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postgresql/libpq-fe.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define GRACE_MS     2000 /* beyond what the server itself allows a statement */
#define LOG_EVERY_NS (10 * NS_PER_S)

/* --- making ------------------------------------------------------------------------------------------------------- */

/* Bytes of one call's parameters; negative: it can't be sent. */
static int call_size(const struct db_call *call)
{
	size_t total = 0;

	if (call->param_count != statement_param_count(call->statement))
		return -EINVAL;
	for (size_t i = 0; i < call->param_count; i++) {
		int size =
			call->params[i].type == call->statement->params[i] ? db_value_size(&call->params[i]) : -EINVAL;

		if (size < 0)
			return size;
		total += (size_t)size;
	}
	return total > DB_PARAM_BYTES_MAX ? -EMSGSIZE : (int)total;
}

/* Lays the parameters of @call down: pointers and lengths at the slot's places, bytes at @at; where those end. */
static char *write_params(struct db_slot *slot, const struct db_call *call, char *at)
{
	for (size_t i = 0; i < call->param_count; i++) {
		if (call->params[i].null)
			continue;
		slot->values[i] = at;
		slot->lengths[i] = db_value_size(&call->params[i]);
		db_value_write(&call->params[i], at);
		at += slot->lengths[i];
	}
	return at;
}

static void fill_slots(struct db_job *job, const struct db_call *calls, const struct db_place *places, size_t params)
{
	const char **values = (const char **)(job->slots + job->count);
	int *lengths = (int *)(values + params);
	char *at = (char *)(lengths + params);

	for (size_t i = 0; i < job->count; i++) {
		struct db_slot *slot = &job->slots[i];

		slot->statement = slot->result.statement = calls[i].statement;
		slot->place = places[i];
		slot->param_count = calls[i].param_count;
		slot->values = values;
		slot->lengths = lengths;
		at = write_params(slot, &calls[i], at);
		values += calls[i].param_count;
		lengths += calls[i].param_count;
	}
}

static void take_flags(struct db_job *job, uint32_t default_timeout_ms)
{
	job->read_only = true;
	job->alone = job->count > 1;
	for (size_t i = 0; i < job->count; i++) {
		const struct statement *row = job->slots[i].statement;
		uint32_t timeout_ms = row->timeout_ms ? row->timeout_ms : default_timeout_ms;

		job->read_only = job->read_only && (row->flags & STATEMENT_READ_ONLY);
		job->own_timeout = job->own_timeout || timeout_ms != default_timeout_ms;
		job->alone = job->alone || (row->flags & STATEMENT_ALONE) || job->own_timeout;
		if (timeout_ms > job->timeout_ms)
			job->timeout_ms = timeout_ms;
	}
	job->patience_ns = (2ULL * job->timeout_ms + GRACE_MS) * NS_PER_MS;
}

int db_job_new(const struct db_books *books, const struct db_call *calls, size_t count, uint32_t default_timeout_ms,
	       struct db_job **ret_job)
{
	struct db_place places[DB_CALLS_MAX];
	size_t bytes = 0, params = 0;
	struct db_job *job;

	if (count == 0 || count > DB_CALLS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		int size = db_books_place(books, calls[i].statement, &places[i]) ? call_size(&calls[i]) : -EINVAL;

		if (size < 0)
			return size;
		bytes += (size_t)size;
		params += calls[i].param_count;
	}
	if (bytes > (count > 1 ? 4 : 1) * (size_t)DB_PARAM_BYTES_MAX)
		return -EMSGSIZE;
	bytes += sizeof(*job) + count * sizeof(job->slots[0]) + params * (sizeof(char *) + sizeof(int));
	job = calloc(1, bytes);
	if (!job)
		return -ENOMEM;
	job->bytes = bytes;
	job->count = job->failed_at = count;
	job->started_ns = clock_monotonic_ns();
	fill_slots(job, calls, places, params);
	take_flags(job, default_timeout_ms);
	*ret_job = job;
	return 0;
}

void db_job_free(struct db_job *job)
{
	if (!job)
		return;
	for (size_t i = 0; i < job->count; i++)
		PQclear(job->slots[i].result.pg);
	free(job);
}

bool db_job_is_waited_for(const struct db_job *job)
{
	return job->fn || job->together;
}

/* --- what became of it -------------------------------------------------------------------------------------------- */

void db_job_reset(struct db_job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		PQclear(TAKE(job->slots[i].result.pg));
		job->slots[i].result.sqlstate[0] = '\0';
		job->slots[i].place.book->stats.repeated++;
	}
	job->failed_at = job->count;
	job->said[0] = '\0';
}

void db_job_failed(struct db_job *job, size_t at, const char *sqlstate, const char *said)
{
	struct db_result *result = &job->slots[at < job->count ? at : job->count - 1].result;

	job->failed_at = at;
	snprintf(result->sqlstate, sizeof(result->sqlstate), "%s", sqlstate);
	snprintf(job->said, sizeof(job->said), "%s", said);
}

static bool has_columns(const struct db_slot *slot)
{
	size_t count = statement_column_count(slot->statement);

	if (!slot->result.pg || (size_t)PQnfields(slot->result.pg) != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (PQftype(slot->result.pg, (int)i) != db_type_oid(slot->statement->columns[i]))
			return false;
	return true;
}

int db_job_check(const struct db_job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		if (has_columns(&job->slots[i]))
			continue;
		log_error(NULL, "db.wrong_columns", KV_STR("owner", job->slots[i].place.owner),
			  KV_STR("statement", job->slots[i].statement->name),
			  KV_MSG("the database's columns are not those of this program: run shoalctl migrate"));
		return -EPROTO;
	}
	return 0;
}

/* What an operator can do about it; "" when the server's words say all. */
static const char *hint_for(int error)
{
	switch (error) {
	case -ENODATA:
		return "the schema is not there, or older than this program: run `shoalctl migrate up`";
	case -EACCES:
		return "the role of postgres.conninfo lacks a right on schema shoal";
	case -EDQUOT:
		return "the database server is out of disk, memory or connections";
	case -EMSGSIZE:
		return "a row holds far more than shoal ever writes there: look at it by hand";
	default:
		return "";
	}
}

/* Only what a server said, or what was too large; that it is away is told elsewhere, once. */
static void log_failure(const struct db_job *job, int error)
{
	const struct db_slot *slot = &job->slots[job->failed_at < job->count ? job->failed_at : job->count - 1];
	struct db_book *book = slot->place.book;
	uint64_t now = clock_monotonic_ns();

	if ((!slot->result.sqlstate[0] && error != -EMSGSIZE) || error == -EALREADY)
		return;
	book->unlogged++;
	if (book->logged_ns && now - book->logged_ns < LOG_EVERY_NS)
		return;
	log_warn(NULL, "db.statement_failed", KV_STR("owner", slot->place.owner),
		 KV_STR("statement", slot->statement->name), KV_STR("sqlstate", slot->result.sqlstate),
		 KV_U64("times", book->unlogged), KV_ERR(error),
		 KV_MSG(job->said[0] ? job->said : "a statement failed"), KV_STR("hint", hint_for(error)));
	book->logged_ns = now;
	book->unlogged = 0;
}

static void count(struct db_job *job, int error)
{
	uint64_t took_us = (clock_monotonic_ns() - job->started_ns) / NS_PER_US;

	for (size_t i = 0; i < job->count; i++) {
		struct db_book *book = job->slots[i].place.book;

		if (error == 0)
			db_book_done(book, took_us);
		else if (error == -SHOAL_EUNKNOWN)
			book->stats.unknown++;
		else if (error != -ECANCELED)
			book->stats.failed++;
	}
}

void db_job_tell(struct db_job *job, int error)
{
	db_result_fn fn = TAKE(job->fn);
	db_transaction_fn together = TAKE(job->together);
	struct db_results results = { job };

	if (!fn && !together)
		return;
	count(job, error);
	if (error < 0)
		log_failure(job, error);
	if (fn)
		fn(job->arg, error, db_results_at(&results, 0));
	else
		together(job->arg, error, &results);
}

const struct db_result *db_results_at(const struct db_results *results, size_t at)
{
	const struct db_result *result = at < results->job->count ? &results->job->slots[at].result : NULL;

	return result && (result->pg || result->sqlstate[0]) ? result : NULL;
}

size_t db_results_failed(const struct db_results *results)
{
	return results->job->failed_at;
}
