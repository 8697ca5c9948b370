/* The fleet's boards: made, kept whole, and put right when others delete, cut off or scribble on them. Run by the fleet
 * on its loop. Must not touch a shard's page while a worker lives on it, but for reading. */
#include "supervisor/fleet_boards.h"

#include <errno.h>

#include "shared/base/errors.h"
#include "shared/log/log.h"

#define LOOK_TICKS 4

int fleet_boards_open(const struct fleet *fleet, struct worker *worker)
{
	const struct fleet_options *options = &fleet->options;
	const struct log_ctx ctx = worker_ctx(worker);
	bool damaged = false;
	int r;

	r = board_shard_create(options->runtime_dir, options->generation, worker->slot.shard_id, options->shard_count,
			       options->inbox_kib, &damaged);
	if (r < 0)
		return r;
	if (damaged)
		log_error(&ctx, "board.damaged", KV_STR("dir", options->runtime_dir),
			  KV_MSG("the shard's board failed its checks and was moved aside; unless its session is known "
				 "elsewhere, this shard will IDENTIFY"));
	return board_shard_open(options->runtime_dir, options->generation, worker->slot.shard_id, true, &worker->board);
}

static void log_put_back(const struct log_ctx *ctx, const char *dir)
{
	log_error(ctx, "board.deleted", KV_STR("dir", dir),
		  KV_MSG("a board was deleted while the fleet runs and was put back as it was: nobody else may remove "
			 "files in supervisor.runtime_dir"));
}

static void look_after_host(struct fleet *fleet)
{
	int r = fleet->options.host_board ? board_host_restore(fleet->options.host_board) : 0;

	if (r == 1)
		log_put_back(NULL, fleet->options.runtime_dir);
	fleet->host_taken = r == -ESTALE;
}

int fleet_boards_mend(struct fleet *fleet, struct worker *worker)
{
	const struct fleet_options *options = &fleet->options;
	const struct log_ctx ctx = worker_ctx(worker);
	struct board_shard *before = worker->board;
	int r;

	/* A host's page that was scribbled on is not for us to make anew: others live on it. The worker says so. */
	look_after_host(fleet);
	r = board_shard_restore(before, options->generation, worker->slot.shard_id);
	if (r == 1)
		log_put_back(&ctx, options->runtime_dir);
	if (r != -SHOAL_EDAMAGED && r != -SHOAL_EVERSION && r != -ESTALE)
		return r < 0 ? r : 0;
	r = fleet_boards_open(fleet, worker);
	if (r < 0) {
		worker->board = before;
		return r;
	}
	if (board_shard_inherit(worker->board, before))
		log_info(&ctx, "board.inherited",
			 KV_MSG("its session was still known here: the shard will RESUME after all"));
	board_shard_close(before);
	return 0;
}

void fleet_boards_look(struct fleet *fleet)
{
	const char *dir = fleet->options.runtime_dir;
	int r = fleet->options.host_board ? board_host_mend(fleet->options.host_board) : 0;

	if (r == 1 || (r < 0 && !fleet->host_cut))
		log_error(NULL, "board.damaged", KV_STR("dir", dir), KV_ERR(r < 0 ? r : 0),
			  KV_MSG(r == 1 ? "somebody cut off the host's board or wrote into it; it was put right from "
					  "memory"
					: "the host's board was cut off and can't be put right yet; tried again"));
	fleet->host_cut = r < 0;
	if (fleet->ticks % LOOK_TICKS == 0)
		look_after_host(fleet);
	/* Each once a second: they are system calls. */
	for (uint32_t i = fleet->ticks % LOOK_TICKS; i < fleet->count; i += LOOK_TICKS) {
		const struct log_ctx ctx = worker_ctx(&fleet->workers[i]);

		/* Who lives on a board that was deleted puts it back. */
		board_shard_follow(fleet->workers[i].board, fleet->options.generation, i);
		if (board_shard_look(fleet->workers[i].board) == 1)
			log_error(&ctx, "board.cut", KV_STR("dir", dir),
				  KV_MSG("somebody cut off this shard's board; its worker puts it back and is started "
					 "anew: "
					 "nobody else may touch files in supervisor.runtime_dir"));
	}
}
