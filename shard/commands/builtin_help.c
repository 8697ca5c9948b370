/* /help: made from the registry, so that it cannot be out of date. It lists what the asker could use where he asks, by
 * the gate's own checks; of a command that is asked for by name it tells all, and why it could not be used. */
#include "shard/commands/builtin.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <shoal/permissions.h>

#include "shard/commands/commands.h"
#include "shard/commands/gate.h"
#include "shard/commands/prefixes.h"
#include "shard/commands/registry.h"
#include "shard/commands/suggest.h"
#include "shard/commands/words.h"
#include "shared/base/buf.h"

#define HELP_MAX    8192
#define LIST_MAX    (16 * 1024) /* 130 commands of 100 characters, and more */
#define ANSWER_FITS 1950        /* bytes: an answer has 2000 characters */

static void describe_options(struct buf *out, const struct shoal_invocation *inv, const struct shoal_command *command)
{
	size_t i;

	for (i = 0; i < command->option_count; i++) {
		const struct shoal_command_option *option = &command->options[i];

		buf_printf(out, "\n  `%s`%s%s: %s", option->name, option->required ? "" : " ",
			   option->required ? "" : builtin_text(inv, &phrase_HELP_OPTIONAL),
			   builtin_described(inv, option->descriptions, option->description));
	}
}

/* --- who may use what --------------------------------------------------------------------------------------------- */

/* What a command and its parents ask for, and where in the registry it is. */
struct asked {
	struct gate_rule rule;
	struct module_entry *owner;
	char path[INVOCATION_PATH_SIZE * 2];
};

static struct asked asked_of(const struct shoal_command *command)
{
	struct asked asked = { .owner = registry_owner(command) };

	snprintf(asked.path, sizeof(asked.path), "%s", command->name);
	gate_add_to_rule(&asked.rule, command);
	return asked;
}

static struct asked asked_of_child(const struct asked *parent, const struct shoal_command *child)
{
	struct asked asked = *parent;
	size_t len = strlen(asked.path);

	snprintf(asked.path + len, sizeof(asked.path) - len, " %s", child->name);
	gate_add_to_rule(&asked.rule, child);
	return asked;
}

/* Whether the asker could use it here, or one of its children: others are not listed. */
static bool is_usable(const struct shoal_invocation *inv, const struct shoal_command *command,
		      const struct asked *asked)
{
	struct gate_refusal refusal;

	if (command->child_count == 0)
		return gate_may(inv, asked->owner, &asked->rule, asked->path, &refusal);
	for (size_t i = 0; i < command->child_count; i++) {
		struct asked child = asked_of_child(asked, &command->children[i]);

		if (is_usable(inv, &command->children[i], &child))
			return true;
	}
	return false;
}

/* --- one command -------------------------------------------------------------------------------------------------- */

static void put_fact(struct buf *out, const struct shoal_invocation *inv, const struct shoal_phrase *phrase,
		     const char *name, const char *value)
{
	buf_append_str(out, out->len ? " · " : "");
	builtin_put(out, inv, phrase, WORDS({ name, value }));
}

/* What is so of most commands of one family: said once where it is so of all. */
static void put_facts(struct buf *out, const struct shoal_invocation *inv, const struct gate_rule *rule)
{
	if (rule->permissions)
		put_fact(out, inv, &phrase_HELP_NEEDS, "permission",
			 shoal_permission_words(rule->permissions, inv->language));
	if (rule->level)
		put_fact(out, inv, &phrase_HELP_LEVEL, "level", gate_level_words(rule->level, inv->language));
	if (rule->flags & SHOAL_COMMAND_GUILD_ONLY)
		put_fact(out, inv, &phrase_HELP_SERVERS, "", "");
	if (rule->flags & SHOAL_COMMAND_EPHEMERAL)
		put_fact(out, inv, &phrase_HELP_EPHEMERAL, "", "");
}

struct description {
	const struct shoal_invocation *inv;
	const char *prefix; /* NULL: not known yet */
	struct buf out;
	bool alike; /* all rows have the facts of the first */
};

