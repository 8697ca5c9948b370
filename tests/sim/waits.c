/* Conditions are rows: a name and a function that gives its present value. A wait holds when every named value has
 * reached its least (NAME=N) or does not exceed its most (NAME_max=N). */
#include "tests/sim/waits.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/flood.h"
#include "tests/sim/gateway.h"
#include "tests/sim/identify.h"
#include "tests/sim/ledger.h"
#include "tests/sim/replay.h"
#include "tests/sim/rest.h"
#include "tests/sim/session.h"
#include "tests/sim/util.h"

#define TERMS_MAX          8
#define TIMEOUT_DEFAULT_MS 10000
#define TIMEOUT_MAX_MS     600000

static uint64_t ready(void)
{
	uint64_t n = 0;

	for (struct session *s = session_list(); s; s = s->next)
		n += s->gateway && s->ready_us;
	return n;
}

static uint64_t disconnected(void)
{
	return session_count() - session_connected_count();
}

static uint64_t guilds_sent(void)
{
	uint64_t n = 0;

	for (struct session *s = session_list(); s; s = s->next)
		n += s->guilds_sent;
	return n;
}

#define COUNTER(name, expression)  \
	static uint64_t name(void) \
	{                          \
		return expression; \
	}
COUNTER(resumes, gateway_stats.resumes_ok)
COUNTER(resumes_refused, gateway_stats.resumes_refused)
COUNTER(connects, gateway_stats.connects)
COUNTER(heartbeats, gateway_stats.heartbeats)
COUNTER(messages_sent, ledger_count_expecting(LEDGER_MESSAGE))
COUNTER(messages_answered, ledger_count_answered(LEDGER_MESSAGE))
COUNTER(interactions_sent, ledger_count_expecting(LEDGER_INTERACTION))
COUNTER(interactions_answered, ledger_count_answered(LEDGER_INTERACTION))

static const struct value {
	const char *name;
	uint64_t (*get)(void);
} values[] = {
	{ "sessions", session_connected_count },
	{ "ready", ready },
	{ "disconnected", disconnected },
	{ "connections", conn_count },
	{ "connects", connects },
	{ "identifies", identify_total },
	{ "identifies_accepted", identify_accepted },
	{ "resumes", resumes },
	{ "resumes_refused", resumes_refused },
	{ "heartbeats", heartbeats },
	{ "guilds_sent", guilds_sent },
	{ "messages_sent", messages_sent },
	{ "messages_answered", messages_answered },
	{ "interactions_sent", interactions_sent },
	{ "interactions_answered", interactions_answered },
	{ "rest_requests", rest_request_count },
	{ "commands", rest_command_count },
	{ "floods_finished", flood_finished_count },
	{ "replayed", replay_count },
	{ "replay_finished", replay_finished },
};

#define VALUES (sizeof(values) / sizeof(values[0]))

struct term {
	char name[32];
	uint64_t (*get)(void);
	uint64_t (*get_ledger)(enum ledger_kind kind);
	uint64_t bound;
	bool most;
};

struct wait {
	struct exchange *x;
	uint64_t deadline_ms, started_ms;
	enum ledger_kind kind; /* LEDGER_KIND_COUNT: both together */
	struct term terms[TERMS_MAX];
	size_t term_count;
	struct wait *next;
};

static struct wait *waiting;
static bool changed;

void waits_changed(void)
{
	changed = true;
}

static uint64_t term_value(const struct wait *w, const struct term *t)
{
	if (t->get)
		return t->get();
	if (w->kind != LEDGER_KIND_COUNT)
		return t->get_ledger(w->kind);
	return t->get_ledger(LEDGER_MESSAGE) + t->get_ledger(LEDGER_INTERACTION);
}

static bool holds(const struct wait *w)
{
	for (size_t i = 0; i < w->term_count; i++) {
		uint64_t value = term_value(w, &w->terms[i]);

		if (w->terms[i].most ? value > w->terms[i].bound : value < w->terms[i].bound)
			return false;
	}
	return true;
}

static void answer(struct wait *w, bool reached)
{
	json_t *seen = json_object(), *body;
	char *text;

	for (size_t i = 0; i < w->term_count; i++)
		json_object_set_new(seen, w->terms[i].name, json_integer((json_int_t)term_value(w, &w->terms[i])));
	body = json_pack("{s:b,s:o,s:I}", "reached", reached, "values", seen, "waited_ms",
			 (json_int_t)(mono_ms() - w->started_ms));
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	w->x->held = NULL;
	exchange_reply(w->x, reached ? 200 : 408, "application/json", text, text ? strlen(text) : 0);
	free(text);
	free(w);
}

