/* SPDX-License-Identifier: MIT */
/* Reads what the shard must know of every payload (op, s, t, the guild) in one pass over its bytes, and validates all
 * of them on the way: a frame that lies is refused before its sequence is recorded. Run by the gateway session on the
 * loop, for each payload. It must not allocate and must not look at an event's meaning; a DOM would cost eight times
 * the text and thirty times the time.
 *
 * Every step takes a position and returns the position after what it stepped over, or NULL with the reason in
 * scan->error. Texts are stepped over 16 bytes at a time; most are plain ASCII and shorter than that. */
#include "shard/gateway/envelope.h"

#include "shard/gateway/json.h"

#define LENGTH_MAX ((size_t)INT32_MAX)

struct scan {
	const char *end;
	enum envelope_error error;
};

static const char *fail(struct scan *scan, enum envelope_error error)
{
	scan->error = error;
	return NULL;
}

/* The one byte that had to stand at @p does not: either the bytes end there or they are no JSON. */
static const char *fail_at(struct scan *scan, const char *p)
{
	return fail(scan, p >= scan->end ? ENVELOPE_TRUNCATED : ENVELOPE_BAD_GRAMMAR);
}

/* --- UTF-8 ------------------------------------------------------------------------------------------------------ */

/* How many continuation bytes follow a lead byte, and the least and most that the first of them may be: this leaves out
 * overlong forms, surrogates and what is above U+10FFFF (Unicode 15, table 3-7). */
static unsigned utf8_tail(unsigned char lead, unsigned char *ret_low, unsigned char *ret_high)
{
	*ret_low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	*ret_high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 1;
	if (lead >= 0xe0 && lead <= 0xef)
		return 2;
	return lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
}

/* Steps over one character beyond ASCII. */
static const char *scan_utf8(struct scan *scan, const char *p)
{
	unsigned char low, high;
	unsigned tail = utf8_tail((unsigned char)*p++, &low, &high);

	if (tail == 0)
		return fail(scan, ENVELOPE_BAD_UTF8);
	for (; tail > 0; tail--, p++, low = 0x80, high = 0xbf) {
		if (p >= scan->end)
			return fail(scan, ENVELOPE_TRUNCATED);
		if ((unsigned char)*p < low || (unsigned char)*p > high)
			return fail(scan, ENVELOPE_BAD_UTF8);
	}
	return p;
}

/* --- texts, numbers, words -------------------------------------------------------------------------------------- */

/* @p stands on the backslash. */
static const char *scan_escape(struct scan *scan, const char *p)
{
	if (++p >= scan->end)
		return fail(scan, ENVELOPE_TRUNCATED);
	switch (*p++) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return p;
	case 'u':
		for (int i = 0; i < 4; i++, p++) {
			if (p >= scan->end)
				return fail(scan, ENVELOPE_TRUNCATED);
			if (json_hex(*p) < 0)
				return fail(scan, ENVELOPE_BAD_ESCAPE);
		}
		return p;
	default:
		return fail(scan, ENVELOPE_BAD_ESCAPE);
	}
}

static const char *scan_odd_text(struct scan *scan, const char *p)
{
	while (p) {
		p = json_skip_plain(p, scan->end);
		if (p >= scan->end)
			return fail(scan, ENVELOPE_TRUNCATED);
		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			p = scan_escape(scan, p);
		else if ((unsigned char)*p < 0x20)
			return fail(scan, ENVELOPE_BAD_GRAMMAR);
		else
			do {
				p = scan_utf8(scan, p);
			} while (p && p < scan->end && (unsigned char)*p >= 0x80);
	}
	return NULL;
}

/* @p stands behind the opening quote; returns the position behind the closing one. */
static inline const char *scan_text(struct scan *scan, const char *p)
{
	const char *q = json_skip_plain(p, scan->end);

	if (JSON_LIKELY(q < scan->end && *q == '"'))
		return q + 1;
	return scan_odd_text(scan, q);
}

static const char *scan_digits(struct scan *scan, const char *p)
{
	if (p >= scan->end)
		return fail(scan, ENVELOPE_TRUNCATED);
	if (!json_is_digit(*p))
		return fail(scan, ENVELOPE_BAD_NUMBER);
	while (p < scan->end && json_is_digit(*p))
		p++;
	return p;
}

static const char *scan_number(struct scan *scan, const char *p)
{
	if (*p == '-')
		p++;
	if (p < scan->end && *p == '0') {
		p++;
		if (p < scan->end && json_is_digit(*p))
			return fail(scan, ENVELOPE_BAD_NUMBER);
	} else {
		p = scan_digits(scan, p);
	}
	if (p && p < scan->end && *p == '.')
		p = scan_digits(scan, p + 1);
	if (p && p < scan->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < scan->end && (*p == '+' || *p == '-'))
			p++;
		p = scan_digits(scan, p);
	}
	return p;
}

