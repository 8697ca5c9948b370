/* Payload builders: exact bodies, every limit on both sides, text that is no UTF-8; and each body once over the wire by
 * the client itself. With SHOAL_TEST_REST_RECORD=FILE what arrived is written there, a request a line, for the judge of
 * requests (tests/integration/test_rest_bodies.py). */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/discord/payload.h"
#include "shared/discord/rest.h"
#include "shared/log/log.h"
#include "tests/unit/http_stub.h"

static char error[PAYLOAD_ERROR_SIZE];

/* @count times @unit. */
static char *repeat(const char *unit, size_t count)
{
	size_t len = strlen(unit);
	char *text = malloc(len * count + 1);

	for (size_t i = 0; i < count; i++)
		memcpy(text + i * len, unit, len);
	text[len * count] = '\0';
	return text;
}

static void expect(enum payload_kind kind, struct payload_message message, const char *json)
{
	json_auto_t *body = NULL;
	CLEANUP(cleanup_free) char *text = NULL;

	assert_int_equal(payload_message(kind, &message, error, &body), 0);
	text = json_dumps(body, JSON_COMPACT);
	assert_string_equal(text, json);
}

static void refuse(enum payload_kind kind, struct payload_message message, int code, const char *words)
{
	json_t *body = NULL;

	memset(error, 'x', sizeof(error));
	assert_int_equal(payload_message(kind, &message, error, &body), code);
	assert_null(body);
	assert_non_null(memchr(error, '\0', sizeof(error)));
	if (!strstr(error, words))
		fail_msg("\"%s\" does not say \"%s\"", error, words);
}

static void test_bodies(void **state)
{
	uint64_t users[] = { 1532916026835075073ULL, UINT64_MAX }, roles[] = { 3 };
	json_auto_t *embeds = json_pack("[{s:s}]", "title", "t"), *none = json_array();

	(void)state;
	expect(PAYLOAD_CREATE, (struct payload_message){ .content = "hi" },
	       "{\"content\":\"hi\",\"allowed_mentions\":{\"parse\":[]}}");
	expect(PAYLOAD_CREATE,
	       (struct payload_message){ .content = "\"\\\n\x01</script>",
					 .reply_to = 5,
					 .nonce = "n",
					 .flags = PAYLOAD_SUPPRESS_EMBEDS },
	       "{\"content\":\"\\\"\\\\\\n\\u0001</script>\",\"flags\":4,\"allowed_mentions\":{\"parse\":[],"
	       "\"replied_user\":false},\"nonce\":\"n\",\"enforce_nonce\":true,\"message_reference\":{\"message_id\":"
	       "\"5\",\"fail_if_not_exists\":false}}");
	expect(PAYLOAD_CREATE,
	       (struct payload_message){
		       .embeds = embeds,
		       .mentions = { .users = users, .user_count = 2, .roles = roles, .role_count = 1 } },
	       "{\"embeds\":[{\"title\":\"t\"}],\"allowed_mentions\":{\"parse\":[],\"users\":[\"1532916026835075073\","
	       "\"18446744073709551615\"],\"roles\":[\"3\"]}}");
	expect(PAYLOAD_CREATE,
	       (struct payload_message){
		       .content = "x",
		       .reply_to = 1,
		       .reply_required = true,
		       .mentions = { .everyone = true, .all_users = true, .all_roles = true, .replied_user = true } },
	       "{\"content\":\"x\",\"allowed_mentions\":{\"parse\":[\"everyone\",\"users\",\"roles\"],\"replied_user\":"
	       "true},"
	       "\"message_reference\":{\"message_id\":\"1\",\"fail_if_not_exists\":true}}");
	/* an edit: what is not said stays, what is empty is cleared, mentions are said again */
	expect(PAYLOAD_EDIT, (struct payload_message){ 0 }, "{\"allowed_mentions\":{\"parse\":[]}}");
	expect(PAYLOAD_ORIGINAL, (struct payload_message){ .content = "", .embeds = none, .flags = PAYLOAD_EPHEMERAL },
	       "{\"content\":null,\"embeds\":[],\"allowed_mentions\":{\"parse\":[]}}");
	expect(PAYLOAD_FOLLOWUP, (struct payload_message){ .content = "x", .flags = PAYLOAD_EPHEMERAL },
	       "{\"content\":\"x\",\"flags\":64,\"allowed_mentions\":{\"parse\":[]}}");
}

