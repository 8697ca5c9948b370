/* shoalctl reload: the supervisor re-executes itself in place. The answer is the new image's: it is looked for. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/base/clock.h"
#include "supervisor/ctl/ctl.h"

#define ASK_TIMEOUT_MS 60000

int ctl_await_serial(const struct ctl_options *options, int64_t serial, uint64_t timeout_ms, json_t **ret_status)
{
	uint64_t deadline_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };

	for (;;) {
		json_t *answer = NULL;
		int r = control_call(options->runtime_dir, json_pack("{s:s}", "verb", "status"), 2000, NULL, NULL,
				     &answer);

		if (r >= 0 && ctl_int(answer, "serial") >= serial) {
			*ret_status = answer;
			return CTL_OK;
		}
		json_decref(answer);
		if (clock_monotonic_ns() >= deadline_ns)
			return ctl_fail(options, CTL_FAILED, "ETIMEDOUT",
					"the supervisor accepted, but its new image does not answer: see its log");
		nanosleep(&pause, NULL);
	}
}

static void note_serial(void *arg, const json_t *progress)
{
	*(int64_t *)arg = ctl_int(progress, "serial");
}

int ctl_do_reload(const struct ctl_options *options, const char *binary, json_t **ret_status)
{
	json_t *request = json_pack("{s:s}", "verb", "reload"), *answer = NULL;
	int64_t serial = 0;
	int r;

	if (binary)
		json_object_set_new(request, "binary", json_string(binary));
	r = control_call(options->runtime_dir, request, options->timeout_given ? options->timeout_ms : ASK_TIMEOUT_MS,
			 note_serial, &serial, &answer);
	/* The connection ends with the image that had it. */
	if (r < 0 && serial > 0)
		return ctl_await_serial(options, serial, ASK_TIMEOUT_MS, ret_status);
	r = ctl_judge(options, r, answer, ASK_TIMEOUT_MS);
	if (r == CTL_OK)
		*ret_status = answer;
	return r;
}

int ctl_reload(int argc, char **argv, const struct ctl_options *options)
{
	const char *binary = NULL;
	json_t *answer = NULL;
	int r;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--binary") != 0 || i + 1 == argc)
			return ctl_usage("reload", "takes --binary PATH or nothing");
		binary = argv[++i];
	}
	r = ctl_do_reload(options, binary, &answer);
	if (r != CTL_OK)
		return r;
	if (options->json)
		ctl_print_json(answer);
	else
		printf("reloaded: shoald %s (build %s), pid %" PRId64 "; running workers take what concerns them at "
		       "their next restart (shoalctl restart --rolling)\n",
		       ctl_clean(ctl_text(answer, "version")), ctl_clean(ctl_text(answer, "build_id")),
		       ctl_int(answer, "pid"));
	json_decref(answer);
	return CTL_OK;
}
