/* What every REST request goes through: version, User-Agent, route, faults on demand, Authorization, limits, body; and
 * what every answer carries. The handlers (rest_*.c) see only requests that are well-formed so far. */
#include "tests/sim/rest.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "tests/sim/effects.h"
#include "tests/sim/faults.h"
#include "tests/sim/gateway.h"
#include "tests/sim/identify.h"
#include "tests/sim/options.h"
#include "tests/sim/util.h"

static const char block_page[] = "<!DOCTYPE html><html><head><title>Access denied | discord.com used Cloudflare to "
				 "restrict access</title></head>"
				 "<body>Error 1015: You are being rate limited</body></html>";

static const char lost_answer[] = "{\"message\":\"500: Internal Server Error\",\"code\":0}";

static uint64_t requests;
static json_t *by_status, *by_route;
static FILE *record;
static uv_loop_t *loop;

/* --- errors ------------------------------------------------------------------------------------------------------ */

static const struct error_row {
	int code, status;
	const char *message;
} errors[] = {
	{ 0, 401, "401: Unauthorized" },
	{ 10003, 404, "Unknown Channel" },
	{ 10004, 404, "Unknown Guild" },
	{ 10007, 404, "Unknown Member" },
	{ 10008, 404, "Unknown Message" },
	{ 10011, 404, "Unknown Role" },
	{ 10013, 404, "Unknown User" },
	{ 10014, 400, "Unknown Emoji" },
	{ 10015, 404, "Unknown Webhook" },
	{ 10026, 404, "Unknown Ban" },
	{ 10062, 404, "Unknown interaction" },
	{ 10063, 404, "Unknown application command" },
	{ 30034, 400, "Max number of daily application command creates has been reached (200)" },
	{ 40001, 401, "Unauthorized" },
	{ 40005, 413, "Request entity too large" },
	{ 40033, 400, "This message has already been crossposted." },
	{ 40060, 400, "Interaction has already been acknowledged." },
	{ 40094, 400, "Maximum number of follow up messages reached for this interaction" },
	{ 40333, 403, "internal network error" },
	{ 50001, 403, "Missing Access" },
	{ 50005, 403, "Cannot edit a message authored by another user" },
	{ 50006, 400, "Cannot send an empty message" },
	{ 50007, 403, "Cannot send messages to this user" },
	{ 50008, 400, "Cannot send messages in a non-text channel" },
	{ 50013, 403, "Missing Permissions" },
	{ 50016, 400,
	  "Provided too few or too many messages to delete. Must provide at least 2 and at most 100 messages to "
	  "delete." },
	{ 50021, 403, "Cannot execute action on a system message" },
	{ 50024, 400, "Cannot execute action on this channel type" },
	{ 50027, 401, "Invalid Webhook Token" },
	{ 50034, 400, "You can only bulk delete messages that are under 14 days old." },
	{ 50035, 400, "Invalid Form Body" },
	{ 50041, 400, "Invalid API version provided" },
	{ 50109, 400, "The request body contains invalid JSON." },
	{ 160004, 400, "A thread has already been created for this message" },
	{ 500000, 400, "Failed to ban users" },
};

static const struct error_row *error_of(int code)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].code == code)
			return &errors[i];
	}
	return &errors[0];
}

/* --- the record -------------------------------------------------------------------------------------------------- */

