/* /permissions: what a server says about who may do what (shared/settings/access_rules.h): seen, changed, explained.
 * A change reads the rules, alters them and writes them as a whole; two at once in one server would lose one of them,
 * so the second is asked to wait. The guild lives on one shard, which makes that safe here. */
#include "shard/commands/builtin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/permissions.h>

#include "shard/commands/commands.h"
#include "shard/commands/gate.h"
#include "shard/commands/registry.h"
#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/phrases/clean.h"
#include "shared/settings/settings_write.h"

#define TEXT_MAX      1900 /* bytes: an answer has 2000 characters */
#define LINE_MAX_SIZE 400
#define SAID_SIZE     1500 /* bytes of the lines that an answer shows */
#define CHANGES_MAX   32   /* servers whose rules are being changed at this moment */
#define SUGGESTED_MAX 25
#define OWN_LEVEL     "own"

static enum shoal_language language_of(const struct shoal_invocation *inv)
{
	return inv->language;
}

static const char *say(const struct shoal_invocation *inv, const struct shoal_phrase *phrase,
		       const struct shoal_word *words, size_t count, char text[LINE_MAX_SIZE])
{
	return phrases_print_text(phrase, language_of(inv), words, count, text, LINE_MAX_SIZE);
}

/* --- targets ------------------------------------------------------------------------------------------------------ */

/* The row that @path ("settings set" or "settings.set") names, its rule and its owner. NULL: there is none. */
static const struct shoal_command *find_command(const char *path, struct gate_rule *rule,
						struct module_entry **ret_owner)
{
	const struct shoal_command *command = NULL;

	*rule = (struct gate_rule){ 0 };
	while (*path) {
		struct shoal_str word = { path, (uint32_t)strcspn(path, " .") };

		if (command && command->child_count == 0)
			return NULL;
		command = command ? registry_child(command, word) : registry_find(word);
		if (!command)
			return NULL;
		if (rule->key == NULL)
			*ret_owner = registry_owner(command);
		gate_add_to_rule(rule, command);
		path += word.len;
		path += strspn(path, " .");
	}
	return command;
}

static bool is_module(const char *name)
{
	for (size_t i = 0; i < registry_command_count; i++) {
		const struct module_entry *owner = registry_owner(registry_commands[i]);

		if (owner && strcmp(owner->name, name) == 0)
			return true;
	}
	return false;
}

/* What was typed as a target of rules: "/settings set" becomes "/settings.set"; "poll" is "/poll" where no module has
 * that name. -ENOENT: neither. */
static int read_target(const char *typed, char target[ACCESS_TARGET_SIZE])
{
	struct module_entry *owner = NULL;
	struct gate_rule rule;
	size_t len = 0;

	typed += strspn(typed, " ");
	if (strcmp(typed, "all") == 0 || (*typed != '/' && is_module(typed))) {
		snprintf(target, ACCESS_TARGET_SIZE, "%s", typed);
		return access_target_is_good(target) ? 0 : -ENOENT;
	}
	typed += *typed == '/';
	if (strlen(typed) + 2 > ACCESS_TARGET_SIZE || !find_command(typed, &rule, &owner))
		return -ENOENT;
	target[len++] = '/';
	for (; *typed; typed++) {
		if (*typed != ' ' && *typed != '.')
			target[len++] = (char)(*typed >= 'A' && *typed <= 'Z' ? *typed + 'a' - 'A' : *typed);
		else if (target[len - 1] != '.')
			target[len++] = '.';
	}
	len -= target[len - 1] == '.';
	target[len] = '\0';
	return access_target_is_good(target) ? 0 : -ENOENT;
}

/* "everything", "module poll", "`/settings set`". */
static const char *target_words(const struct shoal_invocation *inv, const char *target, char text[LINE_MAX_SIZE])
{
	if (strcmp(target, "all") == 0)
		return say(inv, &phrase_PERM_ALL, NULL, 0, text);
	if (*target != '/')
		return say(inv, &phrase_PERM_MODULE, &(struct shoal_word){ "name", target }, 1, text);
	snprintf(text, LINE_MAX_SIZE, "`%s`", target);
	for (char *at = text; *at; at++)
		*at = *at == '.' ? ' ' : *at;
	return text;
}

/* --- show --------------------------------------------------------------------------------------------------------- */

static const char *const opens[ACCESS_KIND_COUNT] = { "<@", "<@&", "<#" };

/* Everybody's role is written as everybody reads it; it pings nobody, since no answer of ours does. */
static void put_subject(struct buf *out, const struct shoal_invocation *inv, const struct access_rule *rule)
{
	if (rule->kind == ACCESS_ROLE && rule->id == inv->guild_id)
		buf_append_str(out, "@everyone");
	else
		buf_printf(out, "%s%" PRIu64 ">", opens[rule->kind], rule->id);
}

