/* libFuzzer's way into the HTTP head parser. Beside not crashing: what it takes is within its bounds, and cutting the
 * bytes short never turns a head into another one. */
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "supervisor/http_parse.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse_exactly(const uint8_t *data, size_t size, struct http_request *request)
{
	CLEANUP(cleanup_free) char *bytes = malloc(size > 0 ? size : 1);

	if (!bytes)
		abort();
	memcpy(bytes, data, size);
	return http_parse(bytes, size, request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole = { 0 }, cut = { 0 };
	int taken = parse_exactly(data, size, &whole), r;

	if (taken > (int)size || taken > HTTP_HEAD_MAX)
		abort();
	if (taken < 0 && taken != -400 && taken != -414 && taken != -431 && taken != -505)
		abort();
	if (taken <= 0)
		return 0;
	if (whole.path[0] != '/' || strlen(whole.path) >= HTTP_PATH_MAX)
		abort();
	for (const char *c = whole.path; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f)
			abort();
	/* The head alone is the same head; without its last byte it is none. */
	r = parse_exactly(data, (size_t)taken, &cut);
	if (r != taken || memcmp(&whole, &cut, sizeof(whole)) != 0)
		abort();
	if (parse_exactly(data, (size_t)taken - 1, &cut) > 0)
		abort();
	return 0;
}
