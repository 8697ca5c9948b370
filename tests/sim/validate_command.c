/* Application commands. Written from Discord's pages alone, apart from what shoal thinks of them. */
#include "tests/sim/validate_command.h"

#include <stdio.h>
#include <string.h>

#include "tests/sim/util.h"

#define CHARACTERS_MAX 8000

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool refuse(struct rest_call *c, const char *at, const char *code, const char *words)
{
	rest_invalid(c, at, code, words);
	return false;
}

static bool length_good(const char *text, size_t least, size_t most)
{
	size_t length = text ? utf16_length(text) : 0;

	return text && length >= least && length <= most;
}

/* ^[-_'\p{L}\p{N}]{1,32}$, and the lower case of letters that have one (Latin-1 here). */
static bool slash_name_good(const char *name)
{
	if (!length_good(name, 1, 32))
		return false;
	for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
		if (*p < 0x80 && !strchr("abcdefghijklmnopqrstuvwxyz0123456789-_'", *p))
			return false;
		if (p[0] == 0xc3 && p[1] >= 0x80 && p[1] <= 0x9e) /* U+00C0 to U+00DE: À … Þ, × */
			return false;
		if (p[0] == 0xc2 && p[1] != 0xaa && p[1] != 0xb5 && p[1] != 0xba) /* signs */
			return false;
	}
	return true;
}

static bool menu_name_good(const char *name)
{
	return length_good(name, 1, 32);
}

static bool description_good(const char *text)
{
	return length_good(text, 1, 100);
}

static bool locale_known(const char *locale)
{
	static const char *const known[] = { "id", "da", "de",    "en-GB", "en-US", "es-ES", "es-419", "fr",
					     "hr", "it", "lt",    "hu",    "nl",    "no",    "pl",     "pt-BR",
					     "ro", "fi", "sv-SE", "vi",    "tr",    "cs",    "el",     "bg",
					     "ru", "uk", "hi",    "th",    "zh-CN", "ja",    "zh-TW",  "ko" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i], locale))
			return true;
	return false;
}

