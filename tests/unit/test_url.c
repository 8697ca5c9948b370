/* URLs in all the forms in which Discord and operators write them; and the HTTP upgrade, answered in pieces and in
 * lies. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shard/gateway/upgrade.h"
#include "shared/discord/url.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int tls;
		const char *host;
		int port;
		const char *target;
	} good[] = {
		{ "wss://gateway.discord.gg", 1, "gateway.discord.gg", 443, "/" },
		{ "wss://gateway.discord.gg/", 1, "gateway.discord.gg", 443, "/" },
		{ "WSS://Gateway.Discord.GG:8443/x/y?a=b#frag", 1, "gateway.discord.gg", 8443, "/x/y?a=b" },
		{ "ws://127.0.0.1:5000", 0, "127.0.0.1", 5000, "/" },
		{ "ws://[::1]:5000/?v=10", 0, "::1", 5000, "/?v=10" },
		{ "ws://h?v=10", 0, "h", 80, "/?v=10" },
		{ "ws://h#x", 0, "h", 80, "/" },
	};
	static const char *const bad[] = {
		"",
		"h",
		"https://h",
		"wss:/h",
		"wss://",
		"wss:///x",
		"wss://:1/",
		"wss://u@h/",
		"wss://u:p@h",
		"wss://h:",
		"wss://h:x",
		"wss://h:0",
		"wss://h:65536",
		"wss://h:99999999999999999999",
		"wss://h\n/",
		"wss://h /",
		"wss://h/a b",
		"wss://[::1",
		"wss://[g::1]/",
		"wss://h\\x",
		"wss://h/\x7f",
		"wss://h/\xc3\xa4",
		"wss://h:1x/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct url url;

		assert_int_equal(url_parse(good[i].text, &url), 0);
		assert_int_equal(url.tls, good[i].tls);
		assert_string_equal(url.host, good[i].host);
		assert_int_equal(url.port, good[i].port);
		assert_string_equal(url.target, good[i].target);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct url url = { .port = 7 };

		assert_int_equal(url_parse(bad[i], &url), -EINVAL);
		assert_int_equal(url.port, 7);
	}
}

static void test_too_long(void **state)
{
	char text[URL_SIZE + 10], out[URL_SIZE];
	struct url url;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "wss://", 6);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(url_parse(text, &url), -ENAMETOOLONG);
	text[6 + URL_HOST_SIZE - 1] = '\0';
	assert_int_equal(url_parse(text, &url), 0);
	assert_int_equal(url_gateway(text, NULL, NULL, out, 20), -ENAMETOOLONG);
	text[6 + URL_HOST_SIZE - 1] = 'a';
	text[6 + URL_HOST_SIZE] = '\0';
	assert_int_equal(url_parse(text, &url), -ENAMETOOLONG);
	memcpy(text, "wss://h/", 8);
	memset(text + 8, 'b', sizeof(text) - 9);
	text[8 + URL_TARGET_SIZE - 1] = '\0';
	assert_int_equal(url_parse(text, &url), -ENAMETOOLONG);
	text[8 + URL_TARGET_SIZE - 2] = '\0';
	assert_int_equal(url_parse(text, &url), 0);
	/* Long enough by itself, too long with what we add. */
	assert_int_equal(url_gateway(text, NULL, NULL, out, sizeof(out)), -ENAMETOOLONG);
}

static void test_gateway(void **state)
{
	static const struct {
		const char *base, *override, *compress, *want;
	} cases[] = {
		{ "wss://h", NULL, NULL, "wss://h/?v=10&encoding=json" },
		{ "wss://h/", "", NULL, "wss://h/?v=10&encoding=json" },
		{ "wss://h/", NULL, "zlib-stream", "wss://h/?v=10&encoding=json&compress=zlib-stream" },
		{ "wss://h:443", NULL, NULL, "wss://h/?v=10&encoding=json" },
		{ "ws://h:443", NULL, NULL, "ws://h:443/?v=10&encoding=json" },
		{ "wss://h?v=9&encoding=etf&compress=zlib-stream", NULL, "zstd-stream",
		  "wss://h/?v=10&encoding=json&compress=zstd-stream" },
		{ "wss://h/x?key=1&&v=6&w=2", NULL, NULL, "wss://h/x?key=1&w=2&v=10&encoding=json" },
		{ "wss://h/?v=10&vx=1", NULL, NULL, "wss://h/?vx=1&v=10&encoding=json" },
		{ "wss://gateway-us-east1-b.discord.gg", "ws://127.0.0.1:9000", NULL,
		  "ws://127.0.0.1:9000/?v=10&encoding=json" },
		{ "wss://resume.host:1/p?session=a", "ws://[::1]:9000/other?x=1", "zlib-stream",
		  "ws://[::1]:9000/p?session=a&v=10&encoding=json&compress=zlib-stream" },
	};
	char text[URL_SIZE] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(url_gateway(cases[i].base, cases[i].override, cases[i].compress, text, sizeof(text)),
				 0);
		assert_string_equal(text, cases[i].want);
	}
	assert_int_equal(url_gateway("wss://h", "nonsense", NULL, text, sizeof(text)), -EINVAL);
	assert_int_equal(url_gateway("nonsense", "wss://h", NULL, text, sizeof(text)), -EINVAL);
}

/* --- upgrade ----------------------------------------------------------------------------------------------------- */

/* RFC 6455 section 1.3's own example. */
static const uint8_t nonce[16] = "the sample nonce";
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define HEAD   "HTTP/1.1 101 Switching Protocols\r\n"
#define BOTH   "Upgrade: websocket\r\nConnection: Upgrade\r\n"

