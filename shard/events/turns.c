/* A ring of guilds that have something to begin, a hash of those that have anything at all. Nodes and guilds come from
 * free lists: a warm worker allocates nothing here. */
#include "shard/events/turns.h"

#include <errno.h>
#include <stdlib.h>

#include <uthash.h>
#include <utlist.h>

#include "shared/base/cleanup.h"

#define SPARE_MAX 1024 /* freed nodes and guilds that are kept, each */

struct node {
	struct turn turn;
	struct node *next;
};

struct lane {
	struct node *first, *last;
};

struct guild {
	uint64_t id;
	struct lane lanes[TURN_LANE_COUNT];
	uint32_t open;
	uint8_t next_lane;
	bool in_ring, asleep;
	struct guild *prev, *next;
	UT_hash_handle hh;
};

struct turns {
	struct guild *guilds; /* hash */
	struct guild *ring;   /* those that may begin one, in turn */
	struct node *spare_nodes;
	struct guild *spare_guilds;
	uint32_t spare_node_count, spare_guild_count;
	uint32_t open_max;
	size_t waiting;
	turns_ready_fn ready;
	void *ready_arg;
};

int turns_new(uint32_t open_max, struct turns **ret_turns)
{
	struct turns *turns = calloc(1, sizeof(*turns));

	if (!turns)
		return -ENOMEM;
	turns->open_max = open_max;
	*ret_turns = turns;
	return 0;
}

static void free_lane(struct lane *lane)
{
	struct node *node;

	while ((node = lane->first)) {
		lane->first = node->next;
		free(node);
	}
}

struct turns *turns_free(struct turns *turns)
{
	struct guild *guild, *next;
	struct node *node;
	int lane;

	if (!turns)
		return NULL;
	HASH_ITER (hh, turns->guilds, guild, next) {
		HASH_DEL(turns->guilds, guild);
		for (lane = 0; lane < TURN_LANE_COUNT; lane++)
			free_lane(&guild->lanes[lane]);
		free(guild);
	}
	while ((guild = turns->spare_guilds)) {
		turns->spare_guilds = guild->next;
		free(guild);
	}
	while ((node = turns->spare_nodes)) {
		turns->spare_nodes = node->next;
		free(node);
	}
	free(turns);
	return NULL;
}

static struct node *take_node(struct turns *turns)
{
	struct node *node = turns->spare_nodes;

	if (!node)
		return malloc(sizeof(*node));
	turns->spare_nodes = node->next;
	turns->spare_node_count--;
	return node;
}

static void give_node(struct turns *turns, struct node *node)
{
	if (turns->spare_node_count >= SPARE_MAX) {
		free(node);
		return;
	}
	node->next = turns->spare_nodes;
	turns->spare_nodes = node;
	turns->spare_node_count++;
}

static struct guild *find(struct turns *turns, uint64_t id)
{
	struct guild *guild;

	HASH_FIND(hh, turns->guilds, &id, sizeof(id), guild);
	return guild;
}

static struct guild *find_or_add(struct turns *turns, uint64_t id)
{
	struct guild *guild = find(turns, id);

	if (guild)
		return guild;
	guild = turns->spare_guilds;
	if (guild) {
		turns->spare_guilds = guild->next;
		turns->spare_guild_count--;
	} else {
		guild = malloc(sizeof(*guild));
		if (!guild)
			return NULL;
	}
	memset(guild, 0, sizeof(*guild));
	guild->id = id;
	HASH_ADD(hh, turns->guilds, id, sizeof(id), guild);
	return guild;
}

static bool has_waiting(const struct guild *guild)
{
	return guild->lanes[TURN_INTERACTION].first || guild->lanes[TURN_OTHER].first;
}

/* Puts the guild where it belongs now: into the ring, out of it, or to the spare ones. */
static void settle(struct turns *turns, struct guild *guild)
{
	bool may_begin = has_waiting(guild) && guild->open < turns->open_max && !guild->asleep;

	if (may_begin && !guild->in_ring) {
		DL_APPEND(turns->ring, guild);
		guild->in_ring = true;
	} else if (!may_begin && guild->in_ring) {
		DL_DELETE(turns->ring, guild);
		guild->in_ring = false;
	}
	if (has_waiting(guild) || guild->open > 0)
		return;
	HASH_DEL(turns->guilds, guild);
	if (turns->spare_guild_count >= SPARE_MAX) {
		free(guild);
		return;
	}
	guild->next = turns->spare_guilds;
	turns->spare_guilds = guild;
	turns->spare_guild_count++;
}

int turns_add(struct turns *turns, enum turn_lane lane, const struct turn *turn)
{
	struct node *node = take_node(turns);
	struct guild *guild = node ? find_or_add(turns, turn->guild_id) : NULL;
	struct lane *to;

	if (!guild) {
		free(node);
		return -ENOMEM;
	}
	node->turn = *turn;
	node->next = NULL;
	to = &guild->lanes[lane];
	if (to->last)
		to->last->next = node;
	else
		to->first = node;
	to->last = node;
	turns->waiting++;
	settle(turns, guild);
	return 0;
}

void turns_ask(struct turns *turns, turns_ready_fn ready, void *arg)
{
	turns->ready = ready;
	turns->ready_arg = arg;
}

void turns_wake(struct turns *turns, uint64_t guild_id)
{
	struct guild *guild = find(turns, guild_id);

	if (!guild)
		return;
	guild->asleep = false;
	settle(turns, guild);
}

/* The first of the ring that is ready; the others fall asleep. */
static struct guild *first_ready(struct turns *turns)
{
	struct guild *guild;

	while ((guild = turns->ring) && turns->ready) {
		guild->asleep = true;
		settle(turns, guild); /* out of the ring before it is asked: it may be woken from within */
		if (turns->ready(turns->ready_arg, guild->id))
			guild->asleep = false;
		if (guild->asleep)
			continue;
		if (!guild->in_ring) {
			DL_PREPEND(turns->ring, guild);
			guild->in_ring = true;
		}
		return guild;
	}
	return guild;
}

bool turns_next(struct turns *turns, struct turn *ret_turn)
{
	struct guild *guild = first_ready(turns);
	struct lane *lane;
	struct node *node;

	if (!guild)
		return false;
	if (!guild->lanes[guild->next_lane].first)
		guild->next_lane ^= 1;
	lane = &guild->lanes[guild->next_lane];
	guild->next_lane ^= 1;
	node = lane->first;
	lane->first = node->next;
	if (!lane->first)
		lane->last = NULL;
	*ret_turn = node->turn;
	give_node(turns, node);
	turns->waiting--;
	guild->open++;
	/* To the end of the ring: the others come first. */
	DL_DELETE(turns->ring, guild);
	guild->in_ring = false;
	settle(turns, guild);
	return true;
}

void turns_done(struct turns *turns, uint64_t guild_id)
{
	struct guild *guild = find(turns, guild_id);

	if (!guild || guild->open == 0)
		return;
	guild->open--;
	settle(turns, guild);
}

size_t turns_waiting(const struct turns *turns)
{
	return turns->waiting;
}

bool turns_ready(const struct turns *turns)
{
	return turns->ring != NULL;
}
