/* Buckets and lanes. Run by the REST client on the loop; must not read a clock, log or call back, so that every
 * sequence of answers can be played to it by a test. */
#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(obj_) (out_of_memory = true)
#include "shared/discord/ratelimit.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <uthash.h>

#include "shared/base/clock.h"

#define WINDOW_TOLERANCE_NS                                                                             \
	(250 * NS_PER_MS)        /* a reset that moved by less is the same window, seen through latency \
				  */
#define IDLE_NS  (60 * NS_PER_S) /* unused for so long: may be dropped */
#define STALE_NS (60 * NS_PER_S) /* a bucket that a lane met longer ago no longer holds it up */

const char *const ratelimit_scope_names[RATELIMIT_SCOPE_COUNT] = {
	[RATELIMIT_SCOPE_NONE] = "none",     [RATELIMIT_SCOPE_USER] = "user", [RATELIMIT_SCOPE_SHARED] = "shared",
	[RATELIMIT_SCOPE_GLOBAL] = "global", [RATELIMIT_SCOPE_BAN] = "ban",
};

struct ratelimit_bucket {
	UT_hash_handle hh;
	char *key;     /* "hash|major" */
	uint32_t refs; /* lanes that know it and permits that hold it */
	uint32_t limit, remaining, inflight;
	bool known; /* the numbers were told at least once */
	uint64_t reset_ns;
	uint64_t used_ns;
};

struct lane {
	struct ratelimit_lane public; /* first: the caller's pointer is ours */
	UT_hash_handle hh;
	char *key; /* "route.variant|major" */
	size_t key_len;
	const char *major;
	/* Newest first: [0] is what the next request is charged to. */
	struct {
		struct ratelimit_bucket *bucket;
		uint64_t met_ns;
	} met[RATELIMIT_LANE_BUCKETS];
	uint64_t used_ns;
};

struct ratelimit {
	struct lane *lanes;
	struct ratelimit_bucket *buckets;
	uint32_t max_lanes;
	/* The hash that a route answered with last: a new channel's lane starts from it. NULL: none yet. */
	char *route_hash[ROUTE_COUNT][ROUTE_VARIANTS];
};
_Static_assert(ROUTE_COUNT < 127, "a lane's key holds its route in one char");

/* --- what an answer says -------------------------------------------------------------------------------------------
 */

int ratelimit_seconds(const char *text, size_t len, uint64_t *ret_ns)
{
	uint64_t ns = 0, unit = NS_PER_S / 10;
	size_t i = 0;

	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	if (!len || !isdigit((unsigned char)text[0]))
		return -EINVAL;
	for (; i < len && isdigit((unsigned char)text[i]); i++)
		if (ns < RATELIMIT_WAIT_MAX_NS)
			ns = ns * 10 + (uint64_t)(text[i] - '0') * NS_PER_S;
	if (i < len && text[i] == '.')
		for (i++; i < len && isdigit((unsigned char)text[i]); i++, unit /= 10)
			ns += (uint64_t)(text[i] - '0') * unit;
	if (i != len)
		return -EINVAL;
	*ret_ns = ns < RATELIMIT_WAIT_MAX_NS ? ns : RATELIMIT_WAIT_MAX_NS;
	return 0;
}

static bool parse_u32(const char *text, size_t len, uint32_t *ret)
{
	uint64_t value = 0;

	if (!len || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static void take_hash(struct ratelimit_answer *answer, const char *text, size_t len)
{
	if (!len || len >= sizeof(answer->hash))
		return;
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)text[i]) || text[i] == '|')
			return;
	memcpy(answer->hash, text, len);
	answer->hash[len] = '\0';
}

static void take_scope(struct ratelimit_answer *answer, const char *text, size_t len)
{
	for (int i = RATELIMIT_SCOPE_USER; i <= RATELIMIT_SCOPE_GLOBAL; i++)
		if (strlen(ratelimit_scope_names[i]) == len && strncasecmp(ratelimit_scope_names[i], text, len) == 0)
			answer->header_scope = (enum ratelimit_scope)i;
}

static void take_limit(struct ratelimit_answer *answer, const char *text, size_t len)
{
	answer->has_limit = parse_u32(text, len, &answer->limit);
}

static void take_remaining(struct ratelimit_answer *answer, const char *text, size_t len)
{
	answer->has_remaining = parse_u32(text, len, &answer->remaining);
}

