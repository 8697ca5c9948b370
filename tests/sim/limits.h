/* REST rate limits: buckets, the global limit, and the count of invalid requests that ends in a block. */
#ifndef SIM_LIMITS_H
#define SIM_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct limit {
	char hash[33];
	uint32_t limit, remaining;
	double reset_after_s;
	double reset_at_s; /* Unix time */
	bool refused;
};

/* Takes one request from bucket @name of major parameter @major. */
void limits_take(const char *name, uint64_t major, uint32_t limit, uint32_t window_ms, struct limit *ret);
/* Takes one from the global limit. False when it is used up; then @ret_retry_s says for how long. */
bool limits_take_global(double *ret_retry_s);
/* Counts a 401, 403 or 429 that is not shared. */
void limits_invalid(void);
/* True while the address is blocked for too many of them. */
bool limits_blocked(void);
/* {invalid_in_window, blocked, block_count, limited_bucket, limited_global}. New reference. */
json_t *limits_json(void);
void limits_reset(void);
void limits_tick(uint64_t now_ms);

#endif
