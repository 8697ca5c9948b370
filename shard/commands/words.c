/* Reading a message command. Must not fail for want of a guild's record: then names are not found, and that is said. */
#include "shard/commands/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <shoal/snowflake.h>

#include "shared/base/cleanup.h"

#define WORD_MAX 256 /* of words that are no text: numbers, names, mentions */

struct reader {
	const struct shoal_command *leaf;
	struct shoal_str text; /* what is left */
	struct resolved *resolved;
	const struct shoal_guild_view *guild;
	struct arguments arguments;
	const struct shoal_command_option *rest; /* that takes the rest; NULL: none */
	size_t files;                            /* attachments taken */
	struct arguments_error *error;
};

/* --- words ---------------------------------------------------------------------------------------------------------
 */

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip(struct shoal_str *text, size_t len)
{
	text->ptr += len;
	text->len -= (uint32_t)len;
}

static void trim(struct shoal_str *text)
{
	while (text->len > 0 && is_space(text->ptr[0]))
		skip(text, 1);
	while (text->len > 0 && is_space(text->ptr[text->len - 1]))
		text->len--;
}

bool words_next(struct shoal_str *text, struct shoal_str *ret_word)
{
	uint32_t len = 0;

	trim(text);
	if (text->len == 0)
		return false;
	while (len < text->len && !is_space(text->ptr[len]))
		len++;
	*ret_word = (struct shoal_str){ text->ptr, len };
	skip(text, len);
	return true;
}

static bool begins(struct shoal_str text, const char *with)
{
	return text.len >= strlen(with) && memcmp(text.ptr, with, strlen(with)) == 0;
}

/* Telephones turn " into these while one types. */
static const struct {
	const char *open, *close;
} quotes[] = {
	{ "\"", "\"" },
	{ "\xe2\x80\x9c", "\xe2\x80\x9d" }, /* “ ” */
	{ "\xe2\x80\x9e", "\xe2\x80\x9c" }, /* „ “ */
	{ "\xe2\x80\x9e", "\xe2\x80\x9d" }, /* „ ” */
	{ "\xc2\xab", "\xc2\xbb" },         /* « » */
};

/* What is between quotes at the front; 0 when nothing is, else the bytes with the quotes. */
static size_t quoted(struct shoal_str text, struct shoal_str *ret_inner)
{
	for (size_t i = 0; i < ARRAY_SIZE(quotes); i++) {
		size_t open = strlen(quotes[i].open), close = strlen(quotes[i].close);

		if (!begins(text, quotes[i].open))
			continue;
		for (size_t at = open; at + close <= text.len; at++) {
			if (memcmp(text.ptr + at, quotes[i].close, close) != 0 || text.ptr[at - 1] == '\\')
				continue;
			*ret_inner = (struct shoal_str){ text.ptr + open, (uint32_t)(at - open) };
			return at + close;
		}
	}
	return 0;
}

/* The next value: quoted, or a word. */
static bool next_value(struct shoal_str *text, struct shoal_str *ret_value, bool *ret_quoted)
{
	size_t len;

	trim(text);
	len = quoted(*text, ret_value);
	*ret_quoted = len > 0;
	if (len == 0)
		return words_next(text, ret_value);
	skip(text, len);
	return true;
}

static bool same_text(struct shoal_str typed, const char *name)
{
	return name && strlen(name) == typed.len && strncasecmp(typed.ptr, name, typed.len) == 0;
}

/* --- options by name -----------------------------------------------------------------------------------------------
 */

/* "--" or the dash that telephones make of it: its bytes. */
static size_t dashes(struct shoal_str text)
{
	return begins(text, "--") ? 2 : begins(text, "\xe2\x80\x94") ? 3 : 0;
}

static bool has_name(const struct shoal_command_option *option, struct shoal_str name)
{
	if (same_text(name, option->name))
		return true;
	for (int i = 0; option->names && i < SHOAL_LANGUAGE_COUNT; i++)
		if (same_text(name, option->names->text[i]))
			return true;
	return false;
}

/* The option whose name stands at the front of @text behind two dashes; *ret_len: bytes up to behind it (and its '=').
 * NULL: there are none, or it is no option's. */
