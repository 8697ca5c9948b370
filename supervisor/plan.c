/* The plan: shard count and generation, decided once at start from the configuration, Discord's recommendation and what
 * runs already. Run by the supervisor; must not change a running fleet's count, since that costs a session start per
 * shard and is the business of resharding. */
#include "supervisor/plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/board/board.h"

int plan_decide(const struct plan_input *input, struct plan *ret_plan)
{
	struct plan plan = { .generation = 1 };
	const struct plan_found *found = &input->found;
	uint32_t count = input->wanted > 0 ? input->wanted : input->recommended;

	if (count == 0 && found->live == 0)
		return -EINVAL;
	if (count > PLAN_SHARDS_MAX)
		return -ERANGE;
	if (found->generation > 0 && found->live > 0) {
		plan.shard_count = found->shard_count;
		plan.generation = found->generation;
		if (count != 0 && found->shard_count != count)
			plan.notes |= PLAN_NOTE_KEPT;
	} else {
		plan.shard_count = count;
		if (found->generation > 0 && found->shard_count == count)
			plan.generation = found->generation;
		else if (found->generation > 0) {
			plan.generation = found->generation < UINT32_MAX ? found->generation + 1 : 1;
			plan.notes |= PLAN_NOTE_NEW;
		}
	}
	if (input->recommended > plan.shard_count)
		plan.notes |= PLAN_NOTE_TOO_FEW;
	if (input->wanted > 0 && input->max_concurrency > 1 && input->recommended > 0 &&
	    plan.shard_count % input->max_concurrency != 0 && plan.shard_count % input->recommended != 0)
		plan.notes |= PLAN_NOTE_MULTIPLE;
	*ret_plan = plan;
	return 0;
}

static void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* "shard-<generation>-<id>.board", nothing before or behind. */
static bool parse_name(const char *name, uint32_t *ret_generation, uint32_t *ret_shard)
{
	uint32_t generation, shard;
	char again[64];

	if (sscanf(name, "shard-%" SCNu32 "-%" SCNu32 ".board", &generation, &shard) != 2)
		return false;
	snprintf(again, sizeof(again), "shard-%" PRIu32 "-%" PRIu32 ".board", generation, shard);
	if (strcmp(name, again) != 0 || generation == 0 || shard >= PLAN_SHARDS_MAX)
		return false;
	*ret_generation = generation;
	*ret_shard = shard;
	return true;
}

typedef int (*board_name_fn)(void *arg, int dir_fd, const char *name, uint32_t generation, uint32_t shard);

static int each_board(const char *path, board_name_fn fn, void *arg)
{
	CLEANUP(cleanup_closedir) DIR *dir = opendir(path);
	const struct dirent *entry;
	uint32_t generation, shard;
	int r;

	if (!dir)
		return -errno;
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		if (!parse_name(entry->d_name, &generation, &shard))
			continue;
		r = fn(arg, dirfd(dir), entry->d_name, generation, shard);
		if (r < 0)
			return r;
	}
}

struct scan {
	const char *dir;
	struct plan_found found;
};

static int scan_one(void *arg, int dir_fd, const char *name, uint32_t generation, uint32_t shard)
{
	CLEANUP(board_shard_closep) struct board_shard *board = NULL;
	struct scan *scan = arg;
	struct plan_found *found = &scan->found;
	const struct board_header *header;
	bool live;

	(void)dir_fd;
	(void)name;
	if (board_shard_open(scan->dir, generation, shard, false, &board) < 0)
		return 0;
	header = board_shard_header(board);
	if (header->shard_count == 0 || header->shard_count > PLAN_SHARDS_MAX)
		return 0;
	live = board_shard_is_locked(board) == 1;
	/* A generation with live workers outweighs newer files that nobody runs. */
	if (found->generation == 0 || (live && found->live == 0) ||
	    (generation > found->generation && (live || found->live == 0)))
		if (generation != found->generation)
			*found = (struct plan_found){ .generation = generation, .shard_count = header->shard_count };
	if (generation == found->generation && header->shard_count == found->shard_count) {
		found->boards++;
		found->live += live;
	}
	return 0;
}

int plan_scan(const char *dir, struct plan_found *ret_found)
{
	struct scan scan = { .dir = dir };
	int r;

	r = each_board(dir, scan_one, &scan);
	if (r < 0)
		return r;
	*ret_found = scan.found;
	return 0;
}

struct sweep {
	const char *dir;
	uint32_t keep;
	int removed;
};

static int sweep_one(void *arg, int dir_fd, const char *name, uint32_t generation, uint32_t shard)
{
	CLEANUP(board_shard_closep) struct board_shard *board = NULL;
	struct sweep *sweep = arg;
	int r;

	if (generation == sweep->keep)
		return 0;
	r = board_shard_open(sweep->dir, generation, shard, false, &board);
	/* What can't be opened can't be proved to be unowned, but a worker has its board open and valid: damage is
	 * nobody's. */
	if (r >= 0 && board_shard_is_locked(board) != 0)
		return 0;
	if (unlinkat(dir_fd, name, 0) == 0)
		sweep->removed++;
	return 0;
}

int plan_sweep(const char *dir, uint32_t keep)
{
	struct sweep sweep = { .dir = dir, .keep = keep };
	int r;

	r = each_board(dir, sweep_one, &sweep);
	return r < 0 ? r : sweep.removed;
}