static void test_units(void **state)
{
	static const struct {
		const char *text;
		ssize_t units;
	} rows[] = {
		{ "", 0 },
		{ "abc", 3 },
		{ "\xd7\xa9\xd7\x9c", 2 },
		{ "\xe2\x82\xac", 1 },
		{ "\xf0\x9f\x91\x8b", 2 },
		{ "\xf4\x8f\xbf\xbf", 2 },
		{ "\xc0\x80", -EILSEQ },         /* overlong */
		{ "\xe0\x80\x80", -EILSEQ },     /* overlong */
		{ "\xed\xa0\x80", -EILSEQ },     /* a surrogate */
		{ "\xf4\x90\x80\x80", -EILSEQ }, /* above the last character */
		{ "\xf8\x88\x80\x80\x80", -EILSEQ },
		{ "a\x80", -EILSEQ },
		{ "\xe2\x82", -EILSEQ }, /* cut */
		{ "\xf0\x9f\x91", -EILSEQ },
		{ "\xff", -EILSEQ },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(payload_units(rows[i].text, strlen(rows[i].text)), rows[i].units);
	assert_int_equal(payload_units("a\0b", 3), 3);
}

static void test_clip(void **state)
{
	static const struct {
		const char *text;
		size_t max;
		const char *clipped;
	} rows[] = {
		{ "", 5, "" },
		{ "abc", 3, "abc" },
		{ "abcd", 3, "ab\xe2\x80\xa6" },
		{ "abcd", 1, "\xe2\x80\xa6" },
		{ "abcd", 0, "" },
		/* a character of two units is kept whole or not at all */
		{ "a\xf0\x9f\x91\x8b", 3, "a\xf0\x9f\x91\x8b" },
		{ "a\xf0\x9f\x91\x8b", 2, "a\xe2\x80\xa6" },
		{ "a\xf0\x9f\x91\x8b\x62", 3, "a\xe2\x80\xa6" },
		/* bytes that are no UTF-8 */
		{ "a\xff\xc0", 5, "a\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xff\xff\xff", 2, "\xef\xbf\xbd\xe2\x80\xa6" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(cleanup_free) char *clipped = payload_clip(rows[i].text, rows[i].max);

		assert_string_equal(clipped, rows[i].clipped);
		assert_in_range(payload_units(clipped, strlen(clipped)), 0, (ssize_t)rows[i].max);
	}
}

static void test_nonce(void **state)
{
	char nonce[PAYLOAD_NONCE_SIZE], other[PAYLOAD_NONCE_SIZE];

	(void)state;
	payload_nonce(UINT64_MAX, UINT32_MAX, nonce);
	assert_string_equal(nonce, "3w5e11264sgsf.1z141z3");
	assert_true(strlen(nonce) <= PAYLOAD_NONCE_MAX);
	payload_nonce(0, 0, nonce);
	assert_string_equal(nonce, "0.0");
	payload_nonce(36, 1, nonce);
	payload_nonce(36, 1, other);
	assert_string_equal(nonce, other);
	payload_nonce(1, 36, other);
	assert_string_not_equal(nonce, other);
}

static void test_content_limits(void **state)
{
	CLEANUP(cleanup_free) char *fits = repeat("\xf0\x9f\x91\x8b", 1000);
	CLEANUP(cleanup_free) char *over = repeat("a", 2001);
	CLEANUP(cleanup_free) char *nonce = repeat("n", 26);
	json_t *body = NULL;

	(void)state;
	assert_int_equal(payload_message(PAYLOAD_CREATE, &(struct payload_message){ .content = fits }, error, &body),
			 0);
	json_decref(body);
	refuse(PAYLOAD_CREATE, (struct payload_message){ .content = over }, -E2BIG, "content has 2001");
	refuse(PAYLOAD_ORIGINAL, (struct payload_message){ .content = over }, -E2BIG, "2000");
	refuse(PAYLOAD_CREATE, (struct payload_message){ .content = "\xff" }, -EILSEQ, "content");
	refuse(PAYLOAD_CREATE, (struct payload_message){ .content = "x", .nonce = nonce }, -E2BIG, "nonce");
	refuse(PAYLOAD_CREATE, (struct payload_message){ .content = "x", .nonce = "" }, -EINVAL, "nonce is empty");
	refuse(PAYLOAD_CREATE, (struct payload_message){ .content = "" }, -EINVAL, "nothing to send");
	refuse(PAYLOAD_FOLLOWUP, (struct payload_message){ 0 }, -EINVAL, "nothing to send");
}

static void test_places(void **state)
{
	(void)state;
	refuse(PAYLOAD_CREATE, (struct payload_message){ .content = "x", .flags = PAYLOAD_EPHEMERAL }, -EINVAL,
	       "flags");
	refuse(PAYLOAD_EDIT, (struct payload_message){ .content = "x", .flags = PAYLOAD_EPHEMERAL }, -EINVAL, "flags");
	refuse(PAYLOAD_CREATE, (struct payload_message){ .content = "x", .flags = 1u << 30 }, -EINVAL, "flags");
	refuse(PAYLOAD_FOLLOWUP, (struct payload_message){ .content = "x", .nonce = "n" }, -EINVAL, "nonce");
	refuse(PAYLOAD_EDIT, (struct payload_message){ .content = "x", .reply_to = 1 }, -EINVAL, "message_reference");
	refuse((enum payload_kind)9, (struct payload_message){ .content = "x" }, -EINVAL, "kind");
}

static void test_mention_limits(void **state)
{
	uint64_t ids[101] = { 0 };

	(void)state;
	refuse(PAYLOAD_CREATE,
	       (struct payload_message){ .content = "x", .mentions = { .users = ids, .user_count = 101 } }, -E2BIG,
	       "100");
	refuse(PAYLOAD_CREATE,
	       (struct payload_message){ .content = "x", .mentions = { .roles = ids, .role_count = 101 } }, -E2BIG,
	       "100");
	/* Discord answers 400 to all of a kind beside a list of that kind. */
	refuse(PAYLOAD_CREATE,
	       (struct payload_message){ .content = "x",
					 .mentions = { .all_users = true, .users = ids, .user_count = 1 } },
	       -EINVAL, "excludes");
	refuse(PAYLOAD_CREATE,
	       (struct payload_message){ .content = "x",
					 .mentions = { .all_roles = true, .roles = ids, .role_count = 1 } },
	       -EINVAL, "excludes");
}

/* An embed whose @key (of @object) has @units characters, and so on. */
static json_t *embed_of(const char *object, const char *key, size_t units)
{
	CLEANUP(cleanup_free) char *text = repeat("x", units);
	json_t *embed = object ? json_pack("{s:{s:s}}", object, key, text) : json_pack("{s:s}", key, text);

	assert_non_null(embed);
	return embed;
}

static void try_embeds(json_t *embeds, int code, const char *words)
{
	struct payload_message message = { .embeds = embeds };
	json_t *body = NULL;

	if (code < 0) {
		refuse(PAYLOAD_CREATE, message, code, words);
	} else {
		assert_int_equal(payload_message(PAYLOAD_CREATE, &message, error, &body), 0);
		json_decref(body);
	}
	json_decref(embeds);
}

static void test_embed_limits(void **state)
{
	static const struct {
		const char *object, *key;
		size_t max;
	} rows[] = {
		{ NULL, "title", 256 },
		{ NULL, "description", 4096 },
		{ "footer", "text", 2048 },
		{ "author", "name", 256 },
	};
	json_t *embeds;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		try_embeds(json_pack("[o]", embed_of(rows[i].object, rows[i].key, rows[i].max)), 0, NULL);
		try_embeds(json_pack("[o]", embed_of(rows[i].object, rows[i].key, rows[i].max + 1)), -E2BIG,
			   rows[i].key);
	}
	for (size_t over = 0; over < 2; over++) {
		CLEANUP(cleanup_free) char *name = repeat("x", 256 + over), *value = repeat("x", 1024 + over);

		try_embeds(json_pack("[{s:[{s:s,s:s}]}]", "fields", "name", name, "value", "v"), over ? -E2BIG : 0,
			   "name");
		try_embeds(json_pack("[{s:[{s:s,s:s}]}]", "fields", "name", "n", "value", value), over ? -E2BIG : 0,
			   "value");
		/* 25 fields, 10 embeds, 6000 characters in all of them together */
		embeds = json_pack("[{s:[]}]", "fields");
		for (size_t i = 0; i < 25 + over; i++)
			json_array_append_new(json_object_get(json_array_get(embeds, 0), "fields"),
					      json_pack("{s:s,s:s}", "name", "n", "value", "v"));
		try_embeds(embeds, over ? -E2BIG : 0, "fields");
		embeds = json_array();
		for (size_t i = 0; i < 10 + over; i++)
			json_array_append_new(embeds, embed_of(NULL, "title", 1));
		try_embeds(embeds, over ? -E2BIG : 0, "embeds");
		try_embeds(json_pack("[oo]", embed_of(NULL, "description", 3000),
				     embed_of(NULL, "description", 3000 + over)),
			   over ? -E2BIG : 0, "6000");
	}
	try_embeds(json_pack("{}"), -EINVAL, "no array");
	try_embeds(json_pack("[s]", "x"), -EINVAL, "no object");
	try_embeds(json_pack("[{s:i}]", "fields", 5), -EINVAL, "no array");
}

static void try_components(json_t *components, uint32_t flags, int code, const char *words)
{
	struct payload_message message = { .components = components, .flags = flags };
	json_t *body = NULL;

	if (code < 0) {
		refuse(PAYLOAD_CREATE, message, code, words);
	} else {
		assert_int_equal(payload_message(PAYLOAD_CREATE, &message, error, &body), 0);
		json_decref(body);
	}
	json_decref(components);
}

static json_t *button(const char *custom_id)
{
	return json_pack("{s:i,s:i,s:s,s:s}", "type", 2, "style", 1, "label", "ok", "custom_id", custom_id);
}

/* @count times an action row of @width buttons. */
static json_t *rows_of(size_t count, size_t width)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *row = json_pack("{s:i,s:[]}", "type", 1, "components");

		for (size_t j = 0; j < width; j++) {
			char id[16];

			snprintf(id, sizeof(id), "b%zu.%zu", i, j);
			json_array_append_new(json_object_get(row, "components"), button(id));
		}
		json_array_append_new(rows, row);
	}
	return rows;
}