static const struct shoal_command_option *named(const struct shoal_command *leaf, struct shoal_str text,
						size_t *ret_len)
{
	size_t lead = dashes(text), len = lead;

	while (lead && len < text.len && !is_space(text.ptr[len]) && text.ptr[len] != '=')
		len++;
	for (size_t i = 0; len > lead && i < leaf->option_count; i++) {
		if (!has_name(&leaf->options[i], (struct shoal_str){ text.ptr + lead, (uint32_t)(len - lead) }))
			continue;
		*ret_len = len + (len < text.len && text.ptr[len] == '=');
		return &leaf->options[i];
	}
	return NULL;
}

/* Where the rest ends: before the next option by name. */
static size_t rest_length(const struct shoal_command *leaf, struct shoal_str text)
{
	size_t i, len;

	for (i = 1; i < text.len; i++)
		if (is_space(text.ptr[i - 1]) &&
		    named(leaf, (struct shoal_str){ text.ptr + i, (uint32_t)(text.len - i) }, &len))
			return i;
	return text.len;
}

/* --- values --------------------------------------------------------------------------------------------------------
 */

/* As C string, for strtoll and strtod; false when it does not fit. */
static bool to_text(struct shoal_str word, char text[WORD_MAX])
{
	if (word.len == 0 || word.len >= WORD_MAX || memchr(word.ptr, '\0', word.len))
		return false;
	memcpy(text, word.ptr, word.len);
	text[word.len] = '\0';
	return true;
}

static bool truth_of(const char *text, bool *ret_truth)
{
	static const char *const words[][7] = { { "no", "false", "off", "0", "nein", "falso", NULL },
						{ "yes", "true", "on", "1", "ja", "s\xc3\xad", "s\xc3\xac" } };

	for (int truth = 0; truth < 2; truth++)
		for (size_t i = 0; i < ARRAY_SIZE(words[0]) && words[truth][i]; i++)
			if (strcasecmp(text, words[truth][i]) == 0) {
				*ret_truth = truth;
				return true;
			}
	return false;
}

/* "<@123>", "<@!123>", "<#123>", "<@&123>" or bare digits; @ret_kind: '@', '#', '&' or 0. */
static bool id_of(struct shoal_str word, uint64_t *ret_id, char *ret_kind)
{
	*ret_kind = '\0';
	if (word.len >= 4 && word.ptr[0] == '<' && word.ptr[word.len - 1] == '>') {
		word.len -= 1;
		skip(&word, 1);
		*ret_kind = word.ptr[0];
		if (*ret_kind != '@' && *ret_kind != '#')
			return false;
		skip(&word, 1);
		if (*ret_kind == '@' && word.len && (word.ptr[0] == '!' || word.ptr[0] == '&')) {
			*ret_kind = word.ptr[0] == '&' ? '&' : '@';
			skip(&word, 1);
		}
	}
	return shoal_snowflake_parse(word.ptr, word.len, ret_id) == 0 && *ret_id != 0;
}

static bool same_name(struct shoal_str typed, struct shoal_str name)
{
	return typed.len == name.len && typed.len && strncasecmp(typed.ptr, name.ptr, typed.len) == 0;
}

/* By its name, with or without its sign; 0: none. */
static uint64_t role_by_name(const struct shoal_guild_view *guild, struct shoal_str name)
{
	if (begins(name, "@"))
		skip(&name, 1);
	for (uint32_t i = 0; guild && i < guild->role_count; i++)
		if (same_name(name, guild->roles[i].name))
			return guild->roles[i].id;
	return 0;
}

static uint64_t channel_by_name(const struct shoal_guild_view *guild, struct shoal_str name)
{
	if (begins(name, "#"))
		skip(&name, 1);
	for (uint32_t i = 0; guild && i < guild->channel_count; i++)
		if (same_name(name, guild->channels[i].name))
			return guild->channels[i].id;
	return 0;
}

