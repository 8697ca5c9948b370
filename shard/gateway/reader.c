/* SPDX-License-Identifier: MIT */
/* Walks JSON bytes along a table of fields and fills a C struct. Run by the gateway session on the loop, for events
 * that somebody subscribes to. It must not build a tree, must not allocate outside the arena, and must stay within its
 * bytes whatever they are: the envelope's validation is for correctness, not for safety.
 *
 * What costs time is finding the field of a key. Objects of one kind mostly come with the same keys in the same order,
 * so each field remembers which one followed it last; only when that guess fails is the name hashed. */
#include "shard/gateway/reader.h"

#include <errno.h>

#include "shard/gateway/json.h"
#include "shard/gateway/value.h"

#define LIST_START   2
#define SCALAR_START 8

static const char *read_object(struct reader *reader, const struct reader_table *table, const void *required,
			       const char *p, char *data, bool *ret_complete);

/* --- fields by name --------------------------------------------------------------------------------------------- */

/* The first eight bytes of a name, zero beyond its end. @room: bytes that may be read at @name. */
static inline uint64_t name_head(const char *name, size_t len, size_t room)
{
	uint64_t head = 0;

	if (JSON_LIKELY(room >= 8)) {
		memcpy(&head, name, 8);
		return len >= 8 ? head : head & ~(UINT64_MAX << (len * 8));
	}
	memcpy(&head, name, len < 8 ? len : 8);
	return head;
}

/* Names that begin alike mostly differ in length or in their last bytes. */
static inline uint8_t name_slot(uint64_t multiplier, uint64_t head, const char *name, size_t len)
{
	uint32_t tail = 0;

	if (len > 8)
		memcpy(&tail, name + len - 4, 4);
	return (uint8_t)(((head ^ (uint64_t)tail << 23 ^ (uint64_t)len << 57) * multiplier) >> 56);
}

static bool index_fill(const struct reader_table *table, uint64_t multiplier)
{
	struct reader_index *index = table->index;

	memset(index->slots, 0, sizeof(index->slots));
	for (uint32_t i = 0; i < table->count; i++) {
		const struct reader_field *field = &table->fields[i];
		uint8_t slot;

		index->heads[i] = name_head(field->name, field->name_len, 0);
		slot = name_slot(multiplier, index->heads[i], field->name, field->name_len);
		if (index->slots[slot])
			return false;
		index->slots[slot] = (uint8_t)(i + 1);
	}
	index->multiplier = multiplier;
	return true;
}

/* Tries multipliers until no two names share a slot: few are needed for 64 names in 256 slots, and the sequence is
 * always the same. A table for which none is found would be a programmer's error that every test meets. */
static void index_build(const struct reader_table *table)
{
	uint64_t multiplier = UINT64_C(0x9e3779b97f4a7c15);

	while (!index_fill(table, multiplier))
		multiplier = multiplier * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	for (uint32_t i = 0; i <= table->count; i++)
		table->index->follower[i] = (uint8_t)(i < table->count ? i : 0);
	table->index->ready = true;
}

static inline bool field_is(const struct reader_table *table, unsigned i, const char *name, size_t len, uint64_t head)
{
	const struct reader_field *field = &table->fields[i];

	return table->index->heads[i] == head && field->name_len == len &&
	       (len <= 8 || memcmp(field->name + 8, name + 8, len - 8) == 0);
}

/* Index of the field, or -1. */
static inline int field_index(const struct reader_table *table, const char *name, size_t len, uint64_t head)
{
	uint8_t slot = table->index->slots[name_slot(table->index->multiplier, head, name, len)];

	return slot && field_is(table, slot - 1u, name, len, head) ? slot - 1 : -1;
}

const struct reader_field *reader_field_find(const struct reader_table *table, const char *name, size_t len)
{
	int i;

	if (!table->index->ready)
		index_build(table);
	i = field_index(table, name, len, name_head(name, len, 0));
	return i < 0 ? NULL : &table->fields[i];
}

/* --- arrays and maps -------------------------------------------------------------------------------------------- */

/* An array that grows in the arena. All of the public ones are { pointer, uint32_t count }. */
struct list {
	char *items;
	uint32_t count;
	uint32_t room;
	uint32_t item_size;
};

