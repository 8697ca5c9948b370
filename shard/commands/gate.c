/* The checks. Run by the commands' entry. */
#include "shard/commands/gate.h"

#include <shoal/permissions.h>

#include "shard/commands/commands.h"
#include "shard/commands/cooldowns.h"
#include "shard/events/culprit.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"

static void refuse(struct shoal_invocation *inv, const struct shoal_phrase *phrase, const char *name, const char *value)
{
	const struct shoal_word words[] = { { "command", inv->path }, { name, value } };

	invocation_refuse(inv, phrase, words, ARRAY_SIZE(words));
}

bool gate_is_on(struct shoal_invocation *inv, struct module_entry *owner)
{
	const struct command_services *services = &inv->commands->services;

	invocation_set_owner(inv, owner);
	if (!owner)
		return true;
	if (owner->off) {
		refuse(inv, &phrase_MODULE_CRASHED, "", "");
		return false;
	}
	if (services->module_allowed && !services->module_allowed(services->module_arg, owner, inv->guild_id)) {
		refuse(inv, &phrase_MODULE_OFF, "", "");
		return false;
	}
	return true;
}

static const struct shoal_phrase *const cooldown_phrases[SHOAL_COOLDOWN_PER_COUNT] = {
	[SHOAL_COOLDOWN_USER] = &phrase_COOLDOWN_USER,
	[SHOAL_COOLDOWN_GUILD] = &phrase_COOLDOWN_GUILD,
	[SHOAL_COOLDOWN_CHANNEL] = &phrase_COOLDOWN_CHANNEL,
};

static bool is_cool(struct shoal_invocation *inv, const struct gate_rule *rule)
{
	struct cooldown_use use = {
		.command = rule->key, .user_id = inv->user_id, .guild_id = inv->guild_id, .channel_id = inv->channel_id
	};
	const struct shoal_cooldown *row = NULL;
	char wait[PHRASES_DURATION_SIZE];
	bool again = false;
	uint64_t ms;

	if (rule->cooldown_count == 0 || ticket_again(inv->ticket))
		return true;
	ms = cooldowns_take(inv->commands->cooldowns, rule->cooldowns, rule->cooldown_count, &use, clock_monotonic_ns(),
			    &row, &again);
	if (ms == 0)
		return true;
	board_count(inv->commands->services.counters, BOARD_COUNTER_commands_cooled, 1);
	/* An interaction must be answered; to a flood of messages one answer is enough. */
	if (again && inv->form == INVOCATION_MESSAGE)
		inv->replied = true;
	else
		refuse(inv, cooldown_phrases[row->per], "wait", phrases_duration(ms, inv->language, wait));
	return false;
}

bool gate_open(struct shoal_invocation *inv, const struct gate_rule *rule)
{
	bool permitted = inv->permissions_known && shoal_permissions_cover(inv->permissions, rule->permissions);
	uint64_t missing = inv->permissions_known ? rule->permissions & ~inv->permissions : rule->permissions;

	if ((rule->flags & SHOAL_COMMAND_GUILD_ONLY) && inv->guild_id == 0)
		refuse(inv, &phrase_SERVERS_ONLY, "", "");
	else if (inv->form == INVOCATION_MESSAGE &&
		 ((rule->flags & SHOAL_COMMAND_SLASH_ONLY) || (rule->permissions && !inv->permissions_known)))
		refuse(inv, &phrase_SLASH_ONLY, "", "");
	else if (rule->permissions && !permitted)
		refuse(inv, &phrase_PERMISSION_NEEDED, "permission", shoal_permission_words(missing));
	else
		return is_cool(inv, rule);
	return false;
}
