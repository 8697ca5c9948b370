/* SPDX-License-Identifier: MIT */
/* A lenient look at the outermost members of a payload. Run by the session for what envelope_scan() refused. It neither
 * recurses nor allocates: depth is a number. */
#include "shard/gateway/glimpse.h"

#include <string.h>

struct glimpse {
	const char *end;
	struct envelope envelope;
	bool has_op;
	bool in_d;
};

/* The text that begins behind the quote at @at: its closing quote, or the end. */
static const char *text_end(const char *at, const char *end)
{
	for (; at < end && *at != '"'; at++) {
		if (*at == '\\')
			at++;
	}
	return at < end ? at : end;
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* Digits up to something that ends a number; false: it is none, or is cut off. */
static bool read_number(const char *at, const char *end, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *begin = at;

	for (; at < end && *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
			return false;
	}
	if (at == begin || at == end || (*at != ',' && *at != '}' && *at != ' ' && *at != '\n' && *at != '\r'))
		return false;
	*ret_number = number;
	return true;
}

static bool is(const char *name, size_t len, const char *wanted)
{
	return len == strlen(wanted) && memcmp(name, wanted, len) == 0;
}

static void outermost(struct glimpse *glimpse, const char *name, size_t len, const char *value)
{
	struct envelope *envelope = &glimpse->envelope;
	uint64_t number;

	glimpse->in_d = is(name, len, "d");
	if (is(name, len, "op") && read_number(value, glimpse->end, &number)) {
		glimpse->has_op = true;
		envelope->op = number > INT32_MAX ? -1 : (int32_t)number;
	} else if (is(name, len, "s") && read_number(value, glimpse->end, &number)) {
		envelope->has_sequence = true;
		envelope->sequence = number;
	} else if (is(name, len, "t") && *value == '"') {
		const char *close = text_end(value + 1, glimpse->end);

		if (close == glimpse->end)
			return;
		envelope->name = (struct shoal_str){ value + 1, (uint32_t)(close - value - 1) };
		envelope->type = envelope_event_type(envelope->name.ptr, envelope->name.len);
	}
}

static void within_d(struct glimpse *glimpse, const char *name, size_t len, const char *value)
{
	uint64_t number;
	const char *close;

	if (!is(name, len, "guild_id") || *value != '"')
		return;
	close = text_end(value + 1, glimpse->end);
	/* The number must be all that stands between the quotes. */
	for (const char *at = value + 1; at < close; at++) {
		if (*at < '0' || *at > '9')
			return;
	}
	number = 0;
	for (const char *at = value + 1; at < close && close - value - 1 <= 19; at++)
		number = number * 10 + (uint64_t)(*at - '0');
	glimpse->envelope.guild_id = number;
}

bool glimpse_dispatch(const char *bytes, size_t len, struct envelope *ret_envelope)
{
	struct glimpse glimpse = { .end = bytes + len };
	const char *at = bytes;
	uint64_t depth = 0;

	for (; at < glimpse.end; at++) {
		const char *close, *value;

		depth += *at == '{' || *at == '[';
		depth -= depth > 0 && (*at == '}' || *at == ']');
		if (*at != '"')
			continue;
		close = text_end(at + 1, glimpse.end);
		value = close < glimpse.end ? skip_space(close + 1, glimpse.end) : glimpse.end;
		if (value < glimpse.end && *value == ':' &&
		    (value = skip_space(value + 1, glimpse.end)) < glimpse.end) {
			if (depth == 1)
				outermost(&glimpse, at + 1, (size_t)(close - at - 1), value);
			else if (depth == 2 && glimpse.in_d)
				within_d(&glimpse, at + 1, (size_t)(close - at - 1), value);
		}
		at = close;
	}
	if (!glimpse.has_op || glimpse.envelope.op != 0 || !glimpse.envelope.has_sequence)
		return false;
	*ret_envelope = glimpse.envelope;
	return true;
}
