/* Rows to JSON, and their check. Run when modules are loaded and when the manifest is asked for. */
#include "shard/commands/registration.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shard/commands/arguments.h"
#include "shard/commands/registry.h"
#include "shared/base/cleanup.h"
#include "shared/base/utf8.h"
#include "shared/discord/payload.h"
#include "shared/phrases/phrases.h"

#define NAME_UNITS        32
#define DESCRIPTION_UNITS 100
#define CHOICE_UNITS      100
#define OPTIONS_MAX       25
#define CHOICES_MAX       25
#define COMMAND_UNITS     8000
#define STRING_MAX        6000
#define DEPTH_MAX         2
#define INTEGER_LIMIT     INT64_C(9007199254740991)

/* In Discord's order of contexts and of integration types. */
enum { CONTEXT_COUNT = 3, INSTALL_COUNT = 2 };

static int PRINTF_LIKE(2, 3) refuse(char *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, REGISTRATION_ERROR_SIZE, format, args);
	va_end(args);
	return -EINVAL;
}

/* --- the check -----------------------------------------------------------------------------------------------------
 */

/* UTF-16 units, which is the safe side; 0: no UTF-8, or nothing. */
static size_t units_of(const char *text)
{
	ssize_t units = text ? payload_units(text, strlen(text)) : 0;

	return units > 0 ? (size_t)units : 0;
}

static bool fits(const char *text, size_t most)
{
	size_t units = units_of(text);

	return units >= 1 && units <= most;
}

/* Letters, digits, '-', '_' and '\''; none that has a lower case of its own. Of the letters beyond ASCII the upper case
 * of Latin-1 is known, which is what our languages have. */
static bool is_slash_name(const char *name)
{
	uint32_t c;

	if (!fits(name, NAME_UNITS))
		return false;
	for (size_t len; *name; name += len) {
		len = utf8_decode(name, &c);
		if (!len || (c < 0x80 && !strchr("abcdefghijklmnopqrstuvwxyz0123456789-_'", (int)c)) ||
		    (c >= 0x80 && c < 0xdf && c != 0xaa && c != 0xb5 && c != 0xba) || c == 0xf7 ||
		    (c >= 0x2000 && c < 0x2070) || (c >= 0x3000 && c < 0x3004))
			return false;
	}
	return true;
}

/* Spaces and capitals, too; nothing that can't be seen. */
static bool is_menu_name(const char *name)
{
	return fits(name, NAME_UNITS) && name[0] != ' ' && name[strlen(name) - 1] != ' ' && !strpbrk(name, "\t\n\r/");
}

static bool local_names_good(const struct shoal_phrase *names, bool (*good)(const char *name))
{
	for (int i = SHOAL_ENGLISH + 1; names && i < SHOAL_LANGUAGE_COUNT; i++)
		if (names->text[i] && !good(names->text[i]))
			return false;
	return true;
}

static bool local_texts_fit(const struct shoal_phrase *texts, size_t most)
{
	for (int i = SHOAL_ENGLISH + 1; texts && i < SHOAL_LANGUAGE_COUNT; i++)
		if (texts->text[i] && !fits(texts->text[i], most))
			return false;
	return true;
}

static bool has_values(const struct shoal_command_option *option)
{
	return option->type == SHOAL_OPTION_STRING || option->type == SHOAL_OPTION_INTEGER ||
	       option->type == SHOAL_OPTION_NUMBER;
}

static bool same_choice(const struct shoal_command_option *option, const struct shoal_choice *a,
			const struct shoal_choice *b)
{
	if (strcmp(a->name, b->name) == 0)
		return true;
	if (option->type == SHOAL_OPTION_INTEGER)
		return a->integer == b->integer;
	if (option->type == SHOAL_OPTION_NUMBER)
		return a->number <= b->number && a->number >= b->number;
	return strcmp(arguments_choice_text(a), arguments_choice_text(b)) == 0;
}

static int check_choices(const char *command, const struct shoal_command_option *option, char *error)
{
	for (size_t i = 0; i < option->choice_count; i++) {
		const struct shoal_choice *choice = &option->choices[i];

		if (!fits(choice->name, CHOICE_UNITS) || !local_texts_fit(choice->names, CHOICE_UNITS) ||
		    (choice->text && !fits(choice->text, CHOICE_UNITS)))
			return refuse(error,
				      "command %s, option %s, choice %zu: names and texts have 1 to %d characters",
				      command, option->name, i, CHOICE_UNITS);
		for (size_t j = 0; j < i; j++)
			if (same_choice(option, &option->choices[j], choice))
				return refuse(error, "command %s, option %s: the choices %s and %s are the same",
					      command, option->name, option->choices[j].name, choice->name);
	}
	return 0;
}

