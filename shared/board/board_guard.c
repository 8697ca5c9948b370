/* The list of mappings and the handler. Nothing here allocates, logs or waits: the handler runs between any two
 * instructions of the loop thread. */
#include "shared/board/board_guard.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct board_guard *guards;

void board_guard_add(struct board_guard *guard)
{
	guard->state = BOARD_GUARD_WHOLE;
	guard->next = guards;
	atomic_signal_fence(memory_order_seq_cst); /* whole before it can be found */
	guards = guard;
}

void board_guard_remove(struct board_guard *guard)
{
	for (struct board_guard **at = &guards; *at; at = &(*at)->next) {
		if (*at == guard) {
			*at = guard->next;
			break;
		}
	}
}

static struct board_guard *find(const void *address)
{
	for (struct board_guard *guard = guards; guard; guard = guard->next) {
		if ((const char *)address >= (const char *)guard->map &&
		    (const char *)address < (const char *)guard->map + guard->size)
			return guard;
	}
	return NULL;
}

/* Only ever longer: somebody else may have been here first. */
static bool fill(const struct board_guard *guard)
{
	struct stat st;

	return fstat(guard->fd, &st) == 0 && (size_t)st.st_size < guard->size &&
	       ftruncate(guard->fd, (off_t)guard->size) == 0;
}

bool board_guard_fault(const void *address)
{
	struct board_guard *guard = find(address);
	int saved = errno;
	void *map;

	if (!guard)
		return false;
	if (guard->may_fill && guard->state == BOARD_GUARD_WHOLE && fill(guard)) {
		guard->state = BOARD_GUARD_FILLED;
		errno = saved;
		return true;
	}
	/* A second fault comes when the file has its length but no room for its bytes. */
	map = mmap(guard->map, guard->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	errno = saved;
	if (map == MAP_FAILED)
		return false;
	guard->state = BOARD_GUARD_DETACHED;
	return true;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code > 0 && board_guard_fault(info->si_addr))
		return;
	/* What is left blocked until we return is raised then. */
	signal(number, SIG_DFL);
	raise(number);
}

void board_guard_install(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}
