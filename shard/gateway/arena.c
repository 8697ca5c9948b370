/* SPDX-License-Identifier: MIT */
/* Memory of one event. Run by whoever decodes, on the loop. Chunks grow by doubling up to a fixed total; a reset keeps
 * one of ordinary size, so that a warm arena is a pointer that moves, and a rare huge event leaves nothing behind. It
 * must never pass its maximum: the bytes that ask for memory are hostile. */
#include "shard/gateway/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN ((size_t)16 * 1024)

struct arena_chunk {
	struct arena_chunk *older;
	size_t size_bytes; /* of the whole chunk, this head included */
	char room[];
};

static size_t round_up(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

void arena_init(struct arena *arena, size_t max_bytes)
{
	*arena = (struct arena){ .max_bytes = max_bytes };
}

static void free_chunks(struct arena_chunk *chunk)
{
	while (chunk) {
		struct arena_chunk *older = chunk->older;

		free(chunk);
		chunk = older;
	}
}

void arena_finish(struct arena *arena)
{
	free_chunks(arena->head);
	arena_init(arena, arena->max_bytes);
}

void arena_reset(struct arena *arena)
{
	struct arena_chunk *keep = NULL, *chunk;

	for (chunk = arena->head; chunk; chunk = chunk->older)
		if (chunk->size_bytes <= ARENA_KEEP_BYTES && (!keep || chunk->size_bytes > keep->size_bytes))
			keep = chunk;
	while ((chunk = arena->head)) {
		arena->head = chunk->older;
		if (chunk != keep)
			free(chunk);
	}
	arena_init(arena, arena->max_bytes);
	if (!keep)
		return;
	keep->older = NULL;
	arena->head = keep;
	arena->total_bytes = keep->size_bytes;
	arena->next = keep->room;
	arena->end = (char *)keep + keep->size_bytes;
}

/* A new chunk with room for @size more bytes, at least twice the last one's if the maximum leaves that. */
static bool add_chunk(struct arena *arena, size_t size)
{
	size_t left = arena->max_bytes - arena->total_bytes;
	size_t want = arena->head ? arena->head->size_bytes * 2 : CHUNK_MIN;
	struct arena_chunk *chunk;

	if (left < sizeof(*chunk) || size > left - sizeof(*chunk))
		return false;
	if (want < size + sizeof(*chunk))
		want = size + sizeof(*chunk);
	if (want > left)
		want = left;
	chunk = malloc(want);
	if (!chunk)
		return false;
	chunk->older = arena->head;
	chunk->size_bytes = want;
	arena->head = chunk;
	arena->next = chunk->room;
	arena->end = (char *)chunk + want;
	arena->total_bytes += want;
	return true;
}

static void *take(struct arena *arena, size_t size)
{
	void *ptr;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = round_up(size);
	if (size > (size_t)(arena->end - arena->next) && !add_chunk(arena, size))
		return NULL;
	ptr = arena->next;
	arena->next += size;
	return ptr;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	void *ptr = take(arena, size);

	return ptr ? memset(ptr, 0, size) : NULL;
}

/* @ptr of @size bytes is what was handed out last. */
static bool is_last(const struct arena *arena, const void *ptr, size_t size)
{
	return ptr && (const char *)ptr + round_up(size) == arena->next;
}

void *arena_grow(struct arena *arena, void *ptr, size_t old_size, size_t new_size)
{
	char *grown = ptr;

	if (new_size > SIZE_MAX / 2)
		return NULL;
	if (is_last(arena, ptr, old_size) && round_up(new_size) <= (size_t)(arena->end - grown)) {
		arena->next = grown + round_up(new_size);
	} else {
		grown = take(arena, new_size);
		if (!grown)
			return NULL;
		if (old_size)
			memcpy(grown, ptr, old_size);
	}
	memset(grown + old_size, 0, new_size - old_size);
	return grown;
}

void arena_shrink(struct arena *arena, void *ptr, size_t old_size, size_t new_size)
{
	if (is_last(arena, ptr, old_size))
		arena->next = (char *)ptr + round_up(new_size);
}
