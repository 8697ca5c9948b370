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

static void name_missing(struct buf *out, const struct shoal_invocation *inv, const struct fleet_stats *stats)
{
	CLEANUP(buf_finish) struct buf shards = { 0 };
	CLEANUP(buf_finish) struct buf all = { 0 };
	char count[NUMBER_SIZE];
	size_t i;

	buf_init(&shards, STATS_TEXT_MAX);
	buf_init(&all, STATS_TEXT_MAX);

	if (stats->missing_count == 0)
		return;
	for (i = 0; i < stats->missing_count && i < STATS_MISSING_MAX; i++)
		buf_printf(&shards, "%s%u", i ? ", " : "", stats->missing[i]);
	if (stats->missing_count > STATS_MISSING_MAX)
		builtin_put(&all, inv, &phrase_AND_MORE,
			    WORDS({ "list", buf_cstr(&shards) ? buf_cstr(&shards) : "" },
				  { "count", builtin_number(stats->missing_count - STATS_MISSING_MAX, count) }));
	else
		buf_append_str(&all, buf_cstr(&shards) ? buf_cstr(&shards) : "");
	buf_append_char(out, '\n');
	builtin_put(out, inv, &phrase_STATS_MISSING, WORDS({ "shards", buf_cstr(&all) ? buf_cstr(&all) : "" }));
}

/* What is used most, of this shard's own counters. */
static void add_most_used(struct buf *out, const struct shoal_invocation *inv)
{
	const struct command_tally *tally = &inv->commands->tally;
	const struct command_tally_row *shown[STATS_MOST_USED] = { NULL };
	CLEANUP(buf_finish) struct buf names = { 0 };

	buf_init(&names, STATS_TEXT_MAX);
	for (size_t place = 0; place < STATS_MOST_USED; place++) {
		for (size_t i = 0; i < tally->count; i++) {
			const struct command_tally_row *row = &tally->rows[i];
			bool before = place == 0 || command_tally_uses(row) < command_tally_uses(shown[place - 1]) ||
				      (command_tally_uses(row) == command_tally_uses(shown[place - 1]) &&
				       row > shown[place - 1]);

			/* A button or form ("utility.vote") is nobody's command. */
			if (before && !strchr(row->path, '.') && command_tally_uses(row) > 0 &&
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

static void own_numbers(struct shoal_invocation *inv, const struct shoal_phrase *why)
{
	const struct command_services *services = commands_services(inv);
	char shard[NUMBER_SIZE], servers[NUMBER_SIZE], rate[NUMBER_SIZE], memory[NUMBER_SIZE];
	CLEANUP(buf_finish) struct buf out = { 0 };

	builtin_number(services->shard_id, shard);
	builtin_number(board_shard_counter(services->board, BOARD_COUNTER_guilds), servers);
	phrases_decimal((double)board_shard_counter(services->board, BOARD_COUNTER_events_per_s_milli) / 1000.0,
			inv->language, rate);
	phrases_decimal((double)board_shard_counter(services->board, BOARD_COUNTER_memory_kib) / 1024.0, inv->language,
			memory);
	buf_init(&out, STATS_TEXT_MAX);
	buf_printf(&out, "%s ", builtin_text(inv, why));
	builtin_put(&out, inv, &phrase_STATS_ALONE,
		    WORDS({ "shard", shard }, { "servers", servers }, { "rate", rate }, { "memory", memory }));
	if (buf_cstr(&out))
		shoal_reply_text(inv, buf_cstr(&out));
}

static void answered(void *arg, int error, const struct fleet_stats *stats)
{
	char answered_text[NUMBER_SIZE], count[NUMBER_SIZE], servers[NUMBER_SIZE], rate[NUMBER_SIZE],
		memory[NUMBER_SIZE];
	struct shoal_invocation *inv = arg;
	CLEANUP(buf_finish) struct buf out = { 0 };

	buf_init(&out, STATS_TEXT_MAX);
	if (error == 0 && stats->answered == 0) { /* not even ours came back */
		own_numbers(inv, &phrase_STATS_NATS_AWAY);
	} else if (error == 0) {
		builtin_put(&out, inv, &phrase_STATS_ALL,
			    WORDS({ "answered", builtin_number(stats->answered, answered_text) },
				  { "count", builtin_number(commands_services(inv)->shard_count, count) },
				  { "servers", builtin_number(stats->guilds, servers) },
				  { "rate", phrases_decimal(stats->events_per_s, inv->language, rate) },
				  { "memory",
				    phrases_decimal((double)stats->memory_kib / 1024.0, inv->language, memory) }));
		add_commands(&out, inv, stats->commands, stats->commands_failed);
		name_missing(&out, inv, stats);
		if (buf_cstr(&out))
			shoal_reply_text(inv, buf_cstr(&out));
	} else if (error != -ECANCELED) {
		own_numbers(inv, &phrase_STATS_BROKE);
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
	own_numbers(inv, bus_is_on(services->bus) ? &phrase_STATS_NATS_AWAY : &phrase_STATS_NO_NATS);
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
	.descriptions = SHOAL_LOCAL("Server, Ereignisse und Speicher aller Shards",
				    "Servidores, eventos y memoria de todos los shards",
				    "Server, eventi e memoria di tutti gli shard"),
	.cooldowns = cooldowns,
	.cooldown_count = ARRAY_SIZE(cooldowns),
	.handle = stats,
};
