/* Reads /proc once. Any thread: two that read it at the same time find the same. */
#include "shared/base/boot_id.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/crc32c.h"

#define ID_BYTES 36

static uint64_t read_id(void)
{
	CLEANUP(cleanup_close) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[ID_BYTES];

	if (fd < 0 || read(fd, id, sizeof(id)) != (ssize_t)sizeof(id))
		return 0;
	return (uint64_t)crc32c(0, id, ID_BYTES / 2) << 32 | crc32c(0, id + ID_BYTES / 2, ID_BYTES / 2);
}

uint64_t boot_id(void)
{
	static _Atomic uint64_t known;
	uint64_t id = atomic_load_explicit(&known, memory_order_relaxed);

	if (id == 0) {
		id = read_id();
		atomic_store_explicit(&known, id, memory_order_relaxed);
	}
	return id;
}
