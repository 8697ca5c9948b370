/* One GET a call, its answer read into the structs that events have, by the same tables. Must not be numbered among a
 * scope's effects: whether a handler needs one depends on the cache, and what comes after it must keep its number. */
#include "shard/modhost/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/commands/request.h"
#include "shard/gateway/decode_table.h"
#include "shard/modhost/modhost.h"
#include "shared/base/cleanup.h"

#define ARENA_MAX   ((size_t)16 << 20) /* a guild with all its emojis is well below one */
#define DEADLINE_MS 10000              /* somebody waits for the answer */

struct fetch {
	const struct fetch_row *row;
	shoal_fetched_fn fn;
	void *arg;
	char *text; /* the JSON that the structs point into */
	struct arena arena;
	struct shoal_fetched got;
};

/* --- answers that are no objects of rows -----------------------------------------------------------------------------
 */

static json_t *as_roles(json_t *body)
{
	return json_is_array(body) ? json_pack("{s:O}", "roles", body) : NULL;
}

/* {"id": count} as a list, which a table can read. */
static json_t *as_counts(json_t *body)
{
	json_t *list = json_array(), *count;
	const char *id;

	json_object_foreach(body, id, count)
		json_array_append_new(list, json_pack("{s:s, s:O}", "id", id, "count", count));
	return json_pack("{s:o}", "counts", list);
}

#define TAKES(name, type)                                                    \
	static void take_##name(struct shoal_fetched *got, const void *data) \
	{                                                                    \
		got->name = (const struct type *)data;                       \
	}
TAKES(user, shoal_user)
TAKES(member, shoal_member)
TAKES(guild, shoal_guild_info)
TAKES(channel, shoal_channel)
TAKES(roles, shoal_role_list)
TAKES(role_counts, shoal_role_counts)

/* The id of @id is ROUTE_ID_COUNT where there is none beside the guild's. */
static const struct fetch_row {
	enum route route;
	bool guild;
	enum route_id id;
	const char *query;
	json_t *(*as)(json_t *body);
	const struct reader_table *table;
	void (*take)(struct shoal_fetched *got, const void *data);
} rows[SHOAL_FETCH_COUNT] = {
	[SHOAL_FETCH_USER] = { ROUTE_GET_USER, false, ROUTE_ID_USER, NULL, NULL, &shoal_user_table, take_user },
	[SHOAL_FETCH_MEMBER] = { ROUTE_GET_MEMBER, true, ROUTE_ID_USER, NULL, NULL, &shoal_member_table, take_member },
	[SHOAL_FETCH_GUILD] = { ROUTE_GET_GUILD, true, ROUTE_ID_COUNT, "with_counts=true", NULL,
				&shoal_guild_info_table, take_guild },
	[SHOAL_FETCH_CHANNEL] = { ROUTE_GET_CHANNEL, false, ROUTE_ID_CHANNEL, NULL, NULL, &shoal_channel_table,
				  take_channel },
	[SHOAL_FETCH_ROLES] = { ROUTE_GET_ROLES, true, ROUTE_ID_COUNT, NULL, as_roles, &shoal_role_list_table,
				take_roles },
	[SHOAL_FETCH_ROLE_COUNTS] = { ROUTE_GET_ROLE_COUNTS, true, ROUTE_ID_COUNT, NULL, as_counts,
				      &shoal_role_counts_table, take_role_counts },
};

static void drop(struct fetch *fetch)
{
	arena_finish(&fetch->arena);
	free(fetch->text);
	free(fetch);
}

/* The module's callback: @request has entered its code. */
static void tell(void *arg, const struct shoal_result *result)
{
	struct fetch *fetch = arg;

	fetch->fn(fetch->arg, result, &fetch->got);
	drop(fetch);
}

static int read_body(struct fetch *fetch, json_t *body)
{
	json_t *object = fetch->row->as ? fetch->row->as(body) : json_incref(body);
	const void *data;
	int r;

	fetch->text = json_is_object(object) ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!fetch->text)
		return -EBADMSG;
	r = reader_decode(fetch->row->table, NULL, fetch->text, strlen(fetch->text), &fetch->arena, NULL, &data);
	if (r == 0)
		fetch->row->take(&fetch->got, data);
	return r == -EPROTO ? -EBADMSG : r;
}

static int on_answer(struct request *request, const struct rest_result *answer)
{
	int r = read_body(request->arg, answer->body);

	if (r == 0)
		request_end(request, 0);
	return r;
}

int fetch_begin(struct shoal_scope *scope, int what, uint64_t guild_id, uint64_t id, shoal_fetched_fn fn, void *arg)
{
	struct rest_request rest = { .priority = REST_PRIORITY_HIGH, .deadline_ms = DEADLINE_MS };
	struct effect_scope before = scope->effects;
	struct request *request;
	struct fetch *fetch;
	int r;

	if (what < 0 || what >= SHOAL_FETCH_COUNT || !fn)
		return -EINVAL;
	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return -ENOMEM;
	fetch->row = &rows[what];
	fetch->fn = fn;
	fetch->arg = arg;
	arena_init(&fetch->arena, ARENA_MAX);
	rest.route = fetch->row->route;
	rest.query = fetch->row->query;
	if (fetch->row->guild)
		rest.args.ids[ROUTE_ID_GUILD] = guild_id;
	if (fetch->row->id < ROUTE_ID_COUNT)
		rest.args.ids[fetch->row->id] = id;
	r = request_new(scope, modhost_services()->effects, tell, fetch, &request);
	if (r < 0) {
		drop(fetch);
		return r;
	}
	scope->effects = before;
	request->next = on_answer;
	r = request_go(request, &rest);
	if (r < 0) {
		request_drop(request);
		drop(fetch);
	}
	return r;
}
