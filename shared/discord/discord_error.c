/* Discord's error bodies. Run by the REST client for every answer that is no success; must survive any JSON value in
 * any place, any depth, any text. */
#include "shared/discord/discord_error.h"

#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/phrases/phrases.h"

#define DEPTH_MAX 12

/* What a member is told: a row a code, or a status where the code says nothing. */
static const struct {
	uint32_t code;
	const struct shoal_phrase *phrase;
} code_rows[] = {
#define C(code, ...) { code, &phrase_DISCORD_CODE_##code },
	DISCORD_CODE_PHRASES(C)
#undef C
};

static const struct {
	uint32_t from, to;
	const struct shoal_phrase *phrase;
} status_rows[] = {
	{ 400, 400, &phrase_DISCORD_400 }, { 401, 401, &phrase_DISCORD_401 }, { 403, 403, &phrase_DISCORD_403 },
	{ 404, 404, &phrase_DISCORD_404 }, { 429, 429, &phrase_DISCORD_429 }, { 500, 599, &phrase_DISCORD_500 },
};

/* Of the codes those that come of a mistake of ours: answered already, nothing in it, a form that is none. */
static const uint32_t our_codes[] = { 40060, 50006, 50035 };

const struct shoal_phrase *discord_error_phrase(uint32_t http_status, uint32_t code)
{
	for (size_t i = 0; code && i < ARRAY_SIZE(code_rows); i++)
		if (code_rows[i].code == code)
			return code_rows[i].phrase;
	for (size_t i = 0; i < ARRAY_SIZE(status_rows); i++)
		if (http_status >= status_rows[i].from && http_status <= status_rows[i].to)
			return status_rows[i].phrase;
	return &phrase_DISCORD_UNREACHABLE;
}

bool discord_error_is_unexpected(uint32_t http_status, uint32_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(our_codes); i++)
		if (our_codes[i] == code)
			return true;
	for (size_t i = 0; code && i < ARRAY_SIZE(code_rows); i++)
		if (code_rows[i].code == code)
			return false;
	if (http_status == 403 || http_status == 404)
		return code != 0; /* refused for a reason that nobody here knows */
	return http_status >= 400 && http_status != 429 && http_status < 500;
}

const char *discord_error_words(uint32_t http_status, uint32_t code)
{
	return discord_error_phrase(http_status, code)->text[SHOAL_ENGLISH];
}

void discord_error_mend(char *text)
{
	size_t len = strlen(text), tail = 0;
	unsigned char lead;

	while (tail < len && tail < 4 && ((unsigned char)text[len - tail - 1] & 0xc0) == 0x80)
		tail++;
	if (tail == len)
		return;
	lead = (unsigned char)text[len - tail - 1];
	if (lead >= 0xc0 && tail + 1 < (lead >= 0xf0 ? 4U : lead >= 0xe0 ? 3U : 2U))
		text[len - tail - 1] = '\0';
}

/* Copies outside text: cut at @size on a character's border, control characters become blanks. */
static void take_text(const char *from, char *to, size_t size)
{
	size_t len = 0;

	if (!from)
		from = "";
	for (; from[len] && len + 1 < size; len++) {
		unsigned char c = (unsigned char)from[len];

		to[len] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
	}
	to[len] = '\0';
	discord_error_mend(to);
}

/* Takes the leaf list @list of the node at @path. */
static void take_leaf(const json_t *list, const char *path, struct discord_error *error)
{
	const json_t *leaf;
	size_t i;

	json_array_foreach(list, i, leaf)
	{
		unsigned at = error->field_count;

		if (!json_is_object(leaf))
			continue;
		error->fields_total++;
		if (at == DISCORD_ERROR_FIELDS)
			continue;
		take_text(path, error->fields[at].path, sizeof(error->fields[at].path));
		take_text(json_string_value(json_object_get(leaf, "code")), error->fields[at].code,
			  sizeof(error->fields[at].code));
		take_text(json_string_value(json_object_get(leaf, "message")), error->fields[at].message,
			  sizeof(error->fields[at].message));
		error->field_count++;
	}
}

/* Walks one level; @path is a scratch buffer holding the way so far. */
static void walk(const json_t *node, char *path, size_t path_size, unsigned depth, struct discord_error *error)
{
	size_t len = strlen(path);
	const char *key;
	json_t *value;

	if (depth > DEPTH_MAX || !json_is_object(node))
		return;
	json_object_foreach((json_t *)node, key, value)
	{
		if (strcmp(key, "_errors") == 0) {
			take_leaf(value, path, error);
			continue;
		}
		snprintf(path + len, path_size - len, "%s%s", len ? "." : "", key);
		walk(value, path, path_size, depth + 1, error);
		path[len] = '\0';
	}
}

void discord_error_read(const json_t *body, struct discord_error *ret_error)
{
	const json_t *code = json_object_get(body, "code"), *message = json_object_get(body, "message");
	const json_t *retry_after = json_object_get(body, "retry_after");
	char path[512] = "";

	memset(ret_error, 0, sizeof(*ret_error));
	ret_error->retry_after_s = -1;
	if (!json_is_object(body))
		return;
	if (json_is_number(retry_after) && json_number_value(retry_after) >= 0)
		ret_error->retry_after_s = json_number_value(retry_after);
	ret_error->global = json_is_true(json_object_get(body, "global"));
	/* A 429 may lack the code; an error body without a message is none. */
	if (!json_is_string(message))
		return;
	ret_error->is_discord = true;
	if (json_is_integer(code) && json_integer_value(code) > 0 && json_integer_value(code) <= UINT32_MAX)
		ret_error->code = (uint32_t)json_integer_value(code);
	take_text(json_string_value(message), ret_error->message, sizeof(ret_error->message));
	walk(json_object_get(body, "errors"), path, sizeof(path), 0, ret_error);
}

void discord_error_text(const struct discord_error *error, uint32_t http_status, char *text, size_t size)
{
	size_t len;

	if (!error->is_discord) {
		snprintf(text, size, "HTTP %u without Discord's error body", http_status);
		return;
	}
	snprintf(text, size, "%u %s", error->code, error->message[0] ? error->message : "(no message)");
	for (unsigned i = 0; i < error->field_count; i++) {
		len = strlen(text);
		snprintf(text + len, size - len, "%s%s%s%s", i ? "; " : ": ", error->fields[i].path,
			 error->fields[i].path[0] ? ": " : "",
			 error->fields[i].message[0] ? error->fields[i].message : error->fields[i].code);
	}
	len = strlen(text);
	if (error->fields_total > error->field_count)
		snprintf(text + len, size - len, " (and %u more)", error->fields_total - error->field_count);
	discord_error_mend(text);
}
