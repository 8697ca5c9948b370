/* Members of a guild as objects, and the gateway requests about a guild. */
#include "tests/sim/members.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/map.h"
#include "tests/sim/options.h"
#include "tests/sim/util.h"
#include "tests/sim/world.h"

#define ALL_MEMBERS_EVERY_MS 30000
#define CHUNK                1000

static struct map asked_ms; /* guild id -> when all members were last asked for */

json_t *members_json(uint64_t guild_index, uint64_t user_id)
{
	json_t *changed = json_object_get(world_changes(guild_index), "members"), *member, *over;
	bool bot = user_id == options.application_id;
	struct world_ref ref;
	struct buf text;
	char key[24];

	snprintf(key, sizeof(key), "%llu", (unsigned long long)user_id);
	over = json_object_get(changed, key);
	if (json_is_null(over))
		return NULL;
	if (!bot && !(world_find(user_id, &ref) && ref.kind == WORLD_USER && ref.guild == guild_index))
		return over ? json_deep_copy(over) : NULL;
	buf_init(&text, 8192);
	buf_lit(&text, "{\"user\":");
	world_user(&text, user_id);
	buf_lit(&text, ",");
	world_member_fields(&text, world_guild_id(guild_index));
	buf_lit(&text, "}");
	member = json_loadb(buf_data(&text), text.len, 0, NULL);
	buf_free(&text);
	if (bot)
		json_object_set_new(member, "roles",
				    json_pack("[o]", json_sprintf("%llu", (unsigned long long)world_id(
										  guild_index, WORLD_ROLE, 1))));
	json_object_update(member, over);
	return member;
}

static void push(struct gateway *g, const char *type, json_t *d)
{
	struct payload *p = event_json(type, false, d);

	json_decref(d);
	if (p)
		session_push(g->session, p);
	payload_unref(p);
}

static bool limited(struct gateway *g, uint64_t guild_id, const json_t *nonce)
{
	uint64_t now = mono_ms(), last = (uintptr_t)map_get(&asked_ms, guild_id);
	json_t *meta;

	if (!last || now - last >= ALL_MEMBERS_EVERY_MS) {
		map_put(&asked_ms, guild_id, (void *)(uintptr_t)now);
		return false;
	}
	meta = json_pack("{s:o}", "guild_id", json_sprintf("%llu", (unsigned long long)guild_id));
	if (nonce)
		json_object_set(meta, "nonce", (json_t *)nonce);
	gateway_stats.op8_limited++;
	push(g, "RATE_LIMITED",
	     json_pack("{s:i,s:f,s:o}", "opcode", 8, "retry_after",
		       (double)(ALL_MEMBERS_EVERY_MS - (now - last)) / 1000.0, "meta", meta));
	return true;
}

static bool has_prefix(const json_t *member, const char *prefix)
{
	const char *name = json_string_value(json_object_get(json_object_get(member, "user"), "username"));
	const char *nick = json_string_value(json_object_get(member, "nick"));
	size_t n = strlen(prefix);

	return (name && !strncasecmp(name, prefix, n)) || (nick && !strncasecmp(nick, prefix, n));
}

static json_t *by_query(uint64_t index, const char *query, size_t limit)
{
	json_t *found = json_array();

	for (uint32_t i = 0; i <= options.members && (!limit || json_array_size(found) < limit); i++) {
		uint64_t id = i < options.members ? world_id(index, WORLD_USER, i) : options.application_id;
		json_t *member = members_json(index, id);

		if (member && has_prefix(member, query))
			json_array_append(found, member);
		json_decref(member);
	}
	return found;
}

static json_t *by_ids(uint64_t index, const json_t *ids, json_t *not_found)
{
	json_t *found = json_array(), *id;
	size_t i;

	json_array_foreach((json_t *)ids, i, id)
	{
		const char *text = json_string_value(id);
		json_t *member = text ? members_json(index, snowflake_parse(text)) : NULL;

		if (member)
			json_array_append_new(found, member);
		else
			json_array_append(not_found, id);
	}
	return found;
}

