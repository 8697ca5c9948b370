/* SPDX-License-Identifier: MIT */
/* libFuzzer's way into the envelope. Beside not crashing: what it accepts, envelope_validate accepts too, and its
 * slices lie within the bytes; cut short by one, an accepted payload without trailing space is truncated. */
#include <stdlib.h>

#include "shard/gateway/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_slice(const char *bytes, size_t size, struct shoal_str slice)
{
	if (slice.ptr && (slice.ptr < bytes || slice.ptr + slice.len > bytes + size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct envelope envelope, again;
	enum envelope_error valid = envelope_validate(bytes, size);
	enum envelope_error error = envelope_scan(bytes, size, &envelope);

	if ((unsigned)error >= ENVELOPE_ERROR_COUNT)
		abort();
	if (error != ENVELOPE_OK)
		return 0;
	if (valid != ENVELOPE_OK || envelope.op < 0 || (envelope.sequence && !envelope.has_sequence))
		abort();
	check_slice(bytes, size, envelope.d);
	check_slice(bytes, size, envelope.name);
	if (envelope.d.ptr && envelope_validate(envelope.d.ptr, envelope.d.len) != ENVELOPE_OK)
		abort();
	if (bytes[size - 1] == '}' && envelope_scan(bytes, size - 1, &again) != ENVELOPE_TRUNCATED)
		abort();
	return 0;
}
