/* What the board and the statements' file tell of this worker's database. */
#ifndef SHOAL_SHARD_DB_GAUGES_H
#define SHOAL_SHARD_DB_GAUGES_H

#include <stdatomic.h>
#include <stdint.h>

#include "shared/db/db.h"

struct db_gauges;

/* Keeps @db and @counters. The folder and numbers name the file (db_tally_path()). */
int db_gauges_new(const struct db *db, _Atomic uint64_t *counters, const char *runtime_dir, uint32_t generation,
		  uint32_t shard_id, struct db_gauges **ret_gauges);
struct db_gauges *db_gauges_free(struct db_gauges *gauges);
/* From the slow tick, while the database is not closed. NULL is nothing to do. */
void db_gauges_update(struct db_gauges *gauges);

#endif
