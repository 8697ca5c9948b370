/* Rules about who may do what: text, list, meaning. What stands there was typed by admins or written by an older
 * program: everything is checked. Pure; must not allocate when it is asked what rules mean. */
#include "shared/settings/access_rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/snowflake.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/phrases/phrases.h"

#define STEPS_MAX 8 /* all, module, /a, /a.b, /a.b.c, and room */
#define NOWHERE   SIZE_MAX

static const char *const verb_words[ACCESS_VERB_COUNT] = { "grant", "allow", "deny", "need" };
static const char *const level_words[SHOAL_LEVEL_OPERATOR] = { "member",    "trusted", "helper",
							       "moderator", "admin",   "owner" };
static const char *const kind_opens[ACCESS_KIND_COUNT] = { "<@", "<@&", "<#" };

const char *access_level_word(enum shoal_level level)
{
	return (unsigned int)level < SHOAL_LEVEL_OPERATOR ? level_words[level] : NULL;
}

enum shoal_level access_level_of(const char *word, size_t len)
{
	for (int level = 0; level < SHOAL_LEVEL_OPERATOR; level++)
		if (strlen(level_words[level]) == len && memcmp(level_words[level], word, len) == 0)
			return (enum shoal_level)level;
	return SHOAL_LEVEL_COUNT;
}

/* A server gives what lies between a member and its owner. */
static bool can_be_granted(enum shoal_level level)
{
	return level > SHOAL_LEVEL_MEMBER && level < SHOAL_LEVEL_OWNER;
}

bool access_target_is_good(const char *target)
{
	const char *at = target + (*target == '/');
	size_t len = strlen(target);

	if (len >= ACCESS_TARGET_SIZE || !*at || *at == '.' || target[len - 1] == '.' || strstr(target, ".."))
		return false;
	if (*target != '/' && strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(at))
		return false;
	for (; *at; at++) /* Discord's names of commands: any letters, but no capitals of ours and nothing else */
		if ((unsigned char)*at <= ' ' || strchr("<>/@#`*|\\\"", *at) || (*at >= 'A' && *at <= 'Z'))
			return false;
	return true;
}

const char *access_target(const struct access_rules *rules, const struct access_rule *rule)
{
	return rules->names + rule->target;
}

void access_rules_finish(struct access_rules *rules)
{
	free(rules->items);
	free(rules->names);
	*rules = (struct access_rules){ 0 };
}

/* The offset of @target among the names; NOWHERE. */
static size_t find_name(const struct access_rules *rules, const char *target)
{
	for (size_t at = 0; at < rules->names_len; at += strlen(rules->names + at) + 1)
		if (strcmp(rules->names + at, target) == 0)
			return at;
	return NOWHERE;
}

static int add_name(struct access_rules *rules, const char *target, size_t *ret_at)
{
	size_t len = strlen(target) + 1, at = find_name(rules, target);
	char *names;

	if (at == NOWHERE) {
		if (rules->names_len + len > UINT16_MAX)
			return -E2BIG;
		names = realloc(rules->names, rules->names_len + len);
		if (!names)
			return -ENOMEM;
		memcpy(names + rules->names_len, target, len);
		at = rules->names_len;
		rules->names = names;
		rules->names_len += len;
	}
	*ret_at = at;
	return 0;
}

int access_rules_add(struct access_rules *rules, enum access_verb verb, const char *target, enum shoal_level level,
		     enum access_kind kind, uint64_t id)
{
	struct access_rule rule = { .verb = verb, .kind = kind, .id = id, .level = level }, *items;
	size_t at;
	int r;

