/* /user info and /avatar, and both from a member's context menu. What the interaction brings along is used; only what
 * it lacks is asked of Discord: first the member, then the user. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modules/utility/card.h"
#include "shard/modules/utility/phrases.h"
#include "shard/modules/utility/utility.h"

#define CDN            "https://cdn.discordapp.com"
#define ROLES_MAX      250 /* a server has no more */
#define ROLES_SHOWN    20
#define HASH_SIZE      64
#define NAME_SIZE      160
#define UNKNOWN_MEMBER 10007
#define UNKNOWN_USER   10013

/* Whom it is about, from wherever. Texts are what members wrote. */
struct person {
	uint64_t id;
	char username[NAME_SIZE], shown[NAME_SIZE];
	char avatar[HASH_SIZE], guild_avatar[HASH_SIZE]; /* "": none */
	bool bot;
	uint64_t flags;
	bool is_member;
	uint64_t roles[ROLES_MAX];
	size_t role_count;
	int64_t joined_ms, boosting_ms, timed_out_ms;
};

typedef void (*show_fn)(struct shoal_invocation *inv, const struct person *person);

/* A command that waits for Discord. */
struct wait {
	struct shoal_invocation *inv;
	uint64_t user_id;
	show_fn show;
};

/* --- whom ------------------------------------------------------------------------------------------------------------
 */

