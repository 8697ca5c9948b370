/* Values of settings, read strictly: what people type comes from members, what is stored may be anybody's. Pure. */
#include "shared/settings/value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/base/cleanup.h"
#include "shared/base/utf8.h"
#include "shared/phrases/phrases.h"

#define DURATION_MAX_S (INT64_C(100) * 365 * 86400)

enum form { FORM_BOOL, FORM_INTEGER, FORM_NUMBER, FORM_TEXT, FORM_ENUM, FORM_DURATION, FORM_IDS };

static const struct type_row {
	const char *name;
	enum form form;
	const char *open; /* how Discord mentions one, before the id */
	size_t most;      /* ids */
} types[SHOAL_SETTING_TYPE_COUNT] = {
	[SHOAL_SETTING_BOOL] = { "yes or no", FORM_BOOL, "", 0 },
	[SHOAL_SETTING_INTEGER] = { "whole number", FORM_INTEGER, "", 0 },
	[SHOAL_SETTING_NUMBER] = { "number", FORM_NUMBER, "", 0 },
	[SHOAL_SETTING_TEXT] = { "text", FORM_TEXT, "", 0 },
	[SHOAL_SETTING_ENUM] = { "choice", FORM_ENUM, "", 0 },
	[SHOAL_SETTING_DURATION] = { "duration", FORM_DURATION, "", 0 },
	[SHOAL_SETTING_CHANNEL] = { "channel", FORM_IDS, "<#", 1 },
	[SHOAL_SETTING_ROLE] = { "role", FORM_IDS, "<@&", 1 },
	[SHOAL_SETTING_USER] = { "member", FORM_IDS, "<@", 1 },
	[SHOAL_SETTING_CHANNELS] = { "channels", FORM_IDS, "<#", SHOAL_SETTING_IDS_MAX },
	[SHOAL_SETTING_ROLES] = { "roles", FORM_IDS, "<@&", SHOAL_SETTING_IDS_MAX },
	[SHOAL_SETTING_USERS] = { "members", FORM_IDS, "<@", SHOAL_SETTING_IDS_MAX },
};

static const struct {
	const char *word;
	int64_t seconds;
} units[] = { { "w", 7 * 86400 }, { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } };

void value_clear(struct value *value)
{
	if (value->owned)
		explicit_bzero(value->owned, value->owned_size);
	free(value->owned);
	*value = (struct value){ 0 };
}

/* --- owning ------------------------------------------------------------------------------------------------------- */

static int own_text(struct value *value, const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';
	value->owned = copy;
	value->owned_size = len + 1;
	value->is.text = copy;
	return 0;
}

static int own_ids(struct value *value, const uint64_t *ids, size_t count)
{
	uint64_t *copy;

	if (count == 0)
		return 0;
	copy = malloc(count * sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, ids, count * sizeof(*copy));
	value->owned = copy;
	value->owned_size = count * sizeof(*copy);
	value->is.ids = copy;
	value->is.id_count = count;
	return 0;
}

/* --- checks ------------------------------------------------------------------------------------------------------- */

static int refuse(const struct shoal_setting *row, char error[VALUE_ERROR_SIZE])
{
	char allowed[VALUE_ERROR_SIZE - 32];

	value_allowed(row, allowed, sizeof(allowed));
	snprintf(error, VALUE_ERROR_SIZE, "`%s` wants %s.", row->name, allowed);
	return -EINVAL;
}

/* Characters of valid UTF-8 without NUL or control characters but line ends; -1. */
static int64_t count_characters(const char *text)
{
	int64_t count = 0;
	uint32_t point;
	size_t len;

	for (; *text; text += len, count++) {
		len = utf8_decode(text, &point);
		if (!len || (point < ' ' && point != '\n' && point != '\t') || (point >= 0x7f && point < 0xa0))
			return -1;
	}
	return count;
}

