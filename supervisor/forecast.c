/* Forecasts. Run by the supervisor when somebody asks; reads boards and ledger, changes nothing, asks no worker. */
#include "supervisor/forecast.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/clock.h"
#include "supervisor/intents.h"

/* A restart by RESUME where none has been measured: process, hello, connection, RESUMED, the time its stop may take. */
#define RESTART_GUESS_MS 1500

struct forecast {
	uint64_t identifies, seconds_ms, memory_kib;
	json_t *reasons;
};

static void give_reason(struct forecast *forecast, const char *text)
{
	json_array_append_new(forecast->reasons, json_string(text));
}

/* Starts go by buckets of max_concurrency, one a bucket and window. */
static uint64_t spacing_ms(const struct ledger_status *ledger, uint64_t starts)
{
	uint64_t at_once = ledger->max_concurrency > 0 ? ledger->max_concurrency : 1;

	return starts > at_once ? (starts - 1) / at_once * (LEDGER_WINDOW_NS / NS_PER_MS) : 0;
}

static uint64_t memory_of(const struct fleet *fleet)
{
	uint64_t kib = 0;

	for (uint32_t i = 0; i < fleet->count; i++)
		kib += board_shard_counter(fleet->workers[i].board, BOARD_COUNTER_memory_kib);
	return kib;
}

static json_t *conclude(const struct supervisor *supervisor, struct forecast *forecast, const char *what)
{
	struct ledger_status ledger;
	uint64_t available;
	char text[160];

	ledger_status(supervisor->ledger, &ledger);
	available = ledger.remaining > ledger.reserve ? ledger.remaining - ledger.reserve : 0;
	if (forecast->identifies > available) {
		snprintf(text, sizeof(text),
			 "only %" PRIu64
			 " session starts are left above the reserve: the rest would wait for the next window",
			 available);
		give_reason(forecast, text);
	}
	return json_pack("{s:s, s:I, s:f, s:I, s:I, s:b, s:o}", "what", what, "identifies",
			 (json_int_t)forecast->identifies, "seconds", (double)forecast->seconds_ms / 1000, "memory_kib",
			 (json_int_t)forecast->memory_kib, "identifies_available", (json_int_t)available, "affordable",
			 forecast->identifies <= available, "why", forecast->reasons);
}

static void judge_sessions(const struct supervisor *supervisor, struct forecast *forecast)
{
	const struct fleet *fleet = supervisor->fleet;
	char text[160];

	for (uint32_t i = 0; i < fleet->count; i++) {
		struct board_session session;
		uint64_t sequence;

		forecast->identifies += !board_shard_session(fleet->workers[i].board, &session, &sequence);
	}
	if (forecast->identifies > 0)
		snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu32 " shards have no session to resume",
			 forecast->identifies, fleet->count);
	else
		snprintf(text, sizeof(text), "all %" PRIu32 " shards have a session and resume it", fleet->count);
	give_reason(forecast, text);
}

static void judge_programs(const struct supervisor *supervisor, struct forecast *forecast,
			   const struct reexec_answer *next)
{
	uint32_t count = supervisor->fleet->count, more;
	char text[256];

	snprintf(text, sizeof(text), "shoald of build %s, shoal-shard of build %s", next->build_id,
		 next->worker_build_id[0] ? next->worker_build_id : "unknown");
	give_reason(forecast, text);
	more = next->intents & ~supervisor->manifest.intents;
	if (next->intents_auto && supervisor->have_manifest && next->intents != supervisor->manifest.intents) {
		snprintf(text, sizeof(text),
			 "the intents change (%" PRIu32 " to %" PRIu32
			 "%s): running sessions keep theirs; to apply the "
			 "new ones takes %" PRIu32 " identifies, which an upgrade never spends by itself",
			 supervisor->manifest.intents, next->intents,
			 more ? ", events that the new program wants are missing until then" : "", count);
		give_reason(forecast, text);
	}
	if (next->shard_count != 0 && next->shard_count != count) {
		snprintf(text, sizeof(text),
			 "discord.shard_count is %" PRIu32 " there: the running %" PRIu32 " are kept, see plan reshard",
			 next->shard_count, count);
		give_reason(forecast, text);
	}
}

