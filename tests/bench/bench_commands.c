/* What a command costs of our own before its handler: a permission check with everything in it, a cooldown check among
 * ten thousand open buckets, a look into the registry, a message's words, the copies of whom it names. Beside each the
 * same in units of a CRC-32C over 1 KiB, since machines differ. One core, CPU time, best of the rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <shoal/permissions.h>

#include "shard/commands/cooldowns.h"
#include "shard/commands/registry.h"
#include "shard/commands/words.h"
#include "shard/modhost/loader.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/crc32c.h"

#define ROUNDS   7
#define TIMES    20000
#define CHANNELS 20
#define ROLES    10
#define BUCKETS  10000

static uint64_t sink; /* what is worked out is used */

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* --- a guild of 20 channels, 10 roles, 5 overwrites a channel --- */

static struct shoal_role_view roles[ROLES];
static struct shoal_overwrite_view overwrites[CHANNELS][5];
static struct shoal_channel_view channels[CHANNELS];
static uint64_t own_roles[4];
static struct shoal_guild_view guild = {
	.id = 1, .owner_id = 2, .roles = roles, .role_count = ROLES, .channels = channels, .channel_count = CHANNELS
};

static void make_guild(void)
{
	for (size_t i = 0; i < ROLES; i++)
		roles[i] = (struct shoal_role_view){ .id = i + 1, .position = (int32_t)i, .permissions = 0xc00 << i };
	for (size_t i = 0; i < CHANNELS; i++) {
		for (size_t j = 0; j < 5; j++)
			overwrites[i][j] = (struct shoal_overwrite_view){
				.id = j ? 2 * j : 1000, .member = !j, .allow = 1u << j, .deny = 0x800 << j
			};
		channels[i] = (struct shoal_channel_view){
			.id = 100 + i, .name = SHOAL_STR("channel"), .overwrites = overwrites[i], .overwrite_count = 5
		};
	}
	for (size_t i = 0; i < ARRAY_SIZE(own_roles); i++)
		own_roles[i] = 2 * (i + 1);
}

static void permission_check(size_t i)
{
	struct shoal_permissions_member member = { .user_id = 1000, .roles = own_roles, .role_count = 4 };
	uint64_t bits = 0;

	if (!shoal_permissions_in_channel(&guild, &member, 100 + i % CHANNELS, 1, &bits))
		abort();
	sink += (uint64_t)shoal_permissions_cover(bits, SHOAL_PERMISSION(MANAGE_GUILD));
}

/* --- cooldowns --- */

static struct cooldowns *cooldowns;
static const struct shoal_cooldown rows[] = { { SHOAL_COOLDOWN_USER, 1000, 86400 },
					      { SHOAL_COOLDOWN_GUILD, 1000, 86400 },
					      { SHOAL_COOLDOWN_CHANNEL, 1000, 86400 } };

static void cooldown_check(size_t i)
{
	struct cooldown_use use = { .command = rows,
				    .user_id = 1 + i % (BUCKETS / 2),
				    .guild_id = 1 + i % (BUCKETS / 4),
				    .channel_id = 1 + i % (BUCKETS / 4) };
	const struct shoal_cooldown *row;
	bool again;

	sink += cooldowns_take(cooldowns, rows, ARRAY_SIZE(rows), &use, NS_PER_S + i, &row, &again);
}

/* --- finding and reading --- */

static void registry_look(size_t i)
{
	(void)i;
	sink += (uint64_t)(registry_find((struct shoal_str)SHOAL_STR("STATS")) != NULL);
}

static const struct shoal_command_option options[] = {
	{ .name = "who", .description = "d", .type = SHOAL_OPTION_USER, .required = true },
	{ .name = "count", .description = "d", .type = SHOAL_OPTION_INTEGER, .min = 1, .max = 100 },
	{ .name = "where", .description = "d", .type = SHOAL_OPTION_CHANNEL },
	{ .name = "text", .description = "d", .type = SHOAL_OPTION_STRING },
	{ .name = "loud", .description = "d", .type = SHOAL_OPTION_BOOLEAN },
};
static const struct shoal_command leaf = {
	.name = "leaf", .description = "d", .options = options, .option_count = ARRAY_SIZE(options)
};

static void words_read(size_t i)
{
	static const struct shoal_user mentioned[] = { { .id = 60, .username = SHOAL_STR("mia") } };
	struct shoal_message message = { .author = { .id = 61, .username = SHOAL_STR("ada") } };
	struct shoal_str text = SHOAL_STR("<@60> 12 <#105> a text of some words that goes on for a while --loud");
	struct arguments_error error = { 0 };
	struct arguments arguments = { 0 };
	struct resolved resolved;

	(void)i;
	message.mentions.items = mentioned;
	message.mentions.count = 1;
	resolved_init(&resolved);
	if (resolved_add_message(&resolved, &message) < 0 ||
	    words_parse(&leaf, text, &resolved, &guild, &arguments, &error) < 0)
		abort();
	sink += arguments.count;
	arguments_finish(&arguments);
	resolved_finish(&resolved);
}

static void yardstick(size_t i)
{
	static char bytes[1024];

	bytes[i % sizeof(bytes)]++;
	sink += crc32c(0, bytes, sizeof(bytes));
}

static const struct {
	const char *name;
	void (*run)(size_t i);
} steps[] = {
	{ "crc32c of 1 KiB", yardstick },
	{ "permission check", permission_check },
	{ "cooldown check, 3 kinds", cooldown_check },
	{ "registry lookup", registry_look },
	{ "words of a message, resolved", words_read },
};

/* One line of JSON. */
int main(void)
{
	double best[ARRAY_SIZE(steps)], us;

	loader_add_linked();
	make_guild();
	if (cooldowns_new(0, &cooldowns) < 0)
		abort();
	for (size_t i = 0; i < BUCKETS; i++)
		cooldown_check(i);
	for (unsigned round = 0; round < ROUNDS; round++)
		for (size_t step = 0; step < ARRAY_SIZE(steps); step++) {
			us = now_us();
			for (size_t i = 0; i < TIMES; i++)
				steps[step].run(i);
			us = (now_us() - us) / TIMES;
			if (round == 0 || us < best[step])
				best[step] = us;
		}
	printf("{\"buckets\":%zu", cooldowns_count(cooldowns));
	for (size_t step = 0; step < ARRAY_SIZE(steps); step++)
		printf(",\"%s\":%.4f", steps[step].name, best[step]);
	printf(",\"sink\":%d}\n", sink != 0);
	cooldowns_free(cooldowns);
	return 0;
}
