/* The guard of session starts: token, intents, shard, buckets of max_concurrency, and the day's limit whose breach
 * resets the token. What happens here is what an operator fears most, so all of it is recorded. */
#include "tests/sim/identify.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/map.h"
#include "tests/sim/options.h"
#include "tests/sim/util.h"
#include "tests/sim/waits.h"
#include "tests/sim/world.h"

#define RECORDS_MAX          8192
#define SHARD_COUNT_MAX      16384
#define GUILDS_PER_SHARD_MAX 2500

struct record {
	uint64_t at_ms; /* wall */
	uint32_t shard, count, bucket;
	bool accepted;
};

static struct record records[RECORDS_MAX];
static uint64_t record_count;
static uint64_t total, accepted, refused_bucket, refused_other;
static uint64_t last_us[SHARD_COUNT_MAX]; /* by bucket, monotonic; 0: never */
static uint32_t by_shard[SHARD_COUNT_MAX];
static uint64_t window_end_ms; /* monotonic; 0: no start was spent yet */
static bool token_reset;
static json_t *disasters;

bool identify_token_valid(const char *token)
{
	return token && !token_reset && !strcmp(token, options.token);
}

uint64_t identify_total(void)
{
	return total;
}

uint64_t identify_accepted(void)
{
	return accepted;
}

uint64_t identify_count_of(uint32_t shard)
{
	return shard < SHARD_COUNT_MAX ? by_shard[shard] : 0;
}

uint64_t identify_application_flags(void)
{
	uint64_t flags = 1ULL << 23; /* has commands */

	if (options.granted_intents & INTENT_GUILD_PRESENCES)
		flags |= 1ULL << 12;
	if (options.granted_intents & INTENT_GUILD_MEMBERS)
		flags |= 1ULL << 14;
	if (options.granted_intents & INTENT_MESSAGE_CONTENT)
		flags |= 1ULL << 18;
	return flags;
}

static void roll_window(void)
{
	uint64_t now = mono_ms();

	if (window_end_ms && now >= window_end_ms) {
		options.session_remaining = options.session_total;
		window_end_ms = 0;
	}
}

json_t *identify_limit_json(void)
{
	uint64_t now = mono_ms();

	roll_window();
	return json_pack("{s:I,s:I,s:I,s:I}", "total", (json_int_t)options.session_total, "remaining",
			 (json_int_t)options.session_remaining, "reset_after",
			 (json_int_t)(window_end_ms ? window_end_ms - now : options.session_reset_after_s * 1000),
			 "max_concurrency", (json_int_t)options.max_concurrency);
}

static void end_by_token(struct gateway *g, void *arg)
{
	(void)arg;
	gateway_close(g, 4004, "Authentication failed.");
}

void identify_reset_token(const char *why)
{
	token_reset = true;
	if (!disasters)
		disasters = json_array();
	json_array_append_new(disasters, json_pack("{s:s,s:s,s:I}", "what", "token_reset", "why", why, "at_ms",
						   (json_int_t)wall_ms()));
	log_line(LOG_ERROR, "the bot's token was reset: %s", why);
	while (session_list())
		session_end(session_list());
	gateway_each(UINT32_MAX, end_by_token, NULL);
}

void identify_stats_reset(void)
{
	total = accepted = refused_bucket = refused_other = record_count = 0;
	memset(by_shard, 0, sizeof(by_shard));
	if (disasters)
		json_array_clear(disasters);
}

