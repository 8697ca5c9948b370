/* What time it is at Discord, whatever our own wall clock says: snowflakes of what just came are the measure, carried
 * on by CLOCK_BOOTTIME. A wall clock that is wrong, or that jumps by hours, makes no interaction too old. One per
 * process, loop thread only.
 *
 * Each snowflake says "it is at least so late there"; the latest such word counts, less what clocks may drift apart
 * since (so that it is never late for long). What comes late itself, a replay say, changes nothing. */
#ifndef SHOAL_SHARED_DISCORD_DISCORD_TIME_H
#define SHOAL_SHARED_DISCORD_DISCORD_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Something with @snowflake has come: Discord's clock had that time, or a later one. Ignored when it is beyond belief.
 */
void discord_time_note(uint64_t snowflake);
/* An answer of Discord's bears this Date (whole seconds). Believed where our wall clock says about the same: then what
 * comes first may be a replay, and is seen to be old. Whoever wrote the header, it alone makes nothing old. */
void discord_time_note_date(int64_t date_ms);
/* Milliseconds since 1970, by Discord's clock as far as it is known; else our own wall clock. */
int64_t discord_time_ms(void);
/* How old @snowflake is, in milliseconds; 0 for what seems to come from the future. */
uint64_t discord_time_age_ms(uint64_t snowflake);

/* Discord's milliseconds less CLOCK_BOOTTIME's, for whoever comes after us in this boot; false: not known. */
bool discord_time_offset(int64_t *ret_offset_ms);
/* What another process of this boot knew. */
void discord_time_seed(int64_t offset_ms);
/* For tests. */
void discord_time_forget(void);

#endif
