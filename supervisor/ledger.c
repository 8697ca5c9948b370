/* The identify ledger. Run by the supervisor on its loop. It must not answer before the debit is on the board, must not
 * let two shards of a bucket IDENTIFY within 5 s, whoever dies in between, and must not spend the reserve. */
#include "supervisor/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/random.h"

/* A fetched window that ends this much later than ours is another one, not ours measured anew. */
#define WINDOW_SLACK_MS 60000
#define LEDGER_DAY_MS   (24ULL * 3600 * 1000)

struct request {
	bool waiting;
	uint64_t expected_until_ns; /* it is on its way: its bucket waits for it until then; 0: not expected */
	uint64_t granted_ns; /* last grant of this shard by this process, 0 = none: who waited longest goes first */
};

/* Whose grant holds a bucket at present. */
struct holder {
	uint64_t grant_id;
	uint32_t shard_id;
};

struct ledger {
	struct board_host *board;
	struct ledger_events events;
	void *arg;
	struct board_ledger record;
	uint32_t reserve;
	uint32_t shards;
	uint32_t planned;
	uint32_t waiting;
	uint64_t denied;
	uint64_t not_before_ns; /* a lost record's window, or that of buckets counted otherwise */
	bool known;             /* reconciled by this process, or read from the board */
	bool lost;
	bool running; /* within ledger_run() */
	struct holder holders[BOARD_LEDGER_BUCKETS];
	/* Grants of the last moments: Discord's numbers may not count them yet. */
	uint64_t recent_ns[BOARD_LEDGER_BUCKETS];
	uint32_t recent_at;
	/* When the window ends, by a clock that does not jump; the record's own time is for people and the next boot.
	 */
	uint64_t reset_ns;
	struct request requests[];
};

/* As well as the record's wall time can be trusted: once, at the start. A window lasts a day, and the record is younger
 * than it. */
static uint64_t reset_of_record(const struct board_ledger *record)
{
	uint64_t now_ns = clock_boottime_ns();
	int64_t left_ms = record->reset_wall_ms - clock_wall_ms();

	if (left_ms <= 0)
		return now_ns;
	return now_ns + ((uint64_t)left_ms < LEDGER_DAY_MS ? (uint64_t)left_ms : LEDGER_DAY_MS) * NS_PER_MS;
}

int ledger_new(struct board_host *board, uint32_t reserve, bool expect_record, uint32_t shards,
	       const struct ledger_events *events, void *arg, struct ledger **ret_ledger)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger) + shards * sizeof(struct request));

	if (!ledger)
		return -ENOMEM;
	ledger->board = board;
	ledger->events = *events;
	ledger->arg = arg;
	ledger->reserve = reserve;
	ledger->shards = shards;
	if (board_host_ledger(board, &ledger->record) && ledger->record.max_concurrency > 0) {
		ledger->known = true;
		ledger->reset_ns = reset_of_record(&ledger->record);
	} else {
		memset(&ledger->record, 0, sizeof(ledger->record));
		ledger->lost = expect_record;
	}
	if (ledger->lost)
		ledger->not_before_ns = clock_boottime_ns() + LEDGER_GRANT_NS + LEDGER_WINDOW_NS;
	*ret_ledger = ledger;
	return 0;
}

struct ledger *ledger_free(struct ledger *ledger)
{
	free(ledger);
	return NULL;
}

uint32_t ledger_bucket(uint32_t max_concurrency, uint32_t shard_id)
{
	uint32_t divisor = max_concurrency < BOARD_LEDGER_BUCKETS ? max_concurrency : BOARD_LEDGER_BUCKETS;

	if (divisor == 0)
		return 0;
	while (max_concurrency % divisor != 0)
		divisor--;
	return shard_id % divisor;
}

static uint32_t reserve_of(const struct ledger *ledger)
{
	uint32_t tenth = ledger->record.total / 10;

	return ledger->reserve < tenth ? ledger->reserve : tenth;
}