/* Room for one more, zeroed; NULL when the arena is full. */
static void *list_push(struct reader *reader, struct list *list, uint32_t start)
{
	if (list->count == list->room) {
		uint32_t room = list->room ? list->room * 2 : start;
		char *items = arena_grow(reader->arena, list->items, (size_t)list->room * list->item_size,
					 (size_t)room * list->item_size);

		if (!items) {
			value_fail(reader, -ENOBUFS);
			return NULL;
		}
		list->items = items;
		list->room = room;
	}
	return list->items + (size_t)list->count++ * list->item_size;
}

/* A pushed item that turned out to be unfit. */
static void list_drop(struct list *list)
{
	list->count--;
	memset(list->items + (size_t)list->count * list->item_size, 0, list->item_size);
}

static const char *read_scalar_item(struct reader *reader, enum reader_kind kind, const char *p, void *item,
				    bool *ret_good)
{
	switch (kind) {
	case READER_IDS:
		return value_id(reader, p, item, ret_good);
	case READER_U32S:
		return value_number(reader, READER_U32, p, item, ret_good);
	case READER_I64S:
		return value_number(reader, READER_I64, p, item, ret_good);
	default:
		return value_str(reader, p, false, item, ret_good);
	}
}

static uint32_t item_size(const struct reader_field *field)
{
	switch (field->kind) {
	case READER_U32S:
		return sizeof(uint32_t);
	case READER_STRS:
		return sizeof(struct shoal_str);
	case READER_LIST:
	case READER_MAP:
		return field->sub->size;
	default:
		return sizeof(uint64_t);
	}
}

/* One object for @field at @p into @data. *ret_good: it is an object with all that its table requires. */
static const char *read_sub(struct reader *reader, const struct reader_table *table, const char *p, char *data,
			    bool *ret_good)
{
	*ret_good = false;
	if (*p != '{' || reader->depth >= READER_DEPTH_MAX)
		return value_skip(reader, p);
	reader->depth++;
	p = read_object(reader, table, NULL, p, data, ret_good);
	reader->depth--;
	return p;
}

/* Behind an element: *ret_more, or the end @close is eaten. */
static const char *next_element(struct reader *reader, const char *p, char close, bool *ret_more)
{
	p = json_skip_space(p, reader->end);
	if (p >= reader->end || (*p != ',' && *p != close))
		return value_fail(reader, -EBADMSG);
	*ret_more = *p++ == ',';
	if (*ret_more) {
		p = json_skip_space(p, reader->end);
		if (p >= reader->end)
			return value_fail(reader, -EBADMSG);
	}
	return p;
}

static const char *read_list(struct reader *reader, const struct reader_field *field, const char *p, char *out)
{
	struct list list = { .item_size = item_size(field) };
	bool more, good;

	p = json_skip_space(p + 1, reader->end);
	if (p >= reader->end)
		return value_fail(reader, -EBADMSG);
	more = *p != ']';
	p += !more;
	while (more) {
		char *item = list_push(reader, &list, field->kind == READER_LIST ? LIST_START : SCALAR_START);

		if (!item)
			return NULL;
		if (field->kind == READER_LIST)
			p = read_sub(reader, field->sub, p, item, &good);
		else
			p = read_scalar_item(reader, (enum reader_kind)field->kind, p, item, &good);
		if (!p)
			return NULL;
		if (!good) {
			reader->stats->mistyped++;
			list_drop(&list);
		}
		p = next_element(reader, p, ']', &more);
		if (!p)
			return NULL;
	}
	memcpy(out, &list.items, sizeof(list.items));
	memcpy(out + sizeof(list.items), &list.count, sizeof(list.count));
	return p;
}

/* @p stands on a key; returns the position of its value. */
static const char *read_key(struct reader *reader, const char *p, struct shoal_str *ret_key)
{
	const char *start = p + 1;
	bool escaped;

	if (*p != '"')
		return value_fail(reader, -EBADMSG);
	p = value_text_end(reader, start, &escaped);
	if (!p)
		return NULL;
	*ret_key = (struct shoal_str){ start, (uint32_t)(p - start) };
	p = json_skip_space(p + 1, reader->end);
	if (p >= reader->end || *p != ':')
		return value_fail(reader, -EBADMSG);
	p = json_skip_space(p + 1, reader->end);
	return p < reader->end ? p : value_fail(reader, -EBADMSG);
}

