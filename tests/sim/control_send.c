/* Members, on demand: messages, interactions, any event, any bytes. */
#include "tests/sim/control_send.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/gateway.h"
#include "tests/sim/interactions.h"
#include "tests/sim/ledger.h"
#include "tests/sim/members.h"
#include "tests/sim/options.h"
#include "tests/sim/rest_message.h"
#include "tests/sim/traffic.h"
#include "tests/sim/util.h"
#include "tests/sim/world.h"

#define COUNT_MAX 100000

static json_t *error(const char *text)
{
	return json_pack("{s:s}", "error", text);
}

static json_t *id_json(uint64_t id)
{
	return json_sprintf("%llu", (unsigned long long)id);
}

static uint64_t number(const json_t *body, const char *key, uint64_t initial)
{
	const json_t *value = json_object_get(body, key);

	return json_is_integer(value) && json_integer_value(value) >= 0 ? (uint64_t)json_integer_value(value) : initial;
}

static uint64_t id_of(const json_t *body, const char *key)
{
	const char *text = json_string_value(json_object_get(body, key));

	return text ? snowflake_parse(text) : 0;
}

/* Who is not named: members take turns, so that nobody's cooldown depends on dice; the owner, who may do everything, is
 * none of them unless there is nobody else. */
static uint64_t next_member(void)
{
	static uint64_t turn;

	return options.members > 1 ? 1 + turn++ % (options.members - 1) : 0;
}

/* Where a member speaks. */
struct place {
	uint64_t index, guild_id, channel_id, user_id; /* guild_id 0: DM */
};

/* The place a request names, @step guilds further on (spread). NULL when it is good. */
static const char *find_place(const json_t *body, uint64_t step, struct place *ret)
{
	bool dm = json_is_true(json_object_get(body, "dm"));
	uint64_t index = number(body, "guild_index", 0), guild_id = id_of(body, "guild_id");
	uint64_t channel_id = id_of(body, "channel_id"), user = number(body, "author_index", UINT64_MAX);
	struct channel_place channel;

	if (guild_id && !world_guild_index(guild_id, &index))
		return "no such guild";
	if (channel_id) {
		if (!channel_find(channel_id, &channel))
			return "no such channel";
		index = channel.guild_index;
		dm = channel.dm;
	}
	if (!world_guild_count())
		return "the world has no guilds: start with --guilds";
	index = (index + step) % world_guild_count();
	if (user == UINT64_MAX)
		user = number(body, "user_index", UINT64_MAX);
	if (user == UINT64_MAX)
		user = next_member();
	user %= options.members;
	ret->index = index;
	ret->guild_id = dm ? 0 : world_guild_id(index);
	ret->user_id = world_id(index, WORLD_USER, (uint32_t)user);
	if (dm)
		ret->channel_id = world_id(index, WORLD_DM, (uint32_t)user);
	else if (channel_id)
		ret->channel_id = channel_id;
	else
		ret->channel_id = world_id(index, WORLD_CHANNEL, world_text_channel(number(body, "channel_index", 0)));
	return NULL;
}

/* An author given in part, made whole. New reference, NULL when none was given. */
static json_t *whole_user(const json_t *given, uint64_t *user_id)
{
	struct buf text;
	json_t *user;

	if (!json_is_object(given))
		return NULL;
	if (id_of(given, "id"))
		*user_id = id_of(given, "id");
	buf_init(&text, 4096);
	world_user(&text, *user_id);
	user = json_loadb(buf_data(&text), text.len, 0, NULL);
	buf_free(&text);
	json_object_update(user, (json_t *)given);
	return user;
}

