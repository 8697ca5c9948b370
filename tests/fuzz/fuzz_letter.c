/* libFuzzer's way to all that looks at an event's bytes without trusting them: the lenient look at what was refused,
 * the blanking of tokens (afterwards there are none, and nothing else has changed), ids, and a row of a store. */
#include <stdlib.h>
#include <string.h>

#include "shard/gateway/glimpse.h"
#include "shared/base/cleanup.h"
#include "shared/letters/letter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_blanking(const char *bytes, size_t size)
{
	CLEANUP(cleanup_free) char *copy = malloc(size + 1);
	size_t i;

	if (!copy)
		return;
	memcpy(copy, bytes, size);
	if ((letter_blank_tokens(copy, size) > 0) != letter_has_token(bytes, size) || letter_has_token(copy, size))
		abort();
	for (i = 0; i < size; i++) {
		if (copy[i] != bytes[i] && copy[i] != 'x')
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct letter_key key = { 0 };
	struct envelope envelope;
	struct letter letter;

	if (glimpse_dispatch(bytes, size, &envelope) &&
	    (envelope.op != 0 || !envelope.has_sequence ||
	     (envelope.name.ptr &&
	      (envelope.name.ptr < bytes || envelope.name.ptr + envelope.name.len > bytes + size))))
		abort();
	check_blanking(bytes, size);
	letter_event_id(bytes, size);
	letter_mentions(bytes, size, 1);
	letter_read(&key, sizeof(key), bytes, size, &letter);
	return 0;
}
