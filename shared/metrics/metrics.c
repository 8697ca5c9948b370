/* Prometheus text. Used by the supervisor for /metrics and `shoalctl metrics`; reads boards only, so it answers also
 * for a worker that hangs. Must not cost the shards anything. */
#include "shared/metrics/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void metrics_begin(struct metrics *metrics, struct buf *out)
{
	metrics->out = out;
	metrics->error = 0;
}

int metrics_end(struct metrics *metrics)
{
	return metrics->error;
}

static void note(struct metrics *metrics, int r)
{
	if (r < 0 && metrics->error == 0)
		metrics->error = r;
}

/* Help: backslash and line feed are escaped; label values: the double quote too. */
static void put_escaped(struct metrics *metrics, const char *text, int quote)
{
	for (; *text; text++) {
		if (*text == '\n')
			note(metrics, buf_append_str(metrics->out, "\\n"));
		else {
			if (*text == '\\' || (quote && *text == '"'))
				note(metrics, buf_append_char(metrics->out, '\\'));
			note(metrics, buf_append_char(metrics->out, *text));
		}
	}
}

static const char *const type_names[] = {
	[METRICS_COUNTER] = "counter",
	[METRICS_GAUGE] = "gauge",
	[METRICS_HISTOGRAM] = "histogram",
};

void metrics_family(struct metrics *metrics, const char *name, enum metrics_type type, const char *help)
{
	note(metrics, buf_printf(metrics->out, "# HELP " METRICS_PREFIX "%s ", name));
	put_escaped(metrics, help, 0);
	note(metrics, buf_printf(metrics->out, "\n# TYPE " METRICS_PREFIX "%s %s\n", name, type_names[type]));
}

static void put_name(struct metrics *metrics, const char *name, va_list labels)
{
	const char *label, *value;
	char before = '{';

	note(metrics, buf_printf(metrics->out, METRICS_PREFIX "%s", name));
	while ((label = va_arg(labels, const char *)) != NULL) {
		value = va_arg(labels, const char *);
		note(metrics, buf_printf(metrics->out, "%c%s=\"", before, label));
		put_escaped(metrics, value, 1);
		note(metrics, buf_append_char(metrics->out, '"'));
		before = ',';
	}
	if (before == ',')
		note(metrics, buf_append_char(metrics->out, '}'));
}

void metrics_u64(struct metrics *metrics, const char *name, uint64_t value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(metrics, name, labels);
	va_end(labels);
	note(metrics, buf_printf(metrics->out, " %" PRIu64 "\n", value));
}

void metrics_double(struct metrics *metrics, const char *name, double value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(metrics, name, labels);
	va_end(labels);
	if (isnan(value))
		note(metrics, buf_append_str(metrics->out, " NaN\n"));
	else if (isinf(value))
		note(metrics, buf_append_str(metrics->out, value > 0 ? " +Inf\n" : " -Inf\n"));
	else
		note(metrics, buf_printf(metrics->out, " %.9g\n", value));
}

void metrics_histogram(struct metrics *metrics, const char *name, const double *bounds, const uint64_t *buckets,
		       size_t count, double sum, const char *const labels[4])
{
	char sample[128], bound[32];
	uint64_t total = 0;

	snprintf(sample, sizeof(sample), "%s_bucket", name);
	for (size_t i = 0; i < count; i++) {
		total += buckets[i];
		if (i + 1 < count)
			snprintf(bound, sizeof(bound), "%g", bounds[i]);
		else
			snprintf(bound, sizeof(bound), "+Inf");
		metrics_u64(metrics, sample, total, labels[0], labels[1], labels[2], labels[3], "le", bound, NULL);
	}
	snprintf(sample, sizeof(sample), "%s_sum", name);
	metrics_double(metrics, sample, sum, labels[0], labels[1], labels[2], labels[3], NULL);
	snprintf(sample, sizeof(sample), "%s_count", name);
	metrics_u64(metrics, sample, total, labels[0], labels[1], labels[2], labels[3], NULL);
}

void metrics_shards(struct metrics *metrics, const struct metrics_shard *shards, size_t count)
{
	for (unsigned row = 0; row < BOARD_COUNTER_COUNT; row++) {
		const struct board_counter_row *counter = &board_counter_rows[row];

		metrics_family(metrics, counter->name, counter->gauge ? METRICS_GAUGE : METRICS_COUNTER, counter->help);
		for (size_t i = 0; i < count; i++)
			if (shards[i].board)
				note(metrics,
				     buf_printf(metrics->out, METRICS_PREFIX "%s{shard=\"%" PRIu32 "\"} %" PRIu64 "\n",
						counter->name, shards[i].shard_id,
						board_shard_counter(shards[i].board, row)));
	}
}