static int take_named_thing(struct reader *reader, struct argument *argument, struct shoal_str word)
{
	enum shoal_option_type type = argument->option->type;
	bool role = type == SHOAL_OPTION_ROLE || type == SHOAL_OPTION_MENTIONABLE;
	bool user = type == SHOAL_OPTION_USER || type == SHOAL_OPTION_MENTIONABLE;
	bool channel = type == SHOAL_OPTION_CHANNEL;
	uint64_t id = 0;
	char kind = '\0';

	if (!id_of(word, &id, &kind)) {
		id = role ? role_by_name(reader->guild, word) : channel ? channel_by_name(reader->guild, word) : 0;
		if (id == 0)
			return arguments_wrong_id(argument->option, reader->error);
		user = false;
	}
	if ((kind == '@' && !user) || (kind == '&' && !role) || (kind == '#' && !channel))
		return arguments_wrong_id(argument->option, reader->error);
	if (role && kind != '@' && reader->guild && !resolved_find_role(reader->resolved, id))
		resolved_add_role_of(reader->resolved, reader->guild, id);
	if (channel && reader->guild && !resolved_find_channel(reader->resolved, id))
		resolved_add_channel_of(reader->resolved, reader->guild, id);
	if (user && kind != '&' && !resolved_find_user(reader->resolved, id) &&
	    !resolved_find_role(reader->resolved, id)) {
		argument->id = id;
		argument->unresolved = true;
		return 0;
	}
	return arguments_take_id(argument, id, reader->resolved, reader->error);
}

static const struct shoal_choice *choice_named(const struct shoal_command_option *option, struct shoal_str word)
{
	for (size_t i = 0; i < option->choice_count; i++) {
		const struct shoal_choice *choice = &option->choices[i];

		if (same_text(word, choice->name) || same_text(word, choice->text))
			return choice;
		for (int j = 0; choice->names && j < SHOAL_LANGUAGE_COUNT; j++)
			if (same_text(word, choice->names->text[j]))
				return choice;
	}
	return NULL;
}

static int take_choice(struct argument *argument, const struct shoal_choice *choice, struct arguments_error *error)
{
	const char *text = arguments_choice_text(choice);

	if (argument->option->type == SHOAL_OPTION_INTEGER)
		return arguments_take_integer(argument, choice->integer, error);
	if (argument->option->type == SHOAL_OPTION_NUMBER)
		return arguments_take_number(argument, choice->number, error);
	return arguments_take_text(argument, (struct shoal_str){ text, (uint32_t)strlen(text) }, error);
}

/* "\"" within quotes is one. */
static int take_text(struct reader *reader, struct argument *argument, struct shoal_str word, bool was_quoted)
{
	CLEANUP(cleanup_free) char *plain = NULL;
	uint32_t len = 0;

	if (!was_quoted || !memchr(word.ptr, '\\', word.len))
		return arguments_take_text(argument, word, reader->error);
	plain = malloc(word.len);
	if (!plain)
		return -ENOMEM;
	for (uint32_t i = 0; i < word.len; i++) {
		if (word.ptr[i] == '\\' && i + 1 < word.len && word.ptr[i + 1] == '"')
			continue;
		plain[len++] = word.ptr[i];
	}
	return arguments_take_text(argument, (struct shoal_str){ plain, len }, reader->error);
}

static int take_word(struct reader *reader, struct argument *argument, struct shoal_str word, bool was_quoted)
{
	const struct shoal_command_option *option = argument->option;
	const struct shoal_choice *choice = choice_named(option, word);
	char text[WORD_MAX] = "", *end = text;
	bool fits = to_text(word, text);
	long long integer;
	double number;

	if (choice)
		return take_choice(argument, choice, reader->error);
	switch (option->type) {
	case SHOAL_OPTION_STRING:
		return take_text(reader, argument, word, was_quoted);
	case SHOAL_OPTION_INTEGER:
		errno = 0;
		integer = strtoll(text, &end, 10);
		if (!fits || end == text || *end != '\0' || errno != 0)
			return arguments_wrong(option, &phrase_OPTION_INTEGER, reader->error);
		return arguments_take_integer(argument, integer, reader->error);
	case SHOAL_OPTION_BOOLEAN:
		return truth_of(text, &argument->boolean)
			       ? 0
			       : arguments_wrong(option, &phrase_OPTION_BOOLEAN, reader->error);
	case SHOAL_OPTION_NUMBER:
		number = strtod(text, &end);
		if (!fits || end == text || *end != '\0')
			return arguments_wrong(option, &phrase_OPTION_NUMBER, reader->error);
		return arguments_take_number(argument, number, reader->error);
	case SHOAL_OPTION_ATTACHMENT:
		return arguments_wrong(option, &phrase_OPTION_FILE, reader->error);
	default:
		return take_named_thing(reader, argument, word);
	}
}

