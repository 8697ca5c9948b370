/* What the database layer of one worker gets through: settings read, or written durably, on a server that is there.
 *
 *   bench_db CONNINFO read|write SECONDS GUILDS [OUTSTANDING [CONNECTIONS [plain]]]
 *
 * OUTSTANDING questions are under way at any time, each of a guild taken at random out of GUILDS; each answered one is
 * followed by the next. One JSON line: how many a second, how long each took, and the CPU of this process. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/db/db.h"
#include "shared/db/statements_core.h"
#include "shared/log/log.h"
#include "shared/loop/loop.h"

#define NAME "prefix"

struct bench {
	struct loop loop;
	struct db *db;
	const struct statement *statement;
	uint64_t guilds, state;
	uint64_t began_ns, until_ns, done, failed;
	unsigned int outstanding;
	bool writing;
};

static uint64_t next_guild(struct bench *bench)
{
	bench->state = bench->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (bench->state >> 33) % bench->guilds + 1;
}

static void ask(struct bench *bench);

static void on_answer(void *arg, int error, const struct db_result *result)
{
	struct bench *bench = arg;

	bench->outstanding--;
	if (error < 0 || db_result_rows(result) != 1)
		bench->failed++;
	else if (bench->began_ns)
		bench->done++;
	if (clock_monotonic_ns() < bench->until_ns)
		ask(bench);
	else if (bench->outstanding == 0)
		loop_stop(&bench->loop);
}

static void ask(struct bench *bench)
{
	const struct db_param params[] = { DB_INT8((int64_t)next_guild(bench)), DB_TEXT(NAME, strlen(NAME)),
					   DB_JSONB("\"?\"", 3), DB_INT8(80351110224678912) };

	if (db_query(bench->db, bench->statement, params, bench->writing ? 4 : 2, on_answer, bench) < 0) {
		bench->failed++;
		return;
	}
	bench->outstanding++;
}

/* Turns the loop until @until, @outstanding at a time. */
static void turn(struct bench *bench, uint64_t until_ns, unsigned int outstanding)
{
	bench->until_ns = until_ns;
	for (unsigned int i = 0; i < outstanding; i++)
		ask(bench);
	loop_run(&bench->loop);
}

static void on_closed(void *arg)
{
	loop_stop(arg);
}

static void report(struct bench *bench, uint64_t took_ns, uint64_t cpu_ns)
{
	struct db_statement_stats stats;
	struct db_stats sums;

	db_statement_stats(bench->db, bench->statement, &stats);
	db_stats(bench->db, &sums);
	printf("{\"per_s\": %.0f, \"mean_us\": %.0f, \"cpu_us_each\": %.2f, \"done\": %" PRIu64 ", \"failed\": %" PRIu64
	       ", \"per_commit\": %.1f, \"connections\": %" PRIu64 "}\n",
	       (double)bench->done * 1e9 / (double)took_ns, (double)stats.total_us / (double)stats.done,
	       (double)cpu_ns / 1e3 / (double)bench->done, bench->done, bench->failed,
	       (double)sums.done / (double)sums.commits, sums.connects);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	struct db_options options = { .application_name = "bench_db", .prepared = argc <= 7 };
	uint64_t began_ns, cpu_ns, seconds;
	unsigned int outstanding;

	if (argc < 5) {
		fprintf(stderr,
			"usage: bench_db CONNINFO read|write SECONDS GUILDS [OUTSTANDING [CONNECTIONS [plain]]]\n");
		return 2;
	}
	options.conninfo = argv[1];
	bench.writing = strcmp(argv[2], "write") == 0;
	bench.statement = &core_statements[bench.writing ? CORE_GUILD_SETTING_SET : CORE_GUILD_SETTING_GET];
	seconds = strtoul(argv[3], NULL, 10);
	bench.guilds = strtoul(argv[4], NULL, 10);
	outstanding = argc > 5 ? (unsigned int)atoi(argv[5]) : 256;
	options.connections = argc > 6 ? (uint32_t)atoi(argv[6]) : 2;
	options.queue_max = outstanding + 1;
	bench.state = clock_monotonic_ns();
	if (bench.guilds == 0 || loop_init(&bench.loop) < 0 || db_new(&bench.loop, &options, NULL, NULL, &bench.db) < 0)
		return 1;
	turn(&bench, clock_monotonic_ns() + NS_PER_S, outstanding); /* connections, plans, pages */
	bench.began_ns = began_ns = clock_monotonic_ns();
	cpu_ns = clock_cpu_ns();
	turn(&bench, began_ns + seconds * NS_PER_S, outstanding);
	if (bench.done > 0)
		report(&bench, clock_monotonic_ns() - began_ns, clock_cpu_ns() - cpu_ns);
	db_close(bench.db, on_closed, &bench.loop);
	loop_run(&bench.loop);
	loop_finish(&bench.loop);
	return bench.done > 0 && bench.failed == 0 ? 0 : 1;
}
