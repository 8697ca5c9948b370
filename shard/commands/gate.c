/* The checks. Run by the commands' entry. One table of steps serves the gate itself and those who ask how it would
 * decide; a step looks, and must not answer. */
#include "shard/commands/gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <shoal/permissions.h>

#include "shard/commands/commands.h"
#include "shard/events/culprit.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

#define PLACES_SHOWN 3
/* Refusals in the log: so many at once, then so many a second; what is beyond is counted. */
#define AUDIT_BURST 50
#define AUDIT_PER_S 10

#define P(name) SHOAL_PERMISSION(name)

void gate_add_to_rule(struct gate_rule *rule, const struct shoal_command *command)
{
	rule->flags |= command->flags;
	if (command->contexts && !(command->contexts & (SHOAL_IN_BOT_DMS | SHOAL_IN_OTHER_DMS)))
		rule->flags |= SHOAL_COMMAND_GUILD_ONLY;
	rule->permissions |= command->permissions;
	rule->level = command->level > rule->level ? command->level : rule->level;
	rule->key = command;
	if (command->cooldown_count > 0) {
		rule->cooldowns = command->cooldowns;
		rule->cooldown_count = command->cooldown_count;
	}
}

/* --- what somebody is --------------------------------------------------------------------------------------------- */

const char *gate_level_words(enum shoal_level level, enum shoal_language language)
{
	static const struct shoal_phrase *const phrases[SHOAL_LEVEL_COUNT] = {
		[SHOAL_LEVEL_MEMBER] = &phrase_LEVEL_MEMBER,     [SHOAL_LEVEL_TRUSTED] = &phrase_LEVEL_TRUSTED,
		[SHOAL_LEVEL_HELPER] = &phrase_LEVEL_HELPER,     [SHOAL_LEVEL_MODERATOR] = &phrase_LEVEL_MODERATOR,
		[SHOAL_LEVEL_ADMIN] = &phrase_LEVEL_ADMIN,       [SHOAL_LEVEL_OWNER] = &phrase_LEVEL_OWNER,
		[SHOAL_LEVEL_OPERATOR] = &phrase_LEVEL_OPERATOR,
	};

	return (unsigned int)level < SHOAL_LEVEL_COUNT ? phrases_text(phrases[level], language) : "?";
}

/* What Discord's permissions give where the server does not say otherwise. */
static const struct {
	uint64_t any;
	enum shoal_level level;
} by_permission[] = {
	{ P(MANAGE_GUILD), SHOAL_LEVEL_ADMIN },
	{ P(KICK_MEMBERS) | P(BAN_MEMBERS) | P(MODERATE_MEMBERS), SHOAL_LEVEL_MODERATOR },
	{ P(MANAGE_MESSAGES), SHOAL_LEVEL_HELPER },
};

static enum shoal_level higher(enum shoal_level a, enum shoal_level b)
{
	return a > b ? a : b;
}

static bool is_operator(const struct command_services *services, uint64_t user_id)
{
	for (size_t i = 0; i < services->operator_count; i++)
		if (services->operators[i] == user_id)
			return true;
	return false;
}

/* The channel, its parents: a thread's channel, a channel's category. */
static void fill_places(const struct shoal_guild_view *guild, uint64_t channel_id, uint64_t places[ACCESS_PLACES])
{
	size_t count = 0;

	places[count++] = channel_id;
	for (uint32_t i = 0; guild && i < guild->thread_count; i++)
		if (guild->threads[i].id == channel_id)
			places[count++] = channel_id = guild->threads[i].parent_id;
	for (uint32_t i = 0; guild && i < guild->channel_count && count < ACCESS_PLACES; i++)
		if (guild->channels[i].id == channel_id && guild->channels[i].parent_id)
			places[count++] = guild->channels[i].parent_id;
}

