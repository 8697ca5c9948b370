/* A GUILD_CREATE as large guilds' are on average: 20 channels, 10 roles, at least 8 KB of text. */
#ifndef SHOAL_TESTS_UNIT_GUILD_TEXT_H
#define SHOAL_TESTS_UNIT_GUILD_TEXT_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define GUILD_TEXT_CHANNELS 20
#define GUILD_TEXT_ROLES    10
#define GUILD_TEXT_SIZE     65536

static inline size_t guild_text_add(char *text, size_t len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static inline size_t guild_text_add(char *text, size_t len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	len += (size_t)vsnprintf(text + len, GUILD_TEXT_SIZE - len, format, args);
	va_end(args);
	return len;
}

/* The guild's other ids follow from its own: roles id + 1.., channels id + 100.. */
static inline size_t guild_text_make(char text[GUILD_TEXT_SIZE], uint64_t id, uint64_t sequence, uint64_t bot_id)
{
	size_t len = 0;
	unsigned i;

	len = guild_text_add(
		text, len,
		"{\"t\":\"GUILD_CREATE\",\"s\":%" PRIu64 ",\"op\":0,\"d\":{\"id\":\"%" PRIu64
		"\",\"name\":\"The Lantern Harbour %" PRIu64 "\",\"icon\":\"9e51c8f0e2b34a1c9d7a6b5c4d3e2f10\","
		"\"description\":null,\"splash\":null,\"owner_id\":\"%" PRIu64
		"\",\"afk_timeout\":300,\"features\":[\"COMMUNITY\",\"NEWS\",\"SOMETHING_NEW\"],\"mfa_level\":1,"
		"\"verification_level\":2,\"premium_tier\":1,\"preferred_locale\":\"en-US\",\"large\":true,"
		"\"joined_at\":\"2025-03-01T12:00:00+00:00\",\"system_channel_id\":\"%" PRIu64
		"\",\"member_count\":1234,\"roles\":[",
		sequence, id, id % 1000, id + 7777, id + 100);
	for (i = 0; i < GUILD_TEXT_ROLES; i++)
		len = guild_text_add(text, len,
				     "%s{\"id\":\"%" PRIu64
				     "\",\"name\":\"%s %u\",\"description\":null,\"permissions\":\"%s\","
				     "\"position\":%u,\"color\":3447003,\"colors\":{\"primary_color\":3447003,"
				     "\"secondary_color\":null,\"tertiary_color\":null},\"hoist\":%s,\"managed\":false,"
				     "\"mentionable\":false,\"icon\":null,\"unicode_emoji\":null,\"flags\":0}",
				     i ? "," : "", id + i, i ? "role of some" : "@everyone", i,
				     i ? "2222085186637376" : "2248473465835073", i, i % 3 ? "false" : "true");
	len = guild_text_add(text, len, "],\"channels\":[");
	for (i = 0; i < GUILD_TEXT_CHANNELS; i++)
		len = guild_text_add(
			text, len,
			"%s{\"id\":\"%" PRIu64 "\",\"type\":%u,\"name\":\"channel-number-%u\",\"position\":%u,"
			"\"topic\":\"what people talk about here, in some words that nobody keeps in mind\","
			"\"nsfw\":false,\"rate_limit_per_user\":0,\"last_message_id\":\"%" PRIu64
			"\",\"last_pin_timestamp\":null,\"flags\":0,\"parent_id\":%s%" PRIu64 "%s,"
			"\"permission_overwrites\":[{\"id\":\"%" PRIu64
			"\",\"type\":0,\"allow\":\"0\",\"deny\":\"1024\"},{\"id\":\"%" PRIu64
			"\",\"type\":0,\"allow\":\"68608\",\"deny\":\"0\"}]}",
			i ? "," : "", id + 100 + i, i == 1 ? 4u : 0u, i, i, id + 5000 + i, i > 1 ? "\"" : "",
			i > 1 ? id + 101 : (uint64_t)0, i > 1 ? "\"" : "", id, id + 1 + i % 9);
	len = guild_text_add(text, len,
			     "],\"threads\":[],\"voice_states\":[],\"presences\":[],\"stage_instances\":[],"
			     "\"guild_scheduled_events\":[],\"emojis\":[],\"stickers\":[],\"soundboard_sounds\":[],"
			     "\"members\":[{\"user\":{\"id\":\"%" PRIu64
			     "\",\"username\":\"somebody\"},\"roles\":[],\"deaf\":false},{\"user\":{\"id\":\"%" PRIu64
			     "\",\"username\":\"shoal\",\"bot\":true},\"roles\":[\"%" PRIu64
			     "\"],\"deaf\":false,\"mute\":false,\"joined_at\":\"2025-03-01T12:00:00+00:00\"}]}}",
			     id + 9999, bot_id, id + 3);
	return len;
}

#endif