static uint32_t available(const struct ledger *ledger)
{
	uint32_t reserve = reserve_of(ledger);

	return ledger->record.remaining > reserve ? ledger->record.remaining - reserve : 0;
}

static bool is_exhausted(const struct ledger *ledger)
{
	uint32_t need = ledger->planned > ledger->waiting ? ledger->planned : ledger->waiting;

	return ledger->known && need > 0 && need > available(ledger);
}

static void save(struct ledger *ledger)
{
	ledger->record.reserve = reserve_of(ledger);
	board_host_set_ledger(ledger->board, &ledger->record);
}

static uint32_t granted_since(const struct ledger *ledger, uint64_t since_ns)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < BOARD_LEDGER_BUCKETS; i++)
		if (ledger->recent_ns[i] != 0 && ledger->recent_ns[i] >= since_ns)
			count++;
	return count;
}

static uint32_t minus(uint32_t from, uint32_t what)
{
	return from > what ? from - what : 0;
}

void ledger_reconcile(struct ledger *ledger, const struct ledger_limits *limits, uint64_t asked_ns, uint32_t live)
{
	struct board_ledger *record = &ledger->record;
	uint64_t now_ns = clock_boottime_ns();
	uint64_t left_ms = limits->reset_after_ms < INT32_MAX ? limits->reset_after_ms : INT32_MAX;
	uint64_t reset_ns = now_ns + left_ms * NS_PER_MS;
	uint32_t remaining = limits->remaining < limits->total ? limits->remaining : limits->total;
	uint32_t concurrency = limits->max_concurrency > 0 ? limits->max_concurrency : 1;
	/* A grant given up to its life before the question may be used after the answer was made. */
	uint64_t since_ns = asked_ns > LEDGER_GRANT_NS ? asked_ns - LEDGER_GRANT_NS : 0;
	bool same_window = ledger->known && now_ns < ledger->reset_ns &&
			   reset_ns <= ledger->reset_ns + WINDOW_SLACK_MS * NS_PER_MS;

	if (same_window && record->remaining < remaining)
		remaining = record->remaining;
	else if (!same_window)
		remaining = minus(remaining, granted_since(ledger, since_ns));
	if (ledger->lost)
		remaining = minus(remaining, live);
	ledger->lost = false;
	/* Other buckets: the words on the board no longer say which shard may go, so all windows are waited out. */
	if (record->max_concurrency != 0 && record->max_concurrency != concurrency)
		ledger->not_before_ns = clock_boottime_ns() + LEDGER_GRANT_NS + LEDGER_WINDOW_NS;
	record->total = limits->total;
	record->remaining = remaining;
	record->max_concurrency = concurrency;
	ledger->reset_ns = reset_ns;
	record->reset_wall_ms = clock_wall_ms() + (int64_t)left_ms;
	record->reconciled_boottime_ns = clock_boottime_ns();
	ledger->known = true;
	save(ledger);
}

void ledger_set_planned(struct ledger *ledger, uint32_t starts)
{
	ledger->planned = starts;
}

void ledger_expect(struct ledger *ledger, uint32_t shard_id, uint64_t for_ns)
{
	if (shard_id < ledger->shards && !ledger->requests[shard_id].waiting)
		ledger->requests[shard_id].expected_until_ns = clock_boottime_ns() + for_ns;
}

int ledger_request(struct ledger *ledger, uint32_t shard_id)
{
	if (shard_id >= ledger->shards)
		return -ERANGE;
	ledger->requests[shard_id].expected_until_ns = 0;
	if (!ledger->requests[shard_id].waiting)
		ledger->waiting++;
	ledger->requests[shard_id].waiting = true;
	return 0;
}

void ledger_cancel(struct ledger *ledger, uint32_t shard_id)
{
	if (shard_id >= ledger->shards)
		return;
	ledger->requests[shard_id].expected_until_ns = 0;
	if (!ledger->requests[shard_id].waiting)
		return;
	ledger->requests[shard_id].waiting = false;
	ledger->waiting--;
}