json_t *control_message(struct exchange *x)
{
	json_t *body = exchange_json(x), *ids = json_array(), *extra = json_object_get(body, "extra"), *result;
	const char *content = json_string_value(json_object_get(body, "content")), *wrong = NULL;
	uint64_t count = number(body, "count", 1), spread = number(body, "spread", 0), delivered = 0;

	if (!json_is_object(body) || !content || count > COUNT_MAX)
		wrong = "content is needed; count is at most 100000";
	for (uint64_t i = 0; i < count && !wrong; i++) {
		struct place place;
		uint64_t n = 0;

		wrong = find_place(body, i * spread, &place);
		if (wrong)
			break;
		json_t *author = whole_user(json_object_get(body, "author"), &place.user_id);
		struct message_event m = { .id = snowflake_new(),
					   .guild_id = place.guild_id,
					   .channel_id = place.channel_id,
					   .author_id = place.user_id,
					   .author = author,
					   .content = content,
					   .extra = json_is_object(extra) ? extra : NULL,
					   .reply_to = id_of(body, "reply_to") };

		if (traffic_message(&m, &n))
			json_array_append_new(ids, id_json(m.id));
		delivered += n;
		json_decref(author);
	}
	if (wrong) {
		json_decref(ids);
		result = error(wrong);
	} else {
		result = json_pack("{s:o,s:I}", "ids", ids, "delivered", (json_int_t)delivered);
		if (count == 1 && json_array_size(ids)) {
			json_t *entry = ledger_entry_json(snowflake_parse(json_string_value(json_array_get(ids, 0))));

			json_object_set(result, "deliveries", json_object_get(entry, "deliveries"));
			json_decref(entry);
		}
	}
	json_decref(body);
	return result;
}

/* `data` as the request's short forms say. New reference, NULL when there is nothing to say. */
static json_t *interaction_data(const json_t *body)
{
	static const char *const keys[] = { "options", "values", "components", "resolved", "component_type" };
	json_t *data = json_object_get(body, "data") ? json_copy(json_object_get(body, "data")) : json_object();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(body, keys[i]);

		if (value)
			json_object_set(data, keys[i], value);
	}
	if (json_object_size(data))
		return data;
	json_decref(data);
	return NULL;
}

json_t *control_interaction(struct exchange *x)
{
	json_t *body = exchange_json(x), *ids = json_array(), *data = interaction_data(body), *result = NULL;
	uint64_t count = number(body, "count", 1), spread = number(body, "spread", 0), delivered = 0;
	const char *wrong = NULL, *name = json_string_value(json_object_get(body, "name"));
	char token[256] = "";

	if (!json_is_object(body) || count > COUNT_MAX || number(body, "type", 2) < 2 || number(body, "type", 2) > 5)
		wrong = "a JSON object is needed; type is 2..5; count is at most 100000";
	else if (!name && (number(body, "type", 2) == 2 || number(body, "type", 2) == 4))
		wrong = "name is needed";
	for (uint64_t i = 0; i < count && !wrong; i++) {
		struct place place;
		uint64_t n = 0, id;

		wrong = find_place(body, i * spread, &place);
		if (wrong)
			break;
		json_t *user = whole_user(json_object_get(body, "user"), &place.user_id);
		struct interaction_request r = {
			.guild_id = place.guild_id,
			.channel_id = place.channel_id,
			.user_id = place.user_id,
			.type = (int)number(body, "type", 2),
			.name = name,
			.custom_id = json_string_value(json_object_get(body, "custom_id")),
			.user = user,
			.permissions = json_string_value(json_object_get(body, "permissions")),
			.data = data,
			.extra = json_object_get(body, "extra"),
			.message_id = id_of(body, "message_id"),
		};

		id = interaction_send(&r, token, &n);
		if (id)
			json_array_append_new(ids, id_json(id));
		delivered += n;
		json_decref(user);
	}
	if (wrong) {
		result = error(wrong);
	} else {
		result = json_pack("{s:O?,s:s,s:O,s:I}", "id", json_array_get(ids, 0), "token", token, "ids", ids,
				   "delivered", (json_int_t)delivered);
	}
	json_decref(ids);
	json_decref(data);
	json_decref(body);
	return result;
}

/* An event that is to be found in the ledger, under an id of whoever made it. */
static void enter(struct payload *p, uint64_t cause, uint64_t guild_id)
{
	if (!p || !cause)
		return;
	p->ledger_id = cause;
	ledger_sent(LEDGER_EVENT, cause, guild_id, false);
}

