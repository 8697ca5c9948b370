/* Option values: one check function for both forms; only where the value comes from differs. */
#include "shard/commands/arguments.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/snowflake.h>

#include "shared/base/cleanup.h"

/* Largest whole number that Discord lets through (discord-facts section 1). */
#define INTEGER_LIMIT INT64_C(9007199254740991)

void arguments_finish(struct arguments *arguments)
{
	size_t i;

	for (i = 0; i < arguments->count; i++)
		free(arguments->items[i].text);
	memset(arguments, 0, sizeof(*arguments));
}

static const struct shoal_command *child_of(const struct shoal_command *command, struct shoal_str name)
{
	size_t i;

	for (i = 0; i < command->child_count; i++) {
		if (shoal_str_is(name, command->children[i].name))
			return &command->children[i];
	}
	return NULL;
}

int arguments_descend(const struct shoal_command *command, const struct shoal_option *options, size_t option_count,
		      const struct shoal_command **ret_leaf, const struct shoal_option **ret_options,
		      size_t *ret_option_count)
{
	while (command->child_count > 0) {
		if (option_count < 1 ||
		    (options[0].type != SHOAL_OPTION_SUB_COMMAND && options[0].type != SHOAL_OPTION_SUB_COMMAND_GROUP))
			return -ENOENT;
		command = child_of(command, options[0].name);
		if (!command)
			return -ENOENT;
		option_count = options[0].options.count;
		options = options[0].options.items;
	}
	*ret_leaf = command;
	*ret_options = options;
	*ret_option_count = option_count;
	return 0;
}

static size_t count_characters(struct shoal_str text)
{
	size_t i, count = 0;

	for (i = 0; i < text.len; i++)
		count += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
	return count;
}

/* A copy as C string; bytes of value 0 would end it early and are left out. */
static char *copy_text(struct shoal_str text)
{
	char *copy = malloc((size_t)text.len + 1);
	size_t i, len = 0;

	if (!copy)
		return NULL;
	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] != '\0')
			copy[len++] = text.ptr[i];
	}
	copy[len] = '\0';
	return copy;
}

static bool has_range(const struct shoal_command_option *option)
{
	return option->min != 0 || option->max != 0;
}

static int wrong(const struct argument *argument, const struct shoal_phrase *phrase, struct arguments_error *error)
{
	*error = (struct arguments_error){ .phrase = phrase, .option = argument->option };
	return -EINVAL;
}

void arguments_error_print(const struct arguments_error *error, enum shoal_language language, struct buf *out)
{
	char min[24], max[24];
	const struct shoal_word words[] = { { "option", error->option->name },
					    { "description", error->option->description },
					    { "min", min },
					    { "max", max } };

	snprintf(min, sizeof(min), "%" PRId64, error->option->min);
	snprintf(max, sizeof(max), "%" PRId64, error->option->max);
	phrases_print(out, error->phrase, language, words, ARRAY_SIZE(words));
}

static int check_string(struct argument *argument, struct shoal_str text, struct arguments_error *error)
{
	const struct shoal_command_option *option = argument->option;
	size_t characters = count_characters(text);

	if (has_range(option) && (characters < (uint64_t)option->min || characters > (uint64_t)option->max)) {
		return wrong(argument, &phrase_OPTION_LENGTH, error);
	}
	argument->text = copy_text(text);
	return argument->text ? 0 : -ENOMEM;
}

static int check_integer(struct argument *argument, int64_t value, struct arguments_error *error)
{
	const struct shoal_command_option *option = argument->option;

	if (value > INTEGER_LIMIT || value < -INTEGER_LIMIT) {
		return wrong(argument, &phrase_OPTION_TOO_LARGE, error);
	}
	if (has_range(option) && (value < option->min || value > option->max)) {
		return wrong(argument, &phrase_OPTION_RANGE, error);
	}
	argument->integer = value;
	return 0;
}

