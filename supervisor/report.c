/* Reports on the fleet. Run by the supervisor when somebody asks. Must not write anything, and must not ask a worker.
 */
#include "supervisor/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/metrics/metrics.h"
#include "supervisor/intents.h"
#include "supervisor/report_commands.h"
#include "supervisor/report_statements.h"

static void put_int(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void put_text(json_t *object, const char *key, const char *text)
{
	json_t *value = json_string(text);

	/* Words from boards and workers may be anything; jansson takes UTF-8 only. */
	json_object_set_new(object, key, value ? value : json_string("(not readable)"));
}

/* Fields of a shard that are counters of its board as they are. */
static const struct {
	const char *key;
	enum board_counter counter;
} shard_counters[] = {
	{ "guilds", BOARD_COUNTER_guilds },
	{ "guilds_unavailable", BOARD_COUNTER_guilds_unavailable },
	{ "events", BOARD_COUNTER_events_total },
	{ "events_handled", BOARD_COUNTER_events_handled },
	{ "resumes", BOARD_COUNTER_resumes },
	{ "identifies", BOARD_COUNTER_identifies },
	{ "reconnects", BOARD_COUNTER_reconnects },
	{ "loss_windows", BOARD_COUNTER_loss_windows },
	{ "commands", BOARD_COUNTER_commands },
	{ "commands_failed", BOARD_COUNTER_commands_failed },
	{ "modules_off", BOARD_COUNTER_modules_off },
	{ "memory_kib", BOARD_COUNTER_memory_kib },
	{ "guilds_missing", BOARD_COUNTER_guilds_missing },
	{ "parked", BOARD_COUNTER_events_parked },
	{ "dead_letters", BOARD_COUNTER_dead_letters },
	{ "outbox_waiting", BOARD_COUNTER_outbox_waiting },
	{ "outbox_dead", BOARD_COUNTER_outbox_dead },
};

static void put_end(json_t *object, const struct worker_end *end)
{
	json_t *last;

	if (end->class == EXIT_CLASS_NONE)
		return;
	last = json_object();
	put_text(last, "class", exit_class_name(end->class));
	json_object_set_new(last, "code", json_integer(end->code));
	put_int(last, "signal", (uint64_t)end->signal);
	put_int(last, "close_code", end->close_code);
	put_text(last, "why", end->text);
	json_object_set_new(object, "last_end", last);
}

static json_t *shard_report(const struct supervisor *supervisor, const struct worker *worker)
{
	const struct board_shard *board = worker->board;
	json_t *shard = json_object();
	char build_id[17] = "";

	put_int(shard, "id", worker->slot.shard_id);
	put_text(shard, "state", fleet_shard_state(worker));
	json_object_set_new(shard, "pid", worker->pid > 0 ? json_integer(worker->pid) : json_null());
	put_text(shard, "host", supervisor->host);
	put_int(shard, "sequence", board_shard_sequence(board));
	put_int(shard, "handled", board_shard_handled(board));
	json_object_set_new(shard, "latency_ms",
			    json_real((double)board_shard_counter(board, BOARD_COUNTER_latency_us) / 1000));
	json_object_set_new(shard, "rest_latency_ms",
			    json_real((double)board_shard_counter(board, BOARD_COUNTER_rest_latency_us) / 1000));
	json_object_set_new(shard, "events_per_s",
			    json_real((double)board_shard_counter(board, BOARD_COUNTER_events_per_s_milli) / 1000));
	put_int(shard, "restarts", worker->restarts);
	put_int(shard, "silent_ms", fleet_shard_silent_ms(worker));
	for (size_t i = 0; i < ARRAY_SIZE(shard_counters); i++)
		put_int(shard, shard_counters[i].key, board_shard_counter(board, shard_counters[i].counter));
	json_object_set_new(shard, "failing", json_boolean(worker->failing));
	json_object_set_new(shard, "adopted", json_boolean(worker->adopted));
	json_object_set_new(shard, "linked", json_boolean(worker->peer != NULL));
	put_text(shard, "slot", slot_state_name(slot_state(&worker->slot)));
	board_shard_build_id(board, build_id);
	build_id[16] = '\0';
	put_text(shard, "build_id", build_id);
	put_int(shard, "up_s", worker->pid > 0 ? (clock_monotonic_ns() - worker->started_ns) / NS_PER_S : 0);
	put_end(shard, &worker->end);
	return shard;
}

static void put_shards(json_t *object, const struct supervisor *supervisor, struct report_page page)
{
	uint32_t count = supervisor->fleet ? supervisor->fleet->count : 0, i = page.first;
	json_t *shards = json_array();

	for (; i < count && i - page.first < page.max; i++)
		json_array_append_new(shards, shard_report(supervisor, &supervisor->fleet->workers[i]));
	json_object_set_new(object, "shards", shards);
	if (i < count)
		put_int(object, "next", i);
}

json_t *report_fleet(const struct supervisor *supervisor, struct report_page page)
{
	json_t *fleet = json_object();

	put_int(fleet, "shard_count", supervisor->plan.shard_count);
	put_int(fleet, "generation", supervisor->plan.generation);
	put_shards(fleet, supervisor, page);
	return fleet;
}

static json_t *ledger_report(const struct supervisor *supervisor)
{
	struct ledger_status status;
	json_t *ledger;
	char reset[CLOCK_ISO_SIZE];

	if (!supervisor->ledger)
		return json_null();
	ledger_status(supervisor->ledger, &status);
	ledger = json_object();
	put_int(ledger, "total", status.total);
	put_int(ledger, "remaining", status.remaining);
	put_int(ledger, "reserve", status.reserve);
	put_int(ledger, "max_concurrency", status.max_concurrency);
	put_int(ledger, "waiting", status.waiting);
	put_int(ledger, "granted", status.granted);
	put_int(ledger, "denied", status.denied);
	json_object_set_new(ledger, "exhausted", json_boolean(status.exhausted));
	if (status.reset_wall_ms != 0)
		put_text(ledger, "resets_at", clock_format_iso(status.reset_wall_ms, reset));
	return ledger;
}

static json_t *intent_names(uint32_t intents)
{
	json_t *names = json_array();

	for (size_t i = 0; i < intent_row_count; i++)
		if (intents & 1U << intent_rows[i].bit)
			json_array_append_new(names, json_string(intent_rows[i].name));
	return names;
}

static void put_id(json_t *object, const char *key, uint64_t id)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, id);
	put_text(object, key, id != 0 ? text : "");
}