static bool same_line(const struct access_rule *a, const struct access_rule *b)
{
	return a->verb == b->verb && a->target == b->target && a->level == b->level;
}

/* The subjects of the line that begins with @first. */
static const char *subjects(const struct shoal_invocation *inv, const struct access_rules *rules, size_t first,
			    struct buf *out)
{
	buf_clear(out, TEXT_MAX);
	for (size_t i = first; i < rules->count; i++) {
		if (!same_line(&rules->items[i], &rules->items[first]))
			continue;
		if (out->len)
			buf_append_str(out, ", ");
		put_subject(out, inv, &rules->items[i]);
	}
	return buf_cstr(out) ? buf_cstr(out) : "";
}

static bool is_first(const struct access_rules *rules, size_t i)
{
	for (size_t before = 0; before < i; before++)
		if (same_line(&rules->items[before], &rules->items[i]))
			return false;
	return true;
}

static void put_rule(struct buf *out, const struct shoal_invocation *inv, const struct access_rules *rules, size_t i)
{
	static const struct shoal_phrase *const phrases[ACCESS_VERB_COUNT] = {
		[ACCESS_GRANT] = &phrase_PERM_LEVEL_LINE,
		[ACCESS_ALLOW] = &phrase_PERM_ONLY,
		[ACCESS_DENY] = &phrase_PERM_NOT,
		[ACCESS_NEED] = &phrase_PERM_NEEDS,
	};
	const struct access_rule *rule = &rules->items[i];
	CLEANUP(buf_finish) struct buf who = { 0 };
	char target[LINE_MAX_SIZE];
	struct shoal_word words[3];

	buf_init(&who, ACCESS_TEXT_MAX * 2);
	words[0] = (struct shoal_word){ "who", subjects(inv, rules, i, &who) };
	words[1] = (struct shoal_word){ "level", gate_level_words(rule->level, language_of(inv)) };
	words[2] = (struct shoal_word){ "target", target_words(inv, access_target(rules, rule), target) };
	phrases_print(out, phrases[rule->verb], language_of(inv), words, 3);
	buf_append_char(out, '\n');
}

/* Lines about levels, or all others; what does not fit is counted in *left. */
static void put_rules(struct buf *out, const struct shoal_invocation *inv, const struct access_rules *rules,
		      bool levels, size_t *left)
{
	const struct shoal_phrase *title = levels ? &phrase_PERM_LEVELS : &phrase_PERM_RULES;
	bool any = false;

	for (size_t i = 0; i < rules->count; i++) {
		size_t before = out->len;

		if ((rules->items[i].verb == ACCESS_GRANT) != levels || !is_first(rules, i))
			continue;
		if (!any)
			buf_printf(out, "%s\n", phrases_text(title, language_of(inv)));
		any = true;
		put_rule(out, inv, rules, i);
		if (out->len > TEXT_MAX - LINE_MAX_SIZE) {
			out->len = before;
			(*left)++;
		}
	}
}

