/* The host's page: what all processes of one host share. Words are changed by compare-and-set, by any of them.
 * Every word is bounded when it is read: one scribbled value must not stop the fleet for a century. */
#include "shared/board/board.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/board/board_file.h"

/* Share of the budget that may go out at once. The rest flows evenly: a burst of all of it, and its even flow besides,
 * would be twice as many within one second, and Discord's window may begin anywhere. */
#define REST_BURST_SHARE 5
/* Discord's longest known block for bad behaviour is an hour; what says more than a day is damage. */
#define REST_BLOCK_MAX_NS (24 * 3600 * NS_PER_S)

struct board_host {
	struct board_file file;
	struct board_host_core *core;
	bool remembered;
	_Alignas(8) unsigned char shadow[BOARD_HOST_SIZE]; /* of the last tick at which all was well */
};

/* --- file ----------------------------------------------------------------------------------------------------------
 */

static const struct board_want want_host = {
	.kind = BOARD_KIND_HOST,
	.size = BOARD_HOST_SIZE,
	.core_least = BOARD_HOST_CORE_LEAST,
	.core_size = sizeof(struct board_host_core),
};

static int host_path(const char *dir, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/host.board", dir);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int board_host_create(const char *dir, bool *ret_damaged)
{
	char path[BOARD_PATH_SIZE];
	int r = host_path(dir, path, sizeof(path));

	return r < 0 ? r : board_file_create(path, &want_host, ret_damaged);
}

int board_host_open(const char *dir, struct board_host **ret_board)
{
	CLEANUP(board_host_closep) struct board_host *board = NULL;
	char path[BOARD_PATH_SIZE];
	int r;

	r = host_path(dir, path, sizeof(path));
	if (r < 0)
		return r;
	board = calloc(1, sizeof(*board));
	if (!board)
		return -ENOMEM;
	board->file.fd = -1;
	r = board_file_open(path, &want_host, true, &board->file);
	if (r < 0)
		return r;
	board->core = (struct board_host_core *)board->file.map;
	*ret_board = TAKE(board);
	return 0;
}

int board_host_restore(struct board_host *board)
{
	return board_file_restore(&board->file, &want_host);
}

static bool looks_well(const struct board_host *board)
{
	const struct board_host_core *shadow = (const struct board_host_core *)board->shadow;
	struct board_ledger ledger;

	/* The length first: a file that ends within its last page is no fault, but zeros. */
	if (board->file.guard.state != BOARD_GUARD_WHOLE || !board_file_is_long_enough(&board->file))
		return false;
	if (!board->remembered)
		return true;
	return memcmp(&board->core->page, &shadow->page, sizeof(shadow->page)) == 0 &&
	       (board_host_ledger(board, &ledger) || shadow->ledger_flip == 0);
}

int board_host_mend(struct board_host *board)
{
	int r;

	if (looks_well(board)) {
		memcpy(board->shadow, (const void *)board->core, BOARD_HOST_SIZE);
		board->remembered = true;
		return 0;
	}
	if (!board->remembered)
		return -SHOAL_EDAMAGED;
	r = board_file_lengthen(&board->file);
	if (r == 0)
		r = board_file_reattach(&board->file);
	if (r < 0)
		return r;
	memcpy((void *)board->core, board->shadow, BOARD_HOST_SIZE);
	return 1;
}

void board_host_look(struct board_host *board)
{
	board_file_reattach(&board->file);
	board_file_follow(&board->file, &want_host);
}

struct board_host *board_host_close(struct board_host *board)
{
	if (board) {
		board_file_close(&board->file);
		free(board);
	}
	return NULL;
}

void board_host_closep(struct board_host **board)
{
	*board = board_host_close(*board);
}

int board_host_lock(struct board_host *board)
{
	return board_file_lock(&board->file);
}

int board_host_keep(struct board_host *board, bool keep)
{
	return fcntl(board->file.fd, F_SETFD, keep ? 0 : FD_CLOEXEC) < 0 ? -errno : board->file.fd;
}

int board_host_inherit(struct board_host *board, int fd_taken)
{
	CLEANUP(cleanup_close) int fd = fd_taken;
	struct stat theirs, ours;

	if (fstat(fd, &theirs) < 0 || fstat(board->file.fd, &ours) < 0)
		return -errno;
	if (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino)
		return -ESTALE;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	close(board->file.fd);
	board->file.fd = board->file.guard.fd = TAKE_FD(fd);
	/* Taken by this very description: asked for again, so that it is certain. */
	return board_file_lock(&board->file);
}

int board_host_is_locked(struct board_host *board)
{
	return board_file_is_locked(&board->file);
}

/* --- identify ledger -----------------------------------------------------------------------------------------------
 */

void board_host_set_ledger(struct board_host *board, const struct board_ledger *ledger)
{
	struct board_host_core *core = board->core;

	board_record_write(&core->ledger_flip, core->ledger, sizeof(core->ledger[0]), ledger, sizeof(*ledger));
}

bool board_host_ledger(const struct board_host *board, struct board_ledger *ret_ledger)
{
	const struct board_host_core *core = board->core;
	struct board_ledger ledger;

	if (board_record_read(&core->ledger_flip, core->ledger, sizeof(core->ledger[0]), &ledger, sizeof(ledger)) < 0)
		return false;
	/* A remainder above the total would be spent freely. */
	if (ledger.remaining > ledger.total || ledger.max_concurrency > BOARD_LEDGER_BUCKETS)
		return false;
	*ret_ledger = ledger;
	return true;
}

void board_host_set_bucket_free(struct board_host *board, uint32_t bucket, uint64_t boottime_ns)
{
	assert(bucket < BOARD_LEDGER_BUCKETS);
	atomic_store(&board->core->bucket_free[bucket], boottime_ns);
}

uint64_t board_host_bucket_free(const struct board_host *board, uint32_t bucket)
{
	assert(bucket < BOARD_LEDGER_BUCKETS);
	return atomic_load(&board->core->bucket_free[bucket]);
}

/* --- REST budget ---------------------------------------------------------------------------------------------------
 */

uint64_t board_host_rest_blocked_until(const struct board_host *board)
{
	return atomic_load(&board->core->rest_blocked_until);
}

static uint64_t blocked_for(const struct board_host *board, uint64_t now)
{
	uint64_t until = board_host_rest_blocked_until(board);

	return until > now && until - now <= REST_BLOCK_MAX_NS ? until - now : 0;
}

uint64_t board_host_rest_take(struct board_host *board, uint32_t per_s, uint64_t now)
{
	_Atomic uint64_t *word = &board->core->rest_due;
	uint32_t burst = per_s >= 2 * REST_BURST_SHARE ? per_s / REST_BURST_SHARE : 1;
	uint32_t flow = burst > 1 ? per_s - burst : per_s ? per_s : 1;
	uint64_t interval = (NS_PER_S + flow - 1) / flow;
	uint64_t horizon = burst * interval;
	uint64_t seen = atomic_load(word);
	uint64_t wait = blocked_for(board, now);

	if (wait)
		return wait;
	for (;;) {
		uint64_t due = seen < now ? now : seen;

		/* The word is never further ahead than the burst: what says so is damage, and is mended to a spent
		 * burst (left as it is, it would hold every process for ever). Twice, for callers whose now is a little
		 * old. */
		if (due - now > 2 * NS_PER_S) {
			if (atomic_compare_exchange_weak(word, &seen, now + horizon))
				seen = now + horizon;
			continue;
		}
		if (due - now + interval > horizon)
			return due - now + interval - horizon;
		if (atomic_compare_exchange_weak(word, &seen, due + interval))
			return 0;
	}
}

void board_host_rest_block(struct board_host *board, uint64_t until)
{
	_Atomic uint64_t *word = &board->core->rest_blocked_until;
	uint64_t seen = atomic_load(word);

	while (seen < until && !atomic_compare_exchange_weak(word, &seen, until))
		;
}

/* --- invalid requests ----------------------------------------------------------------------------------------------
 */

static uint32_t window_of(uint64_t now)
{
	return (uint32_t)(now / BOARD_INVALID_WINDOW_NS);
}

void board_host_invalid_add(struct board_host *board, uint64_t now)
{
	uint32_t window = window_of(now);
	_Atomic uint64_t *word = &board->core->invalid[window % BOARD_INVALID_SLOTS];
	uint64_t seen = atomic_load(word);
	uint64_t next;

	do {
		uint32_t count = (uint32_t)seen;

		if ((uint32_t)(seen >> 32) != window)
			count = 0;
		if (count < UINT32_MAX)
			count++;
		next = (uint64_t)window << 32 | count;
	} while (!atomic_compare_exchange_weak(word, &seen, next));
}

uint32_t board_host_invalid_count(const struct board_host *board, uint64_t now)
{
	uint32_t window = window_of(now);
	uint64_t sum = 0;

	for (size_t i = 0; i < BOARD_INVALID_SLOTS; i++) {
		uint64_t word = atomic_load(&board->core->invalid[i]);
		uint32_t age = window - (uint32_t)(word >> 32);

		if (age < BOARD_INVALID_WINDOWS)
			sum += (uint32_t)word;
	}
	return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

void board_host_set_token_invalid(struct board_host *board, bool invalid)
{
	atomic_store(&board->core->token_invalid, invalid);
}

bool board_host_token_invalid(const struct board_host *board)
{
	return atomic_load(&board->core->token_invalid) != 0;
}

void board_host_set_discord_offset(struct board_host *board, int64_t offset_ms)
{
	atomic_store_explicit(&board->core->discord_offset, (uint64_t)offset_ms, memory_order_relaxed);
}

int64_t board_host_discord_offset(const struct board_host *board)
{
	return (int64_t)atomic_load_explicit(&board->core->discord_offset, memory_order_relaxed);
}
