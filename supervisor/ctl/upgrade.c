/* shoalctl upgrade: the supervisor executes the new program in place, then its workers are restarted one by one by
 * RESUME. With --canary the first N shards go first and are watched for S seconds beside the others; when they do
 * worse, all is turned back. The order is the operator's and driven from here: ended in between, it leaves a fleet of
 * two builds, which is sound, and another upgrade finishes it. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/base/clock.h"
#include "supervisor/ctl/ctl.h"

#define SHARD_TIMEOUT_MS   130000
#define ASK_TIMEOUT_MS     10000
#define RUNNING_TIMEOUT_MS 120000
#define SOAK_MAX_S         86400
/* Worse than this beside the others is worse, not noise. */
#define LATENCY_FACTOR   3
#define LATENCY_FLOOR_MS 50

struct upgrade {
	const struct ctl_options *options;
	const char *binary;
	char before[PATH_MAX]; /* the shoald that ran, to turn back to */
	uint32_t canary, soak_s, shard_count;
	json_t *first; /* status when the soak began */
	int64_t identifies;
	char worse[256];
};

static void say(const struct upgrade *upgrade, const char *text)
{
	if (!upgrade->options->json) {
		printf("%s\n", text);
		fflush(stdout);
	}
}

static void progress(void *arg, const json_t *step)
{
	const struct upgrade *upgrade = arg;

	if (!upgrade->options->json && strcmp(ctl_text(step, "stage"), "ready") == 0) {
		printf("shard %" PRId64 " ready after %.2f s\n", ctl_int(step, "shard"),
		       (double)ctl_int(step, "took_ms") / 1000);
		fflush(stdout);
	}
}

/* A new image asks Discord before its fleet runs, as any start does; workers serve on meanwhile. */
static int await_running(const struct upgrade *upgrade)
{
	uint64_t deadline_ns = clock_monotonic_ns() + RUNNING_TIMEOUT_MS * NS_PER_MS;
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };

	for (;;) {
		json_t *status = NULL;
		bool running;
		int r = ctl_ask(upgrade->options, json_pack("{s:s}", "verb", "status"), ASK_TIMEOUT_MS, NULL, NULL,
				&status);

		if (r != CTL_OK)
			return r;
		running = strcmp(ctl_text(status, "phase"), "running") == 0;
		json_decref(status);
		if (running)
			return CTL_OK;
		if (clock_monotonic_ns() >= deadline_ns)
			return ctl_fail(
				upgrade->options, CTL_FAILED, "ETIMEDOUT",
				"the supervisor is the new one, but Discord does not answer it, so no shard was "
				"restarted; upgrade again later");
		nanosleep(&pause, NULL);
	}
}

/* A shard that does not come back is told to the person; with @worse (the canaries') it is kept for the judgement. */
static int roll(struct upgrade *upgrade, uint32_t from, uint32_t to, char *worse, size_t worse_size)
{
	uint64_t wait_ms = upgrade->options->timeout_given ? upgrade->options->timeout_ms
							   : (uint64_t)(to - from) * SHARD_TIMEOUT_MS;
	json_t *shards = json_array(), *answer = NULL;
	int r;

	for (uint32_t i = from; i < to; i++)
		json_array_append_new(shards, json_integer(i));
	if (from >= to) {
		json_decref(shards);
		return CTL_OK;
	}
	r = control_call(upgrade->options->runtime_dir,
			 json_pack("{s:s, s:b, s:o}", "verb", "restart", "rolling", 1, "shards", shards), wait_ms,
			 progress, upgrade, &answer);
	upgrade->identifies += ctl_int(answer, "identifies");
	if (r >= 0 && worse && answer && !json_is_true(json_object_get(answer, "ok"))) {
		snprintf(worse, worse_size, "a canary did not come back: %s", ctl_clean(ctl_text(answer, "message")));
		json_decref(answer);
		return CTL_OK;
	}
	r = ctl_judge(upgrade->options, r, answer, wait_ms); /* frees what is no success */
	if (r == CTL_OK)
		json_decref(answer);
	return r;
}