static void test_component_limits(void **state)
{
	CLEANUP(cleanup_free) char *id = repeat("i", 101), *text = repeat("x", 4000);
	json_t *components;

	(void)state;
	try_components(rows_of(5, 5), 0, 0, NULL);
	try_components(rows_of(6, 1), 0, -E2BIG, "components");
	try_components(rows_of(1, 6), 0, -E2BIG, "action row");
	try_components(json_pack("[{s:i,s:[]}]", "type", 1, "components"), 0, -EINVAL, "action row");
	try_components(json_pack("[{s:i,s:[o]}]", "type", 1, "components", button(id)), 0, -E2BIG, "custom_id");
	try_components(json_pack("[{s:i,s:[o]}]", "type", 1, "components", button("")), 0, -EINVAL, "custom_id");
	try_components(json_pack("[{}]"), 0, -EINVAL, "type");
	try_components(json_pack("[i]", 1), 0, -EINVAL, "type");
	/* v2: 40 with nested ones, 4000 characters of text, bytes that Discord answers with 500 */
	try_components(rows_of(20, 1), PAYLOAD_COMPONENTS_V2, 0, NULL);
	try_components(rows_of(20, 2), PAYLOAD_COMPONENTS_V2, -E2BIG, "60 components");
	try_components(json_pack("[{s:i,s:s}]", "type", 10, "content", text), PAYLOAD_COMPONENTS_V2, 0, NULL);
	try_components(json_pack("[{s:i,s:s},{s:i,s:s}]", "type", 10, "content", text, "type", 10, "content", "y"),
		       PAYLOAD_COMPONENTS_V2, -E2BIG, "4001");
	{
		CLEANUP(cleanup_free) char *wide = repeat("\xe2\x82\xac", 3500);

		try_components(json_pack("[{s:i,s:s}]", "type", 10, "content", wide), PAYLOAD_COMPONENTS_V2, -E2BIG,
			       "10512");
	}
	/* an accessory counts and is looked at */
	try_components(json_pack("[{s:i,s:[{s:i,s:s}],s:o}]", "type", 9, "components", "type", 10, "content", "x",
				 "accessory", button("")),
		       PAYLOAD_COMPONENTS_V2, -EINVAL, "custom_id");
	/* endless nesting */
	components = json_pack("{s:i,s:s}", "type", 10, "content", "x");
	for (int i = 0; i < 50; i++)
		components = json_pack("{s:i,s:[o]}", "type", 17, "components", components);
	try_components(json_pack("[o]", components), PAYLOAD_COMPONENTS_V2, -E2BIG, "deep");
	{
		json_auto_t *rows = rows_of(1, 1);

		refuse(PAYLOAD_CREATE,
		       (struct payload_message){ .content = "x", .components = rows, .flags = PAYLOAD_COMPONENTS_V2 },
		       -EINVAL, "exclude");
	}
}

