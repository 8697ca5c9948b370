/* A header with the checksum of the rows behind it. */
#include "shared/metrics/tally_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/crc32c.h"
#include "shared/base/errors.h"

struct header {
	char magic[8];
	uint32_t version, row_size, count;
	uint32_t crc; /* of the rows */
};

static int write_all(int fd, const void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t r = write(fd, (const char *)bytes + done, size - done);

		if (r < 0 && errno != EINTR)
			return -errno;
		done += r > 0 ? (size_t)r : 0;
	}
	return 0;
}

static int read_all(int fd, void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t r = read(fd, (char *)bytes + done, size - done);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0)
			return -SHOAL_EDAMAGED;
		done += r > 0 ? (size_t)r : 0;
	}
	return 0;
}

int tally_file_write(const struct tally_file *kind, const char *path, const void *rows, size_t count)
{
	size_t size = count * kind->row_size;
	struct header header = { .version = kind->version,
				 .row_size = kind->row_size,
				 .count = (uint32_t)count,
				 .crc = crc32c(0, rows, size) };
	CLEANUP(cleanup_close) int fd = -1;
	char fresh[600];
	int r;

	memcpy(header.magic, kind->magic, sizeof(header.magic));
	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh))
		return -ENAMETOOLONG;
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, &header, sizeof(header));
	if (r == 0)
		r = write_all(fd, rows, size);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(fresh);
	return r;
}

/* The file's size fits what its header says. */
static int check_header(const struct tally_file *kind, const struct header *header, off_t size)
{
	if (memcmp(header->magic, kind->magic, sizeof(header->magic)) != 0)
		return -SHOAL_EDAMAGED;
	if (header->version != kind->version || header->row_size != kind->row_size)
		return -SHOAL_EVERSION;
	if (header->count > kind->rows_max || size != (off_t)(sizeof(*header) + (size_t)header->count * kind->row_size))
		return -SHOAL_EDAMAGED;
	return 0;
}

int tally_file_read(const struct tally_file *kind, const char *path, void **ret_rows, size_t *ret_count)
{
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	CLEANUP(cleanup_free) void *rows = NULL;
	struct header header;
	struct stat about;
	size_t size;
	int r;

	if (fd < 0 || fstat(fd, &about) < 0)
		return -errno;
	if (!S_ISREG(about.st_mode))
		return -SHOAL_EDAMAGED;
	r = read_all(fd, &header, sizeof(header));
	if (r == 0)
		r = check_header(kind, &header, about.st_size);
	if (r < 0)
		return r;
	size = (size_t)header.count * kind->row_size;
	rows = malloc(size + 1);
	if (!rows)
		return -ENOMEM;
	r = read_all(fd, rows, size);
	if (r < 0)
		return r;
	if (crc32c(0, rows, size) != header.crc)
		return -SHOAL_EDAMAGED;
	*ret_rows = TAKE(rows);
	*ret_count = header.count;
	return 0;
}
