/* Requests. Every way to the end passes through complete(), which is where the module's code is entered. */
#include "shard/commands/request.h"

#include <errno.h>
#include <stdlib.h>

#include <shoal/snowflake.h>

#include "shared/base/errors.h"
#include "shared/discord/discord_error.h"
#include "shared/log/log.h"

static void tell_failure(const struct request *request, const struct shoal_result *result)
{
	const struct shoal_scope *scope = request->call.scope;
	struct log_ctx ctx = { .shard = -1,
			       .guild_id = scope->guild_id,
			       .module = scope->module ? scope->module->name : NULL,
			       .event = scope->what };

	log_warn(&ctx, "modules.effect_failed", KV_MSG("what a module asked of Discord did not come about"),
		 KV_STR("route", route_rows[request->route].name), KV_ERR(result->error),
		 KV_INT("http_status", result->http_status), KV_INT("discord_code", result->discord_code),
		 KV_STR("detail", result->message));
}

static void complete(struct request *request, const struct shoal_result *result)
{
	struct shoal_scope *scope = request->call.scope;
	struct culprit_frame frame;

	request->call.over = true;
	if (result->error && result->error != -ECANCELED) {
		if (scope->module && scope->module->counters)
			board_count(scope->module->counters, BOARD_MODULE_failures, 1);
		if (!request->fn)
			tell_failure(request, result);
	}
	if (request->fn) {
		scope_enter(&frame, scope, CULPRIT_CONTINUATION);
		request->fn(request->arg, result);
		culprit_leave(&frame);
	}
	request_drop(request);
}

void request_drop(struct request *request)
{
	scope_done(&request->call);
	json_decref(request->body);
	free(request);
}

void request_end(struct request *request, int error)
{
	struct shoal_result result = { .error = error,
				       .message = error_text(error),
				       .phrase = discord_error_phrase(0, 0) };

	complete(request, &result);
}

static uint64_t id_of(const json_t *body, const char *key)
{
	const json_t *id = json_object_get(body, key);
	uint64_t value;

	if (!json_is_string(id) || shoal_snowflake_parse(json_string_value(id), json_string_length(id), &value) < 0)
		return 0;
	return value;
}

static void on_done(void *arg, const struct rest_result *answer)
{
	struct request *request = arg;
	struct shoal_result result = { .error = answer->error,
				       .http_status = answer->http_status,
				       .discord_code = answer->discord_code,
				       .created_id = id_of(answer->body, "id"),
				       .channel_id = id_of(answer->body, "channel_id"),
				       .message = answer->message ? answer->message : "",
				       .phrase = answer->phrase,
				       .already = answer->already };
	int r;

	request->handle = 0;
	if (request->next && !answer->error) {
		r = request->next(request, answer);
		if (r < 0)
			request_end(request, r);
		return;
	}
	complete(request, &result);
}

static void cancel(struct scope_call *call)
{
	struct request *request = (struct request *)call;

	if (!request->handle || effects_cancel(request->effects, request->handle) < 0)
		request_end(request, -ECANCELED);
}
_Static_assert(offsetof(struct request, call) == 0, "a call is a request");

int request_new(struct shoal_scope *scope, struct effects *effects, shoal_done_fn fn, void *arg,
		struct request **ret_request)
{
	struct request *request = calloc(1, sizeof(*request));
	int r;

	if (!request)
		return -ENOMEM;
	r = scope_add(scope, &request->call, cancel);
	if (r < 0) {
		free(request);
		return r;
	}
	request->effects = effects;
	request->step = effect_scope_take(&scope->effects);
	request->fn = fn;
	request->arg = arg;
	*ret_request = request;
	return 0;
}

struct request *request_waiting(const struct shoal_scope *scope)
{
	struct scope_call *call;

	for (call = scope->calls; call; call = call->next) {
		if (call->cancel == cancel && !call->over && ((struct request *)call)->waits)
			return (struct request *)call;
	}
	return NULL;
}

int request_go(struct request *request, const struct rest_request *rest)
{
	request->route = rest->route;
	/* Where only looking is allowed (suggestions), what is begun is no change. */
	if (request->call.scope->looks_only && route_rows[rest->route].method != ROUTE_GET) {
		json_decref(rest->json);
		return -EPERM;
	}
	return effects_send(request->effects, &request->step, rest, on_done, request, &request->handle);
}

int request_send(struct shoal_scope *scope, struct effects *effects, const struct rest_request *rest, shoal_done_fn fn,
		 void *arg)
{
	struct request *request;
	int r;

	r = request_new(scope, effects, fn, arg, &request);
	if (r < 0) {
		json_decref(rest->json);
		return r;
	}
	r = request_go(request, rest);
	if (r < 0)
		request_drop(request);
	return r;
}
