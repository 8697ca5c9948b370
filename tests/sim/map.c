/* Open addressing with backward-shift removal. Keys are snowflakes, so they are mixed before use. */
#include "tests/sim/map.h"

#include <errno.h>
#include <stdlib.h>

static size_t home(const struct map *map, uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15ULL) >> 20) & (map->cap - 1);
}

static struct map_slot *find(const struct map *map, uint64_t key)
{
	size_t i = home(map, key);

	while (map->slots[i].key && map->slots[i].key != key)
		i = (i + 1) & (map->cap - 1);
	return &map->slots[i];
}

void *map_get(const struct map *map, uint64_t key)
{
	return map->cap && key ? find(map, key)->value : NULL;
}

int map_put(struct map *map, uint64_t key, void *value)
{
	struct map_slot *slot;

	if (map->used * 4 >= map->cap * 3) {
		struct map bigger = { .cap = map->cap ? map->cap * 2 : 64 };

		bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
		if (!bigger.slots)
			return -ENOMEM;
		MAP_EACH(map, old)
		{
			*find(&bigger, old->key) = *old;
			bigger.used++;
		}
		free(map->slots);
		*map = bigger;
	}
	slot = find(map, key);
	if (!slot->key)
		map->used++;
	*slot = (struct map_slot){ key, value };
	return 0;
}

void *map_remove(struct map *map, uint64_t key)
{
	struct map_slot *slot;
	void *value;
	size_t hole;

	if (!map->cap || !key)
		return NULL;
	slot = find(map, key);
	if (!slot->key)
		return NULL;
	value = slot->value;
	hole = (size_t)(slot - map->slots);
	for (size_t i = (hole + 1) & (map->cap - 1); map->slots[i].key; i = (i + 1) & (map->cap - 1)) {
		size_t wish = home(map, map->slots[i].key);

		if (((i - wish) & (map->cap - 1)) >= ((i - hole) & (map->cap - 1))) {
			map->slots[hole] = map->slots[i];
			hole = i;
		}
	}
	map->slots[hole] = (struct map_slot){ 0 };
	map->used--;
	return value;
}

void map_free(struct map *map)
{
	free(map->slots);
	*map = (struct map){ 0 };
}
