/* What shoalctl's verbs share: asking, failing in words, printing. Must not leave a person without knowing what to do.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "supervisor/ctl/ctl.h"

#define STATE_DIR_TIMEOUT_MS 5000

#define RING      16
#define RING_TEXT 256

static char *next_text(void)
{
	static char ring[RING][RING_TEXT];
	static unsigned at;

	return ring[at++ % RING];
}

const char *ctl_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t ctl_int(const json_t *object, const char *key)
{
	return (int64_t)json_integer_value(json_object_get(object, key));
}

double ctl_real(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

const char *ctl_count(int64_t number)
{
	char digits[32], *text = next_text(), *to = text;
	int len = snprintf(digits, sizeof(digits), "%" PRId64, number);

	for (int i = 0; i < len; i++) {
		*to++ = digits[i];
		if (digits[i] != '-' && i + 1 < len && (len - i - 1) % 3 == 0)
			*to++ = ',';
	}
	*to = '\0';
	return text;
}

const char *ctl_kib(int64_t kib)
{
	double kb = (double)kib * 1.024;
	char *text = next_text();

	if (kb < 1000)
		snprintf(text, RING_TEXT, "%.0f kB", kb);
	else if (kb < 1000 * 1000)
		snprintf(text, RING_TEXT, "%.1f MB", kb / 1000);
	else
		snprintf(text, RING_TEXT, "%.2f GB", kb / 1000 / 1000);
	return text;
}

const char *ctl_latency(double ms)
{
	char *text = next_text();

	if (ms > 0)
		snprintf(text, RING_TEXT, "%.1fms", ms);
	else
		snprintf(text, RING_TEXT, "-");
	return text;
}

const char *ctl_duration(int64_t seconds)
{
	char *text = next_text();

	if (seconds < 60)
		snprintf(text, RING_TEXT, "%" PRId64 "s", seconds);
	else if (seconds < 3600)
		snprintf(text, RING_TEXT, "%" PRId64 "m %" PRId64 "s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		snprintf(text, RING_TEXT, "%" PRId64 "h %" PRId64 "m", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(text, RING_TEXT, "%" PRId64 "d %" PRId64 "h", seconds / 86400, seconds / 3600 % 24);
	return text;
}

const char *ctl_clean(const char *text)
{
	char *clean = next_text();
	size_t i = 0;

	for (; text[i] && i + 1 < RING_TEXT; i++)
		clean[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	clean[i] = '\0';
	return clean;
}

static const struct {
	const char *state;
	const char *colour;
} state_colours[] = {
	{ "ready", "\033[32m" },   { "loading", "\033[36m" },  { "failed", "\033[31m" },  { "backoff", "\033[31m" },
	{ "stopped", "\033[90m" }, { "stopping", "\033[90m" }, { "unknown", "\033[35m" },
};

const char *ctl_state_colour(const char *state, bool colour)
{
	for (size_t i = 0; colour && i < ARRAY_SIZE(state_colours); i++)
		if (strcmp(state_colours[i].state, state) == 0)
			return state_colours[i].colour;
	return colour ? "\033[33m" : "";
}

void ctl_print_json(const json_t *json)
{
	json_t *copy = json_copy((json_t *)json);

	if (json_is_object(copy)) {
		json_object_del(copy, "id");
		json_object_del(copy, "ok");
	}
	json_dumpf(copy, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(copy);
}

int ctl_fail(const struct ctl_options *options, int exit, const char *code, const char *message)
{
	if (options->json) {
		json_t *error = json_pack("{s:s, s:s}", "error", code, "message", message);

		ctl_print_json(error);
		json_decref(error);
	}
	/* People watch stderr also when a program reads stdout. */
	fprintf(stderr, "shoalctl: %s\n", message);
	return exit;
}

int ctl_usage(const char *verb, const char *what)
{
	fprintf(stderr, "shoalctl: %s: %s\nSee shoalctl --help.\n", verb, what);
	return CTL_USAGE;
}

static int cannot_reach(const struct ctl_options *options, int error, uint64_t timeout_ms)
{
	char path[PATH_MAX], text[PATH_MAX + 256];

	if (control_socket_path(options->runtime_dir, path, sizeof(path)) < 0)
		snprintf(path, sizeof(path), "%s/%s", options->runtime_dir, CONTROL_SOCKET_NAME);
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		snprintf(text, sizeof(text),
			 "no supervisor answers at %s: start one (systemctl start shoald, or make run), or name its "
			 "directory with --runtime-dir DIR",
			 path);
		break;
	case -EACCES:
	case -EPERM:
		snprintf(text, sizeof(text), "%s may not be opened: run shoalctl as the user of shoald, or as root",
			 path);
		break;
	case -ETIMEDOUT:
		snprintf(text, sizeof(text), "the supervisor at %s did not answer within %" PRIu64 " s", path,
			 timeout_ms / 1000);
		break;
	default:
		snprintf(text, sizeof(text), "asking the supervisor at %s failed: %s", path, error_text(error));
		break;
	}
	return ctl_fail(options, CTL_UNREACHABLE, error_name(error), text);
}

