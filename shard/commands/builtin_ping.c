/* /ping: how far away Discord is, and which shard serves this server. */
#include "shard/commands/builtin.h"

#include <stdio.h>

#include "shard/commands/commands.h"

static const char *milliseconds(const struct shoal_invocation *inv, uint64_t us, char text[NUMBER_SIZE])
{
	char number[PHRASES_DECIMAL_SIZE];

	if (us == 0)
		return builtin_text(inv, &phrase_NOT_MEASURED);
	snprintf(text, NUMBER_SIZE, "%.20s ms", phrases_decimal((double)us / 1000.0, inv->language, number));
	return text;
}

static void ping(struct shoal_invocation *inv)
{
	const struct command_services *services = commands_services(inv);
	char gateway[NUMBER_SIZE], rest[NUMBER_SIZE], shard[NUMBER_SIZE], count[NUMBER_SIZE];
	struct rest_stats stats;

	rest_stats(services->rest, &stats);
	invocation_reply_phrase(
		inv, &phrase_PING,
		WORDS({ "gateway", milliseconds(inv, services->gateway_latency_us(services->gateway_arg), gateway) },
		      { "rest", milliseconds(inv, stats.latency_us, rest) },
		      { "shard", builtin_number(services->shard_id, shard) },
		      { "count", builtin_number(services->shard_count, count) }));
}

const struct shoal_command command_ping = {
	.name = "ping",
	.description = "Is the bot there, and how far away is Discord?",
	.descriptions = SHOAL_LOCAL("Ist der Bot da, und wie weit ist es zu Discord?",
				    "¿Está el bot, y a qué distancia queda Discord?",
				    "Il bot c'è, e quanto è lontano Discord?"),
	.handle = ping,
};