static void show(struct shoal_invocation *inv)
{
	const struct access_known *known = access_peek(inv->commands->access, inv->guild_id);
	CLEANUP(buf_finish) struct buf out = { 0 };
	char count[16], text[LINE_MAX_SIZE];
	size_t left = 0;

	buf_init(&out, ACCESS_TEXT_MAX * 8);
	put_rules(&out, inv, &known->guild, true, &left);
	put_rules(&out, inv, &known->guild, false, &left);
	if (known->guild.count == 0)
		buf_printf(&out, "%s\n", phrases_text(&phrase_PERM_NONE, language_of(inv)));
	snprintf(count, sizeof(count), "%zu", left);
	if (left)
		buf_printf(&out, "%s\n", say(inv, &phrase_PERM_MORE, &(struct shoal_word){ "count", count }, 1, text));
	if (known->from_permissions)
		buf_printf(&out, "%s\n", phrases_text(&phrase_PERM_FROM_DISCORD, language_of(inv)));
	if (!known->sure)
		buf_append_str(&out, phrases_text(&phrase_EXPLAIN_UNSURE, language_of(inv)));
	if (buf_cstr(&out))
		invocation_reply_text(inv, buf_cstr(&out));
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

/* What is to be done to the rules: 1 something changed, 0 nothing, negative: -E2BIG, -ENOMEM, -EINVAL. */
struct change {
	struct shoal_invocation *inv;
	int (*alter)(const struct change *change, struct access_rules *rules);
	enum access_verb verb;
	enum shoal_level level;
	char target[ACCESS_TARGET_SIZE];
	struct {
		enum access_kind kind;
		uint64_t id;
	} subjects[ACCESS_KIND_COUNT];
	size_t subject_count;
	char said[SAID_SIZE]; /* the lines that stand now where it changed something; "": none does */
	uint64_t *busy;       /* its place among the servers that are being changed */
};

static uint64_t busy[CHANGES_MAX];

/* NULL: the server is there already, or there is no room. */
static uint64_t *take_turn(uint64_t guild_id)
{
	uint64_t *free_one = NULL;

	for (size_t i = 0; i < CHANGES_MAX; i++) {
		if (busy[i] == guild_id)
			return NULL;
		if (busy[i] == 0)
			free_one = &busy[i];
	}
	if (free_one)
		*free_one = guild_id;
	return free_one;
}

static void finish(struct change *change)
{
	if (change->busy)
		*change->busy = 0;
	invocation_release(change->inv);
	free(change);
}

static void refuse(struct change *change, const struct shoal_phrase *phrase)
{
	invocation_refuse(change->inv, phrase, NULL, 0);
	finish(change);
}

static void on_changed(void *arg, const struct settings_outcome *outcome)
{
	struct change *change = arg;
	const char *kept = outcome->kept ? phrases_text(&phrase_KEPT_FOR_LATER, language_of(change->inv)) : "";
	char what[SAID_SIZE + 512];

	snprintf(what, sizeof(what), "%s%s%s", change->said[0] ? change->said : "`/permissions show`",
		 *kept ? "\n" : "", kept);
	if (outcome->error == 0)
		invocation_reply_phrase(change->inv, &phrase_PERM_DONE, &(struct shoal_word){ "what", what }, 1);
	else
		builtin_tell_outcome(change->inv, outcome);
	finish(change);
}

static const struct shoal_phrase *phrase_of(int error)
{
	switch (error) {
	case -E2BIG:
		return &phrase_PERM_FULL;
	case -ENOMEM:
		return &phrase_NO_MEMORY;
	default:
		return &phrase_PERM_WHOM;
	}
}

/* The lines of what was changed as they stand now: an admin reads what came of it. All, or none. */
static void keep_said(struct change *change, const struct access_rules *rules)
{
	CLEANUP(buf_finish) struct buf out = { 0 };

	buf_init(&out, ACCESS_TEXT_MAX * 8);
	for (size_t i = 0; i < rules->count; i++) {
		const struct access_rule *rule = &rules->items[i];
		bool same = change->verb == ACCESS_GRANT ? rule->level == change->level
							 : strcmp(access_target(rules, rule), change->target) == 0;

		if (same && (rule->verb == ACCESS_GRANT) == (change->verb == ACCESS_GRANT) && is_first(rules, i))
			put_rule(&out, change->inv, rules, i);
	}
	if (out.len > 1 && out.len < SAID_SIZE && buf_cstr(&out))
		snprintf(change->said, sizeof(change->said), "%.*s", (int)out.len - 1, buf_cstr(&out));
}

static void write_rules(struct change *change, const struct access_rules *rules)
{
	struct settings_change wish = { .layer = SETTINGS_GUILD,
					.place = { .guild_id = change->inv->guild_id },
					.name = SETTING_ACCESS_RULES,
					.by = change->inv->user_id,
					.note = change->inv->path,
					.token = change->inv->event_id };
	struct settings *settings = commands_services(change->inv)->settings;
	CLEANUP(cleanup_free) char *text = NULL;
	int r = access_rules_print(rules, &text);

	if (r < 0)
		refuse(change, phrase_of(r));
	else {
		keep_said(change, rules);
		settings_set(settings, &wish, text, on_changed, change);
	}
}

static int alter_forget(const struct change *change, struct access_rules *rules);

/* The server's own layer, now that it is surely known. */
static void on_rules(void *arg, const struct setting_answer *answer)
{
	CLEANUP(access_rules_finish) struct access_rules rules = { 0 };
	struct change *change = arg;
	struct shoal_invocation *inv = change->inv;
	struct settings *settings = commands_services(inv)->settings;
	struct settings_place place = { .guild_id = inv->guild_id };
	struct setting_layer layers[SETTINGS_LAYER_COUNT];
	struct access_fault fault;
	int r;

	if (inv->commands->closing || inv->scope.ended) {
		finish(change);
		return;
	}
	if (!answer->sure || !settings_is_on(settings)) {
		refuse(change, settings_is_on(settings) ? &phrase_DATABASE_AWAY : &phrase_DATABASE_NONE);
		return;
	}
	settings_layers(settings, &place, SETTING_ACCESS_RULES, layers);
	r = layers[SETTINGS_GUILD].problem;
	if (r == 0 && layers[SETTINGS_GUILD].value)
		r = access_rules_parse(layers[SETTINGS_GUILD].value->text, &rules, &fault);
	if (r < 0) {
		refuse(change, r == -ENOMEM ? &phrase_NO_MEMORY : &phrase_PERM_UNREADABLE);
		return;
	}
	r = change->alter(change, &rules);
	if (r > 0)
		write_rules(change, &rules);
	else if (r < 0)
		refuse(change, phrase_of(r));
	else {
		invocation_reply_phrase(inv, change->alter == alter_forget ? &phrase_PERM_NO_RULE : &phrase_PERM_SAME,
					NULL, 0);
		finish(change);
	}
}

static int alter_grant(const struct change *change, struct access_rules *rules)
{
	bool changed = false;

	for (size_t i = 0; i < change->subject_count; i++) {
		enum access_kind kind = change->subjects[i].kind;
		uint64_t id = change->subjects[i].id;
		size_t before = rules->count, gone = 0, same = 0;
		int r;

		for (size_t j = 0; j < before; j++) {
			const struct access_rule *rule = &rules->items[j];

			if (rule->verb == ACCESS_GRANT && rule->kind == kind && rule->id == id) {
				gone++;
				same += rule->level == change->level;
			}
		}
		if (gone == 1 && same == 1)
			continue; /* it has this level and no other */
		access_rules_remove(rules, ACCESS_GRANT, NULL, kind, id);
		r = change->level > SHOAL_LEVEL_MEMBER
			    ? access_rules_add(rules, ACCESS_GRANT, "", change->level, kind, id)
			    : (int)(gone > 0);
		if (r < 0)
			return r;
		changed = changed || r > 0;
	}
	return changed;
}

static int alter_list(const struct change *change, struct access_rules *rules)
{
	enum access_verb other = change->verb == ACCESS_ALLOW ? ACCESS_DENY : ACCESS_ALLOW;
	bool changed = false;

	for (size_t i = 0; i < change->subject_count; i++) {
		int r;

		/* What it said of them before is over. */
		changed |= access_rules_remove(rules, other, change->target, change->subjects[i].kind,
					       change->subjects[i].id) > 0;
		r = access_rules_add(rules, change->verb, change->target, SHOAL_LEVEL_MEMBER, change->subjects[i].kind,
				     change->subjects[i].id);
		if (r < 0)
			return r;
		changed |= r > 0;
	}
	return changed;
}

static int alter_need(const struct change *change, struct access_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i].verb == ACCESS_NEED && rules->items[i].level == change->level &&
		    strcmp(access_target(rules, &rules->items[i]), change->target) == 0)
			return 0;
	if (access_rules_remove(rules, ACCESS_NEED, change->target, ACCESS_USER, 0) > 0 &&
	    change->level == SHOAL_LEVEL_COUNT)
		return 1;
	return change->level == SHOAL_LEVEL_COUNT
		       ? 0
		       : access_rules_add(rules, ACCESS_NEED, change->target, change->level, ACCESS_USER, 0);
}

