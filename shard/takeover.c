/* The board and what the last worker left on it. Before the loop runs. */
#include "shard/takeover.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shard/crash.h"
#include "shared/base/build_id.h"
#include "shared/base/clock.h"
#include "shared/discord/discord_time.h"
#include "shared/log/log.h"

/* Start time of this process in clock ticks (field 22 of /proc/self/stat), against reuse of the pid. */
static uint64_t own_start_ticks(void)
{
	char text[1024], *after;
	uint64_t ticks = 0;
	FILE *file = fopen("/proc/self/stat", "re");
	int field = 2;

	if (!file)
		return 0;
	if (fgets(text, sizeof(text), file) && (after = strrchr(text, ')'))) {
		for (after++; *after && field < 22; after++)
			field += *after == ' ';
		ticks = strtoull(after, NULL, 10);
	}
	fclose(file);
	return ticks;
}

/* Did the last worker die of its own making? An operator's kill, the machine's memory and an orderly end did not come
 * from what it was handling. Before the page gets its new owner. */
static bool last_one_crashed(const struct board_shard *board)
{
	static const int own_making[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct board_exit how;
	size_t i;

	if (!board_shard_exit(board, &how) || how.class != EXIT_CLASS_CRASH || how.pid != board_shard_pid(board))
		return false;
	for (i = 0; i < ARRAY_SIZE(own_making); i++) {
		if (how.code == (uint32_t)(128 + own_making[i]))
			return true;
	}
	return false;
}

/* In whose code: only when the dead worker itself has said so. */
static struct board_culprit last_culprit(const struct board_shard *board)
{
	struct board_culprit culprit = board_shard_culprit(board);

	if (culprit.pid != board_shard_pid(board))
		culprit.module = 0;
	return culprit;
}

/* Said until somebody has made a new one: workers in between may have died before they came to it. */
static bool last_file_failed(const struct board_shard *board, enum exit_code code)
{
	struct board_exit how;

	return board_shard_exit(board, &how) && how.class == EXIT_CLASS_RETRY && how.code == (uint32_t)code;
}

/* What the last worker said of its crash; this one's goes to the same place. */
static void read_crash_report(struct worker *worker)
{
	char path[512];

	if (snprintf(path, sizeof(path), "%s/crash-%u-%u.txt", worker->options.runtime_dir, worker->options.generation,
		     worker->options.shard_id) >= (int)sizeof(path))
		return;
	crash_read_report(path, worker->crash_report, sizeof(worker->crash_report));
	crash_report_to(path);
}

/* In whose code the last worker crashed; its name before this one's modules take the rows. */
static void name_culprit(struct worker *worker)
{
	struct board_module row;

	worker->culprit = last_culprit(worker->board);
	if (worker->culprit.module && board_shard_module(worker->board, worker->culprit.module - 1, &row))
		memcpy(worker->culprit_name, row.name, strnlen(row.name, sizeof(worker->culprit_name) - 1));
}

int takeover_board(struct worker *worker)
{
	const struct worker_options *options = &worker->options;
	int r;

	r = board_shard_open(options->runtime_dir, options->generation, options->shard_id, true, &worker->board);
	if (r < 0) {
		log_error(NULL, "worker.no_board",
			  KV_MSG("this shard's board can't be opened; workers are started by shoald, which makes it"),
			  KV_STR("runtime_dir", options->runtime_dir), KV_ERR(r));
		return EXIT_CODE_RESOURCE;
	}
	r = board_shard_lock(worker->board);
	if (r < 0) {
		log_error(NULL, "worker.locked", KV_MSG("another worker serves this shard"),
			  KV_U64("pid", board_shard_pid(worker->board)), KV_ERR(r));
		return EXIT_CODE_LOCKED;
	}
	r = board_host_open(options->runtime_dir, &worker->host);
	if (r < 0) {
		log_error(
			NULL, "worker.no_board",
			KV_MSG("the host's board can't be opened: restart shoald, it makes it anew and takes over the "
			       "workers that serve"),
			KV_STR("runtime_dir", options->runtime_dir), KV_ERR(r));
		return EXIT_CODE_RESOURCE;
	}
	worker->counters = board_shard_counters(worker->board);
	worker->crashed = last_one_crashed(worker->board);
	if (worker->crashed)
		name_culprit(worker);
	worker->cache_failed = last_file_failed(worker->board, EXIT_CODE_CACHE);
	worker->letters_failed = last_file_failed(worker->board, EXIT_CODE_LETTERS);
	worker->outbox_failed = last_file_failed(worker->board, EXIT_CODE_OUTBOX);
	worker->journal_failed = last_file_failed(worker->board, EXIT_CODE_JOURNAL);
	read_crash_report(worker);
	board_shard_set_owner(worker->board, (uint32_t)getpid(), own_start_ticks(), shoal_build_id);
	board_shard_set_state(worker->board, SHARD_STATE_STARTING);
	board_shard_stamp(worker->board, clock_boottime_ns());
	if (board_host_discord_offset(worker->host) != 0)
		discord_time_seed(board_host_discord_offset(worker->host));
	if (board_shard_remember(worker->board) < 0)
		return EXIT_CODE_RESOURCE;
	crash_install(worker->board);
	return EXIT_CODE_OK;
}
