/* Counters of statements in a file. The worker writes it from its slow tick (tmpfs: no disk is waited for), the
 * supervisor reads it when asked for metrics. What is read may be anything: it is checked before it is believed. */
#include "shared/db/db_tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/metrics/tally_file.h"

#define EVERY_NS NS_PER_S

struct db_teller {
	char path[512];
	struct db_tally before;
	uint64_t written_ns, written; /* written: sum of what was counted then */
};

_Static_assert(sizeof(struct db_statement_stats) == (6 + DB_BUCKETS) * 8, "the file's rows have no padding");

static const struct tally_file tally_kind = {
	.magic = "SHOALDB", .version = 1, .row_size = sizeof(struct db_tally_row), .rows_max = DB_TALLY_ROWS_MAX
};

/* --- rows --------------------------------------------------------------------------------------------------------- */

void db_tally_finish(struct db_tally *tally)
{
	free(tally->rows);
	*tally = (struct db_tally){ 0 };
}

/* Files list the same statements in the same order, so the one behind the last is nearly always meant. */
static struct db_tally_row *find(struct db_tally *tally, const char *owner, const char *name)
{
	for (size_t i = 0; i < tally->count; i++) {
		size_t at = (tally->next + i) % tally->count;

		if (strcmp(tally->rows[at].name, name) != 0 || strcmp(tally->rows[at].owner, owner) != 0)
			continue;
		tally->next = at + 1;
		return &tally->rows[at];
	}
	return NULL;
}

static int row_new(struct db_tally *tally, const char *owner, const char *name, struct db_tally_row **ret_row)
{
	struct db_tally_row *rows;

	if (tally->count == DB_TALLY_ROWS_MAX)
		return -E2BIG;
	rows = realloc(tally->rows, (tally->count + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	tally->rows = rows;
	*ret_row = &rows[tally->count++];
	memset(*ret_row, 0, sizeof(**ret_row));
	snprintf((*ret_row)->owner, DB_TALLY_OWNER, "%s", owner);
	snprintf((*ret_row)->name, DB_TALLY_NAME, "%s", name);
	return 0;
}

int db_tally_add(struct db_tally *tally, const char *owner, const char *name, const struct db_statement_stats *stats)
{
	struct db_tally_row *row = find(tally, owner, name);
	int r;

	if (!row) {
		r = row_new(tally, owner, name, &row);
		if (r < 0)
			return r;
	}
	row->stats.done += stats->done;
	row->stats.failed += stats->failed;
	row->stats.unknown += stats->unknown;
	row->stats.repeated += stats->repeated;
	row->stats.total_us += stats->total_us;
	if (stats->max_us > row->stats.max_us)
		row->stats.max_us = stats->max_us;
	for (size_t i = 0; i < DB_BUCKETS; i++)
		row->stats.buckets[i] += stats->buckets[i];
	return 0;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

int db_tally_path(const char *dir, uint32_t generation, uint32_t shard_id, char *path, size_t size)
{
	int len = snprintf(path, size, "%s/shard-%" PRIu32 "-%" PRIu32 ".statements", dir, generation, shard_id);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* All of @size bytes from the descriptor's beginning, and no more. */
static bool is_text(const char *bytes, size_t size)
{
	return bytes[0] && memchr(bytes, '\0', size);
}

int db_tally_read(struct db_tally *tally, const char *path)
{
	CLEANUP(cleanup_free) void *bytes = NULL;
	const struct db_tally_row *rows;
	size_t count = 0, i;
	int r;

	r = tally_file_read(&tally_kind, path, &bytes, &count);
	rows = bytes;
	for (i = 0; r == 0 && i < count; i++)
		if (!is_text(rows[i].owner, DB_TALLY_OWNER) || !is_text(rows[i].name, DB_TALLY_NAME))
			return -SHOAL_EDAMAGED;
	for (i = 0; r == 0 && i < count; i++)
		r = db_tally_add(tally, rows[i].owner, rows[i].name, &rows[i].stats);
	return r;
}

int db_tally_write(const struct db_tally *tally, const char *path)
{
	return tally_file_write(&tally_kind, path, tally->rows, tally->count);
}

/* --- the worker's side -------------------------------------------------------------------------------------------- */

int db_teller_new(const char *dir, uint32_t generation, uint32_t shard_id, struct db_teller **ret_teller)
{
	struct db_teller *teller = calloc(1, sizeof(*teller));
	int r;

	if (!teller)
		return -ENOMEM;
	r = db_tally_path(dir, generation, shard_id, teller->path, sizeof(teller->path));
	if (r < 0) {
		free(teller);
		return r;
	}
	/* What can't be read is begun anew: these are numbers for a graph. */
	if (db_tally_read(&teller->before, teller->path) < 0)
		db_tally_finish(&teller->before);
	*ret_teller = teller;
	return 0;
}

struct db_teller *db_teller_free(struct db_teller *teller)
{
	if (teller) {
		db_tally_finish(&teller->before);
		free(teller);
	}
	return NULL;
}

struct sum {
	struct db_tally tally;
	int error;
};

static void add_used(void *arg, const char *owner, const struct statement *statement,
		     const struct db_statement_stats *stats)
{
	struct sum *sum = arg;

	if (sum->error == 0 && (stats->done || stats->failed || stats->unknown || stats->repeated))
		sum->error = db_tally_add(&sum->tally, owner, statement->name, stats);
}

int db_teller_tick(struct db_teller *teller, const struct db *db, uint64_t now_ns)
{
	struct db_stats stats;
	struct sum sum = { 0 };
	uint64_t counted;

	if (now_ns - teller->written_ns < EVERY_NS)
		return 0;
	db_stats(db, &stats);
	counted = stats.done + stats.failed + stats.unknown + stats.repeated;
	if (counted == teller->written)
		return 0;
	teller->written_ns = now_ns;
	for (size_t i = 0; i < teller->before.count && sum.error == 0; i++)
		sum.error = db_tally_add(&sum.tally, teller->before.rows[i].owner, teller->before.rows[i].name,
					 &teller->before.rows[i].stats);
	db_each_statement(db, add_used, &sum);
	if (sum.error == 0)
		sum.error = db_tally_write(&sum.tally, teller->path);
	if (sum.error == 0)
		teller->written = counted;
	db_tally_finish(&sum.tally);
	return sum.error;
}