/* What is named, or all of the target. Levels are taken back by `level`. */
static int alter_forget(const struct change *change, struct access_rules *rules)
{
	size_t gone = 0;

	for (size_t i = 0; i < change->subject_count; i++)
		gone += access_rules_remove(rules, ACCESS_VERB_COUNT, change->target, change->subjects[i].kind,
					    change->subjects[i].id);
	if (change->subject_count == 0)
		gone = access_rules_remove(rules, ACCESS_VERB_COUNT, change->target, ACCESS_USER, 0);
	return gone > 0;
}

static void add_subject(struct change *change, enum access_kind kind, const char *option)
{
	uint64_t id = invocation_id(change->inv, option, 0);

	if (id == 0)
		return;
	change->subjects[change->subject_count].kind = kind;
	change->subjects[change->subject_count++].id = id;
}

/* Begins a change; the first thing that is wrong with it is told. */
static void begin(struct shoal_invocation *inv, int (*alter)(const struct change *change, struct access_rules *rules),
		  enum access_verb verb)
{
	struct settings_place place = { .guild_id = inv->guild_id };
	const char *level = invocation_string(inv, "level", ""), *target = invocation_string(inv, "for", NULL);
	struct change *change = calloc(1, sizeof(*change));
	struct module_entry *owner = NULL;
	struct gate_rule rule = { 0 };

