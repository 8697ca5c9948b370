/* A bounded queue from any thread onto the loop. Puts run on foreign threads, everything else on the loop thread.
 * Must not call foreign code with its lock held. */
#include "shared/loop/inlet.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "shared/base/cleanup.h"

struct inlet {
	uv_async_t async;
	pthread_mutex_t lock; /* guards head, tail, count, closed, and that async is open while it is sent to */
	struct inlet_item *head, **tail;
	size_t count, max_items;
	bool closed;
	atomic_uint refs;
	inlet_fn fn;
	inlet_drop_fn drop;
	void *arg;
};

static struct inlet_item *take_all(struct inlet *inlet)
{
	struct inlet_item *items;

	pthread_mutex_lock(&inlet->lock);
	items = inlet->head;
	inlet->head = NULL;
	inlet->tail = &inlet->head;
	inlet->count = 0;
	pthread_mutex_unlock(&inlet->lock);
	return items;
}

static void drop_all(struct inlet *inlet, struct inlet_item *items)
{
	while (items) {
		struct inlet_item *item = items;

		items = item->next;
		item->next = NULL;
		inlet->drop(item);
	}
}

static void on_wake(uv_async_t *async)
{
	struct inlet *inlet = CONTAINER_OF(async, struct inlet, async);
	struct inlet_item *items = take_all(inlet);

	/* The loop thread alone writes closed, so it may read it without the lock. */
	while (items && !inlet->closed) {
		struct inlet_item *item = items;

		items = item->next;
		item->next = NULL;
		inlet->fn(inlet->arg, item);
	}
	drop_all(inlet, items);
}

int inlet_new(struct loop *loop, size_t max_items, inlet_fn fn, inlet_drop_fn drop, void *arg, struct inlet **ret_inlet)
{
	struct inlet *inlet;
	int r;

	assert(fn && drop && max_items > 0);
	inlet = calloc(1, sizeof(*inlet));
	if (!inlet)
		return -ENOMEM;
	inlet->tail = &inlet->head;
	inlet->max_items = max_items;
	inlet->fn = fn;
	inlet->drop = drop;
	inlet->arg = arg;
	atomic_init(&inlet->refs, 1);
	r = -pthread_mutex_init(&inlet->lock, NULL);
	if (r < 0) {
		free(inlet);
		return r;
	}
	r = uv_async_init(&loop->uv, &inlet->async, on_wake);
	if (r < 0) {
		pthread_mutex_destroy(&inlet->lock);
		free(inlet);
		return r;
	}
	*ret_inlet = inlet;
	return 0;
}

int inlet_put(struct inlet *inlet, struct inlet_item *item)
{
	int r = 0;

	pthread_mutex_lock(&inlet->lock);
	if (inlet->closed) {
		r = -ESHUTDOWN;
	} else if (inlet->count >= inlet->max_items) {
		r = -ENOBUFS;
	} else {
		item->next = NULL;
		*inlet->tail = item;
		inlet->tail = &item->next;
		/* One wake is enough for all that come before the loop drains. */
		if (inlet->count++ == 0)
			uv_async_send(&inlet->async);
	}
	pthread_mutex_unlock(&inlet->lock);
	return r;
}

struct inlet *inlet_ref(struct inlet *inlet)
{
	atomic_fetch_add_explicit(&inlet->refs, 1, memory_order_relaxed);
	return inlet;
}

void inlet_unref(struct inlet *inlet)
{
	if (!inlet || atomic_fetch_sub_explicit(&inlet->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_destroy(&inlet->lock);
	free(inlet);
}

static void on_closed(uv_handle_t *handle)
{
	inlet_unref(CONTAINER_OF((uv_async_t *)handle, struct inlet, async));
}

void inlet_close(struct inlet *inlet)
{
	if (!inlet || inlet->closed)
		return;
	pthread_mutex_lock(&inlet->lock);
	inlet->closed = true;
	pthread_mutex_unlock(&inlet->lock);
	drop_all(inlet, take_all(inlet));
	uv_close((uv_handle_t *)&inlet->async, on_closed);
}