static void record_call(const struct exchange *x, const struct route *route, int status)
{
	struct buf line;

	if (!record)
		return;
	buf_init(&line, 64 << 20);
	buf_printf(&line, "{\"time_ms\":%llu,\"method\":", (unsigned long long)wall_ms());
	buf_json_str(&line, x->method);
	buf_lit(&line, ",\"path\":");
	if (x->query[0]) {
		size_t n = strlen(x->path);
		struct buf target;

		buf_init(&target, 1 << 20);
		buf_printf(&target, "%s?%s", x->path, x->query);
		buf_json(&line, buf_data(&target), n + 1 + strlen(x->query));
		buf_free(&target);
	} else {
		buf_json_str(&line, x->path);
	}
	buf_lit(&line, ",\"headers\":{");
	for (size_t i = 0; i < x->header_count; i++) {
		const char *value = x->headers[i].value;
		bool secret = !strcasecmp(x->headers[i].name, "authorization");

		buf_str(&line, i ? "," : "");
		buf_json_str(&line, x->headers[i].name);
		buf_lit(&line, ":");
		buf_json(&line, value, secret ? strcspn(value, " ") : strlen(value));
	}
	buf_lit(&line, "},\"body\":");
	if (utf8_valid(x->body, x->body_len)) {
		buf_json(&line, x->body, x->body_len);
	} else {
		char *text = malloc(x->body_len * 4 / 3 + 8);

		if (text)
			base64_encode(text, (const unsigned char *)x->body, x->body_len);
		buf_lit(&line, "null,\"body_base64\":");
		buf_json_str(&line, text ? text : "");
		free(text);
	}
	buf_printf(&line, ",\"status\":%d,\"operation\":", status);
	if (route)
		buf_json_str(&line, route->name);
	else
		buf_lit(&line, "null");
	buf_printf(&line, ",\"http2\":%s}\n", x->stream ? "true" : "false");
	if (line.failed || fwrite(buf_data(&line), 1, line.len, record) != line.len || fflush(record))
		log_line(LOG_ERROR, "--record: %s", strerror(errno));
	buf_free(&line);
}

static void count(json_t *table, const char *name)
{
	json_object_set_new(table, name, json_integer(json_integer_value(json_object_get(table, name)) + 1));
}

/* --- answering --------------------------------------------------------------------------------------------------- */

struct held {
	uv_timer_t timer;
	struct exchange *x;
	int status;
	const char *type;
	char *body;
	size_t len;
};

static void on_held_closed(uv_handle_t *handle)
{
	struct held *h = handle->data;

	free(h->body);
	free(h);
}

static void held_gone(struct exchange *x)
{
	struct held *h = x->held;

	h->x = NULL;
	exchange_free(x);
}

static void on_held(uv_timer_t *timer)
{
	struct held *h = timer->data;

	if (h->x) {
		h->x->gone = NULL;
		exchange_reply(h->x, h->status, h->type, h->body, h->len);
	}
	uv_close((uv_handle_t *)timer, on_held_closed);
}

/* Holds an answer back. */
static void hold(struct exchange *x, uint64_t ms, int status, const char *type, const char *body, size_t len)
{
	struct held *h = calloc(1, sizeof(*h));

	if (h)
		h->body = malloc(len + 1);
	if (!h || !h->body) {
		free(h);
		exchange_abort(x);
		return;
	}
	memcpy(h->body, body, len);
	h->x = x;
	h->status = status;
	h->type = type;
	h->len = len;
	h->timer.data = h;
	x->held = h;
	x->gone = held_gone;
	uv_timer_init(loop, &h->timer);
	uv_timer_start(&h->timer, on_held, ms, 0);
}

static void call_free(struct rest_call *c)
{
	json_decref(c->body);
	free(c->path);
	free(c->reason);
	free(c);
}

static void limit_headers(struct exchange *x, const struct limit *l)
{
	buf_printf(&x->reply_headers,
		   "X-RateLimit-Limit: %u\r\nX-RateLimit-Remaining: %u\r\nX-RateLimit-Reset: %.3f\r\n"
		   "X-RateLimit-Reset-After: %.3f\r\nX-RateLimit-Bucket: %s\r\n",
		   l->limit, l->remaining, l->reset_at_s, l->reset_after_s, l->hash);
}

static bool stroke(enum fault_kind kind, const struct rest_call *c, const json_t **ret)
{
	*ret = faults_take_route(kind, c->route ? c->route->name : "", c->x->method, c->x->path);
	if (*ret)
		effects_fault(c->row, faults_name(kind));
	return *ret;
}

void rest_done(const struct rest_call *c, uint64_t made_id)
{
	effects_fate(c->row, EFFECT_DONE, made_id);
}

