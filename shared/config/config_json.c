/* A configuration as JSON and back: how a worker gets its supervisor's. Any thread.
 * Holds secrets: whoever gets the object sends it through sealed memory only. */
#include "shared/config/config.h"

#include <errno.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/config/options.h"
#include "shared/log/log.h"

static json_t *option_to_json(const struct config *config, const struct config_option *option)
{
	char number[16];

	if (option->kind == OPTION_U32)
		return json_integer(*option_u32((struct config *)config, option));
	if (option->kind == OPTION_BOOL)
		return json_boolean(*option_bool((struct config *)config, option));
	return json_string(option_text(config, option, number));
}

json_t *config_to_json(const struct config *config)
{
	json_t *json = json_object();

	for (size_t i = 0; json && i < config_option_count; i++) {
		if (json_object_set_new(json, config_options[i].key, option_to_json(config, &config_options[i])) < 0) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

/* Through option_set(), so that a worker checks what it gets by the same table. */
static int option_from_json(struct config *config, const struct config_option *option, const json_t *json,
			    char why[OPTION_ERROR_SIZE])
{
	char number[24];

	if (json_is_string(json) && (option->kind == OPTION_STR || option->kind == OPTION_CHOICE)) {
		/* A zero byte within would cut the text. */
		if (strlen(json_string_value(json)) == json_string_length(json))
			return option_set(config, option, json_string_value(json), why);
	} else if (json_is_integer(json) && option->kind == OPTION_U32) {
		/* The least number of an option with a word is the word's; as text only the word is taken. */
		if (option->choices && json_integer_value(json) == (json_int_t)option->min)
			return option_set(config, option, option->choices, why);
		if (json_integer_value(json) >= 0) {
			snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(json));
			return option_set(config, option, number, why);
		}
	} else if (json_is_boolean(json) && option->kind == OPTION_BOOL) {
		*option_bool(config, option) = json_is_true(json);
		return 0;
	}
	snprintf(why, OPTION_ERROR_SIZE, "a value of the wrong type");
	return -EINVAL;
}

int config_from_json(const json_t *json, struct config **ret_config, char error[CONFIG_ERROR_SIZE])
{
	CLEANUP(config_freep) struct config *config = NULL;
	char why[OPTION_ERROR_SIZE];
	int r;

	error[0] = '\0';
	if (!json_is_object(json)) {
		snprintf(error, CONFIG_ERROR_SIZE, "configuration: not a JSON object");
		return -EINVAL;
	}
	r = config_new(&config);
	if (r < 0)
		return r;
	for (size_t i = 0; i < config_option_count; i++) {
		const json_t *value = json_object_get(json, config_options[i].key);

		r = value ? option_from_json(config, &config_options[i], value, why) : 0;
		if (r < 0) {
			snprintf(error, CONFIG_ERROR_SIZE, "configuration: %s: %s", config_options[i].key, why);
			return r;
		}
	}
	*ret_config = TAKE(config);
	return 0;
}
