/* SPDX-License-Identifier: MIT */
/* From a dispatch's d to its C struct: one row per event. */
#ifndef SHOAL_GATEWAY_DECODE_H
#define SHOAL_GATEWAY_DECODE_H

#include <shoal/event.h>
#include "shard/gateway/arena.h"
#include "shard/gateway/reader.h"

/* How an event is decoded. @required: see reader_decode. */
struct decode_event {
	const char *name;
	const struct reader_table *table;
	const void *required;
};

/* The row of @type; NULL for NONE, UNKNOWN and what is no type. Any thread. */
const struct decode_event *decode_event_row(enum shoal_event_type type);

/* Decodes @d, the d of an event of @type (from envelope_scan), into @ret_event: its type, data and mistyped are set,
 * guild_id and sequence are the caller's. The event points into @d and @arena and lives as long as both; the arena is
 * not reset here. @stats may be NULL.
 * Returns 0; -ENOENT for a type without a row; -EBADMSG when d is absent or no object; -EPROTO when an id that the row
 * requires is missing; -ENOBUFS when @arena is full (what is needed is about twice d's length: a huge GUILD_CREATE
 * wants megabytes, a message a few KB). @ret_event is untouched on failure. Loop thread only. */
int decode_event(enum shoal_event_type type, struct shoal_str d, struct arena *arena, struct reader_stats *stats,
		 struct shoal_event *ret_event);

/* The two members of a GUILD_CREATE or GUILD_DELETE that tell what it means, without decoding the rest (a guild is many
 * kilobytes). Absent unavailable is false. @arena holds a few bytes of it until its next reset.
 * Returns 0; -EBADMSG when d is absent or no object; -EPROTO without an id. Loop thread only. */
int decode_guild_brief(struct shoal_str d, struct arena *arena, uint64_t *ret_id, bool *ret_unavailable);

/* op 10: how often to beat. Returns 0, or -EBADMSG when d has no heartbeat_interval of 1 ms to 1 day. */
int decode_hello(struct shoal_str d, uint32_t *ret_interval_ms);

/* op 9: whether the session may be resumed. Anything but true is false. */
bool decode_invalid_session(struct shoal_str d);

#endif
