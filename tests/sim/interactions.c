/* The life of an interaction: three seconds to the first answer, counted from when it was made (also when it reaches
 * the bot by a replay), one answer only, then fifteen minutes in which its token edits and follows up. */
#include "tests/sim/interactions.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/commands.h"
#include "tests/sim/effects.h"
#include "tests/sim/ledger.h"
#include "tests/sim/map.h"
#include "tests/sim/options.h"
#include "tests/sim/rest_message.h"
#include "tests/sim/session.h"
#include "tests/sim/util.h"
#include "tests/sim/validate.h"
#include "tests/sim/world.h"

#define ANSWER_MS                  3000
#define TOKEN_MS                   900000
#define TOKEN_SIZE                 208
#define FOLLOWUPS_MAX_USER_INSTALL 5
#define WEBHOOKS_MAX               10000

struct interaction {
	uint64_t id, made_ms; /* monotonic */
	struct channel_place place;
	uint64_t original_id, source_message_id;
	uint64_t user_id;
	json_t *user;       /* the invoker, when he is not one of the world's */
	int type, callback; /* callback type, 0: none yet */
	bool ephemeral, user_install;
	uint32_t followups;
	char token[TOKEN_SIZE];
	struct interaction *next; /* in order of making */
};

struct webhook {
	uint64_t id;
	struct channel_place place;
	char token[69];
	json_t *json;
};

static struct map by_id, webhooks;
static struct interaction *oldest, *newest;

static json_t *id_json(uint64_t id)
{
	return json_sprintf("%llu", (unsigned long long)id);
}

static void interaction_free(struct interaction *i)
{
	json_decref(i->user);
	free(i);
}

/* --- making ------------------------------------------------------------------------------------------------------ */

static void put_token(char token[TOKEN_SIZE], uint64_t id)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	int n = snprintf(token, TOKEN_SIZE, "aW50ZXJhY3Rpb246%llu", (unsigned long long)id);

	while (n < TOKEN_SIZE - 1)
		token[n++] = letters[random_below(sizeof(letters) - 1)];
	token[n] = 0;
}

static void put_invoker(struct buf *b, const struct interaction_request *r)
{
	if (r->guild_id) {
		buf_lit(b, ",\"member\":{");
		world_member_fields(b, r->guild_id);
		buf_printf(b, ",\"permissions\":\"%s\",\"unusual_dm_activity_until\":null",
			   r->permissions ? r->permissions : "2248473465835073");
	}
	buf_lit(b, ",\"user\":");
	if (r->user) {
		char *text = json_dumps(r->user, JSON_COMPACT);

		buf_str(b, text ? text : "{}");
		free(text);
	} else {
		world_user(b, r->user_id);
	}
	if (r->guild_id)
		buf_lit(b, "}");
}

static void put_data(struct buf *b, const struct interaction_request *r)
{
	if (r->type == 2 || r->type == 4) {
		buf_printf(b, ",\"data\":{\"id\":\"%llu\",\"name\":",
			   (unsigned long long)commands_id(r->name, r->guild_id));
		buf_json_str(b, r->name);
		buf_lit(b, ",\"type\":1}");
	} else if (r->type == 3) {
		buf_lit(b, ",\"data\":{\"id\":1,\"component_type\":2,\"custom_id\":");
		buf_json_str(b, r->custom_id ? r->custom_id : "");
		buf_lit(b, "}");
	} else if (r->type == 5) {
		buf_lit(b, ",\"data\":{\"components\":[],\"custom_id\":");
		buf_json_str(b, r->custom_id ? r->custom_id : "");
		buf_lit(b, "}");
	}
}

