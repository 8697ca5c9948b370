/* /server info: what the cache knows, and what only Discord can say (pictures, boosts, who is online). Without
 * Discord's answer the rest is shown. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modules/utility/card.h"
#include "shard/modules/utility/phrases.h"
#include "shard/modules/utility/utility.h"

#define CDN "https://cdn.discordapp.com"

static struct shoal_word word(struct card *card, const char *name, uint64_t number)
{
	return (struct shoal_word){ name, card_print(card, 24, "%llu", (unsigned long long)number) };
}

static void channel_line(struct card *card, const struct shoal_guild_view *guild)
{
	uint64_t text = 0, voice = 0, forum = 0, categories = 0;
	struct shoal_word words[5];
	size_t i;

	for (i = 0; i < guild->channel_count; i++) {
		switch (guild->channels[i].type) {
		case SHOAL_CHANNEL_TEXT:
		case SHOAL_CHANNEL_ANNOUNCEMENT:
			text++;
			break;
		case SHOAL_CHANNEL_VOICE:
		case SHOAL_CHANNEL_STAGE:
			voice++;
			break;
		case SHOAL_CHANNEL_CATEGORY:
			categories++;
			break;
		default:
			forum++;
		}
	}
	words[0] = word(card, "text", text);
	words[1] = word(card, "voice", voice);
	words[2] = word(card, "forum", forum);
	words[3] = word(card, "categories", categories);
	words[4] = word(card, "threads", guild->thread_count);
	card_line(card, PHRASE(CHANNELS), false, "%s", card_phrase(card, PHRASE(CHANNEL_COUNTS), words, 5));
}

static void member_line(struct card *card, const struct shoal_guild_view *guild, const struct shoal_guild_info *info)
{
	uint64_t members = guild ? guild->member_count : info->approximate_member_count;
	struct shoal_word words[2];

	words[0] = word(card, "count", members);
	if (info && info->has.approximate_presence_count) {
		words[1] = word(card, "online", info->approximate_presence_count);
		card_line(card, PHRASE(MEMBERS), true, "%s", card_phrase(card, PHRASE(OF_THESE_ONLINE), words, 2));
	} else {
		card_line(card, PHRASE(MEMBERS), true, "%s", words[0].value);
	}
}

static void verification_line(struct card *card, uint32_t level)
{
	static const struct shoal_phrase *const levels[] = { PHRASE(VERIFY_0), PHRASE(VERIFY_1), PHRASE(VERIFY_2),
							     PHRASE(VERIFY_3), PHRASE(VERIFY_4) };

	if (level < SHOAL_COUNT(levels))
		card_line(card, PHRASE(VERIFICATION), false, "%s", card_phrase(card, levels[level], NULL, 0));
}

static void feature_line(struct card *card, uint64_t features)
{
	static const struct {
		enum shoal_feature feature;
		const struct shoal_phrase *name;
	} shown[] = {
		{ SHOAL_FEATURE_VERIFIED, PHRASE(FEATURE_VERIFIED) },
		{ SHOAL_FEATURE_PARTNERED, PHRASE(FEATURE_PARTNERED) },
		{ SHOAL_FEATURE_COMMUNITY, PHRASE(FEATURE_COMMUNITY) },
		{ SHOAL_FEATURE_DISCOVERABLE, PHRASE(FEATURE_DISCOVERABLE) },
		{ SHOAL_FEATURE_AUTO_MODERATION, PHRASE(FEATURE_AUTO_MODERATION) },
		{ SHOAL_FEATURE_WELCOME_SCREEN_ENABLED, PHRASE(FEATURE_WELCOME_SCREEN_ENABLED) },
		{ SHOAL_FEATURE_VANITY_URL, PHRASE(FEATURE_VANITY_URL) },
		{ SHOAL_FEATURE_INVITES_DISABLED, PHRASE(FEATURE_INVITES_DISABLED) },
		{ SHOAL_FEATURE_MEMBER_VERIFICATION_GATE_ENABLED, PHRASE(FEATURE_MEMBER_VERIFICATION_GATE_ENABLED) },
	};
	char text[400] = "";
	size_t i, len = 0;

	for (i = 0; i < SHOAL_COUNT(shown); i++) {
		if (features >> shown[i].feature & 1)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "",
						card_phrase(card, shown[i].name, NULL, 0));
	}
	card_line(card, PHRASE(FEATURES), false, "%s", text);
}

static const char *picture(struct card *card, const char *what, uint64_t id, struct shoal_str hash, unsigned size)
{
	uint32_t i;

	for (i = 0; i < hash.len; i++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", hash.ptr[i]) || !hash.ptr[i])
			return NULL;
	}
	if (!hash.len || hash.len > 60)
		return NULL;
	return card_print(card, 300, CDN "/%s/%llu/%.*s.%s?size=%u", what, (unsigned long long)id, SHOAL_STR_ARG(hash),
			  shoal_str_starts(hash, SHOAL_STR("a_")) ? "gif" : "png", size);
}

static void of_discord(struct card *card, const struct shoal_guild_info *info)
{
	struct shoal_word words[2];

	card->embed.thumbnail_url = picture(card, "icons", info->id, info->icon, 256);
	card->embed.image_url = picture(card, "banners", info->id, info->banner, 512);
	if (info->description.len)
		card->embed.description = card_clean(card, info->description, 300);
	words[0] = word(card, "count", info->premium_subscription_count);
	words[1] = word(card, "level", info->premium_tier);
	card_line(card, PHRASE(BOOSTS), true, "%s", card_phrase(card, PHRASE(BOOST_LEVEL), words, 2));
	words[0] = word(card, "emojis", info->emojis.count);
	words[1] = word(card, "stickers", info->stickers.count);
	card_line(card, PHRASE(EMOJIS), true, "%s", card_phrase(card, PHRASE(EMOJI_COUNTS), words, 2));
}

/* At least one of both is there. */
static void show(struct shoal_invocation *inv, const struct shoal_guild_view *guild,
		 const struct shoal_guild_info *info)
{
	static const struct shoal_guild_info nothing = { .id = 0 };
	const struct shoal_guild_info *known = info ?: &nothing;
	uint64_t id = shoal_invocation_guild_id(inv), owner = guild ? guild->owner_id : known->owner_id;
	struct card card;

	card_begin(&card, LANGUAGE(inv));
	card.embed.title = card_clean(&card, guild ? guild->name : known->name, 100);
	card_line(&card, PHRASE(OWNER), true, "<@%llu>", (unsigned long long)owner);
	card_line(&card, PHRASE(ID), true, "`%llu`", (unsigned long long)id);
	card_time(&card, PHRASE(CREATED), (int64_t)shoal_snowflake_ms(id));
	member_line(&card, guild, info);
	card_line(&card, PHRASE(ROLES), true, "%u", guild ? guild->role_count : known->roles.count);
	if (info)
		of_discord(&card, info);
	else
		card.embed.footer = card_phrase(&card, PHRASE(SERVER_PARTIAL), NULL, 0);
	if (guild)
		channel_line(&card, guild);
	verification_line(&card, guild ? guild->verification_level : known->verification_level);
	if (guild)
		feature_line(&card, guild->features);
	card_reply(inv, &card);
}

