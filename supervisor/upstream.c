/* The supervisor's questions to Discord. Run on its loop. An API that can't be reached is waited for, with one clear
 * line each time the cause changes; it must never end the process, since workers that run need no API. */
#include "supervisor/upstream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/discord/url.h"
#include "supervisor/plan.h"

/* The REST client repeats within a call's deadline. The first is short, so that an operator soon reads what is wrong;
 * the later ones give a slow API its time. */
#define FIRST_DEADLINE_MS 2500
#define LATER_DEADLINE_MS 15000

enum question { ASK_GATEWAY, ASK_APPLICATION, ASK_SELF, QUESTION_COUNT };

static const struct question_row {
	enum route route;
	const char *path;
	int (*read)(const json_t *body, struct upstream_info *ret_info);
} questions[QUESTION_COUNT] = {
	[ASK_GATEWAY] = { ROUTE_GET_GATEWAY_BOT, "/gateway/bot", upstream_read_gateway },
	[ASK_APPLICATION] = { ROUTE_GET_APPLICATION, "/applications/@me", upstream_read_application },
	[ASK_SELF] = { ROUTE_GET_SELF, "/users/@me", upstream_read_self },
};

struct asked {
	struct upstream *upstream;
	enum question question;
	uint64_t handle; /* 0: not being asked */
	uint64_t asked_ns;
	bool answered; /* at least once */
};

struct upstream {
	struct loop *loop;
	struct rest *rest;
	struct upstream_events events;
	void *arg;
	struct upstream_info info;
	struct asked asked[QUESTION_COUNT];
	struct timer timer; /* next attempt, or next refresh */
	uint32_t failures;  /* in a row */
	bool complete;
	bool refused;
	bool closing;
};

static int read_u64(const json_t *object, const char *key, uint64_t *ret_value)
{
	const json_t *value = json_object_get(object, key);
	unsigned long long number;
	const char *text;
	char *end;

	if (json_is_integer(value)) {
		if (json_integer_value(value) < 0)
			return -EBADMSG;
		*ret_value = (uint64_t)json_integer_value(value);
		return 0;
	}
	text = json_string_value(value);
	if (!text || *text < '0' || *text > '9')
		return -EBADMSG;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return -EBADMSG;
	*ret_value = number;
	return 0;
}

