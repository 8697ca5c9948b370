/* SPDX-License-Identifier: MIT */
/* The decoded struct against jansson's reading of the same bytes, leaf by leaf (see payload_walk.h). Bytes come from
 * tests/unit/fixtures and, where it is there, from ../shared/payloads/gateway; each also re-spelled (all escaped, keys
 * sorted, indented) and cut off at every byte. */
#include <dirent.h>
#include <errno.h>

#include "tests/unit/payload_walk.h"

#include "shard/gateway/decode.h"
#include "shard/gateway/envelope.h"

#define FIXTURES "tests/unit/fixtures"
#define FETCHED  "tests/unit/fixtures/fetched"
#define SHARED   "../shared/payloads/gateway"

static bool event_seen[SHOAL_EVENT_COUNT];

/* --- one payload ------------------------------------------------------------------------------------------------ */

static uint64_t id_of(json_t *d, const char *key)
{
	json_t *id = json_object_get(d, key);

	if (json_is_integer(id) && json_integer_value(id) >= 0)
		return (uint64_t)json_integer_value(id);
	return all_digits(id) ? strtoull(json_string_value(id), NULL, 10) : 0;
}

static void check_envelope(const char *source, json_t *json, const struct envelope *envelope)
{
	json_t *d = json_object_get(json, "d"), *s = json_object_get(json, "s"), *t = json_object_get(json, "t");
	const char *name = json_is_string(t) ? json_string_value(t) : "";
	bool is_guild = strcmp(name, "GUILD_CREATE") == 0 || strcmp(name, "GUILD_UPDATE") == 0 ||
			strcmp(name, "GUILD_DELETE") == 0;
	json_t *again;

	CHECK(envelope->op == json_integer_value(json_object_get(json, "op")), "%s: op\n", source);
	CHECK(envelope->has_sequence == json_is_integer(s), "%s: has_sequence\n", source);
	CHECK(envelope->sequence == (uint64_t)json_integer_value(s), "%s: s\n", source);
	CHECK(shoal_str_is(envelope->name, name), "%s: t\n", source);
	CHECK((envelope->type == SHOAL_EVENT_NONE) == !json_is_string(t), "%s: type\n", source);
	if (decode_event_row(envelope->type))
		CHECK(strcmp(shoal_event_name(envelope->type), name) == 0, "%s: type of t\n", source);
	CHECK(envelope->guild_id == id_of(d, is_guild ? "id" : "guild_id"), "%s: guild_id\n", source);
	CHECK((envelope->d.ptr != NULL) == (d != NULL), "%s: d\n", source);
	if (!d)
		return;
	again = json_loadb(envelope->d.ptr, envelope->d.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	CHECK(again && json_equal(again, d), "%s: slice of d\n", source);
	json_decref(again);
}

/* Whether the event must be refused, judged by jansson's tree alone. */
static bool must_refuse(enum shoal_event_type type, json_t *d)
{
	const struct decode_event *row = decode_event_row(type);
	struct reader_table strict = *row->table;
	uint64_t needed = reader_bits(row->required) | reader_bits(row->table->required);

	strict.required = &needed;
	return needed && !fits_object(&strict, d);
}

static uint32_t check_event(const char *source, json_t *json, const struct envelope *envelope, struct arena *arena)
{
	struct walk walk = { .source = source };
	struct reader_stats stats = { 0 };
	struct shoal_event event = { 0 };
	json_t *d = json_object_get(json, "d");
	int r;

	if (!decode_event_row(envelope->type))
		return 0;
	arena_reset(arena);
	r = decode_event(envelope->type, envelope->d, arena, &stats, &event);
	if (must_refuse(envelope->type, d)) {
		CHECK(r == -EPROTO || r == -EBADMSG, "%s: %d instead of a refusal\n", source, r);
		return 0;
	}
	CHECK(r == 0, "%s: refused with %d\n", source, r);
	assert_int_equal(event.type, envelope->type);
	event_seen[event.type] = true;
	if (json_is_object(d))
		walk_object(&walk, decode_event_row(event.type)->table, event.data, d);
	CHECK(stats.mistyped == walk.mistyped && event.mistyped == walk.mistyped, "%s: mistyped %u instead of %u\n",
	      source, stats.mistyped, walk.mistyped);
	return walk.leaves;
}

static uint32_t check_bytes(const char *source, const char *bytes, size_t len, struct arena *arena)
{
	json_t *json = json_loadb(bytes, len, JSON_ALLOW_NUL, NULL);
	char *copy = malloc(len); /* of the exact size, so that ASan sees a byte too far */
	struct envelope envelope;
	enum envelope_error error;
	uint32_t leaves;

	assert_non_null(json);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	error = envelope_scan(copy, len, &envelope);
	CHECK(error == ENVELOPE_OK, "%s: %s\n", source, envelope_error_name(error));
	check_envelope(source, json, &envelope);
	leaves = check_event(source, json, &envelope, arena);
	free(copy);
	json_decref(json);
	return leaves;
}

/* Cut off anywhere, a payload is truncated, and a d is refused. */
static void check_cuts(const char *source, const char *bytes, size_t len, struct arena *arena)
{
	struct envelope envelope, cut_envelope;
	struct shoal_event event;

	while (len > 0 && (unsigned char)bytes[len - 1] <= ' ')
		len--;
	assert_int_equal(envelope_scan(bytes, len, &envelope), ENVELOPE_OK);
	for (size_t cut = 0; cut < len; cut++) {
		char *copy = malloc(cut ?: 1);

		memcpy(copy, bytes, cut);
		CHECK(envelope_scan(copy, cut, &cut_envelope) == ENVELOPE_TRUNCATED, "%s: cut at %zu\n", source, cut);
		free(copy);
	}
	if (!decode_event_row(envelope.type) || envelope.d.len == 0 || envelope.d.ptr[0] != '{')
		return;
	for (uint32_t cut = 1; cut < envelope.d.len; cut++) {
		char *copy = malloc(cut);
		int r;

		memcpy(copy, envelope.d.ptr, cut);
		arena_reset(arena);
		r = decode_event(envelope.type, (struct shoal_str){ copy, cut }, arena, NULL, &event);
		CHECK(r == -EBADMSG, "%s: d cut at %u: %d\n", source, cut, r);
		free(copy);
	}
}

/* The payload as it is, and spelled in three other ways. */
static uint32_t check_payload(const char *source, const char *bytes, size_t len)
{
	static const size_t spellings[] = { JSON_ENSURE_ASCII | JSON_COMPACT, JSON_SORT_KEYS | JSON_COMPACT,
					    JSON_INDENT(3) | JSON_ESCAPE_SLASH };
	json_t *json = json_loadb(bytes, len, JSON_ALLOW_NUL, NULL);
	struct arena arena;
	uint32_t leaves;

	CHECK(json, "%s: jansson refuses it\n", source);
	arena_init(&arena, 1 << 20);
	leaves = check_bytes(source, bytes, len, &arena);
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		char *text = json_dumps(json, spellings[i]);

		assert_non_null(text);
		assert_int_equal(check_bytes(source, text, strlen(text), &arena), leaves);
		free(text);
	}
	check_cuts(source, bytes, len, &arena);
	arena_finish(&arena);
	json_decref(json);
	return leaves;
}

