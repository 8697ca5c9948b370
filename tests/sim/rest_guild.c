/* Moderation and reading of guilds. What a handler changes goes three ways: into the overlay that GUILD_CREATE and
 * later reads show, to the shards as the event Discord sends, and into the guild's audit log. */
#include "tests/sim/rest_guild.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/events.h"
#include "tests/sim/map.h"
#include "tests/sim/members.h"
#include "tests/sim/options.h"
#include "tests/sim/session.h"
#include "tests/sim/util.h"
#include "tests/sim/world.h"

#define AUDIT_MAX 1000

static json_t *id_json(uint64_t id)
{
	return json_sprintf("%llu", (unsigned long long)id);
}

/* The guild of the first parameter; false when the call was answered. */
static bool guild_of(struct rest_call *c, uint64_t *ret_index)
{
	if (world_guild_index(rest_id(c, 0), ret_index))
		return true;
	rest_fail(c, rest_id(c, 0) ? 10004 : 50001);
	return false;
}

static json_t *guild_object(uint64_t index)
{
	struct buf text;
	json_t *guild;

	buf_init(&text, 16 << 20);
	world_guild_create(index, false, &text);
	guild = json_loadb(buf_data(&text), text.len, 0, NULL);
	buf_free(&text);
	return guild;
}

static json_t *user_object(uint64_t user_id)
{
	struct buf text;
	json_t *user;

	buf_init(&text, 4096);
	world_user(&text, user_id);
	user = json_loadb(buf_data(&text), text.len, 0, NULL);
	buf_free(&text);
	return user;
}

static void tell(const char *type, uint64_t guild_id, json_t *d)
{
	json_object_set_new(d, "guild_id", id_json(guild_id));
	session_deliver(event_json(type, false, d), guild_id);
	json_decref(d);
}

static void audit(const struct rest_call *c, uint64_t index, int action, uint64_t target)
{
	json_t *changed = world_changes_make(index), *log = json_object_get(changed, "audit"), *entry;

	if (!log) {
		log = json_array();
		json_object_set_new(changed, "audit", log);
	}
	entry = json_pack("{s:o,s:i,s:o,s:o}", "id", id_json(snowflake_new()), "action_type", action, "user_id",
			  id_json(options.application_id), "target_id", id_json(target));
	if (c->reason)
		json_object_set_new(entry, "reason", json_string(c->reason));
	json_array_insert(log, 0, entry);
	if (json_array_size(log) > AUDIT_MAX)
		json_array_remove(log, AUDIT_MAX);
	tell("GUILD_AUDIT_LOG_ENTRY_CREATE", world_guild_id(index), json_copy(entry));
	json_decref(entry);
}

/* --- guild ------------------------------------------------------------------------------------------------------- */

void rest_guild_get(struct rest_call *c)
{
	static const char *const extras[] = { "members",
					      "channels",
					      "presences",
					      "voice_states",
					      "threads",
					      "joined_at",
					      "large",
					      "unavailable",
					      "member_count",
					      "stage_instances",
					      "guild_scheduled_events",
					      "soundboard_sounds",
					      "lazy",
					      "embedded_activities",
					      "application_command_counts" };
	uint64_t index;
	json_t *guild;

	if (!guild_of(c, &index))
		return;
	guild = guild_object(index);
	for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++)
		json_object_del(guild, extras[i]);
	if (exchange_query_true(c->x, "with_counts")) {
		json_object_set_new(guild, "approximate_member_count", json_integer((json_int_t)options.members + 1));
		json_object_set_new(guild, "approximate_presence_count", json_integer((json_int_t)options.members / 4));
	}
	rest_json(c, 200, guild);
}

static json_t *guild_list(uint64_t index, const char *key)
{
	json_t *guild = guild_object(index), *list = json_incref(json_object_get(guild, key));

	json_decref(guild);
	return list;
}

