/* Buckets and lanes, played through with a clock of the test's own: every scope, hashes that change, headers that are
 * missing or lie, answers that overtake each other. And the guard, without a board. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/discord/guard.h"
#include "shared/discord/ratelimit.h"

#define MS    NS_PER_MS
#define S     NS_PER_S
#define SLACK RATELIMIT_SLACK_NS

static uint64_t now;

static struct ratelimit_answer answer_of(const char *headers, uint32_t status, double body_retry_s, bool body_global)
{
	struct ratelimit_answer answer = { 0 };

	for (const char *line = headers; *line;) {
		const char *end = strchr(line, '\n');

		ratelimit_header(&answer, line, (size_t)(end + 1 - line));
		line = end + 1;
	}
	ratelimit_classify(&answer, status, body_retry_s, body_global);
	return answer;
}

static struct ratelimit_answer ok(const char *hash, unsigned limit, unsigned remaining, const char *after)
{
	char headers[512];

	snprintf(headers, sizeof(headers),
		 "x-ratelimit-bucket: %s\r\nX-RateLimit-Limit:%u\r\nX-RATELIMIT-REMAINING: %u \r\n"
		 "X-RateLimit-Reset: 1785860401.000\r\nx-ratelimit-reset-after: %s\r\n",
		 hash, limit, remaining, after);
	return answer_of(headers, 200, -1, false);
}

static int setup(void **state)
{
	*state = ratelimit_new(100);
	now = 1000 * S;
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	ratelimit_free(*state);
	return 0;
}

static struct ratelimit_lane *lane_of(struct ratelimit *limits, enum route route, const char *major)
{
	struct ratelimit_lane *lane = NULL;

	assert_int_equal(ratelimit_lane(limits, route, 0, major, strlen(major), now, &lane), 0);
	return lane;
}

static struct ratelimit_permit take(struct ratelimit_lane *lane)
{
	assert_int_equal(ratelimit_wait(lane, now), 0);
	return ratelimit_take(lane, now);
}

static void give(struct ratelimit *limits, struct ratelimit_permit *permit, struct ratelimit_answer answer)
{
	assert_int_equal(ratelimit_answered(limits, permit, &answer, now), 0);
	assert_null(permit->lane);
}

/* One request, answered at once. */
static void round_trip(struct ratelimit *limits, struct ratelimit_lane *lane, struct ratelimit_answer answer)
{
	struct ratelimit_permit permit = take(lane);

	give(limits, &permit, answer);
}

/* --- reading headers --------------------------------------------------------------------------------------------- */

static void test_seconds(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ns;
	} rows[] = {
		{ "1", 0, S },
		{ "0", 0, 0 },
		{ "0.630", 0, 630 * MS },
		{ "65 \r\n", 0, 65 * S },
		{ "1.000000001", 0, S + 1 },
		{ "1.0000000019999999999999999999", 0, S + 1 },
		{ "2.", 0, 2 * S },
		{ "99999999999999999999999999999999", 0, RATELIMIT_WAIT_MAX_NS },
		{ "172800.5", 0, RATELIMIT_WAIT_MAX_NS },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "nan", -EINVAL, 0 },
		{ "inf", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1e9", -EINVAL, 0 },
		{ ".5", -EINVAL, 0 },
		{ "1,5", -EINVAL, 0 },
		{ "1 2", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ns = 12345;

		assert_int_equal(ratelimit_seconds(rows[i].text, strlen(rows[i].text), &ns), rows[i].r);
		assert_int_equal(ns, rows[i].r ? 12345 : rows[i].ns);
	}
}

