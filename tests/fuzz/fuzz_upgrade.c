/* SPDX-License-Identifier: MIT */
/* libFuzzer's way into what a stranger may answer to our upgrade, and into URLs (an even first byte: an answer, odd: a
 * URL). Beside not crashing: the result does not depend on how the answer is cut, its text is printable, and a URL that
 * is accepted stays the same when it is built and read again. */
#include <stdlib.h>
#include <string.h>

#include "shard/gateway/upgrade.h"
#include "shared/discord/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum upgrade_result run(const uint8_t *data, size_t size, size_t step, int *ret_status)
{
	static const uint8_t nonce[16] = "the sample nonce";
	enum upgrade_result result = UPGRADE_MORE;
	char text[UPGRADE_TEXT_SIZE];
	struct upgrade upgrade;

	upgrade_init(&upgrade, nonce);
	for (size_t at = 0; at < size && result == UPGRADE_MORE; at += step) {
		size_t n = size - at < step ? size - at : step, left = n;
		char *piece = malloc(n), *bytes = piece;

		memcpy(piece, data + at, n);
		result = upgrade_feed(&upgrade, &bytes, &left);
		if (bytes != piece + n - left || left > n || (result == UPGRADE_MORE && left))
			abort();
		free(piece);
	}
	upgrade_text(&upgrade, text);
	for (const char *p = text; *p; p++) {
		if (*p < ' ' || *p > '~')
			abort();
	}
	*ret_status = upgrade.status;
	upgrade_finish(&upgrade);
	return result;
}

static void fuzz_answer(const uint8_t *data, size_t size, size_t step)
{
	int status = 0, again = 0;
	enum upgrade_result whole = run(data, size, size, &status), pieces = run(data, size, step, &again);

	if (whole != pieces || status != again)
		abort();
	if (whole == UPGRADE_DONE && status != 101)
		abort();
}

static void fuzz_url(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), built[URL_SIZE], again[URL_SIZE];
	struct url url;

	memcpy(text, data, size);
	text[size] = '\0';
	if (url_parse(text, &url) == 0 && url_gateway(text, NULL, "zlib-stream", built, sizeof(built)) == 0) {
		if (url_gateway(built, NULL, "zlib-stream", again, sizeof(again)) != 0 || strcmp(built, again) != 0)
			abort();
		if (strpbrk(built, " \r\n\t"))
			abort();
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		fuzz_url(data + 1, size - 1);
	else
		fuzz_answer(data + 1, size - 1, 1 + data[0] / 2 % 40);
	return 0;
}