static int check_bounds(const char *command, const struct shoal_command_option *option, char *error)
{
	int64_t least = option->type == SHOAL_OPTION_STRING ? 0 : -INTEGER_LIMIT;
	int64_t most = option->type == SHOAL_OPTION_STRING ? STRING_MAX : INTEGER_LIMIT;
	bool bounded = option->min || option->max;

	if (bounded && option->type != SHOAL_OPTION_STRING && option->type != SHOAL_OPTION_INTEGER)
		return refuse(error, "command %s, option %s: min and max are for STRING and INTEGER", command,
			      option->name);
	if (option->min > option->max || (bounded && (option->min < least || option->max > most)) ||
	    (bounded && option->type == SHOAL_OPTION_STRING && option->max < 1))
		return refuse(error, "command %s, option %s: min and max are not a range that Discord takes", command,
			      option->name);
	if (!isfinite(option->least) || !isfinite(option->most) || option->least > option->most)
		return refuse(error, "command %s, option %s: least and most are no range", command, option->name);
	return 0;
}

static int check_option(const char *command, const struct shoal_command_option *option, char *error)
{
	int r;

	if (!is_slash_name(option->name) || !local_names_good(option->names, is_slash_name))
		return refuse(error,
			      "command %s, option %s: names have 1 to %d lower-case letters, digits, '-' and '_'",
			      command, option->name ? option->name : "without a name", NAME_UNITS);
	if (!fits(option->description, DESCRIPTION_UNITS) || !local_texts_fit(option->descriptions, DESCRIPTION_UNITS))
		return refuse(error, "command %s, option %s: a description of 1 to %d characters is needed", command,
			      option->name, DESCRIPTION_UNITS);
	if (option->type < SHOAL_OPTION_STRING || option->type > SHOAL_OPTION_ATTACHMENT)
		return refuse(error, "command %s, option %s: there is no type %d for an option", command, option->name,
			      (int)option->type);
	if (option->choice_count > CHOICES_MAX || (option->choice_count && !option->choices))
		return refuse(error, "command %s, option %s: at most %d choices", command, option->name, CHOICES_MAX);
	if ((option->choice_count || option->suggest) && !has_values(option))
		return refuse(error,
			      "command %s, option %s: choices and suggestions are for STRING, INTEGER and NUMBER",
			      command, option->name);
	if (option->choice_count && option->suggest)
		return refuse(error, "command %s, option %s: it has either choices or suggestions", command,
			      option->name);
	if (option->channel_types && option->type != SHOAL_OPTION_CHANNEL)
		return refuse(error, "command %s, option %s: channel_types are for CHANNEL", command, option->name);
	r = check_bounds(command, option, error);
	return r < 0 ? r : check_choices(command, option, error);
}

static int check_options(const struct shoal_command *command, char *error)
{
	int r = 0;

	if (command->option_count > OPTIONS_MAX || (command->option_count && !command->options))
		return refuse(error, "command %s: at most %d options", command->name, OPTIONS_MAX);
	for (size_t i = 0; r == 0 && i < command->option_count; i++) {
		const struct shoal_command_option *option = &command->options[i];

		r = check_option(command->name, option, error);
		if (r == 0 && option->required && i > 0 && !command->options[i - 1].required)
			r = refuse(error,
				   "command %s: option %s is required, so it must stand before those that are not",
				   command->name, option->name);
		for (size_t j = 0; r == 0 && j < i; j++)
			if (strcmp(command->options[j].name, option->name) == 0)
				r = refuse(error, "command %s: it has two options %s", command->name, option->name);
	}
	return r;
}

static int check_menu(const struct shoal_command *command, char *error)
{
	if (!is_menu_name(command->name) || !local_names_good(command->names, is_menu_name))
		return refuse(error, "command %s: names have 1 to %d characters", command->name, NAME_UNITS);
	if (command->option_count || command->child_count || !command->handle)
		return refuse(error, "command %s: one of a context menu has a handler, but no options or subcommands",
			      command->name);
	return 0;
}

static int check_root(const struct shoal_command *command, char *error)
{
	uint32_t contexts = command->contexts, installs = command->installs;

	if (command->kind > SHOAL_COMMAND_MESSAGE)
		return refuse(error, "command %s: there is no kind %d", command->name, (int)command->kind);
	if (contexts >> CONTEXT_COUNT || installs >> INSTALL_COUNT)
		return refuse(error, "command %s: contexts or installs have bits that nobody knows", command->name);
	if ((contexts & SHOAL_IN_OTHER_DMS) && !(installs & SHOAL_FOR_USERS))
		return refuse(error, "command %s: other direct messages are for commands that users install",
			      command->name);
	if (contexts && !(contexts & SHOAL_IN_SERVERS) && (command->flags & SHOAL_COMMAND_GUILD_ONLY))
		return refuse(error, "command %s: it is for servers only, and not for servers", command->name);
	return 0;
}

