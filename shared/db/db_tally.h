/* What every statement has counted, as a file on tmpfs beside the shard's board: written by its worker, read by the
 * supervisor for /metrics. A successor goes on from what is there, so the sums only rise. */
#ifndef SHOAL_SHARED_DB_DB_TALLY_H
#define SHOAL_SHARED_DB_DB_TALLY_H

#include "shared/db/db.h"

#define DB_TALLY_ROWS_MAX 4096
#define DB_TALLY_OWNER    24
#define DB_TALLY_NAME     40

/* The names in the file's bytes; counters summed over workers. */
struct db_tally_row {
	char owner[DB_TALLY_OWNER];
	char name[DB_TALLY_NAME];
	struct db_statement_stats stats;
};

struct db_tally {
	struct db_tally_row *rows; /* in the order of their first coming */
	size_t count;
	size_t next; /* where the next one is looked for first */
};
void db_tally_finish(struct db_tally *tally);

/* Adds a statement's counters. -ENOMEM, -E2BIG. */
int db_tally_add(struct db_tally *tally, const char *owner, const char *name, const struct db_statement_stats *stats);

/* "<dir>/shard-<generation>-<id>.statements". -ENAMETOOLONG. */
int db_tally_path(const char *dir, uint32_t generation, uint32_t shard_id, char *path, size_t size);
/* Adds what the file holds. -ENOENT; -SHOAL_EDAMAGED, -SHOAL_EVERSION (nothing is added); -errno. */
int db_tally_read(struct db_tally *tally, const char *path);
/* Replaces the file in one step, mode 0600. -errno: the old one stays. */
int db_tally_write(const struct db_tally *tally, const char *path);

struct db_teller; /* a worker's: its database's counters over those of the workers before it */

int db_teller_new(const char *dir, uint32_t generation, uint32_t shard_id, struct db_teller **ret_teller);
struct db_teller *db_teller_free(struct db_teller *teller);
/* Writes when something was counted since, at most once a second. -errno: the file can't be written. */
int db_teller_tick(struct db_teller *teller, const struct db *db, uint64_t now_ns);

#endif