json_t *control_event(struct exchange *x)
{
	json_t *body = exchange_json(x), *d = json_object_get(body, "d"), *result;
	const char *type = json_string_value(json_object_get(body, "t"));
	uint64_t guild_id = id_of(body, "guild_id"), n;
	bool dm = json_is_true(json_object_get(body, "dm"));
	struct payload *p;

	if (!type || !type[0] || strlen(type) > 64 || !d) {
		json_decref(body);
		return error("t (at most 64 characters) and d are needed");
	}
	if (json_object_get(body, "guild_index"))
		guild_id = world_guild_id(number(body, "guild_index", 0));
	p = (!strcmp(type, "MESSAGE_CREATE") || !strcmp(type, "MESSAGE_UPDATE")) && json_is_object(d)
		    ? event_message_json(type, d,
					 dm         ? 0
					 : guild_id ? guild_id
						    : 1)
		    : event_json(type, dm, d);
	enter(p, id_of(body, "cause"), guild_id);
	if (json_is_integer(json_object_get(body, "shard")))
		n = session_deliver_shard(p, (uint32_t)number(body, "shard", 0));
	else
		n = session_deliver(p, guild_id);
	result = json_pack("{s:I}", "delivered", (json_int_t)n);
	json_decref(body);
	return result;
}

struct raw {
	const char *bytes;
	size_t len;
	uint8_t opcode;
	bool frame, compress;
	int applied;
};

static void send_raw(struct gateway *g, void *arg)
{
	struct raw *r = arg;
	struct buf piece = { .mem = (char *)r->bytes, .len = r->len };

	if (r->frame)
		conn_send(g->conn, r->bytes, r->len);
	else if (r->compress)
		gateway_send(g, &piece, 1);
	else
		gateway_send_raw(g, r->opcode, r->bytes, r->len);
	r->applied++;
}

json_t *control_raw(struct exchange *x)
{
	static const struct {
		const char *name;
		uint8_t opcode;
	} opcodes[] = { { "text", WS_TEXT }, { "binary", WS_BINARY }, { "close", WS_CLOSE }, { "ping", WS_PING } };
	json_t *body = exchange_json(x);
	const char *text = json_string_value(json_object_get(body, "text"));
	const char *base64 = json_string_value(json_object_get(body, "base64"));
	const char *opcode = json_string_value(json_object_get(body, "opcode"));
	struct raw raw = { .opcode = WS_TEXT };
	unsigned char *decoded = NULL;
	long n = -1;

	for (size_t i = 0; opcode && i < 4; i++) {
		if (!strcmp(opcodes[i].name, opcode))
			raw.opcode = opcodes[i].opcode;
	}
	if (text) {
		raw.bytes = text;
		n = (long)json_string_length(json_object_get(body, "text"));
	} else if (base64) {
		decoded = malloc(strlen(base64) + 4);
		n = decoded ? base64_decode(decoded, base64) : -1;
		raw.bytes = (char *)decoded;
	}
	if (n >= 0) {
		raw.len = (size_t)n;
		raw.frame = json_is_true(json_object_get(body, "frame"));
		raw.compress = json_is_true(json_object_get(body, "compress"));
		gateway_each((uint32_t)number(body, "shard", UINT32_MAX), send_raw, &raw);
	}
	free(decoded);
	json_decref(body);
	return n < 0 ? error("text or base64 is needed") : json_pack("{s:i}", "applied", raw.applied);
}

/* Somebody who has just joined: known to REST from now on. New reference. */
static json_t *new_member(uint64_t index, uint64_t user_id, const json_t *fields)
{
	json_t *member, *joined;
	struct buf text;
	char key[24];

	buf_init(&text, 8192);
	buf_lit(&text, "{\"user\":");
	world_user(&text, user_id);
	buf_lit(&text, ",");
	world_member_fields(&text, world_guild_id(index));
	buf_lit(&text, "}");
	member = json_loadb(buf_data(&text), text.len, 0, NULL);
	buf_clear(&text);
	buf_iso(&text, wall_ms());
	joined = json_loadb(buf_data(&text), text.len, JSON_DECODE_ANY, NULL);
	buf_free(&text);
	json_object_set_new(member, "joined_at", joined);
	json_object_set_new(member, "roles", json_array());
	if (fields)
		json_object_update(member, (json_t *)fields);
	snprintf(key, sizeof(key), "%llu", (unsigned long long)user_id);
	json_object_set_new(json_object_get(world_changes_make(index), "members"), key, json_deep_copy(member));
	return member;
}

