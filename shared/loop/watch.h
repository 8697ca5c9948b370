/* The one checked owner of every uv_poll on a foreign library's descriptor (curl, libpq, our own sockets).
 * Rule (libuv 1.44): stop the watch BEFORE the library can close its descriptor, or the next socket that gets the
 * number breaks the loop. Heap-allocated, because uv handles close asynchronously. Loop thread only. */
#ifndef SHOAL_SHARED_LOOP_WATCH_H
#define SHOAL_SHARED_LOOP_WATCH_H

#include "shared/loop/loop.h"

struct watch;

enum watch_events { WATCH_READ = UV_READABLE, WATCH_WRITE = UV_WRITABLE };

/* @error is 0 or negative errno; @events a set of watch_events. An error condition of the socket itself (refused,
 * reset) comes as 0 with every event that was waited for: the owner's next call on it tells the error in the library's
 * words. An owner that never fetches it gets -EIO and the watch is paused. */
typedef void (*watch_fn)(void *arg, int error, int events);

/* Watches @fd (borrowed) for @events (may be 0: nothing yet). -errno: nothing is kept. */
int watch_new(struct loop *loop, int fd, int events, watch_fn fn, void *arg, struct watch **ret_watch);
/* Changes what is waited for; 0 pauses. */
int watch_set(struct watch *watch, int events);
/* Stops at once (no further callback, the descriptor may be closed by its owner right after) and frees when libuv is
 * done. NULL is nothing to do. */
void watch_free(struct watch *watch);

#endif