static void fill_levels(struct gate_case *c)
{
	uint64_t bits = c->permissions_known ? c->permissions : 0;

	c->by_operator = is_operator(&c->commands->services, c->user_id);
	c->needed = c->rule->level;
	if (c->guild_id == 0)
		return;
	c->granted = access_rules_granted(&c->known->guild, &c->question);
	if (bits & SHOAL_PERMISSION_ADMINISTRATOR)
		c->granted = SHOAL_LEVEL_ADMIN;
	if (c->guild && c->guild->owner_id == c->user_id)
		c->granted = SHOAL_LEVEL_OWNER;
	c->unbarred = c->granted == SHOAL_LEVEL_OWNER || (bits & SHOAL_PERMISSION_ADMINISTRATOR);
	c->level = c->granted;
	for (size_t i = 0; c->known->from_permissions && i < ARRAY_SIZE(by_permission); i++)
		if (bits & by_permission[i].any)
			c->level = higher(c->level, by_permission[i].level);
	access_rules_judge(&c->known->guild, &c->question, &c->verdict);
	if (c->verdict.level_set && c->needed != SHOAL_LEVEL_OPERATOR)
		c->needed = c->verdict.level;
}

static const struct access_known *known_of(const struct commands *commands, uint64_t guild_id)
{
	return commands->access ? access_peek(commands->access, guild_id) : &access_unknown;
}

void gate_case_judge(struct gate_case *c, const struct access_known *known)
{
	c->known = known;
	if (known->language >= 0)
		c->language = (enum shoal_language)known->language;
	c->question = (struct access_question){ .module = c->owner ? c->owner->name : NULL,
						.path = c->path,
						.guild_id = c->guild_id,
						.user_id = c->user_id,
						.roles = c->roles,
						.role_count = c->role_count };
	fill_places(c->guild, c->channel_id, c->question.places);
	fill_levels(c);
}

void gate_case_fill(struct gate_case *c)
{
	struct cache *cache = c->commands->services.cache;

	c->guild = c->guild_id && cache ? cache_guild(cache, c->guild_id) : NULL;
	gate_case_judge(c, known_of(c->commands, c->guild_id));
}

/* --- the steps ---------------------------------------------------------------------------------------------------- */

/* False, for the caller to return. */
static bool no(struct gate_refusal *ret, const char *reason, const struct shoal_phrase *phrase)
{
	ret->reason = reason;
	ret->phrase = phrase;
	return false;
}

static void add_word(struct gate_refusal *ret, const char *name, const char *value)
{
	ret->words[ret->word_count++] = (struct shoal_word){ name, value };
}

static bool step_enabled(const struct gate_case *c, bool look, struct gate_refusal *ret)
{
	const struct command_services *services = &c->commands->services;

	(void)look;
	if (c->owner && c->owner->off)
		return no(ret, "module_crashed", &phrase_MODULE_CRASHED);
	if (c->owner && services->module_allowed &&
	    !services->module_allowed(services->module_arg, c->owner, c->guild_id)) {
		add_word(ret, "module", c->owner->name);
		return no(ret, "module_off", &phrase_MODULE_OFF);
	}
	return true;
}

static bool step_form(const struct gate_case *c, bool look, struct gate_refusal *ret)
{
	const struct gate_rule *rule = c->rule;

	(void)look;
	if ((rule->flags & SHOAL_COMMAND_GUILD_ONLY) && c->guild_id == 0)
		return no(ret, "servers_only", &phrase_SERVERS_ONLY);
	if (c->is_message && ((rule->flags & SHOAL_COMMAND_SLASH_ONLY) || (rule->permissions && !c->permissions_known)))
		return no(ret, "slash_only", &phrase_SLASH_ONLY);
	return true;
}