static uint64_t sum_over_shards(const struct supervisor *supervisor, enum board_counter gauge)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; supervisor->fleet && i < supervisor->fleet->count; i++)
		sum += board_shard_counter(supervisor->fleet->workers[i].board, gauge);
	return sum;
}

/* How many shards miss something outside. */
static uint64_t shards_with(const struct supervisor *supervisor, enum board_counter gauge)
{
	uint64_t count = 0;

	for (uint32_t i = 0; supervisor->fleet && i < supervisor->fleet->count; i++)
		count += board_shard_counter(supervisor->fleet->workers[i].board, gauge) != 0;
	return count;
}

static uint64_t most_of_shards(const struct supervisor *supervisor, enum board_counter gauge)
{
	uint64_t most = 0, value;

	for (uint32_t i = 0; supervisor->fleet && i < supervisor->fleet->count; i++) {
		value = board_shard_counter(supervisor->fleet->workers[i].board, gauge);
		most = value > most ? value : most;
	}
	return most;
}

/* Discord's last word on what the fleet may do, and how old it is. */
static json_t *discord_report(const struct supervisor *supervisor)
{
	json_t *discord = json_object();

	json_object_set_new(discord, "answered", json_boolean(supervisor->asked_ns != 0));
	put_int(discord, "answered_s_ago",
		supervisor->asked_ns ? (clock_boottime_ns() - supervisor->asked_ns) / NS_PER_S : 0);
	put_text(discord, "problem", supervisor->refresh_why);
	return discord;
}