	if (!change) {
		invocation_refuse(inv, &phrase_NO_MEMORY, NULL, 0);
		return;
	}
	change->inv = invocation_hold(inv);
	change->alter = alter;
	change->verb = verb;
	change->level = access_level_of(level, strlen(level)); /* "own": COUNT */
	add_subject(change, ACCESS_ROLE, "role");
	add_subject(change, ACCESS_USER, "user");
	add_subject(change, ACCESS_CHANNEL, "channel");
	if (target && read_target(target, change->target) < 0)
		refuse(change, &phrase_PERM_TARGET_UNKNOWN);
	else if (verb == ACCESS_NEED && change->target[0] == '/' && find_command(change->target + 1, &rule, &owner) &&
		 rule.level == SHOAL_LEVEL_OPERATOR)
		refuse(change, &phrase_PERM_OPERATOR_LEVEL);
	else if (change->subject_count == 0 && alter == alter_grant)
		refuse(change, &phrase_PERM_WHOM_LEVEL);
	else if (change->subject_count == 0 && alter == alter_list)
		refuse(change, &phrase_PERM_WHOM);
	else if (!(change->busy = take_turn(inv->guild_id)))
		refuse(change, &phrase_PERM_BUSY);
	else if (settings_get(commands_services(inv)->settings, &place, SETTING_ACCESS_RULES, on_rules, change) < 0)
		refuse(change, &phrase_NO_MEMORY);
}

static void give_level(struct shoal_invocation *inv)
{
	begin(inv, alter_grant, ACCESS_GRANT);
}

static void allow(struct shoal_invocation *inv)
{
	begin(inv, alter_list, ACCESS_ALLOW);
}

static void deny(struct shoal_invocation *inv)
{
	begin(inv, alter_list, ACCESS_DENY);
}

static void need(struct shoal_invocation *inv)
{
	begin(inv, alter_need, ACCESS_NEED);
}

static void forget(struct shoal_invocation *inv)
{
	begin(inv, alter_forget, ACCESS_VERB_COUNT);
}

/* --- explain ------------------------------------------------------------------------------------------------------ */

static void put_line(struct buf *out, bool good, const char *text)
{
	buf_printf(out, "%s %s\n", good ? "\xE2\x9C\x85" : "\xE2\x9D\x8C", text);
}

/* What it was compared with; with a mark when it is enough, else what is missing stands above it. */
static void put_permission(struct buf *out, const struct gate_case *c, const struct shoal_invocation *inv)
{
	struct gate_refusal refusal;
	char text[LINE_MAX_SIZE], names[160];
	const char *wanted = c->rule->permissions ? shoal_permission_words(c->rule->permissions, inv->language)
						  : phrases_text(&phrase_EXPLAIN_NOTHING, inv->language);
	const struct shoal_word words[] = { { "level", gate_level_words(c->level, inv->language) },
					    { "needed", gate_level_words(c->needed, inv->language) },
					    { "permissions", names } };

	snprintf(names, sizeof(names), "*%s*", wanted);
	say(inv, &phrase_EXPLAIN_PERMISSION, words, ARRAY_SIZE(words), text);
	if (gate_check(c, GATE_PERMISSION, true, &refusal))
		put_line(out, true, text);
	else
		buf_printf(out, "\xE2\x80\xA2 %s\n", text);
}

static void put_cooldowns(struct buf *out, const struct gate_case *c, const struct shoal_invocation *inv)
{
	char text[LINE_MAX_SIZE], uses[16], time[PHRASES_DURATION_SIZE];

	if (c->rule->cooldown_count == 0)
		put_line(out, true, phrases_text(&phrase_EXPLAIN_COOLDOWN, inv->language));
	for (size_t i = 0; i < c->rule->cooldown_count; i++) {
		const struct shoal_cooldown *row = &c->rule->cooldowns[i];
		const struct shoal_word words[] = { { "uses", uses }, { "time", time } };

		snprintf(uses, sizeof(uses), "%u", row->uses);
		phrases_duration((uint64_t)row->seconds * 1000, inv->language, time);
		put_line(out, true, say(inv, &phrase_EXPLAIN_COOLDOWN_ROW, words, ARRAY_SIZE(words), text));
	}
}

static void put_step(struct buf *out, const struct gate_case *c, enum gate_step step,
		     const struct shoal_invocation *inv)
{
	static const struct shoal_phrase *const good[GATE_STEP_COUNT] = {
		[GATE_ENABLED] = &phrase_EXPLAIN_ENABLED,
		[GATE_FORM] = &phrase_EXPLAIN_FORM,
		[GATE_OPERATOR] = &phrase_EXPLAIN_OPERATOR,
		[GATE_LIST] = &phrase_EXPLAIN_LIST,
	};
	const struct shoal_phrase *phrase = step == GATE_LIST && c->unbarred ? &phrase_EXPLAIN_UNBARRED : good[step];
	const struct shoal_word module = { "module", c->owner ? c->owner->name : "-" };
	char text[LINE_MAX_SIZE], target[LINE_MAX_SIZE];
	struct gate_refusal refusal;
	bool passed = gate_check(c, step, true, &refusal);

	if (!passed)
		put_line(out, false, say(inv, refusal.phrase, refusal.words, refusal.word_count, text));
	else if (phrase)
		put_line(out, true, say(inv, phrase, &module, 1, text));
	/* The operator's reasons are his own. */
	if (!passed && step == GATE_LIST && refusal.target) {
		const struct shoal_word word = { "target", target_words(inv, refusal.target, target) };

		phrase = refusal.others ? &phrase_EXPLAIN_RULE_OTHERS : &phrase_EXPLAIN_RULE;
		buf_printf(out, "\xE2\x80\xA2 %s\n", say(inv, phrase, &word, 1, text));
	}
}

