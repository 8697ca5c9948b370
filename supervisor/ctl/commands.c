/* shoalctl commands: how commands are used on this host since its boards are there. */
#include <inttypes.h>
#include <stdio.h>

#include "supervisor/ctl/ctl.h"

#define ASK_TIMEOUT_MS 10000

static int64_t number(const json_t *row, const char *key)
{
	return (int64_t)json_integer_value(json_object_get(row, key));
}

static void print_row(const json_t *row)
{
	int64_t refused = number(row, "off") + number(row, "denied") + number(row, "wrong");
	int64_t failed = number(row, "failed") + number(row, "lost") + number(row, "late");

	printf("%-32s %8" PRId64 " %8" PRId64 " %8" PRId64 " %8" PRId64 " %9.1f %9.1f %9.1f\n",
	       json_string_value(json_object_get(row, "command")), number(row, "uses"), number(row, "answered"),
	       refused, failed, (double)number(row, "p50_us") / 1000.0, (double)number(row, "p99_us") / 1000.0,
	       (double)number(row, "max_us") / 1000.0);
}

int ctl_commands(int argc, char **argv, const struct ctl_options *options)
{
	json_t *answer = NULL, *list, *row;
	size_t i;
	int r;

	(void)argv;
	if (argc > 1)
		return ctl_usage("commands", "takes nothing");
	r = ctl_ask(options, json_pack("{s:s}", "verb", "commands"), ASK_TIMEOUT_MS, NULL, NULL, &answer);
	if (r != CTL_OK)
		return r;
	list = json_object_get(answer, "commands");
	if (options->json) {
		ctl_print_json(answer);
	} else if (json_array_size(list) == 0) {
		puts("no command was used yet");
	} else {
		printf("%-32s %8s %8s %8s %8s %9s %9s %9s\n", "COMMAND", "USES", "ANSWERED", "REFUSED", "FAILED",
		       "P50 MS <=", "P99 MS <=", "MAX MS");
		json_array_foreach(list, i, row) print_row(row);
	}
	json_decref(answer);
	return CTL_OK;
}
