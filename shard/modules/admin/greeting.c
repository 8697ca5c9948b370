/* Texts of welcome and farewell. The words are an admin's, who may write what he likes; names that members chose are
 * made harmless, and nobody is pinged but the newcomer, when the server wants that. */
#include "shard/modules/admin/greeting.h"

#include <stdio.h>
#include <string.h>

#include "shard/modules/admin/phrases.h"

#define COLOR_WELCOME 0x3ba55d
#define COLOR_LEAVE   0x747f8d

uint64_t greeting_channel(enum greeting_kind kind, const struct wishes *wishes)
{
	return kind == GREETING_WELCOME ? wishes->welcome_channel : kind == GREETING_LEAVE ? wishes->leave_channel : 0;
}

/* Discord takes no message of blanks. */
static bool says_something(const char *text)
{
	return text[strspn(text, " \t\r\n")] != '\0';
}

bool greeting_wanted(enum greeting_kind kind, const struct wishes *wishes, const struct person *person)
{
	if (kind == GREETING_DM)
		return says_something(wishes->welcome_dm) && !person->bot;
	return greeting_channel(kind, wishes) && (!person->bot || wishes->welcome_bots);
}

const char *greeting_text(enum greeting_kind kind, const struct wishes *wishes)
{
	return kind == GREETING_WELCOME ? wishes->welcome_text
	       : kind == GREETING_DM    ? wishes->welcome_dm
					: wishes->leave_text;
}

/* An admin's words as a phrase, else shoal's own. */
static struct shoal_phrase phrase_of(enum greeting_kind kind, const struct wishes *wishes)
{
	const char *text = greeting_text(kind, wishes);
	struct shoal_phrase own = { { text } };

	if (says_something(text))
		return own;
	return kind == GREETING_LEAVE ? *PHRASE(LEAVE) : *PHRASE(WELCOME);
}

static bool is_hash(const char *hash)
{
	return *hash && strspn(hash, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(hash);
}

static void make_embed(struct greeting *greeting, enum greeting_kind kind, const struct person *person,
		       enum shoal_language language)
{
	shoal_phrase_print(kind == GREETING_LEAVE ? PHRASE(EMBED_LEAVE) : PHRASE(EMBED_WELCOME), language, NULL, 0,
			   greeting->title, sizeof(greeting->title));
	if (is_hash(person->avatar))
		snprintf(greeting->picture, sizeof(greeting->picture),
			 "https://cdn.discordapp.com/avatars/%llu/%s.png?size=256", (unsigned long long)person->id,
			 person->avatar);
	else
		snprintf(greeting->picture, sizeof(greeting->picture),
			 "https://cdn.discordapp.com/embed/avatars/%llu.png",
			 (unsigned long long)(person->id >> 22) % 6);
	greeting->embed = (struct shoal_embed_content){ .title = greeting->title,
							.description = greeting->text,
							.thumbnail_url = greeting->picture,
							.color = kind == GREETING_LEAVE ? COLOR_LEAVE : COLOR_WELCOME };
	greeting->content.embeds = &greeting->embed;
	greeting->content.embed_count = 1;
	/* Mentions in an embed notify nobody. */
	greeting->content.text = greeting->pinged ? greeting->mention : NULL;
}

void greeting_make(struct greeting *greeting, enum greeting_kind kind, const struct wishes *wishes,
		   const struct person *person, const struct shoal_guild_view *guild, enum shoal_language language)
{
	struct shoal_phrase phrase = phrase_of(kind, wishes);
	char name[161], server[410], plain_server[410] = "", count[24] = "?", id[24];
	const struct shoal_word words[] = {
		{ "user", kind == GREETING_LEAVE ? name : greeting->mention },
		{ "name", name },
		{ "server", server },
		{ "count", count },
		{ "id", id },
	};
	bool in_embed = kind == GREETING_WELCOME ? wishes->welcome_embed
			: kind == GREETING_LEAVE ? wishes->leave_embed
						 : false;

	memset(greeting, 0, sizeof(*greeting));
	snprintf(greeting->mention, sizeof(greeting->mention), "<@%llu>", (unsigned long long)person->id);
	snprintf(id, sizeof(id), "%llu", (unsigned long long)person->id);
	shoal_clean(person->name, 40, name, sizeof(name));
	if (guild) {
		snprintf(plain_server, sizeof(plain_server), "%.*s", SHOAL_STR_ARG(guild->name));
		snprintf(count, sizeof(count), "%u", guild->member_count);
	}
	shoal_clean(plain_server, 100, server, sizeof(server));
	shoal_phrase_print(&phrase, language, words, SHOAL_COUNT(words), greeting->text, sizeof(greeting->text));
	greeting->content.text = greeting->text;
	/* Whoever is not named in the text is not to be notified by it, either. */
	if (kind == GREETING_WELCOME && wishes->welcome_ping &&
	    strstr(phrase.text[language] ? phrase.text[language] : phrase.text[0], "{user}"))
		greeting->pinged = person->id;
	if (in_embed)
		make_embed(greeting, kind, person, language);
	if (greeting->pinged) {
		greeting->content.mentions.users = &greeting->pinged;
		greeting->content.mentions.user_count = 1;
	}
	if (kind == GREETING_DM) {
		/* A bot's direct message must say whose words these are. */
		const struct shoal_word from[] = { { "server", server } };

		shoal_phrase_print(PHRASE(DM_FROM), language, from, 1, greeting->footer, sizeof(greeting->footer));
		greeting->embed = (struct shoal_embed_content){ .description = greeting->text,
								.footer = greeting->footer,
								.color = COLOR_WELCOME };
		greeting->content.text = NULL;
		greeting->content.embeds = &greeting->embed;
		greeting->content.embed_count = 1;
	}
}

uint64_t greeting_barred(const struct shoal_guild_view *guild, uint64_t bot_id, uint64_t channel_id, bool embed,
			 bool *ret_gone)
{
	const uint64_t needed[] = { SHOAL_PERMISSION(VIEW_CHANNEL), SHOAL_PERMISSION(SEND_MESSAGES),
				    embed ? SHOAL_PERMISSION(EMBED_LINKS) : 0 };
	uint64_t bits;
	size_t i;

	*ret_gone = false;
	if (!guild)
		return 0;
	if (!shoal_permissions_of_bot(guild, bot_id, channel_id, shoal_now_ms(), &bits)) {
		*ret_gone = true;
		return 0;
	}
	for (i = 0; i < SHOAL_COUNT(needed); i++) {
		if (needed[i] && !shoal_permissions_cover(bits, needed[i]))
			return needed[i];
	}
	return 0;
}
