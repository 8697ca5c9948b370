/* Random numbers from the kernel in blocks, so that jitter and ids cost no system call each.
 * Any thread (a block each). Must not be used after fork without exec: both would draw the same numbers. */
#include "shared/base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BLOCK_BYTES 512

static _Thread_local struct {
	unsigned char bytes[BLOCK_BYTES];
	size_t left;
} block;

static void fill_from_kernel(unsigned char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t got = getrandom(bytes, len, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			/* Only a kernel older than 3.17 or a filter of our own making gets here; predictable ids are
			 * worse than no program. */
			abort();
		}
		bytes += got;
		len -= (size_t)got;
	}
}

void random_fill(void *bytes, size_t len)
{
	unsigned char *from;

	if (len > BLOCK_BYTES / 2) {
		fill_from_kernel(bytes, len);
		return;
	}
	if (block.left < len) {
		fill_from_kernel(block.bytes, BLOCK_BYTES);
		block.left = BLOCK_BYTES;
	}
	from = block.bytes + BLOCK_BYTES - block.left;
	memcpy(bytes, from, len);
	/* What was handed out is not kept: it may become a nonce or an id. */
	memset(from, 0, len);
	block.left -= len;
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_fill(&value, sizeof(value));
	return value;
}

uint64_t random_below(uint64_t below)
{
	uint64_t value, skip;

	if (below == 0)
		return 0;
	/* The first 2^64 mod below values would make small results likelier. */
	skip = -below % below;
	do
		value = random_u64();
	while (value < skip);
	return value % below;
}

double random_unit(void)
{
	return (double)(random_u64() >> 11) * 0x1.0p-53;
}

void random_hex(char *text, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char byte = 0;

	for (size_t i = 0; i < len; i++) {
		if (i % 2 == 0)
			random_fill(&byte, 1);
		text[i] = digits[byte & 15];
		byte >>= 4;
	}
	text[len] = '\0';
}
