/* The ledger. "Nothing lost, nothing doubled" is a question put to it: every message and interaction the sim made is an
 * entry, and what the bot did about it is tied to the entry by id. Bounded: the oldest entries give way, counted. */
#include "tests/sim/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/hist.h"
#include "tests/sim/map.h"
#include "tests/sim/util.h"
#include "tests/sim/waits.h"

#define DELIVERIES_KEPT 3
#define EFFECTS_KEPT    6
#define ANSWER_LIMIT_MS 3000 /* of an interaction */

struct delivery {
	uint32_t session;
	uint64_t seq;
};

struct effect {
	const char *what;
	uint64_t at_ms, latency_us, id;
};

struct entry {
	uint64_t id, guild_id;
	uint64_t sent_ms; /* wall: made */
	uint64_t sent_us; /* monotonic: written to the first socket; 0: not yet */
	uint64_t last_us; /* and to the last one */
	struct delivery deliveries[DELIVERIES_KEPT];
	struct effect *effects; /* EFFECTS_KEPT, when there is any */
	uint16_t delivery_count, effect_count, answers, refused, writes;
	enum ledger_kind kind;
	bool expects, late;
};

struct counters {
	uint64_t made, delivered, undelivered_closed, expecting, answered, doubled, late, refused_double;
	struct hist latency;
};

struct name {
	char id[33];
	uint32_t shard, count;
};

static struct entry *entries;
static uint64_t cap, first, next; /* entry numbers: kept are first .. next - 1 */
static struct map by_id;
static struct counters counters[LEDGER_KIND_COUNT];
static uint64_t strays, overwritten, reset_ms;
static json_t *stray_kinds;
static struct name *names;
static uint32_t name_cap;

static const char *const kind_names[] = { "message", "interaction", "event" };

int ledger_init(uint64_t max_entries)
{
	cap = max_entries;
	entries = calloc(cap, sizeof(*entries)); /* touched only as it fills */
	stray_kinds = json_object();
	first = next = 1;
	reset_ms = wall_ms();
	return entries && stray_kinds ? 0 : -ENOMEM;
}

void ledger_reset(void)
{
	for (; first < next; first++)
		free(entries[first % cap].effects);
	map_free(&by_id);
	memset(counters, 0, sizeof(counters));
	json_object_clear(stray_kinds);
	strays = overwritten = 0;
	reset_ms = wall_ms();
}

void ledger_free(void)
{
	ledger_reset();
	free(entries);
	free(names);
	json_decref(stray_kinds);
	entries = NULL;
	names = NULL;
	stray_kinds = NULL;
}

void ledger_name_session(uint32_t serial, const char *id, uint32_t shard, uint32_t count)
{
	if (serial >= name_cap) {
		uint32_t more = name_cap ? name_cap * 2 : 256;
		struct name *bigger;

		while (more <= serial)
			more *= 2;
		bigger = realloc(names, more * sizeof(*names));
		if (!bigger)
			return;
		memset(bigger + name_cap, 0, (more - name_cap) * sizeof(*names));
		names = bigger;
		name_cap = more;
	}
	snprintf(names[serial].id, sizeof(names[serial].id), "%s", id);
	names[serial].shard = shard;
	names[serial].count = count;
}

static struct entry *find(uint64_t id)
{
	uintptr_t number = (uintptr_t)map_get(&by_id, id);

	return number ? &entries[number % cap] : NULL;
}

void ledger_sent(enum ledger_kind kind, uint64_t id, uint64_t guild_id, bool expects)
{
	struct entry *e = &entries[next % cap];

	if (next - first == cap) {
		map_remove(&by_id, e->id);
		free(e->effects);
		first++;
		overwritten++;
	}
	*e = (struct entry){ .id = id, .guild_id = guild_id, .sent_ms = wall_ms(), .kind = kind, .expects = expects };
	map_put(&by_id, id, (void *)(uintptr_t)next);
	next++;
	counters[kind].made++;
	counters[kind].expecting += expects;
	waits_changed();
}