static void test_header_nonsense(void **state)
{
	static const char *const lines[] = {
		"X-RateLimit-Limit: -1\r\n",
		"X-RateLimit-Limit: 99999999999\r\n",
		"X-RateLimit-Limit: 5 5\r\n",
		"X-RateLimit-Limit\r\n",
		"X-RateLimit-Limit:\r\n",
		"X-RateLimit-Limits: 5\r\n",
		"X-RateLimit-Bucket: a|b\r\n",
		"X-RateLimit-Bucket: \x01\r\n",
		"X-RateLimit-Bucket: 0123456789012345678901234567890123456789012345678901234567890123\r\n",
		"X-RateLimit-Scope: none\r\n",
		"X-RateLimit-Scope: ban\r\n",
		"X-RateLimit-Scope: userx\r\n",
		"X-RateLimit-Global: yes\r\n",
		"Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n",
		"Set-Cookie: X-RateLimit-Limit: 5\r\n",
		":\r\n",
		"X",
		"",
	};
	static const struct ratelimit_answer nothing;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct ratelimit_answer answer = { 0 };

		ratelimit_header(&answer, lines[i], strlen(lines[i]));
		answer.limit = 0;
		assert_memory_equal(&answer, &nothing, sizeof(answer));
	}
}

static void test_classify(void **state)
{
	static const struct {
		const char *headers;
		uint32_t status;
		double body_s;
		bool body_global;
		enum ratelimit_scope scope;
		uint64_t wait_ns;
	} rows[] = {
		{ "X-RateLimit-Scope: user\nRetry-After: 1\n", 429, 0.63, false, RATELIMIT_SCOPE_USER,
		  630 * MS + SLACK },
		{ "X-RateLimit-Scope: user\nRetry-After: 65\n", 429, 65, false, RATELIMIT_SCOPE_USER, 65 * S + SLACK },
		{ "X-RateLimit-Scope: shared\nRetry-After: 42\nX-RateLimit-Remaining: 9\n", 429, 41.5, false,
		  RATELIMIT_SCOPE_SHARED, 41500 * MS + SLACK },
		{ "X-RateLimit-Scope: global\nX-RateLimit-Global: true\nRetry-After: 3\n", 429, 2.5, true,
		  RATELIMIT_SCOPE_GLOBAL, 2500 * MS + SLACK },
		{ "X-RateLimit-Global: true\n", 429, 1, false, RATELIMIT_SCOPE_GLOBAL, S + SLACK },
		{ "", 429, 1, true, RATELIMIT_SCOPE_GLOBAL, S + SLACK },
		{ "", 429, 1, false, RATELIMIT_SCOPE_USER, S + SLACK },
		/* the wall: HTML with a time, HTML or JSON without */
		{ "Retry-After: 1200\nServer: cloudflare\n", 429, -1, false, RATELIMIT_SCOPE_BAN, 1200 * S },
		{ "Server: cloudflare\n", 429, -1, false, RATELIMIT_SCOPE_BAN, 0 },
		/* Discord's own, its body lost on the way */
		{ "X-RateLimit-Scope: user\nRetry-After: 2\n", 429, -1, false, RATELIMIT_SCOPE_USER, 2 * S + SLACK },
		{ "X-RateLimit-Scope: user\nX-RateLimit-Reset-After: 0.5\n", 429, -1, false, RATELIMIT_SCOPE_USER,
		  500 * MS + SLACK },
		{ "X-RateLimit-Scope: user\n", 429, -1, false, RATELIMIT_SCOPE_USER, S + SLACK },
		{ "", 429, 1e30, false, RATELIMIT_SCOPE_USER, RATELIMIT_WAIT_MAX_NS + SLACK },
		/* no 429 is no limit, whatever else it says */
		{ "Retry-After: 5\nX-RateLimit-Scope: user\n", 503, 5, true, RATELIMIT_SCOPE_NONE, 0 },
		{ "", 200, -1, false, RATELIMIT_SCOPE_NONE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ratelimit_answer answer =
			answer_of(rows[i].headers, rows[i].status, rows[i].body_s, rows[i].body_global);

		assert_int_equal(answer.scope, rows[i].scope);
		assert_int_equal(answer.limited, rows[i].status == 429);
		assert_int_equal(answer.retry_after_ns, rows[i].wait_ns);
	}
}

/* --- lanes and buckets ------------------------------------------------------------------------------------------- */

static void test_unknown_runs_alone(void **state)
{
	struct ratelimit_lane *lane = lane_of(*state, ROUTE_GET_GUILD, "1"), *other;
	struct ratelimit_permit first = take(lane), second;

	assert_int_equal(ratelimit_wait(lane, now), RATELIMIT_FOREVER);
	/* other guilds are other lanes */
	other = lane_of(*state, ROUTE_GET_GUILD, "2");
	second = take(other);
	/* no answer teaches nothing: the next one is the first again */
	ratelimit_failed(&first);
	assert_int_equal(ratelimit_wait(lane, now), 0);
	first = take(lane);
	assert_int_equal(ratelimit_wait(lane, now), RATELIMIT_FOREVER);
	give(*state, &first, ok("h", 5, 4, "1.0"));
	assert_int_equal(ratelimit_wait(lane, now), 0);
	give(*state, &second, ok("h", 5, 4, "1.0"));
	assert_int_equal(ratelimit_bucket_count(*state), 2);
	assert_ptr_equal(lane_of(*state, ROUTE_GET_GUILD, "1"), lane);
}

static void test_window(void **state)
{
	struct ratelimit_lane *lane = lane_of(*state, ROUTE_GET_GUILD, "1");
	struct ratelimit_permit permits[5];

	round_trip(*state, lane, ok("h", 3, 2, "2.0"));
	permits[0] = take(lane);
	permits[1] = take(lane);
	assert_int_equal(ratelimit_wait(lane, now), 2 * S + SLACK);
	now += 2 * S + SLACK - 1;
	assert_int_equal(ratelimit_wait(lane, now), 1);
	now += 1;
	/* the window is over; two are still under way and may count in the new one */
	assert_int_equal(ratelimit_wait(lane, now), 0);
	permits[2] = take(lane);
	assert_int_equal(ratelimit_wait(lane, now), RATELIMIT_FOREVER);
	for (int i = 0; i < 3; i++)
		ratelimit_failed(&permits[i]);
	assert_int_equal(ratelimit_wait(lane, now), 0);
}

static void test_overtaking_answers(void **state)
{
	struct ratelimit_lane *lane = lane_of(*state, ROUTE_GET_GUILD, "1");
	struct ratelimit_permit a, b;

	round_trip(*state, lane, ok("h", 5, 3, "1.0"));
	a = take(lane);
	b = take(lane);
	now += 10 * MS;
	/* The second one's answer first: one is left; the older word that two are left changes nothing. */
	give(*state, &b, ok("h", 5, 1, "0.990"));
	give(*state, &a, ok("h", 5, 2, "0.990"));
	a = take(lane);
	assert_true(ratelimit_wait(lane, now) > 0);
	ratelimit_failed(&a);
}

static void test_others_spend_too(void **state)
{
	struct ratelimit_lane *lane = lane_of(*state, ROUTE_GET_GUILD, "1");

	round_trip(*state, lane, ok("h", 5, 4, "1.0"));
	/* somebody else uses the same bucket: Discord's smaller number counts */
	round_trip(*state, lane, ok("h", 5, 0, "0.9"));
	assert_int_equal(ratelimit_wait(lane, now), S + SLACK);
	/* a window that began anew in between is recognised */
	now += 2 * S;
	round_trip(*state, lane, ok("h", 5, 4, "1.0"));
	assert_int_equal(ratelimit_wait(lane, now), 0);
}

static void test_headers_are_optional(void **state)
{
	struct ratelimit_lane *lane = lane_of(*state, ROUTE_DELETE_MESSAGE, "1");
	struct ratelimit_permit permits[40];

	/* never any: free, once it was answered */
	round_trip(*state, lane, answer_of("", 204, -1, false));
	for (int i = 0; i < 40; i++)
		permits[i] = take(lane);
	for (int i = 0; i < 40; i++)
		give(*state, &permits[i], answer_of("", 204, -1, false));
	assert_int_equal(ratelimit_bucket_count(*state), 0);
	/* once there were some: their absence changes nothing */
	round_trip(*state, lane, ok("h", 5, 1, "1.0"));
	round_trip(*state, lane, answer_of("", 204, -1, false));
	assert_true(ratelimit_wait(lane, now) > 0);
	/* a hash without numbers: one at a time */
	lane = lane_of(*state, ROUTE_GET_CHANNEL, "1");
	round_trip(*state, lane, answer_of("X-RateLimit-Bucket: z\n", 200, -1, false));
	permits[0] = take(lane);
	assert_int_equal(ratelimit_wait(lane, now), RATELIMIT_FOREVER);
	ratelimit_failed(&permits[0]);
}

static void test_shared_hash(void **state)
{
	struct ratelimit_lane *pin = lane_of(*state, ROUTE_PIN, "7"), *unpin = lane_of(*state, ROUTE_UNPIN, "7");
	struct ratelimit_lane *elsewhere = lane_of(*state, ROUTE_UNPIN, "8");

	round_trip(*state, pin, ok("pins", 2, 1, "3.0"));
	round_trip(*state, unpin, ok("pins", 2, 0, "3.0"));
	assert_true(ratelimit_wait(pin, now) > 0);
	assert_true(ratelimit_wait(unpin, now) > 0);
	assert_int_equal(ratelimit_wait(elsewhere, now), 0);
	/* A route whose hash is known meets a bucket that is spent, before its first own request in that channel. */
	round_trip(*state, lane_of(*state, ROUTE_PIN, "9"), ok("pins", 2, 0, "5.0"));
	assert_int_equal(ratelimit_wait(lane_of(*state, ROUTE_UNPIN, "9"), now), 5 * S + SLACK);
}

static void test_alternating_hashes(void **state)
{
	struct ratelimit_lane *lane = lane_of(*state, ROUTE_DELETE_MESSAGE, "1");

	round_trip(*state, lane, ok("young", 5, 4, "1.0"));
	round_trip(*state, lane, ok("old", 30, 0, "4.0"));
	/* which one the next request meets is not ours to know: the spent one holds it up */
	assert_int_equal(ratelimit_wait(lane, now), 4 * S + SLACK);
	now += 4 * S + SLACK;
	round_trip(*state, lane, ok("old", 30, 0, "4.0"));
	now += 4 * S + SLACK;
	round_trip(*state, lane, ok("young", 5, 0, "9.0"));
	now += S;
	assert_int_equal(ratelimit_wait(lane, now), 8 * S + SLACK);
	now += 8 * S + SLACK;
	round_trip(*state, lane, ok("young", 5, 0, "20.0"));
	now += 20 * S + SLACK;
	round_trip(*state, lane, ok("old", 30, 0, "100.0"));
	/* … also when it was met a while before the one that is charged now; a minute later it is forgiven */
	now += 100 * S + SLACK;
	round_trip(*state, lane, ok("old", 30, 0, "300.0"));
	{
		struct ratelimit_permit permit = { .lane = lane };

		/* an answer to a request that was under way when the old bucket ran dry */
		lane->inflight++;
		give(*state, &permit, ok("young", 5, 4, "1.0"));
	}
	now += 2 * S;
	assert_int_equal(ratelimit_wait(lane, now), 298 * S + SLACK);
	now += 60 * S;
	assert_int_equal(ratelimit_wait(lane, now), 0);
	round_trip(*state, lane, ok("young", 5, 0, "1.0"));
	assert_int_equal(ratelimit_wait(lane, now), S + SLACK);
	now += S + SLACK;
	/* many hashes: the lane remembers a few, and none is leaked or used after it was forgotten */
	for (int i = 0; i < 20; i++) {
		char hash[16];

		snprintf(hash, sizeof(hash), "hash%d", i);
		round_trip(*state, lane, ok(hash, 5, 4, "0.1"));
	}
	now += 3600 * S;
	ratelimit_sweep(*state, now);
	assert_int_equal(ratelimit_bucket_count(*state), 0);
	assert_int_equal(ratelimit_lane_count(*state), 0);
}

static void test_variants_are_apart(void **state)
{
	struct ratelimit_lane *young, *old;

	assert_int_equal(ratelimit_lane(*state, ROUTE_DELETE_MESSAGE, 0, "1", 1, now, &young), 0);
	assert_int_equal(ratelimit_lane(*state, ROUTE_DELETE_MESSAGE, 2, "1", 1, now, &old), 0);
	round_trip(*state, young, ok("young", 5, 0, "9.0"));
	assert_int_equal(ratelimit_wait(old, now), 0);
	assert_int_equal(ratelimit_lane(*state, ROUTE_DELETE_MESSAGE, 3, "1", 1, now, &old), -EINVAL);
}

static void test_429_scopes(void **state)
{
	struct ratelimit_lane *lane = lane_of(*state, ROUTE_CREATE_MESSAGE, "1");
	struct ratelimit_lane *sister = lane_of(*state, ROUTE_EDIT_MESSAGE, "1");

	round_trip(*state, lane, ok("m", 5, 4, "1.0"));
	round_trip(*state, sister, ok("m", 5, 3, "1.0"));
	/* user: the bucket is empty, whatever its headers say; its sisters wait as well */
	round_trip(*state, lane,
		   answer_of("X-RateLimit-Bucket: m\nX-RateLimit-Limit: 5\nX-RateLimit-Remaining: 3\n"
			     "X-RateLimit-Reset-After: 1.0\nX-RateLimit-Scope: user\n",
			     429, 7, false));
	assert_int_equal(ratelimit_wait(lane, now), 7 * S + SLACK);
	assert_int_equal(ratelimit_wait(sister, now), 7 * S + SLACK);
	now += 7 * S + SLACK;
	assert_int_equal(ratelimit_wait(lane, now), 0);
	/* shared: this lane only, and the numbers beside it are not learned */
	round_trip(*state, sister, ok("m", 5, 4, "1.0"));
	round_trip(*state, lane,
		   answer_of("X-RateLimit-Bucket: m\nX-RateLimit-Limit: 10\nX-RateLimit-Remaining: 0\n"
			     "X-RateLimit-Reset-After: 100\nX-RateLimit-Scope: shared\n",
			     429, 41.5, false));
	assert_int_equal(ratelimit_wait(lane, now), 41500 * MS + SLACK);
	assert_int_equal(ratelimit_wait(sister, now), 0);
	/* global and ban: not the lane's */
	lane = lane_of(*state, ROUTE_GET_GUILD, "5");
	round_trip(*state, lane, answer_of("X-RateLimit-Global: true\n", 429, 9, true));
	assert_int_equal(ratelimit_wait(lane, now), 0);
	round_trip(*state, lane, answer_of("Retry-After: 1200\n", 429, -1, false));
	assert_int_equal(ratelimit_wait(lane, now), 0);
	/* user without any bucket header: the lane waits */
	round_trip(*state, lane, answer_of("X-RateLimit-Scope: user\nRetry-After: 65\n", 429, 65, false));
	assert_int_equal(ratelimit_wait(lane, now), 65 * S + SLACK);
}

static void test_ordered_routes(void **state)
{
	struct ratelimit_lane *lane = lane_of(*state, ROUTE_CREATE_MESSAGE, "1");
	struct ratelimit_permit permit;

	round_trip(*state, lane, ok("m", 5, 4, "1.0"));
	permit = take(lane);
	assert_int_equal(ratelimit_wait(lane, now), RATELIMIT_FOREVER);
	ratelimit_failed(&permit);
	assert_int_equal(ratelimit_wait(lane, now), 0);
}

static void test_limit_zero(void **state)
{
	struct ratelimit_lane *lane = lane_of(*state, ROUTE_GET_GUILD, "1");
	struct ratelimit_permit permit;

	round_trip(*state, lane, ok("h", 0, 0, "0"));
	now += S;
	/* it lies or it is mad: one at a time, never none for ever */
	permit = take(lane);
	assert_int_equal(ratelimit_wait(lane, now), RATELIMIT_FOREVER);
	ratelimit_failed(&permit);
}

static void test_lanes_are_bounded(void **state)
{
	struct ratelimit *limits = ratelimit_new(3);
	struct ratelimit_lane *lanes[3], *more = NULL;
	struct ratelimit_permit permits[3];

	(void)state;
	lanes[0] = lane_of(limits, ROUTE_GET_GUILD, "0");
	permits[0] = take(lanes[0]);
	lanes[1] = lane_of(limits, ROUTE_GET_GUILD, "1");
	lanes[1]->queue = lanes; /* as if calls waited there */
	lanes[2] = lane_of(limits, ROUTE_GET_GUILD, "2");
	round_trip(limits, lanes[2], ok("h", 5, 0, "10"));
	/* in flight, queued, spent: none may be forgotten */
	assert_int_equal(ratelimit_lane(limits, ROUTE_GET_GUILD, 0, "3", 1, now, &more), -ENOBUFS);
	assert_null(more);
	now += 11 * S;
	assert_int_equal(ratelimit_lane(limits, ROUTE_GET_GUILD, 0, "3", 1, now, &more), 0);
	assert_int_equal(ratelimit_lane_count(limits), 3);
	/* the one that remembers nothing makes room */
	assert_int_equal(ratelimit_lane(limits, ROUTE_GET_GUILD, 0, "4", 1, now, &more), 0);
	give(limits, &permits[0], ok("h", 5, 4, "1"));
	lanes[1]->queue = NULL;
	ratelimit_free(limits);
}

static void test_sweep_keeps_what_counts(void **state)
{
	struct ratelimit_lane *lane = lane_of(*state, ROUTE_GET_GUILD, "1");

	round_trip(*state, lane, ok("h", 5, 0, "600"));
	lane_of(*state, ROUTE_GET_GUILD, "2");
	now += 120 * S;
	ratelimit_sweep(*state, now);
	assert_int_equal(ratelimit_lane_count(*state), 1);
	assert_true(ratelimit_wait(lane, now) > 0);
	now += 600 * S;
	ratelimit_sweep(*state, now);
	assert_int_equal(ratelimit_lane_count(*state), 0);
	assert_int_equal(ratelimit_bucket_count(*state), 0);
}

/* Random answers, failures and waits: what is taken comes back, and nothing waits for ever with nothing under way. */
static void test_random_walk(void **state)
{
	static const char *const hashes[] = { "a", "b", "c", "", "d" };
	struct ratelimit_permit flying[8] = { 0 };
	struct ratelimit_lane *lanes[4];
	uint32_t seed = 1;

	for (int i = 0; i < 4; i++)
		lanes[i] = lane_of(*state, i & 1 ? ROUTE_GET_GUILD : ROUTE_GET_CHANNELS, i & 2 ? "1" : "2");
	for (int step = 0; step < 100000; step++) {
		struct ratelimit_permit *permit;
		struct ratelimit_lane *lane;

		seed = seed * 1664525 + 1013904223;
		permit = &flying[(seed >> 8) % 8];
		lane = lanes[(seed >> 12) % 4];
		now += (seed >> 16) % 50 * MS;
		if (permit->lane) {
			char headers[256];

			snprintf(headers, sizeof(headers),
				 "X-RateLimit-Bucket: %s\nX-RateLimit-Limit: %u\nX-RateLimit-Remaining: %u\n"
				 "X-RateLimit-Reset-After: 0.%u\n",
				 hashes[(seed >> 20) % 5], (seed >> 9) % 6, (seed >> 13) % 6, (seed >> 5) % 1000);
			if ((seed >> 4) % 5 == 0)
				ratelimit_failed(permit);
			else
				give(*state, permit, answer_of(headers, (seed >> 3) % 7 == 0 ? 429 : 200, 0.05, false));
		} else {
			uint64_t wait_ns = ratelimit_wait(lane, now);

			if (wait_ns == 0)
				*permit = ratelimit_take(lane, now);
			else if (wait_ns == RATELIMIT_FOREVER) {
				bool under_way = false;

				for (int i = 0; i < 8; i++)
					under_way |= flying[i].lane != NULL;
				assert_true(under_way);
			} else {
				assert_true(wait_ns < 10 * S);
			}
		}
	}
	for (int i = 0; i < 8; i++)
		if (flying[i].lane)
			ratelimit_failed(&flying[i]);
	for (int i = 0; i < 4; i++)
		assert_int_equal(lanes[i]->inflight, 0);
	now += 1000 * S;
	ratelimit_sweep(*state, now);
	assert_int_equal(ratelimit_bucket_count(*state), 0);
}

/* --- the guard, without a board ------------------------------------------------------------------------------------
 */

static void test_guard_budget(void **state)
{
	struct guard guard;
	uint64_t wait_ns, taken = 0;

	(void)state;
	guard_init(&guard, NULL, 50, 100);
	/* a fifth at once, then evenly: no second sees more than 50 */
	while ((wait_ns = guard_take(&guard, now)) == 0)
		taken++;
	assert_int_equal(taken, 10);
	assert_int_equal(wait_ns, 25 * MS);
	assert_int_equal(guard_take(&guard, now + 25 * MS - 1), 1);
	for (uint64_t at = now; at < now + S; at += MS)
		taken += guard_take(&guard, at) == 0;
	assert_int_equal(taken, 49);
	for (uint64_t at = now + S; at < now + 10 * S; at += MS)
		taken += guard_take(&guard, at) == 0;
	assert_in_range(taken, 400, 410);
	guard_block(&guard, now + 60 * S);
	guard_block(&guard, now + 30 * S);
	assert_int_equal(guard_blocked(&guard, now + 20 * S), 40 * S);
	assert_int_equal(guard_take(&guard, now + 20 * S), 40 * S);
	assert_int_equal(guard_blocked(&guard, now + 60 * S), 0);
	assert_int_equal(guard_take(&guard, now + 60 * S), 0);
}

static void test_guard_levels(void **state)
{
	struct guard guard;
	uint64_t at = 0;

	(void)state;
	guard_init(&guard, NULL, 50, 10);
	assert_int_equal(guard_level(&guard, at), GUARD_OPEN);
	for (int i = 0; i < 4; i++)
		guard_invalid_add(&guard, at);
	assert_int_equal(guard_level(&guard, at), GUARD_OPEN);
	at += 300 * S;
	guard_invalid_add(&guard, at);
	assert_int_equal(guard_level(&guard, at), GUARD_WARN);
	for (int i = 0; i < 3; i++)
		guard_invalid_add(&guard, at);
	assert_int_equal(guard_level(&guard, at), GUARD_ESSENTIAL);
	guard_invalid_add(&guard, at);
	guard_invalid_add(&guard, at);
	assert_int_equal(guard_level(&guard, at), GUARD_CLOSED);
	/* ten minutes after the first four they are forgotten, the others are not */
	assert_int_equal(guard_invalid_count(&guard, 600 * S - 1), 10);
	assert_int_equal(guard_invalid_count(&guard, 600 * S), 6);
	assert_int_equal(guard_level(&guard, 600 * S), GUARD_WARN);
	assert_int_equal(guard_invalid_count(&guard, 900 * S), 0);
	/* a slot of an older round is not taken for this one */
	guard_invalid_add(&guard, 900 * S);
	assert_int_equal(guard_invalid_count(&guard, 900 * S), 1);
	assert_false(guard_token_invalid(&guard));
	guard_set_token_invalid(&guard, true);
	assert_true(guard_token_invalid(&guard));
	guard_set_token_invalid(&guard, false);
	assert_false(guard_token_invalid(&guard));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_seconds),
		TEST(test_header_nonsense),
		TEST(test_classify),
		TEST(test_unknown_runs_alone),
		TEST(test_window),
		TEST(test_overtaking_answers),
		TEST(test_others_spend_too),
		TEST(test_headers_are_optional),
		TEST(test_shared_hash),
		TEST(test_alternating_hashes),
		TEST(test_variants_are_apart),
		TEST(test_429_scopes),
		TEST(test_ordered_routes),
		TEST(test_limit_zero),
		TEST(test_lanes_are_bounded),
		TEST(test_sweep_keeps_what_counts),
		TEST(test_random_walk),
		TEST(test_guard_budget),
		TEST(test_guard_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
