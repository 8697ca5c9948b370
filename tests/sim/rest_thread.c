/* Threads hang on a message, whose id they have, or on none. A message has one at most; a message is published once. */
#include "tests/sim/rest_thread.h"

#include <stdlib.h>

#include "tests/sim/events.h"
#include "tests/sim/map.h"
#include "tests/sim/options.h"
#include "tests/sim/session.h"
#include "tests/sim/util.h"
#include "tests/sim/world.h"

#define THREADS_MAX      100000
#define TYPE_NEWS        10
#define TYPE_PUBLIC      11
#define TYPE_PRIVATE     12
#define FLAG_CROSSPOSTED (1 << 0)
#define FLAG_HAS_THREAD  (1 << 5)

struct thread {
	struct channel_place place;
	json_t *json;
};

static struct map threads;

static json_t *id_json(uint64_t id)
{
	return json_sprintf("%llu", (unsigned long long)id);
}

bool thread_find(uint64_t id, struct channel_place *ret)
{
	struct thread *thread = map_get(&threads, id);

	if (!thread)
		return false;
	*ret = thread->place;
	return true;
}

json_t *thread_json(uint64_t id)
{
	struct thread *thread = map_get(&threads, id);

	return thread ? json_copy(thread->json) : NULL;
}

void threads_free(void)
{
	MAP_EACH(&threads, slot)
	{
		struct thread *thread = slot->value;

		json_decref(thread->json);
		free(thread);
	}
	map_free(&threads);
}

static bool name_good(struct rest_call *c)
{
	const char *name = json_string_value(json_object_get(c->body, "name"));

	if (name && name[0] && utf16_length(name) <= 100)
		return true;
	rest_invalid(c, "name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.");
	return false;
}

static json_t *thread_object(const struct channel_place *parent, uint64_t id, int type, const json_t *body)
{
	const json_t *minutes = json_object_get(body, "auto_archive_duration");
	struct buf now;
	json_t *made;

	buf_init(&now, 64);
	buf_iso(&now, wall_ms());
	made = json_loadb(buf_data(&now), now.len, JSON_DECODE_ANY, NULL);
	buf_free(&now);
	return json_pack("{s:o,s:o,s:o,s:i,s:O,s:o,s:i,s:i,s:{s:b,s:I,s:O,s:b,s:o}}", "id", id_json(id), "guild_id",
			 id_json(parent->guild_id), "parent_id", id_json(parent->channel_id), "type", type, "name",
			 json_object_get(body, "name"), "owner_id", id_json(options.application_id), "message_count", 0,
			 "member_count", 1, "thread_metadata", "archived", 0, "auto_archive_duration",
			 json_is_integer(minutes) ? json_integer_value(minutes) : (json_int_t)4320, "archive_timestamp",
			 made, "locked", 0, "create_timestamp", made);
}

static void make(struct rest_call *c, const struct channel_place *parent, uint64_t id, int type)
{
	struct thread *thread = threads.used < THREADS_MAX ? calloc(1, sizeof(*thread)) : NULL;
	json_t *told;

	if (!thread || map_put(&threads, id, thread) < 0) {
		free(thread);
		rest_empty(c, 500);
		return;
	}
	thread->place = *parent;
	thread->place.channel_id = id;
	thread->json = thread_object(parent, id, type, c->body);
	told = json_copy(thread->json);
	json_object_set_new(told, "newly_created", json_true());
	session_deliver(event_json("THREAD_CREATE", false, told), parent->guild_id);
	json_decref(told);
	rest_done(c, id);
	rest_json(c, 201, json_copy(thread->json));
}

/* The place of the first parameter, where threads can be; false when the call was answered. */
static bool parent_of(struct rest_call *c, struct channel_place *ret)
{
	if (!channel_find(rest_id(c, 0), ret)) {
		rest_fail(c, 10003);
		return false;
	}
	if (ret->dm || !ret->text || map_get(&threads, ret->channel_id)) {
		rest_fail(c, 50024);
		return false;
	}
	return true;
}

void rest_thread_from_message(struct rest_call *c)
{
	struct channel_place parent;
	struct stored *m;

	if (!parent_of(c, &parent))
		return;
	m = store_find(rest_id(c, 1));
	if (!m || m->channel_id != parent.channel_id) {
		rest_fail(c, 10008);
		return;
	}
	if (map_get(&threads, m->id)) {
		rest_fail(c, 160004);
		return;
	}
	if (!name_good(c))
		return;
	json_object_set_new(
		store_object(m), "flags",
		json_integer(json_integer_value(json_object_get(store_object(m), "flags")) | FLAG_HAS_THREAD));
	make(c, &parent, m->id, world_channel_type(parent.number) == CHANNEL_NEWS ? TYPE_NEWS : TYPE_PUBLIC);
}

void rest_thread_create(struct rest_call *c)
{
	json_int_t type = json_integer_value(json_object_get(c->body, "type"));
	struct channel_place parent;

	if (!parent_of(c, &parent) || !name_good(c))
		return;
	make(c, &parent, snowflake_new(), type == TYPE_PUBLIC ? TYPE_PUBLIC : TYPE_PRIVATE);
}

void rest_message_crosspost(struct rest_call *c)
{
	struct channel_place place;
	json_int_t flags;
	struct stored *m;

	if (!channel_find(rest_id(c, 0), &place)) {
		rest_fail(c, 10003);
		return;
	}
	if (place.dm || world_channel_type(place.number) != CHANNEL_NEWS) {
		rest_fail(c, 50024);
		return;
	}
	m = store_find(rest_id(c, 1));
	if (!m || m->channel_id != place.channel_id) {
		rest_fail(c, 10008);
		return;
	}
	flags = json_integer_value(json_object_get(store_object(m), "flags"));
	if (flags & FLAG_CROSSPOSTED) {
		rest_fail(c, 40033);
		return;
	}
	json_object_set_new(store_object(m), "flags", json_integer(flags | FLAG_CROSSPOSTED));
	rest_done(c, m->id);
	rest_json(c, 200, store_json(m));
}
