/* SPDX-License-Identifier: MIT */
/* Memory of one event: handed out piecewise, given back at once, bounded. */
#ifndef SHOAL_GATEWAY_ARENA_H
#define SHOAL_GATEWAY_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* An event's structs take about twice the bytes of its text; an ordinary event has a few KB. */
#define ARENA_KEEP_BYTES ((size_t)128 * 1024)

struct arena_chunk;

/* Embedded by value. Loop thread only. */
struct arena {
	struct arena_chunk *head; /* the newest and largest chunk */
	char *next;               /* free room in head */
	char *end;
	size_t total_bytes; /* in all chunks */
	size_t max_bytes;
};

/* An empty arena that will never hold more than @max_bytes in all. Allocates nothing yet. */
void arena_init(struct arena *arena, size_t max_bytes);

/* Frees all. The arena may be used again. */
void arena_finish(struct arena *arena);

/* Forgets all that was handed out. Keeps the largest chunk of at most ARENA_KEEP_BYTES, so that a warm arena doesn't
 * call malloc for ordinary events, and a huge one does not stay in the worker's memory. */
void arena_reset(struct arena *arena);

/* Zeroed memory of @size bytes, aligned to 8; NULL when it would pass the arena's maximum (or malloc fails). */
void *arena_alloc(struct arena *arena, size_t size);

/* Makes the last allocation @ptr of @old_size bytes @new_size long, in place when it can (the new bytes are zeroed),
 * else by a copy. @ptr may be NULL with @old_size 0. NULL when full; @ptr stays valid then. */
void *arena_grow(struct arena *arena, void *ptr, size_t old_size, size_t new_size);

/* Gives back the tail of the last allocation: of @old_size bytes only @new_size are needed. */
void arena_shrink(struct arena *arena, void *ptr, size_t old_size, size_t new_size);

#endif
