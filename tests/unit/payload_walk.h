/* SPDX-License-Identifier: MIT */
/* Walks a jansson tree and the struct decoded from the same bytes side by side, along the struct's table: every leaf
 * must be in the struct, equal, or on the list of ignored ones with the reason. Knows nothing of how the reader works.
 * For test_payloads.c alone. */
#ifndef SHOAL_TESTS_PAYLOAD_WALK_H
#define SHOAL_TESTS_PAYLOAD_WALK_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "shard/gateway/decode_table.h"

#define CHECK(ok, ...)                            \
	do {                                      \
		if (!(ok)) {                      \
			print_error(__VA_ARGS__); \
			fail();                   \
		}                                 \
	} while (0)

/* --- what is not decoded, and why ------------------------------------------------------------------------------- */

static const struct ignored {
	const char *table;
	const char *key;
	const char *why;
} ignored[] = {
#define UNDOCUMENTED "not in Discord's documentation, so it may change or go at any time"
	{ "shoal_user", "bio", UNDOCUMENTED },
	{ "shoal_user", "clan", UNDOCUMENTED },
	{ "shoal_member", "unusual_dm_activity_until", UNDOCUMENTED },
	{ "shoal_activity", "id", UNDOCUMENTED },
	{ "shoal_channel", "version", UNDOCUMENTED },
	{ "shoal_channel", "icon_emoji", UNDOCUMENTED },
	{ "shoal_channel", "theme_color", UNDOCUMENTED },
	{ "shoal_channel", "voice_background_display", UNDOCUMENTED },
	{ "shoal_channel", "template", UNDOCUMENTED },
	{ "shoal_thread_member", "muted", UNDOCUMENTED },
	{ "shoal_thread_member", "mute_config", UNDOCUMENTED },
	{ "shoal_guild", "hub_type", UNDOCUMENTED },
	{ "shoal_guild", "home_header", UNDOCUMENTED },
	{ "shoal_guild", "latest_onboarding_question_id", UNDOCUMENTED },
	{ "shoal_guild", "inventory_settings", UNDOCUMENTED },
	{ "shoal_guild", "embedded_activities", UNDOCUMENTED },
	{ "shoal_guild", "version", UNDOCUMENTED },
	{ "shoal_guild", "lazy", UNDOCUMENTED },
	{ "shoal_guild", "application_command_counts", UNDOCUMENTED },
	{ "shoal_attachment", "content_scan_version", UNDOCUMENTED },
	{ "shoal_interaction", "entitlement_sku_ids", UNDOCUMENTED },
	{ "shoal_entitlement", "gift_code_flags", UNDOCUMENTED },
	{ "shoal_ready", "user_settings", UNDOCUMENTED },
	{ "shoal_ready", "session_type", UNDOCUMENTED },
	{ "shoal_ready", "relationships", UNDOCUMENTED },
	{ "shoal_ready", "private_channels", UNDOCUMENTED },
	{ "shoal_ready", "presences", UNDOCUMENTED },
	{ "shoal_ready", "guild_join_requests", UNDOCUMENTED },
	{ "shoal_ready", "geo_ordered_rtc_regions", UNDOCUMENTED },
	{ "shoal_ready", "auth", UNDOCUMENTED },
	{ "shoal_ready", "_trace", UNDOCUMENTED },
	{ "shoal_sticker", "asset", UNDOCUMENTED },
	{ "shoal_embed", "content_scan_version", UNDOCUMENTED },
	{ "shoal_interaction_metadata", "command_type", UNDOCUMENTED },
	{ "shoal_interaction_metadata", "name", UNDOCUMENTED },
	{ "shoal_sound", "id", "undocumented twin of sound_id" },
	{ "shoal_sound", "user_id", "undocumented twin of user.id" },
#define INVENTED "made up by a payload to stand for what comes some day: must be passed over"
	{ "shoal_component", "future", INVENTED },
	{ "shoal_message", "future_object", INVENTED },
	{ "shoal_interaction_data", "new", INVENTED },
};

static bool is_ignored(const char *table, const char *key)
{
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (strcmp(ignored[i].table, table) == 0 && strcmp(ignored[i].key, key) == 0)
			return true;
	return false;
}

/* --- which fields the fixtures have filled ---------------------------------------------------------------------- */

static const struct reader_table *const tables[] = {
#define X(tag) &tag##_table,
	DECODE_STRUCTS(X)
#undef X
};
#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))
static uint64_t filled[TABLE_COUNT];

static void note_filled(const struct reader_table *table, uint64_t has)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		if (tables[i] == table)
			filled[i] |= has;
}

