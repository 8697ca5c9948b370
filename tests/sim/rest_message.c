/* Channels and their messages. A reply is tied to the message it answers in the ledger, by its reference. */
#include "tests/sim/rest_message.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/effects.h"
#include "tests/sim/ledger.h"
#include "tests/sim/options.h"
#include "tests/sim/rest_thread.h"
#include "tests/sim/session.h"
#include "tests/sim/util.h"
#include "tests/sim/validate.h"
#include "tests/sim/world.h"

#define FLAG_EPHEMERAL (1 << 6)

static json_t *id_json(uint64_t id)
{
	return json_sprintf("%llu", (unsigned long long)id);
}

bool channel_find(uint64_t id, struct channel_place *ret)
{
	struct world_ref ref;

	if (thread_find(id, ret))
		return true;
	if (!world_find(id, &ref) || (ref.kind != WORLD_CHANNEL && ref.kind != WORLD_DM) ||
	    (ref.kind == WORLD_CHANNEL && world_guild_flag(ref.guild, "gone")))
		return false;
	*ret = (struct channel_place){ .channel_id = id, .guild_index = ref.guild, .number = ref.number };
	ret->dm = ref.kind == WORLD_DM;
	ret->guild_id = ret->dm ? 0 : world_guild_id(ref.guild);
	ret->text = ret->dm || (world_channel_type(ref.number) != CHANNEL_CATEGORY &&
				world_channel_type(ref.number) != CHANNEL_FORUM);
	return true;
}

static json_t *bot_user(void)
{
	struct buf text;
	json_t *user;

	buf_init(&text, 4096);
	world_bot_user(&text);
	user = json_loadb(buf_data(&text), text.len, 0, NULL);
	buf_free(&text);
	return user;
}

static json_t *iso_json(uint64_t unix_ms)
{
	struct buf text;
	json_t *value;

	buf_init(&text, 64);
	buf_iso(&text, unix_ms);
	value = json_stringn(buf_data(&text) + 1, text.len - 2);
	buf_free(&text);
	return value;
}

/* Fields of a body that a message simply shows again, and what stands there without them. */
static const struct {
	const char *key;
	const char *empty;
} shown[] = { { "content", "\"\"" }, { "tts", "false" }, { "embeds", "[]" }, { "components", "[]" } };

static void show_body(json_t *message, const json_t *body, bool edit)
{
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		json_t *value = json_object_get(body, shown[i].key);

		if (value && !json_is_null(value))
			json_object_set(message, shown[i].key, value);
		else if (value || !edit)
			json_object_set_new(message, shown[i].key, json_loads(shown[i].empty, JSON_DECODE_ANY, NULL));
	}
	if (json_is_integer(json_object_get(body, "flags")))
		json_object_set(message, "flags", json_object_get(body, "flags"));
}

static void tell(const char *type, const struct stored *m, const json_t *message)
{
	/* An ephemeral message has no guild_id, so it comes as a direct message's does. */
	uint64_t guild_id = m->ephemeral ? 0 : m->guild_id;
	json_t *told = json_copy((json_t *)message);

	if (guild_id) {
		json_object_set_new(told, "guild_id", id_json(guild_id));
		json_object_set_new(told, "channel_type", json_integer(0));
	}
	session_deliver(event_message_json(type, told, guild_id), guild_id);
	json_decref(told);
}

struct stored *message_make(const struct channel_place *place, const json_t *body, const json_t *extra, bool ephemeral)
{
	uint64_t id = snowflake_new();
	json_t *nonce = json_object_get(body, "nonce"), *reference = json_object_get(body, "message_reference");
	json_t *message = json_pack("{s:o,s:o,s:o,s:o,s:n,s:b,s:[],s:[],s:[],s:b,s:i,s:i}", "id", id_json(id),
				    "channel_id", id_json(place->channel_id), "author", bot_user(), "timestamp",
				    iso_json(snowflake_ms(id)), "edited_timestamp", "mention_everyone", 0, "mentions",
				    "mention_roles", "attachments", "pinned", 0, "type", 0, "flags", 0);
	struct stored *m;

