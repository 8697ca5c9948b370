/* shoalctl stop: the fleet ends in order; answered when its last worker is gone. */
#include <stdio.h>
#include <string.h>

#include "supervisor/ctl/ctl.h"

#define STOP_TIMEOUT_MS 120000

int ctl_stop(int argc, char **argv, const struct ctl_options *options)
{
	json_t *answer = NULL;
	bool logout = false;
	int r;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--logout") != 0)
			return ctl_usage("stop", "takes --logout or nothing");
		logout = true;
	}
	r = ctl_ask(options, json_pack("{s:s, s:b}", "verb", "stop", "logout", logout), STOP_TIMEOUT_MS, NULL, NULL,
		    &answer);
	if (r != CTL_OK)
		return r;
	if (options->json)
		ctl_print_json(answer);
	else
		puts(logout ? "stopped; the bot is offline" : "stopped; the sessions stay resumable for a while");
	json_decref(answer);
	return CTL_OK;
}
