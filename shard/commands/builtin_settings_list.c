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
#include "shared/settings/settings.h"
#include "shared/settings/value.h"

#define LIST_MAX    1800 /* bytes: an answer has 2000 characters */
#define VALUE_SHOWN 100

/* In a code span: no backtick may end it, no line may break it; cut between characters. */
static void put_code(const char *text, size_t len, char *out, size_t size)
{
	size_t keep = len < VALUE_SHOWN ? len : VALUE_SHOWN, i;
	char code[VALUE_SHOWN + 1];

	while (keep < len && keep > 0 && ((unsigned char)text[keep] & 0xc0) == 0x80)
		keep--;
	for (i = 0; i < keep; i++)
		code[i] = text[i] == '`' ? '\'' : (unsigned char)text[i] < ' ' ? ' ' : text[i];
	code[keep] = '\0';
	snprintf(out, size, "`%s`%s", code, keep < len ? "…" : "");
}

/* As /settings show has it: mentions as mentions, secrets hidden; what no module of today knows, as it is stored. */
static void print_value(struct shoal_invocation *inv, const struct guild_setting *setting, char *out, size_t size)
{
	const struct schema_row *row = schemas_find(settings_schemas(commands_services(inv)->settings), setting->name);
	json_t *json = json_loadb(setting->value, setting->value_len, JSON_DECODE_ANY, NULL);
	CLEANUP(value_clear) struct value value = { 0 };
	char error[VALUE_ERROR_SIZE], text[VALUE_SHOWN_SIZE];

	if (row && (row->row->flags & SHOAL_SETTING_SENSITIVE)) {
		snprintf(out, size, "%s", builtin_text(inv, &phrase_VALUE_HIDDEN));
	} else if (!row || !json || value_from_json(row->row, json, &value, error) < 0) {
		put_code(setting->value, setting->value_len, out, size);
	} else {
		value_say(&value.is, inv->language, text, sizeof(text));
		if (row->row->type != SHOAL_SETTING_TEXT)
			snprintf(out, size, "%s", text);
		else if (text[0])
			put_code(text, strlen(text), out, size);
		else
			snprintf(out, size, "%s", builtin_text(inv, &phrase_VALUE_EMPTY));
	}
	json_decref(json);
}

static void put_setting(struct buf *out, struct shoal_invocation *inv, const struct guild_setting *setting)
{
	char value[LIST_MAX / 2], who[48];

	print_value(inv, setting, value, sizeof(value));
	snprintf(who, sizeof(who), "<@%" PRIu64 ">", setting->updated_by);
	builtin_put(out, inv, &phrase_LIST_ROW,
		    WORDS({ "name", setting->name }, { "value", value },
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
