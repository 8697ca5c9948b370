/* /shards: the whole fleet of this host, as the supervisor reads it from the board. It answers even while a shard
 * hangs. */
#include "shard/commands/builtin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/commands/commands.h"
#include "shared/base/buf.h"
#include "shared/base/errors.h"

#define SHARDS_TEXT_MAX      (64 * 1024)
#define SHARDS_TIMEOUT_MS    1000
#define SHARDS_TABLE_MAX     20 /* lines that fit Discord's 2000 characters */
#define SHARDS_NOT_READY_MAX 30

static const char *state_of(const json_t *shard)
{
	const char *state = json_string_value(json_object_get(shard, "state"));

	return state ? state : "unknown";
}

static long long number_of(const json_t *shard, const char *key)
{
	return (long long)json_number_value(json_object_get(shard, key));
}

static void table(struct buf *out, const json_t *shards)
{
	const json_t *shard;
	size_t i;

	buf_append_str(out, "```\nshard  state        guilds  latency\n");
	json_array_foreach(shards, i, shard)
		buf_printf(out, "%5lld  %-11s  %6lld  %4lld ms\n", number_of(shard, "id"), state_of(shard),
			   number_of(shard, "guilds"), number_of(shard, "latency_ms"));
	buf_append_str(out, "```");
}

/* For fleets too large for a table: those that are not ready, by name. */
static void exceptions(struct buf *out, const json_t *shards)
{
	const json_t *shard;
	size_t i, shown = 0, more = 0;

	json_array_foreach(shards, i, shard)
	{
		if (strcmp(state_of(shard), shard_state_name(SHARD_STATE_READY)) == 0)
			continue;
		if (shown == SHARDS_NOT_READY_MAX) {
			more++;
			continue;
		}
		buf_printf(out, "%s%lld (%s)", shown ? ", " : "Not ready: ", number_of(shard, "id"), state_of(shard));
		shown++;
	}
	if (more)
		buf_printf(out, " and %zu more", more);
}

static void show(struct shoal_invocation *inv, const json_t *shards)
{
	CLEANUP(buf_finish) struct buf out;
	const json_t *shard;
	long long guilds = 0;
	size_t i, ready = 0;

	buf_init(&out, SHARDS_TEXT_MAX);
	json_array_foreach(shards, i, shard)
	{
		ready += strcmp(state_of(shard), shard_state_name(SHARD_STATE_READY)) == 0;
		guilds += number_of(shard, "guilds");
	}
	buf_printf(&out, "**%zu of %zu shards ready**, %lld servers. You are on shard %u.\n", ready,
		   json_array_size(shards), guilds, commands_services(inv)->shard_id);
	if (json_array_size(shards) <= SHARDS_TABLE_MAX)
		table(&out, shards);
	else
		exceptions(&out, shards);
	if (buf_cstr(&out))
		shoal_reply_text(inv, buf_cstr(&out));
}

/* A question that is answered in parts when the fleet is large. */
struct listing {
	struct shoal_invocation *inv;
	json_t *shards;
};

static void ask(struct listing *listing, json_int_t first);

static void finish(struct listing *listing)
{
	shoal_invocation_release(listing->inv);
	json_decref(listing->shards);
	free(listing);
}

static void fail(struct listing *listing, int error)
{
	if (error == -SHOAL_EOFFLINE || error == -ETIMEDOUT)
		shoal_reply_error(listing->inv,
				  "The supervisor does not answer just now, so I can speak for shard %u only. "
				  "Please try again in a minute.",
				  commands_services(listing->inv)->shard_id);
	else if (error != -ECANCELED)
		shoal_reply_error(listing->inv, "The list of shards could not be had: %s.", error_text(error));
	finish(listing);
}

static void answered(void *arg, int error, const json_t *answer)
{
	struct listing *listing = arg;
	json_t *part = answer ? json_object_get(answer, "shards") : NULL;
	json_int_t next = answer ? json_integer_value(json_object_get(answer, "next")) : 0;

	if (error == 0 && (!json_is_array(part) || json_array_extend(listing->shards, part) < 0))
		error = -EPROTO;
	if (error < 0) {
		fail(listing, error);
	} else if (next > (json_int_t)json_array_size(listing->shards) - 1 && json_array_size(part) > 0) {
		ask(listing, next);
	} else {
		show(listing->inv, listing->shards);
		finish(listing);
	}
}

static void ask(struct listing *listing, json_int_t first)
{
	struct control_link *control = commands_services(listing->inv)->control;
	int r = control_link_request(control, json_pack("{s:s, s:I}", "verb", "shards", "first", first),
				     SHARDS_TIMEOUT_MS, answered, listing);

	if (r < 0)
		fail(listing, r);
}

static void shards(struct shoal_invocation *inv)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	json_t *list = json_array();

	if (!listing || !list) {
		free(listing);
		json_decref(list);
		shoal_reply_error(inv, "There is no memory for the list just now. Please try again in a minute.");
		return;
	}
	*listing = (struct listing){ .inv = inv, .shards = list };
	shoal_invocation_hold(inv);
	ask(listing, 0);
}

const struct shoal_command command_shards = {
	.name = "shards",
	.description = "All shards of this bot and how they are",
	.handle = shards,
};
