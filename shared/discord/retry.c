/* The retry policy. Run by the REST client after each attempt that failed; must not touch clocks or sockets, so that
 * every cell can be tried in a test. */
#include "shared/discord/retry.h"

#include "shared/base/clock.h"

#define BACKOFF_FLOOR_NS      (200 * NS_PER_MS)
#define BACKOFF_CAP_NS        (5 * NS_PER_S)
#define INTERACTION_JITTER_NS (50 * NS_PER_MS)
#define INTERACTION_ATTEMPTS  2

const char *const retry_outcome_names[RETRY_OUTCOME_COUNT] = {
	[RETRY_UNSENT] = "unsent", [RETRY_LIMITED] = "limited", [RETRY_SERVER] = "server",
	[RETRY_LOST] = "lost",     [RETRY_GARBLED] = "garbled", [RETRY_REFUSED] = "refused",
};

/* One row an outcome: attempts allowed in all, per repeat class (1: none beyond the first), and what it may hide. */
static const struct outcome_row {
	uint8_t attempts[ROUTE_REPEAT_COUNT];
	bool maybe_done;
} outcome_rows[RETRY_OUTCOME_COUNT] = {
	/*                    SAFE NONCE CHECK NEVER */
	[RETRY_UNSENT] = { { 6, 6, 6, 6 }, false }, [RETRY_LIMITED] = { { 8, 8, 8, 8 }, false },
	[RETRY_SERVER] = { { 4, 4, 1, 1 }, true },  [RETRY_LOST] = { { 4, 4, 1, 1 }, true },
	[RETRY_GARBLED] = { { 3, 3, 1, 1 }, true }, [RETRY_REFUSED] = { { 1, 1, 1, 1 }, false },
};

bool retry_maybe_done(enum retry_outcome outcome)
{
	return outcome_rows[outcome].maybe_done;
}

/* Exponential, with jitter over its upper half: clients that failed together do not come back together. */
static uint64_t backoff_ns(const struct retry_input *input)
{
	uint64_t full_ns = BACKOFF_FLOOR_NS;

	if (input->interaction)
		return (uint64_t)((double)INTERACTION_JITTER_NS * input->random);
	for (uint32_t i = 1; i < input->attempts && full_ns < BACKOFF_CAP_NS; i++)
		full_ns *= 2;
	if (full_ns > BACKOFF_CAP_NS)
		full_ns = BACKOFF_CAP_NS;
	return full_ns / 2 + (uint64_t)((double)(full_ns / 2) * input->random);
}

struct retry_verdict retry_decide(const struct retry_input *input)
{
	const struct outcome_row *row = &outcome_rows[input->outcome];
	struct retry_verdict no = { .again = false }, yes = { .again = true };
	uint32_t allowed = row->attempts[input->repeat];
	uint64_t end_ns = input->deadline_ns;

	if (input->interaction && allowed > INTERACTION_ATTEMPTS)
		allowed = INTERACTION_ATTEMPTS;
	if (input->attempts >= allowed)
		return no;
	yes.delay_ns = backoff_ns(input);
	if (input->outcome == RETRY_LIMITED)
		yes.delay_ns = input->retry_after_ns;
	/* A nonce that Discord has forgotten protects no more; what proves that nothing happened needs no nonce. */
	if (input->repeat == ROUTE_NONCE && (row->maybe_done || input->maybe_before) &&
	    end_ns > input->first_sent_ns + ROUTE_NONCE_AGE_MS * NS_PER_MS)
		end_ns = input->first_sent_ns + ROUTE_NONCE_AGE_MS * NS_PER_MS;
	if (input->now_ns + yes.delay_ns >= end_ns) {
		no.too_long = true;
		return no;
	}
	return yes;
}