void rest_guild_channels(struct rest_call *c)
{
	json_t *list, *one;
	uint64_t index;
	size_t i;

	if (!guild_of(c, &index))
		return;
	list = guild_list(index, "channels");
	json_array_foreach(list, i, one) json_object_set_new(one, "guild_id", json_string(c->param[0]));
	rest_json(c, 200, list);
}

void rest_guild_threads(struct rest_call *c)
{
	uint64_t index;

	if (guild_of(c, &index))
		rest_json(c, 200, json_pack("{s:o,s:[]}", "threads", guild_list(index, "threads"), "members"));
}

void rest_guild_roles(struct rest_call *c)
{
	uint64_t index;

	if (guild_of(c, &index))
		rest_json(c, 200, guild_list(index, "roles"));
}

/* {role id: members}, @everyone not among them. */
void rest_role_counts(struct rest_call *c)
{
	json_t *roles, *role, *counts = json_object(), *held;
	uint64_t index;
	size_t i, j;

	if (!guild_of(c, &index)) {
		json_decref(counts);
		return;
	}
	roles = guild_list(index, "roles");
	json_array_foreach(roles, i, role)
	{
		const char *id = json_string_value(json_object_get(role, "id"));

		if (snowflake_parse(id) != world_guild_id(index))
			json_object_set_new(counts, id, json_integer(0));
	}
	for (uint32_t m = 0; m <= options.members; m++) {
		json_t *member = members_json(index, m < options.members ? world_id(index, WORLD_USER, m)
									 : options.application_id);

		json_array_foreach(json_object_get(member, "roles"), j, held)
		{
			json_t *count = json_object_get(counts, json_string_value(held));

			if (count)
				json_integer_set(count, json_integer_value(count) + 1);
		}
		json_decref(member);
	}
	json_decref(roles);
	rest_json(c, 200, counts);
}

void rest_role_create(struct rest_call *c)
{
	uint64_t index, id = snowflake_new();
	json_t *role;
	char key[24];

	if (!guild_of(c, &index))
		return;
	if (utf16_length(json_string_value(json_object_get(c->body, "name"))
				 ? json_string_value(json_object_get(c->body, "name"))
				 : "") > 100) {
		rest_invalid(c, "name", "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.");
		return;
	}
	role = json_pack("{s:o,s:s,s:i,s:{s:i,s:n,s:n},s:b,s:n,s:n,s:i,s:s,s:b,s:b,s:i}", "id", id_json(id), "name",
			 "new role", "color", 0, "colors", "primary_color", 0, "secondary_color", "tertiary_color",
			 "hoist", 0, "icon", "unicode_emoji", "position", 1, "permissions", "0", "managed", 0,
			 "mentionable", 0, "flags", 0);
	json_object_update(role, c->body);
	json_object_set_new(role, "id", id_json(id));
	snprintf(key, sizeof(key), "%llu", (unsigned long long)id);
	json_object_set(json_object_get(world_changes_make(index), "roles"), key, role);
	tell("GUILD_ROLE_CREATE", world_guild_id(index), json_pack("{s:O}", "role", role));
	audit(c, index, 30, id);
	rest_done(c, id);
	rest_json(c, 200, role);
}

void rest_role_one(struct rest_call *c)
{
	json_t *list, *one, *role = NULL, *changed;
	uint64_t index;
	size_t i;

	if (!guild_of(c, &index))
		return;
	list = guild_list(index, "roles");
	json_array_foreach(list, i, one)
	{
		if (!strcmp(json_string_value(json_object_get(one, "id")), c->param[1]))
			role = json_incref(one);
	}
	json_decref(list);
	if (!role) {
		rest_fail(c, 10011);
		return;
	}
	if (!strcmp(c->route->method, "GET")) {
		rest_json(c, 200, role);
		return;
	}
	changed = json_object_get(world_changes_make(index), "roles");
	if (!strcmp(c->route->method, "DELETE")) {
		json_object_set_new(changed, c->param[1], json_null());
		tell("GUILD_ROLE_DELETE", world_guild_id(index), json_pack("{s:s}", "role_id", c->param[1]));
		audit(c, index, 32, rest_id(c, 1));
		rest_done(c, 0);
		json_decref(role);
		rest_empty(c, 204);
		return;
	}
	json_object_update(role, c->body);
	json_object_set(changed, c->param[1], role);
	tell("GUILD_ROLE_UPDATE", world_guild_id(index), json_pack("{s:O}", "role", role));
	audit(c, index, 31, rest_id(c, 1));
	rest_done(c, 0);
	rest_json(c, 200, role);
}

