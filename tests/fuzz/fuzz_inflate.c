/* SPDX-License-Identifier: MIT */
/* libFuzzer's way into the decompressor: messages cut from the input (each led by its length), in the mode that the
 * first byte names. Beside not crashing: no payload and no memory passes the maximum, and after an error nothing more
 * is given. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/gateway/inflate.h"

#define MAX (128 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 1 when the connection would go on. */
static int feed_one(struct inflater *inflater, const uint8_t *message, size_t len)
{
	char *copy = malloc(len ? len : 1), *payload = NULL;
	size_t payload_len = 0;
	volatile char sum = 0;
	int r;

	if (len)
		memcpy(copy, message, len);
	r = inflater_feed(inflater, copy, len, &payload, &payload_len);
	if (r < 0 && r != -EBADMSG && r != -EMSGSIZE && r != -ENOMEM)
		abort();
	if (r == 1) {
		if (!payload || payload_len > MAX)
			abort();
		for (size_t i = 0; i < payload_len; i++)
			sum ^= payload[i];
	}
	if (inflater_output_bytes(inflater) > MAX + 1)
		abort();
	free(copy);
	return r >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inflater *inflater = NULL;
	size_t at = 1;

	if (size < 3 || inflater_new(data[0] % 3, MAX, &inflater) < 0)
		return 0;
	while (at + 2 <= size) {
		size_t len = (size_t)data[at] << 8 | data[at + 1];

		at += 2;
		if (len > size - at)
			len = size - at;
		if (!feed_one(inflater, data + at, len)) {
			char *payload;
			size_t n;

			if (data[0] % 3 != CONFIG_COMPRESS_NONE &&
			    inflater_feed(inflater, (char *)"x", 1, &payload, &n) != -EBADMSG)
				abort();
			break;
		}
		if (data[0] & 0x80)
			inflater_trim(inflater);
		at += len;
	}
	inflater_free(inflater);
	return 0;
}