/* --- what REST answers ------------------------------------------------------------------------------------------ */

static const struct reader_table *table_named(const char *name)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		if (strcmp(tables[i]->name, name) == 0)
			return tables[i];
	fail_msg("no table %s", name);
	return NULL;
}

/* {"table": its name, "d": the object}. */
static uint32_t check_fetched(const char *source, const char *bytes, size_t len)
{
	json_t *json = json_loadb(bytes, len, 0, NULL), *d = json_object_get(json, "d");
	const struct reader_table *table = table_named(json_string_value(json_object_get(json, "table")));
	struct walk walk = { .source = source };
	struct arena arena;
	const void *data;
	char *text;

	CHECK(d, "%s: jansson refuses it\n", source);
	text = json_dumps(d, JSON_COMPACT);
	arena_init(&arena, 1 << 20);
	assert_int_equal(reader_decode(table, NULL, text, strlen(text), &arena, NULL, &data), 0);
	walk_object(&walk, table, data, d);
	CHECK(walk.mistyped == 0, "%s: %u mistyped\n", source, walk.mistyped);
	for (size_t cut = 0; cut < strlen(text); cut++) {
		char *copy = malloc(cut ?: 1);

		memcpy(copy, text, cut);
		arena_reset(&arena);
		assert_int_equal(reader_decode(table, NULL, copy, cut, &arena, NULL, &data), -EBADMSG);
		free(copy);
	}
	arena_finish(&arena);
	free(text);
	json_decref(json);
	return walk.leaves;
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static char *read_file(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "re");
	char *bytes;
	long len;

	CHECK(file, "%s: %s\n", path, strerror(errno));
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	len = ftell(file);
	rewind(file);
	bytes = malloc((size_t)len + 1);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, (size_t)len, file), (size_t)len);
	fclose(file);
	*ret_len = (size_t)len;
	return bytes;
}

