/* The checks before a handler runs, in their order: switched on -> allowed here -> permission -> cooldown. Who is
 * refused is told why, in his language; what matters is in the log. The server's rules come from its settings, which
 * are loaded before its events are begun: where they could not be had, lists let pass and levels that a server gave do
 * not count. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_GATE_H
#define SHOAL_SHARD_COMMANDS_GATE_H

#include "shard/commands/access.h"
#include "shard/commands/cooldowns.h"
#include "shard/commands/invocation.h"

struct commands;
struct module_entry;

/* What a command's row and its parents', or a component's row, ask for. */
struct gate_rule {
	uint32_t flags; /* enum shoal_command_flags */
	uint64_t permissions;
	enum shoal_level level;
	const struct shoal_cooldown *cooldowns;
	size_t cooldown_count;
	const void *key; /* tells cooldowns of different commands apart */
};

/* On the way from a command to the subcommand that is meant: what each of them asks for. A child has its parent's
 * cooldowns where it has none of its own. */
void gate_add_to_rule(struct gate_rule *rule, const struct shoal_command *command);

/* Whether the module is on, on this shard and in this server. The invocation is its owner's from now on (NULL:
 * nobody's, always on). False: told. */
bool gate_is_on(struct shoal_invocation *inv, struct module_entry *owner);

/* True: go on; a use is taken off the cooldowns. False: told, or not worth telling again. An event that a worker before
 * us had let through is not held up by its own cooldown. */
bool gate_open(struct shoal_invocation *inv, const struct gate_rule *rule);

/* What the asking member is here. */
enum shoal_level gate_level(const struct shoal_invocation *inv);
bool gate_by_operator(const struct shoal_invocation *inv);
/* False: not known. */
bool gate_member(const struct shoal_invocation *inv, struct shoal_permissions_member *ret_member);
/* What the guild's admins have set (locale.language), as far as it is known at once; else @own, the member's. */
enum shoal_language gate_language(struct commands *commands, uint64_t guild_id, enum shoal_language own);
/* The language for all members of a guild, as far as it is known at once. */
enum shoal_language gate_guild_language(struct commands *commands, uint64_t guild_id);

/* --- the checks, one by one, for who asks about them ("explain") --- */

/* Who would use what, where. All borrowed. */
struct gate_case {
	struct commands *commands;
	struct module_entry *owner;
	const struct gate_rule *rule;
	const char *path; /* "settings set"; of a component: "" */
	const char *name; /* as it is called: the path, or a component's prefix */
	bool is_message;
	uint64_t guild_id, channel_id, user_id;
	const uint64_t *roles;
	size_t role_count;
	int64_t timeout_ms;
	bool permissions_known;
	uint64_t permissions; /* in the channel */
	enum shoal_language language;

	/* filled in by gate_case_fill() */
	const struct access_known *known;
	const struct shoal_guild_view *guild; /* NULL: not in the cache */
	struct access_question question;
	struct access_verdict verdict; /* of the server's rules */
	enum shoal_level granted;      /* by the server's rules, or by being owner or administrator */
	enum shoal_level level;        /* with what Discord's permissions give */
	enum shoal_level needed;       /* the row's, or the server's instead */
	bool by_operator, unbarred;    /* no list of the server's stops its owner and administrators */
};

struct gate_refusal {
	const char *reason; /* for the log: "permission" */
	const struct shoal_phrase *phrase;
	struct shoal_word words[4];
	size_t word_count;
	bool silent;        /* it was said already */
	bool others;        /* the list names others, who alone may */
	const char *target; /* whose list it was, for admins and the log; NULL: none's */
	char text[256];
};

enum gate_step { GATE_ENABLED, GATE_FORM, GATE_OPERATOR, GATE_LIST, GATE_PERMISSION, GATE_COOLDOWN, GATE_STEP_COUNT };

/* Whether the asker could use another command here, as a slash command and but for its cooldown. Nothing is told,
 * counted or taken. False: *@ret_refusal says why not; it borrows @path. */
bool gate_may(const struct shoal_invocation *inv, struct module_entry *owner, const struct gate_rule *rule,
	      const char *path, struct gate_refusal *ret_refusal);

/* By what the cache and the settings know of the guild. */
void gate_case_fill(struct gate_case *c);
/* The same with @known, and c->guild as it is. Keeps @known. */
void gate_case_judge(struct gate_case *c, const struct access_known *known);
/* One check. False: *ret says why not. The cooldown's takes a use unless @look. */
bool gate_check(const struct gate_case *c, enum gate_step step, bool look, struct gate_refusal *ret);
/* The level's name in a language. */
const char *gate_level_words(enum shoal_level level, enum shoal_language language);

#endif