/* --- the walk --------------------------------------------------------------------------------------------------- */

struct walk {
	const char *source; /* for messages */
	char path[512];
	uint32_t mistyped; /* values of the wrong type met so far */
	uint32_t leaves;
};

static uint64_t field_bit(const struct reader_table *table, const struct reader_field *field)
{
	return UINT64_C(1) << (field - table->fields);
}

static bool all_digits(json_t *json)
{
	const char *text = json_string_value(json);

	return json_is_string(json) && *text && strspn(text, "0123456789") == json_string_length(json);
}

/* Independent of the reader: Discord's times have fixed places. */
static bool parse_time(json_t *json, int64_t *ret_ms)
{
	const char *text = json_string_value(json), *zone;
	struct tm tm = { 0 };
	double fraction = 0;

	if (!json_is_string(json))
		return false;
	zone = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!zone)
		return false;
	if (*zone == '.')
		fraction = strtod(zone, (char **)&zone);
	if (strcmp(zone, "Z") != 0 && strcmp(zone, "+00:00") != 0)
		return false;
	*ret_ms = timegm(&tm) * 1000 + (int64_t)(fraction * 1000 + 1e-6);
	return true;
}

static bool fits_object(const struct reader_table *table, json_t *json);

/* Whether a JSON value is of the type that a field wants. */
static bool fits(enum reader_kind kind, const struct reader_table *sub, json_t *json)
{
	json_int_t i = json_is_integer(json) ? json_integer_value(json) : -1;
	int64_t ms;

	switch (kind) {
	case READER_ID:
		return i >= 0 || (all_digits(json) && json_string_length(json) <= 20);
	case READER_U32:
		return i >= 0 && i <= UINT32_MAX;
	case READER_I32:
		return json_is_integer(json) && json_integer_value(json) >= INT32_MIN &&
		       json_integer_value(json) <= INT32_MAX;
	case READER_U64:
		return i >= 0;
	case READER_I64:
		return json_is_integer(json);
	case READER_DOUBLE:
		return json_is_number(json);
	case READER_BOOL:
		return json_is_boolean(json);
	case READER_MARK:
		return json_is_boolean(json) || json_is_null(json);
	case READER_STR:
		return json_is_string(json);
	case READER_TEXT:
		return json_is_string(json) || json_is_number(json);
	case READER_TIME:
		return parse_time(json, &ms);
	case READER_PERMS:
		return all_digits(json) || i >= 0;
	case READER_VALUE:
	case READER_RAW:
		return true;
	case READER_OBJ:
	case READER_PTR:
		return fits_object(sub, json);
	case READER_MAP:
		return json_is_object(json);
	default:
		return json_is_array(json);
	}
}

static bool fits_object(const struct reader_table *table, json_t *json)
{
	if (!json_is_object(json))
		return false;
	for (uint32_t i = 0; i < table->count; i++) {
		const struct reader_field *field = &table->fields[i];
		char key[64];
		json_t *value;

		if (!(reader_bits(table->required) >> i & 1))
			continue;
		snprintf(key, sizeof(key), "%.*s", field->name_len, field->name);
		value = json_object_get(json, key);
		if (!value || json_is_null(value) || !fits((enum reader_kind)field->kind, field->sub, value))
			return false;
	}
	return true;
}

static void walk_object(struct walk *walk, const struct reader_table *table, const char *data, json_t *json);

static void check_str(struct walk *walk, json_t *json, struct shoal_str got)
{
	CHECK(json_string_length(json) == got.len && got.ptr && memcmp(json_string_value(json), got.ptr, got.len) == 0,
	      "%s %s: \"%s\" became \"%.*s\"\n", walk->source, walk->path, json_string_value(json), SHOAL_STR_ARG(got));
}

static void check_u64(struct walk *walk, json_t *json, uint64_t got)
{
	uint64_t want =
		json_is_string(json) ? strtoull(json_string_value(json), NULL, 10) : (uint64_t)json_integer_value(json);

	CHECK(want == got, "%s %s: %" PRIu64 " became %" PRIu64 "\n", walk->source, walk->path, want, got);
}

static void check_i64(struct walk *walk, int64_t want, int64_t got)
{
	CHECK(want == got, "%s %s: %" PRIi64 " became %" PRIi64 "\n", walk->source, walk->path, want, got);
}