/* A fixture file is an array, a line an element. */
static uint32_t check_lines(const char *path, uint32_t *leaves,
			    uint32_t (*check)(const char *source, const char *bytes, size_t len))
{
	size_t len;
	char *bytes = read_file(path, &len), *line = bytes, *end = bytes + len;
	uint32_t count = 0;

	while (line < end) {
		char *newline = memchr(line, '\n', (size_t)(end - line)) ?: end;
		size_t line_len = (size_t)(newline - line);
		char source[512];

		if (line_len > 2 && *line == '{') {
			line_len -= line[line_len - 1] == ',';
			snprintf(source, sizeof(source), "%s #%u", path, ++count);
			*leaves += check(source, line, line_len);
		}
		line = newline + 1;
	}
	free(bytes);
	return count;
}

static uint32_t check_fixture_file(const char *path, uint32_t *leaves)
{
	return check_lines(path, leaves, check_payload);
}

static uint32_t check_fetched_file(const char *path, uint32_t *leaves)
{
	return check_lines(path, leaves, check_fetched);
}

static uint32_t check_shared_file(const char *path, uint32_t *leaves)
{
	size_t len;
	char *bytes = read_file(path, &len);

	*leaves += check_payload(path, bytes, len);
	free(bytes);
	return 1;
}

/* All .json of a folder; -1 when there is no such folder. */
static int check_folder(const char *folder, uint32_t (*check_file)(const char *path, uint32_t *leaves))
{
	DIR *dir = opendir(folder);
	uint32_t count = 0, leaves = 0;
	struct dirent *entry;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');
		char path[512];

		if (!dot || strcmp(dot, ".json") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		count += check_file(path, &leaves);
	}
	closedir(dir);
	print_message("%s: %u payloads, %u leaves equal, cut at every byte\n", folder, count, leaves);
	return (int)count;
}

static void test_fixtures(void **state)
{
	(void)state;
	assert_true(check_folder(FETCHED, check_fetched_file) > 0);
	assert_true(check_folder(FIXTURES, check_fixture_file) >= SHOAL_EVENT_COUNT - 2);
	for (unsigned type = SHOAL_EVENT_UNKNOWN + 1; type < SHOAL_EVENT_COUNT; type++)
		CHECK(event_seen[type], "no fixture of %s\n", shoal_event_name((enum shoal_event_type)type));
	for (size_t i = 0; i < TABLE_COUNT; i++)
		for (uint32_t j = 0; j < tables[i]->count; j++)
			CHECK(filled[i] >> j & 1, "no fixture fills %s.%.*s\n", tables[i]->name,
			      tables[i]->fields[j].name_len, tables[i]->fields[j].name);
}

static void test_shared_payloads(void **state)
{
	(void)state;
	if (check_folder(SHARED, check_shared_file) < 0) {
		print_message("SKIPPED: %s is not there; the fixtures of %s were checked\n", SHARED, FIXTURES);
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
		cmocka_unit_test(test_shared_payloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