static void copy(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

static void copy_str(char *to, size_t size, struct shoal_str str)
{
	snprintf(to, size, "%.*s", SHOAL_STR_ARG(str));
}

static void of_resolved(struct person *person, const struct shoal_resolved_user *user)
{
	person->id = user->id;
	copy(person->username, NAME_SIZE, user->username);
	copy(person->shown, NAME_SIZE, user->shown_name);
	copy(person->avatar, HASH_SIZE, user->avatar);
	copy(person->guild_avatar, HASH_SIZE, user->guild_avatar);
	person->bot = user->bot;
	person->flags = user->public_flags;
	person->is_member = user->is_member;
	person->role_count = user->role_count < ROLES_MAX ? user->role_count : ROLES_MAX;
	if (person->role_count)
		memcpy(person->roles, user->roles, person->role_count * sizeof(*user->roles));
	person->joined_ms = user->joined_ms;
	person->boosting_ms = user->boosting_ms;
	person->timed_out_ms = user->timed_out_ms;
}

static void of_user(struct person *person, const struct shoal_user *user)
{
	person->id = user->id;
	copy_str(person->username, NAME_SIZE, user->username);
	copy_str(person->shown, NAME_SIZE, user->global_name.len ? user->global_name : user->username);
	copy_str(person->avatar, HASH_SIZE, user->avatar);
	person->bot = user->bot;
	person->flags = user->public_flags;
}

static void of_member(struct person *person, const struct shoal_member *member)
{
	of_user(person, member->user);
	if (member->nick.len)
		copy_str(person->shown, NAME_SIZE, member->nick);
	copy_str(person->guild_avatar, HASH_SIZE, member->avatar);
	person->is_member = true;
	person->role_count = member->roles.count < ROLES_MAX ? member->roles.count : ROLES_MAX;
	if (person->role_count)
		memcpy(person->roles, member->roles.items, person->role_count * sizeof(*member->roles.items));
	person->joined_ms = member->joined_at;
	person->boosting_ms = member->premium_since;
	person->timed_out_ms = member->communication_disabled_until;
}

static void on_user(void *arg, const struct shoal_result *result, const struct shoal_fetched *got)
{
	struct wait *wait = arg;
	struct person person = { 0 };

	if (result->error == 0) {
		of_user(&person, got->user);
		wait->show(wait->inv, &person);
	} else if (result->discord_code == UNKNOWN_USER) {
		shoal_refuse(wait->inv, PHRASE(USER_UNKNOWN), NULL, 0);
	} else {
		utility_refuse_silent(wait->inv, result);
	}
	shoal_free(wait);
}

static void ask_user(struct wait *wait)
{
	int r = shoal_user_fetch(shoal_invocation_scope(wait->inv), wait->user_id, on_user, wait);

	if (r < 0) {
		if (r != -ECANCELED)
			shoal_refuse(wait->inv, PHRASE(DISCORD_SILENT), NULL, 0);
		shoal_free(wait);
	}
}

static void on_member(void *arg, const struct shoal_result *result, const struct shoal_fetched *got)
{
	struct wait *wait = arg;
	struct person person = { 0 };

	if (result->error == 0 && got->member->user) {
		of_member(&person, got->member);
		wait->show(wait->inv, &person);
		shoal_free(wait);
	} else if (result->discord_code == UNKNOWN_MEMBER || result->discord_code == UNKNOWN_USER) {
		ask_user(wait);
	} else {
		utility_refuse_silent(wait->inv, result);
		shoal_free(wait);
	}
}

/* Shows whom the command is about: the option, the context menu's target, or the asker. */
static void find(struct shoal_invocation *inv, show_fn show)
{
	uint64_t guild_id = shoal_invocation_guild_id(inv), target = shoal_target_id(inv);
	uint64_t id = target ? target : shoal_invocation_id(inv, "user", shoal_invocation_user_id(inv));
	const struct shoal_resolved_user *user = shoal_resolved_user(inv, id);
	struct person person = { 0 };
	struct wait *wait;
	int r;

	/* One who is no member comes resolved as a user alone. */
	if (user && *user->username) {
		of_resolved(&person, user);
		show(inv, &person);
		return;
	}
	wait = shoal_alloc(shoal_invocation_scope(inv), sizeof(*wait));
	if (!wait) {
		shoal_refuse(inv, PHRASE(DISCORD_SILENT), NULL, 0);
		return;
	}
	*wait = (struct wait){ .inv = inv, .user_id = id, .show = show };
	if (!guild_id) {
		ask_user(wait);
		return;
	}
	r = shoal_member_fetch(shoal_invocation_scope(inv), guild_id, id, on_member, wait);
	if (r < 0) {
		if (r != -ECANCELED)
			shoal_refuse(inv, PHRASE(DISCORD_SILENT), NULL, 0);
		shoal_free(wait);
	}
}

/* --- pictures --------------------------------------------------------------------------------------------------------
 */

/* A hash is what Discord made; one that holds anything else is none of its own. */
static bool is_hash(const char *hash)
{
	return *hash && strspn(hash, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(hash);
}

/* The address of the avatar without its ending: the server's own if there is one. */
static const char *avatar_base(struct card *card, const struct person *person, uint64_t guild_id, bool *ret_moves)
{
	*ret_moves = false;
	if (guild_id && is_hash(person->guild_avatar)) {
		*ret_moves = strncmp(person->guild_avatar, "a_", 2) == 0;
		return card_print(card, 300, CDN "/guilds/%llu/users/%llu/avatars/%s", (unsigned long long)guild_id,
				  (unsigned long long)person->id, person->guild_avatar);
	}
	if (is_hash(person->avatar)) {
		*ret_moves = strncmp(person->avatar, "a_", 2) == 0;
		return card_print(card, 300, CDN "/avatars/%llu/%s", (unsigned long long)person->id, person->avatar);
	}
	return NULL;
}

static const char *avatar_url(struct card *card, const struct person *person, uint64_t guild_id, unsigned size)
{
	bool moves;
	const char *base = avatar_base(card, person, guild_id, &moves);

	if (!base) /* one of six that Discord gives by the id */
		return card_print(card, 300, CDN "/embed/avatars/%llu.png", (unsigned long long)(person->id >> 22) % 6);
	return card_print(card, 300, "%s.%s?size=%u", base, moves ? "gif" : "png", size);
}

static void show_avatar(struct shoal_invocation *inv, const struct person *person)
{
	static const char *const forms[] = { "png", "jpg", "webp", "gif" };
	bool of_server = shoal_invocation_boolean(inv, "server", true), moves;
	uint64_t guild_id = of_server ? shoal_invocation_guild_id(inv) : 0;
	struct card card;
	struct shoal_word words[1] = { { "user", NULL } };
	char links[1600] = "";
	const char *base;
	size_t i, len = 0;

	card_begin(&card, LANGUAGE(inv));
	words[0].value = card_clean_text(&card, person->shown, 64);
	card.embed.title = card_phrase(&card, PHRASE(AVATAR_TITLE), words, 1);
	card.embed.image_url = avatar_url(&card, person, guild_id, 1024);
	base = avatar_base(&card, person, guild_id, &moves);
	for (i = 0; base && i < SHOAL_COUNT(forms) - !moves; i++)
		len += (size_t)snprintf(links + len, sizeof(links) - len, "%s[%s](%s.%s?size=4096)", i ? " · " : "",
					forms[i], base, forms[i]);
	if (base) {
		words[0] = (struct shoal_word){ "links", links };
		card.embed.description = card_phrase(&card, PHRASE(AVATAR_LINKS), words, 1);
	}
	card_reply(inv, &card);
}

/* --- the card --------------------------------------------------------------------------------------------------------
 */

/* Source: Discord's documentation, User Flags. */
static const struct {
	unsigned bit;
	const struct shoal_phrase *name;
} badges[] = {
	{ 0, PHRASE(BADGE_STAFF) },      { 1, PHRASE(BADGE_PARTNER) },          { 2, PHRASE(BADGE_EVENTS) },
	{ 3, PHRASE(BADGE_HUNTER) },     { 6, PHRASE(BADGE_BRAVERY) },          { 7, PHRASE(BADGE_BRILLIANCE) },
	{ 8, PHRASE(BADGE_BALANCE) },    { 9, PHRASE(BADGE_SUPPORTER) },        { 14, PHRASE(BADGE_HUNTER_GOLD) },
	{ 16, PHRASE(BADGE_VERIFIED) },  { 17, PHRASE(BADGE_DEVELOPER_EARLY) }, { 18, PHRASE(BADGE_MODERATORS) },
	{ 22, PHRASE(BADGE_DEVELOPER) },
};

static void badge_line(struct card *card, uint64_t flags)
{
	char text[512] = "";
	size_t i, len = 0;

	for (i = 0; i < SHOAL_COUNT(badges); i++) {
		if (flags >> badges[i].bit & 1)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "",
						card_phrase(card, badges[i].name, NULL, 0));
	}
	card_line(card, PHRASE(BADGES), false, "%s", text);
}

static const struct shoal_role_view *role_view(const struct shoal_guild_view *guild, uint64_t id)
{
	size_t i;

	for (i = 0; guild && i < guild->role_count; i++) {
		if (guild->roles[i].id == id)
			return &guild->roles[i];
	}
	return NULL;
}

/* Highest first; those that the cache does not know (made or deleted just now) are left out. */
static void role_line(struct card *card, const struct shoal_guild_view *guild, const struct person *person)
{
	const struct shoal_role_view *sorted[ROLES_MAX];
	char text[ROLES_SHOWN * 28 + 1] = "", count_text[24], more[64] = "";
	struct shoal_word words[] = { { "count", count_text } };
	size_t count = 0, i, j, len = 0;

	for (i = 0; i < person->role_count; i++) {
		const struct shoal_role_view *role = role_view(guild, person->roles[i]);

		if (!role)
			continue;
		for (j = count++;
		     j > 0 && (sorted[j - 1]->position < role->position ||
			       (sorted[j - 1]->position == role->position && sorted[j - 1]->id > role->id));
		     j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = role;
	}
	for (i = 0; i < count && i < ROLES_SHOWN; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s<@&%llu>", i ? " " : "",
					(unsigned long long)sorted[i]->id);
	if (count > ROLES_SHOWN) {
		snprintf(count_text, sizeof(count_text), "%zu", count - ROLES_SHOWN);
		shoal_phrase_print(PHRASE(AND_MORE), card->language, words, 1, more, sizeof(more));
	}
	card_line(card, PHRASE(ROLES), false, "%s%s%s", text, *more ? " " : "", more);
}

/* What makes somebody a moderator, and more. */
static void key_permissions(struct card *card, const struct shoal_guild_view *guild, const struct person *person)
{
	static const uint64_t key[] = {
		SHOAL_PERMISSION(ADMINISTRATOR),    SHOAL_PERMISSION(MANAGE_GUILD),
		SHOAL_PERMISSION(MANAGE_ROLES),     SHOAL_PERMISSION(MANAGE_CHANNELS),
		SHOAL_PERMISSION(MANAGE_MESSAGES),  SHOAL_PERMISSION(MANAGE_WEBHOOKS),
		SHOAL_PERMISSION(KICK_MEMBERS),     SHOAL_PERMISSION(BAN_MEMBERS),
		SHOAL_PERMISSION(MODERATE_MEMBERS), SHOAL_PERMISSION(MENTION_EVERYONE),
	};
	struct shoal_permissions_member member = { .user_id = person->id,
						   .roles = person->roles,
						   .role_count = (uint32_t)person->role_count,
						   .timeout_ms = person->timed_out_ms };
	char text[400] = "";
	size_t i, len = 0;
	uint64_t bits;

	if (!guild)
		return;
	if (person->id == guild->owner_id) {
		card_line(card, PHRASE(KEY_PERMISSIONS), false, "%s", card_phrase(card, PHRASE(OWNER), NULL, 0));
		return;
	}
	bits = shoal_permissions_in_guild(guild, &member, shoal_now_ms());
	for (i = 0; i < SHOAL_COUNT(key); i++) {
		if (bits & key[i])
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "",
						shoal_permission_words(key[i], card->language));
		if (i == 0 && len)
			break; /* an administrator has them all */
	}
	card_line(card, PHRASE(KEY_PERMISSIONS), false, "%s", text);
}

static void show_info(struct shoal_invocation *inv, const struct person *person)
{
	uint64_t guild_id = shoal_invocation_guild_id(inv);
	const struct shoal_guild_view *guild = utility_guild(inv);
	struct card card;

	card_begin(&card, LANGUAGE(inv));
	card.embed.title = card_clean_text(&card, person->shown, 64);
	card.embed.description =
		card_print(&card, 200, "<@%llu>%s%s", (unsigned long long)person->id, person->bot ? " · " : "",
			   person->bot ? card_phrase(&card, PHRASE(BOT), NULL, 0) : "");
	card.embed.thumbnail_url = avatar_url(&card, person, guild_id, 256);
	card_line(&card, PHRASE(USERNAME), true, "`%s`", card_clean_text(&card, person->username, 40));
	card_line(&card, PHRASE(ID), true, "`%llu`", (unsigned long long)person->id);
	card_time(&card, PHRASE(CREATED), (int64_t)shoal_snowflake_ms(person->id));
	if (guild_id && person->is_member) {
		card_time(&card, PHRASE(JOINED), person->joined_ms);
		card_time(&card, PHRASE(BOOSTING), person->boosting_ms);
		if (person->timed_out_ms > shoal_now_ms())
			card_time(&card, PHRASE(TIMED_OUT), person->timed_out_ms);
		role_line(&card, guild, person);
		key_permissions(&card, guild, person);
	}
	badge_line(&card, person->flags);
	if (guild_id && !person->is_member)
		card.embed.footer = card_phrase(&card, PHRASE(NO_MEMBER), NULL, 0);
	card_reply(inv, &card);
}

static void user_info(struct shoal_invocation *inv)
{
	find(inv, show_info);
}

static void avatar(struct shoal_invocation *inv)
{
	find(inv, show_avatar);
}

/* --- rows ------------------------------------------------------------------------------------------------------------
 */

static const struct shoal_command_option user_options[] = {
	{ .name = "user",
	  .description = "Whom; yourself if nobody",
	  .type = SHOAL_OPTION_USER,
	  .descriptions = SHOAL_LOCAL("Wen; dich selbst, wenn niemand angegeben ist",
				      "A quién; a ti si no dices a nadie", "Chi; te stesso se non indichi nessuno") },
	{ .name = "server",
	  .description = "The avatar of this server, if there is one (default: yes)",
	  .type = SHOAL_OPTION_BOOLEAN,
	  .descriptions = SHOAL_LOCAL("Der Avatar dieses Servers, falls es einen gibt (sonst ja)",
				      "El avatar de este servidor, si lo hay (por defecto: sí)",
				      "L'avatar di questo server, se c'è (predefinito: sì)") },
};

static const struct shoal_command user_children[] = {
	{ .name = "info",
	  .description = "Who somebody is: names, dates, roles",
	  .descriptions = SHOAL_LOCAL("Wer jemand ist: Namen, Daten, Rollen",
				      "Quién es alguien: nombres, fechas, roles", "Chi è qualcuno: nomi, date, ruoli"),
	  .options = user_options,
	  .option_count = 1,
	  .handle = user_info },
};

const struct shoal_command utility_user = {
	.name = "user",
	.description = "About members",
	.descriptions = SHOAL_LOCAL("Über Mitglieder", "Sobre los miembros", "Sui membri"),
	.children = user_children,
	.child_count = SHOAL_COUNT(user_children),
	.cooldowns = utility_cooldowns,
	.cooldown_count = 1,
};

const struct shoal_command utility_avatar = {
	.name = "avatar",
	.description = "Somebody's avatar in full size",
	.descriptions = SHOAL_LOCAL("Der Avatar von jemandem in voller Größe", "El avatar de alguien a tamaño completo",
				    "L'avatar di qualcuno a grandezza piena"),
	.options = user_options,
	.option_count = SHOAL_COUNT(user_options),
	.cooldowns = utility_cooldowns,
	.cooldown_count = 1,
	.handle = avatar,
};

const struct shoal_command utility_on_user = {
	.name = "User info",
	.description = "Who this is: names, dates, roles",
	.names = SHOAL_LOCAL("Über dieses Mitglied", "Sobre este miembro", "Su questo membro"),
	.kind = SHOAL_COMMAND_USER,
	.flags = SHOAL_COMMAND_EPHEMERAL,
	.cooldowns = utility_cooldowns,
	.cooldown_count = 1,
	.handle = user_info,
};

const struct shoal_command utility_on_avatar = {
	.name = "Avatar",
	.description = "This user's avatar in full size",
	.kind = SHOAL_COMMAND_USER,
	.flags = SHOAL_COMMAND_EPHEMERAL,
	.cooldowns = utility_cooldowns,
	.cooldown_count = 1,
	.handle = avatar,
};
