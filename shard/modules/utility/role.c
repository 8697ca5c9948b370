/* /role info. Rank, permissions and traits stand in the cache; colour and number of members are asked of Discord, and
 * are left out when it does not say. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modules/utility/card.h"
#include "shard/modules/utility/phrases.h"
#include "shard/modules/utility/utility.h"

/* Between the two questions. */
struct wait {
	struct shoal_invocation *inv;
	uint64_t role_id;
	bool counted;
	uint32_t members;
	/* of Discord's list; what the cache says of it counts more */
	bool found;
	uint32_t color;
};

static const struct shoal_role_view *view_of(const struct shoal_guild_view *guild, uint64_t id)
{
	size_t i;

	for (i = 0; guild && i < guild->role_count; i++) {
		if (guild->roles[i].id == id)
			return &guild->roles[i];
	}
	return NULL;
}

/* How many stand above it, and 1. */
static unsigned rank_of(const struct shoal_guild_view *guild, const struct shoal_role_view *role)
{
	unsigned rank = 1;
	size_t i;

	for (i = 0; i < guild->role_count; i++) {
		const struct shoal_role_view *other = &guild->roles[i];

		rank += other->position > role->position || (other->position == role->position && other->id < role->id);
	}
	return rank;
}

static void permission_line(struct card *card, uint64_t bits)
{
	char text[CARD_VALUE_MAX] = "";
	size_t len = 0;
	unsigned bit;

	if (bits & SHOAL_PERMISSION_ADMINISTRATOR) {
		card_line(card, PHRASE(PERMISSIONS), false, "%s", card_phrase(card, PHRASE(EVERYTHING), NULL, 0));
		return;
	}
	for (bit = 0; bit < 64 && len < sizeof(text) - 64; bit++) {
		const char *words = bits >> bit & 1 ? shoal_permission_words(UINT64_C(1) << bit, card->language) : "?";

		if (strcmp(words, "?") != 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "", words);
	}
	card_line(card, PHRASE(PERMISSIONS), false, "%s", *text ? text : card_phrase(card, PHRASE(NONE), NULL, 0));
}

static void trait_line(struct card *card, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const struct shoal_phrase *phrase;
	} traits[] = { { SHOAL_ROLE_HOIST, PHRASE(ROLE_HOISTED) },
		       { SHOAL_ROLE_MENTIONABLE, PHRASE(ROLE_MENTIONABLE) },
		       { SHOAL_ROLE_MANAGED, PHRASE(ROLE_MANAGED) } };
	char text[300] = "";
	size_t i, len = 0;

	for (i = 0; i < SHOAL_COUNT(traits); i++) {
		if (flags & traits[i].flag)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "",
						card_phrase(card, traits[i].phrase, NULL, 0));
	}
	card_line(card, PHRASE(TRAITS), false, "%s", text);
}

static void show(struct wait *wait)
{
	struct shoal_invocation *inv = wait->inv;
	const struct shoal_guild_view *guild = utility_guild(inv);
	const struct shoal_role_view *role = view_of(guild, wait->role_id);
	char rank[24], count[24];
	const struct shoal_word words[] = { { "rank", rank }, { "count", count } };
	struct card card;

	if (!role) {
		shoal_refuse(inv, guild || !wait->found ? PHRASE(ROLE_UNKNOWN) : PHRASE(DISCORD_SILENT), NULL, 0);
		return;
	}
	card_begin(&card, LANGUAGE(inv));
	card.embed.title = card_clean(&card, role->name, 100);
	if (role->id != guild->id)
		card.embed.description = card_print(&card, 64, "<@&%llu>", (unsigned long long)role->id);
	if (wait->color)
		card.embed.color = wait->color;
	card_line(&card, PHRASE(ID), true, "`%llu`", (unsigned long long)role->id);
	if (wait->found)
		card_line(&card, PHRASE(COLOR), true, wait->color ? "`#%06x`" : "—", wait->color);
	snprintf(rank, sizeof(rank), "%u", rank_of(guild, role));
	snprintf(count, sizeof(count), "%u", guild->role_count);
	card_line(&card, PHRASE(POSITION), true, "%s", card_phrase(&card, PHRASE(RANK_OF), words, 2));
	if (role->id == guild->id)
		card_line(&card, PHRASE(MEMBERS), true, "%u", guild->member_count);
	else if (wait->counted)
		card_line(&card, PHRASE(MEMBERS), true, "%u", wait->members);
	card_time(&card, PHRASE(CREATED), (int64_t)shoal_snowflake_ms(role->id));
	trait_line(&card, role->flags);
	permission_line(&card, role->permissions);
	card_reply(inv, &card);
}

