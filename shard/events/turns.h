/* Whose turn it is: two queues a guild (interactions; the rest), guilds one after the other, and a limit on how many
 * events of one guild are handled at the same time. A raided guild waits for itself, not the others for it. Loop thread
 * only. */
#ifndef SHOAL_SHARD_EVENTS_TURNS_H
#define SHOAL_SHARD_EVENTS_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct turns;

enum turn_lane { TURN_INTERACTION, TURN_OTHER, TURN_LANE_COUNT };

/* One event that waits to be handled. */
struct turn {
	uint64_t guild_id; /* 0: direct messages, which take turns as one guild */
	uint64_t session, sequence;
	uint64_t position;        /* in the inbox; what is parked is found by session and sequence */
	uint32_t d_offset, d_len; /* of d within the payload; d_len 0: scan the payload again */
	uint16_t type;            /* enum shoal_event_type */
	bool parked;
	bool again;    /* a worker before us had begun it */
	bool doubtful; /* … and what it had done may not be known */
};

/* @open_max: events of one guild under way at once. -ENOMEM. */
int turns_new(uint32_t open_max, struct turns **ret_turns);
struct turns *turns_free(struct turns *turns);

/* Asked before an event of @guild_id is given out. False: the guild sleeps, nothing of it is given, until turns_wake(),
 * which must come; it may come from within. Unset: all may. */
typedef bool (*turns_ready_fn)(void *arg, uint64_t guild_id);
void turns_ask(struct turns *turns, turns_ready_fn ready, void *arg);
void turns_wake(struct turns *turns, uint64_t guild_id);

/* Copies @turn to the end of its guild's queue. -ENOMEM. */
int turns_add(struct turns *turns, enum turn_lane lane, const struct turn *turn);
/* The next one whose guild may begin another; it is under way from now on until turns_done(). Within a guild the lanes
 * take turns too. False: none may begin. */
bool turns_next(struct turns *turns, struct turn *ret_turn);
/* One event of @guild_id is no longer under way. */
void turns_done(struct turns *turns, uint64_t guild_id);

size_t turns_waiting(const struct turns *turns);
/* Whether turns_next() would give one. */
bool turns_ready(const struct turns *turns);

#endif
