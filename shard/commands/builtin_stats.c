/* /stats: the whole fleet's numbers in one answer. */
#include "shard/commands/builtin.h"

#include <errno.h>

#include "shard/commands/commands.h"
#include "shard/commands/fleet_stats.h"
#include "shared/base/buf.h"
#include "shared/base/errors.h"

#define STATS_TEXT_MAX    8192
#define STATS_MISSING_MAX 20
#define STATS_MOST_USED   5

static void name_missing(struct buf *out, const struct fleet_stats *stats)
{
	size_t i;

	if (stats->missing_count == 0)
		return;
	buf_append_str(out, "\nNo answer within half a second from shard ");
	for (i = 0; i < stats->missing_count && i < STATS_MISSING_MAX; i++)
		buf_printf(out, "%s%u", i ? ", " : "", stats->missing[i]);
	if (stats->missing_count > STATS_MISSING_MAX)
		buf_printf(out, " and %zu more", stats->missing_count - STATS_MISSING_MAX);
	buf_append_str(out, ": not counted above.");
}

/* What is used most, of this shard's own counters. */
static void add_most_used(struct buf *out, const struct shoal_invocation *inv)
{
	const struct command_tally *tally = &inv->commands->tally;
	const struct command_tally_row *shown[STATS_MOST_USED] = { NULL };
	CLEANUP(buf_finish) struct buf names;

	buf_init(&names, STATS_TEXT_MAX);
	for (size_t place = 0; place < STATS_MOST_USED; place++) {
		for (size_t i = 0; i < tally->count; i++) {
			const struct command_tally_row *row = &tally->rows[i];
			bool before = place == 0 || command_tally_uses(row) < command_tally_uses(shown[place - 1]) ||
				      (command_tally_uses(row) == command_tally_uses(shown[place - 1]) &&
				       row > shown[place - 1]);

			if (before && command_tally_uses(row) > 0 &&
			    (!shown[place] || command_tally_uses(row) > command_tally_uses(shown[place])))
				shown[place] = row;
		}
		if (!shown[place])
			break;
		buf_printf(&names, "%s`%s` %llu", place ? ", " : "", shown[place]->path,
			   (unsigned long long)command_tally_uses(shown[place]));
	}
	if (!shown[0] || !buf_cstr(&names))
		return;
	buf_append_char(out, ' ');
	phrases_print(out, &phrase_STATS_MOST_USED, inv->language, &(struct shoal_word){ "commands", buf_cstr(&names) },
		      1);
}

static void add_commands(struct buf *out, const struct shoal_invocation *inv, uint64_t count, uint64_t failed)
{
	char counts[2][24];

	snprintf(counts[0], sizeof(counts[0]), "%llu", (unsigned long long)count);
	snprintf(counts[1], sizeof(counts[1]), "%llu", (unsigned long long)failed);
	buf_append_char(out, '\n');
	phrases_print(out, &phrase_STATS_COMMANDS, inv->language,
		      (const struct shoal_word[]){ { "count", counts[0] }, { "failed", counts[1] } }, 2);
	add_most_used(out, inv);
}

static void own_numbers(struct shoal_invocation *inv, const char *why)
{
	const struct command_services *services = commands_services(inv);

	shoal_reply_printf(inv, "%s Shard %u alone: %llu servers, %.1f events/s, %.1f MiB.", why, services->shard_id,
			   (unsigned long long)board_shard_counter(services->board, BOARD_COUNTER_guilds),
			   (double)board_shard_counter(services->board, BOARD_COUNTER_events_per_s_milli) / 1000.0,
			   (double)board_shard_counter(services->board, BOARD_COUNTER_memory_kib) / 1024.0);
}

static void answered(void *arg, int error, const struct fleet_stats *stats)
{
	struct shoal_invocation *inv = arg;
	CLEANUP(buf_finish) struct buf out;

	buf_init(&out, STATS_TEXT_MAX);
	if (error == 0) {
		buf_printf(&out, "**%zu of %u shards**: %llu servers, %.1f events/s, %.1f MiB of memory.",
			   stats->answered, commands_services(inv)->shard_count, (unsigned long long)stats->guilds,
			   stats->events_per_s, (double)stats->memory_kib / 1024.0);
		add_commands(&out, inv, stats->commands, stats->commands_failed);
		name_missing(&out, stats);
		if (buf_cstr(&out))
			shoal_reply_text(inv, buf_cstr(&out));
	} else if (error != -ECANCELED) {
		own_numbers(inv, "The connection between the shards broke just now.");
	}
	shoal_invocation_release(inv);
}

static void stats(struct shoal_invocation *inv)
{
	const struct command_services *services = commands_services(inv);
	int r;

	shoal_invocation_hold(inv);
	r = fleet_stats_ask(services->bus, services->shard_count, answered, inv);
	if (r == 0)
		return;
	own_numbers(inv, !bus_is_on(services->bus)
				 ? "The shards can't ask each other here, because NATS is not configured."
				 : "The shards can't ask each other just now.");
	shoal_invocation_release(inv);
}

/* It asks every shard there is. */
static const struct shoal_cooldown cooldowns[] = {
	{ SHOAL_COOLDOWN_USER, 10, 60 },
	{ SHOAL_COOLDOWN_GUILD, 30, 60 },
};

const struct shoal_command command_stats = {
	.name = "stats",
	.description = "Servers, events and memory over all shards",
	.cooldowns = cooldowns,
	.cooldown_count = ARRAY_SIZE(cooldowns),
	.handle = stats,
};