json_t *forecast_restart(const struct supervisor *supervisor, const struct reexec_answer *next)
{
	struct forecast forecast = { .reasons = json_array() };
	struct ledger_status ledger;

	judge_sessions(supervisor, &forecast);
	if (next)
		judge_programs(supervisor, &forecast, next);
	ledger_status(supervisor->ledger, &ledger);
	forecast.seconds_ms =
		(uint64_t)supervisor->fleet->count * RESTART_GUESS_MS + spacing_ms(&ledger, forecast.identifies);
	give_reason(&forecast, "one shard at a time: the old process ends before the new one starts, so no memory is "
			       "needed beside what runs");
	return conclude(supervisor, &forecast, next ? "upgrade" : "restart");
}

/* What an intents change means, which is why this is asked at all: a session keeps the intents that it identified with.
 */
static void judge_intents(const struct supervisor *supervisor, struct forecast *forecast, const struct manifest *next)
{
	uint32_t count = supervisor->fleet->count, more = next->intents & ~supervisor->intents, missing, asked;
	const char *bad = NULL;
	char text[320];

	if (more == 0) {
		give_reason(forecast, "the intents stay as they are");
		return;
	}
	if (intents_parse(supervisor->config->discord_intents, &asked, &bad) != -ENODATA) {
		give_reason(forecast,
			    "discord.intents is set by name: what the module needs beyond it does not come, until it "
			    "is named there");
		return;
	}
	missing = intents_not_granted(more, upstream_info(supervisor->upstream)->application_flags);
	for (size_t i = 0; i < intent_row_count; i++) {
		if (!(more & 1U << intent_rows[i].bit))
			continue;
		snprintf(text, sizeof(text), "needs the intent %s%s", intent_rows[i].name,
			 missing & 1U << intent_rows[i].bit ? ", which Discord's developer portal has not granted this "
							      "application: its events would "
							      "not come"
							    : "");
		give_reason(forecast, text);
	}
	if (!(more & ~missing))
		return;
	forecast->identifies += count;
	snprintf(text, sizeof(text),
		 "module reload resumes, so running sessions keep their intents; the new ones take %" PRIu32
		 " identifies (shoalctl stop --logout and a start), which is never done by itself",
		 count);
	give_reason(forecast, text);
}

json_t *forecast_module(const struct supervisor *supervisor, const struct manifest *next, const char *name)
{
	struct forecast forecast = { .reasons = json_array() };
	struct ledger_status ledger;
	char text[256];

	judge_sessions(supervisor, &forecast);
	judge_intents(supervisor, &forecast, next);
	if (strcmp(next->hash, supervisor->manifest.hash) != 0) {
		snprintf(text, sizeof(text),
			 "the commands change (%zu now, %zu then): they are registered with Discord",
			 json_array_size(supervisor->manifest.commands), json_array_size(next->commands));
		give_reason(&forecast, text);
	}
	ledger_status(supervisor->ledger, &ledger);
	forecast.seconds_ms =
		(uint64_t)supervisor->fleet->count * RESTART_GUESS_MS + spacing_ms(&ledger, forecast.identifies);
	snprintf(text, sizeof(text), "module load %.64s", name);
	return conclude(supervisor, &forecast, text);
}

json_t *forecast_reshard(const struct supervisor *supervisor, uint32_t count)
{
	const struct fleet *fleet = supervisor->fleet;
	struct forecast forecast = { .identifies = count, .reasons = json_array() };
	struct ledger_status ledger;

	ledger_status(supervisor->ledger, &ledger);
	forecast.seconds_ms = RESTART_GUESS_MS + spacing_ms(&ledger, count);
	forecast.memory_kib = fleet->count > 0 ? memory_of(fleet) / fleet->count * count : 0;
	give_reason(&forecast, "sessions belong to a shard count: each shard of another one identifies");
	give_reason(&forecast, "both generations run side by side until the new one is ready: its memory comes on top");
	if (count < upstream_info(supervisor->upstream)->recommended)
		give_reason(&forecast, "fewer shards than Discord recommends: it may refuse with 4011");
	return conclude(supervisor, &forecast, "reshard");
}
