/* Board files: created in full, validated before they are mapped, locked by OFD locks. Loop thread or start-up.
 * Must never map a file shorter than it says (SIGBUS), nor replace one whose lock a live process holds. */
#include "shared/board/board_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"

_Static_assert(sizeof(struct board_shard_core) <= BOARD_REST_OFFSET &&
		       sizeof(struct board_host_core) <= BOARD_HOST_SIZE,
	       "cores end before the rest");

/* --- checks --------------------------------------------------------------------------------------------------------
 */

static uint32_t header_crc(const struct board_header *header)
{
	return (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)header, sizeof(*header));
}

/* Which boot this is, as a number; times of another boot mean nothing. 0 when it can't be told. */
static uint64_t boot_number(void)
{
	CLEANUP(cleanup_close) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[40];
	ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof(id));

	if (n < 36)
		return 0;
	return (uint64_t)crc32(crc32(0, NULL, 0), (const Bytef *)id, 18) << 32 |
	       crc32(crc32(0, NULL, 0), (const Bytef *)id + 18, 18);
}

/* Is this a page of ours whose core we can read? -SHOAL_EDAMAGED, -SHOAL_EVERSION. @file_size is the kernel's word. */
static int check_page(const struct board_page *page, const struct board_want *want, uint64_t file_size)
{
	const struct board_header *header = &page->header;

	if (memcmp(header->magic, BOARD_MAGIC, sizeof(header->magic)) != 0)
		return -SHOAL_EDAMAGED;
	if (page->header_crc != header_crc(header))
		return -SHOAL_EDAMAGED;
	if (header->size != file_size || header->size > BOARD_SIZE_MAX || header->rest_offset > header->size)
		return -SHOAL_EDAMAGED;
	if (header->kind != (uint32_t)want->kind || header->shard_id != want->shard_id ||
	    header->generation != want->generation)
		return -SHOAL_EDAMAGED;
	if (header->kind == BOARD_KIND_SHARD && header->shard_id >= header->shard_count)
		return -SHOAL_EDAMAGED;
	/* Cores only grow at their end. An older one is shorter, and its file holds zeros where ours goes on: every
	 * field says by zero that nobody has written it. */
	if (header->core_version < 1 || header->rest_offset < BOARD_REST_OFFSET)
		return -SHOAL_EDAMAGED;
	if (page->core_size < want->core_least || page->core_size > header->rest_offset)
		return -SHOAL_EDAMAGED;
	return 0;
}

static int check_file(int fd, const struct board_want *want, struct board_page *page)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -SHOAL_EDAMAGED;
	n = pread(fd, page, sizeof(*page), 0);
	if (n < 0)
		return -errno;
	return n < (ssize_t)sizeof(*page) ? -SHOAL_EDAMAGED : check_page(page, want, (uint64_t)st.st_size);
}

/* Opens without following links and reads what the page says of itself. */
static int open_checked(const char *path, const struct board_want *want, bool writable, struct board_page *page,
			int *ret_fd)
{
	CLEANUP(cleanup_close)
	int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r;

	if (fd < 0)
		return errno == ELOOP ? -SHOAL_EDAMAGED : -errno;
	r = check_file(fd, want, page);
	/* The descriptor is of use even for a damaged file: its lock tells whether somebody lives on it. */
	if (r == 0 || r == -SHOAL_EDAMAGED || r == -SHOAL_EVERSION)
		*ret_fd = TAKE_FD(fd);
	return r;
}

/* --- locks ---------------------------------------------------------------------------------------------------------
 */

static int set_lock(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	while (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		if (errno != EINTR)
			return errno == EACCES ? -EAGAIN : -errno;
	}
	return 0;
}

static int probe_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type != F_UNLCK;
}

static bool is_same_file(int fd, const char *path)
{
	struct stat here, there;

	return fstat(fd, &here) == 0 && lstat(path, &there) == 0 && here.st_dev == there.st_dev &&
	       here.st_ino == there.st_ino;
}

int board_file_lock(struct board_file *file)
{
	int r = set_lock(file->fd, F_WRLCK);

	if (r < 0)
		return r;
	/* Replaced between our opening and our locking: the lock would guard a file that nobody else looks at. */
	if (!is_same_file(file->fd, file->path)) {
		set_lock(file->fd, F_UNLCK);
		return -ESTALE;
	}
	file->locked = true;
	return 0;
}

int board_file_is_locked(const struct board_file *file)
{
	return probe_lock(file->fd);
}

/* --- creation ------------------------------------------------------------------------------------------------------
 */

