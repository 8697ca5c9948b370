/* SPDX-License-Identifier: MIT */
/* The HTTP upgrade. Run by the transport once a connection. The answer comes from whoever answered on that address:
 * bounded, checked line by line, and shown in an error only as printable text. */
#include "shard/gateway/upgrade.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 section 1.3 */

void upgrade_init(struct upgrade *upgrade, const uint8_t nonce[16])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char text[sizeof(upgrade->key) + sizeof(guid)];
	unsigned int len = 0;

	memset(upgrade, 0, sizeof(*upgrade));
	buf_init(&upgrade->head, UPGRADE_HEAD_MAX + 1); /* and a NUL */
	EVP_EncodeBlock((unsigned char *)upgrade->key, nonce, 16);
	snprintf(text, sizeof(text), "%s%s", upgrade->key, guid);
	/* SHA-1 is what the protocol asks for; it proves that the peer speaks WebSocket and nothing else. When it is
	 * not to be had, accept stays empty and matches no header. */
	if (EVP_Digest(text, strlen(text), digest, &len, EVP_sha1(), NULL) == 1 && len == 20)
		EVP_EncodeBlock((unsigned char *)upgrade->accept, digest, 20);
	ERR_clear_error();
}

void upgrade_finish(struct upgrade *upgrade)
{
	buf_finish(&upgrade->head);
}

int upgrade_request(const struct upgrade *upgrade, const struct url *url, const char *user_agent, struct buf *out)
{
	char authority[URL_HOST_SIZE + 16];
	int r;

	r = url_authority(url, authority, sizeof(authority));
	if (r < 0)
		return r;
	return buf_printf(out,
			  "GET %s HTTP/1.1\r\n"
			  "Host: %s\r\n"
			  "User-Agent: %s\r\n"
			  "Upgrade: websocket\r\n"
			  "Connection: Upgrade\r\n"
			  "Sec-WebSocket-Key: %s\r\n"
			  "Sec-WebSocket-Version: 13\r\n\r\n",
			  url->target, authority, user_agent, upgrade->key);
}

/* What the head of the answer said. */
struct answer {
	int status;
	bool upgrade, connection, accept, extra;
	unsigned int accepts;
	long content_length; /* -1: not said */
};

static bool has_token(const char *value, const char *token)
{
	size_t len = strlen(token);

	while (*value) {
		size_t part;

		value += strspn(value, " \t,");
		part = strcspn(value, ",");
		while (part && (value[part - 1] == ' ' || value[part - 1] == '\t'))
			part--;
		if (part == len && !strncasecmp(value, token, len))
			return true;
		value += strcspn(value, ",");
	}
	return false;
}

static void read_header(const struct upgrade *upgrade, const char *name, const char *value, struct answer *answer)
{
	if (!strcasecmp(name, "upgrade")) {
		answer->upgrade = has_token(value, "websocket");
	} else if (!strcasecmp(name, "connection")) {
		answer->connection |= has_token(value, "upgrade");
	} else if (!strcasecmp(name, "sec-websocket-accept")) {
		answer->accepts++;
		answer->accept = !strcmp(value, upgrade->accept);
	} else if (!strcasecmp(name, "sec-websocket-extensions") || !strcasecmp(name, "sec-websocket-protocol")) {
		answer->extra = true; /* we asked for neither */
	} else if (!strcasecmp(name, "content-length") && isdigit((unsigned char)*value)) {
		answer->content_length = strtol(value, NULL, 10);
	}
}

static int read_status_line(const char *line)
{
	if (strncmp(line, "HTTP/1.", 7) || !isdigit((unsigned char)line[7]) || line[8] != ' ')
		return 0;
	for (int i = 9; i < 12; i++) {
		if (!isdigit((unsigned char)line[i]))
			return 0;
	}
	if (line[12] && line[12] != ' ')
		return 0;
	return atoi(line + 9);
}

/* Cuts the next line off *text, without its end. NULL at the empty line. */
static char *next_line(char **text)
{
	char *line = *text, *end = strstr(line, "\r\n");

	if (!end || end == line)
		return NULL;
	*end = '\0';
	*text = end + 2;
	return line;
}

/* @head: a whole head as a string. False: that is no HTTP. */
static bool read_head(const struct upgrade *upgrade, char *head, struct answer *answer)
{
	char *line = next_line(&head);

	*answer = (struct answer){ .content_length = -1 };
	if (!line)
		return false;
	answer->status = read_status_line(line);
	if (!answer->status)
		return false;
	while ((line = next_line(&head))) {
		char *colon = strchr(line, ':'), *value;
		size_t len;

		/* A folded line (7230, 3.2.4) or a name with blanks: nobody sends that in good faith. */
		if (!colon || colon == line || strcspn(line, " \t") < (size_t)(colon - line))
			return false;
		*colon = '\0';
		value = colon + 1 + strspn(colon + 1, " \t");
		len = strlen(value);
		while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
			value[--len] = '\0';
		read_header(upgrade, line, value, answer);
	}
	return true;
}