/* --- members ----------------------------------------------------------------------------------------------------- */

static json_t *member_of(struct rest_call *c, uint64_t index)
{
	json_t *member = members_json(index, rest_id(c, 1));

	if (!member)
		rest_fail(c, 10007);
	return member;
}

void rest_member_get(struct rest_call *c)
{
	json_t *member;
	uint64_t index;

	if (!guild_of(c, &index))
		return;
	member = member_of(c, index);
	if (member)
		rest_json(c, 200, member);
}

void rest_members_list(struct rest_call *c)
{
	bool search = !strcmp(c->route->name, "search_guild_members");
	uint64_t index, limit = 1, after = 0;
	char text[64] = "";
	json_t *list;

	if (!guild_of(c, &index))
		return;
	if (!search && !(options.granted_intents & INTENT_GUILD_MEMBERS)) {
		rest_fail(c, 50001);
		return;
	}
	if (exchange_query(c->x, "limit", text, sizeof(text)))
		limit = strtoull(text, NULL, 10);
	if (limit < 1 || limit > 1000) {
		rest_invalid(c, "limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 1000.");
		return;
	}
	if (!search && exchange_query(c->x, "after", text, sizeof(text)))
		after = snowflake_parse(text);
	text[0] = 0;
	if (search && !exchange_query(c->x, "query", text, sizeof(text))) {
		rest_invalid(c, "query", "BASE_TYPE_REQUIRED", "This field is required");
		return;
	}
	list = json_array();
	for (uint32_t i = 0; i < options.members && json_array_size(list) < limit; i++) {
		uint64_t id = world_id(index, WORLD_USER, i);
		json_t *member = id > after ? members_json(index, id) : NULL;
		const char *name = json_string_value(json_object_get(json_object_get(member, "user"), "username"));

		if (member && (!search || !strncasecmp(name, text, strlen(text))))
			json_array_append(list, member);
		json_decref(member);
	}
	rest_json(c, 200, list);
}

static void save_member(uint64_t index, const char *user_id, json_t *member)
{
	json_object_set(json_object_get(world_changes_make(index), "members"), user_id, member);
	tell("GUILD_MEMBER_UPDATE", world_guild_id(index), json_deep_copy(member));
}

/* ISO time to Unix ms; 0 when it is none. */
static uint64_t parse_iso(const char *text)
{
	struct tm tm = { 0 };
	char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	return rest ? (uint64_t)timegm(&tm) * 1000 : 0;
}

/* Whether an edit would change nothing. */
static bool has_all(const json_t *member, json_t *body)
{
	const char *key;
	json_t *value;

	json_object_foreach(body, key, value)
	{
		if (!json_equal(value, json_object_get(member, key)))
			return false;
	}
	return true;
}

