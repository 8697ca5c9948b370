/* The guard: thin over the board, with a stand-in of its own for processes that have none (shoalctl, tests, a worker
 * whose board could not be mapped). Run by the REST client; must not log: who decides upon it does. */
#include "shared/discord/guard.h"

#include <string.h>

#include "shared/base/clock.h"

#define MINUTE_NS (60 * NS_PER_S)

const char *const guard_level_names[GUARD_LEVEL_COUNT] = {
	[GUARD_OPEN] = "open",
	[GUARD_WARN] = "warn",
	[GUARD_ESSENTIAL] = "essential",
	[GUARD_CLOSED] = "closed",
};

void guard_init(struct guard *guard, struct board_host *host, uint32_t per_s, uint32_t invalid_limit)
{
	memset(guard, 0, sizeof(*guard));
	guard->host = host;
	guard->per_s = per_s ? per_s : 1;
	guard->invalid_limit = invalid_limit ? invalid_limit : 1;
}

uint64_t guard_blocked(const struct guard *guard, uint64_t now_ns)
{
	uint64_t until_ns = guard->host ? board_host_rest_blocked_until(guard->host) : guard->blocked_until_ns;

	return until_ns > now_ns ? until_ns - now_ns : 0;
}

/* As the board does it: a fifth at once, the others evenly, so that no second sees more than the budget. */
uint64_t guard_take(struct guard *guard, uint64_t now_ns)
{
	uint32_t burst = guard->per_s >= 10 ? guard->per_s / 5 : 1;
	uint32_t flow = burst > 1 ? guard->per_s - burst : guard->per_s;
	uint64_t step_ns = (NS_PER_S + flow - 1) / flow, horizon_ns = burst * step_ns, from_ns;

	if (guard->host)
		return board_host_rest_take(guard->host, guard->per_s, now_ns);
	if (guard->blocked_until_ns > now_ns)
		return guard->blocked_until_ns - now_ns;
	from_ns = guard->theoretical_ns > now_ns ? guard->theoretical_ns : now_ns;
	if (from_ns + step_ns > now_ns + horizon_ns)
		return from_ns + step_ns - now_ns - horizon_ns;
	guard->theoretical_ns = from_ns + step_ns;
	return 0;
}

void guard_block(struct guard *guard, uint64_t until_ns)
{
	if (guard->host)
		board_host_rest_block(guard->host, until_ns);
	else if (until_ns > guard->blocked_until_ns)
		guard->blocked_until_ns = until_ns;
}

void guard_invalid_add(struct guard *guard, uint64_t now_ns)
{
	uint64_t minute = now_ns / MINUTE_NS;
	size_t slot = minute % GUARD_MINUTES;

	if (guard->host) {
		board_host_invalid_add(guard->host, now_ns);
		return;
	}
	if (guard->invalid[slot].minute != minute) {
		guard->invalid[slot].minute = minute;
		guard->invalid[slot].count = 0;
	}
	guard->invalid[slot].count++;
}

uint32_t guard_invalid_count(const struct guard *guard, uint64_t now_ns)
{
	uint64_t minute = now_ns / MINUTE_NS;
	uint32_t count = 0;

	if (guard->host)
		return board_host_invalid_count(guard->host, now_ns);
	for (size_t i = 0; i < GUARD_MINUTES; i++)
		if (guard->invalid[i].minute + GUARD_MINUTES > minute)
			count += guard->invalid[i].count;
	return count;
}

enum guard_level guard_level(const struct guard *guard, uint64_t now_ns)
{
	uint64_t count = guard_invalid_count(guard, now_ns), limit = guard->invalid_limit;

	if (count >= limit)
		return GUARD_CLOSED;
	if (count * 10 >= limit * 8)
		return GUARD_ESSENTIAL;
	return count * 2 >= limit ? GUARD_WARN : GUARD_OPEN;
}

void guard_set_token_invalid(struct guard *guard, bool invalid)
{
	guard->token_invalid = invalid;
	if (guard->host && invalid)
		board_host_set_token_invalid(guard->host, true);
}

bool guard_token_invalid(const struct guard *guard)
{
	return guard->token_invalid || (guard->host && board_host_token_invalid(guard->host));
}
