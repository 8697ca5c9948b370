/* Calls: made from requests, judged after attempts. Run by the REST client. Must not send, wait or tell anybody. */
#include "shared/discord/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/discord/discord_time.h"
#include "shared/discord/payload.h"

#define URL_MAX          4096
#define MAJOR_MAX        1024
#define REASON_UNITS_MAX 512
#define REASON_HEADER    "X-Audit-Log-Reason: "
/* Share of the deadline that the first attempt of a callback gets, so that a second one fits in. */
#define INTERACTION_FIRST_SHARE   0.55
#define UNAUTHORISED_CODE         40001
#define BAD_TOKEN_CODE            50014
#define ALREADY_ACKNOWLEDGED_CODE 40060

/* --- a new call ----------------------------------------------------------------------------------------------------
 */

void call_free(struct call *call)
{
	transfer_finish(&call->transfer);
	free(call->url);
	free(call->body);
	free(call->reason_header);
	free(call);
}

static bool json_has_nonce(const json_t *body)
{
	const json_t *nonce = json_object_get(body, "nonce");

	return (json_is_string(nonce) || json_is_integer(nonce)) &&
	       json_is_true(json_object_get(body, "enforce_nonce"));
}

static int take_body(struct call *call, const struct rest_request *request)
{
	bool wanted = call_row(call)->flags & ROUTE_BODY;

	if (wanted != (request->json || request->text) || (request->json && request->text))
		return -EINVAL;
	if (request->text) {
		if (request->text_len > REST_REQUEST_MAX)
			return -E2BIG;
		call->body = malloc(request->text_len + 1);
		if (!call->body)
			return -ENOMEM;
		memcpy(call->body, request->text, request->text_len);
		call->body[request->text_len] = '\0';
		call->body_len = request->text_len;
	} else if (request->json) {
		call->body = json_dumps(request->json, JSON_COMPACT);
		if (!call->body)
			return -ENOMEM;
		call->body_len = strlen(call->body);
		if (call->body_len > REST_REQUEST_MAX)
			return -E2BIG;
	}
	call->repeat = call_row(call)->repeat;
	if (call->repeat == ROUTE_NONCE && !(request->text_has_nonce || json_has_nonce(request->json)))
		call->repeat = ROUTE_NEVER;
	return 0;
}

static bool is_query(const char *query)
{
	for (; *query; query++)
		if ((unsigned char)*query <= ' ' || (unsigned char)*query >= 0x7f || *query == '#')
			return false;
	return true;
}

static int take_url(struct call *call, const struct rest_request *request, const char *api_base)
{
	CLEANUP(buf_finish) struct buf url = { .max = URL_MAX };
	int r;

	if (request->query && !is_query(request->query))
		return -EINVAL;
	r = buf_append_str(&url, api_base);
	r = r < 0 ? r : route_path(call->route, &request->args, &url);
	if (r >= 0 && request->query && request->query[0])
		r = buf_printf(&url, "?%s", request->query);
	if (r >= 0)
		r = buf_append_char(&url, '\0');
	if (r < 0)
		return r == -ENOBUFS ? -E2BIG : r;
	call->url = strdup(url.data);
	return call->url ? 0 : -ENOMEM;
}

static int take_reason(struct call *call, const char *reason)
{
	CLEANUP(buf_finish) struct buf header = { .max = sizeof(REASON_HEADER) + REASON_UNITS_MAX * 9 };
	CLEANUP(cleanup_free) char *cut = NULL;
	int r;

	if (!reason || !reason[0])
		return 0;
	if (!(call_row(call)->flags & ROUTE_AUDIT))
		return -EINVAL;
	cut = payload_clip(reason, REASON_UNITS_MAX);
	if (!cut)
		return -ENOMEM;
	r = buf_append_str(&header, REASON_HEADER);
	r = r < 0 ? r : route_encode(&header, cut);
	r = r < 0 ? r : buf_append_char(&header, '\0');
	if (r < 0)
		return r;
	call->reason_header = strdup(header.data);
	return call->reason_header ? 0 : -ENOMEM;
}

static int take_lane(struct call *call, const struct rest_request *request, struct ratelimit *limits, uint64_t now_ns)
{
	CLEANUP(buf_finish) struct buf major = { .max = MAJOR_MAX };
	int r;

	if (call_is_interaction(call))
		return 0;
	r = route_major(call->route, &request->args, &major);
	if (r < 0)
		return r == -ENOBUFS ? -E2BIG : r;
	return ratelimit_lane(limits, call->route, route_variant(call->route, &request->args, discord_time_ms()),
			      major.data ? major.data : "", major.len, now_ns, &call->lane);
}

int call_new(const struct rest_request *request, rest_fn fn, void *arg, const char *api_base, struct ratelimit *limits,
	     uint32_t timeout_ms, uint64_t now_ns, struct call **ret_call)
{
	bool interaction = route_rows[request->route].flags & ROUTE_INTERACTION;
	uint64_t deadline_ms = request->deadline_ms ? request->deadline_ms
			       : interaction        ? REST_INTERACTION_MS
						    : 3ULL * timeout_ms;
	struct call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	call->route = request->route;
	call->priority = request->priority;
	call->essential = request->essential;
	call->fn = fn;
	call->leaving = request->leaving;
	call->stayed = request->stayed;
	call->arg = arg;
	call->created_ns = now_ns;
	call->deadline_ns =
		now_ns + (deadline_ms < REST_DEADLINE_MAX_MS ? deadline_ms : REST_DEADLINE_MAX_MS) * NS_PER_MS;
	r = take_body(call, request);
	r = r < 0 ? r : take_url(call, request, api_base);
	r = r < 0 ? r : take_reason(call, request->reason);
	r = r < 0 ? r : take_lane(call, request, limits, now_ns);
	if (r < 0) {
		call_free(call);
		return r;
	}
	*ret_call = call;
	return 0;
}

