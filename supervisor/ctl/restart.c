/* shoalctl restart N… | --all | --rolling [N…]: shards are restarted by RESUME, one after the other, and waited for. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/ctl/ctl.h"

/* The supervisor gives up on a shard after two minutes; so the last word comes from there, not from our clock. */
#define SHARD_TIMEOUT_MS 130000

void ctl_restart_progress(void *arg, const json_t *step)
{
	const struct ctl_options *options = arg;

	if (options->json)
		return;
	if (json_object_get(step, "note")) {
		printf("note: %s\n", ctl_clean(ctl_text(step, "note")));
		return;
	}
	printf("shard %-5" PRId64 " %-11s %6.2f s   (%" PRId64 " of %" PRId64 ")\n", ctl_int(step, "shard"),
	       ctl_clean(ctl_text(step, "stage")), (double)ctl_int(step, "took_ms") / 1000, ctl_int(step, "at"),
	       ctl_int(step, "of"));
	fflush(stdout);
}

static bool parse_shard(const char *text, json_int_t *ret_shard)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > UINT32_MAX)
		return false;
	*ret_shard = (json_int_t)value;
	return true;
}

int ctl_restart(int argc, char **argv, const struct ctl_options *options)
{
	json_t *request = json_pack("{s:s}", "verb", "restart"), *shards = json_array(), *answer = NULL;
	uint64_t count = 1;
	bool all = false, rolling = false;
	int r;

	for (int i = 1; i < argc; i++) {
		json_int_t shard;

		if (strcmp(argv[i], "--all") == 0) {
			all = true;
			continue;
		}
		if (strcmp(argv[i], "--rolling") == 0) {
			rolling = true;
			continue;
		}
		if (!parse_shard(argv[i], &shard)) {
			json_decref(request);
			json_decref(shards);
			return ctl_usage("restart", "give the numbers of shards, --all, or --rolling");
		}
		json_array_append_new(shards, json_integer(shard));
	}
	if (all && json_array_size(shards) > 0) {
		json_decref(request);
		json_decref(shards);
		return ctl_usage("restart", "--all, or the numbers of some: not both");
	}
	if (rolling && json_array_size(shards) == 0)
		all = true;
	if (!all && json_array_size(shards) == 0) {
		json_decref(request);
		json_decref(shards);
		return ctl_usage("restart", "which shards? give their numbers, --all, or --rolling");
	}
	count = all ? 1024 : json_array_size(shards);
	if (all)
		json_object_set_new(request, "all", json_true());
	json_object_set_new(request, "rolling", json_boolean(rolling));
	json_object_set_new(request, "shards", shards);
	r = ctl_ask(options, request, count * SHARD_TIMEOUT_MS, ctl_restart_progress, (void *)options, &answer);
	if (r != CTL_OK)
		return r;
	ctl_restart_end(answer, options);
	json_decref(answer);
	return CTL_OK;
}

void ctl_restart_end(const json_t *answer, const struct ctl_options *options)
{
	if (options->json)
		ctl_print_json(answer);
	else
		printf("%zu restarted in %.2f s, %" PRId64 " session starts spent\n",
		       json_array_size(json_object_get(answer, "restarted")), (double)ctl_int(answer, "took_ms") / 1000,
		       ctl_int(answer, "identifies"));
}