	if (!message)
		return NULL;
	show_body(message, body, false);
	if (nonce && !json_is_null(nonce))
		json_object_set(message, "nonce", nonce);
	if (json_is_object(reference)) {
		json_t *full = json_copy(reference);

		json_object_set_new(full, "channel_id", id_json(place->channel_id));
		if (!json_object_get(full, "type"))
			json_object_set_new(full, "type", json_integer(0));
		json_object_set_new(message, "message_reference", full);
		json_object_set_new(message, "type", json_integer(19));
	}
	if (extra)
		json_object_update(message, (json_t *)extra);
	if (ephemeral)
		json_object_set_new(
			message, "flags",
			json_integer(json_integer_value(json_object_get(message, "flags")) | FLAG_EPHEMERAL));
	m = store_bot_message(id, place->channel_id, place->guild_id, message);
	if (!m)
		return NULL;
	m->ephemeral = ephemeral;
	tell("MESSAGE_CREATE", m, message);
	return m;
}

void message_edit(struct stored *m, const json_t *body)
{
	json_t *message = store_object(m);

	show_body(message, body, true);
	json_object_set_new(message, "edited_timestamp", iso_json(wall_ms()));
	tell("MESSAGE_UPDATE", m, message);
}

void message_delete(struct stored *m)
{
	json_t *d = json_pack("{s:o,s:o}", "id", id_json(m->id), "channel_id", id_json(m->channel_id));
	uint64_t guild_id = m->ephemeral ? 0 : m->guild_id;

	if (guild_id)
		json_object_set_new(d, "guild_id", id_json(guild_id));
	session_deliver(event_json("MESSAGE_DELETE", !guild_id, d), guild_id);
	json_decref(d);
	store_remove(m->id);
}

/* --- channels ---------------------------------------------------------------------------------------------------- */

/* The channel of the call's first parameter; false when the call was answered. */
static bool channel_of(struct rest_call *c, struct channel_place *ret)
{
	if (channel_find(rest_id(c, 0), ret))
		return true;
	rest_fail(c, 10003);
	return false;
}

