/* shoalctl status: the supervisor, its session starts, its shards; shoalctl shards: the shards alone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/ctl/ctl.h"

#define ASK_TIMEOUT_MS 10000

static void print_shards(const json_t *shards)
{
	bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	size_t i;
	const json_t *shard;

	printf("%5s  %-11s %7s %9s %9s %11s %9s %8s %8s %6s\n", "SHARD", "STATE", "PID", "GUILDS", "EVENTS/S", "EVENTS",
	       "LATENCY", "RESTARTS", "MEMORY", "LOSSES");
	json_array_foreach(shards, i, shard)
	{
		const char *state = ctl_clean(ctl_text(shard, "state"));

		printf("%5" PRId64 "  %s%-11s%s %7" PRId64 " %9s %9.1f %11s %9s %8" PRId64 " %8s %6" PRId64 "\n",
		       ctl_int(shard, "id"), ctl_state_colour(state, colour), state, colour ? "\033[0m" : "",
		       ctl_int(shard, "pid"), ctl_count(ctl_int(shard, "guilds")), ctl_real(shard, "events_per_s"),
		       ctl_count(ctl_int(shard, "events")), ctl_latency(ctl_real(shard, "latency_ms")),
		       ctl_int(shard, "restarts"), ctl_kib(ctl_int(shard, "memory_kib")),
		       ctl_int(shard, "loss_windows"));
	}
}

static void print_ledger(const json_t *ledger)
{
	if (!json_is_object(ledger))
		return;
	printf("session starts  %" PRId64 " of %" PRId64 " left (%" PRId64 " kept back), %" PRId64 " at once; %" PRId64
	       " granted, %" PRId64 " waiting%s\n",
	       ctl_int(ledger, "remaining"), ctl_int(ledger, "total"), ctl_int(ledger, "reserve"),
	       ctl_int(ledger, "max_concurrency"), ctl_int(ledger, "granted"), ctl_int(ledger, "waiting"),
	       json_is_true(json_object_get(ledger, "exhausted")) ? "  EXHAUSTED" : "");
}

/* "on", "off (nats.url)", "AWAY from 2 of 4 shards". */
static void print_outside(const json_t *status, const char *label, const char *on_key, const char *away_key,
			  const char *option)
{
	int64_t away = ctl_int(status, away_key);

	if (!json_is_true(json_object_get(status, on_key)))
		printf("%s off (%s)", label, option);
	else if (away > 0)
		printf("%s AWAY from %" PRId64 " of %" PRId64 " shards", label, away, ctl_int(status, "shard_count"));
	else
		printf("%s on", label);
}

#define ALERTS_SHOWN 5

void ctl_print_alerts(const json_t *alerts, const char *label, size_t max)
{
	size_t i;
	const json_t *alert;

	json_array_foreach(alerts, i, alert)
	{
		char shard[32] = "", times[40] = "";

		if (max > 0 && i == max) {
			printf("%-15s and %zu more (shoalctl alerts)\n", "", json_array_size(alerts) - i);
			return;
		}
		if (ctl_int(alert, "count") > 1)
			snprintf(times, sizeof(times), " (%" PRId64 " times)", ctl_int(alert, "count"));
		if (json_is_integer(json_object_get(alert, "shard")))
			snprintf(shard, sizeof(shard), " shard %" PRId64, ctl_int(alert, "shard"));
		printf("%-15s %s %s%s%s: %s\n", i == 0 ? label : "", ctl_clean(ctl_text(alert, "last")),
		       ctl_clean(ctl_text(alert, "event")), shard, times, ctl_clean(ctl_text(alert, "text")));
	}
}

static void print_outbox(const json_t *status)
{
	int64_t waiting = ctl_int(status, "outbox_waiting"), dead = ctl_int(status, "outbox_dead"),
		failing = ctl_int(status, "outbox_failing");

	if (waiting == 0 && dead == 0 && failing == 0)
		return;
	printf("outbox          %s writes wait for PostgreSQL", ctl_count(waiting));
	if (waiting > 0)
		printf(", the oldest for %s", ctl_duration(ctl_int(status, "outbox_oldest_s")));
	if (dead > 0)
		printf("; %s set aside (shoalctl outbox list)", ctl_count(dead));
	if (failing > 0)
		printf("; the file of %" PRId64 " shards can't be WRITTEN", failing);
	printf("\n");
}

static void print_letters(const json_t *status)
{
	int64_t dead = ctl_int(status, "dead_letters"), parked = ctl_int(status, "parked"),
		away = ctl_int(status, "parked_away");

	if (dead == 0 && parked == 0 && away == 0)
		return;
	printf("set aside       %s dead letters (shoalctl dead-letters list), %s events parked", ctl_count(dead),
	       ctl_count(parked));
	if (away > 0)
		printf("; the state directory is AWAY from %" PRId64 " of %" PRId64 " shards", away,
		       ctl_int(status, "shard_count"));
	putchar('\n');
}

static void print_status(const json_t *status)
{
	printf("shoald %s (build %s) on %s, cluster %s, pid %" PRId64 ", up %s\n",
	       ctl_clean(ctl_text(status, "version")), ctl_clean(ctl_text(status, "build_id")),
	       ctl_clean(ctl_text(status, "host")), ctl_clean(ctl_text(status, "cluster")), ctl_int(status, "pid"),
	       ctl_duration(ctl_int(status, "up_s")));
	printf("state           %s\n", ctl_clean(ctl_text(status, "status")));
	printf("shards          %" PRId64 " (generation %" PRId64 ", Discord recommends %" PRId64 ")\n",
	       ctl_int(status, "shard_count"), ctl_int(status, "generation"), ctl_int(status, "recommended"));
	print_ledger(json_object_get(status, "ledger"));
	printf("commands        %s\n", ctl_clean(ctl_text(status, "commands")));
	printf("outside         ");
	print_outside(status, "NATS", "nats", "nats_away", "nats.url");
	print_outside(status, ", PostgreSQL", "postgres", "postgres_away", "postgres.conninfo");
	putchar('\n');
	print_letters(status);
	print_outbox(status);
	if (json_is_true(json_object_get(status, "token_invalid")))
		printf("TOKEN           Discord refuses it: nothing is sent any more (discord.token)\n");
	ctl_print_alerts(json_object_get(status, "alerts"), "ALERTS", ALERTS_SHOWN);
	putchar('\n');
	print_shards(json_object_get(status, "shards"));
}

static int show(int argc, char **argv, const struct ctl_options *options, void (*print)(const json_t *answer))
{
	json_t *answer = NULL;
	int r;

	if (argc > 1)
		return ctl_usage(argv[0], "takes no arguments");
	r = ctl_ask(options, json_pack("{s:s}", "verb", argv[0]), ASK_TIMEOUT_MS, NULL, NULL, &answer);
	if (r != CTL_OK)
		return r;
	if (options->json)
		ctl_print_json(answer);
	else
		print(answer);
	json_decref(answer);
	return CTL_OK;
}

int ctl_status(int argc, char **argv, const struct ctl_options *options)
{
	return show(argc, argv, options, print_status);
}

static void print_shards_answer(const json_t *answer)
{
	print_shards(json_object_get(answer, "shards"));
}

int ctl_shards(int argc, char **argv, const struct ctl_options *options)
{
	return show(argc, argv, options, print_shards_answer);
}