json_t *report_status(const struct supervisor *supervisor, struct report_page page)
{
	const struct config *config = supervisor->config;
	const struct upstream_info *info = upstream_info(supervisor->upstream);
	json_t *status = json_object();
	char line[256];

	report_line(supervisor, line, sizeof(line));
	put_text(status, "version", shoal_version);
	put_text(status, "build_id", shoal_build_id);
	put_int(status, "pid", (uint64_t)getpid());
	put_int(status, "serial", supervisor->reexec->serial);
	put_text(status, "binary", supervisor->reexec->own_path);
	put_text(status, "host", supervisor->host);
	put_text(status, "cluster", config->supervisor_cluster);
	put_text(status, "phase", supervisor_phase_name(supervisor->phase));
	put_text(status, "status", line);
	put_text(status, "why", supervisor->why);
	put_int(status, "up_s", (clock_monotonic_ns() - supervisor->started_ns) / NS_PER_S);
	put_text(status, "runtime_dir", config->supervisor_runtime_dir);
	put_text(status, "state_dir", config->supervisor_state_dir);
	put_int(status, "dead_letters", sum_over_shards(supervisor, BOARD_COUNTER_dead_letters));
	put_int(status, "parked", sum_over_shards(supervisor, BOARD_COUNTER_events_parked));
	put_int(status, "parked_away", shards_with(supervisor, BOARD_COUNTER_parked_away));
	put_int(status, "outbox_waiting", sum_over_shards(supervisor, BOARD_COUNTER_outbox_waiting));
	put_int(status, "outbox_dead", sum_over_shards(supervisor, BOARD_COUNTER_outbox_dead));
	put_int(status, "outbox_oldest_s", most_of_shards(supervisor, BOARD_COUNTER_outbox_oldest_s));
	put_int(status, "outbox_failing", shards_with(supervisor, BOARD_COUNTER_outbox_failing));
	put_text(status, "http_listen", http_listening(supervisor->http));
	put_text(status, "api_base", config->discord_api_base);
	json_object_set_new(status, "discord", discord_report(supervisor));
	put_int(status, "shard_count", supervisor->plan.shard_count);
	put_int(status, "recommended", info->recommended);
	put_int(status, "generation", supervisor->plan.generation);
	put_int(status, "ready", supervisor->fleet ? fleet_ready_count(supervisor->fleet) : 0);
	put_id(status, "application_id", info->application_id);
	put_id(status, "user_id", info->user_id);
	json_object_set_new(status, "intents", intent_names(supervisor->intents));
	put_text(status, "commands", commandsync_state_name(commandsync_state(supervisor->commands)));
	json_object_set_new(status, "token_invalid", json_boolean(board_host_token_invalid(supervisor->board)));
	put_int(status, "invalid_requests", board_host_invalid_count(supervisor->board, clock_boottime_ns()));
	json_object_set_new(status, "nats", json_boolean(config->nats_url[0] != '\0'));
	json_object_set_new(status, "postgres", json_boolean(config->postgres_conninfo[0] != '\0'));
	put_int(status, "nats_away", shards_with(supervisor, BOARD_COUNTER_nats_away));
	put_int(status, "postgres_away", shards_with(supervisor, BOARD_COUNTER_postgres_away));
	json_object_set_new(status, "ledger", ledger_report(supervisor));
	json_object_set_new(status, "alerts", alerts_report(&supervisor->alerts));
	put_shards(status, supervisor, page);
	return status;
}

bool report_all_ready(const struct supervisor *supervisor)
{
	return supervisor->phase == PHASE_RUNNING && supervisor->fleet &&
	       fleet_ready_count(supervisor->fleet) == supervisor->fleet->count;
}

void report_line(const struct supervisor *supervisor, char *text, size_t size)
{
	struct ledger_status ledger = { 0 };
	uint32_t ready, count;

	if (!supervisor->fleet || supervisor->phase == PHASE_ASKING) {
		snprintf(text, size, "starting: %s", supervisor->why[0] ? supervisor->why : "asking Discord");
		return;
	}
	ready = fleet_ready_count(supervisor->fleet);
	count = supervisor->fleet->count;
	if (supervisor->phase >= PHASE_STOPPING) {
		uint32_t left = 0;

		for (uint32_t i = 0; i < count; i++)
			left += slot_state(&supervisor->fleet->workers[i].slot) != SLOT_STOPPED;
		snprintf(text, size, "stopping: %" PRIu32 " of %" PRIu32 " workers left", left, count);
		return;
	}
	if (supervisor->ledger)
		ledger_status(supervisor->ledger, &ledger);
	if (ledger.exhausted)
		snprintf(text, size,
			 "%" PRIu32 "/%" PRIu32 " shards ready; waiting for session starts (%" PRIu32 " left, %" PRIu32
			 " kept back)",
			 ready, count, ledger.remaining, ledger.reserve);
	else
		snprintf(text, size, "%" PRIu32 "/%" PRIu32 " shards ready", ready, count);
}

