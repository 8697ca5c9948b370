/* SPDX-License-Identifier: MIT */
/* Discord's ids: 64 bits, of which the upper 42 are milliseconds since 2015 (source: facts section 1). 0 means none. */
#ifndef SHOAL_SNOWFLAKE_H
#define SHOAL_SNOWFLAKE_H

#include <stddef.h>
#include <stdint.h>

#define SHOAL_SNOWFLAKE_EPOCH_MS UINT64_C(1420070400000)
#define SHOAL_SNOWFLAKE_TEXT_MAX 21 /* 20 digits and the NUL */

/* Unix milliseconds at which @id was made. */
static inline uint64_t shoal_snowflake_ms(uint64_t id)
{
	return (id >> 22) + SHOAL_SNOWFLAKE_EPOCH_MS;
}

/* The smallest id of the millisecond @unix_ms (for `before` and `after`); 0 for times before the epoch. */
static inline uint64_t shoal_snowflake_at(uint64_t unix_ms)
{
	return unix_ms <= SHOAL_SNOWFLAKE_EPOCH_MS ? 0 : (unix_ms - SHOAL_SNOWFLAKE_EPOCH_MS) << 22;
}

/* The shard that owns @guild_id; @guild_id 0 (direct messages) belongs to shard 0 (source: facts section 6). */
static inline uint32_t shoal_snowflake_shard(uint64_t guild_id, uint32_t shard_count)
{
	return shard_count == 0 ? 0 : (uint32_t)((guild_id >> 22) % shard_count);
}

/* Parses exactly @len decimal digits. Returns 0; -EINVAL when empty or not all digits; -ERANGE above 64 bits.
 * @ret_id is untouched on failure. Any thread. */
int shoal_snowflake_parse(const char *text, size_t len, uint64_t *ret_id);

/* Writes @id in decimal with a NUL into @text (SHOAL_SNOWFLAKE_TEXT_MAX bytes) and returns its length. Any thread. */
size_t shoal_snowflake_print(uint64_t id, char text[SHOAL_SNOWFLAKE_TEXT_MAX]);

#endif