static void describe_row(struct description *d, const struct shoal_command *command, const struct asked *asked)
{
	CLEANUP(buf_finish) struct buf example = { 0 };
	CLEANUP(buf_finish) struct buf facts = { 0 };

	buf_init(&example, HELP_MAX);
	buf_init(&facts, HELP_MAX);
	buf_printf(&d->out, "`/%s`: %s", asked->path,
		   builtin_described(d->inv, command->descriptions, command->description));
	describe_options(&d->out, d->inv, command);
	buf_printf(&example, "`%s", d->prefix && !strchr(d->prefix, '`') ? d->prefix : "@me ");
	words_usage(command, asked->path, d->inv->language, &example);
	buf_append_char(&example, '`');
	if (!(asked->rule.flags & SHOAL_COMMAND_SLASH_ONLY) && buf_cstr(&example)) {
		buf_append_str(&d->out, "\n  ");
		builtin_put(&d->out, d->inv, &phrase_HELP_MESSAGE, WORDS({ "example", buf_cstr(&example) }));
	}
	put_facts(&facts, d->inv, &asked->rule);
	if (!d->alike && facts.len && buf_cstr(&facts))
		buf_printf(&d->out, "\n  %s", buf_cstr(&facts));
	buf_append_char(&d->out, '\n');
}

static void describe(struct description *d, const struct shoal_command *command, const struct asked *asked)
{
	if (command->child_count == 0)
		describe_row(d, command, asked);
	for (size_t i = 0; i < command->child_count; i++) {
		struct asked child = asked_of_child(asked, &command->children[i]);

		describe(d, &command->children[i], &child);
	}
}

/* Whether each row below asks for the same. @rule: the first one's, once there was one (key set). */
static bool are_alike(const struct shoal_command *command, const struct asked *asked, struct gate_rule *rule)
{
	if (command->child_count == 0) {
		if (!rule->key)
			*rule = asked->rule;
		return rule->permissions == asked->rule.permissions && rule->level == asked->rule.level &&
		       rule->flags == asked->rule.flags;
	}
	for (size_t i = 0; i < command->child_count; i++) {
		struct asked child = asked_of_child(asked, &command->children[i]);

		if (!are_alike(&command->children[i], &child, rule))
			return false;
	}
	return true;
}

/* Why the asker could use none of it here and now. */
static void put_refusal(struct description *d, const struct shoal_command *command, struct asked asked)
{
	struct gate_refusal refusal;

	if (is_usable(d->inv, command, &asked))
		return;
	for (; command->child_count; command = &command->children[0])
		asked = asked_of_child(&asked, &command->children[0]);
	if (gate_may(d->inv, asked.owner, &asked.rule, asked.path, &refusal))
		return;
	buf_append_str(&d->out, "⚠ ");
	builtin_put(&d->out, d->inv, refusal.phrase, refusal.words, refusal.word_count);
	buf_append_char(&d->out, '\n');
}

