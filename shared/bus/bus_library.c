/* Opens and closes nats.c, and keeps the register of those that its callbacks may reach. Any thread.
 * nats.c does not say when the last callback of a connection has returned; so no callback is given a pointer, only a
 * number that is looked up under the lock: one that comes late finds nothing. */
#include "shared/bus/bus_library.h"

#include <errno.h>
#include <stddef.h>

#include <nats/nats.h>

#define OWNERS_MAX 16
#define CLOSE_MS   2000

static pthread_mutex_t owners_lock = PTHREAD_MUTEX_INITIALIZER; /* owners, their refs, last_serial */
static struct bus_owner *owners[OWNERS_MAX];
static uint32_t last_serial;

_Static_assert(sizeof(void *) >= sizeof(uint64_t), "a closure carries two 32-bit numbers");

int bus_owner_add(struct bus_owner *owner)
{
	int r = -ENOBUFS;

	pthread_mutex_lock(&owners_lock);
	for (size_t i = 0; i < OWNERS_MAX && r < 0; i++)
		if (!owners[i]) {
			owners[i] = owner;
			owner->serial = ++last_serial;
			owner->refs = 1;
			r = 0;
		}
	pthread_mutex_unlock(&owners_lock);
	return r;
}

void bus_owner_ref(struct bus_owner *owner)
{
	pthread_mutex_lock(&owners_lock);
	owner->refs++;
	pthread_mutex_unlock(&owners_lock);
}

bool bus_owner_unref(struct bus_owner *owner)
{
	bool last;

	pthread_mutex_lock(&owners_lock);
	last = --owner->refs == 0;
	for (size_t i = 0; last && i < OWNERS_MAX; i++)
		if (owners[i] == owner)
			owners[i] = NULL;
	pthread_mutex_unlock(&owners_lock);
	return last;
}

void *bus_closure(const struct bus_owner *owner, uint32_t number)
{
	return (void *)(uintptr_t)((uint64_t)owner->serial << 32 | number);
}

struct bus_owner *bus_closure_find(void *closure, uint32_t *ret_number)
{
	uint64_t packed = (uint64_t)(uintptr_t)closure;
	struct bus_owner *found = NULL;

	pthread_mutex_lock(&owners_lock);
	for (size_t i = 0; i < OWNERS_MAX && !found; i++)
		if (owners[i] && owners[i]->serial == (uint32_t)(packed >> 32))
			found = owners[i];
	if (found)
		found->refs++;
	pthread_mutex_unlock(&owners_lock);
	*ret_number = (uint32_t)packed;
	return found;
}

static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int library_users;

int bus_library_open(void)
{
	natsStatus s = NATS_OK;

	pthread_mutex_lock(&library_lock);
	if (library_users == 0) {
		s = nats_Open(0); /* no spinning on locks: many processes share the cores */
		if (s == NATS_OK)
			s = nats_SetMessageDeliveryPoolSize(1);
	}
	if (s == NATS_OK)
		library_users++;
	pthread_mutex_unlock(&library_lock);
	return s == NATS_OK ? 0 : -ENOMEM;
}

void bus_library_close(void)
{
	pthread_mutex_lock(&library_lock);
	if (--library_users == 0)
		nats_CloseAndWait(CLOSE_MS);
	else
		nats_ReleaseThreadMemory();
	pthread_mutex_unlock(&library_lock);
}