static void send_chunks(struct gateway *g, const char *guild_id, json_t *found, json_t *not_found, bool presences,
			const json_t *nonce)
{
	size_t n = json_array_size(found), chunks = n ? (n + CHUNK - 1) / CHUNK : 1;

	for (size_t c = 0; c < chunks; c++) {
		json_t *part = json_array(), *shown = json_array(), *d;

		for (size_t i = c * CHUNK; i < n && i < (c + 1) * CHUNK; i++) {
			json_t *member = json_array_get(found, i);

			json_array_append(part, member);
			json_array_append_new(shown, json_pack("{s:{s:O},s:s,s:{},s:[]}", "user", "id",
							       json_object_get(json_object_get(member, "user"), "id"),
							       "status", "online", "client_status", "activities"));
		}
		d = json_pack("{s:s,s:o,s:i,s:i}", "guild_id", guild_id, "members", part, "chunk_index", (int)c,
			      "chunk_count", (int)chunks);
		if (c == 0 && json_array_size(not_found))
			json_object_set(d, "not_found", not_found);
		if (presences)
			json_object_set(d, "presences", shown);
		if (nonce)
			json_object_set(d, "nonce", (json_t *)nonce);
		json_decref(shown);
		push(g, "GUILD_MEMBERS_CHUNK", d);
		if (!g->session)
			break;
	}
}

void members_request(struct gateway *g, const json_t *d)
{
	const json_t *guild = json_object_get(d, "guild_id"), *ids = json_object_get(d, "user_ids");
	const json_t *query = json_object_get(d, "query"), *limit = json_object_get(d, "limit");
	const json_t *nonce = json_object_get(d, "nonce");
	bool presences = json_is_true(json_object_get(d, "presences"));
	json_t *found, *not_found, *one = NULL;
	const char *guild_id;
	uint64_t index;

	gateway_stats.op8++;
	if (json_is_array(guild) && json_array_size(guild) == 1)
		guild = json_array_get(guild, 0);
	guild_id = json_string_value(guild);
	if (json_is_string(ids))
		ids = one = json_pack("[O]", ids);
	if (!guild_id || (!json_is_string(query) && !json_is_array(ids)) ||
	    (json_is_string(query) && !json_is_array(ids) &&
	     (!json_is_integer(limit) || json_integer_value(limit) < 0)) ||
	    json_array_size(ids) > 100) {
		json_decref(one);
		gateway_close(g, 4002, "Error while decoding payload.");
		return;
	}
	if (!json_is_string(nonce) || json_string_length(nonce) > 32)
		nonce = NULL; /* a longer one is dropped without a word */
	not_found = json_array();
	if (!world_guild_index(snowflake_parse(guild_id), &index) ||
	    world_shard_of(snowflake_parse(guild_id), g->session->count) != g->session->shard ||
	    (presences && !(g->session->intents & INTENT_GUILD_PRESENCES))) {
		json_decref(one);
		json_decref(not_found);
		return; /* Discord stays silent: a client needs a timeout */
	}
	if (json_is_array(ids)) {
		found = by_ids(index, ids, not_found);
	} else if (json_string_length(query) == 0 && json_integer_value(limit) == 0) {
		if (!(g->session->intents & INTENT_GUILD_MEMBERS) || limited(g, snowflake_parse(guild_id), nonce)) {
			json_decref(not_found);
			return;
		}
		found = by_query(index, "", 0);
	} else {
		found = by_query(index, json_string_value(query),
				 json_integer_value(limit) > 100 ? 100 : (size_t)json_integer_value(limit));
	}
	send_chunks(g, guild_id, found, not_found, presences, nonce);
	json_decref(found);
	json_decref(not_found);
	json_decref(one);
}

void members_soundboard(struct gateway *g, const json_t *d)
{
	json_t *ids = json_object_get(d, "guild_ids"), *id;
	size_t i;

	if (!json_is_array(ids)) {
		gateway_close(g, 4002, "Error while decoding payload.");
		return;
	}
	json_array_foreach(ids, i, id)
	{
		if (json_is_string(id) && g->session)
			push(g, "SOUNDBOARD_SOUNDS", json_pack("{s:O,s:[]}", "guild_id", id, "soundboard_sounds"));
	}
}

void members_channel_info(struct gateway *g, const json_t *d)
{
	const json_t *id = json_object_get(d, "guild_id");
	json_t *channels = json_array();
	uint64_t index;

	if (!json_is_string(id) || !json_is_array(json_object_get(d, "fields"))) {
		json_decref(channels);
		gateway_close(g, 4002, "Error while decoding payload.");
		return;
	}
	if (!world_guild_index(snowflake_parse(json_string_value(id)), &index)) {
		json_decref(channels);
		return;
	}
	for (uint32_t i = 0; i < options.channels; i++) {
		if (world_channel_type(i) == CHANNEL_VOICE)
			json_array_append_new(
				channels,
				json_pack("{s:o,s:n}", "id",
					  json_sprintf("%llu", (unsigned long long)world_id(index, WORLD_CHANNEL, i)),
					  "status"));
	}
	push(g, "CHANNEL_INFO", json_pack("{s:O,s:o}", "guild_id", id, "channels", channels));
}
