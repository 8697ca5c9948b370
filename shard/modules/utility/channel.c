/* /channel info. Only of channels of this server that the asking member can see: an id may be typed, and what a hidden
 * channel is about is nobody's business. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modules/utility/card.h"
#include "shard/modules/utility/phrases.h"
#include "shard/modules/utility/utility.h"

#define NO_ACCESS 50001

struct wait {
	struct shoal_invocation *inv;
	uint64_t channel_id;
};

static const struct shoal_channel_view *view_of(const struct shoal_guild_view *guild, uint64_t id)
{
	size_t i;

	for (i = 0; guild && i < guild->channel_count; i++) {
		if (guild->channels[i].id == id)
			return &guild->channels[i];
	}
	return NULL;
}

/* Whether the asker may see it. What the cache does not know (an archived thread) is judged by its parent. */
static bool may_see(struct shoal_invocation *inv, const struct shoal_guild_view *guild, uint64_t channel_id,
		    const struct shoal_channel *fetched)
{
	const struct shoal_resolved_channel *resolved = shoal_resolved_channel(inv, channel_id);
	struct shoal_permissions_member member;
	uint64_t bits;

	if (resolved && resolved->permissions_known)
		return resolved->permissions & (SHOAL_PERMISSION(VIEW_CHANNEL) | SHOAL_PERMISSION_ADMINISTRATOR);
	if (!guild || !shoal_invocation_member(inv, &member))
		return false;
	if (shoal_permissions_in_channel(guild, &member, channel_id, shoal_now_ms(), &bits))
		return bits & SHOAL_PERMISSION(VIEW_CHANNEL);
	return fetched && fetched->type != SHOAL_CHANNEL_PRIVATE_THREAD && fetched->parent_id &&
	       shoal_permissions_in_channel(guild, &member, fetched->parent_id, shoal_now_ms(), &bits) &&
	       (bits & SHOAL_PERMISSION(VIEW_CHANNEL));
}

static const struct shoal_phrase *kind_of(uint32_t type)
{
	static const struct shoal_phrase *const kinds[] = {
		[SHOAL_CHANNEL_TEXT] = PHRASE(TYPE_TEXT),
		[SHOAL_CHANNEL_VOICE] = PHRASE(TYPE_VOICE),
		[SHOAL_CHANNEL_CATEGORY] = PHRASE(TYPE_CATEGORY),
		[SHOAL_CHANNEL_ANNOUNCEMENT] = PHRASE(TYPE_NEWS),
		[SHOAL_CHANNEL_ANNOUNCEMENT_THREAD] = PHRASE(TYPE_THREAD),
		[SHOAL_CHANNEL_PUBLIC_THREAD] = PHRASE(TYPE_THREAD),
		[SHOAL_CHANNEL_PRIVATE_THREAD] = PHRASE(TYPE_PRIVATE_THREAD),
		[SHOAL_CHANNEL_STAGE] = PHRASE(TYPE_STAGE),
		[SHOAL_CHANNEL_FORUM] = PHRASE(TYPE_FORUM),
		[SHOAL_CHANNEL_MEDIA] = PHRASE(TYPE_MEDIA),
	};

	return type < SHOAL_COUNT(kinds) && kinds[type] ? kinds[type] : PHRASE(TYPE_OTHER);
}

static bool is_thread(uint32_t type)
{
	return type >= SHOAL_CHANNEL_ANNOUNCEMENT_THREAD && type <= SHOAL_CHANNEL_PRIVATE_THREAD;
}

static void trait_line(struct card *card, bool nsfw, const struct shoal_thread_metadata *thread)
{
	const struct shoal_phrase *traits[3];
	char text[300] = "";
	size_t count = 0, i, len = 0;

	if (nsfw)
		traits[count++] = PHRASE(NSFW);
	if (thread && thread->archived)
		traits[count++] = PHRASE(ARCHIVED);
	if (thread && thread->locked)
		traits[count++] = PHRASE(LOCKED);
	for (i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "",
					card_phrase(card, traits[i], NULL, 0));
	card_line(card, PHRASE(TRAITS), true, "%s", text);
}