static const char *scan_word(struct scan *scan, const char *p, const char *word)
{
	for (; *word; word++, p++)
		if (p >= scan->end || *p != *word)
			return fail_at(scan, p);
	return p;
}

/* A value that holds no other: anything but objects and arrays. */
static inline const char *scan_scalar(struct scan *scan, const char *p)
{
	if (p >= scan->end)
		return fail(scan, ENVELOPE_TRUNCATED);
	switch (*p) {
	case '"':
		return scan_text(scan, p + 1);
	case 't':
		return scan_word(scan, p, "true");
	case 'f':
		return scan_word(scan, p, "false");
	case 'n':
		return scan_word(scan, p, "null");
	case '-':
	case '0' ... '9':
		return scan_number(scan, p);
	default:
		return fail(scan, ENVELOPE_BAD_GRAMMAR);
	}
}

/* --- values ----------------------------------------------------------------------------------------------------- */

/* @p stands before a key; returns the position of its value, and the key as it stands between its quotes. */
static inline const char *scan_key(struct scan *scan, const char *p, struct shoal_str *ret_key)
{
	const char *start;

	if (p >= scan->end || *p != '"')
		return fail_at(scan, p);
	start = p + 1;
	p = scan_text(scan, start);
	if (!p)
		return NULL;
	*ret_key = (struct shoal_str){ start, (uint32_t)(p - 1 - start) };
	p = json_skip_space(p, scan->end);
	if (p >= scan->end || *p != ':')
		return fail_at(scan, p);
	return json_skip_space(p + 1, scan->end);
}

/* Steps over any value. @depth: how many objects and arrays it stands in. No recursion: what is open is a bit a level
 * (1: object). */
static const char *scan_value(struct scan *scan, const char *p, unsigned depth)
{
	const unsigned outside = depth;
	uint64_t open[ENVELOPE_DEPTH_MAX / 64 + 1];
	struct shoal_str key;
	bool object;

value:
	if (p >= scan->end)
		return fail(scan, ENVELOPE_TRUNCATED);
	object = *p == '{';
	if (!object && *p != '[') {
		p = scan_scalar(scan, p);
		if (!p)
			return NULL;
		if (depth == outside)
			return p;
		goto after;
	}
	if (depth >= ENVELOPE_DEPTH_MAX)
		return fail(scan, ENVELOPE_TOO_DEEP);
	depth++;
	open[depth / 64] = (open[depth / 64] & ~(UINT64_C(1) << (depth % 64))) | ((uint64_t)object << (depth % 64));
	p = json_skip_space(p + 1, scan->end);
	if (p < scan->end && *p == (object ? '}' : ']'))
		goto close;
	if (!object)
		goto value;
key:
	p = scan_key(scan, p, &key);
	if (!p)
		return NULL;
	goto value;
after:
	p = json_skip_space(p, scan->end);
	object = open[depth / 64] >> (depth % 64) & 1;
	if (p < scan->end && *p == ',') {
		p = json_skip_space(p + 1, scan->end);
		if (object)
			goto key;
		goto value;
	}
	if (p >= scan->end || *p != (object ? '}' : ']'))
		return fail_at(scan, p);
close:
	p++;
	if (--depth == outside)
		return p;
	goto after;
}

enum envelope_error envelope_validate(const char *bytes, size_t len)
{
	struct scan scan = { 0 };
	const char *p;

	if (len > LENGTH_MAX)
		return ENVELOPE_TOO_LONG;
	scan.end = bytes + len;
	p = scan_value(&scan, json_skip_space(bytes, scan.end), 0);
	if (!p)
		return scan.error;
	return json_skip_space(p, scan.end) == scan.end ? ENVELOPE_OK : ENVELOPE_TRAILING;
}

/* --- the envelope ----------------------------------------------------------------------------------------------- */

/* What is gathered while the keys come in their own order. */
struct gather {
	struct envelope envelope;
	struct shoal_str d_id; /* as they stand; .ptr NULL: none */
	struct shoal_str d_guild_id;
	unsigned seen; /* bit SEEN_… */
};

enum { SEEN_OP = 1, SEEN_T = 2, SEEN_S = 4, SEEN_D = 8 };

/* Steps over an object; @member is handed the position of each value and steps over it. */
typedef const char *(*member_fn)(struct scan *scan, struct gather *gather, struct shoal_str key, const char *value);