/* --- the whole -----------------------------------------------------------------------------------------------------
 */

static struct argument *begin(struct reader *reader, const struct shoal_command_option *option)
{
	struct argument *argument = &reader->arguments.items[reader->arguments.count++];

	argument->option = option;
	return argument;
}

static const struct shoal_command_option *next_in_order(const struct reader *reader)
{
	for (size_t i = 0; i < reader->leaf->option_count && i < ARGUMENTS_MAX; i++) {
		const struct shoal_command_option *option = &reader->leaf->options[i];

		if (option->type != SHOAL_OPTION_ATTACHMENT && !arguments_find(&reader->arguments, option->name))
			return option;
		if (option == reader->rest)
			return NULL; /* what stands behind it is given by name */
	}
	return NULL;
}

static int take_by_name(struct reader *reader, const struct shoal_command_option *option, size_t len)
{
	bool with_value = reader->text.ptr[len - 1] == '=', was_quoted, truth;
	struct shoal_str ahead, value;
	struct argument *argument;
	char text[WORD_MAX];
	size_t ignored;

	if (arguments_find(&reader->arguments, option->name))
		return arguments_wrong(option, &phrase_OPTION_TWICE, reader->error);
	argument = begin(reader, option);
	skip(&reader->text, len);
	ahead = reader->text;
	if (!with_value && option->type == SHOAL_OPTION_BOOLEAN &&
	    !(words_next(&ahead, &value) && to_text(value, text) && truth_of(text, &truth))) {
		argument->boolean = true;
		return 0;
	}
	trim(&reader->text);
	if (named(reader->leaf, reader->text, &ignored) || !next_value(&reader->text, &value, &was_quoted))
		return arguments_wrong(option, &phrase_OPTION_MISSING, reader->error);
	return take_word(reader, argument, value, was_quoted);
}

/* Everything up to the next option by name, as it stands; but what is wholly quoted, without its quotes. */
static int take_rest(struct reader *reader)
{
	struct shoal_str rest = { reader->text.ptr, (uint32_t)rest_length(reader->leaf, reader->text) }, inner;
	struct argument *argument = begin(reader, reader->rest);
	size_t len;

	skip(&reader->text, rest.len);
	trim(&rest);
	len = quoted(rest, &inner);
	return len == rest.len ? take_text(reader, argument, inner, true) : take_text(reader, argument, rest, false);
}

/* Names of choices may be of several words: the longest that stands at the front. */
static int take_in_order(struct reader *reader, const struct shoal_command_option *option)
{
	struct argument *argument;
	struct shoal_str value;
	bool was_quoted;

	for (size_t len = reader->text.len; option->choice_count && len > 0; len--) {
		struct shoal_str front = { reader->text.ptr, (uint32_t)len };
		const struct shoal_choice *choice;

		if (len > WORD_MAX || (len < reader->text.len && !is_space(reader->text.ptr[len])))
			continue;
		choice = choice_named(option, front);
		if (!choice)
			continue;
		argument = begin(reader, option);
		skip(&reader->text, len);
		return take_choice(argument, choice, reader->error);
	}
	argument = begin(reader, option);
	next_value(&reader->text, &value, &was_quoted);
	return take_word(reader, argument, value, was_quoted);
}

static int take_next(struct reader *reader)
{
	const struct shoal_command_option *option;
	size_t len;

	option = named(reader->leaf, reader->text, &len);
	if (option)
		return take_by_name(reader, option, len);
	option = next_in_order(reader);
	if (option && option == reader->rest)
		return take_rest(reader);
	if (dashes(reader->text) == 2 && reader->text.len > 2 && !is_space(reader->text.ptr[2]) &&
	    reader->leaf->option_count)
		return arguments_wrong(NULL, &phrase_OPTION_UNKNOWN, reader->error);
	if (!option)
		return arguments_wrong(NULL, &phrase_OPTION_TOO_MANY, reader->error);
	return take_in_order(reader, option);
}