/* What went wrong on the shards [@from, @to) since the soak began. */
struct conduct {
	double faults_per_shard; /* deaths, loss windows and commands that failed */
	double latency_ms;
};

static struct conduct conduct_of(const struct upgrade *upgrade, const json_t *now, uint32_t from, uint32_t to)
{
	static const char *const keys[] = { "restarts", "loss_windows", "commands_failed" };
	struct conduct conduct = { 0 };

	for (uint32_t i = from; i < to; i++) {
		const json_t *then = json_array_get(json_object_get(upgrade->first, "shards"), i);
		const json_t *shard = json_array_get(json_object_get(now, "shards"), i);

		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			if (ctl_int(shard, keys[k]) > ctl_int(then, keys[k]))
				conduct.faults_per_shard += (double)(ctl_int(shard, keys[k]) - ctl_int(then, keys[k]));
		conduct.latency_ms += ctl_real(shard, "latency_ms");
	}
	if (to > from) {
		conduct.faults_per_shard /= to - from;
		conduct.latency_ms /= to - from;
	}
	return conduct;
}

/* True: the canaries do worse than the rest. */
static bool is_worse(struct upgrade *upgrade, const json_t *now)
{
	struct conduct canary = conduct_of(upgrade, now, 0, upgrade->canary);
	struct conduct others = conduct_of(upgrade, now, upgrade->canary, upgrade->shard_count);

	if (canary.faults_per_shard > others.faults_per_shard) {
		snprintf(upgrade->worse, sizeof(upgrade->worse),
			 "the canaries had %.2f deaths, losses and failed commands a shard, the others %.2f",
			 canary.faults_per_shard, others.faults_per_shard);
		return true;
	}
	if (upgrade->shard_count > upgrade->canary && canary.latency_ms > LATENCY_FLOOR_MS &&
	    canary.latency_ms > LATENCY_FACTOR * others.latency_ms) {
		snprintf(upgrade->worse, sizeof(upgrade->worse),
			 "the canaries' latency is %.0f ms, the others' %.0f ms", canary.latency_ms, others.latency_ms);
		return true;
	}
	return false;
}

/* CTL_OK with upgrade->worse set or not. */
static int soak(struct upgrade *upgrade)
{
	uint64_t deadline_ns = clock_monotonic_ns() + upgrade->soak_s * NS_PER_S;
	const struct timespec pause = { .tv_nsec = 200 * 1000 * 1000 };
	int r = CTL_OK;

	r = ctl_ask(upgrade->options, json_pack("{s:s}", "verb", "status"), ASK_TIMEOUT_MS, NULL, NULL,
		    &upgrade->first);
	while (r == CTL_OK && clock_monotonic_ns() < deadline_ns && !upgrade->worse[0]) {
		json_t *now = NULL;

		nanosleep(&pause, NULL);
		r = ctl_ask(upgrade->options, json_pack("{s:s}", "verb", "status"), ASK_TIMEOUT_MS, NULL, NULL, &now);
		if (r == CTL_OK)
			is_worse(upgrade, now);
		json_decref(now);
	}
	return r;
}

static int turn_back(struct upgrade *upgrade)
{
	json_t *status = NULL;
	char text[512];
	int r;

	say(upgrade, "the canaries do worse: turning back");
	r = ctl_do_reload(upgrade->options, upgrade->before, &status);
	json_decref(status);
	if (r == CTL_OK)
		r = await_running(upgrade);
	if (r == CTL_OK)
		r = roll(upgrade, 0, upgrade->canary, NULL, 0);
	if (r != CTL_OK)
		return r;
	snprintf(text, sizeof(text), "turned back: %s", upgrade->worse);
	return ctl_fail(upgrade->options, CTL_FAILED, "EWORSE", text);
}