static void gone(struct exchange *x)
{
	struct wait *w = x->held;

	for (struct wait **at = &waiting; *at; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			break;
		}
	}
	free(w);
	exchange_free(x);
}

/* Looks at all; answering one may not start another before the list is whole again. */
static void look(uint64_t now_ms, bool values_changed)
{
	struct wait *done = NULL;

	for (struct wait **at = &waiting; *at;) {
		struct wait *w = *at;

		if (now_ms >= w->deadline_ms || (values_changed && holds(w))) {
			*at = w->next;
			w->next = done;
			done = w;
		} else {
			at = &w->next;
		}
	}
	while (done) {
		struct wait *w = done;

		done = w->next;
		answer(w, holds(w));
	}
}

void waits_end_of_pass(void)
{
	if (!changed)
		return;
	changed = false;
	if (waiting)
		look(mono_ms(), true);
}

void waits_tick(uint64_t now_ms)
{
	if (waiting) /* some values (heartbeats, requests) do not report their changes */
		look(now_ms, true);
}

static void add_term(struct exchange *x, struct wait *w, const char *name, uint64_t (*get)(void),
		     uint64_t (*get_ledger)(enum ledger_kind kind))
{
	char key[40], text[24];

	for (int most = 0; most < 2; most++) {
		struct term *t = &w->terms[w->term_count];

		snprintf(key, sizeof(key), "%s%s", name, most ? "_max" : "");
		if (w->term_count == TERMS_MAX || !exchange_query(x, key, text, sizeof(text)))
			continue;
		*t = (struct term){ .get = get, .get_ledger = get_ledger, .most = most };
		snprintf(t->name, sizeof(t->name), "%s", name);
		t->bound = strtoull(text, NULL, 10);
		w->term_count++;
	}
}

static void parse_ledger(struct exchange *x, struct wait *w)
{
	char kind[16] = "";

	w->kind = LEDGER_KIND_COUNT;
	if (exchange_query(x, "kind", kind, sizeof(kind)))
		w->kind = !strcmp(kind, "message")       ? LEDGER_MESSAGE
			  : !strcmp(kind, "interaction") ? LEDGER_INTERACTION
			  : !strcmp(kind, "event")       ? LEDGER_EVENT
							 : LEDGER_KIND_COUNT;
	add_term(x, w, "sent", NULL, ledger_count_sent);
	add_term(x, w, "expecting", NULL, ledger_count_expecting);
	add_term(x, w, "answered", NULL, ledger_count_answered);
	add_term(x, w, "doubled", NULL, ledger_count_doubled);
}

static void parse_state(struct exchange *x, struct wait *w)
{
	char condition[32] = "", text[24];

	for (size_t i = 0; i < VALUES; i++)
		add_term(x, w, values[i].name, values[i].get, NULL);
	/* condition=ready&sessions=N: that many sessions are ready, not merely connected */
	if (exchange_query(x, "condition", condition, sizeof(condition)) && !strcmp(condition, "ready") &&
	    exchange_query(x, "sessions", text, sizeof(text)) && w->term_count < TERMS_MAX) {
		w->terms[w->term_count] = (struct term){ .name = "ready", .get = ready };
		w->terms[w->term_count++].bound = strtoull(text, NULL, 10);
	}
}

void waits_start(struct exchange *x, bool ledger)
{
	static const char nothing[] =
		"{\"error\":\"name at least one condition: NAME=N or NAME_max=N, see GET /help\"}";
	struct wait *w = calloc(1, sizeof(*w));
	uint64_t timeout_ms = TIMEOUT_DEFAULT_MS;
	char text[24];

	if (!w) {
		exchange_reply(x, 500, NULL, NULL, 0);
		return;
	}
	if (ledger)
		parse_ledger(x, w);
	else
		parse_state(x, w);
	if (!w->term_count) {
		free(w);
		exchange_reply(x, 400, "application/json", nothing, sizeof(nothing) - 1);
		return;
	}
	if (exchange_query(x, "timeout_ms", text, sizeof(text)))
		timeout_ms = strtoull(text, NULL, 10);
	w->x = x;
	w->started_ms = mono_ms();
	w->deadline_ms = w->started_ms + (timeout_ms > TIMEOUT_MAX_MS ? TIMEOUT_MAX_MS : timeout_ms);
	if (holds(w)) {
		answer(w, true);
		return;
	}
	x->held = w;
	x->gone = gone;
	w->next = waiting;
	waiting = w;
}

json_t *waits_values_json(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < VALUES; i++)
		json_object_set_new(all, values[i].name, json_integer((json_int_t)values[i].get()));
	return all;
}
