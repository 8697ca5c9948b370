/* A bounded queue from foreign threads (nats.c, helpers) onto the loop: any thread puts, the loop thread is woken and
 * drains the whole queue. */
#ifndef SHOAL_SHARED_LOOP_INLET_H
#define SHOAL_SHARED_LOOP_INLET_H

#include <stddef.h>

#include "shared/loop/loop.h"

struct inlet;

/* An item is linked by its first member; the inlet owns it from a successful put until @fn gets it. */
struct inlet_item {
	struct inlet_item *next;
};

/* Loop thread; takes the item. */
typedef void (*inlet_fn)(void *arg, struct inlet_item *item);
/* Frees an item that was never delivered (close with items queued). Any thread. */
typedef void (*inlet_drop_fn)(struct inlet_item *item);

/* The inlet keeps the loop running until it is closed. */
int inlet_new(struct loop *loop, size_t max_items, inlet_fn fn, inlet_drop_fn drop, void *arg,
	      struct inlet **ret_inlet);
/* Any thread. -ENOBUFS when full, -ESHUTDOWN when closed: the item stays the caller's. */
int inlet_put(struct inlet *inlet, struct inlet_item *item);
/* Loop thread. After it returns puts are refused and @fn is not called again; queued items are dropped. Gives up the
 * creator's reference: the memory is freed once libuv and every inlet_ref() are done with it. */
void inlet_close(struct inlet *inlet);
/* A foreign thread that may still call inlet_put() holds a reference. */
struct inlet *inlet_ref(struct inlet *inlet);
void inlet_unref(struct inlet *inlet);

#endif
