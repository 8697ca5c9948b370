/* The restart policy: delay with floor, growth, jitter and cap; reset only after a stable time; bounded intensity.
 * Run by the supervisor when a worker ends. Pure: it must not read a clock, log, or touch a process. */
#include "supervisor/restart.h"

#include <string.h>

#include "shared/base/clock.h"

/* 2^20 floors are beyond every cap. */
#define GROWTH_MAX 20

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static void remember(struct restart_history *history, uint64_t now_ns, uint64_t window_ns)
{
	history->died_ns[history->ring_at] = now_ns;
	history->ring_at = (history->ring_at + 1) % RESTART_RING;
	if (history->ring_count < RESTART_RING)
		history->ring_count++;
	if (history->window_ns == 0 || now_ns - history->window_ns >= window_ns) {
		/* The one before counts only if it was the very one before. */
		history->before_deaths = now_ns - history->window_ns < 2 * window_ns ? history->window_deaths : 0;
		history->window_deaths = 0;
		history->window_ns = now_ns;
	}
	history->window_deaths++;
}

static uint32_t deaths_within(const struct restart_history *history, uint64_t now_ns, uint64_t window_ns)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < history->ring_count; i++)
		count += now_ns - history->died_ns[i] <= window_ns;
	return count;
}

/* More deaths than the ring holds: the window before is taken in proportion to what of it still counts. */
static uint32_t deaths_about(const struct restart_history *history, uint64_t now_ns, uint64_t window_ns)
{
	double gone = window_ns > 0 ? (double)(now_ns - history->window_ns) / (double)window_ns : 1;

	return history->window_deaths + (uint32_t)(history->before_deaths * (gone < 1 ? 1 - gone : 0));
}

static bool is_too_much(const struct restart_policy *policy, const struct restart_history *history, uint64_t now_ns)
{
	uint64_t window_ns = policy->window_ms * NS_PER_MS;
	uint32_t burst = policy->burst > 0 ? policy->burst : 1;

	return (burst < RESTART_RING ? deaths_within(history, now_ns, window_ns)
				     : deaths_about(history, now_ns, window_ns)) > burst;
}

static uint64_t grown_delay_ms(const struct restart_policy *policy, uint32_t in_row, double unit)
{
	uint32_t steps = in_row > 0 ? in_row - 1 : 0;
	uint64_t delay_ms, cap_ms = clamp(policy->cap_ms, policy->floor_ms, UINT32_MAX);

	if (steps > GROWTH_MAX)
		steps = GROWTH_MAX;
	delay_ms = clamp((uint64_t)policy->floor_ms << steps, policy->floor_ms, cap_ms);
	delay_ms -= (uint64_t)((double)delay_ms / 2 * unit);
	return clamp(delay_ms, policy->floor_ms, cap_ms);
}

struct restart_decision restart_decide(const struct restart_policy *policy, struct restart_history *history,
				       uint64_t now_ns, uint64_t ready_ms, double unit)
{
	struct restart_decision decision = { 0 };

	if (ready_ms >= policy->stable_ms && ready_ms > 0) {
		/* The ring stays: a worker that dies every stable_ms + 1 still counts towards the window. */
		history->in_row = 0;
		history->failing = false;
	}
	remember(history, now_ns, policy->window_ms * NS_PER_MS);
	if (history->in_row < UINT32_MAX)
		history->in_row++;
	if (!history->failing && is_too_much(policy, history, now_ns)) {
		history->failing = true;
		decision.turned_failing = true;
	}
	decision.failing = history->failing;
	decision.delay_ms = grown_delay_ms(policy, history->failing ? GROWTH_MAX + 1 : history->in_row, unit);
	return decision;
}

void restart_forgive(struct restart_history *history)
{
	memset(history, 0, sizeof(*history));
}