static int check_row(const struct shoal_command *command, int depth, char *error)
{
	int r;

	if (!command || !command->name)
		return refuse(error, "a command has no name");
	if (!fits(command->description, DESCRIPTION_UNITS) ||
	    !local_texts_fit(command->descriptions, DESCRIPTION_UNITS))
		return refuse(error, "command %s: a description of 1 to %d characters is needed", command->name,
			      DESCRIPTION_UNITS);
	r = depth == 0 ? check_root(command, error) : 0;
	if (r < 0 || (depth == 0 && command->kind != SHOAL_COMMAND_SLASH))
		return r < 0 ? r : check_menu(command, error);
	if (!is_slash_name(command->name) || !local_names_good(command->names, is_slash_name))
		return refuse(error, "command %s: names have 1 to %d lower-case letters, digits, '-' and '_'",
			      command->name, NAME_UNITS);
	if (command->child_count > OPTIONS_MAX || depth > DEPTH_MAX || (command->child_count && !command->children))
		return refuse(error, "command %s: at most %d subcommands, in at most two levels", command->name,
			      OPTIONS_MAX);
	if ((command->child_count == 0) != (command->handle != NULL))
		return refuse(error, "command %s: it has either a handler or subcommands", command->name);
	if (command->child_count && command->option_count)
		return refuse(error, "command %s: its options belong to its subcommands", command->name);
	r = check_options(command, error);
	for (size_t i = 0; r == 0 && i < command->child_count; i++) {
		r = check_row(&command->children[i], depth + 1, error);
		for (size_t j = 0; r == 0 && j < i; j++)
			if (strcmp(command->children[j].name, command->children[i].name) == 0)
				r = refuse(error, "command %s: it has two subcommands %s", command->name,
					   command->children[i].name);
	}
	return r;
}

/* The longest of its languages. */
static size_t longest(const char *english, const struct shoal_phrase *others)
{
	size_t most = units_of(english);

	for (int i = SHOAL_ENGLISH + 1; others && i < SHOAL_LANGUAGE_COUNT; i++)
		most = units_of(others->text[i]) > most ? units_of(others->text[i]) : most;
	return most;
}

size_t registration_size(const struct shoal_command *command)
{
	size_t size = longest(command->name, command->names);

	if (command->kind == SHOAL_COMMAND_SLASH)
		size += longest(command->description, command->descriptions);
	for (size_t i = 0; i < command->option_count; i++) {
		const struct shoal_command_option *option = &command->options[i];

		size += longest(option->name, option->names) + longest(option->description, option->descriptions);
		for (size_t j = 0; j < option->choice_count; j++)
			size += longest(option->choices[j].name, option->choices[j].names) +
				(option->type == SHOAL_OPTION_STRING
					 ? units_of(arguments_choice_text(&option->choices[j]))
					 : 0);
	}
	for (size_t i = 0; i < command->child_count; i++)
		size += registration_size(&command->children[i]);
	return size;
}

int registration_check(const struct shoal_command *command, char error[REGISTRATION_ERROR_SIZE])
{
	int r = check_row(command, 0, error);

	if (r == 0 && registration_size(command) > COMMAND_UNITS)
		return refuse(error, "command %s: names, descriptions and values have %zu characters, Discord takes %d",
			      command->name, registration_size(command), COMMAND_UNITS);
	return r;
}

/* --- JSON ----------------------------------------------------------------------------------------------------------
 */

/* {"de": …, "es-ES": …, "it": …}. es-419 falls back on es-ES by itself. */
static void put_local(json_t *object, const char *key, const struct shoal_phrase *texts)
{
	json_auto_t *map = json_object();

	for (int i = SHOAL_ENGLISH + 1; texts && i < SHOAL_LANGUAGE_COUNT; i++)
		if (texts->text[i])
			json_object_set_new(map, phrases_locale((enum shoal_language)i), json_string(texts->text[i]));
	if (json_object_size(map))
		json_object_set(object, key, map);
}