static inline __attribute__((always_inline)) const char *scan_object(struct scan *scan, struct gather *gather,
								     const char *p, member_fn member)
{
	struct shoal_str key;

	p = json_skip_space(p + 1, scan->end);
	if (p < scan->end && *p == '}')
		return p + 1;
	for (;;) {
		p = scan_key(scan, p, &key);
		if (!p)
			return NULL;
		p = member(scan, gather, key, p);
		if (!p)
			return NULL;
		p = json_skip_space(p, scan->end);
		if (p >= scan->end || (*p != ',' && *p != '}'))
			return fail_at(scan, p);
		if (*p++ == '}')
			return p;
		p = json_skip_space(p, scan->end);
	}
}

/* An id as text or integer; 0 when it is neither, or not there. */
static uint64_t parse_id(struct shoal_str value)
{
	const char *p = value.ptr, *end;
	uint64_t id = 0;

	if (!p)
		return 0;
	end = p + value.len;
	if (*p == '"') {
		p++;
		end--;
	}
	return json_parse_u64(p, end, &id) ? id : 0;
}

static inline const char *d_member(struct scan *scan, struct gather *gather, struct shoal_str key, const char *value)
{
	const char *p;

	if (value < scan->end && (*value == '{' || *value == '['))
		p = scan_value(scan, value, 2);
	else
		p = scan_scalar(scan, value);
	if (!p)
		return NULL;
	if (key.len == 2 && memcmp(key.ptr, "id", 2) == 0)
		gather->d_id = (struct shoal_str){ value, (uint32_t)(p - value) };
	else if (key.len == 8 && memcmp(key.ptr, "guild_id", 8) == 0)
		gather->d_guild_id = (struct shoal_str){ value, (uint32_t)(p - value) };
	return p;
}

static const char *take_op(struct scan *scan, struct gather *gather, const char *value)
{
	const char *p = scan_scalar(scan, value);
	uint64_t op;

	if (!p)
		return NULL;
	if (!json_parse_u64(value, p, &op) || op > INT32_MAX)
		return fail(scan, ENVELOPE_BAD_FIELD);
	gather->envelope.op = (int32_t)op;
	return p;
}

static const char *take_s(struct scan *scan, struct gather *gather, const char *value)
{
	const char *p = scan_scalar(scan, value);

	if (!p || *value == 'n')
		return p;
	if (!json_parse_u64(value, p, &gather->envelope.sequence))
		return fail(scan, ENVELOPE_BAD_FIELD);
	gather->envelope.has_sequence = true;
	return p;
}

static const char *take_t(struct scan *scan, struct gather *gather, const char *value)
{
	const char *p = scan_scalar(scan, value);

	if (!p || *value == 'n')
		return p;
	if (*value != '"')
		return fail(scan, ENVELOPE_BAD_FIELD);
	gather->envelope.name = (struct shoal_str){ value + 1, (uint32_t)(p - value - 2) };
	gather->envelope.type = envelope_event_type(value + 1, (size_t)(p - value - 2));
	return p;
}

static const char *take_d(struct scan *scan, struct gather *gather, const char *value)
{
	const char *p;

	if (value < scan->end && *value == '{')
		p = scan_object(scan, gather, value, d_member);
	else
		p = scan_value(scan, value, 1);
	if (p)
		gather->envelope.d = (struct shoal_str){ value, (uint32_t)(p - value) };
	return p;
}

static inline const char *envelope_member(struct scan *scan, struct gather *gather, struct shoal_str key,
					  const char *value)
{
	unsigned bit;

	if (key.len == 1)
		bit = *key.ptr == 't' ? SEEN_T : *key.ptr == 's' ? SEEN_S : *key.ptr == 'd' ? SEEN_D : 0;
	else
		bit = key.len == 2 && memcmp(key.ptr, "op", 2) == 0 ? SEEN_OP : 0;
	if (gather->seen & bit)
		return fail(scan, ENVELOPE_DUPLICATE);
	gather->seen |= bit;
	/* a container where a plain value belongs: step over it, so that broken grammar is told first */
	if (bit != SEEN_D && value < scan->end && (*value == '{' || *value == '[')) {
		value = scan_value(scan, value, 1);
		return !value || !bit ? value : fail(scan, ENVELOPE_BAD_FIELD);
	}
	switch (bit) {
	case SEEN_OP:
		return take_op(scan, gather, value);
	case SEEN_S:
		return take_s(scan, gather, value);
	case SEEN_T:
		return take_t(scan, gather, value);
	case SEEN_D:
		return take_d(scan, gather, value);
	default:
		return scan_scalar(scan, value);
	}
}

