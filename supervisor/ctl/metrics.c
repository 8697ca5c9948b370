/* shoalctl metrics: Prometheus text, read in slices; --json gives {"text": …}. */
#include <stdio.h>
#include <string.h>

#include "shared/base/buf.h"
#include "supervisor/ctl/ctl.h"

#define ASK_TIMEOUT_MS 10000
#define TEXT_MAX       (64 * 1024 * 1024)
#define SLICES_MAX     1024

static int read_all(const struct ctl_options *options, struct buf *text)
{
	json_int_t offset = 0, serial = 0;
	bool more = true;

	for (int slice = 0; more && slice < SLICES_MAX; slice++) {
		json_t *answer = NULL;
		int r = ctl_ask(options,
				json_pack("{s:s, s:I, s:I}", "verb", "metrics", "offset", offset, "serial", serial),
				ASK_TIMEOUT_MS, NULL, NULL, &answer);

		if (r != CTL_OK)
			return r;
		more = json_is_true(json_object_get(answer, "more"));
		offset = ctl_int(answer, "next");
		serial = ctl_int(answer, "serial");
		r = buf_append_str(text, ctl_text(answer, "text"));
		json_decref(answer);
		if (r < 0)
			return ctl_fail(options, CTL_FAILED, "ENOBUFS", "the metrics are too large");
	}
	return CTL_OK;
}

int ctl_metrics(int argc, char **argv, const struct ctl_options *options)
{
	CLEANUP(buf_finish) struct buf text = { 0 };
	int r;

	if (argc > 1)
		return ctl_usage(argv[0], "takes no arguments");
	buf_init(&text, TEXT_MAX);
	r = read_all(options, &text);
	if (r != CTL_OK)
		return r;
	if (options->json) {
		json_t *json = json_pack("{s:s}", "text", buf_cstr(&text));

		ctl_print_json(json);
		json_decref(json);
	} else
		fwrite(text.data, 1, text.len, stdout);
	return CTL_OK;
}
