/* /help: made from the registry, so that it cannot be out of date. */
#include "shard/commands/builtin.h"

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

#define HELP_MAX 8192

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

static void put_line(struct buf *out, const struct shoal_invocation *inv, const struct shoal_phrase *phrase,
		     const char *name, const char *value)
{
	buf_append_str(out, "\n  ");
	builtin_put(out, inv, phrase, WORDS({ name, value }));
}

/* What a command and its parents ask for. */
struct asked {
	uint32_t flags;
	uint64_t permissions;
	enum shoal_level level;
};

static void describe_row(struct buf *out, const struct shoal_invocation *inv, const struct shoal_command *command,
			 const char *path, const char *prefix, const struct asked *asked)
{
	CLEANUP(buf_finish) struct buf example = { 0 };

	buf_init(&example, HELP_MAX);
	buf_printf(out, "`/%s`: %s", path, builtin_described(inv, command->descriptions, command->description));
	describe_options(out, inv, command);
	if (asked->permissions)
		put_line(out, inv, &phrase_HELP_NEEDS, "permission",
			 shoal_permission_words(asked->permissions, inv->language));
	if (asked->level)
		put_line(out, inv, &phrase_HELP_LEVEL, "level", gate_level_words(asked->level, inv->language));
	if (asked->flags & SHOAL_COMMAND_GUILD_ONLY)
		put_line(out, inv, &phrase_HELP_SERVERS, "", "");
	if (asked->flags & SHOAL_COMMAND_EPHEMERAL)
		put_line(out, inv, &phrase_HELP_EPHEMERAL, "", "");
	buf_printf(&example, "`%s", prefix && !strchr(prefix, '`') ? prefix : "@me ");
	words_usage(command, path, inv->language, &example);
	buf_append_char(&example, '`');
	if (!(asked->flags & SHOAL_COMMAND_SLASH_ONLY) && buf_cstr(&example))
		put_line(out, inv, &phrase_HELP_MESSAGE, "example", buf_cstr(&example));
	buf_append_char(out, '\n');
}

/* @prefix NULL: not known yet. @asked: what the parents ask for. */
static void describe(struct buf *out, const struct shoal_invocation *inv, const struct shoal_command *command,
		     const char *parents, const char *prefix, struct asked asked)
{
	char path[INVOCATION_PATH_SIZE * 2];
	size_t i;

	snprintf(path, sizeof(path), "%s%s%s", parents, *parents ? " " : "", command->name);
	asked.flags |= command->flags;
	asked.permissions |= command->permissions;
	asked.level = command->level > asked.level ? command->level : asked.level;
	if (command->child_count == 0)
		describe_row(out, inv, command, path, prefix, &asked);
	for (i = 0; i < command->child_count; i++)
		describe(out, inv, &command->children[i], path, prefix, asked);
}

static void list_menus(const struct shoal_invocation *inv, struct buf *out)
{
	CLEANUP(buf_finish) struct buf names = { 0 };
	size_t i;

	buf_init(&names, HELP_MAX);
	for (i = 0; i < registry_command_count; i++) {
		if (registry_commands[i]->kind != SHOAL_COMMAND_SLASH)
			buf_printf(&names, "%s`%s`", names.len ? ", " : "",
				   builtin_described(inv, registry_commands[i]->names, registry_commands[i]->name));
	}
	if (names.len == 0 || !buf_cstr(&names))
		return;
	builtin_put(out, inv, &phrase_HELP_MENUS, WORDS({ "names", buf_cstr(&names) }));
	buf_append_char(out, '\n');
}

static void list_all(const struct shoal_invocation *inv, const char *prefix, struct buf *out)
{
	char example[PREFIXES_SHOWN_SIZE];
	size_t i;

	buf_printf(out, "%s\n", builtin_text(inv, &phrase_HELP_TITLE));
	for (i = 0; i < registry_command_count; i++) {
		if (registry_commands[i]->kind == SHOAL_COMMAND_SLASH)
			buf_printf(out, "`/%s`: %s\n", registry_commands[i]->name,
				   builtin_described(inv, registry_commands[i]->descriptions,
						     registry_commands[i]->description));
	}
	list_menus(inv, out);
	buf_printf(out, "\n%s", builtin_text(inv, &phrase_HELP_MORE));
	if (!prefix)
		return;
	buf_append_char(out, ' ');
	builtin_put(out, inv, &phrase_HELP_PREFIX, WORDS({ "example", prefixes_shown(prefix, "ping", example) }));
}

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
	CLEANUP(buf_finish) struct buf out = { 0 };

	buf_init(&out, HELP_MAX);
	if (!name) {
		list_all(inv, prefix, &out);
	} else {
		command = find(name, prefix);
		if (!command) {
			invocation_refuse(inv, &phrase_COMMAND_UNKNOWN, NULL, 0);
			return;
		}
		describe(&out, inv, command, "", prefix, (struct asked){ 0 });
	}
	if (buf_cstr(&out))
		shoal_reply_text(inv, buf_cstr(&out));
}

#define SUGGESTIONS_MAX 25

static void suggest_command(struct shoal_invocation *inv)
{
	struct shoal_choice found[SUGGESTIONS_MAX];
	const char *typed = suggest_typed(inv);
	size_t i, count = 0;

	typed += *typed == '/';
	for (i = 0; i < registry_command_count && count < SUGGESTIONS_MAX; i++) {
		if (registry_commands[i]->kind == SHOAL_COMMAND_SLASH &&
		    strncasecmp(registry_commands[i]->name, typed, strlen(typed)) == 0)
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
