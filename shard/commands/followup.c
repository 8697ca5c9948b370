/* Follow-ups. An interaction's go by its token; a message command's are messages and edits in the channel, in which the
 * "original" is not known, so changes of it are for interactions. */
#include "shard/commands/followup.h"

#include <errno.h>

#include "shard/commands/answer.h"
#include "shard/commands/commands.h"
#include "shared/log/log.h"

#define DEADLINE_MS 60000

static bool is_message(const struct shoal_invocation *inv)
{
	return inv->form == INVOCATION_MESSAGE;
}

static int go(struct shoal_invocation *inv, struct request *request)
{
	struct rest_request rest = {
		.route = request->route,
		.args = { .ids = { [ROUTE_ID_CHANNEL] = inv->channel_id,
				   [ROUTE_ID_APPLICATION] = inv->application_id,
				   [ROUTE_ID_MESSAGE] = request->message_id },
			  .token = inv->token },
		.json = request->body,
		.deadline_ms = DEADLINE_MS,
		.priority = REST_PRIORITY_HIGH,
	};

	request->waits = false;
	request->body = NULL;
	return request_go(request, &rest);
}

void followup_run(struct shoal_invocation *inv)
{
	struct request *request;
	int r;

	while ((request = request_waiting(&inv->scope))) {
		r = go(inv, request);
		if (r < 0)
			request_end(request, r);
	}
}

/* Takes @body. */
static int begin(struct shoal_invocation *inv, enum route route, uint64_t message_id, json_t *body, shoal_done_fn fn,
		 void *arg)
{
	struct request *request;
	int r;

	r = request_new(&inv->scope, inv->commands->services.effects, fn, arg, &request);
	if (r < 0) {
		json_decref(body);
		return r;
	}
	request->route = route;
	request->message_id = message_id;
	request->body = body;
	request->waits = true;
	if (!answer_is_settled(inv))
		return 0;
	r = go(inv, request);
	if (r < 0) /* the caller hears it, not its callback */
		request_drop(request);
	return r;
}

static int build(const struct shoal_invocation *inv, enum payload_kind kind, const struct shoal_content *from,
		 json_t **ret_body)
{
	char error[PAYLOAD_ERROR_SIZE] = "";
	struct payload_message message;
	struct content *content;
	uint32_t flags = PAYLOAD_SUPPRESS_EMBEDS;
	int r;

	r = content_new(from, error, &content);
	if (r == 0) {
		if (kind == PAYLOAD_FOLLOWUP)
			flags |= PAYLOAD_EPHEMERAL | PAYLOAD_SUPPRESS_NOTIFICATIONS;
		if (kind == PAYLOAD_CREATE)
			flags |= PAYLOAD_SUPPRESS_NOTIFICATIONS;
		message = content_message(content, flags);
		if (kind == PAYLOAD_CREATE)
			message.reply_to = inv->event_id;
		r = payload_message(kind, &message, error, ret_body);
		content_free(content);
	}
	if (r < 0) {
		struct log_ctx ctx = { .shard = -1,
				       .guild_id = inv->guild_id,
				       .module = inv->scope.module ? inv->scope.module->name : NULL,
				       .event = inv->path };

		log_error(&ctx, "commands.answer_invalid", KV_MSG("a follow-up breaks Discord's limits"), KV_ERR(r),
			  KV_STR("detail", error));
	}
	return r;
}

int followup_create(struct shoal_invocation *inv, const struct shoal_content *content, shoal_done_fn fn, void *arg)
{
	json_t *body = NULL;
	int r;

	if (!inv->replied) /* it would take the place of the answer */
		return -EINVAL;
	r = build(inv, is_message(inv) ? PAYLOAD_CREATE : PAYLOAD_FOLLOWUP, content, &body);
	if (r < 0)
		return r;
	return begin(inv, is_message(inv) ? ROUTE_CREATE_MESSAGE : ROUTE_CREATE_FOLLOWUP, 0, body, fn, arg);
}

int followup_edit(struct shoal_invocation *inv, uint64_t message_id, const struct shoal_content *content,
		  shoal_done_fn fn, void *arg)
{
	json_t *body = NULL;
	int r;

	if (message_id == 0)
		return -EINVAL;
	r = build(inv, is_message(inv) ? PAYLOAD_EDIT : PAYLOAD_ORIGINAL, content, &body);
	if (r < 0)
		return r;
	return begin(inv, is_message(inv) ? ROUTE_EDIT_MESSAGE : ROUTE_EDIT_FOLLOWUP, message_id, body, fn, arg);
}

int followup_delete(struct shoal_invocation *inv, uint64_t message_id, shoal_done_fn fn, void *arg)
{
	if (message_id == 0)
		return -EINVAL;
	return begin(inv, is_message(inv) ? ROUTE_DELETE_MESSAGE : ROUTE_DELETE_FOLLOWUP, message_id, NULL, fn, arg);
}

int followup_edit_original(struct shoal_invocation *inv, const struct shoal_content *content, shoal_done_fn fn,
			   void *arg)
{
	json_t *body = NULL;
	int r;

	if (is_message(inv) || !inv->replied)
		return -EINVAL;
	r = build(inv, PAYLOAD_ORIGINAL, content, &body);
	return r < 0 ? r : begin(inv, ROUTE_EDIT_ORIGINAL, 0, body, fn, arg);
}

int followup_delete_original(struct shoal_invocation *inv, shoal_done_fn fn, void *arg)
{
	if (is_message(inv) || (!inv->replied && !inv->defer_raised))
		return -EINVAL;
	if (!inv->replied)
		answer_waive(inv);
	return begin(inv, ROUTE_DELETE_ORIGINAL, 0, NULL, fn, arg);
}
