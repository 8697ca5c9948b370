/* First the list of guilds, when the cache lost even that; then guild by guild four requests at once, whose answers
 * become the record. What fails is left for later, behind the others; Discord's refusals mean that we are not there. */
#include "shard/cache/fill.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/snowflake.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define LIST_PAGE         200 /* the most that Discord gives at once */
#define PAUSE_NS          (5 * NS_PER_S)
#define PAUSE_MAX_NS      (300 * NS_PER_S)
#define DROP_PAUSE_MAX_NS (30 * NS_PER_S)
#define REPORT_NS         (10 * NS_PER_S)
#define NOT_THERE         10004 /* Unknown Guild */
#define NO_ACCESS         50001 /* Missing Access */
#define FORM_OF_LIMIT     "limit=" STRINGIFY(LIST_PAGE)
#define STRINGIFY(x)      STRINGIFY_(x)
#define STRINGIFY_(x)     #x

enum part { PART_OF_GUILD, PART_OF_CHANNELS, PART_OF_THREADS, PART_OF_MEMBER, PART_COUNT };

static const struct {
	enum route route;
	const char *query;
} parts[PART_COUNT] = {
	[PART_OF_GUILD] = { ROUTE_GET_GUILD, "with_counts=true" },
	[PART_OF_CHANNELS] = { ROUTE_GET_CHANNELS, NULL },
	[PART_OF_THREADS] = { ROUTE_GET_ACTIVE_THREADS, NULL },
	[PART_OF_MEMBER] = { ROUTE_GET_MEMBER, NULL },
};

struct request {
	struct fill *fill;
	uint64_t handle; /* 0: none is under way */
	json_t *body;
};

struct fill {
	struct cache *cache;
	struct rest *rest;
	struct fill_options options;
	uint64_t dropped;    /* the cache's count, as of which list_after is */
	uint64_t list_after; /* the last id of the last page */
	struct request list;
	struct request requests[PART_COUNT];
	uint32_t open;     /* requests under way */
	uint64_t guild_id; /* whose they are; afterwards the last one that was tried */
	int error;         /* the first one among them */
	bool not_there;
	uint64_t credit_ns; /* until when our share is used up */
	uint64_t pause_until_ns, pause_ns;
	uint64_t drops_seen, drop_pause_ns;
	uint64_t filled;      /* since it began */
	uint64_t reported_ns; /* 0: nothing to fill */
};

int fill_new(struct cache *cache, struct rest *rest, const struct fill_options *options, struct fill **ret_fill)
{
	struct fill *fill = calloc(1, sizeof(*fill));
	size_t i;

	if (!fill)
		return -ENOMEM;
	fill->cache = cache;
	fill->rest = rest;
	fill->options = *options;
	fill->drops_seen = cache_dropped(cache);
	fill->list.fill = fill;
	for (i = 0; i < PART_COUNT; i++)
		fill->requests[i].fill = fill;
	*ret_fill = fill;
	return 0;
}

static void forget_bodies(struct fill *fill)
{
	size_t i;

	for (i = 0; i < PART_COUNT; i++) {
		json_decref(fill->requests[i].body);
		fill->requests[i].body = NULL;
	}
}

struct fill *fill_free(struct fill *fill)
{
	uint64_t handle;
	size_t i;

	if (!fill)
		return NULL;
	/* The callbacks find nothing to go on with: open never comes to 0 by them. */
	fill->open += 1;
	if ((handle = fill->list.handle))
		rest_cancel(fill->rest, handle);
	for (i = 0; i < PART_COUNT; i++) {
		if ((handle = fill->requests[i].handle))
			rest_cancel(fill->rest, handle);
	}
	forget_bodies(fill);
	free(fill);
	return NULL;
}

/* Trouble: later, and ever later while it lasts. */
static void put_off(struct fill *fill, const char *what, int error)
{
	struct log_ctx ctx = { .shard = -1, .guild_id = fill->guild_id };

	fill->pause_ns = fill->pause_ns ? fill->pause_ns * 2 : PAUSE_NS;
	if (fill->pause_ns > PAUSE_MAX_NS)
		fill->pause_ns = PAUSE_MAX_NS;
	fill->pause_until_ns = clock_monotonic_ns() + fill->pause_ns;
	log_warn(&ctx, "cache.fill_failed", KV_MSG("the guild cache could not be filled by REST; trying again"),
		 KV_STR("what", what), KV_ERR(error), KV_MS("wait", fill->pause_ns / NS_PER_MS));
}

