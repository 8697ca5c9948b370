/* When something is to be done again: an interval, or an expression of cron's with a time zone. Pure but for the zones'
 * cache; loop thread only. */
#ifndef SHOAL_SHARED_SCHEDULE_REPEAT_H
#define SHOAL_SHARED_SCHEDULE_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/job.h>

#define REPEAT_ERROR_SIZE  160
#define REPEAT_EVERY_MAX_S (366LL * 86400)
#define REPEAT_YEARS_AHEAD 30 /* 29 February on a Monday comes every 28 years */

struct repeat {
	int64_t every_s;  /* 0: by the fields */
	uint64_t minutes; /* a bit each */
	uint32_t hours, days, months, weekdays;
	bool any_hour, any_day, any_weekday; /* were written as '*' */
	char zone[SHOAL_ZONE_MAX + 1];       /* "": UTC */
};

/* "every 90s", "every 2d1h", "0 9 * * mon-fri Europe/Rome", "@daily". -EINVAL, with a sentence. */
int repeat_parse(const char *text, struct repeat *ret_repeat, char error[REPEAT_ERROR_SIZE]);
/* The first time after @after_ms (Unix); of an interval: @anchor_ms and whole intervals from there. INT64_MAX: never
 * (the 30th of February), or the zone is not there any more. */
int64_t repeat_next(const struct repeat *repeat, int64_t anchor_ms, int64_t after_ms);
/* How many times lie after @after_ms and not after @until_ms, counted up to @most. */
uint32_t repeat_count(const struct repeat *repeat, int64_t anchor_ms, int64_t after_ms, int64_t until_ms,
		      uint32_t most);

#endif
