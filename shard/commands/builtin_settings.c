/* /settings: what a server's admins may change, where a value comes from, who changed it, and the way back. */
#include "shard/commands/builtin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/permissions.h>

#include "shard/commands/commands.h"
#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/settings/settings_write.h"

#define TEXT_MAX      1900 /* bytes: an answer has 2000 characters */
#define SHOWN_MAX     160
#define HISTORY_ROWS  15
#define OWNERS_SHOWN  12
#define SUGGESTED_MAX 25 /* Discord shows no more */

static const char *const in_words[SETTINGS_LAYER_COUNT] = { "the default", "set for all servers by the operator",
							    "set for this server", "set for the channel",
							    "set by you" };

static struct settings *settings_of(struct shoal_invocation *inv)
{
	return commands_services(inv)->settings;
}

static struct settings_place place_of(struct shoal_invocation *inv)
{
	return (struct settings_place){
		.guild_id = shoal_invocation_guild_id(inv),
		.channel_id = shoal_invocation_id(inv, "channel", shoal_invocation_channel_id(inv)),
		.user_id = shoal_invocation_user_id(inv),
	};
}

/* A value as code, so that nothing in it is anything but text; mentions as they are. */
static void put_value(struct buf *out, const struct schema_row *row, const struct shoal_setting_value *value)
{
	char text[SHOWN_MAX], code[PREFIXES_SHOWN_SIZE];

	if (row->row->flags & SHOAL_SETTING_SENSITIVE) {
		buf_append_str(out, value->text[0] ? "(set, hidden)" : "(empty)");
		return;
	}
	value_print(value, true, text, sizeof(text));
	if (value->type == SHOAL_SETTING_TEXT && strlen(text) < PREFIXES_SHOWN_SIZE / 2)
		buf_append_str(out, text[0] ? prefixes_shown(text, "", code) : "(empty)");
	else if (value->type == SHOAL_SETTING_TEXT)
		buf_printf(out, "```\n%s\n```", text);
	else
		buf_append_str(out, text);
}

/* --- what is told when no value can be had ------------------------------------------------------------------------ */

static const char *doubt_of(struct settings *settings)
{
	return settings_is_on(settings)
		       ? "\nThe database with this server's settings is not there just now, so this may be "
			 "old or a default."
		       : "\nNo database is configured, so nothing can be changed.";
}

/* --- prefix ------------------------------------------------------------------------------------------------------- */

struct change {
	struct shoal_invocation *inv;
	char prefix[PREFIX_SIZE * 4];
};

/* How a change ended, for those that say nothing of their own. */
static bool tell_failure(struct shoal_invocation *inv, const struct settings_outcome *outcome)
{
	if (outcome->error == 0)
		return false;
	if (outcome->error != -ECANCELED)
		shoal_reply_error(inv, "%s", outcome->words);
	return true;
}

static const char *kept_words(const struct settings_outcome *outcome)
{
	return outcome->kept
		       ? "\nThe database is not there just now: this is kept, and will be written when it is back."
		       : "";
}

static void prefix_changed(void *arg, const struct settings_outcome *outcome)
{
	struct change *change = arg;
	char shown[PREFIXES_SHOWN_SIZE], example[PREFIXES_SHOWN_SIZE];

	if (!tell_failure(change->inv, outcome))
		shoal_reply_printf(change->inv, "Done: commands here now begin with %s, for example %s.%s",
				   prefixes_shown(change->prefix, "", shown),
				   prefixes_shown(change->prefix, "ping", example), kept_words(outcome));
	shoal_invocation_release(change->inv);
	free(change);
}

static void prefix_shown(void *arg, const struct setting_answer *answer)
{
	struct shoal_invocation *inv = arg;
	struct settings *settings = settings_of(inv);
	char text[PREFIXES_SHOWN_SIZE];

	prefixes_shown(answer->value->text, "", text);
	if (!settings_is_on(settings))
		shoal_reply_printf(
			inv, "Commands here begin with %s. No database is configured, so it can't be changed.", text);
	else if (answer->sure)
		shoal_reply_printf(inv, "Commands here begin with %s. `/settings prefix new:` changes it.", text);
	else
		shoal_reply_printf(inv,
				   "Just now commands here begin with %s: the database with this server's settings is "
				   "not there.",
				   text);
	shoal_invocation_release(inv);
}

static struct settings_change change_of(struct shoal_invocation *inv, enum settings_layer layer, const char *name)
{
	return (struct settings_change){ .layer = layer,
					 .place = place_of(inv),
					 .name = name,
					 .by = shoal_invocation_user_id(inv),
					 .token = shoal_invocation_event_id(inv) };
}