	if (verb == ACCESS_GRANT ? *target != '\0' || !can_be_granted(level) || kind == ACCESS_CHANNEL
				 : !access_target_is_good(target))
		return -EINVAL;
	if (verb == ACCESS_NEED ? id != 0 || !access_level_word(level) : id == 0 || id > INT64_MAX)
		return -EINVAL;
	r = add_name(rules, target, &at);
	if (r < 0)
		return r;
	rule.target = (uint16_t)at;
	for (size_t i = 0; i < rules->count; i++) {
		const struct access_rule *other = &rules->items[i];

		if (other->verb == verb && other->kind == kind && other->id == id && other->level == level &&
		    other->target == rule.target)
			return 0;
	}
	if (rules->count == ACCESS_SUBJECTS_MAX)
		return -E2BIG;
	items = realloc(rules->items, (rules->count + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	rules->items = items;
	items[rules->count++] = rule;
	return 1;
}

size_t access_rules_remove(struct access_rules *rules, enum access_verb verb, const char *target, enum access_kind kind,
			   uint64_t id)
{
	size_t kept = 0, gone;

	for (size_t i = 0; i < rules->count; i++) {
		const struct access_rule *rule = &rules->items[i];

		if ((verb == ACCESS_VERB_COUNT || rule->verb == verb) &&
		    (!target || strcmp(access_target(rules, rule), target) == 0) &&
		    (id == 0 || (rule->id == id && rule->kind == kind)))
			continue;
		rules->items[kept++] = *rule;
	}
	gone = rules->count - kept;
	rules->count = kept;
	return gone;
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static bool take_word(const char **text, const char *end, const char **ret_word, size_t *ret_len)
{
	const char *at = *text;

	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == ','))
		at++;
	*ret_word = at;
	while (at < end && *at != ' ' && *at != '\t' && *at != '\r' && *at != ',')
		at++;
	*ret_len = (size_t)(at - *ret_word);
	*text = at;
	return *ret_len > 0;
}

/* "<@1>", "<@!1>", "<@&1>", "<#1>". */
static bool read_subject(const char *word, size_t len, enum access_kind *ret_kind, uint64_t *ret_id)
{
	size_t open;

	if (len < 4 || word[0] != '<' || word[len - 1] != '>')
		return false;
	*ret_kind = word[1] == '#' ? ACCESS_CHANNEL : word[2] == '&' ? ACCESS_ROLE : ACCESS_USER;
	open = *ret_kind == ACCESS_ROLE || (word[1] == '@' && word[2] == '!') ? 3 : 2;
	return (word[1] == '#' || word[1] == '@') && shoal_snowflake_parse(word + open, len - 1 - open, ret_id) == 0 &&
	       *ret_id <= INT64_MAX;
}

static int complain(struct access_fault *fault, size_t line, const struct shoal_phrase *phrase)
{
	*fault = (struct access_fault){ phrase, (int64_t)line };
	return -EINVAL;
}

static int complain_of(int r, struct access_fault *fault, size_t line, const struct shoal_phrase *phrase)
{
	if (r == -E2BIG)
		*fault = (struct access_fault){ &phrase_RULES_MANY, ACCESS_SUBJECTS_MAX };
	return r == -EINVAL ? complain(fault, line, phrase) : r;
}

static int read_subjects(struct access_rules *rules, const char *text, const char *end, enum access_verb verb,
			 const char *target, enum shoal_level level, size_t line, struct access_fault *fault)
{
	enum access_kind kind;
	const char *word;
	size_t len, count = 0;
	uint64_t id;
	int r;

	for (; take_word(&text, end, &word, &len); count++) {
		if (!read_subject(word, len, &kind, &id))
			return complain(fault, line, &phrase_RULES_SUBJECT);
		/* A member who asked to be forgotten leaves an id of nobody: the list it stood on stays a list. */
		r = access_rules_add(rules, verb, target, level, kind, id ? id : 1);
		if (r < 0)
			return complain_of(r, fault, line, &phrase_RULES_GRANT);
	}
	return count ? 0 : complain(fault, line, &phrase_RULES_NOBODY);
}

static int read_line(struct access_rules *rules, const char *text, const char *end, size_t line,
		     struct access_fault *fault)
{
	enum shoal_level level = SHOAL_LEVEL_MEMBER;
	char target[ACCESS_TARGET_SIZE] = "";
	const char *word;
	int verb = 0;
	size_t len;

	if (!take_word(&text, end, &word, &len) || *word == ';')
		return 0;
	while (verb < ACCESS_VERB_COUNT && (strlen(verb_words[verb]) != len || memcmp(verb_words[verb], word, len)))
		verb++;
	if (verb == ACCESS_VERB_COUNT)
		return complain(fault, line, &phrase_RULES_VERB);
	if (!take_word(&text, end, &word, &len))
		return complain(fault, line, &phrase_RULES_SHORT);
	if (verb != ACCESS_GRANT) {
		if (len >= sizeof(target))
			return complain(fault, line, &phrase_RULES_NAME_LONG);
		memcpy(target, word, len);
		target[len] = '\0';
		if (!access_target_is_good(target))
			return complain(fault, line, &phrase_RULES_TARGET);
	}
	if (verb == ACCESS_NEED && !take_word(&text, end, &word, &len))
		return complain(fault, line, &phrase_RULES_SHORT);
	if (verb == ACCESS_GRANT || verb == ACCESS_NEED)
		level = access_level_of(word, len);
	if (level == SHOAL_LEVEL_COUNT || (verb == ACCESS_GRANT && !can_be_granted(level)))
		return complain(fault, line, &phrase_RULES_LEVELS);
	if (verb == ACCESS_NEED && take_word(&text, end, &word, &len))
		return complain(fault, line, &phrase_RULES_BEHIND);
	if (verb == ACCESS_NEED)
		return complain_of(access_rules_add(rules, ACCESS_NEED, target, level, ACCESS_USER, 0), fault, line,
				   &phrase_RULES_CANT);
	return read_subjects(rules, text, end, (enum access_verb)verb, target, level, line, fault);
}

int access_rules_parse(const char *text, struct access_rules *ret_rules, struct access_fault *ret_fault)
{
	CLEANUP(access_rules_finish) struct access_rules rules = { 0 };
	size_t line = 1;
	int r = 0;

	*ret_fault = (struct access_fault){ &phrase_NO_MEMORY, 0 };
	for (; *text && r >= 0; line++) {
		size_t len = strcspn(text, "\n");

		r = read_line(&rules, text, text + len, line, ret_fault);
		text += len + (text[len] == '\n');
	}
	if (r < 0)
		return r;
	*ret_rules = rules;
	rules = (struct access_rules){ 0 };
	return 0;
}

static bool same_line(const struct access_rule *a, const struct access_rule *b)
{
	return a->verb == b->verb && a->level == b->level && a->target == b->target && a->verb != ACCESS_NEED;
}

int access_rules_print(const struct access_rules *rules, char **ret_text)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	int r = 0;