static void put_interaction(struct buf *b, const struct interaction_request *r, const struct interaction *i)
{
	buf_printf(b, "{\"id\":\"%llu\",\"application_id\":\"%llu\",\"type\":%d,\"token\":\"%s\",\"version\":1",
		   (unsigned long long)i->id, (unsigned long long)options.application_id, r->type, i->token);
	put_data(b, r);
	if (r->guild_id)
		buf_printf(b,
			   ",\"guild_id\":\"%llu\",\"guild\":{\"id\":\"%llu\",\"locale\":\"en-US\",\"features\":["
			   "\"COMMUNITY\"]},\"guild_locale\":\"en-US\"",
			   (unsigned long long)r->guild_id, (unsigned long long)r->guild_id);
	buf_printf(b, ",\"channel_id\":\"%llu\",\"channel\":{\"id\":\"%llu\",\"type\":%d",
		   (unsigned long long)r->channel_id, (unsigned long long)r->channel_id, r->guild_id ? 0 : 1);
	if (r->guild_id)
		buf_printf(b,
			   ",\"name\":\"text-0\",\"guild_id\":\"%llu\",\"permissions\":\"2251799813685247\","
			   "\"flags\":0,\"nsfw\":false,\"position\":0,\"parent_id\":null,\"topic\":null,"
			   "\"rate_limit_per_user\":0,\"last_message_id\":null",
			   (unsigned long long)r->guild_id);
	buf_lit(b, "}");
	put_invoker(b, r);
	buf_printf(b,
		   ",\"app_permissions\":\"2248473465835073\",\"locale\":\"en-US\",\"entitlements\":[],"
		   "\"entitlement_sku_ids\":[],\"authorizing_integration_owners\":{\"0\":\"%llu\"},\"context\":%d,"
		   "\"attachment_size_limit\":10485760}",
		   (unsigned long long)r->guild_id, r->guild_id ? 0 : 1);
}

/* Lays what the request adds over the text, the slow way. */
static void merge(struct buf *text, const struct interaction_request *r)
{
	json_t *whole = json_loadb(buf_data(text), text->len, 0, NULL);
	struct stored *source = r->message_id ? store_find(r->message_id) : NULL;
	char *merged;

	if (r->data)
		json_object_update(json_object_get(whole, "data"), (json_t *)r->data);
	if (source)
		json_object_set_new(whole, "message", store_json(source));
	if (r->extra)
		json_object_update(whole, (json_t *)r->extra);
	merged = json_dumps(whole, JSON_COMPACT);
	json_decref(whole);
	buf_clear(text);
	buf_str(text, merged ? merged : "{}");
	free(merged);
}

uint64_t interaction_send(const struct interaction_request *r, char *ret_token, uint64_t *ret_deliveries)
{
	struct interaction *i = calloc(1, sizeof(*i));
	struct payload *p;
	struct buf text;

	*ret_deliveries = 0;
	if (!i || !channel_find(r->channel_id, &i->place)) {
		free(i);
		return 0;
	}
	i->id = snowflake_new();
	i->made_ms = mono_ms();
	i->type = r->type;
	i->source_message_id = r->message_id;
	i->user_id = r->user_id;
	i->user = json_deep_copy(r->user);
	put_token(i->token, i->id);
	buf_init(&text, 8 << 20);
	put_interaction(&text, r, i);
	if (r->data || r->extra || r->message_id)
		merge(&text, r);
	p = payload_new("INTERACTION_CREATE", !r->guild_id, &text, NULL);
	buf_free(&text);
	if (!p || map_put(&by_id, i->id, i) < 0) {
		payload_unref(p);
		interaction_free(i);
		return 0;
	}
	if (newest)
		newest->next = i;
	else
		oldest = i;
	newest = i;
	p->ledger_id = i->id;
	ledger_sent(LEDGER_INTERACTION, i->id, r->guild_id, true);
	if (ret_token)
		memcpy(ret_token, i->token, TOKEN_SIZE);
	*ret_deliveries = session_deliver(p, r->guild_id);
	return i->id;
}

void interactions_tick(uint64_t now_ms)
{
	while (oldest && now_ms >= oldest->made_ms + TOKEN_MS) {
		struct interaction *i = oldest;

		oldest = i->next;
		if (!oldest)
			newest = NULL;
		map_remove(&by_id, i->id);
		interaction_free(i);
	}
}

void interactions_free(void)
{
	interactions_tick(UINT64_MAX);
	MAP_EACH(&webhooks, slot)
	{
		struct webhook *w = slot->value;

		json_decref(w->json);
		free(w);
	}
	map_free(&by_id);
	map_free(&webhooks);
}

/* --- the first answer -------------------------------------------------------------------------------------------- */

/* Which callback types answer which interaction types. */
static bool type_fits(const struct interaction *i, json_int_t callback)
{
	switch (callback) {
	case 4:
	case 5:
		return i->type == 2 || i->type == 3 || i->type == 5;
	case 6:
	case 7:
		return i->type == 3 || (i->type == 5 && i->source_message_id);
	case 8:
		return i->type == 4;
	case 9:
		return i->type == 2 || i->type == 3;
	case 12:
		return i->type == 2 || i->type == 3 || i->type == 5;
	default:
		return false;
	}
}