int ledger_identified(struct ledger *ledger, uint32_t shard_id, uint64_t grant_id)
{
	uint32_t bucket = ledger_bucket(ledger->record.max_concurrency, shard_id);
	uint64_t free_ns = clock_boottime_ns() + LEDGER_WINDOW_NS;
	struct holder *holder = &ledger->holders[bucket];

	if (shard_id >= ledger->shards)
		return -ERANGE;
	/* Known exactly now: the window need not run from the grant's expiry. */
	if (holder->grant_id == grant_id && grant_id != 0 && holder->shard_id == shard_id)
		holder->grant_id = 0;
	else if (board_host_bucket_free(ledger->board, bucket) > free_ns)
		return 0;
	board_host_set_bucket_free(ledger->board, bucket, free_ns);
	return 0;
}

/* Debits first: the record and the bucket's window are on the board before anybody hears of the grant. The window is
 * written before the debit: killed between the two, a window was held for nothing; the other way round nothing is lost
 * either, but a start would be. */
static void grant(struct ledger *ledger, uint32_t shard_id, uint32_t bucket, uint64_t now_ns)
{
	struct ledger_grant grant = { .id = (random_u64() >> 11) | 1, .expires_ns = now_ns + LEDGER_GRANT_NS };
	struct request *request = &ledger->requests[shard_id];

	board_host_set_bucket_free(ledger->board, bucket, grant.expires_ns + LEDGER_WINDOW_NS);
	ledger->record.remaining = minus(ledger->record.remaining, 1);
	ledger->record.granted_total++;
	save(ledger);
	ledger->holders[bucket] = (struct holder){ .grant_id = grant.id, .shard_id = shard_id };
	ledger->recent_ns[ledger->recent_at++ % BOARD_LEDGER_BUCKETS] = now_ns;
	ledger_cancel(ledger, shard_id);
	request->granted_ns = now_ns;
	ledger->planned = minus(ledger->planned, 1);
	ledger->events.grant(ledger->arg, shard_id, &grant);
}

static uint64_t deny_wait_ms(const struct ledger *ledger)
{
	uint64_t now_ns = clock_boottime_ns();
	uint64_t left_ms = ledger->reset_ns > now_ns ? (ledger->reset_ns - now_ns) / NS_PER_MS : 0;

	if (left_ms < 1000)
		return 1000;
	return left_ms < LEDGER_DENY_MAX_MS ? left_ms : LEDGER_DENY_MAX_MS;
}

static void deny_all(struct ledger *ledger)
{
	uint64_t wait_ms = deny_wait_ms(ledger);

	for (uint32_t id = 0; id < ledger->shards && ledger->waiting > 0; id++) {
		if (!ledger->requests[id].waiting)
			continue;
		ledger_cancel(ledger, id);
		ledger->denied++;
		ledger->events.deny(ledger->arg, id, wait_ms);
	}
}

/* Who goes next in a bucket: shards in order of their id; but one that was granted before stands behind those that were
 * not, so that a shard in trouble can't starve the others of its bucket. */
static bool goes_before(const struct ledger *ledger, uint32_t a, uint32_t b)
{
	uint64_t a_ns = ledger->requests[a].granted_ns, b_ns = ledger->requests[b].granted_ns;

	return a_ns != b_ns ? a_ns < b_ns : a < b;
}

/* Who is next in each bucket; UINT32_MAX: nobody. May name one that is only expected yet. */
static void pick_per_bucket(const struct ledger *ledger, uint64_t now_ns, uint32_t first[BOARD_LEDGER_BUCKETS])
{
	for (uint32_t bucket = 0; bucket < BOARD_LEDGER_BUCKETS; bucket++)
		first[bucket] = UINT32_MAX;
	for (uint32_t id = 0; id < ledger->shards; id++) {
		const struct request *request = &ledger->requests[id];
		uint32_t *best;

		if (!request->waiting && request->expected_until_ns <= now_ns)
			continue;
		best = &first[ledger_bucket(ledger->record.max_concurrency, id)];
		if (*best == UINT32_MAX || goes_before(ledger, id, *best))
			*best = id;
	}
}