static uint64_t event_guild(const struct gather *gather)
{
	switch (gather->envelope.type) {
	case SHOAL_EVENT_GUILD_CREATE:
	case SHOAL_EVENT_GUILD_UPDATE:
	case SHOAL_EVENT_GUILD_DELETE:
		return parse_id(gather->d_id);
	default:
		return parse_id(gather->d_guild_id);
	}
}

enum envelope_error envelope_scan(const char *bytes, size_t len, struct envelope *ret_envelope)
{
	struct scan scan = { 0 };
	struct gather gather = { 0 };
	const char *p;

	if (len > LENGTH_MAX)
		return ENVELOPE_TOO_LONG;
	scan.end = bytes + len;
	p = json_skip_space(bytes, scan.end);
	if (p < scan.end && *p != '{')
		return envelope_validate(bytes, len) ?: ENVELOPE_NOT_OBJECT;
	p = p < scan.end ? scan_object(&scan, &gather, p, envelope_member) : fail(&scan, ENVELOPE_TRUNCATED);
	if (!p)
		return scan.error;
	if (json_skip_space(p, scan.end) != scan.end)
		return ENVELOPE_TRAILING;
	if (!(gather.seen & SEEN_OP))
		return ENVELOPE_BAD_FIELD;
	gather.envelope.guild_id = event_guild(&gather);
	*ret_envelope = gather.envelope;
	return ENVELOPE_OK;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

const char *envelope_error_name(enum envelope_error error)
{
	static const char *const names[ENVELOPE_ERROR_COUNT] = {
		[ENVELOPE_OK] = "ok",
		[ENVELOPE_TRUNCATED] = "truncated",
		[ENVELOPE_BAD_GRAMMAR] = "bad_grammar",
		[ENVELOPE_BAD_UTF8] = "bad_utf8",
		[ENVELOPE_BAD_ESCAPE] = "bad_escape",
		[ENVELOPE_BAD_NUMBER] = "bad_number",
		[ENVELOPE_TOO_DEEP] = "too_deep",
		[ENVELOPE_TRAILING] = "trailing",
		[ENVELOPE_NOT_OBJECT] = "not_object",
		[ENVELOPE_BAD_FIELD] = "bad_field",
		[ENVELOPE_DUPLICATE] = "duplicate",
		[ENVELOPE_TOO_LONG] = "too_long",
	};

	return (unsigned)error < ENVELOPE_ERROR_COUNT ? names[error] : "?";
}

struct event_name {
	const char *text;
	uint32_t len;
};

/* clang-format off */
static const struct event_name event_names[SHOAL_EVENT_COUNT] = {
#define X(name, ...) [SHOAL_EVENT_##name] = { #name, sizeof(#name) - 1 },
	SHOAL_EVENTS(X)
#undef X
};
/* clang-format on */

/* Open addressing over the names: filled once before main, read-only from then on. */
#define NAME_SLOTS 512
static uint8_t name_slots[NAME_SLOTS];

/* The names share their beginnings; length, the last four bytes and the four in the middle tell them apart. */
static inline uint32_t name_hash(const char *name, size_t len)
{
	uint32_t last, middle;

	memcpy(&last, name + len - 4, 4);
	memcpy(&middle, name + (len - 4) / 2, 4);
	return (uint32_t)(((last ^ (uint64_t)middle << 29 ^ len * 0x9e37) * UINT64_C(0x9e3779b97f4a7c15)) >> 55);
}

#define NAME_LEN_MIN 5

static __attribute__((constructor)) void name_slots_fill(void)
{
	for (unsigned type = SHOAL_EVENT_UNKNOWN + 1; type < SHOAL_EVENT_COUNT; type++) {
		uint32_t slot = name_hash(event_names[type].text, event_names[type].len);

		while (name_slots[slot % NAME_SLOTS])
			slot++;
		name_slots[slot % NAME_SLOTS] = (uint8_t)type;
	}
}

enum shoal_event_type envelope_event_type(const char *name, size_t len)
{
	_Static_assert(SHOAL_EVENT_COUNT <= UINT8_MAX, "types fit a byte");
	uint32_t slot;

	if (len < NAME_LEN_MIN)
		return SHOAL_EVENT_UNKNOWN;
	for (slot = name_hash(name, len); name_slots[slot % NAME_SLOTS]; slot++) {
		const struct event_name *event = &event_names[name_slots[slot % NAME_SLOTS]];

		if (event->len == len && memcmp(event->text, name, len) == 0)
			return (enum shoal_event_type)name_slots[slot % NAME_SLOTS];
	}
	return SHOAL_EVENT_UNKNOWN;
}