	buf_init(&out, ACCESS_TEXT_MAX);
	for (size_t i = 0; i < rules->count && r == 0; i++) {
		const struct access_rule *rule = &rules->items[i];
		size_t before = 0;

		while (before < i && !same_line(rule, &rules->items[before]))
			before++;
		if (before < i)
			continue; /* stands in that one's line */
		r = buf_printf(&out, "%s%s %s", out.len ? "\n" : "", verb_words[rule->verb],
			       rule->verb == ACCESS_GRANT ? level_words[rule->level] : access_target(rules, rule));
		if (r == 0 && rule->verb == ACCESS_NEED)
			r = buf_printf(&out, " %s", level_words[rule->level]);
		for (size_t j = i; rule->verb != ACCESS_NEED && j < rules->count && r == 0; j++)
			if (same_line(rule, &rules->items[j]))
				r = buf_printf(&out, " %s%" PRIu64 ">", kind_opens[rules->items[j].kind],
					       rules->items[j].id);
	}
	if (r < 0)
		return r == -ENOBUFS ? -E2BIG : r;
	*ret_text = buf_cstr(&out) ? strdup(buf_cstr(&out)) : NULL;
	return *ret_text ? 0 : -ENOMEM;
}

const struct shoal_phrase *access_rules_check(const struct shoal_setting_value *value, int64_t *ret_number)
{
	struct access_rules rules;
	struct access_fault fault;

	if (access_rules_parse(value->text, &rules, &fault) < 0) {
		*ret_number = fault.number;
		return fault.phrase;
	}
	access_rules_finish(&rules);
	return NULL;
}

/* --- meaning ------------------------------------------------------------------------------------------------------ */

/* How near @target is to what is asked about: 0 all, 1 the module, 2 the command, 3 and 4 what is below; -1: it is
 * about something else. */
static int step_of(const char *target, const struct access_question *question)
{
	const char *path = question->path;
	int step = 2;

	if (*target != '/') {
		if (question->module && strcmp(target, question->module) == 0)
			return 1;
		return strcmp(target, "all") == 0 ? 0 : -1;
	}
	for (target++; *target; target++, path++) {
		if (*target == '.' && *path == ' ')
			step++;
		else if (*target != *path)
			return -1;
	}
	return (*path == '\0' || *path == ' ') && step < STEPS_MAX ? step : -1;
}

static bool holds_role(const struct access_question *question, uint64_t id)
{
	if (id == question->guild_id)
		return true;
	for (size_t i = 0; i < question->role_count; i++)
		if (question->roles[i] == id)
			return true;
	return false;
}

/* What the rules of one step say. */
struct step {
	const struct access_rule *user[ACCESS_VERB_COUNT], *role[ACCESS_VERB_COUNT]; /* ALLOW, DENY of the member */
	const struct access_rule *place[ACCESS_PLACES][ACCESS_VERB_COUNT];
	const struct access_rule *people, *places; /* any that allows: then there is a list */
	const struct access_rule *need;
};

