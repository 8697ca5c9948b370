/* Control verbs. A row is a method, a path, a function and a line of help; GET /help prints the table. Verbs answer at
 * once, save the two waits. */
#include "tests/sim/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/control_send.h"
#include "tests/sim/commands.h"
#include "tests/sim/effects.h"
#include "tests/sim/faults.h"
#include "tests/sim/flood.h"
#include "tests/sim/gateway.h"
#include "tests/sim/identify.h"
#include "tests/sim/ledger.h"
#include "tests/sim/losses.h"
#include "tests/sim/options.h"
#include "tests/sim/replay.h"
#include "tests/sim/rest.h"
#include "tests/sim/store.h"
#include "tests/sim/traffic.h"
#include "tests/sim/util.h"
#include "tests/sim/waits.h"
#include "tests/sim/world.h"

static void (*on_stop)(void);

void control_on_stop(void (*stop)(void))
{
	on_stop = stop;
}

/* --- state ------------------------------------------------------------------------------------------------------- */

static json_t *session_json(const struct session *s)
{
	const struct gateway *g = s->gateway;

	return json_pack("{s:s,s:[i,i],s:b,s:I,s:I,s:I,s:s?,s:s?,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "session_id", s->id,
			 "shard", (int)s->shard, (int)s->count, "connected", g != NULL, "seq", (json_int_t)s->seq,
			 "acked", (json_int_t)s->acked, "intents", (json_int_t)s->intents, "compress",
			 g ? compress_name(g->compress) : NULL, "connected_via",
			 g ? (g->via_resume_url ? "resume" : "gateway") : NULL, "identifies",
			 (json_int_t)identify_count_of(s->shard), "resumes", (json_int_t)s->resumes, "guilds_sent",
			 (json_int_t)s->guilds_sent, "guilds_total", (json_int_t)s->guilds_total, "ready_ms",
			 s->ready_us ? (json_int_t)((s->ready_us - s->identified_us) / 1000) : (json_int_t)-1,
			 "delivered", (json_int_t)s->delivered, "beats", (json_int_t)(g ? g->beats : 0), "flood",
			 flood_json(s));
}

static json_t *closes_json(const uint32_t *codes)
{
	json_t *all = json_object();
	char name[8];

	for (int i = 0; i < 5000; i++) {
		if (!codes[i])
			continue;
		snprintf(name, sizeof(name), "%d", i);
		json_object_set_new(all, name, json_integer(codes[i]));
	}
	return all;
}

static json_t *counters_json(void)
{
	const struct gateway_stats *g = &gateway_stats;
	json_t *all = waits_values_json();

	json_object_update_new(
		all,
		json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "acks_withheld",
			  (json_int_t)g->acks_withheld, "upgrades_refused", (json_int_t)g->requests_refused,
			  "resumes_at_gateway_url", (json_int_t)g->resumes_at_gateway_url, "presence_over_limit",
			  (json_int_t)g->presence_over_limit, "member_requests", (json_int_t)g->op8,
			  "member_requests_limited", (json_int_t)g->op8_limited, "payloads", (json_int_t)g->payloads,
			  "plain_bytes", (json_int_t)g->plain_bytes, "wire_bytes", (json_int_t)g->wire_bytes,
			  "links_lost", (json_int_t)g->lost, "sessions_made", (json_int_t)session_stats.made,
			  "sessions_expired", (json_int_t)session_stats.expired, "sessions_overflowed",
			  (json_int_t)session_stats.overflowed, "events_replayed", (json_int_t)session_stats.replayed,
			  "replays_short", (json_int_t)session_stats.replay_short, "seq_gaps",
			  (json_int_t)session_stats.gaps, "nonce_hits", (json_int_t)store_nonce_hits(), "traffic_made",
			  (json_int_t)traffic_made()));
	json_object_set_new(all, "closes_sent", closes_json(g->closes_sent));
	json_object_set_new(all, "closes_received", closes_json(g->closes_received));
	return all;
}

