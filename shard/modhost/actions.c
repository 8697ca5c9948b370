/* Typed requests into routes and bodies. Each function is one route; ids that are missing are refused by the client,
 * what breaks Discord's limits here, with a line in the log that names the module. Source: discord-facts sections 11
 * to 16. */
#include "shard/modhost/actions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/commands/content.h"
#include "shard/commands/request.h"
#include "shard/modhost/modhost.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

#define BAN_DELETE_MAX_S 604800
#define BULK_BAN_MAX     200
#define THREAD_PUBLIC    11
#define THREAD_PRIVATE   12

static int send_it(struct shoal_scope *scope, const struct rest_request *rest, shoal_done_fn fn, void *arg)
{
	return request_send(scope, modhost_services()->effects, rest, fn, arg);
}

static int invalid(const struct shoal_scope *scope, enum route route, int error, const char *detail)
{
	struct log_ctx ctx = { .shard = -1,
			       .guild_id = scope->guild_id,
			       .module = scope->module ? scope->module->name : NULL,
			       .event = scope->what };

	log_error(&ctx, "modules.request_invalid", KV_MSG("a module asked for what Discord does not allow"),
		  KV_STR("route", route_rows[route].name), KV_ERR(error), KV_STR("detail", detail));
	return error;
}

/* A message body with @flags allowed. */
static int build(const struct shoal_scope *scope, enum route route, enum payload_kind kind,
		 const struct shoal_content *from, uint64_t reply_to, json_t **ret_body)
{
	uint32_t flags = PAYLOAD_SUPPRESS_EMBEDS;
	char error[PAYLOAD_ERROR_SIZE] = "";
	struct payload_message message;
	struct content *content;
	int r;

	if (kind == PAYLOAD_CREATE || kind == PAYLOAD_FOLLOWUP)
		flags |= PAYLOAD_SUPPRESS_NOTIFICATIONS;
	r = content_new(from, error, &content);
	if (r == 0) {
		message = content_message(content, flags);
		message.reply_to = reply_to;
		r = payload_message(kind, &message, error, ret_body);
		content_free(content);
	}
	return r < 0 ? invalid(scope, route, r, error) : 0;
}

/* --- messages ------------------------------------------------------------------------------------------------------
 */

ACTION(message_send, shoal_message_send)
{
	struct rest_request rest = { .route = ROUTE_CREATE_MESSAGE,
				     .args.ids = { [ROUTE_ID_CHANNEL] = asked->channel_id } };
	int r = build(scope, rest.route, PAYLOAD_CREATE, &asked->content, asked->reply_to, &rest.json);

	return r < 0 ? r : send_it(scope, &rest, fn, arg);
}

/* The channel is open: now the message, under the number that was taken when the module asked. */
static int dm_opened(struct request *request, const struct rest_result *answer)
{
	const char *text = json_string_value(json_object_get(answer->body, "id"));
	struct rest_request rest = { .route = ROUTE_CREATE_MESSAGE, .json = TAKE(request->body) };

	request->next = NULL;
	if (!text || shoal_snowflake_parse(text, strlen(text), &rest.args.ids[ROUTE_ID_CHANNEL]) < 0) {
		json_decref(rest.json);
		return -EBADMSG;
	}
	return request_go(request, &rest);
}

ACTION(dm_send, shoal_dm_send)
{
	struct rest_request rest = { .route = ROUTE_CREATE_DM };
	struct request *request;
	json_t *body = NULL;
	int r;

	if (asked->user_id == 0)
		return invalid(scope, rest.route, -EINVAL, "user_id is missing");
	r = build(scope, ROUTE_CREATE_MESSAGE, PAYLOAD_CREATE, &asked->content, 0, &body);
	if (r < 0)
		return r;
	r = request_new(scope, modhost_services()->effects, fn, arg, &request);
	if (r < 0) {
		json_decref(body);
		return r;
	}
	request->body = body;
	request->next = dm_opened;
	rest.json = json_pack("{s:o}", "recipient_id", payload_id(asked->user_id));
	r = request_go(request, &rest);
	if (r < 0)
		request_drop(request);
	return r;
}

