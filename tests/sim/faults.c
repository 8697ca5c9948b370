/* Faults. Each kind is one row: a standing one is asked for by the room it concerns, a stroke is a function over an
 * open gateway connection. */
#include "tests/sim/faults.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/gateway.h"
#include "tests/sim/hostile.h"
#include "tests/sim/options.h"
#include "tests/sim/util.h"

struct fault {
	uint64_t id;
	enum fault_kind kind;
	int64_t times; /* left; negative: until it is lifted */
	uint32_t shard;
	json_t *params;
	struct fault *next;
};

static const struct fault_row {
	const char *name;
	enum fault_kind kind; /* FAULT_KIND_COUNT: a stroke */
	void (*stroke)(struct gateway *g, const json_t *params);
	int64_t times; /* of a standing one, when the request names none */
	const char *help;
} rows[] = {
	{ "refuse_connect", FAULT_REFUSE_CONNECT, NULL, 1, "HTTP 503 instead of the WebSocket upgrade {times}" },
	{ "never_hello", FAULT_NEVER_HELLO, NULL, 1, "connects get no HELLO {times}" },
	{ "bad_hello", FAULT_BAD_HELLO, NULL, 1, "HELLO with a heartbeat_interval that is no number {times}" },
	{ "op7_first", FAULT_OP7_FIRST, NULL, 1, "Reconnect in the place of HELLO {times}" },
	{ "refuse_resume", FAULT_REFUSE_RESUME, NULL, 1, "op 9 d:false to RESUME; the session stays {times, shard?}" },
	{ "ignore_resume", FAULT_IGNORE_RESUME, NULL, 1,
	  "RESUME is taken and never answered; the session stays {times, shard?}" },
	{ "html", FAULT_HTML, NULL, 1, "REST answers an HTML page {times, status=502, route?}" },
	{ "http_5xx", FAULT_HTTP_5XX, NULL, 1,
	  "REST answers a 5xx in JSON, nothing is done {times, status=500, route?}" },
	{ "refusal", FAULT_REFUSAL, NULL, 1,
	  "REST answers an error of Discord's, nothing is done {times, status=400, code=0, message?, route?}" },
	{ "http_5xx_after", FAULT_HTTP_5XX_AFTER, NULL, 1, "the same, but it was done {times, status=500, route?}" },
	{ "rate_limit_429", FAULT_RATE_LIMIT_429, NULL, 1,
	  "429 {times, scope=user|shared|global|cloudflare, retry_after=1.0, route?}" },
	{ "no_headers", FAULT_NO_HEADERS, NULL, 1, "REST answers without rate-limit headers {times, route?}" },
	{ "bad_json", FAULT_BAD_JSON, NULL, 1,
	  "the REST answer's body is cut off, its length is right {times, route?}" },
	{ "latency", FAULT_LATENCY, NULL, -1, "REST answers are held back {ms, times=forever, route?}" },
	{ "hang", FAULT_HANG, NULL, 1, "REST accepts and never answers, nothing is done {times, route?}" },
	{ "close_mid_body", FAULT_CLOSE_MID_BODY, NULL, 1,
	  "the connection ends in the middle of the REST answer {times, route?}" },
	{ "reset_request", FAULT_RESET_REQUEST, NULL, 1,
	  "RST instead of a REST answer, nothing is done {times, route?}" },
	{ "reset_after", FAULT_RESET_AFTER, NULL, 1, "RST instead of a REST answer, but it was done {times, route?}" },
	{ "unauthorized", FAULT_UNAUTHORIZED, NULL, -1, "401 to all REST calls that need the token {times=forever}" },
	{ "gateway_bot", FAULT_GATEWAY_BOT, NULL, -1,
	  "fields of GET /gateway/bot are replaced {fields:{}, times=forever}" },
	{ "drop", FAULT_KIND_COUNT, hostile_drop, 0, "TCP reset" },
	{ "fin", FAULT_KIND_COUNT, hostile_fin, 0, "TCP end without a close frame" },
	{ "close", FAULT_KIND_COUNT, hostile_close, 0, "close frame {code=4000, reason?, end_session=false}" },
	{ "half_open", FAULT_KIND_COUNT, hostile_half_open, 0, "nothing is read or written any more, nothing closed" },
	{ "no_ack", FAULT_KIND_COUNT, hostile_no_ack, 0, "heartbeats are no longer acknowledged {on=true}" },
	{ "mute", FAULT_KIND_COUNT, hostile_mute, 0,
	  "heartbeats are acknowledged, but no dispatch is written any more {on=true}" },
	{ "slow", FAULT_KIND_COUNT, hostile_slow, 0, "at most so many bytes a second {bytes_per_s=1000; 0 lifts}" },
	{ "op1", FAULT_KIND_COUNT, hostile_op1, 0, "asks for a heartbeat" },
	{ "op7", FAULT_KIND_COUNT, hostile_op7, 0, "Reconnect" },
	{ "op9", FAULT_KIND_COUNT, hostile_op9, 0, "Invalid Session {resumable=false}; false ends the session" },
	{ "fragment", FAULT_KIND_COUNT, hostile_fragment, 0,
	  "messages come in WebSocket fragments {bytes=100; 0 lifts}" },
	{ "split", FAULT_KIND_COUNT, hostile_split, 0,
	  "zlib-stream: a payload over several messages {bytes=100; 0 lifts}" },
	{ "truncated_zlib", FAULT_KIND_COUNT, hostile_truncated, 0,
	  "a compressed payload with its middle missing (plain: cut JSON)" },
	{ "bomb", FAULT_KIND_COUNT, hostile_bomb, 0,
	  "one payload of many MB {mb=128}; plain connections get at most 32" },
	{ "oversized", FAULT_KIND_COUNT, hostile_oversized, 0, "a frame header that claims 16 GiB, then 64 KiB of it" },
	{ "lying_length", FAULT_KIND_COUNT, hostile_lying, 0, "a frame longer than it says" },
	{ "masked", FAULT_KIND_COUNT, hostile_masked, 0, "a masked frame from the server" },
	{ "reserved_bits", FAULT_KIND_COUNT, hostile_reserved, 0, "a frame with RSV1 set" },
	{ "bad_opcode", FAULT_KIND_COUNT, hostile_bad_opcode, 0, "a frame with opcode 11" },
	{ "non_utf8", FAULT_KIND_COUNT, hostile_non_utf8, 0, "a dispatch whose text is no UTF-8" },
	{ "malformed_json", FAULT_KIND_COUNT, hostile_malformed, 0, "a payload that is no JSON" },
	{ "unknown", FAULT_KIND_COUNT, hostile_unknown, 0,
	  "an unknown opcode, an unknown event, unknown fields: all legal" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static struct fault *standing;

const char *faults_name(enum fault_kind kind)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (!rows[i].stroke && rows[i].kind == kind)
			return rows[i].name;
	}
	return "";
}

