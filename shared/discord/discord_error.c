/* Discord's error bodies. Run by the REST client for every answer that is no success; must survive any JSON value in
 * any place, any depth, any text. */
#include "shared/discord/discord_error.h"

#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"

#define DEPTH_MAX 12

/* What a member is told. A row a code, or a status where the code says nothing. */
static const struct words_row {
	uint32_t code;
	const char *words;
} words_rows[] = {
	{ 10003, "That channel does not exist any more." },
	{ 10004, "I am not in that server." },
	{ 10007, "That member is not in this server." },
	{ 10008, "That message does not exist any more." },
	{ 10011, "That role does not exist any more." },
	{ 10013, "I can't find that user." },
	{ 10014, "I can't use that emoji." },
	{ 10015, "That webhook does not exist any more." },
	{ 10026, "That user is not banned." },
	{ 10062, "That took too long; please try again." },
	{ 10063, "That command does not exist any more." },
	{ 20016, "Slow mode is on in this channel; please try again in a moment." },
	{ 20022, "This announcement can't be edited again so soon." },
	{ 20028, "This channel is being written to too fast; please try again in a moment." },
	{ 20029, "This server is being written to too fast; please try again in a moment." },
	{ 30003, "This channel has no room for more pinned messages." },
	{ 30005, "This server has as many roles as Discord allows." },
	{ 30007, "This channel has as many webhooks as Discord allows." },
	{ 30010, "This message has as many reactions as Discord allows." },
	{ 30013, "This server has as many channels as Discord allows." },
	{ 30034, "Too many commands were registered today; please try again tomorrow." },
	{ 30046, "Messages older than an hour can't be edited that often; please try again later." },
	{ 30060, "This channel has as many permission rules as Discord allows." },
	{ 40003, "Direct messages are being opened too fast; please try again later." },
	{ 40005, "That is too large for Discord." },
	{ 40060, "That was answered already." },
	{ 40062, "Discord is busy; please try again in a moment." },
	{ 40094, "Discord allows no more answers here." },
	{ 50001, "I can't see that channel." },
	{ 50003, "That does not work in direct messages." },
	{ 50005, "I can only edit my own messages." },
	{ 50006, "There is nothing to send." },
	{ 50007, "That user does not accept direct messages." },
	{ 50008, "That does not work in this kind of channel." },
	{ 50013, "I lack a permission for that, or that member ranks above me." },
	{ 50016, "That many messages can't be deleted at once." },
	{ 50021, "That does not work on a system message." },
	{ 50024, "That does not work in this kind of channel." },
	{ 50027, "That took too long; please try again." },
	{ 50034, "Messages older than two weeks can't be deleted together." },
	{ 50035, "Discord did not accept what I tried to send." },
	{ 50083, "This thread is archived." },
	{ 50278, "I share no server with that user." },
	{ 60003, "This server demands two-factor authentication of my owner for that." },
	{ 90001, "That member has blocked my reactions." },
	{ 110000, "Discord is still indexing this server; please try again later." },
	{ 130000, "Discord is overloaded; please try again in a moment." },
	{ 160002, "I can't reply there: I may not read the channel's history." },
	{ 160005, "This thread is locked." },
	{ 200000, "The server's AutoMod blocked that." },
	{ 200001, "The server's AutoMod blocked that." },
	{ 240000, "Discord considers a link in that harmful." },
	{ 500000, "None of these users could be banned." },
	{ 520001, "That poll is over." },
};

static const struct status_row {
	uint32_t from, to;
	const char *words;
} status_rows[] = {
	{ 400, 400, "Discord did not accept what I tried to send." },
	{ 401, 401, "Discord does not let me in at the moment; my owner has been told." },
	{ 403, 403, "I lack a permission for that." },
	{ 404, 404, "That does not exist any more." },
	{ 429, 429, "Discord asks me to slow down; please try again in a moment." },
	{ 500, 599, "Discord has trouble at the moment; please try again." },
};

const char *discord_error_words(uint32_t http_status, uint32_t code)
{
	for (size_t i = 0; code && i < ARRAY_SIZE(words_rows); i++)
		if (words_rows[i].code == code)
			return words_rows[i].words;
	for (size_t i = 0; i < ARRAY_SIZE(status_rows); i++)
		if (http_status >= status_rows[i].from && http_status <= status_rows[i].to)
			return status_rows[i].words;
	return "Discord can't be reached at the moment; please try again.";
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