/* --- interactions ----------------------------------------------------------------------------------------------------
 */

static void same(json_t *body, const char *json)
{
	CLEANUP(cleanup_free) char *text = json_dumps(body, JSON_COMPACT);

	assert_string_equal(text, json);
	json_decref(body);
}

static void test_callbacks(void **state)
{
	struct payload_message message = { .content = "pong", .flags = PAYLOAD_EPHEMERAL };
	json_t *body = NULL;

	(void)state;
	assert_int_equal(payload_interaction_message(&message, false, error, &body), 0);
	same(body, "{\"type\":4,\"data\":{\"content\":\"pong\",\"flags\":64,\"allowed_mentions\":{\"parse\":[]}}}");
	assert_int_equal(payload_interaction_message(&message, true, error, &body), 0);
	same(body, "{\"type\":7,\"data\":{\"content\":\"pong\",\"allowed_mentions\":{\"parse\":[]}}}");
	assert_int_equal(payload_interaction_defer(false, false, &body), 0);
	same(body, "{\"type\":5}");
	assert_int_equal(payload_interaction_defer(true, false, &body), 0);
	same(body, "{\"type\":5,\"data\":{\"flags\":64}}");
	assert_int_equal(payload_interaction_defer(true, true, &body), 0);
	same(body, "{\"type\":6}");
	body = NULL;
	message.content = "";
	assert_int_equal(payload_interaction_message(&message, false, error, &body), -EINVAL);
	message = (struct payload_message){ .content = "x", .nonce = "n" };
	assert_int_equal(payload_interaction_message(&message, false, error, &body), -EINVAL);
	assert_null(body);
}