static uint32_t u32_of(uint64_t value)
{
	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

int upstream_read_gateway(const json_t *body, struct upstream_info *ret_info)
{
	const json_t *limit = json_object_get(body, "session_start_limit");
	const char *url = json_string_value(json_object_get(body, "url"));
	uint64_t shards, total, remaining, reset_after_ms, max_concurrency;
	struct url parts;

	/* Every shard would dial it: what can't be dialled is no answer, whoever sent it. */
	if (!url || strlen(url) >= sizeof(ret_info->gateway_url) || url_parse(url, &parts) < 0)
		return -EBADMSG;
	if (read_u64(body, "shards", &shards) < 0 || read_u64(limit, "total", &total) < 0 ||
	    read_u64(limit, "remaining", &remaining) < 0 || read_u64(limit, "reset_after", &reset_after_ms) < 0 ||
	    read_u64(limit, "max_concurrency", &max_concurrency) < 0)
		return -EBADMSG;
	if (shards == 0 || shards > PLAN_SHARDS_MAX || max_concurrency == 0)
		return -EBADMSG;
	snprintf(ret_info->gateway_url, sizeof(ret_info->gateway_url), "%s", url);
	ret_info->recommended = u32_of(shards);
	ret_info->limits = (struct ledger_limits){
		.total = u32_of(total),
		.remaining = u32_of(remaining),
		.max_concurrency = u32_of(max_concurrency),
		.reset_after_ms = reset_after_ms,
	};
	return 0;
}

int upstream_read_application(const json_t *body, struct upstream_info *ret_info)
{
	uint64_t id, flags = 0, guilds = 0;

	if (read_u64(body, "id", &id) < 0 || id == 0)
		return -EBADMSG;
	/* flags_new is a string with all bits; flags has 31 of them. */
	if (read_u64(body, "flags_new", &flags) < 0 && read_u64(body, "flags", &flags) < 0)
		flags = 0;
	if (read_u64(body, "approximate_guild_count", &guilds) < 0)
		guilds = 0;
	ret_info->application_id = id;
	ret_info->application_flags = flags;
	ret_info->guilds = guilds;
	return 0;
}

int upstream_read_self(const json_t *body, struct upstream_info *ret_info)
{
	uint64_t id;

	if (read_u64(body, "id", &id) < 0 || id == 0)
		return -EBADMSG;
	ret_info->user_id = id;
	return 0;
}

static void ask(struct asked *asked);

static bool all_answered(const struct upstream *upstream)
{
	for (unsigned i = 0; i < QUESTION_COUNT; i++)
		if (!upstream->asked[i].answered)
			return false;
	return true;
}

static uint64_t backoff_ms(const struct upstream *upstream)
{
	uint32_t steps = upstream->failures < 16 ? upstream->failures : 16;
	uint64_t ms = (uint64_t)UPSTREAM_BACKOFF_FLOOR_MS << steps;

	if (ms > UPSTREAM_BACKOFF_CAP_MS)
		ms = UPSTREAM_BACKOFF_CAP_MS;
	return ms - random_below(ms / 4);
}

static void failed(struct asked *asked, const char *text)
{
	struct upstream *upstream = asked->upstream;
	char line[REST_TEXT_SIZE + 64];
	uint64_t wait_ms;

	/* The others of the same round fail for the same cause: one wait, one line. */
	if (timer_active(&upstream->timer) && !upstream->complete)
		return;
	wait_ms = backoff_ms(upstream);
	upstream->failures++;
	timer_start(&upstream->timer, wait_ms);
	snprintf(line, sizeof(line), "GET %s: %s", questions[asked->question].path, text);
	upstream->events.waiting(upstream->arg, line, wait_ms);
}

static void succeeded(struct asked *asked)
{
	struct upstream *upstream = asked->upstream;

	asked->answered = true;
	if (asked->question == ASK_GATEWAY)
		upstream->events.gateway(upstream->arg, &upstream->info, asked->asked_ns);
	if (upstream->closing || !all_answered(upstream))
		return;
	upstream->failures = 0;
	timer_start(&upstream->timer, UPSTREAM_REFRESH_MS);
	if (!upstream->complete) {
		upstream->complete = true;
		upstream->events.complete(upstream->arg, &upstream->info);
	}
}

static void answered(void *arg, const struct rest_result *result)
{
	struct asked *asked = arg;
	struct upstream *upstream = asked->upstream;

	asked->handle = 0;
	if (upstream->closing || upstream->refused || result->error == -ECANCELED)
		return;
	if (result->http_status == 401 || result->error == -SHOAL_EREFUSED) {
		upstream->refused = true;
		timer_stop(&upstream->timer);
		upstream->events.refused(upstream->arg, result->message);
		return;
	}
	if (result->error < 0)
		failed(asked, result->message[0] ? result->message : error_text(result->error));
	else if (questions[asked->question].read(result->body, &upstream->info) < 0)
		failed(asked, "the answer is not what Discord's API gives (is discord.api_base right?)");
	else
		succeeded(asked);
}

static void ask(struct asked *asked)
{
	struct upstream *upstream = asked->upstream;
	struct rest_request request = {
		.route = questions[asked->question].route,
		.deadline_ms = upstream->failures == 0 ? FIRST_DEADLINE_MS : LATER_DEADLINE_MS,
		.priority = REST_PRIORITY_HIGH,
		.essential = true,
	};
	int r;

	if (asked->handle != 0 || upstream->refused)
		return;
	asked->asked_ns = clock_boottime_ns();
	r = rest_send(upstream->rest, &request, answered, asked, &asked->handle);
	if (r < 0)
		failed(asked, error_text(r));
}

static void timer_passed(void *arg)
{
	struct upstream *upstream = arg;

	if (upstream->complete) {
		ask(&upstream->asked[ASK_GATEWAY]);
		return;
	}
	for (unsigned i = 0; i < QUESTION_COUNT; i++)
		if (!upstream->asked[i].answered)
			ask(&upstream->asked[i]);
}

int upstream_new(struct loop *loop, struct rest *rest, const struct upstream_events *events, void *arg,
		 struct upstream **ret_upstream)
{
	struct upstream *upstream = calloc(1, sizeof(*upstream));
	int r;

	if (!upstream)
		return -ENOMEM;
	upstream->loop = loop;
	upstream->rest = rest;
	upstream->events = *events;
	upstream->arg = arg;
	for (unsigned i = 0; i < QUESTION_COUNT; i++)
		upstream->asked[i] = (struct asked){ .upstream = upstream, .question = i };
	r = timer_init(&upstream->timer, loop, timer_passed, upstream);
	if (r < 0) {
		free(upstream);
		return r;
	}
	timer_start(&upstream->timer, 0);
	*ret_upstream = upstream;
	return 0;
}

void upstream_refresh(struct upstream *upstream)
{
	struct asked *asked = &upstream->asked[ASK_GATEWAY];
	uint64_t now_ns = clock_boottime_ns();

	if (!upstream->complete || upstream->closing ||
	    now_ns - asked->asked_ns < UPSTREAM_REFRESH_FLOOR_MS * NS_PER_MS)
		return;
	ask(asked);
}

bool upstream_is_complete(const struct upstream *upstream)
{
	return upstream && upstream->complete;
}

const struct upstream_info *upstream_info(const struct upstream *upstream)
{
	return &upstream->info;
}

static void timer_closed(void *arg)
{
	free(arg);
}

void upstream_close(struct upstream *upstream)
{
	if (!upstream || upstream->closing)
		return;
	upstream->closing = true;
	for (unsigned i = 0; i < QUESTION_COUNT; i++)
		if (upstream->asked[i].handle != 0)
			rest_cancel(upstream->rest, upstream->asked[i].handle);
	timer_close(&upstream->timer, timer_closed);
}
