/* Sessions and their rings. Delivery puts an event into the ring; the connection (gateway.c) takes from it as its
 * socket drains, so a slow shard costs a position, not a buffer. Guilds after READY are made at that moment too. */
#include "tests/sim/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/flood.h"
#include "tests/sim/gateway.h"
#include "tests/sim/ledger.h"
#include "tests/sim/losses.h"
#include "tests/sim/options.h"
#include "tests/sim/util.h"
#include "tests/sim/world.h"

#define RING_BYTES_MAX (256U << 20)

/* All shards of one count. Events find their sessions through it. */
struct shard_set {
	uint32_t count;
	uint64_t members;
	struct session **shards; /* lists by next_in_shard */
	struct shard_set *next;
};

struct session_stats session_stats;
static struct shard_set *sets;
static struct session *all;
static uint64_t live;

static struct shard_set *set_of(uint32_t count, bool make)
{
	struct shard_set *set;

	for (set = sets; set; set = set->next) {
		if (set->count == count)
			return set;
	}
	if (!make)
		return NULL;
	set = calloc(1, sizeof(*set));
	if (!set)
		return NULL;
	set->count = count;
	set->shards = calloc(count, sizeof(struct session *));
	if (!set->shards) {
		free(set);
		return NULL;
	}
	set->next = sets;
	sets = set;
	return set;
}

static void set_leave(struct session *s)
{
	struct shard_set **at = &sets;
	struct session **in;

	while (*at && (*at)->count != s->count)
		at = &(*at)->next;
	if (!*at)
		return;
	for (in = &(*at)->shards[s->shard]; *in; in = &(*in)->next_in_shard) {
		if (*in == s) {
			*in = s->next_in_shard;
			(*at)->members--;
			break;
		}
	}
	if ((*at)->members == 0) {
		struct shard_set *empty = *at;

		*at = empty->next;
		free(empty->shards);
		free(empty);
	}
}

struct session *session_new(uint32_t shard, uint32_t count, uint64_t intents)
{
	static uint32_t serial;
	struct session *s = calloc(1, sizeof(*s));
	struct shard_set *set = set_of(count, true);

	if (!s || !set) {
		free(s);
		return NULL;
	}
	random_hex(s->id, 32);
	s->serial = ++serial;
	s->shard = shard;
	s->count = count;
	s->intents = intents;
	s->seq = options.seq_start;
	s->resumable = true;
	s->identified_us = mono_us();
	if (intents & INTENT_GUILDS)
		s->guilds_total = world_guilds_of_shard(shard, count);
	s->guild_next = world_first_guild(shard, count);
	s->next_in_shard = set->shards[shard];
	set->shards[shard] = s;
	set->members++;
	s->next = all;
	all = s;
	live++;
	session_stats.made++;
	ledger_name_session(s->serial, s->id, shard, count);
	return s;
}

static void forget_first(struct session *s)
{
	struct entry *e = &s->ring[s->first & (s->ring_cap - 1)];

	if (e->payload)
		s->ring_bytes -= e->payload->len;
	payload_unref(e->payload);
	e->payload = NULL;
	s->forgotten = e->seq;
	s->first++;
}

void session_end(struct session *s)
{
	losses_note(LOSS_ENDED, s, s->seq + 1, s->seq, 0);
	set_leave(s);
	for (struct session **at = &all; *at; at = &(*at)->next) {
		if (*at == s) {
			*at = s->next;
			break;
		}
	}
	live--;
	gateway_session_ended(s);
	while (s->first < s->end)
		forget_first(s);
	free(s->ring);
	free(s);
}

struct session *session_by_id(const char *id)
{
	for (struct session *s = all; s; s = s->next) {
		if (!strcmp(s->id, id))
			return s;
	}
	return NULL;
}

struct session *session_by_serial(uint32_t serial)
{
	for (struct session *s = all; s; s = s->next) {
		if (s->serial == serial)
			return s;
	}
	return NULL;
}

struct session *session_list(void)
{
	return all;
}

uint64_t session_count(void)
{
	return live;
}

uint64_t session_connected_count(void)
{
	uint64_t n = 0;

	for (struct session *s = all; s; s = s->next)
		n += s->gateway != NULL;
	return n;
}

/* --- the ring ---------------------------------------------------------------------------------------------------- */

static bool ring_grow(struct session *s)
{
	size_t cap = s->ring_cap ? s->ring_cap * 2 : 16;
	struct entry *ring = calloc(cap, sizeof(*ring));

	if (!ring)
		return false;
	for (uint64_t i = s->first; i < s->end; i++)
		ring[i & (cap - 1)] = s->ring[i & (s->ring_cap - 1)];
	free(s->ring);
	s->ring = ring;
	s->ring_cap = cap;
	return true;
}

/* Room for one more. Drops the oldest that was sent; false when nothing may be dropped. */
static bool ring_room(struct session *s)
{
	while (s->end - s->first >= options.replay_max || s->ring_bytes > RING_BYTES_MAX) {
		if (s->first >= s->cursor)
			return false;
		forget_first(s);
	}
	return s->end - s->first < s->ring_cap || ring_grow(s);
}

static uint64_t next_seq(struct session *s)
{
	s->seq++;
	if (options.seq_gaps && random_below(50) == 0) {
		uint64_t from = s->seq;

		s->seq += 1 + random_below(3);
		losses_note(LOSS_GAP, s, from, s->seq - 1, 0);
		session_stats.gaps++;
	}
	return s->seq;
}

static struct entry *append(struct session *s, enum entry_kind kind)
{
	struct entry *e = &s->ring[s->end++ & (s->ring_cap - 1)];

