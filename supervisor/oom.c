/* The kernel's count of out-of-memory kills. Run by the supervisor on its loop; /proc is read, never waited for. */
#include "supervisor/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"

#define VMSTAT_MAX (32 * 1024)

int oom_parse(const char *text, uint64_t *ret_kills)
{
	static const char key[] = "\noom_kill ";
	const char *at = strstr(text, key);
	uint64_t kills;

	if (!at || sscanf(at + sizeof(key) - 1, "%" SCNu64, &kills) != 1)
		return -ENODATA;
	*ret_kills = kills;
	return 0;
}

static int read_kills(uint64_t *ret_kills)
{
	CLEANUP(cleanup_close) int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	char text[VMSTAT_MAX];
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < sizeof(text) - 1) {
		n = read(fd, text + len, sizeof(text) - 1 - len);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return oom_parse(text, ret_kills);
}

void oom_look(struct oom *oom)
{
	uint64_t kills;

	oom->available = read_kills(&kills) >= 0;
	if (!oom->available)
		return;
	oom->before = oom->seen;
	oom->seen = kills;
}

void oom_init(struct oom *oom)
{
	memset(oom, 0, sizeof(*oom));
	oom_look(oom);
	oom->before = oom->seen;
}

bool oom_happened(const struct oom *oom)
{
	uint64_t kills;

	return oom->available && read_kills(&kills) >= 0 && kills > oom->before;
}