/* What the operator says of users counts in every server and in direct messages, for everybody but operators. */
static bool step_operator(const struct gate_case *c, bool look, struct gate_refusal *ret)
{
	struct access_verdict verdict;

	(void)look;
	if (c->by_operator)
		return true;
	access_rules_judge(&c->known->bots, &c->question, &verdict);
	if (verdict.outcome == ACCESS_FREE)
		return true;
	ret->target = verdict.target;
	return no(ret, "operator", &phrase_LIST_OPERATOR);
}

/* Channels of the list that the member sees: no others are named to him. */
static bool name_places(const struct gate_case *c, struct gate_refusal *ret)
{
	struct shoal_permissions_member member = { .user_id = c->user_id,
						   .roles = c->roles,
						   .role_count = (uint32_t)c->role_count };
	uint64_t ids[PLACES_SHOWN * 8], bits;
	size_t count = access_rules_places(&c->known->guild, &c->question, ids, ARRAY_SIZE(ids)), shown = 0, len = 0;

	for (size_t i = 0; c->guild && i < count && shown < PLACES_SHOWN; i++) {
		if (!shoal_permissions_in_channel(c->guild, &member, ids[i], clock_wall_ms(), &bits) ||
		    !(bits & P(VIEW_CHANNEL)))
			continue;
		len += (size_t)snprintf(ret->text + len, sizeof(ret->text) - len, "%s<#%" PRIu64 ">", shown ? ", " : "",
					ids[i]);
		shown++;
	}
	if (shown)
		add_word(ret, "channels", ret->text);
	return shown > 0;
}

static bool step_list(const struct gate_case *c, bool look, struct gate_refusal *ret)
{
	const struct access_verdict *verdict = &c->verdict;

	(void)look;
	if (c->unbarred || c->guild_id == 0)
		return true;
	ret->target = verdict->target;
	ret->others = verdict->rule == NULL;
	if (verdict->outcome == ACCESS_NOT_YOU)
		return no(ret, "list_member", &phrase_LIST_NOT_YOU);
	if (verdict->outcome == ACCESS_NOT_HERE && name_places(c, ret))
		return no(ret, "list_channel", &phrase_LIST_ELSEWHERE);
	if (verdict->outcome == ACCESS_NOT_HERE)
		return no(ret, "list_channel", &phrase_LIST_NOT_HERE);
	return true;
}

static bool step_permission(const struct gate_case *c, bool look, struct gate_refusal *ret)
{
	uint64_t wanted = c->rule->permissions;
	uint64_t missing = c->permissions_known ? wanted & ~c->permissions : wanted;
	bool permitted = !wanted || (c->permissions_known && shoal_permissions_cover(c->permissions, wanted));
	bool either = (c->rule->flags & SHOAL_COMMAND_EITHER) && wanted && c->needed;

	(void)look;
	if (c->needed == SHOAL_LEVEL_OPERATOR && !c->by_operator)
		return no(ret, "operators_only", &phrase_OPERATORS_ONLY);
	if (either && (permitted || c->granted >= c->needed))
		return true;
	add_word(ret, "level", gate_level_words(c->needed, c->language));
	if (missing)
		add_word(ret, "permission", shoal_permission_words(missing, c->language));
	if (either)
		return no(ret, c->known->sure ? "permission" : "unsure",
			  c->known->sure ? &phrase_LEVEL_OR_PERMISSION_NEEDED : &phrase_LEVEL_UNSURE);
	if (!permitted)
		return no(ret, "permission", &phrase_PERMISSION_NEEDED);
	if (c->needed != SHOAL_LEVEL_OPERATOR && c->level < c->needed)
		return no(ret, c->known->sure ? "level" : "unsure",
			  c->known->sure ? &phrase_LEVEL_NEEDED : &phrase_LEVEL_UNSURE);
	return true;
}

static const struct shoal_phrase *const cooldown_phrases[SHOAL_COOLDOWN_PER_COUNT] = {
	[SHOAL_COOLDOWN_USER] = &phrase_COOLDOWN_USER,
	[SHOAL_COOLDOWN_GUILD] = &phrase_COOLDOWN_GUILD,
	[SHOAL_COOLDOWN_CHANNEL] = &phrase_COOLDOWN_CHANNEL,
};