	*e = (struct entry){ .seq = next_seq(s), .kind = kind };
	return e;
}

static bool push(struct session *s, struct payload *p, enum entry_kind kind)
{
	if (!ring_room(s)) {
		session_stats.overflowed++;
		log_line(LOG_WARN, "shard %u/%u: its queue ran over at sequence %llu: session ended", s->shard,
			 s->count, (unsigned long long)s->seq);
		session_end(s);
		return false;
	}
	append(s, kind)->payload = payload_ref(p);
	if (kind == ENTRY_RESUMED)
		s->resumed_seq = s->seq;
	s->ring_bytes += p->len;
	s->delivered++;
	if (s->gateway)
		gateway_wake(s->gateway);
	return true;
}

bool session_append(struct session *s, struct payload *p)
{
	if (!ring_room(s))
		return false;
	append(s, ENTRY_PAYLOAD)->payload = payload_ref(p);
	s->ring_bytes += p->len;
	s->delivered++;
	return true;
}

bool session_push(struct session *s, struct payload *p)
{
	if (flood_is_exclusive(s) && flood_hold(s, p))
		return true;
	return push(s, p, ENTRY_PAYLOAD);
}

void session_push_resumed(struct session *s, struct payload *p)
{
	push(s, p, ENTRY_RESUMED);
}

static bool push_guild(struct session *s)
{
	while (s->guild_next < world_guild_count() && world_guild_flag(s->guild_next, "gone"))
		s->guild_next += s->count; /* kicked after READY listed it */
	if (!(s->intents & INTENT_GUILDS) || s->guild_next >= world_guild_count() || !ring_room(s))
		return false;
	append(s, ENTRY_GUILD)->guild = s->guild_next;
	s->guild_next += s->count;
	s->guilds_sent++;
	return true;
}

struct entry *session_next(struct session *s)
{
	if (s->cursor == s->end && !push_guild(s)) {
		if (!s->ready_us && s->end > 0)
			s->ready_us = mono_us();
		return NULL;
	}
	return &s->ring[s->cursor & (s->ring_cap - 1)];
}

void session_sent(struct session *s)
{
	s->cursor++;
}

/* --- delivery ---------------------------------------------------------------------------------------------------- */

static uint64_t deliver_list(struct session *s, struct payload *p)
{
	uint64_t n = 0;

	for (struct session *next; s; s = next) {
		next = s->next_in_shard;
		if (p->intents && !(p->intents & s->intents))
			continue;
		if (session_push(s, p)) {
			n++;
			if (p->ledger_id)
				ledger_delivered(p->ledger_id, s->serial, flood_is_exclusive(s) ? 0 : s->seq);
		}
	}
	return n;
}

uint64_t session_deliver(struct payload *p, uint64_t guild_id)
{
	uint64_t n = 0;

	if (!p)
		return 0;
	for (struct shard_set *set = sets, *next; set; set = next) {
		next = set->next; /* an overflow may end the set's last session */
		n += deliver_list(set->shards[guild_id ? world_shard_of(guild_id, set->count) : 0], p);
	}
	payload_unref(p);
	return n;
}

uint64_t session_deliver_shard(struct payload *p, uint32_t shard)
{
	uint64_t n = 0;

	if (!p)
		return 0;
	for (struct session *s = all, *next; s; s = next) {
		next = s->next;
		if ((shard != UINT32_MAX && s->shard != shard) || (p->intents && !(p->intents & s->intents)))
			continue;
		n += session_push(s, p);
	}
	payload_unref(p);
	return n;
}

/* --- resume ------------------------------------------------------------------------------------------------------ */

void session_detach(struct session *s, uint64_t written)
{
	s->gateway = NULL;
	s->disconnected_ms = mono_ms();
	for (uint64_t i = s->first; i < s->cursor; i++) {
		struct entry *e = &s->ring[i & (s->ring_cap - 1)];

		if (e->end && e->end <= written)
			s->written = e->seq;
		e->end = 0;
	}
}

enum resume_answer session_rewind(struct session *s, uint64_t seq)
{
	uint64_t from = seq, skipped = 0;

	if (!s->resumable)
		return RESUME_REFUSED;
	if (seq > s->seq)
		return RESUME_INVALID_SEQ;
	if (options.resume_keep == RESUME_KEEP_ACKED && s->acked > from)
		from = s->acked;
	if (options.resume_keep == RESUME_KEEP_UNWRITTEN && s->written > from)
		from = s->written;
	s->cursor = s->first;
	while (s->cursor < s->end && s->ring[s->cursor & (s->ring_cap - 1)].seq <= from) {
		const struct entry *e = &s->ring[s->cursor++ & (s->ring_cap - 1)];

		skipped += e->seq > seq && e->kind != ENTRY_RESUMED;
	}
	/* What the client lacks must still be here, all of it. */
	if (from < s->forgotten)
		return RESUME_REFUSED;
	if (from > seq) {
		session_stats.replay_short++;
		losses_note(LOSS_SKIPPED, s, seq + 1, from, skipped);
	}
	session_stats.replayed += s->end - s->cursor;
	s->resumes++;
	return RESUME_OK;
}

void session_tick(uint64_t now_ms)
{
	for (struct session *s = all, *next; s; s = next) {
		next = s->next;
		if (!s->gateway && now_ms >= s->disconnected_ms + options.resume_window_s * 1000) {
			session_stats.expired++;
			session_end(s);
		}
	}
}

void session_free_all(void)
{
	while (all)
		session_end(all);
}