static json_t *get_state(struct exchange *x)
{
	json_t *sessions = json_array();

	(void)x;
	for (struct session *s = session_list(); s; s = s->next)
		json_array_append_new(sessions, session_json(s));
	return json_pack("{s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:I,s:o,s:o}", "now_ms", (json_int_t)wall_ms(), "mono_ms",
			 (json_int_t)mono_ms(), "sessions", sessions, "counters", counters_json(), "identify",
			 identify_stats_json(), "commands", commands_json(), "rest", rest_stats_json(), "guilds",
			 (json_int_t)world_guild_count(), "options", options_json(), "replay", replay_json());
}

static json_t *get_counters(struct exchange *x)
{
	(void)x;
	return counters_json();
}

static json_t *get_guild(struct exchange *x)
{
	json_t *channels = json_array(), *roles = json_array(), *members = json_array();
	uint64_t index = 0;
	char text[24];

	if (exchange_query(x, "index", text, sizeof(text)))
		index = strtoull(text, NULL, 10);
	for (uint32_t i = 0; i < options.channels; i++)
		json_array_append_new(
			channels, json_pack("{s:o,s:i}", "id",
					    json_sprintf("%llu", (unsigned long long)world_id(index, WORLD_CHANNEL, i)),
					    "type", world_channel_type(i)));
	for (uint32_t i = 0; i < options.roles; i++)
		json_array_append_new(roles, json_sprintf("%llu", (unsigned long long)world_id(index, WORLD_ROLE, i)));
	for (uint32_t i = 0; i < options.members && i < 100; i++)
		json_array_append_new(members,
				      json_sprintf("%llu", (unsigned long long)world_id(index, WORLD_USER, i)));
	return json_pack("{s:I,s:o,s:o,s:o,s:o,s:b}", "index", (json_int_t)index, "id",
			 json_sprintf("%llu", (unsigned long long)world_guild_id(index)), "channels", channels, "roles",
			 roles, "members", members, "exists", index < world_guild_count());
}

/* --- ledger ------------------------------------------------------------------------------------------------------ */

static json_t *get_ledger(struct exchange *x)
{
	enum ledger_kind kind = LEDGER_KIND_COUNT;
	uint64_t after = 0, limit = 1000;
	char text[24];

	if (exchange_query(x, "kind", text, sizeof(text)))
		kind = !strcmp(text, "message")       ? LEDGER_MESSAGE
		       : !strcmp(text, "interaction") ? LEDGER_INTERACTION
		       : !strcmp(text, "event")       ? LEDGER_EVENT
						      : LEDGER_KIND_COUNT;
	if (exchange_query(x, "after", text, sizeof(text)))
		after = strtoull(text, NULL, 10);
	if (exchange_query(x, "limit", text, sizeof(text)))
		limit = strtoull(text, NULL, 10);
	return ledger_json(kind, after, limit, exchange_query_true(x, "wrong"));
}

static uint64_t query_number(const struct exchange *x, const char *name, uint64_t initial)
{
	char text[24];

	return exchange_query(x, name, text, sizeof(text)) ? strtoull(text, NULL, 10) : initial;
}

static json_t *get_effects(struct exchange *x)
{
	return effects_json(query_number(x, "after", 0), query_number(x, "limit", 1000));
}

/* What happened to event X: its entry, and every request that it led to. */
static json_t *get_trace(struct exchange *x)
{
	uint64_t id = query_number(x, "id", 0);
	json_t *entry = ledger_entry_json(id);

	return json_pack("{s:o,s:o}", "entry", entry ? entry : json_null(), "requests", effects_of(id));
}

static json_t *get_losses(struct exchange *x)
{
	enum loss_kind kind = LOSS_KIND_COUNT;
	char text[24];

	if (exchange_query(x, "kind", text, sizeof(text)))
		kind = losses_kind(text);
	return losses_json(kind, query_number(x, "after", 0));
}

