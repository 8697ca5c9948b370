/* Gateway, users, the application, direct messages: what belongs to no guild. */
#include "tests/sim/rest_guild.h"

#include <stdio.h>

#include "tests/sim/faults.h"
#include "tests/sim/gateway.h"
#include "tests/sim/identify.h"
#include "tests/sim/options.h"
#include "tests/sim/util.h"
#include "tests/sim/world.h"

static json_t *id_json(uint64_t id)
{
	return json_sprintf("%llu", (unsigned long long)id);
}

void rest_gateway(struct rest_call *c)
{
	rest_json(c, 200, json_pack("{s:s}", "url", gateway_urls.gateway));
}

void rest_gateway_bot(struct rest_call *c)
{
	json_t *answer = json_pack("{s:s,s:I,s:o}", "url", gateway_urls.gateway, "shards", (json_int_t)options.shards,
				   "session_start_limit", identify_limit_json());
	const json_t *fault = faults_take_route(FAULT_GATEWAY_BOT, c->route->name, c->x->method, c->x->path);
	json_t *limit = json_object_get(json_object_get(fault, "fields"), "session_start_limit");

	if (fault) {
		json_t *fields = json_copy(json_object_get(fault, "fields"));

		json_object_update(json_object_get(answer, "session_start_limit"), limit);
		json_object_del(fields, "session_start_limit");
		json_object_update(answer, fields);
		json_decref(fields);
	}
	rest_json(c, 200, answer);
}

static json_t *user_object(uint64_t id)
{
	struct buf text;
	json_t *user;

	buf_init(&text, 4096);
	world_user(&text, id);
	user = json_loadb(buf_data(&text), text.len, 0, NULL);
	buf_free(&text);
	return user;
}

void rest_user(struct rest_call *c)
{
	uint64_t id = c->param_count ? rest_id(c, 0) : options.application_id;
	struct world_ref ref;

	if (id != options.application_id && !(world_find(id, &ref) && ref.kind == WORLD_USER))
		rest_fail(c, 10013);
	else
		rest_json(c, 200, user_object(id));
}

void rest_application(struct rest_call *c)
{
	uint64_t flags = identify_application_flags();

	rest_json(c, 200,
		  json_pack("{s:o,s:s,s:n,s:s,s:b,s:b,s:s,s:I,s:o,s:o,s:[],s:{},s:I}", "id",
			    id_json(options.application_id), "name", "shoal", "icon", "description",
			    "a bot at discord-sim", "bot_public", 1, "bot_require_code_grant", 0, "verify_key",
			    "0000000000000000000000000000000000000000000000000000000000000000", "flags",
			    (json_int_t)flags, "flags_new", id_json(flags), "bot", user_object(options.application_id),
			    "redirect_uris", "integration_types_config", "approximate_guild_count",
			    (json_int_t)world_guild_count()));
}

void rest_dm_create(struct rest_call *c)
{
	const char *recipient = json_string_value(json_object_get(c->body, "recipient_id"));
	struct world_ref ref;

	if (!recipient || !world_find(snowflake_parse(recipient), &ref) || ref.kind != WORLD_USER) {
		rest_invalid(c, "recipient_id", "NUMBER_TYPE_COERCE", "Value is not the id of a user.");
		return;
	}
	rest_json(c, 200,
		  json_pack("{s:o,s:i,s:n,s:i,s:[o]}", "id", id_json(world_id(ref.guild, WORLD_DM, ref.number)), "type",
			    1, "last_message_id", "flags", 0, "recipients", user_object(snowflake_parse(recipient))));
}

void rest_my_guilds(struct rest_call *c)
{
	uint64_t limit = 200, after = 0;
	char text[24];
	json_t *list = json_array();

	if (exchange_query(c->x, "limit", text, sizeof(text)))
		limit = strtoull(text, NULL, 10);
	if (exchange_query(c->x, "after", text, sizeof(text)))
		after = snowflake_parse(text);
	for (uint64_t i = 0; i < world_guild_count() && json_array_size(list) < limit && limit <= 200; i++) {
		if (world_guild_id(i) <= after || world_guild_flag(i, "gone"))
			continue;
		json_array_append_new(list,
				      json_pack("{s:o,s:o,s:n,s:b,s:s,s:[]}", "id", id_json(world_guild_id(i)), "name",
						json_sprintf("Guild %08llu", (unsigned long long)i), "icon", "owner", 0,
						"permissions", "2248473465835073", "features"));
	}
	rest_json(c, 200, list);
}