static void take_reset_after(struct ratelimit_answer *answer, const char *text, size_t len)
{
	answer->has_reset_after = ratelimit_seconds(text, len, &answer->reset_after_ns) == 0;
}

static void take_retry_after(struct ratelimit_answer *answer, const char *text, size_t len)
{
	answer->has_header_retry = ratelimit_seconds(text, len, &answer->header_retry_ns) == 0;
}

static void take_global(struct ratelimit_answer *answer, const char *text, size_t len)
{
	answer->header_global = len == 4 && strncasecmp(text, "true", 4) == 0;
}

/* X-RateLimit-Reset (wall clock) is left out on purpose: Reset-After says the same without our clock's error. */
static const struct header_row {
	const char *name;
	void (*take)(struct ratelimit_answer *answer, const char *text, size_t len);
} header_rows[] = {
	{ "X-RateLimit-Bucket", take_hash },         { "X-RateLimit-Limit", take_limit },
	{ "X-RateLimit-Remaining", take_remaining }, { "X-RateLimit-Reset-After", take_reset_after },
	{ "X-RateLimit-Scope", take_scope },         { "X-RateLimit-Global", take_global },
	{ "Retry-After", take_retry_after },
};

void ratelimit_header(struct ratelimit_answer *answer, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name_len, value_len;

	/* Most headers are none of ours: look at the first letter before anything else. */
	if (!colon || !len || !strchr("xXrR", line[0]))
		return;
	name_len = (size_t)(colon - line);
	value_len = len - name_len - 1;
	colon++;
	while (value_len && isspace((unsigned char)*colon)) {
		colon++;
		value_len--;
	}
	while (value_len && isspace((unsigned char)colon[value_len - 1]))
		value_len--;
	for (size_t i = 0; i < ARRAY_SIZE(header_rows); i++)
		if (strlen(header_rows[i].name) == name_len && strncasecmp(header_rows[i].name, line, name_len) == 0) {
			header_rows[i].take(answer, colon, value_len);
			return;
		}
}

void ratelimit_classify(struct ratelimit_answer *answer, uint32_t http_status, double body_retry_s, bool body_global)
{
	bool body_says = body_retry_s >= 0;

	answer->limited = http_status == 429;
	if (!answer->limited)
		return;
	if (body_says)
		answer->retry_after_ns = body_retry_s * (double)NS_PER_S < (double)RATELIMIT_WAIT_MAX_NS
						 ? (uint64_t)(body_retry_s * (double)NS_PER_S)
						 : RATELIMIT_WAIT_MAX_NS;
	else if (answer->has_header_retry)
		answer->retry_after_ns = answer->header_retry_ns;
	/* Discord's own 429 always has retry_after in its body; what has not comes from the wall in front of it. */
	if (!body_says && answer->header_scope == RATELIMIT_SCOPE_NONE && !answer->header_global)
		answer->scope = RATELIMIT_SCOPE_BAN;
	else if (body_global || answer->header_global || answer->header_scope == RATELIMIT_SCOPE_GLOBAL)
		answer->scope = RATELIMIT_SCOPE_GLOBAL;
	else if (answer->header_scope == RATELIMIT_SCOPE_SHARED)
		answer->scope = RATELIMIT_SCOPE_SHARED;
	else
		answer->scope = RATELIMIT_SCOPE_USER;
	if (answer->scope != RATELIMIT_SCOPE_BAN) {
		/* A limit without any time would make us hammer: a second is the least. */
		if (!body_says && !answer->has_header_retry)
			answer->retry_after_ns = answer->has_reset_after ? answer->reset_after_ns : NS_PER_S;
		answer->retry_after_ns += RATELIMIT_SLACK_NS;
	}
}

/* --- buckets -------------------------------------------------------------------------------------------------------
 */

static void bucket_free(struct ratelimit *limits, struct ratelimit_bucket *bucket)
{
	HASH_DEL(limits->buckets, bucket);
	free(bucket->key);
	free(bucket);
}

