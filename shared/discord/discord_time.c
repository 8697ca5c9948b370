/* One number: the offset of Discord's clock to ours, and when it was learned. */
#include "shared/discord/discord_time.h"

#include <shoal/snowflake.h>

#include "shared/base/clock.h"

/* How fast two clocks may drift apart: what the kernel slews at most. */
#define DRIFT_PER_MS 2000 /* 1 ms in so many */
/* A first word may differ by so much from our wall clock, a later one from what is known, before it is taken for
 * nonsense: one scribbled id must not make every interaction look old. */
#define FIRST_MAX_MS (48LL * 3600 * 1000)
#define LEAP_MAX_MS  60000LL

static struct {
	bool known;
	int64_t offset_ms;
	int64_t learned_ms; /* boottime */
} here;

static int64_t boottime_ms(void)
{
	return (int64_t)(clock_boottime_ns() / NS_PER_MS);
}

static int64_t offset_now(int64_t now_ms)
{
	return here.offset_ms - (now_ms - here.learned_ms) / DRIFT_PER_MS;
}

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

/* Discord's clock had @discord_ms, or is later. */
static void note(int64_t discord_ms)
{
	int64_t now_ms = boottime_ms();
	int64_t offset_ms = discord_ms - now_ms, wall_distance_ms;

	if (here.known && offset_ms <= offset_now(now_ms))
		return;
	wall_distance_ms = distance(discord_ms, clock_wall_ms());
	if (here.known ? offset_ms - offset_now(now_ms) > LEAP_MAX_MS && wall_distance_ms > LEAP_MAX_MS
		       : wall_distance_ms > FIRST_MAX_MS)
		return;
	here.known = true;
	here.offset_ms = offset_ms;
	here.learned_ms = now_ms;
}

void discord_time_note(uint64_t snowflake)
{
	note((int64_t)shoal_snowflake_ms(snowflake));
}

void discord_time_note_date(int64_t date_ms)
{
	if (distance(date_ms, clock_wall_ms()) <= LEAP_MAX_MS)
		note(date_ms);
}

int64_t discord_time_ms(void)
{
	int64_t now_ms = boottime_ms();

	return here.known ? now_ms + offset_now(now_ms) : clock_wall_ms();
}

uint64_t discord_time_age_ms(uint64_t snowflake)
{
	int64_t age_ms = discord_time_ms() - (int64_t)shoal_snowflake_ms(snowflake);

	return age_ms > 0 ? (uint64_t)age_ms : 0;
}

bool discord_time_offset(int64_t *ret_offset_ms)
{
	if (here.known)
		*ret_offset_ms = offset_now(boottime_ms());
	return here.known;
}

void discord_time_seed(int64_t offset_ms)
{
	here.known = true;
	here.offset_ms = offset_ms;
	here.learned_ms = boottime_ms();
}

void discord_time_forget(void)
{
	here.known = false;
}
