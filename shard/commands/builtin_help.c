/* /help: made from the registry, so that it cannot be out of date. */
#include "shard/commands/builtin.h"

#include <string.h>

#include <shoal/permissions.h>

#include "shard/commands/commands.h"
#include "shard/commands/prefixes.h"
#include "shard/commands/registry.h"
#include "shared/base/buf.h"

#define HELP_MAX 8192

static void describe_options(struct buf *out, const struct shoal_command *command)
{
	size_t i;

	for (i = 0; i < command->option_count; i++)
		buf_printf(out, "\n  `%s`%s: %s", command->options[i].name,
			   command->options[i].required ? "" : " (optional)", command->options[i].description);
}

/* @prefix NULL: not known yet. @flags, @permissions: the parents'. */
static void describe(struct buf *out, const struct shoal_command *command, const char *parents, const char *prefix,
		     uint32_t flags, uint64_t permissions)
{
	char path[INVOCATION_PATH_SIZE * 2];
	size_t i;

	snprintf(path, sizeof(path), "%s%s%s", parents, *parents ? " " : "", command->name);
	flags |= command->flags;
	permissions |= command->permissions;
	if (command->child_count == 0) {
		buf_printf(out, "`/%s`: %s", path, command->description);
		describe_options(out, command);
		if (permissions)
			buf_printf(out, "\n  needs %s", shoal_permission_words(permissions));
		if (flags & SHOAL_COMMAND_GUILD_ONLY)
			buf_append_str(out, "\n  works in servers only");
		if (flags & SHOAL_COMMAND_EPHEMERAL)
			buf_append_str(out, "\n  only you see the answer");
		if (!(flags & SHOAL_COMMAND_SLASH_ONLY))
			buf_printf(out, "\n  also as a message: `%s%s`", prefix ? prefix : "@me ", path);
		buf_append_char(out, '\n');
	}
	for (i = 0; i < command->child_count; i++)
		describe(out, &command->children[i], path, prefix, flags, permissions);
}

static void list_all(const char *prefix, struct buf *out)
{
	char example[PREFIXES_SHOWN_SIZE];
	size_t i;

	buf_append_str(out, "**What I can do**\n");
	for (i = 0; i < registry_command_count; i++)
		buf_printf(out, "`/%s`: %s\n", registry_commands[i]->name, registry_commands[i]->description);
	buf_append_str(out, "\n`/help command:` followed by a name tells more.");
	if (prefix)
		buf_printf(out, " Most commands also work as %s, or when you mention me.",
			   prefixes_shown(prefix, "ping", example));
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
	CLEANUP(buf_finish) struct buf out;

	buf_init(&out, HELP_MAX);
	if (!name) {
		list_all(prefix, &out);
	} else {
		command = find(name, prefix);
		if (!command) {
			shoal_reply_error(inv, "There is no such command. `/help` lists them all.");
			return;
		}
		describe(&out, command, "", prefix, 0, 0);
	}
	if (buf_cstr(&out))
		shoal_reply_text(inv, buf_cstr(&out));
}

static const struct shoal_command_option options[] = {
	{ .name = "command",
	  .description = "The command to explain",
	  .type = SHOAL_OPTION_STRING,
	  .min = 1,
	  .max = 32 },
};

const struct shoal_command command_help = {
	.name = "help",
	.description = "What this bot can do",
	.flags = SHOAL_COMMAND_EPHEMERAL,
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.handle = help,
};