static bool step_cooldown(const struct gate_case *c, bool look, struct gate_refusal *ret)
{
	struct cooldown_use use = {
		.command = c->rule->key, .user_id = c->user_id, .guild_id = c->guild_id, .channel_id = c->channel_id
	};
	const struct shoal_cooldown *row = NULL;
	char wait[PHRASES_DURATION_SIZE];
	bool again = false;
	uint64_t ms;

	if (c->rule->cooldown_count == 0 || look)
		return true;
	ms = cooldowns_take(c->commands->cooldowns, c->rule->cooldowns, c->rule->cooldown_count, &use,
			    clock_monotonic_ns(), &row, &again);
	if (ms == 0)
		return true;
	board_count(c->commands->services.counters, BOARD_COUNTER_commands_cooled, 1);
	/* An interaction must be answered; to a flood of messages one answer is enough. */
	ret->silent = again && c->is_message;
	snprintf(ret->text, sizeof(ret->text), "%s", phrases_duration(ms, c->language, wait));
	add_word(ret, "wait", ret->text);
	return no(ret, "cooldown", cooldown_phrases[row->per]);
}

static const struct step_row {
	bool (*check)(const struct gate_case *c, bool look, struct gate_refusal *ret);
	bool audited; /* who was kept from what is kept in the log */
} steps[GATE_STEP_COUNT] = {
	[GATE_ENABLED] = { step_enabled, false },      [GATE_FORM] = { step_form, false },
	[GATE_OPERATOR] = { step_operator, true },     [GATE_LIST] = { step_list, true },
	[GATE_PERMISSION] = { step_permission, true }, [GATE_COOLDOWN] = { step_cooldown, false },
};

bool gate_check(const struct gate_case *c, enum gate_step step, bool look, struct gate_refusal *ret)
{
	*ret = (struct gate_refusal){ 0 };
	add_word(ret, "command", c->name);
	return steps[step].check(c, look, ret);
}

/* --- the way through ---------------------------------------------------------------------------------------------- */

static void audit(const struct gate_case *c, enum gate_step step, const struct gate_refusal *refusal)
{
	struct commands *commands = c->commands;
	struct log_ctx ctx = { .shard = (int32_t)commands->services.shard_id,
			       .guild_id = c->guild_id,
			       .module = c->owner ? c->owner->name : NULL,
			       .event = c->is_message ? "MESSAGE_CREATE" : "INTERACTION_CREATE" };
	uint64_t now_ns = clock_monotonic_ns(), gap_ns = NS_PER_S / AUDIT_PER_S;

	board_count(commands->services.counters, BOARD_COUNTER_commands_refused, 1);
	if (!steps[step].audited) {
		log_debug(&ctx, "commands.refused", KV_STR("command", c->name), KV_STR("reason", refusal->reason));
		return;
	}
	if (commands->audit_ns < now_ns)
		commands->audit_ns = now_ns;
	if (commands->audit_ns - now_ns > AUDIT_BURST * gap_ns) {
		commands->audit_left_out++;
		return;
	}
	commands->audit_ns += gap_ns;
	log_audit(&ctx, "commands.refused", KV_STR("command", c->name), KV_STR("reason", refusal->reason),
		  KV_STR("list", refusal->target ? refusal->target : ""), KV_U64("user", c->user_id),
		  KV_U64("channel", c->channel_id), KV_U64("left_out", commands->audit_left_out));
	commands->audit_left_out = 0;
}

static struct gate_case case_of(const struct shoal_invocation *inv, const struct gate_rule *rule)
{
	const struct shoal_resolved_user *asker = resolved_find_user(&inv->resolved, inv->user_id);
	bool known = asker && asker->is_member;