void rest_same(const struct rest_call *c)
{
	effects_fate(c->row, EFFECT_SAME, 0);
}

/* The one way out. Frees @c. */
static void answer(struct rest_call *c, int status, const char *type, const char *body, size_t len, bool limits)
{
	struct exchange *x = c->x;
	const struct route *route = c->route;
	const json_t *fault;
	char text[16];

	snprintf(text, sizeof(text), "%d", status);
	count(by_status, text);
	if (status == 401 || status == 403)
		limits_invalid();
	record_call(x, route, status);
	effects_ended(c->row, status, c->code);
	if (limits && c->has_limit && !stroke(FAULT_NO_HEADERS, c, &fault))
		limit_headers(x, &c->limit);
	buf_lit(&x->reply_headers, "Via: 1.1 google\r\nServer: cloudflare\r\n");
	if (status < 300 && stroke(FAULT_RESET_AFTER, c, &fault)) {
		exchange_abort(x);
	} else if (status < 300 && stroke(FAULT_HTTP_5XX_AFTER, c, &fault)) {
		const json_t *other = json_object_get(fault, "status");

		exchange_reply(x, other ? (int)json_integer_value(other) : 500, "application/json", lost_answer,
			       sizeof(lost_answer) - 1);
	} else if (stroke(FAULT_CLOSE_MID_BODY, c, &fault)) {
		exchange_reply_half(x, status == 204 ? 200 : status, type ? type : "application/json",
				    len ? body : "{\"id\":\"1\"}", len ? len : 10);
	} else if (stroke(FAULT_BAD_JSON, c, &fault)) {
		exchange_reply(x, status == 204 ? 200 : status, "application/json",
			       len ? body : "{\"id\":", len ? len / 2 : 6);
	} else if (stroke(FAULT_LATENCY, c, &fault)) {
		hold(x, (uint64_t)json_integer_value(json_object_get(fault, "ms")), status, type, body, len);
	} else {
		exchange_reply(x, status, type, body, len);
	}
	call_free(c);
}

void rest_json(struct rest_call *c, int status, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(json);
	answer(c, text ? status : 500, "application/json", text ? text : "", text ? strlen(text) : 0, true);
	free(text);
}

void rest_empty(struct rest_call *c, int status)
{
	answer(c, status, NULL, "", 0, true);
}

void rest_fail(struct rest_call *c, int code)
{
	const struct error_row *row = error_of(code);

	c->code = code;
	rest_json(c, row->status, json_pack("{s:s,s:i}", "message", row->message, "code", code));
}

static void fail_status(struct rest_call *c, int status)
{
	char text[64];

	snprintf(text, sizeof(text), "%d: %s", status, http_reason(status));
	rest_json(c, status, json_pack("{s:s,s:i}", "message", text, "code", 0));
}

/* As the fault has it. */
static void fail_as(struct rest_call *c, const json_t *fault)
{
	const json_t *status = json_object_get(fault, "status");
	const char *message = json_string_value(json_object_get(fault, "message"));

	c->code = (int)json_integer_value(json_object_get(fault, "code"));
	rest_json(c, status ? (int)json_integer_value(status) : 400,
		  json_pack("{s:s,s:i}", "message", message ? message : "No", "code", c->code));
}

void rest_invalid(struct rest_call *c, const char *path, const char *error, const char *message)
{
	json_t *tree = json_object(), *node = tree;
	char name[128];

	while (*path) {
		size_t n = strcspn(path, ".");
		json_t *child = json_object();

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		json_object_set_new(node, name, child);
		node = child;
		path += n + (path[n] == '.');
	}
	c->code = 50035;
	json_object_set_new(node, "_errors", json_pack("[{s:s,s:s}]", "code", error, "message", message));
	rest_json(c, 400, json_pack("{s:s,s:i,s:o}", "message", "Invalid Form Body", "code", 50035, "errors", tree));
}