static void prefix(struct shoal_invocation *inv)
{
	const char *wanted = shoal_invocation_string(inv, "new", NULL);
	struct settings_place place = place_of(inv);
	struct settings_change wish = change_of(inv, SETTINGS_GUILD, SETTING_PREFIX);
	struct change *change;

	shoal_invocation_hold(inv);
	if (!wanted) {
		if (settings_get(settings_of(inv), &place, SETTING_PREFIX, prefix_shown, inv) < 0)
			shoal_invocation_release(inv); /* its last release apologises */
		return;
	}
	change = calloc(1, sizeof(*change));
	if (!change) {
		shoal_invocation_release(inv);
		return;
	}
	change->inv = inv;
	snprintf(change->prefix, sizeof(change->prefix), "%s", wanted);
	settings_set(settings_of(inv), &wish, wanted, prefix_changed, change);
}

/* --- show --------------------------------------------------------------------------------------------------------- */

/* What is shown: one setting, or all (of one owner) in turn. */
struct look {
	struct shoal_invocation *inv;
	struct settings_place place;
	const char *owner; /* NULL: of all */
	bool all, sure;
	size_t at;
	struct buf out;
};

/* The row at or behind *@at that is to be shown; NULL: there are no more. */
static const struct schema_row *next_row(const struct look *look, size_t *at)
{
	const struct schema_row *row;

	for (; (row = schemas_at(settings_schemas(settings_of(look->inv)), *at)); (*at)++)
		if (!look->owner || strcmp(row->schema->owner, look->owner) == 0)
			return row;
	return NULL;
}

/* Those for which there was no room: how many, and how to see them. */
static void put_rest(struct look *look)
{
	size_t count = 0, at = look->at;
	const char *owner = "";

	if (!next_row(look, &at))
		return;
	buf_append_str(&look->out, "\n… and more, shown by `/settings show name:` with");
	for (const struct schema_row *row; (row = next_row(look, &at)) && count < OWNERS_SHOWN; at++) {
		const char *one = look->owner ? row->name : row->schema->owner;

		if (strcmp(one, owner) == 0)
			continue;
		buf_printf(&look->out, "%s `%s`", count++ ? "," : "", one);
		owner = one;
	}
	if (next_row(look, &at))
		buf_append_str(&look->out, " …");
}

static void end_look(struct look *look)
{
	if (!look->sure || !settings_is_on(settings_of(look->inv)))
		buf_append_str(&look->out, doubt_of(settings_of(look->inv)));
	shoal_reply_text(look->inv, buf_cstr(&look->out));
	shoal_invocation_release(look->inv);
	buf_finish(&look->out);
	free(look);
}

static void put_layers(struct look *look, const struct schema_row *row, enum settings_layer from)
{
	struct setting_layer layers[SETTINGS_LAYER_COUNT];

	settings_layers(settings_of(look->inv), &look->place, row->name, layers);
	for (enum settings_layer layer = SETTINGS_DEFAULT; layer < SETTINGS_LAYER_COUNT; layer++) {
		if (layer != SETTINGS_DEFAULT && !layers[layer].allowed)
			continue;
		buf_printf(&look->out, "\n%s %s: ", layer == from ? "**→**" : "-", in_words[layer]);
		if (layers[layer].value)
			put_value(&look->out, row, layers[layer].value);
		else if (layers[layer].problem)
			buf_append_str(&look->out, settings_problem_words(layers[layer].problem));
		else
			buf_append_str(&look->out, "not set");
		if (layers[layer].pending)
			buf_append_str(&look->out, " (waits for the database)");
		else if (layers[layer].version)
			buf_printf(&look->out, " (version %" PRId64 ", <t:%" PRId64 ":R>)", layers[layer].version,
				   layers[layer].changed_ms / 1000);
	}
}

static void on_look(void *arg, const struct setting_answer *answer)
{
	struct look *look = arg;
	const struct schema_row *row = answer->row;

	look->sure = look->sure && answer->sure;
	buf_printf(&look->out, "%s`%s` is ", look->out.len ? "\n" : "", row->name);
	if (answer->problem && (row->row->flags & SHOAL_SETTING_SENSITIVE))
		buf_printf(&look->out, "not usable: %s", settings_problem_words(answer->problem));
	else
		put_value(&look->out, row, answer->value);
	buf_printf(&look->out, ", %s", in_words[answer->from]);
	if (!look->all) {
		char allowed[VALUE_ERROR_SIZE];

		value_allowed(row->row, allowed, sizeof(allowed));
		buf_printf(&look->out, "\n%s: %s", row->row->description, allowed);
		put_layers(look, row, answer->from);
		end_look(look);
		return;
	}
	look->at++;
	row = look->out.len < TEXT_MAX - 4 * SHOWN_MAX ? next_row(look, &look->at) : NULL;
	if (row && settings_get(settings_of(look->inv), &look->place, row->name, on_look, look) == 0)
		return;
	put_rest(look);
	end_look(look);
}