static struct ratelimit_bucket *bucket_get(struct ratelimit *limits, const char *hash, const char *major,
					   uint64_t now_ns)
{
	struct ratelimit_bucket *bucket = NULL;
	bool out_of_memory = false;
	size_t hash_len = strlen(hash), len = hash_len + 1 + strlen(major);
	char *key = malloc(len + 1);

	if (!key)
		return NULL;
	memcpy(key, hash, hash_len);
	key[hash_len] = '|';
	strcpy(key + hash_len + 1, major);
	HASH_FIND(hh, limits->buckets, key, len, bucket);
	if (bucket) {
		free(key);
		bucket->used_ns = now_ns;
		return bucket;
	}
	bucket = calloc(1, sizeof(*bucket));
	if (!bucket) {
		free(key);
		return NULL;
	}
	bucket->key = key;
	bucket->used_ns = now_ns;
	HASH_ADD_KEYPTR(hh, limits->buckets, bucket->key, len, bucket);
	if (out_of_memory) {
		free(bucket->key);
		free(bucket);
		return NULL;
	}
	return bucket;
}

/* After a window's end the whole limit is there again, less what is under way and may be counted in the new one. */
static void bucket_roll(struct ratelimit_bucket *bucket, uint64_t now_ns)
{
	if (!bucket->known || now_ns < bucket->reset_ns)
		return;
	bucket->remaining = bucket->limit > bucket->inflight ? bucket->limit - bucket->inflight : 0;
}

static uint64_t bucket_wait(struct ratelimit_bucket *bucket, uint64_t now_ns)
{
	if (!bucket->known)
		return bucket->inflight ? RATELIMIT_FOREVER : 0;
	bucket_roll(bucket, now_ns);
	if (bucket->remaining)
		return 0;
	if (now_ns < bucket->reset_ns)
		return bucket->reset_ns - now_ns;
	/* The window is over and all of the limit is under way; with a limit of 0 one request asks again. */
	return bucket->inflight ? RATELIMIT_FOREVER : 0;
}

/* Within a window our own count and Discord's are both right about what they have seen: the smaller holds, and answers
 * that overtook each other do no harm. A reset that moved later tells of a new window. */
static void bucket_learn(struct ratelimit_bucket *bucket, const struct ratelimit_answer *answer, uint64_t now_ns)
{
	uint64_t reset_ns = now_ns + answer->reset_after_ns + RATELIMIT_SLACK_NS;
	bool same_window =
		bucket->known && now_ns < bucket->reset_ns && reset_ns < bucket->reset_ns + WINDOW_TOLERANCE_NS;

	if (!answer->has_limit || !answer->has_remaining || !answer->has_reset_after)
		return;
	bucket->limit = answer->limit;
	if (!same_window)
		bucket->remaining = answer->remaining > bucket->inflight ? answer->remaining - bucket->inflight : 0;
	else if (answer->remaining < bucket->remaining)
		bucket->remaining = answer->remaining;
	if (!same_window || reset_ns > bucket->reset_ns)
		bucket->reset_ns = reset_ns;
	bucket->known = true;
}

/* --- lanes ---------------------------------------------------------------------------------------------------------
 */

static void lane_forget(struct lane *lane, size_t i)
{
	if (lane->met[i].bucket)
		lane->met[i].bucket->refs--;
	lane->met[i].bucket = NULL;
}

static void lane_free(struct ratelimit *limits, struct lane *lane)
{
	HASH_DEL(limits->lanes, lane);
	for (size_t i = 0; i < RATELIMIT_LANE_BUCKETS; i++)
		lane_forget(lane, i);
	free(lane->key);
	free(lane);
}

/* @bucket becomes the newest that the lane met. */
static void lane_meet(struct lane *lane, struct ratelimit_bucket *bucket, uint64_t now_ns)
{
	size_t at = 0;

	while (at < RATELIMIT_LANE_BUCKETS && lane->met[at].bucket != bucket)
		at++;
	if (at == RATELIMIT_LANE_BUCKETS) {
		at--;
		lane_forget(lane, at);
		bucket->refs++;
	}
	memmove(&lane->met[1], &lane->met[0], at * sizeof(lane->met[0]));
	lane->met[0].bucket = bucket;
	lane->met[0].met_ns = now_ns;
}

