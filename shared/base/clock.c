/* Reads the system's clocks, kinds kept apart. Any thread; the fake is for tests' single thread.
 * Must not be used to turn wall time into intervals. */
#include "shared/base/clock.h"

#include <stdio.h>
#include <time.h>

static const uint64_t *fake;

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts = { 0, 0 };

	/* Cannot fail for the clock ids used here on any Linux that we support. */
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	uint64_t now = fake ? *fake : read_clock(CLOCK_MONOTONIC);

	/* 0 stands for "never" in many a field. */
	return now ? now : 1;
}

uint64_t clock_boottime_ns(void)
{
	uint64_t now = fake ? *fake : read_clock(CLOCK_BOOTTIME);

	return now ? now : 1;
}

int64_t clock_wall_ms(void)
{
	return (int64_t)(read_clock(CLOCK_REALTIME) / NS_PER_MS);
}

uint64_t clock_cpu_ns(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* Years that fit the text; what lies outside is shown as the nearest end. */
#define ISO_MIN_MS (-62167219200000LL) /* 0000-01-01 */
#define ISO_MAX_MS 253402300799999LL   /* 9999-12-31T23:59:59.999 */

char *clock_format_iso(int64_t wall_ms, char text[CLOCK_ISO_SIZE])
{
	char wide[64];
	struct tm tm;
	time_t seconds;
	int64_t ms;

	if (wall_ms < ISO_MIN_MS)
		wall_ms = ISO_MIN_MS;
	if (wall_ms > ISO_MAX_MS)
		wall_ms = ISO_MAX_MS;
	ms = wall_ms % 1000;
	if (ms < 0)
		ms += 1000;
	seconds = (time_t)((wall_ms - ms) / 1000);
	gmtime_r(&seconds, &tm);
	/* Through a wider text: the compiler can't see that the clamp above makes every number fit. */
	snprintf(wide, sizeof(wide), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)ms);
	for (int i = 0; i < CLOCK_ISO_SIZE; i++)
		text[i] = wide[i];
	text[CLOCK_ISO_SIZE - 1] = '\0';
	return text;
}

void clock_set_fake(const uint64_t *fake_ns)
{
	fake = fake_ns;
}