/* --- the list
 * --------------------------------------------------------------------------------------------------------- */

static int take_list(struct fill *fill, const json_t *list)
{
	const char *text;
	uint64_t id;
	const json_t *one;
	size_t i;
	int r;

	json_array_foreach(list, i, one)
	{
		text = json_string_value(json_object_get(one, "id"));
		if (!text || shoal_snowflake_parse(text, strlen(text), &id) < 0)
			return -EBADMSG;
		if (id > fill->list_after)
			fill->list_after = id;
		if (shoal_snowflake_shard(id, fill->options.shard_count) != fill->options.shard_id)
			continue;
		r = cache_found_guild(fill->cache, id);
		if (r < 0)
			return r;
	}
	return 0;
}

static void on_list(void *arg, const struct rest_result *result)
{
	struct request *request = arg;
	struct fill *fill = request->fill;
	uint64_t before = fill->list_after;
	int r = result->error;

	request->handle = 0;
	if (r == -ECANCELED || cache_is_listed(fill->cache) || fill->dropped != cache_dropped(fill->cache))
		return;
	if (r == 0)
		r = json_is_array(result->body) ? take_list(fill, result->body) : -EBADMSG;
	if (r < 0) {
		put_off(fill, "list", r);
		return;
	}
	fill->pause_ns = 0;
	if (json_array_size(result->body) >= LIST_PAGE && fill->list_after > before)
		return; /* there is another page */
	cache_set_listed(fill->cache);
	log_info(NULL, "cache.listed", KV_MSG("which guilds there are is known again"),
		 KV_U64("guilds", cache_count(fill->cache)), KV_U64("missing", cache_missing(fill->cache)));
}

static void ask_list(struct fill *fill)
{
	struct rest_request request = { .route = ROUTE_GET_OWN_GUILDS, .priority = REST_PRIORITY_LOW };
	char query[64];
	int r;

	if (fill->dropped != cache_dropped(fill->cache)) {
		fill->dropped = cache_dropped(fill->cache);
		fill->list_after = 0;
	}
	snprintf(query, sizeof(query), FORM_OF_LIMIT "&after=%" PRIu64, fill->list_after);
	request.query = query;
	r = rest_send(fill->rest, &request, on_list, &fill->list, &fill->list.handle);
	if (r < 0)
		put_off(fill, "list", r);
}

/* --- a guild
 * ---------------------------------------------------------------------------------------------------------- */

static int fill_guild(struct fill *fill)
{
	char *text[PART_COUNT] = { NULL };
	struct shoal_str strs[PART_COUNT];
	struct cache_texts texts;
	int r = 0;
	size_t i;

	for (i = 0; r == 0 && i < PART_COUNT; i++) {
		text[i] = fill->requests[i].body ? json_dumps(fill->requests[i].body, JSON_COMPACT) : NULL;
		if (!text[i])
			r = -EBADMSG;
		else
			strs[i] = (struct shoal_str){ text[i], (uint32_t)strlen(text[i]) };
	}
	if (r == 0) {
		texts = (struct cache_texts){ .guild = strs[PART_OF_GUILD],
					      .channels = strs[PART_OF_CHANNELS],
					      .threads = strs[PART_OF_THREADS],
					      .member = strs[PART_OF_MEMBER] };
		r = cache_fill(fill->cache, fill->guild_id, &texts);
	}
	for (i = 0; i < PART_COUNT; i++)
		free(text[i]);
	return r;
}

static void guild_done(struct fill *fill)
{
	int r = fill->error;

	if (fill->not_there)
		r = cache_lost_guild(fill->cache, fill->guild_id);
	else if (r == 0)
		r = fill_guild(fill);
	forget_bodies(fill);
	cache_fill_begin(fill->cache, 0);
	if (r == 0) {
		fill->filled++;
		fill->pause_ns = 0;
	} else if (r != -ESTALE && r != -EEXIST && r != -ECANCELED) {
		put_off(fill, "guild", r);
	}
}

