/* The registry of application commands: overwriting keeps ids of names that stay and counts the new ones, of which
 * there may be 200 a day. */
#include "tests/sim/commands.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/options.h"
#include "tests/sim/util.h"
#include "tests/sim/validate_command.h"
#include "tests/sim/waits.h"
#include "tests/sim/world.h"

#define CREATES_A_DAY 200

static json_t *scopes; /* "" for global, else guild id -> array of commands */
static uint64_t creates, overwrites, calls;

static json_t *scope_of(const char *guild)
{
	json_t *list;

	if (!scopes)
		scopes = json_object();
	list = json_object_get(scopes, guild);
	if (!list) {
		list = json_array();
		json_object_set_new(scopes, guild, list);
	}
	return list;
}

static json_int_t type_of(const json_t *command)
{
	const json_t *type = json_object_get(command, "type");

	return json_is_integer(type) ? json_integer_value(type) : 1;
}

static size_t find(const json_t *list, const char *name, json_int_t type)
{
	json_t *one;
	size_t i;

	json_array_foreach((json_t *)list, i, one)
	{
		const char *have = json_string_value(json_object_get(one, "name"));

		if (have && name && !strcmp(have, name) && type_of(one) == type)
			return i;
	}
	return SIZE_MAX;
}

uint64_t commands_id(const char *name, uint64_t guild_id)
{
	char guild[24] = "";
	uint64_t made = 1456255637913731072ULL;
	size_t at;

	for (int global = 0; global < 2; global++) {
		json_t *list;

		if (!global)
			snprintf(guild, sizeof(guild), "%llu", (unsigned long long)guild_id);
		list = json_object_get(scopes, global ? "" : guild);
		at = find(list, name, 1);
		if (at != SIZE_MAX)
			return snowflake_parse(json_string_value(json_object_get(json_array_get(list, at), "id")));
	}
	for (; *name; name++)
		made += (unsigned char)*name * 4096;
	return made;
}

uint64_t rest_command_count(void)
{
	uint64_t n = 0;
	const char *key;
	json_t *list;

	json_object_foreach(scopes, key, list) n += json_array_size(list);
	return n;
}

json_t *commands_json(void)
{
	return json_pack("{s:O,s:I,s:I,s:I}", "scopes", scopes ? scopes : (scopes = json_object()), "creates",
			 (json_int_t)creates, "overwrites", (json_int_t)overwrites, "calls", (json_int_t)calls);
}

void commands_free(void)
{
	json_decref(scopes);
	scopes = NULL;
}

/* What Discord answers for a command that was sent so: its defaults filled in. New reference. */
static json_t *stored_form(const json_t *sent, const char *guild, const char *id)
{
	static const struct {
		const char *key, *value;
		bool global_only;
	} defaults[] = {
		{ "description", "\"\"", false },
		{ "description_localizations", "null", false },
		{ "name_localizations", "null", false },
		{ "default_member_permissions", "null", false },
		{ "dm_permission", "true", true },
		{ "contexts", "null", true },
		{ "integration_types", "[0]", true },
		{ "nsfw", "false", false },
		{ "type", "1", false },
	};
	json_t *command = json_deep_copy(sent);

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		const json_t *have = json_object_get(command, defaults[i].key);

		if (!have && !(defaults[i].global_only && guild[0]))
			json_object_set_new(command, defaults[i].key,
					    json_loads(defaults[i].value, JSON_DECODE_ANY, NULL));
	}
	if (json_is_integer(json_object_get(command, "default_member_permissions")))
		json_object_set_new(command, "default_member_permissions",
				    json_sprintf("%lld", (long long)json_integer_value(json_object_get(
								 command, "default_member_permissions"))));
	if (json_array_size(json_object_get(command, "options")) == 0)
		json_object_del(command, "options");
	if (id)
		json_object_set_new(command, "id", json_string(id));
	else
		json_object_set_new(command, "id", json_sprintf("%llu", (unsigned long long)snowflake_new()));
	json_object_set_new(command, "application_id",
			    json_sprintf("%llu", (unsigned long long)options.application_id));
	json_object_set_new(command, "version", json_sprintf("%llu", (unsigned long long)snowflake_new()));
	if (guild[0])
		json_object_set_new(command, "guild_id", json_string(guild));
	return command;
}

/* Checks the application and guild of the path; "" stands for global. NULL when the call was answered. */
static const char *guild_of(struct rest_call *c)
{
	bool in_guild = !strncmp(c->route->pattern, "/applications/{}/guilds", 23);
	uint64_t index;

	if (rest_id(c, 0) != options.application_id) {
		rest_fail(c, 50001);
		return NULL;
	}
	if (in_guild && !world_guild_index(rest_id(c, 1), &index)) {
		rest_fail(c, 50001);
		return NULL;
	}
	return in_guild ? c->param[1] : "";
}

