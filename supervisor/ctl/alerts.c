/* shoalctl alerts: what went wrong since the supervisor started, or since somebody said that it was seen. */
#include <stdio.h>
#include <string.h>

#include "supervisor/ctl/ctl.h"

#define ASK_TIMEOUT_MS 10000

int ctl_alerts(int argc, char **argv, const struct ctl_options *options)
{
	bool clear = argc == 2 && strcmp(argv[1], "clear") == 0;
	json_t *answer = NULL;
	int r;

	if (argc > 1 && !clear)
		return ctl_usage("alerts", "takes clear or nothing");
	r = ctl_ask(options, json_pack("{s:s, s:b}", "verb", "alerts", "clear", clear), ASK_TIMEOUT_MS, NULL, NULL,
		    &answer);
	if (r != CTL_OK)
		return r;
	if (options->json)
		ctl_print_json(answer);
	else if (json_array_size(json_object_get(answer, "alerts")) == 0)
		puts("no alerts");
	else
		ctl_print_alerts(json_object_get(answer, "alerts"), clear ? "cleared" : "alerts", 0);
	json_decref(answer);
	return CTL_OK;
}