static bool choices_good(struct rest_call *c, const json_t *data)
{
	json_t *choices = json_object_get(data, "choices"), *one;
	size_t i;

	if (!json_is_array(choices) || json_array_size(choices) > 25) {
		rest_invalid(c, "data.choices", "BASE_TYPE_BAD_LENGTH", "Must be between 0 and 25 in length.");
		return false;
	}
	json_array_foreach(choices, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));

		const json_t *value = json_object_get(one, "value");

		if (!name || !name[0] || utf16_length(name) > 100 ||
		    (!json_is_string(value) && !json_is_number(value)) ||
		    (json_is_string(value) && utf16_length(json_string_value(value)) > 100)) {
			rest_invalid(c, "data.choices", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.");
			return false;
		}
	}
	return true;
}

static bool modal_good(struct rest_call *c, const json_t *data)
{
	const char *title = json_string_value(json_object_get(data, "title"));
	const char *custom_id = json_string_value(json_object_get(data, "custom_id"));
	size_t n = json_array_size(json_object_get(data, "components"));

	if (title && title[0] && utf16_length(title) <= 45 && custom_id && custom_id[0] &&
	    utf16_length(custom_id) <= 100 && n >= 1 && n <= 5)
		return true;
	rest_invalid(c, "data", "BASE_TYPE_BAD_LENGTH", "title 1-45, custom_id 1-100, components 1-5");
	return false;
}

static bool callback_good(struct rest_call *c, const struct interaction *i, json_int_t type)
{
	const json_t *data = json_object_get(c->body, "data");

	if (!type_fits(i, type)) {
		rest_invalid(c, "type", "BASE_TYPE_CHOICES",
			     "This callback type does not answer this interaction type.");
		return false;
	}
	if (type == 4)
		return validate_message(c, data, MESSAGE_INTERACTION);
	if (type == 7)
		return validate_message(c, data, MESSAGE_EDIT);
	if (type == 8)
		return choices_good(c, data);
	if (type == 9)
		return modal_good(c, data);
	return true;
}

static json_t *metadata(const struct interaction *i)
{
	json_t *user = i->user ? json_incref(i->user) : NULL;
	struct buf text;

	if (!user) {
		buf_init(&text, 4096);
		world_user(&text, i->user_id);
		user = json_loadb(buf_data(&text), text.len, 0, NULL);
		buf_free(&text);
	}
	return json_pack("{s:o,s:i,s:o,s:{s:o}}", "id", id_json(i->id), "type", i->type, "user", user,
			 "authorizing_integration_owners", "0", id_json(i->place.guild_id));
}

static struct stored *make_response(struct interaction *i, const json_t *data, json_int_t type)
{
	json_t *extra = json_pack("{s:o,s:o,s:o}", "webhook_id", id_json(options.application_id), "application_id",
				  id_json(options.application_id), "interaction_metadata", metadata(i));
	json_int_t flags = json_integer_value(json_object_get(data, "flags"));
	struct stored *m;

	i->ephemeral = flags & 64;
	json_object_set_new(extra, "type", json_integer(i->type == 2 ? 20 : 0));
	if (type == 5)
		json_object_set_new(extra, "flags", json_integer((flags & 64) | 128));
	m = message_make(&i->place, type == 5 ? NULL : data, extra, i->ephemeral);
	json_decref(extra);
	if (m)
		i->original_id = m->id;
	return m;
}

static json_t *callback_json(const struct interaction *i, struct stored *m)
{
	json_t *answer = json_pack("{s:{s:o,s:i}}", "interaction", "id", id_json(i->id), "type", i->type);
	json_t *about = json_object_get(answer, "interaction");

	if (!m)
		return answer;
	json_object_set_new(about, "response_message_id", id_json(m->id));
	json_object_set_new(about, "response_message_loading", json_boolean(i->callback == 5));
	json_object_set_new(about, "response_message_ephemeral", json_boolean(i->ephemeral));
	json_object_set_new(answer, "resource", json_pack("{s:i,s:o}", "type", i->callback, "message", store_json(m)));
	return answer;
}