json_t *identify_stats_json(void)
{
	uint64_t first = record_count > RECORDS_MAX ? record_count - RECORDS_MAX : 0;
	json_t *buckets = json_object(), *all;

	for (uint64_t i = first; i < record_count; i++) {
		const struct record *r = &records[i % RECORDS_MAX];
		char name[16];
		json_t *list;

		snprintf(name, sizeof(name), "%u", r->bucket);
		list = json_object_get(buckets, name);
		if (!list) {
			list = json_array();
			json_object_set_new(buckets, name, list);
		}
		json_array_append_new(list, json_pack("{s:I,s:i,s:i,s:b}", "at_ms", (json_int_t)r->at_ms, "shard",
						      (int)r->shard, "count", (int)r->count, "accepted", r->accepted));
	}
	all = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "total", (json_int_t)total, "accepted", (json_int_t)accepted,
			"refused", (json_int_t)(refused_bucket + refused_other), "refused_bucket",
			(json_int_t)refused_bucket, "refused_other", (json_int_t)refused_other, "remaining",
			(json_int_t)options.session_remaining, "by_bucket", buckets);
	json_object_set_new(all, "disasters", disasters ? json_copy(disasters) : json_array());
	return all;
}

/* --- READY ------------------------------------------------------------------------------------------------------- */

static void put_ready(struct buf *b, const struct session *s)
{
	uint64_t flags = identify_application_flags();

	buf_lit(b, "{\"v\":10,\"user_settings\":{},\"user\":{\"verified\":true,\"username\":\"shoal\",\"id\":\"");
	buf_u64(b, options.application_id);
	buf_lit(b, "\",\"mfa_enabled\":true,\"global_name\":null,\"flags\":0,\"email\":null,"
		   "\"discriminator\":\"4071\",\"clan\":null,\"bot\":true,\"bio\":\"\",\"avatar\":null,"
		   "\"public_flags\":65536,\"primary_guild\":null,\"collectibles\":null,"
		   "\"avatar_decoration_data\":null},\"shard\":[");
	buf_printf(b, "%u,%u],\"session_type\":\"normal\",\"session_id\":\"%s\",\"resume_gateway_url\":", s->shard,
		   s->count, s->id);
	buf_json_str(b, gateway_urls.resume);
	buf_lit(b, ",\"relationships\":[],\"private_channels\":[],\"presences\":[],\"guild_join_requests\":[],"
		   "\"geo_ordered_rtc_regions\":[\"rotterdam\",\"us-east\"],\"guilds\":[");
	if (s->intents & INTENT_GUILDS) {
		bool any = false;

		for (uint64_t i = world_first_guild(s->shard, s->count); i < world_guild_count(); i += s->count) {
			if (world_guild_flag(i, "gone"))
				continue;
			buf_str(b, any ? ",{\"unavailable\":true,\"id\":\"" : "{\"unavailable\":true,\"id\":\"");
			buf_u64(b, world_guild_id(i));
			buf_lit(b, "\"}");
			any = true;
		}
	}
	buf_printf(b,
		   "],\"auth\":{},\"application\":{\"id\":\"%llu\",\"flags\":%llu,\"flags_new\":\"%llu\"},"
		   "\"_trace\":[\"[\\\"gateway-sim\\\",{\\\"micros\\\":1}]\"]}",
		   (unsigned long long)options.application_id, (unsigned long long)flags,
		   (unsigned long long)(flags | 1ULL << 55));
}

static void start_session(struct gateway *g, uint32_t shard, uint32_t count, uint64_t intents)
{
	struct session *s = session_new(shard, count, intents);
	struct payload *ready;
	struct buf text;

	if (!s) {
		gateway_close(g, 4000, "Unknown error.");
		return;
	}
	buf_init(&text, 16 << 20);
	put_ready(&text, s);
	ready = payload_new("READY", false, &text, NULL);
	buf_free(&text);
	s->gateway = g;
	g->session = s;
	if (ready)
		session_push(s, ready);
	payload_unref(ready);
	waits_changed();
}

/* --- op 2 -------------------------------------------------------------------------------------------------------- */

struct request {
	uint64_t intents;
	uint32_t shard, count;
};

struct refusal {
	uint16_t code;
	const char *reason;
};