static json_t *get_summary(struct exchange *x)
{
	json_t *all = ledger_summary_json();

	(void)x;
	json_object_set_new(all, "identifies", identify_stats_json());
	json_object_set_new(all, "resumes",
			    json_pack("{s:I,s:I,s:I}", "ok", (json_int_t)gateway_stats.resumes_ok, "refused",
				      (json_int_t)gateway_stats.resumes_refused, "at_gateway_url",
				      (json_int_t)gateway_stats.resumes_at_gateway_url));
	json_object_set_new(all, "closes_sent", closes_json(gateway_stats.closes_sent));
	json_object_set_new(all, "closes_received", closes_json(gateway_stats.closes_received));
	json_object_set_new(all, "links_lost", json_integer(gateway_stats.lost));
	json_object_set_new(all, "rest", rest_stats_json());
	json_object_set_new(all, "nonce_hits", json_integer((json_int_t)store_nonce_hits()));
	return all;
}

static json_t *post_reset(struct exchange *x)
{
	(void)x;
	ledger_reset();
	effects_reset();
	losses_reset();
	rest_stats_reset();
	limits_reset();
	identify_stats_reset();
	memset(&gateway_stats, 0, sizeof(gateway_stats));
	memset(&session_stats, 0, sizeof(session_stats));
	return json_pack("{s:b}", "ok", 1);
}

/* --- options, faults, floods ------------------------------------------------------------------------------------- */

static json_t *post_set(struct exchange *x)
{
	json_t *body = exchange_json(x), *value;
	const char *key, *error = NULL;

	json_object_foreach(body, key, value)
	{
		error = options_set(key, value);
		if (error)
			break;
	}
	value = !json_is_object(body) ? json_pack("{s:s}", "error", "a JSON object is needed")
		: error               ? json_pack("{s:s,s:s}", "error", error, "key", key)
				      : options_json();
	json_decref(body);
	return value;
}

static json_t *post_traffic(struct exchange *x)
{
	json_t *body = exchange_json(x), *rate = json_object_get(body, "rate");
	const char *error = rate ? options_set("traffic", rate) : "rate is needed";

	json_decref(body);
	return error ? json_pack("{s:s}", "error", error) : json_pack("{s:I}", "rate", (json_int_t)options.traffic);
}

static json_t *post_fault(struct exchange *x)
{
	json_t *body = exchange_json(x), *done = faults_apply(body);

	json_decref(body);
	return done;
}

static json_t *get_faults(struct exchange *x)
{
	(void)x;
	return faults_json();
}

static json_t *delete_faults(struct exchange *x)
{
	char text[24] = "0";

	exchange_query(x, "id", text, sizeof(text));
	faults_clear(strtoull(text, NULL, 10));
	return json_pack("{s:b}", "ok", 1);
}

static json_t *post_flood(struct exchange *x)
{
	json_t *body = exchange_json(x), *done = flood_start(body);

	json_decref(body);
	return done;
}

static json_t *get_urls(struct exchange *x)
{
	(void)x;
	return json_pack("{s:s,s:s,s:s,s:s}", "api", gateway_urls.api, "gateway", gateway_urls.gateway, "resume",
			 gateway_urls.resume, "control", gateway_urls.control);
}

static json_t *post_stop(struct exchange *x)
{
	(void)x;
	on_stop();
	return json_pack("{s:b}", "stopping", 1);
}

static json_t *get_help(struct exchange *x);

/* --- the table --------------------------------------------------------------------------------------------------- */

