/* Option values: one check for both forms; only where the value comes from differs. Must not believe that Discord has
 * checked anything. */
#include "shard/commands/arguments.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/snowflake.h>

#include "shared/base/cleanup.h"

/* Largest whole number that Discord lets through (discord-facts section 1). */
#define INTEGER_LIMIT    INT64_C(9007199254740991)
#define CHOICES_TEXT_MAX 4096

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

/* --- what was wrong ------------------------------------------------------------------------------------------------
 */

int arguments_wrong(const struct shoal_command_option *option, const struct shoal_phrase *phrase,
		    struct arguments_error *error)
{
	*error = (struct arguments_error){ .phrase = phrase, .option = option };
	return -EINVAL;
}

int arguments_wrong_id(const struct shoal_command_option *option, struct arguments_error *error)
{
	const struct shoal_phrase *phrase = &phrase_OPTION_ID;

	if (option->type == SHOAL_OPTION_USER)
		phrase = &phrase_OPTION_USER;
	else if (option->type == SHOAL_OPTION_CHANNEL)
		phrase = &phrase_OPTION_CHANNEL;
	else if (option->type == SHOAL_OPTION_ROLE)
		phrase = &phrase_OPTION_ROLE;
	return arguments_wrong(option, phrase, error);
}

static void list_choices(const struct shoal_command_option *option, enum shoal_language language, struct buf *out)
{
	for (size_t i = 0; i < option->choice_count; i++)
		buf_printf(out, "%s`%s`", i ? ", " : "",
			   phrases_local(option->choices[i].names, language, option->choices[i].name));
}

void arguments_error_print(const struct arguments_error *error, enum shoal_language language, struct buf *out)
{
	static const struct shoal_command_option none = { .name = "", .description = "" };
	const struct shoal_command_option *option = error->option ? error->option : &none;
	CLEANUP(buf_finish) struct buf choices = { 0 };
	char min[32], max[32];
	bool number = option->type == SHOAL_OPTION_NUMBER;

	buf_init(&choices, CHOICES_TEXT_MAX);
	list_choices(option, language, &choices);
	snprintf(min, sizeof(min), number ? "%.15g" : "%.0f", number ? option->least : (double)option->min);
	snprintf(max, sizeof(max), number ? "%.15g" : "%.0f", number ? option->most : (double)option->max);
	phrases_print(out, error->phrase, language,
		      (const struct shoal_word[]){
			      { "option", phrases_local(option->names, language, option->name) },
			      { "description", phrases_local(option->descriptions, language, option->description) },
			      { "min", min },
			      { "max", max },
			      { "choices", buf_cstr(&choices) ? buf_cstr(&choices) : "" } },
		      5);
}

/* --- single values -------------------------------------------------------------------------------------------------
 */

int arguments_take_text(struct argument *argument, struct shoal_str text, struct arguments_error *error)
{
	const struct shoal_command_option *option = argument->option;
	size_t characters = count_characters(text), i;

	for (i = 0; i < option->choice_count && !shoal_str_is(text, arguments_choice_text(&option->choices[i])); i++)
		;
	if (option->choice_count > 0 && i == option->choice_count)
		return arguments_wrong(option, &phrase_OPTION_CHOICE, error);
	if ((option->min || option->max) && (characters < (uint64_t)option->min || characters > (uint64_t)option->max))
		return arguments_wrong(option, &phrase_OPTION_LENGTH, error);
	argument->text = copy_text(text);
	return argument->text ? 0 : -ENOMEM;
}

int arguments_take_integer(struct argument *argument, int64_t value, struct arguments_error *error)
{
	const struct shoal_command_option *option = argument->option;
	size_t i;

	if (value > INTEGER_LIMIT || value < -INTEGER_LIMIT)
		return arguments_wrong(option, &phrase_OPTION_TOO_LARGE, error);
	if ((option->min || option->max) && (value < option->min || value > option->max))
		return arguments_wrong(option, &phrase_OPTION_RANGE, error);
	for (i = 0; i < option->choice_count && option->choices[i].integer != value; i++)
		;
	if (option->choice_count > 0 && i == option->choice_count)
		return arguments_wrong(option, &phrase_OPTION_CHOICE, error);
	argument->integer = value;
	return 0;
}

static bool same_number(double a, double b)
{
	return a <= b && a >= b; /* choices come back as the bits that were sent */
}

int arguments_take_number(struct argument *argument, double value, struct arguments_error *error)
{
	const struct shoal_command_option *option = argument->option;
	bool bounded = !same_number(option->least, 0) || !same_number(option->most, 0);
	size_t i;

	if (!isfinite(value))
		return arguments_wrong(option, &phrase_OPTION_NUMBER, error);
	if (bounded && (value < option->least || value > option->most))
		return arguments_wrong(option, &phrase_OPTION_RANGE, error);
	for (i = 0; i < option->choice_count && !same_number(option->choices[i].number, value); i++)
		;
	if (option->choice_count > 0 && i == option->choice_count)
		return arguments_wrong(option, &phrase_OPTION_CHOICE, error);
	argument->number = value;
	return 0;
}

