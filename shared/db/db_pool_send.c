/* Which jobs go over which connection. Run by the loop, once a turn, so a turn's jobs leave together.
 *
 * Reads and writes wait in two lanes and never share a connection at the same moment (unless there may be only one): a
 * read does not wait for commits, and a read that must be given up costs no write its certainty. A lane's jobs are sent
 * in segments, each one transaction; few are under way at a time, so while the server commits one, the next gathers. */
#include "shared/db/db_pool_private.h"

#define SEGMENT_JOBS  32
#define SEGMENT_BYTES (256 * 1024)
#define SPREAD_AT     SEGMENT_JOBS /* more than so many a connection: another, if there may be one */

/* Segments under way on one connection. */
static const size_t depths[DB_LANE_COUNT] = { [DB_LANE_READ] = 4, [DB_LANE_WRITE] = 2 };

static bool is_usable(const struct db_pool *pool, size_t slot)
{
	return pool->links[slot] && db_link_is_ready(pool->links[slot]) && pool->links[slot] != pool->demoted &&
	       !pool->probes[slot];
}

/* Connections that work for @lane at the moment. */
static size_t lane_links(const struct db_pool *pool, enum db_lane lane)
{
	size_t count = 0;

	for (size_t i = 0; i < pool->link_max; i++)
		count += is_usable(pool, i) && db_link_pipe(pool->links[i])->counts[lane] > 0;
	return count;
}

/* How many connections @lane may hold. One is always left to the reads, since a write may take long; reads go over all
 * of them until a write comes, and give one back as soon as what is under way on it is answered. */
static size_t lane_share(const struct db_pool *pool, enum db_lane lane)
{
	bool wanted = lane == DB_LANE_WRITE || pool->lanes[DB_LANE_WRITE].first || lane_links(pool, DB_LANE_WRITE) > 0;

	return pool->link_max > 1 && wanted ? pool->link_max - 1 : pool->link_max;
}

/* Whether @lane may send a segment over that connection now: not beside the other lane's, and not over more than its
 * share. */
static bool may_send(const struct db_pool *pool, size_t slot, enum db_lane lane)
{
	const struct db_pipe *pipe;

	if (!is_usable(pool, slot))
		return false;
	pipe = db_link_pipe(pool->links[slot]);
	if (pipe->counts[lane] >= depths[lane])
		return false;
	if (pool->link_max == 1)
		return true;
	if (pipe->counts[lane] > 0)
		return lane_links(pool, lane) <= lane_share(pool, lane);
	return pipe->counts[!lane] == 0 && lane_links(pool, lane) < lane_share(pool, lane);
}

/* The least busy that may, or NULL. */
static struct db_link *find_link(const struct db_pool *pool, enum db_lane lane)
{
	struct db_link *best = NULL;

	for (size_t i = 0; i < pool->link_max; i++)
		if (may_send(pool, i, lane) &&
		    (!best || db_link_pipe(pool->links[i])->counts[lane] < db_link_pipe(best)->counts[lane]))
			best = pool->links[i];
	return best;
}

/* The next jobs of the lane that may share a transaction; NULL for lack of memory. */
static struct db_segment *gather(struct db_pool *pool, enum db_lane lane)
{
	struct db_queue *queue = &pool->lanes[lane];
	struct db_segment *segment = db_segment_new(lane);
	bool alone;

	if (!segment)
		return NULL;
	do {
		alone = queue->first->alone;
		db_segment_add(segment, db_queue_pop(queue));
	} while (!alone && queue->first && !queue->first->alone && segment->count < SEGMENT_JOBS &&
		 segment->bytes + queue->first->bytes <= SEGMENT_BYTES);
	return segment;
}

static void pump_lane(struct db_pool *pool, enum db_lane lane)
{
	struct db_segment *segment;
	struct db_link *link;

	while (!pool->closing && pool->lanes[lane].first && (link = find_link(pool, lane))) {
		segment = gather(pool, lane);
		if (!segment) /* the tick tries again */
			return;
		db_link_send(link, segment);
	}
}

/* Whether another connection would serve the lane: nothing works for it, or each that does has a whole segment's jobs.
 */
static bool wants_link(const struct db_pool *pool, enum db_lane lane)
{
	size_t jobs = pool->lanes[lane].count, mine = lane_links(pool, lane);

	if (mine == 0)
		return jobs > 0;
	for (size_t i = 0; i < pool->link_max; i++)
		jobs += is_usable(pool, i) ? db_link_pipe(pool->links[i])->jobs[lane] : 0;
	return jobs > mine * SPREAD_AT && mine < lane_share(pool, lane);
}

void db_pool_pump(void *arg)
{
	struct db_pool *pool = arg;

	/* Once all under way on it is answered (refused): breaking it off earlier would leave them unknown. */
	if (pool->demoted && db_link_is_ready(pool->demoted) && !db_link_pipe(pool->demoted)->first)
		db_link_break(pool->demoted, "the server has become a standby");
	pump_lane(pool, DB_LANE_READ);
	pump_lane(pool, DB_LANE_WRITE);
	for (size_t i = 0; i < pool->link_max; i++)
		if (pool->links[i])
			db_link_check(pool->links[i]);
	if (!pool->closing && (wants_link(pool, DB_LANE_READ) || wants_link(pool, DB_LANE_WRITE)))
		db_pool_open_one(pool);
}