int ctl_judge(const struct ctl_options *options, int error, json_t *answer, uint64_t waited_ms)
{
	int r;

	if (!answer)
		return cannot_reach(options, error < 0 ? error : -EPROTO, waited_ms);
	if (json_is_true(json_object_get(answer, "ok")))
		return CTL_OK;
	/* What was done before it failed is in the answer too. */
	if (options->json) {
		ctl_print_json(answer);
		fprintf(stderr, "shoalctl: %s\n", ctl_clean(ctl_text(answer, "message")));
		r = CTL_FAILED;
	} else {
		r = ctl_fail(options, CTL_FAILED, ctl_text(answer, "error"), ctl_clean(ctl_text(answer, "message")));
	}
	json_decref(answer);
	return r;
}

/* A supervisor that re-executes itself is away for a moment: whoever only looks, looks again. */
#define AWAY_TRIES 20
#define AWAY_MS    50

static bool only_looks(const json_t *request)
{
	const char *verb = ctl_text(request, "verb");

	return strcmp(verb, "status") == 0 || strcmp(verb, "shards") == 0 || strcmp(verb, "metrics") == 0;
}

int ctl_complete(const struct ctl_options *options, uint64_t timeout_ms, json_t *answer)
{
	json_t *shards = json_object_get(answer, "shards"), *part = NULL;
	int64_t next;
	int r;

	while ((next = ctl_int(answer, "next")) > 0 && json_is_array(shards)) {
		r = control_call(options->runtime_dir,
				 json_pack("{s:s, s:I}", "verb", "shards", "first", (json_int_t)next), timeout_ms, NULL,
				 NULL, &part);
		if (r < 0)
			return r;
		r = json_is_true(json_object_get(part, "ok")) && ctl_int(part, "next") != next &&
				    json_array_extend(shards, json_object_get(part, "shards")) == 0
			    ? 0
			    : -EPROTO;
		json_object_set_new(answer, "next", json_integer(ctl_int(part, "next")));
		json_decref(part);
		if (r < 0)
			return r;
	}
	json_object_del(answer, "next");
	return 0;
}

int ctl_ask(const struct ctl_options *options, json_t *request, uint64_t timeout_ms, control_progress_fn progress,
	    void *arg, json_t **ret_answer)
{
	uint64_t wait_ms = options->timeout_given ? options->timeout_ms : timeout_ms;
	int r, tries = only_looks(request) ? AWAY_TRIES : 1;
	json_t *answer = NULL;

	do {
		r = control_call(options->runtime_dir, json_incref(request), wait_ms, progress, arg, &answer);
		if (r >= 0 && only_looks(request) && json_is_array(json_object_get(answer, "shards"))) {
			r = ctl_complete(options, wait_ms, answer);
			if (r < 0) {
				json_decref(answer);
				answer = NULL;
			}
		}
	} while (r == -ECONNRESET && --tries > 0 && usleep(AWAY_MS * 1000) == 0);
	json_decref(request);
	r = ctl_judge(options, r, answer, wait_ms);
	if (r == CTL_OK)
		*ret_answer = answer;
	return r;
}

/* <folder of this program>/run, the link that `make run` leaves for us. */
static bool find_run_link(char *path, size_t size)
{
	char self[PATH_MAX], socket[PATH_MAX + 32], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash || (size_t)(slash - self) + 5 > size)
		return false;
	*slash = '\0';
	if (snprintf(socket, sizeof(socket), "%s/run/" CONTROL_SOCKET_NAME, self) >= (int)sizeof(socket))
		return false;
	if (access(socket, F_OK) < 0)
		return false;
	/* The link's target: a socket path may have 107 bytes only. */
	snprintf(socket, sizeof(socket), "%s/run", self);
	n = readlink(socket, path, size - 1);
	if (n <= 0)
		snprintf(path, size, "%s", socket);
	else
		path[n] = '\0';
	return true;
}

void ctl_find_runtime_dir(const char *given, const struct config *config, char *path, size_t size)
{
	static const char fallback[] = "/run/shoal";

	if (given) {
		snprintf(path, size, "%s", given);
		return;
	}
	snprintf(path, size, "%s", config ? config->supervisor_runtime_dir : fallback);
	if (strcmp(path, fallback) == 0 && !getenv("SHOAL_SUPERVISOR_RUNTIME_DIR"))
		find_run_link(path, size);
}

void ctl_find_state_dir(const struct ctl_options *options, char *path, size_t size)
{
	json_t *answer = NULL;
	const char *dir;

	if (control_call(options->runtime_dir, json_pack("{s:s}", "verb", "status"), STATE_DIR_TIMEOUT_MS, NULL, NULL,
			 &answer) < 0)
		answer = NULL;
	dir = ctl_text(answer, "state_dir");
	if (!dir[0] && options->config)
		dir = options->config->supervisor_state_dir;
	snprintf(path, size, "%s", dir[0] ? dir : "/var/lib/shoal");
	json_decref(answer);
}
