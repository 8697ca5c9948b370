/* The other end of KILL_POINT(). Run by every program of the build for the chaos campaign, by none other. Must not
 * allocate or log: what it interrupts is the very thing under test. */
#include "shared/base/kill_point.h"

#ifdef SHOAL_KILL_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct kill_slot *slots;
static uint32_t tickets, shard_plus_one;

/* "--shard" and a number in our own arguments; 0: none. */
static uint32_t read_shard(void)
{
	static const char name[] = "--shard";
	char text[4096];
	ssize_t len;
	char *at;
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	for (at = text; at < text + len; at += strlen(at) + 1) {
		if (strcmp(at, name) == 0 && at + sizeof(name) < text + len)
			return (uint32_t)strtoul(at + sizeof(name), NULL, 10) + 1;
	}
	return 0;
}

static void __attribute__((constructor)) map_slots(void)
{
	const char *path = getenv("SHOAL_KILL_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, KILL_SLOTS * sizeof(*slots), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return;
	shard_plus_one = read_shard();
	slots = at;
}

void kill_point_note_tickets(uint32_t open)
{
	tickets = open;
}

static bool fits(const struct kill_slot *slot, const char *point, const char *detail)
{
	return atomic_load_explicit(&slot->state, memory_order_acquire) == KILL_ARMED &&
	       (slot->pid == 0 || slot->pid == (uint32_t)getpid()) &&
	       (slot->shard_plus_one == 0 || slot->shard_plus_one == shard_plus_one) &&
	       strcmp(slot->point, point) == 0 && tickets >= slot->tickets_min &&
	       (slot->detail[0] == '\0' || (detail && strstr(detail, slot->detail)));
}

static void die(struct kill_slot *slot, const char *detail)
{
	struct timespec now;

	slot->tickets = tickets;
	snprintf(slot->what, sizeof(slot->what), "%s", detail ? detail : "");
	clock_gettime(CLOCK_MONOTONIC, &now);
	slot->monotonic_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	atomic_store_explicit(&slot->state, KILL_DONE, memory_order_release);
	raise(SIGKILL);
}

void kill_point_reach(const char *point, const char *detail)
{
	int i;

	for (i = 0; slots && i < KILL_SLOTS; i++) {
		if (!fits(&slots[i], point, detail))
			continue;
		slots[i].hits++;
		if (slots[i].countdown <= 1)
			die(&slots[i], detail);
		slots[i].countdown--;
	}
}

#endif