/* At least one of both is there. */
static void show(struct shoal_invocation *inv, uint64_t id, const struct shoal_channel_view *view,
		 const struct shoal_channel *channel)
{
	uint32_t type = channel ? channel->type : view->type;
	uint64_t parent_id = channel ? channel->parent_id : view->parent_id;
	struct card card;
	char count[24];
	const struct shoal_word words[] = { { "count", count } };

	card_begin(&card, LANGUAGE(inv));
	card.embed.title = card_clean(&card,
				      channel && channel->name.len ? channel->name
				      : view                       ? view->name
								   : channel->name,
				      100);
	card.embed.description = card_print(&card, 64, "<#%llu>", (unsigned long long)id);
	card_line(&card, PHRASE(KIND), true, "%s", card_phrase(&card, kind_of(type), NULL, 0));
	card_line(&card, PHRASE(ID), true, "`%llu`", (unsigned long long)id);
	card_time(&card, PHRASE(CREATED), (int64_t)shoal_snowflake_ms(id));
	if (parent_id)
		card_line(&card, is_thread(type) ? PHRASE(PARENT) : PHRASE(CATEGORY), true, "<#%llu>",
			  (unsigned long long)parent_id);
	if (channel && channel->rate_limit_per_user) {
		snprintf(count, sizeof(count), "%u", channel->rate_limit_per_user);
		card_line(&card, PHRASE(SLOWMODE), true, "%s", card_phrase(&card, PHRASE(SECONDS), words, 1));
	}
	trait_line(&card, channel ? channel->nsfw : view->flags & SHOAL_CHANNEL_NSFW,
		   channel ? channel->thread_metadata : NULL);
	if (channel && channel->topic.len)
		card_line(&card, PHRASE(TOPIC), false, "%s", card_clean(&card, channel->topic, 300));
	card_reply(inv, &card);
}

static void on_channel(void *arg, const struct shoal_result *result, const struct shoal_fetched *got)
{
	struct wait *wait = arg;
	struct shoal_invocation *inv = wait->inv;
	const struct shoal_guild_view *guild = utility_guild(inv);
	const struct shoal_channel_view *view = view_of(guild, wait->channel_id);
	const struct shoal_channel *channel = result->error == 0 ? got->channel : NULL;

	/* Gone for Discord: the cache is told of it in a moment. */
	bool gone = result->error == -SHOAL_EDISCORD && result->discord_code != NO_ACCESS;
	bool here = channel ? channel->guild_id == shoal_invocation_guild_id(inv) : view && !gone;

	if (result->error == -ECANCELED)
		;
	else if (here && may_see(inv, guild, wait->channel_id, channel))
		show(inv, wait->channel_id, view, channel);
	else if (channel || gone || guild)
		shoal_refuse(inv, PHRASE(CHANNEL_UNKNOWN), NULL, 0);
	else
		utility_refuse_silent(inv, result);
	shoal_free(wait);
}

static void channel_info(struct shoal_invocation *inv)
{
	uint64_t id = shoal_invocation_id(inv, "channel", shoal_invocation_channel_id(inv));
	const struct shoal_guild_view *guild = utility_guild(inv);
	const struct shoal_channel_view *view = view_of(guild, id);
	struct wait *wait;
	int r;

	/* No request for what would be refused anyway. */
	if (view && !may_see(inv, guild, id, NULL)) {
		shoal_refuse(inv, PHRASE(CHANNEL_UNKNOWN), NULL, 0);
		return;
	}
	wait = shoal_alloc(shoal_invocation_scope(inv), sizeof(*wait));
	r = wait ? 0 : -ENOMEM;
	if (wait) {
		*wait = (struct wait){ .inv = inv, .channel_id = id };
		r = shoal_channel_fetch(shoal_invocation_scope(inv), id, on_channel, wait);
	}
	if (r == 0)
		return;
	shoal_free(wait);
	if (r == -ECANCELED)
		return;
	if (view)
		show(inv, id, view, NULL);
	else
		shoal_refuse(inv, PHRASE(DISCORD_SILENT), NULL, 0);
}

static const struct shoal_command_option options[] = {
	{ .name = "channel",
	  .description = "Which one; this one if none",
	  .type = SHOAL_OPTION_CHANNEL,
	  .descriptions = SHOAL_LOCAL("Welcher; dieser, wenn keiner angegeben ist", "Cuál; este si no dices ninguno",
				      "Quale; questo se non ne indichi uno") },
};

static const struct shoal_command children[] = {
	{ .name = "info",
	  .description = "A channel or thread: kind, topic, slow mode",
	  .descriptions =
		  SHOAL_LOCAL("Ein Kanal oder Thread: Art, Thema, Slowmode", "Un canal o hilo: tipo, tema, modo lento",
			      "Un canale o thread: tipo, argomento, modalità lenta"),
	  .options = options,
	  .option_count = SHOAL_COUNT(options),
	  .handle = channel_info },
};

const struct shoal_command utility_channel = {
	.name = "channel",
	.description = "About channels",
	.descriptions = SHOAL_LOCAL("Über Kanäle", "Sobre los canales", "Sui canali"),
	.flags = SHOAL_COMMAND_GUILD_ONLY,
	.children = children,
	.child_count = SHOAL_COUNT(children),
	.cooldowns = utility_cooldowns,
	.cooldown_count = 1,
};