static const char *read_map(struct reader *reader, const struct reader_field *field, const char *p, char *out)
{
	struct list keys = { .item_size = sizeof(uint64_t) }, items = { .item_size = item_size(field) };
	struct shoal_str key;
	bool more, good;

	p = json_skip_space(p + 1, reader->end);
	if (p >= reader->end)
		return value_fail(reader, -EBADMSG);
	more = *p != '}';
	p += !more;
	while (more) {
		uint64_t *id = list_push(reader, &keys, LIST_START);
		char *item = id ? list_push(reader, &items, LIST_START) : NULL;

		if (!item)
			return NULL;
		p = read_key(reader, p, &key);
		if (!p)
			return NULL;
		p = read_sub(reader, field->sub, p, item, &good);
		if (!p)
			return NULL;
		if (!good || !json_parse_u64(key.ptr, key.ptr + key.len, id)) {
			reader->stats->mistyped++;
			list_drop(&keys);
			list_drop(&items);
		}
		p = next_element(reader, p, '}', &more);
		if (!p)
			return NULL;
	}
	memcpy(out, &keys.items, sizeof(keys.items));
	memcpy(out + sizeof(char *), &items.items, sizeof(items.items));
	memcpy(out + 2 * sizeof(char *), &items.count, sizeof(items.count));
	return p;
}

/* --- objects ---------------------------------------------------------------------------------------------------- */

static const char *read_pointer(struct reader *reader, const struct reader_field *field, const char *p, char *out,
				bool *ret_good)
{
	char *data;

	*ret_good = false;
	if (*p != '{')
		return value_skip(reader, p);
	data = arena_alloc(reader->arena, field->sub->size);
	if (!data)
		return value_fail(reader, -ENOBUFS);
	p = read_sub(reader, field->sub, p, data, ret_good);
	if (*ret_good)
		memcpy(out, &data, sizeof(data));
	return p;
}

static const char *read_field(struct reader *reader, const struct reader_field *field, const char *p, char *out,
			      bool *ret_good)
{
	switch ((enum reader_kind)field->kind) {
	case READER_ID:
		return value_id(reader, p, (uint64_t *)out, ret_good);
	case READER_U32:
	case READER_I32:
	case READER_U64:
	case READER_I64:
	case READER_DOUBLE:
		return value_number(reader, (enum reader_kind)field->kind, p, out, ret_good);
	case READER_BOOL:
		return value_bool(reader, p, false, (bool *)out, ret_good);
	case READER_MARK:
		return value_bool(reader, p, true, (bool *)out, ret_good);
	case READER_STR:
		return value_str(reader, p, false, (struct shoal_str *)out, ret_good);
	case READER_TEXT:
		return value_str(reader, p, true, (struct shoal_str *)out, ret_good);
	case READER_TIME:
		return value_time(reader, p, (int64_t *)out, ret_good);
	case READER_PERMS:
		return value_perms(reader, p, (struct shoal_perms *)out, ret_good);
	case READER_VALUE:
		return value_any(reader, p, (struct shoal_value *)out, ret_good);
	case READER_RAW:
		return value_raw(reader, p, (struct shoal_str *)out, ret_good);
	case READER_OBJ:
		return read_sub(reader, field->sub, p, out, ret_good);
	case READER_PTR:
		return read_pointer(reader, field, p, out, ret_good);
	case READER_IDS:
	case READER_U32S:
	case READER_I64S:
	case READER_STRS:
	case READER_LIST:
		*ret_good = *p == '[';
		return *ret_good ? read_list(reader, field, p, out) : value_skip(reader, p);
	case READER_MAP:
		*ret_good = *p == '{';
		return *ret_good ? read_map(reader, field, p, out) : value_skip(reader, p);
	case READER_KIND_COUNT:
		break;
	}
	return value_fail(reader, -EINVAL);
}

static size_t field_size(const struct reader_field *field)
{
	static const uint8_t sizes[READER_KIND_COUNT] = {
		[READER_ID] = 8,
		[READER_U32] = 4,
		[READER_I32] = 4,
		[READER_U64] = 8,
		[READER_I64] = 8,
		[READER_DOUBLE] = sizeof(double),
		[READER_BOOL] = 1,
		[READER_MARK] = 1,
		[READER_STR] = sizeof(struct shoal_str),
		[READER_TIME] = 8,
		[READER_PERMS] = sizeof(struct shoal_perms),
		[READER_TEXT] = sizeof(struct shoal_str),
		[READER_VALUE] = sizeof(struct shoal_value),
		[READER_RAW] = sizeof(struct shoal_str),
		[READER_PTR] = sizeof(void *),
		[READER_IDS] = sizeof(struct shoal_ids),
		[READER_U32S] = sizeof(struct shoal_u32s),
		[READER_I64S] = sizeof(struct shoal_i64s),
		[READER_STRS] = sizeof(struct shoal_strs),
		[READER_LIST] = sizeof(struct shoal_ids),
		[READER_MAP] = sizeof(void *) + sizeof(struct shoal_ids),
	};

	return field->kind == READER_OBJ ? field->sub->size : sizes[field->kind];
}