static json_t *choices_to_json(const struct shoal_command_option *option)
{
	json_t *list = json_array();

	for (size_t i = 0; i < option->choice_count; i++) {
		const struct shoal_choice *choice = &option->choices[i];
		json_t *value = option->type == SHOAL_OPTION_INTEGER  ? json_integer(choice->integer)
				: option->type == SHOAL_OPTION_NUMBER ? json_real(choice->number)
								      : json_string(arguments_choice_text(choice));
		json_t *json = json_pack("{s:s, s:o}", "name", choice->name, "value", value);

		put_local(json, "name_localizations", choice->names);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *channel_types_to_json(uint32_t types)
{
	json_t *list = json_array();

	for (int i = 0; i < 32; i++)
		if (types & SHOAL_CHANNEL_BIT(i))
			json_array_append_new(list, json_integer(i));
	return list;
}

static void put_bounds(json_t *json, const struct shoal_command_option *option)
{
	if ((option->min || option->max) && option->type == SHOAL_OPTION_STRING) {
		json_object_set_new(json, "min_length", json_integer(option->min));
		json_object_set_new(json, "max_length", json_integer(option->max));
	} else if (option->min || option->max) {
		json_object_set_new(json, "min_value", json_integer(option->min));
		json_object_set_new(json, "max_value", json_integer(option->max));
	} else if (option->least < 0 || option->most > 0 || option->most < 0 || option->least > 0) {
		json_object_set_new(json, "min_value", json_real(option->least));
		json_object_set_new(json, "max_value", json_real(option->most));
	}
}

static json_t *option_to_json(const struct shoal_command_option *option)
{
	json_t *json = json_pack("{s:i, s:s, s:s, s:b}", "type", (int)option->type, "name", option->name, "description",
				 option->description, "required", (int)option->required);

	put_local(json, "name_localizations", option->names);
	put_local(json, "description_localizations", option->descriptions);
	put_bounds(json, option);
	if (option->choice_count)
		json_object_set_new(json, "choices", choices_to_json(option));
	if (option->suggest)
		json_object_set_new(json, "autocomplete", json_true());
	if (option->channel_types)
		json_object_set_new(json, "channel_types", channel_types_to_json(option->channel_types));
	return json;
}

/* Children before options: Discord knows no mixture. */
static json_t *options_to_json(const struct shoal_command *command)
{
	json_t *list = json_array(), *item;
	size_t i;

	for (i = 0; i < command->child_count; i++) {
		const struct shoal_command *child = &command->children[i];
		int type = child->child_count ? SHOAL_OPTION_SUB_COMMAND_GROUP : SHOAL_OPTION_SUB_COMMAND;

		item = json_pack("{s:i, s:s, s:s, s:o}", "type", type, "name", child->name, "description",
				 child->description, "options", options_to_json(child));
		put_local(item, "name_localizations", child->names);
		put_local(item, "description_localizations", child->descriptions);
		json_array_append_new(list, item);
	}
	for (i = 0; i < command->option_count; i++)
		json_array_append_new(list, option_to_json(&command->options[i]));
	return list;
}

static json_t *permissions_to_json(const struct shoal_command *command)
{
	uint64_t bits = command->shown_to ? command->shown_to : command->permissions;
	char text[24];

	/* Who gives it to roles by levels wants it to be seen by them, too. */
	if (bits == 0 || (!command->shown_to && (command->flags & SHOAL_COMMAND_EITHER)))
		return json_null();
	snprintf(text, sizeof(text), "%llu", (unsigned long long)bits);
	return json_string(text);
}

static json_t *bits_to_json(uint32_t bits, int count)
{
	json_t *list = json_array();

	for (int i = 0; i < count; i++)
		if (bits & (1u << i))
			json_array_append_new(list, json_integer(i));
	return list;
}

static json_t *command_to_json(const struct shoal_command *command)
{
	uint32_t contexts = command->contexts ? command->contexts : SHOAL_IN_SERVERS | SHOAL_IN_BOT_DMS;
	uint32_t installs = command->installs ? command->installs : SHOAL_FOR_SERVERS;
	json_t *json;

	if (command->flags & SHOAL_COMMAND_GUILD_ONLY)
		contexts = SHOAL_IN_SERVERS;
	json = json_pack("{s:i, s:s, s:o, s:o, s:o}", "type", (int)command->kind + 1, "name", command->name,
			 "default_member_permissions", permissions_to_json(command), "contexts",
			 bits_to_json(contexts, CONTEXT_COUNT), "integration_types",
			 bits_to_json(installs, INSTALL_COUNT));
	put_local(json, "name_localizations", command->names);
	if (command->flags & SHOAL_COMMAND_NSFW)
		json_object_set_new(json, "nsfw", json_true());
	if (command->kind != SHOAL_COMMAND_SLASH)
		return json; /* menus have no description: Discord refuses one */
	json_object_set_new(json, "description", json_string(command->description));
	put_local(json, "description_localizations", command->descriptions);
	json_object_set_new(json, "options", options_to_json(command));
	return json;
}

json_t *registration_to_json(void)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < registry_command_count; i++) {
		if (json_array_append_new(list, command_to_json(registry_commands[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