void rest_commands_list(struct rest_call *c)
{
	const char *guild = guild_of(c);

	if (guild)
		rest_json(c, 200, json_copy(scope_of(guild)));
}

static bool limits_good(struct rest_call *c, const json_t *list)
{
	static const size_t most[] = { 0, 100, 15, 15, 1 };
	size_t have[5] = { 0 }, i;
	json_t *one;
	char at[24];

	json_array_foreach((json_t *)list, i, one)
	{
		json_int_t type = type_of(one);

		snprintf(at, sizeof(at), "%zu", i);
		if (!json_is_object(one) || type < 1 || type > 4) {
			rest_invalid(c, at, "BASE_TYPE_CHOICES",
				     "Value of field \"type\" must be one of (1, 2, 3, 4).");
			return false;
		}
		if (++have[type] > most[type]) {
			rest_invalid(c, "", "APPLICATION_COMMAND_TOO_MANY",
				     "Maximum number of application commands reached");
			return false;
		}
		if (!validate_command(c, one, at))
			return false;
	}
	return true;
}

void rest_commands_overwrite(struct rest_call *c)
{
	const char *guild = guild_of(c);
	json_t *old, *made, *one;
	uint64_t fresh = 0;
	size_t i;

	if (!guild)
		return;
	if (!json_is_array(c->body)) {
		rest_invalid(c, "", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
		return;
	}
	if (!limits_good(c, c->body))
		return;
	old = scope_of(guild);
	json_array_foreach(c->body, i, one) fresh +=
		find(old, json_string_value(json_object_get(one, "name")), type_of(one)) == SIZE_MAX;
	if (creates + fresh > CREATES_A_DAY) {
		rest_fail(c, 30034);
		return;
	}
	made = json_array();
	json_array_foreach(c->body, i, one)
	{
		size_t at = find(old, json_string_value(json_object_get(one, "name")), type_of(one));
		const char *id =
			at == SIZE_MAX ? NULL : json_string_value(json_object_get(json_array_get(old, at), "id"));

		if (find(made, json_string_value(json_object_get(one, "name")), type_of(one)) != SIZE_MAX) {
			json_decref(made);
			rest_invalid(c, "", "APPLICATION_COMMANDS_DUPLICATE_NAME",
				     "Application command names must be unique");
			return;
		}
		json_array_append_new(made, stored_form(one, guild, id));
	}
	creates += fresh;
	overwrites++;
	calls++;
	json_object_set_new(scopes, guild, made);
	waits_changed();
	rest_json(c, 200, json_copy(made));
}

void rest_command_create(struct rest_call *c)
{
	const char *guild = guild_of(c);
	json_t *list, *made;
	size_t at;

	if (!guild)
		return;
	if (!json_is_object(c->body)) {
		rest_invalid(c, "", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
		return;
	}
	if (!validate_command(c, c->body, ""))
		return;
	list = scope_of(guild);
	at = find(list, json_string_value(json_object_get(c->body, "name")), type_of(c->body));
	if (at == SIZE_MAX && creates >= CREATES_A_DAY) {
		rest_fail(c, 30034);
		return;
	}
	made = stored_form(c->body, guild,
			   at == SIZE_MAX ? NULL : json_string_value(json_object_get(json_array_get(list, at), "id")));
	if (at == SIZE_MAX)
		json_array_append(list, made);
	else
		json_array_set(list, at, made);
	creates += at == SIZE_MAX;
	calls++;
	waits_changed();
	rest_json(c, at == SIZE_MAX ? 201 : 200, made);
}

void rest_command_one(struct rest_call *c)
{
	const char *guild = guild_of(c), *id;
	json_t *list, *one, *found = NULL;
	size_t i, at = 0;

	if (!guild)
		return;
	id = c->param[guild[0] ? 2 : 1];
	list = scope_of(guild);
	json_array_foreach(list, i, one)
	{
		if (!strcmp(json_string_value(json_object_get(one, "id")), id)) {
			found = one;
			at = i;
		}
	}
	if (!found) {
		rest_fail(c, 10063);
	} else if (!strcmp(c->route->method, "GET")) {
		rest_json(c, 200, json_copy(found));
	} else if (!strcmp(c->route->method, "DELETE")) {
		calls++;
		json_array_remove(list, at);
		waits_changed();
		rest_empty(c, 204);
	} else {
		calls++;
		json_object_update(found, c->body);
		rest_json(c, 200, json_copy(found));
	}
}