static void show(struct shoal_invocation *inv)
{
	const char *name = shoal_invocation_string(inv, "name", NULL);
	const struct schema_row *first;
	struct look *look = calloc(1, sizeof(*look));

	if (!look)
		return; /* its last release apologises */
	look->inv = shoal_invocation_hold(inv);
	look->place = place_of(inv);
	look->all = !name || !schemas_find(settings_schemas(settings_of(inv)), name);
	look->owner = look->all ? name : NULL;
	look->sure = true;
	buf_init(&look->out, 2 * TEXT_MAX);
	first = look->all ? next_row(look, &look->at) : NULL;
	if (first)
		name = first->name;
	if (name && settings_get(settings_of(inv), &look->place, name, on_look, look) == 0)
		return;
	shoal_reply_error(inv, "There is no setting `%s`; `/settings show` lists them all.", name);
	buf_finish(&look->out);
	free(look);
	shoal_invocation_release(inv);
}

/* --- set, reset, rollback ----------------------------------------------------------------------------------------- */

static enum settings_layer layer_of(struct shoal_invocation *inv)
{
	if (shoal_invocation_boolean(inv, "mine", false))
		return SETTINGS_USER;
	return shoal_invocation_id(inv, "channel", 0) ? SETTINGS_CHANNEL : SETTINGS_GUILD;
}

static void changed(void *arg, const struct settings_outcome *outcome)
{
	struct shoal_invocation *inv = arg;
	char version[48] = "";

	if (outcome->version)
		snprintf(version, sizeof(version), " (version %" PRId64 ")", outcome->version);
	if (!tell_failure(inv, outcome))
		shoal_reply_printf(inv, "Done: `%s` is changed%s. `/settings show name:%s` tells what counts now.%s",
				   shoal_invocation_string(inv, "name", ""), version,
				   shoal_invocation_string(inv, "name", ""), kept_words(outcome));
	shoal_invocation_release(inv);
}

static void set(struct shoal_invocation *inv)
{
	struct settings_change change = change_of(inv, layer_of(inv), shoal_invocation_string(inv, "name", ""));

	shoal_invocation_hold(inv);
	settings_set(settings_of(inv), &change, shoal_invocation_string(inv, "value", ""), changed, inv);
}

static void reset(struct shoal_invocation *inv)
{
	struct settings_change change = change_of(inv, layer_of(inv), shoal_invocation_string(inv, "name", ""));

	shoal_invocation_hold(inv);
	settings_reset(settings_of(inv), &change, changed, inv);
}

static void rollback(struct shoal_invocation *inv)
{
	struct settings_change change = change_of(inv, layer_of(inv), shoal_invocation_string(inv, "name", ""));

	shoal_invocation_hold(inv);
	settings_rollback(settings_of(inv), &change, shoal_invocation_integer(inv, "version", 0), changed, inv);
}

/* --- history ------------------------------------------------------------------------------------------------------ */

/* What it was before: the next older row of the same place, where it is among those that were read. */
static const char *before(const struct setting_past *rows, size_t count, size_t at)
{
	for (size_t i = at + 1; i < count; i++)
		if (rows[i].channel_id == rows[at].channel_id && strcmp(rows[i].name, rows[at].name) == 0)
			return rows[i].shown;
	return rows[at].version == 1 ? "not set" : "…";
}

