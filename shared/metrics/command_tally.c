/* Counters of commands in a file. The worker writes it from its slow tick (tmpfs: no disk is waited for). What is read
 * may be anything: it is checked before it is believed. */
#include "shared/metrics/command_tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/metrics/tally_file.h"

_Static_assert(sizeof(struct command_tally_row) == COMMAND_TALLY_MODULE + COMMAND_TALLY_PATH +
							   8 * (COMMAND_OUTCOME_COUNT + 2 + COMMAND_TALLY_BUCKETS),
	       "the file's rows have no padding");

static const struct tally_file tally_kind = { .magic = "SHOALCM",
					      .version = 1,
					      .row_size = sizeof(struct command_tally_row),
					      .rows_max = COMMAND_TALLY_ROWS_MAX };

const char *const command_outcome_names[COMMAND_OUTCOME_COUNT] = {
#define X(name, help) #name,
	COMMAND_OUTCOMES(X)
#undef X
};

const uint32_t command_tally_us[COMMAND_TALLY_BUCKETS - 1] = { 250,   500,    1000,   2500,    5000,    10000,  25000,
							       50000, 100000, 250000, 1000000, 1500000, 3000000 };

void command_tally_finish(struct command_tally *tally)
{
	free(tally->rows);
	*tally = (struct command_tally){ 0 };
}

static struct command_tally_row *row_of(struct command_tally *tally, const char *module, const char *path)
{
	struct command_tally_row *rows;
	size_t i;

	for (i = 0; i < tally->count; i++)
		if (strcmp(tally->rows[i].path, path) == 0 && strcmp(tally->rows[i].module, module) == 0)
			return &tally->rows[i];
	if (tally->count == COMMAND_TALLY_ROWS_MAX)
		return NULL;
	rows = realloc(tally->rows, (tally->count + 1) * sizeof(*rows));
	if (!rows)
		return NULL;
	tally->rows = rows;
	rows += tally->count++;
	memset(rows, 0, sizeof(*rows));
	snprintf(rows->module, sizeof(rows->module), "%s", module);
	snprintf(rows->path, sizeof(rows->path), "%s", path);
	return rows;
}

void command_tally_count(struct command_tally *tally, const char *module, const char *path,
			 enum command_outcome outcome, uint64_t took_us)
{
	struct command_tally_row *row = row_of(tally, module, path);
	size_t bucket = 0;

	if (!row || outcome >= COMMAND_OUTCOME_COUNT)
		return;
	tally->changes++;
	row->outcomes[outcome]++;
	if (took_us == 0 || outcome != COMMAND_OUTCOME_answered)
		return;
	while (bucket < COMMAND_TALLY_BUCKETS - 1 && took_us > command_tally_us[bucket])
		bucket++;
	row->buckets[bucket]++;
	row->total_us += took_us;
	row->max_us = took_us > row->max_us ? took_us : row->max_us;
}

uint64_t command_tally_uses(const struct command_tally_row *row)
{
	uint64_t uses = 0;

	for (size_t i = 0; i < COMMAND_OUTCOME_COUNT; i++)
		uses += i == COMMAND_OUTCOME_suggested ? 0 : row->outcomes[i];
	return uses;
}

uint64_t command_tally_share_us(const struct command_tally_row *row, double share)
{
	uint64_t all = 0, below = 0;
	size_t i;

	for (i = 0; i < COMMAND_TALLY_BUCKETS; i++)
		all += row->buckets[i];
	for (i = 0; all && i < COMMAND_TALLY_BUCKETS - 1; i++) {
		below += row->buckets[i];
		if ((double)below >= share * (double)all)
			return command_tally_us[i];
	}
	return all ? row->max_us : 0;
}

/* --- the file ------------------------------------------------------------------------------------------------------
 */

int command_tally_path(const char *dir, uint32_t generation, uint32_t shard_id, char *path, size_t size)
{
	int len = snprintf(path, size, "%s/shard-%" PRIu32 "-%" PRIu32 ".commands", dir, generation, shard_id);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

static bool is_text(const char *bytes, size_t size)
{
	return bytes[0] && memchr(bytes, '\0', size);
}

static int add_row(struct command_tally *tally, const struct command_tally_row *from)
{
	struct command_tally_row *row = row_of(tally, from->module, from->path);
	size_t i;

	if (!row)
		return tally->count == COMMAND_TALLY_ROWS_MAX ? -E2BIG : -ENOMEM;
	for (i = 0; i < COMMAND_OUTCOME_COUNT; i++)
		row->outcomes[i] += from->outcomes[i];
	for (i = 0; i < COMMAND_TALLY_BUCKETS; i++)
		row->buckets[i] += from->buckets[i];
	row->total_us += from->total_us;
	row->max_us = from->max_us > row->max_us ? from->max_us : row->max_us;
	return 0;
}

int command_tally_read(struct command_tally *tally, const char *path)
{
	CLEANUP(cleanup_free) void *bytes = NULL;
	const struct command_tally_row *rows;
	size_t count = 0, i;
	int r;

	r = tally_file_read(&tally_kind, path, &bytes, &count);
	rows = bytes;
	for (i = 0; r == 0 && i < count; i++)
		if (!is_text(rows[i].module, sizeof(rows[i].module)) || !is_text(rows[i].path, sizeof(rows[i].path)))
			return -SHOAL_EDAMAGED;
	for (i = 0; r == 0 && i < count; i++)
		r = add_row(tally, &rows[i]);
	return r;
}

int command_tally_write(struct command_tally *tally, const char *path)
{
	int r = tally_file_write(&tally_kind, path, tally->rows, tally->count);

	if (r == 0)
		tally->changes = 0;
	return r;
}
