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
#define STATE_COLUMNS        13 /* of the table; the longest word of a state has no more */

static const char *state_of(const json_t *shard)
{
	const char *state = json_string_value(json_object_get(shard, "state"));

	return state ? state : "";
}

/* A state by the name that it has for operators; one that a newer supervisor knows alone is unknown. */
static const char *state_words(const struct shoal_invocation *inv, const json_t *shard)
{
	static const struct shoal_phrase *const words[SHARD_STATE_COUNT] = {
		[SHARD_STATE_NONE] = &phrase_SHARD_NONE,
		[SHARD_STATE_STARTING] = &phrase_SHARD_STARTING,
		[SHARD_STATE_CONNECTING] = &phrase_SHARD_CONNECTING,
		[SHARD_STATE_WAITING] = &phrase_SHARD_WAITING,
		[SHARD_STATE_IDENTIFYING] = &phrase_SHARD_IDENTIFYING,
		[SHARD_STATE_RESUMING] = &phrase_SHARD_RESUMING,
		[SHARD_STATE_LOADING] = &phrase_SHARD_LOADING,
		[SHARD_STATE_READY] = &phrase_SHARD_READY,
		[SHARD_STATE_BACKOFF] = &phrase_SHARD_BACKOFF,
		[SHARD_STATE_STOPPING] = &phrase_SHARD_STOPPING,
		[SHARD_STATE_STOPPED] = &phrase_SHARD_STOPPED,
		[SHARD_STATE_FAILED] = &phrase_SHARD_FAILED,
	};
	const char *state = state_of(shard);

	for (uint32_t i = 0; i < SHARD_STATE_COUNT; i++)
		if (strcmp(shard_state_name(i), state) == 0)
			return builtin_text(inv, words[i]);
	return builtin_text(inv, &phrase_SHARD_UNKNOWN);
}

/* As wide as @columns; printf() would count bytes. */
static void put_cell(struct buf *out, const char *text, size_t columns)
{
	size_t wide = 0;

	for (const char *at = text; *at; at++)
		wide += ((unsigned char)*at & 0xC0) != 0x80;
	buf_append_str(out, text);
	for (; wide < columns; wide++)
		buf_append_char(out, ' ');
}

static long long number_of(const json_t *shard, const char *key)
{
	return (long long)json_number_value(json_object_get(shard, key));
}

static void table(struct buf *out, const struct shoal_invocation *inv, const json_t *shards)
{
	const json_t *shard;
	size_t i;

	buf_printf(out, "```\n%s\n", builtin_text(inv, &phrase_SHARDS_TABLE));
	json_array_foreach(shards, i, shard)
	{
		buf_printf(out, "%5lld  ", number_of(shard, "id"));
		put_cell(out, state_words(inv, shard), STATE_COLUMNS);
		buf_printf(out, "  %6lld  %4lld ms\n", number_of(shard, "guilds"), number_of(shard, "latency_ms"));
	}
	buf_append_str(out, "```");
}

/* For fleets too large for a table: those that are not ready, by name. */
static void exceptions(struct buf *out, const struct shoal_invocation *inv, const json_t *shards)
{
	CLEANUP(buf_finish) struct buf names = { 0 };
	CLEANUP(buf_finish) struct buf all = { 0 };
	const json_t *shard;
	size_t i, shown = 0, more = 0;
	char count[NUMBER_SIZE];

	buf_init(&names, SHARDS_TEXT_MAX);
	buf_init(&all, SHARDS_TEXT_MAX);
	json_array_foreach(shards, i, shard)
	{
		if (strcmp(state_of(shard), shard_state_name(SHARD_STATE_READY)) == 0)
			continue;
		if (shown == SHARDS_NOT_READY_MAX) {
			more++;
			continue;
		}
		buf_printf(&names, "%s%lld (%s)", shown ? ", " : "", number_of(shard, "id"), state_words(inv, shard));
		shown++;
	}
	if (!shown || !buf_cstr(&names))
		return;
	if (more)
		builtin_put(&all, inv, &phrase_AND_MORE,
			    WORDS({ "list", buf_cstr(&names) }, { "count", builtin_number(more, count) }));
	else
		buf_append_str(&all, buf_cstr(&names));
	builtin_put(out, inv, &phrase_SHARDS_NOT_READY, WORDS({ "shards", buf_cstr(&all) ? buf_cstr(&all) : "" }));
}

static void show(struct shoal_invocation *inv, const json_t *shards)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	const json_t *shard;
	char ready_text[NUMBER_SIZE], count[NUMBER_SIZE], servers[NUMBER_SIZE], own[NUMBER_SIZE];
	long long guilds = 0;
	size_t i, ready = 0;

	buf_init(&out, SHARDS_TEXT_MAX);
	json_array_foreach(shards, i, shard)
	{
		ready += strcmp(state_of(shard), shard_state_name(SHARD_STATE_READY)) == 0;
		guilds += number_of(shard, "guilds");
	}
	builtin_put(&out, inv, &phrase_SHARDS_READY,
		    WORDS({ "ready", builtin_number(ready, ready_text) },
			  { "count", builtin_number(json_array_size(shards), count) },
			  { "servers", builtin_number((uint64_t)guilds, servers) },
			  { "shard", builtin_number(commands_services(inv)->shard_id, own) }));
	buf_append_char(&out, '\n');
	if (json_array_size(shards) <= SHARDS_TABLE_MAX)
		table(&out, inv, shards);
	else
		exceptions(&out, inv, shards);
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
	char shard[NUMBER_SIZE];

	if (error == -SHOAL_EOFFLINE || error == -ETIMEDOUT)
		invocation_refuse(listing->inv, &phrase_SHARDS_NO_SUPERVISOR,
				  WORDS({ "shard", builtin_number(commands_services(listing->inv)->shard_id, shard) }));
	else if (error != -ECANCELED)
		invocation_incident(listing->inv, error_text(error));
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
		invocation_refuse(inv, &phrase_NO_MEMORY, NULL, 0);
		return;
	}
	*listing = (struct listing){ .inv = inv, .shards = list };
	shoal_invocation_hold(inv);
	ask(listing, 0);
}

const struct shoal_command command_shards = {
	.name = "shards",
	.description = "All shards of this bot and how they are",
	.descriptions =
		SHOAL_LOCAL("Alle Shards dieses Bots und wie es ihnen geht",
			    "Todos los shards de este bot y cómo están", "Tutti gli shard di questo bot e come stanno"),
	.handle = shards,
};
