/* Cooldowns: how often a command may be used by one member, in one guild, in one channel. Each is a token bucket kept
 * as one time (GCRA): full at first, @uses at once, then one each @seconds / @uses. In memory alone: a worker that died
 * has forgotten them, which lets a member through once more and never locks one out. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_COOLDOWNS_H
#define SHOAL_SHARD_COMMANDS_COOLDOWNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/command.h>

/* Buckets that are not full, over all commands; 80 bytes each. When there are more, the one begun longest ago is taken
 * for full. */
#define COOLDOWNS_MAX 32768

struct cooldowns;

/* Who uses it. Ids of 0 (no guild: a direct message) have no bucket. */
struct cooldown_use {
	const void *command; /* tells commands apart */
	uint64_t user_id, guild_id, channel_id;
};

/* @max 0: COOLDOWNS_MAX. -ENOMEM. */
int cooldowns_new(size_t max, struct cooldowns **ret_cooldowns);
struct cooldowns *cooldowns_free(struct cooldowns *cooldowns);

/* Takes one use out of every row's bucket, or of none. 0: go on. Else the milliseconds until it would be allowed, by
 * the row that wants the longest (*ret_row). *ret_again: that was said to this user already and nothing was allowed
 * since. No memory for a bucket counts as full: a command that can't be counted is not refused. @now_ns: monotonic. */
uint64_t cooldowns_take(struct cooldowns *cooldowns, const struct shoal_cooldown *rows, size_t row_count,
			const struct cooldown_use *use, uint64_t now_ns, const struct shoal_cooldown **ret_row,
			bool *ret_again);

size_t cooldowns_count(const struct cooldowns *cooldowns);

#endif