void rest_channel_get(struct rest_call *c)
{
	struct channel_place place;
	json_t *channel, *guild, *list, *one;
	struct buf text;
	size_t i;

	if (!channel_of(c, &place))
		return;
	channel = thread_json(place.channel_id);
	if (channel) {
		rest_json(c, 200, channel);
		return;
	}
	if (place.dm) {
		rest_json(
			c, 200,
			json_pack("{s:s,s:i,s:n,s:[]}", "id", c->param[0], "type", 1, "last_message_id", "recipients"));
		return;
	}
	buf_init(&text, 16 << 20);
	world_guild_create(place.guild_index, false, &text);
	guild = json_loadb(buf_data(&text), text.len, 0, NULL);
	buf_free(&text);
	list = json_object_get(guild, "channels");
	channel = NULL;
	json_array_foreach(list, i, one)
	{
		if (!strcmp(json_string_value(json_object_get(one, "id")), c->param[0]))
			channel = json_incref(one);
	}
	json_decref(guild);
	if (!channel) {
		rest_fail(c, 10003);
		return;
	}
	json_object_set_new(channel, "guild_id", id_json(place.guild_id));
	rest_json(c, 200, channel);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

void rest_messages_list(struct rest_call *c)
{
	uint64_t before = UINT64_MAX, after = 0, limit = 50;
	struct channel_place place;
	json_t *list;
	char text[24];

	if (!channel_of(c, &place))
		return;
	if (exchange_query(c->x, "limit", text, sizeof(text)))
		limit = strtoull(text, NULL, 10);
	if (limit < 1 || limit > 100) {
		rest_invalid(c, "limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100.");
		return;
	}
	if (exchange_query(c->x, "before", text, sizeof(text)))
		before = snowflake_parse(text);
	if (exchange_query(c->x, "after", text, sizeof(text)))
		after = snowflake_parse(text);
	list = json_array();
	for (uint64_t id = store_newest(place.channel_id); id && id > after && json_array_size(list) < limit;) {
		struct stored *m = store_find(id);

		if (!m)
			break;
		if (id < before && !m->ephemeral)
			json_array_append_new(list, store_json(m));
		id = m->older;
	}
	rest_json(c, 200, list);
}

/* The message of the first two parameters; NULL when the call was answered. */
static struct stored *message_of(struct rest_call *c)
{
	struct channel_place place;
	struct stored *m;

	if (!channel_of(c, &place))
		return NULL;
	m = store_find(rest_id(c, 1));
	if (m && m->channel_id == place.channel_id && !m->ephemeral)
		return m;
	rest_fail(c, 10008);
	return NULL;
}

void rest_message_get(struct rest_call *c)
{
	struct stored *m = message_of(c);

	if (m)
		rest_json(c, 200, store_json(m));
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static bool reference_good(struct rest_call *c)
{
	const json_t *reference = json_object_get(c->body, "message_reference");
	const json_t *must = json_object_get(reference, "fail_if_not_exists");
	const char *id = json_string_value(json_object_get(reference, "message_id"));

	if (!json_is_object(reference))
		return true;
	if (!id && !json_is_integer(json_object_get(reference, "message_id"))) {
		rest_invalid(c, "message_reference.message_id", "BASE_TYPE_REQUIRED", "This field is required");
		return false;
	}
	if (id && !store_find(snowflake_parse(id)) && !json_is_false(must)) {
		rest_invalid(c, "message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message");
		return false;
	}
	return true;
}

static void note_effect(const struct rest_call *c, uint64_t message_id)
{
	const char *id =
		json_string_value(json_object_get(json_object_get(c->body, "message_reference"), "message_id"));

	if (id)
		ledger_effect(snowflake_parse(id), "reply", message_id, c->x->arrived_us, true);
	else
		ledger_stray("message");
}

void rest_message_create(struct rest_call *c)
{
	const json_t *nonce = json_object_get(c->body, "nonce");
	bool enforce = json_is_true(json_object_get(c->body, "enforce_nonce"));
	struct channel_place place;
	char nonce_text[64] = "";
	struct stored *m;

	if (!channel_of(c, &place))
		return;
	if (!place.text) {
		rest_fail(c, 50008);
		return;
	}
	if (!validate_message(c, c->body, MESSAGE_CREATE) || !reference_good(c))
		return;
	if (enforce && json_is_string(nonce))
		snprintf(nonce_text, sizeof(nonce_text), "s%s", json_string_value(nonce));
	else if (enforce && json_is_integer(nonce))
		snprintf(nonce_text, sizeof(nonce_text), "i%lld", (long long)json_integer_value(nonce));
	m = nonce_text[0] ? store_find(store_nonce_find(nonce_text)) : NULL;
	if (m) { /* the earlier one, and nothing new is sent */
		effects_fate(c->row, EFFECT_DEDUPED, m->id);
		rest_json(c, 200, store_json(m));
		return;
	}
	m = message_make(&place, c->body, NULL, false);
	if (!m) {
		rest_empty(c, 500);
		return;
	}
	if (nonce_text[0])
		store_nonce_put(nonce_text, m->id);
	note_effect(c, m->id);
	rest_done(c, m->id);
	rest_json(c, 200, store_json(m));
}

void rest_message_edit(struct rest_call *c)
{
	struct stored *m = message_of(c);

	if (!m || !validate_message(c, c->body, MESSAGE_EDIT))
		return;
	if (m->author_id != options.application_id) {
		rest_fail(c, 50005);
		return;
	}
	message_edit(m, c->body);
	rest_done(c, m->id);
	rest_json(c, 200, store_json(m));
}

void rest_message_delete(struct rest_call *c)
{
	struct stored *m = message_of(c);

	if (!m)
		return;
	if (!m->guild_id && m->author_id != options.application_id) {
		rest_fail(c, 50013);
		return;
	}
	message_delete(m);
	rest_done(c, 0);
	rest_empty(c, 204);
}

void rest_messages_bulk_delete(struct rest_call *c)
{
	json_t *ids = json_object_get(c->body, "messages"), *one, *d;
	struct channel_place place;
	size_t n = json_array_size(ids), i;

	if (!channel_of(c, &place))
		return;
	if (place.dm) {
		rest_fail(c, 50024);
		return;
	}
	if (n < 2 || n > 100) {
		rest_fail(c, 50016);
		return;
	}
	json_array_foreach(ids, i, one)
	{
		uint64_t id = json_is_string(one) ? snowflake_parse(json_string_value(one)) : 0;

		if (!id) {
			rest_invalid(c, "messages", "NUMBER_TYPE_COERCE", "Value is not snowflake.");
			return;
		}
		for (size_t k = 0; k < i; k++) {
			if (json_equal(one, json_array_get(ids, k))) {
				rest_invalid(c, "messages", "BASE_TYPE_SET_DUPLICATE", "Duplicate ids are not allowed");
				return;
			}
		}
		if (snowflake_ms(id) + 14 * 86400000ULL < wall_ms()) {
			rest_fail(c, 50034);
			return;
		}
	}
	json_array_foreach(ids, i, one) store_remove(snowflake_parse(json_string_value(one)));
	d = json_pack("{s:O,s:s,s:o}", "ids", ids, "channel_id", c->param[0], "guild_id", id_json(place.guild_id));
	session_deliver(event_json("MESSAGE_DELETE_BULK", false, d), place.guild_id);
	json_decref(d);
	rest_done(c, 0);
	rest_empty(c, 204);
}

void rest_typing(struct rest_call *c)
{
	struct channel_place place;

	if (channel_of(c, &place))
		rest_empty(c, 204);
}

/* --- reactions --------------------------------------------------------------------------------------------------- */

/* {id, name} of a path parameter; NULL when it is no emoji. New reference. */
static json_t *emoji_of(const char *param)
{
	char text[128], *colon;

	snprintf(text, sizeof(text), "%s", param);
	if (!percent_decode(text) || !text[0] || !utf8_valid(text, strlen(text)))
		return NULL;
	colon = strchr(text, ':');
	if (colon) {
		*colon = 0;
		return snowflake_parse(colon + 1) ? json_pack("{s:s,s:s}", "id", colon + 1, "name", text) : NULL;
	}
	return (unsigned char)text[0] >= 0x80 || (text[0] >= '0' && text[0] <= '9')
		       ? json_pack("{s:n,s:s}", "id", "name", text)
		       : NULL;
}

static void react(struct rest_call *c, const char *type, uint64_t user_id)
{
	struct stored *m = message_of(c);
	json_t *emoji, *d;

	if (!m)
		return;
	emoji = emoji_of(c->param[2]);
	if (!emoji) {
		rest_fail(c, 10014);
		return;
	}
	d = json_pack("{s:o,s:o,s:o,s:o,s:b,s:i}", "user_id", id_json(user_id), "channel_id", id_json(m->channel_id),
		      "message_id", id_json(m->id), "emoji", emoji, "burst", 0, "type", 0);
	if (m->guild_id)
		json_object_set_new(d, "guild_id", id_json(m->guild_id));
	ledger_effect(m->id, "reaction", m->id, c->x->arrived_us, false);
	session_deliver(event_json(type, !m->guild_id, d), m->guild_id);
	json_decref(d);
	rest_done(c, 0);
	rest_empty(c, 204);
}

void rest_reaction_mine(struct rest_call *c)
{
	bool add = !strcmp(c->route->method, "PUT");

	react(c, add ? "MESSAGE_REACTION_ADD" : "MESSAGE_REACTION_REMOVE", options.application_id);
}

void rest_reaction_other(struct rest_call *c)
{
	react(c, "MESSAGE_REACTION_REMOVE", rest_id(c, 3));
}

void rest_reactions_clear(struct rest_call *c)
{
	struct stored *m = message_of(c);
	json_t *d, *emoji = NULL;

	if (!m)
		return;
	if (c->param_count > 2 && !(emoji = emoji_of(c->param[2]))) {
		rest_fail(c, 10014);
		return;
	}
	d = json_pack("{s:o,s:o}", "channel_id", id_json(m->channel_id), "message_id", id_json(m->id));
	if (m->guild_id)
		json_object_set_new(d, "guild_id", id_json(m->guild_id));
	if (emoji)
		json_object_set_new(d, "emoji", emoji);
	session_deliver(
		event_json(emoji ? "MESSAGE_REACTION_REMOVE_EMOJI" : "MESSAGE_REACTION_REMOVE_ALL", !m->guild_id, d),
		m->guild_id);
	json_decref(d);
	rest_empty(c, 204);
}

void rest_reactions_list(struct rest_call *c)
{
	if (message_of(c))
		rest_json(c, 200, json_array());
}

/* --- pins -------------------------------------------------------------------------------------------------------- */

void rest_pins_list(struct rest_call *c)
{
	struct channel_place place;
	json_t *items;

	if (!channel_of(c, &place))
		return;
	items = json_array();
	for (uint64_t id = store_newest(place.channel_id); id;) {
		struct stored *m = store_find(id);

		if (!m)
			break;
		if (m->pinned)
			json_array_append_new(items, json_pack("{s:o,s:o}", "pinned_at", iso_json(wall_ms()), "message",
							       store_json(m)));
		id = m->older;
	}
	rest_json(c, 200, json_pack("{s:o,s:b}", "items", items, "has_more", 0));
}

void rest_pin(struct rest_call *c)
{
	struct stored *m = message_of(c);
	json_t *d;

	if (!m)
		return;
	m->pinned = !strcmp(c->route->method, "PUT");
	d = json_pack("{s:o,s:o}", "channel_id", id_json(m->channel_id), "last_pin_timestamp", iso_json(wall_ms()));
	if (m->guild_id)
		json_object_set_new(d, "guild_id", id_json(m->guild_id));
	session_deliver(event_json("CHANNEL_PINS_UPDATE", !m->guild_id, d), m->guild_id);
	json_decref(d);
	rest_empty(c, 204);
}
