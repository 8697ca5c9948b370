/* What an answer means: to everybody (limits, bans, the token), and to its call, which is over or goes again. Run by
 * the REST client on its loop. Must not touch anything of a call after rest_finish_call(). */
#include "shared/discord/rest_private.h"

#include <errno.h>

#include <utlist.h>

#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/discord/discord_time.h"
#include "shared/discord/retry.h"
#include "shared/log/log.h"

static void note_level(struct rest *rest, uint64_t now_ns)
{
	enum guard_level level = guard_level(&rest->guard, now_ns);

	if (level > rest->level)
		log_warn(NULL, "rest.invalid_requests", KV_STR("guard", guard_level_names[level]),
			 KV_INT("count", guard_invalid_count(&rest->guard, now_ns)),
			 KV_INT("limit", rest->options.invalid_limit),
			 KV_MSG("Discord refuses many requests (401, 403, 429); find out which, before it blocks this "
				"address"));
	rest->level = level;
}

static void note_ban(struct rest *rest, struct call *call, struct ratelimit_answer *limits, uint64_t now_ns)
{
	uint64_t ban_ns = limits->retry_after_ns;
	bool known = rest->ban_until_ns > now_ns;

	/* What was under way when the wall closed tells of the same ban, not of a longer one. */
	if (known && !ban_ns)
		ban_ns = rest->ban_until_ns - now_ns;
	if (!ban_ns) {
		ban_ns = RATELIMIT_BAN_FLOOR_NS << (rest->bans < 8 ? rest->bans : 8);
		if (ban_ns > RATELIMIT_BAN_CAP_NS)
			ban_ns = RATELIMIT_BAN_CAP_NS;
	}
	limits->retry_after_ns = ban_ns;
	if (now_ns + ban_ns > rest->ban_until_ns)
		rest->ban_until_ns = now_ns + ban_ns;
	guard_block(&rest->guard, rest->ban_until_ns);
	if (known)
		return;
	rest->bans++;
	log_error(NULL, "rest.banned", KV_STR("route", call_row(call)->name), KV_MS("wait", ban_ns / NS_PER_MS),
		  KV_MSG("the wall in front of Discord blocks this address; nothing is sent until the wait is over"));
}

/* Books what a 429, 401 or 403 means for everybody. */
static void spread(struct rest *rest, struct call *call, uint32_t status, struct ratelimit_answer *limits,
		   uint64_t now_ns)
{
	if (limits->limited) {
		rest->stats.limited++;
		rest_count(rest, BOARD_COUNTER_rest_limited);
	} else {
		rest->bans = 0;
	}
	if (limits->scope == RATELIMIT_SCOPE_BAN)
		note_ban(rest, call, limits, now_ns);
	if (limits->scope == RATELIMIT_SCOPE_GLOBAL) {
		if (!guard_blocked(&rest->guard, now_ns))
			log_warn(NULL, "rest.global_limit", KV_STR("route", call_row(call)->name),
				 KV_MS("wait", limits->retry_after_ns / NS_PER_MS),
				 KV_MSG("the bot's global limit was exceeded; all processes of this host wait"));
		guard_block(&rest->guard, now_ns + limits->retry_after_ns);
	}
	if (status == 401 || status == 403 || (status == 429 && limits->scope != RATELIMIT_SCOPE_SHARED)) {
		guard_invalid_add(&rest->guard, now_ns);
		note_level(rest, now_ns);
	}
}

static json_t *parse_body(const struct buf *body)
{
	json_error_t error;

	return body->len ? json_loadb(body->data, body->len, JSON_ALLOW_NUL, &error) : NULL;
}

static void note_latency(struct rest *rest, const struct transfer_result *result)
{
	struct rest_stats *stats = &rest->stats;

	if (!result->latency_us)
		return;
	stats->last_latency_us = result->latency_us;
	stats->latency_us = stats->latency_us ? (stats->latency_us * 7 + result->latency_us) / 8 : result->latency_us;
	stats->http_version = result->http_version;
	if (rest->counters)
		board_gauge(rest->counters, BOARD_COUNTER_rest_latency_us, stats->latency_us);
}

/* The call leaves the wire: room for others, and its permit goes back with what the answer taught. */
static void land(struct rest *rest, struct call *call, bool answered, uint64_t now_ns)
{
	if (!call_is_interaction(call)) {
		rest->flying--;
		rest->flying_low -= call->priority == REST_PRIORITY_LOW;
	}
	if (!call->lane)
		return;
	if (!answered)
		ratelimit_failed(&call->permit);
	else if (ratelimit_answered(rest->limits, &call->permit, &call->transfer.limits, now_ns) < 0)
		log_warn(NULL, "rest.limits_not_kept", KV_ERR(-ENOMEM), KV_MSG("a rate limit could not be remembered"));
}