static void put_fleet_metrics(struct metrics *metrics, const struct supervisor *supervisor)
{
	const struct fleet *fleet = supervisor->fleet;
	char shard[16];

	metrics_family(metrics, "shards", METRICS_GAUGE, "shards of the plan");
	metrics_u64(metrics, "shards", fleet->count, NULL);
	metrics_family(metrics, "shards_ready", METRICS_GAUGE, "shards that are ready");
	metrics_u64(metrics, "shards_ready", fleet_ready_count(fleet), NULL);
	metrics_family(metrics, "shard_state", METRICS_GAUGE, "1 for the state a shard is in");
	for (uint32_t i = 0; i < fleet->count; i++) {
		snprintf(shard, sizeof(shard), "%" PRIu32, i);
		metrics_u64(metrics, "shard_state", 1, "shard", shard, "state", fleet_shard_state(&fleet->workers[i]),
			    NULL);
	}
	metrics_family(metrics, "worker_restarts", METRICS_COUNTER, "processes of a shard after its first");
	for (uint32_t i = 0; i < fleet->count; i++) {
		snprintf(shard, sizeof(shard), "%" PRIu32, i);
		metrics_u64(metrics, "worker_restarts", fleet->workers[i].restarts, "shard", shard, NULL);
	}
	metrics_family(metrics, "worker_deaths", METRICS_COUNTER, "workers that ended unasked");
	metrics_u64(metrics, "worker_deaths", fleet->deaths, NULL);
	metrics_family(metrics, "watchdog_kills", METRICS_COUNTER, "workers aborted because their loop hung");
	metrics_u64(metrics, "watchdog_kills", fleet->watchdog_kills, NULL);
}

static void put_board_metrics(struct metrics *metrics, const struct fleet *fleet)
{
	struct metrics_shard *shards = calloc(fleet->count, sizeof(*shards));

	if (!shards) {
		metrics->error = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < fleet->count; i++)
		shards[i] = (struct metrics_shard){ .shard_id = i, .board = fleet->workers[i].board };
	metrics_shards(metrics, shards, fleet->count);
	free(shards);
}

static void put_ledger_metrics(struct metrics *metrics, const struct ledger *ledger)
{
	struct ledger_status status;

	ledger_status(ledger, &status);
	metrics_family(metrics, "session_starts_remaining", METRICS_GAUGE, "session starts left in Discord's window");
	metrics_u64(metrics, "session_starts_remaining", status.remaining, NULL);
	metrics_family(metrics, "session_starts_total", METRICS_GAUGE, "session starts of a whole window");
	metrics_u64(metrics, "session_starts_total", status.total, NULL);
	metrics_family(metrics, "session_starts_reserve", METRICS_GAUGE, "session starts kept back");
	metrics_u64(metrics, "session_starts_reserve", status.reserve, NULL);
	metrics_family(metrics, "identify_grants", METRICS_COUNTER, "session starts debited");
	metrics_u64(metrics, "identify_grants", status.granted, NULL);
	metrics_family(metrics, "identify_denials", METRICS_COUNTER, "identify requests refused for lack of starts");
	metrics_u64(metrics, "identify_denials", status.denied, NULL);
	metrics_family(metrics, "identify_waiting", METRICS_GAUGE, "identify requests that wait for their bucket");
	metrics_u64(metrics, "identify_waiting", status.waiting, NULL);
	metrics_family(metrics, "identify_exhausted", METRICS_GAUGE, "1 when more starts are needed than are left");
	metrics_u64(metrics, "identify_exhausted", status.exhausted, NULL);
}

int report_metrics(const struct supervisor *supervisor, struct buf *out)
{
	struct metrics metrics;

	metrics_begin(&metrics, out);
	metrics_family(&metrics, "build_info", METRICS_GAUGE, "what runs here");
	metrics_u64(&metrics, "build_info", 1, "version", shoal_version, "build_id", shoal_build_id, "host",
		    supervisor->host, "cluster", supervisor->config->supervisor_cluster, NULL);
	metrics_family(&metrics, "up_seconds", METRICS_GAUGE, "since the supervisor was started");
	metrics_double(&metrics, "up_seconds",
		       (double)(clock_monotonic_ns() - supervisor->started_ns) / (double)NS_PER_S, NULL);
	metrics_family(&metrics, "ready", METRICS_GAUGE, "1 when every shard is ready");
	metrics_u64(&metrics, "ready", report_all_ready(supervisor), NULL);
	metrics_family(&metrics, "invalid_requests", METRICS_GAUGE, "401, 403 and 429 answers in the last 10 minutes");
	metrics_u64(&metrics, "invalid_requests", board_host_invalid_count(supervisor->board, clock_boottime_ns()),
		    NULL);
	alerts_metrics(&supervisor->alerts, &metrics);
	if (supervisor->ledger)
		put_ledger_metrics(&metrics, supervisor->ledger);
	modules_metrics(supervisor, &metrics);
	if (supervisor->fleet) {
		put_fleet_metrics(&metrics, supervisor);
		put_board_metrics(&metrics, supervisor->fleet);
		report_statements(&metrics, supervisor->fleet);
		report_commands(&metrics, supervisor->fleet);
	}
	return metrics_end(&metrics);
}