static bool lane_droppable(const struct lane *lane, uint64_t now_ns, uint64_t idle_ns)
{
	if (lane->public.queue || lane->public.inflight || now_ns < lane->public.blocked_until_ns ||
	    now_ns - lane->used_ns < idle_ns)
		return false;
	/* With a minute to go by all windows are asked; when room is short, those that refuse are kept. */
	for (size_t i = 0; i < RATELIMIT_LANE_BUCKETS; i++) {
		const struct ratelimit_bucket *bucket = lane->met[i].bucket;

		if (bucket && bucket->known && !bucket->remaining && now_ns < bucket->reset_ns)
			return false;
	}
	return true;
}

static void sweep(struct ratelimit *limits, uint64_t now_ns, uint64_t idle_ns)
{
	struct lane *lane, *lane_next;
	struct ratelimit_bucket *bucket, *bucket_next;

	HASH_ITER (hh, limits->lanes, lane, lane_next)
		if (lane_droppable(lane, now_ns, idle_ns))
			lane_free(limits, lane);
	HASH_ITER (hh, limits->buckets, bucket, bucket_next)
		if (!bucket->refs && !bucket->inflight && now_ns >= bucket->reset_ns)
			bucket_free(limits, bucket);
}

void ratelimit_sweep(struct ratelimit *limits, uint64_t now_ns)
{
	sweep(limits, now_ns, IDLE_NS);
}

struct ratelimit *ratelimit_new(uint32_t max_lanes)
{
	struct ratelimit *limits = calloc(1, sizeof(*limits));

	if (limits)
		limits->max_lanes = max_lanes ? max_lanes : 1;
	return limits;
}

void ratelimit_free(struct ratelimit *limits)
{
	struct lane *lane, *lane_next;
	struct ratelimit_bucket *bucket, *bucket_next;

	if (!limits)
		return;
	for (size_t i = 0; i < ROUTE_COUNT * ROUTE_VARIANTS; i++)
		free((&limits->route_hash[0][0])[i]);
	HASH_ITER (hh, limits->lanes, lane, lane_next)
		lane_free(limits, lane);
	HASH_ITER (hh, limits->buckets, bucket, bucket_next)
		bucket_free(limits, bucket);
	free(limits);
}

static int lane_new(struct ratelimit *limits, enum route route, unsigned variant, char *key, size_t key_len,
		    size_t major_at, uint64_t now_ns, struct lane **ret_lane)
{
	const char *hash = limits->route_hash[route][variant];
	struct ratelimit_bucket *bucket = NULL;
	bool out_of_memory = false;
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return -ENOMEM;
	lane->key = key;
	lane->key_len = key_len;
	lane->major = key + major_at;
	lane->public.route = route;
	lane->public.variant = variant;
	HASH_ADD_KEYPTR(hh, limits->lanes, lane->key, key_len, lane);
	if (out_of_memory) {
		free(lane);
		return -ENOMEM;
	}
	/* A route whose hash is known: its bucket may be in use by a sister route already. */
	if (hash) {
		bucket = bucket_get(limits, hash, lane->major, now_ns);
		if (bucket) {
			lane_meet(lane, bucket, now_ns);
			lane->public.answered = bucket->known;
		}
	}
	*ret_lane = lane;
	return 0;
}

int ratelimit_lane(struct ratelimit *limits, enum route route, unsigned variant, const char *major, size_t major_len,
		   uint64_t now_ns, struct ratelimit_lane **ret_lane)
{
	struct lane *lane = NULL;
	size_t key_len = 3 + major_len;
	char *key;
	int r;

	if (route < 0 || route >= ROUTE_COUNT || variant >= ROUTE_VARIANTS)
		return -EINVAL;
	key = malloc(key_len + 1);
	if (!key)
		return -ENOMEM;
	key[0] = (char)(1 + route);
	key[1] = (char)('0' + variant);
	key[2] = '|';
	memcpy(key + 3, major, major_len);
	key[key_len] = '\0';
	HASH_FIND(hh, limits->lanes, key, key_len, lane);
	if (lane) {
		free(key);
		lane->used_ns = now_ns;
		*ret_lane = &lane->public;
		return 0;
	}
	if (HASH_COUNT(limits->lanes) >= limits->max_lanes)
		sweep(limits, now_ns, 0);
	r = HASH_COUNT(limits->lanes) >= limits->max_lanes
		    ? -ENOBUFS
		    : lane_new(limits, route, variant, key, key_len, 3, now_ns, &lane);
	if (r < 0) {
		free(key);
		return r;
	}
	lane->used_ns = now_ns;
	*ret_lane = &lane->public;
	return 0;
}