static int run(struct upgrade *upgrade)
{
	json_t *status = NULL;
	char text[192];
	int r;

	r = ctl_ask(upgrade->options, json_pack("{s:s}", "verb", "status"), ASK_TIMEOUT_MS, NULL, NULL, &status);
	if (r != CTL_OK)
		return r;
	snprintf(upgrade->before, sizeof(upgrade->before), "%s", ctl_text(status, "binary"));
	upgrade->shard_count = (uint32_t)ctl_int(status, "shard_count");
	json_decref(status);
	status = NULL;
	if (upgrade->canary >= upgrade->shard_count && upgrade->canary > 0) {
		snprintf(text, sizeof(text),
			 "--canary %" PRIu32 ": the fleet has %" PRIu32 " shards, and some must stay "
			 "as they are to compare with",
			 upgrade->canary, upgrade->shard_count);
		return ctl_usage("upgrade", text);
	}
	r = ctl_do_reload(upgrade->options, upgrade->binary, &status);
	json_decref(status);
	if (r == CTL_OK)
		r = await_running(upgrade);
	if (r != CTL_OK)
		return r;
	say(upgrade, "the supervisor is the new one");
	r = roll(upgrade, 0, upgrade->canary, upgrade->worse, sizeof(upgrade->worse));
	if (r == CTL_OK && upgrade->canary > 0 && !upgrade->worse[0]) {
		snprintf(text, sizeof(text),
			 "canary: %" PRIu32 " of %" PRIu32 " shards run it; watched for %" PRIu32
			 " s beside the others",
			 upgrade->canary, upgrade->shard_count, upgrade->soak_s);
		say(upgrade, text);
		r = soak(upgrade);
		if (r == CTL_OK && !upgrade->worse[0])
			say(upgrade, "canary: as good as the others; going on");
	}
	if (r != CTL_OK)
		return r;
	return upgrade->worse[0] ? turn_back(upgrade) : roll(upgrade, upgrade->canary, upgrade->shard_count, NULL, 0);
}

static bool parse_count(const char *text, uint32_t max, uint32_t *ret_count)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < 1 || value > max)
		return false;
	*ret_count = (uint32_t)value;
	return true;
}

static int parse(struct upgrade *upgrade, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool good = i + 1 < argc;

		if (good && strcmp(argv[i], "--binary") == 0)
			upgrade->binary = argv[++i];
		else if (good && strcmp(argv[i], "--canary") == 0)
			good = parse_count(argv[++i], UINT16_MAX, &upgrade->canary);
		else if (good && strcmp(argv[i], "--soak") == 0)
			good = parse_count(argv[++i], SOAK_MAX_S, &upgrade->soak_s);
		else
			good = false;
		if (!good)
			return ctl_usage("upgrade", "takes --binary PATH, --canary N (shards) and --soak S (seconds)");
	}
	if ((upgrade->canary > 0) != (upgrade->soak_s > 0))
		return ctl_usage("upgrade", "--canary and --soak go together");
	return CTL_OK;
}

static int report(const struct upgrade *upgrade)
{
	json_t *status = NULL;
	int r = ctl_ask(upgrade->options, json_pack("{s:s}", "verb", "status"), ASK_TIMEOUT_MS, NULL, NULL, &status);

	if (r != CTL_OK)
		return r;
	json_object_set_new(status, "identifies_spent", json_integer(upgrade->identifies));
	if (upgrade->options->json)
		ctl_print_json(status);
	else
		printf("upgraded to build %s: %" PRIu32 " shards, %" PRId64 " session starts spent\n",
		       ctl_clean(ctl_text(status, "build_id")), upgrade->shard_count, upgrade->identifies);
	json_decref(status);
	return CTL_OK;
}

int ctl_upgrade(int argc, char **argv, const struct ctl_options *options)
{
	struct upgrade upgrade = { .options = options };
	int r;

	r = parse(&upgrade, argc, argv);
	if (r == CTL_OK)
		r = run(&upgrade);
	if (r == CTL_OK)
		r = report(&upgrade);
	json_decref(upgrade.first);
	return r;
}
