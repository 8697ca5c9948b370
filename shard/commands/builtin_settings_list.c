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
static void put_setting(struct buf *out, const struct shoal_invocation *inv, const struct guild_setting *setting)
{
	char value[VALUE_SHOWN + 1], who[48];
	size_t len = setting->value_len < VALUE_SHOWN ? setting->value_len : VALUE_SHOWN;

	/* Not in the middle of a character. */
	while (len < setting->value_len && len > 0 && ((unsigned char)setting->value[len] & 0xc0) == 0x80)
		len--;
	memcpy(value, setting->value, len);
	value[len] = '\0';
	for (char *at = value; *at; at++)
		if (*at == '`')
			*at = '\'';
	snprintf(who, sizeof(who), "<@%" PRIu64 ">", setting->updated_by);
	builtin_put(out, inv, &phrase_LIST_ROW,
		    WORDS({ "name", setting->name }, { "value", value }, { "cut", len < setting->value_len ? "…" : "" },
			  { "who", setting->updated_by ? who : builtin_text(inv, &phrase_LIST_PROGRAM) }));
	buf_append_char(out, '\n');
}

static void listed(void *arg, int error, const struct guild_setting *settings, size_t count)
{
	struct shoal_invocation *inv = arg;
	CLEANUP(buf_finish) struct buf out = { 0 };
	char more[NUMBER_SIZE];
	size_t shown = 0, before;

	buf_init(&out, 2 * LIST_MAX);
	for (; error == 0 && shown < count; shown++) {
		before = out.len;
		put_setting(&out, inv, &settings[shown]);
		if (out.len > LIST_MAX) {
			out.len = before;
			break;
		}
	}
	if (error == 0 && shown < count)
		builtin_put(&out, inv, &phrase_LIST_MORE, WORDS({ "count", builtin_number(count - shown, more) }));
	if (error == 0 && count == 0)
		invocation_reply_phrase(inv, &phrase_LIST_EMPTY, NULL, 0);
	else if (error == 0 && buf_cstr(&out))
		shoal_reply_text(inv, buf_cstr(&out));
	else if (error != -ECANCELED)
		builtin_tell_database(inv, error);
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
