/* The question is {"ask":"stats"}; an answer {"guilds":n,"events_per_s_milli":n,"memory_kib":n,"commands":n,
 * "commands_failed":n}. Unknown questions get
 * no answer: a newer shard may ask what we do not know. */
#include "shard/commands/fleet_stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shared/log/log.h"

struct question {
	fleet_stats_fn fn;
	void *arg;
};

static uint64_t value_of(_Atomic uint64_t *counters, enum board_counter counter)
{
	return atomic_load_explicit(&counters[counter], memory_order_relaxed);
}

static void asked(void *arg, struct bus *bus, const struct bus_message *message)
{
	_Atomic uint64_t *counters = arg;
	json_t *question = json_loadb(message->payload, message->len, 0, NULL);
	const char *ask = json_string_value(json_object_get(question, "ask"));
	char answer[256];
	int len, r;

	if (ask && strcmp(ask, "stats") == 0) {
		len = snprintf(answer, sizeof(answer),
			       "{\"guilds\":%llu,\"events_per_s_milli\":%llu,\"memory_kib\":%llu,\"commands\":%llu,"
			       "\"commands_failed\":%llu}",
			       (unsigned long long)value_of(counters, BOARD_COUNTER_guilds),
			       (unsigned long long)value_of(counters, BOARD_COUNTER_events_per_s_milli),
			       (unsigned long long)value_of(counters, BOARD_COUNTER_memory_kib),
			       (unsigned long long)value_of(counters, BOARD_COUNTER_commands),
			       (unsigned long long)value_of(counters, BOARD_COUNTER_commands_failed));
		r = bus_reply(bus, &message->reply_to, answer, (size_t)len);
		if (r < 0)
			log_debug(NULL, "fleet.reply_failed", KV_ERR(r));
	}
	json_decref(question);
}

int fleet_stats_serve(struct bus *bus, _Atomic uint64_t *counters)
{
	struct bus_subscription *subscription; /* lives as long as the bus */

	return bus_subscribe(bus, SUBJECT_FLEET_RPC, NULL, asked, counters, &subscription);
}

static void gathered(void *arg, const struct bus_gather_result *result)
{
	struct question *question = arg;
	struct fleet_stats stats = { .missing = result->missing, .missing_count = result->missing_count };
	size_t i;

	for (i = 0; i < result->answer_count; i++) {
		json_t *answer = json_loadb(result->answers[i].payload, result->answers[i].len, 0, NULL);

		stats.answered += json_is_object(answer);
		stats.guilds += (uint64_t)json_integer_value(json_object_get(answer, "guilds"));
		stats.events_per_s +=
			(double)json_integer_value(json_object_get(answer, "events_per_s_milli")) / 1000.0;
		stats.memory_kib += (uint64_t)json_integer_value(json_object_get(answer, "memory_kib"));
		stats.commands += (uint64_t)json_integer_value(json_object_get(answer, "commands"));
		stats.commands_failed += (uint64_t)json_integer_value(json_object_get(answer, "commands_failed"));
		json_decref(answer);
	}
	question->fn(question->arg, result->error, result->error ? NULL : &stats);
	free(question);
}

int fleet_stats_ask(struct bus *bus, uint32_t shard_count, fleet_stats_fn fn, void *arg)
{
	static const char ask[] = "{\"ask\":\"stats\"}";
	struct question *question = malloc(sizeof(*question));
	int r;

	if (!question)
		return -ENOMEM;
	question->fn = fn;
	question->arg = arg;
	r = bus_gather(bus, SUBJECT_FLEET_RPC, NULL, ask, sizeof(ask) - 1, NULL, shard_count, FLEET_STATS_TIMEOUT_MS,
		       gathered, question);
	if (r < 0)
		free(question);
	return r;
}