static void test_request(void **state)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	struct upgrade upgrade;
	struct url url;

	(void)state;
	buf_init(&out, 4096);
	upgrade_init(&upgrade, nonce);
	assert_string_equal(upgrade.key, "dGhlIHNhbXBsZSBub25jZQ==");
	assert_string_equal(upgrade.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	assert_int_equal(url_parse("wss://h:8443/?v=10", &url), 0);
	assert_int_equal(upgrade_request(&upgrade, &url, "shoal/1", &out), 0);
	assert_string_equal(buf_cstr(&out), "GET /?v=10 HTTP/1.1\r\nHost: h:8443\r\nUser-Agent: shoal/1\r\n"
					    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
					    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
					    "Sec-WebSocket-Version: 13\r\n\r\n");
	upgrade_finish(&upgrade);
}

/* Feeds @answer in pieces of @step; *left is what was not taken. */
static enum upgrade_result feed(struct upgrade *upgrade, const char *answer, size_t step, size_t *left)
{
	size_t len = strlen(answer);
	enum upgrade_result result = UPGRADE_MORE;

	upgrade_init(upgrade, nonce);
	for (size_t at = 0; at < len && result == UPGRADE_MORE; at += step) {
		size_t n = len - at < step ? len - at : step, rest = n;
		char *piece = malloc(n), *bytes = piece;

		memcpy(piece, answer + at, n);
		result = upgrade_feed(upgrade, &bytes, &rest);
		assert_ptr_equal(bytes, piece + n - rest);
		*left = len - at - n + rest;
		free(piece);
	}
	return result;
}

static void test_accepted(void **state)
{
	static const char *const answers[] = {
		HEAD BOTH ACCEPT "\r\nframes",
		HEAD "upgrade:  WebSocket \r\nconnection: keep-alive, upgrade\t\r\n" ACCEPT "Server: x\r\n\r\nframes",
		"HTTP/1.1 101\r\n" BOTH ACCEPT "X-Empty:\r\n\r\nframes",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		for (size_t step = 1; step <= strlen(answers[i]); step++) {
			struct upgrade upgrade;
			size_t left = 0;

			assert_int_equal(feed(&upgrade, answers[i], step, &left), UPGRADE_DONE);
			assert_int_equal(left, 6);
			upgrade_finish(&upgrade);
		}
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *answer, *text;
	} cases[] = {
		{ HEAD BOTH "\r\n", "wrong Sec-WebSocket-Accept" },
		{ HEAD BOTH ACCEPT ACCEPT "\r\n", "wrong Sec-WebSocket-Accept" },
		{ HEAD BOTH "Sec-WebSocket-Accept: x\r\n\r\n", "wrong Sec-WebSocket-Accept" },
		{ HEAD "Connection: Upgrade\r\n" ACCEPT "\r\n", "without Upgrade" },
		{ HEAD "Upgrade: websocket\r\nConnection: close\r\n" ACCEPT "\r\n", "without Upgrade" },
		{ HEAD "Upgrade: websockets\r\nConnection: Upgrade\r\n" ACCEPT "\r\n", "without Upgrade" },
		{ HEAD BOTH ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "not asked for" },
		{ HEAD BOTH ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\n", "not asked for" },
		{ HEAD BOTH " folded: x\r\n" ACCEPT "\r\n", "no HTTP" },
		{ HEAD BOTH "no colon\r\n" ACCEPT "\r\n", "no HTTP" },
		{ "HTTP/2 101\r\n\r\n", "no HTTP" },
		{ "HTTP/1.1 1010 x\r\n\r\n", "no HTTP" },
		{ "\r\n\r\n", "no HTTP" },
		{ "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno, and more", "HTTP 403: no" },
		{ "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n", "HTTP 500" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t step = 1; step <= strlen(cases[i].answer); step++) {
			char text[UPGRADE_TEXT_SIZE];
			struct upgrade upgrade;
			size_t left = 0;

			assert_int_equal(feed(&upgrade, cases[i].answer, step, &left), UPGRADE_REFUSED);
			assert_true(upgrade_has_status(&upgrade));
			upgrade_text(&upgrade, text);
			assert_non_null(strstr(text, cases[i].text));
			upgrade_finish(&upgrade);
		}
	}
}

static void test_head_is_bounded(void **state)
{
	char *answer = malloc(UPGRADE_HEAD_MAX + 100);
	struct upgrade upgrade;
	size_t left;

	(void)state;
	memset(answer, 'x', UPGRADE_HEAD_MAX + 99);
	memcpy(answer, "HTTP/1.1 101 ", 13);
	answer[UPGRADE_HEAD_MAX + 99] = '\0';
	for (size_t step = 997; step < UPGRADE_HEAD_MAX + 100; step += 4999) {
		assert_int_equal(feed(&upgrade, answer, step, &left), UPGRADE_REFUSED);
		upgrade_finish(&upgrade);
	}
	free(answer);
}

static void test_body_without_length_is_cut(void **state)
{
	char answer[1000] = "HTTP/1.1 502 Bad Gateway\r\n\r\n", text[UPGRADE_TEXT_SIZE];
	struct upgrade upgrade;
	size_t left = 0;

	(void)state;
	memset(answer + 28, '<', 900);
	assert_int_equal(feed(&upgrade, answer, 1000, &left), UPGRADE_REFUSED);
	upgrade_text(&upgrade, text);
	assert_int_equal(strlen(text), strlen("HTTP 502: ") + UPGRADE_SNIPPET_MAX);
	upgrade_finish(&upgrade);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),           cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_gateway),         cmocka_unit_test(test_request),
		cmocka_unit_test(test_accepted),        cmocka_unit_test(test_refused),
		cmocka_unit_test(test_head_is_bounded), cmocka_unit_test(test_body_without_length_is_cut),
	};

	return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