static enum upgrade_result refuse(struct upgrade *upgrade, const char *why)
{
	upgrade->refused = true;
	upgrade->body_left = 0;
	snprintf(upgrade->snippet, sizeof(upgrade->snippet), "%s", why);
	upgrade->snippet_len = strlen(upgrade->snippet);
	return UPGRADE_REFUSED;
}

/* The head is whole: decide. */
static enum upgrade_result judge(struct upgrade *upgrade)
{
	struct answer answer;
	const char *head;

	if (memchr(upgrade->head.data, '\0', upgrade->head.len))
		return refuse(upgrade, "the answer is no HTTP");
	head = buf_cstr(&upgrade->head);
	if (!head)
		return refuse(upgrade, "out of memory");
	if (!read_head(upgrade, upgrade->head.data, &answer))
		return refuse(upgrade, "the answer is no HTTP");
	upgrade->status = answer.status;
	if (answer.status != 101) {
		upgrade->refused = true;
		upgrade->body_left = UPGRADE_SNIPPET_MAX;
		if (answer.content_length >= 0 && answer.content_length < UPGRADE_SNIPPET_MAX)
			upgrade->body_left = (size_t)answer.content_length;
		return UPGRADE_MORE;
	}
	if (!answer.upgrade || !answer.connection)
		return refuse(upgrade, "101 without Upgrade: websocket and Connection: Upgrade");
	if (!answer.accept || answer.accepts != 1)
		return refuse(upgrade, "101 with a wrong Sec-WebSocket-Accept");
	if (answer.extra)
		return refuse(upgrade, "101 with an extension or protocol that was not asked for");
	return UPGRADE_DONE;
}

static enum upgrade_result gather_body(struct upgrade *upgrade, char **bytes, size_t *len)
{
	size_t take = *len < upgrade->body_left ? *len : upgrade->body_left;

	memcpy(upgrade->snippet + upgrade->snippet_len, *bytes, take);
	upgrade->snippet_len += take;
	upgrade->body_left -= take;
	*bytes += take;
	*len -= take;
	return upgrade->body_left ? UPGRADE_MORE : UPGRADE_REFUSED;
}

/* Where the head ends in @head, which was @before bytes long before it grew; 0: not yet. */
static size_t head_end(const struct buf *head, size_t before)
{
	size_t from = before > 3 ? before - 3 : 0;
	const char *end = memmem(head->data + from, head->len - from, "\r\n\r\n", 4);

	return end ? (size_t)(end - head->data) + 4 : 0;
}

enum upgrade_result upgrade_feed(struct upgrade *upgrade, char **bytes, size_t *len)
{
	size_t before = upgrade->head.len, room = UPGRADE_HEAD_MAX - before, take, end;
	enum upgrade_result result;

	if (upgrade->refused)
		return gather_body(upgrade, bytes, len);
	take = *len < room ? *len : room;
	if (!take)
		return UPGRADE_MORE;
	if (buf_append(&upgrade->head, *bytes, take) < 0)
		return refuse(upgrade, "out of memory");
	/* What can't begin an HTTP answer is refused at once, not when its end fails to come. */
	if (memcmp(upgrade->head.data, "HTTP/1.", upgrade->head.len < 7 ? upgrade->head.len : 7) != 0)
		return refuse(upgrade, "the answer is no HTTP");
	end = head_end(&upgrade->head, before);
	if (!end) {
		*bytes += take;
		*len -= take;
		return upgrade->head.len < UPGRADE_HEAD_MAX ? UPGRADE_MORE
							    : refuse(upgrade, "the answer's head is too long");
	}
	*bytes += end - before;
	*len -= end - before;
	upgrade->head.len = end;
	result = judge(upgrade);
	if (result == UPGRADE_MORE)
		return gather_body(upgrade, bytes, len);
	return result;
}

bool upgrade_has_status(const struct upgrade *upgrade)
{
	return upgrade->refused;
}

void upgrade_text(const struct upgrade *upgrade, char text[UPGRADE_TEXT_SIZE])
{
	char shown[UPGRADE_SNIPPET_MAX + 1];
	size_t n = 0;

	for (size_t i = 0; i < upgrade->snippet_len; i++) {
		unsigned char c = (unsigned char)upgrade->snippet[i];

		shown[n++] = c >= ' ' && c < 0x7F ? (char)c : c == '\n' || c == '\r' || c == '\t' ? ' ' : '?';
	}
	shown[n] = '\0';
	if (upgrade->status)
		snprintf(text, UPGRADE_TEXT_SIZE, "HTTP %d%s%s", upgrade->status, n ? ": " : "", shown);
	else
		snprintf(text, UPGRADE_TEXT_SIZE, "%s", n ? shown : "the answer is no HTTP");
}
