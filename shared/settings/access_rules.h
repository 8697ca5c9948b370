/* What a server says about who may do what: the text of the setting access.rules, a line a rule, and what it means for
 * one member, one command and one channel. Pure; any thread.
 *
 *	grant moderator <@&1> <@2>	roles and members that are moderators
 *	allow /poll <@&3>		of the command, only these (and their channels)
 *	deny utility <#4>		of the module, not these
 *	deny all <@5>
 *	need /poll helper		another level than the command's own
 *
 * A subcommand is /settings.set; what stands for a command stands for its subcommands. What is nearer counts: rules of
 * the subcommand before those of the command, of the module, of all. On each of these steps a member's own rule counts
 * before those of roles, and of roles (as in Discord's overwrites) one that allows before one that denies; a thread's
 * before its channel's before its category's. Where something is allowed to some, all others are denied. */
#ifndef SHOAL_SHARED_SETTINGS_ACCESS_RULES_H
#define SHOAL_SHARED_SETTINGS_ACCESS_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/config.h>
#include <shoal/level.h>
#include <shoal/phrase.h>

#define SETTING_ACCESS_RULES            "access.rules"
#define SETTING_ACCESS_FROM_PERMISSIONS "access.from_permissions"

#define ACCESS_SUBJECTS_MAX 400 /* of one text, together */
#define ACCESS_TARGET_SIZE  104 /* "/settings.set", "utility", "all" */
#define ACCESS_PLACES       3
#define ACCESS_TEXT_MAX     8192

enum access_verb { ACCESS_GRANT, ACCESS_ALLOW, ACCESS_DENY, ACCESS_NEED, ACCESS_VERB_COUNT };
enum access_kind { ACCESS_USER, ACCESS_ROLE, ACCESS_CHANNEL, ACCESS_KIND_COUNT };

/* One subject of one line. */
struct access_rule {
	enum access_verb verb;
	enum access_kind kind;
	uint64_t id;            /* 0: NEED has no subject */
	enum shoal_level level; /* GRANT, NEED */
	uint16_t target;        /* offset in names; GRANT: of "" */
};

struct access_rules {
	size_t count;
	struct access_rule *items;
	char *names; /* targets, NUL-terminated one after the other; the first is "" */
	size_t names_len;
};

/* Why a text can't be read: a phrase, and for the {number} in it a line, or how many there may be. */
struct access_fault {
	const struct shoal_phrase *phrase;
	int64_t number;
};
/* @text as rules. -EINVAL with a fault that names the line; -E2BIG (too many, said in @ret_fault); -ENOMEM.
 * @ret_rules is to be freed with access_rules_finish(). */
int access_rules_parse(const char *text, struct access_rules *ret_rules, struct access_fault *ret_fault);
/* Also for CLEANUP(), and a zeroed struct. */
void access_rules_finish(struct access_rules *rules);
/* The text of @rules: equal verbs, levels and targets share a line, in the order in which each came first. -E2BIG: it
 * has more than ACCESS_TEXT_MAX bytes. -ENOMEM. Caller frees. */
int access_rules_print(const struct access_rules *rules, char **ret_text);

/* Adds one (no matter if it is there: 0 then, else 1). @target: ""  for GRANT. -EINVAL: no such target, level or kind;
 * -E2BIG, -ENOMEM. */
int access_rules_add(struct access_rules *rules, enum access_verb verb, const char *target, enum shoal_level level,
		     enum access_kind kind, uint64_t id);
/* Takes out those of @verb (ACCESS_VERB_COUNT: any) for @target (NULL: any) about @kind and @id (id 0: any). The count
 * of those that went. */
size_t access_rules_remove(struct access_rules *rules, enum access_verb verb, const char *target, enum access_kind kind,
			   uint64_t id);

const char *access_target(const struct access_rules *rules, const struct access_rule *rule);
/* Lower case words as they stand in the text: "moderator", … NULL above OWNER: nobody is made an operator by a server.
 */
const char *access_level_word(enum shoal_level level);
/* SHOAL_LEVEL_COUNT: there is none of that name that a server could give or ask for. */
enum shoal_level access_level_of(const char *word, size_t len);
/* "all", a module's name, "/command" or "/command.sub": whether it could be one. */
bool access_target_is_good(const char *target);

/* --- what they mean --- */

struct access_question {
	const char *module; /* NULL: nobody's */
	const char *path;   /* "settings set"; "" when there is none (a component) */
	uint64_t guild_id;  /* also the id of the role that everybody has */
	uint64_t user_id;
	const uint64_t *roles;
	size_t role_count;
	uint64_t places[ACCESS_PLACES]; /* from the nearest: thread, channel, category; 0: none */
};

enum access_outcome {
	ACCESS_FREE,
	ACCESS_NOT_YOU,  /* a rule about the member or roles denies */
	ACCESS_NOT_HERE, /* a rule about channels does */
};

struct access_verdict {
	enum access_outcome outcome;
	/* Which rule said so; NULL with ACCESS_FREE: none; NULL else: others are on the list, not this one. */
	const struct access_rule *rule;
	const char *target; /* on whose list; NULL: on none */
	bool level_set;     /* the server asks for @level instead of the command's own */
	enum shoal_level level;
};
void access_rules_judge(const struct access_rules *rules, const struct access_question *question,
			struct access_verdict *ret_verdict);

/* The channels that the nearest list allows for the question, at most @max; their count. */
size_t access_rules_places(const struct access_rules *rules, const struct access_question *question, uint64_t *ids,
			   size_t max);

/* What the server made of the member by GRANT: the highest; MEMBER when nothing. */
enum shoal_level access_rules_granted(const struct access_rules *rules, const struct access_question *question);

/* Of struct shoal_setting: the check of access.rules. */
const struct shoal_phrase *access_rules_check(const struct shoal_setting_value *value, int64_t *ret_number);

#endif
