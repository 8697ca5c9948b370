/* Records of several words, kept twice. One writer, any number of readers in any process, no lock.
 * The writer fills the copy that does not count, then flips one word; killed in between, it leaves the older copy. */
#include "shared/board/board_file.h"

#include <string.h>

#include <zlib.h>

#include "shared/base/errors.h"

/* A reader that is overtaken by two writes within its copying starts again, this many times. */
#define READ_ATTEMPTS 8

static uint32_t copy_crc(const struct board_copy *head, const void *data, uint32_t length)
{
	uLong crc = crc32(0, NULL, 0);

	crc = crc32(crc, (const Bytef *)&head->length, sizeof(head->length));
	crc = crc32(crc, (const Bytef *)&head->serial, sizeof(head->serial));
	return (uint32_t)crc32(crc, data, length);
}

int board_record_fill(_Atomic uint64_t *flip, void *copies, size_t stride, const void *data, uint32_t length)
{
	uint64_t now = atomic_load_explicit(flip, memory_order_relaxed);
	int index = (int)((now + 1) & 1);
	unsigned char *at = (unsigned char *)copies + stride * (size_t)index;
	struct board_copy head = { .length = length, .serial = now + 1 };

	head.crc = copy_crc(&head, data, length);
	/* The data must be whole before the flip says so, and the flip before last before this copy is touched again.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), data, length);
	return index;
}

void board_record_flip(_Atomic uint64_t *flip)
{
	atomic_fetch_add_explicit(flip, 1, memory_order_seq_cst);
}

void board_record_write(_Atomic uint64_t *flip, void *copies, size_t stride, const void *data, uint32_t length)
{
	board_record_fill(flip, copies, stride, data, length);
	board_record_flip(flip);
}

static bool read_copy(const unsigned char *at, unsigned char *data, uint32_t length)
{
	struct board_copy head;

	memcpy(&head, at, sizeof(head));
	/* A copy that was never written has no length. The serial may be any: a scribbled flip word wraps to 0. */
	if (head.length != length)
		return false;
	memcpy(data, at + sizeof(head), length);
	return head.crc == copy_crc(&head, data, length);
}

int board_record_read(const _Atomic uint64_t *flip, const void *copies, size_t stride, void *data, uint32_t length)
{
	unsigned char scratch[sizeof(struct board_session)];
	const unsigned char *base = copies;

	if (length > sizeof(scratch))
		return -SHOAL_EDAMAGED;
	for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
		uint64_t before = atomic_load_explicit(flip, memory_order_acquire);
		int index = (int)(before & 1);
		bool good = read_copy(base + stride * (size_t)index, scratch, length);

		if (!good) {
			index ^= 1;
			good = read_copy(base + stride * (size_t)index, scratch, length);
		}
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(flip, memory_order_relaxed) != before)
			continue;
		if (!good)
			return -SHOAL_EDAMAGED;
		memcpy(data, scratch, length);
		return index;
	}
	return -SHOAL_EDAMAGED;
}
