/* A hash map from a 64-bit id (never 0) to a pointer. */
#ifndef SIM_MAP_H
#define SIM_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t key;
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t cap; /* a power of two, or 0 */
	size_t used;
};

void *map_get(const struct map *map, uint64_t key);
/* Puts or replaces. 0 or -ENOMEM. */
int map_put(struct map *map, uint64_t key, void *value);
/* Removes and returns the value, or NULL. */
void *map_remove(struct map *map, uint64_t key);
/* Frees the table (not the values). */
void map_free(struct map *map);

#define MAP_EACH(map, slot)                                                                  \
	for (struct map_slot *slot = (map)->slots; slot < (map)->slots + (map)->cap; slot++) \
		if (slot->key)

#endif