static int value_id(struct argument *argument, struct shoal_str text, struct arguments_error *error)
{
	if (shoal_snowflake_parse(text.ptr, text.len, &argument->id) < 0 || argument->id == 0)
		return wrong(argument, &phrase_OPTION_ID, error);
	return 0;
}

static int from_value(struct argument *argument, const struct shoal_value *value, struct arguments_error *error)
{
	switch (argument->option->type) {
	case SHOAL_OPTION_STRING:
		return value->kind == SHOAL_VALUE_STR ? check_string(argument, value->text, error)
						      : wrong(argument, &phrase_OPTION_TEXT, error);
	case SHOAL_OPTION_INTEGER:
		return value->kind == SHOAL_VALUE_INT ? check_integer(argument, value->integer, error)
						      : wrong(argument, &phrase_OPTION_INTEGER, error);
	case SHOAL_OPTION_BOOLEAN:
		argument->boolean = value->boolean;
		return value->kind == SHOAL_VALUE_BOOL ? 0 : wrong(argument, &phrase_OPTION_BOOLEAN, error);
	case SHOAL_OPTION_NUMBER:
		argument->number = value->number;
		if ((value->kind != SHOAL_VALUE_INT && value->kind != SHOAL_VALUE_NUMBER) || !isfinite(value->number))
			return wrong(argument, &phrase_OPTION_NUMBER, error);
		return 0;
	case SHOAL_OPTION_USER:
	case SHOAL_OPTION_CHANNEL:
	case SHOAL_OPTION_ROLE:
		return value->kind == SHOAL_VALUE_STR ? value_id(argument, value->text, error)
						      : wrong(argument, &phrase_OPTION_ID, error);
	default:
		return wrong(argument, &phrase_OPTION_KIND_UNKNOWN, error);
	}
}

/* "<@123>", "<@!123>", "<#123>", "<@&123>" or bare digits. */
static struct shoal_str strip_mention(struct shoal_str word)
{
	if (word.len < 4 || word.ptr[0] != '<' || word.ptr[word.len - 1] != '>')
		return word;
	word.ptr++;
	word.len -= 2;
	while (word.len > 0 && strchr("@#!&", word.ptr[0])) {
		word.ptr++;
		word.len--;
	}
	return word;
}

/* The word as C string in @text for strtoll and strtod; false when it does not fit. */
static bool word_to_text(struct shoal_str word, char text[64])
{
	if (word.len == 0 || word.len >= 64 || memchr(word.ptr, '\0', word.len))
		return false;
	memcpy(text, word.ptr, word.len);
	text[word.len] = '\0';
	return true;
}

static int from_word(struct argument *argument, struct shoal_str word, struct arguments_error *error)
{
	char text[64] = "", *end = text;
	bool fits = word_to_text(word, text);
	long long integer;

	switch (argument->option->type) {
	case SHOAL_OPTION_STRING:
		return check_string(argument, word, error);
	case SHOAL_OPTION_INTEGER:
		errno = 0;
		integer = strtoll(text, &end, 10);
		if (!fits || end == text || *end != '\0' || errno != 0)
			return wrong(argument, &phrase_OPTION_INTEGER, error);
		return check_integer(argument, integer, error);
	case SHOAL_OPTION_BOOLEAN:
		argument->boolean =
			strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 || strcasecmp(text, "on") == 0;
		if (!argument->boolean && strcasecmp(text, "false") != 0 && strcasecmp(text, "no") != 0 &&
		    strcasecmp(text, "off") != 0)
			return wrong(argument, &phrase_OPTION_BOOLEAN, error);
		return 0;
	case SHOAL_OPTION_NUMBER:
		argument->number = strtod(text, &end);
		if (!fits || end == text || *end != '\0' || !isfinite(argument->number))
			return wrong(argument, &phrase_OPTION_NUMBER, error);
		return 0;
	default:
		return value_id(argument, strip_mention(word), error);
	}
}

static int check_required(const struct shoal_command *leaf, const struct arguments *arguments,
			  struct arguments_error *error)
{
	size_t i;