/* @key and its _localizations. */
static bool localized_good(struct rest_call *c, const json_t *object, const char *key, const char *at,
			   bool (*good)(const char *text))
{
	char path[240], others[64];
	const char *locale;
	json_t *text, *map;

	snprintf(path, sizeof(path), "%s%s%s", at, at[0] ? "." : "", key);
	if (!good(text_of(object, key)))
		return refuse(c, path, "APPLICATION_COMMAND_INVALID_NAME", "Name or description is invalid");
	snprintf(others, sizeof(others), "%s_localizations", key);
	map = json_object_get(object, others);
	if (map && !json_is_null(map) && !json_is_object(map))
		return refuse(c, path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
	json_object_foreach(map, locale, text)
	{
		if (!locale_known(locale))
			return refuse(c, path, "BASE_TYPE_CHOICES", "Unknown locale");
		if (!good(json_string_value(text)))
			return refuse(c, path, "APPLICATION_COMMAND_INVALID_NAME", "A localization is invalid");
	}
	return true;
}

static size_t longest(const json_t *object, const char *key)
{
	size_t most = text_of(object, key) ? utf16_length(text_of(object, key)) : 0, length;
	char others[64];
	const char *locale;
	json_t *text;

	snprintf(others, sizeof(others), "%s_localizations", key);
	json_object_foreach(json_object_get(object, others), locale, text)
	{
		length = json_is_string(text) ? utf16_length(json_string_value(text)) : 0;
		most = length > most ? length : most;
	}
	return most;
}

/* Names, descriptions and values of it and all within. */
static size_t characters_of(const json_t *object)
{
	size_t sum = longest(object, "name") + longest(object, "description"), i;
	const char *value = text_of(object, "value");
	json_t *one;

	sum += value ? utf16_length(value) : 0;
	json_array_foreach(json_object_get(object, "options"), i, one) sum += characters_of(one);
	json_array_foreach(json_object_get(object, "choices"), i, one) sum += characters_of(one);
	return sum;
}

static bool choice_name_good(const char *name)
{
	return length_good(name, 1, 100);
}

static bool choices_good(struct rest_call *c, const json_t *option, json_int_t type, const char *at)
{
	json_t *list = json_object_get(option, "choices"), *one, *other, *value;
	size_t i, j;

	if (list && type != 3 && type != 4 && type != 10)
		return refuse(c, at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "choices are not for this type");
	if (json_array_size(list) > 25)
		return refuse(c, at, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.");
	json_array_foreach(list, i, one)
	{
		if (!localized_good(c, one, "name", at, choice_name_good))
			return false;
		value = json_object_get(one, "value");
		if ((type == 3 && (!json_is_string(value) || !length_good(json_string_value(value), 1, 100))) ||
		    (type == 4 && !json_is_integer(value)) || (type == 10 && !json_is_number(value)))
			return refuse(c, at, "BASE_TYPE_CHOICES", "A choice's value is not of the option's type.");
		for (j = 0; j < i; j++) {
			other = json_array_get(list, j);
			if (json_equal(json_object_get(other, "value"), value) ||
			    json_equal(json_object_get(other, "name"), json_object_get(one, "name")))
				return refuse(c, at, "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_DUPLICATE",
					      "The specified choice is duplicated");
		}
	}
	return true;
}

static bool bounds_good(struct rest_call *c, const json_t *option, json_int_t type, const char *at)
{
	const json_t *least = json_object_get(option, "min_value"), *most = json_object_get(option, "max_value");
	const json_t *shortest = json_object_get(option, "min_length"),
		     *longest_ = json_object_get(option, "max_length");

	if ((least || most) && type != 4 && type != 10)
		return refuse(c, at, "BASE_TYPE_CHOICES", "min_value and max_value are for numbers");
	if (least && most && json_number_value(least) > json_number_value(most))
		return refuse(c, at, "BASE_TYPE_CHOICES", "min_value is above max_value");
	if ((shortest || longest_) && type != 3)
		return refuse(c, at, "BASE_TYPE_CHOICES", "min_length and max_length are for strings");
	if ((shortest && (json_integer_value(shortest) < 0 || json_integer_value(shortest) > 6000)) ||
	    (longest_ && (json_integer_value(longest_) < 1 || json_integer_value(longest_) > 6000)))
		return refuse(c, at, "NUMBER_TYPE_MAX", "lengths are 0 to 6000");
	return true;
}

static bool option_good(struct rest_call *c, const json_t *option, const char *at)
{
	json_int_t type = json_integer_value(json_object_get(option, "type"));
	bool completes = json_is_true(json_object_get(option, "autocomplete"));
	json_t *channel_types = json_object_get(option, "channel_types");

	if (type < 1 || type > 11)
		return refuse(c, at, "BASE_TYPE_CHOICES", "Value of field \"type\" must be one of (1..11).");
	if (!localized_good(c, option, "name", at, slash_name_good) ||
	    !localized_good(c, option, "description", at, description_good))
		return false;
	if (completes &&
	    (json_array_size(json_object_get(option, "choices")) || (type != 3 && type != 4 && type != 10)))
		return refuse(c, at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
			      "autocomplete is for strings and numbers without choices");
	if (channel_types && type != 7)
		return refuse(c, at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "channel_types are for channels");
	return choices_good(c, option, type, at) && bounds_good(c, option, type, at);
}

static bool options_good(struct rest_call *c, const json_t *list, const char *at, int depth)
{
	bool optional_seen = false, nested = false, plain = false;
	json_t *option, *other;
	char path[200];
	size_t i, j;

	snprintf(path, sizeof(path), "%s.options", at);
	if (json_array_size(list) > 25 || (json_array_size(list) && depth > 3))
		return refuse(c, path, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.");
	json_array_foreach((json_t *)list, i, option)
	{
		json_int_t type = json_integer_value(json_object_get(option, "type"));
		bool required = json_is_true(json_object_get(option, "required"));

		snprintf(path, sizeof(path), "%s.options.%zu", at, i);
		if (!option_good(c, option, path))
			return false;
		nested |= type <= 2;
		plain |= type > 2;
		if ((nested && plain) || (type == 2 && depth > 1))
			return refuse(c, path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
				      "Sub-commands stand alone, groups at the top");
		if (type > 2 && required && optional_seen)
			return refuse(c, path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
				      "Required options must be placed before non-required options");
		optional_seen |= !required;
		for (j = 0; j < i; j++) {
			other = json_array_get(list, j);
			if (json_equal(json_object_get(other, "name"), json_object_get(option, "name")))
				return refuse(c, path, "APPLICATION_COMMAND_OPTIONS_NAME_INVALID",
					      "Option names must be unique");
		}
		if (!options_good(c, json_object_get(option, "options"), path, depth + 1))
			return false;
	}
	return true;
}

static bool set_good(const json_t *list, json_int_t most)
{
	json_t *one;
	size_t i;

	json_array_foreach((json_t *)list, i, one) if (!json_is_integer(one) || json_integer_value(one) < 0 ||
						       json_integer_value(one) > most) return false;
	return true;
}

bool validate_command(struct rest_call *c, const json_t *command, const char *at)
{
	const json_t *type = json_object_get(command, "type"), *rights;
	const char *description = text_of(command, "description");
	bool slash = !type || json_integer_value(type) == 1;

	if (!localized_good(c, command, "name", at, slash ? slash_name_good : menu_name_good))
		return false;
	if (slash && !localized_good(c, command, "description", at, description_good))
		return false;
	if (!slash && ((description && description[0]) || json_array_size(json_object_get(command, "options"))))
		return refuse(c, at, "BASE_TYPE_BAD_LENGTH",
			      "Context menu commands cannot have description or options");
	rights = json_object_get(command, "default_member_permissions");
	if (rights && !json_is_null(rights) &&
	    (!json_is_string(rights) || strspn(json_string_value(rights), "0123456789") != json_string_length(rights)))
		return refuse(c, at, "NUMBER_TYPE_COERCE", "default_member_permissions is no set of permissions");
	if (!set_good(json_object_get(command, "contexts"), 2) ||
	    !set_good(json_object_get(command, "integration_types"), 1))
		return refuse(c, at, "BASE_TYPE_CHOICES", "contexts are 0 to 2, integration_types 0 and 1");
	if (characters_of(command) > CHARACTERS_MAX)
		return refuse(c, at, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)");
	return options_good(c, json_object_get(command, "options"), at[0] ? at : "0", 1);
}
