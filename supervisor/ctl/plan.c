/* shoalctl plan restart | upgrade [--binary PATH] | reshard N | module load NAME: what it would cost, before anything
 * is done. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/ctl/ctl.h"

#define ASK_TIMEOUT_MS 60000

static void print_plan(const json_t *plan)
{
	const json_t *why;
	size_t i;

	printf("%s: %" PRId64 " session starts (%" PRId64 " to spare), about %.0f s, %s more memory%s\n",
	       ctl_clean(ctl_text(plan, "what")), ctl_int(plan, "identifies"), ctl_int(plan, "identifies_available"),
	       ctl_real(plan, "seconds"), ctl_kib(ctl_int(plan, "memory_kib")),
	       json_is_true(json_object_get(plan, "affordable")) ? "" : "  NOT AFFORDABLE NOW");
	json_array_foreach(json_object_get(plan, "why"), i, why) printf("  - %s\n", ctl_clean(json_string_value(why)));
}

int ctl_plan(int argc, char **argv, const struct ctl_options *options)
{
	static const char usage[] = "plan restart | upgrade [--binary PATH] | reshard N | module load NAME";
	const char *what = argc > 1 ? argv[1] : "";
	json_t *request, *answer = NULL;
	char *end = NULL;
	unsigned long count;
	int r;

	if (strcmp(what, "restart") == 0 && argc == 2) {
		request = json_pack("{s:s, s:s}", "verb", "plan", "what", what);
	} else if (strcmp(what, "upgrade") == 0 && (argc == 2 || (argc == 4 && strcmp(argv[2], "--binary") == 0))) {
		request =
			json_pack("{s:s, s:s, s:s}", "verb", "plan", "what", what, "binary", argc == 4 ? argv[3] : "");
	} else if (strcmp(what, "reshard") == 0 && argc == 3) {
		errno = 0;
		count = strtoul(argv[2], &end, 10);
		if (errno != 0 || *end != '\0' || argv[2][0] == '-' || count < 1 || count > UINT16_MAX)
			return ctl_usage("plan", "reshard wants a number of shards");
		request = json_pack("{s:s, s:s, s:I}", "verb", "plan", "what", what, "count", (json_int_t)count);
	} else if (strcmp(what, "module") == 0 && argc == 4 && strcmp(argv[2], "load") == 0) {
		request = json_pack("{s:s, s:s, s:s}", "verb", "module", "op", "plan", "name", argv[3]);
	} else {
		return ctl_usage("plan", usage);
	}
	r = ctl_ask(options, request, ASK_TIMEOUT_MS, NULL, NULL, &answer);
	if (r != CTL_OK)
		return r;
	if (options->json)
		ctl_print_json(answer);
	else
		print_plan(answer);
	json_decref(answer);
	return CTL_OK;
}