static void limited(struct rest_call *c, const char *scope, double retry_s, bool with_headers)
{
	char text[256];
	bool global = !strcmp(scope, "global"), shared = !strcmp(scope, "shared");
	int n = snprintf(text, sizeof(text), "{\"message\":\"%s\",\"retry_after\":%.3f,\"global\":%s%s}",
			 shared ? "The resource is being rate limited." : "You are being rate limited.", retry_s,
			 global ? "true" : "false", shared ? ",\"code\":40062" : "");

	buf_printf(&c->x->reply_headers, "Retry-After: %d\r\nX-RateLimit-Scope: %s\r\n%s", (int)ceil(retry_s), scope,
		   global ? "X-RateLimit-Global: true\r\n" : "");
	if (!shared)
		limits_invalid();
	answer(c, 429, "application/json", text, (size_t)n, with_headers);
}

static void blocked(struct rest_call *c)
{
	buf_lit(&c->x->reply_headers, "Retry-After: 600\r\n");
	answer(c, 429, "text/html; charset=UTF-8", block_page, sizeof(block_page) - 1, false);
}

/* --- finding the route ------------------------------------------------------------------------------------------- */

/* Splits "/api/v10/a/b" into its segments. False when it does not begin with /api. */
static bool split(char *path, char **segments, size_t *count_at)
{
	size_t n = 0;

	if (strncmp(path, "/api/", 5))
		return false;
	for (char *at = path + 4; at && n < 12; at = strchr(at, '/')) {
		*at++ = 0;
		segments[n++] = at;
	}
	*count_at = n;
	return true;
}

static bool fits(const char *pattern, char **segments, size_t n, struct rest_call *c)
{
	size_t i = 0;

	c->param_count = 0;
	while (*pattern) {
		size_t len = strcspn(++pattern, "/");

		if (i == n)
			return false;
		if (len == 2 && !strncmp(pattern, "{}", 2)) {
			if (!segments[i][0])
				return false;
			c->param[c->param_count++] = segments[i];
		} else if (strlen(segments[i]) != len || strncmp(segments[i], pattern, len)) {
			return false;
		}
		pattern += len;
		i++;
	}
	return i == n;
}

/* NULL when nothing fits; @ret_other: the path exists, for another method. */
static const struct route *find(struct rest_call *c, char **segments, size_t n, bool *ret_other)
{
	*ret_other = false;
	for (size_t i = 0; i < rest_route_count; i++) {
		const struct route *r = &rest_routes[i];

		if (!fits(r->pattern, segments, n, c))
			continue;
		if (!strcmp(r->method, c->x->method))
			return r;
		*ret_other = true;
	}
	return NULL;
}

uint64_t rest_id(const struct rest_call *c, size_t param)
{
	return param < c->param_count ? snowflake_parse(c->param[param]) : 0;
}

/* --- the way in -------------------------------------------------------------------------------------------------- */

static bool authorized(const struct exchange *x)
{
	const char *value = exchange_header(x, "Authorization");

	return value && !strncmp(value, "Bot ", 4) && identify_token_valid(value + 4);
}

/* Faults that answer instead of the route. True when the call is over. */
static bool faulty(struct rest_call *c)
{
	static const char page[] = "<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>";
	const json_t *fault, *status;

	if (stroke(FAULT_HANG, c, &fault)) {
		exchange_hang(c->x);
		call_free(c);
	} else if (stroke(FAULT_RESET_REQUEST, c, &fault)) {
		exchange_abort(c->x);
		call_free(c);
	} else if (stroke(FAULT_HTML, c, &fault)) {
		status = json_object_get(fault, "status");
		answer(c, status ? (int)json_integer_value(status) : 502, "text/html", page, sizeof(page) - 1, false);
	} else if (stroke(FAULT_HTTP_5XX, c, &fault)) {
		status = json_object_get(fault, "status");
		fail_status(c, status ? (int)json_integer_value(status) : 500);
	} else if (stroke(FAULT_REFUSAL, c, &fault)) {
		fail_as(c, fault);
	} else if (stroke(FAULT_RATE_LIMIT_429, c, &fault)) {
		const char *scope = json_string_value(json_object_get(fault, "scope"));
		const json_t *after_s = json_object_get(fault, "retry_after");
		double retry_s = json_is_number(after_s) ? json_number_value(after_s) : 1.0;

		if (scope && !strcmp(scope, "cloudflare"))
			blocked(c);
		else
			limited(c, scope ? scope : "user", retry_s, !scope || strcmp(scope, "global"));
	} else {
		return false;
	}
	return true;
}