/* Puts the call back for another attempt. False: it can't be, and is decided. */
static bool again(struct rest *rest, struct call *call, const struct transfer_result *result, uint64_t delay_ns,
		  uint64_t now_ns)
{
	int r = 0;

	call->not_before_ns = now_ns + delay_ns;
	/* A connection on which nothing came back may be dead for the next one, too. */
	call->fresh = result->timed_out;
	if (call->lane) {
		r = rest_enqueue(rest, call, true);
	} else {
		call->state = CALL_PAUSED;
		DL_APPEND(rest->paused, call);
	}
	if (r < 0) {
		call_decide(call, r, "could not be queued again");
		return false;
	}
	if (call->stayed && !call->maybe_done) {
		call->left = false;
		call->stayed(call->arg);
	}
	rest_arm(rest, call->not_before_ns);
	return true;
}

static void tell_token_invalid(struct rest *rest)
{
	guard_set_token_invalid(&rest->guard, true);
	if (rest->token_told)
		return;
	rest->token_told = true;
	log_error(NULL, "rest.token_invalid",
		  KV_MSG("Discord refused the bot's token (401): nothing is sent with it any more; set a valid "
			 "discord.token"));
	if (rest->events.token_invalid)
		rest->events.token_invalid(rest->events_arg,
					   "Discord refused the bot's token (401): check discord.token");
}

/* An attempt is over. */
static void settle(struct rest *rest, struct call *call, const struct transfer_result *result)
{
	uint64_t now_ns = clock_boottime_ns();
	struct ratelimit_answer *limits = &call->transfer.limits;
	json_auto_t *body = parse_body(&call->transfer.body);
	struct discord_error error;
	struct retry_verdict verdict;
	enum retry_outcome outcome;
	bool token_refused;

	call->http_status = result->http_status;
	call->latency_us = result->latency_us;
	discord_error_read(result->http_status >= 400 ? body : NULL, &error);
	call->discord_code = error.code;
	if (call->transfer.date_s)
		discord_time_note_date(call->transfer.date_s * 1000);
	ratelimit_classify(limits, result->http_status, error.retry_after_s, error.global);
	land(rest, call, result->http_status != 0, now_ns);
	note_latency(rest, result);
	if (result->http_status)
		spread(rest, call, result->http_status, limits, now_ns);
	outcome = call_judge(call, result, body, &error);
	token_refused = call_is_token_refusal(call, result->http_status, &error);
	if (outcome == RETRY_OUTCOME_COUNT) {
		call->error = 0;
		rest_finish_call(rest, call, body);
		return;
	}
	verdict = retry_decide(&(struct retry_input){ .outcome = outcome,
						      .repeat = call->repeat,
						      .interaction = call_is_interaction(call),
						      .maybe_before = call->maybe_done,
						      .attempts = call->attempts,
						      .now_ns = now_ns,
						      .first_sent_ns = call->first_sent_ns,
						      .deadline_ns = call->deadline_ns,
						      .retry_after_ns = limits->retry_after_ns,
						      .random = random_unit() });
	call->maybe_done |= retry_maybe_done(outcome) || call->transfer.too_large;
	if (verdict.again && !token_refused && again(rest, call, result, verdict.delay_ns, now_ns))
		return;
	if (token_refused)
		call->error = -SHOAL_EREFUSED;
	else if (outcome == RETRY_LOST)
		call->error = call_lost_error(call, call->error);
	rest_finish_call(rest, call, body);
	if (token_refused && !rest->closing)
		tell_token_invalid(rest);
}

void rest_on_done(void *arg, CURL *easy, CURLcode code)
{
	struct rest *rest = arg;
	struct call *call = CONTAINER_OF(transfer_of(easy), struct call, transfer);
	struct transfer_result result;

	transfer_end(&call->transfer, rest->curl, code, &result);
	settle(rest, call, &result);
	if (!rest->closing)
		rest_pump(rest);
}

/* Takes a flying call off the wire before its time; it is in no list then but that of deadlines. */
void rest_bring_down(struct rest *rest, struct call *call, CURLcode code)
{
	struct transfer_result result;

	transfer_break(&call->transfer, rest->curl, code, &result);
	land(rest, call, false, clock_boottime_ns());
	call->maybe_done |= result.outcome != RETRY_UNSENT;
}