/* The index of @text among "a|b|c", any case; -1. *ret_word (may be NULL): as the row spells it. */
static int find_choice(const char *choices, const char *text, const char **ret_word, size_t *ret_len)
{
	size_t len = strlen(text);
	int index = 0;

	for (const char *word = choices;; index++) {
		size_t word_len = strcspn(word, "|");

		if (word_len == len && strncasecmp(word, text, len) == 0) {
			*ret_word = word;
			*ret_len = word_len;
			return index;
		}
		if (word[word_len] == '\0')
			return -1;
		word += word_len + 1;
	}
}

static bool is_within(int64_t number, int64_t min, int64_t max)
{
	return (min == 0 && max == 0) || (number >= min && number <= max);
}

static bool ids_fit(const struct shoal_setting *row, const struct shoal_setting_value *value)
{
	if (value->id_count > types[row->type].most)
		return false;
	if (types[row->type].most > 1 && !is_within((int64_t)value->id_count, row->min, row->max))
		return false;
	for (size_t i = 0; i < value->id_count; i++)
		if (value->ids[i] == 0 || value->ids[i] > INT64_MAX)
			return false;
	return true;
}

static bool fits(const struct shoal_setting *row, const struct shoal_setting_value *value)
{
	const char *word;
	int64_t count;
	size_t len;

	switch (types[row->type].form) {
	case FORM_BOOL:
		return true;
	case FORM_INTEGER:
		return is_within(value->integer, row->min, row->max);
	case FORM_DURATION:
		return value->integer >= 0 && value->integer <= DURATION_MAX_S &&
		       is_within(value->integer, row->min, row->max);
	case FORM_NUMBER:
		return isfinite(value->number) &&
		       ((row->number_min == 0 && row->number_max == 0) ||
			(value->number >= row->number_min && value->number <= row->number_max));
	case FORM_TEXT:
		count = value->text ? count_characters(value->text) : -1;
		return count >= 0 && strlen(value->text) <= SHOAL_SETTING_TEXT_MAX &&
		       is_within(count, row->min, row->max);
	case FORM_ENUM:
		return value->text && find_choice(row->choices, value->text, &word, &len) >= 0;
	case FORM_IDS:
		return ids_fit(row, value);
	}
	return false;
}

int value_check(const struct shoal_setting *row, const struct shoal_setting_value *value, char error[VALUE_ERROR_SIZE])
{
	const struct shoal_phrase *objection;
	char number[VALUE_NUMBER_SIZE];

	error[0] = '\0';
	if ((unsigned int)row->type >= SHOAL_SETTING_TYPE_COUNT || value->type != row->type || !fits(row, value))
		return refuse(row, error);
	objection = value_objection(row, value, number);
	if (!objection)
		return 0;
	phrases_print_text(objection, SHOAL_ENGLISH, &(struct shoal_word){ "number", number }, 1, error,
			   VALUE_ERROR_SIZE);
	return -EINVAL;
}

const struct shoal_phrase *value_objection(const struct shoal_setting *row, const struct shoal_setting_value *value,
					   char number[VALUE_NUMBER_SIZE])
{
	int64_t counted = 0;
	const struct shoal_phrase *objection = row->check ? row->check(value, &counted) : NULL;

	snprintf(number, VALUE_NUMBER_SIZE, "%" PRId64, counted);
	return objection;
}

/* --- from text ---------------------------------------------------------------------------------------------------- */

/* Whether somebody says so in one of our languages. */
static bool is_said(const struct shoal_phrase *phrase, const char *text)
{
	for (int i = 0; i < SHOAL_LANGUAGE_COUNT; i++)
		if (strcasecmp(text, phrase->text[i]) == 0)
			return true;
	return false;
}

