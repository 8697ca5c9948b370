/* What a setting takes, in words of the catalogue. value_allowed() says the same to operators, in English. */
#include "shard/commands/builtin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/settings/value.h"

/* By type: without bounds, and with. */
static const struct {
	const struct shoal_phrase *free, *bounded;
} rows[SHOAL_SETTING_TYPE_COUNT] = {
	[SHOAL_SETTING_BOOL] = { &phrase_ALLOWED_BOOL, &phrase_ALLOWED_BOOL },
	[SHOAL_SETTING_INTEGER] = { &phrase_ALLOWED_INTEGER, &phrase_ALLOWED_INTEGER_IN },
	[SHOAL_SETTING_NUMBER] = { &phrase_ALLOWED_NUMBER, &phrase_ALLOWED_NUMBER_IN },
	[SHOAL_SETTING_TEXT] = { &phrase_ALLOWED_TEXT, &phrase_ALLOWED_TEXT_IN },
	[SHOAL_SETTING_ENUM] = { &phrase_ALLOWED_CHOICE, &phrase_ALLOWED_CHOICE },
	[SHOAL_SETTING_DURATION] = { &phrase_ALLOWED_DURATION, &phrase_ALLOWED_DURATION_IN },
	[SHOAL_SETTING_CHANNEL] = { &phrase_ALLOWED_CHANNEL, &phrase_ALLOWED_CHANNEL },
	[SHOAL_SETTING_ROLE] = { &phrase_ALLOWED_ROLE, &phrase_ALLOWED_ROLE },
	[SHOAL_SETTING_USER] = { &phrase_ALLOWED_USER, &phrase_ALLOWED_USER },
	[SHOAL_SETTING_CHANNELS] = { &phrase_ALLOWED_CHANNELS, &phrase_ALLOWED_CHANNELS },
	[SHOAL_SETTING_ROLES] = { &phrase_ALLOWED_ROLES, &phrase_ALLOWED_ROLES },
	[SHOAL_SETTING_USERS] = { &phrase_ALLOWED_USERS, &phrase_ALLOWED_USERS },
};

static bool is_list(enum shoal_setting_type type)
{
	return type == SHOAL_SETTING_CHANNELS || type == SHOAL_SETTING_ROLES || type == SHOAL_SETTING_USERS;
}

static void print_bound(const struct shoal_setting *row, bool high, char text[VALUE_ERROR_SIZE])
{
	int64_t bound = high ? row->max : row->min;
	const struct shoal_setting_value value = { .type = SHOAL_SETTING_DURATION, .integer = bound };

	if (row->type == SHOAL_SETTING_NUMBER)
		snprintf(text, VALUE_ERROR_SIZE, "%g", high ? row->number_max : row->number_min);
	else if (row->type == SHOAL_SETTING_DURATION)
		value_print(&value, false, text, VALUE_ERROR_SIZE);
	else if (is_list(row->type) && high && bound == 0)
		snprintf(text, VALUE_ERROR_SIZE, "%d", SHOAL_SETTING_IDS_MAX);
	else
		snprintf(text, VALUE_ERROR_SIZE, "%" PRId64, bound);
}

/* "a|b|c" as "a, b, c". */
static void print_choices(const char *choices, char text[VALUE_ERROR_SIZE])
{
	size_t len = 0;

	text[0] = '\0';
	for (; choices && *choices && len < VALUE_ERROR_SIZE - 3; choices++) {
		if (*choices == '|')
			text[len++] = ',';
		text[len++] = *choices == '|' ? ' ' : *choices;
		text[len] = '\0';
	}
}

void settings_allowed(const struct shoal_invocation *inv, const struct shoal_setting *row, char *text, size_t size)
{
	bool bounded = row->type == SHOAL_SETTING_NUMBER ? row->number_min != 0 || row->number_max != 0
							 : row->min != 0 || row->max != 0;
	char low[VALUE_ERROR_SIZE], high[VALUE_ERROR_SIZE], choices[VALUE_ERROR_SIZE];

	text[0] = '\0';
	if ((unsigned int)row->type >= SHOAL_SETTING_TYPE_COUNT)
		return;
	print_bound(row, false, low);
	print_bound(row, true, high);
	print_choices(row->choices, choices);
	phrases_print_text(bounded ? rows[row->type].bounded : rows[row->type].free, inv->language,
			   WORDS({ "low", low }, { "high", high }, { "choices", choices }), text, size);
}