static void use_up(struct fault *f)
{
	if (f->times > 0)
		f->times--;
}

static void sweep(void)
{
	for (struct fault **at = &standing; *at;) {
		struct fault *f = *at;

		if (f->times == 0) {
			*at = f->next;
			json_decref(f->params);
			free(f);
		} else {
			at = &f->next;
		}
	}
}

bool faults_take(enum fault_kind kind, uint32_t shard)
{
	for (struct fault *f = standing; f; f = f->next) {
		if (f->kind != kind || f->times == 0 || (f->shard != UINT32_MAX && f->shard != shard))
			continue;
		use_up(f);
		return true;
	}
	return false;
}

static bool route_fits(const json_t *params, const char *route, const char *method, const char *path)
{
	const char *want = json_string_value(json_object_get(params, "route")), *space;
	size_t n;

	if (!want || !strcmp(want, route) || !strcmp(want, path))
		return true;
	space = strchr(want, ' ');
	n = space ? (size_t)(space - want) : 0;
	return space && strlen(method) == n && !strncmp(want, method, n) && strstr(path, space + 1);
}

const json_t *faults_take_route(enum fault_kind kind, const char *route, const char *method, const char *path)
{
	for (struct fault *f = standing; f; f = f->next) {
		if (f->kind != kind || f->times == 0 || !route_fits(f->params, route, method, path))
			continue;
		use_up(f);
		return f->params;
	}
	return NULL;
}

struct stroke {
	void (*fn)(struct gateway *g, const json_t *params);
	const json_t *params;
	int applied;
};

static void strike(struct gateway *g, void *arg)
{
	struct stroke *s = arg;

	s->fn(g, s->params);
	s->applied++;
}

static json_t *add(const struct fault_row *row, const json_t *request, uint32_t shard)
{
	static uint64_t last_id;
	const json_t *times = json_object_get(request, "times");
	struct fault *f = calloc(1, sizeof(*f));

	if (!f)
		return json_pack("{s:s}", "error", "out of memory");
	f->id = ++last_id;
	f->kind = row->kind;
	f->times = json_is_integer(times) ? json_integer_value(times) : row->times;
	f->shard = shard;
	f->params = json_deep_copy(request);
	f->next = standing;
	standing = f;
	return json_pack("{s:I,s:s,s:I}", "id", (json_int_t)f->id, "kind", row->name, "times", (json_int_t)f->times);
}

json_t *faults_apply(const json_t *request)
{
	const char *kind = json_string_value(json_object_get(request, "kind"));
	const json_t *shard = json_object_get(request, "shard");
	uint32_t which = json_is_integer(shard) ? (uint32_t)json_integer_value(shard) : UINT32_MAX;

	sweep();
	for (size_t i = 0; kind && i < ROWS; i++) {
		if (strcmp(rows[i].name, kind))
			continue;
		if (!rows[i].stroke)
			return add(&rows[i], request, which);
		struct stroke stroke = { rows[i].stroke, request, 0 };

		gateway_each(which, strike, &stroke);
		return json_pack("{s:s,s:i}", "kind", kind, "applied", stroke.applied);
	}
	return json_pack("{s:s}", "error", "unknown fault kind, see GET /help");
}

json_t *faults_json(void)
{
	json_t *list = json_array();

	sweep();
	for (struct fault *f = standing; f; f = f->next)
		json_array_append_new(list, json_pack("{s:I,s:I,s:O}", "id", (json_int_t)f->id, "times_left",
						      (json_int_t)f->times, "request", f->params));
	return list;
}

static void heal(struct gateway *g, void *arg)
{
	(void)arg;
	g->no_ack = g->mute = false;
	g->fragment_bytes = g->split_bytes = 0;
	if (g->conn->slow_bytes_per_s)
		conn_slow(g->conn, 0);
}

void faults_clear(uint64_t id)
{
	for (struct fault *f = standing; f; f = f->next) {
		if (!id || f->id == id)
			f->times = 0;
	}
	sweep();
	if (!id)
		gateway_each(UINT32_MAX, heal, NULL);
}

json_t *faults_help(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < ROWS; i++)
		json_object_set_new(all, rows[i].name, json_string(rows[i].help));
	return all;
}
