/* The alert table. Run by the supervisor on its loop, from within the log: it must not log itself. */
#include "supervisor/alerts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"

static struct alert *find_row(struct alerts *alerts, const char *event, int32_t shard)
{
	struct alert *oldest = &alerts->rows[0];

	for (size_t i = 0; i < ALERTS_MAX; i++) {
		struct alert *row = &alerts->rows[i];

		if (row->count && row->shard == shard && strncmp(row->event, event, sizeof(row->event) - 1) == 0)
			return row;
		if (row->last_wall_ms < oldest->last_wall_ms)
			oldest = row;
	}
	memset(oldest, 0, sizeof(*oldest));
	snprintf(oldest->event, sizeof(oldest->event), "%s", event);
	oldest->shard = shard;
	oldest->first_wall_ms = clock_wall_ms();
	return oldest;
}

void alerts_raise(struct alerts *alerts, const char *event, int32_t shard, const char *text, uint64_t count)
{
	struct alert *row = find_row(alerts, event, shard);

	if (row->count == row->seen)
		row->first_wall_ms = clock_wall_ms();
	row->count += count;
	row->last_wall_ms = clock_wall_ms();
	snprintf(row->text, sizeof(row->text), "%s", text);
	alerts->total += count;
}

static void observe(void *arg, const char *event, int32_t shard, const char *text)
{
	alerts_raise(arg, event, shard, text, 1);
}

void alerts_watch(struct alerts *alerts)
{
	log_observe(observe, alerts);
}

void alerts_unwatch(void)
{
	log_observe(NULL, NULL);
}

static int later_first(const void *a, const void *b)
{
	const struct alert *left = *(const struct alert *const *)a, *right = *(const struct alert *const *)b;

	return (left->last_wall_ms < right->last_wall_ms) - (left->last_wall_ms > right->last_wall_ms);
}

static json_t *alert_report(const struct alert *row)
{
	char first[CLOCK_ISO_SIZE], last[CLOCK_ISO_SIZE];
	json_t *text = json_string(row->text);

	return json_pack("{s:s, s:o, s:I, s:s, s:s, s:o}", "event", row->event, "shard",
			 row->shard >= 0 ? json_integer(row->shard) : json_null(), "count",
			 (json_int_t)(row->count - row->seen), "first", clock_format_iso(row->first_wall_ms, first),
			 "last", clock_format_iso(row->last_wall_ms, last), "text",
			 text ? text : json_string("(not readable)"));
}

json_t *alerts_report(const struct alerts *alerts)
{
	const struct alert *rows[ALERTS_MAX] = { 0 };
	json_t *list = json_array();
	size_t count = 0;

	for (size_t i = 0; i < ALERTS_MAX; i++)
		if (alerts->rows[i].count > alerts->rows[i].seen)
			rows[count++] = &alerts->rows[i];
	qsort(rows, count, sizeof(rows[0]), later_first);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, alert_report(rows[i]));
	return list;
}

json_t *alerts_save(const struct alerts *alerts)
{
	json_t *saved = json_array();

	for (size_t i = 0; i < ALERTS_MAX; i++) {
		const struct alert *row = &alerts->rows[i];
		json_t *text = json_string(row->text);

		if (row->count)
			json_array_append_new(
				saved, json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:o}", "event", row->event, "shard",
						 row->shard, "count", (json_int_t)row->count, "seen",
						 (json_int_t)row->seen, "first", (json_int_t)row->first_wall_ms, "last",
						 (json_int_t)row->last_wall_ms, "text", text ? text : json_string("")));
		else
			json_decref(text);
	}
	return saved;
}

void alerts_restore(struct alerts *alerts, const json_t *saved)
{
	const json_t *one;
	size_t i;

	json_array_foreach(saved, i, one)
	{
		json_int_t count, seen, first, last;
		const char *event, *text;
		struct alert *row;
		int shard;

		if (json_unpack((json_t *)one, "{s:s, s:i, s:I, s:I, s:I, s:I, s:s}", "event", &event, "shard", &shard,
				"count", &count, "seen", &seen, "first", &first, "last", &last, "text", &text) < 0 ||
		    count <= 0 || seen < 0 || seen > count)
			continue;
		row = find_row(alerts, event, shard);
		row->count += (uint64_t)count;
		row->seen = (uint64_t)seen;
		row->first_wall_ms = first;
		row->last_wall_ms = last;
		snprintf(row->text, sizeof(row->text), "%s", text);
		alerts->total += (uint64_t)count;
	}
}

void alerts_clear(struct alerts *alerts)
{
	for (size_t i = 0; i < ALERTS_MAX; i++)
		alerts->rows[i].seen = alerts->rows[i].count;
}

/* One series an event: the table may hold one event for many shards. */
void alerts_metrics(const struct alerts *alerts, struct metrics *metrics)
{
	metrics_family(metrics, "alerts", METRICS_COUNTER, "errors and loss windows, by event");
	for (size_t i = 0; i < ALERTS_MAX; i++) {
		const struct alert *row = &alerts->rows[i];
		uint64_t count = 0;
		size_t before = 0;

		if (!row->count)
			continue;
		while (before < i && strcmp(alerts->rows[before].event, row->event) != 0)
			before++;
		if (before < i)
			continue;
		for (size_t j = i; j < ALERTS_MAX; j++)
			if (strcmp(alerts->rows[j].event, row->event) == 0)
				count += alerts->rows[j].count;
		metrics_u64(metrics, "alerts", count, "event", row->event, NULL);
	}
}