/* When @bucket may be granted again. A word further in the future than any window reaches is damage: the longest true
 * one is waited for. */
static uint64_t bucket_free_ns(const struct ledger *ledger, uint32_t bucket, uint64_t now_ns)
{
	uint64_t free_ns = board_host_bucket_free(ledger->board, bucket);
	uint64_t longest_ns = now_ns + LEDGER_GRANT_NS + LEDGER_WINDOW_NS;

	if (free_ns > longest_ns) {
		board_host_set_bucket_free(ledger->board, bucket, longest_ns);
		free_ns = longest_ns;
	}
	return free_ns > ledger->not_before_ns ? free_ns : ledger->not_before_ns;
}

void ledger_run(struct ledger *ledger)
{
	uint32_t first[BOARD_LEDGER_BUCKETS];
	uint64_t now_ns = clock_boottime_ns();

	if (ledger->waiting == 0 || !ledger->known || ledger->running)
		return;
	ledger->running = true;
	if (is_exhausted(ledger)) {
		deny_all(ledger);
		ledger->running = false;
		return;
	}
	pick_per_bucket(ledger, now_ns, first);
	for (uint32_t bucket = 0; bucket < BOARD_LEDGER_BUCKETS; bucket++)
		if (first[bucket] != UINT32_MAX && ledger->requests[first[bucket]].waiting &&
		    bucket_free_ns(ledger, bucket, now_ns) <= now_ns && available(ledger) > 0)
			grant(ledger, first[bucket], bucket, now_ns);
	ledger->running = false;
}

static uint64_t expected_until_ns(const struct ledger *ledger, uint32_t shard_id)
{
	return ledger->requests[shard_id].expected_until_ns;
}

uint64_t ledger_next_ns(const struct ledger *ledger)
{
	uint32_t first[BOARD_LEDGER_BUCKETS];
	uint64_t now_ns = clock_boottime_ns(), next_ns = UINT64_MAX;

	if (ledger->waiting == 0 || !ledger->known)
		return UINT64_MAX;
	if (is_exhausted(ledger))
		return now_ns;
	pick_per_bucket(ledger, now_ns, first);
	for (uint32_t bucket = 0; bucket < BOARD_LEDGER_BUCKETS; bucket++) {
		uint64_t free_ns;

		if (first[bucket] == UINT32_MAX)
			continue;
		free_ns = bucket_free_ns(ledger, bucket, now_ns);
		if (!ledger->requests[first[bucket]].waiting && free_ns < expected_until_ns(ledger, first[bucket]))
			free_ns = expected_until_ns(ledger, first[bucket]);
		if (free_ns < next_ns)
			next_ns = free_ns;
	}
	return next_ns > now_ns ? next_ns : now_ns;
}

bool ledger_wants_refresh(const struct ledger *ledger)
{
	return !ledger->known ||
	       (ledger->record.reset_wall_ms != 0 && ledger->record.remaining < ledger->record.total &&
		clock_boottime_ns() >= ledger->reset_ns);
}

void ledger_status(const struct ledger *ledger, struct ledger_status *ret_status)
{
	*ret_status = (struct ledger_status){
		.total = ledger->record.total,
		.remaining = ledger->record.remaining,
		.reserve = reserve_of(ledger),
		.max_concurrency = ledger->record.max_concurrency,
		.waiting = ledger->waiting,
		.granted = ledger->record.granted_total,
		.denied = ledger->denied,
		.reset_wall_ms = ledger->record.reset_wall_ms,
		.known = ledger->known,
		.exhausted = is_exhausted(ledger),
	};
}
