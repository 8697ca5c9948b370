/* The few ELF headers that say where segments lie. What they say is checked like any foreign bytes; the rest is the
 * loader's. Source: elf(5). */
#include "shard/modhost/object_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE /* not looked at */
#endif
#define SEGMENTS_MAX 256

static int refuse(char *error, size_t size, const char *text)
{
	snprintf(error, size, "%s", text);
	return -ENOEXEC;
}

static bool read_at(int fd, void *into, size_t len, uint64_t offset)
{
	return pread(fd, into, len, (off_t)offset) == (ssize_t)len;
}

static bool is_header(const ElfW(Ehdr) * header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
}

int object_file_check(const char *path, char *error, size_t size)
{
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ElfW(Ehdr) header;
	ElfW(Phdr) segment;
	struct stat st;
	uint64_t bytes;
	int i;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	bytes = (uint64_t)st.st_size;
	if (!read_at(fd, &header, sizeof(header), 0) || !is_header(&header))
		return refuse(error, size, "it is no shared object (ELF) of this machine");
	if (header.e_type != ET_DYN || (MACHINE != EM_NONE && header.e_machine != MACHINE))
		return refuse(error, size, "it is no shared object (ELF) of this machine");
	if (header.e_phentsize != sizeof(segment) || header.e_phnum == 0 || header.e_phnum > SEGMENTS_MAX)
		return refuse(error, size, "its ELF headers make no sense");
	for (i = 0; i < header.e_phnum; i++) {
		if (!read_at(fd, &segment, sizeof(segment), header.e_phoff + (uint64_t)i * sizeof(segment)))
			return refuse(error, size, "it is cut off: copy it again, under another name first");
		if (segment.p_filesz > bytes || segment.p_offset > bytes - segment.p_filesz)
			return refuse(error, size, "it is cut off: copy it again, under another name first");
	}
	return 0;
}