static void test_choices(void **state)
{
	CLEANUP(cleanup_free) char *over = repeat("x", 101);
	json_auto_t *choices = json_array();
	json_t *body = NULL, *bad;

	(void)state;
	json_array_append_new(choices, json_pack("{s:s,s:s}", "name", "a", "value", "1"));
	json_array_append_new(choices, json_pack("{s:s,s:i}", "name", "b", "value", 2));
	assert_int_equal(payload_interaction_choices(choices, error, &body), 0);
	same(body,
	     "{\"type\":8,\"data\":{\"choices\":[{\"name\":\"a\",\"value\":\"1\"},{\"name\":\"b\",\"value\":2}]}}");
	body = NULL;
	{
		json_t *const bads[] = {
			json_pack("[{s:s,s:s}]", "name", "", "value", "1"),
			json_pack("[{s:s,s:s}]", "name", over, "value", "1"),
			json_pack("[{s:s,s:s}]", "name", "a", "value", over),
			json_pack("[{s:s}]", "name", "a"),
			json_pack("[{s:s}]", "value", "a"),
			json_pack("[i]", 5),
			json_pack("{}"),
		};

		for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
			assert_true(payload_interaction_choices(bads[i], error, &body) < 0);
			assert_null(body);
			json_decref(bads[i]);
		}
	}
	while (json_array_size(choices) < 26)
		json_array_append_new(choices, json_pack("{s:s,s:s}", "name", "a", "value", "1"));
	bad = NULL;
	assert_int_equal(payload_interaction_choices(choices, error, &bad), -E2BIG);
	assert_null(bad);
}

static json_t *modal_rows(size_t count)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < count; i++) {
		char id[16];

		snprintf(id, sizeof(id), "in%zu", i);
		json_array_append_new(rows, json_pack("{s:i,s:s,s:{s:i,s:i,s:s}}", "type", 18, "label", "Why",
						      "component", "type", 4, "style", 1, "custom_id", id));
	}
	return rows;
}

