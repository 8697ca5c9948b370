/* /settings: what a server's admins may change. */
#include "shard/commands/builtin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/permissions.h>

#include "shard/commands/commands.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

struct change {
	struct shoal_invocation *inv;
	char prefix[PREFIX_SIZE];
};

static void tell_error(struct shoal_invocation *inv, int error)
{
	switch (error) {
	case -SHOAL_EOFFLINE:
		shoal_reply_error(inv, "Settings can't be stored just now: the database is not there. "
				       "Nothing was changed; please try again later.");
		break;
	case -SHOAL_EUNKNOWN:
		shoal_reply_error(inv, "The connection to the database broke while the change was made. "
				       "Please look with `/settings prefix` whether it is there.");
		break;
	case -ENOBUFS:
	case -ETIMEDOUT:
		shoal_reply_error(inv, "The database is too busy just now. Nothing was changed; please try again.");
		break;
	case -ENODATA:
	case -EACCES:
		shoal_reply_error(inv, "Settings can't be stored: the database is not set up for that. "
				       "Nothing was changed; my operator's log says what to do.");
		break;
	default:
		shoal_reply_error(inv, "The setting could not be stored (%s). Nothing was changed.", error_name(error));
	}
}

static void stored(void *arg, int error)
{
	struct change *change = arg;
	struct shoal_invocation *inv = change->inv;
	struct log_ctx ctx = { .shard = (int32_t)commands_services(inv)->shard_id,
			       .guild_id = shoal_invocation_guild_id(inv),
			       .module = "settings" };
	char shown[PREFIXES_SHOWN_SIZE], example[PREFIXES_SHOWN_SIZE];

	if (error == 0) {
		log_audit(&ctx, "settings.changed", KV_STR("setting", PREFIXES_SETTING),
			  KV_U64("user", shoal_invocation_user_id(inv)));
		shoal_reply_printf(inv, "Done: commands here now begin with %s, for example %s.",
				   prefixes_shown(change->prefix, "", shown),
				   prefixes_shown(change->prefix, "ping", example));
	} else if (error != -ECANCELED) {
		tell_error(inv, error);
	}
	shoal_invocation_release(inv);
	free(change);
}

static void shown(void *arg, const char *prefix)
{
	struct shoal_invocation *inv = arg;
	char text[PREFIXES_SHOWN_SIZE];

	if (prefixes_is_sure(commands_services(inv)->prefixes, shoal_invocation_guild_id(inv)))
		shoal_reply_printf(inv, "Commands here begin with %s. `/settings prefix new:` changes it.",
				   prefixes_shown(prefix, "", text));
	else
		shoal_reply_printf(inv,
				   "Just now commands here begin with %s: the database with this server's "
				   "settings is not there.",
				   prefixes_shown(prefix, "", text));
	shoal_invocation_release(inv);
}

static void show(struct shoal_invocation *inv)
{
	struct prefixes *prefixes = commands_services(inv)->prefixes;
	const char *prefix = prefixes_peek(prefixes, shoal_invocation_guild_id(inv));

	shoal_invocation_hold(inv);
	if (prefix)
		shown(inv, prefix);
	else if (prefixes_load(prefixes, shoal_invocation_guild_id(inv), shown, inv) < 0)
		shoal_invocation_release(inv); /* its last release apologises */
}

static void change_prefix(struct shoal_invocation *inv, const char *prefix)
{
	struct prefixes *prefixes = commands_services(inv)->prefixes;
	const char *problem = prefixes_check(prefix);
	struct change *change;
	bool reset;
	int r;

	if (problem) {
		shoal_reply_error(inv, "%s", problem);
		return;
	}
	change = calloc(1, sizeof(*change));
	if (!change) {
		tell_error(inv, -ENOMEM);
		return;
	}
	change->inv = shoal_invocation_hold(inv);
	strcpy(change->prefix, prefix);
	reset = strcmp(prefix, prefixes_fallback(prefixes)) == 0;
	r = prefixes_store(prefixes, shoal_invocation_guild_id(inv), reset ? "" : prefix, shoal_invocation_user_id(inv),
			   stored, change);
	if (r < 0)
		stored(change, r);
}

static void prefix(struct shoal_invocation *inv)
{
	const char *wanted = shoal_invocation_string(inv, "new", NULL);

	if (wanted)
		change_prefix(inv, wanted);
	else
		show(inv);
}

static const struct shoal_command_option prefix_options[] = {
	{ .name = "new",
	  .description = "What commands typed as messages begin with",
	  .type = SHOAL_OPTION_STRING,
	  .min = 1,
	  .max = PREFIX_CHARACTERS_MAX },
};

static const struct shoal_command children[] = {
	{
		.name = "prefix",
		.description = "See or change what message commands begin with",
		.options = prefix_options,
		.option_count = ARRAY_SIZE(prefix_options),
		.handle = prefix,
	},
	{
		.name = "list",
		.description = "See what was changed here, and by whom",
		.handle = settings_list,
	},
};

const struct shoal_command command_settings = {
	.name = "settings",
	.description = "See and change this server's settings",
	.flags = SHOAL_COMMAND_EPHEMERAL | SHOAL_COMMAND_GUILD_ONLY | SHOAL_COMMAND_SLASH_ONLY,
	.permissions = SHOAL_PERMISSION_MANAGE_GUILD,
	.children = children,
	.child_count = ARRAY_SIZE(children),
};
