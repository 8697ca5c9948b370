/* Counters of SQL statements for /metrics: sums over this host's shards, for a thousand shards times a hundred
 * statements would be nobody's to read. Run by the supervisor when somebody asks; reads files on tmpfs, asks no worker.
 */
#include "supervisor/report_statements.h"

#include <errno.h>
#include <limits.h>

#include "shared/base/cleanup.h"
#include "shared/db/db_tally.h"

static const struct {
	const char *name;
	size_t at;
} outcomes[] = {
	{ "done", offsetof(struct db_statement_stats, done) },
	{ "failed", offsetof(struct db_statement_stats, failed) },
	{ "unknown", offsetof(struct db_statement_stats, unknown) },
	{ "repeated", offsetof(struct db_statement_stats, repeated) },
};

static void put_rows(struct metrics *metrics, const struct db_tally *tally)
{
	double bounds[DB_BUCKETS - 1];

	for (size_t i = 0; i < DB_BUCKETS - 1; i++)
		bounds[i] = (double)db_bucket_us[i] / 1e6;
	metrics_family(metrics, "db_statements", METRICS_COUNTER,
		       "SQL statements by how they ended; unknown: may have been done; repeated: sent once more");
	for (size_t i = 0; i < tally->count; i++)
		for (size_t o = 0; o < ARRAY_SIZE(outcomes); o++)
			metrics_u64(metrics, "db_statements",
				    *(const uint64_t *)((const char *)&tally->rows[i].stats + outcomes[o].at), "owner",
				    tally->rows[i].owner, "statement", tally->rows[i].name, "outcome", outcomes[o].name,
				    NULL);
	metrics_family(metrics, "db_statement_seconds", METRICS_HISTOGRAM,
		       "from asking to the answer, of SQL statements that were done");
	for (size_t i = 0; i < tally->count; i++)
		metrics_histogram(
			metrics, "db_statement_seconds", bounds, tally->rows[i].stats.buckets, DB_BUCKETS,
			(double)tally->rows[i].stats.total_us / 1e6,
			(const char *const[4]){ "owner", tally->rows[i].owner, "statement", tally->rows[i].name });
}

void report_statements(struct metrics *metrics, const struct fleet *fleet)
{
	CLEANUP(db_tally_finish) struct db_tally tally = { 0 };
	char path[PATH_MAX];

	for (uint32_t i = 0; i < fleet->count; i++)
		if (db_tally_path(fleet->options.runtime_dir, fleet->options.generation, i, path, sizeof(path)) == 0 &&
		    db_tally_read(&tally, path) == -ENOMEM)
			metrics->error = -ENOMEM;
	if (tally.count > 0)
		put_rows(metrics, &tally);
}