void rest_member_edit(struct rest_call *c)
{
	const json_t *until = json_object_get(c->body, "communication_disabled_until");
	const json_t *nick = json_object_get(c->body, "nick");
	bool me = !strcmp(c->route->name, "update_my_guild_member");
	char id[24];
	json_t *member;
	uint64_t index;

	if (!guild_of(c, &index))
		return;
	snprintf(id, sizeof(id), "%llu", (unsigned long long)(me ? options.application_id : rest_id(c, 1)));
	if (json_is_string(nick) && utf16_length(json_string_value(nick)) > 32) {
		rest_invalid(c, "nick", "BASE_TYPE_MAX_LENGTH", "Must be 32 or fewer in length.");
		return;
	}
	if (until && !json_is_null(until)) {
		uint64_t end = json_is_string(until) ? parse_iso(json_string_value(until)) : 0;

		if (!end || end > wall_ms() + 28 * 86400000ULL) {
			rest_invalid(c, "communication_disabled_until", "DATE_TIME_TYPE_PARSE",
				     "Must be a time at most 28 days ahead.");
			return;
		}
		/* the owner (member 0) is untouchable */
		if (rest_id(c, 1) == world_id(index, WORLD_USER, 0)) {
			rest_fail(c, 50013);
			return;
		}
	}
	member = members_json(index, snowflake_parse(id));
	if (!member) {
		rest_fail(c, 10007);
		return;
	}
	if (has_all(member, c->body)) {
		rest_same(c);
	} else {
		json_object_update(member, c->body);
		save_member(index, id, member);
		audit(c, index, json_object_get(c->body, "roles") ? 25 : 24, snowflake_parse(id));
		rest_done(c, 0);
	}
	rest_json(c, 200, member);
}

static void remove_member(uint64_t index, const char *user_id)
{
	json_object_set_new(json_object_get(world_changes_make(index), "members"), user_id, json_null());
	tell("GUILD_MEMBER_REMOVE", world_guild_id(index),
	     json_pack("{s:o}", "user", user_object(snowflake_parse(user_id))));
}

void rest_member_kick(struct rest_call *c)
{
	json_t *member;
	uint64_t index;

	if (!guild_of(c, &index))
		return;
	if (rest_id(c, 1) == world_id(index, WORLD_USER, 0)) {
		rest_fail(c, 50013);
		return;
	}
	member = member_of(c, index);
	if (!member)
		return;
	json_decref(member);
	remove_member(index, c->param[1]);
	audit(c, index, 20, rest_id(c, 1));
	rest_done(c, 0);
	rest_empty(c, 204);
}

void rest_member_role(struct rest_call *c)
{
	bool add = !strcmp(c->route->method, "PUT"), has = false;
	json_t *member, *roles, *role;
	uint64_t index;
	size_t i;

	if (!guild_of(c, &index))
		return;
	member = member_of(c, index);
	if (!member)
		return;
	roles = json_deep_copy(json_object_get(member, "roles"));
	json_array_foreach(roles, i, role)
	{
		if (strcmp(json_string_value(role), c->param[2]))
			continue;
		has = true;
		if (!add) {
			json_array_remove(roles, i);
			break;
		}
	}
	if (add && !has)
		json_array_append_new(roles, json_string(c->param[2]));
	json_object_set_new(member, "roles", roles);
	if (add != has) { /* something changed */
		save_member(index, c->param[1], member);
		audit(c, index, 25, rest_id(c, 1));
		rest_done(c, 0);
	} else {
		rest_same(c);
	}
	json_decref(member);
	rest_empty(c, 204);
}

/* --- bans -------------------------------------------------------------------------------------------------------- */

void rest_bans_list(struct rest_call *c)
{
	json_t *list, *ban;
	const char *key;
	uint64_t index;

	if (!guild_of(c, &index))
		return;
	list = json_array();
	json_object_foreach(json_object_get(world_changes(index), "bans"), key, ban) json_array_append(list, ban);
	rest_json(c, 200, list);
}

/* False: he was banned already. */
static bool put_ban(struct rest_call *c, uint64_t index, const char *user_id)
{
	json_t *bans = json_object_get(world_changes_make(index), "bans"), *member;

	if (json_object_get(bans, user_id))
		return false;
	json_object_set_new(
		bans, user_id,
		json_pack("{s:o,s:s?}", "user", user_object(snowflake_parse(user_id)), "reason", c->reason));
	member = members_json(index, snowflake_parse(user_id));
	if (member)
		remove_member(index, user_id);
	json_decref(member);
	tell("GUILD_BAN_ADD", world_guild_id(index), json_pack("{s:o}", "user", user_object(snowflake_parse(user_id))));
	audit(c, index, 22, snowflake_parse(user_id));
	return true;
}

