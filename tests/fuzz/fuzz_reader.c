/* SPDX-License-Identifier: MIT */
/* libFuzzer's way into the reader: the first byte chooses the event, the rest is its d, validated or not. Beside not
 * crashing: everything that a decoded struct points to can be read to its end, and a payload that the envelope accepts
 * as JSON is decoded or refused for a reason, never as broken bytes. */
#include <errno.h>
#include <stdlib.h>

#include "shard/gateway/decode.h"
#include "shard/gateway/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink;

static void touch(const void *ptr, size_t len)
{
	const unsigned char *p = ptr;

	for (size_t i = 0; i < len; i++)
		sink += p[i];
}

static void touch_str(struct shoal_str text)
{
	if (!text.ptr && text.len)
		abort();
	touch(text.ptr, text.len);
}

static void touch_object(const struct reader_table *table, const char *data);

static void touch_items(const struct reader_field *field, const char *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		switch ((enum reader_kind)field->kind) {
		case READER_LIST:
		case READER_MAP:
			touch_object(field->sub, items + (size_t)i * field->sub->size);
			break;
		case READER_STRS:
			touch_str(((const struct shoal_str *)items)[i]);
			break;
		case READER_U32S:
			touch(items + (size_t)i * 4, 4);
			break;
		default:
			touch(items + (size_t)i * 8, 8);
		}
	}
}

static void touch_list(const struct reader_field *field, const char *at)
{
	const char *items;
	uint32_t count;

	if (field->kind == READER_MAP) {
		const char *keys;

		memcpy(&keys, at, sizeof(keys));
		memcpy(&count, at + 2 * sizeof(keys), sizeof(count));
		touch(keys, (size_t)count * sizeof(uint64_t));
		at += sizeof(keys);
	}
	memcpy(&items, at, sizeof(items));
	memcpy(&count, at + sizeof(items), sizeof(count));
	touch_items(field, items, count);
}

static void touch_field(const struct reader_field *field, const char *at)
{
	const struct shoal_value *value = (const void *)at;
	const char *sub;

	switch ((enum reader_kind)field->kind) {
	case READER_STR:
	case READER_TEXT:
	case READER_RAW:
		touch_str(*(const struct shoal_str *)at);
		break;
	case READER_VALUE:
		if ((unsigned)value->kind > SHOAL_VALUE_JSON)
			abort();
		touch_str(value->text);
		break;
	case READER_OBJ:
		touch_object(field->sub, at);
		break;
	case READER_PTR:
		memcpy(&sub, at, sizeof(sub));
		if (sub)
			touch_object(field->sub, sub);
		break;
	case READER_IDS:
	case READER_U32S:
	case READER_I64S:
	case READER_STRS:
	case READER_LIST:
	case READER_MAP:
		touch_list(field, at);
		break;
	default:
		break;
	}
}

static void touch_object(const struct reader_table *table, const char *data)
{
	if (reader_bits(data) & reader_bits(data + sizeof(uint64_t))) /* both there and null */
		abort();
	touch(data, table->size);
	for (uint32_t i = 0; i < table->count; i++)
		touch_field(&table->fields[i], data + table->fields[i].offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena arena;
	enum shoal_event_type type;
	struct reader_stats stats = { 0 };
	struct shoal_event event;
	struct shoal_str d;
	int r;

	if (size < 2)
		return 0;
	if (arena.max_bytes == 0)
		arena_init(&arena, 256 * 1024);
	arena_reset(&arena);
	type = (enum shoal_event_type)(SHOAL_EVENT_UNKNOWN + 1 +
				       data[0] % (SHOAL_EVENT_COUNT - SHOAL_EVENT_UNKNOWN - 1));
	d = (struct shoal_str){ (const char *)data + 1, (uint32_t)(size - 1) };
	r = decode_event(type, d, &arena, &stats, &event);
	if (r == 0)
		touch_object(decode_event_row(type)->table, event.data);
	else if (r != -EBADMSG && r != -EPROTO && r != -ENOBUFS)
		abort();
	if (r == -EBADMSG && d.ptr[0] == '{' && envelope_validate(d.ptr, d.len) == ENVELOPE_OK)
		abort();
	return 0;
}
