/* /ping: how far away Discord is, and which shard serves this server. */
#include "shard/commands/builtin.h"

#include <stdio.h>

#include "shard/commands/commands.h"

static const char *milliseconds(uint64_t us, char text[32])
{
	if (us == 0)
		return "not measured yet";
	snprintf(text, 32, "%.1f ms", (double)us / 1000.0);
	return text;
}

static void ping(struct shoal_invocation *inv)
{
	const struct command_services *services = commands_services(inv);
	char gateway[32], rest[32];
	struct rest_stats stats;

	rest_stats(services->rest, &stats);
	shoal_reply_printf(inv, "Pong! Gateway: %s, REST: %s, shard %u of %u.",
			   milliseconds(services->gateway_latency_us(services->gateway_arg), gateway),
			   milliseconds(stats.latency_us, rest), services->shard_id, services->shard_count);
}

const struct shoal_command command_ping = {
	.name = "ping",
	.description = "Is the bot there, and how far away is Discord?",
	.handle = ping,
};