ACTION(message_edit, shoal_message_edit)
{
	struct rest_request rest = {
		.route = ROUTE_EDIT_MESSAGE,
		.args.ids = { [ROUTE_ID_CHANNEL] = asked->channel_id, [ROUTE_ID_MESSAGE] = asked->message_id }
	};
	int r = build(scope, rest.route, PAYLOAD_EDIT, &asked->content, 0, &rest.json);

	return r < 0 ? r : send_it(scope, &rest, fn, arg);
}

ACTION(message_remove, shoal_message_remove)
{
	struct rest_request rest = {
		.route = ROUTE_DELETE_MESSAGE,
		.args.ids = { [ROUTE_ID_CHANNEL] = asked->channel_id, [ROUTE_ID_MESSAGE] = asked->message_id },
		.reason = asked->reason
	};

	return send_it(scope, &rest, fn, arg);
}

ACTION(message_crosspost, shoal_message_ref)
{
	struct rest_request rest = {
		.route = ROUTE_CROSSPOST,
		.args.ids = { [ROUTE_ID_CHANNEL] = asked->channel_id, [ROUTE_ID_MESSAGE] = asked->message_id }
	};

	return send_it(scope, &rest, fn, arg);
}

ACTION(reaction_set, shoal_reaction_set)
{
	struct rest_request rest = {
		.route = asked->remove ? ROUTE_DELETE_OWN_REACTION : ROUTE_ADD_REACTION,
		.args = { .ids = { [ROUTE_ID_CHANNEL] = asked->channel_id, [ROUTE_ID_MESSAGE] = asked->message_id },
			  .emoji = asked->emoji }
	};

	return send_it(scope, &rest, fn, arg);
}

ACTION(thread_start, shoal_thread_start)
{
	struct rest_request rest = {
		.route = asked->message_id ? ROUTE_CREATE_MESSAGE_THREAD : ROUTE_CREATE_THREAD,
		.args.ids = { [ROUTE_ID_CHANNEL] = asked->channel_id, [ROUTE_ID_MESSAGE] = asked->message_id },
		.reason = asked->reason
	};
	size_t len = asked->name ? strlen(asked->name) : 0;
	ssize_t units = len ? payload_units(asked->name, len) : 0;

	if (units < 1 || units > 100)
		return invalid(scope, rest.route, -EINVAL, "a thread's name has 1 to 100 characters");
	rest.json = json_pack("{s:s}", "name", asked->name);
	if (asked->archive_minutes)
		json_object_set_new(rest.json, "auto_archive_duration", json_integer(asked->archive_minutes));
	if (!asked->message_id)
		json_object_set_new(rest.json, "type",
				    json_integer(asked->is_private ? THREAD_PRIVATE : THREAD_PUBLIC));
	return rest.json ? send_it(scope, &rest, fn, arg) : -ENOMEM;
}

ACTION(webhook_execute, shoal_webhook_execute)
{
	struct rest_request rest = { .route = ROUTE_EXECUTE_WEBHOOK,
				     .args = { .ids = { [ROUTE_ID_WEBHOOK] = asked->webhook_id },
					       .token = asked->token } };
	char query[64] = "wait=true";
	int r = build(scope, rest.route, PAYLOAD_FOLLOWUP, &asked->content, 0, &rest.json);

	if (r < 0)
		return r;
	if (asked->thread_id)
		snprintf(query, sizeof(query), "wait=true&thread_id=%llu", (unsigned long long)asked->thread_id);
	rest.query = query;
	if ((asked->username && json_object_set_new(rest.json, "username", json_string(asked->username)) < 0) ||
	    (asked->avatar_url && json_object_set_new(rest.json, "avatar_url", json_string(asked->avatar_url)) < 0)) {
		json_decref(rest.json);
		return invalid(scope, rest.route, -EINVAL, "username or avatar_url is no UTF-8");
	}
	return send_it(scope, &rest, fn, arg);
}