static int take_files(struct reader *reader)
{
	for (size_t i = 0; i < reader->leaf->option_count && reader->arguments.count < ARGUMENTS_MAX; i++) {
		const struct shoal_resolved_attachment *file = resolved_attachment_at(reader->resolved, reader->files);
		int r;

		if (reader->leaf->options[i].type != SHOAL_OPTION_ATTACHMENT || !file)
			continue;
		reader->files++;
		r = arguments_take_id(begin(reader, &reader->leaf->options[i]), file->id, reader->resolved,
				      reader->error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The last text without choices, if nothing that is required comes behind it. */
static const struct shoal_command_option *rest_of(const struct shoal_command *leaf)
{
	for (size_t i = leaf->option_count; i > 0; i--) {
		const struct shoal_command_option *option = &leaf->options[i - 1];

		if (option->type == SHOAL_OPTION_STRING && option->choice_count == 0)
			return option;
		if (option->required && option->type != SHOAL_OPTION_ATTACHMENT)
			return NULL;
	}
	return NULL;
}

static void reader_finish(struct reader *reader)
{
	arguments_finish(&reader->arguments);
}

int words_parse(const struct shoal_command *leaf, struct shoal_str text, struct resolved *resolved,
		const struct shoal_guild_view *guild, struct arguments *ret_arguments, struct arguments_error *error)
{
	CLEANUP(reader_finish)
	struct reader reader = {
		.leaf = leaf, .text = text, .resolved = resolved, .guild = guild, .rest = rest_of(leaf), .error = error
	};
	int r = 0;

	trim(&reader.text);
	/* Words behind a command that takes none are chatter. */
	while (r == 0 && leaf->option_count > 0 && reader.text.len > 0) {
		r = take_next(&reader);
		trim(&reader.text);
	}
	if (r == 0)
		r = take_files(&reader);
	if (r == 0)
		r = arguments_check_required(leaf, &reader.arguments, error);
	if (r < 0)
		return r;
	*ret_arguments = reader.arguments;
	reader.arguments.count = 0; /* handed over */
	return 0;
}

/* --- usage ---------------------------------------------------------------------------------------------------------
 */

#define CHOICES_SHOWN 6

static void show_values(const struct shoal_command_option *option, enum shoal_language language, struct buf *out)
{
	if (option->choice_count == 0 || option->choice_count > CHOICES_SHOWN) {
		buf_append_str(out, phrases_local(option->names, language, option->name));
		return;
	}
	for (size_t i = 0; i < option->choice_count; i++)
		buf_printf(out, "%s%s", i ? "|" : "",
			   phrases_local(option->choices[i].names, language, option->choices[i].name));
}

void words_usage(const struct shoal_command *leaf, const char *path, enum shoal_language language, struct buf *out)
{
	const struct shoal_command_option *rest = rest_of(leaf);
	bool by_name = false;

	buf_append_str(out, path);
	for (size_t i = 0; i < leaf->option_count; i++) {
		const struct shoal_command_option *option = &leaf->options[i];

		buf_append_str(out, option->required ? " <" : " [");
		if (option->type == SHOAL_OPTION_ATTACHMENT)
			buf_printf(out, "%s: ", phrases_text(&phrase_USAGE_FILE, language));
		else if (by_name)
			buf_printf(out, "--%s", phrases_local(option->names, language, option->name));
		/* A switch is its name alone, and what has no choices is said by it. */
		if (!by_name || option->choice_count > 0 || option->type != SHOAL_OPTION_BOOLEAN) {
			buf_append_str(out, by_name ? " " : "");
			show_values(option, language, out);
		}
		buf_append_str(out, option == rest ? " \xe2\x80\xa6" : "");
		buf_append_str(out, option->required ? ">" : "]");
		by_name |= option == rest;
	}
}
