/* Time zones with their summer times: what an instant is called in a place, and which instant a place's date and time
 * is. Read from the system's time zone database (tzdata; without it UTC and fixed offsets are what there is). The
 * process's own zone is neither asked nor changed. Loop thread only: zones are kept in a cache. */
#ifndef SHOAL_SHARED_SCHEDULE_ZONE_H
#define SHOAL_SHARED_SCHEDULE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/job.h>

struct zone;

/* "UTC", "+02:00", "UTC-3:30", "Europe/Rome"; "" and NULL are UTC. Borrowed until the next zone_find(). -ENOENT: there
 * is no such zone; -EBADMSG: its file is not one; -ENOMEM. */
int zone_find(const char *name, const struct zone **ret_zone);
/* Seconds east of UTC at that instant (Unix seconds). */
int32_t zone_offset_s(const struct zone *zone, int64_t at_s);
void zone_local(const struct zone *zone, int64_t at_ms, struct shoal_local *ret_local);
/* Unix seconds of a date and time there (year … second; months from 1; days and more beyond their range count on). What
 * is skipped by summer time is the first moment after it; what comes twice is the first of the two. */
int64_t zone_instant(const struct zone *zone, const struct shoal_local *local);

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back. */
int64_t zone_days(int32_t year, int32_t month, int32_t day);
void zone_date(int64_t days, int32_t *ret_year, int32_t *ret_month, int32_t *ret_day);
int32_t zone_days_of_month(int32_t year, int32_t month);

/* A file's bytes (RFC 8536). New zone; -EBADMSG. For zone_find() and tests; free with zone_free(). */
int zone_parse(const void *bytes, size_t len, struct zone **ret_zone);
struct zone *zone_free(struct zone *zone);

#endif
