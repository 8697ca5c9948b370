/* Sums over shards: a thousand shards times a hundred commands would be nobody's to read. */
#include "supervisor/report_commands.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "shared/base/cleanup.h"
#include "shared/metrics/command_tally.h"

/* -ENOMEM. What can't be read is not there: these are numbers for a graph. */
static int gather(const struct fleet *fleet, struct command_tally *tally)
{
	char path[PATH_MAX];

	for (uint32_t i = 0; fleet && i < fleet->count; i++)
		if (command_tally_path(fleet->options.runtime_dir, fleet->options.generation, i, path, sizeof(path)) ==
			    0 &&
		    command_tally_read(tally, path) == -ENOMEM)
			return -ENOMEM;
	return 0;
}

void report_commands(struct metrics *metrics, const struct fleet *fleet)
{
	CLEANUP(command_tally_finish) struct command_tally tally = { 0 };
	double bounds[COMMAND_TALLY_BUCKETS - 1];

	if (gather(fleet, &tally) < 0)
		metrics->error = -ENOMEM;
	if (tally.count == 0)
		return;
	for (size_t i = 0; i < COMMAND_TALLY_BUCKETS - 1; i++)
		bounds[i] = (double)command_tally_us[i] / 1e6;
	metrics_family(metrics, "command_uses", METRICS_COUNTER, "commands, buttons and forms by how their uses ended");
	for (size_t i = 0; i < tally.count; i++)
		for (size_t o = 0; o < COMMAND_OUTCOME_COUNT; o++)
			metrics_u64(metrics, "command_uses", tally.rows[i].outcomes[o], "module", tally.rows[i].module,
				    "command", tally.rows[i].path, "outcome", command_outcome_names[o], NULL);
	metrics_family(metrics, "command_seconds", METRICS_HISTOGRAM,
		       "from the event to Discord's word that it has the first answer");
	for (size_t i = 0; i < tally.count; i++)
		metrics_histogram(
			metrics, "command_seconds", bounds, tally.rows[i].buckets, COMMAND_TALLY_BUCKETS,
			(double)tally.rows[i].total_us / 1e6,
			(const char *const[4]){ "module", tally.rows[i].module, "command", tally.rows[i].path });
}

static int more_used(const void *a, const void *b)
{
	uint64_t uses_a = command_tally_uses(a), uses_b = command_tally_uses(b);

	return uses_a < uses_b ? 1 : uses_a > uses_b ? -1 : 0;
}

static json_t *row_to_json(const struct command_tally_row *row)
{
	uint64_t answered = row->outcomes[COMMAND_OUTCOME_answered];
	json_t *json = json_pack("{s:s, s:s, s:I}", "command", row->path, "module", row->module, "uses",
				 (json_int_t)command_tally_uses(row));

	for (size_t o = 0; json && o < COMMAND_OUTCOME_COUNT; o++)
		json_object_set_new(json, command_outcome_names[o], json_integer((json_int_t)row->outcomes[o]));
	if (json) {
		json_object_set_new(json, "mean_us",
				    json_integer((json_int_t)(answered ? row->total_us / answered : 0)));
		json_object_set_new(json, "p50_us", json_integer((json_int_t)command_tally_share_us(row, 0.5)));
		json_object_set_new(json, "p99_us", json_integer((json_int_t)command_tally_share_us(row, 0.99)));
		json_object_set_new(json, "max_us", json_integer((json_int_t)row->max_us));
	}
	return json;
}

json_t *report_commands_json(const struct fleet *fleet)
{
	CLEANUP(command_tally_finish) struct command_tally tally = { 0 };
	json_auto_t *list = json_array();

	if (gather(fleet, &tally) < 0)
		return NULL;
	if (tally.count)
		qsort(tally.rows, tally.count, sizeof(*tally.rows), more_used);
	for (size_t i = 0; i < tally.count; i++)
		if (json_array_append_new(list, row_to_json(&tally.rows[i])) < 0)
			return NULL;
	return TAKE(list);
}
