/* SPDX-License-Identifier: MIT */
/* JSON values at a position in the bytes. Private to the reader; loop thread only.
 *
 * All take the position of a value's first byte (which must lie before reader->end) and return the position behind the
 * value, or NULL with reader->error set, which ends the event: -EBADMSG for broken bytes, -ENOBUFS for a full arena.
 * *ret_good: the value had the right type and *out holds it; else it was only stepped over, and *out may hold anything.
 */
#ifndef SHOAL_GATEWAY_VALUE_H
#define SHOAL_GATEWAY_VALUE_H

#include "shard/gateway/reader.h"

struct reader {
	const char *end;
	struct arena *arena;
	struct reader_stats *stats;
	int error;
	unsigned depth; /* objects that are being decoded around this one */
};

static inline const char *value_fail(struct reader *reader, int error)
{
	reader->error = error;
	return NULL;
}

/* @p: behind the opening quote. Returns the position OF the closing one; *ret_escaped: a backslash stands between. */
const char *value_text_end(struct reader *reader, const char *p, bool *ret_escaped);
/* Steps over a value of any kind. */
const char *value_skip(struct reader *reader, const char *p);
/* A snowflake, as text or as integer. */
const char *value_id(struct reader *reader, const char *p, uint64_t *out, bool *ret_good);
/* READER_U32, I32, U64, I64 or DOUBLE into @out, which points to that type. */
const char *value_number(struct reader *reader, enum reader_kind kind, const char *p, void *out, bool *ret_good);
/* true or false; with @null_is_true also null. */
const char *value_bool(struct reader *reader, const char *p, bool null_is_true, bool *out, bool *ret_good);
/* ISO 8601 text to Unix milliseconds. */
const char *value_time(struct reader *reader, const char *p, int64_t *out, bool *ret_good);
/* Decimal text or integer of any length. */
const char *value_perms(struct reader *reader, const char *p, struct shoal_perms *out, bool *ret_good);
/* Any value, as it stands. */
const char *value_raw(struct reader *reader, const char *p, struct shoal_str *out, bool *ret_good);
/* A text, escapes resolved; with @number_too also a number, taken as its digits. */
const char *value_str(struct reader *reader, const char *p, bool number_too, struct shoal_str *out, bool *ret_good);
/* Any value but null, by its own type. */
const char *value_any(struct reader *reader, const char *p, struct shoal_value *out, bool *ret_good);

#endif