/* The slice, read again, is the same value. */
static void check_raw(struct walk *walk, json_t *json, struct shoal_str got)
{
	json_t *again = json_loadb(got.ptr, got.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	CHECK(again && json_equal(again, json), "%s %s: raw slice differs\n", walk->source, walk->path);
	json_decref(again);
}

static void check_perms(struct walk *walk, json_t *json, const struct shoal_perms *got)
{
	unsigned __int128 want = 0;
	char text[24];

	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	for (const char *p = json_is_string(json) ? json_string_value(json) : text; *p; p++)
		want = want * 10 + (unsigned)(*p - '0');
	CHECK((uint64_t)want == got->bits && got->over == (want >> 64 != 0), "%s %s: permissions differ\n",
	      walk->source, walk->path);
}

static void check_value(struct walk *walk, json_t *json, const struct shoal_value *got)
{
	switch (json_typeof(json)) {
	case JSON_STRING:
		CHECK(got->kind == SHOAL_VALUE_STR, "%s %s: kind %d\n", walk->source, walk->path, (int)got->kind);
		check_str(walk, json, got->text);
		break;
	case JSON_INTEGER:
		CHECK(got->kind == SHOAL_VALUE_INT && got->number == (double)json_integer_value(json),
		      "%s %s: kind %d\n", walk->source, walk->path, (int)got->kind);
		check_i64(walk, json_integer_value(json), got->integer);
		break;
	case JSON_REAL:
		CHECK(got->kind == SHOAL_VALUE_NUMBER && got->number == json_real_value(json), "%s %s: kind %d\n",
		      walk->source, walk->path, (int)got->kind);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		CHECK(got->kind == SHOAL_VALUE_BOOL && got->boolean == json_is_true(json), "%s %s: kind %d\n",
		      walk->source, walk->path, (int)got->kind);
		break;
	default:
		CHECK(got->kind == SHOAL_VALUE_JSON, "%s %s: kind %d\n", walk->source, walk->path, (int)got->kind);
		check_raw(walk, json, got->text);
	}
}

static void walk_list(struct walk *walk, const struct reader_field *field, const char *at, json_t *json)
{
	static const enum reader_kind item_kinds[READER_KIND_COUNT] = {
		[READER_IDS] = READER_ID,   [READER_U32S] = READER_U32, [READER_I64S] = READER_I64,
		[READER_STRS] = READER_STR, [READER_LIST] = READER_OBJ,
	};
	const enum reader_kind kind = item_kinds[field->kind];
	const char *items;
	size_t index, path_len = strlen(walk->path);
	uint32_t count, taken = 0;
	json_t *item;

	memcpy(&items, at, sizeof(items));
	memcpy(&count, at + sizeof(items), sizeof(count));
	json_array_foreach(json, index, item)
	{
		if (!fits(kind, field->sub, item)) {
			walk->mistyped++;
			continue;
		}
		CHECK(taken < count, "%s %s: only %u items\n", walk->source, walk->path, count);
		snprintf(walk->path + path_len, sizeof(walk->path) - path_len, "[%zu]", index);
		walk->leaves++;
		switch (kind) {
		case READER_ID:
			check_u64(walk, item, ((const uint64_t *)items)[taken]);
			break;
		case READER_U32:
			check_u64(walk, item, ((const uint32_t *)items)[taken]);
			break;
		case READER_I64:
			check_i64(walk, json_integer_value(item), ((const int64_t *)items)[taken]);
			break;
		case READER_STR:
			check_str(walk, item, ((const struct shoal_str *)items)[taken]);
			break;
		default:
			walk_object(walk, field->sub, items + (size_t)taken * field->sub->size, item);
		}
		taken++;
		walk->path[path_len] = '\0';
	}
	CHECK(taken == count, "%s %s: %u items instead of %u\n", walk->source, walk->path, count, taken);
}

static void walk_map(struct walk *walk, const struct reader_field *field, const char *at, json_t *json)
{
	const uint64_t *keys;
	const char *items, *key;
	size_t path_len = strlen(walk->path);
	uint32_t count;
	json_t *item;

	memcpy(&keys, at, sizeof(keys));
	memcpy(&items, at + sizeof(keys), sizeof(items));
	memcpy(&count, at + 2 * sizeof(keys), sizeof(count));
	CHECK(count == json_object_size(json), "%s %s: %u items\n", walk->source, walk->path, count);
	json_object_foreach(json, key, item)
	{
		uint32_t i = 0;

		while (i < count && keys[i] != strtoull(key, NULL, 10))
			i++;
		CHECK(i < count, "%s %s: no key %s\n", walk->source, walk->path, key);
		snprintf(walk->path + path_len, sizeof(walk->path) - path_len, ".%s", key);
		walk_object(walk, field->sub, items + (size_t)i * field->sub->size, item);
		walk->path[path_len] = '\0';
	}
}

static void walk_field(struct walk *walk, const struct reader_field *field, const char *at, json_t *json)
{
	const char *sub;
	int64_t ms = 0;

	walk->leaves++;
	switch ((enum reader_kind)field->kind) {
	case READER_ID:
	case READER_U64:
		check_u64(walk, json, *(const uint64_t *)at);
		break;
	case READER_U32:
		check_u64(walk, json, *(const uint32_t *)at);
		break;
	case READER_I32:
		check_i64(walk, json_integer_value(json), *(const int32_t *)at);
		break;
	case READER_I64:
		check_i64(walk, json_integer_value(json), *(const int64_t *)at);
		break;
	case READER_DOUBLE:
		CHECK(json_number_value(json) == *(const double *)at, "%s %s differs\n", walk->source, walk->path);
		break;
	case READER_BOOL:
		CHECK(json_is_true(json) == *(const bool *)at, "%s %s differs\n", walk->source, walk->path);
		break;
	case READER_MARK:
		CHECK(!json_is_false(json) == *(const bool *)at, "%s %s differs\n", walk->source, walk->path);
		break;
	case READER_STR:
		check_str(walk, json, *(const struct shoal_str *)at);
		break;
	case READER_TEXT:
		if (json_is_string(json))
			check_str(walk, json, *(const struct shoal_str *)at);
		else
			check_raw(walk, json, *(const struct shoal_str *)at);
		break;
	case READER_TIME:
		parse_time(json, &ms);
		check_i64(walk, ms, *(const int64_t *)at);
		break;
	case READER_PERMS:
		check_perms(walk, json, (const struct shoal_perms *)at);
		break;
	case READER_VALUE:
		check_value(walk, json, (const struct shoal_value *)at);
		break;
	case READER_RAW:
		check_raw(walk, json, *(const struct shoal_str *)at);
		break;
	case READER_OBJ:
		walk_object(walk, field->sub, at, json);
		break;
	case READER_PTR:
		memcpy(&sub, at, sizeof(sub));
		CHECK(sub, "%s %s: no object\n", walk->source, walk->path);
		walk_object(walk, field->sub, sub, json);
		break;
	case READER_MAP:
		walk_map(walk, field, at, json);
		break;
	default:
		walk_list(walk, field, at, json);
	}
}

/* A member without its bit is zero. */
static void check_empty(struct walk *walk, const struct reader_table *table, uint32_t i, const char *data)
{
	const struct reader_field *field = &table->fields[i];
	size_t end = i + 1 < table->count ? table->fields[i + 1].offset : table->size;

	for (size_t at = field->offset; at < end; at++)
		CHECK(data[at] == 0, "%s %s.%.*s: absent, but not zero\n", walk->source, walk->path, field->name_len,
		      field->name);
}

static void walk_object(struct walk *walk, const struct reader_table *table, const char *data, json_t *json)
{
	const uint64_t has = reader_bits(data), null = reader_bits(data + sizeof(uint64_t));
	uint64_t want_has = 0, want_null = 0;
	size_t path_len = strlen(walk->path);
	const char *key;
	json_t *value;

	json_object_foreach(json, key, value)
	{
		const struct reader_field *field = reader_field_find(table, key, strlen(key));

		snprintf(walk->path + path_len, sizeof(walk->path) - path_len, ".%s", key);
		if (!field) {
			CHECK(is_ignored(table->name, key), "%s %s (%s): neither decoded nor ignored with a reason\n",
			      walk->source, walk->path, table->name);
		} else if (json_is_null(value) && field->kind != READER_MARK) {
			want_null |= field_bit(table, field);
			if (field->kind == READER_VALUE)
				assert_int_equal(((const struct shoal_value *)(data + field->offset))->kind,
						 SHOAL_VALUE_NULL);
		} else if (!fits((enum reader_kind)field->kind, field->sub, value)) {
			walk->mistyped++;
		} else {
			CHECK(has & field_bit(table, field), "%s %s: not decoded\n", walk->source, walk->path);
			want_has |= field_bit(table, field);
			walk_field(walk, field, data + field->offset, value);
		}
		walk->path[path_len] = '\0';
	}
	CHECK(has == want_has, "%s %s: bits of has: %" PRIx64 " instead of %" PRIx64 "\n", walk->source, walk->path,
	      has, want_has);
	CHECK(null == want_null, "%s %s: bits of null\n", walk->source, walk->path);
	for (uint32_t i = 0; i < table->count; i++)
		if (!(has >> i & 1) && !((null >> i & 1) && table->fields[i].kind == READER_VALUE))
			check_empty(walk, table, i, data);
	note_filled(table, has);
}

#endif
