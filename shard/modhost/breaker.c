/* The breaker's table: what each event does in each state. */
#include "shard/modhost/breaker.h"

#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"

#define TRIPS_MAX 20

typedef bool (*edge_fn)(struct board_module *module, uint64_t now_ns, const struct breaker_rules *rules);

static uint64_t pause_ns(uint32_t trips, const struct breaker_rules *rules)
{
	uint64_t pause_s = rules->retry_s;

	while (trips-- > 1 && pause_s < rules->retry_cap_s)
		pause_s *= 2;
	return (pause_s < rules->retry_cap_s ? pause_s : rules->retry_cap_s) * NS_PER_S;
}

static bool trip(struct board_module *module, uint64_t now_ns, const struct breaker_rules *rules)
{
	if (module->trips < TRIPS_MAX)
		module->trips++;
	module->state = BREAKER_OFF;
	module->until_ns = now_ns + pause_ns(module->trips, rules);
	module->crashes = 0;
	return true;
}

static bool count_crash(struct board_module *module, uint64_t now_ns, const struct breaker_rules *rules)
{
	if (module->crashes == 0 || now_ns - module->window_ns > rules->window_s * NS_PER_S) {
		module->window_ns = now_ns;
		module->crashes = 0;
	}
	module->crashes++;
	return rules->crashes > 0 && module->crashes >= rules->crashes && trip(module, now_ns, rules);
}

/* It was off, so this is of a worker that had not heard: nothing new. */
static bool nothing(struct board_module *module, uint64_t now_ns, const struct breaker_rules *rules)
{
	(void)module;
	(void)now_ns;
	(void)rules;
	return false;
}

static bool try_again(struct board_module *module, uint64_t now_ns, const struct breaker_rules *rules)
{
	if (now_ns < module->until_ns)
		return false;
	module->state = BREAKER_TRIAL;
	module->until_ns = now_ns + rules->stable_s * NS_PER_S;
	return true;
}

static bool believe(struct board_module *module, uint64_t now_ns, const struct breaker_rules *rules)
{
	(void)rules;
	if (now_ns < module->until_ns)
		return false;
	module->state = BREAKER_ON;
	module->trips = module->crashes = 0;
	module->until_ns = 0;
	return true;
}

static const edge_fn edges[BREAKER_STATE_COUNT][BREAKER_EVENT_COUNT] = {
	[BREAKER_ON] = { [BREAKER_CRASH] = count_crash, [BREAKER_TIME] = nothing },
	[BREAKER_OFF] = { [BREAKER_CRASH] = nothing, [BREAKER_TIME] = try_again },
	[BREAKER_TRIAL] = { [BREAKER_CRASH] = trip, [BREAKER_TIME] = believe },
};

uint64_t breaker_pause_ns(const struct board_module *module, const struct breaker_rules *rules)
{
	return pause_ns(module->trips, rules);
}

void breaker_check(struct board_module *module, const struct breaker_rules *rules, uint64_t now_ns)
{
	uint64_t longest_s = rules->retry_cap_s > rules->stable_s ? rules->retry_cap_s : rules->stable_s;

	if (module->state >= BREAKER_STATE_COUNT)
		module->state = BREAKER_ON;
	if (module->trips > TRIPS_MAX)
		module->trips = TRIPS_MAX;
	if (module->window_ns > now_ns)
		module->crashes = 0;
	if (module->until_ns > now_ns + longest_s * NS_PER_S)
		module->until_ns = now_ns + longest_s * NS_PER_S;
}

bool breaker_step(struct board_module *module, enum breaker_event event, uint64_t now_ns,
		  const struct breaker_rules *rules)
{
	return edges[module->state][event](module, now_ns, rules);
}
