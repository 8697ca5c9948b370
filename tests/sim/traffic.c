/* Generated member traffic. The mix is what a public bot sees: much typing and presence, messages, some reactions, and
 * now and then a command. What nobody's intents ask for is made anyway and dropped at delivery, as at Discord. */
#include "tests/sim/traffic.h"

#include <stddef.h>

#include "tests/sim/events.h"
#include "tests/sim/interactions.h"
#include "tests/sim/ledger.h"
#include "tests/sim/options.h"
#include "tests/sim/session.h"
#include "tests/sim/store.h"
#include "tests/sim/util.h"
#include "tests/sim/world.h"

static uint64_t made, started_ms, due_made, last_rate;

uint64_t traffic_made(void)
{
	return made;
}

uint64_t traffic_message(const struct message_event *m, uint64_t *deliveries)
{
	struct payload *p = event_message(m);
	uint64_t n;

	if (!p)
		return 0;
	p->ledger_id = m->id;
	ledger_sent(LEDGER_MESSAGE, m->id, m->guild_id, event_is_command(m->content));
	store_member_message(m->id, m->channel_id, m->guild_id, m->author_id, p);
	n = session_deliver(p, m->guild_id);
	if (deliveries)
		*deliveries = n;
	return m->id;
}

static void say(uint64_t index, const char *text)
{
	struct message_event m = { .id = snowflake_new(), .guild_id = world_guild_id(index), .content = text };

	m.channel_id = world_id(index, WORLD_CHANNEL, world_text_channel(random_u64()));
	m.author_id = world_id(index, WORLD_USER, (uint32_t)random_below(options.members));
	traffic_message(&m, NULL);
}

static void talk(uint64_t index)
{
	static const char *const lines[] = {
		"good morning",
		"did anyone see the stream last night? it was really something",
		"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xd7\x9c\xd7\x9b\xd7\x95\xd7\x9c\xd7\x9d",
		"lol",
		"brb \xf0\x9f\x91\x8b",
		"the patch notes are out, they changed the harbour map again and nobody knows why",
		"yes",
		"thanks!",
		"\"quoted\" \\ and a tab\t and a line\nbreak",
		"who is up for a game at eight?",
	};

	say(index, lines[random_below(sizeof(lines) / sizeof(lines[0]))]);
}

static void command(uint64_t index)
{
	static const char *const names[] = { "ping", "help", "stats", "shards" };
	struct interaction_request r = { .type = 2, .guild_id = world_guild_id(index) };
	uint64_t deliveries;

	if (random_below(3) == 0) {
		say(index, "!ping");
		return;
	}
	r.name = names[random_below(4)];
	r.channel_id = world_id(index, WORLD_CHANNEL, world_text_channel(random_u64()));
	r.user_id = world_id(index, WORLD_USER, (uint32_t)random_below(options.members));
	interaction_send(&r, NULL, &deliveries);
}

static void one(uint64_t index)
{
	uint64_t guild_id = world_guild_id(index), dice = random_below(100);
	uint64_t channel_id = world_id(index, WORLD_CHANNEL, world_text_channel(random_u64()));
	uint64_t user_id = world_id(index, WORLD_USER, (uint32_t)random_below(options.members));

	if (world_guild_flag(index, "gone") || world_guild_flag(index, "unavailable"))
		return;
	if (dice < 40)
		talk(index);
	else if (dice < 65)
		session_deliver(event_typing(guild_id, channel_id, user_id), guild_id);
	else if (dice < 90)
		session_deliver(event_presence(guild_id, user_id, random_u64() >> 33), guild_id);
	else if (dice < 97)
		session_deliver(event_reaction(guild_id, channel_id, user_id,
					       store_newest(channel_id) ? store_newest(channel_id) : snowflake_new()),
				guild_id);
	else
		command(index);
}

void traffic_tick(uint64_t now_ms)
{
	uint64_t due;

	if (options.traffic != last_rate || !options.traffic) {
		last_rate = options.traffic;
		started_ms = now_ms;
		due_made = 0;
	}
	if (!options.traffic || !world_guild_count() || !session_count())
		return;
	due = (now_ms - started_ms) * options.traffic / 1000;
	if (due > due_made + options.traffic) /* the machine slept: no burst of more than a second */
		due_made = due - options.traffic;
	for (; due_made < due; due_made++) {
		one(random_below(world_guild_count()));
		made++;
	}
}