	return (struct gate_case){ .commands = inv->commands,
				   .owner = inv->scope.module,
				   .rule = rule,
				   .path = inv->custom_id ? "" : inv->path,
				   .name = inv->path,
				   .is_message = inv->form == INVOCATION_MESSAGE,
				   .guild_id = inv->guild_id,
				   .channel_id = inv->channel_id,
				   .user_id = inv->user_id,
				   .roles = known ? asker->roles : NULL,
				   .role_count = known ? asker->role_count : 0,
				   .timeout_ms = known ? asker->timed_out_ms : 0,
				   .permissions_known = inv->permissions_known,
				   .permissions = inv->permissions,
				   .language = inv->language };
}

/* False: it was told why. */
static bool pass(struct shoal_invocation *inv, const struct gate_case *c, enum gate_step step)
{
	struct gate_refusal refusal;
	/* What a worker that died had let through is not held up by its own use. */
	bool look = step == GATE_COOLDOWN && ticket_again(inv->ticket);

	if (gate_check(c, step, look, &refusal))
		return true;
	if (inv->form != INVOCATION_SUGGEST)
		audit(c, step, &refusal);
	if (refusal.silent)
		inv->replied = true;
	else
		invocation_refuse(inv, refusal.phrase, refusal.words, refusal.word_count);
	return false;
}

bool gate_is_on(struct shoal_invocation *inv, struct module_entry *owner)
{
	static const struct gate_rule none;
	struct gate_case c;

	invocation_set_owner(inv, owner);
	c = case_of(inv, &none);
	return pass(inv, &c, GATE_ENABLED);
}

bool gate_open(struct shoal_invocation *inv, const struct gate_rule *rule)
{
	struct gate_case c = case_of(inv, rule);

	gate_case_fill(&c);
	inv->level = c.level;
	for (enum gate_step step = GATE_FORM; step < GATE_STEP_COUNT; step++)
		if (!pass(inv, &c, step))
			return false;
	return true;
}

bool gate_may(const struct shoal_invocation *inv, struct module_entry *owner, const struct gate_rule *rule,
	      const char *path, struct gate_refusal *ret_refusal)
{
	struct gate_case c = case_of(inv, rule);

	c.owner = owner;
	c.path = c.name = path;
	c.is_message = false;
	gate_case_fill(&c);
	for (enum gate_step step = GATE_ENABLED; step < GATE_STEP_COUNT; step++)
		if (!gate_check(&c, step, true, ret_refusal))
			return false;
	return true;
}

/* --- for modules -------------------------------------------------------------------------------------------------- */

enum shoal_level gate_level(const struct shoal_invocation *inv)
{
	return inv->level;
}

bool gate_by_operator(const struct shoal_invocation *inv)
{
	return is_operator(&inv->commands->services, inv->user_id);
}

bool gate_member(const struct shoal_invocation *inv, struct shoal_permissions_member *ret_member)
{
	const struct shoal_resolved_user *asker = resolved_find_user(&inv->resolved, inv->user_id);

	if (!inv->guild_id || !asker || !asker->is_member)
		return false;
	*ret_member = (struct shoal_permissions_member){ .user_id = inv->user_id,
							 .roles = asker->roles,
							 .role_count = (uint32_t)asker->role_count,
							 .timeout_ms = asker->timed_out_ms };
	return true;
}

enum shoal_language gate_language(struct commands *commands, uint64_t guild_id, enum shoal_language own)
{
	int language = known_of(commands, guild_id)->language;

	return language >= 0 ? (enum shoal_language)language : own;
}

enum shoal_language gate_guild_language(struct commands *commands, uint64_t guild_id)
{
	struct cache *cache = commands->services.cache;
	const struct shoal_guild_view *guild = cache && guild_id ? cache_guild(cache, guild_id) : NULL;

	return gate_language(commands, guild_id, guild ? phrases_language(guild->locale) : SHOAL_ENGLISH);
}
