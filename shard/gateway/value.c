/* SPDX-License-Identifier: MIT */
/* JSON values at a position in the bytes: stepping over any, reading the plain ones. Run by reader.c, on the loop. It
 * must stay within the bytes whatever they are, and must not judge grammar: what it steps over was validated. */
#include "shard/gateway/value.h"

#include <errno.h>

#include "shard/gateway/json.h"
#include "shard/gateway/scalar.h"

/* --- stepping over ---------------------------------------------------------------------------------------------- */

/* @p stands behind the opening quote; returns the position of the closing one. */
const char *value_text_end(struct reader *reader, const char *p, bool *ret_escaped)
{
	*ret_escaped = false;
	for (;;) {
		p = json_skip_to_quote(p, reader->end);
		if (p >= reader->end)
			return value_fail(reader, -EBADMSG);
		if (*p == '"')
			return p;
		*ret_escaped = true;
		if (reader->end - p < 2)
			return value_fail(reader, -EBADMSG);
		p += 2;
	}
}

static const char *skip_text(struct reader *reader, const char *p)
{
	bool escaped;

	p = value_text_end(reader, p + 1, &escaped);
	return p ? p + 1 : NULL;
}

/* Behind a number or a word. */
static const char *token_end(struct reader *reader, const char *p)
{
	while (p < reader->end && *p != ',' && *p != '}' && *p != ']' && (unsigned char)*p > ' ')
		p++;
	return p;
}

/* Counts what opens and closes, no more: the bytes were validated. */
static const char *skip_nested(struct reader *reader, const char *p)
{
	unsigned depth = 0;

	while (p < reader->end) {
		char c = *p;

		if (c == '"') {
			p = skip_text(reader, p);
			if (!p)
				return NULL;
			continue;
		}
		p++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return p;
	}
	return value_fail(reader, -EBADMSG);
}

const char *value_skip(struct reader *reader, const char *p)
{
	const char *q;

	if (*p == '"')
		return skip_text(reader, p);
	if (*p == '{' || *p == '[')
		return skip_nested(reader, p);
	q = token_end(reader, p);
	return q > p ? q : value_fail(reader, -EBADMSG);
}

/* --- plain values ----------------------------------------------------------------------------------------------- */

/* @p stands on the opening quote. */
static const char *read_text(struct reader *reader, const char *p, struct shoal_str *out)
{
	const char *start = p + 1;
	struct shoal_str raw;
	bool escaped;
	int64_t len;
	char *text;

	p = value_text_end(reader, start, &escaped);
	if (!p)
		return NULL;
	raw = (struct shoal_str){ start, (uint32_t)(p - start) };
	if (JSON_LIKELY(!escaped)) {
		*out = raw;
		return p + 1;
	}
	text = arena_alloc(reader->arena, raw.len);
	if (!text)
		return value_fail(reader, -ENOBUFS);
	len = scalar_unescape(raw, text, &reader->stats->repaired);
	if (len < 0)
		return value_fail(reader, -EBADMSG);
	arena_shrink(reader->arena, text, raw.len, (size_t)len);
	*out = (struct shoal_str){ text, (uint32_t)len };
	return p + 1;
}

/* The token of a value, quotes left off. For ids, times and the like, in which Discord writes no escapes. */
static inline const char *read_token(struct reader *reader, const char *p, struct shoal_str *ret_token,
				     bool *ret_quoted)
{
	const char *start = p;
	bool escaped;

	*ret_quoted = *p == '"';
	if (*ret_quoted) {
		p = value_text_end(reader, ++start, &escaped);
		if (!p)
			return NULL;
	} else {
		p = value_skip(reader, p);
		if (!p)
			return NULL;
	}
	*ret_token = (struct shoal_str){ start, (uint32_t)(p - start) };
	return p + *ret_quoted;
}

const char *value_id(struct reader *reader, const char *p, uint64_t *out, bool *ret_good)
{
	struct shoal_str token;
	bool quoted;

	p = read_token(reader, p, &token, &quoted);
	*ret_good = p && json_parse_u64(token.ptr, token.ptr + token.len, out);
	return p;
}

