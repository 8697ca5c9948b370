/* SPDX-License-Identifier: MIT */
/* The table of dispatch events, and the decoding of one. Run by the gateway session on the loop, for events that
 * somebody subscribes to. It must not allocate outside the event's arena, and must not judge an event's meaning: that
 * is the handlers' part. */
#include "shard/gateway/decode.h"

#include <errno.h>

#include "shard/gateway/decode_table.h"

/* clang-format off */
DECODE_TABLE(shoal_unavailable_guild, SHOAL_UNAVAILABLE_GUILD, DECODE_BITS(shoal_unavailable_guild, .id = 1));
DECODE_TABLE(shoal_ready, SHOAL_READY, NULL);
DECODE_TABLE(shoal_resumed, SHOAL_RESUMED, NULL);
DECODE_TABLE(shoal_rate_limited_meta, SHOAL_RATE_LIMITED_META, NULL);
DECODE_TABLE(shoal_rate_limited, SHOAL_RATE_LIMITED, NULL);
DECODE_TABLE(shoal_automod_metadata, SHOAL_AUTOMOD_METADATA, NULL);
DECODE_TABLE(shoal_automod_action, SHOAL_AUTOMOD_ACTION, NULL);
DECODE_TABLE(shoal_automod_trigger, SHOAL_AUTOMOD_TRIGGER, NULL);
DECODE_TABLE(shoal_automod_rule, SHOAL_AUTOMOD_RULE, NULL);
DECODE_TABLE(shoal_automod_execution, SHOAL_AUTOMOD_EXECUTION, NULL);
DECODE_TABLE(shoal_account, SHOAL_ACCOUNT, NULL);
DECODE_TABLE(shoal_integration, SHOAL_INTEGRATION, NULL);
DECODE_TABLE(shoal_invite, SHOAL_INVITE, NULL);
DECODE_TABLE(shoal_voice_effect, SHOAL_VOICE_EFFECT, NULL);
DECODE_TABLE(shoal_voice_server, SHOAL_VOICE_SERVER, NULL);
static const struct decode_event events[SHOAL_EVENT_COUNT] = {
#define X(name_, member_, tag, ...) \
	[SHOAL_EVENT_##name_] = { #name_, &tag##_table, DECODE_BITS(tag, __VA_ARGS__) },
	SHOAL_EVENTS(X)
#undef X
};
/* clang-format on */

#define HELLO(F, T) F(T, U32, heartbeat_interval, )
SHOAL_STRUCT(hello, HELLO);
DECODE_TABLE(hello, HELLO, DECODE_BITS(hello, .heartbeat_interval = 1));

#define HELLO_INTERVAL_MAX_MS (24 * 60 * 60 * 1000)

const char *shoal_event_name(enum shoal_event_type type)
{
	const struct decode_event *row = decode_event_row(type);

	return row ? row->name : "?";
}

const struct decode_event *decode_event_row(enum shoal_event_type type)
{
	if ((unsigned)type >= SHOAL_EVENT_COUNT || !events[type].table)
		return NULL;
	return &events[type];
}

/* An event of which nothing is required may come with any d: its struct is empty then. */
static int decode_formless(const struct decode_event *row, struct arena *arena, const void **ret_data)
{
	const void *data;

	if (reader_bits(row->required) | reader_bits(row->table->required))
		return -EBADMSG;
	data = arena_alloc(arena, row->table->size);
	if (!data)
		return -ENOBUFS;
	*ret_data = data;
	return 0;
}

int decode_event(enum shoal_event_type type, struct shoal_str d, struct arena *arena, struct reader_stats *stats,
		 struct shoal_event *ret_event)
{
	const struct decode_event *row = decode_event_row(type);
	struct reader_stats mine = { 0 };
	const void *data;
	int r;

	if (!row)
		return -ENOENT;
	if (!d.ptr || d.len == 0 || d.ptr[0] != '{')
		r = decode_formless(row, arena, &data);
	else
		r = reader_decode(row->table, row->required, d.ptr, d.len, arena, &mine, &data);
	if (stats) {
		stats->mistyped += mine.mistyped;
		stats->unknown += mine.unknown;
		stats->repaired += mine.repaired;
	}
	if (r < 0)
		return r;
	ret_event->type = type;
	ret_event->mistyped = mine.mistyped;
	ret_event->data = data;
	return 0;
}

int decode_guild_brief(struct shoal_str d, struct arena *arena, uint64_t *ret_id, bool *ret_unavailable)
{
	const struct shoal_unavailable_guild *guild;
	struct reader_stats stats = { 0 }; /* a whole guild has many fields that we do not look at here */
	const void *data;
	int r;

	if (!d.ptr)
		return -EBADMSG;
	r = reader_decode(&shoal_unavailable_guild_table, DECODE_BITS(shoal_unavailable_guild, .id = 1), d.ptr, d.len,
			  arena, &stats, &data);
	if (r < 0)
		return r;
	guild = data;
	*ret_id = guild->id;
	*ret_unavailable = guild->unavailable;
	return 0;
}

int decode_hello(struct shoal_str d, uint32_t *ret_interval_ms)
{
	struct reader_stats stats = { 0 };
	struct arena arena;
	const void *data;
	uint32_t interval_ms;
	int r;

	if (!d.ptr)
		return -EBADMSG;
	arena_init(&arena, 4096);
	r = reader_decode(&hello_table, NULL, d.ptr, d.len, &arena, &stats, &data);
	interval_ms = r < 0 ? 0 : ((const struct hello *)data)->heartbeat_interval;
	arena_finish(&arena);
	if (interval_ms < 1 || interval_ms > HELLO_INTERVAL_MAX_MS)
		return -EBADMSG;
	*ret_interval_ms = interval_ms;
	return 0;
}

bool decode_invalid_session(struct shoal_str d)
{
	return shoal_str_equal(d, SHOAL_STR("true"));
}