/* --- members -------------------------------------------------------------------------------------------------------
 */

static struct rest_request about_member(enum route route, uint64_t guild_id, uint64_t user_id, const char *reason)
{
	return (struct rest_request){ .route = route,
				      .args.ids = { [ROUTE_ID_GUILD] = guild_id, [ROUTE_ID_USER] = user_id },
				      .reason = reason };
}

ACTION(member_role, shoal_member_role)
{
	struct rest_request rest = about_member(asked->remove ? ROUTE_REMOVE_ROLE : ROUTE_ADD_ROLE, asked->guild_id,
						asked->user_id, asked->reason);

	rest.args.ids[ROUTE_ID_ROLE] = asked->role_id;
	return send_it(scope, &rest, fn, arg);
}

ACTION(member_timeout, shoal_member_timeout)
{
	struct rest_request rest = about_member(ROUTE_EDIT_MEMBER, asked->guild_id, asked->user_id, asked->reason);
	char until[CLOCK_ISO_SIZE];

	if (asked->until_ms < 0)
		return invalid(scope, rest.route, -EINVAL, "until_ms is before the epoch");
	rest.json = asked->until_ms ? json_pack("{s:s}", "communication_disabled_until",
						clock_format_iso(asked->until_ms, until))
				    : json_pack("{s:n}", "communication_disabled_until");
	return rest.json ? send_it(scope, &rest, fn, arg) : -ENOMEM;
}

ACTION(member_nick, shoal_member_nick)
{
	struct rest_request rest = about_member(ROUTE_EDIT_MEMBER, asked->guild_id, asked->user_id, asked->reason);

	rest.json = json_pack("{s:s}", "nick", asked->nick ? asked->nick : "");
	return rest.json ? send_it(scope, &rest, fn, arg) : invalid(scope, rest.route, -EINVAL, "nick is no UTF-8");
}

ACTION(member_kick, shoal_member_ref)
{
	struct rest_request rest = about_member(ROUTE_KICK, asked->guild_id, asked->user_id, asked->reason);

	return send_it(scope, &rest, fn, arg);
}

ACTION(member_ban, shoal_member_ban)
{
	struct rest_request rest = about_member(ROUTE_BAN, asked->guild_id, asked->user_id, asked->reason);

	if (asked->delete_message_s > BAN_DELETE_MAX_S)
		return invalid(scope, rest.route, -EINVAL, "delete_message_s is more than seven days");
	rest.json = json_pack("{s:I}", "delete_message_seconds", (json_int_t)asked->delete_message_s);
	return rest.json ? send_it(scope, &rest, fn, arg) : -ENOMEM;
}

ACTION(member_unban, shoal_member_ref)
{
	struct rest_request rest = about_member(ROUTE_UNBAN, asked->guild_id, asked->user_id, asked->reason);

	return send_it(scope, &rest, fn, arg);
}

ACTION(bulk_ban, shoal_bulk_ban)
{
	struct rest_request rest = { .route = ROUTE_BULK_BAN,
				     .args.ids = { [ROUTE_ID_GUILD] = asked->guild_id },
				     .reason = asked->reason };
	json_t *users;
	size_t i;

	if (asked->user_count < 1 || asked->user_count > BULK_BAN_MAX || asked->delete_message_s > BAN_DELETE_MAX_S)
		return invalid(scope, rest.route, -EINVAL, "1 to 200 users, and messages of at most seven days");
	users = json_array();
	for (i = 0; i < asked->user_count; i++)
		json_array_append_new(users, payload_id(asked->users[i]));
	rest.json = json_pack("{s:o, s:I}", "user_ids", users, "delete_message_seconds",
			      (json_int_t)asked->delete_message_s);
	return rest.json ? send_it(scope, &rest, fn, arg) : -ENOMEM;
}