const char *value_number(struct reader *reader, enum reader_kind kind, const char *p, void *out, bool *ret_good)
{
	struct shoal_str token;
	bool quoted, good;
	uint64_t u = 0;
	int64_t i = 0;

	p = read_token(reader, p, &token, &quoted);
	*ret_good = false;
	if (!p || quoted)
		return p;
	switch (kind) {
	case READER_U32:
		good = scalar_u64(token, UINT32_MAX, &u);
		if (good)
			*(uint32_t *)out = (uint32_t)u;
		break;
	case READER_I32:
		good = scalar_i64(token, INT32_MIN, INT32_MAX, &i);
		if (good)
			*(int32_t *)out = (int32_t)i;
		break;
	case READER_U64:
		good = scalar_u64(token, UINT64_MAX, out);
		break;
	case READER_I64:
		good = scalar_i64(token, INT64_MIN, INT64_MAX, out);
		break;
	default:
		good = scalar_double(token, out);
	}
	*ret_good = good;
	return p;
}

const char *value_bool(struct reader *reader, const char *p, bool null_is_true, bool *out, bool *ret_good)
{
	struct shoal_str token;
	bool quoted, yes;

	p = read_token(reader, p, &token, &quoted);
	*ret_good = false;
	if (!p || quoted)
		return p;
	yes = shoal_str_equal(token, SHOAL_STR("true")) || (null_is_true && shoal_str_equal(token, SHOAL_STR("null")));
	if (!yes && !shoal_str_equal(token, SHOAL_STR("false")))
		return p;
	*out = yes;
	*ret_good = true;
	return p;
}

const char *value_time(struct reader *reader, const char *p, int64_t *out, bool *ret_good)
{
	struct shoal_str token;
	bool quoted;

	p = read_token(reader, p, &token, &quoted);
	*ret_good = p && quoted && reader_parse_time(token.ptr, token.len, out) == 0;
	return p;
}

const char *value_perms(struct reader *reader, const char *p, struct shoal_perms *out, bool *ret_good)
{
	struct shoal_str token;
	bool quoted;

	p = read_token(reader, p, &token, &quoted);
	*ret_good = p && scalar_perms(token, out);
	return p;
}

const char *value_raw(struct reader *reader, const char *p, struct shoal_str *out, bool *ret_good)
{
	const char *start = p;

	p = value_skip(reader, p);
	if (p)
		*out = (struct shoal_str){ start, (uint32_t)(p - start) };
	*ret_good = p != NULL;
	return p;
}

/* A text, or with @number_too a number's digits. */
const char *value_str(struct reader *reader, const char *p, bool number_too, struct shoal_str *out, bool *ret_good)
{
	*ret_good = *p == '"' || (number_too && (*p == '-' || json_is_digit(*p)));
	if (*p == '"')
		return read_text(reader, p, out);
	if (*ret_good)
		return value_raw(reader, p, out, ret_good);
	return value_skip(reader, p);
}

const char *value_any(struct reader *reader, const char *p, struct shoal_value *out, bool *ret_good)
{
	*ret_good = true;
	switch (*p) {
	case '"':
		out->kind = SHOAL_VALUE_STR;
		return read_text(reader, p, &out->text);
	case '{':
	case '[':
		out->kind = SHOAL_VALUE_JSON;
		return value_raw(reader, p, &out->text, ret_good);
	case 't':
	case 'f':
		out->kind = SHOAL_VALUE_BOOL;
		return value_bool(reader, p, false, &out->boolean, ret_good);
	default:
		p = value_raw(reader, p, &out->text, ret_good);
		if (!p)
			return NULL;
		out->kind = SHOAL_VALUE_NUMBER;
		*ret_good = scalar_double(out->text, &out->number);
		if (*ret_good && !memchr(out->text.ptr, '.', out->text.len) &&
		    !memchr(out->text.ptr, 'e', out->text.len) && !memchr(out->text.ptr, 'E', out->text.len) &&
		    scalar_i64(out->text, INT64_MIN, INT64_MAX, &out->integer))
			out->kind = SHOAL_VALUE_INT;
		out->text = (struct shoal_str){ 0 };
		return p;
	}
}