/* In a code span nothing may end it, and no line may break it. */
static void put_code(struct buf *out, const char *text)
{
	char copy[SHOWN_MAX];
	size_t len = strnlen(text, sizeof(copy) - 1);

	while (len > 0 && text[len] && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	for (size_t i = 0; i < len; i++)
		copy[i] = text[i] == '`' ? '\'' : (unsigned char)text[i] < ' ' ? ' ' : text[i];
	copy[len] = '\0';
	buf_printf(out, "`%s`", copy);
}

static void on_history(void *arg, int error, const char *words, const struct setting_past *rows, size_t count)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	struct shoal_invocation *inv = arg;

	buf_init(&out, 4 * TEXT_MAX);
	for (size_t i = 0; error == 0 && i < count && i < HISTORY_ROWS && out.len < TEXT_MAX - 3 * SHOWN_MAX; i++) {
		buf_printf(&out, "<t:%" PRId64 ":R> `%s`", rows[i].at_ms / 1000, rows[i].name);
		if (rows[i].channel_id)
			buf_printf(&out, " in <#%" PRIu64 ">", rows[i].channel_id);
		buf_printf(&out, " version %" PRId64 ": ", rows[i].version);
		put_code(&out, before(rows, count, i));
		buf_append_str(&out, " → ");
		put_code(&out, rows[i].shown);
		if (rows[i].by)
			buf_printf(&out, " by <@%" PRIu64 ">", rows[i].by);
		if (rows[i].note[0])
			buf_printf(&out, " (%s)", rows[i].note);
		buf_append_char(&out, '\n');
	}
	if (error == 0)
		shoal_reply_text(inv, count ? buf_cstr(&out) : "Nothing was changed here yet.");
	else if (error != -ECANCELED)
		shoal_reply_error(inv, "%s", words);
	shoal_invocation_release(inv);
}

static void history(struct shoal_invocation *inv)
{
	struct settings_place place = place_of(inv);
	const char *name = shoal_invocation_string(inv, "name", NULL);

	shoal_invocation_hold(inv);
	settings_history(settings_of(inv), layer_of(inv), &place, name, SETTINGS_HISTORY_MAX, on_history, inv);
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

/* Names that hold what was typed, those that begin with it first. */
static void suggest_name(struct shoal_invocation *inv)
{
	const struct schemas *schemas = settings_schemas(settings_of(inv));
	const char *typed = shoal_suggest_typed(inv);
	struct shoal_choice choices[SUGGESTED_MAX] = { 0 };
	const struct schema_row *row;
	size_t count = 0;

	for (int begins = 1; begins >= 0; begins--) {
		for (size_t i = 0; (row = schemas_at(schemas, i)) && count < SUGGESTED_MAX; i++) {
			const char *found = strcasestr(row->name, typed);

			if (found && (found == row->name) == begins)
				choices[count++] = (struct shoal_choice){ .name = row->name };
		}
	}
	shoal_suggest(inv, choices, count);
}

#define NAME_OPTION(required_)                                                                          \
	{                                                                                               \
		.name = "name", .description = "The setting's name", .type = SHOAL_OPTION_STRING,       \
		.required = (required_), .min = 1, .max = SCHEMA_NAME_SIZE - 1, .suggest = suggest_name \
	}
#define CHANNEL_OPTION                                                                                   \
	{                                                                                                \
		.name = "channel", .description = "For that channel alone", .type = SHOAL_OPTION_CHANNEL \
	}
#define MINE_OPTION                                                                               \
	{                                                                                         \
		.name = "mine", .description = "For yourself alone", .type = SHOAL_OPTION_BOOLEAN \
	}

static const struct shoal_command_option prefix_options[] = {
	{ .name = "new",
	  .description = "What commands typed as messages begin with",
	  .type = SHOAL_OPTION_STRING,
	  .min = 1,
	  .max = PREFIX_CHARACTERS_MAX },
};
static const struct shoal_command_option show_options[] = { NAME_OPTION(false), CHANNEL_OPTION };
static const struct shoal_command_option set_options[] = {
	NAME_OPTION(true),
	{ .name = "value",
	  .description = "The new value",
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 0,
	  .max = 4000 },
	CHANNEL_OPTION,
	MINE_OPTION,
};
static const struct shoal_command_option reset_options[] = { NAME_OPTION(true), CHANNEL_OPTION, MINE_OPTION };
static const struct shoal_command_option history_options[] = { NAME_OPTION(false), CHANNEL_OPTION };
static const struct shoal_command_option rollback_options[] = {
	NAME_OPTION(true),
	{ .name = "version",
	  .description = "The version whose value shall count again",
	  .type = SHOAL_OPTION_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = INT32_MAX },
	CHANNEL_OPTION,
};

#define CHILD(name_, description_, options_, handle_)                                  \
	{                                                                              \
		.name = (name_), .description = (description_), .options = (options_), \
		.option_count = ARRAY_SIZE(options_), .handle = (handle_)              \
	}

static const struct shoal_command children[] = {
	CHILD("prefix", "See or change what message commands begin with", prefix_options, prefix),
	CHILD("show", "See what counts here, and where it comes from", show_options, show),
	CHILD("set", "Change a setting", set_options, set),
	CHILD("reset", "Take a change back", reset_options, reset),
	CHILD("history", "See who changed what, and when", history_options, history),
	CHILD("rollback", "Go back to the value of an earlier version", rollback_options, rollback),
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