static void note(struct step *step, const struct access_rule *rule, const struct access_question *question)
{
	if (rule->verb == ACCESS_NEED) {
		step->need = rule;
		return;
	}
	if (rule->verb == ACCESS_ALLOW && rule->kind == ACCESS_CHANNEL)
		step->places = rule;
	else if (rule->verb == ACCESS_ALLOW)
		step->people = rule;
	if (rule->kind == ACCESS_USER && rule->id == question->user_id)
		step->user[rule->verb] = rule;
	if (rule->kind == ACCESS_ROLE && holds_role(question, rule->id))
		step->role[rule->verb] = rule;
	for (size_t i = 0; rule->kind == ACCESS_CHANNEL && i < ACCESS_PLACES; i++)
		if (rule->id == question->places[i])
			step->place[i][rule->verb] = rule;
}

/* What one step says of someone: *ret_rule allows or denies; NULL and true: he is not on its list. False: nothing. */
static bool says_who(const struct step *step, const struct access_rule **ret_rule)
{
	*ret_rule = step->user[ACCESS_DENY]    ? step->user[ACCESS_DENY]
		    : step->user[ACCESS_ALLOW] ? step->user[ACCESS_ALLOW]
		    : step->role[ACCESS_ALLOW] ? step->role[ACCESS_ALLOW]
					       : step->role[ACCESS_DENY];
	return *ret_rule || step->people;
}

static bool says_where(const struct step *step, const struct access_rule **ret_rule)
{
	*ret_rule = NULL;
	for (size_t i = 0; i < ACCESS_PLACES && !*ret_rule; i++)
		*ret_rule = step->place[i][ACCESS_DENY] ? step->place[i][ACCESS_DENY] : step->place[i][ACCESS_ALLOW];
	return *ret_rule || step->places;
}

static void fill_steps(const struct access_rules *rules, const struct access_question *question,
		       struct step steps[STEPS_MAX])
{
	uint16_t target = UINT16_MAX;
	int step = -1;

	memset(steps, 0, STEPS_MAX * sizeof(*steps));
	for (size_t i = 0; i < rules->count; i++) {
		const struct access_rule *rule = &rules->items[i];

		if (rule->verb == ACCESS_GRANT)
			continue;
		if (rule->target != target) { /* those of one line lie together */
			target = rule->target;
			step = step_of(access_target(rules, rule), question);
		}
		if (step >= 0)
			note(&steps[step], rule, question);
	}
}

void access_rules_judge(const struct access_rules *rules, const struct access_question *question,
			struct access_verdict *ret_verdict)
{
	bool who_said = false, where_said = false;
	const struct access_rule *rule;
	struct step steps[STEPS_MAX];

	*ret_verdict = (struct access_verdict){ .outcome = ACCESS_FREE };
	if (rules->count == 0)
		return;
	fill_steps(rules, question, steps);
	for (int i = STEPS_MAX - 1; i >= 0; i--) {
		const struct step *step = &steps[i];
		bool who = !who_said && says_who(step, &rule);
		const struct access_rule *list = who ? (rule ? rule : step->people) : NULL;
		bool denied = who && (!rule || rule->verb == ACCESS_DENY);

		who_said = who_said || who;
		if (!denied && !where_said && says_where(step, &rule)) {
			where_said = true;
			list = rule ? rule : step->places;
			denied = !rule || rule->verb == ACCESS_DENY;
			ret_verdict->outcome = denied ? ACCESS_NOT_HERE : ret_verdict->outcome;
		} else if (denied) {
			ret_verdict->outcome = ACCESS_NOT_YOU;
		}
		if (step->need && !ret_verdict->level_set) {
			ret_verdict->level_set = true;
			ret_verdict->level = step->need->level;
		}
		if (!denied || ret_verdict->target)
			continue;
		ret_verdict->rule = rule;
		ret_verdict->target = access_target(rules, list);
		who_said = where_said = true; /* one reason is enough */
	}
}

size_t access_rules_places(const struct access_rules *rules, const struct access_question *question, uint64_t *ids,
			   size_t max)
{
	size_t count = 0;
	int best = -1;

	for (size_t i = 0; i < rules->count; i++) {
		const struct access_rule *rule = &rules->items[i];
		int step = rule->verb == ACCESS_ALLOW && rule->kind == ACCESS_CHANNEL
				   ? step_of(access_target(rules, rule), question)
				   : -1;

		if (step > best) {
			best = step;
			count = 0;
		}
		if (step >= 0 && step == best && count < max)
			ids[count++] = rule->id;
	}
	return count;
}

enum shoal_level access_rules_granted(const struct access_rules *rules, const struct access_question *question)
{
	enum shoal_level level = SHOAL_LEVEL_MEMBER;

	for (size_t i = 0; i < rules->count; i++) {
		const struct access_rule *rule = &rules->items[i];

		if (rule->verb == ACCESS_GRANT && rule->level > level &&
		    (rule->kind == ACCESS_USER ? rule->id == question->user_id : holds_role(question, rule->id)))
			level = rule->level;
	}
	return level;
}
