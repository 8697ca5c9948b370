/* Times and durations as people write them, in English, German, Italian and Spanish. Pure but for the zones' cache;
 * loop thread only; any bytes are safe. */
#ifndef SHOAL_SHARED_SCHEDULE_WHEN_H
#define SHOAL_SHARED_SCHEDULE_WHEN_H

#include <stddef.h>
#include <stdint.h>

#include <shoal/job.h>

#define WHEN_AHEAD_MAX_MS (10LL * 366 * 86400 * 1000)
/* A day without an hour ("tomorrow") means this one. */
#define WHEN_HOUR_DEFAULT 9

/* As shoal_when_parse(). */
int when_parse(const char *text, const char *zone, int64_t now_ms, struct shoal_when *ret_when);

#endif