	for (i = 0; i < leaf->option_count; i++) {
		if (!leaf->options[i].required || arguments_find(arguments, leaf->options[i].name))
			continue;
		*error = (struct arguments_error){ .phrase = &phrase_OPTION_MISSING, .option = &leaf->options[i] };
		return -EINVAL;
	}
	return 0;
}

static const struct shoal_command_option *option_of(const struct shoal_command *leaf, struct shoal_str name)
{
	size_t i;

	for (i = 0; i < leaf->option_count; i++) {
		if (shoal_str_is(name, leaf->options[i].name))
			return &leaf->options[i];
	}
	return NULL;
}

int arguments_from_options(const struct shoal_command *leaf, const struct shoal_option *options, size_t option_count,
			   struct arguments *ret_arguments, struct arguments_error *error)
{
	CLEANUP(arguments_finish) struct arguments arguments = { 0 };
	size_t i;
	int r;

	for (i = 0; i < option_count; i++) {
		const struct shoal_command_option *option = option_of(leaf, options[i].name);
		struct argument *argument = &arguments.items[arguments.count];

		/* Options that we do not know, or twice: a registration of another version. The rest still counts. */
		if (!option || arguments_find(&arguments, option->name) || arguments.count == ARGUMENTS_MAX)
			continue;
		argument->option = option;
		arguments.count++;
		r = from_value(argument, &options[i].value, error);
		if (r < 0)
			return r;
	}
	r = check_required(leaf, &arguments, error);
	if (r < 0)
		return r;
	*ret_arguments = arguments;
	arguments.count = 0; /* handed over */
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void trim(struct shoal_str *text)
{
	while (text->len > 0 && is_space(text->ptr[0])) {
		text->ptr++;
		text->len--;
	}
	while (text->len > 0 && is_space(text->ptr[text->len - 1]))
		text->len--;
}

bool arguments_next_word(struct shoal_str *text, struct shoal_str *ret_word)
{
	struct shoal_str word;
	char stop = '\0';
	uint32_t len = 0;

	trim(text);
	if (text->len == 0)
		return false;
	word.ptr = text->ptr;
	if (text->ptr[0] == '"' && memchr(text->ptr + 1, '"', text->len - 1)) {
		stop = '"';
		word.ptr++;
		len = 1;
	}
	while (len < text->len && (stop ? text->ptr[len] != stop : !is_space(text->ptr[len])))
		len++;
	word.len = (uint32_t)(text->ptr + len - word.ptr);
	len += stop != '\0'; /* the closing quote */
	text->ptr += len;
	text->len -= len;
	*ret_word = word;
	return true;
}

int arguments_from_text(const struct shoal_command *leaf, struct shoal_str text, struct arguments *ret_arguments,
			struct arguments_error *error)
{
	CLEANUP(arguments_finish) struct arguments arguments = { 0 };
	struct shoal_str word;
	size_t i;
	int r;

	for (i = 0; i < leaf->option_count && i < ARGUMENTS_MAX; i++) {
		struct argument *argument = &arguments.items[arguments.count];

		trim(&text);
		if (text.len == 0)
			break;
		if (i + 1 == leaf->option_count && leaf->options[i].type == SHOAL_OPTION_STRING && text.ptr[0] != '"') {
			word = text;
			text.len = 0;
		} else {
			arguments_next_word(&text, &word);
		}
		argument->option = &leaf->options[i];
		arguments.count++;
		r = from_word(argument, word, error);
		if (r < 0)
			return r;
	}
	r = check_required(leaf, &arguments, error);
	if (r < 0)
		return r;
	*ret_arguments = arguments;
	arguments.count = 0; /* handed over */
	return 0;
}

const struct argument *arguments_find(const struct arguments *arguments, const char *option)
{
	size_t i;

	for (i = 0; i < arguments->count; i++) {
		if (strcmp(arguments->items[i].option->name, option) == 0)
			return &arguments->items[i];
	}
	return NULL;
}