static void test_modal(void **state)
{
	CLEANUP(cleanup_free) char *title = repeat("t", 46), *id = repeat("i", 101);
	json_auto_t *one = modal_rows(1), *six = modal_rows(6), *none = json_array();
	json_t *body = NULL;

	(void)state;
	assert_int_equal(payload_interaction_modal("m:1", "Report", one, error, &body), 0);
	same(body, "{\"type\":9,\"data\":{\"custom_id\":\"m:1\",\"title\":\"Report\",\"components\":[{\"type\":18,"
		   "\"label\":\"Why\",\"component\":{\"type\":4,\"style\":1,\"custom_id\":\"in0\"}}]}}");
	body = NULL;
	assert_int_equal(payload_interaction_modal("", "Report", one, error, &body), -EINVAL);
	assert_int_equal(payload_interaction_modal(NULL, "Report", one, error, &body), -EINVAL);
	assert_int_equal(payload_interaction_modal(id, "Report", one, error, &body), -E2BIG);
	assert_int_equal(payload_interaction_modal("m", NULL, one, error, &body), -EINVAL);
	assert_int_equal(payload_interaction_modal("m", title, one, error, &body), -E2BIG);
	assert_int_equal(payload_interaction_modal("m", "t", six, error, &body), -E2BIG);
	assert_int_equal(payload_interaction_modal("m", "t", none, error, &body), -EINVAL);
	assert_int_equal(payload_interaction_modal("m", "t", NULL, error, &body), -EINVAL);
	assert_null(body);
}

/* --- over the wire ---------------------------------------------------------------------------------------------------
 */

static int answers;

static void on_answer(void *arg, const struct rest_result *result)
{
	(void)arg;
	assert_int_equal(result->error, 0);
	answers++;
}

static void on_closed(void *arg)
{
	*(bool *)arg = true;
}

/* Writes what the server saw. Headers as an object, as the judge wants them. */
static void record(const struct stub *stub)
{
	const char *path = getenv("SHOAL_TEST_REST_RECORD");
	FILE *out = path ? fopen(path, "w") : NULL;

	if (!path)
		return;
	assert_non_null(out);
	for (int i = 0; i < stub->request_count; i++) {
		struct stub_request *request = &stub->requests[i];
		json_auto_t *headers = json_object();
		json_auto_t *line = NULL;
		char *rest = request->headers, *header;

		while ((header = strsep(&rest, "\r\n"))) {
			char *colon = strchr(header, ':');

			if (!colon)
				continue;
			*colon = '\0';
			json_object_set_new(headers, header, json_string(colon + 1 + strspn(colon + 1, " ")));
		}
		line = json_pack("{s:s,s:s,s:O,s:s}", "method", request->method, "path", request->path, "headers",
				 headers, "body", request->body);
		assert_non_null(line);
		assert_int_equal(json_dumpf(line, out, JSON_COMPACT), 0);
		fputc('\n', out);
	}
	fclose(out);
}

static json_t *message_body(enum payload_kind kind, struct payload_message message)
{
	json_t *body = NULL;

	assert_int_equal(payload_message(kind, &message, error, &body), 0);
	return body;
}

static json_t *callback_body(struct payload_message message, bool update)
{
	json_t *body = NULL;

	assert_int_equal(payload_interaction_message(&message, update, error, &body), 0);
	return body;
}

static json_t *defer_body(bool ephemeral, bool update)
{
	json_t *body = NULL;

	assert_int_equal(payload_interaction_defer(ephemeral, update, &body), 0);
	return body;
}

