/* The NATS library as a whole: opened by the first user and closed by the last, on helper threads; and a register by
 * which its callbacks find their owner, or find that it is gone. */
#ifndef SHOAL_SHARED_BUS_BUS_LIBRARY_H
#define SHOAL_SHARED_BUS_BUS_LIBRARY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Helper threads only. -ENOMEM. Each success needs one bus_library_close() on the same thread. */
int bus_library_open(void);
/* The last one also waits (bounded) until the library's threads have ended. */
void bus_library_close(void);

/* First member of what the library's callbacks reach: counted references, found by serial. */
struct bus_owner {
	uint32_t serial;
	unsigned int refs;
};

/* Registers with one reference, the caller's. -ENOBUFS: too many. Any thread. */
int bus_owner_add(struct bus_owner *owner);
void bus_owner_ref(struct bus_owner *owner);
/* True: that was the last one, nobody finds it any more, free it. */
bool bus_owner_unref(struct bus_owner *owner);

/* A pointer-sized closure of @owner and a number of its own, safe to leave with the library for ever. */
void *bus_closure(const struct bus_owner *owner, uint32_t number);
/* The owner with a reference to be given back, or NULL when it is gone. */
struct bus_owner *bus_closure_find(void *closure, uint32_t *ret_number);

#endif