static void explain(struct shoal_invocation *inv, const struct shoal_command *command, const char *prefix)
{
	struct asked asked = asked_of(command);
	struct gate_rule shared = { 0 };
	struct description d = { .inv = inv, .prefix = prefix };
	CLEANUP(buf_finish) struct buf facts = { 0 };

	buf_init(&d.out, HELP_MAX);
	buf_init(&facts, HELP_MAX);
	d.alike = are_alike(command, &asked, &shared);
	describe(&d, command, &asked);
	if (d.alike)
		put_facts(&facts, inv, &shared);
	if (facts.len && buf_cstr(&facts))
		buf_printf(&d.out, "-# %s\n", buf_cstr(&facts));
	put_refusal(&d, command, asked);
	if (d.out.len > 0)
		d.out.len--; /* the last line's end */
	if (buf_cstr(&d.out))
		shoal_reply_text(inv, buf_cstr(&d.out));
	buf_finish(&d.out);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

/* "**Remind**" above a module's commands. */
static void put_head(struct buf *out, const struct shoal_invocation *inv, const struct module_entry *owner)
{
	if (!owner || strcmp(owner->name, "core") == 0)
		buf_printf(out, "\n**%s**\n", builtin_text(inv, &phrase_HELP_GENERAL));
	else
		buf_printf(out, "\n**%c%s**\n", toupper((unsigned char)owner->name[0]), owner->name + 1);
}

/* @brief: names alone, where there are so many that their descriptions would not fit. */
static void list_commands(const struct shoal_invocation *inv, bool brief, struct buf *out)
{
	const struct module_entry *last = NULL;
	bool any = false;

	for (size_t i = 0; i < registry_command_count; i++) { /* a module's commands lie together */
		const struct shoal_command *command = registry_commands[i];
		struct asked asked = asked_of(command);

		if (command->kind != SHOAL_COMMAND_SLASH || !is_usable(inv, command, &asked))
			continue;
		if (!any || asked.owner != last)
			put_head(out, inv, asked.owner);
		else
			buf_append_str(out, brief ? " " : "");
		any = true;
		last = asked.owner;
		if (brief)
			buf_printf(out, "`/%s`", command->name);
		else
			buf_printf(out, "`/%s`: %s\n", command->name,
				   builtin_described(inv, command->descriptions, command->description));
	}
	if (brief)
		buf_append_char(out, '\n');
}

static void list_menus(const struct shoal_invocation *inv, struct buf *out)
{
	CLEANUP(buf_finish) struct buf names = { 0 };

	buf_init(&names, HELP_MAX);
	for (size_t i = 0; i < registry_command_count; i++) {
		const struct shoal_command *command = registry_commands[i];
		struct asked asked = asked_of(command);

		if (command->kind != SHOAL_COMMAND_SLASH && is_usable(inv, command, &asked))
			buf_printf(&names, "%s`%s`", names.len ? ", " : "",
				   builtin_described(inv, command->names, command->name));
	}
	if (names.len == 0 || !buf_cstr(&names))
		return;
	buf_append_char(out, '\n');
	builtin_put(out, inv, &phrase_HELP_MENUS, WORDS({ "names", buf_cstr(&names) }));
	buf_append_char(out, '\n');
}

static void list_all(const struct shoal_invocation *inv, const char *prefix, bool brief, struct buf *out)
{
	char example[PREFIXES_SHOWN_SIZE];

	buf_printf(out, "%s\n", builtin_text(inv, &phrase_HELP_TITLE));
	list_commands(inv, brief, out);
	list_menus(inv, out);
	buf_printf(out, "\n%s", builtin_text(inv, &phrase_HELP_MORE));
	if (!prefix)
		return;
	buf_append_char(out, ' ');
	builtin_put(out, inv, &phrase_HELP_PREFIX, WORDS({ "example", prefixes_shown(prefix, "ping", example) }));
}

static void list(struct shoal_invocation *inv, const char *prefix)
{
	CLEANUP(buf_finish) struct buf out = { 0 };

	buf_init(&out, LIST_MAX);
	list_all(inv, prefix, false, &out);
	if (out.len > ANSWER_FITS) {
		out.len = 0;
		list_all(inv, prefix, true, &out);
	}
	if (buf_cstr(&out))
		shoal_reply_text(inv, buf_cstr(&out));
}

/* --- the command -------------------------------------------------------------------------------------------------- */

/* "ping", "/ping", "!ping"; of "settings prefix" the command that it belongs to. */
static const struct shoal_command *find(const char *name, const char *prefix)
{
	size_t skip = prefix && strncmp(name, prefix, strlen(prefix)) == 0 ? strlen(prefix) : *name == '/';

	name += skip;
	return registry_find((struct shoal_str){ name, (uint32_t)strcspn(name, " ") });
}

static void help(struct shoal_invocation *inv)
{
	const char *prefix = prefixes_peek(commands_services(inv)->settings, shoal_invocation_guild_id(inv),
					   shoal_invocation_channel_id(inv));
	const char *name = shoal_invocation_string(inv, "command", NULL);
	const struct shoal_command *command;

	if (!name) {
		list(inv, prefix);
		return;
	}
	command = find(name, prefix);
	if (command)
		explain(inv, command, prefix);
	else
		invocation_refuse(inv, &phrase_COMMAND_UNKNOWN, NULL, 0);
}

#define SUGGESTIONS_MAX 25

static void suggest_command(struct shoal_invocation *inv)
{
	struct shoal_choice found[SUGGESTIONS_MAX];
	const char *typed = suggest_typed(inv);
	size_t i, count = 0;

	typed += *typed == '/';
	for (i = 0; i < registry_command_count && count < SUGGESTIONS_MAX; i++) {
		struct asked asked = asked_of(registry_commands[i]);

		if (registry_commands[i]->kind == SHOAL_COMMAND_SLASH &&
		    strncasecmp(registry_commands[i]->name, typed, strlen(typed)) == 0 &&
		    is_usable(inv, registry_commands[i], &asked))
			found[count++] = (struct shoal_choice){ .name = registry_commands[i]->name };
	}
	suggest_give(inv, found, count);
}

static const struct shoal_command_option options[] = {
	{ .name = "command",
	  .description = "The command to explain",
	  .type = SHOAL_OPTION_STRING,
	  .min = 1,
	  .max = 32,
	  .suggest = suggest_command,
	  .names = SHOAL_LOCAL("befehl", "comando", "comando"),
	  .descriptions =
		  SHOAL_LOCAL("Der Befehl, um den es geht", "El comando que se explica", "Il comando da spiegare") },
};

const struct shoal_command command_help = {
	.name = "help",
	.description = "What this bot can do",
	.names = SHOAL_LOCAL("hilfe", "ayuda", "aiuto"),
	.descriptions = SHOAL_LOCAL("Was dieser Bot kann", "Lo que sabe hacer este bot", "Che cosa sa fare questo bot"),
	.flags = SHOAL_COMMAND_EPHEMERAL,
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.handle = help,
};