void ledger_delivered(uint64_t id, uint32_t session, uint64_t seq)
{
	struct entry *e = find(id);

	if (!e)
		return;
	counters[e->kind].delivered += e->delivery_count == 0;
	if (e->delivery_count < DELIVERIES_KEPT)
		e->deliveries[e->delivery_count] = (struct delivery){ session, seq };
	e->delivery_count++;
}

void ledger_written(uint64_t id)
{
	uint64_t number = (uintptr_t)map_get(&by_id, id);

	struct entry *e = &entries[number % cap];

	if (!number)
		return;
	e->last_us = mono_us();
	e->writes++;
	if (!e->sent_us)
		e->sent_us = e->last_us;
}

static uint64_t note(struct entry *e, const char *what, uint64_t effect_id, uint64_t arrived_us)
{
	uint64_t latency = e->sent_us && arrived_us > e->sent_us ? arrived_us - e->sent_us : 0;

	if (!e->effects)
		e->effects = calloc(EFFECTS_KEPT, sizeof(*e->effects));
	if (e->effects && e->effect_count < EFFECTS_KEPT)
		e->effects[e->effect_count] = (struct effect){ what, wall_ms(), latency, effect_id };
	e->effect_count++;
	return latency;
}

void ledger_effect(uint64_t id, const char *what, uint64_t effect_id, uint64_t arrived_us, bool counts)
{
	struct entry *e = find(id);
	uint64_t latency;

	if (!e) {
		ledger_stray(what);
		return;
	}
	latency = note(e, what, effect_id, arrived_us);
	if (!counts)
		return;
	e->answers++;
	if (e->answers == 1) {
		counters[e->kind].answered += e->expects;
		if (e->sent_us)
			hist_add(&counters[e->kind].latency, latency);
	} else if (e->answers == 2) {
		counters[e->kind].doubled += e->expects;
	}
	waits_changed();
}

void ledger_refused(uint64_t id, const char *what, uint64_t arrived_us, bool late)
{
	struct entry *e = find(id);

	if (!e) {
		ledger_stray(what);
		return;
	}
	note(e, what, 0, arrived_us);
	e->refused++;
	if (late && !e->late) {
		e->late = true;
		counters[e->kind].late++;
	} else if (!late) {
		counters[e->kind].refused_double++;
	}
	waits_changed();
}

