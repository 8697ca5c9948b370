/* /settings list: what this server has changed, and who. An admin's question: it is asked of the standby where there is
 * one (postgres.read_conninfo), so that questions cost the primary nothing. */
#include "shard/commands/builtin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shard/commands/commands.h"
#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/db/guild_settings.h"

#define LIST_MAX    1800 /* bytes: an answer has 2000 characters */
#define VALUE_SHOWN 100

/* A value between backticks: none of its own may end them. */
static size_t put_setting(char *text, size_t size, const struct guild_setting *setting)
{
	char value[VALUE_SHOWN + 1], who[48] = "a program";
	size_t len = setting->value_len < VALUE_SHOWN ? setting->value_len : VALUE_SHOWN;
	int n;

	/* Not in the middle of a character. */
	while (len < setting->value_len && len > 0 && ((unsigned char)setting->value[len] & 0xc0) == 0x80)
		len--;
	memcpy(value, setting->value, len);
	value[len] = '\0';
	for (char *at = value; *at; at++)
		if (*at == '`')
			*at = '\'';
	if (setting->updated_by)
		snprintf(who, sizeof(who), "<@%" PRIu64 ">", setting->updated_by);
	n = snprintf(text, size, "`%s` = `%s`%s by %s\n", setting->name, value, len < setting->value_len ? "…" : "",
		     who);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static void listed(void *arg, int error, const struct guild_setting *settings, size_t count)
{
	struct shoal_invocation *inv = arg;
	char text[LIST_MAX] = "";
	size_t len = 0, shown = 0;

	for (; shown < count; shown++) {
		size_t more = put_setting(text + len, sizeof(text) - len, &settings[shown]);

		if (more == 0)
			break;
		len += more;
	}
	text[len] = '\0';
	if (error == 0 && count == 0)
		shoal_reply_printf(inv, "Everything here is as it comes: nothing was changed.");
	else if (error == 0 && shown < count)
		shoal_reply_printf(inv, "%s… and %zu more", text, count - shown);
	else if (error == 0)
		shoal_reply_printf(inv, "%s", text);
	else if (error != -ECANCELED)
		shoal_reply_error(inv, "This server's settings can't be read just now: %s.", error_text(error));
	shoal_invocation_release(inv);
}

void settings_list(struct shoal_invocation *inv)
{
	int r;

	shoal_invocation_hold(inv);
	r = guild_settings_list(commands_services(inv)->db, shoal_invocation_guild_id(inv), listed, inv);
	if (r < 0)
		listed(inv, r, NULL, 0);
}