static bool is_null(struct reader *reader, const char *p)
{
	return *p == 'n' && reader->end - p >= 4 && memcmp(p, "null", 4) == 0;
}

struct bits {
	uint64_t has;
	uint64_t null;
};

static const char *read_member(struct reader *reader, const struct reader_table *table, unsigned i, const char *p,
			       char *data, struct bits *bits)
{
	const struct reader_field *field = &table->fields[i];
	const uint64_t bit = UINT64_C(1) << i;
	char *out = data + field->offset;
	bool good;

	if (JSON_UNLIKELY((bits->has | bits->null) & bit)) { /* again: the last one counts */
		memset(out, 0, field_size(field));
		bits->has &= ~bit;
		bits->null &= ~bit;
	}
	if (field->kind != READER_MARK && is_null(reader, p)) {
		bits->null |= bit;
		if (field->kind == READER_VALUE)
			((struct shoal_value *)out)->kind = SHOAL_VALUE_NULL;
		return p + 4;
	}
	p = read_field(reader, field, p, out, &good);
	if (!p)
		return NULL;
	if (JSON_LIKELY(good)) {
		bits->has |= bit;
	} else {
		reader->stats->mistyped++;
		memset(out, 0, field_size(field));
	}
	return p;
}

/* @p stands on the brace. *ret_complete: nothing that is required is missing. */
static const char *read_object(struct reader *reader, const struct reader_table *table, const void *required,
			       const char *p, char *data, bool *ret_complete)
{
	const uint64_t needed = reader_bits(table->required) | reader_bits(required);
	struct reader_index *index = table->index;
	struct bits bits = { 0 };
	struct shoal_str key;
	unsigned before = 0; /* the field that came last, plus one */
	bool more;

	if (!index->ready)
		index_build(table);
	p = json_skip_space(p + 1, reader->end);
	if (p >= reader->end)
		return value_fail(reader, -EBADMSG);
	more = *p != '}';
	p += !more;
	while (more) {
		uint64_t head;
		int i;

		p = read_key(reader, p, &key);
		if (!p)
			return NULL;
		head = name_head(key.ptr, key.len, (size_t)(reader->end - key.ptr));
		i = index->follower[before];
		if (!field_is(table, (unsigned)i, key.ptr, key.len, head)) {
			i = field_index(table, key.ptr, key.len, head);
			if (i >= 0)
				index->follower[before] = (uint8_t)i;
		}
		if (i >= 0) {
			before = (unsigned)i + 1;
			p = read_member(reader, table, (unsigned)i, p, data, &bits);
		} else {
			reader->stats->unknown++;
			p = value_skip(reader, p);
		}
		if (!p)
			return NULL;
		p = next_element(reader, p, '}', &more);
		if (!p)
			return NULL;
	}
	memcpy(data, &bits, sizeof(bits));
	*ret_complete = (bits.has & needed) == needed;
	return p;
}

int reader_decode(const struct reader_table *table, const void *required, const char *json, size_t len,
		  struct arena *arena, struct reader_stats *stats, const void **ret_data)
{
	struct reader_stats unasked = { 0 };
	struct reader reader = { .arena = arena, .stats = stats ?: &unasked };
	bool complete = false;
	const char *p;
	char *data;

	if (len > INT32_MAX)
		return -EBADMSG;
	reader.end = json + len;
	p = json_skip_space(json, reader.end);
	if (p >= reader.end || *p != '{')
		return -EBADMSG;
	data = arena_alloc(arena, table->size);
	if (!data)
		return -ENOBUFS;
	p = read_object(&reader, table, required, p, data, &complete);
	if (!p)
		return reader.error;
	if (json_skip_space(p, reader.end) != reader.end)
		return -EBADMSG;
	if (!complete)
		return -EPROTO;
	*ret_data = data;
	return 0;
}
