/* The one checked owner of every uv_poll. Loop thread only.
 * Stops before the descriptor's owner closes it, looks at every return of libuv, and never reads from the descriptor.
 */
#include "shared/loop/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "shared/base/cleanup.h"

/* Error conditions in a row, with nothing else between, after which an owner is told -EIO instead of being called again
 * and again: it does not fetch the socket's error, and the loop would spin. */
#define ERRORS_IN_A_ROW 16

struct watch {
	uv_poll_t poll;
	watch_fn fn;
	void *arg;
	int fd;
	int events;
	unsigned errors;
	bool freed; /* closing; the memory goes in libuv's callback */
};

static void on_poll(uv_poll_t *poll, int status, int events);

static int arm(struct watch *watch)
{
	if (watch->events == 0)
		return uv_poll_stop(&watch->poll);
	return uv_poll_start(&watch->poll, watch->events, on_poll);
}

/* libuv says EBADF for every POLLERR and stops the handle. The socket's own error is left in place (asking SO_ERROR
 * would take it from the library that owns the socket). */
static void on_error(struct watch *watch, int status)
{
	struct pollfd probe = { .fd = watch->fd };
	int events = watch->events;
	int r;

	if (status == UV_EBADF && poll(&probe, 1, 0) >= 0 && !(probe.revents & POLLNVAL)) {
		if (++watch->errors <= ERRORS_IN_A_ROW) {
			watch->fn(watch->arg, 0, events);
			if (watch->freed)
				return;
			r = arm(watch);
			if (r == 0)
				return;
			status = r;
		} else {
			status = -EIO;
		}
	}
	watch->events = 0;
	uv_poll_stop(&watch->poll);
	watch->fn(watch->arg, status, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = CONTAINER_OF(poll, struct watch, poll);

	if (watch->freed)
		return;
	if (status < 0) {
		on_error(watch, status);
		return;
	}
	watch->errors = 0;
	watch->fn(watch->arg, 0, events & (WATCH_READ | WATCH_WRITE));
}

static void on_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF((uv_poll_t *)handle, struct watch, poll));
}

int watch_new(struct loop *loop, int fd, int events, watch_fn fn, void *arg, struct watch **ret_watch)
{
	struct watch *watch;
	int r;

	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->fn = fn;
	watch->arg = arg;
	watch->fd = fd;
	watch->events = events;
	r = uv_poll_init(&loop->uv, &watch->poll, fd);
	if (r < 0) {
		/* Not linked into the loop: plain memory still. UV_EEXIST: somebody closed a watched descriptor. */
		free(watch);
		return r;
	}
	r = arm(watch);
	if (r < 0) {
		watch_free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

int watch_set(struct watch *watch, int events)
{
	int before = watch->events;
	int r;

	if (events == before && (events == 0 || uv_is_active((uv_handle_t *)&watch->poll)))
		return 0;
	watch->events = events;
	r = arm(watch);
	if (r < 0)
		watch->events = before;
	return r;
}

void watch_free(struct watch *watch)
{
	if (!watch || watch->freed)
		return;
	watch->freed = true;
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *)&watch->poll, on_closed);
}