static void test_on_the_wire(void **state)
{
	static const struct stub_step step = { STUB_ANSWER, 204, "", "" };
	uint64_t users[] = { 1532916026835075073ULL };
	CLEANUP(cleanup_free) char *full = repeat("\xf0\x9f\x91\x8b", 1000);
	json_auto_t *embeds =
		json_pack("[{s:s,s:s,s:i,s:[{s:s,s:s,s:b}]}]", "title", "Shards", "description", "all well", "color",
			  0x5865f2, "fields", "name", "n", "value", "v", "inline", 1);
	json_auto_t *rows = rows_of(2, 5), *modal = modal_rows(2),
		    *choices = json_pack("[{s:s,s:s}]", "name", "a", "value", "b");
	json_auto_t *v2 = json_pack("[{s:i,s:s},{s:i,s:b,s:i}]", "type", 10, "content", "# Hello", "type", 14,
				    "divider", 1, "spacing", 1);
	json_t *choices_body = NULL, *modal_body = NULL;
	struct rest_options options = { .token = "token" };
	struct stub stub;
	struct loop loop;
	struct rest *rest;
	char base[64];
	bool closed = false;
	int count = 0;

	(void)state;
	assert_int_equal(payload_interaction_choices(choices, error, &choices_body), 0);
	assert_int_equal(payload_interaction_modal("m:1", "Report", modal, error, &modal_body), 0);
	stub_start(&stub);
	stub_script(&stub, &step, 1);
	snprintf(base, sizeof(base), "http://127.0.0.1:%d/api/v10", stub.port);
	options.api_base = base;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(rest_new(&loop, &options, NULL, NULL, NULL, NULL, &rest), 0);
	{
		struct {
			enum route route;
			json_t *body;
		} sends[] = {
			{ ROUTE_CREATE_MESSAGE,
			  message_body(PAYLOAD_CREATE,
				       (struct payload_message){ .content = full, .nonce = "a.1", .reply_to = 7 }) },
			{ ROUTE_CREATE_MESSAGE,
			  message_body(PAYLOAD_CREATE,
				       (struct payload_message){ .embeds = embeds,
								 .components = rows,
								 .nonce = "a.2",
								 .flags = PAYLOAD_SUPPRESS_NOTIFICATIONS,
								 .mentions = { .users = users, .user_count = 1 } }) },
			{ ROUTE_CREATE_MESSAGE,
			  message_body(PAYLOAD_CREATE, (struct payload_message){ .components = v2,
										 .nonce = "a.3",
										 .flags = PAYLOAD_COMPONENTS_V2 }) },
			{ ROUTE_EDIT_MESSAGE,
			  message_body(PAYLOAD_EDIT, (struct payload_message){ .content = "", .embeds = embeds }) },
			{ ROUTE_CREATE_FOLLOWUP,
			  message_body(PAYLOAD_FOLLOWUP, (struct payload_message){ .content = "more \"quoted\"\n",
										   .flags = PAYLOAD_EPHEMERAL }) },
			{ ROUTE_EDIT_ORIGINAL,
			  message_body(PAYLOAD_ORIGINAL, (struct payload_message){ .content = "done" }) },
			{ ROUTE_INTERACTION_CALLBACK,
			  callback_body((struct payload_message){ .content = "pong", .flags = PAYLOAD_EPHEMERAL },
					false) },
			{ ROUTE_INTERACTION_CALLBACK,
			  callback_body((struct payload_message){ .content = "new", .components = rows }, true) },
			{ ROUTE_INTERACTION_CALLBACK, defer_body(false, false) },
			{ ROUTE_INTERACTION_CALLBACK, defer_body(true, false) },
			{ ROUTE_INTERACTION_CALLBACK, defer_body(false, true) },
			{ ROUTE_INTERACTION_CALLBACK, choices_body },
			{ ROUTE_INTERACTION_CALLBACK, modal_body },
		};

		for (size_t i = 0; i < ARRAY_SIZE(sends); i++) {
			CLEANUP(cleanup_free) char *text = json_dumps(sends[i].body, JSON_COMPACT);
			struct rest_request request = { .route = sends[i].route,
							.args = { .ids = { [ROUTE_ID_CHANNEL] = 5,
									   [ROUTE_ID_MESSAGE] = 6,
									   [ROUTE_ID_APPLICATION] = 7,
									   [ROUTE_ID_INTERACTION] = 8 },
								  .token = "tok" },
							.json = sends[i].body };

			answers = 0;
			assert_int_equal(rest_send(rest, &request, on_answer, NULL, NULL), 0);
			while (!answers)
				uv_run(&loop.uv, UV_RUN_ONCE);
			assert_int_equal(stub.request_count, ++count);
			assert_string_equal(stub.requests[count - 1].body, text);
		}
	}
	rest_close(rest, on_closed, &closed);
	while (!closed)
		uv_run(&loop.uv, UV_RUN_ONCE);
	assert_int_equal(loop_finish(&loop), 0);
	record(&stub);
	stub_stop(&stub);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_clip),
		cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_content_limits),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_mention_limits),
		cmocka_unit_test(test_embed_limits),
		cmocka_unit_test(test_component_limits),
		cmocka_unit_test(test_callbacks),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_modal),
		cmocka_unit_test(test_on_the_wire),
	};

	log_setup(&(struct log_options){ .level = LOG_LEVEL_AUDIT, .program = "test_payload", .fd = 2 });
	return cmocka_run_group_tests(tests, NULL, NULL);
}