static void on_counts(void *arg, const struct shoal_result *result, const struct shoal_fetched *got)
{
	struct wait *wait = arg;
	uint32_t i;

	for (i = 0; result->error == 0 && i < got->role_counts->counts.count; i++) {
		if (got->role_counts->counts.items[i].id == wait->role_id) {
			wait->counted = true;
			wait->members = got->role_counts->counts.items[i].count;
		}
	}
	if (result->error != -ECANCELED)
		show(wait);
	shoal_free(wait);
}

static void on_roles(void *arg, const struct shoal_result *result, const struct shoal_fetched *got)
{
	struct wait *wait = arg;
	uint32_t i;
	int r = result->error;

	for (i = 0; r == 0 && i < got->roles->roles.count; i++) {
		if (got->roles->roles.items[i].id == wait->role_id) {
			wait->found = true;
			wait->color = got->roles->roles.items[i].color;
		}
	}
	if (r == 0)
		r = shoal_role_counts_fetch(shoal_invocation_scope(wait->inv), shoal_invocation_guild_id(wait->inv),
					    on_counts, wait);
	if (r == 0)
		return;
	if (r != -ECANCELED)
		show(wait);
	shoal_free(wait);
}

static void role_info(struct shoal_invocation *inv)
{
	struct wait *wait = shoal_alloc(shoal_invocation_scope(inv), sizeof(*wait));
	int r = wait ? 0 : -ENOMEM;

	if (wait) {
		*wait = (struct wait){ .inv = inv, .role_id = shoal_invocation_id(inv, "role", 0) };
		r = shoal_roles_fetch(shoal_invocation_scope(inv), shoal_invocation_guild_id(inv), on_roles, wait);
	}
	if (r == 0)
		return;
	if (wait && r != -ECANCELED)
		show(wait);
	else if (r != -ECANCELED)
		shoal_refuse(inv, PHRASE(DISCORD_SILENT), NULL, 0);
	shoal_free(wait);
}

static const struct shoal_command_option options[] = {
	{ .name = "role",
	  .description = "Which one",
	  .type = SHOAL_OPTION_ROLE,
	  .required = true,
	  .descriptions = SHOAL_LOCAL("Welche", "Cuál", "Quale") },
};

static const struct shoal_command children[] = {
	{ .name = "info",
	  .description = "A role: colour, rank, members, permissions",
	  .descriptions = SHOAL_LOCAL("Eine Rolle: Farbe, Rang, Mitglieder, Berechtigungen",
				      "Un rol: color, rango, miembros, permisos",
				      "Un ruolo: colore, posizione, membri, permessi"),
	  .options = options,
	  .option_count = SHOAL_COUNT(options),
	  .handle = role_info },
};

const struct shoal_command utility_role = {
	.name = "role",
	.description = "About roles",
	.descriptions = SHOAL_LOCAL("Über Rollen", "Sobre los roles", "Sui ruoli"),
	.flags = SHOAL_COMMAND_GUILD_ONLY,
	.children = children,
	.child_count = SHOAL_COUNT(children),
	.cooldowns = utility_cooldowns,
	.cooldown_count = 1,
};