void rest_interaction_callback(struct rest_call *c)
{
	static const char *const effects[] = {
		[4] = "callback_message",  [5] = "callback_deferred",     [6] = "callback_deferred_update",
		[7] = "callback_update",   [8] = "callback_autocomplete", [9] = "callback_modal",
		[12] = "callback_activity"
	};
	struct interaction *i = map_get(&by_id, rest_id(c, 0));
	json_int_t type = json_integer_value(json_object_get(c->body, "type"));
	struct stored *m = NULL, *source;

	if (!i || strcmp(i->token, c->param[1])) {
		ledger_stray("callback_unknown");
		rest_fail(c, 10062);
		return;
	}
	if (i->callback) {
		ledger_refused(i->id, "callback_refused_double", c->x->arrived_us, false);
		rest_fail(c, 40060);
		return;
	}
	if (mono_ms() > i->made_ms + ANSWER_MS) {
		ledger_refused(i->id, "callback_refused_late", c->x->arrived_us, true);
		rest_fail(c, 10062);
		return;
	}
	if (!callback_good(c, i, type))
		return;
	i->callback = (int)type;
	source = store_find(i->source_message_id);
	if (type == 4 || type == 5) {
		m = make_response(i, json_object_get(c->body, "data"), type);
	} else if (type == 7 && source) {
		message_edit(source, json_object_get(c->body, "data"));
		i->original_id = source->id;
	} else if (type == 6 && source) {
		i->original_id = source->id;
	}
	ledger_effect(i->id, effects[type], m ? m->id : 0, c->x->arrived_us, true);
	effects_what(c->row, effects[type]);
	rest_done(c, m ? m->id : 0);
	if (exchange_query_true(c->x, "with_response"))
		rest_json(c, 200, callback_json(i, m));
	else
		rest_empty(c, 204);
}

/* --- afterwards -------------------------------------------------------------------------------------------------- */

static struct interaction *find_token(const char *token)
{
	struct interaction *i;
	char digits[24];

	if (strncmp(token, "aW50ZXJhY3Rpb246", 16))
		return NULL;
	snprintf(digits, sizeof(digits), "%.19s", token + 16);
	i = map_get(&by_id, snowflake_parse(digits));
	return i && !strcmp(i->token, token) ? i : NULL;
}

uint64_t interaction_of_token(const char *token)
{
	struct interaction *i = find_token(token);

	return i ? i->id : 0;
}

/* The interaction of /webhooks/{application}/{token}; NULL when there is none. */
static struct interaction *by_token(const struct rest_call *c)
{
	return rest_id(c, 0) == options.application_id ? find_token(c->param[1]) : NULL;
}

static void edit_stored(struct rest_call *c, struct interaction *i, struct stored *m, const char *effect)
{
	json_int_t flags = json_integer_value(json_object_get(store_object(m), "flags"));

	if (!validate_message(c, c->body, MESSAGE_EDIT))
		return;
	json_object_set_new(store_object(m), "flags", json_integer(flags & ~128)); /* no longer loading */
	message_edit(m, c->body);
	rest_done(c, m->id);
	if (i)
		ledger_effect(i->id, effect, m->id, c->x->arrived_us, false);
	rest_json(c, 200, store_json(m));
}

static void serve_message(struct rest_call *c, struct interaction *i, struct stored *m, bool original)
{
	if (!m) {
		rest_fail(c, 10008);
	} else if (!strcmp(c->route->method, "GET")) {
		rest_json(c, 200, store_json(m));
	} else if (!strcmp(c->route->method, "PATCH")) {
		edit_stored(c, i, m, original ? "edit_original" : "edit_followup");
	} else {
		if (i)
			ledger_effect(i->id, original ? "delete_original" : "delete_followup", m->id, c->x->arrived_us,
				      false);
		message_delete(m);
		rest_done(c, 0);
		rest_empty(c, 204);
	}
}

void rest_original(struct rest_call *c)
{
	struct interaction *i = by_token(c);

	if (!i)
		rest_fail(c, rest_id(c, 0) == options.application_id ? 50027 : 10015);
	else
		serve_message(c, i, store_find(i->original_id), true);
}

void rest_webhook_message(struct rest_call *c)
{
	struct interaction *i = by_token(c);
	struct webhook *w = map_get(&webhooks, rest_id(c, 0));
	struct stored *m = store_find(rest_id(c, 2));

	if (!i && (!w || strcmp(w->token, c->param[1]))) {
		rest_fail(c, rest_id(c, 0) == options.application_id ? 50027 : 10015);
		return;
	}
	serve_message(c, i, m && m->channel_id == (i ? i->place.channel_id : w->place.channel_id) ? m : NULL, false);
}