static const struct refusal *check(const json_t *d, struct request *ret)
{
	static const struct refusal authentication = { 4004, "Authentication failed." },
				    decode = { 4002, "Error while decoding payload." },
				    shard = { 4010, "Invalid shard." }, sharding = { 4011, "Sharding required." },
				    intents = { 4013, "Invalid intent(s)." },
				    disallowed = { 4014, "Disallowed intent(s)." };
	const json_t *pair = json_object_get(d, "shard"), *mask = json_object_get(d, "intents");
	const json_t *large = json_object_get(d, "large_threshold");
	json_int_t id = 0, count = 1;

	if (!json_is_string(json_object_get(d, "token")) || !json_is_object(json_object_get(d, "properties")))
		return &decode;
	if (!identify_token_valid(json_string_value(json_object_get(d, "token"))))
		return &authentication;
	if (large && (!json_is_integer(large) || json_integer_value(large) < 50 || json_integer_value(large) > 250))
		return &decode;
	if (!json_is_integer(mask) || json_integer_value(mask) < 0 || (uint64_t)json_integer_value(mask) & ~INTENTS_ALL)
		return &intents;
	if ((uint64_t)json_integer_value(mask) & ~options.granted_intents)
		return &disallowed;
	if (pair) {
		if (json_array_size(pair) != 2 || !json_is_integer(json_array_get(pair, 0)) ||
		    !json_is_integer(json_array_get(pair, 1)))
			return &shard;
		id = json_integer_value(json_array_get(pair, 0));
		count = json_integer_value(json_array_get(pair, 1));
	}
	if (count < 1 || count > SHARD_COUNT_MAX || id < 0 || id >= count ||
	    (options.shard_multiple && count % (json_int_t)options.shard_multiple))
		return &shard;
	*ret = (struct request){ (uint64_t)json_integer_value(mask), (uint32_t)id, (uint32_t)count };
	if (world_guilds_of_shard(ret->shard, ret->count) > GUILDS_PER_SHARD_MAX)
		return &sharding;
	return NULL;
}

/* Books a start. False when the day's are spent and the token is gone. */
static bool spend(void)
{
	roll_window();
	if (!window_end_ms)
		window_end_ms = mono_ms() + options.session_reset_after_s * 1000;
	if (options.session_remaining == 0) {
		identify_reset_token("more IDENTIFYs than session_start_limit allows");
		return false;
	}
	options.session_remaining--;
	return true;
}

void identify_handle(struct gateway *g, const json_t *d)
{
	const struct refusal *refusal;
	struct request request = { 0 };
	uint64_t now = mono_us();
	uint32_t bucket;
	bool fast;

	if (g->session) {
		gateway_close(g, 4005, "Already authenticated.");
		return;
	}
	total++;
	waits_changed();
	refusal = check(d, &request);
	if (refusal && refusal->code < 4010) { /* nobody's identify: costs nothing */
		refused_other++;
		gateway_close(g, refusal->code, refusal->reason);
		return;
	}
	if (!spend())
		return;
	if (refusal) {
		refused_other++;
		gateway_close(g, refusal->code, refusal->reason);
		return;
	}
	bucket = (uint32_t)(request.shard % options.max_concurrency);
	fast = last_us[bucket] && now - last_us[bucket] < options.identify_window_ms * 1000;
	records[record_count++ % RECORDS_MAX] =
		(struct record){ wall_ms(), request.shard, request.count, bucket, !fast };
	if (fast) {
		refused_bucket++;
		log_line(LOG_INFO, "shard %u/%u identified %llu ms after another of bucket %u: op 9", request.shard,
			 request.count, (unsigned long long)(now - last_us[bucket]) / 1000, bucket);
		gateway_send_text(g, "{\"t\":null,\"s\":null,\"op\":9,\"d\":false}");
		return;
	}
	last_us[bucket] = now;
	by_shard[request.shard]++;
	accepted++;
	start_session(g, request.shard, request.count, request.intents);
}
