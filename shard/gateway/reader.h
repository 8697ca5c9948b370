/* SPDX-License-Identifier: MIT */
/* A pull reader: JSON bytes and a table of fields in, a C struct out, without a DOM in between. */
#ifndef SHOAL_GATEWAY_READER_H
#define SHOAL_GATEWAY_READER_H

#include <stddef.h>

#include <shoal/fields.h>
#include "shard/gateway/arena.h"

/* Nested objects that are decoded; what lies deeper is counted as mistyped and skipped. */
#define READER_DEPTH_MAX 32
/* A struct has at most 64 members: their bits stand in one word. */
#define READER_FIELDS_MAX 64

/* The kinds of <shoal/fields.h>, in its order. */
enum reader_kind {
	READER_ID,
	READER_U32,
	READER_I32,
	READER_U64,
	READER_I64,
	READER_DOUBLE,
	READER_BOOL,
	READER_MARK,
	READER_STR,
	READER_TEXT,
	READER_TIME,
	READER_PERMS,
	READER_VALUE,
	READER_RAW,
	READER_OBJ,
	READER_PTR,
	READER_IDS,
	READER_U32S,
	READER_I64S,
	READER_STRS,
	READER_LIST,
	READER_MAP,
	READER_KIND_COUNT,
};

struct reader_table;

struct reader_field {
	const char *name; /* JSON key */
	uint8_t name_len;
	uint8_t kind; /* enum reader_kind */
	uint16_t offset;
	const struct reader_table *sub; /* OBJ, PTR, LIST, MAP */
};

/* Where a field of a table is found by its name: built at the first use. */
struct reader_index {
	bool ready;
	uint64_t multiplier;
	uint64_t heads[READER_FIELDS_MAX];       /* the first eight bytes of each name */
	uint8_t follower[READER_FIELDS_MAX + 1]; /* [i + 1]: the field that last came after fields[i]; [0]: the first */
	uint8_t slots[256];                      /* by hash: index of the field + 1 */
};

/* One struct. It begins with two uint64_t: the bits of `has` and of `null`; bit i is fields[i]. */
struct reader_table {
	const char *name; /* of the struct */
	const struct reader_field *fields;
	uint32_t count;
	uint32_t size;        /* sizeof the struct */
	const void *required; /* a `has` whose set bits an object must have, else it is refused; or NULL */
	struct reader_index *index;
};

/* What was odd in the bytes. Added to, never reset, by the reader. */
struct reader_stats {
	uint32_t mistyped; /* values of a wrong type or out of range, nested objects without a required member */
	uint32_t unknown;  /* keys that stand in no table */
	uint32_t repaired; /* lone surrogates, made U+FFFD */
};

/* Decodes the object in @json[0..@len) into a new struct of @table, allocated in @arena.
 * @json must outlive the result, which points into it. The bytes should have passed envelope_scan or
 * envelope_validate: what is not decoded is skipped without a second validation. On bytes that did not it is safe (no
 * access outside them, no crash), but may accept what isn't JSON.
 * A key with a value of the wrong type counts as absent (and in @stats), a nested object that lacks a required member
 * too (and is left out of its array). A key that stands twice: the last one counts.
 * @stats may be NULL.
 * @required: a `has` with the members that the outermost object must have beyond the table's own, or NULL.
 * Returns 0; -EBADMSG when the bytes aren't JSON or not an object; -EPROTO when a required member is missing;
 * -ENOBUFS when @arena is full. @ret_data is untouched on failure. Loop thread only (the arena's owner).  */
int reader_decode(const struct reader_table *table, const void *required, const char *json, size_t len,
		  struct arena *arena, struct reader_stats *stats, const void **ret_data);

/* The bits of a `has` (or `null`), bit i for fields[i]; 0 for NULL. */
static inline uint64_t reader_bits(const void *has)
{
	uint64_t bits = 0;

	if (has)
		memcpy(&bits, has, sizeof(bits));
	return bits;
}

/* The field of @table with this name, or NULL. The first call for a table builds its index. */
const struct reader_field *reader_field_find(const struct reader_table *table, const char *name, size_t len);

/* ISO 8601 ("2026-08-04T16:20:01.123000+00:00"; the fraction may be missing or of any length, the zone be Z or an
 * offset) to Unix milliseconds. Returns 0 or -EINVAL. Any thread. Source: facts section 1. */
int reader_parse_time(const char *text, size_t len, int64_t *ret_ms);

#endif
