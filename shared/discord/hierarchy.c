/* Whether something may be done to a member: one table of kinds, one list of questions in their order. Pure; any
 * thread. It looks at what is known here; Discord has the last word. Source: facts section 10. */
#include "shared/discord/hierarchy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"

#define P(name) SHOAL_PERMISSION(name)

/* What Discord asks for, and what it makes of ranks. */
static const struct kind_row {
	uint64_t permission;
	uint64_t own_permission; /* enough for oneself; 0: oneself is no different */
	bool not_self, not_bot;  /* makes no sense to oneself, to the bot */
	bool outranks;           /* the target must stand below, and can't be the owner */
	bool of_role;            /* the role must */
	bool not_administrators;
	bool strangers; /* also those who are no members */
} kinds[SHOAL_ACT_COUNT] = {
	[SHOAL_ACT_KICK] = { .permission = P(KICK_MEMBERS), .not_self = true, .not_bot = true, .outranks = true },
	[SHOAL_ACT_BAN] = { .permission = P(BAN_MEMBERS),
			    .not_self = true,
			    .not_bot = true,
			    .outranks = true,
			    .strangers = true },
	[SHOAL_ACT_TIMEOUT] = { .permission = P(MODERATE_MEMBERS),
				.not_self = true,
				.not_bot = true,
				.outranks = true,
				.not_administrators = true },
	[SHOAL_ACT_NICK] = { .permission = P(MANAGE_NICKNAMES),
			     .own_permission = P(CHANGE_NICKNAME),
			     .outranks = true },
	[SHOAL_ACT_ROLE_GIVE] = { .permission = P(MANAGE_ROLES), .of_role = true },
	[SHOAL_ACT_ROLE_TAKE] = { .permission = P(MANAGE_ROLES), .of_role = true },
};

static void add_word(struct shoal_act_bar *bar, const char *name, const char *value)
{
	bar->words[bar->word_count++] = (struct shoal_word){ name, value };
}

/* False, for the caller to return. */
static bool bar_with(const struct shoal_act *act, const struct shoal_phrase *phrase, uint64_t missing, bool is_bots,
		     struct shoal_act_bar *bar)
{
	memset(bar, 0, sizeof(*bar));
	bar->phrase = phrase;
	bar->missing = missing;
	bar->is_bots = is_bots;
	snprintf(bar->texts[0], sizeof(bar->texts[0]), "<@%" PRIu64 ">", act->target.user_id);
	snprintf(bar->texts[1], sizeof(bar->texts[1]), "<@&%" PRIu64 ">", act->role_id);
	add_word(bar, "target", bar->texts[0]);
	add_word(bar, "role", bar->texts[1]);
	if (missing)
		add_word(bar, "permission", shoal_permission_words(missing, act->language));
	return false;
}

static const struct shoal_role_view *find_role(const struct shoal_guild_view *guild, uint64_t role_id)
{
	for (uint32_t i = 0; i < guild->role_count; i++)
		if (guild->roles[i].id == role_id)
			return &guild->roles[i];
	return NULL;
}

/* What no permission helps against. */
static const struct shoal_phrase *by_nature(const struct shoal_act *act, const struct kind_row *kind)
{
	const struct shoal_role_view *role = kind->of_role ? find_role(act->guild, act->role_id) : NULL;
	uint64_t target = act->target.user_id;

	if (!kind->strangers && !act->target_is_member)
		return &phrase_ACT_NO_MEMBER;
	if (kind->not_bot && target == act->bot_id)
		return &phrase_ACT_BOT;
	if (kind->not_self && target == act->asker.user_id)
		return &phrase_ACT_SELF;
	if (kind->outranks && target == act->guild->owner_id && target != act->asker.user_id)
		return &phrase_ACT_OWNER;
	if (kind->not_administrators &&
	    (shoal_permissions_in_guild(act->guild, &act->target, 0) & SHOAL_PERMISSION_ADMINISTRATOR))
		return &phrase_ACT_ADMINISTRATOR;
	if (kind->of_role && !role)
		return &phrase_ACT_ROLE_GONE;
	if (kind->of_role && role->id == act->guild->id)
		return &phrase_ACT_ROLE_EVERYONE;
	if (kind->of_role && (role->flags & SHOAL_ROLE_MANAGED))
		return &phrase_ACT_ROLE_MANAGED;
	return NULL;
}

/* What @who lacks; 0: nothing. */
static uint64_t lacking(const struct shoal_act *act, const struct kind_row *kind,
			const struct shoal_permissions_member *who)
{
	uint64_t held = shoal_permissions_in_guild(act->guild, who, act->now_ms);

	if (shoal_permissions_cover(held, kind->permission))
		return 0;
	if (!kind->own_permission || who->user_id != act->target.user_id)
		return kind->permission;
	return shoal_permissions_cover(held, kind->own_permission) ? 0 : kind->own_permission;
}

static bool ranks(const struct shoal_act *act, const struct kind_row *kind, const struct shoal_permissions_member *who)
{
	if (kind->of_role)
		return shoal_permissions_above_role(act->guild, who, act->role_id);
	return !kind->outranks || who->user_id == act->target.user_id ||
	       shoal_permissions_outrank(act->guild, who, &act->target);
}

bool hierarchy_allows(const struct shoal_act *act, struct shoal_act_bar *ret_bar)
{
	const struct kind_row *kind = (unsigned int)act->kind < SHOAL_ACT_COUNT ? &kinds[act->kind] : NULL;
	const struct shoal_phrase *nature;
	struct shoal_permissions_member bot;
	uint64_t missing;

	if (!kind || !act->guild || act->guild->unavailable || act->bot_id == 0 || act->target.user_id == 0)
		return bar_with(act, &phrase_ACT_GUILD_UNKNOWN, 0, true, ret_bar);
	nature = by_nature(act, kind);
	if (nature)
		return bar_with(act, nature, 0, false, ret_bar);
	missing = act->asker.user_id && !act->asker_by_level ? lacking(act, kind, &act->asker) : 0;
	if (missing)
		return bar_with(act, &phrase_ACT_YOU_LACK, missing, false, ret_bar);
	if (act->asker.user_id && !ranks(act, kind, &act->asker))
		return bar_with(act, kind->of_role ? &phrase_ACT_ROLE_ABOVE_YOU : &phrase_ACT_ABOVE_YOU, 0, false,
				ret_bar);
	bot = shoal_permissions_bot(act->guild, act->bot_id);
	missing = lacking(act, kind, &bot);
	if (missing)
		return bar_with(act, &phrase_ACT_I_LACK, missing, true, ret_bar);
	if (!ranks(act, kind, &bot))
		return bar_with(act, kind->of_role ? &phrase_ACT_ROLE_ABOVE_ME : &phrase_ACT_ABOVE_ME, 0, true,
				ret_bar);
	return true;
}