static uint64_t major_of(const struct rest_call *c)
{
	uint64_t major = 0;

	if (!strncmp(c->route->pattern, "/channels/{}", 12) || !strncmp(c->route->pattern, "/guilds/{}", 10) ||
	    !strncmp(c->route->pattern, "/webhooks/{}", 12) || !strncmp(c->route->pattern, "/interactions/{}", 16))
		major = rest_id(c, 0);
	if (!strncmp(c->route->pattern, "/webhooks/{}/{}", 15)) { /* with its token */
		for (const char *p = c->param[1]; *p; p++)
			major = (major ^ (unsigned char)*p) * 1099511628211ULL;
	}
	return major;
}

/* True when the call was refused and is over. */
static bool over_limit(struct rest_call *c)
{
	const char *bucket = c->route->bucket;
	uint32_t limit = c->route->limit, window_ms = c->route->window_ms;
	double retry_s;

	if (!options.rest_limits)
		return false;
	if (!(c->route->flags & REST_NO_GLOBAL) && !limits_take_global(&retry_s)) {
		limited(c, "global", retry_s, false);
		return true;
	}
	if (!strcmp(c->route->name, "delete_message")) { /* three buckets, by the message's age */
		uint64_t made_ms = snowflake_ms(rest_id(c, 1)), age_ms = wall_ms() > made_ms ? wall_ms() - made_ms : 0;

		if (age_ms > 14 * 86400000ULL) {
			bucket = "delete_message_ancient";
			limit = 30;
			window_ms = 4000;
		} else if (age_ms > 10000) {
			bucket = "delete_message_old";
			limit = 3;
			window_ms = 333;
		}
	}
	if (!limit)
		return false;
	limits_take(bucket, major_of(c), limit, window_ms, &c->limit);
	c->has_limit = true;
	if (!c->limit.refused)
		return false;
	limited(c, "user", c->limit.reset_after_s, true);
	return true;
}

/* The part of a multipart body that is named payload_json; the files are not kept. */
static json_t *multipart_json(const struct exchange *x, const char *type)
{
	const char *boundary = strstr(type, "boundary="), *at, *start, *end;
	char mark[160];

	if (!boundary)
		return NULL;
	boundary += 9;
	snprintf(mark, sizeof(mark), "\r\n--%.*s", (int)strcspn(boundary + (*boundary == '"'), "\";"),
		 boundary + (*boundary == '"'));
	at = memmem(x->body, x->body_len, "name=\"payload_json\"", 19);
	start = at ? memmem(at, x->body_len - (size_t)(at - x->body), "\r\n\r\n", 4) : NULL;
	if (!start)
		return NULL;
	start += 4;
	end = memmem(start, x->body_len - (size_t)(start - x->body), mark, strlen(mark));
	return end ? json_loadb(start, (size_t)(end - start), 0, NULL) : NULL;
}

