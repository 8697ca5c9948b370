/* What it costs to keep writes while the database is away, and to bring them to it: one outbox, so many writes under
 * way. Prints one JSON object.
 *
 *   bench_outbox FOLDER COUNT OUTSTANDING [URL]   keeps COUNT writes in FOLDER; with URL brings them there, too, and
 * then writes as many straight */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/db/outbox.h"
#include "shared/db/statements_core.h"
#include "shared/log/log.h"

#define NOWHERE "postgresql://nobody@127.0.0.1:1/nowhere"
#define VALUE   "\"twelve chars\""

struct bench {
	struct loop loop;
	struct loop_hook pass_end;
	struct db *db;
	struct outbox *outbox;
	size_t count, outstanding, begun, ended, failed;
	bool at_once, draining;
	uint64_t *latencies_us;
	uint64_t lag_max_ns;
	bool db_closed, outbox_closed;
};

struct one {
	struct bench *bench;
	uint64_t began_ns;
};

static void push(struct bench *bench);

static void on_end(void *arg, int error, enum outbox_how how, const struct db_result *result)
{
	struct one *one = arg;
	struct bench *bench = one->bench;

	(void)how;
	(void)result;
	bench->failed += error < 0;
	bench->latencies_us[bench->ended++] = (clock_monotonic_ns() - one->began_ns) / NS_PER_US;
	free(one);
	push(bench);
}

static void push(struct bench *bench)
{
	while (bench->begun < bench->count && bench->begun - bench->ended < bench->outstanding) {
		uint64_t guild = 1 + bench->begun % 10000;
		struct db_param params[] = { DB_INT8((int64_t)guild), DB_TEXT("prefix", 6),
					     DB_JSONB(VALUE, sizeof(VALUE) - 1), DB_INT8(80351110224678912) };
		struct outbox_write write = { .owner = "core",
					      .statement = "guild_setting_set",
					      .params = params,
					      .param_count = ARRAY_SIZE(params),
					      .key = { guild, "prefix" },
					      .value = VALUE,
					      .value_len = sizeof(VALUE) - 1,
					      .at_once = bench->at_once };
		struct one *one = malloc(sizeof(*one));

		*one = (struct one){ bench, clock_monotonic_ns() };
		bench->begun++;
		if (outbox_write(bench->outbox, &write, on_end, one) < 0) {
			fprintf(stderr, "refused\n");
			exit(1);
		}
	}
}

static void on_pass_end(void *arg)
{
	struct bench *bench = arg;
	struct outbox_stats stats;
	uint64_t lag_ns = loop_take_lag(&bench->loop);

	bench->lag_max_ns = lag_ns > bench->lag_max_ns ? lag_ns : bench->lag_max_ns;
	outbox_stats(bench->outbox, &stats);
	if (bench->ended == bench->count && (!bench->draining || stats.waiting == 0))
		loop_stop(&bench->loop);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void open_parts(struct bench *bench, const char *folder, const char *url)
{
	struct db_options db = {
		.conninfo = url, .application_name = "bench_outbox", .prepared = true, .connections = 2
	};
	struct outbox_options options = {
		.state_dir = folder, .shard_count = 1, .max_mib = 1024, .max_entries = 1000000, .dead_keep_days = 1
	};

	if (db_new(&bench->loop, &db, NULL, NULL, &bench->db) < 0 ||
	    outbox_new(&bench->loop, &options, bench->db, &bench->outbox) < 0)
		exit(1);
	loop_at_pass_end(&bench->loop, &bench->pass_end, on_pass_end, bench);
	loop_take_lag(&bench->loop);
	bench->lag_max_ns = 0;
}

static void close_parts(struct bench *bench)
{
	loop_remove_hook(&bench->pass_end);
	bench->db_closed = bench->outbox_closed = false;
	outbox_closing(bench->outbox);
	db_close(bench->db, set_flag, &bench->db_closed);
	outbox_close(bench->outbox, set_flag, &bench->outbox_closed);
	while (!bench->db_closed || !bench->outbox_closed)
		uv_run(&bench->loop.uv, UV_RUN_ONCE);
}

static int by_size(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Runs @count writes; prints their figures under @name. */
static void run(struct bench *bench, const char *name, bool at_once)
{
	uint64_t began_ns = clock_monotonic_ns(), cpu_ns = clock_cpu_ns();
	struct outbox_stats before, after;
	double seconds;

	outbox_stats(bench->outbox, &before);
	bench->begun = bench->ended = bench->failed = 0;
	bench->at_once = at_once;
	push(bench);
	loop_run(&bench->loop);
	seconds = (double)(clock_monotonic_ns() - began_ns) / 1e9;
	outbox_stats(bench->outbox, &after);
	qsort(bench->latencies_us, bench->count, sizeof(*bench->latencies_us), by_size);
	printf("\"%s\": {\"per_s\": %.0f, \"p50_us\": %" PRIu64 ", \"p99_us\": %" PRIu64 ", \"max_us\": %" PRIu64
	       ", \"failed\": %zu, \"commits_per_s\": %.0f, \"commit_mean_us\": %.0f, \"commit_max_us\": %" PRIu64
	       ", \"loop_max_us\": %" PRIu64 ", \"cpu_us_each\": %.1f}",
	       name, (double)bench->count / seconds, bench->latencies_us[bench->count / 2],
	       bench->latencies_us[bench->count * 99 / 100], bench->latencies_us[bench->count - 1], bench->failed,
	       (double)(after.commits - before.commits) / seconds,
	       after.commits > before.commits
		       ? (double)(after.commit_us - before.commit_us) / (double)(after.commits - before.commits)
		       : 0.0,
	       after.commit_max_us, (uint64_t)(bench->lag_max_ns / NS_PER_US),
	       (double)(clock_cpu_ns() - cpu_ns) / 1e3 / (double)bench->count);
	bench->lag_max_ns = 0;
}

int main(int argc, char **argv)
{
	struct log_options log = {
		.level = LOG_LEVEL_ERROR, .format = LOG_FORMAT_HUMAN, .program = "bench_outbox", .fd = 2
	};
	struct bench bench = { 0 };
	uint64_t began_ns;

	if (argc < 4) {
		fprintf(stderr, "usage: bench_outbox FOLDER COUNT OUTSTANDING [URL]\n");
		return 2;
	}
	log_setup(&log);
	bench.count = (size_t)atol(argv[2]);
	bench.outstanding = (size_t)atol(argv[3]);
	bench.latencies_us = calloc(bench.count, sizeof(*bench.latencies_us));
	if (!bench.latencies_us || loop_init(&bench.loop) < 0)
		return 1;
	open_parts(&bench, argv[1], NOWHERE);
	printf("{");
	run(&bench, "kept", true);
	close_parts(&bench);
	if (argc > 4) {
		open_parts(&bench, argv[1], argv[4]);
		bench.draining = true;
		began_ns = clock_monotonic_ns();
		loop_run(&bench.loop);
		printf(", \"brought_per_s\": %.0f, \"brought_loop_max_us\": %" PRIu64,
		       (double)bench.count / ((double)(clock_monotonic_ns() - began_ns) / 1e9),
		       (uint64_t)(bench.lag_max_ns / NS_PER_US));
		bench.lag_max_ns = 0;
		printf(", ");
		run(&bench, "straight", false);
		close_parts(&bench);
	}
	printf("}\n");
	free(bench.latencies_us);
	return loop_finish(&bench.loop) < 0;
}