static int write_all(int fd, const void *bytes, size_t len)
{
	const char *from = bytes;
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, from + done, len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* A file of @size that begins with @bytes, allocated in full, put in place by one rename. */
static int put_file(const char *path, const void *bytes, size_t len, size_t size)
{
	char fresh[BOARD_PATH_SIZE + 8];
	CLEANUP(cleanup_close) int fd = -1;
	int r;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	if (unlink(fresh) < 0 && errno != ENOENT)
		return -errno;
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	do
		r = -posix_fallocate(fd, 0, (off_t)size);
	while (r == -EINTR);
	if (r == 0)
		r = write_all(fd, bytes, len);
	if (r == 0 && fchmod(fd, 0600) < 0)
		r = -errno;
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(fresh);
	return r;
}

/* A new file with @core (BOARD_REST_OFFSET bytes; page filled in here) at its start. */
static int make_file(const char *path, const struct board_want *want, unsigned char *core)
{
	struct board_page *page = (struct board_page *)core;
	uint32_t kept_size = page->core_size;

	memset(&page->header, 0, sizeof(page->header));
	memcpy(page->header.magic, BOARD_MAGIC, sizeof(page->header.magic));
	page->header.core_version = BOARD_CORE_VERSION;
	page->header.rest_version = BOARD_REST_VERSION;
	page->header.kind = want->kind;
	page->header.size = want->size;
	page->header.rest_offset = BOARD_REST_OFFSET;
	page->header.shard_id = want->shard_id;
	page->header.shard_count = want->shard_count;
	page->header.generation = want->generation;
	snprintf(page->header.build_id, sizeof(page->header.build_id), "%s", shoal_build_id);
	page->header_crc = header_crc(&page->header);
	/* A newer program's core keeps what we do not know of. */
	page->core_size = kept_size > want->core_size ? kept_size : want->core_size;
	page->boot = boot_number();
	return put_file(path, core, page->core_size, want->size);
}

/* Times of an earlier boot would look like the far future. What is no time is kept. */
static void forget_times(unsigned char *core, enum board_kind kind)
{
	if (kind == BOARD_KIND_SHARD) {
		struct board_shard_core *shard = (struct board_shard_core *)core;

		shard->stamp = 0;
		shard->culprit = 0;
		memset((void *)shard->modules, 0, sizeof(shard->modules));
	} else {
		struct board_host_core *host = (struct board_host_core *)core;

		host->rest_due = 0;
		host->rest_blocked_until = 0;
		host->discord_offset = 0;
		memset((void *)host->invalid, 0, sizeof(host->invalid));
		memset((void *)host->bucket_free, 0, sizeof(host->bucket_free));
	}
}

/* A good page is there. 0: it may stay as it is; 1: its core must move into a new file (read into @core). */
static int judge_present(int fd, const struct board_page *page, const struct board_want *want, unsigned char *core)
{
	uint64_t boot = boot_number();
	bool fits = page->header.size == want->size || (want->size_least && page->header.size >= want->size_least);
	ssize_t n;

	if (fits && page->boot == boot)
		return 0;
	n = pread(fd, core, BOARD_REST_OFFSET, 0);
	if (n < 0)
		return -errno;
	if (n < BOARD_REST_OFFSET)
		return -SHOAL_EDAMAGED;
	if (page->boot != boot)
		forget_times(core, want->kind);
	return 1;
}

int board_file_create(const char *path, const struct board_want *want, bool *ret_damaged)
{
	_Alignas(8) unsigned char core[BOARD_REST_OFFSET] = { 0 };
	char aside[BOARD_PATH_SIZE + 16];
	CLEANUP(cleanup_close) int fd = -1;
	struct board_page page;
	bool damaged = false, keep = false;
	int r;

	r = open_checked(path, want, true, &page, &fd);
	if (r == -ENOENT) {
		r = make_file(path, want, core);
		if (r == 0)
			*ret_damaged = false;
		return r;
	}
	if (r < 0 && r != -SHOAL_EDAMAGED && r != -SHOAL_EVERSION)
		return r;
	damaged = r == -SHOAL_EDAMAGED;
	if (r == 0 && (!want->shard_count || page.header.shard_count == want->shard_count)) {
		r = judge_present(fd, &page, want, core);
		if (r == 0) {
			*ret_damaged = false;
			return 0;
		}
		if (r < 0 && r != -SHOAL_EDAMAGED)
			return r;
		damaged = r == -SHOAL_EDAMAGED;
		keep = r == 1;
		if (damaged)
			memset(core, 0, sizeof(core));
	}
	/* It must go, so nobody may live on it; a worker of another version that does is left in peace. */
	if (fd >= 0) {
		r = set_lock(fd, F_WRLCK);
		if (r == -EAGAIN && keep) {
			*ret_damaged = false;
			return 0;
		}
		if (r < 0)
			return r == -EAGAIN ? -EBUSY : r;
	}
	if (damaged) {
		snprintf(aside, sizeof(aside), "%s.damaged", path);
		if (rename(path, aside) < 0 && errno != ENOENT)
			return -errno;
	}
	r = make_file(path, want, core);
	if (r == 0)
		*ret_damaged = damaged;
	return r;
}

/* --- opening -------------------------------------------------------------------------------------------------------
 */

/* The host's page is everybody's: who first falls over it mends it. A shard's is its worker's, who has to know. */
static void watch_map(struct board_file *file, enum board_kind kind)
{
	file->guard = (struct board_guard){ .map = file->map,
					    .size = file->size,
					    .fd = file->fd,
					    .may_fill = kind == BOARD_KIND_HOST && file->writable };
	board_guard_add(&file->guard);
}

int board_file_open(const char *path, const struct board_want *want, bool writable, struct board_file *file)
{
	CLEANUP(cleanup_close) int fd = -1;
	struct board_page page;
	void *map;
	int r;

	if (strlen(path) >= sizeof(file->path))
		return -ENAMETOOLONG;
	r = open_checked(path, want, writable, &page, &fd);
	if (r < 0)
		return r;
	map = mmap(NULL, page.header.size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*file = (struct board_file){ .fd = TAKE_FD(fd), .writable = writable, .map = map, .size = page.header.size };
	strcpy(file->path, path);
	watch_map(file, want->kind);
	return 0;
}

void board_file_close(struct board_file *file)
{
	/* By hand: the mapping would keep the lock alive until it is gone too. */
	if (file->locked)
		set_lock(file->fd, F_UNLCK);
	if (file->map) {
		board_guard_remove(&file->guard);
		munmap(file->map, file->size);
	}
	if (file->fd >= 0)
		close(file->fd);
	*file = (struct board_file){ .fd = -1 };
}

/* --- what others do to our files -----------------------------------------------------------------------------------
 */

/* The directory itself may be gone, too. */
static int put_back(const struct board_file *file)
{
	char dir[BOARD_PATH_SIZE];
	char *slash;
	int r = put_file(file->path, file->map, file->size, file->size);

	if (r != -ENOENT)
		return r;
	snprintf(dir, sizeof(dir), "%s", file->path);
	slash = strrchr(dir, '/');
	if (!slash)
		return r;
	*slash = '\0';
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	return put_file(file->path, file->map, file->size, file->size);
}

/* Takes what lies under the path now for the file, at the same address: whoever points into the map goes on. */
static int move_to(struct board_file *file, const struct board_want *want)
{
	CLEANUP(cleanup_close) int fd = -1;
	struct board_page page;
	int r = open_checked(file->path, want, file->writable, &page, &fd);

	if (r == 0 && page.header.size != file->size)
		r = -SHOAL_EVERSION;
	if (r == 0 && file->locked)
		r = set_lock(fd, F_WRLCK);
	if (r == 0 && !is_same_file(fd, file->path))
		r = -ESTALE;
	if (r < 0)
		return r;
	if (mmap(file->map, file->size, PROT_READ | (file->writable ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED, fd, 0) ==
	    MAP_FAILED)
		return -errno;
	close(file->fd);
	file->fd = file->guard.fd = TAKE_FD(fd);
	file->guard.state = BOARD_GUARD_WHOLE;
	return 0;
}

/* 1: somebody lives on what lies under the path. */
static int stranger_is_locked(const struct board_file *file)
{
	CLEANUP(cleanup_close) int fd = open(file->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? -errno : probe_lock(fd);
}

int board_file_restore(struct board_file *file, const struct board_want *want)
{
	struct board_page page;
	struct stat st;
	int r;

	/* By read(), and the length first: a map of a file that was cut short is a SIGBUS. */
	r = check_file(file->fd, want, &page);
	if (r < 0)
		return r;
	if (page.header.size != file->size)
		return -SHOAL_EDAMAGED;
	if (is_same_file(file->fd, file->path)) {
		r = board_file_reattach(file);
		return r < 0 ? r : 0;
	}
	if (lstat(file->path, &st) == 0) {
		/* One that somebody made anew while it was gone: who has the lock has what counts. */
		if (!file->locked || !S_ISREG(st.st_mode) || stranger_is_locked(file) != 0)
			return -ESTALE;
	} else if (errno != ENOENT) {
		return -errno;
	}
	r = put_back(file);
	if (r == 0)
		r = move_to(file, want);
	return r < 0 ? r : 1;
}

int board_file_follow(struct board_file *file, const struct board_want *want)
{
	int r;

	if (file->guard.state != BOARD_GUARD_WHOLE || is_same_file(file->fd, file->path))
		return 0;
	r = move_to(file, want);
	return r < 0 ? r : 1;
}

int board_file_reattach(struct board_file *file)
{
	struct stat st;
	void *map;

	if (file->guard.state == BOARD_GUARD_WHOLE)
		return 0;
	if (fstat(file->fd, &st) < 0)
		return -errno;
	if ((size_t)st.st_size < file->size)
		return -ENODATA;
	if (file->guard.state == BOARD_GUARD_DETACHED) {
		map = mmap(file->map, file->size, PROT_READ | (file->writable ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED,
			   file->fd, 0);
		if (map == MAP_FAILED)
			return -errno;
	}
	file->guard.state = BOARD_GUARD_WHOLE;
	return 1;
}

bool board_file_is_long_enough(const struct board_file *file)
{
	struct stat st;

	return fstat(file->fd, &st) == 0 && (size_t)st.st_size >= file->size;
}

int board_file_lengthen(const struct board_file *file)
{
	struct stat st;
	int r;

	do
		r = fallocate(file->fd, 0, 0, (off_t)file->size);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EOPNOTSUPP && fstat(file->fd, &st) == 0)
		r = (size_t)st.st_size >= file->size ? 0 : ftruncate(file->fd, (off_t)file->size);
	return r < 0 ? -errno : 0;
}