void ledger_stray(const char *what)
{
	strays++;
	json_object_set_new(stray_kinds, what,
			    json_integer(json_integer_value(json_object_get(stray_kinds, what)) + 1));
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static json_t *id_json(uint64_t id)
{
	return json_sprintf("%llu", (unsigned long long)id);
}

static json_t *entry_json(const struct entry *e, uint64_t number)
{
	json_t *deliveries = json_array(), *answered = json_array();

	for (int i = 0; i < DELIVERIES_KEPT && i < e->delivery_count; i++) {
		const struct delivery *d = &e->deliveries[i];
		const struct name *n = d->session < name_cap ? &names[d->session] : NULL;

		json_array_append_new(deliveries, json_pack("{s:s,s:i,s:i,s:I}", "session", n ? n->id : "", "shard",
							    n ? (int)n->shard : -1, "count", n ? (int)n->count : -1,
							    "seq", (json_int_t)d->seq));
	}
	for (int i = 0; e->effects && i < EFFECTS_KEPT && i < e->effect_count; i++) {
		const struct effect *f = &e->effects[i];

		json_array_append_new(answered,
				      json_pack("{s:s,s:I,s:I,s:o}", "what", f->what, "at_ms", (json_int_t)f->at_ms,
						"latency_us", (json_int_t)f->latency_us, "id", id_json(f->id)));
	}
	return json_pack("{s:I,s:I,s:i,s:I,s:o,s:s,s:o,s:I,s:b,s:i,s:i,s:i,s:b,s:o,s:o}", "first_written_us",
			 (json_int_t)e->sent_us, "last_written_us", (json_int_t)e->last_us, "writes", (int)e->writes,
			 "n", (json_int_t)number, "id", id_json(e->id), "kind", kind_names[e->kind], "guild_id",
			 id_json(e->guild_id), "sent_ms", (json_int_t)e->sent_ms, "expects_answer", e->expects,
			 "delivered", (int)e->delivery_count, "answers", (int)e->answers, "refused", (int)e->refused,
			 "late", e->late, "deliveries", deliveries, "answered", answered);
}

json_t *ledger_json(enum ledger_kind kind, uint64_t after, uint64_t limit, bool only_wrong)
{
	json_t *list = json_array();
	uint64_t i = after + 1 < first ? first : after + 1;

	for (; i < next && json_array_size(list) < limit; i++) {
		const struct entry *e = &entries[i % cap];

		if (kind != LEDGER_KIND_COUNT && e->kind != kind)
			continue;
		if (only_wrong && (!e->expects || (e->answers == 1 && !e->refused)))
			continue;
		json_array_append_new(list, entry_json(e, i));
	}
	return json_pack("{s:o,s:I,s:I}", "entries", list, "next_after", (json_int_t)(i - 1), "overwritten",
			 (json_int_t)overwritten);
}

json_t *ledger_entry_json(uint64_t id)
{
	uint64_t number = (uintptr_t)map_get(&by_id, id);

	return number ? entry_json(&entries[number % cap], number) : NULL;
}

static json_t *kind_json(enum ledger_kind kind)
{
	const struct counters *c = &counters[kind];
	uint64_t undelivered = 0, expired = 0, pending = 0, now = wall_ms();

	for (uint64_t i = first; i < next; i++) {
		const struct entry *e = &entries[i % cap];

		if (e->kind != kind || !e->expects)
			continue;
		undelivered += e->delivery_count == 0;
		if (e->answers || !e->delivery_count)
			continue;
		if (kind == LEDGER_INTERACTION && now > e->sent_ms + ANSWER_LIMIT_MS)
			expired++;
		else
			pending++;
	}
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:{s:I,s:I,s:I,s:I,s:I,s:I}}", "made",
			 (json_int_t)c->made, "sent", (json_int_t)c->expecting, "undelivered", (json_int_t)undelivered,
			 "answered", (json_int_t)c->answered, "answered_once", (json_int_t)(c->answered - c->doubled),
			 "unanswered", (json_int_t)(pending + expired), "doubled", (json_int_t)c->doubled, "expired",
			 (json_int_t)expired, "late", (json_int_t)c->late, "refused_double",
			 (json_int_t)c->refused_double, "latency_us", "count", (json_int_t)c->latency.count, "p50",
			 (json_int_t)hist_at(&c->latency, 0.5), "p90", (json_int_t)hist_at(&c->latency, 0.9), "p99",
			 (json_int_t)hist_at(&c->latency, 0.99), "max", (json_int_t)c->latency.max, "mean",
			 (json_int_t)(c->latency.count ? c->latency.sum / c->latency.count : 0));
}

json_t *ledger_summary_json(void)
{
	return json_pack("{s:o,s:o,s:I,s:O,s:I,s:I}", "messages", kind_json(LEDGER_MESSAGE), "interactions",
			 kind_json(LEDGER_INTERACTION), "strays", (json_int_t)strays, "stray_kinds", stray_kinds,
			 "overwritten", (json_int_t)overwritten, "since_ms", (json_int_t)reset_ms);
}

uint64_t ledger_count_sent(enum ledger_kind kind)
{
	return counters[kind].made;
}

uint64_t ledger_count_expecting(enum ledger_kind kind)
{
	return counters[kind].expecting;
}

uint64_t ledger_count_answered(enum ledger_kind kind)
{
	return counters[kind].answered;
}

uint64_t ledger_count_doubled(enum ledger_kind kind)
{
	return counters[kind].doubled;
}