static void note_bans(const struct rest_call *c, bool fresh)
{
	if (fresh)
		rest_done(c, 0);
	else
		rest_same(c);
}

void rest_ban_one(struct rest_call *c)
{
	json_int_t seconds = json_integer_value(json_object_get(c->body, "delete_message_seconds"));
	json_t *bans, *ban;
	uint64_t index;

	if (!guild_of(c, &index))
		return;
	bans = json_object_get(world_changes(index), "bans");
	ban = json_object_get(bans, c->param[1]);
	if (!strcmp(c->route->method, "PUT")) {
		if (!rest_id(c, 1)) {
			rest_fail(c, 10013);
		} else if (rest_id(c, 1) == world_id(index, WORLD_USER, 0)) {
			rest_fail(c, 50013);
		} else if (seconds < 0 || seconds > 604800) {
			rest_invalid(c, "delete_message_seconds", "NUMBER_TYPE_MAX",
				     "int value should be less than or equal to 604800.");
		} else {
			note_bans(c, put_ban(c, index, c->param[1]));
			rest_empty(c, 204);
		}
	} else if (!ban) {
		rest_fail(c, 10026);
	} else if (!strcmp(c->route->method, "GET")) {
		rest_json(c, 200, json_copy(ban));
	} else {
		tell("GUILD_BAN_REMOVE", world_guild_id(index), json_pack("{s:o}", "user", user_object(rest_id(c, 1))));
		json_object_del(bans, c->param[1]);
		audit(c, index, 23, rest_id(c, 1));
		rest_done(c, 0);
		rest_empty(c, 204);
	}
}

void rest_bulk_ban(struct rest_call *c)
{
	json_t *ids = json_object_get(c->body, "user_ids"), *one, *banned, *failed;
	bool fresh = false;
	uint64_t index;
	size_t i;

	if (!guild_of(c, &index))
		return;
	if (!json_is_array(ids) || !json_array_size(ids) || json_array_size(ids) > 200) {
		rest_invalid(c, "user_ids", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 200 in length.");
		return;
	}
	banned = json_array();
	failed = json_array();
	json_array_foreach(ids, i, one)
	{
		uint64_t id = json_is_string(one) ? snowflake_parse(json_string_value(one)) : 0;

		if (!id || id == world_id(index, WORLD_USER, 0) || id == options.application_id) {
			json_array_append(failed, one);
			continue;
		}
		fresh |= put_ban(c, index, json_string_value(one));
		json_array_append(banned, one);
	}
	note_bans(c, fresh);
	if (json_array_size(banned)) {
		rest_json(c, 200, json_pack("{s:o,s:o}", "banned_users", banned, "failed_users", failed));
		return;
	}
	json_decref(banned);
	json_decref(failed);
	rest_fail(c, 500000);
}

void rest_audit_log(struct rest_call *c)
{
	uint64_t index, limit = 50, action = 0;
	json_t *entries, *one;
	char text[24];
	size_t i;

	if (!guild_of(c, &index))
		return;
	if (exchange_query(c->x, "limit", text, sizeof(text)))
		limit = strtoull(text, NULL, 10);
	if (exchange_query(c->x, "action_type", text, sizeof(text)))
		action = strtoull(text, NULL, 10);
	entries = json_array();
	json_array_foreach(json_object_get(world_changes(index), "audit"), i, one)
	{
		if (json_array_size(entries) < limit &&
		    (!action || (json_int_t)action == json_integer_value(json_object_get(one, "action_type"))))
			json_array_append(entries, one);
	}
	rest_json(c, 200,
		  json_pack("{s:o,s:[],s:[],s:[],s:[],s:[],s:[],s:[]}", "audit_log_entries", entries, "users",
			    "webhooks", "threads", "integrations", "guild_scheduled_events", "auto_moderation_rules",
			    "application_commands"));
}