uint64_t ratelimit_wait(struct ratelimit_lane *public, uint64_t now_ns)
{
	struct lane *lane = CONTAINER_OF(public, struct lane, public);
	uint64_t wait_ns = 0;

	if (now_ns < public->blocked_until_ns)
		return public->blocked_until_ns - now_ns;
	if (public->inflight && (!public->answered || (route_rows[public->route].flags & ROUTE_ORDERED)))
		return RATELIMIT_FOREVER;
	/* Which of its buckets the next request meets is Discord's choice: none of those met lately may be spent. */
	for (size_t i = 0; i < RATELIMIT_LANE_BUCKETS; i++) {
		uint64_t one_ns;

		if (!lane->met[i].bucket || (i && now_ns - lane->met[i].met_ns > STALE_NS))
			continue;
		one_ns = bucket_wait(lane->met[i].bucket, now_ns);
		if (one_ns > wait_ns)
			wait_ns = one_ns;
	}
	return wait_ns;
}

struct ratelimit_permit ratelimit_take(struct ratelimit_lane *public, uint64_t now_ns)
{
	struct lane *lane = CONTAINER_OF(public, struct lane, public);
	struct ratelimit_bucket *bucket = lane->met[0].bucket;

	public->inflight++;
	lane->used_ns = now_ns;
	if (bucket) {
		bucket_roll(bucket, now_ns);
		bucket->inflight++;
		bucket->used_ns = now_ns;
		if (bucket->known && bucket->remaining)
			bucket->remaining--;
	}
	return (struct ratelimit_permit){ .lane = public, .bucket = bucket };
}

void ratelimit_failed(struct ratelimit_permit *permit)
{
	if (permit->lane)
		permit->lane->inflight--;
	if (permit->bucket)
		permit->bucket->inflight--;
	*permit = (struct ratelimit_permit){ NULL, NULL };
}

static int route_learn(struct ratelimit *limits, const struct ratelimit_lane *lane, const char *hash)
{
	char **known = &limits->route_hash[lane->route][lane->variant];
	char *copy;

	if (*known && strcmp(*known, hash) == 0)
		return 0;
	copy = strdup(hash);
	if (!copy)
		return -ENOMEM;
	free(*known);
	*known = copy;
	return 0;
}

int ratelimit_answered(struct ratelimit *limits, struct ratelimit_permit *permit, const struct ratelimit_answer *answer,
		       uint64_t now_ns)
{
	struct ratelimit_lane *public = permit->lane;
	struct ratelimit_bucket *bucket;
	struct lane *lane;
	int r = 0;

	ratelimit_failed(permit);
	if (!public)
		return 0;
	lane = CONTAINER_OF(public, struct lane, public);
	public->answered = true;
	lane->used_ns = now_ns;
	if (answer->hash[0]) {
		r = route_learn(limits, public, answer->hash);
		bucket = bucket_get(limits, answer->hash, lane->major, now_ns);
		if (bucket)
			lane_meet(lane, bucket, now_ns);
		else
			r = -ENOMEM;
	}
	bucket = lane->met[0].bucket;
	/* On a shared limit the numbers beside it speak of something else. */
	if (bucket && answer->hash[0] && answer->scope != RATELIMIT_SCOPE_SHARED)
		bucket_learn(bucket, answer, now_ns);
	if (!answer->limited || answer->scope == RATELIMIT_SCOPE_GLOBAL || answer->scope == RATELIMIT_SCOPE_BAN)
		return r;
	if (now_ns + answer->retry_after_ns > public->blocked_until_ns)
	public->blocked_until_ns = now_ns + answer->retry_after_ns;
	/* Our own bucket is empty, whatever its headers say: those who share it wait as well. */
	if (bucket && bucket->known && answer->scope == RATELIMIT_SCOPE_USER) {
		bucket->remaining = 0;
		if (public->blocked_until_ns > bucket->reset_ns)
			bucket->reset_ns = public->blocked_until_ns;
	}
	return r;
}

uint32_t ratelimit_bucket_count(const struct ratelimit *limits)
{
	return HASH_COUNT(limits->buckets);
}

uint32_t ratelimit_lane_count(const struct ratelimit *limits)
{
	return HASH_COUNT(limits->lanes);
}