/* True when the body was bad and the call is over. */
static bool bad_body(struct rest_call *c)
{
	const char *type = exchange_header(c->x, "Content-Type"), *reason = exchange_header(c->x, "X-Audit-Log-Reason");

	if (reason) {
		for (const char *p = reason; *p; p++) {
			if ((unsigned char)*p >= 0x80 || (unsigned char)*p < 0x20) {
				rest_invalid(c, "X-Audit-Log-Reason", "BASE_TYPE_BAD", "must be percent-encoded UTF-8");
				return true;
			}
		}
		c->reason = strdup(reason);
		if (!c->reason || !percent_decode(c->reason) || !utf8_valid(c->reason, strlen(c->reason)) ||
		    utf16_length(c->reason) < 1 || utf16_length(c->reason) > 512) {
			rest_invalid(c, "X-Audit-Log-Reason", "BASE_TYPE_BAD_LENGTH",
				     "Must be between 1 and 512 in length.");
			return true;
		}
	}
	if (!c->x->body_len) {
		if (c->route->flags & REST_BODY) {
			rest_fail(c, 50109);
			return true;
		}
		return false;
	}
	if (!type) {
		rest_invalid(c, "", "CONTENT_TYPE_INVALID",
			     "Expected \"Content-Type\" header to be one of {'application/json'}.");
		return true;
	}
	if (!strncasecmp(type, "multipart/form-data", 19)) {
		c->body = multipart_json(c->x, type);
		if (!c->body)
			c->body = json_object();
	} else if (!strncasecmp(type, "application/json", 16)) {
		c->body = exchange_json(c->x);
		if (!c->body) {
			rest_fail(c, 50109);
			return true;
		}
	} else {
		rest_invalid(c, "", "CONTENT_TYPE_INVALID",
			     "Expected \"Content-Type\" header to be one of {'application/json'}.");
		return true;
	}
	return false;
}

static void dispatch(struct rest_call *c, char **segments, size_t n)
{
	const char *agent = exchange_header(c->x, "User-Agent"), *version = segments[0];
	bool other_method = false;
	const json_t *fault;

	if (!agent || strncmp(agent, "DiscordBot (", 12)) {
		rest_fail(c, 40333);
		return;
	}
	/* Without a version in the path it is v6, which is gone, like all numbers but two. */
	if (strcmp(version, "v10") && strcmp(version, "v9")) {
		rest_fail(c, 50041);
		return;
	}
	c->route = find(c, segments + 1, n - 1, &other_method);
	if (c->route)
		count(by_route, c->route->name);
	c->row = effects_arrived(c);
	if (faulty(c))
		return;
	if (!c->route) {
		fail_status(c, other_method ? 405 : 404);
		return;
	}
	if (!(c->route->flags & REST_NO_AUTH) && (!authorized(c->x) || stroke(FAULT_UNAUTHORIZED, c, &fault))) {
		rest_fail(c, 0);
		return;
	}
	if (over_limit(c) || bad_body(c))
		return;
	c->route->handle(c);
}

void rest_handle(struct exchange *x)
{
	const char *upgrade = exchange_header(x, "Upgrade");
	char *segments[12];
	struct rest_call *c;
	size_t n = 0;

	if (upgrade && !strcasecmp(upgrade, "websocket")) {
		gateway_upgrade(x);
		return;
	}
	requests++;
	c = calloc(1, sizeof(*c));
	if (c)
		c->path = strdup(x->path);
	if (!c || !c->path) {
		free(c);
		exchange_abort(x);
		return;
	}
	c->x = x;
	if (limits_blocked())
		blocked(c);
	else if (!split(c->path, segments, &n) || n < 2)
		fail_status(c, 404);
	else
		dispatch(c, segments, n);
}

/* --- bookkeeping ------------------------------------------------------------------------------------------------- */

uint64_t rest_request_count(void)
{
	return requests;
}

json_t *rest_stats_json(void)
{
	return json_pack("{s:I,s:O,s:O,s:o}", "requests", (json_int_t)requests, "by_status", by_status, "by_route",
			 by_route, "limits", limits_json());
}

void rest_stats_reset(void)
{
	requests = 0;
	json_object_clear(by_status);
	json_object_clear(by_route);
}

int rest_init(void *on_loop)
{
	loop = on_loop;
	by_status = json_object();
	by_route = json_object();
	if (effects_init(options.ledger_max) < 0)
		return -ENOMEM;
	if (!options.record[0])
		return 0;
	record = fopen(options.record, "ae");
	return record ? 0 : -errno;
}

void rest_free(void)
{
	effects_free();
	json_decref(by_status);
	json_decref(by_route);
	if (record)
		fclose(record);
	record = NULL;
}