static void on_guild(void *arg, const struct shoal_result *result, const struct shoal_fetched *got)
{
	struct shoal_invocation *inv = arg;
	const struct shoal_guild_view *guild = utility_guild(inv);

	if (result->error == -ECANCELED)
		return;
	if (result->error == 0 || guild)
		show(inv, guild, result->error == 0 ? got->guild : NULL);
	else
		utility_refuse_silent(inv, result);
}

static void server_info(struct shoal_invocation *inv)
{
	const struct shoal_guild_view *guild = utility_guild(inv);
	int r = shoal_guild_fetch(shoal_invocation_scope(inv), shoal_invocation_guild_id(inv), on_guild, inv);

	if (r == 0 || r == -ECANCELED)
		return;
	if (guild)
		show(inv, guild, NULL);
	else
		shoal_refuse(inv, PHRASE(DISCORD_SILENT), NULL, 0);
}

static const struct shoal_command children[] = {
	{ .name = "info",
	  .description = "This server: owner, members, channels, boosts",
	  .descriptions = SHOAL_LOCAL("Dieser Server: Inhaber, Mitglieder, Kanäle, Boosts",
				      "Este servidor: propietario, miembros, canales, mejoras",
				      "Questo server: proprietario, membri, canali, potenziamenti"),
	  .handle = server_info },
};

const struct shoal_command utility_server = {
	.name = "server",
	.description = "About this server",
	.descriptions = SHOAL_LOCAL("Über diesen Server", "Sobre este servidor", "Su questo server"),
	.flags = SHOAL_COMMAND_GUILD_ONLY,
	.children = children,
	.child_count = SHOAL_COUNT(children),
	.cooldowns = utility_cooldowns,
	.cooldown_count = 1,
};