static void on_part(void *arg, const struct rest_result *result)
{
	struct request *request = arg;
	struct fill *fill = request->fill;

	request->handle = 0;
	if (result->error == 0)
		request->body = json_incref(result->body);
	else if (fill->error == 0)
		fill->error = result->error;
	if (result->error == -SHOAL_EDISCORD &&
	    (result->discord_code == NOT_THERE || result->discord_code == NO_ACCESS) &&
	    request == &fill->requests[PART_OF_GUILD])
		fill->not_there = true;
	if (--fill->open == 0)
		guild_done(fill);
}

static void ask_guild(struct fill *fill, uint64_t guild_id)
{
	struct rest_request request = { .priority = REST_PRIORITY_LOW };
	size_t i;
	int r = 0;

	fill->guild_id = guild_id;
	fill->error = 0;
	fill->not_there = false;
	cache_fill_begin(fill->cache, guild_id);
	request.args.ids[ROUTE_ID_GUILD] = guild_id;
	request.args.ids[ROUTE_ID_USER] = cache_self(fill->cache);
	for (i = 0; r == 0 && i < PART_COUNT; i++) {
		request.route = parts[i].route;
		request.query = parts[i].query;
		r = rest_send(fill->rest, &request, on_part, &fill->requests[i], &fill->requests[i].handle);
		if (r == 0)
			fill->open++;
	}
	if (r < 0 && fill->error == 0)
		fill->error = r;
	if (r < 0 && fill->open == 0)
		guild_done(fill);
}

/* --- the share
 * -------------------------------------------------------------------------------------------------------- */

/* Whether @requests are ours to send now. */
static bool take_share(struct fill *fill, uint32_t requests, uint64_t now_ns)
{
	if (now_ns < fill->credit_ns || now_ns < fill->pause_until_ns)
		return false;
	fill->credit_ns = now_ns + requests * NS_PER_S / fill->options.requests_per_s;
	return true;
}

static void report(struct fill *fill, uint64_t now_ns)
{
	size_t missing = cache_missing(fill->cache);
	bool done = missing == 0 && cache_is_listed(fill->cache);

	if (done && fill->reported_ns == 0)
		return;
	if (!done && fill->reported_ns && now_ns - fill->reported_ns < REPORT_NS)
		return;
	if (fill->reported_ns == 0)
		fill->filled = 0;
	fill->reported_ns = done ? 0 : now_ns;
	log_info(NULL, done ? "cache.filled" : "cache.filling",
		 KV_MSG(done ? "the guild cache knows all guilds again" : "asking REST for guilds that are not known"),
		 KV_U64("filled", fill->filled), KV_U64("missing", missing));
}

/* A full disk gives back the room of a cache that it could not keep, so filling would begin at once and fail again: a
 * round of requests each time, for nothing. The first time goes on at once, then ever later until one round succeeds.
 */
static void mind_drops(struct fill *fill, uint64_t now_ns)
{
	uint64_t drops = cache_dropped(fill->cache);

	if (fill->drop_pause_ns && cache_missing(fill->cache) == 0 && cache_is_listed(fill->cache))
		fill->drop_pause_ns = 0;
	if (drops == fill->drops_seen)
		return;
	fill->drops_seen = drops;
	if (fill->drop_pause_ns && fill->pause_until_ns < now_ns + fill->drop_pause_ns)
		fill->pause_until_ns = now_ns + fill->drop_pause_ns;
	fill->drop_pause_ns = fill->drop_pause_ns ? 2 * fill->drop_pause_ns : PAUSE_NS;
	if (fill->drop_pause_ns > DROP_PAUSE_MAX_NS)
		fill->drop_pause_ns = DROP_PAUSE_MAX_NS;
}

void fill_tick(struct fill *fill, uint64_t now_ns)
{
	uint64_t guild_id;

	mind_drops(fill, now_ns);
	report(fill, now_ns);
	if (fill->open > 0 || fill->list.handle || cache_is_away(fill->cache))
		return;
	if (!cache_is_listed(fill->cache)) {
		if (take_share(fill, 1, now_ns))
			ask_list(fill);
		return;
	}
	if (cache_missing(fill->cache) == 0 || !take_share(fill, PART_COUNT, now_ns))
		return;
	guild_id = cache_next_missing(fill->cache, fill->guild_id);
	if (guild_id)
		ask_guild(fill, guild_id);
}