/* --- time ----------------------------------------------------------------------------------------------------------
 */

/* Most calls have the usual deadline, so the place is found from the end. */
void call_deadlines_insert(struct call_deadlines *deadlines, struct call *call)
{
	struct call *before = deadlines->last;

	while (before && before->deadline_ns > call->deadline_ns)
		before = before->earlier;
	call->earlier = before;
	call->later = before ? before->later : deadlines->first;
	if (before)
		before->later = call;
	else
		deadlines->first = call;
	if (call->later)
		call->later->earlier = call;
	else
		deadlines->last = call;
}

void call_deadlines_remove(struct call_deadlines *deadlines, struct call *call)
{
	if (call->earlier)
		call->earlier->later = call->later;
	else
		deadlines->first = call->later;
	if (call->later)
		call->later->earlier = call->earlier;
	else
		deadlines->last = call->earlier;
}

uint32_t call_attempt_ms(const struct call *call, uint32_t timeout_ms, uint64_t now_ns)
{
	uint64_t left_ms = call->deadline_ns > now_ns ? (call->deadline_ns - now_ns) / NS_PER_MS : 0;

	if (call_is_interaction(call) && call->attempts == 0)
		left_ms = (uint64_t)((double)left_ms * INTERACTION_FIRST_SHARE);
	if (left_ms > timeout_ms)
		left_ms = timeout_ms;
	return left_ms ? (uint32_t)left_ms : 1;
}

/* --- how it ends ---------------------------------------------------------------------------------------------------
 */

void call_decide(struct call *call, int error, const char *format, ...)
{
	size_t len = (size_t)snprintf(call->text, sizeof(call->text), "%s: ", call_row(call)->name);
	va_list args;

	call->error = error;
	va_start(args, format);
	vsnprintf(call->text + len, sizeof(call->text) - len, format, args);
	va_end(args);
	discord_error_mend(call->text);
}

const struct shoal_phrase *call_phrase(const struct call *call)
{
	if (call->error == 0)
		return NULL;
	if (call->error == -SHOAL_ERATE)
		return discord_error_phrase(429, 0);
	if (call->error == -SHOAL_EREFUSED)
		return discord_error_phrase(401, 0);
	return discord_error_phrase(call->http_status >= 400 ? call->http_status : 0, call->discord_code);
}

bool call_is_token_refusal(const struct call *call, uint32_t status, const struct discord_error *error)
{
	/* On routes with a token of their own a 401 speaks of that one; an HTML 401 is some proxy's. */
	return status == 401 && !(call_row(call)->flags & ROUTE_NO_AUTH) && error->is_discord &&
	       (error->code == 0 || error->code == UNAUTHORISED_CODE || error->code == BAD_TOKEN_CODE);
}

/* What became of the attempt, in the retry policy's terms. 0 for RETRY_OUTCOME_COUNT: it succeeded. */
enum retry_outcome call_judge(struct call *call, const struct transfer_result *result, const json_t *body,
			      const struct discord_error *error)
{
	uint32_t status = result->http_status;
	char text[REST_TEXT_SIZE];

	/* A refusal whose body broke off is a refusal all the same. */
	if (result->error && (status < 400 || result->error == -EFBIG)) {
		call_decide(call, result->error, "%s", result->text);
		return status >= 200 && status < 300 && result->outcome == RETRY_LOST ? RETRY_GARBLED : result->outcome;
	}
	if (status >= 200 && status < 300) {
		if (body || !call->transfer.body.len)
			return RETRY_OUTCOME_COUNT;
		call_decide(call, -EBADMSG, "HTTP %u, but the body is no JSON", status);
		return RETRY_GARBLED;
	}
	/* What an earlier attempt has done needs no second doing. */
	if (call->maybe_done && ((call_is_interaction(call) && error->code == ALREADY_ACKNOWLEDGED_CODE) ||
				 (call_row(call)->method == ROUTE_DELETE && status == 404))) {
		call->already = true;
		return RETRY_OUTCOME_COUNT;
	}
	discord_error_text(error, status, text, sizeof(text));
	call_decide(call, error->is_discord ? -SHOAL_EDISCORD : -SHOAL_EHTTP, "%s", text);
	if (status == 429) {
		call->error = -SHOAL_ERATE;
		return RETRY_LIMITED;
	}
	return status >= 500 ? RETRY_SERVER : RETRY_REFUSED;
}

/* What a call that may have been carried out, and may not be repeated, ends with. */
int call_lost_error(const struct call *call, int error)
{
	bool repeatable = call->repeat == ROUTE_SAFE || call->repeat == ROUTE_NONCE;

	return call->maybe_done && !repeatable ? -SHOAL_EUNKNOWN : error;
}
