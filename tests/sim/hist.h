/* A histogram of durations in microseconds with 3 % resolution. */
#ifndef SIM_HIST_H
#define SIM_HIST_H

#include <stdint.h>

#define HIST_SUB     32 /* buckets in each doubling */
#define HIST_BUCKETS (HIST_SUB * 40)

struct hist {
	uint64_t buckets[HIST_BUCKETS];
	uint64_t count, max, sum;
};

void hist_add(struct hist *h, uint64_t us);
/* The value below which @fraction (0..1) lies; 0 when empty. */
uint64_t hist_at(const struct hist *h, double fraction);

#endif
