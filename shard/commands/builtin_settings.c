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
#include "shared/phrases/clean.h"
#include "shared/settings/settings_write.h"

#define TEXT_MAX      1900 /* bytes: an answer has 2000 characters */
#define SHOWN_MAX     160
#define VALUE_LINE    100 /* bytes of a text on its line */
#define WHOLE_MAX     900 /* of one that is shown as a whole */
#define HISTORY_ROWS  15
#define GROUP_ROWS    3 /* so many settings of one owner stand apart from others */
#define OWNERS_SHOWN  12
#define SUGGESTED_MAX 25 /* Discord shows no more */

static const struct shoal_phrase *const in_words[SETTINGS_LAYER_COUNT] = {
	[SETTINGS_DEFAULT] = &phrase_LAYER_DEFAULT, [SETTINGS_GLOBAL] = &phrase_LAYER_GLOBAL,
	[SETTINGS_GUILD] = &phrase_LAYER_GUILD,     [SETTINGS_CHANNEL] = &phrase_LAYER_CHANNEL,
	[SETTINGS_USER] = &phrase_LAYER_USER,
};

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

/* In a code span nothing may end it, and no line may break it; cut to @most bytes, between characters. */
static void put_code(struct buf *out, const char *text, size_t most)
{
	char copy[SHOWN_MAX];
	size_t len = strnlen(text, most < sizeof(copy) ? most : sizeof(copy) - 1);
	bool cut = text[len];

	while (len > 0 && cut && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	for (size_t i = 0; i < len; i++)
		copy[i] = text[i] == '`' ? '\'' : (unsigned char)text[i] < ' ' ? ' ' : text[i];
	copy[len] = '\0';
	buf_printf(out, "`%s`%s", copy, cut ? "…" : "");
}

/* A value as code, so that nothing in it is anything but text; mentions as they are. On one line. */
static void put_value(struct buf *out, const struct shoal_invocation *inv, const struct schema_row *row,
		      const struct shoal_setting_value *value)
{
	char text[SHOWN_MAX], code[PREFIXES_SHOWN_SIZE];

	if (row->row->flags & SHOAL_SETTING_SENSITIVE) {
		buf_append_str(out, builtin_text(inv, value->text[0] ? &phrase_VALUE_HIDDEN : &phrase_VALUE_EMPTY));
		return;
	}
	value_say(value, inv->language, text, sizeof(text));
	if (value->type != SHOAL_SETTING_TEXT)
		buf_append_str(out, text);
	else if (strlen(text) < PREFIXES_SHOWN_SIZE / 2 && !strchr(text, '\n'))
		buf_append_str(out, text[0] ? prefixes_shown(text, "", code) : builtin_text(inv, &phrase_VALUE_EMPTY));
	else
		put_code(out, value->text, VALUE_LINE);
}

/* Of a text that does not fit on its line all, or as much as there is room for, with its lines. */
static void put_whole(struct buf *out, const struct schema_row *row, const struct shoal_setting_value *value)
{
	size_t len = strnlen(value->text ? value->text : "", WHOLE_MAX);

	if (value->type != SHOAL_SETTING_TEXT || (row->row->flags & SHOAL_SETTING_SENSITIVE) ||
	    (len < VALUE_LINE && !strchr(value->text, '\n')))
		return;
	while (value->text[len] && len > 0 && ((unsigned char)value->text[len] & 0xc0) == 0x80)
		len--;
	buf_append_str(out, "\n```\n");
	for (size_t i = 0; i < len; i++)
		buf_append_char(out, value->text[i] == '`' ? '\'' : value->text[i]);
	buf_printf(out, "%s\n```", value->text[len] ? "…" : "");
}

/* --- what is told when no value can be had ------------------------------------------------------------------------ */

static void put_doubt(struct buf *out, struct shoal_invocation *inv)
{
	buf_printf(out, "\n%s",
		   builtin_text(inv, settings_is_on(settings_of(inv)) ? &phrase_SETTINGS_OLD : &phrase_SETTINGS_FIXED));
}

/* --- prefix ------------------------------------------------------------------------------------------------------- */

struct change {
	struct shoal_invocation *inv;
	char prefix[PREFIX_SIZE * 4];
};

void builtin_tell_database(struct shoal_invocation *inv, int error)
{
	const struct shoal_phrase *phrase = settings_error_phrase(settings_of(inv), error);

	if (error == -ECANCELED)
		return;
	if (phrase)
		invocation_refuse(inv, phrase, NULL, 0);
	else
		invocation_incident(inv, error_text(error));
}

bool builtin_tell_outcome(struct shoal_invocation *inv, const struct settings_outcome *outcome)
{
	if (outcome->error == 0)
		return false;
	if (outcome->error != -ECANCELED && outcome->phrase)
		invocation_refuse(inv, outcome->phrase, outcome->said, outcome->said_count);
	else if (outcome->error != -ECANCELED)
		invocation_incident(inv, outcome->words);
	return true;
}

static void put_kept(struct buf *out, struct shoal_invocation *inv, const struct settings_outcome *outcome)
{
	if (outcome->kept)
		buf_printf(out, "\n%s", builtin_text(inv, &phrase_SETTINGS_KEPT));
}

static void prefix_changed(void *arg, const struct settings_outcome *outcome)
{
	struct change *change = arg;
	char shown[PREFIXES_SHOWN_SIZE], example[PREFIXES_SHOWN_SIZE];
	CLEANUP(buf_finish) struct buf out = { 0 };

	buf_init(&out, TEXT_MAX);
	if (!builtin_tell_outcome(change->inv, outcome)) {
		builtin_put(&out, change->inv, &phrase_PREFIX_DONE,
			    WORDS({ "prefix", prefixes_shown(change->prefix, "", shown) },
				  { "example", prefixes_shown(change->prefix, "ping", example) }));
		put_kept(&out, change->inv, outcome);
		if (buf_cstr(&out))
			shoal_reply_text(change->inv, buf_cstr(&out));
	}
	shoal_invocation_release(change->inv);
	free(change);
}

static void prefix_shown(void *arg, const struct setting_answer *answer)
{
	struct shoal_invocation *inv = arg;
	struct settings *settings = settings_of(inv);
	char text[PREFIXES_SHOWN_SIZE];

	prefixes_shown(answer->value->text, "", text);
	invocation_reply_phrase(inv,
				!settings_is_on(settings) ? &phrase_PREFIX_FIXED
				: answer->sure            ? &phrase_PREFIX_IS
							  : &phrase_PREFIX_NOW,
				WORDS({ "prefix", text }));
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

/* Whether a line is left free above @row, which another one stands before. */
static bool stands_apart(const struct look *look, const struct schema_row *row)
{
	const struct schemas *schemas = settings_schemas(settings_of(look->inv));
	const struct schema_row *before = look->at > 0 ? schemas_at(schemas, look->at - 1) : NULL;

	if (!before || before->schema == row->schema)
		return false;
	return before->schema->count >= GROUP_ROWS || row->schema->count >= GROUP_ROWS;
}

/* Those for which there was no room: how many, and how to see them. */
static void put_rest(struct look *look)
{
	CLEANUP(buf_finish) struct buf names = { 0 };
	size_t count = 0, at = look->at;
	const char *owner = "";

	if (!next_row(look, &at))
		return;
	buf_init(&names, TEXT_MAX);
	for (const struct schema_row *row; (row = next_row(look, &at)) && count < OWNERS_SHOWN; at++) {
		const char *one = look->owner ? row->name : row->schema->owner;

		if (strcmp(one, owner) == 0)
			continue;
		buf_printf(&names, "%s `%s`", count++ ? "," : "", one);
		owner = one;
	}
	if (next_row(look, &at))
		buf_append_str(&names, " …");
	buf_append_char(&look->out, '\n');
	builtin_put(&look->out, look->inv, &phrase_SETTINGS_REST,
		    WORDS({ "names", buf_cstr(&names) ? buf_cstr(&names) : "" }));
}

static void end_look(struct look *look)
{
	if (!look->sure || !settings_is_on(settings_of(look->inv)))
		put_doubt(&look->out, look->inv);
	shoal_reply_text(look->inv, buf_cstr(&look->out));
	shoal_invocation_release(look->inv);
	buf_finish(&look->out);
	free(look);
}

static void put_version(struct look *look, int64_t version, int64_t changed_ms)
{
	char number[NUMBER_SIZE], when[NUMBER_SIZE];

	snprintf(when, sizeof(when), "<t:%" PRId64 ":R>", changed_ms / 1000);
	buf_append_char(&look->out, ' ');
	builtin_put(&look->out, look->inv, &phrase_VALUE_VERSION,
		    WORDS({ "version", builtin_number((uint64_t)version, number) }, { "when", when }));
}

static void put_layers(struct look *look, const struct schema_row *row, enum settings_layer from)
{
	struct setting_layer layers[SETTINGS_LAYER_COUNT];

	settings_layers(settings_of(look->inv), &look->place, row->name, layers);
	for (enum settings_layer layer = SETTINGS_DEFAULT; layer < SETTINGS_LAYER_COUNT; layer++) {
		if (layer != SETTINGS_DEFAULT && !layers[layer].allowed)
			continue;
		buf_printf(&look->out, "\n%s %s: ", layer == from ? "**→**" : "-",
			   builtin_text(look->inv, in_words[layer]));
		if (layers[layer].value)
			put_value(&look->out, look->inv, row, layers[layer].value);
		else if (layers[layer].problem)
			buf_append_str(&look->out,
				       builtin_text(look->inv, settings_problem_phrase(layers[layer].problem)));
		else
			buf_append_str(&look->out, builtin_text(look->inv, &phrase_VALUE_NOT_SET));
		if (layers[layer].pending)
			buf_printf(&look->out, " %s", builtin_text(look->inv, &phrase_VALUE_WAITS));
		else if (layers[layer].version)
			put_version(look, layers[layer].version, layers[layer].changed_ms);
	}
}

static void on_look(void *arg, const struct setting_answer *answer)
{
	struct look *look = arg;
	CLEANUP(buf_finish) struct buf value = { 0 };
	const struct schema_row *row = answer->row;

	look->sure = look->sure && answer->sure;
	buf_init(&value, TEXT_MAX);
	if (answer->problem && (row->row->flags & SHOAL_SETTING_SENSITIVE))
		builtin_put(&value, look->inv, &phrase_SETTING_UNUSABLE,
			    WORDS({ "why", builtin_text(look->inv, settings_problem_phrase(answer->problem)) }));
	else
		put_value(&value, look->inv, row, answer->value);
	if (look->out.len)
		buf_append_str(&look->out, look->all && stands_apart(look, row) ? "\n\n" : "\n");
	builtin_put(&look->out, look->inv,
		    look->all && answer->from == SETTINGS_DEFAULT ? &phrase_SETTING_PLAIN : &phrase_SETTING_IS,
		    WORDS({ "name", row->name }, { "value", buf_cstr(&value) ? buf_cstr(&value) : "" },
			  { "layer", builtin_text(look->inv, in_words[answer->from]) }));
	if (look->owner)
		buf_printf(&look->out, "\n-# %s",
			   builtin_described(look->inv, row->row->descriptions, row->row->description));
	if (!look->all) {
		char allowed[VALUE_ERROR_SIZE];

		if (!answer->problem)
			put_whole(&look->out, row, answer->value);
		settings_allowed(look->inv, row->row, allowed, sizeof(allowed));
		buf_printf(&look->out, "\n%s: %s",
			   builtin_described(look->inv, row->row->descriptions, row->row->description), allowed);
		put_layers(look, row, answer->from);
		end_look(look);
		return;
	}
	look->at++;
	row = look->out.len < TEXT_MAX - 4 * SHOWN_MAX ? next_row(look, &look->at) : NULL;
	if (row && settings_get(settings_of(look->inv), &look->place, row->name, on_look, look) == 0)
		return;
	put_rest(look);
	buf_printf(&look->out, "\n%s%s", look->owner ? "" : "\n",
		   builtin_text(look->inv, look->owner ? &phrase_SETTINGS_LEGEND_ONE : &phrase_SETTINGS_LEGEND));
	end_look(look);
}

static void show(struct shoal_invocation *inv)
{
	char clean[SHOWN_MAX];
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
	invocation_refuse(inv, &phrase_SETTING_NONE,
			  WORDS({ "name", phrases_clean(name, SHOWN_MAX / 4, clean, sizeof(clean)) }));
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

/* What a change can be refused for by the row alone, in the admin's language. The row's own check comes later. */
static bool is_refused(struct shoal_invocation *inv, const char *name, const char *text)
{
	static const uint32_t layer_bits[SETTINGS_LAYER_COUNT] = { [SETTINGS_GUILD] = SHOAL_LAYER_GUILD,
								   [SETTINGS_CHANNEL] = SHOAL_LAYER_CHANNEL,
								   [SETTINGS_USER] = SHOAL_LAYER_USER };
	const struct schema_row *row = schemas_find(settings_schemas(settings_of(inv)), name);
	char clean[SHOWN_MAX], allowed[VALUE_ERROR_SIZE];
	CLEANUP(value_clear) struct value value = { 0 };
	struct shoal_setting plain;

	if (!row) {
		invocation_refuse(inv, &phrase_SETTING_NONE,
				  WORDS({ "name", phrases_clean(name, SHOWN_MAX / 4, clean, sizeof(clean)) }));
		return true;
	}
	if (!(row->row->layers & layer_bits[layer_of(inv)])) {
		invocation_refuse(inv, &phrase_SETTING_NOT_HERE, WORDS({ "name", row->name }));
		return true;
	}
	plain = *row->row;
	plain.check = NULL;
	if (!text || value_from_text(&plain, text, &value, allowed) != -EINVAL)
		return false;
	settings_allowed(inv, row->row, allowed, sizeof(allowed));
	invocation_refuse(inv, &phrase_SETTING_WANTS, WORDS({ "name", row->name }, { "allowed", allowed }));
	return true;
}

static bool is_in_guild(const struct shoal_guild_view *guild, enum shoal_setting_type type, uint64_t id)
{
	bool role = type == SHOAL_SETTING_ROLE || type == SHOAL_SETTING_ROLES;
	uint32_t i;

	for (i = 0; role && i < guild->role_count; i++)
		if (guild->roles[i].id == id)
			return true;
	for (i = 0; !role && i < guild->channel_count; i++)
		if (guild->channels[i].id == id)
			return true;
	for (i = 0; !role && i < guild->thread_count; i++)
		if (guild->threads[i].id == id)
			return true;
	return false;
}

/* A channel or role that is not there is taken, for it may come; but the admin is told. */
static void put_stranger(struct buf *out, struct shoal_invocation *inv, const struct shoal_setting_value *value)
{
	bool role = value->type == SHOAL_SETTING_ROLE || value->type == SHOAL_SETTING_ROLES;
	bool channel = value->type == SHOAL_SETTING_CHANNEL || value->type == SHOAL_SETTING_CHANNELS;
	struct cache *cache = commands_services(inv)->cache;
	const struct shoal_guild_view *guild = cache && inv->guild_id ? cache_guild(cache, inv->guild_id) : NULL;
	char what[32];
	size_t i;

	for (i = 0; guild && (role || channel) && i < value->id_count; i++) {
		if (is_in_guild(guild, value->type, value->ids[i]))
			continue;
		snprintf(what, sizeof(what), role ? "<@&%" PRIu64 ">" : "<#%" PRIu64 ">", value->ids[i]);
		buf_append_char(out, ' ');
		builtin_put(out, inv, &phrase_SETTING_STRANGER, WORDS({ "what", what }));
		return;
	}
}

/* What is said of a change that is made: kept until it is known what counts now. */
struct news {
	struct shoal_invocation *inv;
	struct settings_outcome outcome;
};

static void told_change(void *arg, const struct setting_answer *answer)
{
	struct news *news = arg;
	struct shoal_invocation *inv = news->inv;
	char number[NUMBER_SIZE], version[96] = "";
	CLEANUP(buf_finish) struct buf out = { 0 };
	CLEANUP(buf_finish) struct buf value = { 0 };

	buf_init(&out, TEXT_MAX);
	buf_init(&value, TEXT_MAX);
	if (news->outcome.version) {
		version[0] = ' ';
		phrases_print_text(&phrase_VERSION, inv->language,
				   WORDS({ "version", builtin_number((uint64_t)news->outcome.version, number) }),
				   version + 1, sizeof(version) - 1);
	}
	builtin_put(&out, inv, &phrase_SETTING_CHANGED,
		    WORDS({ "name", shoal_invocation_string(inv, "name", "") }, { "version", version }));
	if (answer && answer->value && !answer->problem) {
		put_value(&value, inv, answer->row, answer->value);
		buf_append_char(&out, ' ');
		builtin_put(&out, inv, &phrase_SETTING_NOW,
			    WORDS({ "value", buf_cstr(&value) ? buf_cstr(&value) : "" },
				  { "layer", builtin_text(inv, in_words[answer->from]) }));
		put_stranger(&out, inv, answer->value);
	}
	put_kept(&out, inv, &news->outcome);
	if (buf_cstr(&out))
		shoal_reply_text(inv, buf_cstr(&out));
	shoal_invocation_release(inv);
	free(news);
}

static void changed(void *arg, const struct settings_outcome *outcome)
{
	struct shoal_invocation *inv = arg;
	struct settings_place place = place_of(inv);
	struct news *news;

	if (builtin_tell_outcome(inv, outcome)) {
		shoal_invocation_release(inv);
		return;
	}
	news = calloc(1, sizeof(*news));
	if (!news) {
		shoal_invocation_release(inv); /* its last release apologises */
		return;
	}
	news->inv = inv;
	news->outcome = *outcome;
	if (settings_get(settings_of(inv), &place, shoal_invocation_string(inv, "name", ""), told_change, news) < 0)
		told_change(news, NULL);
}

static void set(struct shoal_invocation *inv)
{
	struct settings_change change = change_of(inv, layer_of(inv), shoal_invocation_string(inv, "name", ""));

	if (is_refused(inv, change.name, shoal_invocation_string(inv, "value", "")))
		return;
	shoal_invocation_hold(inv);
	settings_set(settings_of(inv), &change, shoal_invocation_string(inv, "value", ""), changed, inv);
}

static void reset(struct shoal_invocation *inv)
{
	struct settings_change change = change_of(inv, layer_of(inv), shoal_invocation_string(inv, "name", ""));

	if (is_refused(inv, change.name, NULL))
		return;
	shoal_invocation_hold(inv);
	settings_reset(settings_of(inv), &change, changed, inv);
}

static void rollback(struct shoal_invocation *inv)
{
	struct settings_change change = change_of(inv, layer_of(inv), shoal_invocation_string(inv, "name", ""));

	if (is_refused(inv, change.name, NULL))
		return;
	shoal_invocation_hold(inv);
	settings_rollback(settings_of(inv), &change, shoal_invocation_integer(inv, "version", 0), changed, inv);
}

/* --- history ------------------------------------------------------------------------------------------------------ */

static const char *past_words(const struct shoal_invocation *inv, const struct setting_past *row)
{
	return row->set ? row->shown : builtin_text(inv, &phrase_VALUE_NOT_SET);
}

/* What it was before: the next older row of the same place, where it is among those that were read. */
static const char *before(const struct shoal_invocation *inv, const struct setting_past *rows, size_t count, size_t at)
{
	for (size_t i = at + 1; i < count; i++)
		if (rows[i].channel_id == rows[at].channel_id && strcmp(rows[i].name, rows[at].name) == 0)
			return past_words(inv, &rows[i]);
	return rows[at].version == 1 ? builtin_text(inv, &phrase_VALUE_NOT_SET) : "…";
}

/* Where it went back to; else what did it, which is a command's path or a module's own word. */
static void put_note(struct buf *out, const struct shoal_invocation *inv, const char *note)
{
	int64_t back = settings_note_back(note);
	char number[NUMBER_SIZE];

	if (!note[0])
		return;
	buf_append_char(out, ' ');
	if (back)
		builtin_put(out, inv, &phrase_HISTORY_BACK,
			    WORDS({ "version", builtin_number((uint64_t)back, number) }));
	else
		put_code(out, note, SHOWN_MAX);
}

static void put_past(struct buf *out, const struct shoal_invocation *inv, const struct setting_past *rows, size_t count,
		     size_t at)
{
	char when[NUMBER_SIZE], version[NUMBER_SIZE], channel[NUMBER_SIZE], by[NUMBER_SIZE], where[96] = "",
											     who[96] = "";
	const struct setting_past *row = &rows[at];
	CLEANUP(buf_finish) struct buf old = { 0 };
	CLEANUP(buf_finish) struct buf new = { 0 };

	buf_init(&old, 2 * SHOWN_MAX);
	buf_init(&new, 2 * SHOWN_MAX);
	put_code(&old, before(inv, rows, count, at), SHOWN_MAX);
	put_code(&new, past_words(inv, row), SHOWN_MAX);
	snprintf(when, sizeof(when), "<t:%" PRId64 ":R>", row->at_ms / 1000);
	snprintf(channel, sizeof(channel), "<#%" PRIu64 ">", row->channel_id);
	snprintf(by, sizeof(by), "<@%" PRIu64 ">", row->by);
	if (row->channel_id)
		phrases_print_text(&phrase_HISTORY_IN, inv->language, WORDS({ "channel", channel }), where,
				   sizeof(where));
	if (row->by)
		phrases_print_text(&phrase_HISTORY_BY, inv->language, WORDS({ "who", by }), who, sizeof(who));
	builtin_put(out, inv, &phrase_HISTORY_ROW,
		    WORDS({ "when", when }, { "name", row->name }, { "where", where },
			  { "version", builtin_number((uint64_t)row->version, version) },
			  { "before", buf_cstr(&old) ? buf_cstr(&old) : "" },
			  { "after", buf_cstr(&new) ? buf_cstr(&new) : "" }, { "who", who }));
	put_note(out, inv, row->note);
	buf_append_char(out, '\n');
}

static void on_history(void *arg, int error, const char *words, const struct setting_past *rows, size_t count)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	struct shoal_invocation *inv = arg;

	(void)words;
	buf_init(&out, 4 * TEXT_MAX);
	for (size_t i = 0; error == 0 && i < count && i < HISTORY_ROWS && out.len < TEXT_MAX - 3 * SHOWN_MAX; i++)
		put_past(&out, inv, rows, count, i);
	if (error == 0)
		shoal_reply_text(inv, count ? buf_cstr(&out) : builtin_text(inv, &phrase_HISTORY_EMPTY));
	else
		builtin_tell_database(inv, error);
	shoal_invocation_release(inv);
}

static void history(struct shoal_invocation *inv)
{
	struct settings_place place = place_of(inv);
	const char *name = shoal_invocation_string(inv, "name", NULL);

	shoal_invocation_hold(inv);
	settings_history(settings_of(inv), layer_of(inv), &place, name, SETTINGS_HISTORY_MAX, inv->language, on_history,
			 inv);
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define SUGGESTED_SIZE 112 /* bytes: Discord shows 100 characters */

/* "admin.welcome_channel: where new members are welcomed", cut between characters. */
static const char *suggested_words(const struct shoal_invocation *inv, const struct schema_row *row,
				   char text[SUGGESTED_SIZE])
{
	const char *words = builtin_described(inv, row->row->descriptions, row->row->description);
	size_t len;

	if (!words || snprintf(text, SUGGESTED_SIZE, "%s: %s", row->name, words) < 100)
		return words ? text : row->name;
	for (len = 97; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--;
	snprintf(text + len, SUGGESTED_SIZE - len, "…");
	return text;
}

/* Names that hold what was typed, those that begin with it first; then those whose description does. */
static void suggest_name(struct shoal_invocation *inv)
{
	const struct schemas *schemas = settings_schemas(settings_of(inv));
	const char *typed = shoal_suggest_typed(inv);
	struct shoal_choice choices[SUGGESTED_MAX] = { 0 };
	char texts[SUGGESTED_MAX][SUGGESTED_SIZE];
	const struct schema_row *row;
	size_t count = 0;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; (row = schemas_at(schemas, i)) && count < SUGGESTED_MAX; i++) {
			const char *found = strcasestr(row->name, typed);
			const char *words = suggested_words(inv, row, texts[count]);

			if (!(round == 0   ? found == row->name
			      : round == 1 ? found && found != row->name
					   : !found && strcasestr(words, typed)))
				continue;
			choices[count++] = (struct shoal_choice){ .name = words, .text = row->name };
		}
	}
	shoal_suggest(inv, choices, count);
}

static void add_value(struct shoal_choice *choices, size_t *count, const char *typed, const char *word, size_t len,
		      char text[SCHEMA_NAME_SIZE])
{
	snprintf(text, SCHEMA_NAME_SIZE, "%.*s", (int)len, word);
	if (*count < SUGGESTED_MAX && strcasestr(text, typed))
		choices[(*count)++] = (struct shoal_choice){ .name = text };
}

/* What a setting of few values takes. */
static void suggest_value(struct shoal_invocation *inv)
{
	const struct schema_row *row =
		schemas_find(settings_schemas(settings_of(inv)), shoal_invocation_string(inv, "name", ""));
	const char *typed = shoal_suggest_typed(inv),
		   *words = row && row->row->type == SHOAL_SETTING_ENUM ? row->row->choices : "";
	struct shoal_choice choices[SUGGESTED_MAX] = { 0 };
	char texts[SUGGESTED_MAX + 1][SCHEMA_NAME_SIZE];
	size_t count = 0;

	if (row && row->row->type == SHOAL_SETTING_BOOL) {
		const char *yes = builtin_text(inv, &phrase_VALUE_YES), *no = builtin_text(inv, &phrase_VALUE_NO);

		add_value(choices, &count, typed, yes, strlen(yes), texts[count]);
		add_value(choices, &count, typed, no, strlen(no), texts[count]);
	}
	for (size_t len; words && *words; words += len + (words[len] == '|')) {
		len = strcspn(words, "|");
		add_value(choices, &count, typed, words, len, texts[count]);
	}
	shoal_suggest(inv, choices, count);
}

#define NAME_OPTION(required_)                                                                                        \
	{                                                                                                             \
		.name = "name", .description = "The setting's name",                                                  \
		.descriptions =                                                                                       \
			SHOAL_LOCAL("Der Name der Einstellung", "El nombre del ajuste", "Il nome dell'impostazione"), \
		.type = SHOAL_OPTION_STRING, .required = (required_), .min = 1, .max = SCHEMA_NAME_SIZE - 1,          \
		.suggest = suggest_name                                                                               \
	}
#define CHANNEL_OPTION                                                                                              \
	{                                                                                                           \
		.name = "channel", .description = "For that channel alone",                                         \
		.descriptions = SHOAL_LOCAL("Nur für diesen Kanal", "Solo para ese canal", "Solo per quel canale"), \
		.type = SHOAL_OPTION_CHANNEL                                                                        \
	}
#define MINE_OPTION                                                                         \
	{                                                                                   \
		.name = "mine", .description = "For yourself alone",                        \
		.descriptions = SHOAL_LOCAL("Nur für dich", "Solo para ti", "Solo per te"), \
		.type = SHOAL_OPTION_BOOLEAN                                                \
	}

static const struct shoal_command_option prefix_options[] = {
	{ .name = "new",
	  .description = "What commands typed as messages begin with",
	  .descriptions = SHOAL_LOCAL("Womit Befehle als Nachricht beginnen", "Con qué empiezan los comandos escritos",
				      "Con che cosa iniziano i comandi scritti"),
	  .type = SHOAL_OPTION_STRING,
	  .min = 1,
	  .max = PREFIX_CHARACTERS_MAX },
};
static const struct shoal_command_option show_options[] = { NAME_OPTION(false), CHANNEL_OPTION };
static const struct shoal_command_option set_options[] = {
	NAME_OPTION(true),
	{ .name = "value",
	  .description = "The new value",
	  .descriptions = SHOAL_LOCAL("Der neue Wert", "El valor nuevo", "Il nuovo valore"),
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 0,
	  .max = 4000,
	  .suggest = suggest_value },
	CHANNEL_OPTION,
	MINE_OPTION,
};
static const struct shoal_command_option reset_options[] = { NAME_OPTION(true), CHANNEL_OPTION, MINE_OPTION };
static const struct shoal_command_option history_options[] = { NAME_OPTION(false), CHANNEL_OPTION };
static const struct shoal_command_option rollback_options[] = {
	NAME_OPTION(true),
	{ .name = "version",
	  .description = "The version whose value shall count again",
	  .descriptions =
		  SHOAL_LOCAL("Die Fassung, deren Wert wieder gelten soll", "La versión cuyo valor debe volver a valer",
			      "La versione il cui valore deve valere di nuovo"),
	  .type = SHOAL_OPTION_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = INT32_MAX },
	CHANNEL_OPTION,
};

#define CHILD(name_, description_, descriptions_, options_, handle_)                                                  \
	{                                                                                                             \
		.name = (name_), .description = (description_), .descriptions = descriptions_, .options = (options_), \
		.option_count = ARRAY_SIZE(options_), .handle = (handle_)                                             \
	}

static const struct shoal_command children[] = {
	CHILD("prefix", "See or change what message commands begin with",
	      SHOAL_LOCAL("Sehen oder ändern, womit Befehle als Nachricht beginnen",
			  "Ver o cambiar con qué empiezan los comandos escritos",
			  "Vedi o cambia con che cosa iniziano i comandi scritti"),
	      prefix_options, prefix),
	CHILD("show", "See what counts here, and where it comes from",
	      SHOAL_LOCAL("Sehen, was hier gilt, und woher es kommt", "Ver qué vale aquí y de dónde viene",
			  "Vedi che cosa vale qui, e da dove viene"),
	      show_options, show),
	CHILD("set", "Change a setting",
	      SHOAL_LOCAL("Eine Einstellung ändern", "Cambiar un ajuste", "Cambia un'impostazione"), set_options, set),
	CHILD("reset", "Take a change back",
	      SHOAL_LOCAL("Eine Änderung zurücknehmen", "Deshacer un cambio", "Annulla una modifica"), reset_options,
	      reset),
	CHILD("history", "See who changed what, and when",
	      SHOAL_LOCAL("Sehen, wer was wann geändert hat", "Ver quién cambió qué y cuándo",
			  "Vedi chi ha cambiato che cosa, e quando"),
	      history_options, history),
	CHILD("rollback", "Go back to the value of an earlier version",
	      SHOAL_LOCAL("Zum Wert einer früheren Fassung zurückkehren", "Volver al valor de una versión anterior",
			  "Torna al valore di una versione precedente"),
	      rollback_options, rollback),
	{
		.name = "list",
		.description = "See what was changed here, and by whom",
		.descriptions =
			SHOAL_LOCAL("Sehen, was hier geändert wurde, und von wem", "Ver qué se cambió aquí y quién",
				    "Vedi che cosa è cambiato qui, e per mano di chi"),
		.handle = settings_list,
	},
};

const struct shoal_command command_settings = {
	.name = "settings",
	.description = "See and change this server's settings",
	.descriptions = SHOAL_LOCAL("Die Einstellungen dieses Servers sehen und ändern",
				    "Ver y cambiar los ajustes de este servidor",
				    "Vedi e cambia le impostazioni di questo server"),
	.flags = SHOAL_COMMAND_EPHEMERAL | SHOAL_COMMAND_GUILD_ONLY | SHOAL_COMMAND_SLASH_ONLY,
	.permissions = SHOAL_PERMISSION_MANAGE_GUILD,
	.children = children,
	.child_count = ARRAY_SIZE(children),
};