static void follow_up(struct rest_call *c, struct interaction *i)
{
	json_t *extra;
	struct stored *m;

	if (!i->callback) { /* a follow-up needs a first answer */
		rest_fail(c, 10015);
		return;
	}
	if (i->user_install && i->followups >= FOLLOWUPS_MAX_USER_INSTALL) {
		rest_fail(c, 40094);
		return;
	}
	if (!validate_message(c, c->body, MESSAGE_WEBHOOK))
		return;
	i->followups++;
	extra = json_pack("{s:o,s:o}", "webhook_id", id_json(options.application_id), "application_id",
			  id_json(options.application_id));
	m = message_make(&i->place, c->body, extra, json_integer_value(json_object_get(c->body, "flags")) & 64);
	json_decref(extra);
	if (!m) {
		rest_empty(c, 500);
		return;
	}
	ledger_effect(i->id, "followup", m->id, c->x->arrived_us, false);
	rest_done(c, m->id);
	rest_json(c, 200, store_json(m));
}

void rest_webhook_execute(struct rest_call *c)
{
	struct interaction *i = by_token(c);
	struct webhook *w = map_get(&webhooks, rest_id(c, 0));
	json_t *extra;
	struct stored *m;

	if (i) {
		follow_up(c, i);
		return;
	}
	if (!w || strcmp(w->token, c->param[1])) {
		rest_fail(c, rest_id(c, 0) == options.application_id ? 50027 : 10015);
		return;
	}
	if (!validate_message(c, c->body, MESSAGE_WEBHOOK))
		return;
	extra = json_pack("{s:o,s:{s:o,s:O,s:s,s:n,s:b}}", "webhook_id", id_json(w->id), "author", "id", id_json(w->id),
			  "username", json_object_get(w->json, "name"), "discriminator", "0000", "avatar", "bot", 1);
	m = message_make(&w->place, c->body, extra, false);
	json_decref(extra);
	ledger_stray("webhook_message");
	if (m)
		rest_done(c, m->id);
	if (m && exchange_query_true(c->x, "wait"))
		rest_json(c, 200, store_json(m));
	else
		rest_empty(c, m ? 204 : 500);
}

/* --- plain webhooks ---------------------------------------------------------------------------------------------- */

void rest_webhook_create(struct rest_call *c)
{
	const char *name = json_string_value(json_object_get(c->body, "name"));
	struct channel_place place;
	struct webhook *w;

	if (!channel_find(rest_id(c, 0), &place) || place.dm) {
		rest_fail(c, 10003);
		return;
	}
	if (!name || !name[0] || utf16_length(name) > 80 || strcasestr(name, "clyde") || strcasestr(name, "discord")) {
		rest_invalid(c, "name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 80 in length.");
		return;
	}
	w = webhooks.used < WEBHOOKS_MAX ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		rest_empty(c, 500);
		return;
	}
	w->id = snowflake_new();
	w->place = place;
	random_hex(w->token, 68);
	w->json = json_pack("{s:o,s:i,s:s,s:n,s:o,s:o,s:o,s:s}", "id", id_json(w->id), "type", 1, "name", name,
			    "avatar", "channel_id", id_json(place.channel_id), "guild_id", id_json(place.guild_id),
			    "application_id", id_json(options.application_id), "token", w->token);
	if (map_put(&webhooks, w->id, w) < 0) {
		json_decref(w->json);
		free(w);
		rest_empty(c, 500);
		return;
	}
	rest_done(c, w->id);
	rest_json(c, 200, json_copy(w->json));
}

void rest_webhook_get(struct rest_call *c)
{
	struct webhook *w = map_get(&webhooks, rest_id(c, 0));

	if (!w || (c->param_count > 1 && strcmp(w->token, c->param[1]))) {
		rest_fail(c, 10015);
	} else if (!strcmp(c->route->method, "DELETE")) {
		map_remove(&webhooks, w->id);
		json_decref(w->json);
		free(w);
		rest_empty(c, 204);
	} else {
		rest_json(c, 200, json_copy(w->json));
	}
}

void rest_webhook_list(struct rest_call *c)
{
	json_t *list = json_array();
	uint64_t id = rest_id(c, 0);

	MAP_EACH(&webhooks, slot)
	{
		struct webhook *w = slot->value;

		if (w->place.channel_id == id || w->place.guild_id == id)
			json_array_append(list, w->json);
	}
	rest_json(c, 200, list);
}
