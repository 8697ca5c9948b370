/* Log-linear buckets: the first 32 are exact, then 32 a doubling. */
#include "tests/sim/hist.h"

static unsigned int bucket_of(uint64_t us)
{
	unsigned int top, shift, index;

	if (us < HIST_SUB)
		return (unsigned int)us;
	top = 63 - (unsigned int)__builtin_clzll(us);
	shift = top - 5;
	index = (shift + 1) * HIST_SUB + (unsigned int)(us >> shift) - HIST_SUB;
	return index < HIST_BUCKETS ? index : HIST_BUCKETS - 1;
}

static uint64_t top_of(unsigned int bucket)
{
	unsigned int shift = bucket / HIST_SUB;

	if (!shift)
		return bucket;
	return ((uint64_t)(bucket % HIST_SUB + HIST_SUB + 1) << (shift - 1)) - 1;
}

void hist_add(struct hist *h, uint64_t us)
{
	h->buckets[bucket_of(us)]++;
	h->count++;
	h->sum += us;
	if (us > h->max)
		h->max = us;
}

uint64_t hist_at(const struct hist *h, double fraction)
{
	uint64_t want = (uint64_t)(fraction * (double)h->count + 0.5), seen = 0;

	if (!h->count)
		return 0;
	if (want < 1)
		want = 1;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen >= want)
			return top_of(i) < h->max ? top_of(i) : h->max;
	}
	return h->max;
}