static void put_steps(struct buf *out, const struct gate_case *c, const struct shoal_invocation *inv)
{
	for (enum gate_step step = 0; step < GATE_COOLDOWN; step++)
		put_step(out, c, step, inv);
	put_permission(out, c, inv);
	put_cooldowns(out, c, inv);
	if (!c->known->sure)
		buf_append_str(out, phrases_text(&phrase_EXPLAIN_UNSURE, inv->language));
}

static void put_title(struct buf *out, const struct gate_case *c, const struct shoal_invocation *inv)
{
	char who[32], channel[32], command[ACCESS_TARGET_SIZE + 4], text[LINE_MAX_SIZE];
	const struct shoal_word words[] = { { "command", command }, { "who", who }, { "channel", channel } };

	snprintf(command, sizeof(command), "/%s", c->path);
	snprintf(who, sizeof(who), "<@%" PRIu64 ">", c->user_id);
	snprintf(channel, sizeof(channel), "<#%" PRIu64 ">", c->channel_id);
	buf_printf(out, "%s\n", say(inv, &phrase_EXPLAIN_TITLE, words, ARRAY_SIZE(words), text));
}

/* What the member may do there, as the cache has it; what Discord said of the channel where the question was asked. */
static void judge(struct gate_case *c, const struct shoal_resolved_user *user, const struct shoal_invocation *inv)
{
	struct cache *cache = inv->commands->services.cache;
	const struct shoal_guild_view *guild = cache ? cache_guild(cache, c->guild_id) : NULL;
	struct shoal_permissions_member member = { .user_id = user->id,
						   .roles = user->roles,
						   .role_count = (uint32_t)user->role_count,
						   .timeout_ms = user->timed_out_ms };

	c->permissions_known = user->permissions_known;
	c->permissions = user->permissions;
	if (guild && (c->channel_id != inv->channel_id || !user->permissions_known))
		c->permissions_known =
			shoal_permissions_in_channel(guild, &member, c->channel_id, clock_wall_ms(), &c->permissions);
}

/* The path as the registry spells it. */
static void spell(const char *typed, char path[ACCESS_TARGET_SIZE])
{
	size_t len = 0;

	for (typed += *typed == '/'; *typed && len + 1 < ACCESS_TARGET_SIZE; typed++)
		path[len++] = (char)(*typed == '.'                    ? ' '
				     : *typed >= 'A' && *typed <= 'Z' ? *typed + 'a' - 'A'
								      : *typed);
	while (len > 0 && path[len - 1] == ' ')
		len--;
	path[len] = '\0';
}