static bool is_there(enum shoal_option_type type, uint64_t id, const struct resolved *resolved)
{
	switch (type) {
	case SHOAL_OPTION_USER:
		return resolved_find_user(resolved, id);
	case SHOAL_OPTION_CHANNEL:
		return resolved_find_channel(resolved, id);
	case SHOAL_OPTION_ROLE:
		return resolved_find_role(resolved, id);
	case SHOAL_OPTION_MENTIONABLE:
		return resolved_find_user(resolved, id) || resolved_find_role(resolved, id);
	default:
		return resolved_find_attachment(resolved, id);
	}
}

int arguments_take_id(struct argument *argument, uint64_t id, const struct resolved *resolved,
		      struct arguments_error *error)
{
	const struct shoal_command_option *option = argument->option;
	const struct shoal_resolved_channel *channel;

	if (id == 0 || !is_there(option->type, id, resolved))
		return arguments_wrong(option, &phrase_OPTION_NOT_FOUND, error);
	if (option->type == SHOAL_OPTION_CHANNEL && option->channel_types) {
		channel = resolved_find_channel(resolved, id);
		if (channel->type >= 32 || !(option->channel_types & SHOAL_CHANNEL_BIT(channel->type)))
			return arguments_wrong(option, &phrase_OPTION_CHANNEL_KIND, error);
	}
	argument->id = id;
	return 0;
}

static int from_value(struct argument *argument, const struct shoal_value *value, const struct resolved *resolved,
		      struct arguments_error *error)
{
	const struct shoal_command_option *option = argument->option;
	uint64_t id;

	switch (option->type) {
	case SHOAL_OPTION_STRING:
		return value->kind == SHOAL_VALUE_STR ? arguments_take_text(argument, value->text, error)
						      : arguments_wrong(option, &phrase_OPTION_TEXT, error);
	case SHOAL_OPTION_INTEGER:
		return value->kind == SHOAL_VALUE_INT ? arguments_take_integer(argument, value->integer, error)
						      : arguments_wrong(option, &phrase_OPTION_INTEGER, error);
	case SHOAL_OPTION_BOOLEAN:
		argument->boolean = value->boolean;
		return value->kind == SHOAL_VALUE_BOOL ? 0 : arguments_wrong(option, &phrase_OPTION_BOOLEAN, error);
	case SHOAL_OPTION_NUMBER:
		return value->kind == SHOAL_VALUE_INT || value->kind == SHOAL_VALUE_NUMBER
			       ? arguments_take_number(argument, value->number, error)
			       : arguments_wrong(option, &phrase_OPTION_NUMBER, error);
	case SHOAL_OPTION_USER:
	case SHOAL_OPTION_CHANNEL:
	case SHOAL_OPTION_ROLE:
	case SHOAL_OPTION_MENTIONABLE:
	case SHOAL_OPTION_ATTACHMENT:
		if (value->kind != SHOAL_VALUE_STR || shoal_snowflake_parse(value->text.ptr, value->text.len, &id) < 0)
			return arguments_wrong_id(option, error);
		return arguments_take_id(argument, id, resolved, error);
	default:
		return arguments_wrong(option, &phrase_OPTION_KIND_UNKNOWN, error);
	}
}

/* --- an interaction's ----------------------------------------------------------------------------------------------
 */

int arguments_check_required(const struct shoal_command *leaf, const struct arguments *arguments,
			     struct arguments_error *error)
{
	size_t i;

	for (i = 0; i < leaf->option_count; i++) {
		if (!leaf->options[i].required || arguments_find(arguments, leaf->options[i].name))
			continue;
		return arguments_wrong(&leaf->options[i],
				       leaf->options[i].type == SHOAL_OPTION_ATTACHMENT ? &phrase_OPTION_FILE
											: &phrase_OPTION_MISSING,
				       error);
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
			   const struct resolved *resolved, struct arguments *ret_arguments,
			   struct arguments_error *error)
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
		r = from_value(argument, &options[i].value, resolved, error);
		if (r < 0)
			return r;
	}
	r = arguments_check_required(leaf, &arguments, error);
	if (r < 0)
		return r;
	*ret_arguments = arguments;
	arguments.count = 0; /* handed over */
	return 0;
}

int arguments_from_unfinished(const struct shoal_command *leaf, const struct shoal_option *options, size_t option_count,
			      const struct resolved *resolved, struct arguments *ret_arguments,
			      const struct shoal_command_option **ret_focused, struct shoal_str *ret_typed)
{
	struct arguments arguments = { 0 };
	struct arguments_error error;
	size_t i;

	*ret_focused = NULL;
	*ret_typed = SHOAL_STR("");
	for (i = 0; i < option_count; i++) {
		const struct shoal_command_option *option = option_of(leaf, options[i].name);
		struct argument *argument = &arguments.items[arguments.count];

		if (!option || arguments_find(&arguments, option->name) || arguments.count == ARGUMENTS_MAX)
			continue;
		if (options[i].focused) {
			/* A number that is being typed comes as text, or as a number. */
			*ret_focused = option->suggest ? option : NULL;
			if (options[i].value.kind == SHOAL_VALUE_STR)
				*ret_typed = options[i].value.text;
			continue;
		}
		argument->option = option;
		if (from_value(argument, &options[i].value, resolved, &error) == 0)
			arguments.count++;
		else
			*argument = (struct argument){ 0 };
	}
	*ret_arguments = arguments;
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