static bool read_bool(const char *text, bool *ret_value)
{
	static const char *const yes[] = { "on", "true", "1", "si" }, *const no[] = { "off", "false", "0", "no" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*ret_value = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	*ret_value = is_said(&phrase_VALUE_YES, text);
	return *ret_value || is_said(&phrase_VALUE_NO, text);
}

static bool read_integer(const char *text, int64_t *ret_value)
{
	const char *digits = text + (*text == '-' || *text == '+');
	char *end;

	if (*digits < '0' || *digits > '9')
		return false;
	errno = 0;
	*ret_value = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static bool read_number(const char *text, double *ret_value)
{
	char *end;

	/* No hexadecimal, no "nan", no "inf". */
	if (!*text || strspn(text, "0123456789+-.eE") != strlen(text))
		return false;
	*ret_value = strtod(text, &end);
	return *end == '\0' && isfinite(*ret_value);
}

/* "1h30m", "2 d"; a bare number is seconds. */
static bool read_duration(const char *text, int64_t *ret_seconds)
{
	int64_t total = 0;
	bool any = false;

	for (;;) {
		int64_t number = 0, seconds = 0;
		size_t digits, i;

		text += strspn(text, " ");
		if (!*text)
			break;
		digits = strspn(text, "0123456789");
		if (digits == 0 || digits > 11)
			return false;
		number = strtoll(text, NULL, 10);
		text += digits;
		text += strspn(text, " ");
		for (i = 0; i < ARRAY_SIZE(units) && seconds == 0; i++)
			if (strncasecmp(text, units[i].word, 1) == 0)
				seconds = units[i].seconds;
		if (seconds)
			text++;
		else if (*text == '\0' && !any)
			seconds = 1;
		else
			return false;
		if (number > DURATION_MAX_S / seconds)
			return false;
		total += number * seconds;
		any = true;
	}
	*ret_seconds = total;
	return any && total <= DURATION_MAX_S;
}

/* An id as Discord's clients write it: "123", "<#123>", "<@123>", "<@!123>", "<@&123>". Moves *text behind it. */
static bool read_id(const char **text, uint64_t *ret_id)
{
	const char *at = *text;
	bool bracket = *at == '<';
	char *end;

	if (bracket) {
		at++;
		at += strspn(at, "#@!&");
	}
	if (*at < '0' || *at > '9')
		return false;
	errno = 0;
	*ret_id = strtoull(at, &end, 10);
	if (errno || *ret_id == 0 || *ret_id > INT64_MAX || (bracket && *end != '>'))
		return false;
	*text = end + bracket;
	return true;
}

static bool read_ids(const char *text, size_t most, uint64_t *ids, size_t *ret_count)
{
	size_t count = 0;

	if (!*text || is_said(&phrase_VALUE_NONE, text)) {
		*ret_count = 0;
		return true;
	}
	for (text += strspn(text, " ,"); *text; text += strspn(text, " ,")) {
		uint64_t id;

		if (count >= most || !read_id(&text, &id) || (*text && !strchr(" ,<", *text)))
			return false;
		for (size_t i = 0; i < count; i++)
			if (ids[i] == id)
				return false;
		ids[count++] = id;
	}
	*ret_count = count;
	return count > 0;
}

static int parse_text(const struct shoal_setting *row, const char *text, struct value *value)
{
	uint64_t ids[SHOAL_SETTING_IDS_MAX];
	size_t count, len;
	const char *word;

	switch (types[row->type].form) {
	case FORM_BOOL:
		return read_bool(text, &value->is.boolean) ? 0 : -EINVAL;
	case FORM_INTEGER:
		return read_integer(text, &value->is.integer) ? 0 : -EINVAL;
	case FORM_NUMBER:
		return read_number(text, &value->is.number) ? 0 : -EINVAL;
	case FORM_DURATION:
		return read_duration(text, &value->is.integer) ? 0 : -EINVAL;
	case FORM_TEXT:
		return strlen(text) > SHOAL_SETTING_TEXT_MAX ? -EINVAL : own_text(value, text, strlen(text));
	case FORM_ENUM:
		return find_choice(row->choices, text, &word, &len) < 0 ? -EINVAL : own_text(value, word, len);
	case FORM_IDS:
		return read_ids(text, types[row->type].most, ids, &count) ? own_ids(value, ids, count) : -EINVAL;
	}
	return -EINVAL;
}

/* What was made of it becomes the caller's if it holds against the row. */
static int finish(const struct shoal_setting *row, int r, struct value *value, struct value *ret_value,
		  char error[VALUE_ERROR_SIZE])
{
	if (r == 0)
		r = value_check(row, &value->is, error);
	else if (r == -EINVAL)
		refuse(row, error);
	if (r < 0) {
		value_clear(value);
		return r;
	}
	*ret_value = *value;
	return 0;
}

int value_from_text(const struct shoal_setting *row, const char *text, struct value *ret_value,
		    char error[VALUE_ERROR_SIZE])
{
	struct value value = { .is.type = row->type };

	error[0] = '\0';
	return finish(row, parse_text(row, text, &value), &value, ret_value, error);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static bool json_id(const json_t *json, uint64_t *ret_id)
{
	const char *text = json_string_value(json);

	return text && *text >= '0' && *text <= '9' && read_id(&text, ret_id) && *text == '\0';
}

static int parse_ids(const struct shoal_setting *row, const json_t *json, struct value *value)
{
	uint64_t ids[SHOAL_SETTING_IDS_MAX];
	size_t count = json_array_size(json);

	if (json_is_null(json))
		return 0;
	if (!json_is_array(json))
		return json_id(json, ids) ? own_ids(value, ids, 1) : -EINVAL;
	if (types[row->type].most == 1 || count > ARRAY_SIZE(ids))
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		if (!json_id(json_array_get(json, i), &ids[i]))
			return -EINVAL;
	return own_ids(value, ids, count);
}

static int parse_json(const struct shoal_setting *row, const json_t *json, struct value *value)
{
	const char *word = json_string_value(json);
	size_t len = json_string_length(json);

	switch (types[row->type].form) {
	case FORM_BOOL:
		value->is.boolean = json_is_true(json);
		return json_is_boolean(json) ? 0 : -EINVAL;
	case FORM_INTEGER:
	case FORM_DURATION:
		value->is.integer = json_integer_value(json);
		return json_is_integer(json) ? 0 : -EINVAL;
	case FORM_NUMBER:
		value->is.number = json_number_value(json);
		return json_is_number(json) ? 0 : -EINVAL;
	case FORM_TEXT:
		if (!word || strlen(word) != len || len > SHOAL_SETTING_TEXT_MAX)
			return -EINVAL;
		return own_text(value, word, len);
	case FORM_ENUM:
		if (!word || find_choice(row->choices, word, &word, &len) < 0)
			return -EINVAL;
		return own_text(value, word, len);
	case FORM_IDS:
		return parse_ids(row, json, value);
	}
	return -EINVAL;
}

int value_from_json(const struct shoal_setting *row, const json_t *json, struct value *ret_value,
		    char error[VALUE_ERROR_SIZE])
{
	struct value value = { .is.type = row->type };

	error[0] = '\0';
	return finish(row, parse_json(row, json, &value), &value, ret_value, error);
}

static json_t *ids_to_json(const struct shoal_setting_value *value)
{
	json_t *array;
	char text[24];

	if (types[value->type].most == 1 && value->id_count == 0)
		return json_null();
	array = json_array();
	for (size_t i = 0; array && i < value->id_count; i++) {
		snprintf(text, sizeof(text), "%" PRIu64, value->ids[i]);
		if (types[value->type].most == 1) {
			json_decref(array);
			return json_string(text);
		}
		if (json_array_append_new(array, json_string(text)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *value_to_json(const struct shoal_setting_value *value)
{
	switch (types[value->type].form) {
	case FORM_BOOL:
		return json_boolean(value->boolean);
	case FORM_INTEGER:
	case FORM_DURATION:
		return json_integer(value->integer);
	case FORM_NUMBER:
		return json_real(value->number);
	case FORM_TEXT:
	case FORM_ENUM:
		return json_string(value->text);
	case FORM_IDS:
		return ids_to_json(value);
	}
	return NULL;
}

/* --- for people --------------------------------------------------------------------------------------------------- */

static void print_duration(int64_t seconds, char *text, size_t size)
{
	size_t len = 0;

	if (seconds <= 0) {
		snprintf(text, size, "0s");
		return;
	}
	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(units) && len < size; i++) {
		int64_t count = seconds / units[i].seconds;

		/* Weeks only where they come out even: "10d" is better than "1w 3d". */
		if (count == 0 || (i == 0 && seconds % units[i].seconds))
			continue;
		seconds -= count * units[i].seconds;
		len += (size_t)snprintf(text + len, size - len, "%s%" PRId64 "%s", len ? " " : "", count,
					units[i].word);
	}
}

static void print_ids(const struct shoal_setting_value *value, bool mentions, enum shoal_language language, char *text,
		      size_t size)
{
	size_t len = 0;

	snprintf(text, size, "%s", phrases_text(&phrase_VALUE_NONE, language));
	for (size_t i = 0; i < value->id_count && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s%" PRIu64 "%s", i ? ", " : "",
					mentions ? types[value->type].open : "", value->ids[i], mentions ? ">" : "");
}

static void print(const struct shoal_setting_value *value, bool mentions, enum shoal_language language, char *text,
		  size_t size)
{
	switch (types[value->type].form) {
	case FORM_BOOL:
		snprintf(text, size, "%s",
			 phrases_text(value->boolean ? &phrase_VALUE_YES : &phrase_VALUE_NO, language));
		break;
	case FORM_INTEGER:
		snprintf(text, size, "%" PRId64, value->integer);
		break;
	case FORM_DURATION:
		print_duration(value->integer, text, size);
		break;
	case FORM_NUMBER:
		snprintf(text, size, "%.15g", value->number);
		break;
	case FORM_TEXT:
	case FORM_ENUM:
		snprintf(text, size, "%s", value->text);
		break;
	case FORM_IDS:
		print_ids(value, mentions, language, text, size);
		break;
	}
}

void value_print(const struct shoal_setting_value *value, bool mentions, char *text, size_t size)
{
	print(value, mentions, SHOAL_ENGLISH, text, size);
}

void value_say(const struct shoal_setting_value *value, enum shoal_language language, char *text, size_t size)
{
	print(value, true, language, text, size);
}

static void print_choices(const char *choices, char *text, size_t size)
{
	size_t len = (size_t)snprintf(text, size, "one of ");

	for (const char *word = choices; *word && len < size;) {
		size_t word_len = strcspn(word, "|");
		const char *next = word[word_len] ? word + word_len + 1 : word + word_len;

		len += (size_t)snprintf(text + len, size - len, "%s%.*s",
					word == choices ? ""
					: *next         ? ", "
							: " or ",
					(int)word_len, word);
		word = next;
	}
}

void value_allowed(const struct shoal_setting *row, char *text, size_t size)
{
	bool bounded = row->min != 0 || row->max != 0;
	char low[64], high[64];

	switch ((unsigned int)row->type < SHOAL_SETTING_TYPE_COUNT ? types[row->type].form : FORM_BOOL) {
	case FORM_BOOL:
		snprintf(text, size, "yes or no");
		break;
	case FORM_INTEGER:
		if (bounded)
			snprintf(text, size, "a whole number from %" PRId64 " to %" PRId64, row->min, row->max);
		else
			snprintf(text, size, "a whole number");
		break;
	case FORM_NUMBER:
		if (row->number_min != 0 || row->number_max != 0)
			snprintf(text, size, "a number from %g to %g", row->number_min, row->number_max);
		else
			snprintf(text, size, "a number");
		break;
	case FORM_TEXT:
		if (bounded)
			snprintf(text, size, "a text of %" PRId64 " to %" PRId64 " characters", row->min, row->max);
		else
			snprintf(text, size, "a text of at most %d bytes", SHOAL_SETTING_TEXT_MAX);
		break;
	case FORM_ENUM:
		print_choices(row->choices, text, size);
		break;
	case FORM_DURATION:
		print_duration(row->min, low, sizeof(low));
		print_duration(row->max, high, sizeof(high));
		if (bounded)
			snprintf(text, size, "a duration from %s to %s, such as 90s, 15m, 2h, 7d", low, high);
		else
			snprintf(text, size, "a duration such as 90s, 15m, 2h, 7d");
		break;
	case FORM_IDS:
		if (types[row->type].most == 1)
			snprintf(text, size, "a %s, or none", types[row->type].name);
		else if (bounded)
			snprintf(text, size, "%" PRId64 " to %" PRId64 " %s, one mention each", row->min, row->max,
				 types[row->type].name);
		else
			snprintf(text, size, "at most %zu %s, or none", types[row->type].most, types[row->type].name);
		break;
	}
}
