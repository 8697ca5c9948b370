/* libFuzzer's way into configuration: the input as a shoal.ini, and as the JSON that a worker gets. Beside not
 * crashing: an error is told in words, and what is taken goes to JSON and back unchanged. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/config/config.h"
#include "shared/config/config_file.h"
#include "shared/config/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_round_trip(const struct config *config)
{
	char error[CONFIG_ERROR_SIZE];
	struct config *back = NULL;
	json_t *json = config_to_json(config), *again;

	must(json != NULL);
	must(config_from_json(json, &back, error) == 0);
	again = config_to_json(back);
	must(json_equal(json, again));
	json_decref(json);
	json_decref(again);
	config_free(back);
}

static int taken; /* values set by this input: without one there is nothing to send round */

static int on_pair(void *arg, const char *section, const char *key, const char *value, int line,
		   char why[CONFIG_FILE_ERROR_SIZE])
{
	struct config *config = arg;
	const struct config_option *option;
	char full[128], problem[OPTION_ERROR_SIZE];
	const char *near;

	must(line > 0 && strlen(value) <= CONFIG_LINE_MAX);
	snprintf(full, sizeof(full), "%s.%s", section, key);
	option = option_find(full);
	near = option_suggest(full);
	must(!near || option_find(near));
	if (!option)
		return 0;
	if (option_set(config, option, value, problem) < 0) {
		must(problem[0] != '\0');
		snprintf(why, CONFIG_FILE_ERROR_SIZE, "%s", problem);
		return -EINVAL;
	}
	taken++;
	return 0;
}

static void as_file(const uint8_t *data, size_t size)
{
	char error[CONFIG_FILE_ERROR_SIZE];
	struct config *config = NULL;
	FILE *file = fmemopen((void *)data, size, "r");
	int line = -1, r;

	taken = 0;
	must(file != NULL && config_new(&config) == 0);
	r = config_file_read(file, on_pair, config, &line, error);
	if (r < 0)
		must(line >= 0 && error[0] != '\0');
	if (taken)
		check_round_trip(config);
	config_free(config);
	fclose(file);
}

static void as_json(const uint8_t *data, size_t size)
{
	char error[CONFIG_ERROR_SIZE];
	struct config *config = NULL;
	json_t *json = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);

	if (config_from_json(json, &config, error) == 0)
		check_round_trip(config);
	else
		must(error[0] != '\0' && !config);
	config_free(config);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 65536)
		return 0;
	as_file(data, size);
	as_json(data, size);
	return 0;
}
