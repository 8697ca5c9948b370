/* SPDX-License-Identifier: MIT */
/* Reads op, t, s, d and the guild of one gateway payload from its bytes, validating all of them, without a DOM. */
#ifndef SHOAL_GATEWAY_ENVELOPE_H
#define SHOAL_GATEWAY_ENVELOPE_H

#include <stddef.h>

#include <shoal/event.h>

/* Objects and arrays may be nested this deep; Discord's own stay below 20. */
#define ENVELOPE_DEPTH_MAX 128

/* Why a payload was refused; also the index of a counter. */
enum envelope_error {
	ENVELOPE_OK,
	ENVELOPE_TRUNCATED,   /* ends before the value does */
	ENVELOPE_BAD_GRAMMAR, /* not JSON (RFC 8259); control characters in a text count here */
	ENVELOPE_BAD_UTF8,    /* overlong, surrogate, above U+10FFFF, stray or missing continuation */
	ENVELOPE_BAD_ESCAPE,  /* \x, \u12, … (a lone surrogate escape is grammar, and allowed) */
	ENVELOPE_BAD_NUMBER,  /* 01, 1., +1, NaN */
	ENVELOPE_TOO_DEEP,
	ENVELOPE_TRAILING, /* something follows the payload */
	ENVELOPE_NOT_OBJECT,
	ENVELOPE_BAD_FIELD, /* op is missing or no integer, s is neither integer nor null, t neither text nor null */
	ENVELOPE_DUPLICATE, /* op, t, s or d stands twice: such a frame means two things */
	ENVELOPE_TOO_LONG,  /* 2 GiB or more */
	ENVELOPE_ERROR_COUNT,
};

struct envelope {
	int32_t op;
	bool has_sequence;
	uint64_t sequence;          /* s; 0 without has_sequence */
	enum shoal_event_type type; /* NONE: t null or absent; UNKNOWN: a name that we don't know */
	struct shoal_str name; /* t as it stands between its quotes (not unescaped), ptr NULL when null or absent */
	struct shoal_str d;    /* as it stands; ptr NULL when absent, "null" when null */
	uint64_t guild_id;     /* d.guild_id, or d.id of GUILD_CREATE, _UPDATE and _DELETE; 0: none */
};

/* Reads the payload @bytes[0..@len). Keys may stand in any order; unknown ones are validated and ignored. Of keys that
 * stand twice within d the last one counts, as for reader_decode. What is wrong with d's content beyond grammar
 * (missing ids, wrong types) is no error here: the sequence must be recorded all the same. The slices in @ret_envelope
 * point into @bytes. It is untouched on failure. Never allocates; no state; any thread. Source: facts section 4. */
enum envelope_error envelope_scan(const char *bytes, size_t len, struct envelope *ret_envelope);

/* Validates that @bytes[0..@len) is exactly one JSON value of any kind, as strictly as envelope_scan. Any thread. */
enum envelope_error envelope_validate(const char *bytes, size_t len);

/* A stable word for @error: "truncated", "bad_utf8", … for logs and metrics. */
const char *envelope_error_name(enum envelope_error error);

/* The type whose name is exactly @len bytes of @name; SHOAL_EVENT_UNKNOWN if none. Any thread. */
enum shoal_event_type envelope_event_type(const char *name, size_t len);

#endif