static void explain(struct shoal_invocation *inv)
{
	const char *typed = invocation_string(inv, "command", "");
	uint64_t user_id = invocation_id(inv, "user", inv->user_id);
	const struct shoal_resolved_user *user = resolved_find_user(&inv->resolved, user_id);
	struct module_entry *owner = NULL;
	CLEANUP(buf_finish) struct buf out = { 0 };
	char path[ACCESS_TARGET_SIZE];
	struct gate_rule rule;
	struct gate_case c;

	spell(typed + strspn(typed, " "), path);
	if (!find_command(path, &rule, &owner)) {
		invocation_refuse(inv, &phrase_EXPLAIN_UNKNOWN, NULL, 0);
		return;
	}
	if (!user || !user->is_member) {
		invocation_refuse(inv, &phrase_EXPLAIN_NO_MEMBER, NULL, 0);
		return;
	}
	c = (struct gate_case){ .commands = inv->commands,
				.owner = owner,
				.rule = &rule,
				.path = path,
				.name = path,
				.guild_id = inv->guild_id,
				.channel_id = invocation_id(inv, "channel", inv->channel_id),
				.user_id = user_id,
				.roles = user->roles,
				.role_count = user->role_count,
				.timeout_ms = user->timed_out_ms,
				.language = inv->language };
	judge(&c, user, inv);
	gate_case_fill(&c);
	c.language = inv->language;
	buf_init(&out, 4 * TEXT_MAX);
	put_title(&out, &c, inv);
	put_steps(&out, &c, inv);
	if (buf_cstr(&out))
		invocation_reply_text(inv, buf_cstr(&out));
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

/* One of the names that hold what was typed; false: no more room. */
static bool add_choice(struct shoal_choice choices[SUGGESTED_MAX], size_t *count, const char *name, const char *typed)
{
	if (strcasestr(name, typed) && *count < SUGGESTED_MAX)
		choices[(*count)++] = (struct shoal_choice){ .name = name };
	return *count < SUGGESTED_MAX;
}

static void suggest_commands(struct shoal_choice choices[SUGGESTED_MAX], size_t *count, const char *typed,
			     char names[SUGGESTED_MAX][ACCESS_TARGET_SIZE])
{
	for (size_t i = 0; i < registry_command_count && *count < SUGGESTED_MAX; i++) {
		const struct shoal_command *command = registry_commands[i];
		char *name = names[*count];

		if (command->kind != SHOAL_COMMAND_SLASH)
			continue;
		snprintf(name, ACCESS_TARGET_SIZE, "/%s", command->name);
		add_choice(choices, count, name, typed);
		for (size_t j = 0; j < command->child_count && *count < SUGGESTED_MAX; j++) {
			name = names[*count];
			snprintf(name, ACCESS_TARGET_SIZE, "/%s %s", command->name, command->children[j].name);
			add_choice(choices, count, name, typed);
		}
	}
}

static void suggest_target(struct shoal_invocation *inv)
{
	struct shoal_choice choices[SUGGESTED_MAX] = { 0 };
	char names[SUGGESTED_MAX][ACCESS_TARGET_SIZE];
	const char *typed = shoal_suggest_typed(inv);
	const struct module_entry *last = NULL;
	size_t count = 0;

	add_choice(choices, &count, "all", typed);
	for (size_t i = 0; i < registry_command_count; i++) { /* a module's commands lie together */
		const struct module_entry *owner = registry_owner(registry_commands[i]);

		if (owner && owner != last)
			add_choice(choices, &count, owner->name, typed);
		last = owner;
	}
	suggest_commands(choices, &count, typed, names);
	shoal_suggest(inv, choices, count);
}

static void suggest_command(struct shoal_invocation *inv)
{
	struct shoal_choice choices[SUGGESTED_MAX] = { 0 };
	char names[SUGGESTED_MAX][ACCESS_TARGET_SIZE];
	size_t count = 0;

	suggest_commands(choices, &count, shoal_suggest_typed(inv), names);
	shoal_suggest(inv, choices, count);
}

#define LEVEL(word, phrase)                                               \
	{                                                                 \
		.name = (word), .text = (word), .names = &phrase_##phrase \
	}
static const struct shoal_choice given_levels[] = {
	LEVEL("member", LEVEL_MEMBER),       LEVEL("trusted", LEVEL_TRUSTED), LEVEL("helper", LEVEL_HELPER),
	LEVEL("moderator", LEVEL_MODERATOR), LEVEL("admin", LEVEL_ADMIN),
};
static const struct shoal_choice needed_levels[] = {
	LEVEL("member", LEVEL_MEMBER),       LEVEL("trusted", LEVEL_TRUSTED), LEVEL("helper", LEVEL_HELPER),
	LEVEL("moderator", LEVEL_MODERATOR), LEVEL("admin", LEVEL_ADMIN),     LEVEL("owner", LEVEL_OWNER),
	LEVEL(OWN_LEVEL, LEVEL_OWN),
};

static const struct shoal_phrase of_role = SHOAL_PHRASE(NULL, "Eine Rolle", "Un rol", "Un ruolo");
static const struct shoal_phrase of_user = SHOAL_PHRASE(NULL, "Ein Mitglied", "Un miembro", "Un membro");
static const struct shoal_phrase of_channel = SHOAL_PHRASE(NULL, "Ein Kanal", "Un canal", "Un canale");
static const struct shoal_phrase of_target =
	SHOAL_PHRASE(NULL, "all, ein Modul, oder ein Befehl wie /poll", "all, un módulo o un comando como /poll",
		     "all, un modulo o un comando come /poll");
static const struct shoal_phrase of_level = SHOAL_PHRASE(NULL, "Die Stufe", "El nivel", "Il livello");
static const struct shoal_phrase of_command =
	SHOAL_PHRASE(NULL, "Der Befehl, etwa /settings set", "El comando, por ejemplo /settings set",
		     "Il comando, per esempio /settings set");

#define ROLE_OPTION                                                                                          \
	{                                                                                                    \
		.name = "role", .description = "A role", .type = SHOAL_OPTION_ROLE, .descriptions = &of_role \
	}
#define USER_OPTION                                                                                            \
	{                                                                                                      \
		.name = "user", .description = "A member", .type = SHOAL_OPTION_USER, .descriptions = &of_user \
	}
#define CHANNEL_OPTION                                                                       \
	{                                                                                    \
		.name = "channel", .description = "A channel", .type = SHOAL_OPTION_CHANNEL, \
		.descriptions = &of_channel                                                  \
	}
#define TARGET_OPTION                                                                                                \
	{                                                                                                            \
		.name = "for", .description = "all, a module, or a command like /poll", .type = SHOAL_OPTION_STRING, \
		.required = true, .min = 1, .max = ACCESS_TARGET_SIZE - 2, .suggest = suggest_target,                \
		.descriptions = &of_target                                                                           \
	}
#define LEVEL_OPTION(levels)                                                                                \
	{                                                                                                   \
		.name = "level", .description = "The level", .type = SHOAL_OPTION_STRING, .required = true, \
		.choices = (levels), .choice_count = ARRAY_SIZE(levels), .descriptions = &of_level          \
	}

static const struct shoal_command_option level_options[] = { LEVEL_OPTION(given_levels), ROLE_OPTION, USER_OPTION };
static const struct shoal_command_option list_options[] = { TARGET_OPTION, ROLE_OPTION, USER_OPTION, CHANNEL_OPTION };
static const struct shoal_command_option need_options[] = { TARGET_OPTION, LEVEL_OPTION(needed_levels) };
static const struct shoal_command_option explain_options[] = {
	{ .name = "command",
	  .description = "The command, for example /settings set",
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 1,
	  .max = ACCESS_TARGET_SIZE - 2,
	  .suggest = suggest_command,
	  .descriptions = &of_command },
	USER_OPTION,
	CHANNEL_OPTION,
};

static const struct shoal_command children[] = {
	{
		.name = "show",
		.description = "See levels and rules of this server",
		.descriptions = SHOAL_LOCAL("Stufen und Regeln dieses Servers ansehen",
					    "Ver los niveles y reglas de este servidor",
					    "Vedere livelli e regole di questo server"),
		.handle = show,
	},
	{
		.name = "level",
		.description = "Give a role or a member a level; member takes it back",
		.descriptions =
			SHOAL_LOCAL("Einer Rolle oder einem Mitglied eine Stufe geben; Mitglied nimmt sie zurück",
				    "Dar un nivel a un rol o miembro; miembro lo quita",
				    "Dare un livello a un ruolo o membro; membro lo toglie"),
		.options = level_options,
		.option_count = ARRAY_SIZE(level_options),
		.handle = give_level,
	},
	{
		.name = "allow",
		.description = "Only these may use it, or only there",
		.descriptions =
			SHOAL_LOCAL("Nur diese dürfen es benutzen, oder nur dort",
				    "Solo estos pueden usarlo, o solo ahí", "Solo questi possono usarlo, o solo lì"),
		.options = list_options,
		.option_count = ARRAY_SIZE(list_options),
		.handle = allow,
	},
	{
		.name = "deny",
		.description = "These may not use it, or not there",
		.descriptions = SHOAL_LOCAL("Diese dürfen es nicht benutzen, oder nicht dort",
					    "Estos no pueden usarlo, o no ahí", "Questi non possono usarlo, o non lì"),
		.options = list_options,
		.option_count = ARRAY_SIZE(list_options),
		.handle = deny,
	},
	{
		.name = "forget",
		.description = "Take rules back: those of the named, or all",
		.descriptions = SHOAL_LOCAL("Regeln zurücknehmen: die der Genannten, oder alle",
					    "Quitar reglas: las de los nombrados, o todas",
					    "Togliere regole: quelle dei nominati, o tutte"),
		.options = list_options,
		.option_count = ARRAY_SIZE(list_options),
		.handle = forget,
	},
	{
		.name = "need",
		.description = "Ask for another level than the command's own",
		.descriptions = SHOAL_LOCAL("Eine andere Stufe verlangen als der Befehl selbst",
					    "Pedir otro nivel que el del comando",
					    "Chiedere un livello diverso da quello del comando"),
		.options = need_options,
		.option_count = ARRAY_SIZE(need_options),
		.handle = need,
	},
	{
		.name = "explain",
		.description = "See check by check whether somebody may use a command",
		.descriptions = SHOAL_LOCAL("Prüfung für Prüfung sehen, ob jemand einen Befehl benutzen darf",
					    "Ver paso a paso si alguien puede usar un comando",
					    "Vedere passo per passo se qualcuno può usare un comando"),
		.options = explain_options,
		.option_count = ARRAY_SIZE(explain_options),
		.handle = explain,
	},
};

const struct shoal_command command_permissions = {
	.name = "permissions",
	.description = "Who may use what in this server",
	.descriptions = SHOAL_LOCAL("Wer auf diesem Server was benutzen darf", "Quién puede usar qué en este servidor",
				    "Chi può usare che cosa in questo server"),
	.flags = SHOAL_COMMAND_EPHEMERAL | SHOAL_COMMAND_GUILD_ONLY | SHOAL_COMMAND_SLASH_ONLY,
	.permissions = SHOAL_PERMISSION_MANAGE_GUILD,
	.children = children,
	.child_count = ARRAY_SIZE(children),
};