static const struct verb {
	const char *method, *path;
	json_t *(*run)(struct exchange *x);
	const char *help;
} verbs[] = {
	{ "GET", "/help", get_help, "this list, the kinds of faults, the names for waits" },
	{ "GET", "/urls", get_urls, "the URLs that the sim hands out" },
	{ "GET", "/state", get_state, "sessions, counters, identify spend, registered commands, REST totals, options" },
	{ "GET", "/counters", get_counters, "the counters alone (cheap)" },
	{ "GET", "/guild", get_guild, "?index=N: ids of a guild, its channels, roles and first members" },
	{ "GET", "/wait", NULL,
	  "?NAME=N&NAME_max=N&timeout_ms=MS: answers when all hold, 408 when time is over; "
	  "condition=ready&sessions=N" },
	{ "GET", "/ledger", get_ledger,
	  "?kind=message|interaction|event&after=N&limit=N&wrong=true (only unanswered, doubled, refused)" },
	{ "GET", "/ledger/summary", get_summary,
	  "what was sent, answered once, doubled, late; latencies; identifies, resumes, closes, REST" },
	{ "GET", "/effects", get_effects,
	  "?after=N&limit=N: every REST request as it came, before any dedupe, with the event it belongs to" },
	{ "GET", "/trace", get_trace, "?id=N: what happened to that event: how it was sent, and all requests for it" },
	{ "GET", "/losses", get_losses,
	  "?kind=skipped|refused|ended|gap&after=N: what a RESUME did not bring, sessions ended, numbers never given" },
	{ "GET", "/ledger/wait", NULL, "?kind=&sent=N&answered=N&expecting=N&doubled=N&timeout_ms=MS: like /wait" },
	{ "POST", "/ledger/reset", post_reset, "forgets the ledger and all counters" },
	{ "POST", "/message", control_message,
	  "{guild_index|guild_id|dm:true, channel_index?|channel_id?, author?{}|author_index?, content, count=1, "
	  "spread?, reply_to?, extra?{}} -> {ids, deliveries}" },
	{ "POST", "/interaction", control_interaction,
	  "{guild_index|guild_id|dm:true, name, options?, type=2, custom_id?, values?, components?, message_id?, "
	  "user?{}|user_index?, permissions?, data?{}, extra?{}, count=1, spread?} -> {id, token, ids}" },
	{ "POST", "/event", control_event,
	  "{t, d, guild_id?|guild_index?|shard?, dm?, cause?}: a raw dispatch; in the ledger under the id cause" },
	{ "POST", "/raw", control_raw,
	  "{shard?, text|base64, opcode=text|binary|close|ping, frame=false: bytes are whole frames, compress=false}" },
	{ "POST", "/guild", control_guild,
	  "{guild_index|guild_id, action: outage|restore|leave|join; update, fields?{}, cause?; or member_add, "
	  "user_id, fields?{} of the member, cause?}" },
	{ "POST", "/traffic", post_traffic, "{rate}: generated events a second" },
	{ "POST", "/flood", post_flood,
	  "{shard, file, repeat=1, rate=0, level?, prepare?}: dispatches from a JSONL file of {t,d}" },
	{ "POST", "/fault", post_fault, "{kind, shard?, times?, route?, …}: see fault_kinds" },
	{ "GET", "/faults", get_faults, "faults that stand" },
	{ "DELETE", "/faults", delete_faults, "?id=N lifts one; without it all, and what lasts on open links" },
	{ "POST", "/set", post_set, "{option: value, …}: changes options while running" },
	{ "POST", "/stop", post_stop, "ends the process" },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static json_t *get_help(struct exchange *x)
{
	json_t *list = json_array();
	char line[40];

	(void)x;
	for (size_t i = 0; i < VERBS; i++) {
		snprintf(line, sizeof(line), "%s %s", verbs[i].method, verbs[i].path);
		json_array_append_new(list, json_pack("[s,s]", line, verbs[i].help));
	}
	return json_pack("{s:o,s:o,s:o}", "verbs", list, "fault_kinds", faults_help(), "wait_names",
			 waits_values_json());
}

static void answer(struct exchange *x, int status, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	exchange_reply(x, text ? status : 500, "application/json", text, text ? strlen(text) : 0);
	free(text);
}

void control_handle(struct exchange *x)
{
	bool known = false;

	for (size_t i = 0; i < VERBS; i++) {
		json_t *result;

		if (strcmp(verbs[i].path, x->path))
			continue;
		known = true;
		if (strcmp(verbs[i].method, x->method))
			continue;
		if (!verbs[i].run) {
			waits_start(x, !strcmp(x->path, "/ledger/wait"));
			return;
		}
		result = verbs[i].run(x);
		answer(x, json_object_get(result, "error") ? 400 : 200, result);
		return;
	}
	answer(x, known ? 405 : 404, json_pack("{s:s}", "error", "no such verb, see GET /help"));
}