/* What the events of a change (@fields) or a departure (NULL) tell of a member. New reference; NULL: there is none. */
static json_t *changed_member(uint64_t index, uint64_t user_id, const json_t *fields)
{
	json_t *member = members_json(index, user_id), *d;
	char key[24];

	if (!member)
		return NULL;
	snprintf(key, sizeof(key), "%llu", (unsigned long long)user_id);
	if (fields) {
		json_object_update(member, (json_t *)fields);
		json_object_set_new(json_object_get(world_changes_make(index), "members"), key, json_deep_copy(member));
		return member;
	}
	d = json_pack("{s:O}", "user", json_object_get(member, "user"));
	json_object_set_new(json_object_get(world_changes_make(index), "members"), key, json_null());
	json_decref(member);
	return d;
}

json_t *control_guild(struct exchange *x)
{
	json_t *body = exchange_json(x), *changed, *d = NULL;
	const char *action = json_string_value(json_object_get(body, "action"));
	uint64_t index = number(body, "guild_index", 0), guild_id = id_of(body, "guild_id"), n = 0;
	struct world_ref ref;
	struct payload *p;
	struct buf text;

	if (guild_id && world_find(guild_id, &ref))
		index = ref.guild;
	changed = action && index < world_guild_count() ? world_changes_make(index) : NULL;
	guild_id = world_guild_id(index);
	if (!changed) {
		json_decref(body);
		return error("action and a guild of the world are needed");
	}
	if (!strcmp(action, "outage") || !strcmp(action, "leave")) {
		bool outage = action[0] == 'o';

		d = json_pack("{s:o}", "id", id_json(guild_id));
		if (outage)
			json_object_set_new(d, "unavailable", json_true());
		n = session_deliver(event_json("GUILD_DELETE", false, d), guild_id);
		json_object_set_new(changed, outage ? "unavailable" : "gone", json_true());
	} else if (!strcmp(action, "restore") || !strcmp(action, "join")) {
		json_object_set_new(changed, "unavailable", json_false());
		json_object_set_new(changed, "gone", json_false());
		buf_init(&text, 16 << 20);
		world_guild_create(index, false, &text);
		n = session_deliver(payload_new("GUILD_CREATE", false, &text, NULL), guild_id);
		buf_free(&text);
	} else if (!strcmp(action, "update")) {
		json_object_update(json_object_get(changed, "guild"), json_object_get(body, "fields"));
		buf_init(&text, 16 << 20);
		world_guild_create(index, false, &text);
		d = json_loadb(buf_data(&text), text.len, 0, NULL);
		buf_free(&text);
		json_object_del(d, "members");
		json_object_del(d, "channels");
		json_object_del(d, "threads");
		json_object_del(d, "presences");
		json_object_del(d, "voice_states");
		p = event_json("GUILD_UPDATE", false, d);
		enter(p, id_of(body, "cause"), guild_id);
		n = session_deliver(p, guild_id);
	} else if (!strcmp(action, "member_add") && id_of(body, "user_id")) {
		d = new_member(index, id_of(body, "user_id"), json_object_get(body, "fields"));
		json_object_set_new(d, "guild_id", id_json(guild_id));
		p = event_json("GUILD_MEMBER_ADD", false, d);
		enter(p, id_of(body, "cause"), guild_id);
		n = session_deliver(p, guild_id);
	} else if ((!strcmp(action, "member_update") || !strcmp(action, "member_remove")) && id_of(body, "user_id")) {
		bool update = !strcmp(action, "member_update");

		d = changed_member(index, id_of(body, "user_id"), update ? json_object_get(body, "fields") : NULL);
		if (!d) {
			json_decref(body);
			return error("there is no such member");
		}
		json_object_set_new(d, "guild_id", id_json(guild_id));
		p = event_json(update ? "GUILD_MEMBER_UPDATE" : "GUILD_MEMBER_REMOVE", false, d);
		enter(p, id_of(body, "cause"), guild_id);
		n = session_deliver(p, guild_id);
	} else {
		json_decref(body);
		return error("action is outage, restore, leave, join, update, or member_add, member_update or "
			     "member_remove with a user_id");
	}
	json_decref(d);
	json_decref(body);
	return json_pack("{s:o,s:I}", "guild_id", id_json(guild_id), "delivered", (json_int_t)n);
}
